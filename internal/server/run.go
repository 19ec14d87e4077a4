package server

// This file runs a server: listening, serving, and the order of stopping.

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// jobStopTime is what jobs get to reach the end of their present item; flushTime is for the last writes.
const (
	jobStopTime = 10 * time.Second
	flushTime   = 5 * time.Second
)

// running are the listeners and what serves them.
type running struct {
	tcp, admin             net.Listener
	tcpServer, adminServer *http.Server
	failed                 chan error // a listener that ended by itself
}

// Run listens and serves until ctx ends, then stops in order and closes the data folder. A listener that cannot be
// bound is reported at once. It returns nil after a stop in which nothing had to be cut off. A Server runs once.
func (s *Server) Run(ctx context.Context) error {
	r, err := s.listen()
	if err != nil {
		return errors.Join(err, s.Close())
	}
	s.serve(r)
	s.jobs.start()
	err = s.announce(r)
	if err == nil {
		err = s.wait(ctx, r)
	}
	return errors.Join(err, s.stop(r))
}

// listen binds before anything is served, so that a taken port is an error of the start.
func (s *Server) listen() (*running, error) {
	tcp, err := net.Listen("tcp", s.cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	admin, err := listenAdmin(s.cfg.Data)
	if err != nil {
		return nil, errors.Join(err, tcp.Close())
	}
	return &running{
		tcp: tcp, admin: admin,
		tcpServer:   tuned(s.public, s.log),
		adminServer: tuned(s.admin, s.log),
		failed:      make(chan error, 2),
	}, nil
}

func (s *Server) serve(r *running) {
	report := func(name string, err error) {
		if !errors.Is(err, http.ErrServerClosed) {
			r.failed <- fmt.Errorf("%s: %w", name, err)
		}
	}
	go func() {
		if s.cert == nil {
			report("serve", r.tcpServer.Serve(r.tcp))
			return
		}
		r.tcpServer.TLSConfig = s.cert.config()
		report("serve", r.tcpServer.ServeTLS(r.tcp, "", ""))
	}()
	go func() { report("admin socket", r.adminServer.Serve(r.admin)) }()
}

// announce tells the address: to the log, and to the file that was asked for.
func (s *Server) announce(r *running) error {
	addr := r.tcp.Addr().String()
	scheme := "http"
	if s.cert != nil {
		scheme = "https"
	}
	s.log.LogAttrs(context.Background(), slog.LevelInfo, "serving", slog.String("url", scheme+"://"+addr),
		slog.String("data", s.cfg.Data))
	if s.cfg.AddrFile == "" {
		return nil
	}
	return writeAddr(s.cfg.AddrFile, addr)
}

// wait returns when it is time to stop. SIGHUP reads the certificate's files again.
func (s *Server) wait(ctx context.Context, r *running) error {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-r.failed:
			return err
		case <-hangup:
			if s.cert != nil {
				s.cert.reload()
			}
		}
	}
}

// stop is the one order in which nothing is lost: no new requests; those in flight finish, on a fresh context, because
// the one that ended is why we are here; then the jobs, which requests may have been waiting for; then the last writes;
// and the store when nobody can ask it for anything any more.
func (s *Server) stop(r *running) error {
	s.log.LogAttrs(context.Background(), slog.LevelInfo, "stopping")
	close(s.stopping)
	err := s.drain(r)
	jobs, cancel := context.WithTimeout(context.Background(), jobStopTime)
	defer cancel()
	err = errors.Join(err, s.jobs.stop(jobs))
	flush, cancel := context.WithTimeout(context.Background(), flushTime)
	defer cancel()
	err = errors.Join(err, s.auth.Flush(flush))
	if s.remote != nil {
		s.remote.Close()
		err = errors.Join(err, s.remote.Flush(flush))
	}
	err = errors.Join(err, s.store.FlushUse(flush), s.store.Close())
	if err == nil {
		s.log.LogAttrs(context.Background(), slog.LevelInfo, "stopped cleanly")
	}
	return err
}

// drain closes the listeners and waits for the requests in flight, those on upgraded connections too. What is left at
// the end of the time is cut off.
func (s *Server) drain(r *running) error {
	ctx, cancel := context.WithTimeout(context.Background(), s.cfg.ShutdownTimeout)
	defer cancel()
	results := make(chan error, 3)
	for _, server := range []*http.Server{r.tcpServer, r.adminServer} {
		go func() {
			err := server.Shutdown(ctx)
			if err != nil {
				err = errors.Join(fmt.Errorf("requests cut off: %w", err), server.Close())
			}
			results <- err
		}()
	}
	go func() { results <- s.public.Shutdown(ctx) }()
	return errors.Join(<-results, <-results, <-results)
}

// Close closes the data folder of a Server that does not run.
func (s *Server) Close() error {
	s.jobs.cancel()
	if s.remote != nil {
		s.remote.Close()
	}
	return s.store.Close()
}
