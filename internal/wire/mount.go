package wire

// Protocols and their place in the router.

import (
	"context"
	"net/http"
	"time"

	"github.com/julienschmidt/httprouter"

	"larder/internal/describe"
)

// Protocol is one protocol, ready to be mounted. Its handler sees requests with their path unchanged, prefix and
// escapes included, under each of its prefixes ("/v2", without a final slash).
type Protocol struct {
	Name     string
	Prefixes []string
	Handler  http.Handler
	Jobs     []Job
	// Describe says what pages show of the protocol's packages; nil: it has no pages.
	Describe describe.Kind
}

// Job is work that recurs in the background. Run checks ctx between items and holds no transaction across them.
type Job struct {
	Name  string
	Every time.Duration
	Run   func(ctx context.Context) error
}

// JobStatus is the state of one background job.
type JobStatus struct {
	Name string `json:"name"`
	// Every is the interval in nanoseconds, before jitter.
	Every   time.Duration `json:"every_ns"`
	Running bool          `json:"running"`
	// Last is when the job last ended; zero if it never has.
	Last time.Time     `json:"last,omitzero"`
	Took time.Duration `json:"took_ns"`
	// Error is what the last run failed with, empty after a success.
	Error string `json:"error,omitempty"`
}

// NewRouter returns a router that only finds prefixes: it neither redirects nor cleans paths, because clients differ in
// whether they follow (above all on PUT and with credentials). All grammar lives in the protocols.
func NewRouter(notFound http.Handler) *httprouter.Router {
	rt := httprouter.New()
	rt.RedirectTrailingSlash = false
	rt.RedirectFixedPath = false
	rt.HandleOPTIONS = false
	rt.HandleMethodNotAllowed = false
	rt.NotFound = notFound
	return rt
}

// Mount adds p to rt: two routes for each prefix and method, the bare prefix and everything below it, because
// httprouter refuses anything finer that the seven grammars would need.
func Mount(rt *httprouter.Router, p Protocol) {
	handle := func(w http.ResponseWriter, r *http.Request, _ httprouter.Params) { p.Handler.ServeHTTP(w, r) }
	for _, prefix := range p.Prefixes {
		for _, method := range methods() {
			rt.Handle(method, prefix, handle)
			rt.Handle(method, prefix+"/*path", handle)
		}
	}
}

func methods() []string {
	return []string{
		http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		http.MethodOptions,
	}
}
