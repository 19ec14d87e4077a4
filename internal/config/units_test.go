package config

// This file reads and writes sizes and durations.

import (
	"math"
	"testing"
	"time"
)

func TestParseSize(t *testing.T) {
	for text, want := range map[string]Size{
		"0": 0, "4096": 4096, "10GB": 10e9, "10gb": 10e9, "512MiB": 512 << 20, "512 mib": 512 << 20, "1.5GiB": 3 << 29,
		"7B": 7, "2K": 2000, "2Ki": 2048, "1TB": 1e12, " 3MB ": 3e6, "0.5KiB": 512, "9223372036854775807": math.MaxInt64,
	} {
		if got, err := ParseSize(text); err != nil || got != want {
			t.Errorf("ParseSize(%q) = %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "GB", "-1", "+1", "1.2.3", "1e3", "1/2", "0.3B", "10XB", "1 0",
		"9223372036854775808", "9999999TiB", "0x10", "1_000", "ten"} {
		if got, err := ParseSize(text); err == nil {
			t.Errorf("ParseSize(%q) = %d; want an error", text, got)
		}
	}
}

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"0": 0, "90d": 90 * day, "2w": 14 * day, "1w1d": 8 * day, "12h": 12 * time.Hour, "1d12h30m": 36*time.Hour +
			30*time.Minute,
		"45s": 45 * time.Second, " 1h ": time.Hour, "1.5h": 90 * time.Minute, "5ms": 5 * time.Millisecond,
		"106751d": 106751 * day,
	} {
		if got, err := ParseDuration(text); err != nil || time.Duration(got) != want {
			t.Errorf("ParseDuration(%q) = %v, %v; want %v", text, time.Duration(got), err, want)
		}
	}
	for _, text := range []string{"", "d", "-1h", "-1d", "+1h", "1d-1h", "1d+1h", "90", "1h1d", "1d1w", "1.5d", "106752d",
		"106751d24h", "99999999999d", "1d ", "soon"} {
		if text == "1d " {
			continue // surrounding blanks are cut, as in " 1h "
		}
		if got, err := ParseDuration(text); err == nil {
			t.Errorf("ParseDuration(%q) = %v; want an error", text, time.Duration(got))
		}
	}
}

func TestUnitsPrintShort(t *testing.T) {
	for got, want := range map[string]string{
		Size(0).String(): "0", Size(256 << 20).String(): "256MiB", Size(10e9).String(): "10GB", Size(1001).String(): "1001B",
		Duration(0).String(): "0s", Duration(time.Hour).String(): "1h", Duration(90 * day).String(): "90d",
		Duration(day + 90*time.Minute).String(): "1d1h30m", Duration(10 * time.Minute).String(): "10m",
		Duration(20 * time.Second).String(): "20s",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func FuzzParseSize(f *testing.F) {
	for _, s := range []string{"10GB", "512MiB", "1.5 gib", "4096", "0", "9223372036854775807", "..", "1KB1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := ParseSize(s)
		if err != nil {
			return
		}
		if v < 0 {
			t.Fatalf("ParseSize(%q) = %d", s, v)
		}
		if again, err := ParseSize(v.String()); err != nil || again != v {
			t.Fatalf("%q = %d prints as %q, which reads as %d, %v", s, v, v, again, err)
		}
	})
}

func FuzzParseDuration(f *testing.F) {
	for _, s := range []string{"90d", "1w2d3h4m5s", "0", "1.5h", "5µs", "106751d23h47m16.854775807s", "1d-1h", "w"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := ParseDuration(s)
		if err != nil {
			return
		}
		if v < 0 {
			t.Fatalf("ParseDuration(%q) = %d", s, v)
		}
		if again, err := ParseDuration(v.String()); err != nil || again != v {
			t.Fatalf("%q = %d prints as %q, which reads as %d, %v", s, v, v, again, err)
		}
	})
}
