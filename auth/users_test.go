package auth

// Users: their names and passwords, what each change ends, and what is stored of them.

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"larder/store"
)

func TestUserNames(t *testing.T) {
	for _, ok := range []string{
		"a", "0", "ann", "ci-bot", "a.b_c-d", "a--b", strings.Repeat("a", maxUserName), "token", "larder",
	} {
		if err := CheckUserName(ok); err != nil {
			t.Errorf("%q: %v", ok, err)
		}
	}
	for _, bad := range []string{
		"", ".", "-a", "a-", "_a", "a_", ".a", "a.", "Ann", "a b", "a:b", "a/b", "a@b", "a%b", "å", "a\x00", "anonymous",
		"__token__",
		"larder_a", strings.Repeat("a", maxUserName+1), "a\n", "~a", "a+b",
	} {
		if err := CheckUserName(bad); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestAddedUserIsListed(t *testing.T) {
	w := newWorld(t, Options{})
	w.must(w.AddUser(w.ctx, User{Name: "root", Password: "one", Admin: true}))
	w.must(w.AddUser(w.ctx, User{Name: "ann", Password: "two", Scopes: mustScopes(t, "npm:*:*:push", "npm:*:*:pull")}))
	if err := w.AddUser(w.ctx, User{Name: "ann", Password: "three"}); !errors.Is(err, store.ErrExists) {
		t.Errorf("twice: %v", err)
	}
	for _, u := range []User{
		{Name: "Bob", Password: "x"}, {Name: "bob"}, {Name: "bob", Password: "a\nb"}, {Name: "bob", Password: "larder_x"},
		{Name: "bob", Password: strings.Repeat("x", maxPassword+1)}, {Name: "bob", Password: "\xff"},
	} {
		if err := w.AddUser(w.ctx, u); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("%.40q with %.20q: %v", u.Name, u.Password, err)
		}
	}
	users, err := w.Users(w.ctx)
	w.must(err)
	if len(users) != 2 || users[0].Name != "ann" || users[1].Name != "root" || !users[1].Admin || users[0].Admin {
		t.Fatalf("%+v", users)
	}
	if ann := users[0]; ann.Scopes.String() != "npm:*:*:read,write" || ann.Password != "" ||
		!ann.Created.Equal(w.clock.Now()) {
		t.Errorf("%+v", ann)
	}
	one, err := w.User(w.ctx, "ann")
	if err != nil || one.Name != "ann" || !slices.Equal(one.Scopes, users[0].Scopes) {
		t.Errorf("%+v, %v", one, err)
	}
	for _, name := range []string{"bob", "", "\x00"} {
		if _, err := w.User(w.ctx, name); err == nil {
			t.Errorf("there is a user %q", name)
		}
	}
}

func TestChangesNeedAUser(t *testing.T) {
	w := newWorld(t, Options{})
	for name, err := range map[string]error{
		"password": w.SetPassword(w.ctx, "eve", "x"),
		"disable":  w.SetDisabled(w.ctx, "eve", true),
		"grants":   w.SetGrants(w.ctx, "eve", true, nil),
		"remove":   w.RemoveUser(w.ctx, "eve"),
		"revoke":   func() error { _, err := w.RevokeTokens(w.ctx, "eve"); return err }(),
		"token":    func() error { _, _, err := w.CreateToken(w.ctx, TokenSpec{User: "eve"}); return err }(),
		"no name":  func() error { _, _, err := w.CreateToken(w.ctx, TokenSpec{}); return err }(),
	} {
		if !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.user("ann")
	if err := w.SetPassword(w.ctx, "ann", ""); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("empty password: %v", err)
	}
	w.login("ann")
}

// TestWhatEndsWhat is the second table of the package comment.
func TestWhatEndsWhat(t *testing.T) {
	type state struct{ password, jwt, tokenJWT, token bool }
	for _, c := range []struct {
		name string
		do   func(*world, string) error
		want state
	}{
		{"nothing", func(*world, string) error { return nil }, state{true, true, true, true}},
		{"SetPassword", func(w *world, _ string) error {
			return w.SetPassword(w.ctx, "ann", "new")
		}, state{false, false, false, true}},
		{"SetGrants", func(w *world, _ string) error {
			return w.SetGrants(w.ctx, "ann", true, nil)
		}, state{true, false, false, true}},
		{"SetDisabled", func(w *world, _ string) error { return w.SetDisabled(w.ctx, "ann", true) }, state{}},
		{"SetDisabled, undone", func(w *world, _ string) error {
			return errors.Join(w.SetDisabled(w.ctx, "ann", true), w.SetDisabled(w.ctx, "ann", false))
		}, state{true, false, false, true}},
		{"RemoveUser", func(w *world, _ string) error { return w.RemoveUser(w.ctx, "ann") }, state{}},
		{"RemoveUser, added again", func(w *world, _ string) error {
			return errors.Join(w.RemoveUser(w.ctx, "ann"), w.AddUser(w.ctx, User{Name: "ann", Password: "pw of ann"}))
		}, state{password: true}},
		{"RevokeToken", func(w *world, id string) error { return w.RevokeToken(w.ctx, id) }, state{true, true, false, false}},
		{"RevokeTokens", func(w *world, _ string) error {
			_, err := w.RevokeTokens(w.ctx, "ann")
			return err
		}, state{true, true, false, false}},
		{"another user's changes", func(w *world, _ string) error {
			return w.RemoveUser(w.ctx, "bob")
		}, state{true, true, true, true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, Options{})
			w.user("ann")
			w.user("bob")
			_, jwt := w.jwt(w.login("ann"), time.Minute, "*:*:*:*")
			who, id, secret := w.token(TokenSpec{User: "ann"})
			_, tokenJWT := w.jwt(who, time.Minute, "*:*:*:*")
			w.must(c.do(w, id))
			good := func(c Credentials) bool {
				_, err := w.Authenticate(w.ctx, c)
				if err != nil && !errors.Is(err, ErrCredentials) {
					t.Errorf("%v", err)
				}
				return err == nil
			}
			got := state{
				password: good(Credentials{User: "ann", Password: "pw of ann"}),
				jwt:      good(Credentials{Token: jwt}),
				tokenJWT: good(Credentials{Token: tokenJWT}),
				token:    good(Credentials{Token: secret}),
			}
			if got != c.want {
				t.Errorf("after it %+v work, want %+v", got, c.want)
			}
		})
	}
}

func TestDisabledUserIsRefused(t *testing.T) {
	w := newWorld(t, Options{})
	w.user("ann")
	_, _, secret := w.token(TokenSpec{User: "ann"})
	w.must(w.SetDisabled(w.ctx, "ann", true))
	w.refused(Credentials{User: "ann", Password: "pw of ann"}, ErrDisabled, "disabled")
	w.refused(Credentials{Token: secret}, ErrDisabled, "disabled")
	// Only who knows the password learns of it.
	if _, err := w.Authenticate(w.ctx, Credentials{User: "ann", Password: "guess"}); errors.Is(err, ErrDisabled) {
		t.Error("a wrong password tells that the user is disabled")
	}
}

func TestGrantsCountAtOnce(t *testing.T) {
	w := newWorld(t, Options{Anonymous: "none"})
	w.user("ann", "npm:package:a:*")
	id, _, secret := w.token(TokenSpec{User: "ann"})
	w.check("before", id, npm("a", Write), nil)
	w.must(w.SetGrants(w.ctx, "ann", false, mustScopes(t, "npm:package:a:read")))
	id, err := w.Authenticate(w.ctx, Credentials{Token: secret})
	w.must(err)
	w.check("after", id, npm("a", Write), ErrDenied)
	if id := w.login("ann"); id.Can(npm("a", Write)) || id.Admin {
		t.Errorf("%+v", id)
	}
}

// TestEveryChangeIsInTheJournal: every change is an entry with its actor, and none holds a secret.
func TestEveryChangeIsInTheJournal(t *testing.T) {
	w := newWorld(t, Options{})
	w.ctx = store.WithActor(context.Background(), store.Actor{User: "root", Addr: "192.0.2.1"})
	w.user("ann")
	w.must(w.SetPassword(w.ctx, "ann", "pw of ann"))
	w.must(w.SetDisabled(w.ctx, "ann", true))
	w.must(w.SetDisabled(w.ctx, "ann", false))
	w.must(w.SetGrants(w.ctx, "ann", false, nil))
	_, id, secret := w.token(TokenSpec{User: "ann", Name: "laptop"})
	_, _, _ = w.token(TokenSpec{User: "ann"})
	w.must(w.RevokeToken(w.ctx, id))
	w.must(w.Flush(w.ctx))
	w.must(w.RemoveUser(w.ctx, "ann"))
	_ = w.RemoveUser(w.ctx, "ann")
	entries, err := w.store.Journal(w.ctx, 0, 100)
	w.must(err)
	want := []store.Op{
		store.OpUserAdd, store.OpUserPasswd, store.OpUserUpdate, store.OpUserUpdate, store.OpUserUpdate,
		store.OpTokenCreate, store.OpTokenCreate, store.OpTokenRevoke, store.OpTokenRevoke, store.OpUserRemove,
	}
	var got []store.Op
	for _, e := range entries {
		got = append(got, e.Op)
		if e.Actor.User != "root" || e.Actor.Addr != "192.0.2.1" || !strings.Contains(e.Note, "ann") || e.Kind != "" {
			t.Errorf("%+v", e)
		}
		if strings.Contains(e.Note, secret) || strings.Contains(e.Note, "pw of") {
			t.Errorf("a secret in %q", e.Note)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if note := entries[5].Note; note != "token "+id+" (laptop) of user ann" {
		t.Errorf("%q", note)
	}
}

// TestNothingReadableIsStored: neither tokens nor passwords are in the rows.
func TestNothingReadableIsStored(t *testing.T) {
	w := newWorld(t, Options{})
	w.user("ann")
	_, _, secret := w.token(TokenSpec{User: "ann"})
	rows := 0
	w.must(w.store.View(w.ctx, func(tx *store.Tx) error {
		for _, table := range []string{usersTable, tokensTable} {
			for k, v := range tx.Table(table).Scan(nil, nil) {
				rows++
				row := slices.Concat(k, v)
				for _, clear := range []string{secret, secret[len(tokenPrefix) : len(secret)-tokenSum], "pw of ann"} {
					if bytes.Contains(row, []byte(clear)) {
						t.Errorf("%s holds %q", table, clear)
					}
				}
			}
		}
		return nil
	}))
	if rows != 3 {
		t.Errorf("%d rows: user, generation and token are 3", rows)
	}
}

func TestDamagedRowsAreFaults(t *testing.T) {
	w := newWorld(t, Options{})
	w.user("ann")
	_, id, secret := w.token(TokenSpec{User: "ann"})
	w.must(w.store.Update(w.ctx, func(tx *store.Tx) error {
		key, _, err := tokenIn(tx, id)
		w.must(err)
		return errors.Join(
			tx.Table(usersTable).Put([]byte("ann"), []byte("\x02{}")), tx.Table(tokensTable).Put(key, []byte("\x01{")),
		)
	}))
	w.memory.forget()
	for name, fn := range map[string]func() error{
		"password": func() error {
			_, err := w.Authenticate(w.ctx, Credentials{User: "ann", Password: "pw of ann"})
			return err
		},
		"token":  func() error { _, err := w.Authenticate(w.ctx, Credentials{Token: secret}); return err },
		"users":  func() error { _, err := w.Users(w.ctx); return err },
		"tokens": func() error { _, err := w.Tokens(w.ctx, ""); return err },
		"revoke": func() error { return w.RevokeToken(w.ctx, id) },
		"passwd": func() error { return w.SetPassword(w.ctx, "ann", "x") },
	} {
		if err := fn(); err == nil || errors.Is(err, ErrCredentials) || errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBootstrapMakesTheFirstAdministrator(t *testing.T) {
	w := newWorld(t, Options{})
	generated, err := w.Bootstrap(w.ctx, "")
	w.must(err)
	if len(generated) != 22 || checkPassword(AdminName, generated) != nil {
		t.Errorf("password %q", generated)
	}
	id, err := w.Authenticate(w.ctx, Credentials{User: AdminName, Password: generated})
	if err != nil || !id.Admin || !id.Can(Access{Action: Admin}) {
		t.Errorf("%+v, %v", id, err)
	}
	again, err := w.Bootstrap(w.ctx, "other")
	if err != nil || again != "" {
		t.Errorf("second start: %q, %v", again, err)
	}
	w.refused(Credentials{User: AdminName, Password: "other"}, ErrCredentials, "")
	w.must(w.AddUser(w.ctx, User{Name: "root", Password: "another", Admin: true}))
	w.must(w.RemoveUser(w.ctx, AdminName))
	if again, err = w.Bootstrap(w.ctx, ""); err != nil || again != "" {
		t.Errorf("start after admin was removed: %q, %v", again, err)
	}
	if users, err := w.Users(w.ctx); err != nil || len(users) != 1 {
		t.Errorf("%+v, %v", users, err)
	}
}

func TestBootstrapTakesAGivenPassword(t *testing.T) {
	w := newWorld(t, Options{})
	if _, err := w.Bootstrap(w.ctx, "bad\x00password"); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("%v", err)
	}
	generated, err := w.Bootstrap(w.ctx, "from the environment")
	if err != nil || generated != "" {
		t.Errorf("%q, %v", generated, err)
	}
	if _, err := w.Authenticate(w.ctx, Credentials{User: AdminName, Password: "from the environment"}); err != nil {
		t.Error(err)
	}
}

// TestPasswordsOfAnyLength: every byte counts, beyond the 72 that bcrypt reads, too.
func TestPasswordsOfAnyLength(t *testing.T) {
	w := newWorld(t, Options{})
	long := strings.Repeat("x", 100)
	for name, password := range map[string]string{
		"long": long + "1", "longest": strings.Repeat("y", maxPassword), "short": "a", "utf8": "pässwörd ☃",
	} {
		w.must(w.AddUser(w.ctx, User{Name: name, Password: password}))
		if _, err := w.Authenticate(w.ctx, Credentials{User: name, Password: password}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.refused(Credentials{User: "long", Password: long + "2"}, ErrCredentials, "")
	w.refused(Credentials{User: "long", Password: long}, ErrCredentials, "")
	if len(condense(long)) > 72 || bytes.ContainsRune(condense(long), 0) {
		t.Error("bcrypt would cut the condensed password")
	}
	if bcrypt.CompareHashAndPassword(nobody(bcrypt.MinCost), condense("a")) != bcrypt.ErrMismatchedHashAndPassword {
		t.Error("the hash of nobody is not compared in full")
	}
}
