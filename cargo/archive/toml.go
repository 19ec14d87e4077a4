package archive

// This file parses TOML from strangers. The parser's time grows with the square of the depth, so that is checked first.

import (
	"errors"
	"fmt"

	"github.com/BurntSushi/toml"

	"larder/internal/problem"
)

// maxTomlDepth bounds nested values and dotted keys; the parser's time grows with their square.
const maxTomlDepth = 32

// table is a table of TOML.
type table map[string]any

func (t table) text(key string) string {
	s, _ := t[key].(string)
	return s
}

func (t table) sub(key string) table {
	m, _ := t[key].(map[string]any)
	return m
}

// flag is a boolean under one of two spellings.
func (t table) flag(fallback bool, keys ...string) bool {
	for _, key := range keys {
		if b, ok := t[key].(bool); ok {
			return b
		}
	}
	return fallback
}

func (t table) list(key string) (out []string) {
	list, _ := t[key].([]any)
	for _, v := range list {
		if s, ok := v.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// parseTOML reads a document; problem.ErrInvalid for what is none.
func parseTOML(raw []byte) (table, error) {
	if err := checkNesting(raw); err != nil {
		return nil, err
	}
	doc := map[string]any{}
	if err := toml.Unmarshal(raw, &doc); err != nil {
		what := "it is not TOML."
		var parse toml.ParseError
		if errors.As(err, &parse) {
			what = fmt.Sprintf("line %d is not TOML.", parse.Position.Line)
		}
		return nil, problem.Wrap(err, problem.ErrInvalid, badManifest, what)
	}
	return doc, nil
}

// checkNesting refuses what is nested too deep: it counts brackets and dots outside of strings and comments.
func checkNesting(raw []byte) error {
	depth, dots := 0, 0
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; c {
		case '"', '\'':
			i += skipString(raw[i:]) - 1
		case '#':
			for i < len(raw) && raw[i] != '\n' {
				i++
			}
			dots = 0
		case '[', '{':
			depth++
			dots = 0
		case ']', '}':
			depth = max(depth-1, 0)
		case '.':
			dots++
		case '\n', ',', '=':
			dots = 0
		}
		if max(depth, dots) > maxTomlDepth {
			return problem.Errorf(problem.ErrInvalid, badManifest,
				fmt.Sprintf("it is nested more than %d levels deep.", maxTomlDepth))
		}
	}
	return nil
}

// skipString is the length of the string that p begins with, up to the end of p when it is not closed.
func skipString(p []byte) int {
	quote, width := p[0], 1
	if len(p) > 2 && p[1] == quote && p[2] == quote {
		width = 3
	}
	for i := width; i < len(p); i++ {
		switch {
		case p[i] == '\\' && quote == '"':
			i++
		case width == 1 && p[i] == '\n':
			return i
		case p[i] == quote && (width == 1 || len(p) > i+2 && p[i+1] == quote && p[i+2] == quote):
			return i + width
		}
	}
	return len(p)
}
