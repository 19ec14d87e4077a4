package pages

// The disk for administrators: what takes most, what nobody pulls, quotas, what garbage collection would free, and
// what is damaged.

import (
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"larder/auth"
	"larder/store"
)

// storagePage is what is on the disk.
type storagePage struct {
	Blobs, Database, Copies int64
	Uploads                 int
	Unused                  int // days, or 0: the largest are shown
	Days                    []int
	At                      time.Time // of the last look at all packages; zero before the first
	AtText                  template.HTML
	Rows                    []storedRow
	Selected                store.SurveyedUnused
	Quotas                  []quotaRow
	Damages                 []store.Damage
	MoreDamages             int
	Scrub                   scrubRow
	Orphans                 store.OrphanReport
	OrphansWait             string // why blobs wait for an operator's decision
}

// storedRow is a package.
type storedRow struct {
	store.SurveyedPackage
	LastText template.HTML
}

// quotaRow is a quota and what counts against it. Share is percents for the drawing.
type quotaRow struct {
	What          string
	Used, Allowed int64
	Known         bool
	Share         string
	Percent       int64
}

// scrubRow is how far the reading of all files has come.
type scrubRow struct {
	Began   time.Time
	Percent int
}

const damagesShown = 50

func (p *Pages) adminStorage(w http.ResponseWriter, r *http.Request, q request) error {
	ctx, s, now := r.Context(), p.d.Wire.Store, p.d.Now()
	stats, err := s.Stats(ctx)
	if err != nil {
		return err
	}
	page := &storagePage{
		Blobs: stats.BlobBytes, Database: stats.Database, Uploads: stats.Uploads, Days: store.SurveyDays,
	}
	for _, k := range p.d.Kinds {
		page.Copies += stats.Kinds[k.Kind.CachedFiles()].Bytes
	}
	page.packages(s.Surveyed(), q.values, now)
	if err := p.quotas(r, page); err != nil {
		return err
	}
	began, part, err := s.ScrubPass(ctx)
	if err != nil {
		return err
	}
	page.Scrub = scrubRow{began, int(part * 100)}
	if page.Damages, err = s.Damages(ctx); err != nil {
		return err
	}
	if len(page.Damages) > damagesShown {
		page.Damages, page.MoreDamages = page.Damages[:damagesShown], len(page.Damages)-damagesShown
	}
	var waiting error
	if page.Orphans, waiting = s.Orphans(); waiting != nil {
		page.OrphansWait = store.OperatorMessage(waiting)
	}
	return p.sendAdmin(w, r, "storage", adminPage{
		Title: "Storage", Here: "/storage", Done: doneTexts[q.values.Get("done")], Data: page,
	})
}

// packages fills in what the last look at all packages has found.
func (page *storagePage) packages(v store.Survey, query url.Values, now time.Time) {
	page.At, page.AtText = v.At, ago(v.At, now)
	list := v.Largest
	if days, _ := strconv.Atoi(query.Get("unused")); slices.Contains(page.Days, days) {
		page.Unused, page.Selected = days, v.Unused[days]
		list = page.Selected.List
	}
	for _, one := range list {
		page.Rows = append(page.Rows, storedRow{one, last(one.Last, now)})
	}
}

// quotas fills in the quotas, with what decides about uploads.
func (p *Pages) quotas(r *http.Request, page *storagePage) error {
	for _, q := range p.d.Rules.Quotas {
		row := quotaRow{What: quotaText(q), Allowed: q.Bytes}
		var err error
		if row.Used, row.Known, err = p.d.Wire.Store.QuotaUse(r.Context(), q); err != nil {
			return err
		}
		if row.Known && q.Bytes > 0 {
			row.Percent = 100 * row.Used / q.Bytes
			row.Share = decimal(min(100*float64(row.Used)/float64(q.Bytes), 100)) + "%"
		}
		page.Quotas = append(page.Quotas, row)
	}
	return nil
}

// quotaText is what a quota is of.
func quotaText(q store.Quota) string {
	kind := "packages"
	if q.Kind != "" {
		kind = string(q.Kind) + " packages"
	}
	switch {
	case q.Package != "" && q.User != "":
		return fmt.Sprintf("each of the %s %s, for %s", kind, q.Package, q.User)
	case q.Package != "":
		return fmt.Sprintf("each of the %s %s", kind, q.Package)
	case q.User == "*":
		return "each user; the largest"
	case q.User != "":
		return "user " + q.User
	}
	return "all " + kind
}

// countStored looks at all packages now.
func (p *Pages) countStored(w http.ResponseWriter, r *http.Request, _ auth.Identity, _ url.Values) error {
	ctx, s := r.Context(), p.d.Wire.Store
	err := s.Heavy(ctx, func() error {
		return s.Survey(ctx, func(k store.Kind, pkg string) string {
			if of := p.kinds[k]; of != nil {
				return of.describe.KeptName(pkg)
			}
			return pkg
		})
	})
	if err != nil {
		return err
	}
	return p.backTo(w, r, "/storage", "counted")
}

// collect shows what garbage collection would remove, and removes just that once it is sure.
func (p *Pages) collect(w http.ResponseWriter, r *http.Request, _ auth.Identity, form url.Values) error {
	ctx, s := r.Context(), p.d.Wire.Store
	plan, err := s.Sweep(ctx, store.SweepOptions{DryRun: true})
	if err != nil {
		return err
	}
	shown := fmt.Sprintf("%d %d", plan.Blobs, plan.Bytes)
	switch {
	case plan.Blobs == 0:
		return p.backTo(w, r, "/storage", "clean")
	case form.Get("sure") == "" || form.Get("plan") != shown:
		texts := []string{
			"No package holds these bytes, and nobody has asked for them within the grace period. " +
				pluralOf(plan.Postponed, "other stays", "others stay") + " until theirs is over.",
			"The server does the same by itself every few minutes.",
		}
		if form.Get("sure") != "" {
			texts = append([]string{"It has changed since this was shown. This is how it is now."}, texts...)
		}
		return p.ask(w, r, question{
			Heading: "Remove " + pluralOf(plan.Blobs, "file", "files") + ", " + size(plan.Bytes) + "?", Texts: texts,
			Action: "/storage/gc", Fields: [][2]string{{"plan", shown}}, Do: "Remove them", Back: "/storage",
		})
	}
	if _, err := s.Sweep(ctx, store.SweepOptions{}); err != nil {
		return err
	}
	return p.backTo(w, r, "/storage", "collected")
}
