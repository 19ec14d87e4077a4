package rubygems

// What is stored of a version.

import (
	"unicode/utf8"

	"larder/internal/registry"
)

// typeGem is the type of gems' names in auth scopes: rubygems:gem:rack:read.
const typeGem = "gem"

const (
	maxBundles   = 4 << 20 // all attestations of one push
	summaryBytes = 300     // bytes of the summary kept for search
)

// Meta is what a version's record holds beside the store's own fields. Documents and index lines are derived from it.
type Meta struct {
	// Number and Platform are the two parts of the version's ID; Platform is spelled as the gem spells it.
	Number   string `json:"number"`
	Platform string `json:"platform"`
	// Spec is the gem's specification.
	Spec registry.Part `json:"spec"`
	// Line is the version's line of the compact index.
	Line string `json:"line"`
	// SpecSHA is the sha256 of the gemspec.rz.
	SpecSHA string `json:"spec_sha"`
	// Summary is the beginning of the summary, for search.
	Summary string `json:"summary,omitempty"`
	// Attestations are the Sigstore bundles as they were pushed.
	Attestations registry.Part `json:"attestations,omitzero"`
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
