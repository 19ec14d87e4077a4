// Package web serves what is not a package protocol: the page at /, the probes, the metrics and the JSON admin API.
//
// The admin API has one set of handlers and three ways in: /api/v1 over TCP, where the caller must be an administrator;
// the socket DATA/admin.sock, guarded by its file mode; and, while no server runs, the command line's own process.
// Bodies are JSON objects; a POST must say Content-Type: application/json, which no form of a foreign web page can.
//
// Wire table (method, path below /api/v1, operation; all need admin):
//
//	GET    /users                  admin.user.list     larder user list
//	POST   /users                  admin.user.add      larder user add: {"name","password","admin","scopes"}
//	PATCH  /users/NAME             admin.user.set      larder user set: {"admin","disabled","scopes"}
//	DELETE /users/NAME             admin.user.remove   larder user remove
//	POST   /users/NAME/password    admin.user.passwd   larder user passwd: {"password","revoke_tokens"}
//	GET    /tokens                 admin.token.list    larder token list; ?user=NAME
//	POST   /tokens                 admin.token.create  larder token create: {"user","name","scopes","expires","read_only","cidrs"}
//	DELETE /tokens/ID              admin.token.revoke  larder token revoke
//	POST   /gc                     admin.gc            larder gc: {"dry_run","grace_seconds"}; answers NDJSON
//	POST   /check                  admin.check         larder check: {"deep"}; answers NDJSON
//	POST   /rebuild                admin.rebuild       larder check --rebuild --publish: {"publish","as"}; answers NDJSON
//	POST   /scrub                  admin.scrub         larder scrub: {"rate"}; answers NDJSON
//	POST   /heal                   admin.heal          larder scrub --heal: the bytes of a file that is damaged here
//	POST   /backup                 admin.backup        larder backup; answers a tar, its report in the trailer Larder-Report
//	GET    /stats                  admin.stats         larder stats
//	GET    /journal                admin.journal       larder audit; ?after=SEQ, or ?tail=1 ?before=SEQ; ?limit=N ?kind= ?package= ?user= ?op= ?since=TIME ?wait=SECONDS
//	GET    /journal/archive        admin.journal.archive  larder audit --archive: NDJSON, an entry a line, at last {"last":SEQ}; ?after= and the filters
//	POST   /read-only              admin.read-only     {"reason"}: refuse changes; an empty reason allows them again
//	GET    /upstreams              admin.upstream.list          larder upstream list; sources of copies without an upstream too
//	POST   /upstreams/check        admin.upstream.check         larder upstream check: {"kind","name"}
//	POST   /upstreams/switch       admin.upstream.switch        larder upstream offline|online: {"kind","name","offline"}
//	POST   /upstreams/purge        admin.upstream.purge         larder upstream purge: {"kind","package","no_upstream"}
//	GET    /upstreams/misses       admin.upstream.misses        larder upstream misses
//	DELETE /upstreams/misses       admin.upstream.misses.clear  larder upstream misses --clear
//	GET    /claims                 admin.claim.list             larder claim list; ?kind= ?hosted=1 ?after=NAME
//	POST   /claims                 admin.claim                  larder claim: {"kind","name","release"}
//
// An NDJSON answer is lines {"done":N,"total":N} (total 0: not known yet), then one line {"result":…} or {"error":…,"request_id":…}.
// Errors before that are {"error": sentence, "request_id": id} with the status of internal/wire's table.
//
// Other addresses, open to everyone who reaches the port. Under anonymous: none, who is not logged in gets /healthz and
// /readyz without details and no metrics; what a job failed with is for those who are logged in, always. Any user and
// any token counts.
//
//	GET /         what this server is and how to use it, for people
//	GET /healthz  200 while the process answers; the state of its background jobs
//	GET /readyz   200 while the store takes writes, else 503 with the reasons
//	GET /metrics  Prometheus text, unless closed in the configuration
package web
