package pages

// All tokens for administrators: whose they are, what they may do, when they were used last.

import (
	"cmp"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"larder/auth"
	"larder/internal/problem"
	"larder/store"
)

// tokensPage is a part of the tokens, the one that was used last first.
type tokensPage struct {
	User     string // whose they are, "" for everybody's
	Tokens   []tokenRow
	Total    int
	From, To int
	Next     template.URL // the query of what follows
}

func (p *Pages) adminTokens(w http.ResponseWriter, r *http.Request, q request) error {
	page := tokensPage{User: clip(q.values.Get("user"), 64)}
	list, err := p.d.Auth.Tokens(r.Context(), page.User)
	if err != nil {
		return err
	}
	slices.SortStableFunc(list, func(a, b auth.Token) int {
		return cmp.Or(b.LastUsed.Compare(a.LastUsed), b.Created.Compare(a.Created))
	})
	from, _ := strconv.Atoi(q.values.Get("from")) // "" and nonsense: from the beginning
	from = min(max(from, 0), len(list))
	to := min(from+pageSize, len(list))
	page.Total, page.From, page.To = len(list), from+1, to
	for _, t := range list[from:to] {
		page.Tokens = append(page.Tokens, tokenRowOf(t, p.d.Now()))
	}
	if to < len(list) {
		page.Next = template.URL(url.Values{"user": {page.User}, "from": {strconv.Itoa(to)}}.Encode())
	}
	return p.sendAdmin(w, r, "tokens", adminPage{
		Title: "Tokens", Here: "/tokens", Done: doneTexts[q.values.Get("done")], Data: page,
	})
}

// revokeAnyToken revokes a token of anybody, after asking.
func (p *Pages) revokeAnyToken(w http.ResponseWriter, r *http.Request, _ auth.Identity, form url.Values) error {
	id := form.Get("id")
	if form.Get("sure") != "" {
		if err := p.d.Auth.RevokeToken(r.Context(), id); err != nil {
			return err
		}
		return p.backTo(w, r, "/tokens", "revoked")
	}
	list, err := p.d.Auth.Tokens(r.Context(), "")
	if err != nil {
		return err
	}
	i := slices.IndexFunc(list, func(t auth.Token) bool { return t.ID == id })
	if i < 0 {
		return problem.Errorf(store.ErrNotFound, "The token has been revoked already.")
	}
	t := list[i]
	return p.ask(w, r, question{
		Heading: "Revoke " + cmp.Or(clipName(t.Name), t.ID) + "?",
		Texts: []string{
			"It is a token of " + t.User + ". Whatever logs in with it is refused from now on, and so is every token that was " +
				"made with it. A token cannot be brought back.",
		},
		Action: "/tokens/revoke", Fields: [][2]string{{"id", id}}, Do: "Revoke it", Back: "/tokens",
	})
}
