package npm

// Registry signatures: ECDSA P-256 over "name@version:integrity", verified by npm and pnpm audit signatures.

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"

	"larder/internal/wire"
)

// signer signs with a key that is made from a secret of the store, so that a backup has it too.
type signer struct {
	key *ecdsa.PrivateKey
	id  string // "SHA256:" and base64 of the sha256 of spki
	der []byte // public key, SubjectPublicKeyInfo
}

// newSigner derives the key. Of 2^32 secrets one gives no key at once; a counter finds the next candidate.
func newSigner(secret []byte) (*signer, error) {
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
		return &signer{key, "SHA256:" + base64.StdEncoding.EncodeToString(sum[:]), der}, nil
	}
	return nil, errors.New("npm signing key: the secret gives no key")
}

// sign returns the base64 of the DER signature of one version.
func (s *signer) sign(name, version, integrity string) (string, error) {
	sum := sha256.Sum256([]byte(name + "@" + version + ":" + integrity))
	sig, err := ecdsa.SignASN1(rand.Reader, s.key, sum[:])
	if err != nil {
		return "", fmt.Errorf("sign %s@%s: %w", name, version, err)
	}
	return base64.StdEncoding.EncodeToString(sig), nil
}

// publicKey is one element of the keys end point.
type publicKey struct {
	Expires *string `json:"expires"` // null: never
	KeyID   string  `json:"keyid"`
	KeyType string  `json:"keytype"`
	Scheme  string  `json:"scheme"`
	Key     string  `json:"key"`
}

func (s *signer) public() publicKey {
	const scheme = "ecdsa-sha2-nistp256"
	return publicKey{KeyID: s.id, KeyType: scheme, Scheme: scheme, Key: base64.StdEncoding.EncodeToString(s.der)}
}

// lazySigner makes the key when it is first needed: a server that never serves npm writes no secret.
type lazySigner struct {
	mu  sync.Mutex // guards got
	got *signer
}

func (s *server) signer(r *http.Request) (*signer, error) {
	l := &s.lazy
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.got != nil {
		return l.got, nil
	}
	secret, err := s.store.Secret(r.Context(), "npm.sign", 32)
	if err != nil {
		return nil, err
	}
	l.got, err = newSigner(secret)
	return l.got, err
}

// keys answers with the public key; audit signatures asks for it once.
func (s *server) keys(w http.ResponseWriter, r *http.Request, _ Request) error {
	k, err := s.signer(r)
	if err != nil {
		return err
	}
	own, err := json.Marshal(k.public())
	if err != nil {
		return err
	}
	return wire.JSON(w, http.StatusOK, map[string][]json.RawMessage{"keys": s.proxiedKeys(r.Context(), []json.RawMessage{own})})
}
