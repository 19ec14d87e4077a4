package composer

// Upstreams of both generations: where they have a package, which archives they refer to, and what stays when they move
// on.

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"

	"larder/internal/wiretest"
	"larder/store"
	"larder/upstream"
)

// old is a version as Composer 1 has it, below what it is called.
func old(name, version, url string) string {
	return fmt.Sprintf(`{"%s":{"name":%q,"version":%q,"uid":7,"dist":{"type":"zip","url":"BASE/zip/%s","reference":null,`+
		`"shasum":""}}}`, version, name, version, url)
}

// TestRepositoriesOfComposer1: packages in packages.json, in files it includes, and in files called by their hashes.
func TestRepositoriesOfComposer1(t *testing.T) {
	archive := string(newRelease("acme/demo", "1.0.0").archive())
	versions := `{"packages":{"Acme/Demo":` + strings.TrimSuffix(old("Acme/Demo", "v1.0", "x"), "}") +
		`,"dev-main":{"name":"Acme/Demo","version":"dev-main","version_normalized":"9999999-dev"}}}}`
	sum1 := func(s string) string { return fmt.Sprintf("%x", sha1.Sum([]byte(s))) }
	sum256 := func(s string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(s))) }
	plain := strings.ReplaceAll(versions, "BASE/", "") // what is hashed does not know where the test runs
	providers := `{"providers":{"acme/demo":{"sha256":"` + sum256(plain) + `"}}}`
	for name, files := range map[string]map[string]string{
		"inline":   {"/packages.json": versions},
		"included": {"/packages.json": `{"packages":[],"includes":{"all.json":{"sha1":""}}}`, "/all.json": versions},
		"included twice": {
			"/packages.json": `{"packages":{},"includes":{"include/a$` + sum1(`{"includes":{"all.json":{}}}`) +
				`.json":{"sha1":"` +
				sum1(`{"includes":{"all.json":{}}}`) + `"}}}`,
			"/include/a$" + sum1(`{"includes":{"all.json":{}}}`) + ".json": `{"includes":{"all.json":{}}}`,
			"/all.json": versions,
		},
		"providers": {
			"/packages.json": `{"packages":[],"providers-url":"/p/%package%$%hash%.json","provider-includes":` +
				`{"p/list$%hash%.json":{"sha256":"` + sum256(providers) + `"}}}`,
			"/p/list$" + sum256(providers) + ".json":  providers,
			"/p/acme/demo$" + sum256(plain) + ".json": plain,
		},
		"lazy": {
			"/packages.json":    `{"packages":[],"providers-lazy-url":"/p/%package%.json"}`,
			"/p/acme/demo.json": versions,
		},
	} {
		t.Run(name, func(t *testing.T) {
			files["/zip/x"] = archive
			g := newRemote(t, files).cache(t)
			wiretest.Equal(t, "releases", g.normals("acme/demo", ""), "1.0.0.0")
			wiretest.Equal(t, "branches", g.normals("acme/demo", "~dev"), "dev-main")
			url := wiretest.At(g.versions("", "acme/demo", "")[0], "dist", "url").(string)
			g.Want(g.Do("GET", url, nil), 200, "").WantExactly(t, archive)
			g.Want(g.Do("GET", "/p2/acme/other.json", nil), 404, "")
		})
	}
}

// TestListsWithAnotherHashAreNotBelieved: a file that is not what packages.json announces is trouble, and never a 404.
func TestListsWithAnotherHashAreNotBelieved(t *testing.T) {
	g := newRemote(t, map[string]string{
		"/packages.json": `{"packages":[],"includes":{"all.json":{"sha1":"` + strings.Repeat("0", 40) + `"}}}`,
		"/all.json":      `{"packages":{"acme/demo":{}}}`,
	}).cache(t)
	g.Want(g.Do("GET", "/p2/acme/demo.json", nil), 503, "")
}

// TestNamesThatARepositoryDoesNotAnnounceAreNotAskedFor: the next repository is asked, whatever the first would answer.
func TestNamesThatARepositoryDoesNotAnnounceAreNotAskedFor(t *testing.T) {
	first := newRemote(t, map[string]string{
		"/packages.json": `{"packages":[],"metadata-url":"/p2/%package%.json","available-packages":["Acme/one"],` +
			`"available-package-patterns":["team/*"]}`,
		"/p2/acme/one.json": document("acme/one", entry("acme/one", "1.0.0", "")),
		"/p2/team/two.json": document("team/two", entry("team/two", "1.0.0", "")),
		"/p2/acme/all.json": document("acme/all", entry("acme/all", "9.0.0", "")),
	})
	second := newRemote(t, map[string]string{"/p2/acme/all.json": document("acme/all", entry("acme/all", "1.0.0", ""))})
	up := upstream.Options{Upstreams: []upstream.Config{
		{Kind: store.Composer, Name: "first", URL: first.URL}, {Kind: store.Composer, Name: "second", URL: second.URL},
	}}
	g := newRig(t, func(r *rigOptions) { r.Upstreams = &up })
	for _, name := range []string{"acme/one", "team/two", "acme/all"} {
		wiretest.Equal(t, name, g.normals(name, ""), "1.0.0.0")
	}
	if first.was("acme/all") {
		t.Error("the first repository was asked for a name that it does not announce")
	}
}

// TestAnEmptyDocumentIsAbsence: PHP writes a document about nothing as a list, and some servers answer it with 200.
func TestAnEmptyDocumentIsAbsence(t *testing.T) {
	g := newRemote(t, map[string]string{"/p2/acme/a.json": `[]`, "/p2/acme/b.json": `{"packages":[]}`,
		"/p2/acme/c.json": `<html>`}).cache(t)
	for name, status := range map[string]int{"a": 404, "b": 404, "c": 503} {
		g.Want(g.Do("GET", "/p2/acme/"+name+".json", nil), status, "")
	}
}

// TestCommitsThatBranchesHaveLeftStayInstallable: a lock file names the archive of a commit that the document does not
// show any more, and that was never fetched; also after copies were dropped.
func TestCommitsThatBranchesHaveLeftStayInstallable(t *testing.T) {
	commit := func(c string) string {
		return document("acme/demo", fmt.Sprintf(`{"name":"acme/demo","version":"dev-main","version_normalized":"dev-main",`+
			`"dist":{"type":"zip","url":"BASE/zip/%s","reference":%q,"shasum":""}}`, c, strings.Repeat(c, 40)))
	}
	archives := map[string]string{}
	for _, c := range []string{"a", "b", "c"} {
		archives["/zip/"+c] = string(newRelease("acme/demo", "1.0."+fmt.Sprint(c[0])).archive())
	}
	o := newRemote(t, archives)
	g := o.cache(t)
	at := func(c string) string { return distPath("acme/demo", "dev-main", strings.Repeat(c, 40), "") }
	o.put("/p2/acme/demo~dev.json", commit("a"))
	wiretest.Equal(t, "branches", g.normals("acme/demo", "~dev"), "dev-main")
	for _, c := range []string{"b", "c"} {
		o.put("/p2/acme/demo~dev.json", commit(c))
		g.Want(g.Do("GET", at(c), nil), 200, "").WantExactly(t, archives["/zip/"+c]) // what is new makes us look again
		if _, err := g.Deps.Upstreams.Purge(context.Background(), store.Composer, "acme/demo"); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []string{"a", "b", "c"} {
		g.Want(g.Do("GET", at(c), nil), 200, "").WantExactly(t, archives["/zip/"+c])
	}
	g.Want(g.Do("GET", at("d"), nil), 404, "")
}

// TestFormsOfRemoteArchives: an archive keeps its form at our address, a signature in an address changes nothing, and
// sums are in lower case.
func TestFormsOfRemoteArchives(t *testing.T) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	w := tar.NewWriter(z)
	if err := w.WriteHeader(&tar.Header{Name: "composer.json", Mode: 0o644, Size: 2}); err != nil {
		t.Fatal(err)
	}
	_, _ = w.Write([]byte("{}"))
	w.Close()
	z.Close()
	sum := fmt.Sprintf("%X", sha1.Sum(packed.Bytes()))
	version := func(dist string) string {
		return document("acme/demo", `{"name":"acme/demo","version":"1.0","version_normalized":"1.0.0.0","dist":`+dist+`}`)
	}
	for dist, end := range map[string]string{
		`{"type":"tar","url":"BASE/x.tar.gz","reference":"abc","shasum":"` + sum + `"}`: "/abc.tar.gz",
		`{"type":"tar","url":"/x.tar.gz","reference":"abc","shasum":""}`:                "/abc.tar.gz",
		`{"type":"tar","url":"BASE/get?x.zip","reference":"abc","shasum":""}`:           "/abc.tar",
		`{"type":"zip","url":"BASE/get?sign=1","reference":null,"shasum":"` + sum + `"}`: "/" + strings.ToLower(sum) +
			".zip",
	} {
		o := newRemote(t, map[string]string{"/p2/acme/demo.json": version(dist), "/x.tar.gz": packed.String(),
			"/get": packed.String()})
		g := o.cache(t)
		shown := g.versions("", "acme/demo", "")[0]
		url := wiretest.At(shown, "dist", "url").(string)
		if !strings.HasSuffix(url, end) {
			t.Errorf("%s is at %s, want …%s", dist, url, end)
		}
		if got := wiretest.At(shown, "dist", "shasum"); got != strings.ToLower(fmt.Sprint(got)) {
			t.Errorf("%s has the sum %v", dist, got)
		}
		g.Want(g.Do("GET", url, nil), 200, "").WantExactly(t, packed.String())
	}
}
