package auth

// Changes while requests run: what ends, ends at once.

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestRevocationIsImmediate hammers a credential while it is ended: no request that begins after the call returned may
// pass, however the reads of others interleave with the commit.
func TestRevocationIsImmediate(t *testing.T) {
	for name, c := range map[string]struct {
		cred func(w *world) (Credentials, string)
		end  func(w *world, id string) error
	}{
		"token revoked": {tokenOf, func(w *world, id string) error { return w.RevokeToken(w.ctx, id) }},
		"user removed":  {tokenOf, func(w *world, _ string) error { return w.RemoveUser(w.ctx, "ann") }},
		"user disabled": {tokenOf, func(w *world, _ string) error { return w.SetDisabled(w.ctx, "ann", true) }},
		"JWT, token":    {jwtOf, func(w *world, id string) error { return w.RevokeToken(w.ctx, id) }},
		"JWT, password": {jwtOf, func(w *world, _ string) error { return w.SetPassword(w.ctx, "ann", "new") }},
		"password":      {passwordOf, func(w *world, _ string) error { return w.SetPassword(w.ctx, "ann", "new") }},
	} {
		t.Run(name, func(t *testing.T) {
			for range 4 {
				w := newWorld(t, Options{})
				w.user("ann")
				cred, id := c.cred(w)
				hammer(w, cred, func() error { return c.end(w, id) })
			}
		})
	}
}

func tokenOf(w *world) (Credentials, string) {
	_, id, secret := w.token(TokenSpec{User: "ann"})
	return Credentials{Token: secret}, id
}

func jwtOf(w *world) (Credentials, string) {
	who, id, _ := w.token(TokenSpec{User: "ann"})
	_, text := w.jwt(who, time.Hour, "*:*:*:*")
	return Credentials{Token: text}, id
}

func passwordOf(w *world) (Credentials, string) {
	w.login("ann")
	return Credentials{User: "ann", Password: "pw of ann"}, ""
}

func hammer(w *world, cred Credentials, end func() error) {
	w.t.Helper()
	var ended atomic.Bool
	var before, late atomic.Int64
	ctx, cancel := context.WithCancel(w.ctx)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for ctx.Err() == nil {
				was := ended.Load()
				_, err := w.Authenticate(w.ctx, cred)
				var th *Throttled
				switch {
				case err == nil && was:
					late.Add(1)
				case err == nil:
					before.Add(1)
				case !errors.Is(err, ErrCredentials) && !errors.As(err, &th):
					w.t.Errorf("%v", err)
				}
			}
		})
	}
	wg.Go(func() { // drops what is remembered, so that reads of the store run against the commit
		for ctx.Err() == nil {
			w.memory.forget()
			time.Sleep(50 * time.Microsecond)
		}
	})
	for before.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	w.must(end())
	ended.Store(true)
	time.Sleep(3 * time.Millisecond)
	cancel()
	wg.Wait()
	if late.Load() != 0 {
		w.t.Errorf("%d requests passed after the credential had ended", late.Load())
	}
}

// TestParallelChangesLeaveOneRowEach: changes from many sides leave one row each and no generation twice.
func TestParallelChangesLeaveOneRowEach(t *testing.T) {
	w := newWorld(t, Options{})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			name := fmt.Sprintf("u%d", i)
			if err := w.AddUser(w.ctx, User{Name: name, Password: "x"}); err != nil {
				t.Error(err)
			}
			for range 5 {
				if _, _, err := w.CreateToken(w.ctx, TokenSpec{User: name}); err != nil {
					t.Error(err)
				}
				if err := w.SetGrants(w.ctx, name, false, nil); err != nil {
					t.Error(err)
				}
			}
		})
		wg.Go(func() { _ = w.AddUser(w.ctx, User{Name: "same", Password: "x"}) })
	}
	wg.Go(func() {
		for range 10 {
			if err := w.Flush(w.ctx); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Wait()
	users, err := w.Users(w.ctx)
	w.must(err)
	tokens, err := w.Tokens(w.ctx, "")
	w.must(err)
	if len(users) != 9 || len(tokens) != 40 {
		t.Errorf("%d users, %d tokens", len(users), len(tokens))
	}
	seen := map[uint64]bool{}
	for _, u := range users {
		a, err := w.account(w.ctx, u.Name)
		w.must(err)
		if seen[a.generation] || a.generation == 0 || a.generation > 49 {
			t.Errorf("generation %d of %s", a.generation, u.Name)
		}
		seen[a.generation] = true
	}
}

// TestTwoStartsMakeOneAdministrator: two starts at once make one administrator, and only the one that made it has a
// password to show.
func TestTwoStartsMakeOneAdministrator(t *testing.T) {
	w := newWorld(t, Options{})
	var shown atomic.Int64
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			password, err := w.Bootstrap(w.ctx, "")
			if err != nil {
				t.Error(err)
			}
			if password == "" {
				return
			}
			shown.Add(1)
			if _, err := w.Authenticate(w.ctx, Credentials{User: AdminName, Password: password}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if shown.Load() != 1 {
		t.Errorf("%d passwords", shown.Load())
	}
}
