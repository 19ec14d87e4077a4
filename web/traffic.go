package web

// Traffic: what clients asked for and were answered, by hour or day.

import (
	"cmp"
	"net/http"
	"slices"
	"time"

	"larder/internal/problem"
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

// TrafficList is the answer of GET /traffic, in the order of periods, kinds and upstreams. Hours without requests have
// no rows.
type TrafficList struct {
	Traffic []TrafficRow `json:"traffic"`
}

// trafficDefault is how far back the figures go when nothing else is asked for.
const trafficDefault = 24 * time.Hour

// periods are the beginnings of the periods that ?by= names.
var periods = map[string]func(hour time.Time) time.Time{
	"hour":  func(hour time.Time) time.Time { return hour },
	"day":   func(hour time.Time) time.Time { return hour.Truncate(24 * time.Hour) },
	"total": func(time.Time) time.Time { return time.Time{} },
}

func (a *api) traffic(w http.ResponseWriter, r *http.Request, _ request) error {
	v := r.URL.Query()
	since := time.Now().Add(-trafficDefault)
	if text := v.Get("since"); text != "" {
		var err error
		if since, err = time.Parse(time.RFC3339, text); err != nil {
			return problem.Errorf(store.ErrInvalid, "since must be a time such as 2026-01-31T00:00:00Z")
		}
	}
	by := v.Get("by")
	if by == "" {
		by = "hour"
	}
	period := periods[by]
	if period == nil {
		return problem.Errorf(store.ErrInvalid, "by must be hour, day or total")
	}
	if err := a.store.FlushUse(r.Context()); err != nil {
		return err
	}
	hours, err := a.store.TrafficSince(r.Context(), since)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, TrafficList{a.sumTraffic(hours, period)})
}

// sumTraffic adds up the hours of each period.
func (a *api) sumTraffic(hours []store.HourTraffic, period func(time.Time) time.Time) []TrafficRow {
	rows := []TrafficRow{}
	for _, h := range hours {
		row := TrafficRow{From: period(h.Hour), Kind: h.Kind, Upstream: a.remote.SourceName(h.Kind, h.Source)}
		i, found := slices.BinarySearchFunc(rows, row, compareTraffic)
		if !found {
			rows = slices.Insert(rows, i, row)
		}
		rows[i].Traffic = rows[i].Plus(h.Traffic)
		rows[i].Saved = rows[i].Traffic.Saved()
	}
	for i := range rows {
		if rows[i].Upstream == "" {
			rows[i].Saved = 0 // nothing of it would have been fetched
		}
	}
	return rows
}

func compareTraffic(a, b TrafficRow) int {
	kinds := store.Kinds()
	return cmp.Or(
		a.From.Compare(b.From), cmp.Compare(slices.Index(kinds, a.Kind), slices.Index(kinds, b.Kind)),
		cmp.Compare(a.Upstream, b.Upstream),
	)
}
