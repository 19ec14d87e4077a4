package store_test

// This file tests that a store and a model of it in memory agree after any sequence of changes.

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"larder/store"
	"larder/store/storetest"
)

// model is what a store should hold, kept in the simplest way there is.
type model struct {
	versions map[[2]string][]store.Blob // by package and ID
	tags     map[[2]string]string       // by package and tag
	dead     map[[2]string]bool         // tombstones
}

// TestStoreAgreesWithItsModel runs random operations against the store and the model, and compares results, listings
// and counters; the check at the end recounts everything.
func TestStoreAgreesWithItsModel(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			clock := storetest.NewClock()
			m := &machine{
				T: t, s: storetest.New(t, storetest.WithClock(clock)), clock: clock, rng: rand.New(rand.NewPCG(seed, 1)),
				model: model{map[[2]string][]store.Blob{}, map[[2]string]string{}, map[[2]string]bool{}},
			}
			for i := range 8 {
				m.blobs = append(m.blobs, fmt.Sprintf("%*d", i*10, i))
			}
			for range 150 {
				m.step()
			}
			m.compare()
		})
	}
}

type machine struct {
	*testing.T
	model
	s     *store.Store
	clock *storetest.Clock
	rng   *rand.Rand
	blobs []string
}

func (m *machine) pick(all ...string) string { return all[m.rng.IntN(len(all))] }

func (m *machine) some() (out []store.Blob) {
	for _, i := range m.rng.Perm(len(m.blobs))[:m.rng.IntN(4)] {
		out = append(out, storetest.Put(m, m.s, m.blobs[i]))
	}
	return out
}

// step does one random thing to one random package.
func (m *machine) step() {
	name, id, tag := m.pick("a", "a-b", "b"), m.pick("1", "2", "3", "10"), m.pick("latest", "next")
	k, kt := [2]string{name, id}, [2]string{name, tag}
	_, exists := m.versions[k]
	_, tagged := m.tags[kt]
	switch m.rng.IntN(8) {
	case 0, 1, 2:
		blobs := m.some()
		want := error(nil)
		if exists || m.dead[k] {
			want = store.ErrExists
		}
		m.expect(name, want, func(p *packageTx) error { return p.Publish(ver(id, blobs...)) })
		if want == nil {
			m.versions[k] = blobs
		}
	case 3:
		blobs := m.some()
		m.expect(name, absent(exists), func(p *packageTx) error { return p.Replace(ver(id, blobs...), store.OpReplace) })
		if exists {
			m.versions[k] = blobs
		}
	case 4:
		m.expect(name, absent(exists), func(p *packageTx) error { return p.SetTag(tag, id, store.TagCond{}) })
		if exists {
			m.tags[kt] = id
		}
	case 5:
		m.expect(name, absent(tagged), func(p *packageTx) error { return p.DeleteTag(tag) })
		delete(m.tags, kt)
	case 6:
		tombstone := m.rng.IntN(4) == 0
		m.expect(name, absent(exists), func(p *packageTx) error { return p.Delete(id, tombstone) })
		if exists {
			m.drop(k)
			m.dead[k] = tombstone
		}
	case 7:
		m.rare(name)
	}
}

// rare are the operations that change much.
func (m *machine) rare(name string) {
	switch m.rng.IntN(3) {
	case 0:
		err := npm(m.s).Update(ctx, name, func(p *packageTx) error { return p.DeletePackage() })
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			m.Errorf("delete package: %v", err)
		}
		for k := range maps.Clone(m.versions) {
			if k[0] == name {
				m.drop(k)
			}
		}
	case 1:
		b := storetest.Put(m, m.s, m.pick(m.blobs...))
		m.expect(name, nil, func(p *packageTx) error { return p.Hold(b) })
	case 2:
		m.clock.Advance(2 * time.Hour)
		if _, err := m.s.Sweep(ctx, store.SweepOptions{}); err != nil {
			m.Errorf("sweep: %v", err)
		}
	}
}

func (m *machine) drop(k [2]string) {
	delete(m.versions, k)
	maps.DeleteFunc(m.tags, func(t [2]string, id string) bool { return t[0] == k[0] && id == k[1] })
}

func absent(exists bool) error {
	if exists {
		return nil
	}
	return store.ErrNotFound
}

func (m *machine) expect(name string, want error, fn func(*packageTx) error) {
	m.Helper()
	if err := npm(m.s).Update(ctx, name, fn); !errors.Is(err, want) || (want == nil) != (err == nil) {
		m.Fatalf("got %v, want %v", err, want)
	}
}

// compare reads everything back.
func (m *machine) compare() {
	var all store.KindStats
	for _, name := range []string{"a", "a-b", "b"} {
		must(m, npm(m.s).View(ctx, name, func(p *packageTx) error {
			versions, tags := 0, 0
			for v, err := range p.Versions("") {
				must(m, err)
				versions++
				want, ok := m.versions[[2]string{name, v.ID}]
				same := func(f store.File, b store.Blob) bool { return f.Digest == b.Digest && f.Size == b.Size }
				if !ok || !slices.EqualFunc(v.Files, want, same) {
					m.Errorf("%s %s: files %v, want %v (%v)", name, v.ID, v.Files, want, ok)
				}
			}
			for tag, err := range p.Tags("") {
				must(m, err)
				tags++
				if m.tags[[2]string{name, tag.Name}] != tag.Version {
					m.Errorf("%s: tag %+v", name, tag)
				}
			}
			row, err := p.Package()
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				return err
			}
			if row.Versions != versions || row.Tags != tags {
				m.Errorf("%s: counts %+v, has %d versions and %d tags", name, row, versions, tags)
			}
			all.Versions += int64(versions)
			all.Tags += int64(tags)
			return nil
		}))
	}
	st, err := m.s.Stats(ctx)
	must(m, err)
	got := st.Kinds[store.NPM]
	if int(all.Versions) != len(m.versions) || int(all.Tags) != len(m.tags) || got.Versions != all.Versions ||
		got.Tags != all.Tags {
		m.Errorf("store %+v, listed %+v, model %d versions and %d tags", got, all, len(m.versions), len(m.tags))
	}
}
