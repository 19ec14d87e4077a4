package server

// This file tries registries of all kinds out as an operator does: with a login and without, right and wrong.

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"larder/internal/config"
	"larder/store"
	"larder/web"
)

// guard lets requests through that have the login, or that free says need none, and asks others for it.
func guard(free func(*http.Request) bool) func(http.ResponseWriter, *http.Request, http.Handler) {
	return func(w http.ResponseWriter, r *http.Request, pass http.Handler) {
		user, password, _ := r.BasicAuth()
		r.Header.Del("Authorization") // the origin knows no such user
		if !free(r) && (user != "ada" || password != "secret") {
			w.Header().Set("WWW-Authenticate", `Basic realm="team"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		pass.ServeHTTP(w, r)
	}
}

// check asks the admin API to try the chain's upstream out with a package; found is by step.
func (c *chain) check(name string) (check web.UpstreamCheck, found map[string]string) {
	c.t.Helper()
	body, err := json.Marshal(web.UpstreamChoice{Kind: c.kind, Package: name})
	if err != nil {
		c.t.Fatal(err)
	}
	text := sendText(c.t, "POST", c.cache+"/api/v1/upstreams/check", string(body), "application/json", 200)
	var out web.UpstreamChecks
	if err := json.Unmarshal([]byte(text), &out); err != nil || len(out.Checks) != 1 {
		c.t.Fatalf("the check of %s is %s, %v", c.kind, text, err)
	}
	found = map[string]string{}
	for _, f := range out.Checks[0].Found {
		found[f.Step] = fmt.Sprintf("%t %s", f.OK, f)
	}
	return out.Checks[0], found
}

// TestCheckOfAnUpstreamSaysWhatBecameOfTheLogin: of a document and of a file, in every kind.
func TestCheckOfAnUpstreamSaysWhatBecameOfTheLogin(t *testing.T) {
	ada := func(password string) func(*config.Upstream) {
		return func(u *config.Upstream) { u.User, u.Password = "ada", password }
	}
	none := func(*config.Upstream) {}
	for _, sp := range specimens() {
		t.Run(string(sp.kind), func(t *testing.T) {
			t.Parallel()
			o := newOrigin(t, sp)
			isFile := func(r *http.Request) bool {
				return strings.Contains(r.URL.Path, "1.0") || strings.Contains(r.URL.Path, "blobs")
			}
			all, nothing := func(*http.Request) bool { return true }, func(*http.Request) bool { return false }
			for _, c := range []struct {
				what   string
				change func(*config.Upstream)
				free   func(*http.Request) bool
				want   map[string]string
			}{
				{"no login where none is needed", none, all, map[string]string{
					"address": "true reached", "login": "true none is set, and none was needed",
					"document": "true that of", "file": "true ",
				}},
				{"a login that is needed", ada("secret"), nothing, map[string]string{
					"login": "true accepted: without it", "document": "true that of", "file": "true ",
				}},
				{"a login that is not needed", ada("secret"), all, map[string]string{
					"login": "true sent, and not needed", "document": "true that of", "file": "true ",
				}},
				{"a wrong login", ada("other"), nothing, map[string]string{
					"login": "false refused", "document": "answered 401 to a request with its credentials",
				}},
				{"only documents without a login", none, func(r *http.Request) bool { return !isFile(r) }, map[string]string{
					"document": "true that of", "file": "answered 401 to a request without credentials; set user and password",
				}},
			} {
				if sp.kind == store.OCI && c.what == "only documents without a login" {
					c.want["file"] = "it refuses it, which counts as absence"
				}
				chain := newChain(t, o, c.change)
				chain.way.inject(-1, func(*http.Request) bool { return true }, guard(c.free))
				check, found := chain.check(storedNames[sp.kind])
				for step, want := range c.want {
					if !strings.Contains(found[step], want) {
						t.Errorf("%s, %s: %q, want %q", c.what, step, found[step], want)
					}
				}
				if failed := strings.Contains(fmt.Sprint(found), "false "); failed != (check.Error != "") {
					t.Errorf("%s: the error is %q, and found was %v", c.what, check.Error, found)
				}
			}
		})
	}
}

// TestCheckOfCargoFollowsWhatItsConfigurationSays: crates that need the login lie on another host.
func TestCheckOfCargoFollowsWhatItsConfigurationSays(t *testing.T) {
	o := newOrigin(t, cargoSpecimen())
	files := newFaulty(t, o.url)
	all := func(*http.Request) bool { return true }
	files.inject(-1, all, guard(func(*http.Request) bool { return false }))
	for required, want := range map[bool]string{
		true:  "true " + strings.TrimPrefix(files.URL, "http://") + "/cargo/api/v1/crates/demo/1.0.0/download: ",
		false: "in `hosts`",
	} {
		chain := newChain(t, o, func(u *config.Upstream) {
			u.User, u.Password, u.Hosts = "ada", "secret", []string{"127.0.0.1"}
			u.Paths = []string{"/cargo/"}
		})
		chain.way.inject(-1, all, func(w http.ResponseWriter, r *http.Request, pass http.Handler) {
			if strings.HasSuffix(r.URL.Path, "/config.json") {
				fmt.Fprintf(w, `{"dl":"%s/cargo/api/v1/crates","auth-required":%t}`, files.URL, required)
				return
			}
			guard(all)(w, r, pass)
		})
		if _, found := chain.check("demo"); !strings.Contains(found["file"], want) {
			t.Errorf("auth-required %t: %q, want %q", required, found["file"], want)
		}
	}
}
