package auth

// Sessions: what begins, ends and outlives them.

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"larder/store"
)

// open begins a session of a user who logs in with the password.
func (w *world) open(name string) (Session, string) {
	w.t.Helper()
	s, secret, err := w.OpenSession(w.ctx, w.login(name))
	w.must(err)
	return s, secret
}

// ended checks that the cookie is refused.
func (w *world) ended(secret, why string) {
	w.t.Helper()
	if _, id, err := w.Session(w.ctx, secret); !errors.Is(err, ErrCredentials) || id.User != "" {
		w.t.Errorf("%s: the session is %+v, %v; want %v", why, id, err, ErrCredentials)
	}
}

// alive checks that the cookie is its user's.
func (w *world) alive(secret, user string) Identity {
	w.t.Helper()
	_, id, err := w.Session(w.ctx, secret)
	if err != nil || id.User != user {
		w.t.Errorf("the session is %+v, %v; want one of %s", id, err, user)
	}
	return id
}

func TestSessionMayWhatItsUserMay(t *testing.T) {
	w := newWorld(t, Options{})
	w.user("ann", "npm:package:@a/*:read,create")
	s, secret := w.open("ann")
	id := w.alive(secret, "ann")
	for a, want := range map[Access]bool{
		{Kind: store.NPM, Type: "package", Name: "@a/x", Action: Create}: true,
		{Kind: store.NPM, Type: "package", Name: "@b/x", Action: Create}: false,
	} {
		if got := w.Authorize(w.ctx, id, a) == nil; got != want {
			t.Errorf("%+v: %t", a, got)
		}
	}
	if id.ByPassword() {
		t.Error("a session counts as the password")
	}
	if _, ok := TokenID(secret); ok || strings.Contains(secret, s.ID) {
		t.Error("the cookie looks like a token, or shows its id")
	}
	if FormToken(secret) == FormToken(secret+"x") || strings.Contains(secret, FormToken(secret)) {
		t.Error("the form's token does not depend on the cookie, or shows it")
	}
}

func TestSessionBeginsWithThePasswordOnly(t *testing.T) {
	w := newWorld(t, Options{})
	w.user("ann")
	byToken, _, _ := w.token(TokenSpec{User: "ann"})
	byJWT, _ := w.jwt(w.login("ann"), time.Minute)
	_, cookie := w.open("ann")
	for name, id := range map[string]Identity{
		"token": byToken, "JWT": byJWT, "session": w.alive(cookie, "ann"), "anonymous": Anonymous(), "zero": {},
	} {
		if _, _, err := w.OpenSession(w.ctx, id); !errors.Is(err, ErrDenied) {
			t.Errorf("%s: %v, want %v", name, err, ErrDenied)
		}
	}
}

// TestSessionIsNoCredentialOfClients: the cookie's value works nowhere but in the cookie.
func TestSessionIsNoCredentialOfClients(t *testing.T) {
	w := newWorld(t, Options{})
	w.user("ann")
	_, cookie := w.open("ann")
	for _, c := range []Credentials{{Token: cookie}, {User: "ann", Password: cookie}, {User: cookie}} {
		if id, err := w.Authenticate(w.ctx, c); !errors.Is(err, ErrCredentials) {
			t.Errorf("%+v: %+v, %v", c, id, err)
		}
	}
	w.ended("", "no cookie")
	_, _, token := w.token(TokenSpec{User: "ann"})
	w.ended(token, "a token as cookie")
}

func TestSessionEndsWhenUnused(t *testing.T) {
	w := newWorld(t, Options{})
	w.user("ann")
	_, used := w.open("ann")
	_, unused := w.open("ann")
	w.clock.Advance(SessionIdle - time.Minute)
	w.alive(used, "ann")
	w.must(w.Flush(w.ctx)) // what is noted is written, and counts from then on
	w.memory.forget()
	w.clock.Advance(time.Minute)
	w.ended(unused, "after SessionIdle")
	w.alive(used, "ann")
	if list, err := w.Sessions(w.ctx, "ann"); err != nil || len(list) != 1 {
		t.Errorf("listed: %+v, %v", list, err)
	}
}

func TestSessionEndsAfterItsLife(t *testing.T) {
	w := newWorld(t, Options{})
	w.user("ann")
	s, cookie := w.open("ann")
	for w.clock.Now().Before(s.Expires.Add(-SessionIdle / 2)) {
		w.alive(cookie, "ann")
		w.clock.Advance(SessionIdle / 2)
	}
	w.alive(cookie, "ann")
	w.clock.Advance(SessionIdle / 2)
	w.ended(cookie, "after SessionLife")
}

func TestWhatEndsSessions(t *testing.T) {
	yes := true
	for name, change := range map[string]func(w *world) error{
		"password": func(w *world) error { return w.SetPassword(w.ctx, "ann", "another password") },
		"scopes":   func(w *world) error { return w.SetGrants(w.ctx, "ann", false, nil) },
		"disabled": func(w *world) error {
			_, err := w.ChangeUser(w.ctx, "ann", UserChange{Disabled: &yes})
			return err
		},
		"removed": func(w *world) error { return w.RemoveUser(w.ctx, "ann") },
		"removed and added again": func(w *world) error {
			return errors.Join(w.RemoveUser(w.ctx, "ann"), w.AddUser(w.ctx, User{Name: "ann", Password: "pw of ann"}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, Options{})
			w.user("ann")
			w.user("bob")
			_, cookie := w.open("ann")
			_, other := w.open("bob")
			w.must(change(w))
			w.ended(cookie, name)
			w.alive(other, "bob")
		})
	}
}

func TestSessionsAreEndedByTheirUserAlone(t *testing.T) {
	w := newWorld(t, Options{})
	w.user("ann")
	w.user("bob")
	first, one := w.open("ann")
	_, two := w.open("ann")
	third, three := w.open("ann")
	_, bobs := w.open("bob")
	if err := w.EndSession(w.ctx, "bob", first.ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("bob ends a session of ann: %v", err)
	}
	w.alive(one, "ann")
	w.must(w.EndSession(w.ctx, "ann", first.ID))
	w.ended(one, "ended by id")
	if n, err := w.EndSessions(w.ctx, "ann", third.ID); n != 1 || err != nil {
		t.Errorf("ended %d, %v", n, err)
	}
	w.ended(two, "one of all others")
	w.alive(three, "ann")
	w.alive(bobs, "bob")
	if err := w.EndSession(w.ctx, "ann", first.ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a session ends twice: %v", err)
	}
}

func TestOldestSessionsMakeRoom(t *testing.T) {
	w := newWorld(t, Options{})
	w.user("ann")
	w.user("bob")
	_, bobs := w.open("bob")
	var cookies []string
	for range maxSessions {
		_, cookie := w.open("ann")
		cookies = append(cookies, cookie)
		w.clock.Advance(2 * useGrain)
	}
	w.alive(cookies[0], "ann") // now it was used last
	_, newest := w.open("ann")
	w.alive(cookies[0], "ann")
	w.ended(cookies[1], "unused for longest")
	w.alive(newest, "ann")
	w.alive(bobs, "bob")
}

func TestSessionsAreInTheJournalWithoutTheirCookie(t *testing.T) {
	w := newWorld(t, Options{})
	w.user("ann")
	w.ctx = store.WithActor(w.ctx, store.Actor{User: "ann", Addr: "192.0.2.7", Agent: strings.Repeat("b", 5000)})
	s, cookie := w.open("ann")
	w.must(w.EndSession(w.ctx, "ann", s.ID))
	entries, _, err := w.store.Entries(w.ctx, store.EntryFilter{}, 0, 100)
	w.must(err)
	var ops []store.Op
	for _, e := range entries {
		if e.Op == OpSessionOpen || e.Op == OpSessionEnd {
			ops = append(ops, e.Op)
			if e.Note != "session "+s.ID+" of user ann from 192.0.2.7" || strings.Contains(e.Note, cookie) {
				t.Errorf("note %q", e.Note)
			}
		}
	}
	slices.Sort(ops)
	if !slices.Equal(ops, []store.Op{OpSessionEnd, OpSessionOpen}) || len(s.Agent) != maxAgent {
		t.Errorf("journal %v, agent of %d bytes", ops, len(s.Agent))
	}
}

// TestTokensMadeInASessionOutliveIt: a person makes tokens for their clients on the pages.
func TestTokensMadeInASessionOutliveIt(t *testing.T) {
	w := newWorld(t, Options{})
	w.user("ann")
	s, cookie := w.open("ann")
	_, token, err := w.DeriveToken(w.ctx, w.alive(cookie, "ann"), TokenSpec{Name: "laptop"})
	w.must(err)
	if own, err := w.OwnTokens(w.ctx, w.alive(cookie, "ann")); err != nil || len(own) != 1 || !own[0].Expires.IsZero() {
		t.Errorf("own tokens: %+v, %v", own, err)
	}
	w.must(w.EndSession(w.ctx, "ann", s.ID))
	if id, err := w.Authenticate(w.ctx, Credentials{Token: token}); err != nil || id.User != "ann" {
		t.Errorf("the token is %+v, %v", id, err)
	}
}
