package setup

// This file has the clients of gems.

func rubygemsClients() []Client {
	return []Client{
		{
			ID: "gem", Title: "gem", Kind: "rubygems", Tested: "gem 3.3, 3.6 and 4.0",
			Guide: func(s Site) []Section {
				return append([]Section{
					{
						Title: "Use and push", About: "The first push asks for a user and a password.",
						Snippets: []Snippet{commands("gem sources --add "+s.at("rubygems")+"/",
							"gem push --host "+s.at("rubygems")+" NAME-1.0.0.gem")},
					},
					{
						Title: "Everything through this box", About: "Own gems and copies of the public ones.",
						Snippets: []Snippet{file("~/.gemrc", ":sources:", "  - "+s.at("rubygems")+"/")},
					},
					{
						Title: "With a login", About: "The login stands in the address of the source.",
						Snippets: []Snippet{commands("gem sources --add " + withLogin(s.at("rubygems")+"/"))},
					},
				}, ownAuthority(s, "", file("~/.gemrc", ":ssl_ca_cert: "+authority))...)
			},
			Install: func(s Site, p Package) []Snippet {
				at := s.at("rubygems") + "/"
				if p.Login {
					at = withLogin(at)
				}
				return []Snippet{commands("gem install --clear-sources --source " + at + " " + word(p.Name) + " -v " +
					word(p.Version))}
			},
		},
		{
			ID: "bundler", Title: "Bundler", Kind: "rubygems", Tested: "Bundler 2.3, 2.6 and 4.0",
			Guide: func(s Site) []Section {
				return append([]Section{
					everything(file("Gemfile", "source "+single(s.at("rubygems")+"/"))),
					{
						Title: "With a login", About: "The login is kept for the server, outside the Gemfile.",
						Snippets: []Snippet{bundleLogin(s)},
					},
				}, ownAuthority(s, "", commands("bundle config set --global ssl_ca_cert "+authority),
					file("~/.gemrc", ":ssl_ca_cert: "+authority))...)
			},
			Install: func(s Site, p Package) []Snippet {
				return login(p, bundleLogin(s), file("Gemfile", "source "+single(s.at("rubygems")+"/")+" do",
					"  gem "+single(p.Name)+", "+single(p.Version), "end"))
			},
		},
	}
}

func bundleLogin(s Site) Snippet {
	return commands("bundle config set --global " + s.at("rubygems") + "/ USER:TOKEN")
}
