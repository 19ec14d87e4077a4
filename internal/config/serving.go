package config

// This file has the settings of the server itself: addresses, access, log, limits and upkeep.

import (
	"net"
	"net/url"
	"strconv"

	"larder/auth"
)

func serving() group {
	return group{
		title: "Data and addresses",
		rows: []setting{
			{name: "data", help: "folder that holds everything",
				more: "The database, the files, uploads in flight and the admin socket are in it. It is made if it is not " +
					"there. One server at a time has it open.",
				example: "data: /srv/larder",
				at:      func(c *Config) any { return &c.Data },
				must:    notEmpty("must name a folder")},
			{name: "listen", help: "TCP address `host:port`; port 0 picks a free one",
				more: "The default can be reached from this machine only. `0.0.0.0:8080` is every IPv4 address of the machine, " +
					"`:8080` every address.",
				example: "listen: 0.0.0.0:8443",
				at:      func(c *Config) any { return &c.Listen },
				must:    check{find: checkListen}},
			{name: "addr-file", help: "write the bound host:port to this file once ready",
				more:  "For scripts that start the server with port 0, or wait until it answers.",
				unset: "no file is written",
				at:    func(c *Config) any { return &c.AddrFile }},
			{name: "public-url", help: "URL clients use, put into documents",
				more: "Behind a reverse proxy that ends TLS or adds a path, this is the address in front of it. Package clients " +
					"are sent to files by the URLs in documents, so a wrong one breaks downloads.",
				example: "public-url: https://registry.example.com/larder",
				unset:   "taken from each request",
				at:      func(c *Config) any { return &c.PublicURL },
				must:    check{find: checkPublicURL}},
			{name: "trusted-proxies", help: "addresses or CIDRs whose Forwarded headers are trusted",
				more: "The headers `Forwarded` and `X-Forwarded-…` of these peers say which address, scheme and host the " +
					"client used. Those of all other peers are ignored.",
				example: "trusted-proxies: [10.0.0.0/8, 192.0.2.1]",
				unset:   "no peer is trusted",
				at:      func(c *Config) any { return &c.TrustedProxies }},
			{name: "tls-cert", help: "PEM file with the certificate chain",
				more: "It is set together with `tls-key`. After a renewal send the server SIGHUP: it reads both files again " +
					"without closing connections.",
				example: "tls-cert: /etc/larder/cert.pem\ntls-key: /etc/larder/key.pem",
				unset:   "plain HTTP",
				at:      func(c *Config) any { return &c.TLSCert }},
			{name: "tls-key", help: "PEM file with the certificate's key",
				unset: "plain HTTP",
				at:    func(c *Config) any { return &c.TLSKey }},
			{name: "h2c", help: "upgrade plain-http clients that ask for it to HTTP/2",
				more: "Cargo and `curl --http2` ask. With TLS, HTTP/2 is always spoken.",
				at:   func(c *Config) any { return &c.H2C }},
		},
		check: func(c *Config, p *Problems) {
			p.check((c.TLSCert == "") == (c.TLSKey == ""), "tls-cert and tls-key must be set together")
		},
	}
}

func checkListen(name string, v value, p *Problems) {
	_, port, err := net.SplitHostPort(v.String())
	_, bad := strconv.ParseUint(port, 10, 16)
	p.check(err == nil && bad == nil, "%s is %q; it must be host:port such as 127.0.0.1:8080", name, v)
}

func checkPublicURL(name string, v value, p *Problems) {
	if v.String() == "" {
		return
	}
	u, err := url.Parse(v.String())
	if err == nil && u.User != nil {
		p.check(false, "%s must not contain a user or password", name)
		return
	}
	web := err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
	p.check(web && u.RawQuery == "" && u.Fragment == "",
		"%s is %q; it must be http://host or https://host, with a path if the server is behind one", name, v)
}

func access() group {
	return group{
		title: "Access",
		about: "Users, tokens and what each may do are kept in the data folder: see `larder user` and `larder token`.",
		rows: []setting{
			{name: "anonymous", help: "what requests without credentials may do: read or none",
				more: "With `none` nobody reads without a login, and `/metrics` and the details of `/healthz` need one too. " +
					"Writing always needs a login.",
				example: "anonymous: none",
				at:      func(c *Config) any { return &c.Auth.Anonymous },
				must:    oneOf("read", "none")},
			{name: "private", help: "patterns kind:type:name that anonymous never reads",
				more: "Such a package looks absent to whoever has no grant for it, whatever `anonymous` says. `*` matches any " +
					"run of characters. The types are `oci:repository`, `npm:package`, `pypi:package`, `cargo:crate`, " +
					"`maven:artifact`, `composer:package` and `rubygems:gem`.",
				example: "private: [\"oci:repository:secret/*\", \"npm:package:@acme/*\"]",
				unset:   "nothing is private",
				at:      func(c *Config) any { return &c.Auth.Private },
				must: each("private pattern %q is not kind:type:name such as oci:repository:secret/*", func(s string) bool {
					_, err := auth.ParsePattern(s)
					return err == nil
				}),
			},
			{name: "read-only", help: "refuse every change",
				more: "From the first request on. Everything can still be read.",
				at:   func(c *Config) any { return &c.Store.ReadOnly }},
			{name: "admin-password", help: "password that the first start gives to user admin",
				more: "Only the start on a folder without users reads it. It is taken from the variable alone, so that no file " +
					"and no list of processes shows it.",
				unset: "a random one is made and printed once",
				at:    func(c *Config) any { return &c.AdminPassword },
				only:  fromVariable},
		},
	}
}

func logging() group {
	return group{
		title: "Log and metrics",
		rows: []setting{
			{name: "log", help: "form of the log on stderr: text or json",
				at:   func(c *Config) any { return &c.Log },
				must: oneOf("text", "json")},
			{name: "log-level", help: "least severe level logged: debug, info, warn or error",
				at:   func(c *Config) any { return &c.LogLevel },
				must: oneOf("debug", "info", "warn", "error")},
			{name: "metrics", help: "serve /metrics, to everyone who reaches the port unless anonymous is none",
				more: "The figures are in the format of Prometheus. Under `anonymous: none` they need a login; a token will do.",
				at:   func(c *Config) any { return &c.Metrics }},
		},
	}
}

func upkeep() group {
	return group{
		title: "Memory, disk and upkeep",
		about: "Sizes are written as `512MiB` (powers of two), `10GB` (powers of ten) or in bytes; durations as `90d`, " +
			"`12h`, `30m` or `1d12h`.",
		rows: []setting{
			{name: "memory", help: "memory that all requests together may hold",
				more: "Bodies, documents of upstreams and lists count. A request that finds it in use waits five seconds and is " +
					"then answered 503 with `Retry-After`. The program needs about 96 MiB beside it for itself and its caches: " +
					"unless the variable `GOMEMLIMIT` is set, the two together are the limit of Go's memory.",
				at:   func(c *Config) any { return &c.Memory },
				must: between(32<<20, 1<<40)},
			{name: "reserve", help: "free disk space below which uploads are refused",
				more: "Uploads and copies of upstreams are then answered 507; reading, deleting and administration go on.",
				at:   func(c *Config) any { return &c.Store.Reserve },
				must: positive()},
			{name: "grace", help: "how long unreferenced bytes are kept",
				more: "Files that nothing refers to any more are removed after this time, by the server every five minutes and " +
					"by `larder gc`. It must be longer than the longest push, whose first layers nothing refers to yet.",
				at:   func(c *Config) any { return &c.Store.Grace },
				must: positive()},
			{name: "scrub-period", help: "read every file again within this time and find what went bad; 0 switches it off",
				more: "Each file is compared with its digest. A damaged copy is fetched again; other damage is shown by " +
					"`/healthz`, the metrics and `larder check`, by package.",
				at: func(c *Config) any { return &c.ScrubPeriod }},
			{name: "scrub-rate", help: "bytes a second that scrub-period reads at most",
				at:   func(c *Config) any { return &c.ScrubRate },
				must: positive()},
			{name: "journal.keep", help: "how long changes stay in the database's journal; 0 keeps all",
				more: "Older entries move to monthly archives in the folder `journal`, which `larder audit --archive` reads. At " +
					"least `7d`, or `0`: clients' feeds read back for days.",
				example: "journal: {keep: 90d}",
				at:      func(c *Config) any { return &c.JournalKeep },
				must:    check{find: checkJournal}},
			{name: "shutdown-timeout", help: "how long requests in flight may take to finish when stopping",
				more: "What is not done then is cut off.",
				at:   func(c *Config) any { return &c.ShutdownTimeout },
				must: positive()},
			{name: "accept-new-database", help: "start although the database is missing, empty or another folder's",
				more: "Without it such a folder does not start, because every file in it would look unwanted. With it, files " +
					"without a record are kept in `orphans` for 7 days. It is a flag only: what is accepted once must not be " +
					"accepted for ever.",
				at:   func(c *Config) any { return &c.Store.AcceptNewDatabase },
				only: fromFlag},
			{name: "accept-missing-blobs", help: "start although many of the blobs that the database knows are missing",
				more: "For looking at what is left of a folder that lost files.",
				at:   func(c *Config) any { return &c.Store.AcceptMissingBlobs },
				only: fromFlag},
		},
	}
}

func checkJournal(name string, v value, p *Problems) {
	keep := *v.(*Duration)
	p.check(keep == 0 || keep.Std() >= 7*day,
		"%s is %s; it must be 0 (keep all) or at least 7d: clients' feeds read back for days", name, keep)
}
