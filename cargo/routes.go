package cargo

// The grammar of paths: no handler, no store, no clock in this file. Cargo builds its addresses by putting names into
// templates, unescaped, so a plus sign in a version is a plus sign.

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"larder/cargo/crate"
	"larder/internal/problem"
	"larder/internal/wire"
)

// root is where the handler sees itself; wire.Deps.Path is where clients do.
const root = "/cargo"

// The operations. Their names are stable: the audit log and the metrics use them.
const (
	opConfig        = "cargo.config"
	opIndex         = "cargo.index"
	opDownload      = "cargo.download"
	opPublish       = "cargo.publish"
	opYank          = "cargo.yank"
	opUnyank        = "cargo.unyank"
	opOwners        = "cargo.owners"
	opOwnersAdd     = "cargo.owners.add"
	opOwnersRemove  = "cargo.owners.remove"
	opSearch        = "cargo.search"
	opMe            = "cargo.me"
	opMeLogin       = "cargo.me.login"
	opCrate         = "cargo.crate"
	opCrateSet      = "cargo.crate.set"
	opCrateDelete   = "cargo.crate.delete"
	opVersions      = "cargo.versions"
	opDependents    = "cargo.dependents"
	opDownloads     = "cargo.downloads"
	opVersion       = "cargo.version"
	opVersionSet    = "cargo.version.set"
	opVersionDelete = "cargo.version.delete"
	opReadme        = "cargo.readme"
	opDependencies  = "cargo.dependencies"
)

const (
	maxSegment      = 512
	maxQueryText    = 512
	defaultPageSize = 10
	maxPageSize     = 100
	lenDigest       = 64 // hex of sha256
)

// route is one row of the paths below /api/v1/crates/. N stands for a crate, V for a version.
type route struct {
	method, path, op string
}

// routes is the table of the web API; what is about the index and downloads by digest has a grammar of its own.
var routes = []route{
	{http.MethodGet, "", opSearch},
	{http.MethodPut, "new", opPublish},
	{http.MethodGet, "N", opCrate},
	{http.MethodPatch, "N", opCrateSet},
	{http.MethodDelete, "N", opCrateDelete},
	{http.MethodGet, "N/owners", opOwners},
	{http.MethodGet, "N/owner_user", opOwners},
	{http.MethodPut, "N/owners", opOwnersAdd},
	{http.MethodDelete, "N/owners", opOwnersRemove},
	{http.MethodGet, "N/versions", opVersions},
	{http.MethodGet, "N/reverse_dependencies", opDependents},
	{http.MethodGet, "N/downloads", opDownloads},
	{http.MethodGet, "N/V", opVersion},
	{http.MethodPatch, "N/V", opVersionSet},
	{http.MethodDelete, "N/V", opVersionDelete},
	{http.MethodDelete, "N/V/yank", opYank},
	{http.MethodPut, "N/V/unyank", opUnyank},
	{http.MethodGet, "N/V/download", opDownload},
	{http.MethodGet, "N/V/readme", opReadme},
	{http.MethodGet, "N/V/dependencies", opDependencies},
	{http.MethodGet, "N/V/downloads", opDownloads},
}

// Request is a parsed request line. Which fields count depends on the operation.
type Request struct {
	Op      string
	Closed  bool   // below /private, where nothing is answered without credentials
	Name    string // crate, as asked for
	Version string
	Digest  string // hex of the crate's sha256, in downloads by digest

	Query string // search text
	Page  int    // from 1
	Size  int    // of a page
}

// parse reads a request line. Its error wraps problem.ErrBadPath, problem.ErrNoRoute or problem.ErrMethod.
func parse(method, escapedPath string, query url.Values) (string, Request, error) {
	if name, ok := plainIndex(escapedPath); ok && method == http.MethodGet {
		return opIndex, Request{Op: opIndex, Name: name}, nil
	}
	segs, err := splitPath(escapedPath)
	if err != nil {
		return "", Request{}, err
	}
	if method == http.MethodHead {
		method = http.MethodGet
	}
	var q Request
	switch {
	case len(segs) >= 3 && segs[0] == "api" && segs[1] == "v1" && segs[2] == "crates":
		q, err = parseAPI(method, segs[3:])
	case len(segs) == 1 && segs[0] == "me":
		q, err = oneOf(method, Request{}, route{http.MethodGet, "", opMe}, route{http.MethodPost, "", opMeLogin})
	case len(segs) > 0 && segs[0] == "private":
		q, err = parseFiles(method, segs[1:], Request{Closed: true})
	default:
		q, err = parseFiles(method, segs, Request{})
	}
	if err == nil {
		err = q.parseQuery(query)
	}
	return q.Op, q, err
}

// plainIndex recognises the path of nearly every request, a crate's file of the index without escapes, as it stands.
func plainIndex(path string) (name string, ok bool) {
	rest, ok := strings.CutPrefix(path, root+"/index/")
	if !ok {
		return "", false
	}
	name = rest[strings.LastIndexByte(rest, '/')+1:]
	folders := rest[:len(rest)-len(name)]
	switch len(name) {
	case 0:
		return "", false
	case 1:
		ok = folders == "1/"
	case 2:
		ok = folders == "2/"
	case 3:
		ok = len(folders) == 4 && folders[:2] == "3/" && folders[2] == name[0] && folders[3] == '/'
	default:
		ok = len(folders) == 6 && folders[:2] == name[:2] && folders[2] == '/' && folders[3:5] == name[2:4] && folders[5] == '/'
	}
	return name, ok && name == strings.ToLower(name) && crate.CheckName(name) == nil
}

func noRoute() error { return problem.Errorf(problem.ErrNoRoute, "this registry has no such address") }

func badPath(format string, args ...any) error {
	return problem.Errorf(problem.ErrBadPath, format, args...)
}

// splitPath cuts the root off and decodes the segments.
func splitPath(escaped string) ([]string, error) {
	rest, ok := strings.CutPrefix(escaped, root)
	if !ok || rest != "" && rest[0] != '/' {
		return nil, noRoute()
	}
	rest = strings.TrimPrefix(rest, "/")
	if rest == "" {
		return nil, nil
	}
	segs := strings.Split(rest, "/")
	for i, s := range segs {
		d, err := url.PathUnescape(s)
		if err != nil || d == "" || d == "." || d == ".." || strings.ContainsAny(d, "/\\\x00") || len(d) > maxSegment {
			return nil, badPath("the path is malformed")
		}
		segs[i] = d
	}
	return segs, nil
}

// oneOf picks the operation for a method.
func oneOf(method string, q Request, rows ...route) (Request, error) {
	var allow []string
	for _, r := range rows {
		if r.method == method {
			q.Op = r.op
			return q, nil
		}
		if allow = append(allow, r.method); r.method == http.MethodGet {
			allow = append(allow, http.MethodHead)
		}
	}
	slices.Sort(allow)
	return q, problem.NotAllowed(allow...)
}

// parseAPI compares segments with the rows of the table. The first row for the method counts: a crate is called N, so "new"
// is one only where no row above says else, and V is "versions" nowhere.
func parseAPI(method string, segs []string) (Request, error) {
	var rows []route
	for _, row := range routes {
		if _, ok := match(row.path, segs); ok {
			rows = append(rows, row)
		}
	}
	if len(rows) == 0 {
		return Request{}, noRoute()
	}
	q, err := oneOf(method, Request{}, rows...)
	if i := slices.IndexFunc(rows, func(r route) bool { return r.method == method }); i >= 0 {
		op := q.Op
		q, _ = match(rows[i].path, segs)
		q.Op = op
	}
	switch {
	case err != nil:
		return q, err
	case q.Name != "" && crate.CheckName(q.Name) != nil:
		return q, badPath("the crate name is malformed")
	case q.Version != "" && !crate.IsVersion(q.Version):
		return q, badPath("the version is malformed")
	}
	return q, nil
}

func match(path string, segs []string) (q Request, ok bool) {
	if path == "" {
		return q, len(segs) == 0
	}
	want := strings.Split(path, "/")
	if len(want) != len(segs) {
		return q, false
	}
	for i, w := range want {
		switch {
		case w == "N":
			q.Name = segs[i]
		case w == "V":
			q.Version = segs[i]
		case w != segs[i]:
			return q, false
		}
	}
	return q, true
}

// parseFiles recognises the index, with and without its folder, and downloads by digest.
func parseFiles(method string, segs []string, q Request) (Request, error) {
	if len(segs) == 3 && segs[0] == "dl" && len(segs[1]) == lenDigest {
		return parseDownload(method, segs[1], segs[2], q)
	}
	if len(segs) > 0 && segs[0] == "index" {
		segs = segs[1:]
	}
	switch {
	case len(segs) == 1 && segs[0] == "config.json":
		return oneOf(method, q, route{http.MethodGet, "", opConfig})
	case len(segs) < 2 || len(segs) > 3:
		return q, noRoute()
	}
	q.Name = segs[len(segs)-1]
	if crate.CheckName(q.Name) != nil || strings.Join(segs, "/") != indexPath(q.Name) {
		// Cargo tries other spellings of a name before it gives up: all it wants to hear is that there is no such crate.
		return q, noRoute()
	}
	return oneOf(method, q, route{http.MethodGet, "", opIndex})
}

// indexPath is where the index has a crate (Cargo Book, Index Format).
func indexPath(name string) string {
	n := strings.ToLower(name)
	switch len(n) {
	case 0:
		return ""
	case 1, 2:
		return strconv.Itoa(len(n)) + "/" + n
	case 3:
		return "3/" + n[:1] + "/" + n
	}
	return n[:2] + "/" + n[2:4] + "/" + n
}

// parseDownload reads DIGEST/NAME-VERSION.crate. A name has no dots and a version begins with a number and a dot, so the
// dash between them is the last one before the first dot.
func parseDownload(method, sum, file string, q Request) (Request, error) {
	base, ok := strings.CutSuffix(file, ".crate")
	dash := strings.LastIndexByte(base[:max(strings.IndexByte(base, '.'), 0)], '-')
	if !ok || dash < 0 || strings.Trim(sum, "0123456789abcdef") != "" {
		return q, noRoute()
	}
	q.Name, q.Version, q.Digest = base[:dash], base[dash+1:], sum
	if crate.CheckName(q.Name) != nil || !crate.IsVersion(q.Version) {
		return q, noRoute()
	}
	return oneOf(method, q, route{http.MethodGet, "", opDownload})
}

// parseQuery reads the parameters the operation knows; others are ignored.
func (q *Request) parseQuery(v url.Values) error {
	if q.Op != opSearch && q.Op != opDependents {
		return nil
	}
	if q.Op == opSearch {
		q.Query = v.Get("q")
		if len(q.Query) > maxQueryText {
			return badPath("the search text has more than %d bytes", maxQueryText)
		}
	}
	q.Page, q.Size = 1, defaultPageSize
	if err := wire.Number(v, "page", 1, &q.Page); err != nil {
		return err
	}
	err := wire.Number(v, "per_page", 1, &q.Size)
	q.Size = min(q.Size, maxPageSize)
	return err
}

// link is the inverse of parse: the path, with escapes and query, below root.
func link(q Request) string {
	files := root
	if q.Closed {
		files += "/private"
	}
	switch q.Op {
	case opConfig:
		return files + "/index/config.json"
	case opIndex:
		return files + "/index/" + indexPath(q.Name)
	case opMe, opMeLogin:
		return root + "/me"
	}
	if q.Digest != "" {
		return files + "/dl/" + q.Digest + "/" + crateFile(q.Name, q.Version)
	}
	p := root + "/api/v1/crates"
	for _, row := range routes {
		if row.op == q.Op && strings.Contains(row.path, "V") == (q.Version != "") {
			p += strings.NewReplacer("N", q.Name, "V", q.Version).Replace(strings.TrimSuffix("/"+row.path, "/"))
			break
		}
	}
	v := url.Values{}
	if q.Query != "" {
		v.Set("q", q.Query)
	}
	if q.Size != 0 {
		v.Set("page", strconv.Itoa(q.Page))
		v.Set("per_page", strconv.Itoa(q.Size))
	}
	if len(v) == 0 {
		return p
	}
	return p + "?" + v.Encode()
}

// crateFile is a version's file name; cargo's own cache uses it too.
func crateFile(name, version string) string { return name + "-" + version + ".crate" }
