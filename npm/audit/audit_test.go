package audit

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"larder/internal/wire"
	"larder/internal/wiretest"
	"larder/store/storetest"
)

const loaded = `[
	{"id":7,"package":"demo","title":"Bad","severity":"high","vulnerable_versions":"<1.2.0","cwe":["CWE-1"]},
	{"id":"X-8","package":"demo","title":"Worse","severity":"critical","vulnerable_versions":">=1.1.0 <1.2.0"},
	{"id":"X-9","package":"demo.x","title":"Other","severity":"low","vulnerable_versions":"*"}]`

func newAudit(t *testing.T) *Audit {
	t.Helper()
	a := New(storetest.New(t))
	if _, err := ask(a.Set, loaded); err != nil {
		t.Fatal(err)
	}
	return a
}

func ask(serve func(http.ResponseWriter, *http.Request) error, body string) (answer wiretest.Answer, err error) {
	w := httptest.NewRecorder()
	err = serve(w, httptest.NewRequest("POST", "/", strings.NewReader(body)))
	return wiretest.Answer{Status: w.Code, Header: w.Header(), Body: w.Body.String()}, err
}

func TestBulk(t *testing.T) {
	a := newAudit(t)
	for body, want := range map[string]string{
		`{}`: "", `{"demo":["1.2.0"]}`: "", `{"demo":["1.0.0"]}`: "7", `{"demo":["1.1.0","2.0.0"]}`: `7 "X-8"`, `{"demo":["latest","1.1"]}`: "", `{"absent":["1.0.0"],"":["1.0.0"]}`: "",
	} {
		answer, err := ask(a.Bulk, body)
		if err != nil {
			t.Fatal(err)
		}
		var got map[string][]Advisory
		answer.Decode(t, &got)
		var ids []string
		for _, adv := range got["demo"] {
			ids = append(ids, string(adv.ID))
			if adv.Package != "" {
				t.Errorf("%s: the answer repeats the name: %v", body, answer)
			}
		}
		if strings.Join(ids, " ") != want {
			t.Errorf("%s: %v", body, answer)
		}
	}
}

// TestE_Limits: neither too many packages nor anything but an object of lists is audited.
func TestE_Limits(t *testing.T) {
	a := newAudit(t)
	many := map[string][]string{}
	for i := range maxPackages + 1 {
		many[fmt.Sprint("p", i)] = nil
	}
	for _, c := range []struct {
		body   string
		status int
	}{{wiretest.JSON(many), 413}, {`[]`, 400}, {`{"demo":"1.0.0"}`, 400}, {`{`, 400}} {
		if answer, err := ask(a.Bulk, c.body); wire.Status(err) != c.status {
			t.Errorf("%.40s: %v %v", c.body, answer, err)
		}
	}
	if answer, err := ask(a.Quick, `{"dependencies":[]}`); wire.Status(err) != 400 {
		t.Errorf("%v %v", answer, err)
	}
}

// TestQuick: where in the tree a vulnerable version is, and how many there are of each severity.
func TestQuick(t *testing.T) {
	a := newAudit(t)
	answer, err := ask(a.Quick, `{"dependencies":{"a":{"version":"1.0.0","dependencies":{"demo":{"version":"1.1.0"}}},"demo":{"version":"1.0.0"},"b":{"version":"1.0.0","dependencies":{"demo":{"version":"1.1.0"}}}}}`)
	if err != nil {
		t.Fatal(err)
	}
	got := answer.Object(t)
	counts := wiretest.At(got, "metadata", "vulnerabilities")
	if wiretest.At(counts, "high") != 2.0 || wiretest.At(counts, "critical") != 1.0 || wiretest.At(counts, "info") != 0.0 || wiretest.At(got, "metadata", "totalDependencies") != 4.0 {
		t.Errorf("%v", answer)
	}
	findings := wiretest.At(got, "advisories", "X-8", "findings").([]any)
	if len(findings) != 1 || len(wiretest.At(findings[0], "paths").([]any)) != 2 {
		t.Errorf("%v", findings)
	}
	tree := `{"dependencies":{`
	for i := range 150 {
		tree += fmt.Sprintf(`"p%d":{"version":"1.0.0","dependencies":{"demo":{"version":"1.0.0"}}},`, i)
	}
	if answer, err = ask(a.Quick, strings.TrimSuffix(tree, ",")+`}}`); err != nil {
		t.Fatal(err)
	}
	findings = wiretest.At(answer.Object(t), "advisories", "7", "findings").([]any)
	if n := len(wiretest.At(findings[0], "paths").([]any)); n != 100 {
		t.Errorf("%d paths", n)
	}
}

func TestFault(t *testing.T) {
	good := Advisory{ID: []byte("7"), Package: "demo", Title: "Bad", Severity: "high", Range: "<1.0.0", URL: "https://advisories.example.com/7"}
	if f := good.Fault(); f != "" {
		t.Error(f)
	}
	for want, change := range map[string]func(*Advisory){
		"package": func(a *Advisory) { a.Package = "../x" }, "vulnerable_versions": func(a *Advisory) { a.Range = "^1" }, "severity": func(a *Advisory) { a.Severity = "bad" },
		"an id": func(a *Advisory) { a.ID = nil }, "a title": func(a *Advisory) { a.Title = "" }, "url": func(a *Advisory) { a.URL = "javascript:x" },
	} {
		bad := good
		change(&bad)
		if f := bad.Fault(); !strings.Contains(f, want) {
			t.Errorf("%s: %q", want, f)
		}
	}
}
