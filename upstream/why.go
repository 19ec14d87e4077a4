package upstream

// This file says which rules a request for a version meets, in the order in which requests meet them, and names that
// are ours.

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"larder/internal/problem"
	"larder/store"
)

// Step is one rule that a request meets.
type Step struct {
	Rule  string // what was asked, a few words
	State string // StepPassed, StepOurs, StepRefused, StepHeld or StepNone
	Text  string // a sentence
	From  string // the entry of the configuration, "" without one
}

// States of a Step.
const (
	StepPassed  = "passed"
	StepOurs    = "ours"    // only what is published here is answered
	StepRefused = "refused" // by a rule about the name or version
	StepHeld    = "held"    // until it is old enough
	StepNone    = "none"    // nothing is known, or nobody is to be asked
)

// Why is what becomes of a request for a version.
type Why struct {
	Steps []Step
	// Err is what a client is refused with; its Public text is what the client's user reads. nil: no rule refuses it.
	Err error
	// Unknown: no upstream has told of the package's versions yet, so that nobody can say how old one is.
	Unknown bool
}

func (w *Why) add(rule, state, text, from string) {
	w.Steps = append(w.Steps, Step{rule, state, text, from})
}

// Rules are the rules of the configuration.
type Rules struct {
	Claims, Shared, Blocked, Allowed []string
	MinAge                           time.Duration
}

// Rules are the rules of the configuration; none for a nil Registry.
func (r *Registry) Rules() Rules {
	if r == nil {
		return Rules{}
	}
	return Rules{r.opt.Claims, r.opt.Shared, r.opt.Blocked, r.opt.Allowed, r.opt.MinAge}
}

// Why says which rules a request for the version of a package meets; with version "" for the package. It asks what
// decides about requests, and no upstream. The name is spelled as records spell it.
func (r *Registry) Why(ctx context.Context, k store.Kind, name, version string) (w Why, err error) {
	if r == nil || r.sets[k] == nil {
		w.add("Upstreams", StepNone, "There is no upstream of the kind: only what is published here is answered.", "")
		return w, nil
	}
	s := r.sets[k]
	list, err := s.chain(ctx, name)
	var withheld *Withheld
	switch {
	case errors.As(err, &withheld):
		w.add("Claimed?", StepPassed, "Nothing was published here under this name, and nobody has claimed it.", "")
		w.add("Blocked?", StepRefused, "The whole name is blocked.", s.ruleOf(s.r.blocked, s.r.opt.Blocked, name, ""))
		w.Err = err
		return w, nil
	case errors.Is(err, store.ErrNotFound):
		return w, s.whyOurs(ctx, &w, name)
	case err != nil:
		return w, err
	}
	shared := "Nothing was published here under this name, and nobody has claimed it."
	if s.Shared(name) {
		shared = "Versions here and at upstreams are joined on purpose."
	}
	w.add("Claimed?", StepPassed, shared, "")
	s.whyVersion(ctx, &w, name, version)
	names := make([]string, len(list))
	for i, u := range list {
		if names[i] = u.Name(); s.off(u) {
			names[i] += " (switched off)"
		}
	}
	w.add("Upstreams", StepPassed, "Asked in this order: "+strings.Join(names, ", ")+".", "")
	return w, nil
}

// whyOurs says why no upstream is asked for a name.
func (s *Set) whyOurs(ctx context.Context, w *Why, name string) error {
	ours, err := s.ours(ctx, name)
	switch rule := s.r.ClaimedByRule(s.kind, name); {
	case err != nil:
		return err
	case rule != "" && !s.Shared(name):
		w.add("Claimed?", StepOurs, "The configuration claims the name: only what is published here is answered.",
			"claims: "+rule)
	case ours:
		w.add("Claimed?", StepOurs, "It was published here, or an administrator claimed it: only what is published here is "+
			"answered, and no rule about copies is asked.", "")
	default:
		w.add("Claimed?", StepPassed, "Nothing was published here under this name, and nobody has claimed it.", "")
		w.add("Upstreams", StepNone, "No upstream is for this name: include and exclude leave it out.", "")
	}
	return nil
}

// whyVersion adds the rules about versions.
func (s *Set) whyVersion(ctx context.Context, w *Why, name, version string) {
	if version == "" {
		w.add("Blocked?", StepPassed, "The name as a whole is not blocked; versions may be.", "")
		return
	}
	if err := s.Blocked(name, version); err != nil {
		w.Err = err
		w.add("Blocked?", StepRefused, problem.Public(err), s.ruleOf(s.r.blocked, s.r.opt.Blocked, name, version))
		return
	}
	w.add("Blocked?", StepPassed, "No entry matches.", "")
	switch err := s.Allowed(ctx, name, version); {
	case s.r.opt.MinAge == 0:
		w.add("Old enough?", StepPassed, "No minimum age is set.", "")
	case s.coversVersion(s.r.allowed, name, version):
		w.add("Old enough?", StepPassed, "It is exempt from the minimum age.",
			s.ruleOf(s.r.allowed, s.r.opt.Allowed, name, version))
	case err == nil:
		w.add("Old enough?", StepPassed, "It is older than the minimum age, or was there when the package was first asked "+
			"for.", s.minAge())
	case !s.sawAny(ctx, name):
		w.Unknown = true
		w.add("Old enough?", StepNone, "Nobody has asked for the package yet. The versions that it has at the first request "+
			"count as old enough; later ones wait.", s.minAge())
	default:
		w.Err = err
		w.add("Old enough?", StepHeld, problem.Public(err), s.minAge())
	}
}

func (s *Set) minAge() string { return fmt.Sprintf("min-age: %s", s.r.opt.MinAge) }

// sawAny reports whether any version of a package was ever seen.
func (s *Set) sawAny(ctx context.Context, name string) (any bool) {
	err := s.docs.View(ctx, s.homeOf(name), func(tx *store.PackageTx[entry]) error {
		for range tx.Index(indexSeen).Scan(nil, nil) {
			any = true
			break
		}
		return nil
	})
	return any || err != nil
}

// ruleOf is the entry of a list that is about a version, "" when none is.
func (s *Set) ruleOf(rules []rule, texts []string, name, version string) string {
	i := slices.IndexFunc(rules, func(r rule) bool { return s.coversVersion([]rule{r}, name, version) })
	if i < 0 || i >= len(texts) {
		return ""
	}
	return texts[i]
}

// Claim makes a name ours, or with release gives it up, and returns its spelling. What the configuration claims is the
// configuration's to release: ErrReferenced. The registry may be nil.
func (r *Registry) Claim(
	ctx context.Context, s *store.Store, spellings Spellings, k store.Kind, name string, release bool,
) (string, error) {
	if _, err := store.ParseKind(string(k)); err != nil {
		return "", err
	}
	if strings.Contains(name, "*") {
		return "", problem.Errorf(
			store.ErrInvalid, "A claim is of one name; patterns such as %q stand in the configuration, under claims.", name,
		)
	}
	name, err := spellings.Name(k, name)
	if err != nil {
		return "", err
	}
	if release {
		if rule := r.ClaimedByRule(k, name); rule != "" {
			return "", problem.Errorf(
				store.ErrReferenced, "%s %s is claimed by the configuration (claims: %q) and is released there.", k, name, rule,
			)
		}
		err = s.ReleaseName(ctx, k, name)
	} else {
		err = s.ClaimName(ctx, k, name)
	}
	if err != nil {
		return "", err
	}
	r.Renew(k, name)
	return name, nil
}
