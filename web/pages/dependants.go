package pages

// The page of the packages that depend on one.

import (
	"html/template"
	"net/http"

	"larder/internal/describe"
	"larder/store"
)

const dependantsRows = 50

// dependantsPage is what it shows.
type dependantsPage struct {
	describe.Package
	Kind            store.Kind
	Tabs            tabs
	Rows            []dependantRow
	From, To, Total int
	// Asks: of some row it is known what it asks for.
	Asks bool
	Next template.URL
}

// dependantRow is a package in a table.
type dependantRow struct {
	describe.Dependant
	Pulls int64
}

func (k *kindPages) dependants(w http.ResponseWriter, r *http.Request, q request) error {
	ctx := r.Context()
	p, t, err := k.head(ctx, q.name, "dependants", false)
	if err != nil {
		return err
	}
	list, total, err := k.describe.Dependants(ctx, q.name, q.from, dependantsRows)
	if err != nil {
		return err
	}
	from := min(q.from, total)
	page := dependantsPage{
		Package: p, Kind: k.kind, Tabs: t, From: from + 1, To: min(from+dependantsRows, total), Total: total,
	}
	names := make([]string, len(list))
	for i, d := range list {
		names[i] = d.Name
	}
	pulls, err := k.d.Wire.Store.PackagePulls(ctx, k.kind, names)
	if err != nil {
		return err
	}
	now := k.d.Now()
	for i, d := range list {
		page.Rows = append(page.Rows, dependantRow{d, pulls[i].Since(chartDays, now)})
		page.Asks = page.Asks || d.On.Name != ""
	}
	if page.To < total {
		page.Next = query(request{from: page.To})
	}
	f := k.frame(r, "Dependants of "+clipName(p.Display), page)
	f.Private = k.loginNeeded(r, q.name)
	return k.send(w, r, "dependants", f)
}
