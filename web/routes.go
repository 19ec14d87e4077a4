package web

import (
	"net/http"
	"net/url"
	"strings"

	"larder/internal/problem"
	"larder/internal/wire"
)

// apiPrefix is where the admin API lives, over TCP and on the socket alike.
const apiPrefix = "/api/v1"

// request is one parsed request of the admin API.
type request struct {
	op string
	// name is the user of user operations and the token's id of token operations; empty for lists.
	name string
	// query holds the parameters of lists; the handlers check them.
	query url.Values
}

// route is one row of the grammar: a path whose segment "*" is the request's name.
type route struct {
	method, path, op string
}

// routes is the grammar; doc.go shows it with the bodies.
func routes() []route {
	return []route{
		{http.MethodGet, "users", "admin.user.list"},
		{http.MethodPost, "users", "admin.user.add"},
		{http.MethodPatch, "users/*", "admin.user.set"},
		{http.MethodDelete, "users/*", "admin.user.remove"},
		{http.MethodPost, "users/*/password", "admin.user.passwd"},
		{http.MethodGet, "tokens", "admin.token.list"},
		{http.MethodPost, "tokens", "admin.token.create"},
		{http.MethodDelete, "tokens/*", "admin.token.revoke"},
		{http.MethodPost, "gc", "admin.gc"},
		{http.MethodPost, "check", "admin.check"},
		{http.MethodPost, "rebuild", "admin.rebuild"},
		{http.MethodPost, "scrub", "admin.scrub"},
		{http.MethodPost, "heal", "admin.heal"},
		{http.MethodPost, "backup", "admin.backup"},
		{http.MethodGet, "stats", "admin.stats"},
		{http.MethodGet, "journal", "admin.journal"},
		{http.MethodGet, "journal/archive", "admin.journal.archive"},
		{http.MethodPost, "read-only", "admin.read-only"},
		{http.MethodGet, "upstreams", "admin.upstream.list"},
		{http.MethodPost, "upstreams/check", "admin.upstream.check"},
		{http.MethodPost, "upstreams/switch", "admin.upstream.switch"},
		{http.MethodPost, "upstreams/purge", "admin.upstream.purge"},
		{http.MethodGet, "upstreams/misses", "admin.upstream.misses"},
		{http.MethodDelete, "upstreams/misses", "admin.upstream.misses.clear"},
		{http.MethodGet, "claims", "admin.claim.list"},
		{http.MethodPost, "claims", "admin.claim"},
	}
}

// ops is the operations table: every operation needs an administrator.
func (a *api) ops() []wire.Route[request] {
	return []wire.Route[request]{
		{Op: "admin.user.list", Need: wire.Admin, Serve: a.listUsers},
		{Op: "admin.user.add", Need: wire.Admin, Serve: a.addUser},
		{Op: "admin.user.set", Need: wire.Admin, Serve: a.changeUser},
		{Op: "admin.user.remove", Need: wire.Admin, Serve: a.removeUser},
		{Op: "admin.user.passwd", Need: wire.Admin, Serve: a.setPassword},
		{Op: "admin.token.list", Need: wire.Admin, Serve: a.listTokens},
		{Op: "admin.token.create", Need: wire.Admin, Serve: a.createToken},
		{Op: "admin.token.revoke", Need: wire.Admin, Serve: a.revokeToken},
		{Op: "admin.gc", Need: wire.Admin, Serve: a.gc},
		{Op: "admin.check", Need: wire.Admin, Serve: a.check},
		{Op: "admin.rebuild", Need: wire.Admin, Serve: a.republish},
		{Op: "admin.scrub", Need: wire.Admin, Serve: a.scrub},
		{Op: "admin.heal", Need: wire.Admin, Serve: a.heal},
		{Op: "admin.backup", Need: wire.Admin, Serve: a.backup},
		{Op: "admin.stats", Need: wire.Admin, Serve: a.stats},
		{Op: "admin.journal", Need: wire.Admin, Serve: a.journal},
		{Op: "admin.journal.archive", Need: wire.Admin, Serve: a.journalArchive},
		{Op: "admin.read-only", Need: wire.Admin, Serve: a.readOnly},
		{Op: "admin.upstream.list", Need: wire.Admin, Serve: a.listUpstreams},
		{Op: "admin.upstream.check", Need: wire.Admin, Serve: a.checkUpstreams},
		{Op: "admin.upstream.switch", Need: wire.Admin, Serve: a.switchUpstreams},
		{Op: "admin.upstream.purge", Need: wire.Admin, Serve: a.purgeUpstreams},
		{Op: "admin.upstream.misses", Need: wire.Admin, Serve: a.misses},
		{Op: "admin.upstream.misses.clear", Need: wire.Admin, Serve: a.clearMisses},
		{Op: "admin.claim.list", Need: wire.Admin, Serve: a.listClaims},
		{Op: "admin.claim", Need: wire.Admin, Serve: a.claim},
	}
}

// parse reads a request line; it is pure. HEAD is answered like GET.
func parse(method, escapedPath string, query url.Values) (string, request, error) {
	rest, ok := strings.CutPrefix(escapedPath, apiPrefix+"/")
	if !ok {
		return "", request{}, problem.Errorf(problem.ErrNoRoute, "the admin API has no such address")
	}
	if method == http.MethodHead {
		method = http.MethodGet
	}
	segments := strings.Split(rest, "/")
	var allowed []string
	for _, rt := range routes() {
		name, ok, err := match(rt.path, segments)
		if err != nil {
			return "", request{}, err
		}
		if ok && rt.method == method {
			return rt.op, request{op: rt.op, name: name, query: query}, nil
		}
		if ok {
			allowed = append(allowed, rt.method)
		}
	}
	if len(allowed) > 0 {
		return "", request{}, problem.NotAllowed(allowed...)
	}
	return "", request{}, problem.Errorf(problem.ErrNoRoute, "the admin API has no such address")
}

// match compares the segments with a row's path and unescapes what stands in the place of "*".
func match(path string, segments []string) (name string, ok bool, err error) {
	want := strings.Split(path, "/")
	if len(want) != len(segments) {
		return "", false, nil
	}
	for i, w := range want {
		switch {
		case w != "*" && w != segments[i]:
			return "", false, nil
		case w == "*":
			if name, err = url.PathUnescape(segments[i]); err != nil {
				return "", false, problem.Errorf(problem.ErrBadPath, "the path holds a malformed escape")
			}
			if name == "" || name == "." || name == ".." {
				return "", false, problem.Errorf(problem.ErrBadPath, "the path holds an empty name")
			}
		}
	}
	return name, true, nil
}

// link is the inverse of parse: the method and path of an operation.
func link(q request) (method, path string) {
	for _, rt := range routes() {
		if rt.op == q.op {
			return rt.method, apiPrefix + "/" + strings.Replace(rt.path, "*", url.PathEscape(q.name), 1)
		}
	}
	return "", ""
}
