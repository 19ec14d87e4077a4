package compress

// What is compressed and comes back, and what is not worth it.

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
)

// methods are the two ways to compress.
var methods = map[string]struct {
	pack   func([]byte) ([]byte, error)
	unpack func([]byte, int64) ([]byte, error)
}{"gzip": {Gzip, Gunzip}, "zstd": {Zstd, Unzstd}}

func noise(n int) []byte {
	p := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{}).Read(p)
	return p
}

func TestCompressedDocumentComesBack(t *testing.T) {
	for name, m := range methods {
		for _, body := range [][]byte{
			[]byte(strings.Repeat("all work and no play ", 5000)), bytes.Repeat(noise(10_000), 2),
		} {
			packed, err := m.pack(body)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if packed == nil || len(packed) >= len(body) {
				t.Errorf("%s makes %d bytes of %d, want fewer", name, len(packed), len(body))
			}
			got, err := m.unpack(packed, int64(len(body)))
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if !bytes.Equal(got, body) {
				t.Errorf("%s: %d bytes come back as %d others", name, len(body), len(got))
			}
			if _, err := m.unpack(packed[:len(packed)/2], int64(len(body))); err == nil {
				t.Errorf("%s unpacks half of a document without an error", name)
			}
		}
	}
}

func TestNothingIsReturnedIfNoSmaller(t *testing.T) {
	for name, m := range methods {
		for _, body := range [][]byte{noise(10_000), nil, []byte("tiny")} {
			packed, err := m.pack(body)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if packed != nil {
				t.Errorf("%s makes %d bytes of %d, want nil", name, len(packed), len(body))
			}
		}
	}
}
