package config

import (
	"os"
	"strings"

	"github.com/spf13/pflag"
)

// Problems are all reasons why a configuration cannot be used, each a sentence; it is never empty when returned as an error.
type Problems []string

// Error joins the sentences.
func (p Problems) Error() string { return strings.Join(p, "; ") }

// err is nil without problems.
func (p Problems) err() error {
	if len(p) == 0 {
		return nil
	}
	return p
}

// Sources are where Load reads settings from.
type Sources struct {
	// Flags, if not nil, were registered by AddFlags and have been parsed.
	Flags *Flags
	// Getenv looks up a variable as os.LookupEnv does; if nil, there are no variables.
	Getenv func(name string) (string, bool)
	// File is the YAML file; if empty, the variable LARDER_CONFIG names it; if that is empty too, there is none.
	File string
}

// Load merges Default, the file, the variables and the flags, in rising precedence, and validates the result.
// Its error is a Problems with everything that is wrong in all sources.
func Load(src Sources) (Config, error) {
	c := Default()
	var all Problems
	getenv := src.Getenv
	if getenv == nil {
		getenv = func(string) (string, bool) { return "", false }
	}
	file := src.File
	if file == "" {
		file, _ = getenv("LARDER_CONFIG")
	}
	if file != "" {
		all = append(all, readFile(&c, file)...)
	}
	all = append(all, readEnv(&c, getenv)...)
	if src.Flags != nil {
		all = append(all, src.Flags.apply(&c)...)
	}
	if len(all) > 0 {
		return c, all
	}
	return c, c.Validate()
}

// readFile merges the YAML file into c.
func readFile(c *Config, file string) Problems {
	src, err := os.ReadFile(file)
	if err != nil {
		return Problems{"cannot read the configuration: " + err.Error()}
	}
	return readYAML(c, file, src)
}

// readEnv merges the variables into c. An empty variable counts as unset, which is how compose files and units switch one off.
func readEnv(c *Config, getenv func(string) (string, bool)) Problems {
	var all Problems
	for _, s := range settings() {
		if text, ok := getenv(s.env()); ok && text != "" {
			if err := s.value(c).Set(text); err != nil {
				all = append(all, s.env()+": "+err.Error())
			}
		}
	}
	if password, ok := getenv("LARDER_ADMIN_PASSWORD"); ok {
		c.AdminPassword = password
	}
	return all
}

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
		if !s.hasFlag() || len(names) > 0 && !contains(names, s.name) {
			continue
		}
		v := s.value(&defaults)
		f := &flagValue{setting: s, shown: v.String()}
		flag := fs.VarPF(f, s.name, "", s.usage)
		if v.Type() == "bool" {
			flag.NoOptDefVal = "true"
		}
		flags.given = append(flags.given, f)
	}
	return flags
}

func contains(names []string, name string) bool {
	for _, n := range names {
		if n == name {
			return true
		}
	}
	return false
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
	if f.setting.value == nil {
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
