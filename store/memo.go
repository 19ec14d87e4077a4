package store

// This file remembers answers about packages until those change.

import (
	"errors"
	"sync"
)

// memoLimit is how many answers of a sort a Memo keeps; then it starts anew.
const memoLimit = 8192

// Memo remembers what was read of packages, each answer until its package changes. It is for the questions every
// request asks (which manifest has this tag, which file has this name) when the answer is small: a hit reads memory
// only, neither a transaction nor a record.
type Memo[K comparable, V any] struct {
	kind Kind
	memo memo[K, V]
}

// memo is a Memo about packages of any kind.
type memo[K comparable, V any] struct {
	gens *generations

	mu      sync.Mutex // guards what follows
	answers map[memoKey[K]]memoAnswer[V]
	absent  map[memoKey[K]]memoAnswer[error] // apart, so that those who ask for anything push out no answer
}

type memoKey[K comparable] struct {
	slot
	key K
}

type memoAnswer[V any] struct {
	gen   uint64
	value V
}

// NewMemo returns an empty memory about packages of kind k.
func NewMemo[K comparable, V any](s *Store, k Kind) *Memo[K, V] {
	m := &Memo[K, V]{kind: k}
	m.memo.init(s.gens)
	return m
}

func (m *memo[K, V]) init(g *generations) {
	m.gens, m.answers = g, map[memoKey[K]]memoAnswer[V]{}
	m.absent = map[memoKey[K]]memoAnswer[error]{}
}

// Len is the number of answers kept now.
func (m *Memo[K, V]) Len() int {
	m.memo.mu.Lock()
	defer m.memo.mu.Unlock()
	return len(m.memo.answers)
}

// Get returns what load said of the package and key, when nothing in the package changed since; otherwise it asks load
// again. Errors are not remembered. V is shared between callers: nobody changes it. What load reads must be outdated by
// the package's generation: versions, tags, index rows and lost holds are, new loose holds are not.
func (m *Memo[K, V]) Get(name string, key K, load func() (V, error)) (V, error) {
	return m.memo.get(slot{m.kind, name}, key, load)
}

// Find is Get that also remembers ErrNotFound: every hit on a copy asks first whether the file is hosted here. The
// error of load says nothing that is not in name and key.
func (m *Memo[K, V]) Find(name string, key K, load func() (V, error)) (v V, err error) {
	at := memoKey[K]{slot{m.kind, name}, key}
	gen := m.memo.gens.at(at.slot).Load()
	v, ok, absent := m.memo.recall(at, gen)
	if ok || absent != nil {
		return v, absent
	}
	v, err = m.memo.load(at, gen, load)
	if errors.Is(err, ErrNotFound) {
		m.memo.mu.Lock()
		defer m.memo.mu.Unlock()
		remember(m.memo.absent, at, memoAnswer[error]{gen, err})
	}
	return v, err
}

func (m *memo[K, V]) get(s slot, key K, load func() (V, error)) (V, error) {
	gen := m.gens.at(s).Load()
	k := memoKey[K]{s, key}
	if v, ok, _ := m.recall(k, gen); ok {
		return v, nil
	}
	return m.load(k, gen, load)
}

// recall is the answer of generation gen, or the error that was remembered instead of one.
func (m *memo[K, V]) recall(k memoKey[K], gen uint64) (v V, ok bool, absent error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if a, ok := m.answers[k]; ok && a.gen == gen {
		return a.value, true, nil
	}
	if a, ok := m.absent[k]; ok && a.gen == gen {
		absent = a.value
	}
	return v, false, absent
}

// load asks for an answer and remembers it.
func (m *memo[K, V]) load(k memoKey[K], gen uint64, load func() (V, error)) (V, error) {
	v, err := load()
	if err == nil {
		m.mu.Lock()
		defer m.mu.Unlock()
		remember(m.answers, k, memoAnswer[V]{gen, v})
	}
	return v, err
}

// remember keeps an answer whose generation was read before it was looked for: a change in between makes it outdated,
// never wrong.
func remember[K comparable, V any](answers map[memoKey[K]]memoAnswer[V], k memoKey[K], a memoAnswer[V]) {
	if len(answers) >= memoLimit {
		clear(answers)
	}
	answers[k] = a
}
