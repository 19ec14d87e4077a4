package auth

// Checking passwords: bcrypt once, then a keyed proof that is recognised for some minutes.

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"net/netip"
	"strings"
	"sync"
	"time"

	"larder/internal/problem"

	"golang.org/x/crypto/bcrypt"
)

// Passwords. bcrypt reads 72 bytes and stops at none, so every password is first brought to 43 characters by an
// HMAC-SHA-256 under a fixed label: a password of any length counts in full, and a hash leaked elsewhere fits nowhere
// here.
const (
	maxPassword   = 1024
	passwordLabel = "larder password 1"
	proofTime     = 5 * time.Minute
	maxProofs     = 8192
)

// condense is what bcrypt gets of a password.
func condense(password string) []byte {
	mac := hmac.New(sha256.New, []byte(passwordLabel))
	mac.Write([]byte(password))
	return base64.RawURLEncoding.AppendEncode(nil, mac.Sum(nil))
}

func hashPassword(password string, cost int) ([]byte, error) {
	h, err := bcrypt.GenerateFromPassword(condense(password), cost)
	if err != nil {
		return nil, fmt.Errorf("hash password: %w", err)
	}
	return h, nil
}

// nobody is a bcrypt hash of the right form at the given cost, for users who do not exist: it takes as long to refuse.
func nobody(cost int) []byte {
	return fmt.Appendf(nil, "$2a$%02d$%s", cost, strings.Repeat("a", 22+31))
}

// errLogin is the same for a wrong password, an unknown user and a name no user can have.
func errLogin() error {
	return problem.Errorf(ErrCredentials, "The user name or the password is wrong.")
}

// VerifyPassword checks a name and password where somebody has to prove who they are: what asks for a password takes no
// token, wherever one stands. ErrNoPassword for a token, ErrCredentials, ErrDisabled and *Throttled as of Authenticate.
func (l *Local) VerifyPassword(ctx context.Context, user, password string, addr netip.Addr) (Identity, error) {
	switch {
	case user == "" || password == "":
		return Identity{}, problem.Errorf(ErrCredentials, "A login needs a user name and a password.")
	case hasPrefix(password), hasPrefix(user), likeJWT(password):
		l.failedLogin(ctx, Credentials{User: user, Addr: addr})
		return Identity{}, problem.Errorf(ErrNoPassword,
			"This asks for the password; a token is none. Tokens go into the client's configuration as they are.")
	}
	return l.password(ctx, Credentials{User: user, Password: password, Addr: addr})
}

// password checks a name and password, and notes those that are refused.
func (l *Local) password(ctx context.Context, c Credentials) (Identity, error) {
	id, err := l.tryPassword(ctx, c)
	var throttled *Throttled
	if errors.Is(err, ErrCredentials) || errors.As(err, &throttled) {
		l.failedLogin(ctx, c)
	}
	return id, err
}

// tryPassword checks a name and password. An unknown user and a wrong password are refused alike.
func (l *Local) tryPassword(ctx context.Context, c Credentials) (Identity, error) {
	if checkCarried(c.Password) != nil || CheckUserName(c.User) != nil {
		return Identity{}, errLogin()
	}
	a, err := l.account(ctx, c.User)
	if err != nil {
		return Identity{}, err
	}
	from, proof := pair{c.User, network(c.Addr)}, l.proofs.of(c.User, a, c.Password)
	if !l.proofs.has(from, proof, l.now()) {
		if err := l.prove(ctx, c, a, from, proof); err != nil {
			return Identity{}, err
		}
		// The check took long enough for the user to have been changed or removed.
		now, err := l.account(ctx, c.User)
		if err != nil {
			return Identity{}, err
		}
		if a == nil || now == nil || now.generation != a.generation {
			return Identity{}, errLogin()
		}
	}
	if a.disabled {
		return Identity{}, problem.Errorf(ErrDisabled, "The user is disabled.")
	}
	return a.identity(), nil
}

// prove checks the password itself. Requests with the same user, password and address share one check, which goes on
// when the request that began it is gone.
func (l *Local) prove(ctx context.Context, c Credentials, a *account, from pair, proof proof) error {
	check := func() (any, error) { return nil, l.check(c, a, from, proof) }
	select {
	case r := <-l.flights.DoChan(string(proof[:])+from.at.String(), check):
		return r.Err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *Local) check(c Credentials, a *account, from pair, proof proof) error {
	if l.proofs.has(from, proof, l.now()) { // another check ended since the caller looked
		return nil
	}
	known, right := l.proofs.knows(from, proof)
	if !right {
		if err := l.limit.take(l.now(), from, known); err != nil {
			if known && l.limit.known.take(l.now(), from) > 0 {
				l.proofs.forget(from)
			}
			return err
		}
	}
	l.checks <- struct{}{}
	defer func() { <-l.checks }()
	hash := nobody(l.opt.Cost)
	if a != nil {
		hash = a.hash
	}
	err := l.compare(hash, condense(c.Password))
	switch {
	case err != nil && !errors.Is(err, bcrypt.ErrMismatchedHashAndPassword):
		return fmt.Errorf("password of user %s: %w", c.User, err)
	case err != nil || a == nil:
		return errLogin()
	}
	if !right {
		l.limit.give(from, known)
	}
	l.proofs.add(from, proof, l.now())
	return nil
}

// proof stands for a password that was found right for a user at a generation; without the process's key it is noise.
type proof [sha256.Size]byte

// proofs are the passwords found right, by user and address: for five minutes they need no bcrypt, and after that they
// are still not held back for what others guess there. Elsewhere they prove nothing, so that nobody guesses against
// them. A change of the user changes the generation and so the proof: nothing has to be removed.
type proofs struct {
	macs sync.Pool // of hash.Hash, keyed with 32 random bytes of this process

	mu sync.RWMutex
	by map[pair]proven
}

// proven is the last password that was right.
type proven struct {
	proof proof
	until time.Time
}

func newProofs() *proofs {
	key := make([]byte, 32)
	rand.Read(key)
	p := &proofs{by: map[pair]proven{}}
	p.macs.New = func() any { return hmac.New(sha256.New, key) }
	return p
}

// of makes the proof; a nil account is generation 0, which no user has. A NUL cannot be part of a user name.
func (p *proofs) of(user string, a *account, password string) proof {
	var generation uint64
	if a != nil {
		generation = a.generation
	}
	text := make([]byte, 0, 128)
	text = append(append(text, user...), 0)
	text = binary.BigEndian.AppendUint64(text, generation)
	text = append(text, password...)
	mac := p.macs.Get().(hash.Hash)
	defer p.macs.Put(mac)
	mac.Reset()
	mac.Write(text)
	var out proof
	mac.Sum(out[:0])
	return out
}

// has says that the password was found right there a moment ago.
func (p *proofs) has(from pair, q proof, now time.Time) bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	was, ok := p.by[from]
	return ok && subtle.ConstantTimeCompare(was.proof[:], q[:]) == 1 && now.Before(was.until)
}

// knows says whether the right password ever came from there, and whether it was this one.
func (p *proofs) knows(from pair, q proof) (known, right bool) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	was, ok := p.by[from]
	return ok, ok && subtle.ConstantTimeCompare(was.proof[:], q[:]) == 1
}

// forget makes a stranger of whoever comes from there.
func (p *proofs) forget(from pair) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.by, from)
}

// add notes a right password; of too many the one that was proved first goes.
func (p *proofs) add(from pair, q proof, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, ok := p.by[from]; !ok && len(p.by) >= maxProofs {
		var oldest pair
		var at time.Time
		for other, was := range p.by {
			if at.IsZero() || was.until.Before(at) {
				oldest, at = other, was.until
			}
		}
		delete(p.by, oldest)
	}
	p.by[from] = proven{q, now.Add(proofTime)}
}
