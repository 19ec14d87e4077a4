package pypi

// Copies of remote indexes. Whatever form a project's page comes in, it becomes the page type that ours are rendered
// from; a file is called by the hash its page gave, and checked against it. Pages of upstreams never mix with ours.

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"larder/internal/problem"
	"larder/internal/pydist"
	"larder/internal/registry"
	"larder/internal/wire"
	"larder/pypi/sidecar"
	"larder/pypi/simple"
	"larder/store"
	"larder/upstream"
)

// freshPage is how long an upstream's page is not asked for again.
const freshPage = 10 * time.Minute

// acceptPage is what installers send; an index that knows only HTML answers with that.
const acceptPage = simple.JSON + ", " + simple.V1 + ";q=0.2, text/html;q=0.01"

// tryUpstream reports whether an upstream may have what is not here. What was deleted here is not looked for.
func (s *server) tryUpstream(err error) bool {
	return !errors.Is(err, errGone) && s.TryUpstream(err)
}

// mayClaim refuses the first upload of a name that an upstream has: it would hide a project people rely on. A project
// without releases counts as none.
func (s *server) mayClaim(ctx context.Context, name string) error {
	if s.Up == nil {
		return nil
	}
	if _, err := s.head(ctx, name); !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return s.Up.MayPublish(ctx, name)
}

func pageQuery(name string) upstream.Query {
	return upstream.Query{
		Package: name, Key: "page", Ref: name + "/", Early: true, Accept: acceptPage, Fresh: freshPage, Check: checkPage,
		Versions: func(body []byte) map[string]time.Time { return simple.Releases(name, body) },
	}
}

func checkPage(body []byte, _ string) error { return simple.Check(body) }

// proxiedPage answers with an upstream's page in the form the client wants.
func (s *server) proxiedPage(w http.ResponseWriter, r *http.Request, q Request, mediaType string) error {
	d, err := s.Up.Document(r.Context(), pageQuery(q.Name))
	if err != nil {
		return err
	}
	wire.CacheHead(w, d, time.Now())
	l, offline := s.linksFor(r, q.Index), s.Up.Offline()
	key := d.Rendered(q.Name, l.Key(), mediaType)
	doc, err := s.Store.Document(r.Context(), key, func(ctx context.Context) (store.Rendered, error) {
		p, err := s.remotePage(ctx, q.Name, d, offline, mediaType)
		if err != nil {
			return store.Rendered{}, err
		}
		return renderPage(p, l, mediaType), nil
	})
	if err != nil {
		return err
	}
	return wire.ServeDocument(w, r, doc, registry.Revalidate(r))
}

// remotePage is a page without what is held back or, offline, not here.
func (s *server) remotePage(
	ctx context.Context, name string, d *upstream.Document, offline bool, mediaType string,
) (*simple.Page, error) {
	body, err := d.Bytes(ctx)
	if err != nil {
		return nil, err
	}
	remote, err := simple.Read(body, d.URL)
	if err != nil {
		return nil, err
	}
	p := &simple.Page{
		Name: name, Status: remote.Status.Filled(), Versions: remote.Versions,
		Rows: make([]simple.Row, 0, len(remote.Files)),
	}
	if !offline && !s.Up.Gated() {
		for i := range remote.Files {
			p.Rows = append(p.Rows, remote.Files[i].Row(mediaType))
		}
		return p, nil
	}
	shown := map[string]bool{}
	for i := range remote.Files {
		f := &remote.Files[i]
		here, release := true, f.Release(name)
		if offline {
			if here, err = s.Up.Here(ctx, name, f.Name); err != nil {
				return nil, err
			}
		}
		switch err := s.Up.Allowed(ctx, name, release); {
		case errors.Is(err, store.ErrDenied):
			here = false
		case err != nil:
			return nil, err
		}
		if here {
			p.Rows = append(p.Rows, f.Row(mediaType))
			shown[release] = true
		}
	}
	p.Versions = slices.DeleteFunc(p.Versions, func(v string) bool { return !shown[v] })
	return p, nil
}

// proxiedFile answers with a file of an upstream.
func (s *server) proxiedFile(w http.ResponseWriter, r *http.Request, q Request) error {
	f, err := s.Up.File(r.Context(), upstream.FileQuery{
		Package: q.Name, Version: releaseOfFile(q), Key: q.File, Head: r.Method == http.MethodHead,
		Find: func(ctx context.Context) (upstream.Place, error) {
			p, _, err := s.place(ctx, q, false)
			return p, err
		},
	})
	if err != nil {
		return err
	}
	if f.Digest != "" && f.Digest.Encoded() != q.SHA {
		return errors.Join(problem.Errorf(store.ErrNotFound, "the file has another hash"), f.Close())
	}
	return s.sendCopy(w, r, f)
}

// proxiedMetadata answers with the METADATA of an upstream's file.
func (s *server) proxiedMetadata(w http.ResponseWriter, r *http.Request, q Request) error {
	f, err := s.Up.File(r.Context(), upstream.FileQuery{
		Package: q.Name, Version: releaseOfFile(q), Key: q.SHA + "/" + q.File + sideMetadata, Local: true,
		Find: func(ctx context.Context) (upstream.Place, error) {
			p, file, err := s.place(ctx, q, true)
			if err != nil {
				return upstream.Place{}, err
			}
			return s.beside(ctx, q, &file, p)
		},
	})
	if err != nil {
		return err
	}
	return s.sendCopy(w, r, f)
}

func (s *server) sendCopy(w http.ResponseWriter, r *http.Request, f *upstream.File) error {
	head := wire.BlobHead{Type: "application/octet-stream", CacheControl: registry.Immutable(r)}
	return s.SendCopy(w, r, f, head)
}

// releaseOfFile is the release that an upstream's file belongs to.
func releaseOfFile(q Request) string { return pydist.ReleaseOf(q.Name, q.File) }

// place finds a file on its project's page. A lockfile's address works although nobody asked for the page before. With
// exact, a file whose hash is not that of the request is not found.
func (s *server) place(ctx context.Context, q Request, exact bool) (p upstream.Place, f simple.File, err error) {
	found, err := s.Up.Find(ctx, pageQuery(q.Name), func(d *upstream.Document, body []byte, last bool) (bool, error) {
		listed, ok, err := simple.Find(body, d.URL, q.File)
		// A hash that is not the page's is no reason to remember that there is no such file: the file is kept by its name,
		// with the page's hash, and who asked gets nothing.
		if err != nil || !ok || listed.SHA256 != q.SHA && (!last || exact) {
			return false, err
		}
		f = listed
		p = upstream.Place{Upstream: d.Upstream, Ref: f.URL, Sums: map[string]string{"sha256": f.SHA256}, Size: f.Size}
		return true, nil
	})
	if err == nil && !found {
		err = problem.Errorf(store.ErrNotFound, "%s has no such file", q.Name)
	}
	return p, f, err
}

// beside is where a file's METADATA is: beside the file if the upstream has it there, and in it in any case.
func (s *server) beside(ctx context.Context, q Request, f *simple.File, file upstream.Place) (upstream.Place, error) {
	sum, offered := f.Offered()
	p := upstream.Place{Upstream: file.Upstream, Ref: f.URL + ".metadata", Sums: map[string]string{}}
	if sum != "" {
		p.Sums["sha256"] = sum
	}
	if !f.Wheel() {
		if !offered {
			return p, problem.Errorf(store.ErrNotFound, "%s has no metadata beside %s", q.Name, q.File)
		}
		return p, nil
	}
	inside := p
	inside.Make = func(ctx context.Context) ([]byte, error) {
		return sidecar.Read(ctx, s.Store, s.Up, q.Name, q.File, file)
	}
	here, err := s.Up.Here(ctx, q.Name, q.File)
	if err != nil || here || !offered {
		return inside, err
	}
	p.Or = []upstream.Place{inside}
	return p, nil
}
