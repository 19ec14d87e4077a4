package upstream

// Copies whose bytes went bad on disk.

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/opencontainers/go-digest"

	"larder/store"
	"larder/store/storetest"
)

// newKeeping is a rig on a folder the test can damage.
func newKeeping(t *testing.T, change ...func(*Options)) (g *rig, dir string) {
	t.Helper()
	g = newRig(t, change...)
	g.reg.Close()
	dir = t.TempDir()
	g.store = storetest.Open(t, dir, storetest.WithClock(g.clock))
	o := Options{Upstreams: []Config{npmAt("main", g.origin.URL+"/registry")}}
	for _, f := range change {
		f(&o)
	}
	g.again(o)
	return g, dir
}

// rots damages the bytes of a blob and lets the store find out.
func (g *rig) rots(dir, content string) {
	g.t.Helper()
	storetest.Damage(g.t, dir, digest.FromString(content), "flip")
	report, err := g.store.Scrub(g.t.Context(), store.ScrubOptions{})
	if err != nil || report.Found == 0 {
		g.t.Fatalf("the damage was not found: %+v, %v", report, err)
	}
}

func TestDamagedFileIsFetchedAgain(t *testing.T) {
	g, dir := newKeeping(t)
	g.origin.says("", "a file")
	if got, err := g.bytesOf("f", []byte("a file")); got != "a file" || err != nil {
		t.Fatalf("%q, %v", got, err)
	}
	g.rots(dir, "a file")
	if f, err := g.set.Kept(t.Context(), "demo", "f"); f != nil || err != nil {
		t.Errorf("the damaged file counts as kept: %+v, %v", f, err)
	}
	if n, err := g.reg.Mend(t.Context()); n != 1 || err != nil {
		t.Errorf("%d were mended, %v, want 1", n, err)
	}
	if n := g.store.DamagedBlobs(); n != 0 {
		t.Errorf("%d blobs are damaged", n)
	}
	asked := g.origin.asked.Load()
	if got, err := g.bytesOf("f", []byte("a file")); got != "a file" || err != nil || g.origin.asked.Load() != asked {
		t.Errorf("afterwards: %q, %v, want it from here", got, err)
	}
	if n, err := g.reg.Mend(t.Context()); n != 0 || err != nil {
		t.Errorf("with nothing damaged: %d, %v", n, err)
	}
}

// TestDamagedFileIsFetchedByWhoAsks: nobody waits for the job.
func TestDamagedFileIsFetchedByWhoAsks(t *testing.T) {
	g, dir := newKeeping(t)
	g.origin.says("", "a file")
	if got, err := g.bytesOf("f", nil); got != "a file" || err != nil {
		t.Fatalf("%q, %v", got, err)
	}
	g.rots(dir, "a file")
	if got, err := g.bytesOf("f", nil); got != "a file" || err != nil {
		t.Errorf("%q, %v, want the file", got, err)
	}
	if n := g.store.DamagedBlobs(); n != 0 {
		t.Errorf("%d blobs are damaged afterwards", n)
	}
}

func TestDamagedDocumentIsDropped(t *testing.T) {
	g, dir := newKeeping(t)
	g.origin.says("a document", "")
	if _, got, err := g.doc("demo"); got != "a document" || err != nil {
		t.Fatalf("%q, %v", got, err)
	}
	g.rots(dir, "a document")
	if n, err := g.reg.Mend(t.Context()); n != 0 || err != nil {
		t.Errorf("%d were fetched, %v, want none: whoever asks next fetches it", n, err)
	}
	if d, got, err := g.doc("demo"); got != "a document" || err != nil || d.Cache != "MISS" {
		t.Errorf("afterwards: %q, %v, want it fetched", got, err)
	}
	if n := g.store.DamagedBlobs(); n != 0 {
		t.Errorf("%d blobs are damaged afterwards", n)
	}
}

// TestDamageThatCannotBeMended stays known, is told to who asks, and is mended once it can be.
func TestDamageThatCannotBeMended(t *testing.T) {
	for what, c := range map[string]struct {
		ends func(g *rig)
		want error
	}{
		"offline":                  {func(g *rig) { g.reg.SetOffline(true) }, store.ErrDamaged},
		"nobody has it any more":   {func(g *rig) { g.origin.answer(http.NotFound) }, store.ErrDamaged},
		"the upstream has another": {func(g *rig) { g.origin.says("", "another") }, nil},
		"trouble":                  {func(g *rig) { g.origin.answer(status(500)) }, ErrUnavailable},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			g, dir := newKeeping(t)
			g.origin.says("", "a file")
			if got, err := g.bytesOf("f", []byte("a file")); got != "a file" || err != nil {
				t.Fatalf("%q, %v", got, err)
			}
			g.rots(dir, "a file")
			c.ends(g)
			if n, err := g.reg.Mend(t.Context()); n != 0 || err != nil {
				t.Errorf("%d were mended, %v, want none and no error: the next run tries again", n, err)
			}
			if n := g.store.DamagedBlobs(); n != 1 {
				t.Errorf("%d blobs are damaged, want 1", n)
			}
			if got, err := g.bytesOf("f", []byte("a file")); err == nil || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("who asks gets %q, %v, want %v", got, err, c.want)
			}
			g.reg.SetOffline(false)
			g.set.list[0].SetOffline(false)
			g.set.Forget("demo")
			g.origin.says("", "a file")
			if n, err := g.reg.Mend(t.Context()); n != 1 || err != nil {
				t.Errorf("once it is there again %d were mended, %v, want 1", n, err)
			}
		})
	}
}

// TestDamagedCopyOfAClaimedName is not asked for: the name is ours now.
func TestDamagedCopyOfAClaimedName(t *testing.T) {
	g, dir := newKeeping(t)
	g.origin.says("", "a file")
	if got, err := g.bytesOf("f", nil); got != "a file" || err != nil {
		t.Fatalf("%q, %v", got, err)
	}
	g.rots(dir, "a file")
	url := g.origin.URL + "/registry"
	g.again(Options{Upstreams: []Config{npmAt("main", url)}, Claims: []string{"npm:demo"}})
	asked := g.origin.asked.Load()
	if n, err := g.reg.Mend(t.Context()); n != 0 || err != nil || g.origin.asked.Load() != asked {
		t.Errorf("%d were mended, %v, the upstream was asked %d times, want none", n, err, g.origin.asked.Load()-asked)
	}
	g.again(Options{Upstreams: []Config{npmAt("main", url)}})
	if n, err := g.reg.Mend(t.Context()); n != 1 || err != nil {
		t.Errorf("no longer claimed: %d, %v, want 1", n, err)
	}
}

// TestMadeFileIsNotFetchedAgain: it came from no address, and is made anew by who asks.
func TestMadeFileIsNotFetchedAgain(t *testing.T) {
	g, dir := newKeeping(t)
	q := g.at("f", func(p *Place) { p.Make = func(context.Context) ([]byte, error) { return []byte("made here"), nil } })
	if _, got, err := g.fetch(q); got != "made here" || err != nil {
		t.Fatalf("%q, %v", got, err)
	}
	g.rots(dir, "made here")
	if n, err := g.reg.Mend(t.Context()); n != 0 || err != nil || g.origin.asked.Load() != 0 {
		t.Errorf("%d were mended, %v, the upstream was asked %d times, want none", n, err, g.origin.asked.Load())
	}
	if _, got, err := g.fetch(q); got != "made here" || err != nil {
		t.Errorf("who asks gets %q, %v, want it made anew", got, err)
	}
	if n, err := (*Registry)(nil).Mend(t.Context()); n != 0 || err != nil {
		t.Errorf("without upstreams: %d, %v", n, err)
	}
}
