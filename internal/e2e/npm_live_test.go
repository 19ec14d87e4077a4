package e2e

// The live test of npm, pnpm, yarn and bun: a real project is installed from packages that were published here again.

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

// liveProject has a test runner, a bundler, a linter and a web framework. With dependencies it has some six hundred
// packages.
var liveProject = map[string]string{"jest": "^29.7.0", "webpack": "^5.90.0", "eslint": "^8.57.0", "express": "^4.19.0"}

// liveClient is how one client installs a project from a registry: with an empty cache, without running scripts or
// hiding young versions.
type liveClient struct {
	name string
	args []string
	lock string
	// versions matches name and version of every package in the lockfile.
	versions *regexp.Regexp
}

var (
	npmLive  = []string{"install", "--ignore-scripts", "--no-audit", "--no-fund"}
	pnpmLive = []string{"install", "--ignore-scripts", "--no-frozen-lockfile"}
	pnpmLock = regexp.MustCompile(`(?m)^  '?(@?[^@'\s]+)@([0-9][^:'(]*)'?:$`)

	liveClients = []liveClient{
		{"npm10", npmLive, "package-lock.json", nil},
		{"npm11", npmLive, "package-lock.json", nil},
		{"npm12", npmLive, "package-lock.json", nil},
		{"pnpm10", pnpmLive, "pnpm-lock.yaml", pnpmLock},
		{"pnpm11", pnpmLive, "pnpm-lock.yaml", pnpmLock},
		{"pnpm12", pnpmLive, "pnpm-lock.yaml", pnpmLock},
		{"yarn1", []string{"install", "--ignore-scripts", "--non-interactive", "--ignore-engines"}, "yarn.lock",
			regexp.MustCompile(`(?m)^"?(@?[^@"\s]+)@[^\n]*:\n  version "([^"]+)"`)},
		{"yarn4", []string{"install"}, "yarn.lock", regexp.MustCompile(`(?m)^  resolution: "(@?[^@"]+)@npm:([0-9][^":]*)"`)},
		{
			"bun", []string{"install", "--ignore-scripts"}, "bun.lock",
			regexp.MustCompile(`(?m)^    "[^"\n]+": \["(@?[^@"]+)@([0-9][^"]*)"`),
		},
	}
)

// TestNpmLive publishes all packages of a real project to Larder, as they come from the registry of the user's own npm,
// and installs the project from Larder alone with every client. Every installed file must be as if it came from the
// source.
//
//	LARDER_LIVE=1 go test ./internal/e2e -run TestNpmLive -v          every client
//	LARDER_LIVE=npm12,bun go test ./internal/e2e -run TestNpmLive -v  these
func TestNpmLive(t *testing.T) {
	source := sourceRegistry(t)
	chosen := strings.Split(os.Getenv("LARDER_LIVE"), ",")
	clients := slices.DeleteFunc(slices.Clone(liveClients), func(c liveClient) bool {
		if chosen[0] != "1" && !slices.Contains(chosen, c.name) {
			return true
		}
		_, err := exec.LookPath(c.name)
		if err != nil && os.Getenv("LARDER_CLIENTS") == "all" {
			t.Fatal(err)
		}
		return err != nil
	})
	want := map[string]map[string]string{}
	closure := map[livePackage]bool{}
	for _, c := range clients {
		dir := t.TempDir()
		took := c.install(t, dir, source, os.Environ())
		want[c.name] = tree(t, dir)
		found := c.locked(t, dir)
		for _, p := range found {
			closure[p] = true
		}
		t.Logf("%s: %d packages, %d files from the source in %v", c.name, len(found), len(want[c.name]), took)
	}
	if len(closure) < 300 {
		t.Fatalf("only %d packages in the closure", len(closure))
	}
	server := startCrashServer(t, filepath.Join(t.TempDir(), "data"))
	mirror := &liveMirror{source: source, target: "http://" + server.addr + "/npm/"}
	start := time.Now()
	mirror.publishAll(t, closure)
	t.Logf("%d versions, %d MB published in %v", len(closure), mirror.bytes.Load()>>20,
		time.Since(start).Round(time.Second))
	for _, c := range clients {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			took := c.install(t, dir, mirror.target, shutOff(os.Environ()))
			have := tree(t, dir)
			compareTrees(t, want[c.name], have)
			t.Logf("%d files from Larder in %v", len(have), took)
		})
	}
}

// without skips a live test whose client is missing; with LARDER_CLIENTS=all that is a failure.
func without(t *testing.T, client string, err error) {
	t.Helper()
	if os.Getenv("LARDER_CLIENTS") == "all" {
		t.Fatalf("LARDER_CLIENTS=all, but there is no %s: %v", client, err)
	}
	t.Skipf("no %s: %v", client, err)
}

// sourceRegistry asks npm for the registry of its user.
func sourceRegistry(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("npm", "config", "get", "registry").Output()
	if err != nil {
		without(t, "npm", err)
	}
	return strings.TrimRight(strings.TrimSpace(string(out)), "/") + "/"
}

// shutOff returns env with a proxy that does not exist, so that only this machine can be reached.
func shutOff(env []string) []string {
	for _, key := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "YARN_HTTPS_PROXY"} {
		env = append(env, key+"=http://127.0.0.1:1")
	}
	return append(env, "NO_PROXY=127.0.0.1", "no_proxy=127.0.0.1")
}

// install writes the project into dir and runs the client.
func (c liveClient) install(t *testing.T, dir, registry string, env []string) time.Duration {
	t.Helper()
	return c.installProject(t, liveProject, dir, registry, env)
}

func (c liveClient) installProject(
	t *testing.T, dependencies map[string]string, dir, registry string, env []string,
) time.Duration {
	t.Helper()
	home := filepath.Join(dir, "home")
	project := filepath.Join(dir, "project")
	pkg, _ := json.Marshal(map[string]any{
		"name": "project", "version": "0.0.0", "private": true, "dependencies": dependencies,
	})
	u, err := url.Parse(registry)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{
		home + "/.npmrc":  "registry=" + registry + "\n",
		home + "/.yarnrc": "registry \"" + registry + "\"\n",
		home + "/.yarnrc.yml": "nodeLinker: node-modules\nenableScripts: false\nunsafeHttpWhitelist: [\"" + u.Hostname() +
			"\"]\n",
		project + "/package.json": string(pkg),
	}
	if c.name == "yarn4" {
		files[project+"/yarn.lock"] = ""
	}
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.name, c.args...)
	cmd.Dir = project
	cmd.Env = append(env, "HOME="+home,
		"XDG_CACHE_HOME="+home+"/cache", "XDG_DATA_HOME="+home+"/data", "XDG_CONFIG_HOME="+home+"/config",
		"npm_config_userconfig="+home+"/.npmrc", "npm_config_globalconfig="+home+"/none", "FAKEROOTKEY=none", "CI=",
		"pnpm_config_minimum_release_age=0", "YARN_NPM_MINIMAL_AGE_GATE=0", "YARN_ENABLE_TELEMETRY=0",
		"YARN_NPM_REGISTRY_SERVER="+strings.TrimRight(registry, "/"), "YARN_ENABLE_IMMUTABLE_INSTALLS=false")
	start := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s install: %v\n%s", c.name, err, out[max(0, len(out)-4000):])
	}
	return time.Since(start).Round(100 * time.Millisecond)
}

type livePackage struct{ name, version string }

// locked returns the packages of the lockfile, those for other platforms included.
func (c liveClient) locked(t *testing.T, dir string) []livePackage {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "project", c.lock))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[livePackage]bool{}
	if c.versions == nil {
		var lock struct {
			Packages map[string]struct{ Name, Version string }
		}
		if err := json.Unmarshal(text, &lock); err != nil {
			t.Fatal(err)
		}
		for path, p := range lock.Packages {
			if _, name, ok := cutLast(path, "node_modules/"); ok {
				seen[livePackage{cmp.Or(p.Name, name), p.Version}] = true
			}
		}
	} else {
		for _, m := range c.versions.FindAllStringSubmatch(string(text), -1) {
			seen[livePackage{m[1], m[2]}] = true
		}
	}
	return slices.Collect(maps.Keys(seen))
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// bookkeeping matches files in which clients record addresses, times and paths of an installation.
var bookkeeping = regexp.MustCompile(`^(\.package-lock\.json|\.yarn-integrity|\.yarn-state\.yml|` +
	`\.modules\.yaml|\.pnpm-workspace-state.*|\.pnpm/lock\.yaml)$`)

// tree maps every file below node_modules to the hash of its bytes, and every link to its target.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	root := filepath.Join(dir, "project", "node_modules")
	files := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		name, _ := filepath.Rel(root, path)
		switch {
		case err != nil || bookkeeping.MatchString(name):
			return err
		case d.Type()&fs.ModeSymlink != 0:
			files[name], err = os.Readlink(path)
		case d.Type().IsRegular():
			var b []byte
			b, err = os.ReadFile(path)
			// Wrappers of commands have the path of their folder in them.
			sum := sha256.Sum256(bytes.ReplaceAll(b, []byte(dir), nil))
			files[name] = string(sum[:])
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func compareTrees(t *testing.T, want, have map[string]string) {
	t.Helper()
	var differ []string
	for name, sum := range want {
		if other, ok := have[name]; !ok {
			differ = append(differ, "missing "+name)
		} else if other != sum {
			differ = append(differ, "other bytes in "+name)
		}
	}
	for name := range have {
		if _, ok := want[name]; !ok {
			differ = append(differ, "unexpected "+name)
		}
	}
	slices.Sort(differ)
	if len(differ) > 0 {
		t.Errorf("%d of %d files differ:\n%s", len(differ), len(want), strings.Join(differ[:min(20, len(differ))], "\n"))
	}
}

// liveMirror copies packages from one npm registry to another.
type liveMirror struct {
	source, target string
	bytes          atomic.Int64
}

// publishAll publishes the packages, the versions of each name in order, four names at a time.
func (m *liveMirror) publishAll(t *testing.T, closure map[livePackage]bool) {
	t.Helper()
	versions := map[string][]string{}
	for p := range closure {
		versions[p.name] = append(versions[p.name], p.version)
	}
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(4)
	for name, list := range versions {
		slices.SortFunc(list, compareVersions)
		group.Go(func() error { return m.mirror(ctx, name, list) })
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
}

// mirror publishes versions of one package and sets latest as the source does, or to the newest one: clients prefer
// that version within a range.
func (m *liveMirror) mirror(ctx context.Context, name string, versions []string) error {
	for _, v := range versions {
		if err := m.publish(ctx, name, v); err != nil {
			return fmt.Errorf("%s@%s: %w", name, v, err)
		}
	}
	var doc struct {
		Tags map[string]string `json:"dist-tags"`
	}
	if err := m.get(ctx, m.source+url.PathEscape(name), "application/vnd.npm.install-v1+json", &doc); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	latest := doc.Tags["latest"]
	if !slices.Contains(versions, latest) {
		latest = versions[len(versions)-1]
	}
	return m.put(ctx, "-/package/"+url.PathEscape(name)+"/dist-tags/latest", latest)
}

func (m *liveMirror) publish(ctx context.Context, name, version string) error {
	var manifest map[string]any
	if err := m.get(ctx, m.source+url.PathEscape(name)+"/"+version, "application/json", &manifest); err != nil {
		return err
	}
	dist, _ := manifest["dist"].(map[string]any)
	address, _ := dist["tarball"].(string)
	var tarball []byte
	if err := m.get(ctx, address, "*/*", &tarball); err != nil {
		return err
	}
	m.bytes.Add(int64(len(tarball)))
	delete(dist, "signatures") // the source's own, as is what it adds
	return m.put(ctx, url.PathEscape(name), map[string]any{
		"_id": name, "name": name, "dist-tags": map[string]string{"latest": version},
		"versions": map[string]any{version: manifest},
		"_attachments": map[string]any{name + "-" + version + ".tgz": map[string]any{
			"content_type": "application/octet-stream", "length": len(tarball),
			"data": base64.StdEncoding.EncodeToString(tarball),
		}},
	})
}

// get fetches a document, or bytes if into is a *[]byte; it tries three times.
func (m *liveMirror) get(ctx context.Context, address, accept string, into any) error {
	var err error
	for wait := time.Second; wait < 8*time.Second; wait *= 2 {
		if err = getOnce(ctx, address, accept, into); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(wait):
		}
	}
	return err
}

func getOnce(ctx context.Context, address, accept string, into any) error {
	req, err := http.NewRequestWithContext(ctx, "GET", address, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", accept)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s, %v", req.URL.Path, resp.Status, err)
	}
	if raw, ok := into.(*[]byte); ok {
		*raw = body
		return nil
	}
	return json.Unmarshal(body, into)
}

func (m *liveMirror) put(ctx context.Context, path string, body any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, "PUT", m.target+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.SetBasicAuth("admin", crashPassword)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		answer, _ := io.ReadAll(io.LimitReader(resp.Body, 1000))
		return fmt.Errorf("PUT %s: %s %s", path, resp.Status, answer)
	}
	return nil
}

// compareVersions orders the versions of one package; a prerelease comes before its release.
func compareVersions(a, b string) int {
	coreA, preA, _ := strings.Cut(a, "-")
	coreB, preB, _ := strings.Cut(b, "-")
	if c := slices.Compare(numbers(coreA), numbers(coreB)); c != 0 || preA == preB {
		return c
	}
	if preA == "" || preB == "" {
		return cmp.Compare(preB, preA) // the empty one is greater
	}
	return cmp.Or(slices.Compare(numbers(preA), numbers(preB)), cmp.Compare(preA, preB))
}

func numbers(s string) []int {
	var list []int
	for part := range strings.SplitSeq(s, ".") {
		n, _ := strconv.Atoi(part)
		list = append(list, n)
	}
	return list
}
