package pypi

// How projects' names and versions are written, and which of them are the same.

import (
	"fmt"
	"strings"

	"larder/internal/pep440"
	"larder/internal/pydist"
	"larder/upstream"
)

// Spelling is for rules about names and versions (PEP 503, PEP 440).
func Spelling() upstream.Spelling {
	return upstream.Spelling{
		Name: func(name string) (string, error) {
			if err := pydist.CheckName(name); err != nil {
				return "", err
			}
			return pydist.Normalise(name), nil
		},
		Fold: pydist.Fold,
		Same: sameVersion,
		Also: func(version string) []string {
			v, err := pep440.Parse(version)
			if err != nil {
				return []string{strings.ToLower(version)}
			}
			public, _, _ := strings.Cut(v.String(), "+")
			return append(upstream.Padded(v.String()), upstream.Padded(public)...)
		},
		Pattern: func(pattern string) string {
			return strings.TrimPrefix(strings.TrimPrefix(strings.ToLower(pattern), "v"), "0!")
		},
		Version: func(pattern string) error {
			if !strings.ContainsAny(pattern, "*0123456789") {
				return fmt.Errorf("%q is no version: it has no number", pattern)
			}
			return nil
		},
		NameChars: "-_.", VersionChars: "-_.+!",
	}
}

// sameVersion is the operator == of PEP 440: 1.0 is 1.0.0, v1 and, as the rule says nothing of a local label, 1.0+cpu.
func sameVersion(rule, version string) bool {
	r, rerr := pep440.Parse(rule)
	v, verr := pep440.Parse(version)
	if rerr != nil || verr != nil {
		return strings.EqualFold(rule, version)
	}
	if !strings.Contains(rule, "+") {
		public, _, _ := strings.Cut(v.String(), "+")
		return pep440.Equal(r.String(), public)
	}
	return pep440.Equal(r.String(), v.String())
}
