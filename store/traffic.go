package store

// This file counts what clients were answered: by kind and source, in total and for each hour.

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// The tables of what was answered. Requests add to numbers in memory (Meter); FlushUse adds what is new to the rows.
const (
	tableTraffic     = "traffic.total" // kind source → Traffic since the folder was made
	tableTrafficHour = "traffic.hour"  // hour (Unix, 8 bytes) kind source → Traffic of that hour
)

// TrafficKept is how long the figures of an hour are kept.
const TrafficKept = 400 * 24 * time.Hour

// Traffic is what clients asked for and were answered. A request is one of Hits, Misses, Stale and Absent, or none of
// them when it failed or when what was asked for was published here.
type Traffic struct {
	Requests int64 `json:"requests,omitempty"` // of clients
	Hits     int64 `json:"hits,omitempty"`     // answered from what is kept
	Misses   int64 `json:"misses,omitempty"`   // for which something was fetched
	Stale    int64 `json:"stale,omitempty"`    // answered from what is kept and past its lifetime
	Absent   int64 `json:"absent,omitempty"`   // for what the upstreams do not have
	Sent     int64 `json:"sent,omitempty"`     // bytes of answers
	Fetched  int64 `json:"fetched,omitempty"`  // bytes that came from the upstream
}

// Saved is how many bytes were sent that had not to be fetched.
func (t Traffic) Saved() int64 { return max(t.Sent-t.Fetched, 0) }

// HitRatio is which part of what upstreams have was answered from what is kept; false when nothing was asked for.
func (t Traffic) HitRatio() (ratio float64, known bool) {
	kept, all := t.Hits+t.Stale, t.Hits+t.Stale+t.Misses
	return float64(kept) / float64(max(all, 1)), all > 0
}

// Plus is the sum.
func (t Traffic) Plus(d Traffic) Traffic {
	return Traffic{t.Requests + d.Requests, t.Hits + d.Hits, t.Misses + d.Misses, t.Stale + d.Stale, t.Absent + d.Absent,
		t.Sent + d.Sent, t.Fetched + d.Fetched}
}

// minus is what t has more than d.
func (t Traffic) minus(d Traffic) Traffic {
	return Traffic{t.Requests - d.Requests, t.Hits - d.Hits, t.Misses - d.Misses, t.Stale - d.Stale, t.Absent - d.Absent,
		t.Sent - d.Sent, t.Fetched - d.Fetched}
}

// Meter counts the traffic of one source. Adding to it costs no lock and no transaction.
type Meter struct {
	Requests, Hits, Misses, Stale, Absent, Sent, Fetched atomic.Int64 // as in Traffic, since the folder was made

	written Traffic // what the rows have; guarded by meters.mu
}

// Traffic is what was counted so far.
func (m *Meter) Traffic() Traffic {
	return Traffic{m.Requests.Load(), m.Hits.Load(), m.Misses.Load(), m.Stale.Load(), m.Absent.Load(), m.Sent.Load(),
		m.Fetched.Load()}
}

// meterKey names a meter: source is the key of an upstream, "" for what is published here.
type meterKey struct {
	kind   Kind
	source string
}

// meters are those of a store.
type meters struct {
	mu     sync.Mutex // guards what follows
	all    map[meterKey]*Meter
	pruned int64 // the hour in which old rows were removed last
}

// Meter returns the meter of a kind's source; source is "" for what is published here, else the key of an upstream. It
// goes on from what was written down.
func (s *Store) Meter(k Kind, source string) *Meter {
	s.meters.mu.Lock()
	defer s.meters.mu.Unlock()
	id := meterKey{k, source}
	m := s.meters.all[id]
	if m == nil {
		m = &Meter{}
		s.meters.all[id] = m
	}
	return m
}

// loadMeters makes the meters of what was written down.
func (s *Store) loadMeters(ctx context.Context) error {
	s.meters.all = map[meterKey]*Meter{}
	return s.View(ctx, func(tx *Tx) error {
		for k, v := range tx.scan(tableTraffic, nil, nil) {
			var t Traffic
			if err := decode(v, &t); err != nil {
				return fmt.Errorf("traffic of %q: %w", k, err)
			}
			kind, source, _ := strings.Cut(string(k), "\x00")
			m := &Meter{written: t}
			for to, n := range map[*atomic.Int64]int64{
				&m.Requests: t.Requests, &m.Hits: t.Hits, &m.Misses: t.Misses, &m.Stale: t.Stale, &m.Absent: t.Absent,
				&m.Sent: t.Sent, &m.Fetched: t.Fetched,
			} {
				to.Store(n)
			}
			s.meters.all[meterKey{Kind(kind), source}] = m
		}
		return nil
	})
}

// UseEvery is how often FlushUse should run: what is newer is lost when the program is killed.
const UseEvery = 10 * time.Second

// FlushUse writes down what was answered and pulled since the last time, in one transaction. An hour's figures are
// what was written down in it. It is a job, and the last thing before Close. While the store takes no changes, it all
// stays in memory.
func (s *Store) FlushUse(ctx context.Context) error {
	s.meters.mu.Lock()
	defer s.meters.mu.Unlock()
	now := map[meterKey]Traffic{}
	for id, m := range s.meters.all {
		if t := m.Traffic(); t != m.written {
			now[id] = t
		}
	}
	pulled := s.pulls.take()
	if len(now)+len(pulled) == 0 {
		return nil
	}
	hour := s.opt.Now().Unix() / 3600
	err := s.Update(ctx, func(tx *Tx) error {
		for id, t := range now {
			if err := tx.writeTraffic(id, hour, t, t.minus(s.meters.all[id].written)); err != nil {
				return err
			}
		}
		if hour != s.meters.pruned {
			if err := errors.Join(tx.pruneTraffic(hour-int64(TrafficKept/time.Hour)), tx.noteDisk()); err != nil {
				return err
			}
		}
		return tx.writePulls(pulled)
	})
	if err != nil {
		s.pulls.giveBack(pulled)
		if errors.Is(err, ErrReadOnly) {
			return nil
		}
		return fmt.Errorf("write down what was used: %w", err)
	}
	for id, t := range now {
		s.meters.all[id].written = t
	}
	s.meters.pruned = hour
	return nil
}

// writeTraffic sets the total of a source and adds what is new to the hour.
func (tx *Tx) writeTraffic(id meterKey, hour int64, total, added Traffic) error {
	name := key(string(id.kind), id.source)
	if err := tx.putRow(tableTraffic, name, total); err != nil {
		return err
	}
	row, t := append(be64(uint64(hour)), name...), Traffic{}
	if _, err := tx.row(tableTrafficHour, row, &t); err != nil {
		return err
	}
	return tx.putRow(tableTrafficHour, row, t.Plus(added))
}

// pruneTraffic removes the rows of hours before the given one.
func (tx *Tx) pruneTraffic(before int64) error {
	for row := range tx.scan(tableTrafficHour, nil, nil) {
		if int64(binary.BigEndian.Uint64(row)) >= before {
			break
		}
		if err := tx.del(tableTrafficHour, slices.Clone(row)); err != nil {
			return err
		}
	}
	return nil
}

// HourTraffic is the traffic of one source in one hour.
type HourTraffic struct {
	Hour   time.Time `json:"hour"` // its beginning
	Kind   Kind      `json:"kind"`
	Source string    `json:"source,omitempty"` // the key of an upstream, "" for what is published here
	Traffic
}

// TrafficSince lists what was written down of the hours from the given time on, in their order.
func (s *Store) TrafficSince(ctx context.Context, from time.Time) (list []HourTraffic, err error) {
	err = s.View(ctx, func(tx *Tx) error {
		list = nil
		for t, err := range tx.hours(from) {
			if err != nil {
				return err
			}
			list = append(list, t)
		}
		return nil
	})
	return list, err
}

// hours yields the rows from a time on.
func (tx *Tx) hours(from time.Time) iter.Seq2[HourTraffic, error] {
	return func(yield func(HourTraffic, error) bool) {
		// Nothing is as small as the hour's bytes alone, so that the hour itself comes after them.
		for k, v := range tx.scan(tableTrafficHour, nil, be64(uint64(from.Unix()/3600))) {
			kind, source, _ := strings.Cut(string(k[8:]), "\x00")
			t := HourTraffic{Hour: time.Unix(int64(binary.BigEndian.Uint64(k))*3600, 0).UTC(), Kind: Kind(kind), Source: source}
			if err := decode(v, &t.Traffic); !yield(t, err) || err != nil {
				return
			}
		}
	}
}
