package cli

// This file has the commands for upstreams and what is kept of them.

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"larder/internal/config"
	"larder/store"
	"larder/upstream"
	"larder/web"
)

func (a *app) upstreamCommand() *cobra.Command {
	return a.group("upstream", "Look after remote registries and the copies that are kept of them",
		a.upstreamList(), a.upstreamCheck(), a.upstreamSwitch("offline",
			"Ask no upstream, or not the ones named, until the server stops", true),
		a.upstreamSwitch("online", "Ask upstreams again, with past failures forgotten", false), a.upstreamPurge(),
		a.upstreamMisses())
}

// choice reads [KIND [NAME]].
func choice(args []string) (c web.UpstreamChoice, err error) {
	if len(args) > 0 {
		if c.Kind, err = store.ParseKind(args[0]); err != nil {
			return c, usagef("%v", err)
		}
	}
	if len(args) > 1 {
		c.Name = args[1]
	}
	return c, nil
}

func (a *app) upstreamList() *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "List upstreams, how they fare and what they saved", Args: exactly()}
	s, asJSON := settingsFlags(cmd), jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return ask(a, cmd, s, query{method: http.MethodGet, path: "upstreams"}, func(list web.UpstreamList) error {
			if *asJSON {
				return a.printJSON(list)
			}
			var rows [][]string
			for _, u := range list.Upstreams {
				rows = append(rows, []string{
					string(u.Kind), u.Name, u.URL, upstreamState(u), strconv.FormatInt(u.Hits, 10),
					strconv.FormatInt(u.Misses, 10), strconv.FormatInt(u.Stale, 10),
					bytesText(u.Bytes), bytesText(u.Saved), strconv.FormatInt(u.Pinned, 10),
				})
			}
			head := []string{"KIND", "NAME", "URL", "STATE", "HITS", "MISSES", "STALE", "FETCHED", "SAVED", "PINNED"}
			err := a.table(head, rows)
			if err != nil {
				return err
			}
			return a.say("%s of files are kept", bytesText(list.Cached))
		})
	}
	return cmd
}

func upstreamState(u upstream.Status) string {
	switch {
	case u.NoUpstream:
		return fmt.Sprintf("no upstream: %s, %s", plural(u.Copies, "copy", "copies"), bytesText(u.Kept))
	case u.Offline:
		return "offline"
	case u.Open:
		return "not asked before " + timeText(u.Until)
	}
	return "online"
}

func (a *app) upstreamCheck() *cobra.Command {
	cmd := &cobra.Command{Use: "check [KIND [NAME]]", Args: cobra.MaximumNArgs(2),
		Short: "Fetch a document and a file from upstreams, with the login and without; exits with 1 if one fails",
		Long: "Fetch a document and a file from upstreams, with the login and without, and say what was seen and what to " +
			"change.\n\nNothing of it is kept. The document is that of the package named by --package, else of one that the " +
			"upstream is only for, of which a copy is kept, or which most public registries of the kind have. Exits with 1 if " +
			"an upstream fails.",
		Example: "  larder upstream check\n  larder upstream check npm team --package @team/tool",
	}
	s, asJSON := settingsFlags(cmd), jsonFlag(cmd)
	name := cmd.Flags().String("package", "", "the `NAME` of a package that the upstream has")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		which, err := choice(args)
		if err != nil {
			return err
		}
		if which.Package = *name; *name != "" && which.Kind == "" {
			return usagef("a package is of a kind: larder upstream check KIND [NAME] --package %s", *name)
		}
		cfg, err := a.load(s)
		if err != nil {
			return err
		}
		c, err := a.openWholeAdmin(cmd.Context(), cfg)
		if err != nil {
			return err
		}
		var list web.UpstreamChecks
		err = c.do(cmd.Context(), http.MethodPost, "upstreams/check", which, &list)
		if err = errors.Join(err, c.close()); err != nil {
			return err
		}
		return a.sayChecks(list.Checks, *asJSON)
	}
	return cmd
}

func (a *app) sayChecks(list []web.UpstreamCheck, asJSON bool) error {
	bad, rows := 0, [][]string{}
	for _, u := range list {
		if u.Error != "" {
			bad++
		}
		for _, f := range u.Found {
			state := "ok"
			if !f.OK {
				state = "failed"
			}
			rows = append(rows, []string{string(u.Kind), u.Name, f.Step, state, f.String()})
		}
	}
	heads := []string{"KIND", "NAME", "STEP", "STATE", "SEEN"}
	if err := a.show(asJSON, list, func() error { return a.table(heads, rows) }); err != nil {
		return err
	}
	if bad > 0 {
		return fmt.Errorf("%s the check", plural(int64(bad), "upstream fails", "upstreams fail"))
	}
	return nil
}

func (a *app) upstreamSwitch(verb, short string, off bool) *cobra.Command {
	cmd := &cobra.Command{Use: verb + " [KIND [NAME]]", Short: short, Args: cobra.MaximumNArgs(2)}
	s := settingsFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		which, err := choice(args)
		if err != nil {
			return err
		}
		which.Offline = off
		return a.withClient(cmd.Context(), s, false, func(c *client, _ config.Config) error {
			if !c.live {
				return fmt.Errorf("no server is running; start it with --offline or without")
			}
			if err := c.do(cmd.Context(), http.MethodPost, "upstreams/switch", which, nil); err != nil {
				return err
			}
			what := strings.TrimSpace(string(which.Kind) + " " + which.Name)
			if what == "" {
				what = "every upstream"
			}
			return a.say("%s is %s", what, verb)
		})
	}
	return cmd
}

func (a *app) upstreamPurge() *cobra.Command {
	cmd := &cobra.Command{
		Use: "purge KIND PACKAGE", Short: "Drop what is kept of packages, so that it is fetched anew; PACKAGE is a name or " +
			"a pattern with *",
		Args: exactly("the KIND", "the PACKAGE"),
	}
	s := settingsFlags(cmd)
	orphans := cmd.Flags().Bool("no-upstream", false, "drop only copies whose upstream is not configured any more")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		which, err := choice(args[:1])
		if err != nil {
			return err
		}
		which.Package, which.NoUpstream = args[1], *orphans
		return ask(a, cmd, s, query{http.MethodPost, "upstreams/purge", which}, func(out web.Purged) error {
			return a.say("dropped the copies of %s", plural(int64(out.Packages), "package", "packages"))
		})
	}
	return cmd
}

func (a *app) upstreamMisses() *cobra.Command {
	cmd := &cobra.Command{Use: "misses", Short: "List what was missing offline, and what upstreams or rules refused",
		Args: exactly()}
	s, asJSON := settingsFlags(cmd), jsonFlag(cmd)
	clear := cmd.Flags().Bool("clear", false, "forget the list")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *clear {
			return a.withClient(cmd.Context(), s, false, func(c *client, _ config.Config) error {
				return c.do(cmd.Context(), http.MethodDelete, "upstreams/misses", nil, nil)
			})
		}
		part := func(l web.MissList) ([]upstream.Miss, string) { return l.Misses, l.Next }
		return askAll(a, cmd, s, "upstreams/misses", url.Values{}, part, func(misses []upstream.Miss) error {
			if *asJSON {
				return a.printJSON(misses)
			}
			return a.sayMisses(misses)
		})
	}
	return cmd
}

func (a *app) sayMisses(list []upstream.Miss) error {
	var rows [][]string
	for _, m := range list {
		why := cmp.Or(m.Reason, "offline")
		rows = append(rows, []string{string(m.Kind), m.Package, m.Key, strconv.FormatInt(m.Count, 10), why})
	}
	return a.table([]string{"KIND", "PACKAGE", "FILE", "COUNT", "WHY"}, rows)
}
