package npm

// This file says how often packages were fetched here, published or copied, in the shapes of the public registry's
// downloads API (registry docs, download-counts). Unlike there, a period ends with today.

import (
	"context"
	"net/http"
	"strings"
	"time"

	"larder/internal/registry"
	"larder/internal/wire"
	"larder/store"
	"larder/upstream"
)

// maxPeriod is the longest period in days: eighteen months, as at the public registry.
const maxPeriod = 18 * 31

// periods are those that have names, in days.
var periods = map[string]int{"last-day": 1, "last-week": 7, "last-month": 30, "last-year": 365}

// isPeriod reports whether a text is the name of a period, a day, or two days with a colon between them.
func isPeriod(text string) bool {
	_, _, err := period(text, time.Unix(0, 0))
	return err == nil
}

// period reads a period, as it is on the given day. Both of its days are part of it.
func period(text string, today time.Time) (first, last time.Time, err error) {
	if days, ok := periods[text]; ok {
		last = today.UTC().Truncate(24 * time.Hour)
		return last.AddDate(0, 0, 1-days), last, nil
	}
	from, to, two := strings.Cut(text, ":")
	if first, err = time.Parse(time.DateOnly, from); err != nil || !two {
		return first, first, err
	}
	if last, err = time.Parse(time.DateOnly, to); err == nil && (last.Before(first) || days(first, last) > maxPeriod) {
		err = badPath("a period has from one day to %d days", maxPeriod)
	}
	return first, last, err
}

// days is how many days there are from first to last, both included.
func days(first, last time.Time) int { return int(last.Sub(first)/(24*time.Hour)) + 1 }

// downloadsPoint answers with the number of pulls in a period.
func (s *server) downloadsPoint(w http.ResponseWriter, r *http.Request, q Request) error {
	return s.sendDownloads(w, r, q, func(byDay map[string]int64, first, last time.Time) any {
		sum, start, end := int64(0), first.Format(time.DateOnly), last.Format(time.DateOnly)
		for day, n := range byDay {
			if day >= start && day <= end {
				sum += n
			}
		}
		return sum
	})
}

// downloadsRange answers with the number of pulls on each day of a period.
func (s *server) downloadsRange(w http.ResponseWriter, r *http.Request, q Request) error {
	return s.sendDownloads(w, r, q, func(byDay map[string]int64, first, last time.Time) any {
		type count struct {
			Downloads int64  `json:"downloads"`
			Day       string `json:"day"`
		}
		list := []count{}
		for day := first; !day.After(last); day = day.AddDate(0, 0, 1) {
			text := day.Format(time.DateOnly)
			list = append(list, count{byDay[text], text})
		}
		return list
	})
}

// sendDownloads answers with what show makes of the pulls of each day: of one package, of each in a list, or of all.
func (s *server) sendDownloads(
	w http.ResponseWriter, r *http.Request, q Request, show func(byDay map[string]int64, first, last time.Time) any,
) error {
	ctx := r.Context()
	first, last, err := period(q.Period, time.Now())
	if err != nil {
		return err
	}
	document := func(p store.Pulls) map[string]any {
		return map[string]any{
			"downloads": show(registry.ByDate(p), first, last),
			"start":     first.Format(time.DateOnly), "end": last.Format(time.DateOnly),
		}
	}
	var answer map[string]any
	switch {
	case q.Names != nil:
		answer, err = s.downloadsOfEach(upstream.WithBudget(ctx), q.Names, document)
	case q.Name != "":
		answer, err = s.downloadsOf(ctx, q.Name, document)
	default:
		var all store.Pulls
		all, err = s.Pulls(ctx)
		answer = document(all)
	}
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", registry.Revalidate(r))
	return wire.JSON(w, http.StatusOK, answer)
}

// downloadsOf is the answer about one package.
func (s *server) downloadsOf(
	ctx context.Context, name string, document func(store.Pulls) map[string]any,
) (map[string]any, error) {
	if err := s.exists(ctx, name); err != nil {
		return nil, err
	}
	all, _, err := s.Store.Pulls(ctx, store.NPM, name)
	if err != nil {
		return nil, err
	}
	answer := document(all)
	answer["package"] = name
	return answer, nil
}

// downloadsOfEach are the answers by name, null for what is absent or may not be seen.
func (s *server) downloadsOfEach(
	ctx context.Context, names []string, document func(store.Pulls) map[string]any,
) (map[string]any, error) {
	view, out := s.View(ctx), map[string]any{}
	for _, name := range names {
		out[name] = nil
		ok, err := view.Sees(name)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		answer, err := s.downloadsOf(ctx, name, document)
		switch {
		case err == nil:
			out[name] = answer
		case !registry.IsOneOf(err, store.ErrNotFound, store.ErrDenied):
			return nil, err
		}
	}
	return out, nil
}

// exists is store.ErrNotFound for a package that is neither here nor at an upstream.
func (s *server) exists(ctx context.Context, name string) error {
	err := s.Repo.View(ctx, name, func(tx *store.PackageTx[Meta]) error {
		_, err := tx.Package()
		return err
	})
	if s.TryUpstream(err) {
		_, err = s.fetched(ctx, name, formShort)
	}
	return err
}
