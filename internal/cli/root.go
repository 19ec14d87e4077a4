package cli

// This file has the tree of commands, and what all of them share.

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"larder/internal/config"
)

// root builds the whole tree.
func (a *app) root() *cobra.Command {
	root := a.group("larder", "A package registry in one binary and one folder",
		a.serveCommand(),
		a.userCommand(), a.tokenCommand(), a.gcCommand(), a.checkCommand(), a.scrubCommand(), a.backupCommand(),
		a.restoreCommand(), a.compactCommand(), a.statsCommand(), a.trafficCommand(), a.auditCommand(), a.upstreamCommand(),
		a.claimCommand(), a.setupCommand(), a.configCommand(), a.versionCommand(), a.completionCommand(),
	)
	root.SilenceErrors = true
	root.SilenceUsage = true
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{err} })
	return root
}

// group is a command that only holds others; later ones are added by adding them here.
func (a *app) group(use, short string, children ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use:   use,
		Short: short,
		Args:  cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("%q is not a command of %s; see %s --help", args[0], cmd.CommandPath(), cmd.CommandPath())
			}
			var names []string
			for _, child := range cmd.Commands() {
				names = append(names, child.Name())
			}
			return usagef("%s needs a command: %s", cmd.CommandPath(), strings.Join(names, ", "))
		},
	}
	cmd.AddCommand(children...)
	return cmd
}

// exactly wants the named arguments, no more and no fewer.
func exactly(names ...string) cobra.PositionalArgs { return between(len(names), names...) }

// between wants at least least of the named arguments.
func between(least int, names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < least {
			return usagef("%s needs %s", cmd.CommandPath(), names[len(args)])
		}
		if len(args) > len(names) {
			return usagef("%s does not take %q", cmd.CommandPath(), args[len(names)])
		}
		return nil
	}
}

// settings are the flags that say where a command's configuration comes from.
type settings struct {
	flags *config.Flags
	file  *string
}

// settingsFlags registers --config and the flags of the named settings (all if none is named).
func settingsFlags(cmd *cobra.Command, names ...string) settings {
	return settings{
		file:  cmd.Flags().String("config", "", "YAML file with the configuration"),
		flags: config.AddFlags(cmd.Flags(), names...),
	}
}

// load merges flags, environment and file.
func (a *app) load(s settings) (config.Config, error) {
	return config.Load(config.Sources{Flags: s.flags, Getenv: a.getenv, File: *s.file})
}

// jsonFlag registers --json.
func jsonFlag(cmd *cobra.Command) *bool {
	return cmd.Flags().Bool("json", false, "print JSON")
}

func (a *app) completionCommand() *cobra.Command {
	return &cobra.Command{
		Use:       "completion bash|zsh|fish",
		Short:     "Print a shell's completion script",
		Long:      "Print a completion script, for example: larder completion bash > /etc/bash_completion.d/larder",
		ValidArgs: []string{"bash", "zsh", "fish"},
		Args:      exactly("a shell: bash, zsh or fish"),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch args[0] {
			case "bash":
				return cmd.Root().GenBashCompletionV2(a.stdout, true)
			case "zsh":
				return cmd.Root().GenZshCompletion(a.stdout)
			case "fish":
				return cmd.Root().GenFishCompletion(a.stdout, true)
			}
			return usagef("there is no completion for %q; choose bash, zsh or fish", args[0])
		},
	}
}

// say prints a line for the person who ran the command.
func (a *app) say(format string, args ...any) error {
	_, err := fmt.Fprintln(a.stdout, oneLine(fmt.Sprintf(format, args...)))
	return err
}
