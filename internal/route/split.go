package route

// How a path is cut into segments, which is where protocols differ most.

import (
	"net/url"
	"strings"
)

// Split says how a path is cut into segments. The zero value forgives one slash at the end, and refuses an empty
// segment, ".", "..", NUL, a backslash, and a slash that was escaped.
type Split struct {
	// Slash says what a slash at the end of the path is.
	Slash Slash
	// EscapedSlash says what %2F is.
	EscapedSlash EscapedSlash
	// SkipEmpty forgives every empty segment.
	SkipEmpty bool
	// BareRoot makes the root without a slash the root with one, where a slash at the end is kept.
	BareRoot bool
	// MaxSegment and MaxPath are the most bytes, decoded; 0 is 1024 for a segment and no limit for the path.
	MaxSegment, MaxPath int
	// Legal, if set, has further rules for a decoded segment.
	Legal func(segment string) bool
}

// Slash is a rule for a slash at the end of a path.
type Slash int

// The rules.
const (
	SlashIgnored  Slash = iota // one is forgiven
	SlashRefused               // it makes an empty segment, which is malformed
	SlashKept                  // it makes an empty last segment: rows with a slash at their end fit
	SlashOptional              // rows with a slash at their end fit only with one, the others with and without
)

// kept reports whether a slash at the end makes an empty last segment.
func (s Slash) kept() bool { return s == SlashKept || s == SlashOptional }

// EscapedSlash is a rule for a slash that was escaped.
type EscapedSlash int

// The rules.
const (
	EscapeRefused EscapedSlash = iota
	EscapeKept                 // it belongs to the segment: npm's @acme%2fdemo
	EscapeCuts                 // it cuts like one that was not escaped
)

// pattern cuts the path of a row.
func (s Split) pattern(path string) []string {
	rest, found := strings.CutPrefix(path, "/")
	if !s.Slash.kept() {
		rest = strings.TrimSuffix(rest, "/")
		found = rest != ""
	}
	if !found {
		return nil
	}
	return strings.Split(rest, "/")
}

// split cuts the root off and appends the decoded segments to segs.
func (t *Table[R]) split(escaped string, segs []string) ([]string, error) {
	rest, ok := t.below(escaped)
	if !ok {
		return nil, t.noRoute("GET")
	}
	if rest == "" && !t.Split.BareRoot {
		return nil, nil
	}
	rest = strings.TrimPrefix(rest, "/")
	if most := t.Split.MaxPath; most > 0 && len(rest) > 3*most { // a byte has three when it is escaped
		return nil, t.tooLong()
	}
	if t.Split.Slash == SlashIgnored {
		rest = strings.TrimSuffix(rest, "/")
	}
	if rest == "" && !t.Split.Slash.kept() {
		return nil, nil
	}
	plain := strings.IndexByte(rest, '%') < 0
	if !plain && t.Split.EscapedSlash == EscapeCuts {
		d, err := url.PathUnescape(rest)
		if err != nil {
			return nil, t.malformed()
		}
		rest, plain = d, true
	}
	for s := range strings.SplitSeq(rest, "/") {
		if s == "" && t.Split.SkipEmpty {
			continue
		}
		if !plain {
			d, err := url.PathUnescape(s)
			if err != nil {
				return nil, t.malformed()
			}
			s = d
		}
		segs = append(segs, s)
	}
	if !t.Split.allow(segs) {
		return nil, t.malformed()
	}
	if t.Split.MaxPath > 0 && length(segs) > t.Split.MaxPath {
		return nil, t.tooLong()
	}
	return segs, nil
}

// below cuts the root off; one of several stays, and is the first segment.
func (t *Table[R]) below(escaped string) (rest string, ok bool) {
	for _, root := range t.Roots {
		if _, ok := cutRoot(escaped, root); ok {
			return escaped, true
		}
	}
	if t.Roots != nil {
		return "", false
	}
	return cutRoot(escaped, t.Root)
}

func cutRoot(escaped, root string) (rest string, ok bool) {
	rest, ok = strings.CutPrefix(escaped, root)
	return rest, ok && (rest == "" || rest[0] == '/')
}

// allow checks the decoded segments. Only the last may be empty, where a slash at the end is kept.
func (s Split) allow(segs []string) bool {
	most := s.MaxSegment
	if most == 0 {
		most = 1024
	}
	for i, seg := range segs {
		if seg == "" && s.Slash.kept() && i == len(segs)-1 {
			continue
		}
		if seg == "" || seg == "." || seg == ".." || len(seg) > most || !s.plain(seg) || s.Legal != nil && !s.Legal(seg) {
			return false
		}
	}
	return true
}

// plain reports whether a segment is free of what cuts paths elsewhere.
func (s Split) plain(seg string) bool {
	for i := range len(seg) {
		if c := seg[i]; c == '\\' || c == 0 || c == '/' && s.EscapedSlash == EscapeRefused {
			return false
		}
	}
	return true
}

// length is the bytes of a path of these segments.
func length(segs []string) int {
	n := len(segs) - 1
	for _, seg := range segs {
		n += len(seg)
	}
	return n
}
