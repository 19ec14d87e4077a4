// Package search makes artifacts findable, in the form that IDEs, dependency-check and scripts know from the public
// repository's own service: Solr's. What a version is found by, what a query asks for, and what a result shows. Pure;
// the store keeps the index.
package search

import (
	"cmp"
	"encoding/xml"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"larder/maven/names"
	"larder/maven/pom"
	"larder/store"
)

// Weights of words by where they stand.
const (
	weightArtifact    = 60
	weightPart        = 20
	weightGroup       = 10
	weightDescription = 2
)

// Summary is what a search result shows of an artifact.
type Summary struct {
	Latest    string   `json:"latest"`
	Packaging string   `json:"packaging"`
	Time      int64    `json:"time"` // of the latest version, milliseconds
	Count     int      `json:"count"`
	Endings   []string `json:"endings"`
	// Repository is what the registry is called that the artifact is a copy of, "" for what is published here.
	Repository string `json:"repository,omitempty"`
}

// Subject is what a version is found by and shown with.
type Subject struct {
	Name, Version string // of the artifact in the store; the version as metadata lists it
	Published     time.Time
	POM           *pom.Facts // nil: nothing is known of it
	Files         []store.File
}

func (s Subject) packaging() string {
	if s.POM == nil {
		return "jar"
	}
	return s.POM.Packaging
}

// Summary is what a result shows.
func (s Subject) Summary() Summary {
	_, artifact := names.SplitName(s.Name)
	sum := Summary{Latest: s.Version, Packaging: s.packaging(), Time: s.Published.UnixMilli()}
	for _, f := range s.Files[:min(len(s.Files), 50)] {
		n := names.SplitFile(artifact, s.Version, names.FileOf(f.Name))
		if n.Version == "" || n.Sig != "" {
			continue
		}
		ending := "." + n.Ext
		if n.Classifier != "" {
			ending = "-" + n.Classifier + ending
		}
		sum.Endings = append(sum.Endings, ending)
	}
	slices.Sort(sum.Endings)
	return sum
}

// Listing is what the artifact is found by when this is its latest version.
func (s Subject) Listing() store.Listing {
	l := store.Listing{Words: map[string]int{}}
	add := func(weight int, list ...string) {
		for _, w := range list {
			l.Words[w] = max(l.Words[w], weight)
		}
	}
	group, artifact := names.SplitName(s.Name)
	if s.POM != nil {
		add(weightDescription, words(s.POM.Description)...)
		add(weightPart, words(s.POM.Name)...)
	}
	add(weightGroup, words(group)...)
	add(weightGroup, strings.ToLower(group))
	add(weightPart, words(artifact)...)
	add(weightArtifact, strings.ToLower(artifact))
	add(1, "g:"+group, "a:"+artifact)
	l.Marks = []string{"g:" + group, "a:" + artifact, "p:" + s.packaging()}
	if s.POM != nil {
		l.Depends(s.POM.Needs...)
	}
	return l
}

// Hit is the result for this version alone.
func (s Subject) Hit() Hit {
	sum := s.Summary()
	group, artifact := names.SplitName(s.Name)
	return Hit{
		ID: names.Coordinates(s.Name, s.Version), Group: group, Artifact: artifact,
		Version: s.Version, Packaging: sum.Packaging,
		Timestamp: sum.Time, Endings: sum.Endings, Tags: words(artifact),
	}
}

// HitOf is the result for an artifact.
func HitOf(name string, sum Summary) Hit {
	group, artifact := names.SplitName(name)
	return Hit{
		ID: name, Group: group, Artifact: artifact, LatestVersion: sum.Latest, RepositoryID: cmp.Or(sum.Repository, "larder"),
		Packaging: sum.Packaging, Timestamp: sum.Time, VersionCount: sum.Count,
		Text: append([]string{group, artifact}, sum.Endings...), Endings: sum.Endings,
	}
}

// words are the lower-case words of a text.
func words(s string) []string {
	return strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// Query is a parsed query.
type Query struct {
	store.Query
	Version, Classifier, SHA1 string
	None                      bool // it asks for what no artifact here is found by: classes, tags
}

// Parse reads a query in Solr's syntax, as far as clients use it: fields and words joined by AND.
func Parse(text string) (q Query) {
	for _, term := range splitTerms(text) {
		field, value, qualified := strings.Cut(term, ":")
		if value = strings.Trim(value, `"`); !qualified {
			field, value = "", strings.Trim(term, `"`)
		}
		if value == "" || value == "*" || field == "" && (term == "AND" || term == "*:*") {
			continue
		}
		start, wild := strings.CutSuffix(value, "*")
		switch {
		case field == "1":
			q.SHA1 = strings.ToLower(value)
		case field == "v":
			q.Version = value
		case field == "l":
			q.Classifier = value
		case (field == "g" || field == "a") && wild:
			q.Words = append(q.Words, field+":"+start)
		case field == "g" || field == "a" || field == "p":
			q.Marks = append(q.Marks, field+":"+value)
		case field == "id":
			group, artifact := names.SplitName(value)
			artifact, version, _ := strings.Cut(artifact, ":")
			q.Marks, q.Version = append(q.Marks, "g:"+group, "a:"+artifact), version
		case field == "":
			q.Words = append(q.Words, words(start)...)
		default:
			q.None = true
		}
	}
	return q
}

// splitTerms cuts at spaces outside of quotes.
func splitTerms(text string) []string {
	quoted := false
	return strings.FieldsFunc(text, func(r rune) bool {
		if r == '"' {
			quoted = !quoted
		}
		return !quoted && (unicode.IsSpace(r) || r == '(' || r == ')')
	})
}

// Hit is one document of an answer: of an artifact, or of one of its versions.
type Hit struct {
	ID            string   `json:"id"`
	Group         string   `json:"g"`
	Artifact      string   `json:"a"`
	Version       string   `json:"v,omitempty"`
	LatestVersion string   `json:"latestVersion,omitempty"`
	RepositoryID  string   `json:"repositoryId,omitempty"`
	Packaging     string   `json:"p"`
	Timestamp     int64    `json:"timestamp"`
	VersionCount  int      `json:"versionCount,omitempty"`
	Text          []string `json:"text,omitempty"`
	Endings       []string `json:"ec"`
	Tags          []string `json:"tags,omitempty"`
}

// The XML form of an answer: every value in an element of its type, with its name as attribute.
type solrXML struct {
	XMLName xml.Name   `xml:"response"`
	Header  solrList   `xml:"lst"`
	Result  solrResult `xml:"result"`
}

type solrList struct {
	Name string    `xml:"name,attr"`
	Int  solrValue `xml:"int"`
}

type solrValue struct {
	Name string `xml:"name,attr"`
	Text string `xml:",chardata"`
}

type solrResult struct {
	Name  string    `xml:"name,attr"`
	Found int       `xml:"numFound,attr"`
	Start int       `xml:"start,attr"`
	Docs  []solrDoc `xml:"doc"`
}

type solrDoc struct {
	Strings []solrValue `xml:"str"`
	Ints    []solrValue `xml:"int"`
	Longs   []solrValue `xml:"long"`
	Lists   []solrArray `xml:"arr"`
}

type solrArray struct {
	Name  string   `xml:"name,attr"`
	Items []string `xml:"str"`
}

// XML writes an answer as XML.
func XML(hits []Hit, total, from int) []byte {
	out := solrXML{
		Header: solrList{"responseHeader", solrValue{"status", "0"}},
		Result: solrResult{Name: "response", Found: total, Start: from},
	}
	for _, h := range hits {
		d := solrDoc{
			Longs: []solrValue{{"timestamp", strconv.FormatInt(h.Timestamp, 10)}}, Lists: []solrArray{{"ec", h.Endings}},
		}
		for _, f := range []solrValue{
			{"id", h.ID}, {"g", h.Group}, {"a", h.Artifact}, {"v", h.Version}, {"latestVersion", h.LatestVersion},
			{"repositoryId", h.RepositoryID}, {"p", h.Packaging},
		} {
			if f.Text != "" {
				d.Strings = append(d.Strings, f)
			}
		}
		if h.VersionCount > 0 {
			d.Ints = []solrValue{{"versionCount", strconv.Itoa(h.VersionCount)}}
		}
		out.Result.Docs = append(out.Result.Docs, d)
	}
	body, err := xml.Marshal(out)
	if err != nil {
		body = []byte("<response/>") // not reached: strings and numbers
	}
	return append([]byte(xml.Header), body...)
}
