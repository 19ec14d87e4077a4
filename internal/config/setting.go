package config

// This file says what a row of the settings is, and lists the groups of rows.

import (
	"strings"
)

// group is a subject: its settings, in the order that help, errors and the reference page use.
type group struct {
	title string
	about string // Markdown that stands under the title of the reference page; may be empty
	rows  []setting
	check func(c *Config, p *Problems) // what needs more than one setting; may be nil
}

// setting is one row: all there is to say of one setting.
type setting struct {
	// name is the YAML key, levels joined by dots. Without dots it is also the flag.
	name string
	// help is a phrase for larder serve -h, without a full stop. It also begins the setting's text on the reference page.
	help string
	// more is the rest of that text: whole sentences in Markdown. It may be empty.
	more string
	// example is a line of the file, or several.
	example string
	// at points to where the setting is stored in c; valueOf knows the types.
	at func(c *Config) any
	// must is what its value must satisfy beside its type; the zero value lets all pass.
	must check
	// only names the sources that have the setting; 0 means all.
	only source
	// unset says what an empty default means. It may be empty.
	unset string
	// shown is the name on the reference page of rows that are there once for every kind, such as kinds.KIND.base.
	shown string
}

// source is a set of places where a setting may come from.
type source uint8

const (
	fromFile source = 1 << iota
	fromVariable
	fromFlag
)

// in reports whether the setting may come from src.
func (s setting) in(src source) bool {
	if src == fromFlag && strings.Contains(s.name, ".") {
		return false
	}
	return s.only == 0 || s.only&src != 0
}

// env is the variable that sets s.
func (s setting) env() string { return envName(s.name) }

func envName(name string) string {
	return "LARDER_" + strings.ToUpper(strings.NewReplacer("-", "_", ".", "_").Replace(name))
}

// value is s in c.
func (s setting) value(c *Config) value { return valueOf(s.at(c)) }

// groups are all settings by subject.
func groups() []group {
	return []group{
		serving(), access(), logging(), upkeep(), protocols(),
		ociSettings(), npmSettings(), pypiSettings(), cargoSettings(), mavenSettings(), composerSettings(),
		rubygemsSettings(),
		policySettings(), trustSettings(), upstreamSettings(),
	}
}

// settings are the rows of all groups.
func settings() []setting {
	var rows []setting
	for _, g := range groups() {
		rows = append(rows, g.rows...)
	}
	return rows
}
