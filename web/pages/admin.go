package pages

// The first page for administrators: is the box ready, how full is it, and what was asked of it in the last 30 days.

import (
	"context"
	"errors"
	"html/template"
	"net/http"
	"strconv"
	"time"

	"larder/internal/problem"
	"larder/internal/wire"
	"larder/store"
	"larder/upstream"
	"larder/web/catalog"
)

// adminTab is one of the pages for administrators.
type adminTab struct{ Path, Title string }

// adminTabs are those of the navigation. Groups come between users and tokens once there are any.
var adminTabs = []adminTab{
	{"", "Overview"},
	{"/users", "Users"},
	{"/tokens", "Tokens"},
	{"/upstreams", "Upstreams"},
	{"/storage", "Storage"},
	{"/policy", "Policy"},
	{"/audit", "Audit"},
}

// rootAdmin is where the pages for administrators are.
const rootAdmin = rootOther + "/admin"

// adminPage is what all pages for administrators show.
type adminPage struct {
	Title, Here string
	Tabs        []adminTab
	Root        string // of the site
	Form        string // the token of forms
	// Done is a sentence about what was just changed, Refused one about what was not.
	Done, Refused string
	Data          any
}

// sendAdmin answers with a page for administrators, which nobody keeps.
func (p *Pages) sendAdmin(w http.ResponseWriter, r *http.Request, name string, a adminPage) error {
	f := p.frame(r, a.Title, nil)
	a.Tabs, a.Root, a.Form = adminTabs, f.Root, f.Form
	f.Data, f.Private, f.Here = a, true, "admin"
	return p.send(w, r, name, f)
}

// refuseAdmin is sendAdmin for a form that was refused: err says why; other errors than the sender's are errors.
func (p *Pages) refuseAdmin(w http.ResponseWriter, r *http.Request, name string, a adminPage, err error) error {
	status := problem.Status(err)
	if status < 400 || status >= 500 {
		return err
	}
	f := p.frame(r, a.Title, nil)
	a.Tabs, a.Root, a.Form, a.Refused = adminTabs, f.Root, f.Form, problem.Public(err)
	f.Data, f.Private, f.Here = a, true, "admin"
	return p.sendStatus(w, status, name, f)
}

// question is what is asked before something is lost.
type question struct {
	Heading string
	Texts   []string
	// List is what goes, More how much more than it shows.
	List []string
	More int
	// Action is the path of the form below the pages for administrators, Fields its values, Do the word on its button and
	// Back the page to go back to.
	Action   string
	Fields   [][2]string
	Do, Back string
}

// ask sends a page that asks; its form has sure=1 and what was filled in before.
func (p *Pages) ask(w http.ResponseWriter, r *http.Request, q question) error {
	return p.sendAdmin(w, r, "ask", adminPage{Title: q.Heading, Here: q.Back, Data: q})
}

// Ready reports whether a store takes changes, or was not meant to: what /readyz says, and why not.
func Ready(s *store.Store, startedReadOnly bool) (ready, readOnly bool, reason string) {
	err := s.Health()
	readOnly = errors.Is(err, store.ErrReadOnly)
	if err == nil || readOnly && startedReadOnly {
		return true, readOnly, ""
	}
	return false, readOnly, problem.Public(err)
}

// overview is what the first page shows.
type overview struct {
	Ready    bool
	ReadOnly bool
	Reason   string
	Damaged  int64
	Trouble  []upstream.Status // those that are not asked
	Failed   []wire.JobStatus

	Used, Free int64
	Full       *toFull
	Saved      int64
	Since      time.Time
	Days       int // since the start

	Kinds         []diskRow
	Hosted, Bytes int64 // of all kinds: published here, and copies
	Packages      int64
	Charts        []barChart
	Jobs          []jobRow
}

// toFull is when the disk is full if it goes on as it did.
type toFull struct {
	Days   int64
	PerDay int64
	Since  time.Time
}

// diskRow is what a kind takes. Shares are of the kind that takes most, for the drawing.
type diskRow struct {
	Kind             store.Kind
	Hosted, Copies   int64
	Packages         int64
	HostedAt, CopyAt string // percents
}

// jobRow is a background job.
type jobRow struct {
	wire.JobStatus
	LastText template.HTML
	TookText string
	EachText string
}

func (p *Pages) adminOverview(w http.ResponseWriter, r *http.Request, _ request) error {
	ctx, now := r.Context(), p.d.Now()
	stats, err := p.d.Wire.Store.Stats(ctx)
	if err != nil {
		return err
	}
	o := overview{
		Damaged: stats.Damaged, Used: stats.BlobBytes + stats.Database, Free: stats.Free, Since: p.since,
		Days: int(now.Sub(p.since) / (24 * time.Hour)),
	}
	o.Ready, o.ReadOnly, o.Reason = Ready(p.d.Wire.Store, p.d.ReadOnly)
	o.disk(p.d.Kinds, stats)
	if o.Full, err = p.toFull(ctx, stats); err != nil {
		return err
	}
	if err := p.charts(ctx, &o); err != nil {
		return err
	}
	if p.d.Wire.Upstreams != nil {
		for _, u := range p.d.Wire.Upstreams.Status() {
			if u.Open {
				o.Trouble = append(o.Trouble, u)
			}
		}
	}
	if p.d.Jobs != nil {
		for _, j := range p.d.Jobs() {
			if j.Error != "" {
				o.Failed = append(o.Failed, j)
			}
			o.Jobs = append(o.Jobs, jobRow{j, last(j.Last, now), took(j.Took), every(j.Every)})
		}
	}
	return p.sendAdmin(w, r, "admin", adminPage{Title: "Administration", Data: o})
}

// disk fills in what each kind takes, as /metrics says it.
func (o *overview) disk(kinds []catalog.Kind, stats store.Stats) {
	most := int64(1)
	for _, k := range kinds {
		own, copies := stats.Kinds[k.Kind], stats.Kinds[k.Kind.Copies()]
		row := diskRow{
			Kind: k.Kind, Hosted: own.Bytes, Packages: own.Packages + copies.Packages,
			Copies: stats.Kinds[k.Kind.CachedFiles()].Bytes + stats.Kinds[k.Kind.Documents()].Bytes,
		}
		o.Kinds = append(o.Kinds, row)
		o.Hosted, o.Bytes, o.Packages = o.Hosted+row.Hosted, o.Bytes+row.Copies, o.Packages+row.Packages
		most = max(most, row.Hosted+row.Copies)
	}
	for i, row := range o.Kinds {
		o.Kinds[i].HostedAt = decimal(100*float64(row.Hosted)/float64(most)) + "%"
		o.Kinds[i].CopyAt = decimal(100*float64(row.Copies)/float64(most)) + "%"
	}
}

// toFull compares with the first day of the last 30 of which it is known what was used; nil when there is none, or the
// disk does not fill.
func (p *Pages) toFull(ctx context.Context, stats store.Stats) (*toFull, error) {
	now := p.d.Now()
	days, err := p.d.Wire.Store.DiskDays(ctx, now.AddDate(0, 0, -shownDays))
	if err != nil || len(days) == 0 {
		return nil, err
	}
	first := days[0]
	passed := int64(now.Sub(first.Day) / (24 * time.Hour))
	grown := stats.BlobBytes + stats.Database - first.Blobs - first.Database
	if passed < 1 || grown < passed {
		return nil, nil
	}
	return &toFull{Days: stats.Free / (grown / passed), PerDay: grown / passed, Since: first.Day}, nil
}

// took is how long something took, with two or three digits.
func took(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return strconv.FormatInt(d.Microseconds(), 10) + "\u00a0µs"
	case d < time.Second:
		return strconv.FormatInt(d.Milliseconds(), 10) + "\u00a0ms"
	case d < time.Minute:
		return decimal(d.Seconds()) + "\u00a0s"
	case d < time.Hour:
		return decimal(d.Minutes()) + "\u00a0min"
	}
	return decimal(d.Hours()) + "\u00a0h"
}

// every is how often something is done.
func every(d time.Duration) string {
	switch {
	case d%(24*time.Hour) == 0 && d > 0:
		return pluralOf(int64(d/(24*time.Hour)), "day", "days")
	case d%time.Hour == 0 && d > 0:
		return pluralOf(int64(d/time.Hour), "hour", "hours")
	case d%time.Minute == 0 && d > 0:
		return pluralOf(int64(d/time.Minute), "minute", "minutes")
	}
	return pluralOf(int64(d/time.Second), "second", "seconds")
}
