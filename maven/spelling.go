package maven

// How Maven's names and versions are written, and which of them are the same.

import (
	"fmt"
	"strings"

	"larder/internal/problem"
	"larder/maven/names"
	"larder/maven/version"
	"larder/store"
	"larder/upstream"
)

// Spelling is for rules about names and versions: group:artifact as it is, and versions that Maven's order takes for
// equal.
func Spelling() upstream.Spelling {
	return upstream.Spelling{
		Name: func(name string) (string, error) {
			group, artifact, ok := strings.Cut(name, ":")
			if !ok || group == "" || artifact == "" {
				return "", problem.Errorf(store.ErrInvalid, "%.200q is not of the form group:artifact.", name)
			}
			return name, names.CheckCoordinates(group, artifact, "1", true)
		},
		Same:    version.Same,
		Also:    func(version string) []string { return upstream.Padded(strings.ToLower(version)) },
		Pattern: strings.ToLower,
		Version: func(pattern string) error {
			if pattern == "LATEST" || pattern == "RELEASE" {
				return fmt.Errorf("%s is what Maven makes a version of, and no artifact's version", pattern)
			}
			return nil
		},
		NameChars: names.CoordinateChars + ":", VersionChars: names.CoordinateChars,
	}
}
