package maven

// Copies of remote repositories. Paths are the same there as here, so a miss asks for itself. Checksums are never
// fetched to be passed on: ours are of the bytes we serve. What an upstream says of a file's checksum decides whether
// we keep it.

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"larder/internal/wire"
	"larder/maven/checksum"
	"larder/maven/metadata"
	"larder/maven/names"
	"larder/store"
	"larder/upstream"
)

// Lifetimes of upstreams' documents. A release that was just made must appear soon, so absence is forgotten sooner.
const (
	freshMetadata = 5 * time.Minute
	absentFor     = 30 * time.Second
)

// remoteRef is a path as upstreams know it.
func remoteRef(path string) string { return names.Escape(path) }

func (s *server) metadataQuery(q Request) upstream.Query {
	return upstream.Query{
		Package: q.Name, Key: "document " + q.Path, Ref: remoteRef(q.Path), Fresh: freshMetadata, Absent: absentFor,
		Check: func(body []byte, _ string) error {
			_, err := metadata.Read(body)
			return err
		},
	}
}

// final reports whether a path has the same bytes for ever. The plain name of a snapshot has not, nor has any in an Ivy
// layout, which knows no builds.
func (q Request) final() bool {
	return !names.IsSnapshot(q.Version) || !q.Ivy && !strings.Contains(q.File, q.Version)
}

// proxied is a file of an upstream; a snapshot's plain name is asked for again and again.
func (s *server) proxied(ctx context.Context, q Request, head bool) (*upstream.File, error) {
	if err := s.mayOffer(q); err != nil {
		return nil, err
	}
	ask := upstream.FileQuery{
		Package: q.Name, Version: q.Version, Key: q.copyKey(), Head: head, Absent: absentFor,
		Find: func(context.Context) (upstream.Place, error) { return s.place(q) },
	}
	if !q.final() {
		ask.Fresh = freshMetadata
	}
	return s.Up.File(ctx, ask)
}

// mayOffer refuses what a rule forbids: a version, and of a snapshot also a single build.
func (s *server) mayOffer(q Request) error {
	if err := s.Up.Blocked(q.Name, q.Version); err != nil || !names.IsSnapshot(q.Version) {
		return err
	}
	return s.Up.Blocked(q.Name, names.SplitFile(q.Artifact, q.Version, q.File).Version)
}

// place is every upstream that takes the artifact, in order: there is no document that says who has it.
func (s *server) place(q Request) (upstream.Place, error) {
	var all []upstream.Place
	for _, u := range s.Up.Upstreams() {
		if u.Takes(q.Name) {
			all = append(all, upstream.Place{
				Upstream: u, Ref: remoteRef(q.Path), Type: names.MediaType(q.File), Keep: s.beside.kept(u),
				Verify: s.verify(q), Small: strings.HasSuffix(q.File, ".pom") || strings.HasSuffix(q.File, ".module"),
			})
		}
	}
	if len(all) == 0 {
		return upstream.Place{}, store.ErrNotFound
	}
	all[0].Or = all[1:]
	return all[0], nil
}

// sampleFile is the POM of the last release that metadata lists.
func sampleFile(
	_ context.Context, name string, d *upstream.Document, body []byte, _ upstream.Ask,
) (p upstream.Place, err error) {
	m, err := metadata.Read(body)
	if err != nil {
		return p, err
	}
	_, artifact := names.SplitName(name)
	for _, v := range slices.Backward(m.Listed()) {
		if !names.IsSnapshot(v) {
			ref := remoteRef(names.Dir(name, v) + artifact + "-" + v + ".pom")
			return upstream.Place{Upstream: d.Upstream, Ref: ref}, nil
		}
	}
	return p, store.ErrNotFound
}

// proxiedFile answers with a file of an upstream.
func (s *server) proxiedFile(w http.ResponseWriter, r *http.Request, q Request) error {
	f, err := s.proxied(r.Context(), q, r.Method == http.MethodHead)
	if err != nil {
		return err
	}
	h := w.Header()
	if f.Sums["sha1"] != "" {
		checksum.Set{MD5: f.Sums["md5"], SHA1: f.Sums["sha1"], SHA256: f.Digest.Encoded()}.Header(h)
	}
	disarm(h, f.Type)
	return s.SendCopy(w, r, f, wire.BlobHead{Modified: f.Modified, Type: f.Type, CacheControl: cacheControl(r, q.final())})
}

// proxiedSum answers with a checksum of what we serve; a client that has the file from elsewhere makes us fetch it.
func (s *server) proxiedSum(w http.ResponseWriter, r *http.Request, q Request) error {
	f, err := s.proxied(r.Context(), q, false)
	if err != nil {
		return err
	}
	defer f.Close()
	b, err := f.Wait(r.Context())
	if err != nil {
		return err
	}
	sums := f.Sums
	if k, err := s.Up.Kept(r.Context(), q.Name, q.copyKey()); err != nil {
		return err
	} else if k != nil {
		sums = k.Sums
	}
	sum, err := s.sum(r.Context(), store.File{Digest: b.Digest, Size: b.Size, Sums: sums}, q.Sum)
	if err != nil {
		return err
	}
	return sendSum(w, r, sum, f.Modified, cacheControl(r, q.final()))
}
