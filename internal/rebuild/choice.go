package rebuild

// This file reads what an operator chooses to be published.

import (
	"regexp"
	"slices"
	"strings"

	"larder/internal/problem"
	"larder/store"
	"larder/upstream"
)

// Choice is one --publish.
type Choice struct {
	Text    string
	kind    store.Kind // "" for every kind
	name    *regexp.Regexp
	repo    string // of images: where they go
	digest  string // of one image, or how it begins; "" for all
	matched bool
}

// ParseChoices reads "*" (all files that have their name in them), KIND:PATTERN with * for any characters,
// oci:REPOSITORY and oci:REPOSITORY@sha256:DIGEST. Images do not have the name of their repository in them, so it must
// be given. The error is problem.ErrInvalid.
func ParseChoices(texts []string) ([]*Choice, error) {
	var out []*Choice
	for _, text := range texts {
		c, err := parseChoice(text)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	if len(out) == 0 {
		return nil, problem.Errorf(store.ErrInvalid, "Nothing is chosen: say KIND:PATTERN, oci:REPOSITORY, or * for all.")
	}
	return out, nil
}

func parseChoice(text string) (*Choice, error) {
	if text == "*" {
		return &Choice{Text: text, name: globOf("*")}, nil
	}
	word, pattern, ok := strings.Cut(text, ":")
	kind, err := store.ParseKind(word)
	if !ok || err != nil || pattern == "" {
		return nil, problem.Errorf(store.ErrInvalid,
			"%.200q is not a choice: say KIND:PATTERN, such as npm:@acme/*, oci:REPOSITORY, or * for all.", text)
	}
	c := &Choice{Text: text, kind: kind, name: globOf(pattern)}
	if kind == store.OCI {
		c.repo, c.digest, _ = strings.Cut(pattern, "@")
		if strings.Contains(c.repo, "*") {
			return nil, problem.Errorf(store.ErrInvalid,
				"%.200q has a pattern, but images do not say their repository: name the one they go to, as in oci:team/app.", text)
		}
	}
	return c, nil
}

func globOf(pattern string) *regexp.Regexp {
	return regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, ".*") + "$")
}

// repositories returns where the image d is pushed: where choices of its digest say, else where all images go.
func repositories(choices []*Choice, d string) (own, all []string) {
	for _, c := range choices {
		switch {
		case c.kind != store.OCI:
		case c.digest == "":
			c.matched = true
			all = append(all, c.repo)
		case strings.HasPrefix(d, c.digest):
			c.matched = true
			own = append(own, c.repo)
		}
	}
	return own, all
}

// chosen reports whether a file that is no image is chosen, by its name as it is or normalised.
func chosen(choices []*Choice, spell upstream.Spellings, f store.Found) bool {
	names := []string{f.Name}
	if one, err := spell.Name(f.Kind, f.Name); err == nil {
		names = append(names, one)
	}
	any := false
	for _, c := range choices {
		if (c.kind == "" || c.kind == f.Kind) && slices.ContainsFunc(names, c.name.MatchString) {
			c.matched, any = true, true
		}
	}
	return any
}
