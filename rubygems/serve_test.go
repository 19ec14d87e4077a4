package rubygems

// Reading: the compact index and its conditions, the Marshal indexes, files.

import (
	"compress/gzip"
	"compress/zlib"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"larder/auth"
	"larder/internal/ledger"
	"larder/internal/registry"
	"larder/internal/rubymarshal"
	"larder/internal/wiretest"
	"larder/rubygems/version"
	"larder/store/storetest"
)

// sumOf is the SHA-256 of a release's file.
func sumOf(r *release) string {
	sum := sha256.Sum256(r.build())
	return hex.EncodeToString(sum[:])
}

func TestInfoHasALineForEachVersion(t *testing.T) {
	clock := storetest.NewClock()
	g := newRig(t, func(o *rigOptions) { o.WithClock(clock) })
	plain := newRelease("demo", "1.0.0")
	g.want(g.push("ada", plain), 200, "")
	clock.Advance(time.Minute)
	rich := newRelease("demo", "1.1.0")
	rich.platform = "x86_64-linux"
	rich.deps = []string{"zlib >= 0", "dev rake ~> 13.0", "rack >= 2.0, < 4"}
	rich.more = requirementOf("", "required_ruby_version", ">= 3.0, < 3.4.dev") +
		requirementOf("", "required_rubygems_version", ">= 3.3.22")
	g.want(g.push("ada", rich), 200, "Successfully registered gem: demo (1.1.0-x86_64-linux)")
	want := "---\n1.0.0 |checksum:" + sumOf(plain) + ",created_at:2026-01-02T03:04:05Z\n" +
		"1.1.0-x86_64-linux rack:< 4&>= 2.0,zlib:>= 0|checksum:" + sumOf(rich) +
		",ruby:< 3.4.dev&>= 3.0,rubygems:>= 3.3.22,created_at:2026-01-02T03:05:05Z\n"
	wiretest.Equal(t, "/info/demo", g.get("/info/demo").Body, want)
	g.want(g.Do("GET", "/info/other", nil), 404, "This gem could not be found.")
}

func TestVersionsHasALineForEachChange(t *testing.T) {
	g := newRig(t)
	wiretest.Equal(t, "an empty list", g.get("/versions").Body, "created_at: 1970-01-01T00:00:00Z\n---\n")
	wiretest.Equal(t, "no names", g.get("/names").Body, "---\n\n")
	var want []string
	note := func(versions string) { // with the MD5 of /info as it is then
		sum := md5.Sum([]byte(g.get("/info/demo").Body))
		want = append(want, "demo "+versions+" "+hex.EncodeToString(sum[:]))
	}
	g.publish("demo", "1.0.0")
	note("1.0.0")
	g.publish("demo", "1.0.0-java")
	note("1.0.0-java")
	g.want(g.yank("ada", "demo", "1.0.0", ""), 200, "Successfully deleted gem: demo (1.0.0)")
	note("-1.0.0")
	g.want(g.yank("ada", "demo", "1.0.0", "java"), 200, "")
	note("-1.0.0-java")
	wiretest.EqualList(t, "/versions", lines(g.get("/versions")), want...)
	wiretest.Equal(t, "the last line", want[3], "demo -1.0.0-java 6105347ebb9825ac754615ca55ff3b0c")
	wiretest.Equal(t, "/info of a gem whose versions are all yanked", g.get("/info/demo").Body, "---\n")
	wiretest.Equal(t, "names without that gem", g.get("/names").Body, "---\n\n")
}

// partial reads /versions in parts, as Bundler does.
type partial struct {
	*rig
	held string
}

// rest asks for what follows the bytes that are held, and the last of those.
func (p *partial) rest() answer {
	p.T.Helper()
	from := fmt.Sprintf("bytes=%d-", len(p.held)-1)
	return p.Do("GET", "/versions", nil, header("Range", from, "If-None-Match", ledger.Tag([]byte(p.held))))
}

func (p *partial) update() {
	p.T.Helper()
	switch a := p.rest(); a.Status {
	case 304:
	case 206:
		p.held = p.held[:len(p.held)-1] + a.Body
	default:
		p.held = p.want(a, 200, "").Body
	}
}

// change publishes or yanks a version of one of five gems, at random. live are the versions that are not yanked.
func (g *rig) change(rnd *rand.Rand, i int, live map[string][]string) {
	g.T.Helper()
	name := fmt.Sprintf("gem%d", rnd.IntN(5))
	if n := len(live[name]); n > 0 && rnd.IntN(3) == 0 {
		at := rnd.IntN(n)
		number, platform := version.Split(live[name][at])
		g.want(g.yank("ada", name, number, platform), 200, "")
		live[name] = slices.Delete(live[name], at, at+1)
		return
	}
	platform := []string{"ruby", "java", "x86_64-linux-musl"}[rnd.IntN(3)]
	id := version.ID(fmt.Sprintf("%d.%d", i, rnd.IntN(3)+1), platform)
	g.publish(name, id)
	live[name] = append(live[name], id)
}

// After every test the rig checks that the last MD5 of each gem is that of its /info.
func TestListReadInPartsIsTheWhole(t *testing.T) {
	g := newRig(t)
	rnd, live := rand.New(rand.NewPCG(1, 2)), map[string][]string{}
	// The empty list has another time in its head.
	g.change(rnd, 0, live)
	p := &partial{rig: g, held: g.get("/versions").Body}
	for i := 1; i < 60; i++ {
		g.change(rnd, i, live)
		now := g.get("/versions").Body
		if !strings.HasPrefix(now, p.held) {
			t.Fatalf("the list was %q and is %q", p.held, now)
		}
		p.update()
		wiretest.Equal(t, "the list read in parts", p.held, now)
		if i%10 == 0 {
			g.checkIndexes()
		}
	}
	g.User("root", nil, true)
	g.want(g.Do("POST", "/api/v1/larder/compact", nil, g.As("root")), 200, "size")
	// The list is shorter now: a part does not fit, so the whole comes.
	compacted := lines(g.want(p.rest(), 200, "created_at"))
	g.checkCompacted(compacted, live)
	wiretest.EqualList(t, "the list", lines(g.get("/versions")), compacted...)
	g.publish("gem0", "99.0")
}

// checkCompacted checks that the list has one line for each gem, in the order of names.
func (g *rig) checkCompacted(list []string, live map[string][]string) {
	g.T.Helper()
	var want []string
	for _, name := range slices.Sorted(maps.Keys(live)) {
		if len(live[name]) > 0 {
			want = append(want, name)
		}
	}
	var got []string
	for _, line := range list {
		f := strings.Fields(line)
		got = append(got, f[0])
		ids, sum := strings.Split(f[1], ","), strings.Trim(g.get("/info/"+f[0]).Header.Get("ETag"), `"`)
		wiretest.Equal(g.T, "number of versions of "+f[0], len(ids), len(live[f[0]]))
		wiretest.Equal(g.T, "MD5 of "+f[0], f[2], sum)
	}
	wiretest.EqualList(g.T, "gems of the list", got, want...)
}

// rubyAccept is the Accept-Encoding of Ruby's own HTTP client.
const rubyAccept = "gzip;q=1.0,deflate;q=0.6,identity;q=0.3"

// indexed is a registry whose documents are long enough to be compressed.
func indexed(t *testing.T) *rig {
	t.Helper()
	g := newRig(t)
	for i := range 30 {
		g.publish("demo", fmt.Sprintf("1.0.%d", i))
		g.publish(fmt.Sprintf("other%d", i), "1.0")
	}
	return g
}

// Conditional and partial requests for the three documents of the compact index.
func TestConditionsOfTheCompactIndex(t *testing.T) {
	g := indexed(t)
	for _, path := range []string{"/versions", "/info/demo", "/names"} {
		t.Run(path, func(t *testing.T) {
			g := g.in(t)
			whole := g.get(path)
			g.WantHeader(
				whole, "Accept-Ranges", "bytes", "Content-Type", "text/plain; charset=utf-8", "Cache-Control", "no-cache",
				"Vary", "Accept-Encoding", "Content-Length", fmt.Sprint(len(whole.Body)),
			)
			g.checkUnchanged(path, whole)
			g.checkRanges(path, whole)
			g.checkUselessRanges(path, whole)
			g.checkEncodings(path, whole)
			head := g.want(g.Do("HEAD", path, nil, header("Range", "bytes=1-")), 200, "")
			wiretest.Equal(t, "body of HEAD", head.Body, "")
			g.wantSame(head, whole, "Content-Length", "ETag", "Repr-Digest")
			g.WantHeader(g.Ada("GET", path, nil), "Cache-Control", "private, no-cache")
		})
	}
}

// wantSame fails unless a has the same headers as b.
func (g *rig) wantSame(a, b answer, names ...string) {
	g.T.Helper()
	for _, name := range names {
		g.WantHeader(a, name, b.Header.Get(name))
	}
}

// checkUnchanged: a document that the client has is a 304, also where it asks for a part.
func (g *rig) checkUnchanged(path string, whole answer) {
	g.T.Helper()
	etag, end := whole.Header.Get("ETag"), fmt.Sprintf("bytes=%d-", len(whole.Body)-1)
	for _, tag := range []string{etag, strings.Trim(etag, `"`), "W/" + etag, `"x", ` + etag} {
		a := g.want(g.Do("GET", path, nil, header("If-None-Match", tag, "Range", end)), 304, "")
		wiretest.Equal(g.T, "body of a 304", a.Body, "")
		g.wantSame(a, whole, "ETag", "Repr-Digest")
	}
}

// checkRanges: a part has the tag and the digest of the whole, and is never encoded.
func (g *rig) checkRanges(path string, whole answer) {
	g.T.Helper()
	size := len(whole.Body)
	for spec, want := range map[string][2]int{
		fmt.Sprintf("bytes=%d-", size-1): {size - 1, size}, "bytes=10-": {10, size}, "bytes=3-5": {3, 6},
		"bytes=-7": {size - 7, size}, fmt.Sprintf("bytes=5-%d", size*2): {5, size}, "bytes=-999999999": {0, size},
	} {
		part := header("Range", spec, "If-None-Match", `"other"`, "Accept-Encoding", rubyAccept)
		a := g.want(g.Do("GET", path, nil, part), 206, "")
		wiretest.Equal(g.T, spec, a.Body, whole.Body[want[0]:want[1]])
		g.WantHeader(a, "Content-Range", fmt.Sprintf("bytes %d-%d/%d", want[0], want[1]-1, size), "Content-Encoding", "")
		g.wantSame(a, whole, "ETag", "Repr-Digest", "Digest")
	}
	g.want(g.Do("GET", path, nil, header("Range", "bytes=1-", "If-Range", whole.Header.Get("ETag"))), 206, "")
	g.want(g.Do("GET", path, nil, header("Range", "bytes=1-", "If-Range", `"other"`)), 200, "")
}

// checkUselessRanges: a range that does not fit is answered with the whole, never with a 416, and never encoded.
func (g *rig) checkUselessRanges(path string, whole answer) {
	g.T.Helper()
	for _, spec := range []string{
		fmt.Sprintf("bytes=%d-", len(whole.Body)), "bytes=99999999999-", "bytes=5-3", "bytes=-0", "bytes=1-2,4-5",
		"lines=1-", "bytes=x-", "bytes=-", "bytes=99999999999999999999-",
	} {
		a := g.want(g.Do("GET", path, nil, header("Range", spec, "Accept-Encoding", rubyAccept)), 200, "")
		wiretest.Equal(g.T, spec, a.Body, whole.Body)
		g.WantHeader(a, "Content-Encoding", "", "Content-Range", "")
	}
}

// checkEncodings: gzip is for clients that name more than gzip. The tag and the digest stay those of the plain bytes.
func (g *rig) checkEncodings(path string, whole answer) {
	g.T.Helper()
	for accept, packed := range map[string]bool{
		rubyAccept: true, "gzip, deflate, br": true, "gzip": false, "identity": false, "gzip;q=0, identity": false,
		"gzip;q=0.0,x": false, "": false,
	} {
		a := g.want(g.Do("GET", path, nil, header("Accept-Encoding", accept)), 200, "")
		got := a.Header.Get("Content-Encoding") == "gzip"
		if short := path == "/names" || len(whole.Body) < 1024; got != packed && !short {
			g.T.Errorf("%s for %q is compressed: %t, want %t", path, accept, got, packed)
		}
		g.wantSame(a, whole, "ETag", "Repr-Digest", "Vary")
		if got {
			wiretest.Equal(g.T, "what is compressed", gunzip(g.T, a.Body), whole.Body)
		}
	}
}

func gunzip(t testing.TB, s string) string {
	t.Helper()
	z, err := gzip.NewReader(strings.NewReader(s))
	if err != nil {
		t.Fatal(err)
	}
	z.Multistream(false)
	p, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return string(p)
}

// Clients read one gzip member only, however many pieces the list is stored in.
func TestCompressedListIsOneGzipMember(t *testing.T) {
	g := newRig(t)
	fill(t, g.Store, 0, 4700)
	for i := range 3 {
		whole := g.get("/versions")
		if len(whole.Body) < 256<<10 {
			t.Fatalf("the list has only %d bytes", len(whole.Body))
		}
		a := g.want(g.Do("GET", "/versions", nil, header("Accept-Encoding", rubyAccept)), 200, "")
		g.WantHeader(a, "Content-Encoding", "gzip", "Content-Length", fmt.Sprint(len(a.Body)))
		if gunzip(t, a.Body) != whole.Body {
			t.Fatal("the first gzip member is not the whole list")
		}
		g.publish("demo", fmt.Sprintf("1.%d", i))
	}
}

// readTuples decodes a Marshal index.
func readTuples(t testing.TB, a answer) []string {
	t.Helper()
	v, err := rubymarshal.Unmarshal([]byte(gunzip(t, a.Body)), rubymarshal.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, row := range v.([]any) {
		r := row.([]any)
		out = append(out, fmt.Sprintf("%s %s %s", r[0], r[1].(rubymarshal.User).Value.([]any)[0], r[2]))
	}
	return out
}

func TestMarshalIndexes(t *testing.T) {
	g := newRig(t)
	for _, path := range []string{"/specs.4.8.gz", "/latest_specs.4.8.gz", "/prerelease_specs.4.8.gz"} {
		wiretest.EqualList(t, path+" of an empty registry", readTuples(t, g.want(g.Do("GET", path, nil), 200, "")))
	}
	g.publish("b", "1.0", "1.10", "1.9", "2.0.rc1", "1.9-java")
	g.publish("a", "1.0")
	g.publish("c", "0.1.pre", "1.0")
	g.want(g.yank("ada", "c", "1.0", ""), 200, "")
	for path, want := range map[string][]string{
		"/specs.4.8.gz":            {"a 1.0 ruby", "b 1.10 ruby", "b 1.9 java", "b 1.9 ruby", "b 1.0 ruby"},
		"/latest_specs.4.8.gz":     {"a 1.0 ruby", "b 1.10 ruby", "b 1.9 java"},
		"/prerelease_specs.4.8.gz": {"b 2.0.rc1 ruby", "c 0.1.pre ruby"},
	} {
		a := g.want(g.Do("GET", path, nil, header("Accept-Encoding", "gzip, zstd")), 200, "")
		wiretest.EqualList(t, path, readTuples(t, a), want...)
		g.WantHeader(a, "Content-Type", "application/octet-stream", "Content-Encoding", "")
	}
	g.wantAll(404, "no such address", "/specs.4.8", "/yaml", "/Marshal.4.8.Z", "/quick/b-1.0.gemspec.rz")
}

// Clients ask with the second of their download.
func TestIndexThatChangedInTheSecondOfADownloadIsNew(t *testing.T) {
	clock := storetest.NewClock()
	clock.Advance(300 * time.Millisecond)
	g := newRig(t, func(o *rigOptions) { o.WithClock(clock) })
	g.publish("demo", "1.0")
	since := func(d time.Duration) option {
		return header("If-Modified-Since", clock.Now().Truncate(time.Second).Add(d).Format(http.TimeFormat))
	}
	g.want(g.Do("GET", "/specs.4.8.gz", nil, since(0)), 200, "")
	g.want(g.Do("GET", "/specs.4.8.gz", nil, since(time.Second)), 304, "")
	g.want(g.Do("GET", "/specs.4.8.gz", nil, since(time.Hour)), 304, "")
	clock.Advance(200 * time.Millisecond)
	g.publish("demo", "1.1")
	got := readTuples(t, g.want(g.Do("GET", "/specs.4.8.gz", nil, since(0)), 200, ""))
	wiretest.EqualList(t, "the index", got, "demo 1.1 ruby", "demo 1.0 ruby")
	clock.Advance(time.Hour)
	g.publish("demo", "1.2")
	g.want(g.Do("GET", "/specs.4.8.gz", nil, since(-time.Second)), 200, "")
	g.want(g.Do("GET", "/specs.4.8.gz", nil, since(time.Second)), 304, "")
}

// gem keeps one copy of an index for all users of an address, and asks only with the time of its download. Where users
// see different indexes, the copy may be another user's.
func TestIndexHasNoDateWhereUsersSeeDifferentOnes(t *testing.T) {
	for what, o := range map[string]auth.Options{
		"private names": {Private: []string{"rubygems:gem:secret-*"}}, "login for all": {Anonymous: "none"},
	} {
		t.Run(what, func(t *testing.T) {
			clock := storetest.NewClock()
			g := newRig(t, func(r *rigOptions) { r.Auth = o; r.WithClock(clock) })
			g.publish("open-lib", "1.0")
			g.publish("secret-lib", "1.0")
			g.Scoped("part", "ada", "rubygems:gem:open-*:read")
			clock.Advance(time.Hour)
			later := header("If-Modified-Since", clock.Now().Format(http.TimeFormat))
			for _, path := range []string{"/specs.4.8.gz", "/latest_specs.4.8.gz", "/prerelease_specs.4.8.gz"} {
				for actor, want := range map[string]int{"ada": 2, "part": 1} {
					if path == "/prerelease_specs.4.8.gz" {
						want = 0
					}
					a := g.want(g.Do("GET", path, nil, g.As(actor), later), 200, "")
					wiretest.Equal(t, "versions in "+path+" for "+actor, len(readTuples(t, a)), want)
					g.WantHeader(a, "Last-Modified", "")
					tag := header("If-None-Match", a.Header.Get("ETag"))
					g.want(g.Do("GET", path, nil, g.As(actor), tag), 304, "")
				}
			}
		})
	}
}

func TestFilesAreFoundByEveryFullName(t *testing.T) {
	g := newRig(t)
	r := newRelease("demo", "1.0")
	r.platform = "x86_64-darwin19"
	g.want(g.push("ada", r), 200, "")
	for _, full := range []string{"demo-1.0-x86_64-darwin19", "demo-1.0-x86_64-darwin-19"} {
		a := g.want(g.Do("GET", "/gems/"+full+".gem", nil), 200, "")
		wiretest.Equal(t, full, a.Body, string(r.build()))
		g.WantHeader(
			a, "Content-Type", "application/octet-stream", "Content-Length", fmt.Sprint(len(a.Body)),
			"Cache-Control", "public, max-age=31536000, immutable",
		)
		head := g.want(g.Do("HEAD", "/gems/"+full+".gem", nil), 200, "")
		wiretest.Equal(t, "body of HEAD", head.Body, "")
		g.wantSame(head, a, "Content-Length")
		q := g.want(g.Do("GET", "/quick/Marshal.4.8/"+full+".gemspec.rz", nil), 200, "")
		if !strings.HasPrefix(q.Body, "\x78") {
			t.Errorf("the specification of %s is not zlib: %v", full, q)
		}
		g.WantHeader(q, "Content-Length", fmt.Sprint(len(q.Body)))
	}
	g.wantAll(
		404, "This version could not be found.", "/gems/demo-1.0.gem", "/gems/Demo-1.0-x86_64-darwin19.gem",
		"/gems/demo-2.0.gem", "/quick/Marshal.4.8/demo-1.0.gemspec.rz",
	)
	g.want(g.yank("ada", "demo", "1.0", "x86_64-darwin19"), 200, "")
	g.wantAll(
		404, "This version could not be found.", "/gems/demo-1.0-x86_64-darwin19.gem",
		"/gems/demo-1.0-x86_64-darwin-19.gem", "/quick/Marshal.4.8/demo-1.0-x86_64-darwin19.gemspec.rz",
	)
}

func TestYankedFilesAreServedIfConfigured(t *testing.T) {
	g := newRig(t, func(o *rigOptions) { o.rubygems.ServeYanked = true })
	g.publish("demo", "1.0")
	g.want(g.yank("ada", "demo", "1.0", ""), 200, "")
	g.wantAll(200, "", "/gems/demo-1.0.gem", "/quick/Marshal.4.8/demo-1.0.gemspec.rz")
}

// The gem is larger than what is sent from memory, and its specification larger than what stands in a row.
func TestLargeFiles(t *testing.T) {
	g := newRig(t)
	r := newRelease("demo", "1.0")
	noise := make([]byte, 200_000)
	rnd := rand.NewChaCha8([32]byte{1})
	if _, err := rnd.Read(noise); err != nil {
		t.Fatal(err)
	}
	r.files["noise"] = base64.StdEncoding.EncodeToString(noise)
	description := base64.StdEncoding.EncodeToString(noise[:40_000])
	r.more = "description: " + description + "\n"
	g.want(g.push("ada", r), 200, "")
	if a := g.want(g.Do("GET", "/gems/demo-1.0.gem", nil), 200, ""); a.Body != string(r.build()) {
		t.Error("the gem has other bytes than were pushed")
	}
	g.want(g.Do("GET", "/gems/demo-1.0.gem", nil, header("Range", "bytes=0-9")), 206, "")
	a := g.want(g.Do("GET", "/quick/Marshal.4.8/demo-1.0.gemspec.rz", nil), 200, "")
	if len(a.Body) <= registry.MaxInline {
		t.Errorf("the specification has only %d bytes", len(a.Body))
	}
	g.wantAll(
		200, description[:20_000], "/api/v1/gems/demo.json", "/api/v1/versions/demo.json",
		"/api/v2/rubygems/demo/versions/1.0.json",
	)
}

// The requests are those of gem install of RubyGems 3.3.15, in its order, and of gem search, list and fetch. The
// compact index alone is not enough for any of them.
func TestRequestsOfGemInstall(t *testing.T) {
	g := newRig(t)
	g.publish("base", "2.1", "3.0.pre")
	r := newRelease("demo", "1.0")
	r.deps = []string{"base >= 2, < 3", "dev rake >= 0"}
	g.want(g.push("ada", r), 200, "")
	for _, probe := range []string{"/", "", "/versions"} {
		g.want(g.Do("HEAD", probe, nil), 200, "")
	}
	for name, want := range map[string]string{"demo": "1.0 base:< 3&>= 2|", "base": "2.1 |"} {
		g.want(g.Do("GET", "/info/"+name, nil), 200, "\n"+want)
	}
	for full, want := range map[string]map[string]string{
		"demo-1.0": {"base": "runtime", "rake": "development"}, "base-2.1": {}, "base-3.0.pre": {},
	} {
		a := g.want(g.Do("GET", "/quick/Marshal.4.8/"+full+".gemspec.rz", nil), 200, "")
		if got := quickDependencies(t, a); !maps.Equal(got, want) {
			t.Errorf("%s depends on %v, want %v", full, got, want)
		}
		g.want(g.Do("GET", "/gems/"+full+".gem", nil), 200, "")
	}
	releases := []string{"base 2.1 ruby", "demo 1.0 ruby"}
	for index, want := range map[string][]string{
		"specs": releases, "latest_specs": releases, "prerelease_specs": {"base 3.0.pre ruby"},
	} {
		wiretest.EqualList(t, index, readTuples(t, g.Do("GET", "/"+index+".4.8.gz", nil)), want...)
	}
}

// quickDependencies are the dependencies in a gemspec.rz, and their kinds.
func quickDependencies(t *testing.T, a answer) map[string]string {
	t.Helper()
	z, err := zlib.NewReader(strings.NewReader(a.Body))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	outer, err := rubymarshal.Unmarshal(raw, rubymarshal.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	inner, err := rubymarshal.Unmarshal(outer.(rubymarshal.Data).Raw, rubymarshal.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, d := range inner.([]any)[9].([]any) {
		found := map[string]any{}
		for _, v := range d.(rubymarshal.Object).Ivars {
			found[string(v.Name)] = v.Value
		}
		out[fmt.Sprint(found["@name"])] = fmt.Sprint(found["@type"])
	}
	return out
}

func TestAddressesOfOldClients(t *testing.T) {
	g := newRig(t)
	g.want(g.Do("HEAD", "/", nil), 200, "")
	g.want(g.Do("HEAD", "", nil), 200, "")
	g.want(g.Do("HEAD", "/versions", nil), 200, "")
	g.wantAll(404, "no such address", "/api/v1/dependencies", "/api/v1/dependencies?gems=a,b")
	g.want(g.Do("GET", "/api/v1/dependencies.json?gems=a", nil), 404, "")
	g.WantHeader(g.want(g.Do("PUT", "/versions", nil), 405, ""), "Allow", "GET, HEAD")
	g.want(g.Do("GET", "/api/v1/api_key", nil), 410, "gem update --system")
	g.want(g.Do("POST", "/api/v1/webauthn_verification", nil), 401, "")
	g.want(g.Ada("POST", "/api/v1/webauthn_verification", nil), 422, "no security devices")
}
