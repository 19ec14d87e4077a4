package e2e

// Script commands for container clients: layer makes a layer of installed files, engine starts a Docker engine.

import (
	"archive/tar"
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// cmdLayer writes a tar of the files of installed Debian packages: layer FILE PACKAGE…
func cmdLayer(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: layer FILE PACKAGE…")
	}
	list, err := exec.Command("dpkg", append([]string{"-L"}, args[1:]...)...).Output()
	ts.Check(err)
	file, err := os.Create(ts.MkAbs(args[0]))
	ts.Check(err)
	defer file.Close()
	w := tar.NewWriter(file)
	for lines := bufio.NewScanner(bytes.NewReader(list)); lines.Scan(); {
		ts.Check(addToLayer(w, lines.Text()))
	}
	ts.Check(w.Close())
}

func addToLayer(w *tar.Writer, path string) error {
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() {
		return nil // folders, links and files that were removed after installation
	}
	header := &tar.Header{Name: strings.TrimPrefix(path, "/"), Mode: int64(info.Mode().Perm()), Size: info.Size()}
	if err := w.WriteHeader(header); err != nil {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(w, f)
	return err
}

// cmdEngine starts a Docker engine with a root and a socket of its own, and configures docker to use it.
func cmdEngine(ts *testscript.TestScript, neg bool, args []string) {
	socket, stop, err := startEngine(filepath.Join(ts.MkAbs("."), "engine.log"))
	ts.Check(err)
	ts.Defer(stop)
	ts.Setenv("DOCKER_HOST", socket)
}

// startEngine starts a Docker engine that writes to logFile. Whoever starts it calls stop.
func startEngine(logFile string) (socket string, stop func(), err error) {
	dir, err := os.MkdirTemp("", "engine")
	if err != nil {
		return "", nil, err
	}
	socket = "unix://" + filepath.Join(dir, "docker.sock")
	log, err := os.Create(logFile)
	if err != nil {
		return "", nil, err
	}
	config := filepath.Join(dir, "daemon.json")
	// Without this setting the engine writes a key to /etc.
	err = os.WriteFile(config, fmt.Appendf(nil, `{"deprecated-key-path": %q}`, filepath.Join(dir, "key.json")), 0o600)
	if err != nil {
		return "", nil, err
	}
	cmd := exec.Command("dockerd", "--config-file", config, "--bridge", "none", "--iptables=false", "--ip6tables=false",
		"--storage-driver", "vfs",
		"--data-root", filepath.Join(dir, "root"), "--exec-root", filepath.Join(dir, "exec"),
		"--pidfile", filepath.Join(dir, "pid"), "--host", socket)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	stop = func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
		_ = log.Close()
		_ = os.RemoveAll(dir)
	}
	for deadline := time.Now().Add(60 * time.Second); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		probe := exec.Command("docker", "--host", socket, "version")
		if probe.Run() == nil {
			return socket, stop, nil
		}
	}
	stop()
	text, _ := os.ReadFile(logFile)
	return "", nil, fmt.Errorf("the Docker engine did not start:\n%s", text)
}
