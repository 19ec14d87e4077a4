// Package manifest reads container manifests: what type one is, what it refers to, and whether two readers could see
// two different things in it, in which case it is refused. It knows nothing of repositories.
package manifest

import (
	"bytes"
	_ "crypto/sha256" // go-digest looks the algorithms up
	_ "crypto/sha512"
	"encoding/json"
	"mime"
	"regexp"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"larder/internal/problem"
)

// Manifest media types. They are stored and returned exactly as pushed; Docker's are never turned into OCI's.
const (
	TypeImage       = "application/vnd.oci.image.manifest.v1+json"
	TypeIndex       = "application/vnd.oci.image.index.v1+json"
	TypeArtifact    = "application/vnd.oci.artifact.manifest.v1+json" // oras and notation before image-spec 1.1
	TypeDockerImage = "application/vnd.docker.distribution.manifest.v2+json"
	TypeDockerList  = "application/vnd.docker.distribution.manifest.list.v2+json"
	TypeSchema1     = "application/vnd.docker.distribution.manifest.v1" // +json and +prettyjws
)

// Limits of one manifest.
const (
	maxDescriptors = 10_000
	maxDepth       = 64
)

var (
	digestGrammar    = regexp.MustCompile(`^[a-z0-9]+(?:[+._-][a-z0-9]+)*:[a-zA-Z0-9=_-]+$`)
	mediaTypeGrammar = regexp.MustCompile(`^application/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*\+json$`)
)

// Descriptor is what this package reads of a descriptor.
type Descriptor struct {
	MediaType    string            `json:"mediaType,omitempty"`
	Digest       digest.Digest     `json:"digest"`
	Size         int64             `json:"size"`
	ArtifactType string            `json:"artifactType,omitempty"`
	Annotations  map[string]string `json:"annotations,omitempty"`
	URLs         []string          `json:"urls,omitempty"`
}

// Foreign reports whether the blob is meant to be fetched from elsewhere, so that it may be missing here.
func (d Descriptor) Foreign() bool {
	return len(d.URLs) > 0 || strings.Contains(d.MediaType, "nondistributable") ||
		strings.Contains(d.MediaType, "rootfs.foreign")
}

// Manifest is what a pushed manifest says, as far as the registry acts on it.
type Manifest struct {
	MediaType    string
	ArtifactType string
	Subject      *Descriptor
	Config       *Descriptor
	Blobs        []Descriptor // layers, or an artifact manifest's blobs
	Children     []Descriptor // manifests of an index
	// Others are digests it refers to besides: its subject, what an unknown type or field names.
	Others      []digest.Digest
	Annotations map[string]string
}

// invalid is the one error of this package, problem.ErrInvalid with a sentence.
func invalid(format string, args ...any) error {
	return problem.Errorf(problem.ErrInvalid, format, args...)
}

// Parse reads body as the type the client announced ("" = find out), and refuses what could be read in two ways.
func Parse(contentType string, body []byte) (Manifest, error) {
	if depth(body) > maxDepth {
		return Manifest{}, invalid("the manifest is nested more than %d levels deep", maxDepth)
	}
	fields, err := topLevel(body)
	if err != nil {
		return Manifest{}, err
	}
	mediaType, err := decideType(contentType, fields)
	if err != nil {
		return Manifest{}, err
	}
	m := Manifest{MediaType: mediaType}
	switch mediaType {
	case TypeImage, TypeDockerImage:
		err = m.readImage(fields)
	case TypeIndex, TypeDockerList:
		err = m.readIndex(fields)
	case TypeArtifact:
		err = m.readArtifact(fields)
	default:
		// An unknown type is kept as it is; every digest in it may be something it needs.
		m.Others, err = walk(body, true)
		return m, err
	}
	if err != nil {
		return Manifest{}, err
	}
	if err := m.check(); err != nil {
		return Manifest{}, err
	}
	if m.isWhole(body) {
		return m, nil
	}
	found, err := walk(body, false)
	m.Others = m.unknown(found)
	return m, err
}

// isWhole reports whether body has no digest but those of References and Children, as nearly every image has. Each of
// their digests stands in a string of its own, so there is none besides when there are no more strings that begin like
// one. A string with escapes could.
func (m *Manifest) isWhole(body []byte) bool {
	if m.Subject != nil || bytes.IndexByte(body, '\\') >= 0 {
		return false
	}
	n := bytes.Count(body, []byte(`"sha256:`)) + bytes.Count(body, []byte(`"sha512:`))
	for _, d := range m.References() {
		if !storable(d.Digest) {
			return false
		}
	}
	for _, d := range m.Children {
		if !storable(d.Digest) {
			return false
		}
	}
	return n == len(m.References())+len(m.Children)
}

// unknown leaves those of found that neither References nor Children have.
func (m *Manifest) unknown(found []digest.Digest) []digest.Digest {
	known := make(map[digest.Digest]bool, len(found))
	for _, list := range [][]Descriptor{m.References(), m.Children} {
		for _, d := range list {
			known[d.Digest] = true
		}
	}
	return slices.DeleteFunc(found, func(d digest.Digest) bool { return known[d] })
}

// ParseKept is Parse for a manifest that is kept already: also one of a type that means nothing to us is searched for a
// subject.
func ParseKept(mediaType string, body []byte) (Manifest, error) {
	m, err := Parse(mediaType, body)
	if err != nil || m.Subject != nil {
		return m, err
	}
	fields, err := topLevel(body)
	if err != nil {
		return m, err
	}
	return m, m.readCommon(fields)
}

// depth is the deepest nesting of body outside of strings; it runs before any decoder sees the bytes.
func depth(body []byte) int {
	deepest, level, quoted := 0, 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			level++
			deepest = max(deepest, level)
		case c == '}' || c == ']':
			level--
		}
	}
	return deepest
}

// significant are the top-level fields that decide what a manifest is.
var significant = [...]string{
	"schemaVersion", "mediaType", "artifactType", "config", "layers", "blobs", "manifests", "subject", "annotations",
}

// topLevel splits body into its top-level fields. A significant field given twice, or in another case (which Go clients
// would read as the same field), is refused: two readers could see two different manifests.
func topLevel(body []byte) (map[string]json.RawMessage, error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, invalid("the manifest is not a JSON object")
	}
	fields := map[string]json.RawMessage{}
	for dec.More() {
		t, err := dec.Token()
		key, ok := t.(string)
		if err != nil || !ok {
			return nil, invalid("the manifest is not valid JSON")
		}
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return nil, invalid("the manifest is not valid JSON")
		}
		for _, s := range significant {
			if _, twice := fields[s]; strings.EqualFold(key, s) && (twice || key != s) {
				return nil, invalid("the manifest's field %q is ambiguous", s)
			}
		}
		fields[key] = raw
	}
	if _, err := dec.Token(); err != nil {
		return nil, invalid("the manifest is not valid JSON")
	}
	if len(bytes.Trim(body[dec.InputOffset():], " \t\r\n")) > 0 {
		return nil, invalid("there is something behind the manifest's JSON object")
	}
	return fields, nil
}

// decideType compares the announced type with the body's own and its shape.
func decideType(contentType string, fields map[string]json.RawMessage) (string, error) {
	var own string
	if raw, ok := fields["mediaType"]; ok && json.Unmarshal(raw, &own) != nil {
		return "", invalid("the manifest's mediaType is not a string")
	}
	announced := BareType(contentType)
	_, index := fields["manifests"]
	_, layers := fields["layers"]
	_, config := fields["config"]
	switch {
	case index && (layers || config):
		return "", invalid("the manifest is ambiguous: it has both manifests and layers or config")
	case announced != "" && own != "" && announced != own:
		return "", invalid("the manifest says mediaType %.100q, but was pushed as %.100q", own, announced)
	}
	mediaType := announced
	switch {
	case mediaType != "":
	case own != "":
		mediaType = own
	case index:
		mediaType = TypeIndex
	case layers || config:
		mediaType = TypeImage
	}
	switch {
	case strings.HasPrefix(mediaType, TypeSchema1), mediaType == "" && fields["fsLayers"] != nil:
		return "", invalid("schema 1 manifests are not supported; push with a current client")
	case mediaType == "":
		return "", invalid("the manifest's type is neither announced nor recognisable")
	case !mediaTypeGrammar.MatchString(mediaType):
		return "", invalid("%.100q is not a manifest type", mediaType)
	}
	return mediaType, nil
}

// TypeOf is the media type that a manifest says it has, "" when it says none. It only looks for that: what the manifest
// was parsed for when it came is not looked at again.
func TypeOf(body []byte) string {
	var m struct {
		MediaType string `json:"mediaType"`
	}
	if json.Unmarshal(body, &m) != nil {
		return ""
	}
	return m.MediaType
}

// BareType returns the bare media type; the specification wants parameters ignored.
func BareType(contentType string) string {
	if t, _, err := mime.ParseMediaType(contentType); err == nil && strings.EqualFold(t, strings.TrimSpace(contentType)) {
		return strings.TrimSpace(contentType)
	}
	t, _, _ := strings.Cut(contentType, ";")
	return strings.TrimSpace(t)
}

// decode reads one field; absent and null leave v alone.
func decode(fields map[string]json.RawMessage, key string, v any) error {
	raw, ok := fields[key]
	if !ok {
		return nil
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return invalid("the manifest's field %q is malformed", key)
	}
	return nil
}

func (m *Manifest) readCommon(fields map[string]json.RawMessage) error {
	for key, v := range map[string]any{
		"artifactType": &m.ArtifactType, "annotations": &m.Annotations, "subject": &m.Subject,
	} {
		if err := decode(fields, key, v); err != nil {
			return err
		}
	}
	return nil
}

func checkSchema(fields map[string]json.RawMessage) error {
	var version int
	if err := decode(fields, "schemaVersion", &version); err != nil {
		return err
	}
	if version != 2 {
		return invalid("schemaVersion must be 2")
	}
	return nil
}

func (m *Manifest) readImage(fields map[string]json.RawMessage) error {
	if err := checkSchema(fields); err != nil {
		return err
	}
	if _, ok := fields["manifests"]; ok {
		return invalid("an image manifest cannot have manifests")
	}
	if err := decode(fields, "config", &m.Config); err != nil {
		return err
	}
	if m.Config == nil {
		return invalid("the image manifest has no config")
	}
	if err := decode(fields, "layers", &m.Blobs); err != nil {
		return err
	}
	return m.readCommon(fields)
}

func (m *Manifest) readIndex(fields map[string]json.RawMessage) error {
	if err := checkSchema(fields); err != nil {
		return err
	}
	for _, key := range [...]string{"layers", "config"} {
		if _, ok := fields[key]; ok {
			return invalid("an index cannot have %s", key)
		}
	}
	if _, ok := fields["manifests"]; !ok {
		return invalid("the index has no manifests field")
	}
	if err := decode(fields, "manifests", &m.Children); err != nil {
		return err
	}
	return m.readCommon(fields)
}

func (m *Manifest) readArtifact(fields map[string]json.RawMessage) error {
	if err := decode(fields, "blobs", &m.Blobs); err != nil {
		return err
	}
	return m.readCommon(fields)
}

// check validates every descriptor. Blobs must be of an algorithm we can store; children and subject need not exist
// here at all, so any digest of the grammar is good enough for them.
func (m *Manifest) check() error {
	if n := len(m.Blobs) + len(m.Children); n > maxDescriptors {
		return invalid("the manifest has %d descriptors, at most %d are supported", n, maxDescriptors)
	}
	for _, d := range m.References() {
		if !storable(d.Digest) && !d.Foreign() || d.Size < 0 {
			return invalid("the manifest has an invalid descriptor %.200q", d.Digest)
		}
	}
	rest := m.Children
	if m.Subject != nil {
		rest = append([]Descriptor{*m.Subject}, rest...)
	}
	for _, d := range rest {
		if !digestGrammar.MatchString(d.Digest.String()) || d.Size < 0 || knownAlgorithm(d.Digest) && !storable(d.Digest) {
			return invalid("the manifest has an invalid descriptor %.200q", d.Digest)
		}
	}
	return nil
}

// storable reports whether d is a digest of an algorithm that blobs are stored by.
func storable(d digest.Digest) bool { return d.Validate() == nil && knownAlgorithm(d) }

func knownAlgorithm(d digest.Digest) bool {
	alg, _, _ := strings.Cut(d.String(), ":")
	return alg == digest.SHA256.String() || alg == digest.SHA512.String()
}

// References lists the blobs the manifest is made of.
func (m *Manifest) References() []Descriptor {
	if m.Config == nil {
		return m.Blobs
	}
	return append([]Descriptor{*m.Config}, m.Blobs...)
}

// EffectiveType is the artifactType a referrers list shows: an image manifest without one falls back to its config's
// type, an index without one has none.
func (m *Manifest) EffectiveType() string {
	if m.ArtifactType == "" && m.Config != nil {
		return m.Config.MediaType
	}
	return m.ArtifactType
}

// Descriptor is the entry of a referrers list (end-12a).
func (m *Manifest) Descriptor(d digest.Digest, size int64) Descriptor {
	return Descriptor{
		MediaType: m.MediaType, Digest: d, Size: size, ArtifactType: m.EffectiveType(), Annotations: m.Annotations,
	}
}

// FallbackTag is the tag under which clients keep referrers where there is no referrers API.
func FallbackTag(d digest.Digest) string {
	alg, enc, _ := strings.Cut(d.String(), ":")
	tag := alg[:min(len(alg), 32)] + "-" + enc[:min(len(enc), 64)]
	return strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-' {
			return c
		}
		return '-'
	}, tag)
}
