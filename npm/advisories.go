package npm

// npm audit, answered from advisories that an operator loads: PUT /-/larder/advisories with a JSON array replaces them all.
// Nothing is asked of anybody else, so no name of a private package leaves the house.

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"larder/internal/archive"
	"larder/internal/wire"
	"larder/store"
)

// advisory is one element of the array an operator loads, and of the answers.
type advisory struct {
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
	advisoryTable  = "advisories" // package 0x00 number → advisory
	maxAdvisories  = 64 << 20     // bytes of the array
	maxAuditBody   = 32 << 20
	maxAuditedPkgs = 50_000
)

var severities = []string{"info", "low", "moderate", "high", "critical"}

func (a *advisory) check(i int) error {
	wrong := func(format string, args ...any) error {
		return wire.Errorf(store.ErrInvalid, "Advisory %d: %s", i, fmt.Sprintf(format, args...))
	}
	switch _, ok := parseRange(a.Range); {
	case checkName(a.Package) != nil:
		return wrong("package %.80q is not a package name.", a.Package)
	case !ok:
		return wrong("vulnerable_versions %.80q is not a range of full versions like \">=1.0.0 <1.2.3 || 2.0.0\".", a.Range)
	case !slices.Contains(severities, a.Severity):
		return wrong("severity %.80q is not one of %s.", a.Severity, strings.Join(severities, ", "))
	case len(a.ID) == 0 || a.Title == "":
		return wrong("it needs an id and a title.")
	case a.URL != "" && webURL(a.URL) == "":
		return wrong("url %.80q is not an http or https address.", a.URL)
	}
	return nil
}

// setAdvisories replaces all advisories.
func (s *server) setAdvisories(w http.ResponseWriter, r *http.Request, _ Request) error {
	raw, err := wire.ReadBody(r, maxAdvisories)
	if err != nil {
		return err
	}
	var list []advisory
	if err := json.Unmarshal(raw, &list); err != nil {
		return wire.Errorf(store.ErrInvalid, "The advisories are not a JSON array of objects.")
	}
	for i := range list {
		if err := list[i].check(i); err != nil {
			return err
		}
	}
	err = s.store.Update(r.Context(), func(tx *store.Tx) error {
		table := s.repo.KindIndex(tx, advisoryTable)
		for k := range table.Scan(nil, nil) {
			if err := table.Delete(bytes.Clone(k)); err != nil {
				return err
			}
		}
		for i, a := range list {
			b, err := json.Marshal(a)
			if err != nil {
				return err
			}
			if err := table.Put([]byte(a.Package+"\x00"+strconv.Itoa(i)), b); err != nil {
				return err
			}
		}
		tx.Log(store.Entry{Kind: store.NPM, Op: opJournalAdvisories, Note: strconv.Itoa(len(list)) + " advisories loaded"})
		return nil
	})
	if err != nil {
		return err
	}
	return wire.JSON(w, http.StatusOK, map[string]int{"advisories": len(list)})
}

// getAdvisories shows what is loaded, in the form it was loaded in.
func (s *server) getAdvisories(w http.ResponseWriter, r *http.Request, _ Request) error {
	list, err := s.advisories(r.Context(), []string{""})
	if err != nil {
		return err
	}
	return wire.JSON(w, http.StatusOK, list)
}

// advisories reads those of packages; the name "" stands for all.
func (s *server) advisories(ctx context.Context, names []string) ([]advisory, error) {
	list := []advisory{}
	err := s.store.View(ctx, func(tx *store.Tx) error {
		for _, name := range names {
			var from []byte
			if name != "" {
				from = []byte(name + "\x00")
			}
			for _, b := range s.repo.KindIndex(tx, advisoryTable).Scan(from, nil) {
				var a advisory
				if err := json.Unmarshal(b, &a); err != nil {
					return fmt.Errorf("advisory of %s: %w", name, err)
				}
				list = append(list, a)
			}
		}
		return nil
	})
	return list, err
}

// affecting returns the advisories that some of a package's versions fall under.
func (s *server) affecting(ctx context.Context, versions map[string][]string) ([]advisory, error) {
	if len(versions) > maxAuditedPkgs {
		return nil, wire.Errorf(store.ErrTooLarge, "An audit has at most %d packages.", maxAuditedPkgs)
	}
	names := make([]string, 0, len(versions))
	for name := range versions {
		if name != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	list, err := s.advisories(ctx, names)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(list, func(a advisory) bool {
		vulnerable, ok := parseRange(a.Range)
		return !ok || !slices.ContainsFunc(versions[a.Package], func(s string) bool {
			v, ok := parseVersion(s)
			return ok && vulnerable.contains(v)
		})
	}), nil
}

// auditBody reads a body that npm and bun send gzipped.
func auditBody(r *http.Request) ([]byte, error) {
	raw, err := wire.ReadBody(r, maxAuditBody)
	if err != nil || r.Header.Get("Content-Encoding") != "gzip" {
		return raw, err
	}
	raw, err = archive.Gunzip(raw, maxAuditBody)
	switch {
	case errors.Is(err, archive.ErrLimit):
		return nil, &explained{err, wire.Errorf(store.ErrTooLarge, "The audit request unpacks to more than %d bytes.", maxAuditBody)}
	case err != nil:
		return nil, &explained{err, wire.Errorf(store.ErrInvalid, "The audit request is not gzip, as its header says.")}
	}
	return raw, nil
}

// auditBulk answers npm 7 and later, pnpm 11, yarn 4 and bun; npm asks after every install.
func (s *server) auditBulk(w http.ResponseWriter, r *http.Request, _ Request) error {
	if err := s.mayList(r.Context()); err != nil {
		return err
	}
	raw, err := auditBody(r)
	if err != nil {
		return err
	}
	var versions map[string][]string
	if json.Unmarshal(raw, &versions) != nil {
		return wire.Errorf(store.ErrInvalid, "An audit request is an object of lists of versions by package.")
	}
	list, err := s.affecting(r.Context(), versions)
	if err != nil {
		return err
	}
	out := map[string][]advisory{}
	for _, a := range list {
		name := a.Package
		a.Package = ""
		out[name] = append(out[name], a)
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

// auditQuick answers npm up to 10, pnpm up to 10 and yarn 1 in the form they know.
func (s *server) auditQuick(w http.ResponseWriter, r *http.Request, _ Request) error {
	if err := s.mayList(r.Context()); err != nil {
		return err
	}
	raw, err := auditBody(r)
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
	list, err := s.affecting(r.Context(), versions)
	if err != nil {
		return err
	}
	counts := map[string]int{}
	for _, sev := range severities {
		counts[sev] = 0
	}
	out := map[string]any{}
	for _, a := range list {
		vulnerable, _ := parseRange(a.Range)
		findings := []finding{}
		for v, paths := range found[a.Package] {
			if p, ok := parseVersion(v); ok && vulnerable.contains(p) {
				findings = append(findings, finding{v, paths})
			}
		}
		counts[a.Severity] += len(findings)
		id := strings.Trim(string(a.ID), `"`)
		out[id] = map[string]any{
			"id": a.ID, "module_name": a.Package, "title": a.Title, "url": a.URL, "severity": a.Severity, "findings": findings,
			"vulnerable_versions": a.Range, "patched_versions": "<0.0.0", "cwe": a.CWE, "cves": []string{}, "overview": a.Title,
			"recommendation": "", "references": "", "access": "public", "github_advisory_id": id,
		}
	}
	return wire.JSON(w, http.StatusOK, map[string]any{"actions": []any{}, "advisories": out, "muted": []any{}, "metadata": map[string]any{
		"vulnerabilities": counts, "dependencies": total, "devDependencies": 0, "optionalDependencies": 0, "totalDependencies": total,
	}})
}
