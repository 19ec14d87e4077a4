package composer

// Documents in full, as golden files.

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"larder/composer/minify"
	"larder/internal/wiretest"
)

// TestGoldenDocuments: the documents of one package in full, byte for byte.
func TestGoldenDocuments(t *testing.T) {
	at := func(day int) time.Time { return time.Date(2026, 1, day, 3, 4, 5, 6_000_000, time.UTC) }
	raw := func(key, value string) minify.Field { return minify.Field{Key: key, Value: []byte(value)} }
	ref := func(i int) string { return fmt.Sprintf("%040x", i) }
	releases := &listed{Name: "acme/demo", Fragments: []fragment{
		{
			ID: "1.0.0.0", Version: "v1.0.0", Reference: ref(1), Published: at(1),
			Fields: []minify.Field{
				raw("description", `"It's \"quoted\" <ok>"`), raw("type", `"library"`), raw("require", `{"php":">=7"}`),
			},
		},
		{
			ID: "2.0.0.0-beta1", Version: "2.0.0-beta1", Reference: ref(3), Published: at(3),
			Fields: []minify.Field{
				raw("type", `"library"`), raw("require", `{"php":">=8","acme/lib":"^1.0"}`), raw("bin", `["bin/demo"]`),
				raw("time", `"2026-01-02T00:00:00Z"`),
			},
		},
		{
			ID: "1.1.0.0", Version: "1.1.0", Reference: ref(2), Published: at(2),
			Fields: []minify.Field{
				raw("type", `"library"`), raw("require", `{"php":">=8","acme/lib":"^1.0"}`), raw("abandoned", "true"),
			},
		},
	}, Advisories: []json.RawMessage{
		json.RawMessage(`{"advisoryId":"LSA-1","affectedVersions":"<1.1"}`),
	}, Malware: []json.RawMessage{json.RawMessage(`{"constraint":"1.0.0","reason":"It phones home","id":"LSA-2"}`)}}
	abandoned := json.RawMessage(`"acme/other"`)
	branches := &listed{Name: "acme/demo", Branches: true, Abandoned: abandoned, Fragments: []fragment{
		{
			ID: "dev-feature/x", Version: "dev-feature/x", Reference: ref(6), Published: at(6),
			Fields: []minify.Field{raw("type", `"library"`), raw("abandoned", "true")},
		},
		{
			ID: "1.9999999.9999999.9999999-dev", Version: "1.x-dev", Reference: ref(5), Published: at(5),
			Fields: []minify.Field{raw("type", `"library"`)},
		},
		{
			ID: "dev-main", Version: "dev-main", Reference: ref(4), Published: at(4),
			Fields: []minify.Field{raw("type", `"library"`), raw("extra", `{"branch-alias":{"dev-main":"2.x-dev"}}`)},
		},
	}}
	for _, p := range []*listed{releases, branches} {
		for i := range p.Fragments {
			f := &p.Fragments[i]
			again, err := decodeFragment([]byte(f.ID), f.encode())
			if err != nil || fmt.Sprint(again) != fmt.Sprint(*f) {
				t.Errorf("%v\n%v %v", again, *f, err)
			}
			if _, err := decodeFragment([]byte(f.ID), f.encode()[:40]); err == nil {
				t.Error("half a fragment")
			}
		}
		sortFragments(p.Fragments)
	}
	const base = "https://registry.example.com/composer"
	for name, got := range map[string][]byte{
		"releases.json": releases.metadata(base), "branches.json": branches.metadata(base),
		"packages.json": rootDocument(base, []string{"acme/demo", "acme/lib"}),
	} {
		if !json.Valid(got) {
			t.Errorf("%s is not JSON", name)
		}
		wiretest.Golden(t, name, string(got))
	}
}
