package main

// This file measures memory: a large layer is pushed and pulled many times under a small limit.

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// pushArtifact pushes a manifest with an empty config and a unique annotation.
func (c *registry) pushArtifact(ctx context.Context, repo, tag string) error {
	empty := digestOf([]byte("{}"))
	raw := fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"artifactType":"application/vnd.example.bench",`+
		`"config":{"mediaType":"application/vnd.oci.empty.v1+json","digest":%q,"size":2},"layers":[],`+
		`"annotations":{"tag":%q}}`, manifestType, empty, repo+tag)
	return c.send(ctx, "PUT", "/v2/"+repo+"/manifests/"+tag, strings.NewReader(raw), int64(len(raw)),
		"Content-Type", manifestType)
}

// memory measures the peak resident size of the server with GOMEMLIMIT=64MiB while a layer of 2 GiB is pushed, pulled,
// and pulled 50 times in parallel, beside 100 MiB (both as 1/MiB: larger is better).
func memory(ctx context.Context, e *env) (ours, yardstick float64, err error) {
	const size = 2 << 30
	file, digest, err := e.largeBlob(size)
	if err != nil {
		return 0, 0, err
	}
	p, c, _, err := e.withBlob(ctx, file, digest, size, "GOMEMLIMIT=64MiB")
	if p != nil {
		defer p.kill()
	}
	if err != nil {
		return 0, 0, err
	}
	pull := func(int) error {
		n, err := c.pull(ctx, "/v2/bench/large/blobs/"+digest, make([]byte, 64<<10))
		if err == nil && n != size {
			err = fmt.Errorf("pulled %d bytes", n)
		}
		return err
	}
	if err := pull(0); err != nil {
		return 0, 0, err
	}
	if err := parallel(50, pull); err != nil {
		return 0, 0, err
	}
	peak, err := peakRSS(p.cmd.Process.Pid)
	return 1 / peak, 1.0 / 100, err
}

// peakRSS is the largest resident size that a process had, in MiB.
func peakRSS(pid int) (float64, error) { return statusMiB(pid, "VmHWM:") }

// rss is the resident size of a process, in MiB.
func rss(pid int) (float64, error) { return statusMiB(pid, "VmRSS:") }

// statusMiB reads a field of a process's status in MiB.
func statusMiB(pid int, field string) (float64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if v, ok := strings.CutPrefix(line, field); ok {
			kib, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(v), "kB")), 64)
			return kib / 1024, err
		}
	}
	return 0, fmt.Errorf("no %s of process %d", field, pid)
}
