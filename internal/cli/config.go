package cli

// This file has larder config: what is in force, and what can be set.

import (
	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

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
		text, err := yaml.Marshal(cfg)
		if err != nil {
			return err
		}
		if cfg.AdminPassword != "" {
			text = append(text, "# LARDER_ADMIN_PASSWORD is set and not shown.\n"...)
		}
		_, err = a.stdout.Write(text)
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
