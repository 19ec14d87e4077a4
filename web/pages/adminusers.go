package pages

// Users for administrators: who there is, what each may do and why, and every change of them.

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"larder/auth"
	"larder/internal/problem"
	"larder/store"
)

// usersPage is a part of the users, and one of them to change.
type usersPage struct {
	Filter string
	Users  []auth.User
	Total  int
	Admins int
	Next   string // the user after which the list goes on
	Kinds  []store.Kind
	Open   *auth.User // the one that is changed
	Who    whoForm
	New    auth.User // what was typed for a new one
	Scopes string
}

// whoForm asks what somebody may do with a package.
type whoForm struct {
	User, Kind, Name string
	Asked            bool
	Answers          []auth.Answer
	Refused          string
}

// usersShown is how many users a page has.
const usersShown = 100

func (p *Pages) adminUsers(w http.ResponseWriter, r *http.Request, q request) error {
	page, err := p.usersPage(r.Context(), q.values)
	if err != nil {
		return err
	}
	return p.sendAdmin(w, r, "users", p.usersHead(page, q.values))
}

func (p *Pages) usersHead(page *usersPage, v url.Values) adminPage {
	return adminPage{Title: "Users", Here: "/users", Done: doneTexts[v.Get("done")], Data: page}
}

// doneTexts are what pages say of what was just changed, by the word that the address has.
var doneTexts = map[string]string{
	"user-added":   "The user is added.",
	"user-set":     "The user is changed, at once and for all credentials.",
	"user-removed": "The user is removed, with all their tokens and sessions.",
	"password":     "The password is changed. Logins with the old one have ended.",
	"off":          "Switched off. What is kept is served.",
	"on":           "Switched on, with past failures forgotten.",
	"purged":       "What was shown is purged. Its bytes go with the next sweep.",
	"cleared":      "The list is forgotten.",
	"claimed":      "The name is ours. No upstream is asked for it.",
	"released":     "The name is released. Upstreams are asked for it again.",
	"counted":      "All packages were looked at just now.",
	"clean":        "Nothing would go: what no package holds is still in its grace period, or there is none.",
	"collected":    "What was shown is removed.",
	"revoked":      "The token is revoked, with all that was made with it.",
}

// usersPage is the list as the query wants it.
func (p *Pages) usersPage(ctx context.Context, v url.Values) (*usersPage, error) {
	all, err := p.d.Auth.Users(ctx)
	if err != nil {
		return nil, err
	}
	page := &usersPage{Filter: clip(v.Get("filter"), 64), Who: whoForm{
		User: clip(v.Get("who"), 64), Kind: clip(v.Get("kind"), 16), Name: strings.TrimSpace(clip(v.Get("name"), 512)),
		Asked: v.Has("who"),
	}}
	for _, k := range p.d.Kinds {
		page.Kinds = append(page.Kinds, k.Kind)
	}
	page.Total = len(all)
	open, after := v.Get("user"), v.Get("after")
	for _, u := range all {
		if u.Admin && !u.Disabled {
			page.Admins++
		}
		if u.Name == open {
			page.Open = &u
		}
	}
	all = slices.DeleteFunc(all, func(u auth.User) bool {
		return u.Name <= after || !strings.Contains(u.Name, strings.ToLower(page.Filter))
	})
	if page.Users = all; len(all) > usersShown {
		page.Users, page.Next = all[:usersShown], all[usersShown-1].Name
	}
	if page.Open != nil {
		page.Scopes = strings.Join(page.Open.Scopes.Strings(), "\n")
		page.Who.User = page.Open.Name
	}
	if page.Who.Asked {
		return page, p.answerWho(ctx, &page.Who)
	}
	return page, nil
}

// whoActions are what is asked about.
var whoActions = []auth.Action{auth.Read, auth.Create, auth.Write, auth.Delete, auth.Admin}

// answerWho asks what decides about every request.
func (p *Pages) answerWho(ctx context.Context, f *whoForm) error {
	err := func() error {
		k := p.kinds[store.Kind(f.Kind)]
		if k == nil || f.Name == "" {
			return problem.Errorf(store.ErrInvalid, "Name a kind and a package.")
		}
		name, err := k.spell(f.Name)
		if err != nil {
			return err
		}
		access := auth.Access{Kind: k.kind, Type: k.describe.Type(), Name: name}
		f.Answers, err = p.d.Auth.Explain(ctx, f.User, access, whoActions...)
		return err
	}()
	if status := problem.Status(err); err != nil && status < 500 {
		f.Refused = problem.Public(err)
		return nil
	}
	return err
}

// backTo leads to a page for administrators, which says what was done.
func (p *Pages) backTo(w http.ResponseWriter, r *http.Request, path, done string, more ...string) error {
	v := url.Values{"done": {done}}
	for pair := range slices.Chunk(more, 2) {
		v.Set(pair[0], pair[1])
	}
	return seeOther(w, p.root(r)+rootAdmin+path+"?"+v.Encode())
}

// refuseUser shows the users again, with why a form was refused.
func (p *Pages) refuseUser(w http.ResponseWriter, r *http.Request, form url.Values, err error) error {
	page, failed := p.usersPage(r.Context(), url.Values{"user": {form.Get("user")}})
	if failed != nil {
		return failed
	}
	if page.Open == nil {
		page.New = auth.User{Name: clip(form.Get("name"), 64), Admin: form.Get("admin") != ""}
	}
	if form.Has("scopes") {
		page.Scopes = clip(form.Get("scopes"), maxForm)
	}
	return p.refuseAdmin(w, r, "users", p.usersHead(page, url.Values{}), err)
}

func (p *Pages) addUser(w http.ResponseWriter, r *http.Request, _ auth.Identity, form url.Values) error {
	u := auth.User{
		Name: strings.TrimSpace(form.Get("name")), Password: form.Get("password"), Admin: form.Get("admin") != "",
	}
	var err error
	if u.Scopes, err = auth.ParseScopes(strings.Fields(form.Get("scopes"))); err == nil {
		err = p.d.Auth.AddUser(r.Context(), u)
	}
	if err != nil {
		return p.refuseUser(w, r, form, err)
	}
	return p.backTo(w, r, "/users", "user-added", "user", u.Name)
}

// setUser changes what the form has of admin, disabled and scopes.
func (p *Pages) setUser(w http.ResponseWriter, r *http.Request, _ auth.Identity, form url.Values) error {
	var change auth.UserChange
	for field, to := range map[string]**bool{"admin": &change.Admin, "disabled": &change.Disabled} {
		if form.Has(field) {
			value := form.Get(field) == "1"
			*to = &value
		}
	}
	if form.Has("scopes") {
		scopes, err := auth.ParseScopes(strings.Fields(form.Get("scopes")))
		if err != nil {
			return p.refuseUser(w, r, form, err)
		}
		change.Scopes = &scopes
	}
	if _, err := p.d.Auth.ChangeUser(r.Context(), form.Get("user"), change); err != nil {
		return p.refuseUser(w, r, form, err)
	}
	return p.backTo(w, r, "/users", "user-set", "user", form.Get("user"))
}

func (p *Pages) setUserPassword(w http.ResponseWriter, r *http.Request, _ auth.Identity, form url.Values) error {
	name := form.Get("user")
	if err := p.d.Auth.SetPassword(r.Context(), name, form.Get("password")); err != nil {
		return p.refuseUser(w, r, form, err)
	}
	if form.Get("tokens") != "" {
		if _, err := p.d.Auth.RevokeTokens(r.Context(), name); err != nil {
			return err
		}
	}
	return p.backTo(w, r, "/users", "password", "user", name)
}

func (p *Pages) removeUser(w http.ResponseWriter, r *http.Request, id auth.Identity, form url.Values) error {
	name := form.Get("user")
	if _, err := p.d.Auth.User(r.Context(), name); err != nil {
		return p.refuseUser(w, r, form, err)
	}
	if form.Get("sure") == "" {
		return p.ask(w, r, question{
			Heading: "Remove " + name + "?",
			Texts: []string{
				"All tokens and sessions of " + name + " end at once, and cannot be brought back. What they published stays.",
				"To keep somebody out for a while, disable them instead.",
			},
			Action: "/users/remove", Fields: [][2]string{{"user", name}}, Do: "Remove " + name, Back: "/users",
		})
	}
	if err := p.d.Auth.RemoveUserBy(r.Context(), id, name); err != nil {
		return p.refuseUser(w, r, form, err)
	}
	return p.backTo(w, r, "/users", "user-removed")
}
