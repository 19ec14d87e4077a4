package archive

// This file checks dependencies, as Cargo.toml and the request that publishes a crate have them.

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"larder/cargo/names"
	"larder/cargo/version"
	"larder/internal/problem"
)

// Dependency is what a crate says of another one that it depends on, in Cargo.toml or in the request that publishes it.
type Dependency struct {
	Name            string // the other crate's
	Alias           string // what Cargo.toml calls it; "": by its name
	Req             string // see version.CanonicalRequirement
	Kind            string // normal, build or dev; "": normal
	Target          string // triple or cfg expression; "": every one
	Optional        bool
	DefaultFeatures bool
	Features        []string
	Registry        string // address of an index; see Manifest.Agrees for what "" means
}

// Called is the name Cargo.toml has for it.
func (d *Dependency) Called() string { return cmp.Or(d.Alias, d.Name) }

// Check returns the error of the first part that cargo could not read: problem.ErrInvalid.
func (d *Dependency) Check() error {
	list := []error{names.Check(d.Name), names.CheckAlias(d.Called()), version.CheckRequirement(d.Req)}
	if d.Target != "" {
		list = append(list, names.CheckTarget(d.Target))
	}
	if !slices.Contains([]string{"", "normal", "build", "dev"}, d.Kind) {
		list = append(list, problem.Errorf(problem.ErrInvalid,
			"The dependency %s has the unknown kind %.40q.", d.Name, d.Kind))
	}
	if d.Kind == "dev" && d.Optional {
		list = append(list, problem.Errorf(problem.ErrInvalid,
			"The dev-dependency %s is optional, which cargo refuses.", d.Name))
	}
	for _, f := range d.Features {
		name, feature, slash := strings.Cut(f, "/")
		list = append(list, names.CheckFeature(strings.TrimSuffix(name, "?")))
		if slash {
			list = append(list, names.CheckFeature(feature))
		}
	}
	for _, err := range list {
		if err != nil {
			return err
		}
	}
	return nil
}

// text is everything of the dependency that changes what is built, in one spelling; the name comes first, for errors.
func (d *Dependency) text(registry string) string {
	req, ok := version.CanonicalRequirement(d.Req)
	if !ok {
		req = d.Req
	}
	features := slices.Compact(slices.Sorted(slices.Values(d.Features)))
	target := strings.ReplaceAll(strings.Join(strings.Fields(d.Target), ""), ",)", ")")
	return fmt.Sprintf("%s\x00%s %s %s %s %t %t %q %s",
		d.Called(), d.Name, req, cmp.Or(d.Kind, "normal"), target, d.Optional, d.DefaultFeatures, features, registry)
}
