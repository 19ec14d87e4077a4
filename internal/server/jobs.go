package server

// This file runs background work: each job at its time, never twice at once.

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"larder/internal/wire"
	"larder/store"
)

// maxFirstDelay bounds the wait before a job's first run, so that a restart also catches up on rare jobs.
const maxFirstDelay = 30 * time.Second

// jobState is a job and how its last runs ended.
type jobState struct {
	wire.Job

	mu       sync.Mutex // guards the rest
	running  bool
	last     time.Time
	took     time.Duration
	err      error
	runs     int64
	failures int64
}

// jobs runs a list of jobs, each in a goroutine of its own: a job never overlaps itself.
type jobs struct {
	log    *slog.Logger
	states []*jobState
	ctx    context.Context // ends with stop
	cancel context.CancelFunc
	done   sync.WaitGroup
}

func newJobs(log *slog.Logger, list ...wire.Job) *jobs {
	j := &jobs{log: log}
	j.ctx, j.cancel = context.WithCancel(context.Background())
	for _, one := range list {
		j.states = append(j.states, &jobState{Job: one})
	}
	return j
}

// start starts the goroutine of each job.
func (j *jobs) start() {
	for _, s := range j.states {
		j.done.Go(func() { j.loop(s) })
	}
}

// stop cancels the running jobs and waits for them until ctx ends.
func (j *jobs) stop(ctx context.Context) error {
	j.cancel()
	stopped := make(chan struct{})
	go func() {
		j.done.Wait()
		close(stopped)
	}()
	select {
	case <-stopped:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("jobs still run: %s: %w", strings.Join(j.runningNames(), ", "), ctx.Err())
	}
}

func (j *jobs) runningNames() []string {
	var names []string
	for _, s := range j.status() {
		if s.Running {
			names = append(names, s.Name)
		}
	}
	return names
}

// status is what health shows, in the order of the list.
func (j *jobs) status() []wire.JobStatus {
	list := make([]wire.JobStatus, 0, len(j.states))
	for _, s := range j.states {
		list = append(list, s.status())
	}
	return list
}

func (s *jobState) status() wire.JobStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := wire.JobStatus{Name: s.Name, Every: s.Every, Running: s.running, Last: s.last, Took: s.took}
	if s.err != nil {
		st.Error = s.err.Error()
	}
	return st
}

func (j *jobs) loop(s *jobState) {
	timer := time.NewTimer(rand.N(max(min(s.Every/10, maxFirstDelay), 1)))
	defer timer.Stop()
	for {
		select {
		case <-j.ctx.Done():
			return
		case <-timer.C:
		}
		j.once(s)
		timer.Reset(jittered(s.Every))
	}
}

// jittered spreads d by a tenth to either side: jobs of one period must not keep step.
func jittered(d time.Duration) time.Duration {
	return d - d/10 + rand.N(max(d/5, 1))
}

func (j *jobs) once(s *jobState) {
	s.begin()
	start := time.Now()
	err := j.guarded(s)
	if errors.Is(err, store.ErrReadOnly) || j.ctx.Err() != nil && errors.Is(err, context.Canceled) {
		// A store that takes no changes has nothing for a job to do, and says so in health by itself; a job that
		// was told to stop has not failed.
		err = nil
	}
	s.end(time.Since(start), err)
	if err != nil {
		j.log.LogAttrs(j.ctx, slog.LevelError, "job failed", slog.String("job", s.Name), slog.Any("error", err))
	}
}

func (j *jobs) guarded(s *jobState) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v", v)
			j.log.LogAttrs(j.ctx, slog.LevelError, "panic in job", slog.String("job", s.Name), slog.Any("panic", v),
				slog.String("stack", string(debug.Stack())))
		}
	}()
	return s.Run(j.ctx)
}

func (s *jobState) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running = true
}

func (s *jobState) end(took time.Duration, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running, s.last, s.took, s.err = false, time.Now(), took, err
	s.runs++
	if err != nil {
		s.failures++
	}
}

// counts are the runs and failures since the start, for metrics.
func (s *jobState) counts() (runs, failures int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.runs, s.failures
}
