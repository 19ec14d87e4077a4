package composer

// Names, and what is stored about a version. Pure.

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"larder/composer/semver"
	"larder/internal/wire"
	"larder/store"
)

// typePackage is the type of Composer's names in auth scopes: composer:package:acme/demo:read.
const typePackage = "package"

const (
	maxName      = 200      // bytes of a package's name
	maxManifest  = 1 << 20  // bytes of a composer.json
	maxInline    = 16 << 10 // larger JSON lives in a blob
	maxEntries   = 50_000   // of an archive
	maxUnpacked  = 1 << 30  // bytes of an archive when it is unpacked
	maxSmallBody = 64 << 10 // bytes of a request that holds no archive
	smallBlob    = 64 << 10 // archives up to this size are served from memory
	maxSummary   = 500      // bytes of a description in lists
	maxAnnounced = 2_000    // names in packages.json; beyond it clients ask for every name
	typeJSON     = "application/json"
	typeZip      = "application/zip"
	typeLibrary  = "library" // what a package is unless it says otherwise
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
	// Entry is what documents show of composer.json.
	Entry part `json:"entry"`
	// Summary is what lists show.
	Summary summary `json:"summary"`
}

// part is JSON that is small, or a blob that is one of the version's files.
type part struct {
	JSON json.RawMessage `json:"json,omitempty"`
	Blob digest.Digest   `json:"blob,omitempty"`
}

// summary is what lists and searches show of a package; that of its best version counts.
type summary struct {
	Version     string   `json:"version"` // normalised
	Description string   `json:"description,omitempty"`
	Type        string   `json:"type"`
	Homepage    string   `json:"homepage,omitempty"`
	Repository  string   `json:"repository,omitempty"`
	Keywords    []string `json:"keywords,omitempty"`
	Provides    []string `json:"provides,omitempty"`
	// Abandoned is true, or the name of what to use instead; nil when neither.
	Abandoned json.RawMessage `json:"abandoned,omitempty"`
}

var (
	namePattern = regexp.MustCompile(`^[a-z0-9]([_.-]?[a-z0-9]+)*/[a-z0-9](([_.]|-{1,2})?[a-z0-9]+)*$`)
	typePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9_.-]*$`)
	deviceName  = regexp.MustCompile(`^(con|prn|aux|nul|com[1-9]|lpt[1-9])$`)
)

// parseName returns the one spelling of a name; names differ in more than case.
func parseName(name string) (string, error) {
	n := strings.ToLower(name)
	vendor, base, _ := strings.Cut(n, "/")
	switch {
	case len(name) > maxName:
		return "", wire.Errorf(store.ErrInvalid, "A package name has at most %d characters.", maxName)
	case !namePattern.MatchString(n), strings.HasSuffix(n, ".json"), deviceName.MatchString(vendor), deviceName.MatchString(base):
		return "", wire.Errorf(store.ErrInvalid, "%.200q is not a package name such as acme/demo.", name)
	}
	return n, nil
}

// isProvided says whether a name can be one that packages provide: a package's, also one that does not exist, or a
// platform's such as ext-json.
func isProvided(name string) bool {
	return name != "" && len(name) <= maxName && strings.Trim(name, linkChars) == "" && !slices.Contains(strings.Split(name, "/"), "..")
}

const linkChars = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/"

// idOf is the store's name of a version.
func idOf(normalized, reference string) string {
	if semver.IsDev(normalized) {
		return normalized + "#" + reference
	}
	return normalized
}

// fileOf is the store's name of a version's archive, and the end of its path.
func fileOf(normalized, reference string) string { return normalized + "/" + reference + ".zip" }
