package auth

// Sessions: logins of browsers, which last for hours and are ended by their users.

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"larder/internal/problem"
	"larder/store"
)

// The journal's words for sessions.
const (
	OpSessionOpen store.Op = "session.open"
	OpSessionEnd  store.Op = "session.end"
)

// How long a session lasts, and how many a user has: of more, those that were unused for longest end.
const (
	SessionIdle = 12 * time.Hour     // without a request
	SessionLife = 7 * 24 * time.Hour // in all
	maxSessions = 50
	maxAgent    = 200
)

// Session is the login of a browser, as listed.
type Session struct {
	ID       string    `json:"id"` // 16 hex digits
	User     string    `json:"user"`
	Addr     string    `json:"addr,omitempty"`  // where it was opened
	Agent    string    `json:"agent,omitempty"` // the browser, as it called itself
	Created  time.Time `json:"created"`
	LastUsed time.Time `json:"last_used"` // to the minute
	Expires  time.Time `json:"expires"`   // the latest; SessionIdle without a request ends it earlier
}

// sessionRow is a session as stored. Nothing but LastUsed ever changes.
type sessionRow struct {
	User       string    `json:"user"`
	Generation uint64    `json:"generation"` // of the user: a change of them ends the session
	Addr       string    `json:"addr,omitempty"`
	Agent      string    `json:"agent,omitempty"`
	Created    time.Time `json:"created"`
	LastUsed   time.Time `json:"last_used"`
}

func (r sessionRow) session(id string) Session {
	return Session{
		ID: id, User: r.User, Addr: r.Addr, Agent: r.Agent,
		Created: r.Created, LastUsed: r.LastUsed, Expires: r.Created.Add(SessionLife),
	}
}

// ended says that time has ended the session.
func (s Session) ended(now time.Time) bool {
	return !now.Before(s.Expires) || now.Sub(s.LastUsed) >= SessionIdle
}

// openSession is a session that was read from the store, with its user as they were then.
type openSession struct {
	session  Session
	identity Identity
	used     useClock
}

// OpenSession begins a session for whoever logged in with the password just now, and returns it with, for the only
// time, its secret: the value of the browser's cookie, 43 characters of base64url. Address and browser are those of the
// context's actor. ErrDenied for every other credential, ErrCredentials if the user was changed since.
func (l *Local) OpenSession(ctx context.Context, by Identity) (s Session, secret string, err error) {
	if !by.ByPassword() {
		return Session{}, "", problem.Errorf(ErrDenied, "A session begins with the user's password.")
	}
	var bits [32]byte
	rand.Read(bits[:])
	secret = base64.RawURLEncoding.EncodeToString(bits[:])
	hash := sha256.Sum256([]byte(secret))
	actor := store.ActorFrom(ctx)
	row := sessionRow{
		User: by.User, Generation: by.generation, Addr: actor.Addr, Agent: actor.Agent[:min(len(actor.Agent), maxAgent)],
	}
	err = l.store.Update(ctx, func(tx *store.Tx) error {
		u, err := userIn(tx, by.User)
		if errors.Is(err, store.ErrNotFound) || err == nil && (u.Generation != by.generation || u.Disabled) {
			return errSession()
		}
		if err != nil {
			return err
		}
		if err := l.makeRoom(tx, by.User); err != nil {
			return err
		}
		row.Created = tx.Now()
		row.LastUsed = row.Created
		tx.Log(store.Entry{Op: OpSessionOpen, Note: sessionNote(idOf(hash[:]), row)})
		return putRow(tx.Table(sessionsTable), hash[:], row)
	})
	if err != nil {
		return Session{}, "", fmt.Errorf("open a session of user %s: %w", by.User, err)
	}
	return row.session(idOf(hash[:])), secret, nil
}

func sessionNote(id string, r sessionRow) string {
	note := "session " + id + " of user " + r.User
	if r.Addr != "" {
		note += " from " + r.Addr
	}
	return note
}

func errSession() error {
	return problem.Errorf(ErrCredentials, "The session has ended; log in again.")
}

// Session says whose session a cookie's value is, and notes that it was used. ErrCredentials for one that has ended or
// never was; ErrDisabled while its user is switched off. It may do whatever its user may, and is no password: what asks
// for one asks again.
func (l *Local) Session(ctx context.Context, secret string) (Session, Identity, error) {
	hash := sha256.Sum256([]byte(secret))
	open := l.memory.session(hash)
	if open == nil {
		var err error
		if open, err = l.loadSession(ctx, hash); err != nil {
			return Session{}, Identity{}, err
		}
	}
	s, now := open.session, l.now()
	if at := l.visits.last(s.ID); at.After(s.LastUsed) {
		s.LastUsed = at
	} else if at := time.Unix(open.used.Load(), 0); at.After(s.LastUsed) {
		s.LastUsed = at
	}
	if s.ended(now) {
		return Session{}, Identity{}, errSession()
	}
	l.visits.touch(s.ID, &open.used, now)
	return s, open.identity, nil
}

// loadSession reads a session and its user in one transaction.
func (l *Local) loadSession(ctx context.Context, hash [sha256.Size]byte) (*openSession, error) {
	epoch := l.memory.now()
	var open *openSession
	err := l.store.View(ctx, func(tx *store.Tx) error {
		b := tx.Table(sessionsTable).Get(hash[:])
		if b == nil {
			return errSession()
		}
		var row sessionRow
		if err := decode(b, &row); err != nil {
			return fmt.Errorf("record of session %s: %w", idOf(hash[:]), err)
		}
		a, err := accountIn(tx, row.User)
		switch {
		case errors.Is(err, store.ErrNotFound):
			return errSession()
		case err != nil:
			return err
		case a.disabled:
			return problem.Errorf(ErrDisabled, "The user is disabled.")
		case a.generation != row.Generation:
			return errSession()
		}
		open = &openSession{session: row.session(idOf(hash[:])), identity: a.identity()}
		open.identity.session = open.session.ID
		return nil
	})
	if err != nil {
		return nil, err
	}
	l.memory.keepSession(epoch, hash, open)
	return open, nil
}

func (m *memory) session(key [sha256.Size]byte) *openSession {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.sessions[key]
}

func (m *memory) keepSession(epoch uint64, key [sha256.Size]byte, s *openSession) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.epoch != epoch {
		return
	}
	if len(m.sessions) >= maxHeld {
		clear(m.sessions)
	}
	m.sessions[key] = s
}

// FormToken is what the forms of a session carry: another site knows neither it nor the cookie it is made of.
func FormToken(secret string) string {
	sum := sha256.Sum256([]byte("larder form 1\x00" + secret))
	return base64.RawURLEncoding.EncodeToString(sum[:18])
}

// Sessions returns the sessions of a user that have not ended, the last used first.
func (l *Local) Sessions(ctx context.Context, user string) ([]Session, error) {
	out := []Session{}
	err := l.store.View(ctx, func(tx *store.Tx) error {
		u, err := userIn(tx, user)
		if err != nil {
			return err
		}
		return l.eachSession(tx, func(_ []byte, r sessionRow, s Session) {
			if r.User == user && r.Generation == u.Generation && !s.ended(l.now()) {
				out = append(out, s)
			}
		})
	})
	if err != nil {
		return nil, fmt.Errorf("list sessions of user %s: %w", user, err)
	}
	slices.SortFunc(out, func(a, b Session) int {
		return cmp.Or(b.LastUsed.Compare(a.LastUsed), cmp.Compare(a.ID, b.ID))
	})
	return out, nil
}

// EndSession ends a session of a user at once. ErrNotFound, also for one of another user.
func (l *Local) EndSession(ctx context.Context, user, id string) error {
	err := l.store.Update(ctx, func(tx *store.Tx) error {
		n, err := l.dropSessions(tx, user, func(other string) bool { return other == id })
		if err == nil && n == 0 {
			err = problem.Errorf(store.ErrNotFound, "User %s has no session %.80q.", user, id)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("end session %s: %w", id, err)
	}
	return nil
}

// EndSessions ends all sessions of a user but one, which may be "", and returns how many there were.
func (l *Local) EndSessions(ctx context.Context, user, except string) (n int, err error) {
	err = l.store.Update(ctx, func(tx *store.Tx) error {
		var err error
		n, err = l.dropSessions(tx, user, func(id string) bool { return id != except })
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("end the sessions of user %s: %w", user, err)
	}
	return n, nil
}

// every selects all sessions.
func every(string) bool { return true }

// eachSession calls fn for all sessions, with when each was used last. The key is valid during the call.
func (l *Local) eachSession(tx *store.Tx, fn func(key []byte, r sessionRow, s Session)) error {
	for k, b := range tx.Table(sessionsTable).Scan(nil, nil) {
		var r sessionRow
		if err := decode(b, &r); err != nil {
			return fmt.Errorf("record of session %s: %w", idOf(k), err)
		}
		s := r.session(idOf(k))
		if at := l.visits.last(s.ID); at.After(s.LastUsed) {
			s.LastUsed = at
		}
		fn(k, r, s)
	}
	return nil
}

// dropSessions ends the sessions of a user that end selects, and returns how many there were.
func (l *Local) dropSessions(tx *store.Tx, user string, end func(id string) bool) (int, error) {
	var keys [][]byte
	err := l.eachSession(tx, func(k []byte, r sessionRow, s Session) {
		if r.User == user && end(s.ID) {
			keys = append(keys, bytes.Clone(k))
			tx.Log(store.Entry{Op: OpSessionEnd, Note: sessionNote(s.ID, r)})
		}
	})
	if err != nil {
		return 0, err
	}
	return len(keys), l.deleteSessions(tx, keys)
}

func (l *Local) deleteSessions(tx *store.Tx, keys [][]byte) error {
	if len(keys) > 0 {
		tx.OnCommit(l.memory.forget)
	}
	for _, k := range keys {
		if err := tx.Table(sessionsTable).Delete(k); err != nil {
			return err
		}
	}
	return nil
}

// makeRoom removes the sessions that have ended by themselves and, of too many of one user, those unused for longest.
func (l *Local) makeRoom(tx *store.Tx, user string) error {
	type found struct {
		key  []byte
		last time.Time
	}
	var live []found
	var gone [][]byte
	err := l.eachSession(tx, func(k []byte, r sessionRow, s Session) {
		switch {
		case s.ended(tx.Now()):
			gone = append(gone, bytes.Clone(k))
		case r.User == user:
			live = append(live, found{bytes.Clone(k), s.LastUsed})
		}
	})
	if err != nil {
		return err
	}
	slices.SortFunc(live, func(a, b found) int { return a.last.Compare(b.last) })
	for len(live) >= maxSessions {
		gone, live = append(gone, live[0].key), live[1:]
	}
	return l.deleteSessions(tx, gone)
}

// sessionIn finds a session by id; the key is valid inside the transaction.
func sessionIn(tx *store.Tx, id string) (key []byte, row sessionRow, err error) {
	prefix, err := hex.DecodeString(id)
	if err == nil && len(prefix) == tokenIDSize {
		for k, b := range tx.Table(sessionsTable).Scan(prefix, nil) {
			if err := decode(b, &row); err != nil {
				return nil, row, fmt.Errorf("record of session %s: %w", id, err)
			}
			return bytes.Clone(k), row, nil
		}
	}
	return nil, row, problem.Errorf(store.ErrNotFound, "There is no session %q.", id)
}
