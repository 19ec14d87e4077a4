package upstream

// Documents that several upstreams have parts of.

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"
)

// joined is what all upstreams say together of the document called name.
func (g *rig) joined(ctx context.Context, name string) (all string, err error) {
	docs, err := g.set.Documents(ctx, Query{Package: name, Key: "doc", Ref: name, Fresh: time.Minute})
	for _, d := range docs {
		body, err := d.Bytes(ctx)
		if err != nil {
			return all, err
		}
		all += string(body)
	}
	return all, err
}

// TestPartsAreAskedForAtOnce: each upstream answers when all have been asked, and the order is the operator's.
func TestPartsAreAskedForAtOnce(t *testing.T) {
	t.Parallel()
	g, others := newChained(t, 2, func(*Config) {})
	asked := make(chan bool, 3)
	all := make(chan bool)
	go func() {
		for range 3 {
			<-asked
		}
		close(all)
	}()
	for i, o := range append([]*origin0{g.origin}, others...) {
		o.answer(func(w http.ResponseWriter, r *http.Request) {
			asked <- true
			select {
			case <-all:
			case <-r.Context().Done():
			}
			_, _ = w.Write([]byte{byte('a' + i)}) // a client that left fails its own check
		})
	}
	if got, err := g.joined(t.Context(), "demo"); err != nil || got != "abc" {
		t.Errorf("%q, %v, want abc", got, err)
	}
}

// TestNothingIsKeptBelowTrouble: what a lower upstream has said meanwhile is no answer, now or later, until the higher
// one has answered; then it is asked for anew.
func TestNothingIsKeptBelowTrouble(t *testing.T) {
	t.Parallel()
	g, others := newChained(t, 1, func(*Config) {})
	g.origin.answer(status(http.StatusForbidden))
	others[0].answer(answers("b"))
	for range 2 {
		if got, err := g.joined(t.Context(), "demo"); !errors.Is(err, ErrRefused) {
			t.Errorf("%q, %v, want the refusal", got, err)
		}
	}
	if g.set.Knows(t.Context(), Query{Package: "demo", Key: "doc"}) {
		t.Error("what the lower one has said is kept")
	}
	g.origin.answer(answers("a"))
	if got, err := g.joined(t.Context(), "demo"); err != nil || got != "ab" {
		t.Errorf("afterwards: %q, %v, want ab", got, err)
	}
}

// TestClientThatLeavesTakesNothingWithIt: another one that waits for the same parts gets them.
func TestClientThatLeavesTakesNothingWithIt(t *testing.T) {
	t.Parallel()
	g, others := newChained(t, 1, func(*Config) {})
	asked, release := make(chan bool, 4), make(chan bool)
	slow := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			asked <- true
			<-release
			_, _ = w.Write([]byte(body)) // a client that left fails its own check
		}
	}
	g.origin.answer(slow("a"))
	others[0].answer(slow("b"))
	ctx, leave := context.WithCancel(t.Context())
	left, got := make(chan error, 1), make(chan string, 1)
	go func() {
		_, err := g.joined(ctx, "demo")
		left <- err
	}()
	<-asked
	<-asked
	go func() {
		all, err := g.joined(context.Background(), "demo")
		if err != nil {
			all = err.Error()
		}
		got <- all
	}()
	leave()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("who left is told %v", err)
	}
	close(release)
	if all := <-got; all != "ab" {
		t.Errorf("who stayed got %q, want ab", all)
	}
}
