package rubygems

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

// TestCompactJob: a list is shortened when it is a month old and says most things twice, and left alone otherwise.
func TestCompactJob(t *testing.T) {
	clock := storetest.NewClock()
	g := newRig(t, func(o *rigOptions) { o.WithClock(clock) })
	ctx := context.Background()
	run := func() string {
		t.Helper()
		if err := g.s.compactDue(ctx); err != nil {
			t.Fatal(err)
		}
		return g.get("/versions").Body
	}
	empty := g.get("/versions").Body
	if run() != empty {
		t.Error("an empty list has changed")
	}
	g.publish("demo", "1.0", "1.1", "1.2", "1.3")
	g.publish("other", "1.0")
	g.want(g.yank("ada", "demo", "1.1", ""), 200, "")
	long := g.get("/versions").Body
	if run() != long {
		t.Error("a young list has changed")
	}
	clock.Advance(dueAge + time.Hour)
	short := run()
	if l := lines(g.get("/versions")); len(l) != 2 || !strings.HasPrefix(l[0], "demo 1.0,1.2,1.3 ") || !strings.HasPrefix(l[1], "other 1.0 ") || !strings.HasPrefix(short, "created_at: 2026-02-01T04:04:05Z\n") {
		t.Errorf("%s", short)
	}
	clock.Advance(2 * dueAge)
	if run() != short {
		t.Error("a list without a word too much has changed")
	}
	g.publish("demo", "1.4")
	if now := g.get("/versions").Body; !strings.HasPrefix(now, short) {
		t.Error("the list does not go on")
	}
}

// TestCompactAgainstChanges: what is pushed and yanked while the new list is made is in it; whoever reads the old one
// finishes.
func TestCompactAgainstChanges(t *testing.T) {
	g := newRig(t)
	fill(t, g.Store, 0, 2*sliceGems+10)
	ctx := context.Background()
	h, err := g.s.list.Head(ctx)
	if err != nil {
		t.Fatal(err)
	}
	before := g.get("/versions").Body
	c := &compaction{repo: g.s.Repo, store: g.Store}
	if err := c.begin(ctx); err != nil {
		t.Fatal(err)
	}
	names := []string{"a-first", "gem-number-0000001x", "zeta"}
	for i, more := 0, true; more; i++ {
		if more, err = c.slice(ctx); err != nil {
			t.Fatal(err)
		}
		if i < len(names) {
			g.publish(names[i], "1.0", "1.1")
			g.want(g.yank("ada", names[i], "1.0", ""), 200, "")
		}
	}
	// Nobody has seen anything of it yet.
	if now := g.get("/versions").Body; !strings.HasPrefix(now, before) {
		t.Error("the old list does not go on")
	}
	if err := c.finish(ctx); err != nil {
		t.Fatal(err)
	}
	if err := c.finish(ctx); !errors.Is(err, store.ErrConflict) {
		t.Errorf("a second one: %v", err)
	}
	g.checkIndexes()
	if l := lines(g.get("/versions")); len(l) > 2*sliceGems+10+4*len(names) || !slices.ContainsFunc(l, func(s string) bool { return strings.HasPrefix(s, "zeta -1.0 ") || strings.HasPrefix(s, "zeta 1.1 ") }) {
		t.Errorf("%d lines", len(l))
	}
	var old bytes.Buffer
	if err := g.s.list.Copy(ctx, &old, h, 0, h.Size); err != nil || old.String() != before {
		t.Errorf("the old list cannot be read to its end: %v", err)
	}
	// The next one clears it away.
	if _, err := compactList(ctx, g.Store); err != nil {
		t.Fatal(err)
	}
	if err := g.s.list.Copy(ctx, io.Discard, h, 0, h.Size); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the list before the last one is still there: %v", err)
	}
}

// TestCompactFaults: at each durable step a compaction that breaks leaves the list as it was, or done, and the next one
// ends.
func TestCompactFaults(t *testing.T) {
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
		if n := len(lines(g.get("/versions"))); n != 4 && n != 2 || err == nil && n != 2 {
			t.Errorf("%d lines after %v", n, err)
		}
		g.checkIndexes()
		if _, err := compactList(context.Background(), g.Store); err != nil {
			t.Fatal(err)
		}
		if n := len(lines(g.get("/versions"))); n != 2 {
			t.Errorf("%d lines", n)
		}
		g.checkIndexes()
	})
}

// TestRangeReadsNoMore: the end of a long list costs as little as that of a short one.
func TestRangeReadsNoMore(t *testing.T) {
	cost := func(n int) float64 {
		g := newRig(t)
		fill(t, g.Store, 0, n)
		size := len(g.get("/versions").Body)
		return testing.AllocsPerRun(20, func() {
			g.want(g.Do("GET", "/versions", nil, header("Range", fmt.Sprintf("bytes=%d-", size-100), "If-None-Match", `"other"`)), 206, "")
		})
	}
	cost(10)
	if small, large := cost(10), cost(5000); large > 1.3*small {
		t.Errorf("%.0f allocations in a list of 10 gems, %.0f in one of 5,000", small, large)
	}
}

// TestEmptyRegistry: the documents of a registry in which nothing is, and the list that begins with the first push.
func TestEmptyRegistry(t *testing.T) {
	g := newRig(t)
	g.User("root", nil, true)
	for _, path := range []string{"/versions", "/names"} {
		a := g.get(path)
		g.want(g.Do("GET", path, nil, header("If-None-Match", a.Header.Get("ETag"))), 304, "")
		g.want(g.Do("GET", path, nil, header("Range", "bytes=3-4")), 206, a.Body[3:5])
		g.want(g.Do("GET", path, nil, header("Range", fmt.Sprintf("bytes=%d-", len(a.Body)))), 200, a.Body)
	}
	g.want(g.Do("POST", "/api/v1/larder/compact", nil, g.As("root")), 200, "")
	if h := g.want(g.Do("GET", "/versions", nil, header("Accept-Encoding", "gzip, deflate")), 200, ""); h.Header.Get("Content-Encoding") != "" {
		t.Errorf("%v", h.Header)
	}
	g.want(g.Do("GET", "/api/v1/search.json?query=a", nil), 200, "[]")
	g.want(g.Do("GET", "/api/v1/activity/latest.json", nil), 200, "[]")
	g.publish("demo", "1.0")
	if l := lines(g.get("/versions")); len(l) != 1 {
		t.Errorf("%q", l)
	}
}

// TestSurvivesReopen: a list goes on where it was when the store is opened again.
func TestSurvivesReopen(t *testing.T) {
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
	again.Keys["ada"] = g.Keys["ada"]
	if again.get("/versions").Body != body {
		t.Error("another list")
	}
	again.publish("demo", "1.1")
	if now := again.get("/versions").Body; !strings.HasPrefix(now, body) || len(now) == len(body) {
		t.Errorf("%q", now)
	}
	again.checkIndexes()
}

// TestE_ForwardedHost: headers of a proxy nobody trusts put no address into what others are served.
func TestE_ForwardedHost(t *testing.T) {
	g := newRig(t)
	g.publish("demo", "1.0")
	forged := wiretest.Header("X-Forwarded-Host", "evil.example.com", "X-Forwarded-Scheme", "http", "X-Forwarded-Proto", "https", "Forwarded", "host=evil.example.com")
	for _, path := range []string{"/versions", "/info/demo", "/api/v1/gems/demo.json", "/api/v1/search.json?query=demo"} {
		a := g.want(g.Do("GET", path, nil, forged), 200, "")
		if strings.Contains(wiretest.JSON(a), "evil") {
			t.Errorf("%s: %v", path, a)
		}
	}
}
