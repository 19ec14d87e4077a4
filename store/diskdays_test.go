package store_test

// What the folder took on each day, and what a look at all packages finds.

import (
	"context"
	"testing"
	"time"

	"larder/store"
	"larder/store/storetest"
)

func TestDiskIsNotedOnceADay(t *testing.T) {
	clock := storetest.NewClock()
	s := storetest.New(t, storetest.WithClock(clock))
	meter := s.Meter(store.NPM, "")
	use := func(text string) {
		t.Helper()
		if _, err := s.PutBytes(t.Context(), []byte(text)); err != nil {
			t.Fatal(err)
		}
		meter.Requests.Add(1)
		if err := s.FlushUse(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	began := clock.Now()
	use("ten bytes.")
	clock.Advance(2 * time.Hour)
	use("some more bytes")
	clock.Advance(24 * time.Hour)
	use("and more")
	list, err := s.DiskDays(t.Context(), began)
	if err != nil || len(list) != 2 {
		t.Fatalf("days %+v, %v; want two", list, err)
	}
	for i, want := range []int64{25, 33} {
		if list[i].Blobs != want || list[i].Database == 0 {
			t.Errorf("day %d: %+v, want %d bytes of blobs", i, list[i], want)
		}
		if day := began.UTC().Truncate(24*time.Hour).AddDate(0, 0, i); !list[i].Day.Equal(day) {
			t.Errorf("day %d is %v, want %v", i, list[i].Day, day)
		}
	}
	later, err := s.DiskDays(t.Context(), began.AddDate(0, 0, 1))
	if err != nil || len(later) != 1 || later[0] != list[1] {
		t.Errorf("from the second day on: %+v, %v", later, err)
	}
}

func TestEntriesPageLooksAtSoManyOnly(t *testing.T) {
	clock := storetest.NewClock()
	s := storetest.New(t, storetest.WithClock(clock))
	log := func(op store.Op) {
		t.Helper()
		err := s.Update(t.Context(), func(tx *store.Tx) error {
			tx.Log(store.Entry{Op: op, Kind: store.NPM, Package: "p"})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		clock.Advance(time.Hour)
	}
	began := clock.Now()
	log("first")
	for range 20 {
		log("other")
	}
	f := store.EntryFilter{Kind: store.NPM, Match: func(e store.Entry) bool { return e.Op == "first" }}
	pages := 0
	for before := uint64(0); ; pages++ {
		list, next, err := s.EntriesPage(context.Background(), f, before, 5, 8)
		if err != nil {
			t.Fatal(err)
		}
		if len(list) == 1 && list[0].Op == "first" {
			break
		}
		if before = next; next == 0 || len(list) > 0 {
			t.Fatalf("page %d: %+v, next %d", pages, list, next)
		}
	}
	if pages != 2 {
		t.Errorf("the entry is on page %d, want 2", pages)
	}
	between := store.EntryFilter{Since: began.Add(2 * time.Hour), Until: began.Add(5 * time.Hour)}
	list, next, err := s.EntriesPage(context.Background(), between, 0, 10, 8)
	if err != nil || len(list) != 3 || next != 0 || list[0].Seq != 5 || list[2].Seq != 3 {
		t.Errorf("between two times: %+v, next %d, %v; want entries 5 to 3", list, next, err)
	}
}
