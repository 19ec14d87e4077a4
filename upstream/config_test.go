package upstream

// This file gives upstreams configurations that make no sense.

import (
	"errors"
	"strings"
	"testing"
	"time"

	"larder/store"
	"larder/store/storetest"
)

func TestConfigSaysWhatIsWrong(t *testing.T) {
	at := func(change func(*Config)) Config {
		c := Config{Kind: store.NPM, Name: "main", URL: "https://npm.example.com/all"}
		change(&c)
		return c
	}
	for _, c := range []struct {
		config Config
		want   string
	}{
		{at(func(c *Config) {}), ""},
		{at(func(c *Config) { c.User, c.Password = "ada", "secret" }), ""},
		{at(func(c *Config) { c.HeaderName, c.HeaderValue = "X-Key", "secret" }), ""},
		{at(func(c *Config) { c.Proxy = "socks5://127.0.0.1:1080" }), ""},
		{at(func(c *Config) { c.Was = []string{"http://old.example.com"} }), ""},
		{at(func(c *Config) { c.URL = "https://%zz" }), "is not a URL"},
		{at(func(c *Config) { c.URL = "ftp://npm.example.com" }), "is not an http or https URL"},
		{at(func(c *Config) { c.URL = "https://" }), "is not an http or https URL"},
		{at(func(c *Config) { c.URL = "https://ada:secret@npm.example.com" }), "has a user in it; set user and password"},
		{at(func(c *Config) { c.URL += "?a=b" }), "has a query or fragment"},
		{at(func(c *Config) { c.URL += "#a" }), "has a query or fragment"},
		{at(func(c *Config) { c.Cert = "cert.pem" }), "a client certificate needs both cert and key"},
		{at(func(c *Config) { c.Password = "secret" }), "a password needs a user"},
		{at(func(c *Config) { c.User, c.Token = "ada", "t" }), "only one of user, token and header can be sent"},
		{at(func(c *Config) { c.User, c.HeaderName, c.HeaderValue = "ada", "X-Key", "k" }), "only one of user"},
		{at(func(c *Config) { c.HeaderName = "X-Key" }), "a header needs a name and a value"},
		{at(func(c *Config) { c.Realms = []string{"auth.example.com"} }), "is not an origin such as"},
		{at(func(c *Config) { c.Was = []string{"ftp://old.example.com"} }), "is not a URL it can have had before"},
		{at(func(c *Config) { c.Proxy = "ftp://127.0.0.1" }), "the proxy is neither an http nor a socks5 URL"},
	} {
		err := c.config.Validate()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%+v: %v, want %q", c.config, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("the sentence shows a secret: %v", err)
		}
	}
}

func TestNewRefusesWhatItCannotUse(t *testing.T) {
	s := storetest.New(t)
	for what, c := range map[string]struct {
		o    Options
		want string
	}{
		"two of one name": {
			Options{Upstreams: []Config{npmAt("main", "https://a.example.com"), npmAt("main", "https://b.example.com")}},
			"two upstreams of npm are called main",
		},
		"a URL that is none": {Options{Upstreams: []Config{npmAt("main", "ftp://a.example.com")}},
			"is not an http or https"},
		"a rule that is none": {Options{Blocked: []string{"left-pad"}}, "is not a pattern kind:name"},
		"roots that are not there": {
			Options{Upstreams: []Config{{Kind: store.NPM, Name: "main", URL: "https://a.example.com", CA: "absent.pem"}}},
			"upstream main: read CA: open absent.pem",
		},
	} {
		if _, err := New(s, nil, c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", what, err, c.want)
		}
	}
	r, err := New(s, nil, Options{})
	if err != nil || !r.Empty() {
		t.Errorf("nothing to keep copies of: %v, empty %t, want true", err, r.Empty())
	}
	r.Close()
}

// TestSetOfAKindWithoutUpstreams: every method of a nil Set says that nothing exists, and asks nobody.
func TestSetOfAKindWithoutUpstreams(t *testing.T) {
	g := newRig(t)
	s := g.reg.Set(store.Maven, Protocol{})
	if s != nil {
		t.Fatalf("Maven has the upstreams %v", s)
	}
	if _, err := s.Document(t.Context(), Query{Package: "demo"}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a document: %v, want ErrNotFound", err)
	}
	if _, err := s.File(t.Context(), FileQuery{Package: "demo"}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a file: %v, want ErrNotFound", err)
	}
	if f, err := s.Kept(t.Context(), "demo", "f"); f != nil || err != nil {
		t.Errorf("a file that is kept: %v, %v", f, err)
	}
	if here, err := s.Here(t.Context(), "demo", "f"); here || err != nil {
		t.Errorf("a file is here: %t, %v", here, err)
	}
	if _, err := s.MayPublish(t.Context(), "demo"); err != nil {
		t.Errorf("publishing: %v", err)
	}
	if !s.Ours(t.Context(), "demo") {
		t.Error("looking for the name here is said to be useless")
	}
	if s.Gated() || s.GateKey() != "" || s.Claimed("demo") || s.Theirs(t.Context(), "demo") || len(s.Upstreams()) != 0 {
		t.Error("a set that is not there has rules or upstreams")
	}
	s.Forget("demo")
}

func TestGateKeyChangesWithWhatMayBeShown(t *testing.T) {
	free := newRig(t)
	if got := free.set.GateKey(); got != "" {
		t.Errorf("without rules the key is %q, want none", got)
	}
	blocked := newRig(t, func(o *Options) { o.Blocked = []string{"npm:demo@1.0.0"} })
	key := blocked.set.GateKey()
	blocked.clock.Advance(time.Hour)
	if got := blocked.set.GateKey(); key == "" || got != key {
		t.Errorf("with blocked versions the key goes from %q to %q within an hour, want one that stays", key, got)
	}
	aged := newRig(t, func(o *Options) { o.MinAge = time.Hour })
	key = aged.set.GateKey()
	aged.clock.Advance(time.Second)
	if got := aged.set.GateKey(); got != key {
		t.Errorf("within a minute the key goes from %q to %q", key, got)
	}
	aged.clock.Advance(time.Minute)
	if got := aged.set.GateKey(); got == key {
		t.Errorf("a minute later the key is %q as before, although a version may have come of age", got)
	}
}
