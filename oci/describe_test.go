package oci

// What pages show of manifests: sizes, layers, referrers, READMEs, and the same of copies.

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"larder/internal/describe"
	"larder/internal/miniclient"
	"larder/internal/wire"
	"larder/internal/wiretest"
	"larder/oci/manifest"
	"larder/store"
	"larder/upstream"
)

// shown opens a registry and returns what its pages ask.
func shown(t *testing.T, opts ...func(*rigOptions)) (*rig, describe.Images) {
	t.Helper()
	var images describe.Images
	o := rigOptions{Options: wiretest.Options{Check: checkVersion}}
	for _, f := range opts {
		f(&o)
	}
	g := &rig{wiretest.New(t, o.Options, func(d wire.Deps) wire.Protocol {
		p := New(d, o.oci)
		images = p.Describe.(describe.Images)
		return p
	})}
	return g, images
}

const history = `{"created":"2026-11-01T10:00:00Z","os":"linux","architecture":"amd64","config":{"User":"990",` +
	`"Entrypoint":["/srv/server","--listen"],"Env":["TZ=UTC"],"Labels":{"org.opencontainers.image.licenses":"MIT"}},` +
	`"history":[{"created_by":"/bin/sh -c #(nop) ADD file:abc in / "},` +
	`{"created_by":"RUN /bin/sh -c apt-get update # buildkit"},` +
	`{"created_by":"/bin/sh -c #(nop)  USER 990","empty_layer":true},{"created_by":"COPY public/ /srv # buildkit"}]}`

// indexed pushes an index of two platforms that share a layer, and an attestation, and returns its digest.
func (g *rig) indexed(repo, tag string) (index, amd, att digest.Digest) {
	g.T.Helper()
	images := map[string]string{
		"amd64": g.image(repo, history, "base", "packages", "server"),
		"arm64": g.image(repo, strings.Replace(history, "amd64", "arm64", 1), "base", "packages of arm", "server of arm"),
	}
	list := []fields{}
	for _, arch := range []string{"amd64", "arm64"} {
		d := digest.FromString(images[arch])
		g.want(g.put(repo, d.String(), images[arch]), 201, "")
		one := descriptor(manifest.TypeImage, d, len(images[arch]))
		one["platform"] = fields{"os": "linux", "architecture": arch}
		list = append(list, one)
	}
	amd = digest.FromString(images["amd64"])
	statement := g.imageFields(repo, "{}", "statement")
	statement["layers"].([]fields)[0]["mediaType"] = "application/vnd.in-toto+json"
	statement["layers"].([]fields)[0]["annotations"] = fields{predicateType: "https://slsa.dev/provenance/v1"}
	text := wiretest.JSON(statement)
	att = digest.FromString(text)
	g.want(g.put(repo, att.String(), text), 201, "")
	one := descriptor(manifest.TypeImage, att, len(text))
	one["platform"] = fields{"os": "unknown", "architecture": "unknown"}
	one["annotations"] = fields{referenceType: "attestation-manifest", referenceDigest: amd}
	list = append(list, one)
	body := wiretest.JSON(fields{"schemaVersion": 2, "mediaType": manifest.TypeIndex, "manifests": list})
	g.want(g.put(repo, tag, body), 201, "")
	return digest.FromString(body), amd, att
}

func TestIndexIsAsLargeAsTheDistinctBlobsOfItsPlatforms(t *testing.T) {
	g, images := shown(t)
	index, amd, att := g.indexed("team/web", "1.0")
	m, err := images.Manifest(t.Context(), "team/web", index.String(), "")
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Platforms) != 2 || m.Platforms[0].Name != "linux/amd64" || m.Platforms[1].Name != "linux/arm64" {
		t.Fatalf("the platforms are %+v, want linux/amd64 and linux/arm64 alone", m.Platforms)
	}
	sum := func(texts ...string) (n int64) {
		for _, text := range texts {
			n += int64(len(text))
		}
		return n
	}
	manifests := m.Platforms[0].Pull - sum(history, "base", "packages", "server")
	if m.Platforms[0].Pull != sum(history, "base", "packages", "server")+int64(len(g.body("team/web", amd))) {
		t.Errorf("linux/amd64 takes %d bytes, %d of them its manifest", m.Platforms[0].Pull, manifests)
	}
	if want := m.Platforms[0].Pull + m.Platforms[1].Pull - sum("base"); m.Pull != want {
		t.Errorf("all platforms take %d bytes, want %d: the layer that both have counts once", m.Pull, want)
	}
	list, err := images.Tags(t.Context(), "team/web", describe.Query{Limit: 10})
	if err != nil || len(list.List) != 1 {
		t.Fatalf("tags %+v, %v", list, err)
	}
	if got, want := list.List[0].At.Size, m.Pull+int64(len(m.Body)); got != want {
		t.Errorf("the tag is %d bytes large, want %d", got, want)
	}
	r := m.Referrers
	if len(r) != 1 || r[0].What != "Attestation" || r[0].Of != "linux/amd64" || r[0].Digest != att.String() ||
		r[0].Type != "https://slsa.dev/provenance/v1" {
		t.Errorf("the referrers are %+v, want the attestation of linux/amd64", r)
	}
}

// body is a manifest as clients get it.
func (g *rig) body(repo string, d digest.Digest) string {
	g.T.Helper()
	return g.want(g.Ada("GET", "/v2/"+repo+"/manifests/"+d.String(), nil), 200, "").Body
}

func TestLayersHaveTheCommandsThatMadeThem(t *testing.T) {
	g, images := shown(t)
	index, _, _ := g.indexed("team/web", "1.0")
	m, err := images.Manifest(t.Context(), "team/web", index.String(), "linux/arm64")
	if err != nil || m.Image == nil {
		t.Fatalf("%+v, %v: no image", m, err)
	}
	var got []string
	for _, s := range m.Image.Steps {
		got = append(got, s.Command)
	}
	want := []string{"ADD file:abc in /", "RUN apt-get update", "USER 990", "COPY public/ /srv"}
	if !slices.Equal(got, want) || m.Image.Platform != "linux/arm64" {
		t.Errorf("%s was made by %q, want linux/arm64 by %q", m.Image.Platform, got, want)
	}
	for i, layer := range []int{1, 2, 0, 3} {
		if m.Image.Steps[i].Layer != layer {
			t.Errorf("step %d is layer %d, want %d", i, m.Image.Steps[i].Layer, layer)
		}
	}
	want = []string{"Entrypoint", `["/srv/server","--listen"]`, "User", "990", "Env", "TZ=UTC"}
	got = nil
	for _, f := range m.Image.Config {
		got = append(got, f.Name, f.Value)
	}
	if !slices.Equal(got, want) {
		t.Errorf("the configuration is %q, want %q", got, want)
	}
	if len(m.Image.Labels) != 1 || m.Image.Labels[0].Value != "MIT" {
		t.Errorf("the labels are %v", m.Image.Labels)
	}
}

func TestReferrersSayWhatTheyAre(t *testing.T) {
	g, images := shown(t)
	_, d := g.push("team/web", "1.0", "layer")
	for _, kind := range []string{
		"application/vnd.dev.cosign.artifact.sig.v1+json", "application/spdx+json", "application/vnd.in-toto+json",
		"application/vnd.example.thing",
	} {
		about := g.imageFields("team/web", "{}", kind)
		about["artifactType"], about["subject"] = kind, descriptor(manifest.TypeImage, d, 1)
		text := wiretest.JSON(about)
		g.want(g.put("team/web", digest.FromString(text).String(), text), 201, "")
	}
	g.push("team/web", manifest.FallbackTag(d)+".sig", "signature by its tag")
	m, err := images.Manifest(t.Context(), "team/web", d.String(), "")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range m.Referrers {
		got = append(got, r.What)
		if r.Attached.IsZero() {
			t.Errorf("%s %s has no time", r.What, r.Digest)
		}
	}
	slices.Sort(got)
	if want := []string{"Artifact", "Attestation", "SBOM", "Signature", "Signature"}; !slices.Equal(got, want) {
		t.Errorf("the referrers are %q, want %q", got, want)
	}
}

// TestConfigurationOfAnotherRepositoryIsNotShown: the digest in a manifest gives no right to the blob.
func TestConfigurationOfAnotherRepositoryIsNotShown(t *testing.T) {
	g, images := shown(t, func(o *rigOptions) { o.oci.SparseImages = true })
	g.push("secret/app", "1.0", "layer")
	secret := `{"os":"linux","config":{"Labels":{"password":"of the other"}}}`
	g.blob("secret/app", secret)
	text := wiretest.JSON(fields{
		"schemaVersion": 2, "mediaType": manifest.TypeImage, "layers": []fields{},
		"config": descriptor("application/vnd.oci.image.config.v1+json", digest.FromString(secret), len(secret)),
	})
	g.want(g.put("team/web", "1.0", text), 201, "")
	m, err := images.Manifest(t.Context(), "team/web", digest.FromString(text).String(), "")
	if err != nil || m.Image == nil || len(m.Image.Labels) > 0 {
		t.Errorf("%+v, %v: want an image without a configuration", m.Image, err)
	}
	p, err := images.Package(t.Context(), "team/web", true)
	if err != nil || len(p.Latest.Facts) > 0 {
		t.Errorf("%+v, %v: want no fact", p.Latest.Facts, err)
	}
}

func TestReadmeOfAnImageIsAReferrerOrALongDescription(t *testing.T) {
	g, images := shown(t)
	readme := func(d digest.Digest) string {
		t.Helper()
		text, err := images.Readme(t.Context(), "team/web", d.String())
		if err != nil {
			t.Fatal(err)
		}
		return text.Body
	}
	plain := g.imageFields("team/web", "{}", "layer")
	plain["annotations"] = fields{annotation + "description": "One line."}
	text := wiretest.JSON(plain)
	g.want(g.put("team/web", "1.0", text), 201, "")
	if got := readme(digest.FromString(text)); got != "" {
		t.Errorf("the readme is %q, want none: a line is the summary", got)
	}
	plain["annotations"] = fields{annotation + "description": "# Web\n\nThe front end."}
	text = wiretest.JSON(plain)
	g.want(g.put("team/web", "1.0", text), 201, "")
	d := digest.FromString(text)
	if got := readme(d); got != "# Web\n\nThe front end." {
		t.Errorf("the readme is %q, want the annotation", got)
	}
	about := g.imageFields("team/web", "{}", "# From a referrer")
	about["artifactType"], about["subject"] = "text/markdown", descriptor(manifest.TypeImage, d, len(text))
	text = wiretest.JSON(about)
	g.want(g.put("team/web", digest.FromString(text).String(), text), 201, "")
	if got := readme(d); got != "# From a referrer" {
		t.Errorf("the readme is %q, want the referrer", got)
	}
}

func TestPagesOfCopiesShowWhatIsKept(t *testing.T) {
	h := newHub(t)
	index, amd, _ := h.indexed("library/web", "1.0")
	g, images := shown(t, func(o *rigOptions) {
		o.Upstreams = &upstream.Options{
			Upstreams: []upstream.Config{h.config()}, Blocked: []string{"oci:hub/library/web@2.0"},
		}
	})
	const name = "hub/library/web"
	if _, err := images.Package(t.Context(), name, true); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("%v, want a repository that is not here", err)
	}
	g.want(g.Ada("GET", "/v2/"+name+"/manifests/1.0", nil), 200, "")
	g.want(g.Ada("GET", "/v2/"+name+"/manifests/"+amd.String(), nil), 200, "")
	asked := h.gets.Load() + h.heads.Load() + h.blobs.Load()
	for _, name := range []string{name, "library/web"} {
		p, err := images.Package(t.Context(), name, true)
		if err != nil || p.Tags != 1 || p.Versions != 2 || p.Latest.ID != index.String() || p.Upstream != "hub" {
			t.Errorf("%s: %+v, %v: want a tag, two manifests, and the index as the latest", name, p, err)
		}
		m, err := images.Manifest(t.Context(), name, index.String(), "")
		if err != nil || len(m.Platforms) != 2 || !m.Platforms[0].Here || m.Platforms[1].Here {
			t.Fatalf("%s: %+v, %v: want linux/amd64 here", name, m.Platforms, err)
		}
		if m.Image == nil || m.Image.Layers != 3 || m.Image.Steps[0].Command != "" {
			t.Errorf("%s: image %+v, want three layers whose commands are not here", name, m.Image)
		}
	}
	config := digest.FromString(history)
	g.want(g.Ada("GET", "/v2/"+name+"/blobs/"+config.String(), nil), 200, "")
	asked++
	m, err := images.Manifest(t.Context(), name, index.String(), "")
	if err != nil || m.Image.Steps[0].Command != "ADD file:abc in /" {
		t.Errorf("%+v, %v: want the commands, whose configuration is here now", m.Image, err)
	}
	if now := h.gets.Load() + h.heads.Load() + h.blobs.Load(); now != asked {
		t.Errorf("pages have asked the upstream %d times", now-asked)
	}
	list, err := images.Tags(t.Context(), name, describe.Query{Limit: 10})
	if err != nil || len(list.List) != 1 || list.List[0].Name != "1.0" || list.List[0].At.Size <= m.Platforms[0].Pull {
		t.Errorf("%+v, %v: want the tag with the size of what is here", list, err)
	}
}

// TestChartHasTheReadmeOfItsArchive, and what its Chart.yaml says.
func TestChartHasTheReadmeOfItsArchive(t *testing.T) {
	g, images := shown(t)
	archive, err := miniclient.Tgz(
		miniclient.Member{Name: "larder/Chart.yaml", Body: []byte("name: larder")},
		miniclient.Member{Name: "larder/charts/dep/README.md", Body: []byte("not this")},
		miniclient.Member{Name: "larder/README.md", Body: []byte("# Values")},
	)
	if err != nil {
		t.Fatal(err)
	}
	const chart = `{"name":"larder","version":"1.4.0","apiVersion":"v2","appVersion":"1.4.0","kubeVersion":">= 1.30",` +
		`"description":"A package registry.","keywords":["cache"]}`
	of := g.imageFields("charts/larder", chart, string(archive))
	of["config"].(fields)["mediaType"], of["layers"].([]fields)[0]["mediaType"] = typeHelm, typeChart
	text := wiretest.JSON(of)
	g.want(g.put("charts/larder", "1.4.0", text), 201, "")
	p, err := images.Package(t.Context(), "charts/larder", true)
	if err != nil || !p.Latest.Chart || p.Latest.Summary != "A package registry." || p.Latest.Name != "1.4.0" {
		t.Errorf("%+v, %v: want the chart", p.Latest, err)
	}
	readme, err := images.Readme(t.Context(), "charts/larder", digest.FromString(text).String())
	if err != nil || readme.Body != "# Values" || !readme.Markdown {
		t.Errorf("%+v, %v: want the readme of the chart", readme, err)
	}
}
