package version

// This file reads names of platforms as Gem::Platform does: several names may mean the same.

import (
	"regexp"
	"strings"

	"larder/internal/problem"
)

// Ruby is the platform of gems that run everywhere.
const Ruby = "ruby"

// Platform has the parts of a platform as clients see them; an empty part is missing.
type Platform struct{ CPU, OS, Version string }

// String returns the platform's usual name, which is a part of the names of files that clients ask for.
func (p Platform) String() string {
	var parts []string
	for _, s := range []string{p.CPU, p.OS, p.Version} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, "-")
}

// system is a rule for the second part of a platform's name. os is a fixed word, or "" for the first group of the
// match; the last group is the version.
type system struct {
	pattern *regexp.Regexp
	os      string
}

// systems are tried in this order, which is that of Gem::Platform.
var systems = []system{
	{regexp.MustCompile(`aix(\d*)`), "aix"}, {regexp.MustCompile(`cygwin()`), "cygwin"},
	{regexp.MustCompile(`darwin(\d*)`), "darwin"}, {regexp.MustCompile(`^macruby$()`), "macruby"},
	{regexp.MustCompile(`freebsd(\d*)`), "freebsd"}, {regexp.MustCompile(`^(?:java|jruby)$()`), "java"},
	{regexp.MustCompile(`^java([\d.]*)`), "java"}, {regexp.MustCompile(`^dalvik(\d*)$`), "dalvik"},
	{regexp.MustCompile(`^dotnet$()`), "dotnet"}, {regexp.MustCompile(`^dotnet([\d.]*)`), "dotnet"},
	{regexp.MustCompile(`linux-?(\w*)`), "linux"}, {regexp.MustCompile(`mingw32()`), "mingw32"},
	{regexp.MustCompile(`mingw-?(\w*)`), "mingw"}, {regexp.MustCompile(`(mswin\d+)(?:_(\d+))?`), ""},
	{regexp.MustCompile(`netbsdelf()`), "netbsdelf"}, {regexp.MustCompile(`openbsd(\d+\.\d+)?`), "openbsd"},
	{regexp.MustCompile(`solaris(\d+\.\d+)?`), "solaris"}, {regexp.MustCompile(`wasi(\d*)`), "wasi"},
}

var (
	x86     = regexp.MustCompile(`(?i)i\d86`)
	release = regexp.MustCompile(`^\d+(\.\d+)?$`)
	numeric = regexp.MustCompile(`\d`)
)

// ParsePlatform reads a platform's name as RubyGems does. The platform ruby has no parts.
func ParsePlatform(s string) (p Platform) {
	if s == Ruby || s == "" {
		return p
	}
	if s == "powerpc-darwin" {
		return Platform{"ppc", "darwin", ""} // the one name that has another meaning than its parts
	}
	parts := strings.Split(s, "-")
	if n := len(parts); n > 2 && !numeric.MatchString(parts[n-1]) {
		parts = append(parts[:n-2], parts[n-2]+"-"+parts[n-1]) // x86_64-linux-musl
	}
	p.CPU = parts[0]
	if x86.MatchString(p.CPU) {
		p.CPU = "x86"
	}
	if len(parts) == 3 && release.MatchString(parts[2]) {
		p.OS, p.Version = parts[1], parts[2]
		return p
	}
	name := parts[0]
	if len(parts) > 1 {
		name = parts[1]
	} else {
		p.CPU = "" // java alone
	}
	p.OS, p.Version = readSystem(name)
	if p.CPU == "" && strings.HasPrefix(p.OS, "mswin") && strings.HasSuffix(p.OS, "32") {
		p.CPU = "x86"
	}
	return p
}

func readSystem(name string) (os, version string) {
	for _, s := range systems {
		m := s.pattern.FindStringSubmatch(name)
		switch {
		case m == nil:
		case s.os == "":
			return m[1], m[2]
		default:
			return s.os, m[1]
		}
	}
	return "unknown", ""
}

// IsPlatform reports whether s can be a part of a file's name and of the index.
func IsPlatform(s string) bool {
	return s != "" && len(s) <= MaxLen && strings.Trim(s, alphanumeric+"._-") == "" && strings.Trim(s, ".-_") == s
}

// CheckPlatform returns the error that a publisher reads when s is no platform.
func CheckPlatform(s string) error {
	if !IsPlatform(s) {
		return problem.Errorf(problem.ErrInvalid, "%.80q is not a platform.", s)
	}
	return nil
}
