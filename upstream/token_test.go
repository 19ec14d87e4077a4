package upstream

// The token flow of container registries.

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"larder/internal/problem"
	"larder/store"
)

func TestChallenges(t *testing.T) {
	for header, want := range map[string]challenge{
		`Bearer realm="https://auth.example.com/token",service="registry",scope="repository:a/b:pull,push"`: {
			"bearer", "https://auth.example.com/token", "registry", "repository:a/b:pull,push",
		},
		`bearer REALM=https://auth.example.com/token, Service=registry`: {"bearer", "https://auth.example.com/token",
			"registry", ""},
		`Bearer realm = "x" , error="invalid_token"`: {"bearer", "x", "", ""},
		`Basic realm="Registry"`:                     {"basic", "Registry", "", ""},
		`Bearer realm="unfinished`:                   {"bearer", "unfinished", "", ""},
		`Bearer realm`:                               {"bearer", "", "", ""},
		``:                                           {},
	} {
		if got := parseChallenge(header); got != want {
			t.Errorf("%s is read as %+v, want %+v", header, got, want)
		}
	}
}

// guarded is a container registry that wants tokens; realm answers requests for one.
type guarded struct {
	*rig
	tokens  atomic.Int64
	accept  atomic.Value // the token that is right
	lastURL atomic.Value // of the last request for a token
}

// newGuarded has a realm that gives out the tokens one, two, three, each for expires seconds.
func newGuarded(t *testing.T, expires int) *guarded {
	g := &guarded{rig: newImages(t, func(*Config) {})}
	g.accept.Store("one")
	g.origin.answer(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/token" {
			name := []string{"one", "two", "three", "four"}[g.tokens.Add(1)-1]
			g.accept.Store(name)
			g.lastURL.Store(r.URL.String())
			fmt.Fprintf(w, `{"access_token":%q,"expires_in":%d}`, name, expires)
			return
		}
		if r.Header.Get("Authorization") == "Bearer "+g.accept.Load().(string) {
			_, _ = io.WriteString(w, "an image") // a client that left fails its own check
			return
		}
		w.Header().Set("WWW-Authenticate", `Bearer realm="`+g.origin.URL+`/token",service="registry"`)
		w.WriteHeader(http.StatusUnauthorized)
	})
	return g
}

// pull asks the registry for an image, two minutes after what was before.
func (g *guarded) pull() error {
	g.clock.Advance(2 * time.Minute)
	d, err := g.reg.Set(store.OCI, Protocol{}).Document(g.t.Context(), Query{
		Package: "team/app", Key: "tag", Ref: "v2/team/app/manifests/v1", Scope: "repository:team/app:pull", Fresh: -1,
	})
	if err == nil && d.Cache == "STALE" {
		err = errors.New("the registry was not asked, or in trouble")
	}
	return err
}

func TestTokenIsFetchedForItsScopeAndService(t *testing.T) {
	g := newGuarded(t, 3600)
	if err := g.pull(); err != nil {
		t.Fatal(err)
	}
	if got, want := g.lastURL.Load(), "/token?scope=repository%3Ateam%2Fapp%3Apull&service=registry"; got != want {
		t.Errorf("the realm was asked for %s, want %s", got, want)
	}
}

func TestTokenIsUsedUntilItExpires(t *testing.T) {
	g := newGuarded(t, 300)
	for range 3 {
		if err := g.pull(); err != nil {
			t.Fatal(err)
		}
	}
	if n := g.tokens.Load(); n != 1 {
		t.Errorf("within its life %d tokens were fetched, want 1", n)
	}
	if err := g.pull(); err != nil {
		t.Fatal(err)
	}
	if n := g.tokens.Load(); n != 2 {
		t.Errorf("after its life %d tokens were fetched in all, want 2", n)
	}
}

// TestTokenThatIsRefusedIsReplaced: the registry may end a token before its time.
func TestTokenThatIsRefusedIsReplaced(t *testing.T) {
	g := newGuarded(t, 3600)
	if err := g.pull(); err != nil {
		t.Fatal(err)
	}
	g.accept.Store("another one")
	if err := g.pull(); err != nil {
		t.Errorf("%v, want a new token and the answer", err)
	}
	if n := g.tokens.Load(); n != 2 {
		t.Errorf("%d tokens were fetched, want 2", n)
	}
}

func TestRealmsThatGiveNoToken(t *testing.T) {
	for what, c := range map[string]struct {
		realm  func(w http.ResponseWriter)
		reason string
	}{
		"an error":         {func(w http.ResponseWriter) { w.WriteHeader(http.StatusBadGateway) }, "answered 502"},
		"no JSON":          {func(w http.ResponseWriter) { _, _ = io.WriteString(w, "<html>") }, "invalid character"},
		"JSON without one": {func(w http.ResponseWriter) { _, _ = io.WriteString(w, "{}") }, "has no token"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			g := newImages(t, func(*Config) {})
			images := demands(func() string { return g.origin.URL + "/token" })
			g.origin.answer(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/token" {
					c.realm(w)
					return
				}
				images(w, r)
			})
			_, err := g.image()
			var trouble *Unavailable
			if !errors.As(err, &trouble) || !strings.Contains(err.Error(), c.reason) {
				t.Errorf("%v, want ErrUnavailable because it %q", err, c.reason)
			}
		})
	}
}

// TestChallengesThatCannotBeAnswered are a refusal, and lead nowhere.
func TestChallengesThatCannotBeAnswered(t *testing.T) {
	t.Parallel()
	for _, header := range []string{"", "Basic realm=x", "Bearer service=x", "Bearer realm=\"https://%zz/\"",
		"Bearer realm=nowhere"} {
		g := newImages(t, func(*Config) {})
		g.origin.answer(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("WWW-Authenticate", header)
			w.WriteHeader(http.StatusUnauthorized)
		})
		if _, err := g.image(); err == nil || errors.Is(err, store.ErrNotFound) {
			t.Errorf("%q: %v, want an error that is no absence", header, err)
		}
		if n := g.origin.asked.Load(); n > 3 {
			t.Errorf("%q: the registry was asked %d times", header, n)
		}
	}
}

// TestTokenServerThatAsksForRestIsLeftAlone until its own time, whatever image is asked for; one that says when to come
// back within the time of an answer is waited for.
func TestTokenServerThatAsksForRestIsLeftAlone(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status int
		after  string
		first  int64 // requests for a token that the first image costs
		image  bool
		more   int64 // that a second one costs
	}{
		{429, "60", 1, false, 0}, {429, "0", 2, true, 1}, {503, "60", 1, false, 1}, {503, "1", 2, true, 1},
		{500, "", 2, true, 1},
	} {
		var asked atomic.Int64
		realm := newOrigin(t)
		realm.answer(func(w http.ResponseWriter, _ *http.Request) {
			if asked.Add(1) == 1 {
				if c.after != "" {
					w.Header().Set("Retry-After", c.after)
				}
				w.WriteHeader(c.status)
				return
			}
			fmt.Fprint(w, `{"token":"right"}`)
		})
		g := newImages(t, func(conf *Config) { conf.Realms = []string{realm.URL} })
		g.origin.answer(demands(func() string { return realm.URL + "/token" }))
		image := func(name string) error {
			_, err := g.reg.Set(store.OCI, Protocol{}).Document(t.Context(), Query{
				Package: name, Key: "tag", Ref: "v2/" + name + "/manifests/v1", Scope: name,
			})
			return err
		}
		err := image("team/app")
		if n := asked.Load(); (err == nil) != c.image || n != c.first {
			t.Errorf("%d with %q: %v after %d requests for a token, want an image: %t after %d", c.status, c.after, err, n,
				c.image, c.first)
		}
		if after := problem.RetryAfter(err); c.after == "60" && after != 30*time.Second {
			t.Errorf("%d with %q: clients may come back after %v, want 30s", c.status, c.after, after)
		}
		err = image("team/other")
		if n := asked.Load() - c.first; (err == nil) != (c.more > 0) || n != c.more {
			t.Errorf("%d with %q, another image: %v after %d requests, want an error: %t, after %d", c.status, c.after, err, n,
				c.more == 0, c.more)
		}
		g.clock.Advance(61 * time.Second)
		if err := image("team/third"); err != nil {
			t.Errorf("%d with %q, in its own time: %v, want the image", c.status, c.after, err)
		}
	}
}

// TestRealmIsNotAskedInTheClear: a registry over TLS cannot send a password over plain HTTP.
func TestRealmIsNotAskedInTheClear(t *testing.T) {
	realm := newOrigin(t)
	u := &Upstream{conf: Config{Kind: store.OCI}, base: mustParse(t, "https://images.example.com"), client: realm.Client()}
	if _, err := u.fetchToken(t.Context(), challenge{realm: realm.URL + "/token"}, ""); !errors.Is(err, ErrElsewhere) {
		t.Errorf("%v, want ErrElsewhere", err)
	}
	if n := realm.asked.Load(); n != 0 {
		t.Errorf("the realm was asked %d times, want none", n)
	}
}

func TestTokensAreBounded(t *testing.T) {
	var kept tokens
	for i := range 3 * maxTokens {
		kept.keep(fmt.Sprint("repository:", i, ":pull"), token{value: "x"})
		if len(kept.kept) > maxTokens {
			t.Fatalf("after %d scopes %d tokens are kept, want at most %d", i, len(kept.kept), maxTokens)
		}
	}
}

// TestCredentialsByKind: each client's own form, to the registry's own origin only.
func TestCredentialsByKind(t *testing.T) {
	for _, c := range []struct {
		config       Config
		header, want string
	}{
		{Config{Kind: store.NPM, Token: "t"}, "Authorization", "Bearer t"},
		{Config{Kind: store.Cargo, Token: "t"}, "Authorization", "t"},
		{Config{Kind: store.PyPI, User: "ada", Password: "secret"}, "Authorization", "Basic YWRhOnNlY3JldA=="},
		{Config{Kind: store.OCI, User: "ada", Password: "secret"}, "Authorization", ""},
		{Config{Kind: store.Maven, HeaderName: "X-Key", HeaderValue: "k"}, "X-Key", "k"},
	} {
		u := &Upstream{conf: c.config, base: mustParse(t, "https://registry.example.com/team")}
		for url, want := range map[string]string{
			"https://registry.example.com/team/x": c.want, "https://files.example.com/team/x": "",
			"https://registry.example.com/other": c.want, "http://registry.example.com/team/x": "",
		} {
			r, err := http.NewRequest(http.MethodGet, url, nil)
			if err != nil {
				t.Fatal(err)
			}
			u.authorize(r)
			if got := r.Header.Get(c.header); got != want {
				t.Errorf("%s of %s is sent %s: %q, want %q", url, c.config.Kind, c.header, got, want)
			}
		}
	}
}
