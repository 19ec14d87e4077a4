package minify

// Minified lists, compared with what the library in PHP writes and reads.

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"testing"

	"larder/internal/rawjson"
)

// randomVersions are entries that share keys and values as real ones do, with every kind of JSON among them.
func randomVersions(r *rand.Rand, n int) [][]Field {
	values := []string{
		`"a"`, `"b"`, `""`, `"__unset "`, "null", "true", "false", "0", "1", "1.0", "-2.5e3", "[]", "{}", `["a","b"]`,
		`["b","a"]`, `{"a":1,"b":2}`, `{"b":2,"a":1}`, `{"a":{"b":[null,{}]}}`, `"é\u2028<\/>"`,
	}
	out := make([][]Field, n)
	for i := range out {
		for _, k := range r.Perm(8)[:1+r.IntN(8)] {
			out[i] = append(out[i], Field{Key: fmt.Sprintf("key-%d", k), Value: []byte(values[r.IntN(len(values))])})
		}
	}
	return out
}

func minified(entries [][]Field) string {
	out := []byte{'['}
	var m Writer
	for i, e := range entries {
		if i > 0 {
			out = append(out, ',')
		}
		out = m.Append(out, e)
	}
	return string(append(out, ']'))
}

func objects(entries [][]Field) []map[string]any {
	var list []rawjson.Object
	for _, e := range entries {
		o := rawjson.Object{}
		for _, f := range e {
			o = o.Add(f.Key, f.Value)
		}
		list = append(list, o)
	}
	return decoded(list)
}

func decoded(list []rawjson.Object) (out []map[string]any) {
	for _, o := range list {
		var v map[string]any
		if err := json.Unmarshal(o.Encode(), &v); err != nil {
			panic(err)
		}
		out = append(out, v)
	}
	return out
}

// TestMinify: expand(minify(x)) = x, and nothing is said that was said before.
func TestMinify(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 3000 {
		entries := randomVersions(r, r.IntN(12))
		short := minified(entries)
		_, list, err := Expand([]byte(`{"packages":{"a/b":`+short+`},"minified":"composer/2.0"}`), "a/b")
		if err != nil {
			t.Fatalf("%s: %v", short, err)
		}
		if got, want := decoded(list), objects(entries); !reflect.DeepEqual(got, want) {
			t.Fatalf("%s\n%v\n%v", short, got, want)
		}
	}
	same := []Field{{Key: "name", Value: []byte(`"a/b"`)}, {Key: "require", Value: []byte(`{"php":"*"}`)}}
	if got := minified(
		[][]Field{same, same, same[:1], same},
	); got != `[{"name":"a/b","require":{"php":"*"}},{},{"require":"__unset"},{"require":{"php":"*"}}]` {
		t.Error(got)
	}
}

// TestMinifyAgainstPHP: Composer's own library expands our lists to what was minified, and minifies that to the same
// lists. Without PHP or the library the test is skipped, unless every client has to be there.
func TestMinifyAgainstPHP(t *testing.T) {
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
		while (($l = fgets(STDIN)) !== false) { $n++;
			$short = json_decode($l, true); $whole = json_decode(fgets(STDIN), true);
			// The order of a version's keys is not kept by any minifier, that of a value's is.
			$sorted = array_map(function ($v) { ksort($v); return $v; }, M::expand($short));
			$want = array_map(function ($v) { ksort($v); return $v; }, $whole);
			if ($sorted !== $want) { echo "case $n expands to something else\n"; }
			$theirs = array_map(function ($v) { ksort($v); return $v; }, M::minify($whole));
			$ours = array_map(function ($v) { ksort($v); return $v; }, $short);
			if ($theirs !== $ours) {
				echo "case $n is minified otherwise: ", json_encode($theirs), " ", json_encode($ours), "\n";
			}
		}
		echo "$n cases\n";`)
	cmd.Stdin = strings.NewReader(input.String())
	if out, err := cmd.CombinedOutput(); err != nil || string(out) != fmt.Sprintf("%d cases\n", cases) {
		t.Errorf("%v\n%.2000s", err, out)
	}
}

// TestExpand: what is not minified is read as it stands, and what is about another package not at all.
func TestExpand(t *testing.T) {
	const list = `[{"name":"a/b","version":"2","bin":["x"]},{"version":"1"}]`
	for doc, want := range map[string]string{
		`{"packages":{"a/b":` + list + `}}`: `{"version":"1"}`,
		`{"packages":{"a/b":` + list +
			`},"minified":"composer/2.0"}`: `{"name":"a/b","version":"1","bin":["x"]}`,
		`{"minified":"composer/2.0","packages":{"a/b":[{"version":"1","bin":"__unset"}]}}`: `{"version":"1"}`,
	} {
		_, got, err := Expand([]byte(doc), "a/b")
		if err != nil || string(got[len(got)-1].Encode()) != want {
			t.Errorf("%s: %v %v", doc, got, err)
		}
	}
	for _, doc := range []string{
		`{"packages":{"a/c":[]}}`, `{"packages":[]}`, `{}`, `[]`, `{"packages":{"a/b":1}}`, `{"packages":{"a/b":[1]}}`, "",
	} {
		if _, got, err := Expand([]byte(doc), "a/b"); err == nil {
			t.Errorf("%s: %v", doc, got)
		}
	}
}
