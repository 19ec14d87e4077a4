package upstream

// This file adds up what clients were answered, by the names of registries.

import (
	"cmp"
	"context"
	"slices"
	"time"

	"larder/store"
)

// TrafficRow is the traffic of one source in one period.
type TrafficRow struct {
	From time.Time  `json:"from,omitzero"` // the period's beginning; zero: all of the time that was asked for
	Kind store.Kind `json:"kind"`
	// Upstream is what the registry is called, "" for what is published here.
	Upstream string `json:"upstream,omitempty"`
	store.Traffic
	Saved int64 `json:"saved,omitempty"` // bytes that were sent and had not to be fetched
}

// The beginnings of periods, by which traffic is added up.
func ByHour(hour time.Time) time.Time { return hour }
func ByDay(hour time.Time) time.Time  { return hour.Truncate(24 * time.Hour) }
func InAll(time.Time) time.Time       { return time.Time{} }

// Traffic is what was answered from a time on, what was not written down yet included, with a row for each period and
// source of which there was any: in the order of periods, kinds and upstreams. The registry may be nil: without
// upstreams.
func (r *Registry) Traffic(
	ctx context.Context, s *store.Store, since time.Time, period func(hour time.Time) time.Time,
) ([]TrafficRow, error) {
	if err := s.FlushUse(ctx); err != nil {
		return nil, err
	}
	hours, err := s.TrafficSince(ctx, since)
	if err != nil {
		return nil, err
	}
	rows := []TrafficRow{}
	for _, h := range hours {
		row := TrafficRow{From: period(h.Hour), Kind: h.Kind, Upstream: r.SourceName(h.Kind, h.Source)}
		i, found := slices.BinarySearchFunc(rows, row, compareTraffic)
		if !found {
			rows = slices.Insert(rows, i, row)
		}
		rows[i].Traffic = rows[i].Plus(h.Traffic)
	}
	for i := range rows {
		if rows[i].Upstream != "" { // of the others nothing would have been fetched
			rows[i].Saved = rows[i].Traffic.Saved()
		}
	}
	return rows, nil
}

func compareTraffic(a, b TrafficRow) int {
	kinds := store.Kinds()
	return cmp.Or(
		a.From.Compare(b.From), cmp.Compare(slices.Index(kinds, a.Kind), slices.Index(kinds, b.Kind)),
		cmp.Compare(a.Upstream, b.Upstream),
	)
}
