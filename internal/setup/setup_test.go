package setup

// The texts: nothing that a stranger has named leaves its place in a command or a file, and every client has a page.

import (
	"os/exec"
	"strings"
	"testing"
)

// site is a server below a prefix.
var site = Site{
	URL: "https://registry.example.com/larder",
	Paths: map[string]string{
		"oci": "/v2", "npm": "/npm", "pypi": "/pypi", "cargo": "/cargo", "maven": "/maven", "composer": "/composer",
		"rubygems": "/rubygems",
	},
}

func TestEveryClientHasItsTexts(t *testing.T) {
	ids := map[string]bool{}
	for _, c := range Clients("") {
		if ids[c.ID] || c.ID == "" || c.Title == "" || c.Tested == "" {
			t.Errorf("%+v lacks something, or is there twice", c)
		}
		ids[c.ID] = true
		if found, ok := Find(c.ID); !ok || found.Title != c.Title {
			t.Errorf("Find(%q) is %q, want %q", c.ID, found.Title, c.Title)
		}
		text := ""
		for _, s := range c.Guide(site) {
			if s.Title == "" || len(s.Snippets) == 0 {
				t.Errorf("%s: the section %q has no title or no snippets", c.ID, s.Title)
			}
			for _, one := range s.Snippets {
				text += one.Text
			}
		}
		want := site.URL + "/"
		if c.Kind == "oci" {
			want = "registry.example.com"
		}
		if !strings.Contains(text, want) {
			t.Errorf("%s: no text has the address %s:\n%s", c.ID, want, text)
		}
	}
	for kind := range site.Paths {
		if First(site, kind) == "" {
			t.Errorf("%s has no first commands", kind)
		}
	}
	if _, ok := Find("nothing"); ok {
		t.Error(`Find("nothing") finds something`)
	}
}

func TestLoginStandsBeforeTheInstall(t *testing.T) {
	for _, c := range Clients("") {
		if c.Install == nil {
			continue
		}
		all := func(login bool) (text string) {
			for _, s := range c.Install(site, Package{Name: "a:b", Version: "1.0", Login: login}) {
				text += s.Text + "\n"
			}
			return text
		}
		open, closed := all(false), all(true)
		if strings.Contains(open, "TOKEN") || strings.Contains(open, "login") {
			t.Errorf("%s: what everybody may read needs a login:\n%s", c.ID, open)
		}
		if open == closed {
			t.Errorf("%s: what needs a login says nothing of it:\n%s", c.ID, closed)
		}
	}
}

// hostile are names that a shell or a file could take for more than a name.
var hostile = []string{
	"a; echo pwned", "$(echo pwned)", "`echo pwned`", "a' && echo pwned '", `a" && echo pwned "`, "a\necho pwned", "-rf",
	"a&echo pwned", "a|echo pwned", "<b>", "a${PATH}", `a\`, "~", "*", "a#b", "'", `"`,
}

// TestCommandsDoNothingElse runs every command with a shell that only prints the words it would run.
func TestCommandsDoNothingElse(t *testing.T) {
	for _, c := range Clients("") {
		if c.Install == nil {
			continue
		}
		for _, name := range hostile {
			for _, s := range c.Install(site, Package{Name: name, Version: name}) {
				if s.File != "" || !strings.Contains(s.Text, "echo pwned") {
					continue
				}
				// A function of each program's name prints instead of running.
				program, _, _ := strings.Cut(s.Text, " ")
				script := program + "() { :; }\necho() { printf 'RAN\\n'; }\n" + s.Text + "\n"
				out, err := exec.Command("sh", "-c", script).CombinedOutput()
				if err != nil || strings.Contains(string(out), "RAN") {
					t.Errorf("%s of %q runs more than one command (%v):\n%s\n%s", c.ID, name, err, s.Text, out)
				}
			}
		}
	}
}

func TestFilesKeepTheirShape(t *testing.T) {
	for _, name := range hostile {
		for text, bad := range map[string]string{
			quoted(name): "\n", single(name): "\x00", markup(name): "<",
		} {
			if strings.Contains(text, bad) {
				t.Errorf("%q is written %s", name, text)
			}
		}
		if q := quoted(name); strings.Count(strings.ReplaceAll(strings.ReplaceAll(q, `\\`, ""), `\"`, ""), `"`) != 2 {
			t.Errorf("%q is written %s, which ends before its end", name, q)
		}
	}
}
