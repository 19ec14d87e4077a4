package maven

// The rows beside the records: everything that metadata, lists and searches are rendered from.

import (
	"encoding/json"
	"fmt"

	"larder/maven/names"
	"larder/store"
)

// The rows below each artifact. A group's plugins are rows of the name its path has as an artifact, because that is the
// document they are shown in. The types of the rows are in package metadata.
const (
	indexState    = "state"    // "" → state: what metadata says of the whole
	indexVersions = "versions" // version as listed → when it was first, Unix seconds as text
	indexOpen     = "open"     // version's ID → when it is due, as in the table of the kind
	indexBases    = "bases"    // snapshot → base
	indexBuilds   = "builds"   // snapshot 0x00 time and number → the build's ID
	indexNewest   = "newest"   // snapshot 0x00 classifier 0x00 extension → newest
	indexPlugins  = "plugins"  // of a group: artifact → plugin
)

// The rows below the kind.
const (
	kindDue        = "due"        // time 0x00 what 0x00 artifact 0x00 version → nothing: see settleDue
	kindSHA1       = "sha1"       // sha1 0x00 artifact 0x00 file → nothing
	kindPrefixes   = "prefixes"   // line of prefixes.txt 0x00 artifact → nothing
	kindArchetypes = "archetypes" // artifact 0x00 version → description
)

func prefixKey(group, name string) []byte { return []byte(names.Prefix(group) + "\x00" + name) }

func getRow(t store.Table, key string, v any) (bool, error) {
	raw := t.Get([]byte(key))
	if raw == nil {
		return false, nil
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return false, fmt.Errorf("row %q: %w", key, store.ErrFormat)
	}
	return true, nil
}

func putRow(t store.Table, key string, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("row %q: %w", key, err)
	}
	return t.Put([]byte(key), raw)
}
