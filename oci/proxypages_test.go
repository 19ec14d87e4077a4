package oci

// Pages of upstreams' lists, and of lists of referrers those that are kept under a tag.

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"larder/internal/wiretest"
	"larder/oci/manifest"
	"larder/store"
	"larder/upstream"
)

// TestPagesOfUpstreamsAreFollowed, whether they name the last entry or have a mark of their own, whether the link to
// the next page is relative or absolute, and whatever other links there are.
func TestPagesOfUpstreamsAreFollowed(t *testing.T) {
	for _, c := range []struct {
		param, base string
		links       []string
	}{
		{"last", "", []string{`<NEXT>; rel="next"`}},
		{"next_page", "", []string{`<NEXT>; title="a, b"; rel=next, </other?last=z>; rel="first"`}},
		{"next_page", "http://tags.example.com", []string{`</other?last=z>; rel="first"`, `<NEXT>; rel="last next"`}},
	} {
		up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next := map[string]string{"": "b", "b": "c"}[r.URL.Query().Get(c.param)]
			if next != "" {
				to := fmt.Sprintf("%s%s?n=1&%s=%s", c.base, r.URL.Path, c.param, next)
				for _, link := range c.links {
					w.Header().Add("Link", strings.Replace(link, "NEXT", to, 1))
				}
			}
			fmt.Fprintf(w, `{"name":"team/app","tags":["before-%s"]}`, next)
		}))
		t.Cleanup(up.Close)
		g := newRig(t, func(o *rigOptions) {
			o.Upstreams = &upstream.Options{Upstreams: []upstream.Config{{Kind: store.OCI, Name: "hub", URL: up.URL}}}
		})
		var tags []string
		for path := "/v2/hub/team/app/tags/list?n=1"; path != "" && len(tags) < 5; {
			a := g.want(g.Ada("GET", path, nil), 200, "")
			var list tagList
			if err := json.Unmarshal([]byte(a.Body), &list); err != nil {
				t.Fatal(err)
			}
			tags = append(tags, list.Tags...)
			path, _, _ = strings.Cut(strings.TrimPrefix(a.Header.Get("Link"), "<"), ">")
		}
		if want := []string{"before-b", "before-c", "before-"}; !slices.Equal(tags, want) {
			t.Errorf("pages with %s and the links %q have %v, want %v", c.param, c.links, tags, want)
		}
	}
}

// TestReferrersAreReadFromATag where an upstream has no API for them (distribution specification, "unavailable
// referrers API"), also while it is down afterwards.
func TestReferrersAreReadFromATag(t *testing.T) {
	subject := digest.FromString("subject")
	index := wiretest.JSON(fields{
		"schemaVersion": 2, "mediaType": manifest.TypeIndex, "manifests": []fields{
			{"mediaType": manifest.TypeImage, "digest": digest.FromString("sbom"), "size": 4, "artifactType": "text/sbom"},
			{"mediaType": manifest.TypeImage, "digest": digest.FromString("seal"), "size": 4, "artifactType": "text/seal"},
		},
	})
	for _, status := range []int{400, 404, 405, 406, 501} {
		var asked atomic.Int64
		up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/v2/app/manifests/sha256-"+subject.Encoded() {
				asked.Add(1)
				w.WriteHeader(status)
				return
			}
			w.Header().Set("Content-Type", manifest.TypeIndex)
			fmt.Fprint(w, index)
		}))
		t.Cleanup(up.Close)
		clock := newClock()
		g := newRig(t, withClock(clock), func(o *rigOptions) {
			o.Upstreams = &upstream.Options{
				Upstreams: []upstream.Config{{Kind: store.OCI, Name: "hub", URL: up.URL}}, Now: clock.Now,
			}
		})
		path := "/v2/hub/app/referrers/" + subject.String()
		want := func(when string) {
			t.Helper()
			a := g.Ada("GET", path, nil)
			if a.Status != 200 || !strings.Contains(a.Body, "text/sbom") || !strings.Contains(a.Body, "text/seal") {
				t.Errorf("%d, %s: %v, want both that the tag lists", status, when, a)
			}
			a = g.Ada("GET", path+"?artifactType=text/seal", nil)
			if a.Status != 200 || strings.Contains(a.Body, "text/sbom") || !strings.Contains(a.Body, "text/seal") {
				t.Errorf("%d, %s: of one type %v, want that alone", status, when, a)
			}
		}
		want("cold")
		if n := asked.Load(); n != 1 {
			t.Errorf("%d: the API was asked for %d times, want once", status, n)
		}
		up.Close()
		clock.Advance(time.Hour)
		want("down")
	}
}
