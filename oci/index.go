package oci

// Documents from records. Pure: nothing here reads the store, and no document contains an absolute URL.

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/opencontainers/go-digest"

	"larder/oci/manifest"
	"larder/store"
)

// Annotations of a tag history's entries (distribution-spec #606).
const (
	annotationTime  = "org.opencontainers.distribution.tag.timestamp"
	annotationEvent = "org.opencontainers.distribution.tag.event"
)

// maxPageBytes keeps a referrers page below the 4 MiB that oras and containers/image read at most.
const maxPageBytes = 3 << 20

// tagList is the answer of end-8.
type tagList struct {
	Name string   `json:"name"`
	Tags []string `json:"tags"` // [] rather than null: clients iterate without looking
}

// catalog is the answer of /v2/_catalog.
type catalog struct {
	Repositories []string `json:"repositories"`
}

// repositoryEntry is one element of _oci/repositories (distribution-spec #611); the fields beside name are ours.
type repositoryEntry struct {
	Name      string    `json:"name"`
	Manifests int       `json:"manifests"`
	Tags      int       `json:"tags"`
	Size      int64     `json:"size"`
	Updated   time.Time `json:"updated"`
}

func repositoryEntryOf(p store.Package) repositoryEntry {
	return repositoryEntry{Name: p.Name, Manifests: p.Versions, Tags: p.Tags, Size: p.Bytes, Updated: p.Updated.UTC()}
}

// imageIndex is the form of referrers and of tag histories.
type imageIndex struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType"`
	Manifests     []json.RawMessage `json:"manifests"`
}

func newIndex(descriptors []json.RawMessage) imageIndex {
	if descriptors == nil {
		descriptors = []json.RawMessage{}
	}
	return imageIndex{SchemaVersion: 2, MediaType: manifest.TypeIndex, Manifests: descriptors}
}

// historyEvent is one entry of a tag's history with what is known of the manifest it names.
type historyEvent struct {
	time   time.Time
	event  string
	digest digest.Digest
	row    manifestRow
}

// descriptor drops the manifest's own annotations, so that none can pretend to be the registry's.
func (e historyEvent) descriptor() manifest.Descriptor {
	return manifest.Descriptor{
		MediaType: e.row.mediaType, Digest: e.digest, Size: e.row.size,
		Annotations: map[string]string{annotationTime: e.time.UTC().Format(time.RFC3339Nano), annotationEvent: e.event},
	}
}

// encodeDescriptor is a descriptor as JSON.
func encodeDescriptor(d manifest.Descriptor) (json.RawMessage, error) { return json.Marshal(d) }

// extension is one element of the ext/discover answer.
type extension struct {
	Name        string   `json:"name"`
	URL         string   `json:"url"`
	Description string   `json:"description"`
	Endpoints   []string `json:"endpoints"`
}

type extensionList struct {
	Extensions []extension `json:"extensions"`
}

const specURL = "https://github.com/opencontainers/distribution-spec/tree/main/extensions"

// discovery lists the extensions of the registry (name "") or of one repository.
func discovery(root, name string) extensionList {
	e := extension{Name: "_oci", URL: specURL + "/_oci.md", Description: "extension discovery and repository listing"}
	if name == "" {
		e.Endpoints = []string{root + "/_oci/ext/discover", root + "/_oci/repositories"}
		c := extension{
			Name: "_catalog", URL: specURL + "/README.md", Description: "list of repositories",
			Endpoints: []string{root + "/_catalog"},
		}
		return extensionList{Extensions: []extension{e, c}}
	}
	repo := root + "/" + name + "/_oci/"
	e.Description = "extension discovery and tag history; POST to a tag's history restores it"
	e.Endpoints = []string{repo + "ext/discover", repo + "tag-history/<tag>"}
	return extensionList{Extensions: []extension{e}}
}

// searchResult is the answer of /v1/search, the search of docker and podman.
type searchResult struct {
	NumResults int         `json:"num_results"`
	Query      string      `json:"query"`
	Results    []searchHit `json:"results"`
}

type searchHit struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	StarCount   int    `json:"star_count"`
	IsOfficial  bool   `json:"is_official"`
	IsAutomated bool   `json:"is_automated"`
}

// setNext announces a further page of the same request after last (RFC 5988).
func (s *server) setNext(h http.Header, op string, q Request, n int, last string) {
	q.N, q.Last = n, last
	h.Set("Link", "<"+s.table.Link(op, q)+`>; rel="next"`)
}
