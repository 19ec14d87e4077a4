package pages

// The page of rules: its answer to "why?" is what clients are answered, and its forms do what they say.

import (
	"html"
	"net/url"
	"strings"
	"testing"
	"time"

	"larder/upstream"
)

// TestWhyIsWhatClientsRead: for every rule, the page has the sentence that the client's 403 has, and none when the
// client is given the version.
func TestWhyIsWhatClientsRead(t *testing.T) {
	clock := now
	g, _ := copying(t, func(o *upstream.Options) {
		o.Blocked = []string{"npm:left-pad@1.0.0", "npm:evil-*"}
		o.Claims = []string{"npm:@acme/*"}
		o.MinAge, o.Allowed = 72*time.Hour, []string{"npm:fast"}
		o.Now = func() time.Time { return clock }
	}, "left-pad", "evil-kit", "demo", "fast")
	g.pages.d.Claims = []string{"npm:@acme/*"}
	g.publish("npm", "hosted", "1.0.0")
	v := g.administrator()
	why := func(name string) string {
		return v.read("/-/admin/policy?" + url.Values{"kind": {"npm"}, "name": {name}}.Encode())
	}
	g.has(why("demo@1.0.0"), "Nobody has asked for the package yet.", "No rule refuses")
	for _, name := range []string{"left-pad", "evil-kit", "demo", "fast", "hosted"} {
		g.Do("GET", "/npm/"+name, nil)
		for _, version := range []string{"1.0.0", "2.0.0", "9.9.9"} {
			a := g.Do("GET", "/npm/"+name+"/-/"+name+"-"+version+".tgz", nil)
			page := html.UnescapeString(why(name + "@" + version))
			_, said, refused := strings.Cut(page, "<strong>Refused.</strong> <bdi>")
			said, _, _ = strings.Cut(said, "</bdi>")
			switch {
			case refused != (a.Status == 403):
				t.Errorf("%s@%s: the client is answered %v, the page says %q", name, version, a, said)
			case refused && !strings.Contains(a.Body, said):
				t.Errorf("%s@%s: the client reads %s, the page says %q", name, version, a.Body, said)
			}
		}
	}
	g.has(why("left-pad@1.0.0"), "left-pad 1.0.0 is blocked by this registry", "<code>npm:left-pad@1.0.0</code>")
	g.has(why("left-pad@2.0.0"), "No rule refuses")
	g.has(why("evil-kit@2.0.0"), "evil-kit is blocked by", "<code>npm:evil-*</code>")
	g.has(why("fast@9.9.9"), "It is exempt", "<code>npm:fast</code>")
	g.has(why("@acme/tool@1.0.0"), "The configuration claims the name", "<code>claims: npm:@acme/*</code>")
	g.has(why("hosted@1.0.0"), "It was published here")
	g.has(v.read("/-/admin/policy"), "left-pad", ">blocked<", "Asked for, and withheld", "3 days")
	g.has(why("<b>@<i>"), "&lt;b&gt;")
	g.has(v.read("/-/admin/policy?kind=npm&name=demo@1.0.0&who=nobody"), "There is no user")
	g.has(v.read("/-/admin/policy?kind=npm&name=demo@1.0.0&who=ada"), "May <bdi>ada</bdi> read it?")
}

func TestNamesAreClaimedAndReleased(t *testing.T) {
	g, _ := copying(t, nil, "demo")
	v := g.administrator()
	g.fetch("demo")
	form := url.Values{"kind": {"npm"}, "name": {"demo"}}
	g.has(v.done("/-/admin/policy", "/-/admin/policy/claim", form), "The name is ours.", "demo", "claimed")
	if a := g.Do("GET", "/npm/demo", nil); a.Status != 404 {
		t.Errorf("%v: an upstream is asked for a name that is ours", a)
	}
	form.Set("release", "1")
	asked := v.send("/-/admin/policy", "/-/admin/policy/claim", form)
	g.has(v.Want(asked, 200, "Release demo?").Body, "decides what your clients get")
	form.Set("sure", "1")
	v.done("/-/admin/policy", "/-/admin/policy/claim", form)
	g.Want(g.Do("GET", "/npm/demo", nil), 200, "")
	for want, form := range map[string]url.Values{
		"is not a kind of package":       {"kind": {"none"}, "name": {"demo"}},
		"A claim is of one name":         {"kind": {"npm"}, "name": {"@acme/*"}},
		"is not a name of this registry": {"kind": {"npm"}, "name": {"never"}, "release": {"1"}, "sure": {"1"}},
	} {
		a := v.send("/-/admin/policy", "/-/admin/policy/claim", form)
		if a.Status < 400 || a.Status >= 500 || !strings.Contains(a.Body, want) {
			t.Errorf("%v: want a refusal with %q", a, want)
		}
	}
}

func TestNamesThatAreOursGoOnWhereTheyEnded(t *testing.T) {
	g := newRig(t)
	v := g.administrator()
	for i := range namesShown + 3 {
		name := "claimed-" + strings.Repeat("x", i)
		if err := g.Store.ClaimName(t.Context(), "npm", name); err != nil {
			t.Fatal(err)
		}
	}
	page := v.read("/-/admin/policy")
	if n := strings.Count(page, `value="claimed-`); n != namesShown {
		t.Errorf("the page has %d names, want %d", n, namesShown)
	}
	_, next, _ := strings.Cut(page, `rel="next" href="`)
	next, _, _ = strings.Cut(next, `#`)
	if n := strings.Count(v.read(strings.ReplaceAll(next, "&amp;", "&")), `value="claimed-`); n != 3 {
		t.Errorf("the next page has %d names, want 3", n)
	}
}
