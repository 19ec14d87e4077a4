package upstream

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
)

// TestDeadFileHostIsNotTheRegistry: documents of a registry name another host for files, or it redirects there, and that
// host is dead or answers 500: the registry is asked for other packages as before, and the dead host is left alone.
func TestDeadFileHostIsNotTheRegistry(t *testing.T) {
	failing := newOrigin(t)
	failing.answer(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for what, host := range map[string]string{"dead": gone.URL, "failing": failing.URL} {
		for _, redirected := range []bool{false, true} {
			t.Run(what+" redirected "+strconv.FormatBool(redirected), func(t *testing.T) {
				g := newRig(t, func(o *Options) {
					o.Upstreams[0].Hosts = []string{strings.TrimPrefix(host, "http://")}
				})
				g.origin.answer(func(w http.ResponseWriter, r *http.Request) {
					if strings.Contains(r.URL.Path, "/files/") {
						http.Redirect(w, r, host+"/x", http.StatusFound)
						return
					}
					_, _ = w.Write([]byte("here")) // a client that left fails its own check
				})
				for i := range 3 {
					ref := host + "/" + strconv.Itoa(i)
					if redirected {
						ref = "files/" + strconv.Itoa(i)
					}
					q := FileQuery{Package: "demo", Version: "1.0.0", Key: ref, Find: func(context.Context) (Place, error) {
						return Place{Upstream: g.set.list[0], Ref: ref}, nil
					}}
					if _, err := g.set.File(t.Context(), q); err == nil {
						t.Fatalf("a file of the %s host: no error", what)
					}
				}
				if _, got, err := g.doc("another"); err != nil || got != "here" {
					t.Errorf("another package: %q %v, want the registry's answer", got, err)
				}
				if asked := failing.asked.Load(); !redirected && what == "failing" {
					q := FileQuery{Package: "demo", Version: "1.0.0", Key: "last", Find: func(context.Context) (Place, error) {
						return Place{Upstream: g.set.list[0], Ref: host + "/last"}, nil
					}}
					if _, err := g.set.File(t.Context(), q); err == nil || failing.asked.Load() != asked {
						t.Errorf("the failing host was asked %d times more (%v), want none", failing.asked.Load()-asked, err)
					}
				}
			})
		}
	}
}
