package rubygems

// The grammar of paths: no handler, no store, no clock in this file. Empty segments count as none: gem push with a --host
// that ends in a slash asks for //api/v1/gems, and would take a redirect for the end of its work.

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"larder/internal/gemspec"
	"larder/internal/problem"
	"larder/rubygems/naming"
)

// root is where the handler sees itself; wire.Deps.Path is where clients do.
const root = "/rubygems"

// The operations. Their names are stable: the audit log and the metrics use them.
const (
	opRoot         = "rubygems.root"
	opVersions     = "rubygems.versions"
	opNames        = "rubygems.names"
	opInfo         = "rubygems.info"
	opSpecs        = "rubygems.specs"
	opQuick        = "rubygems.gemspec"
	opGem          = "rubygems.download"
	opDependencies = "rubygems.dependencies"
	opPush         = "rubygems.push"
	opYank         = "rubygems.yank"
	opUnyank       = "rubygems.unyank"
	opRestore      = "rubygems.restore"
	opShow         = "rubygems.show"
	opOwn          = "rubygems.own"
	opReleases     = "rubygems.releases"
	opLatest       = "rubygems.latest"
	opRelease      = "rubygems.release"
	opSearch       = "rubygems.search"
	opTimeframe    = "rubygems.timeframe"
	opNewGems      = "rubygems.activity.latest"
	opUpdated      = "rubygems.activity.updated"
	opAttestations = "rubygems.attestations"
	opOwners       = "rubygems.owners"
	opOwnerAdd     = "rubygems.owner.add"
	opOwnerRemove  = "rubygems.owner.remove"
	opOwnerChange  = "rubygems.owner.change"
	opKeyCreate    = "rubygems.key.create"
	opKeyChange    = "rubygems.key.change"
	opKeyShow      = "rubygems.key"
	opProfile      = "rubygems.profile"
	opWebAuthn     = "rubygems.webauthn"
	opCompact      = "rubygems.compact"
)

// Words in capitals stand for a value in a segment: NAME a gem, FULL a version in a file's name, VERSION a number, FORM json
// or yaml, INDEX one of the Marshal indexes.
var placeholders = []string{"NAME", "FULL", "VERSION", "FORM", "INDEX"}

// fixed is one row of the table of paths.
type fixed struct {
	method, path, op string
}

// table is everything below the base path. The first row that fits counts.
var table = []fixed{
	{http.MethodGet, "", opRoot},
	{http.MethodGet, "versions", opVersions},
	{http.MethodGet, "names", opNames},
	{http.MethodGet, "info/NAME", opInfo},
	{http.MethodGet, "INDEX.4.8.gz", opSpecs},
	{http.MethodGet, "quick/Marshal.4.8/FULL.gemspec.rz", opQuick},
	{http.MethodGet, "gems/FULL.gem", opGem},
	{http.MethodGet, "api/v1/dependencies", opDependencies},
	{http.MethodGet, "api/v1/dependencies.FORM", opDependencies},
	{http.MethodPost, "api/v1/gems", opPush},
	{http.MethodDelete, "api/v1/gems/yank", opYank},
	{http.MethodPut, "api/v1/gems/unyank", opUnyank},
	{http.MethodPost, "api/v1/gems/restore", opRestore},
	{http.MethodGet, "api/v1/gems.json", opOwn},
	{http.MethodGet, "api/v1/gems/NAME.json", opShow},
	{http.MethodGet, "api/v1/gems/NAME/owners.FORM", opOwners},
	{http.MethodPost, "api/v1/gems/NAME/owners", opOwnerAdd},
	{http.MethodDelete, "api/v1/gems/NAME/owners", opOwnerRemove},
	{http.MethodPatch, "api/v1/gems/NAME/owners", opOwnerChange},
	{http.MethodGet, "api/v1/versions/NAME/latest.json", opLatest},
	{http.MethodGet, "api/v1/versions/NAME.json", opReleases},
	{http.MethodGet, "api/v2/rubygems/NAME/versions/VERSION.json", opRelease},
	{http.MethodGet, "api/v1/search.json", opSearch},
	{http.MethodGet, "api/v1/timeframe_versions.json", opTimeframe},
	{http.MethodGet, "api/v1/activity/latest.json", opNewGems},
	{http.MethodGet, "api/v1/activity/just_updated.json", opUpdated},
	{http.MethodGet, "api/v1/attestations/FULL.json", opAttestations},
	{http.MethodPost, "api/v1/api_key", opKeyCreate},
	{http.MethodPut, "api/v1/api_key", opKeyChange},
	{http.MethodGet, "api/v1/api_key", opKeyShow},
	{http.MethodGet, "api/v1/api_key.FORM", opKeyShow},
	{http.MethodGet, "api/v1/profile/me.FORM", opProfile},
	{http.MethodPost, "api/v1/webauthn_verification", opWebAuthn},
	{http.MethodPost, "api/v1/larder/compact", opCompact},
}

// The Marshal indexes.
const (
	indexReleases    = "specs"
	indexLatest      = "latest_specs"
	indexPrereleases = "prerelease_specs"
)

// Request is a parsed request line. Which fields count depends on the operation.
type Request struct {
	Op       string
	Name     string // gem
	Full     string // name and version as in the name of a file
	Version  string // number
	Platform string
	Form     string // json or yaml
	Index    string

	Query    string // search text
	Page     int    // from 1
	From, To time.Time
}

const (
	maxQuery  = 512
	pageSize  = 30
	maxPage   = 10_000
	maxWindow = 7 * 24 * time.Hour // of timeframe_versions, as upstream
)

// parse reads a request line. Its error wraps problem.ErrBadPath, problem.ErrNoRoute or problem.ErrMethod.
func parse(method, escapedPath string, query url.Values) (string, Request, error) {
	segs, err := splitPath(escapedPath)
	if err != nil {
		return "", Request{}, err
	}
	if method == http.MethodHead {
		method = http.MethodGet
	}
	var allow []string
	for _, row := range table {
		q, ok := row.match(segs)
		switch {
		case !ok:
		case row.method == method:
			q.Op = row.op
			err := q.parseQuery(query)
			return q.Op, q, err
		default:
			allow = append(allow, row.method)
		}
	}
	if len(allow) == 0 {
		return "", Request{}, problem.Errorf(problem.ErrNoRoute, "This registry has no such address.")
	}
	if slices.Contains(allow, http.MethodGet) {
		allow = append(allow, http.MethodHead)
	}
	slices.Sort(allow)
	return "", Request{}, problem.NotAllowed(slices.Compact(allow)...)
}

func badPath(format string, args ...any) error {
	return problem.Errorf(problem.ErrBadPath, format, args...)
}

// splitPath cuts the root off and decodes the segments.
func splitPath(escaped string) ([]string, error) {
	rest, ok := strings.CutPrefix(escaped, root)
	if !ok || rest != "" && rest[0] != '/' {
		return nil, problem.Errorf(problem.ErrNoRoute, "This registry has no such address.")
	}
	var segs []string
	for s := range strings.SplitSeq(rest, "/") {
		if s == "" {
			continue
		}
		d, err := url.PathUnescape(s)
		if err != nil || d == "." || d == ".." || strings.ContainsAny(d, "/\\\x00") || len(d) > 1024 {
			return nil, badPath("The path is malformed.")
		}
		segs = append(segs, d)
	}
	return segs, nil
}

// match compares segments with the row.
func (row fixed) match(segs []string) (q Request, ok bool) {
	want := strings.Split(row.path, "/")
	if row.path == "" {
		want = nil
	}
	if len(want) != len(segs) {
		return q, false
	}
	for i, w := range want {
		before, word, after := cutPlaceholder(w)
		value, ok := strings.CutPrefix(segs[i], before)
		if ok {
			value, ok = strings.CutSuffix(value, after)
		}
		if !ok || !q.take(word, value) {
			return q, false
		}
	}
	return q, true
}

func cutPlaceholder(s string) (before, word, after string) {
	for _, p := range placeholders {
		if before, after, ok := strings.Cut(s, p); ok {
			return before, p, after
		}
	}
	return s, "", ""
}

// take puts a value where its placeholder says; false if it can be none of that sort.
func (q *Request) take(word, value string) bool {
	switch word {
	case "":
		return value == ""
	case "NAME":
		q.Name = value
		return naming.CheckName(value) == nil
	case "FULL":
		q.Full = value
		return naming.IsFullName(value)
	case "VERSION":
		q.Version = value
		return gemspec.IsVersion(value)
	case "FORM":
		q.Form = value
		return value == "json" || value == "yaml"
	}
	q.Index = value
	return value == indexReleases || value == indexLatest || value == indexPrereleases
}

// parseQuery reads the parameters the operation knows; others are ignored. Keys are never read from here: addresses end
// up in logs.
func (q *Request) parseQuery(v url.Values) error {
	switch q.Op {
	case opRelease:
		if q.Platform = v.Get("platform"); q.Platform != "" {
			return naming.CheckPlatform(q.Platform)
		}
		return nil
	case opTimeframe:
		if err := q.parseWindow(v); err != nil {
			return err
		}
	case opSearch:
		if q.Query = cmp.Or(v.Get("query"), v.Get("q")); len(q.Query) > maxQuery {
			return badPath("The search text has more than %d bytes.", maxQuery)
		}
	default:
		return nil
	}
	q.Page = 1
	if p := v.Get("page"); p != "" {
		n, err := strconv.Atoi(p)
		if err != nil || n < 1 || n > maxPage {
			return badPath("page is not a number from 1 to %d.", maxPage)
		}
		q.Page = n
	}
	return nil
}

// parseWindow reads from and to; without to it ends a week later.
func (q *Request) parseWindow(v url.Values) (err error) {
	if q.From, err = time.Parse(time.RFC3339, v.Get("from")); err != nil {
		return badPath("from is not a time such as 2026-01-31T00:00:00Z.")
	}
	q.From = q.From.UTC()
	q.To = q.From.Add(maxWindow)
	if to := v.Get("to"); to != "" {
		if q.To, err = time.Parse(time.RFC3339, to); err != nil {
			return badPath("to is not a time such as 2026-01-31T00:00:00Z.")
		}
		q.To = q.To.UTC()
	}
	if q.To.Before(q.From) || q.To.Sub(q.From) > maxWindow {
		return badPath("The time from from to to is more than seven days, or less than none.")
	}
	return nil
}

// link is the inverse of parse: the path, with escapes and query, below root.
func link(q Request) string {
	v := url.Values{}
	switch q.Op {
	case opRelease:
		if q.Platform != "" {
			v.Set("platform", q.Platform)
		}
	case opTimeframe:
		v.Set("from", q.From.Format(time.RFC3339Nano))
		v.Set("to", q.To.Format(time.RFC3339Nano))
	case opSearch:
		v.Set("query", q.Query)
	}
	if q.Page > 0 {
		v.Set("page", strconv.Itoa(q.Page))
	}
	p := root + "/" + q.path()
	if len(v) == 0 {
		return p
	}
	return p + "?" + v.Encode()
}

// path fills in the row of the operation.
func (q Request) path() string {
	values := map[string]string{"NAME": q.Name, "FULL": q.Full, "VERSION": q.Version, "FORM": q.Form, "INDEX": q.Index}
	for _, row := range table {
		if row.op != q.Op || (q.Form != "") != strings.Contains(row.path, "FORM") {
			continue
		}
		segs := strings.Split(row.path, "/")
		for i, s := range segs {
			if before, word, after := cutPlaceholder(s); word != "" {
				segs[i] = before + url.PathEscape(values[word]) + after
			}
		}
		return strings.Join(segs, "/")
	}
	return ""
}
