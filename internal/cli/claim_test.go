package cli

// This file makes names this registry's own, and gives them up.

import (
	"encoding/json"
	"strings"
	"testing"

	"larder/store"
)

func TestClaimsAreListedWithWhyAndWho(t *testing.T) {
	data := newFolder(t)
	if out := must(t, "", "claim", "npm", "left-pad", "--data", data); out != "claimed npm left-pad\n" {
		t.Errorf("claim says %q", out)
	}
	must(t, "", "claim", "maven", "com.acme:lib", "--data", data)
	out := must(t, "", "claim", "list", "--data", data, "--claims", "npm:@acme/*")
	for _, want := range []string{"KIND", "left-pad", "com.acme:lib", "claimed", "npm:@acme/*", "configuration"} {
		if !strings.Contains(out, want) {
			t.Errorf("claim list lacks %q:\n%s", want, out)
		}
	}
	if out := must(t, "", "claim", "list", "maven", "--data", data); strings.Contains(out, "left-pad") ||
		!strings.Contains(out, "com.acme:lib") {
		t.Errorf("claim list maven: %q, want Maven's only", out)
	}
	var list struct {
		Names []store.OwnedName `json:"names"`
	}
	if err := json.Unmarshal([]byte(must(t, "", "claim", "list", "--json", "--data", data)), &list); err != nil {
		t.Fatal(err)
	}
	if len(list.Names) != 2 || !list.Names[0].Claimed || list.Names[0].Hosted {
		t.Errorf("as JSON %+v, want two names that are claimed", list.Names)
	}
}

func TestReleasedNamesAreGone(t *testing.T) {
	data := newFolder(t)
	must(t, "", "claim", "npm", "left-pad", "--data", data)
	if out := must(t, "", "claim", "npm", "left-pad", "--release", "--data", data); out != "released npm left-pad\n" {
		t.Errorf("release says %q", out)
	}
	if out := must(t, "", "claim", "list", "--data", data); strings.Contains(out, "left-pad") {
		t.Errorf("after the release: %q", out)
	}
	for args, want := range map[string]string{
		"claim deb x":               `"deb"`,
		"claim npm":                 "needs the NAME",
		"claim npm a b":             `does not take "b"`,
		"claim list deb":            `"deb"`,
		"claim npm .not-a-name":     "larder: ",
		"claim npm never --release": "larder: ",
	} {
		r := run(t, "", append(strings.Fields(args), "--data", data)...)
		if r.code == exitOK || !strings.Contains(r.err, want) {
			t.Errorf("%s: %+v, want a refusal with %q", args, r, want)
		}
	}
}

func TestWhyANameIsOurs(t *testing.T) {
	for want, n := range map[string]store.OwnedName{
		"published": {Hosted: true, Claimed: true}, "claimed": {Claimed: true}, "deleted": {},
	} {
		if got := whyOwned(n); got != want {
			t.Errorf("%+v is ours because it is %s, want %s", n, got, want)
		}
	}
}
