package web

// The probes /healthz and /readyz.

import (
	"net/http"

	"larder/internal/wire"
	"larder/web/pages"
)

// healthBody is the answer of /healthz. Where reading needs a login, those without one learn nothing but the status.
type healthBody struct {
	// Status is "ok", or "degraded" while the last run of some job failed, or a blob is damaged.
	Status  string           `json:"status"`
	Version string           `json:"version,omitempty"`
	Jobs    []wire.JobStatus `json:"jobs,omitzero"`
	// Damaged is how many blobs are known to have wrong bytes; `larder scrub` and `larder check` name them.
	Damaged *int64 `json:"damaged_blobs,omitempty"`
}

// health answers 200 as long as the process can: a supervisor that restarts on 503 would only add to a job's failure.
// What a job failed with may name packages: that is for whoever has logged in.
func (s *Web) health(w http.ResponseWriter, r *http.Request) {
	wire.SetOp(r.Context(), "web.health")
	damaged := s.d.Wire.Store.DamagedBlobs()
	body := healthBody{Status: "ok", Version: s.d.Version, Jobs: []wire.JobStatus{}, Damaged: &damaged}
	if s.d.Jobs != nil {
		body.Jobs = append(body.Jobs, s.d.Jobs()...)
	}
	if damaged > 0 {
		body.Status = "degraded"
	}
	for _, j := range body.Jobs {
		if j.Error != "" {
			body.Status = "degraded"
		}
	}
	known, closed := s.sees(r)
	for i := range body.Jobs {
		if body.Jobs[i].Error != "" && !known {
			body.Jobs[i].Error = "log in to read it"
		}
	}
	if closed {
		body = healthBody{Status: body.Status}
	}
	s.probe(w, http.StatusOK, body)
}

// readyBody is the answer of /readyz. Where reading needs a login, those without one learn nothing but whether it is
// ready.
type readyBody struct {
	Ready    bool     `json:"ready"`
	ReadOnly *bool    `json:"read_only,omitempty"`
	Reasons  []string `json:"reasons,omitzero"`
}

// ready answers 503 with the reasons while the store takes no writes. A server that was started read-only is ready.
func (s *Web) ready(w http.ResponseWriter, r *http.Request) {
	wire.SetOp(r.Context(), "web.ready")
	ready, readOnly, reason := pages.Ready(s.d.Wire.Store, s.d.ReadOnly)
	body := readyBody{Ready: ready, ReadOnly: &readOnly, Reasons: []string{}}
	status := http.StatusOK
	if !ready {
		status = http.StatusServiceUnavailable
		body.Reasons = append(body.Reasons, reason)
	}
	if _, closed := s.sees(r); closed {
		body = readyBody{Ready: body.Ready}
	}
	s.probe(w, status, body)
}

// probe writes a probe's answer; it must be asked for anew each time.
func (s *Web) probe(w http.ResponseWriter, status int, v any) {
	if err := answer(w, status, v); err != nil {
		s.d.Log.Debug("probe was not answered", "err", err)
	}
}
