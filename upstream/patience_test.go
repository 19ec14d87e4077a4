package upstream

// This file has registries that take long, and requests that wait for their turn.

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// held answers with so many bytes of which none follows the header before release is closed. It tells begun of each.
func held(body []byte) (h http.HandlerFunc, begun chan string, release chan struct{}) {
	begun, release = make(chan string, 64), make(chan struct{})
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Length", "1048576")
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		begun <- r.URL.Path
		<-release
		_, _ = w.Write(body)
	}, begun, release
}

func TestTimeInLineIsNotOfTheBudget(t *testing.T) {
	t.Parallel()
	g := newRig(t, func(o *Options) { o.Upstreams[0].Connections.Documents = 1 })
	begun, release := make(chan struct{}), make(chan struct{})
	g.origin.answer(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/slow") {
			close(begun)
			<-release
		}
	})
	slow := make(chan error, 1)
	go func() {
		_, err := g.ask(context.Background(), request{ref: "slow"})
		slow <- err
	}()
	<-begun
	const budget = 200 * time.Millisecond
	time.AfterFunc(2*budget, func() { close(release) })
	if _, err := g.ask(withBudget(t.Context(), budget), request{ref: "demo"}); err != nil {
		t.Errorf("after a wait of twice its budget: %v, want an answer", err)
	}
	if err := <-slow; err != nil {
		t.Error(err)
	}
}

// TestBudgetStandsStillWhileSomebodyWaits: requests of one answer that wait at the same time get the time back once.
func TestBudgetStandsStillWhileSomebodyWaits(t *testing.T) {
	b := budgetOf(newBudget(t.Context(), time.Minute))
	before := b.deadline()
	first, second := b.hold(), b.hold()
	time.Sleep(20 * time.Millisecond)
	first()
	during := b.deadline()
	if during.Sub(before) < 20*time.Millisecond {
		t.Errorf("while one waits the deadline has moved by %s, want at least 20ms", during.Sub(before))
	}
	second()
	end := b.deadline()
	time.Sleep(time.Millisecond)
	if again := b.deadline(); !again.Equal(end) || end.Before(during) {
		t.Errorf("when nobody waits the deadline moves from %s by %s", end.Sub(during), again.Sub(end))
	}
}

// TestTransferHoldsNoPlaceOfDocuments: while as many files as may be asked for at once are on their way, documents and
// small files are answered, and a further file waits.
func TestTransferHoldsNoPlaceOfDocuments(t *testing.T) {
	t.Parallel()
	g := newRig(t, func(o *Options) { o.Upstreams[0].Connections = Places{Documents: 1, Files: 1} })
	body := noise(1 << 20)
	big, begun, release := held(body)
	g.origin.answer(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.Contains(r.URL.Path, "big"):
			big(w, r)
		case strings.Contains(r.URL.Path, "larger"):
			_, _ = w.Write(noise(2 << 20)) // nobody reads all of it
		default:
			_, _ = w.Write([]byte("here"))
		}
	})
	f, err := g.file("big", body)
	if err != nil {
		t.Fatal(err)
	}
	<-begun
	if _, got, err := g.doc("demo"); err != nil || got != "here" {
		t.Errorf("a document: %q %v, want an answer", got, err)
	}
	q := FileQuery{Package: "demo", Version: "1.0.0", Key: "small", Find: func(context.Context) (Place, error) {
		return Place{Upstream: g.set.list[0], Ref: "files/small", Size: 4}, nil
	}}
	if _, err := g.set.File(t.Context(), q); err != nil {
		t.Errorf("a small file: %v, want an answer", err)
	}
	ctx, leave := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer leave()
	if _, err := g.file("whoever", nil); err != nil {
		t.Errorf("a file that turns out to be small: %v, want an answer", err)
	}
	q.Key, q.Find = "another", func(context.Context) (Place, error) {
		return Place{Upstream: g.set.list[0], Ref: "files/larger"}, nil
	}
	if _, err := g.set.File(ctx, q); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("another file: %v, want that it waits", err)
	}
	close(release)
	if got, err := g.read(f); err != nil || !bytes.Equal(got, body) {
		t.Errorf("the first file has %d bytes and ends with %v, want %d", len(got), err, len(body))
	}
}

// TestTransferOverHTTP2GivesItsPlaceBack: one connection carries all, and a place is for the wait for the header.
func TestTransferOverHTTP2GivesItsPlaceBack(t *testing.T) {
	t.Parallel()
	body := noise(1 << 20)
	big, begun, release := held(body)
	srv := httptest.NewUnstartedServer(big)
	srv.EnableHTTP2 = true
	srv.StartTLS()
	t.Cleanup(srv.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
	if err := os.WriteFile(ca, block, 0o600); err != nil {
		t.Fatal(err)
	}
	g := newRig(t, func(o *Options) {
		o.Upstreams[0].URL, o.Upstreams[0].CA, o.Upstreams[0].Connections = srv.URL, ca, Places{Files: 1}
	})
	var all []*File
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		f, err := g.file(name, body)
		if err != nil {
			t.Fatal(err)
		}
		<-begun
		all = append(all, f)
	}
	close(release)
	for i, f := range all {
		if got, err := g.read(f); err != nil || !bytes.Equal(got, body) {
			t.Errorf("file %d has %d bytes and ends with %v, want %d", i, len(got), err, len(body))
		}
	}
}

func TestFileMayTakeLongerThanADocument(t *testing.T) {
	t.Parallel()
	const most = 200 * time.Millisecond
	g := newRig(t, func(o *Options) { o.Upstreams[0].Timeout.Documents = most })
	g.origin.answer(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(3 * most)
		_, _ = w.Write([]byte("here"))
	})
	if _, _, err := g.doc("demo"); !errors.Is(err, ErrUnavailable) {
		t.Errorf("a document: %v, want ErrUnavailable", err)
	}
	if got := g.filesOf("file"); got != 1 {
		t.Error("a file is not served")
	}
}

// TestClientHasTheHeaderWhenNoByteFollowsIt: a small file is answered when it is all here, but not later than a client
// would give up.
func TestClientHasTheHeaderWhenNoByteFollowsIt(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	body := noise(4000)
	begun, release := make(chan struct{}, 1), make(chan struct{})
	g.origin.answer(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "4000")
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		begun <- struct{}{}
		<-release
		_, _ = w.Write(body)
	})
	f, err := g.file("small", body)
	if err != nil {
		t.Fatal(err)
	}
	<-begun
	if f.Size != 4000 || !f.Follows() {
		t.Errorf("the file is %d bytes, on its way %t; want 4000 and true", f.Size, f.Follows())
	}
	close(release)
	if got, err := g.read(f); err != nil || !bytes.Equal(got, body) {
		t.Errorf("%d bytes, %v; want the file", len(got), err)
	}
}
