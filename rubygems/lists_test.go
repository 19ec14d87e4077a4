package rubygems

// The lists of all gems while upstreams cannot be asked for theirs.

import (
	"crypto/md5"
	"encoding/hex"
	"slices"
	"strings"
	"testing"
	"time"

	"larder/internal/wiretest"
	"larder/store"
	"larder/store/storetest"
	"larder/upstream"
)

// TestListsWithoutTheUpstreamHaveWhatIsKept: also what was fetched after the upstream's list, with the sums of what
// /info answers then.
func TestListsWithoutTheUpstreamHaveWhatIsKept(t *testing.T) {
	for _, c := range []struct {
		what            string
		offline, listed bool
		want            []string // of specs.4.8.gz
	}{
		{"down, its list never asked for", false, false, []string{"demo 2.0 ruby", "demo 1.0 ruby", "mine 1.0 ruby"}},
		{"offline, its list never asked for", true, false, []string{"demo 1.0 ruby", "mine 1.0 ruby"}},
		{"down, its list older than a copy", false, true, []string{"seen 1.0 ruby", "demo 2.0 ruby", "demo 1.0 ruby",
			"mine 1.0 ruby"}},
		{"offline, its list older than a copy", true, true, []string{"seen 1.0 ruby", "demo 1.0 ruby", "mine 1.0 ruby"}},
	} {
		o := newRemote(t)
		o.publish("seen", "1.0")
		clock := storetest.NewClock()
		g := newRig(t, func(r *rigOptions) {
			r.WithClock(clock)
			r.Upstreams = &upstream.Options{
				Upstreams: []upstream.Config{{Kind: store.RubyGems, Name: "main", URL: o.url}}, Now: clock.Now,
			}
		})
		g.publish("mine", "1.0")
		if c.listed {
			g.get("/versions")
		}
		o.publish("demo", "1.0", "2.0")
		o.publish("other", "1.0")
		g.want(g.Do("GET", "/gems/demo-1.0.gem", nil), 200, "")
		o.close()
		clock.Advance(time.Hour)
		g.Deps.Upstreams.SetOffline(c.offline)
		got := readTuples(t, g.Do("GET", "/specs.4.8.gz", nil))
		slices.Sort(got)
		slices.Sort(c.want)
		wiretest.EqualList(t, c.what+": the index", got, c.want...)
		for _, path := range []string{"/latest_specs.4.8.gz", "/prerelease_specs.4.8.gz"} {
			readTuples(t, g.Do("GET", path, nil))
		}
		listed := g.get("/versions").Body
		if names := g.get("/names").Body; !strings.Contains(names, "demo\n") || !strings.Contains(names, "mine\n") ||
			strings.Contains(names+listed, "other") {
			t.Errorf("%s: the names are %q and the versions %q, want what is kept", c.what, names, listed)
		}
		sum := md5.Sum([]byte(g.get("/info/demo").Body))
		if last := lastOf(listed, "demo "); !strings.HasSuffix(last, hex.EncodeToString(sum[:])) {
			t.Errorf("%s: the line is %q, want the sum %x of what /info answers", c.what, last, sum)
		}
	}
}

// lastOf is the last line of a list that begins so.
func lastOf(list, start string) (last string) {
	for line := range strings.Lines(list) {
		if strings.HasPrefix(line, start) {
			last = strings.TrimSuffix(line, "\n")
		}
	}
	return last
}

// TestListsOfAnUpstreamOfWhichNothingIsKept are trouble while it is down: an empty list would say that there is none.
func TestListsOfAnUpstreamOfWhichNothingIsKept(t *testing.T) {
	o := newRemote(t)
	o.publish("demo", "1.0")
	g := o.cache(t)
	g.publish("mine", "1.0")
	o.close()
	g.wantAll(503, "", "/versions", "/names", "/specs.4.8.gz")
}
