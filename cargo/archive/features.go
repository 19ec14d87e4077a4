package archive

// This file checks the features of a crate.

import (
	"strings"

	"larder/cargo/names"
	"larder/internal/problem"
)

// CheckFeatures accepts the features that cargo does when it reads a line of the index: one that names nothing would
// lose the version. limit is the most features, and the most that one of them switches on. problem.ErrInvalid.
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
		if err := names.CheckFeature(name); err != nil {
			return err
		}
		if optional[name] && !mentioned[name] {
			return problem.Errorf(problem.ErrInvalid,
				"The feature %s has the name of an optional dependency and does not switch it on.", name)
		}
		if len(values) > limit {
			return problem.Errorf(problem.ErrInvalid,
				"The feature %s switches on %d others; at most %d are accepted.", name, len(values), limit)
		}
		for _, v := range values {
			if !validValue(v, features, optional, explicit) {
				return problem.Errorf(problem.ErrInvalid,
					"The feature %s has %.80q, which is neither a feature nor an optional dependency "+
						"that it could switch on.", name, v)
			}
		}
	}
	return nil
}

// validValue reports whether a feature may have the value v, one of feature, dep:name, name/feature or name?/feature.
func validValue(v string, features map[string][]string, optional, explicit map[string]bool) bool {
	if name, ok := strings.CutPrefix(v, "dep:"); ok {
		return optional[name]
	}
	if name, feature, ok := strings.Cut(v, "/"); ok {
		name, weak := strings.CutSuffix(name, "?")
		isOptional, known := optional[name]
		return known && (isOptional || !weak) && names.CheckFeature(feature) == nil
	}
	_, known := features[v]
	return known || optional[v] && !explicit[v]
}
