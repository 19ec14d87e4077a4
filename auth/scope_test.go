package auth

// Scopes: their form, what they cover, and properties that hold for any of them.

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"larder/internal/problem"
	"larder/store"
)

func mustScopes(t testing.TB, list ...string) Scopes {
	t.Helper()
	out, err := ParseScopes(list)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestParseScope(t *testing.T) {
	for text, want := range map[string]string{
		"npm:package:@acme/*:write":           "npm:package:@acme/*:write",
		"oci:repository:app:push":             "oci:repository:app:write",
		"oci:repository:app:pull,push":        "oci:repository:app:read,write",
		"oci:repository:app:push,pull":        "oci:repository:app:read,write",
		"cargo:*:*:*":                         "cargo:*:*:*",
		"*:*:*:read":                          "*:*:*:read",
		"npm:package:x:write,create":          "npm:package:x:write",
		"npm:package:x:create,read":           "npm:package:x:read,create",
		"npm:package:x:read,*":                "npm:package:x:*",
		"npm:package:x:*,read,delete":         "npm:package:x:*",
		"npm:package:x:admin,delete,read":     "npm:package:x:read,delete,admin",
		"maven:artifact:com.acme:*:write":     "maven:artifact:com.acme:*:write",
		"maven:artifact:com.acme:lib:read":    "maven:artifact:com.acme:lib:read",
		"oci:registry:catalog:*":              "oci:registry:catalog:*",
		"npm:package:a***b:read":              "npm:package:a*b:read",
		"pypi:package:*:read,create,delete":   "pypi:package:*:read,create,delete",
		"rubygems:gem:naïve:read":             "rubygems:gem:naïve:read",
		"oci:repository:host:5000/app:delete": "oci:repository:host:5000/app:delete",
	} {
		s, err := ParseScope(text)
		if err != nil {
			t.Errorf("ParseScope(%q): %v", text, err)
			continue
		}
		if s.String() != want {
			t.Errorf("ParseScope(%q) = %s, want %s", text, s, want)
		}
	}
}

func TestParseScopeRefuses(t *testing.T) {
	for _, text := range []string{
		"", ":", "::", ":::", "npm", "npm:package", "npm:package:x", "npm:package::read", "npm:package:x:",
		"npm:package:x:reed",
		"npm:package:x:read,", "npm:package:x:,read", "npm:package:x:READ", "npn:package:x:read", "NPM:package:x:read",
		"npm:pkg:x:read",
		":package:x:read", "npm::x:read", "np*:package:x:read", "npm:pack*:x:read", "npm:package:a b:read",
		"npm:package:a\tb:read",
		"npm:package:a\x00b:read", "npm:package:a\u00a0b:read", "npm:package:\xff:read", "npm:package:x: read",
		"npm:package:" + strings.Repeat("x", maxName+1) + ":read", strings.Repeat("x", maxScope+1),
		"npm:package:" + strings.Repeat("a*", maxStars+1) + ":read",
	} {
		s, err := ParseScope(text)
		if !errors.Is(err, store.ErrInvalid) || s != (Scope{}) {
			t.Errorf("ParseScope(%q) = %v, %v; want ErrInvalid", text, s, err)
		}
		var refusal *problem.Refusal
		if !errors.As(err, &refusal) {
			t.Errorf("ParseScope(%q): the error has no text for the user: %v", text, err)
		}
	}
}

func TestParseAction(t *testing.T) {
	for text, want := range map[string]Action{
		"read": Read, "pull": Read, "push": Write, "write": Write, "create": Create, "delete": Delete, "admin": Admin,
	} {
		if a, err := ParseAction(text); err != nil || a != want {
			t.Errorf("ParseAction(%q) = %q, %v", text, a, err)
		}
	}
	for _, text := range []string{"", "*", "Read", "readwrite"} {
		if a, err := ParseAction(text); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("ParseAction(%q) = %q, %v; want ErrInvalid", text, a, err)
		}
	}
}

func TestScopeCoversByItsPattern(t *testing.T) {
	app := Access{Kind: store.OCI, Type: "repository", Name: "team/app", Action: Read}
	with := func(fn func(*Access)) Access {
		a := app
		fn(&a)
		return a
	}
	for _, c := range []struct {
		scope string
		a     Access
		want  bool
	}{
		{"oci:repository:team/app:read", app, true},
		{"oci:repository:team/*:read", app, true},
		{"oci:repository:*/app:read", app, true},
		{"oci:repository:t*m/a*p:read", app, true},
		{"oci:repository:*:read", app, true},
		{"*:*:*:*", app, true},
		{"*:repository:team/app:read", app, true},
		{"oci:*:team/app:read", app, true},
		{"oci:repository:team/app:write", app, false},
		{"oci:repository:team/app:create,write,delete,admin", app, false},
		{"npm:repository:team/app:read", app, false},
		{"oci:package:team/app:read", app, false},
		{"oci:repository:team:read", app, false},
		{"oci:repository:team/ap:read", app, false},
		{"oci:repository:team/app*x:read", app, false},
		{"oci:repository:Team/app:read", app, false},
		// write includes create and nothing else
		{"oci:repository:*:write", with(func(a *Access) { a.Action = Create }), true},
		{"oci:repository:*:create", with(func(a *Access) { a.Action = Write }), false},
		{"oci:repository:*:write", with(func(a *Access) { a.Action = Delete }), false},
		{"oci:repository:*:delete", with(func(a *Access) { a.Action = Write }), false},
		// words that are no actions
		{"*:*:*:*", with(func(a *Access) { a.Action = "" }), false},
		{"*:*:*:*", with(func(a *Access) { a.Action = "*" }), false},
		{"*:*:*:*", with(func(a *Access) { a.Action = "pull" }), false},
		// the whole kind
		{"oci:repository:team/app:read", with(func(a *Access) { a.Name = "" }), true},
		{"oci:repository:team/app:read", with(func(a *Access) { a.Name, a.Type = "", "" }), true},
		{"oci:repository:team/app:write", with(func(a *Access) { a.Name = "" }), false},
		{"oci:repository:team/app:*", with(func(a *Access) { a.Name, a.Action = "", Write }), false},
		{"oci:repository:*:*", with(func(a *Access) { a.Name, a.Action = "", Write }), true},
		{"npm:package:*:read", with(func(a *Access) { a.Name = "" }), false},
		// the appliance
		{"*:*:*:*", Access{Action: Admin}, true},
		{"*:*:*:read", Access{Action: Admin}, false},
		{"oci:*:*:*", Access{Action: Admin}, false},
		{"*:*:a*:*", Access{Action: Admin}, false},
		{"*:gem:*:*", Access{Action: Read}, false},
	} {
		if got := mustScopes(t, c.scope).Allow(c.a); got != c.want {
			t.Errorf("%s covers %+v: %t, want %t", c.scope, c.a, got, c.want)
		}
	}
	if (Scope{}).Covers(app) || (Scopes{}).Allow(app) || Scopes(nil).Allow(app) {
		t.Error("nothing allows something")
	}
}

func TestIntersectionIsWhatBothAllow(t *testing.T) {
	for _, c := range []struct{ a, b, want string }{
		{"*:*:*:*", "npm:package:x:read", "npm:package:x:read"},
		{"npm:*:*:read", "*:package:a/*:read,write", "npm:package:a/*:read"},
		{"npm:package:a*:read", "npm:package:*b:read", "npm:package:a*b:read"},
		{"npm:package:a*:read", "npm:package:*a:read", "npm:package:a:read npm:package:a*a:read"},
		{"npm:package:ab*:read", "npm:package:*bc:read", "npm:package:ab*bc:read npm:package:abc:read"},
		{"npm:package:a*c:read", "npm:package:b*c:read", ""},
		{"npm:package:x:write", "npm:package:x:create", "npm:package:x:create"},
		{"npm:package:x:read", "npm:package:x:write", ""},
		{"npm:package:x:read", "pypi:package:x:read", ""},
		{"npm:package:x:read", "npm:crate:x:read", ""},
		{"npm:package:x:read", "npm:package:y:read", ""},
		{"*:*:*:*", "", ""},
		{"npm:package:*x*:read", "npm:package:*y*:read", "npm:package:*x*y*:read npm:package:*y*x*:read"},
		{"npm:package:é*:read", "npm:package:*ü:read", "npm:package:é*ü:read"},
	} {
		a, b := mustScopes(t, strings.Fields(c.a)...), mustScopes(t, strings.Fields(c.b)...)
		if got := a.Intersect(b).String(); got != c.want {
			t.Errorf("%s ∩ %s = %q, want %q", c.a, c.b, got, c.want)
		}
	}
}

// randomScopes draws from few letters, so that patterns meet.
func randomScopes(r *rand.Rand) Scopes {
	pick := func(words ...string) string { return words[r.IntN(len(words))] }
	out := make(Scopes, r.IntN(6))
	for i := range out {
		name := ""
		for range 1 + r.IntN(5) {
			name += pick("a", "b", "*", "*", "/")
		}
		s, err := ParseScope(pick("*", "npm", "oci") + ":" + pick("*", "package", "repository") + ":" + name + ":" +
			pick("read", "write", "create", "read,write", "*", "delete,create"))
		if err != nil {
			panic(err)
		}
		out[i] = s
	}
	return out
}

func randomAccess(r *rand.Rand) Access {
	name := ""
	for range r.IntN(7) {
		name += string("ab/"[r.IntN(3)])
	}
	kinds, types := []store.Kind{"", store.NPM, store.OCI, store.PyPI}, []string{"package", "repository", ""}
	acts := []Action{Read, Create, Write, Delete, Admin, "none"}
	return Access{
		Kind: kinds[r.IntN(len(kinds))], Type: types[r.IntN(len(types))], Name: name, Action: acts[r.IntN(len(acts))],
	}
}

// TestScopeAlgebraMeansWhatItSays compares the algebra with what it means, access by access.
func TestScopeAlgebraMeansWhatItSays(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	allowed := 0
	for range 4000 {
		a, b := randomScopes(r), randomScopes(r)
		both := a.Intersect(b)
		shuffled := slices.Clone(a)
		r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		if got := b.Intersect(shuffled); !slices.Equal(got, both) {
			t.Fatalf("%s ∩ %s depends on the order: %s or %s", a, b, both, got)
		}
		canon := a.Canonical()
		if !slices.Equal(canon, shuffled.Canonical()) || !slices.Equal(canon, canon.Canonical()) {
			t.Fatalf("the canonical form of %s is not one: %s", a, canon)
		}
		if back := mustScopes(t, both.Strings()...); !slices.Equal(back, both) {
			t.Fatalf("%s reads back as %s", both, back)
		}
		if self := a.Intersect(a); self.String() != canon.String() && !sameRights(r, self, canon) {
			t.Fatalf("%s ∩ itself = %s", a, self)
		}
		for range 60 {
			x := randomAccess(r)
			inBoth := a.Allow(x) && b.Allow(x)
			if both.Allow(x) {
				allowed++
			}
			if both.Allow(x) && !inBoth {
				t.Fatalf("%s ∩ %s = %s allows %+v, which one side does not", a, b, both, x)
			}
			// Reading a whole kind is the right to read anything of it: that two lists share no name takes it away.
			if inBoth && !both.Allow(x) && x.Name != "" {
				t.Fatalf("%s ∩ %s = %s does not allow %+v", a, b, both, x)
			}
			if canon.Allow(x) != a.Allow(x) {
				t.Fatalf("canonical %s and %s differ on %+v", canon, a, x)
			}
		}
	}
	if allowed < 1000 {
		t.Errorf("only %d accesses were allowed: the test tests nothing", allowed)
	}
}

func sameRights(r *rand.Rand, a, b Scopes) bool {
	for range 200 {
		if x := randomAccess(r); a.Allow(x) != b.Allow(x) {
			return false
		}
	}
	return true
}

// TestIntersectionCostIsBounded: patterns made to explode cost little and give too little rather than too much.
func TestIntersectionCostIsBounded(t *testing.T) {
	a := mustScopes(t, "npm:package:*"+strings.Repeat("ab*", 7)+":read")
	b := mustScopes(t, "npm:package:*"+strings.Repeat("ba*", 7)+":read")
	both := a.Intersect(b)
	for _, s := range both {
		if !a[0].includes(s) || !b[0].includes(s) {
			t.Errorf("%s is in one side only", s)
		}
	}
	long := mustScopes(t, "npm:package:*"+strings.Repeat("a", 500)+"*:read")
	if got := long.Intersect(mustScopes(t, "npm:package:b*"+strings.Repeat("a", 500)+":read")); len(got) > 1 {
		t.Errorf("%d patterns", len(got))
	}
	if n := testing.AllocsPerRun(1, func() { a.Intersect(b) }); n > 200_000 {
		t.Errorf("%v allocations", n)
	}
}

func TestScopesAreTextInJSON(t *testing.T) {
	in := mustScopes(t, "npm:package:@acme/*:push", "cargo:*:*:*")
	b, err := json.Marshal(in)
	if err != nil || string(b) != `["cargo:*:*:*","npm:package:@acme/*:write"]` {
		t.Fatalf("%s, %v", b, err)
	}
	var out Scopes
	if err := json.Unmarshal(b, &out); err != nil || !slices.Equal(in, out) {
		t.Errorf("%s, %v", out, err)
	}
	if err := json.Unmarshal([]byte(`["npm:package:x:fly"]`), &out); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("a bad scope in JSON: %v", err)
	}
}

func TestNewScope(t *testing.T) {
	s, err := NewScope(store.OCI, "repository", "team/app", Write, Read)
	if err != nil || s.String() != "oci:repository:team/app:read,write" {
		t.Fatalf("%s, %v", s, err)
	}
	if s.Kind() != store.OCI || s.Type() != "repository" || s.Name() != "team/app" ||
		!slices.Equal(s.Actions(), []Action{Read, Write}) {
		t.Errorf("parts: %s %s %s %s", s.Kind(), s.Type(), s.Name(), s.Actions())
	}
	for _, name := range []string{"", "a b"} {
		if _, err := NewScope(store.OCI, "repository", name, Read); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("name %q: %v", name, err)
		}
	}
	if _, err := NewScope(store.OCI, "repository", "a"); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("no action: %v", err)
	}
}

func FuzzParseScope(f *testing.F) {
	for _, s := range []string{
		"npm:package:@acme/*:write", "oci:repository:app:push", "cargo:*:*:*", "maven:artifact:com.acme:lib:read,create",
		"*:*:**:*", "npm:package:a:b:c:pull,pull", "npm:package:\xff:read", ":::",
	} {
		f.Add(s, "ab/c")
	}
	f.Fuzz(func(t *testing.T, text, name string) {
		s, err := ParseScope(text)
		if err != nil {
			if !errors.Is(err, store.ErrInvalid) || s != (Scope{}) {
				t.Fatalf("ParseScope(%q) = %v, %v", text, s, err)
			}
			return
		}
		back, err := ParseScope(s.String())
		if err != nil || back != s || back.String() != s.String() {
			t.Fatalf("%q is %s, which reads back as %s, %v", text, s, back, err)
		}
		if !glob(s.name, s.name) || !s.includes(s) {
			t.Fatalf("%s does not include itself", s)
		}
		for _, a := range s.Actions() {
			x := Access{Kind: store.NPM, Type: "package", Name: name, Action: a}
			only := Scopes{{kind: "npm", typ: "package", name: "*", actions: allActions}}
			if got, want := only.Intersect(Scopes{s}).Allow(x), s.Covers(x); got != want && name != "" {
				t.Fatalf("%s and %+v: %t alone, %t in the intersection", s, x, want, got)
			}
		}
	})
}
