package npm

// Publishing: what is accepted, what is refused, what documents show of it.

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"larder/auth"
	"larder/internal/wiretest"
	"larder/npm/archive"
	"larder/npm/names"
	"larder/npm/putdoc"
	"larder/store"
	"larder/store/storetest"
)

// TestDocumentsShowWhatWasPublished: what a version shows, in both forms.
func TestDocumentsShowWhatWasPublished(t *testing.T) {
	g := newRig(t)
	r := newRelease("@sc/demo", "1.0.0", fields{
		"description": "A demo", "bin": "./cli.js", "dependencies": fields{"a": "^1"}, "peerDependencies": fields{"p": "1"},
		"peerDependenciesMeta": fields{"p": fields{"optional": true}}, "scripts": fields{"postinstall": "node x.js"},
		"libc":    []string{"glibc"},
		"exports": fields{".": "./index.js"}, "author": "Al <a@example.com>", "bundledDependencies": []string{"a"},
		"license": "MIT", "funding": "https://example.com",
	})
	r.files["README.md"] = "# Demo"
	r.files["npm-shrinkwrap.json"] = "{}"
	r.manifest = func(m fields) {
		m["_npmUser"], m["maintainers"], m["_resolved"], m["integrity"] = fields{"name": "mallory"}, []any{
			fields{"name": "mallory"},
		}, "/home/ada/x.tgz", "x"
		m["_npmVersion"], m["deprecated"] = "12.0.0", "sneaky"
	}
	g.Want(g.put("ada", r), 201, "")
	doc := g.packument("ada", "@sc/demo")
	v := wiretest.At(doc, "versions", "1.0.0")
	for path, want := range map[string]any{
		"name": "@sc/demo", "version": "1.0.0", "_id": "@sc/demo@1.0.0", "hasInstallScript": true, "_hasShrinkwrap": true,
		"_npmVersion": "12.0.0", "bin/demo": "cli.js", "peerDependenciesMeta/p/optional": true, "exports/.": "./index.js",
		"author/email": "a@example.com", "_npmUser/name": "ada", "dist/tarball": g.Base + "/@sc/demo/-/demo-1.0.0.tgz",
		"dist/fileCount": 4.0, "deprecated": nil, "maintainers": nil, "_resolved": nil, "integrity": nil, "readme": nil,
	} {
		if got := wiretest.At(v, strings.Split(path, "/")...); got != want {
			t.Errorf("%s: %v, want %v", path, got, want)
		}
	}
	if wiretest.At(doc, "readme") != "# Demo" || wiretest.At(doc, "readmeFilename") != "README.md" ||
		wiretest.At(doc, "license") != "MIT" || wiretest.At(doc, "time", "1.0.0") == nil || wiretest.At(doc, "_rev") == nil {
		t.Errorf("%v", doc)
	}
	short := g.Want(g.Do("GET", "/@sc%2fdemo", nil,
		wiretest.Header("Accept", typeShort+"; q=1.0, application/json; q=0.8, */*")), 200, "")
	if short.Header.Get("Content-Type") != typeShort {
		t.Errorf("%v", short)
	}
	sdoc := short.Object(t)
	if got := wiretest.KeysOf(sdoc); !slices.Equal(got, []string{"dist-tags", "modified", "name", "time", "versions"}) {
		t.Errorf("short form has %q", got)
	}
	want := []string{
		"_hasShrinkwrap", "bin", "bundleDependencies", "dependencies", "dist", "funding", "hasInstallScript", "libc", "name",
		"peerDependencies", "peerDependenciesMeta", "version",
	}
	if got := wiretest.KeysOf(wiretest.At(sdoc, "versions", "1.0.0")); !slices.Equal(got, want) {
		t.Errorf("short version has %q", got)
	}
}

// TestRefusedPublishLeavesNothing: what a publish may not be, and that nothing of it stays.
func TestRefusedPublishLeavesNothing(t *testing.T) {
	g := newRig(t)
	for name, c := range map[string]struct {
		status int
		text   string
		change func(*release)
	}{
		"name of document": {400, "is about demo", func(r *release) { r.body = func(d fields) { d["name"] = "other" } }},
		"id of document":   {400, "is about demo", func(r *release) { r.body = func(d fields) { d["_id"] = "other" } }},
		"name of manifest": {
			400, "its manifest about \\\"other", func(r *release) { r.manifest = func(m fields) { m["name"] = "other" } },
		},
		"version of manifest": {
			400, "its manifest about", func(r *release) { r.manifest = func(m fields) { m["version"] = "1.0.1" } },
		},
		"name in tarball": {400, "package.json about other", func(r *release) {
			r.tarball = pack(map[string]string{"package.json": `{"name":"other","version":"1.0.0"}`})
		}},
		"version in tarball": {400, "package.json about demo@2.0.0", func(r *release) {
			r.tarball = pack(map[string]string{"package.json": `{"name":"demo","version":"2.0.0"}`})
		}},
		"case of a key": {
			400, "about demo@1.0.0, but its manifest about",
			func(r *release) { r.manifest = func(m fields) { m["Name"] = m["name"]; delete(m, "name") } },
		},
		"no package.json": {400, "no package.json", func(r *release) { r.tarball = pack(map[string]string{"a": "b"}) }},
		"two package.json": {400, "two files package.json", func(r *release) {
			r.tarball = pack(map[string]string{"package.json": `{"name":"demo","version":"1.0.0"}`, "!other/package.json": "{}"})
		}},
		"package.json no JSON": {
			400, "cannot be used", func(r *release) { r.tarball = pack(map[string]string{"package.json": "{"}) },
		},
		"duplicate in tarball": {400, "twice", func(r *release) {
			r.tarball = pack(map[string]string{"package.json": `{"name":"demo","version":"1.0.0","bin":{"a":"b","a":"c"}}`})
		}},
		"no archive":  {400, "damaged", func(r *release) { r.tarball = []byte("no archive at all") }},
		"cut archive": {400, "damaged", func(r *release) { r.tarball = pack(map[string]string{"package.json": "{}"})[:60] }},
		"path out of archive": {400, "leads outside", func(r *release) {
			r.tarball = pack(map[string]string{"package.json": `{"name":"demo","version":"1.0.0"}`, "../../x": "y"})
		}},
		"bin plants outside":  {400, "leads outside", func(r *release) { r.pkg["bin"] = fields{"x": "../../x"} }},
		"bin absolute":        {400, "leads outside", func(r *release) { r.pkg["bin"] = fields{"x": "/bin/sh"} }},
		"bin name with slash": {400, "leads outside", func(r *release) { r.pkg["bin"] = fields{"../x": "x"} }},
		"bin name backslash":  {400, "leads outside", func(r *release) { r.pkg["bin"] = fields{`..\x`: "x"} }},
		"directories outside": {400, "leads outside", func(r *release) { r.pkg["directories"] = fields{"bin": "../../bin"} }},
		"integrity": {
			400, "integrity is sha512-",
			func(r *release) { r.manifest = func(m fields) { m["dist"] = fields{"integrity": "sha512-AAAA"} } },
		},
		"shasum": {400, "shasum is", func(r *release) {
			r.manifest = func(m fields) { m["dist"] = fields{"shasum": strings.Repeat("0", 40)} }
		}},
		"length": {
			400, "were announced", func(r *release) { r.body = func(d fields) { attachmentOf(d)["length"] = 3 } },
		},
		"no base64": {
			400, "not base64", func(r *release) { r.body = func(d fields) { attachmentOf(d)["data"] = "a*b=" } },
		},
		"cut base64": {
			400, "cut off", func(r *release) { r.body = func(d fields) { attachmentOf(d)["data"] = "YWJjZ" } },
		},
		"padding inside": {
			400, "not base64", func(r *release) { r.body = func(d fields) { attachmentOf(d)["data"] = "YWI=YWJj" } },
		},
		"no data": {
			400, "no data", func(r *release) { r.body = func(d fields) { delete(attachmentOf(d), "data") } },
		},
		"two tarballs": {
			400, "two tarballs",
			func(r *release) { r.body = func(d fields) { d["_attachments"].(fields)["x.tgz"] = attachmentOf(d) } },
		},
		"two versions": {
			400, "has 2", func(r *release) { r.body = func(d fields) { d["versions"].(fields)["2.0.0"] = fields{} } },
		},
		"tag to another": {
			400, "points at", func(r *release) { r.body = func(d fields) { d["dist-tags"] = fields{"latest": "9.9.9"} } },
		},
		"tag like a range": {400, "taken for a version", func(r *release) { r.tag = "1.x" }},
		"__proto__": {
			400, "__proto__", func(r *release) { r.manifest = func(m fields) { m["x"] = fields{"__proto__": 1} } },
		},
		"only provenance": {400, "no tarball", func(r *release) {
			r.body = func(d fields) { d["_attachments"] = fields{"x.sigstore": fields{"data": "{}"}} }
		}},
		"foreign provenance": {400, "provenance", func(r *release) {
			r.body = func(d fields) { d["_attachments"].(fields)["x.sigstore"] = fields{"data": "{}"} }
		}},
		"nothing": {
			400, "nothing to publish",
			func(r *release) { r.body = func(d fields) { delete(d, "_attachments"); delete(d, "versions") } },
		},
		"more after the end":    {400, "", nil},
		"an array":              {400, "", nil},
		"version with metadata": {400, "build metadata", nil},
		"no version":            {400, "not a semantic version", nil},
	} {
		t.Run(name, func(t *testing.T) {
			g := g.in(t)
			r := newRelease("demo", "1.0.0")
			switch name {
			case "version with metadata":
				r = newRelease("demo", "1.0.0+x")
			case "no version":
				r = newRelease("demo", "1.0")
			}
			if c.change != nil {
				c.change(r)
			}
			body := wiretest.JSON(r.document())
			switch name {
			case "more after the end":
				body += "x"
			case "an array":
				body = "[" + body + "]"
			}
			g.Want(g.Ada("PUT", "/demo", body), c.status, c.text)
			g.Want(g.Ada("GET", "/demo", nil), 404, "package not found")
		})
	}
}

func attachmentOf(d fields) fields {
	for _, a := range d["_attachments"].(fields) {
		return a.(fields)
	}
	return nil
}

// TestTarballMayComeFirst: the tarball may come before what describes it (yarn 4), and in any pieces.
func TestTarballMayComeFirst(t *testing.T) {
	g := newRig(t)
	for i, keys := range [][]string{
		{"_attachments", "versions", "name", "_id", "dist-tags"}, {"versions", "_attachments", "dist-tags"},
		{"dist-tags", "_id", "versions", "_attachments"},
	} {
		r := newRelease("demo", fmt.Sprintf("1.0.%d", i))
		r.files["big"] = strings.Repeat("incompressible? no, but long ", 20_000)
		d := r.document()
		body := "{"
		for j, k := range keys {
			if j > 0 {
				body += " , "
			}
			body += wiretest.JSON(k) + " :\n" + wiretest.JSON(d[k])
		}
		g.Want(g.Ada("PUT", "/demo", io.Reader(strings.NewReader(body+"}\n"))), 201, "")
		a := g.Want(g.Do("GET", "/demo/-/demo-"+r.version+".tgz", nil), 200, "")
		if a.Body != string(r.tarball) {
			t.Errorf("%q: other bytes came back", keys)
		}
	}
	// An escaped slash in base64 is legal JSON.
	r := newRelease("demo", "2.0.0")
	body := strings.ReplaceAll(wiretest.JSON(r.document()), "/", `\/`)
	g.Want(g.Ada("PUT", "/demo", body), 201, "")
}

// TestSameBytesAgainAreASuccess: the same bytes again are a success, for clients that lost the first
// answer; others are refused.
func TestSameBytesAgainAreASuccess(t *testing.T) {
	g := newRig(t)
	g.publish("demo", "1.0.0")
	before := g.packument("ada", "demo")
	g.publish("demo", "1.0.0")
	if after := g.packument("ada", "demo"); after["_rev"] != before["_rev"] {
		t.Error("publishing the same again has changed something")
	}
	r := newRelease("demo", "1.0.0")
	r.files["index.js"] = "other"
	g.Want(g.put("ada", r), 403, "You cannot publish over the previously published versions: 1.0.0.")
}

// TestLostAnswerIsAskedForAgain: the connection breaks after the commit; the client asks again and
// learns that it has worked.
func TestLostAnswerIsAskedForAgain(t *testing.T) {
	g := newRig(t)
	body := wiretest.JSON(newRelease("demo", "1.0.0").document())
	ctx, cancel := context.WithCancel(context.Background())
	r, err := http.NewRequestWithContext(ctx, "PUT", g.Base+"/demo", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	g.As("ada")(r)
	resp, err := g.Srv.Client().Do(r)
	if err == nil {
		resp.Body.Close()
	}
	cancel()
	g.Want(g.Ada("PUT", "/demo", body), 201, "")
}

// TestLatestMovesOnlyWhenAsked: every package has latest, and publishing moves it only when asked to.
func TestLatestMovesOnlyWhenAsked(t *testing.T) {
	g := newRig(t)
	r := newRelease("demo", "1.0.0-rc.1")
	r.tag = "beta"
	g.Want(g.put("ada", r), 201, "")
	r = newRelease("demo", "1.0.0-rc.2")
	r.tag = "beta"
	g.Want(g.put("ada", r), 201, "")
	want := `{"beta":"1.0.0-rc.2","latest":"1.0.0-rc.1"}` + "\n"
	if a := g.Want(g.Do("GET", "/-/package/demo/dist-tags", nil), 200, ""); a.Body != want {
		t.Errorf("%s", a.Body)
	}
}

// TestTarballsManifestIsServed: what installs act on comes from the tarball, and the difference is told.
func TestTarballsManifestIsServed(t *testing.T) {
	confuse := func(version string) *release {
		r := newRelease("demo", version, fields{
			"dependencies": fields{"evil": "1"}, "scripts": fields{"install": "evil"}, "bin": fields{"a": "evil.js"},
		})
		r.manifest = func(m fields) {
			m["dependencies"], m["scripts"], m["bin"] = fields{"good": "1"}, fields{}, fields{"a": "good.js"}
		}
		return r
	}
	g := newRig(t)
	a := g.Want(g.put("ada", confuse("1.0.0")), 201, "")
	if n := a.Header.Get("npm-notice"); !strings.Contains(n, "dependencies, bin, scripts") {
		t.Errorf("notice %q", n)
	}
	v := wiretest.At(g.packument("ada", "demo"), "versions", "1.0.0")
	if wiretest.At(v, "dependencies", "evil") != "1" || wiretest.At(v, "dependencies", "good") != nil ||
		wiretest.At(v, "hasInstallScript") != true || wiretest.At(v, "bin", "a") != "evil.js" {
		t.Errorf("%v", v)
	}
	strict := newRig(t, func(o *rigOptions) { o.npm.StrictManifests = true })
	strict.Want(strict.put("ada", confuse("1.0.0")), 400,
		"differs from the tarball's package.json in dependencies, bin, scripts")
	// What clients normalise is no difference.
	same := newRelease("same", "1.0.0", fields{
		"dependencies": fields{"a": "1", "o": "1"}, "optionalDependencies": fields{"o": "1"}, "bin": "./x.js",
	})
	same.files["binding.gyp"] = "{}"
	same.manifest = func(m fields) {
		m["dependencies"], m["scripts"], m["bin"] = fields{"a": "1"}, fields{"install": "node-gyp rebuild"}, fields{
			"same": "x.js",
		}
	}
	strict.Want(strict.put("ada", same), 201, "")
	if v := wiretest.At(strict.packument("ada", "same"), "versions", "1.0.0"); wiretest.At(v, "hasInstallScript") != true {
		t.Errorf("binding.gyp runs code: %v", v)
	}
}

// TestLookAlikesAreRefused: case always, separators unless the operator allows it; the refusal tells
// nothing of private packages.
func TestLookAlikesAreRefused(t *testing.T) {
	g := newRig(t)
	secret := newRelease("left-pad", "1.0.0", restricted)
	g.Want(g.put("ada", secret), 201, "")
	g.User("bob", nil)
	g.Want(g.put("bob", newRelease("left_pad", "1.0.0")), 403, "too similar to one that is taken")
	g.Want(g.put("bob", newRelease("left.pad", "1.0.0")), 403, "too similar")
	g.Want(g.put("bob", newRelease("leftpad", "1.0.0")), 201, "")
	g.Want(g.put("bob", newRelease("LeftPad", "1.0.0")), 400, "capital letters")
	g.Want(g.put("bob", newRelease("@sc/left_pad", "1.0.0")), 201, "")
	open := newRig(t, func(o *rigOptions) { o.npm.AnyName = true })
	open.publish("JSONStream", "1.0.0")
	open.Want(open.put("ada", newRelease("jsonstream", "1.0.0")), 403, "too similar")
	open.publish("string_decoder", "1.0.0")
	open.publish("string-decoder", "1.0.0")
	// A name that was given up is free.
	open.Want(open.Ada("DELETE", "/JSONStream/-rev/"+open.rev("JSONStream"), nil), 200, "")
	open.publish("jsonstream", "1.0.0")
}

// rev is a package's revision.
func (g *rig) rev(name string) string {
	g.T.Helper()
	return fmt.Sprint(g.packument("ada", name)["_rev"])
}

// TestDeviceNamesAreNames: names that are special on some systems are names like others, each with its own bytes.
func TestDeviceNamesAreNames(t *testing.T) {
	g := newRig(t)
	for _, name := range []string{"nul", "nul.a", "nul.b", "con", "aux", "constructor", "toString", "hasownproperty"} {
		if names.CheckNew(name) == nil {
			g.publish(name, "1.0.0")
		}
	}
	for _, name := range []string{"nul.a", "nul.b", "constructor"} {
		if p := g.packument("", name); p["name"] != name {
			t.Errorf("%s: %v", name, p["name"])
		}
	}
}

// TestLimits: bodies beyond the limit are a 413, whether announced or not.
func TestLimits(t *testing.T) {
	g := newRig(t, func(o *rigOptions) { o.npm.MaxTarball = 4 << 10 })
	r := newRelease("demo", "1.0.0")
	r.tarball = bytes.Repeat([]byte("x"), 8<<10)
	g.Want(g.put("ada", r), 413, "larger than 4096 bytes")
	big := newRelease("demo", "1.0.0")
	big.manifest = func(m fields) { m["x"] = strings.Repeat("x", putdoc.MaxManifest) }
	g.Want(g.put("ada", big), 413, "more than")
	g.Want(g.Ada("PUT", "/demo", `{"versions":`+strings.Repeat(`{"a":`, 100)), 400, "nested")
	quota := newRig(t, func(o *rigOptions) {
		rules := store.NewRules(store.RulesConfig{Quotas: []store.Quota{{Kind: store.NPM, Bytes: 100}}})
		o.Store = append(o.Store, storetest.WithPolicies(rules))
	})
	quota.Want(quota.put("ada", newRelease("demo", "1.0.0")), 413, "")
}

// TestArchiveBombsAreRefused: small uploads that unpack to much, or deeply, are refused before they cost anything.
func TestArchiveBombsAreRefused(t *testing.T) {
	g := newRig(t)
	many := wiretest.Files{"package.json": wiretest.JSON(fields{"name": "demo", "version": "1.0.0"})}
	for i := range 100_001 {
		many[fmt.Sprintf("f%d", i)] = ""
	}
	for what, c := range map[string]struct {
		status int
		files  wiretest.Files
	}{
		"entries": {413, many},
		"package.json": {
			413, wiretest.Files{"package.json": `{"name":"demo","version":"1.0.0","x":"` + strings.Repeat("x", 1<<20) + `"}`},
		},
		"nesting": {
			400,
			wiretest.Files{
				"package.json": `{"name":"demo","version":"1.0.0","x":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`,
			},
		},
	} {
		r := newRelease("demo", "1.0.0")
		if r.tarball = pack(c.files); len(r.tarball) > 2<<20 {
			t.Fatalf("%s: %d bytes are no bomb", what, len(r.tarball))
		}
		g.Want(g.put("ada", r), c.status, "")
	}
	deep := newRelease("demo", "1.0.0")
	g.Want(g.Ada("PUT", "/demo",
		strings.Replace(wiretest.JSON(deep.document()), `"_id"`,
			`"x":`+strings.Repeat("[", 100)+strings.Repeat("]", 100)+`,"_id"`, 1)), 400, "nested")
	g.Want(g.Do("GET", "/demo", nil), 404, "")
}

// TestLargeParts: manifests, READMEs and provenance beyond 16 KiB live in blobs and come back whole.
func TestLargeParts(t *testing.T) {
	g := newRig(t)
	r := newRelease("demo", "1.0.0", fields{
		"exports":      fields{"x": strings.Repeat("e", 20<<10)},
		"dependencies": fields{strings.Repeat("d", 200): strings.Repeat("1", 20<<10)},
	})
	r.files["README"] = strings.Repeat("r", 70<<10)
	g.Want(g.put("ada", r), 201, "")
	g.publish("demo", "1.0.1")
	for range 2 {
		doc := g.packument("ada", "demo")
		v := wiretest.At(doc, "versions", "1.0.0")
		if wiretest.At(v, "exports", "x") != strings.Repeat("e", 20<<10) || wiretest.At(v, "dist", "tarball") == nil {
			t.Error("the manifest is not whole")
		}
		g.Want(g.Ada("PUT", "/-/package/demo/dist-tags/latest", `"1.0.0"`), 201, "")
	}
	if doc := g.packument("ada", "demo"); len(fmt.Sprint(doc["readme"])) != archive.MaxReadme {
		t.Errorf("README of %d bytes", len(fmt.Sprint(doc["readme"])))
	}
	if v := g.Want(g.Do("GET", "/demo/1.0.0", nil), 200, "").Object(t); wiretest.At(v, "exports", "x") == nil {
		t.Error("the version is not whole")
	}
}

// TestProvenanceIsKeptAndServed: a bundle is kept when it is about this tarball, and served.
func TestProvenanceIsKeptAndServed(t *testing.T) {
	g := newRig(t)
	r := newRelease("@sc/demo", "1.0.0")
	r.body = func(d fields) {
		sum := wiretest.At(map[string]any(d["versions"].(fields)["1.0.0"].(fields)["dist"].(fields)), "integrity").(string)
		raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(sum, "sha512-"))
		if err != nil {
			t.Fatal(err)
		}
		statement := wiretest.JSON(fields{
			"predicateType": "https://slsa.dev/provenance/v1",
			"subject":       []fields{{"digest": fields{"sha512": fmt.Sprintf("%x", raw)}}},
		})
		bundle := fields{
			"mediaType":    "application/vnd.dev.sigstore.bundle.v0.3+json",
			"dsseEnvelope": fields{"payload": base64.StdEncoding.EncodeToString([]byte(statement))},
			"pad":          strings.Repeat("p", 20<<10),
		}
		d["_attachments"].(fields)["@sc/demo-1.0.0.sigstore"] = fields{"content_type": "x", "data": wiretest.JSON(bundle)}
	}
	g.Want(g.put("ada", r), 201, "")
	v := wiretest.At(g.packument("ada", "@sc/demo"), "versions", "1.0.0", "dist", "attestations")
	if wiretest.At(v, "url") != g.Base+"/-/npm/v1/attestations/@sc%2fdemo@1.0.0" ||
		wiretest.At(v, "provenance", "predicateType") != "https://slsa.dev/provenance/v1" {
		t.Errorf("%v", v)
	}
	a := g.Want(g.Do("GET", fmt.Sprint(wiretest.At(v, "url")), nil), 200, "")
	list, _ := a.Object(t)["attestations"].([]any)
	if len(list) != 1 || wiretest.At(list[0], "predicateType") != "https://slsa.dev/provenance/v1" ||
		wiretest.At(list[0], "bundle", "dsseEnvelope", "payload") == nil {
		t.Errorf("%.300s", a.Body)
	}
	g.publish("plain", "1.0.0")
	g.Want(g.Do("GET", "/-/npm/v1/attestations/plain@1.0.0", nil), 404, "version not found")
}

// TestConcurrentPublishesAllSurvive: different versions at the same time all survive.
func TestConcurrentPublishesAllSurvive(t *testing.T) {
	g := newRig(t)
	const n = 8
	results := make(chan answer, n)
	for i := range n {
		go func() {
			r := newRelease("demo", fmt.Sprintf("1.0.%d", i))
			results <- g.put("ada", r)
		}()
	}
	for range n {
		if a := <-results; a.Status != 201 {
			t.Error(a)
		}
	}
	if got := wiretest.KeysOf(g.packument("ada", "demo")["versions"]); len(got) != n {
		t.Errorf("%q", got)
	}
}

// TestPublishFaults: at each durable step "failed" and "failed, but persisted"; a second try always ends well.
func TestPublishFaults(t *testing.T) {
	body := wiretest.JSON(func() fields {
		r := newRelease("demo", "1.0.0", fields{"exports": fields{"x": strings.Repeat("e", 20<<10)}})
		return r.document()
	}())
	publish := func(t *testing.T, s *store.Store) error {
		g := serve(t, s)
		if a := g.Do("PUT", "/demo", body, wiretest.Basic("ada", "secret")); a.Status != 201 {
			return errors.New(a.String())
		}
		return nil
	}
	prepare := func(t *testing.T, s *store.Store) {
		g := serve(t, s)
		g.User("ada", nil)
		if _, err := s.Secret(context.Background(), "npm.sign", 32); err != nil {
			t.Fatal(err)
		}
	}
	storetest.BrokenAt(t, prepare, publish, func(t *testing.T, dir string, err error) {
		g := serve(t, storetest.Open(t, dir))
		g.Key("ada2", auth.TokenSpec{User: "ada"})
		there := g.Do("GET", "/demo", nil).Status
		if err == nil && there != 200 {
			t.Errorf("a publish that was confirmed is lost: %d", there)
		}
		if a := g.Do("PUT", "/demo", body, g.As("ada2")); a.Status != 201 {
			t.Errorf("the second try: %v", a)
		}
		doc := g.Want(g.Do("GET", "/demo", nil), 200, "").Object(t)
		if got := wiretest.KeysOf(doc["versions"]); len(got) != 1 {
			t.Errorf("%q", got)
		}
		g.Want(g.Do("GET", "/demo/-/demo-1.0.0.tgz", nil), 200, "")
		g.checkFragments()
	})
}

// TestPublishCost: what a publish allocates does not depend on how many versions there are.
func TestPublishCost(t *testing.T) {
	g := newRig(t)
	fillPackage(t, g.Store, "small", 10)
	fillPackage(t, g.Store, "large", 5000)
	i := 0
	cost := func(name string) float64 {
		return testing.AllocsPerRun(10, func() {
			i++
			g.Want(g.put("ada", newRelease(name, fmt.Sprintf("99.0.%d", i))), 201, "")
		})
	}
	cost("small")
	if small, large := cost("small"), cost("large"); large > 2*small {
		t.Errorf("%.0f allocations with 10 versions, %.0f with 5000", small, large)
	}
}
