package web

// The API: who may use it, and how bodies are read.

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"strings"
	"time"

	"larder/auth"
	"larder/internal/problem"
	"larder/internal/wire"
	"larder/store"
	"larder/upstream"
	"larder/web/catalog"
)

// maxBody bounds the JSON of a request in bytes.
const maxBody = 1 << 20

// api holds what the admin operations work on.
type api struct {
	store *store.Store
	auth  *auth.Local
	log   *slog.Logger
	// remote is nil when no upstreams are configured, and nothing is kept of any.
	remote *upstream.Registry
	// claims are the configuration's patterns, spellings what makes one name of those that are the same.
	claims    []string
	spellings upstream.Spellings
	rebuild   func(context.Context, RebuildRequest, func(done, total int64)) ([]Rebuilt, error)
	// catalog is what the pages and the API say of packages.
	catalog *catalog.Catalog
	base    *wire.Base
	version string
}

// Admin is the API for clients that must prove their right. Its paths start with /api/v1.
func Admin(d Deps) http.Handler { return newHandler(d, d.Wire) }

// LocalAdmin is the same API for whoever reaches it: the caller guards the way to it
// (the mode of DATA/admin.sock; the right to open the data folder).
// The user of a request's Basic credentials is what the journal shows, as local:USER; no password is looked at.
func LocalAdmin(d Deps) http.Handler {
	trusting := d.Wire
	trusting.Auth = trust{}
	next := newHandler(d, trusting)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, _, ok := r.BasicAuth(); !ok {
			r.SetBasicAuth("unknown", "")
		}
		next.ServeHTTP(w, r)
	})
}

// handler finds the kind that a request is about.
type handler struct {
	site  http.Handler
	kinds map[string]http.Handler
}

// newHandler serves the API of d to whom w lets in. Requests are none of a protocol's: they are not counted as its.
func newHandler(d Deps, w wire.Deps) *handler {
	a := newAPI(d)
	w.Store, w.Upstreams = nil, nil
	h := &handler{site: a.endpoint().Handler(w), kinds: map[string]http.Handler{}}
	for _, k := range a.catalog.Kinds() {
		if k.Describe != nil {
			one := &kindAPI{a, a.catalog.Kind(k.Kind)}
			h.kinds[string(k.Kind)] = one.endpoint().Handler(w)
		}
	}
	return h
}

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if rest, ok := strings.CutPrefix(r.URL.Path, packagesPrefix); ok {
		kind, _, _ := strings.Cut(rest, "/")
		if k := h.kinds[kind]; k != nil {
			k.ServeHTTP(w, r)
			return
		}
	}
	h.site.ServeHTTP(w, r)
}

func newAPI(d Deps) *api {
	kinds := make([]catalog.Kind, len(d.Protocols))
	for i, each := range d.Protocols {
		kinds[i] = catalog.Kind(each)
	}
	return &api{
		store: d.Wire.Store, auth: d.Auth, log: d.Log, remote: d.Wire.Upstreams, claims: d.Claims, spellings: d.Spellings,
		rebuild: d.Rebuild, catalog: catalog.New(d.Wire, kinds, time.Now), base: d.Wire.Base, version: d.Version,
	}
}

// endpoint is what is not about packages.
func (a *api) endpoint() wire.Endpoint[request] {
	return wire.Endpoint[request]{
		Routes: a.routes(), Grammar: grammar, Fail: fail,
		Target:  func(request) (typ, name string) { return "admin", "" },
		MayList: func(ctx context.Context, _ string) error { return a.catalog.MayList(ctx) },
	}
}

// trust is the auth.Provider of LocalAdmin: everyone is an administrator.
type trust struct{}

func (trust) Authenticate(_ context.Context, c auth.Credentials) (auth.Identity, error) {
	return auth.Identity{User: "local:" + c.User, Admin: true}, nil
}

func (trust) Authorize(context.Context, auth.Identity, auth.Access) error { return nil }

// readJSON decodes the request's body into v; no body leaves v as it is. Unknown fields are errors: a misspelt limit
// must not become a token without one.
func readJSON(r *http.Request, v any) error {
	typ, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || typ != "application/json" {
		return problem.Errorf(problem.ErrMediaType, "the request must have Content-Type: application/json")
	}
	body, err := wire.ReadBody(r, maxBody)
	if err != nil {
		return err
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return badJSON(err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return problem.Errorf(store.ErrInvalid, "the request's JSON goes on after its end")
	}
	return nil
}

// badJSON says what is wrong without the decoder's words on Go types.
func badJSON(err error) error {
	var wrongType *json.UnmarshalTypeError
	if errors.As(err, &wrongType) {
		return problem.Errorf(store.ErrInvalid, "the request's JSON has a %s in field %q", wrongType.Value, wrongType.Field)
	}
	return problem.Errorf(store.ErrInvalid, "the request's JSON cannot be used: %s",
		strings.TrimPrefix(err.Error(), "json: "))
}

// answer writes v; nothing of the admin API may be kept by a cache.
func answer(w http.ResponseWriter, status int, v any) error {
	w.Header().Set("Cache-Control", "no-store")
	return wire.JSON(w, status, v)
}
