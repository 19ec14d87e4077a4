package pydist

// This file finds the release of a file by its name, also of kinds of files that cannot be uploaded.

import (
	"strings"

	"larder/internal/pep440"
)

// endings are those of every form of distribution that installers have read, longest first.
var endings = []string{
	".tar.bz2", ".tar.lzma", ".tar.gz", ".tar.xz", ".tar.lz", ".tar.Z", ".tlz", ".tbz2", ".tbz", ".tgz", ".txz", ".tar",
	".whl", ".zip", ".egg", ".exe", ".msi", ".rpm", ".deb", ".dmg",
}

// ReleaseOf is the release that a file of a project belongs to, in normal form where its version has one. It reads more
// names than ParseFilename: an old index lists forms that nobody may upload any more, and rules about versions are
// about them too. What says no version at all is its own release.
func ReleaseOf(project, file string) string {
	if f, err := ParseFilename(file); err == nil && (project == "" || f.Project == project) {
		return f.Version.String()
	}
	stem := file
	for _, e := range endings {
		if len(stem) > len(e) && strings.EqualFold(stem[len(stem)-len(e):], e) {
			stem = stem[:len(stem)-len(e)]
			break
		}
	}
	version := stem
	for i := range len(stem) {
		if stem[i] == '-' && i > 0 && (project == "" || Normalise(stem[:i]) == project) {
			version = stem[i+1:]
			if project != "" || startsWithDigit(version) {
				break
			}
		}
	}
	// Behind the version may stand a build, an interpreter and a platform; the longest beginning that is a version is it.
	for v := version; v != ""; {
		if parsed, err := pep440.Parse(v); err == nil {
			return parsed.String()
		}
		i := strings.LastIndexAny(v, "-.")
		if i < 0 {
			break
		}
		v = v[:i]
	}
	return version
}

func startsWithDigit(s string) bool { return s != "" && s[0] >= '0' && s[0] <= '9' }
