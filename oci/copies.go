package oci

// Copies of upstreams in lists: what manifests say of their repositories.

import (
	"encoding/json"
	"strings"

	"larder/upstream"
)

// aboutCopy reads the annotations of a manifest that a tag points at. The tag that was fetched last is shown.
func aboutCopy(_, key string, body []byte) (a upstream.About, ok bool) {
	tag, ok := strings.CutPrefix(key, "tag ")
	if !ok {
		return a, false
	}
	a.Versions = []string{tag}
	var m struct {
		Annotations map[string]string `json:"annotations"`
	}
	if json.Unmarshal(body, &m) != nil {
		return a, true // what a manifest may look like is judged where it is served
	}
	const prefix = "org.opencontainers.image."
	a.Description, a.License = m.Annotations[prefix+"description"], m.Annotations[prefix+"licenses"]
	a.Homepage, a.Repository = m.Annotations[prefix+"url"], m.Annotations[prefix+"source"]
	return a, true
}
