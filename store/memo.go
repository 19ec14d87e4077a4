package store

// This file remembers answers about packages until those change.

import "sync"

// memoLimit is how many answers a Memo keeps; then it starts anew.
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

	mu      sync.Mutex // guards answers
	answers map[memoKey[K]]memoAnswer[V]
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

func (m *memo[K, V]) get(s slot, key K, load func() (V, error)) (V, error) {
	gen := m.gens.at(s).Load()
	k := memoKey[K]{s, key}
	m.mu.Lock()
	a, ok := m.answers[k]
	m.mu.Unlock()
	if ok && a.gen == gen {
		return a.value, nil
	}
	v, err := load()
	if err != nil {
		return v, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.answers) >= memoLimit {
		clear(m.answers)
	}
	// gen was read before load: a change in between makes the answer outdated, never wrong.
	m.answers[k] = memoAnswer[V]{gen, v}
	return v, nil
}
