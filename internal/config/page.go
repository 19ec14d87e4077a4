package config

// This file writes docs/settings.md, the reference page, from the rows.

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// pageIntro stands above the settings; a tilde in it is a back quote of the page.
const pageIntro = `# Settings

Everything that can be set, by subject. This page is printed by ~larder config docs~.

A setting comes from, strongest first: a flag, a variable, the YAML file, the default. The three share one name:
the flag ~--public-url~ is the variable ~LARDER_PUBLIC_URL~ and the key ~public-url~. A key with dots is nested in
the file and has no flag; ~npm.access~ is

~~~yaml
npm:
  access: public
~~~

The file is named by ~--config~ or ~LARDER_CONFIG~. A key it does not know is an error that names the line, and so is
every value that makes no sense; the server does not start then. An empty variable counts as unset. Flags and
variables separate the items of a list by commas; a list flag may also be repeated. ~larder config~ prints what is in
force, without secrets.

| type | written as |
|---|---|
| size | bytes: ~4096~, ~512MiB~ (powers of two), ~10GB~ (powers of ten), ~1.5GiB~ |
| duration | ~45s~, ~30m~, ~12h~, ~90d~, ~2w~, ~1d12h~ |
| true or false | ~true~, ~false~; a flag alone is ~true~ |
| list | in the file ~[a, b]~; in flags and variables ~a,b~ |
`

// pageWidth is where lines of the page end, in characters.
const pageWidth = 110

// Page is the reference page of all settings, in Markdown.
func Page() string {
	var b strings.Builder
	b.WriteString(strings.ReplaceAll(pageIntro, "~", "`"))
	b.WriteString("\n## Contents\n\n")
	all := groups()
	for _, g := range all {
		var names []string
		for _, s := range onePerName(g.rows) {
			names = append(names, fmt.Sprintf("[`%s`](#%s)", s.shownName(), anchor(s.shownName())))
		}
		line := fmt.Sprintf("- [%s](#%s): %s", g.title, anchor(g.title), strings.Join(names, ", "))
		b.WriteString(wrapped(line, "  ") + "\n")
	}
	for _, g := range all {
		fmt.Fprintf(&b, "\n## %s\n", g.title)
		if g.about != "" {
			b.WriteString("\n" + wrapped(g.about, "") + "\n")
		}
		for _, s := range onePerName(g.rows) {
			s.describe(&b)
		}
	}
	return b.String()
}

// onePerName are the rows, of those that are there for every kind the first.
func onePerName(rows []setting) []setting {
	seen := map[string]bool{}
	var all []setting
	for _, s := range rows {
		if !seen[s.shownName()] {
			seen[s.shownName()] = true
			all = append(all, s)
		}
	}
	return all
}

// shownName is how the page calls the setting: by its key, or by its variable when it has nothing else.
func (s setting) shownName() string {
	switch {
	case s.shown != "":
		return s.shown
	case s.only == fromVariable:
		return s.env()
	case s.only != 0 && s.only&fromFile == 0:
		return "--" + s.name
	}
	return s.name
}

// anchor is the fragment of a heading, as web pages of Markdown files have it.
func anchor(heading string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '.' || r == ',' || r == '`':
			return -1
		}
		return r
	}, strings.ToLower(heading))
}

// describe writes the section of one setting.
func (s setting) describe(b *strings.Builder) {
	text := sentence(s.help)
	if s.more != "" {
		text += " " + s.more
	}
	facts := strings.Join(s.facts(), " · ")
	fmt.Fprintf(b, "\n### `%s`\n\n%s\n\n%s\n", s.shownName(), wrapped(text, ""), wrapped(facts, ""))
	defaults := Default()
	if list, ok := s.value(&defaults).(objectList); ok {
		b.WriteString("\n")
		for _, f := range list.fields() {
			about := typeWord(f.typ)
			if f.required {
				about += ", required"
			}
			b.WriteString(wrapped(fmt.Sprintf("- `%s` (%s): %s", f.name, about, f.help), "  ") + "\n")
		}
	}
	if s.example != "" {
		fmt.Fprintf(b, "\n```yaml\n%s\n```\n", s.example)
	}
}

// facts are what is said of a setting beside its meaning.
func (s setting) facts() []string {
	defaults := Default()
	v := s.value(&defaults)
	name, standard := s.name, "`"+v.String()+"`"
	if s.shown != "" { // the row is that of the first kind
		standard = strings.Replace(standard, "/oci", "/KIND", 1)
		name = s.shown
	}
	if v.String() == "" {
		standard = s.unset
	}
	facts := []string{typeWord(v.Type())}
	if s.in(fromFlag) {
		facts = append(facts, "flag `--"+name+"`")
	}
	if s.in(fromVariable) {
		facts = append(facts, "variable `"+envName(name)+"`")
	}
	if s.must.words != "" {
		facts = append(facts, s.must.words)
	}
	if standard != "" {
		facts = append(facts, "default: "+standard)
	}
	return facts
}

// typeWord names a type of values on the page.
func typeWord(typ string) string {
	switch typ {
	case "bool":
		return "true or false"
	case "int":
		return "number"
	case "string":
		return "text"
	case "objects":
		return "list of mappings"
	case "kind=url":
		return "list of KIND=URL"
	}
	return typ
}

// sentence makes one of a phrase.
func sentence(phrase string) string {
	first, size := utf8.DecodeRuneInString(phrase)
	return strings.ToUpper(string(first)) + phrase[size:] + "."
}

// wrapped breaks text between words into lines of the page; lines after the first begin with indent.
func wrapped(text, indent string) string {
	var b strings.Builder
	width := 0
	for i, word := range strings.Fields(text) {
		n := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case width+1+n > pageWidth:
			b.WriteString("\n" + indent)
			width = len(indent)
		default:
			b.WriteString(" ")
			width++
		}
		b.WriteString(word)
		width += n
	}
	return b.String()
}
