package npm

// Copies of upstreams in searches: what their packuments say of them.

import (
	"io"
	"slices"

	"larder/internal/rawjson"
	"larder/npm/search"
	"larder/npm/version"
	"larder/store"
	"larder/upstream"
)

// newestLooked is how many versions, the last of the document, are looked at for the newest.
const newestLooked = 200

// aboutCopy reads what a packument says of its package. The short form says less, and hides nothing of what the full
// one has said.
func aboutCopy(_, key string, body []byte) (a upstream.About, ok bool) {
	if key != formShort && key != formFull {
		return a, false
	}
	doc, err := rawjson.Split(body)
	if err != nil {
		return a, false
	}
	return aboutOf(doc, idsOf(doc.Sub("versions"))), true
}

// scanCopy is aboutCopy for a packument that is not held in memory.
func scanCopy(_, key string, r io.Reader) (a upstream.About, ok bool) {
	if key != formShort && key != formFull {
		return a, false
	}
	said, err := scanPackument(r)
	if err != nil {
		return a, false
	}
	return *said.About, true
}

// aboutOf is what the members of a packument say, which has the versions ids in that order.
func aboutOf(doc rawjson.Object, ids []string) (a upstream.About) {
	latest := doc.Sub("dist-tags").Text("latest")
	ids = slices.Clone(ids[max(len(ids)-newestLooked, 0):])
	slices.Reverse(ids)
	a = search.About(doc)
	a.Needs = search.Needs(doc.Sub("versions").Sub(latest))
	if latest != "" {
		a.Versions = append(a.Versions, latest)
	}
	for len(ids) > 0 && len(a.Versions) < newestShown {
		next := version.Newest(ids, func(string) bool { return false })
		if next != latest {
			a.Versions = append(a.Versions, next)
		}
		ids = slices.DeleteFunc(ids, func(id string) bool { return id == next })
	}
	return a
}

// newestShown is how many versions are noted: when the first is held back the next is shown.
const newestShown = 20

// copyListing is what a copy is found by and shown with.
func copyListing(c upstream.Copy) store.Listing {
	return search.List(c.Name, search.Manifest(c.About), search.Latest{Version: c.Latest, Published: c.Changed})
}
