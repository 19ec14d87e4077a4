package auth

// Statements of OpenID Connect providers, which CI jobs exchange for tokens.

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"larder/internal/problem"
	"larder/store"
)

// Fetch reads the document at a URL; it bounds time and size. This package knows no HTTP.
type Fetch func(ctx context.Context, url string) ([]byte, error)

// Issuers verifies what OpenID Connect providers say of the programs that run on them, a CI job above all. Only issuers
// that an operator named are trusted, and their keys are asked for where they publish them.
type Issuers struct {
	audience string
	fetch    Fetch
	now      func() time.Time
	byURL    map[string]*issuer // read only
}

// issuer is one provider and its keys.
type issuer struct {
	url string

	mu      sync.Mutex // guards the rest, and that keys are asked for once
	keys    map[string]any
	fetched time.Time
}

const (
	keysFresh = time.Hour        // how long keys are used without asking again
	keysRetry = time.Minute      // how soon an unknown key is asked for
	oidcSkew  = 30 * time.Second // clocks differ
	minRSA    = 2048
)

// NewIssuers trusts the issuers at the URLs, for statements to audience. ErrInvalid for a URL that is none. now nil
// is time.Now.
func NewIssuers(urls []string, audience string, fetch Fetch, now func() time.Time) (*Issuers, error) {
	if now == nil {
		now = time.Now
	}
	v := &Issuers{audience: audience, fetch: fetch, now: now, byURL: map[string]*issuer{}}
	for _, u := range urls {
		if err := CheckIssuer(u); err != nil {
			return nil, err
		}
		v.byURL[u] = &issuer{url: u}
	}
	return v, nil
}

// CheckIssuer accepts the URL of an issuer, which tokens repeat byte by byte. ErrInvalid.
func CheckIssuer(text string) error {
	u, err := url.Parse(text)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || u.User != nil || u.RawQuery != "" ||
		u.Fragment != "" {
		return problem.Errorf(store.ErrInvalid, "%.200q is not the URL of an OpenID Connect issuer.", text)
	}
	return nil
}

// Statement is a verified token of an issuer.
type Statement struct {
	Issuer  string
	Subject string
	ID      string            // of this token: jti, or a hash of what was signed
	Expires time.Time         // after which the token is worthless anyway
	Claims  map[string]string // all claims that are texts, numbers or truth values
}

// ErrIssuer is the error of a token whose issuer nobody named; it is also an ErrCredentials.
var ErrIssuer = fmt.Errorf("unknown issuer: %w", ErrCredentials)

// Verify checks a token: its issuer is one of ours exactly, it was signed with RS256 or ES256 by a key of that issuer,
// it is meant for our audience and its time has come and not passed. ErrIssuer or another ErrCredentials with a
// sentence, or an error of fetching the keys.
func (v *Issuers) Verify(ctx context.Context, token string) (Statement, error) {
	if len(token) > maxBearer {
		return Statement{}, problem.Errorf(ErrCredentials, "The token is too long.")
	}
	claimed := jwt.MapClaims{}
	if _, _, err := jwt.NewParser().ParseUnverified(token, claimed); err != nil {
		return Statement{}, problem.Errorf(ErrCredentials, "The token is not a JWT.")
	}
	name, _ := claimed["iss"].(string)
	from := v.byURL[name]
	if from == nil {
		return Statement{}, problem.Errorf(ErrIssuer, "Tokens of %.200q are not accepted here.", name)
	}
	var fetching error
	parser := jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodRS256.Alg(), jwt.SigningMethodES256.Alg()}), jwt.WithIssuer(name),
		jwt.WithAudience(v.audience),
		jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithLeeway(oidcSkew), jwt.WithStrictDecoding(),
		jwt.WithTimeFunc(v.now),
	)
	claims := jwt.MapClaims{}
	_, err := parser.ParseWithClaims(token, claims, func(t *jwt.Token) (key any, err error) {
		kid, _ := t.Header["kid"].(string)
		key, fetching = from.key(ctx, v, kid)
		return key, fetching
	})
	switch {
	case fetching != nil:
		return Statement{}, fetching
	case errors.Is(err, jwt.ErrTokenExpired):
		return Statement{}, problem.Errorf(ErrCredentials, "The token has expired.")
	case errors.Is(err, jwt.ErrTokenInvalidAudience):
		return Statement{}, problem.Errorf(ErrCredentials, "The token is for another audience than %q.", v.audience)
	case err != nil:
		return Statement{}, problem.Errorf(ErrCredentials, "The token is not valid here.")
	}
	return statementOf(token, name, claims)
}

func statementOf(token, issuer string, claims jwt.MapClaims) (Statement, error) {
	exp, err := claims.GetExpirationTime()
	if err != nil || exp == nil {
		return Statement{}, problem.Errorf(ErrCredentials, "The token never expires.")
	}
	s := Statement{Issuer: issuer, Expires: exp.Time, Claims: map[string]string{}}
	for name, value := range claims {
		switch value := value.(type) {
		case string:
			s.Claims[name] = value
		case bool, float64, json.Number:
			s.Claims[name] = fmt.Sprint(value)
		}
	}
	s.Subject, s.ID = s.Claims["sub"], s.Claims["jti"]
	if s.ID == "" {
		// Not over the signature: from a signature by elliptic curves anybody makes another one.
		signed := token[:strings.LastIndexByte(token, '.')]
		sum := sha256.Sum256([]byte(signed))
		s.ID = hex.EncodeToString(sum[:])
	}
	return s, nil
}

// key returns the issuer's key called kid, asking for keys when it is not known or they are old.
func (i *issuer) key(ctx context.Context, v *Issuers, kid string) (any, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	age := v.now().Sub(i.fetched)
	if key := i.keys[kid]; key != nil && age < keysFresh {
		return key, nil
	}
	if i.keys == nil || age >= keysRetry {
		keys, err := i.load(ctx, v.fetch)
		if err != nil {
			return nil, fmt.Errorf("keys of %s: %w", i.url, err)
		}
		i.keys, i.fetched = keys, v.now()
	}
	if key := i.keys[kid]; key != nil {
		return key, nil
	}
	return nil, problem.Errorf(ErrCredentials, "The token is signed with a key that its issuer does not publish.")
}

// load reads the issuer's discovery document and its keys (OpenID Connect Discovery 4, RFC 7517).
func (i *issuer) load(ctx context.Context, fetch Fetch) (map[string]any, error) {
	raw, err := fetch(ctx, strings.TrimSuffix(i.url, "/")+"/.well-known/openid-configuration")
	if err != nil {
		return nil, err
	}
	var doc struct {
		Issuer string `json:"issuer"`
		JWKS   string `json:"jwks_uri"`
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		return nil, fmt.Errorf("discovery document: %w", err)
	}
	if doc.Issuer != i.url || CheckIssuer(doc.JWKS) != nil ||
		strings.HasPrefix(i.url, "https:") && !strings.HasPrefix(doc.JWKS, "https:") {
		return nil, fmt.Errorf("discovery document names issuer %.200q and keys at %.200q", doc.Issuer, doc.JWKS)
	}
	if raw, err = fetch(ctx, doc.JWKS); err != nil {
		return nil, err
	}
	return parseKeys(raw)
}

// jsonKey is a key of a JSON Web Key Set.
type jsonKey struct {
	Type  string `json:"kty"`
	ID    string `json:"kid"`
	Use   string `json:"use"`
	N     string `json:"n"`
	E     string `json:"e"`
	Curve string `json:"crv"`
	X     string `json:"x"`
	Y     string `json:"y"`
}

// parseKeys takes the keys that can be used here; issuers publish others as well.
func parseKeys(raw []byte) (map[string]any, error) {
	var set struct {
		Keys []jsonKey `json:"keys"`
	}
	if err := json.Unmarshal(raw, &set); err != nil {
		return nil, fmt.Errorf("key set: %w", err)
	}
	keys := map[string]any{}
	for _, k := range set.Keys {
		if k.Use != "" && k.Use != "sig" {
			continue
		}
		if key := k.public(); key != nil {
			keys[k.ID] = key
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("key set: no key for RS256 or ES256")
	}
	return keys, nil
}

// public is the key, nil if it is of a kind, or of a weakness, that is not used here.
func (k jsonKey) public() any {
	switch {
	case k.Type == "RSA":
		n, e := decodeInt(k.N), decodeInt(k.E)
		if n == nil || e == nil || n.BitLen() < minRSA || !e.IsInt64() || e.Int64() < 3 || e.Int64() > 1<<31-1 ||
			e.Bit(0) == 0 {
			return nil
		}
		return &rsa.PublicKey{N: n, E: int(e.Int64())}
	case k.Type == "EC" && k.Curve == "P-256":
		x, y := decodeInt(k.X), decodeInt(k.Y)
		if x == nil || y == nil || x.BitLen() > 256 || y.BitLen() > 256 {
			return nil
		}
		point := append(append([]byte{4}, x.FillBytes(make([]byte, 32))...), y.FillBytes(make([]byte, 32))...)
		key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
		if err != nil {
			return nil
		}
		return key
	}
	return nil
}

func decodeInt(s string) *big.Int {
	b, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(s, "="))
	if err != nil || len(b) == 0 {
		return nil
	}
	return new(big.Int).SetBytes(b)
}

// ErrUsed is the error of a statement that a token was made of before.
var ErrUsed = fmt.Errorf("used before: %w", ErrCredentials)

// tableOIDC has a row for each statement until it expires: expiry, issuer, 0x00, ID → the token made of it.
const tableOIDC = "auth.oidc"

// Exchange makes a token of a verified statement, which works once. In the same transaction it forgets statements that
// have expired, and the tokens made of them. ErrUsed, and what CreateToken returns.
func (l *Local) Exchange(ctx context.Context, s Statement, spec TokenSpec) (id, secret string, err error) {
	if err := l.checkSpec(spec); err != nil {
		return "", "", err
	}
	secret = newSecret()
	hash := sha256.Sum256([]byte(secret))
	id = idOf(hash[:])
	row := tokenRow{
		User: spec.User, Name: spec.Name, Scopes: spec.Scopes.Canonical(), ReadOnly: spec.ReadOnly,
		Expires: spec.Expires.UTC(),
	}
	key := statementKey(s)
	err = l.store.Update(ctx, func(tx *store.Tx) error {
		used := tx.Table(tableOIDC)
		if used.Get(key) != nil {
			return problem.Errorf(ErrUsed, "The token was used before.")
		}
		if err := l.forgetExpired(tx); err != nil {
			return err
		}
		if err := used.Put(key, []byte(id)); err != nil {
			return err
		}
		return l.insertToken(tx, hash, row, nil)
	})
	if err != nil {
		return "", "", fmt.Errorf("exchange a token of %s: %w", s.Issuer, err)
	}
	return id, secret, nil
}

// statementKey orders statements by the end of the time for which they must be remembered.
func statementKey(s Statement) []byte {
	until := s.Expires.Add(2 * oidcSkew).Unix()
	key := binary.BigEndian.AppendUint64(nil, uint64(max(until, 0)))
	return append(key, s.Issuer+"\x00"+s.ID...)
}

// forgetLimit bounds what one exchange cleans up.
const forgetLimit = 100

// forgetExpired removes statements that nobody could use again, with their tokens once these have expired as well.
func (l *Local) forgetExpired(tx *store.Tx) error {
	var expired [][]byte
	now := uint64(max(l.now().Add(-time.Hour).Unix(), 0))
	for key := range tx.Table(tableOIDC).Scan(nil, nil) {
		if len(key) < 8 || binary.BigEndian.Uint64(key) >= now || len(expired) == forgetLimit {
			break
		}
		expired = append(expired, slices.Clone(key))
	}
	for _, key := range expired {
		if err := l.forgetExchanged(tx, string(tx.Table(tableOIDC).Get(key))); err != nil {
			return err
		}
		if err := tx.Table(tableOIDC).Delete(key); err != nil {
			return err
		}
	}
	return nil
}

// forgetExchanged removes a token that was made of a statement, unless somebody has revoked it meanwhile.
func (l *Local) forgetExchanged(tx *store.Tx, id string) error {
	key, row, err := tokenIn(tx, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return l.dropToken(tx, key, row)
}
