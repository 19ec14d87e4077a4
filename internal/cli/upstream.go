package cli

// This file has the commands for upstreams and what is kept of them.

import (
	"cmp"
	"fmt"
	"net/http"
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
					bytesText(u.Bytes), bytesText(u.Saved),
				})
			}
			err := a.table([]string{"KIND", "NAME", "URL", "STATE", "HITS", "MISSES", "STALE", "FETCHED", "SAVED"}, rows)
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
	cmd := &cobra.Command{Use: "check [KIND [NAME]]",
		Short: "Ask upstreams whether they answer; exits with 1 if one does not", Args: cobra.MaximumNArgs(2)}
	s, asJSON := settingsFlags(cmd), jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		which, err := choice(args)
		if err != nil {
			return err
		}
		return ask(a, cmd, s, query{http.MethodPost, "upstreams/check", which}, func(list web.UpstreamChecks) error {
			return a.sayChecks(list.Checks, *asJSON)
		})
	}
	return cmd
}

func (a *app) sayChecks(list []web.UpstreamCheck, asJSON bool) error {
	bad, rows := 0, [][]string{}
	for _, u := range list {
		state := "answers"
		if u.Error != "" {
			bad++
			state = u.Error
		}
		rows = append(rows, []string{string(u.Kind), u.Name, oneLine(state)})
	}
	err := a.show(asJSON, list, func() error { return a.table([]string{"KIND", "NAME", "STATE"}, rows) })
	if err != nil {
		return err
	}
	if bad > 0 {
		return fmt.Errorf("%s not answer", plural(int64(bad), "upstream does", "upstreams do"))
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
		return ask(a, cmd, s, query{method: http.MethodGet, path: "upstreams/misses"}, func(list web.MissList) error {
			if *asJSON {
				return a.printJSON(list.Misses)
			}
			return a.sayMisses(list.Misses)
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
