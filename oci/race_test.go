package oci

// Many clients at once.

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"larder/internal/wiretest"
	"larder/oci/manifest"
	"larder/store"
)

// together runs n functions at once and waits for them.
func together(n int, fn func(i int)) {
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			fn(i)
		})
	}
	close(start)
	wg.Wait()
}

// TestParallelPushesAllSucceed: many push the same digest to one repository and to others, and all succeed.
func TestParallelPushesAllSucceed(t *testing.T) {
	g := newRig(t)
	content := strings.Repeat("shared layer", 30<<10)
	d := digest.FromString(content)
	together(12, func(i int) {
		repo := fmt.Sprintf("app%d", i%3)
		loc := g.Ada("POST", "/v2/"+repo+"/blobs/uploads/", nil).Header.Get("Location")
		if a := g.Ada("PUT", loc+"?digest="+d.String(), content); a.Status != 201 {
			t.Errorf("%v", a)
		}
		if a := g.Ada("HEAD", "/v2/"+repo+"/blobs/"+d.String(), nil); a.Status != 200 {
			t.Errorf("after 201: %v", a)
		}
	})
	m := g.image("app0", "{}", "x")
	together(8, func(i int) {
		if a := g.put("app0", fmt.Sprintf("t%d", i), m); a.Status != 201 {
			t.Errorf("%v", a)
		}
	})
}

// TestUploadHasOneWriter: a second writer on a session is refused with 409, and not one byte of it gets in.
func TestUploadHasOneWriter(t *testing.T) {
	g := newRig(t)
	g.Srv.Client().Transport.(*http.Transport).ExpectContinueTimeout = time.Minute
	loc := g.session("app")
	body, w := io.Pipe()
	done := make(chan answer)
	go func() {
		r, err := http.NewRequest("PATCH", g.Srv.URL+loc, body)
		if err != nil {
			t.Error(err)
		}
		g.As("ada")(r)
		r.Header.Set("Expect", "100-continue")
		done <- g.Send(r)
	}()
	// The body is sent when the server asks for it, and it asks when the session is this request's.
	if _, err := w.Write([]byte("first")); err != nil {
		t.Fatal(err)
	}
	g.want(g.Ada("PATCH", loc, "second"), 409, codeUploadInvalid)
	g.want(g.Ada("PUT", loc+"?digest="+someDigest, nil), 409, codeUploadInvalid)
	g.want(g.Ada("DELETE", loc, nil), 409, codeUploadInvalid)
	g.want(g.Ada("GET", loc, nil), 204, "")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	g.want(<-done, 202, "")
	d := digest.FromString("first")
	g.want(g.Ada("PUT", loc+"?digest="+d.String(), nil), 201, "")
	g.pullable("app", d, "first")
}

// TestOneOfManyWritersWins: of many writers with one precondition exactly one wins.
func TestOneOfManyWritersWins(t *testing.T) {
	g := newRig(t)
	const n = 10
	manifests := make([]string, n)
	for i := range manifests {
		manifests[i] = g.image("app", "{}", fmt.Sprint("layer ", i))
	}
	for _, condition := range []func() option{
		func() option { return wiretest.Header("If-None-Match", "*") },
		func() option {
			return wiretest.Header("If-Match", g.Ada("HEAD", "/v2/app/manifests/v1", nil).Header.Get("ETag"))
		},
	} {
		o := condition()
		var won, lost atomic.Int32
		together(n, func(i int) {
			switch a := g.put("app", "v1", manifests[i], o); a.Status {
			case 201:
				won.Add(1)
			case 412:
				lost.Add(1)
			default:
				t.Errorf("%v", a)
			}
		})
		// With If-Match the writer whose manifest the tag already has changes nothing and may win as well.
		if won.Load() < 1 || won.Load() > 2 || won.Load()+lost.Load() != n {
			t.Errorf("%d won, %d lost", won.Load(), lost.Load())
		}
	}
}

// TestPushesDuringDeletesAndSweepsPull: clients that skip uploads after a HEAD, while tags are deleted and blobs swept.
// Every push that was answered with 201 pulls completely, at once.
func TestPushesDuringDeletesAndSweepsPull(t *testing.T) {
	clock := newClock()
	g := newRig(t, withClock(clock))
	m, d := g.push("app", "v0", "layer")
	parts := []string{"layer", `{"layer":"layer"}`}
	// A push may see the clock move by 40 minutes, not by the whole grace period: nobody promises that.
	var pace sync.RWMutex
	push := func(tag string) {
		pace.RLock()
		defer pace.RUnlock()
		for _, content := range parts {
			blob := digest.FromString(content)
			if g.Ada("HEAD", "/v2/app/blobs/"+blob.String(), nil).Status == 200 {
				continue
			}
			if a := g.Ada("POST", "/v2/app/blobs/uploads/?digest="+blob.String(), content); a.Status != 201 {
				t.Errorf("%v", a)
			}
		}
		a := g.put("app", tag, m)
		if a.Status != 201 {
			t.Errorf("push after HEAD: %v", a)
		}
	}
	var stop atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		for round := 1; !stop.Load(); round++ {
			g.Ada("DELETE", "/v2/app/manifests/"+d.String(), nil)
			clock.Advance(20 * 60e9)
			if _, err := g.Store.Sweep(context.Background(), store.SweepOptions{}); err != nil {
				t.Error(err)
			}
			if round%2 == 0 {
				func() { // those that began before the last two end first
					pace.Lock()
					defer pace.Unlock()
				}()
			}
		}
	})
	together(3, func(i int) {
		for j := range 15 {
			push(fmt.Sprintf("t%d-%d", i, j))
		}
	})
	stop.Store(true)
	wg.Wait()
	push("last")
	g.sweepAll(clock)
	g.serves("app", "last", m, manifest.TypeImage, d)
	for _, content := range parts {
		g.pullable("app", digest.FromString(content), content)
	}
}
