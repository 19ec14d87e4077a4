package upstream

// This file tests that a first publish is compared with upstreams, and waits for none.

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"larder/store"
)

// newCompareRig has two upstreams and what is logged.
func newCompareRig(t *testing.T) (g *rig, second *origin0, log *bytes.Buffer) {
	second = newOrigin(t)
	g = newRig(t, func(o *Options) {
		o.Upstreams = append(o.Upstreams, Config{Kind: store.NPM, Name: "second", URL: second.URL})
	})
	log = &bytes.Buffer{}
	g.reg.log = slog.New(slog.NewTextHandler(log, nil))
	g.set = g.reg.Set(store.NPM, Protocol{Probe: func(name string) Query {
		return Query{Package: name, Key: "doc", Ref: name, Fresh: time.Minute}
	}})
	return g, second, log
}

// TestOnlyAnAnswerRefusesAFirstPublish: what an upstream does not say lets a name through, with a notice, and the later
// comparison warns when the name exists.
func TestOnlyAnAnswerRefusesAFirstPublish(t *testing.T) {
	t.Parallel()
	g, second, log := newCompareRig(t)
	g.origin.answer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) })
	second.answer(http.NotFound)
	notice, err := g.set.MayPublish(t.Context(), "fresh")
	if err != nil || !strings.Contains(notice, "fresh was not compared with the upstream registry main,") {
		t.Fatalf("the first upstream refuses: %q, %v, want a notice that names it", notice, err)
	}
	asked := g.origin.asked.Load()
	if again, err := g.set.MayPublish(t.Context(), "fresh"); again != notice || err != nil {
		t.Errorf("the next request of the push: %q, %v, want the same notice", again, err)
	}
	if n := g.origin.asked.Load() - asked; n != 0 {
		t.Errorf("the next request of the push asked the upstream %d times, want 0", n)
	}
	err = store.NewRepo[struct{}](g.store, store.NPM).Update(t.Context(), "fresh",
		func(tx *store.PackageTx[struct{}]) error { return tx.Publish(store.Version[struct{}]{ID: "1.0.0"}) })
	if err != nil {
		t.Fatal(err)
	}
	g.origin.answer(answers("theirs"))
	if more := g.set.compareUnsure(t.Context()); more {
		t.Errorf("a name that could be compared is compared again")
	}
	if text := log.String(); !strings.Contains(text, "exists at an upstream") || !strings.Contains(text, "package=fresh") {
		t.Errorf("the log has %q, want a warning about fresh", text)
	}
}

// TestLaterComparisonAsksForFurtherDocuments that exist only where the name does, once the first one is absent.
func TestLaterComparisonAsksForFurtherDocuments(t *testing.T) {
	t.Parallel()
	g, second, log := newCompareRig(t)
	protocol := g.set.protocol
	protocol.ProbeLater = func(name string) []Query {
		return []Query{{Package: name, Key: "one", Ref: "one/" + name}, {Package: name, Key: "two", Ref: "two/" + name}}
	}
	g.set = g.reg.Set(store.NPM, protocol)
	g.origin.answer(http.NotFound)
	second.answer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) })
	if _, err := g.set.MayPublish(t.Context(), "fresh"); err != nil {
		t.Fatal(err)
	}
	err := store.NewRepo[struct{}](g.store, store.NPM).Update(t.Context(), "fresh",
		func(tx *store.PackageTx[struct{}]) error { return tx.Publish(store.Version[struct{}]{ID: "1.0.0"}) })
	if err != nil {
		t.Fatal(err)
	}
	second.answer(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/two/fresh" {
			http.NotFound(w, r)
		}
	})
	if more := g.set.compareUnsure(t.Context()); more {
		t.Error("a name that could be compared is compared again")
	}
	if text := log.String(); !strings.Contains(text, "exists at an upstream") || !strings.Contains(text, "second") {
		t.Errorf("the log has %q, want a warning that names the second upstream", text)
	}
}

// TestLaterComparisonAsksOnlyForWhatWasPublished: the name of a publish that failed is sent nowhere.
func TestLaterComparisonAsksOnlyForWhatWasPublished(t *testing.T) {
	t.Parallel()
	g, _, log := newCompareRig(t)
	g.origin.answer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) })
	if _, err := g.set.MayPublish(t.Context(), "failed"); err != nil {
		t.Fatal(err)
	}
	asked := g.origin.asked.Load()
	if more := g.set.compareUnsure(t.Context()); more {
		t.Error("a name that was not published waits to be compared")
	}
	if n := g.origin.asked.Load() - asked; n != 0 || strings.Contains(log.String(), "exists at an upstream") {
		t.Errorf("asked %d times, want 0; logged %q, want no comparison", n, log)
	}
}

// TestFirstPublishAsksAllUpstreams: a name of the last upstream is refused although the first one is in trouble.
func TestFirstPublishAsksAllUpstreams(t *testing.T) {
	t.Parallel()
	g, second, _ := newCompareRig(t)
	g.origin.Close()
	second.answer(answers("theirs"))
	_, err := g.set.MayPublish(t.Context(), "taken")
	if err == nil || !strings.Contains(err.Error(), "taken exists at the upstream registry second") {
		t.Errorf("taken: %v, want that the second upstream has it", err)
	}
}

// TestLaterComparisonOutlivesARestart: the warning comes although the program ended before the upstream answered, and
// once.
func TestLaterComparisonOutlivesARestart(t *testing.T) {
	t.Parallel()
	g, _, _ := newCompareRig(t)
	g.origin.answer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) })
	for _, name := range []string{"fresh", "failed"} {
		if notice, err := g.set.MayPublish(t.Context(), name); notice == "" || err != nil {
			t.Fatalf("%s: notice %q, %v, want one", name, notice, err)
		}
	}
	err := store.NewRepo[struct{}](g.store, store.NPM).Update(t.Context(), "fresh",
		func(tx *store.PackageTx[struct{}]) error { return tx.Publish(store.Version[struct{}]{ID: "1.0.0"}) })
	if err != nil {
		t.Fatal(err)
	}
	g.origin.answer(answers("theirs"))
	for _, want := range []int{1, 0} {
		g.again(Options{Upstreams: []Config{{Kind: store.NPM, Name: "main", URL: g.origin.URL}}})
		log := &bytes.Buffer{}
		g.reg.log = slog.New(slog.NewTextHandler(log, nil))
		g.set = g.reg.Set(store.NPM, Protocol{Probe: func(name string) Query {
			return Query{Package: name, Key: "doc", Ref: name, Fresh: time.Minute}
		}})
		g.set.mu.Lock()
		waits := g.set.comparing
		g.set.mu.Unlock()
		if waits != (want > 0) {
			t.Errorf("after a restart the job that compares is under way: %t, want %t", waits, want > 0)
		}
		if more := g.set.compareUnsure(t.Context()); more {
			t.Errorf("names wait to be compared although the upstream answers")
		}
		if n := strings.Count(log.String(), "exists at an upstream"); n != want {
			t.Errorf("after a restart %d warnings, want %d: %s", n, want, log)
		}
	}
}
