package maven

// Search, in the form that IDEs, dependency-check and scripts know from the public repository's own service: Solr's. What
// an artifact is found by is a listing of the store, replaced when a version is announced.

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"larder/auth"
	"larder/internal/wire"
	"larder/maven/layout"
	"larder/maven/metadata"
	"larder/maven/order"
	"larder/store"
)

// Weights of words by where they stand.
const (
	weightArtifact    = 60
	weightPart        = 20
	weightGroup       = 10
	weightDescription = 2
	maxMatches        = 1000 // artifacts whose versions one search looks at
)

// summary is what a search result shows of an artifact.
type summary struct {
	Latest    string   `json:"latest"`
	Packaging string   `json:"packaging"`
	Time      int64    `json:"time"` // of the latest version, milliseconds
	Count     int      `json:"count"`
	Endings   []string `json:"endings"`
}

// setListing writes what an artifact is found by: its coordinates and what its latest version says.
func setListing(p *store.PackageTx[Meta]) error {
	var st metadata.State
	if there, err := getRow(p.Index(indexState), "", &st); err != nil || !there || st.Latest == "" {
		return firstOf(err, p.SetListing(nil))
	}
	v, err := record(p, st.Latest)
	if err != nil {
		return ignoreMissing(err)
	}
	sum := summaryOf(p.Name(), v)
	sum.Latest, sum.Count = st.Latest, st.Count
	data, err := json.Marshal(sum)
	if err != nil {
		return fmt.Errorf("listing of %s: %w", p.Name(), err)
	}
	l := listingOf(p.Name(), v.Meta)
	l.Data = data
	return p.SetListing(&l)
}

// record reads a version by the name metadata has for it: of a snapshot, its newest build.
func record(p *store.PackageTx[Meta], version string) (store.Version[Meta], error) {
	var b metadata.Base
	if there, err := getRow(p.Index(indexBases), version, &b); err != nil {
		return store.Version[Meta]{}, err
	} else if there {
		version = b.Build
	}
	return p.Version(version)
}

func summaryOf(name string, v store.Version[Meta]) summary {
	_, artifact := layout.SplitName(name)
	sum := summary{Latest: v.Meta.Base, Packaging: "jar", Time: v.Published.UnixMilli()}
	if v.Meta.POM != nil {
		sum.Packaging = v.Meta.POM.Packaging
	}
	for _, f := range v.Files[:min(len(v.Files), 50)] {
		n := layout.SplitFile(artifact, v.Meta.Base, layout.Base(f.Name))
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

func listingOf(name string, m Meta) store.Listing {
	l := store.Listing{Words: map[string]int{}}
	add := func(weight int, list ...string) {
		for _, w := range list {
			l.Words[w] = max(l.Words[w], weight)
		}
	}
	group, artifact := layout.SplitName(name)
	packaging := "jar"
	if m.POM != nil {
		packaging = m.POM.Packaging
		add(weightDescription, words(m.POM.Description)...)
		add(weightPart, words(m.POM.Name)...)
	}
	add(weightGroup, words(group)...)
	add(weightGroup, strings.ToLower(group))
	add(weightPart, words(artifact)...)
	add(weightArtifact, strings.ToLower(artifact))
	add(1, "g:"+group, "a:"+artifact)
	l.Marks = []string{"g:" + group, "a:" + artifact, "p:" + packaging}
	return l
}

// words are the lower-case words of a text.
func words(s string) []string {
	return strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// searchQuery is a parsed query.
type searchQuery struct {
	store.Query
	version, classifier, sha1 string
	none                      bool // it asks for what no artifact here is found by: classes, tags
}

// parseQuery reads a query in Solr's syntax, as far as clients use it: fields and words joined by AND.
func parseQuery(text string) (q searchQuery) {
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
			q.sha1 = strings.ToLower(value)
		case field == "v":
			q.version = value
		case field == "l":
			q.classifier = value
		case (field == "g" || field == "a") && wild:
			q.Words = append(q.Words, field+":"+start)
		case field == "g" || field == "a" || field == "p":
			q.Marks = append(q.Marks, field+":"+value)
		case field == "id":
			group, artifact := layout.SplitName(value)
			artifact, version, _ := strings.Cut(artifact, ":")
			q.Marks, q.version = append(q.Marks, "g:"+group, "a:"+artifact), version
		case field == "":
			q.Words = append(q.Words, words(start)...)
		default:
			q.none = true
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

// hit is one document of an answer: of an artifact, or of one of its versions.
type hit struct {
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

// search answers GET /solrsearch/select.
func (s *server) search(w http.ResponseWriter, r *http.Request, q Request) error {
	ctx := r.Context()
	if err := s.mayList(ctx); err != nil {
		return err
	}
	query := parseQuery(q.Query)
	var hits []hit
	var total int
	var err error
	switch {
	case query.none:
	case query.sha1 != "":
		hits, total, err = s.bySHA1(ctx, query.sha1, q.From, q.Size)
	case q.Core == "gav" || query.version != "":
		hits, total, err = s.versionHits(ctx, query, q.From, q.Size)
	default:
		hits, total, err = s.artifactHits(ctx, query, q.From, q.Size)
	}
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", cacheControl(r, false))
	if q.Form == "xml" {
		return send(w, r, renderHits(hits, total, q), typeXML)
	}
	if hits == nil {
		hits = []hit{}
	}
	return wire.JSON(w, http.StatusOK, map[string]any{
		"responseHeader": map[string]any{"status": 0, "QTime": 0, "params": map[string]string{
			"q": q.Query, "core": q.Core, "wt": q.Form, "rows": strconv.Itoa(q.Size), "start": strconv.Itoa(q.From),
		}},
		"response": map[string]any{"numFound": total, "start": q.From, "docs": hits},
	})
}

// visible are the artifacts a query selects that whoever asks may read.
func (s *server) visible(ctx context.Context, q store.Query) (names []string, err error) {
	found, err := s.store.Search(ctx, store.Maven, q)
	if err != nil {
		return nil, err
	}
	for _, m := range found {
		switch err := s.may(ctx, auth.Read, m.Name); {
		case err == nil:
			names = append(names, m.Name)
		case !errors.Is(err, auth.ErrDenied) && !errors.Is(err, auth.ErrHidden) && !errors.Is(err, auth.ErrNoCredentials):
			return nil, err
		}
	}
	return names, nil
}

// page cuts out what was asked for.
func page[T any](list []T, from, size int) []T {
	return list[min(from, len(list)):min(from+size, len(list))]
}

func (s *server) artifactHits(ctx context.Context, q searchQuery, from, size int) ([]hit, int, error) {
	names, err := s.visible(ctx, q.Query)
	if err != nil {
		return nil, 0, err
	}
	shown := page(names, from, size)
	data, err := s.store.Listings(ctx, store.Maven, shown)
	if err != nil {
		return nil, 0, err
	}
	var hits []hit
	for i, name := range shown {
		var sum summary
		if data[i] == nil {
			continue // gone meanwhile
		}
		if err := json.Unmarshal(data[i], &sum); err != nil {
			return nil, 0, fmt.Errorf("listing of %s: %w", name, err)
		}
		group, artifact := layout.SplitName(name)
		hits = append(hits, hit{
			ID: name, Group: group, Artifact: artifact, LatestVersion: sum.Latest, RepositoryID: "larder", Packaging: sum.Packaging,
			Timestamp: sum.Time, VersionCount: sum.Count, Text: append([]string{group, artifact}, sum.Endings...), Endings: sum.Endings,
		})
	}
	return hits, len(names), nil
}

// versionHits lists the versions of the artifacts a query selects, newest first.
func (s *server) versionHits(ctx context.Context, q searchQuery, from, size int) (hits []hit, total int, err error) {
	names, err := s.visible(ctx, q.Query)
	if err != nil {
		return nil, 0, err
	}
	for _, name := range names[:min(len(names), maxMatches)] {
		err := s.repo.View(ctx, name, func(p *store.PackageTx[Meta]) error {
			var versions []string
			for v := range p.Index(indexVersions).Scan(nil, nil) {
				if q.version == "" || q.version == string(v) {
					versions = append(versions, string(v))
				}
			}
			order.Sort(versions)
			slices.Reverse(versions)
			for _, version := range page(versions, max(from-total, 0), size-len(hits)) {
				v, err := record(p, version)
				if err != nil {
					return err
				}
				hits = append(hits, versionHit(name, v))
			}
			total += len(versions)
			return nil
		})
		if err != nil {
			return nil, 0, err
		}
	}
	if q.classifier != "" {
		hits = slices.DeleteFunc(hits, func(h hit) bool {
			return !slices.ContainsFunc(h.Endings, func(e string) bool { return strings.HasPrefix(e, "-"+q.classifier+".") })
		})
	}
	return hits, total, nil
}

func versionHit(name string, v store.Version[Meta]) hit {
	sum := summaryOf(name, v)
	group, artifact := layout.SplitName(name)
	return hit{
		ID: layout.Coordinates(name, v.Meta.Base), Group: group, Artifact: artifact, Version: v.Meta.Base, Packaging: sum.Packaging,
		Timestamp: sum.Time, Endings: sum.Endings, Tags: words(strings.Join([]string{artifact}, " ")),
	}
}

// bySHA1 finds the versions that have a file with the checksum.
func (s *server) bySHA1(ctx context.Context, sum string, from, size int) (hits []hit, total int, err error) {
	var names, keys []string
	err = s.store.View(ctx, func(tx *store.Tx) error {
		names, keys = nil, nil
		for key := range s.repo.KindIndex(tx, kindSHA1).Scan([]byte(sum+"\x00"), nil) {
			parts := strings.Split(string(key), "\x00")
			if len(parts) == 3 && len(names) < maxMatches {
				names, keys = append(names, parts[1]), append(keys, parts[2])
			}
		}
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	for i, name := range names {
		if s.may(ctx, auth.Read, name) != nil {
			continue
		}
		err := s.repo.View(ctx, name, func(p *store.PackageTx[Meta]) error {
			id, _, err := p.File(keys[i])
			if err != nil {
				return ignoreMissing(err)
			}
			v, err := p.Version(id)
			if err == nil && !v.Meta.Open {
				hits = append(hits, versionHit(name, v))
			}
			return err
		})
		if err != nil {
			return nil, 0, err
		}
	}
	return page(hits, from, size), len(hits), nil
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

func renderHits(hits []hit, total int, q Request) []byte {
	out := solrXML{Header: solrList{"responseHeader", solrValue{"status", "0"}}, Result: solrResult{Name: "response", Found: total, Start: q.From}}
	for _, h := range hits {
		d := solrDoc{Longs: []solrValue{{"timestamp", strconv.FormatInt(h.Timestamp, 10)}}, Lists: []solrArray{{"ec", h.Endings}}}
		for _, f := range []solrValue{{"id", h.ID}, {"g", h.Group}, {"a", h.Artifact}, {"v", h.Version}, {"latestVersion", h.LatestVersion}, {"repositoryId", h.RepositoryID}, {"p", h.Packaging}} {
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
