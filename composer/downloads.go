package composer

// Download counts. Composer tells what it has installed after every run, without waiting for the answer; what others
// fetch is counted as it is sent.

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"larder/internal/problem"
	"larder/internal/registry"
	"larder/internal/wire"
	"larder/store"
)

const (
	// downloadsTable is a table of its own: a count is no change of a package, so no document of it is outdated.
	downloadsTable = "composer.downloads"
	countedDays    = 31
	dayForm        = "2006-01-02"
	notifyRate     = 60 // notifications a minute from one user, token and address
	maxNotifiers   = 10_000
)

// counts are a package's installs.
type counts struct {
	Total int            `json:"total"`
	Days  map[string]int `json:"days,omitempty"` // the last ones, UTC
}

// add counts an install and forgets old days.
func (c *counts) add(now time.Time) {
	if c.Days == nil {
		c.Days = map[string]int{}
	}
	c.Total++
	c.Days[now.UTC().Format(dayForm)]++
	oldest := now.UTC().AddDate(0, 0, -countedDays).Format(dayForm)
	for day := range c.Days {
		if day < oldest {
			delete(c.Days, day)
		}
	}
}

// since sums up the last days, today included.
func (c counts) since(days int) (sum int) {
	oldest := time.Now().UTC().AddDate(0, 0, 1-days).Format(dayForm)
	for day, n := range c.Days {
		if day >= oldest {
			sum += n
		}
	}
	return sum
}

// downloads are how often a package was installed: at all, in 30 days, and today; and the day of the first that is
// known, today without any.
type downloads struct {
	total, monthly, daily int64
	first                 string
}

// downloads counts installs: those that Composer has told of, its own cache included, or the archives that were
// fetched, whichever are more. Most installs are both.
func (s *server) downloads(ctx context.Context, name string) (d downloads, err error) {
	var told counts
	err = s.Store.View(ctx, func(tx *store.Tx) error {
		told, err = countsOf(tx, name)
		return err
	})
	if err != nil {
		return d, err
	}
	fetched, _, err := s.Store.Pulls(ctx, store.Composer, name)
	now := time.Now()
	first := now.UTC().Format(dayForm)
	for day := range registry.ByDate(fetched) {
		first = min(first, day)
	}
	for day := range told.Days {
		first = min(first, day)
	}
	return downloads{
		first:   first,
		total:   max(int64(told.Total), fetched.Total),
		monthly: max(int64(told.since(30)), fetched.Since(30, now)),
		daily:   max(int64(told.since(1)), fetched.Since(1, now)),
	}, err
}

func countsOf(tx *store.Tx, name string) (c counts, err error) {
	row := tx.Table(downloadsTable).Get([]byte(name))
	if row == nil {
		return c, nil
	}
	if err := json.Unmarshal(row, &c); err != nil {
		return c, fmt.Errorf("downloads of %s: %w", name, err)
	}
	return c, nil
}

// notify counts what a client says it has installed. Nothing is ever wrong with a notification: names that are not
// here, or not for the client, are ignored, and so is what comes too often.
func (s *server) notify(w http.ResponseWriter, r *http.Request, _ Request) error {
	ctx := r.Context()
	view := s.View(ctx)
	raw, err := wire.ReadBody(r, maxSmallBody)
	if err != nil {
		return err
	}
	var body struct {
		Downloads []struct {
			Name string `json:"name"`
		} `json:"downloads"`
	}
	if json.Unmarshal(raw, &body) != nil || len(body.Downloads) > maxListParameter {
		return problem.Errorf(
			store.ErrInvalid, "A notification is an object with a list downloads of at most %d entries.", maxListParameter,
		)
	}
	actor := store.ActorFrom(ctx)
	if !s.counter.admit(actor.User+" "+actor.Token+" "+actor.Addr, time.Now()) {
		return wire.JSON(w, http.StatusOK, map[string]string{"status": "partial"})
	}
	var names []string
	for _, d := range body.Downloads {
		names = append(names, d.Name)
	}
	if err := s.count(ctx, view, valid(names)); err != nil {
		return err
	}
	return wire.JSON(w, http.StatusCreated, map[string]string{"status": "success"})
}

// count adds one install to each package that is here and that the client may read.
func (s *server) count(ctx context.Context, view registry.View, names []string) error {
	slices.Sort(names)
	known, err := s.known(ctx, slices.Compact(names))
	if err != nil {
		return err
	}
	names, err = registry.Visible(view, known, func(name string) string { return name })
	if err != nil || len(names) == 0 {
		return err
	}
	return s.Store.Update(ctx, func(tx *store.Tx) error {
		table := tx.Table(downloadsTable)
		for _, name := range names {
			c, err := countsOf(tx, name)
			if err != nil {
				return err
			}
			c.add(tx.Now())
			b, err := json.Marshal(c)
			if err != nil {
				return err
			}
			if err := table.Put([]byte(name), b); err != nil {
				return err
			}
		}
		return nil
	})
}

// limiter admits so many notifications a minute from each sender.
type limiter struct {
	mu     sync.Mutex // guards the rest
	minute int64
	seen   map[string]int
}

func newLimiter() *limiter { return &limiter{seen: map[string]int{}} }

func (l *limiter) admit(who string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if m := now.Unix() / 60; m != l.minute {
		l.minute = m
		clear(l.seen)
	}
	if l.seen[who] >= notifyRate || l.seen[who] == 0 && len(l.seen) >= maxNotifiers {
		return false
	}
	l.seen[who]++
	return true
}
