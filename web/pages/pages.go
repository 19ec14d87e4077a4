package pages

// What the pages work with, and where they are mounted.

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/julienschmidt/httprouter"

	"larder/auth"
	"larder/internal/describe"
	"larder/internal/setup"
	"larder/internal/wire"
	"larder/store"
	"larder/upstream"
	"larder/web/catalog"
)

// Deps are what the pages work with.
type Deps struct {
	// Wire is what every protocol gets.
	Wire wire.Deps
	// Auth has the sessions of browsers.
	Auth *auth.Local
	// Log receives what no browser is told.
	Log *slog.Logger
	// Kinds are the protocols that are switched on.
	Kinds []catalog.Kind
	// Spellings say how names are written.
	Spellings upstream.Spellings
	// Version is the program's version.
	Version string
	// Jobs reports the background jobs; if nil, there are none.
	Jobs func() []wire.JobStatus
	// ReadOnly says that the server was started read-only, which is then no fault.
	ReadOnly bool
	// Rules are the quotas and the like of the configuration, Claims its patterns of names that are ours.
	Rules  store.RulesConfig
	Claims []string
	// Now is the time; nil is time.Now.
	Now func() time.Time
}

// Pages are the handlers of all pages.
type Pages struct {
	d       Deps
	catalog *catalog.Catalog
	assets  assets
	pages   templates
	kinds   map[store.Kind]*kindPages
	order   []*kindPages // in the order of store.Kinds
	site    http.Handler
	since   time.Time // the start
}

// kindPages are the pages of one kind.
type kindPages struct {
	*Pages
	kind     store.Kind
	path     string
	describe describe.Kind
	entry    *catalog.Kind
	handler  http.Handler
}

// New makes the handlers; it registers nothing. Templates and assets are the program's own: a mistake in them is a
// panic, which the first test finds.
func New(d Deps) *Pages {
	if d.Now == nil {
		d.Now = time.Now
	}
	p := &Pages{
		d: d, catalog: catalog.New(d.Wire, d.Kinds, d.Now), kinds: map[store.Kind]*kindPages{}, since: d.Now(),
	}
	p.d.Kinds = p.catalog.Kinds()
	var err error
	if p.assets, err = readAssets(); err != nil {
		panic(err)
	}
	if p.pages, err = readTemplates(); err != nil {
		panic(err)
	}
	p.site = p.siteEndpoint().Handler(withoutStore(d.Wire))
	for _, k := range p.catalog.Kinds() {
		if k.Describe != nil {
			one := &kindPages{
				Pages: p, kind: k.Kind, path: k.Path, describe: k.Describe, entry: p.catalog.Kind(k.Kind),
			}
			one.handler = one.endpoint().Handler(withoutStore(d.Wire))
			p.kinds[k.Kind], p.order = one, append(p.order, one)
		}
	}
	return p
}

// withoutStore keeps requests of pages from being counted as requests of the protocol, and what rules withhold on them
// off the list of what clients missed.
func withoutStore(d wire.Deps) wire.Deps {
	d.Store, d.Upstreams = nil, nil
	return d
}

func (p *Pages) siteEndpoint() wire.Endpoint[request] {
	return wire.Endpoint[request]{
		Routes: p.siteRoutes(), Grammar: siteGrammar, MayList: p.mayList, Session: p.session, Fail: p.fail,
		Target: func(request) (typ, name string) { return "", "" },
	}
}

// mayList says who may see pages about all kinds.
func (p *Pages) mayList(ctx context.Context, _ string) error { return p.catalog.MayList(ctx) }

func (k *kindPages) endpoint() wire.Endpoint[request] {
	return wire.Endpoint[request]{
		Kind: k.kind, Routes: k.kindRoutes(), Grammar: kindGrammar(k.kind, k.spell), Session: k.session, Fail: k.fail,
		Target: func(q request) (typ, name string) { return k.describe.Type(), q.name },
	}
}

// spell is a name as records have it.
func (k *kindPages) spell(name string) (string, error) {
	if s, ok := k.d.Spellings[k.kind]; ok && s.Name != nil {
		return s.Name(name)
	}
	return name, nil
}

// Mount registers the pages.
func (p *Pages) Mount(rt *httprouter.Router) {
	rt.Handler(http.MethodGet, "/", p.site)
	rt.Handler(http.MethodHead, "/", p.site)
	wire.Mount(rt, wire.Protocol{Name: "ui", Prefixes: []string{rootPages, rootOther}, Handler: p})
}

// ServeHTTP finds the kind that a page is of.
func (p *Pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if rest, ok := strings.CutPrefix(r.URL.Path, rootPages+"/"); ok {
		kind, _, _ := strings.Cut(rest, "/")
		if k := p.kinds[store.Kind(kind)]; k != nil {
			k.handler.ServeHTTP(w, r)
			return
		}
	}
	p.site.ServeHTTP(w, r)
}

// at is the server as the client of r reaches it.
func (p *Pages) at(r *http.Request) setup.Site { return p.catalog.Site(r) }
