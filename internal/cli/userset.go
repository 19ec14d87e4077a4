package cli

// This file has larder user set: what a user may do, and whether at all.

import (
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"larder/auth"
	"larder/web"
)

// userFlags are the flags of user set.
type userFlags struct {
	scopes                            []string
	admin, noScopes, disable, enabled bool
}

func (a *app) userSet() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "set NAME",
		Short: "Change what a user may do, or switch a user off or on",
		Long: "Change what a user may do, or switch a user off or on. It counts at once, for all of the user's\n" +
			"credentials.\n" +
			"The scopes given replace those the user had. The last administrator stays one.",
		Args: exactly("the user's NAME"),
	}
	s := settingsFlags(cmd, "data")
	var f userFlags
	fs := cmd.Flags()
	fs.StringArrayVar(&f.scopes, "scope", nil,
		"limit the user to kind:type:name:actions, e.g. npm:package:@acme/*:write; repeatable")
	fs.BoolVar(&f.noScopes, "no-scopes", false, "let the user do everything but administer")
	fs.BoolVar(&f.admin, "admin", false, "make the user an administrator; --admin=false ends it")
	fs.BoolVar(&f.disable, "disable", false, "refuse all of the user's credentials until --enable")
	fs.BoolVar(&f.enabled, "enable", false, "accept the user's credentials again")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		body, err := f.body(fs.Changed)
		if err != nil {
			return err
		}
		q := query{http.MethodPatch, "users/" + url.PathEscape(args[0]), body}
		return ask(a, cmd, s, q, func(user auth.User) error {
			return a.say("user %s: %s, scopes %s", user.Name, role(user), scopesText(user.Scopes))
		})
	}
	return cmd
}

// body is the change that the flags ask for; changed says which were given.
func (f userFlags) body(changed func(string) bool) (web.UserChange, error) {
	var body web.UserChange
	switch {
	case len(f.scopes) > 0 && f.noScopes:
		return body, usagef("give --scope or --no-scopes, not both")
	case f.disable && f.enabled:
		return body, usagef("give --disable or --enable, not both")
	case len(f.scopes) > 0:
		body.Scopes = &f.scopes
	case f.noScopes:
		body.Scopes = &[]string{}
	}
	if changed("admin") {
		body.Admin = &f.admin
	}
	if f.disable || f.enabled {
		body.Disabled = &f.disable
	}
	if body == (web.UserChange{}) {
		return body, usagef("say what to change: --scope or --no-scopes, --admin, --disable or --enable")
	}
	return body, nil
}
