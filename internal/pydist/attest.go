package pydist

// This file checks attestations (PEP 740): their structure, and that they are about the file they came with. Signatures
// are not verified, which would need a trust root. Attestations are kept and served, and nobody is told that they were
// verified.

import (
	"encoding/base64"
	"encoding/json"
	"strings"

	"larder/internal/problem"
	"larder/internal/rawjson"
)

// maxAttestations bounds how many come with one file: one for each kind of statement.
const maxAttestations = 8

// attestation has the fields that are checked.
type attestation struct {
	Version  int `json:"version"`
	Material struct {
		Certificate  string            `json:"certificate"`
		Transparency []json.RawMessage `json:"transparency_entries"`
	} `json:"verification_material"`
	Envelope struct {
		Statement string `json:"statement"`
		Signature string `json:"signature"`
	} `json:"envelope"`
}

// statement is an in-toto statement.
type statement struct {
	Type    string `json:"_type"`
	Subject []struct {
		Name   string            `json:"name"`
		Digest map[string]string `json:"digest"`
	} `json:"subject"`
	Predicate string `json:"predicateType"`
}

func badAttestation(format string, args ...any) error {
	return problem.Errorf(problem.ErrInvalid, "The attestations cannot be used: "+format, args...)
}

// Provenance returns the provenance object for the attestations that were sent with a file, nil for none. Its error is
// problem.ErrInvalid.
func Provenance(sent string, file Filename, sha256 string) ([]byte, error) {
	if sent == "" {
		return nil, nil
	}
	var list []json.RawMessage
	if err := json.Unmarshal([]byte(sent), &list); err != nil || len(list) == 0 || len(list) > maxAttestations {
		return nil, badAttestation("they are not a JSON array of one to %d.", maxAttestations)
	}
	for _, raw := range list {
		if err := checkAttestation(raw, file, sha256); err != nil {
			return nil, err
		}
	}
	out := []byte(`{"version":1,"attestation_bundles":[{"publisher":{"kind":"unverified"},"attestations":`)
	return append(append(out, rawjson.Compact([]byte(sent))...), "}]}\n"...), nil
}

func checkAttestation(raw json.RawMessage, file Filename, sha256 string) error {
	if _, err := rawjson.Parse(raw); err != nil {
		return badAttestation("one %s", rawjson.Reason(err))
	}
	var a attestation
	if err := json.Unmarshal(raw, &a); err != nil || a.Version != 1 {
		return badAttestation("one is not of version 1.")
	}
	for _, field := range []string{a.Material.Certificate, a.Envelope.Signature} {
		if b, err := base64.StdEncoding.DecodeString(field); err != nil || len(b) == 0 {
			return badAttestation("one has no certificate or signature.")
		}
	}
	if len(a.Material.Transparency) == 0 {
		return badAttestation("one has no transparency log entry.")
	}
	var st statement
	payload, err := base64.StdEncoding.DecodeString(a.Envelope.Statement)
	if err != nil || json.Unmarshal(payload, &st) != nil || !strings.HasPrefix(st.Type, "https://in-toto.io/Statement/v") {
		return badAttestation("one holds no in-toto statement.")
	}
	return checkStatement(st, file, sha256)
}

// checkStatement checks that the file is the only subject. Build tools may have spelled its name in another way.
func checkStatement(st statement, file Filename, sha256 string) error {
	publish := strings.HasPrefix(st.Predicate, "https://") && strings.HasSuffix(st.Predicate, "/attestations/publish/v1")
	if !publish && st.Predicate != "https://slsa.dev/provenance/v1" {
		return badAttestation("one is of the unknown kind %.100q.", st.Predicate)
	}
	if len(st.Subject) != 1 {
		return badAttestation("one has %d subjects instead of one.", len(st.Subject))
	}
	about, err := ParseFilename(st.Subject[0].Name)
	if err != nil || about.Project != file.Project || about.Same() != file.Same() {
		return badAttestation("one is about the file %.100q.", st.Subject[0].Name)
	}
	if st.Subject[0].Digest["sha256"] != sha256 {
		return badAttestation("one is about a file with other bytes.")
	}
	return nil
}
