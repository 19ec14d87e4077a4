package names

// This file reads targets: the platforms that a dependency is for.

import (
	"strings"

	"larder/internal/problem"
)

const (
	maxTriple   = 256
	maxCfg      = 4 << 10
	maxCfgDepth = 32
)

// CheckTarget accepts a target triple, or a cfg expression. Its error is problem.ErrInvalid.
func CheckTarget(s string) error {
	ok := s != "" && len(s) <= maxTriple && consists(s, "-_.")
	if strings.HasPrefix(s, "cfg(") && len(s) <= maxCfg {
		p := &cfgParser{rest: s[len("cfg"):]}
		ok = p.eat("(") && p.expr(0) && p.eat(")") && p.rest == ""
	}
	if !ok {
		return problem.Errorf(problem.ErrInvalid, "%.80q is neither a target triple nor a cfg expression.", s)
	}
	return nil
}

// cfgParser reads the expressions of conditional compilation (Rust Reference): all(…), any(…), not(…), name and
// name = "value".
type cfgParser struct{ rest string }

func (p *cfgParser) skip() { p.rest = strings.TrimLeft(p.rest, " \t\r\n") }

// eat reads a token and the space around it.
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

// expr reads one expression; depth is how many it is nested in.
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

// value reads a string after its opening quote.
func (p *cfgParser) value() bool {
	_, rest, ok := strings.Cut(p.rest, `"`)
	p.rest = rest
	p.skip()
	return ok
}
