package npm

// PUT /:pkg: three different bodies come by one route. What has a tarball is a publish, what has versions a
// deprecation, what has users a star; nothing else changes anything, and none of them replaces the document.

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"

	"larder/internal/problem"
	"larder/internal/rawjson"
	"larder/internal/registry"
	"larder/internal/wire"
	"larder/npm/archive"
	"larder/npm/names"
	"larder/npm/putdoc"
	"larder/npm/version"
	"larder/store"
)

// put dispatches on what the body holds, never on headers: pnpm and yarn do not send npm-command.
func (s *server) put(w http.ResponseWriter, r *http.Request, q Request) error {
	ctx := r.Context()
	p := &publication{s: s, name: q.Name, request: r}
	defer p.abort()
	body, err := putdoc.Read(&capped{r: r.Body, left: s.opt.MaxTarball/3*4 + maxDocument}, p.open)
	if err != nil {
		return err
	}
	if err := checkNames(body, q.Name); err != nil {
		return err
	}
	switch {
	case body.Tarball != nil:
		p.body = body
		return p.publish(ctx, w)
	case body.Attachments > 0:
		return problem.Errorf(store.ErrInvalid, "The request has attachments, but no tarball.")
	case body.HasVersions:
		return s.deprecate(w, r, q, body)
	case body.HasUsers:
		return s.starDocument(w, r, q, body)
	}
	return problem.Errorf(store.ErrInvalid,
		"The request holds nothing to publish: it has no _attachments, versions or users.")
}

// capped ends a body that grows beyond all that can be in it.
type capped struct {
	r    io.Reader
	left int64
}

func (c *capped) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, problem.Errorf(store.ErrTooLarge, "The request is larger than this registry accepts.")
	}
	n, err := c.r.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	return n, err
}

// checkNames compares every name in the body with the one in the URL, by which the right was judged.
func checkNames(b *putdoc.Document, name string) error {
	if (b.Name != "" && b.Name != name) || (b.ID != "" && b.ID != name) {
		return problem.Errorf(store.ErrInvalid, "The request is about %s, but its body about %.214q.", name, b.Name+b.ID)
	}
	return nil
}

// publication is one version on its way in.
type publication struct {
	s       *server
	request *http.Request
	name    string
	body    *putdoc.Document
	stage   *store.Stage

	version   string
	sent      rawjson.Object // manifest of the request
	tarball   *archive.Archive
	sha1      string
	sha512    string
	integrity string
	record    store.Version[Meta]
	manifest  rawjson.Object
	notices   []string // sentences for the publisher, of what was not done as asked
}

// open starts the stage of the tarball: its sums are computed while it arrives.
func (p *publication) open() (io.Writer, error) {
	// Only what has a tarball needs room: a deprecation must be possible without.
	err := p.s.Store.Admit(p.request.Context(), store.NPM, p.name, max(p.request.ContentLength, 0)/4*3)
	if err != nil {
		return nil, err
	}
	p.stage, err = p.s.Store.Stage(p.request.Context(), store.StageOptions{
		Size: -1, Limit: p.s.opt.MaxTarball, Sums: []string{"sha1", "sha512"},
	})
	return p.stage, err
}

func (p *publication) abort() {
	if p.stage != nil {
		p.stage.Abort()
	}
}

// publish checks in the order of cost and writes only when nothing can be wrong any more.
func (p *publication) publish(ctx context.Context, w http.ResponseWriter) error {
	if err := p.checkManifest(); err != nil {
		return err
	}
	if err := p.checkSums(); err != nil {
		return err
	}
	again, err := p.s.Publish(ctx, p.name, p.stage, inspectionSize, p)
	if err != nil {
		return err
	}
	if len(p.record.Meta.Differs) > 0 && !again {
		fields := strings.Join(p.record.Meta.Differs, ", ")
		p.s.Log.LogAttrs(
			ctx, slog.LevelWarn, "manifest differs from tarball", slog.String("package", p.name),
			slog.String("version", p.version), slog.String("fields", fields),
		)
		p.notices = append(
			p.notices, "The tarball's "+fields+" differ from the manifest that was sent; the tarball's are served.",
		)
	}
	if p.notices = append(p.notices, wire.Notices(ctx)...); len(p.notices) > 0 {
		w.Header().Set("npm-notice", strings.Join(p.notices, " "))
	}
	return published(w)
}

func published(w http.ResponseWriter) error {
	return wire.JSON(w, http.StatusCreated, map[string]bool{"ok": true, "success": true})
}

func (p *publication) checkManifest() error {
	if len(p.body.Versions) != 1 {
		return problem.Errorf(store.ErrInvalid, "A publish has one version, this one has %d.", len(p.body.Versions))
	}
	v := p.body.Versions[0]
	p.version, p.sent = v.Key, v.Manifest
	if err := version.Check(p.version); err != nil {
		return err
	}
	if n, id := p.sent.Text("name"), p.sent.Text("_id"); n != p.name || id != "" && id != p.name+"@"+p.version {
		return problem.Errorf(store.ErrInvalid, "The request is about %s@%s, but its manifest about %.214q.", p.name,
			p.version, n)
	}
	if n := p.sent.Text("version"); n != p.version {
		return problem.Errorf(store.ErrInvalid, "The request is about version %s, but its manifest about %.80q.", p.version,
			n)
	}
	for tag, version := range p.body.Tags {
		if err := names.CheckTag(tag); err != nil {
			return err
		}
		if version != p.version {
			return problem.Errorf(store.ErrInvalid, "The dist-tag %q of this publish points at %.80q instead of %s.", tag,
				version, p.version)
		}
	}
	return nil
}

// checkSums compares the tarball with what the client says of it.
func (p *publication) checkSums() error {
	a := p.body.Tarball
	if a.Length >= 0 && a.Length != a.Size {
		return problem.Errorf(store.ErrDigest, "The tarball has %d bytes, %d were announced.", a.Size, a.Length)
	}
	p.sha1, p.sha512 = p.stage.Sum("sha1"), p.stage.Sum("sha512")
	sum, err := hex.DecodeString(p.sha512)
	if err != nil {
		return err
	}
	p.integrity = "sha512-" + base64.StdEncoding.EncodeToString(sum)
	dist := p.sent.Sub("dist")
	for want := range strings.FieldsSeq(dist.Text("integrity")) {
		want, _, _ = strings.Cut(want, "?")
		if strings.HasPrefix(want, "sha512-") && want != p.integrity {
			return problem.Errorf(store.ErrDigest, "The tarball's integrity is %s, announced was %.120s.", p.integrity, want)
		}
	}
	if want := dist.Text("shasum"); want != "" && !strings.EqualFold(want, p.sha1) {
		return problem.Errorf(store.ErrDigest, "The tarball's shasum is %s, announced was %.60s.", p.sha1, want)
	}
	return nil
}

// Taken compares the tarball with the one that is here.
func (p *publication) Taken(tx *store.PackageTx[Meta]) (same bool, err error) {
	v, err := tx.Version(p.version)
	switch {
	case errors.Is(err, store.ErrNotFound) && tx.Tombstone(p.version):
		return false, problem.Errorf(store.ErrExists,
			"Version %s of %s was unpublished and cannot be published again; choose a new version.", p.version, p.name)
	case errors.Is(err, store.ErrNotFound):
		return false, nil
	case err != nil:
		return false, err
	case v.Meta.Integrity == p.integrity:
		return true, nil
	}
	return false, problem.Errorf(store.ErrExists, "You cannot publish over the previously published versions: %s.",
		p.version)
}

// inspectionSize is the most that reading what a tarball says of itself holds, in bytes: it is small, but not what it
// unpacks to.
const inspectionSize = 4 << 20

// Inspect opens the tarball; what it says of itself must be what the request says.
func (p *publication) Inspect() error {
	t, err := archive.Read(io.NewSectionReader(p.stage, 0, p.stage.Size()))
	if err != nil {
		return err
	}
	own := strings.TrimLeft(t.Package.Text("version"), "v= ")
	own, _, _ = strings.Cut(strings.TrimSpace(own), "+")
	if name := t.Package.Text("name"); name != p.name || own != p.version {
		return problem.Errorf(store.ErrInvalid,
			"The request is about %s@%s, but the tarball's package.json about %.214s@%.80s.", p.name, p.version, name, own)
	}
	p.tarball = t
	return nil
}

// Assemble makes the record and stores every blob it needs beside the tarball.
func (p *publication) Assemble(ctx context.Context) error {
	m, differs, err := p.tarball.Manifest(p.sent, p.name, p.version)
	if err != nil {
		return err
	}
	if len(differs) > 0 && p.s.opt.StrictManifests {
		return problem.Errorf(store.ErrInvalid, "The manifest that was sent differs from the tarball's package.json in %s.",
			strings.Join(differs, ", "))
	}
	meta := Meta{Integrity: p.integrity, Differs: differs}
	if meta.Dist, err = p.dist(); err != nil {
		return err
	}
	p.record = store.Version[Meta]{ID: p.version, Files: []store.File{{
		Name: names.Tarball(p.name, p.version), Digest: p.stage.Digest(), Size: p.stage.Size(),
		Type: "application/octet-stream",
		Sums: map[string]string{"sha1": p.sha1, "sha512": p.sha512},
	}}}
	readme, readmeName := p.readme()
	meta.ReadmeName = readmeName
	for _, x := range []struct {
		to  *registry.Part
		raw []byte
	}{{&meta.Manifest, m.Encode()}, {&meta.Short, archive.Short(m).Encode()}, {&meta.Readme, readme}} {
		if err := p.s.Keep(ctx, &p.record, x.to, x.raw); err != nil {
			return err
		}
	}
	if err := p.attest(ctx, &meta); err != nil {
		return err
	}
	p.record.Meta = meta
	p.manifest = m
	return nil
}

// readme is the client's, else the tarball's, as a JSON string; nil when there is none.
func (p *publication) readme() (text json.RawMessage, name string) {
	s, name := p.sent.Text("readme"), p.sent.Text("readmeFilename")
	if s == "" {
		s = p.body.Readme
	}
	if s == "" {
		s, name = p.tarball.Readme, p.tarball.ReadmeName
	}
	if s == "" {
		return nil, ""
	}
	return rawjson.Quote(strings.ToValidUTF8(s[:min(len(s), archive.MaxReadme)], "")), name[:min(len(name), 64)]
}

// dist renders the members of dist that do not depend on who asks.
func (p *publication) dist() (string, error) {
	k, err := p.s.signer(p.request)
	if err != nil {
		return "", err
	}
	sig, err := k.Sign(p.name, p.version, p.integrity)
	if err != nil {
		return "", err
	}
	b, err := json.Marshal(struct {
		Integrity    string              `json:"integrity"`
		Shasum       string              `json:"shasum"`
		FileCount    int                 `json:"fileCount"`
		UnpackedSize int64               `json:"unpackedSize"`
		Signatures   []map[string]string `json:"signatures"`
	}{p.integrity, p.sha1, p.tarball.Files, p.tarball.Unpacked, []map[string]string{{"keyid": k.ID(), "sig": sig}}})
	return string(inner(b)), err
}

// attest keeps the provenance bundle as the attestations end point will answer it.
func (p *publication) attest(ctx context.Context, meta *Meta) error {
	if p.body.Bundle == "" {
		return nil
	}
	bundle, err := rawjson.Parse([]byte(p.body.Bundle))
	if err != nil {
		return problem.Errorf(store.ErrInvalid, "The provenance cannot be used: it %s", rawjson.Reason(err))
	}
	var statement struct {
		PredicateType string `json:"predicateType"`
		Subject       []struct {
			Digest map[string]string `json:"digest"`
		} `json:"subject"`
	}
	payload, err := base64.StdEncoding.DecodeString(bundle.Sub("dsseEnvelope").Text("payload"))
	if err != nil || json.Unmarshal(payload, &statement) != nil || statement.PredicateType == "" {
		return problem.Errorf(store.ErrInvalid, "The provenance is not a Sigstore bundle with an in-toto statement.")
	}
	if len(statement.Subject) != 1 || statement.Subject[0].Digest["sha512"] != p.sha512 {
		return problem.Errorf(store.ErrInvalid, "The provenance is about another tarball: its subject's sha512 is not %s.",
			p.sha512)
	}
	meta.Predicate = statement.PredicateType
	one := rawjson.Object{}.Add("predicateType", rawjson.Quote(statement.PredicateType)).Add("bundle",
		rawjson.Compact([]byte(p.body.Bundle)))
	return p.s.Keep(ctx, &p.record, &meta.Attestations,
		rawjson.Object{}.Add("attestations", append(append([]byte{'['}, one.Encode()...), ']')).Encode())
}

// Commit is the one transaction of a publish.
func (p *publication) Commit(tx *store.PackageTx[Meta], _ store.Blob) error {
	p.notices = nil
	if err := p.claim(tx); err != nil {
		return err
	}
	v := &p.record
	v.Published, v.By = tx.Tx().Now(), tx.Tx().Actor().User
	if err := tx.Publish(*v); err != nil {
		return err
	}
	if err := putFragment(tx, *v); err != nil {
		return err
	}
	return p.setTags(tx)
}

func putFragment(tx *store.PackageTx[Meta], v store.Version[Meta]) error {
	f := fragmentOf(v)
	return tx.Index(indexFragments).Put(f.key(), f.encode())
}

// namesTable has a row for each key of names.Keys → the name that took it first.
const namesTable = "names"

// takeName refuses a name that people would mistake for an existing one.
func (s *server) takeName(tx *store.PackageTx[Meta]) error {
	name := tx.Name()
	if !s.opt.AnyName {
		if err := names.CheckNew(name); err != nil {
			return err
		}
	}
	taken := tx.KindIndex(namesTable)
	for i, key := range names.Keys(name) {
		other := taken.Get(key)
		switch {
		case other == nil:
			if err := taken.Put(key, []byte(name)); err != nil {
				return err
			}
		case string(other) != name && (i == 0 || !s.opt.AnyName):
			return problem.Errorf(store.ErrExists, "The name %s is too similar to %s.", name, s.nameFor(tx, string(other)))
		}
	}
	return nil
}

// nameFor is the name of a package as a stranger may learn it.
func (s *server) nameFor(tx *store.PackageTx[Meta], other string) string {
	var pkg store.Package
	err := s.Repo.In(tx.Tx(), other, func(tx *store.PackageTx[Meta]) (err error) {
		pkg, err = tx.Package()
		return err
	})
	if err != nil || pkg.Private {
		return "one that is taken"
	}
	return other
}

// setTags moves the tags of the request; a package's first version is its latest, whatever its tag.
func (p *publication) setTags(tx *store.PackageTx[Meta]) error {
	tags := p.body.Tags
	if len(tags) == 0 {
		tags = map[string]string{"latest": p.version}
	}
	_, isLatest := tags["latest"]
	if _, err := tx.Tag("latest"); errors.Is(err, store.ErrNotFound) {
		isLatest = true
	} else if err != nil {
		return err
	}
	for tag := range tags {
		if err := tx.SetTag(tag, p.version, store.TagCond{}); err != nil {
			return err
		}
	}
	if !isLatest {
		return nil
	}
	if err := tx.SetTag("latest", p.version, store.TagCond{}); err != nil {
		return err
	}
	return setListing(tx, p.manifest, p.record)
}
