package upstream

// Whose copies are whose: keys of URLs, and that the copies of one registry are never answered for another.

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"larder/store"
)

func TestSameURL(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"https://r.example.com", "https://R.example.com/", true},
		{"https://r.example.com/npm", "https://r.example.com:443/npm/", true},
		{"http://r.example.com/npm", "https://r.example.com/npm", true},
		{"http://r.example.com:80/npm", "http://r.example.com/x/../npm", true},
		{"http://r.example.com/a b", "http://r.example.com/a%20b", true},
		{"http://r.example.com:8080/npm", "https://r.example.com:8080/npm", false},
		{"https://r.example.com/npm", "https://r.example.com/pypi", false},
		{"https://r.example.com/npm", "https://s.example.com/npm", false},
		{"https://r.example.com/npm", "https://r.example.com/NPM", false},
		{"http://[::1]:80/x", "http://[::1]/x", true},
		{"https://r.example.com:80/npm", "http://r.example.com/npm", false},
	} {
		if got := sameURL(c.a) == sameURL(c.b); got != c.same {
			t.Errorf("%s and %s are one registry: %t, want %t (%s, %s)", c.a, c.b, got, c.same, sameURL(c.a), sameURL(c.b))
		}
	}
}

// again opens the rig's store with other upstreams, as a restart does.
func (g *rig) again(o Options) {
	g.t.Helper()
	o.Now = g.clock.Now
	g.reg.Close()
	var err error
	if g.reg, err = New(g.store, nil, o); err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(g.reg.Close)
	g.set = g.reg.Set(store.NPM, Protocol{})
}

// forgetSources brings the store to what it was before there was the table.
func (g *rig) forgetSources() {
	g.t.Helper()
	err := g.store.Update(context.Background(), func(tx *store.Tx) error {
		table := tx.Table(tableSources)
		var rows [][]byte
		for row := range table.Scan(nil, nil) {
			rows = append(rows, bytes.Clone(row))
		}
		for _, row := range rows {
			if err := table.Delete(row); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		g.t.Fatal(err)
	}
}

func npmAt(name, url string) Config { return Config{Kind: store.NPM, Name: name, URL: url} }

// says makes a registry answer every document with a text and every file with another.
func (o *origin0) says(document, file string) {
	o.answer(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/files/") {
			_, _ = w.Write([]byte(file))
			return
		}
		_, _ = w.Write([]byte(document))
	})
}

func (o *origin0) fails() {
	o.answer(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
}

// bytesOf is what the file called key is answered with.
func (g *rig) bytesOf(key string, want []byte) (string, error) {
	g.t.Helper()
	f, err := g.file(key, want)
	if err != nil {
		return "", err
	}
	b, err := g.read(f)
	return string(b), err
}

func TestRecordsFromBeforeKeepTheirUpstream(t *testing.T) {
	ctx := context.Background()
	for _, c := range []struct {
		what   string
		config func(url string) Options
	}{
		{"configured by their name", func(url string) Options {
			return Options{Offline: true, Upstreams: []Config{npmAt("main", url)}}
		}},
		{"configured by another name", func(url string) Options {
			return Options{Offline: true, Upstreams: []Config{npmAt("other", url)}}
		}},
		{"not configured", func(string) Options { return Options{} }},
	} {
		t.Run(c.what, func(t *testing.T) {
			g := newRig(t)
			g.origin.says("document", "file")
			if _, _, err := g.doc("demo"); err != nil {
				t.Fatal(err)
			}
			if _, err := g.bytesOf("f", nil); err != nil {
				t.Fatal(err)
			}
			g.forgetSources()
			g.again(c.config(g.origin.URL + "/registry"))
			if _, body, err := g.doc("demo"); err != nil || body != "document" {
				t.Errorf("the document is %q, %v", body, err)
			}
			if k, err := g.set.Kept(ctx, "demo", "f"); err != nil || k == nil {
				t.Errorf("the file is %v, %v", k, err)
			}
		})
	}
}

func TestNameOfOneIsNotAnsweredByCopiesOfAnother(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	second := newOrigin(t)
	g.origin.answer(http.NotFound)
	second.says("second's", "second's file")
	both := Options{Upstreams: []Config{npmAt("main", g.origin.URL+"/registry"), npmAt("second", second.URL)}}
	g.again(both)
	other := func() (string, error) {
		q := Query{Package: "demo", Key: "other form", Ref: "demo", Fresh: time.Minute}
		d, err := g.set.Document(context.Background(), q)
		if err != nil {
			return "", err
		}
		b, err := d.Bytes(context.Background())
		return string(b), err
	}
	if got, err := other(); got != "second's" || err != nil {
		t.Fatalf("%q, %v", got, err)
	}

	g.origin.fails()
	g.again(both)
	if got, err := other(); got != "second's" || err != nil {
		t.Errorf("a name that only the second one ever had: %q, %v", got, err)
	}

	g.origin.says("first's", "first's file")
	g.again(both)
	if _, got, err := g.doc("demo"); got != "first's" || err != nil {
		t.Fatalf("%q, %v", got, err)
	}
	g.origin.fails()
	g.again(both)
	if got, err := other(); !errors.Is(err, ErrUnavailable) {
		t.Errorf("the name is the first one's, which is in trouble: %q, %v, want ErrUnavailable", got, err)
	}
	both.Offline = true
	g.again(both)
	if got, err := other(); !errors.Is(err, ErrOffline) {
		t.Errorf("offline: %q, %v, want ErrOffline", got, err)
	}
}

func TestFileOfALaterUpstreamIsNotAnsweredForTheFirst(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	second := newOrigin(t)
	second.says("second's", "second's file")
	both := Options{Upstreams: []Config{npmAt("main", g.origin.URL+"/registry"), npmAt("second", second.URL)}}
	g.again(Options{Upstreams: []Config{npmAt("second", second.URL)}})
	if got, err := g.bytesOf("f", nil); got != "second's file" || err != nil {
		t.Fatalf("%q, %v", got, err)
	}
	g.origin.fails()
	g.again(both)
	if got, err := g.bytesOf("f", nil); got != "second's file" || err != nil {
		t.Errorf("nothing is known of the first one: %q, %v", got, err)
	}
	g.origin.says("first's", "first's file")
	if _, got, err := g.doc("demo"); got != "first's" || err != nil {
		t.Fatalf("%q, %v", got, err)
	}
	g.origin.fails()
	if got, err := g.bytesOf("f", nil); !errors.Is(err, ErrUnavailable) {
		t.Errorf("the first one has the name and is in trouble: %q, %v, want ErrUnavailable", got, err)
	}
	g.origin.says("first's", "first's file")
	if got, err := g.bytesOf("f", nil); got != "first's file" || err != nil {
		t.Errorf("the first one has the name: %q, %v", got, err)
	}
}

func TestCopiesOfAnotherURLAreNotAnsweredOnline(t *testing.T) {
	g := newRig(t)
	second := newOrigin(t)
	g.origin.says("old", "old file")
	second.says("new", "new file")
	if _, _, err := g.doc("demo"); err != nil {
		t.Fatal(err)
	}
	if got, err := g.bytesOf("f", nil); got != "old file" || err != nil {
		t.Fatalf("%q, %v", got, err)
	}
	g.again(Options{Upstreams: []Config{npmAt("main", second.URL)}})
	if _, got, err := g.doc("demo"); got != "new" || err != nil {
		t.Errorf("the document is %q, %v", got, err)
	}
	if got, err := g.bytesOf("f", []byte("new file")); got != "new file" || err != nil {
		t.Errorf("the file is %q, %v", got, err)
	}
}

func TestCopyWithTheSumsAnnouncedIsNotFetchedAgain(t *testing.T) {
	g := newRig(t)
	second := newOrigin(t)
	g.origin.says("", "file")
	if got, err := g.bytesOf("f", []byte("file")); got != "file" || err != nil {
		t.Fatalf("%q, %v", got, err)
	}
	g.again(Options{Upstreams: []Config{npmAt("main", second.URL)}})
	if got, err := g.bytesOf("f", []byte("file")); got != "file" || err != nil || second.asked.Load() != 0 {
		t.Errorf("%q, %v, asked %d times", got, err, second.asked.Load())
	}
	g.again(Options{Offline: true, Upstreams: []Config{npmAt("main", second.URL)}})
	if got, err := g.bytesOf("f", []byte("file")); got != "file" || err != nil {
		t.Errorf("it is the second one's now: %q, %v", got, err)
	}
}

func TestCopiesWithoutUpstreamAreEvicted(t *testing.T) {
	ctx := context.Background()
	g := newRig(t)
	g.origin.says("", "file")
	if got, err := g.bytesOf("f", nil); got != "file" || err != nil {
		t.Fatalf("%q, %v", got, err)
	}
	if err := g.reg.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	g.again(Options{CacheSize: 1})
	list, err := g.reg.Orphans(ctx)
	if err != nil || len(list) != 1 || list[0].Copies != 1 || list[0].Kept != int64(len("file")) {
		t.Errorf("without an upstream there are %+v, %v, want one copy of 4 bytes", list, err)
	}
	if err := g.reg.Evict(ctx); err != nil {
		t.Fatal(err)
	}
	if k, err := g.set.Kept(ctx, "demo", "f"); k != nil || err != nil {
		t.Errorf("after the eviction there is %v, %v", k, err)
	}
	if list, err := g.reg.Orphans(ctx); len(list) != 0 || err != nil {
		t.Errorf("after the eviction there are %+v, %v", list, err)
	}
}

func TestUpstreamsOfOneURLShareNothing(t *testing.T) {
	g := newRig(t)
	g.origin.says("document", "file")
	url := g.origin.URL + "/registry"
	g.again(Options{Upstreams: []Config{npmAt("main", url), npmAt("twin", url)}})
	a, b := g.set.Upstream("main").key, g.set.Upstream("twin").key
	if a == b {
		t.Fatalf("both have the key %s", a)
	}
	g.again(Options{Upstreams: []Config{npmAt("twin", url), npmAt("main", url)}})
	if main, twin := g.set.Upstream("main").key, g.set.Upstream("twin").key; main != a || twin != b {
		t.Errorf("after the order changed: main %s, twin %s, want %s and %s", main, twin, a, b)
	}
	g.again(Options{Upstreams: []Config{npmAt("twin", url)}})
	if g.set.Upstream("twin").key != b {
		t.Errorf("twin alone has the key %s, want %s", g.set.Upstream("twin").key, b)
	}
}

func TestNamesSwappedBetweenURLs(t *testing.T) {
	g := newRig(t)
	second := newOrigin(t)
	g.origin.says("first's", "")
	second.says("second's", "")
	url := g.origin.URL + "/registry"
	g.again(Options{Upstreams: []Config{npmAt("a", url), npmAt("b", second.URL)}})
	first := g.set.Upstream("a").key
	g.again(Options{Upstreams: []Config{npmAt("a", second.URL), npmAt("b", url)}})
	if g.set.Upstream("b").key != first || g.set.Upstream("a").key == first {
		t.Errorf("a has the key %s, b %s; that of b's URL is %s", g.set.Upstream("a").key, g.set.Upstream("b").key, first)
	}
}

func TestImagesOfARenamedUpstreamAreNotAnotherRepository(t *testing.T) {
	g := newRig(t)
	url := g.origin.URL + "/registry"
	image := func(name, url string) Config { return Config{Kind: store.OCI, Name: name, URL: url} }
	g.again(Options{Upstreams: []Config{image("hub", url)}})
	set := g.reg.Set(store.OCI, Protocol{})
	before := set.home("hub/team/x", set.Upstream("hub"))
	g.again(Options{Upstreams: []Config{image("mirror", url), image("hub", "http://127.0.0.1:1")}})
	set = g.reg.Set(store.OCI, Protocol{})
	mirror, hub := set.Upstream("mirror"), set.Upstream("hub")
	if got := set.home("mirror/team/x", mirror); got != before {
		t.Errorf("mirror/team/x is kept as %s, want %s", got, before)
	}
	if got := set.home("hub/team/x", hub); got == before {
		t.Errorf("hub/team/x of the new hub is kept as %s, which is the old one's", got)
	}
	for _, name := range []string{"mirror/team/x", "hub/team/x", "team/x", "x"} {
		if got := set.named(set.homeOf(name)); got != name {
			t.Errorf("%s is kept as %s, which is named %s", name, set.homeOf(name), got)
		}
	}
	g.again(Options{Upstreams: []Config{image("mirror", url)}})
	set = g.reg.Set(store.OCI, Protocol{})
	if got := set.home("hub/team/x", set.Upstream("mirror")); got == before || set.named(got) != "hub/team/x" {
		t.Errorf("hub/team/x asked of mirror is kept as %s", got)
	}
}
