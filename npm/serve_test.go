package npm

// Documents and tarballs: forms, conditions, addresses.

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"larder/internal/rawjson"
	"larder/internal/wire"
	"larder/internal/wiretest"
	"larder/npm/archive"
	"larder/store"
)

// TestGoldenPackuments: the documents of one package in full, byte for byte.
func TestGoldenPackuments(t *testing.T) {
	at := func(day int) time.Time { return time.Date(2026, 1, day, 3, 4, 5, 6_000_000, time.UTC) }
	latest := object(`{"name":"@acme/demo","version":"1.0.0","description":"It's \"quoted\" ` +
		`<ok>","license":"MIT","dependencies":{"a":"^1.0.0"},"_id":"@acme/demo@1.0.0"}`)
	pre := object(`{"name":"@acme/demo","version":"2.0.0-rc.1","_id":"@acme/demo@2.0.0-rc.1"}`)
	p := &packument{
		Name: "@acme/demo", Rev: "7-0123", Created: at(1), Modified: at(9), Owners: []string{"ada", "bob"},
		Stars: []string{"cleo"}, Latest: latest,
		Tags: []store.Tag{{Name: "latest", Version: "1.0.0"}, {Name: `odd "tag"`, Version: "2.0.0-rc.1"}}, Readme: "# Demo\n",
		ReadmeName: "README.md",
		Fragments: []fragment{
			{
				ID: "2.0.0-rc.1", Published: at(2), File: "demo-2.0.0-rc.1.tgz", Full: inner(pre.Encode()),
				Short: inner(archive.Short(pre).Encode()), Dist: `"integrity":"sha512-b"`, Deprecated: "use 1.0.0", By: "bob",
			},
			{
				ID: "1.0.0", Published: at(3), File: "demo-1.0.0.tgz", Full: inner(latest.Encode()),
				Short: inner(archive.Short(latest).Encode()), Dist: `"integrity":"sha512-a"`,
				Predicate: "https://slsa.dev/provenance/v1", By: "ada",
			},
		},
	}
	for name, got := range map[string][]byte{
		"full.json": p.full("https://registry.example.com/npm"), "short.json": p.short("https://registry.example.com/npm"),
	} {
		wiretest.Golden(t, name, string(got))
		if _, err := rawjson.Parse(got); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for i := range p.Fragments {
		f := &p.Fragments[i]
		again, err := decodeFragment(f.key(), f.encode())
		if err != nil || fmt.Sprint(again) != fmt.Sprint(*f) {
			t.Errorf("%v\n%v %v", again, *f, err)
		}
		if _, err := decodeFragment(f.key(), f.encode()[:20]); err == nil {
			t.Error("half a fragment")
		}
	}
}

// TestFormsAreCachedApart: forms never share a tag, a 304 says what the 200 said, nothing has a lifetime,
// and time is complete.
func TestFormsAreCachedApart(t *testing.T) {
	g := newRig(t)
	g.publish("demo", "1.0.0", "1.1.0")
	short := wiretest.Header("Accept", typeShort)
	full := g.Want(g.Do("GET", "/demo", nil), 200, "")
	abbreviated := g.Want(g.Do("GET", "/demo", nil, short), 200, "")
	if full.Header.Get("ETag") == abbreviated.Header.Get("ETag") || full.Header.Get("Last-Modified") != "" {
		t.Errorf("%v\n%v", full, abbreviated)
	}
	g.Want(g.Do("GET", "/demo", nil, wiretest.Header("If-None-Match", abbreviated.Header.Get("ETag"))), 200, `"_rev"`)
	g.Want(g.Do("GET", "/demo?write=true", nil, wiretest.Header("If-None-Match", abbreviated.Header.Get("ETag"))), 200,
		`"_rev"`)
	g.Want(g.Do("GET", "/demo", nil,
		wiretest.Header("If-Modified-Since", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))), 200, "")
	a := g.Want(g.Do("GET", "/demo", nil, wiretest.Header("If-None-Match", full.Header.Get("ETag"))), 304, "")
	for _, name := range []string{"ETag", "Vary", "Cache-Control"} {
		if wiretest.JSON(a.Header.Values(name)) != wiretest.JSON(full.Header.Values(name)) || a.Header.Get(name) == "" {
			t.Errorf("%s: %q in the 304, %q in the 200", name, a.Header.Values(name), full.Header.Values(name))
		}
	}
	if v := strings.Join(full.Header.Values("Vary"), ", "); v != "Accept, Accept-Encoding" ||
		full.Header.Get("Cache-Control") != "no-cache" {
		t.Errorf("%v", full)
	}
	if c := g.Ada("GET", "/demo", nil).Header.Get("Cache-Control"); c != "private, no-cache" {
		t.Error(c)
	}
	for _, a := range []answer{full, abbreviated} {
		for _, v := range []string{"1.0.0", "1.1.0"} {
			if wiretest.At(a.Object(t), "time", v) == nil {
				t.Errorf("no time of %s", v)
			}
		}
	}
	// A publish is visible at once, with another tag.
	g.publish("demo", "1.2.0")
	g.Want(g.Do("GET", "/demo", nil, wiretest.Header("If-None-Match", full.Header.Get("ETag"))), 200, "1.2.0")
	// Encodings have tags of their own; unknown ones are ignored.
	tags := map[string]bool{}
	for _, enc := range []string{"gzip", "zstd", "br", "gzip/deflate"} {
		a := g.Want(g.Do("GET", "/demo", nil, wiretest.Header("Accept-Encoding", enc)), 200, "")
		if e := a.Header.Get("Content-Encoding"); e != "" && e != enc || e == "" && (enc == "gzip" || enc == "zstd") {
			t.Errorf("%s: %v", enc, a.Header)
		}
		tags[a.Header.Get("ETag")] = true
	}
	if len(tags) != 3 {
		t.Errorf("tags %v", tags)
	}
}

// TestShortFormIsForWhoAsks: the short form only to who names its type, and only for packuments.
func TestShortFormIsForWhoAsks(t *testing.T) {
	g := newRig(t)
	g.publish("demo", "1.0.0")
	for accept, short := range map[string]bool{
		"": false, "application/json": false, "*/*": false, "text/html": false, "application/json, */*": false,
		typeShort: true, typeShort + "; q=1.0, application/json; q=0.8, */*": true,
		"application/json;q=0.8, " + typeShort: true,
	} {
		a := g.Want(g.Do("GET", "/demo", nil, wiretest.Header("Accept", accept)), 200, "")
		if (a.Header.Get("Content-Type") == typeShort) != short || short == strings.Contains(a.Body, `"_id"`) {
			t.Errorf("%q: %v", accept, a)
		}
	}
	for _, path := range []string{"/demo/1.0.0", "/demo/-/demo-1.0.0.tgz", "/-/package/demo/dist-tags", "/-/ping", "/"} {
		g.Want(g.Do("GET", path, nil, wiretest.Header("Accept", typeShort)), 200, "")
	}
}

// TestTarballURLsHaveTheOriginThatWasAsked: every document carries the origin and prefix it was asked under, and every
// spelling of a tarball's path is served.
func TestTarballURLsHaveTheOriginThatWasAsked(t *testing.T) {
	g := newRig(t)
	g.publish("@sc/demo", "1.0.0")
	proxied, err := wire.NewBase("", []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")})
	if err != nil {
		t.Fatal(err)
	}
	public, err := wire.NewBase("https://registry.example.com/larder", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		base   *wire.Base
		header []string
		path   string
		want   string
	}{
		{proxied, nil, "", "http://one.example.com/npm"},
		{
			proxied,
			[]string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "two.example.com", "X-Forwarded-Prefix", "/repo"}, "",
			"https://two.example.com/repo/npm",
		},
		{public, []string{"X-Forwarded-Host", "evil.example.com"}, "/js", "https://registry.example.com/larder/js"},
	} {
		h := New(wire.Deps{Store: g.Store, Auth: g.Auth, Base: c.base, Path: c.path}, Options{}).Handler
		for _, form := range []string{"", typeShort} {
			r := httptest.NewRequest("GET", "http://one.example.com/npm/@sc%2fdemo", nil)
			r.RemoteAddr = "127.0.0.1:1"
			r.Header.Set("Accept", form)
			wiretest.Header(c.header...)(r)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if !strings.Contains(w.Body.String(), `"tarball":"`+c.want+`/@sc/demo/-/demo-1.0.0.tgz"`) {
				t.Errorf("%s: %s", c.want, w.Body)
			}
		}
	}
	for _, path := range []string{
		"/@sc/demo/-/demo-1.0.0.tgz", "/@sc%2fdemo/-/demo-1.0.0.tgz", "/@sc%2Fdemo/-/demo-1.0.0.tgz",
		"/@sc/demo/-/@sc/demo-1.0.0.tgz",
	} {
		a := g.Want(g.Do("GET", path, nil, wiretest.Header("Accept-Encoding", "gzip, zstd")), 200, "")
		if a.Header.Get("Content-Type") != "application/octet-stream" || a.Header.Get("Content-Encoding") != "" ||
			a.Header.Get("Content-Length") != fmt.Sprint(len(a.Body)) ||
			a.Header.Get("Cache-Control") != "public, max-age=31536000, immutable" ||
			!strings.HasPrefix(a.Header.Get("ETag"), `"sha256:`) {
			t.Errorf("%s: %v", path, a.Header)
		}
		head := g.Want(g.Do("HEAD", path, nil), 200, "")
		if head.Body != "" || head.Header.Get("Content-Length") != a.Header.Get("Content-Length") {
			t.Errorf("HEAD %s: %v", path, head)
		}
		g.Want(g.Do("GET", path, nil, wiretest.Header("If-None-Match", a.Header.Get("ETag"))), 304, "")
	}
	g.Want(g.Do("GET", "/@sc/demo/-/demo-9.9.9.tgz", nil), 404, "file not found")
}

// TestOddHostIsInNoDocument: an odd Host gets no place in a document.
func TestOddHostIsInNoDocument(t *testing.T) {
	g := newRig(t)
	g.publish("demo", "1.0.0")
	for _, host := range []string{`evil"host`, "a b", "x/y", "a@b"} {
		r := httptest.NewRequest("GET", "/npm/demo", nil)
		r.Host = host
		w := httptest.NewRecorder()
		base, err := wire.NewBase("", nil)
		if err != nil {
			t.Fatal(err)
		}
		New(wire.Deps{Store: g.Store, Auth: g.Auth, Base: base}, Options{}).Handler.ServeHTTP(w, r)
		if strings.Contains(w.Body.String(), host) || !strings.Contains(w.Body.String(), "http://localhost/npm/demo/-/") {
			t.Errorf("%q: %s", host, w.Body)
		}
	}
}

// TestLargeTarball takes the way over a file instead of memory.
func TestLargeTarball(t *testing.T) {
	g := newRig(t)
	r := newRelease("demo", "1.0.0")
	pad := make([]byte, 300_000)
	for i := range pad {
		pad[i] = byte(i * i >> 3)
	}
	r.files["noise"] = base64.StdEncoding.EncodeToString(pad)
	g.Want(g.put("ada", r), 201, "")
	if a := g.Want(g.Do("GET", "/demo/-/demo-1.0.0.tgz", nil), 200, ""); a.Body != string(r.tarball) {
		t.Error("other bytes came back")
	}
	g.Want(g.Do("GET", "/demo/-/demo-1.0.0.tgz", nil, wiretest.Header("Range", "bytes=0-9")), 206, "")
}

// TestSignaturesAsNpmChecksThem: what audit signatures does: the key by its id, the signature over
// name, version and integrity.
func TestSignaturesAsNpmChecksThem(t *testing.T) {
	g := newRig(t)
	g.publish("@sc/demo", "1.0.0")
	keys := g.Want(g.Do("GET", "/-/npm/v1/keys", nil), 200, `"expires":null`).Object(t)["keys"].([]any)
	der, err := base64.StdEncoding.DecodeString(wiretest.At(keys[0], "key").(string))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(der)
	if len(keys) != 1 || wiretest.At(keys[0], "keyid") != "SHA256:"+base64.StdEncoding.EncodeToString(sum[:]) ||
		wiretest.At(keys[0], "keytype") != "ecdsa-sha2-nistp256" {
		t.Errorf("%v", keys)
	}
	pub, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		t.Fatal(err)
	}
	dist := wiretest.At(g.packument("", "@sc/demo"), "versions", "1.0.0", "dist")
	one := wiretest.At(dist, "signatures").([]any)[0]
	sig, err := base64.StdEncoding.DecodeString(wiretest.At(one, "sig").(string))
	if err != nil || wiretest.At(one, "keyid") != wiretest.At(keys[0], "keyid") {
		t.Fatalf("%v %v", one, err)
	}
	digest := sha256.Sum256([]byte("@sc/demo@1.0.0:" + wiretest.At(dist, "integrity").(string)))
	if !ecdsa.VerifyASN1(pub.(*ecdsa.PublicKey), digest[:], sig) {
		t.Error("the signature is wrong")
	}
	other := sha256.Sum256([]byte("@sc/demo@1.0.1:" + wiretest.At(dist, "integrity").(string)))
	if ecdsa.VerifyASN1(pub.(*ecdsa.PublicKey), other[:], sig) {
		t.Error("the signature is good for another version")
	}
	again := serve(t, g.Store)
	if a := again.Do("GET", "/-/npm/v1/keys", nil); !strings.Contains(a.Body, wiretest.At(keys[0], "keyid").(string)) {
		t.Error("the key changes with a restart")
	}
}

// TestConstantAnswers: the end points that answer a constant.
func TestConstantAnswers(t *testing.T) {
	g := newRig(t)
	g.Want(g.Do("GET", "", nil), 200, `"db_name":"registry"`)
	if a := g.Want(g.Do("GET", "/-/ping?write=true", nil), 200, ""); a.Body != "{}\n" {
		t.Error(a.Body)
	}
	for _, path := range []string{"/-/all", "/-/npm/v1/hooks", "/-/org/acme/user", "/-/stage"} {
		g.Want(g.Do("GET", path, nil), 404, "no such address")
	}
	if a := g.Want(g.Do("DELETE", "/demo", nil), 405, ""); a.Header.Get("Allow") != "GET, HEAD, PUT" {
		t.Errorf("%v", a.Header)
	}
	g.Want(g.Do("GET", "/demo/x%00", nil), 400, "malformed")
}
