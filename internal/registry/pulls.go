package registry

// This file sums up how often packages were fetched, for the APIs that tell it of a whole registry.

import (
	"context"
	"time"

	"larder/store"
)

// Pulls counts the pulls of all packages that the client sees.
func (g *Registry[M]) Pulls(ctx context.Context) (sum store.Pulls, err error) {
	view := g.View(ctx)
	if view.All {
		return g.Store.KindPulls(ctx, g.about.Kind, nil)
	}
	err = g.Store.Heavy(ctx, func() error {
		sum, err = g.Store.KindPulls(ctx, g.about.Kind, view.Sees)
		return err
	})
	return sum, err
}

// DateOf is a day of store.Pulls, as 2026-01-31.
func DateOf(day int64) string { return time.Unix(day*24*3600, 0).UTC().Format(time.DateOnly) }

// ByDate are pulls by DateOf. What is counted by month only is that month's first day's.
func ByDate(p store.Pulls) map[string]int64 {
	out := map[string]int64{}
	for day, n := range p.Days {
		out[DateOf(day)] += n
	}
	for month, n := range p.Months {
		out[time.Date(1970, time.Month(month+1), 1, 0, 0, 0, 0, time.UTC).Format(time.DateOnly)] += n
	}
	return out
}
