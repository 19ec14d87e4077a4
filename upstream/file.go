package upstream

// This file answers files: what never changes at the upstream.

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"larder/store"
)

// FileQuery asks for something that never changes.
type FileQuery struct {
	// Package and Version are as in documents, for the rules about names; Version may be "" when files have none.
	Package, Version string
	// Key names the file within the package.
	Key string
	// Find says where the file is. It is asked only when the file is not kept, and may ask for documents to find out.
	Find func(ctx context.Context) (Place, error)
	// Complete, if set, makes a whole place of one that Protocol.Files has said and Find does not find any more.
	Complete func(ctx context.Context, p Place) (Place, error)
	// Absent is how long it is remembered that nobody has the file; 0: a minute.
	Absent time.Duration
	// Head is for requests that want no body: a file that is not here is not fetched for them.
	Head bool
	// Fresh is for a file that changes under its name: how long it is answered without asking whether it is current. 0: it
	// never changes.
	Fresh time.Duration
	// Local says that Find may lead to something that can be made without asking an upstream.
	Local bool
}

// Place is where a file is and what it must be.
type Place struct {
	Upstream *Upstream
	Ref      string // relative to the registry, or absolute
	// Sums are hex by algorithm (sha256, sha512, sha384, sha224, sha1, md5). Every one given must be right; without any
	// the first copy counts for ever.
	Sums map[string]string
	// Size in bytes, 0 when unknown.
	Size   int64
	Type   string // Content-Type to answer with; "": the upstream's
	Accept string
	Scope  string // of the token, for container registries
	// Small says that the file is small although its Size is unknown: it waits for its turn with documents, not behind
	// large files.
	Small bool
	// Keep are further sums to compute and record beside sha256.
	Keep []string
	// Verify, if set, is asked before the file is kept, with the upstream's header: ErrBroken when the bytes are not
	// right. It asks for a sum when something says what that must be.
	Verify func(ctx context.Context, u *Upstream, head http.Header, sum func(alg string) string) error
	// Remade says that the upstream makes the file of something else and may do so anew: without sums its first copy does
	// not count for ever.
	Remade bool
	// Make, if set, makes the bytes here, of what is at Ref.
	Make func(ctx context.Context) ([]byte, error)
	// Or are asked in turn when this one says that it has no such file.
	Or []Place
}

// File is a file that is kept, or on its way. The caller closes it.
type File struct {
	// Blob is where it is, zero while it is on its way.
	Blob store.Blob
	Sums map[string]string
	// Digest is "" as long as nobody knows it.
	Digest digest.Digest
	// Size is -1 as long as nobody knows it.
	Size     int64
	Type     string
	Modified time.Time
	// Cache says how it was answered: HIT or MISS.
	Cache string

	flight *flight
	direct io.ReadCloser
}

// fileID names a flight.
type fileID struct{ pkg, key string }

// File answers q; see the package comment. ErrNotFound, ErrUnavailable, ErrOffline, ErrDenied, and what Find says.
func (s *Set) File(ctx context.Context, q FileQuery) (*File, error) {
	chain, err := s.chain(ctx, q.Package)
	if err != nil {
		return nil, err
	}
	if s.Gated() {
		if err := s.Allowed(ctx, q.Package, q.Version); err != nil {
			return nil, err
		}
	}
	pkg, k, err := s.keptFile(ctx, q.Package, q.Key)
	if err != nil {
		return nil, err
	}
	have := s.sound(k)
	if have != nil && !s.due(q, have) {
		return s.kept(ctx, pkg, q.Key, have), nil
	}
	if s.Offline() && !q.Local {
		return nil, s.lost(k, s.missed(q))
	}
	id, gone := q.absence(), false
	s.with(id, func(st *state) { gone = s.r.now().Before(st.absent) })
	if gone && have == nil {
		tell(ctx, chain[0], howAbsent)
		return nil, fmt.Errorf("%s %s %s: %w", s.kind, q.Package, q.Key, store.ErrNotFound)
	}
	var f *File
	if q.Head {
		f, err = s.stat(ctx, q)
	} else {
		f, err = s.join(ctx, q)
	}
	switch {
	case err != nil && have != nil && ctx.Err() == nil:
		// It is asked for again in a moment; until then what is here was right once.
		s.with(id, func(st *state) { st.checked = s.r.now().Add(retrySoon - q.Fresh) })
		f = s.kept(ctx, pkg, q.Key, have)
		f.Cache = "STALE"
		return f, nil
	case errors.Is(err, store.ErrNotFound):
		tell(ctx, chain[0], howAbsent)
		s.with(id, func(st *state) { st.absent = s.r.now().Add(cmp.Or(q.Absent, negativeFor)) })
	case errors.Is(err, ErrOffline):
		err = s.missed(q)
	}
	return f, s.lost(k, err)
}

// due reports whether a file that changes must be asked for again.
func (s *Set) due(q FileQuery, have *kept) bool {
	if q.Fresh == 0 || s.Offline() {
		return false
	}
	checked := have.checked()
	s.with(q.absence(), func(st *state) {
		if st.checked.After(checked) {
			checked = st.checked
		}
	})
	return s.r.now().Sub(checked) >= q.Fresh
}

// missed notes what could not be answered offline.
func (s *Set) missed(q FileQuery) error {
	err := s.unasked()
	if errors.Is(err, ErrOffline) {
		s.r.uses.miss(s.kind, q.Package, q.Key)
	}
	return fmt.Errorf("%s %s %s: %w", s.kind, q.Package, q.Key, err)
}

// absence names what is remembered of a file that nobody has.
func (q FileQuery) absence() docID { return docID{packageOf(q.Package), "file " + q.Key} }

// stat asks the upstream for the header only, unless the file is on its way already.
func (s *Set) stat(ctx context.Context, q FileQuery) (*File, error) {
	s.mu.Lock()
	flying := s.flights[fileID{s.homeOf(q.Package), q.Key}] != nil
	s.mu.Unlock()
	if flying {
		return s.join(ctx, q)
	}
	client := ctx
	ctx, done := s.r.detach(ctx)
	defer done()
	ctx = withBudget(ctx, Budget)
	p, err := s.find(ctx, q)
	if err != nil {
		return nil, err
	}
	resp, p, err := s.head(ctx, q, p)
	if err != nil {
		s.noteRefused(q.Package, q.Key, err)
		return nil, err
	}
	tell(client, p.Upstream, howMiss)
	f := &File{Size: p.length(resp), Type: p.contentType(resp), Cache: "MISS", Digest: p.digest()}
	f.Modified, _ = http.ParseTime(resp.Header.Get("Last-Modified")) // zero when the upstream did not say
	return f, nil
}

// head asks each place in turn until one has the file.
func (s *Set) head(ctx context.Context, q FileQuery, p Place) (*http.Response, Place, error) {
	var trouble error
	for _, each := range append([]Place{p}, p.Or...) {
		ask := each.request(each.header())
		ask.method, ask.small = http.MethodHead, true
		resp, err := each.Upstream.do(ctx, ask)
		if errors.Is(err, errHead) {
			ask.method = http.MethodGet
			resp, err = each.Upstream.do(ctx, ask)
		}
		if each.leadsOn(err) {
			trouble = err
			continue
		}
		if err != nil {
			return nil, each, err
		}
		drop(resp)
		if resp.StatusCode == http.StatusOK {
			return resp, each, nil
		}
		s.noteAbsent(each.Upstream, q.Package, q.Key, resp)
		if err := each.absent(resp); !errors.Is(err, store.ErrNotFound) {
			return nil, each, err
		}
	}
	if trouble != nil {
		return nil, p, trouble
	}
	return nil, p, fmt.Errorf("no upstream has it: %w", store.ErrNotFound)
}

// leadsOn reports whether err is trouble in which the operator lets the next upstream answer.
func (p Place) leadsOn(err error) bool {
	return p.Upstream != nil && p.Upstream.conf.Optional && errors.Is(err, ErrUnavailable)
}

// KeepFile makes the bytes of a document a file as well: a manifest that a tag pointed at can be asked for by its
// digest.
func (s *Set) KeepFile(ctx context.Context, name, key string, d *Document) error {
	pkg := s.home(name, d.Upstream)
	if k, err := load(ctx, s.bytes, s.files, pkg, key); err != nil || k != nil && k.Upstream == d.Upstream.key {
		return err
	}
	e := entry{Upstream: d.Upstream.key, URL: d.URL, Type: d.Type, Fetched: d.Fetched}
	s.r.uses.touch(useKey{s.kind, pkg, key}, d.Size)
	return s.r.store.Update(ctx, func(tx *store.Tx) error {
		return s.putFile(tx, d.Upstream, fileID{pkg, key}, "", e, store.Blob{Digest: d.Digest, Size: d.Size}, nil)
	})
}

// putFile writes the record of a file of u, and lists its package; version is "" where files have none.
func (s *Set) putFile(
	tx *store.Tx, u *Upstream, id fileID, version string, e entry, b store.Blob, sums map[string]string,
) error {
	if err := s.noteCopy(tx, id.pkg, u, s.aboutFile(version)); err != nil {
		return err
	}
	return s.files.In(tx, id.pkg, func(tx *store.PackageTx[entry]) error { return put(tx, id.key, e, b, sums) })
}

// Kept returns a file that is here; nil when it is not, or known to be damaged. It asks nobody, and no rule.
func (s *Set) Kept(ctx context.Context, name, key string) (*File, error) {
	if s == nil {
		return nil, nil
	}
	pkg, k, err := s.keptFile(ctx, name, key)
	if err != nil || s.sound(k) == nil {
		return nil, err
	}
	return s.kept(ctx, pkg, key, k), nil
}

// kept counts the use of a file that is here, in the package of records pkg.
func (s *Set) kept(ctx context.Context, pkg, key string, k *kept) *File {
	s.r.uses.touch(useKey{s.kind, pkg, key}, k.blob.Size)
	if u := s.sources[k.Upstream]; u != nil {
		tell(ctx, u, howHit)
	}
	modified, _ := http.ParseTime(k.entry.Modified) // zero when the upstream did not say
	return &File{
		Blob: k.blob, Digest: k.blob.Digest, Size: k.blob.Size, Sums: k.sums, Type: k.Type, Modified: modified, Cache: "HIT",
	}
}

// Here reports whether the file is kept, or on its way: whether offering it makes sense offline.
func (s *Set) Here(ctx context.Context, name, key string) (bool, error) {
	if s == nil {
		return false, nil
	}
	_, k, err := s.keptFile(ctx, name, key)
	return k != nil, err
}

// Wait returns once the whole file is kept. It is for those who need all of it: other representations, odd ranges.
func (f *File) Wait(ctx context.Context) (store.Blob, error) {
	switch {
	case f.flight != nil:
		return f.flight.wait(ctx)
	case f.direct != nil:
		return store.Blob{}, fmt.Errorf("the file cannot be kept: %w", store.ErrFull)
	}
	return f.Blob, nil
}

// Follows reports whether the file is still on its way; Copy then serves it, otherwise its blob is there.
func (f *File) Follows() bool { return f.flight != nil || f.direct != nil }

// Seekable reports whether Copy may begin anywhere.
func (f *File) Seekable() bool { return f.direct == nil }

// Copy writes bytes from up to but not including to (-1: the end) to w as they come. After an error the caller must
// break the connection: what was written is not the file.
func (f *File) Copy(ctx context.Context, w io.Writer, from, to int64) error {
	if f.direct != nil {
		_, err := io.Copy(w, f.direct)
		return err
	}
	return f.flight.copy(ctx, w, from, to)
}

// Close ends the caller's interest.
func (f *File) Close() error {
	if f.direct != nil {
		return f.direct.Close()
	}
	if f.flight != nil {
		f.flight.release()
	}
	return nil
}

// errRoom is a file that cannot be kept now: the disk is full or the store takes no changes.
var errRoom = errors.New("no room to keep it")

// pass streams a file to one client without keeping it. The last bytes still wait until the sums are right.
func (s *Set) pass(ctx context.Context, p Place) (*File, error) {
	resp, err := p.ask(ctx, s, p.request(p.header()))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		drop(resp)
		return nil, p.absent(resp)
	}
	body, size, err := decoded(resp, p.Ref, len(p.Sums) > 0)
	if err != nil {
		resp.Body.Close()
		return nil, p.Upstream.unavailable(fmt.Errorf("%w: %w", ErrBroken, err), 0)
	}
	checked, err := newHeldBack(struct {
		io.Reader
		io.Closer
	}{body, resp.Body}, p)
	if err != nil {
		resp.Body.Close()
		return nil, err
	}
	return &File{Size: size, Type: p.contentType(resp), Cache: "MISS", Digest: p.digest(), direct: checked},
		nil
}

// digest is the one that is known beforehand, "" without.
func (p Place) digest() digest.Digest {
	if sum := p.Sums["sha256"]; sum != "" {
		return digest.NewDigestFromEncoded(digest.SHA256, strings.ToLower(sum))
	}
	return ""
}

func (p Place) header() http.Header {
	h := http.Header{"Accept-Encoding": {"identity"}}
	if p.Accept != "" {
		h.Set("Accept", p.Accept)
	}
	return h
}

func (p Place) contentType(resp *http.Response) string {
	if p.Type != "" {
		return p.Type
	}
	return resp.Header.Get("Content-Type")
}

// smallFile is the largest file that waits for its turn with documents.
const smallFile = 1 << 20

func (p Place) small() bool { return p.Small || p.Size > 0 && p.Size <= smallFile }

// request asks for the file, or about it.
func (p Place) request(h http.Header) request {
	return request{ref: p.Ref, header: h, scope: p.Scope, file: true, small: p.small(), sizeless: p.Size == 0}
}

// absent turns an answer that is not the file into an error.
func (p Place) absent(resp *http.Response) error {
	if Absent(resp.StatusCode) {
		return fmt.Errorf("%s: %w", p.Upstream.Name(), store.ErrNotFound)
	}
	return p.Upstream.unavailable(&statusError{resp.StatusCode, p.Upstream.Host()}, 0)
}
