package pom

// What is read of a POM.

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"larder/maven/markup"
)

const fullPOM = `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE project>
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <parent><groupId>com.acme</groupId><artifactId>parent</artifactId><version>7</version></parent>
  <artifactId> lib </artifactId>
  <packaging>${kind}</packaging>
  <name>${project.artifactId} of ${acme.name}</name>
  <description>Uses ${unknown} &lt;b&gt;</description>
  <url>javascript:alert(1)</url>
  <properties><kind>maven-plugin</kind><acme.name>Acme ${project.version}</acme.name><loop>${loop}</loop></properties>
  <licenses><license><name>MIT</name><url>https://example.com/mit</url></license></licenses>
  <developers><developer><id>ada</id><name>Ada</name></developer></developers>
  <scm><url>https://git.example.com/lib</url></scm>
  <dependencies>
    <dependency><groupId>org.x</groupId><artifactId>y</artifactId><version>${project.version}</version>
      <scope>test</scope>
      <exclusions><exclusion><groupId>a</groupId><artifactId>b</artifactId></exclusion></exclusions></dependency>
    <dependency><groupId>org.x</groupId><artifactId>z</artifactId></dependency>
  </dependencies>
  <dependencyManagement>
    <dependencies>
      <dependency><groupId>org.x</groupId><artifactId>z</artifactId><version>3</version></dependency>
    </dependencies>
  </dependencyManagement>
  <distributionManagement>
    <relocation><artifactId>lib2</artifactId><message>moved to ${kind}</message></relocation>
  </distributionManagement>
  <repositories><repository><url>http://elsewhere.example.com</url></repository></repositories>
</project>`

// TestPOMFactsAreReadFromIt: what is shown and found of a version is what its POM says, clipped and filled in.
func TestPOMFactsAreReadFromIt(t *testing.T) {
	facts, warnings := ReadFacts([]byte(fullPOM), "com.acme", "lib", "7")
	want := &Facts{
		Needs:     []string{"org.x:z"},
		Packaging: "maven-plugin", Name: "lib of Acme 7", Description: "Uses ${unknown} <b>", Licenses: []string{"MIT"},
		Parent:     "com.acme:parent:7",
		Relocation: "com.acme:lib2:7", Message: "moved to maven-plugin",
	}
	if !reflect.DeepEqual(facts, want) || len(warnings) != 1 || !strings.Contains(warnings[0], "repositories") {
		t.Errorf("%+v %q", facts, warnings)
	}
	for _, c := range []struct{ group, artifact, version, want string }{
		{"com.other", "lib", "7", `groupId is "com.acme", not "com.other"`}, {"com.acme", "x", "7", "artifactId"},
		{"com.acme", "lib", "8", "version"},
	} {
		if _, warnings := ReadFacts([]byte(fullPOM), c.group, c.artifact, c.version); !strings.Contains(
			strings.Join(warnings, ";"), c.want,
		) {
			t.Errorf("%q, want %s", warnings, c.want)
		}
	}
	const head = "<project><groupId>g</groupId><artifactId>a</artifactId><version>1</version>"
	bom := head +
		"<packaging>pom</packaging><dependencyManagement><dependencies><dependency><groupId>x</groupId></dependency>" +
		"</dependencies></dependencyManagement></project>"
	if facts, warnings := ReadFacts([]byte(bom), "g", "a", "1"); !facts.BOM || facts.Packaging != "pom" ||
		len(warnings) > 0 {
		t.Errorf("%+v %q", facts, warnings)
	}
	aggregator := strings.Replace(bom, "</packaging>", "</packaging><modules><module>x</module></modules>", 1)
	if facts, _ := ReadFacts([]byte(aggregator), "g", "a", "1"); facts.BOM {
		t.Error("a list of modules is no BOM")
	}
	// ${revision} is what CI-friendly versions are written as.
	if _, warnings := ReadFacts(
		[]byte(strings.Replace(head, ">1<", ">${revision}<", 1)+"</project>"), "g", "a", "1",
	); len(warnings) > 0 {
		t.Errorf("%q", warnings)
	}
	for _, text := range []string{
		"", "x", "<html/>", "<project>", "<project><version>&unknown;</version></project>", "<project></wrong>",
		`<?xml version="1.0" encoding="EBCDIC"?><project/>`,
	} {
		if facts, warnings := ReadFacts([]byte(text), "g", "a", "1"); facts.Packaging != "jar" || len(warnings) != 1 ||
			warnings[0] != "the POM cannot be read" {
			t.Errorf("%s: %+v %q", text, facts, warnings)
		}
	}
}

// TestPOMsInOldEncodings: old POMs are not in UTF-8.
func TestPOMsInOldEncodings(t *testing.T) {
	for _, encoding := range []string{"ISO-8859-1", "windows-1252", "US-ASCII"} {
		name := "J\xf6rg"
		if encoding == "US-ASCII" {
			name = "Jo"
		}
		text := `<?xml version="1.0" encoding="` + encoding + `"?><project><name>` + name + `</name></project>`
		p, err := Read([]byte(text))
		if err != nil || p.Name != "Jörg" && p.Name != "Jo" {
			t.Errorf("%s: %+v %v", encoding, p, err)
		}
	}
}

// TestReadingHugePOMsEnds: depth, number of elements, and growth by entities or properties all end.
func TestReadingHugePOMsEnds(t *testing.T) {
	deep := strings.Repeat("<a>", markup.MaxDepth) + strings.Repeat("</a>", markup.MaxDepth)
	if _, err := Read([]byte("<project>" + deep + "</project>")); !errors.Is(err, markup.ErrDepth) {
		t.Errorf("depth: %v", err)
	}
	if _, err := Read([]byte("<project>" + strings.Repeat("<a/>", markup.POMTokens) + "</project>")); !errors.Is(
		err, markup.ErrTokens,
	) {
		t.Errorf("elements: %v", err)
	}
	laughs := `<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><project><name>&b;</name></project>`
	if _, err := Read([]byte(laughs)); err == nil {
		t.Error("entities of the document count")
	}
	if _, err := Read(
		[]byte(`<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><project><name>&e;</name></project>`),
	); err == nil {
		t.Error("external entities are read")
	}
	grow := "<project><name>${a}</name><properties><a>" + strings.Repeat("${b}", 2000) + "</a><b>" + strings.Repeat(
		"${c}", 2000,
	) + "</b><c>" + strings.Repeat("x", 100_000) + "</c><d>${d}</d></properties></project>"
	p, err := Read([]byte(grow))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(p.fill("${a}")); n > 300_000 {
		t.Errorf("a name of %d bytes", n)
	}
	if got := p.fill("${d} ${a"); got != "${d} ${a" {
		t.Errorf("%q", got)
	}
}

func TestWebURL(t *testing.T) {
	for u, want := range map[string]string{
		"https://example.com/x": "https://example.com/x", "http://example.com": "http://example.com",
		"javascript:alert(1)": "", "data:text/html,x": "", "//example.com": "", "https://": "", "https://u:p@example.com": "",
		"": "",
	} {
		if got := webURL(u); got != want {
			t.Errorf("%q: %q", u, got)
		}
	}
}

func FuzzPOM(f *testing.F) {
	f.Add([]byte(fullPOM))
	f.Add(
		[]byte(
			`<?xml version="1.0" encoding="ISO-8859-1"?><project><name>` + "\xf6" +
				`</name><properties><a>${b}${b}</a><b>${a}</b></properties></project>`,
		),
	)
	f.Add([]byte(`<project><parent/><distributionManagement><relocation/></distributionManagement></project>`))
	f.Add([]byte(`<!DOCTYPE a [<!ENTITY b "c">]><project><name>&b;</name></project>`))
	f.Fuzz(func(t *testing.T, p []byte) {
		facts, warnings := ReadFacts(p, "g", "a", "1")
		if facts == nil || len(facts.Name) > 200 || len(facts.Description) > 500 || len(facts.Licenses) > 10 ||
			len(warnings) > 5 {
			t.Fatalf("%+v %q", facts, warnings)
		}
		if facts.URL != "" && !strings.HasPrefix(strings.ToLower(facts.URL), "http") {
			t.Fatalf("link %q", facts.URL)
		}
		parsed, err := Read(p)
		if err != nil {
			return
		}
		parsed.TakeFrom(parsed)
		if dependencies, _ := parsed.Show(&Info{}); len(dependencies) > maxShown {
			t.Fatal("too many dependencies")
		}
	})
}
