package web

// What is mounted beside the protocols, and on which addresses.

import (
	"context"
	"html/template"
	"log/slog"
	"net/http"
	"time"

	"github.com/julienschmidt/httprouter"

	"larder/auth"
	"larder/internal/wire"
	"larder/store"
	"larder/upstream"
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
	Jobs func() []JobStatus
	// Protocols are the protocols that are served, for the landing page.
	Protocols []Protocol
	// ReadOnly says that the server was started read-only: /readyz does not take that for a fault.
	ReadOnly bool
	// Version is the program's version.
	Version string
	// Claims are the configuration's patterns of names that are ours.
	Claims []string
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
}

// JobStatus is the state of one background job.
type JobStatus struct {
	Name string `json:"name"`
	// Every is the interval in nanoseconds, before jitter.
	Every   time.Duration `json:"every_ns"`
	Running bool          `json:"running"`
	// Last is when the job last ended; zero if it never has.
	Last time.Time     `json:"last,omitzero"`
	Took time.Duration `json:"took_ns"`
	// Error is what the last run failed with, empty after a success.
	Error string `json:"error,omitempty"`
}

// Web holds the handlers of everything that is not a protocol.
type Web struct {
	d    Deps
	page *template.Template
}

// New makes the handlers; it registers nothing.
func New(d Deps) *Web { return &Web{d: d, page: parseLanding()} }

// Mount registers /, /healthz, /readyz, /metrics and /api/v1.
func (s *Web) Mount(rt *httprouter.Router) {
	pages := map[string]http.Handler{
		"/":        http.HandlerFunc(s.landing),
		"/healthz": http.HandlerFunc(s.health),
		"/readyz":  http.HandlerFunc(s.ready),
	}
	if s.d.Metrics != nil {
		pages["/metrics"] = http.HandlerFunc(s.metrics)
	}
	for path, h := range pages {
		rt.Handler(http.MethodGet, path, h)
		rt.Handler(http.MethodHead, path, h)
	}
	wire.Mount(rt, wire.Protocol{Name: "admin", Prefixes: []string{apiPrefix}, Handler: Admin(s.d)})
}
