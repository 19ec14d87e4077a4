package archive

// What is read of tarballs, and which are refused.

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"larder/internal/problem"
	"larder/internal/rawjson"
	"larder/internal/wiretest"
)

const plainPackage = `{"name":"demo","version":"1.0.0"}`

// pack puts files into package/, but for those with a path of their own after "!".
func pack(files wiretest.Files) []byte {
	all := wiretest.Files{}
	for name, content := range files {
		if own, ok := strings.CutPrefix(name, "!"); ok {
			all[own] = content
		} else {
			all["package/"+name] = content
		}
	}
	return wiretest.TarGz(all)
}

func read(files wiretest.Files) (*Archive, error) { return Read(bytes.NewReader(pack(files))) }

// TestRead: what is computed, whatever the top folder is called.
func TestRead(t *testing.T) {
	p, err := read(wiretest.Files{
		"package.json": plainPackage, "a.js": "12345", "deep/npm-shrinkwrap.json": "{}", "deep/package.json": "{",
	})
	if err != nil || p.Files != 4 || p.Unpacked != int64(len(plainPackage)+5+2+1) || p.Shrinkwrap || p.Gyp ||
		p.Package.Text("name") != "demo" {
		t.Errorf("%+v %v", p, err)
	}
	p, err = read(wiretest.Files{
		"!some-repo-1a2b/package.json": "\ufeff" + plainPackage, "!some-repo-1a2b/npm-shrinkwrap.json": "{}",
		"!some-repo-1a2b/readme": "hi",
	})
	if err != nil || !p.Shrinkwrap || p.Readme != "hi" || p.ReadmeName != "readme" {
		t.Errorf("%+v %v", p, err)
	}
}

// TestInstallScript: no client says it, so it is computed.
func TestInstallScript(t *testing.T) {
	for scripts, want := range map[string]bool{
		`{}`: false, `{"test":"x"}`: false, `{"install":"x"}`: true, `{"preinstall":"x"}`: true, `{"postinstall":"x"}`: true,
		`{"install":""}`: false, `"x"`: false,
	} {
		for gyp, runs := range map[bool]bool{false: want, true: true} {
			files := wiretest.Files{"package.json": `{"name":"demo","version":"1.0.0","scripts":` + scripts + `}`}
			if gyp {
				files["binding.gyp"] = "{}"
			}
			p, err := read(files)
			if err != nil || p.installScript() != runs {
				t.Errorf("%s, binding.gyp %t: %v", scripts, gyp, err)
			}
		}
	}
}

// TestBinIsPlainNamesAndInnerPaths (CVE-2019-16775): every form of bin becomes an object of plain names and
// inner paths, or is refused.
func TestBinIsPlainNamesAndInnerPaths(t *testing.T) {
	for bin, want := range map[string]string{
		`"bin":"./cli.js"`: `{"demo":"cli.js"}`, `"bin":{"a":"x\\y.js","@sc/b":"./z"}`: `{"a":"x/y.js","b":"z"}`,
		`"bin":{}`: "", `"bin":{"a":""}`: "",
		`"directories":{"bin":"./tools"}`: `{"one":"tools/one","two.js":"tools/two.js"}`,
	} {
		p, err := read(wiretest.Files{
			"package.json": `{"name":"@sc/demo","version":"1.0.0",` + bin + `}`, "tools/one": "", "tools/two.js": "",
			"tools/.x": "",
		})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := p.bin(); err != nil || string(got) != want {
			t.Errorf("%s: %s %v", bin, got, err)
		}
	}
	for _, bin := range []string{
		`{"a":"../x"}`, `{"a":"/x"}`, `{"a":"x/../../y"}`, `{"a":"c:\\x"}`, `{"..":"x"}`, `{"a/b":"x"}`, `{"a\\b":"x"}`,
		`{"@sc/../x":"y"}`, `{"c:":"x"}`, `"../x"`,
	} {
		p, err := read(wiretest.Files{"package.json": `{"name":"demo","version":"1.0.0","bin":` + bin + `}`})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := p.bin(); problem.Status(err) != 400 ||
			!strings.Contains(problem.Public(err), "outside of the package") {
			t.Errorf("%s: %s %v", bin, got, err)
		}
	}
}

func FuzzArchive(f *testing.F) {
	f.Add(pack(wiretest.Files{"package.json": plainPackage, "README.md": "x", "binding.gyp": "{}", "bin/x": "y"}))
	f.Add(pack(wiretest.Files{
		"package.json": `{"name":"demo","bin":{"a":"../b"},"scripts":{"install":"x"},"directories":{"bin":"bin"}}`,
	}))
	f.Add(pack(wiretest.Files{"../x": "y"}))
	f.Add([]byte{0x1f, 0x8b})
	f.Fuzz(func(t *testing.T, p []byte) {
		got, err := Read(bytes.NewReader(p))
		if err != nil {
			if s := problem.Status(err); s != 400 && s != 413 {
				t.Fatalf("%v is a %d", err, s)
			}
			return
		}
		m, _, err := got.Manifest(got.Package, "demo", "1.0.0")
		if err != nil {
			return
		}
		again, err := rawjson.Parse(m.Encode())
		if err != nil || again.Text("name") != "demo" || again.Text("version") != "1.0.0" {
			t.Fatalf("%s: %v", m.Encode(), err)
		}
		for _, c := range again.Sub("bin") {
			if strings.ContainsAny(c.Key, `/\`) || !inside(rawjson.TextOf(c.Value)) {
				t.Fatalf("command %q → %s", c.Key, c.Value)
			}
		}
		if keys := Short(again); slices.ContainsFunc(keys, func(f rawjson.Member) bool { return f.Key == "_id" }) {
			t.Fatal("the short form has too much")
		}
	})
}

func TestPeople(t *testing.T) {
	for in, want := range map[string]string{
		`"Al <a@example.com> (https://example.com)"`: `{"name":"Al","email":"a@example.com","url":"https://example.com"}`,
		`"Al (https://example.com)"`:                 `{"name":"Al","url":"https://example.com"}`,
		`"Al"`:                                       `{"name":"Al"}`,
		`{"name": "Al"}`:                             `{"name":"Al"}`,
	} {
		if got := string(person([]byte(in))); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
	if got := string(people([]byte(`["Al", {"name":"Bo"}]`))); got != `[{"name":"Al"},{"name":"Bo"}]` {
		t.Error(got)
	}
}
