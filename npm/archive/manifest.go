package archive

// From a publisher's manifest and the tarball's package.json to the manifest that is served. What a resolver or an
// installer acts on is taken from the tarball: a document that says something else than the code is an attack or a bug.

import (
	"bytes"
	"encoding/json"
	"path"
	"slices"
	"sort"
	"strings"

	"larder/internal/problem"
	"larder/internal/rawjson"
	"larder/npm/names"
)

// fromTarball are the fields the tarball decides, whatever the request's manifest says.
var fromTarball = []string{
	"dependencies", "optionalDependencies", "devDependencies", "peerDependencies", "peerDependenciesMeta",
	"bundleDependencies", "acceptDependencies", "bin", "engines", "os", "cpu", "libc", "scripts", "directories",
}

// compared are those whose difference is worth a flag; clients rewrite the others in harmless ways.
var compared = []string{"dependencies", "peerDependencies", "bundleDependencies", "bin", "scripts"}

// inShort are the fields of the abbreviated form (package-metadata.md), beside those that are computed.
var inShort = []string{
	"name", "version", "dependencies", "optionalDependencies", "devDependencies", "peerDependencies",
	"peerDependenciesMeta", "bundleDependencies", "acceptDependencies", "bin", "engines", "os", "cpu", "libc", "funding",
	"directories", "hasInstallScript", "_hasShrinkwrap",
}

// private are fields that say something of the publisher's machine, of the request, or that only the registry may set.
var private = []string{
	"readme", "readmeFilename", "dist", "deprecated", "users", "time", "_attachments", "_integrity", "_shasum",
	"_resolved", "_from", "_where", "_requested", "_args", "_spec", "_phantomChildren", "_inBundle", "_rev", "_revisions",
	"_npmUser", "_npmOperationalInternal", "integrity", "shasum", "maintainers", "hasInstallScript", "_hasShrinkwrap",
	"_id", "bundledDependencies", "publish_time", "_cnpm_publish_time",
}

// Manifest builds what is served. differs names the fields in which sent was not what the tarball says.
func (t *Archive) Manifest(sent rawjson.Object, name, version string) (m rawjson.Object, differs []string, err error) {
	own, err := t.ownFields()
	if err != nil {
		return nil, nil, err
	}
	m = rawjson.Object{}.Add("name", rawjson.Quote(name)).Add("version", rawjson.Quote(version))
	for _, f := range sent {
		switch {
		case f.Key == "name" || f.Key == "version" || slices.Contains(private, f.Key) || slices.Contains(fromTarball, f.Key):
		case f.Key == "author":
			m = m.Add(f.Key, person(f.Value))
		case f.Key == "contributors":
			m = m.Add(f.Key, people(f.Value))
		default:
			m = m.Add(f.Key, rawjson.Compact(f.Value))
		}
	}
	for _, f := range own {
		m = m.Add(f.Key, rawjson.Compact(f.Value))
	}
	if t.installScript() {
		m = m.Add("hasInstallScript", json.RawMessage("true"))
	}
	if t.Shrinkwrap {
		m = m.Add("_hasShrinkwrap", json.RawMessage("true"))
	}
	m = m.Add("_id", rawjson.Quote(name+"@"+version))
	return m, t.differences(sent, own), nil
}

// ownFields are the tarball's own values of fromTarball, in one spelling.
func (t *Archive) ownFields() (rawjson.Object, error) {
	var out rawjson.Object
	for _, key := range fromTarball {
		v := t.Package.Get(key)
		switch key {
		case "bundleDependencies":
			if v == nil {
				v = t.Package.Get("bundledDependencies")
			}
			if string(v) == "false" {
				v = nil
			}
		case "bin":
			var err error
			if v, err = t.bin(); err != nil {
				return nil, err
			}
		case "directories":
			if err := checkDirectories(t.Package.Sub(key)); err != nil {
				return nil, err
			}
		}
		if v != nil {
			out = out.Add(key, v)
		}
	}
	return out, nil
}

// bin is the object of commands: a string or a folder of them is expanded. Names and targets that would let an install
// write outside its own folders are refused (CVE-2019-16775 to 16777).
func (t *Archive) bin() (json.RawMessage, error) {
	var out rawjson.Object
	add := func(name, target string) error {
		if _, base, scoped := strings.Cut(name, "/"); scoped && strings.HasPrefix(name, "@") {
			name = base
		}
		target = strings.ReplaceAll(target, `\`, "/")
		if name == "" || name == "." || name == ".." || strings.ContainsAny(name, `/\:`) || !inside(target) {
			return problem.Errorf(problem.ErrInvalid,
				"package.json has the command %.80q → %.200q in bin, which leads outside of the package.", name, target)
		}
		out = out.Set(name, rawjson.Quote(path.Clean(target)))
		return nil
	}
	var err error
	switch v := t.Package.Get("bin"); {
	case len(v) > 0 && v[0] == '"':
		if target := rawjson.TextOf(v); target != "" {
			_, base := names.Split(t.Package.Text("name"))
			err = add(base, target)
		}
	case len(v) > 0 && v[0] == '{':
		for _, f := range t.Package.Sub("bin") {
			if target := rawjson.TextOf(f.Value); target != "" && err == nil {
				err = add(f.Key, target)
			}
		}
	case v == nil:
		if folder := t.Package.Sub("directories").Text("bin"); inside(folder) {
			for _, file := range t.below(path.Clean(folder)) {
				if err == nil {
					err = add(path.Base(file), file)
				}
			}
		}
	}
	if err != nil || len(out) == 0 {
		return nil, err
	}
	return out.Encode(), nil
}

// inside reports whether a path of package.json stays below the package.
func inside(p string) bool {
	p = strings.ReplaceAll(p, `\`, "/")
	if p == "" || strings.HasPrefix(p, "/") || strings.ContainsAny(p, ":\x00") {
		return false
	}
	c := path.Clean(p)
	return c != ".." && !strings.HasPrefix(c, "../")
}

func checkDirectories(d rawjson.Object) error {
	for _, f := range d {
		if p := rawjson.TextOf(f.Value); p != "" && !inside(p) {
			return problem.Errorf(problem.ErrInvalid,
				"package.json has %.200q in directories.%.80s, which leads outside of the package.", p, f.Key)
		}
	}
	return nil
}

// differences compares what was sent with what the tarball holds, after undoing what clients normalise.
func (t *Archive) differences(sent, own rawjson.Object) (out []string) {
	for _, key := range compared {
		if key == "bin" {
			if b := sent.Get(key); len(b) > 0 && b[0] == '{' && !sameJSON(commands(sent.Sub(key)), commands(own.Sub(key))) {
				out = append(out, key)
			}
			continue
		}
		a, b := sent.Get(key), own.Get(key)
		switch key {
		case "dependencies":
			a, b = merged(sent), merged(own)
		case "scripts":
			a, b = hooks(sent.Sub(key)), hooks(own.Sub(key))
		}
		if a != nil && !sameJSON(a, b) {
			out = append(out, key)
		}
	}
	return out
}

// merged are dependencies with the optional ones, which npm moves from one to the other.
func merged(o rawjson.Object) json.RawMessage {
	out := slices.Clone(o.Sub("dependencies"))
	for _, f := range o.Sub("optionalDependencies") {
		out = out.Set(f.Key, f.Value)
	}
	return out.Encode()
}

// hooks are the scripts an install runs; npm adds one of its own for binding.gyp.
func hooks(scripts rawjson.Object) json.RawMessage {
	var out rawjson.Object
	for _, f := range scripts {
		hook := f.Key == "preinstall" || f.Key == "install" || f.Key == "postinstall"
		if hook && rawjson.TextOf(f.Value) != "node-gyp rebuild" {
			out = append(out, f)
		}
	}
	return out.Encode()
}

// commands are bin with cleaned targets.
func commands(bin rawjson.Object) json.RawMessage {
	var out rawjson.Object
	for _, f := range bin {
		out = out.Set(path.Base(f.Key), rawjson.Quote(path.Clean(rawjson.TextOf(f.Value))))
	}
	return out.Encode()
}

// sameJSON compares values whatever the order of keys.
func sameJSON(a, b json.RawMessage) bool {
	return bytes.Equal(sorted(a), sorted(b))
}

// sorted renders a value with its keys in order; encoding/json sorts the keys of maps.
func sorted(raw json.RawMessage) []byte {
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return raw
	}
	if list, ok := v.([]any); ok {
		sort.Slice(list, func(i, j int) bool {
			a, _ := list[i].(string)
			b, _ := list[j].(string)
			return a < b
		})
	}
	b, err := json.Marshal(v)
	if err != nil || string(b) == "{}" || string(b) == "[]" {
		return nil
	}
	return b
}

// Short picks the fields of the abbreviated form.
func Short(m rawjson.Object) rawjson.Object {
	var out rawjson.Object
	for _, f := range m {
		if slices.Contains(inShort, f.Key) {
			out = append(out, f)
		}
	}
	return out
}

// person turns "Al <al@example.com> (https://example.com)" into an object, which some clients insist on.
func person(raw json.RawMessage) json.RawMessage {
	s := rawjson.TextOf(raw)
	if s == "" {
		return rawjson.Compact(raw)
	}
	var o rawjson.Object
	name, rest, hasMail := strings.Cut(s, "<")
	mail, rest2, _ := strings.Cut(rest, ">")
	if !hasMail {
		name, rest2 = s, ""
		if i := strings.Index(s, "("); i >= 0 {
			name, rest2 = s[:i], s[i:]
		}
	}
	o = rawjson.Object{}.Add("name", rawjson.Quote(strings.TrimSpace(name)))
	if mail = strings.TrimSpace(mail); mail != "" {
		o = o.Add("email", rawjson.Quote(mail))
	}
	if _, u, ok := strings.Cut(rest2, "("); ok {
		u, _, _ = strings.Cut(u, ")")
		o = o.Add("url", rawjson.Quote(strings.TrimSpace(u)))
	}
	return o.Encode()
}

// people is person for each element of a list.
func people(raw json.RawMessage) json.RawMessage {
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		return rawjson.Compact(raw)
	}
	out := []byte{'['}
	for i, p := range list {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, person(p)...)
	}
	return append(out, ']')
}
