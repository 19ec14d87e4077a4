package auth

// When a token was last used, kept in memory and written from time to time.

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

// useGrain is how exactly the last use of a token is known; within it a use costs one atomic read.
const useGrain = time.Minute

// useClock is when a remembered credential was last noted as used, in Unix seconds.
type useClock struct{ atomic.Int64 }

// uses are the last uses of tokens since the last Flush.
type uses struct {
	mu    sync.Mutex
	times map[string]time.Time
}

func newUses() *uses { return &uses{times: map[string]time.Time{}} }

// touch notes that the token behind h was used.
func (u *uses) touch(h *held, now time.Time) {
	if h.identity.TokenID == "" {
		return
	}
	before := h.used.Load()
	if now.Unix()-before < int64(useGrain/time.Second) || !h.used.CompareAndSwap(before, now.Unix()) {
		return
	}
	u.note(map[string]time.Time{h.identity.TokenID: now})
}

// note keeps the latest time of each token.
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

// done forgets what has been written, unless the token was used again meanwhile.
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

// Flush writes the last uses of tokens, and the failed logins that were only counted. It is a background job, and to be
// run once more after the last request: no request writes a use. While the store is read-only both are kept for later.
func (l *Local) Flush(ctx context.Context) error {
	return errors.Join(l.flushFailures(ctx), l.flushUses(ctx))
}

func (l *Local) flushUses(ctx context.Context) error {
	pending := l.uses.snapshot()
	for len(pending) > 0 {
		batch := make(map[string]time.Time, min(len(pending), flushBatch))
		for id, t := range pending {
			if len(batch) == flushBatch {
				break
			}
			batch[id] = t
			delete(pending, id)
		}
		err := l.store.Update(ctx, func(tx *store.Tx) error { return writeUses(tx, batch) })
		if errors.Is(err, store.ErrReadOnly) {
			l.log.Debug("last use of tokens not written", "tokens", len(batch), "error", err)
			return nil
		}
		if err != nil {
			return fmt.Errorf("write last use of tokens: %w", err)
		}
		l.uses.done(batch)
	}
	return nil
}

// writeUses skips tokens that were revoked meanwhile.
func writeUses(tx *store.Tx, batch map[string]time.Time) error {
	for id, t := range batch {
		key, row, err := tokenIn(tx, id)
		if errors.Is(err, store.ErrNotFound) || err == nil && !t.After(row.LastUsed) {
			continue
		}
		if err != nil {
			return err
		}
		row.LastUsed = t.UTC().Truncate(time.Second)
		b, err := encode(row)
		if err != nil {
			return err
		}
		if err := tx.Table(tokensTable).Put(key, b); err != nil {
			return err
		}
	}
	return nil
}
