package cargo

// This file makes the lines of the index. Pure. A version's line is made once, when it is published, and kept as bytes
// in a row of its own; the file of a crate is those rows, one after the other. So publishing costs the same however
// many versions there are, and of what was published nothing ever changes but the word after "yanked".

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"larder/internal/registry"
	"larder/store"
)

// dependency is one of a line. Optional strings are left out when empty: cargo fails on an empty registry or package.
type dependency struct {
	Name            string   `json:"name"`
	Req             string   `json:"req"`
	Features        []string `json:"features"`
	Optional        bool     `json:"optional"`
	DefaultFeatures bool     `json:"default_features"`
	Target          *string  `json:"target"`
	Kind            string   `json:"kind"`
	Registry        string   `json:"registry,omitempty"`
	Package         string   `json:"package,omitempty"`

	// Unstable, passed through.
	Public       *bool    `json:"public,omitempty"`
	Artifact     []string `json:"artifact,omitempty"`
	BindepTarget string   `json:"bindep_target,omitempty"`
	Lib          bool     `json:"lib,omitempty"`
}

// on is the name of the crate it depends on.
func (d *dependency) on() string { return cmp.Or(d.Package, d.Name) }

// target is the platform, "" for every one.
func (d *dependency) target() string {
	if d.Target == nil {
		return ""
	}
	return *d.Target
}

// kindRank orders the kinds as the public registry does.
func kindRank(kind string) int { return strings.Index("normal build dev", kind) }

func compareDependencies(a, b dependency) int {
	return cmp.Or(
		cmp.Compare(a.Name, b.Name), cmp.Compare(kindRank(a.Kind), kindRank(b.Kind)), cmp.Compare(a.Req, b.Req),
		cmp.Compare(a.target(), b.target()), cmp.Compare(a.Package, b.Package),
	)
}

// lineHead is what a line has before "yanked".
type lineHead struct {
	Name     string              `json:"name"`
	Vers     string              `json:"vers"`
	Deps     []dependency        `json:"deps"`
	Cksum    string              `json:"cksum"`
	Features map[string][]string `json:"features"`
}

// lineTail is what it has behind.
type lineTail struct {
	Links       string `json:"links,omitempty"`
	RustVersion string `json:"rust_version,omitempty"`
	Pubtime     string `json:"pubtime"`
	V           int    `json:"v,omitempty"`
}

// pubtimeForm has exactly twenty characters: with fractions of a second cargo loses the version.
const pubtimeForm = "2006-01-02T15:04:05Z"

// indexLines are the rows below each crate: time and version → row, so that a scan yields the order of publishing.
const indexLines = "lines"

// row is a line of the index in pieces: head, true or false, tail.
type row struct {
	ID        string // of the version
	Published time.Time
	Yanked    bool
	Head      []byte
	HeadBlob  digest.Digest // of the head when it is large; Head is empty then
	Tail      []byte
}

// render is JSON as lines have it.
func render(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("render line: %w", err)
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

// encode is a line's bytes up to and including "yanked":.
func (h lineHead) encode() ([]byte, error) {
	b, err := render(h)
	if err != nil {
		return nil, err
	}
	return append(b[:len(b)-1], `,"yanked":`...), nil
}

// encode is a line's bytes after the value of yanked.
func (t lineTail) encode() ([]byte, error) {
	b, err := render(t)
	if err != nil {
		return nil, err
	}
	return append([]byte{','}, b[1:]...), nil
}

// appendLine appends the line with its newline.
func (r *row) appendLine(out []byte) []byte {
	out = append(out, r.Head...)
	if r.Yanked {
		out = append(out, "true"...)
	} else {
		out = append(out, "false"...)
	}
	return append(append(out, r.Tail...), '\n')
}

func (r *row) key() []byte { return registry.TimeKey(r.Published, r.ID) }

// encode is the row: whether it is yanked, then each field with its length before it.
func (r *row) encode() []byte {
	out := make([]byte, 1, len(r.Head)+len(r.Tail)+len(r.HeadBlob)+16)
	if r.Yanked {
		out[0] = 1
	}
	for _, field := range [][]byte{r.Head, []byte(r.HeadBlob), r.Tail} {
		out = registry.AppendField(out, field)
	}
	return out
}

// rowID reads a row's version and whether it is yanked, and nothing else.
func rowID(key, value []byte) (id string, yanked bool, err error) {
	if len(key) < 8 || len(value) == 0 {
		return "", false, fmt.Errorf("line: %w", store.ErrFormat)
	}
	return string(key[8:]), value[0] == 1, nil
}

// decodeRow reads a row, which keeps none of the bytes.
func decodeRow(key, value []byte) (r row, err error) {
	if r.ID, r.Yanked, err = rowID(key, value); err != nil {
		return r, err
	}
	if r.Published, _, err = registry.CutTimeKey(key); err != nil {
		return r, err
	}
	value = bytes.Clone(value[1:])
	var parts [3][]byte
	for i := range parts {
		if parts[i], value, err = registry.CutField(value); err != nil {
			return r, fmt.Errorf("line of %s: %w", r.ID, err)
		}
	}
	r.Head, r.HeadBlob, r.Tail = parts[0], digest.Digest(parts[1]), parts[2]
	return r, nil
}

// decoded is a line read back, for documents that show its parts.
type decoded struct {
	lineHead
	Yanked bool `json:"yanked"`
	lineTail
}

func (r *row) decode() (d decoded, err error) {
	if err = json.Unmarshal(r.appendLine(nil), &d); err != nil {
		return d, fmt.Errorf("line of %s: %w", r.ID, err)
	}
	return d, nil
}
