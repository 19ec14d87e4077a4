// Package trust is trusted publishing: a CI job sends the identity token of its provider and gets a token of ours, for
// some minutes and some packages. The CI needs no secret. The package has the rules and the exchange; how clients ask
// for it is up to their protocol.
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

// ErrRule is the error of an identity that matches no rule; it is also an auth.ErrDenied.
var ErrRule = fmt.Errorf("no rule matches: %w", auth.ErrDenied)

// Publisher is a rule: a job whose identity token has these claims gets a token with these scopes.
type Publisher struct {
	// Issuer is the URL of the OpenID Connect provider.
	Issuer string
	// Claims are patterns by claim, all of which must match; '*' matches any run of characters. At least one is needed:
	// without any, everybody who uses the issuer would match.
	Claims map[string]string
	// Scopes are what the token may do. Packages they name need not exist yet.
	Scopes auth.Scopes
	// User is the name under which the token acts; the token has none of the rights that the user lacks.
	User string
}

const (
	life       = 15 * time.Minute
	fetchLimit = 1 << 20
	fetchTime  = 10 * time.Second
)

// Exchanger verifies identity tokens and makes our tokens; auth.Local is one, and says which errors there are.
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

// New checks the rules. audience is what identity tokens must name as theirs; now is the clock, time.Now if it is nil.
// The error is ErrInvalid for a rule that could match everybody, or nobody.
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

// Audience returns what identity tokens must name as their audience.
func (t *Publishers) Audience() string { return t.audience }

// Mint exchanges an identity token for a token of ours, which ends at expires. Its errors are auth.ErrIssuer and other
// kinds of auth.ErrCredentials, auth.ErrUsed, ErrRule, or an error of fetching the issuer's keys.
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

// grant joins what the rules allow that match st; the user is that of the first one.
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

// fetch reads a document of an issuer. It follows no redirect, which would lead to a host that no operator named.
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

// printable replaces characters that the name of a token cannot have.
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
		if !ok || !store.Glob(pattern, value) {
			return false
		}
	}
	return len(p.Claims) > 0
}
