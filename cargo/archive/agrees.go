package archive

// This file compares Cargo.toml with the request that publishes it. What is built is the archive, what is resolved is
// the request's JSON: if they differ, somebody is to be deceived, or a tool is broken.

import (
	"slices"
	"strings"

	"larder/internal/problem"
)

// CratesIndex is how cargo names the public registry in a dependency, also when another one takes its place.
const CratesIndex = "https://github.com/rust-lang/crates.io-index"

// Agrees compares the archive with the request. Which registry a dependency comes from is said differently: cargo
// leaves out the one that is published to in the request, and the public one in Cargo.toml. problem.ErrInvalid.
func (m *Manifest) Agrees(name, version, links string, deps []Dependency, features map[string][]string) error {
	if m.Name != name || m.Version != version {
		return problem.Errorf(problem.ErrInvalid, "The request is about %s %s, but the crate's Cargo.toml about %.80s %.80s.",
			name, version, m.Name, m.Version)
	}
	if m.Links != links {
		return differs("links")
	}
	own, sent := make([]string, 0, len(m.Dependencies)), make([]string, 0, len(deps))
	for _, d := range m.Dependencies {
		own = append(own, d.text(strings.TrimPrefix(d.Registry, CratesIndex)))
	}
	slices.Sort(own)
	for _, d := range deps {
		sent = append(sent, sentText(d, own))
	}
	slices.Sort(sent)
	if called, same := firstDifference(sent, own); !same {
		return differs("the dependency " + called)
	}
	return m.sameFeatures(features)
}

// sentText is the text of the request's dependency as Cargo.toml would have it.
func sentText(d Dependency, own []string) string {
	switch d.Registry {
	case "":
		// The one that is published to, whatever address Cargo.toml knows it by: the address is last in the text.
		text := d.text("")
		if i, _ := slices.BinarySearch(own, text); i < len(own) && strings.HasPrefix(own[i], text) {
			return own[i]
		}
		return text
	case CratesIndex:
		return d.text("")
	}
	return d.text(d.Registry)
}

func (m *Manifest) sameFeatures(features map[string][]string) error {
	for name, values := range m.Features {
		sent, ok := features[name]
		if !ok || !slices.Equal(slices.Sorted(slices.Values(values)), slices.Sorted(slices.Values(sent))) {
			return differs("the feature " + name)
		}
	}
	for name := range features {
		if _, ok := m.Features[name]; !ok {
			return differs("the feature " + name)
		}
	}
	return nil
}

func differs(what string) error {
	return problem.Errorf(problem.ErrInvalid, "The request and the crate's Cargo.toml differ in %.120s.", what)
}

// firstDifference names the first of two sorted lists that the other lacks.
func firstDifference(a, b []string) (called string, same bool) {
	for i := range max(len(a), len(b)) {
		switch {
		case i >= len(a):
			called = b[i]
		case i >= len(b) || a[i] < b[i]:
			called = a[i]
		case a[i] > b[i]:
			called = b[i]
		default:
			continue
		}
		called, _, _ = strings.Cut(called, "\x00")
		return called, false
	}
	return "", true
}
