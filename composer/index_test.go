package composer

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"testing"
	"time"

	"larder/internal/rawjson"
	"larder/internal/wiretest"
)

// TestGoldenDocuments: the documents of one package in full, byte for byte.
func TestGoldenDocuments(t *testing.T) {
	at := func(day int) time.Time { return time.Date(2026, 1, day, 3, 4, 5, 6_000_000, time.UTC) }
	raw := func(key, value string) field { return field{key, []byte(value)} }
	ref := func(i int) string { return fmt.Sprintf("%040x", i) }
	releases := &listed{Name: "acme/demo", Fragments: []fragment{
		{ID: "1.0.0.0", Version: "v1.0.0", Reference: ref(1), Published: at(1), Fields: []field{raw("description", `"It's \"quoted\" <ok>"`), raw("type", `"library"`), raw("require", `{"php":">=7"}`)}},
		{ID: "2.0.0.0-beta1", Version: "2.0.0-beta1", Reference: ref(3), Published: at(3), Fields: []field{raw("type", `"library"`), raw("require", `{"php":">=8","acme/lib":"^1.0"}`), raw("bin", `["bin/demo"]`), raw("time", `"2026-01-02T00:00:00Z"`)}},
		{ID: "1.1.0.0", Version: "1.1.0", Reference: ref(2), Published: at(2), Fields: []field{raw("type", `"library"`), raw("require", `{"php":">=8","acme/lib":"^1.0"}`), raw("abandoned", "true")}},
	}, Advisories: []json.RawMessage{json.RawMessage(`{"advisoryId":"LSA-1","affectedVersions":"<1.1"}`)}, Malware: []json.RawMessage{json.RawMessage(`{"constraint":"1.0.0","reason":"It phones home","id":"LSA-2"}`)}}
	branches := &listed{Name: "acme/demo", Branches: true, Abandoned: json.RawMessage(`"acme/other"`), Fragments: []fragment{
		{ID: "dev-feature/x", Version: "dev-feature/x", Reference: ref(6), Published: at(6), Fields: []field{raw("type", `"library"`), raw("abandoned", "true")}},
		{ID: "1.9999999.9999999.9999999-dev", Version: "1.x-dev", Reference: ref(5), Published: at(5), Fields: []field{raw("type", `"library"`)}},
		{ID: "dev-main", Version: "dev-main", Reference: ref(4), Published: at(4), Fields: []field{raw("type", `"library"`), raw("extra", `{"branch-alias":{"dev-main":"2.x-dev"}}`)}},
	}}
	for _, p := range []*listed{releases, branches} {
		for i := range p.Fragments {
			f := &p.Fragments[i]
			again, err := decodeFragment([]byte(f.ID), f.encode())
			if err != nil || fmt.Sprint(again) != fmt.Sprint(*f) {
				t.Errorf("%v\n%v %v", again, *f, err)
			}
			if _, err := decodeFragment([]byte(f.ID), f.encode()[:40]); err == nil {
				t.Error("half a fragment")
			}
		}
		sortFragments(p.Fragments)
	}
	const base = "https://registry.example.com/composer"
	for name, got := range map[string][]byte{"releases.json": releases.metadata(base), "branches.json": branches.metadata(base), "packages.json": rootDocument(base, []string{"acme/demo", "acme/lib"})} {
		if !json.Valid(got) {
			t.Errorf("%s is not JSON", name)
		}
		wiretest.Golden(t, name, string(got))
	}
}

// randomVersions are entries that share keys and values as real ones do, with every kind of JSON among them.
func randomVersions(r *rand.Rand, n int) [][]field {
	values := []string{`"a"`, `"b"`, `""`, `"__unset "`, "null", "true", "false", "0", "1", "1.0", "-2.5e3", "[]", "{}", `["a","b"]`, `["b","a"]`, `{"a":1,"b":2}`, `{"b":2,"a":1}`, `{"a":{"b":[null,{}]}}`, `"é\u2028<\/>"`}
	out := make([][]field, n)
	for i := range out {
		for _, k := range r.Perm(8)[:1+r.IntN(8)] {
			out[i] = append(out[i], field{fmt.Sprintf("key-%d", k), []byte(values[r.IntN(len(values))])})
		}
	}
	return out
}

func minified(entries [][]field) string {
	out := []byte{'['}
	var m minifier
	for i, e := range entries {
		out = m.append(comma(out, i), e)
	}
	return string(append(out, ']'))
}

func objects(entries [][]field) []fields {
	var out []fields
	for _, e := range entries {
		o := rawjson.Object{}
		for _, f := range e {
			o = o.Add(f.Key, f.Value)
		}
		var v fields
		if err := json.Unmarshal(o.Encode(), &v); err != nil {
			panic(err)
		}
		out = append(out, v)
	}
	return out
}

// TestA4_Minify: expand(minify(x)) = x, and nothing is said that was said before.
func TestA4_Minify(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 3000 {
		entries := randomVersions(r, r.IntN(12))
		short := minified(entries)
		var list []fields
		if err := json.Unmarshal([]byte(short), &list); err != nil {
			t.Fatalf("%s: %v", short, err)
		}
		if want := objects(entries); !reflect.DeepEqual(expand(list), want) {
			t.Fatalf("%s\n%v\n%v", short, expand(list), want)
		}
	}
	same := []field{{"name", []byte(`"a/b"`)}, {"require", []byte(`{"php":"*"}`)}}
	if got := minified([][]field{same, same, same[:1], same}); got != `[{"name":"a/b","require":{"php":"*"}},{},{"require":"__unset"},{"require":{"php":"*"}}]` {
		t.Error(got)
	}
}

// TestA4_MinifyAgainstPHP: Composer's own library expands our lists to what was minified, and minifies that to the same
// lists. Without PHP or the library the test is skipped, unless every client has to be there.
func TestA4_MinifyAgainstPHP(t *testing.T) {
	const library = `require 'Composer/MetadataMinifier/autoload.php';`
	if out, err := exec.Command("php", "-r", library).CombinedOutput(); err != nil {
		if os.Getenv("LARDER_CLIENTS") == "all" {
			t.Fatalf("LARDER_CLIENTS=all, but composer/metadata-minifier is not installed: %v %s", err, out)
		}
		t.Skip("PHP or composer/metadata-minifier is not installed")
	}
	r := rand.New(rand.NewPCG(7, 8))
	var input strings.Builder
	const cases = 500
	for range cases {
		entries := randomVersions(r, 1+r.IntN(12))
		for _, e := range entries {
			for i := range e {
				// PHP cannot tell null from nothing, nor an empty object from an empty list; documents hold neither.
				if v := string(e[i].Value); v == "null" || v == "{}" {
					e[i].Value = []byte("7")
				}
			}
		}
		whole := make([]string, len(entries))
		for i, e := range entries {
			o := rawjson.Object{}
			for _, f := range e {
				o = o.Add(f.Key, f.Value)
			}
			whole[i] = string(o.Encode())
		}
		fmt.Fprintf(&input, "%s\n[%s]\n", minified(entries), strings.Join(whole, ","))
	}
	cmd := exec.Command("php", "-r", library+`use Composer\MetadataMinifier\MetadataMinifier as M; $n = 0;
		while (($l = fgets(STDIN)) !== false) { $n++; $short = json_decode($l, true); $whole = json_decode(fgets(STDIN), true);
			// The order of a version's keys is not kept by any minifier, that of a value's is.
			$sorted = array_map(function ($v) { ksort($v); return $v; }, M::expand($short)); $want = array_map(function ($v) { ksort($v); return $v; }, $whole);
			if ($sorted !== $want) { echo "case $n expands to something else\n"; }
			$theirs = array_map(function ($v) { ksort($v); return $v; }, M::minify($whole)); $ours = array_map(function ($v) { ksort($v); return $v; }, $short);
			if ($theirs !== $ours) { echo "case $n is minified otherwise: ", json_encode($theirs), " ", json_encode($ours), "\n"; } } echo "$n cases\n";`)
	cmd.Stdin = strings.NewReader(input.String())
	if out, err := cmd.CombinedOutput(); err != nil || string(out) != fmt.Sprintf("%d cases\n", cases) {
		t.Errorf("%v\n%.2000s", err, out)
	}
}
