package oci

// The short way to read the addresses of pulls says what the table of routes says.

import (
	"net/http"
	"strings"
	"testing"

	"larder/internal/wiretest"
	"larder/oci/names"
)

// checkShortcut compares the shortcut with the table, and reports whether it was taken.
var checkShortcut = wiretest.Shortcut((&server{}).endpoint())

// TestShortcutSaysWhatTheTableSays has every path of up to five components out of those that mean something anywhere.
func TestShortcutSaysWhatTheTableSays(t *testing.T) {
	paths := wiretest.Paths(rootV2, 5,
		"", "a", "manifests", "blobs", "uploads", "tags", "list", "_oci", "latest", ".", "%2e", someDigest)
	taken := 0
	for _, path := range paths {
		if checkShortcut(t, http.MethodGet, path) {
			taken++
		}
	}
	if taken < 1000 {
		t.Errorf("the shortcut was taken %d times, want at least 1000", taken)
	}
}

// TestShortcutIsForPulls: it is taken for what nearly every request of a pull asks, below both roots, and for nothing
// else.
func TestShortcutIsForPulls(t *testing.T) {
	name := strings.Repeat("a", names.MaxRepository)
	for line, want := range map[string]bool{
		"GET /v2/a/b/manifests/latest":           true,
		"HEAD /v2/a/manifests/latest":            true,
		"GET /oci/a/manifests/" + someDigest:     true,
		"GET /v2/a/manifests/" + someSHA512:      true,
		"GET /v2/a/blobs/" + someDigest:          true,
		"HEAD /oci/a/blobs/" + someDigest:        true,
		"GET /v2/" + name + "/manifests/latest":  true,
		"GET /v2/" + name + "a/manifests/latest": false,
		"PUT /v2/a/manifests/latest":             false,
		"DELETE /v2/a/blobs/" + someDigest:       false,
		"GET /v2/a/blobs/latest":                 false,
		"GET /v2/a/blobs/sha256%3A" + someHex:    false,
		"GET /v2/A/manifests/latest":             false,
		"GET /v2/manifests/latest":               false,
		"GET /v2/a/manifests/":                   false,
		"GET /v2/a/tags/list":                    false,
		"GET /v1/a/manifests/latest":             false,
		"GET /v22/a/manifests/latest":            false,
		"GET /v2":                                false,
		"GET ":                                   false,
	} {
		method, path, _ := strings.Cut(line, " ")
		if taken := checkShortcut(t, method, path); taken != want {
			t.Errorf("%.80s: the shortcut is taken: %t, want %t", line, taken, want)
		}
	}
}

func FuzzShortcut(f *testing.F) {
	for _, path := range []string{
		"/v2/a/b/manifests/latest", "/oci/a/manifests/" + someDigest, "/v2/a/blobs/" + someDigest, "/v2/a/blobs/uploads/x",
		"/v2/blobs/uploads/manifests/x", "/v2/a/manifests/%6catest", "/v2//manifests/x", "/v2/a/manifests/../x",
	} {
		for _, method := range []string{"GET", "HEAD", "PUT"} {
			f.Add(method, path)
		}
	}
	f.Fuzz(func(t *testing.T, method, path string) { checkShortcut(t, method, path) })
}

func BenchmarkParse(b *testing.B) {
	for name, path := range map[string]string{
		"tag":    "/v2/library/app/manifests/v1",
		"digest": "/v2/library/app/manifests/" + someDigest,
		"blob":   "/v2/library/app/blobs/" + someDigest,
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, ok := shortcut("GET", path); !ok {
					b.Fatal("not taken")
				}
			}
		})
	}
	for name, path := range map[string]string{
		"tags":   "/v2/library/app/tags/list",
		"upload": "/v2/library/app/blobs/uploads/0198",
		"table":  "/v2/library/app/manifests/v1",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := parse("GET", path, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
