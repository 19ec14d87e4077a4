package cli

// This file has larder scrub.

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"larder/internal/config"
	"larder/store"
	"larder/web"
)

// Here: larder scrub, which looks for bytes that went bad on disk, and brings them again.

func (a *app) scrubCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "scrub",
		Short: "Read every file again and find what went bad on disk",
		Long: "Read every file and compare it with its digest. What is damaged is named by package and not given out " +
			"any more; copies are fetched again from their upstreams. Publishing the same bytes again repairs the rest, " +
			"and so does --heal with a file that has them. Exits with 1 if anything is damaged.",
		Args: exactly(),
	}
	s, asJSON := settingsFlags(cmd, "data"), jsonFlag(cmd)
	var rate config.Size
	cmd.Flags().Var(&rate, "rate", "read at most so many bytes a second (default: as fast as the disk gives them)")
	heal := cmd.Flags().StringArray("heal", nil,
		"read nothing, but take this file's bytes for a damaged file with the same ones; repeatable")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if len(*heal) > 0 {
			return a.withClient(cmd.Context(), s, false, func(c *client, _ config.Config) error {
				return a.heal(cmd, c, *heal, *asJSON)
			})
		}
		j := job{"scrub", map[string]any{"rate": int64(rate)}, bytesText}
		return runJob(a, cmd, s, j, func(report web.ScrubResult) error { return a.sayScrub(report, *asJSON) })
	}
	return cmd
}

// sayScrub prints the report; damage is a failure.
func (a *app) sayScrub(r web.ScrubResult, asJSON bool) error {
	err := a.show(asJSON, r, func() error {
		for _, d := range r.Damages {
			if err := a.sayDamage(d); err != nil {
				return err
			}
		}
		return a.say("read %s (%s); %d found damaged, %d repaired, %d fetched again",
			plural(r.Blobs, "blob", "blobs"), bytesText(r.Bytes), r.Found, r.Repaired, r.Fetched)
	})
	if err != nil {
		return err
	}
	if n := len(r.Damages); n > 0 {
		return fmt.Errorf("%s damaged", plural(int64(n), "blob is", "blobs are"))
	}
	return nil
}

// sayDamage prints one line for each place that needs the blob.
func (a *app) sayDamage(d store.Damage) error {
	if len(d.Where) == 0 {
		return a.say("%s: %s", d.Digest, d.What)
	}
	for _, at := range d.Where {
		if err := a.say("%s: %s: %s", at, d.Digest, d.What); err != nil {
			return err
		}
	}
	return nil
}

// heal sends each file.
func (a *app) heal(cmd *cobra.Command, c *client, files []string, asJSON bool) error {
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		var done web.Healed
		err = c.post(cmd.Context(), "heal", f, &done)
		f.Close()
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if asJSON {
			err = a.printJSON(done)
		} else if done.Damaged {
			err = a.say("repaired %s with %s", done.Digest, name)
		} else {
			err = a.say("%s was not known to be damaged", done.Digest)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
