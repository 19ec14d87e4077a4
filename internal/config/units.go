package config

// This file has sizes and durations: how they are read, and how they are written.

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"
)

// Size is a number of bytes; its text form is read by ParseSize.
type Size int64

// sizeUnits are the units ParseSize knows, in lower case, and what String chooses from, largest first.
func sizeUnits() []sizeUnit {
	return []sizeUnit{
		{"TiB", 1 << 40}, {"TB", 1e12}, {"GiB", 1 << 30}, {"GB", 1e9}, {"MiB", 1 << 20}, {"MB", 1e6},
		{"KiB", 1 << 10}, {"KB", 1e3}, {"B", 1},
	}
}

type sizeUnit struct {
	name  string
	bytes int64
}

// ParseSize reads a size such as "10GB" (powers of ten), "512MiB" (powers of two), "1.5 GiB" or "4096" (bytes).
// Case does not matter. A negative size, a fraction of a byte and an unknown unit are errors.
func ParseSize(s string) (Size, error) {
	number, unit := splitNumber(strings.TrimSpace(s))
	scale, ok := unitBytes(strings.TrimSpace(unit))
	if number == "" || !ok {
		return 0, fmt.Errorf("%q is not a size; write bytes as 4096, 512MiB or 10GB", s)
	}
	r, ok := new(big.Rat).SetString(number)
	if !ok {
		return 0, fmt.Errorf("%q is not a size; write bytes as 4096, 512MiB or 10GB", s)
	}
	r.Mul(r, new(big.Rat).SetInt64(scale))
	if !r.IsInt() {
		return 0, fmt.Errorf("%q is not a whole number of bytes", s)
	}
	if !r.Num().IsInt64() {
		return 0, fmt.Errorf("%q is larger than any disk", s)
	}
	return Size(r.Num().Int64()), nil
}

// splitNumber cuts s after its leading digits and dots; at most 40 of them, so that no input makes a huge number.
func splitNumber(s string) (number, rest string) {
	n := 0
	for n < len(s) && n < 40 && (s[n] >= '0' && s[n] <= '9' || s[n] == '.') {
		n++
	}
	return s[:n], s[n:]
}

func unitBytes(name string) (int64, bool) {
	if name == "" {
		return 1, true
	}
	for _, u := range sizeUnits() {
		if strings.EqualFold(u.name, name) || strings.EqualFold(strings.TrimSuffix(u.name, "B"), name) {
			return u.bytes, true
		}
	}
	return 0, false
}

// String is the size in the largest unit that expresses it exactly; ParseSize reads it back.
func (s Size) String() string {
	for _, u := range sizeUnits() {
		if s != 0 && int64(s)%u.bytes == 0 {
			return strconv.FormatInt(int64(s)/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// Set reads s; with String and Type it makes a Size a flag's value.
func (s *Size) Set(text string) (err error) { return setTo(s, text, ParseSize) }

// Type names the value in a command's help.
func (s *Size) Type() string { return "size" }

// Duration is a length of time; its text form is read by ParseDuration.
type Duration time.Duration

const day = 24 * time.Hour

// errDuration is completed by ParseDuration with what was read.
var errDuration = errors.New("is not a duration; write it as 90d, 12h, 30m or 1d12h")

// ParseDuration reads a length of time such as "90d", "2w", "12h", "1d12h30m" or "45s". Days have 24 hours; "0" is no
// time. Negative durations are errors.
func ParseDuration(s string) (Duration, error) {
	rest := strings.TrimSpace(s)
	var total time.Duration
	for _, u := range []struct {
		mark   byte
		length time.Duration
	}{{'w', 7 * day}, {'d', day}} {
		i := strings.IndexByte(rest, u.mark)
		if i < 0 {
			continue
		}
		n, err := strconv.ParseUint(rest[:i], 10, 32)
		if err != nil || time.Duration(n) > (math.MaxInt64-total)/u.length {
			return 0, fmt.Errorf("%q %w", s, errDuration)
		}
		total += time.Duration(n) * u.length
		rest = rest[i+1:]
		if rest == "" {
			return Duration(total), nil
		}
	}
	d, err := time.ParseDuration(rest)
	if err != nil || d < 0 || rest[0] == '-' || rest[0] == '+' || d > math.MaxInt64-total {
		return 0, fmt.Errorf("%q %w", s, errDuration)
	}
	return Duration(total + d), nil
}

// String is the duration in days, hours, minutes and seconds without zero parts; ParseDuration reads it back.
func (d Duration) String() string {
	t := time.Duration(d)
	days := ""
	if t >= day {
		days = strconv.FormatInt(int64(t/day), 10) + "d"
		t %= day
		if t == 0 {
			return days
		}
	}
	s := t.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return days + s
}

// Std is d as the standard library's type.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// Set reads s; with String and Type it makes a Duration a flag's value.
func (d *Duration) Set(text string) error { return setTo(d, text, ParseDuration) }

// Type names the value in a command's help.
func (d *Duration) Type() string { return "duration" }

// setTo parses text into *dst and leaves it alone on error.
func setTo[T any](dst *T, text string, parse func(string) (T, error)) error {
	v, err := parse(text)
	if err != nil {
		return err
	}
	*dst = v
	return nil
}
