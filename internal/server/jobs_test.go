package server

// This file runs jobs that fail, panic and take long.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"larder/internal/wire"
	"larder/store"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// TestJobsSchedule runs on the fake clock of a synctest bubble.
func TestJobsSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var at []time.Duration
		j := newJobs(quiet(), wire.Job{Name: "tick", Every: 10 * time.Minute, Run: func(context.Context) error {
			at = append(at, time.Since(start))
			return nil
		}})
		j.start()
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		if err := j.stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(at) < 130 || len(at) > 161 {
			t.Fatalf("%d runs in a day", len(at))
		}
		if at[0] > maxFirstDelay {
			t.Errorf("the first run came after %v", at[0])
		}
		even := true
		for i := 1; i < len(at); i++ {
			gap := at[i] - at[i-1]
			if gap < 9*time.Minute || gap > 11*time.Minute {
				t.Errorf("a gap of %v", gap)
			}
			even = even && gap == 10*time.Minute
		}
		if even {
			t.Error("no jitter at all")
		}
	})
}

func TestJobsDoNotOverlap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now, most, runs atomic.Int32
		j := newJobs(quiet(), wire.Job{Name: "long", Every: time.Minute, Run: func(ctx context.Context) error {
			most.Store(max(most.Load(), now.Add(1)))
			defer now.Add(-1)
			runs.Add(1)
			time.Sleep(5 * time.Minute)
			return nil
		}})
		j.start()
		time.Sleep(time.Hour)
		synctest.Wait()
		if most.Load() != 1 || runs.Load() < 8 || runs.Load() > 12 {
			t.Errorf("%d runs, %d at once", runs.Load(), most.Load())
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
		defer cancel()
		if err := j.stop(ctx); err != nil {
			t.Error(err)
		}
	})
}

func TestJobsOutcomes(t *testing.T) {
	var log bytes.Buffer
	tests := []struct {
		name   string
		run    func(context.Context) error
		error  string
		logged string
	}{
		{"good", func(context.Context) error { return nil }, "", ""},
		{"bad", func(context.Context) error { return errors.New("no luck") }, "no luck", "job failed"},
		{"panic", func(context.Context) error { panic("at the disco") }, "panic: at the disco", "jobs_test.go"},
		{"read-only", func(context.Context) error { return fmt.Errorf("sweep: %w", store.ErrReadOnly) }, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			log.Reset()
			synctest.Test(t, func(t *testing.T) {
				j := newJobs(slog.New(slog.NewTextHandler(&log, nil)),
					wire.Job{Name: tt.name, Every: time.Minute, Run: func(ctx context.Context) error {
						time.Sleep(3 * time.Second)
						return tt.run(ctx)
					}})
				if st := j.status()[0]; st.Name != tt.name || st.Every != time.Minute || st.Running || !st.Last.IsZero() {
					t.Errorf("before: %+v", st)
				}
				j.start()
				time.Sleep(8 * time.Second)
				synctest.Wait()
				time.Sleep(2 * time.Second)
				synctest.Wait()
				st := j.status()[0]
				if st.Running || st.Last.IsZero() || st.Took != 3*time.Second || st.Error != tt.error {
					t.Errorf("after: %+v", st)
				}
				runs, failures := j.states[0].counts()
				if runs != 1 || (failures == 1) != (tt.error != "") {
					t.Errorf("%d runs, %d failures", runs, failures)
				}
				if err := j.stop(t.Context()); err != nil {
					t.Error(err)
				}
			})
			if tt.logged == "" && log.Len() > 0 || !strings.Contains(log.String(), tt.logged) {
				t.Errorf("log: %s", &log)
			}
		})
	}
}

// TestJobsStop: a running job is told, waited for, and not counted as failed; one that does not listen is named.
func TestJobsStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJobs(quiet(),
			wire.Job{Name: "polite", Every: time.Minute, Run: func(ctx context.Context) error {
				<-ctx.Done()
				time.Sleep(time.Second)
				return ctx.Err()
			}},
			wire.Job{Name: "later", Every: 1000 * time.Hour, Run: func(context.Context) error { return nil }})
		j.start()
		time.Sleep(time.Minute)
		synctest.Wait()
		if !j.status()[0].Running {
			t.Fatal("the job does not run")
		}
		if err := j.stop(t.Context()); err != nil {
			t.Error(err)
		}
		if st := j.status()[0]; st.Running || st.Error != "" {
			t.Errorf("after: %+v", st)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		j := newJobs(quiet(), wire.Job{Name: "deaf", Every: time.Minute, Run: func(context.Context) error {
			time.Sleep(time.Hour)
			return nil
		}})
		j.start()
		time.Sleep(time.Minute)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := j.stop(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "deaf") {
			t.Errorf("stop: %v", err)
		}
		time.Sleep(2 * time.Hour)
	})
}
