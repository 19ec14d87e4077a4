package rubygems

// How paths and queries become requests, and back: no handler, no store, no clock. Empty segments count as none: gem
// push with a --host that ends in a slash asks for //api/v1/gems, and does not follow a redirect.

import (
	"cmp"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"larder/internal/problem"
	"larder/internal/route"
	"larder/rubygems/names"
	"larder/rubygems/version"
)

// root is where the handler sees itself; wire.Deps.Path is where clients do.
const root = "/rubygems"

const (
	maxQuery  = 512 // bytes of a search text
	pageSize  = 30
	maxPage   = 10_000
	maxWindow = 7 * 24 * time.Hour // of timeframe_versions, as at the public registry
)

// The Marshal indexes.
const (
	indexReleases    = "specs"
	indexLatest      = "latest_specs"
	indexPrereleases = "prerelease_specs"
)

// Request is a parsed request line. Which fields count depends on the operation.
type Request struct {
	Name     string // gem
	Full     string // name and version as in the name of a file
	Version  string // number
	Platform string
	Form     string // json or yaml
	Index    string

	Query    string // search text
	Page     int    // from 1
	From, To time.Time

	// ID is the version that Full stands for, and Name is then its gem; "" when there is none. The dispatcher sets it
	// (server.resolve), no path does.
	ID string
}

const absentGem, absentVersion = "This gem could not be found.", "This version could not be found."

// grammar is what the fields of the routes mean. A value that a field does not take makes the path that of no row.
var grammar = route.Grammar[Request]{
	Root:  root,
	Split: route.Split{SkipEmpty: true},
	Fields: map[string]route.Field[Request]{
		"name": text(func(q *Request) *string { return &q.Name }, isName, absentGem),
		// The request's body names a user, and a 404 does not say which of the two is missing.
		"owned":   text(func(q *Request) *string { return &q.Name }, isName, "This gem or user could not be found."),
		"full":    text(func(q *Request) *string { return &q.Full }, names.IsFullName, absentVersion),
		"version": text(func(q *Request) *string { return &q.Version }, version.Valid, absentVersion),
		"form":    text(func(q *Request) *string { return &q.Form }, isForm, ""),
		"index":   text(func(q *Request) *string { return &q.Index }, isIndex, ""),
	},
	Queries: map[string]route.Query[Request]{
		"rubygems.release":   {Parse: (*Request).parsePlatform, Format: (*Request).formatPlatform},
		"rubygems.timeframe": {Parse: (*Request).parseWindow, Format: (*Request).formatWindow},
		"rubygems.search":    {Parse: (*Request).parseSearch, Format: (*Request).formatSearch},
	},
	NoRoute:   func(string) error { return problem.Errorf(problem.ErrNoRoute, noAddress) },
	Malformed: func() error { return badPath("The path is malformed.") },
}

// shortcut reads the path that Bundler and gem ask for first.
func shortcut(method, path string) (op string, q Request, ok bool) {
	return "rubygems.versions", q, path == root+"/versions" && (method == http.MethodGet || method == http.MethodHead)
}

// noAddress is the text of a 404 for an address that does not exist.
const noAddress = "This registry has no such address."

func badPath(format string, args ...any) error {
	return problem.Errorf(problem.ErrBadPath, format, args...)
}

// text is a field that takes the values that valid accepts. None of them needs an escape.
func text(at func(*Request) *string, valid func(string) bool, absent string) route.Field[Request] {
	return route.Field[Request]{
		Set: func(q *Request, v string) error {
			if *at(q) = v; !valid(v) {
				return route.ErrOther
			}
			return nil
		},
		Get:    func(q *Request) string { return *at(q) },
		Absent: absent,
	}
}

func isName(v string) bool { return names.Check(v) == nil }

func isForm(v string) bool { return v == "json" || v == "yaml" }

func isIndex(v string) bool { return v == indexReleases || v == indexLatest || v == indexPrereleases }

// Unknown parameters are ignored. Keys are never read from a query, since addresses are written to logs.

func (q *Request) parsePlatform(v url.Values) error {
	if q.Platform = v.Get("platform"); q.Platform != "" {
		return version.CheckPlatform(q.Platform)
	}
	return nil
}

func (q *Request) formatPlatform(v url.Values) {
	if q.Platform != "" {
		v.Set("platform", q.Platform)
	}
}

func (q *Request) parseSearch(v url.Values) error {
	if q.Query = cmp.Or(v.Get("query"), v.Get("q")); len(q.Query) > maxQuery {
		return badPath("The search text has more than %d bytes.", maxQuery)
	}
	return q.parsePage(v)
}

func (q *Request) formatSearch(v url.Values) {
	v.Set("query", q.Query)
	v.Set("page", strconv.Itoa(q.Page))
}

func (q *Request) parsePage(v url.Values) error {
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

// parseWindow reads a window of time and a page of it. Without to, it ends a week after from.
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
	return q.parsePage(v)
}

func (q *Request) formatWindow(v url.Values) {
	v.Set("from", q.From.Format(time.RFC3339Nano))
	v.Set("to", q.To.Format(time.RFC3339Nano))
	v.Set("page", strconv.Itoa(q.Page))
}
