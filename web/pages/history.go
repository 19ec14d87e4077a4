package pages

// The page of a package's history: its entries of the journal, and the buttons that undo some of them.

import (
	"context"
	"errors"
	"html/template"
	"net/http"
	"slices"

	"larder/internal/describe"
	"larder/store"
)

const (
	historyRows = 50
	historyRead = 1000 // entries of the journal that one page looks at
	tagEvents   = 1000 // of one tag that are looked at for where it pointed before
)

// historyPage is what a package's history shows.
type historyPage struct {
	describe.Package
	Kind    store.Kind
	Tabs    tabs
	What    string
	Filters []historyFilter
	Rows    []historyRow
	Done    string
	// Acts: there is a button in some row. Token, Agent: the reader sees with which token and program something was done.
	Acts, Inside bool
	Next         template.URL
}

// historyFilter is a choice of entries.
type historyFilter struct {
	Value, Title string
	ops          []store.Op
}

// historyFilters are the choices; what no other has is in the last one.
var historyFilters = []historyFilter{
	{"", "everything", nil},
	{"publish", "publish", []store.Op{store.OpPublish, store.OpReplace, store.OpCache}},
	{"tags", "tag moves", []store.Op{store.OpTag, store.OpUntag}},
	{
		"withdraw", "yank, deprecate, delete",
		[]store.Op{store.OpYank, store.OpUnyank, store.OpDeprecate, store.OpDelete, store.OpDeletePackage},
	},
	{"other", "owners, settings", nil},
}

// selects reports whether a choice has an entry.
func (f historyFilter) selects(e store.Entry) bool {
	switch f.Value {
	case "":
		return true
	case "other":
		return !slices.ContainsFunc(historyFilters, func(o historyFilter) bool { return slices.Contains(o.ops, e.Op) })
	}
	return slices.Contains(f.ops, e.Op)
}

// historyRow is an entry of the journal in a table.
type historyRow struct {
	store.Entry
	// Here: the version is still there. From is where a tag pointed before.
	Here bool
	From string
	// Token is the name of the token that it was done with.
	Token string
	// Undo is the change that undoes it; its Op is "" when there is none that the reader may make.
	Undo describe.Change
}

func (k *kindPages) history(w http.ResponseWriter, r *http.Request, q request) error {
	ctx := r.Context()
	p, t, err := k.head(ctx, q.name, "history", false)
	if err != nil {
		return err
	}
	page := historyPage{
		Package: p, Kind: k.kind, Tabs: t, What: q.what, Filters: historyFilters, Done: q.doneText(),
		Inside: k.oversees(ctx, p),
	}
	entries, next, err := k.entries(ctx, q)
	if err != nil {
		return err
	}
	if next > 0 {
		page.Next = query(request{what: q.what, before: next})
	}
	offers, err := k.describe.Offers(ctx, q.name)
	if err != nil {
		return err
	}
	if page.Rows, err = k.historyRows(ctx, q.name, entries, offers); err != nil {
		return err
	}
	if page.Inside {
		if err := k.nameTokens(ctx, page.Rows); err != nil {
			return err
		}
	}
	page.Acts = slices.ContainsFunc(page.Rows, func(row historyRow) bool { return row.Undo.Op != "" })
	f := k.frame(r, "History of "+clipName(p.Display), page)
	f.Private = page.Acts || page.Inside || k.loginNeeded(r, q.name)
	return k.send(w, r, "history", f)
}

// oversees reports whether the reader sees with which tokens, and from where, a package was changed.
func (k *kindPages) oversees(ctx context.Context, p describe.Package) bool {
	return k.catalog.Oversees(ctx, k.entry, p)
}

// entries are those of a page, and before which the next one begins, 0 when there is none.
func (k *kindPages) entries(ctx context.Context, q request) (out []store.Entry, next uint64, err error) {
	i := max(slices.IndexFunc(historyFilters, func(f historyFilter) bool { return f.Value == q.what }), 0)
	before := q.before
	for range historyRead / historyRows {
		list, err := k.d.Wire.Store.EntriesBefore(
			ctx, store.EntryFilter{Kind: k.kind, Package: q.name}, before, historyRows+1,
		)
		if err != nil {
			return nil, 0, err
		}
		for n, e := range list[:min(len(list), historyRows)] {
			before = e.Seq
			if !historyFilters[i].selects(e) {
				continue
			}
			if out = append(out, e); len(out) == historyRows {
				if n+1 < len(list) {
					next = before
				}
				return out, next, nil
			}
		}
		if len(list) <= historyRows {
			return out, 0, nil
		}
	}
	return out, before, nil
}

// historyRows looks at the package for what can be undone.
func (k *kindPages) historyRows(
	ctx context.Context, name string, entries []store.Entry, offers []describe.Offer,
) (rows []historyRow, err error) {
	repo := store.NewRepo[struct{}](k.d.Wire.Store, k.kind)
	err = repo.View(ctx, name, func(tx *store.PackageTx[struct{}]) error {
		rows = make([]historyRow, len(entries))
		moves := map[string]map[uint64]string{}
		for i, e := range entries {
			row := &rows[i]
			row.Entry = e
			v, here, err := versionIn(tx, e.Version)
			if err != nil {
				return err
			}
			row.Here = here
			switch {
			case e.Op == store.OpTag || e.Op == store.OpUntag:
				err = row.undoMove(tx, moves)
			case e.Op == store.OpYank && here && v.Yanked:
				row.Undo = describe.Change{Op: describe.Unyank, Version: e.Version}
			}
			if err != nil {
				return err
			}
			if !slices.ContainsFunc(offers, func(o describe.Offer) bool { return o.Op == row.Undo.Op }) {
				row.Undo = describe.Change{}
			}
		}
		return nil
	})
	return rows, err
}

// versionIn is a version that may be gone.
func versionIn(tx *store.PackageTx[struct{}], id string) (v store.Version[struct{}], here bool, err error) {
	if id == "" {
		return v, false, nil
	}
	v, err = tx.Version(id)
	if errors.Is(err, store.ErrNotFound) {
		return v, false, nil
	}
	return v, err == nil, err
}

// undoMove finds out where a tag pointed before, and whether it can be put back there. moves has by tag, and by the
// time of a move, where the tag pointed before.
func (row *historyRow) undoMove(tx *store.PackageTx[struct{}], moves map[string]map[uint64]string) error {
	if moves[row.Tag] == nil {
		before, err := movesOf(tx, row.Tag)
		if err != nil {
			return err
		}
		moves[row.Tag] = before
	}
	back := row.Version
	if row.Op == store.OpTag {
		row.From = moves[row.Tag][uint64(row.Time.UnixNano())]
		back = row.From
	}
	_, here, err := versionIn(tx, back)
	if err != nil || !here {
		return err
	}
	now, err := tx.Tag(row.Tag)
	if errors.Is(err, store.ErrNotFound) {
		err = nil
	}
	if err == nil && now.Version != back {
		row.Undo = describe.Change{Op: describe.MoveTag, Version: back, Tag: row.Tag}
	}
	return err
}

// movesOf are the versions that a tag pointed at before each of its moves, by the time of the move in nanoseconds.
func movesOf(tx *store.PackageTx[struct{}], tag string) (map[uint64]string, error) {
	before, looked := map[uint64]string{}, 0
	var later uint64
	for e, err := range tx.TagHistory(tag) {
		if err != nil {
			return nil, err
		}
		if later != 0 && e.Event == store.TagCreated {
			before[later] = e.Version
		}
		if later = uint64(e.Time.UnixNano()); e.Event == store.TagDeleted {
			later = 0
		}
		if looked++; looked == tagEvents {
			break
		}
	}
	return before, nil
}

// nameTokens fills in the names of tokens.
func (k *kindPages) nameTokens(ctx context.Context, rows []historyRow) error {
	var ids []string
	for _, row := range rows {
		if t := row.Actor.Token; t != "" && !slices.Contains(ids, t) {
			ids = append(ids, t)
		}
	}
	names, err := k.d.Auth.TokenNames(ctx, ids...)
	for i := range rows {
		rows[i].Token = names[rows[i].Actor.Token]
	}
	return err
}

// publishedBy is the entry of the journal that a version was published with, for who may see it; nil for all others,
// and when the journal does not have it any more.
func (k *kindPages) publishedBy(ctx context.Context, p describe.Package, v describe.Version) (*historyRow, error) {
	if v.Entry == 0 || !k.oversees(ctx, p) {
		return nil, nil
	}
	e, err := k.d.Wire.Store.JournalEntry(ctx, v.Entry)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil || e.Kind != k.kind || e.Package != p.Name {
		return nil, err
	}
	rows := []historyRow{{Entry: e}}
	return &rows[0], k.nameTokens(ctx, rows)
}
