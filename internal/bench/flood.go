package main

// This file measures floods of searches and audits by strangers, and how long other requests wait meanwhile.

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"larder/internal/miniclient"
)

// floodSearch measures small reads per second while sixteen clients search for a word of all 200,000 gems, beside the
// same reads without searches.
func floodSearch(ctx context.Context, e *env) (ours, yardstick float64, err error) {
	g, err := e.filledGems(ctx)
	if err != nil {
		return 0, 0, err
	}
	const read = "/rubygems/info/" + commonGem
	pid := g.large.cmd.Process.Pid
	if yardstick, err = load(g.large.addr, read, ""); err != nil {
		return 0, 0, err
	}
	flood, stop := context.WithCancel(ctx)
	defer stop()
	done, count := make(chan error, 1), new(atomic.Int64)
	go func() { done <- parallel(16, func(int) error { return search(flood, g.large.addr, count) }) }()
	ours, err = load(g.large.addr, read, "")
	if err != nil {
		return 0, 0, err
	}
	// Then the searches alone, to find out what each costs.
	n, cpu := count.Load(), time.Duration(0)
	if cpu, err = cpuTime(pid); err != nil {
		return 0, 0, err
	}
	time.Sleep(loadFor)
	after, err := cpuTime(pid)
	n = count.Load() - n
	stop()
	if err = cmp.Or(err, <-done); err != nil {
		return 0, 0, err
	}
	rss, err := peakRSS(pid)
	e.note(
		"%d searches alone: %.2f ms of processor time each; peak RSS %.0f MiB", n,
		float64((after-cpu).Microseconds())/1000/float64(max(n, 1)), rss,
	)
	return ours, yardstick, err
}

// searchCopies measures the processor time of searches among 200,000 gems of which copies are kept, for words that many
// have, few have and none has, beside 50 ms.
func searchCopies(ctx context.Context, e *env) (ours, yardstick float64, err error) {
	data, err := e.folder("copies")
	if err != nil {
		return 0, 0, err
	}
	if err := fillBy(ctx, "BenchmarkFillCopies", "rubygems", fmt.Sprintf("%s=%d\n", data, gems)); err != nil {
		return 0, 0, err
	}
	p, err := e.startLarder(ctx, data, "LARDER_UPSTREAM=rubygems=http://127.0.0.1:9", "LARDER_OFFLINE=true")
	if err != nil {
		return 0, 0, err
	}
	defer p.kill()
	const times = 20
	var slowest time.Duration
	for _, query := range []string{"json", "json+yaml", "about", "j", "absent"} {
		before, err := cpuTime(p.cmd.Process.Pid)
		if err != nil {
			return 0, 0, err
		}
		for range times {
			at := "http://" + p.addr + "/rubygems/api/v1/search.json?query=" + query
			if _, err := ask(ctx, "GET", at, nil, http.StatusOK); err != nil {
				return 0, 0, err
			}
		}
		after, err := cpuTime(p.cmd.Process.Pid)
		if err != nil {
			return 0, 0, err
		}
		each := max((after-before)/times, time.Microsecond)
		e.note("search for %s: %.1f ms of processor time", query, float64(each.Microseconds())/1000)
		slowest = max(slowest, each)
	}
	return 1 / slowest.Seconds(), 1 / 0.05, nil
}

// commonGem is a gem that every registry of fillGems has.
const commonGem = "json-json-000000"

// search repeats a search for all gems until ctx ends.
func search(ctx context.Context, addr string, count *atomic.Int64) error {
	for ctx.Err() == nil {
		_, err := ask(
			ctx, "GET", "http://"+addr+"/rubygems/api/v1/search.json?query=g", nil, http.StatusOK, http.StatusServiceUnavailable,
		)
		if ctx.Err() == nil && err != nil {
			return err
		}
		count.Add(1)
	}
	return nil
}

// ask sends a request and reads the answer, whose status must be one of statuses.
func ask(ctx context.Context, method, url string, body []byte, statuses ...int) (time.Duration, error) {
	r, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Content-Encoding", "gzip")
	}
	start := time.Now()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return 0, err
	}
	if !slices.Contains(statuses, resp.StatusCode) {
		return 0, fmt.Errorf("%s %s: %s", method, url, resp.Status)
	}
	return time.Since(start), nil
}

// cpuTime returns the processor time of a process (/proc/PID/stat, in hundredths of a second).
func cpuTime(pid int) (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	user, err := strconv.Atoi(fields[11])
	if err != nil {
		return 0, err
	}
	system, err := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond, err
}

// floodAudit measures the peak memory of 200 anonymous audits of the most expensive kinds, forty at a time, with
// memory: 256MB, beside 400 MiB (both as 1/MiB). How long a small read takes meanwhile, and the time from
// SIGTERM to the end in the middle of a second flood, are notes.
func floodAudit(ctx context.Context, e *env) (ours, yardstick float64, err error) {
	bodies, err := auditBodies()
	if err != nil {
		return 0, 0, err
	}
	p, err := e.startNew(ctx, "audits", "LARDER_MEMORY=256MB", "LARDER_SHUTDOWN_TIMEOUT=10s")
	if err != nil {
		return 0, 0, err
	}
	defer p.kill()
	reading, stop := context.WithCancel(ctx)
	waits := make(chan []time.Duration, 1)
	go func() { waits <- readAlong(reading, p.addr) }()
	start, err := time.Now(), flood(ctx, p.addr, bodies, 200)
	took := time.Since(start)
	stop()
	if err != nil {
		return 0, 0, err
	}
	all := <-waits
	slices.Sort(all)
	if len(all) == 0 {
		return 0, 0, fmt.Errorf("nobody could read during the flood")
	}
	peak, err := peakRSS(p.cmd.Process.Pid)
	if err != nil {
		return 0, 0, err
	}
	go func() { _ = flood(ctx, p.addr, bodies, 200) }() // cut off: its errors are wanted
	time.Sleep(100 * time.Millisecond)
	start = time.Now()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	<-p.done
	e.note(
		"200 audits in %.1f s, peak RSS %.0f MiB; %d reads, p99 %.0f ms (goal 250); SIGTERM to the end %.1f s (timeout 10)",
		took.Seconds(), peak, len(all), float64(all[len(all)*99/100].Microseconds())/1000, time.Since(start).Seconds(),
	)
	return 1 / peak, 1.0 / 400, nil
}

// readAlong sends a small read every few milliseconds until ctx ends, and returns how long each took.
func readAlong(ctx context.Context, addr string) (took []time.Duration) {
	for ctx.Err() == nil {
		if d, err := ask(ctx, "GET", "http://"+addr+"/npm/-/ping", nil, http.StatusOK); err == nil {
			took = append(took, d)
		}
		time.Sleep(5 * time.Millisecond)
	}
	return took
}

// flood sends n audits, forty at a time.
func flood(ctx context.Context, addr string, bodies []audit, n int) error {
	const atOnce = 40
	return parallel(atOnce, func(who int) error {
		for i := who; i < n; i += atOnce {
			a := bodies[i%len(bodies)]
			statuses := []int{
				http.StatusOK, http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusServiceUnavailable,
			}
			if _, err := ask(ctx, "POST", "http://"+addr+"/npm/-/npm/v1/security/"+a.path, a.body, statuses...); err != nil {
				return err
			}
		}
		return nil
	})
}

type audit struct {
	path string
	body []byte
}

// auditBodies returns small compressed requests that are large when unpacked, and large uncompressed ones.
func auditBodies() (out []audit, err error) {
	names, tree := []byte(`{"p":["1.0.0"]`), []byte(`{"name":"x","dependencies":{"p":{"version":"1.0.0"}`)
	for i := range 49_000 {
		names = fmt.Appendf(names, `,"p%d":["1.0.0"]`, i)
		tree = fmt.Appendf(tree, `,"p%d":{"version":"1.0.0"}`, i)
	}
	for _, a := range []audit{
		{"advisories/bulk", []byte(`{"a":["` + strings.Repeat(`1.0.0","`, 4_194_000) + `1"]}`)},
		{"advisories/bulk", append(names, '}')},
		{"audits/quick", append(tree, "}}"...)},
		{"advisories/bulk", []byte(`{"a":["` + strings.Repeat("1", 33<<20) + `"]}`)},
	} {
		if a.body, err = miniclient.Gzip(a.body); err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	return out, nil
}
