package config

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"larder/store"
	"larder/upstream"
)

// Cache is what limits the files of upstreams that are kept; 0 is no limit.
type Cache struct {
	// Size evicts the files that were not used for longest when they are more than this together.
	Size Size `yaml:"size" json:"size"`
	// Age evicts files that were not used for this long.
	Age Duration `yaml:"age" json:"age"`
}

// Upstream is one remote registry.
type Upstream struct {
	// Kind is its protocol. URL is what that protocol's own client would be given.
	Kind store.Kind `yaml:"kind" json:"kind"`
	URL  string     `yaml:"url" json:"url"`
	// Was are URLs by which the same registry was reached before: what is kept of them stays.
	Was []string `yaml:"was,omitempty" json:"was,omitempty"`
	// Name is what commands and the log call it. Default: its host.
	Name string `yaml:"name,omitempty" json:"name,omitempty"`
	// Include and Exclude are patterns of the names it may be asked for. Default: all.
	Include []string `yaml:"include,omitempty" json:"include,omitempty"`
	Exclude []string `yaml:"exclude,omitempty" json:"exclude,omitempty"`
	// User with Password, or Token, or Header ("Name: value"). The …File forms read the secret from a file, so that it need
	// not stand here; $NAME takes it from the environment.
	User         string `yaml:"user,omitempty" json:"user,omitempty"`
	Password     string `yaml:"-" json:"-"`
	PasswordFile string `yaml:"password-file,omitempty" json:"password-file,omitempty"`
	Token        string `yaml:"-" json:"-"`
	TokenFile    string `yaml:"token-file,omitempty" json:"token-file,omitempty"`
	Header       string `yaml:"-" json:"-"`
	// Realms are further origins that may be given User and Password, where a container registry has its tokens elsewhere.
	Realms []string `yaml:"realms,omitempty" json:"realms,omitempty"`
	// Hosts, if set, are the only hosts beside its own that its documents may refer to ("*.example.com" is any below).
	// Without it any public address will do.
	Hosts []string `yaml:"hosts,omitempty" json:"hosts,omitempty"`
	// Private allows it to be on an address that is not public.
	Private bool `yaml:"private,omitempty" json:"private,omitempty"`
	// CA is a PEM file with further roots; Cert and Key are a client certificate; Proxy is used instead of the environment's.
	CA    string `yaml:"ca,omitempty" json:"ca,omitempty"`
	Cert  string `yaml:"cert,omitempty" json:"cert,omitempty"`
	Key   string `yaml:"key,omitempty" json:"key,omitempty"`
	Proxy string `yaml:"proxy,omitempty" json:"proxy,omitempty"`
	// Fresh is how long its documents are not asked for again, instead of the protocol's own time.
	Fresh Duration `yaml:"fresh,omitempty" json:"fresh,omitempty"`
	// Trusted believes its word on when a version was published, for min-age.
	Trusted bool `yaml:"trusted,omitempty" json:"trusted,omitempty"`
	// Offline begins with it switched off.
	Offline bool `yaml:"offline,omitempty" json:"offline,omitempty"`
}

func upstreamFields(u *Upstream) map[string]value {
	return map[string]value{
		"kind": (*kindValue)(&u.Kind), "url": (*text)(&u.URL), "name": (*text)(&u.Name),
		"was": (*texts)(&u.Was), "include": (*texts)(&u.Include), "exclude": (*texts)(&u.Exclude),
		"user": (*text)(&u.User), "password": (*text)(&u.Password), "password-file": (*text)(&u.PasswordFile),
		"token": (*text)(&u.Token), "token-file": (*text)(&u.TokenFile), "header": (*text)(&u.Header), "realms": (*texts)(&u.Realms),
		"hosts": (*texts)(&u.Hosts), "private": (*boolean)(&u.Private),
		"ca": (*text)(&u.CA), "cert": (*text)(&u.Cert), "key": (*text)(&u.Key), "proxy": (*text)(&u.Proxy),
		"fresh": &u.Fresh, "trusted": (*boolean)(&u.Trusted), "offline": (*boolean)(&u.Offline),
	}
}

// UpstreamOptions is what package upstream is given: both forms of upstreams together, secrets read.
func (c Config) UpstreamOptions() (upstream.Options, error) {
	o := upstream.Options{
		Offline: c.Offline, Claims: c.Claims, Blocked: c.Blocked, MinAge: c.MinAge.Std(), Allowed: c.Allowed,
		CacheSize: int64(c.Cache.Size), CacheAge: c.Cache.Age.Std(),
	}
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
		all = append(all, Upstream{Kind: k, URL: c.Upstream[k]})
	}
	return append(all, c.Upstreams...)
}

// config translates u and reads its secrets.
func (u Upstream) config() (upstream.Config, error) {
	c := upstream.Config{
		Kind: u.Kind, Name: u.Name, URL: strings.TrimPrefix(u.URL, "sparse+"), Include: u.Include, Exclude: u.Exclude,
		User: u.User, Realms: u.Realms, Hosts: u.Hosts, Private: u.Private,
		CA: u.CA, Cert: u.Cert, Key: u.Key, Proxy: u.Proxy, Fresh: u.Fresh.Std(), Trusted: u.Trusted, Offline: u.Offline,
	}
	if c.Name == "" {
		c.Name = hostOf(c.URL)
	}
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

// validateUpstreams checks addresses, names and patterns; secrets are read at start.
func (c Config) validateUpstreams(p *Problems) {
	seen := map[string]bool{}
	for i, u := range c.allUpstreams() {
		at := fmt.Sprintf("upstreams[%d]", i-len(c.Upstream))
		if i < len(c.Upstream) {
			at = "upstream." + string(u.Kind)
		}
		p.check(u.Kind != "", "%s needs a kind, one of %s", at, kindNames())
		p.check(u.Password == "" || u.PasswordFile == "", "%s has both password and password-file", at)
		p.check(u.Token == "" || u.TokenFile == "", "%s has both token and token-file", at)
		u.PasswordFile, u.TokenFile = "", ""
		for _, s := range []*string{&u.Password, &u.Token, &u.Header} {
			*s = strings.TrimPrefix(*s, "$") // only the form is judged here
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
	for _, list := range []struct {
		key   string
		rules []string
	}{{"claims", c.Claims}, {"blocked", c.Blocked}, {"allowed", c.Allowed}} {
		for _, r := range list.rules {
			err := upstream.CheckRule(r)
			p.check(err == nil, "%s: %v", list.key, err)
		}
	}
}
