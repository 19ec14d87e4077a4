package rubygems

// The registry itself, and reading: the compact index, the Marshal indexes, specifications, files.

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"larder/auth"
	"larder/internal/gemspec"
	"larder/internal/ledger"
	"larder/internal/problem"
	"larder/internal/wire"
	"larder/rubygems/compactindex"
	"larder/rubygems/gemfile"
	"larder/rubygems/naming"
	"larder/store"
	"larder/upstream"
)

// Options change what the registry accepts. The zero value is right for most sites.
type Options struct {
	// MaxGem is the largest file in bytes; 0 means 1 GiB.
	MaxGem int64
	// ServeYanked goes on serving the files of yanked versions, for lock files that name them. No index shows them.
	ServeYanked bool
}

// WithDefaults is o with what a registry uses that nobody configured in the place of what is zero.
func (o Options) WithDefaults() Options {
	o.MaxGem = cmp.Or(o.MaxGem, 1<<30)
	return o
}

// smallBlob is the size up to which a file is served from memory.
const smallBlob = 64 << 10

type server struct {
	repo     *store.Repo[Meta]
	store    *store.Store
	auth     auth.Provider
	accounts accounts // nil when users and tokens are kept elsewhere
	base     *wire.Base
	path     string // where clients find the registry
	log      *slog.Logger
	opt      Options
	list     *ledger.Reader // of /versions
	up       *upstream.Set  // nil without upstreams
	joins    joins
}

// New returns the registry's end points.
func New(d wire.Deps, o Options) wire.Protocol {
	s := newServer(d, o)
	e := wire.Endpoint[Request]{Kind: store.RubyGems, Parse: parse, Routes: s.operations(), Target: target, Fail: fail}
	return wire.Protocol{Name: "rubygems", Prefixes: []string{root}, Handler: e.Handler(d), Jobs: []wire.Job{{Name: "rubygems-compact", Every: compactEvery, Run: s.compactDue}}}
}

func newServer(d wire.Deps, o Options) *server {
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	s := &server{repo: store.NewRepo[Meta](d.Store, store.RubyGems), store: d.Store, auth: d.Auth, base: d.Base, path: cmp.Or(d.Path, root), log: d.Log, opt: o.WithDefaults()}
	s.accounts, _ = d.Auth.(accounts)
	s.list = ledger.NewReader(d.Store, store.RubyGems, versions, s.tablesOf)
	s.remote(d.Upstreams)
	return s
}

// tablesOf opens the kind's rows in tx.
func (s *server) tablesOf(tx *store.Tx) ledger.Tables { return kindTables(s.repo, tx) }

// operations is the table of everything the registry does; doc.go shows it with methods and paths. Those that need nothing
// find out by themselves what they are about: from a form, a file, or a name that has to be looked up.
func (s *server) operations() []wire.Route[Request] {
	return []wire.Route[Request]{
		{Op: opRoot, Need: wire.Open, Serve: s.root},
		{Op: opVersions, Need: wire.Open, Serve: s.getVersions},
		{Op: opNames, Need: wire.Open, Serve: s.names},
		{Op: opInfo, Need: wire.Read, Serve: s.info},
		{Op: opSpecs, Need: wire.Open, Serve: s.specs},
		{Op: opQuick, Need: wire.Open, Serve: s.quick},
		{Op: opGem, Need: wire.Open, Serve: s.download},
		{Op: opDependencies, Need: wire.Open, Serve: s.dependencies},
		{Op: opPush, Need: wire.Open, Serve: s.push},
		{Op: opYank, Need: wire.Open, Serve: s.yank},
		{Op: opUnyank, Need: wire.Open, Serve: s.unyank},
		{Op: opRestore, Need: wire.Open, Serve: s.restore},
		{Op: opShow, Need: wire.Read, Serve: s.show},
		{Op: opOwn, Need: wire.Open, Serve: s.own},
		{Op: opReleases, Need: wire.Read, Serve: s.releases},
		{Op: opLatest, Need: wire.Read, Serve: s.latest},
		{Op: opRelease, Need: wire.Read, Serve: s.release},
		{Op: opSearch, Need: wire.Open, Serve: s.search},
		{Op: opTimeframe, Need: wire.Open, Serve: s.timeframe},
		{Op: opNewGems, Need: wire.Open, Serve: s.newGems},
		{Op: opUpdated, Need: wire.Open, Serve: s.updated},
		{Op: opAttestations, Need: wire.Open, Serve: s.attestations},
		{Op: opOwners, Need: wire.Read, Serve: s.owners},
		{Op: opOwnerAdd, Need: wire.Write, Serve: s.addOwner},
		{Op: opOwnerRemove, Need: wire.Write, Serve: s.removeOwner},
		{Op: opOwnerChange, Need: wire.Write, Serve: s.changeOwner},
		{Op: opKeyCreate, Need: wire.Open, Serve: s.createKey},
		{Op: opKeyChange, Need: wire.Open, Serve: s.changeKey},
		{Op: opKeyShow, Need: wire.Open, Serve: s.showKey},
		{Op: opProfile, Need: wire.Open, Serve: s.profile},
		{Op: opWebAuthn, Need: wire.Open, Serve: s.webAuthn},
		{Op: opCompact, Need: wire.Admin, Serve: s.compact},
	}
}

// target is what the right of an operation is about.
func target(q Request) (typ, name string) { return typeGem, q.Name }

// url is the registry's URL as the client of r knows it, without a final slash.
func (s *server) url(r *http.Request) string { return s.base.URL(r) + s.path }

// may asks for more, or something else, than the operation needed.
func (s *server) may(ctx context.Context, a auth.Action, name string) error {
	return s.mayAs(ctx, wire.IdentityFrom(ctx), a, name)
}

func (s *server) mayAs(ctx context.Context, id auth.Identity, a auth.Action, name string) error {
	return s.auth.Authorize(ctx, id, auth.Access{Kind: store.RubyGems, Type: typeGem, Name: name, Action: a})
}

// mayList is nil for whoever may see a list of gems at all; what is in it is filtered by gem.
func (s *server) mayList(ctx context.Context) error {
	if !wire.IdentityFrom(ctx).Anonymous {
		return nil
	}
	return s.may(ctx, auth.Read, "")
}

// view is what somebody sees of the whole registry.
type view struct {
	who     string // a word for all who see the same; "" for those who see everything
	visible func(name string) (bool, error)
}

// view judges who asks. Who has the same grants and limits sees the same.
func (s *server) view(ctx context.Context) view {
	id := wire.IdentityFrom(ctx)
	if s.readsAll(id) {
		return view{visible: func(string) (bool, error) { return true, nil }}
	}
	ctx = context.WithoutCancel(ctx)
	return view{
		who: fmt.Sprintf(" for %s %s %v %v", strconv.FormatBool(id.Anonymous), id.User, id.Grants, id.Limits),
		visible: func(name string) (bool, error) {
			err := s.mayAs(ctx, id, auth.Read, name)
			if isOneOf(err, auth.ErrDenied, auth.ErrHidden, auth.ErrNoCredentials) {
				return false, nil
			}
			return err == nil, err
		},
	}
}

// readsAll says that nothing has to be hidden from id.
func (s *server) readsAll(id auth.Identity) bool {
	p, ok := s.auth.(interface {
		ReadsAll(id auth.Identity, k store.Kind, typ string) bool
	})
	return ok && p.ReadsAll(id, store.RubyGems, typeGem)
}

// whole returns a document about the kind, rendered when the kind has changed.
func (s *server) whole(ctx context.Context, format string, render func(ctx context.Context) (store.Rendered, error)) (*store.Document, error) {
	return s.store.Document(ctx, store.DocKey{Kind: store.RubyGems, Format: format}, render)
}

// revalidate has clients ask each time: a push is visible at once, and asking costs a 304.
func revalidate(r *http.Request) string {
	if _, given := wire.CredentialsFrom(r); given {
		return "private, no-cache"
	}
	return "no-cache"
}

// forever is for what never changes.
func forever(r *http.Request) string {
	if _, given := wire.CredentialsFrom(r); given {
		return "private, max-age=31536000, immutable"
	}
	return "public, max-age=31536000, immutable"
}

// root answers the oldest clients, which ask here whether there is a compact index.
func (s *server) root(w http.ResponseWriter, r *http.Request, _ Request) error {
	if err := s.mayList(r.Context()); err != nil {
		return err
	}
	return say(w, "This is a registry of Ruby gems.")
}

// getVersions is the compact index's list of everything.
func (s *server) getVersions(w http.ResponseWriter, r *http.Request, _ Request) error {
	ctx := r.Context()
	if err := s.mayList(ctx); err != nil {
		return err
	}
	v := s.view(ctx)
	if s.up != nil {
		c, err := s.proxiedVersions(ctx, v)
		if err != nil {
			return err
		}
		return c.Serve(w, r, revalidate(r))
	}
	h, err := s.list.Head(ctx)
	if err != nil {
		return err
	}
	if v.who == "" {
		c, err := s.list.Content(h)
		if err != nil {
			return err
		}
		return c.Serve(w, r, revalidate(r))
	}
	doc, err := s.whole(ctx, "versions"+v.who, func(ctx context.Context) (store.Rendered, error) {
		all, err := s.list.Bytes(ctx, h, 0, h.Size)
		if err != nil {
			return store.Rendered{}, err
		}
		body, err := compactindex.Filtered(all, v.visible)
		return plain(body), err
	})
	if err != nil {
		return err
	}
	return ledger.Document(doc).Serve(w, r, revalidate(r))
}

// plain is a document of the compact index.
func plain(body []byte) store.Rendered {
	return store.Rendered{Body: body, Type: "text/plain; charset=utf-8", ETag: ledger.Tag(body)}
}

// names is the list of all gems that have a version.
func (s *server) names(w http.ResponseWriter, r *http.Request, _ Request) error {
	ctx := r.Context()
	if err := s.mayList(ctx); err != nil {
		return err
	}
	v := s.view(ctx)
	if s.up != nil {
		both, err := s.bothLists(ctx, v)
		if err != nil {
			return err
		}
		return s.proxiedNames(w, r, both)
	}
	doc, err := s.whole(ctx, "names"+v.who, func(ctx context.Context) (store.Rendered, error) {
		out, last := bytes.NewBufferString(compactindex.InfoHead), ""
		err := s.store.View(ctx, func(tx *store.Tx) error {
			return live(s.tablesOf(tx), v.visible, func(t gemspec.Tuple) {
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
	return ledger.Document(doc).Serve(w, r, revalidate(r))
}

// info is a gem's part of the compact index. A gem whose versions are all yanked has an empty one.
func (s *server) info(w http.ResponseWriter, r *http.Request, q Request) error {
	ctx := r.Context()
	key := store.DocKey{Kind: store.RubyGems, Package: q.Name, Format: "info"}
	doc, err := s.store.Document(ctx, key, func(ctx context.Context) (out store.Rendered, err error) {
		err = s.repo.View(ctx, q.Name, func(tx *store.PackageTx[Meta]) error {
			if _, err := tx.Package(); err != nil {
				return err
			}
			out = plain(infoBody(tx))
			return nil
		})
		return out, err
	})
	if s.elsewhere(err) {
		return s.proxiedInfo(w, r, q.Name)
	}
	if err != nil {
		return err
	}
	return ledger.Document(doc).Serve(w, r, revalidate(r))
}

// specs is one of the Marshal indexes, which gem search, list and fetch read to this day. They have no parts: each is
// rendered as a whole when somebody asks for it after a change.
func (s *server) specs(w http.ResponseWriter, r *http.Request, q Request) error {
	ctx := r.Context()
	if err := s.mayList(ctx); err != nil {
		return err
	}
	v := s.view(ctx)
	// The gem clients (3.3 to 4.0) keep one copy for each address, whoever asked, and ask only whether it has changed since.
	// Where not everybody sees the same, the copy may be what somebody else saw, and no time says that it still holds.
	dated := s.readsAll(auth.Anonymous())
	format := fmt.Sprintf("%s%s %t", q.Index, v.who, dated)
	render := func(ctx context.Context) (store.Rendered, error) { return s.index(ctx, q.Index, v, dated) }
	if s.up != nil {
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
	return wire.ServeDocument(w, r, doc, revalidate(r))
}

// index renders a Marshal index of what is published here, with the time of the last change if dated. That time is read with
// the rows: an older one would tell clients later that they know these rows.
func (s *server) index(ctx context.Context, name string, v view, dated bool) (store.Rendered, error) {
	var rows []gemspec.Tuple
	var changed time.Time
	err := s.store.View(ctx, func(tx *store.Tx) error {
		t := s.tablesOf(tx)
		h, _, err := versions.Head(t)
		if err != nil {
			return err
		}
		rows, changed = rows[:0], h.Changed
		keep := choose(name)
		return live(t, v.visible, func(t gemspec.Tuple) {
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

// after is the full second after t: clients ask with the second of their download, in which something can have changed
// since.
func after(t time.Time) time.Time { return t.Truncate(time.Second).Add(time.Second) }

// locate finds what a full name stands for, if whoever asks may know: ErrNotFound, or what Authorize says.
func (s *server) locate(ctx context.Context, full string) (p place, err error) {
	err = s.store.View(ctx, func(tx *store.Tx) error {
		row := s.tablesOf(tx)(fullTable).Get(fullKey(full))
		if row == nil {
			return nil
		}
		p, err = decodePlace(row)
		return err
	})
	if err != nil {
		return p, err
	}
	if p.Full != full {
		// Whoever must log in first is told so, whether there is such a file or not.
		p = place{}
		if err := s.may(ctx, auth.Read, full); err != nil {
			return p, err
		}
	} else if err := s.may(ctx, auth.Read, p.Name); err != nil {
		return p, err
	}
	if p.Name == "" || p.Yanked && !s.opt.ServeYanked {
		return p, problem.Errorf(store.ErrNotFound, "there is no %s", full)
	}
	return p, nil
}

// quick is the specification of one version.
func (s *server) quick(w http.ResponseWriter, r *http.Request, q Request) error {
	ctx := r.Context()
	p, err := s.locate(ctx, q.Full)
	if s.elsewhere(err) {
		return s.proxiedFile(w, r, q, err)
	}
	if err != nil {
		return err
	}
	var row []byte
	err = s.repo.View(ctx, p.Name, func(tx *store.PackageTx[Meta]) error {
		row = bytes.Clone(tx.Index(quickTable).Get([]byte(p.ID)))
		return nil
	})
	if err != nil {
		return err
	}
	if row == nil {
		return s.file(w, r, p, ".gemspec.rz")
	}
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Cache-Control", forever(r))
	h.Set("Content-Length", strconv.Itoa(len(row)))
	if r.Method == http.MethodHead {
		return nil
	}
	_, err = w.Write(row)
	return err
}

// download sends the bytes that were pushed, never encoded.
func (s *server) download(w http.ResponseWriter, r *http.Request, q Request) error {
	p, err := s.locate(r.Context(), q.Full)
	if s.elsewhere(err) {
		return s.proxiedFile(w, r, q, err)
	}
	if err != nil {
		return err
	}
	return s.file(w, r, p, ".gem")
}

// file sends one of a version's files.
func (s *server) file(w http.ResponseWriter, r *http.Request, p place, suffix string) error {
	ctx := r.Context()
	var file store.File
	err := s.repo.View(ctx, p.Name, func(tx *store.PackageTx[Meta]) (err error) {
		_, file, err = tx.File(naming.FullName(p.Name, p.ID) + suffix)
		return err
	})
	if err != nil {
		return err
	}
	head := wire.BlobHead{Digest: file.Digest, Size: file.Size, CacheControl: forever(r)}
	if file.Size <= smallBlob {
		body, err := s.store.ReadBlob(ctx, file.Digest, smallBlob)
		if err != nil {
			return err
		}
		return wire.ServeBytes(w, r, body, head)
	}
	f, _, err := s.store.OpenBlob(ctx, file.Digest)
	if err != nil {
		return err
	}
	defer f.Close()
	return wire.ServeBlob(w, r, f, head)
}

// dependencies is what Bundler falls back to when it has no /versions; nobody serves it any more, and its next try works.
func (s *server) dependencies(_ http.ResponseWriter, r *http.Request, _ Request) error {
	if err := s.mayList(r.Context()); err != nil {
		return err
	}
	return problem.Errorf(store.ErrNotFound, "the dependency API is gone")
}

// attestations is what came with a push, as it came.
func (s *server) attestations(w http.ResponseWriter, r *http.Request, q Request) error {
	ctx := r.Context()
	p, err := s.locate(ctx, q.Full)
	if err != nil {
		return err
	}
	v, err := s.version(ctx, p.Name, p.ID)
	if err != nil {
		return err
	}
	raw, err := s.part(ctx, v.Meta.Attestations)
	if err != nil {
		return err
	}
	if raw == nil {
		raw = []byte("[]")
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", revalidate(r))
	w.Header().Set("Content-Length", strconv.Itoa(len(raw)))
	_, err = w.Write(raw)
	return err
}

// version reads a version's record; ErrNotFound.
func (s *server) version(ctx context.Context, name, id string) (v store.Version[Meta], err error) {
	err = s.repo.View(ctx, name, func(tx *store.PackageTx[Meta]) error {
		v, err = tx.Version(id)
		return err
	})
	return v, err
}

// part reads JSON from where it is kept; nil when there is none.
func (s *server) part(ctx context.Context, p part) ([]byte, error) {
	if p.Blob == "" {
		return p.JSON, nil
	}
	return s.store.ReadBlob(ctx, p.Blob, gemfile.MaxMember)
}

// packageRecord reads a gem's own record; ErrNotFound.
func (s *server) packageRecord(ctx context.Context, name string) (pkg store.Package, err error) {
	err = s.repo.View(ctx, name, func(tx *store.PackageTx[Meta]) error {
		pkg, err = tx.Package()
		return err
	})
	return pkg, err
}
