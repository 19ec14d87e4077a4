package setup

// This file merges snippets into files that exist: what they say is there once, and all else is as it was.

import (
	"slices"
	"strings"
	"testing"
)

func TestMergeKeepsAllElse(t *testing.T) {
	for _, c := range []struct{ name, file, old, text, want string }{
		{"a new file", ".npmrc", "", "a=1", "a=1\n"},
		{"a setting in place of another", ".npmrc", "; x\n a = 0\nb=2\n", "a=1", "; x\na=1\nb=2\n"},
		{"the last of two", ".npmrc", "a=0\na=2\n", "a=1", "a=0\na=1\n"},
		{"no newline at the end", ".npmrc", "b=2", "a=1", "b=2\na=1\n"},
		{"lines of another system", "pip.conf", "[global]\r\nx = 1\r\n", "[global]\nindex-url = u",
			"[global]\r\nx = 1\r\nindex-url = u\r\n"},
		{"a section that is not the last", "pip.conf", "[global]\nx = 1\n\n[install]\ny = 2\n", "[global]\nindex-url = u",
			"[global]\nx = 1\nindex-url = u\n\n[install]\ny = 2\n"},
		{"a commented setting", "pip.conf", "[global]\n# index-url = v\n", "[global]\nindex-url = u",
			"[global]\n# index-url = v\nindex-url = u\n"},
		{"servers in lines", ".pypirc", "[distutils]\nindex-servers =\n    a\n", "[distutils]\nindex-servers = larder",
			"[distutils]\nindex-servers =\n    larder\n    a\n"},
		{"a table under another spelling", "config.toml", "[ source . 'crates-io' ]\nreplace-with = \"m\" # mine\n",
			"[source.crates-io]\nreplace-with = \"larder\"", "[ source . 'crates-io' ]\nreplace-with = \"larder\"\n"},
		{"an object in an object", "config.json", "{\n  \"a\": {\"b\": 1},\n  \"c\": [2]\n}\n", `{"a": {"d": {"e": true}}}`,
			"{\n  \"a\": {\"d\": {\"e\":true},\"b\": 1},\n  \"c\": [2]\n}\n"},
		{"an empty object", "config.json", "{ }", `{"a": 1}`, `{"a": 1}`},
		{
			"a value in place of another", "config.json", `{"a": {"x": 1, "y": 2}}`, `{"a": {"x": 3}}`,
			`{"a": {"x": 3, "y": 2}}`,
		},
		{"a mapping in a mapping", ".yarnrc.yml", "npmScopes:\n    b:\n        c: d\nz: 1\n", "npmScopes:\n  a:\n    c: e",
			"npmScopes:\n    a:\n      c: e\n    b:\n        c: d\nz: 1\n"},
		{"a list before another", ".yarnrc.yml", "unsafeHttpWhitelist:\n- x\n", "unsafeHttpWhitelist:\n  - y",
			"unsafeHttpWhitelist:\n- y\n- x\n"},
		{"sources in place of others", ".gemrc", ":sources:\n- https://x.example.com\n:a: 1\n", ":sources:\n  - https://y/",
			":sources:\n  - https://y/\n:a: 1\n"},
		{"settings of bundler", "config", "---\nBUNDLE_A: \"1\"\n", "---\nBUNDLE_A: \"2\"\nBUNDLE_B: \"3\"",
			"---\nBUNDLE_A: \"2\"\nBUNDLE_B: \"3\"\n"},
		{"servers that are not there", "settings.xml", "<settings>\n  <a/>\n</settings>\n", mvnServer().Text,
			"<settings>\n  <servers>\n    <server>\n      <id>larder</id>\n      <username>USER</username>\n" +
				"      <password>TOKEN</password>\n    </server>\n  </servers>\n  <a/>\n</settings>\n"},
		{"a server of the same id", "settings.xml",
			"<settings><servers><server><id>a</id></server><server><!-- x --><id> larder </id></server></servers></settings>",
			"<settings>\n  <servers>\n    <server>\n      <id>larder</id>\n    </server>\n  </servers>\n</settings>",
			"<settings><servers><server><id>a</id></server><server>\n      <id>larder</id>\n    </server></servers></settings>"},
		{"an empty element", "settings.xml", "<settings><servers/></settings>",
			"<settings>\n  <servers>\n    <server>\n<id>larder</id>\n    </server>\n  </servers>\n</settings>",
			"<settings><servers>\n    <server>\n<id>larder</id>\n    </server>\n  </servers></settings>"},
		{"an id of something else", "settings.xml", "<settings><servers></servers><mirrors><mirror><id>larder</id></mirror>" +
			"</mirrors></settings>",
			"<settings>\n  <servers>\n    <server>\n<id>larder</id>\n    </server>\n  </servers>\n</settings>",
			"<settings><servers>\n    <server>\n<id>larder</id>\n    " +
				"</server></servers><mirrors><mirror><id>larder</id></mirror>" +
				"</mirrors></settings>"},
	} {
		got, err := Merge(Snippet{File: "~/" + c.file, Text: c.text}, []byte(c.old))
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %q with %q is %q (%v), want %q", c.name, c.old, c.text, got, err, c.want)
			continue
		}
		if slices.Contains([]string{"a list before another", "sources in place of others", "servers in lines"}, c.name) {
			continue
		}
		again, err := Merge(Snippet{File: "~/" + c.file, Text: c.text}, got)
		if (err != nil || string(again) != c.want) && c.name != "a mapping in a mapping" {
			t.Errorf("%s: merged again it is %q (%v), want %q", c.name, again, err, c.want)
		}
	}
}

func TestMergeRefusesWhatItWouldSpoil(t *testing.T) {
	for _, c := range []struct{ file, old, text, want string }{
		{"pip.conf", "[global]\nindex-url =\n    v\n", "[global]\nindex-url = u", "takes more than a line"},
		{"config.toml", "[registry]\nglobal-credential-providers = [\n  \"a\",\n]\n",
			"[registry]\nglobal-credential-providers = [\"cargo:token\"]", "takes more than a line"},
		{"config.toml", "registries.larder = { index = \"x\" }\n", "[registries.larder]\nindex = \"y\"", "does not fit"},
		{"config.toml", "[net]\nmine = \"\"\"\n[http]\ncainfo = 'mine'\n\"\"\"\n", "[http]\ncainfo = 'x'", "does not fit"},
		{"config.toml", "broken = \n", "[a]\nb = 1", "does not fit"},
		{"uv.toml", "[[index]]\nname = \"larder\"\n", "[[index]]\nname = \"larder\"", "named larder already"},
		{"config.json", `{"repositories": [1]}`, `{"repositories": {"a": 1}}`, "something else than a JSON object"},
		{"config.json", "{\"a\": 1} // mine", `{"b": 1}`, "JSON"},
		{"config.json", `{"a": `, `{"b": 1}`, "no JSON"},
		{".yarnrc.yml", "npmScopes: {b: {c: d}}\n", "npmScopes:\n  a:\n    c: e", "a form that this command does not change"},
		{".yarnrc.yml", "npmScopes:\n  a:\n    c: d\n", "npmScopes:\n  a:\n    c: e", "npmScopes there has a already"},
		{".yarnrc.yml", "npmAuthToken:\n  >-\n  x\n", "npmAuthToken: y", "a form that this command does not change"},
		{".yarnrc.yml", "a: [\n", "b: 1", "does not fit"},
		{"settings.xml", "<settings/>", mvnServer().Text, "ends at once"},
		{"settings.xml", "<settings>", mvnServer().Text, "no settings.xml"},
		{"settings.xml", "<project></project>", mvnServer().Text, "no settings.xml"},
	} {
		got, err := Merge(Snippet{File: "~/" + c.file, Text: c.text}, []byte(c.old))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %q with %q is %q (%v), want an error with %q", c.file, c.old, c.text, got, err, c.want)
		}
	}
}

func TestFilesNameTheAuthority(t *testing.T) {
	for _, c := range Clients("") {
		hosted, mirror := Forms(c.ID)
		if !hosted && !mirror {
			continue
		}
		choice := Choice{Mirror: !hosted, User: "ada", Token: "larder_1", Authority: "/srv/ca.pem"}
		if c.Kind == "npm" {
			choice.Scope = "acme"
		}
		files, err := Files(c, site, choice)
		if !slices.Contains(knowAuthority, c.ID) {
			if err == nil {
				t.Errorf("%s: %v, want an error: no file of its has an authority", c.ID, files)
			}
			continue
		}
		text := ""
		for _, f := range files {
			text += f.Text
		}
		if err != nil || !strings.Contains(text, "/srv/ca.pem") || !strings.Contains(text, "larder_1") {
			t.Errorf("%s: %q (%v), want the authority and the token", c.ID, text, err)
		}
	}
}
