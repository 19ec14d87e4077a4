package upstream

// This file tests what is said of addresses to which we do not go.

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"larder/internal/problem"
)

// TestHostsThatAreNotConfiguredAreExplained: the client's user reads which upstream and which setting, and no address;
// the log has the host.
func TestHostsThatAreNotConfiguredAreExplained(t *testing.T) {
	t.Parallel()
	unlisted := "main refers to a host that is not configured for it: name the host in `hosts`"
	for _, c := range []struct {
		what, base, ref string
		hosts           []string
		want, log       string
	}{
		{"a host that is not listed", "http://127.0.0.1", "http://files.example.com/x", []string{"*.example.org"}, unlisted,
			"files.example.com"},
		{"a machine near us", "http://127.0.0.1", "http://10.0.0.1/x", nil, unlisted, "10.0.0.1"},
		{"no TLS", "https://registry.example.com", "http://files.example.com/x", nil,
			"main refers to an address without TLS, which is not followed from one with TLS.", "files.example.com"},
		{"no URL", "http://127.0.0.1", "gopher://x", nil, "main refers to something that is no address of a file.", "gopher"},
		{"a password", "http://127.0.0.1", "http://a:b@127.0.0.1/x", nil,
			"main refers to something that is no address of a file.", "127.0.0.1"},
	} {
		g := newRig(t, func(o *Options) { o.Upstreams[0].URL, o.Upstreams[0].Hosts = c.base, c.hosts })
		_, err := g.set.list[0].do(t.Context(), request{ref: c.ref})
		public := problem.Public(err)
		if problem.Status(err) != http.StatusBadGateway || !strings.Contains(public, c.want) {
			t.Errorf("%s: %d %q, want 502 %q", c.what, problem.Status(err), public, c.want)
		}
		if err == nil || !strings.Contains(err.Error(), c.log) || strings.Contains(public, c.log) {
			t.Errorf("%s: the log has %v, the client %q, want %s in the log alone", c.what, err, public, c.log)
		}
	}
}

func TestRedirectsElsewhereAreExplained(t *testing.T) {
	g := newRig(t, func(o *Options) { o.Upstreams[0].Hosts = []string{"other.example.com"} })
	g.origin.answer(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://files.example.com/x", http.StatusFound)
	})
	_, _, err := g.doc("demo")
	want := "main refers to a host that is not configured for it: name the host in `hosts`"
	if public := problem.Public(err); !strings.Contains(public, want) || problem.Status(err) != http.StatusBadGateway {
		t.Errorf("%v, the client reads %q, want %q", err, public, want)
	}
}

// TestAddressesThatAreNotPublicAreExplained: the dialer sees them, which knows of no upstream.
func TestAddressesThatAreNotPublicAreExplained(t *testing.T) {
	g := newRig(t)
	u, dialled := g.set.list[0], fmt.Errorf("files.example.com: %w", errAddress)
	for _, c := range []struct {
		err  error
		want string
	}{
		{dialled, "refers to a host whose address is not public: set `private: true`, or name the host in `hosts`"},
		{&asideError{dialled, "x"}, "has its tokens from a host whose address is not public: name that in `realms`"},
	} {
		public := problem.Public(u.unavailable(c.err, 0))
		if !strings.HasPrefix(public, "The upstream registry main "+c.want) {
			t.Errorf("the client reads %q, want %q", public, c.want)
		}
	}
}
