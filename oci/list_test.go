package oci

// Lists: tags, referrers, repositories, searches and extensions.

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"larder/internal/wiretest"
	"larder/oci/manifest"
	"larder/store"
)

// nextOf is the target of a Link header, "" without one.
func nextOf(t testing.TB, a answer) string {
	t.Helper()
	link := a.Header.Get("Link")
	if link == "" {
		return ""
	}
	target, ok := strings.CutSuffix(link, `>; rel="next"`)
	if !ok || !strings.HasPrefix(target, "</") {
		t.Fatalf("Link %q is not relative with rel=next", link)
	}
	return target[1:]
}

// TestTagsArePaged is end-8: order, pages, n=0, last that need not exist, and clamping.
func TestTagsArePaged(t *testing.T) {
	g := newRig(t)
	g.want(g.Ada("GET", "/v2/app/tags/list", nil), 404, codeNameUnknown)
	m := g.image("app", "{}", "layer")
	all := []string{"1.0", "1.10", "1.9", "A", "Z", "_x", "a", "b"}
	g.want(g.put("app", digest.FromString(m).String()+"?tag="+strings.Join(all, "&tag="), m), 201, "")
	for query, want := range map[string]struct {
		tags []string
		next string
	}{
		"":                    {all, ""},
		"?n=100000000000000":  {all, ""},
		"?n=8":                {all, ""},
		"?n=3":                {all[:3], "/v2/app/tags/list?last=1.9&n=3"},
		"?n=3&last=1.9":       {all[3:6], "/v2/app/tags/list?last=_x&n=3"},
		"?n=3&last=_x":        {all[6:], ""},
		"?n=0":                {nil, ""},
		"?n=0&last=A":         {nil, ""},
		"?last=1.9":           {all[3:], ""},
		"?last=1.95":          {all[3:], ""},
		"?last=zzz":           {nil, ""},
		"?n=1&last=%C3%A9%00": {nil, ""},
	} {
		a := g.want(g.Ada("GET", "/v2/app/tags/list"+query, nil), 200, "")
		var list tagList
		a.Decode(t, &list)
		if list.Name != "app" {
			t.Errorf("%s: the repository is %q, want app", query, list.Name)
		}
		if list.Tags == nil || !slices.Equal(list.Tags, want.tags) {
			t.Errorf("%s: the tags are %q, want %q", query, list.Tags, want.tags)
		}
		if next := nextOf(t, a); next != want.next {
			t.Errorf("%s: the next page is %q, want %q", query, next, want.next)
		}
	}
	g.want(g.Ada("GET", "/v2/app/tags/list?n=x", nil), 400, codePaginationInvalid)
	if next := nextOf(t, g.Ada("GET", "/oci/app/tags/list?n=1", nil)); next != "/oci/app/tags/list?last=1.0&n=1" {
		t.Errorf("below the alias: %s", next)
	}
}

// isIndex fails unless the answer is an image index of exactly the three fields, with a list that is not null.
func (g *rig) isIndex(a answer) {
	g.T.Helper()
	a.WantHeader(g.T, "Content-Type", manifest.TypeIndex)
	top := a.Object(g.T)
	if got := wiretest.KeysOf(top); !slices.Equal(got, []string{"manifests", "mediaType", "schemaVersion"}) {
		g.T.Errorf("%s: an index with the fields %q: %s", a.Request, got, a.Body)
	}
	if top["schemaVersion"] != 2.0 || top["mediaType"] != manifest.TypeIndex {
		g.T.Errorf("%s: version %v of %v, want 2 of an index", a.Request, top["schemaVersion"], top["mediaType"])
	}
	if top["manifests"] == nil {
		g.T.Errorf("%s: manifests is null", a.Request)
	}
}

// referrers lists the digests of all pages.
func (g *rig) referrers(path string) (list []manifest.Descriptor, filtered string) {
	g.T.Helper()
	for path != "" {
		a := g.want(g.Ada("GET", path, nil), 200, "")
		var index struct{ Manifests []manifest.Descriptor }
		a.Decode(g.T, &index)
		g.isIndex(a)
		list, filtered = append(list, index.Manifests...), a.Header.Get("OCI-Filters-Applied")
		path = nextOf(g.T, a)
	}
	return list, filtered
}

func digestsOf(list []manifest.Descriptor) (out []string) {
	for _, d := range list {
		out = append(out, d.Digest.String())
	}
	slices.Sort(out)
	return out
}

// refer pushes an image (or an index, without config) that refers to subject.
func (g *rig) refer(subject digest.Digest, artifactType string, index bool, annotations fields) digest.Digest {
	g.T.Helper()
	m := fields{
		"schemaVersion": 2, "mediaType": manifest.TypeIndex, "manifests": []fields{},
		"subject": descriptor(manifest.TypeImage, subject, 7), "annotations": annotations,
	}
	if !index {
		m = g.imageFields("app", "{}")
		m["subject"], m["annotations"] = descriptor(manifest.TypeImage, subject, 7), annotations
	}
	if artifactType != "" {
		m["artifactType"] = artifactType
	}
	body := wiretest.JSON(m)
	d := digest.FromString(body)
	a := g.want(g.put("app", d.String(), body), 201, "")
	a.WantHeader(g.T, "OCI-Subject", subject.String())
	return d
}

// TestReferrersAreListedAndFiltered is end-12: before and after the subject exists, with and without artifactType,
// filtered, paged, deleted.
func TestReferrersAreListedAndFiltered(t *testing.T) {
	g := newRig(t)
	subject := digest.FromString("to come")
	path := "/v2/app/referrers/" + subject.String()
	if list, _ := g.referrers(path); list != nil {
		t.Errorf("referrers of nothing: %v", list)
	}
	g.want(g.Ada("GET", "/v2/app/referrers/sha256:bad", nil), 400, codeDigestInvalid)

	sbom := g.refer(subject, "application/vnd.example.sbom", false, fields{"org.example.format": "<json>"})
	image := g.refer(subject, "", false, nil)
	index := g.refer(subject, "", true, fields{"a": "b"})
	typed := g.refer(subject, "application/vnd.example.sig", true, nil)
	g.refer(digest.FromString("another"), "application/vnd.example.sbom", true, nil)
	list, filtered := g.referrers(path)
	if want := []string{sbom.String(), image.String(), index.String(), typed.String()}; filtered != "" ||
		!slices.Equal(digestsOf(list), sorted(want)) {
		t.Errorf("referrers %v, filter %q", digestsOf(list), filtered)
	}
	for _, d := range list {
		want := map[digest.Digest]manifest.Descriptor{
			sbom: {
				MediaType: manifest.TypeImage, ArtifactType: "application/vnd.example.sbom",
				Annotations: map[string]string{"org.example.format": "<json>"},
			},
			image: {MediaType: manifest.TypeImage, ArtifactType: "application/vnd.oci.image.config.v1+json"},
			index: {MediaType: manifest.TypeIndex, Annotations: map[string]string{"a": "b"}},
			typed: {MediaType: manifest.TypeIndex, ArtifactType: "application/vnd.example.sig"},
		}[d.Digest]
		if d.Size == 0 {
			t.Errorf("%s has no size", d.Digest)
		}
		want.Digest, want.Size = d.Digest, d.Size
		if got := fmt.Sprint(d); got != fmt.Sprint(want) {
			t.Errorf("the descriptor is %s, want %v", got, want)
		}
	}
	for query, want := range map[string][]string{
		"application/vnd.example.sbom": {sbom.String()},
		"":                             {index.String()},
		"none":                         nil,
		"application/vnd.example.sbom&artifactType=application/vnd.example.sig": {sbom.String(), typed.String()},
	} {
		list, filtered := g.referrers(path + "?artifactType=" + query)
		if filtered != "artifactType" || !slices.Equal(digestsOf(list), sorted(want)) {
			t.Errorf("artifactType=%s: %v, filter %q", query, digestsOf(list), filtered)
		}
		if list, _ := g.referrers(path + "?n=1&artifactType=" + query); !slices.Equal(digestsOf(list), sorted(want)) {
			t.Errorf("artifactType=%s by pages: %v", query, digestsOf(list))
		}
	}
	if list, _ := g.referrers(path + "?n=1"); len(list) != 4 {
		t.Errorf("%d referrers by pages of one", len(list))
	}
	if a := g.Ada("GET", path+"?n=0", nil); nextOf(t, a) != "" || strings.Contains(a.Body, "digest") {
		t.Errorf("n=0: %v", a)
	}
	g.want(g.Ada("DELETE", "/v2/app/manifests/"+sbom.String(), nil), 202, "")
	if list, _ := g.referrers(path); len(list) != 3 {
		t.Errorf("%d referrers after one was deleted", len(list))
	}
}

func sorted(s []string) []string {
	slices.Sort(s)
	return s
}

// TestReferrersPagesStayBelowTheLimitOfClients: no page outgrows what clients read, and large annotations are neither
// lost nor kept in a record.
func TestReferrersPagesStayBelowTheLimitOfClients(t *testing.T) {
	g := newRig(t)
	subject := digest.FromString("s")
	want := []string{}
	for i := range 6 {
		pad := strings.Repeat("x", 1<<20)
		want = append(want, g.refer(subject, "t", true, fields{"i": fmt.Sprint(i), "pad": pad}).String())
	}
	path := "/v2/app/referrers/" + subject.String()
	a := g.want(g.Ada("GET", path, nil), 200, "")
	if len(a.Body) > 4<<20 || nextOf(t, a) == "" {
		t.Errorf("a page of %d bytes, next %q", len(a.Body), nextOf(t, a))
	}
	list, _ := g.referrers(path)
	if !slices.Equal(digestsOf(list), sorted(want)) {
		t.Errorf("referrers %v", digestsOf(list))
	}
	for _, d := range list {
		if len(d.Annotations["pad"]) != 1<<20 {
			t.Errorf("%s lost its annotations", d.Digest)
		}
	}
}

// TestReferrersOfTheFallbackTag: what a client listed under the fallback tag is merged in, as far as the manifests
// confirm it.
func TestReferrersOfTheFallbackTag(t *testing.T) {
	g := newRig(t)
	_, subject := g.push("app", "v1", "layer")
	known := g.refer(subject, "known", false, nil)
	const opaque = "application/vnd.example.signature+json"
	push := func(subject digest.Digest) fields {
		m := wiretest.JSON(fields{
			"mediaType": opaque, "artifactType": "imported", "subject": descriptor(manifest.TypeImage, subject, 7),
			"annotations": fields{"k": "v"},
		})
		a := g.want(g.put("app", digest.FromString(m).String(), m), 201, "")
		a.WantHeader(t, "OCI-Subject", "") // a type that means nothing to the registry is not read
		return fields{"mediaType": "text/wrong", "digest": digest.FromString(m), "size": 1, "artifactType": "wrong"}
	}
	mine, other := push(subject), push(digest.FromString("another subject"))
	index := fields{
		"schemaVersion": 2, "mediaType": manifest.TypeIndex,
		"manifests": []fields{
			mine, mine, other, descriptor(manifest.TypeImage, known, 1), descriptor(manifest.TypeImage, someDigest, 2),
		},
	}
	g.want(g.put("app", manifest.FallbackTag(subject), wiretest.JSON(index)), 201, "")
	path := "/v2/app/referrers/" + subject.String()
	list, _ := g.referrers(path)
	want := sorted([]string{known.String(), mine["digest"].(digest.Digest).String()})
	if !slices.Equal(digestsOf(list), want) {
		t.Fatalf("referrers %v, want %v", digestsOf(list), want)
	}
	for _, d := range list {
		if d.Digest != known &&
			(d.MediaType != opaque || d.ArtifactType != "imported" || d.Size < 10 || d.Annotations["k"] != "v") {
			t.Errorf("the tag was believed: %+v", d)
		}
	}
	if list, _ := g.referrers(path + "?artifactType=imported"); len(list) != 1 {
		t.Errorf("filtered: %v", list)
	}
	if list, _ := g.referrers(path + "?artifactType=wrong"); len(list) != 0 {
		t.Errorf("filtered by what the tag says: %v", list)
	}
	g.want(g.put("app", manifest.FallbackTag(digest.FromString("x")), g.image("app", "{}")), 201, "")
	if list, _ := g.referrers("/v2/app/referrers/" + digest.FromString("x").String()); list != nil {
		t.Errorf("a fallback tag that is no index: %v", list)
	}
}

// TestCatalogShowsWhatTheClientMayPull: pages, order, and only what the client may pull.
func TestCatalogShowsWhatTheClientMayPull(t *testing.T) {
	g := newRig(t, func(o *rigOptions) { o.Auth.Private = []string{"oci:repository:secret/*"} })
	g.User("eve", []string{"oci:repository:team/*:pull"})
	all := []string{"a", "secret/x", "team-x", "team/a", "team/b"}
	for _, name := range all {
		g.push(name, "v1", "layer")
	}
	g.blob("only-a-blob", "x")
	read := func(path string, opts ...option) (names []string) {
		t.Helper()
		for path != "" {
			a := g.want(g.Do("GET", path, nil, opts...), 200, "")
			var c catalog
			a.Decode(t, &c)
			if c.Repositories == nil {
				t.Errorf("%s: %v", path, a)
			}
			names, path = append(names, c.Repositories...), nextOf(t, a)
		}
		return names
	}
	public := []string{"a", "team-x", "team/a", "team/b"}
	for _, query := range []string{"", "?n=1", "?n=2", "?n=1000"} {
		if names := read("/v2/_catalog"+query, g.As("ada")); !slices.Equal(names, all) {
			t.Errorf("%s: %q", query, names)
		}
		if names := read("/v2/_catalog"+query, g.As("eve")); !slices.Equal(names, public) {
			t.Errorf("%s as eve: %q", query, names)
		}
		if names := read("/v2/_catalog"+query, g.anonymousToken("registry:catalog:*")); !slices.Equal(names, public) {
			t.Errorf("%s anonymously: %q", query, names)
		}
	}
	if names := read("/v2/_catalog?last=secret/w&n=0", g.As("ada")); names != nil {
		t.Errorf("n=0: %q", names)
	}
	if names := read("/v2/_catalog?last=secret/w", g.As("ada")); !slices.Equal(names, all[1:]) {
		t.Errorf("last: %q", names)
	}
	wantChallenge(t, g.want(g.Do("GET", "/v2/_catalog", nil), 401, ""), `scope="registry:catalog:*"`)

	var entries []repositoryEntry
	g.Ada("GET", "/v2/team/_oci/repositories", nil).Decode(t, &entries)
	if len(entries) != 2 {
		t.Fatalf("below a prefix: %+v, want two repositories", entries)
	}
	first := entries[0]
	if first.Name != "team/a" || first.Tags != 1 || first.Manifests != 1 {
		t.Errorf("below a prefix: %+v first, want team/a with one tag and one manifest", first)
	}
	if first.Size == 0 || first.Updated.IsZero() {
		t.Errorf("below a prefix: %+v has no size or no time", first)
	}
	a := g.Ada("GET", "/v2/_oci/repositories?n=4", nil)
	if a.Decode(t, &entries); len(entries) != 4 {
		t.Errorf("%d repositories on a page of 4", len(entries))
	}
	if next := nextOf(t, a); next != "/v2/_oci/repositories?last=team%2Fa&n=4" {
		t.Errorf("the next page is %q", next)
	}
	g.Ada("GET", "/v2/tea/_oci/repositories", nil).WantExactly(t, "[]\n") // a prefix has whole components
}

// TestSearchOfDockerAndPodman is what docker search and podman search send.
func TestSearchOfDockerAndPodman(t *testing.T) {
	g := newRig(t, func(o *rigOptions) { o.Auth.Private = []string{"oci:repository:secret/*"} })
	for _, name := range []string{"library/nginx", "team/nginx-proxy", "secret/nginx", "other"} {
		g.push(name, "v1", "layer")
	}
	g.want(g.Do("GET", "/v1/_ping", nil), 200, "").WantExactly(t, "true\n")
	search := func(query string, opts ...option) (names []string) {
		t.Helper()
		a := g.want(g.Do("GET", "/v1/search?"+query, nil, opts...), 200, "")
		var res searchResult
		a.Decode(t, &res)
		if res.NumResults != len(res.Results) || res.Results == nil {
			t.Errorf("%s: %s", query, a.Body)
		}
		for _, hit := range res.Results {
			names = append(names, hit.Name)
		}
		return names
	}
	public := []string{"library/nginx", "team/nginx-proxy"}
	if names := search("q=NGINX&n=25"); !slices.Equal(names, public) {
		t.Errorf("anonymous: %q", names)
	}
	// docker sends an empty password when it has only a refresh token.
	if names := search("q=nginx", wiretest.Basic("", "")); !slices.Equal(names, public) {
		t.Errorf("with empty credentials: %q", names)
	}
	if names := search("q=nginx", g.As("ada")); len(names) != 3 {
		t.Errorf("as ada: %q", names)
	}
	if names := search("q=nginx+proxy"); !slices.Equal(names, public[1:]) {
		t.Errorf("two words: %q", names)
	}
	if names := search("q=&n=2"); len(names) != 2 {
		t.Errorf("n: %q", names)
	}
}

// TestDiscoveryOfExtensions is extensions/_oci.
func TestDiscoveryOfExtensions(t *testing.T) {
	g := newRig(t)
	g.push("app", "v1", "layer")
	for path, endpoint := range map[string]string{
		"/v2/_oci/ext/discover":     "/v2/_oci/repositories",
		"/v2/app/_oci/ext/discover": "/v2/app/_oci/tag-history/<tag>",
	} {
		var list extensionList
		g.want(g.Ada("GET", path, nil), 200, "").Decode(t, &list)
		if len(list.Extensions) == 0 {
			t.Fatalf("GET %s: no extension", path)
		}
		first := list.Extensions[0]
		if first.Name != "_oci" || first.URL == "" {
			t.Errorf("GET %s: %+v is first, want _oci with an address", path, first)
		}
		if !slices.Contains(first.Endpoints, endpoint) {
			t.Errorf("GET %s: the end points are %q, want %s among them", path, first.Endpoints, endpoint)
		}
	}
	g.want(g.Ada("GET", "/v2/nothing/_oci/ext/discover", nil), 404, codeNameUnknown)
}

// TestReadOnlyStoreServesAndRefusesPushes: reading goes on, writing is a 503 that says why.
func TestReadOnlyStoreServesAndRefusesPushes(t *testing.T) {
	g := newRig(t)
	m, d := g.push("app", "v1", "layer")
	g.Store.SetReadOnly("maintenance")
	g.serves("app", "v1", m, manifest.TypeImage, d)
	for _, a := range []answer{
		g.put("app", "v2", m), g.Ada("POST", "/v2/app/blobs/uploads/", nil), g.Ada("DELETE", "/v2/app/manifests/v1", nil),
		g.Ada("POST", "/v2/app/blobs/uploads/?digest="+d.String(), m),
	} {
		g.want(a, 503, codeUnavailable)
	}
	g.Store.SetReadOnly("")
	g.want(g.put("app", "v2", m), 201, "")
}

// TestStatsCountWhatWasPushed: what the store counts for lists is what was pushed.
func TestStatsCountWhatWasPushed(t *testing.T) {
	g := newRig(t)
	m, _ := g.push("app", "v1", "layer")
	packages, err := store.NewRepo[Meta](g.Store, store.OCI).Packages(context.Background(), "", 0)
	if err != nil {
		t.Fatal(err)
	}
	want := int64(len(m) + len("layer") + len(`{"layer":"layer"}`))
	if len(packages) != 1 {
		t.Fatalf("%+v, want one repository", packages)
	}
	if p := packages[0]; p.Versions != 1 || p.Tags != 1 || p.Bytes != want {
		t.Errorf("%d versions, %d tags, %d bytes; want 1, 1, %d", p.Versions, p.Tags, p.Bytes, want)
	}
}

// anonymousToken fetches a token as a client without credentials does.
func (g *rig) anonymousToken(scopes ...string) option {
	g.T.Helper()
	return wiretest.Bearer(g.fetchToken(scopes))
}

func (g *rig) fetchToken(scopes []string, opts ...option) string {
	g.T.Helper()
	v := url.Values{"service": {service}, "scope": scopes}
	var tok tokenAnswer
	g.want(g.Do("GET", "/v2/token?"+v.Encode(), nil, opts...), 200, "").Decode(g.T, &tok)
	return tok.Token
}
