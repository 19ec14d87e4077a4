package upstream

// This file has the rig of the other tests: upstreams on a real store, and a registry whose answers a test writes.

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"larder/store"
	"larder/store/storetest"
)

// rig is a set of npm upstreams on a real store; origin is a registry whose answers a test writes.
type rig struct {
	t      testing.TB
	store  *store.Store
	clock  *storetest.Clock
	reg    *Registry
	set    *Set
	origin *origin0
}

// origin0 is a remote registry.
type origin0 struct {
	*httptest.Server
	asked atomic.Int64

	mu     sync.Mutex // guards handle
	handle http.HandlerFunc
}

func newOrigin(t testing.TB) *origin0 {
	o := &origin0{handle: http.NotFound}
	o.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o.asked.Add(1)
		o.mu.Lock()
		h := o.handle
		o.mu.Unlock()
		h(w, r)
	}))
	t.Cleanup(o.Close)
	return o
}

func (o *origin0) answer(h http.HandlerFunc) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.handle = h
}

func newRig(t testing.TB, change ...func(*Options)) *rig {
	t.Helper()
	g := &rig{t: t, clock: storetest.NewClock(), origin: newOrigin(t)}
	g.store = storetest.New(t, storetest.WithClock(g.clock))
	o := Options{Upstreams: []Config{{Kind: store.NPM, Name: "main", URL: g.origin.URL + "/registry"}}, Now: g.clock.Now}
	for _, f := range change {
		f(&o)
	}
	var err error
	if g.reg, err = New(g.store, nil, o); err != nil {
		t.Fatal(err)
	}
	g.set = g.reg.Set(store.NPM, Protocol{})
	t.Cleanup(g.reg.Close)
	return g
}

func (g *rig) doc(name string) (*Document, string, error) {
	d, err := g.set.Document(context.Background(), Query{Package: name, Key: "doc", Ref: name, Fresh: time.Minute})
	if err != nil {
		return nil, "", err
	}
	b, err := d.Bytes(context.Background())
	return d, string(b), err
}

func noise(n int) []byte {
	p := make([]byte, n)
	r := rand.New(rand.NewPCG(1, uint64(n)))
	for i := range p {
		p[i] = byte(r.Uint32())
	}
	return p
}

func sha(p []byte) string {
	h := sha256.Sum256(p)
	return hex.EncodeToString(h[:])
}

// file asks for the file called key with the sums of want; want nil asks without.
func (g *rig) file(key string, want []byte) (*File, error) {
	return g.set.File(context.Background(), FileQuery{Package: "demo", Version: "1.0.0", Key: key,
		Find: func(context.Context) (Place, error) {
			p := Place{Upstream: g.set.list[0], Ref: "files/" + key}
			if want != nil {
				p.Sums = map[string]string{"sha256": sha(want)}
			}
			return p, nil
		}})
}

// read takes a whole file.
func (g *rig) read(f *File) ([]byte, error) {
	defer f.Close()
	if !f.Follows() {
		file, _, err := g.store.OpenBlob(context.Background(), f.Blob.Digest)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		return io.ReadAll(file)
	}
	var b sliceWriter
	err := f.Copy(context.Background(), &b, 0, -1)
	return b, err
}

type sliceWriter []byte

func (s *sliceWriter) Write(p []byte) (int, error) {
	*s = append(*s, p...)
	return len(p), nil
}
