package cli

// This file has larder setup: what a client needs, printed or written.

import (
	"cmp"
	"fmt"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"larder/internal/config"
	"larder/internal/setup"
	"larder/internal/wire"
)

// setupOptions are the flags of larder setup.
type setupOptions struct {
	settings                        settings
	url, form, scope, user, token   string
	authority                       string
	tokenStdin, write, undo, forget bool
}

func (a *app) setupCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "setup [CLIENT]", Short: "Print how a client is set up, or write its files",
		Long: "Print what CLIENT needs to work with this server, as its page /ui/setup/CLIENT says it; without a CLIENT, " +
			"list\n" +
			"the clients and which of them are found on this machine.\n\n" +
			"With --write the client's files in HOME are written instead. Everything else in them stays as it is, and what\n" +
			"was there before is kept below $XDG_STATE_HOME/larder/setup. --undo puts it back and removes what --write has\n" +
			"made, unless a file was changed since; without a CLIENT it does so for all clients, the last one first.\n\n" +
			"The server is the one that the configuration describes (public-url, else listen), or that of --url.",
		Example: "  larder setup\n  larder setup npm --url https://registry.example.com\n" +
			"  larder setup npm --write --scope acme --token-stdin\n  larder setup pip --write --form mirror\n" +
			"  larder setup pip --undo",
		Args: between(0, "the CLIENT"),
	}
	for _, c := range setup.Clients("") {
		cmd.ValidArgs = append(cmd.ValidArgs, c.ID)
	}
	var o setupOptions
	// The configuration comes from the environment and a file; its flags would only hide those of this command.
	o.settings = settings{
		file:  cmd.Flags().String("config", "", "YAML file with the configuration"),
		flags: config.AddFlags(pflag.NewFlagSet("setup", pflag.ContinueOnError)),
	}
	f := cmd.Flags()
	f.StringVar(&o.url, "url", "", "`URL` of the server, with the path of a prefix")
	f.StringVar(&o.form, "form", "", "hosted: own packages come from here; mirror: all packages do (own ones, and copies)")
	f.StringVar(&o.scope, "scope", "", "npm scope of the packages that come from here, for the form hosted")
	f.StringVar(&o.user, "user", "__token__", "user of the login; any name does for a token")
	f.StringVar(&o.token, "token", "", "token of the login; without one there is no login")
	f.BoolVar(&o.tokenStdin, "token-stdin", false, "read the token from standard input")
	f.StringVar(&o.authority, "ca", "", "PEM `file` of the authority that signed the server's certificate")
	f.BoolVar(&o.write, "write", false, "write the client's files in HOME")
	f.BoolVar(&o.undo, "undo", false, "put the files back as they were before --write")
	f.BoolVar(&o.forget, "forget", false, "drop what is kept for --undo and leave the files as they are")
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := o.check(cmd.Flags()); err != nil {
			return err
		}
		return a.setup(o, args, *asJSON)
	}
	return cmd
}

// check refuses flags that do not go together.
func (o *setupOptions) check(f *pflag.FlagSet) error {
	for _, pair := range [][2]string{
		{"write", "undo"}, {"write", "forget"}, {"undo", "forget"}, {"token", "token-stdin"},
	} {
		if f.Changed(pair[0]) && f.Changed(pair[1]) {
			return usagef("--%s and --%s do not go together", pair[0], pair[1])
		}
	}
	if f.Changed("user") && !f.Changed("token") && !f.Changed("token-stdin") {
		return usagef("--user needs a token: --token or --token-stdin")
	}
	for _, name := range []string{"form", "scope", "user", "token", "token-stdin", "ca"} {
		if f.Changed(name) && !o.write {
			return usagef("--%s says what --write writes; without --write the texts are printed as they are", name)
		}
	}
	return nil
}

func (a *app) setup(o setupOptions, args []string, asJSON bool) error {
	site, err := a.setupSite(o)
	if err != nil {
		return err
	}
	if len(args) == 0 {
		switch {
		case o.write || o.forget:
			return usagef("larder setup --write and --forget need a CLIENT; larder setup lists them")
		case o.undo:
			return a.undoSetups("")
		}
		return a.listClients(site, asJSON)
	}
	c, ok := setup.Find(args[0])
	if !ok {
		return usagef("%q is no client; larder setup lists them", args[0])
	}
	switch _, on := site.Paths[c.Kind]; {
	case o.undo:
		return a.undoSetups(c.ID)
	case o.forget:
		return a.forgetSetup(c.ID)
	case !on:
		return fmt.Errorf("%s is of the kind %s, which is switched off", c.Title, c.Kind)
	case o.write:
		return a.writeClient(c, site, o)
	}
	return a.show(asJSON, clientJSON(c, site), func() error { return a.printClient(c, site) })
}

// setupSite is the server as its clients reach it.
func (a *app) setupSite(o setupOptions) (setup.Site, error) {
	cfg, err := a.load(o.settings)
	if err != nil {
		return setup.Site{}, err
	}
	s := setup.Site{URL: cmp.Or(o.url, cfg.PublicURL), Paths: map[string]string{}}
	for kind, k := range cfg.Kinds {
		if k.Enabled {
			s.Paths[string(kind)] = k.Base
		}
	}
	if s.URL == "" {
		if s.URL, err = listenURL(cfg); err != nil {
			return s, err
		}
	}
	base, err := wire.NewBase(s.URL, nil)
	if err != nil {
		return s, usagef("%v", err)
	}
	s.URL = base.Public()
	return s, nil
}

// listenURL is the address at which clients on this machine reach a server.
func listenURL(cfg config.Config) (string, error) {
	host, port, err := net.SplitHostPort(cfg.Listen)
	if err != nil || port == "0" {
		return "", usagef("the configuration names no address (listen is %q); name the server with --url", cfg.Listen)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	scheme := "http"
	if cfg.TLSCert != "" {
		scheme = "https"
	}
	return scheme + "://" + net.JoinHostPort(host, port), nil
}

// choice is what the flags say of the files of c.
func (a *app) setupChoice(c setup.Client, o setupOptions) (setup.Choice, error) {
	hosted, _ := setup.Forms(c.ID)
	choice := setup.Choice{
		Mirror: o.form == "mirror" || o.form == "" && !hosted,
		Scope:  strings.TrimPrefix(o.scope, "@"), User: o.user, Token: o.token,
	}
	if !slices.Contains([]string{"", "hosted", "mirror"}, o.form) {
		return choice, usagef("--form is %q; it can be hosted or mirror", o.form)
	}
	if c.Kind == "npm" && !choice.Mirror && choice.Scope == "" {
		return choice, usagef("name the scope of your own packages with --scope, or get all packages here with --form mirror")
	}
	var err error
	if o.authority != "" {
		if choice.Authority, err = filepath.Abs(o.authority); err != nil {
			return choice, err
		}
	}
	if o.tokenStdin {
		choice.Token, err = a.passwordLine()
	}
	return choice, err
}

// listedClient is a line of the list of clients.
type listedClient struct {
	Client string   `json:"client"`
	Kind   string   `json:"kind"`
	Found  string   `json:"found"`
	Files  []string `json:"files"`
}

func (a *app) listClients(s setup.Site, asJSON bool) error {
	list := []listedClient{}
	for _, c := range setup.Clients("") {
		if _, on := s.Paths[c.Kind]; !on {
			continue
		}
		files, err := a.clientFiles(c, s)
		if err != nil {
			return err
		}
		found, err := exec.LookPath(program(c.ID))
		if err != nil {
			found = ""
		}
		list = append(list, listedClient{c.ID, c.Kind, found, files})
	}
	return a.show(asJSON, list, func() error {
		var rows [][]string
		for _, l := range list {
			rows = append(rows, []string{l.Client, l.Kind, l.Found, cmp.Or(strings.Join(l.Files, " "), "(printed only)")})
		}
		return a.table([]string{"CLIENT", "KIND", "FOUND", "WRITES"}, rows)
	})
}

// program is what a client is called on a machine.
func program(id string) string {
	switch id {
	case "yarn1":
		return "yarn"
	case "bundler":
		return "bundle"
	case "coursier":
		return "cs"
	}
	return id
}

// clientFiles are the files that --write can change for c.
func (a *app) clientFiles(c setup.Client, s setup.Site) ([]string, error) {
	files := []string{}
	hosted, mirror := setup.Forms(c.ID)
	for _, choice := range []setup.Choice{{Token: "T"}, {Token: "T", Mirror: true}} {
		if choice.Mirror && !mirror || !choice.Mirror && !hosted {
			continue
		}
		if c.Kind == "npm" && !choice.Mirror {
			choice.Scope = "scope"
		}
		list, err := setup.Files(c, s, choice)
		if err != nil {
			return nil, err
		}
		for _, one := range list {
			path, err := a.homePath(one.File)
			if err != nil {
				return nil, err
			}
			if !slices.Contains(files, path) {
				files = append(files, path)
			}
		}
	}
	return files, nil
}

// printClient prints what the client's page says.
func (a *app) printClient(c setup.Client, s setup.Site) error {
	files, err := a.clientFiles(c, s)
	if err != nil {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s, tested with %s\n", c.Title, c.Tested)
	for _, section := range c.Guide(s) {
		fmt.Fprintf(&b, "\n%s\n", section.Title)
		if section.About != "" {
			fmt.Fprintln(&b, section.About)
		}
		for _, one := range section.Snippets {
			b.WriteString("\n")
			if one.Note != "" {
				fmt.Fprintln(&b, "  # "+one.Note)
			}
			if one.File != "" {
				fmt.Fprintln(&b, "  "+one.File+":")
			}
			fmt.Fprintln(&b, "    "+strings.ReplaceAll(one.Text, "\n", "\n    "))
		}
	}
	b.WriteString("\n" + writes(c, files) + "\n")
	_, err = io.WriteString(a.stdout, b.String())
	return err
}

// writes says what --write would change.
func writes(c setup.Client, files []string) string {
	hosted, mirror := setup.Forms(c.ID)
	if !hosted && !mirror {
		return "larder setup prints these texts only; it writes no files of " + c.Title + "."
	}
	var forms []string
	if hosted {
		forms = append(forms, "hosted")
	}
	if mirror {
		forms = append(forms, "mirror")
	}
	return fmt.Sprintf("larder setup %s --write changes %s (--form %s).", c.ID, strings.Join(files, ", "),
		strings.Join(forms, " or "))
}

// clientText is a client's page as JSON.
type clientText struct {
	Client   string          `json:"client"`
	Title    string          `json:"title"`
	Kind     string          `json:"kind"`
	Tested   string          `json:"tested"`
	Sections []setup.Section `json:"sections"`
}

func clientJSON(c setup.Client, s setup.Site) clientText {
	return clientText{c.ID, c.Title, c.Kind, c.Tested, c.Guide(s)}
}
