package cargo

// Copies of upstreams in searches: what the index, and the upstream's own document of a crate, say of them.

import (
	"encoding/json"
	"slices"

	"larder/cargo/names"
	"larder/cargo/version"
	"larder/internal/rawjson"
	"larder/store"
	"larder/upstream"
)

// aboutCopy reads what a file of the index, or the document of a crate, says of it.
func aboutCopy(_, key string, body []byte) (a upstream.About, ok bool) {
	switch key {
	case formIndex:
		return aboutLines(body)
	case "api crate":
		var said struct {
			Crate struct {
				Description, Homepage, Repository string
				Keywords                          []string
			}
		}
		if json.Unmarshal(body, &said) != nil {
			return a, false
		}
		c := said.Crate
		return upstream.About{
			Description: c.Description, Homepage: c.Homepage, Repository: c.Repository, Keywords: c.Keywords,
		}, true
	}
	return a, false
}

// aboutLines reads the name as it is published, and the versions, the default one first.
func aboutLines(body []byte) (a upstream.About, ok bool) {
	type line struct {
		version string
		yanked  bool
		raw     []byte
	}
	var list []line
	for raw := range linesOf(body) {
		l, err := readLine(raw)
		if err != nil {
			continue
		}
		yanked := false
		rawjson.Members(raw, func(key, value []byte) {
			yanked = yanked || string(key) == "yanked" && string(value) == "true"
		})
		a.Display = l.Name
		list = append(list, line{l.Vers, yanked, raw})
	}
	slices.SortStableFunc(list, func(a, b line) int {
		switch {
		case better(a.version, a.yanked, b.version, b.yanked):
			return -1
		case better(b.version, b.yanked, a.version, a.yanked):
			return 1
		}
		return 0
	})
	for _, l := range list {
		a.Versions = append(a.Versions, l.version)
	}
	if len(list) > 0 {
		a.Needs = needsOf(list[0].raw)
	}
	return a, len(list) > 0
}

// needsOf are the crates that a line of the index names, but for those of its tests.
func needsOf(raw []byte) []string {
	list := []string{}
	var line struct {
		Deps []dependency `json:"deps"`
	}
	if json.Unmarshal(raw, &line) != nil {
		return nil
	}
	for i := range line.Deps {
		if d := &line.Deps[i]; d.Kind != "dev" {
			list = append(list, names.Key(d.on()))
		}
	}
	return list
}

// copyListing is what a copy is found by and shown with.
func copyListing(c upstream.Copy) store.Listing {
	sum := summary{Name: c.Name, Created: c.Since, Updated: c.Changed, Upstream: c.Upstream}
	if c.Display != "" {
		sum.Name = c.Display
	}
	for _, v := range c.Versions {
		if parsed, _ := version.Parse(v); len(parsed.Pre) == 0 {
			sum.Stable = v
			break
		}
	}
	sum.Newest = c.Latest
	l, err := listingOf(sum, Meta{
		Version: c.Latest, Description: c.Description, Homepage: c.Homepage, Repository: c.Repository, Keywords: c.Keywords,
	}, nil)
	if err != nil {
		return store.Listing{} // not reached: a summary is strings
	}
	return l
}
