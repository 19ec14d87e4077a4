package pypi

// How paths and queries become requests, and back. Pure: no handler, no store, no clock. The simple API has several
// places, and a slash at the end of its addresses matters: without it, or with a name that is not normalised, they
// redirect. Everywhere else a slash at the end is forgiven.

import (
	"net/url"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"larder/internal/pep440"
	"larder/internal/problem"
	"larder/internal/pydist"
	"larder/internal/route"
	"larder/pypi/simple"
)

// root is where the handler sees itself; wire.Deps.Path is where clients do. The others stand at the host's root,
// because clients know no other place for them.
const (
	root         = "/pypi"
	rootSimple   = "/simple"
	rootRPC      = "/RPC2"
	rootOIDC     = "/_/oidc"
	rootDiscover = "/.well-known/pytp"
)

// indexes are the places of the simple API. Hatch looks for it below whatever address it uploads to.
var indexes = []string{
	root + "/simple", rootSimple, root + "/legacy/+simple", root + "/+simple", rootSimple + "/+simple",
	root + "/simple/+simple",
}

// indexSegments are the segments of indexes.
var indexSegments = func() (out [][]string) {
	for _, path := range indexes {
		out = append(out, strings.Split(path[1:], "/"))
	}
	return out
}()

// maxDiscover is how many bytes count of the address that a discovery asks about.
const maxDiscover = 1024

// The suffixes of what is served beside a file.
const (
	sideMetadata  = ".metadata"
	sideSignature = ".asc"
)

// Request is a parsed request line. Which fields count depends on the operation.
type Request struct {
	Name    string // normalised
	Version string // as asked for
	File    string // without the suffix of what is served beside it
	SHA     string // sha256 in hex
	Index   int    // of indexes
	Format  string // media type that counts instead of Accept
	Path    string // the upload address a discovery asks about
}

// grammar is what the fields of the routes mean.
var grammar = route.Grammar[Request]{
	Split: route.Split{Slash: route.SlashOptional},
	Fields: map[string]route.Field[Request]{
		"index":   {SetMany: (*Request).setIndex, Get: func(q *Request) string { return indexes[q.Index][1:] }},
		"project": {Set: (*Request).setProject, Get: func(q *Request) string { return q.Name }},
		"name":    {Set: (*Request).setName, Get: func(q *Request) string { return q.Name }},
		"version": {Set: (*Request).setVersion, Get: (*Request).version, Absent: "release not found"},
		"release": {Set: (*Request).setRelease, Get: (*Request).version, Absent: "release not found"},
		"sha256":  {Set: (*Request).setSHA, Get: func(q *Request) string { return q.SHA }},
		"file":    {Set: (*Request).setFile, Get: (*Request).file, Absent: "file not found"},
		"listed":  {Set: (*Request).setListed, Get: (*Request).file, Absent: "file not found"},
	},
	Queries: map[string]route.Query[Request]{
		"pypi.simple":        {Parse: (*Request).parseFormat, Format: (*Request).addFormat},
		"pypi.project":       {Parse: (*Request).parseFormat, Format: (*Request).addFormat},
		"pypi.redirect":      {Parse: (*Request).parseFormat, Format: (*Request).addFormat},
		"pypi.oidc.discover": {Parse: (*Request).parseDiscover, Format: (*Request).addDiscover},
	},
	NoRoute: func(string) error { return problem.Errorf(problem.ErrNoRoute, "this index has no such address") },
}

func (q *Request) setIndex(segs []string) error {
	for i, path := range indexSegments {
		if slices.Equal(path, segs) {
			q.Index = i
			return nil
		}
	}
	return route.ErrOther
}

// setName takes a project in any spelling.
func (q *Request) setName(v string) error {
	if pydist.CheckName(v) != nil {
		return route.ErrOther
	}
	q.Name = pydist.Normalise(v)
	return nil
}

// setProject takes a project in its one spelling.
func (q *Request) setProject(v string) error {
	if err := q.setName(v); err != nil || q.Name != v {
		return route.ErrOther
	}
	return nil
}

func (q *Request) setVersion(v string) error {
	q.Version = v
	return nil
}

// setRelease takes what is a version (PEP 440): other words are other addresses.
func (q *Request) setRelease(v string) error {
	if _, err := pep440.Parse(v); err != nil {
		return route.ErrOther
	}
	return q.setVersion(v)
}

func (q *Request) version() string { return url.PathEscape(q.Version) }

func (q *Request) setSHA(v string) error {
	if digest.NewDigestFromEncoded(digest.SHA256, v).Validate() != nil {
		return route.ErrOther
	}
	q.SHA = v
	return nil
}

// setFile takes a file. Which project it belongs to follows from its name, and must not be another than the path's.
func (q *Request) setFile(v string) error {
	f, err := pydist.ParseFilename(v)
	if err != nil || q.Name != "" && q.Name != f.Project {
		return route.ErrOther
	}
	q.Name, q.File = f.Project, v
	return nil
}

// setListed takes a file of the path's project by whatever name its page has it.
func (q *Request) setListed(v string) error {
	if v == "" || len(v) > simple.MaxName || strings.ContainsAny(v, "/\\\x00") {
		return route.ErrOther
	}
	q.File = v
	return nil
}

func (q *Request) file() string { return url.PathEscape(q.File) }

func (q *Request) parseFormat(v url.Values) error {
	q.Format = v.Get("format")
	return nil
}

func (q *Request) addFormat(v url.Values) {
	if q.Format != "" {
		v.Set("format", q.Format)
	}
}

func (q *Request) parseDiscover(v url.Values) error {
	path := v.Get("discover")
	q.Path = path[:min(len(path), maxDiscover)]
	return nil
}

func (q *Request) addDiscover(v url.Values) {
	if q.Path != "" {
		v.Set("discover", q.Path)
	}
}

// pageLocation is where a page of the simple API is, relative to an address of it that lacks the slash at its end, or
// whose name is not normalised.
func pageLocation(q Request, slash bool) string {
	to := q.Name + "/"
	switch {
	case q.Name == "":
		path := indexes[q.Index]
		to = path[strings.LastIndexByte(path, '/')+1:] + "/"
	case slash:
		to = "../" + to
	}
	return to + formatQuery(q)
}

// jsonLocation is where a document of the JSON API is, relative to an address of it whose name is not normalised. A
// slash at the end stays.
func jsonLocation(q Request, slash bool) string {
	up, to := "../", q.Name+"/json"
	if q.Version != "" {
		up, to = "../../", q.Name+"/"+q.Version+"/json"
	}
	if slash {
		up, to = "../"+up, to+"/"
	}
	return up + (&url.URL{Path: to}).EscapedPath() + formatQuery(q)
}

func formatQuery(q Request) string {
	if q.Format == "" {
		return ""
	}
	return "?" + url.Values{"format": {q.Format}}.Encode()
}
