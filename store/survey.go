package store

// This file looks at all packages now and then, to know which take most and which nobody pulls: pages show what the
// last look found.

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// SurveyEvery is how often Survey should run.
const SurveyEvery = time.Hour

// surveyMost is how many packages each list of a Survey has at most.
const surveyMost = 100

// SurveyDays are the spans for which a Survey knows what was not pulled, in days.
var SurveyDays = []int{30, 90, 180, 365}

// Survey is what a look at all packages has found; At is zero before the first.
type Survey struct {
	At   time.Time
	Took time.Duration
	// Largest are the packages that take most, Unused those that were not pulled for so many days (and not published or
	// fetched since), the ones that take most first.
	Largest []SurveyedPackage
	Unused  map[int]SurveyedUnused
}

// SurveyedPackage is a package that was published here, or of which copies are kept.
type SurveyedPackage struct {
	Kind  Kind // of the protocol
	Name  string
	Copy  bool
	Bytes int64     // each blob once
	Since time.Time // when it was published, or kept, first
	Last  time.Time // the last pull that is written down; zero: never
	Used  time.Time // the last pull or change
}

// SurveyedUnused are the packages that were not pulled for some days.
type SurveyedUnused struct {
	Packages, Bytes int64
	List            []SurveyedPackage
}

// surveyed is what the last Survey found.
type surveyed struct {
	mu   sync.Mutex
	last Survey
}

// Surveyed is what the last Survey has found since the folder was opened.
func (s *Store) Surveyed() Survey {
	s.surveyed.mu.Lock()
	defer s.surveyed.mu.Unlock()
	return s.surveyed.last
}

// Survey looks at all packages, a thousand in each transaction. named gives the name by which clients ask for a copy
// whose record has another; nil: they are the same. It is a job.
func (s *Store) Survey(ctx context.Context, named func(k Kind, pkg string) string) error {
	began, now := time.Now(), s.opt.Now()
	out := Survey{At: now, Unused: map[int]SurveyedUnused{}}
	for _, k := range Kinds() {
		for _, kind := range []Kind{k, k.CachedFiles()} {
			for after := ""; ; {
				page, last, err := s.surveyPage(ctx, k, kind, after, named)
				if err != nil {
					return fmt.Errorf("survey: %w", err)
				}
				out.add(page, now)
				if after = last; last == "" {
					break
				}
			}
		}
	}
	out.Took = time.Since(began)
	s.surveyed.mu.Lock()
	defer s.surveyed.mu.Unlock()
	s.surveyed.last = out
	return nil
}

// surveyPage reads the next packages of a kind of records; last is "" at the end.
func (s *Store) surveyPage(
	ctx context.Context, of, kind Kind, after string, named func(Kind, string) string,
) (page []SurveyedPackage, last string, err error) {
	err = s.View(ctx, func(tx *Tx) error {
		page, last = nil, ""
		looked := 0
		for k, v := range tx.scan(bucketPackage, prefix(string(kind)), key(string(kind), after)) {
			if looked++; looked > 1000 {
				return nil
			}
			last = lastPart(k)
			var row packageRow
			if err := decode(v, &row); err != nil {
				return fmt.Errorf("%s packages: %w", kind, err)
			}
			if !row.Listed {
				continue
			}
			p := SurveyedPackage{
				Kind: of, Name: last, Copy: of != kind, Bytes: row.Bytes, Since: row.Created, Used: row.Updated,
			}
			if p.Copy && named != nil {
				p.Name = named(of, last)
			}
			if p.Last = tx.lastPull(of, p.Name); p.Last.After(p.Used) {
				p.Used = p.Last
			}
			page = append(page, p)
		}
		last = ""
		return nil
	})
	return page, last, err
}

// lastPull is when a package was pulled last, as far as it is written down, without the counts of its row.
func (tx *Tx) lastPull(k Kind, name string) time.Time {
	b := tx.get(tablePulls, key(string(k), name, ""))
	if len(b) < 2 || b[0] != pullFormat {
		return time.Time{}
	}
	at, size := binary.Uvarint(b[1:])
	if size <= 0 || at == 0 {
		return time.Time{}
	}
	return time.Unix(int64(at), 0).UTC()
}

// add keeps what is among the largest.
func (v *Survey) add(page []SurveyedPackage, now time.Time) {
	v.Largest = largest(append(v.Largest, page...))
	for _, days := range SurveyDays {
		unused, since := v.Unused[days], now.AddDate(0, 0, -days)
		for _, p := range page {
			if p.Used.Before(since) {
				unused.Packages, unused.Bytes = unused.Packages+1, unused.Bytes+p.Bytes
				unused.List = append(unused.List, p)
			}
		}
		unused.List = largest(unused.List)
		v.Unused[days] = unused
	}
}

// largest are the packages that take most, in that order.
func largest(list []SurveyedPackage) []SurveyedPackage {
	slices.SortStableFunc(list, func(a, b SurveyedPackage) int { return cmp.Compare(b.Bytes, a.Bytes) })
	return list[:min(len(list), surveyMost)]
}

// QuotaUse is how many bytes count against a quota now: the most that one of its packages or users has. It is not known
// for patterns of packages.
func (s *Store) QuotaUse(ctx context.Context, q Quota) (used int64, known bool, err error) {
	err = s.View(ctx, func(tx *Tx) (err error) {
		known = true
		switch {
		case q.Package != "":
			known = false
		case q.User == "*":
			used = 0
			for _, v := range tx.scan(bucketStat, prefix(statUser), nil) {
				var c counter
				if err := decode(v, &c); err != nil {
					return err
				}
				used = max(used, c.Bytes)
			}
		case q.User != "":
			used, err = tx.statBytes(statUser, q.User)
		default:
			used, err = tx.kindBytes(q.Kind)
		}
		return err
	})
	return used, known, err
}

// ScrubPass is how far the job has come that reads every blob again: when the pass began, and which part of the blobs
// it has read, about. began is zero before the first.
func (s *Store) ScrubPass(ctx context.Context) (began time.Time, part float64, err error) {
	err = s.View(ctx, func(tx *Tx) error {
		var state scrubState
		found, err := tx.row(bucketMeta, scrubKey, &state)
		if err != nil || !found {
			return err
		}
		began, part = time.Unix(state.Began, 0).UTC(), 0
		// Digests are spread evenly, so that the first digits of the last one say it.
		if _, hex, _ := strings.Cut(string(state.After), ":"); len(hex) >= 4 {
			var n int
			if _, err := fmt.Sscanf(hex[:4], "%x", &n); err == nil {
				part = float64(n) / 0x10000
			}
		}
		return nil
	})
	return began, part, err
}
