package rubygems

// POST /api/v1/gems: a version comes in.

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"

	"larder/auth"
	"larder/internal/budget"
	"larder/internal/problem"
	"larder/internal/registry"
	"larder/internal/wire"
	"larder/rubygems/archive"
	"larder/rubygems/compactindex"
	"larder/rubygems/form"
	"larder/rubygems/gemspec"
	"larder/rubygems/names"
	"larder/rubygems/version"
	"larder/store"
)

// publication is one version that is being pushed. It is the steps of registry.Publish.
type publication struct {
	s     *server
	who   auth.Identity // of the client
	stage *store.Stage

	bundles []byte // attestations as they were sent
	gem     *archive.Gem
	id      string
	sha     string // of the file, hex
	quick   []byte
	record  store.Version[Meta]
}

// push receives a gem and publishes it. It writes only when every check has passed.
func (s *server) push(w http.ResponseWriter, r *http.Request, _ Request) error {
	ctx := r.Context()
	stage, err := s.Store.Stage(ctx, store.StageOptions{Size: -1, Limit: s.opt.MaxGem})
	if err != nil {
		return err
	}
	defer stage.Abort()
	p := &publication{s: s, who: wire.IdentityFrom(ctx), stage: stage}
	if err := p.receive(r); err != nil {
		return err
	}
	err = budget.During(ctx, inspectionSize, func() (err error) {
		p.gem, err = archive.Read(io.NewSectionReader(stage, 0, stage.Size()))
		return err
	})
	if err != nil {
		return err
	}
	spec := p.gem.Spec
	if err := archive.Check(spec); err != nil {
		return err
	}
	if err := s.May(ctx, auth.Create, spec.Name); err != nil {
		return err
	}
	p.id, p.sha = version.ID(spec.Version, spec.Platform), stage.Digest().Encoded()
	again, err := s.Publish(ctx, spec.Name, stage, 0, p)
	if err != nil {
		return err
	}
	if p.gem.Unchecked && !again {
		s.Log.LogAttrs(
			ctx, slog.LevelWarn, "gem has no checksums of its own",
			slog.String("gem", spec.Name), slog.String("version", p.id),
		)
	}
	if again {
		return say(w, "Gem was already pushed: %s", p.title())
	}
	said := append([]string{"Successfully registered gem: " + p.title()}, wire.Notices(ctx)...)
	return say(w, "%s", strings.Join(said, "\n"))
}

// title is the version as clients print it.
func (p *publication) title() string { return title(p.gem.Spec.Name, p.id) }

func title(name, id string) string { return fmt.Sprintf("%s (%s)", name, id) }

// say answers with a sentence, which gem prints.
func say(w http.ResponseWriter, format string, args ...any) error {
	text := fmt.Sprintf(format, args...) + "\n"
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, err := io.WriteString(w, text)
	return err
}

// inspectionSize is the most bytes of memory that reading a gem takes. Its members are small, but may unpack to much.
const inspectionSize = 3 * archive.MaxMember

// receive reads the body: the file itself, or a form with the file and attestations in any order.
func (p *publication) receive(r *http.Request) error {
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" {
		_, err := p.stage.ReadFrom(r.Body)
		return err
	}
	got := false
	for m := multipart.NewReader(r.Body, params["boundary"]); ; {
		part, err := m.NextPart()
		switch {
		case errors.Is(err, io.EOF) && got:
			return nil
		case errors.Is(err, io.EOF):
			return problem.Errorf(store.ErrInvalid, "The form has no part called gem.")
		case registry.IsOneOf(err, problem.ErrTruncated, problem.ErrSlow):
			return err
		case err != nil:
			return form.Bad()
		}
		switch part.FormName() {
		case "gem":
			if got {
				return problem.Errorf(store.ErrInvalid, "The form has two gems.")
			}
			got = true
			_, err = p.stage.ReadFrom(part)
		case "attestations":
			if p.bundles, err = budget.Read(r.Context(), part, -1, maxBundles); err == budget.ErrLimit {
				err = problem.Errorf(store.ErrTooLarge, "The attestations have more than %d bytes.", maxBundles)
			}
		}
		if err != nil {
			return err
		}
	}
}

// Taken is false when the version is free, and true when this very file is here.
func (p *publication) Taken(tx *store.PackageTx[Meta]) (again bool, err error) {
	if err := p.owned(tx); err != nil {
		return false, err
	}
	v, err := tx.Version(p.id)
	switch {
	case errors.Is(err, store.ErrNotFound) && tx.Tombstone(p.id):
		return false, problem.Errorf(
			store.ErrExists, "Version %s of %s was deleted and cannot be pushed again; choose a new number.", p.id, tx.Name(),
		)
	case errors.Is(err, store.ErrNotFound):
		return false, nil
	case err != nil:
		return false, err
	case v.Yanked:
		return false, problem.Errorf(
			store.ErrExists, "Version %s of %s was yanked and cannot be pushed again; choose a new number.", p.id, tx.Name(),
		)
	case len(v.Files) > 0 && v.Files[0].Digest.Encoded() == p.sha:
		return true, nil
	}
	return false, problem.Errorf(
		store.ErrExists,
		"Repushing of gem versions is not allowed: %s is here with other contents. Choose a new number.", p.title(),
	)
}

// owned refuses a client that does not own the gem, if it exists.
func (p *publication) owned(tx *store.PackageTx[Meta]) error {
	pkg, err := tx.Package()
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return owns(p.who, pkg, "push to")
}

// Inspect does nothing: only the archive says which version it is, so it was read before.
func (p *publication) Inspect() error { return nil }

// Assemble makes all of the record that does not depend on the transaction.
func (p *publication) Assemble(ctx context.Context) (err error) {
	spec := p.gem.Spec
	if p.quick, err = spec.Quick(); err != nil {
		return err
	}
	sum := sha256.Sum256(p.quick)
	m := &p.record.Meta
	p.record.ID = p.id
	m.Number, m.Platform, m.SpecSHA = spec.Version, spec.Platform, hex.EncodeToString(sum[:])
	m.Summary = clip(gemspec.Text(spec.Summary), summaryBytes)
	raw, err := json.Marshal(spec)
	if err != nil {
		return err
	}
	if err := p.s.Keep(ctx, &p.record, &m.Spec, raw); err != nil {
		return err
	}
	if len(p.quick) > registry.MaxInline {
		b, err := p.s.Store.PutBytes(ctx, p.quick)
		if err != nil {
			return err
		}
		p.record.Files = append(p.record.Files, p.file(suffixSpec, b))
	}
	if p.bundles == nil {
		return nil
	}
	if err := archive.CheckBundles(p.bundles, p.sha); err != nil {
		return err
	}
	return p.s.Keep(ctx, &p.record, &m.Attestations, p.bundles)
}

// file is a file of the version.
func (p *publication) file(suffix string, b store.Blob) store.File {
	name := names.FullName(p.gem.Spec.Name, p.id) + suffix
	return store.File{Name: name, Digest: b.Digest, Size: b.Size, Type: "application/octet-stream"}
}

// Commit writes the record and every row that is derived from it.
func (p *publication) Commit(tx *store.PackageTx[Meta], b store.Blob) error {
	v := p.record
	v.Files = append([]store.File{p.file(suffixGem, b)}, v.Files...)
	if err := p.claim(tx); err != nil {
		return err
	}
	v.Published, v.By = tx.Tx().Now(), tx.Tx().Actor().User
	v.Meta.Line = compactindex.Line(p.gem.Spec, p.sha, v.Published)
	if err := tx.Publish(v); err != nil {
		return err
	}
	if len(p.quick) <= registry.MaxInline {
		if err := tx.Index(quickTable).Put([]byte(p.id), p.quick); err != nil {
			return err
		}
	}
	return enlist(tx, v)
}

// claim takes the names that belong to the version alone. The owner of a new gem is its first publisher.
func (p *publication) claim(tx *store.PackageTx[Meta]) error {
	spec, name := p.gem.Spec, tx.Name()
	isNew, err := registry.IsNew(tx)
	if isNew {
		err = claimName(tx)
	}
	if err != nil {
		return err
	}
	equal, key := tx.KindIndex(equalTable), pairKey(name, version.CanonicalID(spec.Version, spec.Platform))
	if other := equal.Get(key); other != nil {
		return problem.Errorf(store.ErrExists, "Version %s of %s is equal to %s, which is there already.", p.id, name, other)
	}
	full := tx.KindIndex(fullTable)
	for _, f := range fullNames(name, spec.Version, spec.Platform) {
		if full.Get(fullKey(f)) != nil {
			return problem.Errorf(store.ErrExists, "The name %s is taken by another version or gem.", f)
		}
	}
	return equal.Put(key, []byte(p.id))
}

// claimName takes the name of a new gem, which no other gem may have in another spelling.
func claimName(tx *store.PackageTx[Meta]) error {
	spelt, key := tx.KindIndex(namesTable), fullKey(tx.Name())
	if other := spelt.Get(key); other != nil && string(other) != tx.Name() {
		return problem.Errorf(store.ErrExists, "The name %s is taken in another spelling.", tx.Name())
	}
	if err := spelt.Put(key, []byte(tx.Name())); err != nil {
		return err
	}
	if err := tx.KindIndex(recentTable).Put(recentKey('g', tx.Tx().Now(), tx.Name()), []byte(tx.Name())); err != nil {
		return err
	}
	return registry.Own(tx, nil)
}
