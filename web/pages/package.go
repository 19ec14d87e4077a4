package pages

// The page of a package, of its versions and tags, and of one version.

import (
	"context"
	"html/template"
	"net/http"
	"net/url"
	"slices"

	"larder/internal/describe"
	"larder/store"
	"larder/web/catalog"
)

const (
	shownDependencies = 12  // on the page of a package
	maxDependencies   = 300 // on the page of a version
	shownVersions     = 5
	shownTags         = 12
	versionsPage      = 200
	tagsPage          = 100
)

// packagePage is what a package's page shows.
type packagePage struct {
	describe.Package
	Kind         store.Kind
	Tabs         tabs
	Installs     []install
	Asked        bool // the address names a client
	Readme       template.HTML
	Chart        *chart
	Recent       []describe.Version
	RecentTags   []describe.Tagged
	Dependencies []catalog.Dependency
	More         int // dependencies that are not shown
	Develop      int // those of the package's own development
	Ago          template.HTML
}

// install is what one client types.
type install struct {
	catalog.Install
	Current bool
}

// tabs are the pages of a package.
type tabs struct {
	Kind     store.Kind
	Name     string
	Here     string // "package", "versions", "tags", "history" or "version"
	Versions int
	Tags     int
	Readme   bool
	Hosted   bool // it was published here
	// Dependants is how many packages depend on it that the reader sees.
	Dependants int
}

// head is what every page about a package begins with: the package, see describe.Kind, and its tabs.
func (k *kindPages) head(
	ctx context.Context, name, here string, whole bool,
) (p describe.Package, t tabs, err error) {
	if p, err = k.describe.Package(ctx, name, whole); err != nil {
		return p, t, err
	}
	_, dependants, err := k.describe.Dependants(ctx, p.Name, 0, 0)
	return p, tabs{k.kind, p.Name, here, p.Versions, p.Tags, p.Latest.Readme, p.Upstream == "", dependants}, err
}

func (k *kindPages) pkg(w http.ResponseWriter, r *http.Request, q request) error {
	ctx := r.Context()
	p, t, err := k.head(ctx, q.name, "package", true)
	if err != nil {
		return err
	}
	now := k.d.Now()
	page := packagePage{Package: p, Kind: k.kind, Tabs: t, Ago: ago(p.Latest.Published, now)}
	page.Installs, page.Asked = k.installs(r, p, q.client)
	if p.Latest.Readme {
		if page.Readme, err = k.readme(ctx, q.name, &p.Latest); err != nil {
			return err
		}
		page.Tabs.Readme = page.Readme != ""
	}
	pulls, err := k.d.Wire.Store.PackagePulls(ctx, k.kind, []string{q.name})
	if err != nil {
		return err
	}
	page.Chart = drawPulls(pulls[0], now)
	if k.kind == store.OCI {
		list, err := k.describe.Tags(ctx, q.name, describe.Query{Limit: shownTags})
		if err != nil {
			return err
		}
		page.RecentTags = list.List
	} else {
		list, err := k.describe.Versions(ctx, q.name, describe.Query{Limit: shownVersions})
		if err != nil {
			return err
		}
		page.Recent = list.List
	}
	needs := slices.DeleteFunc(slices.Clone(p.Latest.Dependencies), func(d describe.Dependency) bool {
		return d.Group == "dev"
	})
	page.Develop = len(p.Latest.Dependencies) - len(needs)
	page.More = max(len(needs)-shownDependencies, 0)
	if page.Dependencies, err = k.catalog.Dependencies(ctx, k.entry, needs[:len(needs)-page.More]); err != nil {
		return err
	}
	f := k.frame(r, clipName(p.Display), page)
	f.Private = k.loginNeeded(r, q.name)
	return k.send(w, r, "package", f)
}

// installs are the snippets of all clients of the kind; of one the panel is shown.
func (k *kindPages) installs(r *http.Request, p describe.Package, client string) (list []install, asked bool) {
	for _, one := range k.catalog.Installs(r, k.entry, p) {
		list = append(list, install{one, one.ID == client})
		asked = asked || one.ID == client
	}
	if !asked && len(list) > 0 {
		list[0].Current = true
	}
	return list, asked
}

// versionsList is the page of a package's versions.
type versionsList struct {
	describe.Package
	Kind             store.Kind
	Tabs             tabs
	Filter           string
	NoPre, NoYanked  bool
	Rows             []versionRow
	From, To, Total  int
	Next             template.URL
	States, By, Size bool // whether some row has something in the column
	Change           *offersOf
	Done             string
}

// versionRow is a version in a table.
type versionRow struct {
	describe.Version
	Pulls int64
	Last  template.HTML
}

func (k *kindPages) versions(w http.ResponseWriter, r *http.Request, q request) error {
	ctx := r.Context()
	p, t, err := k.head(ctx, q.name, "versions", false)
	if err != nil {
		return err
	}
	list, err := k.describe.Versions(ctx, q.name, describe.Query{
		From: q.from, Limit: versionsPage, Text: q.text, NoPre: q.noPre, NoYanked: q.noYanked,
	})
	if err != nil {
		return err
	}
	page := versionsList{
		Package: p, Kind: k.kind, Tabs: t, Filter: q.text, NoPre: q.noPre, NoYanked: q.noYanked,
		Total: list.Total, From: min(q.from, list.Total) + 1, To: min(q.from, list.Total) + len(list.List),
		Done: q.doneText(),
	}
	ids := make([]string, len(list.List))
	for i, v := range list.List {
		ids[i] = v.ID
	}
	pulls, err := k.d.Wire.Store.PullsOf(ctx, k.kind, q.name, ids...)
	if err != nil {
		return err
	}
	now := k.d.Now()
	for i, v := range list.List {
		page.Rows = append(page.Rows, versionRow{v, pulls[i].Since(chartDays, now), ""})
		page.States = page.States || v.Withheld != "" || v.Pre || v.Yanked || v.Deprecated != "" || len(v.Tags) > 0
		page.By, page.Size = page.By || v.By != "", page.Size || v.Size > 0
	}
	if list.Next > 0 {
		q.from = list.Next
		page.Next = query(request{text: q.text, from: list.Next, noPre: q.noPre, noYanked: q.noYanked})
	}
	if page.Change, err = k.offers(r, q.name, nil); err != nil {
		return err
	}
	f := k.frame(r, "Versions of "+clipName(p.Display), page)
	f.Private = page.Change != nil || k.loginNeeded(r, q.name)
	return k.send(w, r, "versions", f)
}

// tagsList is the page of a package's tags.
type tagsList struct {
	describe.Package
	Kind            store.Kind
	Tabs            tabs
	Filter          string
	ByName          bool
	Rows            []tagRow
	From, To, Total int
	Next            template.URL
	Also            bool
}

// tagRow is a tag in a table, with the other tags of its version.
type tagRow struct {
	describe.Tagged
	Also  []string
	Pulls int64
	Last  template.HTML
}

func (k *kindPages) tags(w http.ResponseWriter, r *http.Request, q request) error {
	ctx := r.Context()
	p, t, err := k.head(ctx, q.name, "tags", false)
	if err != nil {
		return err
	}
	byName := q.sort == sortName
	list, err := k.describe.Tags(ctx, q.name, describe.Query{From: q.from, Limit: tagsPage, Text: q.text, ByName: byName})
	if err != nil {
		return err
	}
	page := tagsList{
		Package: p, Kind: k.kind, Tabs: t, Filter: q.text, ByName: byName, Total: list.Total,
		From: min(q.from, list.Total) + 1, To: min(q.from, list.Total) + len(list.List),
	}
	ids := make([]string, len(list.List))
	for i, t := range list.List {
		ids[i] = t.Version
	}
	pulls, err := k.d.Wire.Store.PullsOf(ctx, k.kind, q.name, ids...)
	if err != nil {
		return err
	}
	now := k.d.Now()
	for i, t := range list.List {
		one := tagRow{Tagged: t, Pulls: pulls[i].Since(chartDays, now), Last: last(pulls[i].Last, now)}
		for _, other := range t.At.Tags {
			if other != t.Name && len(one.Also) < 5 {
				one.Also = append(one.Also, other)
			}
		}
		page.Also = page.Also || len(one.Also) > 0
		page.Rows = append(page.Rows, one)
	}
	if list.Next > 0 {
		page.Next = query(request{text: q.text, sort: q.sort, from: list.Next})
	}
	f := k.frame(r, "Tags of "+clipName(p.Display), page)
	f.Private = k.loginNeeded(r, q.name)
	return k.send(w, r, "tags", f)
}

// versionPage is the page of one version.
type versionPage struct {
	describe.Package
	V            describe.Version
	Kind         store.Kind
	Tabs         tabs
	Files        []fileRow
	Dependencies []catalog.Dependency
	More         int
	Pulls        int64
	Last         template.HTML
	By           *historyRow // who published it, for who may know; nil: not known, or not told
	Change       *offersOf
}

// fileRow is a file in a table; Path is its address below the root, "" when it has none.
type fileRow struct {
	describe.File
	Path string
}

func (k *kindPages) version(w http.ResponseWriter, r *http.Request, q request) error {
	if k.kind == store.OCI { // its versions are manifests, which have a page of their own
		at := k.root(r) + rootPages + "/" + string(k.kind) + "/" + escapeName(q.name) + "/-/m/" + url.PathEscape(q.version)
		http.Redirect(w, r, at, http.StatusMovedPermanently)
		return nil
	}
	ctx := r.Context()
	p, t, err := k.head(ctx, q.name, "version", false)
	if err != nil {
		return err
	}
	v, err := k.describe.Version(ctx, q.name, q.version)
	if err != nil {
		return err
	}
	pulls, err := k.d.Wire.Store.PullsOf(ctx, k.kind, q.name, v.ID)
	if err != nil {
		return err
	}
	now := k.d.Now()
	page := versionPage{
		Package: p, V: v, Kind: k.kind, Tabs: t, Pulls: pulls[0].Total, Last: last(pulls[0].Last, now),
	}
	for _, f := range v.Files {
		one := fileRow{File: f}
		if f.Type == "application/octet-stream" {
			one.Type = "" // which says nothing
		}
		if path := k.describe.Path(q.name, v, f); path != "" {
			one.Path = k.path + path
		}
		page.Files = append(page.Files, one)
	}
	page.More = max(len(v.Dependencies)-maxDependencies, 0)
	needs := v.Dependencies[:len(v.Dependencies)-page.More]
	if page.Dependencies, err = k.catalog.Dependencies(ctx, k.entry, needs); err != nil {
		return err
	}
	if page.Change, err = k.offers(r, q.name, &v); err != nil {
		return err
	}
	if page.By, err = k.publishedBy(ctx, p, v); err != nil {
		return err
	}
	f := k.frame(r, clipName(p.Display+" "+v.Name), page)
	f.Private = page.Change != nil || page.By != nil || k.loginNeeded(r, q.name)
	return k.send(w, r, "version", f)
}
