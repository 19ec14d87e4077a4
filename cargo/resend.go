package cargo

// This file makes of a crate alone the JSON that cargo sends with it, so that it can be published once more.

import (
	"encoding/json"
	"io"

	"larder/cargo/archive"
	"larder/cargo/version"
)

// Resend returns the JSON that a publish of the crate begins with. What Cargo.toml does not say is lost.
// store.ErrInvalid.
func Resend(r io.ReaderAt, size int64) ([]byte, error) {
	_, raw, err := archive.File(io.NewSectionReader(r, 0, size), "Cargo.toml", maxUpload)
	if err != nil {
		return nil, err
	}
	m, err := archive.ParseManifest(raw)
	if err != nil {
		return nil, err
	}
	about, err := archive.ParseAbout(raw)
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
		_, text, err := archive.File(io.NewSectionReader(r, 0, size), about.Readme, maxUpload/4)
		if err == nil {
			u.Readme = string(text)
		}
	}
	return json.Marshal(u)
}

// resent is a dependency as cargo would send it: Cargo.toml leaves out the public registry, the request does not.
func resent(d archive.Dependency) uploadDep {
	out := uploadDep{
		Name: d.Name, Req: d.Req, Kind: d.Kind, Target: d.Target, Optional: d.Optional, DefaultFeatures: d.DefaultFeatures,
		Features: d.Features, Registry: d.Registry,
	}
	if d.Registry == "" {
		out.Registry = archive.CratesIndex
	}
	if req, ok := version.CanonicalRequirement(d.Req); ok {
		out.Req = req // as cargo writes it
	}
	if d.Alias != d.Name {
		out.Alias = d.Alias
	}
	return out
}
