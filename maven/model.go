package maven

// Coordinates, file names, and what is stored about a version. Pure.

import (
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"larder/internal/wire"
	"larder/store"
)

// typeArtifact is the type of Maven's names in auth scopes: maven:artifact:com.acme:lib:read.
const typeArtifact = "artifact"

const (
	maxPath     = 2 << 10  // bytes of a path below the root
	maxSegment  = 255      // bytes of one of its segments
	maxPOM      = 4 << 20  // bytes of a POM that is read; larger ones are kept unread
	maxModule   = 4 << 20  // the same of Gradle module metadata
	maxMetadata = 16 << 20 // bytes of a maven-metadata.xml that a client sends
	maxSum      = 4 << 10  // bytes of a checksum file
	maxFiles    = 2000     // of one version: its record is rewritten with each
)

// Meta is what a version's record holds beside the store's own fields. A timestamped build of a snapshot is a version of
// its own, so that the thousandth costs what the tenth did.
type Meta struct {
	// Base is the version as metadata lists it: 2.0-SNAPSHOT for all of its builds.
	Base string `json:"base"`
	// Open is a version on its way in: its files can be fetched, but nothing lists it.
	Open bool `json:"open,omitempty"`
	// Waits says that the client which brings an open version ends with metadata (mvn, Gradle), so silence is no end.
	Waits bool `json:"waits,omitempty"`
	// Last is when its last file came.
	Last time.Time `json:"last,omitzero"`
	// Stale are files of an attempt that was given up; unless they come again they go when the version is announced.
	Stale []string `json:"stale,omitempty"`
	// Broken has the files that were taken out because they did not match their checksum, with the reason.
	Broken map[string]string `json:"broken,omitempty"`
	// Times has the files that came, or were replaced, after the version's first.
	Times map[string]time.Time `json:"times,omitempty"`
	// POM and Jar are what the main files say, Module what Gradle's metadata does, Signed the signatures by file.
	POM    *pomFacts            `json:"pom,omitempty"`
	Jar    *jarFacts            `json:"jar,omitempty"`
	Module *moduleFacts         `json:"module,omitempty"`
	Signed map[string]signature `json:"signed,omitempty"`
	// Warnings is what is odd about a file; nothing is refused for it.
	Warnings map[string][]string `json:"warnings,omitempty"`
}

// packageName is the name of an artifact in the store, and in scopes.
func packageName(group, artifact string) string { return group + ":" + artifact }

func splitName(name string) (group, artifact string) {
	group, artifact, _ = strings.Cut(name, ":")
	return group, artifact
}

// coordinates are group:artifact:version, as people write them.
func coordinates(name, version string) string { return name + ":" + version }

const snapshotWord = "SNAPSHOT"

// isSnapshot reports whether a version's directory is one of snapshots.
func isSnapshot(version string) bool {
	return version == snapshotWord || strings.HasSuffix(version, "-"+snapshotWord)
}

// stamped finds the timestamp and build number at the beginning of what follows a snapshot's base version.
var stamped = regexp.MustCompile(`^(\d{8}\.\d{6})-(\d{1,9})(?:$|[-.])`)

// splitBuild takes a build's version apart: 2.0-20261121.093001-2 of the base 2.0-SNAPSHOT.
func splitBuild(base, id string) (timestamp, number string, ok bool) {
	rest, found := strings.CutPrefix(id, strings.TrimSuffix(base, snapshotWord))
	m := stamped.FindStringSubmatch(rest)
	if !found || !isSnapshot(base) || m == nil || len(m[0]) != len(rest) {
		return "", "", false
	}
	return m[1], m[2], true
}

// buildKey orders the builds of a base by time and number.
func buildKey(timestamp, number string) string {
	return timestamp + "-" + strings.Repeat("0", 9-len(number)) + number
}

// fileName is what a file's name says about it. A file that does not follow the layout has no Version: it is kept and
// served, but nothing is known of it (the files of sbt's plugins and of Ivy are such).
type fileName struct {
	Version    string // 1.0, 2.0-SNAPSHOT, 2.0-20261121.093001-2
	Classifier string
	Ext        string // jar, pom, tar.gz
	Sig        string // "", or the suffix of a signature, such as .asc
}

// sums are the checksums that belong to every file; names are those of the store.
var sumNames = []string{"md5", "sha1", "sha256", "sha512"}

// signatures are longest first, for cutting.
var sigSuffixes = []string{".sigstore.json", ".sigstore", ".asc", ".sig"}

// cutSum takes the suffix of a checksum off.
func cutSum(file string) (rest, sum string) {
	for _, s := range sumNames {
		if rest, ok := strings.CutSuffix(file, "."+s); ok && rest != "" {
			return rest, s
		}
	}
	return file, ""
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

// splitFile reads a file's name in the directory of a version.
func splitFile(artifact, version, file string) fileName {
	file, sig := cutSig(file)
	rest, ok := strings.CutPrefix(file, artifact+"-")
	if !ok {
		return fileName{}
	}
	id := version
	tail, ok := strings.CutPrefix(rest, version)
	if base := strings.TrimSuffix(version, snapshotWord); !ok && isSnapshot(version) && strings.HasPrefix(rest, base) {
		m := stamped.FindStringSubmatch(rest[len(base):])
		if m == nil {
			return fileName{}
		}
		id = base + m[1] + "-" + m[2]
		tail, ok = rest[len(id):], true
	}
	if !ok || len(tail) < 2 {
		return fileName{}
	}
	f := fileName{Version: id, Sig: sig}
	switch tail[0] {
	case '.':
		f.Ext = tail[1:]
	case '-':
		f.Classifier, f.Ext = cutExt(tail[1:])
	}
	if f.Ext == "" {
		return fileName{}
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

// join is the inverse of splitFile.
func (f fileName) join(artifact string) string {
	name := artifact + "-" + f.Version
	if f.Classifier != "" {
		name += "-" + f.Classifier
	}
	return name + "." + f.Ext + f.Sig
}

// extension is how metadata of snapshots spells it: signatures are part of it.
func (f fileName) extension() string { return f.Ext + f.Sig }

// isPOM reports whether this is the POM: neither one with a classifier (Maven 4's build POM) nor its signature.
func (f fileName) isPOM() bool {
	return f.Version != "" && f.Classifier == "" && f.Sig == "" && f.Ext == "pom"
}

// isMain reports whether this can be what the POM's packaging is about.
func (f fileName) isMain() bool {
	return f.Version != "" && f.Classifier == "" && f.Sig == "" && f.Ext != "pom" && f.Ext != "module"
}

// fileKey is a file's name in the store, where names are unique within a package.
func fileKey(version, file string) string { return version + "/" + file }

const coordinateChars = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.+-"

// checkCoordinates is the rule for what is new: reading knows no such rule. With anyScript letters of every script are
// accepted.
func checkCoordinates(group, artifact, version string, anyScript bool) error {
	for _, c := range []struct{ what, value string }{{"group", group}, {"artifact", artifact}, {"version", version}} {
		if !plain(c.value, anyScript) {
			return wire.Errorf(store.ErrInvalid, "The %s %q has a character other than letters, digits and _ . + -", c.what, c.value)
		}
	}
	if strings.ContainsAny(artifact[:1]+version[:1], ".+") {
		return wire.Errorf(store.ErrInvalid, "Neither artifact nor version may begin with a dot or plus sign.")
	}
	return nil
}

func plain(s string, anyScript bool) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		letter := anyScript && r >= 0x80 && (unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r))
		return !letter && !strings.ContainsRune(coordinateChars, r)
	})
}

// complete reports whether an open version looks finished although no metadata has named it, and if not, why.
func complete(artifact string, v store.Version[Meta]) (bool, string) {
	if len(v.Meta.Broken) > 0 {
		return false, "a file did not match its checksum"
	}
	pom, main := false, false
	for _, f := range v.Files {
		n := splitFile(artifact, v.Meta.Base, baseName(f.Name))
		pom, main = pom || n.isPOM(), main || n.isMain()
	}
	switch {
	case len(v.Files) == 0:
		return false, "it has no files"
	case !pom && v.Meta.Waits:
		return false, "its POM is missing"
	case pom && !main && (v.Meta.POM == nil || v.Meta.POM.Packaging != "pom"):
		return false, "its main file is missing"
	}
	return true, ""
}

// baseName is the last segment of a path.
func baseName(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// modified is when a file came.
func modified(v store.Version[Meta], file string) time.Time {
	if t, ok := v.Meta.Times[file]; ok {
		return t
	}
	return v.Published
}

// unixOf reads a time that is kept as text.
func unixOf(text []byte) time.Time {
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.Unix(n, 0)
}
