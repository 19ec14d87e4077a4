package pages

// The rules for administrators: names that are ours, what is blocked, held back and allowed, and why one version is
// given or refused.

import (
	"context"
	"html/template"
	"net/http"
	"net/url"
	"strings"

	"larder/auth"
	"larder/internal/problem"
	"larder/store"
	"larder/upstream"
)

// policyPage is what the rules are, and the answer to a question.
type policyPage struct {
	Kinds []store.Kind
	Why   whyForm
	upstream.Rules
	MinAgeText string
	Withheld   []withheldRow
	// Names are those that are ours without a package now, of ClaimKind from ClaimAfter on.
	ClaimKind store.Kind
	Names     []store.OwnedName
	NextNames template.URL
	Protected []store.Protected
	Immutable []store.Immutable
}

// whyForm asks why a version is given or refused; Name may be NAME@VERSION.
type whyForm struct {
	Kind, Name, User string
	Asked            bool
	Steps            []upstream.Step
	Refused          string // what the client's user reads, "" when no rule refuses it
	Of               string // the name in its spelling
	Right            *auth.Answer
	Wrong            string // with the question
}

// withheldRow is a version that was asked for and withheld. Text is what clients read now, "" when it is given now.
type withheldRow struct {
	upstream.Miss
	Text    string
	Unknown bool // how old it is
}

const (
	withheldShown = 50
	withheldLook  = 1000 // misses that are looked at for them
	namesShown    = 100
)

func (p *Pages) adminPolicy(w http.ResponseWriter, r *http.Request, q request) error {
	page, err := p.policyPage(r.Context(), q.values)
	if err != nil {
		return err
	}
	return p.sendAdmin(w, r, "policy", policyHead(page, q.values))
}

func policyHead(page *policyPage, v url.Values) adminPage {
	return adminPage{Title: "Policy", Here: "/policy", Done: doneTexts[v.Get("done")], Data: page}
}

func (p *Pages) policyPage(ctx context.Context, v url.Values) (*policyPage, error) {
	page := &policyPage{
		Rules: p.d.Wire.Upstreams.Rules(), Protected: p.d.Rules.Protected, Immutable: p.d.Rules.Immutable,
		Why: whyForm{
			Kind: clip(v.Get("kind"), 16), Name: strings.TrimSpace(clip(v.Get("name"), 1024)),
			User: strings.TrimSpace(clip(v.Get("who"), 64)), Asked: v.Get("name") != "",
		},
	}
	page.Claims, page.MinAgeText = p.d.Claims, every(page.MinAge)
	for _, k := range p.d.Kinds {
		page.Kinds = append(page.Kinds, k.Kind)
	}
	if page.Why.Asked {
		if err := p.answerWhy(ctx, &page.Why); err != nil {
			return nil, err
		}
	}
	if err := p.withheld(ctx, page); err != nil {
		return nil, err
	}
	return page, p.ownedNames(ctx, page, v)
}

// answerWhy asks what decides about requests.
func (p *Pages) answerWhy(ctx context.Context, f *whyForm) error {
	err := func() error {
		k := p.kinds[store.Kind(f.Kind)]
		if k == nil {
			return problem.Errorf(store.ErrInvalid, "Name a kind.")
		}
		name, version := f.Name, ""
		if i := strings.LastIndexByte(name, '@'); i > 0 { // the first character may be a scope's
			name, version = name[:i], name[i+1:]
		}
		name, err := k.spell(name)
		if err != nil {
			return err
		}
		f.Of = strings.TrimSpace(name + " " + version)
		why, err := p.d.Wire.Upstreams.Why(ctx, k.kind, name, version)
		if err != nil {
			return err
		}
		if f.Steps = why.Steps; why.Err != nil {
			f.Refused = problem.Public(why.Err)
		}
		access := auth.Access{Kind: k.kind, Type: k.describe.Type(), Name: name}
		rights, err := p.d.Auth.Explain(ctx, f.User, access, auth.Read)
		if err == nil {
			f.Right = &rights[0]
		}
		return err
	}()
	if status := problem.Status(err); err != nil && status < 500 {
		f.Wrong = problem.Public(err)
		return nil
	}
	return err
}

// withheld fills in what was asked for and withheld by a rule, with what is said of it now.
func (p *Pages) withheld(ctx context.Context, page *policyPage) error {
	reg := p.d.Wire.Upstreams
	if reg == nil {
		return nil
	}
	list, err := reg.MissesAfter(ctx, upstream.Miss{}, withheldLook)
	if err != nil {
		return err
	}
	for _, m := range list {
		if m.Reason != upstream.MissYoung && m.Reason != upstream.MissBlocked || len(page.Withheld) == withheldShown {
			continue
		}
		why, err := reg.Why(ctx, m.Kind, m.Package, m.Key)
		if err != nil {
			return err
		}
		row := withheldRow{Miss: m, Unknown: why.Unknown}
		if why.Err != nil {
			row.Text = problem.Public(why.Err)
		}
		page.Withheld = append(page.Withheld, row)
	}
	return nil
}

// ownedNames fills in a part of the names that are ours without a package: claimed, or of deleted packages.
func (p *Pages) ownedNames(ctx context.Context, page *policyPage, v url.Values) (err error) {
	ask := store.NamesQuery{Limit: namesShown + 1}
	if k := p.kinds[store.Kind(v.Get("claims"))]; k != nil {
		page.ClaimKind, ask.Kind, ask.After = k.kind, k.kind, clip(v.Get("after"), 1024)
	}
	if page.Names, err = p.d.Wire.Store.Names(ctx, ask); err != nil || len(page.Names) <= namesShown {
		return err
	}
	page.Names = page.Names[:namesShown]
	last := page.Names[namesShown-1]
	page.NextNames = template.URL(url.Values{"claims": {string(last.Kind)}, "after": {last.Name}}.Encode())
	return nil
}

// claimName makes a name ours, or gives it up after asking.
func (p *Pages) claimName(w http.ResponseWriter, r *http.Request, _ auth.Identity, form url.Values) error {
	k, name := store.Kind(form.Get("kind")), strings.TrimSpace(form.Get("name"))
	release := form.Get("release") != ""
	if release && form.Get("sure") == "" {
		return p.ask(w, r, question{
			Heading: "Release " + clipName(name) + "?",
			Texts: []string{
				"Upstreams are asked for the name again. Whoever registers it there decides what your clients get under it.",
			},
			List: []string{string(k) + " " + name}, Action: "/policy/claim",
			Fields: [][2]string{{"kind", string(k)}, {"name", name}, {"release", "1"}}, Do: "Release it", Back: "/policy",
		})
	}
	_, err := p.d.Wire.Upstreams.Claim(r.Context(), p.d.Wire.Store, p.d.Spellings, k, name, release)
	if err != nil {
		page, failed := p.policyPage(r.Context(), url.Values{})
		if failed != nil {
			return failed
		}
		return p.refuseAdmin(w, r, "policy", policyHead(page, url.Values{}), err)
	}
	return p.backTo(w, r, "/policy", map[bool]string{true: "released", false: "claimed"}[release])
}

// stepClass is how a step is shown, and its word.
func stepClass(state string) [2]string {
	switch state {
	case upstream.StepRefused:
		return [2]string{"bad", "blocked"}
	case upstream.StepHeld:
		return [2]string{"warn", "held"}
	case upstream.StepOurs:
		return [2]string{"ok", "ours"}
	case upstream.StepNone:
		return [2]string{"skip-t", "not asked"}
	}
	return [2]string{"ok", "passed"}
}
