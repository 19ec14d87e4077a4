package server

// This file has the figures at /metrics.

import (
	"context"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"larder/internal/wire"
	"larder/store"
	"larder/upstream"
)

// metrics are the program's figures. Operation names and statuses are the only labels of requests: both come from fixed
// tables, so that no client can make new series.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	in, out  *prometheus.CounterVec

	sweptBlobs, sweptBytes prometheus.Counter

	mu     sync.RWMutex // guards series
	series map[seriesKey]*series
}

type seriesKey struct {
	op     string
	status int
}

// series are the label values resolved once, which makes an observation three additions.
type series struct {
	requests prometheus.Counter
	seconds  prometheus.Observer
	in, out  prometheus.Counter
}

func newMetrics(s *store.Store, remote *upstream.Registry, log *slog.Logger) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		series:   make(map[seriesKey]*series),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "larder_requests_total",
			Help: "Requests by operation and status; 499 is a client that left."}, []string{"op", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "larder_request_seconds",
			Help:    "Time from the request's header to the end of its handler.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, 1, 5, 30, 300}}, []string{"op"}),
		in: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "larder_request_bytes_total",
			Help: "Bytes of request bodies."}, []string{"op"}),
		out: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "larder_response_bytes_total",
			Help: "Bytes of answers without their headers."}, []string{"op"}),
		sweptBlobs: prometheus.NewCounter(prometheus.CounterOpts{Name: "larder_swept_blobs_total",
			Help: "Unreferenced blobs removed by the background sweep."}),
		sweptBytes: prometheus.NewCounter(prometheus.CounterOpts{Name: "larder_swept_bytes_total",
			Help: "Bytes of the blobs removed by the background sweep."}),
	}
	m.registry.MustRegister(m.requests, m.seconds, m.in, m.out, m.sweptBlobs, m.sweptBytes,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		newStoreCollector(s, log))
	if remote != nil {
		m.registry.MustRegister(newUpstreamCollector(remote))
	}
	return m
}

// watch adds the jobs' figures; they exist only after the metrics they report to.
func (m *metrics) watch(j *jobs) { m.registry.MustRegister(newJobsCollector(j)) }

func (m *metrics) handler() http.Handler {
	h := promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		wire.SetOp(r.Context(), "web.metrics")
		h.ServeHTTP(w, r)
	})
}

// observe is wire.Middleware.Observe.
func (m *metrics) observe(o wire.Observation) {
	s := m.seriesOf(seriesKey{o.Op, o.Status})
	s.requests.Inc()
	s.seconds.Observe(o.Duration.Seconds())
	s.in.Add(float64(o.In))
	s.out.Add(float64(o.Out))
}

func (m *metrics) seriesOf(k seriesKey) *series {
	m.mu.RLock()
	s := m.series[k]
	m.mu.RUnlock()
	if s != nil {
		return s
	}
	s = &series{
		requests: m.requests.WithLabelValues(k.op, strconv.Itoa(k.status)),
		seconds:  m.seconds.WithLabelValues(k.op),
		in:       m.in.WithLabelValues(k.op),
		out:      m.out.WithLabelValues(k.op),
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.series[k] = s
	return s
}

// swept is told of every background sweep.
func (m *metrics) swept(r store.SweepReport) {
	m.sweptBlobs.Add(float64(r.Blobs))
	m.sweptBytes.Add(float64(r.Bytes))
}

// gauge is one figure a collector reads when it is asked.
type gauge struct {
	desc  *prometheus.Desc
	value func(store.Stats) float64
}

// storeCollector reads the store's counters for each scrape; their cost does not grow with what is stored.
type storeCollector struct {
	store   *store.Store
	log     *slog.Logger
	gauges  []gauge
	kinds   [4]*prometheus.Desc // packages, versions, tags, bytes
	asked   *prometheus.Desc    // of what is published here
	sent    *prometheus.Desc
	healthy *prometheus.Desc
	orphans *prometheus.Desc
}

// scrapeTime bounds the reading of counters for a scrape.
const scrapeTime = 5 * time.Second

func newStoreCollector(s *store.Store, log *slog.Logger) *storeCollector {
	plain := func(name, help string, value func(store.Stats) float64) gauge {
		return gauge{prometheus.NewDesc(name, help, nil, nil), value}
	}
	byKind := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, []string{"kind"}, nil)
	}
	return &storeCollector{store: s, log: log,
		gauges: []gauge{
			plain("larder_blobs", "Blobs on disk.", func(st store.Stats) float64 { return float64(st.Blobs) }),
			plain(
				"larder_blob_bytes", "Bytes of blobs on disk, each counted once.",
				func(st store.Stats) float64 { return float64(st.BlobBytes) },
			),
			plain(
				"larder_damaged_blobs", "Blobs whose bytes on disk are known to be wrong or missing.",
				func(st store.Stats) float64 { return float64(st.Damaged) },
			),
			plain("larder_uploads", "Unfinished upload sessions.", func(st store.Stats) float64 { return float64(st.Uploads) }),
			plain("larder_journal_sequence", "Number of the last journal entry.",
				func(st store.Stats) float64 { return float64(st.Journal) }),
			plain("larder_database_bytes", "Size of the database file.",
				func(st store.Stats) float64 { return float64(st.Database) }),
			plain("larder_disk_free_bytes", "Free bytes on the disk of the data folder.",
				func(st store.Stats) float64 { return float64(st.Free) }),
		},
		kinds: [4]*prometheus.Desc{
			byKind("larder_packages", "Packages by kind."),
			byKind("larder_versions", "Versions by kind."),
			byKind("larder_tags", "Tags by kind."),
			byKind("larder_package_bytes", "Bytes held by packages, by kind; a shared blob counts once for each package."),
		},
		asked: byKind("larder_hosted_requests_total",
			"Requests answered without an upstream or its copies, since the data folder was made."),
		sent: byKind("larder_hosted_sent_bytes_total",
			"Bytes sent of what is published here, since the data folder was made."),
		healthy: prometheus.NewDesc("larder_writable", "1 while the store takes changes, else 0.", nil, nil),
		orphans: prometheus.NewDesc(
			"larder_orphans", "Blobs without a record: kept for a week, or waiting for an operator because they are too many.",
			[]string{"state"}, nil,
		),
	}
}

// Describe implements prometheus.Collector.
func (c *storeCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, g := range c.gauges {
		ch <- g.desc
	}
	for _, d := range c.kinds {
		ch <- d
	}
	ch <- c.asked
	ch <- c.sent
	ch <- c.healthy
	ch <- c.orphans
}

// Collect implements prometheus.Collector. Counters that cannot be read are left out, which a monitor notices.
func (c *storeCollector) Collect(ch chan<- prometheus.Metric) {
	send := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	writable := 0.0
	if c.store.Health() == nil {
		writable = 1
	}
	send(c.healthy, writable)
	for _, k := range store.Kinds() {
		t := c.store.Meter(k, "").Traffic()
		ch <- prometheus.MustNewConstMetric(c.asked, prometheus.CounterValue, float64(t.Requests), string(k))
		ch <- prometheus.MustNewConstMetric(c.sent, prometheus.CounterValue, float64(t.Sent), string(k))
	}
	orphans, _ := c.store.Orphans() // its error is the job's, and in health
	send(c.orphans, float64(orphans.Kept), "kept")
	send(c.orphans, float64(orphans.Waiting), "waiting")
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTime)
	defer cancel()
	stats, err := c.store.Stats(ctx)
	if err != nil {
		c.log.LogAttrs(ctx, slog.LevelWarn, "store counters not read", slog.Any("error", err))
		return
	}
	for _, g := range c.gauges {
		send(g.desc, g.value(stats))
	}
	for kind, k := range stats.Kinds {
		for i, v := range [4]int64{k.Packages, k.Versions, k.Tags, k.Bytes} {
			send(c.kinds[i], float64(v), string(kind))
		}
	}
}

// jobsCollector reports how background jobs fare.
type jobsCollector struct {
	jobs                       *jobs
	runs, failures, last, took *prometheus.Desc
}

func newJobsCollector(j *jobs) *jobsCollector {
	desc := func(name, help string) *prometheus.Desc { return prometheus.NewDesc(name, help, []string{"job"}, nil) }
	return &jobsCollector{jobs: j,
		runs:     desc("larder_job_runs_total", "Ended runs of background jobs."),
		failures: desc("larder_job_failures_total", "Runs of background jobs that failed."),
		last:     desc("larder_job_last_end_seconds", "Unix time of the end of the last run, 0 before the first."),
		took:     desc("larder_job_last_duration_seconds", "Duration of the last run."),
	}
}

// Describe implements prometheus.Collector.
func (c *jobsCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- c.runs
	ch <- c.failures
	ch <- c.last
	ch <- c.took
}

// Collect implements prometheus.Collector.
func (c *jobsCollector) Collect(ch chan<- prometheus.Metric) {
	for _, s := range c.jobs.states {
		runs, failures := s.counts()
		st := s.status()
		last := 0.0
		if !st.Last.IsZero() {
			last = float64(st.Last.UnixMilli()) / 1000
		}
		ch <- prometheus.MustNewConstMetric(c.runs, prometheus.CounterValue, float64(runs), s.Name)
		ch <- prometheus.MustNewConstMetric(c.failures, prometheus.CounterValue, float64(failures), s.Name)
		ch <- prometheus.MustNewConstMetric(c.last, prometheus.GaugeValue, last, s.Name)
		ch <- prometheus.MustNewConstMetric(c.took, prometheus.GaugeValue, st.Took.Seconds(), s.Name)
	}
}

// upstreamCollector reports what upstreams were asked for, and what they were not asked for because it was kept.
type upstreamCollector struct {
	remote   *upstream.Registry
	answers  *prometheus.Desc
	requests *prometheus.Desc
	failures *prometheus.Desc
	bytes    *prometheus.Desc
	sent     *prometheus.Desc
	saved    *prometheus.Desc
	open     *prometheus.Desc
}

func newUpstreamCollector(r *upstream.Registry) *upstreamCollector {
	desc := func(name, help string, more ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, append([]string{"kind", "upstream"}, more...), nil)
	}
	return &upstreamCollector{remote: r,
		answers: desc("larder_upstream_answers_total",
			"Requests answered from an upstream or its copies, by how; since the data folder was made.", "cache"),
		requests: desc("larder_upstream_requests_total", "Requests sent to upstreams."),
		failures: desc("larder_upstream_failures_total", "What could not be got from upstreams, retries included."),
		bytes:    desc("larder_upstream_bytes_total", "Bytes fetched from upstreams, since the data folder was made."),
		sent: desc("larder_upstream_sent_bytes_total",
			"Bytes sent of what is an upstream's, since the data folder was made."),
		saved: desc("larder_upstream_saved_bytes", "Bytes that were sent and had not to be fetched."),
		open:  desc("larder_upstream_open", "1 while the upstream is not asked because it is in trouble, else 0."),
	}
}

// Describe implements prometheus.Collector.
func (c *upstreamCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.answers, c.requests, c.failures, c.bytes, c.sent, c.saved, c.open} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *upstreamCollector) Collect(ch chan<- prometheus.Metric) {
	for _, u := range c.remote.Status() {
		count := func(d *prometheus.Desc, n int64, more ...string) {
			ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n),
				append([]string{string(u.Kind), u.Name}, more...)...)
		}
		count(c.answers, u.Hits, "hit")
		count(c.answers, u.Misses, "miss")
		count(c.answers, u.Stale, "stale")
		count(c.answers, u.Absent, "absent")
		count(c.requests, u.Requests)
		count(c.failures, u.Failures)
		count(c.bytes, u.Bytes)
		count(c.sent, u.Sent)
		ch <- prometheus.MustNewConstMetric(c.saved, prometheus.GaugeValue, float64(u.Saved), string(u.Kind), u.Name)
		open := 0.0
		if u.Open {
			open = 1
		}
		ch <- prometheus.MustNewConstMetric(c.open, prometheus.GaugeValue, open, string(u.Kind), u.Name)
	}
}
