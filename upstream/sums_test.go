package upstream

// This file gives bytes out that have other sums than announced.

import (
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// sumsOf are the sums that registries announce.
func sumsOf(p []byte) map[string]string {
	one, five, long := sha1.Sum(p), md5.Sum(p), sha512.Sum512(p)
	return map[string]string{
		"sha256": sha(p), "sha1": hex.EncodeToString(one[:]), "md5": hex.EncodeToString(five[:]),
		"sha512": hex.EncodeToString(long[:]),
	}
}

func TestHeldBackBytesComeWhenTheSumsAreRight(t *testing.T) {
	body := noise(3*tail + 17)
	for alg, sum := range sumsOf(body) {
		for what, way := range map[string]func(io.Reader) io.Reader{
			"at once": func(r io.Reader) io.Reader { return r }, "in halves": iotest.HalfReader,
			"with the end": iotest.DataErrReader,
		} {
			h, err := newHeldBack(io.NopCloser(way(bytes.NewReader(body))), Place{Sums: map[string]string{alg: sum}})
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(h)
			if err != nil || !bytes.Equal(got, body) {
				t.Errorf("%s by its %s: %d bytes, %v, want all %d", what, alg, len(got), err, len(body))
			}
			if err := h.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestHeldBackBytesNeverCompleteAWrongFile(t *testing.T) {
	for _, n := range []int{0, 1, tail, tail + 1, 5 * tail} {
		body := noise(n)
		for alg := range sumsOf(nil) {
			p := Place{Sums: map[string]string{alg: sumsOf(append(bytes.Clone(body), 'x'))[alg]}}
			h, err := newHeldBack(io.NopCloser(bytes.NewReader(body)), p)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(h)
			if !errors.Is(err, ErrBroken) || len(got) > max(n-tail, 0) {
				t.Errorf("%d bytes with another %s: %d bytes came, %v, want at most %d and ErrBroken",
					n, alg, len(got), err, max(n-tail, 0))
			}
		}
	}
}

func TestHeldBackBytesKnowTheSize(t *testing.T) {
	body := noise(100)
	h, err := newHeldBack(io.NopCloser(bytes.NewReader(body)), Place{Size: 101})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(h); !errors.Is(err, ErrBroken) ||
		!strings.Contains(err.Error(), "100 bytes instead of 101") {
		t.Errorf("a file that is too short: %d bytes, %v", len(got), err)
	}
	broken := errors.New("the connection broke")
	h, err = newHeldBack(io.NopCloser(iotest.ErrReader(broken)), Place{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(h); !errors.Is(err, broken) {
		t.Errorf("a connection that broke: %v", err)
	}
	if _, err := newHeldBack(io.NopCloser(bytes.NewReader(body)),
		Place{Sums: map[string]string{"crc32": "0"}}); err == nil {
		t.Error("a sum that nobody computes is taken for right")
	}
}

func TestVerifyComparesEverySum(t *testing.T) {
	body := []byte("file")
	right := sumsOf(body)
	got := func(alg string) string { return right[alg] }
	upper := map[string]string{"sha256": strings.ToUpper(right["sha256"])}
	if err := verify(upper, got, int64(len(body)), int64(len(body))); err != nil {
		t.Errorf("a sum in capitals: %v", err)
	}
	if err := verify(map[string]string{"sha256": right["sha256"], "md5": right["sha1"]}, got, 0, 4); !errors.Is(err,
		ErrBroken) {
		t.Errorf("one of two sums is wrong: %v, want ErrBroken", err)
	}
	if err := verify(nil, got, 5, 4); !errors.Is(err, ErrBroken) {
		t.Errorf("another size: %v, want ErrBroken", err)
	}
	if err := verify(nil, got, 0, 4); err != nil {
		t.Errorf("nothing was announced: %v", err)
	}
}
