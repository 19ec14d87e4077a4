package store_test

// This file tests that remembered answers are outdated by changes, and by nothing else.

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"larder/store"
	"larder/store/storetest"
)

func TestMemoForgetsWhatChanged(t *testing.T) {
	ctx := context.Background()
	s := storetest.New(t)
	repo := store.NewRepo[struct{}](s, store.NPM)
	memo := store.NewMemo[string, string](s, store.NPM)
	publish := func(name, id string) {
		t.Helper()
		err := repo.Update(ctx, name, func(p *store.PackageTx[struct{}]) error {
			if err := p.Publish(store.Version[struct{}]{ID: id}); err != nil {
				return err
			}
			return p.SetTag("latest", id, store.TagCond{})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	loads := 0
	latest := func(name string) string {
		t.Helper()
		v, err := memo.Get(name, "latest", func() (id string, err error) {
			loads++
			err = repo.View(ctx, name, func(p *store.PackageTx[struct{}]) error {
				tag, err := p.Tag("latest")
				id = tag.Version
				return err
			})
			return id, err
		})
		if err != nil {
			return err.Error()
		}
		return v
	}
	publish("a", "1")
	if got := latest("a") + latest("a"); got != "11" || loads != 1 {
		t.Errorf("two reads gave %q with %d loads, want 11 with one", got, loads)
	}
	publish("a", "2")
	if got := latest("a"); got != "2" || loads != 2 {
		t.Errorf("after a change: %q with %d loads, want 2 with two", got, loads)
	}
	for range 2 {
		if latest("absent") == "" {
			t.Error("an absent package has a latest version")
		}
	}
	if loads != 4 {
		t.Errorf("errors must not be remembered: %d loads", loads)
	}
}

// TestAbsenceIsRememberedUntilItEnds: Find asks for what is not there once, and again when it may have come.
func TestAbsenceIsRememberedUntilItEnds(t *testing.T) {
	ctx := context.Background()
	s := storetest.New(t)
	repo := store.NewRepo[struct{}](s, store.NPM)
	memo := store.NewMemo[string, string](s, store.NPM)
	loads := 0
	find := func() (string, error) {
		return memo.Find("a", "1", func() (id string, err error) {
			loads++
			err = repo.View(ctx, "a", func(p *store.PackageTx[struct{}]) error {
				v, err := p.Version("1")
				id = v.ID
				return err
			})
			return id, err
		})
	}
	for range 3 {
		if _, err := find(); !errors.Is(err, store.ErrNotFound) || loads != 1 {
			t.Errorf("version of no package: %v with %d loads, want ErrNotFound with one", err, loads)
		}
	}
	for _, change := range []struct {
		what string
		do   func(*store.PackageTx[struct{}]) error
		want string
	}{
		{"another version came", func(p *store.PackageTx[struct{}]) error {
			return p.Publish(store.Version[struct{}]{ID: "0"})
		}, ""},
		{"it came", func(p *store.PackageTx[struct{}]) error { return p.Publish(store.Version[struct{}]{ID: "1"}) }, "1"},
		{"it was deleted", func(p *store.PackageTx[struct{}]) error { return p.Delete("1", false) }, ""},
	} {
		if err := repo.Update(ctx, "a", change.do); err != nil {
			t.Fatalf("%s: %v", change.what, err)
		}
		loads = 0
		for range 2 {
			got, err := find()
			if got != change.want || errors.Is(err, store.ErrNotFound) != (change.want == "") || loads != 1 {
				t.Errorf("after %s: %q, %v with %d loads, want %q with one", change.what, got, err, loads, change.want)
			}
		}
	}
}

func TestMemoIsBounded(t *testing.T) {
	memo := store.NewMemo[int, int](storetest.New(t), store.NPM)
	for i := range 50_000 {
		v, err := memo.Get(fmt.Sprint(i%7), i, func() (int, error) { return i, nil })
		if err != nil || v != i {
			t.Fatalf("%d: %v", v, err)
		}
	}
	if n := memo.Len(); n > 8192 {
		t.Errorf("%d answers are kept", n)
	}
	if _, err := memo.Get("x", -1, func() (int, error) { return 0, errors.New("no") }); err == nil {
		t.Error("the error was swallowed")
	}
}
