package composer

// Copies of upstreams in lists and searches: what their documents say of them.

import (
	"cmp"
	"encoding/json"
	"slices"

	"larder/composer/manifest"
	"larder/composer/minify"
	"larder/composer/version"
	"larder/internal/rawjson"
	"larder/store"
	"larder/upstream"
)

// aboutCopy reads what a document of releases or branches says of its package. The branches' says it of packages
// without releases only.
func aboutCopy(name, key string, body []byte) (a upstream.About, ok bool) {
	if key != formReleases && key != formBranches {
		return a, false
	}
	_, list, err := minify.Expand(body, name)
	if err != nil || len(list) == 0 {
		return a, false
	}
	type release struct {
		normalized string
		rawjson.Object
	}
	releases := make([]release, len(list))
	for i, v := range list {
		releases[i] = release{normalizedOf(v), v}
	}
	slices.SortStableFunc(releases, func(a, b release) int {
		switch {
		case version.Before(a.normalized, b.normalized):
			return -1
		case version.Before(b.normalized, a.normalized):
			return 1
		}
		return 0
	})
	best := releases[0]
	a = upstream.About{
		Description: best.Text("description"), Type: best.Text("type"), Homepage: manifest.WebURL(best.Text("homepage")),
		Repository: cmp.Or(manifest.WebURL(best.Sub("support").Text("source")),
			manifest.WebURL(best.Sub("source").Text("url"))),
	}
	if json.Unmarshal(best.Get("keywords"), &a.Keywords) != nil {
		a.Keywords = nil // they are no list of texts
	}
	a.Needs = manifest.Needs(best.Object)
	if key == formReleases {
		for _, v := range releases {
			a.Versions = append(a.Versions, v.Text("version"))
		}
	}
	return a, true
}

// copyListing is what a copy is found by and shown with.
func copyListing(c upstream.Copy) store.Listing {
	l, err := listingOf(c.Name, manifest.Summary{
		Version: c.Latest, Description: c.Description, Type: cmp.Or(c.Type, manifest.TypeLibrary), Repository: c.Repository,
		Keywords: c.Keywords,
	})
	if err != nil {
		return store.Listing{} // not reached: a summary is strings
	}
	return l
}
