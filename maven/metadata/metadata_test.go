package metadata

// Metadata, both ways: golden documents, and what clients send.

import (
	"encoding/xml"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"larder/internal/wiretest"
	"larder/maven/version"
)

// TestGoldenMetadata: every document in full, byte for byte.
func TestGoldenMetadata(t *testing.T) {
	at := time.Date(2026, 11, 21, 9, 30, 1, 0, time.UTC).Unix()
	plugins := []Plugin{{"hello-maven-plugin", "Hello <Plugin>", "hello"}, {"bye-maven-plugin", "", "bye"}}
	for name, got := range map[string][]byte{
		"artifact.xml": (&Artifact{
			Group: "com.acme", Artifact: "lib", Versions: []string{"1.0", "1.1", "2.0-SNAPSHOT"},
			State: State{Updated: at, Release: "1.1", Latest: "2.0-SNAPSHOT"},
		}).Render(),
		"group.xml": (&Artifact{Group: "com", Artifact: "acme", Plugins: plugins}).Render(),
		"both.xml": (&Artifact{
			Group: "com", Artifact: "acme", Versions: []string{"1-SNAPSHOT"},
			State: State{Updated: at, Latest: "1-SNAPSHOT"}, Plugins: plugins,
		}).Render(),
		"snapshot.xml": (&Snapshot{
			Group: "com.acme", Artifact: "lib", Version: "2.0-SNAPSHOT",
			Base: Base{Updated: at + 3, Build: "2.0-20261121.093001-2", Count: 2},
			Files: []File{
				{"", "jar", Newest{"2.0-20261121.093001-2", "x", at}},
				{"", "pom", Newest{"2.0-20261121.093001-2", "x", at}},
				{"sources", "jar", Newest{"2.0-20261120.080000-1", "x", at - 91801}},
			},
		}).Render(),
		"archetypes.xml": Archetypes([]Archetype{{"com.acme", "start", "1.0", "A & B"}, {"com.acme", "start", "1.1", ""}}),
		"prefixes.txt":   Prefixes([]string{"com/acme", "junit"}),
	} {
		wiretest.Golden(t, name, string(got))
		if strings.HasSuffix(name, ".xml") {
			if err := xml.Unmarshal(got, new(struct{})); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// TestSentMetadataAnnouncesVersions: what clients announce, in the forms of mvn, Gradle and old ones.
func TestSentMetadataAnnouncesVersions(t *testing.T) {
	for text, want := range map[string]string{
		`<metadata><groupId>g</groupId><versioning><release>1.1</release><latest>2-SNAPSHOT</latest><versions>` +
			`<version>1.0</version><version> 1.1 </version></versions></versioning></metadata>`: "1.0 1.1 2-SNAPSHOT",
		`<?xml version="1.0"?><metadata xmlns="http://maven.apache.org/METADATA/1.1.0" modelVersion="1.1.0">` +
			`<version>2.0-SNAPSHOT</version><versioning><snapshot><timestamp>20261121.093001</timestamp>` +
			`<buildNumber>2</buildNumber></snapshot><snapshotVersions><snapshotVersion><value>2.0-20261121.093001-2</value>` +
			`</snapshotVersion></snapshotVersions></versioning></metadata>`: "2.0-20261121.093001-2 2.0-SNAPSHOT",
		`<metadata><version>2.0-SNAPSHOT</version><versioning><snapshot><buildNumber>0</buildNumber></snapshot>` +
			`</versioning></metadata>`: "2.0-SNAPSHOT",
		`<metadata><plugins><plugin><name>x</name><prefix>p</prefix><artifactId>a</artifactId></plugin></plugins>` +
			`</metadata>`: "",
		`<metadata/>`: "",
	} {
		m, err := Read([]byte(text))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := strings.Join(slices.Sorted(maps.Keys(m.Names())), " "); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
	for _, text := range []string{"", "x", "<html/>", "<metadata>", "<metadata><versioning></metadata>"} {
		if _, err := Read([]byte(text)); err == nil {
			t.Errorf("%s was read", text)
		}
	}
}

func FuzzMetadata(f *testing.F) {
	f.Add([]byte(`<metadata><groupId>g</groupId><artifactId>a</artifactId><versioning><release>1.1</release>` +
		`<versions><version>1.0</version></versions><lastUpdated>20261121093001</lastUpdated></versioning></metadata>`))
	f.Add((&Snapshot{
		Group: "g", Artifact: "a", Version: "2-SNAPSHOT", Base: Base{Build: "2-20261121.093001-2"},
		Files: []File{{"x", "jar", Newest{ID: "2-20261121.093001-2"}}},
	}).Render())
	f.Add((&Artifact{Group: "g", Plugins: []Plugin{{"a", "<&>", "p"}}}).Render())
	f.Fuzz(func(t *testing.T, p []byte) {
		m, err := Read(p)
		if err != nil {
			return
		}
		// What was read comes through our own writing and reading.
		versions := slices.Sorted(maps.Keys(m.Names()))
		versions = slices.DeleteFunc(versions, func(s string) bool {
			return strings.TrimSpace(s) != s ||
				strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r >= 0xfffe || r == '\ufffd' })
		})
		if len(versions) == 0 {
			return
		}
		version.Sort(versions)
		again, err := Read(
			(&Artifact{Group: "g", Artifact: "a", Versions: versions, State: State{Latest: versions[0]}}).Render(),
		)
		if err != nil {
			t.Fatalf("%q: %v", versions, err)
		}
		have := again.Names()
		for _, n := range versions {
			if !have[n] {
				t.Fatalf("%q is lost: %v", n, have)
			}
		}
	})
}
