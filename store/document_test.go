package store_test

// This file tests rendered documents: rendered once, outdated by changes, bounded in memory, in every encoding.

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/klauspost/compress/zstd"

	"larder/store"
	"larder/store/storetest"
)

var docKey = store.DocKey{Kind: store.NPM, Package: "a", Base: "http://registry.example.com", Format: "full"}

// static renders body and counts how often.
func static(n *atomic.Int64, body string) func(context.Context) (store.Rendered, error) {
	return func(context.Context) (store.Rendered, error) {
		n.Add(1)
		return store.Rendered{Body: []byte(body), Type: "application/json"}, nil
	}
}

// encoded is the document in an encoding.
func encoded(t *testing.T, d *store.Document, encoding string) []byte {
	t.Helper()
	p, err := d.Encoded(encoding)
	if err != nil {
		t.Error(err)
	}
	return p
}

func TestDocumentIsTheSameInEveryEncoding(t *testing.T) {
	s := storetest.New(t)
	body := strings.Repeat("all work and no play ", 500)
	var n atomic.Int64
	d, err := s.Document(ctx, docKey, static(&n, body))
	must(t, err)
	zr, err := gzip.NewReader(bytes.NewReader(encoded(t, d, store.Gzip)))
	must(t, err)
	plain, err := io.ReadAll(zr)
	must(t, err)
	zd, err := zstd.NewReader(nil)
	must(t, err)
	defer zd.Close()
	fromZstd, err := zd.DecodeAll(encoded(t, d, store.Zstd), nil)
	must(t, err)
	if string(encoded(t, d, store.Identity)) != body || string(plain) != body || string(fromZstd) != body ||
		d.Size != int64(len(body)) {
		t.Error("an encoding has other bytes")
	}
	tags := map[string]bool{d.ETag: true, d.ETagFor("gzip"): true, d.ETagFor("zstd"): true}
	if len(tags) != 3 || d.ETagFor("") != d.ETag || d.ETag[0] != '"' {
		t.Errorf("the ETags are %v, want three, quoted, and the first for no encoding", tags)
	}
	again, err := s.Document(ctx, docKey, static(&n, "never rendered"))
	if err != nil || again != d || n.Load() != 1 {
		t.Errorf("rendered %d times, %v; want once", n.Load(), err)
	}
	small, err := s.Document(ctx, store.DocKey{Kind: store.NPM, Package: "b"}, static(&n, "tiny"))
	if err != nil || encoded(t, small, store.Gzip) != nil || encoded(t, small, store.Zstd) != nil {
		t.Errorf("a tiny document: %v; want it without compressed encodings", err)
	}
}

// TestDocumentKeepsTheETagItWasGiven: a protocol whose clients compute the tag says it; bytes that are compressed stay
// as they are.
func TestDocumentKeepsTheETagItWasGiven(t *testing.T) {
	s := storetest.New(t)
	body := []byte(strings.Repeat("all work and no play ", 500))
	d, err := s.Document(ctx, docKey, func(context.Context) (store.Rendered, error) {
		return store.Rendered{Body: body, ETag: `"md5"`, Packed: true}, nil
	})
	must(t, err)
	if d.ETag != `"md5"` || d.ETagFor("gzip") != `"md5-gzip"` || encoded(t, d, store.Gzip) != nil ||
		encoded(t, d, store.Zstd) != nil || d.Sum != sha256.Sum256(body) {
		t.Errorf("ETag %s and %s, sum %x; want those given, the body's sum, and no other encoding",
			d.ETag, d.ETagFor("gzip"), d.Sum)
	}
}

func TestDocumentIsOutdatedByChanges(t *testing.T) {
	s := storetest.New(t)
	var n atomic.Int64
	kindKey := store.DocKey{Kind: store.NPM, Format: "list"}
	render := func() {
		t.Helper()
		for _, k := range []store.DocKey{docKey, kindKey, {Kind: store.NPM, Package: "b"}} {
			if _, err := s.Document(ctx, k, static(&n, "x")); err != nil {
				t.Fatal(err)
			}
		}
	}
	render()
	publish(t, s, "a", version{ID: "1"})
	render()
	if n.Load() != 5 { // all three, then a's and the kind's
		t.Errorf("rendered %d times, want 5", n.Load())
	}
	b := storetest.Put(t, s, "layer")
	must(t, npm(s).Update(ctx, "a", func(p *packageTx) error { return p.Hold(b) }))
	render()
	if n.Load() != 5 {
		t.Errorf("a loose hold outdated documents")
	}
}

func TestDocumentErrorsAreNotKept(t *testing.T) {
	s := storetest.New(t)
	fail := func(context.Context) (store.Rendered, error) { return store.Rendered{}, errMine }
	_, err := s.Document(ctx, docKey, fail)
	wantErr(t, err, errMine)
	var n atomic.Int64
	_, err = s.Document(ctx, docKey, static(&n, "x"))
	if err != nil || n.Load() != 1 {
		t.Errorf("after an error: %v, rendered %d times; want it rendered anew", err, n.Load())
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic is gone")
			}
		}()
		key := store.DocKey{Kind: store.NPM, Package: "p"}
		_, _ = s.Document(ctx, key, func(context.Context) (store.Rendered, error) { panic("x") })
	}()
	_, err = s.Document(ctx, store.DocKey{Kind: store.NPM, Package: "p"}, static(&n, "x"))
	must(t, err)
}

// TestDocumentIsRenderedOnceForAllWhoWait lets many ask at once, the first of them having gone away.
func TestDocumentIsRenderedOnceForAllWhoWait(t *testing.T) {
	s := storetest.New(t)
	var n atomic.Int64
	entered, release := make(chan struct{}), make(chan struct{})
	render := func(c context.Context) (store.Rendered, error) {
		if n.Add(1) == 1 {
			close(entered)
		}
		<-release
		return store.Rendered{Body: []byte("x")}, c.Err()
	}
	leader, leave := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = s.Document(leader, docKey, render) })
	<-entered
	leave()
	for range 20 {
		wg.Go(func() {
			if _, err := s.Document(ctx, docKey, render); err != nil {
				t.Error(err)
			}
		})
	}
	impatient, cancel := context.WithCancel(ctx)
	cancel()
	_, err := s.Document(impatient, docKey, render)
	wantErr(t, err, context.Canceled)
	close(release)
	wg.Wait()
	if n.Load() != 1 {
		t.Errorf("rendered %d times", n.Load())
	}
}

func TestDocumentCacheIsBounded(t *testing.T) {
	s := storetest.New(t, storetest.WithOptions(func(o *store.Options) { o.CacheBytes = 64 << 10 }))
	var n atomic.Int64
	noise := make([]byte, 15<<10) // does not compress
	rng := rand.NewChaCha8([32]byte{})
	_, _ = rng.Read(noise)
	ask := func(i int) {
		_, err := s.Document(ctx, store.DocKey{Kind: store.NPM, Package: strconv.Itoa(i)}, static(&n, string(noise)))
		must(t, err)
	}
	for i := range 4 {
		ask(i)
	}
	ask(0)
	if n.Load() != 4 {
		t.Fatalf("four documents of 15 KiB do not fit into 64 KiB: %d renderings", n.Load())
	}
	ask(4) // pushes out 1, the least recently used
	ask(0)
	ask(1)
	if n.Load() != 6 {
		t.Errorf("%d renderings, want 6", n.Load())
	}
	_, err := s.Document(ctx, docKey, static(&n, strings.Repeat(string(noise), 8)))
	must(t, err)
	ask(0)
	if n.Load() != 7 {
		t.Errorf("a document above the limit emptied the cache")
	}
}

// TestDocumentKeepsWhatIsAskedFor: documents that are read in gzip take the cache no more than that, and the others
// come back from it; what is asked for as it is stays so.
func TestDocumentKeepsWhatIsAskedFor(t *testing.T) {
	s := storetest.New(t, storetest.WithOptions(func(o *store.Options) { o.CacheBytes = 512 << 10 }))
	var n atomic.Int64
	body := strings.Repeat("all work and no play ", 5000)
	ask := func(i int, encoding string) []byte {
		d, err := s.Document(ctx, store.DocKey{Kind: store.NPM, Package: strconv.Itoa(i)}, static(&n, body))
		must(t, err)
		return encoded(t, d, encoding)
	}
	for range 2 {
		for i := range 100 {
			ask(i, store.Gzip)
		}
	}
	if n.Load() != 100 {
		t.Errorf("100 documents that compress to nothing were rendered %d times", n.Load())
	}
	var wg sync.WaitGroup
	for _, encoding := range []string{store.Identity, store.Zstd, store.Gzip, store.Identity} {
		wg.Go(func() {
			if p := ask(0, encoding); encoding == store.Identity && string(p) != body || len(p) == 0 {
				t.Errorf("encoding %q has %d bytes, want the body's", encoding, len(p))
			}
		})
	}
	wg.Wait()
	for i := range 3 {
		ask(i, store.Identity)
	}
	if n.Load() != 100 {
		t.Errorf("%d renderings", n.Load())
	}
	for i := range 5 {
		ask(i, store.Identity)
	}
	ask(50, store.Gzip)
	if n.Load() != 101 {
		t.Errorf("%d renderings: five bodies of 100 KiB and 95 others stayed in 512 KiB", n.Load())
	}
}

// TestDocumentsAgainstPublishes renders while others publish: whoever asks after a publish returned sees it.
func TestDocumentsAgainstPublishes(t *testing.T) {
	s := storetest.New(t)
	r := npm(s)
	render := func(c context.Context) (out store.Rendered, err error) {
		err = r.View(c, "a", func(p *packageTx) error {
			row, err := p.Package()
			out.Body = strconv.AppendInt(nil, int64(row.Versions), 10)
			return err
		})
		return out, err
	}
	publish(t, s, "a", version{ID: "0"})
	var done atomic.Int64
	done.Store(1)
	var writers, readers sync.WaitGroup
	stop := make(chan struct{})
	for w := range 4 {
		writers.Go(func() {
			for i := range 20 {
				err := r.Update(ctx, "a", func(p *packageTx) error { return p.Publish(version{ID: fmt.Sprintf("%d.%d", w+1, i)}) })
				if err != nil {
					t.Error(err)
				}
				done.Add(1)
			}
		})
	}
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				least := done.Load()
				d, err := s.Document(ctx, docKey, render)
				if err != nil {
					t.Error(err)
					return
				}
				if got, _ := strconv.ParseInt(string(encoded(t, d, store.Identity)), 10, 64); got < least {
					t.Errorf("the document shows %d versions, %d were published before", got, least)
					return
				}
			}
		})
	}
	writers.Wait()
	close(stop)
	readers.Wait()
}

// TestDocumentHitNeedsNoDisk closes the store: a hit still answers, so it asked neither bbolt nor the disk.
func TestDocumentHitNeedsNoDisk(t *testing.T) {
	s, err := store.Open(t.TempDir(), store.Options{Reserve: 1})
	must(t, err)
	var n atomic.Int64
	_, err = s.Document(ctx, docKey, static(&n, "x"))
	must(t, err)
	must(t, s.Close())
	d, err := s.Document(ctx, docKey, static(&n, "y"))
	if err != nil || string(encoded(t, d, store.Identity)) != "x" {
		t.Errorf("the document of a closed store: %v, want it from memory", err)
	}
}
