package upstream

// This file fetches files while those who asked follow.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"larder/store"
)

// flight is one file on its way, for all who ask. Nobody is special: the fetch is the flight's own, and goes on when
// those who asked leave, if it is nearly done or cheap; otherwise it pauses and whoever comes next continues it.
type flight struct {
	s     *Set
	id    fileID
	ctx   context.Context // not a client's; it has the first one's actor
	done  func()
	place Place
	have  *kept // of a file that changes
	// answer is what had to be asked for it.
	answer Answer

	mu      sync.Mutex    // guards what follows
	wake    chan struct{} // closed and replaced at every change
	readers int
	begun   bool // the header is here
	total   int64
	kind    string // Content-Type
	mod     string // Last-Modified
	ready   int64  // bytes readers may have
	follow  *os.File
	blob    store.Blob
	sums    map[string]string
	ended   bool
	err     error
}

const (
	finishBelow = 50 << 20              // a fetch nobody waits for goes on when so little is missing,
	finishShare = 4                     // or when so large a part (1/n) is here
	pauseFor    = 2 * time.Minute       // how long a paused fetch waits for somebody
	chunk       = 128 << 10             // read at once
	slow        = 2 * time.Second       // after which a small file is shown as it comes
	pieces      = 64 << 10              // given to one reader at once
	often       = 1 << 20               // readers are woken for so many new bytes,
	seldom      = 40 * time.Millisecond // or for any after so long: waking many for every packet is what would cost most
	// wholeBelow is the size up to which files are shown whole or not at all: what nobody saw can be fetched again.
	wholeBelow = 512 << 10
)

// join takes part in the flight of q, beginning it when there is none, and returns once the header is known.
func (s *Set) join(ctx context.Context, q FileQuery) (*File, error) {
	id := fileID{s.homeOf(q.Package), q.Key}
	s.mu.Lock()
	f := s.flights[id]
	if f == nil {
		f = &flight{s: s, id: id, wake: make(chan struct{}), total: -1}
		f.ctx, f.done = s.r.detach(ctx)
		f.ctx = context.WithValue(f.ctx, AnswerKey{}, &f.answer)
		s.flights[id] = f
		go f.run(q)
	}
	f.mu.Lock()
	f.readers++
	f.mu.Unlock()
	s.mu.Unlock()
	f.signal(nil)
	if err := f.until(ctx, func() bool { return f.begun || f.ended }); err != nil {
		f.release()
		return nil, err
	}
	return f.file(ctx)
}

// file is what the flight knows now, for one reader, who stays with it only when there is something to follow.
func (f *flight) file(ctx context.Context) (*File, error) {
	f.mu.Lock()
	out := &File{Size: f.total, Type: f.kind, Cache: "MISS", Sums: f.sums, Blob: f.blob, Digest: f.blob.Digest}
	out.Modified, _ = http.ParseTime(f.mod) // zero when the upstream did not say
	ended, err := f.ended, f.err
	f.mu.Unlock()
	if err == nil || errors.Is(err, errRoom) {
		tell(ctx, f.place.Upstream, howHit) // unless more is noted, it was made of what is here
		u, how := f.answer.said()
		tell(ctx, u, how)
	}
	if !ended {
		out.flight, out.Digest = f, f.place.digest()
		return out, nil
	}
	f.release()
	switch {
	case errors.Is(err, errRoom):
		return f.s.pass(ctx, f.place)
	case err != nil:
		return nil, err
	}
	out.Size = out.Blob.Size
	return out, nil
}

// signal changes the flight under its lock and wakes everybody.
func (f *flight) signal(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if change != nil {
		change()
	}
	close(f.wake)
	f.wake = make(chan struct{})
}

// until waits for cond, which is asked under the lock.
func (f *flight) until(ctx context.Context, cond func() bool) error {
	for {
		f.mu.Lock()
		ok, wake := cond(), f.wake
		f.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-wake:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (f *flight) release() {
	f.signal(func() { f.readers-- })
}

// wait returns the blob once it is there.
func (f *flight) wait(ctx context.Context) (store.Blob, error) {
	if err := f.until(ctx, func() bool { return f.ended }); err != nil {
		return store.Blob{}, err
	}
	return f.blob, f.err
}

// copy gives one reader the bytes from..to as they become ready.
func (f *flight) copy(ctx context.Context, w io.Writer, from, to int64) error {
	var buf []byte
	for to < 0 || from < to {
		var ready int64
		var ended bool
		err := f.until(ctx, func() bool {
			ready, ended = f.ready, f.ended
			return ended || ready > from
		})
		switch {
		case err != nil:
			return err
		case ended:
			return f.rest(ctx, w, from, to)
		}
		if to >= 0 {
			ready = min(ready, to)
		}
		if buf == nil {
			buf = make([]byte, pieces)
		}
		for from < ready {
			n, err := f.follow.ReadAt(buf[:min(int64(len(buf)), ready-from)], from)
			if n == 0 && err != nil {
				return err
			}
			if _, err := w.Write(buf[:n]); err != nil {
				return err
			}
			from += int64(n)
		}
		if flush, ok := w.(http.Flusher); ok {
			flush.Flush()
		}
	}
	return nil
}

// rest gives out what is left once the flight has ended: from the blob, which the sums are right for.
func (f *flight) rest(ctx context.Context, w io.Writer, from, to int64) error {
	if f.err != nil {
		return f.err
	}
	file, b, err := f.s.r.store.OpenBlob(ctx, f.blob.Digest)
	if err != nil {
		return err
	}
	defer file.Close()
	if to < 0 {
		to = b.Size
	}
	if _, err := file.Seek(from, io.SeekStart); err != nil {
		return err
	}
	_, err = io.CopyN(w, file, to-from)
	return err
}

// run fetches the file and ends the flight. Until the record is committed whoever asks finds the flight, afterwards
// the record.
func (f *flight) run(q FileQuery) {
	err := f.fetch(q)
	if err != nil && !errors.Is(err, store.ErrNotFound) && !errors.Is(err, ErrOffline) {
		f.s.r.log.LogAttrs(f.ctx, slog.LevelWarn, "fetch failed", slog.String("kind", string(f.s.kind)),
			slog.String("package", f.id.pkg), slog.String("file", f.id.key), slog.Any("error", err))
	}
	f.s.noteRefused(q.Package, q.Key, err)
	f.s.mu.Lock()
	delete(f.s.flights, f.id)
	f.s.mu.Unlock()
	f.signal(func() {
		f.ended, f.err = true, err
	})
	f.done()
	// The last reader of the growing file may be in the middle of it; its own handle stays valid until it has left.
	_ = f.until(context.Background(), func() bool { return f.readers <= 0 })
	if f.follow != nil {
		f.follow.Close()
	}
}

// fetch does it all. Wrong bytes of which nobody got any are fetched once more: a blip of a cache in between is as
// common as a broken registry.
func (f *flight) fetch(q FileQuery) (err error) {
	ctx := withBudget(f.ctx, Budget)
	if f.place, err = f.s.find(ctx, q); err != nil {
		return err
	}
	if ok, err := f.adopt(ctx, q.Version); ok || err != nil {
		return err
	}
	if q.Fresh > 0 {
		k, err := load(ctx, f.s.bytes, f.s.files, f.id.pkg, f.id.key)
		if err != nil {
			return err
		}
		f.have = f.s.sound(k)
	}
	var trouble error
	others := f.place.Or
	for try := 1; ; try++ {
		err = f.transfer(ctx, q)
		f.mu.Lock()
		shown := f.ready > 0
		f.mu.Unlock()
		leadsOn := f.place.leadsOn(err) && !shown
		if leadsOn {
			trouble = err
		}
		if (errors.Is(err, store.ErrNotFound) || leadsOn) && len(others) > 0 {
			f.place, others = others[0], others[1:]
			continue
		}
		if errors.Is(err, store.ErrNotFound) && trouble != nil {
			return trouble
		}
		if !errors.Is(err, ErrBroken) || shown || try == maxTries || !time.Now().Before(deadlineOf(ctx)) {
			return err
		}
	}
}

// errSame is the answer that a file which may change is as it was.
var errSame = errors.New("not modified")

// current makes the file that is here the flight's: the upstream has said that it is the same.
func (f *flight) current(q FileQuery) {
	now, k := f.s.r.now(), f.have
	f.s.with(q.absence(), func(st *state) { st.checked = now })
	f.s.r.uses.confirm(useKey{f.s.files.Kind(), f.id.pkg, f.id.key}, now)
	f.signal(func() { f.blob, f.sums, f.kind, f.mod = k.blob, k.sums, k.Type, k.entry.Modified })
}

func (f *flight) transfer(ctx context.Context, q FileQuery) error {
	t := &transfer{f: f, place: f.place, ctx: ctx}
	defer t.close()
	err := t.open()
	if err == errSame {
		f.current(q)
		return nil
	}
	if err != nil {
		return err
	}
	if err := t.copy(); err != nil {
		return err
	}
	return t.commit(q)
}

// transfer is the fetching side of a flight; only its goroutine uses it.
type transfer struct {
	f      *flight
	place  Place
	stage  *store.Stage
	body   io.ReadCloser
	head   http.Header
	url    string
	total  int64 // of the body, -1 when unknown
	n      int64 // bytes here
	tries  int
	summed bool     // some sum said what the file must be
	enc    *encoded // nil for a body that came without a Content-Encoding
	// Until clients have the header everything must be decided within ctx's budget; afterwards the body may take as long
	// as it flows.
	ctx    context.Context
	opened time.Time
	silent *time.Timer // lets clients have the header when no byte follows it
	shown  int64       // of n, when readers were woken last
	told   time.Time   // and when that was
}

func (t *transfer) close() {
	if t.silent != nil {
		t.silent.Stop()
	}
	if t.body != nil {
		t.body.Close()
	}
	if t.stage != nil {
		t.stage.Abort()
	}
	if t.enc != nil && t.enc.other != nil {
		t.enc.other.close()
	}
}

// header asks for the file, of one that is here and may have changed only if it has.
func (t *transfer) header() http.Header {
	h, have := t.place.header(), t.f.have
	if have == nil || have.Upstream != t.place.Upstream.key {
		return h
	}
	if have.ETag != "" {
		h.Set("If-None-Match", have.ETag)
	}
	if have.entry.Modified != "" {
		h.Set("If-Modified-Since", have.entry.Modified)
	}
	return h
}

// open sends the first request and makes the stage.
func (t *transfer) open() error {
	u := t.place.Upstream
	asked := time.Now()
	ask := t.place.request(t.header())
	ask.idle = t.idle()
	resp, err := t.place.ask(t.ctx, t.f.s, ask)
	if err != nil {
		return err
	}
	if resp.StatusCode == http.StatusNotModified && t.f.have != nil {
		drop(resp)
		return errSame
	}
	if resp.StatusCode != http.StatusOK {
		drop(resp)
		t.f.s.noteAbsent(u, t.f.s.named(t.f.id.pkg), t.f.id.key, resp)
		return t.place.absent(resp)
	}
	t.body, t.head, t.url, t.total = resp.Body, resp.Header, resp.Request.URL.String(), resp.ContentLength
	if t.place.Size > 0 && t.total > 0 && t.total != t.place.Size && codingOf(resp.Header) == "" {
		u.Counts.Broken.Add(1)
		return u.unavailable(t.otherSize(resp), 0)
	}
	sums := append([]string{}, t.place.Keep...)
	for alg := range t.place.Sums {
		sums = append(sums, alg)
	}
	t.stage, err = t.f.s.r.store.Stage(t.f.ctx, store.StageOptions{Size: t.total, Sums: sums})
	if err == nil {
		err = t.encoded(resp, sums)
	}
	if errors.Is(err, store.ErrFull) || errors.Is(err, store.ErrReadOnly) {
		return fmt.Errorf("%w: %w", errRoom, err)
	}
	if err != nil {
		return err
	}
	if t.place.Make == nil {
		tell(t.f.ctx, u, howMiss)
	}
	length := t.place.length(resp)
	if t.begun() && length != t.f.total {
		return u.unavailable(errors.New("the file has another size than before"), 0)
	}
	t.f.signal(func() {
		t.f.total, t.f.kind, t.f.mod = length, t.place.contentType(resp), resp.Header.Get("Last-Modified")
	})
	t.opened = time.Now()
	if time.Since(asked) > Budget/2 && time.Until(deadlineOf(t.ctx)) < Budget/2 {
		// The header took long: what follows gets its time all the same.
		t.ctx = newBudget(t.ctx, Budget/2)
	}
	if t.total > wholeBelow && t.enc == nil {
		t.begin()
		return nil
	}
	t.silent = time.AfterFunc(slow, func() { t.f.signal(func() { t.f.begun = true }) })
	return nil
}

// begin lets clients have the header. A small file is not begun but answered when it is all here, and right; unless it
// comes so slowly that clients would give up.
func (t *transfer) begin() {
	t.body.(patient).pause(idleBody)
	asItCame := t.asItCame()
	t.f.signal(func() {
		if asItCame && t.total >= 0 && !t.f.begun {
			t.f.total = t.total
		}
		t.f.begun = true
	})
}

// begun reports whether clients have the header and may have bytes.
func (t *transfer) begun() bool {
	t.f.mu.Lock()
	defer t.f.mu.Unlock()
	return t.f.begun
}

// idle is how long the body may pause: one that has not begun yet as long as one that clients see.
func (t *transfer) idle() time.Duration {
	if t.n == 0 || t.begun() {
		return idleBody
	}
	return max(min(idleDocument, time.Until(deadlineOf(t.ctx))), time.Second)
}

// copy takes the body in, resuming it when it breaks off.
func (t *transfer) copy() error {
	buf := make([]byte, chunk)
	for {
		n, err := t.body.Read(buf)
		if n > 0 {
			if werr := t.take(buf[:n]); werr != nil {
				return werr
			}
		}
		switch {
		case err == io.EOF && (t.total < 0 || t.n == t.total):
			// The next request need not wait until the disk has this file.
			t.body.Close()
			return nil
		case err != nil:
			if err := t.resume(err); err != nil {
				return err
			}
		case t.deserted():
			if err := t.pause(); err != nil {
				return err
			}
		}
	}
}

// take stores p and shows it to the readers, but for the tail.
func (t *transfer) take(p []byte) error {
	if _, err := t.stage.Write(p); err != nil {
		return err
	}
	t.enc.write(p)
	first := t.n == 0
	t.n += int64(len(p))
	begun := t.begun()
	switch {
	case !begun && (t.n > wholeBelow || time.Since(t.opened) > slow):
		t.begin()
		begun = true
	case first && !begun:
		t.silent.Stop()
		t.body.(patient).pause(t.idle())
	}
	if !begun || t.n <= tail || t.n-t.shown < often && time.Since(t.told) < seldom {
		return nil
	}
	t.shown, t.told = t.n, time.Now()
	return t.show()
}

// show gives the readers what is here, but for the tail.
func (t *transfer) show() error {
	stage, done := t.showing()
	defer done()
	ready, err := stage.Flush()
	if err != nil || ready <= tail {
		return err
	}
	if t.f.follow == nil {
		file, err := stage.Follow()
		if err != nil || file == nil {
			return err
		}
		t.f.signal(func() { t.f.follow = file })
	}
	t.f.signal(func() { t.f.ready = ready - tail })
	return nil
}

// deserted reports whether nobody waits any more and too much is missing to go on for the next one's sake.
func (t *transfer) deserted() bool {
	t.f.mu.Lock()
	defer t.f.mu.Unlock()
	if t.f.readers > 0 || t.total >= 0 && (t.total-t.n <= finishBelow || t.n >= t.total/finishShare) {
		return false
	}
	return t.total >= 0 || t.n > finishBelow
}

// pause gives the connection back and waits for somebody who wants the rest.
func (t *transfer) pause() error {
	t.body.Close()
	ctx, cancel := context.WithTimeout(t.f.ctx, pauseFor)
	defer cancel()
	if err := t.f.until(ctx, func() bool { return t.f.readers > 0 }); err != nil {
		return fmt.Errorf("nobody wants it any more: %w", err)
	}
	return t.resume(nil)
}

// resume asks for the rest. Without sums it must be the same representation for sure.
func (t *transfer) resume(cause error) error {
	u := t.place.Upstream
	etag := t.head.Get("ETag")
	strong := etag != "" && !strings.HasPrefix(etag, "W/")
	if cause != nil {
		t.tries++
		if cause == io.EOF {
			cause = io.ErrUnexpectedEOF
		}
	}
	if len(t.place.Sums) == 0 && !strong && cause != nil {
		// Nobody could say whether the rest belongs to it: it is fetched anew, if nobody has seen any of it.
		cause, t.tries = fmt.Errorf("%w: it broke off: %w", ErrBroken, cause), maxTries+1
	}
	if t.tries > maxTries || len(t.place.Sums) == 0 && !strong {
		return u.unavailable(cause, 0)
	}
	t.body.Close()
	h := t.place.header()
	h.Set("Range", "bytes="+strconv.FormatInt(t.n, 10)+"-")
	if strong {
		h.Set("If-Range", etag)
	}
	ctx := t.f.ctx
	if !t.begun() {
		ctx = t.ctx
		if !time.Now().Before(deadlineOf(ctx)) {
			return u.unavailable(cause, 0)
		}
	}
	ask := t.place.request(h)
	ask.idle, ask.sizeless = t.idle(), false
	resp, err := u.do(ctx, ask)
	if err != nil {
		return err
	}
	t.body = resp.Body
	switch {
	case codingOf(resp.Header) != codingOf(t.head):
		return u.unavailable(fmt.Errorf("%w: its rest is encoded otherwise", ErrBroken), 0)
	case resp.StatusCode == http.StatusPartialContent &&
		strings.HasPrefix(resp.Header.Get("Content-Range"), "bytes "+strconv.FormatInt(t.n, 10)+"-"):
		return nil
	case resp.StatusCode == http.StatusOK && len(t.place.Sums) > 0:
		// From the beginning: the sums will tell whether it is the same.
		if _, err := io.CopyN(io.Discard, t.body, t.n); err != nil {
			return u.unavailable(err, 0)
		}
		return nil
	}
	return u.unavailable(&statusError{resp.StatusCode, u.Host()}, 0)
}

// check compares the sums of what was taken in; told reports whether there were any.
func (t *transfer) check(stage *store.Stage) (told bool, err error) {
	sum := func(alg string) string {
		told = true
		return sumOf(stage, alg)
	}
	if err := verify(t.place.Sums, sum, t.place.Size, stage.Size()); err != nil || t.place.Verify == nil {
		return told, err
	}
	err = t.place.Verify(t.f.ctx, t.place.Upstream, t.head, sum)
	return told, err
}

func sumOf(stage *store.Stage, alg string) string {
	if alg == "sha256" {
		return stage.Digest().Encoded()
	}
	return stage.Sum(alg)
}

// commit compares the sums and makes blob and record durable in one transaction.
func (t *transfer) commit(q FileQuery) error {
	u := t.place.Upstream
	stage, err := t.chosen()
	err = t.page(err)
	if errors.Is(err, ErrBroken) {
		u.Counts.Broken.Add(1)
		err = u.unavailable(err, 0)
	}
	if err != nil {
		return err
	}
	sums := map[string]string{}
	for _, alg := range t.place.Keep {
		sums[alg] = sumOf(stage, alg)
	}
	for alg := range t.place.Sums {
		sums[alg] = sumOf(stage, alg)
	}
	delete(sums, "sha256") // it is the digest
	e := entry{
		Upstream: u.key, URL: t.url, ETag: t.head.Get("ETag"), Modified: t.head.Get("Last-Modified"),
		Type: t.place.Type, Fetched: t.f.s.r.now().UTC(),
		Accept: t.place.Accept, Scope: t.place.Scope, Made: t.place.Make != nil,
		Pinned: t.pins(q),
	}
	if t.place.Ref != t.url {
		e.Ref = t.place.Ref
	}
	if e.Type == "" {
		e.Type = t.head.Get("Content-Type")
	}
	b, err := stage.CommitWith(t.f.ctx, func(tx *store.Tx, b store.Blob) error {
		if err := t.f.s.checkPin(tx, u, t.f.id, b.Digest); err != nil {
			return err
		}
		if e.Pinned {
			if err := t.f.s.pin(tx, u, t.f.id, b.Digest); err != nil {
				return err
			}
		}
		return t.f.s.putFile(tx, u, t.f.id, q.Version, e, b, sums)
	})
	var changed *changedError
	if errors.As(err, &changed) {
		u.Counts.Broken.Add(1)
		return u.unavailable(err, 0)
	}
	if err != nil {
		return err
	}
	t.f.s.r.uses.touch(useKey{t.f.s.kind, t.f.id.pkg, t.f.id.key}, b.Size)
	if t.misled(stage) {
		return u.unavailable(errMisled, 0)
	}
	t.f.signal(func() { t.f.blob, t.f.sums = b, sums })
	return nil
}
