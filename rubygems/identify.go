package rubygems

// This file tells a gem from other bytes, for whoever looks at files that no record knows.

import (
	"io"

	"larder/rubygems/archive"
	"larder/store"
)

// Identify says which gem, version and platform a file is; false for what is none.
func Identify(r io.ReaderAt, size int64) (store.Found, bool) {
	g, err := archive.Read(io.NewSectionReader(r, 0, size))
	if err != nil || g.Spec == nil || g.Spec.Name == "" {
		return store.Found{}, false
	}
	version := g.Spec.Version
	if p := g.Spec.Platform; p != "" && p != "ruby" {
		version += "-" + p
	}
	return store.Found{
		Kind: store.RubyGems, Name: g.Spec.Name, Version: version, File: g.Spec.Name + "-" + version + ".gem",
		Confidence: store.Certain,
	}, true
}
