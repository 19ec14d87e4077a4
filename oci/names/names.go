package oci

import "strings"

// The grammars of names and tags, by hand: every request passes them, and a regular expression took a twentieth of a
// small pull. The specification's expressions stand beside them, and the tests hold one against the other.

// isName reports whether s is a repository name:
//
//	[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*
func isName(s string) bool {
	for s != "" {
		component, rest, more := strings.Cut(s, "/")
		if !isComponent(component) || more && rest == "" {
			return false
		}
		if s = rest; s == "" {
			return true
		}
	}
	return false
}

func isComponent(s string) bool {
	for i := 0; ; {
		start := i
		for i < len(s) && (s[i] >= 'a' && s[i] <= 'z' || s[i] >= '0' && s[i] <= '9') {
			i++
		}
		if i == start {
			return false
		}
		if i == len(s) {
			return true
		}
		n := separator(s[i:])
		if n == 0 {
			return false
		}
		i += n
	}
}

// separator is the length of the separator s begins with; 0 if that is none, or one too long.
func separator(s string) int {
	n := 1
	for n < len(s) && s[n] == s[0] {
		n++
	}
	switch {
	case s[0] == '-', s[0] == '.' && n == 1, s[0] == '_' && n <= 2:
		return n
	}
	return 0
}

// isTag reports whether s is a tag: [a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}
func isTag(s string) bool {
	if s == "" || len(s) > 128 || s[0] == '.' || s[0] == '-' {
		return false
	}
	for i := range len(s) {
		c := s[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && c != '_' && c != '.' && c != '-' {
			return false
		}
	}
	return true
}
