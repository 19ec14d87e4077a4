package npm

// How often packages were fetched, as the downloads API says it.

import (
	"context"
	"strings"
	"testing"
	"time"

	"larder/internal/wiretest"
	"larder/store/storetest"
)

// TestDownloadsOfPeriods: days are those of the store's clock; what is counted by month is that of its first day.
func TestDownloadsOfPeriods(t *testing.T) {
	clock := storetest.NewClock()
	g := newRig(t, func(o *rigOptions) { o.WithClock(clock) })
	g.publish("demo", "1.0.0")
	pull := func(times int) (day string) {
		for range times {
			g.Want(g.Do("GET", "/demo/-/demo-1.0.0.tgz", nil), 200, "")
		}
		if err := g.Store.FlushUse(context.Background()); err != nil {
			t.Fatal(err)
		}
		return clock.Now().UTC().Format(time.DateOnly)
	}
	old := pull(1)
	month := old[:len("2026-01-")] + "01"
	clock.Advance(100 * 24 * time.Hour)
	before := pull(2)
	clock.Advance(24 * time.Hour)
	day := pull(3)
	for period, want := range map[string]int{day: 3, before: 2, before + ":" + day: 5, month + ":" + day: 6, old: 0} {
		got := g.Want(g.Do("GET", "/downloads/point/"+period+"/demo", nil), 200, `"package":"demo"`).Object(t)
		wiretest.EqualJSON(t, period, got["downloads"], want)
	}
	got := g.Do("GET", "/downloads/range/"+before+":"+day+"/demo", nil).Object(t)
	want := []fields{{"downloads": 2, "day": before}, {"downloads": 3, "day": day}}
	wiretest.EqualJSON(t, "by day", got["downloads"], want)
	wiretest.EqualJSON(t, "start and end", []any{got["start"], got["end"]}, []string{before, day})
	for _, path := range []string{
		"/downloads/point/last-week/absent", "/downloads/point/last-decade/demo",
		"/downloads/range/" + day + ":" + before + "/demo", "/downloads/point/2020-01-01:2026-01-01/demo",
	} {
		g.Want(g.Do("GET", path, nil), 404, "")
	}
}

// TestDownloadsOfManyPackages: of all that are seen, and of each in a list, where what is absent or may not be seen is
// null.
func TestDownloadsOfManyPackages(t *testing.T) {
	g := newRig(t)
	for _, name := range []string{"demo", "@acme/demo", "@acme/closed"} {
		g.publish(name, "1.0.0")
		g.Want(g.Do("GET", "/"+name+"/-/"+name[strings.LastIndexByte(name, '/')+1:]+"-1.0.0.tgz", nil), 200, "")
	}
	g.Want(g.Ada("POST", "/-/package/@acme%2fclosed/access", fields{"access": "restricted"}), 200, "")
	g.Want(g.Do("GET", "/downloads/point/last-week", nil), 200, `"downloads":2,`).WantNot(t, "package")
	g.Want(g.Ada("GET", "/downloads/point/last-week", nil), 200, `"downloads":3,`)
	g.Want(g.Do("GET", "/downloads/range/last-day", nil), 200, `"downloads":[{"downloads":2,"day":"`)
	for path, want := range map[string]fields{
		"/downloads/point/last-day/demo,@acme/demo,@acme/closed,absent": {"demo": 1, "@acme/demo": 1},
		"/downloads/point/last-day/@acme%2Fdemo,demo":                   {"demo": 1, "@acme/demo": 1},
		"/downloads/range/last-day/absent,@acme/closed":                 {},
	} {
		a := g.Want(g.Do("GET", path, nil), 200, "")
		for name, got := range a.Object(t) {
			if want[name] == nil {
				wiretest.EqualJSON(t, path+": "+name, got, nil)
				continue
			}
			wiretest.EqualJSON(t, path+": "+name, wiretest.At(got, "downloads"), want[name])
			wiretest.EqualJSON(t, path+": package of "+name, wiretest.At(got, "package"), name)
		}
		wiretest.Equal(t, path, len(a.Object(t)), strings.Count(path, ",")+1)
	}
	g.Want(g.Ada("GET", "/downloads/point/last-day/absent,@acme/closed", nil), 200, `"package":"@acme/closed"`)
	hidden := g.Want(g.Do("GET", "/downloads/point/last-day/@acme/closed", nil), 404, "")
	absent := g.Want(g.Do("GET", "/downloads/point/last-day/@acme/absent", nil), 404, "")
	wiretest.Equal(t, "what is hidden", hidden.Body, absent.Body)
	many := strings.Repeat("demo,", maxBulk) + "demo"
	g.Want(g.Do("GET", "/downloads/point/last-day/"+many, nil), 400, "more than 128 packages")
}

// TestDownloadsOfCopies: those from here, which the upstream does not count.
func TestDownloadsOfCopies(t *testing.T) {
	origin := newRig(t)
	origin.publish("demo", "1.0.0")
	g := newCache(t, origin)
	for range 2 {
		g.Want(g.Do("GET", "/demo/-/demo-1.0.0.tgz", nil), 200, "")
	}
	for _, period := range []string{"last-week", "last-month", "last-year"} {
		g.Want(g.Do("GET", "/downloads/point/"+period+"/demo", nil), 200, `"downloads":2`)
	}
	g.Want(g.Do("GET", "/downloads/point/last-week", nil), 200, `"downloads":2`)
	g.Want(g.Do("GET", "/downloads/range/last-day/demo", nil), 200, `"downloads":[{"downloads":2,`)
	a := g.Want(g.Do("GET", "/downloads/point/last-week/demo,absent", nil), 200, `"absent":null`)
	wiretest.EqualJSON(t, "of a list", wiretest.At(a.Object(t), "demo", "downloads"), 2)
	g.Want(g.Do("GET", "/downloads/point/last-week/absent", nil), 404, "")
	origin.Want(origin.Do("GET", "/-/v1/search?text=demo", nil), 200, `"downloads":{"monthly":1,"weekly":1}`)
}
