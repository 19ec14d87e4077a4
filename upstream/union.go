package upstream

// This file answers documents that say together what several upstreams have: for kinds whose registries have their
// parts of a name side by side.

import (
	"context"
	"errors"
	"fmt"

	"larder/store"
)

// Documents answers q from every upstream that has it, in their order. also are further names by which an upstream may
// be for it. One in trouble that had nothing when it was asked last has nothing. Any other trouble is the answer: a
// part could be taken for the whole. They are asked one after the other, so that nothing is kept of one while a higher
// one is in trouble, and what is kept of the lower ones was right once: that is answered meanwhile. ErrNotFound when
// none has it, and the errors of Document.
func (s *Set) Documents(ctx context.Context, q Query, also ...string) (all []*Document, err error) {
	chain, err := s.chain(ctx, q.Package, also...)
	if err != nil {
		return nil, err
	}
	var missing, trouble error
	for i, u := range chain {
		d, err := s.from(ctx, u, q)
		switch {
		case err == nil:
			all = append(all, d)
		case errors.Is(err, ErrOffline):
			missing = err
			if held, herr := s.others(ctx, u, chain[i+1:], q.Package); held || herr != nil {
				return nil, errors.Join(s.missedDocument(q, err), herr)
			}
		case errors.Is(err, store.ErrNotFound):
		case s.wasAbsent(u, q):
		case u.conf.Optional && errors.Is(err, ErrUnavailable):
			trouble = err
		case len(all) > 0 && errors.Is(err, ErrRefused):
			// What it does not show cannot be fetched from it either.
		case len(all) > 0:
			return nil, err
		default:
			return s.without(ctx, u, chain[i+1:], q, err)
		}
	}
	switch {
	case len(all) > 0:
		return all, nil
	case trouble != nil:
		return nil, trouble
	case missing != nil:
		return nil, s.missedDocument(q, missing)
	}
	return nil, fmt.Errorf("%s %s: no upstream has it: %w", s.kind, q.Package, store.ErrNotFound)
}

// wasAbsent reports whether u had no such document when it was asked last, as far as is remembered.
func (s *Set) wasAbsent(u *Upstream, q Query) (absent bool) {
	s.with(docID{s.home(q.Package, u), q.id(u)}, func(st *state) { absent = !st.absent.IsZero() })
	return absent
}

// without is what is kept of the others while u, which nothing is known of, is in trouble; if that is nothing, the
// trouble.
func (s *Set) without(
	ctx context.Context, u *Upstream, others []*Upstream, q Query, trouble error,
) (all []*Document, err error) {
	if held, err := s.others(ctx, u, others, q.Package); err != nil || held {
		return nil, trouble
	}
	for _, other := range others {
		if d := s.instead(ctx, u, []*Upstream{other}, q); d != nil {
			all = append(all, d)
		}
	}
	if len(all) == 0 {
		return nil, trouble
	}
	return all, nil
}
