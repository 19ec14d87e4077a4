package maven

import (
	"strings"
	"testing"
	"time"

	"larder/internal/wire"
	"larder/store"
)

// TestA1_FileNames: what is known of a file by its name.
func TestA1_FileNames(t *testing.T) {
	for _, c := range []struct {
		artifact, version, file string
		want                    fileName
	}{
		{"lib", "1.0", "lib-1.0.jar", fileName{"1.0", "", "jar", ""}},
		{"lib", "1.0", "lib-1.0.pom", fileName{"1.0", "", "pom", ""}},
		{"lib", "1.0", "lib-1.0-sources.jar", fileName{"1.0", "sources", "jar", ""}},
		{"lib", "1.0", "lib-1.0-jdk1.8.jar", fileName{"1.0", "jdk1.8", "jar", ""}},
		{"lib", "1.0", "lib-1.0-bin.tar.gz", fileName{"1.0", "bin", "tar.gz", ""}},
		{"lib", "1.0", "lib-1.0.tar.gz", fileName{"1.0", "", "tar.gz", ""}},
		{"lib", "1.0", "lib-1.0.jar.asc", fileName{"1.0", "", "jar", ".asc"}},
		{"lib", "1.0", "lib-1.0-sources.jar.sigstore.json", fileName{"1.0", "sources", "jar", ".sigstore.json"}},
		{"lib", "1.0", "lib-1.0-build.pom", fileName{"1.0", "build", "pom", ""}},
		{"lib", "2.0-SNAPSHOT", "lib-2.0-SNAPSHOT.jar", fileName{"2.0-SNAPSHOT", "", "jar", ""}},
		{"lib", "2.0-SNAPSHOT", "lib-2.0-SNAPSHOT-tests.jar", fileName{"2.0-SNAPSHOT", "tests", "jar", ""}},
		{"lib", "2.0-SNAPSHOT", "lib-2.0-20261121.093001-2.jar", fileName{"2.0-20261121.093001-2", "", "jar", ""}},
		{"lib", "2.0-SNAPSHOT", "lib-2.0-20261121.093001-12-tests.jar.asc", fileName{"2.0-20261121.093001-12", "tests", "jar", ".asc"}},
		{"lib", "SNAPSHOT", "lib-20261121.093001-2.jar", fileName{"20261121.093001-2", "", "jar", ""}},
		// What does not follow the layout is opaque.
		{"lib", "1.0", "lib-1.0", fileName{}},
		{"lib", "1.0", "lib-1.0-", fileName{}},
		{"lib", "1.0", "lib-1.0-sources", fileName{}},
		{"lib", "1.0", "lib-1.0.", fileName{}},
		{"lib", "1.0", "ivy-1.0.xml", fileName{}},
		{"lib", "1.0", "lib-1.1.jar", fileName{}},
		{"lib", "1.0", "lib-1.01.jar", fileName{}},
		{"sbt-x_2.12_1.0", "1.0", "sbt-x-1.0.jar", fileName{}},
		{"lib", "2.0-SNAPSHOT", "lib-2.0.jar", fileName{}},
		{"lib", "2.0-SNAPSHOT", "lib-2.0-20261121.093001.jar", fileName{}},
	} {
		got := splitFile(c.artifact, c.version, c.file)
		if got != c.want {
			t.Errorf("%s in %s: %+v, want %+v", c.file, c.version, got, c.want)
		}
		if got.Version != "" && got.join(c.artifact) != c.file {
			t.Errorf("%s → %+v → %s", c.file, got, got.join(c.artifact))
		}
	}
	for file, want := range map[string]bool{"lib-1.0.pom": true, "lib-1.0-build.pom": false, "lib-1.0-consumer.pom": false, "lib-1.0.pom.asc": false, "x.pom": false} {
		if splitFile("lib", "1.0", file).isPOM() != want {
			t.Errorf("%s: POM %t", file, !want)
		}
	}
}

func TestA1_Builds(t *testing.T) {
	for id, want := range map[string]string{
		"2.0-20261121.093001-2": "20261121.093001-000000002", "2.0-20261121.093001-1234567890": "", "2.0-SNAPSHOT": "", "2.0": "", "2.0-20261121.093001-2-x": "", "20261121.093001-2": "",
	} {
		timestamp, number, ok := splitBuild("2.0-SNAPSHOT", id)
		got := ""
		if ok {
			got = buildKey(timestamp, number)
		}
		if got != want {
			t.Errorf("%s: %q, want %q", id, got, want)
		}
	}
	if !newerBuild("2-SNAPSHOT", "2-20261121.093001-10", "2-20261121.093001-9") || newerBuild("2-SNAPSHOT", "2-20261121.093001-1", "2-20261121.093002-1") || !newerBuild("2-SNAPSHOT", "2-20261121.093001-1", "") {
		t.Error("builds are not in order")
	}
}

func TestA10_Coordinates(t *testing.T) {
	for _, c := range []struct {
		group, artifact, version string
		latin, any               bool
	}{
		{"com.acme", "lib", "1.0", true, true}, {"com.acme", "lib_2.13", "1.0+b1", true, true}, {"com.acme", "Lib", "v1", true, true}, {"com.acme", "lib", "ü1", false, true},
		{"com.acme", "бib", "1", false, true}, {"com.acme", "lib", "1 0", false, false}, {"com.acme", "lib", "(1)", false, false}, {"com.acme", "lib", "$1", false, false},
		{"com.acme", "lib", ".1", false, false}, {"com.acme", "+lib", "1", false, false}, {"com.acme", "li😀b", "1", false, false}, {"co<m", "lib", "1", false, false},
	} {
		for anyScript, want := range map[bool]bool{false: c.latin, true: c.any} {
			if err := checkCoordinates(c.group, c.artifact, c.version, anyScript); (err == nil) != want || err != nil && wire.Status(err) != 400 {
				t.Errorf("%s:%s:%s, any script %t: %v", c.group, c.artifact, c.version, anyScript, err)
			}
		}
	}
}

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
			v.Meta.POM = &pomFacts{Packaging: packaging}
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
