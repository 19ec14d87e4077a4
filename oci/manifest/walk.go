package manifest

// What a manifest refers to beyond the fields this package knows, so that nothing it needs is ever collected.

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"

	"github.com/opencontainers/go-digest"
)

// walk finds every digest that body refers to: the digest of every descriptor, at any depth, and with all any string
// that is a digest. Only digests that the store can have count; each is named once.
func walk(body []byte, all bool) ([]digest.Digest, error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, invalid("the manifest is not valid JSON")
	}
	w := walker{all: all, seen: map[digest.Digest]bool{}}
	w.visit(v)
	if len(w.found) > maxDescriptors {
		return nil, invalid("the manifest refers to %d digests, at most %d are supported", len(w.found), maxDescriptors)
	}
	return w.found, nil
}

type walker struct {
	all   bool
	seen  map[digest.Digest]bool
	found []digest.Digest
}

func (w *walker) visit(v any) {
	switch v := v.(type) {
	case map[string]any:
		if text, ok := v["digest"].(string); ok {
			w.take(text)
		}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			w.visit(v[key])
		}
	case []any:
		for _, each := range v {
			w.visit(each)
		}
	case string:
		if w.all {
			w.take(v)
		}
	}
}

func (w *walker) take(text string) {
	if d := digest.Digest(text); !w.seen[d] && storable(d) {
		w.seen[d] = true
		w.found = append(w.found, d)
	}
}
