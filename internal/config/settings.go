package config

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"larder/store"
)

// setting is one row of the table every source is read through.
type setting struct {
	// name is the YAML key, levels joined by dots; without dots it is also the flag.
	name  string
	usage string
	// value is where the setting lives in c.
	value func(c *Config) value
	// noKey marks the flag form of something the file writes differently.
	noKey bool
}

// value is what a flag, a variable and a scalar of the file set alike; it is a pflag.Value.
type value interface {
	Set(string) error
	String() string
	Type() string
}

// listValue is a value of several items; a source that sets it replaces the items of weaker sources.
type listValue interface {
	value
	setAll(items []string) error
}

// env is the variable that sets s.
func (s setting) env() string {
	return "LARDER_" + strings.ToUpper(strings.NewReplacer("-", "_", ".", "_").Replace(s.name))
}

func (s setting) hasFlag() bool { return !strings.Contains(s.name, ".") }

// settings is the table, in the order help and errors use.
func settings() []setting {
	rows := []setting{
		{name: "data", usage: "folder that holds everything", value: func(c *Config) value { return (*text)(&c.Data) }},
		{name: "listen", usage: "TCP address host:port; port 0 picks a free one", value: func(c *Config) value { return (*text)(&c.Listen) }},
		{name: "addr-file", usage: "write the bound host:port to this file once ready", value: func(c *Config) value { return (*text)(&c.AddrFile) }},
		{name: "public-url", usage: "URL clients use, put into documents (default: taken from each request)", value: func(c *Config) value { return (*text)(&c.PublicURL) }},
		{name: "trusted-proxies", usage: "addresses or CIDRs whose Forwarded headers are believed", value: func(c *Config) value { return (*prefixes)(&c.TrustedProxies) }},
		{name: "tls-cert", usage: "PEM file with the certificate chain", value: func(c *Config) value { return (*text)(&c.TLSCert) }},
		{name: "tls-key", usage: "PEM file with the certificate's key", value: func(c *Config) value { return (*text)(&c.TLSKey) }},
		{name: "read-only", usage: "refuse every change", value: func(c *Config) value { return (*boolean)(&c.ReadOnly) }},
		{
			name: "anonymous", usage: "what requests without credentials may do: read or none",
			value: func(c *Config) value { return (*text)(&c.Anonymous) },
		},
		{
			name: "private", usage: "patterns kind:type:name that anonymous never reads",
			value: func(c *Config) value { return (*texts)(&c.Private) },
		},
		{
			name: "log", usage: "form of the log on stderr: text or json",
			value: func(c *Config) value { return (*text)(&c.Log) },
		},
		{
			name: "log-level", usage: "least severe level logged: debug, info, warn or error",
			value: func(c *Config) value { return (*text)(&c.LogLevel) },
		},
		{
			name: "h2c", usage: "upgrade plain-http clients that ask for it to HTTP/2",
			value: func(c *Config) value { return (*boolean)(&c.H2C) },
		},
		{
			name: "metrics", usage: "serve /metrics, to everyone who reaches the port unless anonymous is none",
			value: func(c *Config) value { return (*boolean)(&c.Metrics) },
		},
		{
			name:  "memory",
			usage: "what all requests together may hold in memory; with 96MiB for the rest, Go's limit unless GOMEMLIMIT is set",
			value: func(c *Config) value { return &c.Memory },
		},
		{
			name: "reserve", usage: "free disk space below which uploads are refused",
			value: func(c *Config) value { return &c.Reserve },
		},
		{name: "grace", usage: "how long unreferenced bytes are kept", value: func(c *Config) value { return &c.Grace }},
		{
			name: "scrub-period", usage: "read every file again within this time and find what went bad; 0 switches it off",
			value: func(c *Config) value { return &c.ScrubPeriod },
		},
		{
			name: "scrub-rate", usage: "bytes a second that are read for it at most",
			value: func(c *Config) value { return &c.ScrubRate },
		},
		{
			name:  "journal.keep",
			usage: "how long changes stay in the database's journal before they move to monthly archives; 0: for ever",
			value: func(c *Config) value { return &c.Journal.Keep },
		},
		{
			name: "shutdown-timeout", usage: "how long requests in flight may take to finish when stopping",
			value: func(c *Config) value { return &c.ShutdownTimeout },
		},
		{name: "oci.immutable-tags", value: func(c *Config) value { return (*texts)(&c.OCI.ImmutableTags) }},
		{name: "oci.strict-indexes", value: func(c *Config) value { return (*boolean)(&c.OCI.StrictIndexes) }},
		{name: "oci.sparse-images", value: func(c *Config) value { return (*boolean)(&c.OCI.SparseImages) }},
		{name: "oci.no-delete", value: func(c *Config) value { return (*boolean)(&c.OCI.NoDelete) }},
		{name: "oci.max-manifest", value: func(c *Config) value { return &c.OCI.MaxManifest }},
		{name: "npm.max-tarball", value: func(c *Config) value { return &c.NPM.MaxTarball }},
		{name: "npm.any-name", value: func(c *Config) value { return (*boolean)(&c.NPM.AnyName) }},
		{name: "npm.access", value: func(c *Config) value { return (*text)(&c.NPM.Access) }},
		{name: "npm.strict-manifests", value: func(c *Config) value { return (*boolean)(&c.NPM.StrictManifests) }},
		{name: "cargo.auth-required", value: func(c *Config) value { return (*boolean)(&c.Cargo.AuthRequired) }},
		{name: "cargo.max-crate", value: func(c *Config) value { return &c.Cargo.MaxCrate }},
		{name: "cargo.max-unpacked", value: func(c *Config) value { return &c.Cargo.MaxUnpacked }},
		{name: "cargo.max-features", value: func(c *Config) value { return (*number)(&c.Cargo.MaxFeatures) }},
		{name: "cargo.max-dependencies", value: func(c *Config) value { return (*number)(&c.Cargo.MaxDependencies) }},
		{name: "cargo.require-metadata", value: func(c *Config) value { return (*boolean)(&c.Cargo.RequireMetadata) }},
		{name: "cargo.notice", value: func(c *Config) value { return (*text)(&c.Cargo.Notice) }},
		{name: "pypi.max-file", value: func(c *Config) value { return &c.PyPI.MaxFile }},
		{name: "pypi.strict", value: func(c *Config) value { return (*boolean)(&c.PyPI.Strict) }},
		{name: "pypi.close-releases", value: func(c *Config) value { return &c.PyPI.CloseReleases }},
		{name: "pypi.provenance", value: func(c *Config) value { return (*boolean)(&c.PyPI.Provenance) }},
		{name: "trusted-audience", usage: "whom tokens of CI jobs must be for that are exchanged here", value: func(c *Config) value { return (*text)(&c.TrustedAudience) }},
		{name: "maven.max-file", value: func(c *Config) value { return &c.Maven.MaxFile }},
		{name: "maven.versions", value: func(c *Config) value { return (*text)(&c.Maven.Versions) }},
		{name: "maven.redeploy", value: func(c *Config) value { return (*boolean)(&c.Maven.Redeploy) }},
		{name: "maven.strict-poms", value: func(c *Config) value { return (*boolean)(&c.Maven.StrictPOMs) }},
		{name: "maven.any-script", value: func(c *Config) value { return (*boolean)(&c.Maven.AnyScript) }},
		{name: "maven.realm", value: func(c *Config) value { return (*text)(&c.Maven.Realm) }},
		{name: "maven.snapshot-builds", value: func(c *Config) value { return (*number)(&c.Maven.SnapshotBuilds) }},
		{name: "maven.snapshot-age", value: func(c *Config) value { return &c.Maven.SnapshotAge }},
		{name: "maven.drop-released", value: func(c *Config) value { return &c.Maven.DropReleased }},
		{name: "maven.keep-incomplete", value: func(c *Config) value { return &c.Maven.KeepIncomplete }},
		{name: "composer.max-archive", value: func(c *Config) value { return &c.Composer.MaxArchive }},
		{name: "rubygems.max-gem", value: func(c *Config) value { return &c.RubyGems.MaxGem }},
		{name: "rubygems.serve-yanked", value: func(c *Config) value { return (*boolean)(&c.RubyGems.ServeYanked) }},
		{name: "claims", usage: "patterns kind:name of names that upstreams are never asked for", value: func(c *Config) value { return (*texts)(&c.Claims) }},
		{name: "blocked", usage: "patterns kind:name or kind:name@version that are never fetched from upstreams", value: func(c *Config) value { return (*texts)(&c.Blocked) }},
		{name: "min-age", usage: "hold back upstreams' versions younger than this", value: func(c *Config) value { return &c.MinAge }},
		{name: "allowed", usage: "patterns kind:name or kind:name@version that min-age does not hold back", value: func(c *Config) value { return (*texts)(&c.Allowed) }},
		{name: "cache.size", value: func(c *Config) value { return &c.Cache.Size }},
		{name: "cache.age", value: func(c *Config) value { return &c.Cache.Age }},
		{name: "offline", usage: "make no request to upstreams", value: func(c *Config) value { return (*boolean)(&c.Offline) }},
		{name: "upstream", usage: "cache a remote registry, as KIND=URL; repeatable", noKey: true, value: func(c *Config) value { return &upstreams{c} }},
	}
	for _, k := range store.Kinds() {
		rows = append(rows,
			setting{name: "kinds." + string(k) + ".enabled", value: func(c *Config) value { return &kindEnabled{c, k} }},
			setting{name: "kinds." + string(k) + ".base", value: func(c *Config) value { return &kindBase{c, k} }},
			setting{name: "upstream." + string(k), value: func(c *Config) value { return &upstreamURL{c, k} }})
	}
	return rows
}

// text is a string setting.
type text string

func (v *text) Set(s string) error { *v = text(s); return nil }
func (v *text) String() string     { return string(*v) }
func (v *text) Type() string       { return "string" }

// boolean is an on/off setting.
type boolean bool

func (v *boolean) Set(s string) error { return setTo((*bool)(v), s, parseBool) }
func (v *boolean) String() string     { return strconv.FormatBool(bool(*v)) }
func (v *boolean) Type() string       { return "bool" }

func parseBool(s string) (bool, error) {
	b, err := strconv.ParseBool(s)
	if err != nil {
		return false, fmt.Errorf("%q is neither true nor false", s)
	}
	return b, nil
}

// number is a count.
type number int

func (v *number) Set(s string) error { return setTo((*int)(v), s, parseNumber) }
func (v *number) String() string     { return strconv.Itoa(int(*v)) }
func (v *number) Type() string       { return "int" }

func parseNumber(s string) (int, error) {
	n, err := strconv.ParseUint(s, 10, 31)
	if err != nil {
		return 0, fmt.Errorf("%q is not a number", s)
	}
	return int(n), nil
}

// texts is a list of strings; a flag or variable separates items by commas.
type texts []string

func (v *texts) Set(s string) error { return v.setAll(splitList(s)) }
func (v *texts) String() string     { return strings.Join(*v, ",") }
func (v *texts) Type() string       { return "list" }
func (v *texts) setAll(items []string) error {
	*v = append(texts(nil), items...)
	return nil
}

// splitList cuts at commas and drops empty items.
func splitList(s string) []string {
	var items []string
	for item := range strings.SplitSeq(s, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

// prefixes is a list of address ranges; a bare address is a range of one.
type prefixes []netip.Prefix

func (v *prefixes) Set(s string) error { return v.setAll(splitList(s)) }
func (v *prefixes) Type() string       { return "list" }

func (v *prefixes) String() string {
	items := make([]string, len(*v))
	for i, p := range *v {
		items[i] = p.String()
	}
	return strings.Join(items, ",")
}

func (v *prefixes) setAll(items []string) error {
	var all []netip.Prefix
	for _, item := range items {
		p, err := ParsePrefix(item)
		if err != nil {
			return err
		}
		all = append(all, p)
	}
	*v = all
	return nil
}

// ParsePrefix reads an address range such as 10.0.0.0/8, or a single address.
func ParsePrefix(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is neither an address nor a range such as 10.0.0.0/8", s)
	}
	return p.Masked(), nil
}

// kindEnabled and kindBase are the two fields of one entry of Config.Kinds.
type kindEnabled struct {
	c *Config
	k store.Kind
}

func (v *kindEnabled) String() string { return strconv.FormatBool(v.c.Kinds[v.k].Enabled) }
func (v *kindEnabled) Type() string   { return "bool" }

func (v *kindEnabled) Set(s string) error {
	entry := v.c.Kinds[v.k]
	if err := setTo(&entry.Enabled, s, parseBool); err != nil {
		return err
	}
	v.c.Kinds[v.k] = entry
	return nil
}

type kindBase struct {
	c *Config
	k store.Kind
}

func (v *kindBase) String() string { return v.c.Kinds[v.k].Base }
func (v *kindBase) Type() string   { return "string" }

func (v *kindBase) Set(s string) error {
	entry := v.c.Kinds[v.k]
	entry.Base = s
	v.c.Kinds[v.k] = entry
	return nil
}

// upstreams is the flag form KIND=URL of Config.Upstream; upstreamURL is one entry of it.
type upstreams struct{ c *Config }

func (v *upstreams) Set(s string) error { return v.setAll(splitList(s)) }
func (v *upstreams) String() string     { return "" }
func (v *upstreams) Type() string       { return "kind=url" }

func (v *upstreams) setAll(items []string) error {
	all := make(map[store.Kind]string)
	for _, item := range items {
		name, url, ok := strings.Cut(item, "=")
		k, err := store.ParseKind(name)
		if !ok || url == "" || err != nil {
			return fmt.Errorf("%q is not KIND=URL with one of the kinds %s", item, kindNames())
		}
		all[k] = url
	}
	v.c.Upstream = all
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

// kindNames lists the kinds for error sentences.
func kindNames() string {
	var names []string
	for _, k := range store.Kinds() {
		names = append(names, string(k))
	}
	return strings.Join(names, ", ")
}
