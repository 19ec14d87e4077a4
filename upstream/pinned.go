package upstream

// This file pins files for which nobody gives a sum: the first copy counts for ever, and other bytes of the same
// upstream are refused, also after the copy was evicted.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/opencontainers/go-digest"

	"larder/store"
)

// tablePins has kind package key → pin. A row stays when the copy is evicted, and goes when the package is purged.
const tablePins = "upstream.pins"

// tablePinned has kind source → how many pins there are, 8 bytes.
const tablePinned = "upstream.pinned"

// pin is what a file was when it was first seen.
type pin struct {
	Upstream string        `json:"upstream"` // the key of its source
	Digest   digest.Digest `json:"digest"`
	Since    time.Time     `json:"since"`
}

// changedError is a file that is not what it was.
type changedError struct {
	id       fileID
	kind     store.Kind
	was, now digest.Digest
	since    time.Time
}

func (e *changedError) Error() string {
	return fmt.Sprintf("%s %s %s was %s when it was pinned at first sight on %s, and is %s now",
		e.kind, e.id.pkg, e.id.key, e.was, e.since.Format(time.DateOnly), e.now)
}

func (e *changedError) Unwrap() error { return ErrBroken }

// says is what the client's user reads, behind the upstream's name.
func (e *changedError) says() string {
	return fmt.Sprintf("has other bytes of %s than before: the sha256 was %s on %s, and is %s now. If the new ones are "+
		"right, an administrator accepts them: larder upstream purge %s %s.", e.id.key, e.was.Encoded(),
		e.since.Format(time.DateOnly), e.now.Encoded(), e.kind, e.id.pkg)
}

// pins reports whether nobody said what the file must be, and it must be the same for ever.
func (t *transfer) pins(q FileQuery) bool {
	return !t.summed && t.place.Make == nil && !t.place.Remade && q.Fresh == 0
}

// checkPin is a *changedError unless the file is what it was pinned to.
func (s *Set) checkPin(tx *store.Tx, u *Upstream, id fileID, now digest.Digest) error {
	raw := tx.Table(tablePins).Get(useKey{s.kind, id.pkg, id.key}.row())
	if raw == nil {
		return nil
	}
	var p pin
	if err := json.Unmarshal(raw, &p); err != nil {
		return fmt.Errorf("pin of %s %s %s: %w: %w", s.kind, id.pkg, id.key, store.ErrFormat, err)
	}
	if p.Upstream != u.key || p.Digest == now {
		return nil
	}
	return &changedError{fileID{s.named(id.pkg), id.key}, s.kind, p.Digest, now, p.Since}
}

// pin notes what a file is, unless it is pinned already.
func (s *Set) pin(tx *store.Tx, u *Upstream, id fileID, d digest.Digest) error {
	table, row := tx.Table(tablePins), useKey{s.kind, id.pkg, id.key}.row()
	if table.Get(row) != nil {
		return nil
	}
	raw, err := json.Marshal(pin{u.key, d, tx.Now()})
	if err != nil {
		return err
	}
	tx.OnCommit(func() {
		s.r.log.LogAttrs(context.Background(), slog.LevelInfo, "file pinned at first sight: no sum of it is known",
			slog.String("kind", string(s.kind)), slog.String("package", s.named(id.pkg)), slog.String("file", id.key),
			slog.String("upstream", u.Name()), slog.String("digest", string(d)))
	})
	return errors.Join(table.Put(row, raw), s.r.countPins(tx, s.kind, u.key, 1))
}

func (r *Registry) countPins(tx *store.Tx, k store.Kind, key string, n int64) error {
	table, row := tx.Table(tablePinned), sourceRow(k, key)
	return table.Put(row, encodeNumber(max(number(table.Get(row))+n, 0)))
}

// unpin forgets what the files of a package were.
func (r *Registry) unpin(tx *store.Tx, k store.Kind, pkg string) error {
	table, rows := tx.Table(tablePins), map[string]string{}
	for row, raw := range table.Scan(useKey{k, pkg, ""}.row(), nil) {
		var p pin
		if err := json.Unmarshal(raw, &p); err != nil {
			return fmt.Errorf("pin %q: %w: %w", row, store.ErrFormat, err)
		}
		rows[string(slices.Clone(row))] = p.Upstream
	}
	for row, key := range rows {
		if err := errors.Join(table.Delete([]byte(row)), r.countPins(tx, k, key, -1)); err != nil {
			return err
		}
	}
	return nil
}

// CountPinned fills in how many files of each upstream are pinned.
func (r *Registry) CountPinned(ctx context.Context, list []Status) error {
	return r.store.View(ctx, func(tx *store.Tx) error {
		for i, st := range list {
			for key, u := range r.sets[st.Kind].sources {
				if u.Name() == st.Name && u.URL() == st.URL && u.gone == st.NoUpstream {
					list[i].Pinned = number(tx.Table(tablePinned).Get(sourceRow(st.Kind, key)))
				}
			}
		}
		return nil
	})
}
