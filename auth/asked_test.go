package auth

// A right is asked for the name that is served, and refused in the words of the name that was asked for.

import (
	"errors"
	"testing"
	"time"

	"larder/store"
)

// TestJWTForTheAskedNameReadsTheServedOne: a JWT for the name a client knows reads what is served for it, if its buyer
// may read that, and does nothing else. A token's scopes are its buyer's decision and are about what is served.
func TestJWTForTheAskedNameReadsTheServedOne(t *testing.T) {
	w := newWorld(t, Options{Anonymous: "none"})
	w.user("copies", "oci:repository:hub/*:*")
	w.user("own", "oci:repository:app:*")
	of := func(user string, scopes ...string) Identity {
		id, _ := w.jwt(w.login(user), time.Minute, scopes...)
		return id
	}
	token, _, _ := w.token(TokenSpec{User: "copies", Scopes: mustScopes(t, "oci:repository:app:*")})
	access := func(name string, action Action, asked string) Access {
		return Access{Kind: store.OCI, Type: "repository", Name: name, Action: action, Asked: asked}
	}
	for _, tt := range []struct {
		what string
		id   Identity
		a    Access
		want error
	}{
		{"JWT for what is asked", of("copies", "oci:repository:app:read"), access("hub/app", Read, "app"), nil},
		{"JWT for what is served", of("copies", "oci:repository:hub/app:read"), access("hub/app", Read, "app"), nil},
		{"JWT for something else", of("copies", "oci:repository:other:read"), access("hub/app", Read, "app"), ErrScope},
		{"JWT, not asked by another name", of("copies", "oci:repository:app:read"), access("hub/app", Read, ""), ErrScope},
		{"JWT to change", of("copies", "oci:repository:app:*"), access("hub/app", Delete, "app"), ErrScope},
		{
			"JWT of who may only what is asked", of("own", "oci:repository:app:read"), access("hub/app", Read, "app"),
			ErrHidden,
		},
		{"no JWT, only what is asked", w.login("own"), access("hub/app", Read, "app"), ErrHidden},
		{"token scoped to what is asked", token, access("hub/app", Read, "app"), ErrHidden},
	} {
		if err := w.Authorize(w.ctx, tt.id, tt.a); !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
			t.Errorf("%s: %v, want %v", tt.what, err, tt.want)
		}
	}
}
