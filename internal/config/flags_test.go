package config

// This file parses command lines.

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// writeFile makes a file with a text and returns its name.
func writeFile(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "larder.yaml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// flagSet has the flags of all settings.
func flagSet() (*pflag.FlagSet, *Flags) {
	fs := pflag.NewFlagSet("test", pflag.ContinueOnError)
	return fs, AddFlags(fs)
}

func TestLastFlagWins(t *testing.T) {
	c, err := load(t, "", nil, "--data=a", "--data", "b", "--grace=1h", "--grace=2h")
	if err != nil || c.Data != "b" || c.Store.Grace.Hours() != 2 {
		t.Errorf("the data is in %s, the grace %s, %v, want b and 2h", c.Data, c.Store.Grace, err)
	}
}

func TestSwitchesNeedNoValue(t *testing.T) {
	for args, want := range map[string]bool{
		"--read-only": true, "--read-only=true": true, "--read-only=false": false, "--read-only=1": true, "": false,
	} {
		c, err := load(t, "", nil, strings.Fields(args)...)
		if err != nil || c.Store.ReadOnly != want {
			t.Errorf("%q: read-only is %t, %v, want %t", args, c.Store.ReadOnly, err, want)
		}
	}
	c, err := load(t, "h2c: true\nmetrics: true\n", nil, "--h2c=false", "--metrics=false")
	if err != nil || c.H2C || c.Metrics {
		t.Errorf("switched off by flags: h2c %t, metrics %t, %v", c.H2C, c.Metrics, err)
	}
}

// TestFlagThatIsNotGivenChangesNothing: its default is for help, and the file's value stays.
func TestFlagThatIsNotGivenChangesNothing(t *testing.T) {
	c, err := load(t, "data: /srv\nread-only: true\n", []string{"LARDER_LOG=json"}, "--listen", "127.0.0.1:1")
	if err != nil || c.Data != "/srv" || !c.Store.ReadOnly || c.Log != "json" || c.Listen != "127.0.0.1:1" {
		t.Errorf("%s, read-only %t, log %s, listen %s, %v", c.Data, c.Store.ReadOnly, c.Log, c.Listen, err)
	}
}

// TestFlagGivenAsItsDefaultWins: who writes it means it.
func TestFlagGivenAsItsDefaultWins(t *testing.T) {
	c, err := load(t, "data: /srv\nanonymous: none\n", nil, "--data=./data", "--anonymous=read")
	if err != nil || c.Data != "./data" || c.Auth.Anonymous != "read" {
		t.Errorf("the data is in %s, anonymous may %s, %v, want the flags' values", c.Data, c.Auth.Anonymous, err)
	}
}

func TestEverySettingWithoutADotHasAFlag(t *testing.T) {
	fs, _ := flagSet()
	for _, s := range settings() {
		f := fs.Lookup(s.name)
		want := !strings.Contains(s.name, ".") && (s.only == 0 || s.only&fromFlag != 0)
		if (f != nil) != want {
			t.Errorf("%s has a flag: %t, want %t", s.name, f != nil, want)
		}
		if f == nil {
			continue
		}
		defaults := Default()
		if f.DefValue != s.value(&defaults).String() || f.Value.Type() != s.value(&defaults).Type() {
			t.Errorf("--%s is a %s with the default %q, want a %s with %q", s.name, f.Value.Type(), f.DefValue,
				s.value(&defaults).Type(), s.value(&defaults).String())
		}
		if !strings.HasPrefix(f.Usage, s.help) {
			t.Errorf("--%s says %q, want the row's %q", s.name, f.Usage, s.help)
		}
	}
}

func TestSubjectsHaveEveryFlagOnce(t *testing.T) {
	var names []string
	for _, s := range Subjects() {
		if s.Title == "" || len(s.Names) == 0 {
			t.Errorf("the subject %q has the flags %q", s.Title, s.Names)
		}
		names = append(names, s.Names...)
	}
	fs, _ := flagSet()
	fs.VisitAll(func(f *pflag.Flag) {
		if n := len(names) - len(slices.DeleteFunc(slices.Clone(names), func(s string) bool { return s == f.Name })); n != 1 {
			t.Errorf("--%s is in %d subjects, want one", f.Name, n)
		}
	})
}

// TestFlagShowsWhatItWasSetTo is for completion and for help after a command line.
func TestFlagShowsWhatItWasSetTo(t *testing.T) {
	fs, _ := flagSet()
	f := fs.Lookup("grace")
	if f.Value.String() != "1h" {
		t.Errorf("before it is %s, want 1h", f.Value)
	}
	if err := fs.Parse([]string{"--grace=90d"}); err != nil || f.Value.String() != "90d" || !f.Changed {
		t.Errorf("afterwards it is %s, changed %t, %v, want 90d and true", f.Value, f.Changed, err)
	}
	if err := fs.Parse([]string{"--grace=soon"}); err == nil || f.Value.String() != "90d" {
		t.Errorf("after a value that makes no sense: %s, %v", f.Value, err)
	}
}

// TestLimitsOfFlagsAreCheckedWithTheRest: a flag that can be read, and cannot be used.
func TestLimitsOfFlagsAreCheckedWithTheRest(t *testing.T) {
	_, err := load(t, "", nil, "--reserve=0", "--anonymous=all")
	if err == nil || err.Error() != `anonymous is "all"; it must be read or none; reserve must be larger than nothing` {
		t.Errorf("%v, want both problems in the order of the settings", err)
	}
}
