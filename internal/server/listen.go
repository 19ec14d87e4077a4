package server

// This file has the admin socket, the file with the address, and the files of the certificate.

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// socketName is the admin socket's name in the data folder.
const socketName = "admin.sock"

// maxSocketPath is what every system's sockaddr_un holds.
const maxSocketPath = 100

// adminListener is the admin socket; Close removes its file.
type adminListener struct {
	net.Listener
	path string
}

// listenAdmin binds DATA/admin.sock, usable by the server's own user only. It is bound under another name and moved, so
// that it never exists with a wider mode and takes the place of what a killed server left behind. The folder's lock is
// held by now: no other server listens there.
func listenAdmin(data string) (net.Listener, error) {
	path := filepath.Join(data, socketName)
	fresh := path + ".new"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("admin socket: %w", err)
	}
	ln, err := listenUnix(data, fresh)
	if err != nil {
		return nil, fmt.Errorf("admin socket: %w", err)
	}
	ln.SetUnlinkOnClose(false)
	err = os.Chmod(fresh, 0o600)
	if err == nil {
		err = os.Rename(fresh, path)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("admin socket: %w", err), ln.Close(), os.Remove(fresh))
	}
	return &adminListener{ln, path}, nil
}

// listenUnix binds path; one too long for a socket address is reached through the opened folder (Linux only).
func listenUnix(data, path string) (*net.UnixListener, error) {
	if len(path) > maxSocketPath {
		dir, err := os.Open(data)
		if err != nil {
			return nil, err
		}
		defer dir.Close()
		path = fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(path))
	}
	return net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
}

func (l *adminListener) Close() error {
	err := l.Listener.Close()
	if rerr := os.Remove(l.path); rerr != nil && !errors.Is(rerr, fs.ErrNotExist) {
		err = errors.Join(err, rerr)
	}
	return err
}

// writeAddr puts the bound address into the file an operator or test named. Whoever waits for the file never sees half
// of it.
func writeAddr(path, addr string) error {
	fresh := path + ".new"
	if err := os.WriteFile(fresh, []byte(addr+"\n"), 0o644); err != nil {
		return fmt.Errorf("addr-file: %w", err)
	}
	if err := os.Rename(fresh, path); err != nil {
		return fmt.Errorf("addr-file: %w", err)
	}
	return nil
}

// certCheck is how often the certificate's files are looked at, at most, when connections come in.
const certCheck = 10 * time.Second

// certificate is a certificate in two files that may be replaced while the server runs.
type certificate struct {
	certFile, keyFile string
	log               *slog.Logger

	mu      sync.Mutex // guards the rest
	pair    *tls.Certificate
	stamp   [2]fileStamp
	checked time.Time
}

// fileStamp tells one version of a file from the next.
type fileStamp struct {
	modified time.Time
	size     int64
}

func newCertificate(certFile, keyFile string, log *slog.Logger) (*certificate, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile, log: log}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c, c.load()
}

func (c *certificate) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get}
}

// get is asked for every handshake.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.checked) >= certCheck {
		c.refresh(false)
	}
	return c.pair, nil
}

// reload looks at the files now, as on SIGHUP.
func (c *certificate) reload() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refresh(true)
}

// refresh keeps the old certificate when the new files cannot be used: renewal tools replace the two one after the
// other.
func (c *certificate) refresh(force bool) {
	c.checked = time.Now()
	if stamp, err := c.look(); !force && err == nil && stamp == c.stamp {
		return
	}
	if err := c.load(); err != nil {
		c.log.LogAttrs(context.Background(), slog.LevelError, "certificate not reloaded, the old one stays in use",
			slog.Any("error", err))
		return
	}
	c.log.LogAttrs(context.Background(), slog.LevelInfo, "certificate reloaded", slog.String("file", c.certFile))
}

func (c *certificate) load() error {
	stamp, err := c.look()
	if err != nil {
		return fmt.Errorf("certificate: %w", err)
	}
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return fmt.Errorf("certificate: %w", err)
	}
	c.pair, c.stamp, c.checked = &pair, stamp, time.Now()
	return nil
}

func (c *certificate) look() (stamp [2]fileStamp, err error) {
	for i, name := range []string{c.certFile, c.keyFile} {
		info, err := os.Stat(name)
		if err != nil {
			return stamp, err
		}
		stamp[i] = fileStamp{info.ModTime(), info.Size()}
	}
	return stamp, nil
}
