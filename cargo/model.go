package cargo

// This file says what is stored about a version, and checks what people read of a crate. Pure.

import (
	"net/url"
	"regexp"
	"strings"
	"unicode"

	"github.com/opencontainers/go-digest"

	"larder/internal/problem"
	"larder/store"
)

// typeCrate is the type of cargo's names in auth scopes: cargo:crate:demo:read.
const typeCrate = "crate"

// Limits of names and metadata are the public registry's; clients and tools have grown up with them.
const (
	maxDescription = 1000
	maxKeywords    = 5
	maxKeyword     = 20
	maxURL         = 1000
	maxText        = 256      // license, a category, a file's name
	maxInline      = 16 << 10 // larger values live in a blob
	maxUpload      = 1 << 20  // JSON of a publish
	maxSmallBody   = 64 << 10
)

// Meta is what a version's record holds beside the store's own fields. Its line of the index is kept apart: see row.
type Meta struct {
	// Version is the version in full. The record's ID leaves build metadata out: no two versions may differ in that alone.
	Version       string   `json:"version"`
	Description   string   `json:"description,omitempty"`
	Homepage      string   `json:"homepage,omitempty"`
	Documentation string   `json:"documentation,omitempty"`
	Repository    string   `json:"repository,omitempty"`
	License       string   `json:"license,omitempty"`
	LicenseFile   string   `json:"license_file,omitempty"`
	Authors       []string `json:"authors,omitempty"`
	Keywords      []string `json:"keywords,omitempty"`
	Categories    []string `json:"categories,omitempty"`
	Readme        part     `json:"readme,omitzero"`
	ReadmeFile    string   `json:"readme_file,omitempty"`

	Links       string `json:"links,omitempty"`
	RustVersion string `json:"rust_version,omitempty"`
	Edition     string `json:"edition,omitempty"`

	// What the crate's archive says of itself.
	Lib       bool     `json:"lib,omitempty"`
	ProcMacro bool     `json:"proc_macro,omitempty"`
	Build     bool     `json:"build,omitempty"` // has a build script
	Bins      []string `json:"bins,omitempty"`
	Files     int      `json:"files"`
	Unpacked  int64    `json:"unpacked"`
	Commit    string   `json:"commit,omitempty"`     // git, from .cargo_vcs_info.json
	CommitDir string   `json:"commit_dir,omitempty"` // folder in the repository
}

// part is text in the record, or in a blob when it is large.
type part struct {
	Text string        `json:"text,omitempty"`
	Blob digest.Digest `json:"blob,omitempty"`
}

var keyword = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_+-]*$`)

// checkMetadata checks what people read of a crate; required: a description and a license must be there.
func (u *upload) checkMetadata(required bool) error {
	for what, s := range map[string]string{
		"homepage": u.Homepage, "documentation": u.Documentation, "repository": u.Repository,
	} {
		if s != "" && !isWebURL(s) {
			return problem.Errorf(store.ErrInvalid, "The %s %.200q is not an http or https address.", what, s)
		}
	}
	for _, k := range u.Keywords {
		if !keyword.MatchString(k) || len(k) > maxKeyword {
			return problem.Errorf(store.ErrInvalid,
				"%.80q is not a keyword: it begins with a letter or digit and has letters, digits, -, _ and +, at most %d.",
				k, maxKeyword)
		}
	}
	for _, s := range append([]string{u.License, u.LicenseFile, u.ReadmeFile, u.Links}, u.Categories...) {
		if len(s) > maxText || strings.ContainsFunc(s, unicode.IsControl) {
			return problem.Errorf(store.ErrInvalid, "%.80q is too long, or has characters that do not print.", s)
		}
	}
	switch {
	case len(u.Description) > maxDescription:
		return problem.Errorf(store.ErrInvalid,
			"The description has %d bytes; at most %d are accepted.", len(u.Description), maxDescription)
	case len(u.Keywords) > maxKeywords, len(u.Categories) > maxKeywords:
		return problem.Errorf(store.ErrInvalid,
			"A crate has at most %d keywords and %d categories.", maxKeywords, maxKeywords)
	case required && (u.Description == "" || u.License == "" && u.LicenseFile == ""):
		return problem.Errorf(store.ErrInvalid,
			"This registry wants a description and a license (or license-file) in Cargo.toml.")
	}
	return nil
}

func isWebURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && len(s) <= maxURL && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}
