package auth

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/bcrypt"

	"larder/store"
)

// Passwords. bcrypt reads 72 bytes and stops at none, so every password is first brought to 43 characters by an
// HMAC-SHA-256 under a fixed label: a password of any length counts in full, and a hash leaked elsewhere fits nowhere here.
const (
	maxPassword   = 1024
	passwordLabel = "larder password 1"
	proofTime     = 5 * time.Minute
	maxProofs     = 8192
)

func checkPassword(p string) error {
	switch {
	case p == "":
		return store.Refuse(store.ErrInvalid, "The password is empty.")
	case len(p) > maxPassword:
		return store.Refuse(store.ErrInvalid, "The password has more than %d bytes.", maxPassword)
	case !utf8.ValidString(p) || strings.ContainsFunc(p, unicode.IsControl):
		return store.Refuse(store.ErrInvalid, "The password holds control characters, which Basic authentication cannot carry.")
	case hasPrefix(p):
		return store.Refuse(store.ErrInvalid, "A password must not start with %s: it would be taken for a token.", tokenPrefix)
	}
	return nil
}

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
func errLogin() error { return store.Refuse(ErrCredentials, "The user name or the password is wrong.") }

// password judges a name and password.
func (l *Local) password(ctx context.Context, c Credentials) (Identity, error) {
	if checkPassword(c.Password) != nil || CheckUserName(c.User) != nil {
		return Identity{}, errLogin()
	}
	a, err := l.account(ctx, c.User)
	if err != nil {
		return Identity{}, err
	}
	proof := l.proofs.of(c.User, a, c.Password)
	if !l.proofs.has(proof, l.now()) {
		if err := l.prove(ctx, c, a, proof); err != nil {
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
		return Identity{}, store.Refuse(ErrDisabled, "The user is disabled.")
	}
	return a.identity(), nil
}

// prove checks the password itself. Requests with the same user, password and address share one check, which goes on
// when the request that began it is gone.
func (l *Local) prove(ctx context.Context, c Credentials, a *account, proof proof) error {
	check := func() (any, error) { return nil, l.check(c, a, proof) }
	select {
	case r := <-l.flights.DoChan(string(proof[:])+addrKey(c.Addr), check):
		return r.Err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *Local) check(c Credentials, a *account, proof proof) error {
	if l.proofs.has(proof, l.now()) { // another check ended since the caller looked
		return nil
	}
	if err := l.limit.take(l.now(), c.User, c.Addr); err != nil {
		return err
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
	l.limit.give(c.User, c.Addr)
	l.proofs.add(proof, l.now())
	return nil
}

// proof stands for a password that was found right for a user at a generation; without the process's key it is noise.
type proof [sha256.Size]byte

// proofs are the passwords found right in the last five minutes. A change of the user changes the generation and so
// the proof: nothing has to be removed.
type proofs struct {
	macs sync.Pool // of hash.Hash, keyed with 32 random bytes of this process

	mu    sync.RWMutex
	until map[proof]time.Time
}

func newProofs() *proofs {
	key := make([]byte, 32)
	rand.Read(key)
	p := &proofs{until: map[proof]time.Time{}}
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

func (p *proofs) has(q proof, now time.Time) bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return now.Before(p.until[q])
}

func (p *proofs) add(q proof, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.until) >= maxProofs {
		for old, until := range p.until {
			if !now.Before(until) {
				delete(p.until, old)
			}
		}
	}
	if len(p.until) >= maxProofs {
		clear(p.until)
	}
	p.until[q] = now.Add(proofTime)
}
