package pypi

// Rights: every operation against every kind of user, and how errors look.

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"larder/auth"
	"larder/internal/problem"
	"larder/internal/wire"
	"larder/internal/wiretest"
	"larder/store"
)

// prepare publishes what the cases are about.
func (g *rig) prepare(name string) {
	g.T.Helper()
	stem := strings.ReplaceAll(name, "-", "_")
	u := newUpload(stem + "-1.0-py3-none-any.whl")
	u.more = [][2]string{
		{"attestations", "[" + attestation(u.file, u.bytes()) + "]"}, {"gpg_signature", "-----BEGIN PGP SIGNATURE-----"},
	}
	g.Want(g.put("ada", u), 200, "")
	g.publish(stem+"-2.0-py3-none-any.whl", stem+"-0.1-py3-none-any.whl")
	g.Want(g.Ada("DELETE", "/pypi/-/"+name+"/0.1", nil), 204, "")
}

// cases has one for each operation.
func (g *rig) cases(name string) map[string]wiretest.Case {
	stem := strings.ReplaceAll(name, "-", "_")
	u := newUpload(stem + "-1.0-py3-none-any.whl")
	sum := u.fields()["sha256_digest"]
	file := "/pypi/files/" + sum + "/" + u.file
	typ, body := newUpload(stem + "-3.0-py3-none-any.whl").encode(0)
	form := []option{wiretest.Header("Content-Type", typ)}
	manage := "/pypi/-/" + name
	call := "<methodCall><methodName>changelog_last_serial</methodName></methodCall>"
	provenance := "/pypi/integrity/" + name + "/1.0/" + u.file + "/provenance"
	gone := manage + "/tombstones/" + stem + "-0.1-py3-none-any.whl"
	return map[string]wiretest.Case{
		"pypi.simple":         {Method: "GET", Path: "/simple/", Status: 200, Whole: true},
		"pypi.project":        {Method: "GET", Path: "/simple/" + name + "/", Status: 200},
		"pypi.redirect":       {Method: "GET", Path: "/simple/" + name, Status: 301, Whole: true},
		"pypi.file":           {Method: "GET", Path: file, Status: 200},
		"pypi.metadata":       {Method: "GET", Path: file + ".metadata", Status: 200},
		"pypi.signature":      {Method: "GET", Path: file + ".asc", Status: 200},
		"pypi.provenance":     {Method: "GET", Path: provenance, Status: 200},
		"pypi.upload":         {Method: "POST", Path: "/pypi/legacy/", Body: body, Opts: form, Status: 200},
		"pypi.post":           {Method: "POST", Path: "/pypi/", Body: body, Opts: form, Status: 200},
		"pypi.rpc":            {Method: "POST", Path: "/RPC2", Body: call, Status: 200, Whole: true},
		"pypi.json":           {Method: "GET", Path: "/pypi/" + name + "/json", Status: 200},
		"pypi.json.version":   {Method: "GET", Path: "/pypi/" + name + "/1.0/json", Status: 200},
		"pypi.oidc.audience":  {Method: "GET", Path: "/_/oidc/audience", Status: 422, Whole: true},
		"pypi.oidc.mint":      {Method: "POST", Path: "/_/oidc/mint-token", Body: "{}", Status: 422, Whole: true},
		"pypi.oidc.discover":  {Method: "GET", Path: "/.well-known/pytp?discover=/pypi/legacy/", Status: 404, Whole: true},
		"pypi.yank":           {Method: "PUT", Path: manage + "/1.0/yank", Status: 204},
		"pypi.unyank":         {Method: "DELETE", Path: manage + "/1.0/yank", Status: 204},
		"pypi.delete.file":    {Method: "DELETE", Path: manage + "/files/" + u.file, Status: 204},
		"pypi.delete.version": {Method: "DELETE", Path: manage + "/1.0", Status: 204},
		"pypi.delete":         {Method: "DELETE", Path: manage, Status: 204},
		"pypi.status":         {Method: "PUT", Path: manage + "/status", Body: fields{"status": "deprecated"}, Status: 204},
		"pypi.forget":         {Method: "DELETE", Path: gone, Status: 204},
	}
}

// TestEveryOperationAsksForItsRight: every operation of the table against every right, on public and on private
// projects. An upload names its project in the body, so its right is judged there; who may not upload learns nothing of
// whether a name is taken.
func TestEveryOperationAsksForItsRight(t *testing.T) {
	g := newRig(t, func(o *rigOptions) { o.Record, o.Auth.Private = true, []string{"pypi:package:secret*"} })
	n := 0
	wiretest.Matrix[Request]{
		Routes: (&server{}).routes(), Scope: "pypi:package",
		Name: func(private bool, n int) string {
			return fmt.Sprintf(map[bool]string{false: "pkg-%d", true: "secret-%d"}[private], n)
		},
		Prepare:   func(w *wiretest.Rig, name string) { (&rig{w, g.s}).prepare(name) },
		Creating:  []string{"pypi.upload", "pypi.post"},
		Spellings: func(name string) []string { return []string{name, strings.ReplaceAll(name, "-", "_")} },
		Cases: func(w *wiretest.Rig, name, actor string) map[string]wiretest.Case {
			all := (&rig{w, g.s}).cases(name)
			for _, op := range []string{"pypi.upload", "pypi.post"} {
				// A file of its own for each time it is asked, so that the journal tells whether it came in.
				n++
				typ, body := newUpload(fmt.Sprintf("%s-3.%d-py3-none-any.whl", strings.ReplaceAll(name, "-", "_"), n)).encode(0)
				c := all[op]
				c.Body, c.Opts = body, []option{wiretest.Header("Content-Type", typ)}
				all[op] = c
			}
			return all
		},
		Want: func(q wiretest.Question, status int) int {
			if q.Op != "pypi.upload" && q.Op != "pypi.post" {
				return status
			}
			switch {
			case q.Actor == "":
				return 401
			case strings.Contains(q.Can, "c"), strings.Contains(q.Can, "w"):
				return 200
			}
			return 403
		},
	}.Run(g.Rig)
}

// TestReadOnlyTokenChangesNothing: a read-only token changes nothing, whatever its user may.
func TestReadOnlyTokenChangesNothing(t *testing.T) {
	g := newRig(t)
	g.prepare("demo-pkg")
	g.Key("reader", auth.TokenSpec{User: "ada", ReadOnly: true})
	all, before := g.cases("demo-pkg"), g.project("demo-pkg")
	for _, op := range (&server{}).routes() {
		if c := all[op.Op]; op.Need.Kind() > wire.Read || op.Op == "pypi.upload" || op.Op == "pypi.post" {
			g.Want(g.Do(c.Method, c.Path, c.Body, append(c.Opts, g.As("reader"))...), 403, "")
		}
	}
	if after := g.project("demo-pkg"); wiretest.JSON(after) != wiretest.JSON(before) {
		t.Error("something has changed")
	}
}

// TestUploadIsRefusedBeforeFileIsRead: who may not upload is told before the file is read.
func TestUploadIsRefusedBeforeFileIsRead(t *testing.T) {
	g := newRig(t)
	g.Key("reader", auth.TokenSpec{User: "ada", ReadOnly: true})
	g.User("guest", []string{"pypi:package:other:create"})
	head := newUpload(demoWheel, func(u *upload) { u.last = true })
	typ, body := head.encode(0)
	body = body[:strings.LastIndex(string(body), string(head.bytes()))]
	for actor, want := range map[string]int{"": 401, "reader": 403, "guest": 403} {
		r, err := http.NewRequest("POST", g.Base+"/pypi/legacy/", struct{ *endless }{&endless{head: body}})
		if err != nil {
			t.Fatal(err)
		}
		r.ContentLength = 8 << 30
		r.Header.Set("Content-Type", typ)
		g.As(actor)(r)
		if a := g.Send(r); a.Status != want {
			t.Errorf("%q: %v", actor, a)
		}
	}
}

// endless is a form whose file never ends.
type endless struct{ head []byte }

func (e *endless) Read(p []byte) (int, error) {
	if len(e.head) > 0 {
		n := copy(p, e.head)
		e.head = e.head[n:]
		return n, nil
	}
	clear(p)
	return len(p), nil
}

// TestErrorsAsClientsReadThem: status, challenge, body and type of every kind of failure, as a golden file.
func TestErrorsAsClientsReadThem(t *testing.T) {
	g := newRig(t, func(o *rigOptions) { o.Auth.Private = []string{"pypi:package:secret*"} })
	g.User("guest", []string{"pypi:package:other:read,create"})
	g.publish(demoWheel)
	uv := wiretest.Header("Accept", "application/json;q=0.9, text/plain;q=0.8, text/html;q=0.7")
	encoded := func(u *upload) (any, option) {
		typ, body := u.encode(0)
		return body, wiretest.Header("Content-Type", typ)
	}
	other := func() *upload { return newUpload(demoWheel, func(u *upload) { u.files["x"] = "y" }) }
	with := func(field, value string) *upload {
		return newUpload(demoWheel, func(u *upload) { u.form[field] = value })
	}
	var out strings.Builder
	for _, c := range []struct {
		what, method, path string
		u                  *upload
		opts               []option
	}{
		{"no credentials", "POST", "/pypi/legacy/", other(), nil},
		{"bad token", "POST", "/pypi/legacy/", other(), []option{wiretest.Basic("__token__", "larder_bad")}},
		{"wrong password", "GET", "/simple/demo-pkg/", nil, []option{wiretest.Basic("ada", "wrong")}},
		{"no right", "POST", "/pypi/legacy/", other(), []option{g.As("guest")}},
		{"no right, private", "POST", "/pypi/legacy/", newUpload("secret-1.0.tar.gz"), []option{g.As("guest")}},
		{"conflict", "POST", "/pypi/legacy/", other(), []option{g.As("ada")}},
		{"conflict, uv", "POST", "/pypi/legacy/", other(), []option{g.As("ada"), uv}},
		{"invalid", "POST", "/pypi/legacy/", with("name", "other"), []option{g.As("ada")}},
		{"digest", "POST", "/pypi/legacy/", with("md5_digest", "00"), []option{g.As("ada")}},
		{"no form", "POST", "/pypi/legacy/", nil, []option{g.As("ada")}},
		{"wrong method", "GET", "/pypi/legacy/", nil, nil},
		{"absent project", "GET", "/simple/absent/", nil, nil},
		{"absent project, JSON", "GET", "/pypi/absent/json", nil, nil},
		{"absent release", "GET", "/pypi/demo-pkg/9/json", nil, nil},
		{"absent file", "GET", "/pypi/files/" + sha + "/demo_pkg-9.tar.gz", nil, nil},
		{"absent provenance", "GET", "/pypi/integrity/demo-pkg/1.0/" + demoWheel + "/provenance", nil, nil},
		{"unknown address", "GET", "/pypi/what/ever", nil, nil},
		{"bad path", "GET", "/simple/a%5Cb/", nil, nil},
		{"not acceptable", "GET", "/simple/demo-pkg/", nil, []option{wiretest.Header("Accept", "image/png")}},
		{"no admin", "DELETE", "/pypi/-/demo-pkg/tombstones/demo_pkg-1.tar.gz", nil, []option{g.As("ada")}},
		{"no trust", "POST", "/_/oidc/mint-token", nil, nil},
		{"range", "GET", g.url("demo-pkg", demoWheel), nil, []option{wiretest.Header("Range", "bytes=99999-")}},
	} {
		var body any
		if c.u != nil {
			var form option
			body, form = encoded(c.u)
			c.opts = append(c.opts, form)
		}
		a := g.Do(c.method, c.path, body, c.opts...)
		fmt.Fprintf(&out, "%s: %d\n", c.what, a.Status)
		for _, name := range []string{
			"Allow", "Content-Range", "Content-Type", "WWW-Authenticate", "Cache-Control", "Connection",
		} {
			if v := a.Header.Get(name); v != "" {
				fmt.Fprintf(&out, "\t%s: %s\n", name, v)
			}
		}
		fmt.Fprintf(&out, "\t%s\n", strings.TrimSpace(a.Body))
	}
	wiretest.Golden(t, "errors.txt", strings.ReplaceAll(out.String(), g.Srv.URL, ""))
}

// TestFullDiskIsNoReasonToTryAgain: a full disk and a store that takes no changes are no reason for twine to send the
// body five times.
func TestFullDiskIsNoReasonToTryAgain(t *testing.T) {
	g := newRig(t)
	f := wire.Failure{Status: 507, Err: problem.Errorf(store.ErrFull, "full"), Op: "pypi.upload"}
	if got := statusFor(f); got != http.StatusRequestEntityTooLarge {
		t.Errorf("a full disk: %d", got)
	}
	g.Store.SetReadOnly("maintenance")
	defer g.Store.SetReadOnly("")
	g.Want(g.put("ada", newUpload(demoWheel)), 503, "read-only") // this passes: to try again is right
}

// TestTokenUploadsWithinItsScopesOnly: a token for one project, or for names that begin alike, uploads nothing else.
func TestTokenUploadsWithinItsScopesOnly(t *testing.T) {
	g := newRig(t)
	g.Scoped("one", "ada", "pypi:package:acme-tools:create")
	g.Scoped("prefix", "ada", "pypi:package:acme-*:create")
	for _, c := range []struct {
		actor, file string
		status      int
	}{
		{"one", "acme_tools-1.0.tar.gz", 200}, {"one", "Acme.Tools-1.1.tar.gz", 200}, {"one", "acme_other-1.0.tar.gz", 403},
		{"prefix", "acme_other-1.0.tar.gz", 200}, {"prefix", "acmefoo-1.0.tar.gz", 403},
	} {
		g.Want(g.put(c.actor, newUpload(c.file)), c.status, "")
	}
	g.Want(g.Do("PUT", "/pypi/-/acme-tools/1.0/yank", nil, g.As("one")), 403, "")
	// The right is that of the name in the form, which must be that of the file.
	sneaky := newUpload("other-1.0.tar.gz", func(u *upload) { u.form["name"] = "acme-tools" })
	g.Want(g.put("one", sneaky), 400, "")
	if a := g.Do("GET", "/simple/other/", nil); a.Status != 404 {
		t.Error(a)
	}
}

// TestHeadHasNoBody: HEAD is GET without the body, everywhere.
func TestHeadHasNoBody(t *testing.T) {
	g := newRig(t)
	g.prepare("demo-pkg")
	for op, c := range g.cases("demo-pkg") {
		if c.Method != "GET" {
			continue
		}
		get, head := g.Do("GET", c.Path, nil), g.Do("HEAD", c.Path, nil)
		names := []string{"Content-Type", "ETag", "Cache-Control", "Location"}
		same := !slices.ContainsFunc(names, func(n string) bool { return get.Header.Get(n) != head.Header.Get(n) })
		if head.Body != "" || head.Status != get.Status || !same {
			t.Errorf("%s: %v, HEAD %v", op, get, head)
		}
	}
}

// FuzzUpload: no form makes the index fail, or leaves something half done.
func FuzzUpload(f *testing.F) {
	u := newUpload(demoWheel)
	typ, body := u.encode(0)
	boundary := strings.TrimPrefix(typ, "multipart/form-data; boundary=")
	f.Add(boundary, body)
	_, sdist := newUpload("demo_pkg-1.0.tar.gz").encode(3)
	f.Add(boundary, sdist)
	f.Add("b", []byte("--b\r\nContent-Disposition: form-data; name=name\r\n\r\ndemo\r\n--b--\r\n"))
	g := newRig(f)
	f.Fuzz(func(t *testing.T, boundary string, body []byte) {
		if strings.ContainsFunc(boundary, func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }) {
			return // no client could send it
		}
		form := wiretest.Header("Content-Type", `multipart/form-data; boundary="`+boundary+`"`)
		a := g.In(t).Do("POST", "/pypi/legacy/", body, g.As("ada"), form)
		if a.Status >= 500 {
			t.Fatal(a)
		}
	})
}
