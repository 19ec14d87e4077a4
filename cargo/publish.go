package cargo

// This file serves PUT /api/v1/crates/new: stage, inspect, commit the bytes with the version, its line and its name in
// one transaction, answer. When the answer is written the index has the line: cargo asks for it at once, and waits a
// second when it is not there.

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"larder/auth"
	"larder/cargo/archive"
	"larder/cargo/names"
	"larder/cargo/version"
	"larder/internal/budget"
	"larder/internal/problem"
	"larder/internal/registry"
	"larder/internal/wire"
	"larder/store"
)

// publication is one version that is being published.
type publication struct {
	s      *server
	ctx    context.Context
	base   string // the registry's address as the client knows it
	up     *upload
	deps   []dependency
	stage  *store.Stage
	record store.Version[Meta]
	row    row
	was    *store.Version[Meta] // the version is here and damaged: the same bytes repair it
}

// publish takes a new version. Only the body says which crate it is about, so the right is asked here.
func (s *server) publish(w http.ResponseWriter, r *http.Request, _ Request) error {
	p := &publication{s: s, ctx: r.Context(), base: s.URL(r)}
	defer p.abort()
	if wire.IdentityFrom(p.ctx).Anonymous {
		return needLogin()
	}
	f := &frame{r: r.Body, left: r.ContentLength}
	var err error
	if p.up, err = f.metadata(); err != nil {
		return err
	}
	if p.deps, err = p.up.check(s.opt, p.own); err != nil {
		return err
	}
	if err := p.admit(r.ContentLength); err != nil {
		return err
	}
	if err := f.crate(s.opt.MaxCrate, p.open); err != nil {
		return err
	}
	if err := budget.During(r.Context(), inspectionSize, p.inspect); err != nil {
		return err
	}
	if err := p.assemble(); err != nil {
		return err
	}
	if p.was != nil {
		return p.repair(w)
	}
	_, err = p.stage.CommitWith(p.ctx, func(tx *store.Tx, _ store.Blob) error {
		return s.Repo.In(tx, names.Key(p.up.Name), p.commit)
	})
	if err != nil {
		return p.explain(err)
	}
	return wire.JSON(w, http.StatusOK, map[string]any{"warnings": map[string][]string{
		"invalid_categories": {}, "invalid_badges": {}, "other": p.warnings(),
	}})
}

// own reports whether an index is this registry's, by any of its addresses.
func (p *publication) own(registry string) bool {
	at, ok := strings.CutPrefix(strings.TrimRight(registry, "/"), "sparse+"+p.base)
	return ok && slices.Contains([]string{"", "/index", "/private", "/private/index"}, at)
}

// admit asks for everything that can be asked before the crate itself is read.
func (p *publication) admit(size int64) error {
	name := names.Key(p.up.Name)
	switch err := p.s.May(p.ctx, auth.Create, name); {
	case errors.Is(err, auth.ErrHidden):
		return problem.Errorf(auth.ErrDenied, "You may not publish the crate %s.", p.up.Name)
	case err != nil:
		return err
	}
	if err := p.s.Store.Admit(p.ctx, store.Cargo, name, max(size, 0)); err != nil {
		return err
	}
	if err := p.s.MayClaim(p.ctx, name); err != nil {
		return err
	}
	return p.explain(p.s.Repo.View(p.ctx, name, func(tx *store.PackageTx[Meta]) error {
		err := p.free(tx)
		if errors.Is(err, store.ErrExists) && p.damaged(tx) {
			return nil
		}
		return err
	}))
}

// damaged reports whether the very version is here and something of it is known to be damaged; it is kept in p.was.
func (p *publication) damaged(tx *store.PackageTx[Meta]) bool {
	v, err := tx.Version(version.ID(p.up.Vers))
	if err != nil || v.Meta.Version != p.up.Vers {
		return false
	}
	for _, f := range v.Files {
		if p.s.Store.Damaged(f.Digest) != nil {
			p.was = &v
			return true
		}
	}
	return false
}

// repair stores the bytes of a damaged version once more. A crate never changes, so other bytes are refused.
func (p *publication) repair(w http.ResponseWriter) error {
	if len(p.was.Files) == 0 || p.was.Files[0].Digest != p.record.Files[0].Digest {
		return p.s.Repo.View(p.ctx, names.Key(p.up.Name), p.free)
	}
	if _, err := p.stage.Commit(p.ctx); err != nil {
		return err
	}
	return wire.JSON(w, http.StatusOK, map[string]any{"warnings": map[string][]string{
		"invalid_categories": {}, "invalid_badges": {},
		"other": {
			"the version was here already and damaged on the registry's disk; it has been repaired and is otherwise unchanged",
		},
	}})
}

func (p *publication) open(size int64) (io.Writer, error) {
	var err error
	p.stage, err = p.s.Store.Stage(p.ctx, store.StageOptions{Size: size, Limit: p.s.opt.MaxCrate})
	return p.stage, err
}

func (p *publication) abort() {
	if p.stage != nil {
		p.stage.Abort()
	}
}

// free is nil when the name and the version are, for this publisher.
func (p *publication) free(tx *store.PackageTx[Meta]) error {
	name := p.up.Name
	switch other := tx.KindIndex(namesTable).Get([]byte(names.Canonical(name))); {
	case other == nil:
		if err := names.CheckNew(name); err != nil {
			return err
		}
	case string(other) != name:
		return &similar{string(other)}
	}
	pkg, err := tx.Package()
	if err == nil {
		err = owns(wire.IdentityFrom(p.ctx), pkg)
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	id := version.ID(p.up.Vers)
	v, err := tx.Version(id)
	switch {
	case errors.Is(err, store.ErrNotFound) && tx.Tombstone(id):
		return problem.Errorf(store.ErrExists,
			"Version %s of %s was deleted and cannot be published again; choose a new version.", id, name)
	case errors.Is(err, store.ErrNotFound):
		return nil
	case err == nil && v.Meta.Version != p.up.Vers:
		return problem.Errorf(store.ErrExists,
			"Version %s of %s is published already; versions must differ in more than build metadata.",
			v.Meta.Version, name)
	case err == nil:
		return problem.Errorf(store.ErrExists,
			"Version %s of %s is published already and cannot be changed; choose a new version.", id, name)
	}
	return err
}

// namesTable has a row for each canonical name → the crate's name as it was first published.
const namesTable = "names"

// similar is the error of a name that people would mistake for that of another crate.
type similar struct{ name string }

func (e *similar) Error() string {
	return fmt.Sprintf("%v: previously named %s", store.ErrInvalid, e.name)
}
func (e *similar) Unwrap() error { return store.ErrInvalid }

// explain names the other crate to whoever may see it.
func (p *publication) explain(err error) error {
	var other *similar
	if !errors.As(err, &other) {
		return err
	}
	if p.s.May(p.ctx, auth.Read, names.Key(other.name)) != nil {
		return problem.Errorf(store.ErrInvalid, "The name %s is too similar to one that is taken.", p.up.Name)
	}
	return problem.Errorf(store.ErrInvalid, "The crate was previously named %s; %s is too similar to be another one.",
		other.name, p.up.Name)
}

// inspectionSize is the most that reading what a crate says of itself holds, in bytes: it is small, but not what it
// unpacks to.
const inspectionSize = 4 << 20

// inspect opens the crate; what it says of itself must be what the request says.
func (p *publication) inspect() error {
	limit := max(p.s.opt.MaxUnpacked, cargoRatio*p.stage.Size())
	a, err := archive.Read(io.NewSectionReader(p.stage, 0, p.stage.Size()), p.up.Name, p.up.Vers, limit)
	if err != nil {
		return err
	}
	if err := a.Manifest.Agrees(p.up.Name, p.up.Vers, p.up.Links, p.up.said(), p.up.Features); err != nil {
		return err
	}
	m := p.up.meta()
	m.Edition, m.RustVersion = names.Clip(a.Manifest.Edition, maxText), cmp.Or(a.Manifest.RustVersion, m.RustVersion)
	m.Lib, m.ProcMacro, m.Build, m.Bins = a.HasLib(), a.ProcMacro(), a.BuildScript(), a.Bins()
	m.Files, m.Unpacked, m.Commit, m.CommitDir = a.Files, a.Unpacked, a.Commit, a.Dir
	p.record = store.Version[Meta]{ID: version.ID(p.up.Vers), Meta: m}
	return nil
}

// cargoRatio: cargo itself unpacks up to so many times the archive's size, whatever its other limit.
const cargoRatio = 20

// meta is what the request says for people to read.
func (u *upload) meta() Meta {
	authors := make([]string, 0, len(u.Authors))
	for _, a := range u.Authors[:min(len(u.Authors), 100)] {
		authors = append(authors, names.Clip(a, maxText))
	}
	return Meta{
		Version:       u.Vers,
		Description:   u.Description,
		Homepage:      u.Homepage,
		Documentation: u.Documentation,
		Repository:    u.Repository,
		License:       u.License,
		LicenseFile:   u.LicenseFile,
		Authors:       authors,
		Keywords:      u.Keywords,
		Categories:    u.Categories,
		ReadmeFile:    u.ReadmeFile,
		Links:         u.Links,
		RustVersion:   u.RustVersion,
	}
}

// assemble makes the record and the line, and commits the blobs beside the crate.
func (p *publication) assemble() error {
	u := p.up
	sum := p.stage.Digest()
	p.record.Files = []store.File{{Name: names.File(u.Name, u.Vers), Digest: sum, Size: p.stage.Size(), Type: typeArchive}}
	features := make(map[string][]string, len(u.Features))
	for name, values := range u.Features {
		features[name] = append([]string{}, values...)
	}
	head, err := lineHead{Name: u.Name, Vers: u.Vers, Deps: p.deps, Cksum: sum.Encoded(), Features: features}.encode()
	if err != nil {
		return err
	}
	p.row = row{ID: p.record.ID, Head: head}
	if len(head) > maxInline {
		if p.row.HeadBlob, err = p.keep(head, "application/json"); err != nil {
			return err
		}
		p.row.Head = nil
	}
	readme := &p.record.Meta.Readme
	if readme.Text = u.Readme; len(u.Readme) > maxInline {
		readme.Text = ""
		readme.Blob, err = p.keep([]byte(u.Readme), typeReadme)
	}
	return err
}

// keep puts large text into a blob that is a file of the version.
func (p *publication) keep(raw []byte, media string) (digest.Digest, error) {
	b, err := p.s.Store.PutBytes(p.ctx, raw)
	if err != nil {
		return "", err
	}
	if !slices.ContainsFunc(p.record.Files, func(f store.File) bool { return f.Digest == b.Digest }) {
		p.record.Files = append(p.record.Files, store.File{Digest: b.Digest, Size: b.Size, Type: media})
	}
	return b.Digest, nil
}

// commit is the one transaction of a publish.
func (p *publication) commit(tx *store.PackageTx[Meta]) error {
	if err := p.free(tx); err != nil {
		return err
	}
	now, by := tx.Tx().Now(), tx.Tx().Actor().User
	v, r := &p.record, p.row
	v.Published, v.By, r.Published = now, by, now
	tail := lineTail{Links: v.Meta.Links, RustVersion: v.Meta.RustVersion, Pubtime: now.UTC().Format(pubtimeForm)}
	if slices.ContainsFunc(p.deps, func(d dependency) bool { return len(d.Artifact) > 0 }) {
		tail.V = 3
	}
	var err error
	if r.Tail, err = tail.encode(); err != nil {
		return err
	}
	if err := p.claim(tx); err != nil {
		return err
	}
	if err := tx.Publish(*v); err != nil {
		return err
	}
	if err := tx.Index(indexLines).Put(r.key(), r.encode()); err != nil {
		return err
	}
	return listPublished(tx, p.up.Name, *v, p.deps)
}

// claim takes a name that is new, with its publisher as owner.
func (p *publication) claim(tx *store.PackageTx[Meta]) error {
	taken, name := tx.KindIndex(namesTable), p.up.Name
	if taken.Get([]byte(names.Canonical(name))) != nil {
		return nil
	}
	if err := taken.Put([]byte(names.Canonical(name)), []byte(name)); err != nil {
		return err
	}
	return registry.Own(tx, func(pkg *store.Package) { pkg.Display = name })
}

// warnings are what cargo prints after a publish that succeeded.
func (p *publication) warnings() []string {
	out := []string{}
	for _, d := range p.deps {
		if host := foreign(d.Registry); host != "" {
			out = append(out, fmt.Sprintf(
				"the dependency %s comes from the registry at %s, which everybody who uses this crate must reach",
				d.Name, host))
		}
		if d.Req == "*" && d.Kind != "dev" {
			out = append(out, fmt.Sprintf(
				"the dependency %s accepts every version (*), also those that will break this crate", d.Name))
		}
	}
	if p.s.opt.Notice != "" {
		out = append(out, p.s.opt.Notice)
	}
	return append(out, wire.Notices(p.ctx)...)
}

// foreign is the host of a registry that is neither this nor the public one.
func foreign(registry string) string {
	if registry == "" || registry == archive.CratesIndex {
		return ""
	}
	u, err := url.Parse(strings.TrimPrefix(registry, "sparse+"))
	if err != nil {
		return registry
	}
	return cmp.Or(u.Host, registry)
}

// readObject reads a small JSON body into v.
func readObject(r *http.Request, v any) error {
	raw, err := wire.ReadBody(r, maxSmallBody)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return problem.Wrap(err, store.ErrInvalid, "The request's JSON cannot be read.")
	}
	return nil
}
