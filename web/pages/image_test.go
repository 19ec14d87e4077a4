package pages

// The page of a manifest: strangers' texts in it are texts, and a chart is pulled with helm.

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"larder/internal/wiretest"
)

// pushImage pushes a manifest with one layer as ada and returns its digest.
func (g *rig) pushImage(repo, tag string, config any, configType, layerType string) digest.Digest {
	g.T.Helper()
	text, err := json.Marshal(config)
	if err != nil {
		g.T.Fatal(err)
	}
	descriptor := func(text, mediaType string) wiretest.Fields {
		d := digest.FromString(text)
		g.Want(g.Ada("POST", "/v2/"+repo+"/blobs/uploads/?digest="+d.String(), text), 201, "")
		return wiretest.Fields{"mediaType": mediaType, "digest": d, "size": len(text)}
	}
	const mediaType = "application/vnd.oci.image.manifest.v1+json"
	body := wiretest.JSON(wiretest.Fields{
		"schemaVersion": 2, "mediaType": mediaType, "config": descriptor(string(text), configType),
		"layers": []wiretest.Fields{descriptor("layer", layerType)},
	})
	g.Want(g.Ada("PUT", "/v2/"+repo+"/manifests/"+tag, body, wiretest.Header("Content-Type", mediaType)), 201, "")
	return digest.FromString(body)
}

func TestHostileImagesAreText(t *testing.T) {
	g := newRig(t)
	const config = "application/vnd.oci.image.config.v1+json"
	for _, text := range hostile {
		d := g.pushImage("team/web", "1.0", wiretest.Fields{
			"os": text, "architecture": text, "created": text,
			"config": wiretest.Fields{
				"User": text, "Env": []string{text}, "Entrypoint": []string{text}, "ExposedPorts": wiretest.Fields{text: 1},
				"Labels": wiretest.Fields{text: text, "org.opencontainers.image.source": "javascript:alert(1)//" + text},
			},
			"history": []wiretest.Fields{{"created_by": text}, {"comment": text, "empty_layer": true}},
		}, config, "application/vnd.oci.image.layer.v1.tar+gzip")
		for _, path := range []string{"/ui/oci/team/web", "/ui/oci/team/web/-/m/" + d.String()} {
			page := g.page("", path)
			g.lacks(page, "<script>", "<img", "<iframe", "<style", "<form action=\"https", "onerror=alert(1)>", `href="jav`)
			if n := strings.Count(page, "</main>"); n != 1 {
				t.Errorf("%s with %.40q: main is closed %d times", path, text, n)
			}
		}
	}
}

func TestChartsArePulledWithHelm(t *testing.T) {
	g := newRig(t)
	d := g.pushImage("charts/larder", "1.4.0", wiretest.Fields{"name": "larder", "version": "1.4.0", "apiVersion": "v2"},
		"application/vnd.cncf.helm.config.v1+json", "application/vnd.cncf.helm.chart.content.v1.tar+gzip")
	for _, path := range []string{"/ui/oci/charts/larder", "/ui/oci/charts/larder/-/m/" + d.String()} {
		page := g.page("", path)
		g.has(page, "helm pull", "--version 1.4.0", "Helm chart")
		g.lacks(page, "docker pull")
	}
}

func TestVersionsOfRepositoriesLeadToTheirManifests(t *testing.T) {
	g := newRig(t)
	d := g.pushImage("team/web", "1.0", wiretest.Fields{}, "application/vnd.oci.image.config.v1+json", "text/plain")
	a := g.Do("GET", "/ui/oci/team/web/-/v/"+d.String(), nil, browser())
	if want := "/ui/oci/team/web/-/m/" + d.Encoded(); a.Status != 301 ||
		strings.Replace(a.Header.Get("Location"), "sha256:", "", 1) != want {
		t.Errorf("%v leads to %q, want %q", a, a.Header.Get("Location"), want)
	}
	page := g.page("", "/ui/oci/team/web/-/tags")
	g.has(page, "/ui/oci/team/web/-/m/"+d.String())
	if a := g.Do("GET", "/ui/npm/demo/-/m/1.0.0", nil, browser()); a.Status != 404 {
		t.Errorf("%v: want no page of a manifest for npm", a)
	}
}
