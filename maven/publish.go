package maven

// Files come in, one by one: a deploy is a sequence of PUTs that only the metadata at its end announces. Checksums are
// compared, never kept.

import (
	"cmp"
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"larder/auth"
	"larder/internal/budget"
	"larder/internal/problem"
	"larder/internal/registry"
	"larder/internal/wire"
	"larder/maven/archive"
	"larder/maven/metadata"
	"larder/maven/names"
	"larder/maven/pom"
	"larder/maven/recent"
	"larder/store"
)

// What the journal says beside the store's own words.
const (
	opAdd       store.Op = "add"       // a file of a version that exists
	opOverwrite store.Op = "overwrite" // a file has other bytes now; the note has both digests
	opList      store.Op = "list"      // a version is announced: metadata names it
	opBreak     store.Op = "break"     // a file did not match its checksum and was taken out
)

// abandoned is how long an open version must rest before files with other bytes may take the place of its own: somebody
// builds again what could not be deployed. Before, two deployments of one version would get mixed.
const abandoned = 2 * time.Minute

// maxSignature is the size up to which a signature is looked into.
const maxSignature = 64 << 10

// upload is one file on its way in.
type upload struct {
	s    *server
	r    *http.Request
	q    Request
	name string     // of the artifact in the store
	id   string     // of the version in the store
	key  string     // of the file in the store
	file names.File // what the file's name says

	stage    *store.Stage
	digest   digest.Digest
	sums     map[string]string
	facts    Meta // what the file says: POM, Jar, Module, Signed
	warnings []string
}

// putFile is PUT of a file.
func (s *server) putFile(w http.ResponseWriter, r *http.Request, q Request) error {
	u, err := s.newUpload(r, q)
	if err != nil {
		return err
	}
	done := s.busy.Enter(u.name + "\x00" + u.id)
	defer done()
	if err := u.receive(); err != nil {
		return err
	}
	defer u.stage.Abort()
	err = u.store(r.Context())
	// Of a file that was refused the checksums come all the same.
	s.arrivals.Add(u.who(), recent.Arrived{Digest: u.digest, Sums: u.sums, Refused: err != nil})
	if err != nil {
		return err
	}
	return created(w)
}

// created answers every PUT that was taken: a 200 for what was there already would mean nothing to any client.
func created(w http.ResponseWriter) error {
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusCreated)
	return nil
}

// newUpload checks what is known before the body: coordinates, kind of version, header.
func (s *server) newUpload(r *http.Request, q Request) (*upload, error) {
	u := &upload{
		s: s, r: r, q: q, name: q.Name, id: q.Version, key: q.key(), file: names.SplitFile(q.Artifact, q.Version, q.File),
	}
	if u.file.Version != "" {
		u.id = u.file.Version
	}
	if err := names.CheckCoordinates(q.Group, q.Artifact, q.Version, s.opt.AnyScript); err != nil {
		return nil, err
	}
	if strings.ContainsAny(q.File, " \t<>\"") {
		return nil, problem.Errorf(store.ErrInvalid, "The file name %q has a space or one of the characters < > \"", q.File)
	}
	if timestamp, _, ok := names.SplitBuild(q.Version, u.id); ok {
		if _, err := time.Parse(names.Stamp, timestamp); err != nil {
			return nil, problem.Errorf(store.ErrInvalid, "%s is not a time.", timestamp)
		}
	}
	switch snapshot := names.IsSnapshot(q.Version); {
	case snapshot && s.opt.Versions == ReleasesOnly:
		return nil, problem.Errorf(store.ErrInvalid, "This repository takes releases only; %s is a snapshot.", q.Version)
	case !snapshot && s.opt.Versions == SnapshotsOnly:
		return nil, problem.Errorf(store.ErrInvalid, "This repository takes snapshots only; %s is a release.", q.Version)
	case names.IsIvyType(q.Version):
		return nil, problem.Errorf(
			store.ErrInvalid, "%s is in no folder of a revision, and its name does not begin with %s- and a revision: nobody "+
				"could say which revision it is of. Add [revision] to the pattern of the repository.", q.File, q.Artifact,
		)
	case r.Header.Get("Content-Range") != "":
		return nil, problem.Errorf(store.ErrInvalid, "A part of a file cannot be put (Content-Range).")
	case r.Header.Get("Content-Encoding") != "" && r.Header.Get("Content-Encoding") != "identity":
		return nil, problem.Errorf(problem.ErrMediaType, "A file must be sent as it is, without Content-Encoding.")
	}
	if !s.Up.Shared(u.name) {
		if err := s.MayClaim(r.Context(), u.name, q.modules()...); err != nil {
			return nil, err
		}
	}
	return u, s.Store.Admit(r.Context(), store.Maven, u.name, max(r.ContentLength, 0))
}

// receive takes the body in and looks into it.
func (u *upload) receive() error {
	ctx := u.r.Context()
	extra := []string{"md5", "sha1"}
	if strings.HasPrefix(u.r.UserAgent(), "Gradle/") {
		extra = append(extra, "sha512") // Gradle will ask to compare it; for all others it is computed when they do
	}
	var err error
	u.stage, err = u.s.Store.Stage(ctx, store.StageOptions{
		Size: max(u.r.ContentLength, 0), Limit: u.s.opt.MaxFile, Sums: extra,
	})
	if err != nil {
		return err
	}
	if _, err := u.stage.ReadFrom(u.r.Body); err != nil {
		u.stage.Abort()
		return err
	}
	u.digest = u.stage.Digest()
	u.sums = map[string]string{}
	for _, name := range extra {
		u.sums[name] = u.stage.Sum(name)
	}
	if err := u.checkAnnounced(); err != nil {
		u.stage.Abort()
		return err
	}
	if err := budget.During(ctx, min(inspectionSize, 1<<20+3*u.stage.Size()), u.inspect); err != nil {
		u.stage.Abort()
		return err
	}
	return nil
}

// who is under which the upload is remembered: sums are compared with what the same user has put at this path.
func (u *upload) who() recent.Key {
	return recent.Key{Path: u.q.Path, User: store.ActorFrom(u.r.Context()).User}
}

// checkAnnounced compares the bytes with checksums that came before them.
func (u *upload) checkAnnounced() error {
	for alg, want := range u.s.arrivals.Announced(u.who()) {
		got := u.sums[alg]
		if alg == "sha256" {
			got = u.digest.Encoded()
		}
		if got != "" && got != want {
			return mismatch(u.q, alg, got, want)
		}
	}
	return nil
}

// inspectionSize is the most that reading what a file says of itself holds, in bytes: it is small, but not what it
// unpacks to.
const inspectionSize = 12 << 20

// inspect reads what the file says of itself.
func (u *upload) inspect() error {
	size := u.stage.Size()
	switch f := u.file; {
	case f.Version == "":
	case f.IsPOM() && size <= maxPOM:
		text, err := u.bytes()
		if err != nil {
			return err
		}
		u.facts.POM, u.warnings = pom.ReadFacts(text, u.q.Group, u.q.Artifact, u.q.Version)
		if u.s.opt.StrictPOMs && len(u.warnings) > 0 {
			return problem.Errorf(store.ErrInvalid, "The POM is refused: %s.", strings.Join(u.warnings, "; "))
		}
	case f.IsMain() && f.Ext == "jar":
		var warning string
		if u.facts.Jar, warning = archive.ReadJar(u.stage, size, u.q.Group, u.q.Artifact); warning != "" {
			u.warnings = []string{warning}
		}
	case f.Ext == "module" && f.Classifier == "" && f.Sig == "" && size <= maxModule:
		text, err := u.bytes()
		if err != nil {
			return err
		}
		var warning string
		if u.facts.Module, warning = archive.ReadModule(text); warning != "" {
			u.warnings = []string{warning}
		}
	case f.Sig == ".asc" && size <= maxSignature:
		text, err := u.bytes()
		if err != nil {
			return err
		}
		if sig, ok := archive.ReadSignature(text); ok {
			u.facts.Signed = map[string]archive.Signature{u.q.File: sig}
		}
	}
	return nil
}

// bytes reads the stage, which is small.
func (u *upload) bytes() ([]byte, error) {
	return io.ReadAll(io.NewSectionReader(u.stage, 0, u.stage.Size()))
}

// outcome is what a file is to the version it comes to.
type outcome int

const (
	fresh    outcome = iota // not there yet
	same                    // there with these bytes: a client that deploys again
	confirms                // the same, in an open version that was left and is being deployed again
	kept                    // another signature of the same file: the first stays
	replaces                // there with other bytes, which may change
)

// store commits the file in one transaction with its version.
func (u *upload) store(ctx context.Context) error {
	var v outcome
	err := u.s.Repo.View(ctx, u.name, func(p *store.PackageTx[Meta]) (err error) {
		_, v, err = u.compare(p)
		return err
	})
	if err != nil || v == kept {
		return err
	}
	if v == same {
		// The store needs the bytes when those it has went bad.
		_, err := u.stage.Commit(ctx)
		return err
	}
	if v == replaces {
		// Overwriting is more than adding, and only that was asked for so far.
		if err := u.s.May(ctx, auth.Write, u.name); err != nil {
			return err
		}
	}
	_, err = u.stage.CommitWith(ctx, func(tx *store.Tx, b store.Blob) error {
		return u.s.Repo.In(tx, u.name, func(p *store.PackageTx[Meta]) error { return u.apply(p, b, v) })
	})
	return err
}

// compare compares the file with what is there.
func (u *upload) compare(p *store.PackageTx[Meta]) (store.Version[Meta], outcome, error) {
	v, err := p.Version(u.id)
	if errors.Is(err, store.ErrNotFound) {
		return store.Version[Meta]{ID: u.id, Meta: Meta{Base: u.q.Version, Open: true}}, fresh, nil
	}
	if err != nil {
		return v, fresh, err
	}
	left := u.left(p, v)
	i := slices.IndexFunc(v.Files, func(f store.File) bool { return f.Name == u.key })
	switch {
	case i < 0:
		return v, fresh, nil
	case v.Files[i].Digest == u.digest && left:
		return v, confirms, nil
	case v.Files[i].Digest == u.digest:
		return v, same, nil
	case left || u.id == v.Meta.Base && (names.IsSnapshot(v.Meta.Base) || u.s.opt.Redeploy):
		return v, replaces, nil
	case u.file.Sig != "":
		return v, kept, nil
	}
	return v, fresh, u.immutable(v.Files[i])
}

// left reports whether the version is open and this file of it is a remnant of an attempt that was given up.
func (u *upload) left(p *store.PackageTx[Meta], v store.Version[Meta]) bool {
	return v.Meta.Open && (slices.Contains(v.Meta.Stale, u.key) || u.restarts(v.Meta, p.Tx().Now()))
}

// restarts reports whether this file begins another attempt at an open version.
func (u *upload) restarts(m Meta, now time.Time) bool {
	return m.Open && now.Sub(m.Last) >= abandoned && u.s.busy.Count(u.name+"\x00"+u.id) <= 1
}

// immutable is the error of a file that would replace another that may not change.
func (u *upload) immutable(old store.File) error {
	what := "Release " + names.Coordinates(u.name, u.id) + " is immutable"
	if u.id != u.q.Version {
		what = "Build " + names.Coordinates(u.name, u.id) + " exists already; deploy again to get the next build number"
	}
	return problem.Errorf(
		store.ErrImmutable, "%s: %s is stored with sha1 %s, sent was %s.", what, u.q.File, old.Sums["sha1"], u.sums["sha1"],
	)
}

// apply is the one transaction of an upload.
func (u *upload) apply(p *store.PackageTx[Meta], b store.Blob, expected outcome) error {
	v, what, err := u.compare(p)
	switch {
	case err != nil:
		return err
	case what == same || what == kept:
		return nil
	case what == replaces && expected != replaces:
		return problem.Errorf(
			store.ErrBusy, "%s is being deployed by someone else; try again.", names.Coordinates(u.name, u.id),
		)
	case what == fresh && len(v.Files) >= maxFiles:
		return problem.Errorf(store.ErrTooLarge, "A version has at most %d files.", maxFiles)
	}
	isNew := len(v.Files) == 0 && v.Published.IsZero()
	if isNew {
		if err := u.s.claim(p); err != nil {
			return err
		}
	}
	old := u.place(&v, b, p.Tx().Now())
	if err := u.write(p, v, old, isNew); err != nil {
		return err
	}
	if err := indexSHA1(p, old, u.key, false); err != nil {
		return err
	}
	i := slices.IndexFunc(v.Files, func(f store.File) bool { return f.Name == u.key })
	if err := indexSHA1(p, v.Files[i], u.key, true); err != nil {
		return err
	}
	if v.Meta.Open {
		return u.s.await(p, v)
	}
	return u.s.extend(p, v, u.key)
}

func (u *upload) write(p *store.PackageTx[Meta], v store.Version[Meta], old store.File, isNew bool) error {
	switch {
	case isNew:
		return p.Publish(v)
	case old.Digest != "" && old.Digest != u.digest:
		p.Tx().Log(store.Entry{
			Kind: store.Maven, Package: u.name, Version: v.ID, Op: opOverwrite,
			Note: u.key + " " + string(old.Digest) + " → " + string(u.digest),
		})
		return p.Replace(v, opOverwrite)
	}
	return p.Replace(v, opAdd)
}

// place puts the file and what it says into the record; it returns the file it replaces, or the zero File.
func (u *upload) place(v *store.Version[Meta], b store.Blob, now time.Time) (old store.File) {
	m := &v.Meta
	if len(v.Files) > 0 && u.restarts(*m, now) {
		m.Stale = nil
		for _, f := range v.Files {
			m.Stale = append(m.Stale, f.Name)
		}
	}
	m.Stale = slices.DeleteFunc(slices.Clone(m.Stale), func(s string) bool { return s == u.key })
	f := store.File{Name: u.key, Digest: b.Digest, Size: b.Size, Type: names.MediaType(u.q.File), Sums: u.sums}
	v.Files = slices.Clone(v.Files)
	if i := slices.IndexFunc(v.Files, func(f store.File) bool { return f.Name == u.key }); i >= 0 {
		old, v.Files[i] = v.Files[i], f
	} else {
		v.Files = append(v.Files, f)
	}
	if !v.Published.IsZero() {
		m.Times = with(m.Times, u.key, now)
	}
	if m.Open {
		m.Last = now
		m.Waits = announces(u.r.UserAgent()) && !slices.ContainsFunc(v.Files, func(f store.File) bool {
			return names.IsIvy(f.Name) // no client ends such a publish with metadata
		})
	}
	m.Broken = without(m.Broken, u.q.File)
	m.Warnings = without(m.Warnings, u.q.File)
	if len(u.warnings) > 0 {
		m.Warnings = with(m.Warnings, u.q.File, u.warnings)
	}
	if u.facts.POM != nil {
		m.POM = u.facts.POM
	}
	if u.file.IsMain() && u.file.Ext == "jar" {
		m.Jar = u.facts.Jar
	}
	if u.facts.Module != nil {
		m.Module = u.facts.Module
	}
	for name, sig := range u.facts.Signed {
		m.Signed = with(m.Signed, name, sig)
	}
	return old
}

// announces reports whether a client ends its deploys with metadata.
func announces(agent string) bool {
	return strings.HasPrefix(agent, "Apache-Maven/") || strings.HasPrefix(agent, "Gradle/") ||
		strings.HasPrefix(agent, "Leiningen/")
}

// with is m with one more entry; records are shared until they are written.
func with[V any](m map[string]V, key string, v V) map[string]V {
	out := make(map[string]V, len(m)+1)
	maps.Copy(out, m)
	out[key] = v
	return out
}

func without[V any](m map[string]V, key string) map[string]V {
	out := maps.Clone(m)
	delete(out, key)
	return out
}

// claim makes the artifact, with its first publisher as owner.
func (s *server) claim(p *store.PackageTx[Meta]) error {
	if isNew, err := registry.IsNew(p); err != nil || !isNew {
		return err
	}
	group, _ := names.SplitName(p.Name())
	if err := p.KindIndex(kindPrefixes).Put(prefixKey(group, p.Name()), nil); err != nil {
		return err
	}
	return registry.Own(p, nil)
}

// indexSHA1 makes a file findable by its sha1, or no longer.
func indexSHA1(p *store.PackageTx[Meta], f store.File, key string, there bool) error {
	if f.Sums["sha1"] == "" {
		return nil
	}
	row := []byte(f.Sums["sha1"] + "\x00" + p.Name() + "\x00" + key)
	if there {
		return p.KindIndex(kindSHA1).Put(row, nil)
	}
	return p.KindIndex(kindSHA1).Delete(row)
}

// putSnapshot is PUT of a snapshot's metadata.
func (s *server) putSnapshot(w http.ResponseWriter, r *http.Request, q Request) error {
	m, err := s.readSent(r, q)
	if err != nil {
		return err
	}
	if m != nil {
		if err := s.announce(r.Context(), q.Name, m.Names()); err != nil {
			return err
		}
	}
	return created(w)
}

// putMetadata is PUT of the metadata of an artifact, or of a group's plugins: whose it is, and so who may write it,
// only its content tells. Plugins are read from their jars, so a group's is accepted and changes nothing.
func (s *server) putMetadata(w http.ResponseWriter, r *http.Request, q Request) error {
	ctx := r.Context()
	if wire.IdentityFrom(ctx).Anonymous {
		return needLogin()
	}
	own := s.May(ctx, auth.Create, q.Name)
	m, err := s.readSent(r, q)
	if err != nil {
		return cmp.Or(own, err)
	}
	who := recent.Key{Path: q.Path, User: store.ActorFrom(ctx).User}
	switch {
	case own == nil && m != nil:
		err = s.announce(ctx, q.Name, m.Names())
	case own == nil:
	case m != nil && s.mayGroup(ctx, q, m):
		s.arrivals.Add(who, recent.Arrived{})
	case m == nil && s.arrivals.Brought(who, ""):
		// The checksum of a group's metadata that this user has just sent.
	default:
		return own
	}
	if err != nil {
		return err
	}
	return created(w)
}

// mayGroup reports whether the user may deploy one of the plugins of the group's document.
func (s *server) mayGroup(ctx context.Context, q Request, m *metadata.Sent) bool {
	group := strings.TrimPrefix(q.Group+"."+q.Artifact, ".")
	return slices.ContainsFunc(m.Plugins[:min(len(m.Plugins), 1000)], func(p metadata.SentPlugin) bool {
		return s.May(ctx, auth.Create, names.PackageName(group, string(p.Artifact))) == nil
	})
}

// readSent reads the metadata a client sends; nil for a checksum of it, which is that of the client's document and not
// of ours.
func (s *server) readSent(r *http.Request, q Request) (*metadata.Sent, error) {
	limit := int64(maxMetadata)
	if q.Sum != "" {
		limit = maxSum
	}
	text, err := wire.ReadBody(r, limit)
	if err != nil || q.Sum != "" {
		return nil, err
	}
	m, err := metadata.Read(text)
	if err != nil {
		return nil, problem.Wrap(err, store.ErrInvalid, "This is not Maven metadata.")
	}
	return m, nil
}
