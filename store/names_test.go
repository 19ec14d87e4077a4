package store_test

// A name is ours from its first publish or claim until it is released, in every kind.

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	. "larder/store"
	"larder/store/storetest"
)

// TestNamesOutlivePackages: publish, delete a version, delete the package, publish again: the name is ours throughout;
// what is kept of upstreams makes no name ours.
func TestNamesOutlivePackages(t *testing.T) {
	ctx := context.Background()
	s := storetest.New(t)
	for _, k := range Kinds() {
		r := NewRepo[int](s, k)
		is := func(when string, want bool) {
			t.Helper()
			if got, err := s.Owns(ctx, k, "acme/demo"); got != want || err != nil {
				t.Errorf("%s, %s: the name is ours: %t, %v; want %t", k, when, got, err, want)
			}
		}
		change := func(fn func(*PackageTx[int]) error) {
			t.Helper()
			if err := r.Update(ctx, "acme/demo", fn); err != nil {
				t.Fatal(err)
			}
		}
		is("never published", false)
		for _, copies := range []Kind{k.Documents(), k.CachedFiles()} {
			err := NewRepo[int](
				s, copies,
			).Update(ctx, "acme/demo", func(p *PackageTx[int]) error { return p.Publish(Version[int]{ID: "1", Source: Cached}) })
			if err != nil {
				t.Fatal(err)
			}
		}
		is("a copy is kept", false)
		change(func(p *PackageTx[int]) error { return p.Publish(Version[int]{ID: "1"}) })
		is("published", true)
		if err := s.ReleaseName(ctx, k, "acme/demo"); !errors.Is(err, ErrReferenced) {
			t.Errorf("%s: the name of a package that is there is released: %v, want %v", k, err, ErrReferenced)
		}
		change(func(p *PackageTx[int]) error { return p.Delete("1", false) })
		is("the last version deleted", true)
		change(func(p *PackageTx[int]) error { return p.DeletePackage() })
		is("the package deleted", true)
		if err := s.ReleaseName(ctx, k, "acme/demo"); err != nil {
			t.Fatal(err)
		}
		is("released", false)
		if err := s.ReleaseName(ctx, k, "acme/demo"); !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: a name that is not ours is released: %v, want %v", k, err, ErrNotFound)
		}
		change(func(p *PackageTx[int]) error { return p.Publish(Version[int]{ID: "2"}) })
		is("published again", true)
	}
}

// TestEmptiedPackageGoesWithItsName: what is yanked is left to those who have locked it in every kind but RubyGems. The
// number of a gem that is gone is not free again.
func TestEmptiedPackageGoesWithItsName(t *testing.T) {
	ctx := context.Background()
	s := storetest.New(t)
	for _, k := range Kinds() {
		r := NewRepo[int](s, k)
		change := func(name string, fn func(*PackageTx[int]) error) error {
			t.Helper()
			return r.Update(ctx, name, fn)
		}
		publish := func(p *PackageTx[int]) error { return p.Publish(Version[int]{ID: "1"}) }
		for name, empty := range map[string]func(p *PackageTx[int]) error{
			"acme/deleted": func(p *PackageTx[int]) error { return p.Delete("1", false) },
			"acme/yanked": func(p *PackageTx[int]) error {
				return p.Replace(Version[int]{ID: "1", Yanked: true}, OpYank)
			},
		} {
			if err := errors.Join(change(name, publish), change(name, empty)); err != nil {
				t.Fatal(err)
			}
			var want error
			if name == "acme/yanked" && k != RubyGems {
				want = ErrReferenced
			}
			if err := s.ReleaseName(ctx, k, name); !errors.Is(err, want) {
				t.Errorf("release of %s %s: %v, want %v", k, name, err, want)
			}
			err := r.View(ctx, name, func(p *PackageTx[int]) error {
				_, err := p.Package()
				return err
			})
			if gone := errors.Is(err, ErrNotFound); gone != (want == nil) {
				t.Errorf("%s %s is gone after the release: %t, %v, want %t", k, name, gone, err, want == nil)
			}
		}
	}
	gems := NewRepo[int](s, RubyGems)
	err := gems.Update(ctx, "acme/yanked", func(p *PackageTx[int]) error { return p.Publish(Version[int]{ID: "1"}) })
	if !errors.Is(err, ErrExists) {
		t.Errorf("the number of a gem that is gone is published again: %v, want %v", err, ErrExists)
	}
}

// TestNamesTellWhoseTheyAre: since when and through whom a name is ours stays the same while its package comes and
// goes, until it is claimed or released.
func TestNamesTellWhoseTheyAre(t *testing.T) {
	clock := storetest.NewClock() // at 03:04
	s := storetest.New(t, storetest.WithClock(clock))
	blob := storetest.Put(t, s, "layer")
	repo := NewRepo[int](s, OCI)
	as := func(user, what string, fn func(p *PackageTx[int]) error) {
		t.Helper()
		clock.Advance(time.Minute)
		if err := repo.Update(WithActor(context.Background(), Actor{User: user}), "demo", fn); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	are := func(when string, want ...string) {
		t.Helper()
		all, err := s.Names(context.Background(), NamesQuery{Kind: OCI, Hosted: true})
		var got []string
		for _, n := range all {
			since := n.Since.Format("15:04")
			got = append(got, fmt.Sprintf("%s %s %s claimed=%t hosted=%t", n.Name, since, n.By, n.Claimed, n.Hosted))
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: the names are %q, %v; want %q", when, got, err, want)
		}
	}
	publish := func(p *PackageTx[int]) error { return p.Publish(Version[int]{ID: "1"}) }
	remove := func(p *PackageTx[int]) error { return p.DeletePackage() }

	as("ada", "upload", func(p *PackageTx[int]) error { return p.Hold(blob) })
	are("uploaded, not published")
	as("ada", "publish", publish)
	are("published", "demo 03:06 ada claimed=false hosted=true")
	as("bob", "publish", func(p *PackageTx[int]) error { return p.Publish(Version[int]{ID: "2"}) })
	are("published by another", "demo 03:06 ada claimed=false hosted=true")
	as("bob", "delete", remove)
	are("deleted", "demo 03:06 ada claimed=false hosted=false")
	as("bob", "publish", publish)
	are("published again", "demo 03:06 ada claimed=false hosted=true")
	as("bob", "delete", remove)
	if err := s.ReleaseName(context.Background(), OCI, "demo"); err != nil {
		t.Fatal(err)
	}
	are("released")
	as("bob", "publish", publish)
	are("published after the release", "demo 03:11 bob claimed=false hosted=true")
	clock.Advance(time.Minute)
	if err := s.ClaimName(WithActor(context.Background(), Actor{User: "root"}), OCI, "demo"); err != nil {
		t.Fatal(err)
	}
	are("claimed while it is there", "demo 03:12 root claimed=true hosted=true")
	as("bob", "delete", remove)
	are("claimed and deleted", "demo 03:12 root claimed=true hosted=false")
}

// TestNamesArePagedInOrder: those of packages, those that are only claimed and those that are both, in one list.
func TestNamesArePagedInOrder(t *testing.T) {
	ctx := context.Background()
	s := storetest.New(t)
	for _, name := range []string{"b", "d", "e"} {
		publish(t, s, name, Version[meta]{ID: "1"})
	}
	for _, name := range []string{"a", "c", "d", "f"} {
		if err := s.ClaimName(ctx, NPM, name); err != nil {
			t.Fatal(err)
		}
	}
	publish(t, s, "c", Version[meta]{ID: "1"})
	for hosted, want := range map[bool]string{true: "abcdef", false: "af"} {
		for limit := 1; limit < 8; limit++ {
			got, after := "", ""
			for {
				page, err := s.Names(ctx, NamesQuery{Kind: NPM, Hosted: hosted, After: after, Limit: limit})
				if err != nil {
					t.Fatal(err)
				}
				if len(page) == 0 {
					break
				}
				for _, n := range page {
					got, after = got+n.Name, n.Name
				}
			}
			if got != want {
				t.Errorf("with hosted names %t, in pages of %d, the names are %q, want %q", hosted, limit, got, want)
			}
		}
	}
}

// TestLookAlikesAreRefused: in the kinds that have no rule of their own; what is claimed, private or gone is told
// apart.
func TestLookAlikesAreRefused(t *testing.T) {
	ctx := context.Background()
	s := storetest.New(t)
	publishAs := func(k Kind, name string, private bool) error {
		return NewRepo[int](s, k).Update(ctx, name, func(p *PackageTx[int]) error {
			if err := p.Publish(Version[int]{ID: "1"}); err != nil {
				return err
			}
			return p.SetPackage(func(pkg *Package) { pkg.Private = private })
		})
	}
	for _, k := range []Kind{OCI, Maven, Composer} {
		if err := publishAs(k, "acme/left-pad", false); err != nil {
			t.Fatal(err)
		}
		if err := publishAs(k, "acme/se_cret", true); err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]string{
			"acme/left_pad": "looks like acme/left-pad", "acme/Left.Pad": "looks like acme/left-pad",
			"acme/se-cret": "looks like a name that is taken",
		} {
			err := publishAs(k, name, false)
			if !errors.Is(err, ErrExists) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "se_cret") {
				t.Errorf("%s: %s is published: %v, want %v saying that it %s", k, name, err, ErrExists, want)
			}
			if owned, err := s.Owns(ctx, k, name); owned || err != nil {
				t.Errorf("%s: %s was refused and is ours, %v", k, name, err)
			}
		}
		if err := s.ClaimName(ctx, k, "acme/left_pad"); err != nil {
			t.Fatal(err)
		}
		if err := publishAs(k, "acme/left_pad", false); err != nil {
			t.Errorf("%s: a look-alike that is claimed is refused: %v", k, err)
		}
		if err := publishAs(k, "acme/leftpad", false); err != nil {
			t.Errorf("%s: a name that is like no other is refused: %v", k, err)
		}
		err := NewRepo[int](s, k).Update(ctx, "acme/left-pad", func(p *PackageTx[int]) error { return p.DeletePackage() })
		if err != nil {
			t.Fatal(err)
		}
		if err := publishAs(k, "acme/left.pad", false); err != nil {
			t.Errorf("%s: a name like one that is gone is refused: %v", k, err)
		}
	}
}

// TestClaimedNamesAreOursUntilReleased: a name can be ours without a package; claims and releases are in the journal,
// once each.
func TestClaimedNamesAreOursUntilReleased(t *testing.T) {
	ctx := WithActor(context.Background(), Actor{User: "root"})
	s := storetest.New(t)
	for range 2 {
		if err := s.ClaimName(ctx, NPM, "left-pad"); err != nil {
			t.Fatal(err)
		}
	}
	publish(t, s, "left-pad", Version[meta]{ID: "1"})
	publish(t, s, "other", Version[meta]{ID: "1"})
	all, err := s.Names(ctx, NamesQuery{Hosted: true})
	if err != nil || len(all) != 2 || !all[0].Claimed || all[0].By != "root" || !all[0].Hosted || all[1].Claimed ||
		all[1].Name != "other" {
		t.Errorf("the names are %+v, %v; want left-pad, claimed by root, and other, both hosted", all, err)
	}
	if gone, err := s.Names(ctx, NamesQuery{}); err != nil || len(gone) != 0 {
		t.Errorf("names without a package: %+v, %v; want none", gone, err)
	}
	if err := s.ClaimName(ctx, Maven, "com.acme:a"); err != nil {
		t.Fatal(err)
	}
	if err := s.ClaimName(ctx, Maven, "com.acme:b"); err != nil {
		t.Fatal(err)
	}
	page, err := s.Names(ctx, NamesQuery{Kind: Maven, After: "com.acme:a", Limit: 1})
	if err != nil || len(page) != 1 || page[0].Name != "com.acme:b" {
		t.Errorf("the page behind com.acme:a is %+v, %v; want com.acme:b", page, err)
	}
	if err := s.ReleaseName(ctx, Maven, "com.acme:a"); err != nil {
		t.Fatal(err)
	}
	if err := s.ClaimName(ctx, NPM, ""); !errors.Is(err, ErrInvalid) {
		t.Errorf("an empty name is claimed: %v, want %v", err, ErrInvalid)
	}
	entries, err := s.Journal(ctx, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		if e.Op == OpClaim || e.Op == OpRelease {
			got = append(got, fmt.Sprint(e.Op, " ", e.Kind, " ", e.Package, " ", e.Actor.User))
		}
	}
	want := []string{
		"claim npm left-pad root", "claim maven com.acme:a root", "claim maven com.acme:b root",
		"release maven com.acme:a root",
	}
	if !slices.Equal(got, want) {
		t.Errorf("the journal has %q, want %q", got, want)
	}
}
