package rubygems

// The registry's server: its options, and the table of everything it answers.

import (
	"cmp"
	"context"

	"larder/internal/ledger"
	"larder/internal/registry"
	"larder/internal/wire"
	"larder/store"
	"larder/upstream"
)

// Options change what the registry accepts. The zero value is right for most sites.
type Options struct {
	// MaxGem is the largest file in bytes; 0 means 1 GiB.
	MaxGem int64
	// ServeYanked goes on serving the files of yanked versions, for lock files that name them. No index shows them.
	ServeYanked bool
}

// WithDefaults returns o with the defaults in place of zero values.
func (o Options) WithDefaults() Options {
	o.MaxGem = cmp.Or(o.MaxGem, 1<<30)
	return o
}

type server struct {
	*registry.Registry[Meta]
	opt      Options
	accounts accounts       // nil when users and tokens are kept elsewhere
	list     *ledger.Reader // of /versions
	joins    joins
	compacts compacts
}

// New returns the registry's end points.
func New(d wire.Deps, o Options) wire.Protocol {
	s := newServer(d, o)
	handler := s.endpoint().Handler(d)
	return wire.Protocol{
		Name: "rubygems", Prefixes: []string{root}, Handler: handler,
		Describe: s.described(handler), Jobs: []wire.Job{{Name: "rubygems-compact", Every: compactEvery, Run: s.compactDue}},
	}
}

func newServer(d wire.Deps, o Options) *server {
	s := &server{opt: o.WithDefaults()}
	s.Registry = registry.New[Meta](d, registry.About{
		Kind: store.RubyGems, Type: typeGem, Path: cmp.Or(d.Path, root),
		Upstream: upstream.Protocol{
			Spelling: Spelling(), Probe: s.infoQuery, Files: remoteFiles, About: aboutCopy, Listing: copyListing,
			Sample: upstream.Sample{Package: "rake"},
		},
	})
	s.accounts, _ = d.Auth.(accounts)
	s.list = ledger.NewReader(d.Store, store.RubyGems, versions, s.tablesOf)
	return s
}

// tablesOf opens the kind's rows in tx.
func (s *server) tablesOf(tx *store.Tx) ledger.Tables { return kindTables(s.Repo, tx) }

func (s *server) endpoint() wire.Endpoint[Request] {
	return wire.Endpoint[Request]{
		Kind: store.RubyGems, Routes: s.routes(), Grammar: grammar, Shortcut: shortcut, Resolve: s.resolve,
		Target: target, Writer: mayWrite, Fail: fail,
	}
}

// target is what the right of an operation is about.
func target(q Request) (typ, name string) { return typeGem, q.Name }

// resolve finds the gem and the version that the name of a file stands for. If there is none, the name stands in for
// that of a gem: a client that must log in learns so whether the file exists or not.
func (s *server) resolve(ctx context.Context, _ string, q Request) (Request, error) {
	if q.Full == "" {
		return q, nil
	}
	q.Name = q.Full
	err := s.Store.View(ctx, func(tx *store.Tx) error {
		row := s.tablesOf(tx)(fullTable).Get(fullKey(q.Full))
		if row == nil {
			return nil
		}
		p, err := decodePlace(row)
		if err != nil || p.Full != q.Full {
			return err
		}
		if q.Name = p.Name; !p.Yanked || s.opt.ServeYanked {
			q.ID = p.ID
		}
		return nil
	})
	return q, err
}

// routes is everything the registry answers.
func (s *server) routes() []wire.Route[Request] {
	return []wire.Route[Request]{
		wire.GET("/", "rubygems.root", wire.List, s.root, "gem install up to 3.3, with HEAD"),
		wire.GET("/versions", "rubygems.versions", wire.List, s.getVersions, "Bundler, gem install (compact index)"),
		wire.GET("/names", "rubygems.names", wire.List, s.names, "tools (compact index)"),
		wire.GET("/info/{name}", "rubygems.info", wire.Read, s.info, "Bundler, gem install (compact index)"),
		wire.GET("/{index}.4.8.gz", "rubygems.specs", wire.List, s.specs,
			"gem search, list, fetch: specs, latest_specs, prerelease_specs"),
		wire.GET("/quick/Marshal.4.8/{full}.gemspec.rz", "rubygems.gemspec", wire.Read, s.quick, "every gem install"),
		wire.GET("/gems/{full}.gem", "rubygems.download", wire.Read, s.download, "all"),
		wire.GET("/api/v1/dependencies.{form}", "rubygems.dependencies", wire.List, s.dependencies,
			"Bundler without /versions: always 404"),
		wire.GET("/api/v1/dependencies", "rubygems.dependencies", wire.List, s.dependencies,
			"Bundler without /versions: always 404"),
		wire.POST("/api/v1/gems", "rubygems.push", wire.Body|wire.Writer, s.push,
			"gem push, also as a form with attestations"),
		wire.DELETE("/api/v1/gems/yank", "rubygems.yank", wire.Body|wire.Writer, s.yank, "gem yank"),
		wire.PUT("/api/v1/gems/unyank", "rubygems.unyank", wire.Body|wire.Writer, s.unyank, "old clients, scripts"),
		wire.POST("/api/v1/gems/restore", "rubygems.restore", wire.Body|wire.Writer, s.restore,
			"administrators (only here)"),
		wire.GET("/api/v1/gems.json", "rubygems.own", wire.List, s.own, "scripts"),
		wire.GET("/api/v1/gems/{name}.json", "rubygems.show", wire.Read, s.show, "bots"),
		wire.GET("/api/v1/gems/{name}/owners.{form}", "rubygems.owners", wire.Read, s.owners, "gem owner: json or yaml"),
		wire.POST("/api/v1/gems/{owned}/owners", "rubygems.owner.add", wire.Write, s.addOwner, "gem owner --add"),
		wire.DELETE("/api/v1/gems/{owned}/owners", "rubygems.owner.remove", wire.Write, s.removeOwner,
			"gem owner --remove"),
		wire.PATCH("/api/v1/gems/{owned}/owners", "rubygems.owner.change", wire.Write, s.changeOwner, "scripts"),
		wire.GET("/api/v1/versions/{name}/latest.json", "rubygems.latest", wire.Read, s.latest, "dashboards"),
		wire.GET("/api/v1/versions/{name}.json", "rubygems.releases", wire.Read, s.releases, "bots"),
		wire.GET("/api/v2/rubygems/{name}/versions/{version}.json", "rubygems.release", wire.Read, s.release, "bots"),
		wire.GET("/api/v1/search.json", "rubygems.search", wire.List, s.search, "scripts"),
		wire.GET("/api/v1/timeframe_versions.json", "rubygems.timeframe", wire.List, s.timeframe, "mirrors"),
		wire.GET("/api/v1/activity/latest.json", "rubygems.activity.latest", wire.List, s.newGems, "bots"),
		wire.GET("/api/v1/activity/just_updated.json", "rubygems.activity.updated", wire.List, s.updated, "bots"),
		wire.GET("/api/v1/attestations/{full}.json", "rubygems.attestations", wire.Read, s.attestations,
			"the Sigstore plugin"),
		wire.GET("/api/v1/downloads.json", "rubygems.downloads.all", wire.List, s.allDownloads,
			"dashboards: of all gems"),
		wire.GET("/api/v1/downloads/{full}.json", "rubygems.downloads", wire.Read, s.downloads,
			"badges, dashboards: of a version and its gem"),
		wire.POST("/api/v1/api_key", "rubygems.key.create", wire.Login, s.createKey, "gem signin, gem push without a key"),
		wire.PUT("/api/v1/api_key", "rubygems.key.change", wire.Login, s.changeKey,
			"clients whose key lacks a scope: always 403"),
		wire.GET("/api/v1/api_key.{form}", "rubygems.key", wire.Open, s.showKey, "clients up to 3.1: always 410"),
		wire.GET("/api/v1/api_key", "rubygems.key", wire.Open, s.showKey, "clients up to 3.1: always 410"),
		wire.GET("/api/v1/profile/me.{form}", "rubygems.profile", wire.Login, s.profile, "gem signin"),
		wire.POST("/api/v1/webauthn_verification", "rubygems.webauthn", wire.Login, s.webAuthn,
			"clients asked for a code: always 422"),
		wire.POST("/api/v1/larder/compact", "rubygems.compact", wire.Admin, s.compact,
			"operators: a short /versions now (only here)"),
	}
}
