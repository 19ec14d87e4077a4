package rubygems

import (
	"bytes"
	"strings"
	"testing"

	"larder/internal/problem"
	"larder/rubygems/archive"
	"larder/rubygems/compactindex"
	"larder/rubygems/names"
	"larder/rubygems/version"
)

// TestReadGem: what is taken from the file, whatever the order of its members.
func TestReadGem(t *testing.T) {
	r := newRelease("demo", "1.10")
	r.deps = []string{"rack >= 1.0, < 3"}
	g, err := archive.Read(bytes.NewReader(r.build()))
	if err != nil || g.Spec.Name != "demo" || g.Spec.Version != "1.10" || g.Signed || g.Unchecked || len(g.Spec.Dependencies) != 1 {
		t.Fatalf("%+v %v", g, err)
	}
	if g.Sums["SHA256"][archive.Data] != g.Own["SHA256"][archive.Data] || g.Own["SHA512"][archive.Metadata] == "" {
		t.Errorf("%+v", g)
	}
}

// TestE_CVE_2019_8320: nothing in data.tar.gz leads outside, whatever it is; what stays inside is as it was.
func TestE_CVE_2019_8320(t *testing.T) {
	for name, content := range map[string]string{
		"../x": "y", "/x": "y", "a/../../x": "y", `..\x`: "y", "link": "->/etc/passwd", "a/b": "->../../x", "c": "->..", "x\x00y": "z",
	} {
		r := newRelease("demo", "1.0")
		if strings.Contains(name, "\x00") {
			continue // no writer of tar archives makes these
		}
		r.files[name] = content
		if _, err := archive.Read(bytes.NewReader(r.build())); problem.Status(err) != 400 || !strings.Contains(problem.Public(err), "leads outside") {
			t.Errorf("%q %q: %v", name, content, err)
		}
	}
	for name, content := range map[string]string{"a/link": "->../lib", "link": "->lib/demo.rb", "x..y": "z", "a/..b": "c"} {
		r := newRelease("demo", "1.0")
		r.files[name] = content
		if _, err := archive.Read(bytes.NewReader(r.build())); err != nil {
			t.Errorf("%q %q: %v", name, content, err)
		}
	}
}

// TestE_Bombs: small files that unpack to much end before they have.
func TestE_Bombs(t *testing.T) {
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
		if _, err := archive.Read(bytes.NewReader(r.build())); problem.Status(err) != 413 {
			t.Errorf("%s: %v", name, err)
		}
	}
	r := newRelease("demo", "1.0")
	r.members = func(l []member) []member {
		for range 20 {
			l = append(l, member{name: archive.Checksums, content: zeros})
		}
		return l
	}
	if _, err := archive.Read(bytes.NewReader(r.build())); err == nil {
		t.Error("many members")
	}
}

func FuzzArchive(f *testing.F) {
	f.Add(newRelease("demo", "1.0").build())
	rich := newRelease("demo", "1.0.a")
	rich.platform, rich.deps = "x86_64-linux", []string{"a >= 1, < 2", "dev b ~> 1.0"}
	rich.members = func(l []member) []member { return append(l, member{name: "data.tar.gz.sig", content: []byte("x")}) }
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
		token, rest, ok := strings.Cut(line, " ")
		number, platform := version.Split(token)
		if !ok || strings.Count(line, "\n") != 1 || !strings.HasSuffix(line, "\n") || !strings.Contains(rest, "|checksum:") || number != g.Spec.Version || platform != g.Spec.Platform {
			t.Fatalf("%q of %+v", line, g.Spec)
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
