package auth

// Personal tokens: what one may do, where and until when, and what revoking ends.

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"larder/store"
	"larder/store/storetest"
)

func TestCreatedTokenIsListed(t *testing.T) {
	w := newWorld(t, Options{})
	w.user("ann")
	spec := TokenSpec{
		User: "ann", Name: "CI of the team", Scopes: mustScopes(t, "npm:*:*:read"), Expires: w.clock.Now().Add(time.Hour),
		ReadOnly: true, CIDRs: []netip.Prefix{netip.MustParsePrefix("192.0.2.77/24")},
	}
	id, secret, err := w.CreateToken(w.ctx, spec)
	w.must(err)
	if got, ok := TokenID(secret); !ok || got != id {
		t.Errorf("id %s, of the token %s", id, got)
	}
	list, err := w.Tokens(w.ctx, "ann")
	w.must(err)
	if len(list) != 1 {
		t.Fatalf("%+v", list)
	}
	got := list[0]
	text := fmt.Sprintln(got.ID, got.User, got.Name, got.Scopes, got.ReadOnly, got.CIDRs[0], got.LastUsed.IsZero())
	if want := fmt.Sprintln(id, "ann", spec.Name, "npm:*:*:read", true, "192.0.2.0/24", true); text != want {
		t.Errorf("the token is listed as\n%swant\n%s", text, want)
	}
	if !got.Expires.Equal(spec.Expires) {
		t.Errorf("it expires at %v, want %v", got.Expires, spec.Expires)
	}
	if !got.Created.Equal(w.clock.Now()) {
		t.Errorf("it was made at %v, want %v", got.Created, w.clock.Now())
	}
	w.user("bob")
	w.clock.Advance(time.Second)
	_, other, _ := w.token(TokenSpec{User: "bob"})
	if list, _ := w.Tokens(w.ctx, "bob"); len(list) != 1 || list[0].ID != other {
		t.Errorf("%+v", list)
	}
	if list, _ := w.Tokens(w.ctx, ""); len(list) != 2 || list[0].ID != id || list[1].ID != other {
		t.Errorf("%+v", list)
	}
}

func TestBadTokenSpecsAreRefused(t *testing.T) {
	w := newWorld(t, Options{})
	w.user("ann")
	scopes := make(Scopes, maxTokenScopes+1)
	for i := range scopes {
		scopes[i] = mustScopes(t, "npm:package:x:read")[0]
	}
	for name, spec := range map[string]TokenSpec{
		"expired":     {Expires: w.clock.Now()},
		"long name":   {Name: strings.Repeat("x", maxTokenName+1)},
		"control":     {Name: "a\nb"},
		"not UTF-8":   {Name: "\xff"},
		"many scopes": {Scopes: scopes},
		"no network":  {CIDRs: []netip.Prefix{{}}},
		"4 in 6":      {CIDRs: []netip.Prefix{netip.MustParsePrefix("::ffff:192.0.2.0/120")}},
	} {
		spec.User = "ann"
		if id, secret, err := w.CreateToken(w.ctx, spec); !errors.Is(err, store.ErrInvalid) || id != "" || secret != "" {
			t.Errorf("%s: %q, %q, %v", name, id, secret, err)
		}
	}
}

func TestTokenExpires(t *testing.T) {
	w := newWorld(t, Options{})
	w.user("ann")
	_, _, secret := w.token(TokenSpec{User: "ann", Expires: w.clock.Now().Add(time.Hour)})
	w.clock.Advance(time.Hour - time.Nanosecond)
	if _, err := w.Authenticate(w.ctx, Credentials{Token: secret}); err != nil {
		t.Errorf("just before: %v", err)
	}
	w.clock.Advance(time.Nanosecond)
	w.refused(Credentials{Token: secret}, ErrCredentials, "expired")
	w.memory.forget()
	w.refused(Credentials{Token: secret}, ErrCredentials, "expired")
}

func TestTokenIsBoundToItsNetworks(t *testing.T) {
	w := newWorld(t, Options{})
	w.user("ann")
	_, secret, err := w.CreateToken(w.ctx, TokenSpec{User: "ann", CIDRs: []netip.Prefix{
		netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/32"),
		netip.MustParsePrefix("203.0.113.9/32"),
	}})
	w.must(err)
	bought, err := w.Authenticate(w.ctx, Credentials{Token: secret, Addr: netip.MustParseAddr("192.0.2.1")})
	w.must(err)
	jwt, _, err := w.IssueJWT(w.ctx, bought, everything(), time.Minute)
	w.must(err)
	for addr, want := range map[string]bool{
		"192.0.2.1": true, "::ffff:192.0.2.1": true, "203.0.113.9": true, "2001:db8::5": true, "2001:db8::5%eth0": true,
		"192.0.3.1": false, "203.0.113.8": false, "2001:db9::5": false, "127.0.0.1": false, "": false,
	} {
		var a netip.Addr
		if addr != "" {
			a = netip.MustParseAddr(addr)
		}
		for _, text := range []string{secret, jwt} {
			_, err := w.Authenticate(w.ctx, Credentials{Token: text, Addr: a})
			if (err == nil) != want || err != nil && !errors.Is(err, ErrCredentials) {
				t.Errorf("from %q: %v", addr, err)
			}
		}
	}
}

func TestTokenNeverExceedsUser(t *testing.T) {
	w := newWorld(t, Options{Anonymous: "none"})
	w.user("team", "npm:package:@team/*:read")
	id, _, _ := w.token(TokenSpec{User: "team", Scopes: mustScopes(t, "*:*:*:*")})
	w.check("token", id, npm("@team/x", Read), nil)
	w.check("token", id, npm("@team/x", Write), ErrDenied)
	w.check("token", id, npm("other", Read), ErrHidden)
	w.check("token", id, Access{Action: Admin}, ErrDenied)
}

func TestRevokedTokenIsRefused(t *testing.T) {
	w := newWorld(t, Options{})
	w.user("ann")
	_, one, first := w.token(TokenSpec{User: "ann"})
	_, _, second := w.token(TokenSpec{User: "ann"})
	w.must(w.RevokeToken(w.ctx, one))
	w.refused(Credentials{Token: first}, ErrCredentials, "revoked")
	if _, err := w.Authenticate(w.ctx, Credentials{Token: second}); err != nil {
		t.Error(err)
	}
	for _, id := range []string{one, "", "zz", one[:8], one + "00", first} {
		if err := w.RevokeToken(w.ctx, id); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%q: %v", id, err)
		}
	}
	if n, err := w.RevokeTokens(w.ctx, "ann"); n != 1 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	w.refused(Credentials{Token: second}, ErrCredentials, "revoked")
}

// TestDerivedTokenReachesNoFurther: a token made with a token reaches no further in any direction.
func TestDerivedTokenReachesNoFurther(t *testing.T) {
	w := newWorld(t, Options{Anonymous: "none"})
	w.user("ann")
	home := netip.MustParseAddr("192.0.2.1")
	_, parent, err := w.CreateToken(w.ctx, TokenSpec{
		User: "ann", Scopes: mustScopes(t, "npm:package:@a/*:read"), Expires: w.clock.Now().Add(time.Hour),
		CIDRs: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.51.100.0/28")},
	})
	w.must(err)
	by, err := w.Authenticate(w.ctx, Credentials{Token: parent, Addr: home})
	w.must(err)
	_, child, err := w.DeriveToken(w.ctx, by, TokenSpec{User: "root", Scopes: mustScopes(t, "npm:package:*/x:*")})
	w.must(err)
	id, err := w.Authenticate(w.ctx, Credentials{Token: child, Addr: home})
	w.must(err)
	if id.User != "ann" || !id.Expires.Equal(by.Expires) || len(id.Limits) != 2 {
		t.Errorf("%+v", id)
	}
	w.check("child", id, npm("@a/x", Read), nil)
	w.check("child", id, npm("@a/y", Read), ErrHidden)
	w.check("child", id, npm("@b/x", Read), ErrHidden)
	w.check("child", id, npm("@a/x", Write), ErrDenied)
	w.refused(Credentials{Token: child, Addr: netip.MustParseAddr("203.0.113.1")}, ErrCredentials, "address")

	_, narrow, err := w.DeriveToken(
		w.ctx, by,
		TokenSpec{CIDRs: []netip.Prefix{netip.MustParsePrefix("198.51.0.0/16"), netip.MustParsePrefix("192.0.2.8/32")}},
	)
	w.must(err)
	for addr, want := range map[string]bool{
		"198.51.100.1": true, "198.51.100.99": false, "192.0.2.8": true, "192.0.2.9": false,
	} {
		_, err := w.Authenticate(w.ctx, Credentials{Token: narrow, Addr: netip.MustParseAddr(addr)})
		if (err == nil) != want {
			t.Errorf("narrowed networks, %s: %v, want success %t", addr, err, want)
		}
	}
	elsewhere := TokenSpec{CIDRs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
	if _, _, err := w.DeriveToken(w.ctx, by, elsewhere); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("networks elsewhere: %v, want ErrInvalid", err)
	}
	if _, _, err := w.DeriveToken(w.ctx, Anonymous(), TokenSpec{User: "ann"}); !errors.Is(err, ErrDenied) {
		t.Errorf("anonymous: %v", err)
	}
	readOnly, _, _ := w.token(TokenSpec{User: "ann", ReadOnly: true})
	if _, _, err := w.DeriveToken(w.ctx, readOnly, TokenSpec{}); !errors.Is(err, ErrDenied) {
		t.Errorf("by a read-only token: %v", err)
	}
	jwt, _ := w.jwt(w.login("ann"), time.Minute, "npm:package:z:read")
	_, fromJWT, err := w.DeriveToken(w.ctx, jwt, TokenSpec{})
	w.must(err)
	made, err := w.Authenticate(w.ctx, Credentials{Token: fromJWT})
	w.must(err)
	if made.Can(npm("y", Read)) || !made.Can(npm("z", Read)) {
		t.Errorf("a token made with a JWT: %+v, want one that reads z alone", made)
	}
	parentID, _ := TokenID(parent)
	w.must(w.RevokeToken(w.ctx, parentID))
	if _, _, err := w.DeriveToken(w.ctx, by, TokenSpec{}); !errors.Is(err, ErrCredentials) {
		t.Errorf("after the parent was revoked: %v", err)
	}
	old := w.login("ann")
	w.must(w.SetPassword(w.ctx, "ann", "new"))
	if _, _, err := w.DeriveToken(w.ctx, old, TokenSpec{}); !errors.Is(err, ErrCredentials) {
		t.Errorf("by a login that has ended: %v", err)
	}
}

func TestLastUseIsWrittenFromTimeToTime(t *testing.T) {
	w := newWorld(t, Options{})
	w.user("ann")
	_, id, secret := w.token(TokenSpec{User: "ann"})
	_, idle, err := w.CreateToken(w.ctx, TokenSpec{User: "ann"})
	w.must(err)
	used := func() time.Time {
		list, err := w.Tokens(w.ctx, "ann")
		w.must(err)
		i := slices.IndexFunc(list, func(x Token) bool { return x.ID == id })
		if j := 1 - i; !list[j].LastUsed.IsZero() {
			t.Errorf("%s was never used: %v", idle[:10], list[j].LastUsed)
		}
		return list[i].LastUsed
	}
	first := w.clock.Now()
	if !used().Equal(first) {
		t.Errorf("%v before the flush, want %v", used(), first)
	}
	w.must(w.Flush(w.ctx))
	if n := len(w.uses.times); n != 0 || !used().Equal(first.Truncate(time.Second)) {
		t.Errorf("%v after the flush, %d left", used(), n)
	}
	stored := func() (at time.Time) {
		w.must(w.store.View(w.ctx, func(tx *store.Tx) error {
			_, row, err := tokenIn(tx, id)
			at = row.LastUsed
			return err
		}))
		return at
	}
	for range 100 { // within the minute nothing is even noted
		_, _ = w.Authenticate(w.ctx, Credentials{Token: secret})
	}
	if n := len(w.uses.times); n != 0 {
		t.Errorf("%d uses noted", n)
	}
	w.clock.Advance(useGrain)
	_, _ = w.Authenticate(w.ctx, Credentials{Token: secret})
	if !stored().Equal(first.Truncate(time.Second)) || !used().Equal(w.clock.Now()) {
		t.Errorf("stored %v, listed %v: no request writes", stored(), used())
	}
	w.must(w.Flush(w.ctx))
	if !stored().Equal(w.clock.Now().Truncate(time.Second)) {
		t.Errorf("stored %v after the flush", stored())
	}
	w.must(w.RevokeToken(w.ctx, id))
	w.must(w.Flush(w.ctx))
	if list, _ := w.Tokens(w.ctx, ""); len(list) != 1 {
		t.Errorf("the flush brought a revoked token back: %+v", list)
	}
}

// TestFlushKeepsWhatItCannotWrite: on a read-only store nothing fails and nothing is lost.
func TestFlushKeepsWhatItCannotWrite(t *testing.T) {
	w := newWorld(t, Options{})
	w.user("ann")
	_, _, _ = w.token(TokenSpec{User: "ann"})
	w.store.SetReadOnly("for the test")
	w.must(w.Flush(w.ctx))
	if len(w.uses.times) != 1 {
		t.Error("the last use is lost")
	}
	if err := w.SetDisabled(w.ctx, "ann", true); !errors.Is(err, store.ErrReadOnly) {
		t.Errorf("a change of a read-only store: %v", err)
	}
	w.store.SetReadOnly("")
	w.must(w.Flush(w.ctx))
	if len(w.uses.times) != 0 {
		t.Error("the last use was not written")
	}
}

// TestChangesSurviveReopening: what one process changed, the next one knows.
func TestChangesSurviveReopening(t *testing.T) {
	dir, clock := t.TempDir(), storetest.NewClock()
	open := func() (*world, func()) {
		s, err := store.Open(dir, store.Options{Now: clock.Now})
		if err != nil {
			t.Fatal(err)
		}
		l, err := NewLocal(t.Context(), s, Options{Now: clock.Now, Cost: 4, AnyPassword: true})
		if err != nil {
			t.Fatal(err)
		}
		return &world{Local: l, t: t, clock: clock, ctx: t.Context()}, func() {
			storetest.Check(t, s)
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	w, closeStore := open()
	w.user("ann", "npm:*:*:*")
	bought, _, secret := w.token(TokenSpec{User: "ann", Scopes: mustScopes(t, "npm:*:*:read")})
	_, jwt := w.jwt(bought, time.Hour, "npm:package:x:*")
	w.must(w.Flush(w.ctx))
	closeStore()
	w, closeStore = open()
	for _, c := range []Credentials{{Token: secret}, {Token: jwt}} {
		id, err := w.Authenticate(w.ctx, c)
		if err != nil || id.User != "ann" || !id.Can(npm("x", Read)) || id.Can(npm("x", Write)) {
			t.Errorf("%+v, %v", id, err)
		}
	}
	w.login("ann")
	if list, err := w.Tokens(w.ctx, "ann"); err != nil || len(list) != 1 || list[0].LastUsed.IsZero() {
		t.Errorf("%+v, %v", list, err)
	}
	closeStore()
}
