// Package server puts the parts together and runs them: store, users, protocols, web pages, listeners, background jobs.
//
//	server.go   New: what is built, in which order     run.go      Run: listen, serve, and the order of stopping
//	listen.go   admin socket, address file, TLS files  jobs.go     background work
//	metrics.go  Prometheus figures                     tune.go     limits of http.Server
//	rebuild.go  files without a record are published
package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"larder/auth"
	"larder/cargo"
	"larder/composer"
	"larder/internal/budget"
	"larder/internal/config"
	"larder/internal/trust"
	"larder/internal/wire"
	"larder/maven"
	"larder/npm"
	"larder/oci"
	"larder/pypi"
	"larder/rubygems"
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
	inside  map[store.Kind]http.Handler // the protocols, for requests of this process
	cert    *certificate                // nil without TLS

	stopping chan struct{} // closed when the stop begins
}

// New opens the data folder and builds the parts. On a folder that never had a user it makes the user admin; if the
// configuration has no password for it, a random one is written to out. Run or Close must follow.
func New(ctx context.Context, cfg config.Config, log *slog.Logger, out io.Writer) (*Server, error) {
	s := &Server{cfg: cfg, log: log, stopping: make(chan struct{}), inside: map[store.Kind]http.Handler{}}
	var err error
	if cfg.TLSCert != "" {
		if s.cert, err = newCertificate(cfg.TLSCert, cfg.TLSKey, log); err != nil {
			return nil, err
		}
	}
	if s.store, err = store.Open(cfg.Data, storeOptions(cfg, log)); err != nil {
		if text := store.Unusable(err); text != "" {
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

// build makes all that stands on the open store, bottom up.
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
	if err := s.connect(ctx); err != nil {
		return err
	}
	if err := s.believe(); err != nil {
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
		Claims: s.cfg.Copies.Claims, Spellings: Spellings(), Rebuild: s.rebuild,
	}
	if s.cfg.Metrics {
		pages.Metrics = s.metrics.handler()
	}
	rt := wire.NewRouter(http.NotFoundHandler())
	for _, p := range protocols {
		wire.Mount(rt, p.Protocol)
		pages.Protocols = append(pages.Protocols, web.Protocol{Kind: p.kind, Path: p.Prefixes[0]})
		s.inside[p.kind] = &wire.Edge{
			Next: p.Handler, Base: base, Log: s.log, Observe: s.metrics.observe, Stopping: s.stopping, Memory: memory, Stall: -1,
		}
	}
	web.New(pages).Mount(rt)
	edge := &wire.Edge{
		Next: base.Strip(rt), Base: base, Log: s.log, Observe: s.metrics.observe, Stopping: s.stopping, Memory: memory,
	}
	// An operator's own command may pause for as long as it likes: the socket has no deadlines.
	s.admin = &wire.Edge{
		Next: web.LocalAdmin(pages), Base: base, Log: s.log, Observe: s.metrics.observe, Stopping: s.stopping, Memory: memory,
		Stall: -1,
	}
	if s.public, err = wire.H2C(edge, s.log, idleTimeout); err != nil {
		return err
	}
	s.public.Off = !s.cfg.H2C
	return nil
}

// connect prepares the upstreams; none of them is asked yet.
func (s *Server) connect(ctx context.Context) error {
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

// believe prepares trusted publishing; no issuer is asked yet.
func (s *Server) believe() error {
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

// mounted is a protocol that is switched on.
type mounted struct {
	wire.Protocol
	kind store.Kind
}

// protocols is the list of those that are built in and switched on.
func (s *Server) protocols(d wire.Deps) []mounted {
	c := s.cfg
	var list []mounted
	for _, p := range []struct {
		kind  store.Kind
		usual string // where its handler sees itself
		build func(wire.Deps) wire.Protocol
	}{
		{store.OCI, "/oci", func(d wire.Deps) wire.Protocol { return oci.New(d, c.OCI) }},
		{store.NPM, "/npm", func(d wire.Deps) wire.Protocol { return npm.New(d, c.NPM) }},
		{store.Cargo, "/cargo", func(d wire.Deps) wire.Protocol { return cargo.New(d, c.Cargo) }},
		{store.PyPI, "/pypi", func(d wire.Deps) wire.Protocol { return pypi.New(d, c.PyPI, s.trust) }},
		{store.Maven, "/maven", func(d wire.Deps) wire.Protocol { return maven.New(d, c.Maven) }},
		{store.Composer, "/composer", func(d wire.Deps) wire.Protocol { return composer.New(d, c.Composer) }},
		{store.RubyGems, "/rubygems", func(d wire.Deps) wire.Protocol { return rubygems.New(d, c.RubyGems) }},
	} {
		k := c.Kinds[p.kind]
		if !k.Enabled {
			continue
		}
		d.Path = k.Base
		list = append(list, mounted{rebase(p.build(d), p.usual, k.Base), p.kind})
	}
	return list
}

// rebase moves a protocol from its usual prefix to another; its handler goes on seeing the usual one.
func rebase(p wire.Protocol, usual, base string) wire.Protocol {
	if base == "" || base == usual {
		return p
	}
	prefixes, next := make([]string, len(p.Prefixes)), p.Handler
	for i, prefix := range p.Prefixes {
		if prefix == usual {
			prefix = base
		}
		prefixes[i] = prefix
	}
	p.Prefixes = prefixes
	p.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if rest, ok := strings.CutPrefix(r.URL.Path, base); ok && (rest == "" || rest[0] == '/') {
			moved := r.Clone(r.Context())
			moved.URL.Path = usual + rest
			if raw, ok := strings.CutPrefix(r.URL.RawPath, base); ok {
				moved.URL.RawPath = usual + raw
			}
			r = moved
		}
		next.ServeHTTP(w, r)
	})
	return p
}

// archiveJournal moves old entries of the journal into archives.
func (s *Server) archiveJournal(ctx context.Context) error {
	if s.cfg.JournalKeep == 0 {
		return nil
	}
	report, err := s.store.PruneJournal(ctx, s.cfg.JournalKeep)
	if report.Entries > 0 {
		s.log.LogAttrs(
			ctx, slog.LevelInfo, "old entries of the journal moved to archives", slog.Int64("entries", report.Entries),
		)
	}
	if err == nil && report.Behind > 0 {
		s.log.LogAttrs(ctx, slog.LevelWarn, "a reader of the journal keeps old entries from being archived",
			slog.String("reader", report.Held), slog.Int64("entries", report.Behind))
	}
	return err
}

// jobList is all background work of the program: its own, and that of its protocols.
func (s *Server) jobList(protocols []mounted) []wire.Job {
	list := []wire.Job{
		{Name: "sweep", Every: 5 * time.Minute, Run: func(ctx context.Context) error {
			report, err := s.store.Sweep(ctx, store.SweepOptions{})
			s.metrics.swept(report)
			return err
		}},
		{Name: "expire-uploads", Every: 5 * time.Minute, Run: s.store.ExpireUploads},
		{Name: "last-use", Every: time.Minute, Run: s.auth.Flush},
		{Name: "reconcile", Every: 24 * time.Hour, Run: s.store.Reconcile},
		{Name: "journal", Every: 24 * time.Hour, Run: s.archiveJournal},
		{Name: "journal-index", Every: 10 * time.Second, Run: s.store.IndexJournal},
	}
	if s.remote != nil {
		list = append(list, wire.Job{Name: "cache-use", Every: upstream.FlushEvery, Run: s.remote.Flush},
			wire.Job{Name: "cache-evict", Every: upstream.EvictEvery, Run: s.remote.Evict})
	}
	list = append(list, s.scrubJob()...)
	for _, p := range protocols {
		list = append(list, p.Jobs...)
	}
	return list
}

// Admin serves what Run serves on the admin socket, for whoever has opened the folder without a listener.
func (s *Server) Admin() http.Handler { return s.admin }
