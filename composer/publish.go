package composer

// Uploads. Composer itself cannot publish; three dialects of other registries are what scripts speak: PUT of the
// archive to the registry, to a path of Nexus, to a path of Artifactory. They differ in where name and version stand.

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"time"

	"larder/auth"
	"larder/composer/archive"
	"larder/composer/manifest"
	"larder/composer/version"
	"larder/internal/budget"
	"larder/internal/multiform"
	"larder/internal/problem"
	"larder/internal/rawjson"
	"larder/internal/registry"
	"larder/internal/wire"
	"larder/store"
)

// upload takes an archive, whose composer.json names the package if the address does not.
func (s *server) upload(w http.ResponseWriter, r *http.Request, q Request) error {
	ctx := r.Context()
	p := &publication{s: s, request: r, asked: q}
	defer p.abort()
	if err := s.Store.Admit(ctx, store.Composer, q.Name, max(r.ContentLength, 0)); err != nil {
		return err
	}
	if err := p.receive(ctx); err != nil {
		return err
	}
	if err := budget.During(ctx, inspectionSize, p.inspect); err != nil {
		return err
	}
	if err := s.May(ctx, auth.Create, p.name); err != nil {
		return err
	}
	if err := s.MayClaim(ctx, p.name); err != nil {
		return err
	}
	if same, err := p.repeated(ctx); err != nil || same {
		if err == nil {
			err = p.repair(ctx)
		}
		return firstError(err, func() error { return p.answer(w, http.StatusOK) })
	}
	if err := p.assemble(ctx); err != nil {
		return err
	}
	p.overwrite = s.May(ctx, auth.Write, p.name) == nil
	_, err := p.stage.CommitWith(ctx, func(tx *store.Tx, b store.Blob) error {
		return s.Repo.In(tx, p.name, func(tx *store.PackageTx[Meta]) error { return p.commit(tx, b) })
	})
	if err != nil {
		return err
	}
	return p.answer(w, http.StatusCreated)
}

func firstError(err error, next func() error) error {
	if err != nil {
		return err
	}
	return next()
}

// publication is one version on its way in.
type publication struct {
	s       *server
	request *http.Request
	asked   Request
	stage   *store.Stage

	manifest   *manifest.Manifest
	form       string // of the archive
	name       string
	version    string // as written
	normalized string
	reference  string
	overwrite  bool // the publisher may move a branch
	record     store.Version[Meta]
}

func (p *publication) abort() {
	if p.stage != nil {
		p.stage.Abort()
	}
}

func (p *publication) answer(w http.ResponseWriter, status int) error {
	return wire.JSON(w, status, map[string]string{
		"status": "success", "package": p.name, "version": p.version, "version_normalized": p.normalized,
		"reference": p.reference,
	})
}

// receive stages the archive: the whole body, or a part of a form.
func (p *publication) receive(ctx context.Context) (err error) {
	r := p.request
	size := r.ContentLength
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	form := kind == "multipart/form-data"
	if form {
		size = -1
	}
	opts := store.StageOptions{Size: size, Limit: p.s.opt.MaxArchive, Sums: []string{"sha1"}}
	if p.stage, err = p.s.Store.Stage(ctx, opts); err != nil {
		return err
	}
	if form {
		err = p.receiveForm(r)
	} else {
		_, err = p.stage.ReadFrom(r.Body)
	}
	switch {
	case err != nil:
		return err
	case p.stage.Size() == 0:
		return problem.Errorf(store.ErrInvalid, "The request holds no archive.")
	}
	p.reference = p.stage.Sum("sha1")
	return nil
}

// receiveForm reads what Nexus is sent: package, and src-type, src-url, src-ref; what the address says counts more.
func (p *publication) receiveForm(r *http.Request) error {
	limits := multiform.Limits{File: "package", Value: maxQueryText, Values: 8 * maxQueryText, Fields: 20}
	f, err := multiform.Read(r, limits, nil, func(*multiform.Form) (io.Writer, error) { return p.stage, nil })
	if err != nil {
		return err
	}
	src := &p.asked.Source
	for name, to := range map[string]*string{
		"version": &p.asked.Version, "src-type": &src.Type, "src-url": &src.URL, "src-ref": &src.Reference,
	} {
		if *to == "" {
			*to = f.Get(name)
		}
	}
	return nil
}

// inspectionSize is the most that reading what an archive says of itself holds, in bytes: it is small, but not what it
// unpacks to.
const inspectionSize = 4 << 20

// inspect opens the archive; what it says of itself must be what the request says.
func (p *publication) inspect() error {
	m, form, err := archive.Read(p.stage, p.stage.Size())
	if err != nil {
		return err
	}
	p.form = form
	if p.asked.Name != "" && p.asked.Name != m.Name {
		return problem.Errorf(
			store.ErrInvalid, "The request is about %s, but the archive's composer.json about %s.", p.asked.Name, m.Name,
		)
	}
	p.manifest, p.name = m, m.Name
	if err := p.chooseVersion(); err != nil {
		return err
	}
	return p.setSource()
}

// chooseVersion compares the version of the request with that of composer.json; either may be missing.
func (p *publication) chooseVersion() error {
	p.version = p.asked.Version
	if p.version == "" || p.asked.Name == "" && p.manifest.Version != "" {
		p.version = p.manifest.Version
	}
	if p.version == "" {
		return problem.Errorf(
			store.ErrInvalid, "Neither the request nor the archive's composer.json has a version; add ?version= to the address.",
		)
	}
	for _, v := range []string{p.version, p.asked.Version, p.manifest.Version} {
		if v == "" {
			continue
		}
		n, ok := version.Parse(v)
		switch {
		case !ok:
			return problem.Errorf(
				store.ErrInvalid,
				"%.80q is not a version as Composer knows them, such as 1.2.3, v1.2.3-beta2, 1.x-dev or dev-main.", v,
			)
		case p.normalized != "" && p.normalized != n:
			return problem.Errorf(
				store.ErrInvalid, "The request is about version %.80s, but the archive's composer.json about %.80s.",
				p.asked.Version, p.manifest.Version,
			)
		}
		p.normalized = n
	}
	return nil
}

// setSource takes the source the request names in place of composer.json's.
func (p *publication) setSource() error {
	s := p.asked.Source
	if s == (source{}) {
		return nil
	}
	raw, ok := manifest.Source(s.Type, s.URL, s.Reference)
	if !ok {
		return problem.Errorf(
			store.ErrInvalid, "A source needs src-type, src-url and src-ref, none of which begins with a hyphen.",
		)
	}
	p.manifest.Fields = p.manifest.Fields.Set("source", raw)
	return nil
}

// repeated reports whether this version is here already with these bytes: a script that runs again must learn that
// there is nothing to do.
func (p *publication) repeated(ctx context.Context) (same bool, err error) {
	err = p.s.Repo.View(ctx, p.name, func(tx *store.PackageTx[Meta]) error {
		was, _, err := p.taken(tx, p.stage.Digest().String())
		same = was == present
		return err
	})
	return same, err
}

// repair gives the bytes of a version that is here once more to the store, which needs them when they went bad: the
// archive's, and its composer.json's when anything at all is known to be damaged.
func (p *publication) repair(ctx context.Context) error {
	if p.s.Store.DamagedBlobs() > 0 {
		if err := p.assemble(ctx); err != nil {
			return err
		}
	}
	_, err := p.stage.Commit(ctx)
	return err
}

// What there is of a version that is being published.
type standing int

const (
	fresh   standing = iota // nothing
	present                 // these very bytes
	retired                 // these very bytes, but deleted, or a branch's former state
)

// taken says what there is; ErrExists when it has other bytes.
func (p *publication) taken(tx *store.PackageTx[Meta], digest string) (standing, store.Version[Meta], error) {
	id := idOf(p.normalized, p.reference)
	v, err := tx.Version(id)
	switch {
	case errors.Is(err, store.ErrNotFound) && tx.Tombstone(id):
		return 0, v, problem.Errorf(
			store.ErrExists, "Version %s of %s was deleted for good and cannot be published again; choose a new version.",
			p.version, p.name,
		)
	case errors.Is(err, store.ErrNotFound):
		return fresh, v, nil
	case err != nil:
		return 0, v, err
	case v.Files[0].Digest.String() != digest:
		return 0, v, problem.Errorf(
			store.ErrExists, "Version %s of %s exists with other content, and releases never change; choose a new version.",
			p.version, p.name,
		)
	case v.Yanked:
		return retired, v, nil
	case !version.IsDev(p.normalized):
		return present, v, nil
	}
	tag, err := tx.Tag(p.normalized)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return 0, v, err
	}
	if tag.Version == id {
		return present, v, nil
	}
	return retired, v, nil
}

// assemble makes the record.
func (p *publication) assemble(ctx context.Context) error {
	meta := Meta{Version: p.version, Reference: p.reference, Form: p.form, Summary: p.manifest.Summary}
	meta.Summary.Version = p.normalized
	p.record = store.Version[Meta]{ID: idOf(p.normalized, p.reference), Files: []store.File{{
		Name: fileOf(p.normalized, p.reference, p.form), Size: p.stage.Size(), Type: mediaTypes[p.form],
		Sums: map[string]string{"sha1": p.reference},
	}}}
	err := p.s.Keep(ctx, &p.record, &meta.Entry, p.manifest.Fields.Encode())
	p.record.Meta = meta
	return err
}

// commit is the one transaction of a publish.
func (p *publication) commit(tx *store.PackageTx[Meta], b store.Blob) error {
	was, v, err := p.taken(tx, b.Digest.String())
	switch {
	case err != nil || was == present:
		return err
	case was == fresh:
		if err := p.claim(tx); err != nil {
			return err
		}
		v = p.record
		v.Files[0].Digest, v.Files[0].Size = b.Digest, b.Size
		v.Published, v.By = tx.Tx().Now(), tx.Tx().Actor().User
		err = tx.Publish(v)
	case v.Yanked:
		v.Yanked = false
		err = tx.Replace(v, store.OpUnyank)
	}
	if err != nil {
		return err
	}
	return show(tx, p.normalized, v, p.overwrite)
}

// claim takes a name that is new, with its publisher as owner. What is to be private is never added to what everybody
// sees.
func (p *publication) claim(tx *store.PackageTx[Meta]) error {
	pkg, err := tx.Package()
	switch {
	case err == nil && p.asked.Private && !pkg.Private:
		return problem.Errorf(store.ErrInvalid, "%s exists and is not private; change its settings first.", p.name)
	case !errors.Is(err, store.ErrNotFound):
		return err
	}
	for _, branches := range []bool{false, true} {
		if err := stamp(tx, branches); err != nil {
			return err
		}
	}
	return registry.Own(tx, func(pkg *store.Package) { pkg.Private = p.asked.Private })
}

// show puts a version that is stored into the documents and lists.
func show(tx *store.PackageTx[Meta], normalized string, v store.Version[Meta], overwrite bool) error {
	dev := version.IsDev(normalized)
	if dev {
		err := tx.SetTag(normalized, v.ID, store.TagCond{Create: !overwrite})
		if errors.Is(err, store.ErrDenied) {
			return problem.Errorf(
				store.ErrDenied, "%s of %s exists with other content, and the token may create versions but not replace them.",
				v.Meta.Version, tx.Name(),
			)
		}
		if err != nil {
			return err
		}
	}
	f, err := fragmentOf(normalized, v)
	if err != nil {
		return err
	}
	if err := tx.Index(tableOf(normalized)).Put([]byte(normalized), f.encode()); err != nil {
		return err
	}
	if err := stamp(tx, dev); err != nil {
		return err
	}
	return list(tx, normalized, v)
}

// modifiedTable has the Last-Modified of each document, by name: it outlives the package, because clients keep
// documents longer than that and would take an older time for an unchanged document.
const modifiedTable = "modified"

func modifiedKey(name string, branches bool) []byte {
	if branches {
		name += "~dev"
	}
	return []byte(name)
}

// stamp moves the Last-Modified of a document on by at least the second that HTTP can tell apart.
func stamp(tx *store.PackageTx[Meta], branches bool) error {
	table, key := tx.KindIndex(modifiedTable), modifiedKey(tx.Name(), branches)
	at := tx.Tx().Now().Truncate(time.Second)
	if last := parseStamp(table.Get(key)); !at.After(last) {
		at = last.Add(time.Second)
	}
	return table.Put(key, rawjson.Quote(at.Format(time.RFC3339)))
}

// parseStamp reads a row; no row is the zero time.
func parseStamp(row []byte) time.Time {
	t, _ := time.Parse(time.RFC3339, rawjson.TextOf(row))
	return t
}
