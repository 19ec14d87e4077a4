package wire

// The way of a request to its operation, and of an error to the client.

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"runtime/debug"
	"strconv"
	"time"

	"larder/auth"
	"larder/internal/problem"
	"larder/internal/route"
	"larder/store"
	"larder/upstream"
)

// Endpoint is a protocol's whole surface; R is its parsed request. What is not in Routes cannot be reached, and what is
// cannot forget to ask for its right.
type Endpoint[R any] struct {
	Kind store.Kind
	// Routes is the table of everything the protocol answers. Grammar says how their paths become requests.
	Routes  []Route[R]
	Grammar route.Grammar[R]
	// Shortcut, if set, reads the paths of nearly every request without the table, and says what the table would say of
	// a request without parameters. Those are read by the table.
	Shortcut func(method, escapedPath string) (op string, q R, ok bool)
	// Parse is the grammar of a protocol that has no table of paths; its routes have neither method nor path.
	Parse func(method, escapedPath string, query url.Values) (op string, q R, err error)
	// Resolve, if set, finds what is served before the right is asked: aliases, upstreams' prefixes and fallbacks end
	// here. The name of what it returns is the one whose right is asked, and Serve gets nothing else. It may look whether
	// names exist; whoever asked is known already.
	Resolve func(ctx context.Context, op string, q R) (R, error)
	// Target is the type and name of what the request is about, in the words of auth scopes.
	Target func(q R) (typ, name string)
	// MayList, if set, says who may ask for lists, instead of the usual rule: users, and anonymous clients who may read
	// something.
	MayList func(ctx context.Context, op string) error
	// Session, if set, says who a request without an Authorization header comes from, by its cookie:
	// auth.ErrNoCredentials for nobody. Pages have it; what clients call takes no cookies.
	Session func(r *http.Request) (auth.Identity, error)
	// Writer refuses who may change nothing; routes with the flag Writer need it.
	Writer func(ctx context.Context) error
	// Fail writes the error body and challenge; it is the only one that does.
	Fail func(w http.ResponseWriter, r *http.Request, f Failure)
}

// Failure is an error on its way to the client.
type Failure struct {
	// Status is the table's; a protocol whose clients insist may send another.
	Status int
	// Err is the error itself, for errors.Is. Its text is for the log, never for the client.
	Err error
	// Public is what the client's user reads.
	Public string
	// Op, Need, Type and Name say what was asked for, in the client's spelling; Op is empty if the path was not
	// understood.
	Op         string
	Need       Need
	Type, Name string
	// Absent is the text of a 404 by what the address names; what is not there and what must not be seen differ by no
	// byte. It is empty if no field of the row has one.
	Absent string
	// Served is the name of what is served for it, whose right was asked; for the log.
	Served string
	// Retry, if not 0, is when to try again; the Retry-After header is set already.
	Retry time.Duration
}

// Deps is what every protocol package is given.
type Deps struct {
	Store *store.Store
	Auth  auth.Provider
	Base  *Base
	Log   *slog.Logger
	// Path is where clients find the protocol, such as "/npm", without a final slash; empty is its usual path.
	Path string
	// Upstreams are the remote registries to keep copies of; nil has none.
	Upstreams *upstream.Registry
}

// Handler serves the end point: parse → authenticate → resolve → authorize → serve, and on the first error
// Fail. Credentials that are wrong are refused even where none are needed: a client must learn that its token has
// expired.
func (e Endpoint[R]) Handler(d Deps) Handler {
	h := &dispatcher[R]{Endpoint: e, deps: d, ops: make(map[string]int, len(e.Routes))}
	if d.Store != nil && e.Kind != "" {
		h.repo = store.NewRepo[struct{}](d.Store, e.Kind)
		h.known = store.NewMemo[struct{}, bool](d.Store, e.Kind)
		h.use = use{e.Kind, d.Store, d.Store.Meter(e.Kind, "")}
	}
	for i := range e.Routes {
		r := &e.Routes[i]
		r.check()
		if same, ok := h.ops[r.Op]; ok && e.Routes[same].Need != r.Need {
			panic("wire: the routes of " + r.Op + " need different rights")
		}
		h.ops[r.Op] = i
	}
	if h.Parse == nil {
		h.table = e.Table()
	}
	return h
}

// Table compiles the routes.
func (e Endpoint[R]) Table() *route.Table[R] {
	rows := make([]route.Row, len(e.Routes))
	for i, r := range e.Routes {
		rows[i] = route.Row{Method: r.Method, Path: r.Path, Op: r.Op}
	}
	return route.New(e.Grammar, rows)
}

type dispatcher[R any] struct {
	Endpoint[R]
	deps  Deps
	table *route.Table[R]
	ops   map[string]int // index of the last route of an operation
	repo  *store.Repo[struct{}]
	known *store.Memo[struct{}, bool] // whether a package is here
	use   use
}

func (h *dispatcher[R]) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := exchangeFrom(r.Context())
	if x == nil {
		// Without a Middleware around it, as in a protocol's own tests.
		x, w, r = enter(w, r, requestID(r), h.clientAddr(r), -1)
	}
	x.tally.use = &h.use
	f := Failure{}
	if err := h.serve(w, r, x, &f); err != nil {
		f.Err = err
		h.fail(w, r, x, f)
	}
}

func (h *dispatcher[R]) clientAddr(r *http.Request) netip.Addr {
	if h.deps.Base == nil {
		return peerAddr(r)
	}
	return h.deps.Base.ClientAddr(r)
}

// serve notes in f how far it came.
func (h *dispatcher[R]) serve(w http.ResponseWriter, r *http.Request, x *exchange, f *Failure) error {
	query, err := parseQuery(r.URL.RawQuery)
	if err != nil {
		return err
	}
	op, q, err := h.find(r.Method, x.escapedPath(r.URL), query, f)
	if err != nil {
		return err
	}
	x.op = op.Op
	f.Op, f.Need = op.Op, op.Need
	f.Type, f.Name = h.Target(q)
	if err := h.deps.Base.sameSite(r); err != nil {
		return err
	}
	x.identity, err = h.authenticate(r, x)
	if err != nil && !(op.Need.expired() && errors.Is(err, auth.ErrCredentials)) {
		return err
	}
	return h.operate(w, r, x, f, op, q)
}

// operate resolves what a request is about, asks for its right and serves it. The identity is settled.
func (h *dispatcher[R]) operate(
	w http.ResponseWriter, r *http.Request, x *exchange, f *Failure, op *Route[R], q R,
) (err error) {
	access := auth.Access{Kind: h.Kind, Type: f.Type, Name: f.Name, Action: op.Need.Action()}
	if h.Resolve != nil {
		if q, err = h.Resolve(x, op.Op, q); err != nil {
			return err
		}
		if access.Type, access.Name = h.Target(q); access.Name != f.Name {
			access.Asked, f.Served = f.Name, access.Name
		}
	}
	if err := h.admit(x, op.Need, access); err != nil {
		return err
	}
	x.admitted = true
	return call(op, w, r, q)
}

// find reads the request line.
func (h *dispatcher[R]) find(method, path string, query url.Values, f *Failure) (op *Route[R], q R, err error) {
	i, found := 0, false
	if h.Shortcut != nil {
		var name string
		if name, q, found = h.Shortcut(method, path); found {
			i = h.ops[name]
		}
	}
	switch {
	case found:
		if len(query) > 0 {
			q, err = h.table.ParseQuery(i, q, query)
		}
	case h.Parse != nil:
		var name string
		if name, q, err = h.Parse(method, path, query); err != nil {
			return nil, q, err
		}
		if i, found = h.ops[name]; !found {
			return nil, q, fmt.Errorf("dispatch %s %s: no operation %q", method, h.Kind, name)
		}
	default:
		i, q, err = h.table.Parse(method, path, query)
	}
	if err != nil {
		return nil, q, err
	}
	if h.table != nil {
		f.Absent = h.table.Absent(i)
	}
	return &h.Routes[i], q, nil
}

// admit asks for the right of an operation. Where only the operation knows which, the answer's success is
// held back until it has asked.
func (h *dispatcher[R]) admit(x *exchange, need Need, access auth.Access) error {
	if need&Writer != 0 {
		if err := h.Writer(x); err != nil {
			return err
		}
	}
	switch need.Kind() {
	case Open, Login:
	case List:
		if err := h.mayList(x, access); err != nil {
			return err
		}
		x.unasked = true
	case Body:
		x.unasked = true
	default:
		if err := h.deps.Auth.Authorize(x, x.identity, access); err != nil {
			return err
		}
	}
	if need&Existing != 0 {
		return h.exists(x, access.Name)
	}
	return nil
}

// mayList is nil for whoever may see a list at all; what is in it is filtered by name.
func (h *dispatcher[R]) mayList(x *exchange, access auth.Access) error {
	if h.MayList != nil {
		return h.MayList(x, x.op)
	}
	if !x.identity.Anonymous {
		return nil
	}
	access.Name, access.Asked, access.Action = "", "", auth.Read
	return h.deps.Auth.Authorize(x, x.identity, access)
}

// exists is auth.ErrHidden for a package that is not here, so that no answer can differ from that of a hidden one.
func (h *dispatcher[R]) exists(ctx context.Context, name string) error {
	here, err := h.known.Get(name, struct{}{}, func() (here bool, err error) {
		err = h.repo.View(ctx, name, func(p *store.PackageTx[struct{}]) error {
			_, err := p.Package()
			return err
		})
		if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrInvalid) {
			return false, nil
		}
		return err == nil, err
	})
	if err == nil && !here {
		err = auth.ErrHidden
	}
	return err
}

func parseQuery(raw string) (url.Values, error) {
	if raw == "" {
		return nil, nil
	}
	query, err := url.ParseQuery(raw)
	if err != nil {
		return nil, problem.Errorf(problem.ErrBadPath, "the query string is malformed")
	}
	return query, nil
}

func (h *dispatcher[R]) authenticate(r *http.Request, x *exchange) (auth.Identity, error) {
	c, given, err := credentials(r)
	if err != nil || !given && h.Session == nil {
		return auth.Anonymous(), err
	}
	c.Addr = x.addr
	var id auth.Identity
	if given {
		id, err = h.deps.Auth.Authenticate(x, c)
	} else {
		id, err = h.Session(r)
	}
	switch {
	case errors.Is(err, auth.ErrNoCredentials):
		// Basic with neither user nor password: some clients send it when they have none.
		return auth.Anonymous(), nil
	case err != nil:
		return auth.Anonymous(), err
	}
	return id, nil
}

// panicked is a panic of an operation, made an error so that the client gets its protocol's error body.
type panicked struct {
	value any
	stack []byte
}

func (p *panicked) Error() string { return fmt.Sprintf("panic: %v", p.value) }

func call[R any](op *Route[R], w http.ResponseWriter, r *http.Request, q R) (err error) {
	defer func() {
		switch v := recover(); v {
		case nil:
		case http.ErrAbortHandler:
			panic(v)
		default:
			err = &panicked{v, debug.Stack()}
		}
	}()
	return op.Serve(w, r, q)
}

// fail logs what is the operator's business and has the protocol tell the client the rest.
func (h *dispatcher[R]) fail(w http.ResponseWriter, r *http.Request, x *exchange, f Failure) {
	gone := r.Context().Err() == context.Canceled
	f.Status, f.Public, f.Retry = problem.Status(f.Err), problem.Public(f.Err), problem.RetryAfter(f.Err)
	if f.Public == problem.Internal {
		f.Public += " (request " + x.id + ")"
	}
	h.log(x, r, f, gone)
	h.deps.Upstreams.NoteFailure(x, h.Kind, f.Err)
	switch {
	case x.started || x.hijacked:
		// A cut answer must not look like a whole one.
		panic(http.ErrAbortHandler)
	case gone:
		x.begin(problem.StatusClientGone)
		panic(http.ErrAbortHandler)
	}
	Drain(r)
	header := w.Header()
	if f.Retry > 0 {
		header.Set("Retry-After", strconv.FormatInt(int64((f.Retry+time.Second-1)/time.Second), 10))
	}
	if allow := problem.Allow(f.Err); allow != "" {
		header.Set("Allow", allow)
	}
	if r.Method == http.MethodHead {
		w = bodyless{w}
	}
	h.Fail(w, r, f)
}

func (h *dispatcher[R]) log(x *exchange, r *http.Request, f Failure, gone bool) {
	level := slog.LevelDebug
	switch {
	case gone:
	case f.Status == http.StatusInternalServerError:
		level = slog.LevelError
	case f.Status > http.StatusInternalServerError || x.started:
		level = slog.LevelWarn
	}
	if h.deps.Log == nil || !h.deps.Log.Enabled(x, level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("id", x.id), slog.String("op", x.op), slog.String("method", r.Method),
		slog.String("path", redact(x.escapedPath(r.URL), r.URL.RawQuery)), slog.Int("status", f.Status),
		slog.Any("error", f.Err),
	}
	if f.Served != "" {
		attrs = append(attrs, slog.String("served", f.Served))
	}
	var p *panicked
	if errors.As(f.Err, &p) {
		attrs = append(attrs, slog.String("stack", string(p.stack)))
	}
	h.deps.Log.LogAttrs(x, level, "request failed", attrs...)
}

// bodyless sends a header only: an answer to HEAD has the header of the GET and no body.
type bodyless struct{ http.ResponseWriter }

func (b bodyless) Write(p []byte) (int, error) { return len(p), nil }
