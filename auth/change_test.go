package auth

// Changes of users: the last administrator stays, and a change is done whole or not at all.

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"larder/store"
)

// TestLastAdministratorStays: by no way, and not by two at once either.
func TestLastAdministratorStays(t *testing.T) {
	yes, no := true, false
	for name, end := range map[string]func(w *world, user string) error{
		"removed":  func(w *world, user string) error { return w.RemoveUser(w.ctx, user) },
		"disabled": func(w *world, user string) error { return w.SetDisabled(w.ctx, user, true) },
		"demoted":  func(w *world, user string) error { return w.SetGrants(w.ctx, user, false, nil) },
		"both": func(w *world, user string) error {
			_, err := w.ChangeUser(w.ctx, user, UserChange{Admin: &no, Disabled: &yes})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, Options{})
			for _, user := range []string{"root", "toor", "off"} {
				w.must(w.AddUser(w.ctx, User{Name: user, Password: "x", Admin: true, Disabled: user == "off"}))
			}
			w.user("ann")
			w.must(end(w, "ann"))
			w.must(end(w, "off"))
			errs := make([]error, 2)
			var wg sync.WaitGroup
			for i, user := range []string{"root", "toor"} {
				wg.Go(func() { errs[i] = end(w, user) })
			}
			wg.Wait()
			one := errors.Join(errs...)
			if !errors.Is(one, store.ErrReferenced) || errs[0] != nil && errs[1] != nil ||
				!strings.Contains(one.Error(), "is the last administrator; add another first.") {
				t.Errorf("both of two at once: %v and %v; want one to be refused", errs[0], errs[1])
			}
		})
	}
}

func TestChangesOfUsers(t *testing.T) {
	w := newWorld(t, Options{})
	w.user("ann")
	w.must(w.AddUser(w.ctx, User{Name: "root", Password: "x", Admin: true}))
	yes, no := true, false
	scopes, none := mustScopes(t, "npm:*:*:read"), Scopes{}
	for _, c := range []struct {
		change UserChange
		want   string
	}{
		{UserChange{Scopes: &scopes}, "false false npm:*:*:read"},
		{UserChange{Admin: &yes}, "true false npm:*:*:read"},
		{UserChange{Disabled: &yes, Admin: &no}, "false true npm:*:*:read"},
		{UserChange{Disabled: &no}, "false false npm:*:*:read"},
		{UserChange{Scopes: &none}, "false false "},
	} {
		got, err := w.ChangeUser(w.ctx, "ann", c.change)
		w.must(err)
		stored, err := w.User(w.ctx, "ann")
		w.must(err)
		for _, u := range []User{got, stored} {
			if text := fmt.Sprint(u.Admin, u.Disabled, " ", u.Scopes); text != c.want {
				t.Errorf("%+v: %q, want %q", c.change, text, c.want)
			}
		}
	}
	if _, err := w.ChangeUser(w.ctx, "ann", UserChange{}); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("a change of nothing: %v", err)
	}
	if _, err := w.ChangeUser(w.ctx, "eve", UserChange{Admin: &yes}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("nobody: %v", err)
	}
}
