package maven

// What pages show of artifacts.

import (
	"context"
	"maps"
	"slices"
	"strings"

	"larder/internal/describe"
	"larder/internal/registry"
	"larder/internal/wire"
	"larder/maven/names"
	"larder/maven/pom"
	"larder/maven/version"
	"larder/store"
)

// described answers for the artifacts that are here.
func (s *server) described(caller wire.Caller) describe.Kind {
	return registry.Described(registry.Describer[Meta]{
		Registry: s.Registry, Caller: caller, Changes: s.versionChanges(), Identify: Identify, Send: sendUpload,
		Compare: version.Compare, IsPre: isPre, Brief: describeBrief, Whole: s.describeWhole,
		Lists: func(v *store.Version[Meta]) bool { return !v.Meta.Open },
		At: func(name string, _ describe.Version, f describe.File) string {
			return "/" + names.Escape(names.FilePath(name, f.Name))
		},
		Of: func(name, key string) string {
			if release, ok := names.CopyVersion(name, key); ok {
				return release
			}
			release, file, found := strings.Cut(key, "/")
			if _, artifact := names.SplitName(name); !found || !strings.HasPrefix(file, artifact+"-") {
				return ""
			}
			return release
		},
	})
}

// isPre reports whether a version is a snapshot or has a qualifier that Maven orders before the release.
func isPre(id string) bool {
	lower := strings.ToLower(id)
	return strings.HasSuffix(lower, "-snapshot") ||
		slices.ContainsFunc([]string{"-alpha", "-beta", "-milestone", "-rc", "-cr", "-m"}, func(q string) bool {
			_, behind, found := strings.Cut(lower, q)
			return found && strings.Trim(behind, ".-0123456789") == ""
		})
}

// describeBrief is what a record says.
func describeBrief(v *store.Version[Meta], to *describe.Version) {
	if v.Meta.Base != v.ID {
		to.Fact("Snapshot", v.Meta.Base)
		to.Pre = true
	}
	if p := v.Meta.POM; p != nil {
		to.Summary, to.License = p.Description, strings.Join(p.Licenses, ", ")
		to.Fact("Title", p.Name)
		to.Fact("Packaging", p.Packaging)
		to.Fact("Parent", p.Parent)
		to.Fact("Moved to", p.Relocation)
		to.Link("Home page", p.URL)
		if p.Relocation != "" {
			to.Deprecated = strings.TrimSpace("It has moved to " + p.Relocation + ". " + p.Message)
		}
	}
	for _, file := range slices.Sorted(maps.Keys(v.Meta.Warnings)) {
		to.Warnings = append(to.Warnings, v.Meta.Warnings[file]...)
	}
	for _, file := range slices.Sorted(maps.Keys(v.Meta.Broken)) {
		to.Warnings = append(to.Warnings, file+": "+v.Meta.Broken[file])
	}
}

// describeWhole is what the version's POM and its parents say.
func (s *server) describeWhole(ctx context.Context, name string, v *store.Version[Meta], to *describe.Version) error {
	group, artifact := names.SplitName(name)
	info, err := s.versionInfo(ctx, Request{Group: group, Artifact: artifact, Version: v.Meta.Base, Name: name}, *v)
	if err != nil {
		return err
	}
	if p := info.Project; p != nil {
		to.Fact("Needs the parent", p.Missing)
	}
	for _, d := range info.Dependencies {
		to.Dependencies = append(to.Dependencies, describe.Dependency{
			Name:    names.PackageName(string(d.Group), string(d.Artifact)),
			Package: names.PackageName(string(d.Group), string(d.Artifact)),
			Range:   string(d.Version), Group: scopeOf(d),
		})
	}
	return nil
}

// scopeOf says when a dependency is needed; compile is always.
func scopeOf(d pom.Dependency) string {
	scope := string(d.Scope)
	if scope == "compile" {
		scope = ""
	}
	if d.Optional == "true" {
		scope = strings.TrimPrefix(scope+", optional", ", ")
	}
	return scope
}
