// Package server puts the parts together and runs them: store, users, protocols, web pages, listeners, background jobs.
//
//	server.go     New: what is built, in which order     run.go      Run: listen, serve, and the order of stopping
//	protocols.go  the protocols, each at its path        upkeep.go   the list of background work
//	listen.go     admin socket, address file, TLS files  jobs.go     running background work
//	metrics.go    Prometheus figures                     tune.go     limits of http.Server
//	rebuild.go    publishing files without a record      scrub.go    reading what is on the disk again
//	spelling.go   how all kinds spell names
package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"

	"larder/auth"
	"larder/internal/budget"
	"larder/internal/config"
	"larder/internal/trust"
	"larder/internal/wire"
	"larder/oci"
	"larder/store"
	"larder/upstream"
	"larder/web"
)

// Server is everything that runs in one process on one data folder.
type Server struct {
	cfg     config.Config
	log     *slog.Logger
	store   *store.Store
	auth    *auth.Local
	remote  *upstream.Registry // nil without upstreams, and copies
	trust   *trust.Publishers  // nil without trusted publishers
	metrics *metrics
	jobs    *jobs
	public  *wire.Upgrader              // all that is served over TCP
	admin   http.Handler                // all that is served on the admin socket
	inner   map[store.Kind]http.Handler // the protocols, for requests that the program makes to itself
	cert    *certificate                // nil without TLS

	stopping chan struct{} // closed when the stop begins
}

// New opens the data folder and builds the parts. On a folder that never had a user it makes the user admin; if the
// configuration has no password for it, a random one is written to out. Run or Close must follow.
func New(ctx context.Context, cfg config.Config, log *slog.Logger, out io.Writer) (*Server, error) {
	s := &Server{cfg: cfg, log: log, stopping: make(chan struct{}), inner: map[store.Kind]http.Handler{}}
	var err error
	if cfg.TLSCert != "" {
		if s.cert, err = newCertificate(cfg.TLSCert, cfg.TLSKey, log); err != nil {
			return nil, err
		}
	}
	if s.store, err = store.Open(cfg.Data, storeOptions(cfg, log)); err != nil {
		if text := store.OperatorMessage(err); text != "" {
			return nil, fmt.Errorf("the data folder %s does not start: %s", cfg.Data, text)
		}
		return nil, fmt.Errorf("open data folder: %w", err)
	}
	if err := s.build(ctx, out); err != nil {
		return nil, errors.Join(err, s.store.Close())
	}
	return s, nil
}

// storeOptions is what the configuration says of the store, with what the server adds.
func storeOptions(cfg config.Config, log *slog.Logger) store.Options {
	o := cfg.Store
	o.Log = log
	o.Policies = []store.Policy{store.NewRules(cfg.Rules())}
	return o
}

// build makes everything that uses the open store, in the order of their dependencies.
func (s *Server) build(ctx context.Context, out io.Writer) error {
	var err error
	users := s.cfg.Auth
	users.Log = s.log
	if s.auth, err = auth.NewLocal(ctx, s.store, users); err != nil {
		return fmt.Errorf("open users: %w", err)
	}
	if err := s.bootstrap(ctx, out); err != nil {
		return err
	}
	base, err := wire.NewBase(s.cfg.PublicURL, s.cfg.TrustedProxies)
	if err != nil {
		return err
	}
	if err := s.openUpstreams(ctx); err != nil {
		return err
	}
	if err := s.openTrust(); err != nil {
		return err
	}
	memory := budget.NewMemory(s.cfg.Memory)
	deps := wire.Deps{Store: s.store, Auth: s.auth, Base: base, Log: s.log, Upstreams: s.remote}
	s.metrics = newMetrics(s.store, s.remote, s.log)
	protocols := s.protocols(deps)
	s.jobs = newJobs(s.log, s.jobList(protocols)...)
	s.metrics.watch(s.jobs)
	pages := web.Deps{
		Wire: deps, Auth: s.auth, Log: s.log, Jobs: s.jobs.status, ReadOnly: s.cfg.Store.ReadOnly, Version: web.Version(),
		Claims: s.cfg.Copies.Claims, Rules: s.cfg.Rules(), Spellings: Spellings(), Rebuild: s.rebuild,
	}
	if s.cfg.Metrics {
		pages.Metrics = s.metrics.handler()
	}
	for _, p := range protocols {
		pages.Protocols = append(pages.Protocols, web.Protocol{Kind: p.kind, Path: p.Prefixes[0], Describe: p.Describe})
		s.inner[p.kind] = &wire.Middleware{
			Next: p.Handler, Base: base, Log: s.log, Observe: s.metrics.observe, Stopping: s.stopping, Memory: memory, Stall: -1,
		}
	}
	site := web.New(pages)
	rt := wire.NewRouter(http.HandlerFunc(site.NotFound))
	for _, p := range protocols {
		wire.Mount(rt, p.Protocol)
	}
	site.Mount(rt)
	edge := &wire.Middleware{
		Next: base.Strip(rt), Base: base, Log: s.log, Observe: s.metrics.observe, Stopping: s.stopping, Memory: memory,
	}
	// An operator's own command may pause for as long as it likes: the socket has no deadlines.
	s.admin = &wire.Middleware{
		Next: web.LocalAdmin(pages), Base: base, Log: s.log, Observe: s.metrics.observe, Stopping: s.stopping, Memory: memory,
		Stall: -1,
	}
	if s.public, err = wire.H2C(edge, s.log, idleTimeout); err != nil {
		return err
	}
	s.public.Off = !s.cfg.H2C
	return nil
}

// openUpstreams builds the upstream clients. It makes no network request.
func (s *Server) openUpstreams(ctx context.Context) error {
	o, err := s.cfg.UpstreamOptions()
	if err != nil {
		return err
	}
	o.Spellings = Spellings()
	if err := upstream.CheckRules(o); err != nil {
		return err
	}
	r, err := upstream.New(s.store, s.log, o)
	if err != nil || r.Empty() {
		return err
	}
	s.remote = r
	return oci.CheckUpstreams(ctx, s.store, s.remote)
}

// openTrust builds the clients of trusted publishing. It makes no network request.
func (s *Server) openTrust() error {
	rules, err := s.cfg.TrustRules()
	if err != nil || len(rules) == 0 {
		return err
	}
	s.trust, err = trust.New(s.auth, s.cfg.TrustedAudience, rules, nil)
	return err
}

// bootstrap makes the first user; its random password is shown here and nowhere else.
func (s *Server) bootstrap(ctx context.Context, out io.Writer) error {
	password, err := s.auth.Bootstrap(ctx, s.cfg.AdminPassword)
	if err != nil {
		return fmt.Errorf("make user %s: %w", auth.AdminName, err)
	}
	if password == "" {
		return nil
	}
	if _, err := fmt.Fprintf(out, "First start: user %s has the password %s\n", auth.AdminName, password); err != nil {
		return fmt.Errorf("print the first password: %w", err)
	}
	return nil
}

// Admin serves what Run serves on the admin socket, for whoever has opened the folder without a listener.
func (s *Server) Admin() http.Handler { return s.admin }
