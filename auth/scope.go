package auth

// Scopes: what a credential is limited to, how they are written, covered and intersected.

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"larder/internal/problem"
	"larder/store"
)

// Action is what somebody wants to do with a package.
type Action string

// The actions. Write includes Create; no other action includes another one: who deploys with Maven needs read and
// write.
const (
	Read   Action = "read"
	Create Action = "create" // new names, versions and tags only, never overwriting one
	Write  Action = "write"
	Delete Action = "delete"
	Admin  Action = "admin" // owners and settings of a package; with an empty Kind: the appliance itself
)

// actions is a set of actions, one bit each.
type actions uint8

const (
	readBit actions = 1 << iota
	createBit
	writeBit
	deleteBit
	adminBit

	allActions = readBit | createBit | writeBit | deleteBit | adminBit
)

// bits is the set that holds a alone; empty for a word that is no action, which therefore nothing covers.
func (a Action) bits() actions {
	switch a {
	case Read:
		return readBit
	case Create:
		return createBit
	case Write:
		return writeBit
	case Delete:
		return deleteBit
	case Admin:
		return adminBit
	}
	return 0
}

// ParseAction accepts the five actions and OCI's words for them: pull is read, push is write. ErrInvalid for the rest.
// ("*" stands for all five and is understood by ParseScope.)
func ParseAction(s string) (Action, error) {
	switch s {
	case "pull":
		return Read, nil
	case "push":
		return Write, nil
	}
	if a := Action(s); a.bits() != 0 {
		return a, nil
	}
	return "", problem.Errorf(store.ErrInvalid, "%q is not an action; use read, create, write, delete, admin or *", s)
}

// list returns the actions of the set in their fixed order, without those that another one includes.
func (s actions) list() []Action {
	var out []Action
	for _, a := range []Action{Read, Create, Write, Delete, Admin} {
		if s&a.bits() != 0 && !(a == Create && s&writeBit != 0) {
			out = append(out, a)
		}
	}
	return out
}

func (s actions) String() string {
	if s == allActions {
		return "*"
	}
	var words []string
	for _, a := range s.list() {
		words = append(words, string(a))
	}
	return strings.Join(words, ",")
}

func parseActions(text string) (actions, error) {
	var set actions
	for word := range strings.SplitSeq(text, ",") {
		if word == "*" {
			set |= allActions
			continue
		}
		a, err := ParseAction(word)
		if err != nil {
			return 0, err
		}
		set |= a.bits()
	}
	return set.closed(), nil
}

// closed adds what the actions of the set include.
func (s actions) closed() actions {
	if s&writeBit != 0 {
		s |= createBit
	}
	return s
}

// Access is one thing somebody wants to do.
//
// Name is the name in the store's canonical spelling (what Repo methods are given): patterns are compared byte by byte.
// An empty Name means the kind as a whole, its lists and its configuration: reading it needs the right to read anything
// of that kind, and the handler then leaves out what Authorize refuses by name.
// An empty Kind means the appliance (users, tokens, maintenance) and needs an administrator.
type Access struct {
	Kind   store.Kind
	Type   string // repository, registry, package, artifact, crate, gem
	Name   string
	Action Action
	// Asked is the name the client knows it by, when that is another: an upstream's repository has one in ?ns= and one
	// here. It gives no right. A JWT that was granted reading Asked counts as granted reading Name, since clients can only
	// ask the token end point for what stands in their path; the rights of who bought it must allow Name itself.
	Asked string
}

// Limits of a scope's text. Stars are few so that matching and intersecting stay cheap whatever a client sends.
const (
	maxScope = 1024 // bytes of the whole
	maxName  = 512  // bytes of the name
	maxStars = 8
)

// anything is the word, and the pattern, that matches everything.
const anything = "*"

// scopeTypes are the words in the second field of a scope.
func scopeTypes() []string {
	return []string{"repository", "registry", "package", "artifact", "crate", "gem"}
}

// Scope allows some actions on some names: kind ":" type ":" name ":" actions, for instance
// npm:package:@acme/*:read,write. Kind and type may be "*". In the name '*' matches any run of characters, slashes and
// the empty run included; the name lies between the second and the last colon, so it may hold colons
// (maven:artifact:com.acme:*:write). The zero Scope allows nothing. Scopes are comparable with ==.
type Scope struct {
	kind, typ, name string
	actions         actions
}

// NewScope builds a scope from its parts, under the rules of ParseScope.
func NewScope(kind store.Kind, typ, name string, list ...Action) (Scope, error) {
	words := make([]string, len(list))
	for i, a := range list {
		words[i] = string(a)
	}
	return ParseScope(strings.Join([]string{string(kind), typ, name, strings.Join(words, ",")}, ":"))
}

// ParseScope reads a scope; ErrInvalid with a text that says what is wrong.
func ParseScope(text string) (Scope, error) {
	if len(text) > maxScope {
		return Scope{}, problem.Errorf(store.ErrInvalid, "a scope has at most %d bytes", maxScope)
	}
	kind, rest, _ := strings.Cut(text, ":")
	typ, rest, _ := strings.Cut(rest, ":")
	colon := strings.LastIndexByte(rest, ':')
	if colon < 0 {
		return Scope{}, problem.Errorf(
			store.ErrInvalid, "%q is not a scope: write kind:type:name:action, for instance npm:package:@acme/*:read", text,
		)
	}
	s := Scope{kind: kind, typ: typ, name: squeeze(rest[:colon])}
	if err := s.check(); err != nil {
		return Scope{}, err
	}
	var err error
	s.actions, err = parseActions(rest[colon+1:])
	if err != nil {
		return Scope{}, err
	}
	return s, nil
}

// ParsePattern reads kind:type:name, as in the list of private names; the scope it returns has the action read.
func ParsePattern(text string) (Scope, error) {
	return ParseScope(text + ":" + string(Read))
}

func (s Scope) check() error {
	if s.kind != anything {
		if _, err := store.ParseKind(s.kind); err != nil {
			return err
		}
	}
	if s.typ != anything && !slices.Contains(scopeTypes(), s.typ) {
		return problem.Errorf(store.ErrInvalid, "%q is not a type; use *, %s", s.typ, strings.Join(scopeTypes(), ", "))
	}
	switch {
	case s.name == "":
		return problem.Errorf(store.ErrInvalid, "a scope needs a name; * stands for every name")
	case len(s.name) > maxName:
		return problem.Errorf(store.ErrInvalid, "the name of a scope has at most %d bytes", maxName)
	case !utf8.ValidString(s.name) || strings.ContainsFunc(s.name, unprintable):
		return problem.Errorf(store.ErrInvalid, "the name %q of a scope holds spaces or characters that do not print", s.name)
	case strings.Count(s.name, "*") > maxStars:
		return problem.Errorf(store.ErrInvalid, "the name %q of a scope holds more than %d stars", s.name, maxStars)
	}
	return nil
}

func unprintable(r rune) bool { return !unicode.IsGraphic(r) || unicode.IsSpace(r) }

// squeeze makes one star of several in a row, which mean the same.
func squeeze(name string) string {
	for strings.Contains(name, "**") {
		name = strings.ReplaceAll(name, "**", "*")
	}
	return name
}

// Kind is the first field; "*" for every kind.
func (s Scope) Kind() store.Kind { return store.Kind(s.kind) }

// Type is the second field; "*" for every type.
func (s Scope) Type() string { return s.typ }

// Name is the pattern of names.
func (s Scope) Name() string { return s.name }

// Actions are the allowed actions in their fixed order, without those that another one includes.
func (s Scope) Actions() []Action { return s.actions.list() }

// String is the canonical text; ParseScope reads it back.
func (s Scope) String() string {
	return s.kind + ":" + s.typ + ":" + s.name + ":" + s.actions.String()
}

// MarshalText is String, so that scopes are strings in JSON.
func (s Scope) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText is ParseScope.
func (s *Scope) UnmarshalText(text []byte) error {
	var err error
	*s, err = ParseScope(string(text))
	return err
}

// Covers says whether the scope allows a.
func (s Scope) Covers(a Access) bool {
	bit := a.Action.bits()
	switch {
	case bit == 0 || s.actions&bit == 0:
		return false
	case a.Kind == "":
		return s.kind == anything && s.typ == anything && s.name == anything
	case a.Name == "" && a.Action == Read:
		return either(s.kind, string(a.Kind)) && (a.Type == "" || either(s.typ, a.Type))
	}
	return s.names(a)
}

// names says whether the scope is about a's name, whatever the action.
func (s Scope) names(a Access) bool {
	return either(s.kind, string(a.Kind)) && either(s.typ, a.Type) && glob(s.name, a.Name)
}

// includes says whether s allows all that t allows.
func (s Scope) includes(t Scope) bool {
	return t.actions&^s.actions == 0 && either(s.kind, t.kind) && either(s.typ, t.typ) && glob(s.name, t.name)
}

func either(pattern, word string) bool { return pattern == anything || pattern == word }

// narrower is the intersection of two fields that are a word or "*".
func narrower(a, b string) (string, bool) {
	if a == anything {
		return b, true
	}
	return a, b == anything || a == b
}

// intersect returns scopes that together allow what both s and t allow.
func (s Scope) intersect(t Scope) []Scope {
	both := s.actions & t.actions
	kind, ok1 := narrower(s.kind, t.kind)
	typ, ok2 := narrower(s.typ, t.typ)
	if both == 0 || !ok1 || !ok2 {
		return nil
	}
	var out []Scope
	for _, name := range globIntersect(s.name, t.name) {
		out = append(out, Scope{kind: kind, typ: typ, name: name, actions: both})
	}
	return out
}

// Scopes allow what any one of them allows. An empty list allows nothing: "no limit" is the absence of a list.
type Scopes []Scope

// ParseScopes reads a list and brings it into canonical form.
func ParseScopes(list []string) (Scopes, error) {
	var out Scopes
	for _, text := range list {
		s, err := ParseScope(text)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out.Canonical(), nil
}

// Allow says whether one of the scopes covers a.
func (l Scopes) Allow(a Access) bool {
	for i := range l {
		if l[i].Covers(a) {
			return true
		}
	}
	return false
}

// Intersect returns what both lists allow, in canonical form; the order of lists and scopes does not matter. It never
// allows more than either side. It allows less only for pairs of patterns whose overlap takes hundreds of patterns to
// write.
func (l Scopes) Intersect(m Scopes) Scopes {
	var out Scopes
	for _, s := range l.Canonical() {
		for _, t := range m.Canonical() {
			out = append(out, s.intersect(t)...)
		}
	}
	return out.Canonical()
}

// Canonical returns the same rights with the actions of equal names merged, what another scope includes left out,
// sorted.
func (l Scopes) Canonical() Scopes {
	type key struct{ kind, typ, name string }
	merged := make(map[key]actions, len(l))
	for _, s := range l {
		merged[key{s.kind, s.typ, s.name}] |= s.actions
	}
	all := make(Scopes, 0, len(merged))
	for k, set := range merged {
		if set != 0 {
			all = append(all, Scope{k.kind, k.typ, k.name, set})
		}
	}
	slices.SortFunc(all, compareScopes)
	out := make(Scopes, 0, len(all))
	for _, s := range all {
		if !slices.ContainsFunc(all, func(t Scope) bool { return t != s && t.includes(s) }) {
			out = append(out, s)
		}
	}
	return out
}

func compareScopes(a, b Scope) int {
	return cmp.Or(
		cmp.Compare(a.kind, b.kind), cmp.Compare(a.typ, b.typ), cmp.Compare(a.name, b.name),
		cmp.Compare(a.actions, b.actions),
	)
}

// Strings returns the scopes' texts.
func (l Scopes) Strings() []string {
	out := make([]string, len(l))
	for i, s := range l {
		out[i] = s.String()
	}
	return out
}

// String returns the scopes separated by spaces.
func (l Scopes) String() string { return strings.Join(l.Strings(), " ") }
