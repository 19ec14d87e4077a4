package upstream

// Rules about names and versions: their form, what they match, and what is said of one that can match nothing.

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"larder/internal/problem"
	"larder/store"
)

func TestFormOfRules(t *testing.T) {
	for _, c := range []struct {
		rule    string
		want    rule
		problem string
	}{
		{"npm:left-pad", rule{"npm", "left-pad", ""}, ""},
		{"npm:@acme/*", rule{"npm", "@acme/*", ""}, ""},
		{"npm:@acme/x@1.*", rule{"npm", "@acme/x", "1.*"}, ""},
		{"*:secret", rule{"*", "secret", ""}, ""},
		{"maven:com.acme:lib@1.0", rule{"maven", "com.acme:lib", "1.0"}, ""},
		{"acme", rule{}, "is not a pattern kind:name"},
		{"npm:", rule{}, "is not a pattern kind:name"},
		{"deb:x", rule{}, `"deb:x"`},
		{"npm:x@", rule{}, "has no version behind its @"},
	} {
		got, err := parseRule(c.rule)
		if said := CheckRule(c.rule); (said == nil) != (err == nil) {
			t.Errorf("CheckRule(%q) = %v, reading it says %v", c.rule, said, err)
		}
		if c.problem == "" && (err != nil || got != c.want) {
			t.Errorf("%q is read as %+v, %v, want %+v", c.rule, got, err, c.want)
		}
		if c.problem != "" && (err == nil || !strings.Contains(err.Error(), c.problem)) {
			t.Errorf("%q: %v, want %q", c.rule, err, c.problem)
		}
	}
}

func TestSemanticVersionsOfRules(t *testing.T) {
	for _, c := range []struct {
		rule, version string
		want          bool
	}{
		{"1.0.0", "1.0.0", true},
		{"1.0", "1.0.0", true},
		{"v1", "1.0.0", true},
		{"=1.2", "v1.2.0+build.7", true},
		{"01.2.0", "1.2.0", true},
		{"1.0.0-rc.1", "1.0.0-rc.1+5", true},
		{"1.0.0-rc.1", "1.0.0-rc.2", false},
		{"1.0.0", "1.0.0-rc.1", false},
		{"1.0.0", "1.0.1", false},
		{"latest", "latest", true},
		{"latest", "1.0.0", false},
		{"1..0", "1.0.0", false},
	} {
		if got := SameSemVer(c.rule, c.version); got != c.want {
			t.Errorf("the rule %s means %s: %t, want %t", c.rule, c.version, got, c.want)
		}
	}
	if got, want := AlsoSemVer("1.2+build"), []string{"1.2.0", "v1.2.0"}; !slices.Equal(got, want) {
		t.Errorf("1.2+build is also %q, want %q", got, want)
	}
}

func TestPaddedVersions(t *testing.T) {
	for version, want := range map[string]string{
		"1.0.post1": "1.post1 1.0.post1 1.0.0.post1 1.0.0.0.post1 1.0.0.0.0.post1 1.0.0.0.0.0.post1",
		"2":         "2 2.0 2.0.0 2.0.0.0 2.0.0.0.0 2.0.0.0.0.0",
		"1!3.0rc1":  "1!3rc1 1!3.0rc1 1!3.0.0rc1 1!3.0.0.0rc1 1!3.0.0.0.0rc1 1!3.0.0.0.0.0rc1",
	} {
		if got := strings.Join(Padded(version), " "); got != want {
			t.Errorf("%s is also\n%s, want\n%s", version, got, want)
		}
	}
}

func TestVersionPatternsCoverWhatTheKindTakesForTheSame(t *testing.T) {
	plain := Spelling{}
	semver := Spelling{Same: SameSemVer, Also: AlsoSemVer}
	for _, c := range []struct {
		what             string
		spelling         Spelling
		pattern, version string
		want             bool
	}{
		{"texts", plain, "1.0", "1.0", true},
		{"texts", plain, "1.0", "1.0.0", false},
		{"texts", plain, "1.*", "1.0", true},
		{"semver", semver, "1.0", "1.0.0", true},
		{"semver", semver, "1.0.*", "1.0", true},
		{"semver", semver, "v2.*", "2.1.0", true},
		{"semver", semver, "2.*", "1.0.0", false},
	} {
		if got := c.spelling.Covers(c.pattern, c.version); got != c.want {
			t.Errorf("%s: the pattern %s covers %s: %t, want %t", c.what, c.pattern, c.version, got, c.want)
		}
	}
}

// strict is a kind whose names are lower-case letters, and whose versions are numbers.
func strict() Spelling {
	return Spelling{
		Name: func(name string) (string, error) {
			if name != strings.ToLower(name) {
				return "", problem.Errorf(store.ErrInvalid, "A name has no capitals.")
			}
			return name, nil
		},
		NameChars: "-", VersionChars: ".",
	}
}

func TestRulesThatMatchNothingAreNamed(t *testing.T) {
	for _, c := range []struct {
		what string
		o    Options
		want string
	}{
		{"a good claim", Options{Claims: []string{"npm:acme-*"}}, ""},
		{"a good rule", Options{Blocked: []string{"npm:acme@1.0"}}, ""},
		{"a kind without a spelling", Options{Blocked: []string{"pypi:ACME"}}, ""},
		{
			"a claim with a version", Options{Claims: []string{"npm:acme@1.0"}},
			`claims: "npm:acme@1.0" can never match: a claim is about a name, without a version`,
		},
		{
			"a name that is none", Options{Blocked: []string{"npm:Acme"}},
			`blocked: "npm:Acme" can never match: A name has no capitals`,
		},
		{
			"a pattern of names that are none", Options{Allowed: []string{"npm:a_*"}},
			`allowed: "npm:a_*" can never match: no name has the character "_"`,
		},
		{
			"a version that is none", Options{Blocked: []string{"npm:acme@1/0"}},
			`blocked: "npm:acme@1/0" can never match: no version has the character "/"`,
		},
		{"a form that is none", Options{Blocked: []string{"acme"}}, `blocked: "acme" is not a pattern kind:name`},
		{"a shared name of Maven", Options{Shared: []string{"maven:org.example:*"}}, ""},
		{"a shared name of another kind", Options{Shared: []string{"npm:acme"}}, "not of the kind maven"},
		{"a shared name of every kind", Options{Shared: []string{"*:acme"}}, "not of the kind maven"},
		{"a shared version", Options{Shared: []string{"maven:a:b@1"}}, "without a version"},
		{"every kind, none of which has it", Options{Blocked: []string{"*:Acme"}}, "A name has no capitals"},
	} {
		c.o.Spellings = Spellings{store.NPM: strict()}
		err := CheckRules(c.o)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", c.what, err, c.want)
		}
	}
	both := Spellings{store.NPM: strict(), store.PyPI: Spelling{}}
	if err := CheckRules(Options{Blocked: []string{"*:Acme"}, Spellings: both}); err != nil {
		t.Errorf("every kind, one of which has it: %v", err)
	}
}

func TestSpellingsNameOnlyWhatIsAName(t *testing.T) {
	spellings := Spellings{store.NPM: strict()}
	if name, err := spellings.Name(store.NPM, "acme"); name != "acme" || err != nil {
		t.Errorf("acme: %q, %v", name, err)
	}
	if _, err := spellings.Name(store.NPM, "Acme"); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("Acme: %v, want ErrInvalid", err)
	}
	if name, err := spellings.Name(store.PyPI, "Acme"); name != "Acme" || err != nil {
		t.Errorf("a kind without a spelling: %q, %v, want the name as it is", name, err)
	}
}

func TestBlockedVersionsListsWhatHasNoStar(t *testing.T) {
	g := newRig(t, func(o *Options) {
		o.Blocked = []string{"npm:demo@1.0.0", "npm:demo@2.*", "npm:de*@3.0.0", "pypi:demo@4.0.0", "npm:other"}
	})
	versions, some := g.set.BlockedVersions("demo")
	if want := []string{"1.0.0", "3.0.0"}; !slices.Equal(versions, want) || !some {
		t.Errorf("of demo %q are blocked, some: %t, want %q and true", versions, some, want)
	}
	if versions, some := g.set.BlockedVersions("other"); versions != nil || some {
		t.Errorf("of other %q are blocked, some: %t, want none: the whole name is", versions, some)
	}
	if versions, some := (*Set)(nil).BlockedVersions("demo"); versions != nil || some {
		t.Errorf("without upstreams %q are blocked", versions)
	}
}

func TestBlockedVersionSaysSo(t *testing.T) {
	g := newRig(t, func(o *Options) { o.Blocked = []string{"npm:demo@1.*"} })
	err := g.set.Blocked("demo", "1.2.3")
	if !errors.Is(err, store.ErrDenied) || !strings.Contains(err.Error(),
		"demo 1.2.3 is blocked by this registry's rules.") {
		t.Errorf("a blocked version: %v", err)
	}
	for _, free := range [][2]string{{"demo", "2.0.0"}, {"demo", ""}, {"other", "1.2.3"}} {
		if err := g.set.Blocked(free[0], free[1]); err != nil {
			t.Errorf("%v: %v, want none", free, err)
		}
	}
	if err := (*Set)(nil).Blocked("demo", "1.2.3"); err != nil {
		t.Errorf("without upstreams: %v", err)
	}
}

func TestClaimedByRuleNamesTheRule(t *testing.T) {
	g := newRig(t, func(o *Options) { o.Claims = []string{"pypi:demo", "npm:@acme/*"} })
	for name, want := range map[string]string{"@acme/x": "npm:@acme/*", "demo": ""} {
		if got := g.reg.ClaimedByRule(store.NPM, name); got != want {
			t.Errorf("%s is claimed by %q, want %q", name, got, want)
		}
	}
	if got := g.reg.ClaimedByRule(store.Maven, "x"); got != "" {
		t.Errorf("a kind without upstreams has the rule %q", got)
	}
	if got := (*Registry)(nil).ClaimedByRule(store.NPM, "@acme/x"); got != "" {
		t.Errorf("without upstreams: %q", got)
	}
}

// TestStrangersAreTheNamesThatAreTheirs: published, claimed and blocked names are not, nor those of no upstream.
func TestStrangersAreTheNamesThatAreTheirs(t *testing.T) {
	g := newRig(t, func(o *Options) {
		o.Claims, o.Blocked, o.Shared = []string{"npm:@acme/*"}, []string{"npm:evil"}, []string{"npm:shared"}
		o.Upstreams[0].Exclude = []string{"other*"}
	})
	for _, name := range []string{"mine", "shared"} {
		err := store.NewRepo[struct{}](g.store, store.NPM).Update(t.Context(), name,
			func(tx *store.PackageTx[struct{}]) error { return tx.Publish(store.Version[struct{}]{ID: "1.0.0"}) })
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := g.store.ClaimName(t.Context(), store.NPM, "claimed"); err != nil {
		t.Fatal(err)
	}
	theirs, err := g.set.Strangers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{
		"": false, "mine": false, "claimed": false, "@acme/x": false, "evil": false, "other-x": false, "free": true,
		"shared": true,
	} {
		if got := theirs(name); got != want || g.set.Theirs(t.Context(), name) != want {
			t.Errorf("%q is theirs: %t, and %t when asked alone, want %t", name, got, g.set.Theirs(t.Context(), name), want)
		}
	}
}

// TestClaimAtRunTimeIsSeenAtOnce claims a name that an upstream has answered, and releases it again.
func TestClaimAtRunTimeIsSeenAtOnce(t *testing.T) {
	ctx := context.Background()
	g := newRig(t)
	g.origin.says("theirs", "")
	if _, got, err := g.doc("demo"); got != "theirs" || err != nil {
		t.Fatalf("before the claim: %q, %v", got, err)
	}
	if g.set.Ours(ctx, "demo") || !g.set.Theirs(ctx, "demo") {
		t.Errorf("before the claim the name is ours: %t", g.set.Ours(ctx, "demo"))
	}
	before := g.set.Renewals()
	if err := g.store.ClaimName(ctx, store.NPM, "demo"); err != nil {
		t.Fatal(err)
	}
	g.reg.Renew(store.NPM, "demo")
	if _, _, err := g.doc("demo"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("claimed: %v, want ErrNotFound", err)
	}
	if !g.set.Ours(ctx, "demo") || g.set.Theirs(ctx, "demo") {
		t.Error("after the claim a search may show the upstream's package")
	}
	if got := g.set.Renewals(); got != before+1 {
		t.Errorf("the claim counts as %d renewals, want 1", got-before)
	}
	if err := g.store.ReleaseName(ctx, store.NPM, "demo"); err != nil {
		t.Fatal(err)
	}
	g.reg.Renew(store.NPM, "demo")
	if _, got, err := g.doc("demo"); got != "theirs" || err != nil {
		t.Errorf("released: %q, %v, want the upstream's answer", got, err)
	}
	before = g.set.Renewals()
	g.reg.Renew(store.Maven, "demo") // has no upstreams, and nothing to renew
	(*Registry)(nil).Renew(store.NPM, "demo")
	if got := g.set.Renewals(); got != before {
		t.Errorf("a name of another kind renewed this one")
	}
}
