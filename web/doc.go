// Package web serves what is not a package protocol: the pages, the probes, the metrics and the JSON API.
//
// The API says what the pages show, by the functions they ask (package catalog), and does what administrators do. It
// has one set of handlers and three ways in: /api/v1 over TCP, where the caller must have the right of the row; the
// socket DATA/admin.sock, guarded by its file mode; and, while no server runs, the command line's own process. Bodies
// are JSON objects; a POST must say Content-Type: application/json, which no form of a foreign web page can. Cookies
// count for nothing. Lists come page by page: ?limit= and ?cursor=, and next in the answer. /openapi.json describes
// all of it.
//
// # Wire table
//
// Method, path below /api/v1, operation and what it needs; the rows from api.packages on are below /packages/KIND. The
// command that uses a row, its body, its parameters and its answer stand with the rows in routes.go and packages.go,
// from which the table is made.
//
//	GET     /openapi.json             api.document                 open
//	GET     /kinds                    api.kinds                    list
//	GET     /search                   api.search                   list
//	GET     /recent                   api.recent                   list
//	GET     /setup                    api.setup                    list
//	GET     /setup/{name}             api.setup.client             list
//	GET     /me                       api.me                       login
//	GET     /me/tokens                api.me.tokens                login
//	GET     /me/sessions              api.me.sessions              login
//	GET     /users                    admin.user.list              admin
//	POST    /users                    admin.user.add               admin
//	PATCH   /users/{name}             admin.user.set               admin
//	DELETE  /users/{name}             admin.user.remove            admin
//	POST    /users/{name}/password    admin.user.passwd            admin
//	GET     /tokens                   admin.token.list             admin
//	POST    /tokens                   admin.token.create           admin
//	DELETE  /tokens/{name}            admin.token.revoke           admin
//	POST    /gc                       admin.gc                     admin
//	POST    /check                    admin.check                  admin
//	POST    /rebuild                  admin.rebuild                admin
//	POST    /scrub                    admin.scrub                  admin
//	POST    /heal                     admin.heal                   admin
//	POST    /backup                   admin.backup                 admin
//	GET     /stats                    admin.stats                  admin
//	GET     /traffic                  admin.traffic                admin
//	GET     /journal                  admin.journal                admin
//	GET     /journal/archive          admin.journal.archive        admin
//	POST    /read-only                admin.read-only              admin
//	GET     /upstreams                admin.upstream.list          admin
//	POST    /upstreams/check          admin.upstream.check         admin
//	POST    /upstreams/switch         admin.upstream.switch        admin
//	POST    /upstreams/purge          admin.upstream.purge         admin
//	GET     /upstreams/misses         admin.upstream.misses        admin
//	DELETE  /upstreams/misses         admin.upstream.misses.clear  admin
//	GET     /claims                   admin.claim.list             admin
//	POST    /claims                   admin.claim                  admin
//	GET     /                         api.packages                 list
//	GET     /{name...}/-/versions     api.versions                 read
//	GET     /{name...}/-/v/{version}  api.version                  read
//	GET     /{name...}/-/tags         api.tags                     read
//	GET     /{name...}/-/readme       api.readme                   read
//	GET     /{name...}/-/pulls        api.pulls                    read
//	GET     /{name...}/-/dependants   api.dependants               read
//	GET     /{name...}/-/history      api.history                  read
//	GET     /{name...}/-/m/{version}  api.manifest                 read
//	GET     /{name...}                api.package                  read
//
// An NDJSON answer is lines {"done":N,"total":N} (total 0: not known yet), then one line {"result":…} or
// {"error":…,"request_id":…}. Errors before that are {"error": sentence, "request_id": id} with the
// status of internal/wire's table.
//
// Other addresses, open to everyone who reaches the port. Under anonymous: none, who is not logged in gets /healthz and
// /readyz without details and no metrics; what a job failed with is for those who are logged in, always. Any user and
// any token counts.
//
//	GET /healthz  200 while the process answers; the state of its background jobs
//	GET /readyz   200 while the store takes writes, else 503 with the reasons
//	GET /metrics  Prometheus text, unless closed in the configuration
//
// The pages for people are package pages. web.go, admin.go: who is let in; paging.go: lists; document.go: OpenAPI.
package web
