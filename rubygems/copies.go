package rubygems

// Copies of upstreams in searches: what the compact index, and the upstream's own document of a gem, say of them.

import (
	"encoding/json"
	"slices"
	"strings"

	"larder/rubygems/compactindex"
	"larder/rubygems/names"
	"larder/rubygems/version"
	"larder/store"
	"larder/upstream"
)

// aboutCopy reads the versions of an /info, and what the document of a gem says.
func aboutCopy(name, key string, body []byte) (a upstream.About, ok bool) {
	if key != "info" {
		var said struct {
			Info     string
			Licenses []string
			Homepage string `json:"homepage_uri"`
			Source   string `json:"source_code_uri"`
		}
		if key != gemRef(name) || json.Unmarshal(body, &said) != nil {
			return a, false
		}
		return upstream.About{
			Description: said.Info, License: strings.Join(said.Licenses, ", "), Homepage: said.Homepage, Repository: said.Source,
		}, true
	}
	lines := map[string]string{}
	for _, l := range compactindex.Entries(body) {
		a.Versions = append(a.Versions, l.ID)
		lines[l.ID] = string(l.Raw)
	}
	slices.SortStableFunc(a.Versions, func(a, b string) int {
		switch {
		case version.Prefers(a, b):
			return -1
		case version.Prefers(b, a):
			return 1
		}
		return 0
	})
	if len(a.Versions) > 0 {
		a.Needs = needsOf(lines[a.Versions[0]])
	}
	return a, true
}

// gemRef is the document of a gem in the JSON API of an upstream.
func gemRef(name string) string { return "api/v1/gems/" + name + ".json" }

// copyListing is what a copy is found by.
func copyListing(c upstream.Copy) store.Listing { return listingOf(c.Name, c.Description) }

// copyJSON is a copy in the answer of a search: what is not known is left out.
type copyJSON struct {
	Name       string   `json:"name"`
	Version    string   `json:"version"`
	Platform   string   `json:"platform,omitempty"`
	Info       string   `json:"info"`
	Licenses   []string `json:"licenses,omitempty"`
	ProjectURI string   `json:"project_uri"`
	GemURI     string   `json:"gem_uri,omitempty"`
	Homepage   string   `json:"homepage_uri,omitempty"`
	Source     string   `json:"source_code_uri,omitempty"`
	Upstream   string   `json:"upstream"` // what the registry is called
}

func copyJSONOf(c upstream.Copy, base string) copyJSON {
	out := copyJSON{
		Name: c.Name, Info: c.Description, ProjectURI: base + "/api/v1/gems/" + c.Name + ".json", Homepage: c.Homepage,
		Source: c.Repository, Upstream: c.Upstream,
	}
	if c.License != "" {
		out.Licenses = strings.Split(c.License, ", ")
	}
	if c.Latest != "" {
		out.Version, out.Platform = version.Split(c.Latest)
		out.GemURI = base + "/gems/" + names.FullName(c.Name, c.Latest) + suffixGem
	}
	return out
}
