package store

// This file tests the pace at which blobs are read again.

import (
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
)

// TestScrubRate: the pause after so many bytes keeps the rate, and is never negative.
func TestScrubRate(t *testing.T) {
	for _, c := range []struct {
		bytes, rate int64
		took, want  time.Duration
	}{
		{1 << 20, 0, 0, 0},
		{1 << 20, 1 << 20, 0, time.Second},
		{1 << 20, 1 << 20, 400 * time.Millisecond, 600 * time.Millisecond},
		{1 << 20, 1 << 20, 2 * time.Second, 0},
		{1 << 40, 1 << 20, 0, (1 << 20) * time.Second},
	} {
		if got := delayFor(c.bytes, c.rate, c.took); got != c.want {
			t.Errorf("after %d bytes in %v at %d a second: %v, want %v", c.bytes, c.took, c.rate, got, c.want)
		}
	}
}

// TestShareOfDigests: digests are read in order, so the first half of them is read in the first half of a period.
func TestShareOfDigests(t *testing.T) {
	for hex, want := range map[string]float64{"00": 0, "40": 0.25, "80": 0.5, "c0": 0.75} {
		d := digest.NewDigestFromEncoded(digest.SHA256, hex+strings.Repeat("0", 62))
		if got := share(d); got != want {
			t.Errorf("share(%s…) is %v, want %v", hex, got, want)
		}
	}
	if got := share("sha256:short"); got != 0 {
		t.Errorf("share of a row that a check reports is %v, want 0: it is read at once", got)
	}
}
