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
