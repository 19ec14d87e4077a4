// Package audit answers npm audit from the advisories that an operator has loaded: nobody else is asked.
package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"larder/internal/advisory"
	"larder/internal/archive"
	"larder/internal/wire"
	"larder/npm/naming"
	"larder/store"
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
}

const (
	maxBody     = 32 << 20
	maxPackages = 50_000
)

var severities = []string{"info", "low", "moderate", "high", "critical"}

// About implements advisory.Advisory.
func (a Advisory) About() string { return a.Package }

// Fault implements advisory.Advisory.
func (a Advisory) Fault() string {
	switch _, ok := parseRange(a.Range); {
	case naming.Check(a.Package) != nil:
		return fmt.Sprintf("package %.80q is not a package name.", a.Package)
	case !ok:
		return fmt.Sprintf("vulnerable_versions %.80q is not a range of full versions like \">=1.0.0 <1.2.3 || 2.0.0\".", a.Range)
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
type Audit struct{ table *advisory.Table[Advisory] }

// New stands on the advisories of npm in s.
func New(s *store.Store) *Audit { return &Audit{advisory.NewTable[Advisory](s, store.NPM)} }

// Set replaces all advisories.
func (a *Audit) Set(w http.ResponseWriter, r *http.Request) error { return a.table.Set(w, r) }

// Get shows what is loaded.
func (a *Audit) Get(w http.ResponseWriter, r *http.Request) error { return a.table.Get(w, r) }

// affecting returns the advisories that some of a package's versions fall under.
func (a *Audit) affecting(ctx context.Context, versions map[string][]string) ([]Advisory, error) {
	if len(versions) > maxPackages {
		return nil, wire.Errorf(store.ErrTooLarge, "An audit has at most %d packages.", maxPackages)
	}
	names := make([]string, 0, len(versions))
	for name := range versions {
		names = append(names, name)
	}
	slices.Sort(names)
	list, err := a.table.Of(ctx, names)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(list, func(adv Advisory) bool {
		vulnerable, ok := parseRange(adv.Range)
		return !ok || !slices.ContainsFunc(versions[adv.Package], func(s string) bool {
			v, ok := naming.ParseVersion(s)
			return ok && vulnerable.contains(v)
		})
	}), nil
}

// readBody reads a body that npm and bun send gzipped.
func readBody(r *http.Request) ([]byte, error) {
	raw, err := wire.ReadBody(r, maxBody)
	if err != nil || r.Header.Get("Content-Encoding") != "gzip" {
		return raw, err
	}
	raw, err = archive.Gunzip(raw, maxBody)
	switch {
	case errors.Is(err, archive.ErrLimit):
		return nil, wire.Explain(err, store.ErrTooLarge, "The audit request unpacks to more than %d bytes.", maxBody)
	case err != nil:
		return nil, wire.Explain(err, store.ErrInvalid, "The audit request is not gzip, as its header says.")
	}
	return raw, nil
}

// Bulk answers npm 7 and later, pnpm 11, yarn 4 and bun; npm asks after every install.
func (a *Audit) Bulk(w http.ResponseWriter, r *http.Request) error {
	raw, err := readBody(r)
	if err != nil {
		return err
	}
	var versions map[string][]string
	if json.Unmarshal(raw, &versions) != nil {
		return wire.Errorf(store.ErrInvalid, "An audit request is an object of lists of versions by package.")
	}
	list, err := a.affecting(r.Context(), versions)
	if err != nil {
		return err
	}
	out := map[string][]Advisory{}
	for _, adv := range list {
		name := adv.Package
		adv.Package = ""
		out[name] = append(out[name], adv)
	}
	return wire.JSON(w, http.StatusOK, out)
}

// lockTree is what the older audits send of a lockfile: dependencies within dependencies.
type lockTree struct {
	Version      string              `json:"version"`
	Dependencies map[string]lockTree `json:"dependencies"`
}

// finding says where in the tree a vulnerable version is.
type finding struct {
	Version string   `json:"version"`
	Paths   []string `json:"paths"`
}

// collect gathers versions and the paths that lead to them.
func (t lockTree) collect(path string, into map[string]map[string][]string) {
	for name, d := range t.Dependencies {
		here := name
		if path != "" {
			here = path + ">" + name
		}
		if into[name] == nil {
			into[name] = map[string][]string{}
		}
		if paths := into[name][d.Version]; len(paths) < 100 {
			into[name][d.Version] = append(paths, here)
		}
		d.collect(here, into)
	}
}

// Quick answers npm up to 10, pnpm up to 10 and yarn 1 in the form they know.
func (a *Audit) Quick(w http.ResponseWriter, r *http.Request) error {
	raw, err := readBody(r)
	if err != nil {
		return err
	}
	var tree lockTree
	if json.Unmarshal(raw, &tree) != nil {
		return wire.Errorf(store.ErrInvalid, "An audit request is an object with a tree of dependencies.")
	}
	found := map[string]map[string][]string{}
	tree.collect("", found)
	versions := map[string][]string{}
	total := 0
	for name, byVersion := range found {
		for v := range byVersion {
			versions[name] = append(versions[name], v)
			total++
		}
	}
	list, err := a.affecting(r.Context(), versions)
	if err != nil {
		return err
	}
	counts := map[string]int{}
	for _, sev := range severities {
		counts[sev] = 0
	}
	out := map[string]any{}
	for _, adv := range list {
		vulnerable, _ := parseRange(adv.Range)
		findings := []finding{}
		for v, paths := range found[adv.Package] {
			if p, ok := naming.ParseVersion(v); ok && vulnerable.contains(p) {
				findings = append(findings, finding{v, paths})
			}
		}
		counts[adv.Severity] += len(findings)
		id := strings.Trim(string(adv.ID), `"`)
		out[id] = map[string]any{
			"id": adv.ID, "module_name": adv.Package, "title": adv.Title, "url": adv.URL, "severity": adv.Severity, "findings": findings,
			"vulnerable_versions": adv.Range, "patched_versions": "<0.0.0", "cwe": adv.CWE, "cves": []string{}, "overview": adv.Title,
			"recommendation": "", "references": "", "access": "public", "github_advisory_id": id,
		}
	}
	return wire.JSON(w, http.StatusOK, map[string]any{"actions": []any{}, "advisories": out, "muted": []any{}, "metadata": map[string]any{
		"vulnerabilities": counts, "dependencies": total, "devDependencies": 0, "optionalDependencies": 0, "totalDependencies": total,
	}})
}
