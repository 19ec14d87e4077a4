package rubygems

// Names, the rules a gem must keep, and what is stored about one. Pure.

import (
	"encoding/json"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/opencontainers/go-digest"

	"larder/internal/gemspec"
	"larder/internal/wire"
	"larder/store"
)

// typeGem is the type of gems' names in auth scopes: rubygems:gem:rack:read.
const typeGem = "gem"

// The characters of names.
const (
	digits       = "0123456789"
	alphanumeric = digits + "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
)

const (
	maxName      = 255
	maxText      = 64_000 // summary, description, all authors
	maxMetaKey   = 128
	maxMetaValue = 1024
	maxLicenses  = 64
	maxInline    = 16 << 10 // larger JSON lives in a blob
	maxForm      = 64 << 10
	maxBundles   = 4 << 20 // all attestations of one push
	summaryWords = 300     // bytes of the summary kept for search
)

// Meta is what a version's record holds beside the store's own fields. Documents and index lines are derived from it.
type Meta struct {
	// Number and Platform are the two parts of the version's ID; Platform is spelled as the gem spells it.
	Number   string `json:"number"`
	Platform string `json:"platform"`
	// Spec is the gem's specification.
	Spec part `json:"spec"`
	// Line is the version's line of the compact index.
	Line string `json:"line"`
	// SpecSHA is the sha256 of the gemspec.rz.
	SpecSHA string `json:"spec_sha"`
	// Summary is the start of the summary, for search.
	Summary string `json:"summary,omitempty"`
	// Attestations is the answer of the attestations end point.
	Attestations part `json:"attestations,omitzero"`
}

// part is JSON that is small, or a blob that is one of the version's files.
type part struct {
	JSON json.RawMessage `json:"json,omitempty"`
	Blob digest.Digest   `json:"blob,omitempty"`
}

// checkName accepts what can be a gem's name, in every document and file name there is.
func checkName(name string) error {
	lower := strings.ToLower(name)
	bad := name == "" || len(name) > maxName || strings.Trim(name, alphanumeric+"._-") != "" || strings.Trim(name, "._-") != name ||
		strings.Trim(name, digits+"._-") == ""
	for _, suffix := range []string{".gem", ".json", ".html", ".gemspec", ".yaml"} {
		bad = bad || strings.HasSuffix(lower, suffix)
	}
	if bad {
		return wire.Errorf(store.ErrInvalid, "%.80q is not a name for a gem.", name)
	}
	return nil
}

// versionID is a version's ID in the store and its token in the compact index. A number has no dash, so the first one
// ends it.
func versionID(number, platform string) string {
	if platform == gemspec.Ruby {
		return number
	}
	return number + "-" + platform
}

func splitID(id string) (number, platform string) {
	number, platform, found := strings.Cut(id, "-")
	if !found {
		platform = gemspec.Ruby
	}
	return number, platform
}

// fullName is a version's name in the names of files.
func fullName(name, id string) string { return name + "-" + id }

// canonicalID is what no two versions of a gem may share.
func canonicalID(s *gemspec.Specification) string {
	p := gemspec.Ruby
	if s.Platform != gemspec.Ruby {
		p = gemspec.ParsePlatform(s.Platform).String()
	}
	return gemspec.Canonical(s.Version) + "-" + strings.ToLower(p)
}

// prefers reports whether a version stands for its gem rather than another one does: the newest release, the one for every
// platform first.
func prefers(a, b string) bool {
	an, ap := splitID(a)
	bn, bp := splitID(b)
	switch {
	case gemspec.IsPrerelease(an) != gemspec.IsPrerelease(bn):
		return gemspec.IsPrerelease(bn)
	case gemspec.Compare(an, bn) != 0:
		return gemspec.Compare(an, bn) > 0
	case (ap == gemspec.Ruby) != (bp == gemspec.Ruby):
		return ap == gemspec.Ruby
	}
	return ap < bp
}

// newerFirst orders the versions of a gem for lists.
func newerFirst(a, b string) int {
	an, ap := splitID(a)
	bn, bp := splitID(b)
	if c := gemspec.Compare(bn, an); c != 0 {
		return c
	}
	return strings.Compare(ap, bp)
}

// checkSpec is every rule for a gem that is published here.
func checkSpec(s *gemspec.Specification) error {
	for _, err := range []error{checkName(s.Name), checkVersion(s.Version), checkPlatform(s.Platform), checkTexts(s), checkMetadata(s), checkDependencies(s)} {
		if err != nil {
			return err
		}
	}
	return nil
}

func checkTexts(s *gemspec.Specification) error {
	authors := strings.Join(s.Authors, ", ")
	for what, text := range map[string]string{"summary": deref(s.Summary), "description": deref(s.Description), "authors": authors, "email": strings.Join(s.Emails, ", ")} {
		if len(text) > maxText {
			return wire.Errorf(store.ErrInvalid, "The gem's %s has more than %d bytes.", what, maxText)
		}
	}
	if strings.TrimSpace(authors) == "" {
		return wire.Errorf(store.ErrInvalid, "The gem names no authors.")
	}
	if len(s.Licenses) > maxLicenses {
		return wire.Errorf(store.ErrInvalid, "The gem has more than %d licenses.", maxLicenses)
	}
	if h := deref(s.Homepage); h != "" && !isWebURL(h) {
		return wire.Errorf(store.ErrInvalid, "The gem's homepage %.200q is not an http or https URL.", h)
	}
	return nil
}

func checkMetadata(s *gemspec.Specification) error {
	for _, m := range s.Metadata {
		key, value := m[0], m[1]
		switch {
		case key == "" || len(key) > maxMetaKey || len(value) > maxMetaValue:
			return wire.Errorf(store.ErrInvalid, "A key of the gem's metadata has at most %d bytes, a value %d; see %.40q.", maxMetaKey, maxMetaValue, key)
		case strings.HasSuffix(key, "_uri") && value != "" && !isWebURL(value):
			return wire.Errorf(store.ErrInvalid, "The gem's metadata %.130q is %.200q, which is not an http or https URL.", key, value)
		}
	}
	return nil
}

func checkDependencies(s *gemspec.Specification) error {
	for _, d := range s.Dependencies {
		if err := checkName(d.Name); err != nil {
			return err
		}
		if err := checkRequirement(d.Requirement, d.Name); err != nil {
			return err
		}
	}
	if err := checkRequirement(s.RubyVersion, "Ruby"); err != nil {
		return err
	}
	return checkRequirement(s.RubygemsVersion, "RubyGems")
}

func checkRequirement(r gemspec.Requirement, of string) error {
	if c, bad := r.Bad(); bad {
		return wire.Errorf(store.ErrInvalid, "The requirement %.80q of %s is none.", c.Op+" "+c.Version, of)
	}
	return nil
}

func checkVersion(s string) error {
	if !gemspec.IsVersion(s) {
		return wire.Errorf(store.ErrInvalid, "%.80q is not a version of a gem: numbers and words joined by dots, at most %d characters.", s, gemspec.MaxVersion)
	}
	return nil
}

func checkPlatform(s string) error {
	if !gemspec.IsPlatform(s) {
		return wire.Errorf(store.ErrInvalid, "%.80q is not a platform.", s)
	}
	return nil
}

func isWebURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && len(s) <= maxMetaValue
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// clip cuts a text to at most n bytes.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
