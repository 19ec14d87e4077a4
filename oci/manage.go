package oci

// Deleting, tokens, and the addresses by which clients find out that this is a registry.

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"larder/auth"
	"larder/internal/problem"
	"larder/internal/wire"
	"larder/store"
)

// deleteManifest is end-9. A tag goes alone; a digest takes the manifest and every tag that points at it.
func (s *server) deleteManifest(w http.ResponseWriter, r *http.Request, q Request) error {
	if s.opt.NoDelete {
		return faultf(codeUnsupported, errDisabled, "deleting is switched off here")
	}
	m := matchOf(r)
	err := s.Repo.Update(r.Context(), q.Name, func(p *store.PackageTx[Meta]) error {
		if q.byDigest() {
			return removeManifest(p, q.Digest.String())
		}
		t, err := p.Tag(q.Tag)
		if err != nil {
			return err
		}
		if err := m.check(q.Tag, t.Version, true); err != nil {
			return err
		}
		return p.DeleteTag(q.Tag)
	})
	if err != nil {
		return err
	}
	return empty(w, http.StatusAccepted)
}

// removeManifest removes a manifest and its rows. store.ErrNotFound.
func removeManifest(p *store.PackageTx[Meta], id string) error {
	v, err := p.Version(id)
	if err != nil {
		return err
	}
	if err := p.Delete(id, false); err != nil {
		return err
	}
	if v.Meta.Subject != "" {
		if err := p.Index(indexReferrers).Delete([]byte(v.Meta.Subject.String() + "\x00" + id)); err != nil {
			return err
		}
	}
	wanted := p.Index(indexWanted)
	for k := range wanted.Scan(nil, nil) {
		if row := slices.Clone(k); strings.HasSuffix(string(row), "\x00"+id) {
			if err := wanted.Delete(row); err != nil {
				return err
			}
		}
	}
	return p.Index(indexManifests).Delete([]byte(id))
}

// deleteBlob is end-10: the repository can no longer read it. While a manifest of the repository needs the blob, it
// stays.
func (s *server) deleteBlob(w http.ResponseWriter, r *http.Request, q Request) error {
	if s.opt.NoDelete {
		return faultf(codeUnsupported, errDisabled, "deleting is switched off here")
	}
	err := s.Repo.Update(r.Context(), q.Name, func(p *store.PackageTx[Meta]) error { return p.Unhold(q.Digest) })
	if err != nil {
		return err
	}
	return empty(w, http.StatusAccepted)
}

// ping is end-1. Without credentials it is a 401 even where everybody may read: this is the only request from which
// docker login, docker push, skopeo and crane learn that they have to log in.
func (s *server) ping(w http.ResponseWriter, r *http.Request, _ Request) error {
	if !hasCredentials(r) {
		return auth.ErrNoCredentials
	}
	return wire.JSON(w, http.StatusOK, struct{}{})
}

// v1Ping tells docker search that /v1/search is worth asking.
func (s *server) v1Ping(w http.ResponseWriter, _ *http.Request, _ Request) error {
	w.Header().Set("X-Docker-Registry-Standalone", "true")
	return wire.JSON(w, http.StatusOK, true)
}

// service is the name of the registry in challenges, which clients repeat in token requests.
const service = "larder"

// tokenLife is how long a token is valid. It is checked when a request begins, so an upload may take longer.
const tokenLife = 5 * time.Minute

// Limits of one token request.
const (
	maxScopes   = 100
	maxFormBody = 64 << 10
)

// issuer makes the short-lived tokens of the token end point.
type issuer interface {
	// IssueJWT makes a token for id that is limited to granted on top of id's own limits.
	IssueJWT(
		ctx context.Context, id auth.Identity, granted auth.Scopes, ttl time.Duration,
	) (token string, expires time.Time, err error)
}

// tokenAnswer is the answer of docker's token protocol, with the token under both names that clients look for.
type tokenAnswer struct {
	Token        string `json:"token"`
	AccessToken  string `json:"access_token"`
	ExpiresIn    int    `json:"expires_in"`
	IssuedAt     string `json:"issued_at"`
	Scope        string `json:"scope,omitempty"`
	RefreshToken string `json:"refresh_token,omitempty"`
}

// token is the GET form: Basic credentials, or none for an anonymous token. It never returns a refresh token, because
// docker would forget the password for it, and then search and other tools have none.
func (s *server) token(w http.ResponseWriter, r *http.Request, _ Request) error {
	answer, err := s.issue(r.Context(), wire.IdentityFrom(r.Context()), r.URL.Query()["scope"])
	if err != nil {
		return err
	}
	answer.Scope = "" // the POST form's
	return writeToken(w, answer)
}

// grant is the POST form (OAuth 2): containerd and BuildKit try it first.
func (s *server) grant(w http.ResponseWriter, r *http.Request, _ Request) error {
	body, err := wire.ReadBody(r, maxFormBody)
	if err != nil {
		return err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return faultf(codeUnsupported, problem.ErrBadPath, "the form is malformed")
	}
	c := auth.Credentials{Addr: wire.AddrFrom(r.Context())}
	switch form.Get("grant_type") {
	case "password":
		c.User, c.Password = form.Get("username"), form.Get("password")
	case "refresh_token":
		c.Token = form.Get("refresh_token")
	default:
		return faultf(codeUnsupported, problem.ErrBadPath, "grant_type must be password or refresh_token")
	}
	if c.Password == "" && c.Token == "" {
		return problem.Errorf(auth.ErrCredentials, "the request has no password and no refresh token")
	}
	id, err := s.Auth.Authenticate(r.Context(), c)
	if err != nil {
		return err
	}
	answer, err := s.issue(r.Context(), id, form["scope"])
	if err != nil {
		return err
	}
	if id.TokenID != "" && !id.JWT && form.Get("access_type") == "offline" {
		// A personal token can be revoked, so it is as good a refresh token as any. A password is never given back.
		for _, text := range []string{c.Token, c.Password, c.User} {
			if auth.IsToken(text) {
				answer.RefreshToken = text
				break
			}
		}
	}
	return writeToken(w, answer)
}

func writeToken(w http.ResponseWriter, a tokenAnswer) error {
	w.Header().Set("Cache-Control", "no-store")
	return wire.JSON(w, http.StatusOK, a)
}

// issue makes a token for those of the requested scopes that the identity may have, which can be none.
func (s *server) issue(ctx context.Context, id auth.Identity, fields []string) (tokenAnswer, error) {
	if s.jwt == nil {
		return tokenAnswer{}, faultf(codeUnsupported, errDisabled, "tokens are switched off here, use Basic")
	}
	wire.Asked(ctx) // a request without scopes asks for no right: its token has none
	requested, err := parseScopes(fields)
	if err != nil {
		return tokenAnswer{}, err
	}
	var granted auth.Scopes
	var words []string
	for _, w := range requested {
		scope, text := s.allow(ctx, id, w)
		if text != "" {
			granted, words = append(granted, scope), append(words, text)
		}
	}
	now := time.Now().UTC()
	jwt, expires, err := s.jwt.IssueJWT(ctx, id, granted, tokenLife)
	if err != nil {
		return tokenAnswer{}, err
	}
	return tokenAnswer{
		Token: jwt, AccessToken: jwt, Scope: strings.Join(words, " "), IssuedAt: now.Format(time.RFC3339),
		ExpiresIn: max(1, int(expires.Sub(now).Round(time.Second).Seconds())),
	}, nil
}

// requestedScope is a resource in a token request and the actions asked for: pull, push, delete.
type requestedScope struct {
	typ, name string
	actions   []string
}

// parseScopes reads scope fields: repeated, or several in one, separated by spaces (containerd). The name stands
// between the first and the last colon. Unknown types and actions are left out: they cannot be granted.
func parseScopes(fields []string) ([]requestedScope, error) {
	var out []requestedScope
	n := 0
	for _, field := range fields {
		for text := range strings.FieldsSeq(field) {
			if n++; n > maxScopes {
				return nil, faultf(codeUnsupported, problem.ErrBadPath, "at most %d scopes can be asked for at once", maxScopes)
			}
			if w, ok := parseScope(text); ok {
				out = merge(out, w)
			}
		}
	}
	return out, nil
}

func parseScope(text string) (requestedScope, bool) {
	first, last := strings.IndexByte(text, ':'), strings.LastIndexByte(text, ':')
	if first < 0 || first == last {
		return requestedScope{}, false
	}
	w := requestedScope{typ: text[:first], name: text[first+1 : last]}
	for a := range strings.SplitSeq(text[last+1:], ",") {
		switch a {
		case "pull", "push", "delete":
			w.actions = append(w.actions, a)
		case "*":
			w.actions = append(w.actions, "pull", "push", "delete")
		}
	}
	switch w.typ {
	case typeRepository:
		return w, checkName(w.name) == nil && len(w.actions) > 0
	case "registry":
		return w, w.name == "catalog"
	}
	return w, false
}

// merge adds a scope to a list. A resource is in it once, with its actions in the order pull, push, delete.
func merge(list []requestedScope, w requestedScope) []requestedScope {
	i := slices.IndexFunc(list, func(o requestedScope) bool { return o.typ == w.typ && o.name == w.name })
	if i < 0 {
		list = append(list, requestedScope{typ: w.typ, name: w.name})
		i = len(list) - 1
	}
	all := append(list[i].actions, w.actions...)
	list[i].actions = nil
	for _, a := range [...]string{"pull", "push", "delete"} {
		if slices.Contains(all, a) {
			list[i].actions = append(list[i].actions, a)
		}
	}
	return list
}

// allow is the part of a requested scope that the identity may have, and its text in docker's words; "" if it may have
// nothing of it. The catalog is granted to everybody, since it shows only what its reader may pull.
func (s *server) allow(ctx context.Context, id auth.Identity, w requestedScope) (auth.Scope, string) {
	var words []string
	var actions []auth.Action
	try := func(word string, list ...auth.Action) {
		for _, a := range list {
			access := auth.Access{Kind: store.OCI, Type: w.typ, Name: w.name, Action: a}
			may := func(name string) bool {
				access.Name = name
				return s.Auth.Authorize(ctx, id, access) == nil
			}
			// Only a later request says by ?ns= which of them it means. Its right is asked then.
			if may(w.name) || a == auth.Read && slices.ContainsFunc(s.sourceNames(w.name), may) {
				words, actions = append(words, word), append(actions, a)
				return
			}
		}
	}
	for _, a := range w.actions {
		switch a {
		case "pull":
			try(a, auth.Read)
		case "push":
			try(a, auth.Write, auth.Create)
		case "delete":
			try(a, auth.Delete)
		}
	}
	if w.typ == "registry" {
		words, actions = []string{"*"}, []auth.Action{auth.Read}
	}
	if len(words) == 0 {
		return auth.Scope{}, ""
	}
	scope, err := auth.NewScope(store.OCI, w.typ, w.name, actions...)
	if err != nil {
		return auth.Scope{}, "" // the name is none of the scope grammar: the token is issued without it
	}
	return scope, w.typ + ":" + w.name + ":" + strings.Join(words, ",")
}
