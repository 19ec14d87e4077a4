package oci

// Copies of upstream registries, against an upstream that behaves like a large one.

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"larder/internal/wiretest"
	"larder/oci/manifest"
	"larder/store"
	"larder/store/storetest"
	"larder/upstream"
)

// hub is a registry as the big ones are: a token server of its own, blobs on a host for files, and it counts.
type hub struct {
	*rig                            // what it holds
	front, tokens, files            *httptest.Server
	heads, gets, blobs, tokensAsked atomic.Int64
	leaked                          atomic.Bool   // the host for files saw credentials
	status                          atomic.Int64  // what it answers instead, when not 0
	hold                            chan struct{} // if set, a blob's second half waits for it
	realm                           string        // instead of its own
	password                        atomic.Value  // what the token server was given
	refused                         atomic.Int64  // what the token server answers instead
}

func newHub(t *testing.T) *hub {
	h := &hub{rig: newRig(t)}
	target, err := url.Parse(h.Srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	pass := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		h.As("ada")(r.Out)
	}}
	h.files = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			h.leaked.Store(true)
		}
		h.blobs.Add(1)
		if h.hold == nil {
			pass.ServeHTTP(w, r)
			return
		}
		body := h.Ada("GET", r.URL.Path, nil).Body
		w.Header().Set("Content-Length", fmt.Sprint(len(body)))
		_, _ = io.WriteString(w, body[:len(body)/2])
		_ = http.NewResponseController(w).Flush()
		<-h.hold
		_, _ = io.WriteString(w, body[len(body)/2:])
	}))
	h.tokens = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.tokensAsked.Add(1)
		h.password.Store(r.Header.Get("Authorization"))
		if c := h.refused.Load(); c != 0 {
			w.WriteHeader(int(c))
			return
		}
		_ = json.NewEncoder(w).Encode(fields{"token": "t " + r.URL.Query().Get("scope"), "expires_in": 300})
	}))
	h.front = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		repo, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v2/"), "/manifests/")
		repo, _, _ = strings.Cut(repo, "/blobs/")
		repo, _, _ = strings.Cut(repo, "/referrers/")
		repo = strings.TrimSuffix(repo, "/tags/list")
		switch {
		case r.Header.Get("Authorization") != "Bearer t repository:"+repo+":pull":
			realm := h.realm
			if realm == "" {
				realm = h.tokens.URL + "/token"
			}
			w.Header().Set("WWW-Authenticate", `Bearer realm="`+realm+`",service="hub"`)
			w.WriteHeader(http.StatusUnauthorized)
		case h.status.Load() != 0:
			w.Header().Set("Retry-After", "60")
			w.WriteHeader(int(h.status.Load()))
		case strings.Contains(r.URL.Path, "/blobs/"):
			http.Redirect(w, r, h.files.URL+r.URL.Path, http.StatusTemporaryRedirect)
		default:
			if strings.Contains(r.URL.Path, "/manifests/") {
				map[string]*atomic.Int64{"HEAD": &h.heads, "GET": &h.gets}[r.Method].Add(1)
			}
			pass.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(h.close)
	return h
}

// close switches everything off.
func (h *hub) close() {
	h.front.Close()
	h.tokens.Close()
	h.files.Close()
}

func (h *hub) config() upstream.Config {
	return upstream.Config{Kind: store.OCI, Name: "hub", URL: h.front.URL, User: "robot", Password: "secret",
		Hosts: []string{hostOf(h.files.URL), hostOf(h.tokens.URL)}}
}

func hostOf(address string) string { return strings.TrimPrefix(address, "http://") }

// newCopy opens a registry that keeps copies of h, on a clock that stands still.
func newCopy(t *testing.T, h *hub, change ...func(*upstream.Config)) (*rig, *storetest.Clock) {
	t.Helper()
	clock, conf := storetest.NewClock(), h.config()
	for _, f := range change {
		f(&conf)
	}
	return newRig(t, func(o *rigOptions) {
		o.WithClock(clock)
		o.Upstreams = &upstream.Options{Upstreams: []upstream.Config{conf}, Now: clock.Now}
	}), clock
}

// TestCopiesOutliveTheirUpstream: what was pulled once is pulled again with registry, token server and file host all
// gone, by tag, by digest and as a blob; a tag is looked at with HEAD, which the big ones do not count.
func TestCopiesOutliveTheirUpstream(t *testing.T) {
	h := newHub(t)
	image, id := h.push("library/app", "v1", "layer")
	g, clock := newCopy(t, h)
	byTag, byDigest := "/v2/hub/library/app/manifests/v1", "/v2/hub/library/app/manifests/"+id.String()
	blob := "/v2/hub/library/app/blobs/" + digest.FromString("layer").String()
	for _, path := range []string{byTag, blob} {
		g.want(g.Ada("GET", path, nil), 200, "")
	}
	if h.leaked.Load() {
		t.Error("the host for files was given credentials")
	}
	gets := h.gets.Load()
	clock.Advance(2 * freshTag)
	g.want(g.Ada("GET", byTag, nil), 200, "").WantExactly(t, image)
	if h.heads.Load() == 0 || h.gets.Load() != gets {
		t.Errorf("the tag was looked at again with %d HEAD and %d GET, want HEAD alone", h.heads.Load(), h.gets.Load()-gets)
	}
	h.close()
	clock.Advance(24 * time.Hour)
	a := g.want(g.Ada("GET", byTag, nil), 200, "").WantExactly(t, image)
	if w := a.Header.Get("Warning"); !strings.HasPrefix(w, "299 ") {
		t.Errorf("by tag: the warning is %q, want one", w)
	}
	g.want(g.Ada("GET", byDigest, nil), 200, "").WantExactly(t, image).WantHeader(t, "Warning", "")
	g.want(g.Ada("GET", blob, nil), 200, "").WantExactly(t, "layer")
	if a := g.want(g.Ada("GET", "/v2/hub/library/app/manifests/v2", nil), 503, ""); a.Header.Get("Retry-After") == "" {
		t.Errorf("never pulled: no Retry-After in %v", a)
	}
}

// TestColdPullsAreOneFetch: many cold pulls are one of the upstream's, and each has its first byte before the upstream
// has sent its last.
func TestColdPullsAreOneFetch(t *testing.T) {
	const size, readers = 4 << 20, 20
	h := newHub(t)
	h.hold = make(chan struct{})
	layer := h.blob("app", strings.Repeat("x", size))
	g, _ := newCopy(t, h)
	var begun, done sync.WaitGroup
	begun.Add(readers)
	for range readers {
		done.Go(func() {
			r, err := http.NewRequest("GET", g.Srv.URL+"/v2/hub/app/blobs/"+layer.String(), nil)
			if err != nil {
				t.Error(err)
				return
			}
			g.As("ada")(r)
			resp, err := g.Srv.Client().Do(r)
			if err != nil {
				begun.Done()
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			_, err = io.ReadFull(resp.Body, make([]byte, 1))
			begun.Done()
			n, err2 := io.Copy(io.Discard, resp.Body)
			if err != nil || err2 != nil || n != size-1 {
				t.Errorf("%d bytes: %v %v", n, err, err2)
			}
		})
	}
	begun.Wait()
	close(h.hold)
	done.Wait()
	if n := h.blobs.Load(); n != 1 {
		t.Errorf("the upstream was asked %d times, want once", n)
	}
}

// TestUpstreamThatAsksForRestIsLeftAlone: a registry that says "too many" is left alone until its own time, and its
// tags go on from here.
func TestUpstreamThatAsksForRestIsLeftAlone(t *testing.T) {
	h := newHub(t)
	image, _ := h.push("app", "v1", "layer")
	g, clock := newCopy(t, h)
	g.want(g.Ada("GET", "/v2/hub/app/manifests/v1", nil), 200, "")
	clock.Advance(2 * freshTag)
	h.status.Store(http.StatusTooManyRequests)
	asked := g.Deps.Upstreams.Set(store.OCI, upstream.Protocol{}).Upstreams()[0]
	before := asked.Counts.Requests.Load()
	for range 50 {
		g.want(g.Ada("GET", "/v2/hub/app/manifests/v1", nil), 200, "").WantExactly(t, image)
	}
	if n := asked.Counts.Requests.Load() - before; n > 3 {
		t.Errorf("%d requests to a registry that asked for rest, want at most 3", n)
	}
}

// TestPasswordGoesToNamedRealmsOnly: whoever answers in a registry's place names a realm of his own. The password does
// not go there, and a realm on an address nobody named is not even dialled (CVE-2026-12566).
func TestPasswordGoesToNamedRealmsOnly(t *testing.T) {
	for name, tt := range map[string]struct {
		change       func(*upstream.Config, string)
		status       int
		asked, basic bool
	}{
		"nobody named it":          {func(c *upstream.Config, realm string) { c.Hosts = c.Hosts[:1] }, 502, false, false},
		"named as a host of files": {func(c *upstream.Config, realm string) {}, 200, true, false},
		"named as a realm":         {func(c *upstream.Config, realm string) { c.Realms = []string{realm} }, 200, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHub(t)
			h.push("app", "v1", "layer")
			g, _ := newCopy(t, h, func(c *upstream.Config) { tt.change(c, h.tokens.URL) })
			g.want(g.Ada("GET", "/v2/hub/app/manifests/v1", nil), tt.status, "")
			if asked := h.tokensAsked.Load() > 0; asked != tt.asked {
				t.Errorf("the realm was asked: %t, want %t", asked, tt.asked)
			}
			if got, _ := h.password.Load().(string); strings.HasPrefix(got, "Basic ") != tt.basic {
				t.Errorf("the realm was given %q, want a password: %t", got, tt.basic)
			}
		})
	}
}

// TestTokenServerInTroubleIsNoNotFound: a token server that refuses or is in trouble is neither "not found" nor a
// reason to go on without a token (GHSA-2v5f).
func TestTokenServerInTroubleIsNoNotFound(t *testing.T) {
	for status, want := range map[int]int{401: 403, 403: 403, 429: 503, 500: 503} {
		h := newHub(t)
		h.push("app", "v1", "layer")
		h.refused.Store(int64(status))
		g, _ := newCopy(t, h)
		if a := g.want(g.Ada("GET", "/v2/hub/app/manifests/v1", nil), want, ""); strings.Contains(a.Body, h.tokens.URL) {
			t.Errorf("%d: the address of the token server is in %v", status, a)
		}
		if n := h.gets.Load(); n != 0 {
			t.Errorf("%d: the registry was asked %d times without a token", status, n)
		}
	}
}

// TestNamesOfUpstreamRepositories: the three ways to name an upstream's repository, and what the upstream is asked for.
func TestNamesOfUpstreamRepositories(t *testing.T) {
	h := newHub(t)
	image, _ := h.push("team/app", "v1", "layer")
	g, _ := newCopy(t, h)
	for _, path := range []string{
		"/v2/hub/team/app/manifests/v1", "/v2/team/app/manifests/v1?ns=" + strings.ToUpper(hostOf(h.front.URL)),
		"/v2/team/app/manifests/v1?ns=hub", "/v2/team/app/manifests/v1",
	} {
		_, ns, _ := strings.Cut(path, "?ns=")
		g.want(g.Ada("GET", path, nil), 200, "").WantExactly(t, image).WantHeader(t, "OCI-Namespace", ns)
	}
	for address, want := range map[string]string{
		"https://registry-1.docker.io": "library/alpine", "https://registry.example.com": "alpine",
	} {
		reg, err := upstream.New(
			g.Store, nil, upstream.Options{Upstreams: []upstream.Config{{Kind: store.OCI, Name: "other", URL: address}}},
		)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(reg.Close)
		u := reg.Set(store.OCI, upstream.Protocol{}).Upstreams()[0]
		if got := sourceAt(u, "alpine").path; got != want {
			t.Errorf("alpine is %s at %s, want %s", got, address, want)
		}
		if got := sourceAt(u, "library/alpine").path; got != "library/alpine" {
			t.Errorf("library/alpine is %s at %s", got, address)
		}
	}
}

// TestCopiesCannotBePushedTo: copies cannot be pushed to, nor may a push hide a name of the upstream.
func TestCopiesCannotBePushedTo(t *testing.T) {
	h := newHub(t)
	h.push("team/app", "v1", "layer")
	g, _ := newCopy(t, h)
	g.want(g.Ada("POST", "/v2/hub/team/app/blobs/uploads/", nil), 405, codeUnsupported)
	asImage := wiretest.Header("Content-Type", manifest.TypeImage)
	g.want(g.Ada("PUT", "/v2/hub/team/app/manifests/v1", "{}", asImage), 405, codeUnsupported)
	g.want(g.Ada("POST", "/v2/team/app/blobs/uploads/", nil), 403, codeDenied)
	g.want(g.Ada("POST", "/v2/mine/app/blobs/uploads/", nil), 202, "")
}

// TestListsOfAnUpstream: tags page by page, and what refers to an image, be it listed by the registry's own API or only
// by a tag.
func TestListsOfAnUpstream(t *testing.T) {
	h := newHub(t)
	_, subject := h.push("app", "v1", "layer")
	h.push("app", "v2", "layer")
	h.push("app", "v3", "layer")
	g, _ := newCopy(t, h)
	a := g.want(g.Ada("GET", "/v2/hub/app/tags/list?n=2", nil), 200, "").WantBody(t, `"v1","v2"`)
	next := nextOf(t, a)
	if !strings.HasPrefix(next, "/v2/hub/app/tags/list?") {
		t.Errorf("the next page is %s, want one of this registry", next)
	}
	g.want(g.Ada("GET", next, nil), 200, "").WantBody(t, `["v3"]`)
	g.want(g.Ada("GET", "/v2/hub/app/referrers/"+subject.String(), nil), 200, "").WantBody(t, `"manifests":[]`)
}
