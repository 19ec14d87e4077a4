package oci

// What pages show of repositories: a version is a manifest, by its digest.

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"larder/auth"
	"larder/internal/describe"
	"larder/internal/registry"
	"larder/internal/wire"
	"larder/store"
)

const (
	typeHelm      = "application/vnd.cncf.helm.config.v1+json"
	maxConfig     = 4 << 20 // bytes of a configuration that is read
	maxTagsLooked = 500     // tags that are looked at for the one that was moved last
	annotation    = "org.opencontainers.image."
)

// described answers for the repositories that are here.
func (s *server) described() describe.Kind {
	return registry.Described(registry.Describer[Meta]{
		Registry: s.Registry, Compare: strings.Compare, IsPre: func(string) bool { return false },
		Choose: newestTagged, Brief: describeBrief, Whole: s.describeWhole, Matches: s.matches,
		At: func(name string, v describe.Version, f describe.File) string {
			if f.Name == v.ID {
				return "/" + name + "/manifests/" + f.Name
			}
			return "/" + name + "/blobs/" + f.Name
		},
		// The files of a copy are blobs, which say nothing of a tag or an image: manifests are kept as documents.
		Of: func(_, _ string) string { return "" },
	})
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
			out = append(out, describe.Match{Name: p.Name, Score: score(p.Name, words)})
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
	if len(v.Meta.Children) > 0 {
		return s.describeIndex(ctx, name, v, to)
	}
	if v.Meta.Config == "" {
		to.Fact("Type", cmp.Or(v.Meta.ArtifactType, v.Meta.MediaType))
		return nil
	}
	raw, err := s.Store.ReadBlob(ctx, v.Meta.Config, maxConfig)
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrTooLarge) {
		return nil // a sparse image
	}
	if err != nil {
		return err
	}
	if to.Chart {
		describeChart(raw, to)
		return nil
	}
	describeImage(raw, to)
	if v.Meta.ArtifactType != "" && v.Meta.ArtifactType != v.Meta.ConfigType {
		to.Fact("Type", v.Meta.ArtifactType)
	}
	return nil
}

// describeImage reads the configuration of an image.
func describeImage(raw []byte, to *describe.Version) {
	var c struct {
		Created      string `json:"created"`
		Architecture string `json:"architecture"`
		OS           string `json:"os"`
		Variant      string `json:"variant"`
		Config       struct {
			Entrypoint, Cmd []string
			User            string
			WorkingDir      string
			ExposedPorts    map[string]any
			Labels          map[string]string
		} `json:"config"`
	}
	if json.Unmarshal(raw, &c) != nil {
		return
	}
	to.Fact("Platform", strings.Trim(c.OS+"/"+c.Architecture+"/"+c.Variant, "/"))
	to.Fact("Created", c.Created)
	to.Fact("Entrypoint", strings.Join(c.Config.Entrypoint, " "))
	to.Fact("Command", strings.Join(c.Config.Cmd, " "))
	to.Fact("User", c.Config.User)
	to.Fact("Folder", c.Config.WorkingDir)
	to.Fact("Ports", strings.Join(slices.Sorted(maps.Keys(c.Config.ExposedPorts)), ", "))
	annotated(c.Config.Labels, to)
}

// describeChart reads the configuration of a Helm chart, which is its Chart.yaml as JSON.
func describeChart(raw []byte, to *describe.Version) {
	var c struct {
		Description, Home, AppVersion, KubeVersion string
		Keywords, Sources                          []string
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
	to.Fact("Application", c.AppVersion)
	to.Fact("Kubernetes", c.KubeVersion)
	if c.Deprecated {
		to.Deprecated = "The chart is deprecated."
	}
	for _, d := range c.Dependencies {
		to.Dependencies = append(to.Dependencies, describe.Dependency{Name: d.Name, Range: d.Version, Group: d.Repository})
	}
}

// describeIndex sums up the images of an index: their distinct blobs are what it takes.
func (s *server) describeIndex(ctx context.Context, name string, v *store.Version[Meta], to *describe.Version) error {
	sizes := map[digest.Digest]int64{}
	err := s.Repo.View(ctx, name, func(tx *store.PackageTx[Meta]) error {
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
			for _, f := range child.Files {
				sizes[f.Digest] = f.Size
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	to.Size = 0
	for _, n := range sizes {
		to.Size += n
	}
	raw, err := s.Store.ReadBlob(ctx, v.Files[0].Digest, maxConfig)
	if err != nil {
		return err
	}
	to.Fact("Platforms", strings.Join(platforms(raw), ", "))
	return nil
}

// platforms are those of an index; what it says to be an attestation is none.
func platforms(raw []byte) (list []string) {
	var index struct {
		Manifests []struct {
			Platform    struct{ OS, Architecture, Variant string }
			Annotations map[string]string
		}
	}
	if json.Unmarshal(raw, &index) != nil {
		return nil
	}
	for _, m := range index.Manifests {
		p := strings.Trim(m.Platform.OS+"/"+m.Platform.Architecture+"/"+m.Platform.Variant, "/")
		if p != "" && p != "unknown/unknown" && !slices.Contains(list, p) {
			list = append(list, p)
		}
	}
	return list
}
