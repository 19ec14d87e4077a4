package cargo

// This file makes of a crate alone the request with which cargo publishes it.

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"io"
	"net/http"

	"larder/cargo/archive"
	"larder/cargo/names"
	"larder/cargo/version"
	"larder/internal/describe"
	"larder/internal/problem"
	"larder/internal/registry"
	"larder/store"
)

// Publish returns the name of the crate in an archive, and the request that publishes it: the one that cargo sends,
// with what Cargo.toml says. store.ErrInvalid.
func Publish(r io.ReaderAt, size int64) (name string, c registry.Call, err error) {
	u, err := announced(r, size)
	if err != nil {
		return "", c, err
	}
	text, err := json.Marshal(u)
	if err != nil {
		return "", c, err
	}
	head := append(binary.LittleEndian.AppendUint32(nil, uint32(len(text))), text...)
	head = binary.LittleEndian.AppendUint32(head, uint32(size))
	return u.Name, registry.Call{
		Method: http.MethodPut, Path: root + "/api/v1/crates/new", Size: int64(len(head)) + size,
		Body: io.MultiReader(bytes.NewReader(head), io.NewSectionReader(r, 0, size)),
	}, nil
}

// sendUpload is an upload.
func sendUpload(u describe.Upload) (name string, calls []registry.Call, err error) {
	name, c, err := Publish(u.File, u.Size)
	return names.Key(name), []registry.Call{c}, err
}

// announced is what cargo says of a crate in the request. What Cargo.toml does not say is lost.
func announced(r io.ReaderAt, size int64) (u upload, err error) {
	_, raw, err := archive.File(io.NewSectionReader(r, 0, size), "Cargo.toml", maxUpload)
	if err != nil {
		return u, problem.Wrap(err, store.ErrInvalid, "The file is no crate: it has no Cargo.toml that can be read.")
	}
	m, err := archive.ParseManifest(raw)
	if err != nil {
		return u, err
	}
	about, err := archive.ParseAbout(raw)
	if err != nil {
		return u, err
	}
	u = upload{
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
	return u, nil
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
