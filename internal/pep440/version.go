// Package pep440 reads, normalises and orders versions of Python packages (PEP 440, now the version specifiers page of
// the packaging specifications). Versions have epochs, any number of parts, pre-, post- and development releases at the
// same time, and local labels, which no other kind of version has.
package pep440

import (
	"bytes"
	"errors"
	"regexp"
	"slices"
	"strings"
)

// ErrVersion is the error of a text that is no version.
var ErrVersion = errors.New("not a version (PEP 440)")

// maxLength bounds a version's text: the number of digits of any number in it fits in a byte of its key.
const maxLength = 200

// grammar is the permissive form of the specification's appendix, on lower-case ASCII.
var grammar = regexp.MustCompile(`^v?(?:([0-9]+)!)?([0-9]+(?:\.[0-9]+)*)` +
	`(?:[-_.]?(alpha|a|beta|b|preview|pre|c|rc)[-_.]?([0-9]+)?)?` +
	`(?:-([0-9]+)|[-_.]?(post|rev|r)[-_.]?([0-9]+)?)?` +
	`(?:[-_.]?(dev)[-_.]?([0-9]+)?)?` +
	`(?:\+([a-z0-9]+(?:[-_.][a-z0-9]+)*))?$`)

// Version is a parsed version. Numbers are kept as digits without leading zeros: some are dates with a time.
type Version struct {
	epoch   string
	release []string
	phase   string // "a", "b", "rc" or ""
	pre     string
	post    string // "" when it is none
	dev     string // "" when it is none
	local   []string
}

// Parse reads a version in any of the spellings that the specification accepts. Its error is ErrVersion.
func Parse(s string) (Version, error) {
	s = strings.Trim(s, " \t\r\n\f\v")
	if len(s) > maxLength {
		return Version{}, ErrVersion
	}
	for i := range len(s) {
		// Unicode's case folding would turn some other letters into ASCII ones.
		if s[i] >= 0x80 {
			return Version{}, ErrVersion
		}
	}
	if parts, ok := plain(s); ok {
		return Version{epoch: "0", release: parts}, nil
	}
	m := grammar.FindStringSubmatch(strings.ToLower(s))
	if m == nil {
		return Version{}, ErrVersion
	}
	v := Version{epoch: digits(m[1]), phase: phase(m[3])}
	for part := range strings.SplitSeq(m[2], ".") {
		v.release = append(v.release, digits(part))
	}
	if v.phase != "" {
		v.pre = digits(m[4])
	}
	if m[5] != "" {
		v.post = digits(m[5])
	} else if m[6] != "" {
		v.post = digits(m[7])
	}
	if m[8] != "" {
		v.dev = digits(m[9])
	}
	if m[10] != "" {
		v.local = strings.FieldsFunc(m[10], func(r rune) bool { return r == '-' || r == '_' || r == '.' })
		for i, part := range v.local {
			if numeric(part) {
				v.local[i] = digits(part)
			}
		}
	}
	return v, nil
}

// plain reads the most common versions, numbers between dots, without the grammar: pages name thousands of them.
func plain(s string) ([]string, bool) {
	for i := range len(s) {
		if c := s[i]; c != '.' && (c < '0' || c > '9') {
			return nil, false
		}
	}
	parts := strings.Split(s, ".")
	for i, p := range parts {
		if p == "" {
			return nil, false
		}
		parts[i] = digits(p)
	}
	return parts, true
}

// digits removes leading zeros; "" is 0.
func digits(s string) string {
	s = strings.TrimLeft(s, "0")
	if s == "" {
		return "0"
	}
	return s
}

func numeric(s string) bool { return strings.Trim(s, "0123456789") == "" }

func phase(word string) string {
	switch word {
	case "alpha", "a":
		return "a"
	case "beta", "b":
		return "b"
	case "":
		return ""
	}
	return "rc"
}

// String returns the normalised form. It keeps zeros at the end of the release.
func (v Version) String() string {
	var b strings.Builder
	if v.epoch != "0" {
		b.WriteString(v.epoch + "!")
	}
	b.WriteString(strings.Join(v.release, "."))
	if v.phase != "" {
		b.WriteString(v.phase + v.pre)
	}
	if v.post != "" {
		b.WriteString(".post" + v.post)
	}
	if v.dev != "" {
		b.WriteString(".dev" + v.dev)
	}
	if len(v.local) > 0 {
		b.WriteString("+" + strings.Join(v.local, "."))
	}
	return b.String()
}

// Prerelease reports whether installers skip the version unless asked: alpha, beta, candidate or development release.
func (v Version) Prerelease() bool { return v.phase != "" || v.dev != "" }

// The bytes of a key. Their values are in the order of versions.
const (
	keyEnd = 0x00 // of a list; before every element

	preBeforeAll, preAlpha, preBeta, preCandidate, preNone = 0x01, 0x02, 0x03, 0x04, 0x05
	postNone, postNumber                                   = 0x01, 0x02
	devNumber, devNone                                     = 0x01, 0x02
	localText, localNumber                                 = 0x01, 0x02
)

// Key returns bytes whose order is the order of versions. Two versions have one key if and only if they are the same
// release (1.0 and 1.0.0), and no key is the beginning of another.
func (v Version) Key() []byte {
	k := appendNumber(make([]byte, 0, 32), v.epoch)
	release := v.release
	for len(release) > 1 && release[len(release)-1] == "0" {
		release = release[:len(release)-1]
	}
	for _, n := range release {
		k = appendNumber(k, n)
	}
	k = v.appendPhase(append(k, keyEnd))
	if v.post == "" {
		k = append(k, postNone)
	} else {
		k = appendNumber(append(k, postNumber), v.post)
	}
	if v.dev == "" {
		k = append(k, devNone)
	} else {
		k = appendNumber(append(k, devNumber), v.dev)
	}
	for _, part := range v.local {
		if numeric(part) {
			k = appendNumber(append(k, localNumber), part)
		} else {
			k = append(append(append(k, localText), part...), keyEnd)
		}
	}
	return append(k, keyEnd)
}

// appendPhase appends the phase so that 1.0.dev1 comes before 1.0a1, and 1.0.post1 after 1.0rc1.
func (v Version) appendPhase(k []byte) []byte {
	switch {
	case v.phase == "a":
		return appendNumber(append(k, preAlpha), v.pre)
	case v.phase == "b":
		return appendNumber(append(k, preBeta), v.pre)
	case v.phase == "rc":
		return appendNumber(append(k, preCandidate), v.pre)
	case v.post == "" && v.dev != "":
		return append(k, preBeforeAll)
	}
	return append(k, preNone)
}

// appendNumber appends the number of digits and then the digits: the longer number is the larger one.
func appendNumber(k []byte, n string) []byte { return append(append(k, byte(len(n))), n...) }

// Compare returns -1, 0 or 1; 0 if both are the same release.
func Compare(a, b Version) int { return bytes.Compare(a.Key(), b.Key()) }

// Equal reports whether both texts are versions, and the same release.
func Equal(a, b string) bool {
	v, err := Parse(a)
	w, err2 := Parse(b)
	return err == nil && err2 == nil && slices.Equal(v.Key(), w.Key())
}
