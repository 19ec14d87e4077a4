// Package sign makes registry signatures: ECDSA P-256 over "name@version:integrity", which npm and
// pnpm audit signatures verify.
package sign

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
)

// Key signs with a key that is made from a secret of the store, so that a backup has it too.
type Key struct {
	key *ecdsa.PrivateKey
	id  string // "SHA256:" and base64 of the sha256 of spki
	der []byte // public key, SubjectPublicKeyInfo
}

// New derives the key. Of 2^32 secrets one gives no key at once; a counter finds the next candidate.
func New(secret []byte) (*Key, error) {
	for n := range byte(8) {
		scalar := sha256.Sum256(append([]byte{n}, secret...))
		key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), scalar[:])
		if err != nil {
			continue
		}
		der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
		if err != nil {
			return nil, fmt.Errorf("npm signing key: %w", err)
		}
		sum := sha256.Sum256(der)
		return &Key{key, "SHA256:" + base64.StdEncoding.EncodeToString(sum[:]), der}, nil
	}
	return nil, errors.New("npm signing key: the secret gives no key")
}

// Sign returns the base64 of the DER signature of one version.
func (k *Key) Sign(name, version, integrity string) (string, error) {
	sum := sha256.Sum256([]byte(name + "@" + version + ":" + integrity))
	sig, err := ecdsa.SignASN1(rand.Reader, k.key, sum[:])
	if err != nil {
		return "", fmt.Errorf("sign %s@%s: %w", name, version, err)
	}
	return base64.StdEncoding.EncodeToString(sig), nil
}

// Public is one element of the keys end point.
type Public struct {
	Expires *string `json:"expires"` // null: never
	KeyID   string  `json:"keyid"`
	KeyType string  `json:"keytype"`
	Scheme  string  `json:"scheme"`
	Key     string  `json:"key"`
}

func (k *Key) Public() Public {
	const scheme = "ecdsa-sha2-nistp256"
	return Public{KeyID: k.id, KeyType: scheme, Scheme: scheme, Key: base64.StdEncoding.EncodeToString(k.der)}
}

// ID names the key in signatures.
func (k *Key) ID() string { return k.id }
