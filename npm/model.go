package npm

// What is stored about a version. Pure.

import "larder/internal/registry"

// typePackage is the type of npm's names in auth scopes: npm:package:@acme/demo:read.
const typePackage = "package"

const (
	maxDocument  = 128 << 20 // a document sent back by npm deprecate, tarball not counted
	maxSmallBody = 1 << 20
)

// Meta is what a version's record holds beside the store's own fields. Everything a document shows of the version is
// derived from it (see fragment).
type Meta struct {
	// Manifest is the version's manifest: the fields of its package.json as they are, without dist.
	Manifest registry.Part `json:"manifest"`
	// Short is what the abbreviated document shows of it.
	Short registry.Part `json:"short"`
	// Dist is the content of the member dist, without braces, and without the URLs that depend on who asks.
	Dist string `json:"dist"`
	// Integrity is the tarball's sha512 as in dist.integrity.
	Integrity string `json:"integrity"`
	// Deprecated is the message of npm deprecate.
	Deprecated string `json:"deprecated,omitempty"`
	// Readme is the package's README at this version.
	Readme registry.Part `json:"readme,omitzero"`
	// ReadmeName is its file's name.
	ReadmeName string `json:"readme_name,omitempty"`
	// Attestations is the answer of the attestations end point, Predicate the type of its provenance.
	Attestations registry.Part `json:"attestations,omitzero"`
	Predicate    string        `json:"predicate,omitempty"`
	// Differs names the fields in which the request's manifest was not that of the tarball; the tarball's are used.
	Differs []string `json:"differs,omitempty"`
}
