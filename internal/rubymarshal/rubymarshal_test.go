package rubymarshal

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"testing"
)

// cases are values and what Ruby 3.1 writes of them.
var cases = []struct {
	value any
	ruby  string // the expression
	dump  string
}{
	{nil, "nil", "\x04\b0"},
	{true, "true", "\x04\bT"},
	{false, "false", "\x04\bF"},
	{0, "0", "\x04\bi\x00"},
	{1, "1", "\x04\bi\x06"},
	{-1, "-1", "\x04\bi\xfa"},
	{122, "122", "\x04\bi\x7f"},
	{123, "123", "\x04\bi\x01\x7b"},
	{-123, "-123", "\x04\bi\x80"},
	{-124, "-124", "\x04\bi\xff\x84"},
	{-129, "-129", "\x04\bi\xff\x7f"},
	{-256, "-256", "\x04\bi\xff\x00"},
	{-257, "-257", "\x04\bi\xfe\xff\xfe"},
	{256, "256", "\x04\bi\x02\x00\x01"},
	{65535, "65535", "\x04\bi\x02\xff\xff"},
	{-65537, "-65537", "\x04\bi\xfd\xff\xff\xfe"},
	{1<<30 - 1, "2**30-1", "\x04\bi\x04\xff\xff\xff\x3f"},
	{-1 << 30, "-2**30", "\x04\bi\xfc\x00\x00\x00\xc0"},
	{Symbol("runtime"), ":runtime", "\x04\b:\x0cruntime"},
	{"", `""`, "\x04\bI\"\x00\x06:\x06ET"},
	{"é", `"é"`, "\x04\bI\"\x07\xc3\xa9\x06:\x06ET"},
	{strings.Repeat("x", 300), `"x"*300`, "\x04\bI\"\x02\x2c\x01" + strings.Repeat("x", 300) + "\x06:\x06ET"},
	{ASCII("UTC"), `"UTC".encode("US-ASCII")`, "\x04\bI\"\x08UTC\x06:\x06EF"},
	{Binary{0, 255}, `"\x00\xff".b`, "\x04\b\"\x07\x00\xff"},
	{[]any{}, "[]", "\x04\b[\x00"},
	{[]any{Symbol("a"), Symbol("a"), "x", "y"}, `[:a, :a, "x", "y"]`, "\x04\b[\x09:\x06a;\x00I\"\x06x\x06:\x06ETI\"\x06y\x06;\x06T"},
	{Hash{{"k", 1}, {Symbol("s"), nil}}, `{"k"=>1, :s=>nil}`, "\x04\b{\x07I\"\x06k\x06:\x06ETi\x06:\x06s0"},
	{User{"Gem::Version", []any{"1.0"}}, `Gem::Version.new("1.0")`, "\x04\bU:\x11Gem::Version[\x06I\"\x081.0\x06:\x06ET"},
}

// TestGolden: both ways, for each sort of value.
func TestGolden(t *testing.T) {
	for _, c := range cases {
		got, err := Marshal(c.value)
		if err != nil || string(got) != c.dump {
			t.Errorf("%s: %q %v, want %q", c.ruby, got, err, c.dump)
		}
		back, err := Unmarshal([]byte(c.dump), Limits{})
		if err != nil || !reflect.DeepEqual(back, c.value) {
			t.Errorf("%s: %#v %v", c.ruby, back, err)
		}
	}
}

// TestGoldenRuby: the table is what Ruby says.
func TestGoldenRuby(t *testing.T) {
	if _, err := exec.LookPath("ruby"); err != nil {
		if os.Getenv("LARDER_CLIENTS") == "all" {
			t.Fatal("LARDER_CLIENTS=all, but ruby is not installed")
		}
		t.Skip("ruby is not installed")
	}
	var script strings.Builder
	for _, c := range cases {
		script.WriteString("puts Marshal.dump(" + c.ruby + ").unpack1('H*')\n")
	}
	cmd := exec.Command("ruby", "-E", "UTF-8:UTF-8", "-")
	cmd.Stdin = strings.NewReader("# encoding: utf-8\n" + script.String())
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Fields(string(out)) {
		if want, err := hex.DecodeString(line); err != nil || string(want) != cases[i].dump {
			t.Errorf("%s: Ruby writes %q, the table has %q", cases[i].ruby, want, cases[i].dump)
		}
	}
}

// TestLinks: Ruby's links are followed, in the order in which it numbers objects.
func TestLinks(t *testing.T) {
	for dump, want := range map[string]any{
		"\x04\b[\x07I\"\x06a\x06:\x06ET@\x06":             []any{"a", "a"},
		"\x04\b[\x08[\x00@\x06[\x06@\x06":                 []any{[]any{}, []any{}, []any{[]any{}}},
		"\x04\b[\x07U:\x06V[\x06I\"\x061\x06:\x06ET@\x06": []any{User{"V", []any{"1"}}, User{"V", []any{"1"}}},
		"\x04\b[\x08u:\x06D\x06x@\x06I\"\x06a\x06:\x06ET": []any{Data{Class: "D", Raw: []byte("x")}, Data{Class: "D", Raw: []byte("x")}, "a"},
		// A Data with instance variables is numbered after what is in them.
		"\x04\b[\x07Iu:\x06D\x06x\x06:\x06zI\"\x06a\x06:\x06ET@\x06": []any{Data{"D", []byte("x"), []Ivar{{"z", "a"}}}, "a"},
	} {
		got, err := Unmarshal([]byte(dump), Limits{})
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %#v %v", dump, got, err)
		}
	}
}

// TestRefused: whatever is not of the format, not known, or too much, each with its error.
func TestRefused(t *testing.T) {
	deep := "\x04\b" + strings.Repeat("[\x06", 100) + "0"
	for dump, want := range map[string]error{
		"": ErrFormat, "\x04": ErrFormat, "\x04\t0": ErrFormat, "\x04\b": ErrFormat, "\x04\b00": ErrFormat, "\x04\bi": ErrFormat, "\x04\bi\x02\x01": ErrFormat,
		"\x04\b\"\x7fx": ErrFormat, "\x04\b[\x02\xff\xff": ErrFormat, "\x04\b[\xfa": ErrFormat, "\x04\b;\x00": ErrFormat, "\x04\b@\x00": ErrFormat, "\x04\b[\x06@\x00": ErrFormat,
		"\x04\bo\"\x00\x00": ErrFormat, "\x04\bI\"\x06\xff\x06:\x06ET": ErrFormat, "\x04\bI\"\x06x\x06:\x06Ei\x00": ErrFormat, "\x04\bi\x04\xff\xff\xff\x7f": ErrFormat,
		"\x04\bl+\x07\x00\x00\x00\x40": ErrUnsupported, "\x04\bf\x061": ErrUnsupported, "\x04\bc\x06X": ErrUnsupported, "\x04\bI[\x00\x06:\x06ET": ErrUnsupported,
		"\x04\bI\"\x06x\x06:\rencoding\"\x06x": ErrUnsupported, "\x04\bS:\x06X\x00": ErrUnsupported, "\x04\be:\x06X[\x00": ErrUnsupported,
		deep: ErrLimit,
	} {
		if v, err := Unmarshal([]byte(dump), Limits{}); !errors.Is(err, want) || v != nil {
			t.Errorf("%.60q: %#v %v, want %v", dump, v, err, want)
		}
	}
	// Each level doubles what the one before holds.
	links := []byte("\x04\b[" + string(rune(5+40)) + "[\x00")
	for i := range 39 {
		links = append(links, '[', 7, '@', byte(6+i), '@', byte(6+i))
	}
	if _, err := Unmarshal(links, Limits{}); !errors.Is(err, ErrLimit) {
		t.Errorf("links upon links: %v", err)
	}
	for _, v := range []any{1 << 30, -1<<30 - 1, 1.5, "\xff", []any{struct{}{}}, Hash{{1.5, 1}}, Object{"X", []Ivar{{"a", 1.5}}}, User{"X", 1.5}, Data{"X", nil, []Ivar{{"a", 1.5}}}} {
		if _, err := Marshal(v); !errors.Is(err, ErrUnsupported) {
			t.Errorf("%#v: %v", v, err)
		}
	}
}

func FuzzMarshal(f *testing.F) {
	for _, c := range cases {
		f.Add([]byte(c.dump))
	}
	f.Add([]byte("\x04\b[\x07U:\x06V[\x06I\"\x061\x06:\x06ET@\x06"))
	f.Add([]byte("\x04\bo:\x14Gem::Dependency\x07:\n@nameI\"\track\x06:\x06ET:\n@type:\x0cruntime"))
	f.Add([]byte("\x04\bIu:\tTime\r\xa0\xaa\x1f\xc0\x00\x00\x00\x00\x06:\tzoneI\"\x08UTC\x06:\x06EF"))
	f.Fuzz(func(t *testing.T, p []byte) {
		v, err := Unmarshal(p, Limits{Values: 10_000})
		if err != nil {
			if !errors.Is(err, ErrFormat) && !errors.Is(err, ErrUnsupported) && !errors.Is(err, ErrLimit) {
				t.Fatalf("%q: %v", p, err)
			}
			return
		}
		out, err := Marshal(v)
		if err != nil {
			t.Fatalf("%#v was read and cannot be written: %v", v, err)
		}
		again, err := Unmarshal(out, Limits{})
		if err != nil || !reflect.DeepEqual(v, again) {
			t.Fatalf("%#v\n%#v %v", v, again, err)
		}
		twice, err := Marshal(again)
		if err != nil || !bytes.Equal(out, twice) {
			t.Fatalf("%q\n%q %v", out, twice, err)
		}
	})
}
