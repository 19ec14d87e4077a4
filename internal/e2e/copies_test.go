package e2e

// Copies belong to the registry they came from, whatever the operator calls it, in all seven protocols.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"larder/internal/miniclient"
	"larder/store"
)

// mini returns the server for an administrator's clients. They use a token, because checking a password is slow.
func (s *crashServer) mini(t *testing.T, data string) *miniclient.Server {
	t.Helper()
	out, err := exec.Command("larder", "token", "create", "admin", "--data", data).Output()
	if err != nil {
		t.Fatalf("token create: %v", err)
	}
	auth := "Bearer " + strings.TrimSpace(string(out))
	return &miniclient.Server{Base: "http://" + s.addr, Auth: auth, HTTP: http.DefaultClient}
}

// anonymous returns the server for clients without credentials.
func (s *crashServer) anonymous() *miniclient.Server {
	return &miniclient.Server{Base: "http://" + s.addr, HTTP: http.DefaultClient}
}

// stop ends the server with SIGTERM, as an operator does.
func (s *crashServer) stop(t *testing.T) {
	t.Helper()
	if err := s.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	<-s.done
}

// publishAll publishes one release of each protocol.
func publishAll(t *testing.T, s *miniclient.Server, name, version string) map[string]miniclient.Release {
	t.Helper()
	out := map[string]miniclient.Release{}
	for _, p := range miniclient.All() {
		file, err := p.Make(name, version, []byte(p.Kind+" "+version))
		if err != nil {
			t.Fatal(err)
		}
		r := miniclient.Release{Name: name, Version: version, File: file}
		if a, err := p.Publish(context.Background(), s, r); err != nil || a.Status/100 != 2 {
			t.Fatalf("publish %s: %v, %d %s", p.Kind, err, a.Status, a.Body)
		}
		if err := p.Read(context.Background(), s, "", r); err != nil {
			t.Fatalf("%s after it was published: %v", p.Kind, err)
		}
		out[p.Kind] = r
	}
	return out
}

// upstreamsYAML returns a list of upstreams at a base address, one of each protocol, all with one name.
func upstreamsYAML(name, base string, more ...string) string {
	var b strings.Builder
	b.WriteString("upstreams:\n")
	for _, p := range miniclient.All() {
		fmt.Fprintf(&b, "  - {kind: %s, name: %s, url: %q", p.Kind, name, base+p.Registry)
		for _, m := range more {
			b.WriteString(", " + strings.ReplaceAll(m, "PATH", p.Registry))
		}
		b.WriteString("}\n")
	}
	return b.String()
}

// box starts a server on a folder with the given configuration.
func box(t *testing.T, data, yaml string) *crashServer {
	t.Helper()
	file := filepath.Join(t.TempDir(), "larder.yaml")
	if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	return startCrashServer(t, data, "--config", file)
}

func TestCopiesBelongToTheRegistryNotToItsName(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	origin := startCrashServer(t, filepath.Join(dir, "origin"))
	base := "http://" + origin.addr
	there := publishAll(t, origin.mini(t, filepath.Join(dir, "origin")), "thing", "1.0.0")
	moved := "http://localhost:" + strings.Split(origin.addr, ":")[1] // the same registry at another URL
	was := `was: ["` + base + `PATH"]`
	other, shouted := "http://127.0.0.1:1", strings.Replace(base, "http", "HTTP", 1)+"/."
	data := filepath.Join(dir, "box")

	fetched := box(t, data, upstreamsYAML("one", base))
	for _, p := range miniclient.All() {
		if err := p.Read(ctx, fetched.anonymous(), prefixFor(p, "one/"), there[p.Kind]); err != nil {
			t.Fatalf("fetch: %v", err)
		}
	}
	if err := imageProtocol(t).Read(ctx, fetched.anonymous(), "", there["oci"]); err != nil {
		t.Fatalf("fetch without the upstream's name: %v", err)
	}
	fetched.stop(t)
	data = restored(t, data)

	for _, c := range []struct {
		what, yaml string
		prefix     string // of a container registry's names
		serves     bool
	}{
		{"the same name, offline", "offline: true\n" + upstreamsYAML("one", base), "one/", true},
		{"renamed, offline", "offline: true\n" + upstreamsYAML("two", base), "two/", true},
		{"renamed, offline, without the prefix", "offline: true\n" + upstreamsYAML("two", base), "", true},
		{"renamed, nothing can be written", "read-only: true\noffline: true\n" + upstreamsYAML("five", base), "five/", true},
		{"another spelling of the URL", "offline: true\n" + upstreamsYAML("three", shouted), "three/", true},
		{"no upstreams, offline", "offline: true\n", "three/", true},
		{"no upstreams", "", "three/", true},
		{"no upstreams, names claimed", "claims: [\"*:*thing\"]\n", "three/", false},
		{"no upstreams, names blocked", "blocked: [\"*:*thing\"]\n", "three/", false},
		{"its name for another registry, offline", "offline: true\n" + upstreamsYAML("three", other), "three/", true},
		{"its name for another registry that is down", upstreamsYAML("three", other), "three/", false},
		{"its new URL beside the one it was", "offline: true\n" + upstreamsYAML("four", moved, was), "four/", true},
		{"its new URL alone, later", "offline: true\n" + upstreamsYAML("four", moved), "four/", true},
		{"excluded", "offline: true\n" + upstreamsYAML("four", moved, `exclude: ["*thing"]`), "four/", false},
	} {
		s := box(t, data, c.yaml)
		for _, p := range miniclient.All() {
			err := p.Read(ctx, s.anonymous(), prefixFor(p, c.prefix), there[p.Kind])
			if served := err == nil; served != c.serves {
				t.Errorf("%s: %s is served: %t, want %t: %v", c.what, p.Kind, served, c.serves, err)
			}
		}
		s.stop(t)
	}
}

func TestCopiesWithoutUpstreamAreListedAndPurged(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	origin := startCrashServer(t, filepath.Join(dir, "origin"))
	there := publishAll(t, origin.mini(t, filepath.Join(dir, "origin")), "thing", "1.0.0")
	data := filepath.Join(dir, "box")
	s := box(t, data, upstreamsYAML("one", "http://"+origin.addr))
	for _, p := range miniclient.All() {
		if err := p.Read(ctx, s.anonymous(), prefixFor(p, "one/"), there[p.Kind]); err != nil {
			t.Fatalf("fetch: %v", err)
		}
	}
	s.stop(t)

	s = box(t, data, upstreamsYAML("other", "http://127.0.0.1:1"))
	out, err := exec.Command("larder", "upstream", "list", "--json", "--data", data).Output()
	if err != nil {
		t.Fatalf("upstream list: %v\n%s", err, out)
	}
	var list struct {
		Upstreams []struct {
			Kind       string
			Name       string
			NoUpstream bool `json:"no_upstream"`
			Copies     int
			Kept       int `json:"kept_bytes"`
		}
	}
	if err := json.Unmarshal(out, &list); err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for _, u := range list.Upstreams {
		if u.NoUpstream && u.Name == "one" && u.Copies >= 2 && u.Kept > len(there[u.Kind].File) {
			listed[u.Kind] = true
		}
	}
	for _, p := range miniclient.All() {
		if !listed[p.Kind] {
			t.Errorf("the copies of %s are not listed without an upstream: %s", p.Kind, out)
		}
		purge := exec.Command("larder", "upstream", "purge", p.Kind, "*", "--no-upstream", "--data", data)
		if out, err := purge.CombinedOutput(); err != nil {
			t.Errorf("purge %s: %v\n%s", p.Kind, err, out)
		}
	}
	s.stop(t)
	s = box(t, data, "")
	client := s.mini(t, data)
	for _, p := range miniclient.All() {
		err := p.Read(ctx, client, prefixFor(p, "one/"), there[p.Kind])
		if !errors.Is(err, miniclient.ErrNotListed) {
			t.Errorf("%s was purged, reading it says %v", p.Kind, err)
		}
	}
	s.stop(t)
	if out, err := exec.Command("larder", "check", "--deep", "--data", data).CombinedOutput(); err != nil {
		t.Errorf("check: %v\n%s", err, out)
	}
}

// prefixFor returns prefix for container registries, where the name of a repository begins with that of the upstream.
func prefixFor(p miniclient.Protocol, prefix string) string {
	if p.Kind == string(store.OCI) {
		return prefix
	}
	return ""
}

func imageProtocol(t *testing.T) miniclient.Protocol {
	t.Helper()
	for _, p := range miniclient.All() {
		if p.Kind == string(store.OCI) {
			return p
		}
	}
	t.Fatal("no protocol for images")
	return miniclient.Protocol{}
}

// restored backs a folder up and returns another folder to which the backup was restored.
func restored(t *testing.T, data string) string {
	t.Helper()
	to, file := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "backup.tar")
	for _, args := range [][]string{{"backup", file, "--data", data}, {"restore", file, "--data", to}} {
		if out, err := exec.Command("larder", args...).CombinedOutput(); err != nil {
			t.Fatalf("larder %v: %v\n%s", args, err, out)
		}
	}
	return to
}
