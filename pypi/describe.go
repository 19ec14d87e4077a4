package pypi

// What pages show of Python projects.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"larder/internal/describe"
	"larder/internal/pep440"
	"larder/internal/problem"
	"larder/internal/pydist"
	"larder/internal/registry"
	"larder/internal/wire"
	"larder/pypi/simple"
	"larder/store"
)

// described answers for the projects that are here.
func (s *server) described(caller wire.Caller) describe.Kind {
	return registry.Described(registry.Describer[Meta]{
		Registry: s.Registry, Caller: caller, Changes: s.versionChanges(), Identify: Identify, Send: sendUpload,
		Compare: compareReleases, IsPre: isPre,
		Brief: describeBrief, Near: describeNear, Whole: s.describeWhole, Text: s.readmeText,
		At: func(_ string, _ describe.Version, f describe.File) string {
			return "/files" + simple.FilePath(f.Sums[0].Value, f.Name)
		},
		Of: func(name, key string) string {
			if strings.Contains(key, "/") {
				return "" // metadata beside a file
			}
			return pydist.ReleaseOf(name, key)
		},
		IsArchive: pydist.HasEnding, ReadmeIn: readmeIn,
	})
}

// readmeIn reads the description in a distribution of an upstream.
func readmeIn(r io.ReaderAt, size int64, name string) (describe.Text, error) {
	if strings.HasSuffix(name, ".whl") {
		raw, err := pydist.ReadMetadata(r, size)
		if err != nil {
			return describe.Text{}, err
		}
		return textOf(pydist.ParseMetadata(raw)), nil
	}
	file, err := pydist.ParseFilename(name)
	if err != nil {
		return describe.Text{}, err
	}
	dist, err := pydist.Read(r, size, file, false)
	if err != nil {
		return describe.Text{}, err
	}
	return textOf(dist.Metadata), nil
}

// textOf is the description that metadata has.
func textOf(m *pydist.Metadata) describe.Text {
	return describe.Text{
		Body:     m.Description(),
		Markdown: strings.HasPrefix(strings.ToLower(m.Get("Description-Content-Type")), "text/markdown"),
	}
}

func compareReleases(a, b string) int {
	x, errX := pep440.Parse(a)
	y, errY := pep440.Parse(b)
	if errX != nil || errY != nil {
		return strings.Compare(a, b)
	}
	return pep440.Compare(x, y)
}

func isPre(id string) bool {
	v, err := pep440.Parse(id)
	return err != nil || v.Prerelease()
}

// describeBrief is what the record says of a release: its distributions, not what stands beside them.
func describeBrief(v *store.Version[Meta], to *describe.Version) {
	to.Yanked, to.Size, to.Readme = yanked(v), 0, len(v.Meta.Files) > 0
	to.Files = to.Files[:0]
	for i := range v.Meta.Files {
		a := &v.Meta.Files[i]
		f := describe.File{Name: a.Name, Size: a.Size, Note: a.Kind}
		f.Sums = append(f.Sums, describe.Sum{Algorithm: "sha256", Value: a.Digest.Encoded()})
		if a.MD5 != "" {
			f.Sums = append(f.Sums, describe.Sum{Algorithm: "md5", Value: a.MD5})
		}
		if a.Blake2 != "" {
			f.Sums = append(f.Sums, describe.Sum{Algorithm: "blake2b-256", Value: a.Blake2})
		}
		if y, reason := yankOf(v, a); y {
			f.Note += ", yanked"
			to.Reason = reason
		}
		to.Files, to.Size = append(to.Files, f), to.Size+a.Size
		if len(a.Differs) > 0 {
			to.Warnings = append(to.Warnings, fmt.Sprintf("%s: the file's own %s counts, which the upload form said otherwise.",
				a.Name, strings.Join(a.Differs, ", ")))
		}
	}
}

// describeNear is what the row of the release says. A project that is quarantined is not shown.
func describeNear(tx *store.PackageTx[Meta], v *store.Version[Meta], to *describe.Version) error {
	h, err := headOf(tx)
	if err != nil {
		return err
	}
	if h.Status.Quarantined() {
		return problem.Errorf(store.ErrNotFound, "%s is quarantined", tx.Name())
	}
	rel, _, err := releaseOf(tx, v.ID)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	to.Summary, to.Keywords = rel.About.Summary, rel.About.Keywords
	return err
}

// describeWhole is what the metadata of the release's main file says.
func (s *server) describeWhole(ctx context.Context, _ string, v *store.Version[Meta], to *describe.Version) error {
	main := v.Meta.main()
	if main == nil {
		return nil
	}
	m, err := s.metadataOf(ctx, main)
	if err != nil {
		return err
	}
	to.Summary, to.License = m.Get("Summary"), m.Get("License-Expression")
	if text := m.Get("License"); to.License == "" && !strings.Contains(text, "\n") {
		to.License = text
	}
	to.Keywords = strings.FieldsFunc(m.Get("Keywords"), func(r rune) bool { return r == ',' || r == ';' })
	to.Link("Home page", m.Get("Home-page"))
	for _, u := range m.All("Project-URL") {
		name, address, _ := strings.Cut(u, ",")
		to.Link(name, address)
	}
	to.Fact("Python", m.Get("Requires-Python"))
	to.Fact("Author", m.Get("Author"))
	for _, r := range m.All("Requires-Dist") {
		to.Dependencies = append(to.Dependencies, requirement(r))
	}
	return nil
}

// requirement reads a line of Requires-Dist (PEP 508): name, extras, versions, and the marker behind a semicolon.
func requirement(line string) describe.Dependency {
	spec, marker, _ := strings.Cut(line, ";")
	spec = strings.TrimSpace(spec)
	end := strings.IndexAny(spec, " \t[(<>=!~@")
	if end < 0 {
		end = len(spec)
	}
	d := describe.Dependency{
		Name: spec[:end], Range: strings.Trim(strings.TrimSpace(spec[end:]), "()"), Group: strings.TrimSpace(marker),
	}
	if pydist.CheckName(d.Name) == nil {
		d.Package = pydist.Normalise(d.Name)
	}
	return d
}

func (s *server) readmeText(ctx context.Context, _ string, v *store.Version[Meta]) (t describe.Text, err error) {
	main := v.Meta.main()
	if main == nil {
		return t, nil
	}
	m, err := s.metadataOf(ctx, main)
	if err != nil {
		return t, err
	}
	return textOf(m), nil
}
