package main

// This file compares servers with each other in short turns, and reads their processor time.

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Servers are compared in short slices, in changing order and over connections that stay open, so that other load of
// the machine affects all of them alike. The result is the median ratio of the slices.
const (
	sliceFor    = 150 * time.Millisecond
	slicePasses = 24 // slices of each server in one round
	connections = 16
)

// target is a server and the request that is repeated.
type target struct {
	server  *process
	request []byte
	status  int
	head    bool // its answers have no body

	conns []*bufio.ReadWriter
	close []func() error
}

func newTarget(p *process, path, auth string, status int, lines string) *target {
	request := []byte("GET " + path + " HTTP/1.1\r\nHost: " + p.addr + "\r\n" + lines)
	if auth != "" {
		request = append(request, "Authorization: "+auth+"\r\n"...)
	}
	return &target{server: p, request: append(request, "\r\n"...), status: status}
}

func (t *target) dial() error {
	for range connections {
		conn, err := net.Dial("tcp", t.server.addr)
		if err != nil {
			return err
		}
		t.close = append(t.close, conn.Close)
		t.conns = append(t.conns, bufio.NewReadWriter(bufio.NewReaderSize(conn, 16<<10), bufio.NewWriter(conn)))
	}
	return nil
}

func (t *target) hangUp() {
	for _, c := range t.close {
		_ = c()
	}
}

// speed is the result of one slice: answers per second, and the server's processor time for each.
type speed struct {
	rate float64
	cpu  time.Duration
}

// slice sends requests over all connections for d. The client does as little as possible, because the servers are
// compared.
func (t *target) slice(d time.Duration) (speed, error) {
	return t.server.measure(func(start time.Time, count *atomic.Int64) error {
		return parallel(len(t.conns), func(i int) error {
			c, n := t.conns[i], int64(0)
			defer func() { count.Add(n) }()
			for ; time.Since(start) < d; n++ {
				if _, err := c.Write(t.request); err != nil {
					return err
				}
				if err := c.Flush(); err != nil {
					return err
				}
				if err := skipAnswer(c.Reader, t.status, t.head); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// measure returns the speed of a server while work counts its answers.
func (p *process) measure(work func(start time.Time, count *atomic.Int64) error) (speed, error) {
	before, err := processorTime(p.cmd.Process.Pid)
	if err != nil {
		return speed{}, err
	}
	var count atomic.Int64
	start := time.Now()
	err = work(start, &count)
	took := time.Since(start)
	if err != nil {
		return speed{}, err
	}
	after, err := processorTime(p.cmd.Process.Pid)
	n := max(count.Load(), 1)
	return speed{float64(n) / took.Seconds(), (after - before) / time.Duration(n)}, err
}

// processorTime returns the processor time of all threads of a process. It reads the clock of the process, whose number
// is made of the process id as clock_getcpuclockid does.
func processorTime(pid int) (time.Duration, error) {
	const scheduled = 2 // CPUCLOCK_SCHED: to the nanosecond, not in ticks
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|scheduled), &t); err != nil {
		return 0, fmt.Errorf("processor time of %d: %w", pid, err)
	}
	return time.Duration(t.Nano()), nil
}

// compare returns for each target the speeds of its slices; equal indexes were measured together.
func compare(ctx context.Context, targets ...*target) ([][]speed, error) {
	slices := make([]slicer, len(targets))
	for i, t := range targets {
		defer t.hangUp()
		if err := t.dial(); err != nil {
			return nil, err
		}
		slices[i] = t.slice
	}
	return interleave(ctx, slices...)
}

// slicer repeats something for d.
type slicer func(d time.Duration) (speed, error)

// interleave is compare for any slicers.
func interleave(ctx context.Context, slices ...slicer) ([][]speed, error) {
	all := make([][]speed, len(slices))
	for i, slice := range slices {
		// The first slice does not count: it fills caches and grows heaps.
		if _, err := slice(3 * sliceFor); err != nil {
			return nil, err
		}
		all[i] = make([]speed, slicePasses)
	}
	for pass := range slicePasses {
		for k := range slices {
			i := (pass + k) % len(slices)
			if pass%2 == 1 {
				i = len(slices) - 1 - i
			}
			s, err := slices[i](sliceFor)
			if err != nil {
				return nil, err
			}
			all[i][pass] = s
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// compareBare compares an answer of larder with a bare handler that writes the bytes of a file. For a conditional
// request (lines are its headers, file is bareFresh) the bare handler answers 304. The yardstick is net/http with its
// defaults: no time limits, so that clients can keep connections for ever, and the default garbage collection.
// A second bare handler has the time limits and the garbage collection of larder. Its figures are printed as a note:
// they are the part of the difference that no handler causes.
func (e *env) compareBare(
	ctx context.Context, p *process, path, auth, file string, lines ...string,
) (ours, yardstick float64, err error) {
	plain, err := e.startBare(ctx, file)
	if err != nil {
		return 0, 0, err
	}
	defer plain.kill()
	limited, err := e.startBare(ctx, file, "BENCH_BARE_LIMITS=1", "GOGC=400", "GOMEMLIMIT=512MiB")
	if err != nil {
		return 0, 0, err
	}
	defer limited.kill()
	status := http.StatusOK
	if file == bareFresh {
		status = http.StatusNotModified
	}
	ask := func(of *process) *target { return newTarget(of, path, auth, status, strings.Join(lines, "")) }
	all, err := compare(ctx, ask(p), ask(plain), ask(limited))
	if err != nil {
		return 0, 0, err
	}
	for i := range slicePasses {
		e.add(all[0][i].rate, all[1][i].rate)
	}
	low, mid, high := quartiles(ratios(all[0], all[2]))
	e.note("beside a bare handler with the same limits and GOGC %.2f (%.2f–%.2f); "+
		"processor time per request: larder %.1f µs, bare %.1f, with limits %.1f",
		mid, low, high, micros(all[0]), micros(all[1]), micros(all[2]))
	_, middle, _ := middle(e.pairs)
	return middle.ours, middle.yardstick, nil
}

func ratios(a, b []speed) []float64 {
	out := make([]float64, len(a))
	for i := range a {
		out[i] = a[i].rate / b[i].rate
	}
	return out
}

// micros returns the median processor time in microseconds.
func micros(s []speed) float64 {
	out := make([]float64, len(s))
	for i := range s {
		out[i] = float64(s[i].cpu) / float64(time.Microsecond)
	}
	_, mid, _ := quartiles(out)
	return mid
}

func quartiles(v []float64) (low, mid, high float64) {
	v = slices.Sorted(slices.Values(v))
	at := func(part float64) float64 { return v[int(part*float64(len(v)-1)+.5)] }
	return at(.25), at(.5), at(.75)
}
