package upstream

// Rules about names and versions as operators write them, and how a kind compares them.

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"larder/internal/problem"
	"larder/store"
)

// Spelling is how a kind writes names and versions, and which of them are the same. A nil function compares texts.
type Spelling struct {
	// Name is the one spelling of a name, by which packages are recorded here; ErrInvalid for what is no name of the kind.
	Name func(name string) (string, error)
	// Fold spells names, and patterns of them, as claims and blocked compare them: wider than Name, so that no other
	// spelling of a name escapes an operator's rule. It must leave '*' alone. What is hosted hides its own name only, see
	// Name.
	Fold func(name string) string
	// Same reports whether the kind takes a version for the one that a rule names. For some kinds a rule may say less: a
	// gem's number means it on every platform.
	Same func(rule, version string) bool
	// Also are further ways to write a version, for patterns with stars.
	Also func(version string) []string
	// Pattern writes a pattern of versions as Also writes versions; nil: as it is.
	Pattern func(pattern string) string
	// Version says why a rule's version, which may have stars, can never mean one of the kind; nil: it always can.
	Version func(pattern string) error
	// Path is what the registry at a host calls what its clients may call path; nil: the same. For container registries.
	Path func(host, path string) string
	// Lower: names have no capitals, and Fold does not make them small.
	Lower bool
	// NameChars and VersionChars are the characters beside letters and digits of ASCII; '*' stands for any.
	NameChars, VersionChars string
}

func (p Spelling) fold(name string) string {
	if p.Fold == nil {
		return name
	}
	return p.Fold(name)
}

// Covers reports whether the version pattern of a rule means the version.
func (p Spelling) Covers(pattern, version string) bool {
	if !strings.Contains(pattern, "*") {
		return pattern == version || p.Same != nil && p.Same(pattern, version)
	}
	if store.Glob(pattern, version) {
		return true
	}
	if p.Pattern != nil {
		pattern = p.Pattern(pattern)
	}
	return p.Also != nil && slices.ContainsFunc(p.Also(version), func(v string) bool { return store.Glob(pattern, v) })
}

// check says why a rule can never be about anything of the kind.
func (p Spelling) check(r rule) error {
	if strings.Contains(r.name, "*") {
		if c := foreign(r.name, p.NameChars); c != "" {
			return fmt.Errorf("no name has the character %q", c)
		}
		if p.Lower && strings.ToLower(r.name) != r.name {
			return errors.New("no name has capitals")
		}
	} else if p.Name != nil {
		if _, err := p.Name(r.name); err != nil {
			if said := (*problem.Refusal)(nil); errors.As(err, &said) {
				return errors.New(strings.TrimSuffix(said.Text, "."))
			}
			return err
		}
	}
	if c := foreign(r.version, p.VersionChars); c != "" && p.VersionChars != "" {
		return fmt.Errorf("no version has the character %q", c)
	}
	if r.version == "" || p.Version == nil {
		return nil
	}
	return p.Version(r.version)
}

// foreign is the first character that is neither a letter or digit of ASCII, nor a star, nor one of others.
func foreign(text, others string) string {
	for _, c := range text {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '*'
		if !letter && !strings.ContainsRune(others, c) {
			return string(c)
		}
	}
	return ""
}

// Spellings are those of all kinds.
type Spellings map[store.Kind]Spelling

// Name is the one spelling of a kind's name; ErrInvalid when it is none.
func (m Spellings) Name(k store.Kind, name string) (string, error) {
	if m[k].Name == nil {
		return name, nil
	}
	return m[k].Name(name)
}

// check says which pattern of a list can never match, and why.
func (m Spellings) check(list string, patterns []string) error {
	for _, s := range patterns {
		r, err := parseRule(s)
		if err != nil {
			return fmt.Errorf("%s: %w", list, err)
		}
		switch {
		case list == "claims" && r.version != "":
			return fmt.Errorf("claims: %q can never match: a claim is about a name, without a version", s)
		case list == "shared" && r.kind != string(store.Maven):
			return fmt.Errorf("shared: %q is not of the kind maven: of the others, who has a name has all versions of it", s)
		case list == "shared" && r.version != "":
			return fmt.Errorf("shared: %q can never match: it is about a name, without a version", s)
		}
		var why error
		for k, p := range m {
			if r.kind != "*" && r.kind != string(k) {
				continue
			}
			if why = p.check(r); why == nil {
				break
			}
		}
		if why != nil {
			return fmt.Errorf("%s: %q can never match: %w", list, s, why)
		}
	}
	return nil
}

// CheckRules says which rule of o can never match, in a sentence for its operator.
func CheckRules(o Options) error {
	for _, list := range []struct {
		name     string
		patterns []string
	}{{"claims", o.Claims}, {"blocked", o.Blocked}, {"allowed", o.Allowed}, {"shared", o.Shared}} {
		if err := o.Spellings.check(list.name, list.patterns); err != nil {
			return err
		}
	}
	return nil
}

// Padded are the ways to write a version whose numbers may end in any count of zeros: 1.0.post1 is 1.post1 and
// 1.0.0.post1.
func Padded(version string) (out []string) {
	end := 0
	for end < len(version) && (version[end] == '.' || version[end] == '!' || version[end] >= '0' && version[end] <= '9') {
		end++
	}
	for end > 0 && version[end-1] == '.' {
		end--
	}
	numbers, rest := version[:end], version[end:]
	for {
		short, ok := strings.CutSuffix(numbers, ".0")
		if !ok {
			break
		}
		numbers = short
	}
	for range 6 {
		out = append(out, numbers+rest)
		numbers += ".0"
	}
	return out
}

// rule is a pattern kind:name or kind:name@version.
type rule struct{ kind, name, version string }

// parseRule reads "npm:@acme/*" or "pypi:requests@2.*"; a kind may be "*".
func parseRule(s string) (rule, error) {
	kind, name, ok := strings.Cut(s, ":")
	if !ok || name == "" {
		return rule{}, fmt.Errorf("%q is not a pattern kind:name", s)
	}
	if kind != "*" {
		if _, err := store.ParseKind(kind); err != nil {
			return rule{}, fmt.Errorf("%q: %w", s, err)
		}
	}
	r := rule{kind: kind, name: name}
	// The first character may be a scope's.
	if i := strings.LastIndexByte(name, '@'); i > 0 {
		if r.name, r.version = name[:i], name[i+1:]; r.version == "" {
			return rule{}, fmt.Errorf("%q has no version behind its @", s)
		}
	}
	return r, nil
}

// CheckRule says what is wrong with the form of a pattern of Claims, Blocked or Allowed.
func CheckRule(s string) error {
	_, err := parseRule(s)
	return err
}

func parseRules(list []string) (rules []rule, err error) {
	for _, s := range list {
		r, err := parseRule(s)
		if err != nil {
			return nil, err
		}
		rules = append(rules, r)
	}
	return rules, nil
}

// covers reports whether a rule without a version is about the name.
func (s *Set) covers(rules []rule, name string) bool {
	return slices.ContainsFunc(rules, func(r rule) bool { return r.version == "" && s.matches(r, name) })
}

// Claimed reports whether the name is ours by the configuration. A claim is about the name here: the image of an
// upstream that is asked for below the upstream's name is the upstream's.
func (s *Set) Claimed(name string) bool {
	return s != nil && slices.ContainsFunc(s.r.claims, func(r rule) bool { return s.means(r, name) })
}

// Shared reports whether the versions of a name here and at upstreams are joined on purpose.
func (s *Set) Shared(name string) bool {
	return s != nil && slices.ContainsFunc(s.r.shared, func(r rule) bool { return s.means(r, name) })
}

// coversVersion reports whether a rule is about the version, or about the whole name.
func (s *Set) coversVersion(rules []rule, name, version string) bool {
	return slices.ContainsFunc(rules, func(r rule) bool {
		return s.matches(r, name) && (r.version == "" || s.spelling.Covers(r.version, version))
	})
}

// means compares a rule's name with one of ours.
func (s *Set) means(r rule, name string) bool {
	return (r.kind == "*" || r.kind == string(s.kind)) && store.Glob(s.spelling.fold(r.name), s.spelling.fold(name))
}

// matches compares a rule's name with a package's, under each name that the package has.
func (s *Set) matches(r rule, name string) bool {
	return slices.ContainsFunc(s.spellings(name), func(n string) bool { return s.means(r, n) })
}

// Blocked is nil when no rule forbids the version of a package, or the package; ErrDenied says that one does. A package
// of which no version is blocked costs a comparison of its name with each rule.
func (s *Set) Blocked(name, version string) error {
	if s == nil || len(s.r.blocked) == 0 || version == "" || !s.coversVersion(s.r.blocked, name, version) {
		return nil
	}
	return Withhold(name, version, "%s %s is blocked by this registry's rules.", name, version)
}

// BlockedVersions are the versions, without stars, that rules forbid of a package; some when further patterns do.
func (s *Set) BlockedVersions(name string) (versions []string, some bool) {
	if s == nil {
		return nil, false
	}
	for _, r := range s.r.blocked {
		if r.version == "" || !s.matches(r, name) {
			continue
		}
		some = true
		if !strings.Contains(r.version, "*") {
			versions = append(versions, r.version)
		}
	}
	return versions, some
}

// BlocksPatterns reports whether rules forbid versions of a package by patterns with stars.
func (s *Set) BlocksPatterns(name string) bool {
	return s != nil && slices.ContainsFunc(s.r.blocked, func(r rule) bool {
		return strings.Contains(r.version, "*") && s.matches(r, name)
	})
}

// ours reports whether the name was published here, or claimed at run time, and not released since.
func (s *Set) ours(ctx context.Context, name string) (bool, error) {
	return s.names.Get(name, struct{}{}, func() (bool, error) { return s.r.store.Owns(ctx, s.kind, name) })
}

// Renew drops what is remembered of a name that was claimed or released just now.
func (r *Registry) Renew(k store.Kind, name string) {
	if r == nil || r.sets[k] == nil {
		return
	}
	s := r.sets[k]
	s.Forget(name)
	s.mu.Lock()
	s.compared(name)
	s.mu.Unlock()
	s.renewed.Add(1)
}

// Renewals grows with every name that is claimed or released while the server runs: lists of names are joined anew.
func (s *Set) Renewals() int64 { return s.renewed.Load() }

// ClaimedByRule is the pattern of the configuration that claims a name; "" when none does.
func (r *Registry) ClaimedByRule(k store.Kind, name string) string {
	if r == nil || r.sets[k] == nil {
		return ""
	}
	s := r.sets[k]
	for i, c := range r.claims {
		if s.means(c, name) {
			return r.opt.Claims[i]
		}
	}
	return ""
}
