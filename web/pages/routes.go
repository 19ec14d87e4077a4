package pages

// The tables of routes: one of what belongs to no package, and one that every kind has below /ui/KIND.

import (
	"errors"
	"net/url"
	"strconv"
	"strings"

	"larder/internal/describe"
	"larder/internal/problem"
	"larder/internal/route"
	"larder/internal/wire"
	"larder/store"
)

// The roots. No kind's names can have a bare "-" as a part, so that what stands behind one is about a package.
const (
	rootPages = "/ui"
	rootOther = "/-"
)

// request is one parsed request.
type request struct {
	name    string // of a record
	version string
	client  string
	asset   string

	text     string // what is searched for, or a part of names
	kind     store.Kind
	platform string // the image of an index that is shown
	origin   describe.Origin
	sort     string
	after    string     // the name after which a list goes on
	from     int        // how many to leave out, where there is no such name
	next     string     // where a login leads
	changed  bool       // something was changed just now
	values   url.Values // of pages for administrators
	done     string     // what was done just now, to count versions
	count    int
	what     string // which entries of a history
	before   uint64 // the entry before which a history goes on
	noPre    bool
	noYanked bool
}

// What a request may ask for.
const (
	sortName    = "name"
	sortUpdated = "updated"
	sortSize    = "size"
	sortPulls   = "pulls"
)

// siteRoutes are the pages that belong to no package. Only lists say what is here: each leaves out what its reader may
// not see.
func (p *Pages) siteRoutes() []wire.Route[request] {
	return []wire.Route[request]{
		wire.GET("/", "ui.home", wire.List, p.home, "browsers"),
		wire.GET("/ui/search", "ui.search", wire.List, p.search, "browsers; ?q= ?kind= ?origin= ?sort= ?from="),
		wire.GET("/ui/setup", "ui.setup", wire.List, p.setup, "browsers"),
		wire.GET("/ui/setup/{client}", "ui.setup.client", wire.List, p.setupClient, "browsers"),
		wire.POST("/-/theme", "ui.theme", wire.Open, p.setTheme, "browsers: theme=system, light or dark"),
		wire.GET("/-/login", "ui.login", wire.Open, p.loginForm, "browsers; ?next="),
		wire.POST("/-/login", "ui.login.post", wire.Login, p.login, "browsers: user, password, next"),
		wire.POST("/-/logout", "ui.logout", wire.Login, p.change(p.logout), "browsers"),
		wire.GET("/-/me", "ui.me", wire.Login, p.myTokens, "browsers"),
		wire.POST("/-/me/tokens", "ui.me.token.add", wire.Login, p.change(p.makeToken), "browsers"),
		wire.POST("/-/me/tokens/revoke", "ui.me.token.revoke", wire.Login, p.change(p.revokeToken), "browsers: id"),
		wire.GET("/-/me/sessions", "ui.me.sessions", wire.Login, p.mySessions, "browsers"),
		wire.POST("/-/me/sessions/end", "ui.me.session.end", wire.Login, p.change(p.endSession), "browsers: id or others"),
		wire.POST("/-/me/password", "ui.me.password", wire.Login, p.change(p.setPassword), "browsers: password, new"),
		wire.GET("/-/admin", "ui.admin", wire.Admin, p.adminOverview, "browsers"),
		wire.GET("/-/admin/users", "ui.admin.users", wire.Admin, p.adminUsers,
			"browsers; ?filter= ?after= ?user= ?who= ?kind= ?name="),
		wire.POST("/-/admin/users", "ui.admin.user.add", wire.Admin, p.change(p.addUser),
			"browsers: name, password, admin, scopes"),
		wire.POST("/-/admin/users/set", "ui.admin.user.set", wire.Admin, p.change(p.setUser),
			"browsers: user, and one of admin, disabled, scopes"),
		wire.POST("/-/admin/users/password", "ui.admin.user.passwd", wire.Admin, p.change(p.setUserPassword),
			"browsers: user, password, tokens"),
		wire.POST("/-/admin/users/remove", "ui.admin.user.remove", wire.Admin, p.change(p.removeUser),
			"browsers: user, sure"),
		wire.GET("/-/admin/tokens", "ui.admin.tokens", wire.Admin, p.adminTokens, "browsers; ?user= ?from="),
		wire.POST("/-/admin/tokens/revoke", "ui.admin.token.revoke", wire.Admin, p.change(p.revokeAnyToken),
			"browsers: id, sure"),
		wire.GET("/-/admin/upstreams", "ui.admin.upstreams", wire.Admin, p.adminUpstreams, "browsers; ?orphans=1"),
		wire.POST("/-/admin/upstreams/switch", "ui.admin.upstream.switch", wire.Admin, p.change(p.switchUpstreams),
			"browsers: kind, name, offline"),
		wire.POST("/-/admin/upstreams/check", "ui.admin.upstream.check", wire.Admin, p.change(p.checkUpstream),
			"browsers: kind, name"),
		wire.POST("/-/admin/upstreams/purge", "ui.admin.upstream.purge", wire.Admin, p.change(p.purgeUpstreams),
			"browsers: kind, pattern, no-upstream, plan, sure"),
		wire.GET("/-/admin/upstreams/misses.csv", "ui.admin.misses", wire.Admin, p.exportMisses, "browsers"),
		wire.POST("/-/admin/upstreams/misses/clear", "ui.admin.misses.clear", wire.Admin, p.change(p.clearMisses),
			"browsers: sure"),
		wire.GET("/-/admin/audit", "ui.admin.audit", wire.Admin, p.adminAudit,
			"browsers; ?kind= ?package= ?user= ?op= ?from=DAY ?to=DAY ?before=SEQ"),
		wire.GET("/-/admin/audit.jsonl", "ui.admin.audit.export", wire.Admin, p.exportAudit,
			"browsers; the filters of the page"),
		wire.GET("/-/admin/storage", "ui.admin.storage", wire.Admin, p.adminStorage, "browsers; ?unused=DAYS"),
		wire.POST("/-/admin/storage/count", "ui.admin.survey", wire.Admin, p.change(p.countStored), "browsers"),
		wire.POST("/-/admin/storage/gc", "ui.admin.gc", wire.Admin, p.change(p.collect), "browsers: plan, sure"),
		wire.GET("/-/admin/policy", "ui.admin.policy", wire.Admin, p.adminPolicy,
			"browsers; ?kind= ?name=NAME@VERSION ?who= ?claims=KIND ?after="),
		wire.POST("/-/admin/policy/claim", "ui.admin.claim", wire.Admin, p.change(p.claimName),
			"browsers: kind, name, release, sure"),
		wire.GET("/-/upload", "ui.upload", wire.Login, p.uploadForm, "browsers"),
		wire.POST("/-/upload", "ui.upload.post", wire.Login, p.upload, "browsers: form, file, kind, …, as multipart"),
		wire.GET("/-/assets/{asset}", "ui.asset", wire.Open, p.getAsset, "browsers: the stylesheet, the script"),
	}
}

// kindRoutes are the pages of a kind, below /ui/KIND.
func (k *kindPages) kindRoutes() []wire.Route[request] {
	rows := []wire.Route[request]{
		wire.GET("/", "ui.kind", wire.List, k.list, "browsers; ?filter= ?origin= ?sort= ?after= ?from="),
		wire.GET("/{name...}/-/versions", "ui.versions", wire.Read, k.versions,
			"browsers; ?filter= ?nopre=1 ?noyanked=1 ?from="),
		wire.GET("/{name...}/-/v/{version}", "ui.version", wire.Read, k.version, "browsers"),
		wire.GET("/{name...}/-/dependants", "ui.dependants", wire.Read, k.dependants, "browsers; ?from="),
		wire.GET("/{name...}/-/history", "ui.history", wire.Read, k.history, "browsers; ?what= ?before="),
		wire.POST("/{name...}/-/change", "ui.change", wire.Read, k.changing(k.changeVersions),
			"browsers: do, v, tag, reason, sure, confirm"),
		wire.GET("/{name...}/-/tags", "ui.tags", wire.Read, k.tags, "browsers; ?filter= ?sort=name ?from="),
		wire.GET("/{name...}", "ui.package", wire.Read, k.pkg, "browsers; ?client="),
	}
	if k.kind == store.OCI {
		rows = append(rows, wire.GET("/{name...}/-/m/{version}", "ui.manifest", wire.Read, k.manifest,
			"browsers, of container registries; ?client= ?platform="))
	}
	return rows
}

// Absent is what a page says of what is not there and of what must not be seen.
const absent = "There is nothing of that name here."

var (
	queries      = route.Query[request]{Parse: parseQuery, Format: formatQuery}
	adminQueries = route.Query[request]{Parse: func(q *request, v url.Values) error { q.values = v; return nil }}

	siteGrammar = route.Grammar[request]{
		Split: route.Split{MaxSegment: 256},
		Fields: map[string]route.Field[request]{
			"client": {
				Set: func(q *request, v string) error { q.client = v; return nil },
				Get: func(q *request) string { return url.PathEscape(q.client) },
			},
			"asset": {
				Set: func(q *request, v string) error { q.asset = v; return nil },
				Get: func(q *request) string { return url.PathEscape(q.asset) },
			},
		},
		Queries: map[string]route.Query[request]{
			"ui.search": queries, "ui.me.sessions": queries, "ui.login": queries,
			"ui.admin.users": adminQueries, "ui.admin.tokens": adminQueries, "ui.admin.upstreams": adminQueries,
			"ui.admin.audit": adminQueries, "ui.admin.audit.export": adminQueries,
			"ui.admin.policy": adminQueries, "ui.admin.storage": adminQueries,
		},
		NoRoute: noRoute, Malformed: malformed,
	}
)

// kindGrammar reads the addresses of a kind; spell is how names of the kind are written.
func kindGrammar(k store.Kind, spell func(string) (string, error)) route.Grammar[request] {
	set := func(q *request, v string) error {
		if strings.Contains("/"+v+"/", "/-/") {
			return route.ErrOther
		}
		name, err := spell(v)
		if err != nil {
			return errors.Join(problem.Errorf(problem.ErrNotFound, absent), err)
		}
		q.name = name
		return nil
	}
	return route.Grammar[request]{
		Root: rootPages + "/" + string(k), Split: route.Split{EscapedSlash: route.EscapeCuts},
		Fields: map[string]route.Field[request]{
			"name": {Set: set, Get: func(q *request) string { return escapeName(q.name) }, Absent: absent},
			"version": {
				Set:    func(q *request, v string) error { q.version = v; return nil },
				Get:    func(q *request) string { return url.PathEscape(q.version) },
				Absent: absent,
			},
		},
		Queries: map[string]route.Query[request]{
			"ui.kind": queries, "ui.versions": queries, "ui.tags": queries, "ui.package": queries,
			"ui.manifest": queries, "ui.history": queries,
			"ui.dependants": queries,
		},
		NoRoute: noRoute, Malformed: malformed,
	}
}

func noRoute(string) error { return problem.Errorf(problem.ErrNoRoute, absent) }

func malformed() error {
	return problem.Errorf(problem.ErrBadPath, "the address has an empty name or a malformed escape")
}

// escapeName escapes each part of a name.
func escapeName(name string) string {
	parts := strings.Split(name, "/")
	for i, s := range parts {
		parts[i] = url.PathEscape(s)
	}
	return strings.Join(parts, "/")
}

// maxFrom bounds how many entries a list leaves out.
const maxFrom = 1_000_000

// parseQuery takes what it knows; a value that cannot be one is as good as none, since people edit addresses.
func parseQuery(q *request, v url.Values) error {
	q.text = clip(v.Get("q")+v.Get("filter"), 200)
	if k := v.Get("kind"); k != "" {
		if kind, err := store.ParseKind(k); err == nil {
			q.kind = kind
		}
	}
	if o := describe.Origin(v.Get("origin")); o == describe.Hosted || o == describe.Copied {
		q.origin = o
	}
	switch s := v.Get("sort"); s {
	case sortName, sortUpdated, sortSize, sortPulls:
		q.sort = s
	}
	q.after, q.client = clip(v.Get("after"), 1024), clip(v.Get("client"), 64)
	if n, err := strconv.Atoi(v.Get("from")); err == nil {
		q.from = min(max(n, 0), maxFrom)
	}
	q.platform = clip(v.Get("platform"), 100)
	q.next = clip(v.Get("next"), 2048)
	q.changed = v.Get("changed") != ""
	q.done, q.what = clip(v.Get("done"), 16), clip(v.Get("what"), 16)
	if n, err := strconv.Atoi(v.Get("count")); err == nil {
		q.count = min(max(n, 0), versionsPage)
	}
	if n, err := strconv.ParseUint(v.Get("before"), 10, 64); err == nil {
		q.before = n
	}
	q.noPre, q.noYanked = v.Get("nopre") != "", v.Get("noyanked") != ""
	return nil
}

// formatQuery is the inverse of parseQuery but for searches, whose text has another name.
func formatQuery(q *request, v url.Values) {
	set := func(key, value string) {
		if value != "" {
			v.Set(key, value)
		}
	}
	set("filter", q.text)
	set("kind", string(q.kind))
	set("origin", string(q.origin))
	set("platform", q.platform)
	set("sort", q.sort)
	set("after", q.after)
	set("client", q.client)
	set("next", q.next)
	if q.from > 0 {
		v.Set("from", strconv.Itoa(q.from))
	}
	if q.changed {
		v.Set("changed", "1")
	}
	set("done", q.done)
	set("what", q.what)
	if q.count > 0 {
		v.Set("count", strconv.Itoa(q.count))
	}
	if q.before > 0 {
		v.Set("before", strconv.FormatUint(q.before, 10))
	}
	if q.noPre {
		v.Set("nopre", "1")
	}
	if q.noYanked {
		v.Set("noyanked", "1")
	}
}

// clip cuts a text that is longer than n bytes.
func clip(s string, n int) string {
	if len(s) > n {
		return strings.ToValidUTF8(s[:n], "")
	}
	return strings.ToValidUTF8(s, "\ufffd")
}
