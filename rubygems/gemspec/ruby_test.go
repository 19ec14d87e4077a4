package gemspec

// Specifications that Ruby writes and reads; every generation of RubyGems that is installed takes part.

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"larder/internal/rubymarshal"
	"larder/rubygems/version"
)

// eachRuby runs test with every generation of RubyGems that is installed. With LARDER_CLIENTS=all each must be.
func eachRuby(t *testing.T, test func(t *testing.T, run func(script string, env ...string) []byte)) {
	found := false
	for _, client := range []string{"gem33", "gem36", "gem-new"} {
		if _, err := exec.LookPath(client); err != nil {
			if os.Getenv("LARDER_CLIENTS") == "all" {
				t.Errorf("LARDER_CLIENTS=all, but %s is not installed", client)
			}
			continue
		}
		found = true
		t.Run(client, func(t *testing.T) { test(t, runnerOf(t, client)) })
	}
	if !found && !t.Failed() {
		t.Skip("no Ruby is installed")
	}
}

// runnerOf loads a script into a gem command, which is the one way into all of them.
func runnerOf(t *testing.T, client string) func(script string, env ...string) []byte {
	dir := t.TempDir()
	return func(script string, env ...string) []byte {
		text, err := os.ReadFile(filepath.Join("testdata", script))
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, script)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(client, "--version")
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "HOME="+dir, "GEM_HOME="+dir+"/gems", "RUBYOPT=-r"+path, "LANG=C.UTF-8")
		cmd.Env = append(cmd.Env, env...)
		var errs bytes.Buffer
		cmd.Stderr = &errs
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s: %v\n%s%s", script, err, errs.Bytes(), out)
		}
		return out
	}
}

// sample is a specification as Ruby wrote it, and what Ruby makes of it.
type sample struct {
	YAML, Dump, Full, Tuple string
}

func samples(t *testing.T, out []byte) (list []sample) {
	t.Helper()
	in := bufio.NewScanner(bytes.NewReader(out))
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		var s sample
		if err := json.Unmarshal(in.Bytes(), &s); err != nil {
			t.Fatalf("%v: %.300s", err, in.Bytes())
		}
		list = append(list, s)
	}
	if len(list) < 30 {
		t.Fatalf("%d specifications: %.300s", len(list), out)
	}
	return list
}

// fullName is the name clients give a version's files.
func (s *Specification) fullName() string {
	if s.Platform == version.Ruby {
		return s.Name + "-" + s.Version
	}
	return s.Name + "-" + s.Version + "-" + version.ParsePlatform(s.Platform).String()
}

// unlinked is a dump of a specification without links between equal texts, which differ with the versions of Ruby.
func unlinked(t *testing.T, dump string) []byte {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(dump)
	if err != nil {
		t.Fatal(err)
	}
	outer, err := rubymarshal.Unmarshal(raw, rubymarshal.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	data := outer.(rubymarshal.Data)
	inner, err := rubymarshal.Unmarshal(data.Raw, rubymarshal.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if data.Raw, err = rubymarshal.Marshal(inner); err != nil {
		t.Fatal(err)
	}
	if raw, err = rubymarshal.Marshal(data); err != nil {
		t.Fatal(err)
	}
	return raw
}

// Specifications that Ruby writes are read, and written with the same bytes. Then Ruby loads them, in each of the ways
// of its clients.
func TestRubyReadsWhatIsWritten(t *testing.T) {
	eachRuby(t, func(t *testing.T, run func(string, ...string) []byte) {
		var lines bytes.Buffer
		for _, sample := range samples(t, run("specs.rb")) {
			s, err := Read([]byte(sample.YAML))
			if err != nil {
				t.Errorf("%s: %v\n%s", sample.Full, err, sample.YAML)
				continue
			}
			if s.fullName() != sample.Full {
				t.Logf("%s: known to this Ruby as %s, to newer ones as %s", s.Platform, sample.Full, s.fullName())
				continue
			}
			raw, err := s.marshal()
			if err != nil {
				t.Fatal(err)
			}
			if want := unlinked(t, sample.Dump); !bytes.Equal(raw, want) {
				t.Errorf("%s: wrote\n%.900q\nRuby writes\n%.900q", sample.Full, raw, want)
			}
			var index bytes.Buffer
			if err := MarshalTuples(&index, []Tuple{{s.Name, s.Version, s.Platform}}); err != nil {
				t.Fatal(err)
			}
			quick, err := s.Quick()
			if err != nil {
				t.Fatal(err)
			}
			line, err := json.Marshal(map[string]any{
				"yaml": sample.YAML, "full": s.fullName(), "quick": quick, "index": index.Bytes(),
			})
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&lines, "%s\n", line)
		}
		file := filepath.Join(t.TempDir(), "check")
		if err := os.WriteFile(file, lines.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		out := string(run("check.rb", "CHECK="+file))
		if !strings.HasPrefix(out, "checked") {
			t.Error(out)
		}
	})
}
