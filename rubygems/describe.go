package rubygems

// What pages show of gems.

import (
	"context"
	"io"
	"strings"

	"larder/internal/archive"
	"larder/internal/describe"
	"larder/internal/registry"
	"larder/internal/wire"
	"larder/rubygems/gemspec"
	"larder/rubygems/names"
	"larder/rubygems/version"
	"larder/store"
)

// described answers for the gems that are here.
func (s *server) described(caller wire.Caller) describe.Kind {
	return registry.Described(registry.Describer[Meta]{
		Registry: s.Registry, Caller: caller, Changes: s.versionChanges(), Identify: Identify, Send: sendUpload,
		Owns:    mayChange,
		Compare: func(a, b string) int { return version.NewerFirst(b, a) }, IsPre: isPre,
		Brief: describeBrief, Whole: s.describeWhole,
		At: func(_ string, _ describe.Version, f describe.File) string {
			if !strings.HasSuffix(f.Name, suffixGem) {
				return ""
			}
			return "/gems/" + f.Name
		},
		Of: func(name, key string) string {
			id, _ := strings.CutPrefix(key, name+"-")
			id, gem := strings.CutSuffix(id, suffixGem)
			if !gem {
				return ""
			}
			return id
		},
		IsArchive: func(file string) bool { return strings.HasSuffix(file, suffixGem) }, ReadmeIn: readmeIn,
	})
}

// readmeIn reads the README in a gem: it is beside the gem's folders in the archive within.
func readmeIn(r io.ReaderAt, size int64, _ string) (text describe.Text, err error) {
	err = archive.Tar(io.NewSectionReader(r, 0, size), archive.Limits{Plain: true}, func(e *archive.Entry) error {
		if e.Name != "data.tar.gz" {
			return nil
		}
		found, err := archive.TarReadme(e, 0)
		text = describe.ReadmeText(found.Text, found.Name)
		return err
	})
	return text, err
}

func isPre(id string) bool {
	number, _ := version.Split(id)
	return version.IsPrerelease(number)
}

// describeBrief is what a record says.
func describeBrief(v *store.Version[Meta], to *describe.Version) {
	to.Summary = v.Meta.Summary
	if v.Meta.Platform != "ruby" {
		to.Fact("Platform", v.Meta.Platform)
	}
}

// describeWhole is what the specification says.
func (s *server) describeWhole(ctx context.Context, name string, v *store.Version[Meta], to *describe.Version) error {
	x, err := s.open(ctx, name, *v)
	if err != nil {
		return err
	}
	spec := x.spec
	to.Summary, to.License = gemspec.Text(spec.Summary), strings.Join(spec.Licenses, ", ")
	if long := gemspec.Text(spec.Description); to.Summary == "" {
		to.Summary = long
	}
	to.Link("Home page", gemspec.Text(spec.Homepage))
	for _, l := range [][2]string{
		{"source_code_uri", "Source"}, {"documentation_uri", "Documentation"}, {"bug_tracker_uri", "Issues"},
		{"changelog_uri", "Changes"}, {"wiki_uri", "Wiki"},
	} {
		to.Link(l[1], spec.Meta(l[0]))
	}
	to.Fact("Authors", strings.Join(spec.Authors, ", "))
	if !spec.RubyVersion.Trivial() {
		to.Fact("Ruby", spec.RubyVersion.Join(", "))
	}
	to.Fact("Needs", strings.Join(spec.Requirements, ", "))
	for _, d := range spec.Dependencies {
		each := describe.Dependency{Name: d.Name, Range: d.Requirement.Join(", ")}
		if names.Check(d.Name) == nil {
			each.Package = d.Name
		}
		if d.Development {
			each.Group = "dev"
		}
		to.Dependencies = append(to.Dependencies, each)
	}
	return nil
}
