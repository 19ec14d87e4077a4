// Package describe has what pages show of a package, whatever its kind: what every protocol can say of what is kept.
// The texts are a publisher's, and nothing in them is to be trusted.
package describe

import (
	"context"
	"encoding/json"
	"strings"
	"time"
)

// Kind answers for the packages of one protocol: those that were published here, and copies, of which what is kept is
// known. A version of a copy was "published" when its last file was fetched. Names are those of records. It does not
// look at rights but in Sees, Find and List. What is not here is a problem.ErrNotFound.
type Kind interface {
	Changer
	Uploader
	// Type is the type of names in the scopes of tokens: "package" in npm:package:*:read.
	Type() string
	// Sees reports whether the client of a request may be shown a name, in lists.
	Sees(ctx context.Context, name string) (bool, error)
	// Find returns what a search text finds and the client sees, best first.
	Find(ctx context.Context, text string) ([]Match, error)
	// List returns up to limit packages of an origin that the client sees, in the order of their names after after,
	// without their latest versions; more when others follow.
	List(ctx context.Context, from Origin, after string, limit int) (list []Package, more bool, err error)
	// Package describes a package by its latest version; with whole also what has to be read from files.
	Package(ctx context.Context, name string, whole bool) (Package, error)
	// Version describes one version with all that is known of it.
	Version(ctx context.Context, name, id string) (Version, error)
	// Versions are up to q.Limit versions of a package, newest first in the order of the protocol.
	Versions(ctx context.Context, name string, q Query) (Versions, error)
	// Tags are up to q.Limit tags of a package, the one that was moved last first.
	Tags(ctx context.Context, name string, q Query) (Tags, error)
	// Readme is the text that a version brings to be read first; the zero Text when there is none.
	Readme(ctx context.Context, name, id string) (Text, error)
	// Dependants are up to limit packages whose latest version depends on one and that the client sees, by their names,
	// after the first from; total is how many there are.
	Dependants(ctx context.Context, name string, from, limit int) (list []Dependant, total int, err error)
	// IndexDependants makes packages findable for Dependants that were published before there was an index. It is a job:
	// what ended it in the middle makes the next run go on where it was.
	IndexDependants(ctx context.Context) error
	// Path is where a file of a version is fetched, below the path of the protocol and with its escapes; "" when it has no
	// address of its own.
	Path(name string, v Version, f File) string
	// KeptName is the name of a package whose copies have the name pkg in records.
	KeptName(pkg string) string
}

// Origin says where packages come from.
type Origin string

// The origins; Anywhere is all of them.
const (
	Anywhere Origin = ""
	Hosted   Origin = "hosted" // published here
	Copied   Origin = "copy"   // kept of an upstream
)

// Takes reports whether a package is of an origin.
func (o Origin) Takes(copied bool) bool { return o == Anywhere || copied == (o == Copied) }

// Match is what a search has found. Scores of all kinds are comparable.
type Match struct {
	Name  string
	Score int
	// Copy: it is one of an upstream's package.
	Copy bool
}

// Package is a package and its latest version.
type Package struct {
	Name string
	// Display is the name as its publisher spells it.
	Display string
	Private bool
	// Upstream is what the registry is called that it is a copy of; "" when it was published here.
	Upstream string
	Owners   []string
	Created  time.Time
	Updated  time.Time
	// Versions and Tags are how many there are, Bytes what they take, each blob once.
	Versions, Tags int
	Bytes          int64
	// Kept is how many versions of a copy may be fetched and have files here. Of the others documents tell.
	Kept int
	// Latest is the version that clients get who ask for none; its ID is "" when there is none.
	Latest Version
	// Withheld are versions of a copy that rules keep from clients, as far as documents that are kept name them, newest
	// first; at most MaxWithheld.
	Withheld []Version
	// Tagged are the movable names of versions, at most MaxTagged, where a package has few of them.
	Tagged []Tag
}

// MaxTagged is the most tags of a Package, MaxWithheld the most versions that are named as withheld.
const (
	MaxTagged   = 20
	MaxWithheld = 2
)

// Tag is a movable name for a version.
type Tag struct {
	Name, Version string
	Updated       time.Time
	By            string
}

// Version is one version of a package.
type Version struct {
	ID string
	// Name is what people call the version.
	Name      string
	Published time.Time
	By        string
	// Entry is the number of the journal's entry that it was published with; 0 when it is not known.
	Entry uint64
	// Size is the sum of its files in bytes.
	Size int64
	// Pre: it is a pre-release. Yanked: clients do not choose it by themselves; Reason says why, or what is better.
	Pre, Yanked bool
	Reason      string
	// Deprecated is the message of a version that should not be used any more.
	Deprecated string
	Tags       []string

	Summary  string
	License  string
	Keywords []string
	Links    []Link
	// Facts are what only this kind knows.
	Facts []Fact
	Files []File
	// Dependencies are those of the version alone, in the order in which it names them.
	Dependencies []Dependency
	// Warnings are what is odd about it.
	Warnings []string
	// Advisories are those about it that an operator has loaded, at most MaxAdvisories.
	Advisories []Advisory
	// Readme: there is one. ReadmeOf is the digest of the archive in which it is to be looked for, "" when the record has
	// it: then there may be none.
	Readme   bool
	ReadmeOf string
	// Withheld is what a client is told from whom a rule withholds the version, "" for one that may be fetched. Blocked:
	// the rule is about its name, not its age.
	Withheld string
	Blocked  bool
	// Chart: it is a Helm chart.
	Chart bool
}

// Link adds a link if its address is one that a browser may be sent to.
func (v *Version) Link(name, address string) {
	address = strings.TrimPrefix(strings.TrimSpace(address), "git+")
	if strings.HasPrefix(address, "https://") || strings.HasPrefix(address, "http://") {
		v.Links = append(v.Links, Link{name, address})
	}
}

// Fact adds a fact that is known.
func (v *Version) Fact(name, value string) {
	if value != "" {
		v.Facts = append(v.Facts, Fact{name, value})
	}
}

// MaxAdvisories is the most advisories of a Version.
const MaxAdvisories = 3

// Advisory is a security advisory.
type Advisory struct {
	ID, Title, Severity string
	// Affects is the versions that it is about, as it writes them.
	Affects string
	// URL is where it is explained, "" when it does not say.
	URL string
}

// Link is an address that a package names.
type Link struct{ Name, URL string }

// Fact is something known, such as "Engines" and "node >= 20".
type Fact struct{ Name, Value string }

// File is a file of a version.
type File struct {
	Name string
	Size int64
	Type string // media type
	Sums []Sum
	// Note is a word about it.
	Note string
}

// Sum is a checksum: its algorithm, and the value as clients of the kind write it.
type Sum struct{ Algorithm, Value string }

// Dependency is a package that a version needs.
type Dependency struct {
	// Name is as the version names it, Package the name of its record, "" when it cannot be a package of the kind.
	Name, Package string
	// Range is the versions it takes.
	Range string
	// Group says when it is needed, "" for always: "dev", "peer", "optional", an extra.
	Group string
}

// Dependant is a package that depends on another.
type Dependant struct {
	Package
	// On is the dependency; its Name is "" when it is not known.
	On Dependency
}

// Text is a text and how it is written.
type Text struct {
	Body string
	// Markdown: it is written in Markdown; else it is plain.
	Markdown bool
}

// ReadmeText decides by a file's name how a text is written; without a name it is taken for Markdown.
func ReadmeText(body, file string) Text {
	_, ending, named := strings.Cut(strings.ToLower(file), ".")
	return Text{body, !named || ending == "md" || ending == "markdown" || ending == "mkd"}
}

// Query selects versions or tags.
type Query struct {
	// From is how many to leave out.
	From, Limit int
	// Text is a part of their names.
	Text string
	// ByName orders tags by name.
	ByName bool
	// NoPre and NoYanked leave out pre-releases and what is yanked.
	NoPre, NoYanked bool
}

// Versions is a part of the versions of a package.
type Versions struct {
	List []Version
	// Total is how many the text and NoPre select.
	Total int
	// Next is the From of what follows; 0 when nothing does.
	Next int
}

// Tags is a part of the tags of a package.
type Tags struct {
	List []Tagged
	// Total is how many the text selects, Next the From of what follows; 0 when nothing does.
	Total, Next int
}

// Tagged is a tag and the version that it points at, which has the other tags.
type Tagged struct {
	Tag
	At Version
}

// Strings reads a JSON list of strings, or a single string; nil for everything else.
func Strings(raw json.RawMessage) []string {
	var list []string
	if json.Unmarshal(raw, &list) == nil {
		return list
	}
	var one string
	if json.Unmarshal(raw, &one) == nil && one != "" {
		return []string{one}
	}
	return nil
}
