package upstream

// Links to the next page, in the forms in which registries send them.

import (
	"net/http"
	"testing"
	"time"
)

func TestNextPageIsFoundAmongLinks(t *testing.T) {
	for header, want := range map[string]string{
		``:                           "",
		`</list?last=b>; rel="next"`: "/list?last=b",
		`</list?last=b>; rel=next`:   "/list?last=b",
		`</list?last=b>;rel=next;`:   "/list?last=b",
		`<https://images.example.com/list?n=1&last=b>; rel="next"`:      "https://images.example.com/list?n=1&last=b",
		`<?last=b> ; title="all" ; REL = "Next"`:                        "?last=b",
		`</first>; rel="first", </list?last=b>; rel="next"`:             "/list?last=b",
		`</list?last=b>; rel="next", </first>; rel="first"`:             "/list?last=b",
		`</list?last=b>; rel="last next"`:                               "/list?last=b",
		`</first>; rel=first; title="a, <b>; rel=next", </b>; rel=next`: "/b",
		`</a>; title="\"; rel=next", </b>; rel=next`:                    "/b",
		`</list?a=b,c;d>; rel=next`:                                     "/list?a=b,c;d",
		`</first>; rel="first"; rel="next"`:                             "",
		`</list>; rel="prefetch-next"`:                                  "",
		`</list>; title=next`:                                           "",
		`</list>; rel`:                                                  "",
		`</list>`:                                                       "",
		`</list>; rel="next`:                                            "/list",
		`, ,</list?last=b>; rel="next",`:                                "/list?last=b",
		`</list`:                                                        "",
		`next`:                                                          "",
	} {
		if got := NextPage(header); got != want {
			t.Errorf("%s leads to %q, want %q", header, got, want)
		}
	}
}

// TestLinksOfSeveralHeadersAreKept: each link may have a header of its own.
func TestLinksOfSeveralHeadersAreKept(t *testing.T) {
	g := newRig(t)
	g.origin.answer(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Add("Link", `</first>; rel="first"`)
		w.Header().Add("Link", `</second>; rel="next"`)
	})
	for _, what := range []string{"fetched", "kept"} {
		d, _, err := g.doc("demo")
		if err != nil {
			t.Fatal(err)
		}
		if got := NextPage(d.Next); got != "/second" {
			t.Errorf("%s: the next page of %q is %q, want /second", what, d.Next, got)
		}
		g.clock.Advance(time.Second)
	}
}

func FuzzNextPage(f *testing.F) {
	for _, header := range []string{`</list?last=b>; rel="next", </first>; rel=first`, `<a>;x="\`, `<a>=,;<`} {
		f.Add(header)
	}
	f.Fuzz(func(_ *testing.T, header string) { NextPage(header) })
}
