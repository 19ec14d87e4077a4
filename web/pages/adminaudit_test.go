package pages

// The page of the journal: its filters find what they say, and it is as quick with many entries as with few.

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"larder/store"
)

// noted are the notes of the entries on a page, in its order.
func noted(page string) []string { return regexp.MustCompile(`note-\d+`).FindAllString(page, -1) }

// log writes entries into the journal, with notes note-0, note-1, …
func (g *rig) log(entries ...store.Entry) {
	g.T.Helper()
	for len(entries) > 0 {
		batch := entries[:min(len(entries), 1000)]
		entries = entries[len(batch):]
		err := g.Store.Update(g.T.Context(), func(tx *store.Tx) error {
			for _, e := range batch {
				tx.Log(e)
			}
			return nil
		})
		if err != nil {
			g.T.Fatal(err)
		}
	}
}

func TestAuditFindsWhatIsAskedFor(t *testing.T) {
	g := newRig(t, atNow)
	v := g.administrator()
	g.publish("npm", "demo", "1.0.0")
	g.publish("pypi", "other", "1.0.0")
	(&visitor{rig: g}).do("POST", "/-/login", url.Values{"user": {"mallory"}, "password": {"wrong"}})
	for query, c := range map[string]struct{ has, lacks []string }{
		"":                                   {[]string{"demo", "other", "mallory", "user add"}, nil},
		"kind=npm":                           {[]string{`href="/ui/npm/demo"`}, []string{"/ui/pypi/other", "mallory"}},
		"kind=none":                          {[]string{"demo", "other"}, nil},
		"package=oth*":                       {[]string{"/ui/pypi/other"}, []string{"/ui/npm/demo"}},
		"package=demo":                       {[]string{"/ui/npm/demo"}, []string{"/ui/pypi/other"}},
		"user=ada":                           {[]string{"demo", "other"}, []string{"mallory"}},
		"user=root":                          {[]string{">login<"}, []string{"/ui/npm/demo"}},
		"op=login.failed":                    {[]string{`tag bad">login refused`, "mallory"}, []string{"/ui/npm/demo"}},
		"op=publish&kind=pypi":               {[]string{"/ui/pypi/other"}, []string{"/ui/npm/demo"}},
		"from=2026-11-29":                    {[]string{"/ui/npm/demo"}, nil},
		"from=2026-11-30":                    {[]string{"Nothing of that"}, []string{"/ui/npm/demo"}},
		"to=2026-11-29":                      {[]string{"/ui/npm/demo"}, nil},
		"to=2026-11-28":                      {[]string{"Nothing of that"}, []string{"/ui/npm/demo"}},
		"op=%3Cb%3E&package=%3Ci%3E":         {[]string{"&lt;b&gt;", "&lt;i&gt;"}, []string{"<b>", "<i>"}},
		"before=nonsense&from=x&to=y&kind=z": {[]string{"/ui/npm/demo"}, nil},
	} {
		page := v.read("/-/admin/audit?" + query)
		g.has(page, c.has...)
		g.lacks(page, c.lacks...)
	}
}

func TestAuditGoesOnWhereItEnded(t *testing.T) {
	g := newRig(t)
	v := g.administrator()
	var entries []store.Entry
	for i := range 2*auditShown + 7 {
		entries = append(entries, store.Entry{
			Op: "settings", Kind: store.NPM, Package: fmt.Sprint("p", i%2), Note: fmt.Sprint("note-", i),
		})
	}
	g.log(entries...)
	next := regexp.MustCompile(`rel="next" href="([^"]*)"`)
	for query, want := range map[string]int{
		"op=settings": 2*auditShown + 7, "package=p1": auditShown + 3, "kind=npm": 2*auditShown + 7,
	} {
		seen, pages := map[string]bool{}, 0
		for at := "/-/admin/audit?" + query; at != ""; pages++ {
			page := v.read(at)
			for _, n := range noted(page) {
				seen[n] = true
			}
			at = ""
			if m := next.FindStringSubmatch(page); m != nil {
				at = strings.ReplaceAll(m[1], "&amp;", "&")
			}
		}
		if len(seen) != want || pages != (want+auditShown-1)/auditShown {
			t.Errorf("%s: %d pages have %d entries, want %d", query, pages, len(seen), want)
		}
	}
}

// TestAuditLooksAtFewEntries: a filter that selects nothing of many entries does not read them all for one page.
func TestAuditLooksAtFewEntries(t *testing.T) {
	g := newRig(t)
	v := g.administrator()
	entries := make([]store.Entry, 3*auditLook)
	for i := range entries {
		entries[i] = store.Entry{Op: "settings", Kind: store.NPM, Package: "p", Note: fmt.Sprint("note-", i)}
	}
	entries[0].Kind = store.Maven
	g.log(entries...)
	at, pages := "/-/admin/audit?kind=maven", 0
	for ; !strings.Contains(v.read(at), "note-0<"); pages++ {
		page := v.read(at)
		g.has(page, "None of the newest entries.", "Look further back", "looked back to")
		m := regexp.MustCompile(`rel="next" href="([^"]*)"`).FindStringSubmatch(page)
		if m == nil {
			t.Fatalf("after %d pages there is no next one: %s", pages, page)
		}
		at = strings.ReplaceAll(m[1], "&amp;", "&")
	}
	if pages != 2 {
		t.Errorf("the entry is on page %d, want it on the third", pages+1)
	}
}

func TestAuditIsExportedWithItsFilters(t *testing.T) {
	g := newRig(t)
	v := g.administrator()
	g.log(
		store.Entry{Op: "settings", Kind: store.NPM, Package: "one", Note: "a <b> & more"},
		store.Entry{Op: "settings", Kind: store.NPM, Package: "two"},
	)
	a := v.do("GET", "/-/admin/audit.jsonl?package=one", nil)
	var e store.Entry
	a.Decode(t, &e)
	if e.Package != "one" || e.Note != "a <b> & more" || strings.Count(a.Body, "\n") != 1 {
		t.Errorf("%v: want the entry of one alone", a)
	}
	all := v.do("GET", "/-/admin/audit.jsonl", nil)
	seq := uint64(0)
	for line := range strings.Lines(all.Body) {
		var e store.Entry
		if err := json.Unmarshal([]byte(line), &e); err != nil || e.Seq != seq+1 {
			t.Fatalf("after %d comes %q, %v", seq, line, err)
		}
		seq = e.Seq
	}
	newest, err := g.Store.JournalTail(t.Context(), 1)
	if err != nil || newest[0].Seq != seq {
		t.Errorf("the export ends with %d, the journal with %v, %v", seq, newest, err)
	}
	if got := a.Header.Get("Content-Disposition"); got != `attachment; filename="audit.jsonl"` {
		t.Errorf("Content-Disposition is %q", got)
	}
}

// TestAuditExportHasArchives: what was moved to archives is not lost for it.
func TestAuditExportHasArchives(t *testing.T) {
	g := newRig(t)
	v := g.administrator()
	g.log(store.Entry{Op: "settings", Note: "note-1"})
	before := v.do("GET", "/-/admin/audit.jsonl", nil).Body
	report, err := g.Store.PruneJournal(t.Context(), -time.Hour)
	if err != nil || report.Entries == 0 {
		t.Fatalf("moved %+v, %v", report, err)
	}
	if after := v.do("GET", "/-/admin/audit.jsonl", nil).Body; !strings.HasPrefix(after, before) {
		t.Errorf("before %s\nafter %s", before, after)
	}
}
