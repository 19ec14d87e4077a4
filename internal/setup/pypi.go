package setup

// This file has the clients of Python packages.

import (
	"net/url"
	"strings"
)

func pypiClients() []Client {
	return []Client{
		{
			ID: "pip", Title: "pip", Kind: "pypi", Tested: "pip 20 to 26",
			Guide: func(s Site) []Section {
				return append([]Section{
					everything(commands(append([]string{"pip config set global.index-url " + s.simple()}, pipTrust(s)...)...)),
					{
						Title: "With a login", About: "The login stands in the address; any user name does for a token.",
						Snippets: []Snippet{file("~/.config/pip/pip.conf", "[global]", "index-url = "+withLogin(s.simple()))},
					},
					{Title: "Check", Snippets: []Snippet{commands("pip index versions --index-url " + s.simple() + " NAME")}},
				}, ownAuthority(s, "", commands("pip config set global.cert "+authority))...)
			},
			Install: func(s Site, p Package) []Snippet {
				return []Snippet{commands("pip install --index-url " + s.index(p) + " " + s.trusted() +
					word(p.Name+"=="+p.Version))}
			},
		},
		{
			ID: "uv", Title: "uv", Kind: "pypi", Tested: "the newest uv",
			Guide: func(s Site) []Section {
				return append([]Section{
					everything(file("pyproject.toml", "[[tool.uv.index]]", `name = "larder"`, "url = "+quoted(s.simple()),
						"default = true")),
					{
						Title: "With a login", About: "The variables have the index's name.",
						Snippets: []Snippet{commands("export UV_INDEX_LARDER_USERNAME=USER UV_INDEX_LARDER_PASSWORD=TOKEN")},
					},
					{
						Title:    "Publish",
						Snippets: []Snippet{commands("uv publish --publish-url " + s.at("pypi") + "/legacy/ --token TOKEN")},
					},
				}, ownAuthority(s, "uv then knows no other one.", commands("export SSL_CERT_FILE="+authority))...)
			},
			Install: func(s Site, p Package) []Snippet {
				return []Snippet{commands("uv add --default-index " + s.index(p) + " " + word(p.Name+"=="+p.Version))}
			},
		},
		{
			ID: "poetry", Title: "poetry", Kind: "pypi", Tested: "poetry 1 and 2",
			Guide: func(s Site) []Section {
				return append([]Section{
					everything(commands("poetry source add --priority=primary larder " + s.simple())),
					{
						Title: "With a login", Snippets: []Snippet{commands("poetry config http-basic.larder USER TOKEN")},
					},
					{
						Title: "Publish",
						Snippets: []Snippet{commands("poetry config repositories.larder "+s.at("pypi")+"/legacy/",
							"poetry publish --repository larder --username USER --password TOKEN")},
					},
				}, ownAuthority(s, "", commands("poetry config certificates.larder.cert "+authority))...)
			},
			Install: func(s Site, p Package) []Snippet {
				once := []string{"poetry source add --priority=supplemental larder " + s.simple()}
				if p.Login {
					once = append(once, "poetry config http-basic.larder USER TOKEN")
				}
				return []Snippet{
					noted("once in a project", once...),
					commands("poetry add --source larder " + word(p.Name+"=="+p.Version)),
				}
			},
		},
		{
			ID: "pdm", Title: "pdm", Kind: "pypi", Tested: "the newest pdm",
			Guide: func(s Site) []Section {
				return append([]Section{
					everything(commands("pdm config pypi.url " + s.simple())),
					{
						Title:    "With a login",
						Snippets: []Snippet{commands("pdm config pypi.username USER", "pdm config pypi.password TOKEN")},
					},
				}, ownAuthority(s, "", commands("pdm config pypi.ca_certs "+authority))...)
			},
			Install: func(s Site, p Package) []Snippet {
				once := []string{"pdm config --local pypi.url " + s.simple()}
				if p.Login {
					once = append(once, "pdm config --local pypi.username USER", "pdm config --local pypi.password TOKEN")
				}
				return []Snippet{noted("once in a project", once...), commands("pdm add " + word(p.Name+"=="+p.Version))}
			},
		},
		{
			ID: "twine", Title: "twine", Kind: "pypi", Tested: "the newest twine and Debian's",
			Guide: func(s Site) []Section {
				return append([]Section{{
					Title:    "Publish",
					About:    "With a token the user name is __token__; a user's own name and password work as well.",
					Snippets: []Snippet{commands("twine upload --repository-url " + s.at("pypi") + "/legacy/ -u __token__ dist/*")},
				}, {
					Title:    "In a file",
					Snippets: []Snippet{pypirc(s)},
				}}, ownAuthority(s, "", commands("export TWINE_CERT="+authority))...)
			},
		},
	}
}

// pypirc is the file in which twine and its relatives find a repository.
func pypirc(s Site) Snippet {
	return file("~/.pypirc", "[distutils]", "index-servers = larder", "", "[larder]",
		"repository = "+s.at("pypi")+"/legacy/", "username = __token__", "password = TOKEN")
}

// simple is the index that installers are given.
func (s Site) simple() string { return s.URL + "/simple/" }

// index is the index with a place for the login of a package that needs one.
func (s Site) index(p Package) string {
	if p.Login {
		return withLogin(s.simple())
	}
	return s.simple()
}

// trusted is the option by which pip takes packages from a server without TLS that is on another machine.
func (s Site) trusted() string {
	if s.plain() && !loopback(s) {
		return "--trusted-host " + hostname(s) + " "
	}
	return ""
}

func pipTrust(s Site) []string {
	if s.trusted() == "" {
		return nil
	}
	return []string{"pip config set global.trusted-host " + hostname(s)}
}

// hostname is the host without its port.
func hostname(s Site) string {
	if u, err := url.Parse(s.URL); err == nil {
		return u.Hostname()
	}
	return strings.TrimPrefix(s.URL, "http://")
}
