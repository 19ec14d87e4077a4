package auth

// Which passwords may be set.

import (
	"errors"
	"strings"
	"testing"

	"larder/internal/problem"
	"larder/store"
)

func TestPasswordRules(t *testing.T) {
	w := newWorld(t, Options{})
	w.opt.AnyPassword = false
	for _, ok := range []string{
		"change-me-please", "larder-admin-pw-1", "correct-horse", "allspassword", "bobspassword", "a-good-password",
		"kürzer als du", "☃☃☃☃☀☀☂☂☁☁☄",
		"Tr0ub4dor&3x", "eyJhbGciOiJI", "johnathan's", strings.Repeat("long and ", 100),
	} {
		if err := w.AddUser(w.ctx, User{Name: "u", Password: ok}); err != nil {
			t.Errorf("%q: %v", ok, err)
		}
		_ = w.RemoveUser(w.ctx, "u")
	}
	for bad, why := range map[string]string{
		"":                            "empty",
		"a":                           "at least 10",
		"ninechars":                   "has 9 characters; it needs at least 10",
		"ääääöööüü":                   "has 9 characters",
		"firstname.lastname":          "user's name",
		"Firstname.Lastname":          "user's name",
		"firstname.lastname123!":      "user's name",
		"aaaaaaaaaaaa":                "fewer than four",
		"abababababab":                "fewer than four",
		"abcdefghijkl":                "sequence",
		"ABCDEFGHIJ":                  "sequence",
		"12345678901234":              "sequence",
		"9876543210":                  "sequence",
		"qwertyuiop":                  "most common",
		"Password123":                 "most common",
		"P@ssw0rd2031!":               "most common",
		"!!!welcome!!!":               "most common",
		"correcthorsebatterystaple":   "most common",
		"eyJhbGci.eyJzdWIi.signature": "JWT",
		"larder_secret_thing":         "token",
		"line\nfeed in it":            "control characters",
	} {
		err := w.AddUser(w.ctx, User{Name: "firstname.lastname", Password: bad})
		var refusal *problem.Refusal
		if !errors.Is(err, store.ErrInvalid) || !errors.As(err, &refusal) || !strings.Contains(refusal.Public(), why) {
			t.Errorf("%q: %v, want a refusal that says %q", bad, err, why)
		}
	}
	if _, err := w.Bootstrap(w.ctx, "short"); err != nil {
		t.Errorf("a password for a first start that is none: %v", err)
	}
}

// TestBootstrapObeysTheRules: the password of the first administrator too.
func TestBootstrapObeysTheRules(t *testing.T) {
	w := newWorld(t, Options{})
	w.opt.AnyPassword = false
	if _, err := w.Bootstrap(w.ctx, "short"); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("got %v, want ErrInvalid", err)
	}
	if users, err := w.Users(w.ctx); err != nil || len(users) != 0 {
		t.Errorf("%+v, %v", users, err)
	}
	if _, err := w.Bootstrap(w.ctx, "larder-admin-pw-1"); err != nil {
		t.Error(err)
	}
}

// TestOldPasswordsGoOn: the rules are for passwords that are set, not for those that were.
func TestOldPasswordsGoOn(t *testing.T) {
	w := newWorld(t, Options{})
	w.must(w.AddUser(w.ctx, User{Name: "ann", Password: "a"}))
	w.opt.AnyPassword = false
	if _, err := w.Authenticate(w.ctx, Credentials{User: "ann", Password: "a"}); err != nil {
		t.Error(err)
	}
	if err := w.SetPassword(w.ctx, "ann", "b"); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("a new one: %v, want ErrInvalid", err)
	}
}

// TestCommonPasswordsAreLongEnoughToCount: the list holds what the rule of length lets through, in the form that is
// compared.
func TestCommonPasswordsAreLongEnoughToCount(t *testing.T) {
	c := common()
	if len(c.passwords) < 1000 || len(c.words) == 0 {
		t.Errorf("%d passwords, %d words", len(c.passwords), len(c.words))
	}
	for p := range c.passwords {
		if len([]rune(p)) < minPassword || p != strings.ToLower(p) {
			t.Errorf("%q", p)
		}
	}
}
