package cli

// This file has the commands that look after a folder: gc, check, compact, stats; and version.

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"runtime"
	"strconv"

	"github.com/spf13/cobra"

	"larder/auth"
	"larder/internal/config"
	"larder/internal/problem"
	rebuilding "larder/internal/rebuild"
	"larder/store"
	"larder/web"
)

func (a *app) gcCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "gc", Short: "Remove bytes that nothing refers to any more", Args: exactly()}
	s, asJSON := settingsFlags(cmd, "data"), jsonFlag(cmd)
	dryRun := cmd.Flags().Bool("dry-run", false, "only say what would go")
	orphans := cmd.Flags().Bool("orphans", false,
		"move files that no record knows to orphans/, where they stay for 7 days, however many they are")
	var grace config.Duration
	cmd.Flags().Var(&grace, "grace", "spare what lost its last reference less than this ago (default: as configured)")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *orphans {
			return a.moveOrphans(cmd.Context(), s, *asJSON)
		}
		body := map[string]any{"dry_run": *dryRun}
		if cmd.Flags().Changed("grace") {
			body["grace_seconds"] = int64(grace.Std().Seconds())
		}
		return runJob(a, cmd, s, job{"gc", body, countText}, func(report store.SweepReport) error {
			return a.show(*asJSON, report, func() error { return a.saySweep(report, *dryRun) })
		})
	}
	return cmd
}

// moveOrphans is gc --orphans.
func (a *app) moveOrphans(ctx context.Context, s settings, asJSON bool) error {
	return a.withClient(ctx, s, false, func(c *client, _ config.Config) error {
		var r store.OrphanReport
		if err := c.stream(ctx, "gc", map[string]any{"orphans": true}, &r, func(int64, int64) {}); err != nil {
			return err
		}
		if asJSON {
			return a.printJSON(r)
		}
		return a.say(
			"moved %s (%s) to orphans/; brought %d back, removed %d; %d are kept there", plural(r.Moved, "blob", "blobs"),
			bytesText(r.Bytes), r.Returned, r.Removed, r.Kept,
		)
	})
}

func (a *app) saySweep(r store.SweepReport, dryRun bool) error {
	verb := "removed"
	if dryRun {
		verb = "would remove"
	}
	if err := a.say("%s %s (%s); kept %d in use, %d recent", verb, plural(r.Blobs, "blob", "blobs"), bytesText(r.Bytes),
		r.Held, r.Postponed); err != nil {
		return err
	}
	if r.Paused {
		return a.say("a backup is running; the rest is left for later")
	}
	return nil
}

func (a *app) checkCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Compare records, files and counters with each other",
		Long: "Compare records, files and counters with each other; with --deep also every file with its digest. Exits " +
			"with 1 if anything is wrong.\n" +
			"\n" +
			"With --rebuild it says what the files without a record are, by their content. What is known can be copied out " +
			"(--export) or published again as hosted packages (--publish), by the rules that hold for every publish, also " +
			"while the server runs. After a lost database, first start with larder serve --accept-new-database.\n" +
			"\n" +
			"Images do not say their repository: oci:REPOSITORY names where all of them go, oci:REPOSITORY@sha256:DIGEST " +
			"where one goes. Their tags are lost, except where an annotation has one. Exits with 1 if anything chosen was " +
			"refused.",
		Example: "  larder check --deep\n  larder check --rebuild --export found\n" +
			"  larder check --rebuild --publish 'npm:@acme/*' --publish oci:team/app",
		Args: exactly(),
	}
	s, asJSON := settingsFlags(cmd, "data"), jsonFlag(cmd)
	deep := cmd.Flags().Bool("deep", false, "read every file and compare it with its digest")
	rebuild := cmd.Flags().Bool("rebuild", false,
		"say what the files without a record are, by their content: all of them when the database cannot be used")
	export := cmd.Flags().String("export", "",
		"with --rebuild, copy those that are known to this folder, under the names they are published by")
	publish := cmd.Flags().StringArray("publish", nil,
		"with --rebuild, publish what is chosen here: KIND:PATTERN, oci:REPOSITORY, or * for all; repeatable")
	as := cmd.Flags().String("as", auth.AdminName, "with --publish, the user who publishes, with what that user may")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		switch {
		case (*export != "" || len(*publish) > 0) && !*rebuild:
			return usagef("--export and --publish go with --rebuild")
		case *export != "" && len(*publish) > 0:
			return usagef("--export and --publish are two things to do: export first, then publish")
		case cmd.Flags().Changed("as") && len(*publish) == 0:
			return usagef("--as goes with --publish")
		case len(*publish) > 0:
			if _, err := rebuilding.ParseChoices(*publish); err != nil {
				return usagef("%s", problem.Public(err))
			}
			return a.republish(cmd.Context(), s, *asJSON, web.RebuildRequest{Publish: *publish, As: *as})
		}
		if *rebuild {
			return a.rebuild(cmd.Context(), s, *asJSON, *export)
		}
		j := job{"check", map[string]any{"deep": *deep}, countText}
		if *deep {
			j.format = bytesText // which is what is counted when files are read
		}
		return runJob(a, cmd, s, j, func(report store.CheckReport) error { return a.sayCheck(report, *asJSON) })
	}
	return cmd
}

func (a *app) compactCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "compact",
		Short: "Give the disk back what the database no longer needs",
		Long: "Write the database anew without its free pages, and let that take its place. No server may run on the " +
			"folder.",
		Args: exactly(),
	}
	s, asJSON := settingsFlags(cmd, "data"), jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := a.load(s)
		if err != nil {
			return err
		}
		live, err := serverAnswers(cmd.Context(), cfg.Data)
		switch {
		case err != nil:
			return err
		case live:
			return fmt.Errorf("a server runs on %s; stop it, compact, and start it again", cfg.Data)
		case !store.IsDataFolder(cfg.Data):
			return fmt.Errorf("%s is not a data folder; name it with --data or LARDER_DATA", cfg.Data)
		}
		r, err := store.Compact(cmd.Context(), cfg.Data, store.Options{Reserve: cfg.Store.Reserve})
		if text := store.OperatorMessage(err); text != "" {
			return fmt.Errorf("the data folder %s cannot be opened: %s", cfg.Data, text)
		}
		if err != nil {
			return fmt.Errorf("cannot compact the database: %w", err)
		}
		if *asJSON {
			return a.printJSON(r)
		}
		return a.say("the database had %s and has %s", bytesText(r.Before), bytesText(r.After))
	}
	return cmd
}

// sayCheck prints the report; problems are a failure.
func (a *app) sayCheck(report store.CheckReport, asJSON bool) error {
	err := a.show(asJSON, report, func() error {
		for _, p := range report.Problems {
			if err := a.say("%s", p); err != nil {
				return err
			}
		}
		return a.say("checked %s in %s, %s (%s)", plural(report.Versions, "version", "versions"),
			plural(report.Packages, "package", "packages"), plural(report.Blobs, "blob", "blobs"), bytesText(report.Bytes))
	})
	if err != nil {
		return err
	}
	if n := len(report.Problems); n > 0 {
		return fmt.Errorf("the check found %s", plural(int64(n), "problem", "problems"))
	}
	return nil
}

func (a *app) statsCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "stats", Short: "Show what is stored", Args: exactly()}
	s, asJSON := settingsFlags(cmd, "data"), jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return ask(a, cmd, s, query{method: http.MethodGet, path: "stats"}, func(stats store.Stats) error {
			return a.show(*asJSON, stats, func() error { return a.sayStats(stats) })
		})
	}
	return cmd
}

func (a *app) sayStats(stats store.Stats) error {
	var rows [][]string
	for _, k := range store.Kinds() {
		n := stats.Kinds[k]
		rows = append(rows, []string{
			string(k), strconv.FormatInt(n.Packages, 10), strconv.FormatInt(n.Versions, 10), strconv.FormatInt(n.Tags, 10),
			bytesText(n.Bytes), strconv.FormatInt(stats.Kinds[k.Copies()].Packages, 10),
			bytesText(stats.Kinds[k.CachedFiles()].Bytes), strconv.FormatInt(n.Pulls, 10),
		})
	}
	head := []string{"KIND", "PACKAGES", "VERSIONS", "TAGS", "SIZE", "COPIED", "COPIES", "PULLS"}
	if err := a.table(head, rows); err != nil {
		return err
	}
	fmt.Fprintln(a.stdout)
	return a.table([]string{"BLOBS", "ON DISK", "DATABASE", "FREE", "UPLOADS", "JOURNAL"}, [][]string{{
		strconv.FormatInt(stats.Blobs, 10), bytesText(stats.BlobBytes), bytesText(stats.Database), bytesText(stats.Free),
		strconv.Itoa(stats.Uploads), strconv.FormatUint(stats.Journal, 10),
	}})
}

// build describes the program.
type build struct {
	Version string `json:"version"`
	Go      string `json:"go"`
	OS      string `json:"os"`
	Arch    string `json:"arch"`
}

func (a *app) versionCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "version", Short: "Print the version", Args: exactly()}
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(*cobra.Command, []string) error {
		b := build{Version: web.Version(), Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
		if *asJSON {
			text, err := json.Marshal(b)
			if err != nil {
				return err
			}
			return a.say("%s", text)
		}
		return a.say("larder %s (%s, %s/%s)", b.Version, b.Go, b.OS, b.Arch)
	}
	return cmd
}
