// Package audit answers npm audit from the advisories that an operator has loaded, and from what upstreams know of the
// packages that are theirs.
package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"larder/internal/advisory"
	"larder/internal/wire"
	"larder/npm/names"
	"larder/npm/version"
	"larder/store"
	"larder/upstream"
)

// Advisory is one element of the array an operator loads, and of the answers.
type Advisory struct {
	ID       json.RawMessage `json:"id"` // number or string
	Package  string          `json:"package,omitempty"`
	Title    string          `json:"title"`
	URL      string          `json:"url"`
	Severity string          `json:"severity"` // info, low, moderate, high, critical
	Range    string          `json:"vulnerable_versions"`
	CWE      []string        `json:"cwe"`
	CVSS     json.RawMessage `json:"cvss,omitempty"` // {"score": 7.5, "vectorString": "CVSS:…"}

	raw    json.RawMessage // as an upstream sent it
	unread bool            // its range is in a form that is not read here: it is about every version
}

var severities = []string{"info", "low", "moderate", "high", "critical"}

// About implements advisory.Advisory.
func (a Advisory) About() string { return a.Package }

// Fault implements advisory.Advisory.
func (a Advisory) Fault() string {
	switch _, ok := parseRange(a.Range); {
	case names.Check(a.Package) != nil:
		return fmt.Sprintf("package %.80q is not a package name.", a.Package)
	case !ok:
		return fmt.Sprintf("vulnerable_versions %.80q is not a range of full versions like \">=1.0.0 <1.2.3 || 2.0.0\".",
			a.Range)
	case !slices.Contains(severities, a.Severity):
		return fmt.Sprintf("severity %.80q is not one of %s.", a.Severity, strings.Join(severities, ", "))
	case len(a.ID) == 0 || a.Title == "":
		return "it needs an id and a title."
	case a.URL != "" && !strings.HasPrefix(a.URL, "https://") && !strings.HasPrefix(a.URL, "http://"):
		return fmt.Sprintf("url %.80q is not an http or https address.", a.URL)
	}
	return ""
}

// Audit answers the requests; see New.
type Audit struct {
	table *advisory.Table[Advisory]
	store *store.Store
	up    *upstream.Set
}

// New stands on the advisories of npm in s, and on the upstreams up, which may be nil.
func New(s *store.Store, up *upstream.Set) *Audit {
	return &Audit{advisory.NewTable[Advisory](s, store.NPM), s, up}
}

// Set replaces all advisories.
func (a *Audit) Set(w http.ResponseWriter, r *http.Request) error { return a.table.Set(w, r) }

// Get shows what is loaded.
func (a *Audit) Get(w http.ResponseWriter, r *http.Request) error { return a.table.Get(w, r) }

// audit reads a request with read and calls found with each advisory that some of its versions fall under, in the order
// of the packages' names. Few audits are computed at once; none waits for its client meanwhile.
func (a *Audit) audit(
	r *http.Request, read func(*request, io.Reader) error, found func(Advisory, []*installed),
) (*request, error) {
	ctx := r.Context()
	// What is told is about the names and versions that the client sent itself: nothing has to be left out.
	wire.Asked(ctx)
	raw, err := body(r)
	if err != nil {
		return nil, err
	}
	about, err := a.table.About(ctx)
	if err != nil {
		return nil, err
	}
	theirs, err := a.askUpstreams(ctx, raw, read, len(about) > 0)
	if err != nil {
		return nil, err
	}
	if len(theirs) > 0 {
		about = maps.Clone(about)
		for _, adv := range theirs {
			about[adv.Package] = true
		}
	}
	q := newRequest(ctx, about)
	err = a.store.Heavy(ctx, func() error {
		in, err := raw.open()
		if err != nil {
			return err
		}
		if err := read(q, in); err != nil {
			return err
		}
		return a.affecting(q, theirs, found)
	})
	return q, err
}

// askUpstreams returns what upstreams know of what is asked for; see theirs.
func (a *Audit) askUpstreams(
	ctx context.Context, raw packed, read func(*request, io.Reader) error, complete bool,
) ([]Advisory, error) {
	if a.up == nil {
		return nil, nil
	}
	var all versionsOf
	err := a.store.Heavy(ctx, func() error {
		in, err := raw.open()
		if err == nil {
			all, err = collect(ctx, read, in)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return a.theirs(ctx, all, complete)
}

// affecting compares what was asked for with what is loaded, and with what upstreams know.
func (a *Audit) affecting(q *request, theirs []Advisory, found func(Advisory, []*installed)) error {
	list, err := a.table.Of(q.ctx, slices.Sorted(maps.Keys(q.told)))
	if err != nil {
		return err
	}
	for _, adv := range merge(list, theirs) {
		if err := q.ctx.Err(); err != nil {
			return err
		}
		vulnerable, ok := parseRange(adv.Range)
		if !ok && !adv.unread {
			continue
		}
		var hit []*installed
		for _, v := range q.told[adv.Package] {
			if adv.unread || vulnerable.contains(v.v) {
				hit = append(hit, v)
			}
		}
		if len(hit) > 0 {
			found(adv, hit)
		}
	}
	return nil
}

// Bulk answers npm 7 and later, pnpm 11, yarn 4 and bun; npm asks after every install.
func (a *Audit) Bulk(w http.ResponseWriter, r *http.Request) error {
	out := map[string][]any{}
	_, err := a.audit(r, (*request).bulk, func(adv Advisory, _ []*installed) {
		name := adv.Package
		adv.Package = ""
		if adv.raw != nil {
			out[name] = append(out[name], adv.raw)
			return
		}
		out[name] = append(out[name], adv)
	})
	if err != nil {
		return err
	}
	return wire.JSON(w, http.StatusOK, out)
}

// finding says where in the tree a vulnerable version is.
type finding struct {
	Version string   `json:"version"`
	Paths   []string `json:"paths"`
}

// Quick answers npm up to 10, pnpm up to 10 and yarn 1 in the form they know.
func (a *Audit) Quick(w http.ResponseWriter, r *http.Request) error {
	counts := map[string]int{}
	for _, sev := range severities {
		counts[sev] = 0
	}
	out := map[string]any{}
	q, err := a.audit(r, (*request).tree, func(adv Advisory, hit []*installed) {
		findings := []finding{}
		for _, v := range hit {
			findings = append(findings, finding{v.text, v.paths})
		}
		counts[adv.Severity] += len(findings)
		id := strings.Trim(string(adv.ID), `"`)
		out[id] = map[string]any{
			"id": adv.ID, "module_name": adv.Package, "title": adv.Title, "url": adv.URL, "severity": adv.Severity,
			"findings": findings, "vulnerable_versions": adv.Range, "patched_versions": "<0.0.0", "cwe": adv.CWE,
			"cves": []string{}, "overview": adv.Title, "recommendation": "", "references": "", "access": "public",
			"github_advisory_id": id,
		}
	})
	if err != nil {
		return err
	}
	total := len(q.distinct)
	return wire.JSON(w, http.StatusOK, map[string]any{"actions": []any{}, "advisories": out, "muted": []any{},
		"metadata": map[string]any{
			"vulnerabilities": counts, "dependencies": total, "devDependencies": 0, "optionalDependencies": 0,
			"totalDependencies": total,
		}})
}

// Loaded returns the advisories about a version of a package that an operator has loaded.
func (a *Audit) Loaded(ctx context.Context, name, id string) (list []Advisory, err error) {
	about, err := a.table.About(ctx)
	if err != nil || !about[name] {
		return nil, err
	}
	v, ok := version.Parse(id)
	if !ok {
		return nil, nil
	}
	all, err := a.table.Of(ctx, []string{name})
	for _, adv := range all {
		if vulnerable, ok := parseRange(adv.Range); ok && vulnerable.contains(v) {
			list = append(list, adv)
		}
	}
	return list, err
}
