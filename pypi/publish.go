package pypi

// Uploads. What a distribution says of itself counts; what the form says is compared with it.

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"larder/auth"
	"larder/internal/multiform"
	"larder/internal/pep440"
	"larder/internal/problem"
	"larder/internal/pydist"
	"larder/internal/registry"
	"larder/internal/wire"
	"larder/pypi/simple"
	"larder/store"
)

// upload reads the form. Who may not upload anything is told before the file is read.
func (s *server) upload(w http.ResponseWriter, r *http.Request, _ Request) error {
	ctx := r.Context()
	if id := wire.IdentityFrom(ctx); id.Anonymous || id.ReadOnly {
		if err := s.May(ctx, auth.Create, ""); err != nil {
			return err
		}
	}
	p := &publication{s: s, request: r}
	defer p.abort()
	known := map[string][]string{":action": r.URL.Query()[":action"]}
	f, err := multiform.Read(r, formLimits(), known, p.open)
	if err != nil {
		return err
	}
	p.form = form{f}
	isUpload, err := p.form.action()
	switch {
	case err != nil:
		return err
	case !isUpload:
		// Projects come into being with their first file; there is nothing to register, so there is no right to ask for.
		wire.Asked(ctx)
		return done(w, nil)
	}
	return p.publish(ctx, w)
}

// done answers an upload. Tools show the body only when asked to be verbose.
func done(w http.ResponseWriter, warnings []string) error {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	for _, text := range warnings {
		if _, err := fmt.Fprintln(w, "Warning: "+text); err != nil {
			return err
		}
	}
	return nil
}

// publication is a file that is being uploaded.
type publication struct {
	s       *server
	request *http.Request
	form    form
	stage   *store.Stage

	name       string // normalised; "" before it is known and its right was asked
	file       pydist.Filename
	dist       *pydist.Distribution
	provenance []byte
	artifact   artifact
	warnings   []string
}

func (p *publication) abort() {
	if p.stage != nil {
		p.stage.Abort()
	}
}

// open starts the stage of the file: its sums are computed while it arrives.
func (p *publication) open(f *multiform.Form) (io.Writer, error) {
	ctx := p.request.Context()
	if name := (form{f}).get("name"); name != "" {
		if err := p.claim(ctx, name); err != nil {
			return nil, err
		}
	}
	var err error
	p.stage, err = p.s.Store.Stage(
		ctx, store.StageOptions{Size: -1, Limit: p.s.opt.MaxFile, Sums: []string{"md5", "blake2b-256"}},
	)
	return p.stage, err
}

// claim asks whether the client may upload to the project that the form names.
func (p *publication) claim(ctx context.Context, name string) error {
	if err := pydist.CheckName(name); err != nil {
		return err
	}
	p.name = pydist.Normalise(name)
	if err := p.s.May(ctx, auth.Create, p.name); err != nil {
		return err
	}
	if err := p.s.mayClaim(ctx, p.name); err != nil {
		return err
	}
	return p.s.Store.Admit(ctx, store.PyPI, p.name, max(p.request.ContentLength, 0))
}

// publish checks in the order of cost and writes only when nothing can be wrong any more.
func (p *publication) publish(ctx context.Context, w http.ResponseWriter) error {
	if err := p.checkForm(ctx); err != nil {
		return err
	}
	if err := p.checkSums(); err != nil {
		return err
	}
	again, err := p.s.Publish(ctx, p.name, p.stage, inspectionSize, p)
	if err != nil {
		return err
	}
	if again {
		return done(w, nil)
	}
	if p.warnings = append(p.warnings, wire.Notices(ctx)...); len(p.warnings) > 0 {
		text := strings.Join(p.warnings, " ")
		p.s.Log.LogAttrs(
			ctx, slog.LevelInfo, "upload with warnings", slog.String("file", p.file.Text), slog.String("warnings", text),
		)
	}
	return done(w, p.warnings)
}

// checkForm compares what the form says with the file's name.
func (p *publication) checkForm(ctx context.Context) (err error) {
	f, signature := p.form, p.form.get(fieldSignature)
	switch {
	case p.stage == nil:
		return problem.Errorf(store.ErrInvalid, "The upload has no file: the field content is missing.")
	case f.get("name") == "" || f.get("version") == "":
		return problem.Errorf(store.ErrInvalid, "The upload has no name or no version.")
	case f.get("protocol_version") != "" && f.get("protocol_version") != "1":
		return problem.Errorf(store.ErrInvalid, "The upload's protocol_version is %.20q, not 1.", f.get("protocol_version"))
	}
	if p.name == "" {
		if err := p.claim(ctx, f.get("name")); err != nil {
			return err
		}
	}
	if p.file, err = pydist.ParseFilename(f.Filename); err != nil {
		return err
	}
	switch {
	case p.file.Project != p.name:
		return problem.Errorf(store.ErrInvalid, "The upload is about %s, but its file is called %s.", p.name, p.file.Text)
	case !pep440.Equal(f.get("version"), p.file.Version.String()):
		return problem.Errorf(
			store.ErrInvalid, "The upload is about version %.80q, but its file is called %s.", f.get("version"), p.file.Text,
		)
	case f.get("filetype") != "" && f.get("filetype") != p.file.Kind:
		return problem.Errorf(
			store.ErrInvalid, "The upload's filetype is %.40q, but its file is called %s.", f.get("filetype"), p.file.Text,
		)
	case len(signature) > maxSignature:
		return problem.Errorf(store.ErrTooLarge, "The signature has more than %d bytes.", maxSignature)
	case len(signature) > 0 && !strings.HasPrefix(signature, "-----BEGIN PGP SIGNATURE-----"):
		return problem.Errorf(store.ErrInvalid, "The signature is not an ASCII-armored PGP signature.")
	case p.s.opt.Strict && !p.file.Strict():
		return problem.Errorf(
			store.ErrInvalid, "The file name %s is not written as the specifications ask (PEP 625, PEP 427).", p.file.Text,
		)
	}
	return nil
}

// checkSums compares the file with each digest that was sent.
func (p *publication) checkSums() error {
	a := &p.artifact
	*a = artifact{
		Name: p.file.Text, Kind: p.file.Kind, Python: cmp.Or(p.file.Python, "source"), Version: p.file.Version.String(),
		Digest: p.stage.Digest(), Size: p.stage.Size(), MD5: p.stage.Sum("md5"), Blake2: p.stage.Sum("blake2b-256"),
		Comment: p.form.get("comment"),
	}
	if a.Digest == "" {
		return errors.New("the stage has no digest")
	}
	sent := false
	for field, sum := range map[string]string{
		"sha256_digest": a.Digest.Encoded(), "md5_digest": a.MD5, "blake2_256_digest": a.Blake2,
	} {
		want := strings.TrimSpace(p.form.get(field))
		sent = sent || want != ""
		if want != "" && !strings.EqualFold(want, sum) {
			return problem.Errorf(store.ErrDigest, "The file's %s is %s, but %.80s was announced.", field, sum, want)
		}
	}
	if !sent {
		p.warnings = append(p.warnings, "The upload came without a digest, so damage on the way could not be noticed.")
	}
	a.Comment = a.Comment[:min(len(a.Comment), maxReason)]
	return nil
}

// Taken compares the file with the one of its name that is here. That the same file may come again is what twine knows
// instead of --skip-existing.
func (p *publication) Taken(tx *store.PackageTx[Meta]) (same bool, err error) {
	_, f, err := tx.File(p.file.Text)
	switch {
	case err == nil && f.Digest == p.artifact.Digest:
		return true, nil
	case err == nil:
		return false, problem.Errorf(
			store.ErrExists, "File already exists (%s) with different content; choose a new version.", p.file.Text,
		)
	case !errors.Is(err, store.ErrNotFound):
		return false, err
	}
	if tx.KindIndex(tableGone).Get(goneKey(p.name, p.file.Text)) != nil {
		return false, problem.Errorf(
			store.ErrExists, "File already existed (%s) and was deleted; its name cannot be used again.", p.file.Text,
		)
	}
	return false, nil
}

// inspectionSize is the most that reading what a distribution says of itself holds, in bytes: it is small, but not what
// it unpacks to.
const inspectionSize = 12 << 20

// Inspect opens the distribution; what it says of itself must be what its name says.
func (p *publication) Inspect() (err error) {
	if p.dist, err = pydist.Read(p.stage, p.stage.Size(), p.file, p.s.opt.Strict); err != nil {
		return err
	}
	p.warnings = append(p.warnings, p.dist.Warnings...)
	if differs := p.form.differs(p.dist.Metadata.Get); len(differs) > 0 {
		text := fmt.Sprintf("The file's own %s counts, which the upload form said otherwise.", strings.Join(differs, ", "))
		if p.s.opt.Strict {
			return problem.Errorf(store.ErrInvalid, "%s", text)
		}
		p.warnings = append(p.warnings, text)
		p.artifact.Differs = differs
	}
	p.provenance, err = pydist.Provenance(p.form.get("attestations"), p.file, p.artifact.Digest.Encoded())
	return err
}

// Assemble stores what belongs to the file: metadata, signature and attestations.
func (p *publication) Assemble(ctx context.Context) error {
	a := &p.artifact
	a.Requires = p.dist.Metadata.Get("Requires-Python")
	b, err := p.s.Store.PutBytes(ctx, p.dist.Raw)
	if err != nil {
		return err
	}
	a.Metadata = b.Digest
	if signature := p.form.get(fieldSignature); signature != "" {
		if b, err = p.s.Store.PutBytes(ctx, []byte(signature)); err != nil {
			return err
		}
		a.Signature = b.Digest
	}
	if p.provenance != nil {
		if b, err = p.s.Store.PutBytes(ctx, p.provenance); err != nil {
			return err
		}
		a.Attestations = b.Digest
	}
	return nil
}

// Commit is the one transaction of an upload.
func (p *publication) Commit(tx *store.PackageTx[Meta], _ store.Blob) error {
	if err := p.checkStatus(tx); err != nil {
		return err
	}
	v, isNew, err := p.release(tx)
	if err != nil {
		return err
	}
	a := p.artifact
	a.Uploaded, a.By = tx.Tx().Now(), tx.Tx().Actor().User
	v.Meta.Files = append(slices.Clip(v.Meta.Files), a)
	v.Files = v.Meta.files()
	actions := []string{p.action()}
	if isNew {
		actions = append([]string{"new release"}, actions...)
		if err := p.create(tx, &actions); err != nil {
			return err
		}
		err = tx.Publish(v)
	} else {
		err = tx.Replace(v, store.OpPublish)
	}
	if err != nil {
		return err
	}
	if err := putRow(tx, &v, &a); err != nil {
		return err
	}
	if err := p.list(tx, &v); err != nil {
		return err
	}
	return note(tx, v.ID, actions...)
}

// checkStatus refuses what a project's status forbids.
func (p *publication) checkStatus(tx *store.PackageTx[Meta]) error {
	st, err := statusOf(tx)
	if err != nil {
		return err
	}
	if st.Status == simple.Archived || st.Quarantined() {
		return problem.Errorf(store.ErrDenied, "The project %s is %s and takes no uploads.", p.name, st.Status)
	}
	return nil
}

// release finds the release the file belongs to, or makes a new one.
func (p *publication) release(tx *store.PackageTx[Meta]) (v store.Version[Meta], isNew bool, err error) {
	var rel release
	found, err := getJSON(tx.Index(indexReleases), p.file.Version.Key(), &rel)
	if err != nil {
		return v, false, err
	}
	if !found {
		return store.Version[Meta]{ID: p.file.Version.String(), Published: tx.Tx().Now(), By: tx.Tx().Actor().User}, true, nil
	}
	if v, err = tx.Version(rel.ID); err != nil {
		return v, false, err
	}
	if limit := p.s.opt.CloseReleases; limit > 0 && tx.Tx().Now().Sub(v.Published) > limit {
		return v, false, problem.Errorf(
			store.ErrDenied, "Release %s of %s is closed: it takes files for %s after its first one.", v.ID, p.name,
			days(limit),
		)
	}
	for _, other := range v.Meta.Files {
		f, err := pydist.ParseFilename(other.Name)
		switch {
		case err != nil:
			return v, false, fmt.Errorf("file %s: %w", other.Name, err)
		case f.Kind == pydist.Sdist && p.file.Kind == pydist.Sdist:
			return v, false, problem.Errorf(
				store.ErrInvalid, "Release %s of %s has its source archive already (%s); it can have one.", v.ID, p.name,
				other.Name,
			)
		case f.Same() == p.file.Same():
			return v, false, problem.Errorf(
				store.ErrExists, "File already exists (%s), with its name spelled otherwise.", other.Name,
			)
		}
	}
	return v, false, nil
}

func days(d time.Duration) string {
	if d%(24*time.Hour) == 0 {
		return fmt.Sprintf("%d days", d/(24*time.Hour))
	}
	return d.String()
}

// action is what the change log calls the upload.
func (p *publication) action() string {
	if p.file.Kind == pydist.Sdist {
		return "add source file " + p.file.Text
	}
	return "add " + p.file.Python + " file " + p.file.Text
}

// create makes a project that is new, with its first uploader as owner and its name as the metadata spells it.
func (p *publication) create(tx *store.PackageTx[Meta], actions *[]string) error {
	isNew, err := registry.IsNew(tx)
	if err != nil || !isNew {
		return err
	}
	*actions = append([]string{"create"}, *actions...)
	return registry.Own(tx, func(pkg *store.Package) { pkg.Display = p.dist.Metadata.Get("Name") })
}

// list keeps the release's row, and what the project is found by.
func (p *publication) list(tx *store.PackageTx[Meta], v *store.Version[Meta]) error {
	rel := release{ID: v.ID, Yanked: yanked(v)}
	if main := v.Meta.main(); main.Name == p.file.Text {
		rel.About = aboutOf(p.dist.Metadata)
	} else if _, err := getJSON(tx.Index(indexReleases), p.file.Version.Key(), &rel); err != nil {
		return err
	}
	rel.Yanked = yanked(v)
	if err := putJSON(tx.Index(indexReleases), p.file.Version.Key(), rel); err != nil {
		return err
	}
	var latest release
	found, err := getJSON(tx.Index(indexProject), []byte(keyLatest), &latest)
	if err != nil || found && rel.ID != latest.ID && !latest.before(rel) {
		return err
	}
	return setLatest(tx, rel)
}

func putRow(tx *store.PackageTx[Meta], v *store.Version[Meta], a *artifact) error {
	key, err := keyOf(a)
	if err != nil {
		return err
	}
	r := rowOf(v, a)
	return tx.Index(indexFiles).Put(key, r.Encode())
}

// keyOf is the key of a file's row.
func keyOf(a *artifact) ([]byte, error) {
	v, err := pep440.Parse(a.Version)
	if err != nil {
		return nil, fmt.Errorf("file %s: %w", a.Name, err)
	}
	return rowKey(v, a.Name), nil
}

// setLatest notes which release speaks for the project.
func setLatest(tx *store.PackageTx[Meta], rel release) error {
	if err := putJSON(tx.Index(indexProject), []byte(keyLatest), rel); err != nil {
		return err
	}
	l := listingOf(tx.Name(), rel)
	return tx.SetListing(&l)
}

// statusOf reads a project's marker.
func statusOf(tx *store.PackageTx[Meta]) (st simple.Status, err error) {
	_, err = getJSON(tx.Index(indexProject), []byte(keyStatus), &st)
	return st.Filled(), err
}

// note writes what happened into the change log, and the project's new serial beside its name.
func note(tx *store.PackageTx[Meta], version string, actions ...string) error {
	serials := tx.KindIndex(tableSerial)
	n := number(serials.Get([]byte(keySerial)))
	for _, action := range actions {
		n++
		c := change{Name: tx.Name(), Version: version, Time: tx.Tx().Now().Unix(), Action: action}
		if err := putJSON(tx.KindIndex(tableChanges), key64(n), c); err != nil {
			return err
		}
	}
	if err := serials.Put([]byte(keySerial), key64(n)); err != nil {
		return err
	}
	pkg, err := tx.Package()
	if errors.Is(err, store.ErrNotFound) {
		return tx.KindIndex(tableProjects).Delete([]byte(tx.Name()))
	}
	if err != nil {
		return err
	}
	st, err := statusOf(tx)
	if err != nil {
		return err
	}
	row := listed{Display: cmp.Or(pkg.Display, tx.Name()), Serial: n, Hidden: st.Quarantined() || pkg.Versions == 0}
	if err := putJSON(tx.KindIndex(tableProjects), []byte(tx.Name()), row); err != nil {
		return err
	}
	return tx.Index(indexProject).Put([]byte(keySerial), key64(n))
}
