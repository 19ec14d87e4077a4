package rubymarshal

// Links between values, and streams that are refused.

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

// Links count objects in the order in which Ruby numbers them.
func TestLinksAreFollowed(t *testing.T) {
	version := User{Class: "V", Value: []any{"1"}}
	data := Data{Class: "D", Raw: []byte("x")}
	zoned := Data{Class: "D", Raw: []byte("x"), Ivars: []Ivar{{Name: "z", Value: "a"}}}
	for dump, want := range map[string]any{
		"\x04\b[\x07I\"\x06a\x06:\x06ET@\x06":             []any{"a", "a"},
		"\x04\b[\x08[\x00@\x06[\x06@\x06":                 []any{[]any{}, []any{}, []any{[]any{}}},
		"\x04\b[\x07U:\x06V[\x06I\"\x061\x06:\x06ET@\x06": []any{version, version},
		"\x04\b[\x08u:\x06D\x06x@\x06I\"\x06a\x06:\x06ET": []any{data, data, "a"},
		// A Data with instance variables is numbered after what is in them.
		"\x04\b[\x07Iu:\x06D\x06x\x06:\x06zI\"\x06a\x06:\x06ET@\x06": []any{zoned, "a"},
	} {
		got, err := Unmarshal([]byte(dump), Limits{})
		if err != nil {
			t.Errorf("Unmarshal(%q): %v", dump, err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("Unmarshal(%q) is %#v, want %#v", dump, got, want)
		}
	}
}

func TestMalformedStreamIsRefused(t *testing.T) {
	for _, dump := range []string{
		"", "\x04", "\x04\t0", "\x04\b", "\x04\b00", "\x04\bi", "\x04\bi\x02\x01", "\x04\b\"\x7fx",
		"\x04\b[\x02\xff\xff", "\x04\b[\xfa", "\x04\b;\x00", "\x04\b@\x00", "\x04\b[\x06@\x00", "\x04\bo\"\x00\x00",
		"\x04\bI\"\x06\xff\x06:\x06ET", "\x04\bI\"\x06x\x06:\x06Ei\x00", "\x04\bi\x04\xff\xff\xff\x7f",
	} {
		wantError(t, dump, ErrFormat)
	}
}

func TestUnknownTypeIsRefused(t *testing.T) {
	for _, dump := range []string{
		"\x04\bl+\x07\x00\x00\x00\x40", "\x04\bf\x061", "\x04\bc\x06X", "\x04\bI[\x00\x06:\x06ET",
		"\x04\bI\"\x06x\x06:\rencoding\"\x06x", "\x04\bS:\x06X\x00", "\x04\be:\x06X[\x00",
	} {
		wantError(t, dump, ErrUnsupported)
	}
}

func TestStreamBeyondLimitsIsRefused(t *testing.T) {
	wantError(t, "\x04\b"+strings.Repeat("[\x06", 100)+"0", ErrLimit)
	// Each level doubles what the one before holds.
	links := []byte("\x04\b[" + string(rune(5+40)) + "[\x00")
	for i := range 39 {
		links = append(links, '[', 7, '@', byte(6+i), '@', byte(6+i))
	}
	wantError(t, string(links), ErrLimit)
}

func wantError(t *testing.T, dump string, want error) {
	t.Helper()
	v, err := Unmarshal([]byte(dump), Limits{})
	if !errors.Is(err, want) {
		t.Errorf("Unmarshal(%.60q) gives the error %v, want %v", dump, err, want)
	}
	if v != nil {
		t.Errorf("Unmarshal(%.60q) gives the value %#v beside its error", dump, v)
	}
}
