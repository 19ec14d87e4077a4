// Package names is Maven's repository layout: what coordinates and files may be called, what a file's name says, and
// the paths of both. Pure.
package names

import (
	"net/url"
	"regexp"
	"strings"
	"unicode"

	"larder/internal/problem"
)

// PackageName is the name of an artifact in the store, and in scopes.
func PackageName(group, artifact string) string { return group + ":" + artifact }

// SplitName is the inverse of PackageName.
func SplitName(name string) (group, artifact string) {
	group, artifact, _ = strings.Cut(name, ":")
	return group, artifact
}

// Coordinates are group:artifact:version, as people write them.
func Coordinates(name, version string) string { return name + ":" + version }

// GroupOf is the name under which a group's plugins are kept: that of the artifact whose metadata has the same path.
func GroupOf(group string) string {
	i := strings.LastIndexByte(group, '.')
	if i < 0 {
		return ":" + group
	}
	return PackageName(group[:i], group[i+1:])
}

// Prefix is the line of prefixes.txt that covers a group: its first two directories.
func Prefix(group string) string {
	parts := strings.SplitN(group, ".", 3)
	return strings.Join(parts[:min(len(parts), 2)], "/")
}

// Dir is the directory of an artifact, or of one of its versions.
func Dir(name, version string) string {
	group, artifact := SplitName(name)
	path := strings.ReplaceAll(group, ".", "/") + "/" + artifact + "/"
	if version != "" {
		path += version + "/"
	}
	return path
}

// Escape escapes each segment; a plus sign stays as clients send it.
func Escape(path string) string {
	segs := strings.Split(path, "/")
	for i, s := range segs {
		segs[i] = url.PathEscape(s)
	}
	return strings.Join(segs, "/")
}

// Base is the last segment of a path.
func Base(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// FileKey is a file's name in the store, where names are unique within a package.
func FileKey(version, file string) string { return version + "/" + file }

// SplitKey is the inverse of FileKey. A file of an Ivy layout may be in folders.
func SplitKey(key string) (version, file string) {
	version, file, _ = strings.Cut(key, "/")
	return version, file
}

// FileOf is the name of a file within its version, by its name in the store.
func FileOf(key string) string {
	_, file := SplitKey(key)
	return file
}

// Snapshot is how the versions of snapshots end.
const Snapshot = "SNAPSHOT"

// IsSnapshot reports whether a version's directory is one of snapshots.
func IsSnapshot(version string) bool {
	return version == Snapshot || strings.HasSuffix(version, "-"+Snapshot)
}

// stamped finds the timestamp and build number at the beginning of what follows a snapshot's base version.
var stamped = regexp.MustCompile(`^(\d{8}\.\d{6})-(\d{1,9})(?:$|[-.])`)

// SplitBuild takes a build's version apart: 2.0-20261121.093001-2 of the base 2.0-SNAPSHOT.
func SplitBuild(base, id string) (timestamp, number string, ok bool) {
	rest, found := strings.CutPrefix(id, strings.TrimSuffix(base, Snapshot))
	m := stamped.FindStringSubmatch(rest)
	if !found || !IsSnapshot(base) || m == nil || len(m[0]) != len(rest) {
		return "", "", false
	}
	return m[1], m[2], true
}

// BuildKey orders the builds of a base by time and number.
func BuildKey(timestamp, number string) string {
	return timestamp + "-" + strings.Repeat("0", 9-len(number)) + number
}

// Stamp and TimeForm are the two forms of times in metadata.
const (
	Stamp    = "20060102.150405"
	TimeForm = "20060102150405"
)

// Newer compares two builds of a snapshot; any is newer than none.
func Newer(snapshot, a, b string) bool {
	at, an, _ := SplitBuild(snapshot, a)
	bt, bn, ok := SplitBuild(snapshot, b)
	return !ok || BuildKey(at, an) > BuildKey(bt, bn)
}

// File is what a file's name says about it. A file that does not follow the layout has no Version: it is kept and
// served, but nothing is known of it (the files of sbt's plugins and of Ivy are such).
type File struct {
	Version    string // 1.0, 2.0-SNAPSHOT, 2.0-20261121.093001-2
	Classifier string
	Ext        string // jar, pom, tar.gz
	Sig        string // "", or the suffix of a signature, such as .asc
}

// sigSuffixes are longest first, for cutting.
var sigSuffixes = []string{".sigstore.json", ".sigstore", ".asc", ".sig"}

// IsSum reports whether a checksum is one of those that belong to every file. The names are those of the store.
func IsSum(name string) bool {
	switch name {
	case "md5", "sha1", "sha256", "sha512":
		return true
	}
	return false
}

// CutSum takes the suffix of a checksum off.
func CutSum(file string) (rest, sum string) {
	i := strings.LastIndexByte(file, '.')
	if i <= 0 || !IsSum(file[i+1:]) {
		return file, ""
	}
	return file[:i], file[i+1:]
}

func cutSig(file string) (rest, sig string) {
	for _, s := range sigSuffixes {
		if rest, ok := strings.CutSuffix(file, s); ok && rest != "" {
			return rest, s
		}
	}
	return file, ""
}

// doubleExts are the extensions with a dot in them.
var doubleExts = []string{"tar.gz", "tar.bz2", "tar.xz", "tar.zst", "tar.Z", "cpio.gz", "nk.os"}

// SplitFile reads a file's name in the directory of a version.
func SplitFile(artifact, version, file string) File {
	file, sig := cutSig(file)
	rest, ok := strings.CutPrefix(file, artifact+"-")
	if !ok {
		return File{}
	}
	id := version
	tail, ok := strings.CutPrefix(rest, version)
	if base := strings.TrimSuffix(version, Snapshot); !ok && IsSnapshot(version) && strings.HasPrefix(rest, base) {
		m := stamped.FindStringSubmatch(rest[len(base):])
		if m == nil {
			return File{}
		}
		id = base + m[1] + "-" + m[2]
		tail, ok = rest[len(id):], true
	}
	if !ok || len(tail) < 2 {
		return File{}
	}
	f := File{Version: id, Sig: sig}
	switch tail[0] {
	case '.':
		f.Ext = tail[1:]
	case '-':
		f.Classifier, f.Ext = cutExt(tail[1:])
	}
	if f.Ext == "" {
		return File{}
	}
	return f
}

// cutExt splits classifier.ext; classifiers contain dots (jdk1.8).
func cutExt(s string) (classifier, ext string) {
	for _, e := range doubleExts {
		if c, ok := strings.CutSuffix(s, "."+e); ok && c != "" {
			return c, e
		}
	}
	i := strings.LastIndexByte(s, '.')
	if i <= 0 {
		return "", ""
	}
	return s[:i], s[i+1:]
}

// Join is the inverse of SplitFile.
func (f File) Join(artifact string) string {
	name := artifact + "-" + f.Version
	if f.Classifier != "" {
		name += "-" + f.Classifier
	}
	return name + "." + f.Ext + f.Sig
}

// Extension is how metadata of snapshots spells it: signatures are part of it.
func (f File) Extension() string { return f.Ext + f.Sig }

// IsPOM reports whether this is the POM: neither one with a classifier (Maven 4's build POM) nor its signature.
func (f File) IsPOM() bool {
	return f.Version != "" && f.Classifier == "" && f.Sig == "" && f.Ext == "pom"
}

// IsMain reports whether this can be what the POM's packaging is about.
func (f File) IsMain() bool {
	return f.Version != "" && f.Classifier == "" && f.Sig == "" && f.Ext != "pom" && f.Ext != "module"
}

// CoordinateChars are what coordinates are made of.
const CoordinateChars = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.+-"

// CheckCoordinates is the rule for what is new: reading knows no such rule. With anyScript letters of every script are
// accepted.
func CheckCoordinates(group, artifact, version string, anyScript bool) error {
	for _, c := range []struct{ what, value string }{{"group", group}, {"artifact", artifact}, {"version", version}} {
		if !plain(c.value, anyScript) {
			return problem.Errorf(
				problem.ErrInvalid, "The %s %q has a character other than letters, digits and _ . + -", c.what, c.value,
			)
		}
	}
	if strings.ContainsAny(artifact[:1]+version[:1], ".+") {
		return problem.Errorf(problem.ErrInvalid, "Neither artifact nor version may begin with a dot or plus sign.")
	}
	return nil
}

func plain(s string, anyScript bool) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		letter := anyScript && r >= 0x80 && (unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r))
		return !letter && !strings.ContainsRune(CoordinateChars, r)
	})
}
