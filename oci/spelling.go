package oci

// How repositories, tags and digests are written.

import (
	"fmt"
	"strings"

	"github.com/opencontainers/go-digest"

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
		Path: names.At,
		Version: func(pattern string) error {
			if strings.Contains(pattern, "*") || names.IsTag(pattern) || digest.Digest(pattern).Validate() == nil {
				return nil
			}
			return fmt.Errorf("%.80q is neither a tag nor a digest", pattern)
		},
		Lower:     true,
		NameChars: "-_./", VersionChars: "-_.:+",
	}
}
