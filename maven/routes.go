package maven

// The grammar of paths: no handler, no store, no clock in this file. Segments are split before they are decoded, decoded
// once, and refused when they could mean anything else decoded twice: one path is one file.

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"larder/internal/problem"
	"larder/internal/wire"
	"larder/maven/layout"
)

// root is where the handler sees itself.
const root = "/maven"

// The operations. Their names are stable: the audit log and the metrics use them.
const (
	opFile         = "maven.file"
	opSum          = "maven.sum"
	opPut          = "maven.put"
	opSumPut       = "maven.sum.put"
	opDelete       = "maven.delete"
	opSnapshot     = "maven.snapshot"
	opSnapshotPut  = "maven.snapshot.put"
	opMetadata     = "maven.metadata"
	opMetadataPut  = "maven.metadata.put"
	opDirectory    = "maven.directory"
	opCommit       = "maven.commit"
	opDirDelete    = "maven.directory.delete"
	opPrefixes     = "maven.prefixes"
	opArchetypes   = "maven.archetypes"
	opSearch       = "maven.search"
	metadataFile   = "maven-metadata.xml"
	archetypeFile  = "archetype-catalog.xml"
	prefixesFile   = ".meta/prefixes.txt"
	searchPath     = "solrsearch/select"
	maxQueryText   = 512
	defaultRows    = 20
	maxRows        = 200
	minFileDepth   = 4 // group, artifact, version, file
	minSnapshotDir = 3 // group, artifact, version
)

// Request is a parsed request line. Which fields count depends on the operation.
type Request struct {
	Op       string
	Path     string // below the root, decoded, without leading slash and checksum suffix; of a directory with its final slash, if it came with one
	Group    string // with dots
	Artifact string
	Version  string // the directory's: 2.0-SNAPSHOT for all of its builds
	File     string
	Sum      string // md5, sha1, sha256 or sha512: it is about the file's checksum
	Name     string // of the artifact in the store: group:artifact

	Query string // search: q
	Form  string // search: wt, json or xml
	Core  string // search: core, gav or ""
	From  int    // search: start
	Size  int    // search: rows
}

// key is the file's name in the store, as fileKey makes it: the end of the path.
func (q Request) key() string { return q.Path[len(q.Path)-len(q.Version)-len(q.File)-1:] }

// parse reads a request line. Its error wraps problem.ErrBadPath, problem.ErrNoRoute or problem.ErrMethod.
func parse(method, escapedPath string, query url.Values) (string, Request, error) {
	path, segs, dir, err := splitPath(escapedPath)
	if err != nil {
		return "", Request{}, err
	}
	if method == http.MethodHead {
		method = http.MethodGet
	}
	var q Request
	listed, sum := layout.CutSum(path)
	switch {
	case listed == prefixesFile && !dir:
		q, err = oneOf(method, map[string]string{http.MethodGet: opPrefixes}, Request{Sum: sum})
	case path == searchPath && !dir:
		if q, err = oneOf(method, map[string]string{http.MethodGet: opSearch}, Request{}); err == nil {
			err = q.parseSearch(query)
		}
	case slices.ContainsFunc(segs, func(s string) bool { return s[0] == '.' }):
		err = noRoute(method)
	case dir:
		q, err = parseDirectory(method, path, len(segs) > 0)
	default:
		q, err = parseFile(method, listed, sum, segs)
	}
	return q.Op, q, err
}

// noRoute is an address that does not exist. What is written to one is a 400: clients take a 404 of a PUT for a missing
// artifact (A8).
func noRoute(method string) error {
	if method == http.MethodGet {
		return problem.Errorf(problem.ErrNoRoute, "this repository has no such address")
	}
	return badPath("This is not a path of the Maven layout: group/artifact/version/file.")
}

func badPath(format string, args ...any) error {
	return problem.Errorf(problem.ErrBadPath, format, args...)
}

// splitPath cuts the root off and decodes the segments; dir reports whether a slash stands at the end of the path.
func splitPath(escaped string) (path string, segs []string, dir bool, err error) {
	path, ok := strings.CutPrefix(escaped, root)
	if !ok || path != "" && path[0] != '/' {
		return "", nil, false, noRoute(http.MethodGet)
	}
	path = strings.TrimPrefix(path, "/")
	if len(path) > 3*maxPath {
		return "", nil, false, badPath("the path is too long")
	}
	path, dir = strings.CutSuffix(path, "/")
	if path == "" {
		if dir {
			return "", nil, false, badPath("the path has an empty segment")
		}
		return "", nil, true, nil
	}
	escapes := strings.ContainsRune(path, '%')
	segs = strings.Split(path, "/")
	for i, s := range segs {
		if escapes {
			s, err = url.PathUnescape(s)
		}
		if err != nil || !legal(s) {
			return "", nil, false, badPath("the path is malformed")
		}
		segs[i] = s
	}
	if escapes {
		path = strings.Join(segs, "/")
	}
	if len(path) > maxPath {
		return "", nil, false, badPath("the path is too long")
	}
	return path, segs, dir, nil
}

// legal accepts a decoded segment. What still holds a percent sign was escaped twice: some reader would take it for
// another path.
func legal(s string) bool {
	return s != "" && s != "." && s != ".." && len(s) <= maxSegment && utf8.ValidString(s) && !strings.ContainsAny(s, `/\%:`) &&
		!strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r >= 0x7f && r <= 0x9f || r == '\u2028' || r == '\u2029' })
}

// oneOf picks the operation for a method.
func oneOf(method string, ops map[string]string, q Request) (Request, error) {
	if q.Op = ops[method]; q.Op != "" {
		return q, nil
	}
	var allow []string
	for m := range ops {
		allow = append(allow, m)
	}
	if slices.Contains(allow, http.MethodGet) {
		allow = append(allow, http.MethodHead)
	}
	slices.Sort(allow)
	return q, problem.NotAllowed(allow...)
}

func parseDirectory(method, path string, slash bool) (Request, error) {
	if slash {
		path += "/"
	}
	return oneOf(method, map[string]string{http.MethodGet: opDirectory, http.MethodPost: opCommit, http.MethodDelete: opDirDelete}, Request{Path: path})
}

// parseFile recognises what has no slash at its end: metadata, a file of a version, or a directory. Path and sum are what
// was cut apart at the suffix of a checksum; segs still has it.
func parseFile(method, path, sum string, segs []string) (Request, error) {
	n := len(segs)
	file := layout.Base(path)
	if _, twice := layout.CutSum(file); sum != "" && twice != "" || file == "" {
		return Request{}, noRoute(method)
	}
	q := Request{Path: path, Sum: sum}
	dirs := segs[:n-1]
	switch {
	case file == archetypeFile && n == 1:
		return oneOf(method, map[string]string{http.MethodGet: opArchetypes}, Request{Sum: sum})
	case file == metadataFile && n > 1:
		return parseMetadata(method, dirs, q)
	case n < minFileDepth && method == http.MethodPut:
		return q, noRoute(method)
	case n < minFileDepth:
		return parseDirectory(method, strings.Join(segs, "/"), false)
	}
	q.File, q.Version, q.Artifact = file, dirs[n-2], dirs[n-3]
	if err := q.setGroup(dirs[:n-3]); err != nil {
		return q, err
	}
	ops := fileOps
	if sum != "" {
		ops = sumOps
	}
	return oneOf(method, ops, q)
}

// The methods of paths that are asked for all the time; nobody changes them.
var (
	fileOps     = map[string]string{http.MethodGet: opFile, http.MethodPut: opPut, http.MethodPost: opPut, http.MethodDelete: opDelete}
	sumOps      = map[string]string{http.MethodGet: opSum, http.MethodPut: opSumPut, http.MethodPost: opSumPut, http.MethodDelete: opDelete}
	snapshotOps = map[string]string{http.MethodGet: opSnapshot, http.MethodPut: opSnapshotPut, http.MethodPost: opSnapshotPut}
	metadataOps = map[string]string{http.MethodGet: opMetadata, http.MethodPut: opMetadataPut, http.MethodPost: opMetadataPut}
)

// parseMetadata recognises the metadata of a snapshot, and that of an artifact or a group, which only their content
// tells apart.
func parseMetadata(method string, dirs []string, q Request) (Request, error) {
	n := len(dirs)
	ops := metadataOps
	if layout.IsSnapshot(dirs[n-1]) && n >= minSnapshotDir {
		ops = snapshotOps
		q.Version = dirs[n-1]
		n--
	}
	q.Artifact = dirs[n-1]
	if err := q.setGroup(dirs[:n-1]); err != nil {
		return q, err
	}
	return oneOf(method, ops, q)
}

// setGroup joins the group's directories. A dot inside one would be another spelling of another group.
func (q *Request) setGroup(dirs []string) error {
	if slices.ContainsFunc(dirs, func(d string) bool { return strings.ContainsRune(d, '.') }) {
		return badPath("This is not a path of the Maven layout: a directory of the group has a dot.")
	}
	q.Group = strings.Join(dirs, ".")
	q.Name = layout.PackageName(q.Group, q.Artifact)
	if len(q.Name) > maxPath/2 {
		return badPath("the path is too long")
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

// link is the inverse of parse: the path, with escapes and query.
func link(q Request) string {
	if q.Op == opSearch {
		v := url.Values{"q": {q.Query}, "wt": {q.Form}, "core": {q.Core}, "start": {strconv.Itoa(q.From)}, "rows": {strconv.Itoa(q.Size)}}
		return root + "/" + searchPath + "?" + v.Encode()
	}
	path := q.Path
	switch q.Op {
	case opArchetypes:
		path = archetypeFile
	case opPrefixes:
		path = prefixesFile
	}
	if q.Sum != "" {
		path += "." + q.Sum
	}
	return root + "/" + layout.Escape(path)
}
