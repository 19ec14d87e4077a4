package archive

// This file reads Cargo.toml.

import (
	"cmp"
	"fmt"

	"larder/cargo/version"
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
	if err := version.CheckRust(m.RustVersion); err != nil {
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
	"dependencies":       "normal",
	"build-dependencies": "build",
	"build_dependencies": "build",
	"dev-dependencies":   "dev",
	"dev_dependencies":   "dev",
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
		Name:            cmp.Or(t.text("package"), alias),
		Alias:           alias,
		Req:             cmp.Or(t.text("version"), "*"),
		Registry:        t.text("registry-index"),
		Optional:        t.flag(false, "optional"),
		DefaultFeatures: t.flag(true, "default-features", "default_features"),
		Features:        t.list("features"),
	}
	if inherits(v) {
		return d, manifestError("the dependency %.80s is inherited from a workspace.", alias)
	}
	if version.CheckRequirement(d.Req) != nil {
		return d, manifestError("the dependency %.80s has the version %.80q, which is no requirement.", alias, d.Req)
	}
	return d, nil
}
