package maven

// What requests, documents and deploys cost.

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"larder/internal/wiretest"
	"larder/maven/metadata"
	"larder/maven/names"
	"larder/maven/version"
	"larder/store"
	"larder/store/storetest"
)

// fillVersions writes n releases without their files' way through HTTP.
func fillVersions(t testing.TB, s *server, name string, n int) {
	t.Helper()
	storetest.FillWith(t, s.Store, n, func(tx *store.Tx, i int, file store.Blob) error {
		return s.Repo.In(tx, name, func(p *store.PackageTx[Meta]) error {
			return s.fillVersion(p, fmt.Sprintf("%d.%d.%d", i/400, i/20%20, i%20), file)
		})
	})
}

func (s *server) fillVersion(p *store.PackageTx[Meta], id string, file store.Blob) error {
	_, artifact := names.SplitName(p.Name())
	v := store.Version[Meta]{ID: id}
	v.Meta = Meta{Base: v.ID, Open: true}
	v.Files = []store.File{
		{Name: names.FileKey(v.ID, names.File{Version: v.ID, Ext: "pom"}.Join(artifact)), Digest: file.Digest},
	}
	if err := s.claim(p); err != nil {
		return err
	}
	if err := p.Publish(v); err != nil {
		return err
	}
	return s.list(p, v)
}

// BenchmarkFill writes large registries for internal/bench.
func BenchmarkFill(b *testing.B) {
	storetest.Fill(b, func(s *store.Store, tx *store.Tx, name, version string, file store.Blob) error {
		repo := store.NewRepo[Meta](s, store.Maven)
		return repo.In(tx, "com.example:"+name, func(p *store.PackageTx[Meta]) error {
			return new(server).fillVersion(p, version, file)
		})
	})
}

// BenchmarkParse reads the request lines that resolving and deploying are made of.
func BenchmarkParse(b *testing.B) {
	for what, line := range map[string]string{
		"file": "GET /maven/com/acme/lib/1.0/lib-1.0.jar", "sum": "GET /maven/com/acme/lib/1.0/lib-1.0.jar.sha1",
		"metadata": "GET /maven/com/acme/lib/maven-metadata.xml", "put": "PUT /maven/com/acme/lib/1.0/lib-1.0.jar",
		"long": "GET /maven/org/example/maven/plugins/example-maven-plugin/3.13.0/example-maven-plugin-3.13.0.jar",
	} {
		b.Run(what, func(b *testing.B) {
			method, path, _ := strings.Cut(line, " ")
			b.ReportAllocs()
			for b.Loop() {
				if _, _, ok := shortcut(method, path); ok {
					continue
				}
				if _, _, err := table.Parse(method, path, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkRender is the metadata nobody has asked for since the last change.
func BenchmarkRender(b *testing.B) {
	for _, n := range []int{10, 1000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			g := serve(b, storetest.New(b))
			fillVersions(b, g.s, "com.acme:big", n)
			q := Request{Group: "com.acme", Artifact: "big"}
			for b.Loop() {
				doc, err := g.s.renderMetadata(context.Background(), q, true, nil)
				if err != nil {
					b.Fatal(err)
				}
				b.SetBytes(int64(len(doc.Body)))
			}
		})
	}
}

// BenchmarkGet is what resolving asks for, from memory: metadata, a POM, a checksum; without a network.
func BenchmarkGet(b *testing.B) {
	g := serve(b, storetest.New(b))
	g.User("ada", nil)
	fillVersions(b, g.s, "com.acme:big", 1000)
	for what, path := range map[string]string{
		"metadata": "maven-metadata.xml", "pom": "1.1.1/big-1.1.1.pom", "sum": "maven-metadata.xml.sha1",
	} {
		for who, auth := range map[string]option{
			"anonymous": wiretest.Header(), "password": wiretest.Basic("ada", "secret"),
		} {
			b.Run(what+"/"+who, func(b *testing.B) {
				r := httptest.NewRequest("GET", root+"/com/acme/big/"+path, nil)
				auth(r)
				agentMaven(r)
				b.ReportAllocs()
				for b.Loop() {
					w := discard{http.Header{}}
					g.Handler.ServeHTTP(w, r)
				}
			})
		}
	}
}

// discard is an answer nobody reads.
type discard struct{ h http.Header }

func (d discard) Header() http.Header         { return d.h }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}

// BenchmarkDeploy puts a build on top of 10 and of 1,000.
func BenchmarkDeploy(b *testing.B) {
	for _, n := range []int{10, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			g := serve(b, storetest.New(b))
			g.User("ada", nil)
			fillSnapshot(b, g.s, "com.acme:big", n)
			i := n
			for b.Loop() {
				i++
				g.build("com.acme:big:1-SNAPSHOT", fmt.Sprintf("20261121.093001-%d", i), contents{
					".jar": fmt.Sprint("jar ", i), ".pom": pomXML("com.acme", "big", "1-SNAPSHOT"),
				})
			}
		})
	}
}

// BenchmarkSort orders the versions of a large artifact.
func BenchmarkSort(b *testing.B) {
	var list []string
	for i := range 10_000 {
		list = append(list, fmt.Sprintf("%d.%d.%d-rc%d", i%7, i%13, i%100, i%3))
	}
	for b.Loop() {
		version.Sort(append([]string(nil), list...))
	}
}

// BenchmarkReadMetadata reads what a client sends.
func BenchmarkReadMetadata(b *testing.B) {
	text := []byte(
		"<metadata><versioning><versions>" + strings.Repeat(
			"<version>1.2.3</version>", 2000,
		) + "</versions></versioning></metadata>",
	)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := metadata.Read(text); err != nil {
			b.Fatal(err)
		}
	}
}
