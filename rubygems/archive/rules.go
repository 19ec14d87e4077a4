package archive

// The rules for a specification that is published, and for texts that are shown.

import (
	"net/url"
	"strings"

	"larder/internal/problem"
	"larder/rubygems/gemspec"
	"larder/rubygems/names"
	"larder/rubygems/version"
)

const (
	// MaxText bounds summary, description and all authors, in bytes.
	MaxText      = 64_000
	maxMetaKey   = 128
	maxMetaValue = 1024
	maxLicenses  = 64
)

// Check applies every rule for a gem that is published here.
func Check(s *gemspec.Specification) error {
	for _, err := range []error{
		names.Check(s.Name), version.Check(s.Version), version.CheckPlatform(s.Platform),
		checkTexts(s), checkMetadata(s), checkDependencies(s),
	} {
		if err != nil {
			return err
		}
	}
	return nil
}

func checkTexts(s *gemspec.Specification) error {
	authors := strings.Join(s.Authors, ", ")
	for what, text := range map[string]string{
		"summary": gemspec.Text(s.Summary), "description": gemspec.Text(s.Description),
		"authors": authors, "email": strings.Join(s.Emails, ", "),
	} {
		if len(text) > MaxText {
			return problem.Errorf(problem.ErrInvalid, "The gem's %s has more than %d bytes.", what, MaxText)
		}
	}
	if strings.TrimSpace(authors) == "" {
		return problem.Errorf(problem.ErrInvalid, "The gem names no authors.")
	}
	if len(s.Licenses) > maxLicenses {
		return problem.Errorf(problem.ErrInvalid, "The gem has more than %d licenses.", maxLicenses)
	}
	if h := gemspec.Text(s.Homepage); h != "" && !isWebURL(h) {
		return problem.Errorf(problem.ErrInvalid, "The gem's homepage %.200q is not an http or https URL.", h)
	}
	return nil
}

func checkMetadata(s *gemspec.Specification) error {
	for _, m := range s.Metadata {
		key, value := m[0], m[1]
		switch {
		case key == "" || len(key) > maxMetaKey || len(value) > maxMetaValue:
			return problem.Errorf(
				problem.ErrInvalid, "A key of the gem's metadata has at most %d bytes, a value %d; see %.40q.",
				maxMetaKey, maxMetaValue, key,
			)
		case strings.HasSuffix(key, "_uri") && value != "" && !isWebURL(value):
			return problem.Errorf(
				problem.ErrInvalid, "The gem's metadata %.130q is %.200q, which is not an http or https URL.", key, value,
			)
		}
	}
	return nil
}

func checkDependencies(s *gemspec.Specification) error {
	for _, d := range s.Dependencies {
		if err := names.Check(d.Name); err != nil {
			return err
		}
		if err := checkRequirement(d.Requirement, d.Name); err != nil {
			return err
		}
	}
	if err := checkRequirement(s.RubyVersion, "Ruby"); err != nil {
		return err
	}
	return checkRequirement(s.RubygemsVersion, "RubyGems")
}

func checkRequirement(r gemspec.Requirement, of string) error {
	if c, bad := r.Bad(); bad {
		return problem.Errorf(problem.ErrInvalid, "The requirement %.80q of %s is none.", c.Op+" "+c.Version, of)
	}
	return nil
}

func isWebURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && len(s) <= maxMetaValue
}

// Disarm removes control characters from the texts that the JSON API shows, because scripts print them on terminals.
// The gem clients read gemspec.rz instead, which stays as it was written; they clean texts themselves.
func Disarm(s *gemspec.Specification) {
	clean := func(text string) string {
		return strings.Map(func(r rune) rune {
			if r < ' ' && r != '\n' && r != '\t' && r != '\r' || r >= 0x7f && r < 0xa0 {
				return -1
			}
			return r
		}, text)
	}
	for _, text := range []*string{s.Summary, s.Description, s.Homepage} {
		if text != nil {
			*text = clean(*text)
		}
	}
	for _, list := range [][]string{s.Authors, s.Licenses, s.Requirements} {
		for i := range list {
			list[i] = clean(list[i])
		}
	}
	for i, m := range s.Metadata {
		s.Metadata[i] = [2]string{clean(m[0]), clean(m[1])}
	}
}
