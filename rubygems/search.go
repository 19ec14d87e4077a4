package rubygems

// Search, and the gems of a user. What a gem is found by is a listing in the store, which is replaced when its latest
// version or its owners change, so that no search reads all gems.

import (
	"net/http"
	"slices"
	"strings"
	"unicode"

	"larder/internal/registry"
	"larder/internal/wire"
	"larder/rubygems/compactindex"
	"larder/rubygems/names"
	"larder/store"
)

// The weights of words, by where they are found.
const (
	weightName    = 60
	weightPart    = 20
	weightSummary = 2
)

const markOwner = "owner:"

// words are the lower-case words of a text.
func words(s string) []string {
	return strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// setListing writes what a gem is found by: its name, its owners, and the summary of v, its latest version.
func setListing(tx *store.PackageTx[Meta], v store.Version[Meta]) error {
	pkg, err := tx.Package()
	if err != nil {
		return err
	}
	l := listingOf(tx.Name(), v.Meta.Summary)
	l.Marks = ownerMarks(pkg.Owners)
	l.Depends(needsOf(v.Meta.Line)...)
	return tx.SetListing(&l)
}

// needsOf are the gems that a line of the compact index names.
func needsOf(line string) []string {
	list := []string{}
	id, _, _ := strings.Cut(line, " ")
	for _, d := range (compactindex.Entry{ID: id, Raw: []byte(line)}).Spec("").Dependencies {
		if names.Check(d.Name) == nil {
			list = append(list, d.Name)
		}
	}
	return list
}

// listingOf makes a gem findable by its name and summary.
func listingOf(name, summary string) store.Listing {
	l := store.Listing{Words: map[string]int{}, Data: []byte("{}")}
	for _, w := range words(summary) {
		l.Words[w] = weightSummary
	}
	for _, w := range words(name) {
		l.Words[w] = weightPart
	}
	l.Words[strings.ToLower(name)] = weightName
	return l
}

func ownerMarks(owners []string) (marks []string) {
	for _, o := range owners {
		marks = append(marks, markOwner+o)
	}
	return marks
}

// relist replaces the listing when the latest version is another one; "" when there is none.
func relist(tx *store.PackageTx[Meta], latest string) error {
	if latest == "" {
		return tx.SetListing(nil)
	}
	v, err := tx.Version(latest)
	if err != nil {
		return err
	}
	return setListing(tx, v)
}

// listOwners changes the owners in the listing.
func listOwners(tx *store.PackageTx[Meta], owners []string) error {
	l, err := tx.Listing()
	if err != nil || l.Data == nil {
		return err
	}
	l.Marks = slices.DeleteFunc(l.Marks, func(m string) bool { return strings.HasPrefix(m, markOwner) })
	l.Marks = append(l.Marks, ownerMarks(owners)...)
	return tx.SetListing(&l)
}

// search finds gems by name and summary.
func (s *server) search(w http.ResponseWriter, r *http.Request, q Request) error {
	var query store.Query
	for _, w := range strings.Fields(strings.ToLower(q.Query)) {
		if strings.Trim(w, "abcdefghijklmnopqrstuvwxyz0123456789-._") == "" && strings.Trim(w, "-._") != "" {
			query.Words = append(query.Words, w)
		} else {
			query.Words = append(query.Words, words(w)...)
		}
	}
	if len(query.Words) == 0 {
		return badPath("The search needs a text: query=…")
	}
	return s.gems(w, r, query, (q.Page-1)*pageSize, pageSize)
}

// own lists the gems of the client's user.
func (s *server) own(w http.ResponseWriter, r *http.Request, _ Request) error {
	id := wire.IdentityFrom(r.Context())
	if id.User == "" {
		return needLogin()
	}
	return s.gems(w, r, store.Query{Marks: []string{markOwner + id.User}}, 0, maxOwn)
}

// maxOwn is the most gems in the list of one user.
const maxOwn = 1000

// gems answers with the gems that a query finds and the client may read.
func (s *server) gems(w http.ResponseWriter, r *http.Request, query store.Query, from, size int) error {
	ctx := r.Context()
	found, err := s.Find(ctx, query)
	if err != nil {
		return err
	}
	page, err := s.Describe(ctx, found[min(from, len(found)):min(from+size, len(found))])
	if err != nil {
		return err
	}
	base, out := s.URL(r), make([]any, 0, len(page))
	for _, d := range page {
		if d.Copy != nil {
			out = append(out, copyJSONOf(*d.Copy, base))
			continue
		}
		x, err := s.latestOf(ctx, d.Name)
		if registry.IsOneOf(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if x.pulls, err = s.pullsOf(ctx, d.Name); err != nil {
			return err
		}
		out = append(out, x.gem(base))
	}
	w.Header().Set("Cache-Control", registry.Revalidate(r))
	return wire.JSON(w, http.StatusOK, out)
}
