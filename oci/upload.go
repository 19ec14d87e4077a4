package oci

// Pushing blobs: sessions, chunks, whole blobs and mounts.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"

	"github.com/opencontainers/go-digest"

	"larder/internal/problem"
	"larder/store"
)

// startUpload is end-4a to 4c and end-11: it opens a session, unless the request brings the blob or one can be mounted.
func (s *server) startUpload(w http.ResponseWriter, r *http.Request, q Request) error {
	if err := checkFullName(r.Host, q.Name); err != nil {
		return err
	}
	if err := s.mayPush(r, q); err != nil {
		return err
	}
	if q.Mount != "" {
		if d, ok, err := s.mount(r.Context(), q); err != nil {
			return err
		} else if ok {
			return created(w, s.blobPath(q, d), d)
		}
	}
	if q.Digest != "" {
		return s.pushWhole(w, r, q)
	}
	id, err := s.Store.StartUpload(r.Context(), store.OCI, q.Name)
	if err != nil {
		return err
	}
	s.progress(w.Header(), q, id, 0)
	w.Header().Set("Docker-Upload-UUID", id)
	return empty(w, http.StatusAccepted)
}

// empty answers without a body; the explicit length keeps clients from waiting for one.
func empty(w http.ResponseWriter, status int) error {
	if status != http.StatusNoContent {
		w.Header().Set("Content-Length", "0")
	}
	w.WriteHeader(status)
	return nil
}

// created answers that content can be pulled at location, with the digest the client used.
func created(w http.ResponseWriter, location string, d digest.Digest) error {
	w.Header().Set("Location", location)
	w.Header().Set("Docker-Content-Digest", d.String())
	return empty(w, http.StatusCreated)
}

// progress sets the address of a session and how many bytes it has. None at all is "0-0", as in other registries.
func (s *server) progress(h http.Header, q Request, id string, size int64) {
	h.Set("Location", s.uploadPath(q, id))
	h.Set("Range", "0-"+strconv.FormatInt(max(0, size-1), 10))
}

// mount links a blob of another repository (end-11). If there is none, or none that the user may pull, ok is false and
// the client gets an upload session in both cases. Without from, any repository that holds the blob is good enough.
func (s *server) mount(ctx context.Context, q Request) (d digest.Digest, ok bool, err error) {
	d, err = store.ParseDigest(q.Mount)
	if err != nil {
		return "", false, nil // as with any other blob that cannot be mounted
	}
	if !q.Anonymous {
		if checkName(q.From) != nil || !s.mayPull(ctx, q.From) {
			return d, false, nil
		}
		ok, err = s.link(ctx, q.From, q.Name, d)
		return d, ok, err
	}
	const batch = 100
	for after, more := "", true; more; {
		names, err := s.Store.Holders(ctx, store.OCI, d, after, batch)
		if err != nil {
			return d, false, err
		}
		for _, from := range names {
			after = from
			if !s.mayPull(ctx, from) {
				continue
			}
			if ok, err := s.link(ctx, from, q.Name, d); ok || err != nil {
				return d, ok, err
			}
		}
		more = len(names) == batch
	}
	return d, false, nil
}

// link makes to hold a blob that from holds at this moment.
func (s *server) link(ctx context.Context, from, to string, d digest.Digest) (ok bool, err error) {
	b, err := s.Store.StatBlob(ctx, d)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err == nil {
		err = s.Store.Sound(ctx, b)
	}
	if errors.Is(err, store.ErrDamaged) {
		return false, nil // a client that cannot mount it pushes it, which repairs it
	}
	if err != nil {
		return false, err
	}
	err = s.Store.Update(ctx, func(tx *store.Tx) error {
		if err := s.Repo.In(tx, from, func(p *store.PackageTx[Meta]) error {
			_, ok = p.Holds(d)
			return nil
		}); err != nil || !ok {
			return err
		}
		return s.Repo.In(tx, to, func(p *store.PackageTx[Meta]) error {
			if err := holdAs(p, d, b); err != nil {
				return err
			}
			tx.Log(store.Entry{Kind: store.OCI, Package: to, Version: d.String(), Op: store.OpMount, Note: "from " + from})
			return nil
		})
	})
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("mount %s from %s: %w", d, from, err)
	}
	return ok, nil
}

// pushWhole is end-4b, the blob in the body of the POST.
func (s *server) pushWhole(w http.ResponseWriter, r *http.Request, q Request) error {
	ctx := r.Context()
	if err := s.Store.Admit(ctx, store.OCI, q.Name, max(0, r.ContentLength)); err != nil {
		return err
	}
	body := &admitted{ctx: ctx, s: s, name: q.Name, r: r.Body}
	err := s.storeBlob(ctx, body, r.ContentLength, q.Digest, func(tx *store.Tx, b store.Blob) error {
		return s.Repo.In(tx, q.Name, func(p *store.PackageTx[Meta]) error { return holdAs(p, q.Digest, b) })
	})
	if err != nil {
		return err
	}
	return created(w, s.blobPath(q, q.Digest), q.Digest)
}

// holdAs gives the repository a blob that has just come in under the name d.
func holdAs(p *store.PackageTx[Meta], d digest.Digest, b store.Blob) error {
	if err := p.Tx().SetAlias(d, b); err != nil {
		return err
	}
	if err := p.Hold(b); err != nil {
		return err
	}
	return adopt(p, d)
}

// storeBlob stores a body of size bytes (-1 unknown), which must have the digest want, and links it in the same
// transaction.
func (s *server) storeBlob(
	ctx context.Context, body io.Reader, size int64, want digest.Digest, link func(*store.Tx, store.Blob) error,
) error {
	o := store.StageOptions{Size: size}
	if want.Algorithm() == digest.SHA512 {
		o.Sums = []string{"sha512"}
	}
	st, err := s.Store.Stage(ctx, o)
	if err != nil {
		return err
	}
	defer st.Abort()
	if _, err := st.ReadFrom(body); err != nil {
		return err
	}
	if got := digestOf(st, want.Algorithm()); got != want {
		return problem.Errorf(store.ErrDigest, "provided digest did not match uploaded content, which has %s", got)
	}
	_, err = st.CommitWith(ctx, link)
	return err
}

func digestOf(st *store.Stage, alg digest.Algorithm) digest.Digest {
	if alg == digest.SHA512 {
		return digest.NewDigestFromEncoded(digest.SHA512, st.Sum("sha512"))
	}
	return st.Digest()
}

// admitted is a body of unknown size: the store is asked for room again as it grows.
type admitted struct {
	ctx  context.Context
	s    *server
	name string
	r    io.Reader
	n    int64
	next int64 // the store has been asked up to here
}

const admitStep = 64 << 20

func (a *admitted) Read(p []byte) (int, error) {
	n, err := a.r.Read(p)
	if a.n += int64(n); a.n > a.next {
		if err := a.s.Store.Admit(a.ctx, store.OCI, a.name, a.n); err != nil {
			return n, err
		}
		a.next = a.n + admitStep
	}
	return n, err
}

// chunk is what a PATCH or PUT says about its body.
type chunk struct {
	start int64 // -1: append
	size  int64 // -1: unknown
}

var contentRange = regexp.MustCompile(`^([0-9]{1,18})-([0-9]{1,18})$`)

// parseChunk reads Content-Range, which docker, crane and all clients that stream leave out.
func parseChunk(r *http.Request) (chunk, error) {
	c := chunk{start: -1, size: r.ContentLength}
	v := r.Header.Get("Content-Range")
	if v == "" || r.ContentLength == 0 {
		return c, nil
	}
	m := contentRange.FindStringSubmatch(v)
	if m == nil {
		return c, faultf(codeUploadInvalid, problem.ErrBadPath, "Content-Range must be of the form <first>-<last>")
	}
	// Eighteen digits fit.
	c.start, _ = strconv.ParseInt(m[1], 10, 64)
	end, _ := strconv.ParseInt(m[2], 10, 64)
	size := end - c.start + 1
	if size < 1 || (c.size >= 0 && c.size != size) {
		return c, faultf(codeSizeInvalid, problem.ErrBadPath, "Content-Range and Content-Length do not agree")
	}
	c.size = size
	return c, nil
}

// appendChunk adds the request's body to the session. If the chunk does not begin where the session ends, the answer
// says where that is.
func (s *server) appendChunk(w http.ResponseWriter, r *http.Request, q Request, u *store.Upload) error {
	c, err := parseChunk(r)
	if err != nil {
		return err
	}
	var body io.Reader = r.Body
	if c.start >= 0 {
		body = io.LimitReader(body, c.size)
	}
	n, err := u.Append(r.Context(), body, c.start)
	if errors.Is(err, store.ErrOffset) {
		s.progress(w.Header(), q, q.Upload, u.Offset())
		return faultf(
			codeUploadInvalid, store.ErrOffset, "the chunk starts at %d, the upload continues at %d", c.start, u.Offset(),
		)
	}
	if err == nil && c.size >= 0 && n != c.size {
		return faultf(codeSizeInvalid, problem.ErrTruncated, "the chunk has %d bytes, not the %d announced", n, c.size)
	}
	return err
}

// patchUpload is end-5. What arrived of a body that is cut short is kept, and the client can ask how much that is.
func (s *server) patchUpload(w http.ResponseWriter, r *http.Request, q Request) error {
	u, err := s.Store.ResumeUpload(r.Context(), store.OCI, q.Name, q.Upload)
	if err != nil {
		return err
	}
	defer u.Release()
	if err := s.appendChunk(w, r, q, u); err != nil {
		return err
	}
	s.progress(w.Header(), q, q.Upload, u.Offset())
	w.Header().Set("Docker-Upload-UUID", q.Upload)
	return empty(w, http.StatusAccepted)
}

// commitUpload is end-6: the last chunk, if there is one, and the digest, which also decides the algorithm.
func (s *server) commitUpload(w http.ResponseWriter, r *http.Request, q Request) error {
	if q.Digest == "" {
		return faultf(codeDigestInvalid, problem.ErrBadPath, "the digest parameter is missing")
	}
	ctx := r.Context()
	u, err := s.Store.ResumeUpload(ctx, store.OCI, q.Name, q.Upload)
	if err != nil {
		return err
	}
	defer u.Release()
	if r.ContentLength != 0 {
		if err := s.appendChunk(w, r, q, u); err != nil {
			return err
		}
	}
	_, err = u.Commit(ctx, q.Digest, func(tx *store.Tx, b store.Blob) error {
		return s.Repo.In(tx, q.Name, func(p *store.PackageTx[Meta]) error { return holdAs(p, q.Digest, b) })
	})
	if err != nil {
		return err
	}
	return created(w, s.blobPath(q, q.Digest), q.Digest)
}

// uploadStatus is end-13.
func (s *server) uploadStatus(w http.ResponseWriter, r *http.Request, q Request) error {
	n, err := s.Store.UploadOffset(r.Context(), store.OCI, q.Name, q.Upload)
	if err != nil {
		return err
	}
	s.progress(w.Header(), q, q.Upload, n)
	w.Header().Set("Docker-Upload-UUID", q.Upload)
	return empty(w, http.StatusNoContent)
}

// cancelUpload is end-14.
func (s *server) cancelUpload(w http.ResponseWriter, r *http.Request, q Request) error {
	u, err := s.Store.ResumeUpload(r.Context(), store.OCI, q.Name, q.Upload)
	if err != nil {
		return err
	}
	defer u.Release()
	if err := u.Cancel(r.Context()); err != nil {
		return err
	}
	return empty(w, http.StatusNoContent)
}
