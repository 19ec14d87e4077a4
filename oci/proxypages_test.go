package oci

// Pages of upstreams' lists.

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"larder/store"
	"larder/upstream"
)

// TestPagesOfUpstreamsAreFollowed, whether they name the last entry or have a mark of their own, and whether the link
// to the next page is relative or absolute.
func TestPagesOfUpstreamsAreFollowed(t *testing.T) {
	for _, c := range []struct{ param, base string }{
		{"last", ""}, {"next_page", ""}, {"next_page", "http://tags.example.com"},
	} {
		up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next := map[string]string{"": "b", "b": "c"}[r.URL.Query().Get(c.param)]
			if next != "" {
				w.Header().Set("Link", fmt.Sprintf(`<%s%s?n=1&%s=%s>; rel="next"`, c.base, r.URL.Path, c.param, next))
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
			t.Errorf("pages with %s of %q have %v, want %v", c.param, c.base, tags, want)
		}
	}
}
