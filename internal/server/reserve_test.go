package server

// This file fills the disk up to the reserve, and looks at what still works.

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"larder/internal/config"
	"larder/store"
)

// freeing is one request that deletes, withdraws or revokes something of a specimen's server.
type freeing struct {
	kind         store.Kind // "": the admin API's
	method, path string     // path may have %s for what prepare returned
	body, typ    string
	prepare      func(t *testing.T, base string) string
}

// freeings are the deleting, withdrawing and revoking operations of all kinds and of the admin API.
func freeings() []freeing {
	const admin = "application/json"
	tag := func(t *testing.T, base string) string {
		send(t, "PUT", base+"/npm/-/package/demo/dist-tags/beta", `"1.0.0"`, admin, 201)
		return ""
	}
	digest := func(t *testing.T, base string) string {
		return send(t, "GET", base+"/v2/team/app/manifests/v1", "", "", 200).Header.Get("Docker-Content-Digest")
	}
	loose := func(t *testing.T, base string) string {
		const d = "sha256:2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881" // of "x"
		send(t, "POST", base+"/v2/team/app/blobs/uploads/?digest="+d, "x", "application/octet-stream", 201)
		return d
	}
	revision := func(t *testing.T, base string) string {
		_, rest, _ := strings.Cut(sendText(t, "GET", base+"/npm/demo?write=true", "", admin, 200), `"_rev":"`)
		rev, _, _ := strings.Cut(rest, `"`)
		return rev
	}
	session := func(t *testing.T, base string) string {
		return send(t, "POST", base+"/v2/team/app/blobs/uploads/", "", "", 202).Header.Get("Docker-Upload-UUID")
	}
	eve := func(t *testing.T, base string) string {
		send(t, "POST", base+"/api/v1/users", `{"name":"eve","password":"walnut-shelf-42"}`, admin, 201)
		return ""
	}
	token := func(t *testing.T, base string) string {
		text := sendText(t, "POST", base+"/api/v1/tokens", `{"user":"admin"}`, admin, 201)
		_, rest, _ := strings.Cut(text, `"id":"`)
		id, _, _ := strings.Cut(rest, `"`)
		return id
	}
	return []freeing{
		{store.OCI, "DELETE", "/v2/team/app/manifests/v1", "", "", nil},
		{store.OCI, "DELETE", "/v2/team/app/manifests/%s", "", "", digest},
		{store.OCI, "DELETE", "/v2/team/app/blobs/%s", "", "", loose},
		{store.OCI, "DELETE", "/v2/team/app/blobs/uploads/%s", "", "", session},
		{store.NPM, "DELETE", "/npm/demo/-rev/%s", "", "", revision},
		{store.NPM, "DELETE", "/npm/-/package/demo/dist-tags/beta", "", "", tag},
		{
			store.NPM, "PUT", "/npm/demo",
			`{"_id":"demo","name":"demo","versions":{"1.0.0":{"name":"demo","version":"1.0.0","deprecated":"do not use"}}}`,
			admin, nil,
		},
		{store.PyPI, "PUT", "/pypi/-/demo/1.0.0/yank", "", "", nil},
		{store.PyPI, "PUT", "/pypi/-/demo/files/demo-1.0.0.tar.gz/yank", "", "", nil},
		{store.PyPI, "DELETE", "/pypi/-/demo/files/demo-1.0.0.tar.gz", "", "", nil},
		{store.PyPI, "DELETE", "/pypi/-/demo/1.0.0", "", "", nil},
		{store.PyPI, "DELETE", "/pypi/-/demo", "", "", nil},
		{store.PyPI, "PUT", "/pypi/-/demo/status", `{"status":"quarantined"}`, admin, nil},
		{store.Cargo, "DELETE", "/cargo/api/v1/crates/demo/1.0.0/yank", "", "", nil},
		{
			store.Cargo, "PATCH", "/cargo/api/v1/crates/demo/1.0.0", `{"version":{"yanked":true,"yank_message":"broken"}}`,
			admin, nil,
		},
		{store.Cargo, "DELETE", "/cargo/api/v1/crates/demo/1.0.0", "", "", nil},
		{store.Cargo, "DELETE", "/cargo/api/v1/crates/demo", "", "", nil},
		{store.Maven, "DELETE", "/maven/com/acme/demo/1.0/demo-1.0.txt", "", "", nil},
		{store.Maven, "DELETE", "/maven/com/acme/demo/1.0/", "", "", nil},
		{store.Maven, "DELETE", "/maven/com/acme/demo/", "", "", nil},
		{store.Composer, "DELETE", "/composer/packages/acme/demo/versions/1.0.0", "", "", nil},
		{store.Composer, "DELETE", "/composer/packages/acme/demo/versions/1.0.0?purge=1", "", "", nil},
		{store.Composer, "DELETE", "/composer/packages/acme/demo", "", "", nil},
		{store.Composer, "DELETE", "/composer/packages/acme/demo?purge=1", "", "", nil},
		{store.Composer, "PUT", "/composer/packages/acme/demo/settings", `{"private":true}`, admin, nil},
		{
			store.RubyGems, "DELETE", "/rubygems/api/v1/gems/yank", "gem_name=demo&version=1.0.0",
			"application/x-www-form-urlencoded", nil,
		},
		{"", "DELETE", "/api/v1/tokens/%s", "", "", token},
		{"", "DELETE", "/api/v1/users/eve", "", "", eve},
		{"", "POST", "/api/v1/users/eve/password", `{"password":"another-shelf-43"}`, admin, eve},
		{"", "POST", "/api/v1/gc", `{"grace_seconds":0}`, admin, nil},
		{"", "POST", "/api/v1/scrub", "", admin, nil},
		{"", "POST", "/api/v1/read-only", `{"reason":"a full disk"}`, admin, nil},
	}
}

// sendText is send, and returns the answer's body.
func sendText(t *testing.T, method, url, body, typ string, want int) string {
	t.Helper()
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth("admin", "correct-horse")
	r.Header.Set("Content-Type", typ)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != want {
		t.Fatalf("%s %s: %d %.500s %v", method, url, resp.StatusCode, text, err)
	}
	return string(text)
}

// TestReserveIsForTheOperator: below the reserve everything that deletes, withdraws or revokes works, and everything
// that publishes is refused with the status its clients understand, and changes nothing.
func TestReserveIsForTheOperator(t *testing.T) {
	kinds := map[store.Kind]specimen{}
	for _, sp := range specimens() {
		kinds[sp.kind] = sp
	}
	for kind, sp := range kinds {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			below := newBelow(t, sp)
			for i, f := range freeings() {
				if f.kind != kind && (f.kind != "" || kind != store.NPM) {
					continue
				}
				t.Run(fmt.Sprint(i, " ", f.method, " ", f.path), func(t *testing.T) { below.check(t, f) })
			}
		})
	}
}

// below is a folder in which a specimen is published, and a server on it that can be put below its reserve.
type below struct {
	sp  specimen
	cfg config.Config
}

func newBelow(t *testing.T, sp specimen) *below { return &below{sp: sp, cfg: testConfig(t)} }

func (b *below) check(t *testing.T, f freeing) {
	cfg := testConfig(t)
	l := start(t, cfg, nil)
	base := "http://" + l.addr
	b.sp.publish(t, base)
	path := f.path
	if f.prepare != nil {
		if made := f.prepare(t, base); made != "" {
			path = fmt.Sprintf(path, made)
		}
	}
	if err := l.end(t); err != nil {
		t.Fatal(err)
	}
	cfg.Store.Reserve, cfg.AddrFile = 1<<60, cfg.AddrFile+"2"
	l = start(t, cfg, nil)
	base = "http://" + l.addr
	before, err := l.store.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	refused(t, b.sp, base)
	if after, err := l.store.Stats(t.Context()); err != nil || after.Journal != before.Journal ||
		after.Blobs != before.Blobs {
		t.Errorf(
			"the refused publish changed the store: journal %d → %d, blobs %d → %d (%v)", before.Journal, after.Journal,
			before.Blobs, after.Blobs, err,
		)
	}
	r, err := http.NewRequest(f.method, base+path, strings.NewReader(f.body))
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth("admin", "correct-horse")
	if f.typ != "" {
		r.Header.Set("Content-Type", f.typ)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode/100 != 2 {
		t.Errorf("%s %s below the reserve: %d %.300s %v, want success", f.method, path, resp.StatusCode, text, err)
	}
}

// refused publishes something new and expects a refusal that speaks of the disk.
func refused(t *testing.T, sp specimen, base string) {
	t.Helper()
	const crate = `{"name":"new","vers":"1.0.0","deps":[],"features":{},"authors":[],"keywords":[],"categories":[]}`
	uploads := map[store.Kind][3]string{
		store.OCI: {"POST", "/v2/team/new/blobs/uploads/", ""},
		store.NPM: {
			"PUT", "/npm/new",
			`{"_id":"new","name":"new","versions":{"1.0.0":{"name":"new","version":"1.0.0"}},` +
				`"_attachments":{"new-1.0.0.tgz":{"length":3,"data":"YWJj"}}}`,
		},
		store.PyPI: {
			"POST", "/pypi/legacy/",
			"--x\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\nnew\r\n--x\r\nContent-Disposition: form-data; " +
				"name=\"content\"; filename=\"new-1.tar.gz\"\r\n\r\nabc\r\n--x--\r\n",
		},
		store.Cargo: {
			"PUT", "/cargo/api/v1/crates/new", string(rune(len(crate))) + "\x00\x00\x00" + crate + "\x03\x00\x00\x00abc",
		},
		store.Maven:    {"PUT", "/maven/com/acme/new/1.0/new-1.0.txt", "abc"},
		store.Composer: {"PUT", "/composer/", "abc"},
		store.RubyGems: {"POST", "/rubygems/api/v1/gems", "abc"},
	}
	u := uploads[sp.kind]
	r, err := http.NewRequest(u[0], base+u[1], strings.NewReader(u[2]))
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth("admin", "correct-horse")
	r.Header.Set(
		"Content-Type",
		map[store.Kind]string{store.NPM: "application/json", store.PyPI: "multipart/form-data; boundary=x"}[sp.kind],
	)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	want := http.StatusInsufficientStorage
	if sp.kind == store.PyPI {
		want = http.StatusRequestEntityTooLarge // twine would send a 5xx again, body and all
	}
	if err != nil || resp.StatusCode != want || !strings.Contains(resp.Status+string(text), "disk is full") {
		t.Errorf(
			"%s %s below the reserve: %s %.300s %v, want %d that speaks of the disk", u[0], u[1], resp.Status, text, err, want,
		)
	}
}
