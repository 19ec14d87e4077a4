package cli

// This file looks at the help of commands with many flags.

import (
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

func TestTextIsBrokenBetweenWords(t *testing.T) {
	for _, c := range []struct {
		text  string
		width int
		want  []string
	}{
		{"", 10, []string{""}},
		{"one", 10, []string{"one"}},
		{"one two three", 7, []string{"one two", "three"}},
		{"one two three", 8, []string{"one two", "three"}},
		{"extraordinarily long", 5, []string{"extraordinarily", "long"}},
		{"size (default" + noBreak + "1GiB)", 14, []string{"size", "(default 1GiB)"}},
	} {
		if got := wrap(c.text, c.width); !slices.Equal(got, c.want) {
			t.Errorf("%q within %d columns is %q, want %q", c.text, c.width, got, c.want)
		}
	}
}

func TestTextsOfFlags(t *testing.T) {
	fs := pflag.NewFlagSet("test", pflag.ContinueOnError)
	fs.String("data", "./data", "folder that holds everything")
	fs.String("listen", "", "TCP address `host:port`; port 0 picks a free one")
	fs.Bool("h2c", true, "upgrade clients")
	fs.Bool("read-only", false, "refuse every change")
	fs.Int("most", 0, "how many")
	fs.BoolP("help", "h", false, "help for serve")
	for name, want := range map[string][2]string{
		"data":      {"  --data string", "folder that holds everything (default./data)"},
		"listen":    {"  --listen host:port", "TCP address host:port; port 0 picks a free one"},
		"h2c":       {"  --h2c", "upgrade clients (default true; off with --h2c=false)"},
		"read-only": {"  --read-only", "refuse every change"},
		"most":      {"  --most int", "how many"},
		"help":      {"  -h, --help", "help for serve"},
	} {
		left, text := flagTexts(fs.Lookup(name))
		if left != want[0] || strings.ReplaceAll(text, noBreak, "") != want[1] {
			t.Errorf("--%s is shown as %q and %q, want %q", name, left, text, want)
		}
	}
}

// TestHelpOfEveryCommand: each has one, on standard output, that begins with what the command is for.
func TestHelpOfEveryCommand(t *testing.T) {
	for _, line := range []string{
		"serve", "user", "user add", "user set", "user passwd", "user remove", "user list", "token", "token create",
		"token list", "token revoke", "gc", "check", "scrub", "backup", "restore", "compact", "stats", "traffic",
		"audit", "upstream",
		"upstream list", "upstream check", "upstream offline", "upstream online", "upstream purge", "upstream misses",
		"claim", "claim list", "setup", "config", "config docs", "version", "completion",
	} {
		r := run(t, "", append(strings.Fields(line), "--help")...)
		if r.code != exitOK || r.err != "" || !strings.Contains(r.out, "larder "+line) {
			t.Errorf("larder %s --help: %+v, want its usage", line, r)
		}
		if first, _, _ := strings.Cut(r.out, "\n"); first == "" || strings.HasPrefix(first, "Usage") {
			t.Errorf("larder %s --help begins with %q, want what it is for", line, first)
		}
	}
}

func TestHelpHasTheVariablesOfSubjects(t *testing.T) {
	out := must(t, "", "config", "--help")
	for _, want := range []string{"Usage:\n  larder config [flags]\n  larder config docs ", "\nAccess:\n", "\nOther:\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("larder config --help lacks %q:\n%s", want, out)
		}
	}
}
