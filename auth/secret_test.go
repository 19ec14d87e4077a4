package auth

// The form of tokens: a mistyped one is told without a look into the store.

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"
)

func TestTokensHaveTheirForm(t *testing.T) {
	seen := map[string]bool{}
	for range 2000 {
		s := newSecret()
		if len(s) != tokenLen || !strings.HasPrefix(s, "larder_") || !IsToken(s) || seen[s] {
			t.Fatalf("%q is no token, or not new", s)
		}
		seen[s] = true
		for _, r := range s[len(tokenPrefix):] {
			if !strings.ContainsRune(digits, r) {
				t.Fatalf("%q holds %q", s, r)
			}
		}
	}
}

func TestIsTokenFindsTypos(t *testing.T) {
	s := newSecret()
	for i := range s {
		for _, c := range "0aZ" {
			if typo := s[:i] + string(c) + s[i+1:]; typo != s && IsToken(typo) {
				t.Errorf("%q differs at %d and passes", typo, i)
			}
		}
		if IsToken(s[:i]) || IsToken(s[:i]+s[i+1:]) ||
			(i < len(s)-1 && s[i] != s[i+1] && IsToken(s[:i]+s[i+1:i+2]+s[i:i+1]+s[i+2:])) {
			t.Errorf("a cut, lost or swapped character at %d passes", i)
		}
	}
	for _, bad := range []string{
		"", "larder_", s + " ", " " + s, s + "x", strings.ToUpper(s), "eyJhbGciOiJIUzI1NiJ9.e30.x",
	} {
		if IsToken(bad) {
			t.Errorf("%q passes", bad)
		}
	}
}

func TestTokenIDIsNoSecret(t *testing.T) {
	s := newSecret()
	sum := sha256.Sum256([]byte(s))
	if id, ok := TokenID(s); !ok || id != hex.EncodeToString(sum[:8]) {
		t.Errorf("the id of a token is %q, %t; want the beginning of its SHA-256", id, ok)
	}
	if id, ok := TokenID(s[:len(s)-1]); ok || id != "" {
		t.Errorf("what is no token has the id %q, %t; want none", id, ok)
	}
}
