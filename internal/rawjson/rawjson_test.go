package rawjson

// Objects and scanners: what is read exactly, and what is refused.

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

func wantText(t *testing.T, o Object, key, want string) {
	t.Helper()
	if got := o.Text(key); got != want {
		t.Errorf("key %q has the text %q, want %q", key, got, want)
	}
}

func wantRaw(t *testing.T, o Object, key, want string) {
	t.Helper()
	if got := string(o.Get(key)); got != want {
		t.Errorf("key %q has the value %s, want %s", key, got, want)
	}
}

func TestKeysAreExact(t *testing.T) {
	o, err := Parse([]byte(` {"name" : "a\u00e9\n\ud83d\ude00" , "Name":"B","n":[1,{"x":null}],"t":true, "e":{}} `))
	if err != nil {
		t.Fatal(err)
	}
	wantText(t, o, "name", "aé\n😀")
	wantText(t, o, "Name", "B")
	wantRaw(t, o, "n", `[1,{"x":null}]`)
	wantRaw(t, o, "absent", "")
}

// Duplicate keys are read differently by different readers; __proto__ changes objects of some.
func TestAmbiguousJSONIsRefused(t *testing.T) {
	for _, s := range []string{
		`{"a":1,"a":2}`, `{"a":{"b":1,"b":2}}`, `{"a":[{"b":1,"\u0062":2}]}`, `{"__proto__":1}`, `{"a":{"__proto__":{}}}`,
	} {
		wantInvalid(t, s)
	}
}

func TestDeepOrLongJSONIsRefused(t *testing.T) {
	for _, s := range []string{
		strings.Repeat(`{"a":`, 70) + "1" + strings.Repeat("}", 70),
		`{"a":` + strings.Repeat("[", 70) + strings.Repeat("]", 70) + `}`,
		`{"a":` + strings.Repeat("1", MaxKey+1) + `}`, `{"` + strings.Repeat("k", MaxKey+1) + `":1}`,
	} {
		wantInvalid(t, s)
	}
}

func TestMalformedJSONIsRefused(t *testing.T) {
	for _, s := range []string{
		`{"a"}`, `{"a":}`, `{"a":1,}`, `{"a":1`, `{"a":"x`, `{a:1}`, `[]`, `1`, ``, `{"a":01}`, `{"a":tru}`, "{\"a\":\"\n\"}",
		`{"a":"\q"}`, `{"a":"\u12"}`, `{"a":]}`, `{"a":,}`, `{"a":1]`, `{"a":1}{}`, `{"a":1}x`, `{"a" 1}`, `{"a":1 "b":2}`,
		`{"a":[1 2]}`, `{"a":[tru e]}`, `{"a":1 2}`, `{"a":[1,]}`, "{\"\xff\":1}",
	} {
		wantInvalid(t, s)
	}
}

func wantInvalid(t *testing.T, s string) {
	t.Helper()
	if o, err := Parse([]byte(s)); !errors.Is(err, problem.ErrInvalid) {
		t.Errorf("Parse(%.60s) is %v, %v; want %v", s, o, err, problem.ErrInvalid)
	}
}

func TestReasonNamesTheFault(t *testing.T) {
	_, err := Parse([]byte(`{"a":1,"a":2}`))
	if got, want := Reason(err), `has the key "a" twice`; got != want {
		t.Errorf("Reason(%v) is %q, want %q", err, got, want)
	}
	if got, want := Reason(io.ErrClosedPipe), "is malformed"; got != want {
		t.Errorf("Reason of another error is %q, want %q", got, want)
	}
}

func TestMissingKeysHaveNoValue(t *testing.T) {
	o, err := Parse([]byte(`{"b":{"x":"y"},"a":null,"s":"t","n":1}`))
	if err != nil {
		t.Fatal(err)
	}
	wantText(t, o.Sub("b"), "x", "y")
	for _, key := range []string{"s", "absent"} {
		if got := o.Sub(key); got != nil {
			t.Errorf("key %q has the object %v, want none", key, got)
		}
	}
	wantRaw(t, o, "a", "")
	wantText(t, o, "n", "")
}

func TestSetKeepsTheOrder(t *testing.T) {
	o, err := Parse([]byte(`{"b":{"x":"y"},"a":null,"s":"t","n":1}`))
	if err != nil {
		t.Fatal(err)
	}
	o = o.Set("a", Quote("<é>\n")).Set("new", json.RawMessage("[]")).Set("b", nil).Set("absent", nil)
	if got, want := string(o.Encode()), `{"a":"<é>\n","s":"t","n":1,"new":[]}`; got != want {
		t.Errorf("the object is written as %s, want %s", got, want)
	}
	if got := string(Object(nil).Encode()); got != "{}" {
		t.Errorf("no object is written as %s, want {}", got)
	}
}

func TestCompactRemovesSpaceOfJSON(t *testing.T) {
	for in, want := range map[string]string{"{ \"a\" : [ 1 , 2 ] }\n": `{"a":[1,2]}`, "{ ": "{ "} {
		if got := string(Compact([]byte(in))); got != want {
			t.Errorf("Compact(%q) is %q, want %q", in, got, want)
		}
	}
}

func TestStringsAreWritten(t *testing.T) {
	for in, want := range map[string]string{
		"": `""`, "plain": `"plain"`, `q"\`: `"q\"\\"`, "é😀": `"é😀"`, "<a>&": `"<a>&"`, "\x00\n": `"\u0000\n"`,
		"\u2028": `"\u2028"`, "\xff": `"\ufffd"`,
	} {
		if got := string(AppendString(nil, in)); got != want {
			t.Errorf("AppendString(%q) is %s, want %s", in, got, want)
		}
	}
}

func TestTextOfOtherValuesIsEmpty(t *testing.T) {
	for in, want := range map[string]string{`"a"`: "a", `1`: "", ``: "", `"\q"`: "", `{}`: ""} {
		if got := TextOf([]byte(in)); got != want {
			t.Errorf("TextOf(%s) is %q, want %q", in, got, want)
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

func TestScannerReadsInPiecesWhatItReadsWhole(t *testing.T) {
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
		for name, r := range map[string]io.Reader{
			"whole": strings.NewReader(c.in), "one byte": iotest.OneByteReader(strings.NewReader(c.in)),
			"halves": iotest.HalfReader(strings.NewReader(c.in)),
		} {
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

func TestScannerReturnsTheReadersError(t *testing.T) {
	own := errors.New("the disk is gone")
	for _, in := range []string{
		``, `{`, `{"a`, `{"str":`, `{"str":"a`, `{"raw":[1`, `{"other":12`, `{"prefix":`, `{"object":`, `{"array":[`,
		`{"text":"\`, `{} `,
	} {
		if _, err := walk(NewScanner(io.MultiReader(strings.NewReader(in), iotest.ErrReader(own)))); !errors.Is(err, own) {
			t.Errorf("after %s the reader fails with %v, and the scanner with %v", in, own, err)
		}
	}
}

func TestScannerReturnsTheCallersError(t *testing.T) {
	own := errors.New("the disk is gone")
	for _, in := range []string{`"abc"`, `"\n"`} {
		err := NewScanner(strings.NewReader(in)).Text(func([]byte) error { return own })
		if !errors.Is(err, own) {
			t.Errorf("the text of %s fails with %v, want %v", in, err, own)
		}
	}
	for _, in := range []string{`{"a":1}`, `[1]`} {
		object := NewScanner(strings.NewReader(in)).OptionalObject(func(string) error { return own })
		array := NewScanner(strings.NewReader(in)).OptionalArray(func() error { return own })
		if errors.Is(object, own) == errors.Is(array, own) {
			t.Errorf("%s read as an object: %v; as an array: %v; want %v of one of them", in, object, array, own)
		}
	}
}

func TestRawIsLimited(t *testing.T) {
	if raw, err := NewScanner(strings.NewReader(`[1,2,3]`)).Raw(3); !errors.Is(err, problem.ErrTooLarge) {
		t.Errorf("Raw(3) of 7 bytes is %s, %v; want %v", raw, err, problem.ErrTooLarge)
	}
}

// What is accepted is JSON, means the same to encoding/json, and is the same when it is read in pieces.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		`{}`, `{"a":{"b":[1,2.5e3,"x\u00e9\\",null,true]},"c":""}`, `{"a":1,"a":2}`, `{"__proto__":1}`,
		`{"a":"\ud83d\ude00\ud83d"} `, `{"A":1,"a":[[[]]]}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		o, err := Parse(p)
		if _, err2 := walk(NewScanner(bytes.NewReader(p))); err == nil && err2 != nil &&
			!strings.Contains(err2.Error(), "more than") && !strings.Contains(err2.Error(), "should be") {
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
