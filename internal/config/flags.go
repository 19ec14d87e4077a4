package config

// This file has the flags of a command line that set settings.

import (
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// Flags remembers which flags a command line gave, so that they can win over the sources read after parsing.
type Flags struct{ given []*flagValue }

// flagValue is one registered flag; its value is checked when parsed and applied by Load.
type flagValue struct {
	setting
	shown string
	items []string
}

// AddFlags registers the flags of the named settings, or of all that have one, with their defaults.
func AddFlags(fs *pflag.FlagSet, names ...string) *Flags {
	flags := new(Flags)
	defaults := Default()
	for _, s := range settings() {
		if !s.in(fromFlag) || len(names) > 0 && !slices.Contains(names, s.name) {
			continue
		}
		v := s.value(&defaults)
		f := &flagValue{setting: s, shown: v.String()}
		help := s.help
		if f.shown == "" && s.unset != "" && s.unset != "none" {
			help += " (default: " + s.unset + ")"
		}
		flag := fs.VarPF(f, s.name, "", help)
		if v.Type() == "bool" {
			flag.NoOptDefVal = "true"
		}
		flags.given = append(flags.given, f)
	}
	return flags
}

// Subject is a group of flags that a command's help shows together.
type Subject struct {
	Title string
	Names []string // of flags, in the order to show them
}

// Subjects are the groups of all flags that AddFlags can register.
func Subjects() []Subject {
	var all []Subject
	for _, g := range groups() {
		s := Subject{Title: g.title}
		for _, row := range g.rows {
			if row.in(fromFlag) {
				s.Names = append(s.Names, row.name)
			}
		}
		if len(s.Names) > 0 {
			all = append(all, s)
		}
	}
	return all
}

// Set checks text and keeps it; a list takes the items of every occurrence of the flag.
func (f *flagValue) Set(text string) error {
	scratch := Default()
	if err := f.value(&scratch).Set(text); err != nil {
		return err
	}
	f.shown = text
	f.items = append(f.items, text)
	return nil
}

// String is the value shown in help and completion.
func (f *flagValue) String() string { return f.shown }

// Type names the value in help.
func (f *flagValue) Type() string {
	if f.at == nil { // pflag asks a zero value too
		return "string"
	}
	return f.value(&Config{}).Type()
}

// apply merges the flags that were given into c.
func (f *Flags) apply(c *Config) Problems {
	var all Problems
	for _, g := range f.given {
		if len(g.items) == 0 {
			continue
		}
		v := g.value(c)
		last := g.items[len(g.items)-1]
		if _, list := v.(listValue); list {
			last = strings.Join(g.items, ",")
		}
		if err := v.Set(last); err != nil {
			all = append(all, "--"+g.name+": "+err.Error())
		}
	}
	return all
}
