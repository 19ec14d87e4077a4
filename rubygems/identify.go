package rubygems

// This file recognises gems among files that no record names.

import (
	"cmp"
	"io"

	"larder/rubygems/archive"
	"larder/rubygems/names"
	"larder/rubygems/version"
	"larder/store"
)

// Identify returns which gem, version and platform a file is; false for a file that is no gem.
func Identify(r io.ReaderAt, size int64) (store.Found, bool) {
	g, err := archive.Read(io.NewSectionReader(r, 0, size))
	if err != nil || g.Spec == nil || g.Spec.Name == "" {
		return store.Found{}, false
	}
	id := version.ID(g.Spec.Version, cmp.Or(g.Spec.Platform, version.Ruby))
	return store.Found{
		Kind: store.RubyGems, Name: g.Spec.Name, Version: id, File: names.FullName(g.Spec.Name, id) + suffixGem,
		Confidence: store.Certain,
	}, true
}
