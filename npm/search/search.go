// Package search makes npm's packages findable: what a version is found by, what a search text asks for, and what a
// result shows. Pure; the store keeps the index.
package search

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"larder/internal/rawjson"
	"larder/npm/names"
	"larder/npm/version"
	"larder/store"
	"larder/upstream"
)

// Weights of words by where they stand.
const (
	weightName        = 60
	weightPart        = 20
	weightKeyword     = 10
	weightDescription = 2
)

// summary is what a search result shows of a package and records do not say more cheaply.
type summary struct {
	Version     string          `json:"version"`
	Description string          `json:"description,omitempty"`
	Keywords    []string        `json:"keywords,omitempty"`
	License     string          `json:"license,omitempty"`
	Homepage    string          `json:"homepage,omitempty"`
	Repository  string          `json:"repository,omitempty"`
	Bugs        string          `json:"bugs,omitempty"`
	Author      json.RawMessage `json:"author,omitempty"`
	Quality     float64         `json:"quality"`
	Date        time.Time       `json:"date"`
	By          string          `json:"by,omitempty"`
}

// Latest is what a package is found by, beside its manifest.
type Latest struct {
	Version   string
	Published time.Time
	By        string // user
	Readme    bool   // there is one
	Owners    []string
}

// List makes a package findable.
func List(name string, m rawjson.Object, latest Latest) store.Listing {
	var keywords []string
	if json.Unmarshal(m.Get("keywords"), &keywords) != nil {
		keywords = words(m.Text("keywords"))
	}
	keywords = keywords[:min(len(keywords), 50)]
	sum := summary{
		Version: latest.Version, Description: names.Clip(m.Text("description"), 500), Keywords: keywords,
		License: m.Text("license"), Homepage: webURL(m.Text("homepage")), Repository: webURL(linkOf(m, "repository")),
		Bugs: webURL(linkOf(m, "bugs")), Author: m.Get("author"), Date: latest.Published, By: latest.By,
	}
	for _, good := range []bool{
		latest.Readme, sum.Description != "", sum.License != "", sum.Repository != "", len(keywords) > 0,
	} {
		if good {
			sum.Quality += 0.2
		}
	}
	l := store.Listing{Words: map[string]int{}}
	add := func(weight int, list ...string) {
		for _, w := range list {
			l.Words[w] = max(l.Words[w], weight)
		}
	}
	add(weightDescription, words(sum.Description)...)
	scope, base := names.Split(strings.ToLower(name))
	for _, k := range keywords {
		k = strings.ToLower(strings.TrimSpace(k))
		add(weightKeyword, append(words(k), k)...)
		l.Marks = append(l.Marks, "keyword:"+k)
	}
	add(weightPart, words(name)...)
	add(weightPart, strings.ReplaceAll(base, "-", ""))
	add(weightName, base, strings.ToLower(name))
	if scope != "" {
		l.Marks = append(l.Marks, "scope:"+scope[1:])
	}
	if a := m.Sub("author").Text("name"); a != "" {
		l.Marks = append(l.Marks, "author:"+strings.ToLower(a))
	}
	if version.Unstable(latest.Version) {
		l.Marks = append(l.Marks, markUnstable)
	}
	l.Marks = append(l.Marks, owned(latest.Owners)...)
	l.Depends(Needs(m)...)
	b, err := json.Marshal(sum)
	if err != nil {
		b = []byte("{}") // not reached: the summary is strings, and author was parsed before
	}
	l.Data = b
	return l
}

// Needs are the packages that a manifest names as dependencies, but for those of its own development.
func Needs(m rawjson.Object) []string {
	list := []string{}
	for _, group := range []string{"dependencies", "optionalDependencies", "peerDependencies"} {
		for _, d := range m.Sub(group) {
			if names.Check(d.Key) == nil {
				list = append(list, d.Key)
			}
		}
	}
	return list
}

// About is what a packument says of its package.
func About(doc rawjson.Object) (a upstream.About) {
	a.Description, a.License = doc.Text("description"), doc.Text("license")
	a.Homepage, a.Repository = webURL(doc.Text("homepage")), webURL(linkOf(doc, "repository"))
	if json.Unmarshal(doc.Get("keywords"), &a.Keywords) != nil {
		a.Keywords = words(doc.Text("keywords"))
	}
	return a
}

// Manifest is what About has read, for List.
func Manifest(a upstream.About) rawjson.Object {
	m := rawjson.Object{}
	for _, text := range [][2]string{
		{"description", a.Description}, {"license", a.License}, {"homepage", a.Homepage}, {"repository", a.Repository},
	} {
		if text[1] != "" {
			m = m.Set(text[0], rawjson.Quote(text[1]))
		}
	}
	if keywords, err := json.Marshal(a.Keywords); err == nil && a.Keywords != nil {
		m = m.Set("keywords", keywords)
	}
	return m
}

// linkOf is the URL in a field that is a string or an object.
func linkOf(m rawjson.Object, key string) string {
	if u := m.Text(key); u != "" {
		return u
	}
	return m.Sub(key).Text("url")
}

// webURL passes only what a browser may be sent to.
func webURL(u string) string {
	u = strings.TrimPrefix(u, "git+")
	if rest, ok := strings.CutPrefix(u, "git://"); ok {
		u = "https://" + rest
	}
	if strings.HasPrefix(u, "https://") || strings.HasPrefix(u, "http://") {
		return names.Clip(strings.TrimSuffix(u, ".git"), 500)
	}
	return ""
}

// words are the lower-case words of a text.
func words(s string) []string {
	return strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// The marks that qualifiers of a search ask for, beside scope, author and keyword.
const (
	markUnstable   = "is:unstable"
	markMaintainer = "maintainer:"
)

func owned(owners []string) (marks []string) {
	for _, o := range owners {
		marks = append(marks, markMaintainer+o)
	}
	return marks
}

// SetOwners brings a listing along when the owners change.
func SetOwners(l *store.Listing, owners []string) {
	l.Marks = slices.DeleteFunc(l.Marks, func(m string) bool { return strings.HasPrefix(m, markMaintainer) })
	l.Marks = append(l.Marks, owned(owners)...)
}

// OwnedBy asks for everything a user owns.
func OwnedBy(user string) store.Query { return store.Query{Marks: []string{markMaintainer + user}} }

// Parse splits a search text into words and qualifiers (registry API: author, maintainer, scope, keywords, is, not).
func Parse(text string) (q store.Query) {
	for _, w := range strings.Fields(strings.ToLower(text)) {
		key, value, qualified := strings.Cut(w, ":")
		switch {
		case qualified && key == "keywords":
			for k := range strings.SplitSeq(value, ",") {
				if rest, not := strings.CutPrefix(k, "-"); not {
					q.Without = append(q.Without, "keyword:"+rest)
				} else if k != "" {
					q.Marks = append(q.Marks, "keyword:"+strings.TrimPrefix(k, "+"))
				}
			}
		case qualified && key == "scope":
			q.Marks = append(q.Marks, "scope:"+strings.TrimPrefix(value, "@"))
		case qualified && (key == "author" || key == "maintainer"):
			q.Marks = append(q.Marks, w)
		case w == markUnstable:
			q.Marks = append(q.Marks, w)
		case w == "not:unstable":
			q.Without = append(q.Without, markUnstable)
		case qualified && (key == "boost-exact" || key == "not" || key == "is"):
			// Known to the public registry, and of no consequence here: exact names come first anyway.
		case strings.HasPrefix(w, "@") && strings.HasSuffix(w, "/"):
			q.Marks = append(q.Marks, "scope:"+w[1:len(w)-1])
		case strings.HasPrefix(w, "@") && strings.Contains(w, "/"):
			q.Words = append(q.Words, w)
		default:
			q.Words = append(q.Words, splitWord(w)...)
		}
	}
	return q
}

// splitWord keeps a word that names are made of whole, and cuts others at what no listing has.
func splitWord(w string) []string {
	if strings.Trim(w, "abcdefghijklmnopqrstuvwxyz0123456789-._") == "" && strings.Trim(w, "-._") != "" {
		return []string{w}
	}
	return words(w)
}

// TimeForm is ISO 8601 with milliseconds, as JavaScript prints it.
const TimeForm = "2006-01-02T15:04:05.000Z"

// Hit is one element of a search answer.
type Hit struct {
	Package     result  `json:"package"`
	Score       score   `json:"score"`
	SearchScore float64 `json:"searchScore"`
	Flags       flags   `json:"flags"`
	// Downloads are how often the package was fetched here in the last 30 and 7 days, if the caller sets them.
	Downloads Downloads `json:"downloads"`
}

// Downloads are numbers of fetches.
type Downloads struct {
	Monthly int64 `json:"monthly"`
	Weekly  int64 `json:"weekly"`
}

type result struct {
	Name        string            `json:"name"`
	Scope       string            `json:"scope"`
	Version     string            `json:"version"`
	Description string            `json:"description,omitempty"`
	Keywords    []string          `json:"keywords"`
	Date        string            `json:"date"`
	Links       map[string]string `json:"links"`
	Author      json.RawMessage   `json:"author,omitempty"`
	Publisher   userEntry         `json:"publisher"`
	Maintainers []userEntry       `json:"maintainers"` // npm ends with a stack trace when this is no array
	License     string            `json:"license,omitempty"`
	Upstream    string            `json:"upstream,omitempty"` // what the registry is called that it is a copy of
}

type userEntry struct {
	Username string `json:"username"`
	Email    string `json:"email"`
}

type score struct {
	Final  float64            `json:"final"`
	Detail map[string]float64 `json:"detail"`
}

type flags struct {
	Unstable bool `json:"unstable"`
}

// NewHit is a package that was found. best is the score of the first one, upstream is "" for what is published here.
func NewHit(m store.Match, best int, data json.RawMessage, owners []string, upstream string) (Hit, error) {
	var sum summary
	if data != nil {
		if err := json.Unmarshal(data, &sum); err != nil {
			return Hit{}, fmt.Errorf("listing of %s: %w", m.Name, err)
		}
	}
	scope, _ := names.Split(m.Name)
	p := result{
		Name: m.Name, Scope: strings.TrimPrefix(scope, "@"), Version: sum.Version, Description: sum.Description,
		Keywords: sum.Keywords, Date: sum.Date.UTC().Format(TimeForm), Links: map[string]string{}, Author: sum.Author,
		License: sum.License, Upstream: upstream, Publisher: userEntry{Username: sum.By}, Maintainers: []userEntry{},
	}
	if scope == "" {
		p.Scope = "unscoped"
	}
	if p.Keywords == nil {
		p.Keywords = []string{}
	}
	for _, o := range owners {
		p.Maintainers = append(p.Maintainers, userEntry{Username: o})
	}
	for key, u := range map[string]string{"homepage": sum.Homepage, "repository": sum.Repository, "bugs": sum.Bugs} {
		if u != "" {
			p.Links[key] = u
		}
	}
	relevance := float64(m.Score) / float64(max(best, 1))
	return Hit{
		Package: p, SearchScore: float64(m.Score), Flags: flags{Unstable: version.Unstable(sum.Version)},
		Score: score{Final: relevance, Detail: map[string]float64{"quality": sum.Quality, "popularity": 0, "maintenance": 0}},
	}, nil
}
