package config

// This file has the settings of the seven protocols.

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"larder/maven"
	"larder/npm"
	"larder/store"
)

func protocols() group {
	var rows []setting
	for _, k := range store.Kinds() {
		rows = append(rows, setting{name: "kinds." + string(k) + ".enabled", shown: "kinds.KIND.enabled",
			help:    "serve the protocol",
			more:    "Switched off, its paths answer 404; what is stored stays.",
			example: "kinds:\n  rubygems: {enabled: false}",
			at:      func(c *Config) any { return &c.Kinds[k].Enabled },
		}, setting{name: "kinds." + string(k) + ".base", shown: "kinds.KIND.base",
			help: "path of the protocol, without a final slash",
			more: "OCI Distribution answers under `/v2` in any case, which its clients insist on; its base is an alias. The " +
				"index of Python packages is also at `/simple`.",
			example: "kinds:\n  maven: {base: /repo/maven2}",
			at:      func(c *Config) any { return &c.Kinds[k].Base },
		})
	}
	return group{
		title: "Protocols",
		about: "`KIND` is `oci`, `npm`, `pypi`, `cargo`, `maven`, `composer` or `rubygems`.",
		rows:  rows, check: checkKinds,
	}
}

// segment is what a base path may consist of: nothing a URL would have to escape, and no dot segment.
var segment = regexp.MustCompile(`^[A-Za-z0-9_~-][A-Za-z0-9._~-]*$`)

// ownPaths are the first segments that belong to the server itself, or to a client that knows no base path.
func ownPaths() []string {
	return []string{"v2", "api", "ui", "-", "healthz", "readyz", "metrics", "simple", "_", "RPC2"}
}

// checkKinds wants bases that are paths, are not taken by the server, and do not lie in each other.
func checkKinds(c *Config, p *Problems) {
	owner := make(map[string]store.Kind)
	for _, k := range slices.Sorted(maps.Keys(c.Kinds)) {
		base := c.Kinds[k].Base
		parts := strings.Split(strings.TrimPrefix(base, "/"), "/")
		bad := func(s string) bool { return !segment.MatchString(s) }
		if !strings.HasPrefix(base, "/") || slices.ContainsFunc(parts, bad) {
			p.check(false, "kinds.%s.base is %q; it must be a path such as /%s without a final slash", k, base, k)
			continue
		}
		// Cargo up to 1.95 sends the token of an index to the one at the same address without .git (CVE-2026-5222).
		p.check(!strings.HasSuffix(base, ".git"), "kinds.%s.base is %q; it must not end in .git", k, base)
		p.check(!slices.Contains(ownPaths(), parts[0]), "kinds.%s.base is %q; /%s belongs to the server itself",
			k, base, parts[0])
		for _, other := range slices.Sorted(maps.Keys(owner)) {
			clash := base == other || strings.HasPrefix(base, other+"/") || strings.HasPrefix(other, base+"/")
			p.check(!clash, "kinds.%s.base %q and kinds.%s.base %q overlap", k, base, owner[other], other)
		}
		owner[base] = k
	}
}

func ociSettings() group {
	return group{
		title: "OCI Distribution",
		rows: []setting{
			{name: "oci.immutable-tags", help: "patterns repository:tag of tags that never move once set",
				more:    "Such a tag can be pushed once, and neither be pushed again nor deleted.",
				example: "oci:\n  immutable-tags: [\"*:v*\", \"prod/*:*\"]",
				unset:   "every tag can move",
				at:      func(c *Config) any { return &c.ImmutableTags },
				must: each("oci.immutable-tags pattern %q is not repository:tag such as prod/*:v*", func(s string) bool {
					repository, tag, ok := strings.Cut(s, ":")
					return ok && repository != "" && tag != ""
				}),
			},
			{name: "oci.strict-indexes", help: "refuse an image index some of whose manifests are absent",
				more: "Partial copies and mirrors push such indexes all the time.",
				at:   func(c *Config) any { return &c.OCI.StrictIndexes }},
			{name: "oci.sparse-images", help: "accept an image manifest some of whose layers are absent",
				more: "Without it a push that lost a layer is an error at once, and not for whoever pulls.",
				at:   func(c *Config) any { return &c.OCI.SparseImages }},
			{name: "oci.no-delete", help: "refuse every deletion of a tag, manifest or blob",
				at: func(c *Config) any { return &c.OCI.NoDelete }},
			{name: "oci.max-manifest", help: "largest manifest accepted",
				more: "The default is the least the specification asks for.",
				at:   func(c *Config) any { return &c.OCI.MaxManifest },
				must: between(64<<10, 64<<20)},
		},
	}
}

func npmSettings() group {
	return group{
		title: "npm",
		rows: []setting{
			{name: "npm.max-tarball", help: "largest tarball accepted",
				at:   func(c *Config) any { return &c.NPM.MaxTarball },
				must: between(1<<20, 1<<40)},
			{name: "npm.any-name", help: "accept names that the public registry no longer gives out",
				more: "These have capitals or any of `~'!()*`, or differ from an existing name in separators only. For mirrors " +
					"of old packages.",
				at: func(c *Config) any { return &c.NPM.AnyName }},
			{name: "npm.access", help: "who sees a package that is published for the first time",
				more: "`public`: everybody who may read, unless the publisher asked for restricted (npm since 9, or " +
					"`publishConfig` in package.json). `restricted`: its owners. `client`: whom the client says, although yarn 4 " +
					"and npm up to 8 call every scoped package restricted. Afterwards `npm access` changes it, and no publish does.",
				example: "npm: {access: restricted}",
				at:      func(c *Config) any { return &c.NPM.Access },
				must:    oneOf(npm.AccessPublic, npm.AccessRestricted, npm.AccessClient)},
			{name: "npm.strict-manifests", help: "refuse a publish whose manifest says something else than its tarball",
				more: "Without it the tarball's word counts, and the publisher gets a warning.",
				at:   func(c *Config) any { return &c.NPM.StrictManifests }},
		},
	}
}

func pypiSettings() group {
	return group{
		title: "PyPI",
		rows: []setting{
			{name: "pypi.max-file", help: "largest wheel or source archive accepted",
				at:   func(c *Config) any { return &c.PyPI.MaxFile },
				must: between(1<<20, 1<<40)},
			{name: "pypi.strict", help: "refuse what is otherwise accepted with a warning",
				more: "That is: file names of old tools, archives whose sizes stand behind the data, a `RECORD` that lists " +
					"other files, a form that differs from the file's metadata.",
				at: func(c *Config) any { return &c.PyPI.Strict }},
			{name: "pypi.close-releases", help: "how long after its first file a release takes others; 0: for ever",
				more:    "So that a stolen token cannot add a wheel to what people have installed for years.",
				example: "pypi: {close-releases: 14d}",
				at:      func(c *Config) any { return &c.PyPI.CloseReleases }},
			{name: "pypi.provenance", help: "put links to attestations into index pages",
				more: "Only the structure of attestations is checked.",
				at:   func(c *Config) any { return &c.PyPI.Provenance }},
		},
	}
}

func cargoSettings() group {
	return group{
		title: "Cargo",
		rows: []setting{
			{name: "cargo.auth-required", help: "answer nobody without a token, whatever anonymous may do elsewhere",
				more: "Without it only `/cargo/private/` is closed: cargo sends its token to an index that asks for it and to " +
					"no other, so that crates that not everybody may read are found there.",
				at: func(c *Config) any { return &c.Cargo.AuthRequired }},
			{name: "cargo.max-crate", help: "largest crate accepted",
				at:   func(c *Config) any { return &c.Cargo.MaxCrate },
				must: between(64<<10, 4<<30)},
			{name: "cargo.max-unpacked", help: "size that a crate may unpack to",
				more: "Up to twenty times a crate's size is accepted in any case, as cargo itself does.",
				at:   func(c *Config) any { return &c.Cargo.MaxUnpacked },
				must: between(1<<20, 1<<40)},
			{name: "cargo.max-features", help: "how many features a crate may have, and how many others one may switch on",
				at:   func(c *Config) any { return &c.Cargo.MaxFeatures },
				must: countBetween(1, 100_000)},
			{name: "cargo.max-dependencies", help: "how many dependencies a crate may have",
				at:   func(c *Config) any { return &c.Cargo.MaxDependencies },
				must: countBetween(1, 100_000)},
			{name: "cargo.require-metadata", help: "refuse crates without a description and a license",
				at: func(c *Config) any { return &c.Cargo.RequireMetadata }},
			{name: "cargo.notice", help: "sentence that cargo publish prints to every publisher",
				example: "cargo: {notice: \"Use the staging registry for experiments.\"}",
				unset:   "nothing is printed",
				at:      func(c *Config) any { return &c.Cargo.Notice }},
		},
	}
}

func mavenSettings() group {
	return group{
		title: "Maven",
		rows: []setting{
			{name: "maven.max-file", help: "largest file accepted",
				at:   func(c *Config) any { return &c.Maven.MaxFile },
				must: between(1<<20, 1<<40)},
			{name: "maven.versions", help: "what may be deployed: all versions, releases or snapshots",
				at:   func(c *Config) any { return &c.Maven.Versions },
				must: oneOf(maven.AllVersions, maven.ReleasesOnly, maven.SnapshotsOnly)},
			{name: "maven.redeploy", help: "let whoever may write replace files of a release",
				more: "Nobody can tell then which of two files somebody has built with.",
				at:   func(c *Config) any { return &c.Maven.Redeploy }},
			{name: "maven.strict-poms", help: "refuse POMs that cannot be read or are about other coordinates than their path",
				more: "Without it they are accepted with a note.",
				at:   func(c *Config) any { return &c.Maven.StrictPOMs }},
			{name: "maven.any-script", help: "accept letters of every script in coordinates, not only Latin ones",
				at: func(c *Config) any { return &c.Maven.AnyScript }},
			{name: "maven.realm", help: "text of the login challenge",
				more: "sbt and Ivy compare it with their settings.",
				at:   func(c *Config) any { return &c.Maven.Realm },
				must: check{find: checkRealm}},
			{name: "maven.snapshot-builds", help: "how many builds of each snapshot stay whatever their age; 0 keeps all",
				more:    "`1` is refused: a client may just have read of the build before.",
				example: "maven: {snapshot-builds: 5, snapshot-age: 30d}",
				at:      func(c *Config) any { return &c.Maven.SnapshotBuilds },
				must:    check{find: checkBuilds}},
			{name: "maven.snapshot-age", help: "how old the builds beyond maven.snapshot-builds may get; 0: they go at once",
				at: func(c *Config) any { return &c.Maven.SnapshotAge }},
			{name: "maven.drop-released", help: "remove a snapshot when its release has been there for so long; 0: never",
				at: func(c *Config) any { return &c.Maven.DropReleased }},
			{name: "maven.keep-incomplete", help: "how long the files of a deploy that was never finished stay",
				at:   func(c *Config) any { return &c.Maven.KeepIncomplete },
				must: positive()},
		},
	}
}

func checkRealm(name string, v value, p *Problems) {
	bad := func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }
	p.check(v.String() != "" && !strings.ContainsFunc(v.String(), bad),
		"%s is %q; it must be plain text without quotes", name, v)
}

func checkBuilds(name string, v value, p *Problems) {
	p.check(v.String() != "1", "%s is %s; it must be 0 (keep all) or at least 2", name, v)
}

func composerSettings() group {
	return group{
		title: "Composer",
		rows: []setting{{name: "composer.max-archive", help: "largest archive accepted",
			at:   func(c *Config) any { return &c.Composer.MaxArchive },
			must: between(1<<20, 1<<40),
		}},
	}
}

func rubygemsSettings() group {
	return group{
		title: "RubyGems",
		rows: []setting{
			{name: "rubygems.max-gem", help: "largest gem accepted",
				at:   func(c *Config) any { return &c.RubyGems.MaxGem },
				must: between(1<<20, 1<<40)},
			{name: "rubygems.serve-yanked", help: "go on serving the files of yanked versions",
				more: "No index shows them any more, but lock files may name them.",
				at:   func(c *Config) any { return &c.RubyGems.ServeYanked }},
		},
	}
}
