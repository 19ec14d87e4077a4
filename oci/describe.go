package oci

// What pages show of repositories: a version is a manifest, by its digest.

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"larder/auth"
	"larder/internal/describe"
	"larder/internal/registry"
	"larder/internal/wire"
	"larder/oci/manifest"
	"larder/store"
)

const (
	typeHelm      = "application/vnd.cncf.helm.config.v1+json"
	typeInToto    = "application/vnd.in-toto"
	maxConfig     = 4 << 20 // bytes of a configuration that is read
	maxTagsLooked = 500     // tags that are looked at for the one that was moved last
	annotation    = "org.opencontainers.image."
)

// described answers for the repositories that are here.
func (s *server) described(caller wire.Caller) describe.Kind {
	return described{s, registry.Described(registry.Describer[Meta]{
		Registry: s.Registry, Caller: caller, Changes: s.versionChanges(),
		Compare: strings.Compare, IsPre: func(string) bool { return false },
		Choose: newestTagged, Brief: describeBrief, Sized: sized, Whole: s.describeWhole, Text: s.readmeText,
		Matches: s.matches, Kept: s.keptManifests, WholeCopy: s.describeCopy, CopyText: s.readmeOfCopy, CopyName: s.copyName,
		At: func(name string, v describe.Version, f describe.File) string {
			if f.Name == v.ID {
				return "/" + name + "/manifests/" + f.Name
			}
			return "/" + name + "/blobs/" + f.Name
		},
	})}
}

// described is describe.Images.
type described struct {
	s *server
	*registry.Describer[Meta]
}

// newestTagged is the manifest that the tag latest points at, or the one that was tagged last.
func newestTagged(tx *store.PackageTx[Meta]) (id string, err error) {
	t, err := tx.Tag("latest")
	if err == nil || !errors.Is(err, store.ErrNotFound) {
		return t.Version, err
	}
	looked := 0
	for each, err := range tx.Tags("") {
		if err != nil {
			return "", err
		}
		if each.Updated.After(t.Updated) && !isFallback(each.Name) {
			t = each
		}
		if looked++; looked == maxTagsLooked {
			break
		}
	}
	return t.Version, nil
}

// isFallback reports whether a tag is a list of referrers rather than a name for people.
func isFallback(tag string) bool {
	return strings.HasPrefix(tag, "sha256-") || strings.HasPrefix(tag, "sha512-")
}

// matches finds repositories with all words in their names, and by the digest of something they hold.
func (s *server) matches(ctx context.Context, words []string) (out []describe.Match, err error) {
	if d := digest.Digest(words[0]); len(words) == 1 && d.Validate() == nil {
		return s.holders(ctx, d)
	}
	view := s.ViewAs(ctx, wire.IdentityFrom(ctx).Credential())
	err = s.Store.Heavy(ctx, func() error {
		found, _, err := s.walk(ctx, view, "", store.MaxMatches, withWords(words))
		for _, p := range found {
			out = append(out, describe.Match{Name: p.Name, Score: score(p.Name, words), Copy: p.copy})
		}
		return err
	})
	slices.SortStableFunc(out, func(a, b describe.Match) int { return cmp.Compare(b.Score, a.Score) })
	return out, err
}

// score weighs a name as the store's searches do: a whole component counts most.
func score(name string, words []string) (sum int) {
	for _, word := range words {
		switch parts := strings.FieldsFunc(name, func(r rune) bool { return strings.ContainsRune("/._-", r) }); {
		case name == word:
			sum += 240
		case slices.Contains(parts, word):
			sum += 80
		default:
			sum += max(60*len(word)/len(name), 1)
		}
	}
	return sum
}

func (s *server) holders(ctx context.Context, d digest.Digest) (out []describe.Match, err error) {
	const most = 100
	list, err := s.Store.Holders(ctx, store.OCI, d, "", most)
	for _, name := range list {
		if s.MayAs(ctx, wire.IdentityFrom(ctx).Credential(), auth.Read, name) == nil {
			out = append(out, describe.Match{Name: name, Score: 1})
		}
	}
	return out, err
}

// describeBrief is what a record says.
func describeBrief(v *store.Version[Meta], to *describe.Version) {
	to.Name = tagName(to.Tags, v.ID)
	to.Chart = v.Meta.ConfigType == typeHelm
	to.Files = to.Files[:0]
	for _, f := range v.Files {
		to.Files = append(to.Files, describe.File{
			Name: f.Digest.String(), Size: f.Size, Type: f.Type, Note: roleOf(v, f.Digest),
		})
	}
	annotated(v.Meta.Annotations, to)
}

func roleOf(v *store.Version[Meta], d digest.Digest) string {
	switch {
	case d.String() == v.ID:
		return "manifest"
	case d == v.Meta.Config:
		return "config"
	}
	return "layer"
}

// tagName is how people call a manifest: by its longest tag that is none of the usual moving ones.
func tagName(tags []string, id string) string {
	best := ""
	for _, t := range tags {
		if !isFallback(t) && (best == "" || best == "latest" || t != "latest" && len(t) > len(best)) {
			best = t
		}
	}
	return cmp.Or(best, id)
}

// annotated takes what the annotations or labels of the image specification say.
func annotated(a map[string]string, to *describe.Version) {
	to.Summary = cmp.Or(to.Summary, a[annotation+"description"], a[annotation+"title"])
	to.License = cmp.Or(to.License, a[annotation+"licenses"])
	if len(to.Links) == 0 {
		to.Link("Source", a[annotation+"source"])
		to.Link("Home page", a[annotation+"url"])
		to.Link("Documentation", a[annotation+"documentation"])
	}
}

// describeWhole is what the manifest and the configuration say.
func (s *server) describeWhole(ctx context.Context, name string, v *store.Version[Meta], to *describe.Version) error {
	body, err := s.Store.ReadBlob(ctx, v.Files[0].Digest, v.Files[0].Size)
	if err != nil {
		return err
	}
	return s.describeManifest(ctx, hosted{s, name}, v.Meta.MediaType, body, to)
}

// describeManifest adds what a manifest and its configuration say.
func (s *server) describeManifest(
	ctx context.Context, from content, mediaType string, body []byte, to *describe.Version,
) error {
	m, err := manifest.ParseKept(mediaType, body)
	if err != nil {
		to.Fact("Type", mediaType)
		return nil // it is of a form that is passed on, and not read
	}
	annotated(m.Annotations, to)
	to.Readme = true // it may be a referrer
	if m.MediaType == manifest.TypeIndex || m.MediaType == manifest.TypeDockerList {
		var names []string
		platforms, _ := childrenOf(body)
		for _, p := range platforms {
			names = append(names, p.platform)
		}
		to.Fact("Platforms", strings.Join(slices.Compact(names), ", "))
		return nil
	}
	if m.Config == nil {
		to.Fact("Type", m.EffectiveType())
		return nil
	}
	raw, err := from.read(ctx, m.Config.Digest, maxConfig)
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrTooLarge) {
		return nil // a sparse image, or one of which the configuration was not fetched
	}
	if err != nil {
		return err
	}
	if to.Chart = m.Config.MediaType == typeHelm; to.Chart {
		describeChart(raw, to)
		return nil
	}
	describeImage(raw, to)
	if m.ArtifactType != "" && m.ArtifactType != m.Config.MediaType {
		to.Fact("Type", m.ArtifactType)
	}
	return nil
}

// describeImage reads the configuration of an image.
func describeImage(raw []byte, to *describe.Version) {
	c, err := readConfig(raw)
	if err != nil {
		return
	}
	to.Fact("Platform", platformOf(c.OS, c.Architecture, c.Variant))
	to.Fact("Created", c.Created)
	to.Facts = append(to.Facts, c.facts()...)
	annotated(c.Config.Labels, to)
}

// describeChart reads the configuration of a Helm chart, which is its Chart.yaml as JSON.
func describeChart(raw []byte, to *describe.Version) {
	var c struct {
		Name, Version, APIVersion                  string
		Description, Home, AppVersion, KubeVersion string
		Keywords, Sources                          []string
		Maintainers                                []struct{ Name string }
		Deprecated                                 bool
		Dependencies                               []struct{ Name, Version, Repository string }
	}
	if json.Unmarshal(raw, &c) != nil {
		return
	}
	to.Summary, to.Keywords = c.Description, c.Keywords
	to.Links = nil
	to.Link("Home page", c.Home)
	for _, at := range c.Sources {
		to.Link("Source", at)
	}
	chart := strings.TrimSpace(c.Name + " " + c.Version)
	if c.APIVersion != "" {
		chart += ", apiVersion " + c.APIVersion
	}
	to.Fact("Chart", chart)
	to.Fact("Application", c.AppVersion)
	to.Fact("Kubernetes", c.KubeVersion)
	var people []string
	for _, m := range c.Maintainers[:min(len(c.Maintainers), 20)] {
		people = append(people, m.Name)
	}
	to.Fact("Maintainers", strings.Join(people, ", "))
	if c.Deprecated {
		to.Deprecated = "The chart is deprecated."
	}
	for _, d := range c.Dependencies {
		to.Dependencies = append(to.Dependencies, describe.Dependency{Name: d.Name, Range: d.Version, Group: d.Repository})
	}
}

// sized makes the size of an index that of its images: their distinct blobs are what it takes.
func sized(tx *store.PackageTx[Meta], v *store.Version[Meta], to *describe.Version) error {
	if len(v.Meta.Children) == 0 {
		return nil
	}
	sizes := map[digest.Digest]int64{}
	for _, f := range v.Files {
		sizes[f.Digest] = f.Size
	}
	for _, d := range v.Meta.Children {
		child, err := tx.Version(d.String())
		if errors.Is(err, store.ErrNotFound) {
			continue // an index that is not whole
		}
		if err != nil {
			return err
		}
		if attests(child.Files) {
			continue
		}
		for _, f := range child.Files {
			sizes[f.Digest] = f.Size
		}
	}
	to.Size = 0
	for _, n := range sizes {
		to.Size += n
	}
	return nil
}

// attests reports whether the files are those of an attestation, which no client fetches with the image.
func attests(files []store.File) bool {
	n := 0
	for _, f := range files {
		if strings.HasPrefix(f.Type, typeInToto) {
			n++
		}
	}
	return n > 0 && n >= len(files)-2 // beside them are the manifest and its configuration
}
