package oci

// Which names are legal, with this protocol's errors, and what the record of a manifest has. Pure.

import (
	"time"

	"github.com/opencontainers/go-digest"

	"larder/internal/problem"
	"larder/oci/manifest"
	"larder/oci/names"
)

// Limits of what is kept of a manifest.
const (
	maxMetaAnnotations = 4 << 10 // annotations above this stay in the manifest only
	maxMetaChildren    = 64
)

// typeRepository is the scope type of a repository.
const typeRepository = "repository"

// checkName accepts a repository name; clients refuse names that are longer together with the host (checkFullName).
func checkName(name string) error {
	if len(name) > names.MaxRepository || !names.IsRepository(name) {
		return faultf(
			codeNameInvalid, problem.ErrBadPath,
			"invalid repository name: components are lower-case letters and digits, separated by one of . _ __ - and /",
		)
	}
	return nil
}

// checkFullName keeps host, slash and name within the 255 bytes that docker and podman can address.
func checkFullName(host, name string) error {
	if len(host)+1+len(name) > names.MaxRepository {
		return faultf(
			codeNameInvalid, problem.ErrBadPath, "host and repository name together are longer than %d bytes",
			names.MaxRepository,
		)
	}
	return nil
}

func checkTag(tag string) error {
	if !names.IsTag(tag) {
		return faultf(
			codeTagInvalid, problem.ErrBadPath,
			"invalid tag: up to 128 letters, digits, '.', '_' and '-', not beginning with '.' or '-'",
		)
	}
	return nil
}

// Meta is what is kept of a manifest in its record. The bytes themselves are a blob.
type Meta struct {
	MediaType    string            `json:"mediaType"`
	ArtifactType string            `json:"artifactType,omitempty"`
	Subject      digest.Digest     `json:"subject,omitempty"`
	ConfigType   string            `json:"configType,omitempty"`
	Config       digest.Digest     `json:"config,omitempty"`
	Size         int64             `json:"size"`               // of the manifest
	Children     []digest.Digest   `json:"children,omitempty"` // at most 64; the rest is in the manifest
	Annotations  map[string]string `json:"annotations,omitempty"`
}

// metaOf is the part of the manifest that its record keeps.
func metaOf(m *manifest.Manifest, size int64) Meta {
	meta := Meta{MediaType: m.MediaType, ArtifactType: m.EffectiveType(), Size: size}
	if m.Subject != nil {
		meta.Subject = m.Subject.Digest
	}
	if m.Config != nil {
		meta.Config, meta.ConfigType = m.Config.Digest, m.Config.MediaType
	}
	for _, c := range m.Children[:min(len(m.Children), maxMetaChildren)] {
		meta.Children = append(meta.Children, c.Digest)
	}
	n := 0
	for k, v := range m.Annotations {
		n += len(k) + len(v)
	}
	if n <= maxMetaAnnotations {
		meta.Annotations = m.Annotations
	}
	return meta
}

// parseTime reads a bound of the tag history; "" is the zero time.
func parseTime(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	return time.Parse(time.RFC3339Nano, s)
}
