package auth

// Failed logins in the journal: with the name that was tried and the address, few enough that a flood does not fill the
// disk.

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"larder/store"
)

// OpLoginFailed is the journal's word for failed logins.
const OpLoginFailed store.Op = "login.failed"

// Bounds of what failed logins write: the first of a user at an address at once, the others of the minute as one
// number, and beyond failureBurst (and one more each failureEvery) all of everybody as one number.
const (
	failureBurst = 100
	failureEvery = 10 * time.Second
)

// failed are the failures of one user at one address since the last Flush.
type failed struct {
	addr netip.Addr // the last one, of the same network
	more int        // beyond the one that was written
}

// failures count failed logins between one Flush and the next.
type failures struct {
	room *buckets[struct{}]

	mu   sync.Mutex
	by   map[pair]*failed // those of which an entry was written
	rest int              // of all others
}

func newFailures() *failures {
	return &failures{room: newBuckets[struct{}](failureBurst, failureEvery), by: map[pair]*failed{}}
}

// count notes a failure, and says whether it is to be written now.
func (f *failures) count(now time.Time, p pair, addr netip.Addr) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch known := f.by[p]; {
	case known != nil:
		known.addr = addr
		known.more++
	case f.room.take(now, struct{}{}) > 0:
		f.rest++
	default:
		f.by[p] = &failed{addr: addr}
		return true
	}
	return false
}

// take empties the counts.
func (f *failures) take() (by map[pair]*failed, rest int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	by, rest = f.by, f.rest
	f.by, f.rest = map[pair]*failed{}, 0
	return by, rest
}

// put gives back what could not be written.
func (f *failures) put(by map[pair]*failed, rest int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rest += rest
	for p, was := range by {
		if now := f.by[p]; now != nil {
			now.more += was.more
		} else {
			f.by[p] = was
		}
	}
}

// failedLogin notes a login that was refused. The name is what somebody typed: a password in the wrong field, perhaps,
// so that no more of it is kept than a name can be long.
func (l *Local) failedLogin(ctx context.Context, c Credentials) {
	p := pair{user: c.User[:min(len(c.User), maxUserName)], at: network(c.Addr)}
	if !l.failures.count(l.now(), p, c.Addr) {
		return
	}
	err := l.store.Update(failedActor(ctx, c.Addr), func(tx *store.Tx) error {
		tx.Log(store.Entry{Op: OpLoginFailed, Note: failedNote(p.user, c.Addr, 1)})
		return nil
	})
	if err != nil {
		l.log.Warn("failed login not in the journal", "user", p.user, "address", c.Addr, "error", err)
	}
}

// failedActor is nobody, at the address.
func failedActor(ctx context.Context, addr netip.Addr) context.Context {
	actor := store.Actor{Agent: store.ActorFrom(ctx).Agent}
	if addr.IsValid() {
		actor.Addr = addr.String()
	}
	return store.WithActor(context.WithoutCancel(ctx), actor)
}

func failedNote(user string, addr netip.Addr, times int) string {
	note := fmt.Sprintf("user %q", user)
	switch {
	case hasPrefix(user):
		note = "a token instead of a user"
	case CheckUserName(user) == nil:
		note = "user " + user
	}
	if addr.IsValid() {
		note += " from " + addr.String()
	}
	if times > 1 {
		note += fmt.Sprintf(", %d times", times)
	}
	return note
}

// flushFailures writes what was only counted.
func (l *Local) flushFailures(ctx context.Context) error {
	by, rest := l.failures.take()
	pairs := make([]pair, 0, len(by))
	for p, f := range by {
		if f.more > 0 {
			pairs = append(pairs, p)
		}
	}
	if len(pairs) == 0 && rest == 0 {
		return nil
	}
	slices.SortFunc(pairs, func(a, b pair) int {
		return cmp.Or(cmp.Compare(a.user, b.user),
			by[a].addr.Compare(by[b].addr))
	})
	err := l.store.Update(ctx, func(tx *store.Tx) error {
		for _, p := range pairs {
			tx.Log(store.Entry{Op: OpLoginFailed, Note: failedNote(p.user, by[p].addr, by[p].more)})
		}
		if rest > 0 {
			tx.Log(store.Entry{Op: OpLoginFailed, Note: fmt.Sprintf("other users and addresses, %d times", rest)})
		}
		return nil
	})
	if err == nil {
		return nil
	}
	l.failures.put(by, rest)
	if errors.Is(err, store.ErrReadOnly) {
		l.log.Debug("failed logins not written", "error", err)
		return nil
	}
	return fmt.Errorf("write failed logins: %w", err)
}
