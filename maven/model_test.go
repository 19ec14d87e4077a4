package maven

import (
	"strings"
	"testing"
	"time"

	"larder/maven/pom"
	"larder/store"
)

func TestA5_ParseSum(t *testing.T) {
	hex := strings.Repeat("a1b2", 8)
	for text, want := range map[string]string{
		hex: hex, strings.ToUpper(hex): hex, hex + "\n": hex, "\n\n " + hex + "  lib.jar\n": hex, "MD5 (lib.jar) = " + hex: hex, "lib.jar: " + strings.TrimSpace(strings.Repeat("A1 B2 ", 8)): hex,
		"lib.jar " + hex: hex, hex[:31]: "", hex + "0": "", "": "", "<html>": "", "x\n" + hex: "",
	} {
		if got := parseSum(text, "md5"); got != want {
			t.Errorf("%q: %q", text, got)
		}
	}
}

func TestA4_Complete(t *testing.T) {
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
		"whole": {version(true, "jar", "a-1.jar", "a-1.pom"), true}, "only POM": {version(false, "jar", "a-1.pom"), false}, "parent": {version(true, "pom", "a-1.pom"), true},
		"jar of curl": {version(false, "", "a-1.jar"), true}, "jar of mvn": {version(true, "", "a-1.jar"), false}, "other packaging": {version(false, "hpi", "a-1.hpi", "a-1.pom"), true},
		"sources only": {version(false, "jar", "a-1.pom", "a-1-sources.jar"), false}, "signature only": {version(false, "jar", "a-1.pom", "a-1.jar.asc"), false}, "broken": {broken, false}, "empty": {version(false, ""), false},
	} {
		if ok, why := complete("a", c.v); ok != c.want || ok == (why != "") {
			t.Errorf("%s: %t %q", what, ok, why)
		}
	}
	if !unixOf([]byte("x")).IsZero() || !unixOf([]byte("1")).Equal(time.Unix(1, 0)) {
		t.Error("unixOf")
	}
}
