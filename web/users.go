package web

// Users: lists, creation, changes and removal.

import (
	"net/http"

	"larder/auth"
	"larder/internal/wire"
)

// NewUser is the body of POST /users.
type NewUser struct {
	Name     string `json:"name"`
	Password string `json:"password"`
	Admin    bool   `json:"admin,omitempty"`
	// Scopes are kind:type:name:actions; none means everything but administration.
	Scopes []string `json:"scopes,omitempty"`
}

// UserChange is the body of PATCH /users/NAME; what is absent or null stays as it is.
type UserChange struct {
	Admin    *bool `json:"admin,omitempty"`
	Disabled *bool `json:"disabled,omitempty"`
	// Scopes replace those the user has; an empty list means everything but administration.
	Scopes *[]string `json:"scopes,omitempty"`
}

// NewPassword is the body of POST /users/NAME/password.
type NewPassword struct {
	Password string `json:"password"`
	// RevokeTokens ends all tokens of the user as well, with what was made with them.
	RevokeTokens bool `json:"revoke_tokens,omitempty"`
}

// UserList is the answer of GET /users.
type UserList struct {
	Users []auth.User `json:"users"`
	Next  string      `json:"next,omitempty"`
}

func (a *api) listUsers(w http.ResponseWriter, r *http.Request, _ request) error {
	p, err := pageOf(r, adminPage, adminPage)
	if err != nil {
		return err
	}
	users, err := a.auth.Users(r.Context())
	if err != nil {
		return err
	}
	users, following := cut(users, p, func(u auth.User) string { return u.Name })
	link(w, r, following)
	return answer(w, http.StatusOK, UserList{users, following})
}

func (a *api) addUser(w http.ResponseWriter, r *http.Request, _ request) error {
	var body NewUser
	if err := readJSON(r, &body); err != nil {
		return err
	}
	scopes, err := auth.ParseScopes(body.Scopes)
	if err != nil {
		return err
	}
	err = a.auth.AddUser(r.Context(), auth.User{
		Name: body.Name, Password: body.Password, Admin: body.Admin, Scopes: scopes,
	})
	if err != nil {
		return err
	}
	user, err := a.auth.User(r.Context(), body.Name)
	if err != nil {
		return err
	}
	return answer(w, http.StatusCreated, user)
}

func (a *api) setPassword(w http.ResponseWriter, r *http.Request, q request) error {
	var body NewPassword
	if err := readJSON(r, &body); err != nil {
		return err
	}
	if err := a.auth.SetPassword(r.Context(), q.name, body.Password); err != nil {
		return err
	}
	if body.RevokeTokens {
		if _, err := a.auth.RevokeTokens(r.Context(), q.name); err != nil {
			return err
		}
	}
	return done(w)
}

func (a *api) changeUser(w http.ResponseWriter, r *http.Request, q request) error {
	var body UserChange
	if err := readJSON(r, &body); err != nil {
		return err
	}
	change := auth.UserChange{Admin: body.Admin, Disabled: body.Disabled}
	if body.Scopes != nil {
		scopes, err := auth.ParseScopes(*body.Scopes)
		if err != nil {
			return err
		}
		change.Scopes = &scopes
	}
	user, err := a.auth.ChangeUser(r.Context(), q.name, change)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, user)
}

func (a *api) removeUser(w http.ResponseWriter, r *http.Request, q request) error {
	if err := a.auth.RemoveUserBy(r.Context(), wire.IdentityFrom(r.Context()), q.name); err != nil {
		return err
	}
	return done(w)
}

// done answers a change that has nothing to say.
func done(w http.ResponseWriter) error {
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusNoContent)
	return nil
}
