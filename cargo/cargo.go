package cargo

// This file has the registry's options, its server, and the table of everything it answers.

import (
	"cmp"
	"net/http"

	"larder/cargo/names"
	"larder/internal/registry"
	"larder/internal/wire"
	"larder/store"
	"larder/upstream"
)

// Options change what the registry accepts. The zero value is right for most sites.
type Options struct {
	// AuthRequired answers nobody without credentials, whatever anonymous may do elsewhere. Without it only what is below
	// /private is closed: cargo sends its token to an index that asks for it and to no other, so crates that not everybody
	// may read are found by way of a closed one alone.
	AuthRequired bool
	// MaxCrate is the largest crate in bytes, 0 means 10 MiB; MaxUnpacked what it may unpack to, 0 means 512 MiB. Cargo
	// unpacks up to twenty times a crate's size, so that much is accepted always.
	MaxCrate, MaxUnpacked int64
	// MaxFeatures is how many features a crate has, and how many others one of them switches on; 0 means 300.
	MaxFeatures int
	// MaxDependencies is how many dependencies a crate has; 0 means 500.
	MaxDependencies int
	// RequireMetadata refuses crates without a description and a license.
	RequireMetadata bool
	// Notice is a sentence every publisher reads.
	Notice string
}

// WithDefaults is o with what a registry uses that nobody configured in the place of what is zero.
func (o Options) WithDefaults() Options {
	o.MaxCrate = cmp.Or(o.MaxCrate, 10<<20)
	o.MaxUnpacked = cmp.Or(o.MaxUnpacked, 512<<20)
	o.MaxFeatures = cmp.Or(o.MaxFeatures, 300)
	o.MaxDependencies = cmp.Or(o.MaxDependencies, 500)
	return o
}

type server struct {
	*registry.Registry[Meta]
	accounts accounts // nil when users and tokens are kept elsewhere
	opt      Options
	crates   *store.Memo[string, published] // by version, without build metadata
}

// New returns the registry's end points.
func New(d wire.Deps, o Options) wire.Protocol {
	s := newServer(d, o)
	handler := s.endpoint().Handler(d)
	return wire.Protocol{
		Name: "cargo", Prefixes: []string{root}, Handler: handler, Describe: s.described(handler),
	}
}

func newServer(d wire.Deps, o Options) *server {
	s := &server{opt: o.WithDefaults(), crates: store.NewMemo[string, published](d.Store, store.Cargo)}
	s.Registry = registry.New[Meta](d, registry.About{
		Kind: store.Cargo, Type: typeCrate, Path: root, Private: true,
		Upstream: upstream.Protocol{
			Spelling: Spelling(), Probe: s.indexQuery, Files: remoteFiles, About: aboutCopy, Listing: copyListing,
			Sample: upstream.Sample{Package: "cfg-if", File: s.sampleFile},
		},
	})
	s.accounts, _ = d.Auth.(accounts)
	return s
}

func (s *server) endpoint() wire.Endpoint[Request] {
	return wire.Endpoint[Request]{
		Kind: store.Cargo, Routes: s.routes(), Grammar: grammar, Shortcut: plainIndex, Target: target, Fail: s.fail,
	}
}

// target is what the right of an operation is about.
func target(q Request) (typ, name string) { return typeCrate, names.Key(q.Name) }

// routes is everything the registry answers.
func (s *server) routes() []wire.Route[Request] {
	return []wire.Route[Request]{
		wire.GET("/{private}/index/config.json", "cargo.config", wire.Read, s.known(s.config),
			"cargo, by a closed index (Cargo Book, Registry Index)"),
		wire.GET("/{private}/config.json", "cargo.config", wire.Read, s.known(s.config),
			"cargo, by a closed index (Cargo Book, Registry Index)"),
		wire.GET("/index/config.json", "cargo.config", wire.Read, s.known(s.config),
			"cargo, before everything else (Cargo Book, Registry Index)"),
		wire.GET("/config.json", "cargo.config", wire.Read, s.known(s.config),
			"cargo, by an index without its folder (Cargo Book, Registry Index)"),
		wire.GET("/{private}/index/{index...}", "cargo.index", wire.Read, s.known(s.getIndex),
			"cargo, by a closed index (Cargo Book, Registry Index)"),
		wire.GET("/{private}/{index...}", "cargo.index", wire.Read, s.known(s.getIndex),
			"cargo, by a closed index (Cargo Book, Registry Index)"),
		wire.GET("/index/{index...}", "cargo.index", wire.Read, s.known(s.getIndex),
			"cargo, for every crate it resolves (Cargo Book, Registry Index)"),
		wire.GET("/{index...}", "cargo.index", wire.Read, s.known(s.getIndex),
			"cargo, by an index without its folder (Cargo Book, Registry Index)"),
		wire.GET("/{private}/dl/{digest}/{file}", "cargo.download", wire.Read, s.known(s.download),
			"cargo, by a closed index (Cargo Book, Registry Index)"),
		wire.GET("/dl/{digest}/{file}", "cargo.download", wire.Read, s.known(s.download),
			"cargo, renovate, cargo-binstall (Cargo Book, Registry Index)"),
		wire.PUT("/api/v1/crates/new", "cargo.publish", wire.Body, s.publish,
			"cargo publish (Cargo Book, Registry Web API)"),
		wire.DELETE("/api/v1/crates/{crate}/{version}/yank", "cargo.yank", wire.Write|wire.Existing, s.yank,
			"cargo yank (Cargo Book, Registry Web API)"),
		wire.PUT("/api/v1/crates/{crate}/{version}/unyank", "cargo.unyank", wire.Write|wire.Existing, s.yank,
			"cargo yank --undo (Cargo Book, Registry Web API)"),
		wire.GET("/api/v1/crates/{crate}/owners", "cargo.owners", wire.Read, s.known(s.owners),
			"cargo owner --list (Cargo Book, Registry Web API)"),
		wire.GET("/api/v1/crates/{crate}/owner_user", "cargo.owners", wire.Read, s.known(s.owners),
			"tools (the public API)"),
		wire.GET("/api/v1/crates/{crate}/owner_team", "cargo.owners.team", wire.Read, s.known(s.teams),
			"tools (the public API)"),
		wire.PUT("/api/v1/crates/{crate}/owners", "cargo.owners.add", wire.Write|wire.Existing, s.changeOwners,
			"cargo owner --add (Cargo Book, Registry Web API)"),
		wire.DELETE("/api/v1/crates/{crate}/owners", "cargo.owners.remove", wire.Write|wire.Existing, s.changeOwners,
			"cargo owner --remove (Cargo Book, Registry Web API)"),
		wire.GET("/api/v1/crates", "cargo.search", wire.List, s.known(s.search),
			"cargo search (Cargo Book, Registry Web API)"),
		wire.GET("/me", "cargo.me", wire.Open, s.me, "the browser; cargo login names it (Cargo Book, Registry Web API)"),
		wire.POST("/me", "cargo.me.login", wire.Login|wire.Expired, s.meLogin, "the browser (only here)"),
		wire.GET("/api/v1/crates/{crate}/{version}/download", "cargo.download", wire.Read, s.known(s.download),
			"cargo-deny, crane, tools that know the classic address (the public API)"),
		wire.GET("/api/v1/crates/{crate}", "cargo.crate", wire.Read, s.known(s.getCrate), "tools (the public API)"),
		wire.PATCH("/api/v1/crates/{crate}", "cargo.crate.set", wire.Write|wire.Existing, s.setCrate,
			"owners, to make a crate private (only here)"),
		wire.DELETE("/api/v1/crates/{crate}", "cargo.crate.delete", wire.Delete|wire.Existing, s.deleteCrate,
			"owners (the public API)"),
		wire.GET("/api/v1/crates/{crate}/versions", "cargo.versions", wire.Read, s.known(s.getVersions),
			"tools (the public API)"),
		wire.GET("/api/v1/crates/{crate}/reverse_dependencies", "cargo.dependents", wire.Read, s.known(s.dependents),
			"tools (the public API)"),
		wire.GET("/api/v1/crates/{crate}/{version}/downloads", "cargo.downloads", wire.Read, s.known(s.downloads),
			"tools (the public API)"),
		wire.GET("/api/v1/crates/{crate}/downloads", "cargo.downloads", wire.Read, s.known(s.downloads),
			"tools (the public API)"),
		wire.GET("/api/v1/crates/{crate}/{version}", "cargo.version", wire.Read, s.known(s.getVersion),
			"tools (the public API)"),
		wire.PATCH("/api/v1/crates/{crate}/{version}", "cargo.version.set", wire.Write|wire.Existing, s.setVersion,
			"yanking with a reason (the public API)"),
		wire.DELETE("/api/v1/crates/{crate}/{version}", "cargo.version.delete", wire.Delete|wire.Existing, s.deleteVersion,
			"owners (only here)"),
		wire.GET("/api/v1/crates/{crate}/{version}/readme", "cargo.readme", wire.Read, s.known(s.readme),
			"tools (the public API)"),
		wire.GET("/api/v1/crates/{crate}/{version}/dependencies", "cargo.dependencies", wire.Read, s.known(s.dependencies),
			"tools (the public API)"),
	}
}

// known keeps anonymous out of what is closed, with the 401 that makes cargo send its token.
func (s *server) known(serve wire.Serve[Request]) wire.Serve[Request] {
	return func(w http.ResponseWriter, r *http.Request, q Request) error {
		if s.closed(q) && wire.IdentityFrom(r.Context()).Anonymous {
			return needLogin()
		}
		return serve(w, r, q)
	}
}

func (s *server) closed(q Request) bool { return q.Closed || s.opt.AuthRequired }
