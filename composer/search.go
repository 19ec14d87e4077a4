package composer

// Lists, search and providers. What a package is found by is a listing of the store, replaced when its best version
// changes: nothing here looks at all packages for a publish.

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"larder/composer/manifest"
	"larder/composer/names"
	"larder/composer/version"
	"larder/internal/rawjson"
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

// The marks packages are found by.
const (
	markVendor   = "vendor:"
	markType     = "type:"
	markTag      = "tag:"
	markProvides = "provides:"
)

// listingOf makes a package findable by its best version.
func listingOf(name string, sum manifest.Summary) (store.Listing, error) {
	l := store.Listing{Words: map[string]int{}}
	add := func(weight int, list ...string) {
		for _, w := range list {
			l.Words[w] = max(l.Words[w], weight)
		}
	}
	vendor, base, _ := strings.Cut(name, "/")
	l.Marks = []string{markVendor + vendor, markType + sum.Type}
	for _, p := range sum.Provides {
		l.Marks = append(l.Marks, markProvides+p)
	}
	for _, k := range sum.Keywords {
		k = strings.ToLower(k)
		add(weightKeyword, append(words(k), k)...)
		l.Marks = append(l.Marks, markTag+k)
	}
	add(weightDescription, words(sum.Description)...)
	add(weightPart, words(name)...)
	add(weightName, vendor, base, name)
	l.Depends(sum.Needs...)
	sum.Needs = nil // the marks have them
	b, err := json.Marshal(sum)
	l.Data = b
	return l, err
}

// words are the lower-case words of a text.
func words(s string) []string {
	return strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// list brings the listing along when a version was published that is better than the listed one, or is that one.
func list(tx *store.PackageTx[Meta], normalized string, v store.Version[Meta]) error {
	now, err := listedSummary(tx)
	if err != nil || now.Version != "" && version.Before(now.Version, normalized) {
		return err
	}
	return setListing(tx, v.Meta.Summary)
}

// setListing writes what a package is found by.
func setListing(tx *store.PackageTx[Meta], sum manifest.Summary) error {
	if state := abandonedState(tx); state != nil {
		if sum.Abandoned = state; string(state) == "false" {
			sum.Abandoned = nil
		}
	}
	l, err := listingOf(tx.Name(), sum)
	if err != nil {
		return err
	}
	return tx.SetListing(&l)
}

// listedSummary is what lists show of a package; without a version when it is in none.
func listedSummary(tx *store.PackageTx[Meta]) (sum manifest.Summary, err error) {
	l, err := tx.Listing()
	if err != nil || l.Data == nil {
		return sum, err
	}
	return sum, json.Unmarshal(l.Data, &sum)
}

// relist finds the best of the versions that are left.
func relist(tx *store.PackageTx[Meta]) error {
	best := ""
	for _, table := range []string{indexReleases, indexBranches} {
		for k := range tx.Index(table).Scan(nil, nil) {
			if id := string(k); best == "" || version.Before(id, best) {
				best = id
			}
		}
	}
	if best == "" {
		return tx.SetListing(nil)
	}
	v, err := shown(tx, best)
	if err != nil {
		return err
	}
	return setListing(tx, v.Meta.Summary)
}

// shown is the record behind a version that documents show.
func shown(tx *store.PackageTx[Meta], normalized string) (v store.Version[Meta], err error) {
	id := normalized
	if version.IsDev(normalized) {
		tag, err := tx.Tag(normalized)
		if err != nil {
			return v, err
		}
		id = tag.Version
	}
	return tx.Version(id)
}

// hit is a package in a list. Upstream is what the registry is called that it is a copy of.
type hit struct {
	Name, Upstream string
	manifest.Summary
}

// find returns the packages that q selects, match accepts and the client may read, best first.
func (s *server) find(ctx context.Context, q store.Query, match func(name string) bool) ([]registry.Found, error) {
	found, err := s.Find(ctx, q)
	if match != nil {
		found = slices.DeleteFunc(found, func(f registry.Found) bool { return !match(f.Name) })
	}
	return found, err
}

// describe reads what lists show of packages.
func (s *server) describe(ctx context.Context, found []registry.Found) ([]hit, error) {
	list, err := s.Describe(ctx, found)
	if err != nil {
		return nil, err
	}
	hits := make([]hit, len(list))
	for i, d := range list {
		hits[i].Name = d.Name
		if d.Copy != nil {
			hits[i].Upstream = d.Copy.Upstream
		}
		if err := json.Unmarshal(d.Data, &hits[i].Summary); err != nil {
			return nil, fmt.Errorf("listing of %s: %w", d.Name, err)
		}
	}
	return hits, nil
}

// getList answers with the names that match, or with some of what is known of them.
func (s *server) getList(w http.ResponseWriter, r *http.Request, q Request) error {
	ctx := r.Context()
	var query store.Query
	if q.Vendor != "" {
		query.Marks = append(query.Marks, markVendor+q.Vendor)
	}
	if q.Type != "" {
		query.Marks = append(query.Marks, markType+q.Type)
	}
	if vendor, _, ok := strings.Cut(q.Query, "/"); ok && vendor != "" && !strings.Contains(vendor, "*") {
		query.Marks = append(query.Marks, markVendor+strings.ToLower(vendor))
	}
	if q.Query == "" && len(query.Marks) == 0 && len(q.Fields) == 0 {
		return s.serveWhole(w, r, fmt.Sprintf("names %v", s.Up.CopiesState()), s.allNames)
	}
	var found []registry.Found
	var err error
	if match := glob(q.Query); match != nil && len(query.Marks) == 0 {
		found, err = s.matching(ctx, q.Query, match)
	} else {
		found, err = s.find(ctx, query, match)
	}
	if err != nil {
		return err
	}
	slices.SortFunc(found, func(a, b registry.Found) int { return strings.Compare(a.Name, b.Name) })
	w.Header().Set("Cache-Control", registry.Revalidate(r))
	if len(q.Fields) == 0 {
		names := []string{}
		for _, f := range found {
			names = append(names, f.Name)
		}
		return wire.JSON(w, http.StatusOK, map[string]any{"packageNames": names})
	}
	hits, err := s.describe(ctx, found)
	if err != nil {
		return err
	}
	packages := map[string]map[string]any{}
	for _, h := range hits {
		packages[h.Name] = h.only(q.Fields)
	}
	return wire.JSON(w, http.StatusOK, map[string]any{"packages": packages})
}

// namesAtOnce is how many names are read in one transaction, maxLooked how many one pattern is compared with.
const (
	namesAtOnce = 1000
	maxLooked   = 50_000
)

// allNames is the list of all packages that the client may read.
func (s *server) allNames(ctx context.Context, view registry.View) ([]byte, error) {
	names := []string{}
	err := s.Store.Heavy(ctx, func() error {
		return s.walk(ctx, "", func(f registry.Found) (bool, error) {
			ok, err := view.Sees(f.Name)
			if ok {
				names = append(names, f.Name)
			}
			return true, err
		})
	})
	if err != nil {
		return nil, err
	}
	return json.Marshal(map[string]any{"packageNames": names})
}

// matching are the first packages by name that match a pattern and the client may read.
func (s *server) matching(
	ctx context.Context, pattern string, match func(string) bool,
) (found []registry.Found, err error) {
	view := s.View(ctx)
	looked, prefix := 0, strings.ToLower(pattern)
	prefix, _, _ = strings.Cut(prefix, "*")
	err = s.Store.Heavy(ctx, func() error {
		return s.walk(ctx, prefix, func(f registry.Found) (more bool, err error) {
			if looked++; looked > maxLooked || len(found) == store.MaxMatches {
				return false, nil
			}
			if match(f.Name) {
				var ok bool
				if ok, err = view.Sees(f.Name); ok {
					found = append(found, f)
				}
			}
			return true, err
		})
	})
	return found, err
}

// walk calls each with the listed packages that begin with prefix, in the order of names, until it wants no
// more or the request is cancelled.
func (s *server) walk(ctx context.Context, prefix string, each func(f registry.Found) (more bool, err error)) error {
	for after := ""; ctx.Err() == nil; {
		list, err := s.Listed(ctx, prefix, after, namesAtOnce)
		if err != nil || len(list) == 0 {
			return err
		}
		for _, f := range list {
			if more, err := each(f); err != nil || !more {
				return err
			}
			after = f.Name
		}
	}
	return ctx.Err()
}

// only has the fields that were asked for, as far as there are such.
func (h hit) only(fields []string) map[string]any {
	abandoned := h.Abandoned
	if abandoned == nil {
		abandoned = json.RawMessage("false")
	}
	all := map[string]any{"type": h.Type, "repository": h.Repository, "abandoned": abandoned}
	out := map[string]any{}
	for _, f := range fields {
		if v, ok := all[f]; ok {
			out[f] = v
		}
	}
	return out
}

// glob matches names with a pattern in which * stands for anything; nil when there is none.
func glob(pattern string) func(string) bool {
	if pattern == "" {
		return nil
	}
	parts := strings.Split(strings.ToLower(pattern), "*")
	for i, p := range parts {
		parts[i] = regexp.QuoteMeta(p)
	}
	return regexp.MustCompile("^" + strings.Join(parts, ".*") + "$").MatchString
}

// search answers composer search.
func (s *server) search(w http.ResponseWriter, r *http.Request, q Request) error {
	ctx := r.Context()
	query := store.Query{}
	for _, word := range strings.Fields(strings.ToLower(q.Query)) {
		if strings.Trim(word, names.Chars) == "" && strings.Trim(word, "._-/") != "" {
			query.Words = append(query.Words, word)
		} else {
			query.Words = append(query.Words, words(word)...)
		}
	}
	if q.Type != "" {
		query.Marks = append(query.Marks, markType+q.Type)
	}
	for _, t := range q.Tags {
		query.Marks = append(query.Marks, markTag+strings.ToLower(t))
	}
	found, err := s.find(ctx, query, nil)
	if err != nil {
		return err
	}
	from := min((q.Page-1)*q.Size, len(found))
	hits, err := s.describe(ctx, found[from:min(from+q.Size, len(found))])
	if err != nil {
		return err
	}
	base := s.URL(r)
	results, shown := []map[string]any{}, map[string]bool{}
	for _, h := range hits {
		shown[h.Name] = true
		one, err := s.result(ctx, h, base)
		if err != nil {
			return err
		}
		results = append(results, one)
	}
	theirs, more := s.proxiedSearch(ctx, q, base, q.Size-len(results), shown)
	answer := map[string]any{"results": append(results, theirs...), "total": len(found) + more}
	if from+q.Size < len(found) {
		q.Page++
		v := url.Values{}
		q.formatSearch(v)
		answer["next"] = base + "/search.json?" + v.Encode()
	}
	w.Header().Set("Cache-Control", registry.Revalidate(r))
	return wire.JSON(w, http.StatusOK, answer)
}

func (s *server) result(ctx context.Context, h hit, base string) (map[string]any, error) {
	n, err := s.downloads(ctx, h.Name)
	one := map[string]any{
		"name": h.Name, "description": h.Description, "url": base + "/packages/" + h.Name + ".json",
		"repository": h.Repository, "downloads": n.total, "favers": 0,
	}
	if h.Abandoned != nil {
		one["abandoned"] = h.Abandoned
	}
	if h.Upstream != "" {
		one["url"], one["upstream"] = base+"/"+usualMetadata(h.Name, formReleases), h.Upstream
	}
	return one, err
}

// getProviders names the packages that provide a name. Composer asks when it has found no package of that name.
func (s *server) getProviders(w http.ResponseWriter, r *http.Request, q Request) error {
	ctx := r.Context()
	found, err := s.find(ctx, store.Query{Marks: []string{markProvides + q.Name}}, nil)
	if err != nil {
		return err
	}
	hits, err := s.describe(ctx, found)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	out.WriteString(`{"providers":[`)
	for i, h := range hits {
		one := rawjson.AppendPair(append(rawjson.AppendComma(nil, i), '{'), "name", h.Name)
		one = rawjson.AppendMember(rawjson.AppendMember(one, "description", h.Description), "type", h.Type)
		out.Write(append(one, '}'))
	}
	out.WriteString("]}\n")
	h := w.Header()
	h.Set("Cache-Control", registry.Revalidate(r))
	h.Set("Content-Type", typeJSON)
	h.Set("Content-Length", strconv.Itoa(out.Len()))
	_, err = w.Write(out.Bytes())
	return err
}

// abandonedState is what the registry was told about a package: true, false or the name of another; nil when nothing.
func abandonedState(tx *store.PackageTx[Meta]) json.RawMessage {
	return bytes.Clone(tx.Index(indexState).Get([]byte(stateAbandoned)))
}

// The rows about a package as a whole.
const (
	indexState      = "state"
	stateAbandoned  = "abandoned"  // what the registry was told
	stateAdvisories = "advisories" // when they last changed
)
