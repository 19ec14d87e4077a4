package web

// The admin API's table of routes, and how its paths become requests.

import (
	"net/url"

	"larder/internal/problem"
	"larder/internal/route"
	"larder/internal/wire"
)

// apiPrefix is where the admin API lives, over TCP and on the socket alike.
const apiPrefix = "/api/v1"

// request is one parsed request of the admin API.
type request struct {
	// name is the user of user operations and the token's id of token operations; empty for lists.
	name string
}

// routes is everything the admin API answers: each needs an administrator. Next to a route stands the command that uses
// it, the fields of its body and its parameters; doc.go shows the table.
func (a *api) routes() []wire.Route[request] {
	return []wire.Route[request]{
		wire.GET("/users", "admin.user.list", wire.Admin, a.listUsers, "larder user list"),
		wire.POST("/users", "admin.user.add", wire.Admin, a.addUser, "larder user add: with name, password, admin, scopes"),
		wire.PATCH("/users/{name}", "admin.user.set", wire.Admin, a.changeUser,
			"larder user set: with admin, disabled, scopes"),
		wire.DELETE("/users/{name}", "admin.user.remove", wire.Admin, a.removeUser, "larder user remove"),
		wire.POST("/users/{name}/password", "admin.user.passwd", wire.Admin, a.setPassword,
			"larder user passwd: with password, revoke_tokens"),
		wire.GET("/tokens", "admin.token.list", wire.Admin, a.listTokens, "larder token list; ?user=NAME"),
		wire.POST("/tokens", "admin.token.create", wire.Admin, a.createToken,
			"larder token create: with user, name, scopes, expires, read_only, cidrs"),
		wire.DELETE("/tokens/{name}", "admin.token.revoke", wire.Admin, a.revokeToken, "larder token revoke"),
		wire.POST("/gc", "admin.gc", wire.Admin, a.gc, "larder gc: with dry_run, grace_seconds; answers NDJSON"),
		wire.POST("/check", "admin.check", wire.Admin, a.check, "larder check: with deep; answers NDJSON"),
		wire.POST("/rebuild", "admin.rebuild", wire.Admin, a.republish,
			"larder check --rebuild --publish: with publish, as; answers NDJSON"),
		wire.POST("/scrub", "admin.scrub", wire.Admin, a.scrub, "larder scrub: with rate; answers NDJSON"),
		wire.POST("/heal", "admin.heal", wire.Admin, a.heal,
			"larder scrub --heal: the bytes of a file that is damaged here"),
		wire.POST("/backup", "admin.backup", wire.Admin, a.backup,
			"larder backup; answers a tar, its report in the trailer Larder-Report"),
		wire.GET("/stats", "admin.stats", wire.Admin, a.stats, "larder stats"),
		wire.GET("/traffic", "admin.traffic", wire.Admin, a.traffic,
			"larder traffic: what clients were answered; ?since=TIME ?by=hour|day|total"),
		wire.GET("/journal", "admin.journal", wire.Admin, a.journal,
			"larder audit; ?after=SEQ, or ?tail=1 ?before=SEQ; ?limit=N ?kind= ?package= ?user= ?op= ?since=TIME "+
				"?wait=SECONDS"),
		wire.GET("/journal/archive", "admin.journal.archive", wire.Admin, a.journalArchive,
			"larder audit --archive: NDJSON, an entry a line, at last {last:SEQ}; ?after= and the filters"),
		wire.POST("/read-only", "admin.read-only", wire.Admin, a.readOnly,
			"with reason: refuse changes; an empty reason allows them again"),
		wire.GET("/upstreams", "admin.upstream.list", wire.Admin, a.listUpstreams,
			"larder upstream list; sources of copies without an upstream too"),
		wire.POST("/upstreams/check", "admin.upstream.check", wire.Admin, a.checkUpstreams,
			"larder upstream check: with kind, name, package"),
		wire.POST("/upstreams/switch", "admin.upstream.switch", wire.Admin, a.switchUpstreams,
			"larder upstream offline|online: with kind, name, offline"),
		wire.POST("/upstreams/purge", "admin.upstream.purge", wire.Admin, a.purgeUpstreams,
			"larder upstream purge: with kind, package, no_upstream"),
		wire.GET("/upstreams/misses", "admin.upstream.misses", wire.Admin, a.misses, "larder upstream misses"),
		wire.DELETE("/upstreams/misses", "admin.upstream.misses.clear", wire.Admin, a.clearMisses,
			"larder upstream misses --clear"),
		wire.GET("/claims", "admin.claim.list", wire.Admin, a.listClaims,
			"larder claim list; ?kind= ?hosted=1 ?after=NAME"),
		wire.POST("/claims", "admin.claim", wire.Admin, a.claim, "larder claim: with kind, name, release"),
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
	NoRoute: func(string) error {
		return problem.Errorf(problem.ErrNoRoute, "the admin API has no such address")
	},
	Malformed: func() error {
		return problem.Errorf(problem.ErrBadPath, "the path has an empty name or a malformed escape")
	},
}
