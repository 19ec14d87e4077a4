package rubygems

// Reading: the compact index, the Marshal indexes, specifications, files.

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"larder/auth"
	"larder/internal/ledger"
	"larder/internal/problem"
	"larder/internal/registry"
	"larder/internal/wire"
	"larder/rubygems/archive"
	"larder/rubygems/compactindex"
	"larder/rubygems/gemspec"
	"larder/rubygems/names"
	"larder/store"
)

// whole returns a document about all gems, which is rendered anew when any of them has changed.
func (s *server) whole(
	ctx context.Context, format string, render func(ctx context.Context) (store.Rendered, error),
) (*store.Document, error) {
	return s.Store.Document(ctx, store.DocKey{Kind: store.RubyGems, Format: format}, render)
}

// root answers the oldest clients, which ask here whether this is a registry.
func (s *server) root(w http.ResponseWriter, r *http.Request, _ Request) error {
	// This is no list, but a client that must log in to see one must log in here, too.
	wire.Asked(r.Context())
	return say(w, "This is a registry of Ruby gems.")
}

// getVersions is the list of all versions of the compact index.
func (s *server) getVersions(w http.ResponseWriter, r *http.Request, _ Request) error {
	ctx := r.Context()
	v := s.View(ctx)
	if s.Up != nil {
		c, err := s.proxiedVersions(ctx, v)
		if err != nil {
			return err
		}
		return c.Serve(w, r, registry.Revalidate(r))
	}
	h, err := s.list.Head(ctx)
	if err != nil {
		return err
	}
	if v.All {
		c, err := s.list.Content(h)
		if err != nil {
			return err
		}
		return c.Serve(w, r, registry.Revalidate(r))
	}
	doc, err := s.whole(ctx, "versions "+v.Key, func(ctx context.Context) (store.Rendered, error) {
		all, err := s.list.Bytes(ctx, h, 0, h.Size)
		if err != nil {
			return store.Rendered{}, err
		}
		body, err := compactindex.Filtered(all, v.Sees)
		return plain(body), err
	})
	if err != nil {
		return err
	}
	return ledger.Document(doc).Serve(w, r, registry.Revalidate(r))
}

// plain is a document of the compact index.
func plain(body []byte) store.Rendered {
	return store.Rendered{Body: body, Type: "text/plain; charset=utf-8", ETag: ledger.Tag(body)}
}

// names is the list of all gems that have a version.
func (s *server) names(w http.ResponseWriter, r *http.Request, _ Request) error {
	ctx := r.Context()
	v := s.View(ctx)
	if s.Up != nil {
		both, err := s.bothLists(ctx, v)
		if err != nil {
			return err
		}
		return s.proxiedNames(w, r, both)
	}
	doc, err := s.whole(ctx, "names "+v.Key, func(ctx context.Context) (store.Rendered, error) {
		out, last := bytes.NewBufferString(compactindex.InfoHead), ""
		err := s.Store.View(ctx, func(tx *store.Tx) error {
			return live(s.tablesOf(tx), v.Sees, func(t gemspec.Tuple) {
				if t.Name != last {
					last = t.Name
					out.WriteString(last + "\n")
				}
			})
		})
		if last == "" {
			out.WriteString("\n")
		}
		return plain(out.Bytes()), err
	})
	if err != nil {
		return err
	}
	return ledger.Document(doc).Serve(w, r, registry.Revalidate(r))
}

// info is a gem's document of the compact index. That of a gem whose versions are all yanked has no lines.
func (s *server) info(w http.ResponseWriter, r *http.Request, q Request) error {
	ctx := r.Context()
	key := store.DocKey{Kind: store.RubyGems, Package: q.Name, Format: "info"}
	doc, err := s.Store.Document(ctx, key, func(ctx context.Context) (out store.Rendered, err error) {
		err = s.Repo.View(ctx, q.Name, func(tx *store.PackageTx[Meta]) error {
			if _, err := tx.Package(); err != nil {
				return err
			}
			out = plain(infoBody(tx))
			return nil
		})
		return out, err
	})
	if s.TryUpstream(err) {
		return s.proxiedInfo(w, r, q.Name)
	}
	if err != nil {
		return err
	}
	return ledger.Document(doc).Serve(w, r, registry.Revalidate(r))
}

// specs is one of the Marshal indexes, which gem search, list and fetch of all versions read. It is rendered as a whole
// by the first request after a change.
func (s *server) specs(w http.ResponseWriter, r *http.Request, q Request) error {
	ctx := r.Context()
	v := s.View(ctx)
	// The gem clients (3.3 to 4.0) keep one copy for each address, whichever user asked, and ask only whether it has
	// changed since. Where users see different indexes the copy may be another user's, so the answer must not have a date.
	dated := s.ReadsAll(auth.Anonymous())
	format := fmt.Sprintf("%s %s %t", q.Index, v.Key, dated)
	render := func(ctx context.Context) (store.Rendered, error) { return s.index(ctx, q.Index, v, dated) }
	if s.Up != nil {
		both, err := s.bothLists(ctx, v)
		if err != nil {
			return err
		}
		format += both.digest.String()
		render = func(context.Context) (store.Rendered, error) {
			keep, rows := choose(q.Index), []gemspec.Tuple(nil)
			compactindex.Tuples(both.Body, func(t gemspec.Tuple) {
				if keep(t) {
					rows = append(rows, t)
				}
			})
			return marshalled(rows)
		}
	}
	doc, err := s.whole(ctx, format, render)
	if err != nil {
		return err
	}
	return wire.ServeDocument(w, r, doc, registry.Revalidate(r))
}

// index renders a Marshal index of the hosted gems, with the time of the last change if dated. The time is read in the
// transaction that reads the rows: with an older one, clients would be told later that they have these rows.
func (s *server) index(ctx context.Context, name string, v registry.View, dated bool) (store.Rendered, error) {
	var rows []gemspec.Tuple
	var changed time.Time
	err := s.Store.View(ctx, func(tx *store.Tx) error {
		t := s.tablesOf(tx)
		h, _, err := versions.Head(t)
		if err != nil {
			return err
		}
		rows, changed = rows[:0], h.Changed
		keep := choose(name)
		return live(t, v.Sees, func(t gemspec.Tuple) {
			if keep(t) {
				rows = append(rows, t)
			}
		})
	})
	if err != nil {
		return store.Rendered{}, err
	}
	out, err := marshalled(rows)
	if dated {
		out.Modified = after(changed)
	}
	return out, err
}

func marshalled(rows []gemspec.Tuple) (store.Rendered, error) {
	var b bytes.Buffer
	err := gemspec.MarshalTuples(&b, rows)
	return store.Rendered{Body: b.Bytes(), Type: "application/octet-stream", Packed: true}, err
}

// after is the full second after t. Clients ask with the second of their download, and a gem can have changed later in
// that second.
func after(t time.Time) time.Time { return t.Truncate(time.Second).Add(time.Second) }

// What follows the full name in the names of a version's files.
const (
	suffixGem  = ".gem"
	suffixSpec = ".gemspec.rz"
)

// errAbsent is the error for a full name that stands for no version.
func errAbsent(full string) error {
	return problem.Errorf(store.ErrNotFound, "there is no %s", full)
}

// quick is the specification of one version.
func (s *server) quick(w http.ResponseWriter, r *http.Request, q Request) error {
	if q.ID == "" {
		return s.notHere(w, r, q, suffixSpec)
	}
	var row []byte
	err := s.Repo.View(r.Context(), q.Name, func(tx *store.PackageTx[Meta]) error {
		row = bytes.Clone(tx.Index(quickTable).Get([]byte(q.ID)))
		return nil
	})
	if err != nil {
		return err
	}
	if row == nil {
		return s.file(w, r, q, suffixSpec)
	}
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Cache-Control", registry.Immutable(r))
	h.Set("Content-Length", strconv.Itoa(len(row)))
	if r.Method == http.MethodHead {
		return nil
	}
	_, err = w.Write(row)
	return err
}

// download sends the bytes that were pushed, never encoded.
func (s *server) download(w http.ResponseWriter, r *http.Request, q Request) error {
	if q.ID == "" {
		return s.notHere(w, r, q, suffixGem)
	}
	wire.Pulling(r.Context(), q.Name, q.ID)
	return s.file(w, r, q, suffixGem)
}

// notHere answers with a file of an upstream.
func (s *server) notHere(w http.ResponseWriter, r *http.Request, q Request, suffix string) error {
	err := errAbsent(q.Full)
	if s.TryUpstream(err) {
		return s.proxiedFile(w, r, q.Full, suffix, err)
	}
	return err
}

// file sends one of a version's files.
func (s *server) file(w http.ResponseWriter, r *http.Request, q Request, suffix string) error {
	f, err := s.File(r.Context(), q.Name, names.FullName(q.Name, q.ID)+suffix)
	if err != nil {
		return err
	}
	head := wire.BlobHead{CacheControl: registry.Immutable(r)}
	return s.SendBlob(w, r, store.Blob{Digest: f.Digest, Size: f.Size}, head)
}

// dependencies is what Bundler asks for if it cannot read /versions. No registry serves it any more; after a 404
// Bundler reads the Marshal indexes.
func (s *server) dependencies(http.ResponseWriter, *http.Request, Request) error {
	return &plainAbsent{problem.Errorf(store.ErrNotFound, noAddress)}
}

// attestations are the Sigstore bundles of a version, as they were pushed.
func (s *server) attestations(w http.ResponseWriter, r *http.Request, q Request) error {
	ctx := r.Context()
	if q.ID == "" {
		if err := errAbsent(q.Full); !s.TryUpstream(err) {
			return err
		}
		return s.proxiedAttestations(w, r, q.Full)
	}
	v, err := s.version(ctx, q.Name, q.ID)
	if err != nil {
		return err
	}
	raw, err := s.ReadPart(ctx, v.Meta.Attestations, archive.MaxMember)
	if err != nil {
		return err
	}
	if raw == nil {
		raw = []byte("[]")
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", registry.Revalidate(r))
	w.Header().Set("Content-Length", strconv.Itoa(len(raw)))
	_, err = w.Write(raw)
	return err
}

// version returns a version's record. store.ErrNotFound.
func (s *server) version(ctx context.Context, name, id string) (v store.Version[Meta], err error) {
	err = s.Repo.View(ctx, name, func(tx *store.PackageTx[Meta]) error {
		v, err = tx.Version(id)
		return err
	})
	return v, err
}

// packageRecord returns a gem's own record. store.ErrNotFound.
func (s *server) packageRecord(ctx context.Context, name string) (pkg store.Package, err error) {
	err = s.Repo.View(ctx, name, func(tx *store.PackageTx[Meta]) error {
		pkg, err = tx.Package()
		return err
	})
	return pkg, err
}
