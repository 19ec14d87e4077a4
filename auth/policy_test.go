package auth

// Every row of the decision table, for every kind of user.

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"larder/internal/problem"
	"larder/store"
)

// npmRead and friends keep the tables short.
func npm(name string, a Action) Access {
	return Access{Kind: store.NPM, Type: "package", Name: name, Action: a}
}

func oci(name string, a Action) Access {
	return Access{Kind: store.OCI, Type: "repository", Name: name, Action: a}
}

// flagPrivate sets the flag of a package's record, making the package if there is none.
func (w *world) flagPrivate(name string, private bool) {
	w.t.Helper()
	repo := store.NewRepo[struct{}](w.store, store.NPM)
	w.must(repo.Update(w.ctx, name, func(tx *store.PackageTx[struct{}]) error {
		return tx.SetPackage(func(p *store.Package) { p.Private = private })
	}))
}

func (w *world) check(who string, id Identity, a Access, want error) {
	w.t.Helper()
	err := w.Authorize(w.ctx, id, a)
	if !errors.Is(err, want) || (want == nil) != (err == nil) {
		w.t.Errorf("%s, %s %s %q: %v, want %v", who, a.Action, a.Kind, a.Name, err, want)
	}
	if want == ErrDenied && errors.Is(err, ErrScope) {
		w.t.Errorf("%s, %s %s %q: %v, want plain ErrDenied", who, a.Action, a.Kind, a.Name, err)
	}
}

// identities are one of each sort, for both policies.
func identities(w *world) map[string]Identity {
	w.t.Helper()
	w.must(w.AddUser(w.ctx, User{Name: "root", Password: "pw of root", Admin: true}))
	w.user("ann")
	w.user("team", "npm:package:@team/*:read,write")
	w.user("drop", "npm:package:@team/*:write")
	out := map[string]Identity{"anonymous": Anonymous(), "nobody": {}}
	for _, name := range []string{"root", "ann", "team", "drop"} {
		out[name] = w.login(name)
	}
	out["read-only"], _, _ = w.token(TokenSpec{User: "root", ReadOnly: true})
	out["team token"], _, _ = w.token(TokenSpec{User: "ann", Scopes: mustScopes(w.t, "npm:package:@team/*:read,create")})
	out["jwt"], _ = w.jwt(out["ann"], time.Minute, "npm:package:@team/x:read")
	out["jwt of team token"], _ = w.jwt(out["team token"], time.Minute, "npm:package:@team/x:read")
	out["anonymous jwt"], _ = w.jwt(Anonymous(), time.Minute, "npm:package:open:read", "npm:package:secret:read,write")
	return out
}

func TestEveryRowOfTheDecisionTable(t *testing.T) {
	w := newWorld(t, Options{Private: []string{"npm:package:secret*"}})
	w.flagPrivate("flagged", true)
	w.flagPrivate("@team/flagged", true)
	who := identities(w)
	type row map[string]error // by identity; absent: nil
	everyone := func(want error, except row) row {
		out := row{}
		for name := range who {
			out[name] = want
		}
		for name, err := range except {
			out[name] = err
		}
		return out
	}
	for _, c := range []struct {
		a    Access
		want row
	}{
		{npm("open", Read), everyone(nil, row{"nobody": ErrHidden})},
		{npm("", Read), everyone(nil, row{"nobody": ErrDenied})},
		{oci("open", Read), everyone(nil, row{"nobody": ErrHidden})},
		{npm("secret", Read), everyone(ErrHidden, row{"root": nil, "ann": nil, "read-only": nil, "jwt": ErrScope})},
		{npm("flagged", Read), everyone(ErrHidden, row{"root": nil, "ann": nil, "read-only": nil, "jwt": ErrScope})},
		{npm("@team/flagged", Read), everyone(ErrHidden, row{
			"root": nil, "ann": nil, "read-only": nil, "team": nil, "team token": nil, "jwt": ErrScope,
			"jwt of team token": ErrScope,
		})},
		{npm("open", Write), everyone(ErrDenied, row{
			"root": nil, "ann": nil, "jwt": ErrScope, "anonymous": ErrNoCredentials, "anonymous jwt": ErrNoCredentials,
			"nobody": ErrHidden,
		})},
		{npm("@team/x", Write), everyone(ErrDenied, row{
			"root": nil, "ann": nil, "team": nil, "drop": nil, "jwt": ErrScope, "anonymous": ErrNoCredentials,
			"anonymous jwt": ErrNoCredentials, "nobody": ErrHidden,
		})},
		{npm("@team/x", Create), everyone(ErrDenied, row{
			"root": nil, "ann": nil, "team": nil, "drop": nil, "jwt": ErrScope, "team token": nil,
			"jwt of team token": ErrScope, "anonymous": ErrNoCredentials, "anonymous jwt": ErrNoCredentials,
			"nobody": ErrHidden,
		})},
		// Who may not read a name learns nothing from trying to change it.
		{npm("secret", Write), everyone(ErrHidden, row{
			"root": nil, "ann": nil, "jwt": ErrScope, "read-only": ErrDenied, "anonymous": ErrNoCredentials,
			"anonymous jwt": ErrNoCredentials,
		})},
		// As for a name without a package: the flag must not show in how a change is refused.
		{npm("@team/flagged", Delete), everyone(ErrHidden, row{
			"root": nil, "ann": nil, "team": ErrDenied, "drop": ErrDenied, "team token": ErrDenied, "read-only": ErrDenied,
			"jwt": ErrScope, "jwt of team token": ErrDenied, "anonymous": ErrNoCredentials,
			"anonymous jwt": ErrNoCredentials,
		})},
		{npm("open", Admin), everyone(ErrDenied, row{
			"root": nil, "anonymous": ErrNoCredentials, "anonymous jwt": ErrNoCredentials, "nobody": ErrHidden,
		})},
		{Access{Action: Admin}, everyone(ErrDenied, row{
			"root": nil, "anonymous": ErrNoCredentials, "anonymous jwt": ErrNoCredentials,
		})},
		{Access{Action: Read}, everyone(ErrDenied, row{
			"root": nil, "read-only": nil, "anonymous": ErrNoCredentials, "anonymous jwt": ErrNoCredentials,
		})},
		{npm("", Write), everyone(ErrDenied, row{
			"root": nil, "ann": nil, "jwt": ErrScope, "anonymous": ErrNoCredentials, "anonymous jwt": ErrNoCredentials,
		})},
	} {
		for name, id := range who {
			w.check(name, id, c.a, c.want[name])
		}
	}
}

func TestPolicyNoneAsksForCredentials(t *testing.T) {
	w := newWorld(t, Options{Anonymous: "none", Private: []string{"npm:package:secret*"}})
	w.flagPrivate("flagged", true)
	who := identities(w)
	for _, name := range []string{"open", "secret", "flagged", "absent", ""} {
		for _, a := range []Action{Read, Create, Write, Delete, Admin} {
			w.check("anonymous", who["anonymous"], npm(name, a), ErrNoCredentials)
			w.check("anonymous jwt", who["anonymous jwt"], npm(name, a), ErrNoCredentials)
		}
	}
	w.check("ann", who["ann"], npm("open", Read), nil)
	w.check("team", who["team"], npm("open", Read), ErrHidden)
	w.check("team", who["team"], npm("open", Write), ErrHidden)
	w.check("team", who["team"], npm("@team/x", Delete), ErrDenied)
	w.check("team", who["team"], npm("", Read), nil)
	w.check("team", who["team"], oci("", Read), ErrDenied)
	w.check("drop", who["drop"], npm("@team/x", Read), ErrHidden)
	w.check("drop", who["drop"], npm("@team/x", Write), nil)
	w.check("jwt", who["jwt"], npm("open", Read), ErrScope)
	w.check("jwt", who["jwt"], npm("@team/x", Read), nil)
	w.check("jwt of team token", who["jwt of team token"], npm("open", Read), ErrHidden)
	w.check("jwt of team token", who["jwt of team token"], npm("@team/y", Read), ErrScope)
	w.check("jwt of team token", who["jwt of team token"], npm("@team/x", Write), ErrDenied)
}

// TestHiddenSaysNothing: the error for a private name that exists is the error for any other.
func TestHiddenSaysNothing(t *testing.T) {
	w := newWorld(t, Options{Private: []string{"npm:package:secret/*"}})
	w.user("team", "npm:package:@team/*:read,write")
	w.flagPrivate("secret/there", true)
	for _, id := range []Identity{Anonymous(), w.login("team")} {
		for _, a := range []Action{Read, Write, Delete, Admin} {
			there := w.Authorize(w.ctx, id, npm("secret/there", a))
			absent := w.Authorize(w.ctx, id, npm("secret/absent", a))
			if there == nil || absent == nil || there.Error() != absent.Error() {
				t.Errorf("%s: %v for a name that exists, %v for one that does not", a, there, absent)
			}
		}
	}
	if err := w.Authorize(w.ctx, Anonymous(), npm("secret/there", Read)); err != ErrHidden {
		t.Errorf("%#v holds more than the sentinel", err)
	}
}

// TestPrivateFlagFollows: the flag counts from the commit that changes it.
func TestPrivateFlagFollows(t *testing.T) {
	w := newWorld(t, Options{})
	for round := range 3 {
		w.check("anonymous", Anonymous(), npm("p", Read), nil)
		w.flagPrivate("p", true)
		w.check(fmt.Sprintf("anonymous in round %d", round), Anonymous(), npm("p", Read), ErrHidden)
		w.flagPrivate("p", false)
	}
	w.check("anonymous", Anonymous(), npm("not a \x00 name", Read), nil)
	w.check("anonymous", Anonymous(), Access{Kind: "gopher", Type: "package", Name: "x", Action: Read}, nil)
}

// TestPrivateKindAsksForCredentials: a kind closed by pattern asks for credentials instead of pretending not to exist.
func TestPrivateKindAsksForCredentials(t *testing.T) {
	w := newWorld(t, Options{Private: []string{"npm:*:*"}})
	w.user("team", "npm:package:@team/*:read")
	w.user("rust", "cargo:*:*:*")
	w.check("anonymous", Anonymous(), npm("", Read), ErrNoCredentials)
	w.check("anonymous", Anonymous(), npm("x", Read), ErrHidden)
	w.check("anonymous", Anonymous(), oci("", Read), nil)
	w.check("team", w.login("team"), npm("", Read), nil)
	w.check("rust", w.login("rust"), npm("", Read), ErrDenied)
}

// TestDeniedSaysWhatCanBeDone: the reason is the one the user can do something about.
func TestDeniedSaysWhatCanBeDone(t *testing.T) {
	w := newWorld(t, Options{})
	w.user("ann")
	w.user("team", "npm:package:@team/*:read,write")
	readOnly, _, _ := w.token(TokenSpec{User: "ann", ReadOnly: true})
	scoped, _, _ := w.token(TokenSpec{User: "ann", Scopes: mustScopes(t, "npm:package:a:*")})
	for _, c := range []struct {
		id   Identity
		want string
	}{
		{w.login("team"), "User team may not write npm b."},
		{readOnly, "The token is read-only."},
		{scoped, "The token's scopes do not allow to write npm b."},
		{Anonymous(), "This needs a login or a token."},
	} {
		var refusal *problem.Refusal
		if err := w.Authorize(w.ctx, c.id, npm("b", Write)); !errors.As(err, &refusal) || refusal.Public() != c.want {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}

func TestMemoryOfFlagsIsBounded(t *testing.T) {
	w := newWorld(t, Options{})
	for i := range maxFlags + 10 {
		w.check("anonymous", Anonymous(), npm(fmt.Sprintf("p%d", i), Read), nil)
	}
	if n := len(w.privacy.flags); n > maxFlags {
		t.Errorf("%d flags", n)
	}
}

// TestPrivatePackageIsItsOwners: a private package with owners is theirs, whoever else may do everything by default.
func TestPrivatePackageIsItsOwners(t *testing.T) {
	w := newWorld(t, Options{})
	who := identities(w)
	w.user("owner")
	who["owner"] = w.login("owner")
	for _, name := range []string{"@team/owned", "owned"} {
		w.flagPrivate(name, true)
		repo := store.NewRepo[struct{}](w.store, store.NPM)
		w.must(repo.Update(w.ctx, name, func(tx *store.PackageTx[struct{}]) error {
			return tx.SetPackage(func(p *store.Package) { p.Owners = []string{"owner"} })
		}))
	}
	for _, c := range []struct {
		who, name string
		action    Action
		want      error
	}{
		{"owner", "owned", Read, nil}, {"owner", "owned", Write, nil}, {"root", "owned", Delete, nil},
		{"ann", "owned", Read, ErrHidden}, {"ann", "owned", Write, ErrHidden}, {"ann", "owned", Delete, ErrHidden},
		{"team token", "@team/owned", Read, ErrHidden}, {"team token", "@team/owned", Create, ErrHidden},
		{"team", "@team/owned", Read, nil}, {"team", "@team/owned", Write, nil}, {"anonymous", "owned", Read, ErrHidden},
	} {
		w.check(c.who, who[c.who], npm(c.name, c.action), c.want)
	}
	w.flagPrivate("owned", false)
	w.check("ann", who["ann"], npm("owned", Write), nil)
}

// TestReadsAllAgreesWithAuthorize agrees with Authorize wherever it says yes, and says yes where it matters.
func TestReadsAllAgreesWithAuthorize(t *testing.T) {
	for _, o := range []Options{
		{}, {Anonymous: "none"}, {Private: []string{"npm:package:secret*"}}, {Private: []string{"*:*:secret*"}},
		{Private: []string{"oci:*:secret*"}},
	} {
		w := newWorld(t, o)
		for who, id := range identities(w) {
			if !w.ReadsAll(id, store.NPM, "package") {
				continue
			}
			for _, name := range []string{"a", "secret-x", "@team/x", "*"} {
				w.check(who, id, npm(name, Read), nil)
			}
		}
		open := o.Anonymous == "" && (len(o.Private) == 0 || o.Private[0] == "oci:*:secret*")
		for who, want := range map[string]bool{
			"anonymous": open, "team": open, "nobody": false, "root": true, "ann": true, "read-only": true,
		} {
			if got := w.ReadsAll(identity(w, who), store.NPM, "package"); got != want {
				t.Errorf("%+v: %s reads all: %t", o, who, got)
			}
		}
	}
}

// identity is one of identities, of a world that has them.
func identity(w *world, who string) Identity {
	switch who {
	case "anonymous":
		return Anonymous()
	case "nobody":
		return Identity{}
	case "read-only":
		id, _, _ := w.token(TokenSpec{User: "root", ReadOnly: true})
		return id
	}
	return w.login(who)
}

// TestScopedUsersAreThoseSomebodyDecidedAbout: users about whom somebody decided.
func TestScopedUsersAreThoseSomebodyDecidedAbout(t *testing.T) {
	w := newWorld(t, Options{})
	for who, id := range identities(w) {
		want := map[string]bool{"root": true, "team": true, "drop": true, "read-only": true}[who]
		if who != "nobody" && id.User != "" && id.Scoped() != want {
			t.Errorf("%s: %t", who, id.Scoped())
		}
	}
}
