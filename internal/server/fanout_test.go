package server

// This file lets many clients ask a server for one thing of an upstream.

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"larder/internal/config"
	"larder/store"
	"larder/upstream"
)

// TestFanOut: many clients, one cold artifact, one fetch; the first client leaves and nobody notices; a wrong byte
// reaches nobody as a complete body and is not kept. (internal/bench has the times.)
func TestFanOut(t *testing.T) {
	body := []byte(noise(4 << 20))
	wrong := bytes.Clone(body)
	wrong[len(wrong)/2] ^= 1
	var fetches atomic.Int64
	var flip atomic.Bool
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fetches.Add(1)
		send := body
		if flip.Load() {
			send = wrong
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(send)))
		for part := range 32 {
			w.Write(send[part*len(send)/32 : (part+1)*len(send)/32])
			w.(http.Flusher).Flush()
			time.Sleep(15 * time.Millisecond)
		}
	}))
	t.Cleanup(origin.Close)
	cfg := testConfig(t)
	cfg.Upstreams = []config.Upstream{{Config: upstream.Config{Kind: store.OCI, Name: "origin", URL: origin.URL}}}
	cache := start(t, cfg, nil)
	path := func(repo string) string {
		return fmt.Sprintf("http://%s/v2/%s/blobs/sha256:%x", cache.addr, repo, sha256.Sum256(body))
	}
	read := func(ctx context.Context, url string) ([]byte, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return nil, err
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			return nil, err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("answered %s", resp.Status)
		}
		return io.ReadAll(resp.Body)
	}
	all := func(url string, each func([]byte, error)) {
		var wg sync.WaitGroup
		for range 32 {
			wg.Go(func() { each(read(t.Context(), url)) })
		}
		wg.Wait()
	}

	first, leave := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer leave()
	go read(first, path("demo/app"))
	time.Sleep(20 * time.Millisecond)
	all(path("demo/app"), func(got []byte, err error) {
		if err != nil || !bytes.Equal(got, body) {
			t.Errorf("%d bytes, %v", len(got), err)
		}
	})
	if n := fetches.Load(); n != 1 {
		t.Errorf("%d fetches", n)
	}

	flip.Store(true)
	all(path("demo/flipped"), func(got []byte, err error) {
		if err == nil || len(got) >= len(body) {
			t.Errorf("%d bytes of a wrong body, %v", len(got), err)
		}
	})
	flip.Store(false)
	before := fetches.Load()
	if got, err := read(t.Context(), path("demo/flipped")); err != nil || !bytes.Equal(got, body) ||
		fetches.Load() != before+1 {
		t.Errorf("afterwards: %d bytes, %v, %d fetches", len(got), err, fetches.Load()-before)
	}
}
