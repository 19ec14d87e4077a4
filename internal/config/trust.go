package config

// This file has the settings of trusted publishing: uploads of CI jobs without a password.

import (
	"fmt"
	"strings"

	"larder/auth"
	"larder/internal/trust"
)

// TrustedPublisher is one rule of trusted publishing, as the file has it; publisherFields says what each field is.
type TrustedPublisher struct {
	Issuer   string
	Claims   []string // name=pattern
	Packages []string // kind:type:name
	User     string
}

func trustSettings() group {
	return group{
		title: "Trusted publishing",
		about: "CI jobs upload without a password: an OpenID Connect issuer says what a job is, and a rule says what such " +
			"a job may upload.",
		rows: []setting{
			{name: "trusted-audience", help: "audience that tokens of CI jobs must have",
				at:   func(c *Config) any { return &c.TrustedAudience },
				must: notEmpty("must say something")},
			{name: "trusted-publishers", only: fromFile, help: "rules of which jobs may upload what",
				example: "trusted-publishers:\n  - issuer: https://gitlab.example.com\n" +
					"    claims: [project_path=acme/tools, \"ref=refs/tags/*\"]\n    packages: [\"pypi:package:acme-*\"]\n    " +
					"user: ci",
				at: func(c *Config) any {
					return objects[TrustedPublisher]{&c.TrustedPublishers, publisherFields()}
				},
			},
		},
		check: func(c *Config, p *Problems) {
			for i, publisher := range c.TrustedPublishers {
				_, err := publisher.rule()
				p.check(err == nil, "trusted-publishers[%d]: %v", i, err)
			}
		},
	}
}

func publisherFields() []field[TrustedPublisher] {
	return []field[TrustedPublisher]{
		{name: "issuer", help: "The provider's URL, exactly as its tokens have it.", required: true,
			at: func(p *TrustedPublisher) any { return &p.Issuer }},
		{name: "claims", required: true,
			help: "What a token must say, as `name=pattern`; all must match, and `*` matches any run of characters.",
			at:   func(p *TrustedPublisher) any { return &p.Claims }},
		{name: "packages", help: "Patterns `kind:type:name` of what may be uploaded.", required: true,
			at: func(p *TrustedPublisher) any { return &p.Packages }},
		{name: "user", help: "The user in whose name that happens; the user's own rights are a limit.", required: true,
			at: func(p *TrustedPublisher) any { return &p.User }},
	}
}

// rule is what package trust is given; its error is a sentence.
func (p TrustedPublisher) rule() (trust.Publisher, error) {
	r := trust.Publisher{Issuer: p.Issuer, Claims: map[string]string{}, User: p.User}
	if auth.CheckIssuer(p.Issuer) != nil {
		return r, fmt.Errorf("issuer is %q; it must be a URL such as https://gitlab.example.com", p.Issuer)
	}
	for _, claim := range p.Claims {
		name, pattern, ok := strings.Cut(claim, "=")
		if !ok || name == "" || strings.Trim(pattern, "*") == "" {
			return r, fmt.Errorf("claim %q is not name=pattern such as project_path=acme/tools", claim)
		}
		r.Claims[name] = pattern
	}
	for _, s := range p.Packages {
		pattern, err := auth.ParsePattern(s)
		if err != nil {
			return r, fmt.Errorf("packages pattern %q is not kind:type:name such as pypi:package:acme-*", s)
		}
		scope, err := auth.NewScope(pattern.Kind(), pattern.Type(), pattern.Name(), auth.Read, auth.Create)
		if err != nil {
			return r, err
		}
		r.Scopes = append(r.Scopes, scope)
	}
	if len(r.Claims) == 0 || len(r.Scopes) == 0 || auth.CheckUserName(p.User) != nil {
		return r, fmt.Errorf("needs claims, packages and a user")
	}
	return r, nil
}

// TrustRules is what package trust is given; the configuration is valid.
func (c Config) TrustRules() (rules []trust.Publisher, err error) {
	for _, p := range c.TrustedPublishers {
		r, err := p.rule()
		if err != nil {
			return nil, err
		}
		rules = append(rules, r)
	}
	return rules, nil
}
