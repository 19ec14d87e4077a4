package cargo

// Tests of the index as it is served from an upstream.

import (
	"slices"
	"strings"
	"testing"

	"larder/store"
	"larder/upstream"
)

// TestOfflineIndexOffersWhatIsHere: offline, what is here takes the place of the versions it is compatible with. Crates
// of other systems are in every graph and never downloaded: what nothing is here of stays in the index, or nothing
// could be resolved.
func TestOfflineIndexOffersWhatIsHere(t *testing.T) {
	origin := newRig(t)
	for _, v := range []string{"0.1.0", "0.1.1", "0.2.0", "1.0.0", "1.1.0", "2.0.0"} {
		origin.publish("demo", v)
	}
	origin.publish("windows-only", "1.0.0")
	g := newRig(t, func(r *rigOptions) {
		r.Upstreams = &upstream.Options{Upstreams: []upstream.Config{{Kind: store.Cargo, Name: "main",
			URL: origin.Base + "/index"}}}
	})
	versions := func(path string) (out []string) {
		t.Helper()
		for raw := range linesOf([]byte(g.Want(g.Do("GET", path, nil), 200, "").Body)) {
			l, err := readLine(raw)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, l.Vers)
		}
		return out
	}
	const demo, other = "/index/de/mo/demo", "/index/wi/nd/windows-only"
	all := versions(demo)
	if len(all) != 6 || len(versions(other)) != 1 {
		t.Fatalf("%q", all)
	}
	for _, v := range []string{"0.1.0", "1.1.0"} {
		g.Want(g.Do("GET", "/api/v1/crates/demo/"+v+"/download", nil), 200, "")
	}
	g.Deps.Upstreams.SetOffline(true)
	if got, want := versions(demo), []string{"0.1.0", "0.2.0", "1.1.0", "2.0.0"}; !slices.Equal(got, want) {
		t.Errorf("offline %q, want %q", got, want)
	}
	if got := strings.Join(versions(other), " "); got != "1.0.0" {
		t.Errorf("offline %q", got)
	}
}
