package registry

// What pages show of READMEs: those that records have, and those that are read from archives when somebody looks.

import (
	"context"
	"errors"
	"slices"

	"github.com/opencontainers/go-digest"

	"larder/internal/archive"
	"larder/internal/describe"
	"larder/internal/problem"
	"larder/store"
)

// Readme implements describe.Kind.
func (d *Describer[M]) Readme(ctx context.Context, name, id string) (text describe.Text, err error) {
	var v store.Version[M]
	err = d.Repo.View(ctx, name, func(tx *store.PackageTx[M]) error {
		v, err = tx.Version(id)
		return err
	})
	switch {
	case d.TryUpstream(err):
		return d.copiedText(ctx, name, id)
	case err != nil:
		return text, err
	case d.Text != nil:
		return d.Text(ctx, name, &v)
	case d.ReadmeIn != nil:
		files := d.brief(&v, nil).Files
		return d.textIn(ctx, d.readmeFile(files))
	}
	return text, nil
}

// copiedText is the README of a copy's version.
func (d *Describer[M]) copiedText(ctx context.Context, name, id string) (text describe.Text, err error) {
	v, err := d.copiedVersion(ctx, name, id)
	if err != nil || v.Withheld != "" {
		return text, err
	}
	if d.CopyText != nil {
		of, err := d.copyName(ctx, name)
		if err != nil {
			return text, err
		}
		return d.CopyText(ctx, of, &v)
	}
	return d.textIn(ctx, d.readmeFile(v.Files))
}

// lookIn notes that a version's README is to be looked for in one of its files.
func (d *Describer[M]) lookIn(v *describe.Version) {
	if d.ReadmeIn == nil {
		return
	}
	if f := d.readmeFile(v.Files); f != nil {
		v.Readme, v.ReadmeOf = true, digestOf(f)
	}
}

// readmeFile is the archive in which a README is looked for: the smallest of those that are; nil without one.
func (d *Describer[M]) readmeFile(files []describe.File) (best *describe.File) {
	for i := range files {
		f := &files[i]
		if digestOf(f) != "" && (d.IsArchive == nil || d.IsArchive(f.Name)) && (best == nil || f.Size < best.Size) {
			best = f
		}
	}
	return best
}

// digestOf is the sha256 of a file as it is stored.
func digestOf(f *describe.File) string {
	i := slices.IndexFunc(f.Sums, func(s describe.Sum) bool { return s.Algorithm == string(digest.SHA256) })
	if i < 0 {
		return ""
	}
	return string(digest.NewDigestFromEncoded(digest.SHA256, f.Sums[i].Value))
}

// textIn reads the README in an archive; the zero Text when there is none that can be read.
func (d *Describer[M]) textIn(ctx context.Context, f *describe.File) (text describe.Text, err error) {
	if f == nil || d.ReadmeIn == nil {
		return text, nil
	}
	content, b, err := d.Store.OpenBlob(ctx, digest.Digest(digestOf(f)))
	if err != nil {
		return text, err
	}
	defer content.Close()
	err = d.Store.Heavy(ctx, func() error {
		text, err = d.ReadmeIn(content, b.Size, f.Name)
		return err
	})
	unreadable := IsOneOf(err, archive.ErrFormat, archive.ErrLimit, archive.ErrName, archive.ErrType, problem.ErrInvalid)
	if unreadable || errors.Is(err, problem.ErrNotFound) {
		return describe.Text{}, nil
	}
	return text, err
}
