package config

// This file has the settings of upstreams: the remote registries that copies are kept of, and what is kept.

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"larder/store"
	"larder/upstream"
)

// Upstream is one remote registry as the file has it; remoteFields says what each field is.
type Upstream struct {
	upstream.Config
	PasswordFile, TokenFile string // of the secret, instead of Password and Token
	Header                  string // "Name: value", instead of HeaderName and HeaderValue
}

func upstreamSettings() group {
	g := group{
		title: "Upstreams",
		about: "Remote registries to keep copies of. What is asked for and is not here is fetched once, checked, and " +
			"kept. Names that were published here are never asked for elsewhere.",
		check: checkUpstreams,
	}
	for _, k := range store.Kinds() {
		g.rows = append(g.rows, setting{name: "upstream." + string(k), shown: "upstream.KIND",
			help: "URL of a remote registry to keep copies of",
			more: "The short form, one for a kind: what the protocol's own client would be given. As a flag it is " +
				"`--upstream KIND=URL`.",
			example: "upstream:\n  npm: https://npm.example.com",
			unset:   "none",
			at:      func(c *Config) any { return &upstreamURL{c, k} },
		})
	}
	g.rows = append(g.rows, setting{name: "upstream", help: "keep copies of a remote registry, as `KIND=URL`; repeatable",
		more: "The flag, or a variable with commas between several, for what the file has as `upstream.KIND`. Those of " +
			"one kind are asked in the order given, before those of `upstreams`.",
		unset: "none", only: fromFlag | fromVariable,
		at: func(c *Config) any { return &upstreams{c} },
	}, setting{name: "upstreams", only: fromFile, help: "remote registries in full",
		more: "Those of one kind are asked in this order, after that of `upstream.KIND`. A secret can be `$NAME`, which " +
			"takes it from the environment, or stand in a file of its own.",
		example: "upstreams:\n  - {kind: npm, name: team, url: https://npm.example.com, include: [\"@team/*\"], token: " +
			"$NPM_TOKEN}\n" +
			"  - {kind: oci, name: hub, url: https://images.example.com, user: me, password-file: /etc/larder/hub}",
		at: func(c *Config) any { return objects[Upstream]{&c.Upstreams, remoteFields()} },
	})
	g.rows = append(g.rows, copySettings()...)
	return g
}

func copySettings() []setting {
	return []setting{
		{name: "offline", help: "make no request to upstreams",
			more: "What is kept is served; what is not is absent.",
			at:   func(c *Config) any { return &c.Copies.Offline }},
		{name: "claims", help: "patterns kind:name of names that upstreams are never asked for",
			more:    "They are yours, whether anything was published or not. `larder claim` adds others while the server runs.",
			example: "claims: [\"npm:@acme/*\", \"maven:com.acme.*\"]", unset: "only names that were published here",
			at:   func(c *Config) any { return &c.Copies.Claims },
			must: rules()},
		{name: "shared", help: "patterns maven:name of artifacts whose versions here and at upstreams are joined",
			more: "For patched builds of others' artifacts: metadata lists both, the files of versions that were published " +
				"here come from here, all others from the upstream. Of the other kinds the first registry that has a name " +
				"has it whole.",
			example: "shared: [\"maven:org.example:*\"]", unset: "what is hosted hides what upstreams have of the same name",
			at:   func(c *Config) any { return &c.Copies.Shared },
			must: rules()},
		{name: "blocked", help: "patterns kind:name or kind:name@version that are never fetched from upstreams",
			more:    "Nor are they served from copies. A version means every spelling that the protocol takes for the same.",
			example: "blocked: [\"npm:left-pad@1.3.0\"]", unset: "nothing is blocked",
			at:   func(c *Config) any { return &c.Copies.Blocked },
			must: rules()},
		{name: "min-age", help: "hold back upstreams' versions younger than this",
			more:    "So that a release that is taken back within days never gets here.",
			example: "min-age: 3d",
			at:      func(c *Config) any { return &c.Copies.MinAge }},
		{name: "allowed", help: "patterns kind:name or kind:name@version that min-age does not hold back",
			example: "allowed: [\"npm:@acme/*\"]", unset: "none",
			at:   func(c *Config) any { return &c.Copies.Allowed },
			must: rules()},
		{name: "cache.size", help: "largest sum of copies; above it those not used for longest go; 0 is no limit",
			more:    "What is hosted is never removed.",
			example: "cache: {size: 200GB, age: 180d}",
			at:      func(c *Config) any { return &c.Copies.CacheSize }},
		{name: "cache.age", help: "remove copies that were not used for so long; 0 is no limit",
			at: func(c *Config) any { return &c.Copies.CacheAge }},
	}
}

// rules allows lists of what package upstream reads as rules.
func rules() check {
	return check{find: func(name string, v value, p *Problems) {
		for _, rule := range *v.(*texts) {
			err := upstream.CheckRule(rule)
			p.check(err == nil, "%s: %v", name, err)
		}
	}}
}

func remoteFields() []field[Upstream] {
	return []field[Upstream]{
		{name: "kind", help: "Its protocol.", required: true, at: func(u *Upstream) any { return &u.Kind }},
		{name: "url", help: "What the protocol's own client would be given.", required: true,
			at: func(u *Upstream) any { return &u.URL }},
		{name: "was", help: "URLs by which the same registry was reached before: what is kept of them stays.",
			at: func(u *Upstream) any { return &u.Was }},
		{name: "name", help: "What commands and the log call it. Default: its host. Images of an upstream `hub` are " +
			"`hub/NAME`.",
			at: func(u *Upstream) any { return &u.Name }},
		{name: "include", help: "Patterns of the names it may be asked for. Default: all.",
			at: func(u *Upstream) any { return &u.Include }},
		{name: "exclude", help: "Patterns of the names it may not be asked for.",
			at: func(u *Upstream) any { return &u.Exclude }},
		{name: "user", help: "Sent with `password`, to the URL's own host, `paths` and `hosts`.",
			at: func(u *Upstream) any { return &u.User }},
		{name: "password", help: "A secret.", secret: true, at: func(u *Upstream) any { return &u.Password }},
		{name: "password-file", help: "A file that holds the password.",
			at: func(u *Upstream) any { return &u.PasswordFile }},
		{name: "token", help: "A secret, sent as a bearer token instead of user and password.", secret: true,
			at: func(u *Upstream) any { return &u.Token }},
		{name: "token-file", help: "A file that holds the token.", at: func(u *Upstream) any { return &u.TokenFile }},
		{name: "header", help: "A secret, sent as the header `Name: value`.", secret: true,
			at: func(u *Upstream) any { return &u.Header }},
		{name: "realms", help: "Further origins that may be given user and password, where a container registry has its " +
			"tokens elsewhere, as public hubs have: `https://auth.example.com`.",
			at: func(u *Upstream) any { return &u.Realms }},
		{name: "hosts", help: "The only hosts beside its own that its documents may refer to; `*.example.com` is any " +
			"below. One without a star is sent the credentials where a document refers to it. Default: any public address, " +
			"without credentials.",
			at: func(u *Upstream) any { return &u.Hosts }},
		{name: "paths", help: "Where credentials are sent beside its URL: a path of its own host (`/files/`), or a URL on " +
			"another (`https://files.example.com/team/`). Default: all of its own scheme, host and port.",
			at: func(u *Upstream) any { return &u.Paths }},
		{name: "forbidden", help: "`absent` takes its 401 and 403 for \"there is no such thing\", as buckets and private " +
			"repositories mean it; the next upstream is asked. Default: they are refusals, and answered 403.",
			at: func(u *Upstream) any { return &u.Forbidden }},
		{name: "optional", help: "Lets the next upstream answer while it is in trouble. Whoever can disturb it decides " +
			"then where a name comes from.",
			at: func(u *Upstream) any { return &u.Optional }},
		{name: "private", help: "Allows it to be on an address that is not public.",
			at: func(u *Upstream) any { return &u.Private }},
		{name: "ca", help: "A PEM file with further roots.", at: func(u *Upstream) any { return &u.CA }},
		{name: "cert", help: "A PEM file with a client certificate; set together with `key`.",
			at: func(u *Upstream) any { return &u.Cert }},
		{name: "key", help: "A PEM file with its key.", at: func(u *Upstream) any { return &u.Key }},
		{name: "proxy", help: "URL of a proxy, instead of the environment's.",
			at: func(u *Upstream) any { return &u.Proxy }},
		{name: "fresh", help: "How long its documents are not asked for again, instead of the protocol's own time.",
			at: func(u *Upstream) any { return &u.Fresh }},
		{name: "connections.documents", help: "How many documents and small files are asked for at once, and how many " +
			"other files with `connections.files`. Default: 16 each.",
			at: func(u *Upstream) any { return &u.Connections.Documents }},
		{name: "connections.files", help: "A file counts until it is here, over HTTP/2 until its header is.",
			at: func(u *Upstream) any { return &u.Connections.Files }},
		{name: "timeout.documents", help: "How long the header of an answer may take, without the time in line. Default: " +
			"8s.",
			at: func(u *Upstream) any { return &u.Timeout.Documents }},
		{name: "timeout.files", help: "The same for files, which some registries make when they are asked. Default: 1m.",
			at: func(u *Upstream) any { return &u.Timeout.Files }},
		{name: "trusted", help: "Takes its word for when a version was published, for `min-age`.",
			at: func(u *Upstream) any { return &u.Trusted }},
		{name: "offline", help: "Begins with it switched off.", at: func(u *Upstream) any { return &u.Offline }},
	}
}

// upstreams is the flag form KIND=URL: the first of a kind is an entry of Config.Upstream, others are those of
// Config.FurtherUpstreams. upstreamURL is one entry of Config.Upstream.
type upstreams struct{ c *Config }

func (v *upstreams) Set(s string) error { return v.setAll(splitList(s)) }
func (v *upstreams) String() string     { return "" }
func (v *upstreams) Type() string       { return "kind=url" }

func (v *upstreams) setAll(items []string) error {
	all := make(map[store.Kind]string)
	var further []Upstream
	for _, item := range items {
		name, url, ok := strings.Cut(item, "=")
		k, err := store.ParseKind(name)
		if !ok || url == "" || err != nil {
			return fmt.Errorf("%q is not KIND=URL with one of the kinds %s", item, kindNames())
		}
		if all[k] == "" {
			all[k] = url
			continue
		}
		further = append(further, Upstream{Config: upstream.Config{Kind: k, URL: url}})
	}
	v.c.Upstream, v.c.FurtherUpstreams = all, further
	return nil
}

type upstreamURL struct {
	c *Config
	k store.Kind
}

func (v *upstreamURL) String() string { return v.c.Upstream[v.k] }
func (v *upstreamURL) Type() string   { return "string" }

func (v *upstreamURL) Set(s string) error {
	if v.c.Upstream == nil {
		v.c.Upstream = make(map[store.Kind]string)
	}
	v.c.Upstream[v.k] = s
	return nil
}

// UpstreamOptions is what package upstream is given: both forms of upstreams together, secrets read.
func (c Config) UpstreamOptions() (upstream.Options, error) {
	o := c.Copies
	for _, u := range c.allUpstreams() {
		conf, err := u.config()
		if err != nil {
			return o, err
		}
		o.Upstreams = append(o.Upstreams, conf)
	}
	return o, nil
}

// allUpstreams are those of the short form, then those in full.
func (c Config) allUpstreams() []Upstream {
	var all []Upstream
	for _, k := range slices.Sorted(maps.Keys(c.Upstream)) {
		all = append(all, Upstream{Config: upstream.Config{Kind: k, URL: c.Upstream[k]}})
	}
	return append(append(all, c.furtherUpstreams()...), c.Upstreams...)
}

// furtherUpstreams are those of flags beyond the first of each kind. A flag gives no name: where two are on one host,
// the second is also called by its path.
func (c Config) furtherUpstreams() []Upstream {
	taken := map[string]bool{}
	for k, url := range c.Upstream {
		taken[string(k)+" "+hostOf(url)] = true
	}
	list := slices.Clone(c.FurtherUpstreams)
	for i, u := range list {
		if id := string(u.Kind) + " " + hostOf(u.URL); !taken[id] {
			taken[id] = true
			continue
		}
		_, rest, _ := strings.Cut(u.URL, "://")
		list[i].Name = strings.ReplaceAll(strings.Trim(rest, "/"), "/", "-")
	}
	return list
}

// config translates u and reads its secrets.
func (u Upstream) config() (upstream.Config, error) {
	c := u.Config
	c.URL = strings.TrimPrefix(u.URL, "sparse+")
	if c.Name == "" {
		c.Name = hostOf(c.URL)
	}
	c.Was = nil
	for _, was := range u.Was {
		c.Was = append(c.Was, strings.TrimPrefix(was, "sparse+"))
	}
	var err error
	if c.Password, err = secret(u.Password, u.PasswordFile); err != nil {
		return c, err
	}
	if c.Token, err = secret(u.Token, u.TokenFile); err != nil {
		return c, err
	}
	if u.Header != "" {
		header, err := secret(u.Header, "")
		if err != nil {
			return c, err
		}
		name, value, _ := strings.Cut(header, ":")
		c.HeaderName, c.HeaderValue = strings.TrimSpace(name), strings.TrimSpace(value)
	}
	return c, nil
}

// hostOf is the default name of an upstream.
func hostOf(url string) string {
	_, rest, _ := strings.Cut(url, "://")
	host, _, _ := strings.Cut(rest, "/")
	return host
}

// secret is a value as it stands, from the environment when it is $NAME, or from a file.
func secret(value, file string) (string, error) {
	if file != "" {
		b, err := os.ReadFile(file)
		if err != nil {
			return "", fmt.Errorf("read secret: %w", err)
		}
		return strings.TrimSpace(string(b)), nil
	}
	name, ok := strings.CutPrefix(value, "$")
	if !ok {
		return value, nil
	}
	v, ok := os.LookupEnv(name)
	if !ok {
		return "", fmt.Errorf("the environment has no %s, which a secret of an upstream refers to", name)
	}
	return v, nil
}

// checkUpstreams is about addresses, names and patterns; secrets are read at start.
func checkUpstreams(c *Config, p *Problems) {
	seen := map[string]bool{}
	for i, u := range c.allUpstreams() {
		at := fmt.Sprintf("upstreams[%d]", i-len(c.Upstream)-len(c.FurtherUpstreams))
		if i < len(c.Upstream)+len(c.FurtherUpstreams) {
			at = "upstream." + string(u.Kind)
		}
		p.check(u.Kind != "", "%s needs a kind, one of %s", at, kindNames())
		p.check(u.Password == "" || u.PasswordFile == "", "%s has both password and password-file", at)
		p.check(u.Token == "" || u.TokenFile == "", "%s has both token and token-file", at)
		u.PasswordFile, u.TokenFile = "", ""
		// Only the form is checked here: the environment may lack a secret where the configuration is looked at.
		for _, s := range []*string{&u.Password, &u.Token} {
			*s = strings.TrimPrefix(*s, "$")
		}
		if strings.HasPrefix(u.Header, "$") {
			u.Header = "Name: value"
		}
		conf, err := u.config()
		if err == nil {
			err = conf.Validate()
		}
		if err != nil {
			p.check(false, "%s: %v", at, err)
			continue
		}
		name := string(conf.Kind) + " " + conf.Name
		p.check(!seen[name], "%s: there are two upstreams of %s called %s; give one a name", at, conf.Kind, conf.Name)
		seen[name] = true
	}
}
