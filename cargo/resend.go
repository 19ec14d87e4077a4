package cargo

// This file makes of a crate alone the JSON that cargo sends with it, so that it can be published once more.

import (
	"encoding/json"
	"errors"
	"io"
	"path"
	"strings"

	"larder/cargo/crate"
	"larder/internal/archive"
)

// Resend returns the JSON that a publish of the crate begins with. What Cargo.toml does not say is lost.
// store.ErrInvalid.
func Resend(r io.ReaderAt, size int64) ([]byte, error) {
	raw, err := fileOf(r, size, "Cargo.toml", maxUpload)
	if err != nil {
		return nil, err
	}
	m, err := crate.ParseManifest(raw)
	if err != nil {
		return nil, err
	}
	about, err := crate.ParseAbout(raw)
	if err != nil {
		return nil, err
	}
	u := upload{
		Name: m.Name, Vers: m.Version, Links: m.Links, RustVersion: m.RustVersion, Features: m.Features,
		Authors: about.Authors, Description: about.Description, Documentation: about.Documentation, Homepage: about.Homepage,
		ReadmeFile: about.Readme, Keywords: about.Keywords, Categories: about.Categories, License: about.License,
		LicenseFile: about.LicenseFile, Repository: about.Repository,
	}
	for _, d := range m.Dependencies {
		u.Deps = append(u.Deps, resent(d))
	}
	if about.Readme != "" {
		// A README that is not there, or too long, is no reason to keep the crate back.
		if text, err := fileOf(r, size, about.Readme, maxUpload/4); err == nil {
			u.Readme = string(text)
		}
	}
	return json.Marshal(u)
}

// resent is a dependency as cargo would send it: Cargo.toml leaves out the public registry, the request does not.
func resent(d crate.Dependency) uploadDep {
	out := uploadDep{
		Name: d.Name, Req: d.Req, Kind: d.Kind, Target: d.Target, Optional: d.Optional, DefaultFeatures: d.DefaultFeatures,
		Features: d.Features, Registry: d.Registry,
	}
	if d.Registry == "" {
		out.Registry = crate.CratesIndex
	}
	if req, ok := crate.CanonicalReq(d.Req); ok {
		out.Req = req // as cargo writes it
	}
	if d.Alias != d.Name {
		out.Alias = d.Alias
	}
	return out
}

// fileOf reads one file of the crate's folder, at most limit bytes of it.
func fileOf(r io.ReaderAt, size int64, name string, limit int64) (text []byte, err error) {
	name = path.Clean(name)
	err = archive.Tar(io.NewSectionReader(r, 0, size), archive.Limits{}, func(e *archive.Entry) error {
		if _, file, _ := strings.Cut(e.Name, "/"); !e.Regular || file != name {
			return nil
		}
		if text, err = e.Bytes(limit); err != nil {
			return err
		}
		return errFound
	})
	switch {
	case errors.Is(err, errFound):
		return text, nil
	case err == nil:
		err = errors.New("the crate has no " + name)
	}
	return nil, err
}
