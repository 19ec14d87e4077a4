package composer

// The registry's server: its options, and the table of everything it answers.

import (
	"cmp"
	"context"
	"net/http"

	"larder/auth"
	"larder/composer/version"
	"larder/internal/advisory"
	"larder/internal/problem"
	"larder/internal/registry"
	"larder/internal/wire"
	"larder/store"
	"larder/upstream"
)

// Options change what the registry accepts. The zero value is right for most sites.
type Options struct {
	// MaxArchive is the largest archive in bytes; 0 means 1 GiB.
	MaxArchive int64
}

// WithDefaults is o with what a registry uses that nobody configured in the place of what is zero.
func (o Options) WithDefaults() Options {
	o.MaxArchive = cmp.Or(o.MaxArchive, 1<<30)
	return o
}

type server struct {
	*registry.Registry[Meta]
	opt     Options
	files   *store.Memo[string, store.File]
	counter *limiter
	advised *advisory.Table[advised]
}

// New returns the registry's end points.
func New(d wire.Deps, o Options) wire.Protocol {
	s := newServer(d, o)
	handler := s.endpoint().Handler(d)
	return wire.Protocol{
		Name: "composer", Prefixes: []string{root}, Handler: handler, Describe: s.described(handler),
	}
}

func newServer(d wire.Deps, o Options) *server {
	s := &server{
		opt: o.WithDefaults(), counter: newLimiter(),
		files:   store.NewMemo[string, store.File](d.Store, store.Composer),
		advised: advisory.NewTable[advised](d.Store, store.Composer),
	}
	s.Registry = registry.New[Meta](d, registry.About{
		Kind: store.Composer, Type: typePackage, Path: root, Private: true,
		Upstream: upstream.Protocol{
			Spelling: Spelling(), Probe: s.probe, Files: remoteFiles, About: aboutCopy, Listing: copyListing,
			Release: func(v string) string { n, _ := version.Normalize(v); return n },
			Sample:  upstream.Sample{Package: "psr/log"},
		},
	})
	s.advised.Changed = s.restamp
	return s
}

func (s *server) endpoint() wire.Endpoint[Request] {
	return wire.Endpoint[Request]{
		Kind: store.Composer, Routes: s.routes(), Grammar: grammar, Shortcut: shortcut, Target: target,
		Writer: mayWrite, Fail: fail,
	}
}

// target is what the right of an operation is about.
func target(q Request) (typ, name string) { return typePackage, q.Name }

// mayWrite refuses who may change nothing, for an upload that names its package only in the archive.
func mayWrite(ctx context.Context) error {
	switch id := wire.IdentityFrom(ctx); {
	case id.Anonymous:
		return problem.Errorf(auth.ErrNoCredentials, "This needs a login: give a user name and a token.")
	case id.ReadOnly:
		return problem.Errorf(auth.ErrDenied, "The token is read-only.")
	}
	return nil
}

// routes is everything the registry answers. The dialects of uploads are those of the registries named.
func (s *server) routes() []wire.Route[Request] {
	return []wire.Route[Request]{
		wire.GET("/packages.json", "composer.root", wire.List, s.getRoot, "composer, always (Composer, Repositories)"),
		wire.GET("/", "composer.root", wire.List, s.getRoot, "the browser"),
		wire.PUT("/", "composer.put", wire.Body|wire.Writer, s.upload,
			"curl -T, CI: ?version=, ?src-type= …, ?private=1 (Gitea)"),
		wire.PUT("/{file}", "composer.put", wire.Body|wire.Writer, s.upload,
			"curl -T to an address with a slash at its end: the file's name says nothing (Gitea)"),
		wire.GET("/p2/{releases...}.json", "composer.metadata", wire.Read, s.getMetadata,
			"composer require, update, show, audit (Composer, Repositories)"),
		wire.GET("/p2/{branches...}~dev.json", "composer.metadata", wire.Read, s.getMetadata,
			"composer, where branches are allowed (Composer, Repositories)"),
		wire.GET("/dists/{vendor}/{base}/{normalized...}/{archive}", "composer.dist", wire.Read, s.getDist,
			"composer install, also without any metadata (Composer, Repositories)"),
		wire.GET("/packages/{vendor}/{base}.json", "composer.info", wire.Read, s.getInfo,
			"dashboards, update bots (the public registry's API)"),
		wire.GET("/packages/{vendor}/{base}/stats.json", "composer.stats", wire.Read, s.getStats,
			"dashboards (the public registry's API)"),
		wire.GET("/list.json", "composer.list", wire.List, s.getList,
			"composer search -N, show -a 'acme/*', completion (Composer, Repositories)"),
		wire.GET("/packages/list.json", "composer.list", wire.List, s.getList,
			"tools: the same (the public registry's API)"),
		wire.GET("/search.json", "composer.search", wire.List, s.search, "composer search (Composer, Repositories)"),
		wire.GET("/providers/{provided...}.json", "composer.providers", wire.List, s.getProviders,
			"composer, when a name cannot be resolved (Composer, Repositories)"),
		wire.POST("/downloads/", "composer.notify", wire.List, s.notify,
			"composer, after every install (Composer, Repositories)"),
		wire.GET("/api/security-advisories/", "composer.audit", wire.List, s.audit,
			"tools: ?packages[]=, ?updatedSince= (the public registry's API)"),
		wire.POST("/api/security-advisories/", "composer.audit", wire.List, s.audit,
			"composer audit (Composer, Repositories)"),
		wire.GET("/filter-summary.json", "composer.filter", wire.List, s.getFilter,
			"composer from 2.10 on, before every install (Composer, Repositories)"),
		wire.GET("/metadata/changes.json", "composer.changes", wire.List, s.getChanges,
			"mirrors: ?since= (the public registry's API)"),
		wire.PUT("/packages/upload/{vendor}/{base}/{version...}", "composer.upload", wire.Create, s.upload,
			"composer push, curl: the archive or a form (Nexus)"),
		wire.POST("/packages/upload/{vendor}/{base}/{version...}", "composer.upload", wire.Create, s.upload,
			"the same (Nexus)"),
		wire.PUT("/packages/{vendor}/{base}", "composer.upload", wire.Create, s.upload,
			"curl: the archive, whose composer.json or ?version= has the version"),
		wire.PUT("/{artifact...}", "composer.upload", wire.Create, s.upload,
			"composer push, curl: /acme/demo/demo-1.0.0.zip; ?properties=composer.version= (Artifactory)"),
		wire.DELETE("/packages/{vendor}/{base}/versions/{shown...}", "composer.version.delete",
			wire.Delete|wire.Existing, s.deleteVersion, "curl: ?purge=1 removes the archive as well (only here)"),
		wire.DELETE("/packages/{vendor}/{base}/{shown...}", "composer.version.delete",
			wire.Delete|wire.Existing, s.deleteVersion, "curl: the same"),
		wire.DELETE("/packages/{vendor}/{base}", "composer.package.delete", wire.Delete|wire.Existing, s.deletePackage,
			"curl: ?purge=1 (only here)"),
		wire.GET("/packages/{vendor}/{base}/settings", "composer.settings", wire.Read, s.getSettings,
			"operators (only here)"),
		wire.PUT("/packages/{vendor}/{base}/settings", "composer.settings.set", wire.Write|wire.Existing, s.setSettings,
			`operators: {"private": true, "abandoned": "acme/other"} (only here)`),
		wire.GET("/{vendor}/{base}/stats.json", "composer.stats", wire.Read, s.getStats,
			"dashboards (the public registry's API)"),
		wire.GET("/api/advisories", "composer.advisories", wire.Admin, plain(s.advised.Get), "operators (only here)"),
		wire.PUT("/api/advisories", "composer.advisories.set", wire.Admin, plain(s.advised.Set),
			"operators: an array, or another registry's answer, replaces all (only here)"),
	}
}

// plain is an operation whose request line says nothing more.
func plain(f func(http.ResponseWriter, *http.Request) error) wire.Serve[Request] {
	return func(w http.ResponseWriter, r *http.Request, _ Request) error { return f(w, r) }
}
