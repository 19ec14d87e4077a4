package e2e

// The live test of cargo: a real project is built from crates that were published here again.

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/BurntSushi/toml"
	"golang.org/x/sync/errgroup"
)

// liveCargoProject is a web service with its tools. With dependencies it has some four hundred crates.
const liveCargoProject = `[package]
name = "project"
version = "0.1.0"
edition = "2021"
[dependencies]
anyhow = "1"
axum = "0.7"
chrono = "0.4"
clap = { version = "4", features = ["derive"] }
criterion = "0.5"
crossterm = "0.28"
handlebars = "5"
ignore = "0.4"
image = { version = "0.25", default-features = false, features = ["png", "jpeg", "gif"] }
jsonschema = { version = "0.26", default-features = false }
notify = "7"
proptest = "1"
ratatui = "0.28"
rayon = "1"
regex = "1"
reqwest = { version = "0.12", default-features = false, features = ["json", "gzip", "brotli"] }
scraper = "0.20"
serde = { version = "1", features = ["derive"] }
serde_json = "1"
serde_yaml = "0.9"
sysinfo = "0.32"
tera = "1"
tokio = { version = "1", features = ["full"] }
toml = "0.8"
tower-http = { version = "0.6", features = ["full"] }
tracing-subscriber = { version = "0.3", features = ["env-filter", "json"] }
uuid = { version = "1", features = ["v4", "v7"] }
walkdir = "2"
zip = { version = "2", default-features = false, features = ["deflate"] }
`

// TestCargoLive publishes all crates of a real project to Larder, as they come from the registry of the user's own
// cargo, and builds the project from Larder alone. The lockfile must have the same bytes, that is every version and
// checksum, whether it is given or made anew.
//
//	LARDER_LIVE=1 go test ./internal/e2e -run TestCargoLive -v -timeout 60m
func TestCargoLive(t *testing.T) {
	if _, err := exec.LookPath("cargo"); err != nil {
		without(t, "cargo", err)
	}
	source := newLiveCargo(t, userCargoConfig(t))
	took := source.run(t, os.Environ(), "fetch")
	crates := source.crates(t)
	t.Logf("%d crates from the source in %v", len(crates), took)
	if len(crates) < 300 {
		t.Fatalf("only %d crates in the closure", len(crates))
	}
	for name, value := range map[string]string{"MAX_CRATE": "64MiB", "MAX_FEATURES": "5000", "MAX_DEPENDENCIES": "2000"} {
		t.Setenv("LARDER_CARGO_"+name, value)
	}
	server := startCrashServer(t, filepath.Join(t.TempDir(), "data"))
	start, published := time.Now(), atomic.Int64{}
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(4)
	for _, c := range crates {
		group.Go(func() error {
			n, err := c.publish(ctx, "http://"+server.addr+"/cargo")
			published.Add(n)
			if err != nil {
				return fmt.Errorf("%s %s: %w", c.Name, c.Version, err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d crates, %d MB published in %v", len(crates), published.Load()>>20, time.Since(start).Round(time.Second))

	target := newLiveCargo(t, "[source.crates-io]\nreplace-with = \"larder\"\n"+
		"[source.larder]\nregistry = \"sparse+http://"+server.addr+"/cargo/index/\"\n")
	took = target.run(t, shutOff(os.Environ()), "generate-lockfile")
	if !bytes.Equal(target.lock(t), source.lock(t)) {
		t.Errorf("resolving from Larder makes another lockfile: compare %s and %s", target.dir, source.dir)
	}
	t.Logf("resolved in %v", took)
	t.Logf("downloaded in %v", target.run(t, shutOff(os.Environ()), "fetch", "--locked"))
	t.Logf("checked in %v", target.run(t, shutOff(os.Environ()), "check", "--locked", "--offline"))
}

// userCargoConfig returns the configuration of the user's own cargo.
func userCargoConfig(t *testing.T) string {
	t.Helper()
	home := os.Getenv("CARGO_HOME")
	if home == "" {
		user, err := os.UserHomeDir()
		if err != nil {
			t.Fatal(err)
		}
		home = filepath.Join(user, ".cargo")
	}
	text, err := os.ReadFile(filepath.Join(home, "config.toml"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return string(text)
}

// liveCargo is a copy of the project, and a cargo with an empty cache.
type liveCargo struct{ dir string }

func newLiveCargo(t *testing.T, config string) *liveCargo {
	t.Helper()
	c := &liveCargo{t.TempDir()}
	for name, text := range map[string]string{
		"project/Cargo.toml": liveCargoProject, "project/src/lib.rs": "", "home/config.toml": config,
	} {
		path := filepath.Join(c.dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func (c *liveCargo) command(ctx context.Context, env []string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "cargo", args...)
	cmd.Dir = filepath.Join(c.dir, "project")
	cmd.Env = append(env, "CARGO_HOME="+filepath.Join(c.dir, "home"), "CARGO_TARGET_DIR="+filepath.Join(c.dir, "target"),
		"CARGO_TERM_COLOR=never")
	return cmd
}

func (c *liveCargo) run(t *testing.T, env []string, args ...string) time.Duration {
	t.Helper()
	start := time.Now()
	if out, err := c.command(t.Context(), env, args...).CombinedOutput(); err != nil {
		t.Fatalf("cargo %s: %v\n%s", args[0], err, out[max(0, len(out)-4000):])
	}
	return time.Since(start).Round(100 * time.Millisecond)
}

func (c *liveCargo) lock(t *testing.T) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(c.dir, "project", "Cargo.lock"))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// liveCrate is a crate as cargo describes it.
type liveCrate struct {
	Name          string
	Version       string `json:"version"`
	Source        string
	Dependencies  []liveDependency
	Description   string
	Documentation string
	Homepage      string
	Repository    string
	License       string
	LicenseFile   string `json:"license_file"`
	Keywords      []string
	Categories    []string
	Authors       []string
	Links         string
	RustVersion   string `json:"rust_version"`
	ManifestPath  string `json:"manifest_path"`

	file string // the archive in cargo's cache
}

type liveDependency struct {
	Name     string   `json:"name"`
	Req      string   `json:"version_req"`
	Kind     string   `json:"kind"`
	Rename   string   `json:"explicit_name_in_toml,omitempty"`
	Optional bool     `json:"optional"`
	Defaults bool     `json:"default_features"`
	Features []string `json:"features"`
	Target   string   `json:"target,omitempty"`
}

// UnmarshalJSON reads the names that cargo metadata has for fields of an upload.
func (d *liveDependency) UnmarshalJSON(raw []byte) error {
	var m struct {
		Name, Req, Kind, Rename, Target string
		Optional                        bool
		Defaults                        bool `json:"uses_default_features"`
		Features                        []string
	}
	err := json.Unmarshal(raw, &m)
	*d = liveDependency{m.Name, m.Req, m.Kind, m.Rename, m.Optional, m.Defaults, m.Features, m.Target}
	return err
}

// crates returns the crates of the lockfile with their archives.
func (c *liveCargo) crates(t *testing.T) []liveCrate {
	t.Helper()
	out, err := c.command(t.Context(), os.Environ(), "metadata", "--format-version", "1", "--locked", "--offline").Output()
	if err != nil {
		t.Fatal(err)
	}
	var all struct{ Packages []liveCrate }
	if err := json.Unmarshal(out, &all); err != nil {
		t.Fatal(err)
	}
	var crates []liveCrate
	for _, p := range all.Packages {
		if p.Source == "" {
			continue // the project itself
		}
		found, err := filepath.Glob(filepath.Join(c.dir, "home/registry/cache/*", p.Name+"-"+p.Version+".crate"))
		if err != nil || len(found) != 1 {
			t.Fatalf("%s %s: %q %v", p.Name, p.Version, found, err)
		}
		p.file = found[0]
		crates = append(crates, p)
	}
	return crates
}

// publish sends the crate as cargo would. An upload has the features of Cargo.toml; cargo metadata adds those that
// optional dependencies imply.
func (c *liveCrate) publish(ctx context.Context, registry string) (int64, error) {
	archive, err := os.ReadFile(c.file)
	if err != nil {
		return 0, err
	}
	var manifest struct{ Features map[string][]string }
	if _, err := toml.DecodeFile(c.ManifestPath, &manifest); err != nil {
		return 0, err
	}
	meta, err := json.Marshal(map[string]any{
		"name": c.Name, "vers": c.Version, "deps": c.Dependencies, "features": manifest.Features, "authors": c.Authors,
		"description": c.Description, "documentation": c.Documentation, "homepage": c.Homepage, "repository": c.Repository,
		"license": c.License, "license_file": c.LicenseFile, "keywords": c.Keywords, "categories": c.Categories,
		"links": c.Links, "rust_version": c.RustVersion,
	})
	if err != nil {
		return 0, err
	}
	body := binary.LittleEndian.AppendUint32(nil, uint32(len(meta)))
	body = append(body, meta...)
	body = binary.LittleEndian.AppendUint32(body, uint32(len(archive)))
	body = append(body, archive...)
	req, err := http.NewRequestWithContext(ctx, "PUT", registry+"/api/v1/crates/new", bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.SetBasicAuth("admin", crashPassword)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 4000))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s", resp.Status, strings.TrimSpace(string(answer)))
	}
	return int64(len(archive)), err
}
