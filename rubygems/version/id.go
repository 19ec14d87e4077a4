package version

// This file joins a number and a platform to the ID of a version, and orders IDs.

import "strings"

// ID returns the ID of a version, which the store and the compact index know it by: its number and, unless that is
// ruby, its platform. A number has no dash, so the first dash ends it.
func ID(number, platform string) string {
	if platform == Ruby {
		return number
	}
	return number + "-" + platform
}

// Split is the inverse of ID.
func Split(id string) (number, platform string) {
	number, platform, found := strings.Cut(id, "-")
	if !found {
		platform = Ruby
	}
	return number, platform
}

// IDs returns the IDs under which clients ask for a version's files: with the platform as the gem spells it, and as
// RubyGems does.
func IDs(number, platform string) []string {
	own := ID(number, platform)
	if usual := ParsePlatform(platform).String(); platform != Ruby && usual != platform {
		return []string{own, ID(number, usual)}
	}
	return []string{own}
}

// CanonicalID returns what no two versions of a gem may have in common.
func CanonicalID(number, platform string) string {
	p := Ruby
	if platform != Ruby {
		p = ParsePlatform(platform).String()
	}
	return Canonical(number) + "-" + strings.ToLower(p)
}

// Prefers reports whether the version a represents its gem rather than b does: releases go before prereleases, newer
// ones before older ones, and then the one for every platform comes first.
func Prefers(a, b string) bool {
	an, ap := Split(a)
	bn, bp := Split(b)
	switch {
	case IsPrerelease(an) != IsPrerelease(bn):
		return IsPrerelease(bn)
	case Compare(an, bn) != 0:
		return Compare(an, bn) > 0
	case (ap == Ruby) != (bp == Ruby):
		return ap == Ruby
	}
	return ap < bp
}

// NewerFirst orders IDs: newer versions first, and those of one number by platform.
func NewerFirst(a, b string) int {
	an, ap := Split(a)
	bn, bp := Split(b)
	if c := Compare(bn, an); c != 0 {
		return c
	}
	return strings.Compare(ap, bp)
}
