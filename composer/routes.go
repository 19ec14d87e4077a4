package composer

// The grammar of the registry's paths (A1, A7). Pure: parse and its inverse link, no server needed.

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"larder/composer/naming"
	"larder/composer/semver"
	"larder/internal/problem"
	"larder/internal/wire"
)

// root is where the handler sees itself; wire.Deps.Path is where clients do.
const root = "/composer"

// The operations. Their names are stable: the audit log and the metrics use them.
const (
	opRoot           = "composer.root"
	opMetadata       = "composer.metadata"
	opDist           = "composer.dist"
	opInfo           = "composer.info"
	opList           = "composer.list"
	opSearch         = "composer.search"
	opProviders      = "composer.providers"
	opNotify         = "composer.notify"
	opAudit          = "composer.audit"
	opFilter         = "composer.filter"
	opChanges        = "composer.changes"
	opPut            = "composer.put"
	opUpload         = "composer.upload"
	opSettings       = "composer.settings"
	opSettingsSet    = "composer.settings.set"
	opDeleteVersion  = "composer.version.delete"
	opDelete         = "composer.package.delete"
	opAdvisories     = "composer.advisories"
	opAdvisoriesSet  = "composer.advisories.set"
	maxQueryText     = 512
	defaultPageSize  = 15
	maxPageSize      = 100
	maxListParameter = 1000 // names in one request
	maxPage          = 1_000_000
	changesPerSecond = 10_000 // ticks of the feed's clock
)

// fixed is one row of the paths with no package in them.
type fixed struct {
	method, path, op string
}

var plain = []fixed{
	{http.MethodGet, "", opRoot},
	{http.MethodGet, "packages.json", opRoot},
	{http.MethodPut, "", opPut},
	{http.MethodGet, "list.json", opList},
	{http.MethodGet, "search.json", opSearch},
	{http.MethodPost, "downloads", opNotify},
	{http.MethodGet, "api/security-advisories", opAudit},
	{http.MethodPost, "api/security-advisories", opAudit},
	{http.MethodGet, "filter-summary.json", opFilter},
	{http.MethodGet, "metadata/changes.json", opChanges},
	{http.MethodGet, "api/advisories", opAdvisories},
	{http.MethodPut, "api/advisories", opAdvisoriesSet},
}

// Request is a parsed request line. Which fields count depends on the operation.
type Request struct {
	Op        string
	Name      string // package, lower case; of opProviders what is provided
	Branches  bool   // the document of branches is meant
	Version   string // as asked for; normalised in the paths of archives
	Reference string // of an archive

	Query    string   // search text, or pattern of names
	Vendor   string   // of the names to list
	Type     string   // of the packages to find
	Tags     []string // that packages must have all
	Fields   []string // what to tell of the names listed
	Packages []string // to audit; nil when the request names none
	Page     int      // from 1
	Size     int      // of a page
	Since    int64    // Unix seconds, or ticks in opChanges; -1 without
	Purge    bool     // delete the bytes as well
	Private  bool     // a package that is new is not for everybody
	Source   source   // where the archive was made from
}

// source says which state of a repository an archive was made from.
type source struct{ Type, URL, Reference string }

// parse reads a request line. Its error wraps problem.ErrBadPath, problem.ErrNoRoute or problem.ErrMethod.
func parse(method, escapedPath string, query url.Values) (string, Request, error) {
	segs, err := splitPath(escapedPath)
	if err != nil {
		return "", Request{}, err
	}
	if method == http.MethodHead {
		method = http.MethodGet
	}
	q, err := parsePath(method, segs)
	if err == nil {
		err = q.parseQuery(query)
	}
	return q.Op, q, err
}

func noRoute() error { return problem.Errorf(problem.ErrNoRoute, "this registry has no such address") }

func badPath(format string, args ...any) error {
	return problem.Errorf(problem.ErrBadPath, format, args...)
}

// splitPath cuts the root off and decodes the segments; one that holds an escaped slash is several. One slash at the end
// is forgiven.
func splitPath(escaped string) ([]string, error) {
	rest, ok := strings.CutPrefix(escaped, root)
	if !ok || rest != "" && rest[0] != '/' {
		return nil, noRoute()
	}
	rest = strings.TrimSuffix(strings.TrimPrefix(rest, "/"), "/")
	if rest == "" {
		return nil, nil
	}
	decoded, err := url.PathUnescape(rest)
	if err != nil || len(decoded) > 2048 || strings.ContainsAny(decoded, "\\\x00") {
		return nil, badPath("the path is malformed")
	}
	segs := strings.Split(decoded, "/")
	for _, s := range segs {
		if s == "" || s == "." || s == ".." {
			return nil, badPath("the path is malformed")
		}
	}
	return segs, nil
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
	return q, notAllowed(allow)
}

func notAllowed(methods []string) error {
	if slices.Contains(methods, http.MethodGet) {
		methods = append(methods, http.MethodHead)
	}
	slices.Sort(methods)
	return problem.NotAllowed(slices.Compact(methods)...)
}

// parsePath recognises the address. What clients ask for has paths of its own; PUT takes any of the dialects of uploads.
func parsePath(method string, segs []string) (Request, error) {
	if q, found, err := parsePlain(method, strings.Join(segs, "/")); found {
		return q, err
	}
	get := map[string]string{http.MethodGet: ""}
	switch n := len(segs); {
	case segs[0] == "p2" && n == 3:
		get[http.MethodGet] = opMetadata
		return parseMetadata(method, segs, get)
	case segs[0] == "dists" && n >= 5:
		get[http.MethodGet] = opDist
		return parseDist(method, segs, get)
	case segs[0] == "providers" && n >= 2:
		get[http.MethodGet] = opProviders
		name, ok := strings.CutSuffix(strings.Join(segs[1:], "/"), ".json")
		if !ok || !naming.IsProvided(name) {
			return Request{}, noRoute()
		}
		return oneOf(method, get, Request{Name: strings.ToLower(name)})
	case segs[0] == "packages" && n >= 3:
		return parsePackage(method, segs[1:])
	case n == 1 && strings.HasSuffix(segs[0], ".zip"):
		// What curl -T makes of an address with a slash at its end: the file's name says nothing.
		return oneOf(method, map[string]string{http.MethodPut: opPut}, Request{})
	case n == 3 && strings.HasSuffix(cutProperties(segs[2]), ".zip"):
		return parseArtifact(method, segs)
	}
	return Request{}, noRoute()
}

func parsePlain(method, path string) (q Request, found bool, err error) {
	ops := map[string]string{}
	for _, row := range plain {
		if row.path == path {
			ops[row.method] = row.op
		}
	}
	if len(ops) == 0 {
		return q, false, nil
	}
	q, err = oneOf(method, ops, q)
	return q, true, err
}

// takeName takes a package's name off the front.
func takeName(vendor, base string) (string, error) {
	name, err := naming.Parse(vendor + "/" + base)
	if err != nil {
		return "", problem.Wrap(err, problem.ErrBadPath, "%s", problem.Public(err))
	}
	return name, nil
}

// parseMetadata recognises p2/acme/demo.json and p2/acme/demo~dev.json. What cannot be a package's name is one that is not
// here, since Composer asks every repository for every name, and takes only a 404 for a no.
func parseMetadata(method string, segs []string, ops map[string]string) (q Request, err error) {
	base, ok := strings.CutSuffix(segs[2], ".json")
	if !ok {
		return q, noRoute()
	}
	base, q.Branches = strings.CutSuffix(base, "~dev")
	if q.Name, err = naming.Parse(segs[1] + "/" + base); err != nil {
		return q, noRoute()
	}
	return oneOf(method, ops, q)
}

// parseDist recognises dists/acme/demo/1.0.0.0/REFERENCE.zip; a version may have slashes.
func parseDist(method string, segs []string, ops map[string]string) (q Request, err error) {
	n := len(segs)
	if q.Name, err = takeName(segs[1], segs[2]); err != nil {
		return q, err
	}
	q.Version = strings.Join(segs[3:n-1], "/")
	ref, ok := strings.CutSuffix(segs[n-1], ".zip")
	if !ok || len(q.Version) > maxQueryText || strings.Trim(ref, "0123456789abcdef") != "" || ref == "" {
		return q, noRoute()
	}
	q.Reference = ref
	return oneOf(method, ops, q)
}

// parsePackage recognises what is below packages/: a package's page and settings, deletion, and the uploads of Nexus.
func parsePackage(method string, segs []string) (q Request, err error) {
	n := len(segs)
	if base, ok := strings.CutSuffix(segs[1], ".json"); ok && n == 2 {
		if q.Name, err = takeName(segs[0], base); err != nil {
			return q, err
		}
		return oneOf(method, map[string]string{http.MethodGet: opInfo}, q)
	}
	if segs[0] == "upload" && n >= 4 {
		q.Version = strings.Join(segs[3:], "/")
		if q.Name, err = takeName(segs[1], segs[2]); err != nil {
			return q, err
		}
		return oneOf(method, map[string]string{http.MethodPut: opUpload, http.MethodPost: opUpload}, q)
	}
	if q.Name, err = takeName(segs[0], segs[1]); err != nil {
		return q, err
	}
	switch {
	case n == 2:
		return oneOf(method, map[string]string{http.MethodDelete: opDelete}, q)
	case n == 3 && segs[2] == "settings":
		return oneOf(method, map[string]string{http.MethodGet: opSettings, http.MethodPut: opSettingsSet}, q)
	case n >= 4 && segs[2] == "versions":
		q.Version = strings.Join(segs[3:], "/")
		return oneOf(method, map[string]string{http.MethodDelete: opDeleteVersion}, q)
	}
	return q, noRoute()
}

// parseArtifact recognises the uploads of Artifactory: acme/demo/demo-1.0.0.zip, the version in a property or in the name.
func parseArtifact(method string, segs []string) (q Request, err error) {
	if q.Name, err = takeName(segs[0], segs[1]); err != nil {
		return q, err
	}
	file, matrix, _ := strings.Cut(segs[2], ";")
	for _, prefix := range []string{segs[0] + "-" + segs[1] + "-", segs[1] + "-"} {
		rest, ok := strings.CutPrefix(strings.TrimSuffix(file, ".zip"), prefix)
		// A file may be called anything: only what is a version says something.
		if _, isVersion := semver.Parse(rest); ok && isVersion {
			q.Version = rest
			break
		}
	}
	if v := property(matrix); v != "" {
		q.Version = v
	}
	return oneOf(method, map[string]string{http.MethodPut: opUpload}, q)
}

// cutProperties is a file name without the properties behind it: demo-1.0.zip;composer.version=1.0.
func cutProperties(file string) string {
	file, _, _ = strings.Cut(file, ";")
	return file
}

// property finds the version in a list of properties, "a=b;composer.version=1.0".
func property(list string) string {
	for p := range strings.FieldsFuncSeq(list, func(r rune) bool { return r == ';' || r == '|' }) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(p), "composer.version="); ok {
			return v
		}
	}
	return ""
}

// parseQuery reads the parameters the operation knows; others are ignored.
func (q *Request) parseQuery(v url.Values) error {
	q.Since = -1
	switch q.Op {
	case opPut, opUpload:
		return q.parseUpload(v)
	case opDelete, opDeleteVersion:
		q.Purge = flag(v.Get("purge"))
	case opList:
		q.Query, q.Vendor, q.Type, q.Fields = v.Get("filter"), strings.ToLower(v.Get("vendor")), strings.ToLower(v.Get("type")), nonEmpty(v["fields[]"])
	case opSearch:
		q.Query, q.Type, q.Tags = v.Get("q"), strings.ToLower(v.Get("type")), nonEmpty(append(v["tags"], v["tags[]"]...))
		return q.parsePage(v)
	case opAudit:
		q.Packages = packagesOf(v)
		return q.parseSince(v.Get("updatedSince"))
	case opChanges:
		return q.parseSince(v.Get("since"))
	}
	if len(q.Query) > maxQueryText || len(q.Fields) > 10 {
		return badPath("the query is too long")
	}
	return nil
}

func (q *Request) parseUpload(v url.Values) error {
	given := v.Get("version")
	if p := property(v.Get("properties")); p != "" {
		given = p
	}
	if given != "" && (q.Op == opPut || q.Version == "" || v.Get("properties") != "") {
		q.Version = given
	}
	q.Private = flag(v.Get("private"))
	q.Source = source{v.Get("src-type"), v.Get("src-url"), v.Get("src-ref")}
	for _, s := range []string{q.Version, q.Source.Type, q.Source.URL, q.Source.Reference} {
		if len(s) > maxQueryText {
			return badPath("a parameter has more than %d characters", maxQueryText)
		}
	}
	return nil
}

func flag(s string) bool { return s == "1" || s == "true" }

// nonEmpty is list without empty texts, nil when nothing is left.
func nonEmpty(list []string) (out []string) {
	for _, s := range list {
		if s != "" {
			out = append(out, s)
		}
	}
	return out
}

// packagesOf collects packages[], packages[0], packages[1] …, as PHP writes lists into forms; nil when there is none.
func packagesOf(v url.Values) []string {
	var out []string
	for key, list := range v {
		if index, ok := strings.CutPrefix(key, "packages["); ok && strings.HasSuffix(index, "]") {
			out = append(out, list...)
		}
	}
	slices.Sort(out)
	return slices.Compact(nonEmpty(out))
}

// parsePage reads page and size; a size above the cap is the cap.
func (q *Request) parsePage(v url.Values) error {
	if len(q.Query) > maxQueryText || len(q.Tags) > 20 {
		return badPath("the search is too long")
	}
	q.Page, q.Size = 1, defaultPageSize
	if err := wire.Number(v, "page", 1, &q.Page); err != nil {
		return err
	}
	if q.Page > maxPage {
		return badPath("page is more than %d", maxPage)
	}
	err := wire.Number(v, "per_page", 1, &q.Size)
	q.Size = min(q.Size, maxPageSize)
	return err
}

func (q *Request) parseSince(s string) error {
	if s == "" {
		return nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || n > maxTick {
		return badPath("%.40q is not a time", s)
	}
	q.Since = n
	return nil
}

// maxTick is beyond every time the feed can have.
const maxTick = int64(time.Hour/time.Second) * 24 * 366 * 10_000 * changesPerSecond

// link is the inverse of parse: the path, with escapes and query, below root.
func link(q Request) string {
	p := ""
	switch q.Op {
	case opMetadata:
		p = "/p2/" + q.Name
		if q.Branches {
			p += "~dev"
		}
		p += ".json"
	case opDist:
		p = distPath(q.Name, q.Version, q.Reference)
	case opProviders:
		p = "/providers/" + q.Name + ".json"
	case opInfo:
		p = "/packages/" + q.Name + ".json"
	case opDelete:
		p = "/packages/" + q.Name
	case opDeleteVersion:
		p = "/packages/" + q.Name + "/versions/" + escapeVersion(q.Version)
	case opSettings, opSettingsSet:
		p = "/packages/" + q.Name + "/settings"
	case opUpload:
		if p = "/packages/upload/" + q.Name + "/" + escapeVersion(q.Version); q.Version == "" {
			p = "/" + q.Name + "/any.zip"
		}
	case opRoot:
		p = "/packages.json"
	default:
		for _, row := range plain {
			if row.op == q.Op {
				p = "/" + row.path
			}
		}
	}
	if v := q.values(); len(v) > 0 {
		return root + p + "?" + v.Encode()
	}
	return root + p
}

// values is the inverse of parseQuery.
func (q Request) values() url.Values {
	v := url.Values{}
	set := func(key, value string) {
		if value != "" {
			v.Set(key, value)
		}
	}
	switch q.Op {
	case opPut, opUpload:
		if q.Op == opPut {
			set("version", q.Version)
		}
		set("src-type", q.Source.Type)
		set("src-url", q.Source.URL)
		set("src-ref", q.Source.Reference)
	case opList:
		set("filter", q.Query)
		set("vendor", q.Vendor)
		set("type", q.Type)
		v["fields[]"] = q.Fields
	case opSearch:
		set("q", q.Query)
		set("type", q.Type)
		v["tags[]"] = q.Tags
		set("page", strconv.Itoa(q.Page))
		set("per_page", strconv.Itoa(q.Size))
	case opAudit:
		v["packages[]"] = q.Packages
	}
	for key, on := range map[string]bool{"purge": q.Purge, "private": q.Private} {
		if on {
			v.Set(key, "1")
		}
	}
	if q.Since >= 0 {
		key := "since"
		if q.Op == opAudit {
			key = "updatedSince"
		}
		v.Set(key, strconv.FormatInt(q.Since, 10))
	}
	return v
}

// escapeVersion keeps the slashes of a branch.
func escapeVersion(version string) string {
	parts := strings.Split(version, "/")
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return strings.Join(parts, "/")
}

// distPath is the path of an archive below the base URL, as dist.url and lock files have it. It depends on name, version and
// bytes alone, and never changes.
func distPath(name, normalized, reference string) string {
	return "/dists/" + name + "/" + escapeVersion(normalized) + "/" + reference + ".zip"
}
