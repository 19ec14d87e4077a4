// Package setup has the texts that point a client at this server: what is typed once, what installs a package, and what
// a configuration file says. Pages show them and commands print them, so that both say the same. Every text runs as it
// stands, but for TOKEN, USER, NAME and /path/to/ca.pem, which the reader replaces.
//
//	setup.go   Site, Client, Snippet; finding a client       oci.go npm.go pypi.go …   the clients of a kind
//	files.go   what stands in the files of a home            merge.go mergetree.go     putting it into files that exist
package setup

import (
	"net/url"
	"slices"
	"strings"
)

// Site is the server as its clients reach it.
type Site struct {
	// URL is scheme, host and the path of a prefix, without a slash at its end.
	URL string
	// Paths has the path of each kind below URL, such as "/npm", for the kinds that are switched on.
	Paths map[string]string
}

// at is the URL of a kind, without a slash at its end.
func (s Site) at(kind string) string { return s.URL + s.Paths[kind] }

// host is the server's host and port.
func (s Site) host() string {
	if u, err := url.Parse(s.URL); err == nil {
		return u.Host
	}
	return s.URL
}

// plain reports whether the site has no TLS.
func (s Site) plain() bool { return strings.HasPrefix(s.URL, "http://") }

// withLogin is the URL at with a place for a user and a token in it.
func withLogin(at string) string {
	scheme, rest, _ := strings.Cut(at, "://")
	return scheme + "://USER:TOKEN@" + rest
}

// Snippet is something to type or to put into a file.
type Snippet struct {
	// Note is a line above the commands, "" for none. Shells take it for a comment.
	Note string
	// File is the name of the file that Text belongs in; "" for commands.
	File string
	Text string
}

// Package is what is to be installed.
type Package struct {
	// Name is the name in records, Version the version's name; for OCI a tag or a digest.
	Name, Version string
	// Chart says that an OCI artifact is a Helm chart.
	Chart bool
	// Login says that it cannot be read without a login.
	Login bool
	// Young says that the version was published less than a day ago: some clients hide it unless they are told.
	Young bool
}

// Section is a part of a client's page.
type Section struct {
	Title string
	// About is one or two sentences.
	About    string
	Snippets []Snippet
}

// Client is a program that installs or publishes packages of one kind.
type Client struct {
	// ID is the client's name in addresses, Title what people call it.
	ID, Title string
	Kind      string
	// Tested names the versions that the tests of this server run.
	Tested string
	// Guide says how the client is set up.
	Guide func(Site) []Section
	// Install is what installs a package, with the login first if it needs one; nil for a client that only publishes.
	Install func(Site, Package) []Snippet
}

// Clients are all clients of a kind in the order in which pages name them; of all kinds for "".
func Clients(kind string) []Client {
	return slices.DeleteFunc(clients(), func(c Client) bool { return kind != "" && c.Kind != kind })
}

// Find is the client of that ID.
func Find(id string) (Client, bool) {
	all := clients()
	i := slices.IndexFunc(all, func(c Client) bool { return c.ID == id })
	if i < 0 {
		return Client{}, false
	}
	return all[i], true
}

// First are the commands that somebody types first who has just found the server: at most two.
func First(s Site, kind string) string {
	for _, c := range Clients(kind) {
		if g := c.Guide(s); len(g) > 0 && len(g[0].Snippets) > 0 {
			return g[0].Snippets[0].Text
		}
	}
	return ""
}

func clients() []Client {
	return slices.Concat(
		ociClients(), npmClients(), pypiClients(), cargoClients(), mavenClients(), composerClients(), rubygemsClients(),
	)
}

// commands is a snippet of command lines.
func commands(lines ...string) Snippet { return Snippet{Text: strings.Join(lines, "\n")} }

// noted is a snippet of command lines below a note.
func noted(note string, lines ...string) Snippet {
	return Snippet{Note: note, Text: strings.Join(lines, "\n")}
}

// file is a snippet that belongs in a file.
func file(name string, lines ...string) Snippet {
	return Snippet{File: name, Text: strings.Join(lines, "\n")}
}

// login puts what logs in before what installs, for a package that needs it.
func login(p Package, once Snippet, install ...Snippet) []Snippet {
	if !p.Login {
		return install
	}
	if once.File == "" && once.Note == "" {
		once.Note = "once, because a login is needed"
	}
	return append([]Snippet{once}, install...)
}

// authority is where the reader has the certificate of the authority that signed the server's own.
const authority = "/path/to/ca.pem"

// ownAuthority is the section on a server whose certificate is signed by an authority that the client does not know,
// none for a server without TLS. more is what the client does with its other authorities, "" if it keeps them.
func ownAuthority(s Site, more string, snippets ...Snippet) []Section {
	if s.plain() {
		return nil
	}
	about := "Only where the client does not know who signed this server's certificate."
	if more != "" {
		about += " " + more
	}
	return []Section{{Title: "A certificate of your own authority", About: about, Snippets: snippets}}
}

// word is s as one word of a shell's command line.
func word(s string) string {
	const safe = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%+=:,./_-"
	if s != "" && s[0] != '-' && strings.Trim(s, safe) == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// quoted is s in double quotes, as TOML, JSON, Gradle and Scala read it.
func quoted(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "$", `\u0024`).Replace(s) + `"`
}

// single is s in single quotes, as Ruby and Groovy read it.
func single(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(s) + "'"
}

// markup is s as text of an XML file.
func markup(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;").Replace(s)
}
