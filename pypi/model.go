package pypi

// What is stored. Pure.

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"slices"
	"time"

	"github.com/opencontainers/go-digest"

	"larder/internal/pep440"
	"larder/internal/problem"
	"larder/internal/pydist"
	"larder/store"
)

// typePackage is the type of project names in auth scopes: pypi:package:acme-tools:read.
const typePackage = "package"

const (
	maxText      = 4 << 20  // one text field of the upload form; descriptions are long
	maxTexts     = 16 << 20 // all of them together
	maxParts     = 20_000   // fields of the form: a requirement is one
	maxSignature = 64 << 10
	maxReason    = 1000 // bytes of why something was yanked or has its status
	maxSmallBody = 64 << 10
	maxDocument  = 8 << 20 // METADATA and attestations, as they are kept
)

// Meta is what a release's record holds beside the store's own fields: its files, in the order they came.
type Meta struct {
	Files []artifact `json:"files"`
}

// artifact is one distribution with what is served beside it.
type artifact struct {
	Name     string        `json:"name"`
	Kind     string        `json:"kind"`             // pydist.Wheel or pydist.Sdist
	Python   string        `json:"python,omitempty"` // the wheel's Python tag, "source"
	Version  string        `json:"version"`          // normalised, with the zeros this file has
	Digest   digest.Digest `json:"digest"`
	Size     int64         `json:"size"`
	MD5      string        `json:"md5,omitempty"`
	Blake2   string        `json:"blake2,omitempty"`
	Metadata digest.Digest `json:"metadata"` // METADATA, or a source archive's PKG-INFO
	Requires string        `json:"requires,omitempty"`
	Uploaded time.Time     `json:"uploaded"`
	By       string        `json:"by,omitempty"`
	Comment  string        `json:"comment,omitempty"`
	// Differs is what the upload form said otherwise than the file, whose own word counts: names of fields.
	Differs []string `json:"differs,omitempty"`

	Signature    digest.Digest `json:"signature,omitempty"`
	Attestations digest.Digest `json:"attestations,omitempty"` // the provenance object

	Yanked     bool   `json:"yanked,omitempty"`
	YankReason string `json:"yank_reason,omitempty"`
}

// blobs are what is served beside the file and has no name of its own.
func (a *artifact) blobs() []digest.Digest {
	return slices.DeleteFunc(
		[]digest.Digest{a.Metadata, a.Signature, a.Attestations}, func(d digest.Digest) bool { return d == "" },
	)
}

// files are what the store holds of a release: its distributions by name, and what is served beside them.
func (m *Meta) files() []store.File {
	var named, beside []store.File
	for i := range m.Files {
		a := &m.Files[i]
		named = append(named, store.File{Name: a.Name, Digest: a.Digest, Size: a.Size})
		for _, d := range a.blobs() {
			if !slices.ContainsFunc(beside, func(f store.File) bool { return f.Digest == d }) {
				beside = append(beside, store.File{Digest: d})
			}
		}
	}
	return append(named, beside...)
}

// find returns the file called name, nil without.
func (m *Meta) find(name string) *artifact {
	i := slices.IndexFunc(m.Files, func(a artifact) bool { return a.Name == name })
	if i < 0 {
		return nil
	}
	return &m.Files[i]
}

// main is the file whose metadata speaks for the release: its first wheel, else its source archive.
func (m *Meta) main() *artifact {
	if len(m.Files) == 0 {
		return nil
	}
	i := slices.IndexFunc(m.Files, func(a artifact) bool { return a.Kind == pydist.Wheel })
	return &m.Files[max(i, 0)]
}

// yankOf says whether installers pass a file over: because of itself, or because its release is yanked.
func yankOf(v *store.Version[Meta], a *artifact) (bool, string) {
	if a.Yanked {
		return true, cmp.Or(a.YankReason, v.YankReason)
	}
	return v.Yanked, v.YankReason
}

// yanked reports whether every file of the release is yanked.
func yanked(v *store.Version[Meta]) bool {
	return !slices.ContainsFunc(v.Meta.Files, func(a artifact) bool {
		y, _ := yankOf(v, &a)
		return !y
	})
}

// release is the row of a release: enough to list it, to choose the latest, and to find the project by it.
type release struct {
	ID     string `json:"id"`
	Yanked bool   `json:"yanked,omitempty"`
	About  about  `json:"about,omitzero"`
}

// about is what a search says of a project.
type about struct {
	Summary  string   `json:"summary,omitempty"`
	Keywords []string `json:"keywords,omitempty"`
	Author   string   `json:"author,omitempty"`
	Needs    []string `json:"needs,omitempty"` // projects of Requires-Dist
}

func decodeRelease(value []byte) (rel release, err error) {
	err = json.Unmarshal(value, &rel)
	return rel, err
}

// before orders releases for the question which one is the latest: what is yanked last, then what is a pre-release.
func (r release) before(other release) bool {
	v, err := pep440.Parse(r.ID)
	w, err2 := pep440.Parse(other.ID)
	if err != nil || err2 != nil {
		return err != nil && err2 == nil
	}
	if r.Yanked != other.Yanked {
		return r.Yanked
	}
	if v.Prerelease() != w.Prerelease() {
		return v.Prerelease()
	}
	return pep440.Compare(v, w) < 0
}

// listed is a project's row in the list of all.
type listed struct {
	Display string `json:"display"`
	Serial  uint64 `json:"serial"`
	Hidden  bool   `json:"hidden,omitempty"`
}

// change is a row of the change log, which mirrors follow.
type change struct {
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
	Time    int64  `json:"time"` // Unix seconds
	Action  string `json:"action"`
}

// tombstone keeps a deleted file's name from ever meaning other bytes.
type tombstone struct {
	Digest digest.Digest `json:"digest"`
	Time   time.Time     `json:"time"`
	By     string        `json:"by,omitempty"`
}

// The rows this package keeps: below each project, and below the kind.
const (
	indexFiles    = "files"    // version key and file name → row of a file
	indexReleases = "releases" // version key → release
	indexProject  = "project"  // keyStatus, keyLatest, keySerial

	keyStatus = "status"
	keyLatest = "latest"
	keySerial = "serial"

	tableProjects = "projects"   // name → listed
	tableChanges  = "changes"    // serial → change
	tableSerial   = "serial"     // keySerial → last serial
	tableGone     = "tombstones" // name, 0x00, file → tombstone
)

func goneKey(name, file string) []byte { return []byte(name + "\x00" + file) }

func number(b []byte) uint64 {
	if len(b) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(b)
}

func key64(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// putJSON stores v in a table.
func putJSON(t store.Table, key []byte, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return t.Put(key, b)
}

// getJSON reads what putJSON stored; false when there is no such row.
func getJSON(t store.Table, key []byte, v any) (bool, error) {
	b := t.Get(key)
	if b == nil {
		return false, nil
	}
	return true, json.Unmarshal(b, v)
}

// checkReason bounds a text people read in a page.
func checkReason(s string) error {
	if len(s) > maxReason {
		return problem.Errorf(store.ErrInvalid, "The reason has more than %d bytes.", maxReason)
	}
	return nil
}
