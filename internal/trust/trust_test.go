package trust

// Tokens of CI jobs: which rules give which scopes, and which tokens are refused.

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/crypto/bcrypt"

	"larder/auth"
	"larder/store"
	"larder/store/storetest"
)

// ci is a real OpenID Connect provider on loopback.
type ci struct {
	*httptest.Server
	key *ecdsa.PrivateKey
}

func newCI(t *testing.T) *ci {
	t.Helper()
	c := &ci{}
	var err error
	if c.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	point, err := c.key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	c.Server = httptest.NewServer(mux)
	t.Cleanup(c.Close)
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, c.URL, c.URL+"/keys")
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		enc := base64.RawURLEncoding.EncodeToString
		fmt.Fprintf(w, `{"keys":[{"kty":"EC","crv":"P-256","kid":"k","x":%q,"y":%q}]}`, enc(point[1:33]), enc(point[33:]))
	})
	mux.HandleFunc("/moved/.well-known/openid-configuration", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/.well-known/openid-configuration", http.StatusFound)
	})
	mux.HandleFunc("/large/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, strings.Repeat(" ", fetchLimit+1))
	})
	return c
}

func (c *ci) token(t *testing.T, claims jwt.MapClaims) string {
	t.Helper()
	all := jwt.MapClaims{
		"iss": c.URL, "aud": "larder", "exp": time.Now().Add(time.Minute).Unix(), "jti": rand.Text(), "sub": "job\n1",
	}
	for k, v := range claims {
		all[k] = v
	}
	token := jwt.NewWithClaims(jwt.SigningMethodES256, all)
	token.Header["kid"] = "k"
	text, err := token.SignedString(c.key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func scopes(t *testing.T, list ...string) auth.Scopes {
	t.Helper()
	s, err := auth.ParseScopes(list)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// registry is a user database with the user ci, and rules about the jobs of an issuer.
func registry(t *testing.T, c *ci) (*auth.Local, *Publishers) {
	t.Helper()
	ctx := t.Context()
	local, err := auth.NewLocal(ctx, storetest.New(t), auth.Options{
		Cost: bcrypt.MinCost, Anonymous: "none", AnyPassword: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := local.AddUser(ctx, auth.User{Name: "ci", Password: "secret"}); err != nil {
		t.Fatal(err)
	}
	p, err := New(local, "larder", []Publisher{
		{c.URL, map[string]string{"repo": "acme/*", "ref": "refs/tags/*"}, scopes(t, "pypi:package:acme-*:create"), "ci"},
		{c.URL, map[string]string{"repo": "acme/tools"}, scopes(t, "npm:package:@acme/*:create"), "ci"},
		{c.URL, map[string]string{"repo": "acme/tools"}, scopes(t, "cargo:crate:*:create"), "other"},
		{c.URL, map[string]string{"repo": "gone/x"}, scopes(t, "pypi:package:x:create"), "nobody"},
		{c.URL + "/moved", map[string]string{"repo": "x"}, scopes(t, "pypi:package:x:create"), "ci"},
		{c.URL + "/large", map[string]string{"repo": "x"}, scopes(t, "pypi:package:x:create"), "ci"},
		{c.URL + "/absent", map[string]string{"repo": "x"}, scopes(t, "pypi:package:x:create"), "ci"},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Audience(); got != "larder" {
		t.Errorf("the audience is %q, want larder", got)
	}
	return local, p
}

func mint(t *testing.T, p *Publishers, token string) (secret string, expires time.Time) {
	t.Helper()
	secret, expires, err := p.Mint(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	return secret, expires
}

// The rules about one job add up, as far as they name the same user.
func TestMintedTokenHasTheScopesOfItsRules(t *testing.T) {
	c := newCI(t)
	local, p := registry(t, c)
	secret, _ := mint(t, p, c.token(t, jwt.MapClaims{"repo": "acme/tools", "ref": "refs/tags/v1"}))
	id, err := local.Authenticate(t.Context(), auth.Credentials{User: "__token__", Password: secret})
	if err != nil {
		t.Fatal(err)
	}
	if id.User != "ci" {
		t.Errorf("the token acts as %q, want ci", id.User)
	}
	for access, want := range map[auth.Access]bool{
		{Kind: store.PyPI, Type: "package", Name: "acme-x", Action: auth.Create}: true,
		{Kind: store.PyPI, Type: "package", Name: "other", Action: auth.Create}:  false,
		{Kind: store.NPM, Type: "package", Name: "@acme/x", Action: auth.Create}: true,
		{Kind: store.Cargo, Type: "crate", Name: "x", Action: auth.Create}:       false,
		{Kind: store.PyPI, Type: "package", Name: "acme-x", Action: auth.Delete}: false,
	} {
		if got := local.Authorize(t.Context(), id, access) == nil; got != want {
			t.Errorf("the token may %+v: %v, want %v", access, got, want)
		}
	}
}

func TestMintedTokenIsShortLived(t *testing.T) {
	c := newCI(t)
	local, p := registry(t, c)
	_, expires := mint(t, p, c.token(t, jwt.MapClaims{"repo": "acme/tools", "ref": "refs/tags/v1"}))
	if left := time.Until(expires); left > life || left < life-time.Minute {
		t.Errorf("the token lives %v more, want %v", left, life)
	}
	tokens, err := local.Tokens(t.Context(), "ci")
	if err != nil {
		t.Fatal(err)
	}
	if len(tokens) != 1 || tokens[0].Name != "trusted publishing: job?1" {
		t.Errorf("ci has the tokens %+v, want one called %q", tokens, "trusted publishing: job?1")
	}
}

func TestIdentitiesThatGetNoToken(t *testing.T) {
	c := newCI(t)
	_, p := registry(t, c)
	twice := c.token(t, jwt.MapClaims{"repo": "acme/tools"})
	mint(t, p, twice)
	for name, c2 := range map[string]struct {
		token string
		want  error
	}{
		"twice":            {twice, auth.ErrUsed},
		"other repository": {c.token(t, jwt.MapClaims{"repo": "evil/tools", "ref": "refs/tags/v1"}), ErrRule},
		"no claim":         {c.token(t, nil), ErrRule},
		"other branch":     {c.token(t, jwt.MapClaims{"repo": "acme/x", "ref": "refs/heads/main"}), ErrRule},
		"no user":          {c.token(t, jwt.MapClaims{"repo": "gone/x"}), ErrRule},
		"other issuer":     {c.token(t, jwt.MapClaims{"iss": "https://evil.example.com"}), auth.ErrIssuer},
		"no token":         {"x", auth.ErrCredentials},
		"other audience":   {c.token(t, jwt.MapClaims{"aud": "pypi"}), auth.ErrCredentials},
	} {
		if secret, _, err := p.Mint(t.Context(), c2.token); !errors.Is(err, c2.want) || secret != "" {
			t.Errorf("%s: the token %q and the error %v, want none and %v", name, secret, err, c2.want)
		}
	}
}

// A missing document of an issuer does not mean that the credentials are wrong.
func TestUnreachableIssuerIsNotABadCredential(t *testing.T) {
	c := newCI(t)
	_, p := registry(t, c)
	for _, path := range []string{"/moved", "/large", "/absent"} {
		_, _, err := p.Mint(t.Context(), c.token(t, jwt.MapClaims{"iss": c.URL + path, "repo": "x"}))
		if err == nil || errors.Is(err, auth.ErrCredentials) {
			t.Errorf("%s: the error is %v, want one that is not %v", path, err, auth.ErrCredentials)
		}
	}
}

func TestKeysOfAnIssuerAreRemembered(t *testing.T) {
	c := newCI(t)
	_, p := registry(t, c)
	mint(t, p, c.token(t, jwt.MapClaims{"repo": "acme/tools"}))
	c.Close()
	mint(t, p, c.token(t, jwt.MapClaims{"repo": "acme/tools"}))
}

func TestIncompleteRulesAreRefused(t *testing.T) {
	all := scopes(t, "pypi:*:*:*")
	for name, p := range map[string]Publisher{
		"no claims": {"https://a", nil, all, "ci"},
		"no scopes": {"https://a", map[string]string{"a": "b"}, nil, "ci"},
		"no user":   {"https://a", map[string]string{"a": "b"}, all, ""},
		"no issuer": {"", map[string]string{"a": "b"}, all, "ci"},
	} {
		if _, err := New(nil, "x", []Publisher{p}, nil); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("a rule with %s gives the error %v, want %v", name, err, store.ErrInvalid)
		}
	}
}

func TestStarMatchesAnyCharacters(t *testing.T) {
	for _, c := range []struct {
		pattern, s string
		want       bool
	}{
		{"a", "a", true}, {"a", "ab", false}, {"a*", "ab", true}, {"*", "", true}, {"a*b*c", "axbyc", true},
		{"a*b*c", "acb", false}, {"*.py", "x.py", true}, {"a*a", "a", false}, {"", "x", false},
	} {
		if got := store.Glob(c.pattern, c.s); got != c.want {
			t.Errorf("pattern %q matches %q: %v, want %v", c.pattern, c.s, got, c.want)
		}
	}
}
