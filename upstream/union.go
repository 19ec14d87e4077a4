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
// part could be taken for the whole. They are asked at once, and nothing new is kept of one while a higher one is in
// trouble: what is kept of the lower ones was right once, and that is answered meanwhile. ErrNotFound when none has it,
// and the errors of Document.
func (s *Set) Documents(ctx context.Context, q Query, also ...string) (all []*Document, err error) {
	chain, err := s.chain(ctx, q.Package, also...)
	if err != nil {
		return nil, err
	}
	asked := s.askAll(ctx, chain, q)
	defer asked.end()
	var missing, trouble error
	for i, u := range chain {
		d, err := asked.answer(i)
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

// round is one question to several upstreams.
type round struct {
	ctx     context.Context
	ask     func(i int) (*Document, error)
	answers []chan result // nil where nothing has to be asked for
	turns   []chan bool   // whether what comes may be kept
	next    int           // up to here turns have been given
}

type result struct {
	d    *Document
	err  error
	said *Answer
}

// errTurn is an answer that its asker did not want any more: a higher upstream is in trouble, or the client has left.
var errTurn = errors.New("asked for in vain")

// askAll asks those upstreams in the background that have to be asked, when there are several. end must be called.
func (s *Set) askAll(ctx context.Context, chain []*Upstream, q Query) *round {
	r := &round{ctx: ctx, ask: func(i int) (*Document, error) { return s.from(ctx, chain[i], q) }}
	for i, u := range chain {
		if i == 0 || !s.mustAsk(ctx, u, q) {
			continue
		}
		if r.answers == nil {
			r.answers, r.turns = make([]chan result, len(chain)), make([]chan bool, len(chain))
		}
		turn, answer := make(chan bool, 1), make(chan result, 1)
		r.turns[i], r.answers[i] = turn, answer
		go func() {
			said := &Answer{}
			d, err := s.from(context.WithValue(ctx, AnswerKey{}, said), u, q.after(turn))
			answer <- result{d, err, said}
		}()
	}
	return r
}

// after is q of which nothing is kept before its turn.
func (q Query) after(turn chan bool) Query {
	q.turn = func(ctx context.Context) error {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case mine := <-turn:
			turn <- mine // for the next try
			if !mine {
				return errTurn
			}
			return nil
		}
	}
	return q
}

// mustAsk reports whether nothing is known that answers q without a request.
func (s *Set) mustAsk(ctx context.Context, u *Upstream, q Query) bool {
	have, err := s.lookup(ctx, s.home(q.Package, u), q.id(u))
	if err != nil || s.off(u) {
		return false
	}
	now, fresh, must := s.r.now(), q.lifetime(u), true
	s.with(docID{s.home(q.Package, u), q.id(u)}, func(st *state) {
		switch {
		case have == nil:
			must = !now.Before(st.absent)
		case fresh >= 0:
			must = now.Sub(have.Fetched) >= fresh && now.Sub(st.checked) >= fresh && !now.Before(st.trouble)
		}
	})
	return must
}

// answer is what the upstream at i says, whose turn it is now.
func (r *round) answer(i int) (*Document, error) {
	r.next = i + 1
	if r.answers == nil || r.answers[i] == nil {
		return r.ask(i)
	}
	r.turns[i] <- true
	a := <-r.answers[i]
	if errors.Is(a.err, errTurn) {
		return r.ask(i) // it had joined what another client had asked for
	}
	if u, how := a.said.said(); u != nil {
		tell(r.ctx, u, how)
	}
	return a.d, a.err
}

// end lets go of the upstreams whose turn has not come.
func (r *round) end() {
	for i := r.next; i < len(r.turns); i++ {
		if r.turns[i] != nil {
			r.turns[i] <- false
		}
	}
}
