package web

import (
	"errors"
	"net/http"

	"larder/internal/wire"
	"larder/store"
)

// healthBody is the answer of /healthz.
type healthBody struct {
	// Status is "ok", or "degraded" while the last run of some job failed, or a blob is damaged.
	Status  string      `json:"status"`
	Version string      `json:"version"`
	Jobs    []JobStatus `json:"jobs"`
	// Damaged is how many blobs are known to have wrong bytes, or none; `larder scrub` and `larder check` name them.
	Damaged int64 `json:"damaged_blobs"`
}

// health answers 200 as long as the process can: a supervisor that restarts on 503 would only add to a job's failure.
func (s *Web) health(w http.ResponseWriter, r *http.Request) {
	wire.SetOp(r.Context(), "web.health")
	body := healthBody{Status: "ok", Version: s.d.Version, Jobs: []JobStatus{}, Damaged: s.d.Wire.Store.DamagedBlobs()}
	if s.d.Jobs != nil {
		body.Jobs = append(body.Jobs, s.d.Jobs()...)
	}
	if body.Damaged > 0 {
		body.Status = "degraded"
	}
	for _, j := range body.Jobs {
		if j.Error != "" {
			body.Status = "degraded"
		}
	}
	s.probe(w, http.StatusOK, body)
}

// readyBody is the answer of /readyz.
type readyBody struct {
	Ready    bool     `json:"ready"`
	ReadOnly bool     `json:"read_only"`
	Reasons  []string `json:"reasons"`
}

// ready answers 503 with the reasons while the store takes no writes. A server that was started read-only is ready.
func (s *Web) ready(w http.ResponseWriter, r *http.Request) {
	wire.SetOp(r.Context(), "web.ready")
	err := s.d.Wire.Store.Health()
	body := readyBody{Ready: err == nil, ReadOnly: errors.Is(err, store.ErrReadOnly), Reasons: []string{}}
	if body.ReadOnly && s.d.ReadOnly {
		body.Ready = true
	}
	status := http.StatusOK
	if !body.Ready {
		status = http.StatusServiceUnavailable
		body.Reasons = append(body.Reasons, wire.Public(err))
	}
	s.probe(w, status, body)
}

// probe writes a probe's answer; it must be asked for anew each time.
func (s *Web) probe(w http.ResponseWriter, status int, v any) {
	if err := answer(w, status, v); err != nil {
		s.d.Log.Debug("probe was not answered", "err", err)
	}
}
