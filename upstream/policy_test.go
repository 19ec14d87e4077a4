package upstream

// This file holds requests against the rules about names, versions, ages and credentials.

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"larder/store"
)

// answers returns a handler with one body for everything.
func answers(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, body) }
}

// fileOf asks for a version's file.
func (g *rig) fileOf(name, version string, head bool) (*File, error) {
	return g.set.File(context.Background(), FileQuery{Package: name, Version: version, Key: version + ".tgz", Head: head,
		Find: func(context.Context) (Place, error) {
			return Place{Upstream: g.set.list[0], Ref: "files/" + name + "-" + version}, nil
		}})
}

// TestClaimsHideWhatWasCachedBefore: a rule about a name is asked before anything that is kept, on every route.
func TestClaimsHideWhatWasCachedBefore(t *testing.T) {
	g := newRig(t)
	g.origin.answer(answers("theirs"))
	if _, _, err := g.doc("acme-secret"); err != nil {
		t.Fatal(err)
	}
	f, err := g.fileOf("acme-secret", "1.0.0", false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.read(f); err != nil {
		t.Fatal(err)
	}
	rules, err := parseRules([]string{"npm:acme-*"})
	if err != nil {
		t.Fatal(err)
	}
	g.reg.claims = rules
	asked := g.origin.asked.Load()
	if _, _, err := g.doc("acme-secret"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("document: %v", err)
	}
	for _, head := range []bool{false, true} {
		if _, err := g.fileOf("acme-secret", "1.0.0", head); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("file, head %t: %v", head, err)
		}
	}
	if _, err := g.set.DocumentFrom(context.Background(), g.set.list[0],
		Query{Package: "acme-secret", Key: "doc", Ref: "x"}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("one upstream: %v", err)
	}
	if g.set.Theirs(context.Background(), "acme-secret") {
		t.Error("a search may show it")
	}
	if n := g.origin.asked.Load(); n != asked {
		t.Errorf("asked %d times", n-asked)
	}
}

// TestNoSpellingEscapesAClaim: names and patterns are compared folded, as the protocol folds them.
func TestNoSpellingEscapesAClaim(t *testing.T) {
	g := newRig(t, func(o *Options) { o.Claims = []string{"npm:Acme-*", "*:private"} })
	g.set = g.reg.Set(
		store.NPM,
		Protocol{Spelling: Spelling{Fold: func(s string) string { return strings.ReplaceAll(strings.ToLower(s), "_", "-") }}},
	)
	for _, name := range []string{"acme-x", "ACME-x", "acme_X", "Private"} {
		if _, _, err := g.doc(name); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := g.origin.asked.Load(); n != 0 {
		t.Errorf("asked %d times", n)
	}
}

// TestFirstPublishNeedsAClaim: a name that an upstream has is not taken by accident.
func TestFirstPublishNeedsAClaim(t *testing.T) {
	t.Parallel()
	g := newRig(t, func(o *Options) { o.Claims = []string{"npm:mine"} })
	g.set = g.reg.Set(store.NPM, Protocol{Probe: func(name string) Query {
		return Query{Package: name, Key: "doc",
			Ref: name, Fresh: time.Minute}
	}})
	g.origin.answer(answers("theirs"))
	if _, err := g.set.MayPublish(context.Background(), "taken"); !errors.Is(err, store.ErrExists) {
		t.Errorf("taken: %v", err)
	}
	if notice, err := g.set.MayPublish(context.Background(), "mine"); notice != "" || err != nil {
		t.Errorf("claimed: %q, %v", notice, err)
	}
	g.origin.answer(http.NotFound)
	if notice, err := g.set.MayPublish(context.Background(), "free"); notice != "" || err != nil {
		t.Errorf("free: %q, %v", notice, err)
	}
}

// TestTroubleDoesNotLeadToTheNextUpstream: the first that has a name owns it; only a real absence leads on.
func TestTroubleDoesNotLeadToTheNextUpstream(t *testing.T) {
	second := newOrigin(t)
	second.answer(answers("second"))
	g := newRig(t, func(o *Options) {
		o.Upstreams = append(o.Upstreams, Config{Kind: store.NPM, Name: "second", URL: second.URL,
			Exclude: []string{"inner-*"}})
	})
	g.origin.answer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) })
	if _, _, err := g.doc("demo"); !errors.Is(err, ErrRefused) || second.asked.Load() != 0 {
		t.Errorf("%v, the next one was asked %d times", err, second.asked.Load())
	}
	g.origin.answer(http.NotFound)
	if _, got, err := g.doc("other"); err != nil || got != "second" {
		t.Errorf("%q %v", got, err)
	}
	if _, _, err := g.doc("inner-x"); !errors.Is(err, store.ErrNotFound) || second.asked.Load() != 1 {
		t.Errorf("excluded: %v, asked %d times", err, second.asked.Load())
	}
}

// TestRedirectsLeadNowhereForbidden: to private addresses, out of the list, from https to http, in circles.
func TestRedirectsLeadNowhereForbidden(t *testing.T) {
	t.Parallel()
	other := newOrigin(t)
	other.answer(answers("inside"))
	for name, target := range map[string]string{"list": other.URL +
		"/x", "metadata address": "http://169.254.169.254/latest/meta-data/", "file": "file:///etc/passwd", "circle": ""} {
		g := newRig(t, func(o *Options) { o.Upstreams[0].Hosts = []string{"files.example.com"} })
		g.origin.answer(func(w http.ResponseWriter, r *http.Request) {
			to := target
			if to == "" {
				to = g.origin.URL + r.URL.Path
			}
			w.Header().Set("Location", to)
			w.WriteHeader(http.StatusFound)
		})
		if _, got, err := g.doc("demo"); err == nil || errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: %q %v", name, got, err)
		}
	}
	if n := other.asked.Load(); n != 0 {
		t.Errorf("a host out of the list was asked %d times", n)
	}
	u := &Upstream{conf: Config{}, base: mustParse(t, "https://registry.example.com")}
	if u.mayAsk(mustParse(t, "http://registry.example.com/x")) {
		t.Error("what began encrypted went on in the clear")
	}
	if !u.mayAsk(mustParse(t, "https://registry.example.com:443/x")) {
		t.Error("the usual port makes it another host")
	}
}

// TestCredentialsAreBoundToTheOrigin: they go to the registry's scheme, host and port, and nowhere else.
func TestCredentialsAreBoundToTheOrigin(t *testing.T) {
	u := &Upstream{conf: Config{}, base: mustParse(t, "https://registry.example.com/team")}
	for address, want := range map[string]bool{
		"https://registry.example.com/team/x": true, "https://registry.example.com:443/team": true,
		"https://REGISTRY.example.com/team/x": true,
		"http://registry.example.com/team/x":  false, "https://registry.example.com:8443/team/x": false,
		"https://registry.example.com/files/x": true, "https://cdn.registry.example.com/team/x": false,
		"https://registry.example.com/team/../other": false,
	} {
		if got := u.owns(mustParse(t, address)); got != want {
			t.Errorf("%s: %t", address, got)
		}
	}
}

// TestWrongBytesAreNeverKept: a document that is not one, and a file with another sum, leave nothing behind.
func TestWrongBytesAreNeverKept(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.origin.answer(answers("<html>please log in</html>"))
	q := Query{Package: "demo", Key: "doc", Ref: "demo", Fresh: time.Minute, Check: func(body []byte, _ string) error {
		if body[0] != '{' {
			return errors.New("not a document")
		}
		return nil
	}}
	if _, err := g.set.Document(context.Background(), q); !errors.Is(err, ErrUnavailable) {
		t.Errorf("%v", err)
	}
	if k, err := g.set.lookup(context.Background(), "demo", q.id(g.set.list[0])); k != nil || err != nil {
		t.Errorf("kept: %v %v", k, err)
	}
	g.origin.answer(answers("{}"))
	if d, err := g.set.Document(context.Background(), q); err != nil || d.Cache != "MISS" {
		t.Errorf("afterwards: %v %v", d, err)
	}
}

// TestVersionsAreHeldBackUntilTheyAreOfAge: what was there at the first sync is old, what comes later is held back
// until it is; what is blocked never opens.
func TestVersionsAreHeldBackUntilTheyAreOfAge(t *testing.T) {
	g := newRig(t, func(o *Options) {
		o.MinAge, o.Blocked, o.Allowed = 72*time.Hour, []string{"npm:demo@6.*", "npm:evil"}, []string{"npm:demo@7.0.0"}
	})
	body := "1.0.0"
	g.origin.answer(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, body) })
	sync := func() {
		t.Helper()
		_, err := g.set.Document(context.Background(), Query{Package: "demo", Key: "doc", Ref: "demo", Fresh: -1,
			Versions: func(body []byte) map[string]time.Time {
				seen := map[string]time.Time{}
				for _, v := range strings.Fields(string(body)) {
					seen[v] = g.clock.Now().Add(-1000 * time.Hour) // what the upstream says counts only when it is trusted
				}
				return seen
			}})
		if err != nil {
			t.Fatal(err)
		}
	}
	sync()
	body = "1.0.0 2.0.0 6.0.0 7.0.0"
	g.clock.Advance(time.Hour)
	sync()
	for version, open := range map[string]bool{"1.0.0": true, "2.0.0": false, "6.0.0": false, "7.0.0": true,
		"9.9.9": false} {
		err := g.set.Allowed(context.Background(), "demo", version)
		if (err == nil) != open || err != nil && !errors.Is(err, store.ErrDenied) {
			t.Errorf("%s: %v", version, err)
		}
		for _, head := range []bool{false, true} {
			if _, err := g.fileOf("demo", version, head); errors.Is(err, store.ErrDenied) == open {
				t.Errorf("file of %s, head %t: %v", version, head, err)
			}
		}
	}
	if err := g.set.Allowed(context.Background(), "demo", "2.0.0"); !strings.Contains(err.Error(), "held back until") {
		t.Errorf("it does not say until when: %v", err)
	}
	g.clock.Advance(72 * time.Hour)
	if err := g.set.Allowed(context.Background(), "demo", "2.0.0"); err != nil {
		t.Errorf("of age: %v", err)
	}
	if _, _, err := g.doc("evil"); !errors.Is(err, store.ErrDenied) {
		t.Errorf("blocked: %v", err)
	}
}

// TestOfflineAsksNobody: what is kept is fresh, what is not is absent at once and written down.
func TestOfflineAsksNobody(t *testing.T) {
	g := newRig(t)
	g.origin.answer(answers("kept"))
	if _, _, err := g.doc("demo"); err != nil {
		t.Fatal(err)
	}
	g.reg.SetOffline(true)
	g.clock.Advance(1000 * time.Hour)
	asked := g.origin.asked.Load()
	if d, got, err := g.doc("demo"); err != nil || got != "kept" || d.Cache != "HIT" {
		t.Errorf("%q %v", got, err)
	}
	if _, _, err := g.doc("other"); !errors.Is(err, ErrOffline) {
		t.Errorf("%v", err)
	}
	if _, err := g.fileOf("demo", "1.0.0", false); !errors.Is(err, ErrOffline) {
		t.Errorf("%v", err)
	}
	if n := g.origin.asked.Load(); n != asked {
		t.Errorf("asked %d times", n-asked)
	}
	if err := g.reg.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	misses, err := g.reg.Misses(context.Background())
	if err != nil || len(misses) != 2 {
		t.Errorf("%v %v", misses, err)
	}
}

func mustParse(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// TestEvictionTakesWhatWasNotUsedForLongest: what was not used for longest goes first, until the limit holds; a purge
// takes all of a package.
func TestEvictionTakesWhatWasNotUsedForLongest(t *testing.T) {
	g := newRig(t, func(o *Options) { o.CacheSize = 25_000 })
	body := string(noise(10_000))
	g.origin.answer(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.URL.Path+body) })
	take := func(version, cache string) {
		t.Helper()
		f, err := g.fileOf("demo", version, false)
		if err != nil || f.Cache != cache {
			t.Fatalf("%s: %+v %v, want %s", version, f, err, cache)
		}
		if _, err := g.read(f); err != nil {
			t.Fatal(err)
		}
		if err := g.reg.Flush(context.Background()); err != nil {
			t.Fatal(err)
		}
		g.clock.Advance(time.Hour)
	}
	take("1", "MISS")
	take("2", "MISS")
	take("3", "MISS")
	take("1", "HIT")
	if err := g.reg.Evict(context.Background()); err != nil {
		t.Fatal(err)
	}
	for version, want := range map[string]bool{"1": true, "2": false, "3": true} {
		if here, err := g.set.Here(context.Background(), "demo", version+".tgz"); err != nil || here != want {
			t.Errorf("%s: here %t, %v", version, here, err)
		}
	}
	if total, err := g.reg.Cached(context.Background()); err != nil || total > 25_000 || total < 20_000 {
		t.Errorf("%d bytes are kept, %v", total, err)
	}
	take("2", "MISS")
	if n, err := g.reg.Purge(context.Background(), store.NPM, "de*"); err != nil || n == 0 {
		t.Errorf("purged %d, %v", n, err)
	}
	if here, err := g.set.Here(context.Background(), "demo", "1.tgz"); err != nil || here {
		t.Errorf("after a purge: here %t, %v", here, err)
	}
	take("1", "MISS")
}
