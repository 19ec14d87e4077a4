package npm

// Records into documents. Pure: rendering is copying, because a packument of thousands of versions is asked for often
// and a publish must not cost more the more versions there are. No manifest is decoded here.

import (
	"bytes"
	"fmt"
	"time"

	"github.com/opencontainers/go-digest"

	"larder/internal/rawjson"
	"larder/internal/registry"
	"larder/npm/search"
	"larder/store"
)

// The rows this package keeps below each package.
const (
	indexFragments = "fragments" // time and version → fragment, so that a scan yields versions in the order they came
	indexStars     = "stars"     // user → nothing
)

// fragment is what documents show of one version, ready to be copied. It is derived from the version's record.
type fragment struct {
	ID         string
	Published  time.Time
	File       string        // name of the tarball
	Full       []byte        // members of the manifest, without braces; empty when they are in FullBlob
	Short      []byte        // the same for the abbreviated form
	Dist       string        // members of dist, without braces and URLs
	Predicate  string        // type of the provenance, "" without
	Deprecated string        // message
	By         string        // who published it
	FullBlob   digest.Digest // of the manifest with braces, when it is large
	ShortBlob  digest.Digest
}

// fragmentOf derives a version's fragment.
func fragmentOf(v store.Version[Meta]) fragment {
	f := fragment{
		ID: v.ID, Published: v.Published, Dist: v.Meta.Dist, Predicate: v.Meta.Predicate, Deprecated: v.Meta.Deprecated,
		By: v.By, Full: inner(v.Meta.Manifest.JSON), Short: inner(v.Meta.Short.JSON), FullBlob: v.Meta.Manifest.Blob,
		ShortBlob: v.Meta.Short.Blob,
	}
	if len(v.Files) > 0 {
		f.File = v.Files[0].Name
	}
	return f
}

// inner is an object without its braces.
func inner(raw []byte) []byte {
	raw = bytes.TrimSpace(raw)
	if len(raw) < 2 {
		return nil
	}
	return raw[1 : len(raw)-1]
}

// key orders fragments by time.
func (f *fragment) key() []byte { return registry.TimeKey(f.Published, f.ID) }

// encode is the row: each field with its length before it.
func (f *fragment) encode() []byte {
	var out []byte
	for _, field := range f.fields() {
		out = registry.AppendField(out, field)
	}
	return out
}

func (f *fragment) fields() [9][]byte {
	return [9][]byte{
		f.Full, f.Short, []byte(f.File), []byte(f.Dist), []byte(f.Predicate), []byte(f.Deprecated), []byte(f.By),
		[]byte(f.FullBlob), []byte(f.ShortBlob),
	}
}

// decodeFragment reads a row; the fragment keeps none of its bytes.
func decodeFragment(key, row []byte) (f fragment, err error) {
	published, id, err := registry.CutTimeKey(key)
	if err != nil {
		return f, err
	}
	f.Published, f.ID = published, string(id)
	row = bytes.Clone(row)
	var parts [9][]byte
	for i := range parts {
		if parts[i], row, err = registry.CutField(row); err != nil {
			return f, fmt.Errorf("fragment of %s: %w", f.ID, err)
		}
	}
	f.Full, f.Short, f.File, f.Dist, f.Predicate = parts[0], parts[1], string(parts[2]), string(parts[3]), string(parts[4])
	f.Deprecated, f.By, f.FullBlob, f.ShortBlob = string(parts[5]), string(parts[6]), digest.Digest(parts[7]),
		digest.Digest(parts[8])
	return f, nil
}

// packument is everything a document shows of a package.
type packument struct {
	Name       string
	Rev        string
	Created    time.Time
	Modified   time.Time
	Tags       []store.Tag
	Owners     []string
	Stars      []string
	Fragments  []fragment     // in the order of publishing
	Latest     rawjson.Object // manifest that latest points at
	Readme     string
	ReadmeName string
}

// hoisted are the fields the full document repeats from the latest version.
var hoisted = []string{"description", "homepage", "keywords", "repository", "author", "contributors", "bugs", "license"}

// full renders the document that application/json asks for. base is the registry's URL without a final slash.
func (p *packument) full(base string) []byte {
	out := make([]byte, 0, p.size()+len(p.Readme)+len(p.Fragments)*(len(base)+320)+2048)
	out = rawjson.AppendPair(append(out, '{'), "_id", p.Name)
	out = rawjson.AppendMember(out, "_rev", p.Rev)
	out = rawjson.AppendMember(out, "name", p.Name)
	for _, key := range hoisted {
		if v := p.Latest.Get(key); v != nil {
			out = append(rawjson.AppendString(append(out, ','), key), ':')
			out = append(out, v...)
		}
	}
	out = p.appendTags(append(out, ','))
	out = p.appendVersions(append(out, ','), base, true)
	out = p.appendTime(append(out, ','))
	out = append(out, `,"maintainers":`...)
	out = appendPeople(out, p.Owners)
	if len(p.Stars) > 0 {
		out = append(out, `,"users":{`...)
		for i, u := range p.Stars {
			out = append(append(rawjson.AppendString(rawjson.AppendComma(out, i), u), ':'), "true"...)
		}
		out = append(out, '}')
	}
	out = rawjson.AppendMember(out, "readme", p.Readme)
	if p.ReadmeName != "" {
		out = rawjson.AppendMember(out, "readmeFilename", p.ReadmeName)
	}
	return append(out, '}', '\n')
}

// short renders the abbreviated document, with time: clients that hide young versions would ask for
// the full one otherwise.
func (p *packument) short(base string) []byte {
	out := make([]byte, 0, p.size()+len(p.Fragments)*(len(base)+320)+1024)
	out = rawjson.AppendPair(append(out, '{'), "name", p.Name)
	out = rawjson.AppendMember(out, "modified", p.Modified.UTC().Format(search.TimeForm))
	out = p.appendTags(append(out, ','))
	out = p.appendVersions(append(out, ','), base, false)
	out = p.appendTime(append(out, ','))
	return append(out, '}', '\n')
}

// size is about how many bytes the fragments take.
func (p *packument) size() (n int) {
	for i := range p.Fragments {
		f := &p.Fragments[i]
		n += max(len(f.Full), len(f.Short)) + len(f.Dist)
	}
	return n
}

func (p *packument) appendTags(out []byte) []byte {
	out = append(out, `"dist-tags":{`...)
	for i, t := range p.Tags {
		out = rawjson.AppendPair(rawjson.AppendComma(out, i), t.Name, t.Version)
	}
	return append(out, '}')
}

func (p *packument) appendTime(out []byte) []byte {
	out = append(out, `"time":{`...)
	out = rawjson.AppendPair(out, "created", p.Created.UTC().Format(search.TimeForm))
	out = rawjson.AppendMember(out, "modified", p.Modified.UTC().Format(search.TimeForm))
	for i := range p.Fragments {
		f := &p.Fragments[i]
		out = append(append(append(out, ',', '"'), f.ID...), '"', ':', '"')
		out = append(f.Published.UTC().AppendFormat(out, search.TimeForm), '"')
	}
	return append(out, '}')
}

func (p *packument) appendVersions(out []byte, base string, full bool) []byte {
	out = append(out, `"versions":{`...)
	for i := range p.Fragments {
		f := &p.Fragments[i]
		out = append(append(append(rawjson.AppendComma(out, i), '"'), f.ID...), '"', ':')
		out = f.append(out, base, p.Name, full)
	}
	return append(out, '}')
}

// append renders one version.
func (f *fragment) append(out []byte, base, name string, full bool) []byte {
	members := f.Short
	if full {
		members = f.Full
	}
	out = append(append(out, '{'), members...)
	if full && f.By != "" {
		out = append(out, `,"_npmUser":`...)
		out = appendPerson(out, f.By)
	}
	if f.Deprecated != "" {
		out = rawjson.AppendMember(out, "deprecated", f.Deprecated)
	}
	out = append(out, `,"dist":{`...)
	out = append(out, f.Dist...)
	if f.Predicate != "" {
		out = rawjson.AppendPair(append(out, `,"attestations":{`...), "url",
			base+"/-/npm/v1/attestations/"+escapeName(name)+"@"+f.ID)
		out = append(rawjson.AppendPair(append(out, `,"provenance":{`...), "predicateType", f.Predicate), '}', '}')
	}
	out = rawjson.AppendMember(out, "tarball", base+tarballPath(name, f.File))
	return append(out, '}', '}')
}

// appendPerson names a user as documents do; Larder keeps no mail addresses, and clients insist on the field.
func appendPerson(out []byte, user string) []byte {
	return append(append(rawjson.AppendPair(append(out, '{'), "name", user), `,"email":""`...), '}')
}

func appendPeople(out []byte, users []string) []byte {
	out = append(out, '[')
	for i, u := range users {
		out = appendPerson(rawjson.AppendComma(out, i), u)
	}
	return append(out, ']')
}
