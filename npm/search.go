package npm

// Search. What a package is found by is a listing of the store, replaced when latest moves: nothing here looks at all packages.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"

	"larder/auth"
	"larder/internal/rawjson"
	"larder/internal/wire"
	"larder/store"
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

// listingOf makes a version findable by its manifest.
func listingOf(name string, m rawjson.Object, v store.Version[Meta]) store.Listing {
	var keywords []string
	if json.Unmarshal(m.Get("keywords"), &keywords) != nil {
		keywords = words(m.Text("keywords"))
	}
	keywords = keywords[:min(len(keywords), 50)]
	sum := summary{
		Version: v.ID, Description: clip(m.Text("description"), 500), Keywords: keywords, License: m.Text("license"),
		Homepage: webURL(m.Text("homepage")), Repository: webURL(linkOf(m, "repository")), Bugs: webURL(linkOf(m, "bugs")),
		Author: m.Get("author"), Date: v.Published, By: v.By,
	}
	for _, good := range []bool{v.Meta.ReadmeName != "", sum.Description != "", sum.License != "", sum.Repository != "", len(keywords) > 0} {
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
	scope, base := splitName(strings.ToLower(name))
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
	if parsed, ok := parseVersion(v.ID); ok && (parsed.Major == 0 || len(parsed.Pre) > 0) {
		l.Marks = append(l.Marks, markUnstable)
	}
	b, err := json.Marshal(sum)
	if err != nil {
		b = []byte("{}") // not reached: the summary is strings, and author was parsed before
	}
	l.Data = b
	return l
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
		return clip(strings.TrimSuffix(u, ".git"), 500)
	}
	return ""
}

func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
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

// setListing writes what a package is found by: its latest version, and its owners.
func setListing(tx *store.PackageTx[Meta], m rawjson.Object, v store.Version[Meta]) error {
	pkg, err := tx.Package()
	if err != nil {
		return err
	}
	l := listingOf(tx.Name(), m, v)
	for _, o := range pkg.Owners {
		l.Marks = append(l.Marks, markMaintainer+o)
	}
	return tx.SetListing(&l)
}

// listOwners brings the listing along when the owners change.
func listOwners(tx *store.PackageTx[Meta], owners []string) error {
	l, err := tx.Listing()
	if err != nil || l.Data == nil {
		return err
	}
	l.Marks = slices.DeleteFunc(l.Marks, func(m string) bool { return strings.HasPrefix(m, markMaintainer) })
	for _, o := range owners {
		l.Marks = append(l.Marks, markMaintainer+o)
	}
	return tx.SetListing(&l)
}

// parseSearch splits a search text into words and qualifiers (registry API: author, maintainer, scope, keywords, is, not).
func parseSearch(text string) (q store.Query) {
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

// hit is one element of a search answer.
type hit struct {
	Package     hitPackage `json:"package"`
	Score       hitScore   `json:"score"`
	SearchScore float64    `json:"searchScore"`
	Flags       hitFlags   `json:"flags"`
}

type hitPackage struct {
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
}

type userEntry struct {
	Username string `json:"username"`
	Email    string `json:"email"`
}

type hitScore struct {
	Final  float64            `json:"final"`
	Detail map[string]float64 `json:"detail"`
}

type hitFlags struct {
	Unstable bool `json:"unstable"`
}

// search answers npm search, the search of editors and of user interfaces.
func (s *server) search(w http.ResponseWriter, r *http.Request, q Request) error {
	ctx := r.Context()
	if err := s.mayList(ctx); err != nil {
		return err
	}
	if strings.TrimSpace(q.Query) == "" {
		return badPath("the search needs a text")
	}
	found, err := s.find(ctx, parseSearch(q.Query))
	if err != nil {
		return err
	}
	page := found[min(q.From, len(found)):min(q.From+q.Size, len(found))]
	names := make([]string, len(page))
	for i, m := range page {
		names[i] = m.Name
	}
	data, err := s.store.Listings(ctx, store.NPM, names)
	if err != nil {
		return err
	}
	hits := make([]any, 0, len(page))
	for i, m := range page {
		owners, err := s.owners(ctx, m.Name)
		if err != nil {
			return err
		}
		h, err := hitOf(m, found[0].Score, data[i], owners)
		if err != nil {
			return err
		}
		hits = append(hits, h)
	}
	theirs, more := s.proxiedSearch(ctx, r.URL.RawQuery, q.Size-len(hits))
	for _, h := range theirs {
		hits = append(hits, h)
	}
	w.Header().Set("Cache-Control", revalidate(r))
	return wire.JSON(w, http.StatusOK, map[string]any{"objects": hits, "total": len(found) + more, "time": time.Now().UTC().Format(timeForm)})
}

// find returns what matches and whoever asks may read.
func (s *server) find(ctx context.Context, q store.Query) ([]store.Match, error) {
	found, err := s.store.Search(ctx, store.NPM, q)
	if err != nil {
		return nil, err
	}
	visible := found[:0]
	for _, m := range found {
		switch err := s.may(ctx, auth.Read, m.Name); {
		case err == nil:
			visible = append(visible, m)
		case !isOneOf(err, auth.ErrDenied, auth.ErrHidden, auth.ErrNoCredentials):
			return nil, err
		}
	}
	return visible, nil
}

// owners are a package's, none when it has gone meanwhile.
func (s *server) owners(ctx context.Context, name string) (owners []string, err error) {
	err = s.repo.View(ctx, name, func(tx *store.PackageTx[Meta]) error {
		pkg, err := tx.Package()
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		owners = pkg.Owners
		return nil
	})
	return owners, err
}

func hitOf(m store.Match, best int, data json.RawMessage, owners []string) (hit, error) {
	var sum summary
	if data != nil {
		if err := json.Unmarshal(data, &sum); err != nil {
			return hit{}, fmt.Errorf("listing of %s: %w", m.Name, err)
		}
	}
	scope, _ := splitName(m.Name)
	p := hitPackage{
		Name: m.Name, Scope: strings.TrimPrefix(scope, "@"), Version: sum.Version, Description: sum.Description, Keywords: sum.Keywords,
		Date: sum.Date.UTC().Format(timeForm), Links: map[string]string{}, Author: sum.Author, License: sum.License,
		Publisher: userEntry{Username: sum.By}, Maintainers: []userEntry{},
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
	parsed, _ := parseVersion(sum.Version)
	return hit{
		Package: p, SearchScore: float64(m.Score), Flags: hitFlags{Unstable: parsed.Major == 0 || len(parsed.Pre) > 0},
		Score: hitScore{Final: relevance, Detail: map[string]float64{"quality": sum.Quality, "popularity": 0, "maintenance": 0}},
	}, nil
}

// mayList is nil for whoever may see a list of packages at all; what is in it is filtered by package.
func (s *server) mayList(ctx context.Context) error {
	if !wire.IdentityFrom(ctx).Anonymous {
		return nil
	}
	return s.may(ctx, auth.Read, "")
}
