package web

// Traffic: what clients asked for and were answered, by hour or day.

import (
	"net/http"
	"time"

	"larder/internal/problem"
	"larder/store"
	"larder/upstream"
)

// TrafficList is the answer of GET /traffic, in the order of periods, kinds and upstreams. Hours without requests have
// no rows.
type TrafficList struct {
	Traffic []upstream.TrafficRow `json:"traffic"`
}

// trafficDefault is how far back the figures go when nothing else is asked for.
const trafficDefault = 24 * time.Hour

// periods are the beginnings of the periods that ?by= names.
var periods = map[string]func(hour time.Time) time.Time{
	"hour": upstream.ByHour, "day": upstream.ByDay, "total": upstream.InAll,
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
	rows, err := a.remote.Traffic(r.Context(), a.store, since, period)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, TrafficList{rows})
}
