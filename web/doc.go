// Package web serves what is not a package protocol: the pages, the probes, the metrics and the JSON admin API.
//
// The admin API has one set of handlers and three ways in: /api/v1 over TCP, where the caller must be an administrator;
// the socket DATA/admin.sock, guarded by its file mode; and, while no server runs, the command line's own process.
// Bodies are JSON objects; a POST must say Content-Type: application/json, which no form of a foreign web page can.
//
// # Wire table
//
// Method, path below /api/v1, operation and what it needs; the command that uses it, its body and its parameters stand
// with the routes in routes.go, from which the table is made.
//
//	GET     /users                  admin.user.list              admin
//	POST    /users                  admin.user.add               admin
//	PATCH   /users/{name}           admin.user.set               admin
//	DELETE  /users/{name}           admin.user.remove            admin
//	POST    /users/{name}/password  admin.user.passwd            admin
//	GET     /tokens                 admin.token.list             admin
//	POST    /tokens                 admin.token.create           admin
//	DELETE  /tokens/{name}          admin.token.revoke           admin
//	POST    /gc                     admin.gc                     admin
//	POST    /check                  admin.check                  admin
//	POST    /rebuild                admin.rebuild                admin
//	POST    /scrub                  admin.scrub                  admin
//	POST    /heal                   admin.heal                   admin
//	POST    /backup                 admin.backup                 admin
//	GET     /stats                  admin.stats                  admin
//	GET     /traffic                admin.traffic                admin
//	GET     /journal                admin.journal                admin
//	GET     /journal/archive        admin.journal.archive        admin
//	POST    /read-only              admin.read-only              admin
//	GET     /upstreams              admin.upstream.list          admin
//	POST    /upstreams/check        admin.upstream.check         admin
//	POST    /upstreams/switch       admin.upstream.switch        admin
//	POST    /upstreams/purge        admin.upstream.purge         admin
//	GET     /upstreams/misses       admin.upstream.misses        admin
//	DELETE  /upstreams/misses       admin.upstream.misses.clear  admin
//	GET     /claims                 admin.claim.list             admin
//	POST    /claims                 admin.claim                  admin
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
// The pages for people are package pages.
package web
