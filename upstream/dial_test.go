package upstream

// Where we may connect to, and how we know who answers.

import (
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"larder/store"
)

func TestAddressesOfTheInternet(t *testing.T) {
	for text, want := range map[string]bool{
		"8.8.8.8": true, "93.184.216.34": true, "2606:4700::1111": true,
		"127.0.0.1": false, "10.1.2.3": false, "172.16.0.1": false, "192.168.1.1": false, "169.254.169.254": false,
		"100.64.0.1": false, "0.0.0.0": false, "192.0.2.7": false, "198.18.0.1": false, "224.0.0.1": false,
		"240.0.0.1": false, "255.255.255.255": false, "::": false, "::1": false, "fe80::1": false, "fd00::1": false,
		"ff02::1": false, "2001:db8::1": false, "64:ff9b::7f00:1": false, "2002:7f00:1::": false,
		"::ffff:127.0.0.1": false, "::ffff:8.8.8.8": true,
	} {
		if got := public(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s is public: %t, want %t", text, got, want)
		}
	}
}

func TestHostPatterns(t *testing.T) {
	for _, c := range []struct {
		pattern, host string
		want          bool
	}{
		{"files.example.com", "files.example.com", true},
		{"files.example.com", "FILES.example.com", true},
		{"files.example.com", "example.com", false},
		{"*.example.com", "a.example.com", true},
		{"*.example.com", "a.b.EXAMPLE.com", true},
		{"*.example.com", "example.com", false},
		{"*.example.com", ".example.com", false},
		{"*.example.com", "badexample.com", false},
		{"*.example.com", "example.com.evil.net", false},
	} {
		if got := hostMatches(c.pattern, c.host); got != c.want {
			t.Errorf("%s matches %s: %t, want %t", c.pattern, c.host, got, c.want)
		}
	}
}

func TestHostsThatNameAPrivateAddress(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "registry.localhost": true, "127.0.0.1": true, "10.0.0.1": true, "::1": true,
		"registry.example.com": false, "8.8.8.8": false, "notlocalhost": false,
	} {
		if got := namesPrivate(host); got != want {
			t.Errorf("%s names a private address: %t, want %t", host, got, want)
		}
	}
}

// TestRegistryOverTLSMustBeKnown asks one whose certificate nobody signed, without its root and with it.
func TestRegistryOverTLSMustBeKnown(t *testing.T) {
	t.Parallel()
	srv := httptest.NewUnstartedServer(answers("secret"))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0) // the client that does not know it says so
	srv.StartTLS()
	defer srv.Close()
	roots := filepath.Join(t.TempDir(), "roots.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
	if err := os.WriteFile(roots, text, 0o600); err != nil {
		t.Fatal(err)
	}
	stranger := newRig(t, func(o *Options) { o.Upstreams[0].URL = srv.URL })
	if _, got, err := stranger.doc("demo"); !errors.Is(err, ErrUnavailable) {
		t.Errorf("without its root: %q, %v, want ErrUnavailable", got, err)
	}
	known := newRig(t, func(o *Options) { o.Upstreams[0].URL, o.Upstreams[0].CA = srv.URL, roots })
	if _, got, err := known.doc("demo"); err != nil || got != "secret" {
		t.Errorf("with its root: %q, %v", got, err)
	}
}

func TestFilesOfCertificatesMustBeReadable(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text.pem")
	if err := os.WriteFile(text, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		config Config
		want   string
	}{
		{Config{CA: filepath.Join(dir, "absent.pem")}, "read CA"},
		{Config{CA: text}, "has no certificate in PEM form"},
		{Config{Cert: text, Key: text}, "read client certificate"},
	} {
		if _, err := c.config.tls(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.config, err, c.want)
		}
	}
}

// TestConfiguredProxyIsUsed: the registry itself is never connected to.
func TestConfiguredProxyIsUsed(t *testing.T) {
	proxy := newOrigin(t)
	proxy.answer(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Host != "registry.example.com" {
			t.Errorf("the proxy is asked for %s", r.URL)
		}
		_, _ = w.Write([]byte("by proxy")) // a client that left fails its own check
	})
	g := newRig(t, func(o *Options) {
		o.Upstreams[0] = Config{Kind: store.NPM, Name: "main", URL: "http://registry.example.com", Proxy: proxy.URL}
	})
	if _, got, err := g.doc("demo"); err != nil || got != "by proxy" {
		t.Errorf("%q, %v, want what the proxy answered", got, err)
	}
}

// TestPrivateOpensTheNamedHostsOnly: an upstream that may be near reaches its own host and those in Hosts.
func TestPrivateOpensTheNamedHostsOnly(t *testing.T) {
	files, other := newOrigin(t), newOrigin(t)
	files.answer(answers("file"))
	other.answer(answers("secret"))
	g := newRig(t, func(o *Options) { o.Upstreams[0].Hosts = []string{strings.TrimPrefix(files.URL, "http://")} })
	u := g.set.list[0]
	resp, err := u.do(t.Context(), request{ref: files.URL + "/x"})
	if err != nil {
		t.Fatalf("the host that is named: %v", err)
	}
	drop(resp)
	if _, err := u.do(t.Context(), request{ref: other.URL + "/x"}); !errors.Is(err, ErrElsewhere) ||
		other.asked.Load() != 0 {
		t.Errorf("one that is not: %v, asked %d times, want ErrElsewhere and none", err, other.asked.Load())
	}
}
