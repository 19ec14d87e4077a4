package composer

// What pages show of Composer's packages.

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"larder/composer/manifest"
	"larder/composer/names"
	"larder/composer/version"
	"larder/internal/archive"
	"larder/internal/describe"
	"larder/internal/rawjson"
	"larder/internal/registry"
	"larder/internal/wire"
	"larder/store"
)

// described answers for the packages that are here.
func (s *server) described(caller wire.Caller) describe.Kind {
	return registry.Described(registry.Describer[Meta]{
		Registry: s.Registry, Caller: caller, Changes: s.versionChanges(), Identify: Identify, Send: sendUpload,
		Compare: compareIDs, Brief: describeBrief, Whole: s.describeWhole,
		IsPre: func(id string) bool { return !version.IsStable(recorded(id)) },
		At: func(name string, _ describe.Version, f describe.File) string {
			return "/dists/" + name + "/" + escapeVersion(f.Name)
		},
		Of: func(_, key string) string {
			normalized, _, _ := strings.Cut(key, "/")
			return normalized
		},
		ReadmeIn: readmeIn, Advised: s.advisedOf,
	})
}

// readmeIn reads the README in a dist: beside composer.json, which lies in one folder or none.
func readmeIn(r io.ReaderAt, size int64, _ string) (describe.Text, error) {
	found, err := archive.ZipReadme(r, size)
	for depth := 1; depth >= 0 && errors.Is(err, archive.ErrFormat); depth-- {
		var inTar archive.Readme
		inTar, tarErr := archive.TarReadme(io.NewSectionReader(r, 0, size), depth)
		if tarErr != nil {
			return describe.Text{}, tarErr
		}
		if found = inTar; found.Name != "" || depth == 0 {
			err = nil
		}
	}
	return describe.ReadmeText(found.Text, found.Name), err
}

// recorded is the normalised version in a record's ID: that of a branch's state has a reference behind it.
func recorded(id string) string {
	normalized, _, _ := strings.Cut(id, "#")
	return normalized
}

func compareIDs(a, b string) int {
	return version.PlaceOf(recorded(b)).Compare(version.PlaceOf(recorded(a))) // places are newest first
}

// describeBrief is what a record says.
func describeBrief(v *store.Version[Meta], to *describe.Version) {
	sum := &v.Meta.Summary
	to.Name, to.Summary, to.Keywords = v.Meta.Version, sum.Description, sum.Keywords
	to.Fact("Type", sum.Type)
	to.Fact("Reference", v.Meta.Reference)
	to.Link("Source", sum.Repository)
	to.Deprecated = abandoned(sum.Abandoned)
}

// abandoned is the field of that name as a sentence.
func abandoned(raw json.RawMessage) string {
	switch instead := rawjson.TextOf(raw); {
	case instead != "":
		return "It is abandoned; " + instead + " takes its place."
	case string(raw) == "true":
		return "It is abandoned."
	}
	return ""
}

// describeWhole is what composer.json says.
func (s *server) describeWhole(ctx context.Context, _ string, v *store.Version[Meta], to *describe.Version) error {
	raw, err := s.ReadPart(ctx, v.Meta.Entry, maxEntry)
	if err != nil {
		return err
	}
	m, err := rawjson.Parse(raw)
	if err != nil {
		return nil // nothing more is known of it
	}
	to.License = strings.Join(describe.Strings(m.Get("license")), ", ")
	to.Link("Home page", m.Text("homepage"))
	for _, l := range [][2]string{{"docs", "Documentation"}, {"issues", "Issues"}, {"source", "Source"}} {
		to.Link(l[1], m.Sub("support").Text(l[0]))
	}
	for _, group := range [][2]string{{"require", ""}, {"require-dev", "dev"}} {
		for _, d := range m.Sub(group[0]) {
			each := describe.Dependency{Name: d.Key, Range: rawjson.TextOf(d.Value), Group: group[1]}
			if name, err := names.Parse(d.Key); err == nil && strings.Contains(name, "/") {
				each.Package = name
			}
			to.Dependencies = append(to.Dependencies, each)
		}
	}
	return nil
}

// advisedOf are the advisories about a package that an operator has loaded; clients compare the versions.
func (s *server) advisedOf(ctx context.Context, name, _ string) (out []describe.Advisory, err error) {
	about, err := s.advised.About(ctx)
	if err != nil || !about[name] {
		return nil, err
	}
	list, err := s.advised.Of(ctx, []string{name})
	for _, a := range list {
		one := describe.Advisory{ID: a.ID, Title: a.Title, Affects: a.Affected}
		if a.Severity != nil {
			one.Severity = *a.Severity
		}
		if a.Link != nil && manifest.WebURL(*a.Link) != "" {
			one.URL = *a.Link
		}
		out = append(out, one)
	}
	return out, err
}
