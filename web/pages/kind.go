package pages

// The list of a kind's packages. By name it is read from where a page begins. Other orders look at all packages, and
// are not offered where there are many; then a filter finds what a search finds.

import (
	"cmp"
	"context"
	"html/template"
	"net/http"
	"net/url"

	"larder/internal/describe"
	"larder/internal/setup"
	"larder/store"
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
		Sort: cmp.Or(q.sort, sortName), Clients: setup.Clients(string(k.kind)),
	}
	if page.Sorts, err = k.catalog.Sorts(ctx, k.entry); err != nil {
		return err
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
	if page.Rows, err = k.rows(ctx, k.entry.Listed(list)); err != nil {
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
	if list, err = k.catalog.Ordered(ctx, k.entry, q.origin, q.text, page.Sort); err != nil {
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

// query is a request's query in an address.
func query(q request) template.URL {
	v := url.Values{}
	formatQuery(&q, v)
	return template.URL("?" + v.Encode())
}
