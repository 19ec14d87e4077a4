package config

// This file merges the sources of a configuration.

import "os"

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

// readEnv merges the variables into c. An empty variable counts as unset, which is how compose files and units switch
// one off.
func readEnv(c *Config, getenv func(string) (string, bool)) Problems {
	var all Problems
	for _, s := range settings() {
		if !s.in(fromVariable) {
			continue
		}
		if text, ok := getenv(s.env()); ok && text != "" {
			if err := s.value(c).Set(text); err != nil {
				all = append(all, s.env()+": "+err.Error())
			}
		}
	}
	return all
}
