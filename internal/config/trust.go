package config

import (
	"fmt"
	"strings"

	"larder/auth"
	"larder/internal/trust"
)

// TrustedPublisher lets programs of which an OpenID Connect issuer says certain things upload without a password.
type TrustedPublisher struct {
	// Issuer is the provider's URL, exactly as its tokens have it.
	Issuer string `yaml:"issuer" json:"issuer"`
	// Claims are what its token must say, as name=pattern; all must match, and '*' matches any run of characters.
	Claims []string `yaml:"claims" json:"claims"`
	// Packages are patterns kind:type:name of what may be uploaded, e.g. "pypi:package:acme-*".
	Packages []string `yaml:"packages" json:"packages"`
	// User is in whose name that happens; the user's own rights are a limit.
	User string `yaml:"user" json:"user"`
}

func publisherFields(p *TrustedPublisher) map[string]value {
	return map[string]value{"issuer": (*text)(&p.Issuer), "claims": (*texts)(&p.Claims), "packages": (*texts)(&p.Packages), "user": (*text)(&p.User)}
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

func (c Config) validateTrust(p *Problems) {
	for i, publisher := range c.TrustedPublishers {
		_, err := publisher.rule()
		p.check(err == nil, "trusted-publishers[%d]: %v", i, err)
	}
	p.check(c.TrustedAudience != "", "trusted-audience must say something")
}
