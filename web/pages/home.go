package pages

// The first page: a search field, what came lately, and one shelf for each kind with the commands that set a client up.

import (
	"context"
	"html/template"
	"net/http"

	"larder/internal/setup"
	"larder/internal/wire"
	"larder/store"
	"larder/web/catalog"
)

// homePage is what the first page shows.
type homePage struct {
	Hosted, Copies int64
	Bytes          int64
	Published      []recent
	Copied         []recent
	Shelves        []shelf
}

// Empty reports whether there is nothing at all.
func (h homePage) Empty() bool { return h.Hosted == 0 && h.Copies == 0 }

// shelf is one kind.
type shelf struct {
	catalog.Count
	Pages bool
	First setup.Snippet
}

// recent is a package to which something happened.
type recent struct {
	catalog.Recent
	When template.HTML
}

func (p *Pages) home(w http.ResponseWriter, r *http.Request, _ request) error {
	ctx := r.Context()
	wire.Asked(ctx) // every name is asked for by itself, and there may be none
	counts, bytes, err := p.catalog.Counts(ctx)
	if err != nil {
		return err
	}
	at := p.at(r)
	h := homePage{Bytes: bytes}
	for _, c := range counts {
		h.Hosted, h.Copies = h.Hosted+c.Hosted, h.Copies+c.Copies
		h.Shelves = append(h.Shelves, shelf{
			Count: c, Pages: p.kinds[c.Kind] != nil, First: setup.Snippet{Text: setup.First(at, string(c.Kind))},
		})
	}
	if h.Published, err = p.lately(ctx, store.OpPublish); err != nil {
		return err
	}
	if h.Copied, err = p.lately(ctx, store.OpCache); err != nil {
		return err
	}
	page := p.frame(r, "Packages", h)
	page.NoSearch = true
	return p.send(w, r, "home", page)
}

// recentShown is how many packages a list of what came lately has.
const recentShown = 8

// lately are the packages to which op happened last.
func (p *Pages) lately(ctx context.Context, op store.Op) (out []recent, err error) {
	list, err := p.catalog.Lately(ctx, op, recentShown)
	for _, one := range list {
		out = append(out, recent{one, ago(one.Time, p.d.Now())})
	}
	return out, err
}
