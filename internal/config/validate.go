package config

import (
	"fmt"
	"maps"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"larder/auth"
	"larder/store"
)

// Validate returns a Problems with every reason why the server could not run as configured, or nil.
func (c Config) Validate() error {
	var p Problems
	p.check(c.Data != "", "data must name a folder")
	c.validateListen(&p)
	c.validatePublicURL(&p)
	p.oneOf("anonymous", c.Anonymous, "read", "none")
	p.oneOf("log", c.Log, "text", "json")
	p.oneOf("log-level", c.LogLevel, "debug", "info", "warn", "error")
	p.check(c.Memory >= 32<<20 && c.Memory <= 1<<40, "memory is %s; it must lie between 32MiB and 1TiB", c.Memory)
	p.check(c.Reserve > 0, "reserve must be larger than nothing")
	p.check(c.Grace > 0, "grace must be longer than nothing")
	p.check(c.ScrubPeriod >= 0, "scrub-period must not be negative")
	p.check(c.ScrubRate > 0, "scrub-rate must be larger than nothing")
	p.check(c.ShutdownTimeout > 0, "shutdown-timeout must be longer than nothing")
	p.check(c.Journal.Keep == 0 || c.Journal.Keep.Std() >= 7*24*time.Hour,
		"journal.keep is %s; it must be 0 (keep all) or at least 7d: clients' feeds read back for days", c.Journal.Keep)
	c.validatePatterns(&p)
	c.validateKinds(&p)
	c.Policies.validate(&p)
	p.check(c.OCI.MaxManifest >= 64<<10 && c.OCI.MaxManifest <= 64<<20, "oci.max-manifest is %s; it must lie between 64KiB and 64MiB", c.OCI.MaxManifest)
	p.check(c.NPM.MaxTarball >= 1<<20 && c.NPM.MaxTarball <= 1<<40, "npm.max-tarball is %s; it must lie between 1MiB and 1TiB", c.NPM.MaxTarball)
	c.Cargo.validate(&p)
	p.oneOf("npm.access", c.NPM.Access, "public", "restricted", "client")
	p.check(c.PyPI.MaxFile >= 1<<20 && c.PyPI.MaxFile <= 1<<40, "pypi.max-file is %s; it must lie between 1MiB and 1TiB", c.PyPI.MaxFile)
	c.validateTrust(&p)
	c.Maven.validate(&p)
	p.check(c.Composer.MaxArchive >= 1<<20 && c.Composer.MaxArchive <= 1<<40, "composer.max-archive is %s; it must lie between 1MiB and 1TiB", c.Composer.MaxArchive)
	p.check(c.RubyGems.MaxGem >= 1<<20 && c.RubyGems.MaxGem <= 1<<40, "rubygems.max-gem is %s; it must lie between 1MiB and 1TiB", c.RubyGems.MaxGem)
	c.validateUpstreams(&p)
	return p.err()
}

func (m Maven) validate(p *Problems) {
	p.check(m.MaxFile >= 1<<20 && m.MaxFile <= 1<<40, "maven.max-file is %s; it must lie between 1MiB and 1TiB", m.MaxFile)
	p.oneOf("maven.versions", m.Versions, "all", "releases", "snapshots")
	p.check(m.Realm != "" && !strings.ContainsFunc(m.Realm, func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }), "maven.realm is %q; it must be plain text without quotes", m.Realm)
	p.check(m.SnapshotBuilds == 0 || m.SnapshotBuilds > 1, "maven.snapshot-builds is %d; it must be 0 (keep all) or at least 2", m.SnapshotBuilds)
	p.check(m.SnapshotAge >= 0 && m.DropReleased >= 0, "maven.snapshot-age and maven.drop-released must not be negative")
	p.check(m.KeepIncomplete > 0, "maven.keep-incomplete must be longer than nothing")
}

// check adds a problem unless ok.
func (p *Problems) check(ok bool, format string, args ...any) {
	if !ok {
		*p = append(*p, fmt.Sprintf(format, args...))
	}
}

func (p *Problems) oneOf(name, got string, allowed ...string) {
	last := len(allowed) - 1
	p.check(slices.Contains(allowed, got), "%s is %q; it must be %s or %s", name, got, strings.Join(allowed[:last], ", "), allowed[last])
}

func (c Config) validateListen(p *Problems) {
	_, port, err := net.SplitHostPort(c.Listen)
	n, bad := strconv.ParseUint(port, 10, 16)
	p.check(err == nil && bad == nil && n <= 65535, "listen is %q; it must be host:port such as 127.0.0.1:8080", c.Listen)
	p.check((c.TLSCert == "") == (c.TLSKey == ""), "tls-cert and tls-key must be set together")
}

func (c Config) validatePublicURL(p *Problems) {
	if c.PublicURL == "" {
		return
	}
	u, err := url.Parse(c.PublicURL)
	ok := err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.RawQuery == "" && u.Fragment == ""
	if err == nil && u.User != nil {
		p.check(false, "public-url must not contain a user or password")
		return
	}
	p.check(ok, "public-url is %q; it must be http://host or https://host, with a path if the server is behind one", c.PublicURL)
}

func (c Config) validatePatterns(p *Problems) {
	for _, s := range c.Private {
		_, err := auth.ParsePattern(s)
		p.check(err == nil, "private pattern %q is not kind:type:name such as oci:repository:secret/*", s)
	}
	for _, s := range c.OCI.ImmutableTags {
		repo, tag, ok := strings.Cut(s, ":")
		p.check(ok && repo != "" && tag != "", "oci.immutable-tags pattern %q is not repository:tag such as prod/*:v*", s)
	}
}

func knownKind(s string) bool {
	_, err := store.ParseKind(s)
	return err == nil
}

// segment is what a base path may consist of: nothing a URL would have to escape, and no dot segment.
var segment = regexp.MustCompile(`^[A-Za-z0-9_~-][A-Za-z0-9._~-]*$`)

// ownPaths are the first segments that belong to the server itself, or to a client that knows no base path.
func ownPaths() []string {
	return []string{"v2", "api", "healthz", "readyz", "metrics", "simple", "_", "RPC2"}
}

func (c Config) validateKinds(p *Problems) {
	owner := make(map[string]store.Kind)
	for _, k := range slices.Sorted(maps.Keys(c.Kinds)) {
		base := c.Kinds[k].Base
		parts := strings.Split(strings.TrimPrefix(base, "/"), "/")
		if !strings.HasPrefix(base, "/") || slices.ContainsFunc(parts, func(s string) bool { return !segment.MatchString(s) }) {
			p.check(false, "kinds.%s.base is %q; it must be a path such as /%s without a final slash", k, base, k)
			continue
		}
		// Cargo up to 1.95 sends the token of an index to the one at the same address without .git (CVE-2026-5222).
		p.check(!strings.HasSuffix(base, ".git"), "kinds.%s.base is %q; it must not end in .git", k, base)
		p.check(!slices.Contains(ownPaths(), parts[0]), "kinds.%s.base is %q; /%s belongs to the server itself", k, base, parts[0])
		for _, other := range slices.Sorted(maps.Keys(owner)) {
			clash := base == other || strings.HasPrefix(base, other+"/") || strings.HasPrefix(other, base+"/")
			p.check(!clash, "kinds.%s.base %q and kinds.%s.base %q overlap", k, base, owner[other], other)
		}
		owner[base] = k
	}
}

func (c Cargo) validate(p *Problems) {
	p.check(c.MaxCrate >= 64<<10 && c.MaxCrate <= 4<<30, "cargo.max-crate is %s; it must lie between 64KiB and 4GiB", c.MaxCrate)
	p.check(c.MaxUnpacked >= 1<<20 && c.MaxUnpacked <= 1<<40, "cargo.max-unpacked is %s; it must lie between 1MiB and 1TiB", c.MaxUnpacked)
	p.check(c.MaxFeatures >= 1 && c.MaxFeatures <= 100_000, "cargo.max-features is %d; it must lie between 1 and 100000", c.MaxFeatures)
	p.check(c.MaxDependencies >= 1 && c.MaxDependencies <= 100_000, "cargo.max-dependencies is %d; it must lie between 1 and 100000", c.MaxDependencies)
}

func (r Policies) validate(p *Problems) {
	for i, q := range r.Quotas {
		at := fmt.Sprintf("policies.quotas[%d]", i)
		p.check(q.Bytes > 0, "%s needs bytes, larger than nothing", at)
		p.check(q.Kind != "" || q.User != "" || q.Package != "", "%s needs a kind, a user or a package", at)
		p.check(q.Kind == "" || knownKind(string(q.Kind)), "%s: %q is none of the kinds %s", at, q.Kind, kindNames())
	}
	for i, q := range r.Protected {
		validateRule(fmt.Sprintf("policies.protected[%d]", i), q.Kind, q.Package, p)
	}
	for i, q := range r.Immutable {
		validateRule(fmt.Sprintf("policies.immutable[%d]", i), q.Kind, q.Package, p)
	}
}

func validateRule(at string, k store.Kind, pattern string, p *Problems) {
	p.check(pattern != "", "%s needs a package pattern; \"*\" means every package", at)
	p.check(k == "" || knownKind(string(k)), "%s: %q is none of the kinds %s", at, k, kindNames())
}
