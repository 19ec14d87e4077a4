package auth

// What a caller may do with tokens of their own: see, end and make them.

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"larder/store"
)

// derive makes a token by somebody and returns its identity, id and secret.
func (w *world) derive(by Identity, spec TokenSpec) (Identity, string, string) {
	w.t.Helper()
	id, secret, err := w.DeriveToken(w.ctx, by, spec)
	w.must(err)
	who, err := w.Authenticate(w.ctx, Credentials{Token: secret})
	w.must(err)
	return who, id, secret
}

// TestTokenIsNoPassword: whatever is put where the password is asked for, only the password is one.
func TestTokenIsNoPassword(t *testing.T) {
	w := newWorld(t, Options{})
	w.user("ann")
	full, _, secret := w.token(TokenSpec{User: "ann"})
	_, scoped, err := w.CreateToken(w.ctx, TokenSpec{User: "ann", Scopes: mustScopes(t, "oci:repository:ci/*:push")})
	w.must(err)
	_, jwt := w.jwt(full, time.Minute, "*:*:*:*")
	for _, c := range [][2]string{
		{"ann", secret}, {"ann", scoped}, {"ann", jwt}, {secret, "x"}, {scoped, "pw of ann"}, {secret, secret},
		{"", secret}, {"ann", newSecret()}, {"ann", "larder_"},
		{"__token__", secret}, {secret, ""}, {"ann", " " + secret}, {"ann", secret + "\n"},
		{"ann", "Bearer " + secret},
	} {
		id, err := w.VerifyPassword(w.ctx, c[0], c[1], netip.Addr{})
		if !errors.Is(err, ErrCredentials) || id.User != "" {
			t.Errorf("VerifyPassword(%q, %q): %+v, %v; want ErrCredentials", c[0], c[1], id, err)
		}
	}
	if _, err := w.VerifyPassword(w.ctx, "ann", secret, netip.Addr{}); !errors.Is(err, ErrNoPassword) {
		t.Errorf("a token: %v, want ErrNoPassword", err)
	}
	id, err := w.VerifyPassword(w.ctx, "ann", "pw of ann", netip.Addr{})
	if err != nil || id.User != "ann" || !id.ByPassword() || full.ByPassword() {
		t.Errorf("the password: %+v, %v", id, err)
	}
	// What can be taken for a token is not set as a password either.
	for _, p := range []string{secret, jwt} {
		if err := w.SetPassword(w.ctx, "ann", p); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("SetPassword(%.12q…): %v, want ErrInvalid", p, err)
		}
	}
}

// TestChildrenEndWithTheParent: the whole line of a token, with every JWT bought with one of it, and nothing else.
func TestChildrenEndWithTheParent(t *testing.T) {
	w := newWorld(t, Options{})
	w.user("ann")
	w.must(w.AddUser(w.ctx, User{Name: "root", Password: "x", Admin: true}))
	parent, parentID, _ := w.token(TokenSpec{User: "ann"})
	child, _, first := w.derive(parent, TokenSpec{Name: "child"})
	_, _, second := w.derive(child, TokenSpec{Name: "grandchild"})
	_, jwt := w.jwt(child, time.Minute, "*:*:*:*")
	ofJWT, _ := w.jwt(parent, time.Minute, "*:*:*:*")
	_, _, third := w.derive(ofJWT, TokenSpec{Name: "child of a JWT"})
	_, _, other := w.derive(w.login("ann"), TokenSpec{Name: "by password"})
	line := []string{first, second, third, jwt}
	for _, text := range append(line, other) {
		if _, err := w.Authenticate(w.ctx, Credentials{Token: text}); err != nil {
			t.Fatal(err)
		}
	}
	w.must(w.RevokeToken(w.ctx, parentID))
	for _, text := range line {
		w.refused(Credentials{Token: text}, ErrCredentials, "revoked")
	}
	if _, err := w.Authenticate(w.ctx, Credentials{Token: other}); err != nil {
		t.Errorf("a token made with the password: %v", err)
	}
	if left, err := w.Tokens(w.ctx, ""); err != nil || len(left) != 1 {
		t.Errorf("%+v, %v: want one token left", left, err)
	}
	// An administrator's token has children of other users; they end with it, and with its user.
	admin, adminID, adminSecret := w.token(TokenSpec{User: "root", Expires: w.clock.Now().Add(time.Hour)})
	ends := []func() error{
		func() error { return w.RevokeToken(w.ctx, adminID) },
		func() error { _, err := w.RevokeTokens(w.ctx, "root"); return err },
	}
	for _, end := range ends {
		id, secret, err := w.CreateTokenBy(w.ctx, admin, TokenSpec{User: "ann"})
		w.must(err)
		list, err := w.Tokens(w.ctx, "ann")
		w.must(err)
		i := slices.IndexFunc(list, func(x Token) bool { return x.ID == id })
		w.must(w.AddUser(w.ctx, User{Name: "second", Password: "x", Admin: true}))
		w.must(w.SetDisabled(w.ctx, "root", true))
		w.refused(Credentials{Token: secret}, ErrDisabled, "disabled")
		w.must(w.SetDisabled(w.ctx, "root", false))
		w.must(w.RemoveUser(w.ctx, "second"))
		if admin, err = w.Authenticate(w.ctx, Credentials{Token: adminSecret}); err != nil {
			t.Fatal(err)
		}
		if list[i].Parent != admin.TokenID || !list[i].Expires.Equal(admin.Expires) {
			t.Errorf("%+v: want a child of %s that ends with it", list[i], admin.TokenID)
		}
		w.must(end())
		w.refused(Credentials{Token: secret}, ErrCredentials, "revoked")
		admin, adminID, adminSecret = w.token(TokenSpec{User: "root", Expires: w.clock.Now().Add(time.Hour)})
	}
	byPassword, err := w.VerifyPassword(w.ctx, "root", "x", netip.Addr{})
	w.must(err)
	id, _, err := w.CreateTokenBy(w.ctx, byPassword, TokenSpec{User: "ann"})
	w.must(err)
	list, err := w.Tokens(w.ctx, "ann")
	w.must(err)
	if list[slices.IndexFunc(list, func(x Token) bool { return x.ID == id })].Parent != "" {
		t.Errorf("%+v, %v: made with the password, and has a parent", list, err)
	}
}

// TestWhoSeesAndEndsWhich: of the tokens of one user.
func TestWhoSeesAndEndsWhich(t *testing.T) {
	w := newWorld(t, Options{})
	w.user("ann")
	w.user("bob")
	made := map[string]string{}
	who := map[string]Identity{"password": w.login("ann"), "bob": w.login("bob")}
	add := func(name string, spec TokenSpec) {
		spec.User, spec.Name = "ann", name
		who[name], made[name], _ = w.token(spec)
	}
	add("full", TokenSpec{})
	add("reads", TokenSpec{ReadOnly: true})
	add("npm", TokenSpec{Scopes: mustScopes(t, "npm:*:*:*")})
	add("one package", TokenSpec{Scopes: mustScopes(t, "npm:package:x:*")})
	add("oci", TokenSpec{Scopes: mustScopes(t, "oci:*:*:*")})
	add("login", TokenSpec{Scopes: mustScopes(t, "npm:*:*:*"), Login: true})
	who["child"], made["child"], _ = w.derive(who["oci"], TokenSpec{Name: "child"})
	who["JWT"], _ = w.jwt(who["full"], time.Minute, "*:*:*:*")
	who["JWT of the password"], _ = w.jwt(who["password"], time.Minute, "*:*:*:*")
	all := []string{"child", "full", "login", "npm", "oci", "one package", "reads"}
	for name, want := range map[string]struct{ sees, ends []string }{
		"password": {all, all}, "full": {all, all}, "bob": {},
		"reads": {[]string{"reads"}, []string{"reads"}}, "npm": {[]string{"npm"}, []string{"npm"}},
		"one package": {[]string{"one package"}, []string{"one package"}},
		"oci":         {[]string{"child", "oci"}, []string{"child", "oci"}},
		"child":       {[]string{"child"}, []string{"child"}},
		"login":       {[]string{"login", "npm", "one package"}, []string{"login", "npm", "one package"}},
		"JWT":         {sees: []string{"full"}}, "JWT of the password": {},
	} {
		var sees, ends []string
		own, err := w.OwnTokens(w.ctx, who[name])
		w.must(err)
		for _, tok := range own {
			sees = append(sees, tok.Name)
		}
		for other, id := range made {
			// Asking leaves the token as it is: the store is read-only meanwhile.
			w.store.SetReadOnly("for the test")
			err := w.RevokeOwn(w.ctx, who[name], id)
			w.store.SetReadOnly("")
			switch {
			case errors.Is(err, store.ErrReadOnly):
				ends = append(ends, other)
			case !errors.Is(err, store.ErrNotFound) && !errors.Is(err, ErrDenied):
				t.Errorf("%s ends %s: %v", name, other, err)
			}
		}
		slices.Sort(sees)
		slices.Sort(ends)
		if !slices.Equal(sees, want.sees) || !slices.Equal(ends, want.ends) {
			t.Errorf("%s sees %q and ends %q, want %q and %q", name, sees, ends, want.sees, want.ends)
		}
	}
	if _, err := w.OwnTokens(w.ctx, Anonymous()); !errors.Is(err, ErrDenied) {
		t.Errorf("anonymous: %v", err)
	}
	w.must(w.RevokeOwn(w.ctx, who["one package"], made["one package"]))
}

// TestLoginsTokenBreedsWithoutBecomingAParent: what is made with a client's login and the password outlives the logout,
// and reaches no further.
func TestLoginsTokenBreedsWithoutBecomingAParent(t *testing.T) {
	w := newWorld(t, Options{})
	w.user("ann")
	login, loginID, _ := w.derive(w.login("ann"), TokenSpec{Scopes: mustScopes(t, "npm:*:*:*"), Login: true})
	_, robotID, robot := w.derive(login, TokenSpec{Name: "robot"})
	w.must(w.RevokeOwn(w.ctx, login, loginID))
	id, err := w.Authenticate(w.ctx, Credentials{Token: robot})
	image := Access{Kind: store.OCI, Type: "repository", Name: "x", Action: Read}
	if err != nil || !id.Can(npm("x", Write)) || id.Can(image) {
		t.Errorf("after the logout: %+v, %v", id, err)
	}
	if robotID == loginID {
		t.Error("one id for two tokens")
	}
}

func TestNoTokensForDisabledUsers(t *testing.T) {
	w := newWorld(t, Options{})
	w.user("ann")
	before := w.login("ann")
	w.must(w.SetDisabled(w.ctx, "ann", true))
	_, _, err := w.CreateToken(w.ctx, TokenSpec{User: "ann"})
	if !errors.Is(err, store.ErrInvalid) || !strings.Contains(err.Error(), "disabled") {
		t.Errorf("by an administrator: %v", err)
	}
	if _, _, err := w.DeriveToken(w.ctx, before, TokenSpec{}); err == nil {
		t.Error("by a login from before")
	}
}
