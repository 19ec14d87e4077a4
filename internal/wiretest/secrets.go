package wiretest

// That no credential gets more out of an operation than it had.

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"larder/auth"
)

// password is that of all users of a rig.
const password = "secret"

// secret is something that somebody could put where a password is asked for.
type secret struct {
	name, text string
	token      string // id of the token it is, or was bought with
	void       bool   // it ended, or never was any
}

// place is where a secret is put in a request. What the request asks a password for is answered with the secret as
// well.
type place struct {
	name string
	put  Option
}

// secrets are those of ada: of each sort one.
func secrets(g *Rig, scope string) []secret {
	g.T.Helper()
	ctx := context.Background()
	var out []secret
	add := func(name string, spec auth.TokenSpec) string {
		spec.User, spec.Name = "ada", name
		id, text, err := g.Auth.CreateToken(ctx, spec)
		if err != nil {
			g.T.Fatal(err)
		}
		out = append(out, secret{name: name, text: text, token: id})
		return text
	}
	other := "oci:repository:*:*"
	if strings.HasPrefix(scope, "oci:") {
		other = "npm:package:*:*"
	}
	full := add("full", auth.TokenSpec{})
	add("scoped", auth.TokenSpec{Scopes: g.scopes([]string{scope + ":zzz-other:*"})})
	add("whole kind", auth.TokenSpec{Scopes: g.scopes([]string{scope + ":*:*"})})
	add("other kind", auth.TokenSpec{Scopes: g.scopes([]string{other})})
	add("read-only", auth.TokenSpec{ReadOnly: true})
	add("login", auth.TokenSpec{Scopes: g.scopes([]string{scope + ":*:*"}), Login: true})
	add("elsewhere", auth.TokenSpec{CIDRs: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}})
	add("revoked", auth.TokenSpec{})
	if err := g.Auth.RevokeToken(ctx, out[len(out)-1].token); err != nil {
		g.T.Fatal(err)
	}
	out[len(out)-1].void, out[len(out)-2].void = true, true
	id, err := g.Auth.Authenticate(ctx, auth.Credentials{Token: full})
	if err != nil {
		g.T.Fatal(err)
	}
	for name, by := range map[string]auth.Identity{"JWT of a token": id, "JWT of the password": verified(g)} {
		text, _, err := g.Auth.IssueJWT(ctx, by, g.scopes([]string{scope + ":*:*"}), time.Hour)
		if err != nil {
			g.T.Fatal(err)
		}
		out = append(out, secret{name: name, text: text, token: by.TokenID})
	}
	return append(out, []secret{
		{name: "mistyped", text: full[:len(full)-1], void: true}, {name: "wrong password", text: "guess", void: true},
		{name: "no password", void: true},
	}...)
}

// verified is ada by her password.
func verified(g *Rig) auth.Identity {
	g.T.Helper()
	id, err := g.Auth.VerifyPassword(context.Background(), "ada", password, netip.Addr{})
	if err != nil {
		g.T.Errorf("the password of ada has changed: %v", err)
	}
	return id
}

func places(s string) []place {
	header := func(value string) Option { return Header("Authorization", value) }
	basic := func(user, password string) Option {
		return header("Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password)))
	}
	return []place{
		{"Bearer", header("Bearer " + s)}, {"bare", header(s)}, {"Basic password", basic("ada", s)},
		{"Basic user", basic(s, "x")}, {"body alone", func(*http.Request) {}},
	}
}

// instead puts s into a body where the right password stands, in a form or in JSON.
func instead(body any, s string) any {
	switch b := body.(type) {
	case nil:
		return nil
	case string:
		return strings.ReplaceAll(b, "="+password, "="+s)
	case []byte:
		return b
	case Fields:
		quoted, err := json.Marshal(s)
		if err != nil {
			panic(err)
		}
		return strings.ReplaceAll(JSON(b), `"`+password+`"`, string(quoted))
	}
	return body
}

// Secrets sends every operation with every sort of credential in every place, and the same credential where the request
// has a password. Whatever is answered: the password stays, no token is made, none ends but the credential itself and
// one that is in the path, no answer names a token that the credential does not see, and a token in an answer is the
// credential's own or was bought with it.
func (m Matrix[R]) Secrets(g *Rig) {
	g.T.Helper()
	all := secrets(g, m.Scope)
	for _, s := range all {
		if auth.IsToken(s.text) {
			g.Keys["secrets: "+s.name] = s.text
		}
	}
	victim, _, err := g.Auth.CreateToken(context.Background(), auth.TokenSpec{User: "ada", Name: "victim"})
	if err != nil {
		g.T.Fatal(err)
	}
	for i, op := range m.operations() {
		name := m.Name(false, 10_000+i)
		m.Prepare(g, name)
		c, ok := m.Cases(g, name, "ada")[op.Op]
		if !ok {
			continue // Run has said so
		}
		for _, s := range all {
			for _, p := range places(s.text) {
				attempt{g, op.Op, c, s, p, victim}.check()
			}
		}
		verified(g)
	}
}

// attempt is one credential in one place of one request.
type attempt struct {
	g      *Rig
	op     string
	c      Case
	s      secret
	p      place
	victim string // id of a token of ada that the password and a token without limits see
}

func (a attempt) String() string { return fmt.Sprintf("%s with %s as %s", a.op, a.s.name, a.p.name) }

func (a attempt) check() {
	g := a.g
	g.T.Helper()
	path, oversees := a.c.Path, a.s.name == "full" && a.p.name != "body alone"
	if !oversees {
		path = strings.ReplaceAll(path, "tokens/token/x", "tokens/token/"+a.victim)
	}
	before, seq := tokens(g), g.Journal()
	opts := append(a.c.Opts[:len(a.c.Opts):len(a.c.Opts)], a.p.put)
	answer := g.Do(a.c.Method, path, instead(a.c.Body, a.s.text), opts...)
	if g.Journal() != seq {
		a.compare(before, tokens(g), path)
	}
	if strings.Contains(answer.Body, a.victim) && !oversees && !strings.Contains(path, a.victim) {
		g.T.Errorf("%v: the answer names another token: %v", a, answer)
	}
	var given struct{ Token string }
	if json.Unmarshal([]byte(answer.Body), &given) != nil || given.Token == "" {
		return
	}
	id, err := g.Auth.Authenticate(context.Background(), auth.Credentials{Token: given.Token})
	if err == nil && id.User != "" && (a.s.void || id.TokenID != a.s.token) {
		g.T.Errorf("%v: a token of %s that was not bought with it", a, id.User)
	}
}

// compare finds tokens that came or went.
func (a attempt) compare(before, after map[string]string, path string) {
	a.g.T.Helper()
	for id, name := range after {
		if _, was := before[id]; !was {
			a.g.T.Errorf("%v: there is a new token %s (%s)", a, id, name)
		}
	}
	inPath, _ := auth.TokenID(path[strings.LastIndexByte(path, '/')+1:])
	for id, name := range before {
		if _, is := after[id]; !is && id != a.s.token && id != inPath {
			a.g.T.Errorf("%v: token %s (%s) has ended", a, id, name)
		}
	}
}

// tokens are the names of all tokens by id.
func tokens(g *Rig) map[string]string {
	g.T.Helper()
	all, err := g.Auth.Tokens(context.Background(), "")
	if err != nil {
		g.T.Fatal(err)
	}
	out := map[string]string{}
	for _, t := range all {
		out[t.ID] = t.Name
	}
	return out
}
