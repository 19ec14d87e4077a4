package store_test

// This file tests digests and kinds as clients write them.

import (
	"strings"
	"testing"

	"larder/store"
)

func TestOnlyTheSevenWordsAreKinds(t *testing.T) {
	for _, k := range store.Kinds() {
		if got, err := store.ParseKind(k.String()); got != k || err != nil {
			t.Errorf("%s: %v %v", k, got, err)
		}
	}
	for _, s := range []string{"", "NPM", "docker", "npm "} {
		if _, err := store.ParseKind(s); err == nil {
			t.Errorf("%q is a kind", s)
		}
	}
}

func TestDigestsMustBeExact(t *testing.T) {
	hex := strings.Repeat("0123456789abcdef", 8)
	for s, ok := range map[string]bool{
		"sha256:" + hex[:64]:                  true,
		"sha512:" + hex:                       true,
		"sha256:" + hex[:63]:                  false,
		"sha256:" + hex:                       false,
		"sha256:" + strings.ToUpper(hex[:64]): false,
		"sha256:" + hex[:63] + "/":            false,
		"sha384:" + hex[:96]:                  false,
		"sha256":                              false,
		"":                                    false,
		hex[:64]:                              false,
	} {
		d, err := store.ParseDigest(s)
		if (err == nil) != ok || (ok && string(d) != s) {
			t.Errorf("%q: %v %v", s, d, err)
		}
	}
}
