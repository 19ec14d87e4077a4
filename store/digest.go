package store

// This file says which digests are understood.

import (
	"strings"

	"github.com/opencontainers/go-digest"

	"larder/internal/problem"
)

// ParseDigest accepts "sha256:" and "sha512:" followed by lower-case hex of the exact length; ErrInvalid otherwise.
// Other algorithms are legal in the OCI grammar, but no client in use pushes them.
func ParseDigest(s string) (digest.Digest, error) {
	alg, hex, _ := strings.Cut(s, ":")
	want := 0
	switch digest.Algorithm(alg) {
	case digest.SHA256:
		want = 64
	case digest.SHA512:
		want = 128
	default:
		return "", problem.Errorf(ErrInvalid, "digest %.80q: only sha256 and sha512 are supported", s)
	}
	if len(hex) != want || strings.Trim(hex, "0123456789abcdef") != "" {
		return "", problem.Errorf(ErrInvalid, "digest %.150q is not %d lower-case hex digits", s, want)
	}
	return digest.Digest(s), nil
}
