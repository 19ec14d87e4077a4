package pages

// Changes of versions: the buttons of several pages lead here. What is not done at once is asked for on a page first.

import (
	"context"
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"slices"

	"larder/auth"
	"larder/internal/describe"
	"larder/internal/problem"
	"larder/store"
)

// The fields of the forms with changes.
const (
	fieldDo      = "do"
	fieldVersion = "v"
	fieldTag     = "tag"
	fieldReason  = "reason"
	fieldSure    = "sure"    // of the page that asks
	fieldConfirm = "confirm" // the package's name, typed
	fieldBack    = "back"    // where a change leads: "history" or the versions
)

// changePage asks whether versions shall be changed, or says what was refused.
type changePage struct {
	describe.Package
	Kind    store.Kind
	Tabs    tabs
	Offer   describe.Offer
	Rows    []versionRow
	Tag     string
	Reason  string
	Refused string
	Failed  []failedChange
	Done    int
}

// failedChange is a version that was not changed.
type failedChange struct{ Version, Text string }

// Verb is the change in the heading, Short on its button.
func (c changePage) Verb() string { return verbs[c.Offer.Op] }

// After says what is the case afterwards.
func (c changePage) After() string {
	switch c.Offer.Op {
	case describe.Yank:
		if c.Kind == store.Composer {
			return "Nobody finds them any more; their archives stay for the lock files that name them. It cannot be undone."
		}
		return "Clients do not choose them by themselves any more. Whoever has one in a lock file still gets it."
	case describe.Deprecate:
		return "Whoever installs one of them is shown the message. An empty one takes it back."
	case describe.MoveTag:
		return "Who asks for the tag gets this version from then on."
	}
	switch c.Kind {
	case store.Maven, store.OCI:
		return "It cannot be undone. The same can be published again."
	case store.PyPI:
		return "It cannot be undone. The names of their files are never given out again."
	}
	return "It cannot be undone. The numbers are never given out again."
}

var verbs = map[describe.Op]string{
	describe.Yank: "Yank", describe.Unyank: "Unyank", describe.Deprecate: "Deprecate", describe.Delete: "Delete",
	describe.MoveTag: "Move a tag to",
}

// did are the words for what was done.
var did = map[describe.Op]string{
	describe.Yank: "yanked", describe.Unyank: "not yanked any more", describe.Deprecate: "deprecated",
	describe.Delete: "deleted",
}

// doneText says what was changed just now.
func (q request) doneText() string {
	switch word := did[describe.Op(q.done)]; {
	case q.done == string(describe.MoveTag):
		return "The tag was moved."
	case word == "" || q.count < 1:
		return ""
	case q.count == 1:
		return "1 version is " + word + "."
	default:
		return number(int64(q.count)) + " versions are " + word + "."
	}
}

// changing is the wrapper of forms about a package, see Pages.change.
func (k *kindPages) changing(
	do func(w http.ResponseWriter, r *http.Request, q request, form url.Values) error,
) func(w http.ResponseWriter, r *http.Request, q request) error {
	return func(w http.ResponseWriter, r *http.Request, q request) error {
		return k.change(func(w http.ResponseWriter, r *http.Request, _ auth.Identity, form url.Values) error {
			return do(w, r, q, form)
		})(w, r, q)
	}
}

// offered finds a change among those that the reader may make.
func (k *kindPages) offered(ctx context.Context, name, op string) (describe.Offer, error) {
	offers, err := k.describe.Offers(ctx, name)
	if err != nil {
		return describe.Offer{}, err
	}
	i := slices.IndexFunc(offers, func(o describe.Offer) bool { return string(o.Op) == op })
	if i < 0 {
		return describe.Offer{}, problem.Errorf(auth.ErrDenied,
			"There is no such change of this package, or you may not make it.")
	}
	return offers[i], nil
}

// changeVersions makes a change of versions, or asks for what it needs first.
func (k *kindPages) changeVersions(w http.ResponseWriter, r *http.Request, q request, form url.Values) error {
	ctx := r.Context()
	offer, err := k.offered(ctx, q.name, form.Get(fieldDo))
	if err != nil {
		return err
	}
	p, t, err := k.head(ctx, q.name, "versions", false)
	if err != nil {
		return err
	}
	page := changePage{
		Package: p, Kind: k.kind, Tabs: t, Offer: offer, Tag: form.Get(fieldTag),
		Reason: form.Get(fieldReason),
	}
	ids := form[fieldVersion]
	if ids = ids[:min(len(ids), versionsPage)]; len(ids) == 0 {
		return problem.Errorf(problem.ErrInvalid, "No version is chosen. Go back and choose one.")
	}
	asks := offer.Op != describe.Unyank && (offer.Op != describe.MoveTag || page.Tag == "")
	if asks && (form.Get(fieldSure) == "" || !page.confirmed(form)) {
		return k.askChange(w, r, page, ids)
	}
	for _, id := range ids {
		err := k.describe.Change(ctx, q.name, describe.Change{Op: offer.Op, Version: id, Tag: page.Tag, Reason: page.Reason})
		switch {
		case problem.Status(err) >= http.StatusInternalServerError:
			return err
		case err != nil:
			page.Failed = append(page.Failed, failedChange{id, problem.Public(err)})
		default:
			page.Done++
		}
	}
	if len(page.Failed) > 0 {
		f := k.frame(r, page.Verb()+" versions of "+clipName(p.Display), page)
		return k.sendStatus(w, http.StatusConflict, "change", f)
	}
	return k.changed(w, r, q, page, form.Get(fieldBack))
}

// confirmed reports whether the page that asks was filled in, and says what lacks.
func (c *changePage) confirmed(form url.Values) bool {
	switch {
	case c.Offer.Op == describe.Delete && form.Get(fieldConfirm) != c.Display:
		c.Refused = "That is not the name of the package. Nothing was deleted."
	case c.Offer.Op == describe.MoveTag && c.Tag == "":
		c.Refused = "A tag needs a name."
	}
	return c.Refused == ""
}

// askChange shows what is about to be changed.
func (k *kindPages) askChange(w http.ResponseWriter, r *http.Request, page changePage, ids []string) error {
	ctx := r.Context()
	pulls, err := k.d.Wire.Store.PullsOf(ctx, k.kind, page.Name, ids...)
	if err != nil {
		return err
	}
	now := k.d.Now()
	for i, id := range ids {
		v, err := k.describe.Version(ctx, page.Name, id)
		if errors.Is(err, store.ErrNotFound) {
			continue // gone since the list was made
		}
		if err != nil {
			return err
		}
		page.Rows = append(page.Rows, versionRow{v, pulls[i].Since(chartDays, now), last(pulls[i].Last, now)})
	}
	if len(page.Rows) == 0 {
		return problem.Errorf(store.ErrNotFound, absent)
	}
	status := http.StatusOK
	if page.Refused != "" {
		status = http.StatusUnprocessableEntity
	}
	f := k.frame(r, page.Verb()+" versions of "+clipName(page.Display), page)
	return k.sendStatus(w, status, "change", f)
}

// changed leads to the page that shows the change.
func (k *kindPages) changed(w http.ResponseWriter, r *http.Request, q request, page changePage, back string) error {
	at := k.root(r) + rootPages + "/" + string(k.kind)
	if _, err := k.describe.Package(r.Context(), q.name, false); errors.Is(err, store.ErrNotFound) {
		return seeOther(w, at) // it went with its last version
	}
	at += "/" + escapeName(q.name) + "/-/"
	if back != "history" {
		back = "versions"
	}
	return seeOther(w, at+back+string(query(request{done: string(page.Offer.Op), count: page.Done})))
}

// offersOf are the changes that buttons on lists and pages of versions offer.
type offersOf struct {
	Root   string
	Kind   store.Kind
	Name   string
	Form   string
	Offers []describe.Offer
}

// Button is the word on the button of a change.
func (offersOf) Button(op describe.Op) string {
	switch op {
	case describe.Unyank:
		return "Unyank"
	case describe.MoveTag:
		return "Move a tag here…"
	}
	return verbs[op] + "…"
}

// Action is where the forms go.
func (o offersOf) Action() template.URL {
	return template.URL(o.Root + rootPages + "/" + string(o.Kind) + "/" + escapeName(o.Name) + "/-/change")
}

// offers are those for a list of versions, or for one version.
func (k *kindPages) offers(r *http.Request, name string, one *describe.Version) (*offersOf, error) {
	list, err := k.describe.Offers(r.Context(), name)
	if err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(list, func(o describe.Offer) bool {
		switch o.Op {
		case describe.MoveTag:
			return one == nil || o.Back
		case describe.Yank:
			return one != nil && one.Yanked
		case describe.Unyank:
			return one != nil && !one.Yanked
		}
		return false
	})
	if len(list) == 0 {
		return nil, nil
	}
	return &offersOf{k.root(r), k.kind, name, k.frame(r, "", nil).Form, list}, nil
}
