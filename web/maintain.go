package web

// Maintenance: garbage collection, checks, backups, statistics, read-only.

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/opencontainers/go-digest"

	"larder/internal/problem"
	"larder/store"
)

// ReportTrailer is the trailer of a backup's answer that holds its report as JSON. Only a complete answer has it.
const ReportTrailer = "Larder-Report"

// gcRequest is the body of POST /gc.
type gcRequest struct {
	DryRun bool `json:"dry_run"`
	// GraceSeconds overrides the configured grace; 0 sweeps everything that is unreferenced now.
	GraceSeconds *int64 `json:"grace_seconds"`
	// Orphans moves blobs without a record aside instead, however many they are.
	Orphans bool `json:"orphans"`
}

func (a *api) gc(w http.ResponseWriter, r *http.Request, _ request) error {
	var body gcRequest
	if err := readJSON(r, &body); err != nil {
		return err
	}
	if body.Orphans {
		return a.stream(w, r, func(func(done, total int64)) (any, error) { return a.store.MoveOrphans(r.Context()) })
	}
	options := store.SweepOptions{DryRun: body.DryRun}
	if s := body.GraceSeconds; s != nil {
		if *s < 0 || *s > int64(100*365*24*time.Hour/time.Second) {
			return problem.Errorf(store.ErrInvalid, "grace_seconds must lie between 0 and a hundred years")
		}
		grace := time.Duration(*s) * time.Second
		options.Grace = &grace
	}
	return a.stream(w, r, func(progress func(done, total int64)) (any, error) {
		options.Progress = progress
		report, err := a.store.Sweep(r.Context(), options)
		return report, err
	})
}

// checkRequest is the body of POST /check.
type checkRequest struct {
	Deep bool `json:"deep"`
	// Unrecorded answers with the digests of the files that no record knows instead.
	Unrecorded bool `json:"unrecorded"`
}

func (a *api) check(w http.ResponseWriter, r *http.Request, _ request) error {
	var body checkRequest
	if err := readJSON(r, &body); err != nil {
		return err
	}
	if body.Unrecorded {
		return a.stream(w, r, func(func(done, total int64)) (any, error) {
			unknown, err := a.store.Unrecorded(r.Context())
			return append([]digest.Digest{}, unknown...), err
		})
	}
	return a.stream(w, r, func(progress func(done, total int64)) (any, error) {
		report, err := a.store.Check(r.Context(), store.CheckOptions{Deep: body.Deep, Progress: progress})
		if report.Problems == nil {
			report.Problems = []store.Problem{}
		}
		return report, err
	})
}

// backupRequest is the body of POST /backup.
type backupRequest struct {
	Archives bool `json:"archives"`
}

// backup streams the tar. An error on the way breaks the answer off, and the trailer with the report is missing.
func (a *api) backup(w http.ResponseWriter, r *http.Request, _ request) error {
	var body backupRequest
	if err := readJSON(r, &body); err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/x-tar")
	h.Set("Cache-Control", "no-store")
	h.Set("Trailer", ReportTrailer)
	report, err := a.store.BackupAll(r.Context(), w, func(int64, int64) {}, body.Archives)
	if err != nil {
		h.Del("Content-Type")
		h.Del("Trailer")
		return err
	}
	text, err := json.Marshal(report)
	if err != nil {
		return err
	}
	h.Set(ReportTrailer, string(text))
	return nil
}

func (a *api) stats(w http.ResponseWriter, r *http.Request, _ request) error {
	stats, err := a.store.Stats(r.Context())
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, stats)
}

// readOnlyRequest is the body of POST /read-only.
type readOnlyRequest struct {
	Reason string `json:"reason"`
}

// readOnlyBody is the answer to POST /read-only.
type readOnlyBody struct {
	ReadOnly bool   `json:"read_only"`
	Reason   string `json:"reason"`
}

func (a *api) readOnly(w http.ResponseWriter, r *http.Request, _ request) error {
	var body readOnlyRequest
	if err := readJSON(r, &body); err != nil {
		return err
	}
	if len(body.Reason) > 500 {
		return problem.Errorf(store.ErrInvalid, "the reason may have 500 bytes at most")
	}
	a.store.SetReadOnly(body.Reason)
	a.log.Warn("read-only switched", "reason", body.Reason, "user", store.ActorFrom(r.Context()).User)
	return answer(w, http.StatusOK, readOnlyBody{ReadOnly: body.Reason != "", Reason: body.Reason})
}
