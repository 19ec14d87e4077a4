package pypi

// Trusted publishing: a CI job shows what its provider says of it, and gets a token for some minutes and some projects
// (A.11, PEP 807). Nothing secret is kept in the CI.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"larder/auth"
	"larder/internal/rawjson"
	"larder/internal/wire"
	"larder/store"
)

// Publisher is a rule: programs of which an issuer says these things may upload to these projects.
type Publisher struct {
	// Issuer is the URL of the OpenID Connect provider.
	Issuer string
	// Claims are patterns by claim, all of which must match; '*' matches any run of characters. Without any, everybody who
	// uses the issuer could upload, so there must be one.
	Claims map[string]string
	// Projects are patterns of normalised names. A project need not exist yet.
	Projects []string
	// User is in whose name uploads happen, and whose rights bound them.
	User string
}

const (
	mintedLife  = 15 * time.Minute
	fetchLimit  = 1 << 20
	fetchTime   = 10 * time.Second
	typeTrusted = "application/vnd.pypi.pytp.v1+json"
)

// exchanger is what trusted publishing needs of a provider of identity.
type exchanger interface {
	Exchange(ctx context.Context, s auth.Statement, spec auth.TokenSpec) (id, secret string, err error)
}

// trusted is trusted publishing, nil when it is off.
type trusted struct {
	audience   string
	issuers    *auth.Issuers
	exchange   exchanger
	publishers []Publisher
}

func newTrusted(d wire.Deps, o Options) *trusted {
	exchange, ok := d.Auth.(exchanger)
	if len(o.Publishers) == 0 || !ok {
		return nil
	}
	t := &trusted{audience: o.Audience, exchange: exchange, publishers: o.Publishers}
	if t.audience == "" {
		t.audience = "larder"
	}
	var urls []string
	for _, p := range o.Publishers {
		urls = append(urls, p.Issuer)
	}
	fetch := o.Fetch
	if fetch == nil {
		fetch = fetchHTTP
	}
	var err error
	if t.issuers, err = auth.NewIssuers(urls, t.audience, fetch, nil); err != nil {
		// The configuration was validated: this is a caller that did not.
		d.Log.Error("trusted publishing is off", "error", err)
		return nil
	}
	return t
}

// fetchHTTP reads a document of an issuer that the operator named. A redirect would lead to somebody else.
func fetchHTTP(ctx context.Context, url string) ([]byte, error) {
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

// errNoTrust: nobody configured trusted publishing.
func errNoTrust() error {
	return &mintError{"not-enabled", wire.Errorf(store.ErrInvalid, "Trusted publishing is not switched on here.")}
}

// audience tells a CI job for whom its token must be.
func (s *server) audience(w http.ResponseWriter, _ *http.Request, _ Request) error {
	if s.trusted == nil {
		return errNoTrust()
	}
	return wire.JSON(w, http.StatusOK, map[string]string{"audience": s.trusted.audience})
}

// discover says where audience and tokens are to be had for an upload address of ours.
func (s *server) discover(w http.ResponseWriter, r *http.Request, q Request) error {
	path := strings.TrimSuffix(q.Path, "/")
	ours := slices.ContainsFunc([]string{s.opt.Base, s.opt.Base + "/legacy", rootSimple}, func(end string) bool { return strings.HasSuffix(path, end) })
	if s.trusted == nil || !ours {
		return store.Refuse(store.ErrNotFound, "no trusted publishing for %.100q", q.Path)
	}
	base := s.base.URL(r) + rootOIDC
	w.Header().Set("Content-Type", typeTrusted)
	w.Header().Set("Cache-Control", "no-cache")
	return wire.JSON(w, http.StatusOK, map[string]any{
		"audience-endpoint": base + "/audience", "token-mint-endpoint": base + "/mint-token", "features": []string{"multi-use-token"},
	})
}

// mint exchanges the word of a CI's provider for a token.
func (s *server) mint(w http.ResponseWriter, r *http.Request, _ Request) error {
	if s.trusted == nil {
		return errNoTrust()
	}
	raw, err := wire.ReadBody(r, maxSmallBody)
	if err != nil {
		return err
	}
	body, err := rawjson.Parse(raw)
	if err != nil || body.Text("token") == "" {
		return &mintError{"invalid-payload", wire.Errorf(store.ErrInvalid, "The request is not a JSON object with a token.")}
	}
	secret, expires, err := s.trusted.mint(r.Context(), body.Text("token"))
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	return wire.JSON(w, http.StatusOK, map[string]any{"success": true, "token": secret, "expires": expires.Unix()})
}

func (t *trusted) mint(ctx context.Context, token string) (secret string, expires time.Time, err error) {
	st, err := t.issuers.Verify(ctx, token)
	switch {
	case errors.Is(err, auth.ErrIssuer):
		return "", expires, &mintError{"invalid-publisher", err}
	case errors.Is(err, auth.ErrCredentials):
		return "", expires, &mintError{"invalid-token", err}
	case err != nil:
		return "", expires, err
	}
	spec, err := t.grant(st)
	if err != nil {
		return "", expires, &mintError{"invalid-publisher", err}
	}
	_, secret, err = t.exchange.Exchange(ctx, st, spec)
	switch {
	case errors.Is(err, auth.ErrUsed):
		err = &mintError{"invalid-reuse-token", err}
	case errors.Is(err, store.ErrNotFound):
		err = &mintError{"invalid-publisher", fmt.Errorf("%w: %w", wire.Errorf(store.ErrInvalid, "The rule that matches names a user that does not exist."), err)}
	}
	return secret, spec.Expires, err
}

// grant is what the rules that match a statement allow, in the name of the first one's user.
func (t *trusted) grant(st auth.Statement) (auth.TokenSpec, error) {
	spec := auth.TokenSpec{Expires: time.Now().Add(mintedLife)}
	for _, p := range t.publishers {
		if p.Issuer != st.Issuer || !p.matches(st.Claims) || spec.User != "" && spec.User != p.User {
			continue
		}
		spec.User = p.User
		for _, name := range p.Projects {
			scope, err := auth.NewScope(store.PyPI, typePackage, name, auth.Create, auth.Read)
			if err != nil {
				return spec, err
			}
			spec.Scopes = append(spec.Scopes, scope)
		}
	}
	if len(spec.Scopes) == 0 {
		return spec, wire.Errorf(auth.ErrDenied, "No rule for trusted publishing matches what the token says of %.200q.", st.Subject)
	}
	spec.Name = clip("trusted publishing: "+strings.ToValidUTF8(strings.Map(printable, st.Subject), ""), 120)
	return spec, nil
}

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
