package upstream

// This file plays upstreams that want to make us do something.

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"larder/store"
)

// newImages is a rig whose upstream is a container registry with a password.
func newImages(t *testing.T, change func(*Config)) *rig {
	return newRig(t, func(o *Options) {
		c := &o.Upstreams[0]
		c.Kind, c.User, c.Password = store.OCI, "ada", "secret"
		c.URL = strings.TrimSuffix(c.URL, "/registry")
		change(c)
	})
}

// demands answers with a challenge until a token comes.
func demands(realm func() string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "Bearer right" {
			io.WriteString(w, "an image")
			return
		}
		w.Header().Set("WWW-Authenticate", `Bearer realm="`+realm()+`",service="registry"`)
		w.WriteHeader(http.StatusUnauthorized)
	}
}

func (g *rig) image() (*Document, error) {
	set := g.reg.Set(store.OCI, Protocol{})
	return set.Document(context.Background(), Query{Package: "team/app", Key: "tag", Ref: "v2/team/app/manifests/v1",
		Scope: "repository:team/app:pull", Fresh: time.Minute})
}

// TestTheRealmIsAttackersText: who answers for a registry writes where its tokens are. The password goes to the
// registry itself and to realms that the operator named; a realm elsewhere is asked without it, one inside is not
// asked at all.
func TestTheRealmIsAttackersText(t *testing.T) {
	for _, c := range []struct {
		name     string
		host     bool // the operator lets files come from there
		realm    bool // the operator named it as a realm
		password bool
		ok       bool
	}{
		{"neither named nor public", false, false, false, false},
		{"a host for files only", true, false, false, true},
		{"a realm of the operator's", false, true, true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			other, password := newOrigin(t), ""
			other.answer(func(w http.ResponseWriter, r *http.Request) {
				_, password, _ = r.BasicAuth()
				io.WriteString(w, `{"token":"right"}`)
			})
			g := newImages(t, func(conf *Config) {
				if c.host {
					conf.Hosts = []string{strings.TrimPrefix(other.URL, "http://")}
				}
				if c.realm {
					conf.Realms = []string{other.URL}
				}
			})
			g.origin.answer(demands(func() string { return other.URL + "/token" }))
			_, err := g.image()
			if (err == nil) != c.ok {
				t.Errorf("%v", err)
			}
			if (password == "secret") != c.password {
				t.Errorf("the realm was sent %q", password)
			}
			if asked := other.asked.Load() > 0; asked != c.ok {
				t.Errorf("the realm was asked %d times", other.asked.Load())
			}
		})
	}
}

// TestOwnRealmGetsThePasswordOnce: the registry's own realm gets the password, once for many requests.
func TestOwnRealmGetsThePasswordOnce(t *testing.T) {
	g := newImages(t, func(*Config) {})
	tokens := 0
	images := demands(func() string { return g.origin.URL + "/token" })
	g.origin.answer(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/token" {
			images(w, r)
			return
		}
		tokens++
		if user, password, _ := r.BasicAuth(); user != "ada" || password != "secret" {
			t.Errorf("asked as %q", user)
		}
		io.WriteString(w, `{"token":"right","expires_in":300}`)
	})
	for range 3 {
		if _, err := g.image(); err != nil {
			t.Fatal(err)
		}
		g.clock.Advance(65 * time.Second)
		g.set.Forget("team/app")
	}
	if tokens != 1 {
		t.Errorf("%d tokens were fetched", tokens)
	}
}

// TestTokensTakeTheSameWay: the operator's roots and client certificate are for token requests as well.
func TestTokensTakeTheSameWay(t *testing.T) {
	var tokens int
	var images http.HandlerFunc
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.TLS.PeerCertificates) != 1 {
			t.Errorf("%s came with %d certificates", r.URL.Path, len(r.TLS.PeerCertificates))
		}
		if r.URL.Path != "/token" {
			images(w, r)
			return
		}
		tokens++
		io.WriteString(w, `{"token":"right"}`)
	}))
	srv.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	srv.StartTLS()
	defer srv.Close()
	images = demands(func() string { return srv.URL + "/token" })
	dir := t.TempDir()
	der, err := x509.MarshalPKCS8PrivateKey(srv.TLS.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: srv.Certificate().Raw},
		"key.pem": {Type: "PRIVATE KEY", Bytes: der}} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	g := newImages(t, func(c *Config) {
		c.URL, c.CA, c.Cert, c.Key = srv.URL, filepath.Join(dir, "cert.pem"), filepath.Join(dir, "cert.pem"),
			filepath.Join(dir, "key.pem")
	})
	if _, err := g.image(); err != nil || tokens != 1 {
		t.Errorf("%v, %d tokens", err, tokens)
	}
}

// TestDocumentsReachNobodyInside: an address in a document, written in any way, leads to no machine near us, even
// when the registry itself is near, unless the operator named it.
func TestDocumentsReachNobodyInside(t *testing.T) {
	inside := newOrigin(t)
	inside.answer(answers("secret"))
	port := inside.URL[strings.LastIndexByte(inside.URL, ':'):]
	proxied := 0
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		proxied++
		io.WriteString(w, "secret")
	}))
	defer proxy.Close()
	for _, way := range []string{"", proxy.URL} {
		g := newRig(t, func(o *Options) {
			o.Upstreams[0].URL, o.Upstreams[0].Proxy = "http://registry.example.com", way
		})
		near := newRig(t)
		for _, host := range []string{"127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "169.254.169.254",
			"10.0.0.1", "100.64.0.1", "[fd00::1]", "[64:ff9b::7f00:1]"} {
			for name, set := range map[string]*Set{"public": g.set, "near": near.set} {
				_, err := set.File(context.Background(), FileQuery{Package: "demo", Key: host +
					name, Find: func(context.Context) (Place, error) {
					return Place{Upstream: set.list[0], Ref: "http://" + host + port + "/x"}, nil
				}})
				if !errors.Is(err, ErrElsewhere) {
					t.Errorf("%s, %s registry, by %q: %v", host, name, way, err)
				}
			}
		}
	}
	if n := inside.asked.Load(); n != 0 || proxied != 0 {
		t.Errorf("a server inside was asked %d times, and %d times by the proxy", n, proxied)
	}
}

// TestTheProxyItselfIsNotOpen: that the operator's proxy is near opens its own port only.
func TestTheProxyItselfIsNotOpen(t *testing.T) {
	inside := newOrigin(t)
	u, err := newUpstream(Config{Kind: store.NPM, URL: "http://registry.example.com", Proxy: "http://127.0.0.1:3128"},
		Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	dial := u.client.Transport.(*http.Transport).DialContext
	if c, err := dial(context.Background(), "tcp", strings.TrimPrefix(inside.URL, "http://")); !errors.Is(err,
		errAddress) {
		t.Errorf("%v %v", c, err)
	}
	if _, err := dial(context.Background(), "tcp", "127.0.0.1:3128"); errors.Is(err, errAddress) {
		t.Errorf("the proxy: %v", err)
	}
}

// TestNoSearchTellsAClaimedName: what is searched for may be a name that is ours.
func TestNoSearchTellsAClaimedName(t *testing.T) {
	g := newRig(t, func(o *Options) { o.Claims = []string{"npm:@acme/*", "npm:secret-*"} })
	for text, want := range map[string]bool{"left pad": true, "": true, "@acme/payments": false,
		"keywords:x secret-plan": false, "scope:@acme/x": false, "acme": true, `"secret-plan"`: false} {
		if got := g.set.MaySearch(context.Background(), text); got != want {
			t.Errorf("%q: %t", text, got)
		}
	}
	if (*Set)(nil).MaySearch(context.Background(), "x") {
		t.Error("without upstreams")
	}
}
