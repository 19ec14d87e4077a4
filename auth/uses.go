package auth

// When a token or a session was last used, kept in memory and written from time to time.

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"larder/store"
)

// useGrain is how exactly the last use of a token or a session is known; within it a use costs one atomic read.
const useGrain = time.Minute

// useClock is when a remembered credential was last noted as used, in Unix seconds.
type useClock struct{ atomic.Int64 }

// uses are the last uses since the last Flush, by the ids of what was used.
type uses struct {
	mu    sync.Mutex
	times map[string]time.Time
}

func newUses() *uses { return &uses{times: map[string]time.Time{}} }

// touch notes that what has the id was used; "" is nothing.
func (u *uses) touch(id string, used *useClock, now time.Time) {
	if id == "" {
		return
	}
	before := used.Load()
	if now.Unix()-before < int64(useGrain/time.Second) || !used.CompareAndSwap(before, now.Unix()) {
		return
	}
	u.note(map[string]time.Time{id: now})
}

// note keeps the latest time of each id.
func (u *uses) note(seen map[string]time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for id, t := range seen {
		if t.After(u.times[id]) {
			u.times[id] = t
		}
	}
}

func (u *uses) last(id string) time.Time {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.times[id]
}

// snapshot returns a copy of what is noted.
func (u *uses) snapshot() map[string]time.Time {
	u.mu.Lock()
	defer u.mu.Unlock()
	return maps.Clone(u.times)
}

// done forgets what has been written, unless it was used again meanwhile.
func (u *uses) done(written map[string]time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for id, t := range written {
		if u.times[id].Equal(t) {
			delete(u.times, id)
		}
	}
}

// flushBatch bounds one transaction of Flush.
const flushBatch = 1000

// Flush writes the last uses of tokens and sessions, and the failed logins that were only counted. It is a background
// job, and to be run once more after the last request: no request writes a use. While the store is read-only all are
// kept for later.
func (l *Local) Flush(ctx context.Context) error {
	return errors.Join(
		l.flushFailures(ctx),
		l.flushUses(ctx, "tokens", l.uses, useToken),
		l.flushUses(ctx, "sessions", l.visits, useSession),
	)
}

// flushUses writes the last uses of one sort with write, which gets an id and its time.
func (l *Local) flushUses(
	ctx context.Context, what string, u *uses, write func(tx *store.Tx, id string, used time.Time) error,
) error {
	pending := u.snapshot()
	for len(pending) > 0 {
		batch := make(map[string]time.Time, min(len(pending), flushBatch))
		for id, t := range pending {
			if len(batch) == flushBatch {
				break
			}
			batch[id] = t
			delete(pending, id)
		}
		err := l.store.Update(ctx, func(tx *store.Tx) error {
			for id, t := range batch {
				if err := write(tx, id, t.UTC().Truncate(time.Second)); err != nil {
					return err
				}
			}
			return nil
		})
		if errors.Is(err, store.ErrReadOnly) {
			l.log.Debug("last use of "+what+" not written", what, len(batch), "error", err)
			return nil
		}
		if err != nil {
			return fmt.Errorf("write last use of %s: %w", what, err)
		}
		u.done(batch)
	}
	return nil
}

// useToken writes the last use of a token, unless it was revoked meanwhile.
func useToken(tx *store.Tx, id string, used time.Time) error {
	key, row, err := tokenIn(tx, id)
	if errors.Is(err, store.ErrNotFound) || err == nil && !used.After(row.LastUsed) {
		return nil
	}
	if err != nil {
		return err
	}
	row.LastUsed = used
	return putRow(tx.Table(tokensTable), key, row)
}

// useSession writes the last use of a session, unless it has ended meanwhile.
func useSession(tx *store.Tx, id string, used time.Time) error {
	key, row, err := sessionIn(tx, id)
	if errors.Is(err, store.ErrNotFound) || err == nil && !used.After(row.LastUsed) {
		return nil
	}
	if err != nil {
		return err
	}
	row.LastUsed = used
	return putRow(tx.Table(sessionsTable), key, row)
}
