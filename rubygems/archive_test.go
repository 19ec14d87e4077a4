package rubygems

// What is read from a .gem, and what of it is refused.

import (
	"bytes"
	"strings"
	"testing"

	"larder/internal/problem"
	"larder/internal/wiretest"
	"larder/rubygems/archive"
	"larder/rubygems/compactindex"
	"larder/rubygems/names"
	"larder/rubygems/version"
)

// readGem reads a release as a push does.
func readGem(r *release) (*archive.Gem, error) { return archive.Read(bytes.NewReader(r.build())) }

func TestGemSaysWhichVersionItIs(t *testing.T) {
	r := newRelease("demo", "1.10")
	r.deps = []string{"rack >= 1.0, < 3"}
	g, err := readGem(r)
	if err != nil {
		t.Fatal(err)
	}
	wiretest.Equal(t, "name", g.Spec.Name, "demo")
	wiretest.Equal(t, "version", g.Spec.Version, "1.10")
	wiretest.Equal(t, "number of dependencies", len(g.Spec.Dependencies), 1)
	wiretest.Equal(t, "signed", g.Signed, false)
	wiretest.Equal(t, "without checksums", g.Unchecked, false)
	wiretest.Equal(t, "SHA-256 of the data", g.Sums["SHA256"][archive.Data], g.Own["SHA256"][archive.Data])
	wiretest.Equal(t, "SHA-512 of the metadata", g.Sums["SHA512"][archive.Metadata], g.Own["SHA512"][archive.Metadata])
}

// CVE-2019-8320: clients delete and write what data.tar.gz names.
func TestFileThatLeadsOutsideIsRefused(t *testing.T) {
	for name, content := range map[string]string{
		"../x": "y", "/x": "y", "a/../../x": "y", `..\x`: "y", "link": "->/etc/passwd", "a/b": "->../../x", "c": "->..",
	} {
		r := newRelease("demo", "1.0")
		r.files[name] = content
		_, err := readGem(r)
		if problem.Status(err) != 400 || !strings.Contains(problem.Public(err), "leads outside") {
			t.Errorf("the file %q with %q gives %v, want that it leads outside", name, content, err)
		}
	}
}

func TestFileThatStaysInsideIsAccepted(t *testing.T) {
	for name, content := range map[string]string{
		"a/link": "->../lib", "link": "->lib/demo.rb", "x..y": "z", "a/..b": "c",
	} {
		r := newRelease("demo", "1.0")
		r.files[name] = content
		if _, err := readGem(r); err != nil {
			t.Errorf("the file %q with %q gives %v", name, content, err)
		}
	}
}

func TestMemberThatUnpacksToMuchIsRefused(t *testing.T) {
	zeros := zipped(make([]byte, archive.MaxMember+1))
	for _, name := range []string{archive.Metadata, archive.Checksums} {
		r := newRelease("demo", "1.0")
		r.members = func(l []member) []member {
			for i := range l {
				if l[i].name == name {
					l[i].content = zeros
				}
			}
			return l
		}
		if _, err := readGem(r); problem.Status(err) != 413 {
			t.Errorf("a %s of zeros gives %v, want a 413", name, err)
		}
	}
	r := newRelease("demo", "1.0")
	r.members = func(l []member) []member {
		for range 20 {
			l = append(l, member{name: archive.Checksums, content: zeros})
		}
		return l
	}
	if _, err := readGem(r); err == nil {
		t.Error("a gem with a member 20 times is accepted")
	}
}

func FuzzArchive(f *testing.F) {
	f.Add(newRelease("demo", "1.0").build())
	rich := newRelease("demo", "1.0.a")
	rich.platform, rich.deps = "x86_64-linux", []string{"a >= 1, < 2", "dev b ~> 1.0"}
	rich.members = signed
	rich.more = "cert_chain:\n- x\nmetadata:\n  a_uri: https://example.com\n"
	f.Add(rich.build())
	bare := newRelease("demo", "1.0")
	bare.files = nil
	bare.members = func(l []member) []member { return l[:2] }
	f.Add(bare.build())
	f.Add([]byte{0x1f, 0x8b})
	f.Fuzz(func(t *testing.T, p []byte) {
		g, err := archive.Read(bytes.NewReader(p))
		if err != nil {
			if s := problem.Status(err); s != 400 && s != 413 {
				t.Fatalf("%v is a %d", err, s)
			}
			return
		}
		if archive.Check(g.Spec) != nil {
			return
		}
		// Whatever is accepted can stand in the index, and be read back from it.
		line := compactindex.Line(g.Spec, strings.Repeat("0", 64), g.Spec.Date)
		id, rest, ok := strings.Cut(line, " ")
		if !ok || strings.Index(line, "\n") != len(line)-1 || !strings.Contains(rest, "|checksum:") {
			t.Fatalf("%+v has the line %q", g.Spec, line)
		}
		if number, platform := version.Split(id); number != g.Spec.Version || platform != g.Spec.Platform {
			t.Fatalf("%+v has the ID %s", g.Spec, id)
		}
		for _, full := range fullNames(g.Spec.Name, g.Spec.Version, g.Spec.Platform) {
			if !names.IsFullName(full) {
				t.Fatalf("%q cannot be asked for", full)
			}
		}
		if _, err := g.Spec.Quick(); err != nil {
			t.Fatal(err)
		}
		if !version.Valid(g.Spec.Version) {
			t.Fatal(g.Spec.Version)
		}
	})
}
