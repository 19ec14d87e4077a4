package npm

// How paths and queries become requests, and back. Pure: no handler, no store, no clock. A package arrives as
// @acme/demo, @acme%2fdemo, @acme%2Fdemo and %40acme%2Fdemo.

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"larder/internal/problem"
	"larder/internal/route"
	"larder/internal/wire"
	"larder/npm/names"
)

// root is where the handler sees itself; wire.Deps.Path is where clients do.
const root = "/npm"

const (
	maxRev          = 128
	maxQueryText    = 512
	defaultPageSize = 20
	maxPageSize     = 250
	maxTokens       = 1000 // on a page
	maxBulk         = 128  // packages in one question for downloads, as at the public registry
)

// Request is a parsed request line. Which fields count depends on the operation.
type Request struct {
	Name    string // package, scope included
	Version string // version, or dist-tag, as asked for
	File    string // tarball, without scope
	Rev     string // revision, compared by the handler
	User    string
	Tag     string
	Period  string   // last-week, a day, or two with a colon between them
	Names   []string // packages, at least two
	ID      string   // login session, token, or a tarball's sum at GitHub Packages, which is not looked at

	Write bool   // ?write=true: the client is about to change what it reads
	Query string // search text, or user of starredByUser
	From  int    // search offset
	Size  int    // page size
}

// grammar is what the fields of the routes mean.
var grammar = route.Grammar[Request]{
	Root:  root,
	Split: route.Split{EscapedSlash: route.EscapeKept},
	Fields: map[string]route.Field[Request]{
		"pkg":   {SetMany: (*Request).setName, Get: func(q *Request) string { return escapeName(q.Name) }},
		"spec":  {Set: (*Request).setSpec, Get: (*Request).spec, Absent: "version not found"},
		"list":  {SetMany: (*Request).setNames, Get: func(q *Request) string { return strings.Join(q.Names, ",") }},
		"path":  {SetMany: (*Request).setName, Get: func(q *Request) string { return q.Name }},
		"any":   {SetMany: (*Request).setLastName, Get: func(q *Request) string { return escapeName(q.Name) }},
		"scope": {Set: (*Request).checkScope},
		"file": {
			Set: (*Request).setFile, Get: func(q *Request) string { return url.PathEscape(q.File) }, Absent: "file not found",
		},
		"version": text(func(q *Request) *string { return &q.Version }, "version not found"),
		"tag":     text(func(q *Request) *string { return &q.Tag }, "package, version or dist-tag not found"),
		"user":    text(func(q *Request) *string { return &q.User }, "package or user not found"),
		"owner":   text(func(q *Request) *string { return &q.User }, ""),
		"token":   text(func(q *Request) *string { return &q.ID }, "token not found"),
		"release": {
			Set: func(q *Request, v string) error {
				if q.Version = v; v[0] == '@' {
					return route.ErrOther // a scope that is not the package's
				}
				return nil
			},
			Get: func(q *Request) string { return url.PathEscape(q.Version) }, Absent: "version not found",
		},
		"period": {
			Set: func(q *Request, v string) error {
				if q.Period = v; !isPeriod(v) {
					return route.ErrOther
				}
				return nil
			},
			Get: func(q *Request) string { return q.Period },
		},
		"sum":   text(func(q *Request) *string { return &q.ID }, "file not found"),
		"login": text(func(q *Request) *string { return &q.ID }, "this login has expired; start again"),
		"rev":   {Set: (*Request).setRev, Get: func(q *Request) string { return url.PathEscape(q.Rev) }},
	},
	Queries: map[string]route.Query[Request]{
		"npm.packument": {Parse: (*Request).parseWrite, Format: (*Request).formatWrite},
		"npm.starred":   {Parse: (*Request).parseKey, Format: func(q *Request, v url.Values) { v.Set("key", q.Query) }},
		"npm.tokens":    page("page", "perPage", "", maxTokens, maxTokens),
		"npm.search":    page("from", "size", "text", defaultPageSize, maxPageSize),
	},
}

// shortcut reads the paths of nearly every request without the table: packages and tarballs, without escapes but that
// of a scope's slash.
func shortcut(method, path string) (op string, q Request, ok bool) {
	rest, ok := strings.CutPrefix(path, root+"/")
	if !ok || method != http.MethodGet && method != http.MethodHead {
		return "", q, false
	}
	op = "npm.packument"
	q.Name = rest
	if name, file, cut := strings.Cut(rest, "/-/"); cut {
		op = "npm.tarball"
		q.Name, q.File = name, file
		if names.CheckFile(file) != nil || file == "." || file == ".." {
			return "", Request{}, false
		}
	}
	if i := strings.IndexByte(q.Name, '%'); i > 0 {
		if escape := q.Name[i:]; len(escape) < 3 || escape[1] != '2' || escape[2]|0x20 != 'f' {
			return "", Request{}, false
		}
		q.Name = q.Name[:i] + "/" + q.Name[i+3:]
	}
	return op, q, q.Name != "-" && names.Check(q.Name) == nil
}

// text is a field that takes any value.
func text(at func(*Request) *string, absent string) route.Field[Request] {
	return route.Field[Request]{
		Set:    func(q *Request, v string) error { *at(q) = v; return nil },
		Get:    func(q *Request) string { return url.PathEscape(*at(q)) },
		Absent: absent,
	}
}

// page reads an offset, a size and, if words is not empty, a text. A size above the most is the most.
func page(from, size, words string, usual, most int) route.Query[Request] {
	return route.Query[Request]{
		Parse: func(q *Request, v url.Values) error {
			if words != "" {
				q.Query = v.Get(words)
			}
			if len(q.Query) > maxQueryText {
				return badPath("the search text has more than %d bytes", maxQueryText)
			}
			q.Size = usual
			err := errors.Join(wire.Number(v, from, 0, &q.From), wire.Number(v, size, 0, &q.Size))
			q.Size = min(q.Size, most)
			return err
		},
		Format: func(q *Request, v url.Values) {
			v.Set(from, strconv.Itoa(q.From))
			v.Set(size, strconv.Itoa(q.Size))
			if words != "" {
				v.Set(words, q.Query)
			}
		},
	}
}

func badPath(format string, args ...any) error {
	return problem.Errorf(problem.ErrBadPath, format, args...)
}

// setName takes a package: one segment, or two of which the first begins with @.
func (q *Request) setName(segs []string) error {
	name := segs[0]
	switch {
	case len(segs) == 2 && name[0] == '@' && !strings.Contains(name, "/"):
		name += "/" + segs[1]
	case len(segs) > 1 || name == "-" || name[0] == '@' && !strings.Contains(name, "/"):
		return route.ErrOther
	case name[0] != '@' && strings.Contains(name, "/"):
		return badPath("the package name is malformed")
	}
	if err := names.Check(name); err != nil {
		return problem.Wrap(err, problem.ErrBadPath, "%s", problem.Public(err))
	}
	q.Name = name
	return nil
}

// setNames takes packages with commas between them.
func (q *Request) setNames(segs []string) error {
	list := strings.Split(strings.Join(segs, "/"), ",")
	if len(list) < 2 {
		return route.ErrOther
	}
	if len(list) > maxBulk {
		return badPath("more than %d packages are asked for at once", maxBulk)
	}
	for _, name := range list {
		if err := names.Check(name); err != nil {
			return problem.Wrap(err, problem.ErrBadPath, "%s", problem.Public(err))
		}
	}
	q.Names = list
	return nil
}

// setLastName takes the package at the end of a path that is longer: of one that repeats the registry's
// own, as the last step of npm's unpublish does when a scope has a registry of its own
// (npm/npm/@acme/demo), and of another registry's.
func (q *Request) setLastName(segs []string) error {
	n := len(segs)
	if n >= 2 && segs[n-2][0] == '@' && !strings.Contains(segs[n-2], "/") {
		return q.setName(segs[n-2:])
	}
	return q.setName(segs[n-1:])
}

// checkScope takes the scope that some clients wrote into lockfiles once more before the file.
func (q *Request) checkScope(v string) error {
	if scope, _ := names.Split(q.Name); scope == "" || scope != v {
		return route.ErrOther
	}
	return nil
}

func (q *Request) setFile(v string) error {
	if scope, _ := names.Split(q.Name); scope != "" {
		v = strings.TrimPrefix(v, scope+"/")
	}
	q.File = v
	return names.CheckFile(v)
}

func (q *Request) setRev(v string) error {
	q.Rev = v[:min(len(v), maxRev)]
	return nil
}

// setSpec takes name@version.
func (q *Request) setSpec(spec string) error {
	i := strings.LastIndexByte(spec, '@')
	if i <= 0 {
		return route.ErrOther
	}
	q.Name, q.Version = spec[:i], spec[i+1:]
	if err := names.Check(q.Name); err != nil || q.Version == "" || strings.Contains(q.Version, "/") {
		return badPath("%.80q is not name@version", spec)
	}
	return nil
}

func (q *Request) spec() string { return escapeName(q.Name) + "@" + url.PathEscape(q.Version) }

func (q *Request) parseWrite(v url.Values) error {
	q.Write = v.Get("write") == "true"
	return nil
}

func (q *Request) formatWrite(v url.Values) {
	if q.Write {
		v.Set("write", "true")
	}
}

func (q *Request) parseKey(v url.Values) error {
	q.Query = strings.Trim(v.Get("key"), `"`)
	return nil
}

// escapeName is a name as clients send it: the slash of a scope escaped, the at sign not.
func escapeName(name string) string {
	return strings.Replace(name, "/", "%2f", 1)
}

// tarballPath is the path of a version's tarball below the base URL, as dist.tarball and lockfiles have it.
func tarballPath(name, file string) string { return "/" + name + "/-/" + file }
