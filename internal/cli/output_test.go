package cli

// This file reads what is printed for people.

import (
	"bytes"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestBytesText(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1536: "1.5 KiB", 1<<20 - 1: "1.0 MiB", 10e9: "9.3 GiB", 1 << 62: "4.0 EiB",
	} {
		if got := bytesText(n); got != want {
			t.Errorf("%d is %q, want %q", n, got, want)
		}
	}
}

func TestTable(t *testing.T) {
	var out bytes.Buffer
	a := &app{stdout: &out}
	if err := a.table([]string{"NAME", "X"}, [][]string{{"a\x1b[2J\nb", ""}, {"c", "d"}}); err != nil {
		t.Fatal(err)
	}
	if want := "NAME     X\na [2J b  -\nc        d\n"; out.String() != want {
		t.Errorf("got %q", out.String())
	}
}

func TestProgress(t *testing.T) {
	now := time.Unix(0, 0)
	for name, c := range map[string]struct {
		tty  bool
		want string
	}{
		"lines": {false, "gc 4 of 10 (40%)\ngc 9\n"},
		"bar":   {true, "\r\x1b[K[############..................] gc 4 of 10 (40%)\r\x1b[Kgc 9\r\x1b[K"},
	} {
		var out bytes.Buffer
		a := &app{stderr: &out}
		p := a.newProgress("gc", func(n int64) string { return strconv.FormatInt(n, 10) })
		p.tty, p.every, p.now, p.last = c.tty, 3*time.Second, func() time.Time { return now }, now
		p.update(1, 10) // too soon
		now = now.Add(4 * time.Second)
		p.update(4, 10)
		p.update(5, 10) // too soon again
		now = now.Add(4 * time.Second)
		p.update(9, 0)
		p.finish()
		if out.String() != c.want {
			t.Errorf("%s: %q", name, out.String())
		}
	}
}

func TestPasswordLine(t *testing.T) {
	for in, want := range map[string]string{"secret\nmore\n": "secret", "secret": "secret",
		"with space \r\n": "with space ", "": "", "\nx": ""} {
		a := &app{stdin: strings.NewReader(in)}
		got, err := a.password("ada", true)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
}

func TestOneLine(t *testing.T) {
	if got := oneLine("a\nb\tc\u009bd é\n"); got != "a b c d é" {
		t.Errorf("%q", got)
	}
}
