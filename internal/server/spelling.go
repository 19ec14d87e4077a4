package server

// This file says how all kinds spell names and versions, for rules and for commands that name a package.

import (
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

// Spellings are those of every kind that is built in, switched on or not.
func Spellings() upstream.Spellings {
	return upstream.Spellings{
		store.OCI: oci.Spelling(), store.NPM: npm.Spelling(), store.PyPI: pypi.Spelling(), store.Cargo: cargo.Spelling(),
		store.Maven: maven.Spelling(), store.Composer: composer.Spelling(), store.RubyGems: rubygems.Spelling(),
	}
}
