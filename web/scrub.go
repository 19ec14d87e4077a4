package web

// Scrubbing: the bytes of files are read and compared, and damaged ones healed.

import (
	"net/http"

	"larder/internal/problem"
	"larder/store"
)

// Here: looking for bytes that went bad on disk, and bringing them again.

// ScrubResult is the result of POST /scrub: what was read, what was fetched again from upstreams, and what is damaged
// now.
type ScrubResult struct {
	store.ScrubReport
	Fetched int `json:"fetched"`
}

// scrubRequest is the body of POST /scrub.
type scrubRequest struct {
	Rate int64 `json:"rate"`
}

// scrub reads every blob now, at most rate bytes a second, and fetches damaged copies again.
func (a *api) scrub(w http.ResponseWriter, r *http.Request, _ request) error {
	var body scrubRequest
	if err := readJSON(r, &body); err != nil {
		return err
	}
	if body.Rate < 0 {
		return problem.Errorf(store.ErrInvalid, "rate must not be negative")
	}
	return a.stream(w, r, func(progress func(done, total int64)) (any, error) {
		report, err := a.store.Scrub(r.Context(), store.ScrubOptions{Rate: body.Rate, Progress: progress})
		if err != nil {
			return nil, err
		}
		result := ScrubResult{ScrubReport: report}
		if result.Fetched, err = a.remote.Mend(r.Context()); err == nil {
			result.Damages, err = a.store.Damages(r.Context())
		}
		return result, err
	})
}

// Healed is the answer of POST /heal.
type Healed struct {
	Digest string `json:"digest"`
	Size   int64  `json:"size"`
	// Damaged says that the bytes were known to be damaged before.
	Damaged bool `json:"damaged"`
}

// heal takes bytes that some package has already, and repairs them where they are damaged.
func (a *api) heal(w http.ResponseWriter, r *http.Request, _ request) error {
	b, damaged, err := a.store.Repair(r.Context(), r.Body)
	if err != nil {
		return err
	}
	a.log.Info("bytes brought again", "digest", b.Digest, "damaged", damaged, "user", store.ActorFrom(r.Context()).User)
	return answer(w, http.StatusOK, Healed{b.Digest.String(), b.Size, damaged})
}
