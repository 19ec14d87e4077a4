// Package trust is trusted publishing: a CI job shows what its provider says of it, and gets a token for some minutes
// and some packages. Nothing secret is kept in the CI. It knows the rules and the exchange; how a client asks for one
// is its protocol's business.
package trust

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"larder/auth"
	"larder/internal/problem"
	"larder/store"
)

// ErrRule is the error of a statement that no rule allows anything; it is also an auth.ErrDenied.
var ErrRule = fmt.Errorf("no rule matches: %w", auth.ErrDenied)

// Publisher is a rule: programs of which an issuer says these things get a token with these scopes.
type Publisher struct {
	// Issuer is the URL of the OpenID Connect provider.
	Issuer string
	// Claims are patterns by claim, all of which must match; '*' matches any run of characters. There must be one: without
	// any, everybody who uses the issuer would match.
	Claims map[string]string
	// Scopes are what the token may do. What they are about need not exist yet.
	Scopes auth.Scopes
	// User is in whose name things happen, and whose rights bound them.
	User string
}

const (
	life       = 15 * time.Minute
	fetchLimit = 1 << 20
	fetchTime  = 10 * time.Second
)

// Exchanger is what trusted publishing needs of a provider of identity; its errors are auth.Local's.
type Exchanger interface {
	Exchange(ctx context.Context, s auth.Statement, spec auth.TokenSpec) (id, secret string, err error)
}

// Publishers are the rules of a registry.
type Publishers struct {
	audience string
	issuers  *auth.Issuers
	exchange Exchanger
	rules    []Publisher
	now      func() time.Time
}

// New makes the rules. audience is for whom tokens must be; now nil is time.Now. ErrInvalid for
// rules that make no sense.
func New(e Exchanger, audience string, rules []Publisher, now func() time.Time) (*Publishers, error) {
	if now == nil {
		now = time.Now
	}
	var urls []string
	for _, p := range rules {
		if len(p.Claims) == 0 || len(p.Scopes) == 0 || p.User == "" {
			return nil, problem.Errorf(store.ErrInvalid,
				"A rule for trusted publishing has claims, packages and a user; that of %s lacks some.", p.Issuer)
		}
		urls = append(urls, p.Issuer)
	}
	issuers, err := auth.NewIssuers(urls, audience, fetch, now)
	return &Publishers{audience: audience, issuers: issuers, exchange: e, rules: rules, now: now}, err
}

// Audience is for whom tokens must be that are to be exchanged here.
func (t *Publishers) Audience() string { return t.audience }

// Mint exchanges the token of an issuer for one of ours, which ends at expires. auth.ErrIssuer, another
// auth.ErrCredentials, ErrRule, auth.ErrUsed, or an error of fetching the issuer's keys.
func (t *Publishers) Mint(ctx context.Context, token string) (secret string, expires time.Time, err error) {
	st, err := t.issuers.Verify(ctx, token)
	if err != nil {
		return "", expires, err
	}
	spec, err := t.grant(st)
	if err != nil {
		return "", expires, err
	}
	_, secret, err = t.exchange.Exchange(ctx, st, spec)
	if errors.Is(err, store.ErrNotFound) {
		err = problem.Errorf(ErrRule, "The rule that matches is in the name of a user that does not exist.")
	}
	return secret, spec.Expires, err
}

// grant is what the rules that match a statement allow, in the name of the first one's user.
func (t *Publishers) grant(st auth.Statement) (auth.TokenSpec, error) {
	spec := auth.TokenSpec{Expires: t.now().Add(life)}
	for _, p := range t.rules {
		if p.Issuer == st.Issuer && p.matches(st.Claims) && (spec.User == "" || spec.User == p.User) {
			spec.User = p.User
			spec.Scopes = append(spec.Scopes, p.Scopes...)
		}
	}
	if len(spec.Scopes) == 0 {
		return spec, problem.Errorf(ErrRule, "No rule for trusted publishing matches what the token says of %.200q.",
			st.Subject)
	}
	subject := strings.Map(printable, st.Subject)
	spec.Name = "trusted publishing: " + subject[:min(len(subject), 100)]
	return spec, nil
}

// fetch reads a document of an issuer that the operator named. A redirect would lead to somebody else.
func fetch(ctx context.Context, url string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("GET %s: %s", url, resp.Status)
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, fetchLimit+1))
	if err == nil && len(raw) > fetchLimit {
		err = fmt.Errorf("GET %s: more than %d bytes", url, fetchLimit)
	}
	return raw, err
}

// printable keeps what a token's name may hold.
func printable(r rune) rune {
	if r < ' ' || r >= 0x7f {
		return '?'
	}
	return r
}

// matches compares claims with the rule's patterns.
func (p Publisher) matches(claims map[string]string) bool {
	for name, pattern := range p.Claims {
		value, ok := claims[name]
		if !ok || !glob(pattern, value) {
			return false
		}
	}
	return len(p.Claims) > 0
}

// glob matches s against a pattern in which "*" stands for any run of characters.
func glob(pattern, s string) bool {
	head, rest, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == s
	}
	if !strings.HasPrefix(s, head) {
		return false
	}
	s = s[len(head):]
	parts := strings.Split(rest, "*")
	last := len(parts) - 1
	for _, part := range parts[:last] {
		_, after, found := strings.Cut(s, part)
		if !found {
			return false
		}
		s = after
	}
	return strings.HasSuffix(s, parts[last])
}
