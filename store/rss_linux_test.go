package store

// This file tests that large bodies do not grow the process.

import (
	"context"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// Fifty streams at once, in a process of their own with GOMEMLIMIT=64MiB, stay below 100 MiB of memory.
func TestFiftyStreamsInLittleMemory(t *testing.T) {
	if os.Getenv("LARDER_TEST_STREAMS") != "" {
		fiftyStreams(t)
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestFiftyStreamsInLittleMemory$", "-test.v")
	cmd.Env = append(os.Environ(), "LARDER_TEST_STREAMS=1", "GOMEMLIMIT=64MiB")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "MiB") {
			t.Log(strings.TrimSpace(line))
		}
	}
}

func fiftyStreams(t *testing.T) {
	s := openBytes(t, t.TempDir(), Options{})
	block := randomBytes(1, 64<<10)
	var all sync.WaitGroup
	half := make(chan struct{}) // everybody holds what he needs when half the bodies have arrived
	var arrived sync.WaitGroup
	arrived.Add(50)
	for i := range 50 {
		all.Go(func() {
			r := &source{block, 12 << 20, uint64(i)}
			st, err := s.Stage(context.Background(), StageOptions{Sums: []string{"sha1", "sha512"}})
			if err != nil {
				t.Error(err)
				arrived.Done()
				return
			}
			defer st.Abort()
			once := sync.OnceFunc(func() { arrived.Done(); <-half })
			_, err = st.ReadFrom(&callAt{r: r, at: 6 << 20, fn: once})
			if err == nil {
				_, err = st.Commit(context.Background())
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	arrived.Wait()
	close(half)
	all.Wait()
	if peak := peakRSS(t); peak > 100<<10 && !raceEnabled {
		t.Errorf("%d KiB of memory at the peak", peak)
	} else {
		t.Logf("peak %d MiB", peak>>10)
	}
}

// peakRSS is VmHWM in KiB.
func peakRSS(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	n, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return n
}
