package upstream

// What operators see of upstreams, and do to them.

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"larder/store"
)

// statusOf is the status of the rig's only upstream.
func (g *rig) statusOf() Status {
	g.t.Helper()
	list := g.reg.Status()
	if len(list) != 1 {
		g.t.Fatalf("there are the upstreams %+v, want one", list)
	}
	return list[0]
}

// request is one request of a client: what ask is answered from is counted once, as sent bytes.
func (g *rig) request(status int, sent int64, ask func(ctx context.Context)) {
	var a Answer
	ask(context.WithValue(g.t.Context(), AnswerKey{}, &a))
	a.Count(status, sent)
}

func TestStatusCountsRequestsOnce(t *testing.T) {
	g := newRig(t)
	g.origin.says("four", "a file")
	look := func(ctx context.Context) {
		q := Query{Package: "demo", Key: "doc", Ref: "demo", Fresh: time.Minute}
		if _, err := g.set.Document(ctx, q); err != nil {
			t.Fatal(err)
		}
		f, err := g.set.File(ctx, FileQuery{Package: "demo", Key: "f", Find: func(context.Context) (Place, error) {
			return Place{Upstream: g.set.list[0], Ref: "files/f"}, nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := g.read(f); err != nil {
			t.Fatal(err)
		}
	}
	g.request(200, 6, look) // a miss: both are fetched
	for _, sent := range []int64{6, 3, 0} {
		g.request(200, sent, look) // a hit: the whole, a part, a HEAD
	}
	g.request(304, 0, look)
	g.origin.answer(http.NotFound)
	for range 2 {
		g.request(404, 20, func(ctx context.Context) {
			if _, err := g.set.Document(ctx, Query{Package: "no", Key: "doc", Ref: "no"}); !errors.Is(err, store.ErrNotFound) {
				t.Fatal(err)
			}
		})
	}
	got := g.statusOf()
	got.URL = strings.Replace(got.URL, g.origin.URL, "http://origin", 1)
	want := Status{
		Kind: store.NPM, Name: "main", URL: "http://origin/registry", Requests: 3, Hits: 4, Misses: 1, Absent: 2,
		Sent: 15, Bytes: got.Bytes, Saved: max(15-got.Bytes, 0),
	}
	if got != want {
		t.Errorf("the status is\n%+v, want\n%+v", got, want)
	}
	if least := int64(len("four") + len("a file")); got.Bytes < least {
		t.Errorf("%d bytes were fetched, want at least %d", got.Bytes, least)
	}
}

func TestWhatIsHereAlreadyMakesNoMiss(t *testing.T) {
	g := newRig(t)
	g.origin.says("four", "a file")
	if _, err := g.bytesOf("f", nil); err != nil {
		t.Fatal(err)
	}
	g.request(200, 40, func(ctx context.Context) {
		f, err := g.set.File(ctx, FileQuery{Package: "demo", Key: "f.sum", Find: func(context.Context) (Place, error) {
			return Place{Upstream: g.set.list[0], Ref: "f.sum", Make: func(ctx context.Context) ([]byte, error) {
				k, err := g.set.Kept(ctx, "demo", "f")
				if k == nil || err != nil {
					t.Errorf("the file is not kept: %v", err)
				}
				return []byte("made of it"), err
			}}, nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
	})
	if got := g.statusOf(); got.Hits != 1 || got.Misses != 0 || got.Sent != 40 {
		t.Errorf("%d hits, %d misses, %d bytes sent, want 1, 0 and 40", got.Hits, got.Misses, got.Sent)
	}
}

func TestStatusSaysWhyAnUpstreamIsNotAsked(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.origin.fails()
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		if _, _, err := g.doc(name); !errors.Is(err, ErrUnavailable) {
			t.Fatal(err)
		}
	}
	g.settled(g.set.list[0].breaker)
	got := g.statusOf()
	if !got.Open || !strings.Contains(got.Error, "answered 500") || !got.Until.Equal(g.clock.Now().Add(firstPause)) {
		t.Errorf("open %t until %s because %q, want true until %s because of a 500",
			got.Open, got.Until, got.Error, g.clock.Now().Add(firstPause))
	}
	if got.Failures == 0 {
		t.Error("no failure is counted")
	}
}

func TestUpstreamSwitchedOnIsAskedAgainAtOnce(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.origin.fails()
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		if _, _, err := g.doc(name); !errors.Is(err, ErrUnavailable) {
			t.Fatal(err)
		}
	}
	u := g.reg.Find(store.NPM, "main")[0]
	g.settled(u.breaker)
	u.SetOffline(true)
	if _, _, err := g.doc("demo"); !errors.Is(err, ErrOffline) {
		t.Errorf("switched off: %v, want ErrOffline", err)
	}
	if !g.statusOf().Offline {
		t.Error("the status does not say that it is switched off")
	}
	g.origin.says("back", "")
	u.SetOffline(false)
	if _, got, err := g.doc("demo"); got != "back" || err != nil {
		t.Errorf("switched on: %q, %v, want an answer although it failed before", got, err)
	}
}

func TestSwitchingAllOffIsSeenInEveryStatus(t *testing.T) {
	g := newRig(t)
	g.reg.SetOffline(true)
	if !g.reg.Offline() || !g.statusOf().Offline {
		t.Errorf("offline %t, the upstream's status %t, want true", g.reg.Offline(), g.statusOf().Offline)
	}
	g.reg.SetOffline(false)
	if g.reg.Offline() || g.statusOf().Offline {
		t.Error("it stays off")
	}
}

func TestFindSelectsByKindAndName(t *testing.T) {
	g := newRig(t, func(o *Options) {
		o.Upstreams = []Config{
			npmAt("main", "https://npm.example.com"), npmAt("team", "https://team.example.com"),
			{Kind: store.PyPI, Name: "main", URL: "https://pypi.example.com/simple"},
		}
	})
	for _, c := range []struct {
		kind store.Kind
		name string
		want string
	}{
		{"", "", "npm main, npm team, pypi main"},
		{store.NPM, "", "npm main, npm team"},
		{"", "main", "npm main, pypi main"},
		{store.NPM, "team", "npm team"},
		{store.PyPI, "team", ""},
		{store.Maven, "", ""},
	} {
		var got []string
		for _, u := range g.reg.Find(c.kind, c.name) {
			got = append(got, string(u.Kind())+" "+u.Name())
		}
		if strings.Join(got, ", ") != c.want {
			t.Errorf("%q %q finds %q, want %q", c.kind, c.name, got, c.want)
		}
	}
}

// TestSourceThatIsNotConfigured answers from what is kept, and cannot be asked.
func TestSourceThatIsNotConfigured(t *testing.T) {
	g := newRig(t)
	g.origin.says("kept", "a file")
	if _, _, err := g.doc("demo"); err != nil {
		t.Fatal(err)
	}
	g.again(Options{})
	if _, got, err := g.doc("demo"); got != "kept" || err != nil {
		t.Errorf("%q, %v, want what is kept", got, err)
	}
	gone := g.set.Upstreams()[0]
	if gone.Configured() {
		t.Error("it counts as configured")
	}
	if found := g.reg.Check(t.Context(), gone, ""); len(found) != 1 || found[0].OK {
		t.Errorf("asking it: %+v, want that it is offline", found)
	}
	if _, _, err := g.doc("other"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("what is not kept: %v, want ErrNotFound: nothing will ever come of it", err)
	}
	if list := g.reg.Status(); len(list) != 0 {
		t.Errorf("the status of configured upstreams lists %+v", list)
	}
	held, err := g.set.Holds(t.Context(), gone, "demo")
	if err != nil || !held {
		t.Errorf("it holds something of demo: %t, %v, want true", held, err)
	}
	if held, err = g.set.Holds(t.Context(), gone, "other"); err != nil || held {
		t.Errorf("it holds something of other: %t, %v, want false", held, err)
	}
}

func TestPurgeOfOrphansLeavesTheConfigured(t *testing.T) {
	g := newRig(t)
	g.origin.says("old", "old file")
	for _, name := range []string{"demo", "other"} {
		if _, _, err := g.doc(name); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := g.bytesOf("f", nil); got != "old file" || err != nil {
		t.Fatalf("%q, %v", got, err)
	}
	second := newOrigin(t)
	second.says("new", "")
	g.again(Options{Upstreams: []Config{npmAt("second", second.URL)}})
	if _, got, err := g.doc("demo"); got != "new" || err != nil {
		t.Fatalf("%q, %v", got, err)
	}
	n, err := g.reg.PurgeOrphans(t.Context(), store.NPM, "demo")
	if err != nil || n != 2 {
		t.Errorf("%d packages of records were purged, %v, want 2: documents and files of demo", n, err)
	}
	g.reg.SetOffline(true)
	if _, got, err := g.doc("demo"); got != "new" || err != nil {
		t.Errorf("what the configured upstream has of the name: %q, %v", got, err)
	}
	list, err := g.reg.Orphans(t.Context())
	if err != nil || len(list) != 1 || list[0].Copies != 1 {
		t.Errorf("of the old one are left %+v, %v, want the document of the other package", list, err)
	}
	if k, err := g.set.Kept(t.Context(), "demo", "f"); k != nil || err != nil {
		t.Errorf("its file is %v, %v, want none", k, err)
	}
}

func TestEvictionByAge(t *testing.T) {
	g := newRig(t, func(o *Options) { o.CacheAge = 10 * 24 * time.Hour })
	g.origin.says("", "a file")
	use := func(key string) {
		t.Helper()
		if _, err := g.bytesOf(key, nil); err != nil {
			t.Fatal(err)
		}
		if err := g.reg.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	use("old")
	use("used again")
	g.clock.Advance(9 * 24 * time.Hour)
	use("used again")
	use("new")
	g.clock.Advance(2 * 24 * time.Hour)
	if err := g.reg.Evict(t.Context()); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]bool{"old": false, "used again": true, "new": true} {
		if here, err := g.set.Here(t.Context(), "demo", key); err != nil || here != want {
			t.Errorf("%s is here: %t, %v, want %t", key, here, err, want)
		}
	}
	free := newRig(t)
	if err := free.reg.Evict(t.Context()); err != nil {
		t.Errorf("without limits: %v", err)
	}
}

func TestMissesAreCountedUntilCleared(t *testing.T) {
	g := newRig(t, func(o *Options) { o.Offline = true })
	for range 3 {
		if _, _, err := g.doc("demo"); !errors.Is(err, ErrOffline) {
			t.Fatal(err)
		}
	}
	if _, err := g.bytesOf("f", nil); !errors.Is(err, ErrOffline) {
		t.Fatal(err)
	}
	want := []Miss{{store.NPM, "demo", "doc", 3, ""}, {store.NPM, "demo", "f", 1, ""}}
	for range 2 { // they stay until they are cleared
		got, err := g.reg.Misses(t.Context())
		if err != nil || len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
			t.Errorf("missed were %+v, %v, want %+v", got, err, want)
		}
	}
	if err := g.reg.ClearMisses(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, err := g.reg.Misses(t.Context()); err != nil || len(got) != 0 {
		t.Errorf("after clearing %+v, %v, want none", got, err)
	}
}

// TestFlushOnAStoreThatTakesNothing: what was used is not so important that reading could fail for it.
func TestFlushOnAStoreThatTakesNothing(t *testing.T) {
	g := newRig(t)
	g.origin.says("", "a file")
	if _, err := g.bytesOf("f", nil); err != nil {
		t.Fatal(err)
	}
	g.store.SetReadOnly("a test")
	if err := g.reg.Flush(t.Context()); err != nil {
		t.Errorf("%v, want none", err)
	}
}
