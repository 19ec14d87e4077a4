package archive

// Attestations: which file a Sigstore bundle is about.

import (
	"bytes"
	"encoding/hex"
	"encoding/json"

	"larder/internal/problem"
)

// bundle is what of a Sigstore bundle says which file it is about.
type bundle struct {
	MessageSignature *struct {
		MessageDigest struct {
			Algorithm string `json:"algorithm"`
			Digest    []byte `json:"digest"`
		} `json:"messageDigest"`
	} `json:"messageSignature"`
	Envelope *struct {
		Payload []byte `json:"payload"`
	} `json:"dsseEnvelope"`
}

// CheckBundles accepts a JSON array of Sigstore bundles about the file with the SHA-256 sha, in hex. It does not verify
// the signatures: whom to trust is up to clients.
func CheckBundles(raw []byte, sha string) error {
	var list []bundle
	if err := json.Unmarshal(raw, &list); err != nil || len(list) == 0 {
		return problem.Errorf(problem.ErrInvalid, "The attestations are not a JSON array of Sigstore bundles.")
	}
	for _, b := range list {
		if !b.about(sha) {
			return problem.Errorf(problem.ErrInvalid, "An attestation is not about this gem: its sha256 is %s.", sha)
		}
	}
	return nil
}

func (b *bundle) about(sha string) bool {
	if m := b.MessageSignature; m != nil {
		return m.MessageDigest.Algorithm == "SHA2_256" && hex.EncodeToString(m.MessageDigest.Digest) == sha
	}
	if b.Envelope == nil {
		return false
	}
	var statement struct {
		Subject []struct {
			Digest map[string]string `json:"digest"`
		} `json:"subject"`
	}
	if err := json.NewDecoder(bytes.NewReader(b.Envelope.Payload)).Decode(&statement); err != nil {
		return false
	}
	return len(statement.Subject) == 1 && statement.Subject[0].Digest["sha256"] == sha
}
