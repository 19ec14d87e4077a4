package upstream

// This file restarts registries whose upstreams have confirmed what is kept.

import (
	"context"
	"net/http"
	"strconv"
	"testing"
	"time"

	"larder/store"
)

// confirms answers with a document that never changes.
func confirms(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("ETag", `"1"`)
	if r.Header.Get("If-None-Match") == `"1"` {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.Write([]byte("hello"))
}

// confirmations are the rows of a kind of records.
func (g *rig) confirmations(k store.Kind) (n int) {
	g.t.Helper()
	err := g.store.View(context.Background(), func(tx *store.Tx) error {
		n = 0
		for range tx.Table(tableConfirmed).Scan([]byte(string(k)+"\x00"), nil) {
			n++
		}
		return nil
	})
	if err != nil {
		g.t.Fatal(err)
	}
	return n
}

// crashed is the registry after a crash: what was not flushed is lost.
func (g *rig) crashed() {
	g.t.Helper()
	g.reg.uses.take()
	g.again(Options{Upstreams: []Config{{Kind: store.NPM, Name: "main", URL: g.origin.URL + "/registry"}}})
}

// TestConfirmationsAreWrittenInBatches: none of them costs a transaction, and a crash loses those of the last batch.
func TestConfirmationsAreWrittenInBatches(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.origin.answer(confirms)
	const documents = 50
	ask := func(from, to int) (asked int64) {
		t.Helper()
		before := g.origin.asked.Load()
		for i := from; i < to; i++ {
			if _, body, err := g.doc("demo" + strconv.Itoa(i)); body != "hello" || err != nil {
				t.Fatalf("document %d: %q, %v, want hello", i, body, err)
			}
		}
		return g.origin.asked.Load() - before
	}
	ask(0, documents)
	g.clock.Advance(2 * time.Hour)
	if n := ask(0, documents/2); n != documents/2 {
		t.Errorf("asked %d times for %d old documents", n, documents/2)
	}
	if n := g.confirmations(store.NPM.Documents()); n != 0 {
		t.Errorf("%d confirmations are written before the batch, want 0", n)
	}
	if err := g.reg.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := g.confirmations(store.NPM.Documents()); n != documents/2 {
		t.Errorf("%d confirmations are written by the batch, want %d", n, documents/2)
	}
	ask(documents/2, documents)
	g.crashed()
	if n := ask(0, documents/2); n != 0 {
		t.Errorf("after a crash %d requests for what was written down, want 0", n)
	}
	if n := ask(documents/2, documents); n != documents/2 {
		t.Errorf("after a crash %d requests for the batch that was lost, want %d", n, documents/2)
	}
}

// TestConfirmationOfAFileOutlivesARestart, of one that changes under its name.
func TestConfirmationOfAFileOutlivesARestart(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.origin.answer(confirms)
	ask := func() int64 {
		t.Helper()
		before := g.origin.asked.Load()
		q := g.at("demo-1.0-SNAPSHOT.jar")
		q.Fresh = time.Minute
		f, err := g.set.File(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if body, err := g.read(f); string(body) != "hello" || err != nil {
			t.Fatalf("%q, %v, want hello", body, err)
		}
		return g.origin.asked.Load() - before
	}
	ask()
	g.clock.Advance(time.Hour)
	if n := ask(); n != 1 {
		t.Errorf("asked %d times for an old file, want 1", n)
	}
	g.again(Options{Upstreams: []Config{{Kind: store.NPM, Name: "main", URL: g.origin.URL + "/registry"}}})
	if n := ask(); n != 0 {
		t.Errorf("after a restart asked %d times, want 0", n)
	}
}

// TestConfirmationsGoWithWhatTheyAreOf, and those that cannot be written down wait.
func TestConfirmationsGoWithWhatTheyAreOf(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.origin.answer(confirms)
	for range 2 {
		if _, _, err := g.doc("demo"); err != nil {
			t.Fatal(err)
		}
		g.clock.Advance(2 * time.Hour)
	}
	g.store.SetReadOnly("a test")
	if err := g.reg.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	g.store.SetReadOnly("")
	if err := g.reg.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := g.confirmations(store.NPM.Documents()); n != 1 {
		t.Errorf("%d confirmations are written once the store takes changes again, want 1", n)
	}
	if _, err := g.reg.Purge(t.Context(), store.NPM, "demo"); err != nil {
		t.Fatal(err)
	}
	if n := g.confirmations(store.NPM.Documents()); n != 0 {
		t.Errorf("%d confirmations are left of a package that is not kept any more, want 0", n)
	}
}
