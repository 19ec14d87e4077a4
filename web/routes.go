package web

// The API's table of routes, and how its paths become requests.

import (
	"net/http"
	"net/url"
	"slices"

	"larder/auth"
	"larder/internal/openapi"
	"larder/internal/problem"
	"larder/internal/route"
	"larder/internal/wire"
	"larder/store"
)

// apiPrefix is where the admin API lives, over TCP and on the socket alike.
const apiPrefix = "/api/v1"

// request is one parsed request of the API.
type request struct {
	// name is the user of user operations, the token's id of token operations, the client of a set-up, the package of
	// operations below a kind; empty for lists.
	name string
	// version is that of a package.
	version string
}

// row is a row of the table, with what the API's document says of it besides.
type row struct {
	wire.Route[request]
	doc
}

// doc says what a row takes and answers with: values of the Go types. A request with other parameters than these is
// refused.
type doc struct {
	query  []openapi.Parameter
	body   any
	answer any
	status int    // 0: 200, or 204 without an answer
	stream bool   // the answer is NDJSON
	typ    string // the answer's media type when it is no JSON
}

// The parameters that several rows have.
var (
	ofKind = openapi.Parameter{Name: "kind", About: "only of this kind", Example: "", Values: kindNames()}
	since  = openapi.Parameter{Name: "since", About: "a time such as 2026-01-31T00:00:00Z", Example: ""}
	text   = func(name, about string) openapi.Parameter {
		return openapi.Parameter{Name: name, About: about, Example: ""}
	}
	whole = func(name, about string) openapi.Parameter {
		return openapi.Parameter{Name: name, About: about, Example: 0}
	}
	entries = []openapi.Parameter{
		whole("after", "entries numbered above this, oldest first"), ofKind, text("package", "* matches any characters"),
		text("user", "* matches any characters"), text("op", "only this operation, such as publish"), since,
	}
	reading = []openapi.Parameter{
		whole("tail", "1: the last entries"), whole("before", "of those, the ones numbered below this"),
		whole("wait", "how many seconds to wait for a first entry"),
	}
)

func kindNames() (names []string) {
	for _, k := range store.Kinds() {
		names = append(names, string(k))
	}
	return names
}

// routes are the rows as the dispatcher has them.
func (a *api) routes() []wire.Route[request] { return routesOf(a.rows()) }

// routesOf refuses parameters that a row does not name, so that a misspelt one is not as good as none.
func routesOf(rows []row) (out []wire.Route[request]) {
	for _, each := range rows {
		serve := each.Serve
		each.Serve = func(w http.ResponseWriter, r *http.Request, q request) error {
			for name := range r.URL.Query() {
				if !slices.ContainsFunc(each.query, func(p openapi.Parameter) bool { return p.Name == name }) {
					return problem.Errorf(store.ErrInvalid, "there is no parameter %.80q here", name)
				}
			}
			return serve(w, r, q)
		}
		out = append(out, each.Route)
	}
	return out
}

// rows is everything the API answers that is not about a package: what changes something, or says more than pages do,
// needs an administrator. Next to a route stands the command that uses it; doc.go shows the table.
func (a *api) rows() []row {
	return []row{
		{wire.GET("/openapi.json", "api.document", wire.Open, a.document, "this API, in OpenAPI 3.1"),
			doc{answer: map[string]any{}}},
		{wire.GET("/kinds", "api.kinds", wire.List, a.kinds, "what is here of each kind, as on the first page"),
			doc{answer: KindList{}}},
		{wire.GET("/search", "api.search", wire.List, a.search, "packages of all kinds, best first"),
			doc{query: paged(text("q", "name, keyword or digest"), ofKind, origin), answer: PackageList{}}},
		{wire.GET("/recent", "api.recent", wire.List, a.recent, "what was published, or copied, last"),
			doc{query: []openapi.Parameter{whole("limit", "how many of each, 50 at most")}, answer: RecentLists{}}},
		{wire.GET("/setup", "api.setup", wire.List, a.setups, "the clients that can be set up"),
			doc{query: []openapi.Parameter{ofKind}, answer: SetupList{}}},
		{wire.GET("/setup/{name}", "api.setup.client", wire.List, a.setup, "how a client is set up"),
			doc{answer: Setup{}}},
		{wire.GET("/me", "api.me", wire.Login, a.me, "whose credentials these are"),
			doc{answer: auth.User{}}},
		{wire.GET("/me/tokens", "api.me.tokens", wire.Login, a.myTokens, "the tokens that the credentials oversee"),
			doc{query: paged(), answer: TokenList{}}},
		{wire.GET("/me/sessions", "api.me.sessions", wire.Login, a.mySessions, "the user's sessions in browsers"),
			doc{answer: SessionList{}}},
		{wire.GET("/users", "admin.user.list", wire.Admin, a.listUsers, "larder user list"),
			doc{query: paged(), answer: UserList{}}},
		{wire.POST("/users", "admin.user.add", wire.Admin, a.addUser, "larder user add"),
			doc{body: NewUser{}, answer: auth.User{}, status: http.StatusCreated}},
		{wire.PATCH("/users/{name}", "admin.user.set", wire.Admin, a.changeUser, "larder user set"),
			doc{body: UserChange{}, answer: auth.User{}}},
		{wire.DELETE("/users/{name}", "admin.user.remove", wire.Admin, a.removeUser, "larder user remove"), doc{}},
		{wire.POST("/users/{name}/password", "admin.user.passwd", wire.Admin, a.setPassword, "larder user passwd"),
			doc{body: NewPassword{}}},
		{wire.GET("/tokens", "admin.token.list", wire.Admin, a.listTokens, "larder token list"),
			doc{query: paged(text("user", "only this user's")), answer: TokenList{}}},
		{wire.POST("/tokens", "admin.token.create", wire.Admin, a.createToken, "larder token create"),
			doc{body: NewToken{}, answer: CreatedToken{}, status: http.StatusCreated}},
		{wire.DELETE("/tokens/{name}", "admin.token.revoke", wire.Admin, a.revokeToken, "larder token revoke"), doc{}},
		{wire.POST("/gc", "admin.gc", wire.Admin, a.gc, "larder gc"),
			doc{body: gcRequest{}, answer: store.SweepReport{}, stream: true}},
		{wire.POST("/check", "admin.check", wire.Admin, a.check, "larder check"),
			doc{body: checkRequest{}, answer: store.CheckReport{}, stream: true}},
		{wire.POST("/rebuild", "admin.rebuild", wire.Admin, a.republish, "larder check --rebuild --publish"),
			doc{body: RebuildRequest{}, answer: []Rebuilt{}, stream: true}},
		{wire.POST("/scrub", "admin.scrub", wire.Admin, a.scrub, "larder scrub"),
			doc{body: scrubRequest{}, answer: ScrubResult{}, stream: true}},
		{wire.POST("/heal", "admin.heal", wire.Admin, a.heal,
			"larder scrub --heal: the body is the bytes of a file that is damaged here"), doc{answer: Healed{}}},
		{wire.POST("/backup", "admin.backup", wire.Admin, a.backup,
			"larder backup: a tar, its report in the trailer Larder-Report"),
			doc{body: backupRequest{}, typ: "application/x-tar", status: http.StatusOK}},
		{wire.GET("/stats", "admin.stats", wire.Admin, a.stats, "larder stats"), doc{answer: store.Stats{}}},
		{wire.GET("/traffic", "admin.traffic", wire.Admin, a.traffic, "larder traffic: what clients were answered"),
			doc{query: []openapi.Parameter{since, {Name: "by", About: "the periods", Example: "",
				Values: []string{"hour", "day", "total"}}}, answer: TrafficList{}}},
		{wire.GET("/journal", "admin.journal", wire.Admin, a.journal, "larder audit"),
			doc{query: paged(slices.Concat(entries, reading)...), answer: journalBody{}}},
		{wire.GET("/journal/archive", "admin.journal.archive", wire.Admin, a.journalArchive,
			"larder audit --archive: an entry a line, at last {last:SEQ}"),
			doc{query: slices.Concat(entries, []openapi.Parameter{whole("limit", "does nothing here")}),
				typ: "application/x-ndjson", status: http.StatusOK}},
		{wire.POST("/read-only", "admin.read-only", wire.Admin, a.readOnly,
			"refuse changes for a reason; an empty reason allows them again"),
			doc{body: readOnlyRequest{}, answer: readOnlyBody{}}},
		{wire.GET("/upstreams", "admin.upstream.list", wire.Admin, a.listUpstreams,
			"larder upstream list; sources of copies without an upstream too"), doc{answer: UpstreamList{}}},
		{wire.POST("/upstreams/check", "admin.upstream.check", wire.Admin, a.checkUpstreams, "larder upstream check"),
			doc{body: UpstreamChoice{}, answer: UpstreamChecks{}}},
		{wire.POST("/upstreams/switch", "admin.upstream.switch", wire.Admin, a.switchUpstreams,
			"larder upstream offline|online"), doc{body: UpstreamChoice{}}},
		{wire.POST("/upstreams/purge", "admin.upstream.purge", wire.Admin, a.purgeUpstreams, "larder upstream purge"),
			doc{body: UpstreamChoice{}, answer: Purged{}}},
		{wire.GET("/upstreams/misses", "admin.upstream.misses", wire.Admin, a.misses, "larder upstream misses"),
			doc{query: paged(), answer: MissList{}}},
		{wire.DELETE("/upstreams/misses", "admin.upstream.misses.clear", wire.Admin, a.clearMisses,
			"larder upstream misses --clear"), doc{}},
		{wire.GET("/claims", "admin.claim.list", wire.Admin, a.listClaims, "larder claim list"),
			doc{query: paged(ofKind, whole("hosted", "1: names of packages that are here as well"),
				text("after", "names behind this one, of the kind")), answer: ClaimList{}}},
		{wire.POST("/claims", "admin.claim", wire.Admin, a.claim, "larder claim"), doc{body: Claim{}, answer: Claim{}}},
	}
}

// grammar is what the fields of the routes mean.
var grammar = route.Grammar[request]{
	Root:  apiPrefix,
	Split: route.Split{Slash: route.SlashRefused, EscapedSlash: route.EscapeKept},
	Fields: map[string]route.Field[request]{
		"name": {
			Set: func(q *request, v string) error { q.name = v; return nil },
			Get: func(q *request) string { return url.PathEscape(q.name) },
		},
	},
	NoRoute: noRoute, Malformed: malformed,
}

func noRoute(string) error { return problem.Errorf(problem.ErrNoRoute, "the API has no such address") }

func malformed() error {
	return problem.Errorf(problem.ErrBadPath, "the path has an empty name or a malformed escape")
}
