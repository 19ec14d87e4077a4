package oci

// How repositories, tags and digests are written.

import (
	"larder/internal/problem"
	"larder/oci/names"
	"larder/store"
	"larder/upstream"
)

// Spelling is for rules about names and versions: a version is a tag or a digest, each as it is.
func Spelling() upstream.Spelling {
	return upstream.Spelling{
		Name: func(name string) (string, error) {
			if !names.IsRepository(name) {
				return "", problem.Errorf(
					store.ErrInvalid, "%.200q is not a repository's name; a tag or digest stands behind an @.", name,
				)
			}
			return name, nil
		},
		Path:      names.At,
		NameChars: "-_./", VersionChars: "-_.:+",
	}
}
