package cli

// This file has larder serve.

import (
	"context"
	"log/slog"
	"runtime/debug"

	"github.com/spf13/cobra"

	"larder/internal/config"
	"larder/internal/server"
)

func (a *app) serveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the registry",
		Long: "Run the registry until SIGTERM or SIGINT. The first start on an empty folder\n" +
			"makes user admin, with the password of LARDER_ADMIN_PASSWORD or else a random\n" +
			"one, which is printed once. Every flag is also a variable (LARDER_PUBLIC_URL)\n" +
			"and a key of the configuration file (public-url). The file has more:\n" +
			"larder config docs explains all of it.",
		Args: exactly(),
	}
	s := settingsFlags(cmd)
	cmd.SetUsageFunc(subjectUsage)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := a.load(s)
		if err != nil {
			return err
		}
		return a.serve(cmd.Context(), cfg)
	}
	return cmd
}

// gcPercent lets the heap grow to five times what is live before it is collected: what is live is small and its size
// bounded, and requests leave a lot of short-lived garbage behind. GOMEMLIMIT still holds.
const gcPercent = 400

// memoryBase is what the program needs beside what requests hold, in bytes: caches of documents (32 MiB) and small
// blobs (16 MiB), what is remembered of names, connections, and garbage.
const memoryBase = 96 << 20

func (a *app) serve(ctx context.Context, cfg config.Config) error {
	if _, set := a.getenv("GOGC"); !set {
		debug.SetGCPercent(gcPercent)
	}
	limit, from := debug.SetMemoryLimit(-1), "GOMEMLIMIT"
	if _, set := a.getenv("GOMEMLIMIT"); !set {
		limit, from = cfg.Memory+memoryBase, "memory"
		debug.SetMemoryLimit(limit)
	}
	w := &logWriter{w: a.stderr}
	defer w.flush()
	log := newLog(w, cfg)
	log.LogAttrs(
		ctx, slog.LevelInfo, "memory", slog.String("requests", config.Size(cfg.Memory).String()),
		slog.String("limit", config.Size(limit).String()), slog.String("from", from),
	)
	srv, err := server.New(ctx, cfg, log, a.stdout)
	if err != nil {
		return err
	}
	return srv.Run(ctx)
}
