package cli

// This file has larder backup and larder restore.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"larder/internal/config"
	"larder/store"
	"larder/web"
)

func (a *app) backupCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "backup FILE",
		Short: "Write everything into one tar file",
		Long: "Write everything into one tar file; - is standard output. The file appears under its name when it is " +
			"complete and on disk.",
		Args: exactly("the FILE to write, or - for standard output"),
	}
	s, asJSON := settingsFlags(cmd, "data"), jsonFlag(cmd)
	force := cmd.Flags().Bool("force", false, "overwrite the file if it exists")
	archives := cmd.Flags().
		Bool("archives", false, "add the archives of the journal, which hold what is older than journal.keep")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if args[0] == "-" && (*asJSON || isTerminal(a.stdout)) {
			return usagef("a backup to standard output goes into a pipe or file, and without --json")
		}
		return a.withClient(cmd.Context(), s, false, func(c *client, _ config.Config) error {
			if args[0] == "-" {
				_, err := a.fetchBackup(cmd.Context(), c, a.stdout, *archives)
				return err
			}
			report, err := a.backupFile(cmd.Context(), c, args[0], *force, *archives)
			if err != nil {
				return err
			}
			return a.sayBackup("backed up", report, *asJSON)
		})
	}
	return cmd
}

// sayBackup prints the report of a backup or restore.
func (a *app) sayBackup(verb string, r store.BackupReport, asJSON bool) error {
	if asJSON {
		return a.printJSON(r)
	}
	return a.say("%s %s (%s) and the database (%s)", verb, plural(r.Blobs, "blob", "blobs"), bytesText(r.Bytes),
		bytesText(r.Database))
}

// fetchBackup copies the tar to w. Without the report at its end the tar is not complete.
func (a *app) fetchBackup(
	ctx context.Context, c *client, w io.Writer, archives bool,
) (report store.BackupReport, err error) {
	var stats store.Stats
	if err := c.do(ctx, http.MethodGet, "stats", nil, &stats); err != nil {
		return report, err
	}
	resp, err := c.send(ctx, http.MethodPost, "backup", map[string]bool{"archives": archives})
	if err != nil {
		return report, err
	}
	defer resp.Body.Close()
	show := a.newProgress("backup", bytesText)
	defer show.finish()
	dst := &counter{w: w, total: stats.BlobBytes + stats.Database, update: show.update}
	if _, err := io.Copy(dst, resp.Body); err != nil {
		if dst.err != nil {
			return report, fmt.Errorf("cannot write the backup: %w", dst.err)
		}
		return report, brokenOff(ctx, fmt.Errorf("read backup: %w", err))
	}
	text := resp.Trailer.Get(web.ReportTrailer)
	if text == "" {
		return report, errors.New("the server broke the backup off; its log says why")
	}
	return report, json.Unmarshal([]byte(text), &report)
}

// counter tells progress of what passes through it, and keeps apart the errors of w.
type counter struct {
	w           io.Writer
	done, total int64
	update      func(done, total int64)
	err         error
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.done += int64(n)
	c.err = err
	c.update(c.done, c.total)
	return n, err
}

// backupFile writes a temporary file beside name and moves it there when it is complete and synced. Without force the
// move fails if name has come to exist meanwhile.
func (a *app) backupFile(
	ctx context.Context, c *client, name string, force, archives bool,
) (report store.BackupReport, err error) {
	exists := fmt.Errorf("%s exists; choose another name or use --force", name)
	if _, err := os.Lstat(name); !force && err == nil {
		return report, exists
	}
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*.part")
	if err != nil {
		return report, fmt.Errorf("cannot write the backup: %w", err)
	}
	defer func() {
		// After a rename there is nothing left to remove, after a link the spare name.
		if rerr := os.Remove(f.Name()); rerr != nil && !errors.Is(rerr, fs.ErrNotExist) && err == nil {
			err = fmt.Errorf("cannot remove a temporary file: %w", rerr)
		}
	}()
	report, err = a.fetchBackup(ctx, c, f, archives)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return report, err
	}
	if err := place(f.Name(), name, force); errors.Is(err, fs.ErrExist) {
		return report, exists
	} else if err != nil {
		return report, fmt.Errorf("cannot write the backup: %w", err)
	}
	return report, syncFolder(filepath.Dir(name))
}

// place gives the finished file its name. A link fails where the name is taken, which a rename would overwrite;
// on file systems without links the check made before must do.
func place(temp, name string, force bool) error {
	if !force {
		if err := os.Link(temp, name); err == nil || errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return os.Rename(temp, name)
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (a *app) restoreCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Make the data folder from a backup",
		Long: "Make the data folder, which must be absent or empty, from a backup; - is standard input. Every file is " +
			"compared with its digest.",
		Args: exactly("the backup's FILE, or - for standard input"),
	}
	s, asJSON := settingsFlags(cmd, "data"), jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cfg, err := a.load(s)
		if err != nil {
			return err
		}
		report, err := a.restore(cmd.Context(), cfg.Data, args[0])
		if errors.Is(err, store.ErrExists) {
			return fmt.Errorf("%s is not empty; restore into a folder that is absent or empty", cfg.Data)
		}
		if err != nil {
			return fmt.Errorf("cannot restore: %w", err)
		}
		return a.sayBackup("restored", report, *asJSON)
	}
	return cmd
}

func (a *app) restore(ctx context.Context, data, name string) (store.BackupReport, error) {
	var src io.Reader = a.stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return store.BackupReport{}, err
		}
		defer f.Close()
		src = f
	}
	show := a.newProgress("restore", bytesText)
	defer show.finish()
	return store.Restore(ctx, data, src, show.update)
}
