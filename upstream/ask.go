package upstream

// This file sends questions that are no documents: an answer is of the moment, and nothing is kept of it.

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"larder/store"
)

// Question is a POST to an upstream. It is asked again after trouble, as a GET is: it must change nothing there.
type Question struct {
	Ref  string // relative to the registry
	Type string // Content-Type
	Body []byte
	// Limit is the most bytes of an answer; 0: 256 MiB.
	Limit int64
	// Check says why an answer is not what was asked for; nil accepts everything.
	Check func(body []byte, contentType string) error
}

// Whom returns the upstreams that know something of a name, in order, for questions about many names at once: the one
// that the name is known to be of, or all that it may be of. None when the name is ours or claimed. A rule that blocks
// the name does not count: what was installed in spite of it is asked about.
func (s *Set) Whom(ctx context.Context, name string) ([]*Upstream, error) {
	list, err := s.chain(ctx, name)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, nil
	case errors.Is(err, store.ErrDenied):
		names := s.spellings(name)
		list = slices.DeleteFunc(slices.Clone(s.Upstreams()), func(u *Upstream) bool {
			return !u.has(s.spelling.fold, names...)
		})
	case err != nil:
		return nil, err
	}
	if len(list) < 2 {
		return list, nil
	}
	for i, u := range list {
		if held, err := s.holds(ctx, u, name); held || err != nil {
			return list[i : i+1], err
		}
	}
	return list, nil
}

// Ask puts a question to u and returns the answer's body, which is of ctx's share of the memory. ErrNotFound when u has
// no such address; ErrOffline and ErrUnavailable as Document.
func (s *Set) Ask(ctx context.Context, u *Upstream, q Question) ([]byte, error) {
	if s.off(u) {
		return nil, fmt.Errorf("%s %s: %w", s.kind, q.Ref, s.unasked())
	}
	ctx = withBudget(ctx, Budget)
	h := http.Header{"Content-Type": {q.Type}, "Accept-Encoding": {"gzip"}}
	resp, err := u.do(ctx, request{
		ref: q.Ref, method: http.MethodPost, header: h, body: q.Body,
		idle: max(min(idleDocument, time.Until(deadlineOf(ctx))), time.Second),
	})
	var status *statusError
	switch {
	case errors.As(err, &status) &&
		(status.code == http.StatusMethodNotAllowed || status.code == http.StatusNotImplemented):
		return nil, fmt.Errorf("%s answered %d: %w", u.Name(), status.code, store.ErrNotFound)
	case err != nil:
		return nil, err
	}
	defer drop(resp)
	switch {
	case Absent(resp.StatusCode):
		return nil, fmt.Errorf("%s: %w", u.Name(), store.ErrNotFound)
	case resp.StatusCode != http.StatusOK:
		return nil, u.unavailable(&statusError{resp.StatusCode, u.Host()}, 0)
	}
	body, err := readDocument(ctx, resp, Query{Limit: q.Limit, Check: q.Check})
	if errors.Is(err, errBody) {
		err = u.unavailable(err, 0)
	}
	return body, err
}

// Has reports whether u has what is at ref. One that answers no HEAD is asked for the first byte.
func (s *Set) Has(ctx context.Context, u *Upstream, ref string) (bool, error) {
	if s.off(u) {
		return false, fmt.Errorf("%s %s: %w", s.kind, ref, s.unasked())
	}
	ctx = withBudget(ctx, Budget)
	resp, err := u.do(ctx, request{ref: ref, method: http.MethodHead})
	if errors.Is(err, errHead) {
		resp, err = u.do(ctx, request{ref: ref, header: http.Header{"Range": {"bytes=0-0"}}})
	}
	if err != nil {
		return false, err
	}
	drop(resp)
	return !Absent(resp.StatusCode), nil
}
