package auth

// The world the other tests stand in, and authentication by every kind of credential.

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"larder/internal/problem"
	"larder/store"
	"larder/store/storetest"
)

// world is a provider on a real store, with a clock.
type world struct {
	*Local
	t     testing.TB
	clock *storetest.Clock
	ctx   context.Context
}

func newWorld(t testing.TB, o Options, opts ...storetest.Option) *world {
	t.Helper()
	w := &world{t: t, clock: storetest.NewClock(), ctx: context.Background()}
	o.Now, o.AnyPassword = w.clock.Now, true
	if o.Cost == 0 {
		o.Cost = bcrypt.MinCost
	}
	s := storetest.New(t, append(opts, storetest.WithClock(w.clock))...)
	var err error
	if w.Local, err = NewLocal(w.ctx, s, o); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) user(name string, scopes ...string) {
	w.t.Helper()
	w.must(w.AddUser(w.ctx, User{Name: name, Password: "pw of " + name, Scopes: mustScopes(w.t, scopes...)}))
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) login(name string) Identity {
	w.t.Helper()
	id, err := w.Authenticate(w.ctx, Credentials{User: name, Password: "pw of " + name})
	w.must(err)
	return id
}

// token makes a token and returns the identity it gives, its id and the token.
func (w *world) token(spec TokenSpec) (Identity, string, string) {
	w.t.Helper()
	id, secret, err := w.CreateToken(w.ctx, spec)
	w.must(err)
	who, err := w.Authenticate(w.ctx, Credentials{Token: secret})
	w.must(err)
	return who, id, secret
}

// jwt buys a JWT and returns the identity it gives, and the JWT.
func (w *world) jwt(id Identity, ttl time.Duration, scopes ...string) (Identity, string) {
	w.t.Helper()
	text, _, err := w.IssueJWT(w.ctx, id, mustScopes(w.t, scopes...), ttl)
	w.must(err)
	who, err := w.Authenticate(w.ctx, Credentials{Token: text})
	w.must(err)
	return who, text
}

// refused checks the sentinel, and that the user gets a sentence that names nothing internal.
func (w *world) refused(c Credentials, want error, words string) {
	w.t.Helper()
	id, err := w.Authenticate(w.ctx, c)
	if !errors.Is(err, want) || id.User != "" || id.Anonymous {
		w.t.Errorf("got %+v, %v; want %v", id, err, want)
	}
	var refusal *problem.Refusal
	if want != ErrNoCredentials && (!errors.As(err, &refusal) || !strings.Contains(refusal.Public(), words)) {
		w.t.Errorf("the text of %v does not hold %q", err, words)
	}
}

func TestBadOptionsAreRefused(t *testing.T) {
	s := storetest.New(t)
	for _, o := range []Options{
		{Anonymous: "write"}, {Cost: 3}, {Cost: 99}, {Private: []string{"oci"}}, {Private: []string{"oci:repository:"}},
		{Private: []string{"oci:repo:x"}},
	} {
		if _, err := NewLocal(t.Context(), s, o); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	l, err := NewLocal(t.Context(), s, Options{})
	if err != nil || !l.AnonymousReads() || l.opt.Cost != bcrypt.DefaultCost {
		t.Errorf("defaults: %+v, %v", l, err)
	}
}

func TestEveryFormOfCredentialsIsKnown(t *testing.T) {
	w := newWorld(t, Options{})
	w.user("ann")
	_, _, secret := w.token(TokenSpec{User: "ann"})
	for name, c := range map[string]Credentials{
		"password":                {User: "ann", Password: "pw of ann"},
		"bearer or bare":          {Token: secret},
		"password beside user":    {User: "ann", Password: secret},
		"password beside other":   {User: "somebody@example.com", Password: secret},
		"__token__":               {User: "__token__", Password: secret},
		"password alone":          {Password: secret},
		"user alone":              {User: secret},
		"user beside oauth word":  {User: secret, Password: "x-oauth-basic"},
		"token beside user":       {User: "whoever", Token: secret},
		"on an unknown interface": {Token: secret, Addr: netip.Addr{}},
	} {
		if id, err := w.Authenticate(w.ctx, c); err != nil || id.User != "ann" || id.Anonymous || id.Admin {
			t.Errorf("%s: %+v, %v", name, id, err)
		}
	}
}

func TestWrongCredentialsAreRefused(t *testing.T) {
	w := newWorld(t, Options{})
	w.user("ann")
	_, _, secret := w.token(TokenSpec{User: "ann"})
	other := newSecret()
	w.refused(Credentials{}, ErrNoCredentials, "")
	w.refused(Credentials{Addr: netip.MustParseAddr("192.0.2.1")}, ErrNoCredentials, "")
	for name, c := range map[string]struct {
		Credentials
		words string
	}{
		"wrong password": {Credentials{User: "ann", Password: "pw of bob"}, "user name or the password"},
		"unknown user":   {Credentials{User: "eve", Password: "pw of ann"}, "user name or the password"},
		"impossible":     {Credentials{User: "Ann", Password: "pw of ann"}, "user name or the password"},
		"no password":    {Credentials{User: "ann"}, "user name or the password"},
		"no user":        {Credentials{Password: "pw of ann"}, "user name or the password"},
		"unknown token":  {Credentials{Token: other}, "unknown or has been revoked"},
		"token cut off":  {Credentials{Token: secret[:30]}, "not complete"},
		"typo":           {Credentials{Password: secret[:30] + "!" + secret[31:]}, "not complete"},
		"prefix as user": {Credentials{User: "larder_"}, "not complete"},
		"other token":    {Credentials{Token: "npm_abc"}, "not a token of this registry"},
		"no JWT":         {Credentials{Token: "a.b.c"}, "not valid here"},
		"huge":           {Credentials{Token: strings.Repeat("x", maxBearer+1)}, "too long"},
		// A good password does not save a bad token, nor the other way round.
		"bad token, good password": {Credentials{User: "ann", Password: "pw of ann", Token: other}, "unknown"},
	} {
		t.Run(name, func(t *testing.T) { w.refused(c.Credentials, ErrCredentials, c.words) })
	}
}

func TestIdentityCanWhatGrantsAndLimitsAllow(t *testing.T) {
	read := Access{Kind: store.NPM, Type: "package", Name: "x", Action: Read}
	write := Access{Kind: store.NPM, Type: "package", Name: "x", Action: Write}
	appliance := Access{Action: Admin}
	all, none := mustScopes(t, "*:*:*:*"), Scopes{}
	reading, writing := mustScopes(t, "npm:*:*:read"), mustScopes(t, "npm:*:*:write")
	notAdmin := mustScopes(t, "*:*:*:read,write,delete")
	admin := func(limits ...Scopes) Identity { return Identity{User: "a", Admin: true, Limits: limits} }
	for name, c := range map[string]struct {
		id                       Identity
		reads, writes, appliance bool
	}{
		"zero":                       {Identity{}, false, false, false},
		"anonymous":                  {Anonymous(), false, false, false},
		"default grants":             {Identity{User: "a", Grants: everything()}, true, true, false},
		"all scopes are no admin":    {Identity{User: "a", Grants: all}, true, true, false},
		"admin":                      {Identity{User: "a", Admin: true}, true, true, true},
		"admin with a limit":         {admin(reading), true, false, false},
		"admin with an empty limit":  {admin(none), false, false, false},
		"admin with a nil limit":     {admin(nil), false, false, false},
		"admin without admin scope":  {admin(notAdmin), true, true, false},
		"read-only admin":            {Identity{User: "a", Admin: true, ReadOnly: true}, true, false, false},
		"every limit counts":         {admin(all, reading), true, false, false},
		"limits do not add":          {Identity{User: "a", Grants: reading, Limits: []Scopes{all}}, true, false, false},
		"disjoint limits":            {admin(reading, writing), false, false, false},
		"admin within all of limits": {admin(all, all), true, true, true},
	} {
		got := [...]bool{c.id.Can(read), c.id.Can(write), c.id.Can(appliance)}
		if want := [...]bool{c.reads, c.writes, c.appliance}; got != want {
			t.Errorf("%s: reads, writes, appliance: %v, want %v", name, got, want)
		}
		if c.id.Can(Access{Kind: store.NPM, Type: "package", Name: "x", Action: ""}) ||
			c.id.Can(Access{Kind: store.NPM, Type: "package", Name: "x", Action: "own"}) {
			t.Errorf("%s may do what is no action", name)
		}
	}
}

func TestCredentialKeepsTokenLimits(t *testing.T) {
	limits := []Scopes{mustScopes(t, "oci:*:*:read"), mustScopes(t, "oci:repository:a:read")}
	id := Identity{User: "a", Grants: everything(), Limits: limits, JWT: true}
	back := id.Credential()
	if back.JWT || len(back.Limits) != 1 ||
		!back.Can(Access{Kind: store.OCI, Type: "repository", Name: "b", Action: Read}) ||
		back.Can(Access{Kind: store.OCI, Type: "repository", Name: "b", Action: Write}) {
		t.Errorf("%+v", back)
	}
	_ = append(back.Limits, Scopes{})
	if len(limits[1]) != 1 {
		t.Error("appending to the copy changed the original")
	}
	if again := back.Credential(); len(again.Limits) != 1 {
		t.Error("the limits of a token went away")
	}
}

// TestMemoryOfCredentialsIsBounded: nothing grows with the number of credentials.
func TestMemoryOfCredentialsIsBounded(t *testing.T) {
	m := newMemory()
	for i := range maxHeld + 10 {
		m.hold(m.now(), [32]byte{byte(i), byte(i >> 8), byte(i >> 16)}, &held{})
	}
	for i := range maxAccounts + 10 {
		m.keep(m.now(), &account{name: strings.Repeat("x", i%64) + string(rune(i))})
	}
	if len(m.creds) > maxHeld || len(m.users) > maxAccounts {
		t.Errorf("%d credentials, %d users", len(m.creds), len(m.users))
	}
}

// TestWhatWasReadBeforeAChangeIsForgotten: what was read before a change is not remembered after it.
func TestWhatWasReadBeforeAChangeIsForgotten(t *testing.T) {
	m := newMemory()
	before := m.now()
	m.forget()
	m.hold(before, [32]byte{1}, &held{})
	m.keep(before, &account{name: "ann"})
	if m.held([32]byte{1}) != nil || m.account("ann") != nil {
		t.Error("a stale read was remembered")
	}
}

func TestStoreFailureIsNoRefusal(t *testing.T) {
	w := newWorld(t, Options{})
	w.user("ann")
	_, _, secret := w.token(TokenSpec{User: "ann"})
	w.memory.forget()
	ctx, cancel := context.WithCancel(w.ctx)
	cancel()
	for _, c := range []Credentials{{Token: secret}, {User: "ann", Password: "pw of ann"}} {
		if _, err := w.Authenticate(ctx, c); err == nil || errors.Is(err, ErrCredentials) ||
			!errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
	}
}

func TestErrorsAreOfTheirKinds(t *testing.T) {
	if !errors.Is(ErrDisabled, ErrCredentials) || !errors.Is(ErrScope, ErrDenied) {
		t.Error("a caller that knows the general error misses the special one")
	}
	all := []error{ErrNoCredentials, ErrCredentials, ErrDenied, ErrHidden}
	for i, a := range all {
		if slices.ContainsFunc(all[i+1:], func(b error) bool { return errors.Is(a, b) || errors.Is(b, a) }) {
			t.Errorf("%v is also another one", a)
		}
	}
}
