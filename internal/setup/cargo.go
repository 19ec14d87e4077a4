package setup

// This file has cargo.

func cargoClients() []Client {
	return []Client{{
		ID: "cargo", Title: "cargo", Kind: "cargo", Tested: "cargo 1.85, 1.95 and 1.97",
		Guide: func(s Site) []Section {
			return append([]Section{
				{
					Title: "Name the registry and log in",
					About: "The login asks for a token. cargo sends it only to an index that asks everybody for one: this one does.",
					Snippets: []Snippet{
						commands("export CARGO_REGISTRIES_LARDER_INDEX="+cargoIndex(s, true),
							"cargo login --registry larder"),
						cargoConfig(s, true),
					},
				},
				{
					Title:    "Publish and use",
					Snippets: []Snippet{commands("cargo publish --registry larder"), commands("cargo add --registry larder NAME")},
				},
				{
					Title:    "Copies of the public registry",
					About:    "Every crate that a project asks for comes through this box.",
					Snippets: []Snippet{cargoReplaced(s, false)},
				},
			}, ownAuthority(s, "", file(".cargo/config.toml", "[http]", "cainfo = "+quoted(authority)))...)
		},
		Install: func(s Site, p Package) []Snippet {
			once := cargoConfig(s, p.Login)
			install := commands("cargo add --registry larder " + word(p.Name+"@"+p.Version))
			if !p.Login {
				return []Snippet{once, install}
			}
			return []Snippet{once, noted("once, because a login is needed", "cargo login --registry larder"), install}
		},
	}}
}

// cargoIndex is the index that everybody may read, or the one for which cargo sends its token.
func cargoIndex(s Site, login bool) string {
	if login {
		return "sparse+" + s.at("cargo") + "/private/index/"
	}
	return "sparse+" + s.at("cargo") + "/index/"
}

// cargoConfig names the registry, and the way in which its token is sent.
func cargoConfig(s Site, login bool) Snippet {
	return file(".cargo/config.toml", "[registries.larder]", "index = "+quoted(cargoIndex(s, login)), "", "[registry]",
		`global-credential-providers = ["cargo:token"]`)
}

// cargoReplaced has every crate come through this server.
func cargoReplaced(s Site, login bool) Snippet {
	return file(".cargo/config.toml", "[source.crates-io]", `replace-with = "larder"`, "",
		"[source.larder]", "registry = "+quoted(cargoIndex(s, login)))
}
