package maven

// Copies of upstreams in searches and directories. Most artifacts are fetched without their metadata, so that what is
// known of their versions is gathered from the files.

import (
	"encoding/json"

	"larder/maven/metadata"
	"larder/maven/names"
	"larder/maven/search"
	"larder/maven/version"
	"larder/store"
	"larder/upstream"
)

// aboutCopy reads the versions of an artifact's metadata.
func aboutCopy(name, key string, body []byte) (a upstream.About, ok bool) {
	if key != "document "+names.Dir(name, "")+metadataFile {
		return a, false
	}
	m, err := metadata.Read(body)
	if err != nil {
		return a, false
	}
	list := m.Listed()
	version.Sort(list)
	for i := len(list) - 1; i >= 0; i-- {
		a.Versions = append(a.Versions, list[i])
	}
	return a, len(list) > 0
}

func newer(a, b string) bool { return version.Compare(a, b) > 0 }

// copyListing is what a copy is found by and shown with.
func copyListing(c upstream.Copy) store.Listing {
	found := search.Subject{Name: c.Name, Version: c.Latest, Published: c.Changed}
	l := found.Listing()
	sum := found.Summary()
	sum.Count, sum.Repository, sum.Endings = len(c.Versions), c.Upstream, []string{}
	data, err := json.Marshal(sum)
	if err != nil {
		data = []byte("{}") // not reached: a summary is strings and numbers
	}
	l.Data = data
	return l
}
