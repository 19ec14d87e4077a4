package pypi

// Copies of upstreams in lists and searches: what a project's page, and the JSON API, say of it.

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"larder/internal/pep440"
	"larder/pypi/simple"
	"larder/store"
	"larder/upstream"
)

// aboutCopy reads what a page says of the versions, and the document of the newest release of the project.
func aboutCopy(name, key string, body []byte) (a upstream.About, ok bool) {
	switch key {
	case formPage:
		return upstream.About{Versions: newestFirst(slices.Collect(maps.Keys(simple.Releases(name, body))))}, true
	case "json ":
		var d struct {
			Info struct {
				Name, Summary, Keywords, License string
				Requires                         []string `json:"requires_dist"`
			}
		}
		if json.Unmarshal(body, &d) != nil {
			return a, false
		}
		i := d.Info
		split := func(r rune) bool { return r == ',' || r == ' ' }
		return upstream.About{
			Display: i.Name, Description: i.Summary, License: i.License, Keywords: strings.FieldsFunc(i.Keywords, split),
			Needs: needsOf(i.Requires),
		}, true
	}
	return a, false
}

// newestFirst sorts releases: those before pre-releases, the newest first, at the end what is no version.
func newestFirst(list []string) []string {
	type place struct {
		id, key string
		early   bool
	}
	list = slices.DeleteFunc(list, func(id string) bool { return id == "" })
	places := make([]place, len(list))
	for i, id := range list {
		places[i] = place{id: id, early: true}
		if v, err := pep440.Parse(id); err == nil {
			places[i].key, places[i].early = string(v.Key()), v.Prerelease()
		}
	}
	slices.SortFunc(places, func(a, b place) int {
		switch {
		case a.early != b.early && b.early:
			return -1
		case a.early != b.early:
			return 1
		}
		return strings.Compare(b.key+b.id, a.key+a.id)
	})
	out := make([]string, len(places))
	for i, p := range places {
		out[i] = p.id
	}
	return out
}

// copyListing is what a copy is found by and shown with.
func copyListing(c upstream.Copy) store.Listing {
	return listingOf(c.Name, release{ID: c.Latest, About: about{Summary: c.Description, Keywords: c.Keywords}})
}
