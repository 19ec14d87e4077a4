package pages

// How clients are set up: the texts are package setup's, with this server's address in them.

import (
	"net/http"
	"strings"

	"larder/internal/problem"
	"larder/internal/setup"
	"larder/internal/wire"
	"larder/store"
)

// setupPage lists the clients by kind.
type setupPage struct {
	Kinds []setupKind
	Plain bool // there is no TLS
}

type setupKind struct {
	Kind    store.Kind
	Clients []setup.Client
}

func (p *Pages) setup(w http.ResponseWriter, r *http.Request, _ request) error {
	wire.Asked(r.Context()) // the page names no package
	page := setupPage{Plain: strings.HasPrefix(p.d.Wire.Base.URL(r), "http:")}
	for _, k := range p.d.Kinds {
		page.Kinds = append(page.Kinds, setupKind{k.Kind, setup.Clients(string(k.Kind))})
	}
	f := p.frame(r, "Set up a client", page)
	f.Here = "setup"
	return p.send(w, r, "setup", f)
}

// clientPage is how one client is set up.
type clientPage struct {
	setup.Client
	Sections []setup.Section
	Others   []setup.Client // of the kind, itself among them
}

func (p *Pages) setupClient(w http.ResponseWriter, r *http.Request, q request) error {
	wire.Asked(r.Context()) // the page names no package
	c, ok := setup.Find(q.client)
	at := p.at(r)
	if _, on := at.Paths[c.Kind]; !ok || !on {
		return problem.Errorf(problem.ErrNotFound, absent)
	}
	f := p.frame(r, "Set up "+c.Title, clientPage{c, c.Guide(at), setup.Clients(c.Kind)})
	f.Here = "setup"
	return p.send(w, r, "client", f)
}
