package config

// This file has the built-in policies: rules that refuse a change with a reason that the client's user reads.

import (
	"fmt"
	"strings"

	"larder/store"
)

func policySettings() group {
	return group{
		title: "Policies",
		about: "Rules that refuse a change with a reason that the client's user reads. They are lists of mappings in the " +
			"file. In patterns `*` matches any run of characters, `/` included; without a `kind` a rule is about all " +
			"protocols.",
		rows: []setting{
			{name: "policies.quotas", only: fromFile, help: "limits of stored bytes",
				more: "A quota limits the bytes of what all its keys select; it needs at least one of `kind`, `user` and " +
					"`package`.",
				example: "policies:\n  quotas:\n    - {kind: oci, package: \"team/*\", bytes: 50GB}\n" +
					"    - {user: ci, bytes: 10GB}",
				at: func(c *Config) any { return objects[store.Quota]{&c.Policies.Quotas, quotaFields()} }},
			{name: "policies.protected", only: fromFile, help: "packages that only some users may change",
				example: "policies:\n  protected:\n    - {kind: npm, package: \"@acme/*\", users: [ada, ci]}",
				at: func(c *Config) any {
					return objects[store.Protected]{&c.Policies.Protected, protectedFields()}
				},
			},
			{name: "policies.immutable", only: fromFile,
				help: "versions and tags that can be added, never replaced, moved or deleted",
				more: "The rule holds for everyone. Yanking is allowed.",
				example: "policies:\n  immutable:\n    - {kind: npm, package: \"*\"}\n    - {kind: oci, package: \"*\", tag: " +
					"\"v*\"}",
				at: func(c *Config) any {
					return objects[store.Immutable]{&c.Policies.Immutable, immutableFields()}
				},
			},
		},
		check: checkPolicies,
	}
}

func quotaFields() []field[store.Quota] {
	return []field[store.Quota]{
		{name: "kind", help: "Limits one protocol.", at: func(q *store.Quota) any { return &q.Kind }},
		{name: "user", help: "Limits what one user has published; `*` limits each user.",
			at: func(q *store.Quota) any { return &q.User }},
		{name: "package", help: "A pattern; the limit holds for each package that matches.",
			at: func(q *store.Quota) any { return &q.Package }},
		{name: "bytes", help: "The limit.", required: true, at: func(q *store.Quota) any { return &q.Bytes }},
	}
}

func protectedFields() []field[store.Protected] {
	return []field[store.Protected]{
		{name: "kind", help: "Selects one protocol.", at: func(r *store.Protected) any { return &r.Kind }},
		{name: "package", help: "A pattern of names.", required: true,
			at: func(r *store.Protected) any { return &r.Package }},
		{name: "users", help: "Who may change the packages; without it nobody.",
			at: func(r *store.Protected) any { return &r.Users }},
	}
}

func immutableFields() []field[store.Immutable] {
	return []field[store.Immutable]{
		{name: "kind", help: "Selects one protocol.", at: func(r *store.Immutable) any { return &r.Kind }},
		{name: "package", help: "A pattern of names.", required: true,
			at: func(r *store.Immutable) any { return &r.Package }},
		{name: "tag", help: "A pattern of tags; without it the rule is about versions.",
			at: func(r *store.Immutable) any { return &r.Tag }},
	}
}

func checkPolicies(c *Config, p *Problems) {
	for i, q := range c.Policies.Quotas {
		at := fmt.Sprintf("policies.quotas[%d]", i)
		p.check(q.Bytes > 0, "%s needs bytes, larger than nothing", at)
		p.check(q.Kind != "" || q.User != "" || q.Package != "", "%s needs a kind, a user or a package", at)
	}
	for i, r := range c.Policies.Protected {
		p.check(r.Package != "", "policies.protected[%d] needs a package pattern; \"*\" means every package", i)
	}
	for i, r := range c.Policies.Immutable {
		p.check(r.Package != "", "policies.immutable[%d] needs a package pattern; \"*\" means every package", i)
	}
}

// Rules are the policies that the store enforces, immutable tags of OCI among them.
func (c Config) Rules() store.RulesConfig {
	rules := c.Policies
	rules.Immutable = rules.Immutable[:len(rules.Immutable):len(rules.Immutable)]
	for _, pattern := range c.ImmutableTags {
		repository, tag, _ := strings.Cut(pattern, ":")
		rules.Immutable = append(rules.Immutable, store.Immutable{Kind: store.OCI, Package: repository, Tag: tag})
	}
	return rules
}
