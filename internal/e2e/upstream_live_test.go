package e2e

// The live test of copies: clients of each kind install through an empty registry and beside it.

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// liveCopy is how one client installs a real project, from the registry of its user or from Larder's copy of that.
type liveCopy struct {
	client string
	kind   string
	// source returns the address of the registry in the client's configuration.
	source func(t *testing.T) string
	// install installs in dir with an empty cache, from the copy at address, or from the user's registry if that is "".
	install func(t *testing.T, dir, address string, env []string) time.Duration
	// files maps the installed files to their digests.
	files func(t *testing.T, dir string) map[string]string
	least int // fewer files are no real project
	// alone, if set, measures the client with everything in its own cache: no copy makes it faster.
	alone func(t *testing.T) time.Duration
}

func liveCopies() []liveCopy {
	return []liveCopy{
		{"npm11", "npm", sourceRegistry, npmCopy("npm11"), npmFiles, 1000, nil},
		{"pnpm11", "npm", sourceRegistry, npmCopy("pnpm11"), npmFiles, 1000, nil},
		{
			"uv", "pypi", pipIndex, pythonCopy("uv", "pip", "install", "--no-python-downloads", "--python", "python3"),
			pythonFiles, 3000, nil,
		},
		{
			"pip26", "pypi", pipIndex, pythonCopy("pip26", "install", "--no-compile", "--disable-pip-version-check"),
			pythonFiles, 3000, nil,
		},
		{"cargo", "cargo", cargoIndex, cargoCopy, cargoFiles, 200, cargoAlone},
		{"mvn39", "maven", mavenSource, mavenCopy, mavenFiles, 300, nil},
	}
}

// TestUpstreamLive installs a real project with clients of each protocol: directly, through an empty Larder, and
// through the same Larder again with the client's own cache empty, for several rounds. At last the upstreams are
// switched off. Every time the installed files must be the same. Times are logged as ratios within one round.
//
//	LARDER_LIVE=1 go test ./internal/e2e -run TestUpstreamLive -v -timeout 60m         every client
//	LARDER_LIVE=npm11,uv go test ./internal/e2e -run TestUpstreamLive -v -timeout 60m  these
//
// LARDER_LIVE_ROUNDS sets the number of rounds. The ratios mean something only on a machine that does nothing else, and
// with TMPDIR in memory: a client that unpacks half a gigabyte measures the disk.
func TestUpstreamLive(t *testing.T) {
	chosen := strings.Split(os.Getenv("LARDER_LIVE"), ",")
	for _, c := range liveCopies() {
		if chosen[0] != "1" && !slices.Contains(chosen, c.client) {
			continue
		}
		t.Run(c.client, func(t *testing.T) {
			if _, err := exec.LookPath(c.client); err != nil {
				without(t, c.client, err)
			}
			c.run(t)
		})
	}
}

// liveRounds returns the number of rounds.
func liveRounds(t *testing.T) int {
	text := os.Getenv("LARDER_LIVE_ROUNDS")
	if text == "" {
		return 3
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("LARDER_LIVE_ROUNDS=%s", text)
	}
	return n
}

func (c liveCopy) run(t *testing.T) {
	source := c.source(t)
	config := liveConfig(t, c.kind, source)
	var want map[string]string
	check := func(how, dir string) {
		t.Helper()
		have := c.files(t, dir)
		if want == nil {
			if want = have; len(want) < c.least {
				t.Fatalf("only %d files", len(want))
			}
		}
		t.Run(how, func(t *testing.T) { compareTrees(t, want, have) })
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	}
	var cold, warm []float64
	rounds := liveRounds(t)
	for round := 1; round <= rounds; round++ {
		data := filepath.Join(t.TempDir(), "data")
		server := startCrashServer(t, data, "--config", config)
		address := "http://" + server.addr
		var took [3]time.Duration
		measure := func(i int, how, address string) {
			dir := t.TempDir()
			took[i] = c.install(t, dir, address, os.Environ())
			check(fmt.Sprintf("%s %d", how, round), dir)
		}
		// The first way pays for name lookups and new connections, so the order alternates.
		if round%2 == 1 {
			measure(0, "direct", "")
			measure(1, "cold", address)
		} else {
			measure(1, "cold", address)
			measure(0, "direct", "")
		}
		measure(2, "warm", address)
		t.Logf("round %d: direct %.1f s, cold %.1f s, warm %.1f s", round, took[0].Seconds(), took[1].Seconds(),
			took[2].Seconds())
		if c.alone != nil {
			own := c.alone(t).Seconds()
			t.Logf("round %d: the client alone %.1f s; direct/alone %.2f; of the rest, direct/warm %.2f", round, own,
				took[0].Seconds()/own, (took[0].Seconds()-own)/(took[2].Seconds()-own))
		}
		cold = append(cold, took[1].Seconds()/took[0].Seconds())
		warm = append(warm, took[0].Seconds()/took[2].Seconds())
		if round == rounds {
			if out, err := exec.Command("larder", "upstream", "offline", "--data", data).CombinedOutput(); err != nil {
				t.Fatalf("larder upstream offline: %v\n%s", err, out)
			}
			dir := t.TempDir()
			offline := c.install(t, dir, address, shutOff(os.Environ()))
			check("offline", dir)
			t.Logf("offline %.1f s", offline.Seconds())
		}
		server.kill()
		if err := os.RemoveAll(data); err != nil {
			t.Error(err)
		}
	}
	t.Logf("%d files; cold/direct %s, direct/warm %s", len(want), spread(cold), spread(warm))
}

// fileHosts find the addresses of files in a registry's documents, which may be on other hosts.
var fileHosts = map[string]struct {
	path string
	urls *regexp.Regexp
}{
	"pypi":  {"/pip/", regexp.MustCompile(`(?:href=|"url":\s*)"https?://([^/"]+)/`)},
	"cargo": {"/config.json", regexp.MustCompile(`"dl":\s*"https?://([^/"]+)/`)},
}

// liveConfig returns a configuration with the registry and the hosts of its files. Where a machine reaches them through
// an address that is not public, an operator has to allow each.
func liveConfig(t *testing.T, kind, source string) string {
	t.Helper()
	text := fmt.Sprintf("upstreams:\n  - kind: %s\n    name: live\n    url: %s\n    private: true\n", kind, source)
	if e, ok := fileHosts[kind]; ok {
		var body []byte
		if err := getOnce(t.Context(), source+e.path, "*/*", &body); err != nil {
			t.Fatal(err)
		}
		hosts := map[string]bool{}
		for _, m := range e.urls.FindAllSubmatch(body, -1) {
			hosts[string(m[1])] = true
		}
		text += "    hosts: [" + strings.Join(slices.Sorted(maps.Keys(hosts)), ", ") + "]\n"
	}
	path := filepath.Join(t.TempDir(), "larder.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// spread returns the median, the minimum and the maximum.
func spread(list []float64) string {
	slices.Sort(list)
	return fmt.Sprintf("%.2f (%.2f to %.2f)", list[len(list)/2], list[0], list[len(list)-1])
}

// sums maps the files below root to their digests, without those that skip matches. The path dir is removed from their
// content.
func sums(t *testing.T, root, dir string, skip *regexp.Regexp) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil || skip.MatchString(name) {
			return err
		}
		b, err := os.ReadFile(path)
		sum := sha256.Sum256(bytes.ReplaceAll(b, []byte(dir), nil))
		files[name] = string(sum[:])
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// npmProject is a web server and its linter, with some two hundred packages.
var npmProject = map[string]string{
	"express": "^4.19.0", "eslint": "^8.57.0", "typescript": "^5.6.0", "webpack": "^5.90.0",
}

func npmCopy(client string) func(*testing.T, string, string, []string) time.Duration {
	i := slices.IndexFunc(liveClients, func(c liveClient) bool { return c.name == client })
	return func(t *testing.T, dir, address string, env []string) time.Duration {
		registry := address + "/npm/"
		if address == "" {
			registry = sourceRegistry(t)
		}
		return liveClients[i].installProject(t, npmProject, dir, registry, env)
	}
}

func npmFiles(t *testing.T, dir string) map[string]string { return tree(t, dir) }

// pythonProject is a notebook server with libraries of data scientists and web developers.
const pythonProject = `jupyterlab==4.2.5
pandas==2.2.3
matplotlib==3.9.2
scikit-learn==1.5.2
fastapi[standard]==0.115.0
django==5.1.1
celery[redis]==5.4.0
boto3==1.35.30
sqlalchemy==2.0.35
pytest==8.3.3
mypy==1.11.2
black==24.8.0
sphinx==8.0.2
transformers==4.45.1
`

// pipIndex asks pip for the index of its user: its help shows the default of the option, as it is configured.
func pipIndex(t *testing.T) string {
	t.Helper()
	cmd := exec.Command("pip", "install", "--help")
	cmd.Env = append(os.Environ(), "COLUMNS=1000")
	out, err := cmd.Output()
	if err != nil {
		without(t, "pip", err)
	}
	m := regexp.MustCompile(`(?s)--index-url.*?\(default\s+(http\S+?)/*\)`).FindSubmatch(out)
	if m == nil {
		t.Fatalf("pip install --help names no index")
	}
	return string(m[1])
}

func pythonCopy(client string, args ...string) func(*testing.T, string, string, []string) time.Duration {
	return func(t *testing.T, dir, address string, env []string) time.Duration {
		index := address + "/simple/"
		if address == "" {
			index = pipIndex(t) + "/"
		}
		list := filepath.Join(dir, "requirements.txt")
		if err := os.WriteFile(list, []byte(pythonProject), 0o600); err != nil {
			t.Fatal(err)
		}
		// Files that are on this machine already must not be used.
		env = slices.DeleteFunc(env, func(v string) bool {
			return strings.HasPrefix(v, "PIP_FIND_LINKS=") || strings.HasPrefix(v, "PIP_NO_CACHE_DIR=") ||
				strings.HasPrefix(v, "UV_")
		})
		env = append(env, "UV_LINK_MODE=copy", "UV_SYSTEM_CERTS=1", "PYTHONDONTWRITEBYTECODE=1")
		if strings.HasPrefix(client, "pip") {
			// These clients do not touch the system's packages, even if they install into another folder.
			venv := filepath.Join(dir, "venv")
			timed(t, dir, env, "python3", "-m", "venv", "--without-pip", venv)
			env = append(env, "VIRTUAL_ENV="+venv)
		}
		return timed(t, dir, env, client, append(slices.Clone(args), "--index-url", index, "--cache-dir", filepath.Join(dir,
			"cache"),
			"--only-binary", ":all:", "--target", filepath.Join(dir, "site"), "-r", list)...)
	}
}

// pythonNotes match files that the installation itself makes.
var pythonNotes = regexp.MustCompile(`(^|/)(RECORD|INSTALLER|REQUESTED|\.lock|uv_cache\.json)$|\.pyc$`)

func pythonFiles(t *testing.T, dir string) map[string]string {
	return sums(t, filepath.Join(dir, "site"), dir, pythonNotes)
}

// timed runs a client in dir and returns how long it took.
func timed(t *testing.T, dir string, env []string, client string, args ...string) time.Duration {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, client, args...)
	cmd.Dir, cmd.Env = dir, env
	start := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", client, args[0], err, out[max(0, len(out)-4000):])
	}
	return time.Since(start)
}

// cargoIndex returns the index of the user's cargo: the one that replaces the default, or the default itself, after
// which cargo names its folder.
func cargoIndex(t *testing.T) string {
	t.Helper()
	config := userCargoConfig(t)
	if m := regexp.MustCompile(`registry\s*=\s*"sparse\+(http[^"]+)"`).FindStringSubmatch(config); m != nil {
		return strings.TrimSuffix(m[1], "/")
	}
	c := newLiveCargo(t, config)
	if err := os.WriteFile(filepath.Join(c.dir, "project/Cargo.toml"),
		[]byte("[package]\nname = \"p\"\nversion = \"0.1.0\"\n[dependencies]\ncfg-if = \"1\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c.run(t, os.Environ(), "generate-lockfile")
	found, err := filepath.Glob(filepath.Join(c.dir, "home/registry/index/*"))
	if err != nil || len(found) != 1 {
		t.Fatalf("%q %v", found, err)
	}
	name := filepath.Base(found[0])
	return "https://" + name[:strings.LastIndexByte(name, '-')]
}

func cargoCopy(t *testing.T, dir, address string, env []string) time.Duration {
	config := userCargoConfig(t)
	if address != "" {
		config = "[source.crates-io]\nreplace-with = \"larder\"\n[source.larder]\nregistry = \"sparse+" + address +
			"/cargo/index/\"\n"
	}
	c := newLiveCargo(t, config)
	took := timed(t, filepath.Join(c.dir, "project"), append(env, "CARGO_HOME="+filepath.Join(c.dir, "home")), "cargo",
		fetchHere(t)...)
	for _, name := range []string{"project/Cargo.lock", "home/registry/cache"} {
		if err := os.Rename(filepath.Join(c.dir, name), filepath.Join(dir, filepath.Base(name))); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.RemoveAll(c.dir); err != nil {
		t.Error(err)
	}
	return took
}

// fetchHere fetches what a build on this machine needs: crates of other systems are most of the
// bytes and none of the work.
func fetchHere(t *testing.T) []string {
	t.Helper()
	out, err := exec.Command("rustc", "-vV").Output()
	m := regexp.MustCompile(`(?m)^host: (\S+)`).FindSubmatch(out)
	if err != nil || m == nil {
		t.Fatalf("rustc -vV: %v\n%s", err, out)
	}
	return []string{"fetch", "--target", string(m[1])}
}

// cargoAlone measures how long cargo needs to unpack crates of its cache.
func cargoAlone(t *testing.T) time.Duration {
	c := newLiveCargo(t, userCargoConfig(t))
	defer os.RemoveAll(c.dir)
	fetch := fetchHere(t)
	c.run(t, os.Environ(), fetch...)
	if err := os.RemoveAll(filepath.Join(c.dir, "home/registry/src")); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(c.dir, "project/Cargo.lock")); err != nil {
		t.Fatal(err)
	}
	return c.run(t, os.Environ(), append(fetch, "--offline")...)
}

func cargoFiles(t *testing.T, dir string) map[string]string {
	files := map[string]string{}
	for name, sum := range sums(t, dir, dir, regexp.MustCompile(`^$`)) {
		files[filepath.Base(name)] = sum // cargo calls the folder after the registry
	}
	return files
}

// mavenSource returns the repository from which the user's Maven gets a parent POM, after its mirrors.
func mavenSource(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "pom.xml"), []byte(mavenProject["pom.xml"]), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("mvn39", "-B", "-Dmaven.repo.local="+filepath.Join(dir, "local"), "validate")
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	parent := regexp.MustCompile(`Downloading from \S+: (http\S+?)/org/springframework/boot/spring-boot-starter-parent/`)
	m := parent.FindSubmatch(out)
	if err != nil || m == nil {
		t.Fatalf("mvn validate: %v\n%s", err, out[max(0, len(out)-4000):])
	}
	return string(m[1])
}

func mavenCopy(t *testing.T, dir, address string, env []string) time.Duration {
	for name, text := range mavenProject {
		file := filepath.Join(dir, "project", name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	args := []string{"-B", "-ntp", "-DskipTests", "-Dmaven.repo.local=" + filepath.Join(dir, "local"), "package"}
	if address != "" {
		settings := filepath.Join(dir, "settings.xml")
		text := "<settings><mirrors><mirror><id>larder</id><mirrorOf>*</mirrorOf><url>" + address +
			"/maven</url></mirror></mirrors></settings>"
		if err := os.WriteFile(settings, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		args = append(args, "-C", "-s", settings, "-Dhttp.nonProxyHosts="+u.Hostname())
	}
	return timed(t, filepath.Join(dir, "project"), env, "mvn39", args...)
}

func mavenFiles(t *testing.T, dir string) map[string]string {
	return sums(t, filepath.Join(dir, "local"), dir, mavenNotes)
}
