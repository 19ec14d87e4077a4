package cli

// This file prints the help of commands with many flags: by subject, in two columns that fit a terminal.

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"larder/internal/config"
)

// The columns of flags and of their texts, in characters.
const (
	flagColumn = 31
	textColumn = 49
)

// subjectUsage is a command's usage with the settings' flags grouped as the reference page groups them.
func subjectUsage(cmd *cobra.Command) error {
	w := cmd.OutOrStderr()
	fmt.Fprintf(w, "Usage:\n  %s\n", cmd.UseLine())
	for _, child := range cmd.Commands() {
		fmt.Fprintf(w, "  %s    %s\n", child.CommandPath(), child.Short)
	}
	var settings []string
	for _, s := range config.Subjects() {
		printFlags(w, cmd, s.Title, s.Names)
		settings = append(settings, s.Names...)
	}
	var others []string
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if !slices.Contains(settings, f.Name) {
			others = append(others, f.Name)
		}
	})
	printFlags(w, cmd, "Other", others)
	return nil
}

// printFlags prints those of the named flags that cmd has under a title.
func printFlags(w io.Writer, cmd *cobra.Command, title string, names []string) {
	fmt.Fprintf(w, "\n%s:\n", title)
	for _, name := range names {
		f := cmd.Flags().Lookup(name)
		if f == nil {
			continue
		}
		left, text := flagTexts(f)
		for i, line := range wrap(text, textColumn) {
			if i > 0 {
				left = ""
			} else if len(left) > flagColumn-2 {
				fmt.Fprintln(w, left)
				left = ""
			}
			fmt.Fprintln(w, strings.TrimRight(fmt.Sprintf("%-*s%s", flagColumn, left, line), " "))
		}
	}
}

// flagTexts are what stands in the two columns for f.
func flagTexts(f *pflag.Flag) (left, text string) {
	typ, text := pflag.UnquoteUsage(f)
	left = "  --" + f.Name
	if f.Shorthand != "" {
		left = "  -" + f.Shorthand + ", --" + f.Name
	}
	if typ != "" {
		left += " " + typ
	}
	switch {
	case f.Value.Type() == "bool" && f.DefValue == "true":
		text += " (default true; off with --" + f.Name + "=false)"
	case !slices.Contains([]string{"", "false", "0", "0s"}, f.DefValue):
		text += " (default" + noBreak + f.DefValue + ")"
	}
	return left, text
}

// noBreak is a space between two words that stay on one line.
const noBreak = "\u00a0"

// wrap breaks text between words into lines of at most width characters; a longer word has a line of its own.
func wrap(text string, width int) []string {
	var lines []string
	for word := range strings.SplitSeq(text, " ") {
		word = strings.ReplaceAll(word, noBreak, " ")
		if last := len(lines) - 1; last >= 0 && len(lines[last])+1+len(word) <= width {
			lines[last] += " " + word
		} else {
			lines = append(lines, word)
		}
	}
	return lines
}
