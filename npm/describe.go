package npm

// What pages show of npm's packages.

import (
	"context"
	"encoding/json"
	"io"
	"slices"
	"strings"

	"larder/internal/archive"
	"larder/internal/describe"
	"larder/internal/rawjson"
	"larder/internal/registry"
	"larder/internal/semver"
	"larder/internal/wire"
	"larder/npm/names"
	"larder/npm/putdoc"
	"larder/npm/version"
	"larder/store"
)

// described answers for the packages that are here.
func (s *server) described(caller wire.Caller) describe.Kind {
	compare, isPre := semver.Order(version.Parse)
	return registry.Described(registry.Describer[Meta]{
		Registry: s.Registry, Caller: caller, Changes: s.versionChanges(), Identify: Identify, Send: sendUpload,
		Compare: compare, IsPre: isPre, Latest: "latest",
		Brief: describeBrief, Whole: s.describeWhole,
		Text: s.readmeText,
		At: func(name string, _ describe.Version, f describe.File) string {
			return tarballPath(escapeName(name), f.Name)
		},
		Of: versionOf, ReadmeIn: readmeIn, Advised: s.advised,
	})
}

// describeBrief is what a record says without its manifest.
func describeBrief(v *store.Version[Meta], to *describe.Version) {
	to.Deprecated, to.Readme = v.Meta.Deprecated, v.Meta.Readme.JSON != nil || v.Meta.Readme.Blob != ""
	if m, err := rawjson.Parse(v.Meta.Manifest.JSON); err == nil {
		to.Summary, to.License = m.Text("description"), license(m)
	}
	for i := range to.Files {
		f := &to.Files[i]
		f.Sums = slices.DeleteFunc(f.Sums, func(s describe.Sum) bool { return s.Algorithm == "sha512" })
		f.Sums = append(f.Sums, describe.Sum{Algorithm: "integrity", Value: v.Meta.Integrity})
	}
}

// license reads all forms that package.json has had.
func license(m rawjson.Object) string {
	if text := m.Text("license"); text != "" {
		return text
	}
	return m.Sub("license").Text("type")
}

// describeWhole is what the manifest says.
func (s *server) describeWhole(ctx context.Context, _ string, v *store.Version[Meta], to *describe.Version) error {
	raw, err := s.ReadPart(ctx, v.Meta.Manifest, putdoc.MaxManifest*2)
	if err != nil {
		return err
	}
	m, err := rawjson.Parse(raw)
	if err != nil {
		return nil // nothing more is known of it
	}
	to.Summary, to.License, to.Keywords = m.Text("description"), license(m), describe.Strings(m.Get("keywords"))
	for _, l := range [][2]string{{"homepage", "Home page"}, {"repository", "Source"}, {"bugs", "Issues"}} {
		address := m.Text(l[0])
		if address == "" {
			address = m.Sub(l[0]).Text("url")
		}
		to.Link(l[1], address)
	}
	for _, e := range m.Sub("engines") {
		to.Fact("Engines", e.Key+" "+rawjson.TextOf(e.Value))
	}
	optional := m.Sub("peerDependenciesMeta")
	for _, group := range []string{"dependencies", "optionalDependencies", "peerDependencies", "devDependencies"} {
		for _, d := range m.Sub(group) {
			to.Dependencies = append(to.Dependencies, dependency(d, groups[group], optional))
		}
	}
	for _, field := range v.Meta.Differs {
		to.Warnings = append(to.Warnings,
			"The field "+field+" of the published document is not that of the archive's package.json, which counts.")
	}
	if v.Meta.Predicate != "" {
		to.Fact("Provenance", v.Meta.Predicate+", as published; not checked here")
	}
	return nil
}

// groups are the words for when a dependency is needed.
var groups = map[string]string{"optionalDependencies": "optional", "peerDependencies": "peer", "devDependencies": "dev"}

func dependency(m rawjson.Member, group string, optional rawjson.Object) describe.Dependency {
	d := describe.Dependency{Name: m.Key, Range: rawjson.TextOf(m.Value), Group: group}
	if names.Check(m.Key) == nil {
		d.Package = m.Key
	}
	var yes bool
	if group == "peer" && json.Unmarshal(optional.Sub(m.Key).Get("optional"), &yes) == nil && yes {
		d.Group = "peer, optional"
	}
	return d
}

func (s *server) readmeText(ctx context.Context, _ string, v *store.Version[Meta]) (describe.Text, error) {
	raw, err := s.ReadPart(ctx, v.Meta.Readme, putdoc.MaxManifest*2)
	return describe.ReadmeText(rawjson.TextOf(raw), v.Meta.ReadmeName), err
}

// readmeIn reads the README in a tarball of an upstream: it lies in the one folder of the tarball.
func readmeIn(r io.ReaderAt, size int64, _ string) (describe.Text, error) {
	found, err := archive.TarReadme(io.NewSectionReader(r, 0, size), 1)
	return describe.ReadmeText(found.Text, found.Name), err
}

// advised are the advisories that an operator has loaded.
func (s *server) advised(ctx context.Context, name, version string) (out []describe.Advisory, err error) {
	list, err := s.audit.Loaded(ctx, name, version)
	for _, a := range list {
		out = append(out, describe.Advisory{
			ID: strings.Trim(string(a.ID), `"`), Title: a.Title, Severity: a.Severity, Affects: a.Range, URL: a.URL,
		})
	}
	return out, err
}
