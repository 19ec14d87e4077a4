package oci

// The registry itself, and reading single things: manifests and blobs. Lists of things are in list.go.

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/opencontainers/go-digest"

	"larder/auth"
	"larder/internal/problem"
	"larder/internal/wire"
	"larder/store"
	"larder/upstream"
)

// Options change what the registry accepts. The zero value is right for most sites.
type Options struct {
	// MaxManifest is the largest manifest in bytes; 0 means 4 MiB, the least the specification asks for.
	MaxManifest int64
	// StrictIndexes refuses an index whose children are not in the repository. Partial copies and mirrors push such indexes all the time.
	StrictIndexes bool
	// SparseImages accepts image manifests whose blobs are not in the repository; they belong to the manifest as soon as they come in.
	// Without it a push that lost a layer is an error at once, not for whoever pulls.
	SparseImages bool
	// NoDelete answers every DELETE of a tag, manifest or blob with 405.
	NoDelete bool
}

// WithDefaults is o with what a registry uses that nobody configured in the place of what is zero.
func (o Options) WithDefaults() Options {
	o.MaxManifest = cmp.Or(o.MaxManifest, 4<<20)
	return o
}

// smallBlob is the size up to which a blob is served from memory.
const smallBlob = 64 << 10

// The rows this package keeps beside the records, below each repository.
const (
	indexManifests = "manifests" // digest → manifestRow, so that reading a manifest decodes no record
	indexReferrers = "referrers" // subject␀digest → descriptor
	indexWanted    = "wanted"    // blob␀digest → nothing: the manifest refers to a blob that is not here yet
)

type server struct {
	repo      *store.Repo[Meta]
	manifests *store.Memo[string, found] // by tag or digest
	store     *store.Store
	auth      auth.Provider
	jwt       issuer // nil when the provider issues no tokens: Basic only
	base      *wire.Base
	opt       Options
	log       *slog.Logger
	up        *upstream.Set // nil without upstreams
}

// New returns the registry's end points: /v2, its alias /oci, and the two of /v1 that searches begin with.
func New(d wire.Deps, o Options) wire.Protocol {
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	s := &server{store: d.Store, auth: d.Auth, base: d.Base, opt: o.WithDefaults(), log: d.Log}
	s.repo = store.NewRepo[Meta](d.Store, store.OCI)
	s.manifests = store.NewMemo[string, found](d.Store, store.OCI)
	s.jwt, _ = d.Auth.(issuer)
	s.remote(d.Upstreams)
	e := wire.Endpoint[Request]{
		Kind: store.OCI, Parse: parse, Routes: s.operations(), Resolve: s.resolve, Target: target, Fail: s.fail,
	}
	return wire.Protocol{Name: "oci", Prefixes: []string{rootV2, rootAlias, rootV1}, Handler: envelope(e.Handler(d))}
}

// operations is the table of everything the registry does; doc.go shows it with methods and paths.
func (s *server) operations() []wire.Route[Request] {
	return []wire.Route[Request]{
		{Op: opPing, Need: wire.Open, Serve: s.ping},
		{Op: opToken, Need: wire.Open, Serve: s.token},
		{Op: opGrant, Need: wire.Open, Serve: s.grant},
		{Op: opCatalog, Need: wire.Open, Serve: s.catalog},
		{Op: opRepositories, Need: wire.Open, Serve: s.repositories},
		{Op: opDiscover, Need: wire.Open, Serve: s.discover},
		{Op: opRepoDiscover, Need: wire.Read, Serve: s.discover},
		{Op: opV1Ping, Need: wire.Open, Serve: s.v1Ping},
		{Op: opSearch, Need: wire.Open, Serve: s.search},
		{Op: opManifestGet, Need: wire.Read, Serve: s.getManifest},
		{Op: opManifestPut, Need: wire.Create, Serve: s.putManifest},
		{Op: opManifestDel, Need: wire.Delete, Serve: s.deleteManifest},
		{Op: opBlobGet, Need: wire.Read, Serve: s.getBlob},
		{Op: opBlobDel, Need: wire.Delete, Serve: s.deleteBlob},
		{Op: opUploadStart, Need: wire.Create, Serve: s.startUpload},
		{Op: opUploadStatus, Need: wire.Create, Serve: s.uploadStatus},
		{Op: opUploadPatch, Need: wire.Create, Serve: s.patchUpload},
		{Op: opUploadCommit, Need: wire.Create, Serve: s.commitUpload},
		{Op: opUploadCancel, Need: wire.Create, Serve: s.cancelUpload},
		{Op: opTags, Need: wire.Read, Serve: s.tags},
		{Op: opReferrers, Need: wire.Read, Serve: s.referrers},
		{Op: opHistory, Need: wire.Read, Serve: s.history},
		{Op: opRestore, Need: wire.Create, Serve: s.restore},
	}
}

// target is what the right of an operation is about.
func target(q Request) (typ, name string) {
	if !q.ofRepository() {
		return "registry", "catalog"
	}
	return typeRepository, q.Name
}

// envelope sets what every answer carries, and takes away Basic credentials without user and password, which
// docker search and anonymous clients send where they mean none.
func envelope(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		versionHeader(w.Header())
		if v := r.Header.Get("Authorization"); len(v) <= len("Basic Og==") && v != "" {
			if c, given := wire.CredentialsFrom(r); given && c == (auth.Credentials{}) {
				r = r.Clone(r.Context())
				r.Header.Del("Authorization")
			}
		}
		next.ServeHTTP(w, r)
	})
}

// manifestRow is what answering a manifest request needs, in a form that costs nothing to read.
type manifestRow struct {
	size      int64
	blob      digest.Digest // sha256 of the bytes, also for a manifest pushed under its sha512
	mediaType string
}

func (m manifestRow) encode() []byte {
	return []byte(strconv.FormatInt(m.size, 10) + "\x00" + m.blob.String() + "\x00" + m.mediaType)
}

func decodeManifestRow(b []byte) (m manifestRow, ok bool) {
	size, rest, ok1 := strings.Cut(string(b), "\x00")
	blob, mediaType, ok2 := strings.Cut(rest, "\x00")
	n, err := strconv.ParseInt(size, 10, 64)
	return manifestRow{n, digest.Digest(blob), mediaType}, ok1 && ok2 && err == nil
}

// found is a manifest that a tag or digest stands for.
type found struct {
	digest digest.Digest
	manifestRow
}

// manifest finds the manifest a request names. ErrNotFound.
func (s *server) manifest(ctx context.Context, q Request) (found, error) {
	ref := q.Tag
	if q.byDigest() {
		ref = q.Digest.String()
	}
	return s.manifests.Get(q.Name, ref, func() (found, error) {
		d, m, err := s.findManifest(ctx, q)
		return found{d, m}, err
	})
}

func (s *server) findManifest(ctx context.Context, q Request) (d digest.Digest, m manifestRow, err error) {
	err = s.repo.View(ctx, q.Name, func(p *store.PackageTx[Meta]) error {
		if d = q.Digest; !q.byDigest() {
			t, err := p.Tag(q.Tag)
			if err != nil {
				return err
			}
			d = digest.Digest(t.Version)
		}
		var ok bool
		if m, ok = decodeManifestRow(p.Index(indexManifests).Get([]byte(d))); !ok {
			return problem.Errorf(store.ErrNotFound, "manifest %s is not in %s", d, q.Name)
		}
		return nil
	})
	return d, m, err
}

// getManifest is end-3. The stored object is returned whatever Accept says: converting would change its digest.
func (s *server) getManifest(w http.ResponseWriter, r *http.Request, q Request) error {
	if q.from.up != nil {
		return s.proxiedManifest(w, r, q, q.from)
	}
	m, err := s.manifest(r.Context(), q)
	if err != nil {
		return err
	}
	head := wire.BlobHead{Digest: m.digest, Size: m.size, Type: m.mediaType, CacheControl: cacheControl(r, q.byDigest()), Whole: true}
	if r.Method == http.MethodHead {
		if err := s.missing(s.store.Damaged(m.blob)); err != nil {
			return err
		}
	}
	w.Header()["Docker-Content-Digest"] = []string{m.digest.String()}
	if r.Method == http.MethodHead {
		return wire.ServeBlob(w, r, sized(m.size), head)
	}
	body, err := s.store.BlobBytes(r.Context(), store.Blob{Digest: m.blob, Size: m.size})
	if err != nil {
		return err
	}
	return wire.ServeBytes(w, r, body, head)
}

// sized is content of which only the size is asked, for HEAD.
func sized(n int64) io.ReadSeeker { return io.NewSectionReader(bytes.NewReader(nil), 0, n) }

// cacheControl lets content addressed by digest be kept for ever, and tags be asked for each time.
func cacheControl(r *http.Request, byDigest bool) string {
	if !byDigest {
		return "no-cache"
	}
	if len(r.Header["Authorization"]) > 0 { // it was read and judged before the operation began
		return "private, max-age=31536000, immutable"
	}
	return "max-age=31536000, immutable"
}

// missing makes of damage what whoever asks with HEAD needs to hear: a client that is told that a blob is not here
// pushes it again, which repairs it.
func (s *server) missing(err error) error {
	if errors.Is(err, store.ErrDamaged) {
		return problem.Wrap(err, store.ErrNotFound, "it is damaged on the registry's disk; pushing it again repairs it")
	}
	return err
}

// orMissing is missing for HEAD, and err for all else.
func (s *server) orMissing(r *http.Request, err error) error {
	if r.Method == http.MethodHead {
		return s.missing(err)
	}
	return err
}

// getBlob is end-2. Knowing a digest gives no right to a blob: the repository must hold it, now.
func (s *server) getBlob(w http.ResponseWriter, r *http.Request, q Request) error {
	if q.from.up != nil {
		return s.proxiedFile(w, r, q, q.from, "blobs", "")
	}
	ctx := r.Context()
	blob, err := s.store.HeldBlob(ctx, store.OCI, q.Name, q.Digest)
	if err != nil {
		return err
	}
	head := wire.BlobHead{Digest: q.Digest, Size: blob.Size, CacheControl: cacheControl(r, true)}
	if blob.Size <= smallBlob {
		// HEAD reads as well: the next one finds the bytes in memory, where they are right, and looks at no file.
		body, err := s.store.BlobBytes(ctx, blob)
		if err != nil {
			return s.orMissing(r, err)
		}
		w.Header()["Docker-Content-Digest"] = []string{q.Digest.String()}
		return wire.ServeBytes(w, r, body, head)
	}
	if r.Method == http.MethodHead {
		if err := s.missing(s.store.Sound(ctx, blob)); err != nil {
			return err
		}
		w.Header()["Docker-Content-Digest"] = []string{q.Digest.String()}
		return wire.ServeBlob(w, r, sized(blob.Size), head)
	}
	w.Header()["Docker-Content-Digest"] = []string{q.Digest.String()}
	f, _, err := s.store.OpenBlob(ctx, blob.Digest)
	if err != nil {
		return err
	}
	defer f.Close()
	return wire.ServeBlob(w, r, f, head)
}

// origin is scheme, host and port as the client knows them: the API is always at the root of a host.
func (s *server) origin(r *http.Request) string {
	u, err := url.Parse(s.base.URL(r))
	if err != nil {
		return "http://" + r.Host
	}
	return u.Scheme + "://" + u.Host
}
