package storetest

// This file damages the files of blobs as a disk does.

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
)

// Damages are the ways in which a blob's file can go bad.
func Damages() []string { return []string{"flip", "truncate", "empty", "missing"} }

// BlobPath is where the bytes of the sha256 digest d are in the data folder dir.
func BlobPath(dir string, d digest.Digest) string {
	return filepath.Join(dir, "blobs", "sha256", d.Encoded()[:2], d.Encoded())
}

// Damage breaks the file of d in the data folder dir in one of the ways of Damages.
func Damage(t testing.TB, dir string, d digest.Digest, how string) {
	t.Helper()
	path := BlobPath(dir, d)
	body, err := os.ReadFile(path)
	if err == nil {
		err = os.Remove(path)
	}
	if err != nil {
		t.Fatal(err)
	}
	switch how {
	case "missing":
		return
	case "flip":
		body[len(body)/2] ^= 1
	case "truncate":
		body = body[:len(body)/2]
	case "empty":
		body = nil
	default:
		t.Fatalf("no damage is called %q", how)
	}
	if err := os.WriteFile(path, body, 0o440); err != nil {
		t.Fatal(err)
	}
	// A file that is put right at once must have another time than this one, and clocks of file systems are coarse.
	past := time.Now().Add(-time.Minute)
	if err := os.Chtimes(path, past, past); err != nil {
		t.Fatal(err)
	}
}
