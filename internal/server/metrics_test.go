package server

// This file reads the figures at /metrics.

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"larder/internal/wire"
	"larder/store"
	"larder/store/storetest"
)

func scrape(m *metrics) string {
	w := httptest.NewRecorder()
	m.handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	return w.Body.String()
}

func TestMetrics(t *testing.T) {
	ctx := context.Background()
	s := storetest.New(t)
	blob, err := s.PutBytes(ctx, []byte("hello"))
	if err != nil {
		t.Fatal(err)
	}
	err = store.NewRepo[struct{}](s, store.NPM).Update(ctx, "demo", func(tx *store.PackageTx[struct{}]) error {
		return tx.Publish(store.Version[struct{}]{ID: "1.0.0",
			Files: []store.File{{Name: "demo.tgz", Digest: blob.Digest, Size: blob.Size}}})
	})
	if err != nil {
		t.Fatal(err)
	}
	m := newMetrics(s, nil, quiet())
	j := newJobs(quiet(), wire.Job{Name: "nap", Every: time.Hour,
		Run: func(context.Context) error { return errors.New("too loud") }})
	m.watch(j)
	j.once(j.states[0])
	m.observe(wire.Observation{Op: "npm.get", Status: 200, In: 1, Out: 10, Duration: 2 * time.Millisecond})
	m.observe(wire.Observation{Op: "npm.get", Status: 200, In: 2, Out: 20, Duration: 2 * time.Second})
	m.observe(wire.Observation{Op: "npm.get", Status: 404, Out: 3})
	m.swept(store.SweepReport{Blobs: 2, Bytes: 300})
	got := scrape(m)
	for _, line := range []string{
		`larder_requests_total{op="npm.get",status="200"} 2`,
		`larder_requests_total{op="npm.get",status="404"} 1`,
		`larder_request_bytes_total{op="npm.get"} 3`,
		`larder_response_bytes_total{op="npm.get"} 33`,
		`larder_request_seconds_bucket{op="npm.get",le="0.0025"} 2`,
		`larder_request_seconds_count{op="npm.get"} 3`,
		`larder_swept_blobs_total 2`,
		`larder_swept_bytes_total 300`,
		`larder_blobs 1`,
		`larder_blob_bytes 5`,
		`larder_packages{kind="npm"} 1`,
		`larder_versions{kind="npm"} 1`,
		`larder_package_bytes{kind="npm"} 5`,
		`larder_journal_sequence 1`,
		`larder_writable 1`,
		`larder_job_runs_total{job="nap"} 1`,
		`larder_job_failures_total{job="nap"} 1`,
	} {
		if !strings.Contains(got, line+"\n") {
			t.Errorf("no line %s", line)
		}
	}
	s.SetReadOnly("for the test")
	if !strings.Contains(scrape(m), "larder_writable 0\n") {
		t.Error("a read-only store counts as writable")
	}
	if t.Failed() {
		t.Log(got)
	}
}

func BenchmarkObserve(b *testing.B) {
	m := newMetrics(storetest.New(b), nil, quiet())
	b.ReportAllocs()
	for b.Loop() {
		m.observe(wire.Observation{Op: "npm.get", Status: 200, In: 1, Out: 10, Duration: 2 * time.Millisecond})
	}
}
