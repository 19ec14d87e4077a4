package upstream

// This file has the token flow of container registries (distribution specification, "token authentication"): a 401
// names a realm that gives out bearer tokens.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// challenge is a WWW-Authenticate header.
type challenge struct{ scheme, realm, service, scope string }

// token is a bearer token and until when it is used.
type token struct {
	value string
	until time.Time
}

const (
	tokenLife   = time.Minute // when the answer does not say
	tokenMargin = 10 * time.Second
	maxToken    = 1 << 20
)

// parseChallenge reads `Bearer realm="…",service="…",scope="…"`.
func parseChallenge(header string) (c challenge) {
	scheme, rest, _ := strings.Cut(strings.TrimSpace(header), " ")
	c.scheme = strings.ToLower(scheme)
	for rest != "" {
		key, after, ok := strings.Cut(rest, "=")
		if !ok {
			break
		}
		var value string
		after = strings.TrimSpace(after)
		if strings.HasPrefix(after, `"`) {
			value, rest, _ = strings.Cut(after[1:], `"`)
			rest = strings.TrimLeft(rest, ", ")
		} else {
			value, rest, _ = strings.Cut(after, ",")
		}
		switch strings.ToLower(strings.TrimSpace(key)) {
		case "realm":
			c.realm = value
		case "service":
			c.service = value
		case "scope":
			c.scope = value
		}
	}
	return c
}

// bearer puts the token for scope on r, when one is known to be needed. It fetches it when there is none.
func (u *Upstream) bearer(ctx context.Context, r *http.Request, scope string) error {
	u.tokens.mu.Lock()
	c := u.tokens.challenge
	u.tokens.mu.Unlock()
	if c.realm == "" || !u.owns(r.URL) {
		return nil
	}
	value, err := "", error(nil)
	if isAnonymous(ctx) {
		var t token
		t, err = u.fetchToken(ctx, c, scope)
		value = t.value
	} else {
		value, err = u.token(ctx, c, scope)
	}
	if err == nil {
		r.Header.Set("Authorization", "Bearer "+value)
	}
	return err
}

// challenged learns from a 401; it reports whether asking again can help.
func (u *Upstream) challenged(resp *http.Response, scope string) bool {
	c := challenge{}
	if u.challengedBasic(resp) {
		return true
	}
	for _, h := range resp.Header.Values("WWW-Authenticate") {
		if c = parseChallenge(h); c.scheme == "bearer" && c.realm != "" {
			break
		}
	}
	if c.scheme != "bearer" || c.realm == "" {
		return false
	}
	u.tokens.mu.Lock()
	defer u.tokens.mu.Unlock()
	u.tokens.challenge = c
	delete(u.tokens.kept, scope)
	return true
}

// challengedBasic reports whether the registry asks for the password itself and has not been sent it.
func (u *Upstream) challengedBasic(resp *http.Response) bool {
	if u.conf.User == "" || u.basic.Load() || !u.owns(resp.Request.URL) {
		return false
	}
	for _, h := range resp.Header.Values("WWW-Authenticate") {
		switch parseChallenge(h).scheme {
		case "bearer":
			return false
		case "basic":
			u.basic.Store(true)
			return true
		}
	}
	return false
}

// warnUnused logs once that configured credentials are not sent, and why.
func (u *Upstream) warnUnused(why string) {
	if old := u.unused.Swap(&why); old == nil || *old != why {
		u.log.Warn("credentials of an upstream are not sent", "kind", string(u.conf.Kind), "upstream", u.conf.Name,
			"reason", why)
	}
}

// token returns a token for scope. One is fetched at a time for each scope; nobody waits for that of another.
func (u *Upstream) token(ctx context.Context, c challenge, scope string) (string, error) {
	u.tokens.mu.Lock()
	t, ok := u.tokens.kept[scope]
	u.tokens.mu.Unlock()
	if ok && u.now().Before(t.until) {
		return t.value, nil
	}
	fetched := u.tokens.fetches.DoChan(scope, func() (any, error) {
		t, err := u.fetchToken(ctx, c, scope)
		if err != nil {
			return "", fmt.Errorf("token of %s: %w", u.conf.Name, err)
		}
		u.tokens.keep(scope, t)
		return t.value, nil
	})
	select {
	case r := <-fetched:
		return r.Val.(string), r.Err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// maxTokens bounds what a client can make us remember by asking for ever new names.
const maxTokens = 1000

func (t *tokens) keep(scope string, one token) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.kept == nil || len(t.kept) >= maxTokens {
		t.kept = map[string]token{}
	}
	t.kept[scope] = one
}

// fetchToken asks the realm. The realm is whatever the registry (or somebody who answers in its place) wrote, so
// credentials go to the registry's own origin and to realms the operator named, and nowhere else.
func (u *Upstream) fetchToken(ctx context.Context, c challenge, scope string) (t token, err error) {
	realm, err := url.Parse(c.realm)
	if err != nil || realm.Host == "" || u.base.Scheme == "https" && realm.Scheme != "https" {
		return t, u.astray(realm, fmt.Sprintf("realm %.200q", c.realm))
	}
	if wait := u.breakerOf(realm.String()).rest(); wait > 0 {
		return t, &errBreaker{wait}
	}
	q := realm.Query()
	if c.service != "" {
		q.Set("service", c.service)
	}
	if scope != "" {
		q.Set("scope", scope)
	}
	realm.RawQuery = q.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, realm.String(), nil)
	if err != nil {
		return t, err
	}
	r.Header.Set("User-Agent", userAgent)
	switch {
	case u.conf.User == "", isAnonymous(ctx):
	case u.trusts(realm):
		r.SetBasicAuth(u.conf.User, u.conf.Password)
		u.unused.Store(nil)
	default:
		u.warnUnused("its tokens come from " + origin(realm) + ", which `realms` does not name")
	}
	resp, err := u.client.Do(r)
	if err != nil {
		return t, err
	}
	defer resp.Body.Close()
	if c := resp.StatusCode; c >= 400 && c < 500 && c != http.StatusTooManyRequests {
		return t, &tokenRefusal{statusError{c, realm.Host}}
	}
	if resp.StatusCode != http.StatusOK {
		return t, u.postponed(resp, realm.Host)
	}
	var answer struct {
		Token       string `json:"token"`
		AccessToken string `json:"access_token"`
		ExpiresIn   int    `json:"expires_in"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxToken)).Decode(&answer); err != nil {
		return t, err
	}
	t.value = answer.Token
	if t.value == "" {
		t.value = answer.AccessToken
	}
	if t.value == "" {
		return t, errors.New("the answer has no token")
	}
	life := tokenLife
	if answer.ExpiresIn > 0 {
		life = time.Duration(answer.ExpiresIn) * time.Second
	}
	t.until = u.now().Add(max(life-tokenMargin, tokenMargin))
	return t, nil
}

// trusts reports whether the operator's password may go to a realm.
func (u *Upstream) trusts(realm *url.URL) bool {
	if origin(realm) == origin(u.base) {
		return true
	}
	for _, r := range u.conf.Realms {
		if own, err := url.Parse(r); err == nil && origin(own) == origin(realm) {
			return true
		}
	}
	return false
}
