package e2e

// The server is killed at random instants while images are pushed; what it acknowledged must be there afterwards.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

const crashPassword = "correct-horse"

// TestKill ends the server with SIGKILL at random instants while eight clients push. Nothing that was answered with 201
// may be lost or damaged. LARDER_KILLS is the number of kills (200 for the long run).
func TestKill(t *testing.T) {
	kills := 6
	if n, err := strconv.Atoi(os.Getenv("LARDER_KILLS")); err == nil {
		kills = n
	}
	data := filepath.Join(t.TempDir(), "data")
	pushed := &ledger{digests: map[string]v1.Hash{}}
	for i := range kills {
		server := startCrashServer(t, data)
		server.pushUntilKilled(t, pushed, time.Duration(50+rand.IntN(450))*time.Millisecond)
		if i%20 == kills%20 || i == kills-1 {
			out, err := exec.Command("larder", "check", "--deep", "--data", data).CombinedOutput()
			if err != nil {
				t.Fatalf("after kill %d: check --deep: %v\n%s", i+1, err, out)
			}
		}
	}
	server := startCrashServer(t, data)
	defer server.kill()
	for ref, digest := range pushed.digests {
		server.mustHold(t, ref, digest)
	}
	t.Logf("%d kills, %d images answered with 201, all of them whole", kills, len(pushed.digests))
}

// ledger is what the server has acknowledged.
type ledger struct {
	mu      sync.Mutex
	digests map[string]v1.Hash
}

func (l *ledger) add(ref string, digest v1.Hash) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.digests[ref] = digest
}

type crashServer struct {
	cmd  *exec.Cmd
	addr string
	done chan struct{}
	said *bytes.Buffer // what it logged, to be read when it is done
}

func startCrashServer(t *testing.T, data string, flags ...string) *crashServer {
	t.Helper()
	addrFile := filepath.Join(t.TempDir(), "addr")
	args := append([]string{"serve", "--data", data, "--listen", "127.0.0.1:0", "--addr-file", addrFile}, flags...)
	cmd := exec.Command("larder", args...)
	cmd.Env = append(os.Environ(), "LARDER_ADMIN_PASSWORD="+crashPassword)
	said := &bytes.Buffer{}
	cmd.Stderr = said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := &crashServer{cmd: cmd, done: make(chan struct{}), said: said}
	go func() { _ = cmd.Wait(); close(s.done) }()
	t.Cleanup(s.kill)
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		if b, err := os.ReadFile(addrFile); err == nil && len(b) > 0 {
			s.addr = strings.TrimSpace(string(b))
			return s
		}
		select {
		case <-s.done:
			t.Fatalf("larder serve ended before it was ready:\n%s", said.Bytes())
		default:
		}
	}
	t.Fatal("larder serve was not ready after 30 s")
	return nil
}

func (s *crashServer) kill() {
	_ = s.cmd.Process.Kill()
	<-s.done
}

func (s *crashServer) options(ctx context.Context) []remote.Option {
	return []remote.Option{
		remote.WithContext(ctx),
		remote.WithAuth(&authn.Basic{Username: "admin", Password: crashPassword}),
		remote.WithRetryBackoff(remote.Backoff{Steps: 1}),
	}
}

func (s *crashServer) ref(t *testing.T, path string) name.Tag {
	t.Helper()
	tag, err := name.NewTag(s.addr+"/"+path, name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	return tag
}

// pushUntilKilled runs eight clients that push and kills the server meanwhile.
func (s *crashServer) pushUntilKilled(t *testing.T, pushed *ledger, after time.Duration) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				path := fmt.Sprintf("kill/p%d:v%d-%d", i, n, rand.Uint32())
				image, err := random.Image(8<<10, 2)
				if err != nil {
					t.Error(err)
					return
				}
				if remote.Write(s.ref(t, path), image, s.options(ctx)...) == nil {
					digest, err := image.Digest()
					if err != nil {
						t.Error(err)
					}
					pushed.add(path, digest)
				}
			}
		})
	}
	time.Sleep(after)
	s.kill()
	cancel()
	wg.Wait()
}

// mustHold pulls a whole image and compares every digest.
func (s *crashServer) mustHold(t *testing.T, path string, want v1.Hash) {
	image, err := remote.Image(s.ref(t, path), s.options(context.Background())...)
	if err != nil {
		t.Errorf("%s was answered with 201 and is gone: %v", path, err)
		return
	}
	got, err := image.Digest()
	if err := errors.Join(err, validate.Image(image)); err != nil || got != want {
		t.Errorf("%s: digest %s, want %s: %v", path, got, want, err)
	}
}
