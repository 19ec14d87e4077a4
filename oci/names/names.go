// Package names says what repositories and tags may be called. It is written by hand: every request passes it, and a
// regular expression took a twentieth of a small pull. The specification's expressions stand beside the functions, and
// the tests hold one against the other.
package names

import "strings"

// MaxRepository is the most bytes of a repository's name.
const MaxRepository = 255

// IsRepository reports whether s is a repository's name of any length:
//
//	[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*
func IsRepository(s string) bool {
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

// IsTag reports whether s is a tag: [a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}
func IsTag(s string) bool {
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

// IsUpload reports whether s can be the id of an upload session: up to 64 letters, digits, '-' and '_'. Ours are UUIDs
// of 36.
func IsUpload(s string) bool {
	return len(s) <= 64 && strings.Trim(s, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_") == ""
}

// IsHub reports whether a host is that of the one registry whose one-component names have a second form.
func IsHub(host string) bool { return host == "docker.io" || strings.HasSuffix(host, ".docker.io") }

// At is what the registry at a host calls the repository that clients call name: "library/alpine" for "alpine".
func At(host, name string) string {
	if IsHub(host) && !strings.Contains(name, "/") {
		return "library/" + name
	}
	return name
}
