package oci

// Reading manifests and blobs. Lists are in list.go.

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/opencontainers/go-digest"

	"larder/internal/problem"
	"larder/internal/wire"
	"larder/store"
)

// The rows this package keeps beside the records, below each repository.
const (
	indexManifests = "manifests" // digest → manifestRow, so that reading a manifest decodes no record
	indexReferrers = "referrers" // subject␀digest → descriptor
	indexWanted    = "wanted"    // blob␀digest → nothing: the manifest refers to a blob that is not here yet
)

// manifestRow is all that an answer with a manifest needs, in a form that is cheap to read.
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
	return s.manifests.Find(q.Name, ref, func() (found, error) {
		d, m, err := s.findManifest(ctx, q)
		return found{d, m}, err
	})
}

func (s *server) findManifest(ctx context.Context, q Request) (d digest.Digest, m manifestRow, err error) {
	err = s.Repo.View(ctx, q.Name, func(p *store.PackageTx[Meta]) error {
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
	wire.Pulling(r.Context(), q.Name, string(m.digest))
	head := wire.BlobHead{
		Digest: m.digest, Size: m.size, Type: m.mediaType, CacheControl: cacheControl(r, q.byDigest()), Whole: true,
	}
	w.Header()["Docker-Content-Digest"] = []string{m.digest.String()}
	if r.Method == http.MethodHead {
		if err := missing(s.Store.Damaged(m.blob)); err != nil {
			return err
		}
		return wire.ServeBlob(w, r, io.NewSectionReader(bytes.NewReader(nil), 0, m.size), head)
	}
	body, err := s.Store.BlobBytes(r.Context(), store.Blob{Digest: m.blob, Size: m.size})
	if err != nil {
		return err
	}
	return wire.ServeBytes(w, r, body, head)
}

// cacheControl is Cache-Control: what is named by its digest never changes, and tags are asked for each time.
func cacheControl(r *http.Request, byDigest bool) string {
	if !byDigest {
		return "no-cache"
	}
	if len(r.Header["Authorization"]) > 0 { // it was checked before the operation began
		return "private, max-age=31536000, immutable"
	}
	return "max-age=31536000, immutable"
}

// missing turns store.ErrDamaged into store.ErrNotFound for HEAD: a client that is told that a blob is not here pushes
// it again, which repairs it.
func missing(err error) error {
	if errors.Is(err, store.ErrDamaged) {
		return problem.Wrap(err, store.ErrNotFound, "it is damaged on the registry's disk; pushing it again repairs it")
	}
	return err
}

// getBlob is end-2. Knowing a digest gives no right to a blob: the repository must hold it, now.
func (s *server) getBlob(w http.ResponseWriter, r *http.Request, q Request) error {
	if q.from.up != nil {
		return s.proxiedFile(w, r, q, q.from, "blobs", "")
	}
	blob, err := s.Store.HeldBlob(r.Context(), store.OCI, q.Name, q.Digest)
	if err != nil {
		return err
	}
	w.Header()["Docker-Content-Digest"] = []string{q.Digest.String()}
	err = s.SendBlob(w, r, blob, wire.BlobHead{Digest: q.Digest, CacheControl: cacheControl(r, true)})
	if r.Method == http.MethodHead {
		return missing(err)
	}
	return err
}

// origin is scheme, host and port as the client knows them. The API is always at the root of a host.
func (s *server) origin(r *http.Request) string {
	u, err := url.Parse(s.URL(r))
	if err != nil {
		return "http://" + r.Host
	}
	return u.Scheme + "://" + u.Host
}
