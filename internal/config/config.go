package config

// This file has the configuration and its defaults. What each field means, its unit and its limits say the rows.

import (
	"net/netip"
	"time"

	"larder/auth"
	"larder/cargo"
	"larder/composer"
	"larder/maven"
	"larder/npm"
	"larder/oci"
	"larder/pypi"
	"larder/rubygems"
	"larder/store"
	"larder/upstream"
)

// Config is everything an operator can set. Default returns one that serves ./data on 127.0.0.1:8080; Load merges the
// other sources into it. The options of other packages are theirs, to be handed over whole: what is no setting in them
// (clocks, logs) is empty here.
type Config struct {
	Data     string
	Listen   string
	AddrFile string
	TLSCert  string // with TLSKey, or both empty
	TLSKey   string

	PublicURL       string
	TrustedProxies  []netip.Prefix
	H2C             bool
	Log             string // text or json
	LogLevel        string // as slog.Level writes it, in lower case
	Metrics         bool
	Memory          int64 // bytes
	ScrubPeriod     time.Duration
	ScrubRate       int64 // bytes a second
	JournalKeep     time.Duration
	ShutdownTimeout time.Duration
	AdminPassword   string // never printed

	Store    store.Options
	Auth     auth.Options
	Policies store.RulesConfig

	Kinds         map[store.Kind]*Kind // every kind has an entry after Default
	OCI           oci.Options
	ImmutableTags []string // of OCI, as repository:tag
	NPM           npm.Options
	PyPI          pypi.Options
	Cargo         cargo.Options
	Maven         maven.Options
	Composer      composer.Options
	RubyGems      rubygems.Options

	TrustedAudience   string
	TrustedPublishers []TrustedPublisher

	Upstream  map[store.Kind]string // the short form: one by kind, before those of Upstreams
	Upstreams []Upstream            // those of one kind are asked in this order
	// FurtherUpstreams are those of flags beyond the first of a kind, between the two.
	FurtherUpstreams []Upstream
	Copies           upstream.Options // without its Upstreams: UpstreamOptions fills them in
}

// Kind is what can be set for every protocol.
type Kind struct {
	Enabled bool
	Base    string // begins with a slash and does not end in one
}

// Default returns the configuration of a server started without any setting.
func Default() Config {
	c := Config{
		Data:            "./data",
		Listen:          "127.0.0.1:8080",
		H2C:             true,
		Log:             "text",
		LogLevel:        "info",
		Metrics:         true,
		Memory:          256 << 20,
		ScrubPeriod:     30 * day,
		ScrubRate:       20 << 20,
		JournalKeep:     400 * day,
		ShutdownTimeout: 30 * time.Second,
		Store:           store.Options{Reserve: 256 << 20, Grace: time.Hour},
		Auth:            auth.Options{Anonymous: "read"},
		Kinds:           make(map[store.Kind]*Kind),
		OCI:             oci.Options{}.WithDefaults(),
		NPM:             npm.Options{}.WithDefaults(),
		PyPI:            pypi.Options{}.WithDefaults(),
		Cargo:           cargo.Options{}.WithDefaults(),
		Maven:           maven.Options{}.WithDefaults(),
		Composer:        composer.Options{}.WithDefaults(),
		RubyGems:        rubygems.Options{}.WithDefaults(),
		TrustedAudience: "larder",
	}
	for _, k := range store.Kinds() {
		c.Kinds[k] = &Kind{Enabled: true, Base: "/" + string(k)}
	}
	return c
}
