package pages

// The search over all kinds.

import (
	"context"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"larder/internal/describe"
	"larder/internal/wire"
	"larder/store"
	"larder/web/catalog"
)

// pageSize is how many packages a list or a search shows at once.
const pageSize = 50

// searchPage is what a search has found.
type searchPage struct {
	Text, Kind string
	Origin     describe.Origin
	Kinds      []store.Kind
	Hits       []hit
	Total      int
	From, To   int
	Next       template.URL // what follows, as a query
}

// hit is one package.
type hit struct {
	row
	Marked template.HTML // the name, with what was searched for marked
}

// row is a package in a list.
type row struct {
	catalog.Row
	When template.HTML
}

func (p *Pages) search(w http.ResponseWriter, r *http.Request, q request) error {
	ctx := r.Context()
	wire.Asked(ctx) // Find leaves out what the reader may not see, of each kind
	text := strings.TrimSpace(q.text)
	page := searchPage{Text: text, Kind: string(q.kind), Origin: q.origin}
	for _, k := range p.order {
		page.Kinds = append(page.Kinds, k.kind)
	}
	found, err := p.catalog.Find(ctx, q.kind, q.origin, text)
	if err != nil {
		return err
	}
	from := min(q.from, len(found))
	part := found[from:min(from+pageSize, len(found))]
	rows, err := p.rows(ctx, part)
	if err != nil {
		return err
	}
	for _, one := range rows {
		page.Hits = append(page.Hits, hit{one, marked(one.Name, text)})
	}
	page.Total, page.From, page.To = len(found), from+1, from+len(part)
	if page.To < page.Total {
		page.Next = next(q, page.To)
	}
	title := "Search"
	if text != "" {
		title = text
	}
	f := p.frame(r, clipName(title), page)
	f.Text = text
	return p.send(w, r, "search", f)
}

// next is the query of the following part of a search.
func next(q request, from int) template.URL {
	v := url.Values{"q": {q.text}, "from": {strconv.Itoa(from)}}
	if q.kind != "" {
		v.Set("kind", string(q.kind))
	}
	if q.origin != describe.Anywhere {
		v.Set("origin", string(q.origin))
	}
	return template.URL(v.Encode())
}

// rows are what lists show of packages. Those that are gone meanwhile are left out.
func (p *Pages) rows(ctx context.Context, list []catalog.Match) (out []row, err error) {
	rows, err := p.catalog.Rows(ctx, list)
	for _, one := range rows {
		out = append(out, row{one, dayHTML(one.Updated)})
	}
	return out, err
}

// marked is a name in which the first word that was searched for is marked.
func marked(name, text string) template.HTML {
	words := strings.Fields(strings.ToLower(text))
	lower := strings.ToLower(name)
	for _, word := range words {
		at := strings.Index(lower, word)
		if at < 0 || len(lower) != len(name) {
			continue
		}
		return template.HTML("<bdi>" + visible(name[:at], true) + "<mark>" + visible(name[at:at+len(word)], true) +
			"</mark>" +
			visible(name[at+len(word):], true) + "</bdi>")
	}
	return nameHTML(name)
}
