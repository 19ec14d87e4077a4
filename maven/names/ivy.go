package names

// This file reads the directories of Ivy's layouts, which Ivy, sbt and Gradle use beside Maven's.

import "strings"

// Ivy is what the directories of a file say in a layout of Ivy: [organisation]/[module]/[revision]/[type]s/[artifact],
// with as many folders below the revision as there are, and sbt's with scala_2.12/sbt_1.0 before the revision.
type Ivy struct {
	Group, Artifact, Version string // organisation, module and revision
	// Folder is where in the revision the file is: "" or folders, each with a slash behind it. Those that sbt puts before
	// the revision come first: two files that differ only in them are two files.
	Folder string
}

// ivyTypes are the folders that tell an Ivy layout from Maven's when the organisation has a directory for each of its
// parts. No version of Maven's is called so.
var ivyTypes = map[string]bool{
	"ivys": true, "jars": true, "srcs": true, "sources": true, "docs": true, "javadocs": true, "poms": true,
	"bundles": true, "wars": true, "zips": true,
}

// IsIvyType reports whether a folder is one of an Ivy layout's types of artifacts.
func IsIvyType(folder string) bool { return ivyTypes[folder] }

// CrossBuilt reports whether a folder says for which Scala or sbt a module was built.
func CrossBuilt(folder string) bool {
	return strings.HasPrefix(folder, "scala_") || strings.HasPrefix(folder, "sbt_")
}

// SplitIvy reads the directories of a file in a layout of Ivy that cannot be Maven's: the first has a dot, and is the
// organisation, or the last is that of a type. It is false for others.
func SplitIvy(dirs []string) (p Ivy, ok bool) {
	module, revision := 1, 2
	switch last := len(dirs) - 1; {
	case last < 2:
		return p, false
	case strings.Contains(dirs[0], "."):
		for revision <= last && CrossBuilt(dirs[revision]) {
			revision++
		}
	case IsIvyType(dirs[last]):
		revision = beforeCross(dirs, last-1)
		module = beforeCross(dirs, revision-1)
	default:
		return p, false
	}
	if module < 1 || revision >= len(dirs) {
		return p, false
	}
	p = Ivy{Group: strings.Join(dirs[:module], "."), Artifact: dirs[module], Version: dirs[revision]}
	for i, d := range dirs {
		if i > module && i != revision {
			p.Folder += d + "/"
		}
	}
	// A group with an empty part has no directory in Maven's layout, and no other name.
	return p, !strings.Contains("."+p.Group+".", "..")
}

// SplitIvyFile is SplitIvy with the file's own name, which has the revision in layouts without a folder for it:
// [organisation]/[module]/[type]s/[artifact]-[revision].[ext], as Ivy's manual has it. There the artifact is called as
// the module, or is the module's description (ivy-1.0.xml), and the revision begins with a digit: of other names nobody
// could say which part is the revision.
func SplitIvyFile(dirs []string, file string) (p Ivy, ok bool) {
	last := len(dirs) - 1
	if last < 2 || !IsIvyType(dirs[last]) {
		return SplitIvy(dirs)
	}
	module := dirs[last-1]
	revision := revisionIn(file, module+"-")
	if revision == "" && dirs[last] == "ivys" {
		revision = revisionIn(file, "ivy-")
	}
	dotted := strings.Contains(dirs[0], ".")
	if revision == "" || startsWithDigit(module) || dotted && last > 2 {
		return SplitIvy(dirs) // the folder before the type is that of a revision
	}
	p = Ivy{Group: strings.Join(dirs[:last-1], "."), Artifact: module, Version: revision, Folder: dirs[last] + "/"}
	return p, !strings.Contains("."+p.Group+".", "..")
}

// revisionIn is what stands between a prefix and the extension of a file, "" if that is no revision.
func revisionIn(file, prefix string) string {
	rest, ok := strings.CutPrefix(file, prefix)
	end := strings.LastIndexByte(strings.TrimSuffix(strings.TrimSuffix(rest, ".gz"), ".bz2"), '.')
	if !ok || end < 1 || !startsWithDigit(rest) {
		return ""
	}
	return rest[:end]
}

// startsWithDigit reports whether a text begins with a digit, as revisions do.
func startsWithDigit(s string) bool { return s != "" && s[0] >= '0' && s[0] <= '9' }

// beforeCross is the index of the last of dirs[:at+1] that does not say what the module was built for; -1 without one.
func beforeCross(dirs []string, at int) int {
	for at >= 0 && CrossBuilt(dirs[at]) {
		at--
	}
	return at
}

// IsIvy reports whether only Ivy has the file of a version, by its name in the store: it is in a folder, or it is a
// module's description.
func IsIvy(key string) bool {
	_, file := SplitKey(key)
	return strings.Contains(file, "/") || strings.HasSuffix(file, ".xml") &&
		(file == "ivy.xml" || strings.HasPrefix(file, "ivy-"))
}

// CopyVersion is the version of a copied file of a layout of Ivy, which is kept under its whole path; false for others.
func CopyVersion(name, key string) (version string, ok bool) {
	dirs := strings.Split(key, "/")
	p, ok := SplitIvyFile(dirs[:len(dirs)-1], dirs[len(dirs)-1])
	return p.Version, ok && PackageName(p.Group, p.Artifact) == name
}

// FilePath is a path at which a file of an artifact is served, by its name in the store, hosted or copied.
func FilePath(name, key string) string {
	if _, ok := CopyVersion(name, key); ok {
		return key
	}
	if group, artifact := SplitName(name); IsIvy(key) && strings.Contains(group, ".") {
		return group + "/" + artifact + "/" + key
	}
	return Dir(name, "") + key
}
