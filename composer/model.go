package composer

// What is stored about a version. Pure.

import (
	"cmp"
	"strings"

	"larder/composer/manifest"
	"larder/composer/version"
	"larder/internal/registry"
)

// typePackage is the type of Composer's names in auth scopes: composer:package:acme/demo:read.
const typePackage = "package"

const (
	maxEntry     = 2 << 20  // bytes of what is kept of a composer.json
	maxForm      = 1 << 20  // bytes of an audit
	maxSmallBody = 64 << 10 // bytes of other requests that hold no archive
	maxAnnounced = 2_000    // names in packages.json; beyond it clients ask for every name
	typeJSON     = "application/json"
	typeZip      = "application/zip"
)

// Meta is what a version's record holds beside the store's own fields. Everything a document shows of the version is
// derived from it (see fragmentOf).
//
// A release is stored under its normalised version. The state of a branch is stored under the version, "#" and the
// archive's reference, and a tag called like the version points at the present one: lock files name older ones.
type Meta struct {
	// Version is what its publisher wrote.
	Version string `json:"version"`
	// Reference names the archive in lock files: the sha1 of its bytes.
	Reference string `json:"reference"`
	// Form is what the archive is; "" for ZIP.
	Form string `json:"form,omitempty"`
	// Entry is what documents show of composer.json.
	Entry registry.Part `json:"entry"`
	// Summary is what lists show.
	Summary manifest.Summary `json:"summary"`
}

// idOf is the store's name of a version.
func idOf(normalized, reference string) string {
	if version.IsDev(normalized) {
		return normalized + "#" + reference
	}
	return normalized
}

// fileOf is the store's name of a version's archive, and the end of its path. form is "" for zip.
func fileOf(normalized, reference, form string) string {
	return normalized + "/" + reference + "." + cmp.Or(form, formZip)
}

// formZip is the form of nearly every archive. A form is what the name of an archive ends with: clients go by it.
const formZip = "zip"

// mediaTypes are the forms of archives that Composer unpacks. None is zip.
var mediaTypes = map[string]string{
	"": typeZip, formZip: typeZip, "tar": "application/x-tar", "tar.gz": "application/gzip", "tgz": "application/gzip",
	"tar.bz2": "application/x-bzip2", "tbz2": "application/x-bzip2", "tar.xz": "application/x-xz",
	"txz": "application/x-xz", "gz": "application/gzip", "bz2": "application/x-bzip2", "xz": "application/x-xz",
	"7z": "application/x-7z-compressed", "rar": "application/vnd.rar", "phar": "application/octet-stream",
}

// formOf is the form of an archive of a type that is at an address; for zip it is "".
func formOf(typ, at string) string {
	path, _, _ := strings.Cut(at, "?")
	path = strings.ToLower(path[strings.LastIndexByte(path, '/')+1:])
	if typ == formZip || typ == "" {
		return ""
	}
	for at := 0; at < len(path); at++ {
		if _, known := mediaTypes[path[at+1:]]; path[at] == '.' && known && path[at+1:] != formZip {
			return path[at+1:]
		}
	}
	switch typ {
	case "gzip":
		return "gz"
	case "tar", "xz", "7z", "rar", "phar":
		return typ
	}
	return ""
}
