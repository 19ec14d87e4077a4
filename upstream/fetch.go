package upstream

// This file sends one request: retries, time limits, and which answers count.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"

	"larder/internal/problem"
	"larder/store"
)

const userAgent = "larder"

// Errors of this package. ErrNotFound of store is the one that says "no upstream has it".
var (
	// ErrUnavailable: trouble with an upstream; nobody knows whether what was asked for exists. See Unavailable. It is
	// never a 404: clients would take it for the truth, and some remember it.
	ErrUnavailable = problem.New(503, "upstream unavailable", "an upstream registry cannot be reached")
	// ErrOffline: not kept, and upstreams are switched off.
	ErrOffline = problem.New(404, "offline, and not in the cache", "offline: not in the cache")
	// ErrElsewhere: a document, redirect or realm names a host that was not allowed.
	ErrElsewhere = problem.New(502, "host not allowed",
		"the upstream registry refers to a host that is not allowed")
	// ErrBroken: the bytes are not those that were announced.
	ErrBroken = errors.New("upstream sent wrong bytes")
)

// Unavailable is ErrUnavailable with its reason and when to come back.
type Unavailable struct {
	Upstream string
	After    time.Duration
	Err      error
	nameless bool
}

func (e *Unavailable) Error() string {
	return fmt.Sprintf("%v: %s: %v", ErrUnavailable, e.Upstream, e.Err)
}
func (e *Unavailable) Unwrap() []error      { return []error{ErrUnavailable, e.Err} }
func (e *Unavailable) Is(target error) bool { return target == ErrUnavailable }

// RetryAfter is After.
func (e *Unavailable) RetryAfter() time.Duration { return e.After }

// Public is what the client's user reads; it names the upstream as the operator does, never its address, which is what
// an upstream without a name of its own is called.
func (e *Unavailable) Public() string {
	name := ""
	if !e.nameless {
		name = " " + e.Upstream
	}
	var changed *changedError
	if errors.As(e.Err, &changed) {
		return "The upstream registry" + name + " " + changed.says()
	}
	return "The upstream registry" + name + " " + said(e.Err) + ", and this is not in the cache."
}

// said is what an upstream did instead of answering.
func said(err error) string {
	var status *statusError
	var form *formError
	var closed *errBreaker
	switch {
	case errors.As(err, &form):
		return form.said
	case errors.As(err, &status):
		return fmt.Sprintf("answered %d", status.code)
	case errors.Is(err, ErrBroken):
		return "sent other bytes than it had announced"
	case errors.Is(err, errBody):
		return "broke off its answer"
	case errors.Is(err, errBusy):
		return "has too many requests under way"
	case errors.Is(err, errRedirects):
		return "redirects without end"
	case errors.As(err, &closed):
		return "is in trouble and is not asked again for a moment"
	}
	return "cannot be reached at present"
}

// formError is an answer that is not what was asked for.
type formError struct {
	said string
	err  error
}

func (e *formError) Error() string { return e.err.Error() }
func (e *formError) Unwrap() error { return e.err }

// misformed says of an answer of 200 what it is instead of the document.
func misformed(body []byte, err error) *formError {
	switch {
	case len(bytes.TrimLeft(body[:min(len(body), 512)], "\ufeff \t\r\n")) == 0:
		return &formError{"answered an empty page", err}
	case isWebPage(body):
		return &formError{"answered a web page instead of the document", err}
	}
	return &formError{"answered something that is not the document that was asked for", err}
}

// statusError is an answer that is neither the thing nor its absence.
type statusError struct {
	code int
	host string
}

func (e *statusError) Error() string { return fmt.Sprintf("%s answered %d", e.host, e.code) }

// request is one thing to ask an upstream for.
type request struct {
	ref    string // absolute, or relative to the registry
	method string // "": GET
	header http.Header
	body   []byte // of a POST
	scope  string // of the token, for container registries
	// file says that it is one: its header may take longer. A small one waits for its turn with documents; a sizeless one
	// may be small, which its answer says.
	file, small, sizeless bool
	// idle is how long the body may pause; 0: idleBody.
	idle time.Duration
}

// errBreaker is a host that is not asked at present.
type errBreaker struct{ wait time.Duration }

func (e *errBreaker) Error() string {
	return "not asked again before " + e.wait.Round(time.Millisecond).String()
}

// do asks until the answer is one of 2xx, 304, 404, 410, 451, or the budget is spent. The caller closes the body.
// Errors are *Unavailable, ErrOffline and ErrElsewhere. ctx must not be a client's.
func (u *Upstream) do(ctx context.Context, q request) (*http.Response, error) {
	if u.offline.Load() {
		return nil, fmt.Errorf("%s: %w", u.conf.Name, ErrOffline)
	}
	to, err := u.resolve(q.ref)
	if err != nil {
		return nil, err
	}
	if q.method == "" {
		q.method = http.MethodGet
	}
	q.ref = to.String()
	b := budgetOf(ctx)
	for try := 0; ; try++ {
		resp, err := u.once(ctx, q, b)
		if err == nil {
			return resp, nil
		}
		wait, again := backoff(err, try)
		if !again || time.Now().Add(wait).After(b.deadline()) || ctx.Err() != nil {
			u.Counts.Failures.Add(1)
			return nil, u.unavailable(err, wait)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, u.unavailable(ctx.Err(), 0)
		}
	}
}

// unavailable wraps what went wrong, unless it is a decision of ours.
func (u *Upstream) unavailable(err error, wait time.Duration) error {
	if errors.Is(err, ErrElsewhere) || errors.Is(err, ErrOffline) || errors.Is(err, ErrRefused) ||
		errors.Is(err, errHead) {
		return u.explainAddress(err)
	}
	return &Unavailable{Upstream: u.conf.Name, After: min(max(wait, retrySoon), 30*time.Second), Err: err,
		nameless: u.nameless()}
}

const maxTries = 3

// final are the refusals that come again however often one asks.
var final = append([]int{http.StatusUnauthorized, http.StatusForbidden}, withoutAPI...)

// backoff says whether and when to try again: not when trying cannot help.
func backoff(err error, try int) (time.Duration, bool) {
	var closed *errBreaker
	var status *statusError
	var later *retryAfter
	switch {
	case errors.As(err, &closed):
		// Everyone waits for the probe; who comes in between hears it at once.
		return closed.wait, false
	case errors.As(err, &later):
		return later.after, try+1 < maxTries
	case errors.As(err, &status) && slices.Contains(final, status.code):
		return 0, false
	case errors.Is(err, ErrElsewhere), errors.Is(err, errRedirects), errors.Is(err, errHead):
		return 0, false
	}
	pause := time.Duration(float64(250*time.Millisecond<<try) * (0.5 + rand.Float64()))
	return pause, try+1 < maxTries
}

// retryAfter is a 429 or 503 that says when to come back.
type retryAfter struct {
	statusError
	after time.Duration
}

func (e *retryAfter) Unwrap() error { return &e.statusError }

// once sends one request and checks the status of the answer.
func (u *Upstream) once(ctx context.Context, q request, b *budgeted) (*http.Response, error) {
	at := u.breakerOf(q.ref)
	p, wait := at.ask()
	if known := at.known(); p.probe && known.ref != "" {
		p, wait = u.try(ctx, at, p, known)
	}
	if wait > 0 {
		return nil, &errBreaker{wait}
	}
	resp, err := u.send(ctx, q, b)
	end := outcomeOf(err)
	switch {
	case ctx.Err() != nil, errors.Is(err, errBusy):
		at.cancel(p)
	case at.report(p, pathOf(q.ref), end, err):
		u.doubt(ctx, at, p, q.ref)
	case err == nil && !Absent(resp.StatusCode):
		at.worked(q)
	}
	return resp, err
}

// probe asks for something that has been answered before, taking no place.
func (u *Upstream) probe(ctx context.Context, q request) error {
	resp, err := u.exchange(ctx, q, time.Now().Add(u.timeout(false)))
	if err != nil {
		return err
	}
	if err := statusProblem(u, resp); err != nil {
		return redirected(resp.Request.URL.String(), hostOf(q.ref), err)
	}
	resp.Body.Close()
	return nil
}

// try sends known as the probe of a breaker that is open, and asks once more for leave. Where nothing is known to work
// the request at hand is the probe.
func (u *Upstream) try(ctx context.Context, at *breaker, p pass, known request) (pass, time.Duration) {
	err := u.probe(ctx, known)
	if ctx.Err() != nil {
		at.cancel(p)
		return p, retrySoon
	}
	at.report(p, pathOf(known.ref), outcomeOf(err), err)
	return at.ask()
}

// doubt finds out in the background whether the origin of ref, of which many paths failed, is in trouble altogether.
func (u *Upstream) doubt(ctx context.Context, at *breaker, p pass, ref string) {
	q := at.known()
	if q.ref == "" {
		q.method, q.ref = http.MethodGet, u.checkURL()
		if to, err := url.Parse(ref); err == nil && at != u.breaker {
			q.ref = origin(to) + "/"
		}
	}
	ctx, done := u.detach(ctx)
	go func() {
		defer done()
		err := u.probe(ctx, q)
		at.confirm(p, outcomeOf(err), err)
	}()
}

// breakerOf is the breaker of the origin that an absolute URL names.
func (u *Upstream) breakerOf(ref string) *breaker {
	to, err := url.Parse(ref)
	if err != nil || to.Host == "" || origin(to) == origin(u.base) {
		return u.breaker
	}
	return u.others.of(origin(to), u.now)
}

// pathOf is the path of an absolute URL.
func pathOf(ref string) string {
	to, err := url.Parse(ref)
	if err != nil {
		return ref
	}
	return to.Path
}

// hostOf is the host and port of an absolute URL, "" of anything else.
func hostOf(ref string) string {
	to, err := url.Parse(ref)
	if err != nil {
		return ""
	}
	return to.Host
}

// redirectedError is trouble with a host that the one that was asked redirected to: the latter did its part.
type redirectedError struct {
	host string
	err  error
}

func (e *redirectedError) Error() string { return "redirected to " + e.host + ": " + e.err.Error() }

func (e *redirectedError) Unwrap() error { return e.err }

// redirected is err, attributed to the host of the URL at which it happened when that is not the host that was asked.
func redirected(at, asked string, err error) error {
	if host := hostOf(at); host != "" && host != asked {
		return &redirectedError{host, err}
	}
	return err
}

// unconnected is a request that got no connection: nobody listens, or TLS failed.
type unconnected struct{ error }

func (e *unconnected) Unwrap() error { return e.error }

// asideError is trouble with a host that is not the one to be asked, but gives out its tokens.
type asideError struct {
	error
	realm string // its origin
}

func (e *asideError) Unwrap() error { return e.error }

// realmTrouble is err, which kept us from getting a token, attributed to whoever gives out tokens.
func (u *Upstream) realmTrouble(err error) error {
	u.tokens.mu.Lock()
	realm := u.tokens.challenge.realm
	u.tokens.mu.Unlock()
	to, perr := url.Parse(realm)
	if perr != nil || to.Host == u.base.Host {
		return err
	}
	return &asideError{err, origin(to)}
}

// outcomeOf classifies err: not every trouble is the host's that was asked, and not what we refused.
func outcomeOf(err error) outcome {
	var status *statusError
	var away *redirectedError
	var aside *asideError
	var none *unconnected
	switch {
	case err == nil, errors.As(err, &away), errors.As(err, &aside):
		return answered
	case errors.As(err, &status) && status.code < http.StatusInternalServerError &&
		status.code != http.StatusTooManyRequests:
		return answered
	case errors.Is(err, ErrElsewhere), errors.Is(err, errAddress), errors.Is(err, errRedirects), errors.Is(err, errHead):
		return answered
	case errors.As(err, &none):
		return refused
	}
	return failed
}

// errBusy: so many requests are under way that this one did not get a place in time.
var errBusy = errors.New("too many requests under way")

// send takes a place, sends q, and answers a challenge for a token once. A file that was asked for to see its size, and
// is not small, is asked for again when it has its turn.
func (u *Upstream) send(ctx context.Context, q request, b *budgeted) (*http.Response, error) {
	gate := u.enter(ctx, q, b)
	if gate == nil {
		return nil, errBusy
	}
	leave := sync.OnceFunc(gate.leave)
	deadline := time.Now().Add(u.timeout(q.file))
	if by := b.deadline(); !q.file && by.Before(deadline) {
		deadline = by
	}
	resp, err := u.exchange(ctx, q, deadline)
	if err == nil && resp.StatusCode == http.StatusUnauthorized && u.conf.Kind == store.OCI &&
		u.challenged(resp, q.scope) {
		drop(resp)
		resp, err = u.exchange(ctx, q, deadline)
	}
	if err != nil {
		resp, err = u.tokenRefused(q, err)
	}
	if err == nil && headRefused(q.method, resp.StatusCode) {
		drop(resp)
		err = errHead
	}
	if err == nil {
		if err = statusProblem(u, resp); err != nil {
			err = redirected(resp.Request.URL.String(), hostOf(q.ref), err)
		}
	}
	if err != nil {
		leave()
		return nil, err
	}
	if u.onlyForItsSize(gate, resp) {
		resp.Body.Close()
		leave()
		q.sizeless = false
		return u.send(ctx, q, b)
	}
	if q.file && resp.ProtoMajor == 2 {
		leave() // what comes now costs the origin no connection
	}
	resp.Body = &place{ReadCloser: resp.Body, leave: leave}
	return resp, nil
}

// place is a body that gives back the request's place when it is closed.
type place struct {
	io.ReadCloser
	leave func()
}

func (p *place) Close() error {
	p.leave()
	return p.ReadCloser.Close()
}

// exchange sends q once. The header must come before the deadline, the body may take as long as it flows.
func (u *Upstream) exchange(ctx context.Context, q request, deadline time.Time) (*http.Response, error) {
	ctx, cancel := context.WithCancel(ctx)
	timer := time.AfterFunc(time.Until(deadline), cancel)
	r, err := http.NewRequestWithContext(ctx, q.method, q.ref, bytes.NewReader(q.body))
	if err != nil {
		cancel()
		return nil, err
	}
	for k, v := range q.header {
		r.Header[k] = v
	}
	r.Header.Set("User-Agent", userAgent)
	u.authorize(r)
	if u.conf.Kind == store.OCI && u.conf.Token == "" {
		if err := u.bearer(ctx, r, q.scope); err != nil {
			cancel()
			return nil, u.realmTrouble(err)
		}
	}
	u.Counts.Requests.Add(1)
	connected := false
	r = r.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { connected = false },
		GotConn: func(httptrace.GotConnInfo) { connected = true },
	}))
	resp, err := u.client.Do(r)
	if !timer.Stop() && err == nil {
		resp.Body.Close()
		err = context.DeadlineExceeded
	}
	if err != nil {
		cancel()
		var failed *url.Error
		if !connected {
			err = &unconnected{err}
		}
		if errors.As(err, &failed) {
			err = redirected(failed.URL, r.URL.Host, err)
		}
		return nil, err
	}
	if resp.Request.URL.Host == u.base.Host {
		u.shared.Store(resp.ProtoMajor == 2)
	}
	resp.Body = newWatched(resp.Body, cancel, q.idle, u)
	return resp, nil
}

// statusProblem is nil for an answer that says something about what was asked for.
func statusProblem(u *Upstream, resp *http.Response) error {
	switch c := resp.StatusCode; {
	case c >= 200 && c < 300, c == http.StatusNotModified, Absent(c), c == http.StatusRequestedRangeNotSatisfiable:
		return nil
	}
	if c := resp.StatusCode; c == http.StatusUnauthorized || c == http.StatusForbidden {
		if u.refusesAbsent() {
			takeAsAbsent(resp)
			return nil
		}
		drop(resp)
		return u.refusal(resp.Request, c)
	}
	defer drop(resp)
	return u.postponed(resp, u.base.Host)
}

// postponed is the error of an answer that may say when to come back; after a 429 who sent it is left alone until then.
func (u *Upstream) postponed(resp *http.Response, host string) error {
	err := statusError{resp.StatusCode, host}
	after, ok := parseRetryAfter(resp.Header.Get("Retry-After"), u.now())
	if !ok {
		return &err
	}
	if resp.StatusCode == http.StatusTooManyRequests {
		u.breakerOf(resp.Request.URL.String()).notice(after)
	}
	return &retryAfter{err, after}
}

// Absent reports whether a status says that the thing does not exist.
func Absent(status int) bool {
	return status == http.StatusNotFound || status == http.StatusGone || status == http.StatusUnavailableForLegalReasons
}

// parseRetryAfter reads seconds or a date.
func parseRetryAfter(s string, now time.Time) (time.Duration, bool) {
	if s == "" {
		return 0, false
	}
	if n, err := strconv.Atoi(s); err == nil && n >= 0 {
		return time.Duration(min(n, 1<<20)) * time.Second, true
	}
	t, err := http.ParseTime(s)
	return max(t.Sub(now), 0), err == nil
}

// drop ends an answer nobody reads; a short rest keeps the connection usable.
func drop(resp *http.Response) {
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10)
	resp.Body.Close()
}

// watched is a body that fails when no byte comes for so long, and counts what comes.
type watched struct {
	io.ReadCloser
	cancel context.CancelFunc
	idle   time.Duration
	timer  *time.Timer
	u      *Upstream
}

func newWatched(body io.ReadCloser, cancel context.CancelFunc, idle time.Duration, u *Upstream) *watched {
	if idle == 0 {
		idle = idleBody
	}
	return &watched{body, cancel, idle, time.AfterFunc(idle, cancel), u}
}

// patient is a body whose pauses may be longer from now on.
type patient interface{ pause(d time.Duration) }

func (w *watched) pause(d time.Duration) {
	w.idle = d
	w.timer.Reset(d)
}

func (p *place) pause(d time.Duration) {
	if b, ok := p.ReadCloser.(patient); ok {
		b.pause(d)
	}
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.ReadCloser.Read(p)
	w.timer.Reset(w.idle)
	w.u.meter.Fetched.Add(int64(n))
	return n, err
}

func (w *watched) Close() error {
	w.timer.Stop()
	err := w.ReadCloser.Close()
	w.cancel()
	return err
}
