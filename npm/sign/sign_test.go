package sign

// Signatures and the key that verifies them.

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"testing"
)

// TestPublicKeyVerifies: with the public key alone a signature can be checked, for these words and no others.
func TestPublicKeyVerifies(t *testing.T) {
	k, err := New([]byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	again, err := New([]byte("secret"))
	if err != nil || again.Public() != k.Public() {
		t.Errorf("the same secret gives another key: %v", err)
	}
	if other, err := New([]byte("other")); err != nil || other.ID() == k.ID() {
		t.Errorf("another secret gives the same key: %v", err)
	}
	p := k.Public()
	der, err := base64.StdEncoding.DecodeString(p.Key)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(der)
	if p.KeyID != "SHA256:"+base64.StdEncoding.EncodeToString(sum[:]) || p.KeyID != k.ID() ||
		p.KeyType != "ecdsa-sha2-nistp256" || p.Scheme != p.KeyType || p.Expires != nil {
		t.Errorf("%+v", p)
	}
	public, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		t.Fatal(err)
	}
	text, err := k.Sign("@sc/demo", "1.0.0", "sha512-x")
	if err != nil {
		t.Fatal(err)
	}
	sig, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	for message, want := range map[string]bool{
		"@sc/demo@1.0.0:sha512-x": true, "@sc/demo@1.0.1:sha512-x": false, "@sc/demo@1.0.0:sha512-y": false,
	} {
		digest := sha256.Sum256([]byte(message))
		if got := ecdsa.VerifyASN1(public.(*ecdsa.PublicKey), digest[:], sig); got != want {
			t.Errorf("%s: %v", message, got)
		}
	}
}
