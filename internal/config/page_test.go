package config

// This file holds the reference page against the rows.

import (
	"path/filepath"
	"strings"
	"testing"

	"larder/store"
)

// TestSettingsPageIsWhatTheRowsSay fails when docs/settings.md is not printed from the rows; -update writes it.
func TestSettingsPageIsWhatTheRowsSay(t *testing.T) {
	golden(t, filepath.Join("..", "..", "..", "docs", "settings.md"), Page())
}

func TestEverySettingSaysWhatItIsFor(t *testing.T) {
	for _, s := range settings() {
		if s.help == "" || strings.HasSuffix(s.help, ".") {
			t.Errorf("%s has the help %q; it must be a phrase without a full stop", s.name, s.help)
		}
		if s.more != "" && !strings.HasSuffix(s.more, ".") {
			t.Errorf("%s goes on with %q, which are no sentences", s.name, s.more)
		}
		c := Default()
		list, ok := s.value(&c).(objectList)
		if !ok {
			continue
		}
		for _, f := range list.fields() {
			if !strings.HasSuffix(f.help, ".") {
				t.Errorf("%s.%s has the help %q; it must be a sentence", s.name, f.name, f.help)
			}
		}
	}
}

// TestExamplesOfThePageCanBeLoaded loads each example as a file of its own.
func TestExamplesOfThePageCanBeLoaded(t *testing.T) {
	for _, s := range settings() {
		if s.example == "" {
			continue
		}
		c, err := load(t, s.example+"\n", nil)
		if err != nil {
			t.Errorf("the example of %s cannot be loaded: %v\n%s", s.name, err, s.example)
		}
		if plain := Default(); s.shown == "" && asYAML(t, c) == asYAML(t, plain) {
			t.Errorf("the example of %s sets nothing that differs from the default:\n%s", s.name, s.example)
		}
	}
}

func TestPageNamesEverySettingOnce(t *testing.T) {
	page := Page()
	for _, s := range settings() {
		heading := "\n### `" + s.shownName() + "`\n"
		if n := strings.Count(page, heading); n != 1 {
			t.Errorf("the page has %d sections of %s, wanted 1", n, s.shownName())
		}
		link := "(#" + anchor(s.shownName()) + ")"
		if !strings.Contains(page, link) {
			t.Errorf("the contents do not link to %s as %s", s.shownName(), link)
		}
	}
	for i, line := range strings.Split(page, "\n") {
		if n := len([]rune(line)); n > 120 {
			t.Errorf("line %d of the page has %d characters: %s", i+1, n, line)
		}
	}
	for _, k := range store.Kinds() {
		if s := "kinds." + string(k) + ".base"; strings.Contains(page, "### `"+s+"`") {
			t.Errorf("the page repeats the section of kinds.KIND.base for %s", k)
		}
	}
}

func TestPageBreaksLinesBetweenWords(t *testing.T) {
	long := strings.TrimSpace(strings.Repeat("word ", 60))
	got := wrapped(long, "  ")
	for i, line := range strings.Split(got, "\n") {
		if n := len(line); n > pageWidth || (i > 0) != strings.HasPrefix(line, "  ") {
			t.Errorf("line %d is %q with %d characters, want at most %d, indented from the second on",
				i+1, line, n, pageWidth)
		}
	}
	if strings.Join(strings.Fields(got), " ") != long {
		t.Errorf("words are lost: %q", got)
	}
	if got := wrapped("", ""); got != "" {
		t.Errorf("nothing is written as %q", got)
	}
	wide := strings.Repeat("x", 2*pageWidth)
	if got := wrapped("a "+wide+" b", ""); got != "a\n"+wide+"\nb" {
		t.Errorf("a word wider than the page: %q, want it on a line of its own", got)
	}
}

func TestPageLinksAsWebPagesDo(t *testing.T) {
	for heading, want := range map[string]string{
		"`npm.access`": "npmaccess", "Data and addresses": "data-and-addresses",
		"Memory, disk and upkeep": "memory-disk-and-upkeep", "--upstream": "--upstream",
		"LARDER_ADMIN_PASSWORD": "larder_admin_password", "kinds.KIND.base": "kindskindbase",
	} {
		if got := anchor(heading); got != want {
			t.Errorf("%s is at #%s, want #%s", heading, got, want)
		}
	}
}

func TestPageSaysWhereASettingComesFrom(t *testing.T) {
	page := Page()
	for heading, want := range map[string]string{
		"data": "text · flag `--data` · variable `LARDER_DATA` · default: `./data`",
		"npm.access": "text · variable `LARDER_NPM_ACCESS` · `public`, `restricted` or `client` · " +
			"default: `public`",
		"oci.max-manifest":   "size · variable `LARDER_OCI_MAX_MANIFEST` · `64KiB` to `64MiB` · default: `4MiB`",
		"cargo.max-features": "number · variable `LARDER_CARGO_MAX_FEATURES` · `1` to `100000` · default: `300`",
		"grace":              "duration · flag `--grace` · variable `LARDER_GRACE` · more than `0` · default: `1h`",
		"h2c":                "true or false · flag `--h2c` · variable `LARDER_H2C` · default: `true`",
		"private":            "list · flag `--private` · variable `LARDER_PRIVATE` · default: nothing is private",
		"LARDER_ADMIN_PASSWORD": "text · variable `LARDER_ADMIN_PASSWORD` · " +
			"default: a random one is made and printed once",
		"--accept-missing-blobs": "true or false · flag `--accept-missing-blobs` · default: `false`",
		"kinds.KIND.base":        "text · variable `LARDER_KINDS_KIND_BASE` · default: `/KIND`",
		"policies.quotas":        "list of mappings",
	} {
		_, section, _ := strings.Cut(page, "\n### `"+heading+"`\n")
		section, _, _ = strings.Cut(section, "\n### ")
		if !strings.Contains(section, "\n"+want+"\n") {
			t.Errorf("the section of %s lacks the line %q:\n%s", heading, want, section)
		}
	}
}
