package cli

// This file manages users and tokens, and reads what is told of them.

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"larder/auth"
)

// users are those of a folder by name.
func users(t *testing.T, data string) map[string]auth.User {
	t.Helper()
	var list []auth.User
	if err := json.Unmarshal([]byte(must(t, "", "user", "list", "--json", "--data", data)), &list); err != nil {
		t.Fatal(err)
	}
	all := map[string]auth.User{}
	for _, u := range list {
		all[u.Name] = u
	}
	return all
}

func TestUserSetChangesWhatIsGivenOnly(t *testing.T) {
	data := newFolder(t)
	must(t, "correct horse battery\n", "user", "add", "bob", "--password-stdin", "--scope", "npm:package:x:read",
		"--data", data)
	for _, c := range []struct {
		flags string
		want  func(u auth.User) bool
	}{
		{"--disable", func(u auth.User) bool { return u.Disabled && len(u.Scopes) == 1 && !u.Admin }},
		{"--enable", func(u auth.User) bool { return !u.Disabled && len(u.Scopes) == 1 && !u.Admin }},
		{"--scope npm:package:y:write --scope oci:repository:z:pull", func(u auth.User) bool { return len(u.Scopes) == 2 }},
		{"--no-scopes", func(u auth.User) bool { return len(u.Scopes) == 0 && !u.Admin }},
		{"--admin", func(u auth.User) bool { return u.Admin }},
		{"--admin=false", func(u auth.User) bool { return !u.Admin && !u.Disabled }},
	} {
		out := must(t, "", append([]string{"user", "set", "bob", "--data", data}, strings.Fields(c.flags)...)...)
		if !strings.HasPrefix(out, "user bob: ") || strings.Count(out, "\n") != 1 {
			t.Errorf("user set bob %s says %q, want a line about bob", c.flags, out)
		}
		if u := users(t, data)["bob"]; !c.want(u) {
			t.Errorf("after user set bob %s bob is %+v", c.flags, u)
		}
	}
}

func TestUserSetNeedsOneChange(t *testing.T) {
	data := newFolder(t)
	for flags, want := range map[string]string{
		"":                                       "say what to change",
		"--scope npm:package:x:read --no-scopes": "give --scope or --no-scopes, not both",
		"--disable --enable":                     "give --disable or --enable, not both",
	} {
		r := run(t, "", append([]string{"user", "set", "ada", "--data", data}, strings.Fields(flags)...)...)
		if r.code != exitUsage || !strings.Contains(r.err, want) {
			t.Errorf("user set ada %s: %+v, want exit 2 with %q", flags, r, want)
		}
	}
	for flags, want := range map[string]string{"--admin=false": "administrator", "--scope=nonsense": "scope"} {
		r := run(t, "", "user", "set", "ada", "--data", data, flags)
		if r.code == exitOK || !strings.Contains(r.err, want) {
			t.Errorf("user set ada %s: %+v, want a refusal with %q", flags, r, want)
		}
	}
	if !users(t, data)["ada"].Admin {
		t.Error("the last administrator is none any more")
	}
}

func TestPasswordsComeFromStandardInput(t *testing.T) {
	data := newFolder(t)
	for stdin, want := range map[string]string{
		"":        "standard input holds no password",
		"\n":      "standard input holds no password",
		"short\n": "10",
	} {
		r := run(t, stdin, "user", "add", "bob", "--password-stdin", "--data", data)
		if r.code == exitOK || !strings.Contains(r.err, want) {
			t.Errorf("%q as the password: %+v, want a refusal with %q", stdin, r, want)
		}
	}
	r := run(t, "correct horse battery\n", "user", "add", "bob", "--data", data)
	if r.code != exitUsage ||
		!strings.Contains(r.err, "there is no terminal to ask for a password; use --password-stdin") {
		t.Errorf("without a terminal: %+v, want exit 2", r)
	}
	if len(users(t, data)) != 1 {
		t.Errorf("there are the users %v, want ada only", users(t, data))
	}
}

func TestNewPasswordEndsTokensWhenAskedTo(t *testing.T) {
	data := newFolder(t)
	must(t, "", "token", "create", "ada", "--data", data)
	must(t, "another long password\n", "user", "passwd", "ada", "--password-stdin", "--data", data)
	if out := must(t, "", "token", "list", "--data", data); strings.Count(out, "\n") != 2 {
		t.Errorf("after a new password the tokens are %q, want the one", out)
	}
	must(t, "a third long password\n", "user", "passwd", "ada", "--password-stdin", "--revoke-tokens", "--data", data)
	if out := must(t, "", "token", "list", "--data", data); strings.Count(out, "\n") > 1 {
		t.Errorf("after one that ends tokens they are %q, want none", out)
	}
}

func TestTokenListShowsLimits(t *testing.T) {
	data := newFolder(t)
	must(t, "correct horse battery\n", "user", "add", "bob", "--password-stdin", "--data", data)
	must(t, "", "token", "create", "ada", "--name", "laptop", "--data", data)
	must(t, "", "token", "create", "bob", "--name", "ci", "--read-only", "--expires", "90d", "--cidr", "10.0.0.0/8",
		"--scope", "npm:package:x:read", "--data", data)
	out := must(t, "", "token", "list", "--data", data)
	for _, want := range []string{"laptop", "ci", "read-only", "10.0.0.0/8", "npm:package:x:read", "LAST USED"} {
		if !strings.Contains(out, want) {
			t.Errorf("token list lacks %q:\n%s", want, out)
		}
	}
	if out := must(t, "", "token", "list", "bob", "--data", data); strings.Contains(out, "laptop") ||
		!strings.Contains(out, "ci") {
		t.Errorf("token list bob: %q, want bob's only", out)
	}
	var list []auth.Token
	if err := json.Unmarshal([]byte(must(t, "", "token", "list", "bob", "--json", "--data", data)), &list); err != nil {
		t.Fatal(err)
	}
	left := time.Until(list[0].Expires)
	if len(list) != 1 || left > 90*24*time.Hour || left < 90*24*time.Hour-time.Minute {
		t.Errorf("bob's tokens are %+v, want one that is valid for 90 days", list)
	}
	must(t, "", "token", "revoke", list[0].ID, "--data", data)
	if out := must(t, "", "token", "list", "bob", "--data", data); strings.Contains(out, "ci") {
		t.Errorf("after it was revoked: %q", out)
	}
}

func TestSinceIsADateATimeOrADuration(t *testing.T) {
	now := time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"": {}, "2026-01-31": time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC),
		"2026-01-31T10:11:12Z": time.Date(2026, 1, 31, 10, 11, 12, 0, time.UTC),
		"30d":                  now.Add(-30 * 24 * time.Hour), "90m": now.Add(-90 * time.Minute),
	} {
		if got, err := parseSince(text, now); err != nil || !got.Equal(want) {
			t.Errorf("--since %q is %s, %v, want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"yesterday", "0", "-1d", "2026-13-01", "31.01.2026"} {
		if got, err := parseSince(text, now); err == nil {
			t.Errorf("--since %q is %s, want a refusal", text, got)
		}
	}
}

func TestAuditFiltersAreChecked(t *testing.T) {
	data := newFolder(t)
	must(t, "", "token", "create", "ada", "--data", data)
	for args, want := range map[string]string{
		"--limit 0": "--limit must be at least 1", "--kind deb": `--kind: "deb" is not a kind of package`,
		"--since soon": "is neither a date such as 2026-01-31",
	} {
		r := run(t, "", append([]string{"audit", "--data", data}, strings.Fields(args)...)...)
		if r.code != exitUsage || !strings.Contains(r.err, want) {
			t.Errorf("audit %s: %+v, want exit 2 with %q", args, r, want)
		}
	}
	for args, want := range map[string]bool{
		"": true, "--operation token.create": true, "--operation publish": false, "--after 1000": false, "--since 1h": true,
		"--kind npm": false,
	} {
		out := must(t, "", append([]string{"audit", "--data", data}, strings.Fields(args)...)...)
		if got := strings.Contains(out, "token.create"); got != want {
			t.Errorf("audit %s shows the token: %t, want %t:\n%s", args, got, want, out)
		}
	}
}
