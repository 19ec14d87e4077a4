package setup

// This file says what stands in the files of a home for each client that can be set up by writing them.

import (
	"encoding/base64"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Choice is what stands in place of the words of the texts, and which of a client's forms is meant.
type Choice struct {
	// Mirror gets all packages here: own ones, and copies of the public ones. Otherwise the client asks here for own
	// packages only.
	Mirror bool
	// Scope is the npm scope of own packages, without its @.
	Scope string
	// User and Token are the login; without a token there is none.
	User, Token string
	// Authority is the absolute path of the certificate of the server's authority, "" where clients know it.
	Authority string
}

// form makes the files of a client; nil for a form that a client does not have.
type form func(Site, Choice) []Snippet

// forms are what a client's files can say.
type forms struct{ hosted, mirror form }

var writable = map[string]forms{
	"docker": {hosted: func(s Site, c Choice) []Snippet { return logins(s, c, "$DOCKER_CONFIG/config.json") }},
	"podman": {hosted: podmanFiles},
	"helm": {hosted: func(s Site, c Choice) []Snippet {
		return logins(s, c, "$XDG_CONFIG_HOME/helm/registry/config.json")
	}},
	"npm":      {npmFiles, npmFiles},
	"pnpm":     {npmFiles, npmFiles},
	"bun":      {npmFiles, npmFiles},
	"yarn1":    {yarn1Files, yarn1Files},
	"yarn":     {yarnFiles, yarnFiles},
	"pip":      {mirror: pipFiles},
	"uv":       {mirror: uvFiles},
	"poetry":   {hosted: poetryFiles},
	"pdm":      {mirror: pdmFiles},
	"twine":    {hosted: twineFiles},
	"cargo":    {cargoFiles, cargoFiles},
	"mvn":      {mvnFiles, mvnFiles},
	"composer": {composerFiles, composerFiles},
	"gem":      {mirror: gemFiles},
	"bundler":  {bundlerFiles, bundlerFiles},
}

// Forms reports which forms of a client Files can make; neither for one whose texts are only printed.
func Forms(id string) (hosted, mirror bool) {
	return writable[id].hosted != nil, writable[id].mirror != nil
}

// Files are what stands in the files of a home to set a client up, each to be put into a file with Merge. A name begins
// with ~ or with a variable that has a usual value below the home: XDG_CONFIG_HOME, CARGO_HOME, COMPOSER_HOME,
// DOCKER_CONFIG, BUNDLE_USER_HOME. Its errors are sentences about the choice.
func Files(client Client, s Site, c Choice) ([]Snippet, error) {
	if err := c.check(client, s); err != nil {
		return nil, err
	}
	f := writable[client.ID]
	fill := f.hosted
	if c.Mirror {
		fill = f.mirror
	}
	list := fill(s, c)
	if len(list) == 0 {
		return nil, fmt.Errorf("%s needs no file to read packages here; for a login give a token", client.Title)
	}
	for i := range list {
		list[i].Text = strings.NewReplacer("USER", c.User, "TOKEN", c.Token, authority, c.Authority).Replace(list[i].Text)
	}
	return list, nil
}

// plainWord is what needs quotes in no file and no escapes in a URL.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9_.~-]*$`)

func (c Choice) check(client Client, s Site) error {
	hosted, mirror := Forms(client.ID)
	switch {
	case !hosted && !mirror:
		return fmt.Errorf("the texts of %s are only printed: it has no file in the home that could be written", client.Title)
	case c.Mirror && !mirror:
		return fmt.Errorf("%s has no file in the home that makes it get all packages here", client.Title)
	case !c.Mirror && !hosted:
		return fmt.Errorf("%s can only get all packages here, or none", client.Title)
	case client.Kind == "npm" && !c.Mirror && c.Scope == "":
		return fmt.Errorf("%s has to know the scope of the packages that are here", client.Title)
	case c.Scope != "" && (client.Kind != "npm" || c.Mirror):
		return fmt.Errorf("a scope is for clients of npm that get only its packages here")
	case !plainWord.MatchString(c.Scope + c.Token + c.User):
		return fmt.Errorf("a scope, a user and a token have letters, digits and any of -._~ only")
	case c.Token == "" && client.ID == "twine":
		return fmt.Errorf("twine needs a token")
	case strings.ContainsAny(c.Authority, "\"'<>&\\\r\n"):
		return fmt.Errorf("the path %q of the certificate has characters that files of clients would misread", c.Authority)
	case c.Authority != "" && !slices.Contains(knowAuthority, client.ID):
		return fmt.Errorf("%s is told of an authority outside its files; larder setup %s says how", client.Title, client.ID)
	case strings.Contains(s.URL, "USER") || strings.Contains(s.URL, "TOKEN"):
		return fmt.Errorf("the URL %s has USER or TOKEN in it", s.URL)
	}
	return nil
}

// knowAuthority are the clients whose files name the authority of a server.
var knowAuthority = []string{
	"npm", "pnpm", "yarn", "yarn1", "pip", "poetry", "pdm", "cargo", "composer", "gem", "bundler",
}

// given are lines that stand in a file only if there is what they are about.
func given(what string, lines ...string) []string {
	if what == "" {
		return nil
	}
	return lines
}

// logins has the login as docker and its relatives keep it; without one there is no file.
func logins(s Site, c Choice, name string) []Snippet {
	if c.Token == "" {
		return nil
	}
	login := base64.StdEncoding.EncodeToString([]byte(c.User + ":" + c.Token))
	return []Snippet{file(name, "{", `  "auths": {`, "    "+quoted(s.host())+": {", `      "auth": `+quoted(login),
		"    }", "  }", "}")}
}

func podmanFiles(s Site, c Choice) []Snippet {
	list := logins(s, c, "$XDG_CONFIG_HOME/containers/auth.json")
	for _, section := range podmanPlain(s) {
		for _, one := range section.Snippets {
			one.File = "$XDG_CONFIG_HOME/containers/registries.conf.d/larder.conf"
			list = append(list, one)
		}
	}
	return list
}

// npmFiles has the file that npm, pnpm, yarn 1 and bun read.
func npmFiles(s Site, c Choice) []Snippet {
	lines := strings.Split(npmrc(s).Text, "\n")
	if !c.Mirror {
		lines[0] = "@" + c.Scope + ":" + lines[0]
	}
	if c.Token == "" {
		lines = lines[:1]
	}
	return []Snippet{file("~/.npmrc", append(lines, given(c.Authority, "cafile="+authority)...)...)}
}

// yarn1Files adds that the token is sent for names without a scope, too; npm warns of that line.
func yarn1Files(s Site, c Choice) []Snippet {
	list := npmFiles(s, c)
	for _, line := range given(c.Token, "always-auth=true") {
		list[0].Text += "\n" + line
	}
	return list
}

func yarnFiles(s Site, c Choice) []Snippet {
	lines := []string{"npmRegistryServer: " + quoted(s.at("npm"))}
	lines = append(lines, given(c.Token, "npmAuthToken: TOKEN", "npmAlwaysAuth: true")...)
	if !c.Mirror {
		lines = []string{"npmScopes:", "  " + c.Scope + ":", "    npmRegistryServer: " + quoted(s.at("npm"))}
		lines = append(lines, given(c.Token, "    npmAuthToken: TOKEN", "    npmAlwaysAuth: true")...)
	}
	lines = append(lines, given(c.Authority, "httpsCaFilePath: "+quoted(authority))...)
	return []Snippet{file("~/.yarnrc.yml", append(lines, yarnPlain(s)...)...)}
}

// indexURL is the index of Python packages with the login of a choice.
func indexURL(s Site, c Choice) string { return s.index(Package{Login: c.Token != ""}) }

func pipFiles(s Site, c Choice) []Snippet {
	lines := []string{"[global]", "index-url = " + indexURL(s, c)}
	lines = append(lines, given(s.trusted(), "trusted-host = "+hostname(s))...)
	lines = append(lines, given(c.Authority, "cert = "+authority)...)
	return []Snippet{file("$XDG_CONFIG_HOME/pip/pip.conf", lines...)}
}

func uvFiles(s Site, c Choice) []Snippet {
	return []Snippet{file("$XDG_CONFIG_HOME/uv/uv.toml",
		"[[index]]", `name = "larder"`, "url = "+quoted(indexURL(s, c)), "default = true")}
}

func poetryFiles(s Site, c Choice) []Snippet {
	lines := []string{"[repositories.larder]", "url = " + quoted(s.at("pypi")+"/legacy/")}
	list := []Snippet{file("$XDG_CONFIG_HOME/pypoetry/config.toml",
		append(lines, given(c.Authority, "", "[certificates.larder]", "cert = "+quoted(authority))...)...)}
	if c.Token != "" {
		list = append(list, file("$XDG_CONFIG_HOME/pypoetry/auth.toml",
			"[http-basic.larder]", `username = "USER"`, `password = "TOKEN"`))
	}
	return list
}

func pdmFiles(s Site, c Choice) []Snippet {
	lines := []string{"[pypi]", "url = " + quoted(s.simple())}
	lines = append(lines, given(c.Token, `username = "USER"`, `password = "TOKEN"`)...)
	return []Snippet{file("$XDG_CONFIG_HOME/pdm/config.toml",
		append(lines, given(c.Authority, "ca_certs = "+quoted(authority))...)...)}
}

func twineFiles(s Site, _ Choice) []Snippet { return []Snippet{pypirc(s)} }

func cargoFiles(s Site, c Choice) []Snippet {
	config := cargoConfig(s, c.Token != "")
	config.File = "$CARGO_HOME/config.toml"
	if c.Mirror {
		text := cargoReplaced(s, c.Token != "").Text
		if c.Token != "" {
			text += "\n\n" + config.Text
		}
		config.Text = text
	}
	if c.Authority != "" {
		config.Text += "\n\n[http]\ncainfo = " + quoted(authority)
	}
	if c.Token == "" {
		return []Snippet{config}
	}
	return []Snippet{config, file("$CARGO_HOME/credentials.toml", "[registries.larder]", `token = "TOKEN"`)}
}

func mvnFiles(s Site, c Choice) (list []Snippet) {
	if c.Mirror {
		list = append(list, mvnMirror(s))
	}
	if c.Token != "" {
		list = append(list, mvnServer())
	}
	return list
}

func composerFiles(s Site, c Choice) []Snippet {
	var config []string
	if s.plain() {
		config = append(config, `"secure-http": false`)
	}
	config = append(config, given(c.Authority, `"cafile": `+quoted(authority))...)
	repositories := []string{`"larder": {"type": "composer", "url": ` + quoted(s.at("composer")+"/") + "}"}
	if c.Mirror {
		repositories = append([]string{`"packagist.org": false`}, repositories...)
	}
	lines := []string{"{"}
	if len(config) > 0 {
		lines = append(lines, `  "config": {`, "    "+strings.Join(config, ",\n    "), "  },")
	}
	lines = append(lines, `  "repositories": {`, "    "+strings.Join(repositories, ",\n    "), "  }", "}")
	list := []Snippet{file("$COMPOSER_HOME/config.json", lines...)}
	if c.Token != "" {
		list = append(list, file("$COMPOSER_HOME/auth.json", "{", `  "http-basic": {`,
			"    "+quoted(s.host())+`: {"username": "USER", "password": "TOKEN"}`, "  }", "}"))
	}
	return list
}

func gemFiles(s Site, c Choice) []Snippet {
	at := s.at("rubygems") + "/"
	if c.Token != "" {
		at = withLogin(at)
	}
	return []Snippet{file("~/.gemrc", append([]string{":sources:", "  - " + at},
		given(c.Authority, ":ssl_ca_cert: "+authority)...)...)}
}

// bundlerFiles has the settings under the names that bundle config gives them.
func bundlerFiles(s Site, c Choice) []Snippet {
	at := s.at("rubygems") + "/"
	var lines []string
	if c.Mirror && c.Token != "" {
		// Files of a mirror are fetched with the login of its address alone.
		lines = append(lines, "BUNDLE_MIRROR__ALL: "+quoted(withLogin(at)))
	} else if c.Mirror {
		lines = append(lines, "BUNDLE_MIRROR__ALL: "+quoted(at))
	}
	key := "BUNDLE_" + strings.ToUpper(strings.NewReplacer(".", "__", "-", "___").Replace(at))
	lines = append(lines, given(c.Token, key+`: "USER:TOKEN"`)...)
	lines = append(lines, given(c.Authority, "BUNDLE_SSL_CA_CERT: "+quoted(authority))...)
	if len(lines) == 0 {
		return nil
	}
	return []Snippet{file("$BUNDLE_USER_HOME/config", append([]string{"---"}, lines...)...)}
}
