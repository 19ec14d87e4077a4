package pypi

// The index's server: its options, and the table of everything it answers.

import (
	"cmp"
	"sync"
	"time"

	"larder/internal/registry"
	"larder/internal/trust"
	"larder/internal/wire"
	"larder/store"
	"larder/upstream"
)

// Options change what the index accepts. The zero value is right for most sites.
type Options struct {
	// MaxFile is the largest distribution in bytes; 0 means 4 GiB.
	MaxFile int64
	// Strict refuses what is otherwise a warning: file names of old tools, sizes behind an entry's data, a RECORD that is
	// not the archive's, a form that differs from the file's metadata.
	Strict bool
	// CloseReleases, if not 0, is how long after its first file a release takes others, so that a stolen token cannot add
	// a wheel to what people have installed for years.
	CloseReleases time.Duration
	// Provenance puts links to attestations into pages, although only their structure was checked.
	Provenance bool
}

// WithDefaults is o with what a registry uses that nobody configured in the place of what is zero.
func (o Options) WithDefaults() Options {
	o.MaxFile = cmp.Or(o.MaxFile, 4<<30)
	return o
}

type server struct {
	*registry.Registry[Meta]
	opt   Options
	base  *wire.Base
	trust *trust.Publishers
	heads *store.Memo[struct{}, head]
	files *store.Memo[string, servable]
	all   *projects
	parts sync.Map // upstream and host of files → partsKnown
}

// New returns the index's end points. t, if not nil, gives tokens to the CI of others.
func New(d wire.Deps, o Options, t *trust.Publishers) wire.Protocol {
	s := newServer(d, o)
	s.trust = t
	prefixes := []string{root, rootSimple, rootRPC, rootOIDC, rootDiscover}
	handler := s.endpoint().Handler(d)
	return wire.Protocol{
		Name: "pypi", Prefixes: prefixes, Handler: handler, Describe: s.described(handler),
	}
}

func newServer(d wire.Deps, o Options) *server {
	s := &server{
		opt: o.WithDefaults(), base: d.Base,
		heads: store.NewMemo[struct{}, head](d.Store, store.PyPI),
		files: store.NewMemo[string, servable](d.Store, store.PyPI),
	}
	s.Registry = registry.New[Meta](d, registry.About{
		Kind: store.PyPI, Type: typePackage, Path: root,
		Upstream: upstream.Protocol{
			Spelling: Spelling(), Probe: s.pageQuery, Empty: isEmptyPage, Files: remoteFiles, About: aboutCopy,
			Listing: copyListing,
			Sample:  upstream.Sample{Package: "six"},
		},
	})
	s.all = newProjects(s)
	return s
}

func (s *server) endpoint() wire.Endpoint[Request] {
	return wire.Endpoint[Request]{
		Kind: store.PyPI, Routes: s.routes(), Grammar: grammar, Target: target, Fail: fail,
	}
}

// target is what the right of an operation is about.
func target(q Request) (typ, name string) { return typePackage, q.Name }

// routes is everything the index answers. "Simple" is the simple repository API (PEP 503, 592, 629, 658, 691, 700, 714,
// 740, 792), "legacy" the public index's documentation. No project can be called "-" or "+simple"; one that is called
// as another address, like "simple" or "files", has its JSON all the same.
func (s *server) routes() []wire.Route[Request] {
	return []wire.Route[Request]{
		wire.GET("/{index...}/{project}/", "pypi.project", wire.Read, s.getProject, "every installer (Simple)"),
		wire.GET("/pypi/files/{sha256}/{file}.metadata", "pypi.metadata", wire.Read, s.getMetadata,
			"pip from 23.2, uv, poetry 2, pdm (PEP 658)"),
		wire.GET("/pypi/files/{sha256}/{file}.asc", "pypi.signature", wire.Read, s.getSignature, "people (PEP 503)"),
		wire.GET("/pypi/files/{sha256}/{file}", "pypi.file", wire.Read, s.getFile, "every installer, lockfiles (Simple)"),
		wire.GET("/{index...}/", "pypi.simple", wire.List, s.getAll, "mirrors, uv, poetry search, browsers (Simple)"),
		wire.POST("/pypi/legacy", "pypi.upload", wire.Body, s.upload, "twine, uv, flit, hatch, poetry, pdm (legacy)"),
		wire.POST("/pypi/simple", "pypi.upload", wire.Body, s.upload, "who gives one address for both (legacy)"),
		wire.POST("/simple", "pypi.upload", wire.Body, s.upload, "who gives one address for both (legacy)"),
		wire.POST("/pypi", "pypi.post", wire.Body, s.post, "upload, or XML-RPC by its media type (legacy)"),
		wire.POST("/RPC2", "pypi.rpc", wire.List, s.rpc, "pip search, mirrors (XML-RPC)"),
		wire.GET("/pypi/{project}/json", "pypi.json", wire.Read, s.getJSON, "renovate, pip-audit, scripts (legacy)"),
		wire.GET("/pypi/{project}/{version}/json", "pypi.json.version", wire.Read, s.getJSON, "the same (legacy)"),
		wire.GET("/pypi/{name}/json", "pypi.redirect", wire.Open, s.redirectJSON, "who forgets the normalisation"),
		wire.GET("/pypi/{name}/{version}/json", "pypi.redirect", wire.Open, s.redirectJSON,
			"who forgets the normalisation"),
		wire.GET("/{index...}", "pypi.redirect", wire.Open, s.redirectPage, "who forgets the slash"),
		wire.GET("/{index...}/{name}", "pypi.redirect", wire.Open, s.redirectPage,
			"who forgets the slash or the normalisation"),
		wire.GET("/pypi/integrity/{name}/{version}/{file}/provenance", "pypi.provenance", wire.Read, s.getProvenance,
			"pypi-attestations (PEP 740)"),
		wire.GET("/pypi/packages/{name}/{listed}.metadata", "pypi.metadata", wire.Read, s.getMetadata,
			"the same, of what is listed without a hash"),
		wire.GET("/pypi/packages/{name}/{listed}", "pypi.file", wire.Read, s.getFile,
			"installers, of what is listed without a hash or under an old name; people"),
		wire.GET("/_/oidc/audience", "pypi.oidc.audience", wire.Open, s.audience, "uv, pdm, CI actions (legacy)"),
		wire.POST("/_/oidc/mint-token", "pypi.oidc.mint", wire.Login|wire.Expired, s.mint, "the same (legacy)"),
		wire.GET("/.well-known/pytp", "pypi.oidc.discover", wire.Open, s.discover,
			"trusted publishing on any index (PEP 807)"),
		wire.PUT("/pypi/-/{name}/{release}/yank", "pypi.yank", wire.Write, s.yank, "curl (only here, for PEP 592)"),
		wire.PUT("/pypi/-/{name}/files/{file}/yank", "pypi.yank", wire.Write, s.yank, "curl (only here)"),
		wire.DELETE("/pypi/-/{name}/{release}/yank", "pypi.unyank", wire.Write, s.unyank, "curl (only here)"),
		wire.DELETE("/pypi/-/{name}/files/{file}/yank", "pypi.unyank", wire.Write, s.unyank, "curl (only here)"),
		wire.DELETE("/pypi/-/{name}/files/{file}", "pypi.delete.file", wire.Delete, s.deleteFile, "curl (only here)"),
		wire.DELETE("/pypi/-/{name}/{release}", "pypi.delete.version", wire.Delete, s.deleteVersion, "curl (only here)"),
		wire.DELETE("/pypi/-/{name}", "pypi.delete", wire.Delete, s.deleteProject, "curl (only here)"),
		wire.PUT("/pypi/-/{name}/status", "pypi.status", wire.Write, s.setStatus, "curl (only here, for PEP 792)"),
		wire.DELETE("/pypi/-/{name}/tombstones/{file}", "pypi.forget", wire.Admin, s.forget,
			"administrators who let a deleted file's name be used again (only here)"),
	}
}
