package server

// This file has upstreams that take long, or fail for one path, for every protocol.

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"larder/internal/config"
	"larder/store"
	"larder/upstream"
)

// TestPatience: a file may be slow to begin, one that is slow to end holds nothing up, and a path that fails takes
// nothing else of its host away.
func TestPatience(t *testing.T) {
	for _, sp := range specimens() {
		t.Run(string(sp.kind), func(t *testing.T) {
			t.Parallel()
			o := newOrigin(t, sp)
			var all sync.WaitGroup
			all.Go(func() { testLateFile(t, o) })
			all.Go(func() { testSlowTransfer(t, o) })
			all.Go(func() { testBrokenPath(t, o) })
			all.Wait()
		})
	}
}

// isFile matches requests for the specimen's file: crates have an address of their own, which config.json names.
func (o *origin) isFile(r *http.Request) bool {
	return r.URL.Path == o.specimen.file || o.kind == store.Cargo && strings.HasSuffix(r.URL.Path, ".crate")
}

func testLateFile(t *testing.T, o *origin) {
	const late = 12 * time.Second
	c := newChain(t, o)
	c.fetch(o.meta)
	c.way.inject(-1, o.isFile, func(w http.ResponseWriter, r *http.Request, pass http.Handler) {
		time.Sleep(late)
		pass.ServeHTTP(w, r)
	})
	if status, _, took := c.fetch(o.specimen.file); status != 200 || took < late {
		t.Errorf("a file whose first byte takes %s: %d after %s, want 200", late, status, took)
	}
}

func testSlowTransfer(t *testing.T, o *origin) {
	c := newChain(t, o, func(u *config.Upstream) { u.Connections = upstream.Places{Documents: 1, Files: 1} })
	begun, release := make(chan struct{}, 8), make(chan struct{})
	c.way.inject(1, o.isFile, func(w http.ResponseWriter, r *http.Request, pass http.Handler) {
		w.WriteHeader(200)
		w.(http.Flusher).Flush()
		begun <- struct{}{}
		<-release
		panic(http.ErrAbortHandler)
	})
	var slow sync.WaitGroup
	slow.Go(func() { c.fetch(o.specimen.file) })
	select {
	case <-begun:
	case <-time.After(20 * time.Second):
		t.Error("the file was not asked for")
	}
	if status, _, took := c.fetch(o.meta); status != 200 || took > 2*time.Second {
		t.Errorf("a document while a file is on its way: %d after %s, want 200 at once", status, took)
	}
	close(release)
	slow.Wait()
}

func testBrokenPath(t *testing.T, o *origin) {
	c := newChain(t, o)
	c.way.inject(-1, o.isFile, faults()["500"])
	var many sync.WaitGroup
	for range 8 {
		many.Go(func() {
			for range 3 {
				c.fetch(o.specimen.file)
			}
		})
	}
	many.Wait()
	if status, _, took := c.fetch(o.meta); status != 200 || took > 2*time.Second {
		t.Errorf("a document after a file has failed many times: %d after %s, want 200 at once", status, took)
	}
}
