package composer

// Records into documents. Pure: rendering is comparing and copying, because a document of thousands of versions is asked for
// often and a publish must not cost more the more versions there are. No composer.json is decoded here.

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/opencontainers/go-digest"

	"larder/composer/manifest"
	"larder/composer/semver"
	"larder/internal/rawjson"
	"larder/store"
)

// The rows this package keeps below each package: normalised version → fragment, for releases and for branches.
const (
	indexReleases = "releases"
	indexBranches = "branches"
)

// tableOf is where a version's fragment is.
func tableOf(normalized string) string {
	if semver.IsDev(normalized) {
		return indexBranches
	}
	return indexReleases
}

// field is a member of a version's entry, its value in the one spelling encode gives it.
type field struct {
	Key   string
	Value []byte
}

// fragment is what documents show of one version, ready to be compared and copied. It is derived from the version's record.
type fragment struct {
	ID        string // normalised version
	Version   string // as written
	Reference string
	Published time.Time
	Fields    []field       // empty when they are in Blob
	Blob      digest.Digest // of the fields as an object, when they are large
}

// fragmentOf derives a version's fragment.
func fragmentOf(normalized string, v store.Version[Meta]) (fragment, error) {
	f := fragment{ID: normalized, Version: v.Meta.Version, Reference: v.Meta.Reference, Published: v.Published, Blob: v.Meta.Entry.Blob}
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
		f.Fields = append(f.Fields, field{m.Key, m.Value})
	}
	return nil
}

// encode is the row: each part with its length before it.
func (f *fragment) encode() []byte {
	parts := [][]byte{[]byte(f.Version), []byte(f.Reference), []byte(f.Blob), binary.AppendVarint(nil, f.Published.UnixNano())}
	for _, x := range f.Fields {
		parts = append(parts, []byte(x.Key), x.Value)
	}
	var out []byte
	for _, p := range parts {
		out = binary.AppendUvarint(out, uint64(len(p)))
		out = append(out, p...)
	}
	return out
}

// decodeFragment reads a row; the fragment keeps none of its bytes.
func decodeFragment(key, row []byte) (f fragment, err error) {
	row = bytes.Clone(row)
	var parts [][]byte
	for len(row) > 0 {
		n, size := binary.Uvarint(row)
		if size <= 0 || n > uint64(len(row)-size) {
			return f, fmt.Errorf("fragment of %s: %w", key, store.ErrFormat)
		}
		parts, row = append(parts, row[size:size+int(n)]), row[size+int(n):]
	}
	if len(parts) < 4 || len(parts)%2 != 0 {
		return f, fmt.Errorf("fragment of %s: %w", key, store.ErrFormat)
	}
	published, _ := binary.Varint(parts[3])
	f = fragment{ID: string(key), Version: string(parts[0]), Reference: string(parts[1]), Blob: digest.Digest(parts[2]), Published: time.Unix(0, published).UTC()}
	f.Fields = make([]field, 0, len(parts)/2-2)
	for i := 4; i < len(parts); i += 2 {
		f.Fields = append(f.Fields, field{string(parts[i]), parts[i+1]})
	}
	return f, nil
}

// sortFragments brings versions into the order of documents.
func sortFragments(list []fragment) {
	type placed struct {
		semver.Place
		fragment
	}
	all := make([]placed, len(list))
	for i, f := range list {
		all[i] = placed{semver.PlaceOf(f.ID), f}
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
func (p *listed) entry(out []field, base string, i int) []field {
	f := &p.Fragments[i]
	out = append(out, field{"name", rawjson.Quote(p.Name)}, field{"version", rawjson.Quote(f.Version)}, field{"version_normalized", rawjson.Quote(f.ID)})
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
		out = append(out, field{"abandoned", p.Abandoned})
	}
	if i == 0 && p.Branches && slices.Contains(semver.DefaultBranches, f.ID) {
		out = append(out, field{"default-branch", []byte("true")})
	}
	dist := appendMember(append([]byte{'{'}, `"type":"zip",`...), "url", base+distPath(p.Name, f.ID, f.Reference))
	dist = appendMember(append(appendMember(append(dist, ','), "reference", f.Reference), ','), "shasum", f.Reference)
	out = append(out, field{"dist", append(dist, '}')})
	if !timed {
		out = append(out, field{"time", published})
	}
	return append(out, field{"published-time", published})
}

// metadata renders the document of releases or of branches.
func (p *listed) metadata(base string) []byte {
	out := make([]byte, 0, 1024+p.size()/2+len(p.Fragments)*(len(base)+256))
	out = append(rawjson.AppendString(append(out, `{"packages":{`...), p.Name), ":["...)
	var m minifier
	var buf []field
	for i := range p.Fragments {
		buf = p.entry(buf[:0], base, i)
		out = m.append(comma(out, i), buf)
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
		out = append(comma(out, i), v...)
	}
	return append(out, ']')
}

// whole renders the versions one by one, by what their publishers called them.
func (p *listed) whole(out []byte, base string) []byte {
	var buf []field
	for i := range p.Fragments {
		buf = p.entry(buf[:0], base, i)
		out = append(rawjson.AppendString(comma(out, i), p.Fragments[i].Version), ':', '{')
		for j, x := range buf {
			out = append(append(rawjson.AppendString(comma(out, j), x.Key), ':'), x.Value...)
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

// minifier writes entries as composer/metadata-minifier does: the first as it is, of each further one what differs from the
// one before, with "__unset" for what it does not have.
type minifier struct {
	keys  []string // in the order in which they first came
	state map[string]*cell
	n     int // entries
}

// cell is what a reader has under a key so far; nil: nothing.
type cell struct {
	value []byte
	seen  int // the last entry that had it
}

// append writes one entry. It keeps the values, but not the slice of fields.
func (m *minifier) append(out []byte, entry []field) []byte {
	if m.state == nil {
		m.state = map[string]*cell{}
	}
	m.n++
	out = append(out, '{')
	first := len(out)
	member := func(key string, value []byte) {
		if len(out) > first {
			out = append(out, ',')
		}
		out = append(append(rawjson.AppendString(out, key), ':'), value...)
	}
	for _, x := range entry {
		c := m.state[x.Key]
		if c == nil {
			c = &cell{}
			m.state[x.Key] = c
			m.keys = append(m.keys, x.Key)
		}
		if c.value == nil || !bytes.Equal(c.value, x.Value) {
			member(x.Key, x.Value)
			c.value = x.Value
		}
		c.seen = m.n
	}
	for _, k := range m.keys {
		if c := m.state[k]; c.seen != m.n && c.value != nil {
			member(k, []byte(`"`+manifest.Unset+`"`))
			c.value = nil
		}
	}
	return append(out, '}')
}

func comma(out []byte, i int) []byte {
	if i > 0 {
		return append(out, ',')
	}
	return out
}

func appendMember(out []byte, key, value string) []byte {
	return rawjson.AppendString(append(rawjson.AppendString(out, key), ':'), value)
}
