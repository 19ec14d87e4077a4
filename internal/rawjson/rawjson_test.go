package rawjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"larder/internal/problem"
)

// TestE_ExactJSON: duplicate keys, another case, __proto__, depth and damage.
func TestE_ExactJSON(t *testing.T) {
	o, err := Parse([]byte(` {"name" : "a\u00e9\n\ud83d\ude00" , "Name":"B","n":[1,{"x":null}],"t":true, "e":{}, "l":[]} `))
	if err != nil || o.Text("name") != "aé\n😀" || o.Text("Name") != "B" || string(o.Get("n")) != `[1,{"x":null}]` || o.Get("absent") != nil {
		t.Fatalf("%v %v", o, err)
	}
	for _, s := range []string{
		`{"a":1,"a":2}`, `{"a":{"b":1,"b":2}}`, `{"a":[{"b":1,"\u0062":2}]}`, `{"__proto__":1}`, `{"a":{"__proto__":{}}}`,
		strings.Repeat(`{"a":`, 70) + "1" + strings.Repeat("}", 70), `{"a":` + strings.Repeat("[", 70) + strings.Repeat("]", 70) + `}`,
		`{"a"}`, `{"a":}`, `{"a":1,}`, `{"a":1`, `{"a":"x`, `{a:1}`, `[]`, `1`, ``, `{"a":01}`, `{"a":tru}`, "{\"a\":\"\n\"}", `{"a":"\q"}`,
		`{"a":"\u12"}`, `{"a":]}`, `{"a":,}`, `{"a":1]`, `{"a":1}{}`, `{"a":1}x`, `{"a" 1}`, `{"a":1 "b":2}`, `{"a":[1 2]}`, `{"a":[tru e]}`, `{"a":1 2}`, `{"a":[1,]}`,
		`{"a":` + strings.Repeat("1", MaxKey+1) + `}`, `{"` + strings.Repeat("k", MaxKey+1) + `":1}`, "{\"\xff\":1}",
	} {
		if o, err := Parse([]byte(s)); !errors.Is(err, problem.ErrInvalid) {
			t.Errorf("%.60s: %v %v", s, o, err)
		}
	}
}

func TestReason(t *testing.T) {
	_, err := Parse([]byte(`{"a":1,"a":2}`))
	if got := Reason(err); got != `has the key "a" twice` {
		t.Error(got)
	}
	if got := Reason(io.ErrClosedPipe); got != "is malformed" {
		t.Error(got)
	}
}

func TestObject(t *testing.T) {
	o, err := Parse([]byte(`{"b":{"x":"y"},"a":null,"s":"t","n":1}`))
	if err != nil {
		t.Fatal(err)
	}
	if o.Sub("b").Text("x") != "y" || o.Sub("s") != nil || o.Sub("absent") != nil || o.Get("a") != nil || o.Text("n") != "" {
		t.Errorf("%v", o)
	}
	o = o.Set("a", Quote("<é>\n")).Set("new", json.RawMessage("[]")).Set("b", nil).Set("absent", nil)
	if got, want := string(o.Encode()), `{"a":"<é>\n","s":"t","n":1,"new":[]}`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := string(Object(nil).Encode()); got != "{}" {
		t.Error(got)
	}
	if got := string(Compact([]byte("{ \"a\" : [ 1 , 2 ] }\n"))); got != `{"a":[1,2]}` {
		t.Error(got)
	}
	if got := string(Compact([]byte("{ "))); got != "{ " {
		t.Error(got)
	}
}

func TestStrings(t *testing.T) {
	for in, want := range map[string]string{
		"": `""`, "plain": `"plain"`, `q"\`: `"q\"\\"`, "é😀": `"é😀"`, "<a>&": `"<a>&"`, "\x00\n": `"\u0000\n"`, "\u2028": `"\u2028"`, "\xff": `"\ufffd"`,
	} {
		if got := string(AppendString(nil, in)); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
	for in, want := range map[string]string{`"a"`: "a", `1`: "", ``: "", `"\q"`: "", `{}`: ""} {
		if got := TextOf([]byte(in)); got != want {
			t.Errorf("%s: %q, want %q", in, got, want)
		}
	}
}

// walk reads a document with every method of Scanner and renders what it saw.
func walk(s *Scanner) (out string, err error) {
	err = s.Object(func(key string) error {
		var v any
		var err error
		switch key {
		case "str":
			v, err = s.Str(8)
		case "optional":
			v, err = s.Optional(8)
		case "prefix":
			v, err = s.Prefix(4)
		case "raw":
			var raw json.RawMessage
			raw, err = s.Raw(32)
			v = string(raw)
		case "object":
			err = s.OptionalObject(func(k string) error {
				v = fmt.Sprint(v, k)
				return s.Skip()
			})
		case "array":
			err = s.OptionalArray(func() error {
				raw, err := s.Raw(8)
				v = fmt.Sprint(v, string(raw))
				return err
			})
		case "text":
			var b bytes.Buffer
			err = s.Text(func(p []byte) error {
				b.Write(p)
				return nil
			})
			v = b.String()
		default:
			v, err = "-", s.Skip()
		}
		out += fmt.Sprintf("%s=%v ", key, v)
		return err
	})
	if err == nil {
		err = s.End()
	}
	return out, err
}

func TestScanner(t *testing.T) {
	long := strings.Repeat("x", 200<<10)
	for _, c := range []struct{ in, want, fault string }{
		{`{"str":"12345678","optional":null,"prefix":7}`, "str=12345678 optional= prefix= ", ""},
		{`{"optional":"a","prefix":"ééé","raw":{ "a" : [ 1 ] }}`, "optional=a prefix=éé raw={\"a\":[1]} ", ""},
		{`{"object":{"a":{"b":[]},"c":"\\\"}"},"array":[1,"b",[ ]]}`, `object=<nil>ac array=<nil>1"b"[] `, ""},
		{`{"object":[1],"array":"x","other":{"a":[{}],"b":"\\"}}` + " \n\t", "object=<nil> array=<nil> other=- ", ""},
		{`{"text":"\u0041\ud83d\ude00\ud83d\/\b\f\r\t"}`, "text=A😀\ufffd/\b\f\r\t ", ""},
		{`{"text":"\ud83d\u0041"}`, "text=\ufffdA ", ""},
		{`{"other":"` + long + `\\","text":"` + long + `"}`, "other=- text=" + long + " ", ""},
		{`{"str":"123456789"}`, "", "more than 8 bytes"},
		{`{"raw":"` + long + `"}`, "", "more than 32 bytes"},
		{`{"raw":{"a":}}`, "", "is malformed"},
		{`{"str":1}`, "", `'1' where '"' should be`},
		{`{"other":}`, "", "where a value should be"},
		{`{"other":[` + strings.Repeat("[", 70), "", "too deeply"},
		{`{"other":[}`, "other=- ", "ends early"},
		{`{} {}`, "", "goes on after its end"},
		{`{"text":"\x"}`, "", "unknown escape"},
		{`{"text":"\ud8`, "", "ends early"},
		{`{"text":"\uzzzz"}`, "", "malformed escape"},
		{`{"other":"`, "", "ends early"},
	} {
		for name, r := range map[string]io.Reader{"whole": strings.NewReader(c.in), "one byte": iotest.OneByteReader(strings.NewReader(c.in)), "halves": iotest.HalfReader(strings.NewReader(c.in))} {
			got, err := walk(NewScanner(r))
			switch {
			case c.fault == "" && (err != nil || got != c.want):
				t.Errorf("%.60s, %s: %.80q %v, want %.80q", c.in, name, got, err, c.want)
			case c.fault != "" && (err == nil || !strings.Contains(err.Error(), c.fault)):
				t.Errorf("%.60s, %s: %.80q %v, want an error that says %q", c.in, name, got, err, c.fault)
			}
		}
	}
}

// TestScannerPassesErrors: what the reader or the caller fails with comes out as it is.
func TestScannerPassesErrors(t *testing.T) {
	own := errors.New("the disk is gone")
	for _, in := range []string{``, `{`, `{"a`, `{"str":`, `{"str":"a`, `{"raw":[1`, `{"other":12`, `{"prefix":`, `{"object":`, `{"array":[`, `{"text":"\`, `{} `} {
		if _, err := walk(NewScanner(io.MultiReader(strings.NewReader(in), iotest.ErrReader(own)))); !errors.Is(err, own) {
			t.Errorf("%s: %v", in, err)
		}
	}
	stop := func([]byte) error { return own }
	if err := NewScanner(strings.NewReader(`"abc"`)).Text(stop); !errors.Is(err, own) {
		t.Error(err)
	}
	if err := NewScanner(strings.NewReader(`"\n"`)).Text(stop); !errors.Is(err, own) {
		t.Error(err)
	}
	for _, in := range []string{`{"a":1}`, `[1]`} {
		object := NewScanner(strings.NewReader(in)).OptionalObject(func(string) error { return own })
		array := NewScanner(strings.NewReader(in)).OptionalArray(func() error { return own })
		if errors.Is(object, own) == errors.Is(array, own) {
			t.Errorf("%s: %v, %v", in, object, array)
		}
	}
	if _, err := NewScanner(strings.NewReader(`[1,2,3]`)).Raw(3); !errors.Is(err, problem.ErrTooLarge) {
		t.Error(err)
	}
}

// FuzzParse: what is accepted is JSON, means the same to encoding/json, and is the same when it is read in pieces.
func FuzzParse(f *testing.F) {
	for _, s := range []string{`{}`, `{"a":{"b":[1,2.5e3,"x\u00e9\\",null,true]},"c":""}`, `{"a":1,"a":2}`, `{"__proto__":1}`, `{"a":"\ud83d\ude00\ud83d"} `, `{"A":1,"a":[[[]]]}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		o, err := Parse(p)
		if _, err2 := walk(NewScanner(bytes.NewReader(p))); err == nil && err2 != nil && !strings.Contains(err2.Error(), "more than") && !strings.Contains(err2.Error(), "should be") {
			t.Fatalf("the scanner alone: %v", err2)
		}
		whole, err1 := walk(NewScanner(bytes.NewReader(p)))
		pieces, err2 := walk(NewScanner(iotest.OneByteReader(bytes.NewReader(p))))
		if whole != pieces || (err1 == nil) != (err2 == nil) {
			t.Fatalf("whole: %q %v, in pieces: %q %v", whole, err1, pieces, err2)
		}
		if err != nil {
			if !errors.Is(err, problem.ErrInvalid) && !errors.Is(err, problem.ErrTooLarge) {
				t.Fatal(err)
			}
			return
		}
		var a, b map[string]any
		if err := json.Unmarshal(p, &a); err != nil {
			t.Fatalf("encoding/json refuses what was accepted: %v", err)
		}
		if err := json.Unmarshal(o.Encode(), &b); err != nil || !reflect.DeepEqual(a, b) {
			t.Fatalf("%q means something else than %q: %v", o.Encode(), p, err)
		}
		if again, err := Parse(o.Encode()); err != nil || !reflect.DeepEqual(again, o) {
			t.Fatalf("%v again is %v: %v", o, again, err)
		}
	})
}
