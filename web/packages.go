package web

// The packages of a kind: what the pages say of them.

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"larder/internal/describe"
	"larder/internal/openapi"
	"larder/internal/problem"
	"larder/internal/route"
	"larder/internal/wire"
	"larder/store"
	"larder/web/catalog"
)

// packagesPrefix is where the kinds are.
const packagesPrefix = apiPrefix + "/packages/"

// kindAPI is the API of one kind.
type kindAPI struct {
	*api
	kind *catalog.Kind
}

// rows are the addresses of a kind, below /packages/KIND. What the client may not read is not there.
func (k *kindAPI) rows() []row {
	return []row{
		{wire.GET("/", "api.packages", wire.List, k.list, "the packages of a kind"),
			doc{query: paged(text("filter", "a part of the name"), origin, openapi.Parameter{Name: "sort",
				About: "the order; by name where there are many", Example: "",
				Values: []string{catalog.ByName, catalog.ByUpdated, catalog.BySize, catalog.ByPulls}}), answer: PackageList{}}},
		{wire.GET("/{name...}/-/versions", "api.versions", wire.Read, k.versions, "the versions of a package, newest first"),
			doc{query: paged(text("filter", "a part of the version"), whole("nopre", "1: without pre-releases"),
				whole("noyanked", "1: without what is yanked")), answer: VersionList{}}},
		{wire.GET("/{name...}/-/v/{version}", "api.version", wire.Read, k.version, "all that is known of a version"),
			doc{answer: VersionDetails{}}},
		{wire.GET("/{name...}/-/tags", "api.tags", wire.Read, k.tags, "the tags of a package, moved last first"),
			doc{query: paged(text("filter", "a part of the tag"), openapi.Parameter{Name: "sort", About: "the order",
				Example: "", Values: []string{catalog.ByName}}), answer: TagList{}}},
		{wire.GET("/{name...}/-/readme", "api.readme", wire.Read, k.readme, "a README, as its publisher wrote it"),
			doc{query: []openapi.Parameter{text("version", "not the latest")}, answer: describe.Text{}}},
		{wire.GET("/{name...}/-/pulls", "api.pulls", wire.Read, k.pulls, "how often a package was fetched"),
			doc{query: []openapi.Parameter{text("version", "only this one")}, answer: PullCount{}}},
		{wire.GET("/{name...}/-/dependants", "api.dependants", wire.Read, k.dependants, "what depends on a package"),
			doc{query: paged(), answer: DependantList{}}},
		{wire.GET("/{name...}/-/history", "api.history", wire.Read, k.history, "what happened to a package, newest first"),
			doc{query: paged(), answer: EventList{}}},
		{wire.GET("/{name...}/-/m/{version}", "api.manifest", wire.Read, k.manifest, "a manifest of an OCI repository"),
			doc{query: []openapi.Parameter{text("platform", "of an index, the image for this one")}, answer: Manifest{}}},
		{wire.GET("/{name...}", "api.package", wire.Read, k.pkg, "a package by its latest version"), doc{answer: Package{}}},
	}
}

// absentPackage is the text of a 404, of what is not there and of what must not be seen.
const absentPackage = "there is nothing of that name"

// endpoint is the API of the kind.
func (k *kindAPI) endpoint() wire.Endpoint[request] {
	return wire.Endpoint[request]{
		Kind: k.kind.Kind, Routes: routesOf(k.rows()), Grammar: k.grammar(),
		Target: func(q request) (typ, name string) { return k.kind.Describe.Type(), q.name },
		Fail: func(w http.ResponseWriter, r *http.Request, f wire.Failure) {
			f.Public = f.Text(f.Status, f.Public, absentPackage)
			fail(w, r, f)
		},
	}
}

// grammar reads the addresses as those of the pages are read: no kind's name can have a bare "-" as a part.
func (k *kindAPI) grammar() route.Grammar[request] {
	return route.Grammar[request]{
		Root: packagesPrefix + string(k.kind.Kind), Split: route.Split{EscapedSlash: route.EscapeCuts},
		Fields: map[string]route.Field[request]{
			"name": {
				Set: func(q *request, v string) (err error) {
					if strings.Contains("/"+v+"/", "/-/") {
						return route.ErrOther
					}
					if q.name, err = k.spell(v); err != nil {
						return problem.Errorf(problem.ErrNotFound, absentPackage)
					}
					return nil
				},
				Get: func(q *request) string { return strings.ReplaceAll(url.PathEscape(q.name), "%2F", "/") },
			},
			"version": {
				Set: func(q *request, v string) error { q.version = v; return nil },
				Get: func(q *request) string { return url.PathEscape(q.version) },
			},
		},
		NoRoute: noRoute, Malformed: malformed,
	}
}

// spell is a name as records have it.
func (k *kindAPI) spell(name string) (string, error) {
	if s, ok := k.spellings[k.kind.Kind]; ok && s.Name != nil {
		return s.Name(name)
	}
	return name, nil
}

func (k *kindAPI) list(w http.ResponseWriter, r *http.Request, _ request) error {
	ctx, v := r.Context(), r.URL.Query()
	p, err := pageOf(r, rowsPage, rowsMost)
	if err != nil {
		return err
	}
	_, from, err := selected("", v.Get("origin"))
	if err != nil {
		return err
	}
	by := cmp.Or(v.Get("sort"), catalog.ByName)
	if !slices.Contains([]string{catalog.ByName, catalog.ByUpdated, catalog.BySize, catalog.ByPulls}, by) {
		return problem.Errorf(store.ErrInvalid, "sort must be name, updated, size or pulls")
	}
	if by != catalog.ByName || v.Get("filter") != "" {
		list, err := k.catalog.Ordered(ctx, k.kind, from, v.Get("filter"), by)
		if err != nil {
			return err
		}
		return k.found(w, r, p, k.kind.Listed(list))
	}
	list, more, err := k.kind.Describe.List(ctx, from, p.cursor, p.limit)
	if err != nil {
		return err
	}
	out := PackageList{}
	if out.Packages, err = k.catalog.Rows(ctx, k.kind.Listed(list)); err != nil {
		return err
	}
	if more {
		out.Next = next(list[len(list)-1].Name)
	}
	link(w, r, out.Next)
	return reply(w, out)
}

// Package is the answer of GET /packages/KIND/NAME.
type Package struct {
	Kind store.Kind `json:"kind"`
	describe.Package
	// Login: it cannot be read without one.
	Login bool `json:"login"`
	// Pulls are those of all versions, deleted ones included.
	Pulls PullCount `json:"pulls"`
	// Dependencies are those of the latest version, with whether they are here.
	Dependencies []catalog.Dependency `json:"dependencies"`
	// Installs are the texts that install it, by client.
	Installs []catalog.Install `json:"installs"`
}

func (k *kindAPI) pkg(w http.ResponseWriter, r *http.Request, q request) error {
	ctx := r.Context()
	p, err := k.kind.Describe.Package(ctx, q.name, true)
	if err != nil {
		return err
	}
	out := Package{Kind: k.kind.Kind, Package: p, Login: k.catalog.LoginNeeded(ctx, k.kind, q.name)}
	out.Installs = k.catalog.Installs(r, k.kind, p)
	if out.Dependencies, err = k.catalog.Dependencies(ctx, k.kind, p.Latest.Dependencies); err != nil {
		return err
	}
	if out.Pulls, err = k.pullsOf(ctx, q.name, ""); err != nil {
		return err
	}
	return reply(w, out)
}

// VersionList is the answer of GET /packages/KIND/NAME/-/versions.
type VersionList struct {
	Versions []VersionRow `json:"versions"`
	Total    int          `json:"total"`
	Next     string       `json:"next,omitempty"`
}

// VersionRow is a version in a list.
type VersionRow struct {
	describe.Version
	// Pulls are those of the last catalog.Days days.
	Pulls    int64     `json:"pulls"`
	LastPull time.Time `json:"last_pull,omitzero"`
}

func (k *kindAPI) versions(w http.ResponseWriter, r *http.Request, q request) error {
	ctx, v := r.Context(), r.URL.Query()
	p, err := pageOf(r, rowsPage, rowsMost)
	if err != nil {
		return err
	}
	ask := describe.Query{
		Limit: p.limit, Text: v.Get("filter"), NoPre: v.Get("nopre") != "", NoYanked: v.Get("noyanked") != "",
	}
	if ask.From, err = p.from(); err != nil {
		return err
	}
	if _, err := k.kind.Describe.Package(ctx, q.name, false); err != nil {
		return err
	}
	list, err := k.kind.Describe.Versions(ctx, q.name, ask)
	if err != nil {
		return err
	}
	ids := make([]string, len(list.List))
	for i, each := range list.List {
		ids[i] = each.ID
	}
	pulls, err := k.store.PullsOf(ctx, k.kind.Kind, q.name, ids...)
	if err != nil {
		return err
	}
	out := VersionList{Total: list.Total, Next: counted(list.Next)}
	for i, each := range list.List {
		out.Versions = append(out.Versions, VersionRow{each, pulls[i].Since(catalog.Days, time.Now()), pulls[i].Last})
	}
	link(w, r, out.Next)
	return reply(w, out)
}

// VersionDetails is the answer of GET /packages/KIND/NAME/-/v/VERSION.
type VersionDetails struct {
	describe.Version
	Files        []File               `json:"files"`
	Dependencies []catalog.Dependency `json:"dependencies"`
	Pulls        PullCount            `json:"pulls"`
}

// File is a file of a version.
type File struct {
	describe.File
	// URL is where it is fetched; "" when it has no address of its own.
	URL string `json:"url,omitempty"`
}

func (k *kindAPI) version(w http.ResponseWriter, r *http.Request, q request) error {
	ctx := r.Context()
	v, err := k.kind.Describe.Version(ctx, q.name, q.version)
	if err != nil {
		return err
	}
	out, at := VersionDetails{Version: v}, k.catalog.Site(r).URL
	for _, f := range v.Files {
		one := File{File: f}
		if path := k.kind.Describe.Path(q.name, v, f); path != "" {
			one.URL = at + k.kind.Path + path
		}
		out.Files = append(out.Files, one)
	}
	if out.Dependencies, err = k.catalog.Dependencies(ctx, k.kind, v.Dependencies); err != nil {
		return err
	}
	if out.Pulls, err = k.pullsOf(ctx, q.name, v.ID); err != nil {
		return err
	}
	return reply(w, out)
}

// TagList is the answer of GET /packages/KIND/NAME/-/tags.
type TagList struct {
	Tags  []TagRow `json:"tags"`
	Total int      `json:"total"`
	Next  string   `json:"next,omitempty"`
}

// TagRow is a tag in a list; what is counted is its version's.
type TagRow struct {
	describe.Tagged
	Pulls    int64     `json:"pulls"`
	LastPull time.Time `json:"last_pull,omitzero"`
}

func (k *kindAPI) tags(w http.ResponseWriter, r *http.Request, q request) error {
	ctx, v := r.Context(), r.URL.Query()
	p, err := pageOf(r, rowsPage, rowsMost)
	if err != nil {
		return err
	}
	ask := describe.Query{Limit: p.limit, Text: v.Get("filter"), ByName: v.Get("sort") == catalog.ByName}
	if ask.From, err = p.from(); err != nil {
		return err
	}
	if _, err := k.kind.Describe.Package(ctx, q.name, false); err != nil {
		return err
	}
	list, err := k.kind.Describe.Tags(ctx, q.name, ask)
	if err != nil {
		return err
	}
	ids := make([]string, len(list.List))
	for i, t := range list.List {
		ids[i] = t.Version
	}
	pulls, err := k.store.PullsOf(ctx, k.kind.Kind, q.name, ids...)
	if err != nil {
		return err
	}
	out := TagList{Total: list.Total, Next: counted(list.Next)}
	for i, t := range list.List {
		out.Tags = append(out.Tags, TagRow{t, pulls[i].Since(catalog.Days, time.Now()), pulls[i].Last})
	}
	link(w, r, out.Next)
	return reply(w, out)
}

func (k *kindAPI) readme(w http.ResponseWriter, r *http.Request, q request) error {
	ctx, id := r.Context(), r.URL.Query().Get("version")
	if id == "" {
		p, err := k.kind.Describe.Package(ctx, q.name, false)
		if err != nil {
			return err
		}
		id = p.Latest.ID
	}
	text, err := k.kind.Describe.Readme(ctx, q.name, id)
	if err == nil && text.Body == "" {
		err = problem.Errorf(problem.ErrNotFound, "there is no README")
	}
	if err != nil {
		return err
	}
	return reply(w, text)
}

// PullCount is how often something was fetched: copies too, and what was deleted of a package.
type PullCount struct {
	Total int64     `json:"total"`
	Last  time.Time `json:"last,omitzero"`
	// Days are the last store.PullDays days on which it was fetched, Months what was before them.
	Days   []Pulls `json:"days"`
	Months []Pulls `json:"months,omitempty"`
}

// Pulls are those of a day or of a month, which is its first day; in UTC.
type Pulls struct {
	From  string `json:"from"`
	Count int64  `json:"count"`
}

func (k *kindAPI) pulls(w http.ResponseWriter, r *http.Request, q request) error {
	ctx := r.Context()
	version := r.URL.Query().Get("version")
	if _, err := k.kind.Describe.Package(ctx, q.name, false); err != nil {
		return err
	}
	out, err := k.pullsOf(ctx, q.name, version)
	if err != nil {
		return err
	}
	return reply(w, out)
}

func (k *kindAPI) pullsOf(ctx context.Context, name, version string) (out PullCount, err error) {
	list, err := k.store.PullsOf(ctx, k.kind.Kind, name, version)
	if err != nil {
		return out, err
	}
	p := list[0]
	out = PullCount{Total: p.Total, Last: p.Last, Days: []Pulls{}}
	for _, day := range slices.Sorted(maps.Keys(p.Days)) {
		out.Days = append(out.Days, Pulls{time.Unix(day*24*3600, 0).UTC().Format(time.DateOnly), p.Days[day]})
	}
	for _, month := range slices.Sorted(maps.Keys(p.Months)) {
		first := time.Date(1970, time.Month(month+1), 1, 0, 0, 0, 0, time.UTC)
		out.Months = append(out.Months, Pulls{first.Format(time.DateOnly), p.Months[month]})
	}
	return out, nil
}
