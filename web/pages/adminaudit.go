package pages

// The journal for administrators: what changed, through whom, from where; and the logins that failed.

import (
	"encoding/json"
	"html/template"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"larder/auth"
	"larder/store"
)

// auditPage is a part of the journal, newest first.
type auditPage struct {
	Kind, Package, User, Op string
	From, To                string // days
	Filtered                bool
	Kinds                   []auditKind
	Ops                     []store.Op
	Rows                    []auditRow
	Total                   uint64       // the number of the newest entry
	Last                    time.Time    // of the last entry that was looked at, when few of many were selected
	Export, Next            template.URL // queries
}

// auditKind is a kind in the filter: one of packages, or of files that are kept of upstreams.
type auditKind struct {
	Kind  store.Kind
	Title string
}

// auditRow is an entry. Link is the address of its package's page below /ui, "" without one.
type auditRow struct {
	store.Entry
	Of   store.Kind
	Name string
	Link string
	Bad  bool
	Word string
}

const (
	auditShown = 50
	// auditLook bounds the entries that one page looks at, however few of them its filter selects: 30 ms.
	auditLook = 5000
)

// auditOps are the operations that the filter offers.
var auditOps = []store.Op{
	store.OpPublish, store.OpReplace, "add", "overwrite", store.OpYank, store.OpUnyank, store.OpDeprecate, store.OpTag,
	store.OpUntag, store.OpDelete, store.OpDeletePackage, store.OpMount, store.OpCache, store.OpClaim, store.OpRelease,
	"owners", "access", "settings", "status", store.OpUserAdd, store.OpUserUpdate, store.OpUserPasswd, store.OpUserRemove,
	store.OpTokenCreate, store.OpTokenRevoke, auth.OpSessionOpen, auth.OpSessionEnd, auth.OpLoginFailed,
}

// opWord is what people call an operation.
func opWord(op store.Op) string {
	switch op {
	case store.OpCache:
		return "copy"
	case auth.OpLoginFailed:
		return "login refused"
	case auth.OpSessionOpen:
		return "login"
	case auth.OpSessionEnd:
		return "logout"
	}
	return strings.NewReplacer(".", " ", "-", " ").Replace(string(op))
}

// auditFilter reads what is selected. A value that cannot be one is as good as none, since people edit addresses.
func (page *auditPage) filter(v url.Values) store.EntryFilter {
	page.Kind, page.Op = clip(v.Get("kind"), 32), clip(v.Get("op"), 32)
	page.Package, page.User = strings.TrimSpace(clip(v.Get("package"), 512)), strings.TrimSpace(clip(v.Get("user"), 64))
	f := store.EntryFilter{Op: store.Op(page.Op)}
	if slices.ContainsFunc(page.Kinds, func(k auditKind) bool { return string(k.Kind) == page.Kind }) {
		f.Kind = store.Kind(page.Kind)
	} else {
		page.Kind = ""
	}
	if from, err := time.Parse(dayForm, v.Get("from")); err == nil {
		page.From, f.Since = v.Get("from"), from
	}
	if to, err := time.Parse(dayForm, v.Get("to")); err == nil {
		page.To, f.Until = v.Get("to"), to.AddDate(0, 0, 1)
	}
	page.Filtered = page.Kind+page.Package+page.User+page.Op+page.From+page.To != ""
	return f.Named(page.Package, page.User)
}

// query is the filter in an address, and where a page begins.
func (page *auditPage) query(before uint64) template.URL {
	v := url.Values{}
	for key, value := range map[string]string{
		"kind": page.Kind, "package": page.Package, "user": page.User, "op": page.Op, "from": page.From, "to": page.To,
	} {
		if value != "" {
			v.Set(key, value)
		}
	}
	if before > 0 {
		v.Set("before", strconv.FormatUint(before, 10))
	}
	return template.URL(v.Encode())
}

func (p *Pages) newAuditPage() *auditPage {
	page := &auditPage{Ops: auditOps}
	for _, k := range p.d.Kinds {
		page.Kinds = append(page.Kinds, auditKind{k.Kind, kindTitle(k.Kind)})
	}
	for _, k := range p.d.Kinds {
		page.Kinds = append(page.Kinds, auditKind{k.Kind.CachedFiles(), kindTitle(k.Kind) + ", copies"})
	}
	return page
}

func (p *Pages) adminAudit(w http.ResponseWriter, r *http.Request, q request) error {
	ctx, page := r.Context(), p.newAuditPage()
	f := page.filter(q.values)
	before, _ := strconv.ParseUint(q.values.Get("before"), 10, 63) // "" and nonsense: from the newest
	entries, next, err := p.d.Wire.Store.EntriesPage(ctx, f, before, auditShown+1, auditLook)
	if err != nil {
		return err
	}
	newest, err := p.d.Wire.Store.JournalTail(ctx, 1)
	if err != nil {
		return err
	}
	for _, e := range newest {
		page.Total = e.Seq
	}
	if len(entries) > auditShown {
		entries = entries[:auditShown]
		next = entries[auditShown-1].Seq
	} else if next > 0 {
		look, _, err := p.d.Wire.Store.Entries(ctx, store.EntryFilter{}, next-1, 1)
		if err != nil {
			return err
		}
		for _, e := range look {
			page.Last = e.Time
		}
	}
	if next > 0 {
		page.Next = page.query(next)
	}
	page.Export = page.query(0)
	for _, e := range entries {
		page.Rows = append(page.Rows, p.auditRow(e))
	}
	if page.Op != "" && !slices.Contains(page.Ops, store.Op(page.Op)) {
		page.Ops = append(slices.Clone(page.Ops), store.Op(page.Op))
	}
	return p.sendAdmin(w, r, "audit", adminPage{Title: "Audit", Here: "/audit", Data: page})
}

// auditRow is an entry as people read it.
func (p *Pages) auditRow(e store.Entry) auditRow {
	row := auditRow{Entry: e, Of: e.Kind, Name: e.Package, Word: opWord(e.Op), Bad: e.Op == auth.OpLoginFailed}
	if k, name := p.catalog.Named(e); k != nil && name != "" {
		row.Of, row.Name, row.Link = k.Kind, name, string(k.Kind)+"/"+escapeName(name)
	}
	for _, k := range p.order {
		if e.Kind == k.kind.Documents() { // whose versions are what they are called in records
			row.Of, row.Name, row.Version = k.kind, k.describe.KeptName(e.Package), "document"
			row.Link = string(k.kind) + "/" + escapeName(row.Name)
		}
	}
	return row
}

// exportAudit sends all entries that the filter selects, those in archives first, as `larder audit --archive --json`
// prints them: one a line, oldest first.
func (p *Pages) exportAudit(w http.ResponseWriter, r *http.Request, q request) error {
	f, ctx, s := p.newAuditPage().filter(q.values), r.Context(), p.d.Wire.Store
	out := json.NewEncoder(&begun{w: w})
	out.SetEscapeHTML(false)
	last, err := s.ArchivedEntries(ctx, f, 0, func(e store.Entry) error { return out.Encode(e) })
	for err == nil {
		var entries []store.Entry
		before := last
		entries, last, err = s.Entries(ctx, f, last, exportPage)
		for _, e := range entries {
			if err == nil {
				err = out.Encode(e)
			}
		}
		if len(entries) < exportPage || last == before {
			break
		}
	}
	return err
}

// exportPage is how many entries one transaction of an export reads.
const exportPage = 1000

// begun is an answer whose header is written with its first bytes, so that an error before them has a page.
type begun struct {
	w  http.ResponseWriter
	is bool
}

func (b *begun) Write(p []byte) (int, error) {
	if !b.is {
		b.is = true
		h := b.w.Header()
		secure(h)
		h.Set("Content-Type", "application/x-ndjson")
		h.Set("Content-Disposition", `attachment; filename="audit.jsonl"`)
		h.Set("Cache-Control", "no-store")
	}
	return b.w.Write(p)
}

var _ io.Writer = (*begun)(nil)
