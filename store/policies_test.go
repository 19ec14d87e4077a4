package store_test

// This file tests what the built-in policies refuse, and what they let through.

import (
	"context"
	"errors"
	"strings"
	"testing"

	"larder/internal/problem"
	"larder/store"
	"larder/store/storetest"
)

func TestQuotasRefuseWhatIsAbove(t *testing.T) {
	for _, c := range []struct {
		what string
		q    store.Quota
		want bool // the second publish of five bytes is refused
	}{
		{"kind", store.Quota{Kind: store.NPM, Bytes: 9}, true},
		{"kind, enough", store.Quota{Kind: store.NPM, Bytes: 10}, false},
		{"other kind", store.Quota{Kind: store.PyPI, Bytes: 1}, false},
		{"everything", store.Quota{Bytes: 9}, true},
		{"user", store.Quota{User: "ada", Bytes: 9}, true},
		{"every user", store.Quota{User: "*", Bytes: 9}, true},
		{"other user", store.Quota{User: "bob", Bytes: 1}, false},
		{"package", store.Quota{Package: "a*", Bytes: 9}, true},
		{"package, enough", store.Quota{Package: "a*", Bytes: 10}, false},
		{"other package", store.Quota{Package: "b*", Bytes: 1}, false},
	} {
		t.Run(c.what, func(t *testing.T) {
			s := storetest.New(t, storetest.WithPolicies(store.NewRules(store.RulesConfig{Quotas: []store.Quota{c.q}})))
			one, two := storetest.Put(t, s, "11111"), storetest.Put(t, s, "22222")
			publish(t, s, "abc", ver("1", one))
			publish(t, s, "abc", ver("1-again", one)) // no more bytes: always admitted
			err := npm(s).Update(ctx, "abc", func(p *packageTx) error { return p.Publish(ver("2", two)) })
			if errors.Is(err, store.ErrQuota) != c.want || (err != nil) != c.want {
				t.Errorf("publish: %v, want it refused %t", err, c.want)
			}
			if err := s.Admit(ctx, store.NPM, "abc", 6); errors.Is(err, store.ErrQuota) != (c.want || c.q.Bytes == 10) {
				t.Errorf("admit of 6 bytes: %v, want it refused %t", err, c.want || c.q.Bytes == 10)
			}
		})
	}
}

// TestQuotaCountsWhatTheTransactionAdded publishes twice before the commit: the first counts for the second.
func TestQuotaCountsWhatTheTransactionAdded(t *testing.T) {
	rules := store.NewRules(store.RulesConfig{Quotas: []store.Quota{{Package: "*", Bytes: 9}}})
	s := storetest.New(t, storetest.WithPolicies(rules))
	one, two := storetest.Put(t, s, "11111"), storetest.Put(t, s, "22222")
	err := npm(s).Update(ctx, "a", func(p *packageTx) error {
		must(t, p.Publish(ver("1", one)))
		return p.Publish(ver("2", two))
	})
	wantErr(t, err, store.ErrQuota)
	var r *problem.Refusal
	if !errors.As(err, &r) || !strings.Contains(r.Public(), "quota") || strings.Contains(r.Public(), "publish npm") {
		t.Errorf("the client's user reads %v, want the quota and nothing of the operation", r)
	}
	if list, _ := npm(s).Packages(ctx, "", 0); len(list) != 0 {
		t.Errorf("packages after the refusal: %+v, want none: half a transaction was committed", list)
	}
}

func TestHoldAsksPolicies(t *testing.T) {
	s := storetest.New(t, storetest.WithPolicies(store.NewRules(store.RulesConfig{Quotas: []store.Quota{{Bytes: 3}}})))
	b := storetest.Put(t, s, "11111")
	wantErr(t, npm(s).Update(ctx, "a", func(p *packageTx) error { return p.Hold(b) }), store.ErrQuota)
}

func TestProtectedPackagesAreForTheirUsers(t *testing.T) {
	s := storetest.New(t, storetest.WithPolicies(store.NewRules(store.RulesConfig{
		Protected: []store.Protected{{Kind: store.NPM, Package: "@acme/*", Users: []string{"ada"}}},
	})))
	bob := store.WithActor(context.Background(), store.Actor{User: "bob"})
	put := func(c context.Context, name string, v version) error {
		return npm(s).Update(c, name, func(p *packageTx) error { return p.Publish(v) })
	}
	must(t, put(ctx, "@acme/x", version{ID: "1"}))
	must(t, put(bob, "free", version{ID: "1"}))
	wantErr(t, put(bob, "@acme/x", version{ID: "2"}), store.ErrProtected)
	must(t, put(bob, "@acme/x", version{ID: "3", Source: store.Cached}))
	wantErr(t, npm(s).Update(bob, "@acme/x", func(p *packageTx) error { return p.DeletePackage() }), store.ErrProtected)
	wantErr(t, s.Admit(bob, store.NPM, "@acme/x", 1), store.ErrProtected)
}

func TestImmutableVersionsAndTagsStay(t *testing.T) {
	s := storetest.New(t, storetest.WithPolicies(store.NewRules(store.RulesConfig{
		Immutable: []store.Immutable{{Package: "a", Tag: "v*"}, {Package: "frozen"}},
	})))
	b, c := storetest.Put(t, s, "one"), storetest.Put(t, s, "two")
	for _, name := range []string{"a", "frozen"} {
		publish(t, s, name, ver("1", b))
		publish(t, s, name, ver("2", c))
	}
	in := func(name string, fn func(p *packageTx) error) error { return npm(s).Update(ctx, name, fn) }
	must(t, in("a", func(p *packageTx) error { return p.SetTag("v1", "1", store.TagCond{}) }))
	must(t, in("a", func(p *packageTx) error { return p.SetTag("v1", "1", store.TagCond{}) }))
	must(t, in("a", func(p *packageTx) error { return p.SetTag("latest", "1", store.TagCond{}) }))
	must(t, in("a", func(p *packageTx) error { return p.SetTag("latest", "2", store.TagCond{}) }))
	for what, fn := range map[string]func(p *packageTx) error{
		"move":           func(p *packageTx) error { return p.SetTag("v1", "2", store.TagCond{}) },
		"untag":          func(p *packageTx) error { return p.DeleteTag("v1") },
		"delete version": func(p *packageTx) error { return p.Delete("1", false) },
		"delete package": func(p *packageTx) error { return p.DeletePackage() },
	} {
		t.Run(what, func(t *testing.T) { wantErr(t, in("a", fn), store.ErrImmutable) })
	}
	must(t, in("frozen", func(p *packageTx) error {
		v, err := p.Version("1")
		must(t, err)
		v.Yanked = true
		return p.Replace(v, store.OpYank)
	}))
	for _, v := range []version{ver("1", c), {ID: "1"}} {
		wantErr(t, in("frozen", func(p *packageTx) error { return p.Replace(v, store.OpReplace) }), store.ErrImmutable)
	}
	wantErr(t, in("frozen", func(p *packageTx) error { return p.Delete("1", false) }), store.ErrImmutable)
}

func TestStarMatchesAnyRunOfCharacters(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"a", "a", true}, {"a", "ab", false}, {"*", "", true}, {"*", "a/b", true}, {"a*", "a", true}, {"a*c", "abbc", true},
		{"a*c", "abcd", false}, {"*b*", "abc", true}, {"a*b*c", "acb", false}, {"a*a", "a", false},
		{"**", "x", true}, {"a*b*b", "ab", false},
	} {
		s := store.NewRules(store.RulesConfig{Protected: []store.Protected{{Package: c.pattern}}})
		err := s.Check(nil, store.Change{Op: store.OpPublish, Package: c.name})
		if c.pattern != "" && errors.Is(err, store.ErrProtected) != c.want {
			t.Errorf("%q against %q: %v, want it to match %t", c.pattern, c.name, err, c.want)
		}
	}
}

func TestStarsMatchAnyRunOfCharacters(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{
		{"left-pad", "left-pad", true},
		{"left-pad", "left-pad2", false},
		{"*", "", true},
		{"*", "@acme/x", true},
		{"@acme/*", "@acme/", true},
		{"@acme/*", "@acme/x/y", true},
		{"@acme/*", "@acm/x", false},
		{"*-cli", "npm-cli", true},
		{"*-cli", "npm-client", false},
		{"a*b*c", "abc", true},
		{"a*b*c", "a-b-b-c", true},
		{"a*b*c", "acb", false},
		{"a*a", "a", false},
		{"a*ba", "aba", true},
		{"**x", "yx", true},
	} {
		if got := store.Glob(c.pattern, c.text); got != c.want {
			t.Errorf("%q matches %q: %t, want %t", c.pattern, c.text, got, c.want)
		}
	}
}
