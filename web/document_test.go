package web

// The document of the API, held against its tables and its answers.

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"larder/internal/describe"
	"larder/internal/miniclient"
	"larder/internal/wiretest"
	"larder/store"
)

type (
	// schema is one of JSON Schema, as far as the document uses it.
	schema struct {
		Ref        string            `json:"$ref"`
		Type       string            `json:"type"`
		Properties map[string]schema `json:"properties"`
		Required   []string          `json:"required"`
		Items      *schema           `json:"items"`
		Additional *schema           `json:"additionalProperties"`
		Enum       []string          `json:"enum"`
	}
	content   map[string]struct{ Schema schema }
	operation struct {
		OperationID string `json:"operationId"`
		Right       string `json:"x-right"`
		Parameters  []struct {
			Name, In string
			Required bool
			Schema   schema
		}
		RequestBody *struct{ Content content }
		Responses   map[string]struct {
			Ref     string `json:"$ref"`
			Content content
		}
	}
	// openAPI is a document.
	openAPI struct {
		OpenAPI    string
		Info       struct{ Title, Version string }
		Servers    []struct{ URL string }
		Paths      map[string]map[string]operation
		Components struct{ Schemas map[string]schema }
	}
)

// readDocument reads the document as it is served, and fails when it has a member that OpenAPI does not know.
func readDocument(t *testing.T, g *rig) (d openAPI) {
	t.Helper()
	g.get("", "openapi.json", &d)
	return d
}

// TestDocumentHasEveryRow: every row of the tables stands in the document with its right, its parameters, its body and
// its answer, and nothing else does.
func TestDocumentHasEveryRow(t *testing.T) {
	g := newRig(t)
	d := readDocument(t, g)
	if d.OpenAPI != "3.1.0" || d.Info.Version != "1.2.3" || d.Servers[0].URL != g.Srv.URL+"/api/v1" {
		t.Errorf("the document begins with %s %+v %+v", d.OpenAPI, d.Info, d.Servers)
	}
	rows := map[string]row{}
	for _, r := range g.api.rows() {
		rows[r.Method+" "+r.Path] = r
	}
	for _, r := range new(kindAPI).rows() {
		rows[r.Method+" /packages/{kind}"+strings.TrimSuffix(r.Path, "/")] = r
	}
	for at, r := range rows {
		method, path, _ := strings.Cut(strings.ReplaceAll(at, "...", ""), " ")
		op, ok := d.Paths[path][strings.ToLower(method)]
		if !ok {
			t.Errorf("%s is not in the document", at)
			continue
		}
		delete(d.Paths[path], strings.ToLower(method))
		checkOperation(t, at, path, r, op)
	}
	for path, item := range d.Paths {
		for method := range item {
			t.Errorf("%s %s is in the document, and in no table", method, path)
		}
	}
}

func checkOperation(t *testing.T, at, path string, r row, op operation) {
	t.Helper()
	if op.OperationID != r.Op || op.Right != r.Need.String() {
		t.Errorf("%s is %s and needs %s, want %s and %s", at, op.OperationID, op.Right, r.Op, r.Need)
	}
	var want, got []string
	for _, m := range regexp.MustCompile(`\{(\w+)\}`).FindAllStringSubmatch(path, -1) {
		want = append(want, "path "+m[1])
	}
	for _, q := range r.query {
		want = append(want, "query "+q.Name)
	}
	for _, p := range op.Parameters {
		if got = append(got, p.In+" "+p.Name); p.Required != (p.In == "path") || p.Schema.Type == "" {
			t.Errorf("%s: parameter %+v", at, p)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s has the parameters %q, want %q", at, got, want)
	}
	if (op.RequestBody != nil) != (r.body != nil) {
		t.Errorf("%s has a body: %v, want %v", at, op.RequestBody != nil, r.body != nil)
	}
	status := fmt.Sprint(r.operation("").Status)
	if has := len(op.Responses[status].Content) > 0; has != (r.answer != nil || r.typ != "") {
		t.Errorf("%s has an answer %s: %v", at, status, has)
	}
	if op.Responses["default"].Ref == "" {
		t.Errorf("%s does not say what a failure is", at)
	}
}

// TestReferencesLead: every $ref of the document leads to a schema, and no schema is there in vain.
func TestReferencesLead(t *testing.T) {
	g := newRig(t)
	a := g.Do("GET", "/api/v1/openapi.json", nil)
	d := readDocument(t, g)
	used := map[string]bool{}
	for _, m := range regexp.MustCompile(`"#/components/schemas/([^"]+)"`).FindAllStringSubmatch(a.Body, -1) {
		used[m[1]] = true
		if _, ok := d.Components.Schemas[m[1]]; !ok {
			t.Errorf("there is no schema %s", m[1])
		}
	}
	for name, s := range d.Components.Schemas {
		if !used[name] {
			t.Errorf("nothing refers to the schema %s", name)
		}
		if s.Type != "object" {
			t.Errorf("the schema %s is of type %q", name, s.Type)
		}
		for member := range s.Properties {
			if member != strings.ToLower(member) {
				t.Errorf("%s has the member %s, which is not in lower case", name, member)
			}
		}
	}
}

// TestAnswersAreAsTheDocumentSays holds what is sent against the schemas: no member is missing, none is unknown.
func TestAnswersAreAsTheDocumentSays(t *testing.T) {
	g := newRig(t)
	d := readDocument(t, g)
	for _, p := range miniclient.All() {
		g.publish(p.Kind, "demo", "1.0.0")
	}
	g.User("root", nil, true)
	paths := map[string]string{
		"/kinds": "kinds", "/search": "search?q=demo", "/recent": "recent", "/setup": "setup", "/setup/{name}": "setup/pip",
		"/me": "me", "/me/tokens": "me/tokens", "/me/sessions": "me/sessions", "/users": "users", "/tokens": "tokens",
		"/stats": "stats", "/traffic": "traffic", "/journal": "journal", "/upstreams": "upstreams",
		"/claims": "claims?hosted=1",
	}
	check := func(template, path string) {
		a := g.Want(g.Do("GET", "/api/v1/"+path, nil, g.As("root")), 200, "")
		var v any
		if err := json.Unmarshal([]byte(a.Body), &v); err != nil {
			t.Fatal(err)
		}
		op := d.Paths[template]["get"]
		for _, fault := range d.faults(op.Responses["200"].Content["application/json"].Schema, v, "") {
			t.Errorf("%s: %s", path, fault)
		}
	}
	for _, template := range slices.Sorted(maps.Keys(paths)) {
		check(template, paths[template])
	}
	for _, p := range miniclient.All() {
		name := recordName(p.Kind, "demo")
		list, err := g.kinds[store.Kind(p.Kind)].Versions(t.Context(), name, describe.Query{Limit: 1})
		if err != nil {
			t.Fatal(err)
		}
		at := "packages/" + p.Kind + "/" + escaped(name)
		check("/packages/{kind}", "packages/"+p.Kind)
		check("/packages/{kind}/{name}", at)
		check("/packages/{kind}/{name}/-/versions", at+"/-/versions")
		check("/packages/{kind}/{name}/-/v/{version}", at+"/-/v/"+list.List[0].ID)
		check("/packages/{kind}/{name}/-/tags", at+"/-/tags")
		check("/packages/{kind}/{name}/-/pulls", at+"/-/pulls")
		check("/packages/{kind}/{name}/-/dependants", at+"/-/dependants")
		check("/packages/{kind}/{name}/-/history", at+"/-/history")
		if p.Kind == "oci" {
			check("/packages/{kind}/{name}/-/m/{version}", at+"/-/m/"+list.List[0].ID)
		}
	}
}

// faults says where a value is not what a schema says.
func (d openAPI) faults(s schema, v any, at string) (out []string) {
	if s.Ref != "" {
		s = d.Components.Schemas[strings.TrimPrefix(s.Ref, "#/components/schemas/")]
	}
	say := func(format string, args ...any) { out = append(out, at+": "+fmt.Sprintf(format, args...)) }
	switch v := v.(type) {
	case map[string]any:
		if s.Type != "object" && s.Type != "" {
			say("an object, want %s", s.Type)
		}
		for _, name := range s.Required {
			if _, ok := v[name]; !ok {
				say("%s is missing", name)
			}
		}
		for name, one := range v {
			member, known := s.Properties[name]
			switch {
			case s.Type == "":
			case known:
				out = append(out, d.faults(member, one, at+"."+name)...)
			case s.Additional != nil:
				out = append(out, d.faults(*s.Additional, one, at+"."+name)...)
			default:
				say("%s is not in the schema", name)
			}
		}
	case []any:
		if s.Type != "array" && s.Type != "" {
			say("a list, want %s", s.Type)
		}
		for i, one := range v {
			if s.Items != nil {
				out = append(out, d.faults(*s.Items, one, fmt.Sprintf("%s[%d]", at, i))...)
			}
		}
	default:
		types := map[string]string{"string": "string", "float64": "integer number", "bool": "boolean", "<nil>": ""}
		if !strings.Contains(types[fmt.Sprintf("%T", v)], s.Type) {
			say("%v, want %s", v, s.Type)
		}
	}
	return out
}

func TestDocumentIsForEverybody(t *testing.T) {
	g := newRig(t, func(o *wiretest.Options) { o.Auth.Anonymous = "none" })
	if a := g.Do("GET", "/api/v1/openapi.json", nil); a.Status != http.StatusOK {
		t.Errorf("without a login: %v", a)
	}
	g.Want(g.Do("GET", "/api/v1/search?q=x", nil), 401, "")
}

// TestPageOfTheAPIIsWhatTheRowsSay fails when docs/api.md is not printed from the rows; LARDER_GOLDEN=write writes it.
func TestPageOfTheAPIIsWhatTheRowsSay(t *testing.T) {
	const file = "../docs/api.md"
	want := apiPage(newAPI(Deps{}))
	if os.Getenv("LARDER_GOLDEN") == "write" {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil || string(got) != want {
		t.Errorf("%s is not what the rows say (%v); write it with LARDER_GOLDEN=write", file, err)
	}
}

// apiPage is the page for people about the API.
func apiPage(a *api) string {
	var b strings.Builder
	b.WriteString(strings.ReplaceAll(`# The API

What the pages show, and what administrators do, is below ~/api/v1~, in JSON. This page is printed from the tables of
routes; ~/api/v1/openapi.json~ describes the same, with the types of bodies and answers, in OpenAPI 3.1.

- Credentials are a user's name and password (Basic) or a token (Bearer, or the password of Basic). Cookies of the pages
  count for nothing. Without credentials, *list* and *read* show what anonymous clients may read.
- *admin* needs an administrator, *login* any user. What a client may not read is not there: the answer is a 404.
- Names are those of records: ~com.acme:lib~, ~@acme/lib~, with slashes as they are.
- Lists come page by page. ~limit~ is how many entries a page has; ~next~ of an answer is the ~cursor~ of the following
  page, to which the header Link leads as well. The last page has no ~next~.
- A parameter or a field of a body that a row does not have is refused. Errors are
  ~{"error": sentence, "request_id": id}~.
`, "~", "`"))
	section := func(title, prefix string, rows []row) {
		b.WriteString("\n## " + title + "\n")
		for _, r := range rows {
			path := prefix + strings.TrimSuffix(strings.ReplaceAll(r.Path, "...", ""), "/")
			fmt.Fprintf(&b, "\n### `%s %s`\n\n%s: %s.\n", r.Method, path, r.Need, r.Clients)
			if len(r.query) > 0 {
				b.WriteByte('\n')
			}
			for _, q := range r.query {
				about := q.About
				if q.Values != nil {
					about += ": " + strings.Join(q.Values, ", ")
				}
				fmt.Fprintf(&b, "- `%s`: %s\n", q.Name, about)
			}
		}
	}
	section("Packages", "/packages/{kind}", new(kindAPI).rows())
	section("Everything else", "", a.rows())
	return b.String()
}
