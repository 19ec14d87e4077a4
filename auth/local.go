package auth

// Local, the provider of identities on the store's tables: its options, and the ways of authenticating.

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/sync/singleflight"

	"larder/internal/problem"
	"larder/store"
)

// Options of the local provider; the zero value is the default policy.
type Options struct {
	// Anonymous is what a request without credentials may do: "read" (also ""), or "none".
	Anonymous string
	// Private are patterns kind:type:name of what nobody reads without a grant, whatever Anonymous says.
	Private []string
	// Now is the clock; nil: time.Now.
	Now func() time.Time
	// Log receives what no caller can act on; nil: nothing.
	Log *slog.Logger
	// Cost is bcrypt's; 0: 10. Each step doubles the time of a first login. Passwords keep the cost they were set with.
	Cost int
	// AnyPassword takes every new password that clients can send, as tests do.
	AnyPassword bool
}

func (o Options) check() (Options, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Log = cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	o.Cost = cmp.Or(o.Cost, bcrypt.DefaultCost)
	if o.Cost < bcrypt.MinCost || o.Cost > bcrypt.MaxCost {
		return o, problem.Errorf(store.ErrInvalid, "the bcrypt cost is between %d and %d", bcrypt.MinCost, bcrypt.MaxCost)
	}
	switch o.Anonymous {
	case "":
		o.Anonymous = "read"
	case "read", "none":
	default:
		return o, problem.Errorf(store.ErrInvalid, "anonymous is %q; use read or none", o.Anonymous)
	}
	return o, nil
}

// Local is the provider whose users and tokens live in the store. Its methods may be called from any number of
// goroutines.
type Local struct {
	store *store.Store
	opt   Options
	now   func() time.Time
	log   *slog.Logger

	memory  *memory  // users and checked credentials, until the next change
	privacy *privacy // which packages are private
	uses    *uses    // last use of tokens, until the next Flush
	visits  *uses    // and of sessions

	proofs   *proofs
	limit    *limiter
	failures *failures
	flights  singleflight.Group                // password checks under way
	checks   chan struct{}                     // one slot per password check that may run at once
	compare  func(hash, password []byte) error // bcrypt; tests count the calls
	jwtKey   []byte
	parser   *jwt.Parser
}

// NewLocal makes the provider. ErrInvalid for options that make no sense; any other error comes from the store, which
// is written to when it has no signing key yet.
func NewLocal(ctx context.Context, s *store.Store, o Options) (*Local, error) {
	o, err := o.check()
	if err != nil {
		return nil, err
	}
	privacy, err := newPrivacy(s, o.Private)
	if err != nil {
		return nil, err
	}
	key, err := s.Secret(ctx, "auth.jwt", 32)
	if err != nil {
		return nil, fmt.Errorf("signing key: %w", err)
	}
	return &Local{
		store: s, opt: o, now: o.Now, log: o.Log,
		memory: newMemory(), privacy: privacy, uses: newUses(), visits: newUses(),
		proofs: newProofs(), limit: newLimiter(), failures: newFailures(),
		// Half the cores go on serving during a flood of logins.
		checks:  make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)),
		compare: bcrypt.CompareHashAndPassword,
		jwtKey:  key, parser: newParser(o.Now),
	}, nil
}

var _ Provider = (*Local)(nil)

// ReadsAll says that id may read every name of a type: no list of them has to be filtered. It may say no where a look
// at each name would find nothing closed, and it does not look at the private flags of packages.
func (l *Local) ReadsAll(id Identity, k store.Kind, typ string) bool {
	if l.AnonymousReads() && (id.Anonymous || id.User != "") && !l.privacy.touches(k, typ) {
		return true
	}
	// Only a pattern for every name matches the name that looks like one.
	return !id.Anonymous && id.Can(Access{Kind: k, Type: typ, Name: "*", Action: Read})
}

// AnonymousReads says whether requests without credentials may read what is not private.
func (l *Local) AnonymousReads() bool { return l.opt.Anonymous == "read" }

// Authenticate implements Provider. A token is recognised wherever a client may put it, beside any user name.
func (l *Local) Authenticate(ctx context.Context, c Credentials) (Identity, error) {
	if text, ok := c.token(); ok {
		return l.bearer(ctx, text, c.Addr)
	}
	if c.none() {
		return Identity{}, ErrNoCredentials
	}
	return l.password(ctx, c)
}

// maxBearer bounds what is hashed and parsed for a stranger.
const maxBearer = 16 << 10

// bearer checks a personal token or a JWT. What passes once is recognised by its SHA-256 until users or tokens change.
func (l *Local) bearer(ctx context.Context, text string, addr netip.Addr) (Identity, error) {
	if len(text) > maxBearer {
		return Identity{}, problem.Errorf(ErrCredentials, "The token is too long.")
	}
	key := sha256.Sum256([]byte(text))
	h := l.memory.held(key)
	if h == nil {
		var err error
		if h, err = l.load(ctx, key, text); err != nil {
			return Identity{}, err
		}
	}
	now := l.now()
	if err := h.admit(now, addr); err != nil {
		return Identity{}, err
	}
	l.uses.touch(h.identity.TokenID, &h.used, now)
	return h.identity, nil
}

// load checks a token or JWT from scratch.
func (l *Local) load(ctx context.Context, key [sha256.Size]byte, text string) (*held, error) {
	epoch := l.memory.now()
	var h *held
	var err error
	switch {
	case IsToken(text):
		h, err = l.loadToken(ctx, key)
	case hasPrefix(text):
		err = problem.Errorf(ErrCredentials, "The token is not complete: it was mistyped or cut off.")
	case strings.Count(text, ".") == 2:
		h, err = l.loadJWT(ctx, text)
	default:
		err = problem.Errorf(ErrCredentials, "This is not a token of this registry; they start with %s.", tokenPrefix)
	}
	if err != nil {
		return nil, err
	}
	l.memory.hold(epoch, key, h)
	return h, nil
}

// held is a checked credential: all that has to be looked at again is the time and the address.
type held struct {
	identity Identity
	disabled bool
	cidrs    []netip.Prefix
	used     useClock
}

// admit says whether the credential is good now, from addr. A credential bound to networks needs a known address.
func (h *held) admit(now time.Time, addr netip.Addr) error {
	if h.disabled {
		return problem.Errorf(ErrDisabled, "The user is disabled.")
	}
	if e := h.identity.Expires; !e.IsZero() && !now.Before(e) {
		return problem.Errorf(ErrCredentials, "The token has expired.")
	}
	if len(h.cidrs) == 0 {
		return nil
	}
	addr = addr.Unmap().WithZone("")
	for _, p := range h.cidrs {
		if p.Contains(addr) {
			return nil
		}
	}
	return problem.Errorf(ErrCredentials, "The token may not be used from this address.")
}

// memory keeps what was read from the store. Every committed change of a user, token or session empties it, so that no
// request that starts after the change was answered sees what was before.
type memory struct {
	mu    sync.RWMutex
	epoch uint64 // counts the changes
	users map[string]*account
	creds map[[sha256.Size]byte]*held
	// sessions are browsers' logins, by the SHA-256 of the cookie's value.
	sessions map[[sha256.Size]byte]*openSession
}

// Bounds of the memory; beyond them it starts afresh, which costs a few microseconds per entry.
const (
	maxAccounts = 8192
	maxHeld     = 16384
)

func newMemory() *memory {
	m := &memory{}
	m.forget()
	return m
}

// forget is called after every commit that changes users or tokens.
func (m *memory) forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.epoch++
	m.users = map[string]*account{}
	m.creds = map[[sha256.Size]byte]*held{}
	m.sessions = map[[sha256.Size]byte]*openSession{}
}

// now is to be asked before reading the store; what was read is kept only if nothing has changed since.
func (m *memory) now() uint64 {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.epoch
}

func (m *memory) held(key [sha256.Size]byte) *held {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.creds[key]
}

func (m *memory) hold(epoch uint64, key [sha256.Size]byte, h *held) {
	remember(m, epoch, &m.creds, maxHeld, key, h)
}

// remember puts v into a map of m, unless another epoch has begun. A map that has most entries is emptied first.
func remember[K comparable, V any](m *memory, epoch uint64, into *map[K]V, most int, key K, v V) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.epoch != epoch {
		return
	}
	if len(*into) >= most {
		clear(*into)
	}
	(*into)[key] = v
}

func (m *memory) account(name string) *account {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.users[name]
}

func (m *memory) keep(epoch uint64, a *account) { remember(m, epoch, &m.users, maxAccounts, a.name, a) }

// account is what is remembered of a user; it is never changed.
type account struct {
	name       string
	hash       []byte
	admin      bool
	disabled   bool
	grants     Scopes
	generation uint64
	unscoped   bool
}

func (a *account) identity() Identity {
	return Identity{User: a.name, Admin: a.admin, Grants: a.grants, generation: a.generation, unscoped: a.unscoped}
}

// account returns nil when there is no such user.
func (l *Local) account(ctx context.Context, name string) (*account, error) {
	if a := l.memory.account(name); a != nil {
		return a, nil
	}
	epoch := l.memory.now()
	var a *account
	err := l.store.View(ctx, func(tx *store.Tx) error {
		var err error
		a, err = accountIn(tx, name)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("user %s: %w", name, err)
	}
	l.memory.keep(epoch, a)
	return a, nil
}
