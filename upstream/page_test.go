package upstream

// This file tests what becomes of pages that come instead of files.

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"

	"larder/store"
)

// TestPageIsNoFile: a page is in trouble's words what came, is not kept, and does not count as the first copy of the
// file, which comes afterwards. What may be a page is one.
func TestPageIsNoFile(t *testing.T) {
	const form = "\ufeff <!DOCTYPE HTML><title>Sign in</title>"
	web, empty := "answered a web page instead of the file", "answered an empty page instead of the file"
	for _, c := range []struct {
		kind       store.Kind
		name, came string
		sums       map[string]string
		says       string // "": it is the file
	}{
		{store.NPM, "demo.tgz", form, nil, web},
		{store.NPM, "demo.tgz", "", nil, empty},
		{store.NPM, "demo.tgz", form, map[string]string{"sha256": sha([]byte("the file"))}, web},
		{store.NPM, "demo.tgz", form, map[string]string{"sha256": sha([]byte(form))}, ""},
		{store.Composer, "zipball/8f3a?from=html", form, nil, web},
		{store.Maven, "demo.pom", "<html></html>", nil, web},
		{store.Maven, "demo.pom?raw", "", nil, empty},
		{store.Maven, "demo.html", form, nil, ""},
		{store.Maven, "demo.txt", "", nil, ""},
		{store.NPM, "demo.tgz", "<project>", nil, ""},
	} {
		t.Run(string(c.kind)+" "+c.name, func(t *testing.T) {
			t.Parallel()
			g := newRig(t, func(o *Options) { o.Upstreams[0].Kind = c.kind })
			g.set = g.reg.Set(c.kind, Protocol{})
			body := c.came
			g.origin.answer(func(w http.ResponseWriter, _ *http.Request) {
				_, _ = io.WriteString(w, body) // a client that left fails its own check
			})
			get := func() (string, error) {
				f, err := g.set.File(context.Background(), FileQuery{Package: "demo", Version: "1.0.0", Key: "file",
					Find: func(context.Context) (Place, error) {
						return Place{Upstream: g.set.list[0], Ref: c.name, Sums: c.sums}, nil
					}})
				if err != nil {
					return "", err
				}
				b, err := g.read(f)
				return string(b), err
			}
			got, err := get()
			if c.says == "" {
				if err != nil || got != c.came {
					t.Errorf("%q, %v, want %q", got, err, c.came)
				}
				return
			}
			var trouble *Unavailable
			if !errors.As(err, &trouble) || trouble.Public() != "The upstream registry main "+c.says+
				", and this is not in the cache." {
				t.Errorf("%q, %v, want trouble that says that main %s", got, err, c.says)
			}
			body = "the file"
			if got, err := get(); err != nil || got != body {
				t.Errorf("afterwards: %q, %v, want %q", got, err, body)
			}
		})
	}
}
