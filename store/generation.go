package store

// This file knows from memory whether a package has changed.

import (
	"hash/maphash"
	"sync/atomic"
)

// generations answers "has this package changed since" from memory. Each package and kind has a slot by its hash; two
// names that share one only make each other's documents be rendered once more. So memory is fixed and start-up reads
// nothing, however many packages there are. A slot holds the number of the last transaction that changed it.
type generations struct {
	seed  maphash.Seed
	slots [1 << 15]atomic.Uint64
}

// slot names the place of one package or kind.
type slot struct {
	kind Kind
	name string // "" = the kind
}

// newGenerations starts every slot at the last transaction's number, so that generations grow across restarts.
func newGenerations(at uint64) *generations {
	g := &generations{seed: maphash.MakeSeed()}
	for i := range g.slots {
		g.slots[i].Store(at)
	}
	return g
}

func (g *generations) at(s slot) *atomic.Uint64 {
	return &g.slots[maphash.Comparable(g.seed, s)%uint64(len(g.slots))]
}

// move notes that transaction id changed these.
func (g *generations) move(changed []slot, id uint64) {
	for _, s := range changed {
		g.at(s).Store(id)
	}
}

// touch moves the generations of the package and its kind when the transaction commits.
func (tx *Tx) touch(k Kind, name string) {
	tx.touched = append(tx.touched, slot{k, name}, slot{k, ""})
}

// Generation is a number that grows whenever the package changes, also across restarts; name "" stands for the whole
// kind. It is read from memory. It may also grow without a change.
func (s *Store) Generation(k Kind, name string) uint64 {
	return s.gens.at(slot{k, name}).Load()
}
