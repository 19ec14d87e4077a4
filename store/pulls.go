package store

// This file counts pulls: how often each version was fetched, by day, and when last.
//
// A row is a list of unsigned varints: its format (1), the Unix second of the last pull, the total, then pairs of a
// period and its count. A period is a day (days since 1970) doubled, or a month (months since 1970) doubled plus one.
// Days older than PullDays become part of their month when the row is written next. A version has a row, so have its
// package (with an empty version: deleted ones count there) and its kind (with an empty name and version).

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"maps"
	"slices"
	"sync"
	"time"
)

// tablePulls has kind name version → the row of pulls.
const tablePulls = "use.pulls"

// PullDays is for how many days pulls are counted by day; older ones are counted by month.
const PullDays = 90

const pullFormat = 1

// Pulls is how often something was fetched.
type Pulls struct {
	Total int64
	Last  time.Time // zero: never
	// Days counts by day (days since 1970), Months what is older by month (months since 1970); both in UTC.
	Days, Months map[int64]int64
}

// Since is the number of pulls of today and of the n-1 days before.
func (p Pulls) Since(n int, now time.Time) (sum int64) {
	for day, count := range p.Days {
		if day > dayOf(now)-int64(n) {
			sum += count
		}
	}
	return sum
}

func dayOf(t time.Time) int64 { return t.Unix() / (24 * 3600) }

func monthOf(t time.Time) int64 { return int64(t.UTC().Year()-1970)*12 + int64(t.UTC().Month()) - 1 }

// pullKey is what one number in memory counts. The day is part of it, so that a pull before midnight stays one.
type pullKey struct {
	kind          Kind
	name, version string
	day           int64
}

// pulled is such a number, and the Unix second of the last pull.
type pulled struct{ count, last int64 }

// pullShards is how many maps the pulls in memory are spread over, so that requests seldom wait for each other.
const pullShards = 16

// pulls are those that are not written down yet.
type pulls struct {
	seed   maphash.Seed
	shards [pullShards]pullShard
}

type pullShard struct {
	sync.Mutex
	counts map[pullKey]pulled
}

func (p *pulls) init() { p.seed = maphash.MakeSeed() }

// of is where the pulls of a package are counted.
func (p *pulls) of(name string) *pullShard { return &p.shards[maphash.String(p.seed, name)%pullShards] }

func (p *pulls) add(k pullKey, n pulled) {
	s := p.of(k.name)
	s.Lock()
	defer s.Unlock()
	if s.counts == nil {
		s.counts = map[pullKey]pulled{}
	}
	have := s.counts[k]
	s.counts[k] = pulled{have.count + n.count, max(have.last, n.last)}
}

// take empties the memory.
func (p *pulls) take() map[pullKey]pulled {
	all := map[pullKey]pulled{}
	for i := range p.shards {
		s := &p.shards[i]
		s.Lock()
		maps.Copy(all, s.counts)
		s.counts = nil
		s.Unlock()
	}
	return all
}

// ofKind are those of one kind.
func (p *pulls) ofKind(k Kind) map[pullKey]pulled {
	found := map[pullKey]pulled{}
	for i := range p.shards {
		s := &p.shards[i]
		s.Lock()
		for id, n := range s.counts {
			if id.kind == k {
				found[id] = n
			}
		}
		s.Unlock()
	}
	return found
}

// giveBack adds what could not be written down.
func (p *pulls) giveBack(all map[pullKey]pulled) {
	for k, n := range all {
		p.add(k, n)
	}
}

// Pulled counts a pull of a version, published here or kept of an upstream. It costs no transaction: FlushUse writes it
// down. Names that no record can have are not counted.
func (s *Store) Pulled(k Kind, name, version string) {
	if checkName("package", name) != nil || checkName("version", version) != nil {
		return
	}
	now := s.opt.Now()
	s.pulls.add(pullKey{k, name, version, dayOf(now)}, pulled{1, now.Unix()})
}

// writePulls adds what was taken out of memory to the rows of versions, packages and kinds.
func (tx *Tx) writePulls(all map[pullKey]pulled) error {
	rows := map[string]map[int64]pulled{}
	for k, n := range all {
		for _, row := range [][]byte{
			key(string(k.kind), k.name, k.version), key(string(k.kind), k.name, ""), key(string(k.kind), "", ""),
		} {
			days := rows[string(row)]
			if days == nil {
				days = map[int64]pulled{}
				rows[string(row)] = days
			}
			have := days[k.day]
			days[k.day] = pulled{have.count + n.count, max(have.last, n.last)}
		}
	}
	for _, row := range slices.Sorted(maps.Keys(rows)) {
		p, err := tx.pulls([]byte(row))
		if err != nil {
			return err
		}
		for day, n := range rows[row] {
			p.add(day, n)
		}
		if err := tx.put(tablePulls, []byte(row), p.encode(dayOf(tx.now))); err != nil {
			return err
		}
	}
	return nil
}

// encode is the row on the given day.
func (p Pulls) encode(today int64) []byte {
	for day, n := range p.Days {
		if day <= today-PullDays {
			p.Months[monthOf(time.Unix(day*24*3600, 0))] += n
			delete(p.Days, day)
		}
	}
	b := binary.AppendUvarint([]byte{pullFormat}, uint64(max(p.Last.Unix(), 0)))
	b = binary.AppendUvarint(b, uint64(p.Total))
	for month := range p.Months {
		b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(month)*2+1), uint64(p.Months[month]))
	}
	for day := range p.Days {
		b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(day)*2), uint64(p.Days[day]))
	}
	return b
}

// decodePulls reads a row; nil is one without pulls.
func decodePulls(b []byte) (Pulls, error) {
	p := Pulls{Days: map[int64]int64{}, Months: map[int64]int64{}}
	if b == nil {
		return p, nil
	}
	bad := fmt.Errorf("a row of pulls: %w", ErrFormat)
	if b[0] != pullFormat {
		return p, bad
	}
	var numbers []int64
	for b = b[1:]; len(b) > 0; {
		n, size := binary.Uvarint(b)
		if size <= 0 {
			return p, bad
		}
		numbers, b = append(numbers, int64(n)), b[size:]
	}
	if len(numbers) < 2 || len(numbers)%2 != 0 {
		return p, bad
	}
	p.Last, p.Total = time.Unix(numbers[0], 0).UTC(), numbers[1]
	for pair := range slices.Chunk(numbers[2:], 2) {
		if pair[0]%2 == 1 {
			p.Months[pair[0]/2] = pair[1]
		} else {
			p.Days[pair[0]/2] = pair[1]
		}
	}
	return p, nil
}

// pulls reads the row of a key.
func (tx *Tx) pulls(row []byte) (Pulls, error) {
	p, err := decodePulls(tx.get(tablePulls, row))
	if err != nil {
		return p, fmt.Errorf("%q: %w", row, err)
	}
	return p, nil
}

// add counts what is in memory.
func (p *Pulls) add(day int64, n pulled) {
	p.Total += n.count
	p.Days[day] += n.count
	if last := time.Unix(n.last, 0).UTC(); last.After(p.Last) {
		p.Last = last
	}
}

// Pulls counts the pulls of a package, those of deleted versions included, and of each version. What is not written
// down yet is counted.
func (s *Store) Pulls(ctx context.Context, k Kind, name string) (all Pulls, of map[string]Pulls, err error) {
	of = map[string]Pulls{}
	err = s.View(ctx, func(tx *Tx) error {
		for row, v := range tx.scan(tablePulls, prefix(string(k), name), nil) {
			p, err := decodePulls(v)
			if err != nil {
				return fmt.Errorf("%q: %w", row, err)
			}
			of[lastPart(row)] = p
		}
		return nil
	})
	all = pullsIn(of, "")
	delete(of, "")
	shard := s.pulls.of(name)
	shard.Lock()
	defer shard.Unlock()
	for id, n := range shard.counts {
		if id.kind == k && id.name == name {
			p := pullsIn(of, id.version)
			p.add(id.day, n)
			of[id.version] = p
			all.add(id.day, n)
		}
	}
	return all, of, err
}

// pullsIn is what there is of a version, none included.
func pullsIn(of map[string]Pulls, version string) Pulls {
	if p, ok := of[version]; ok {
		return p
	}
	return Pulls{Days: map[int64]int64{}, Months: map[int64]int64{}}
}

// kindPulls counts the pulls of a kind, as far as they are written down.
func (tx *Tx) kindPulls(k Kind) (Pulls, error) { return tx.pulls(key(string(k), "", "")) }
