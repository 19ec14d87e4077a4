package crate

// Names, versions and features. Pure.

import (
	"strings"
	"unicode"

	"larder/internal/problem"
	"larder/internal/semver"
)

// The public registry's limits; clients and tools have grown up with them.
const (
	MaxName    = 64
	MaxVersion = 150
	maxText    = 256
	maxTarget  = 4 << 10
)

func letter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

// consists reports whether s has letters, digits and others only.
func consists(s, others string) bool {
	for i := range len(s) {
		if c := s[i]; !letter(c) && (c < '0' || c > '9') && strings.IndexByte(others, c) < 0 {
			return false
		}
	}
	return true
}

// CheckName accepts the names that crates may have.
func CheckName(name string) error {
	if name == "" || len(name) > MaxName || !letter(name[0]) || !consists(name, "-_") {
		return problem.Errorf(problem.ErrInvalid, "%.80q is not a crate name: it begins with a letter and has letters, digits, - and _, at most %d.", name, MaxName)
	}
	return nil
}

// CheckAlias accepts the names dependencies may be given in Cargo.toml.
func CheckAlias(name string) error {
	if name == "" || len(name) > MaxName || !letter(name[0]) && name[0] != '_' || !consists(name, "-_") {
		return problem.Errorf(problem.ErrInvalid, "%.80q is not a name for a dependency.", name)
	}
	return nil
}

// ParseVersion accepts what cargo does: strict semantic versions.
func ParseVersion(s string) (v semver.Version, ok bool) {
	if len(s) > MaxVersion {
		return v, false
	}
	return semver.Parse(s)
}

// IsVersion reports whether ParseVersion accepts s.
func IsVersion(s string) bool {
	_, ok := ParseVersion(s)
	return ok
}

// CheckFeature accepts the names of features (Cargo Book, Features).
func CheckFeature(name string) error {
	for i, r := range name {
		first := unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_' || unicode.Is(unicode.Other_ID_Start, r)
		further := unicode.IsMark(r) || unicode.Is(unicode.Pc, r) || unicode.Is(unicode.Other_ID_Continue, r) || strings.ContainsRune("+-.", r)
		if !first && (i == 0 || !further) || r == unicode.ReplacementChar {
			return problem.Errorf(problem.ErrInvalid, "%.80q is not the name of a feature.", name)
		}
	}
	if name == "" || len(name) > maxText {
		return problem.Errorf(problem.ErrInvalid, "%.80q is not the name of a feature.", name)
	}
	return nil
}

// CheckFeatures judges features as cargo does when it reads the line: one that names nothing would lose the version.
func CheckFeatures(features map[string][]string, deps []Dependency, limit int) error {
	if len(features) > limit {
		return problem.Errorf(problem.ErrInvalid, "The crate has %d features; at most %d are accepted.", len(features), limit)
	}
	optional := map[string]bool{} // by name in Cargo.toml
	for _, d := range deps {
		optional[d.Called()] = optional[d.Called()] || d.Optional
	}
	explicit, mentioned := map[string]bool{}, map[string]bool{}
	for _, values := range features {
		for _, v := range values {
			if name, ok := strings.CutPrefix(v, "dep:"); ok {
				explicit[name] = true
			}
			name, _, _ := strings.Cut(strings.TrimPrefix(v, "dep:"), "/")
			mentioned[strings.TrimSuffix(name, "?")] = true
		}
	}
	for name, values := range features {
		if err := CheckFeature(name); err != nil {
			return err
		}
		if optional[name] && !mentioned[name] {
			return problem.Errorf(problem.ErrInvalid, "The feature %s has the name of an optional dependency and does not switch it on.", name)
		}
		if len(values) > limit {
			return problem.Errorf(problem.ErrInvalid, "The feature %s switches on %d others; at most %d are accepted.", name, len(values), limit)
		}
		for _, v := range values {
			if !validValue(v, features, optional, explicit) {
				return problem.Errorf(problem.ErrInvalid, "The feature %s has %.80q, which is neither a feature nor an optional dependency that it could switch on.", name, v)
			}
		}
	}
	return nil
}

// validValue judges one value of a feature: feature, dep:name, name/feature or name?/feature.
func validValue(v string, features map[string][]string, optional, explicit map[string]bool) bool {
	if name, ok := strings.CutPrefix(v, "dep:"); ok {
		return optional[name]
	}
	if name, feature, ok := strings.Cut(v, "/"); ok {
		name, weak := strings.CutSuffix(name, "?")
		isOptional, known := optional[name]
		return known && (isOptional || !weak) && CheckFeature(feature) == nil
	}
	_, known := features[v]
	return known || optional[v] && !explicit[v]
}

// CheckRustVersion accepts 1, 1.70 and 1.70.0; with anything else in a line cargo loses the version.
func CheckRustVersion(s string) error {
	p, ok := parsePartial(s)
	if s != "" && (!ok || p.pre != "" || p.build != "" || p.wild) {
		return problem.Errorf(problem.ErrInvalid, "%.80q is not a rust-version like 1.70.", s)
	}
	return nil
}
