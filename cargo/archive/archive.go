// Package archive reads what a crate's archive says of itself: its Cargo.toml with dependencies and features, its
// programs and the commit it was packed from. Cargo drops a version without a word when one of these is wrong in the
// index, or fails for everybody who builds it; so they are read as cargo reads them, before anything is kept. Pure; the
// limits hold whatever the archive's headers claim, and errors carry the sentence for the client's user.
package archive

import (
	"encoding/json"
	"errors"
	"io"
	"path"
	"slices"
	"strings"

	"larder/cargo/names"
	"larder/internal/archive"
	"larder/internal/problem"
)

const (
	maxEntries   = 100_000
	maxEntryName = 1024
	maxManifest  = 1 << 20
	maxVCS       = 64 << 10
	maxBins      = 256
	maxText      = 256 // of a program's name, a folder
)

// Archive is what publishing needs to know of an uploaded crate.
type Archive struct {
	Manifest *Manifest
	Files    int
	Unpacked int64  // bytes of all files
	Commit   string // git, from .cargo_vcs_info.json
	Dir      string // folder in the repository

	lib, main, script bool     // src/lib.rs, src/main.rs, build.rs are there
	bins              []string // names of src/bin/*.rs and src/bin/*/main.rs
}

// Read reads the archive of a version: gzipped, every entry a file or folder below name-version/, one Cargo.toml,
// at most limit bytes unpacked. problem.ErrInvalid, problem.ErrTooLarge, and r's own errors.
func Read(r io.Reader, name, version string, limit int64) (*Archive, error) {
	t := &Archive{}
	folder := name + "-" + version
	limits := archive.Limits{Entries: maxEntries, Bytes: limit, Name: maxEntryName, Strict: true}
	err := archive.Tar(r, limits, func(e *archive.Entry) error {
		if e.Name == folder && !e.Regular {
			return nil
		}
		file, ok := strings.CutPrefix(e.Name, folder+"/")
		switch {
		case !ok:
			return problem.Errorf(problem.ErrInvalid, "The crate has %.200q, which is not below %s/.", e.Name, folder)
		case strings.EqualFold(path.Base(file), ".cargo-ok"):
			return problem.Errorf(problem.ErrInvalid,
				"The crate has a file .cargo-ok, with which cargo marks what it has unpacked.")
		case !e.Regular:
			return nil
		}
		t.Files++
		t.Unpacked += e.Size
		return t.take(file, e)
	})
	switch {
	case errors.Is(err, archive.ErrFormat):
		return nil, problem.Wrap(err, problem.ErrInvalid,
			"The crate is damaged, or not one gzipped tar archive that all readers understand alike.")
	case errors.Is(err, archive.ErrType):
		return nil, problem.Wrap(err, problem.ErrInvalid,
			"The crate has a link, device or other entry that is neither a file nor a folder.")
	case errors.Is(err, archive.ErrLimit):
		return nil, problem.Wrap(err, problem.ErrTooLarge,
			"The crate unpacks to too much: at most %d files and %d MiB are accepted.", maxEntries, limit>>20)
	case errors.Is(err, archive.ErrName):
		return nil, problem.Wrap(err, problem.ErrInvalid,
			"The crate has a file whose name leads outside of it, or is not portable.")
	case err != nil:
		return nil, err
	case t.Manifest == nil:
		return nil, problem.Errorf(problem.ErrInvalid, "The crate has no Cargo.toml.")
	}
	return t, nil
}

// take looks at one file, named without the top folder.
func (t *Archive) take(name string, e *archive.Entry) error {
	switch {
	case strings.EqualFold(name, "Cargo.toml"):
		return t.takeManifest(name, e)
	case name == ".cargo_vcs_info.json":
		return t.takeVCS(e)
	case name == "src/lib.rs":
		t.lib = true
	case name == "src/main.rs":
		t.main = true
	case name == "build.rs":
		t.script = true
	default:
		t.takeBin(name)
	}
	return nil
}

// takeManifest reads the one Cargo.toml. In another case it would be a second one on some systems.
func (t *Archive) takeManifest(name string, e *archive.Entry) error {
	if name != "Cargo.toml" && name != "cargo.toml" {
		return problem.Errorf(problem.ErrInvalid, "The crate's manifest is called %s instead of Cargo.toml.", name)
	}
	if t.Manifest != nil {
		return problem.Errorf(problem.ErrInvalid,
			"The crate has two files Cargo.toml; which one counts would depend on the system.")
	}
	raw, err := e.Bytes(maxManifest)
	if err != nil {
		return err
	}
	t.Manifest, err = ParseManifest(raw)
	return err
}

// takeVCS reads which commit the crate was packed from; the file is cargo's own note, so nonsense in it is no error.
func (t *Archive) takeVCS(e *archive.Entry) error {
	raw, err := e.Bytes(maxVCS)
	if err != nil {
		return err
	}
	var info struct {
		Git struct {
			SHA1 string `json:"sha1"`
		} `json:"git"`
		Path string `json:"path_in_vcs"`
	}
	if json.Unmarshal(raw, &info) == nil && strings.Trim(info.Git.SHA1, "0123456789abcdef") == "" &&
		len(info.Git.SHA1) <= 64 {
		t.Commit, t.Dir = info.Git.SHA1, names.Clip(info.Path, maxText)
	}
	return nil
}

// takeBin notes the programs that cargo finds by their place.
func (t *Archive) takeBin(name string) {
	rest, ok := strings.CutPrefix(name, "src/bin/")
	if !ok {
		return
	}
	base, file := strings.CutSuffix(rest, ".rs")
	folder, main := strings.CutSuffix(rest, "/main.rs")
	switch {
	case main && !strings.Contains(folder, "/"):
		t.bins = append(t.bins, folder)
	case file && !strings.Contains(base, "/"):
		t.bins = append(t.bins, base)
	}
}

// HasLib reports whether the crate can be depended on.
func (t *Archive) HasLib() bool { return t.lib || t.Manifest.lib != nil }

// ProcMacro reports whether its library runs inside the compiler.
func (t *Archive) ProcMacro() bool { return t.Manifest.lib.flag(false, "proc-macro", "proc_macro") }

// BuildScript reports whether building the crate runs code of its own.
func (t *Archive) BuildScript() bool {
	switch build := t.Manifest.build.(type) {
	case nil:
		return t.script
	case bool:
		return build
	}
	return true // one path, or several
}

// Bins are the names of its programs, in order.
func (t *Archive) Bins() []string {
	all := slices.Concat(t.Manifest.bins, t.bins)
	if t.main && len(t.Manifest.bins) == 0 {
		all = append(all, t.Manifest.Name)
	}
	slices.Sort(all)
	all = slices.DeleteFunc(slices.Compact(all), func(s string) bool { return s == "" || len(s) > maxText })
	return all[:min(len(all), maxBins)]
}
