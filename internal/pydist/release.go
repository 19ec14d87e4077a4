package pydist

// This file finds the release of a file by its name, also of kinds of files that cannot be uploaded.

import (
	"strings"

	"larder/internal/pep440"
)

// endings are the endings of all forms of distribution that installers ever read, longest first.
var endings = []string{
	".tar.bz2", ".tar.lzma", ".tar.zst",
	".tar.gz", ".tar.xz", ".tar.lz", ".tar.Z", ".tlz", ".tbz2", ".tbz", ".tgz", ".txz", ".tar",
	".whl", ".zip", ".egg", ".exe", ".msi", ".rpm", ".deb", ".dmg",
}

// HasEnding reports whether a file is a distribution by its name's ending, of whatever form.
func HasEnding(file string) bool { return ending(file) != "" }

// ending is the part of a file's name that says its form, "" for none.
func ending(file string) string {
	for _, e := range endings {
		if len(file) > len(e) && strings.EqualFold(file[len(file)-len(e):], e) {
			return file[len(file)-len(e):]
		}
	}
	return ""
}

// PackageType is what the public index calls a file's form, by its name's ending.
func PackageType(file string) string {
	switch strings.ToLower(ending(file)) {
	case ".whl":
		return Wheel
	case ".egg":
		return "bdist_egg"
	case ".exe":
		return "bdist_wininst"
	case ".msi":
		return "bdist_msi"
	case ".rpm":
		return "bdist_rpm"
	case ".deb", ".dmg":
		return "bdist_dumb"
	}
	return Sdist
}

// ReleaseOf returns the release that a file of a project belongs to, normalised if its version is valid. It reads more
// names than ParseFilename: old indexes list forms that cannot be uploaded any more, and rules about versions must hold
// for them too. A file without a version is a release of its own, by its name.
func ReleaseOf(project, file string) string {
	if f, err := ParseFilename(file); err == nil && (project == "" || f.Project == project) {
		return f.Version.String()
	}
	stem := file
	stem = stem[:len(stem)-len(ending(stem))]
	version := stem
	for i := range len(stem) {
		if stem[i] == '-' && i > 0 && (project == "" || Normalise(stem[:i]) == project) {
			version = stem[i+1:]
			if project != "" || startsWithDigit(version) {
				break
			}
		}
	}
	// A build, an interpreter and a platform may follow. The longest beginning that is a version is the version.
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
