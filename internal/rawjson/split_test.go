package rawjson

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func TestSplit(t *testing.T) {
	many := make([]string, 100)
	for i := range many {
		many[i] = fmt.Sprintf(`"k%d":%d`, i, i)
	}
	for _, in := range []string{
		`{}`, ` { "a" : 1 , "b":"x\"}\\" ,"c":[{"d":"]"}],"\u0065":null,"f":{"g":{}}, "h":true } `, `{` + strings.Join(many, ",") + `}`,
	} {
		want, err := Parse([]byte(in))
		if err != nil {
			t.Fatal(err)
		}
		got, err := Split([]byte(in))
		if err != nil || string(Compact(got.Encode())) != string(want.Encode()) {
			t.Errorf("%s: %v %v", in, got, err)
		}
	}
	for _, in := range []string{``, `[]`, `1`, `{`, `{"a"`, `{"a":`, `{"a":1`, `{"a":"`, `{"a":1 "b":2}`, `{"a":1,"a":2}`, `{"__proto__":1}`, `{` + strings.Join(many, ",") + `,"k7":1}`, `{"a":"\"}`, `{"a":[}`} {
		if o, err := Split([]byte(in)); err == nil && json.Valid([]byte(in)) {
			t.Errorf("%s: %v", in, o)
		}
	}
	// What is appended to a piece does not run into the next one.
	raw := []byte(`{"a":1,"b":2}`)
	o, err := Split(raw)
	if err != nil {
		t.Fatal(err)
	}
	_ = append(o.Get("a"), "xxxx"...)
	if string(raw) != `{"a":1,"b":2}` {
		t.Errorf("%s", raw)
	}
}

// textOf is what encoding/json takes a string for.
func textOf(raw []byte) (text string, ok bool) {
	err := json.Unmarshal(raw, &text)
	return text, err == nil
}

func TestElements(t *testing.T) {
	for in, want := range map[string]string{`[]`: "", ` [ 1 , "a,b" ,[2,3],{"x":[4]} ] `: `1|"a,b"|[2,3]|{"x":[4]}`, `[null]`: "null"} {
		var have []string
		if ok := Elements([]byte(in), func(v []byte) { have = append(have, string(v)) }); !ok || strings.Join(have, "|") != want {
			t.Errorf("%s: %q %v", in, have, ok)
		}
	}
	for _, in := range []string{``, `{}`, `"x"`, `[`, `[1`, `[1,`, `["`, `[1 2]`} {
		if Elements([]byte(in), func([]byte) {}) {
			t.Errorf("%s was taken for a list", in)
		}
	}
}

// FuzzSplit: on whatever Parse accepts all agree, and nothing makes them panic.
func FuzzSplit(f *testing.F) {
	for _, s := range []string{`{}`, `{"a":{"b":[1,2.5e3,"x\u00e9\\",null,true]},"c":""}`, `{"a":1,"a":2}`, `{"a":"\ud83d\ude00\ud83d"} `, `{"A":1,"a":[[[]]]}`, `{"a":"\\\"","b":[ ]}`} {
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
