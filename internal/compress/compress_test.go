package compress

// What is compressed and comes back, and what is not worth it.

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestBackAndForth(t *testing.T) {
	noise := make([]byte, 10_000)
	_, _ = rand.NewChaCha8([32]byte{}).Read(noise)
	for _, tt := range []struct {
		body    []byte
		smaller bool
	}{
		{[]byte(strings.Repeat("all work and no play ", 5000)), true}, {bytes.Repeat(noise, 2), true}, {noise, false},
		{nil, false}, {[]byte("tiny"), false},
	} {
		gz, err := Gzip(tt.body)
		if err != nil || (gz != nil) != tt.smaller || len(gz) > 0 && len(gz) >= len(tt.body) {
			t.Errorf("%d bytes: %d in gzip, %v", len(tt.body), len(gz), err)
		}
		z, err := Zstd(tt.body)
		if err != nil || (z != nil) != tt.smaller || len(z) > 0 && len(z) >= len(tt.body) {
			t.Errorf("%d bytes: %d in zstd, %v", len(tt.body), len(z), err)
		}
		if !tt.smaller {
			continue
		}
		a, err := Gunzip(gz, int64(len(tt.body)))
		b, err2 := Unzstd(z, int64(len(tt.body)))
		if err != nil || err2 != nil || !bytes.Equal(a, tt.body) || !bytes.Equal(b, tt.body) {
			t.Errorf("%d bytes come back as %d and %d: %v %v", len(tt.body), len(a), len(b), err, err2)
		}
		if _, err := Gunzip(gz[:len(gz)/2], int64(len(tt.body))); err == nil {
			t.Error("half of it was taken for all")
		}
		if _, err := Unzstd(z[:len(z)/2], int64(len(tt.body))); err == nil {
			t.Error("half of it was taken for all")
		}
	}
}
