package archive

// What jars, modules and signatures say of themselves, and that strange ones cost little.

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"larder/internal/wiretest"
	"larder/maven/names"
)

const descriptor = `<?xml version="1.0" encoding="UTF-8"?><plugin><name>Hello Plugin</name>` +
	`<groupId>com.acme</groupId><artifactId>hello-maven-plugin</artifactId><version>1.0</version>` +
	`<goalPrefix>hello</goalPrefix><mojos/></plugin>`

func zipped(files wiretest.Files) string { return string(wiretest.Zip(files)) }

// class is the beginning of a class for a Java release.
func class(java int) string {
	return "\xca\xfe\xba\xbe\x00\x00" + string(binary.BigEndian.AppendUint16(nil, uint16(java+44))) + "rest"
}

// TestJarSaysWhatItIs: plugin, archetype, module, and the Java release it needs.
func TestJarSaysWhatItIs(t *testing.T) {
	for what, c := range map[string]struct {
		files   map[string]string
		want    Jar
		warning string
	}{
		"plain": {
			map[string]string{"a/A.class": class(17), "a/B.class": class(8), "x.txt": "x"}, Jar{Classes: 2, Java: 17}, "",
		},
		"modular": {map[string]string{"module-info.class": class(11)}, Jar{Classes: 1, Java: 11, Module: "module-info"}, ""},
		"manifest": {map[string]string{
			"META-INF/MANIFEST.MF": "Manifest-Version: 1.0\r\nBundle-SymbolicName: com.acme.li\r\n b;singleton:=true\r\n" +
				"automatic-module-name: com.acme.lib\r\n\r\nName: x\r\nBundle-SymbolicName: other\r\n",
		},
			Jar{Module: "com.acme.lib", Bundle: "com.acme.lib"}, ""},
		"plugin": {
			map[string]string{"META-INF/maven/plugin.xml": descriptor}, Jar{Prefix: "hello", PluginName: "Hello Plugin"}, "",
		},
		"foreign": {
			map[string]string{"META-INF/maven/plugin.xml": strings.Replace(descriptor, "com.acme", "org.other", 1)}, Jar{},
			"is about org.other:hello-maven-plugin",
		},
		"no prefix": {
			map[string]string{"META-INF/maven/plugin.xml": strings.Replace(descriptor, ">hello<", "><", 1)}, Jar{},
			"no usable prefix",
		},
		"odd prefix": {
			map[string]string{"META-INF/maven/plugin.xml": strings.Replace(descriptor, ">hello<", ">he llo<", 1)}, Jar{},
			"no usable prefix",
		},
		"no XML":        {map[string]string{"META-INF/maven/plugin.xml": "x"}, Jar{}, "descriptor cannot be read"},
		"archetype":     {map[string]string{"META-INF/maven/archetype-metadata.xml": "<x/>"}, Jar{Archetype: true}, ""},
		"old archetype": {map[string]string{"META-INF/maven/archetype.xml": "<x/>"}, Jar{Archetype: true}, ""},
		"huge entry": {
			map[string]string{"META-INF/maven/plugin.xml": strings.Repeat(" ", maxJarEntry+1)}, Jar{}, "too large",
		},
		"short class": {map[string]string{"a.class": "x"}, Jar{Classes: 1}, ""},
	} {
		text := zipped(c.files)
		got, warning := ReadJar(strings.NewReader(text), int64(len(text)), "com.acme", "hello-maven-plugin")
		if got == nil || *got != c.want || !strings.Contains(warning, c.warning) || c.warning == "" && warning != "" {
			t.Errorf("%s: %+v %q", what, got, warning)
		}
	}
	for _, text := range []string{"", "no archive", zipped(nil)[1:], "#!/bin/sh\n" + zipped(map[string]string{"a": "b"})} {
		if got, warning := ReadJar(strings.NewReader(text), int64(len(text)), "g", "a"); got != nil ||
			warning != "the jar cannot be read" {
			t.Errorf("%.20q: %+v %q", text, got, warning)
		}
	}
}

// TestHugeJarsCostLittle: looking into a jar costs little whatever is in it.
func TestHugeJarsCostLittle(t *testing.T) {
	many := map[string]string{}
	for i := range maxJarEntries + 1 {
		many[fmt.Sprint(i)] = ""
	}
	bomb := strings.Repeat("\x00", 70<<20)
	for what, text := range map[string]string{"entries": zipped(many), "content": zipped(map[string]string{
		"META-INF/maven/plugin.xml": bomb,
	})} {
		start := time.Now()
		facts, warning := ReadJar(strings.NewReader(text), int64(len(text)), "g", "a")
		if took := time.Since(start); warning == "" || took > 2*time.Second {
			t.Errorf("%s: %+v %q in %v", what, facts, warning, took)
		}
	}
}

// TestModuleListsVariantsAndFiles: those of the version; files elsewhere are left out.
func TestModuleListsVariantsAndFiles(t *testing.T) {
	text := `{"formatVersion":"1.1","component":{"group":"com.acme"},"variants":[
		{"name":"apiElements","files":[{"name":"lib.jar","url":"lib-1.0.jar","size":3,
			"sha512":"AA","sha256":"bb","sha1":"cc","md5":"dd"}]},
		{"name":"runtimeElements","files":[{"name":"lib.jar","url":"lib-1.0.jar","size":3,"sha1":"ee"},
			{"url":"../../other/1.0/x.jar","sha1":"ff"}]}]}`
	got, warning := ReadModule([]byte(text))
	want := &Module{
		Variants: []string{"apiElements", "runtimeElements"},
		Files: []ModuleFile{
			{"lib-1.0.jar", 3, map[string]string{"sha512": "aa", "sha256": "bb", "sha1": "cc", "md5": "dd"}},
		},
	}
	if warning != "" || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v %q", got, warning)
	}
	for _, text := range []string{"", "[]", "{}", `{"formatVersion":"2.0"}`, `{"formatVersion":1}`} {
		if got, warning := ReadModule([]byte(text)); got != nil || warning == "" {
			t.Errorf("%s: %+v", text, got)
		}
	}
}

// openPGP writes a signature packet of version 4 with subpackets.
func openPGP(newFormat bool, subpackets ...[]byte) []byte {
	var hashed []byte
	for _, s := range subpackets {
		hashed = append(append(hashed, byte(len(s))), s...)
	}
	body := []byte{4, 0, 1, 8}
	body = append(binary.BigEndian.AppendUint16(body, uint16(len(hashed))), hashed...)
	body = append(body, 0, 0, 0xab, 0xcd)
	if newFormat {
		return append([]byte{0xc2, byte(len(body))}, body...)
	}
	return append([]byte{0x88, byte(len(body))}, body...)
}

func armoured(p []byte) string {
	return "-----BEGIN PGP SIGNATURE-----\nVersion: x\n\n" + base64.StdEncoding.EncodeToString(
		p,
	) + "\n=abcd\n-----END PGP SIGNATURE-----\n"
}

// TestSignatureNamesItsKey: in old and new packets, armoured or not.
func TestSignatureNamesItsKey(t *testing.T) {
	created := []byte{2, 0x65, 0, 0, 0}
	keyID := []byte{16, 1, 2, 3, 4, 5, 6, 7, 8}
	fingerprint := append([]byte{33, 4}, bytes.Repeat([]byte{0xab}, 20)...)
	at := time.Unix(0x65000000, 0).UTC()
	for what, c := range map[string]struct {
		text string
		want Signature
	}{
		"old packet":  {string(openPGP(false, created, keyID)), Signature{"0102030405060708", at}},
		"new packet":  {string(openPGP(true, created, fingerprint)), Signature{strings.Repeat("ab", 20), at}},
		"armoured":    {armoured(openPGP(true, fingerprint, created, keyID)), Signature{strings.Repeat("ab", 20), at}},
		"CRLF":        {strings.ReplaceAll(armoured(openPGP(true, keyID)), "\n", "\r\n"), Signature{Key: "0102030405060708"}},
		"nothing":     {"", Signature{}},
		"text":        {"hello", Signature{}},
		"cut":         {string(openPGP(true, created))[:8], Signature{}},
		"other":       {"\xc1\x05hello", Signature{}},
		"empty":       {armoured(nil), Signature{}},
		"bad base64":  {"-----BEGIN PGP SIGNATURE-----\n\n***\n-----END", Signature{}},
		"no content":  {string(openPGP(true)), Signature{}},
		"long length": {"\x88\xff", Signature{}},
	} {
		got, ok := ReadSignature([]byte(c.text))
		if got != c.want || ok != (c.want != Signature{}) {
			t.Errorf("%s: %+v %t", what, got, ok)
		}
	}
}

func FuzzArchive(f *testing.F) {
	f.Add([]byte(zipped(map[string]string{
		"META-INF/maven/plugin.xml": descriptor, "a.class": class(17),
		"META-INF/MANIFEST.MF": "Automatic-Module-Name: x\n y\n",
	})))
	f.Add([]byte(`{"formatVersion":"1.1","variants":[{"name":"a","files":[{"url":"b","sha1":"c"}]}]}`))
	f.Add(openPGP(true, []byte{2, 1, 2, 3, 4}, []byte{16, 1, 2, 3, 4, 5, 6, 7, 8}))
	f.Add([]byte(armoured(openPGP(false, []byte{33, 4, 1}))))
	f.Fuzz(func(t *testing.T, p []byte) {
		facts, warning := ReadJar(bytes.NewReader(p), int64(len(p)), "com.acme", "hello-maven-plugin")
		if facts == nil && warning == "" || facts != nil && facts.Prefix != "" && warning != "" {
			t.Fatalf("%+v %q", facts, warning)
		}
		if facts != nil &&
			(strings.Trim(facts.Prefix, names.CoordinateChars) != "" || len(facts.PluginName)+len(facts.Module) > 1000) {
			t.Fatalf("%+v", facts)
		}
		if m, warning := ReadModule(p); (m == nil) != (warning != "") || m != nil && len(m.Files) > maxModuleFacts {
			t.Fatalf("%+v %q", m, warning)
		}
		if sig, ok := ReadSignature(p); ok != (sig != Signature{}) || len(sig.Key) > 64 {
			t.Fatalf("%+v %t", sig, ok)
		}
	})
}
