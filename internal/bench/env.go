package main

// This file starts what is measured: larder, and the servers it is compared with.

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const adminPassword = "bench-password"

// env has the scratch folder, the binary under test and the running servers.
type env struct {
	dir    string
	larder string
	self   string
	filled string // data folder with 100,000 tags, made when first needed
	procs  []*process

	pairs []pair   // of the benchmark that runs, from all its rounds
	notes []string // printed below its line

	// Larders that are made when first needed.
	series   map[string]filled // of each kind with one package of many versions
	gems     *gemEnv           // with many gems and few
	pypi     *pypiIndex        // with 20,000 files of one project
	pypiMany *pypiIndex        // with 100,000 projects

	pages string        // where the folders are of which pages are measured
	views [2][]pageCost // of the pages of the large one and of the small one
}

// pair is a measurement of larder and of its yardstick.
type pair struct{ ours, yardstick float64 }

func (p pair) ratio() float64 {
	if p.yardstick > 0 {
		return p.ours / p.yardstick
	}
	return 0
}

// add keeps one of many pairs of a round. A benchmark with one pair returns that instead.
func (e *env) add(ours, yardstick float64) { e.pairs = append(e.pairs, pair{ours, yardstick}) }

// note keeps a line that is printed below the benchmark's.
func (e *env) note(format string, args ...any) {
	e.notes = append(e.notes, fmt.Sprintf(format, args...))
}

func newEnv(ctx context.Context, parent, larder string) (*env, error) {
	dir, err := os.MkdirTemp(parent, "larder-bench-")
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	e := &env{dir: dir, larder: larder, self: self, series: map[string]filled{}}
	if larder != "" {
		return e, nil
	}
	e.larder = filepath.Join(dir, "larder")
	build := exec.CommandContext(ctx, "go", "build", "-o", e.larder, ".")
	if out, err := build.CombinedOutput(); err != nil {
		e.close()
		return nil, fmt.Errorf("go build (run it from the project's folder): %w\n%s", err, out)
	}
	return e, nil
}

func (e *env) close() {
	for _, p := range e.procs {
		p.kill()
	}
	_ = os.RemoveAll(e.dir)
}

// folder makes a new folder below the scratch folder.
func (e *env) folder(name string) (string, error) {
	return os.MkdirTemp(e.dir, name+"-")
}

// process is a server that was started for a benchmark.
type process struct {
	cmd  *exec.Cmd
	addr string
	done chan struct{}
}

func (e *env) start(ctx context.Context, cmd *exec.Cmd, addr func() (string, error)) (*process, error) {
	cmd.Stderr = nil
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, done: make(chan struct{})}
	e.procs = append(e.procs, p)
	go func() { _ = cmd.Wait(); close(p.done) }()
	deadline := time.Now().Add(30 * time.Second)
	for time.Now().Before(deadline) && ctx.Err() == nil {
		select {
		case <-p.done:
			return nil, fmt.Errorf("%s ended before it was ready", filepath.Base(cmd.Path))
		default:
		}
		if a, err := addr(); err == nil {
			p.addr = a
			return p, nil
		}
		time.Sleep(time.Millisecond)
	}
	p.kill()
	return nil, fmt.Errorf("%s was not ready in time", filepath.Base(cmd.Path))
}

// kill sends SIGTERM first: otherwise nginx would not end its workers.
func (p *process) kill() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(5 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

// startLarder runs larder serve on a data folder.
func (e *env) startLarder(ctx context.Context, data string, environ ...string) (*process, error) {
	file := filepath.Join(e.dir, fmt.Sprintf("addr-%d", time.Now().UnixNano()))
	cmd := exec.Command(e.larder, "serve", "--data", data, "--listen", "127.0.0.1:0", "--addr-file", file)
	cmd.Env = append(append(os.Environ(), "LARDER_ADMIN_PASSWORD="+adminPassword), environ...)
	return e.start(ctx, cmd, func() (string, error) {
		b, err := os.ReadFile(file)
		if err == nil && len(b) == 0 {
			err = errors.New("not yet")
		}
		return strings.TrimSpace(string(b)), err
	})
}

// freeAddr picks a loopback address for a program that cannot report its own.
func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

func answers(addr, path string) func() (string, error) {
	return func() (string, error) {
		resp, err := http.Get("http://" + addr + path)
		if err != nil {
			return "", err
		}
		return addr, resp.Body.Close()
	}
}

// yardstick finds an installed program, and an address for it.
func yardstick(name string) (program, addr string, err error) {
	program, err = exec.LookPath(name)
	if err != nil {
		return "", "", fmt.Errorf("%s is not installed: no yardstick", name)
	}
	addr, err = freeAddr()
	return program, addr, err
}

// startNginx serves a folder with sendfile, as Debian's nginx-light is set up.
func (e *env) startNginx(ctx context.Context, root string) (*process, error) {
	nginx, addr, err := yardstick("nginx")
	if err != nil {
		return nil, err
	}
	dir, err := e.folder("nginx")
	if err != nil {
		return nil, err
	}
	conf := fmt.Sprintf(`daemon off; pid %[1]s/pid; error_log %[1]s/error.log; worker_processes auto; user root;
events {}
http { access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000;
client_body_temp_path %[1]s/b; proxy_temp_path %[1]s/p;
fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
server { listen %[2]s; root %[3]s; } }`, dir, addr, root)
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		return nil, err
	}
	return e.start(ctx, exec.Command(nginx, "-p", dir, "-c", file), answers(addr, "/"))
}

// startRegistry runs distribution's registry (Debian's docker-registry).
func (e *env) startRegistry(ctx context.Context, data string) (*process, error) {
	registry, addr, err := yardstick("docker-registry")
	if err != nil {
		return nil, err
	}
	conf := fmt.Sprintf("version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\n"+
		"storage: {filesystem: {rootdirectory: %s}}\nhttp: {addr: %q}\n", data, addr)
	file := filepath.Join(e.dir, filepath.Base(data)+".yml")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		return nil, err
	}
	return e.start(ctx, exec.Command(registry, "serve", file), answers(addr, "/v2/"))
}

// startAs starts a larder on a folder and returns a client of its administrator.
func (e *env) startAs(ctx context.Context, data string, environ ...string) (*process, *registry, error) {
	p, err := e.startLarder(ctx, data, environ...)
	if err != nil {
		return nil, nil, err
	}
	c := newRegistry(p.addr)
	c.auth = "Basic " + base64.StdEncoding.EncodeToString([]byte("admin:"+adminPassword))
	return p, c, nil
}

// startNew runs larder serve on a new folder of this name.
func (e *env) startNew(ctx context.Context, name string, environ ...string) (*process, error) {
	data, err := e.folder(name)
	if err != nil {
		return nil, err
	}
	return e.startLarder(ctx, data, environ...)
}

// startBare serves the bytes of a file from memory with net/http alone, in a process of its own.
func (e *env) startBare(ctx context.Context, file string, environ ...string) (*process, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(e.self, "-bare", file)
	cmd.Env = append(append(os.Environ(), "BENCH_BARE_ADDR="+addr), environ...)
	return e.start(ctx, cmd, answers(addr, "/"))
}

// bareFresh in place of a file makes a handler that answers everything with 304 and the ETag of the request.
const bareFresh = "304"

// serveBare runs http.Server with its defaults, or with the time limits of larder.
func serveBare(file string) error {
	handler := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", r.Header.Get("If-None-Match"))
		w.WriteHeader(http.StatusNotModified)
	}
	if file != bareFresh {
		body, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		handler = func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/octet-stream")
			w.Header().Set("Content-Length", fmt.Sprint(len(body)))
			_, _ = w.Write(body)
		}
	}
	srv := &http.Server{Addr: os.Getenv("BENCH_BARE_ADDR"), Handler: http.HandlerFunc(handler)}
	if os.Getenv("BENCH_BARE_LIMITS") != "" {
		srv.ReadHeaderTimeout, srv.IdleTimeout = 20*time.Second, 2*time.Minute
	}
	return srv.ListenAndServe()
}
