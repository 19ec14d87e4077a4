package maven

// When an open version looks finished.

import (
	"testing"
	"time"

	"larder/maven/pom"
	"larder/store"
)

// TestCompleteVersionHasPOMAndMainFile: what mvn brings has a POM; what curl brings needs none.
func TestCompleteVersionHasPOMAndMainFile(t *testing.T) {
	version := func(waits bool, packaging string, files ...string) store.Version[Meta] {
		v := store.Version[Meta]{ID: "1", Meta: Meta{Base: "1", Waits: waits}}
		if packaging != "" {
			v.Meta.POM = &pom.Facts{Packaging: packaging}
		}
		for _, f := range files {
			v.Files = append(v.Files, store.File{Name: "1/" + f})
		}
		return v
	}
	broken := version(false, "jar", "a-1.jar", "a-1.pom")
	broken.Meta.Broken = map[string]string{"a-1-sources.jar": "x"}
	for what, c := range map[string]struct {
		v    store.Version[Meta]
		want bool
	}{
		"whole": {version(true, "jar", "a-1.jar", "a-1.pom"), true}, "only POM": {version(false, "jar", "a-1.pom"), false},
		"parent":      {version(true, "pom", "a-1.pom"), true},
		"jar of curl": {version(false, "", "a-1.jar"), true}, "jar of mvn": {version(true, "", "a-1.jar"), false},
		"other packaging": {version(false, "hpi", "a-1.hpi", "a-1.pom"), true},
		"sources only":    {version(false, "jar", "a-1.pom", "a-1-sources.jar"), false},
		"signature only":  {version(false, "jar", "a-1.pom", "a-1.jar.asc"), false}, "broken": {broken, false},
		"empty": {version(false, ""), false},
	} {
		if ok, why := complete("a", c.v); ok != c.want || ok == (why != "") {
			t.Errorf("%s: %t %q", what, ok, why)
		}
	}
	if !unixOf([]byte("x")).IsZero() || !unixOf([]byte("1")).Equal(time.Unix(1, 0)) {
		t.Error("unixOf")
	}
}
