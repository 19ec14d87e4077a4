package upstream

// Files that nobody gives a sum of: the first copy counts.

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestFileWithoutSumIsPinned: its first copy counts also after it was evicted, until an administrator purges the
// package.
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
	evict()
	body = "second"
	_, err = fetch()
	var trouble *Unavailable
	if !errors.As(err, &trouble) {
		t.Fatalf("other bytes are answered with %v, want trouble", err)
	}
	for _, part := range []string{sha([]byte("first")), sha([]byte("second")), "larder upstream purge npm demo"} {
		if !strings.Contains(trouble.Public(), part) {
			t.Errorf("the refusal lacks %s: %s", part, trouble.Public())
		}
	}
	pinned(1)
	if _, err := g.reg.Purge(ctx, "npm", "demo"); err != nil {
		t.Fatal(err)
	}
	pinned(0)
	if got, err := fetch(); got != "second" || err != nil {
		t.Errorf("after the purge it is %q, %v", got, err)
	}
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
