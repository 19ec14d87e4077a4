package setup

// This file has npm's clients.

import "strings"

func npmClients() []Client {
	return []Client{
		{
			ID: "npm", Title: "npm", Kind: "npm", Tested: "npm 10, 11 and 12",
			Guide: npmGuide,
			Install: func(s Site, p Package) []Snippet {
				return login(p, commands("npm login --registry "+s.at("npm")+"/"),
					commands("npm install --registry "+s.at("npm")+"/ "+word(p.Name+"@"+p.Version)))
			},
		},
		{
			ID: "pnpm", Title: "pnpm", Kind: "npm", Tested: "pnpm 10, 11 and 12",
			Guide: func(s Site) []Section {
				return append([]Section{
					everything(commands("pnpm config set registry "+s.at("npm")+"/", "pnpm login")),
					ownScope(file(".npmrc", "@acme:registry="+s.at("npm")+"/")),
					buildMachine(s),
					{
						Title: "Versions of today",
						About: "pnpm hides versions younger than a day. Name your own packages, and they are found at once.",
						Snippets: []Snippet{
							file("pnpm-workspace.yaml", "minimumReleaseAgeExclude:", `  - "@acme/*"`),
						},
					},
				}, ownAuthority(s, "", commands("pnpm config set cafile "+authority, "export SSL_CERT_FILE="+authority))...)
			},
			Install: func(s Site, p Package) []Snippet {
				return login(p, commands("pnpm login --registry "+s.at("npm")+"/"),
					commands("pnpm add --registry "+s.at("npm")+"/ "+word(p.Name+"@"+p.Version)))
			},
		},
		{
			ID: "yarn", Title: "yarn 4", Kind: "npm", Tested: "yarn 4",
			Guide: func(s Site) []Section {
				return append([]Section{
					everything(yarnServer(s, true)),
					ownScope(file(".yarnrc.yml", append([]string{"npmScopes:", "  acme:", "    npmRegistryServer: " +
						quoted(s.at("npm"))}, yarnPlain(s)...)...)),
					{
						Title: "A build machine", About: "TOKEN is a token that may only read.",
						Snippets: []Snippet{file(".yarnrc.yml", append([]string{"npmRegistryServer: " + quoted(s.at("npm")),
							"npmAuthToken: TOKEN", "npmAlwaysAuth: true"}, yarnPlain(s)...)...)},
					},
					{
						Title:    "Versions of today",
						About:    "yarn hides versions younger than a day. Name your own packages, and they are found at once.",
						Snippets: []Snippet{commands(yarnApproved("@acme/*"))},
					},
				}, ownAuthority(s, "", commands("yarn config set --home httpsCaFilePath "+authority))...)
			},
			Install: func(s Site, p Package) []Snippet {
				once := yarnServer(s, p.Login)
				once.Note = "once in a project"
				if p.Young {
					once.Text += "\n" + yarnApproved(p.Name)
				}
				return []Snippet{once, commands("yarn add " + word(p.Name+"@"+p.Version))}
			},
		},
		{
			ID: "yarn1", Title: "yarn 1", Kind: "npm", Tested: "yarn 1.22",
			Guide: func(s Site) []Section {
				return append([]Section{
					everything(commands("yarn config set registry "+s.at("npm")+"/", "yarn login")),
					ownScope(file(".yarnrc", quoted("@acme:registry")+" "+quoted(s.at("npm")+"/"))),
					buildMachine(s, "always-auth=true"),
				}, ownAuthority(s, "", commands("yarn config set cafile "+authority))...)
			},
			Install: func(s Site, p Package) []Snippet {
				return login(p, npmrc(s, "always-auth=true"),
					commands("yarn add --registry "+s.at("npm")+"/ "+word(p.Name+"@"+p.Version)))
			},
		},
		{
			ID: "bun", Title: "bun", Kind: "npm", Tested: "bun 1.4",
			Guide: func(s Site) []Section {
				return append([]Section{
					everything(file("bunfig.toml", "[install]", "registry = "+quoted(s.at("npm")+"/"))),
					ownScope(file("bunfig.toml", "[install.scopes]", "acme = "+quoted(s.at("npm")+"/"))),
					buildMachine(s),
				}, ownAuthority(s, "", commands("export NODE_EXTRA_CA_CERTS="+authority))...)
			},
			Install: func(s Site, p Package) []Snippet {
				return login(p, npmrc(s),
					commands("bun add --registry "+s.at("npm")+"/ "+word(p.Name+"@"+p.Version)))
			},
		},
	}
}

func npmGuide(s Site) []Section {
	return append([]Section{
		everything(commands("npm config set registry "+s.at("npm")+"/", "npm login")),
		ownScope(commands("npm config set @acme:registry "+s.at("npm")+"/",
			"npm login --scope=@acme --registry "+s.at("npm")+"/")),
		buildMachine(s),
		{Title: "Check", Snippets: []Snippet{commands("npm ping", "npm whoami")}},
	}, ownAuthority(s, "", commands("npm config set cafile "+authority))...)
}

// everything is the section of a client that gets all packages here.
func everything(snippet Snippet) Section {
	return Section{
		Title: "Everything through this box", About: "Own packages and copies of the public ones.",
		Snippets: []Snippet{snippet},
	}
}

// ownScope is the section of a client that gets one scope here.
func ownScope(snippet Snippet) Section {
	return Section{
		Title: "Only your own scope", About: "Other packages come from where they came before.",
		Snippets: []Snippet{snippet},
	}
}

func buildMachine(s Site, more ...string) Section {
	return Section{
		Title: "A build machine", About: "TOKEN is a token that may only read.", Snippets: []Snippet{npmrc(s, more...)},
	}
}

// npmrc is the file that npm, pnpm, yarn 1 and bun read.
func npmrc(s Site, more ...string) Snippet {
	_, rest, _ := strings.Cut(s.at("npm"), ":")
	return file(".npmrc", append([]string{"registry=" + s.at("npm") + "/", rest + "/:_authToken=TOKEN"}, more...)...)
}

// yarnServer sets the registry for a project. yarn 4 refuses plain HTTP unless the host is named, and logs in for names
// without a scope only if it is told so.
func yarnServer(s Site, login bool) Snippet {
	lines := []string{"yarn config set npmRegistryServer " + s.at("npm")}
	if s.plain() {
		lines = append(lines, "yarn config set unsafeHttpWhitelist --json "+word(`["`+hostname(s)+`"]`))
	}
	if login {
		lines = append(lines, "yarn npm login --always-auth")
	}
	return commands(lines...)
}

// yarnApproved has yarn 4 take versions of today of the packages that match.
func yarnApproved(names string) string {
	return "yarn config set npmPreapprovedPackages --json " + word("["+quoted(names)+"]")
}

func yarnPlain(s Site) []string {
	if !s.plain() {
		return nil
	}
	return []string{"unsafeHttpWhitelist:", "  - " + quoted(hostname(s))}
}
