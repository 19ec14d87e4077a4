package upstream

// This file answers documents: what changes at the upstream.

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"larder/store"
)

// Query asks for something that changes.
type Query struct {
	// Package is the name by which claims, scopes and records go, normalised as the protocol does; "" for a listing.
	Package string
	// Key names the document within the package, representation included: two representations are two entries.
	Key string
	// Ref is where it is: relative to the registry, or absolute.
	Ref string
	// Accept is sent as it is.
	Accept string
	// Scope is of the token, for container registries.
	Scope string
	// For, if set, says Ref and Scope for each upstream.
	For func(u *Upstream) (ref, scope string)
	// Locate, if set, says it where u has to be asked first. store.ErrNotFound: u has no such document.
	Locate func(ctx context.Context, u *Upstream) (Location, error)
	// Fresh is how long it is not asked for again. What is older is answered only while the upstream is in trouble, off or
	// slow. A negative Fresh asks whatever the operator says: what is kept lacks something that must exist.
	Fresh time.Duration
	// Head revalidates with a HEAD that names the digest (Docker-Content-Digest): registries count each GET as a pull.
	Head bool
	// Absent is how long it is remembered that it does not exist; 0: a minute.
	Absent time.Duration
	// Tail is for what only grows at its end: only that is asked for, and accepted if it begins with the last byte we have
	// and the upstream's digest of the whole is right. An upstream that gives no digest is asked for the whole.
	Tail bool
	// Limit is the most bytes; 0: 256 MiB. An answer above is trouble.
	Limit int64
	// Check says why an answer is not the document: a captive portal answers 200 as well. nil accepts everything.
	// store.ErrNotFound: it says that there is no such document.
	Check func(body []byte, contentType string) error
	// Scan, if set, is Check, Versions and Protocol.About in one pass over a stream, for a document that is too large to
	// be held in memory.
	Scan func(r io.Reader) (Scanned, error)
	// Early answers before what is new is on the disk, which costs a few milliseconds: clients ask for hundreds of such
	// documents one after the other. After a crash in between the upstream is asked again.
	Early bool
	// Versions lists what the document says of versions and when they were published, for the age gate.
	Versions func(body []byte) map[string]time.Time
	// API says that it is of an API that not every registry has: one that answers 400, 405, 406 or 501 has no such
	// document.
	API bool
	// Instead makes the document of others, for an upstream that does not have it; ErrNotFound when it cannot be made.
	Instead func(ctx context.Context, u *Upstream) ([]byte, error)
	// turn, if set, is asked before what came is kept, see Documents.
	turn func(ctx context.Context) error
}

// Location is where an upstream has a document.
type Location struct {
	Ref string // relative to the registry, or absolute
	// Body, if not nil, is the document itself, made of others of the upstream; Ref is then where the last of them was.
	Body []byte
}

const (
	staleFor     = time.Minute             // beyond its lifetime a document is answered at once
	staleAfter   = 1500 * time.Millisecond // when asking for it takes so long
	defaultLimit = 256 << 20
	goneFor      = 7 * 24 * time.Hour // a document that vanished is answered for so long
)

// Document answers q; see the package comment. ErrNotFound, ErrUnavailable, ErrOffline, ErrDenied for a blocked name.
func (s *Set) Document(ctx context.Context, q Query) (*Document, error) {
	chain, err := s.chain(ctx, q.Package)
	if err != nil {
		return nil, err
	}
	var missing, trouble error
	for i, u := range chain {
		d, err := s.from(ctx, u, q)
		switch {
		case err == nil:
			return d, nil
		case errors.Is(err, ErrOffline):
			missing = err
			// What is known to be this one's is nobody else's.
			if held, herr := s.others(ctx, u, chain[i+1:], q.Package); held || herr != nil {
				return nil, errors.Join(s.missedDocument(q, err), herr)
			}
		case errors.Is(err, store.ErrNotFound):
		case u.conf.Optional && errors.Is(err, ErrUnavailable):
			trouble = err
			// What is known to be this one's is nobody else's.
			if held, herr := s.others(ctx, u, chain[i+1:], q.Package); held || herr != nil {
				return nil, errors.Join(err, herr)
			}
		default:
			if d := s.instead(ctx, u, chain[i+1:], q); d != nil {
				return d.in(err), nil
			}
			return nil, err
		}
	}
	if trouble != nil {
		return nil, trouble
	}
	if missing != nil {
		return nil, s.missedDocument(q, missing)
	}
	return nil, fmt.Errorf("%s %s: no upstream has it: %w", s.kind, q.Package, store.ErrNotFound)
}

// DocumentFrom asks one upstream of the set, for what is joined from all of them. ErrNotFound if it is not for the
// name.
func (s *Set) DocumentFrom(ctx context.Context, u *Upstream, q Query) (*Document, error) {
	list, err := s.chain(ctx, q.Package)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(list, u) {
		return nil, fmt.Errorf("%s %s: %s is not for this name: %w", s.kind, q.Package, u.Name(), store.ErrNotFound)
	}
	d, err := s.from(ctx, u, q)
	if s.kind != store.OCI || u.gone || !errors.Is(err, ErrOffline) {
		return d, err
	}
	// A name says which registry is meant, or means any: it may be one that is not configured any more.
	strays := s.strays(q.Package, u)
	if len(strays) > 0 {
		if held, herr := s.holds(ctx, u, q.Package); held || herr != nil {
			return nil, errors.Join(err, herr)
		}
	}
	for _, g := range strays {
		if d, gerr := s.from(ctx, g, q); gerr == nil {
			return d, nil
		}
	}
	return nil, err
}

// KeptDocument is an answer to q that is kept of u, which is not asked for it; nil when there is none. No rule is
// asked.
func (s *Set) KeptDocument(ctx context.Context, u *Upstream, q Query) (*Document, error) {
	k, err := s.lookup(ctx, s.home(q.Package, u), q.id(u))
	if err != nil || k == nil {
		return nil, err
	}
	return s.document(u, k, k.Fetched, "HIT"), nil
}

// missedDocument notes what could not be answered offline.
func (s *Set) missedDocument(q Query, err error) error {
	s.r.uses.miss(s.kind, q.Package, q.Key)
	return err
}

// others reports whether others that come after u have nothing to say about a name, because it is u's.
func (s *Set) others(ctx context.Context, u *Upstream, after []*Upstream, name string) (bool, error) {
	if len(after) == 0 || name == "" {
		return false, nil
	}
	return s.holds(ctx, u, name)
}

// instead is what is kept of one of others while u is in trouble, which nothing is known of; nil when there is none.
// The others are not asked, but what is kept of them was right once.
func (s *Set) instead(ctx context.Context, u *Upstream, others []*Upstream, q Query) *Document {
	if held, err := s.others(ctx, u, others, q.Package); err != nil || held {
		return nil // the trouble is what is told
	}
	for _, other := range others {
		if k, err := s.lookup(ctx, s.home(q.Package, other), q.id(other)); err == nil && k != nil {
			tell(ctx, other, howStale)
			return s.document(other, k, time.Time{}, "STALE")
		}
	}
	return nil
}

// KeysOf lists the keys of the documents that are kept of what u has of a name and whose bytes have the digest; "": of
// all.
func (s *Set) KeysOf(ctx context.Context, u *Upstream, name string, d digest.Digest) ([]string, error) {
	pkg := s.home(name, u)
	return s.withBytes.Get(pkg, u.key+" "+d.String(), func() (keys []string, err error) {
		err = s.r.store.View(ctx, func(tx *store.Tx) error {
			keys = nil
			return eachOf(tx, s.docs, pkg, func(v *store.Version[entry]) error {
				key, ok := strings.CutPrefix(v.ID, u.key+" ")
				if ok && len(v.Files) > 0 && (d == "" || v.Files[0].Digest == d) {
					keys = append(keys, key)
				}
				return nil
			})
		})
		return keys, err
	})
}

// Knows reports whether an answer to q is kept, however old.
func (s *Set) Knows(ctx context.Context, q Query) bool {
	for _, u := range s.Upstreams() {
		if k, err := s.lookup(ctx, s.home(q.Package, u), q.id(u)); err == nil && k != nil {
			return true
		}
	}
	return false
}

// id names q's entry of one upstream.
func (q Query) id(u *Upstream) string { return u.key + " " + q.Key }

// request is q as it is put to u.
func (q Query) request(u *Upstream) request {
	r := request{ref: q.Ref, scope: q.Scope}
	if q.For != nil {
		r.ref, r.scope = q.For(u)
	}
	return r
}

// lifetime is q's, unless the operator set another.
func (q Query) lifetime(u *Upstream) time.Duration {
	if u.conf.Fresh != 0 && q.Fresh >= 0 {
		return max(u.conf.Fresh, 0)
	}
	return q.Fresh
}

// from answers q from one upstream, or from what is kept of it.
func (s *Set) from(ctx context.Context, u *Upstream, q Query) (*Document, error) {
	pkg := s.home(q.Package, u)
	id := docID{pkg, q.id(u)}
	have, err := s.lookup(ctx, pkg, id.id)
	if err != nil {
		return nil, err
	}
	now := s.r.now()
	var st state
	s.with(id, func(known *state) { st = *known })
	fresh := q.lifetime(u)
	if have == nil {
		switch {
		case now.Before(st.absent):
			tell(ctx, u, howAbsent)
			return nil, store.ErrNotFound
		case s.off(u):
			return nil, fmt.Errorf("%s %s: %w", s.kind, pkg, s.unasked())
		}
		return s.asked(ctx, u, q, nil, s.r.life)
	}
	checked := st.checked
	if known := have.checked(); known.After(checked) {
		checked = known
	}
	age := now.Sub(checked)
	switch {
	case s.off(u):
		tell(ctx, u, howHit)
		return s.document(u, have, checked, "HIT").in(fmt.Errorf("%s %s: %w", s.kind, pkg, s.unasked())), nil
	case age < fresh:
		tell(ctx, u, howHit)
		return s.document(u, have, checked, "HIT"), nil
	case fresh >= 0 && now.Before(st.trouble):
		tell(ctx, u, howStale)
		return s.document(u, have, checked, "STALE").in(st.why), nil
	}
	wait := s.r.life // nothing that ends before the refresh does
	if late := age - fresh; fresh >= 0 && late <= staleFor {
		var enough context.CancelFunc
		wait, enough = context.WithTimeout(wait, staleAfter)
		defer enough()
	}
	d, err := s.asked(ctx, u, q, have, wait)
	trouble := err
	switch {
	case err == nil:
		return d, nil
	case errors.Is(err, store.ErrNotFound) && now.Sub(checked) > goneFor, errors.Is(err, errTurn):
		return nil, err
	case ctx.Err() != nil:
		return nil, ctx.Err()
	}
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, errSlow) {
		trouble = nil
	}
	if !errors.Is(err, errSlow) {
		// Not at once again: everybody would wait for what fails.
		s.with(id, func(st *state) { st.trouble, st.why = s.r.now().Add(retrySoon), trouble })
	}
	tell(ctx, u, howStale)
	return s.document(u, have, checked, "STALE").in(trouble), nil
}

// asked is refresh for a client that waits.
func (s *Set) asked(
	ctx context.Context, u *Upstream, q Query, have *kept, wait context.Context,
) (*Document, error) {
	d, err := s.refresh(ctx, u, q, have, wait)
	if errors.Is(err, errTurn) && q.turn == nil {
		d, err = s.refresh(ctx, u, q, have, wait) // that was another client's question
	}
	switch {
	case errors.Is(err, store.ErrNotFound):
		tell(ctx, u, howAbsent)
	case err == nil && d.Cache == "HIT":
		tell(ctx, u, howHit)
	case err == nil:
		tell(ctx, u, howMiss)
	}
	return d, err
}

func (s *Set) document(u *Upstream, k *kept, checked time.Time, cache string) *Document {
	return &Document{
		Upstream: u, Digest: k.blob.Digest, Size: k.blob.Size, URL: k.URL, Type: k.Type, ETag: k.ETag,
		Modified: k.entry.Modified,
		Next:     k.Next, Fetched: k.Fetched, Checked: checked, Cache: cache, set: s, body: k.body,
	}
}

// errSlow is a refresh that goes on although nobody waits for it any more.
var errSlow = errors.New("slow")

// refresh asks the upstream; all who want the same wait for one request, which none of them can cancel. When wait ends
// first it goes on in the background, and the error is errSlow.
func (s *Set) refresh(ctx context.Context, u *Upstream, q Query, have *kept, wait context.Context) (*Document, error) {
	pkg := s.home(q.Package, u)
	done := s.group.DoChan(pkg+"\x00"+q.id(u), func() (any, error) {
		ctx, done := s.r.detach(ctx)
		defer done()
		return s.fetch(ctx, u, q, have)
	})
	select {
	case r := <-done:
		if r.Err != nil {
			return nil, r.Err
		}
		return r.Val.(*Document), nil
	case <-wait.Done():
		return nil, errSlow
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// fetch asks again when the body is not the document. Trouble with another document, which says where this one is, has
// been asked about again already.
func (s *Set) fetch(ctx context.Context, u *Upstream, q Query, have *kept) (d *Document, err error) {
	if most := u.timeout(false); most > Budget {
		ctx = newBudget(ctx, most) // the operator knows how slow it is
	} else {
		ctx = withBudget(ctx, most)
	}
	for try := range maxTries {
		d, err = s.fetchOnce(ctx, u, q, have)
		again := errors.Is(err, errBody) && !errors.Is(err, ErrUnavailable)
		if !again || time.Now().After(deadlineOf(ctx)) {
			break
		}
		select {
		case <-time.After(250 * time.Millisecond << try):
		case <-ctx.Done():
		}
	}
	if errors.Is(err, errBody) && !errors.Is(err, ErrUnavailable) {
		err = u.unavailable(err, 0)
	}
	s.noteRefused(q.Package, q.Key, err)
	return d, err
}

// errBody is an answer whose body is not the document.
var errBody = errors.New("unusable body")

func (s *Set) fetchOnce(ctx context.Context, u *Upstream, q Query, have *kept) (*Document, error) {
	if q.Locate != nil {
		at, err := q.Locate(ctx, u)
		switch {
		case errors.Is(err, store.ErrNotFound):
			return nil, s.absent(u, q)
		case err != nil:
			return nil, err
		case at.Body != nil:
			return s.made(ctx, u, q, have, at)
		}
		q.Ref, q.For, q.Locate = at.Ref, nil, nil
	}
	h := http.Header{"Accept-Encoding": {"gzip"}}
	if q.Accept != "" {
		h.Set("Accept", q.Accept)
	}
	tail := q.Tail && have != nil && have.blob.Size > 1
	if tail {
		h.Set("Range", "bytes="+strconv.FormatInt(have.blob.Size-1, 10)+"-")
		h.Set("Accept-Encoding", "identity")
	}
	if have != nil && have.ETag != "" {
		h.Set("If-None-Match", have.ETag)
	}
	if have != nil && have.entry.Modified != "" {
		h.Set("If-Modified-Since", have.entry.Modified)
	}
	if q.Head && have != nil {
		if same, err := s.same(ctx, u, q, have); err != nil || same != nil {
			return same, err
		}
	}
	ask := q.request(u)
	ask.header, ask.idle = h, max(min(idleDocument, time.Until(deadlineOf(ctx))), time.Second)
	resp, err := u.do(ctx, ask)
	if q.API && lacksAPI(err) {
		return nil, s.absent(u, q)
	}
	if err != nil {
		return nil, err
	}
	defer drop(resp)
	id := docID{s.home(q.Package, u), q.id(u)}
	switch {
	case Absent(resp.StatusCode):
		s.noteAbsent(u, q.Package, q.Key, resp)
		if q.Instead != nil {
			drop(resp) // its place is for what is asked for now
			body, err := q.Instead(ctx, u)
			if err == nil {
				resp.Header = http.Header{} // it is about the refusal
				return s.keep(ctx, u, q, have, resp, content{body: body})
			}
			if !errors.Is(err, store.ErrNotFound) {
				return nil, err
			}
		}
		return nil, s.absent(u, q)
	case resp.StatusCode == http.StatusNotModified && have != nil:
		return s.document(u, have, s.confirm(id), "HIT"), nil
	case tail && (resp.StatusCode == http.StatusPartialContent ||
		resp.StatusCode == http.StatusRequestedRangeNotSatisfiable):
		c, err := s.grown(ctx, resp, q, have)
		if err != nil {
			q.Tail = false
			return s.fetchOnce(ctx, u, q, nil)
		}
		return s.keep(ctx, u, q, have, resp, c)
	case resp.StatusCode != http.StatusOK:
		return nil, u.unavailable(&statusError{resp.StatusCode, u.Host()}, 0)
	}
	c, err := s.content(ctx, resp, q)
	if errors.Is(err, store.ErrNotFound) {
		return nil, s.absent(u, q)
	}
	if err != nil {
		return nil, err
	}
	return s.keep(ctx, u, q, have, resp, c)
}

// absent notes that u has no such document.
func (s *Set) absent(u *Upstream, q Query) error {
	until := s.r.now().Add(cmp.Or(q.Absent, negativeFor))
	s.with(docID{s.home(q.Package, u), q.id(u)}, func(st *state) { st.absent = until })
	return fmt.Errorf("%s: %w", u.Name(), store.ErrNotFound)
}

// made keeps a document that was made of others.
func (s *Set) made(ctx context.Context, u *Upstream, q Query, have *kept, at Location) (*Document, error) {
	to, err := u.resolve(at.Ref)
	if err != nil {
		return nil, err
	}
	header := http.Header{"Content-Type": {"application/json"}}
	return s.keep(ctx, u, q, have, &http.Response{Header: header, Request: &http.Request{URL: to}},
		content{body: at.Body})
}

// same asks with a HEAD whether what is kept is current; nil when it is not, or nobody knows.
func (s *Set) same(ctx context.Context, u *Upstream, q Query, have *kept) (*Document, error) {
	ask := q.request(u)
	ask.method, ask.header = http.MethodHead, http.Header{"Accept": {q.Accept}}
	resp, err := u.do(ctx, ask)
	if errors.Is(err, errHead) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	drop(resp)
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Docker-Content-Digest") != have.blob.Digest.String() {
		return nil, nil
	}
	return s.document(u, have, s.confirm(docID{s.home(q.Package, u), q.id(u)}), "HIT"), nil
}

// readDocument reads and decodes a body and looks whether it is what was asked for.
func readDocument(ctx context.Context, resp *http.Response, q Query) ([]byte, error) {
	r, length, err := decoded(resp, q.Ref, false)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errBody, err)
	}
	body, err := readBody(ctx, r, length, q.limit())
	if err != nil {
		return nil, err
	}
	return body, checkBody(resp, q, body)
}

func (q Query) limit() int64 { return cmp.Or(q.Limit, defaultLimit) }

// keep stores a document that is new or changed. What cannot be stored is answered all the same.
func (s *Set) keep(
	ctx context.Context, u *Upstream, q Query, have *kept, resp *http.Response, c content,
) (*Document, error) {
	if q.turn != nil {
		if err := q.turn(ctx); err != nil {
			return nil, err
		}
	}
	id, now := docID{s.home(q.Package, u), q.id(u)}, s.r.now()
	e := entry{
		Upstream: u.key, URL: resp.Request.URL.String(), ETag: resp.Header.Get("ETag"),
		Modified: resp.Header.Get("Last-Modified"),
		Type:     resp.Header.Get("Content-Type"), Next: strings.Join(resp.Header.Values("Link"), ", "), Fetched: now.UTC(),
	}
	if c.blob.Digest == "" {
		c.blob = store.Blob{Digest: digest.FromBytes(c.body), Size: int64(len(c.body))}
	}
	k := &kept{entry: e, blob: c.blob, done: make(chan struct{})}
	if have != nil && have.blob == k.blob && have.ETag == e.ETag && have.entry.Modified == e.Modified {
		return s.document(u, have, s.confirm(id), "MISS"), nil
	}
	k.body = c.body
	// The age gate reads what is written with the document.
	early := q.Early && c.body != nil && !s.Gated() && s.unstored.Load() < maxUnstored && k.blob.Size < maxEarly
	var before *kept
	s.with(id, func(st *state) {
		st.checked, st.absent, before = now, time.Time{}, st.coming
		if early {
			st.coming = k
		}
	})
	d := s.document(u, k, now, "MISS")
	if !early {
		stored := s.write(ctx, id, u, q, k, c, before)
		if stored && k.blob.Size > maxCarried {
			d.body = nil
		}
		if before != nil {
			// It is stored as well, but nobody may find it from now on.
			s.with(id, func(st *state) {
				if st.coming == before {
					st.coming = nil
				}
			})
		}
		return d, nil
	}
	s.unstored.Add(k.blob.Size)
	ctx, done := s.r.detach(ctx)
	go func() {
		defer done()
		s.write(context.WithoutCancel(ctx), id, u, q, k, c, before)
		s.with(id, func(st *state) {
			if st.coming == k {
				st.coming = nil
			}
		})
		s.unstored.Add(-k.blob.Size)
	}()
	return d, nil
}

// maxCarried is the largest document that is handed from its fetch to those who asked; a larger one is read from the
// disk once they have got a share of the memory for it.
const maxCarried = 256 << 10

// maxUnstored bounds the bytes of documents that are answered before they are stored.
const maxUnstored = 64 << 20

// maxEarly is the largest document that is: writing a larger one is a small part of the time that fetching it took, and
// it would be in memory for longer than the share of its fetch.
const maxEarly = 4 << 20

// write stores what keep got, after what was got before, and says whether it could.
func (s *Set) write(ctx context.Context, id docID, u *Upstream, q Query, k *kept, c content, before *kept) bool {
	defer close(k.done)
	if before != nil {
		<-before.done
	}
	var gone map[string][]byte
	var err error
	if q.Package != "" { // a listing, which may be large, refers to no files
		gone, err = s.vanishing(ctx, id, k)
	}
	if err != nil {
		s.r.log.LogAttrs(ctx, slog.LevelWarn, "what a document referred to before is not remembered",
			slog.String("package", q.Package), slog.Any("error", err))
	}
	if q.Versions != nil && c.body != nil {
		c.versions = q.Versions(c.body)
	}
	about, empty := s.said(id.pkg, q.Key, c)
	record := func(tx *store.PackageTx[entry]) error {
		if err := note(tx, u, c.versions); err != nil {
			return err
		}
		if err := remember(tx.Tx(), gone); err != nil {
			return err
		}
		return put(tx, id.id, k.entry, k.blob, nil)
	}
	change := func(tx *store.Tx) error {
		if !empty {
			if err := s.noteCopy(tx, id.pkg, u, about); err != nil {
				return err
			}
		}
		return s.docs.In(tx, id.pkg, record)
	}
	if c.body == nil {
		err = s.r.store.Update(ctx, change)
	} else {
		_, err = s.r.store.PutBytesWith(ctx, c.body, func(tx *store.Tx, _ store.Blob) error {
			return change(tx)
		})
	}
	if err != nil {
		s.r.log.LogAttrs(ctx, slog.LevelWarn, "document not kept", slog.String("upstream", u.Name()),
			slog.String("package", q.Package), slog.Any("error", err))
	}
	return err == nil
}

// Find calls look with the document and its bytes, as far as they are kept, and when that finds nothing once more with
// what the upstream has now: the kept one may be older than what is looked for. last is true then. It reports whether
// look has found something; that it has not is certain: when the upstream could not be asked, that is the error. The
// errors are those of Document and of look.
func (s *Set) Find(
	ctx context.Context, q Query, look func(d *Document, body []byte, last bool) (found bool, err error),
) (found bool, err error) {
	for _, last := range []bool{false, true} {
		if last {
			q.Fresh = -1
		}
		d, err := s.Document(ctx, q)
		if err != nil {
			return false, err
		}
		body, err := d.Bytes(ctx)
		if err != nil {
			return false, err
		}
		if found, err := look(d, body, last); found || err != nil {
			return found, err
		}
		if last {
			return false, d.Lacks(nil)
		}
	}
	return false, nil
}
