package pages

// The history of a package, and what it tells to whom.

import (
	"net/url"
	"regexp"
	"strings"
	"testing"

	"larder/auth"
	"larder/internal/wiretest"
)

// published publishes 1.0.0 and 1.1.0 of an npm package, of which the latter is the latest.
func published(t *testing.T) *rig {
	t.Helper()
	g := newRig(t)
	g.publish("npm", "demo", "1.0.0")
	g.publish("npm", "demo", "1.1.0")
	return g
}

func TestHistoryHasTheMovesOfTags(t *testing.T) {
	g := published(t)
	page := g.page("", "/ui/npm/demo/-/history")
	g.has(page, "<bdi>latest</bdi> moved from <bdi>1.0.0</bdi> to", "<bdi>latest</bdi> set to",
		`href="/ui/npm/demo/-/v/1.1.0"`)
	g.lacks(page, "Put back", "<form method=\"post\" action=\"/ui")
	moves := g.page("", "/ui/npm/demo/-/history?what=tags")
	g.has(moves, "moved from")
	g.lacks(moves, `<span class="tag">publish</span>`)
	g.has(g.page("", "/ui/npm/demo/-/history?what=withdraw"), "No entry")
}

func TestTagsArePutBack(t *testing.T) {
	g := published(t)
	v := g.visit()
	history := "/ui/npm/demo/-/history"
	g.has(v.do("GET", history, nil).Body, "Put back latest to 1.0.0")
	back := url.Values{"do": {"tag"}, "v": {"1.0.0"}, "tag": {"latest"}, "back": {"history"}}
	a := v.send(history, "/ui/npm/demo/-/change", back)
	if to := a.Header.Get("Location"); a.Status != 303 || !strings.HasPrefix(to, history+"?") {
		t.Fatalf("%v to %q, want 303 to the history", a, to)
	}
	page := v.do("GET", a.Header.Get("Location"), nil).Body
	g.has(page, "The tag was moved.", "Put back latest to 1.1.0")
	if got := strings.Join(g.ops("npm", "demo"), " "); got != "publish tag publish tag tag" {
		t.Errorf("the journal has %q", got)
	}
	g.Want(g.Do("GET", "/npm/-/package/demo/dist-tags", nil), 200, `"latest":"1.0.0"`)
}

func TestTagsOfImagesArePutBack(t *testing.T) {
	g := newRig(t)
	v := g.visit()
	g.publish("oci", "demo", "1.0.0")
	first := g.versionOf("oci", "team/demo", "")
	at := "/v2/team/demo/manifests/"
	manifest := g.Want(g.Do("GET", at+"1.0.0", nil), 200, "")
	other := strings.Replace(manifest.Body, "{", "{ ", 1)
	g.Want(g.Ada("PUT", at+"1.0.0", other, wiretest.Header("Content-Type", manifest.Header.Get("Content-Type"))), 201, "")
	history := "/ui/oci/team/demo/-/history"
	g.has(v.do("GET", history, nil).Body, "Put back 1.0.0 to "+shortDigest(first))
	back := url.Values{"do": {"tag"}, "v": {first}, "tag": {"1.0.0"}, "back": {"history"}}
	g.Want(v.send(history, "/ui/oci/team/demo/-/change", back), 303, "")
	if got := g.Do("HEAD", at+"1.0.0", nil).Header.Get("Docker-Content-Digest"); got != first {
		t.Errorf("the tag is at %s, want %s", got, first)
	}
}

func TestYanksAreUndoneFromTheHistory(t *testing.T) {
	g := newRig(t)
	v := g.visit()
	g.publish("cargo", "demo", "1.0.0")
	g.Want(g.Ada("DELETE", "/cargo/api/v1/crates/demo/1.0.0/yank", nil), 200, "")
	g.has(v.do("GET", "/ui/cargo/demo/-/history", nil).Body, `aria-label="Unyank 1.0.0"`)
	form := url.Values{"do": {"unyank"}, "v": {"1.0.0"}, "back": {"history"}}
	g.Want(v.send("/ui/cargo/demo/-/history", "/ui/cargo/demo/-/change", form), 303, "")
	g.lacks(v.do("GET", "/ui/cargo/demo/-/history", nil).Body, `aria-label="Unyank`)
}

// TestTokensAreToldToOwnersAndAdministrators: with which token and program something was published.
func TestTokensAreToldToOwnersAndAdministrators(t *testing.T) {
	g := newRig(t)
	g.Key("ci", auth.TokenSpec{User: "ada", Name: "ci <frontend>"})
	g.Keys["ada"] = g.Keys["ci"]
	g.publish("cargo", "demo", "1.0.0")
	g.User("bob", nil)
	g.User("root", nil, true)
	for _, path := range []string{"/ui/cargo/demo/-/history", "/ui/cargo/demo/-/v/1.0.0"} {
		for who, told := range map[string]bool{"": false, "bob": false, "ada": true, "root": true} {
			page := g.page(who, path)
			for _, text := range []string{"ci &lt;frontend&gt;", "Go-http-client/", "<bdi>127.0.0.1</bdi>"} {
				if strings.Contains(page, text) != told {
					t.Errorf("%s tells %q %q: %t, want %t", path, who, text, !told, told)
				}
			}
		}
	}
}

func TestHistoriesAreOfAPageAndOlderOnesFollow(t *testing.T) {
	g := newRig(t)
	g.publish("cargo", "demo", "1.0.0")
	for range 30 {
		g.Want(g.Ada("DELETE", "/cargo/api/v1/crates/demo/1.0.0/yank", nil), 200, "")
		g.Want(g.Ada("PUT", "/cargo/api/v1/crates/demo/1.0.0/unyank", nil), 200, "")
	}
	page := g.page("", "/ui/cargo/demo/-/history")
	next := regexp.MustCompile(`rel="next" href="([^"]+)"`).FindStringSubmatch(page)
	if rows := strings.Count(page, `<td class="n" data-l="entry">`); rows != historyRows || next == nil {
		t.Fatalf("%d rows and next %q, want %d and an address", rows, next, historyRows)
	}
	rest := g.page("", strings.ReplaceAll(next[1], "&amp;", "&"))
	if rows := strings.Count(rest, `<td class="n" data-l="entry">`); rows != 11 || strings.Contains(rest, `rel="next"`) {
		t.Errorf("the last page has %d rows, want 11 and no further page:\n%s", rows, rest)
	}
}
