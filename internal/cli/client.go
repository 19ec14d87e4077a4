package cli

// This file has the client of the admin API, of a running server or of a folder opened here.

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"larder/auth"
	"larder/internal/config"
	"larder/internal/server"
	"larder/internal/wire"
	"larder/store"
	"larder/upstream"
	"larder/web"
)

// socketName is the admin socket's name in the data folder.
const socketName = "admin.sock"

// client speaks the admin API.
type client struct {
	http  *http.Client
	actor string
	// live says that a running server answers, not this process.
	live    bool
	closers []func() error
}

// openAdmin finds the admin API for cfg.Data: the running server's, or that of the folder, opened here. With create, a
// folder that does not exist yet is made.
func (a *app) openAdmin(ctx context.Context, cfg config.Config, create bool) (*client, error) {
	live, err := serverAnswers(ctx, cfg.Data)
	if err != nil {
		return nil, err
	}
	c := &client{actor: actorName(), live: live}
	if live {
		c.use(func(ctx context.Context) (net.Conn, error) { return dialSocket(ctx, cfg.Data) })
		return c, nil
	}
	if !create && !store.IsDataFolder(cfg.Data) {
		return nil, fmt.Errorf("%s is not a data folder; name it with --data or LARDER_DATA", cfg.Data)
	}
	return c, a.openFolder(ctx, c, cfg)
}

// use makes dial the way to the API.
func (c *client) use(dial func(context.Context) (net.Conn, error)) {
	t := &http.Transport{
		DialContext:        func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) },
		DisableCompression: true,
	}
	c.http = &http.Client{Transport: t}
	c.closers = append(c.closers, func() error { t.CloseIdleConnections(); return nil })
}

// actorName is what the journal shows: who ran the command.
func actorName() string {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return strings.ReplaceAll(u.Username, ":", "_")
	}
	return strconv.Itoa(os.Getuid())
}

// serverAnswers says whether a server listens on the folder's socket. A socket file nobody listens on, left behind by a
// server that was killed, counts as none.
func serverAnswers(ctx context.Context, data string) (bool, error) {
	conn, err := dialSocket(ctx, data)
	switch {
	case err == nil:
		return true, conn.Close()
	case errors.Is(err, fs.ErrPermission):
		return false, fmt.Errorf("not allowed to use %s: run this command as the user the server runs as",
			filepath.Join(data, socketName))
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOTSOCK),
		errors.Is(err, syscall.ENOTDIR):
		return false, nil
	}
	return false, fmt.Errorf("cannot reach the server at %s: %w", filepath.Join(data, socketName), err)
}

// maxSocketPath is how long the kernel lets a socket's path be, with room to spare.
const maxSocketPath = 100

// dialSocket connects to the folder's socket. A path too long for the kernel is reached through the open folder.
func dialSocket(ctx context.Context, data string) (net.Conn, error) {
	path := filepath.Join(data, socketName)
	var d net.Dialer
	if len(path) <= maxSocketPath {
		return d.DialContext(ctx, "unix", path)
	}
	dir, err := os.Open(data)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	return d.DialContext(ctx, "unix", fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), socketName))
}

// openFolder serves the admin API of the folder to c, through a pipe, so that both ways are the same HTTP.
func (a *app) openFolder(ctx context.Context, c *client, cfg config.Config) error {
	log := slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	folder, users := cfg.Store, cfg.Auth
	folder.Log, users.Log = log, log
	folder.AcceptMissingBlobs = true
	s, err := store.Open(cfg.Data, folder)
	if text := store.OperatorMessage(err); text != "" {
		return &unusableError{fmt.Sprintf("the data folder %s cannot be opened: %s", cfg.Data, text)}
	}
	if errors.Is(err, store.ErrLocked) {
		return fmt.Errorf("another process has the data folder %s open, and no server answers at its %s; stop that "+
			"process, or wait until it is done", cfg.Data, socketName)
	}
	if err != nil {
		return fmt.Errorf("cannot open the data folder: %w", err)
	}
	local, err := auth.NewLocal(ctx, s, users)
	if err != nil {
		return errors.Join(err, s.Close())
	}
	remote, err := openUpstreams(cfg, s, log)
	if err != nil {
		return errors.Join(err, s.Close())
	}
	c.serve(ctx, web.LocalAdmin(web.Deps{
		Wire: wire.Deps{Store: s, Auth: local, Log: log, Upstreams: remote},
		Auth: local, Log: log, Version: web.Version(), Claims: cfg.Copies.Claims, Spellings: server.Spellings(),
	}), s.Close)
	return nil
}

// openUpstreams builds the upstream clients. It makes no network request. nil without upstreams and copies.
func openUpstreams(cfg config.Config, s *store.Store, log *slog.Logger) (*upstream.Registry, error) {
	o, err := cfg.UpstreamOptions()
	if err != nil {
		return nil, err
	}
	o.Spellings = server.Spellings()
	r, err := upstream.New(s, log, o)
	if err != nil || r.Empty() {
		return nil, err
	}
	return r, nil
}

// pipe is a listener inside this process.
type pipe struct {
	conns  chan net.Conn
	closed chan struct{}
}

func newPipe() *pipe { return &pipe{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipe) dial(ctx context.Context) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case p.conns <- theirs:
		return ours, nil
	case <-p.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Accept implements net.Listener.
func (p *pipe) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener; http.Server calls it once.
func (p *pipe) Close() error { close(p.closed); return nil }

// Addr implements net.Listener.
func (p *pipe) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

// close ends the connection, and closes the folder if it was opened here.
func (c *client) close() error {
	var errs []error
	for _, f := range c.closers {
		errs = append(errs, f())
	}
	return errors.Join(errs...)
}

// apiError is what the API answered instead of a result; its text is the server's sentence.
type apiError struct {
	status int
	text   string
}

func (e *apiError) Error() string { return e.text }

// send makes one request and returns the answer if its status is 2xx; the caller closes its body.
func (c *client) send(ctx context.Context, method, path string, body any) (*http.Response, error) {
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return nil, err
		}
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://larder/api/v1/"+path, bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	return c.exchange(r)
}

// exchange sends r and returns the answer if its status is 2xx; the caller closes its body.
func (c *client) exchange(r *http.Request) (*http.Response, error) {
	r.SetBasicAuth(c.actor, "")
	r.Header.Set("User-Agent", "larder/"+web.Version())
	resp, err := c.http.Do(r)
	if err != nil {
		return nil, brokenOff(r.Context(), err)
	}
	if resp.StatusCode/100 != 2 {
		defer resp.Body.Close()
		return nil, readError(resp)
	}
	return resp, nil
}

// post sends raw bytes and decodes the answer into out.
func (c *client) post(ctx context.Context, path string, body io.Reader, out any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://larder/api/v1/"+path, body)
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/octet-stream")
	resp, err := c.exchange(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		return brokenOff(ctx, fmt.Errorf("read answer: %w", err))
	}
	return nil
}

// brokenOff says in a sentence that the answer did not come, or not to its end.
func brokenOff(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("the server broke off; its log says why (%w)", errors.Unwrap(err))
}

func readError(resp *http.Response) error {
	var body struct {
		Error string `json:"error"`
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err == nil {
		err = json.Unmarshal(text, &body)
	}
	if err != nil || body.Error == "" {
		return &apiError{resp.StatusCode, "the server answered " + resp.Status}
	}
	return &apiError{resp.StatusCode, body.Error}
}

// do makes a request and decodes its answer into out; a nil out ignores it.
func (c *client) do(ctx context.Context, method, path string, body, out any) error {
	resp, err := c.send(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if out == nil {
		_, err = io.Copy(io.Discard, resp.Body)
	} else {
		err = json.NewDecoder(resp.Body).Decode(out)
	}
	if err != nil {
		return brokenOff(ctx, fmt.Errorf("read answer: %w", err))
	}
	return nil
}

// stream makes a request whose answer is NDJSON: progress lines, then the result.
func (c *client) stream(ctx context.Context, path string, body, out any, progress func(done, total int64)) error {
	resp, err := c.send(ctx, http.MethodPost, path, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	lines := bufio.NewReader(resp.Body)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return brokenOff(ctx, fmt.Errorf("read answer: %w", err))
		}
		var msg struct {
			Done, Total int64
			Result      json.RawMessage
			Error       string
		}
		if err := json.Unmarshal(line, &msg); err != nil {
			return fmt.Errorf("the server's answer cannot be read: %w", err)
		}
		switch {
		case msg.Error != "":
			return &apiError{resp.StatusCode, msg.Error}
		case msg.Result != nil:
			return json.Unmarshal(msg.Result, out)
		}
		progress(msg.Done, msg.Total)
	}
}
