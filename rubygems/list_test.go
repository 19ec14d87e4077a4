package rubygems

// /versions as a whole: compaction, ranges, an empty registry, and what survives a restart.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"larder/internal/wiretest"
	"larder/store"
	"larder/store/storetest"
)

func TestOldListIsCompacted(t *testing.T) {
	clock := storetest.NewClock()
	g := newRig(t, func(o *rigOptions) { o.WithClock(clock) })
	run := func() string {
		t.Helper()
		if err := g.s.compactDue(context.Background()); err != nil {
			t.Fatal(err)
		}
		return g.get("/versions").Body
	}
	empty := g.get("/versions").Body
	wiretest.Equal(t, "an empty list", run(), empty)
	g.publish("demo", "1.0", "1.1", "1.2", "1.3")
	g.publish("other", "1.0")
	g.want(g.yank("ada", "demo", "1.1", ""), 200, "")
	young := g.get("/versions").Body
	wiretest.Equal(t, "a young list", run(), young)
	clock.Advance(dueAge + time.Hour)
	short := run()
	l := lines(g.get("/versions"))
	if len(l) != 2 || !strings.HasPrefix(l[0], "demo 1.0,1.2,1.3 ") || !strings.HasPrefix(l[1], "other 1.0 ") {
		t.Errorf("the compacted list has %q, want a line for demo and one for other", l)
	}
	if want := "created_at: 2026-02-01T04:04:05Z\n"; !strings.HasPrefix(short, want) {
		t.Errorf("the compacted list begins with %.60q, want %q", short, want)
	}
	clock.Advance(2 * dueAge)
	wiretest.Equal(t, "an old list without a superseded line", run(), short)
	g.publish("demo", "1.4")
	if now := g.get("/versions").Body; !strings.HasPrefix(now, short) {
		t.Errorf("after a push the list is %q, want it to begin with %q", now, short)
	}
}

func TestChangesDuringACompactionAreInTheNewList(t *testing.T) {
	g := newRig(t)
	fill(t, g.Store, 0, 2*sliceGems+10)
	ctx := context.Background()
	h, err := g.s.list.Head(ctx)
	if err != nil {
		t.Fatal(err)
	}
	before := g.get("/versions").Body
	changed := []string{"a-first", "gem-number-0000001x", "zeta"}
	c := g.compactWith(changed)
	// The new list does not show yet.
	if now := g.get("/versions").Body; !strings.HasPrefix(now, before) {
		t.Error("the old list does not continue")
	}
	if err := c.finish(ctx); err != nil {
		t.Fatal(err)
	}
	if err := c.finish(ctx); !errors.Is(err, store.ErrConflict) {
		t.Errorf("finishing again gives %v, want %v", err, store.ErrConflict)
	}
	g.checkIndexes()
	l := lines(g.get("/versions"))
	if most := 2*sliceGems + 10 + 4*len(changed); len(l) > most {
		t.Errorf("the new list has %d lines, want at most %d", len(l), most)
	}
	zeta := func(s string) bool { return strings.HasPrefix(s, "zeta -1.0 ") || strings.HasPrefix(s, "zeta 1.1 ") }
	if !slices.ContainsFunc(l, zeta) {
		t.Error("the new list lacks the changes of zeta")
	}
	var old bytes.Buffer
	if err := g.s.list.Copy(ctx, &old, h, 0, h.Size); err != nil || old.String() != before {
		t.Errorf("a reader of the old list does not get to its end: %v", err)
	}
	if _, err := compactList(ctx, g.Store); err != nil {
		t.Fatal(err)
	}
	if err := g.s.list.Copy(ctx, io.Discard, h, 0, h.Size); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("after one more compaction the old list gives %v, want %v", err, store.ErrNotFound)
	}
}

// compactWith compacts all but the last step, and publishes and yanks a gem of each name between the slices.
func (g *rig) compactWith(changed []string) *compaction {
	g.T.Helper()
	ctx := context.Background()
	c := &compaction{repo: g.s.Repo, store: g.Store}
	if err := c.begin(ctx); err != nil {
		g.T.Fatal(err)
	}
	for i, more := 0, true; more; i++ {
		var err error
		if more, err = c.slice(ctx); err != nil {
			g.T.Fatal(err)
		}
		if i < len(changed) {
			g.publish(changed[i], "1.0", "1.1")
			g.want(g.yank("ada", changed[i], "1.0", ""), 200, "")
		}
	}
	return c
}

// After a fault at any durable step the list is the old one or the new one, and the next compaction succeeds.
func TestCompactionSurvivesFaults(t *testing.T) {
	prepare := func(t *testing.T, s *store.Store) {
		g := serve(t, s)
		g.User("ada", nil)
		g.publish("demo", "1.0", "1.1")
		g.publish("other", "1.0")
		g.want(g.yank("ada", "demo", "1.0", ""), 200, "")
	}
	compact := func(t *testing.T, s *store.Store) error {
		_, err := compactList(context.Background(), s)
		return err
	}
	storetest.BrokenAt(t, prepare, compact, func(t *testing.T, dir string, err error) {
		g := serve(t, storetest.Open(t, dir))
		n := len(lines(g.get("/versions")))
		if n != 2 && (n != 4 || err == nil) {
			t.Errorf("after %v the list has %d lines, want 2, or 4 if the compaction failed", err, n)
		}
		g.checkIndexes()
		if _, err := compactList(context.Background(), g.Store); err != nil {
			t.Fatal(err)
		}
		wiretest.Equal(t, "lines after the next compaction", len(lines(g.get("/versions"))), 2)
		g.checkIndexes()
	})
}

func TestRangeOfALongListCostsAsOfAShortOne(t *testing.T) {
	cost := func(n int) float64 {
		g := newRig(t)
		fill(t, g.Store, 0, n)
		size := len(g.get("/versions").Body)
		end := header("Range", fmt.Sprintf("bytes=%d-", size-100), "If-None-Match", `"other"`)
		return testing.AllocsPerRun(20, func() { g.want(g.Do("GET", "/versions", nil, end), 206, "") })
	}
	cost(10)
	if small, large := cost(10), cost(5000); large > 1.3*small {
		t.Errorf("%.0f allocations in a list of 10 gems, %.0f in one of 5,000", small, large)
	}
}

func TestEmptyRegistryHasDocuments(t *testing.T) {
	g := newRig(t)
	g.User("root", nil, true)
	for _, path := range []string{"/versions", "/names"} {
		a := g.get(path)
		g.want(g.Do("GET", path, nil, header("If-None-Match", a.Header.Get("ETag"))), 304, "")
		g.want(g.Do("GET", path, nil, header("Range", "bytes=3-4")), 206, a.Body[3:5])
		g.want(g.Do("GET", path, nil, header("Range", fmt.Sprintf("bytes=%d-", len(a.Body)))), 200, a.Body)
	}
	g.want(g.Do("POST", "/api/v1/larder/compact", nil, g.As("root")), 200, "")
	a := g.want(g.Do("GET", "/versions", nil, header("Accept-Encoding", "gzip, deflate")), 200, "")
	g.WantHeader(a, "Content-Encoding", "")
	g.want(g.Do("GET", "/api/v1/search.json?query=a", nil), 200, "[]")
	g.want(g.Do("GET", "/api/v1/activity/latest.json", nil), 200, "[]")
	g.publish("demo", "1.0")
	wiretest.Equal(t, "lines after the first push", len(lines(g.get("/versions"))), 1)
}

func TestListContinuesAfterARestart(t *testing.T) {
	dir := t.TempDir()
	first := storetest.Open(t, dir)
	g := serve(t, first)
	g.User("ada", nil)
	g.publish("demo", "1.0")
	body := g.get("/versions").Body
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again := serve(t, storetest.Open(t, dir))
	again.KeepKeys(g.Rig)
	wiretest.Equal(t, "the list after the restart", again.get("/versions").Body, body)
	again.publish("demo", "1.1")
	if now := again.get("/versions").Body; !strings.HasPrefix(now, body) || len(now) == len(body) {
		t.Errorf("after a push the list is %q, want %q and more", now, body)
	}
	again.checkIndexes()
}

func TestHeadersOfAnUntrustedProxyAreNotInDocuments(t *testing.T) {
	g := newRig(t)
	g.publish("demo", "1.0")
	forged := header(
		"X-Forwarded-Host", "evil.example.com", "X-Forwarded-Scheme", "http", "X-Forwarded-Proto", "https",
		"Forwarded", "host=evil.example.com",
	)
	for _, path := range []string{"/versions", "/info/demo", "/api/v1/gems/demo.json", "/api/v1/search.json?query=demo"} {
		a := g.want(g.Do("GET", path, nil, forged), 200, "")
		if strings.Contains(wiretest.JSON(a), "evil") {
			t.Errorf("%s shows the forged host: %v", path, a)
		}
	}
}
