package wire

// The way of a request to its operation, and of an error to the client.

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/julienschmidt/httprouter"

	"larder/auth"
	"larder/internal/problem"
	"larder/store"
	"larder/store/storetest"
)

// lockedBuffer is a log that handlers of several connections may write to.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// demo is a protocol of nine operations over the real store and the real users.
type demo struct {
	auth     *auth.Local
	store    *store.Store
	log      *lockedBuffer
	logger   *slog.Logger
	observed chan Observation
	url      string
	actors   chan store.Actor
	arrived  chan struct{}
	token    string // ann's, without limits
	reader   string // ann's, read-only
}

type demoRequest struct{ op, name string }

func demoParse(method, path string, query url.Values) (string, demoRequest, error) {
	rest, ok := strings.CutPrefix(path, "/demo/")
	switch {
	case !ok || rest == "":
		return "", demoRequest{}, problem.Errorf(problem.ErrNoRoute, "there is nothing at %s", path)
	case strings.Contains(rest, ".."):
		return "", demoRequest{}, problem.ErrBadPath
	case method != "GET" && method != "HEAD" && method != "PUT":
		return "", demoRequest{}, problem.NotAllowed("GET", "PUT")
	}
	op, name, _ := strings.Cut(rest, "/")
	if method == "PUT" {
		op = "put"
	}
	return "demo." + op, demoRequest{op, name + query.Get("suffix")}, nil
}

func newDemo(t testing.TB) *demo {
	t.Helper()
	ctx := context.Background()
	s := storetest.New(t)
	local, err := auth.NewLocal(ctx, s, auth.Options{Cost: 4, Private: []string{"npm:package:secret*"}})
	if err != nil {
		t.Fatal(err)
	}
	d := &demo{
		auth: local, store: s, log: new(lockedBuffer), observed: make(chan Observation, 100),
		actors: make(chan store.Actor, 100), arrived: make(chan struct{}, 1),
	}
	if err := local.AddUser(ctx, auth.User{Name: "ann", Password: "correct-horse"}); err != nil {
		t.Fatal(err)
	}
	if _, d.token, err = local.CreateToken(ctx, auth.TokenSpec{User: "ann", Name: "all"}); err != nil {
		t.Fatal(err)
	}
	if _, d.reader, err = local.CreateToken(ctx, auth.TokenSpec{User: "ann", Name: "reader", ReadOnly: true}); err != nil {
		t.Fatal(err)
	}
	d.logger = slog.New(slog.NewJSONHandler(d.log, &slog.HandlerOptions{Level: slog.LevelInfo}))
	base, err := NewBase("", nil)
	if err != nil {
		t.Fatal(err)
	}
	rt := NewRouter(http.NotFoundHandler())
	Mount(rt, Protocol{
		Name: "demo", Prefixes: []string{"/demo"},
		Handler: d.endpoint().Handler(Deps{Store: s, Auth: local, Base: base, Log: d.logger}),
	})
	srv := httptest.NewUnstartedServer(&Middleware{
		Next: rt, Base: base, Log: d.logger, Observe: func(o Observation) { d.observed <- o },
	})
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
	srv.Start()
	t.Cleanup(srv.Close)
	d.url = srv.URL
	return d
}

func (d *demo) endpoint() Endpoint[demoRequest] {
	return Endpoint[demoRequest]{
		Kind:   store.NPM,
		Parse:  demoParse,
		Target: func(q demoRequest) (string, string) { return "package", q.name },
		Fail: func(w http.ResponseWriter, _ *http.Request, f Failure) {
			if f.Status == http.StatusUnauthorized {
				w.Header().Set("WWW-Authenticate", fmt.Sprintf("Demo need=%v target=%s/%s", f.Need, f.Type, f.Name))
			}
			JSON(w, f.Status, map[string]string{"error": f.Public, "op": f.Op})
		},
		Routes: []Route[demoRequest]{
			{Op: "demo.ping", Need: Open, Serve: d.serve},
			{Op: "demo.get", Need: Read, Serve: d.serve},
			{Op: "demo.put", Need: Write, Serve: d.serve},
			{Op: "demo.admin", Need: Admin, Serve: d.serve},
			{Op: "demo.fail", Need: Read, Serve: func(http.ResponseWriter, *http.Request, demoRequest) error {
				return fmt.Errorf("open /srv/data: %w", errBroken)
			}},
			{Op: "demo.full", Need: Read, Serve: func(http.ResponseWriter, *http.Request, demoRequest) error {
				return fmt.Errorf("stage blob: %w", store.ErrFull)
			}},
			{
				Op: "demo.panic", Need: Read,
				Serve: func(http.ResponseWriter, *http.Request, demoRequest) error { panic("at the disco") },
			},
			{Op: "demo.late", Need: Read, Serve: func(w http.ResponseWriter, _ *http.Request, _ demoRequest) error {
				io.WriteString(w, "half of it")
				w.(http.Flusher).Flush()
				return errBroken
			}},
			{Op: "demo.wait", Need: Read, Serve: func(_ http.ResponseWriter, r *http.Request, _ demoRequest) error {
				d.arrived <- struct{}{}
				<-r.Context().Done()
				return fmt.Errorf("wait: %w", r.Context().Err())
			}},
		},
	}
}

func (d *demo) serve(w http.ResponseWriter, r *http.Request, q demoRequest) error {
	d.actors <- store.ActorFrom(r.Context())
	return JSON(w, http.StatusOK, map[string]string{
		"op": q.op, "name": q.name, "user": IdentityFrom(r.Context()).User, "path": r.URL.EscapedPath(),
	})
}

// send returns the answer with its body read.
func (d *demo) send(t *testing.T, method, path, authorization, body string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequest(method, d.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	r.Header.Set("User-Agent", "demo/1")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(got)
}

func TestDispatch(t *testing.T) {
	d := newDemo(t)
	all, reader := "Bearer "+d.token, "Bearer "+d.reader
	tests := []struct {
		name, method, path, authorization string
		status                            int
		body                              string // part of it
		op                                string
	}{
		{"read anonymously", "GET", "/demo/get/a", "", 200, `"name":"a"`, "demo.get"},
		{"escapes arrive", "GET", "/demo/get/@a%2fb?suffix=.c", "", 200, `"path":"/demo/get/@a%2fb"`, "demo.get"},
		{"read as a user", "GET", "/demo/get/a", all, 200, `"user":"ann"`, "demo.get"},
		{"HEAD", "HEAD", "/demo/get/a", "", 200, "", "demo.get"},
		{"no need", "GET", "/demo/ping", "", 200, `"op":"ping"`, "demo.ping"},
		{"wrong token where none is needed", "GET", "/demo/ping", "Bearer larder_wrong", 401, "", "demo.ping"},
		{"write anonymously", "PUT", "/demo/a", "", 401, "", "demo.put"},
		{"write as a user", "PUT", "/demo/a", all, 200, `"op":"put"`, "demo.put"},
		{"write with a token that only reads", "PUT", "/demo/a", reader, 403, "", "demo.put"},
		{"admin as a user", "GET", "/demo/admin", all, 403, "", "demo.admin"},
		{"private looks absent", "GET", "/demo/get/secret", "", 404, `"error":"not found"`, "demo.get"},
		{"private, granted", "GET", "/demo/get/secret", all, 200, `"name":"secret"`, "demo.get"},
		{"malformed credentials", "GET", "/demo/get/a", "Basic %%%", 401, "base64", "demo.get"},
		{"empty Basic is anonymous", "GET", "/demo/get/a", "Basic Og==", 200, `"user":""`, "demo.get"},
		{"no such path", "GET", "/demo/", "", 404, "there is nothing at /demo/", "none"},
		{"bare prefix", "GET", "/demo", "", 404, "there is nothing at /demo", "none"},
		{"bad path", "GET", "/demo/get/a..b", "", 400, "malformed request path", "none"},
		{"bad query", "GET", "/demo/get/a?x=%zz", "", 400, "query string", "none"},
		{"method", "DELETE", "/demo/a", "", 405, "method not allowed", "none"},
		{"unknown operation", "GET", "/demo/unheard", "", 500, "internal error (request ", "none"},
		{"internal", "GET", "/demo/fail/a", "", 500, "internal error (request ", "demo.fail"},
		{"disk full", "GET", "/demo/full/a", "", 507, "the server's disk is full", "demo.full"},
		{"panic", "GET", "/demo/panic/a", "", 500, "internal error (request ", "demo.panic"},
		{"HEAD error", "HEAD", "/demo/fail/a", "", 500, "", "demo.fail"},
		{"outside of every protocol", "GET", "/other", "", 404, "404 page not found", "none"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			resp, body := d.send(t, tt.method, tt.path, tt.authorization, "")
			if resp.StatusCode != tt.status || !strings.Contains(body, tt.body) {
				t.Errorf("got %d %s, want %d %s", resp.StatusCode, body, tt.status, tt.body)
			}
			if tt.method == "HEAD" && (body != "" || resp.Header.Get("Content-Length") == "0") {
				t.Errorf("HEAD has body %q, length %q", body, resp.Header.Get("Content-Length"))
			}
			if strings.Contains(body, "/srv/data") || strings.Contains(body, "disco") {
				t.Errorf("internal text reached the client: %s", body)
			}
			if id := resp.Header.Get("X-Request-Id"); id == "" ||
				strings.Contains(body, "(request ") && !strings.Contains(body, "(request "+id+")") {
				t.Errorf("request id %q, body %s", id, body)
			}
			o := <-d.observed
			if o.Op != tt.op || o.Status != tt.status || tt.method != "HEAD" && o.Out != int64(len(body)) {
				t.Errorf("observed %+v", o)
			}
		})
	}
}

func TestDispatchHeaders(t *testing.T) {
	d := newDemo(t)
	resp, _ := d.send(t, "PUT", "/demo/x/a", "", "")
	if got := resp.Header.Get("WWW-Authenticate"); got != "Demo need=write target=package/a" {
		t.Errorf("challenge %q", got)
	}
	resp, _ = d.send(t, "DELETE", "/demo/a", "", "")
	if got := resp.Header.Get("Allow"); got != "GET, PUT" {
		t.Errorf("Allow %q", got)
	}
	if got := resp.Header.Get("X-Content-Type-Options"); got != "nosniff" {
		t.Errorf("X-Content-Type-Options %q", got)
	}
	var throttled *http.Response
	for range 100 {
		if throttled, _ = d.send(t, "GET", "/demo/ping", "Basic YW5uOndyb25n", ""); throttled.StatusCode != 401 {
			break
		}
	}
	if throttled.StatusCode != 429 || throttled.Header.Get("Retry-After") == "" {
		t.Errorf("a guesser gets %d, Retry-After %q", throttled.StatusCode, throttled.Header.Get("Retry-After"))
	}
}

func TestActorTravels(t *testing.T) {
	d := newDemo(t)
	d.send(t, "PUT", "/demo/a", "Bearer "+d.token, "")
	a := <-d.actors
	if a.User != "ann" || a.Token == "" || a.Token == d.token || a.Addr != "127.0.0.1" || a.Agent != "demo/1" {
		t.Errorf("actor %+v", a)
	}
}

// TestLateError: an error after the header must break the connection, never look like a complete answer.
func TestLateError(t *testing.T) {
	d := newDemo(t)
	resp, err := http.Get(d.url + "/demo/late/a")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err == nil || string(got) != "half of it" {
		t.Errorf("got %q, %v", got, err)
	}
	if o := <-d.observed; o.Status != 200 || o.Op != "demo.late" {
		t.Errorf("observed %+v", o)
	}
	if log := d.log.String(); !strings.Contains(log, "request failed") || !strings.Contains(log, errBroken.Error()) {
		t.Errorf("log does not tell: %s", log)
	}
}

func TestClientGone(t *testing.T) {
	d := newDemo(t)
	ctx, cancel := context.WithCancel(context.Background())
	r, err := http.NewRequestWithContext(ctx, "GET", d.url+"/demo/wait/a", nil)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		<-d.arrived
		cancel()
	}()
	if _, err := http.DefaultClient.Do(r); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	select {
	case o := <-d.observed:
		if o.Status != problem.StatusClientGone || o.Op != "demo.wait" {
			t.Errorf("observed %+v", o)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("the request never ended")
	}
	if log := d.log.String(); strings.Contains(log, "request failed") {
		t.Errorf("a client that left makes noise: %s", log)
	}
}

// TestUnwantedBodyIsDrained: a client that sends first and listens later sees the refusal.
func TestUnwantedBodyIsDrained(t *testing.T) {
	d := newDemo(t)
	resp, _ := d.send(t, "PUT", "/demo/a", "", strings.Repeat("x", 200<<10))
	if resp.StatusCode != 401 {
		t.Errorf("status %d", resp.StatusCode)
	}
	if o := <-d.observed; o.In != 200<<10 {
		t.Errorf("%d bytes were drained", o.In)
	}
}

// TestWithoutMiddleware: a protocol's own tests call its handler directly.
func TestWithoutMiddleware(t *testing.T) {
	d := newDemo(t)
	h := d.endpoint().Handler(Deps{Store: d.store, Auth: d.auth})
	for _, tt := range []struct {
		method, path string
		status       int
		empty        bool
	}{{"GET", "/demo/get/a", 200, false}, {"GET", "/demo/panic/a", 500, false}, {"HEAD", "/demo/fail/a", 500, true}} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(tt.method, tt.path, nil))
		if w.Code != tt.status || (w.Body.Len() == 0) != tt.empty {
			t.Errorf("%s %s: %d %q", tt.method, tt.path, w.Code, w.Body)
		}
	}
}

func TestMountKeepsPaths(t *testing.T) {
	var got string
	rt := NewRouter(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { got = "not found" }))
	seen := func(name string) http.Handler {
		return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			got = name + " " + r.Method + " " + r.URL.EscapedPath()
		})
	}
	Mount(rt, Protocol{Name: "oci", Prefixes: []string{"/v2", "/oci"}, Handler: seen("oci")})
	Mount(rt, Protocol{Name: "npm", Prefixes: []string{"/npm"}, Handler: seen("npm")})
	rt.GET("/", func(http.ResponseWriter, *http.Request, httprouter.Params) { got = "root" })
	tests := []struct{ method, path, want string }{
		{"GET", "/v2", "oci GET /v2"},
		{"GET", "/v2/", "oci GET /v2/"},
		{"HEAD", "/v2/a/b/manifests/x", "oci HEAD /v2/a/b/manifests/x"},
		{"PATCH", "/oci/a", "oci PATCH /oci/a"},
		{"OPTIONS", "/npm/-/ping", "npm OPTIONS /npm/-/ping"},
		{"PUT", "/npm/@a%2fb", "npm PUT /npm/@a%2fb"},
		{"PUT", "/npm/a%25b", "npm PUT /npm/a%25b"},
		{"GET", "/npm//x/../y", "npm GET /npm//x/../y"},
		{"DELETE", "/npm/x/", "npm DELETE /npm/x/"},
		{"GET", "/NPM/x", "not found"},
		{"GET", "/npmx", "not found"},
		{"GET", "/V2", "not found"},
		{"PROPFIND", "/npm/x", "not found"},
		{"GET", "/", "root"},
		{"POST", "/", "not found"},
	}
	for _, tt := range tests {
		got = ""
		w := httptest.NewRecorder()
		rt.ServeHTTP(w, httptest.NewRequest(tt.method, tt.path, nil))
		if got != tt.want || w.Code != 200 {
			t.Errorf("%s %s: %q (%d), want %q", tt.method, tt.path, got, w.Code, tt.want)
		}
	}
}

func TestNeeds(t *testing.T) {
	want := map[Need]auth.Action{
		Open: "", Read: auth.Read, Create: auth.Create, Write: auth.Write, Delete: auth.Delete, Admin: auth.Admin,
	}
	for n, a := range want {
		if n.Action() != a {
			t.Errorf("need %d asks for %q", n, n.Action())
		}
	}
}

func TestJSON(t *testing.T) {
	w := httptest.NewRecorder()
	if err := JSON(w, 201, map[string]string{"a": "<b>"}); err != nil {
		t.Fatal(err)
	}
	if w.Code != 201 || w.Body.String() != `{"a":"<b>"}`+"\n" || w.Header().Get("Content-Type") != "application/json" ||
		w.Header().Get("Content-Length") != "12" {
		t.Errorf("%d %q %v", w.Code, w.Body, w.Header())
	}
	w = httptest.NewRecorder()
	w.Header().Set("Content-Type", "application/vnd.oci.image.index.v1+json")
	if err := JSON(w, 200, json.RawMessage(`{}`)); err != nil ||
		w.Header().Get("Content-Type") != "application/vnd.oci.image.index.v1+json" {
		t.Errorf("%v %v", err, w.Header())
	}
	if err := JSON(httptest.NewRecorder(), 200, func() {}); err == nil {
		t.Error("a function was rendered")
	}
}

// TestLoginIgnoresBadCredentials: an operation that gives out credentials is not stopped by an expired one sent along;
// a throttled client still is, and good credentials count.
func TestLoginIgnoresBadCredentials(t *testing.T) {
	d := newDemo(t)
	e := d.endpoint()
	e.Routes = []Route[demoRequest]{{Op: "demo.login", Need: Login | Expired, Serve: func(w http.ResponseWriter,
		r *http.Request, _ demoRequest) error {
		_, err := fmt.Fprint(w, "user ", IdentityFrom(r.Context()).User)
		return err
	}}}
	h := e.Handler(Deps{Store: d.store, Auth: d.auth, Log: d.logger})
	for authorization, want := range map[string]string{
		"": "user ", "Bearer larder_expired": "user ", "Basic YW5uOndyb25n": "user ", "Bearer " + d.token: "user ann",
	} {
		r := httptest.NewRequest("GET", "/demo/login", nil)
		if authorization != "" {
			r.Header.Set("Authorization", authorization)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != 200 || w.Body.String() != want {
			t.Errorf("%q: %d %q, want %q", authorization, w.Code, w.Body, want)
		}
	}
}
