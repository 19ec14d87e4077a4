package npm

// From a publisher's manifest and the tarball's package.json to the manifest that is served. What a resolver or an
// installer acts on is taken from the tarball: a document that says something else than the code is an attack or a bug.

import (
	"bytes"
	"encoding/json"
	"path"
	"slices"
	"sort"
	"strings"

	"larder/internal/wire"
	"larder/store"
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
	"name", "version", "dependencies", "optionalDependencies", "devDependencies", "peerDependencies", "peerDependenciesMeta",
	"bundleDependencies", "acceptDependencies", "bin", "engines", "os", "cpu", "libc", "funding", "directories",
	"hasInstallScript", "_hasShrinkwrap",
}

// private are fields that say something of the publisher's machine, of the request, or that only the registry may set.
var private = []string{
	"readme", "readmeFilename", "dist", "deprecated", "users", "time", "_attachments", "_integrity", "_shasum", "_resolved", "_from",
	"_where", "_requested", "_args", "_spec", "_phantomChildren", "_inBundle", "_rev", "_revisions", "_npmUser", "_npmOperationalInternal",
	"integrity", "shasum", "maintainers", "hasInstallScript", "_hasShrinkwrap", "_id", "bundledDependencies", "publish_time", "_cnpm_publish_time",
}

// manifest builds what is served. differs names the fields in which sent was not what the tarball says.
func (t *tarball) manifest(sent object, name, version string) (m object, differs []string, err error) {
	own, err := t.ownFields()
	if err != nil {
		return nil, nil, err
	}
	m = object{{"name", quoted(name)}, {"version", quoted(version)}}
	for _, f := range sent {
		switch {
		case f.Key == "name" || f.Key == "version" || slices.Contains(private, f.Key) || slices.Contains(fromTarball, f.Key):
		case f.Key == "author":
			m = append(m, member{f.Key, person(f.Value)})
		case f.Key == "contributors":
			m = append(m, member{f.Key, people(f.Value)})
		default:
			m = append(m, member{f.Key, compact(f.Value)})
		}
	}
	for _, f := range own {
		m = append(m, member{f.Key, compact(f.Value)})
	}
	if t.installScript() {
		m = append(m, member{"hasInstallScript", json.RawMessage("true")})
	}
	if t.Shrinkwrap {
		m = append(m, member{"_hasShrinkwrap", json.RawMessage("true")})
	}
	m = append(m, member{"_id", quoted(name + "@" + version)})
	return m, t.differences(sent, own), nil
}

// ownFields are the tarball's own values of fromTarball, in one spelling.
func (t *tarball) ownFields() (object, error) {
	var out object
	for _, key := range fromTarball {
		v := t.Package.get(key)
		switch key {
		case "bundleDependencies":
			if v == nil {
				v = t.Package.get("bundledDependencies")
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
			if err := checkDirectories(t.Package.sub(key)); err != nil {
				return nil, err
			}
		}
		if v != nil {
			out = append(out, member{key, v})
		}
	}
	return out, nil
}

// bin is the object of commands: a string or a folder of them is expanded. Names and targets that would let an install
// write outside its own folders are refused (CVE-2019-16775 to 16777).
func (t *tarball) bin() (json.RawMessage, error) {
	var out object
	add := func(name, target string) error {
		if _, base, scoped := strings.Cut(name, "/"); scoped && strings.HasPrefix(name, "@") {
			name = base
		}
		target = strings.ReplaceAll(target, `\`, "/")
		if name == "" || name == "." || name == ".." || strings.ContainsAny(name, `/\:`) || !inside(target) {
			return wire.Errorf(store.ErrInvalid, "package.json has the command %.80q → %.200q in bin, which leads outside of the package.", name, target)
		}
		out = out.set(name, quoted(path.Clean(target)))
		return nil
	}
	var err error
	switch v := t.Package.get("bin"); {
	case len(v) > 0 && v[0] == '"':
		if target := textOf(v); target != "" {
			_, base := splitName(t.Package.text("name"))
			err = add(base, target)
		}
	case len(v) > 0 && v[0] == '{':
		for _, f := range t.Package.sub("bin") {
			if target := textOf(f.Value); target != "" && err == nil {
				err = add(f.Key, target)
			}
		}
	case v == nil:
		if folder := t.Package.sub("directories").text("bin"); inside(folder) {
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
	return out.encode(), nil
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

func checkDirectories(d object) error {
	for _, f := range d {
		if p := textOf(f.Value); p != "" && !inside(p) {
			return wire.Errorf(store.ErrInvalid, "package.json has %.200q in directories.%.80s, which leads outside of the package.", p, f.Key)
		}
	}
	return nil
}

// differences compares what was sent with what the tarball holds, after undoing what clients normalise.
func (t *tarball) differences(sent, own object) (out []string) {
	for _, key := range compared {
		if key == "bin" {
			if b := sent.get(key); len(b) > 0 && b[0] == '{' && !sameJSON(commands(sent.sub(key)), commands(own.sub(key))) {
				out = append(out, key)
			}
			continue
		}
		a, b := sent.get(key), own.get(key)
		switch key {
		case "dependencies":
			a, b = merged(sent), merged(own)
		case "scripts":
			a, b = hooks(sent.sub(key)), hooks(own.sub(key))
		}
		if a != nil && !sameJSON(a, b) {
			out = append(out, key)
		}
	}
	return out
}

// merged are dependencies with the optional ones, which npm moves from one to the other.
func merged(o object) json.RawMessage {
	out := slices.Clone(o.sub("dependencies"))
	for _, f := range o.sub("optionalDependencies") {
		out = out.set(f.Key, f.Value)
	}
	return out.encode()
}

// hooks are the scripts an install runs; npm adds one of its own for binding.gyp.
func hooks(scripts object) json.RawMessage {
	var out object
	for _, f := range scripts {
		hook := f.Key == "preinstall" || f.Key == "install" || f.Key == "postinstall"
		if hook && textOf(f.Value) != "node-gyp rebuild" {
			out = append(out, f)
		}
	}
	return out.encode()
}

// commands are bin with cleaned targets.
func commands(bin object) json.RawMessage {
	var out object
	for _, f := range bin {
		out = out.set(path.Base(f.Key), quoted(path.Clean(textOf(f.Value))))
	}
	return out.encode()
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

// short picks the fields of the abbreviated form.
func short(m object) object {
	var out object
	for _, f := range m {
		if slices.Contains(inShort, f.Key) {
			out = append(out, f)
		}
	}
	return out
}

// person turns "Al <al@example.com> (https://example.com)" into an object, which some clients insist on.
func person(raw json.RawMessage) json.RawMessage {
	s := textOf(raw)
	if s == "" {
		return compact(raw)
	}
	var o object
	name, rest, hasMail := strings.Cut(s, "<")
	mail, rest2, _ := strings.Cut(rest, ">")
	if !hasMail {
		name, rest2 = s, ""
		if i := strings.Index(s, "("); i >= 0 {
			name, rest2 = s[:i], s[i:]
		}
	}
	o = object{{"name", quoted(strings.TrimSpace(name))}}
	if mail = strings.TrimSpace(mail); mail != "" {
		o = append(o, member{"email", quoted(mail)})
	}
	if _, u, ok := strings.Cut(rest2, "("); ok {
		u, _, _ = strings.Cut(u, ")")
		o = append(o, member{"url", quoted(strings.TrimSpace(u))})
	}
	return o.encode()
}

// people is person for each element of a list.
func people(raw json.RawMessage) json.RawMessage {
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		return compact(raw)
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
