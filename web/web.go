package web

// What is mounted beside the protocols, and on which addresses.

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/julienschmidt/httprouter"

	"larder/auth"
	"larder/internal/describe"
	"larder/internal/wire"
	"larder/store"
	"larder/upstream"
	"larder/web/catalog"
	"larder/web/pages"
)

// Deps are what the pages and the admin API work with.
type Deps struct {
	// Wire is what every protocol gets; the admin API is dispatched through it.
	Wire wire.Deps
	// Auth changes users and tokens.
	Auth *auth.Local
	// Log receives what no client is told.
	Log *slog.Logger
	// Metrics serves /metrics; if nil, the path is absent.
	Metrics http.Handler
	// Jobs reports the background jobs; if nil, there are none.
	Jobs func() []wire.JobStatus
	// Protocols are the protocols that are served, for the pages.
	Protocols []Protocol
	// ReadOnly says that the server was started read-only: /readyz does not take that for a fault.
	ReadOnly bool
	// Version is the program's version.
	Version string
	// Claims are the configuration's patterns of names that are ours.
	Claims []string
	// Rules are the quotas and the like of the configuration.
	Rules store.RulesConfig
	// Spellings say how names are written, for claims of one.
	Spellings upstream.Spellings
	// Rebuild publishes files that no record knows; if nil, nobody does.
	Rebuild func(ctx context.Context, q RebuildRequest, progress func(done, total int64)) ([]Rebuilt, error)
}

// Protocol is one protocol that is switched on.
type Protocol struct {
	Kind store.Kind
	// Path is the base path, e.g. "/npm"; for OCI it is "/v2".
	Path string
	// Describe says what pages show of its packages; nil: it has no pages.
	Describe describe.Kind
}

// Web holds the handlers of everything that is not a protocol.
type Web struct {
	d     Deps
	pages *pages.Pages
}

// New makes the handlers; it registers nothing.
func New(d Deps) *Web {
	p := pages.Deps{
		Wire: d.Wire, Auth: d.Auth, Log: d.Log, Spellings: d.Spellings, Version: d.Version, Jobs: d.Jobs,
		ReadOnly: d.ReadOnly, Rules: d.Rules, Claims: d.Claims,
	}
	for _, each := range d.Protocols {
		p.Kinds = append(p.Kinds, catalog.Kind(each))
	}
	return &Web{d: d, pages: pages.New(p)}
}

// NotFound answers for addresses that nothing has.
func (s *Web) NotFound(w http.ResponseWriter, r *http.Request) { s.pages.NotFound(w, r) }

// Mount registers the pages, /healthz, /readyz, /metrics and /api/v1.
func (s *Web) Mount(rt *httprouter.Router) {
	probes := map[string]http.Handler{
		"/healthz": http.HandlerFunc(s.health),
		"/readyz":  http.HandlerFunc(s.ready),
	}
	if s.d.Metrics != nil {
		probes["/metrics"] = http.HandlerFunc(s.metrics)
	}
	for path, h := range probes {
		rt.Handler(http.MethodGet, path, h)
		rt.Handler(http.MethodHead, path, h)
	}
	s.pages.Mount(rt)
	wire.Mount(rt, wire.Protocol{Name: "admin", Prefixes: []string{apiPrefix}, Handler: Admin(s.d)})
}
