package server

// This file asks for a private package by every address that might be its own: the name that is authorised is the name
// whose bytes are served.

import (
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"larder/internal/config"
	"larder/store"
	"larder/upstream"
)

// sampleName is what everything about the specimen has in it.
func sampleName(sp specimen) string {
	if sp.kind == store.OCI {
		return "team/app"
	}
	return "demo"
}

// respelled are addresses that some server might take for path: what is decoded, cleaned, folded or passed on behind
// the check would make them so.
func respelled(sp specimen, path string) (list []string) {
	word := sampleName(sp)
	plain, query, _ := strings.Cut(path, "?")
	add := func(p string) {
		if query != "" {
			p += "?" + query
		}
		list = append(list, p)
	}
	add(plain)
	for _, to := range []string{
		strings.ToUpper(word), strings.ToUpper(word[:1]) + word[1:], "%" + "64emo", "d%65mo", "d%2565mo", "%44emo",
		"./" + word, "x/../" + word, "x%2f..%2f" + word, "%2e/" + word, "/" + word, word + "/", word + "%2f", word + "%00",
		word + "%20", "%20" + word, word + ".", "-" + word, word + "-", word + "_", "d\u00e9mo", "_" + word, "@x%2f" + word,
		"@x/" + word, "origin/" + word, "origin%2f" + word, "ORIGIN/" + word, word + ";x=1", "acme%2f" + word, "Acme/" + word,
		strings.ReplaceAll(word, "/", "%2f"), strings.ReplaceAll(word, "/", "//"), strings.ReplaceAll(word, "/", "/./"),
		strings.ReplaceAll(word, "/", "/x/../"),
	} {
		if strings.Contains(plain, word) {
			add(strings.Replace(plain, word, to, 1))
			add(strings.ReplaceAll(plain, word, to))
		}
	}
	add("/" + plain)
	add(strings.ReplaceAll(plain, "/", "//"))
	add(plain + "/")
	add("/x/.." + plain)
	add("/%2e%2e" + plain)
	for _, more := range []string{"ns=origin", "ns=other", "ns=ORIGIN"} {
		list = append(list, plain+"?"+strings.TrimPrefix(query+"&"+more, "&"))
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// TestWhatIsAuthorisedIsWhatIsServed: a private package, of the upstream's or published here, is given to nobody
// without a login, by no route of its kind, whatever the address.
func TestWhatIsAuthorisedIsWhatIsServed(t *testing.T) {
	for _, sp := range specimens() {
		for _, hosted := range []bool{false, true} {
			t.Run(string(sp.kind)+map[bool]string{false: " of an upstream", true: " hosted"}[hosted], func(t *testing.T) {
				t.Parallel()
				up := newOrigin(t, sp)
				cfg := testConfig(t)
				if err := os.CopyFS(cfg.Data, os.DirFS(up.folder)); err != nil {
					t.Fatal(err)
				}
				typ, name := scopeType(sp.kind), storedNames[sp.kind]
				if sp.kind == store.OCI && !hosted {
					name = "origin/" + name
				}
				cfg.Auth.Private = []string{string(sp.kind) + ":" + typ + ":" + name}
				if !hosted {
					cfg.Upstreams = []config.Upstream{{Config: upstream.Config{
						Kind: sp.kind, Name: "origin", URL: up.url + sp.upstream, Fresh: time.Hour,
					}}}
				}
				addr := start(t, cfg, nil).addr
				if hosted {
					sp.publish(t, "http://"+addr)
				}
				for _, path := range []string{sp.meta, sp.file} { // they are here, and warm
					status, _ := rawGet(t, addr, path, sp.head, true)
					if status != http.StatusOK {
						t.Fatalf("an administrator gets %d for %s", status, path)
					}
				}
				for _, path := range append(readPaths(t, sp), sp.meta, sp.file) {
					for _, each := range respelled(sp, path) {
						status, body := rawGet(t, addr, each, sp.head, false)
						named := strings.Contains(body, sampleName(sp))
						if status/100 == 2 && (body == up.file || named) {
							t.Errorf("GET %s without a login: %d %.200q", each, status, body)
						}
					}
				}
			})
		}
	}
}

// rawGet sends an address as it stands: a client's own library would clean it.
func rawGet(t *testing.T, addr, path string, head http.Header, admin bool) (status int, body string) {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, "http://"+addr+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.URL.Opaque = path
	for k, v := range head {
		r.Header[k] = v
	}
	if admin {
		r.SetBasicAuth("admin", "correct-horse")
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatalf("GET %s: %v", path, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("GET %s: %v", path, err)
	}
	return resp.StatusCode, string(b)
}
