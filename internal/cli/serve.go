package cli

import (
	"context"
	"io"
	"log/slog"

	"github.com/spf13/cobra"

	"larder/internal/config"
	"larder/internal/server"
)

func (a *app) serveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the registry",
		Long: "Run the registry until SIGTERM or SIGINT. The first start on an empty folder makes user admin, with the password of\n" +
			"LARDER_ADMIN_PASSWORD or else a random one, which is printed once. Every flag is also a variable (LARDER_PUBLIC_URL)\n" +
			"and a key of the configuration file (public-url); the file has more: larder config prints all of it.",
		Args: exactly(),
	}
	s := settingsFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := a.load(s)
		if err != nil {
			return err
		}
		return a.serve(cmd.Context(), cfg)
	}
	return cmd
}

func (a *app) serve(ctx context.Context, cfg config.Config) error {
	srv, err := server.New(ctx, cfg, newLog(a.stderr, cfg), a.stdout)
	if err != nil {
		return err
	}
	return srv.Run(ctx)
}

// newLog makes the server's logger from two validated settings.
func newLog(w io.Writer, cfg config.Config) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.LogLevel)); err != nil {
		level = slog.LevelInfo
	}
	options := &slog.HandlerOptions{Level: level}
	if cfg.Log == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}
