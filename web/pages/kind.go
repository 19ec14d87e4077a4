package pages

// The list of a kind's packages. By name it is read from where a page begins; other orders, and a filter, look at all
// packages up to a limit, above which they are not offered.

import (
	"cmp"
	"context"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"larder/internal/describe"
	"larder/internal/setup"
	"larder/store"
)

// maxSorted is the most packages of a kind that are put into another order than that of their names, and maxFiltered
// the most that a filter looks at.
const (
	maxSorted   = 5000
	maxFiltered = 10_000
)

// listPage is a part of the packages of a kind.
type listPage struct {
	Kind           store.Kind
	Hosted, Copies int64
	Bytes          int64
	Filter, Sort   string
	Origin         describe.Origin
	Sorts          bool // other orders are offered
	Rows           []row
	From, To       int // of what is shown; 0 when it is not known
	Total          int // of what the filter selects; 0 when it is not known
	Next           template.URL
	Clients        []setup.Client
}

func (k *kindPages) list(w http.ResponseWriter, r *http.Request, q request) error {
	ctx := r.Context()
	stats, err := k.d.Wire.Store.Stats(ctx)
	if err != nil {
		return err
	}
	own, files := stats.Kinds[k.kind], stats.Kinds[k.kind.CachedFiles()]
	page := listPage{
		Kind: k.kind, Hosted: own.Packages, Copies: stats.Kinds[k.kind.Copies()].Packages,
		Bytes: own.Bytes + files.Bytes, Filter: q.text, Origin: q.origin,
		Sort: cmp.Or(q.sort, sortName), Sorts: own.Packages <= maxSorted, Clients: setup.Clients(string(k.kind)),
	}
	if page.Sort != sortName && !page.Sorts {
		page.Sort = sortName
	}
	var list []describe.Package
	if page.Sort == sortName && q.text == "" {
		list, err = k.byName(ctx, q, &page)
	} else {
		list, err = k.inOrder(ctx, q, &page)
	}
	if err != nil {
		return err
	}
	found := make([]match, len(list))
	for i, one := range list {
		found[i] = match{k, describe.Match{Name: one.Name}}
	}
	if page.Rows, err = k.rows(ctx, found); err != nil {
		return err
	}
	return k.send(w, r, "kind", k.frame(r, kindTitle(k.kind), page))
}

// byName is a part of the list in the order of names.
func (k *kindPages) byName(ctx context.Context, q request, page *listPage) ([]describe.Package, error) {
	list, more, err := k.describe.List(ctx, q.origin, q.after, pageSize)
	if more && err == nil {
		page.Next = query(request{after: list[len(list)-1].Name, sort: q.sort, origin: q.origin})
	}
	return list, err
}

// inOrder is a part of the list in another order, or of what a filter selects.
func (k *kindPages) inOrder(ctx context.Context, q request, page *listPage) (list []describe.Package, err error) {
	err = k.d.Wire.Store.Heavy(ctx, func() error {
		list, err = k.all(ctx, q.origin, strings.ToLower(q.text))
		if err == nil {
			err = k.sort(ctx, list, page.Sort)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	from := min(q.from, len(list))
	to := min(from+pageSize, len(list))
	page.Total, page.From, page.To = len(list), from+1, to
	if to < len(list) {
		page.Next = query(request{text: q.text, sort: q.sort, origin: q.origin, from: to})
	}
	return list[from:to], nil
}

// all are the packages of an origin whose names have text in them.
func (k *kindPages) all(ctx context.Context, from describe.Origin, text string) (out []describe.Package, err error) {
	looked := 0
	for after := ""; looked < maxFiltered; {
		list, more, err := k.describe.List(ctx, from, after, 500)
		if err != nil {
			return nil, err
		}
		for _, one := range list {
			if looked++; strings.Contains(strings.ToLower(one.Name), text) {
				out = append(out, one)
			}
		}
		if !more {
			break
		}
		after = list[len(list)-1].Name
	}
	return out, nil
}

func (k *kindPages) sort(ctx context.Context, list []describe.Package, by string) error {
	switch by {
	case sortUpdated:
		slices.SortStableFunc(list, func(a, b describe.Package) int { return b.Updated.Compare(a.Updated) })
	case sortSize:
		slices.SortStableFunc(list, func(a, b describe.Package) int { return cmp.Compare(b.Bytes, a.Bytes) })
	case sortPulls:
		names := make([]string, len(list))
		for i, one := range list {
			names[i] = one.Name
		}
		pulls, err := k.d.Wire.Store.PackagePulls(ctx, k.kind, names)
		if err != nil {
			return err
		}
		now, count := k.d.Now(), map[string]int64{}
		for i, p := range pulls {
			count[names[i]] = p.Since(chartDays, now)
		}
		slices.SortStableFunc(list, func(a, b describe.Package) int { return cmp.Compare(count[b.Name], count[a.Name]) })
	}
	return nil
}

// query is a request's query in an address.
func query(q request) template.URL {
	v := url.Values{}
	formatQuery(&q, v)
	return template.URL("?" + v.Encode())
}
