package main

// This file measures Cargo: resolving over a slow network, fresh index entries, and publishing into a long index.

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"larder/internal/miniclient"
)

const (
	cargoCrates  = 300
	cargoLatency = 20 * time.Millisecond // there and back
)

// cargoCrate returns the archive of a version.
func cargoCrate(name, version string) ([]byte, error) {
	dir := name + "-" + version + "/"
	manifest := fmt.Appendf(nil, "[package]\nname = %q\nversion = %q\nedition = \"2021\"\n"+
		"[features]\ndefault = [\"std\"]\nstd = []\n", name, version)
	return miniclient.Tgz(miniclient.Member{Name: dir + "Cargo.toml", Body: manifest},
		miniclient.Member{Name: dir + "src/lib.rs", Body: []byte("pub fn f() {}\n")})
}

// cargoPublish sends one version as cargo does.
func (c *registry) cargoPublish(ctx context.Context, name, version string) error {
	crate, err := cargoCrate(name, version)
	if err != nil {
		return err
	}
	meta, err := json.Marshal(map[string]any{
		"name": name, "vers": version, "deps": []any{}, "features": map[string][]string{"default": {"std"}, "std": {}},
		"description": "a crate of the benchmark", "license": "MIT",
	})
	if err != nil {
		return err
	}
	body := binary.LittleEndian.AppendUint32(nil, uint32(len(meta)))
	body = append(body, meta...)
	body = binary.LittleEndian.AppendUint32(body, uint32(len(crate)))
	body = append(body, crate...)
	return c.send(ctx, "PUT", "/cargo/api/v1/crates/new", bytes.NewReader(body), int64(len(body)))
}

// startCargo starts a larder with n versions of the crate big.
func (e *env) startCargo(ctx context.Context, n int) (*process, *registry, error) {
	return e.startFilled(ctx, "cargo", n, publishCargo)
}

func publishCargo(ctx context.Context, c *registry, version string) error {
	return c.cargoPublish(ctx, "big", version)
}

// cargoResolve measures cargo while it resolves 300 crates with an empty cache, over plain HTTP with a round trip of
// 20 ms, beside 0.4 s.
func cargoResolve(ctx context.Context, e *env) (ours, yardstick float64, err error) {
	cargo, err := exec.LookPath("cargo")
	if err != nil {
		return 0, 0, errors.New("cargo is not installed")
	}
	p, c, err := e.startCargo(ctx, 0)
	if err != nil {
		return 0, 0, err
	}
	defer p.kill()
	err = parallel(8, func(i int) error {
		for n := i; n < cargoCrates; n += 8 {
			if err := c.cargoPublish(ctx, fmt.Sprintf("crate-%03d", n), "1.0.0"); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, 0, err
	}
	far, err := listenFar(p.addr, cargoLatency/2)
	if err != nil {
		return 0, 0, err
	}
	defer far.Close()
	dir, err := e.folder("project")
	if err != nil {
		return 0, 0, err
	}
	manifest := "[package]\nname = \"project\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[dependencies]\n"
	for n := range cargoCrates {
		manifest += fmt.Sprintf("crate-%03d = { version = \"1\", registry = \"box\" }\n", n)
	}
	for name, text := range map[string]string{
		"Cargo.toml": manifest, "src/lib.rs": "",
		"home/config.toml": fmt.Sprintf("[registries.box]\nindex = \"sparse+http://%s/cargo/index/\"\n", far.Addr()),
	} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			return 0, 0, err
		}
	}
	cmd := exec.CommandContext(ctx, cargo, "generate-lockfile")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CARGO_HOME="+filepath.Join(dir, "home"))
	start := time.Now()
	out, err := cmd.CombinedOutput()
	took := time.Since(start)
	if err != nil {
		return 0, 0, fmt.Errorf("cargo: %w\n%s", err, out)
	}
	return 1 / took.Seconds(), 1 / 0.4, nil
}

// listenFar passes connections on to addr, each byte after a delay in each direction.
func listenFar(addr string, delay time.Duration) (net.Listener, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	go func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return // closed
			}
			remote, err := net.Dial("tcp", addr)
			if err != nil {
				_ = near.Close()
				continue
			}
			go delayed(remote, near, delay)
			go delayed(near, remote, delay)
		}
	}()
	return l, nil
}

// delayed copies src to dst, each byte after a delay.
func delayed(dst, src net.Conn, delay time.Duration) {
	type piece struct {
		due time.Time
		p   []byte
	}
	pieces := make(chan piece, 4096)
	go func() {
		defer close(pieces)
		for {
			buf := make([]byte, 64<<10)
			n, err := src.Read(buf)
			if n > 0 {
				pieces <- piece{time.Now().Add(delay), buf[:n]}
			}
			if err != nil {
				return
			}
		}
	}()
	for p := range pieces {
		time.Sleep(time.Until(p.due))
		if _, err := dst.Write(p.p); err != nil {
			break
		}
	}
	// One end is closed: close the other one, and with it the reader.
	_, _ = dst.Close(), src.Close()
}

// cargoFresh measures 304 for an index file of 300 versions, beside a bare handler that answers 304
// in a process of its own.
func cargoFresh(ctx context.Context, e *env) (ours, yardstick float64, err error) {
	p, c, err := e.startCargo(ctx, 300)
	if err != nil {
		return 0, 0, err
	}
	defer p.kill()
	const path = "/cargo/index/3/b/big"
	resp, err := c.do(ctx, "GET", path, nil, 0)
	if err != nil {
		return 0, 0, err
	}
	drain(resp)
	return e.compareBare(ctx, p, path, "", bareFresh, "Accept-Encoding: deflate, gzip\r\n",
		"If-None-Match: "+resp.Header.Get("ETag")+"\r\n")
}

// cargoGrowth measures publishes per second into 1,000 versions, beside publishes into 10.
func cargoGrowth(ctx context.Context, e *env) (ours, yardstick float64, err error) {
	pl, large, err := e.startCargo(ctx, 1000)
	if err != nil {
		return 0, 0, err
	}
	defer pl.kill()
	ps, small, err := e.startCargo(ctx, 10)
	if err != nil {
		return 0, 0, err
	}
	defer ps.kill()
	return growth(ctx, large, small, publishCargo)
}
