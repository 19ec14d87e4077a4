// Package config is the one place that knows what an operator may set: every setting, its default, its unit and where it may come from.
//
// A setting comes from, strongest first: a command-line flag, a LARDER_… environment variable, the YAML file, the default.
// The YAML key, the flag and the variable of one setting share one name (public-url, --public-url, LARDER_PUBLIC_URL);
// nested keys have no flag, and their variable joins the levels (oci.max-manifest is LARDER_OCI_MAX_MANIFEST).
//
// config.go holds the struct, settings.go the table of settings, load.go the merge, yaml.go the strict reading of the file,
// validate.go the rules that need more than one value, units.go the two parsers.
package config

import (
	"net/netip"
	"time"

	"larder/store"
)

// Config is everything an operator can set. Default returns one that serves ./data on 127.0.0.1:8080; Load merges the other sources into it.
type Config struct {
	// Data is the folder that holds everything: database, blobs, uploads and the admin socket. Default "./data".
	Data string `yaml:"data" json:"data"`

	// Listen is the TCP address as host:port; port 0 picks a free one. Default "127.0.0.1:8080": reachable from this machine only.
	Listen string `yaml:"listen" json:"listen"`
	// AddrFile, if set, receives the bound host:port once the server answers.
	AddrFile string `yaml:"addr-file" json:"addr-file"`
	// TLSCert and TLSKey are PEM files; both or neither. Without them the server speaks plain HTTP.
	TLSCert string `yaml:"tls-cert" json:"tls-cert"`
	TLSKey  string `yaml:"tls-key" json:"tls-key"`

	// PublicURL is the address clients use, put into every document, e.g. https://registry.example.com/larder.
	// If empty, it is taken from each request.
	PublicURL string `yaml:"public-url" json:"public-url"`
	// TrustedProxies are the peers whose Forwarded and X-Forwarded-… headers are believed. Default none.
	TrustedProxies []netip.Prefix `yaml:"trusted-proxies" json:"trusted-proxies"`

	// ReadOnly refuses every change from the first request on.
	ReadOnly bool `yaml:"read-only" json:"read-only"`
	// Anonymous is what a request without credentials may do: "read" (default) or "none".
	Anonymous string `yaml:"anonymous" json:"anonymous"`
	// Private are patterns kind:type:name of what anonymous never reads, e.g. "oci:repository:secret/*".
	Private []string `yaml:"private" json:"private"`
	// AdminPassword is what the first start gives user admin; if empty, a random one is made and printed once.
	// It is read from LARDER_ADMIN_PASSWORD only and never printed.
	AdminPassword string `yaml:"-" json:"-"`

	// AcceptNewDatabase and AcceptMissingBlobs let one start go on with a folder that is otherwise refused: one with files
	// whose database is missing, empty or another folder's; one that lacks many of the blobs its database knows. They are
	// flags of larder serve only: what is accepted once must not be accepted for ever.
	AcceptNewDatabase  bool `yaml:"-" json:"-"`
	AcceptMissingBlobs bool `yaml:"-" json:"-"`

	// Log is the log's form on stderr: "text" (default) or "json".
	Log string `yaml:"log" json:"log"`
	// LogLevel is the least severe level that is logged: debug, info (default), warn or error.
	LogLevel string `yaml:"log-level" json:"log-level"`
	// H2C upgrades plain-http clients that ask for it (cargo, curl --http2) to HTTP/2. Default true.
	H2C bool `yaml:"h2c" json:"h2c"`
	// Metrics serves /metrics: to everyone who reaches the port, or under anonymous: none to whoever logs in. Default
	// true.
	Metrics bool `yaml:"metrics" json:"metrics"`

	// Memory is what all requests together may hold in memory: bodies, documents of upstreams and what is made of them,
	// lists. A request that finds it in use waits a few seconds and is then asked to come again. Beside it the program
	// needs about 96 MiB for itself and its caches: without GOMEMLIMIT the two together are the limit of Go's memory.
	// Default 256 MiB.
	Memory Size `yaml:"memory" json:"memory"`
	// Reserve is the free disk space below which uploads are refused. Default 256 MiB.
	Reserve Size `yaml:"reserve" json:"reserve"`
	// Grace is how long bytes that nothing refers to any more are kept. Default 1 hour.
	Grace Duration `yaml:"grace" json:"grace"`
	// ScrubPeriod is how long it takes until every file was read again and compared with its digest. Default 30 days; 0:
	// never.
	ScrubPeriod Duration `yaml:"scrub-period" json:"scrub-period"`
	// ScrubRate is how many bytes a second are read for that at most. Default 20 MiB.
	ScrubRate Size `yaml:"scrub-rate" json:"scrub-rate"`
	// ShutdownTimeout is how long requests in flight may take to finish after SIGTERM. Default 30 seconds.
	ShutdownTimeout Duration `yaml:"shutdown-timeout" json:"shutdown-timeout"`

	// Journal limits how long changes stay in the database's journal.
	Journal Journal `yaml:"journal" json:"journal"`

	// Policies refuse changes with a reason the client's user reads.
	Policies Policies `yaml:"policies" json:"policies"`
	// Kinds switches protocols off and moves their base paths. Every kind has an entry after Default or Load.
	Kinds map[store.Kind]Kind `yaml:"kinds" json:"kinds"`
	// OCI holds what only the OCI Distribution protocol has.
	OCI OCI `yaml:"oci" json:"oci"`
	// NPM holds what only the npm protocol has.
	NPM NPM `yaml:"npm" json:"npm"`
	// Cargo holds what only the Cargo protocol has.
	Cargo Cargo `yaml:"cargo" json:"cargo"`
	// PyPI holds what only Python's protocol has.
	PyPI PyPI `yaml:"pypi" json:"pypi"`

	// TrustedPublishers are rules of trusted publishing: uploads of CI jobs without a password. Default none.
	TrustedPublishers []TrustedPublisher `yaml:"trusted-publishers,omitempty" json:"trusted-publishers,omitempty"`
	// TrustedAudience is for whom their tokens must be. Default "larder".
	TrustedAudience string `yaml:"trusted-audience" json:"trusted-audience"`
	// Maven holds what only the Maven repository has.
	Maven Maven `yaml:"maven" json:"maven"`
	// Composer holds what only the Composer protocol has.
	Composer Composer `yaml:"composer" json:"composer"`
	// RubyGems holds what only the RubyGems protocol has.
	RubyGems RubyGems `yaml:"rubygems" json:"rubygems"`

	// Upstream are remote registries to keep copies of, one by kind: the short form of Upstreams.
	Upstream map[store.Kind]string `yaml:"upstream,omitempty" json:"upstream,omitempty"`
	// Upstreams are remote registries in full; those of one kind are asked in this order, after that of Upstream.
	Upstreams []Upstream `yaml:"upstreams,omitempty" json:"upstreams,omitempty"`
	// Offline forbids requests to upstreams. Default false.
	Offline bool `yaml:"offline" json:"offline"`
	// Claims are patterns kind:name of names that are ours: upstreams are never asked for them.
	Claims []string `yaml:"claims" json:"claims"`
	// Blocked are patterns kind:name or kind:name@version of what is never fetched from upstreams, nor served from their copies.
	Blocked []string `yaml:"blocked" json:"blocked"`
	// MinAge holds back versions from upstreams that are younger. Default 0: none.
	MinAge Duration `yaml:"min-age" json:"min-age"`
	// Allowed are patterns kind:name or kind:name@version that MinAge does not hold back.
	Allowed []string `yaml:"allowed" json:"allowed"`
	// Cache limits what is kept of upstreams' files. What is hosted is never evicted.
	Cache Cache `yaml:"cache" json:"cache"`
}

// Journal is what can be set for the journal of changes.
type Journal struct {
	// Keep is how long entries stay in the database; older ones move to monthly archives in DATA/journal. 0 keeps all.
	// Default 400 days.
	Keep Duration `yaml:"keep" json:"keep"`
}

// Kind is what can be set for one protocol.
type Kind struct {
	// Enabled serves the protocol. Default true.
	Enabled bool `yaml:"enabled" json:"enabled"`
	// Base is its path, starting with a slash and not ending in one. Default "/" and the kind.
	// OCI answers under /v2 in any case, which its clients insist on; its Base is the alias.
	Base string `yaml:"base" json:"base"`
}

// OCI is what can be set for OCI Distribution only.
type OCI struct {
	// ImmutableTags are patterns repository:tag of tags that never move once set, e.g. "*:v*" or "prod/*:*".
	ImmutableTags []string `yaml:"immutable-tags" json:"immutable-tags"`
	// StrictIndexes refuses an image index some of whose manifests are absent. Partial copies and mirrors push such
	// indexes all the time. Default false.
	StrictIndexes bool `yaml:"strict-indexes" json:"strict-indexes"`
	// SparseImages accepts an image manifest some of whose layers are absent. Default false: a push that lost a layer is
	// an error at once, not for whoever pulls.
	SparseImages bool `yaml:"sparse-images" json:"sparse-images"`
	// NoDelete refuses every deletion of a tag, manifest or blob. Default false.
	NoDelete bool `yaml:"no-delete" json:"no-delete"`
	// MaxManifest is the largest manifest accepted. Default 4 MiB, the least the specification asks for.
	MaxManifest Size `yaml:"max-manifest" json:"max-manifest"`
}

// NPM is what can be set for npm only.
type NPM struct {
	// MaxTarball is the largest tarball accepted. Default 1 GiB.
	MaxTarball Size `yaml:"max-tarball" json:"max-tarball"`
	// AnyName accepts names the public registry no longer gives out, and names that differ from an existing one in
	// separators only, for mirrors of old packages. Default false.
	AnyName bool `yaml:"any-name" json:"any-name"`
	// Access says who sees a package that is published for the first time: public, everybody who may read, unless its
	// publisher asked for restricted (npm since 9, or publishConfig in package.json); restricted, its owners; client, whom
	// the client says, although yarn 4 and npm up to 8 call every scoped package restricted. Afterwards npm access changes
	// it, and no publish does. Default public.
	Access string `yaml:"access" json:"access"`
	// StrictManifests refuses a publish whose manifest says something else than its tarball; without it the tarball's
	// word counts and the publisher gets a warning. Default false.
	StrictManifests bool `yaml:"strict-manifests" json:"strict-manifests"`
}

// Cargo is what can be set for Cargo only.
type Cargo struct {
	// AuthRequired answers nobody without a token, whatever anonymous may do elsewhere; without it only /cargo/private/
	// is closed. Default false.
	AuthRequired bool `yaml:"auth-required" json:"auth-required"`
	// MaxCrate is the largest crate accepted. Default 10 MiB.
	MaxCrate Size `yaml:"max-crate" json:"max-crate"`
	// MaxUnpacked is what a crate may unpack to. Default 512 MiB, which is also the least cargo itself accepts.
	MaxUnpacked Size `yaml:"max-unpacked" json:"max-unpacked"`
	// MaxFeatures is how many features a crate may have, and how many others one may switch on. Default 300.
	MaxFeatures int `yaml:"max-features" json:"max-features"`
	// MaxDependencies is how many dependencies a crate may have. Default 500.
	MaxDependencies int `yaml:"max-dependencies" json:"max-dependencies"`
	// RequireMetadata refuses crates without a description and a license. Default false.
	RequireMetadata bool `yaml:"require-metadata" json:"require-metadata"`
	// Notice is a sentence that cargo publish prints to every publisher.
	Notice string `yaml:"notice" json:"notice"`
}

// PyPI is what can be set for Python packages only.
type PyPI struct {
	// MaxFile is the largest wheel or source archive accepted. Default 4 GiB.
	MaxFile Size `yaml:"max-file" json:"max-file"`
	// Strict refuses what is otherwise accepted with a warning: file names of old tools, archives whose sizes stand behind
	// the data, a RECORD that lists other files, a form that differs from the file's metadata. Default false.
	Strict bool `yaml:"strict" json:"strict"`
	// CloseReleases is how long after its first file a release takes others. Default 0: for ever.
	CloseReleases Duration `yaml:"close-releases" json:"close-releases"`
	// Provenance puts links to attestations into index pages, although only their structure is checked. Default false.
	Provenance bool `yaml:"provenance" json:"provenance"`
}

// Maven is what can be set for Maven only.
type Maven struct {
	// MaxFile is the largest file accepted. Default 16 GiB.
	MaxFile Size `yaml:"max-file" json:"max-file"`
	// Versions is what may be deployed: all (default), releases or snapshots.
	Versions string `yaml:"versions" json:"versions"`
	// Redeploy lets whoever may write replace files of a release. Default false: they never change.
	Redeploy bool `yaml:"redeploy" json:"redeploy"`
	// StrictPOMs refuses POMs that cannot be read or are about other coordinates than their path. Default false.
	StrictPOMs bool `yaml:"strict-poms" json:"strict-poms"`
	// AnyScript accepts letters of every script in coordinates, not only Latin ones. Default false.
	AnyScript bool `yaml:"any-script" json:"any-script"`
	// Realm is the text of the login challenge, which sbt and Ivy compare with their settings. Default "Larder".
	Realm string `yaml:"realm" json:"realm"`
	// SnapshotBuilds is how many builds of each snapshot stay whatever their age; 0 (default) keeps all. 1 is refused:
	// a client may just have read of the build before.
	SnapshotBuilds int `yaml:"snapshot-builds" json:"snapshot-builds"`
	// SnapshotAge is how old the builds beyond that number may get. Default 0: they go at once.
	SnapshotAge Duration `yaml:"snapshot-age" json:"snapshot-age"`
	// DropReleased removes a snapshot when its release has been there for so long. Default 0: never.
	DropReleased Duration `yaml:"drop-released" json:"drop-released"`
	// KeepIncomplete is how long the files of a deploy that was never finished stay. Default 14 days.
	KeepIncomplete Duration `yaml:"keep-incomplete" json:"keep-incomplete"`
}

// Composer is what can be set for Composer only.
type Composer struct {
	// MaxArchive is the largest archive accepted. Default 1 GiB.
	MaxArchive Size `yaml:"max-archive" json:"max-archive"`
}

// RubyGems is what can be set for RubyGems only.
type RubyGems struct {
	// MaxGem is the largest gem accepted. Default 1 GiB.
	MaxGem Size `yaml:"max-gem" json:"max-gem"`
	// ServeYanked goes on serving the files of yanked versions, which no index shows any more, for lock files that name
	// them. Default false.
	ServeYanked bool `yaml:"serve-yanked" json:"serve-yanked"`
}

// Policies are the built-in rules; each list may be empty.
type Policies struct {
	// Quotas limit stored bytes.
	Quotas []Quota `yaml:"quotas" json:"quotas"`
	// Protected reserves packages for some users.
	Protected []Protected `yaml:"protected" json:"protected"`
	// Immutable versions and tags can be added, never replaced, moved or deleted.
	Immutable []Immutable `yaml:"immutable" json:"immutable"`
}

// Quota limits the bytes of what all given fields select; an empty field selects everything.
type Quota struct {
	// Kind limits one protocol.
	Kind store.Kind `yaml:"kind,omitempty" json:"kind,omitempty"`
	// User limits what one user has published; "*" limits each user.
	User string `yaml:"user,omitempty" json:"user,omitempty"`
	// Package is a pattern; the limit holds for each package that matches. '*' matches any run of characters.
	Package string `yaml:"package,omitempty" json:"package,omitempty"`
	// Bytes is the limit.
	Bytes Size `yaml:"bytes" json:"bytes"`
}

// Protected reserves packages: only the users named may change them.
type Protected struct {
	// Kind selects one protocol; empty means all.
	Kind store.Kind `yaml:"kind,omitempty" json:"kind,omitempty"`
	// Package is a pattern of names; it is required.
	Package string `yaml:"package" json:"package"`
	// Users may change the packages; none means nobody.
	Users []string `yaml:"users,omitempty" json:"users,omitempty"`
}

// Immutable forbids to change what exists, to everyone.
type Immutable struct {
	// Kind selects one protocol; empty means all.
	Kind store.Kind `yaml:"kind,omitempty" json:"kind,omitempty"`
	// Package is a pattern of names; it is required.
	Package string `yaml:"package" json:"package"`
	// Tag is a pattern of tags; if empty, the rule is about versions.
	Tag string `yaml:"tag,omitempty" json:"tag,omitempty"`
}

// Default returns the configuration of a server started without any setting.
func Default() Config {
	c := Config{
		Data:            "./data",
		Listen:          "127.0.0.1:8080",
		Anonymous:       "read",
		Log:             "text",
		LogLevel:        "info",
		H2C:             true,
		Metrics:         true,
		Memory:          256 << 20,
		Reserve:         256 << 20,
		Grace:           Duration(time.Hour),
		ScrubPeriod:     Duration(30 * 24 * time.Hour),
		ScrubRate:       20 << 20,
		ShutdownTimeout: Duration(30 * time.Second),
		Journal:         Journal{Keep: Duration(400 * 24 * time.Hour)},
		Kinds:           make(map[store.Kind]Kind),
		OCI:             OCI{MaxManifest: 4 << 20},
		NPM:             NPM{MaxTarball: 1 << 30, Access: "public"},
		Cargo:           Cargo{MaxCrate: 10 << 20, MaxUnpacked: 512 << 20, MaxFeatures: 300, MaxDependencies: 500},
		PyPI:            PyPI{MaxFile: 4 << 30},
		TrustedAudience: "larder",
		Maven:           Maven{MaxFile: 16 << 30, Versions: "all", Realm: "Larder", KeepIncomplete: Duration(14 * 24 * time.Hour)},
		Composer:        Composer{MaxArchive: 1 << 30},
		RubyGems:        RubyGems{MaxGem: 1 << 30},
	}
	for _, k := range store.Kinds() {
		c.Kinds[k] = Kind{Enabled: true, Base: "/" + string(k)}
	}
	return c
}
