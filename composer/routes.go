package composer

// How paths and queries become requests, and back. Pure: no handler, no store, no clock. An escaped slash is a slash,
// and a version may have some.

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"larder/composer/names"
	"larder/composer/version"
	"larder/internal/problem"
	"larder/internal/route"
	"larder/internal/wire"
)

// root is where the handler sees itself; wire.Deps.Path is where clients do.
const root = "/composer"

const (
	maxPath          = 2048 // bytes, below root
	maxQueryText     = 512
	defaultPageSize  = 15
	maxPageSize      = 100
	maxListParameter = 1000 // names in one request
	maxPage          = 1_000_000
	changesPerSecond = 10_000 // ticks of the feed's clock
)

// maxTick is beyond every time the feed can have.
const maxTick = int64(time.Hour/time.Second) * 24 * 366 * 10_000 * changesPerSecond

// Request is a parsed request line. Which fields count depends on the operation.
type Request struct {
	Name      string // package, lower case; of composer.providers what is provided
	Branches  bool   // the document of branches is meant
	Version   string // as asked for; normalised in the paths of archives
	Reference string // of an archive
	Form      string // of an archive, as its name ends: "tar.gz"; "" is zip

	Query    string   // search text, or pattern of names
	Vendor   string   // of the names to list
	Type     string   // of the packages to find
	Tags     []string // that packages must have all
	Fields   []string // what to tell of the names listed
	Packages []string // to audit; nil when the request names none
	Page     int      // from 1
	Size     int      // of a page
	Since    int64    // Unix seconds, or ticks in composer.changes; -1 without
	Purge    bool     // delete the bytes as well
	Private  bool     // a package that is new is not for everybody
	Source   source   // where the archive was made from
}

// source says which state of a repository an archive was made from.
type source struct{ Type, URL, Reference string }

// grammar is what the fields of the routes mean.
var grammar = route.Grammar[Request]{
	Root:  root,
	Split: route.Split{EscapedSlash: route.EscapeCuts, MaxSegment: maxPath, MaxPath: maxPath},
	Start: Request{Since: -1},
	Fields: map[string]route.Field[Request]{
		"releases":   {Set: (*Request).setAsked, Get: func(q *Request) string { return q.asked(false) }},
		"branches":   {Set: (*Request).setBranches, Get: func(q *Request) string { return q.asked(true) }},
		"provided":   {Set: (*Request).setProvided, Get: func(q *Request) string { return q.Name }},
		"vendor":     {Set: (*Request).setVendor, Get: func(q *Request) string { return before(q.Name) }},
		"base":       {Set: (*Request).setBase, Get: func(q *Request) string { return after(q.Name) }},
		"normalized": {Set: (*Request).setNormalized, Get: (*Request).version},
		"archive":    {Set: (*Request).setArchive, Get: (*Request).archive, Absent: "archive not found"},
		"version":    {Set: (*Request).setVersion, Get: (*Request).version},
		"shown":      {Set: (*Request).setShown, Get: (*Request).version, Absent: "package or version not found"},
		"file":       {Set: func(_ *Request, file string) error { return otherUnless(cutForm(file) != file) }},
		"artifact":   {SetMany: (*Request).setArtifact, Get: (*Request).artifact},
	},
	Queries: map[string]route.Query[Request]{
		"composer.put":            {Parse: (*Request).parseUpload, Format: (*Request).formatUpload},
		"composer.upload":         {Parse: (*Request).parseUpload, Format: (*Request).formatUpload},
		"composer.version.delete": {Parse: (*Request).parsePurge, Format: (*Request).formatPurge},
		"composer.package.delete": {Parse: (*Request).parsePurge, Format: (*Request).formatPurge},
		"composer.list":           {Parse: (*Request).parseList, Format: (*Request).formatList},
		"composer.search":         {Parse: (*Request).parseSearch, Format: (*Request).formatSearch},
		"composer.audit":          {Parse: (*Request).parseAudit, Format: (*Request).formatAudit},
		"composer.changes":        {Parse: (*Request).parseChanges, Format: (*Request).formatChanges},
	},
}

// shortcut reads the paths of nearly every request without the table: documents of packages, and the root.
func shortcut(method, path string) (op string, q Request, ok bool) {
	q.Since = -1
	if method != http.MethodGet && method != http.MethodHead {
		return "", Request{}, false
	}
	if path == root+"/packages.json" {
		return "composer.root", q, true
	}
	rest, ok := strings.CutPrefix(path, root+"/p2/")
	name, isJSON := strings.CutSuffix(rest, ".json")
	if !ok || !isJSON || !names.IsPlain(strings.TrimSuffix(name, "~dev")) {
		return "", Request{}, false
	}
	q.Name, q.Branches = strings.CutSuffix(name, "~dev")
	return "composer.metadata", q, true
}

func badPath(format string, args ...any) error {
	return problem.Errorf(problem.ErrBadPath, format, args...)
}

// setAsked takes the name of a package whose metadata is asked for. What cannot be a name is a package that is not
// here: Composer asks every repository for every name, and takes only a 404 for a no.
func (q *Request) setAsked(v string) (err error) {
	if strings.IndexByte(v, '~') >= 0 {
		return route.ErrOther // of branches, which is asked for as often: no error with a text is made for it
	}
	if q.Name, err = names.Parse(v); err != nil {
		return route.ErrOther
	}
	return nil
}

func (q *Request) setBranches(v string) error {
	q.Branches = true
	return q.setAsked(v)
}

// asked is the name in a request for a document, that of branches or that of releases.
func (q *Request) asked(branches bool) string {
	if q.Branches != branches {
		return ""
	}
	return q.Name
}

func (q *Request) setProvided(v string) error {
	if !names.IsProvided(v) {
		return route.ErrOther
	}
	q.Name = strings.ToLower(v)
	return nil
}

func before(name string) string { vendor, _, _ := strings.Cut(name, "/"); return vendor }
func after(name string) string  { _, base, _ := strings.Cut(name, "/"); return base }

func (q *Request) setVendor(v string) error {
	q.Name = v
	return nil
}

// setBase takes the second half of a package's name.
func (q *Request) setBase(v string) error {
	name, err := names.Parse(q.Name + "/" + v)
	if err != nil {
		return problem.Wrap(err, problem.ErrBadPath, "%s", problem.Public(err))
	}
	q.Name = name
	return nil
}

func (q *Request) setVersion(v string) error {
	q.Version = v
	return nil
}

// version is the version with the slashes of a branch.
func (q *Request) version() string { return escapeVersion(q.Version) }

func (q *Request) setNormalized(v string) error {
	if len(v) > maxQueryText {
		return route.ErrOther
	}
	return q.setVersion(v)
}

// setShown takes a version to delete. Below packages/upload/acme/versions there is an upload.
func (q *Request) setShown(v string) error {
	if before(q.Name) == "upload" {
		return route.ErrOther
	}
	return q.setVersion(v)
}

// setArchive takes the last part of an archive's address, its reference and form.
func (q *Request) setArchive(v string) error {
	ref, form, _ := strings.Cut(v, ".")
	if _, known := mediaTypes[form]; !known || form == "" || ref == "" || strings.Trim(ref, "0123456789abcdef") != "" {
		return route.ErrOther
	}
	if form == formZip {
		form = ""
	}
	q.Reference, q.Form = ref, form
	return nil
}

// archive is the last part of an archive's address.
func (q *Request) archive() string {
	if q.Reference == "" {
		return ""
	}
	return q.Reference + "." + cmp.Or(q.Form, formZip)
}

// reserved are the vendors whose files cannot be uploaded as Artifactory has them: other addresses begin like that.
var reserved = []string{"p2", "packages", "providers"}

// setArtifact takes acme/demo/demo-1.0.0.zip, the version in a property or in the name.
func (q *Request) setArtifact(segs []string) error {
	if len(segs) != 3 || slices.Contains(reserved, segs[0]) {
		return route.ErrOther
	}
	// demo-1.0.zip;composer.version=1.0
	file, matrix, _ := strings.Cut(segs[2], ";")
	stem := cutForm(file)
	if stem == file {
		return route.ErrOther
	}
	q.Name = segs[0]
	if err := q.setBase(segs[1]); err != nil {
		return err
	}
	for _, prefix := range []string{segs[0] + "-" + segs[1] + "-", segs[1] + "-"} {
		rest, ok := strings.CutPrefix(stem, prefix)
		// A file may be called anything: only what is a version says something.
		if _, isVersion := version.Parse(rest); ok && isVersion {
			q.Version = rest
			break
		}
	}
	if v := property(matrix); v != "" {
		q.Version = v
	}
	return nil
}

// uploaded are the ends of the names of archives that can be uploaded.
var uploaded = []string{".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2"}

func otherUnless(ok bool) error {
	if !ok {
		return route.ErrOther
	}
	return nil
}

// cutForm is a file's name without the end that says that it is an archive.
func cutForm(file string) string {
	for _, end := range uploaded {
		if stem, ok := strings.CutSuffix(file, end); ok {
			return stem
		}
	}
	return file
}

// artifact is the address of an upload that says nothing of its version.
func (q *Request) artifact() string {
	if q.Version != "" {
		return ""
	}
	return q.Name + "/any.zip"
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

// parseUpload reads the parameters of an upload. A version in the address counts more than one that is a parameter, but
// less than a property.
func (q *Request) parseUpload(v url.Values) error {
	given := v.Get("version")
	if p := property(v.Get("properties")); p != "" {
		given = p
	}
	if given != "" && (q.Version == "" || v.Get("properties") != "") {
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

func (q *Request) formatUpload(v url.Values) {
	setText(v, "version", q.Version)
	setText(v, "src-type", q.Source.Type)
	setText(v, "src-url", q.Source.URL)
	setText(v, "src-ref", q.Source.Reference)
	setFlag(v, "private", q.Private)
}

func (q *Request) parsePurge(v url.Values) error {
	q.Purge = flag(v.Get("purge"))
	return nil
}

func (q *Request) formatPurge(v url.Values) { setFlag(v, "purge", q.Purge) }

func (q *Request) parseList(v url.Values) error {
	q.Query, q.Fields = v.Get("filter"), nonEmpty(v["fields[]"])
	q.Vendor, q.Type = strings.ToLower(v.Get("vendor")), strings.ToLower(v.Get("type"))
	if len(q.Query) > maxQueryText || len(q.Fields) > 10 {
		return badPath("the query is too long")
	}
	return nil
}

func (q *Request) formatList(v url.Values) {
	setText(v, "filter", q.Query)
	setText(v, "vendor", q.Vendor)
	setText(v, "type", q.Type)
	v["fields[]"] = q.Fields
}

// parseSearch reads a search with page and size; a size above the most is the most.
func (q *Request) parseSearch(v url.Values) error {
	q.Query, q.Type = v.Get("q"), strings.ToLower(v.Get("type"))
	q.Tags = nonEmpty(append(v["tags"], v["tags[]"]...))
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

func (q *Request) formatSearch(v url.Values) {
	setText(v, "q", q.Query)
	setText(v, "type", q.Type)
	v["tags[]"] = q.Tags
	v.Set("page", strconv.Itoa(q.Page))
	v.Set("per_page", strconv.Itoa(q.Size))
}

func (q *Request) parseAudit(v url.Values) error {
	q.Packages = packagesOf(v)
	return q.parseSince(v.Get("updatedSince"))
}

func (q *Request) formatAudit(v url.Values) {
	v["packages[]"] = q.Packages
	q.formatSince(v, "updatedSince")
}

func (q *Request) parseChanges(v url.Values) error { return q.parseSince(v.Get("since")) }

func (q *Request) formatChanges(v url.Values) { q.formatSince(v, "since") }

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

func (q *Request) formatSince(v url.Values, key string) {
	if q.Since >= 0 {
		v.Set(key, strconv.FormatInt(q.Since, 10))
	}
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

func setText(v url.Values, key, value string) {
	if value != "" {
		v.Set(key, value)
	}
}

func setFlag(v url.Values, key string, on bool) {
	if on {
		v.Set(key, "1")
	}
}

// escapeVersion keeps the slashes of a branch.
func escapeVersion(version string) string {
	parts := strings.Split(version, "/")
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return strings.Join(parts, "/")
}

// distPath is the path of an archive below the base URL, as dist.url and lock files have it. It depends on name,
// version and bytes alone, and never changes.
func distPath(name, normalized, reference, form string) string {
	return "/dists/" + name + "/" + fileOf(escapeVersion(normalized), reference, form)
}
