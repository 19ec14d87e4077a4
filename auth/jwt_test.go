package auth

// JWTs keep the limits of what they were bought with, and nothing but ours is one.

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"larder/store"
)

func TestJWTIsBoughtAndExpires(t *testing.T) {
	w := newWorld(t, Options{Anonymous: "none"})
	w.user("ann")
	text, expires, err := w.IssueJWT(w.ctx, w.login("ann"), mustScopes(t, "oci:repository:app:pull"), 5*time.Minute)
	w.must(err)
	if want := w.clock.Now().Add(5 * time.Minute).Truncate(time.Second); !expires.Equal(want) {
		t.Errorf("expires %v, want %v", expires, want)
	}
	for range 2 { // verified, then remembered
		id, err := w.Authenticate(w.ctx, Credentials{Token: text})
		w.must(err)
		if id.User != "ann" || !id.JWT || id.TokenID != "" {
			t.Errorf("the identity is %+v, want ann with a JWT that no token bought", id)
		}
		if !id.Expires.Equal(expires) {
			t.Errorf("it expires at %v, want %v", id.Expires, expires)
		}
		w.check("jwt", id, oci("app", Read), nil)
		w.check("jwt", id, oci("app", Write), ErrScope)
		w.check("jwt", id, oci("other", Read), ErrScope)
		w.check("jwt", id, Access{Action: Admin}, ErrDenied)
		w.check("its buyer", id.Credential(), oci("other", Write), nil)
	}
	w.clock.Advance(expires.Sub(w.clock.Now()))
	w.refused(Credentials{Token: text}, ErrCredentials, "expired")
	w.memory.forget()
	w.refused(Credentials{Token: text}, ErrCredentials, "expired")
}

// TestJWTKeepsLimits is the class of CVE-2025-68944: what a token may not do, a JWT bought with it may not either,
// whatever scopes it is granted.
func TestJWTKeepsLimits(t *testing.T) {
	w := newWorld(t, Options{Anonymous: "none"})
	w.must(w.AddUser(w.ctx, User{Name: "root", Password: "pw of root", Admin: true}))
	w.user("team", "oci:repository:team/*:*")
	for name, c := range map[string]struct {
		spec                  TokenSpec
		reads, writes, others bool
	}{
		"none":           {TokenSpec{User: "root"}, true, true, true},
		"read-only":      {TokenSpec{User: "root", ReadOnly: true}, true, false, false},
		"read scope":     {TokenSpec{User: "root", Scopes: mustScopes(t, "oci:*:*:read")}, true, false, false},
		"one repository": {TokenSpec{User: "root", Scopes: mustScopes(t, "oci:repository:team/app:*")}, true, true, false},
		"another kind":   {TokenSpec{User: "root", Scopes: mustScopes(t, "npm:*:*:*")}, false, false, false},
		"user's grants":  {TokenSpec{User: "team"}, true, true, false},
	} {
		bought, tokenID, _ := w.token(c.spec)
		id, _ := w.jwt(bought, time.Minute, "*:*:*:*")
		again, _ := w.jwt(id, time.Minute, "*:*:*:*") // a JWT bought with a JWT
		for _, id := range []Identity{id, again, id.Credential()} {
			got := [...]bool{id.Can(oci("team/app", Read)), id.Can(oci("team/app", Write)), id.Can(oci("other", Write))}
			if want := [...]bool{c.reads, c.writes, c.others}; got != want {
				t.Errorf("%s: reads, writes, writes others: %v, want %v", name, got, want)
			}
			if id.TokenID != tokenID {
				t.Errorf("%s: the token's id is lost", name)
			}
		}
	}
	short, _, _ := w.token(TokenSpec{User: "root", Expires: w.clock.Now().Add(time.Minute)})
	_, expires, err := w.IssueJWT(w.ctx, short, everything(), time.Hour)
	if err != nil || expires.After(short.Expires) {
		t.Errorf("the JWT outlives its token: %v, %v", expires, err)
	}
}

func TestJWTGrantNothing(t *testing.T) {
	w := newWorld(t, Options{Anonymous: "none"})
	w.user("ann")
	for _, granted := range []Scopes{nil, {}} {
		text, _, err := w.IssueJWT(w.ctx, w.login("ann"), granted, time.Minute)
		w.must(err)
		id, err := w.Authenticate(w.ctx, Credentials{Token: text})
		w.must(err)
		w.check("granted nothing", id, oci("app", Read), ErrScope)
		w.check("granted nothing", id, oci("", Read), ErrScope)
	}
}

func TestAnonymousBuysJWTs(t *testing.T) {
	w := newWorld(t, Options{Private: []string{"oci:repository:secret"}})
	id, text := w.jwt(Anonymous(), time.Minute, "oci:repository:app:*", "oci:repository:secret:*")
	if !id.Anonymous || id.User != "" || !id.JWT {
		t.Errorf("%+v", id)
	}
	w.check("anonymous jwt", id, oci("app", Read), nil)
	w.check("anonymous jwt", id, oci("other", Read), nil)
	w.check("anonymous jwt", id, oci("app", Write), ErrNoCredentials)
	w.check("anonymous jwt", id, oci("secret", Read), ErrHidden)
	// The policy is asked when the JWT is used, not when it was made.
	closed, err := NewLocal(w.ctx, w.store, Options{Anonymous: "none", Now: w.clock.Now})
	w.must(err)
	id, err = closed.Authenticate(w.ctx, Credentials{Token: text})
	w.must(err)
	if err := closed.Authorize(w.ctx, id, oci("app", Read)); !errors.Is(err, ErrNoCredentials) {
		t.Errorf("%v", err)
	}
}

func TestIssueJWTRefuses(t *testing.T) {
	w := newWorld(t, Options{})
	w.user("ann")
	ann := w.login("ann")
	many := make(Scopes, 0, maxGranted+1)
	for i := range maxGranted + 1 {
		s, err := NewScope(store.OCI, "repository", "r"+strings.Repeat("x", i), Read)
		w.must(err)
		many = append(many, s)
	}
	for name, fn := range map[string]func() error{
		"no time":     func() error { _, _, err := w.IssueJWT(w.ctx, ann, nil, 0); return err },
		"many scopes": func() error { _, _, err := w.IssueJWT(w.ctx, ann, many, time.Minute); return err },
	} {
		if err := fn(); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.must(w.SetGrants(w.ctx, "ann", false, nil))
	for name, id := range map[string]Identity{
		"a login that has ended": ann, "nobody": {}, "made up": {User: "root", Admin: true},
	} {
		if text, _, err := w.IssueJWT(w.ctx, id, nil, time.Minute); !errors.Is(err, ErrCredentials) || text != "" {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
}

// forge signs claims as an attacker who knows all but the key, or, with the key, as a careless version of ourselves.
func forge(t *testing.T, method jwt.SigningMethod, key any, c jwt.Claims) string {
	t.Helper()
	text, err := jwt.NewWithClaims(method, c).SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestTamperedJWTIsRefused(t *testing.T) {
	w := newWorld(t, Options{})
	w.must(w.AddUser(w.ctx, User{Name: "root", Password: "pw of root", Admin: true}))
	w.user("ann")
	_, text := w.jwt(w.login("ann"), time.Hour, "oci:repository:app:read")
	good := func() claims {
		return claims{
			RegisteredClaims: jwt.RegisteredClaims{
				Issuer: jwtIssuer, Subject: "ann", ExpiresAt: jwt.NewNumericDate(w.clock.Now().Add(time.Hour)),
			},
			Generation: w.login("ann").generation, Granted: mustScopes(t, "*:*:*:*"),
		}
	}
	key := w.jwtKey
	with := func(fn func(*claims)) string {
		c := good()
		fn(&c)
		return forge(t, jwt.SigningMethodHS256, key, c)
	}
	if _, err := w.Authenticate(w.ctx, Credentials{Token: forge(t, jwt.SigningMethodHS256, key, good())}); err != nil {
		t.Fatalf("the forger's own claims are wrong, so the test tests nothing: %v", err)
	}
	parts := strings.Split(text, ".")
	now, soon := jwt.NewNumericDate(w.clock.Now()), jwt.NewNumericDate(w.clock.Now().Add(time.Minute))
	swap := func(old, new string) string {
		b, err := base64.RawURLEncoding.DecodeString(parts[1])
		w.must(err)
		body := strings.Replace(string(b), old, new, 1)
		if body == string(b) {
			t.Fatalf("%s holds no %s", b, old)
		}
		return parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(body)) + "." + parts[2]
	}
	header := func(h map[string]any, sig string) string {
		b, err := json.Marshal(h)
		w.must(err)
		return base64.RawURLEncoding.EncodeToString(b) + "." + parts[1] + "." + sig
	}
	for name, text := range map[string]string{
		"alg none":          forge(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, good()),
		"alg none, old sig": header(map[string]any{"alg": "none", "typ": "JWT"}, parts[2]),
		"alg None, no sig":  header(map[string]any{"alg": "None"}, ""),
		"HS512":             forge(t, jwt.SigningMethodHS512, key, good()),
		"HS384":             forge(t, jwt.SigningMethodHS384, key, good()),
		"RS256 in header":   header(map[string]any{"alg": "RS256"}, parts[2]),
		"own key in header": header(map[string]any{
			"alg": "HS256", "jwk": map[string]any{"kty": "oct", "k": "AAAA"}, "kid": "x",
		}, parts[2]),
		"other key":          forge(t, jwt.SigningMethodHS256, []byte(strings.Repeat("k", 32)), good()),
		"empty key":          forge(t, jwt.SigningMethodHS256, []byte{}, good()),
		"swapped scopes":     swap(`oci:repository:app:read`, `*:*:*:*`),
		"swapped user":       swap(`"sub":"ann"`, `"sub":"root"`),
		"swapped generation": swap(`"gen":`, `"gen":1`),
		"no signature":       parts[0] + "." + parts[1] + ".",
		"padded":             text + "=",
		"trailing dot":       text + ".",
		"expired":            with(func(c *claims) { c.ExpiresAt = now }),
		"no expiry":          with(func(c *claims) { c.ExpiresAt = nil }),
		"not yet":            with(func(c *claims) { c.NotBefore = soon }),
		"other issuer":       with(func(c *claims) { c.Issuer = "another" }),
		"no issuer":          with(func(c *claims) { c.Issuer = "" }),
		"other generation":   with(func(c *claims) { c.Generation++ }),
		"unknown user":       with(func(c *claims) { c.Subject = "eve" }),
		"generation row":     with(func(c *claims) { c.Subject = "\x01" }),
		"unknown token":      with(func(c *claims) { c.Token = "0011223344556677" }),
		"no token id":        with(func(c *claims) { c.Token = "x" }),
		"bad scopes": forge(t, jwt.SigningMethodHS256, key, jwt.MapClaims{
			"iss": jwtIssuer, "sub": "ann", "exp": w.clock.Now().Add(time.Hour).Unix(), "scp": []string{"everything"},
		}),
	} {
		t.Run(name, func(t *testing.T) { w.refused(Credentials{Token: text}, ErrCredentials, "") })
	}
	_, bobs, _ := func() (Identity, string, string) { w.user("bob"); return w.token(TokenSpec{User: "bob"}) }()
	w.refused(Credentials{Token: with(func(c *claims) { c.Token = bobs })}, ErrCredentials, "")
	if _, err := w.Authenticate(w.ctx, Credentials{Token: text}); err != nil {
		t.Errorf("the untouched one: %v", err)
	}
}

// TestJWTOfAnotherFolder: keys are made per data folder.
func TestJWTOfAnotherFolder(t *testing.T) {
	a, b := newWorld(t, Options{}), newWorld(t, Options{})
	_, text := a.jwt(Anonymous(), time.Minute, "oci:repository:app:read")
	b.refused(Credentials{Token: text}, ErrCredentials, "not valid here")
}
