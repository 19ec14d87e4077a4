package audit

// Audits as clients ask for them, and their limits.

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"larder/internal/problem"
	"larder/internal/wiretest"
	"larder/store/storetest"
)

const loaded = `[
	{"id":7,"package":"demo","title":"Bad","severity":"high","vulnerable_versions":"<1.2.0","cwe":["CWE-1"]},
	{"id":"X-8","package":"demo","title":"Worse","severity":"critical","vulnerable_versions":">=1.1.0 <1.2.0"},
	{"id":"X-9","package":"demo.x","title":"Other","severity":"low","vulnerable_versions":"*"}]`

func newAudit(t *testing.T) *Audit {
	t.Helper()
	a := New(storetest.New(t), nil)
	if _, err := ask(a.Set, loaded); err != nil {
		t.Fatal(err)
	}
	return a
}

func ask(serve func(http.ResponseWriter, *http.Request) error, body string) (answer wiretest.Answer, err error) {
	w := httptest.NewRecorder()
	err = serve(w, httptest.NewRequest("POST", "/", strings.NewReader(body)))
	return wiretest.Answer{Status: w.Code, Header: w.Header(), Body: w.Body.String()}, err
}

func TestBulk(t *testing.T) {
	a := newAudit(t)
	for body, want := range map[string]string{
		`{}`: "", `{"demo":["1.2.0"]}`: "", `{"demo":["1.0.0"]}`: "7", `{"demo":["1.1.0","2.0.0"]}`: `7 "X-8"`,
		`{"demo":["latest","1.1"]}`: "", `{"absent":["1.0.0"],"":["1.0.0"]}`: "",
	} {
		answer, err := ask(a.Bulk, body)
		if err != nil {
			t.Fatal(err)
		}
		var got map[string][]Advisory
		answer.Decode(t, &got)
		var ids []string
		for _, adv := range got["demo"] {
			ids = append(ids, string(adv.ID))
			if adv.Package != "" {
				t.Errorf("%s: the answer repeats the name: %v", body, answer)
			}
		}
		if strings.Join(ids, " ") != want {
			t.Errorf("%s: %v", body, answer)
		}
	}
}

// TestLimits: neither too many packages nor anything but an object of lists is audited.
// packedRequest is a request with a body in gzip.
func packedRequest(t *testing.T, body string) *http.Request {
	t.Helper()
	var z bytes.Buffer
	zw := gzip.NewWriter(&z)
	_, err := io.Copy(zw, strings.NewReader(body))
	if err := errors.Join(err, zw.Close()); err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("POST", "/", &z)
	r.Header.Set("Content-Encoding", "gzip")
	return r
}

// TestAuditsAreBounded: whatever a stranger sends, little is kept of it, and what is too much is refused where it
// begins.
func TestAuditsAreBounded(t *testing.T) {
	a := newAudit(t)
	deep := strings.Repeat(`{"dependencies":{"demo":`, 400) + `{"version":"1.0.0"}` + strings.Repeat("}}", 400)
	wide := `{"dependencies":{"demo":{"version":"1.0.0"}` + strings.Repeat(
		`,"demo":{"version":"1.0.0"}`, maxVersions,
	) + `}}`
	many := []string{}
	for i := range maxOfOne + 1 {
		many = append(many, fmt.Sprintf("0.0.%d", i))
	}
	const most = 8 << 20 // bytes allocated for one
	for _, c := range []struct {
		name   string
		serve  func(http.ResponseWriter, *http.Request) error
		body   string
		status int
	}{
		{"very many versions", a.Bulk, `{"a":["` + strings.Repeat(`1.0.0","`, 600_000) + `1"]}`, 413},
		{"as many of a package with advisories", a.Bulk, `{"demo":["` + strings.Repeat(`1.0.0","`, 600_000) + `1"]}`, 413},
		{"different versions", a.Bulk, wiretest.JSON(map[string][]string{"demo": many}), 413},
		{"one string", a.Bulk, `{"a":["` + strings.Repeat("1", 5<<20) + `"]}`, 400},
		{"one name", a.Bulk, `{"` + strings.Repeat("a", 5<<20) + `":[]}`, 400},
		{"blanks", a.Bulk, strings.Repeat(" ", 5<<20) + `{}`, 413},
		{"a value nobody reads", a.Quick, `{"x":"` + strings.Repeat("1", 5<<20) + `"}`, 413},
		{"a deep tree", a.Quick, deep, 200},
		{"a tree that is too deep", a.Quick, strings.Repeat(deep[:24], 5000), 400},
		{"a wide tree", a.Quick, wide, 413},
		{"thirty thousand packages", a.Bulk, func() string {
			names := map[string][]string{}
			for i := range 30_000 {
				names[fmt.Sprint("p", i)] = []string{"1.0.0"}
			}
			return wiretest.JSON(names)
		}(), 200},
	} {
		var before, after runtime.MemStats
		r := packedRequest(t, c.body)
		runtime.ReadMemStats(&before)
		err := c.serve(httptest.NewRecorder(), r)
		runtime.ReadMemStats(&after)
		if problem.Status(err) != c.status {
			t.Errorf("%s: %v, want status %d", c.name, err, c.status)
		}
		if got := after.TotalAlloc - before.TotalAlloc; got > most {
			t.Errorf("%s: %d bytes were allocated, want at most %d", c.name, got, most)
		}
	}
}

func TestAuditsThatAreNotGzip(t *testing.T) {
	a := newAudit(t)
	for _, body := range []string{"", "{}", "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03half"} {
		r := httptest.NewRequest("POST", "/", strings.NewReader(body))
		r.Header.Set("Content-Encoding", "gzip")
		err := a.Bulk(httptest.NewRecorder(), r)
		if problem.Status(err) != 400 || !strings.Contains(problem.Public(err), "not gzip") {
			t.Errorf("%q: %v, %q", body, err, problem.Public(err))
		}
	}
}

// TestAuditNamesWhatIsNew: what an operator loads counts at once.
func TestAuditNamesWhatIsNew(t *testing.T) {
	a := newAudit(t)
	for _, c := range []struct{ load, want string }{
		{loaded, `{}`},
		{`[{"id":1,"package":"fresh","title":"Bad","severity":"high","vulnerable_versions":"*"}]`, `"title":"Bad"`},
		{`[]`, `{}`},
	} {
		if _, err := ask(a.Set, c.load); err != nil {
			t.Fatal(err)
		}
		if answer, err := ask(a.Bulk, `{"fresh":["1.0.0"]}`); err != nil || !strings.Contains(answer.Body, c.want) {
			t.Errorf("after %.40s: %v %v, want %s", c.load, answer, err, c.want)
		}
	}
}

func TestLimits(t *testing.T) {
	a := newAudit(t)
	many := map[string][]string{}
	for i := range maxPackages + 1 {
		many[fmt.Sprint("p", i)] = nil
	}
	for _, c := range []struct {
		body   string
		status int
	}{{wiretest.JSON(many), 413}, {`[]`, 400}, {`{"demo":"1.0.0"}`, 400}, {`{`, 400}} {
		if answer, err := ask(a.Bulk, c.body); problem.Status(err) != c.status {
			t.Errorf("%.40s: %v %v", c.body, answer, err)
		}
	}
	if answer, err := ask(a.Quick, `{"dependencies":[]}`); problem.Status(err) != 400 {
		t.Errorf("%v %v", answer, err)
	}
}

// TestQuick: where in the tree a vulnerable version is, and how many there are of each severity.
func TestQuick(t *testing.T) {
	a := newAudit(t)
	answer, err := ask(a.Quick,
		`{"dependencies":{"a":{"version":"1.0.0","dependencies":{"demo":{"version":"1.1.0"}}},"demo":{"version":"1.0.0"},`+
			`"b":{"version":"1.0.0","dependencies":{"demo":{"version":"1.1.0"}}}}}`)
	if err != nil {
		t.Fatal(err)
	}
	got := answer.Object(t)
	counts := wiretest.At(got, "metadata", "vulnerabilities")
	if wiretest.At(counts, "high") != 2.0 || wiretest.At(counts, "critical") != 1.0 ||
		wiretest.At(counts, "info") != 0.0 || wiretest.At(got, "metadata", "totalDependencies") != 4.0 {
		t.Errorf("%v", answer)
	}
	findings := wiretest.At(got, "advisories", "X-8", "findings").([]any)
	if len(findings) != 1 || len(wiretest.At(findings[0], "paths").([]any)) != 2 {
		t.Errorf("%v", findings)
	}
	tree := `{"dependencies":{`
	for i := range 150 {
		tree += fmt.Sprintf(`"p%d":{"version":"1.0.0","dependencies":{"demo":{"version":"1.0.0"}}},`, i)
	}
	if answer, err = ask(a.Quick, strings.TrimSuffix(tree, ",")+`}}`); err != nil {
		t.Fatal(err)
	}
	findings = wiretest.At(answer.Object(t), "advisories", "7", "findings").([]any)
	if n := len(wiretest.At(findings[0], "paths").([]any)); n != 100 {
		t.Errorf("%d paths", n)
	}
}

func TestFault(t *testing.T) {
	good := Advisory{
		ID: []byte("7"), Package: "demo", Title: "Bad", Severity: "high", Range: "<1.0.0",
		URL: "https://advisories.example.com/7",
	}
	if f := good.Fault(); f != "" {
		t.Error(f)
	}
	for want, change := range map[string]func(*Advisory){
		"package": func(a *Advisory) { a.Package = "../x" }, "vulnerable_versions": func(a *Advisory) { a.Range = "^1" },
		"severity": func(a *Advisory) { a.Severity = "bad" }, "an id": func(a *Advisory) { a.ID = nil },
		"a title": func(a *Advisory) { a.Title = "" }, "url": func(a *Advisory) { a.URL = "javascript:x" },
	} {
		bad := good
		change(&bad)
		if f := bad.Fault(); !strings.Contains(f, want) {
			t.Errorf("%s: %q", want, f)
		}
	}
}
