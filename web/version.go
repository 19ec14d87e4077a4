package web

// The version of the program.

import (
	"runtime/debug"
	"strings"
)

// Version is what the Go toolchain recorded when it built the program: the module version, or devel and the commit.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return strings.TrimPrefix(v, "v")
	}
	commit, modified := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			commit = s.Value[:min(12, len(s.Value))]
		case s.Key == "vcs.modified" && s.Value == "true":
			modified = "-modified"
		}
	}
	if commit == "" {
		return "devel"
	}
	return "devel-" + commit + modified
}
