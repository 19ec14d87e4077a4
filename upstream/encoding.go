package upstream

// This file decides which bytes are the file, or the document, when an upstream sends it with a Content-Encoding.

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"

	"larder/store"
)

const codingGzip = "gzip"

// noCodings are words that servers write into Content-Encoding for bytes that nothing was done to. The last one is what
// objects get whose uploads were signed in pieces.
var noCodings = []string{"", "identity", "none", "binary", "aws-chunked"}

// codingOf is how a body was encoded for its way: "" for not at all, gzip, or a coding that we have no decoder for.
func codingOf(h http.Header) string {
	var all []string
	for word := range strings.SplitSeq(strings.Join(h.Values("Content-Encoding"), ","), ",") {
		word = strings.ToLower(strings.TrimSpace(word))
		switch {
		case word == "x-gzip":
			all = append(all, codingGzip)
		case !slices.Contains(noCodings, word):
			all = append(all, word)
		}
	}
	return strings.Join(all, ", ")
}

// headSize is how much of a body is looked at to tell what it is.
const headSize = 4 << 10

// isGzip reports whether p begins as gzip does (RFC 1952, 2.3.1).
func isGzip(p []byte) bool { return bytes.HasPrefix(p, []byte{0x1f, 0x8b, 8}) }

// isTar reports whether p begins as the header of a tar archive does.
func isTar(p []byte) bool { return len(p) >= 262 && string(p[257:262]) == "ustar" }

// labelled reports whether a body that is said to be gzip of something is rather the thing itself, as servers say it
// that tell the encoding from a file's name (Apache's AddEncoding). head is how it begins, ref where it is. A tar
// archive that its name does not call one is an archive that is always compressed; that is a guess, made only when
// sums will tell.
func labelled(head []byte, ref string, sums bool) bool {
	if !isGzip(head) {
		return true
	}
	var start []byte
	if z, err := gzip.NewReader(bytes.NewReader(head)); err == nil {
		start = make([]byte, 512)
		n, _ := io.ReadFull(z, start) // the head ends somewhere
		start = start[:n]
	}
	if at, err := url.Parse(ref); err == nil {
		ref = at.Path
	}
	switch strings.ToLower(path.Ext(ref)) {
	case ".gz", ".tgz", ".crate":
		return !isGzip(start)
	case ".tar", ".gem":
		return false
	}
	return sums && isTar(start)
}

// decoded reads a body without its encoding, for what is read once; size is its length, -1 when unknown. sums says that
// they will tell whether it was the right form.
func decoded(resp *http.Response, ref string, sums bool) (r io.Reader, size int64, err error) {
	switch coding := codingOf(resp.Header); coding {
	case "":
		return resp.Body, resp.ContentLength, nil
	case codingGzip:
	default:
		if sums {
			return resp.Body, resp.ContentLength, nil
		}
		return nil, 0, fmt.Errorf("unknown encoding %.20q", coding)
	}
	b := bufio.NewReaderSize(resp.Body, headSize)
	head, err := b.Peek(headSize)
	if err != nil && err != io.EOF {
		return nil, 0, err
	}
	if labelled(head, ref, sums) {
		return b, resp.ContentLength, nil
	}
	z, err := gzip.NewReader(b)
	return z, -1, err
}

// length is how long the file will be that an answer brings, -1 when that is not known yet.
func (p Place) length(resp *http.Response) int64 {
	switch {
	case codingOf(resp.Header) == "":
		return resp.ContentLength
	case p.Size > 0:
		return p.Size
	}
	return -1
}

const (
	// A file may be so many times as large as what came, beyond what any may be: more is no file but an attack.
	maxInflation = 64
	anyInflated  = 16 << 20
)

var errInflated = errors.New("it would be too large")

// decoding takes in what a body is without its encoding, while the body itself is taken in as well.
type decoding struct {
	in    *io.PipeWriter
	ended chan struct{}
	err   error // why there is no such file, once ended is closed

	mu    sync.Mutex // guards stage
	stage *store.Stage
	most  int64 // the size that is known, 0 for none
	came  int64 // bytes read of the body
	n     int64 // bytes made of them
}

// newDecoding begins to decode gzip. close must be called.
func newDecoding(ctx context.Context, s *store.Store, sums []string, size int64) (*decoding, error) {
	stage, err := s.Stage(ctx, store.StageOptions{Sums: sums})
	if err != nil {
		return nil, err
	}
	out, in := io.Pipe()
	d := &decoding{in: in, ended: make(chan struct{}), stage: stage, most: size}
	go func() {
		defer close(d.ended)
		d.err = d.run(out)
		out.CloseWithError(errors.New("it is not decoded any further"))
	}()
	return d, nil
}

func (d *decoding) run(from io.Reader) error {
	z, err := gzip.NewReader(io.TeeReader(from, (*cameWriter)(d)))
	if err != nil {
		return err
	}
	_, err = io.CopyBuffer((*stageWriter)(d), z, make([]byte, pieces))
	return err
}

// cameWriter counts what is read of the body; run's goroutine calls it.
type cameWriter decoding

func (d *cameWriter) Write(p []byte) (int, error) {
	d.came += int64(len(p))
	return len(p), nil
}

// stageWriter takes in what the decoder makes; run's goroutine calls it.
type stageWriter decoding

func (d *stageWriter) Write(p []byte) (int, error) {
	d.n += int64(len(p))
	if d.most > 0 && d.n > d.most || d.n > anyInflated+maxInflation*d.came {
		return 0, errInflated
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.stage.Write(p)
}

// write decodes p. That it cannot be decoded shows at the end.
func (d *decoding) write(p []byte) { _, _ = d.in.Write(p) }

// end waits for the end of what was written, which was all; the error says why it is not a file.
func (d *decoding) end() error {
	d.in.Close()
	<-d.ended
	return d.err
}

func (d *decoding) close() {
	d.in.CloseWithError(context.Canceled)
	<-d.ended
	d.stage.Abort()
}

// encoded is what a transfer knows of a body that came with a Content-Encoding.
type encoded struct {
	coding string
	head   []byte    // how the body begins
	other  *decoding // nil for a coding that we have no decoder for
	raw    *bool     // whether the body as it came is taken for the file, nil until something depends on it
}

// encoded prepares t for a body that came with a Content-Encoding.
func (t *transfer) encoded(resp *http.Response, sums []string) (err error) {
	e := &encoded{coding: codingOf(resp.Header)}
	switch size := t.place.Size; {
	case e.coding == "":
		return nil
	case size > 0 && size == t.total:
		// It is the size of what came.
	case e.coding == codingGzip:
		e.other, err = newDecoding(t.f.ctx, t.f.s.r.store, sums, t.place.Size)
	case len(t.place.Sums) == 0:
		t.place.Upstream.Counts.Broken.Add(1)
		return t.place.Upstream.unavailable(fmt.Errorf("%w: the file came encoded as %.20q", ErrBroken, e.coding), 0)
	}
	if err == nil {
		t.enc = e
	}
	return err
}

// write takes in what came next.
func (e *encoded) write(p []byte) {
	if e == nil {
		return
	}
	if room := headSize - len(e.head); room > 0 {
		e.head = append(e.head, p[:min(room, len(p))]...)
	}
	if e.other != nil {
		e.other.write(p)
	}
}

// asItCame decides what readers are shown until the sums tell.
func (t *transfer) asItCame() bool {
	e := t.enc
	if e == nil {
		return true
	}
	if e.raw == nil {
		raw := e.other == nil
		if !raw && (t.place.Size == 0 || t.total < 0) {
			raw = labelled(e.head, t.place.Ref, len(t.place.Sums) > 0)
		}
		e.raw = &raw
	}
	return *e.raw
}

// showing is the stage whose bytes readers follow, nil when there is none; done must be called.
func (t *transfer) showing() (stage *store.Stage, done func()) {
	if t.asItCame() {
		return t.stage, func() {}
	}
	t.enc.other.mu.Lock()
	return t.enc.other.stage, t.enc.other.mu.Unlock
}

// chosen is the stage whose bytes are the file: those that came or what they are decoded to, whichever has the right
// sums; where there are none to tell, what HTTP means, which is the latter.
func (t *transfer) chosen() (*store.Stage, error) {
	if t.enc == nil || t.enc.other == nil {
		var err error
		t.summed, err = t.check(t.stage)
		return t.stage, err
	}
	raw := t.asItCame()
	failed := t.enc.other.end()
	var first error
	for _, asCame := range []bool{raw, !raw} {
		stage, err := t.stage, error(nil)
		if !asCame {
			stage, err = t.enc.other.stage, failed
		}
		var told bool
		if err == nil {
			told, err = t.check(stage)
		} else if !errors.Is(err, store.ErrFull) && !errors.Is(err, store.ErrReadOnly) {
			err = fmt.Errorf("%w: it cannot be decoded: %w", ErrBroken, err)
		}
		switch {
		case err == nil && (told || first == nil):
			t.summed = told
			return stage, nil
		case first == nil:
			first = err
		}
	}
	return nil, first
}

// errMisled is a file whose sums told that it was not what its readers had got of it already.
var errMisled = &formError{"sent the file in a form that was known at its end only",
	errors.New("readers had got the other form of a file that came encoded")}

// misled reports whether readers were promised something else than the file, which is kept now.
func (t *transfer) misled(file *store.Stage) bool {
	if t.enc == nil {
		return false
	}
	shown, done := t.showing()
	done()
	t.f.mu.Lock()
	defer t.f.mu.Unlock()
	return t.f.begun && (t.f.ready > 0 && shown != file || t.f.total >= 0 && t.f.total != file.Size())
}
