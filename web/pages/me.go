package pages

// What belongs to whoever is logged in: their tokens, sessions and password.

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"larder/auth"
	"larder/internal/problem"
	"larder/store"
)

// mePage is what the pages of an account show; Tokens, Sessions and New depend on which it is.
type mePage struct {
	User auth.User
	// Here is the tab; Done a sentence about what was just changed, Refused one about what was not.
	Here, Done, Refused string
	Tokens              []tokenRow
	Sessions            []sessionRow
	New                 tokenForm
	// Made is the token that was just made, Secret the token itself, which is shown this once.
	Made   tokenRow
	Secret string
	Kinds  []string
	Days   []validity
	// NTokens and NSessions are for the tabs.
	NTokens, NSessions int
}

// tokenRow is a token in the list.
type tokenRow struct {
	auth.Token
	Networks []string
	Last     any
	// Ended says that it has expired, Soon that it will within days.
	Ended bool
	Soon  int
}

// sessionRow is a session in the list.
type sessionRow struct {
	auth.Session
	Browser string
	This    bool
	Last    any
}

// validity is a choice of how long a token is good.
type validity struct {
	Days  int
	Until time.Time
}

// soon is from how many days on a token is said to end.
const soon = 14

// account begins a page of whoever has the session.
func (p *Pages) account(r *http.Request, here string) (*mePage, auth.Identity, error) {
	id, err := openedBy(r)
	if err != nil {
		return nil, id, err
	}
	m := &mePage{Here: here, Kinds: []string{"*"}}
	if m.User, err = p.d.Auth.User(r.Context(), id.User); err != nil {
		return nil, id, err
	}
	for _, k := range p.d.Kinds {
		m.Kinds = append(m.Kinds, string(k.Kind))
	}
	now := p.d.Now()
	for _, days := range []int{30, 90, 365} {
		m.Days = append(m.Days, validity{days, now.AddDate(0, 0, days)})
	}
	tokens, err := p.d.Auth.OwnTokens(r.Context(), id)
	if err != nil {
		return nil, id, err
	}
	slices.Reverse(tokens)
	for _, t := range tokens {
		m.Tokens = append(m.Tokens, tokenRowOf(t, now))
	}
	sessions, err := p.d.Auth.Sessions(r.Context(), id.User)
	if err != nil {
		return nil, id, err
	}
	for _, s := range sessions {
		m.Sessions = append(m.Sessions, sessionRow{s, browserOf(s.Agent), s.ID == id.Session(), last(s.LastUsed, now)})
	}
	m.NTokens, m.NSessions = len(m.Tokens), len(m.Sessions)
	return m, id, nil
}

func tokenRowOf(t auth.Token, now time.Time) tokenRow {
	row := tokenRow{Token: t, Last: last(t.LastUsed, now)}
	for _, n := range t.CIDRs {
		row.Networks = append(row.Networks, n.String())
	}
	if !t.Expires.IsZero() {
		left := t.Expires.Sub(now)
		row.Ended = left <= 0
		if days := int(left/(24*time.Hour)) + 1; days <= soon {
			row.Soon = days
		}
	}
	return row
}

func (p *Pages) sendAccount(w http.ResponseWriter, r *http.Request, status int, m *mePage) error {
	f := p.frame(r, map[string]string{"tokens": "Tokens", "sessions": "Sessions", "made": "New token"}[m.Here], m)
	f.Private, f.Here = true, "me"
	if status != http.StatusOK {
		return p.sendStatus(w, status, "me", f)
	}
	return p.send(w, r, "me", f)
}

// refuse shows a page of the account again, with why a form was refused; other errors are errors.
func (p *Pages) refuse(w http.ResponseWriter, r *http.Request, m *mePage, err error) error {
	status := problem.Status(err)
	if status < 400 || status >= 500 {
		return err
	}
	m.Refused = problem.Public(err)
	return p.sendAccount(w, r, status, m)
}

func (p *Pages) myTokens(w http.ResponseWriter, r *http.Request, _ request) error {
	m, _, err := p.account(r, "tokens")
	if err != nil {
		return err
	}
	m.New = newTokenForm()
	return p.sendAccount(w, r, http.StatusOK, m)
}

func (p *Pages) mySessions(w http.ResponseWriter, r *http.Request, q request) error {
	m, _, err := p.account(r, "sessions")
	if err != nil {
		return err
	}
	if q.changed {
		m.Done = "The password is changed. Other sessions have ended; tokens go on."
	}
	return p.sendAccount(w, r, http.StatusOK, m)
}

// makeToken makes a token and shows it, for the only time; or adds a rule to the form.
func (p *Pages) makeToken(w http.ResponseWriter, r *http.Request, id auth.Identity, form url.Values) error {
	m, _, err := p.account(r, "tokens")
	if err != nil {
		return err
	}
	m.New = readTokenForm(form)
	if form.Get("more") != "" {
		m.New.Rules = append(m.New.Rules, tokenRule{Kind: "*"})
		return p.sendAccount(w, r, http.StatusOK, m)
	}
	spec, err := m.New.spec(p.d.Now())
	if err != nil {
		return p.refuse(w, r, m, err)
	}
	made, secret, err := p.d.Auth.DeriveToken(r.Context(), id, spec)
	if err != nil {
		return p.refuse(w, r, m, err)
	}
	if m, _, err = p.account(r, "made"); err != nil {
		return err
	}
	i := slices.IndexFunc(m.Tokens, func(t tokenRow) bool { return t.ID == made })
	if i < 0 {
		return problem.Errorf(store.ErrNotFound, "The token has been revoked already.")
	}
	m.Made, m.Secret = m.Tokens[i], secret
	return p.sendAccount(w, r, http.StatusOK, m)
}

func (p *Pages) revokeToken(w http.ResponseWriter, r *http.Request, id auth.Identity, form url.Values) error {
	if err := p.d.Auth.RevokeOwn(r.Context(), id, form.Get("id")); err != nil {
		return err
	}
	return seeOther(w, p.root(r)+rootOther+"/me")
}

// endSession ends one of the user's sessions, or all but this one.
func (p *Pages) endSession(w http.ResponseWriter, r *http.Request, id auth.Identity, form url.Values) error {
	var err error
	if form.Get("others") != "" {
		_, err = p.d.Auth.EndSessions(r.Context(), id.User, id.Session())
	} else {
		err = p.d.Auth.EndSession(r.Context(), id.User, form.Get("id"))
	}
	if err != nil {
		return err
	}
	if form.Get("id") == id.Session() {
		http.SetCookie(w, p.cookie(r, ""))
	}
	return seeOther(w, p.root(r)+rootOther+"/me/sessions")
}

// setPassword changes the password, which ends all sessions; this browser gets another one.
func (p *Pages) setPassword(w http.ResponseWriter, r *http.Request, id auth.Identity, form url.Values) error {
	m, _, err := p.account(r, "sessions")
	if err != nil {
		return err
	}
	ctx, addr := r.Context(), p.d.Wire.Base.ClientAddr(r)
	if _, err := p.d.Auth.VerifyPassword(ctx, id.User, form.Get("password"), addr); err != nil {
		var throttled *auth.Throttled
		if errors.Is(err, auth.ErrCredentials) && !errors.As(err, &throttled) {
			err = problem.Errorf(store.ErrInvalid, "That is not your password.")
		}
		return p.refuse(w, r, m, err)
	}
	if err := p.d.Auth.SetPassword(ctx, id.User, form.Get("new")); err != nil {
		return p.refuse(w, r, m, err)
	}
	again, err := p.d.Auth.VerifyPassword(ctx, id.User, form.Get("new"), addr)
	if err != nil {
		return err
	}
	if err := p.begin(w, r, again); err != nil {
		return err
	}
	return seeOther(w, p.root(r)+rootOther+"/me/sessions?changed=1")
}

// tokenForm is the form for a new token, as it was filled in.
type tokenForm struct {
	Name     string
	May      string // mayAll, mayRead or mayRules
	Rules    []tokenRule
	Days     int // 0: for ever
	Networks string
}

const (
	mayAll   = "all"
	mayRead  = "read"
	mayRules = "rules"
	maxRules = 20
)

// tokenRule is one line of what a token may do.
type tokenRule struct {
	Kind, Names string
	Actions     map[string]bool
}

// actions are what a rule can allow, in the order in which scopes write them.
var actions = []string{"read", "create", "write", "delete"}

func newTokenForm() tokenForm {
	return tokenForm{May: mayAll, Days: 90, Rules: []tokenRule{{Kind: "*", Actions: map[string]bool{"read": true}}}}
}

func readTokenForm(form url.Values) tokenForm {
	t := tokenForm{Name: strings.TrimSpace(form.Get("label")), May: form.Get("may"), Networks: form.Get("networks")}
	t.Days, _ = strconv.Atoi(form.Get("days")) // "" is for ever
	names := form["names"]
	for i, kind := range form["kind"][:min(len(form["kind"]), maxRules)] {
		rule := tokenRule{Kind: kind, Actions: map[string]bool{}}
		if i < len(names) {
			rule.Names = strings.TrimSpace(names[i])
		}
		for _, a := range form["act"+strconv.Itoa(i)] {
			rule.Actions[a] = true
		}
		t.Rules = append(t.Rules, rule)
	}
	return t
}

// spec is what the form asks for; store.ErrInvalid says what is wrong with it.
func (t tokenForm) spec(now time.Time) (spec auth.TokenSpec, err error) {
	spec.Name = t.Name
	if t.Name == "" {
		return spec, problem.Errorf(store.ErrInvalid, "Say what the token is for.")
	}
	if t.Days > 0 {
		spec.Expires = now.AddDate(0, 0, t.Days)
	}
	words := strings.FieldsFunc(t.Networks, func(r rune) bool { return r == ',' || r == ' ' })
	if spec.CIDRs, err = auth.ParseNetworks(words); err != nil {
		return spec, err
	}
	switch t.May {
	case mayAll:
		return spec, nil
	case mayRead:
		spec.ReadOnly = true
		return spec, nil
	case mayRules:
		var texts []string
		for _, rule := range t.Rules {
			if text, ok := rule.scope(); ok {
				texts = append(texts, text)
			}
		}
		if len(texts) == 0 {
			return spec, problem.Errorf(store.ErrInvalid, "Say which names the token is for, and what it may do with them.")
		}
		spec.Scopes, err = auth.ParseScopes(texts)
		return spec, err
	}
	return spec, problem.Errorf(store.ErrInvalid, "Say what the token may do.")
}

// scope is the rule as a scope; false for one that was left empty.
func (t tokenRule) scope() (string, bool) {
	var allowed []string
	for _, a := range actions {
		if t.Actions[a] {
			allowed = append(allowed, a)
		}
	}
	if t.Names == "" || len(allowed) == 0 {
		return "", false
	}
	return t.Kind + ":*:" + t.Names + ":" + strings.Join(allowed, ","), true
}

// browserOf is what people call a browser, by what it sends; "" when it sends nothing.
func browserOf(agent string) string {
	find := func(words ...string) string {
		for i := 0; i+1 < len(words); i += 2 {
			if strings.Contains(agent, words[i]) {
				return words[i+1]
			}
		}
		return ""
	}
	browser := find("Edg/", "Edge", "OPR/", "Opera", "Firefox/", "Firefox", "FxiOS/", "Firefox", "CriOS/", "Chrome",
		"Chrome/", "Chrome", "Safari/", "Safari")
	system := find("iPhone", "iPhone", "iPad", "iPad", "Android", "Android", "Windows", "Windows", "Mac OS X", "macOS",
		"CrOS", "ChromeOS", "Linux", "Linux")
	switch {
	case browser != "" && system != "":
		return browser + " on " + system
	case browser != "":
		return browser
	}
	return agent
}
