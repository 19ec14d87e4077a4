package pypi

// Copies of remote indexes. Whatever form a project's page comes in, it becomes the page type that ours are rendered
// from; a file is called by the hash its page gave, and checked against it. Pages of upstreams never mix with ours.

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/opencontainers/go-digest"

	"larder/internal/pep440"
	"larder/internal/problem"
	"larder/internal/pydist"
	"larder/internal/registry"
	"larder/internal/wire"
	"larder/pypi/sidecar"
	"larder/pypi/simple"
	"larder/store"
	"larder/upstream"
)

// formPage is the key of an upstream's page.
const formPage = "page"

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
	return s.Compare(ctx, name)
}

func (s *server) pageQuery(name string) upstream.Query {
	return upstream.Query{
		Package: name, Key: formPage, Ref: name + "/", Early: true, Accept: acceptPage, Fresh: freshPage,
		Check:    func(body []byte, _ string) error { return s.checkPage(name, body) },
		Versions: func(body []byte) map[string]time.Time { return simple.Releases(name, body) },
	}
}

// checkPage says why a body is no page. What no client could fetch is left out of it, with a warning.
func (s *server) checkPage(name string, body []byte) error {
	left, err := simple.Check(body)
	if left > 0 {
		s.Log.Warn("entries of an upstream's page are left out: they have no usable name, address or hash",
			"project", name, "entries", left)
	}
	return err
}

// isEmptyPage reports whether a page lists nothing, as a static index may answer for any name.
func isEmptyPage(body []byte) bool {
	page, err := simple.Read(body, "")
	return err == nil && len(page.Files) == 0 && len(page.Versions) == 0
}

// proxiedPage answers with an upstream's page in the form the client wants.
func (s *server) proxiedPage(w http.ResponseWriter, r *http.Request, q Request, mediaType string) error {
	d, err := s.Up.Document(r.Context(), s.pageQuery(q.Name))
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
	files, listing, err := s.shown(ctx, name, d, offline)
	if err != nil {
		return nil, err
	}
	p := &simple.Page{Name: name, Status: listing.Status.Filled(), Rows: make([]simple.Row, 0, len(files))}
	p.Versions, p.Basic = versionsShown(name, files)
	for i := range files {
		if err := s.offer(ctx, name, d, listing, &files[i]); err != nil {
			return nil, err
		}
		p.Rows = append(p.Rows, files[i].Row(name, mediaType))
	}
	return p, nil
}

// shown are the files of an upstream's page that are neither held back nor, offline, missing here.
func (s *server) shown(
	ctx context.Context, name string, d *upstream.Document, offline bool,
) ([]simple.File, *simple.Listing, error) {
	body, err := d.Bytes(ctx)
	if err != nil {
		return nil, nil, err
	}
	listing, err := simple.Read(body, d.URL)
	if err != nil || !offline && !s.Up.Gated() {
		return listing.Files, listing, err
	}
	files := listing.Files[:0]
	for i := range listing.Files {
		f := listing.Files[i]
		if offline {
			if here, err := s.Up.Here(ctx, name, f.Name); err != nil {
				return nil, nil, err
			} else if !here {
				continue
			}
		}
		switch err := s.Up.Allowed(ctx, name, f.Release(name)); {
		case errors.Is(err, store.ErrDenied):
		case err != nil:
			return nil, nil, err
		default:
			files = append(files, f)
		}
	}
	return files, listing, nil
}

// versionsShown are the releases of files, as far as their names say. basic reports that a size is unknown, so that the
// page is one of the API's first version: later ones promise it.
func versionsShown(name string, files []simple.File) (versions []string, basic bool) {
	seen := map[string]bool{}
	for i := range files {
		basic = basic || files[i].Size <= 0
		v := files[i].Release(name)
		if _, err := pep440.Parse(v); err == nil && !seen[v] {
			seen[v] = true
			versions = append(versions, v)
		}
	}
	return versions, basic
}

// proxiedFile answers with a file of an upstream.
func (s *server) proxiedFile(w http.ResponseWriter, r *http.Request, q Request) error {
	ask := upstream.FileQuery{
		Package: q.Name, Version: releaseOfFile(q), Key: q.File, Head: r.Method == http.MethodHead,
		Find: func(ctx context.Context) (upstream.Place, error) {
			p, _, err := s.place(ctx, q, false)
			return p, err
		},
	}
	f, err := s.Up.File(r.Context(), ask)
	if err == nil && ask.Head && q.SHA != "" && f.Digest == "" && !f.Follows() {
		ask.Head = false // only the whole file tells its hash
		f, err = s.Up.File(r.Context(), ask)
	}
	if err != nil {
		return err
	}
	if err := rightHash(r.Context(), f, q.SHA); err != nil {
		return errors.Join(err, f.Close())
	}
	return s.sendCopy(w, r, f)
}

// rightHash refuses a file that was asked for by another hash than its own. A page need not give one: then all of the
// file has to be here before it is known.
func rightHash(ctx context.Context, f *upstream.File, sha string) error {
	d := f.Digest
	if sha != "" && d == "" {
		b, err := f.Wait(ctx)
		if err != nil {
			return err
		}
		d = b.Digest
	}
	if sha != "" && d != digest.NewDigestFromEncoded(digest.SHA256, sha) {
		return problem.Errorf(store.ErrNotFound, "the file has another hash")
	}
	return nil
}

// proxiedMetadata answers with the METADATA of an upstream's file.
func (s *server) proxiedMetadata(w http.ResponseWriter, r *http.Request, q Request) error {
	f, err := s.remoteMetadata(r.Context(), q)
	if err != nil {
		return err
	}
	return s.sendCopy(w, r, f)
}

// remoteMetadata is the METADATA of an upstream's file.
func (s *server) remoteMetadata(ctx context.Context, q Request) (*upstream.File, error) {
	return s.Up.File(ctx, upstream.FileQuery{
		Package: q.Name, Version: releaseOfFile(q), Key: metadataKey(q.SHA, q.File), Local: true,
		Find: func(ctx context.Context) (upstream.Place, error) {
			p, file, err := s.place(ctx, q, true)
			if err != nil {
				return upstream.Place{}, err
			}
			return s.beside(ctx, q, &file, p)
		},
	})
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
	found, err := s.Up.Find(ctx, s.pageQuery(q.Name), func(d *upstream.Document, body []byte, last bool) (bool, error) {
		listed, ok, err := simple.Find(body, d.URL, q.File)
		// A hash that is not the page's is no reason to remember that there is no such file: the file is kept by its name,
		// with the page's hash, and who asked gets nothing.
		other := ok && q.SHA != "" && listed.SHA256 != "" && listed.SHA256 != q.SHA
		if err != nil || !ok || other && (!last || exact) {
			return false, err
		}
		f = listed
		p = placeOf(d.Upstream, &f)
		return true, nil
	})
	if err == nil && !found {
		err = problem.Errorf(store.ErrNotFound, "%s has no such file", q.Name)
	}
	return p, f, err
}

// placeOf is where a file is whose URL is absolute.
func placeOf(u *upstream.Upstream, f *simple.File) upstream.Place {
	return upstream.Place{Upstream: u, Ref: f.URL, Sums: f.Sums(), Size: f.Size}
}

// metadataOf is the METADATA that an upstream has beside a file; ok when it says so.
func metadataOf(f *simple.File, file upstream.Place) (p upstream.Place, ok bool) {
	sum, ok := f.Offered()
	p = upstream.Place{Upstream: file.Upstream, Ref: f.URL + ".metadata", Sums: map[string]string{}, Remade: true}
	if sum != "" {
		p.Sums["sha256"] = sum
	}
	return p, ok
}

// remoteFiles are the files that an upstream's page refers to, and the METADATA beside them.
func remoteFiles(_, key string, d *upstream.Document, body []byte) map[string]upstream.Place {
	if key != formPage {
		return nil
	}
	listing, err := simple.Read(body, d.URL)
	if err != nil {
		return nil // not reached: checked before it was kept
	}
	files := map[string]upstream.Place{}
	for i := range listing.Files {
		f := &listing.Files[i]
		if f.URL, err = listing.Address(f); err != nil {
			continue // nobody could have fetched it
		}
		file := placeOf(d.Upstream, f)
		files[f.Name] = file
		if p, offered := metadataOf(f, file); offered {
			files[metadataKey(f.SHA256, f.Name)] = p
		}
	}
	return files
}

// metadataKey is under what the METADATA of a file is kept.
func metadataKey(sha, file string) string { return sha + "/" + file + sideMetadata }

// offer says that a wheel's METADATA is beside it where it costs little to make it so: the wheel is small, or here, or
// its upstream gives parts of it.
func (s *server) offer(
	ctx context.Context, name string, d *upstream.Document, listing *simple.Listing, f *simple.File,
) error {
	if _, offered := f.Offered(); offered || !f.Wheel() {
		return nil
	}
	cheap := f.Size > 0 && f.Size <= sidecar.Whole || s.givesParts(ctx, d.Upstream, listing, f)
	if !cheap {
		var err error
		if cheap, err = s.Up.Here(ctx, name, f.Name); err != nil {
			return err
		}
	}
	if cheap {
		f.Core = json.RawMessage("true")
	}
	return nil
}

// givesParts reports whether the host of an upstream's file answers requests for parts of files, as far as is known:
// the first page that needs to know asks, and does not wait long.
func (s *server) givesParts(ctx context.Context, u *upstream.Upstream, l *simple.Listing, f *simple.File) bool {
	address, err := l.Address(f)
	if err != nil {
		return false
	}
	at, err := url.Parse(address)
	if err != nil {
		return false
	}
	host := u.Name() + " " + at.Host
	if known, ok := s.parts.Load(host); ok && time.Now().Before(known.(partsKnown).until) {
		return known.(partsKnown).given
	}
	ctx, cancel := context.WithTimeout(ctx, probeParts)
	defer cancel()
	err = s.Up.GivesParts(ctx, upstream.Place{Upstream: u, Ref: address})
	if !errors.Is(err, upstream.ErrOffline) {
		s.parts.Store(host, partsKnown{err == nil, time.Now().Add(partsAgain)})
	}
	return err == nil
}

// partsKnown is whether a host gives parts of files, and how long that is believed.
type partsKnown struct {
	given bool
	until time.Time
}

const (
	probeParts = 2 * time.Second
	partsAgain = 10 * time.Minute
)

// beside is where a file's METADATA is: beside the file if the upstream has it there, and in it in any case.
func (s *server) beside(ctx context.Context, q Request, f *simple.File, file upstream.Place) (upstream.Place, error) {
	p, offered := metadataOf(f, file)
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
