package composer

// Audits of packages that are copies: who is asked for what, and when an audit is refused.

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"larder/internal/wiretest"
	"larder/store"
	"larder/upstream"
)

const (
	auditPath  = "/api/security-advisories/"
	fullAdvice = `{"advisories":{"acme/hole":[{"advisoryId":"X-1","packageName":"acme/hole","title":"Bad",` +
		`"cve":"CVE-2026-1","affectedVersions":"<2","reportedAt":"2026-01-01 00:00:00","severity":"high",` +
		`"sources":[]}],"acme/good":[]}}`
	partialAdvice = `,"security-advisories":[{"advisoryId":"X-1","affectedVersions":"<2"}]`
)

// adviser is a repository whose address for audits answers so; asked are the names it was asked for.
func adviser(t *testing.T, status int, answer, root string) (o *remote, asked func() string) {
	var mu sync.Mutex // guards names
	var names []string
	api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		mu.Lock()
		names = append(names, packagesOf(r.PostForm)...)
		mu.Unlock()
		w.WriteHeader(status)
		_, _ = w.Write([]byte(answer))
	})
	o = newRemote(t, map[string]string{
		"/packages.json": `{"packages":[],"metadata-url":"/p2/%package%.json"` + root +
			`}`,
		"/p2/acme/hole.json": strings.TrimSuffix(document("acme/hole", entry("acme/hole", "1.0.0", "")), "}") +
			partialAdvice + "}",
		"/p2/acme/good.json": document("acme/good", entry("acme/good", "1.0.0", "")),
	})
	documents := o.Config.Handler
	o.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/x" {
			api(w, r)
			return
		}
		documents.ServeHTTP(w, r)
	})
	return o, func() string {
		mu.Lock()
		defer mu.Unlock()
		return strings.Join(names, " ")
	}
}

func (g *rig) audit(names ...string) answer {
	return g.Do("GET", auditPath+"?"+url.Values{"packages[]": names}.Encode(), nil)
}

// TestAuditsOfCopiesAreTheUpstreams: its address for audits is asked for what is not ours, and what it does not know
// stays unknown.
func TestAuditsOfCopiesAreTheUpstreams(t *testing.T) {
	o, asked := adviser(t, 200, fullAdvice, `,"security-advisories":{"metadata":true,"api-url":"BASE/x"}`)
	g := o.cache(t, "composer:ours/*")
	g.publish("ours/demo", "1.0.0")
	a := g.Want(g.audit("acme/hole", "acme/good", "acme/none", "ours/demo", "ours/other"), 200, "CVE-2026-1")
	a.WantBody(t, `"acme/good":[]`)
	wiretest.Equal(t, "asked", asked(), "acme/good acme/hole acme/none")
	a.WantNot(t, "acme/none", "ours/other")
}

// TestAuditsWithoutAnAddressReadDocuments: what the documents say of advisories is told in the form that clients read.
func TestAuditsWithoutAnAddressReadDocuments(t *testing.T) {
	for _, root := range []string{
		`,"security-advisories":{"metadata":true}`, `,"security-advisories":{"metadata":true,"api-url":"BASE/x"}`,
	} {
		o, _ := adviser(t, 404, "", root)
		g := o.cache(t)
		a := g.Want(g.audit("acme/hole"), 200, `"affectedVersions":"<2"`)
		a.WantBody(t, `"title":"X-1 (main says no more of it)"`, `"name":"main"`)
	}
}

// TestAuditsAreNeverCleanBecauseNobodyAnswered: trouble with the upstream is told as such.
func TestAuditsAreNeverCleanBecauseNobodyAnswered(t *testing.T) {
	for _, c := range []struct {
		status int
		answer string
	}{{503, ""}, {403, "{}"}, {200, "<html>"}, {200, "{}"}} {
		o, _ := adviser(t, c.status, c.answer, `,"security-advisories":{"api-url":"BASE/x"}`)
		if a := o.cache(t).audit("acme/hole"); a.Status < 400 {
			t.Errorf("the upstream answers %d %s, the audit %d %s", c.status, c.answer, a.Status, a.Body)
		}
	}
}

// TestAuditsOfAMuteRepositoryAreAnotherOnes: the first repository has the package and publishes no advisories; the
// second does.
func TestAuditsOfAMuteRepositoryAreAnotherOnes(t *testing.T) {
	mute, _ := adviser(t, 404, "", "")
	second, asked := adviser(t, 200, fullAdvice, `,"security-advisories":{"api-url":"BASE/x"}`)
	up := upstream.Options{Upstreams: []upstream.Config{
		{Kind: store.Composer, Name: "mute", URL: mute.URL}, {Kind: store.Composer, Name: "second", URL: second.URL},
	}}
	g := newRig(t, func(r *rigOptions) { r.Upstreams = &up })
	wiretest.Equal(t, "versions", g.normals("acme/hole", ""), "1.0.0.0")
	g.Want(g.audit("acme/hole"), 200, "CVE-2026-1")
	wiretest.Equal(t, "asked", asked(), "acme/hole")
}
