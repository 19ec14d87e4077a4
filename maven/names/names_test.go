package names

// The names of files, builds and coordinates.

import (
	"testing"

	"larder/internal/problem"
)

// TestPrefixAndGroupOfAName: the line of prefixes.txt, and the name under which plugins are kept.
func TestPrefixAndGroupOfAName(t *testing.T) {
	for group, want := range map[string]string{"junit": "junit", "com.acme": "com/acme", "com.acme.tools.x": "com/acme"} {
		if got := Prefix(group); got != want {
			t.Errorf("%s: %s", group, got)
		}
	}
	for group, want := range map[string]string{
		"junit": ":junit", "com.acme": "com:acme", "com.acme.tools": "com.acme:tools",
	} {
		if got := GroupOf(group); got != want {
			t.Errorf("%s: %s", group, got)
		}
	}
}

// TestFileNameIsTakenApartAndJoined: what is known of a file by its name.
func TestFileNameIsTakenApartAndJoined(t *testing.T) {
	for _, c := range []struct {
		artifact, version, file string
		want                    File
	}{
		{"lib", "1.0", "lib-1.0.jar", File{"1.0", "", "jar", ""}},
		{"lib", "1.0", "lib-1.0.pom", File{"1.0", "", "pom", ""}},
		{"lib", "1.0", "lib-1.0-sources.jar", File{"1.0", "sources", "jar", ""}},
		{"lib", "1.0", "lib-1.0-jdk1.8.jar", File{"1.0", "jdk1.8", "jar", ""}},
		{"lib", "1.0", "lib-1.0-bin.tar.gz", File{"1.0", "bin", "tar.gz", ""}},
		{"lib", "1.0", "lib-1.0.tar.gz", File{"1.0", "", "tar.gz", ""}},
		{"lib", "1.0", "lib-1.0.jar.asc", File{"1.0", "", "jar", ".asc"}},
		{"lib", "1.0", "lib-1.0-sources.jar.sigstore.json", File{"1.0", "sources", "jar", ".sigstore.json"}},
		{"lib", "1.0", "lib-1.0-build.pom", File{"1.0", "build", "pom", ""}},
		{"lib", "2.0-SNAPSHOT", "lib-2.0-SNAPSHOT.jar", File{"2.0-SNAPSHOT", "", "jar", ""}},
		{"lib", "2.0-SNAPSHOT", "lib-2.0-SNAPSHOT-tests.jar", File{"2.0-SNAPSHOT", "tests", "jar", ""}},
		{"lib", "2.0-SNAPSHOT", "lib-2.0-20261121.093001-2.jar", File{"2.0-20261121.093001-2", "", "jar", ""}},
		{
			"lib", "2.0-SNAPSHOT", "lib-2.0-20261121.093001-12-tests.jar.asc",
			File{"2.0-20261121.093001-12", "tests", "jar", ".asc"},
		},
		{"lib", "SNAPSHOT", "lib-20261121.093001-2.jar", File{"20261121.093001-2", "", "jar", ""}},
		// What does not follow the layout is opaque.
		{"lib", "1.0", "lib-1.0", File{}},
		{"lib", "1.0", "lib-1.0-", File{}},
		{"lib", "1.0", "lib-1.0-sources", File{}},
		{"lib", "1.0", "lib-1.0.", File{}},
		{"lib", "1.0", "ivy-1.0.xml", File{}},
		{"lib", "1.0", "lib-1.1.jar", File{}},
		{"lib", "1.0", "lib-1.01.jar", File{}},
		{"sbt-x_2.12_1.0", "1.0", "sbt-x-1.0.jar", File{}},
		{"lib", "2.0-SNAPSHOT", "lib-2.0.jar", File{}},
		{"lib", "2.0-SNAPSHOT", "lib-2.0-20261121.093001.jar", File{}},
	} {
		got := SplitFile(c.artifact, c.version, c.file)
		if got != c.want {
			t.Errorf("%s in %s: %+v, want %+v", c.file, c.version, got, c.want)
		}
		if got.Version != "" && got.Join(c.artifact) != c.file {
			t.Errorf("%s → %+v → %s", c.file, got, got.Join(c.artifact))
		}
	}
	for file, want := range map[string]bool{
		"lib-1.0.pom": true, "lib-1.0-build.pom": false, "lib-1.0-consumer.pom": false, "lib-1.0.pom.asc": false,
		"x.pom": false,
	} {
		if SplitFile("lib", "1.0", file).IsPOM() != want {
			t.Errorf("%s: POM %t", file, !want)
		}
	}
}

// TestBuildsAreOrderedByTimeAndNumber: what is a build of a snapshot, and which of two is newer.
func TestBuildsAreOrderedByTimeAndNumber(t *testing.T) {
	for id, want := range map[string]string{
		"2.0-20261121.093001-2": "20261121.093001-000000002", "2.0-20261121.093001-1234567890": "", "2.0-SNAPSHOT": "",
		"2.0": "", "2.0-20261121.093001-2-x": "", "20261121.093001-2": "",
	} {
		timestamp, number, ok := SplitBuild("2.0-SNAPSHOT", id)
		got := ""
		if ok {
			got = BuildKey(timestamp, number)
		}
		if got != want {
			t.Errorf("%s: %q, want %q", id, got, want)
		}
	}
	if !Newer("2-SNAPSHOT", "2-20261121.093001-10", "2-20261121.093001-9") ||
		Newer("2-SNAPSHOT", "2-20261121.093001-1", "2-20261121.093002-1") || !Newer("2-SNAPSHOT", "2-20261121.093001-1", "") {
		t.Error("builds are not in order")
	}
}

// TestCoordinatesAllowOnlySomeCharacters: those of Latin, or letters of every script.
func TestCoordinatesAllowOnlySomeCharacters(t *testing.T) {
	for _, c := range []struct {
		group, artifact, version string
		latin, any               bool
	}{
		{"com.acme", "lib", "1.0", true, true}, {"com.acme", "lib_2.13", "1.0+b1", true, true},
		{"com.acme", "Lib", "v1", true, true}, {"com.acme", "lib", "ü1", false, true},
		{"com.acme", "бib", "1", false, true}, {"com.acme", "lib", "1 0", false, false},
		{"com.acme", "lib", "(1)", false, false}, {"com.acme", "lib", "$1", false, false},
		{"com.acme", "lib", ".1", false, false}, {"com.acme", "+lib", "1", false, false},
		{"com.acme", "li😀b", "1", false, false}, {"co<m", "lib", "1", false, false},
	} {
		for anyScript, want := range map[bool]bool{false: c.latin, true: c.any} {
			if err := CheckCoordinates(c.group, c.artifact, c.version, anyScript); (err == nil) != want ||
				err != nil && problem.Status(err) != 400 {
				t.Errorf("%s:%s:%s, any script %t: %v", c.group, c.artifact, c.version, anyScript, err)
			}
		}
	}
}
