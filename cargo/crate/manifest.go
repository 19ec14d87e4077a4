package crate

// Cargo.toml, and whether it says what the request says. What is built is the archive, what is resolved the request's
// JSON: if they differ, somebody is to be deceived, or a tool is broken.

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"larder/internal/problem"
)

// Manifest is what Larder reads of Cargo.toml.
type Manifest struct {
	Name, Version string
	Edition       string
	RustVersion   string
	Links         string
	Features      map[string][]string
	Dependencies  []Dependency

	lib   table // nil without [lib]
	bins  []string
	build any // path, list of paths, false, or absent
}

const badManifest = "The crate's Cargo.toml cannot be used: %s"

func manifestError(format string, args ...any) error {
	return problem.Errorf(problem.ErrInvalid, badManifest, fmt.Sprintf(format, args...))
}

// ParseManifest reads a Cargo.toml as cargo packs it: normalised, with nothing left to inherit from a workspace.
// problem.ErrInvalid.
func ParseManifest(raw []byte) (*Manifest, error) {
	doc, err := parseTOML(raw)
	if err != nil {
		return nil, err
	}
	pkg, old := doc.sub("package"), doc.sub("project") // as [package] was called once
	if (pkg == nil) == (old == nil) {
		return nil, manifestError("it has no [package], or two.")
	}
	if pkg == nil {
		pkg = old
	}
	for key, v := range pkg {
		if inherits(v) {
			return nil, manifestError("package.%.80s is inherited from a workspace.", key)
		}
	}
	m := &Manifest{
		Name: pkg.text("name"), Version: pkg.text("version"), Edition: cmp.Or(pkg.text("edition"), "2015"),
		RustVersion: pkg.text("rust-version"), Links: pkg.text("links"), Features: map[string][]string{},
		lib: doc.sub("lib"), build: pkg["build"],
	}
	features := doc.sub("features")
	for name := range features {
		m.Features[name] = features.list(name)
	}
	bins, _ := doc["bin"].([]map[string]any)
	for _, b := range bins {
		m.bins = append(m.bins, table(b).text("name"))
	}
	if err := CheckRustVersion(m.RustVersion); err != nil {
		return nil, err
	}
	return m, m.readDependencies(doc)
}

func inherits(v any) bool {
	t, ok := v.(map[string]any)
	return ok && table(t).flag(false, "workspace")
}

// readDependencies collects those of all sections.
func (m *Manifest) readDependencies(doc table) error {
	if err := m.readSections(doc, ""); err != nil {
		return err
	}
	targets := doc.sub("target")
	for target := range targets {
		if err := m.readSections(targets.sub(target), target); err != nil {
			return err
		}
	}
	return nil
}

// sections are the names of the tables of dependencies, old spellings included.
var sections = map[string]string{
	"dependencies": "normal", "build-dependencies": "build", "build_dependencies": "build", "dev-dependencies": "dev", "dev_dependencies": "dev",
}

func (m *Manifest) readSections(doc table, target string) error {
	for section, kind := range sections {
		for alias, v := range doc.sub(section) {
			d, err := readDependency(alias, v)
			if err != nil {
				return err
			}
			d.Kind, d.Target = kind, target
			m.Dependencies = append(m.Dependencies, d)
		}
	}
	return nil
}

func readDependency(alias string, v any) (Dependency, error) {
	var t table
	switch v := v.(type) {
	case string:
		t = table{"version": v}
	case map[string]any:
		t = v
	default:
		return Dependency{}, manifestError("the dependency %.80s is neither a version nor a table.", alias)
	}
	d := Dependency{
		Name: cmp.Or(t.text("package"), alias), Alias: alias, Req: cmp.Or(t.text("version"), "*"), Registry: t.text("registry-index"),
		Optional: t.flag(false, "optional"), DefaultFeatures: t.flag(true, "default-features", "default_features"), Features: t.list("features"),
	}
	if inherits(v) {
		return d, manifestError("the dependency %.80s is inherited from a workspace.", alias)
	}
	if CheckReq(d.Req) != nil {
		return d, manifestError("the dependency %.80s has the version %.80q, which is no requirement.", alias, d.Req)
	}
	return d, nil
}

// CratesIndex is how cargo names the public registry in a dependency, also when another one takes its place.
const CratesIndex = "https://github.com/rust-lang/crates.io-index"

// Agrees compares the archive with the request. Which registry a dependency comes from is said differently: cargo leaves
// out the one that is published to in the request, and the public one in Cargo.toml. problem.ErrInvalid.
func (m *Manifest) Agrees(name, version, links string, deps []Dependency, features map[string][]string) error {
	if m.Name != name || m.Version != version {
		return problem.Errorf(problem.ErrInvalid, "The request is about %s %s, but the crate's Cargo.toml about %.80s %.80s.", name, version, m.Name, m.Version)
	}
	if m.Links != links {
		return differs("links")
	}
	own, sent := make([]string, 0, len(m.Dependencies)), make([]string, 0, len(deps))
	for _, d := range m.Dependencies {
		own = append(own, d.text(strings.TrimPrefix(d.Registry, CratesIndex)))
	}
	slices.Sort(own)
	for _, d := range deps {
		sent = append(sent, sentText(d, own))
	}
	slices.Sort(sent)
	if called, same := firstDifference(sent, own); !same {
		return differs("the dependency " + called)
	}
	return m.sameFeatures(features)
}

// sentText is the text of the request's dependency as Cargo.toml would have it.
func sentText(d Dependency, own []string) string {
	switch d.Registry {
	case "":
		// The one that is published to, whatever address Cargo.toml knows it by: the address is last in the text.
		text := d.text("")
		if i, _ := slices.BinarySearch(own, text); i < len(own) && strings.HasPrefix(own[i], text) {
			return own[i]
		}
		return text
	case CratesIndex:
		return d.text("")
	}
	return d.text(d.Registry)
}

func (m *Manifest) sameFeatures(features map[string][]string) error {
	for name, values := range m.Features {
		sent, ok := features[name]
		if !ok || !slices.Equal(slices.Sorted(slices.Values(values)), slices.Sorted(slices.Values(sent))) {
			return differs("the feature " + name)
		}
	}
	for name := range features {
		if _, ok := m.Features[name]; !ok {
			return differs("the feature " + name)
		}
	}
	return nil
}

func differs(what string) error {
	return problem.Errorf(problem.ErrInvalid, "The request and the crate's Cargo.toml differ in %.120s.", what)
}

// firstDifference names the first of two sorted lists that the other lacks.
func firstDifference(a, b []string) (called string, same bool) {
	for i := range max(len(a), len(b)) {
		switch {
		case i >= len(a):
			called = b[i]
		case i >= len(b) || a[i] < b[i]:
			called = a[i]
		case a[i] > b[i]:
			called = b[i]
		default:
			continue
		}
		called, _, _ = strings.Cut(called, "\x00")
		return called, false
	}
	return "", true
}
