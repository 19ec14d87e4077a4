package npm

// The grammar of paths: no handler, no store, no clock in this file. Segments are split before they are decoded, and
// decoded once, because @acme/demo arrives as @acme/demo, @acme%2fdemo, @acme%2Fdemo and %40acme%2Fdemo.

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"larder/internal/problem"
	"larder/internal/wire"
	"larder/npm/account"
	"larder/npm/naming"
)

// root is where the handler sees itself; wire.Deps.Path is where clients do.
const root = "/npm"

// The operations. Their names are stable: the audit log and the metrics use them.
const (
	opRoot           = "npm.root"
	opPing           = "npm.ping"
	opPackument      = "npm.packument"
	opVersion        = "npm.version"
	opTarball        = "npm.tarball"
	opPut            = "npm.put"
	opPutRev         = "npm.put.rev"
	opUnpublish      = "npm.unpublish"
	opTarballDelete  = "npm.tarball.delete"
	opWhoami         = "npm.whoami"
	opLogin          = "npm.login"
	opUser           = "npm.user"
	opLogout         = "npm.logout"
	opWebLogin       = "npm.weblogin"
	opWebPage        = "npm.weblogin.page"
	opWebConfirm     = "npm.weblogin.confirm"
	opWebDone        = "npm.weblogin.done"
	opTokens         = "npm.tokens"
	opTokenCreate    = "npm.token.create"
	opTokenRevoke    = "npm.token.revoke"
	opProfile        = "npm.profile"
	opProfileSet     = "npm.profile.set"
	opTags           = "npm.tags"
	opTagSet         = "npm.tag.set"
	opTagDelete      = "npm.tag.delete"
	opSearch         = "npm.search"
	opAuditBulk      = "npm.audit.bulk"
	opAuditQuick     = "npm.audit.quick"
	opAdvisories     = "npm.advisories"
	opAdvisoriesSet  = "npm.advisories.set"
	opKeys           = "npm.keys"
	opAttestations   = "npm.attestations"
	opVisibility     = "npm.visibility"
	opCollaborators  = "npm.collaborators"
	opAccess         = "npm.access"
	opAccessSet      = "npm.access.set"
	opOwnerAdd       = "npm.owner.add"
	opOwnerRemove    = "npm.owner.remove"
	opUserPackages   = "npm.user.packages"
	opStar           = "npm.star"
	opUnstar         = "npm.unstar"
	opStarPing       = "npm.star.ping"
	opStarred        = "npm.starred"
	maxRev           = 128
	maxQueryText     = 512
	defaultPageSize  = 20
	maxPageSize      = 250
	maxLeadingPrefix = 8 // segments of a doubled base path
)

// fixed is one row of the paths below /-/. A segment in capitals stands for: PKG a package (one or two segments), REST
// anything, USER "org.couchdb.user:" and a name, TAG, ID, NAME a segment of that kind.
type fixed struct {
	method, path, op string
}

// meta is the table of all paths in the namespace "-", which no package can be called.
var meta = []fixed{
	{http.MethodGet, "ping", opPing},
	{http.MethodGet, "whoami", opWhoami},
	{http.MethodPut, "user/USER", opLogin},
	{http.MethodPut, "user/USER/-rev/REV", opLogin},
	{http.MethodGet, "user/USER", opUser},
	{http.MethodDelete, "user/token/ID", opLogout},
	{http.MethodPost, "v1/login", opWebLogin},
	{http.MethodGet, "v1/login/page/ID", opWebPage},
	{http.MethodPost, "v1/login/page/ID", opWebConfirm},
	{http.MethodGet, "v1/login/done/ID", opWebDone},
	{http.MethodGet, "npm/v1/tokens", opTokens},
	{http.MethodPost, "npm/v1/tokens", opTokenCreate},
	{http.MethodDelete, "npm/v1/tokens/token/ID", opTokenRevoke},
	{http.MethodGet, "npm/v1/user", opProfile},
	{http.MethodPost, "npm/v1/user", opProfileSet},
	{http.MethodGet, "package/PKG/dist-tags", opTags},
	{http.MethodPut, "package/PKG/dist-tags/TAG", opTagSet},
	{http.MethodPost, "package/PKG/dist-tags/TAG", opTagSet},
	{http.MethodDelete, "package/PKG/dist-tags/TAG", opTagDelete},
	{http.MethodGet, "v1/search", opSearch},
	{http.MethodPost, "npm/v1/security/advisories/bulk", opAuditBulk},
	{http.MethodPost, "npm/v1/security/audits/quick", opAuditQuick},
	{http.MethodPost, "npm/v1/security/audits", opAuditQuick},
	{http.MethodGet, "larder/advisories", opAdvisories},
	{http.MethodPut, "larder/advisories", opAdvisoriesSet},
	{http.MethodGet, "npm/v1/keys", opKeys},
	{http.MethodGet, "npm/v1/attestations/SPEC", opAttestations},
	{http.MethodGet, "package/PKG/visibility", opVisibility},
	{http.MethodGet, "package/PKG/collaborators", opCollaborators},
	{http.MethodGet, "package/PKG/access", opAccess},
	{http.MethodPost, "package/PKG/access", opAccessSet},
	{http.MethodPut, "package/PKG/owners", opOwnerAdd},
	{http.MethodDelete, "package/PKG/owners/NAME", opOwnerRemove},
	{http.MethodGet, "user/NAME/package", opUserPackages},
	{http.MethodPut, "user/v1/star", opStarPing},
	{http.MethodPut, "user/package/PKG/star", opStar},
	{http.MethodDelete, "user/package/PKG/star", opUnstar},
	{http.MethodGet, "_view/starredByUser", opStarred},
}

// Request is a parsed request line. Which fields count depends on the operation.
type Request struct {
	Op      string
	Name    string // package, scope included
	Version string // version, or dist-tag, as asked for
	File    string // tarball, without scope
	Rev     string // ?rev path segment, compared by the handler
	User    string
	Tag     string
	ID      string // login session, or token

	Write bool   // ?write=true: the client is about to change what it reads
	Query string // search text, or user of starredByUser
	From  int    // search offset
	Size  int    // page size
}

// parse reads a request line. Its error wraps problem.ErrBadPath, problem.ErrNoRoute or problem.ErrMethod.
func parse(method, escapedPath string, query url.Values) (string, Request, error) {
	segs, err := splitPath(escapedPath)
	if err != nil {
		return "", Request{}, err
	}
	if method == http.MethodHead {
		method = http.MethodGet
	}
	var q Request
	switch {
	case len(segs) == 0:
		q, err = oneOf(method, map[string]string{http.MethodGet: opRoot}, Request{})
	case segs[0] == "-":
		q, err = parseMeta(method, segs[1:])
	default:
		q, err = parsePackage(method, segs)
	}
	if err == nil {
		err = q.parseQuery(query)
	}
	return q.Op, q, err
}

func noRoute() error { return problem.Errorf(problem.ErrNoRoute, "this registry has no such address") }

func badPath(format string, args ...any) error {
	return problem.Errorf(problem.ErrBadPath, format, args...)
}

// splitPath cuts the root off and decodes the segments. One slash at the end is forgiven.
func splitPath(escaped string) ([]string, error) {
	rest, ok := strings.CutPrefix(escaped, root)
	if !ok || rest != "" && rest[0] != '/' {
		return nil, noRoute()
	}
	rest = strings.TrimSuffix(strings.TrimPrefix(rest, "/"), "/")
	if rest == "" {
		return nil, nil
	}
	segs := strings.Split(rest, "/")
	for i, s := range segs {
		d, err := url.PathUnescape(s)
		if err != nil || d == "" || d == "." || d == ".." || strings.ContainsAny(d, "\\\x00") || len(d) > 1024 {
			return nil, badPath("the path is malformed")
		}
		segs[i] = d
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

// takeName takes a package's name, one segment or two, off the front.
func takeName(segs []string) (name string, rest []string, err error) {
	if len(segs) == 0 {
		return "", nil, noRoute()
	}
	name, rest = segs[0], segs[1:]
	if strings.HasPrefix(name, "@") && !strings.Contains(name, "/") {
		if len(rest) == 0 {
			return "", nil, noRoute()
		}
		name, rest = name+"/"+rest[0], rest[1:]
	}
	if strings.Contains(name, "/") && !strings.HasPrefix(name, "@") {
		return "", nil, badPath("the package name is malformed")
	}
	if err := naming.Check(name); err != nil {
		return "", nil, problem.Wrap(err, problem.ErrBadPath, "%s", problem.Public(err))
	}
	return name, rest, nil
}

// parsePackage recognises the paths of a package and its files.
func parsePackage(method string, segs []string) (Request, error) {
	if q, ok := parseDoubled(method, segs); ok {
		return q, nil
	}
	name, rest, err := takeName(segs)
	if err != nil {
		return Request{}, err
	}
	q := Request{Name: name}
	switch {
	case len(rest) == 0:
		return oneOf(method, map[string]string{http.MethodGet: opPackument, http.MethodPut: opPut}, q)
	case rest[0] == "-rev" && len(rest) == 2:
		q.Rev = rest[1][:min(len(rest[1]), maxRev)]
		return oneOf(method, map[string]string{http.MethodPut: opPutRev, http.MethodDelete: opUnpublish}, q)
	case rest[0] == "-":
		return parseFile(method, q, rest[1:])
	case len(rest) == 1:
		q.Version = rest[0]
		return oneOf(method, map[string]string{http.MethodGet: opVersion}, q)
	}
	return q, noRoute()
}

// parseFile recognises tarballs: file, or scope and file as some clients wrote into lockfiles.
func parseFile(method string, q Request, rest []string) (Request, error) {
	ops := map[string]string{http.MethodGet: opTarball}
	if n := len(rest); n >= 3 && rest[n-2] == "-rev" {
		q.Rev, rest = rest[n-1], rest[:n-2]
		q.Rev = q.Rev[:min(len(q.Rev), maxRev)]
		ops = map[string]string{http.MethodDelete: opTarballDelete}
	}
	scope, _ := naming.Split(q.Name)
	if len(rest) == 2 && rest[0] == scope && scope != "" {
		rest = rest[1:]
	}
	if len(rest) != 1 {
		return q, noRoute()
	}
	q.File = rest[0]
	if scope != "" {
		q.File = strings.TrimPrefix(q.File, scope+"/")
	}
	if err := naming.CheckFile(q.File); err != nil {
		return q, err
	}
	return oneOf(method, ops, q)
}

// parseDoubled recognises the last step of npm's unpublish, which repeats the registry's own path when a scope has a
// registry of its own: /npm/npm/@acme/demo/-/demo-1.0.0.tgz/-rev/1-abc. The name is read from the right.
func parseDoubled(method string, segs []string) (Request, bool) {
	n := len(segs)
	i := slices.Index(segs, "-")
	if method != http.MethodDelete || n < 5 || i < 2 || i > maxLeadingPrefix || segs[n-2] != "-rev" {
		return Request{}, false
	}
	at := i - 1
	if strings.HasPrefix(segs[i-2], "@") && !strings.Contains(segs[at], "/") {
		at--
	}
	if at == 0 {
		return Request{}, false
	}
	name, rest, err := takeName(segs[at:])
	if err != nil || len(rest) == 0 || rest[0] != "-" {
		return Request{}, false
	}
	q, err := parseFile(method, Request{Name: name}, rest[1:])
	return q, err == nil
}

// parseMeta recognises the namespace "-".
func parseMeta(method string, segs []string) (Request, error) {
	var allow []string
	for _, row := range meta {
		q, ok, err := matchMeta(row.path, segs)
		if err != nil {
			return q, err
		}
		if ok && row.method == method {
			q.Op = row.op
			return q, nil
		}
		if ok {
			allow = append(allow, row.method)
		}
	}
	if len(allow) > 0 {
		return Request{}, notAllowed(allow)
	}
	return Request{}, noRoute()
}

// matchMeta compares segments with a row of the table.
func matchMeta(path string, segs []string) (q Request, ok bool, err error) {
	for want := range strings.SplitSeq(path, "/") {
		if len(segs) == 0 {
			return q, false, nil
		}
		seg := segs[0]
		switch want {
		case "PKG":
			name, rest, err := takeName(segs)
			if err != nil || len(rest) == 0 {
				return q, false, nil
			}
			q.Name, segs = name, rest
			continue
		case "SPEC":
			return matchSpec(q, segs)
		case "USER":
			if q.User, ok = strings.CutPrefix(seg, account.UserPrefix); !ok {
				return q, false, nil
			}
		case "NAME":
			q.User = seg
		case "TAG":
			q.Tag = seg
		case "ID":
			q.ID = seg
		case "REV":
			q.Rev = seg[:min(len(seg), maxRev)]
		default:
			if seg != want {
				return q, false, nil
			}
		}
		segs = segs[1:]
	}
	return q, len(segs) == 0, nil
}

// matchSpec reads name@version.
func matchSpec(q Request, segs []string) (Request, bool, error) {
	spec := strings.Join(segs, "/")
	i := strings.LastIndexByte(spec, '@')
	if i <= 0 || len(segs) > 2 {
		return q, false, nil
	}
	q.Name, q.Version = spec[:i], spec[i+1:]
	if err := naming.Check(q.Name); err != nil || q.Version == "" || strings.Contains(q.Version, "/") {
		return q, false, badPath("%.80q is not name@version", spec)
	}
	return q, true, nil
}

// parseQuery reads the parameters the operation knows; others are ignored.
func (q *Request) parseQuery(v url.Values) error {
	switch q.Op {
	case opPackument:
		q.Write = v.Get("write") == "true"
	case opStarred:
		q.Query = strings.Trim(v.Get("key"), `"`)
	case opTokens:
		return q.parsePage(v, "page", "perPage", 1000, 1000)
	case opSearch:
		q.Query = v.Get("text")
		if len(q.Query) > maxQueryText {
			return badPath("the search text has more than %d bytes", maxQueryText)
		}
		return q.parsePage(v, "from", "size", defaultPageSize, maxPageSize)
	}
	return nil
}

// parsePage reads offset and size; a size above the cap is the cap.
func (q *Request) parsePage(v url.Values, from, size string, usual, most int) error {
	q.Size = usual
	if err := wire.Number(v, from, 0, &q.From); err != nil {
		return err
	}
	err := wire.Number(v, size, 0, &q.Size)
	q.Size = min(q.Size, most)
	return err
}

// link is the inverse of parse: the path, with escapes and query, below root.
func link(q Request) string {
	name := escapeName(q.Name)
	v := url.Values{}
	p := ""
	switch q.Op {
	case opRoot:
		p = "/"
	case opPackument:
		p = "/" + name
		if q.Write {
			v.Set("write", "true")
		}
	case opPut:
		p = "/" + name
	case opVersion:
		p = "/" + name + "/" + url.PathEscape(q.Version)
	case opTarball:
		p = "/" + q.Name + "/-/" + url.PathEscape(q.File)
	case opTarballDelete:
		p = "/" + name + "/-/" + url.PathEscape(q.File) + "/-rev/" + url.PathEscape(q.Rev)
	case opPutRev, opUnpublish:
		p = "/" + name + "/-rev/" + url.PathEscape(q.Rev)
	default:
		p = "/-/" + q.metaPath(name)
	}
	switch q.Op {
	case opSearch:
		v.Set("text", q.Query)
		v.Set("from", strconv.Itoa(q.From))
		v.Set("size", strconv.Itoa(q.Size))
	case opTokens:
		v.Set("page", strconv.Itoa(q.From))
		v.Set("perPage", strconv.Itoa(q.Size))
	case opStarred:
		v.Set("key", q.Query)
	}
	if len(v) == 0 {
		return root + p
	}
	return root + p + "?" + v.Encode()
}

// metaPath fills in the row of the operation.
func (q Request) metaPath(name string) string {
	for _, row := range meta {
		if row.op != q.Op || q.Rev != "" && !strings.Contains(row.path, "REV") {
			continue
		}
		segs := strings.Split(row.path, "/")
		for i, s := range segs {
			switch s {
			case "PKG":
				segs[i] = name
			case "SPEC":
				segs[i] = name + "@" + url.PathEscape(q.Version)
			case "USER":
				segs[i] = account.UserPrefix + url.PathEscape(q.User)
			case "NAME":
				segs[i] = url.PathEscape(q.User)
			case "TAG":
				segs[i] = url.PathEscape(q.Tag)
			case "ID":
				segs[i] = url.PathEscape(q.ID)
			case "REV":
				segs[i] = url.PathEscape(q.Rev)
			}
		}
		return strings.Join(segs, "/")
	}
	return ""
}

// escapeName is a name as clients send it: the slash of a scope escaped, the at sign not.
func escapeName(name string) string {
	return strings.Replace(name, "/", "%2f", 1)
}

// tarballPath is the path of a version's tarball below the base URL, as dist.tarball and lockfiles have it.
func tarballPath(name, file string) string { return "/" + name + "/-/" + file }
