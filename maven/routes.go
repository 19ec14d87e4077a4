package maven

// How paths and queries become requests, and back. Pure: no handler, no store, no clock. A segment that could mean
// something else decoded twice is refused: one path is one file.

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"larder/internal/problem"
	"larder/internal/route"
	"larder/internal/wire"
	"larder/maven/names"
)

// root is where the handler sees itself.
const root = "/maven"

const (
	metadataFile  = "maven-metadata.xml"
	archetypeFile = "archetype-catalog.xml"
	searchPath    = "solrsearch/select"
	maxQueryText  = 512
	defaultRows   = 20
	maxRows       = 200
	minFileDepth  = 4 // group, artifact, version, file
)

// Request is a parsed request line. Which fields count depends on the operation.
type Request struct {
	// Path is below the root, decoded, without leading slash and checksum suffix; of a directory with the slash at its
	// end, if it came with one.
	Path     string
	Group    string // with dots
	Artifact string
	Version  string // the directory's: 2.0-SNAPSHOT for all of its builds
	File     string // of an Ivy layout with its folders in the version
	Ivy      bool   // the path is of a layout of Ivy, and not of Maven's
	Sum      string // md5, sha1, sha256 or sha512: it is about the file's checksum
	Name     string // of the artifact in the store: group:artifact

	Query string // search: q
	Form  string // search: wt, json or xml
	Core  string // search: core, gav or ""
	From  int    // search: start
	Size  int    // search: rows

	dirs []string // of the group, until the last field is read
}

// key is the file's name in the store, as names.FileKey makes it: the end of the path in Maven's layout.
func (q Request) key() string {
	if q.Ivy {
		return names.FileKey(q.Version, q.File)
	}
	return q.Path[len(q.Path)-len(q.Version)-len(q.File)-1:]
}

// copyKey is the name of an upstream's file. Whether two paths of Ivy layouts are one file is not known there.
func (q Request) copyKey() string {
	if q.Ivy {
		return q.Path
	}
	return q.key()
}

// grammar is what the fields of the routes mean.
var grammar = route.Grammar[Request]{
	Root: root,
	Split: route.Split{
		Slash: route.SlashKept, BareRoot: true, MaxSegment: maxSegment, MaxPath: maxPath, Legal: legal,
	},
	NoRoute: noRoute,
	NotAllowed: func(method, path string, allow []string) error {
		if method == http.MethodPut && slices.Contains(allow, http.MethodPost) && path != root &&
			!strings.HasSuffix(path, "/") {
			return noRoute(method) // a file was meant, and the path is too short for one
		}
		return problem.NotAllowed(allow...)
	},
	Fields: map[string]route.Field[Request]{
		"group": {
			SetMany: (*Request).setGroup,
			Get:     func(q *Request) string { return names.Escape(strings.ReplaceAll(q.Group, ".", "/")) },
		},
		"artifact": segment(func(q *Request) *string { return &q.Artifact }),
		"version":  segment(func(q *Request) *string { return &q.Version }),
		"file":     {Set: (*Request).setFile, Get: (*Request).file, Absent: "file not found"},
		"file.sum": {Set: (*Request).setFileSum, Get: (*Request).fileSum, Absent: "file not found"},
		"ivy":      {SetMany: (*Request).setIvy, Get: (*Request).ivy, Absent: "file not found"},
		"ivy.sum":  {SetMany: (*Request).setIvySum, Get: (*Request).ivySum, Absent: "file not found"},
		"snapshot": {
			Set: (*Request).setSnapshot, Get: func(q *Request) string { return url.PathEscape(q.Version) },
			Absent: "metadata not found",
		},
		"artifact-or-group": {SetMany: (*Request).setEither, Get: (*Request).either, Absent: "metadata not found"},
		"sum":               {Set: (*Request).setSum, Get: func(q *Request) string { return q.Sum }},
		"directory": {
			SetMany: (*Request).setDirectory, Get: func(q *Request) string { return names.Escape(q.Path) },
			Absent: "directory not found",
		},
	},
	Queries: map[string]route.Query[Request]{
		"maven.search": {Parse: (*Request).parseSearch, Format: (*Request).formatSearch},
	},
}

// noRoute is the error for an address that does not exist. What is written to one is a 400: clients take a 404 of a PUT
// for a missing artifact.
func noRoute(method string) error {
	if method == http.MethodGet {
		return problem.Errorf(problem.ErrNoRoute, "this repository has no such address")
	}
	return badPath("This is not a path of the Maven layout: group/artifact/version/file.")
}

func badPath(format string, args ...any) error {
	return problem.Errorf(problem.ErrBadPath, format, args...)
}

// legal accepts a decoded segment. What still holds a percent sign was escaped twice: some reader would take it for
// another path.
func legal(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ', c == '%', c == ':', c == 0x7f:
			return false
		case c >= utf8.RuneSelf:
			return legalRunes(s)
		}
	}
	return true
}

// legalRunes is legal for a segment with other characters than those of ASCII.
func legalRunes(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return r < ' ' || r == '%' || r == ':' || r >= 0x7f && r <= 0x9f || r == '\u2028' || r == '\u2029'
	})
}

// hidden reports whether a segment begins with a dot: no artifact has one.
func hidden(segs ...string) bool {
	for _, s := range segs {
		if s != "" && s[0] == '.' {
			return true
		}
	}
	return false
}

// segment is a field that takes any segment of the layout.
func segment(at func(*Request) *string) route.Field[Request] {
	return route.Field[Request]{
		Set: func(q *Request, v string) error {
			if hidden(v) {
				return route.ErrOther
			}
			*at(q) = v
			return nil
		},
		Get: func(q *Request) string { return url.PathEscape(*at(q)) },
	}
}

func (q *Request) setGroup(dirs []string) error {
	if hidden(dirs...) {
		return route.ErrOther
	}
	q.dirs = dirs
	return nil
}

// setFile takes a file of a version. Metadata and checksums have rows of their own.
func (q *Request) setFile(v string) error {
	if _, sum := names.CutSum(v); sum != "" || v == metadataFile || hidden(v) {
		return route.ErrOther
	}
	return q.setPath(v)
}

func (q *Request) file() string {
	if q.Sum != "" || q.Ivy {
		return ""
	}
	return url.PathEscape(q.File)
}

// setFileSum takes the checksum of a file. A checksum has none.
func (q *Request) setFileSum(v string) error {
	file, sum := names.CutSum(v)
	if _, twice := names.CutSum(file); sum == "" || twice != "" || file == metadataFile || hidden(v) {
		return route.ErrOther
	}
	q.Sum = sum
	return q.setPath(file)
}

func (q *Request) fileSum() string {
	if q.Sum == "" || q.Ivy {
		return ""
	}
	return url.PathEscape(q.File) + "." + q.Sum
}

// setPath takes the last segment of a file's path, when the others are known. Those of an Ivy layout have rows of their
// own.
func (q *Request) setPath(file string) error {
	if strings.Contains(q.dirs[0], ".") || names.IsIvyType(q.Version) {
		if _, ok := names.SplitIvyFile(append(slices.Clone(q.dirs), q.Artifact, q.Version), file); ok {
			return route.ErrOther
		}
	}
	q.File = file
	return q.setNames(q.dirs, q.Artifact, q.Version, file)
}

// setIvy takes the path of a file in a layout of Ivy that cannot be Maven's.
func (q *Request) setIvy(segs []string) error {
	file := segs[len(segs)-1]
	if _, sum := names.CutSum(file); sum != "" {
		return route.ErrOther
	}
	return q.setIvyFile(segs, file)
}

// setIvySum takes the path of the checksum of such a file.
func (q *Request) setIvySum(segs []string) error {
	file, sum := names.CutSum(segs[len(segs)-1])
	if _, twice := names.CutSum(file); sum == "" || twice != "" {
		return route.ErrOther
	}
	q.Sum = sum
	return q.setIvyFile(segs, file)
}

func (q *Request) setIvyFile(segs []string, file string) error {
	dirs := segs[:len(segs)-1]
	p, ok := names.SplitIvyFile(dirs, file)
	if !ok || file == "" || file == metadataFile || hidden(segs...) {
		return route.ErrOther
	}
	q.Ivy, q.Group, q.Artifact, q.Version, q.File = true, p.Group, p.Artifact, p.Version, p.Folder+file
	q.Name = names.PackageName(q.Group, q.Artifact)
	if len(q.Name) > maxPath/2 {
		return badPath("the path is too long")
	}
	q.Path = strings.Join(dirs, "/") + "/" + file
	return nil
}

func (q *Request) ivy() string {
	if q.Sum != "" || !q.Ivy {
		return ""
	}
	return names.Escape(q.Path)
}

func (q *Request) ivySum() string {
	if q.Sum == "" || !q.Ivy {
		return ""
	}
	return names.Escape(q.Path) + "." + q.Sum
}

// setSnapshot takes the version of a snapshot's metadata, when group and artifact are known.
func (q *Request) setSnapshot(v string) error {
	if !names.IsSnapshot(v) {
		return route.ErrOther
	}
	q.Version = v
	return q.setNames(q.dirs, q.Artifact, v, metadataFile)
}

// setEither takes the directory of an artifact. It may be that of a group as well, whose last part is then the
// artifact.
func (q *Request) setEither(dirs []string) error {
	if hidden(dirs...) {
		return route.ErrOther
	}
	n := len(dirs) - 1
	return q.setNames(dirs[:n], dirs[n], metadataFile)
}

func (q *Request) either() string {
	return names.Escape(strings.TrimSuffix(q.Path, "/"+metadataFile))
}

// setNames takes the group's directories and what follows them. A dot inside a directory would be another spelling of
// another group.
func (q *Request) setNames(dirs []string, artifact string, rest ...string) error {
	for _, d := range dirs {
		if strings.IndexByte(d, '.') >= 0 {
			return badPath("This is not a path of the Maven layout: a directory of the group has a dot.")
		}
	}
	q.Artifact = artifact
	q.Group = strings.Join(dirs, ".")
	q.Name = names.PackageName(q.Group, artifact)
	if len(q.Name) > maxPath/2 {
		return badPath("the path is too long")
	}
	path := make([]byte, 0, 128)
	for _, d := range dirs {
		path = append(append(path, d...), '/')
	}
	path = append(path, artifact...)
	for _, s := range rest {
		path = append(append(path, '/'), s...)
	}
	q.Path, q.dirs = string(path), nil
	return nil
}

func (q *Request) setSum(v string) error {
	if !names.IsSum(v) {
		return route.ErrOther
	}
	q.Sum = v
	return nil
}

// setDirectory takes a directory, with and without a slash at its end. Without one it must be nothing else.
func (q *Request) setDirectory(segs []string) error {
	n := len(segs)
	dirs, slash := segs, segs[n-1] == ""
	if slash {
		dirs = segs[:n-1]
	}
	if len(dirs) == 0 || hidden(dirs...) {
		return route.ErrOther
	}
	q.Path = strings.Join(segs, "/")
	if slash {
		return nil
	}
	file, sum := names.CutSum(segs[n-1])
	_, twice := names.CutSum(file)
	switch {
	case n >= minFileDepth, sum != "" && twice != "", q.Path == searchPath,
		n > 1 && file == metadataFile, n == 1 && file == archetypeFile:
		return route.ErrOther
	}
	return nil
}

// parseSearch reads the parameters of a search; others are ignored.
func (q *Request) parseSearch(v url.Values) error {
	q.Query, q.Form, q.Core = v.Get("q"), "json", ""
	if len(q.Query) > maxQueryText {
		return badPath("the search text has more than %d bytes", maxQueryText)
	}
	if v.Get("wt") == "xml" {
		q.Form = "xml"
	}
	if v.Get("core") == "gav" {
		q.Core = "gav"
	}
	q.Size = defaultRows
	if err := wire.Number(v, "start", 0, &q.From); err != nil {
		return err
	}
	err := wire.Number(v, "rows", 0, &q.Size)
	q.Size = min(q.Size, maxRows)
	return err
}

func (q *Request) formatSearch(v url.Values) {
	v.Set("q", q.Query)
	v.Set("wt", q.Form)
	v.Set("core", q.Core)
	v.Set("start", strconv.Itoa(q.From))
	v.Set("rows", strconv.Itoa(q.Size))
}
