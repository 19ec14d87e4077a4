package wire

// The address clients use, behind proxies that count and proxies that do not.

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
)

func proxies(t *testing.T, cidrs ...string) []netip.Prefix {
	t.Helper()
	var list []netip.Prefix
	for _, c := range cidrs {
		list = append(list, netip.MustParsePrefix(c))
	}
	return list
}

func TestBaseWalk(t *testing.T) {
	const proxy, stranger = "10.0.0.1:4000", "203.0.113.9:4000"
	tests := []struct {
		name   string
		remote string
		header http.Header
		url    string
		client string
	}{
		{"no headers", proxy, nil, "http://direct.example.com", "10.0.0.1"},
		{"stranger's headers count for nothing", stranger,
			http.Header{
				"X-Forwarded-For": {"1.2.3.4"}, "X-Forwarded-Host": {"evil.example.com"}, "X-Forwarded-Proto": {"https"},
				"X-Forwarded-Prefix": {"/x"},
			},
			"http://direct.example.com", "203.0.113.9"},
		{"one proxy", proxy,
			http.Header{
				"X-Forwarded-For": {"198.51.100.7"}, "X-Forwarded-Host": {"registry.example.com"}, "X-Forwarded-Proto": {"https"},
			},
			"https://registry.example.com", "198.51.100.7"},
		{
			"proxy sets the scheme only", proxy, http.Header{"X-Forwarded-Proto": {"https"}}, "https://direct.example.com",
			"10.0.0.1",
		},
		{"invented entries stand left of the stranger", proxy,
			http.Header{
				"X-Forwarded-For": {"6.6.6.6, 198.51.100.7"}, "X-Forwarded-Host": {"evil.example.com, registry.example.com"},
				"X-Forwarded-Proto": {"http, https"},
			},
			"https://registry.example.com", "198.51.100.7"},
		{"two proxies", proxy,
			http.Header{
				"X-Forwarded-For":  {"6.6.6.6, 198.51.100.7, 10.0.0.2"},
				"X-Forwarded-Host": {"evil.example.com, registry.example.com, inner.example.com"},
			},
			"http://registry.example.com", "198.51.100.7"},
		{"two proxies, headers repeated", proxy,
			http.Header{
				"X-Forwarded-For": {"6.6.6.6", "198.51.100.7", "10.0.0.2"}, "X-Forwarded-Proto": {"http", "https", "http"},
			},
			"https://direct.example.com", "198.51.100.7"},
		{"two proxies, the inner overwrites", proxy,
			http.Header{"X-Forwarded-For": {"198.51.100.7, 10.0.0.2"}, "X-Forwarded-Proto": {"https"}},
			"https://direct.example.com", "198.51.100.7"},
		{
			"only proxies in the list", proxy, http.Header{"X-Forwarded-For": {"10.0.0.3, 10.0.0.2"}},
			"http://direct.example.com", "10.0.0.3",
		},
		{
			"unknown ends the walk", proxy, http.Header{"X-Forwarded-For": {"198.51.100.7, unknown"}},
			"http://direct.example.com", "10.0.0.1",
		},
		{
			"unknown behind a proxy", proxy, http.Header{"X-Forwarded-For": {"unknown, 10.0.0.2"}}, "http://direct.example.com",
			"10.0.0.2",
		},
		{
			"address with port", proxy, http.Header{"X-Forwarded-For": {"198.51.100.7:5555"}}, "http://direct.example.com",
			"198.51.100.7",
		},
		{
			"IPv6 in brackets", proxy, http.Header{"X-Forwarded-For": {"[2001:db8::7]:5555"}}, "http://direct.example.com",
			"2001:db8::7",
		},
		{"IPv6 bare", proxy, http.Header{"X-Forwarded-For": {"2001:db8::7"}}, "http://direct.example.com", "2001:db8::7"},
		{
			"IPv6 trusted peer", "[2001:db8:1::1]:80", http.Header{"X-Forwarded-For": {"198.51.100.7"}},
			"http://direct.example.com", "198.51.100.7",
		},
		{
			"IPv4 in IPv6", "[::ffff:10.0.0.1]:80", http.Header{"X-Forwarded-For": {"::ffff:198.51.100.7"}},
			"http://direct.example.com", "198.51.100.7",
		},
		{
			"prefix", proxy, http.Header{"X-Forwarded-Prefix": {"/tools/larder/"}}, "http://direct.example.com/tools/larder",
			"10.0.0.1",
		},
		{
			"prefix that climbs", proxy, http.Header{"X-Forwarded-Prefix": {"/a/../b"}}, "http://direct.example.com", "10.0.0.1",
		},
		{
			"prefix that is another host", proxy, http.Header{"X-Forwarded-Prefix": {"//evil.example.com"}},
			"http://direct.example.com", "10.0.0.1",
		},
		{"prefix with markup", proxy, http.Header{"X-Forwarded-Prefix": {`/"><b>`}}, "http://direct.example.com", "10.0.0.1"},
		{
			"port", proxy,
			http.Header{
				"X-Forwarded-Host": {"registry.example.com"}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-Port": {"8443"},
			},
			"https://registry.example.com:8443", "10.0.0.1",
		},
		{
			"port of the scheme", proxy,
			http.Header{
				"X-Forwarded-Host": {"registry.example.com"}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-Port": {"443"},
			},
			"https://registry.example.com", "10.0.0.1",
		},
		{
			"port said twice", proxy, http.Header{"X-Forwarded-Host": {"registry.example.com:81"}, "X-Forwarded-Port": {"82"}},
			"http://registry.example.com:81", "10.0.0.1",
		},
		{"bad host", proxy, http.Header{"X-Forwarded-Host": {"a b/c"}}, "http://direct.example.com", "10.0.0.1"},
		{"bad scheme", proxy, http.Header{"X-Forwarded-Proto": {"javascript"}}, "http://direct.example.com", "10.0.0.1"},
		{
			"Forwarded", proxy, http.Header{"Forwarded": {`for=198.51.100.7;proto=https;host=registry.example.com`}},
			"https://registry.example.com", "198.51.100.7",
		},
		{"Forwarded, quoted and invented", proxy,
			http.Header{
				"Forwarded": {
					`for="6.6.6.6, x";host=evil.example.com, For="[2001:db8::7]:99";Proto=https;Host="registry.example.com:8443"`,
				},
			},
			"https://registry.example.com:8443", "2001:db8::7"},
		{"Forwarded, two proxies", proxy,
			http.Header{
				"Forwarded": {
					"for=6.6.6.6;host=evil.example.com",
					"for=198.51.100.7;host=registry.example.com;proto=https, for=10.0.0.2;host=inner.example.com;proto=http",
				},
			},
			"https://registry.example.com", "198.51.100.7"},
		{
			"Forwarded, hidden", proxy, http.Header{"Forwarded": {"for=_hidden;proto=https"}}, "https://direct.example.com",
			"10.0.0.1",
		},
		{"the client's Forwarded beside the proxy's own", proxy,
			http.Header{"Forwarded": {"for=6.6.6.6;host=evil.example.com"}, "X-Forwarded-For": {"198.51.100.7"}},
			"http://direct.example.com", "198.51.100.7"},
		{"unix socket", "@", nil, "http://direct.example.com", "invalid IP"},
	}
	base, err := NewBase("", proxies(t, "10.0.0.0/8", "2001:db8:1::/48"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "http://direct.example.com/npm/x", nil)
			r.RemoteAddr = tt.remote
			r.Header = tt.header
			if r.Header == nil {
				r.Header = http.Header{}
			}
			if got := base.URL(r); got != tt.url {
				t.Errorf("URL is %s, want %s", got, tt.url)
			}
			if got := base.ClientAddr(r).String(); got != tt.client {
				t.Errorf("client is %s, want %s", got, tt.client)
			}
		})
	}
}

func TestBaseWithoutProxies(t *testing.T) {
	base, err := NewBase("", nil)
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]string{
		"registry.example.com":      "http://registry.example.com",
		"registry.example.com:8080": "http://registry.example.com:8080",
		"[2001:db8::1]:8080":        "http://[2001:db8::1]:8080",
		"[2001:db8::1]":             "http://[2001:db8::1]",
		`a"><script>`:               "http://localhost",
		"user@host":                 "http://localhost",
		"host:port":                 "http://localhost",
		"":                          "http://localhost",
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Host = host
		r.Header.Set("X-Forwarded-Host", "evil.example.com")
		if got := base.URL(r); got != want {
			t.Errorf("host %q gives %s, want %s", host, got, want)
		}
	}
	r := httptest.NewRequest("GET", "http://registry.example.com/", nil)
	r.TLS = &tls.ConnectionState{}
	if got := base.URL(r); got != "https://registry.example.com" {
		t.Errorf("over TLS: %s", got)
	}
}

func TestPublicURL(t *testing.T) {
	base, err := NewBase("https://registry.example.com/larder/", proxies(t, "0.0.0.0/0"))
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("GET", "http://inner/", nil)
	r.Header.Set("X-Forwarded-Host", "other.example.com")
	if got := base.URL(r); got != "https://registry.example.com/larder" {
		t.Errorf("URL is %s", got)
	}
	var seen string
	h := base.Strip(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = r.URL.EscapedPath() }))
	for in, want := range map[string]string{
		"/larder/npm/@a%2fb": "/npm/@a%2fb",
		"/larder/":           "/",
		"/npm/x":             "/npm/x",
		"/larderx/npm":       "/larderx/npm",
		"/v2/":               "/v2/",
	} {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", in, nil))
		if seen != want {
			t.Errorf("%s reaches the router as %s, want %s", in, seen, want)
		}
	}
	for _, bad := range []string{
		"registry.example.com", "ftp://registry.example.com", "https://", "https://u:p@registry.example.com",
		"https://registry.example.com/?x", "::",
	} {
		if _, err := NewBase(bad, nil); err == nil {
			t.Errorf("public URL %q was accepted", bad)
		}
	}
}
