package pypi

// The list of all projects. It is asked for by mirrors and by people, and a rendering of it for each request or upload
// would be the slowest thing here: so it is kept in memory, follows the change log, and is put together from pieces.

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"larder/internal/budget"
	"larder/internal/rawjson"
	"larder/internal/registry"
	"larder/internal/sortedlist"
	"larder/internal/wire"
	"larder/pypi/simple"
	"larder/store"
)

// projects is the list of all projects as it was when the kind last changed.
type projects struct {
	s *server

	mu     sync.Mutex // guards the rest
	loaded bool
	gen    uint64            // the kind's generation the list is up to date with
	serial uint64            // of the last change that is in the list
	names  map[string]listed // all that are not hidden
	json   *sortedlist.List
	html   *sortedlist.List
	docs   map[string]*store.Document // by media type, of this state
	// Of upstreams' projects, those of which copies are kept, as of a state of the list of copies.
	copies map[string]bool
	state  [2]uint64
	rested time.Time // the copies are not read again before
}

func newProjects(s *server) *projects {
	return &projects{s: s, names: map[string]listed{}, json: sortedlist.New(","), html: sortedlist.New("")}
}

// refresh brings the list up to date: once everything is read, later what the change log names.
func (p *projects) refresh(ctx context.Context) error {
	gen, state := p.s.Store.Generation(store.PyPI, ""), p.s.Up.CopiesState()
	if p.loaded && gen == p.gen && state == p.state {
		return nil
	}
	err := p.s.Store.View(ctx, func(tx *store.Tx) error {
		table := p.s.Repo.KindIndex(tx, tableProjects)
		serial := number(p.s.Repo.KindIndex(tx, tableSerial).Get([]byte(keySerial)))
		if !p.loaded {
			for name, value := range table.Scan(nil, nil) {
				if err := p.take(string(name), value); err != nil {
					return err
				}
			}
			p.serial, p.docs = serial, map[string]*store.Document{}
			return nil
		}
		for _, value := range p.s.Repo.KindIndex(tx, tableChanges).Scan(nil, key64(p.serial)) {
			var c change
			if err := json.Unmarshal(value, &c); err != nil {
				return fmt.Errorf("change log: %w", err)
			}
			if err := p.take(c.Name, table.Get([]byte(c.Name))); err != nil {
				return err
			}
		}
		if serial != p.serial {
			p.serial, p.docs = serial, map[string]*store.Document{}
		}
		return nil
	})
	for name := range p.copies {
		if _, hosted := p.names[name]; hosted {
			delete(p.copies, name)
		}
	}
	if start := time.Now(); err == nil && state != p.state && !start.Before(p.rested) {
		if err = p.takeCopies(ctx); err == nil {
			p.state = state
		}
		if took := time.Since(start); took > quickCopies {
			p.rested = start.Add(restCopies * took)
		}
	}
	if err == nil {
		p.loaded, p.gen = true, gen
	}
	return err
}

// Reading the names of copies takes a part of the time at most, however many there are and often they change.
const (
	copiesAtOnce = 1000 // in one transaction
	quickCopies  = 50 * time.Millisecond
	restCopies   = 10 // times as long as it took
)

// takeCopies brings the list up to date with the copies that may be shown.
func (p *projects) takeCopies(ctx context.Context) error {
	now := map[string]bool{}
	for after := ""; ; {
		list, err := p.s.Up.Copies(ctx, "", after, copiesAtOnce)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			break
		}
		for _, c := range list {
			after = c.Name
			if _, hosted := p.names[c.Name]; !hosted {
				now[c.Name] = true
			}
		}
	}
	for name := range p.copies {
		if _, hosted := p.names[name]; !now[name] && !hosted {
			p.json.Delete(name)
			p.html.Delete(name)
			p.docs = map[string]*store.Document{}
		}
	}
	for name := range now {
		if !p.copies[name] {
			p.json.Set(name, copyLine(name))
			p.html.Set(name, htmlLine(name, listed{Display: name}))
			p.docs = map[string]*store.Document{}
		}
	}
	p.copies = now
	return nil
}

// copyLine is a project of an upstream, which has no serial of ours.
func copyLine(name string) string {
	return string(append(rawjson.AppendString([]byte(`{"name":`), name), '}'))
}

// take puts a project's row into the list, or takes it out.
func (p *projects) take(name string, value []byte) error {
	var row listed
	if value != nil {
		if err := json.Unmarshal(value, &row); err != nil {
			return fmt.Errorf("project %s: %w", name, err)
		}
	}
	if value == nil || row.Hidden {
		delete(p.names, name)
		p.json.Delete(name)
		p.html.Delete(name)
		return nil
	}
	p.names[name] = row
	p.json.Set(name, jsonLine(row))
	p.html.Set(name, htmlLine(name, row))
	return nil
}

func jsonLine(row listed) string {
	out := rawjson.AppendString([]byte(`{"name":`), row.Display)
	return string(append(strconv.AppendUint(append(out, `,"_last-serial":`...), row.Serial, 10), '}'))
}

func htmlLine(name string, row listed) string {
	return `<a href="` + name + `/">` + html.EscapeString(row.Display) + "</a><br>\n"
}

// document is the whole list.
func (p *projects) document(ctx context.Context, mediaType string) (*store.Document, uint64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.refresh(ctx); err != nil {
		return nil, 0, err
	}
	if d := p.docs[mediaType]; d != nil {
		return d, p.serial, nil
	}
	d, err := assembleAll(p.json, p.html, p.serial, mediaType)
	if err == nil {
		p.docs[mediaType] = d
	}
	return d, p.serial, err
}

func assembleAll(js, ht *sortedlist.List, serial uint64, mediaType string) (*store.Document, error) {
	if mediaType == simple.JSON {
		head := fmt.Sprintf(`{"meta":{"api-version":"%s","_last-serial":%d},"projects":[`, simple.APIVersion, serial)
		return js.Document(head, "]}\n", mediaType)
	}
	return ht.Document(simple.Head("Simple index", simple.Status{}, mediaType), simple.Tail, mediaType)
}

// visible is the list without what may must say no to. It is made for each request: only where names are private.
func (p *projects) visible(
	ctx context.Context, mediaType string, may func(name string) (bool, error),
) (*store.Document, uint64, error) {
	names, serial, err := p.snapshot(ctx)
	if err == nil {
		names = p.withCopies(names)
		err = budget.Take(ctx, int64(len(names))*listedSize)
	}
	if err != nil {
		return nil, 0, err
	}
	js, ht := sortedlist.New(","), sortedlist.New("")
	for i, n := range names {
		if i%1000 == 0 && ctx.Err() != nil {
			return nil, 0, ctx.Err()
		}
		ok, err := may(n.name)
		switch {
		case err != nil:
			return nil, 0, err
		case ok && mediaType == simple.JSON && n.copy:
			js.Set(n.name, copyLine(n.name))
		case ok && mediaType == simple.JSON:
			js.Set(n.name, jsonLine(n.listed))
		case ok:
			ht.Set(n.name, htmlLine(n.name, n.listed))
		}
	}
	d, err := assembleAll(js, ht, serial, mediaType)
	return d, serial, err
}

// project is a listed project with its name.
type project struct {
	name string
	copy bool
	listed
}

// listedSize is about how many bytes a list that is made for one request takes for each project.
const listedSize = 256

// last is the serial of the last change.
func (p *projects) last(ctx context.Context) (uint64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	err := p.refresh(ctx)
	return p.serial, err
}

// snapshot is the list in the order of names.
func (p *projects) snapshot(ctx context.Context) ([]project, uint64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.refresh(ctx); err != nil {
		return nil, 0, err
	}
	out := make([]project, 0, len(p.names))
	for name, row := range p.names {
		out = append(out, project{name: name, listed: row})
	}
	slices.SortFunc(out, func(a, b project) int { return cmp.Compare(a.name, b.name) })
	return out, p.serial, nil
}

// withCopies adds the projects of which copies are kept.
func (p *projects) withCopies(list []project) []project {
	p.mu.Lock()
	defer p.mu.Unlock()
	for name := range p.copies {
		list = append(list, project{name: name, copy: true, listed: listed{Display: name}})
	}
	return list
}

// getAll answers with the list of all projects.
func (s *server) getAll(w http.ResponseWriter, r *http.Request, q Request) error {
	ctx := r.Context()
	mediaType, err := negotiate(w, r, q.Format)
	if err != nil {
		return err
	}
	var doc *store.Document
	var serial uint64
	if view := s.View(ctx); view.All {
		doc, serial, err = s.all.document(ctx, mediaType)
	} else {
		err = s.Store.Heavy(ctx, func() (err error) {
			doc, serial, err = s.all.visible(ctx, mediaType, view.Sees)
			return err
		})
	}
	if err != nil {
		return err
	}
	w.Header().Set("X-PyPI-Last-Serial", strconv.FormatUint(serial, 10))
	return wire.ServeDocument(w, r, doc, registry.Revalidate(r))
}
