// Package compactindex writes and reads the lines of the compact index: /info of one gem, and /versions of all.
package compactindex

import (
	"bytes"
	"slices"
	"strings"
	"time"

	"larder/rubygems/gemspec"
	"larder/rubygems/version"
)

// InfoHead is the line that every /info begins with, and that ends the head of /versions.
const InfoHead = "---\n"

// Line is a version's line of /info in the second format, which has the time of publishing. A sum that is "" and a time
// that is zero are not known, and left out.
func Line(s *gemspec.Specification, sha256 string, published time.Time) string {
	var deps []string
	for _, d := range s.Dependencies {
		if !d.Development {
			deps = append(deps, d.Name+":"+d.Requirement.Join("&"))
		}
	}
	slices.Sort(deps)
	out := version.ID(s.Version, s.Platform) + " " + strings.Join(deps, ",") + "|"
	first := true
	add := func(key, value string) {
		if !first {
			out += ","
		}
		out += key + ":" + value
		first = false
	}
	if sha256 != "" {
		add("checksum", sha256)
	}
	if !s.RubyVersion.Trivial() {
		add("ruby", s.RubyVersion.Join("&"))
	}
	if !s.RubygemsVersion.Trivial() {
		add("rubygems", s.RubygemsVersion.Join("&"))
	}
	if !published.IsZero() {
		add("created_at", published.UTC().Format(time.RFC3339))
	}
	return out + "\n"
}

// VersionsLine is the line that a change of a gem adds to /versions: the version, after a dash when it was yanked, and
// the MD5 of what /info answers from now on.
func VersionsLine(name, versions, sum string) []byte {
	return []byte(name + " " + versions + " " + sum + "\n")
}

// Filtered is /versions for a client who may not read every gem: the lines of the gems that visible accepts. It still
// only grows. It is rendered anew after each change, in time proportional to the list.
func Filtered(base []byte, visible func(name string) (bool, error)) ([]byte, error) {
	var out bytes.Buffer
	body := false
	for line := range bytes.Lines(base) {
		if !body {
			body = string(line) == InfoHead
			out.Write(line)
			continue
		}
		name, _, _ := strings.Cut(string(line), " ")
		ok, err := visible(name)
		if err != nil {
			return nil, err
		}
		if ok {
			out.Write(line)
		}
	}
	return out.Bytes(), nil
}

// Entry is a line of an upstream's /info.
type Entry struct {
	ID, SHA256 string
	Created    time.Time
	Raw        []byte // with its newline
}

// Harmless reports whether a line of an upstream may be passed on: it is printable ASCII, and no part of it is a path.
// Clients make names of files of what the compact index says, and print it on terminals.
func Harmless(line []byte) bool {
	return !bytes.Contains(line, []byte("..")) && !bytes.ContainsFunc(bytes.TrimRight(line, "\r\n"), func(r rune) bool {
		return r < ' ' || r > '~' || r == '/' || r == '\\'
	})
}

// Entries returns the lines of an /info that may be passed on.
func Entries(body []byte) (lines []Entry) {
	for raw := range bytes.Lines(bytes.TrimPrefix(body, []byte(InfoHead))) {
		if l, ok := entryOf(raw); ok {
			lines = append(lines, l)
		}
	}
	return lines
}

// Find returns the line of a version of an /info that may be passed on.
func Find(body []byte, id string) (l Entry, ok bool) {
	for raw := range bytes.Lines(bytes.TrimPrefix(body, []byte(InfoHead))) {
		if !bytes.HasPrefix(raw, []byte(id)) {
			continue
		}
		if l, ok = entryOf(raw); ok && l.ID == id {
			return l, true
		}
	}
	return Entry{}, false
}

// entryOf reads a line; false for one that may not be passed on.
func entryOf(raw []byte) (l Entry, ok bool) {
	l.Raw = raw
	text := strings.TrimRight(string(raw), "\r\n")
	l.ID, _, _ = strings.Cut(text, " ")
	_, facts, _ := strings.Cut(text, "|")
	for fact := range strings.SplitSeq(facts, ",") {
		key, value, _ := strings.Cut(fact, ":")
		switch key {
		case "checksum":
			l.SHA256 = value
		case "created_at":
			l.Created, _ = time.Parse(time.RFC3339, value) // zero when it is malformed
		}
	}
	return l, l.ID != "" && Harmless(raw)
}

// Spec returns what a line says of its version's specification: the version, its platform, and what it needs to run.
func (e Entry) Spec(name string) *gemspec.Specification {
	s := &gemspec.Specification{Name: name}
	s.Version, s.Platform = version.Split(e.ID)
	text := strings.TrimPrefix(strings.TrimRight(string(e.Raw), "\r\n"), e.ID)
	deps, facts, _ := strings.Cut(strings.TrimPrefix(text, " "), "|")
	for dep := range strings.SplitSeq(deps, ",") {
		if on, needs, ok := strings.Cut(dep, ":"); ok {
			s.Dependencies = append(s.Dependencies, gemspec.Dependency{Name: on, Requirement: requirement(needs)})
		}
	}
	for fact := range strings.SplitSeq(facts, ",") {
		switch key, value, _ := strings.Cut(fact, ":"); key {
		case "ruby":
			s.RubyVersion = requirement(value)
		case "rubygems":
			s.RubygemsVersion = requirement(value)
		case "platform":
			s.Platform = strings.TrimPrefix(value, "= ")
		}
	}
	return s
}

// requirement reads the conditions of a line.
func requirement(text string) (r gemspec.Requirement) {
	for each := range strings.SplitSeq(text, "&") {
		op, number, _ := strings.Cut(each, " ")
		r = append(r, gemspec.Condition{Op: op, Version: number})
	}
	return r
}

// CreatedTimes returns when versions were published, by ID; the zero time where a line does not say.
func CreatedTimes(body []byte) map[string]time.Time {
	out := map[string]time.Time{}
	for _, l := range Entries(body) {
		out[l.ID] = l.Created
	}
	return out
}

// ListLines returns the lines of a list after its head.
func ListLines(list []byte) []byte {
	_, lines, _ := bytes.Cut(list, []byte(InfoHead))
	return lines
}

// Tuples yields the versions that a list says exist now. A version after a dash is yanked.
func Tuples(list []byte, yield func(gemspec.Tuple)) {
	type gem struct {
		ids  []string
		gone map[string]bool // nil as long as none is
	}
	gems, names := map[string]*gem{}, []string{}
	for line := range bytes.Lines(ListLines(list)) {
		fields := strings.Fields(string(line))
		if len(fields) < 2 {
			continue
		}
		g := gems[fields[0]]
		if g == nil {
			g = &gem{}
			gems[fields[0]], names = g, append(names, fields[0])
		}
		for id := range strings.SplitSeq(fields[1], ",") {
			if yanked, was := strings.CutPrefix(id, "-"); was {
				if g.gone == nil {
					g.gone = map[string]bool{}
				}
				g.gone[yanked] = true
				continue
			}
			delete(g.gone, id)
			g.ids = append(g.ids, id)
		}
	}
	for _, name := range names {
		g := gems[name]
		g.ids = slices.DeleteFunc(g.ids, func(id string) bool { return g.gone[id] })
		slices.SortFunc(g.ids, version.NewerFirst)
		for _, id := range slices.Compact(g.ids) {
			number, platform := version.Split(id)
			yield(gemspec.Tuple{Name: name, Number: number, Platform: platform})
		}
	}
}

// Without returns a line of /versions without the versions that drop reports; nil when none is left.
func Without(line []byte, drop func(id string) bool) []byte {
	fields := strings.Split(strings.TrimSuffix(string(line), "\n"), " ")
	if len(fields) < 2 {
		return line
	}
	ids := slices.DeleteFunc(
		strings.Split(fields[1], ","), func(id string) bool { return drop(strings.TrimPrefix(id, "-")) },
	)
	if len(ids) == 0 {
		return nil
	}
	fields[1] = strings.Join(ids, ",")
	return []byte(strings.Join(fields, " ") + "\n")
}
