package server

// This file lets many clients of every kind ask for one cold file at once.

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// TestManyClientsOfOneColdFile: in each kind the upstream is asked for it once, and all get its bytes.
func TestManyClientsOfOneColdFile(t *testing.T) {
	const clients = 64
	for _, sp := range specimens() {
		t.Run(string(sp.kind), func(t *testing.T) {
			t.Parallel()
			o := newOrigin(t, sp)
			c := newChain(t, o)
			var asked atomic.Int64
			isFile := func(r *http.Request) bool {
				return r.URL.Path == sp.file || strings.HasSuffix(r.URL.Path, ".crate") // which has another path there
			}
			c.way.inject(-1, isFile,
				func(w http.ResponseWriter, r *http.Request, pass http.Handler) {
					asked.Add(1)
					pass.ServeHTTP(w, r)
				})
			wrong := make(chan string, clients)
			var all sync.WaitGroup
			for range clients {
				all.Go(func() {
					resp, body, err := fetchURL(t, c.cache+sp.file, sp.head)
					if err != nil || resp.StatusCode != http.StatusOK || body != o.file {
						wrong <- fmt.Sprintf("%+v, %d bytes, %v", resp, len(body), err)
					}
				})
			}
			all.Wait()
			close(wrong)
			for w := range wrong {
				t.Errorf("a client got %s, want the %d bytes of the file", w, len(o.file))
			}
			if n := asked.Load(); n != 1 {
				t.Errorf("the upstream was asked for the file %d times, want once", n)
			}
		})
	}
}
