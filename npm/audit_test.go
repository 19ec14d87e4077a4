package npm

// Audits of packages that are copies.

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"larder/store"
	"larder/upstream"
)

const (
	bulkPath  = "/-/npm/v1/security/advisories/bulk"
	quickPath = "/-/npm/v1/security/audits/quick"
)

// auditor is an upstream that answers audits; answers are by the end of the path, and what it is asked is kept.
func auditor(t *testing.T, status int, answers map[string]string) (url string, asked *[]string) {
	asked = &[]string{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		*asked = append(*asked, r.URL.Path+" "+string(body))
		answer, ok := answers[strings.TrimPrefix(r.URL.Path, "/up")]
		if !ok {
			w.WriteHeader(status)
			return
		}
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(srv.Close)
	return srv.URL + "/up", asked
}

func newAuditCache(t *testing.T, url string, change ...func(*upstream.Options)) *rig {
	o := upstream.Options{
		Upstreams: []upstream.Config{{Kind: store.NPM, Name: "main", URL: url}}, Claims: []string{"npm:@ours/*"},
	}
	for _, f := range change {
		f(&o)
	}
	return newRig(t, func(r *rigOptions) { r.Upstreams = &o })
}

const bulkAnswer = `{"hole":[{"id":5,"url":"https://example.test/5","title":"Bad","severity":"critical",` +
	`"vulnerable_versions":"<2.0.0","github_advisory_id":"X-5"}],"stranger":[{"id":6,"vulnerable_versions":"*"}]}`

func TestAuditOfACopyIsTheUpstreams(t *testing.T) {
	url, asked := auditor(t, 404, map[string]string{bulkPath: bulkAnswer})
	g := newAuditCache(t, url)
	g.publish("mine", "1.0.0")
	*asked = nil // the publish looked for the name
	body := `{"hole":["1.0.0","2.0.0"],"mine":["1.0.0"],"@ours/secret":["1.0.0"]}`
	a := g.Want(g.Do("POST", bulkPath, body), 200, `"github_advisory_id":"X-5"`)
	if strings.Contains(a.Body, "stranger") {
		t.Errorf("the answer has a package that nobody asked for: %v", a)
	}
	if want := "/up" + bulkPath + ` {"hole":["1.0.0","2.0.0"]}`; len(*asked) != 1 || (*asked)[0] != want {
		t.Errorf("the upstream was asked %q, want %q", *asked, want)
	}
	tree := `{"dependencies":{"a":{"version":"1.0.0","dependencies":{"hole":{"version":"1.0.0"}}}}}`
	a = g.Want(g.Do("POST", quickPath, tree), 200, `"findings":[{"version":"1.0.0","paths":["a>hole"]}]`)
	if !strings.Contains(a.Body, `"critical":1`) {
		t.Errorf("the audit does not count the finding: %v", a)
	}
}

func TestAuditAsksAnOldUpstreamInItsWay(t *testing.T) {
	url, asked := auditor(t, 404, map[string]string{
		quickPath: `{"advisories":{"5":{"id":5,"module_name":"hole","title":"Bad","severity":"high",` +
			`"vulnerable_versions":"1.x","cwe":"CWE-1"}}}`,
	})
	g := newAuditCache(t, url)
	g.Want(g.Do("POST", bulkPath, `{"hole":["1.0.0","1.1.0"]}`), 200, `"vulnerable_versions":"1.x"`)
	if len(*asked) != 2 || !strings.HasSuffix((*asked)[1],
		`"dependencies":{"hole":{"version":"1.0.0","dependencies":{"hole":{"version":"1.1.0"}}}}}`) {
		t.Errorf("the upstream was asked %q", *asked)
	}
}

func TestAuditIsNotCleanWhenTheUpstreamCannotSay(t *testing.T) {
	const body, loaded = `{"hole":["1.0.0"]}`, `[{"id":1,"package":"hole","title":"Bad","severity":"low",` +
		`"vulnerable_versions":"<2.0.0"}]`
	for _, c := range []struct {
		name           string
		status         int
		answers        map[string]string
		offline        bool
		want, wantHere int // without and with advisories loaded here
	}{
		{"trouble", 500, nil, false, 503, 503},
		{"no audits", 404, nil, false, 404, 200},
		{"method not allowed", 405, nil, false, 404, 200},
		{"a page", 200, map[string]string{bulkPath: "<html>"}, false, 503, 503},
		{"offline", 200, nil, true, 404, 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			url, _ := auditor(t, c.status, c.answers)
			g := newAuditCache(t, url, func(o *upstream.Options) { o.Offline = c.offline })
			g.User("root", nil, true)
			if a := g.Do("POST", bulkPath, body); a.Status != c.want {
				t.Errorf("without advisories here: %v, want %d", a, c.want)
			}
			g.Want(g.Do("PUT", "/-/larder/advisories", loaded, g.As("root")), 200, "")
			if a := g.Do("POST", bulkPath, body); a.Status != c.wantHere {
				t.Errorf("with advisories here: %v, want %d", a, c.wantHere)
			}
		})
	}
}
