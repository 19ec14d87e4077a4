package web

// The admin API over TCP and on the socket, the probes and the page.

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"larder/auth"
	"larder/internal/wire"
	"larder/store"
	"larder/store/storetest"
)

// box is a store with users ada (administrator) and bob, served over TCP and, trusted, as on the socket.
type box struct {
	t      *testing.T
	deps   Deps
	tcp    *httptest.Server
	socket *httptest.Server
	tokens map[string]string // by what they may
}

const goodPassword = "correct horse battery"

func newBox(t *testing.T, change func(*Deps)) *box {
	t.Helper()
	return newBoxFor(t, auth.Options{Cost: 4}, change)
}

func newBoxFor(t *testing.T, o auth.Options, change func(*Deps)) *box {
	t.Helper()
	ctx := context.Background()
	s := storetest.New(t)
	local, err := auth.NewLocal(ctx, s, o)
	if err != nil {
		t.Fatal(err)
	}
	base, err := wire.NewBase("", nil)
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	b := &box{t: t, tokens: map[string]string{}}
	b.deps = Deps{Wire: wire.Deps{Store: s, Auth: local, Base: base, Log: log}, Auth: local, Log: log, Version: "1.2.3"}
	if change != nil {
		change(&b.deps)
	}
	for name, admin := range map[string]bool{"ada": true, "bob": false} {
		if err := local.AddUser(ctx, auth.User{Name: name, Password: goodPassword, Admin: admin}); err != nil {
			t.Fatal(err)
		}
	}
	scopes, err := auth.ParseScopes([]string{"npm:*:*:*"})
	if err != nil {
		t.Fatal(err)
	}
	for may, spec := range map[string]auth.TokenSpec{
		"admin": {User: "ada"}, "admin reads": {User: "ada", ReadOnly: true}, "admin of npm": {User: "ada", Scopes: scopes},
		"user": {User: "bob"},
	} {
		if _, b.tokens[may], err = local.CreateToken(ctx, spec); err != nil {
			t.Fatal(err)
		}
	}
	id, err := local.Authenticate(ctx, auth.Credentials{Token: b.tokens["admin"]})
	if err != nil {
		t.Fatal(err)
	}
	if b.tokens["JWT"], _, err = local.IssueJWT(ctx, id, scopes, time.Hour); err != nil {
		t.Fatal(err)
	}
	rt := wire.NewRouter(http.NotFoundHandler())
	New(b.deps).Mount(rt)
	b.tcp = httptest.NewServer(&wire.Middleware{Next: rt, Base: base, Log: log})
	b.socket = httptest.NewServer(LocalAdmin(b.deps))
	t.Cleanup(b.tcp.Close)
	t.Cleanup(b.socket.Close)
	return b
}

// do sends one request; auth is an Authorization header or "".
func (b *box) do(server *httptest.Server, method, path, body, auth string) (*http.Response, string) {
	b.t.Helper()
	r, err := http.NewRequest(method, server.URL+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	if body != "" || method == http.MethodPost {
		r.Header.Set("Content-Type", "application/json")
	}
	if auth != "" {
		r.Header.Set("Authorization", auth)
	}
	resp, err := server.Client().Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp, string(text)
}

// local sends a request as the command line does and decodes its answer.
func (b *box) local(method, path, body string, want int, out any) {
	b.t.Helper()
	resp, text := b.do(b.socket, method, "/api/v1/"+path, body, "")
	if resp.StatusCode != want {
		b.t.Fatalf("%s %s: %s %s", method, path, resp.Status, text)
	}
	if out != nil {
		if err := json.Unmarshal([]byte(text), out); err != nil {
			b.t.Fatalf("%s %s: %v in %s", method, path, err, text)
		}
	}
}

// everyOp is one request for each operation, harmless enough to be sent by an administrator.
func everyOp() map[string][3]string {
	return map[string][3]string{
		"admin.user.list":    {"GET", "users", ""},
		"admin.user.add":     {"POST", "users", `{"name":"eve","password":"a long password"}`},
		"admin.user.set":     {"PATCH", "users/bob", `{"disabled":false}`},
		"admin.user.remove":  {"DELETE", "users/nobody", ""},
		"admin.user.passwd":  {"POST", "users/bob/password", `{"password":"another long one"}`},
		"admin.token.list":   {"GET", "tokens", ""},
		"admin.token.create": {"POST", "tokens", `{"user":"bob"}`},
		"admin.token.revoke": {"DELETE", "tokens/0000000000000000", ""},
		"admin.gc":           {"POST", "gc", ""},
		"admin.check":        {"POST", "check", ""},
		"admin.rebuild":      {"POST", "rebuild", `{"publish":["npm:x"]}`},
		"admin.scrub":        {"POST", "scrub", ""},
		"admin.heal":         {"POST", "heal", "bytes that nobody has"},
		"admin.backup":       {"POST", "backup", ""},
		"admin.stats":        {"GET", "stats", ""},
		"admin.journal":      {"GET", "journal", ""},

		"admin.journal.archive": {"GET", "journal/archive", ""},
		"admin.read-only":       {"POST", "read-only", ""},

		"admin.traffic":               {"GET", "traffic", ""},
		"admin.upstream.list":         {"GET", "upstreams", ""},
		"admin.upstream.check":        {"POST", "upstreams/check", ""},
		"admin.upstream.switch":       {"POST", "upstreams/switch", ""},
		"admin.upstream.purge":        {"POST", "upstreams/purge", `{"kind":"npm","package":"*"}`},
		"admin.upstream.misses":       {"GET", "upstreams/misses", ""},
		"admin.upstream.misses.clear": {"DELETE", "upstreams/misses", ""},
		"admin.claim.list":            {"GET", "claims?kind=npm", ""},
		"admin.claim":                 {"POST", "claims", `{"kind":"npm","name":"left-pad"}`},
	}
}

// TestPermissions sends every operation with every sort of credentials over TCP.
func TestPermissions(t *testing.T) {
	b := newBox(t, nil)
	bearer := func(may string) string { return "Bearer " + b.tokens[may] }
	for _, op := range new(api).routes() {
		if op.Need != wire.Admin {
			continue // TestMatrixOfPackages
		}
		q, ok := everyOp()[op.Op]
		if !ok {
			t.Errorf("no request for %s", op.Op)
			continue
		}
		for auth, want := range map[string]int{
			"":                             http.StatusUnauthorized,
			"Bearer larder_wrong":          http.StatusUnauthorized,
			"Basic " + basic("ada", "no"):  http.StatusUnauthorized,
			bearer("user"):                 http.StatusForbidden,
			"Basic " + basic("ghost", "x"): http.StatusUnauthorized,
			bearer("admin reads"):          http.StatusForbidden,
			bearer("admin of npm"):         http.StatusForbidden,
			bearer("JWT"):                  http.StatusForbidden,
			b.tokens["admin of npm"]:       http.StatusForbidden,
			b.tokens["admin reads"]:        http.StatusForbidden,
			b.tokens["JWT"]:                http.StatusForbidden,

			"Basic " + basic("ada", b.tokens["admin of npm"]): http.StatusForbidden,
			"Basic " + basic(b.tokens["admin of npm"], "x"):   http.StatusForbidden,
			"Basic " + basic("ada", b.tokens["admin reads"]):  http.StatusForbidden,
			"Basic " + basic("ada", b.tokens["JWT"]):          http.StatusUnauthorized,
			"Basic " + basic(b.tokens["JWT"], goodPassword):   http.StatusUnauthorized,
			"Basic " + basic("local:root", "any"):             http.StatusUnauthorized,
		} {
			resp, text := b.do(b.tcp, q[0], "/api/v1/"+q[1], q[2], auth)
			if resp.StatusCode == http.StatusTooManyRequests {
				continue // guessing passwords this often is refused in any case
			}
			if resp.StatusCode != want {
				t.Errorf("%s with %q: %s %s", op.Op, auth, resp.Status, text)
			}
			checkErrorBody(t, resp, text)
			got := resp.Header.Get("WWW-Authenticate")
			if (want == http.StatusUnauthorized) != strings.HasPrefix(got, "Basic ") {
				t.Errorf("%s with %q: challenge %q", op.Op, auth, got)
			}
		}
		resp, text := b.do(b.tcp, q[0], "/api/v1/"+q[1], q[2], bearer("admin"))
		if resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden {
			t.Errorf("%s as administrator: %s %s", op.Op, resp.Status, text)
		}
	}
}

// TestOtherSitesChangeNothing: an administrator's browser is asked for every change by a page of another site.
func TestOtherSitesChangeNothing(t *testing.T) {
	b := newBox(t, nil)
	for _, op := range new(api).routes() {
		q, ok := everyOp()[op.Op]
		if !ok {
			continue // it changes nothing
		}
		r, err := http.NewRequest(q[0], b.tcp.URL+"/api/v1/"+q[1], strings.NewReader(q[2]))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+b.tokens["admin"])
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Origin", "https://evil.example")
		resp, err := b.tcp.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		refused := resp.StatusCode == http.StatusForbidden && strings.Contains(string(text), "page of another site")
		if refused != (q[0] != http.MethodGet) {
			t.Errorf("%s: %s %s", op.Op, resp.Status, text)
		}
	}
}

func basic(user, password string) string {
	r := &http.Request{Header: http.Header{}}
	r.SetBasicAuth(user, password)
	return strings.TrimPrefix(r.Header.Get("Authorization"), "Basic ")
}

func checkErrorBody(t *testing.T, resp *http.Response, text string) {
	t.Helper()
	var body errorBody
	dec := json.NewDecoder(strings.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&body); err != nil || body.Error == "" || body.RequestID == "" {
		t.Errorf("%s %s: error body %q: %v", resp.Request.Method, resp.Request.URL, text, err)
	}
	if typ := resp.Header.Get("Content-Type"); typ != "application/json" {
		t.Errorf("error body has type %q", typ)
	}
}

// TestErrors is the table of what goes wrong: status and sentence.
func TestErrors(t *testing.T) {
	b := newBox(t, nil)
	for _, c := range []struct {
		method, path, body string
		status             int
		text               string
	}{
		{"GET", "nothing", "", 404, "no such address"},
		{"PUT", "users", "{}", 405, "method not allowed"},
		{"POST", "users", "{", 400, "JSON cannot be used"},
		{"POST", "users", "{} {}", 400, "goes on after its end"},
		{"POST", "users", `{"name":5}`, 400, `a number in field "name"`},
		{"POST", "users", `{"nmae":"x"}`, 400, "unknown field"},
		{"POST", "users", `{"name":"x","password":"` + strings.Repeat("x", maxBody) + `"}`, 413, "larger than"},
		{"POST", "users", `{"name":"A b","password":"` + goodPassword + `"}`, 400, "cannot be a user name"},
		{"POST", "users", `{"name":"bob","password":"` + goodPassword + `"}`, 409, "already"},
		{"POST", "users", `{"name":"eve","password":""}`, 400, "assword"},
		{"POST", "users", `{"name":"eve","password":"` + goodPassword + `","scopes":["npm"]}`, 400, "scope"},
		{"POST", "users/nobody/password", `{"password":"` + goodPassword + `"}`, 404, "no user"},
		{"DELETE", "users/nobody", "", 404, "no user"},
		{"GET", "tokens?user=nobody", "", 404, "no user"},
		{"POST", "tokens", `{"user":"nobody"}`, 404, "no user"},
		{"POST", "tokens", `{"user":"bob","scopes":["x:y"]}`, 400, "scope"},
		{"POST", "tokens", `{"user":"bob","cidrs":["everywhere"]}`, 400, "neither an address nor a network"},
		{"POST", "tokens", `{"user":"bob","expires":"2001-01-01T00:00:00Z"}`, 400, "expired"},
		{"POST", "tokens", `{"user":"bob","expires":"tomorrow"}`, 400, "JSON"},
		{"DELETE", "tokens/xyz", "", 404, "no token"},
		{"POST", "gc", `{"grace_seconds":-1}`, 400, "between 0"},
		{"POST", "check", `{"depth":1}`, 400, "unknown field"},
		{"POST", "read-only", `{"reason":"` + strings.Repeat("x", 501) + `"}`, 400, "500 bytes"},
		{"GET", "journal?limit=many", "", 400, "limit must be a number"},
		{"GET", "journal?limit=1001", "", 400, "at most 1000"},
		{"GET", "journal?after=-1", "", 400, "after must be"},
		{"GET", "journal?wait=61", "", 400, "wait must be"},
		{"GET", "journal?kind=deb", "", 400, "not a kind"},
	} {
		resp, text := b.do(b.socket, c.method, "/api/v1/"+c.path, c.body, "")
		if resp.StatusCode != c.status || !strings.Contains(text, strings.ReplaceAll(c.text, `"`, `\"`)) {
			t.Errorf("%s %s %.60s: %s %s; want %d %q", c.method, c.path, c.body, resp.Status, text, c.status, c.text)
		}
		checkErrorBody(t, resp, text)
	}
}

// TestForeignForms sends what a web page of another site could make an administrator's browser send.
func TestForeignForms(t *testing.T) {
	b := newBox(t, nil)
	for _, typ := range []string{
		"", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
	} {
		r, err := http.NewRequest("POST", b.tcp.URL+"/api/v1/users",
			strings.NewReader(`{"name":"eve","password":"`+goodPassword+`","admin":true}`))
		if err != nil {
			t.Fatal(err)
		}
		r.SetBasicAuth("ada", goodPassword)
		if typ != "" {
			r.Header.Set("Content-Type", typ)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusUnsupportedMediaType {
			t.Errorf("Content-Type %q: %s", typ, resp.Status)
		}
	}
}

func TestUsers(t *testing.T) {
	b := newBox(t, nil)
	var made auth.User
	b.local("POST", "users", `{"name":"eve","password":"`+goodPassword+`","scopes":["npm:package:@acme/*:write"]}`, 201,
		&made)
	if made.Name != "eve" || made.Admin || made.Scopes.String() != "npm:package:@acme/*:write" {
		t.Errorf("made %+v", made)
	}
	var list UserList
	b.local("GET", "users", "", 200, &list)
	if len(list.Users) != 3 || list.Users[2].Name != "eve" {
		t.Errorf("users %+v", list)
	}
	b.local("POST", "users/eve/password", `{"password":"changed password"}`, 204, nil)
	creds := auth.Credentials{User: "eve", Password: "changed password"}
	if id, err := b.deps.Auth.Authenticate(context.Background(), creds); err != nil || id.User != "eve" {
		t.Errorf("the new password: %v", err)
	}
	b.local("DELETE", "users/eve", "", 204, nil)
	if _, err := b.deps.Auth.Authenticate(context.Background(), creds); err == nil {
		t.Error("a removed user logs in")
	}
	resp, text := b.do(b.tcp, "DELETE", "/api/v1/users/ada", "", "Bearer "+b.tokens["admin"])
	if resp.StatusCode != 400 || !strings.Contains(text, "yourself") {
		t.Errorf("removing oneself: %s %s", resp.Status, text)
	}
	if _, text := b.do(b.socket, "GET", "/api/v1/users", "", ""); strings.Contains(text, "assword") ||
		strings.Contains(text, "$2") {
		t.Errorf("the list shows passwords: %s", text)
	}
}

// TestChangeUsers: scopes, administration, off and on; the last administrator stays, whoever asks.
func TestChangeUsers(t *testing.T) {
	b := newBox(t, nil)
	for _, c := range []struct{ body, want string }{
		{`{"scopes":["npm:package:x:write"]}`, `bob false false npm:package:x:write`},
		{`{"admin":true}`, `bob true false npm:package:x:write`},
		{`{"scopes":[],"disabled":true}`, `bob true true `},
		{`{"disabled":false,"admin":false,"scopes":null}`, `bob false false `},
	} {
		var got auth.User
		b.local("PATCH", "users/bob", c.body, 200, &got)
		if text := fmt.Sprint(got.Name, " ", got.Admin, " ", got.Disabled, " ", got.Scopes); text != c.want {
			t.Errorf("PATCH %s: %q, want %q", c.body, text, c.want)
		}
	}
	for _, c := range []struct {
		method, user, body string
		status             int
		text               string
	}{
		{"PATCH", "ada", `{"disabled":true}`, 409, "ada is the last administrator; add another first."},
		{"PATCH", "ada", `{"admin":false}`, 409, "ada is the last administrator; add another first."},
		{"DELETE", "ada", "", 409, "ada is the last administrator; add another first."},
		{"PATCH", "bob", `{}`, 400, "Say what to change"},
		{"PATCH", "bob", `{"password":"changed password"}`, 400, "unknown field"},
		{"PATCH", "bob", `{"scopes":["npm"]}`, 400, "not a scope"},
		{"PATCH", "nobody", `{"admin":true}`, 404, "no user"},
	} {
		resp, text := b.do(b.socket, c.method, "/api/v1/users/"+c.user, c.body, "")
		if resp.StatusCode != c.status || !strings.Contains(text, c.text) {
			t.Errorf("%s %s %s: %s %s; want %d %q", c.method, c.user, c.body, resp.Status, text, c.status, c.text)
		}
	}
}

// TestAdministratorsTokenHasChildren: what an administrator makes with a token ends with it; what is made with the
// password or on the socket does not.
func TestAdministratorsTokenHasChildren(t *testing.T) {
	b := newBox(t, nil)
	made := func(server *httptest.Server, header string) madeToken {
		resp, text := b.do(server, "POST", "/api/v1/tokens", `{"user":"bob"}`, header)
		var out CreatedToken
		if err := json.Unmarshal([]byte(text), &out); err != nil || resp.StatusCode != 201 {
			t.Fatalf("%s %s", resp.Status, text)
		}
		return madeToken{out.Token, out.ID}
	}
	byToken := made(b.tcp, "Bearer "+b.tokens["admin"])
	others := []madeToken{made(b.tcp, "Basic "+basic("ada", goodPassword)), made(b.socket, "")}
	id, _ := auth.TokenID(b.tokens["admin"])
	b.local("DELETE", "tokens/"+id, "", 204, nil)
	works := func(token string) bool {
		_, err := b.deps.Auth.Authenticate(context.Background(), auth.Credentials{Token: token})
		return err == nil
	}
	if works(byToken.text) {
		t.Error("a token made with a token outlives it")
	}
	for _, o := range others {
		if !works(o.text) {
			t.Errorf("token %s ended with one it was not made with", o.id)
		}
	}
}

// madeToken is a token and its id.
type madeToken struct{ text, id string }

func TestTokens(t *testing.T) {
	b := newBox(t, nil)
	var made CreatedToken
	expires := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	b.local("POST", "tokens",
		fmt.Sprintf(`{"user":"bob","name":"ci","scopes":["oci:repository:app:push"],"expires":%q,"read_only":true,`+
			`"cidrs":["10.1.2.3/8","192.0.2.1"]}`,
			expires.Format(time.RFC3339)), 201, &made)
	var list TokenList
	b.local("GET", "tokens?user=bob", "", 200, &list)
	got := list.Tokens[len(list.Tokens)-1]
	if got.ID != made.ID || got.Name != "ci" || !got.ReadOnly || !got.Expires.Equal(expires) ||
		fmt.Sprint(got.CIDRs) != "[10.0.0.0/8 192.0.2.1/32]" {
		t.Errorf("token %+v", got)
	}
	if _, text := b.do(b.socket, "GET", "/api/v1/tokens", "", ""); strings.Contains(text, made.Token) {
		t.Error("the list shows the token itself")
	}
	b.local("DELETE", "tokens/"+made.ID, "", 204, nil)
	resp, _ := b.do(b.socket, "DELETE", "/api/v1/tokens/"+made.ID, "", "")
	if resp.StatusCode != 404 {
		t.Errorf("revoked twice: %s", resp.Status)
	}
}

// lastLine is the result of an NDJSON answer; all lines before it must be progress.
func lastLine(t *testing.T, text string, out any) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for _, line := range lines[:len(lines)-1] {
		var p map[string]int64
		if err := json.Unmarshal([]byte(line), &p); err != nil || len(p) != 2 {
			t.Errorf("%q is no progress line: %v", line, err)
		}
	}
	var last struct{ Result json.RawMessage }
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(last.Result, out); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
}

func TestMaintenance(t *testing.T) {
	b := newBox(t, nil)
	if _, err := b.deps.Wire.Store.PutBytes(context.Background(), []byte("nobody holds me")); err != nil {
		t.Fatal(err)
	}
	var stats store.Stats
	b.local("GET", "stats", "", 200, &stats)
	if stats.Blobs != 1 || stats.BlobBytes != 15 {
		t.Errorf("stats %+v", stats)
	}
	sweep := func(body string) (report store.SweepReport) {
		resp, text := b.do(b.socket, "POST", "/api/v1/gc", body, "")
		if typ := resp.Header.Get("Content-Type"); typ != "application/x-ndjson" {
			t.Errorf("gc answers %s %q", resp.Status, typ)
		}
		lastLine(t, text, &report)
		return report
	}
	if r := sweep(""); r.Blobs != 0 {
		t.Errorf("a fresh blob is swept: %+v", r)
	}
	if r := sweep(`{"dry_run":true,"grace_seconds":0}`); r.Blobs != 1 || r.Bytes != 15 {
		t.Errorf("dry run: %+v", r)
	}
	if r := sweep(`{"grace_seconds":0}`); r.Blobs != 1 {
		t.Errorf("sweep: %+v", r)
	}
	if r := sweep(`{"grace_seconds":0}`); r.Blobs != 0 {
		t.Errorf("second sweep: %+v", r)
	}
	var report store.CheckReport
	_, text := b.do(b.socket, "POST", "/api/v1/check", `{"deep":true}`, "")
	lastLine(t, text, &report)
	if report.Problems == nil || len(report.Problems) != 0 {
		t.Errorf("check: %s", text)
	}
}

func TestBackup(t *testing.T) {
	b := newBox(t, nil)
	resp, tar := b.do(b.socket, "POST", "/api/v1/backup", "", "")
	var report store.BackupReport
	if err := json.Unmarshal([]byte(resp.Trailer.Get(ReportTrailer)), &report); err != nil || resp.StatusCode != 200 {
		t.Fatalf("%s, trailer %v: %v", resp.Status, resp.Trailer, err)
	}
	got, err := store.Restore(context.Background(), t.TempDir()+"/copy", bytes.NewReader([]byte(tar)), func(int64, int64) {
	})
	if err != nil || got.Blobs != report.Blobs || report.Database == 0 {
		t.Errorf("restored %+v of %+v: %v", got, report, err)
	}
}

func TestJournal(t *testing.T) {
	b := newBox(t, nil) // makes two users and four tokens
	page := func(query string) (body journalBody) {
		t.Helper()
		b.local("GET", "journal"+query, "", 200, &body)
		return body
	}
	all := page("")
	if len(all.Entries) != 6 || all.Last != 6 || all.Entries[0].Seq != 1 {
		t.Fatalf("journal %+v", all)
	}
	if p := page("?after=4"); len(p.Entries) != 2 || p.Entries[0].Seq != 5 || p.Last != 6 {
		t.Errorf("after 4: %+v", p)
	}
	if p := page("?limit=2"); len(p.Entries) != 2 || p.Last != 2 {
		t.Errorf("limit 2: %+v", p)
	}
	if p := page("?tail=1&limit=2"); len(p.Entries) != 2 || p.Entries[0].Seq != 5 || p.Last != 6 {
		t.Errorf("tail: %+v", p)
	}
	if p := page("?tail=1&limit=2&before=5"); len(p.Entries) != 2 || p.Entries[0].Seq != 3 || p.Last != 6 {
		t.Errorf("tail before 5: %+v", p)
	}
	for _, query := range []string{"?kind=npm", "?package=x", "?tail=1&kind=npm", "?user=nobody", "?after=99"} {
		if p := page(query); p.Entries == nil || len(p.Entries) != 0 {
			t.Errorf("%s: %+v", query, p)
		}
	}
	b.local("POST", "users", `{"name":"eve","password":"`+goodPassword+`"}`, 201, nil)
	for _, query := range []string{"?user=local:unknown", "?user=local:*", "?tail=1&user=local:*", "?after=6"} {
		if p := page(query); len(p.Entries) != 1 || p.Entries[0].Op != store.OpUserAdd ||
			p.Entries[0].Actor.User != "local:unknown" {
			t.Errorf("%s: %+v", query, p)
		}
	}
}

func TestJournalWaits(t *testing.T) {
	b := newBox(t, nil)
	got := make(chan journalBody)
	go func() {
		var body journalBody
		resp, text := b.do(b.socket, "GET", "/api/v1/journal?after=6&wait=60", "", "")
		if err := json.Unmarshal([]byte(text), &body); err != nil {
			t.Errorf("%s: %v", resp.Status, err)
		}
		got <- body
	}()
	if err := b.deps.Auth.SetDisabled(context.Background(), "bob", true); err != nil {
		t.Fatal(err)
	}
	select {
	case body := <-got:
		if len(body.Entries) != 1 || body.Entries[0].Seq != 7 {
			t.Errorf("got %+v", body)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the reader was not woken")
	}
	start := time.Now()
	var body journalBody
	b.local("GET", "journal?after=7&wait=1", "", 200, &body)
	if took := time.Since(start); len(body.Entries) != 0 || took < time.Second {
		t.Errorf("nothing new: %+v after %s", body, took)
	}
}

// TestTailCrossesBatches reads the journal backwards over more than one transaction, with a filter that skips most of
// it.
func TestTailCrossesBatches(t *testing.T) {
	b := newBox(t, nil)
	err := b.deps.Wire.Store.Update(context.Background(), func(tx *store.Tx) error {
		for i := range 1500 {
			kind := store.NPM
			if i%400 == 0 {
				kind = store.OCI
			}
			tx.Log(store.Entry{Op: store.OpTag, Kind: kind, Package: fmt.Sprintf("p%d", i)})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var body journalBody
	b.local("GET", "journal?tail=1&limit=3&kind=oci", "", 200, &body)
	var names []string
	for _, e := range body.Entries {
		names = append(names, e.Package)
	}
	if fmt.Sprint(names) != "[p400 p800 p1200]" {
		t.Errorf("got %v", names)
	}
	b.local("GET", "journal?kind=oci&package=p1*", "", 200, &body)
	if len(body.Entries) != 1 || body.Entries[0].Package != "p1200" {
		t.Errorf("forward: %+v", body.Entries)
	}
}

func TestReadOnlyAndProbes(t *testing.T) {
	jobs := []wire.JobStatus{{Name: "sweep", Every: time.Hour}}
	b := newBox(t, func(d *Deps) { d.Jobs = func() []wire.JobStatus { return jobs } })
	ready := func(want int) (body readyBody) {
		t.Helper()
		resp, text := b.do(b.tcp, "GET", "/readyz", "", "")
		if err := json.Unmarshal([]byte(text), &body); err != nil || resp.StatusCode != want {
			t.Fatalf("%s %s: %v", resp.Status, text, err)
		}
		return body
	}
	if body := ready(200); !body.Ready || body.Reasons == nil {
		t.Errorf("%+v", body)
	}
	var answer readOnlyBody
	b.local("POST", "read-only", `{"reason":"the disk is being changed"}`, 200, &answer)
	if body := ready(503); body.Ready || !*body.ReadOnly ||
		!strings.Contains(strings.Join(body.Reasons, " "), "the disk is being changed") {
		t.Errorf("%+v", body)
	}
	resp, text := b.do(b.socket, "POST", "/api/v1/users", `{"name":"eve","password":"`+goodPassword+`"}`, "")
	if resp.StatusCode != 503 || !strings.Contains(text, "read-only") {
		t.Errorf("a change while read-only: %s %s", resp.Status, text)
	}
	b.local("POST", "read-only", `{}`, 200, &answer)
	if body := ready(200); !body.Ready || answer.ReadOnly {
		t.Errorf("%+v", body)
	}

	health := func(status string) {
		t.Helper()
		var body healthBody
		resp, text := b.do(b.tcp, "GET", "/healthz", "", "")
		if err := json.Unmarshal([]byte(text), &body); err != nil || resp.StatusCode != 200 || body.Status != status ||
			len(body.Jobs) != 1 || body.Version != "1.2.3" {
			t.Errorf("%s %s: %v", resp.Status, text, err)
		}
	}
	health("ok")
	jobs[0].Error = "it failed"
	health("degraded")
}

func TestReadyWhenStartedReadOnly(t *testing.T) {
	b := newBox(t, func(d *Deps) { d.ReadOnly = true })
	b.deps.Wire.Store.SetReadOnly("it was started so")
	t.Cleanup(func() { b.deps.Wire.Store.SetReadOnly("") })
	if resp, text := b.do(b.tcp, "GET", "/readyz", "", ""); resp.StatusCode != 200 ||
		!strings.Contains(text, `"read_only":true`) {
		t.Errorf("%s %s", resp.Status, text)
	}
}

func TestMetricsAreClosable(t *testing.T) {
	open := newBox(t, func(d *Deps) {
		d.Metrics = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "up 1\n") })
	})
	if resp, text := open.do(open.tcp, "GET", "/metrics", "", ""); resp.StatusCode != 200 || text != "up 1\n" {
		t.Errorf("%s %s", resp.Status, text)
	}
	closed := newBox(t, nil)
	if resp, _ := closed.do(closed.tcp, "GET", "/metrics", "", ""); resp.StatusCode != 404 {
		t.Errorf("%s", resp.Status)
	}
}

// TestHomePageNamesTheServer: the addresses of the protocols are in commands, and nothing in them is markup.
func TestHomePageNamesTheServer(t *testing.T) {
	b := newBox(t, func(d *Deps) {
		d.Version = `1.0 <script>alert("x")</script>`
		for _, k := range store.Kinds() {
			d.Protocols = append(d.Protocols, Protocol{Kind: k, Path: "/" + string(k) + `"><img src=x>`})
		}
	})
	resp, page := b.do(b.tcp, "GET", "/", "", "Basic "+basic("bob", goodPassword))
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Errorf("%s %v", resp.Status, resp.Header)
	}
	host := strings.TrimPrefix(b.tcp.URL, "http://")
	for _, want := range []string{
		"docker login " + host, "npm config set registry " + b.tcp.URL + "/npm", "pip config", "cargo login", "mvn deploy",
		"composer config", "gem push", "&lt;script&gt;",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, bad := range []string{"<script>", "<img", "javascript:"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page has %q:\n%s", bad, page)
		}
	}
	head, body := b.do(b.tcp, "HEAD", "/", "", "Basic "+basic("bob", goodPassword))
	if head.StatusCode != 200 || body != "" || head.ContentLength != int64(len(page)) {
		t.Errorf("HEAD: %s, %d bytes", head.Status, head.ContentLength)
	}
}
