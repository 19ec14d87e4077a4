package pages

// The first page: a search field, what came lately, and one shelf for each kind with the commands that set a client up.

import (
	"context"
	"errors"
	"html/template"
	"net/http"
	"time"

	"larder/internal/setup"
	"larder/internal/wire"
	"larder/store"
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
	Kind           store.Kind
	Pages          bool
	Hosted, Copies int64
	Bytes          int64
	First          setup.Snippet
}

// recent is a package to which something happened.
type recent struct {
	Kind          store.Kind
	Name, Version string
	When          template.HTML
}

func (p *Pages) home(w http.ResponseWriter, r *http.Request, _ request) error {
	ctx := r.Context()
	wire.Asked(ctx) // every name is asked for by itself, and there may be none
	stats, err := p.d.Wire.Store.Stats(ctx)
	if err != nil {
		return err
	}
	at := p.at(r)
	h := homePage{Bytes: stats.BlobBytes}
	for _, k := range p.d.Kinds {
		own, files, docs := stats.Kinds[k.Kind], stats.Kinds[k.Kind.CachedFiles()], stats.Kinds[k.Kind.Documents()]
		copies := stats.Kinds[k.Kind.Copies()].Packages
		h.Hosted, h.Copies = h.Hosted+own.Packages, h.Copies+copies
		h.Shelves = append(h.Shelves, shelf{
			Kind: k.Kind, Pages: k.Describe != nil, Hosted: own.Packages, Copies: copies,
			Bytes: own.Bytes + files.Bytes + docs.Bytes, First: setup.Snippet{Text: setup.First(at, string(k.Kind))},
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

const (
	recentShown = 8
	recentRead  = 200 // entries of the journal that are looked at
)

// lately are the packages to which op happened last and that the reader sees, each once.
func (p *Pages) lately(ctx context.Context, op store.Op) (out []recent, err error) {
	entries, err := p.d.Wire.Store.EntriesBefore(ctx, store.EntryFilter{Op: op}, 0, recentRead)
	if err != nil {
		return nil, err
	}
	now, seen := p.d.Now(), map[[2]string]bool{}
	for _, e := range entries {
		k, name := p.named(e)
		if id := [2]string{string(e.Kind), name}; k == nil || seen[id] {
			continue
		} else {
			seen[id] = true
		}
		one, ok, err := k.recent(ctx, name, e.Time, now)
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, one)
		}
		if len(out) == recentShown {
			break
		}
	}
	return out, nil
}

// named is the kind and name of what an entry is about: copies of files have a kind of their own.
func (p *Pages) named(e store.Entry) (*kindPages, string) {
	for _, k := range p.order {
		switch e.Kind {
		case k.kind:
			return k, e.Package
		case k.kind.CachedFiles():
			return k, k.describe.KeptName(e.Package)
		}
	}
	return nil, ""
}

// recent is a package in a list of what happened, if it is still here and the reader sees it.
func (k *kindPages) recent(ctx context.Context, name string, at, now time.Time) (out recent, ok bool, err error) {
	sees, err := k.describe.Sees(ctx, name)
	if err != nil || !sees {
		return out, false, err
	}
	p, err := k.describe.Package(ctx, name, false)
	if errors.Is(err, store.ErrNotFound) {
		return out, false, nil
	}
	return recent{k.kind, p.Name, p.Latest.Name, ago(at, now)}, err == nil, err
}
