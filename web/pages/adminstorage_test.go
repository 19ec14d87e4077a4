package pages

// The page of the disk: what it lists is what the store has, and what it removes is what it showed.

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"larder/internal/wiretest"
	"larder/store"
	"larder/store/storetest"
)

// ticking makes the time of everything one that the test sets; pages keep theirs.
func ticking(clock *time.Time) func(*wiretest.Options) {
	return func(o *wiretest.Options) {
		o.Auth.Now = func() time.Time { return *clock }
		o.Store = append(o.Store, storetest.WithOptions(func(o *store.Options) {
			o.Now = func() time.Time { return *clock }
		}))
	}
}

func TestStorageListsLargestAndUnused(t *testing.T) {
	clock := now.AddDate(0, 0, -100)
	g := newRig(t, ticking(&clock))
	g.publish("npm", "old", "1.0.0")
	g.publish("npm", "pulled", "1.0.0")
	g.publishManifest("large", map[string]any{"name": "large", "version": "1.0.0"}, strings.Repeat("a b", 5000)+"<b>")
	clock = now
	g.publish("pypi", "fresh", "1.0.0")
	g.Want(g.Do("GET", "/npm/pulled/-/pulled-1.0.0.tgz", nil), 200, "")
	if err := g.Store.FlushUse(t.Context()); err != nil {
		t.Fatal(err)
	}
	v := g.administrator()
	g.has(v.read("/-/admin/storage"), "not counted yet")
	page := v.done("/-/admin/storage", "/-/admin/storage/count", url.Values{})
	for _, name := range []string{"npm/old", "npm/pulled", "npm/large", "pypi/fresh"} {
		g.has(page, `href="/ui/`+name+`"`)
	}
	g.has(page, "today 12:00")
	for days, want := range map[int]bool{30: true, 90: true, 180: false} {
		page := v.read(fmt.Sprintf("/-/admin/storage?unused=%d", days))
		if has := strings.Contains(page, "/ui/npm/old"); has != want {
			t.Errorf("not pulled for %d days: the page has the package: %t, want %t", days, has, want)
		}
		g.lacks(page, "/ui/npm/pulled", "/ui/pypi/fresh")
	}
	stats, err := g.Store.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	g.has(page, fmt.Sprintf(`counted once</dt><dd><data value="%d">`, stats.BlobBytes))
}

func TestStorageListsTheLargestFirst(t *testing.T) {
	g := newRig(t)
	for _, name := range []string{"aaa", "bbb", "ccc"} {
		size := map[string]int{"aaa": 10, "bbb": 3000, "ccc": 200}[name]
		readme := make([]byte, 0, size)
		for i := range size {
			readme = fmt.Appendf(readme, "%d", i*i)
		}
		g.publishManifest(name, map[string]any{"name": name, "version": "1.0.0"}, string(readme))
	}
	v := g.administrator()
	page := v.done("/-/admin/storage", "/-/admin/storage/count", url.Values{})
	a, b, c := strings.Index(page, "npm/aaa"), strings.Index(page, "npm/bbb"), strings.Index(page, "npm/ccc")
	if !(b < c && c < a) {
		t.Errorf("the order is %d, %d, %d, want bbb, ccc, aaa: %s", a, b, c, page)
	}
}

func TestGarbageIsShownBeforeItGoes(t *testing.T) {
	clock := now
	g := newRig(t, ticking(&clock))
	blob := func(text string) store.Blob {
		t.Helper()
		b, err := g.Store.PutBytes(t.Context(), []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	first := blob("nobody holds this")
	clock = clock.Add(10 * 24 * time.Hour)
	v := g.administrator()
	asked := v.send("/-/admin/storage", "/-/admin/storage/gc", url.Values{})
	g.has(v.Want(asked, 200, "Remove 1 file, 17").Body, "grace period")
	if _, err := g.Store.StatBlob(t.Context(), first.Digest); err != nil {
		t.Fatalf("asking has removed it: %v", err)
	}
	wrong := planned(asked)
	wrong.Set("plan", "2 34")
	g.has(v.Want(v.send("/-/admin/storage", "/-/admin/storage/gc", wrong), 200, "Remove 1 file").Body, "It has changed")
	// Looking at it counts as asking for it.
	clock = clock.Add(10 * 24 * time.Hour)
	v = g.administrator()
	v.done("/-/admin/storage", "/-/admin/storage/gc", planned(asked))
	if _, err := g.Store.StatBlob(t.Context(), first.Digest); err == nil {
		t.Error("it is still there")
	}
	g.has(v.done("/-/admin/storage", "/-/admin/storage/gc", url.Values{}), "Nothing would go")
}

func TestStorageShowsQuotasAndDamage(t *testing.T) {
	g := newRig(t)
	g.pages.d.Rules = store.RulesConfig{Quotas: []store.Quota{
		{Kind: store.NPM, Bytes: 1000}, {User: "*", Bytes: 1 << 40}, {Package: "<b>*", Bytes: 5},
	}}
	g.publish("npm", "demo", "1.0.0")
	v := g.administrator()
	stats, err := g.Store.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	page := v.read("/-/admin/storage")
	g.has(page, "all npm packages", fmt.Sprintf(`data-l="used"><data value="%d">`, stats.Kinds[store.NPM].Bytes),
		"each user; the largest", fmt.Sprintf(`data-l="used"><data value="%d">`, stats.Users["ada"]), "&lt;b&gt;*",
		"Nothing is known to be damaged.")
}
