package upstream

// Files that nobody gives a sum of: the first copy counts.

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"larder/internal/problem"
	"larder/store"
)

// TestFileWithoutSumIsPinned: other bytes are refused as long as its copy is here. Once that was evicted they take its
// place, which the journal and the counts say.
func TestFileWithoutSumIsPinned(t *testing.T) {
	g := newRig(t, func(o *Options) { o.CacheAge = time.Hour })
	ctx := context.Background()
	body := "first"
	g.origin.answer(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) })
	fetch := func() (string, error) {
		f, err := g.file("f", nil)
		if err != nil {
			return "", err
		}
		got, err := g.read(f)
		return string(got), err
	}
	evict := func() {
		t.Helper()
		g.evict("demo", "f")
	}
	pinned := func(want int64) {
		t.Helper()
		list := g.reg.Status()
		if err := g.reg.CountPinned(ctx, list); err != nil || list[0].Pinned != want {
			t.Errorf("%d files are pinned, %v, want %d", list[0].Pinned, err, want)
		}
	}
	if got, err := fetch(); got != "first" || err != nil {
		t.Fatalf("the first copy is %q, %v", got, err)
	}
	k, err := load(ctx, g.set.bytes, g.set.files, "demo", "f")
	if err != nil || k == nil || !k.Pinned {
		t.Fatalf("the record is %+v, %v, want it marked", k, err)
	}
	pinned(1)
	evict()
	if got, err := fetch(); got != "first" || err != nil {
		t.Errorf("the same bytes again are %q, %v", got, err)
	}
	check := func(body string, replace bool) error {
		return g.store.Update(ctx, func(tx *store.Tx) error {
			at := digest.Digest("sha256:" + sha([]byte(body)))
			return g.set.checkPin(tx, g.set.list[0], fileID{"demo", "f"}, at, replace)
		})
	}
	err = g.set.list[0].unavailable(check("second", true), 0)
	if !errors.Is(err, ErrBroken) {
		t.Fatalf("other bytes while the copy is here are answered with %v, want trouble", err)
	}
	for _, part := range []string{sha([]byte("first")), sha([]byte("second")), "larder upstream purge npm demo"} {
		if text := problem.Public(err); !strings.Contains(text, part) {
			t.Errorf("the refusal lacks %s: %s", part, text)
		}
	}
	evict()
	if err := check("second", false); !errors.Is(err, ErrBroken) {
		t.Errorf("other bytes with a sum that says so are answered with %v, want trouble", err)
	}
	body = "second"
	if got, err := fetch(); got != "second" || err != nil {
		t.Errorf("other bytes after the copy was evicted are %q, %v, want them", got, err)
	}
	pinned(1)
	if n := g.reg.Status()[0].Repinned; n != 1 {
		t.Errorf("%d files are counted as changed, want 1", n)
	}
	if note := g.noted(OpRepin); !strings.Contains(note, sha([]byte("first"))) ||
		!strings.Contains(note, sha([]byte("second"))) {
		t.Errorf("the journal says %q, want both sums", note)
	}
	if err := check("third", true); !errors.Is(err, ErrBroken) {
		t.Errorf("other bytes than the new ones are answered with %v, want trouble", err)
	}
	if _, err := g.reg.Purge(ctx, "npm", "demo"); err != nil {
		t.Fatal(err)
	}
	pinned(0)
}

// noted is the note of the last entry of an operation in the journal, "" without one.
func (g *rig) noted(op store.Op) (note string) {
	g.t.Helper()
	entries, err := g.store.Journal(context.Background(), 0, 1000)
	if err != nil {
		g.t.Fatal(err)
	}
	for _, e := range entries {
		if e.Op == op {
			note = e.Package + " " + e.Note
		}
	}
	return note
}

// TestOnlyFilesWithoutSumsArePinned: not those that a sum was right for, that change, or that are made of others.
func TestOnlyFilesWithoutSumsArePinned(t *testing.T) {
	none := func(context.Context, *Upstream, http.Header, func(string) string) error { return nil }
	right := func(_ context.Context, _ *Upstream, _ http.Header, sum func(string) string) error {
		if got := sum("sha256"); got != sha([]byte("body")) {
			return ErrBroken
		}
		return nil
	}
	for what, row := range map[string]struct {
		place Place
		fresh time.Duration
		want  bool
	}{
		"nothing says":       {Place{}, 0, true},
		"no sum was found":   {Place{Verify: none}, 0, true},
		"a sum was found":    {Place{Verify: right}, 0, false},
		"a sum is announced": {Place{Sums: map[string]string{"sha256": sha([]byte("body"))}}, 0, false},
		"it changes":         {Place{}, time.Minute, false},
		"it is made anew":    {Place{Remade: true}, 0, false},
	} {
		t.Run(what, func(t *testing.T) {
			g := newRig(t)
			g.origin.answer(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("body")) })
			_, _, err := g.fetch(FileQuery{Package: "demo", Key: "f", Fresh: row.fresh,
				Find: func(context.Context) (Place, error) {
					p := row.place
					p.Upstream, p.Ref = g.set.list[0], "files/f"
					return p, nil
				}})
			if err != nil {
				t.Fatal(err)
			}
			k, err := load(t.Context(), g.set.bytes, g.set.files, "demo", "f")
			if err != nil || k == nil || k.Pinned != row.want {
				t.Errorf("the record is %+v, %v, want pinned %t", k, err, row.want)
			}
		})
	}
}
