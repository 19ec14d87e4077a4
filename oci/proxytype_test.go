package oci

// Types of upstreams' manifests.

import "testing"

// TestBodyDecidesWhatAnUpstreamsManifestIs, not the Content-Type, and not the rules for pushes.
func TestBodyDecidesWhatAnUpstreamsManifestIs(t *testing.T) {
	const (
		image  = "application/vnd.oci.image.manifest.v1+json"
		index  = "application/vnd.oci.image.index.v1+json"
		docker = "application/vnd.docker.distribution.manifest.v2+json"
		first  = "application/vnd.docker.distribution.manifest.v1+prettyjws"
		rest   = `"config":{"mediaType":"a/b","digest":"sha256:` +
			`44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"layers":[]}`
	)
	for _, c := range []struct{ announced, body, want string }{
		{"application/octet-stream", `{"schemaVersion":2,"mediaType":"` + image + `",` + rest, image},
		{docker, `{"schemaVersion":2,"mediaType":"` + image + `",` + rest, image},
		{"text/plain; charset=utf-8", `{"schemaVersion":2,` + rest, image},
		{"application/octet-stream", `{"schemaVersion":2,"manifests":[]}`, index},
		{first, `{"schemaVersion":1,"name":"a","tag":"b","fsLayers":[],"history":[],"signatures":[]}`, first},
		{"application/vnd.example+json", `{"schemaVersion":2,"x":1}`, "application/vnd.example+json"},
		{"text/html", `<html></html>`, ""},
		{"application/json", `{"errors":[{"code":"UNKNOWN"}]}`, ""},
	} {
		err := checkManifest([]byte(c.body), c.announced)
		if (err == nil) != (c.want != "") {
			t.Errorf("%s %s: %v, want it accepted: %t", c.announced, c.body, err, c.want != "")
		}
		if got := manifestType([]byte(c.body), c.announced); c.want != "" && got != c.want {
			t.Errorf("%s %s is sent as %s, want %s", c.announced, c.body, got, c.want)
		}
	}
}
