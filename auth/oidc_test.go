package auth

// Issuers, their keys and their statements: what is accepted, and every way to be refused.

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"larder/internal/problem"
	"larder/store"
)

const issuerURL = "https://ci.example.com"

// provider is an OpenID Connect provider as documents.
type provider struct {
	rsa     *rsa.PrivateKey
	ec      *ecdsa.PrivateKey
	docs    map[string]string
	fetched int
	err     error
}

func newProvider(t testing.TB) *provider {
	t.Helper()
	p := &provider{docs: map[string]string{}}
	var err error
	if p.rsa, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		t.Fatal(err)
	}
	if p.ec, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	configuration := `{"issuer":"` + issuerURL + `","jwks_uri":"` + issuerURL + `/keys"}`
	p.docs[issuerURL+"/.well-known/openid-configuration"] = configuration
	p.publish(rsaKey("r", &p.rsa.PublicKey), ecKey(t, "e", &p.ec.PublicKey))
	return p
}

func encodeInt(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func rsaKey(kid string, k *rsa.PublicKey) string {
	return fmt.Sprintf(`{"kty":"RSA","use":"sig","kid":%q,"n":%q,"e":"AQAB"}`, kid, encodeInt(k.N.Bytes()))
}

func ecKey(t testing.TB, kid string, k *ecdsa.PublicKey) string {
	t.Helper()
	p, err := k.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(`{"kty":"EC","crv":"P-256","kid":%q,"x":%q,"y":%q}`, kid, encodeInt(p[1:33]), encodeInt(p[33:]))
}

func (p *provider) publish(keys ...string) {
	p.docs[issuerURL+"/keys"] = `{"keys":[{"kty":"oct","kid":"s","k":"c2VjcmV0"},` + strings.Join(keys, ",") + `]}`
}

func (p *provider) fetch(_ context.Context, url string) ([]byte, error) {
	p.fetched++
	if p.err != nil {
		return nil, p.err
	}
	doc, ok := p.docs[url]
	if !ok {
		return nil, errors.New("no document " + url)
	}
	return []byte(doc), nil
}

// sign makes a token; changed replaces or, with nil, removes claims.
func (p *provider) sign(
	t testing.TB, w *world, method jwt.SigningMethod, kid string, key any, changed map[string]any,
) string {
	t.Helper()
	now := w.clock.Now()
	claims := jwt.MapClaims{
		"iss": issuerURL, "aud": "larder", "sub": "project_path:acme/tools", "exp": now.Add(5 * time.Minute).Unix(),
		"iat": now.Unix(), "nbf": now.Unix(),
		"jti": fmt.Sprint(rand.Text()), "ref_protected": true, "project_id": 7,
	}
	maps.Copy(claims, changed)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	token := jwt.NewWithClaims(method, claims)
	token.Header["kid"] = kid
	text, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestStatementsOfIssuersAreVerified(t *testing.T) {
	w := newWorld(t, Options{})
	p := newProvider(t)
	v, err := NewIssuers([]string{issuerURL}, "larder", p.fetch, w.clock.Now)
	w.must(err)
	for _, token := range []string{
		p.sign(t, w, jwt.SigningMethodRS256, "r", p.rsa, map[string]any{"jti": "1"}),
		p.sign(t, w, jwt.SigningMethodES256, "e", p.ec, map[string]any{"jti": "1"}),
		p.sign(t, w, jwt.SigningMethodES256, "e", p.ec, map[string]any{"jti": "1", "aud": []string{"other", "larder"}}),
	} {
		s, err := v.Verify(w.ctx, token)
		w.must(err)
		got := fmt.Sprintln(s.Issuer, s.Subject, s.ID, s.Claims["ref_protected"], s.Claims["project_id"])
		if want := fmt.Sprintln(issuerURL, "project_path:acme/tools", "1", "true", "7"); got != want {
			t.Errorf("the statement is\n%swant\n%s", got, want)
		}
	}
	if p.fetched != 2 {
		t.Errorf("%d documents were fetched for three tokens", p.fetched)
	}
	// Without jti the signed text stands for the token, whatever its signature.
	one, two := p.sign(t, w, jwt.SigningMethodES256, "e", p.ec, map[string]any{"jti": nil}), ""
	s, err := v.Verify(w.ctx, one)
	w.must(err)
	method := jwt.SigningMethodES256
	signed := one[:strings.LastIndexByte(one, '.')]
	sig, err := method.Sign(signed, p.ec)
	w.must(err)
	two = signed + "." + base64.RawURLEncoding.EncodeToString(sig)
	if again, err := v.Verify(w.ctx, two); err != nil || one == two || again.ID != s.ID || len(s.ID) != 64 {
		t.Errorf("%q and %q, %v", s.ID, again.ID, err)
	}
}

func TestBadStatementsAreRefused(t *testing.T) {
	w := newWorld(t, Options{})
	p := newProvider(t)
	other := newProvider(t)
	v, err := NewIssuers([]string{issuerURL}, "larder", p.fetch, w.clock.Now)
	w.must(err)
	rs := func(changed map[string]any) string { return p.sign(t, w, jwt.SigningMethodRS256, "r", p.rsa, changed) }
	at := func(d time.Duration) int64 { return w.clock.Now().Add(d).Unix() }
	whole := rs(nil)
	parts := strings.Split(whole, ".")
	claims, err := json.Marshal(map[string]any{"iss": issuerURL, "aud": "larder", "exp": at(time.Minute), "sub": "x"})
	w.must(err)
	for name, c := range map[string]struct {
		token string
		want  error
	}{
		"no token":        {"x", ErrCredentials},
		"empty":           {"", ErrCredentials},
		"long":            {strings.Repeat("x", maxBearer+1), ErrCredentials},
		"other issuer":    {rs(map[string]any{"iss": "https://evil.example.com"}), ErrIssuer},
		"issuer, slash":   {rs(map[string]any{"iss": issuerURL + "/"}), ErrIssuer},
		"no issuer":       {rs(map[string]any{"iss": nil}), ErrIssuer},
		"other audience":  {rs(map[string]any{"aud": "else"}), ErrCredentials},
		"no audience":     {rs(map[string]any{"aud": nil}), ErrCredentials},
		"expired":         {rs(map[string]any{"exp": at(-time.Minute)}), ErrCredentials},
		"never expires":   {rs(map[string]any{"exp": nil}), ErrCredentials},
		"not yet":         {rs(map[string]any{"nbf": at(time.Hour)}), ErrCredentials},
		"from the future": {rs(map[string]any{"iat": at(time.Hour)}), ErrCredentials},
		"unsigned":        {p.sign(t, w, jwt.SigningMethodNone, "r", jwt.UnsafeAllowNoneSignatureType, nil), ErrCredentials},
		"HMAC":            {p.sign(t, w, jwt.SigningMethodHS256, "s", []byte("secret"), nil), ErrCredentials},
		"HMAC by RSA key": {p.sign(t, w, jwt.SigningMethodHS256, "r", p.rsa.N.Bytes(), nil), ErrCredentials},
		"RS512":           {p.sign(t, w, jwt.SigningMethodRS512, "r", p.rsa, nil), ErrCredentials},
		"other key":       {p.sign(t, w, jwt.SigningMethodRS256, "r", other.rsa, nil), ErrCredentials},
		"key of the kind": {p.sign(t, w, jwt.SigningMethodRS256, "e", p.rsa, nil), ErrCredentials},
		"other claims":    {parts[0] + "." + base64.RawURLEncoding.EncodeToString(claims) + "." + parts[2], ErrCredentials},
		"no signature":    {parts[0] + "." + parts[1] + ".", ErrCredentials},
	} {
		s, err := v.Verify(w.ctx, c.token)
		var refusal *problem.Refusal
		if !errors.Is(err, c.want) || !errors.As(err, &refusal) {
			t.Errorf("%s: %+v %v", name, s, err)
		}
	}
	for _, u := range []string{
		"", "x", "ftp://a", "https://", "https://a?b", "https://u:p@a", "https://a#b", "https://a b",
	} {
		if _, err := NewIssuers([]string{u}, "x", p.fetch, nil); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("issuer %q: %v", u, err)
		}
	}
}

// TestIssuerKeysAreFetchedAgainWhenOld: keys are asked for again when they are old, and at most once a minute when one
// is unknown.
func TestIssuerKeysAreFetchedAgainWhenOld(t *testing.T) {
	w := newWorld(t, Options{})
	p, next := newProvider(t), newProvider(t)
	v, err := NewIssuers([]string{issuerURL}, "larder", p.fetch, w.clock.Now)
	w.must(err)
	old := func() error {
		_, err := v.Verify(w.ctx, p.sign(t, w, jwt.SigningMethodRS256, "r", p.rsa, nil))
		return err
	}
	rotated := func() error {
		_, err := v.Verify(w.ctx, p.sign(t, w, jwt.SigningMethodRS256, "r2", next.rsa, nil))
		return err
	}
	w.must(old())
	p.publish(rsaKey("r2", &next.rsa.PublicKey))
	for range 3 {
		if err := rotated(); !errors.Is(err, ErrCredentials) {
			t.Error(err)
		}
	}
	if p.fetched != 2 {
		t.Errorf("%d documents", p.fetched)
	}
	w.clock.Advance(keysRetry)
	w.must(rotated())
	if err := old(); !errors.Is(err, ErrCredentials) || p.fetched != 4 {
		t.Errorf("a key that was withdrawn: %v, %d documents", err, p.fetched)
	}
	w.clock.Advance(keysFresh)
	p.err = errors.New("down")
	if err := rotated(); errors.Is(err, ErrCredentials) || !errors.Is(err, p.err) {
		t.Errorf("an issuer that is down: %v", err)
	}
	p.err = nil
	w.must(rotated())
	small := func(k string) string { return strings.Replace(k, `"e":"AQAB"`, `"e":"AQ"`, 1) }
	for name, keys := range map[string]string{
		"no JSON":          "x",
		"none":             `{"keys":[]}`,
		"small exponent":   `{"keys":[` + small(rsaKey("r2", &next.rsa.PublicKey)) + `]}`,
		"small RSA":        `{"keys":[{"kty":"RSA","kid":"r2","n":"AQAB","e":"AQAB"}]}`,
		"for encryption":   `{"keys":[` + strings.Replace(rsaKey("r2", &next.rsa.PublicKey), `"sig"`, `"enc"`, 1) + `]}`,
		"not on the curve": `{"keys":[{"kty":"EC","crv":"P-256","kid":"r2","x":"AQAB","y":"AQAB"}]}`,
		"other curve":      `{"keys":[{"kty":"EC","crv":"P-384","kid":"r2","x":"AQAB","y":"AQAB"}]}`,
	} {
		if got, err := parseKeys([]byte(keys)); err == nil {
			t.Errorf("%s: %v", name, got)
		}
	}
	for name, doc := range map[string]string{
		"no JSON":      "x",
		"other issuer": `{"issuer":"https://evil.example.com","jwks_uri":"` + issuerURL + `/keys"}`,
		"no keys":      `{"issuer":"` + issuerURL + `"}`,
		"plain http":   `{"issuer":"` + issuerURL + `","jwks_uri":"http://ci.example.com/keys"}`,
	} {
		p.docs[issuerURL+"/.well-known/openid-configuration"] = doc
		w.clock.Advance(2 * keysFresh)
		if err := rotated(); err == nil || errors.Is(err, ErrCredentials) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestStatementIsWorthOneToken: a statement is worth one token, which is limited; both are forgotten when they have
// expired.
func TestStatementIsWorthOneToken(t *testing.T) {
	w := newWorld(t, Options{Anonymous: "none"})
	w.user("ci")
	s := Statement{Issuer: issuerURL, ID: "1", Expires: w.clock.Now().Add(5 * time.Minute)}
	spec := TokenSpec{
		User: "ci", Scopes: mustScopes(t, "pypi:package:acme-*:create"), Expires: w.clock.Now().Add(15 * time.Minute),
	}
	id, secret, err := w.Exchange(w.ctx, s, spec)
	w.must(err)
	who, err := w.Authenticate(w.ctx, Credentials{User: "__token__", Password: secret})
	if err != nil || who.User != "ci" || who.TokenID != id {
		t.Fatalf("%+v %v", who, err)
	}
	w.check("minted", who, Access{Kind: store.PyPI, Type: "package", Name: "acme-tools", Action: Create}, nil)
	w.check("minted", who, Access{Kind: store.PyPI, Type: "package", Name: "other", Action: Create}, ErrHidden)
	if _, _, err := w.Exchange(w.ctx, s, spec); !errors.Is(err, ErrUsed) || !errors.Is(err, ErrCredentials) {
		t.Errorf("twice: %v", err)
	}
	same := s
	same.Issuer = "https://other.example.com"
	_, _, err = w.Exchange(w.ctx, same, spec)
	w.must(err)
	second := Statement{Issuer: issuerURL, ID: "2", Expires: s.Expires}
	_, _, err = w.Exchange(w.ctx, second, TokenSpec{User: "nobody", Expires: spec.Expires})
	if !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a token for a user who does not exist: %v, want ErrNotFound", err)
	}
	w.must(w.RevokeToken(w.ctx, id))
	w.clock.Advance(2 * time.Hour)
	spec.Expires = w.clock.Now().Add(time.Minute)
	_, _, err = w.Exchange(w.ctx, Statement{Issuer: issuerURL, ID: "2", Expires: w.clock.Now()}, spec)
	w.must(err)
	tokens, err := w.Tokens(w.ctx, "ci")
	if err != nil || len(tokens) != 1 {
		t.Errorf("%d tokens are left, %v", len(tokens), err)
	}
	_, _, err = w.Exchange(w.ctx, s, TokenSpec{User: "ci", Expires: w.clock.Now().Add(-time.Hour)})
	if !errors.Is(err, store.ErrInvalid) {
		t.Errorf("a token that has expired: %v, want ErrInvalid", err)
	}
}
