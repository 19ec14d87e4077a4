package cargo

// This file turns paths and queries into requests, and back. Pure: no handler, no store, no clock. Cargo builds its
// addresses by putting names into templates, unescaped, so a plus sign in a version is a plus sign.

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"larder/cargo/names"
	"larder/cargo/version"
	"larder/internal/problem"
	"larder/internal/route"
	"larder/internal/wire"
)

// root is the prefix of the paths that the handler gets; wire.Deps.Path is the one that clients see.
const root = "/cargo"

const (
	maxSegment      = 512
	maxQueryText    = 512
	defaultPageSize = 10
	maxPageSize     = 100
	lenDigest       = 64 // hex of sha256
)

// Request is a parsed request line. Which fields count depends on the operation.
type Request struct {
	Closed  bool   // below /private, where nothing is answered without credentials
	Name    string // crate, as asked for
	Version string
	Digest  string // hex of the crate's sha256, in downloads by digest

	Query string // search text
	Page  int    // from 1
	Size  int    // of a page
}

// grammar is what the fields of the routes mean.
var grammar = route.Grammar[Request]{
	Root:  root,
	Split: route.Split{Slash: route.SlashRefused, MaxSegment: maxSegment},
	Fields: map[string]route.Field[Request]{
		"private": {Set: (*Request).setClosed, Get: (*Request).closed},
		"index":   {Set: (*Request).setIndex, Get: func(q *Request) string { return names.IndexPath(q.Name) }},
		"digest":  {Set: (*Request).setDigest, Get: func(q *Request) string { return q.Digest }},
		"file": {
			Set: (*Request).setFile, Get: func(q *Request) string { return names.File(q.Name, q.Version) },
			Absent: absentVersion,
		},
		"crate":   {Set: (*Request).setName, Get: func(q *Request) string { return q.Name }},
		"version": {Set: (*Request).setVersion, Get: func(q *Request) string { return q.Version }, Absent: absentVersion},
	},
	Queries: map[string]route.Query[Request]{
		"cargo.search":     {Parse: (*Request).parseSearch, Format: (*Request).formatPage},
		"cargo.dependents": {Parse: (*Request).parsePage, Format: (*Request).formatPage},
	},
}

const absentVersion = "crate or version not found"

// plainIndex reads nearly every request without the table: that for a crate's file of the index, without escapes.
func plainIndex(method, path string) (op string, q Request, ok bool) {
	rest, ok := strings.CutPrefix(path, root+"/index/")
	if !ok || method != http.MethodGet {
		return "", q, false
	}
	name := rest[strings.LastIndexByte(rest, '/')+1:]
	folders := rest[:len(rest)-len(name)]
	switch len(name) {
	case 0:
		return "", q, false
	case 1:
		ok = folders == "1/"
	case 2:
		ok = folders == "2/"
	case 3:
		ok = len(folders) == 4 && folders[:2] == "3/" && folders[2] == name[0] && folders[3] == '/'
	default:
		ok = len(folders) == 6 && folders[:2] == name[:2] && folders[2] == '/' && folders[3:5] == name[2:4] &&
			folders[5] == '/'
	}
	return "cargo.index", Request{Name: name}, ok && name == strings.ToLower(name) && names.Check(name) == nil
}

func badPath(format string, args ...any) error {
	return problem.Errorf(problem.ErrBadPath, format, args...)
}

func (q *Request) setClosed(v string) error {
	if v != "private" {
		return route.ErrOther
	}
	q.Closed = true
	return nil
}

func (q *Request) closed() string {
	if q.Closed {
		return "private"
	}
	return ""
}

// setIndex takes a crate's path in the index. Cargo tries other spellings of a name before it gives up: all it wants to
// hear is that there is no such crate.
func (q *Request) setIndex(path string) error {
	q.Name = path[strings.LastIndexByte(path, '/')+1:]
	if names.Check(q.Name) != nil || path != names.IndexPath(q.Name) {
		return route.ErrOther
	}
	return nil
}

func (q *Request) setDigest(v string) error {
	if q.Digest = v; len(v) != lenDigest || strings.Trim(v, "0123456789abcdef") != "" {
		return route.ErrOther
	}
	return nil
}

// setFile reads the name of a version's archive.
func (q *Request) setFile(file string) error {
	var ok bool
	q.Name, q.Version, ok = names.SplitFile(file)
	if !ok || names.Check(q.Name) != nil || !version.Valid(q.Version) {
		return route.ErrOther
	}
	return nil
}

func (q *Request) setName(v string) error {
	if q.Name = v; names.Check(v) != nil {
		return badPath("the crate name is malformed")
	}
	return nil
}

func (q *Request) setVersion(v string) error {
	if q.Version = v; !version.Valid(v) {
		return badPath("the version is malformed")
	}
	return nil
}

func (q *Request) parseSearch(v url.Values) error {
	if q.Query = v.Get("q"); len(q.Query) > maxQueryText {
		return badPath("the search text has more than %d bytes", maxQueryText)
	}
	return q.parsePage(v)
}

// parsePage reads page and size; a size above the most is the most.
func (q *Request) parsePage(v url.Values) error {
	q.Page, q.Size = 1, defaultPageSize
	err := errors.Join(wire.Number(v, "page", 1, &q.Page), wire.Number(v, "per_page", 1, &q.Size))
	q.Size = min(q.Size, maxPageSize)
	return err
}

func (q *Request) formatPage(v url.Values) {
	if q.Query != "" {
		v.Set("q", q.Query)
	}
	v.Set("page", strconv.Itoa(q.Page))
	v.Set("per_page", strconv.Itoa(q.Size))
}
