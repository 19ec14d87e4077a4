package npm

// Names, tags, and what is stored about a version. Pure.

import (
	"encoding/json"
	"strings"

	"github.com/opencontainers/go-digest"

	"larder/internal/wire"
	"larder/store"
)

// typePackage is the type of npm's names in auth scopes: npm:package:@acme/demo:read.
const typePackage = "package"

const (
	maxNameLen   = 214       // of a package, scope included
	maxTagLen    = 214       // of a dist-tag
	maxReadme    = 64 << 10  // bytes kept of a README
	maxInline    = 16 << 10  // larger JSON lives in a blob
	maxManifest  = 4 << 20   // JSON of one version as it is sent
	maxBundle    = 2 << 20   // one provenance bundle
	maxDocument  = 128 << 20 // a document sent back by npm deprecate, tarball not counted
	maxSmallBody = 1 << 20
)

// Meta is what a version's record holds beside the store's own fields. Everything a document shows of the version is
// derived from it (see fragment).
type Meta struct {
	// Manifest is the version's manifest: the fields of its package.json as they are, without dist.
	Manifest part `json:"manifest"`
	// Short is what the abbreviated document shows of it.
	Short part `json:"short"`
	// Dist is the content of the member dist, without braces, and without the URLs that depend on who asks.
	Dist string `json:"dist"`
	// Integrity is the tarball's sha512 as in dist.integrity.
	Integrity string `json:"integrity"`
	// Deprecated is the message of npm deprecate.
	Deprecated string `json:"deprecated,omitempty"`
	// Readme is the package's README at this version.
	Readme part `json:"readme,omitzero"`
	// ReadmeName is its file's name.
	ReadmeName string `json:"readme_name,omitempty"`
	// Attestations is the answer of the attestations end point, Predicate the type of its provenance.
	Attestations part   `json:"attestations,omitzero"`
	Predicate    string `json:"predicate,omitempty"`
	// Differs names the fields in which the request's manifest was not that of the tarball; the tarball's are used.
	Differs []string `json:"differs,omitempty"`
}

// part is JSON that is small, or a blob that is one of the version's files.
type part struct {
	JSON json.RawMessage `json:"json,omitempty"`
	Blob digest.Digest   `json:"blob,omitempty"`
}

// splitName returns scope ("" or "@acme") and base name.
func splitName(name string) (scope, base string) {
	if strings.HasPrefix(name, "@") {
		scope, base, _ = strings.Cut(name, "/")
		return scope, base
	}
	return "", name
}

// checkName accepts every name that was ever legal on the public registry, so that old packages can be kept here too.
func checkName(name string) error {
	scope, base := splitName(name)
	parts := []string{base}
	if scope != "" {
		parts = append(parts, scope[1:])
	}
	if len(name) > maxNameLen {
		return wire.Errorf(store.ErrInvalid, "A package name has at most %d characters.", maxNameLen)
	}
	for _, p := range parts {
		if p == "" || p == "." || p == ".." || strings.Trim(p, nameChars) != "" {
			return wire.Errorf(store.ErrInvalid, "%.214q is not a package name.", name)
		}
	}
	if strings.HasPrefix(base, ".") || name == "node_modules" || name == "favicon.ico" {
		return wire.Errorf(store.ErrInvalid, "%.214q is not a package name.", name)
	}
	return nil
}

const nameChars = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~!'()*"

// checkNewName is the rule for names that do not exist yet.
func checkNewName(name string) error {
	scope, base := splitName(name)
	switch {
	case checkName(name) != nil:
		return checkName(name)
	case name != strings.ToLower(name):
		return wire.Errorf(store.ErrInvalid, "The name %q has capital letters; names of new packages are lower case.", name)
	case strings.ContainsAny(name, "~'!()*"):
		return wire.Errorf(store.ErrInvalid, "The name %q has one of the characters ~'!()*, which names of new packages must not have.", name)
	case strings.HasPrefix(base, "-"), scope == "" && strings.HasPrefix(base, "_"), strings.HasPrefix(scope, "@-"), strings.HasPrefix(scope, "@."):
		return wire.Errorf(store.ErrInvalid, "The name %q starts with a character that names of new packages must not start with.", name)
	}
	return nil
}

// skeleton is what two names share that people would mistake for each other: they differ in case or separators only.
func skeleton(name string) string {
	return strings.NewReplacer("_", "-", ".", "-").Replace(strings.ToLower(name))
}

// tarballName is the conventional file name, from which pnpm and yarn rebuild the URL.
func tarballName(name, version string) string {
	_, base := splitName(name)
	return base + "-" + version + ".tgz"
}

// checkTag accepts what clients cannot take for a version.
func checkTag(tag string) error {
	switch {
	case tag == "" || len(tag) > maxTagLen || strings.ContainsFunc(tag, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' }):
		return wire.Errorf(store.ErrInvalid, "%.80q is not a dist-tag.", tag)
	case looksLikeRange(tag):
		return wire.Errorf(store.ErrInvalid, "The dist-tag %.80q would be taken for a version or range; choose a word.", tag)
	}
	return nil
}

// checkFile accepts the names tarballs have.
func checkFile(name string) error {
	if name == "" || len(name) > maxNameLen+maxVersion+5 || strings.Trim(name, nameChars+"+@") != "" {
		return wire.Errorf(wire.ErrBadPath, "the file name is malformed")
	}
	return nil
}
