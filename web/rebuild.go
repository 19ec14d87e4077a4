package web

// POST /rebuild: files that no record knows are published again.

import (
	"net/http"

	"larder/internal/problem"
	"larder/store"
)

// RebuildRequest is the body of POST /rebuild. Publish are choices: "*", KIND:PATTERN, oci:REPOSITORY. As is the user
// who publishes; "" is the administrator made at the first start.
type RebuildRequest struct {
	Publish []string `json:"publish"`
	As      string   `json:"as,omitempty"`
}

// What became of a file.
const (
	RebuildPublished = "published"
	RebuildHere      = "already there" // its bytes have a record now
	RebuildRefused   = "refused"       // Reason says why
)

// Rebuilt is one file and what became of it; Outcome is "" for what nobody has chosen.
type Rebuilt struct {
	store.Found
	Outcome string `json:"outcome,omitempty"`
	Reason  string `json:"reason,omitempty"`
	Tag     string `json:"tag,omitempty"` // that an image got as well
}

func (a *api) republish(w http.ResponseWriter, r *http.Request, _ request) error {
	var body RebuildRequest
	if err := readJSON(r, &body); err != nil {
		return err
	}
	if a.rebuild == nil {
		return problem.Errorf(store.ErrInvalid, "nothing can be published here: no protocol is served")
	}
	return a.stream(w, r, func(progress func(done, total int64)) (any, error) {
		list, err := a.rebuild(r.Context(), body, progress)
		return append([]Rebuilt{}, list...), err
	})
}
