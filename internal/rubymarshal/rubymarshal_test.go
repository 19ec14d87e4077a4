package rubymarshal_test

// Values and the bytes that Ruby 3.1 writes of them, both ways.

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"testing"

	. "larder/internal/rubymarshal"
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
	{
		[]any{Symbol("a"), Symbol("a"), "x", "y"}, `[:a, :a, "x", "y"]`,
		"\x04\b[\x09:\x06a;\x00I\"\x06x\x06:\x06ETI\"\x06y\x06;\x06T",
	},
	{
		Hash{{Key: "k", Value: 1}, {Key: Symbol("s")}}, `{"k"=>1, :s=>nil}`,
		"\x04\b{\x07I\"\x06k\x06:\x06ETi\x06:\x06s0",
	},
	{
		User{Class: "Gem::Version", Value: []any{"1.0"}}, `Gem::Version.new("1.0")`,
		"\x04\bU:\x11Gem::Version[\x06I\"\x081.0\x06:\x06ET",
	},
}

func TestValueIsWrittenAsRubyWritesIt(t *testing.T) {
	for _, c := range cases {
		got, err := Marshal(c.value)
		if err != nil {
			t.Errorf("Marshal(%#v): %v", c.value, err)
		}
		if string(got) != c.dump {
			t.Errorf("Marshal(%#v) is %q, want %q as Ruby writes %s", c.value, got, c.dump, c.ruby)
		}
	}
}

func TestDumpOfRubyIsRead(t *testing.T) {
	for _, c := range cases {
		got, err := Unmarshal([]byte(c.dump), Limits{})
		if err != nil {
			t.Errorf("Unmarshal(%q): %v", c.dump, err)
		}
		if !reflect.DeepEqual(got, c.value) {
			t.Errorf("Unmarshal(%q) is %#v, want %#v", c.dump, got, c.value)
		}
	}
}

// The table of cases is what Ruby says.
func TestRubyWritesTheTable(t *testing.T) {
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

func TestUnknownValueIsNotWritten(t *testing.T) {
	for _, v := range []any{
		1 << 30, -1<<30 - 1, 1.5, "\xff", []any{struct{}{}}, Hash{{Key: 1.5, Value: 1}},
		Object{Class: "X", Ivars: []Ivar{{Name: "a", Value: 1.5}}}, User{Class: "X", Value: 1.5},
		Data{Class: "X", Ivars: []Ivar{{Name: "a", Value: 1.5}}},
	} {
		if _, err := Marshal(v); !errors.Is(err, ErrUnsupported) {
			t.Errorf("Marshal(%#v) gives the error %v, want %v", v, err, ErrUnsupported)
		}
	}
}

// What is read is written, and read again as the same.
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
			for _, known := range []error{ErrFormat, ErrLimit, ErrUnsupported} {
				if errors.Is(err, known) {
					return
				}
			}
			t.Fatalf("Unmarshal(%q) gives an error that is none of its own: %v", p, err)
		}
		out, err := Marshal(v)
		if err != nil {
			t.Fatalf("%#v was read and cannot be written: %v", v, err)
		}
		again, err := Unmarshal(out, Limits{})
		if err != nil || !reflect.DeepEqual(v, again) {
			t.Fatalf("%#v was written and is read as %#v, %v", v, again, err)
		}
		twice, err := Marshal(again)
		if err != nil || !bytes.Equal(out, twice) {
			t.Fatalf("%#v is written as %q, and then as %q, %v", v, out, twice, err)
		}
	})
}
