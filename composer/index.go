package composer

// Records into documents. Pure: rendering is comparing and copying, because a document of thousands of versions is
// asked for often and a publish must not cost more the more versions there are. No composer.json is decoded here.

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"larder/composer/minify"
	"larder/composer/version"
	"larder/internal/rawjson"
	"larder/internal/registry"
	"larder/store"
)

// The rows this package keeps below each package: normalised version → fragment, for releases and for branches.
const (
	indexReleases = "releases"
	indexBranches = "branches"
)

// tableOf is where a version's fragment is.
func tableOf(normalized string) string {
	if version.IsDev(normalized) {
		return indexBranches
	}
	return indexReleases
}

// fragment is what documents show of one version, ready to be compared and copied. It is derived from the version's
// record.
type fragment struct {
	ID        string // normalised version
	Version   string // as written
	Reference string
	Form      string // of the archive, "" for ZIP
	Published time.Time
	Fields    []minify.Field // empty when they are in Blob
	Blob      digest.Digest  // of the fields as an object, when they are large
}

// fragmentOf derives a version's fragment.
func fragmentOf(normalized string, v store.Version[Meta]) (fragment, error) {
	f := fragment{
		ID: normalized, Version: v.Meta.Version, Reference: v.Meta.Reference, Form: v.Meta.Form, Published: v.Published,
		Blob: v.Meta.Entry.Blob,
	}
	return f, f.fill(v.Meta.Entry.JSON)
}

// fill takes the fields from the object they were kept as.
func (f *fragment) fill(raw []byte) error {
	if raw == nil {
		return nil
	}
	o, err := rawjson.Parse(raw)
	if err != nil {
		return fmt.Errorf("entry of %s: %w", f.ID, err)
	}
	for _, m := range o {
		f.Fields = append(f.Fields, minify.Field{Key: m.Key, Value: m.Value})
	}
	return nil
}

// encode is the row: each part with its length before it. The form of an archive stands behind its reference.
func (f *fragment) encode() []byte {
	reference := f.Reference
	if f.Form != "" {
		reference += "." + f.Form
	}
	parts := [][]byte{
		[]byte(f.Version), []byte(reference), []byte(f.Blob), binary.AppendVarint(nil, f.Published.UnixNano()),
	}
	for _, x := range f.Fields {
		parts = append(parts, []byte(x.Key), x.Value)
	}
	var out []byte
	for _, p := range parts {
		out = registry.AppendField(out, p)
	}
	return out
}

// decodeFragment reads a row; the fragment keeps none of its bytes.
func decodeFragment(key, row []byte) (f fragment, err error) {
	row = bytes.Clone(row)
	var parts [][]byte
	for len(row) > 0 {
		part, rest, err := registry.CutField(row)
		if err != nil {
			return f, fmt.Errorf("fragment of %s: %w", key, err)
		}
		parts, row = append(parts, part), rest
	}
	if len(parts) < 4 || len(parts)%2 != 0 {
		return f, fmt.Errorf("fragment of %s: %w", key, store.ErrFormat)
	}
	published, _ := binary.Varint(parts[3])
	reference, form, _ := strings.Cut(string(parts[1]), ".")
	f = fragment{
		ID: string(key), Version: string(parts[0]), Reference: reference, Form: form, Blob: digest.Digest(parts[2]),
		Published: time.Unix(0, published).UTC(),
	}
	f.Fields = make([]minify.Field, 0, len(parts)/2-2)
	for i := 4; i < len(parts); i += 2 {
		f.Fields = append(f.Fields, minify.Field{Key: string(parts[i]), Value: parts[i+1]})
	}
	return f, nil
}

// sortFragments brings versions into the order of documents.
func sortFragments(list []fragment) {
	type placed struct {
		version.Place
		fragment
	}
	all := make([]placed, len(list))
	for i, f := range list {
		all[i] = placed{version.PlaceOf(f.ID), f}
	}
	slices.SortFunc(all, func(a, b placed) int { return a.Compare(b.Place) })
	for i := range all {
		list[i] = all[i].fragment
	}
}

// listed is everything a document shows of a package.
type listed struct {
	Name       string
	Fragments  []fragment        // in the order of documents
	Branches   bool              // they are those of the document of branches
	Abandoned  json.RawMessage   // what the registry was told; nil: each version's own word counts
	Advisories []json.RawMessage // only for the document of releases
	Malware    []json.RawMessage // the same
}

// entry appends the members of one version. base is the registry's URL without a final slash.
func (p *listed) entry(out []minify.Field, base string, i int) []minify.Field {
	f := &p.Fragments[i]
	out = append(out,
		minify.Field{Key: "name", Value: rawjson.Quote(p.Name)},
		minify.Field{Key: "version", Value: rawjson.Quote(f.Version)},
		minify.Field{Key: "version_normalized", Value: rawjson.Quote(f.ID)},
	)
	published := strconv.AppendQuote(nil, f.Published.UTC().Format(time.RFC3339))
	timed := false
	for _, x := range f.Fields {
		if x.Key == "abandoned" && p.Abandoned != nil {
			continue
		}
		timed = timed || x.Key == "time"
		out = append(out, x)
	}
	if p.Abandoned != nil && string(p.Abandoned) != "false" {
		out = append(out, minify.Field{Key: "abandoned", Value: p.Abandoned})
	}
	if i == 0 && p.Branches && slices.Contains(version.DefaultBranches, f.ID) {
		out = append(out, minify.Field{Key: "default-branch", Value: []byte("true")})
	}
	dist := []byte(`{"type":"zip"`)
	if f.Form != "" {
		dist = []byte(`{"type":"tar"`)
	}
	dist = rawjson.AppendMember(dist, "url", base+distPath(p.Name, f.ID, f.Reference, f.Form))
	dist = rawjson.AppendMember(rawjson.AppendMember(dist, "reference", f.Reference), "shasum", f.Reference)
	out = append(out, minify.Field{Key: "dist", Value: append(dist, '}')})
	if !timed {
		out = append(out, minify.Field{Key: "time", Value: published})
	}
	return append(out, minify.Field{Key: "published-time", Value: published})
}

// metadata renders the document of releases or of branches.
func (p *listed) metadata(base string) []byte {
	out := make([]byte, 0, 1024+p.size()/2+len(p.Fragments)*(len(base)+256))
	out = append(rawjson.AppendString(append(out, `{"packages":{`...), p.Name), ":["...)
	var m minify.Writer
	var buf []minify.Field
	for i := range p.Fragments {
		buf = p.entry(buf[:0], base, i)
		out = m.Append(rawjson.AppendComma(out, i), buf)
	}
	out = append(out, `]},"minified":"composer/2.0"`...)
	if !p.Branches {
		out = appendList(append(out, `,"security-advisories":`...), p.Advisories)
		if p.Malware != nil {
			out = append(appendList(append(out, `,"filter":{"`+listMalware+`":`...), p.Malware), '}')
		}
	}
	return append(out, '}', '\n')
}

func appendList(out []byte, list []json.RawMessage) []byte {
	out = append(out, '[')
	for i, v := range list {
		out = append(rawjson.AppendComma(out, i), v...)
	}
	return append(out, ']')
}

// whole renders the versions one by one, by what their publishers called them.
func (p *listed) whole(out []byte, base string) []byte {
	var buf []minify.Field
	for i := range p.Fragments {
		buf = p.entry(buf[:0], base, i)
		out = append(rawjson.AppendString(rawjson.AppendComma(out, i), p.Fragments[i].Version), ':', '{')
		for j, x := range buf {
			out = append(append(rawjson.AppendString(rawjson.AppendComma(out, j), x.Key), ':'), x.Value...)
		}
		out = append(out, '}')
	}
	return out
}

// size is about how many bytes the fragments take.
func (p *listed) size() (n int) {
	for i := range p.Fragments {
		for _, x := range p.Fragments[i].Fields {
			n += len(x.Key) + len(x.Value) + 4
		}
	}
	return n
}
