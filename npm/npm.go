package npm

// The registry's server: its options, and the table of everything it answers.

import (
	"cmp"
	"net/http"

	"larder/internal/registry"
	"larder/internal/wire"
	"larder/npm/account"
	"larder/npm/audit"
	"larder/store"
	"larder/upstream"
)

// Options change what the registry accepts. The zero value is right for most sites.
type Options struct {
	// MaxTarball is the largest tarball in bytes; 0 means 1 GiB.
	MaxTarball int64
	// AnyName accepts names the public registry no longer gives out (capitals, ~'!()*), and names that differ from an
	// existing one in separators only: for mirrors of old packages. Names that differ in case only are refused always.
	AnyName bool
	// StrictManifests refuses a publish whose manifest says something else than its tarball, instead of warning.
	StrictManifests bool
	// Access says who sees a package that is published for the first time: AccessPublic (the default), everybody who may
	// read, unless its publisher asked for restricted; AccessRestricted, its owners; AccessClient, whom the client says,
	// asked or not.
	Access string
}

// WithDefaults is o with what a registry uses that nobody configured in the place of what is zero.
func (o Options) WithDefaults() Options {
	o.MaxTarball = cmp.Or(o.MaxTarball, 1<<30)
	o.Access = cmp.Or(o.Access, AccessPublic)
	return o
}

type server struct {
	*registry.Registry[Meta]
	opt     Options
	lazy    lazySigner
	account *account.Accounts
	audit   *audit.Audit
}

// New returns the registry's end points.
func New(d wire.Deps, o Options) wire.Protocol {
	s := &server{opt: o.WithDefaults()}
	s.Registry = registry.New[Meta](d, registry.About{
		Kind: store.NPM, Type: typePackage, Path: root, Private: true,
		Upstream: upstream.Protocol{
			Spelling: Spelling(),
			Probe:    func(name string) upstream.Query { return packumentQuery(name, formShort) },
			Files:    remoteFiles,
			Sample:   upstream.Sample{Package: "isarray"},
			About:    aboutCopy, Scan: scanCopy,
			Listing: copyListing,
		},
	})
	s.audit = audit.New(d.Store, s.Up)
	s.account = account.New(d.Auth, s.Path(), s.URL)
	handler := s.endpoint().Handler(d)
	return wire.Protocol{
		Name: "npm", Prefixes: []string{root}, Handler: handler, Describe: s.described(handler),
	}
}

func (s *server) endpoint() wire.Endpoint[Request] {
	return wire.Endpoint[Request]{
		Kind: store.NPM, Routes: s.routes(), Grammar: grammar, Shortcut: shortcut, Target: target,
		Writer: account.MayWrite, Fail: fail,
	}
}

// target is what the right of an operation is about.
func target(q Request) (typ, name string) { return typePackage, q.Name }

// routes is everything the registry answers.
func (s *server) routes() []wire.Route[Request] {
	return []wire.Route[Request]{
		wire.GET("/-/ping", "npm.ping", wire.Open, s.ping, "npm ping, npm doctor, pnpm (registry-api)"),
		wire.GET("/-/whoami", "npm.whoami", wire.Login, plain(s.account.Whoami), "npm, pnpm, yarn 4, bun (npm-profile)"),
		wire.PUT("/-/user/org.couchdb.user:{user}/-rev/{rev}", "npm.login", wire.Login|wire.Expired, byUser(s.account.Login),
			"npm login --auth-type=legacy of an old npm (npm-profile)"),
		wire.PUT("/-/user/org.couchdb.user:{user}", "npm.login", wire.Login|wire.Expired, byUser(s.account.Login),
			"npm login --auth-type=legacy, pnpm, yarn (npm-profile)"),
		wire.GET("/-/user/org.couchdb.user:{user}", "npm.user", wire.Login, byUser(s.account.User),
			"npm owner add, yarn owner (npm-profile)"),
		wire.DELETE("/-/user/token/{token}", "npm.logout", wire.Login|wire.Expired, byID(s.account.Logout),
			"npm logout, pnpm logout (npm-profile)"),
		wire.POST("/-/v1/login", "npm.weblogin", wire.Login|wire.Expired, plain(s.account.Start),
			"npm login, pnpm login (npm-profile)"),
		wire.GET("/-/v1/login/page/{login}", "npm.weblogin.page", wire.Login|wire.Expired, byID(s.account.Page),
			"the browser (only here)"),
		wire.POST("/-/v1/login/page/{login}", "npm.weblogin.confirm", wire.Login|wire.Expired, byID(s.account.Confirm),
			"the browser (only here)"),
		wire.GET("/-/v1/login/done/{login}", "npm.weblogin.done", wire.Login|wire.Expired, byID(s.account.Done),
			"npm login, pnpm login (npm-profile)"),
		wire.GET("/-/npm/v1/tokens", "npm.tokens", wire.Login, s.listTokens, "npm token list, pnpm 12 (npm-profile)"),
		wire.POST("/-/npm/v1/tokens", "npm.token.create", wire.Login, plain(s.account.Create),
			"npm token create (npm-profile)"),
		wire.DELETE("/-/npm/v1/tokens/token/{token}", "npm.token.revoke", wire.Login, byID(s.account.Revoke),
			"npm token revoke (npm-profile)"),
		wire.GET("/-/npm/v1/user", "npm.profile", wire.Login, plain(s.account.Profile), "npm profile get (npm-profile)"),
		wire.POST("/-/npm/v1/user", "npm.profile.set", wire.Login, plain(s.account.SetProfile),
			"npm profile set password (npm-profile)"),
		wire.GET("/-/package/{pkg...}/dist-tags", "npm.tags", wire.Read, s.getTags,
			"npm, pnpm, yarn: dist-tag ls (registry-api)"),
		wire.PUT("/-/package/{pkg...}/dist-tags/{tag}", "npm.tag.set", wire.Write|wire.Existing, s.setTag,
			"dist-tag add (registry-api)"),
		wire.POST("/-/package/{pkg...}/dist-tags/{tag}", "npm.tag.set", wire.Write|wire.Existing, s.setTag,
			"dist-tag add (registry-api)"),
		wire.DELETE("/-/package/{pkg...}/dist-tags/{tag}", "npm.tag.delete", wire.Write|wire.Existing, s.deleteTag,
			"dist-tag rm (registry-api)"),
		wire.GET("/-/v1/search", "npm.search", wire.List, s.search,
			"npm search, pnpm search, editors (registry-api)"),
		wire.POST("/-/npm/v1/security/advisories/bulk", "npm.audit.bulk", wire.List, plain(s.audit.Bulk),
			"npm (also after every install), pnpm 11, yarn 4, bun (audit-report)"),
		wire.POST("/-/npm/v1/security/audits/quick", "npm.audit.quick", wire.List, plain(s.audit.Quick),
			"npm up to 10, pnpm up to 10 (audit-report)"),
		wire.POST("/-/npm/v1/security/audits", "npm.audit.quick", wire.List, plain(s.audit.Quick),
			"pnpm up to 10, yarn 1 (audit-report)"),
		wire.GET("/-/larder/advisories", "npm.advisories", wire.Admin, plain(s.audit.Get), "operators (only here)"),
		wire.PUT("/-/larder/advisories", "npm.advisories.set", wire.Admin, plain(s.audit.Set),
			"operators: a JSON array replaces all (only here)"),
		wire.GET("/-/npm/v1/keys", "npm.keys", wire.Open, s.keys,
			"npm and pnpm audit signatures, corepack (registry-signatures)"),
		wire.GET("/-/npm/v1/attestations/{spec...}", "npm.attestations", wire.Read, s.getAttestations,
			"npm audit signatures (registry-signatures)"),
		wire.GET("/-/package/{pkg...}/visibility", "npm.visibility", wire.Read, s.visibility,
			"npm access get status (libnpmaccess)"),
		wire.GET("/-/package/{pkg...}/collaborators", "npm.collaborators", wire.Read, s.collaborators,
			"npm access list collaborators (libnpmaccess)"),
		wire.GET("/-/package/{pkg...}/access", "npm.access", wire.Read, s.getAccess, "pnpm (libnpmaccess)"),
		wire.POST("/-/package/{pkg...}/access", "npm.access.set", wire.Write|wire.Existing, s.setAccess,
			"npm access set status (libnpmaccess)"),
		wire.PUT("/-/package/{pkg...}/owners", "npm.owner.add", wire.Write|wire.Existing, s.addOwner,
			"pnpm owner add (pnpm)"),
		wire.DELETE("/-/package/{pkg...}/owners/{owner}", "npm.owner.remove", wire.Write|wire.Existing, s.removeOwner,
			"pnpm owner rm (pnpm)"),
		wire.GET("/-/user/{user}/package", "npm.user.packages", wire.List, s.userPackages,
			"npm access list packages (libnpmaccess)"),
		wire.PUT("/-/user/v1/star", "npm.star.ping", wire.Login, s.starPing, "pnpm star (pnpm)"),
		wire.PUT("/-/user/package/{pkg...}/star", "npm.star", wire.Read|wire.Writer, s.putStar, "pnpm star (pnpm)"),
		wire.DELETE("/-/user/package/{pkg...}/star", "npm.unstar", wire.Read|wire.Writer, s.putStar, "pnpm unstar (pnpm)"),
		wire.GET("/-/_view/starredByUser", "npm.starred", wire.List, s.starred, "npm stars (registry-api)"),
		wire.GET("/downloads/point/{period}", "npm.downloads.all", wire.List, s.downloadsPoint,
			"dashboards: of all packages (download-counts)"),
		wire.GET("/downloads/range/{period}", "npm.downloads.range.all", wire.List, s.downloadsRange,
			"dashboards: of all packages (download-counts)"),
		wire.GET("/downloads/point/{period}/{list...}", "npm.downloads.bulk", wire.List, s.downloadsPoint,
			"dashboards: a,b,c (download-counts)"),
		wire.GET("/downloads/range/{period}/{list...}", "npm.downloads.range.bulk", wire.List, s.downloadsRange,
			"dashboards: a,b,c (download-counts)"),
		wire.GET("/downloads/point/{period}/{pkg...}", "npm.downloads", wire.Read, s.downloadsPoint,
			"badges, dashboards (download-counts)"),
		wire.GET("/downloads/range/{period}/{pkg...}", "npm.downloads.range", wire.Read, s.downloadsRange,
			"dashboards (download-counts)"),
		wire.GET("/", "npm.root", wire.Open, s.root, "tools (registry-api)"),
		wire.GET("/{pkg...}", "npm.packument", wire.Read, s.getPackument,
			"all; abbreviated for pnpm, yarn 1, bun (package-metadata)"),
		wire.GET("/{path...}/-/{file}", "npm.tarball", wire.Read, s.getTarball,
			"all (registry-api)"),
		wire.GET("/{path...}/-/{scope}/{file}", "npm.tarball", wire.Read, s.getTarball,
			"clients with an old lockfile: /@acme/demo/-/@acme/demo-1.0.0.tgz"),
		wire.GET("/{any...}/-/{file}", "npm.tarball", wire.Read, s.getTarball,
			"npm ci --replace-registry-host=always with a lockfile of another registry, whose path npm keeps (pacote)"),
		wire.GET("/{any...}/-/{scope}/{file}", "npm.tarball", wire.Read, s.getTarball,
			"the same with a lockfile that repeats the scope, as Artifactory and GitLab write it"),
		wire.GET("/{any...}/-/{release}/{file}", "npm.tarball.of", wire.Read, s.getTarballOf,
			"the same with a lockfile of Gitea or Forgejo"),
		wire.GET("/download/{pkg...}/{release}/{sum}", "npm.tarball.of", wire.Read, s.getTarballOf,
			"the same with a lockfile of GitHub Packages"),
		wire.PUT("/{pkg...}", "npm.put", wire.Create, s.put,
			"publish, deprecate, npm star: told apart by the body (libnpmpublish)"),
		wire.PUT("/{pkg...}/-rev/{rev}", "npm.put.rev", wire.Write|wire.Existing, s.putRev,
			"unpublish one version, npm owner, pnpm star (libnpmpublish)"),
		wire.DELETE("/{pkg...}/-rev/{rev}", "npm.unpublish", wire.Delete|wire.Existing, s.unpublish,
			"unpublish of the package (libnpmpublish)"),
		wire.DELETE("/{any...}/-/{file}/-rev/{rev}", "npm.tarball.delete", wire.Delete|wire.Existing, s.deleteTarball,
			"last step of unpublish; npm may repeat the base path before it (libnpmpublish)"),
		wire.GET("/{pkg...}/{version}", "npm.version", wire.Read, s.getVersion, "corepack, npm view, scripts (registry-api)"),
	}
}

// handler is what an operation does.
type handler = func(http.ResponseWriter, *http.Request, Request) error

// plain is an operation whose request line says nothing more.
func plain(f func(http.ResponseWriter, *http.Request) error) handler {
	return func(w http.ResponseWriter, r *http.Request, _ Request) error { return f(w, r) }
}

// byUser is an operation on a user.
func byUser(f func(http.ResponseWriter, *http.Request, string) error) handler {
	return func(w http.ResponseWriter, r *http.Request, q Request) error { return f(w, r, q.User) }
}

// byID is an operation on a login or a token.
func byID(f func(http.ResponseWriter, *http.Request, string) error) handler {
	return func(w http.ResponseWriter, r *http.Request, q Request) error { return f(w, r, q.ID) }
}

func (s *server) listTokens(w http.ResponseWriter, r *http.Request, q Request) error {
	return s.account.List(w, r, q.From, q.Size)
}
