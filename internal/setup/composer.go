package setup

// This file has Composer.

func composerClients() []Client {
	return []Client{{
		ID: "composer", Title: "Composer", Kind: "composer", Tested: "Composer 2.5, 2.8 and 2.11",
		Guide: func(s Site) []Section {
			return append([]Section{
				{
					Title: "In a project", About: "The public repository stays the second one.",
					Snippets: []Snippet{composerRepository(s)},
				},
				{Title: "With a login", Snippets: []Snippet{composerLogin(s)}},
				{
					Title: "Everything through this box", About: "Own packages and copies of the public ones.",
					Snippets: []Snippet{commands(append(composerPlain(s, " -g"), "composer config -g repositories.packagist.org false",
						"composer config -g repositories.larder composer "+s.at("composer")+"/")...)},
				},
				{
					Title: "Publish", About: "What composer archive makes is uploaded; the version may stand in its composer.json.",
					Snippets: []Snippet{commands("composer archive --format=zip --file=package",
						"curl -u USER:TOKEN -T package.zip "+word(s.at("composer")+"/?version=1.0.0"))},
				},
			}, ownAuthority(s, "", commands("composer config --global cafile "+authority,
				"export CURL_CA_BUNDLE="+authority))...)
		},
		Install: func(s Site, p Package) []Snippet {
			out := []Snippet{composerRepository(s), commands("composer require " + word(p.Name+":"+p.Version))}
			out[0].Note = "once in a project"
			if p.Login {
				out = append(out[:1:1], composerLogin(s), out[1])
				out[1].Note = "once, because a login is needed"
			}
			return out
		},
	}}
}

// composerRepository names the registry in a project.
func composerRepository(s Site) Snippet {
	return commands(append(composerPlain(s, ""), "composer config repositories.larder composer "+s.at("composer")+"/")...)
}

// composerPlain has Composer take an address without TLS, which it does only if it is told so.
func composerPlain(s Site, option string) []string {
	if s.plain() {
		return []string{"composer config" + option + " secure-http false"}
	}
	return nil
}

func composerLogin(s Site) Snippet {
	return commands("composer config --global --auth http-basic." + s.host() + " USER TOKEN")
}
