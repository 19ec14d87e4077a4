package cli

// This file looks after the upstreams of a running server and of a closed folder.

import (
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"larder/upstream"
)

// registry is a remote npm registry with the package demo.
type registry struct {
	*httptest.Server
	down  atomic.Bool
	asked atomic.Int64
}

func newRegistry(t *testing.T) *registry {
	t.Helper()
	g := &registry{}
	tarball := []byte("what nobody unpacks here")
	sum := sha512.Sum512(tarball)
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.asked.Add(1)
		switch {
		case g.down.Load():
			w.WriteHeader(http.StatusForbidden)
		case r.URL.Path == "/demo":
			fmt.Fprintf(w, `{"name":"demo","dist-tags":{"latest":"1.0.0"},"versions":{"1.0.0":{"name":"demo","version":"1.0.0",`+
				`"dist":{"tarball":"%s/demo/-/demo-1.0.0.tgz","integrity":"sha512-%s"}}}}`,
				g.URL, base64.StdEncoding.EncodeToString(sum[:]))
		case strings.HasSuffix(r.URL.Path, ".tgz"):
			_, _ = w.Write(tarball) // a client that left fails its own check
		case r.URL.Path == "/":
			_, _ = w.Write([]byte("{}")) // the same
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(g.Close)
	return g
}

// caching is a server that keeps copies of a registry, and the flags of commands on its folder.
func caching(t *testing.T) (s *served, g *registry, flags []string) {
	t.Helper()
	g = newRegistry(t)
	flags = []string{"--data", filepath.Join(t.TempDir(), "data"), "--upstream", "npm=" + g.URL}
	t.Setenv("LARDER_ADMIN_PASSWORD", "correct horse battery")
	return serve(t, flags...), g, flags
}

// larder runs a command line that must succeed, with flags behind its words.
func larder(t *testing.T, line string, flags ...string) string {
	t.Helper()
	return must(t, "", append(strings.Fields(line), flags...)...)
}

// wantFile gets the tarball of demo by way of the server.
func wantFile(t *testing.T, s *served, want int) {
	t.Helper()
	for _, path := range []string{"/npm/demo", "/npm/demo/-/demo-1.0.0.tgz"} {
		if code, body := get(t, s.url+path, ""); code != want {
			t.Errorf("%s: %d %.200s, want %d", path, code, body, want)
		}
	}
}

func TestUpstreamListShowsWhatIsKept(t *testing.T) {
	s, g, flags := caching(t)
	wantFile(t, s, 200)
	wantFile(t, s, 200)
	out := larder(t, "upstream list", flags...)
	for _, want := range []string{"KIND", "SAVED", "npm", strings.TrimPrefix(g.URL, "http://"), g.URL, "online",
		"of files are kept"} {
		if !strings.Contains(out, want) {
			t.Errorf("upstream list lacks %q:\n%s", want, out)
		}
	}
	var list struct {
		Upstreams []upstream.Status `json:"upstreams"`
		Cached    int64             `json:"cached"`
	}
	if err := json.Unmarshal([]byte(larder(t, "upstream list --json", flags...)), &list); err != nil {
		t.Fatal(err)
	}
	if len(list.Upstreams) != 1 || list.Upstreams[0].Misses != 2 || list.Upstreams[0].Hits < 2 {
		t.Errorf("as JSON %+v, want one upstream with two misses, and hits", list)
	}
}

func TestUpstreamCheckExitsWithOneWhenOneDoesNotAnswer(t *testing.T) {
	_, g, flags := caching(t)
	wantTried(t, larder(t, "upstream check npm --package demo", flags...))
	if out := larder(t, "upstream check", flags...); !strings.Contains(out, "--package NAME") {
		t.Errorf("upstream check of what is not known to have anything: %q, want that it can be told a package", out)
	}
	if out := larder(t, "upstream check npm --json", flags...); !strings.Contains(out, `"step": "address"`) ||
		!json.Valid([]byte(out)) {
		t.Errorf("upstream check --json: %q", out)
	}
	g.down.Store(true)
	r := run(t, "", append([]string{"upstream", "check"}, flags...)...)
	if r.code != exitFailure || !strings.Contains(r.out, "answered 403 to a request without credentials") ||
		!strings.Contains(r.err, "1 upstream fails the check") {
		t.Errorf("with one that refuses: %+v, want exit 1 and why", r)
	}
	if r := run(t, "", append([]string{"upstream", "check", "--package", "demo"}, flags...)...); r.code != exitUsage {
		t.Errorf("a package of no kind: %+v, want exit %d", r, exitUsage)
	}
	for _, args := range []string{"upstream check deb", "upstream check npm a b", "upstream offline deb",
		"upstream purge deb x"} {
		if r := run(t, "", append(strings.Fields(args), flags...)...); r.code == exitOK || r.out != "" {
			t.Errorf("%s: %+v, want a refusal", args, r)
		}
	}
}

func TestUpstreamsAreSwitchedOffAndOn(t *testing.T) {
	s, g, flags := caching(t)
	if out := larder(t, "upstream offline", flags...); out != "every upstream is offline\n" {
		t.Errorf("upstream offline says %q", out)
	}
	wantFile(t, s, 404)
	if n := g.asked.Load(); n != 0 {
		t.Errorf("switched off it was asked %d times", n)
	}
	if out := larder(t, "upstream list", flags...); !strings.Contains(out, "offline") {
		t.Errorf("upstream list does not say that it is off:\n%s", out)
	}
	misses := larder(t, "upstream misses", flags...)
	if !strings.Contains(misses, "demo") || !strings.Contains(misses, "COUNT") {
		t.Errorf("what was missed: %q, want demo", misses)
	}
	var list []upstream.Miss
	if err := json.Unmarshal([]byte(larder(t, "upstream misses --json", flags...)), &list); err != nil || len(list) == 0 {
		t.Errorf("what was missed as JSON: %+v, %v", list, err)
	}
	if out := larder(t, "upstream misses --clear", flags...); out != "" {
		t.Errorf("clearing says %q", out)
	}
	if out := larder(t, "upstream misses", flags...); strings.Contains(out, "demo") {
		t.Errorf("after clearing: %q", out)
	}
	name := strings.TrimPrefix(g.URL, "http://")
	if out := larder(t, "upstream online npm "+name, flags...); out != "npm "+name+" is online\n" {
		t.Errorf("upstream online says %q", out)
	}
	larder(t, "upstream online", flags...)
	wantFile(t, s, 200)
}

func TestUpstreamPurgeMakesItFetchAgain(t *testing.T) {
	s, g, flags := caching(t)
	wantFile(t, s, 200)
	s.stop() // a document is answered before it is on the disk: after a stop it is there
	if r := <-s.done; r.code != exitOK {
		t.Fatalf("the server ended with %+v", r)
	}
	s = serve(t, flags...)
	asked := g.asked.Load()
	if out := larder(t, "upstream purge npm de*", flags...); out != "dropped the copies of 2 packages\n" {
		t.Errorf("upstream purge says %q, want the documents and files of demo", out)
	}
	wantFile(t, s, 200)
	if n := g.asked.Load() - asked; n != 2 {
		t.Errorf("after the purge it was asked %d times, want 2", n)
	}
	if out := larder(t, "upstream purge npm de* --no-upstream", flags...); out != "dropped the copies of 0 packages\n" {
		t.Errorf("a purge of what no upstream has says %q", out)
	}
}

// wantTried: the check has fetched demo and its tarball.
func wantTried(t *testing.T, out string) {
	t.Helper()
	for _, want := range []string{"none is set, and none was needed", "that of demo is right", "/demo-1.0.0.tgz: ",
		"with the right sha512"} {
		if !strings.Contains(out, want) {
			t.Errorf("upstream check says %q, want %q", out, want)
		}
	}
}

// TestUpstreamsOfAClosedFolder: what needs no server works without one.
func TestUpstreamsOfAClosedFolder(t *testing.T) {
	s, g, flags := caching(t)
	wantFile(t, s, 200)
	s.stop()
	if r := <-s.done; r.code != exitOK {
		t.Fatalf("the server ended with %+v", r)
	}
	if out := larder(t, "upstream list", flags...); !strings.Contains(out, g.URL) ||
		!strings.Contains(out, "of files are kept") {
		t.Errorf("upstream list: %q", out)
	}
	wantTried(t, larder(t, "upstream check", flags...))
	r := run(t, "", append([]string{"upstream", "offline"}, flags...)...)
	if r.code != exitFailure || !strings.Contains(r.err, "no server is running; start it with --offline or without") {
		t.Errorf("upstream offline: %+v, want that no server runs", r)
	}
	without := flags[:2] // the same folder, no upstream
	if out := larder(t, "upstream list", without...); !strings.Contains(out, "no upstream: 2 copies") {
		t.Errorf("without the upstream: %q, want two copies of none", out)
	}
	if out := larder(t, "upstream purge npm * --no-upstream", without...); out != "dropped the copies of 2 packages\n" {
		t.Errorf("purging them says %q", out)
	}
}

func TestStateOfAnUpstreamInWords(t *testing.T) {
	for want, u := range map[string]upstream.Status{
		"online":                       {},
		"offline":                      {Offline: true, Open: true},
		"not asked before ":            {Open: true},
		"no upstream: 1 copy, 2.0 KiB": {NoUpstream: true, Offline: true, Copies: 1, Kept: 2000},
	} {
		if got := upstreamState(u); !strings.HasPrefix(got, want) {
			t.Errorf("%+v is %q, want %q", u, got, want)
		}
	}
}

// TestConfigurationIsRefusedBeforeAServerStarts: rules that can match nothing, secrets that are not there.
func TestConfigurationIsRefusedBeforeAServerStarts(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	for args, want := range map[string]string{
		"--claims npm:left-pad@1.0": "can never match: a claim is about a name, without a version",
		"--blocked npm:.hidden":     "can never match",
		"--blocked npm":             "is not a pattern kind:name",
	} {
		r := run(t, "", append([]string{"serve", "--listen", "127.0.0.1:0", "--data", data}, strings.Fields(args)...)...)
		if r.code == exitOK || !strings.Contains(r.err, want) {
			t.Errorf("serve %s: %+v, want %q", args, r, want)
		}
	}
}
