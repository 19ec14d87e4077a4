package upstream

// This file tests what refusals mean, and what leads on to the next upstream.

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"larder/internal/problem"
	"larder/store"
)

// newChained is a rig whose further upstreams say who they are.
func newChained(t *testing.T, n int, change func(*Config)) (g *rig, others []*origin0) {
	for i := range n {
		o := newOrigin(t)
		o.answer(answers(fmt.Sprint("upstream ", i+2)))
		others = append(others, o)
	}
	return newRig(t, func(o *Options) {
		change(&o.Upstreams[0])
		for i, other := range others {
			o.Upstreams = append(o.Upstreams, Config{Kind: store.NPM, Name: fmt.Sprint("u", i+2), URL: other.URL})
		}
	}), others
}

// TestNoTroubleOfTheFirstUpstreamIsAnsweredByAnother: a name that it may have is not taken from a lower one, unless the
// operator says so, and then only what was said.
func TestNoTroubleOfTheFirstUpstreamIsAnsweredByAnother(t *testing.T) {
	page := func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<!doctype html><title>Sign in</title>") }
	plain := func(*Config) {}
	absent := func(c *Config) { c.Forbidden = ForbiddenAbsent }
	optional := func(c *Config) { c.Optional = true }
	for _, c := range []struct {
		what   string
		answer http.HandlerFunc
		change func(*Config)
		leads  bool
		want   error
	}{
		{"404", http.NotFound, plain, true, nil},
		{"401", status(401), plain, false, ErrRefused},
		{"403", status(403), plain, false, ErrRefused},
		{"403 of an optional one", status(403), optional, false, ErrRefused},
		{"403 that means absent", status(403), absent, true, nil},
		{"401 that means absent", status(401), absent, true, nil},
		{"500", status(500), plain, false, ErrUnavailable},
		{"500 where a refusal means absent", status(500), absent, false, ErrUnavailable},
		{"500 of an optional one", status(500), optional, true, nil},
		{"a web page", page, plain, false, ErrUnavailable},
		{"a web page of an optional one", page, optional, true, nil},
		{"nothing", answers(""), plain, false, ErrUnavailable},
	} {
		for n := 1; n <= 2; n++ {
			t.Run(fmt.Sprint(c.what, ", ", n+1, " upstreams"), func(t *testing.T) {
				t.Parallel()
				g, others := newChained(t, n, c.change)
				g.origin.answer(c.answer)
				d, err := g.set.Document(t.Context(), Query{Package: "demo", Key: "doc", Ref: "demo", Fresh: time.Minute,
					Check: func(body []byte, _ string) error {
						if !strings.HasPrefix(string(body), "upstream") {
							return errors.New("not ours")
						}
						return nil
					}})
				if !errors.Is(err, c.want) {
					t.Fatalf("%v, want %v", err, c.want)
				}
				if asked := others[0].asked.Load(); (asked > 0) != c.leads {
					t.Errorf("the second upstream was asked %d times, want it asked: %t", asked, c.leads)
				}
				if c.leads && d.Upstream.Name() != "u2" {
					t.Errorf("answered by %s, want u2", d.Upstream.Name())
				}
			})
		}
	}
}

// TestOptionalUpstreamKeepsWhatIsItsOwn: what was fetched of it is not replaced by another's while it is in trouble.
func TestOptionalUpstreamKeepsWhatIsItsOwn(t *testing.T) {
	g, others := newChained(t, 1, func(c *Config) { c.Optional = true })
	g.origin.answer(answers("first"))
	if _, _, err := g.doc("demo"); err != nil {
		t.Fatal(err)
	}
	g.origin.answer(status(500))
	_, err := g.set.Document(t.Context(), Query{Package: "demo", Key: "another", Ref: "demo/x", Fresh: time.Minute})
	if !errors.Is(err, ErrUnavailable) || others[0].asked.Load() != 0 {
		t.Errorf("%v, the second was asked %d times; want ErrUnavailable and 0", err, others[0].asked.Load())
	}
}

// TestRefusalSaysWhatToChange in a sentence with the upstream's configured name.
func TestRefusalSaysWhatToChange(t *testing.T) {
	for _, c := range []struct {
		change func(*Config)
		want   string
	}{
		{func(*Config) {}, "npm upstream main answered 403 to a request without credentials; set user and password"},
		{func(c *Config) { c.Token = "t" }, "npm upstream main answered 403 to a request with its credentials"},
		{func(c *Config) { c.Token, c.Paths = "t", []string{"/elsewhere"} }, "npm upstream main answered 403 to a request " +
			"with its credentials"},
	} {
		g := newRig(t, func(o *Options) { c.change(&o.Upstreams[0]) })
		g.origin.answer(status(403))
		_, _, err := g.doc("demo")
		if text := problem.Public(err); problem.Status(err) != 403 || !strings.HasPrefix(text, c.want) {
			t.Errorf("%d %q, want 403 and %q", problem.Status(err), text, c.want)
		}
		if n := g.origin.asked.Load(); n != 1 {
			t.Errorf("asked %d times, want 1", n)
		}
	}
}

// TestStrangersAreRefusedImagesThatDoNotExist: without credentials a registry of images means absence, which is listed.
func TestStrangersAreRefusedImagesThatDoNotExist(t *testing.T) {
	for what, answer := range map[string]http.HandlerFunc{
		"401": status(401), "403": status(403),
		"no token": func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/token" {
				w.WriteHeader(http.StatusForbidden)
				return
			}
			w.Header().Set("WWW-Authenticate", `Bearer realm="http://`+r.Host+`/token"`)
			w.WriteHeader(http.StatusUnauthorized)
		},
	} {
		g := newImages(t, func(c *Config) { c.User, c.Password = "", "" })
		g.origin.answer(answer)
		if _, err := g.image(); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: %v, want ErrNotFound", what, err)
		}
		misses, err := g.reg.Misses(t.Context())
		if err != nil || len(misses) != 1 || misses[0].Reason != MissRefused {
			t.Errorf("%s: the list of misses is %+v, %v, want one that was refused", what, misses, err)
		}
		g = newImages(t, func(c *Config) { c.User, c.Password = "ada", "secret" })
		g.origin.answer(answer)
		if _, err := g.image(); !errors.Is(err, ErrRefused) {
			t.Errorf("%s with a password: %v, want ErrRefused", what, err)
		}
	}
}

// TestRegistriesOfImagesThatAskForThePassword get it at once from the second request on.
func TestRegistriesOfImagesThatAskForThePassword(t *testing.T) {
	g := newImages(t, func(c *Config) { c.User, c.Password = "ada", "secret" })
	g.origin.answer(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "ada" || password != "secret" {
			w.Header().Set("WWW-Authenticate", `Basic realm="images"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		answers("image")(w, r)
	})
	if _, err := g.image(); err != nil {
		t.Errorf("%v, want the image", err)
	}
	if n := g.origin.asked.Load(); n != 2 {
		t.Errorf("asked %d times, want 2", n)
	}
}

// TestHeadThatIsRefusedIsAskedWithGet: for files, and for documents that are compared with a HEAD.
func TestHeadThatIsRefusedIsAskedWithGet(t *testing.T) {
	for _, code := range []int{405, 501, 403} {
		g := newRig(t)
		body := "one"
		g.origin.answer(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodHead {
				w.WriteHeader(code)
				return
			}
			answers(body)(w, r)
		})
		q := g.at("f")
		q.Head = true
		if f, err := g.set.File(t.Context(), q); err != nil || f.Size != 3 {
			t.Errorf("%d to HEAD of a file: %+v, %v, want its size", code, f, err)
		}
		for _, want := range []string{"one", "two"} {
			body = want
			d, err := g.set.Document(t.Context(),
				Query{Package: "demo", Key: "tag", Ref: "demo", Head: true, Fresh: -1})
			if err != nil {
				t.Fatal(err)
			}
			if got, err := d.Bytes(t.Context()); string(got) != want || err != nil {
				t.Errorf("%d to HEAD of a document: %q, %v, want %q", code, got, err, want)
			}
		}
	}
}

// TestFilesThatNeedTheLogin: where the registry's own document says that they are, and not in the clear.
func TestFilesThatNeedTheLogin(t *testing.T) {
	for ref, want := range map[string]bool{
		"https://dl.example.com/crates": true, "http://dl.example.com/crates": false, "https://other.example.com": false,
	} {
		u := &Upstream{base: mustParse(t, "https://registry.example.com/index")}
		u.FilesNeedLogin(ref)
		to := strings.Replace("https://dl.example.com/crates/a", "https", ref[:strings.Index(ref, ":")], 1)
		if got := u.owns(mustParse(t, to)); got != want {
			t.Errorf("%s is sent credentials after %s was named: %t, want %t", to, ref, got, want)
		}
	}
}

// TestCredentialsGoWhereTheyAreNamed: to paths, and to hosts without a star, by the registry's scheme only.
func TestCredentialsGoWhereTheyAreNamed(t *testing.T) {
	const base = "https://registry.example.com/simple"
	for _, c := range []struct {
		conf Config
		to   string
		want bool
	}{
		{Config{}, "https://registry.example.com/files/a", true},
		{Config{Paths: []string{"/files"}}, "https://registry.example.com/files/a", true},
		{Config{Paths: []string{"/files"}}, "https://registry.example.com/simple/a", true},
		{Config{Paths: []string{"/files"}}, "https://registry.example.com/files2", false},
		{Config{Paths: []string{"https://files.example.com/team"}}, "https://files.example.com/team/a", true},
		{Config{Paths: []string{"https://files.example.com/team"}}, "https://files.example.com/other", false},
		{Config{Paths: []string{"https://files.example.com/team"}}, "https://registry.example.com/files/a", true},
		{Config{Hosts: []string{"files.example.com"}}, "https://files.example.com/a", true},
		{Config{Hosts: []string{"files.example.com"}}, "http://files.example.com/a", false},
		{Config{Hosts: []string{"*.example.com"}}, "https://files.example.com/a", false},
	} {
		u := &Upstream{conf: c.conf, base: mustParse(t, base)}
		if got := u.owns(mustParse(t, c.to)); got != c.want {
			t.Errorf("%s with paths %q and hosts %q: %t, want %t", c.to, c.conf.Paths, c.conf.Hosts, got, c.want)
		}
	}
}

// TestMissingAPIIsAnAbsence for a document of an API that not every registry has, and is trouble for any other.
func TestMissingAPIIsAnAbsence(t *testing.T) {
	for _, status := range []int{400, 405, 406, 501} {
		g := newRig(t)
		g.origin.answer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
		for api, want := range map[bool]error{true: store.ErrNotFound, false: ErrUnavailable} {
			q := Query{Package: "demo", Key: fmt.Sprint("doc ", api), Ref: "demo", Fresh: time.Minute, API: api}
			if _, err := g.set.Document(t.Context(), q); !errors.Is(err, want) {
				t.Errorf("%d, of such an API: %t: %v, want %v", status, api, err, want)
			}
		}
		if n := g.origin.asked.Load(); n != 2 {
			t.Errorf("%d: the registry was asked %d times for two documents, want twice", status, n)
		}
	}
}
