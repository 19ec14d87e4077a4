package upstream

// This file notes what clients asked for in vain: because a rule withholds it, an upstream refuses it, or all are
// offline.

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"

	"larder/internal/problem"
	"larder/store"
)

// Miss is something that was asked for and not given. Those that came in vain for another reason than absence are
// what an operator may want to change, or to bring from outside.
type Miss struct {
	Kind    store.Kind `json:"kind"`
	Package string     `json:"package"`
	// Key is the document or file; for a reason that is a rule the version, "" for the whole package.
	Key   string `json:"key"`
	Count int64  `json:"count"`
	// Reason is MissRefused, MissBlocked or MissYoung; "": it was asked for offline and was not kept.
	Reason string `json:"reason,omitempty"`
}

// Reasons of a Miss.
const (
	MissRefused = "refused" // by the upstream
	MissBlocked = "blocked"
	MissYoung   = "too young"
)

// Withheld is store.ErrDenied for what a rule of this registry withholds from its clients.
type Withheld struct {
	Package, Version string
	Reason           string // as in Miss
	err              error
}

func (e *Withheld) Error() string { return e.err.Error() }
func (e *Withheld) Unwrap() error { return e.err }

// Withhold is the error for a version that is blocked, "" for a package that is; the client's user reads the text.
func Withhold(name, version, format string, args ...any) error {
	return withhold(MissBlocked, name, version, format, args...)
}

func withhold(reason, name, version, format string, args ...any) error {
	return &Withheld{name, version, reason, problem.Errorf(store.ErrDenied, format, args...)}
}

// NoteFailure logs a client's request that failed because of a rule, and puts what it was for on the list of misses.
// Lists from which something is left out do not fail.
func (r *Registry) NoteFailure(ctx context.Context, k store.Kind, err error) {
	var w *Withheld
	if r != nil && errors.As(err, &w) {
		r.noteMiss(k, w.Package, w.Version, w.Reason, "withheld by a rule", slog.String("reason", w.Reason))
	}
}

// noteMiss counts a miss, and logs it the first time since they were written down last.
func (r *Registry) noteMiss(k store.Kind, name, key, reason, text string, attrs ...slog.Attr) {
	if r.uses.miss(k, name, markMiss(key, reason)) > 1 {
		return
	}
	attrs = append([]slog.Attr{
		slog.String("kind", string(k)), slog.String("package", name), slog.String("key", key),
	}, attrs...)
	r.log.LogAttrs(context.Background(), slog.LevelInfo, text, attrs...)
}

// markMiss is the key of a row: what was missed, and for a reason the reason.
func markMiss(key, reason string) string {
	if reason == "" {
		return key
	}
	return key + "\x00" + reason
}

// Misses lists what was missed since it was last cleared: what the next visit to the outside should bring, and what
// rules and upstreams kept from clients.
func (r *Registry) Misses(ctx context.Context) (list []Miss, err error) {
	if err := r.Flush(ctx); err != nil {
		return nil, err
	}
	err = r.store.View(ctx, func(tx *store.Tx) error {
		list = nil
		for k, v := range tx.Table(tableMissed).Scan(nil, nil) {
			if m, ok := missOf(k, v); ok {
				list = append(list, m)
			}
		}
		return nil
	})
	return list, err
}

// missOf reads a row.
func missOf(k, v []byte) (m Miss, ok bool) {
	row, ok := parseUse(k)
	key, reason, _ := strings.Cut(row.key, "\x00")
	return Miss{row.kind, row.pkg, key, number(v), reason}, ok
}

// row is the key of the miss's row.
func (m Miss) row() []byte { return useKey{m.Kind, m.Package, markMiss(m.Key, m.Reason)}.row() }

// MissesAfter lists up to limit of what Misses lists, behind one of them, in the order of kinds, packages and keys;
// after the zero Miss from the beginning.
func (r *Registry) MissesAfter(ctx context.Context, after Miss, limit int) (list []Miss, err error) {
	if err := r.Flush(ctx); err != nil {
		return nil, err
	}
	err = r.store.View(ctx, func(tx *store.Tx) error {
		list = nil
		for k, v := range tx.Table(tableMissed).Scan(nil, after.row()) {
			if m, ok := missOf(k, v); ok {
				list = append(list, m)
			}
			if len(list) == limit {
				break
			}
		}
		return nil
	})
	return list, err
}

// ClearMisses forgets the list.
func (r *Registry) ClearMisses(ctx context.Context) error {
	return r.store.Update(ctx, func(tx *store.Tx) error {
		table := tx.Table(tableMissed)
		for k := range table.Scan(nil, nil) {
			if err := table.Delete(slices.Clone(k)); err != nil {
				return err
			}
		}
		return nil
	})
}
