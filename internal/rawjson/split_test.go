package rawjson

// Taking apart valid JSON gives what Parse gives.

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// manyKeys are the members of an object with more keys than are compared one by one.
func manyKeys() string {
	var list []string
	for i := range 100 {
		list = append(list, fmt.Sprintf(`"k%d":%d`, i, i))
	}
	return strings.Join(list, ",")
}

func TestSplitReadsWhatParseReads(t *testing.T) {
	for _, in := range []string{
		`{}`, ` { "a" : 1 , "b":"x\"}\\" ,"c":[{"d":"]"}],"\u0065":null,"f":{"g":{}}, "h":true } `,
		`{` + manyKeys() + `}`,
	} {
		want, err := Parse([]byte(in))
		if err != nil {
			t.Fatal(err)
		}
		got, err := Split([]byte(in))
		if err != nil {
			t.Errorf("Split(%s): %v", in, err)
		}
		if got := string(Compact(got.Encode())); got != string(want.Encode()) {
			t.Errorf("Split(%s) is %s, want %s", in, got, want.Encode())
		}
	}
}

func TestSplitRefusesDuplicateKeys(t *testing.T) {
	for _, in := range []string{`{"a":1,"a":2}`, `{"__proto__":1}`, `{` + manyKeys() + `,"k7":1}`} {
		if o, err := Split([]byte(in)); err == nil {
			t.Errorf("Split(%s) is %v, want an error", in, o)
		}
	}
}

// Split need not find every fault of what is no JSON.
func TestSplitSurvivesMalformedJSON(t *testing.T) {
	for _, in := range []string{
		``, `[]`, `1`, `{`, `{"a"`, `{"a":`, `{"a":1`, `{"a":"`, `{"a":1 "b":2}`, `{"a":"\"}`, `{"a":[}`,
	} {
		if o, err := Split([]byte(in)); err == nil && json.Valid([]byte(in)) {
			t.Errorf("Split(%s) is %v, want an error", in, o)
		}
	}
}

func TestAppendingToAPieceLeavesTheNextOne(t *testing.T) {
	raw := []byte(`{"a":1,"b":2}`)
	o, err := Split(raw)
	if err != nil {
		t.Fatal(err)
	}
	_ = append(o.Get("a"), "xxxx"...)
	if string(raw) != `{"a":1,"b":2}` {
		t.Errorf("after an append to a the document is %s", raw)
	}
}

// textOf is what encoding/json takes a string for.
func textOf(raw []byte) (text string, ok bool) {
	err := json.Unmarshal(raw, &text)
	return text, err == nil
}

func TestElementsOfAList(t *testing.T) {
	for in, want := range map[string]string{
		`[]`: "", ` [ 1 , "a,b" ,[2,3],{"x":[4]} ] `: `1|"a,b"|[2,3]|{"x":[4]}`, `[null]`: "null",
	} {
		var got []string
		if !Elements([]byte(in), func(v []byte) { got = append(got, string(v)) }) {
			t.Errorf("%s is taken for no list", in)
		}
		if got := strings.Join(got, "|"); got != want {
			t.Errorf("the elements of %s are %s, want %s", in, got, want)
		}
	}
}

func TestElementsOfNoList(t *testing.T) {
	for _, in := range []string{``, `{}`, `"x"`, `[`, `[1`, `[1,`, `["`, `[1 2]`} {
		if Elements([]byte(in), func([]byte) {}) {
			t.Errorf("%s is taken for a list", in)
		}
	}
}

// All agree on whatever Parse accepts, and nothing makes them panic.
func FuzzSplit(f *testing.F) {
	for _, s := range []string{
		`{}`, `{"a":{"b":[1,2.5e3,"x\u00e9\\",null,true]},"c":""}`, `{"a":1,"a":2}`, `{"a":"\ud83d\ude00\ud83d"} `,
		`{"A":1,"a":[[[]]]}`, `{"a":"\\\"","b":[ ]}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		got, err := Split(p)
		want, wantErr := Parse(p)
		if wantErr != nil {
			return
		}
		if err != nil || len(got) != len(want) {
			t.Fatalf("%q: %v %v, Parse says %v", p, got, err, want)
		}
		i := 0
		whole := Members(p, func(key, value []byte) {
			if i >= len(want) || string(key) != want[i].Key || string(value) != string(got[i].Value) {
				t.Fatalf("%q: member %d is %q: %q", p, i, key, value)
			}
			if text, ok := textOf(value); ok && TextOf(value) != text {
				t.Fatalf("%q reads as %q", value, TextOf(value))
			}
			i++
		})
		if !whole || i != len(want) {
			t.Fatalf("%q: %d members, Parse says %v", p, i, want)
		}
		for i, m := range want {
			if got[i].Key != m.Key || string(Compact(got[i].Value)) != string(m.Value) {
				t.Fatalf("%q: %v, Parse says %v", p, got, want)
			}
		}
	})
}
