package oci

// Pushing, pulling and deleting manifests and tags.

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"larder/internal/wire"
	"larder/internal/wiretest"
	"larder/oci/manifest"
	"larder/store"
)

// serves checks that a manifest comes back byte for byte under a reference.
func (g *rig) serves(repo, ref, body, mediaType string, d digest.Digest) {
	g.T.Helper()
	for _, accept := range []string{
		"", "*/*", "application/vnd.oci.image.index.v1+json", manifest.TypeDockerList + ", " + manifest.TypeDockerImage,
	} {
		for _, method := range []string{"GET", "HEAD"} {
			a := g.want(g.Ada(method, "/v2/"+repo+"/manifests/"+ref, nil, wiretest.Header("Accept", accept)), 200, "")
			if method == "GET" {
				a.WantExactly(g.T, body)
			}
			a.WantHeader(g.T, "Content-Type", mediaType)
			a.WantHeader(g.T, "Docker-Content-Digest", d.String())
			a.WantHeader(g.T, "Content-Length", fmt.Sprint(len(body)))
		}
	}
}

// TestManifestsComeBackByteForByte: every type comes back as pushed, whatever the client accepts, under tag and both
// digests.
func TestManifestsComeBackByteForByte(t *testing.T) {
	g := newRig(t)
	m := g.imageFields("app", "{}", "layer")
	image := strings.Replace(wiretest.JSON(m), "{", "{ \n\t", 1)
	m["mediaType"] = manifest.TypeDockerImage
	docker := wiretest.JSON(m)
	child := wiretest.JSON(descriptor(manifest.TypeImage, digest.FromString(image), len(image)))
	list := func(typ, children string) string {
		return `{"schemaVersion":2,"mediaType":"` + typ + `","manifests":[` + children + `]}`
	}
	const unknown = "application/vnd.example.thing+json"
	cases := map[string]string{
		manifest.TypeImage:       image,
		manifest.TypeDockerImage: docker,
		manifest.TypeIndex:       list(manifest.TypeIndex, ""),
		manifest.TypeDockerList:  list(manifest.TypeDockerList, child),
		manifest.TypeArtifact:    `{"mediaType":"` + manifest.TypeArtifact + `","artifactType":"x/y","blobs":[]}`,
		unknown:                  `{"mediaType":"` + unknown + `","unknown":{"manifests":[]}}`,
	}
	i := 0
	for mediaType, body := range cases {
		i++
		tag := fmt.Sprintf("t%d", i)
		d := digest.FromString(body)
		a := g.want(g.put("app", tag, body), 201, "")
		a.WantHeader(t, "Location", "/v2/app/manifests/"+d.String())
		a.WantHeader(t, "Docker-Content-Digest", d.String())
		a.WantHeader(t, "OCI-Tag", "")
		g.serves("app", tag, body, mediaType, d)
		g.serves("app", d.String(), body, mediaType, d)
		d512 := digest.SHA512.FromString(body)
		g.want(g.Ada("GET", "/v2/app/manifests/"+d512.String(), nil), 404, codeManifestUnknown)
		g.want(g.put("app", d512.String(), body), 201, "")
		g.serves("app", d512.String(), body, mediaType, d512)
	}
	// The type was fixed at the first push: the same bytes under another one are an ambiguity.
	plain := strings.Replace(image, `"mediaType":"`+manifest.TypeImage+`",`, "", 1)
	g.want(g.Ada("PUT", "/v2/app/manifests/p", plain, wiretest.Header("Content-Type", manifest.TypeImage)), 201, "")
	asDocker := wiretest.Header("Content-Type", manifest.TypeDockerImage)
	g.want(g.Ada("PUT", "/v2/app/manifests/p", plain, asDocker), 400, codeManifestInvalid)
	g.want(g.Ada("PUT", "/v2/app/manifests/q", plain), 201, "")
}

// TestBlobsOfAManifestMustBeInItsRepository: blobs must be in this repository, one error each; foreign layers, children
// and subjects need not.
func TestBlobsOfAManifestMustBeInItsRepository(t *testing.T) {
	g := newRig(t)
	m := g.imageFields("app", "{}", "one")
	a, b := digest.FromString("missing a"), digest.FromString("missing b")
	g.blob("other", "missing a") // another repository's blob does not count
	layers := m["layers"].([]fields)
	m["layers"] = append(layers, descriptor("x/y", a, 1), descriptor("x/y", b, 1), descriptor("x/y", a, 1))
	got := g.want(g.put("app", "v1", wiretest.JSON(m)), 400, codeManifestBlobUnknown)
	got.WantBody(t, a.String(), b.String())
	if n := strings.Count(got.Body, codeManifestBlobUnknown); n != 2 {
		t.Errorf("%d errors, want 2: %s", n, got.Body)
	}
	g.want(g.Ada("GET", "/v2/app/tags/list", nil), 404, codeNameUnknown)

	foreign := fields{
		"mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", "digest": a, "size": 9,
		"urls": []string{"https://files.example.com/a"},
	}
	m["layers"] = append(layers, foreign)
	m["subject"] = descriptor(manifest.TypeImage, b, 7)
	res := g.want(g.put("app", "v1", wiretest.JSON(m)), 201, "")
	res.WantHeader(t, "OCI-Subject", b.String())
	index := fields{
		"schemaVersion": 2, "mediaType": manifest.TypeIndex,
		"manifests": []fields{descriptor(manifest.TypeImage, a, 5), descriptor(manifest.TypeIndex, b, 5)},
	}
	res = g.want(g.put("app", "sparse", wiretest.JSON(index)), 201, "")
	if w := res.Header.Get("Warning"); !strings.HasPrefix(w, `299 - "`) || !strings.Contains(w, "2 objects") {
		t.Errorf("Warning %q", w)
	}
	nested := fields{
		"schemaVersion": 2, "mediaType": manifest.TypeIndex,
		"manifests": []fields{descriptor(manifest.TypeIndex, digest.FromString(wiretest.JSON(index)), 5)},
	}
	g.want(g.put("app", "nested", wiretest.JSON(nested)), 201, "").WantHeader(t, "Warning", "")
	empty := fields{
		"schemaVersion": 2, "mediaType": manifest.TypeImage,
		"config": descriptor("application/vnd.oci.empty.v1+json", g.blob("app", "{}"), 2), "layers": []fields{},
	}
	g.want(g.put("app", "no-layers", wiretest.JSON(empty)), 201, "")
}

// TestStrictIndexesNeedTheirChildren: the option asks for the children, and BuildKit's caches list layers among them.
func TestStrictIndexesNeedTheirChildren(t *testing.T) {
	g := newRig(t, func(o *rigOptions) { o.oci.StrictIndexes = true })
	layer := g.blob("app", "layer")
	index := func(d digest.Digest) string {
		return wiretest.JSON(fields{
			"schemaVersion": 2, "mediaType": manifest.TypeIndex, "manifests": []fields{descriptor(manifest.TypeImage, d, 5)},
		})
	}
	g.want(g.put("app", "v1", index(someDigest)), 400, codeManifestBlobUnknown)
	g.want(g.put("app", "v1", index(layer)), 201, "")
	_, d := g.push("app", "child", "x")
	g.want(g.put("app", "v2", index(d)), 201, "")
}

// TestSparseImagesHoldBlobsThatComeLater: with the option a manifest may come before its blobs, which belong to it as
// soon as they arrive.
func TestSparseImagesHoldBlobsThatComeLater(t *testing.T) {
	clock := newClock()
	g := newRig(t, func(o *rigOptions) { o.oci.SparseImages = true }, withClock(clock))
	late, mounted := digest.FromString("late"), digest.FromString("mounted")
	m := g.imageFields("app", "{}", "early")
	m["layers"] = append(m["layers"].([]fields), descriptor("x/y", late, 4), descriptor("x/y", mounted, 7))
	a := g.want(g.put("app", "v1", wiretest.JSON(m)), 201, "")
	if w := a.Header.Get("Warning"); !strings.Contains(w, "2 objects") {
		t.Errorf("Warning %q", w)
	}
	g.blob("app", "late")
	g.blob("source", "mounted")
	g.want(g.Ada("POST", "/v2/app/blobs/uploads/?from=source&mount="+mounted.String(), nil), 201, "")
	g.sweepAll(clock)
	for _, content := range []string{"early", "late", "mounted", "{}"} {
		g.pullable("app", digest.FromString(content), content)
	}
	g.want(g.Ada("DELETE", "/v2/app/blobs/"+late.String(), nil), 405, codeUnsupported)
}

// TestPushByDigestChecksTheDigest: the digest must be that of the bytes.
func TestPushByDigestChecksTheDigest(t *testing.T) {
	g := newRig(t)
	m := g.image("app", "{}", "layer")
	for _, d := range algorithms(m) {
		g.want(g.put("app", d.String(), m+" "), 400, codeDigestInvalid)
		g.want(g.put("app", d.String(), m), 201, "")
		g.want(g.put("app", d.String(), m), 201, "")
	}
	g.want(g.put("app", "sha256:bad", m), 400, codeDigestInvalid)
	g.want(g.put("app", "bad+tag", m), 400, codeTagInvalid)
	var list tagList
	g.Ada("GET", "/v2/app/tags/list", nil).Decode(t, &list)
	if list.Tags == nil || len(list.Tags) != 0 {
		t.Errorf("tags %v", list.Tags)
	}
}

// TestTagParametersOfAPush is end-7b: each tag is answered, points at the digest the client used, and passes its own
// checks.
func TestTagParametersOfAPush(t *testing.T) {
	g := newRig(t)
	m := g.image("app", "{}", "layer")
	for _, d := range algorithms(m) {
		var tags []string
		for i := range 12 {
			tags = append(tags, fmt.Sprintf("%s-%d", d.Algorithm(), i))
		}
		a := g.want(g.put("app", d.String()+"?tag="+strings.Join(tags, "&tag=")+"&tag="+tags[0], m), 201, "")
		if got := a.Header.Values("OCI-Tag"); !slices.Equal(got, tags) {
			t.Errorf("OCI-Tag %q", got)
		}
		for _, tag := range tags {
			g.serves("app", tag, m, manifest.TypeImage, d)
		}
	}
	many := "?tag=" + strings.Join(strings.Split(strings.Repeat("x", 101), ""), "&tag=")
	g.want(g.put("app", digest.FromString(m).String()+many, m), 414, codeManifestInvalid)
}

// TestCreatorsMoveNoTag: who may only create moves no tag, in whichever way, latest included; nor does
// anybody an immutable one (CVE-2026-31801).
func TestCreatorsMoveNoTag(t *testing.T) {
	rules := store.NewRules(store.RulesConfig{Immutable: []store.Immutable{{Kind: store.OCI, Package: "app", Tag: "v*"}}})
	g := newRig(t, withPolicies(rules))
	g.User("creator", []string{"oci:repository:*:read,create"})
	g.push("app", "latest", "one")
	g.push("app", "v1", "one")
	two := g.image("app", "{}", "two")
	d := digest.FromString(two)
	as := g.As("creator")
	g.want(g.put("app", "latest", two, as), 403, codeDenied)
	g.want(g.put("app", d.String()+"?tag=fresh&tag=latest", two, as), 403, codeDenied)
	g.want(g.Ada("GET", "/v2/app/manifests/fresh", nil), 404, codeManifestUnknown)
	g.want(g.put("app", "fresh", two, as), 201, "")
	g.want(g.put("app", "fresh", two, as), 201, "")

	for _, ref := range []string{"v1", d.String() + "?tag=v1", d.String() + "?tag=v2&tag=v1"} {
		a := g.want(g.put("app", ref, two), 403, codeDenied)
		a.WantBody(t, "tag v1")
	}
	g.want(g.Ada("GET", "/v2/app/manifests/v2", nil), 404, codeManifestUnknown)
	g.want(g.Ada("DELETE", "/v2/app/manifests/v1", nil), 403, codeDenied)
	g.want(g.Ada("POST", "/v2/app/_oci/tag-history/v1?digest="+d.String(), nil), 404, "")
	one := g.image("app", `{"layer":"one"}`, "one")
	g.want(g.Ada("DELETE", "/v2/app/manifests/"+digest.FromString(one).String(), nil), 403, codeDenied)
	g.want(g.put("app", "v1", one), 201, "")
}

// TestTagsAreComparedAndSet: If-Match and If-None-Match on tags, which no other registry has.
func TestTagsAreComparedAndSet(t *testing.T) {
	g := newRig(t)
	one, d1 := g.push("app", "v1", "one")
	two := g.image("app", "{}", "two")
	d2 := digest.FromString(two)
	etag := g.Ada("HEAD", "/v2/app/manifests/v1", nil).Header.Get("ETag")
	g.want(g.put("app", "v1", two, wiretest.Header("If-None-Match", "*")), 412, codeDenied)
	g.want(g.put("app", "v1", two, wiretest.Header("If-Match", `"`+d2.String()+`"`)), 412, codeDenied)
	g.want(g.put("app", "new", two, wiretest.Header("If-Match", "*")), 412, codeDenied)
	g.want(g.put("app", "v1", two, wiretest.Header("If-None-Match", etag)), 412, codeDenied)
	g.want(g.put("app", "v1", two, wiretest.Header("If-Match", `"x", `+etag)), 201, "")
	// Who comes too late is told what the tag points at now.
	g.want(g.put("app", "v1", one, wiretest.Header("If-Match", etag)), 412, codeDenied).WantBody(t, d2.String())
	g.want(g.put("app", d1.String()+"?tag=v1&tag=v9", one, wiretest.Header("If-None-Match", "*")), 412, codeDenied)
	g.want(g.Ada("HEAD", "/v2/app/manifests/v9", nil), 404, "")
	g.want(g.put("app", "v9", one, wiretest.Header("If-None-Match", "*")), 201, "")
	g.want(g.put("app", d1.String(), one, wiretest.Header("If-None-Match", "*")), 412, codeDenied)
	g.want(g.Ada("DELETE", "/v2/app/manifests/v1", nil, wiretest.Header("If-Match", etag)), 412, codeDenied)
	g.want(g.Ada("DELETE", "/v2/app/manifests/v1", nil, wiretest.Header("If-Match", d2.String())), 202, "")
}

// TestDeletingTagsManifestsAndBlobs is end-9 and end-10.
func TestDeletingTagsManifestsAndBlobs(t *testing.T) {
	g := newRig(t)
	m, d := g.push("app", "v1", "layer")
	g.want(g.put("app", "v2", m), 201, "")
	layer := "/v2/app/blobs/" + digest.FromString("layer").String()
	g.want(g.Ada("DELETE", layer, nil), 405, codeUnsupported)
	g.want(g.Ada("DELETE", "/v2/app/manifests/v1", nil), 202, "")
	g.want(g.Ada("DELETE", "/v2/app/manifests/v1", nil), 404, codeManifestUnknown)
	g.serves("app", "v2", m, manifest.TypeImage, d)
	g.want(g.Ada("DELETE", "/v2/app/manifests/"+d.String(), nil), 202, "")
	g.want(g.Ada("DELETE", "/v2/app/manifests/"+d.String(), nil), 404, codeManifestUnknown)
	for _, ref := range []string{"v2", d.String()} {
		g.want(g.Ada("GET", "/v2/app/manifests/"+ref, nil), 404, codeManifestUnknown)
	}
	g.want(g.Ada("DELETE", layer, nil), 202, "")
	g.want(g.Ada("GET", layer, nil), 404, codeBlobUnknown)
	g.want(g.Ada("DELETE", layer, nil), 404, codeBlobUnknown)
	g.want(g.Ada("DELETE", "/v2/nothing/manifests/v1", nil), 404, codeManifestUnknown)
	g.want(g.put("app", "again", g.image("app", `{"layer":"layer"}`, "layer")), 201, "")
}

// TestNoDeleteRefusesEveryDelete: the switch counts for tags, manifests and blobs alike (CVE-2026-41888).
func TestNoDeleteRefusesEveryDelete(t *testing.T) {
	g := newRig(t, func(o *rigOptions) { o.oci.NoDelete = true })
	m, d := g.push("app", "v1", "layer")
	blob := g.blob("app", "loose")
	for _, path := range []string{"manifests/v1", "manifests/" + d.String(), "blobs/" + blob.String()} {
		g.want(g.Ada("DELETE", "/v2/app/"+path, nil), 405, codeUnsupported)
	}
	g.serves("app", "v1", m, manifest.TypeImage, d)
}

// TestDeletedBlobIsUnreadableInItsRepository: what a repository deleted it cannot read, although another one still has
// it (CVE-2026-35172).
func TestDeletedBlobIsUnreadableInItsRepository(t *testing.T) {
	g := newRig(t)
	d := g.blob("app", "layer")
	g.blob("other", "layer")
	path := "/v2/app/blobs/" + d.String()
	g.want(g.Ada("GET", path, nil), 200, "")
	g.want(g.Ada("DELETE", path, nil), 202, "")
	g.want(g.Ada("GET", path, nil), 404, codeBlobUnknown)
	g.pullable("other", d, "layer")
	g.want(g.Ada("GET", path, nil), 404, codeBlobUnknown)
}

// history reads a tag's history as "event digest" lines.
func (g *rig) historyOf(path string) (lines []string, next string) {
	g.T.Helper()
	a := g.want(g.Ada("GET", path, nil), 200, "")
	var index struct{ Manifests []manifest.Descriptor }
	a.Decode(g.T, &index)
	g.isIndex(a)
	for _, m := range index.Manifests {
		if _, err := parseTime(m.Annotations[annotationTime]); err != nil {
			g.T.Errorf("%s: the time of %+v: %v", a.Request, m, err)
		}
		if m.MediaType == "" || m.Size == 0 {
			g.T.Errorf("%s: %+v has no type or no size", a.Request, m)
		}
		lines = append(lines, m.Annotations[annotationEvent]+" "+m.Digest.String())
	}
	if link := a.Header.Get("Link"); link != "" {
		next = strings.TrimSuffix(strings.TrimPrefix(link, "<"), `>; rel="next"`)
	}
	return lines, next
}

// TestTagHistorySurvivesTheTag is #606: newest first, paged, filtered, and it survives tag and manifest; and tags come
// back.
func TestTagHistorySurvivesTheTag(t *testing.T) {
	clock := newClock()
	g := newRig(t, withClock(clock))
	path := "/v2/app/_oci/tag-history/v1"
	if lines, _ := g.historyOf(path); lines != nil {
		t.Errorf("history of nothing: %q", lines)
	}
	m1, d1 := g.push("app", "v1", "one")
	clock.Advance(60e9)
	between := clock.Now().Format("2006-01-02T15:04:05Z07:00")
	_, d2 := g.push("app", "v1", "two")
	clock.Advance(60e9)
	g.want(g.Ada("DELETE", "/v2/app/manifests/v1", nil), 202, "")
	all := []string{"deleted " + d2.String(), "created " + d2.String(), "created " + d1.String()}
	check := func(query string, want []string) {
		t.Helper()
		if lines, _ := g.historyOf(path + query); !slices.Equal(lines, want) {
			t.Errorf("%s: %q, want %q", query, lines, want)
		}
	}
	check("", all)
	check("?n=0", nil)
	check("?before="+between, all[2:])
	check("?since="+between, all[:2])
	check("?digest="+d1.String(), all[2:])
	var paged []string
	for next := path + "?n=2"; next != ""; {
		var lines []string
		lines, next = g.historyOf(next)
		paged = append(paged, lines...)
	}
	if !slices.Equal(paged, all) {
		t.Errorf("paged: %q", paged)
	}

	a := g.want(g.Ada("POST", path, nil), 201, "")
	a.WantHeader(t, "Docker-Content-Digest", d2.String())
	a.WantHeader(t, "OCI-Tag", "v1")
	a.WantHeader(t, "Location", "/v2/app/manifests/"+d2.String())
	g.want(g.Ada("POST", path, nil), 201, "")
	g.serves("app", "v1", m1, manifest.TypeImage, d1)

	// A manifest deleted by digest comes back with its tag while its blobs are there, and not after.
	g.want(g.Ada("DELETE", "/v2/app/manifests/"+d1.String(), nil), 202, "")
	a = g.want(g.Ada("POST", path+"?digest="+d1.String(), nil), 201, "")
	if a.Header.Get("Warning") == "" {
		t.Errorf("restore of a deleted manifest: no warning in %v", a)
	}
	g.serves("app", "v1", m1, manifest.TypeImage, d1)
	g.want(g.Ada("DELETE", "/v2/app/manifests/"+d1.String(), nil), 202, "")
	g.sweepAll(clock)
	g.want(g.Ada("POST", path+"?digest="+d1.String(), nil), 404, codeManifestUnknown)
	if lines, _ := g.historyOf(path); len(lines) < 5 || !strings.HasPrefix(lines[0], "deleted ") {
		t.Errorf("history after all: %q", lines)
	}
	g.want(g.Ada("POST", path+"?digest="+someDigest, nil), 404, codeManifestUnknown)
	g.want(g.Ada("GET", path+"?last=x", nil), 400, codePaginationInvalid)
}

// TestBlobThatExistsStaysForTheGracePeriod: whoever was told that a blob exists can rely on it for the grace period,
// and what is tagged pulls.
func TestBlobThatExistsStaysForTheGracePeriod(t *testing.T) {
	clock := newClock()
	g := newRig(t, withClock(clock))
	m, d := g.push("app", "v1", "layer")
	g.want(g.Ada("DELETE", "/v2/app/manifests/"+d.String(), nil), 202, "")
	clock.Advance(50 * 60e9)
	for _, blob := range []string{"layer", `{"layer":"layer"}`} {
		g.want(g.Ada("HEAD", "/v2/app/blobs/"+digest.FromString(blob).String(), nil), 200, "")
	}
	clock.Advance(50 * 60e9)
	if _, err := g.Store.Sweep(context.Background(), store.SweepOptions{}); err != nil {
		t.Fatal(err)
	}
	g.want(g.put("app", "v1", m), 201, "")
	g.sweepAll(clock)
	g.serves("app", "v1", m, manifest.TypeImage, d)
	g.pullable("app", digest.FromString("layer"), "layer")

	// Gone for good: the push fails, it does not make a tag that cannot be pulled.
	g.want(g.Ada("DELETE", "/v2/app/manifests/"+d.String(), nil), 202, "")
	g.sweepAll(clock)
	g.want(g.Ada("HEAD", "/v2/app/blobs/"+digest.FromString("layer").String(), nil), 404, "")
	g.want(g.put("app", "v1", m), 400, codeManifestBlobUnknown)
}

// TestPushIsWholeOrNothing breaks the push of a manifest at every durable step: afterwards there is all of it or
// nothing.
func TestPushIsWholeOrNothing(t *testing.T) {
	body := []byte(imageWith(`,"subject":{"digest":"` + someDigest + `","size":2}`))
	m, err := manifest.Parse(manifest.TypeImage, body)
	if err != nil {
		t.Fatal(err)
	}
	d := digest.FromBytes(body)
	commit := func(s *store.Store) error {
		p := &push{
			s: newServer(wire.Deps{Store: s}, Options{}), name: "app", digest: d, manifest: m, tags: []string{"v1", "v2"},
		}
		return p.commit(context.Background(), body)
	}
	prepare := func(t *testing.T, s *store.Store) {
		b := putBlob(t, s, "{}")
		hold := func(p *store.PackageTx[Meta]) error { return p.Hold(b) }
		if err := store.NewRepo[Meta](s, store.OCI).Update(context.Background(), "app", hold); err != nil {
			t.Fatal(err)
		}
	}
	push := func(_ *testing.T, s *store.Store) error { return commit(s) }
	brokenAt(t, prepare, push, func(t *testing.T, dir string, failed error) {
		g := newRig(t, func(o *rigOptions) { o.Dir = dir })
		status := g.Ada("GET", "/v2/app/manifests/v1", nil).Status
		if failed == nil && status != 200 {
			t.Errorf("the push succeeded, the tag is a %d", status)
		}
		for _, path := range []string{"manifests/v2", "manifests/" + d.String()} {
			if got := g.Ada("GET", "/v2/app/"+path, nil).Status; got != status {
				t.Errorf("%s is %d, the first tag %d", path, got, status)
			}
		}
		referrers := g.Ada("GET", "/v2/app/referrers/"+someDigest, nil).Body
		if n := strings.Count(referrers, d.String()); (n == 1) != (status == 200) {
			t.Errorf("%d referrers, the tag is a %d", n, status)
		}
		if err := commit(g.Store); err != nil {
			t.Errorf("again: %v", err)
		}
		g.serves("app", "v2", string(body), manifest.TypeImage, d)
	})
}

// TestJournalNamesWhoPushed: records and journal name who pushed.
func TestJournalNamesWhoPushed(t *testing.T) {
	g := newRig(t)
	g.push("app", "v1", "layer")
	d := digest.FromString("layer")
	g.want(g.Ada("POST", "/v2/copy/blobs/uploads/?from=app&mount="+d.String(), nil), 201, "")
	entries, err := g.Store.Journal(context.Background(), 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	ops := map[store.Op]int{}
	for _, e := range entries {
		if e.Kind == store.OCI {
			ops[e.Op]++
			if e.Actor.User != "ada" || e.Actor.Token == "" || e.Actor.Addr == "" {
				t.Errorf("the actor of %+v is %+v, want ada with a token and an address", e, e.Actor)
			}
		}
	}
	for _, op := range []store.Op{store.OpPublish, store.OpTag, store.OpMount} {
		if ops[op] != 1 {
			t.Errorf("the journal has %d entries of %s, want 1: %v", ops[op], op, ops)
		}
	}
}
