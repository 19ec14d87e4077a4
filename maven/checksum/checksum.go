// Package checksum computes the four checksums that belong to every file, and reads those others have written. Pure.
package checksum

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"net/http"
	"strings"
)

// Set are the four checksums of some bytes.
type Set struct{ MD5, SHA1, SHA256, SHA512 string }

// Get is one of them: md5, sha1, sha256 or sha512.
func (f Set) Get(alg string) string {
	switch alg {
	case "md5":
		return f.MD5
	case "sha1":
		return f.SHA1
	case "sha256":
		return f.SHA256
	}
	return f.SHA512
}

// Header writes the headers that save newer clients the request for a checksum; they are those of the bytes without
// encoding.
func (f Set) Header(h http.Header) {
	values := [...]string{f.SHA1, f.MD5, f.SHA256}
	h["X-Checksum-Sha1"], h["X-Checksum-Md5"], h["X-Checksum-Sha256"] = values[0:1:1], values[1:2:2], values[2:3:3]
}

// Of computes all four.
func Of(p []byte) Set {
	m, s1, s2, s5 := md5.Sum(p), sha1.Sum(p), sha256.Sum256(p), sha512.Sum512(p)
	return Set{hex.EncodeToString(m[:]), hex.EncodeToString(s1[:]), hex.EncodeToString(s2[:]), hex.EncodeToString(s5[:])}
}

// Parse reads a checksum as tools write it: bare, before or after a file's name, or in spaced pairs. "" when there
// is none of that algorithm.
func Parse(text, alg string) string {
	size := map[string]int{"md5": 32, "sha1": 40, "sha256": 64, "sha512": 128}[alg]
	for line := range strings.Lines(text) {
		line = strings.ToLower(strings.TrimSpace(line))
		if line == "" {
			continue
		}
		if _, after, ok := strings.Cut(line, " = "); ok {
			line = after
		}
		if _, after, ok := strings.Cut(line, ": "); ok {
			line = strings.ReplaceAll(after, " ", "")
		}
		for _, word := range strings.Fields(line) {
			if len(word) == size && strings.Trim(word, "0123456789abcdef") == "" {
				return word
			}
		}
		return ""
	}
	return ""
}
