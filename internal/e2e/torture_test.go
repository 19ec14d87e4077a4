package e2e

// The server is killed again and again under a mixed load of all seven protocols, with and without free space on its
// disk. What it acknowledged as stored must be there afterwards, and what it acknowledged as deleted must not.

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"larder/internal/miniclient"
)

const (
	loadWorkers   = 6
	foldersFor    = 100 // kills of one data folder: then it is read as a whole, and a new one begins
	checkedEvery  = 20  // kills between two larder check --deep
	sampleAfter   = 40  // older facts of each worker that are looked at after each restart
	tornReleases  = 4   // versions of one name
	upstreamStock = 3   // releases of each kind to fetch from the upstream
)

// fact is what a client knows about one release or one token. possible are the states that it may be in: several after
// a request that was never answered; nil means that it does not exist.
type fact struct {
	p        miniclient.Protocol
	possible []*miniclient.Release
	was      *miniclient.Release // what it was before it was taken back

	token, id string // of a token instead
	live      []bool
}

// torture is one series of kills.
type torture struct {
	t      *testing.T
	dir    string
	data   string
	yaml   string
	origin *crashServer
	auth   string
	stock  []fact // what the upstream has; each has one state
	full   bool   // the disk fills up: refusals for want of room are no fault
	crowd  func() // fills it

	workers [loadWorkers]worker
	answers atomic.Int64 // writes that were answered
	refused sync.Map     // status → *atomic.Int64: writes that were refused
	noRoom  int          // how often a system call said so
	reads   atomic.Int64 // releases read whole in between
}

// worker is a client with its own names and facts.
type worker struct {
	n     int
	serie int
	facts []*fact
	fresh []*fact // touched since the last restart
}

func newTorture(t *testing.T, dir string, more string) *torture {
	t.Helper()
	k := &torture{t: t, dir: dir}
	data := filepath.Join(t.TempDir(), "origin")
	k.origin = startCrashServer(t, data)
	client := k.origin.mini(t, data)
	for n := range upstreamStock {
		for kind, r := range publishAll(t, client, fmt.Sprintf("stock%d", n), "1.0.0") {
			for _, p := range miniclient.All() {
				if p.Kind == kind {
					k.stock = append(k.stock, fact{p: p, possible: []*miniclient.Release{&r}})
				}
			}
		}
	}
	k.yaml = more + upstreamsYAML("up", "http://"+k.origin.addr)
	return k
}

// killed runs the load on a server and kills it after a moment, which may be before it is ready.
func (k *torture) killed(round int) {
	k.t.Helper()
	if round%foldersFor == 0 {
		k.begin(round)
	}
	if rand.IntN(10) == 0 {
		k.killAtStart()
	}
	s := box(k.t, k.data, k.yaml)
	client := k.client(s)
	k.verify(client, round, false)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for i := range k.workers {
		wg.Go(func() {
			w := &k.workers[i]
			w.serie++
			for ctx.Err() == nil && !k.t.Failed() {
				k.step(ctx, client, i, w)
			}
		})
	}
	time.Sleep(time.Duration(20+rand.IntN(500)) * time.Millisecond)
	if k.crowd != nil {
		k.crowd()
		time.Sleep(time.Duration(20+rand.IntN(200)) * time.Millisecond)
	}
	s.kill()
	cancel()
	wg.Wait()
	k.noRoom += bytes.Count(s.said.Bytes(), []byte(unix.ENOSPC.Error()))
}

// begin makes a new data folder, with the token that all clients use.
func (k *torture) begin(round int) {
	k.t.Helper()
	k.data = filepath.Join(k.dir, fmt.Sprintf("data%d", round))
	k.workers = [loadWorkers]worker{}
	s := box(k.t, k.data, k.yaml)
	k.auth = s.mini(k.t, k.data).Auth
	s.stop(k.t)
}

func (k *torture) killAtStart() {
	k.t.Helper()
	cmd := exec.Command("larder", "serve", "--data", k.data, "--listen", "127.0.0.1:0")
	if err := cmd.Start(); err != nil {
		k.t.Fatal(err)
	}
	time.Sleep(time.Duration(rand.IntN(60)) * time.Millisecond)
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
}

// client returns a server for the load and the checks.
func (k *torture) client(s *crashServer) *miniclient.Server {
	transport := &http.Transport{MaxIdleConnsPerHost: loadWorkers}
	k.t.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: transport, Timeout: time.Minute}
	return &miniclient.Server{Base: "http://" + s.addr, Auth: k.auth, HTTP: client}
}

// admin returns the server behind the socket in the data folder.
func (k *torture) admin() *miniclient.Server {
	socket := filepath.Join(k.data, "admin.sock")
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}
	transport := &http.Transport{DisableKeepAlives: true, DialContext: dial}
	client := &http.Client{Timeout: time.Minute, Transport: transport}
	return &miniclient.Server{Base: "http://larder/api/v1", HTTP: client}
}

// tell sends JSON to the admin API.
func (k *torture) tell(ctx context.Context, method, path, body string) (miniclient.Answer, error) {
	return k.admin().Do(ctx, method, path, []byte(body), "Content-Type", "application/json")
}

// step sends one random request of a client.
func (k *torture) step(ctx context.Context, c *miniclient.Server, i int, w *worker) {
	switch dice := rand.IntN(100); {
	case dice < 55 || len(w.facts) == 0:
		k.publish(ctx, c, i, w)
	case dice < 65:
		k.overwrite(ctx, c, w)
	case dice < 75:
		k.withdraw(ctx, c, w)
	case dice < 80:
		k.token(ctx, w)
	case dice < 90:
		k.fetch(ctx, c)
	case dice < 91:
		p := miniclient.All()[rand.IntN(7)]
		// The answer does not matter: files can be fetched whether they were purged or not.
		_, _ = k.tell(ctx, http.MethodPost, "/upstreams/purge", fmt.Sprintf(`{"kind":%q,"package":"*"}`, p.Kind))
	default:
		f := w.facts[rand.IntN(len(w.facts))]
		if len(f.possible) == 1 && f.possible[0] != nil {
			k.report(f.p.Read(ctx, c, "", *f.possible[0]))
		}
	}
}

// report fails the test for an error that no kill explains. A missing answer is expected here.
func (k *torture) report(err error) {
	switch {
	case err == nil:
		k.reads.Add(1)
	case errors.Is(err, miniclient.ErrOtherBytes), errors.Is(err, miniclient.ErrNotListed):
		k.t.Error(err)
	case errors.Is(err, miniclient.ErrStatus) && !k.full:
		k.t.Error(err)
	}
}

// write sends a change. Before and after that it records the states that the fact may be in; done is the new one.
func (k *torture) write(w *worker, f *fact, done *miniclient.Release, send func() (miniclient.Answer, error)) {
	before := f.possible
	f.possible = append(append([]*miniclient.Release{}, before...), done)
	w.fresh = append(w.fresh, f)
	a, err := send()
	switch {
	case err != nil: // nobody knows
	case a.Status/100 == 2:
		f.possible = []*miniclient.Release{done}
		k.answers.Add(1)
	case a.Status < 500 || a.Status == http.StatusInsufficientStorage:
		k.refuse(a.Status)
		if !k.full {
			k.t.Errorf("%s %s %s: %d %.300s", f.p.Kind, w.name(0), verOf(done), a.Status, a.Body)
		}
		if f.p.Kind != "maven" { // its releases are put file by file
			f.possible = before
		}
	default:
		k.refuse(a.Status)
		if !k.full || a.Status != http.StatusServiceUnavailable {
			k.t.Errorf("%s: %d %.300s", f.p.Kind, a.Status, a.Body)
		}
	}
}

func (k *torture) refuse(status int) {
	n, _ := k.refused.LoadOrStore(status, new(atomic.Int64))
	n.(*atomic.Int64).Add(1)
}

// summary returns the numbers of a series.
func (k *torture) summary(n int) string {
	refused := map[int]int64{}
	k.refused.Range(func(status, n any) bool {
		refused[status.(int)] = n.(*atomic.Int64).Load()
		return true
	})
	return fmt.Sprintf("%d kills, %d writes answered; refused by status %v, %d times %q in the log, %d releases read",
		n, k.answers.Load(), refused, k.noRoom, unix.ENOSPC.Error(), k.reads.Load())
}

func verOf(r *miniclient.Release) string {
	if r == nil {
		return "taken back"
	}
	return r.Name + " " + r.Version
}

func (w *worker) name(i int) string {
	return fmt.Sprintf("w%ds%dn%d", i, w.serie, w.n/(7*tornReleases))
}

// publish publishes the next release of a worker's names.
func (k *torture) publish(ctx context.Context, c *miniclient.Server, i int, w *worker) {
	p := miniclient.All()[w.n%7]
	r := &miniclient.Release{Name: w.name(i), Version: fmt.Sprintf("1.0.%d", w.n/7%tornReleases)}
	w.n++
	if !k.make(p, r) {
		return
	}
	f := &fact{p: p, possible: []*miniclient.Release{nil}}
	w.facts = append(w.facts, f)
	k.write(w, f, r, func() (miniclient.Answer, error) { return p.Publish(ctx, c, *r) })
}

func (k *torture) make(p miniclient.Protocol, r *miniclient.Release) bool {
	pad := make([]byte, 100+rand.IntN(6000))
	for i := range pad {
		pad[i] = byte(rand.Uint32())
	}
	var err error
	if r.File, err = p.Make(r.Name, r.Version, pad); err != nil {
		k.t.Error(err)
	}
	return err == nil
}

// pick returns a release that certainly exists, of a protocol if kind is not "", whose name gets no more releases.
func (w *worker) pick(kind string) *fact {
	for range 20 {
		f := w.facts[rand.IntN(len(w.facts))]
		if f.id == "" && (kind == "" || f.p.Kind == kind) && len(f.possible) == 1 && f.possible[0] != nil {
			return f
		}
	}
	return nil
}

// overwrite moves an image's tag to another image.
func (k *torture) overwrite(ctx context.Context, c *miniclient.Server, w *worker) {
	f := w.pick("oci")
	if f == nil {
		return
	}
	r := *f.possible[0]
	if k.make(f.p, &r) {
		k.write(w, f, &r, func() (miniclient.Answer, error) { return f.p.Publish(ctx, c, r) })
	}
}

func (k *torture) withdraw(ctx context.Context, c *miniclient.Server, w *worker) {
	f := w.pick("")
	if f == nil || strings.HasSuffix(f.possible[0].Name, fmt.Sprint("n", w.n/(7*tornReleases))) {
		return // its name is still published to
	}
	r := *f.possible[0]
	f.was = &r
	k.write(w, f, nil, func() (miniclient.Answer, error) { return f.p.Withdraw(ctx, c, r) })
}

// token makes a token, or revokes one.
func (k *torture) token(ctx context.Context, w *worker) {
	for _, f := range w.facts {
		if f.id != "" && len(f.live) == 1 && f.live[0] && rand.IntN(2) == 0 {
			f.live = []bool{true, false}
			w.fresh = append(w.fresh, f)
			a, err := k.admin().Do(ctx, http.MethodDelete, "/tokens/"+f.id, nil)
			if err == nil && a.Status/100 == 2 {
				f.live = []bool{false}
				k.answers.Add(1)
			}
			return
		}
	}
	a, err := k.tell(ctx, http.MethodPost, "/tokens", `{"user":"admin","name":"torn"}`)
	if err != nil || a.Status/100 != 2 {
		return
	}
	var created struct{ ID, Token string }
	if err := json.Unmarshal(a.Body, &created); err != nil {
		k.t.Error(err)
		return
	}
	f := &fact{id: created.ID, token: created.Token, live: []bool{true}}
	w.facts, w.fresh = append(w.facts, f), append(w.fresh, f)
	k.answers.Add(1)
}

// fetch reads a release of the upstream through the server.
func (k *torture) fetch(ctx context.Context, c *miniclient.Server) {
	f := k.stock[rand.IntN(len(k.stock))]
	k.report(f.p.Read(ctx, c, prefixFor(f.p, "up/"), *f.possible[0]))
}

// verify checks the facts that were touched last and some older ones, or all.
func (k *torture) verify(c *miniclient.Server, round int, all bool) {
	k.t.Helper()
	var wg sync.WaitGroup
	for i := range k.workers {
		wg.Go(func() {
			w := &k.workers[i]
			look := w.fresh
			w.fresh = nil
			if all {
				look = w.facts
			}
			for range min(sampleAfter, len(w.facts)) {
				look = append(look, w.facts[rand.IntN(len(w.facts))])
			}
			for _, f := range look {
				if err := f.settle(c); err != nil {
					k.t.Errorf("after kill %d: %v", round, err)
				}
			}
		})
	}
	wg.Wait()
	if k.t.Failed() {
		k.t.FailNow()
	}
}

// settle finds out which of its possible states a fact is in. It is an error if that is none of them.
func (f *fact) settle(c *miniclient.Server) error {
	ctx := context.Background()
	if f.id != "" {
		return f.settleToken(c)
	}
	var last error
	gone := false
	for _, r := range f.possible {
		if r == nil {
			gone = true
			continue
		}
		err := f.p.Read(ctx, c, "", *r)
		if err == nil {
			f.possible = []*miniclient.Release{r}
			return nil
		}
		if last == nil || !errors.Is(err, miniclient.ErrNotListed) {
			last = err
		}
	}
	switch {
	case len(f.possible) == 0:
		return nil // nobody knows, nor was told
	case len(f.possible) == 1 && gone:
		return f.settleGone(c)
	case gone && errors.Is(last, miniclient.ErrNotListed):
		f.possible = nil // half of it may be there, and be completed
		return nil
	}
	return fmt.Errorf("of %d possible states none is there: %w", len(f.possible), last)
}

// settleGone checks that a withdrawn release is not listed.
func (f *fact) settleGone(c *miniclient.Server) error {
	if f.was == nil {
		return nil // it was refused
	}
	if _, err := f.p.Listed(context.Background(), c, "", *f.was); !errors.Is(err, miniclient.ErrNotListed) {
		return fmt.Errorf("%s %s %s was taken back, asking for it says %v", f.p.Kind, f.was.Name, f.was.Version, err)
	}
	return nil
}

func (f *fact) settleToken(c *miniclient.Server) error {
	as := *c
	as.Auth = "Bearer " + f.token
	a, err := as.Do(context.Background(), http.MethodGet, "/npm/-/whoami", nil)
	if err != nil {
		return err
	}
	live := a.Status == http.StatusOK
	for _, may := range f.live {
		if may == live {
			f.live = []bool{live}
			return nil
		}
	}
	return fmt.Errorf("token %s answers %d, want one of %v: %.200s", f.id, a.Status, f.live, a.Body)
}

// check runs larder check --deep on the data folder after the kill.
func (k *torture) check(round int) {
	k.t.Helper()
	if out, err := exec.Command("larder", "check", "--deep", "--data", k.data).CombinedOutput(); err != nil {
		k.t.Fatalf("after kill %d: check --deep: %v\n%s", round, err, out)
	}
}

// end reads everything again at the end of a series.
func (k *torture) end(round int) {
	k.t.Helper()
	k.check(round)
	s := box(k.t, k.data, k.yaml)
	k.verify(k.client(s), round, true)
	for _, f := range k.stock {
		if err := f.p.Read(context.Background(), s.anonymous(), prefixFor(f.p, "up/"), *f.possible[0]); err != nil {
			k.t.Errorf("after kill %d: a copy: %v", round, err)
		}
	}
	s.stop(k.t)
}

// kills returns the number of kills from the environment, few if it is not set.
func kills(name string, few int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return few
}

// TestKillUnderMixedLoad ends the server with SIGKILL at random instants. LARDER_KILLS is the number of kills.
func TestKillUnderMixedLoad(t *testing.T) {
	n := kills("LARDER_KILLS", 4)
	k := newTorture(t, t.TempDir(), "")
	for round := range n {
		k.killed(round)
		last := round == n-1 || (round+1)%foldersFor == 0
		if round%checkedEvery == checkedEvery-1 && !last {
			k.check(round)
		}
		if last {
			k.end(round)
		}
	}
	t.Log(k.summary(n))
}
