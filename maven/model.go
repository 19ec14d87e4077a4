package maven

// What is stored about a version. Pure.

import (
	"strconv"
	"time"

	"larder/maven/archive"
	"larder/maven/names"
	"larder/maven/pom"
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

// Meta is what a version's record holds beside the store's own fields. A timestamped build of a snapshot is a version
// of its own, so that the thousandth costs what the tenth did.
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
	POM    *pom.Facts                   `json:"pom,omitempty"`
	Jar    *archive.Jar                 `json:"jar,omitempty"`
	Module *archive.Module              `json:"module,omitempty"`
	Signed map[string]archive.Signature `json:"signed,omitempty"`
	// Warnings is what is odd about a file; nothing is refused for it.
	Warnings map[string][]string `json:"warnings,omitempty"`
}

// complete reports whether an open version looks finished although no metadata has named it, and if not, why.
func complete(artifact string, v store.Version[Meta]) (bool, string) {
	if len(v.Meta.Broken) > 0 {
		return false, "a file did not match its checksum"
	}
	pom, main := false, false
	for _, f := range v.Files {
		n := names.SplitFile(artifact, v.Meta.Base, names.FileOf(f.Name))
		pom, main = pom || n.IsPOM(), main || n.IsMain()
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
