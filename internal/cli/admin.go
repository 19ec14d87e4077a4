package cli

// This file has the commands for users and tokens.

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"larder/auth"
	"larder/internal/config"
	"larder/web"
)

func (a *app) userCommand() *cobra.Command {
	return a.group("user", "Manage users", a.userAdd(), a.userSet(), a.userPasswd(), a.userRemove(), a.userList())
}

func (a *app) userAdd() *cobra.Command {
	cmd := &cobra.Command{Use: "add NAME", Short: "Add a user", Args: exactly("the user's NAME")}
	s := settingsFlags(cmd, "data")
	admin := cmd.Flags().Bool("admin", false, "make the user an administrator")
	scopes := cmd.Flags().StringArray("scope", nil,
		"limit the user to kind:type:name:actions, e.g. npm:package:@acme/*:write; repeatable")
	fromStdin := cmd.Flags().Bool("password-stdin", false, "read the password from standard input")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		password, err := a.password(args[0], *fromStdin)
		if err != nil {
			return err
		}
		// The first start makes user admin only in a folder without users, so one that begins here must get an administrator.
		return a.withClient(cmd.Context(), s, *admin, func(c *client, _ config.Config) error {
			body := web.NewUser{Name: args[0], Password: password, Admin: *admin, Scopes: *scopes}
			if err := c.do(cmd.Context(), http.MethodPost, "users", body, nil); err != nil {
				return err
			}
			return a.say("added user %s", args[0])
		})
	}
	return cmd
}

func (a *app) userPasswd() *cobra.Command {
	cmd := &cobra.Command{Use: "passwd NAME", Short: "Change a user's password", Args: exactly("the user's NAME")}
	s := settingsFlags(cmd, "data")
	fromStdin := cmd.Flags().Bool("password-stdin", false, "read the password from standard input")
	revoke := cmd.Flags().Bool("revoke-tokens", false, "end all tokens of the user as well")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		password, err := a.password(args[0], *fromStdin)
		if err != nil {
			return err
		}
		q := query{http.MethodPost, "users/" + url.PathEscape(args[0]) + "/password",
			web.NewPassword{Password: password, RevokeTokens: *revoke}}
		return a.change(cmd, s, q, "changed the password of user %s", args[0])
	}
	return cmd
}

func (a *app) userRemove() *cobra.Command {
	cmd := &cobra.Command{
		Use: "remove NAME", Short: "Remove a user and their tokens; what they published stays",
		Args: exactly("the user's NAME"),
	}
	s := settingsFlags(cmd, "data")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		q := query{method: http.MethodDelete, path: "users/" + url.PathEscape(args[0])}
		return a.change(cmd, s, q, "removed user %s", args[0])
	}
	return cmd
}

func (a *app) userList() *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "List users", Args: exactly()}
	s, asJSON := settingsFlags(cmd, "data"), jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		part := func(l web.UserList) ([]auth.User, string) { return l.Users, l.Next }
		return askAll(a, cmd, s, "users", url.Values{}, part, func(users []auth.User) error {
			if *asJSON {
				return a.printJSON(users)
			}
			var rows [][]string
			for _, u := range users {
				rows = append(rows, []string{u.Name, role(u), scopesText(u.Scopes), timeText(u.Created)})
			}
			return a.table([]string{"NAME", "ROLE", "SCOPES", "CREATED"}, rows)
		})
	}
	return cmd
}

func role(u auth.User) string {
	role := "user"
	if u.Admin {
		role = "admin"
	}
	if u.Disabled {
		role += ", disabled"
	}
	return role
}

// scopesText shows scopes in a cell; none mean no limit.
func scopesText(s auth.Scopes) string {
	if len(s) == 0 {
		return "all"
	}
	return s.String()
}

func (a *app) tokenCommand() *cobra.Command {
	return a.group("token", "Manage tokens", a.tokenCreate(), a.tokenList(), a.tokenRevoke())
}

// tokenFlags are the flags of token create.
type tokenFlags struct {
	scopes, cidrs []string
	expires       config.Duration
	name          string
	readOnly      bool
}

func (a *app) tokenCreate() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "create USER",
		Short: "Make a token and print it",
		Long:  "Make a token and print it, and nothing else, on standard output. It is shown this once.",
		Args:  exactly("the USER it is for"),
	}
	s := settingsFlags(cmd, "data")
	var f tokenFlags
	fs := cmd.Flags()
	fs.StringArrayVar(&f.scopes, "scope", nil,
		"limit the token to kind:type:name:actions, e.g. oci:repository:app:push; repeatable")
	fs.Var(&f.expires, "expires", "how long it is valid, e.g. 90d (default: for ever)")
	fs.StringVar(&f.name, "name", "", "what it is for")
	fs.BoolVar(&f.readOnly, "read-only", false, "let it read only")
	fs.StringSliceVar(&f.cidrs, "cidr", nil, "networks it may be used from; repeatable")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if fs.Changed("expires") && f.expires == 0 {
			return usagef("--expires must be longer than nothing")
		}
		q := query{http.MethodPost, "tokens", f.body(args[0])}
		return ask(a, cmd, s, q, func(made web.CreatedToken) error { return a.say("%s", made.Token) })
	}
	return cmd
}

func (f tokenFlags) body(user string) web.NewToken {
	body := web.NewToken{User: user, Name: f.name, Scopes: f.scopes, ReadOnly: f.readOnly, CIDRs: f.cidrs}
	if f.expires > 0 {
		body.Expires = time.Now().Add(f.expires.Std()).UTC().Truncate(time.Second)
	}
	return body
}

func (a *app) tokenList() *cobra.Command {
	cmd := &cobra.Command{Use: "list [USER]", Short: "List tokens", Args: between(0, "USER")}
	s, asJSON := settingsFlags(cmd, "data"), jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		q := url.Values{}
		if len(args) > 0 {
			q.Set("user", args[0])
		}
		part := func(l web.TokenList) ([]auth.Token, string) { return l.Tokens, l.Next }
		return askAll(a, cmd, s, "tokens", q, part, func(tokens []auth.Token) error {
			if *asJSON {
				return a.printJSON(tokens)
			}
			var rows [][]string
			for _, t := range tokens {
				rows = append(rows, tokenRow(t))
			}
			return a.table([]string{"ID", "USER", "NAME", "SCOPES", "LIMITS", "CREATED", "EXPIRES", "LAST USED"}, rows)
		})
	}
	return cmd
}

func tokenRow(t auth.Token) []string {
	var limits []string
	if t.ReadOnly {
		limits = append(limits, "read-only")
	}
	for _, p := range t.CIDRs {
		limits = append(limits, p.String())
	}
	return []string{
		t.ID, t.User, t.Name, scopesText(t.Scopes), strings.Join(limits, " "),
		timeText(t.Created), timeText(t.Expires), timeText(t.LastUsed),
	}
}

func (a *app) tokenRevoke() *cobra.Command {
	cmd := &cobra.Command{Use: "revoke ID", Short: "End a token at once",
		Args: exactly("the token's ID; larder token list shows it")}
	s := settingsFlags(cmd, "data")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		q := query{method: http.MethodDelete, path: "tokens/" + url.PathEscape(args[0])}
		return a.change(cmd, s, q, "revoked token %s", args[0])
	}
	return cmd
}
