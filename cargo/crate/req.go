package crate

// Version requirements and targets in the syntax of Cargo.toml. A line of the index with one that cargo cannot read
// costs the whole version, so both are parsed here as cargo parses them.

import (
	"strconv"
	"strings"

	"larder/internal/problem"
)

// maxComparators is cargo's own limit.
const maxComparators = 32

// partial is a version of which only the first numbers may be there.
type partial struct {
	numbers    []string
	wild       bool // ended in * or x
	pre, build string
}

// parsePartial reads 1, 1.2, 1.2.3-pre+build, 1.*, 1.2.x.
func parsePartial(s string) (p partial, ok bool) {
	s, p.build, ok = strings.Cut(s, "+")
	if ok && !validIdentifiers(p.build) {
		return p, false
	}
	core, pre, hasPre := strings.Cut(s, "-")
	parts := strings.Split(core, ".")
	if len(parts) > 3 {
		return p, false
	}
	for i, n := range parts {
		if i > 0 && (n == "*" || n == "x" || n == "X") {
			p.wild = true
			continue
		}
		if _, err := strconv.ParseUint(n, 10, 64); err != nil || n[0] == '+' || len(n) > 1 && n[0] == '0' || p.wild {
			return p, false
		}
		p.numbers = append(p.numbers, n)
	}
	if p.pre = pre; (hasPre || p.build != "") && (len(p.numbers) != 3 || hasPre && !IsVersion("0.0.0-"+pre)) {
		return p, false
	}
	return p, true
}

func validIdentifiers(s string) bool { return IsVersion("0.0.0+" + s) }

// CanonicalReq returns the one spelling of a requirement, as cargo prints it; false when cargo could not read it.
func CanonicalReq(s string) (string, bool) {
	s = strings.TrimSpace(s)
	if s == "*" || s == "x" || s == "X" {
		return "*", true
	}
	parts := strings.Split(s, ",")
	if len(parts) > maxComparators {
		return "", false
	}
	for i, c := range parts {
		var ok bool
		if parts[i], ok = canonicalComparator(strings.TrimSpace(c)); !ok {
			return "", false
		}
	}
	return strings.Join(parts, ", "), true
}

func canonicalComparator(s string) (string, bool) {
	op := s[:len(s)-len(strings.TrimLeft(s, "<>=~^"))]
	p, ok := parsePartial(strings.TrimLeft(s[len(op):], " "))
	if !ok {
		return "", false
	}
	text := strings.Join(p.numbers, ".")
	if p.pre != "" {
		text += "-" + p.pre
	}
	switch op {
	case "":
		if p.wild {
			return text + ".*", true
		}
		return "^" + text, true
	case "=", ">", ">=", "<", "<=", "~", "^":
		return op + text, true
	}
	return "", false
}

// CheckReq accepts what CanonicalReq can read.
func CheckReq(s string) error {
	if _, ok := CanonicalReq(s); !ok {
		return problem.Errorf(problem.ErrInvalid, "%.80q is not a version requirement.", s)
	}
	return nil
}

// CheckTarget accepts a triple, or a cfg expression.
func CheckTarget(s string) error {
	ok := s != "" && len(s) <= maxText && consists(s, "-_.")
	if strings.HasPrefix(s, "cfg(") && len(s) <= maxTarget {
		p := &cfgParser{rest: s[len("cfg"):]}
		ok = p.eat("(") && p.expr(0) && p.eat(")") && p.rest == ""
	}
	if !ok {
		return problem.Errorf(problem.ErrInvalid, "%.80q is neither a target triple nor a cfg expression.", s)
	}
	return nil
}

// cfgParser reads the expressions of conditional compilation (Rust Reference): all(…), any(…), not(…), name, name = "value".
type cfgParser struct{ rest string }

const maxCfgDepth = 32

func (p *cfgParser) skip() { p.rest = strings.TrimLeft(p.rest, " \t\r\n") }

func (p *cfgParser) eat(token string) (ok bool) {
	p.skip()
	p.rest, ok = strings.CutPrefix(p.rest, token)
	p.skip()
	return ok
}

// word reads an identifier, which may be a raw one.
func (p *cfgParser) word() string {
	p.rest = strings.TrimPrefix(p.rest, "r#")
	end := strings.IndexFunc(p.rest, func(r rune) bool {
		return !(r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9')
	})
	if end < 0 {
		end = len(p.rest)
	}
	w := p.rest[:end]
	p.rest = p.rest[end:]
	if w == "" || w[0] >= '0' && w[0] <= '9' {
		return ""
	}
	return w
}

func (p *cfgParser) expr(depth int) bool {
	w := p.word()
	switch {
	case w == "" || depth > maxCfgDepth:
		return false
	case w == "all" || w == "any" || w == "not":
		return p.eat("(") && p.list(depth, w == "not")
	case p.eat("="):
		return p.eat(`"`) && p.value()
	}
	return true
}

// list reads expressions up to the closing parenthesis: exactly one after not.
func (p *cfgParser) list(depth int, one bool) bool {
	for n := 0; ; n++ {
		if p.eat(")") {
			return !one || n == 1
		}
		if !p.expr(depth+1) || !p.eat(",") && !strings.HasPrefix(p.rest, ")") {
			return false
		}
	}
}

func (p *cfgParser) value() bool {
	_, rest, ok := strings.Cut(p.rest, `"`)
	p.rest = rest
	p.skip()
	return ok
}
