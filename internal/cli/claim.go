package cli

// This file has larder claim: names that are this registry's own.

import (
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"larder/internal/config"
	"larder/store"
	"larder/web"
)

// claimCommand is both a command and the group of claim list.
func (a *app) claimCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "claim KIND NAME", Short: "Make a name this registry's own: upstreams are never asked for it",
		Long: "Make a name this registry's own, as every name is that was ever published here: upstreams are never asked " +
			"for it, and\n" +
			"what is kept of theirs is not served. With --release the name of a package that is deleted is given up again.\n" +
			"Patterns of names stand in the configuration, under claims.",
		Example: "  larder claim npm left-pad\n  larder claim maven com.acme:lib --release\n  larder claim list",
		Args:    exactly("the KIND", "the NAME"),
	}
	s := settingsFlags(cmd, "data", "claims")
	release := cmd.Flags().Bool("release", false, "give the name up: upstreams are asked for it again")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		kind, err := store.ParseKind(args[0])
		if err != nil {
			return usagef("%v", err)
		}
		q := query{http.MethodPost, "claims", web.Claim{Kind: kind, Name: args[1], Release: *release}}
		return ask(a, cmd, s, q, func(out web.Claim) error {
			verb := "claimed"
			if *release {
				verb = "released"
			}
			return a.say("%s %s %s", verb, out.Kind, out.Name)
		})
	}
	cmd.AddCommand(a.claimList())
	return cmd
}

func (a *app) claimList() *cobra.Command {
	cmd := &cobra.Command{
		Use: "list [KIND]", Short: "List names that are this registry's own without a package: claimed, or of what was " +
			"deleted",
		Args: between(0, "the KIND"),
	}
	s, asJSON := settingsFlags(cmd, "data", "claims"), jsonFlag(cmd)
	all := cmd.Flags().Bool("all", false, "also names of packages that are published here")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		which, err := choice(args)
		if err != nil {
			return err
		}
		return a.withClient(cmd.Context(), s, false, func(c *client, _ config.Config) error {
			list, err := claims(cmd, c, which.Kind, *all)
			if err != nil {
				return err
			}
			if *asJSON {
				return a.printJSON(list)
			}
			var rows [][]string
			for _, rule := range list.Rules {
				rows = append(rows, []string{"", rule, "configuration", "", ""})
			}
			for _, n := range list.Names {
				rows = append(rows, []string{string(n.Kind), n.Name, whyOwned(n), n.By, timeText(n.Since)})
			}
			return a.table([]string{"KIND", "NAME", "WHY", "BY", "SINCE"}, rows)
		})
	}
	return cmd
}

func whyOwned(n store.OwnedName) string {
	switch {
	case n.Hosted:
		return "published"
	case n.Claimed:
		return "claimed"
	}
	return "deleted"
}

// claims reads all pages of the list.
func claims(cmd *cobra.Command, c *client, only store.Kind, all bool) (list web.ClaimList, err error) {
	q := url.Values{}
	if only != "" {
		q.Set("kind", string(only))
	}
	if all {
		q.Set("hosted", "1")
	}
	list.Names = []store.OwnedName{}
	err = pages(cmd.Context(), c, "claims", q, func(page web.ClaimList) string {
		list.Rules, list.Names = page.Rules, append(list.Names, page.Names...)
		return page.Next
	})
	return list, err
}
