package upstream

// This file holds back versions that are too young, and those that are blocked.

import (
	"context"
	"encoding/json"
	"time"

	"larder/store"
)

// note writes down the versions that a document mentions for the first time. What is there at the first sync is old.
func note(tx *store.PackageTx[entry], u *Upstream, versions map[string]time.Time) error {
	table, first := tx.Index(indexSeen), true
	for range table.Scan(nil, nil) {
		first = false
		break
	}
	for v, published := range versions {
		if v == "" || table.Get([]byte(v)) != nil {
			continue
		}
		row := sight{Published: published.UTC(), Upstream: u.key}
		if !first {
			row.Seen = tx.Tx().Now()
		}
		raw, err := json.Marshal(row)
		if err != nil {
			return err
		}
		if err := table.Put([]byte(v), raw); err != nil {
			return err
		}
	}
	return nil
}

// sighting reads what note wrote.
func (s *Set) sighting(ctx context.Context, name, version string) (sight, error) {
	return s.seen.Get(s.homeOf(name), version, func() (row sight, err error) {
		err = s.docs.View(ctx, s.homeOf(name), func(tx *store.PackageTx[entry]) error {
			raw := tx.Index(indexSeen).Get([]byte(version))
			if raw == nil {
				return nil
			}
			row.Known = true
			return json.Unmarshal(raw, &row)
		})
		return row, err
	})
}

// Gated reports whether versions may be held back at all; documents are rendered without looking otherwise.
func (s *Set) Gated() bool { return s != nil && (s.r.opt.MinAge > 0 || len(s.r.blocked) > 0) }

// GateKey is part of the key of documents that are rendered through the gate: it changes when what they show may
// change. A version comes of age at any time, so a gated document is rendered anew each minute.
func (s *Set) GateKey() string {
	if !s.Gated() {
		return ""
	}
	if s.r.opt.MinAge == 0 {
		return "blocked"
	}
	return "gate " + s.r.now().UTC().Truncate(time.Minute).Format(time.RFC3339)
}

// Allowed is nil when a version may be shown and fetched. ErrDenied says why not, and until when; it is for documents
// (leave the version out) and files (refuse) alike. What was handed out once stays allowed.
func (s *Set) Allowed(ctx context.Context, name, version string) error {
	if !s.Gated() || version == "" {
		return nil
	}
	if err := s.Blocked(name, version); err != nil {
		return err
	}
	if s.r.opt.MinAge == 0 || s.coversVersion(s.r.allowed, name, version) {
		return nil
	}
	row, err := s.sighting(ctx, name, version)
	if err != nil {
		return err
	}
	born := row.Seen
	if u := s.sources[row.Upstream]; u != nil && u.conf.Trusted && !row.Published.IsZero() {
		born = row.Published
	} else if row.Known && row.Seen.IsZero() {
		return nil // it was there before we were
	}
	open := born.Add(s.r.opt.MinAge)
	switch {
	case !row.Known:
		return withhold(MissYoung, name, version,
			"%s %s is of unknown age; this registry holds back versions younger than %s.",
			name, version, s.r.opt.MinAge)
	case s.r.now().Before(open):
		return withhold(MissYoung, name, version,
			"%s %s was released on %s and is held back until %s by this registry's minimum age.", name, version,
			born.Format(time.DateOnly), open.Format(time.RFC3339))
	}
	return nil
}
