package cargo

// This file finds crates. What a crate is found by is a listing of the store, replaced when the version that the crate
// is shown by changes: nothing here looks at all crates.

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"

	"larder/cargo/names"
	"larder/cargo/version"
	"larder/internal/registry"
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

// summary is what a search result shows of a crate.
type summary struct {
	Name          string    `json:"name"` // as published
	Default       string    `json:"default"`
	Yanked        bool      `json:"yanked,omitempty"` // the default is, and so all are
	Newest        string    `json:"newest"`
	Stable        string    `json:"stable,omitempty"` // the highest that is neither yanked nor a prerelease
	Description   string    `json:"description,omitempty"`
	Homepage      string    `json:"homepage,omitempty"`
	Documentation string    `json:"documentation,omitempty"`
	Repository    string    `json:"repository,omitempty"`
	Keywords      []string  `json:"keywords,omitempty"`
	Categories    []string  `json:"categories,omitempty"`
	Created       time.Time `json:"created"`
	Updated       time.Time `json:"updated"`
	Upstream      string    `json:"upstream,omitempty"` // what the registry is called that the crate is a copy of
}

// better reports whether a crate should be shown by one version rather than by another: one that is not yanked before
// one that is, a release before a prerelease, then the higher one.
func better(number string, yanked bool, than string, thanYanked bool) bool {
	a, _ := version.Parse(number)
	b, ok := version.Parse(than)
	switch {
	case !ok:
		return true
	case yanked != thanYanked:
		return thanYanked
	case (len(a.Pre) == 0) != (len(b.Pre) == 0):
		return len(a.Pre) == 0
	}
	return a.Compare(b) > 0
}

// words are the lower-case words of a text.
func words(s string) []string {
	return strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// listingOf makes a crate findable by its default version. What sum says beside that stays.
func listingOf(sum summary, m Meta, deps []dependency) (store.Listing, error) {
	sum.Default, sum.Description = m.Version, m.Description
	sum.Homepage, sum.Documentation, sum.Repository = m.Homepage, m.Documentation, m.Repository
	sum.Keywords, sum.Categories = m.Keywords, m.Categories
	l := store.Listing{Words: map[string]int{}}
	add := func(weight int, list ...string) {
		for _, w := range list {
			l.Words[w] = max(l.Words[w], weight)
		}
	}
	add(weightDescription, words(m.Description)...)
	for _, k := range slices.Concat(m.Keywords, m.Categories) {
		add(weightKeyword, append(words(k), strings.ToLower(k))...)
	}
	name := sum.Name
	add(weightPart, words(name)...)
	add(weightPart, strings.ReplaceAll(names.Canonical(name), "_", ""))
	add(weightName, names.Key(name), names.Canonical(name), strings.ReplaceAll(names.Canonical(name), "_", "-"))
	for _, d := range deps {
		if d.Kind != "dev" {
			l.Depends(names.Key(d.on()))
		}
	}
	var err error
	l.Data, err = json.Marshal(sum)
	return l, err
}

func summaryOf(l store.Listing) (sum summary, err error) {
	if l.Data != nil {
		if err = json.Unmarshal(l.Data, &sum); err != nil {
			err = fmt.Errorf("listing: %w", err)
		}
	}
	return sum, err
}

// listed reads the listing of a crate, and the summary in it.
func listed(tx *store.PackageTx[Meta]) (l store.Listing, sum summary, err error) {
	if l, err = tx.Listing(); err == nil {
		sum, err = summaryOf(l)
	}
	return l, sum, err
}

// listPublished updates the listing after a new version.
func listPublished(tx *store.PackageTx[Meta], name string, v store.Version[Meta], deps []dependency) error {
	l, sum, err := listed(tx)
	if err != nil {
		return err
	}
	number := v.Meta.Version
	sum.Name, sum.Newest, sum.Updated = name, number, v.Published
	if sum.Created.IsZero() {
		sum.Created = v.Published
	}
	if parsed, _ := version.Parse(number); len(parsed.Pre) == 0 && better(number, false, sum.Stable, false) {
		sum.Stable = number
	}
	if better(number, false, sum.Default, sum.Yanked) {
		sum.Yanked = false
		if l, err = listingOf(sum, v.Meta, deps); err != nil {
			return err
		}
		return tx.SetListing(&l)
	}
	if l.Data, err = json.Marshal(sum); err != nil {
		return err
	}
	return tx.SetListing(&l)
}

// relist makes the listing from all versions, after one was yanked or deleted.
func relist(tx *store.PackageTx[Meta]) error {
	_, sum, err := listed(tx)
	if err != nil {
		return err
	}
	sum.Default, sum.Stable, sum.Newest, sum.Yanked = "", "", "", false
	var at []byte
	for k, value := range tx.Index(indexLines).Scan(nil, nil) {
		id, yanked, err := rowID(k, value)
		if err != nil {
			return err
		}
		if better(id, yanked, sum.Default, sum.Yanked) {
			sum.Default, sum.Yanked = id, yanked
			at = slices.Clone(k)
		}
		if v, _ := version.Parse(id); len(v.Pre) == 0 && !yanked && better(id, false, sum.Stable, false) {
			sum.Stable = id
		}
		sum.Newest = id
	}
	if at == nil {
		return tx.SetListing(nil)
	}
	return relistAs(tx, sum, at)
}

// relistAs writes the listing with the version in the row at as default. A head that is a blob cannot be read in a
// transaction: a crate with that many features is not found by its dependencies until its next version.
func relistAs(tx *store.PackageTx[Meta], sum summary, at []byte) error {
	v, err := tx.Version(sum.Default)
	if err != nil {
		return err
	}
	r, err := decodeRow(at, tx.Index(indexLines).Get(at))
	if err != nil {
		return err
	}
	var line decoded
	if r.HeadBlob == "" {
		if line, err = r.decode(); err != nil {
			return err
		}
	}
	for _, id := range []*string{&sum.Stable, &sum.Newest} {
		if *id == "" {
			continue
		}
		other, err := tx.Version(*id)
		if err != nil {
			return err
		}
		*id = other.Meta.Version
	}
	l, err := listingOf(sum, v.Meta, line.Deps)
	if err != nil {
		return err
	}
	return tx.SetListing(&l)
}

// hit is a crate as searches and the crate's own document show it.
type hit struct {
	ID              string            `json:"id"`
	Name            string            `json:"name"`
	Description     string            `json:"description"`
	MaxVersion      string            `json:"max_version"`
	MaxStable       *string           `json:"max_stable_version"`
	Newest          string            `json:"newest_version"`
	Default         string            `json:"default_version"`
	Versions        []uint32          `json:"versions"`
	NumVersions     int               `json:"num_versions,omitempty"`
	Yanked          bool              `json:"yanked"`
	Created         string            `json:"created_at"`
	Updated         string            `json:"updated_at"`
	Downloads       int64             `json:"downloads"`
	RecentDownloads int64             `json:"recent_downloads"`
	Homepage        *string           `json:"homepage"`
	Documentation   *string           `json:"documentation"`
	Repository      *string           `json:"repository"`
	Keywords        []string          `json:"keywords"`
	Categories      []string          `json:"categories"`
	Badges          []string          `json:"badges"`
	ExactMatch      bool              `json:"exact_match"`
	TrustpubOnly    bool              `json:"trustpub_only"`
	Links           map[string]string `json:"links"`
	Upstream        string            `json:"upstream,omitempty"`
}

// timeForm is how times are written.
const timeForm = "2006-01-02T15:04:05.000000Z"

func stamp(t time.Time) string { return t.UTC().Format(timeForm) }

// orNull is null for what is not known.
func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// hitOf shows a crate by its summary.
func (s *server) hitOf(sum summary) hit {
	at := s.Path() + "/api/v1/crates/" + sum.Name
	return hit{
		ID:            sum.Name,
		Name:          sum.Name,
		Description:   sum.Description,
		MaxVersion:    sum.Default,
		MaxStable:     orNull(sum.Stable),
		Newest:        sum.Newest,
		Default:       sum.Default,
		Yanked:        sum.Yanked,
		Created:       stamp(sum.Created),
		Updated:       stamp(sum.Updated),
		Homepage:      orNull(sum.Homepage),
		Documentation: orNull(sum.Documentation),
		Repository:    orNull(sum.Repository),
		Keywords:      orEmpty(sum.Keywords),
		Categories:    orEmpty(sum.Categories),
		Badges:        []string{},
		Upstream:      sum.Upstream,
		Links: map[string]string{
			"version_downloads": at + "/downloads", "versions": at + "/versions", "owners": at + "/owners",
			"owner_user": at + "/owner_user", "reverse_dependencies": at + "/reverse_dependencies",
		},
	}
}

// search answers cargo search. Without a text it lists every crate.
func (s *server) search(w http.ResponseWriter, r *http.Request, q Request) error {
	ctx := r.Context()
	found, err := s.Find(ctx, store.Query{Words: searchWords(q.Query)})
	if err != nil {
		return err
	}
	page, err := s.page(ctx, found, q)
	if err != nil {
		return err
	}
	hits, shown := make([]any, 0, len(page)), map[string]bool{}
	for _, sum := range page {
		shown[names.Key(sum.Name)] = true
		h := s.hitOf(sum)
		n, err := s.downloadsOf(ctx, sum.Name)
		if err != nil {
			return err
		}
		h.Downloads, h.RecentDownloads = n.all.Total, n.recent
		h.ExactMatch = names.Canonical(sum.Name) == names.Canonical(strings.TrimSpace(q.Query))
		hits = append(hits, h)
	}
	theirs, more := s.proxiedSearch(ctx, q, q.Size-len(hits), shown)
	for _, h := range theirs {
		hits = append(hits, h)
	}
	w.Header().Set("Cache-Control", registry.Revalidate(r))
	return wire.JSON(w, http.StatusOK, map[string]any{"crates": hits, "meta": map[string]any{"total": len(found) + more}})
}

// searchWords are what a text asks for: a word that could be a name as it is, anything else cut into its words.
func searchWords(text string) (out []string) {
	for _, w := range strings.Fields(strings.ToLower(text)) {
		if names.Check(w) == nil {
			out = append(out, w)
		} else {
			out = append(out, words(w)...)
		}
	}
	return out
}

// page reads the summaries of one page of matches.
func (s *server) page(ctx context.Context, found []registry.Found, q Request) ([]summary, error) {
	from := min((q.Page-1)*q.Size, len(found))
	part, err := s.Describe(ctx, found[from:min(from+q.Size, len(found))])
	if err != nil {
		return nil, err
	}
	out := make([]summary, 0, len(part))
	for _, d := range part {
		sum, err := summaryOf(store.Listing{Data: d.Data})
		if err != nil {
			return nil, err
		}
		out = append(out, sum)
	}
	return out, nil
}
