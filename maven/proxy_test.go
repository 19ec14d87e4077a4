package maven

// Copies of upstreams: trouble, broken downloads, and names that are never looked for.

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"larder/internal/wire"
	"larder/internal/wiretest"
	"larder/maven/names"
	"larder/store"
	"larder/upstream"
)

// way stands between a cache and its origin: it writes down what is asked, and answers itself while instead is set.
type way struct {
	*httptest.Server
	mu      sync.Mutex // guards what follows
	asked   []string   // method and URI of each request
	instead func(w http.ResponseWriter, r *http.Request, pass http.Handler)
}

func newWay(t *testing.T, origin *rig) *way {
	t.Helper()
	y := &way{}
	y.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		y.mu.Lock()
		y.asked = append(y.asked, r.Method+" "+r.RequestURI)
		instead := y.instead
		y.mu.Unlock()
		if instead != nil {
			instead(w, r, origin.Handler)
			return
		}
		origin.Handler.ServeHTTP(w, r)
	}))
	t.Cleanup(y.Close)
	return y
}

// fault sets what happens to requests from now on; nil: nothing. What was asked before is forgotten.
func (y *way) fault(f func(w http.ResponseWriter, r *http.Request, pass http.Handler)) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.instead, y.asked = f, nil
}

func (y *way) requests() []string {
	y.mu.Lock()
	defer y.mu.Unlock()
	return slices.Clone(y.asked)
}

// newCache opens a repository that keeps copies of what is at the end of the way.
func newCache(t *testing.T, y *way, change ...func(*upstream.Options)) *rig {
	t.Helper()
	o := upstream.Options{Upstreams: []upstream.Config{{Kind: store.Maven, Name: "main", URL: y.URL + root}}}
	for _, f := range change {
		f(&o)
	}
	return newRig(t, func(r *rigOptions) { r.Upstreams = &o })
}

// recorded is what the origin answers, without what would make it a partial or an encoded one.
func recorded(r *http.Request, pass http.Handler) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	r.Header.Del("Accept-Encoding")
	r.Header.Del("Range")
	pass.ServeHTTP(rec, r)
	return rec
}

// TestTroubleOfAnUpstreamIsNoAbsence: an upstream in trouble is never an absence: a POM that seems to be absent
// costs a build its transitive dependencies without a word. When the trouble is over nothing of it is remembered.
func TestTroubleOfAnUpstreamIsNoAbsence(t *testing.T) {
	origin := newRig(t)
	origin.deploy("com.acme:lib:1.0")
	status := func(code int) func(http.ResponseWriter, *http.Request, http.Handler) {
		return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { http.Error(w, "trouble", code) }
	}
	for name, fault := range map[string]func(http.ResponseWriter, *http.Request, http.Handler){
		"429": status(429), "500": status(500), "502": status(502),
		"reset": func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			y := newWay(t, origin)
			for _, path := range []string{
				lib + "1.0/lib-1.0.pom", lib + "1.0/lib-1.0.jar", lib + metadataFile, lib + "1.0/lib-1.0.jar.sha1",
			} {
				g := newCache(t, y)
				y.fault(fault)
				if a := g.Do("GET", path, nil); a.Status < 500 || a.Header.Get("Retry-After") == "" {
					t.Errorf("%s: %v", path, a)
				}
				if len(y.requests()) == 0 {
					t.Errorf("%s: nobody was asked", path)
				}
				y.fault(nil)
				// Another repository on the same folder has no memory of who was down.
				again := newCacheOn(t, y, g)
				again.Want(again.Do("GET", path, nil), 200, "")
			}
		})
	}
	t.Run("absent", func(t *testing.T) {
		g := newCache(t, newWay(t, origin))
		g.Want(g.Do("GET", lib+"9/lib-9.pom", nil), 404, "")
		g.Want(g.Do("GET", "/com/acme/none/"+metadataFile, nil), 404, "")
	})
}

// newCacheOn is the cache after a restart.
func newCacheOn(t *testing.T, y *way, g *rig) *rig {
	t.Helper()
	o := wiretest.Options{
		Under: root, Check: checkErrorBody,
		Upstreams: &upstream.Options{Upstreams: []upstream.Config{{Kind: store.Maven, Name: "main", URL: y.URL + root}}},
	}
	again := &rig{Rig: wiretest.Serve(t, g.Store, o, func(d wire.Deps) wire.Protocol { return New(d, Options{}) })}
	again.s = newServer(again.Deps, Options{})
	return again
}

// TestBrokenDownloadIsNeverKept: an upstream that breaks off after any part of a file, sends another byte, or
// another checksum, never makes one that is kept, or that a client takes for whole.
func TestBrokenDownloadIsNeverKept(t *testing.T) {
	origin := newRig(t)
	body := strings.Repeat("a jar of some length ", 10)
	origin.deploy("com.acme:lib:1.0", contents{".jar": body})
	path := lib + "1.0/lib-1.0.jar"
	broken := func(change func(w http.ResponseWriter, body []byte)) func(
		http.ResponseWriter, *http.Request, http.Handler,
	) {
		return func(w http.ResponseWriter, r *http.Request, pass http.Handler) {
			if !strings.HasSuffix(r.URL.Path, ".jar") {
				pass.ServeHTTP(w, r)
				return
			}
			change(w, recorded(r, pass).Body.Bytes())
		}
	}
	faults := map[string]func(http.ResponseWriter, *http.Request, http.Handler){
		"another byte": broken(func(w http.ResponseWriter, body []byte) {
			body = bytes.Clone(body)
			body[len(body)/2] ^= 1
			w.Write(body)
		}),
		"another header": broken(func(w http.ResponseWriter, body []byte) {
			w.Header().Set("X-Checksum-Sha1", strings.Repeat("0", 40))
			w.Write(body)
		}),
		"another checksum": func(w http.ResponseWriter, r *http.Request, pass http.Handler) {
			sent := recorded(r, pass).Body.Bytes()
			if _, sum := names.CutSum(r.URL.Path); sum != "" {
				sent = bytes.Repeat([]byte("0"), len(sent))
			}
			w.Write(sent)
		},
	}
	for _, at := range []int{0, 1, len(body) / 2, len(body) - 1} {
		faults[fmt.Sprint("cut at ", at)] = broken(func(w http.ResponseWriter, body []byte) {
			w.Header().Set("Content-Length", wiretest.JSON(len(body)))
			w.Write(body[:at])
			panic(http.ErrAbortHandler)
		})
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			y := newWay(t, origin)
			g := newCache(t, y)
			y.fault(fault)
			resp, err := http.Get(g.Base + path)
			if err == nil {
				got, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if resp.StatusCode == 200 && err == nil {
					t.Errorf("a whole answer: %q", got)
				}
				if resp.StatusCode == 404 {
					t.Error("trouble is said to be an absence")
				}
			}
			y.fault(nil)
			again := newCacheOn(t, y, g)
			again.Want(again.Do("GET", path, nil), 200, body)
			again.Want(again.Do("GET", path+".sha1", nil), 200, sumsText(body)["sha1"])
		})
	}
}

// TestCacheHasNoPrefixes: a list of prefixes that is not about everything makes the rest unreachable for Maven
// 4, so a cache has none, whatever its upstream says.
func TestCacheHasNoPrefixes(t *testing.T) {
	origin := newRig(t)
	origin.deploy("com.acme:lib:1.0")
	origin.Want(origin.Do("GET", "/.meta/prefixes.txt", nil), 200, "/com/acme")
	y := newWay(t, origin)
	g := newCache(t, y)
	g.Want(g.Do("GET", lib+"1.0/lib-1.0.jar", nil), 200, "")
	y.fault(nil)
	for _, path := range []string{"/.meta/prefixes.txt", "/.meta/prefixes.txt" + ".sha1"} {
		g.Want(g.Do("GET", path, nil), 404, "")
	}
	if asked := y.requests(); len(asked) > 0 {
		t.Errorf("asked %q", asked)
	}
}

// TestCopyIsOfExactlyItsPath (CVE-2024-6915): however a path is spelled, what is kept under it is what the upstream has
// at exactly that path. Paths outside the layout, directories and queries are not passed on.
func TestCopyIsOfExactlyItsPath(t *testing.T) {
	origin := newRig(t)
	origin.deploy("com.acme:lib:1.0")
	y := newWay(t, origin)
	g := newCache(t, y)
	jar := "GET " + root + lib + "1.0/lib-1.0.jar"
	for path, want := range map[string]string{
		lib + "1.0/lib-1.0.jar?x=../../evil":          "",
		lib + "1.0/lib%2D1.0.jar":                     "",
		"/%63om/acme/lib/1.0/lib-1.0.jar":             "",
		lib + "1.0/lib-1.0.jar%3Fx=1":                 jar + "%3Fx=1",
		lib + "1.0/lib-1.0.jar%23x":                   jar + "%23x",
		lib + "1.0/lib-1.0.jar;x=1":                   jar + "%3Bx=1",
		"/com/acme/other/../lib/1.0/lib-1.0.jar":      "400",
		"/com/acme/other/%2e%2e/lib/1.0/lib-1.0.jar":  "400",
		lib + "1.0%2Flib-1.0.jar":                     "400",
		lib + "1.0/%252e%252e/lib-1.0.jar":            "400",
		lib + "1.0/..%5Clib-1.0.jar":                  "400",
		"/" + strings.TrimPrefix(lib, "/") + "1.0//x": "400",
		"/.index/nexus-maven-repository-index.gz":     "404",
		lib: "200", // a directory, which lists what is kept
	} {
		again := newCacheOn(t, y, g)
		again.Want(again.Do("GET", lib+"1.0/lib-1.0.jar", nil), 200, "")
		y.fault(nil)
		a := again.Do("GET", path, nil)
		asked := slices.DeleteFunc(y.requests(), func(s string) bool { return strings.Contains(s, ".sha1") })
		switch {
		case want == "": // another spelling of the file that is kept
			if a.Status != 200 || a.Body != "jar of com.acme:lib:1.0" || len(asked) > 0 {
				t.Errorf("%s: %v, asked %q", path, a, asked)
			}
		case len(want) == 3:
			if wiretest.JSON(a.Status) != want || len(asked) > 0 {
				t.Errorf("%s: %v, asked %q", path, a, asked)
			}
		case a.Status != 404 || slices.ContainsFunc(asked, func(s string) bool { return s != want }) || len(asked) == 0:
			t.Errorf("%s: %v, asked %q, want %s", path, a, asked, want)
		}
	}
}

// TestOwnNamesAreNotLookedForUpstream: names that are claimed, or that are ours, are never looked for elsewhere, and no
// metadata mixes both; a name that is an upstream's is not taken by accident.
func TestOwnNamesAreNotLookedForUpstream(t *testing.T) {
	origin := newRig(t)
	origin.deploy("com.acme:lib:99")
	origin.deploy("org.other:lib:99")
	y := newWay(t, origin)
	g := newCache(t, y, func(o *upstream.Options) { o.Claims = []string{"maven:com.acme*"} })
	for _, path := range []string{
		lib + metadataFile, lib + "99/lib-99.jar", lib + "99/lib-99.jar.sha1", "/com/acme/tools/x/1/x-1.pom",
	} {
		g.Want(g.Do("GET", path, nil), 404, "")
	}
	g.deploy("com.acme:lib:1.0")
	d := g.metadata(g.Want(g.Do("GET", lib+metadataFile, nil), 200, "").Body)
	wiretest.Equal(t, "the latest version", d.Latest, "1.0")
	wiretest.Equal(t, "the release", d.Release, "1.0")
	wiretest.EqualList(t, "the versions", d.Versions, "1.0")
	g.Want(g.Do("GET", lib+"99/lib-99.jar", nil), 404, "")
	if asked := y.requests(); len(asked) > 0 {
		t.Errorf("asked %q", asked)
	}
	g.Want(g.Ada("PUT", "/org/other/lib/1.0/lib-1.0.jar", "x"), 409, "claim")
	g.Want(g.Do("GET", "/org/other/lib/99/lib-99.jar", nil), 200, "jar of org.other:lib:99")
}

// answering is a server that lives as long as the test.
func answering(t *testing.T, answer http.HandlerFunc) *httptest.Server {
	t.Helper()
	srv := httptest.NewServer(answer)
	t.Cleanup(srv.Close)
	return srv
}

// static is a repository of files as they are; what has no file is absent.
func static(t *testing.T, files map[string]string) *httptest.Server {
	t.Helper()
	return answering(t, func(w http.ResponseWriter, r *http.Request) {
		body, ok := files[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		io.WriteString(w, body)
	})
}

// upstreams configures repositories in their order.
func upstreams(urls ...string) (list []upstream.Config) {
	for i, url := range urls {
		list = append(list, upstream.Config{Kind: store.Maven, Name: fmt.Sprint("up", i+1), URL: url})
	}
	return list
}

func cacheOf(t *testing.T, o upstream.Options) *rig {
	t.Helper()
	return newRig(t, func(r *rigOptions) { r.Upstreams = &o })
}

const libMetadata = `<metadata><groupId>com.acme</groupId><artifactId>lib</artifactId><versioning>` +
	`<release>%[1]s</release><versions><version>%[1]s</version></versions><lastUpdated>%[2]s</lastUpdated>` +
	`</versioning></metadata>`

// TestMetadataHasTheVersionsOfAllUpstreams: repositories have releases of one artifact side by side, and a version that
// is served must be listed.
func TestMetadataHasTheVersionsOfAllUpstreams(t *testing.T) {
	one := static(t, map[string]string{lib + metadataFile: fmt.Sprintf(libMetadata, "2.0", "20260102000000")})
	two := static(t, map[string]string{
		lib + metadataFile: fmt.Sprintf(libMetadata, "1.0", "20260101000000"), lib + "1.0/lib-1.0.jar": "a jar",
	})
	g := cacheOf(t, upstream.Options{Upstreams: upstreams(one.URL, two.URL)})
	d := g.metadata(g.Want(g.Do("GET", lib+metadataFile, nil), 200, "").Body)
	wiretest.EqualList(t, "the versions", d.Versions, "1.0", "2.0")
	wiretest.Equal(t, "the release", d.Release, "2.0")
	wiretest.Equal(t, "the time", d.Updated, "20260102000000")
	g.Want(g.Do("GET", lib+"1.0/lib-1.0.jar", nil), 200, "a jar")
}

// TestMetadataWaitsForAnUpstreamInTrouble: versions of the others alone could be taken for all there are.
func TestMetadataWaitsForAnUpstreamInTrouble(t *testing.T) {
	origin := newRig(t)
	origin.deploy("com.acme:lib:1.0")
	y := newWay(t, origin)
	y.fault(func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { http.Error(w, "trouble", 500) })
	two := static(t, map[string]string{lib + metadataFile: fmt.Sprintf(libMetadata, "2.0", "20260101000000")})
	for name, order := range map[string][]string{
		"the first": {y.URL + root, two.URL}, "the last": {two.URL, y.URL + root},
	} {
		g := cacheOf(t, upstream.Options{Upstreams: upstreams(order...)})
		for range 2 {
			if a := g.Do("GET", lib+metadataFile, nil); a.Status != 503 {
				t.Errorf("%s of two upstreams is in trouble: %v", name, a)
			}
		}
		list := upstreams(order...)
		for i := range list {
			list[i].Optional = true
		}
		g = cacheOf(t, upstream.Options{Upstreams: list})
		g.wantVersions("com.acme:lib", "2.0")
	}
}

// TestGroupHasThePluginsOfAll: a plugin that is published here does not hide those that upstreams have in its group,
// and what it is called by is its own.
func TestGroupHasThePluginsOfAll(t *testing.T) {
	plugins := func(names ...string) string {
		text := "<metadata><plugins>"
		for _, n := range names {
			text += "<plugin><prefix>" + n + "</prefix><artifactId>" + n + "-maven-plugin</artifactId></plugin>"
		}
		return text + "</plugins></metadata>"
	}
	one := static(t, map[string]string{"/com/acme/" + metadataFile: plugins("first", "hello")})
	two := static(t, map[string]string{"/com/acme/" + metadataFile: plugins("second", "first")})
	g := cacheOf(t, upstream.Options{Upstreams: upstreams(one.URL, two.URL)})
	d := g.metadata(g.Want(g.Do("GET", "/com/acme/"+metadataFile, nil), 200, "").Body)
	wiretest.EqualList(t, "the plugins of upstreams", d.plugins(),
		"first-maven-plugin", "hello-maven-plugin", "second-maven-plugin")
	description := "<plugin><groupId>com.acme</groupId><artifactId>greet-maven-plugin</artifactId>" +
		"<goalPrefix>hello</goalPrefix></plugin>"
	g.deploy("com.acme:greet-maven-plugin:1.0", contents{
		".jar": jar(wiretest.Files{"META-INF/maven/plugin.xml": description}),
	})
	d = g.metadata(g.Want(g.Do("GET", "/com/acme/"+metadataFile, nil), 200, "").Body)
	wiretest.EqualList(t, "the plugins", d.plugins(), "greet-maven-plugin", "first-maven-plugin", "second-maven-plugin")
}

// TestSharedNameHasVersionsOfBoth: builds of one's own beside those of the upstream. A file of a version that is here
// is never the upstream's.
func TestSharedNameHasVersionsOfBoth(t *testing.T) {
	up := static(t, map[string]string{
		lib + metadataFile:                     fmt.Sprintf(libMetadata, "1.0", "20260101000000"),
		lib + "1.0/lib-1.0.jar":                "theirs",
		lib + "1.0-acme1/lib-1.0-acme1.jar":    "not ours",
		lib + "1.0-acme1/lib-1.0-acme1-x.jar":  "not ours",
		"/com/acme/other/1.0/other-1.0.jar":    "theirs",
		"/com/acme/other/" + metadataFile:      strings.ReplaceAll(fmt.Sprintf(libMetadata, "1.0", ""), "lib", "other"),
		lib + "2-SNAPSHOT/" + metadataFile:     "<metadata><version>2-SNAPSHOT</version></metadata>",
		lib + "2-SNAPSHOT/lib-2-SNAPSHOT.jar":  "theirs",
		lib + "1.0-acme1/lib-1.0-acme1.pom.id": "not ours",
	})
	g := cacheOf(t, upstream.Options{
		Upstreams: upstreams(up.URL), Shared: []string{"maven:com.acme:lib"}, Claims: []string{"maven:com.acme:*"},
	})
	g.deploy("com.acme:lib:1.0-acme1")
	g.wantVersions("com.acme:lib", "1.0", "1.0-acme1")
	g.Want(g.Do("GET", lib+"1.0/lib-1.0.jar", nil), 200, "theirs")
	g.Want(g.Do("GET", lib+"2-SNAPSHOT/lib-2-SNAPSHOT.jar", nil), 200, "theirs")
	g.Want(g.Do("GET", lib+"1.0-acme1/lib-1.0-acme1.jar", nil), 200, "jar of com.acme:lib:1.0-acme1")
	g.Want(g.Do("GET", lib+"1.0-acme1/lib-1.0-acme1-x.jar", nil), 404, "")
	g.Want(g.Do("GET", lib+"1.0-acme1/lib-1.0-acme1-x.jar.sha1", nil), 404, "")
	g.Want(g.Do("GET", "/com/acme/other/1.0/other-1.0.jar", nil), 404, "")
	g.Want(g.Do("GET", "/com/acme/other/"+metadataFile, nil), 404, "")
}

// TestPlainSnapshotIsAFile: a snapshot without timestamps, as all are in a layout of Ivy, is a file like others,
// whatever its size, but asked for again when it is not fresh any more, and answered as it was while its upstream is in
// trouble.
func TestPlainSnapshotIsAFile(t *testing.T) {
	for name, path := range map[string]string{
		"Maven": lib + "2-SNAPSHOT/lib-2-SNAPSHOT.jar", "Ivy": ivyLib + "2-SNAPSHOT/jars/lib.jar",
	} {
		t.Run(name, func(t *testing.T) { plainSnapshot(t, path) })
	}
}

func plainSnapshot(t *testing.T, path string) {
	var mu sync.Mutex
	body, status, sent := strings.Repeat("first ", 200_000), 200, 0
	up := answering(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		tag := fmt.Sprintf("%q", body[:5])
		switch {
		case r.URL.Path != path:
			http.NotFound(w, r)
		case status != 200:
			http.Error(w, "trouble", status)
		case r.Header.Get("If-None-Match") == tag:
			w.WriteHeader(http.StatusNotModified)
		default:
			sent++
			w.Header().Set("ETag", tag)
			io.WriteString(w, body)
		}
	})
	now := time.Now()
	g := cacheOf(t, upstream.Options{Upstreams: upstreams(up.URL), Now: func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return now
	}})
	later := func(change func()) {
		mu.Lock()
		defer mu.Unlock()
		now = now.Add(time.Hour)
		change()
	}
	want := func(when, text string, fetched int) {
		t.Helper()
		a := g.Do("GET", path, nil)
		mu.Lock()
		defer mu.Unlock()
		if a.Status != 200 || a.Body != text {
			t.Errorf("%s: status %d and %d bytes, want 200 and %d", when, a.Status, len(a.Body), len(text))
		}
		wiretest.Equal(t, when+": how often it was sent", sent, fetched)
	}
	first := body
	want("at first", first, 1)
	want("while it is fresh", first, 1)
	later(func() {})
	want("when it is the same", first, 1)
	later(func() { status = 500 })
	want("while there is trouble", first, 1)
	later(func() { status, body = 200, "other bytes" })
	want("when it has changed", "other bytes", 2)
}

// TestFileIsComparedWithTheChecksumThereIs: an upstream may have no .sha1 but another checksum.
func TestFileIsComparedWithTheChecksumThereIs(t *testing.T) {
	path := lib + "1.0/lib-1.0.jar"
	none := cacheOf(t, upstream.Options{Upstreams: upstreams(static(t, map[string]string{path: "a jar"}).URL)})
	none.Want(none.Do("GET", path, nil), 200, "a jar")
	for _, alg := range strongest {
		wrong := static(t, map[string]string{path: "a jar", path + "." + alg: sumsText("another")[alg]})
		g := cacheOf(t, upstream.Options{Upstreams: upstreams(wrong.URL)})
		g.Want(g.Do("GET", path, nil), 503, "")
		right := static(t, map[string]string{path: "a jar", path + "." + alg: sumsText("a jar")[alg]})
		g = cacheOf(t, upstream.Options{Upstreams: upstreams(right.URL)})
		g.Want(g.Do("GET", path, nil), 200, "a jar")
	}
}

// TestStrongestChecksumDecides: of those beside a file, whatever the others say, and one that the upstream did not have
// before.
func TestStrongestChecksumDecides(t *testing.T) {
	path := func(n int) string { return fmt.Sprintf("%s%[2]d/lib-%[2]d.jar", lib, n) }
	files := map[string]string{}
	for n := range 20 {
		files[path(n)], files[path(n)+".sha1"] = "a jar", sumsText("a jar")["sha1"]
	}
	for i, alg := range strongest[:3] { // 20, 21, 22: right by alg, wrong by what is weaker
		files[path(20+i)], files[path(20+i)+"."+alg] = "a jar", sumsText("a jar")[alg]
		files[path(30+i)], files[path(30+i)+"."+alg] = "a jar", sumsText("another")[alg]
		for _, weaker := range strongest[i+1:] {
			files[path(20+i)+"."+weaker], files[path(30+i)+"."+weaker] = sumsText("another")[weaker], sumsText("a jar")[weaker]
		}
	}
	files[path(40)], files[path(40)+".sha512"] = "a jar", sumsText("another")["sha512"]
	var mu sync.Mutex
	asked := map[string]int{}
	up := answering(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked[r.URL.Path[strings.LastIndexByte(r.URL.Path, '.'):]]++
		mu.Unlock()
		if body, ok := files[r.URL.Path]; ok {
			io.WriteString(w, body)
			return
		}
		http.NotFound(w, r)
	})
	g := cacheOf(t, upstream.Options{Upstreams: upstreams(up.URL)})
	for i := range strongest[:3] {
		g.Want(g.Do("GET", path(20+i), nil), 200, "a jar")
		g.Want(g.Do("GET", path(30+i), nil), 503, "")
	}
	g = cacheOf(t, upstream.Options{Upstreams: upstreams(up.URL)})
	clear(asked)
	for n := range 20 {
		g.Want(g.Do("GET", path(n), nil), 200, "a jar")
	}
	wiretest.Equal(t, "files whose .sha1 was asked for", asked[".sha1"], 20)
	wiretest.Equal(t, "files whose .sha512 was asked for while there is none", asked[".sha512"], rarely)
	g.Want(g.Do("GET", path(40), nil), 503, "")
}

// TestBuildThatMetadataNamedOnceIsFound: a build log or a lock file names a build of a snapshot that the upstream's
// metadata names no more. Builds are asked for by their path alone, so that nothing of it has to be remembered, whether
// copies were dropped since, and after a restart.
func TestBuildThatMetadataNamedOnceIsFound(t *testing.T) {
	dir := lib + "2-SNAPSHOT/"
	build := func(n int) string { return fmt.Sprintf("%slib-2-20260101.00000%d-%d.jar", dir, n, n) }
	metadata := func(n int) string {
		return fmt.Sprintf("<metadata><version>2-SNAPSHOT</version><versioning><snapshot><timestamp>20260101.00000%[1]d"+
			"</timestamp><buildNumber>%[1]d</buildNumber></snapshot></versioning></metadata>", n)
	}
	origin := newRig(t)
	y := newWay(t, origin)
	n, mu := 1, sync.Mutex{}
	y.fault(func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		mu.Lock()
		defer mu.Unlock()
		switch r.URL.Path {
		case root + dir + metadataFile:
			io.WriteString(w, metadata(n))
		case root + build(1), root + build(2):
			io.WriteString(w, r.URL.Path)
		default:
			http.NotFound(w, r)
		}
	})
	now := time.Now()
	g := newCache(t, y, func(o *upstream.Options) {
		o.Now = func() time.Time {
			mu.Lock()
			defer mu.Unlock()
			return now
		}
	})
	g.Want(g.Do("GET", dir+metadataFile, nil), 200, "<buildNumber>1<")
	mu.Lock()
	n, now = 2, now.Add(time.Hour)
	mu.Unlock()
	g.Want(g.Do("GET", dir+metadataFile, nil), 200, "<buildNumber>2<")
	if _, err := g.Deps.Upstreams.Purge(t.Context(), store.Maven, "com.acme:*"); err != nil {
		t.Fatal(err)
	}
	g.Want(g.Do("GET", build(1), nil), 200, build(1))
	again := newCacheOn(t, y, g)
	again.Want(again.Do("GET", build(1), nil), 200, build(1))
	again.Want(again.Do("GET", build(2), nil), 200, build(2))
}

// TestFilesBesideMetadataGetTheLogin: an upstream may send clients from its repository to another folder of the same
// host for the files, and ask for the login there alone.
func TestFilesBesideMetadataGetTheLogin(t *testing.T) {
	up := answering(t, func(w http.ResponseWriter, r *http.Request) {
		switch user, password, _ := r.BasicAuth(); {
		case r.URL.Path == "/repo"+lib+metadataFile:
			fmt.Fprintf(w, libMetadata, "1.0", "20260101000000")
		case strings.HasPrefix(r.URL.Path, "/repo"+lib+"1.0/"):
			http.Redirect(w, r, "/files/"+r.URL.Path[len("/repo"+lib+"1.0/"):], http.StatusFound)
		case user != "ada" || password != "secret":
			w.Header().Set("WWW-Authenticate", `Basic realm="files"`)
			http.Error(w, "who are you?", http.StatusUnauthorized)
		case r.URL.Path == "/files/lib-1.0.jar":
			io.WriteString(w, "a jar")
		case r.URL.Path == "/files/lib-1.0.jar.sha1":
			io.WriteString(w, sumsText("a jar")["sha1"])
		default:
			http.NotFound(w, r)
		}
	})
	list := upstreams(up.URL + "/repo")
	g := cacheOf(t, upstream.Options{Upstreams: list})
	g.wantVersions("com.acme:lib", "1.0")
	g.Want(g.Do("GET", lib+"1.0/lib-1.0.jar", nil), 403, "up1")
	list[0].User, list[0].Password = "ada", "secret"
	g = cacheOf(t, upstream.Options{Upstreams: list})
	g.wantVersions("com.acme:lib", "1.0")
	g.Want(g.Do("GET", lib+"1.0/lib-1.0.jar", nil), 200, "a jar")
}
