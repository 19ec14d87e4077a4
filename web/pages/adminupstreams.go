package pages

// Upstreams for administrators: how they fare and what to do about it, what was asked for in vain, and purges, which
// are shown before they are done.

import (
	"encoding/csv"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"larder/auth"
	"larder/internal/problem"
	"larder/store"
	"larder/upstream"
)

// upstreamsPage is how upstreams fare.
type upstreamsPage struct {
	Upstreams []upstreamRow
	Offline   bool // all are switched off
	Checked   []checkedUpstream
	Kinds     []store.Kind
	// Orphans: copies without an upstream were counted.
	Orphans bool
	Misses  []upstream.Miss
	Next    template.URL // the query of further misses
	Purge   upstreamChoice
}

// upstreamRow is one upstream, with what clients were answered in the last 30 days.
type upstreamRow struct {
	upstream.Status
	Traffic store.Traffic
	Ratio   string
	Saved30 int64
}

// checkedUpstream is what came of trying one out.
type checkedUpstream struct {
	Kind  store.Kind
	Name  string
	Found []upstream.Finding
}

// upstreamChoice is what a form selects.
type upstreamChoice struct {
	Kind       store.Kind
	Pattern    string
	NoUpstream bool
}

// missesShown is how many misses a page has.
const missesShown = 50

func (p *Pages) adminUpstreams(w http.ResponseWriter, r *http.Request, q request) error {
	page, err := p.upstreamsPage(r, q.values)
	if err != nil {
		return err
	}
	return p.sendAdmin(w, r, "upstreams", upstreamsHead(page, q.values))
}

func upstreamsHead(page *upstreamsPage, v url.Values) adminPage {
	return adminPage{Title: "Upstreams", Here: "/upstreams", Done: doneTexts[v.Get("done")], Data: page}
}

func (p *Pages) upstreamsPage(r *http.Request, v url.Values) (*upstreamsPage, error) {
	page := &upstreamsPage{Orphans: v.Get("orphans") != ""}
	for _, k := range p.d.Kinds {
		page.Kinds = append(page.Kinds, k.Kind)
	}
	ctx, reg := r.Context(), p.d.Wire.Upstreams
	if reg == nil {
		return page, nil
	}
	page.Offline = reg.Offline()
	list := reg.Status()
	if page.Orphans {
		err := p.d.Wire.Store.Heavy(ctx, func() error {
			more, err := reg.Orphans(ctx)
			list = append(list, more...)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	if err := reg.CountPinned(ctx, list); err != nil {
		return nil, err
	}
	traffic, err := reg.Traffic(ctx, p.d.Wire.Store, p.d.Now().AddDate(0, 0, -shownDays), upstream.InAll)
	if err != nil {
		return nil, err
	}
	for _, st := range list {
		row := upstreamRow{Status: st}
		for _, t := range traffic {
			if t.Kind == st.Kind && t.Upstream == st.Name {
				row.Traffic, row.Ratio, row.Saved30 = t.Traffic, percent(t.Traffic), t.Saved
			}
		}
		page.Upstreams = append(page.Upstreams, row)
	}
	return page, page.misses(r, reg, v)
}

// misses fills in a part of what was asked for in vain.
func (page *upstreamsPage) misses(r *http.Request, reg *upstream.Registry, v url.Values) error {
	after := upstream.Miss{
		Kind: store.Kind(v.Get("miss-kind")), Package: v.Get("miss-package"), Key: v.Get("miss-key"),
		Reason: v.Get("miss-reason"),
	}
	list, err := reg.MissesAfter(r.Context(), after, missesShown+1)
	if err != nil {
		return err
	}
	if page.Misses = list; len(list) > missesShown {
		page.Misses = list[:missesShown]
		m := list[missesShown-1]
		page.Next = template.URL(url.Values{
			"miss-kind": {string(m.Kind)}, "miss-package": {m.Package}, "miss-key": {m.Key}, "miss-reason": {m.Reason},
		}.Encode())
	}
	return nil
}

// registry is what there is of upstreams, or an error that says that there is nothing.
func (p *Pages) registry() (*upstream.Registry, error) {
	if p.d.Wire.Upstreams == nil {
		return nil, problem.Errorf(store.ErrNotFound, "There is no upstream, and no copy of one.")
	}
	return p.d.Wire.Upstreams, nil
}

// switchUpstreams takes the upstreams that kind and name select off or back; without both, all of them.
func (p *Pages) switchUpstreams(w http.ResponseWriter, r *http.Request, _ auth.Identity, form url.Values) error {
	reg, err := p.registry()
	if err != nil {
		return err
	}
	off := form.Get("offline") == "1"
	if !reg.Switch(store.Kind(form.Get("kind")), form.Get("name"), off) {
		return problem.Errorf(store.ErrNotFound, "There is no such upstream.")
	}
	return p.backTo(w, r, "/upstreams", map[bool]string{true: "off", false: "on"}[off])
}

// checkUpstream tries an upstream out now, and shows what was found.
func (p *Pages) checkUpstream(w http.ResponseWriter, r *http.Request, _ auth.Identity, form url.Values) error {
	reg, err := p.registry()
	if err != nil {
		return err
	}
	list := reg.Find(store.Kind(form.Get("kind")), form.Get("name"))
	if len(list) != 1 {
		return problem.Errorf(store.ErrNotFound, "There is no such upstream.")
	}
	found := reg.Check(r.Context(), list[0], "")
	page, err := p.upstreamsPage(r, url.Values{})
	if err != nil {
		return err
	}
	page.Checked = []checkedUpstream{{list[0].Kind(), list[0].Name(), found}}
	return p.sendAdmin(w, r, "upstreams", upstreamsHead(page, url.Values{}))
}

// listedNames is how many names a question shows.
const listedNames = 500

// purgeUpstreams shows what a purge would drop, and drops just that once it is sure: whatever has changed since is
// shown again.
func (p *Pages) purgeUpstreams(w http.ResponseWriter, r *http.Request, _ auth.Identity, form url.Values) error {
	reg, err := p.registry()
	if err != nil {
		return err
	}
	c := upstreamChoice{
		store.Kind(form.Get("kind")), strings.TrimSpace(form.Get("pattern")), form.Get("no-upstream") != "",
	}
	if _, err := store.ParseKind(string(c.Kind)); err != nil {
		return err
	}
	plan, ctx := upstream.Plan{}, r.Context()
	if c.Pattern != "" {
		err = p.d.Wire.Store.Heavy(ctx, func() error {
			plan, err = reg.PlanPurge(ctx, c.Kind, c.Pattern, c.NoUpstream)
			return err
		})
		if err != nil {
			return err
		}
	}
	if len(plan.Names) == 0 {
		return p.refusePurge(w, r, c)
	}
	if form.Get("plan") != plan.ID() || form.Get("sure") == "" {
		return p.askPurge(w, r, c, plan, form.Get("sure") != "")
	}
	purge := reg.Purge
	if c.NoUpstream {
		purge = reg.PurgeOrphans
	}
	if _, err := purge(ctx, c.Kind, c.Pattern); err != nil {
		return err
	}
	return p.backTo(w, r, "/upstreams", "purged")
}

// refusePurge shows the upstreams again: there is nothing to drop.
func (p *Pages) refusePurge(w http.ResponseWriter, r *http.Request, c upstreamChoice) error {
	page, err := p.upstreamsPage(r, url.Values{})
	if err != nil {
		return err
	}
	page.Purge = c
	err = problem.Errorf(store.ErrInvalid, "Nothing is kept of a package of %s whose name is %q.", c.Kind, c.Pattern)
	if c.Pattern == "" {
		err = problem.Errorf(store.ErrInvalid, "Name what to purge; * is every package of the kind.")
	}
	return p.refuseAdmin(w, r, "upstreams", upstreamsHead(page, url.Values{}), err)
}

func (p *Pages) askPurge(
	w http.ResponseWriter, r *http.Request, c upstreamChoice, plan upstream.Plan, again bool,
) error {
	q := question{
		Heading: "Purge " + pluralOf(len(plan.Names), "package", "packages") + " of " + kindTitle(c.Kind) + "?",
		List:    plan.Names, Action: "/upstreams/purge", Do: "Purge them", Back: "/upstreams",
		Texts: []string{pluralOf(plan.Files, "file", "files") + ", " + size(plan.Bytes) + ", and what is known of these " +
			"packages go. They are fetched anew when somebody asks for them; what their upstream has not any more is gone. " +
			"What is published here is not touched."},
		Fields: [][2]string{{"kind", string(c.Kind)}, {"pattern", c.Pattern}, {"plan", plan.ID()}},
	}
	if again {
		q.Texts = append([]string{"What is kept has changed since this was shown. This is how it is now."}, q.Texts...)
	}
	if c.NoUpstream {
		q.Fields = append(q.Fields, [2]string{"no-upstream", "1"})
	}
	if len(q.List) > listedNames {
		q.List, q.More = q.List[:listedNames], len(q.List)-listedNames
	}
	return p.ask(w, r, q)
}

// exportMisses sends all that was asked for in vain, as CSV.
func (p *Pages) exportMisses(w http.ResponseWriter, r *http.Request, _ request) error {
	var list []upstream.Miss
	if reg := p.d.Wire.Upstreams; reg != nil {
		var err error
		if list, err = reg.Misses(r.Context()); err != nil {
			return err
		}
	}
	h := w.Header()
	secure(h)
	h.Set("Content-Type", "text/csv; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename="misses.csv"`)
	h.Set("Cache-Control", "no-store")
	out := csv.NewWriter(w)
	rows := [][]string{{"kind", "package", "file", "count", "why"}}
	for _, m := range list {
		rows = append(rows, []string{
			string(m.Kind), cell(m.Package), cell(m.Key), strconv.FormatInt(m.Count, 10), missReason(m.Reason),
		})
	}
	return out.WriteAll(rows)
}

// cell is a stranger's text in a table that a spreadsheet may open: one that begins a formula gets an apostrophe. An @
// begins names of npm, which stay as they are.
func cell(s string) string {
	if s != "" && strings.ContainsRune("=+-\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}

// missReason is why something was asked for in vain.
func missReason(reason string) string {
	if reason == "" {
		return "offline"
	}
	return reason
}

// clearMisses forgets what was asked for in vain, after asking.
func (p *Pages) clearMisses(w http.ResponseWriter, r *http.Request, _ auth.Identity, form url.Values) error {
	reg, err := p.registry()
	if err != nil {
		return err
	}
	if form.Get("sure") == "" {
		return p.ask(w, r, question{
			Heading: "Forget what was asked for in vain?",
			Texts:   []string{"The list begins anew. Export it first if somebody is to bring what is on it."},
			Action:  "/upstreams/misses/clear", Do: "Forget it", Back: "/upstreams",
		})
	}
	if err := reg.ClearMisses(r.Context()); err != nil {
		return err
	}
	return p.backTo(w, r, "/upstreams", "cleared")
}
