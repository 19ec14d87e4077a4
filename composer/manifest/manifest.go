// Package manifest reads what composer.json says of a package, into what documents show of it. Only fields that clients
// use of a dependency are taken, each in one form, and nothing that would make a client fail, since it would fail for
// every version of the package. Pure.
package manifest

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"time"

	"larder/composer/minify"
	"larder/composer/names"
	"larder/composer/version"
	"larder/internal/rawjson"
)

// Manifest is a composer.json that was checked.
type Manifest struct {
	Name    string         // lower case
	Version string         // as written, "" when it has none
	Fields  rawjson.Object // what documents show of it
	Summary Summary
}

// Summary is what lists and searches show of a package.
type Summary struct {
	Version     string   `json:"version"` // normalised
	Description string   `json:"description,omitempty"`
	Type        string   `json:"type"`
	Repository  string   `json:"repository,omitempty"`
	Keywords    []string `json:"keywords,omitempty"`
	Provides    []string `json:"provides,omitempty"`
	Needs       []string `json:"needs,omitempty"` // packages of require
	// Abandoned is true, or the name of what to use instead; nil when neither.
	Abandoned json.RawMessage `json:"abandoned,omitempty"`
}

const (
	// TypeLibrary is what a package is unless it says otherwise.
	TypeLibrary = "library"
	maxSummary  = 500 // bytes of a text in lists
)

var typePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9_.-]*$`)

// shape turns a field into the form documents have, nil for one to leave out, or says what it should have been.
type shape struct {
	key  string
	form func(any) (any, bool)
	want string
}

// shapes are the fields documents have, in their order. A field that is not here does not leave the registry: scripts,
// repositories and config belong to whoever installs, dist and published-time to the registry itself.
func shapes() []shape {
	const paths = "made of paths inside the package"
	return []shape{
		{"description", textForm, "a text"},
		{"keywords", textsForm, "a list of texts"},
		{"homepage", webForm, "an address"},
		{"license", textsForm, "a text or a list of texts"},
		{"authors", peopleForm, "a list of objects with name, email, homepage or role"},
		{"source", sourceForm, "an object with type, url and reference that no version control system takes for an option"},
		{"type", typeForm, "a word in lower case"},
		{"support", textObjectForm, "an object of texts"},
		{"funding", fundingForm, "a list of objects with type and url"},
		{"require", linksForm, "an object of version constraints by package"},
		{"require-dev", linksForm, "an object of version constraints by package"},
		{"conflict", linksForm, "an object of version constraints by package"},
		{"replace", linksForm, "an object of version constraints by package"},
		{"provide", linksForm, "an object of version constraints by package"},
		{"suggest", textObjectForm, "an object of texts by package"},
		{"autoload", autoloadForm, paths},
		{"include-path", pathsForm, paths},
		{"target-dir", pathForm, "a path inside the package"},
		{"bin", binForm, paths},
		{"extra", objectForm, "an object"},
		{"php-ext", objectForm, "an object"},
		{"abandoned", abandonedForm, "true, or the name of a package"},
		{"time", timeForm, "a date and time"},
	}
}

// Parse reads a composer.json. ErrInvalid.
func Parse(raw []byte) (*Manifest, error) {
	tree, err := parseTree(raw)
	if err != nil {
		return nil, err
	}
	m := &Manifest{Version: tree.text("version")}
	if m.Name, err = names.Parse(tree.text("name")); err != nil {
		return nil, err
	}
	if v := tree.values["version"]; v != nil && m.Version == "" {
		return nil, badManifest("its version is not a text.")
	}
	if tree.values["type"] == nil {
		tree.set("type", TypeLibrary)
	}
	kept := &object{values: map[string]any{}}
	for _, f := range shapes() {
		v := tree.values[f.key]
		if v == nil {
			continue
		}
		formed, ok := f.form(v)
		switch {
		case !ok, formed == minify.Unset:
			return nil, badManifest("its %s is not %s.", f.key, f.want)
		case formed == nil:
			continue
		}
		kept.set(f.key, formed)
	}
	for _, k := range kept.keys {
		m.Fields = m.Fields.Add(k, encode(nil, kept.values[k]))
	}
	m.Summary = summaryOf(kept)
	return m, nil
}

func summaryOf(o *object) Summary {
	s := Summary{Description: clip(o.text("description"), maxSummary), Type: o.text("type")}
	if support, ok := o.values["support"].(*object); ok {
		s.Repository = WebURL(support.text("source"))
	}
	if source, ok := o.values["source"].(*object); ok && s.Repository == "" {
		s.Repository = WebURL(source.text("url"))
	}
	if list, ok := o.values["keywords"].([]any); ok {
		for _, k := range list[:min(len(list), 50)] {
			s.Keywords = append(s.Keywords, clip(k.(string), 64))
		}
	}
	if provide, ok := o.values["provide"].(*object); ok {
		for _, k := range provide.keys[:min(len(provide.keys), 50)] {
			s.Provides = append(s.Provides, strings.ToLower(k))
		}
	}
	if require, ok := o.values["require"].(*object); ok {
		s.Needs = needed(require.keys)
	}
	if v := o.values["abandoned"]; v != nil {
		s.Abandoned = encode(nil, v)
	}
	return s
}

// needed are the keys of require that are packages, and not the language or a part of it.
func needed(keys []string) []string {
	list := []string{}
	for _, k := range keys[:min(len(keys), maxNeeds)] {
		if name, err := names.Parse(k); err == nil && strings.Contains(name, "/") {
			list = append(list, name)
		}
	}
	return list
}

// maxNeeds is how many entries of require make a version findable.
const maxNeeds = 100

// Needs are the packages that an entry of an upstream's document requires.
func Needs(entry rawjson.Object) []string {
	var keys []string
	for _, d := range entry.Sub("require") {
		keys = append(keys, d.Key)
	}
	return needed(keys)
}

func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}

// WebURL passes only what a browser may be sent to.
func WebURL(u string) string {
	if strings.HasPrefix(u, "https://") || strings.HasPrefix(u, "http://") {
		return clip(strings.TrimSuffix(u, ".git"), maxSummary)
	}
	return ""
}

func textForm(v any) (any, bool) {
	s, ok := v.(string)
	if s == "" {
		return nil, ok
	}
	return s, ok
}

// webForm drops what is no address of the web: pages show it as a link.
func webForm(v any) (any, bool) {
	s, ok := v.(string)
	if WebURL(s) == "" {
		return nil, ok
	}
	return s, ok
}

// typeForm is lower case, as clients make it.
func typeForm(v any) (any, bool) {
	s, _ := v.(string)
	s = strings.ToLower(s)
	return s, len(s) <= 64 && typePattern.MatchString(s)
}

// textsForm makes a list of one text.
func textsForm(v any) (any, bool) {
	if s, ok := v.(string); ok {
		v = []any{s}
	}
	list, ok := v.([]any)
	if !ok || len(list) == 0 {
		return nil, isEmpty(v)
	}
	out := make([]any, len(list))
	for i, e := range list {
		switch e := e.(type) {
		case string:
			out[i] = e
		case json.Number:
			out[i] = e.String()
		default:
			return nil, false
		}
	}
	return out, true
}

// isEmpty says whether v is nothing to PHP, which writes an empty object as an empty list.
func isEmpty(v any) bool {
	switch v := v.(type) {
	case []any:
		return len(v) == 0
	case *object:
		return len(v.keys) == 0
	}
	return false
}

// objectForm leaves empty objects out.
func objectForm(v any) (any, bool) {
	o, ok := v.(*object)
	if !ok || len(o.keys) == 0 {
		return nil, isEmpty(v)
	}
	return o, true
}

// textObjectForm is an object whose values are texts.
func textObjectForm(v any) (any, bool) {
	return objectOf(v, func(_, s string) bool { return true })
}

// objectOf is an object of texts each of which passes a test.
func objectOf(v any, good func(key, text string) bool) (any, bool) {
	o, ok := v.(*object)
	if !ok || len(o.keys) == 0 {
		return nil, isEmpty(v)
	}
	for _, k := range o.keys {
		s, ok := o.values[k].(string)
		if !ok || !good(k, s) {
			return nil, false
		}
	}
	return o, true
}

// linksForm holds constraints that every client can parse.
func linksForm(v any) (any, bool) {
	return objectOf(v, func(key, text string) bool {
		return names.IsProvided(key) && (text == "self.version" || version.IsConstraint(text))
	})
}

// listOf is a list of objects of which only some texts are kept.
func listOf(v any, keys ...string) (any, bool) {
	list, ok := v.([]any)
	if !ok || len(list) == 0 {
		return nil, isEmpty(v)
	}
	out := make([]any, 0, len(list))
	for _, e := range list {
		from, ok := e.(*object)
		if !ok {
			return nil, false
		}
		kept := &object{values: map[string]any{}}
		for _, k := range from.keys {
			if s, ok := from.values[k].(string); ok && slices.Contains(keys, k) {
				kept.set(k, s)
			}
		}
		out = append(out, kept)
	}
	return out, true
}

func peopleForm(v any) (any, bool)  { return listOf(v, "name", "email", "homepage", "role") }
func fundingForm(v any) (any, bool) { return listOf(v, "type", "url") }

// Source is the field of that name; false when it cannot be used.
func Source(kind, url, reference string) (json.RawMessage, bool) {
	o, ok := sourceForm(&object{values: map[string]any{
		"type": Clean(kind), "url": Clean(url), "reference": Clean(reference),
	}})
	if !ok {
		return nil, false
	}
	return encode(nil, o), true
}

// sourceForm has all three parts, none of which a version control system could take for an option (CVE-2021-29472,
// CVE-2022-24828).
func sourceForm(v any) (any, bool) {
	o, ok := v.(*object)
	if !ok {
		return nil, isEmpty(v)
	}
	out := &object{values: map[string]any{}}
	for _, k := range []string{"type", "url", "reference"} {
		s := o.text(k)
		if s == "" || isOption(s) || k == "type" && !typePattern.MatchString(s) {
			return nil, false
		}
		out.set(k, s)
	}
	return out, true
}

// isOption says whether a program could take s, or a word of it, for an option.
func isOption(s string) bool {
	return slices.ContainsFunc(strings.Fields(s), func(w string) bool { return strings.HasPrefix(w, "-") })
}

// autoloadForm has no path that leads outside, and namespaces as the autoloader wants them.
func autoloadForm(v any) (any, bool) {
	o, ok := v.(*object)
	if !ok || len(o.keys) == 0 {
		return nil, isEmpty(v)
	}
	for _, k := range o.keys {
		switch k {
		case "psr-0", "psr-4":
			if isEmpty(o.values[k]) {
				continue
			}
			byNamespace, ok := o.values[k].(*object)
			if !ok {
				return nil, false
			}
			for _, n := range byNamespace.keys {
				ends := k == "psr-0" || n == "" || strings.HasSuffix(n, `\`)
				if _, ok := pathsForm(byNamespace.values[n]); !ok || !ends {
					return nil, false
				}
			}
		default:
			if _, ok := pathsForm(o.values[k]); !ok {
				return nil, false
			}
		}
	}
	return o, true
}

// IsInside says whether a path stays below the package's folder, whatever system it is unpacked on. A slash at the
// beginning means the package's own root.
func IsInside(path string) bool {
	drive := len(path) > 1 && path[1] == ':'
	return !drive && !slices.Contains(strings.FieldsFunc(path, func(r rune) bool { return r == '/' || r == '\\' }), "..")
}

func pathForm(v any) (any, bool) {
	s, ok := v.(string)
	if s == "" {
		return nil, ok
	}
	return s, ok && IsInside(s)
}

// pathsForm is one path or a list of them.
func pathsForm(v any) (any, bool) {
	list, ok := textsForm(v)
	if !ok || list == nil {
		return nil, ok
	}
	for _, p := range list.([]any) {
		if !IsInside(p.(string)) {
			return nil, false
		}
	}
	return list, true
}

// binForm is a list of paths from the package's root (GHSA-gjfg-22fp-rrxx).
func binForm(v any) (any, bool) {
	v, ok := pathsForm(v)
	if !ok || v == nil {
		return nil, ok
	}
	list := v.([]any)
	for i, p := range list {
		s := strings.TrimLeft(strings.ReplaceAll(p.(string), `\`, "/"), "/")
		if s == "" {
			return nil, false
		}
		list[i] = s
	}
	return list, true
}

// abandonedForm leaves false out.
func abandonedForm(v any) (any, bool) {
	switch v := v.(type) {
	case bool:
		if v {
			return true, true
		}
		return nil, true
	case string:
		if v == "" {
			return nil, true
		}
		return v, names.IsProvided(v)
	}
	return nil, false
}

// timeForm leaves out what nobody can read, as clients do.
func timeForm(v any) (any, bool) {
	s, ok := v.(string)
	if t := Time(s); t != "" {
		return t, ok
	}
	return nil, ok
}

// Time brings a time into RFC 3339, in UTC; "" when it cannot be read.
func Time(s string) string {
	for _, form := range timeForms {
		if t, err := time.Parse(form, s); err == nil {
			return t.UTC().Format(time.RFC3339)
		}
	}
	return ""
}

// timeForms are the spellings of times in composer.json and in advisories.
var timeForms = []string{time.RFC3339, "2006-01-02 15:04:05", "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02"}
