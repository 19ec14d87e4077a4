package store_test

// Pulls and traffic: what is counted, written down, and left after a restart.

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"larder/store"
	"larder/store/storetest"
)

// pullsOf counts the pulls of a package and of one of its versions.
func pullsOf(t *testing.T, s *store.Store, name, version string) (all, one store.Pulls) {
	t.Helper()
	all, of, err := s.Pulls(t.Context(), store.NPM, name)
	if err != nil {
		t.Fatal(err)
	}
	return all, of[version]
}

func flushUse(t *testing.T, s *store.Store) {
	t.Helper()
	if err := s.FlushUse(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestPullsAreCountedBeforeAndAfterTheyAreWrittenDown(t *testing.T) {
	clock := storetest.NewClock()
	s := storetest.New(t, storetest.WithClock(clock))
	s.Pulled(store.NPM, "demo", "1.0.0")
	s.Pulled(store.NPM, "demo", "1.0.0")
	s.Pulled(store.NPM, "demo", "2.0.0")
	s.Pulled(store.PyPI, "demo", "1.0.0")
	for _, when := range []string{"before", "after"} {
		all, one := pullsOf(t, s, "demo", "1.0.0")
		if all.Total != 3 || one.Total != 2 || one.Since(1, clock.Now()) != 2 {
			t.Errorf("%s: %d pulls of the package, %d of the version, want 3 and 2", when, all.Total, one.Total)
		}
		if want := clock.Now().Truncate(time.Second); !one.Last.Equal(want) {
			t.Errorf("%s: last pulled %s, want %s", when, one.Last, want)
		}
		flushUse(t, s)
	}
	st, err := s.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if k := st.Kinds[store.NPM]; k.Pulls != 3 || k.Recent != 3 {
		t.Errorf("stats have %d pulls, %d of them recent, want 3", k.Pulls, k.Recent)
	}
}

// TestPullsOfAKindAreThoseOfWhatIsSeen: before and after they are written down, also with more packages than are read
// at once.
func TestPullsOfAKindAreThoseOfWhatIsSeen(t *testing.T) {
	clock := storetest.NewClock()
	s := storetest.New(t, storetest.WithClock(clock))
	sum := func(sees func(string) (bool, error)) int64 {
		t.Helper()
		p, err := s.KindPulls(t.Context(), store.NPM, sees)
		if err != nil {
			t.Fatal(err)
		}
		if recent := p.Since(1, clock.Now()); recent != p.Total {
			t.Errorf("%d pulls today of %d", recent, p.Total)
		}
		return p.Total
	}
	s.Pulled(store.PyPI, "demo", "1.0.0")
	s.Pulled(store.NPM, "secret", "1.0.0")
	for i := range 2500 {
		for _, version := range []string{"1.0.0", "1.1.0"} {
			s.Pulled(store.NPM, fmt.Sprint("demo", i), version)
		}
	}
	for _, when := range []string{"before", "after", "with one more"} {
		more := int64(0)
		if when == "with one more" {
			s.Pulled(store.NPM, "demo7", "1.0.0")
			more = 1
		}
		if n := sum(nil); n != 5001+more {
			t.Errorf("%s: %d pulls of all, want %d", when, n, 5001+more)
		}
		n := sum(func(name string) (bool, error) { return name != "secret", nil })
		if n != 5000+more {
			t.Errorf("%s: %d pulls of what is seen, want %d", when, n, 5000+more)
		}
		flushUse(t, s)
	}
}

func TestOldDaysBecomeMonths(t *testing.T) {
	clock := storetest.NewClock()
	s := storetest.New(t, storetest.WithClock(clock))
	for range 200 {
		s.Pulled(store.NPM, "demo", "1.0.0")
		flushUse(t, s)
		clock.Advance(24 * time.Hour)
	}
	_, p := pullsOf(t, s, "demo", "1.0.0")
	days, months := int64(0), int64(0)
	for n := range maps.Values(p.Days) {
		days += n
	}
	for n := range maps.Values(p.Months) {
		months += n
	}
	if p.Total != 200 || len(p.Days) != store.PullDays || days+months != 200 {
		t.Errorf("%d pulls, %d in %d days, %d in months, want 200, of which %d by day", p.Total, days, len(p.Days), months,
			store.PullDays)
	}
	if recent := p.Since(30, clock.Now()); recent != 29 {
		t.Errorf("%d pulls in 30 days, want 29: today has none", recent)
	}
}

func TestTrafficGoesOnAfterARestart(t *testing.T) {
	dir := t.TempDir()
	for n := range int64(2) {
		s, err := store.Open(dir, store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		m := s.Meter(store.NPM, "main")
		if got := m.Traffic(); got.Hits != n || got.Sent != 10*n {
			t.Errorf("start %d: %+v, want %d hits", n, got, n)
		}
		m.Hits.Add(1)
		m.Sent.Add(10)
		flushUse(t, s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTrafficByHourAddsUpToTheTotal(t *testing.T) {
	clock := storetest.NewClock()
	s := storetest.New(t, storetest.WithClock(clock))
	from := clock.Now()
	m := s.Meter(store.Cargo, "")
	for range 3 {
		for range 2 {
			m.Requests.Add(1)
			flushUse(t, s)
		}
		clock.Advance(time.Hour)
	}
	list, err := s.TrafficSince(t.Context(), from)
	if err != nil {
		t.Fatal(err)
	}
	sum := store.Traffic{}
	for _, h := range list {
		if h.Kind != store.Cargo || h.Source != "" || h.Requests != 2 {
			t.Errorf("%+v, want two requests of cargo", h)
		}
		sum = sum.Plus(h.Traffic)
	}
	if len(list) != 3 || sum != m.Traffic() {
		t.Errorf("%d hours with %+v, want 3 with %+v", len(list), sum, m.Traffic())
	}
	clock.Advance(store.TrafficKept + time.Hour)
	m.Requests.Add(1)
	flushUse(t, s)
	if list, err = s.TrafficSince(t.Context(), from); err != nil || len(list) != 1 {
		t.Errorf("after %s there are %d hours, %v, want one", store.TrafficKept, len(list), err)
	}
}

func TestUseStaysInMemoryWhileTheStoreTakesNothing(t *testing.T) {
	s := storetest.New(t)
	s.Meter(store.NPM, "").Requests.Add(1)
	s.Pulled(store.NPM, "demo", "1.0.0")
	s.SetReadOnly("maintenance")
	flushUse(t, s)
	s.SetReadOnly("")
	flushUse(t, s)
	if all, _ := pullsOf(t, s, "demo", "1.0.0"); all.Total != 1 {
		t.Errorf("%d pulls, want 1", all.Total)
	}
	list, err := s.TrafficSince(t.Context(), time.Unix(0, 0))
	if err != nil || len(list) != 1 || list[0].Requests != 1 {
		t.Errorf("traffic %+v, %v, want one request", list, err)
	}
}
