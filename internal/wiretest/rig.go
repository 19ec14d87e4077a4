// Package wiretest is the rig that the tests of the protocols stand on: a whole registry in-process, with a real store that
// is checked in full when the test ends, real users and tokens, and real dispatch behind a real listener. Only tests import
// it. A protocol's own rig_test.go embeds Rig and adds what only its clients say:
//
//	type rig struct{ *wiretest.Rig }
//
//	func newRig(t testing.TB, opts ...func(*rigOptions)) *rig {
//		var o rigOptions // a wiretest.Options and the protocol's own
//		…
//		return &rig{wiretest.New(t, o.Options, func(d wire.Deps) wire.Protocol { return New(d, o.cargo) })}
//	}
package wiretest

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"larder/auth"
	"larder/internal/wire"
	"larder/store"
	"larder/store/storetest"
	"larder/upstream"
)

// Options say how the registry is opened. The zero value is right for most tests.
type Options struct {
	// Store are options of the store: a clock, faults, policies.
	Store []storetest.Option
	// Auth are options of the users; passwords cost as little as bcrypt allows, and are as short as a test likes.
	Auth auth.Options
	// Dir is the folder of the store, a temporary one if empty.
	Dir string
	// Under is put before the paths that requests are given, "/npm" for instance.
	Under string
	// Check, if set, looks at every answer: what must hold for all of them.
	Check func(t testing.TB, r *http.Request, a Answer)
	// Record notes what is authorised and what the store is asked about; see Rig.Unjudged. Matrix needs it.
	Record bool
	// Upstreams, if set, are the registries to keep copies of.
	Upstreams *upstream.Options
}

// WithClock makes store and users take the time from c.
func (o *Options) WithClock(c *storetest.Clock) {
	o.Store = append(o.Store, storetest.WithClock(c))
	o.Auth.Now = c.Now
}

// Rig is a registry that serves one protocol.
type Rig struct {
	T     testing.TB
	Store *store.Store
	Auth  *auth.Local
	Srv   *httptest.Server
	// Handler is what Srv serves, for requests without a network.
	Handler http.Handler
	// Base is put before the paths of requests: the server's URL and Options.Under.
	Base string
	// Deps are what the protocol was given.
	Deps wire.Deps
	// Log is what the server has logged, from level Debug on, the access log included.
	Log *Log
	// Keys are tokens by the name a test gives its actor; see As.
	Keys map[string]string

	check    func(testing.TB, *http.Request, Answer)
	recorder *recorder
}

// New opens a registry in a folder of its own, with the user ada (password "secret"), who may do everything but
// administer, acting as "ada". At the test's end no token it has made may stand in the log.
func New(t testing.TB, o Options, protocol func(wire.Deps) wire.Protocol) *Rig {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	var r *recorder
	if o.Record {
		r = &recorder{}
		o.Store = append(o.Store, storetest.WithOptions(func(o *store.Options) { o.Touched = r.touched }))
	}
	g := serve(t, storetest.Open(t, o.Dir, o.Store...), o, protocol, r)
	if _, err := g.Auth.User(context.Background(), "ada"); err != nil {
		g.User("ada", nil)
	}
	t.Cleanup(g.checkLog)
	return g
}

// Serve is New for a store that is open already; it adds nobody.
func Serve(t testing.TB, s *store.Store, o Options, protocol func(wire.Deps) wire.Protocol) *Rig {
	t.Helper()
	return serve(t, s, o, protocol, nil)
}

func serve(t testing.TB, s *store.Store, o Options, protocol func(wire.Deps) wire.Protocol, r *recorder) *Rig {
	t.Helper()
	g := &Rig{T: t, Store: s, Log: &Log{}, Keys: map[string]string{}, check: o.Check, recorder: r}
	if o.Auth.Cost == 0 {
		o.Auth.Cost = bcrypt.MinCost
	}
	o.Auth.AnyPassword = true
	var err error
	if g.Auth, err = auth.NewLocal(context.Background(), s, o.Auth); err != nil {
		t.Fatal(err)
	}
	base, err := wire.NewBase("", nil)
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	if _, bench := t.(*testing.B); !bench {
		log = slog.New(slog.NewTextHandler(g.Log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	g.Deps = wire.Deps{Store: s, Auth: g.Auth, Base: base, Log: log}
	if r != nil {
		g.Deps.Auth = recordedAuth{g.Auth, r}
	}
	if o.Upstreams != nil {
		if g.Deps.Upstreams, err = upstream.New(s, log, *o.Upstreams); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(g.Deps.Upstreams.Close)
	}
	rt := wire.NewRouter(http.NotFoundHandler())
	wire.Mount(rt, protocol(g.Deps))
	g.Handler = &wire.Edge{Next: rt, Base: base, Log: log}
	g.Srv = httptest.NewServer(g.Handler)
	t.Cleanup(g.Srv.Close)
	g.Base = g.Srv.URL + o.Under
	return g
}

// In is the same registry in a subtest.
func (g *Rig) In(t testing.TB) *Rig {
	c := *g
	c.T = t
	return &c
}

func (g *Rig) checkLog() {
	for actor, secret := range g.Keys {
		if strings.Contains(g.Log.String(), secret) {
			g.T.Errorf("the token of %s is in the log:\n%s", actor, g.Log)
		}
	}
}

// User adds a user with password "secret" and makes a token for it; scopes nil means everything.
func (g *Rig) User(name string, scopes []string, admin ...bool) {
	g.T.Helper()
	u := auth.User{Name: name, Password: "secret", Admin: len(admin) > 0}
	if scopes != nil {
		u.Scopes = g.scopes(scopes)
	}
	if err := g.Auth.AddUser(context.Background(), u); err != nil {
		g.T.Fatal(err)
	}
	g.Key(name, auth.TokenSpec{User: name, Name: "test"})
}

func (g *Rig) scopes(list []string) auth.Scopes {
	g.T.Helper()
	s, err := auth.ParseScopes(list)
	if err != nil {
		g.T.Fatal(err)
	}
	return s
}

// Key makes a token that requests use with As(actor), and returns it.
func (g *Rig) Key(actor string, spec auth.TokenSpec) string {
	g.T.Helper()
	_, secret, err := g.Auth.CreateToken(context.Background(), spec)
	if err != nil {
		g.T.Fatal(err)
	}
	g.Keys[actor] = secret
	return secret
}

// Scoped makes a token of user that is limited to scopes.
func (g *Rig) Scoped(actor, user string, scopes ...string) {
	g.T.Helper()
	g.Key(actor, auth.TokenSpec{User: user, Scopes: g.scopes(scopes)})
}

// Option changes a request before it is sent.
type Option func(*http.Request)

// Header sets headers from pairs of name and value. A name that occurs twice has two values.
func Header(kv ...string) Option {
	return func(r *http.Request) {
		for i := 0; i < len(kv); i += 2 {
			r.Header.Del(kv[i])
		}
		for i := 0; i < len(kv); i += 2 {
			r.Header.Add(kv[i], kv[i+1])
		}
	}
}

// Bearer sends a token as most clients do.
func Bearer(token string) Option { return Header("Authorization", "Bearer "+token) }

// Basic sends a user name and a password, or a token in place of either.
func Basic(user, password string) Option {
	return func(r *http.Request) { r.SetBasicAuth(user, password) }
}

// As sends the token of an actor; "" is nobody.
func (g *Rig) As(actor string) Option {
	return func(r *http.Request) {
		if key, ok := g.Keys[actor]; ok {
			Bearer(key)(r)
		} else if actor != "" {
			g.T.Fatalf("no actor %q", actor)
		}
	}
}

// Do sends a request below Base, or to a whole URL, and reads the answer; redirects are answers. A nil body is none, an
// io.Reader is streamed without a length, values that are neither string nor []byte are sent as JSON.
func (g *Rig) Do(method, path string, body any, opts ...Option) Answer {
	g.T.Helper()
	if !strings.HasPrefix(path, "http") {
		path = g.Base + path
	}
	r, err := http.NewRequest(method, path, reader(body))
	if err != nil {
		g.T.Fatal(err)
	}
	r.Header.Set("Accept-Encoding", "identity")
	for _, o := range opts {
		o(r)
	}
	return g.Send(r)
}

// Ada is Do with all rights but an administrator's.
func (g *Rig) Ada(method, path string, body any, opts ...Option) Answer {
	g.T.Helper()
	return g.Do(method, path, body, append([]Option{g.As("ada")}, opts...)...)
}

// Send sends a request of the test's own making.
func (g *Rig) Send(r *http.Request) Answer {
	g.T.Helper()
	resp, err := g.Srv.Client().Transport.RoundTrip(r)
	if err != nil {
		g.T.Fatalf("%s %s: %v", r.Method, r.URL, err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		g.T.Fatalf("%s %s: %v", r.Method, r.URL, err)
	}
	// Without what differs from one answer to the next, so that a test can compare them whole.
	resp.Header.Del("Date")
	resp.Header.Del("X-Request-Id")
	a := Answer{resp.StatusCode, resp.Header, string(raw), r.Method + " " + r.URL.RequestURI()}
	if g.check != nil {
		g.check(g.T, r, a)
	}
	return a
}

func reader(body any) io.Reader {
	switch b := body.(type) {
	case nil:
		return nil
	case string:
		return strings.NewReader(b)
	case []byte:
		return bytes.NewReader(b)
	case io.Reader:
		return struct{ io.Reader }{b}
	}
	return strings.NewReader(JSON(body))
}

// Want fails unless the answer has the status and, if text is not "", has it in its body.
func (g *Rig) Want(a Answer, status int, text string) Answer {
	g.T.Helper()
	if a.Status != status || !strings.Contains(a.Body, text) {
		g.T.Fatalf("got %v, want %d %s", a, status, text)
	}
	return a
}

// Journal is the number of the newest entry: what refused requests leave as it is.
func (g *Rig) Journal() uint64 {
	g.T.Helper()
	tail, err := g.Store.JournalTail(context.Background(), 1)
	if err != nil {
		g.T.Fatal(err)
	}
	if len(tail) == 0 {
		return 0
	}
	return tail[0].Seq
}

// KeepKeys takes the tokens of another rig on the same folder over.
func (g *Rig) KeepKeys(from *Rig) { maps.Copy(g.Keys, from.Keys) }

// Fields are a JSON object of a test's own.
type Fields = map[string]any

// JSON renders v.
func JSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}
