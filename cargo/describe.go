package cargo

// This file says what pages show of crates.

import (
	"context"
	"io"
	"strconv"
	"strings"

	"larder/cargo/names"
	"larder/cargo/version"
	"larder/internal/archive"
	"larder/internal/describe"
	"larder/internal/registry"
	"larder/internal/semver"
	"larder/internal/wire"
	"larder/store"
)

// described answers for the crates that are here.
func (s *server) described(caller wire.Caller) describe.Kind {
	compare, isPre := semver.Order(version.Parse)
	return registry.Described(registry.Describer[Meta]{
		Registry: s.Registry, Caller: caller, Changes: s.versionChanges(), Identify: Identify, Send: sendUpload, Owns: owns,
		Compare: compare, IsPre: isPre,
		Brief: describeBrief, Whole: s.describeWhole, Text: s.readmeText,
		At: func(name string, v describe.Version, _ describe.File) string {
			return "/api/v1/crates/" + name + "/" + v.Name + "/download"
		},
		Of: func(_, key string) string { return key }, ReadmeIn: readmeIn,
	})
}

// describeBrief is what a record says.
func describeBrief(v *store.Version[Meta], to *describe.Version) {
	m := &v.Meta
	to.Name, to.Summary, to.Keywords = m.Version, m.Description, m.Keywords
	if to.License = m.License; to.License == "" && m.LicenseFile != "" {
		to.License = "in the file " + m.LicenseFile
	}
	to.Link("Home page", m.Homepage)
	to.Link("Documentation", m.Documentation)
	to.Link("Source", m.Repository)
	to.Fact("Rust", m.RustVersion)
	to.Fact("Edition", m.Edition)
	to.Fact("Categories", strings.Join(m.Categories, ", "))
	to.Fact("Programs", strings.Join(m.Bins, ", "))
	to.Fact("Links", m.Links)
	if m.Files > 0 {
		to.Fact("Archive", strconv.Itoa(m.Files)+" files")
	}
	to.Fact("Commit", m.Commit)
	to.Readme = m.Readme != part{}
}

// describeWhole is what the version's line of the index says.
func (s *server) describeWhole(ctx context.Context, name string, v *store.Version[Meta], to *describe.Version) error {
	_, line, err := s.version(ctx, name, v.Meta.Version)
	if err != nil {
		return err
	}
	for i := range line.Deps {
		d := &line.Deps[i]
		to.Dependencies = append(to.Dependencies, describe.Dependency{
			Name: d.on(), Package: names.Key(d.on()), Range: d.Req, Group: groupOf(d),
		})
	}
	return nil
}

// groupOf says when a dependency is needed.
func groupOf(d *dependency) string {
	var words []string
	if d.Kind != "normal" && d.Kind != "" {
		words = append(words, d.Kind)
	}
	if d.Optional {
		words = append(words, "optional")
	}
	if t := d.target(); t != "" {
		words = append(words, t)
	}
	return strings.Join(words, ", ")
}

func (s *server) readmeText(ctx context.Context, _ string, v *store.Version[Meta]) (describe.Text, error) {
	text := v.Meta.Readme
	if text.Blob == "" {
		return describe.ReadmeText(text.Text, v.Meta.ReadmeFile), nil
	}
	raw, err := s.Store.ReadBlob(ctx, text.Blob, maxUpload)
	return describe.ReadmeText(string(raw), v.Meta.ReadmeFile), err
}

// readmeIn reads the README in a crate of an upstream.
func readmeIn(r io.ReaderAt, size int64, _ string) (describe.Text, error) {
	found, err := archive.TarReadme(io.NewSectionReader(r, 0, size), 1)
	return describe.ReadmeText(found.Text, found.Name), err
}
