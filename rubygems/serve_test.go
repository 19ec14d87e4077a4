package rubygems

import (
	"bytes"
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
	"larder/internal/rubymarshal/marshaltest"
	"larder/rubygems/version"
	"larder/store/storetest"
)

// TestA4_Info: the line of every sort of version, in the order of publishing, byte for byte.
func TestA4_Info(t *testing.T) {
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
	sum := func(r *release) string { s := sha256.Sum256(r.build()); return hex.EncodeToString(s[:]) }
	want := "---\n1.0.0 |checksum:" + sum(plain) + ",created_at:2026-01-02T03:04:05Z\n" +
		"1.1.0-x86_64-linux rack:< 4&>= 2.0,zlib:>= 0|checksum:" + sum(rich) + ",ruby:< 3.4.dev&>= 3.0,rubygems:>= 3.3.22,created_at:2026-01-02T03:05:05Z\n"
	if a := g.get("/info/demo"); a.Body != want {
		t.Errorf("%s", a.Body)
	}
	g.want(g.Do("GET", "/info/other", nil), 404, "This gem could not be found.")
}

// TestA3_Versions: one line for each change, with the md5 of /info as it is then.
func TestA3_Versions(t *testing.T) {
	g := newRig(t)
	if a := g.get("/versions"); a.Body != "created_at: 1970-01-01T00:00:00Z\n---\n" {
		t.Errorf("%q", a.Body)
	}
	if a := g.get("/names"); a.Body != "---\n\n" {
		t.Errorf("%q", a.Body)
	}
	var want []string
	note := func(versions string) {
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
	if a := g.get("/versions"); !slices.Equal(lines(a), want) || !strings.HasSuffix(want[3], "6105347ebb9825ac754615ca55ff3b0c") {
		t.Errorf("%q\n%q", lines(a), want)
	}
	if a := g.get("/info/demo"); a.Body != "---\n" {
		t.Errorf("a gem whose versions are all yanked: %q", a.Body)
	}
	if a := g.get("/names"); a.Body != "---\n\n" {
		t.Errorf("%q", a.Body)
	}
}

// TestH3_Property: under random pushes and yanks every answer continues the one before, each gem's last md5 is that of
// its /info, and a client that asks for the rest, as Bundler does, always ends with the whole.
func TestH3_Property(t *testing.T) {
	g := newRig(t)
	rnd := rand.New(rand.NewPCG(1, 2))
	held := g.get("/versions").Body
	fetch := func() string {
		a := g.Do("GET", "/versions", nil, header("Range", fmt.Sprintf("bytes=%d-", len(held)-1), "If-None-Match", ledger.Tag([]byte(held))))
		switch a.Status {
		case 304:
			return held
		case 206:
			return held[:len(held)-1] + a.Body
		}
		return g.want(a, 200, "").Body
	}
	live := map[string][]string{}
	for i := range 60 {
		name := fmt.Sprintf("gem%d", rnd.IntN(5))
		if n := len(live[name]); n > 0 && rnd.IntN(3) == 0 {
			at := rnd.IntN(n)
			number, platform := version.Split(live[name][at])
			g.want(g.yank("ada", name, number, platform), 200, "")
			live[name] = slices.Delete(live[name], at, at+1)
		} else {
			id := version.ID(fmt.Sprintf("%d.%d", i, rnd.IntN(3)+1), []string{"ruby", "java", "x86_64-linux-musl"}[rnd.IntN(3)])
			g.publish(name, id)
			live[name] = append(live[name], id)
		}
		now := g.get("/versions").Body
		if i > 0 && !strings.HasPrefix(now, held) {
			t.Fatalf("the list does not continue\n%s\n%s", held, now)
		}
		if i == 0 {
			held = now // nothing but the preamble before, which had another time
		}
		if held = fetch(); held != now {
			t.Fatalf("in parts: %q, whole: %q", held, now)
		}
		if i%10 == 0 {
			g.checkIndexes()
		}
	}
	// A shorter list: the part does not fit, its digest says so, and the whole is there.
	g.User("root", nil, true)
	g.want(g.Do("POST", "/api/v1/larder/compact", nil, g.As("root")), 200, "size")
	a := g.Do("GET", "/versions", nil, header("Range", fmt.Sprintf("bytes=%d-", len(held)-1), "If-None-Match", ledger.Tag([]byte(held))))
	g.want(a, 200, "created_at")
	for name, ids := range live {
		n := 0
		for _, line := range lines(a) {
			if f := strings.Fields(line); f[0] == name {
				n++
				if got := strings.Split(f[1], ","); len(got) != len(ids) || f[2] != strings.Trim(g.get("/info/"+name).Header.Get("ETag"), `"`) {
					t.Errorf("%s: %q, want %q", name, line, ids)
				}
			}
		}
		if n != min(len(ids), 1) {
			t.Errorf("%s has %d lines", name, n)
		}
	}
	if a := g.get("/versions"); !slices.IsSorted(lines(a)) {
		t.Errorf("not in the order of names: %q", lines(a))
	}
	g.publish("gem0", "99.0")
}

// TestH1_Conditions: the rules of conditional and partial requests, on all three documents of the compact index.
func TestH1_Conditions(t *testing.T) {
	g := newRig(t)
	for i := range 30 {
		g.publish("demo", fmt.Sprintf("1.0.%d", i))
		g.publish(fmt.Sprintf("other%d", i), "1.0")
	}
	const ruby = "gzip;q=1.0,deflate;q=0.6,identity;q=0.3"
	for _, path := range []string{"/versions", "/info/demo", "/names"} {
		whole := g.get(path)
		etag, size := whole.Header.Get("ETag"), len(whole.Body)
		digest := whole.Header.Get("Repr-Digest")
		for name, want := range map[string]string{"Accept-Ranges": "bytes", "Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-cache", "Vary": "Accept-Encoding", "Content-Length": fmt.Sprint(size)} {
			if whole.Header.Get(name) != want {
				t.Errorf("%s: %s %q", path, name, whole.Header.Get(name))
			}
		}
		// What is the same comes before what is a part.
		for _, tag := range []string{etag, strings.Trim(etag, `"`), "W/" + etag, `"x", ` + etag} {
			a := g.Do("GET", path, nil, header("If-None-Match", tag, "Range", fmt.Sprintf("bytes=%d-", size-1)))
			if a = g.want(a, 304, ""); a.Header.Get("ETag") != etag || a.Body != "" || a.Header.Get("Repr-Digest") != digest {
				t.Errorf("%s: %v", path, a)
			}
		}
		for spec, want := range map[string][2]int{
			fmt.Sprintf("bytes=%d-", size-1): {size - 1, size}, "bytes=10-": {10, size}, "bytes=3-5": {3, 6}, "bytes=-7": {size - 7, size}, fmt.Sprintf("bytes=5-%d", size*2): {5, size}, "bytes=-999999999": {0, size},
		} {
			a := g.want(g.Do("GET", path, nil, header("Range", spec, "If-None-Match", `"other"`, "Accept-Encoding", ruby)), 206, "")
			if a.Body != whole.Body[want[0]:want[1]] || a.Header.Get("Content-Range") != fmt.Sprintf("bytes %d-%d/%d", want[0], want[1]-1, size) ||
				a.Header.Get("ETag") != etag || a.Header.Get("Repr-Digest") != digest || a.Header.Get("Digest") == "" || a.Header.Get("Content-Encoding") != "" {
				t.Errorf("%s %s: %v", path, spec, a)
			}
		}
		// Never a 416, and never gzip together with a range: the whole, as it is.
		for _, spec := range []string{fmt.Sprintf("bytes=%d-", size), "bytes=99999999999-", "bytes=5-3", "bytes=-0", "bytes=1-2,4-5", "lines=1-", "bytes=x-", "bytes=-", "bytes=99999999999999999999-"} {
			a := g.want(g.Do("GET", path, nil, header("Range", spec, "Accept-Encoding", ruby)), 200, "")
			if a.Body != whole.Body || a.Header.Get("Content-Encoding") != "" || a.Header.Get("Content-Range") != "" {
				t.Errorf("%s %s: %v", path, spec, a)
			}
		}
		g.want(g.Do("GET", path, nil, header("Range", "bytes=1-", "If-Range", etag)), 206, "")
		g.want(g.Do("GET", path, nil, header("Range", "bytes=1-", "If-Range", `"other"`)), 200, "")
		// gzip for Ruby's own header only; the tag and the digest stay those of the identity bytes.
		for accept, packed := range map[string]bool{ruby: true, "gzip, deflate, br": true, "gzip": false, "identity": false, "gzip;q=0, identity": false, "gzip;q=0.0,x": false, "": false} {
			a := g.want(g.Do("GET", path, nil, header("Accept-Encoding", accept)), 200, "")
			if path == "/names" || len(whole.Body) < 1024 {
				packed = a.Header.Get("Content-Encoding") == "gzip"
			}
			if got := a.Header.Get("Content-Encoding") == "gzip"; got != packed || a.Header.Get("ETag") != etag || a.Header.Get("Repr-Digest") != digest || a.Header.Get("Vary") != "Accept-Encoding" {
				t.Errorf("%s, %q: %v", path, accept, a.Header)
			}
			if packed && gunzip(t, a.Body) != whole.Body {
				t.Errorf("%s: other bytes in gzip", path)
			}
		}
		head := g.want(g.Do("HEAD", path, nil, header("Range", "bytes=1-")), 200, "")
		if head.Body != "" || head.Header.Get("Content-Length") != fmt.Sprint(size) || head.Header.Get("ETag") != etag || head.Header.Get("Repr-Digest") != digest {
			t.Errorf("HEAD %s: %v", path, head)
		}
		if a := g.Ada("GET", path, nil); a.Header.Get("Cache-Control") != "private, no-cache" {
			t.Errorf("%v", a.Header)
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

// TestPackedList: the compressed list is one gzip member, however many segments and appends it is made of.
func TestPackedList(t *testing.T) {
	g := newRig(t)
	fill(t, g.Store, 0, 4700)
	const ruby = "gzip;q=1.0,deflate;q=0.6,identity;q=0.3"
	for i := range 3 {
		whole := g.get("/versions")
		a := g.want(g.Do("GET", "/versions", nil, header("Accept-Encoding", ruby)), 200, "")
		if len(whole.Body) < 256<<10 || a.Header.Get("Content-Encoding") != "gzip" || gunzip(t, a.Body) != whole.Body || a.Header.Get("Content-Length") != fmt.Sprint(len(a.Body)) {
			t.Fatalf("%d bytes, %v", len(whole.Body), a.Header)
		}
		g.publish("demo", fmt.Sprintf("1.%d", i))
	}
}

// readTuples decodes a Marshal index.
func readTuples(t testing.TB, a answer) []string {
	t.Helper()
	v, err := marshaltest.Unmarshal([]byte(gunzip(t, a.Body)), marshaltest.Limits{})
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

// TestA6_Indexes: which version is in which of the Marshal indexes.
func TestA6_Indexes(t *testing.T) {
	g := newRig(t)
	for path, want := range map[string][]string{"/specs.4.8.gz": nil, "/latest_specs.4.8.gz": nil, "/prerelease_specs.4.8.gz": nil} {
		if got := readTuples(t, g.want(g.Do("GET", path, nil), 200, "")); !slices.Equal(got, want) {
			t.Errorf("%s: %q", path, got)
		}
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
		if got := readTuples(t, a); !slices.Equal(got, want) {
			t.Errorf("%s: %q", path, got)
		}
		if a.Header.Get("Content-Type") != "application/octet-stream" || a.Header.Get("Content-Encoding") != "" {
			t.Errorf("%v", a.Header)
		}
	}
	for _, path := range []string{"/specs.4.8", "/yaml", "/Marshal.4.8.Z", "/quick/b-1.0.gemspec.rz"} {
		g.want(g.Do("GET", path, nil), 404, "no such address")
	}
}

// TestA5_ModifiedSince: clients ask with the second of their download; a push in that second is not lost to them.
func TestA5_ModifiedSince(t *testing.T) {
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
	if got := readTuples(t, g.want(g.Do("GET", "/specs.4.8.gz", nil, since(0)), 200, "")); len(got) != 2 {
		t.Errorf("%q", got)
	}
	clock.Advance(time.Hour)
	g.publish("demo", "1.2")
	g.want(g.Do("GET", "/specs.4.8.gz", nil, since(-time.Second)), 200, "")
	g.want(g.Do("GET", "/specs.4.8.gz", nil, since(time.Second)), 304, "")
}

// TestA5_ModifiedForOthers: gem keeps one copy of an index for all who use a registry's address, and asks with nothing
// but the time of its download. Where not all see the same, who logs in must get another index than the one fetched
// before.
func TestA5_ModifiedForOthers(t *testing.T) {
	for what, o := range map[string]auth.Options{"private names": {Private: []string{"rubygems:gem:secret-*"}}, "login for all": {Anonymous: "none"}} {
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
					if got := readTuples(t, a); len(got) != want || a.Header.Get("Last-Modified") != "" {
						t.Errorf("%s for %s: %q %v", path, actor, got, a.Header)
					}
					g.want(g.Do("GET", path, nil, g.As(actor), header("If-None-Match", a.Header.Get("ETag"))), 304, "")
				}
			}
		})
	}
}

// TestA1_Files: downloads and specifications by every full name, and not once they are yanked.
func TestA1_Files(t *testing.T) {
	g := newRig(t)
	r := newRelease("demo", "1.0")
	r.platform = "x86_64-darwin19"
	g.want(g.push("ada", r), 200, "")
	for _, full := range []string{"demo-1.0-x86_64-darwin19", "demo-1.0-x86_64-darwin-19"} {
		a := g.want(g.Do("GET", "/gems/"+full+".gem", nil), 200, "")
		if a.Body != string(r.build()) || a.Header.Get("Content-Type") != "application/octet-stream" || a.Header.Get("Content-Length") != fmt.Sprint(len(a.Body)) ||
			a.Header.Get("Cache-Control") != "public, max-age=31536000, immutable" {
			t.Errorf("%v", a.Header)
		}
		head := g.want(g.Do("HEAD", "/gems/"+full+".gem", nil), 200, "")
		if head.Body != "" || head.Header.Get("Content-Length") != a.Header.Get("Content-Length") {
			t.Errorf("%v", head)
		}
		q := g.want(g.Do("GET", "/quick/Marshal.4.8/"+full+".gemspec.rz", nil), 200, "")
		if !bytes.HasPrefix([]byte(q.Body), []byte{0x78}) || q.Header.Get("Content-Length") != fmt.Sprint(len(q.Body)) {
			t.Errorf("%v", q)
		}
	}
	for _, path := range []string{"/gems/demo-1.0.gem", "/gems/Demo-1.0-x86_64-darwin19.gem", "/gems/demo-2.0.gem", "/quick/Marshal.4.8/demo-1.0.gemspec.rz"} {
		g.want(g.Do("GET", path, nil), 404, "This version could not be found.")
	}
	g.want(g.yank("ada", "demo", "1.0", "x86_64-darwin19"), 200, "")
	for _, path := range []string{"/gems/demo-1.0-x86_64-darwin19.gem", "/gems/demo-1.0-x86_64-darwin-19.gem", "/quick/Marshal.4.8/demo-1.0-x86_64-darwin19.gemspec.rz"} {
		g.want(g.Do("GET", path, nil), 404, "This version could not be found.")
	}
	keep := newRig(t, func(o *rigOptions) { o.rubygems.ServeYanked = true })
	keep.publish("demo", "1.0")
	keep.want(keep.yank("ada", "demo", "1.0", ""), 200, "")
	keep.want(keep.Do("GET", "/gems/demo-1.0.gem", nil), 200, "")
	keep.want(keep.Do("GET", "/quick/Marshal.4.8/demo-1.0.gemspec.rz", nil), 200, "")
}

// TestLargeFiles: a gem beyond what is kept in memory, and a specification beyond what a row should hold.
func TestLargeFiles(t *testing.T) {
	g := newRig(t)
	r := newRelease("demo", "1.0")
	noise := make([]byte, 200_000)
	rnd := rand.NewChaCha8([32]byte{1})
	if _, err := rnd.Read(noise); err != nil {
		t.Fatal(err)
	}
	r.files["noise"] = base64.StdEncoding.EncodeToString(noise)
	r.more = "description: " + base64.StdEncoding.EncodeToString(noise[:40_000]) + "\n"
	g.want(g.push("ada", r), 200, "")
	if a := g.want(g.Do("GET", "/gems/demo-1.0.gem", nil), 200, ""); a.Body != string(r.build()) {
		t.Error("other bytes came back")
	}
	g.want(g.Do("GET", "/gems/demo-1.0.gem", nil, header("Range", "bytes=0-9")), 206, "")
	a := g.want(g.Do("GET", "/quick/Marshal.4.8/demo-1.0.gemspec.rz", nil), 200, "")
	if len(a.Body) <= registry.MaxInline {
		t.Errorf("%d bytes", len(a.Body))
	}
	for _, path := range []string{"/api/v1/gems/demo.json", "/api/v1/versions/demo.json", "/api/v2/rubygems/demo/versions/1.0.json"} {
		g.want(g.Do("GET", path, nil), 200, base64.StdEncoding.EncodeToString(noise[:20_000])[:20_000])
	}
}

// TestH2_Install: what gem install of RubyGems 3.3.15 asks for, in its order, and what gem search, list and fetch read:
// the compact index is not enough for any of them.
func TestH2_Install(t *testing.T) {
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
	for full, want := range map[string]map[string]string{"demo-1.0": {"base": "runtime", "rake": "development"}, "base-2.1": {}, "base-3.0.pre": {}} {
		if got := quickDependencies(t, g.want(g.Do("GET", "/quick/Marshal.4.8/"+full+".gemspec.rz", nil), 200, "")); !maps.Equal(got, want) {
			t.Errorf("%s depends on %v", full, got)
		}
		g.want(g.Do("GET", "/gems/"+full+".gem", nil), 200, "")
	}
	for index, want := range map[string][]string{"specs": {"base 2.1 ruby", "demo 1.0 ruby"}, "latest_specs": {"base 2.1 ruby", "demo 1.0 ruby"}, "prerelease_specs": {"base 3.0.pre ruby"}} {
		if got := readTuples(t, g.Do("GET", "/"+index+".4.8.gz", nil)); !slices.Equal(got, want) {
			t.Errorf("%s: %q", index, got)
		}
	}
}

// quickDependencies reads a gemspec.rz: what the gem needs, and when.
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
	outer, err := marshaltest.Unmarshal(raw, marshaltest.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	inner, err := marshaltest.Unmarshal(outer.(rubymarshal.Data).Raw, marshaltest.Limits{})
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

// TestA1_Small: what is asked before anything else, and what nobody serves any more.
func TestA1_Small(t *testing.T) {
	g := newRig(t)
	g.want(g.Do("HEAD", "/", nil), 200, "")
	g.want(g.Do("HEAD", "", nil), 200, "")
	g.want(g.Do("HEAD", "/versions", nil), 200, "")
	g.want(g.Do("GET", "/api/v1/dependencies", nil), 404, "no such address")
	g.want(g.Do("GET", "/api/v1/dependencies?gems=a,b", nil), 404, "no such address")
	g.want(g.Do("GET", "/api/v1/dependencies.json?gems=a", nil), 404, "")
	if a := g.want(g.Do("PUT", "/versions", nil), 405, ""); a.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("%v", a.Header)
	}
	g.want(g.Do("GET", "/api/v1/api_key", nil), 410, "gem update --system")
	g.want(g.Do("POST", "/api/v1/webauthn_verification", nil), 401, "")
	g.want(g.Ada("POST", "/api/v1/webauthn_verification", nil), 422, "no security devices")
}
