package cargo

// Tests with the real cargo, where there is one; the stories are scripts in testdata/script/cargo.

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"larder/internal/wire"
)

// realCargo is the cargo of this machine with a folder of its own, against a registry that notes what it is asked.
type realCargo struct {
	*rig
	name      string // of the program
	home, dir string
	front     *httptest.Server // upgrades to HTTP/2, as the program does

	mu  sync.Mutex // guards log
	log []string
}

// cargos are the machine's own, an older and a newer one.
var cargos = []string{"cargo", "cargo185", "cargo-new"}

// everyCargo runs a test with each cargo there is; index is "index" or "private/index".
func everyCargo(t *testing.T, index string, test func(t *testing.T, c *realCargo)) {
	for _, name := range cargos {
		t.Run(name, func(t *testing.T) {
			if _, err := exec.LookPath(name); err != nil {
				if os.Getenv("LARDER_CLIENTS") == "all" {
					t.Fatal(err)
				}
				t.Skip(err)
			}
			test(t, newCargo(t, name, index))
		})
	}
}

// newCargo puts a listener before the rig through which cargo comes.
func newCargo(t *testing.T, name, index string) *realCargo {
	t.Helper()
	c := &realCargo{rig: newRig(t), name: name, home: t.TempDir(), dir: t.TempDir()}
	up, err := wire.H2C(http.HandlerFunc(c.note), slog.New(slog.DiscardHandler), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	c.front = httptest.NewServer(up)
	t.Cleanup(c.front.Close)
	c.Base = c.front.URL + root
	c.write("home/config.toml",
		"[registries.box]\nindex = \"sparse+"+c.Base+"/"+index+"/\"\n"+
			"[registry]\nglobal-credential-providers = [\"cargo:token\"]\n")
	return c
}

// note serves a request and remembers it: method, path, status, and h2 if it came over HTTP/2.
func (c *realCargo) note(w http.ResponseWriter, r *http.Request) {
	rec := &statusRecorder{ResponseWriter: w, status: 200}
	c.Handler.ServeHTTP(rec, r)
	line := fmt.Sprintf("%s %s %d", r.Method, strings.TrimPrefix(r.URL.Path, root), rec.status)
	if r.ProtoMajor == 2 {
		line += " h2"
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.log = append(c.log, line)
}

type statusRecorder struct {
	http.ResponseWriter
	status int
}

func (s *statusRecorder) WriteHeader(code int) {
	s.status = code
	s.ResponseWriter.WriteHeader(code)
}

// asked returns what was asked since the last call.
func (c *realCargo) asked() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := c.log
	c.log = nil
	return out
}

func (c *realCargo) write(name, text string) {
	c.T.Helper()
	path := filepath.Join(c.dir, name)
	if rest, ok := strings.CutPrefix(name, "home/"); ok {
		path = filepath.Join(c.home, rest)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		c.T.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		c.T.Fatal(err)
	}
}

// run runs cargo in the folder project, with the token if there is one.
func (c *realCargo) run(token string, args ...string) (string, error) {
	cmd := exec.Command(c.name, args...)
	cmd.Dir = filepath.Join(c.dir, "project")
	cmd.Env = append(os.Environ(), "CARGO_HOME="+c.home, "CARGO_TERM_COLOR=never", "CARGO_NET_RETRY=0",
		"CARGO_TARGET_DIR="+filepath.Join(c.dir, "target"))
	if token != "" {
		cmd.Env = append(cmd.Env, "CARGO_REGISTRIES_BOX_TOKEN="+token)
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (c *realCargo) must(token string, args ...string) string {
	c.T.Helper()
	out, err := c.run(token, args...)
	if err != nil {
		c.T.Fatalf("cargo %s: %v\n%s\n%s", strings.Join(args, " "), err, out, strings.Join(c.asked(), "\n"))
	}
	return out
}

// project writes a project that depends on crates of the registry.
func (c *realCargo) project(deps ...string) {
	c.T.Helper()
	c.write("project/Cargo.toml",
		"[package]\nname = \"project\"\nversion = \"0.1.0\"\nedition = \"2021\"\n"+
			"[dependencies]\n"+strings.Join(deps, "\n")+"\n")
	c.write("project/src/lib.rs", "")
}

func dependOn(name, more string) string {
	return fmt.Sprintf(`%s = { version = "*", registry = "box"%s }`, name, more)
}

// TestRealCargoResolvesEveryLine: every line that came out of the index matrix is one that cargo resolves to.
func TestRealCargoResolvesEveryLine(t *testing.T) { everyCargo(t, "index", resolveMatrix) }

func resolveMatrix(t *testing.T, c *realCargo) {
	cases := indexMatrix(c.Base)
	c.publishMatrix(cases)
	c.asked()
	deps := []string{}
	for _, m := range cases {
		if m.refused != "" || m.foreign || m.name == "v-pre" {
			continue
		}
		deps = append(deps, dependOn(m.name, ""))
	}
	c.project(append(deps, `v-pre = { version = "=1.0.0-rc.1", registry = "box" }`)...)
	c.must("", "fetch")
	lock, err := os.ReadFile(filepath.Join(c.dir, "project", "Cargo.lock"))
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(string(lock), "[[package]]"); got < 35 {
		t.Errorf("%d packages", got)
	}
	// All came over HTTP/2 but the request that was upgraded, one on each of cargo's connections.
	counts := map[bool]int{}
	all := c.asked()
	for _, l := range all {
		counts[strings.HasSuffix(l, " h2")]++
	}
	if counts[false] > 3 || counts[true] < 70 {
		t.Errorf("requests by HTTP/2: got %v, want all but one a connection\n%s", counts, strings.Join(all, "\n"))
	}
}

// TestRealCargoCompilesRenamedDependency: a renamed optional dependency by way of dep:, a name with capitals, no
// rust-version: the rows that other registries get wrong. It is fetched with an empty CARGO_HOME and compiled.
func TestRealCargoCompilesRenamedDependency(t *testing.T) { everyCargo(t, "index", renamed) }

func renamed(t *testing.T, c *realCargo) {
	c.publish("base", "1.0.0")
	r := newRelease("CamelLow", "1.0.0", fields{"name": "base", "explicit_name_in_toml": "alias", "optional": true})
	r.features = map[string]any{"extra": []string{"dep:alias"}, "default": []string{}}
	r.files["src/lib.rs"] = "#[cfg(feature = \"extra\")] pub use alias::f;\n"
	c.Want(c.put("ada", r), 200, "")
	c.project(dependOn("CamelLow", `, features = ["extra"]`))
	c.write("project/src/lib.rs", "pub fn g() { CamelLow::f() }\n")
	c.must("", "check")
	for _, l := range c.asked() {
		if strings.Contains(l, " 4") || strings.Contains(l, " 5") {
			t.Errorf("a request of cargo failed: %s", l)
		}
	}
}

// TestRealCargoIsAskedForTokenOnce: with an empty CARGO_HOME and a token exactly one 401, then everything; a bad token
// is called rejected; without one cargo says where to log in.
func TestRealCargoIsAskedForTokenOnce(t *testing.T) { everyCargo(t, "private/index", oneRefusal) }

func oneRefusal(t *testing.T, c *realCargo) {
	c.publish("demo", "1.0.0")
	c.Want(c.Ada("PATCH", "/api/v1/crates/demo", fields{"crate": fields{"private": true}}), 200, "")
	c.asked()
	c.project(dependOn("demo", ""))
	if out, err := c.run("larder_bad", "fetch"); err == nil || !strings.Contains(out, "token rejected for `box`") {
		t.Errorf("fetch with a bad token: got %v, want it rejected\n%s", err, out)
	}
	if out, err := c.run("", "fetch"); err == nil || !strings.Contains(out, "no token found for `box`") {
		t.Errorf("fetch without a token: got %v, want to be told of the login\n%s", err, out)
	}
	c.asked()
	c.must(c.Keys["ada"], "fetch")
	refused, served := 0, []string{}
	for _, l := range c.asked() {
		if strings.Contains(l, " 401") {
			refused++
		} else {
			served = append(served, strings.Fields(l)[1])
		}
	}
	want := []string{"/private/index/config.json", "/private/index/de/mo/demo",
		"/private/dl/" + sumOf(newRelease("demo", "1.0.0").crate()) + "/demo-1.0.0.crate"}
	if refused != 1 || !slices.Equal(served, want) {
		t.Errorf("%d times 401, then %q", refused, served)
	}
}

// TestRealCargoSeesVersionAtOnce: after a publish one look at the index is enough, and a second update gets 304s alone.
func TestRealCargoSeesVersionAtOnce(t *testing.T) { everyCargo(t, "index", seenAtOnce) }

func seenAtOnce(t *testing.T, c *realCargo) {
	c.publish("base", "1.0.0")
	c.project(dependOn("base", ""))
	c.write("project/Cargo.toml",
		"[package]\nname = \"fresh\"\nversion = \"1.0.0\"\nedition = \"2021\"\ndescription = \"x\"\nlicense = \"MIT\"\n"+
			"[dependencies]\n"+dependOn("base", "")+"\n")
	c.asked()
	out := c.must(c.Keys["ada"], "publish", "--registry", "box", "--no-verify", "--allow-dirty")
	if !strings.Contains(out, "Published fresh v1.0.0") {
		t.Errorf("publish: got %s, want fresh v1.0.0 published", out)
	}
	all := c.asked()
	put := slices.IndexFunc(all, func(l string) bool { return strings.HasPrefix(l, "PUT ") })
	after := []string{}
	for _, l := range all[put+1:] {
		if !strings.Contains(l, "config.json") {
			after = append(after, strings.TrimSuffix(l, " h2"))
		}
	}
	if !slices.Equal(after, []string{"GET /index/fr/es/fresh 200"}) {
		t.Errorf("after the publish: %q", after)
	}
	c.must("", "update")
	c.asked()
	c.must("", "update")
	for _, l := range c.asked() {
		if !strings.Contains(l, "config.json 200") && !strings.Contains(l, " 304") {
			t.Errorf("a second update: %s", l)
		}
	}
	out, err := c.run(c.Keys["ada"], "publish", "--registry", "box", "--no-verify", "--allow-dirty")
	if err == nil || !strings.Contains(out, "already exists") {
		t.Errorf("the second publish: got %v, want that it exists already\n%s", err, out)
	}
}
