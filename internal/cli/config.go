package cli

// This file has larder config: what is in force, and what can be set.

import (
	"bytes"
	"errors"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"larder/internal/config"
)

func (a *app) configCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Print the effective configuration",
		Long: "Print what larder serve would run with, given the same flags, environment and\n" +
			"file, as a configuration file. Secrets are left out.",
		Args: exactly(),
	}
	s, asJSON := settingsFlags(cmd), jsonFlag(cmd)
	cmd.SetUsageFunc(subjectUsage)
	cmd.AddCommand(a.docsCommand())
	cmd.RunE = func(*cobra.Command, []string) error {
		cfg, err := a.load(s)
		if err != nil {
			return err
		}
		if *asJSON {
			return a.printJSON(cfg)
		}
		var text bytes.Buffer
		e := yaml.NewEncoder(&text)
		e.SetIndent(2)
		if err := errors.Join(e.Encode(cfg), e.Close()); err != nil {
			return err
		}
		if cfg.AdminPassword != "" {
			text.WriteString("# LARDER_ADMIN_PASSWORD is set and not shown.\n")
		}
		_, err = a.stdout.Write(text.Bytes())
		return err
	}
	return cmd
}

func (a *app) docsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "docs",
		Short: "Print the reference of all settings",
		Long:  "Print every setting with its flag, variable, key, default and meaning, as Markdown.",
		Args:  exactly(),
		RunE: func(*cobra.Command, []string) error {
			_, err := a.stdout.Write([]byte(config.Page()))
			return err
		},
	}
}
