package server

// This file builds the protocols that are switched on, each at its path.

import (
	"net/http"
	"strings"

	"larder/cargo"
	"larder/composer"
	"larder/internal/wire"
	"larder/maven"
	"larder/npm"
	"larder/oci"
	"larder/pypi"
	"larder/rubygems"
	"larder/store"
)

// mounted is a protocol that is switched on.
type mounted struct {
	wire.Protocol
	kind store.Kind
}

// protocols is the list of those that are built in and switched on.
func (s *Server) protocols(d wire.Deps) []mounted {
	c := s.cfg
	var list []mounted
	for _, p := range []struct {
		kind  store.Kind
		usual string // where its handler sees itself
		build func(wire.Deps) wire.Protocol
	}{
		{store.OCI, "/oci", func(d wire.Deps) wire.Protocol { return oci.New(d, c.OCI) }},
		{store.NPM, "/npm", func(d wire.Deps) wire.Protocol { return npm.New(d, c.NPM) }},
		{store.Cargo, "/cargo", func(d wire.Deps) wire.Protocol { return cargo.New(d, c.Cargo) }},
		{store.PyPI, "/pypi", func(d wire.Deps) wire.Protocol { return pypi.New(d, c.PyPI, s.trust) }},
		{store.Maven, "/maven", func(d wire.Deps) wire.Protocol { return maven.New(d, c.Maven) }},
		{store.Composer, "/composer", func(d wire.Deps) wire.Protocol { return composer.New(d, c.Composer) }},
		{store.RubyGems, "/rubygems", func(d wire.Deps) wire.Protocol { return rubygems.New(d, c.RubyGems) }},
	} {
		k := c.Kinds[p.kind]
		if !k.Enabled {
			continue
		}
		d.Path = k.Base
		list = append(list, mounted{rebase(p.build(d), p.usual, k.Base), p.kind})
	}
	return list
}

// rebase moves a protocol from its usual prefix to another; its handler goes on seeing the usual one.
func rebase(p wire.Protocol, usual, base string) wire.Protocol {
	if base == "" || base == usual {
		return p
	}
	prefixes, next := make([]string, len(p.Prefixes)), p.Handler
	for i, prefix := range p.Prefixes {
		if prefix == usual {
			prefix = base
		}
		prefixes[i] = prefix
	}
	p.Prefixes = prefixes
	p.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if rest, ok := strings.CutPrefix(r.URL.Path, base); ok && (rest == "" || rest[0] == '/') {
			moved := r.Clone(r.Context())
			moved.URL.Path = usual + rest
			if raw, ok := strings.CutPrefix(r.URL.RawPath, base); ok {
				moved.URL.RawPath = usual + raw
			}
			r = moved
		}
		next.ServeHTTP(w, r)
	})
	return p
}
