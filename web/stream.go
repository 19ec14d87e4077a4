package web

// Answers that take long: a line of JSON for each step, then the result.

import (
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"larder/internal/problem"
	"larder/internal/wire"
)

// progressEvery is how often a long command reports how far it is.
const progressEvery = 200 * time.Millisecond

// progressLine and resultLine are the two kinds of line of an NDJSON answer.
type progressLine struct {
	Done  int64 `json:"done"`
	Total int64 `json:"total"`
}

type resultLine struct {
	Result any `json:"result"`
}

// stream runs work and reports its progress line by line; the last line is the result or the error.
// An error before the first line, such as a store that takes no changes, still gets a status of its own.
func (a *api) stream(
	w http.ResponseWriter, r *http.Request, work func(progress func(done, total int64)) (any, error),
) error {
	s := &lines{w: w, rc: http.NewResponseController(w), r: r}
	result, err := work(s.progress)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil && !s.begun {
		return err
	}
	if err != nil {
		a.log.Error("admin command failed", "path", r.URL.Path, "id", wire.RequestID(r.Context()), "err", err)
		return s.line(errorBody{Error: problem.Public(err), RequestID: wire.RequestID(r.Context())})
	}
	return s.line(resultLine{result})
}

// lines writes one JSON value per line.
type lines struct {
	w  http.ResponseWriter
	rc *http.ResponseController
	r  *http.Request

	mu    sync.Mutex // guards the rest, and the order of lines
	begun bool
	last  time.Time
}

// progress writes a line unless one was written just now. A client that is gone ends the work through its context.
func (s *lines) progress(done, total int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := time.Now(); now.Sub(s.last) >= progressEvery {
		s.last = now
		_ = s.line(progressLine{done, total})
	}
}

func (s *lines) line(v any) error {
	if !s.begun {
		s.begun = true
		s.w.Header().Set("Content-Type", "application/x-ndjson")
		s.w.Header().Set("Cache-Control", "no-store")
		s.w.WriteHeader(http.StatusOK)
	}
	if err := json.NewEncoder(s.w).Encode(v); err != nil {
		return err
	}
	return s.rc.Flush()
}
