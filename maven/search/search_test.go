package search

// Queries, what is found by them, and what is shown.

import (
	"encoding/xml"
	"slices"
	"strings"
	"testing"
	"time"

	"larder/maven/pom"
	"larder/store"
)

// TestQueriesOfSolrAreUnderstood: Solr's syntax, as far as clients use it.
func TestQueriesOfSolrAreUnderstood(t *testing.T) {
	for text, want := range map[string]struct {
		words, marks              string
		version, classifier, sha1 string
		none                      bool
	}{
		"guice":                                {words: "guice"},
		"Some words":                           {words: "some words"},
		"g:com.acme AND a:lib":                 {marks: "g:com.acme a:lib"},
		`g:"com.acme" AND a:"lib" AND v:"1.0"`: {marks: "g:com.acme a:lib", version: "1.0"},
		"(g:com.acme) AND p:jar":               {marks: "g:com.acme p:jar"},
		"g:com.*":                              {words: "g:com."},
		"a:li* AND l:sources":                  {words: "a:li", classifier: "sources"},
		`1:"35379FB6526FD019F331542B4E9AE2E566C57933"`: {sha1: "35379fb6526fd019f331542b4e9ae2e566c57933"},
		"id:com.acme:lib:1.0":                          {marks: "g:com.acme a:lib", version: "1.0"},
		"*:*":                                          {}, "": {}, "AND": {}, "g:*": {}, `a:""`: {},
		"fc:org.x.Y": {none: true}, "tags:x AND a:lib": {none: true, marks: "a:lib"},
	} {
		q := Parse(text)
		if strings.Join(q.Words, " ") != want.words || strings.Join(q.Marks, " ") != want.marks ||
			q.Version != want.version || q.Classifier != want.classifier || q.SHA1 != want.sha1 || q.None != want.none {
			t.Errorf("%s: %+v", text, q)
		}
	}
}

// TestSubjectIsFoundByNameAndText: what an artifact is found by, and what is shown of it.
func TestSubjectIsFoundByNameAndText(t *testing.T) {
	s := Subject{
		Name: "com.acme:My-Lib", Version: "1.0", Published: time.UnixMilli(5),
		POM: &pom.Facts{Packaging: "bundle", Description: "Parses things"},
	}
	for _, file := range []string{
		"My-Lib-1.0.jar", "My-Lib-1.0.pom", "My-Lib-1.0-sources.jar", "My-Lib-1.0.jar.asc", "ivy-1.0.xml",
	} {
		s.Files = append(s.Files, store.File{Name: "1.0/" + file})
	}
	sum := s.Summary()
	if sum.Packaging != "bundle" || sum.Time != 5 || !slices.Equal(sum.Endings, []string{"-sources.jar", ".jar", ".pom"}) {
		t.Errorf("%+v", sum)
	}
	l := s.Listing()
	if want := []string{"g:com.acme", "a:My-Lib", "p:bundle"}; !slices.Equal(l.Marks, want) {
		t.Errorf("the listing has the marks %q, want %q", l.Marks, want)
	}
	words := []string{"my-lib", "lib", "acme", "things", "a word that is not there"}
	for i, word := range words[1:] {
		if before := words[i]; l.Words[before] <= l.Words[word] {
			t.Errorf("%s weighs %v and %s %v, want less", before, l.Words[before], word, l.Words[word])
		}
	}
	if got := (Subject{Name: "g:a", Version: "1"}).Listing(); !slices.Contains(got.Marks, "p:jar") {
		t.Errorf("%+v", got)
	}
	sum.Count = 3
	if h := HitOf(s.Name, sum); h.ID != "com.acme:My-Lib" || h.LatestVersion != "1.0" || h.VersionCount != 3 ||
		h.Version != "" {
		t.Errorf("%+v", h)
	}
	if h := s.Hit(); h.ID != "com.acme:My-Lib:1.0" || h.Version != "1.0" || h.LatestVersion != "" ||
		!slices.Equal(h.Tags, []string{"my", "lib"}) {
		t.Errorf("%+v", h)
	}
}

// TestXMLHoldsOnlyText: what is shown is text, whatever it says.
func TestXMLHoldsOnlyText(t *testing.T) {
	text := XML(
		[]Hit{{ID: "g:<a>", Group: "g", Artifact: "<a>", VersionCount: 2, Endings: []string{".jar", ".<x>"}}}, 7, 5,
	)
	var got struct {
		Result struct {
			Found int `xml:"numFound,attr"`
			Start int `xml:"start,attr"`
			Docs  []struct {
				Strings []string `xml:"str"`
				Endings []string `xml:"arr>str"`
			} `xml:"doc"`
		} `xml:"result"`
	}
	if err := xml.Unmarshal(text, &got); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	if r := got.Result; r.Found != 7 || r.Start != 5 || len(r.Docs) != 1 ||
		!slices.Equal(r.Docs[0].Strings, []string{"g:<a>", "g", "<a>"}) || !slices.Equal(r.Docs[0].Endings, []string{
		".jar", ".<x>",
	}) {
		t.Errorf("%s", text)
	}
}
