package manifest

// What is taken of a composer.json, and what is refused.

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"larder/composer/minify"
	"larder/composer/names"
	"larder/internal/problem"
	"larder/internal/rawjson"
	"larder/internal/wiretest"
)

// TestFieldsOfManifest: each field in the one form clients get, and nothing else.
func TestFieldsOfManifest(t *testing.T) {
	m, err := Parse([]byte("\ufeff" + `{"name":"Acme/Demo","version":"v1.2","description":"A \u003cdemo\u003e & \u00e9",
		"type":"Library","keywords":"one","license":"MIT","homepage":"https://example.com",
		"authors":[{"name":"Ada","email":"ada@example.com","twitter":"x"}],
		"support":{"source":"https://git.example.com/a/b"},"funding":[{"type":"x","url":"https://example.com/f"}],
		"require":{"php":">=7","B/c":"^1.0 || ^2.0","ext-json":"*"},"require-dev":{},"conflict":[],
		"provide":{"psr/Log-Implementation":"1.0"},"suggest":{"b/d":"for more"},
		"autoload":{"psr-4":{"A\\":"src/","":["lib","x"]},"files":["f.php"],"exclude-from-classmap":["/Tests/"],"psr-0":[]},
		"include-path":"inc","bin":"./bin/x","extra":{"branch-alias":{"dev-main":"1.x-dev"},"n":[1,2.50,1e3,null,true]},
		"php-ext":{"extension-name":"x"},"abandoned":"b/e","time":"2026-01-02 03:04:05","source":{"type":"git",
		"url":"https://git.example.com/a/b.git","reference":"abc","mirrors":[]},
		"scripts":{"post-install-cmd":"evil"},"repositories":[{"type":"vcs"}],"config":{"x":1},"minimum-stability":"dev",
		"prefer-stable":true,"autoload-dev":{"psr-4":{"T\\":"t"}},"dist":{"url":"https://evil.example.com"},
		"transport-options":{"ssl":{"verify_peer":false}},"installation-source":"x",
		"notification-url":"https://evil.example.com","published-time":"2000-01-01T00:00:00Z","uid":7,
		"version_normalized":"9.9.9.9","default-branch":true,"x":1}`))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"description":"A <demo> & é","keywords":["one"],"homepage":"https://example.com","license":["MIT"],` +
		`"authors":[{"name":"Ada","email":"ada@example.com"}],"source":{"type":"git",` +
		`"url":"https://git.example.com/a/b.git","reference":"abc"},` +
		`"type":"library","support":{"source":"https://git.example.com/a/b"},"funding":[{"type":"x",` +
		`"url":"https://example.com/f"}],"require":{"php":">=7","B/c":"^1.0 || ^2.0","ext-json":"*"},` +
		`"provide":{"psr/Log-Implementation":"1.0"},"suggest":{"b/d":"for more"},` +
		`"autoload":{"psr-4":{"A\\":"src/","":["lib","x"]},"files":["f.php"],"exclude-from-classmap":["/Tests/"],` +
		`"psr-0":[]},"include-path":["inc"],"bin":["./bin/x"],"extra":{"branch-alias":{"dev-main":"1.x-dev"},"n":[1,2.50,` +
		`1e3,null,true]},` +
		`"php-ext":{"extension-name":"x"},"abandoned":"b/e","time":"2026-01-02T03:04:05Z"}`
	if got := string(m.Fields.Encode()); got != want {
		t.Errorf("\n%s\n%s", got, want)
	}
	wiretest.Equal(t, "the name", m.Name, "acme/demo")
	wiretest.Equal(t, "the version", m.Version, "v1.2")
	wiretest.Equal(t, "the repository", m.Summary.Repository, "https://git.example.com/a/b")
	wiretest.EqualJSON(t, "what it provides", m.Summary.Provides, []string{"psr/log-implementation"})
	wiretest.Equal(t, "what to use instead", string(m.Summary.Abandoned), `"b/e"`)
	m, err = Parse([]byte(`{"name":"a/b","bin":["/x","y\\z"],"abandoned":false,"keywords":["a",1],` +
		`"homepage":"javascript:x","time":"soon","extra":[],"description":""}`))
	if err != nil {
		t.Fatal(err)
	}
	wiretest.Equal(t, "the fields", string(m.Fields.Encode()), `{"keywords":["a","1"],"type":"library","bin":["x","y/z"]}`)
}

// TestManifestsThatAreRefused: what would make a client fail for every version of the package.
func TestManifestsThatAreRefused(t *testing.T) {
	for field, want := range map[string]string{
		`"description":1`: "description is not a text", `"description":"__unset"`: "description",
		`"abandoned":"__unset"`: "abandoned", `"keywords":{"a":"b"}`: "keywords", `"keywords":[[]]`: "keywords",
		`"license":7`: "license", `"authors":["Ada"]`: "authors", `"authors":"Ada"`: "authors",
		`"type":"a b"`: "type", `"type":["x"]`: "type", `"support":"x"`: "support", `"support":{"a":1}`: "support",
		`"funding":[1]`: "funding", `"require":["a"]`: "require", `"require":{"a/b":1}`: "require",
		`"require":{"a/b":"foo"}`:   "version constraints",
		`"require":{"a/b":"~>1.0"}`: "require", `"conflict":{"a b":"*"}`: "conflict", `"replace":{"../x":"*"}`: "replace",
		`"suggest":{"a/b":[]}`: "suggest", `"autoload":"x"`: "autoload", `"autoload":{"psr-4":{"A":"src"}}`: "autoload",
		`"autoload":{"psr-4":["x"]}`: "autoload", `"autoload":{"files":[1,{}]}`: "autoload",
		`"extra":"x"`: "extra", `"abandoned":1`: "abandoned", `"time":1`: "time", `"version":1.0`: "version",
		`"bin":{}x`: "not JSON", `"extra":{"n":1e999}`: "number 1e999",
		`"extra":` + strings.Repeat("[", 300) + strings.Repeat("]", 300): "nested",
		`"name":"x"`: "package name", `"name":""`: "package name", `"name":["a/b"]`: "package name",
	} {
		raw := `{"name":"a/b",` + field + `}`
		if _, err := Parse([]byte(raw)); problem.Status(err) != 400 || !strings.Contains(problem.Public(err), want) {
			t.Errorf("%.80s: %v", field, err)
		}
	}
	for _, raw := range []string{
		"", "[]", "null", `"x"`, "{", `{"name":"a/b"}x`, `{"name":"a/b",}`, "{\"name\":\"a/b\",\"description\":\"\xff\"}",
		`{"name"}`, `{1:2}`,
	} {
		if _, err := Parse([]byte(raw)); problem.Status(err) != 400 {
			t.Errorf("%q: %v", raw, err)
		}
	}
}

// TestPathsStayInPackage: no path a client acts on leads out of the package (GHSA-gjfg).
func TestPathsStayInPackage(t *testing.T) {
	for _, path := range []string{"../x", "a/../../x", `..\\x`, `a\\..\\x`, "..", "C:/x", `c:\\x`, "a/.."} {
		for _, field := range []string{
			`"bin":["%s"]`, `"bin":"%s"`, `"target-dir":"%s"`, `"include-path":["%s"]`, `"autoload":{"psr-4":{"A\\":"%s"}}`,
			`"autoload":{"psr-0":{"A":["x","%s"]}}`, `"autoload":{"classmap":["%s"]}`, `"autoload":{"files":["%s"]}`,
			`"autoload":{"exclude-from-classmap":["%s"]}`,
		} {
			raw := `{"name":"a/b",` + fmt.Sprintf(field, path) + `}`
			if _, err := Parse([]byte(raw)); problem.Status(err) != 400 ||
				!strings.Contains(problem.Public(err), "inside the package") {
				t.Errorf("%s: %v", raw, err)
			}
		}
	}
	if _, err := Parse([]byte(`{"name":"a/b","bin":["/"]}`)); err == nil {
		t.Error("the root as a program")
	}
}

// TestSourceIsNoOption: nothing a version control system could take for an option is passed on (CVE-2021-29472).
func TestSourceIsNoOption(t *testing.T) {
	for _, source := range []string{
		`{"type":"hg","url":"--config=alias.identify=!id","reference":"x"}`,
		`{"type":"git","url":"https://git.example.com/x","reference":"-x"}`,
		`{"type":"git","url":"x --upload-pack=id","reference":"x"}`,
		`{"type":"git","url":" -x","reference":"y"}`, `{"type":"-git","url":"x","reference":"y"}`, `{"type":"git","url":"x"}`,
		`{"type":"git","reference":"x"}`, `{"url":"x","reference":"y"}`, `{"type":"git","url":["x"],"reference":"y"}`,
		`"git"`,
	} {
		if _, err := Parse([]byte(`{"name":"a/b","source":` + source + `}`)); problem.Status(err) != 400 {
			t.Errorf("%s: %v", source, err)
		}
	}
}

// TestTextsHaveNoControlCharacters: no text holds what a terminal would act on (CVE-2025-67746).
func TestTextsHaveNoControlCharacters(t *testing.T) {
	m, err := Parse(
		[]byte(
			`{"name":"a/b","description":"\u001b[31mred\u001b[0m\u009b1m\nnext\tline\u007f\u0000","keywords":["\u001b]0;` +
				`x\u0007"],"extra":{"k\u001b[1m":"\u0085v","k[1m":"last"},"support":{"docs":"x\r\ny"},` +
				`"authors":[{"name":"A\u001bB"}]}`,
		),
	)
	if err != nil {
		t.Fatal(err)
	}
	got := string(m.Fields.Encode())
	if want := `{"description":"[31mred[0m1m next line","keywords":["]0;x"],"authors":[{"name":"AB"}],` +
		`"type":"library","support":{"docs":"x  y"},"extra":{"k[1m":"last"}}`; got != want {
		t.Error(got)
	}
}

// TestLastOfEqualKeysCounts: the last of two equal keys counts, as for PHP, so that what was checked is what is served.
func TestLastOfEqualKeysCounts(t *testing.T) {
	m, err := Parse([]byte(`{"name":"evil/name","bin":"../x","require":{"a/b":"foo","a/b":"1.0"},"bin":"x",` +
		`"name":"a/b","Name":"c/d","extra":{"a":1,"b":2,"a":3}}`))
	if err != nil {
		t.Fatal(err)
	}
	wiretest.Equal(t, "the name", m.Name, "a/b")
	want := `{"type":"library","require":{"a/b":"1.0"},"bin":["x"],"extra":{"a":3,"b":2}}`
	wiretest.Equal(t, "the fields", string(m.Fields.Encode()), want)
	if _, err := Parse([]byte(`{"name":"a/b","bin":"x","bin":"../x"}`)); err == nil {
		t.Error("the first counts")
	}
	// Nested so deeply, or with such a number, a document could not be read by any client.
	for _, extra := range []string{
		strings.Repeat("[", 300) + strings.Repeat("]", 300), strings.Repeat(`{"a":`, 300) + "1" + strings.Repeat("}", 300),
		"1e999", "[" + strings.Repeat("9", 400) + "]",
	} {
		if _, err := Parse([]byte(`{"name":"a/b","extra":{"x":` + extra + `}}`)); problem.Status(err) != 400 {
			t.Errorf("%.20s: %v", extra, err)
		}
	}
}

func FuzzComposerJSON(f *testing.F) {
	f.Add(
		[]byte(
			`{"name":"a/b","version":"1.0","bin":["x"],"require":{"php":">=7"},"autoload":{"psr-4":{"A\\":["x"]}},` +
				`"extra":{"a":[1,{"b":null}]},"abandoned":true,"time":"2026-01-01"}`,
		),
	)
	f.Add(
		[]byte(
			`{"name":"a/b","keywords":"x","license":"y","source":{"type":"git","url":"u","reference":"r"},` +
				`"authors":[{"name":"n"}],"support":{"source":"https://x.example.com"},"funding":[],"type":"metapackage"}`,
		),
	)
	f.Add(
		[]byte(
			`{"name":"a/b","description":"\u001b[0m","description":"__unset","suggest":{"x":"y"},` +
				`"provide":{"p/q":"self.version"},"php-ext":{},"include-path":[""],"target-dir":"t","homepage":"http://h"}`,
		),
	)
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := Parse(raw)
		if err != nil {
			if s := problem.Status(err); s != 400 {
				t.Fatalf("%v is a %d", err, s)
			}
			return
		}
		if n, err := names.Parse(m.Name); err != nil || n != m.Name {
			t.Fatalf("name %q", m.Name)
		}
		entry := m.Fields.Encode()
		again, err := rawjson.Parse(entry)
		if err != nil || !json.Valid(entry) || string(again.Encode()) != string(entry) {
			t.Fatalf("%s: %v", entry, err)
		}
		for _, f := range again {
			if !slices.ContainsFunc(shapes(), func(s shape) bool { return s.key == f.Key }) ||
				string(f.Value) == `"`+minify.Unset+`"` || string(f.Value) == "null" {
				t.Fatalf("field %s: %s", f.Key, f.Value)
			}
		}
		if strings.ContainsFunc(string(entry), func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 }) ||
			strings.Contains(string(entry), `\u00`) {
			t.Fatalf("control characters in %s", entry)
		}
		// What comes out is taken as it is: nothing is lost or changed by a second reading.
		second, err := Parse(again.Set("name", rawjson.Quote(m.Name)).Encode())
		if err != nil || string(second.Fields.Encode()) != string(entry) {
			t.Fatalf("%s\n%s %v", entry, wiretest.JSON(second), err)
		}
	})
}
