package cli

// This file writes the files of clients into homes, and looks whether they are as before afterwards.

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"larder/internal/setup"
)

const setupToken = "larder_0123456789"

// newHome makes an empty home, and has no variable lead out of it.
func newHome(t *testing.T) string {
	t.Helper()
	home := filepath.Join(t.TempDir(), "home")
	if err := os.Mkdir(home, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HOME", home)
	for _, name := range []string{
		"XDG_CONFIG_HOME", "XDG_STATE_HOME", "CARGO_HOME", "COMPOSER_HOME", "DOCKER_CONFIG", "BUNDLE_USER_HOME",
		"LARDER_PUBLIC_URL", "LARDER_LISTEN",
	} {
		t.Setenv(name, "")
		if err := os.Unsetenv(name); err != nil {
			t.Fatal(err)
		}
	}
	return home
}

// homeFiles has the mode and the text of everything in a home.
func homeFiles(t *testing.T, home string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(home, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		text := ""
		if info.Mode().IsRegular() {
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			text = string(b)
		}
		all[path] = info.Mode().String() + "\n" + text
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func wantHome(t *testing.T, home string, want map[string]string) {
	t.Helper()
	got := homeFiles(t, home)
	for path := range maps.Keys(got) {
		if want[path] != got[path] {
			t.Errorf("%s is %q, want %q", path, got[path], want[path])
		}
	}
	for path := range maps.Keys(want) {
		if _, ok := got[path]; !ok {
			t.Errorf("%s is gone", path)
		}
	}
}

func putFile(t *testing.T, path, text string, mode fs.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

// existing are files that a person may have, by name; line is what has to stay.
var existing = map[string]struct{ text, line string }{
	".npmrc": {"; mine\nregistry = https://elsewhere.example.com/\nfund=false", "fund=false"},
	".yarnrc.yml": {
		"# mine\nenableTelemetry: false\nnpmScopes:\n    other:\n        npmRegistryServer: \"https://x.example.com\"\n",
		"    other:",
	},
	"pip.conf": {"[install]\r\nuser = true\r\n\r\n[global]\r\ntimeout = 9\r\n", "timeout = 9\r"},
	".pypirc": {
		"[distutils]\nindex-servers =\n    mine\n\n[mine]\nrepository = https://m.example.com\n", "    mine",
	},
	"uv.toml": {
		"# mine\npreview = true\n\n[[index]]\nname = \"mine\"\nurl = \"https://m.example.com\"\n", `name = "mine"`,
	},
	"auth.toml":        {"[http-basic.mine]\nusername = \"ada\"\n", `username = "ada"`},
	"config.toml":      {"# mine\n[net]\noffline = false # yes\n", "offline = false # yes"},
	"credentials.toml": {"[registries.mine]\ntoken = \"t\"\n", `token = "t"`},
	"settings.xml": {
		"<?xml version=\"1.0\"?>\n<settings>\n  <!-- mine -->\n  <servers>\n    <server><id>mine</id></server>\n" +
			"  </servers>\n</settings>\n",
		"    <server><id>mine</id></server>",
	},
	"config.json": {
		"{\n\t\"HttpHeaders\": {\"a\": [1, 2]},\n\t\"auths\": {}\n}", "\t\"HttpHeaders\": {\"a\": [1, 2]},",
	},
	"auth.json": {"{\n  \"http-basic\": {\n    \"mine.example.com\": {\"username\": \"a\", \"password\": \"b\"}\n  }\n}\n",
		"    \"mine.example.com\": {\"username\": \"a\", \"password\": \"b\"}"},
	".gemrc": {
		"---\n:backtrace: true\n:sources:\n- https://mine.example.com/\ngem: --no-document\n", "gem: --no-document",
	},
	"config":      {"---\nBUNDLE_JOBS: \"4\"\n", `BUNDLE_JOBS: "4"`},
	"larder.conf": {"# mine\n", "# mine"},
}

// setupCases calls check for each client, form and login that --write knows.
func setupCases(t *testing.T, check func(t *testing.T, c setup.Client, args []string, login bool)) {
	for _, c := range setup.Clients("") {
		hosted, mirror := setup.Forms(c.ID)
		for form, has := range map[string]bool{"hosted": hosted, "mirror": mirror} {
			if !has {
				continue
			}
			for _, login := range []bool{false, true} {
				// Without a login, nothing is written for these.
				if !login && form == "hosted" && slices.Contains([]string{"docker", "helm", "twine", "mvn", "bundler"}, c.ID) {
					continue
				}
				args := []string{"setup", c.ID, "--url", "http://registry.example.com:8080/larder", "--write", "--form", form}
				if c.Kind == "npm" && form == "hosted" {
					args = append(args, "--scope", "@acme")
				}
				if login {
					args = append(args, "--user", "ada", "--token", setupToken)
				}
				t.Run(fmt.Sprint(c.ID, " ", form, " login ", login), func(t *testing.T) { check(t, c, args, login) })
			}
		}
	}
}

func TestUndoLeavesAnEmptyHomeEmpty(t *testing.T) {
	setupCases(t, func(t *testing.T, c setup.Client, args []string, login bool) {
		home := newHome(t)
		before := homeFiles(t, home)
		out := must(t, "", args...)
		wrote := strings.Count(out, "wrote ")
		for path := range strings.Lines(out) {
			path, ok := strings.CutPrefix(strings.TrimSpace(path), "wrote ")
			if !ok {
				continue
			}
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if want := map[bool]fs.FileMode{true: 0o600, false: 0o644}[login]; info.Mode() != want {
				t.Errorf("%s has the mode %v, want %v", path, info.Mode(), want)
			}
		}
		if wrote == 0 {
			t.Errorf("larder %s wrote nothing: %q", args, out)
		}
		must(t, "", "setup", c.ID, "--undo")
		wantHome(t, home, before)
	})
}

func TestUndoBringsBackWhatWasThere(t *testing.T) {
	setupCases(t, func(t *testing.T, c setup.Client, args []string, login bool) {
		home := newHome(t)
		var list []listedClient
		if err := json.Unmarshal([]byte(must(t, "", "setup", "--json")), &list); err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(list, func(l listedClient) bool { return l.Client == c.ID })
		for _, path := range list[i].Files {
			putFile(t, path, existing[filepath.Base(path)].text, 0o640)
		}
		before := homeFiles(t, home)
		must(t, "", args...)
		after := homeFiles(t, home)
		changed := 0
		for _, path := range list[i].Files {
			if line := existing[filepath.Base(path)].line; line == "" ||
				!slices.Contains(strings.Split(after[path], "\n"), line) {
				t.Errorf("%s has lost the line %q:\n%s", path, line, after[path])
			}
			if after[path] == before[path] {
				continue
			}
			changed++
			mode := "-rw-r-----\n"
			if login {
				mode = "-rw-------\n"
			}
			if !strings.HasPrefix(after[path], mode) {
				t.Errorf("%s begins %.10q, want the mode %q", path, after[path], mode)
			}
		}
		if changed == 0 {
			t.Errorf("larder %s changed no file", args)
		}
		must(t, "", "setup", c.ID, "--undo")
		wantHome(t, home, before)
	})
}

func TestFilesThatChangedSinceAreNotOverwritten(t *testing.T) {
	setupCases(t, func(t *testing.T, c setup.Client, args []string, _ bool) {
		home := newHome(t)
		first := must(t, "", args...)
		path := strings.TrimPrefix(strings.Split(first, "\n")[0], "wrote ")
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		putFile(t, path, string(b)+"\n", 0o600)
		changed := homeFiles(t, home)
		for _, again := range [][]string{{"setup", c.ID, "--undo"}, args} {
			r := run(t, "", again...)
			if r.code != exitFailure || !strings.Contains(r.err, path+" was changed since larder setup "+c.ID+" --write") {
				t.Errorf("larder %s: %+v, want that %s was changed", again, r, path)
			}
			wantHome(t, home, changed)
		}
		must(t, "", "setup", c.ID, "--forget")
		if got := homeFiles(t, home)[path]; got != changed[path] {
			t.Errorf("--forget left %q, want %q", got, changed[path])
		}
	})
}

// npmHosted are the words that write ~/.npmrc for a client of npm.
func npmHosted(client, scope string) []string {
	return []string{"setup", client, "--write", "--scope", scope, "--url", "http://127.0.0.1:8080"}
}

func TestSecondWriteBeginsWithWhatWasThereFirst(t *testing.T) {
	home := newHome(t)
	npmrc := filepath.Join(home, ".npmrc")
	putFile(t, npmrc, "fund=false\n", 0o644)
	before := homeFiles(t, home)
	must(t, "", npmHosted("npm", "acme")...)
	must(t, "", npmHosted("npm", "other")...)
	b, err := os.ReadFile(npmrc)
	if want := "fund=false\n@other:registry=http://127.0.0.1:8080/npm/\n"; err != nil || string(b) != want {
		t.Errorf("%s is %q (%v), want %q", npmrc, b, err, want)
	}
	must(t, "", "setup", "npm", "--undo")
	wantHome(t, home, before)
}

func TestClientsThatShareAFileAreUndoneInTurn(t *testing.T) {
	home := newHome(t)
	before := homeFiles(t, home)
	must(t, "", npmHosted("npm", "acme")...)
	must(t, "", npmHosted("pnpm", "other")...)
	r := run(t, "", "setup", "npm", "--undo")
	if r.code != exitFailure ||
		!strings.Contains(r.err, "was written for pnpm later; run larder setup pnpm --undo first") {
		t.Errorf("undo of npm before pnpm: %+v, want that pnpm comes first", r)
	}
	must(t, "", "setup", "--undo")
	wantHome(t, home, before)
	if r := run(t, "", "setup", "--undo"); r.code != exitFailure || !strings.Contains(r.err, "has written nothing") {
		t.Errorf("a second undo: %+v, want that there is nothing", r)
	}
}

// TestUndoOfAWriteThatWasBrokenOff: the record is there, but the file is as it was.
func TestUndoOfAWriteThatWasBrokenOff(t *testing.T) {
	for _, old := range []string{"", "fund=false\n"} {
		home := newHome(t)
		npmrc := filepath.Join(home, ".npmrc")
		if old != "" {
			putFile(t, npmrc, old, 0o600)
		}
		before := homeFiles(t, home)
		must(t, "", npmHosted("npm", "acme")...)
		if old != "" {
			putFile(t, npmrc, old, 0o600)
		} else if err := os.Remove(npmrc); err != nil {
			t.Fatal(err)
		}
		must(t, "", "setup", "npm", "--undo")
		wantHome(t, home, before)
	}
}

func TestLinkStaysALink(t *testing.T) {
	home := newHome(t)
	real := filepath.Join(home, "dotfiles", "npmrc")
	putFile(t, real, "fund=false\n", 0o644)
	if err := os.Symlink(real, filepath.Join(home, ".npmrc")); err != nil {
		t.Fatal(err)
	}
	before := homeFiles(t, home)
	if out := must(t, "", npmHosted("npm", "acme")...); !strings.Contains(out, "wrote "+real+"\n") {
		t.Errorf("it says %q, want that %s was written", out, real)
	}
	must(t, "", "setup", "npm", "--undo")
	wantHome(t, home, before)
}

// TestFilesInTheirOtherPlaces: clients read these alone if they exist.
func TestFilesInTheirOtherPlaces(t *testing.T) {
	for client, name := range map[string]string{
		"cargo": ".cargo/config", "gem": ".config/gem/gemrc", "composer": ".composer/config.json",
	} {
		home := newHome(t)
		path := filepath.Join(home, name)
		putFile(t, path, map[string]string{"composer": "{}"}[client], 0o644)
		before := homeFiles(t, home)
		out := must(t, "", "setup", client, "--write", "--form", "mirror")
		if strings.Count(out, "wrote ") != 1 || !strings.Contains(out, "wrote "+path+"\n") {
			t.Errorf("%s: it says %q, want that only %s was written", client, out, path)
		}
		must(t, "", "setup", client, "--undo")
		wantHome(t, home, before)
	}
}

func TestFileThatCannotBeMergedIsLeftAlone(t *testing.T) {
	home := newHome(t)
	putFile(t, filepath.Join(home, ".docker/config.json"), `{"credsStore": "pass"}`, 0o600)
	before := homeFiles(t, home)
	r := run(t, "", "setup", "docker", "--write", "--token", setupToken)
	if r.code != exitFailure || !strings.Contains(r.err, "nothing was written: ") ||
		!strings.Contains(r.err, "credsStore") {
		t.Errorf("with a helper for logins: %+v, want that nothing was written", r)
	}
	wantHome(t, home, before)
}

func TestSetupPrintsThePage(t *testing.T) {
	newHome(t)
	site := setup.Site{URL: "https://registry.example.com/larder", Paths: map[string]string{}}
	for _, c := range setup.Clients("") {
		site.Paths[c.Kind] = "/" + c.Kind
	}
	for _, c := range setup.Clients("") {
		out := must(t, "", "setup", c.ID, "--url", site.URL+"/")
		for _, section := range c.Guide(site) {
			for _, one := range section.Snippets {
				if text := strings.ReplaceAll(one.Text, "\n", "\n    "); !strings.Contains(out, text) {
					t.Errorf("larder setup %s lacks %q:\n%s", c.ID, text, out)
				}
			}
		}
	}
}

func TestSetupTakesTheAddressOfTheConfiguration(t *testing.T) {
	for _, c := range []struct {
		public, listen, flag string
		want                 string
	}{
		{"", "", "", "http://127.0.0.1:8080/npm/"},
		{"", "0.0.0.0:9000", "", "http://127.0.0.1:9000/npm/"},
		{"", "[::]:9000", "", "http://127.0.0.1:9000/npm/"},
		{"https://a.example.com/x", "0.0.0.0:9000", "", "https://a.example.com/x/npm/"},
		{"https://a.example.com/x", "", "http://b.example.com/", "http://b.example.com/npm/"},
	} {
		newHome(t)
		args := []string{"setup", "npm"}
		for name, value := range map[string]string{"LARDER_PUBLIC_URL": c.public, "LARDER_LISTEN": c.listen} {
			if value != "" {
				t.Setenv(name, value)
			}
		}
		if c.flag != "" {
			args = append(args, "--url", c.flag)
		}
		if out := must(t, "", args...); !strings.Contains(out, "npm config set registry "+c.want+"\n") {
			t.Errorf("%+v: %s", c, out)
		}
	}
}

func TestSetupSaysWhatItCannotDo(t *testing.T) {
	home := newHome(t)
	before := homeFiles(t, home)
	for line, want := range map[string]string{
		"setup nothing":                              `"nothing" is no client`,
		"setup npm --write":                          "--scope",
		"setup npm --write --form cache":             `--form is "cache"`,
		"setup npm --write --undo":                   "do not go together",
		"setup npm --write --user ada":               "--user needs a token",
		"setup npm --scope acme":                     "--scope says what --write writes",
		"setup pip --write --form hosted":            "pip can only get all packages here",
		"setup twine --write":                        "twine needs a token",
		"setup docker --write":                       "for a login give a token",
		"setup docker --write --form mirror":         "docker has no file in the home",
		"setup gradle --write":                       "only printed",
		"setup uv --write --ca ca.pem":               "larder setup uv says how",
		"setup pip --write --token a;b":              "letters, digits",
		"setup pip --url ftp://registry.example.com": "public URL",
		"setup --write":                              "need a CLIENT",
	} {
		r := run(t, "", strings.Fields(line)...)
		if r.code != exitUsage || !strings.Contains(r.err, want) {
			t.Errorf("larder %s: %+v, want exit %d and %q", line, r, exitUsage, want)
		}
	}
	wantHome(t, home, before)
	for line, want := range map[string]string{
		"setup npm --undo":   "larder setup has written nothing for npm",
		"setup npm --forget": "larder setup has written nothing for npm",
		"setup pip --write --ca " + home + "/missing.pem": "there is no file " + home + "/missing.pem",
	} {
		if r := run(t, "", strings.Fields(line)...); r.code != exitFailure || !strings.Contains(r.err, want) {
			t.Errorf("larder %s: %+v, want exit %d and %q", line, r, exitFailure, want)
		}
	}
}

func TestTokenComesFromStandardInput(t *testing.T) {
	home := newHome(t)
	must(t, setupToken+"\n", "setup", "npm", "--write", "--form", "mirror", "--token-stdin")
	b, err := os.ReadFile(filepath.Join(home, ".npmrc"))
	if err != nil || !strings.Contains(string(b), "//127.0.0.1:8080/npm/:_authToken="+setupToken+"\n") {
		t.Errorf("~/.npmrc is %q (%v), want the token in it", b, err)
	}
}
