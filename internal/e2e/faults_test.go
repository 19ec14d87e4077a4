package e2e

// Real clients install through a copy whose upstream refuses, is odd, is slow or is in trouble, in all seven protocols.

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"larder/internal/miniclient"
)

// bend is what is wrong with an upstream while clients install from its copy.
type bend struct {
	what string
	way  bending
	// says is what clients are told when nothing can be installed; "": the installation succeeds all the same.
	says string
	// others, if set, are clients of the same copies. They go on until they are told to end.
	others func(t *testing.T, copies *miniclient.Server, all *stock) (end func())
}

func bends() []bend {
	held := &holding{begun: make(chan bool), release: make(chan struct{})}
	return []bend{
		{what: "401", way: answers(http.StatusUnauthorized, ""), says: "answered 401 to a request with"},
		{what: "403", way: answers(http.StatusForbidden, ""), says: "answered 403 to a request with"},
		{what: "an empty page", way: answers(http.StatusOK, ""), says: "answered an empty page"},
		{what: "a page to log in", way: answers(http.StatusOK, loginForm), says: "answered a web page"},
		{
			what: "a page to log in for each file", way: answersFiles(loginForm),
			says: "answered a web page instead of the file",
		},
		{what: "an empty page for each file", way: answersFiles(""), says: "answered an empty page"},
		{what: "everything encoded", way: encoded},
		{what: "no sums", way: withoutSums},
		{what: "no HEAD", way: withoutHEAD},
		{what: "a login for everything", way: withLogin},
		{what: "all of that", way: odd},
		{what: "a late first byte", way: late},
		{what: "a broken path", way: broken, others: hammer},
		{what: "slow transfers", way: held.slow, others: held.crowd},
	}
}

// stock is what an upstream has of each protocol.
type stock struct {
	addr   string
	venv   string           // an empty environment for clients of PyPI
	thing  map[string]noisy // by protocol
	broken map[string]noisy
	slow   map[string][]miniclient.Release
}

const slowTransfers = 16

// newStock publishes the releases of all protocols.
func newStock(t *testing.T) *stock {
	t.Helper()
	data := filepath.Join(t.TempDir(), "origin")
	server := startCrashServer(t, data)
	client := server.mini(t, data)
	s := &stock{
		addr: server.addr, thing: map[string]noisy{}, broken: map[string]noisy{}, slow: map[string][]miniclient.Release{},
	}
	for _, p := range miniclient.All() {
		publish := func(name string, size int) noisy {
			r := noisy{Release: miniclient.Release{Name: name, Version: "1.0.0"}, noise: make([]byte, size)}
			_, _ = rand.NewChaCha8([32]byte([]byte(fmt.Sprintf("%-32s", p.Kind+name)))).Read(r.noise) // never fails
			var err error
			if r.File, err = p.Make(name, r.Version, r.noise); err != nil {
				t.Fatal(err)
			}
			if a, err := p.Publish(t.Context(), client, r.Release); err != nil || a.Status/100 != 2 {
				t.Fatalf("publish %s %s: %v, %d %s", p.Kind, name, err, a.Status, a.Body)
			}
			return r
		}
		s.thing[p.Kind] = publish("thing", 300_000)
		s.broken[p.Kind] = publish("broken", 1000)
		for i := range slowTransfers {
			s.slow[p.Kind] = append(s.slow[p.Kind], publish(fmt.Sprintf("slow%d", i), 100_000).Release)
		}
	}
	s.venv = filepath.Join(t.TempDir(), "venv")
	if out, err := exec.Command("python3", "-m", "venv", "--without-pip", s.venv).CombinedOutput(); err != nil {
		without(t, "python3 with venv", fmt.Errorf("%w: %s", err, out))
	}
	return s
}

// TestRealClientsOfTroubledUpstreams: whatever can be survived is not noticed; whatever cannot is said in a sentence
// that names the upstream, and is over for the same client as soon as the upstream is well.
func TestRealClientsOfTroubledUpstreams(t *testing.T) {
	all := newStock(t)
	for _, b := range bends() {
		t.Run(b.what, func(t *testing.T) {
			t.Parallel()
			copies := newBentCopies(t, all, b)
			each := func(t *testing.T, try func(t *testing.T, c *installer, dir string)) {
				var clients sync.WaitGroup
				for i := range installers {
					c, dir := &installers[i], copies.dirs[installers[i].client]
					clients.Go(func() {
						t.Run(c.client, func(t *testing.T) {
							if _, err := exec.LookPath(c.client); err != nil {
								without(t, c.client, err)
							}
							try(t, c, dir)
						})
					})
				}
				clients.Wait()
			}
			end := func() {}
			if b.others != nil {
				end = b.others(t, copies.server, all)
			}
			if b.says == "" {
				each(t, copies.installed)
				end()
				return
			}
			each(t, func(t *testing.T, c *installer, dir string) { copies.refused(t, c, dir, b.says) })
			for _, v := range copies.ways {
				v.bend(nil)
			}
			t.Run("afterwards", func(t *testing.T) { each(t, copies.installed) })
		})
	}
}

// bentCopies is a server that keeps copies of the stock, by a way of its own for each protocol.
type bentCopies struct {
	server *miniclient.Server
	ways   map[string]*way
	dirs   map[string]string // of the clients
	all    *stock
}

func newBentCopies(t *testing.T, all *stock, b bend) *bentCopies {
	t.Helper()
	c := &bentCopies{ways: map[string]*way{}, dirs: map[string]string{}, all: all}
	var yaml strings.Builder
	yaml.WriteString("upstreams:\n")
	for _, p := range miniclient.All() {
		v := newWay(t, all.addr)
		v.bend(b.way)
		c.ways[p.Kind] = v
		fmt.Fprintf(&yaml, "  - {kind: %s, name: far-away, url: %q, user: ada, password: %s}\n", p.Kind, v.URL+p.Registry,
			bendPassword)
	}
	for _, client := range installers {
		c.dirs[client.client] = t.TempDir()
	}
	c.server = box(t, filepath.Join(t.TempDir(), "data"), yaml.String()).anonymous()
	return c
}

// installed installs, whatever is wrong with the upstream.
func (c *bentCopies) installed(t *testing.T, client *installer, dir string) {
	thing := c.all.thing[client.kind]
	out, err := client.install(t, dir, c.all.venv, c.server.Base, thing.Name)
	if has := client.has(t, dir, thing); err != nil || !has {
		t.Errorf("%s: %v, and the release is installed: %t, want success\n%s", client.client, err, has, out)
	}
}

// refused installs, which must fail with the sentence. Clients that do not show it were answered with it.
func (c *bentCopies) refused(t *testing.T, client *installer, dir, says string) {
	says = "far-away " + says
	thing := c.all.thing[client.kind]
	out, err := client.install(t, dir, c.all.venv, c.server.Base, thing.Name)
	if err == nil {
		t.Errorf("%s succeeds, want a failure that says %q\n%s", client.client, says, out)
	}
	if !client.shows {
		out = fmt.Sprint(protocol(t, client.kind).Read(t.Context(), c.server, "", thing.Release))
	}
	packed := func(s string) string { return strings.Join(strings.Fields(s), "") } // Composer breaks lines in words
	if !strings.Contains(packed(out), packed(says)) {
		t.Errorf("%s: want %q in\n%s", client.client, says, out)
	}
}

func protocol(t *testing.T, kind string) miniclient.Protocol {
	t.Helper()
	all := miniclient.All()
	i := slices.IndexFunc(all, func(p miniclient.Protocol) bool { return p.Kind == kind })
	if i < 0 {
		t.Fatalf("no protocol %s", kind)
	}
	return all[i]
}

// hammer asks for the broken file again and again.
func hammer(t *testing.T, copies *miniclient.Server, all *stock) (end func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var many sync.WaitGroup
	for _, p := range miniclient.All() {
		for range 4 {
			many.Go(func() {
				for ctx.Err() == nil {
					if p.Read(ctx, copies, "", all.broken[p.Kind].Release) == nil {
						t.Errorf("%s: the broken file came", p.Kind)
					}
				}
			})
		}
	}
	return func() {
		cancel()
		many.Wait()
	}
}

// holding holds files in their middle.
type holding struct {
	begun   chan bool
	release chan struct{}
}

// slow sends a byte of a slow file each second, and the rest when all are released.
func (h *holding) slow(w http.ResponseWriter, r *http.Request, pass http.Handler) {
	if !isFileOf(r, "slow") {
		pass.ServeHTTP(w, r)
		return
	}
	rec := whole(r, pass)
	body := rec.Body.Bytes()
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body[:1]) // a client that left fails its own check
	w.(http.Flusher).Flush()
	select {
	case h.begun <- true:
	case <-h.release:
	}
	for at := 1; at < len(body); at++ {
		select {
		case <-r.Context().Done():
			return
		case <-h.release:
			_, _ = w.Write(body[at:])
			return
		case <-time.After(time.Second):
			_, _ = w.Write(body[at : at+1])
			w.(http.Flusher).Flush()
		}
	}
}

// crowd reads all slow files and returns when all are on their way.
func (h *holding) crowd(t *testing.T, copies *miniclient.Server, all *stock) (end func()) {
	var readers sync.WaitGroup
	n := 0
	for _, p := range miniclient.All() {
		for _, each := range all.slow[p.Kind] {
			n++
			readers.Go(func() {
				if err := p.Read(t.Context(), copies, "", each); err != nil {
					t.Errorf("%s: a slow file: %v", p.Kind, err)
				}
			})
		}
	}
	for range n {
		select {
		case <-h.begun:
		case <-time.After(time.Minute):
			t.Fatal("a slow file was not asked for")
		}
	}
	return func() {
		close(h.release)
		readers.Wait()
	}
}
