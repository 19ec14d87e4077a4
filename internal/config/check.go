package config

// This file has what values must satisfy beside their type, and the sentences for those that do not.

import (
	"fmt"
	"slices"
	"strings"
)

// Problems are all reasons why a configuration cannot be used, each a sentence; it is never empty when returned as an
// error.
type Problems []string

// Error joins the sentences.
func (p Problems) Error() string { return strings.Join(p, "; ") }

// err is nil without problems.
func (p Problems) err() error {
	if len(p) == 0 {
		return nil
	}
	return p
}

// check adds a problem unless ok.
func (p *Problems) check(ok bool, format string, args ...any) {
	if !ok {
		*p = append(*p, fmt.Sprintf(format, args...))
	}
}

// Validate returns a Problems with every reason why the server could not run as configured, or nil.
func (c Config) Validate() error {
	var p Problems
	for _, g := range groups() {
		for _, s := range g.rows {
			if s.must.find != nil {
				s.must.find(s.name, s.value(&c), &p)
			}
		}
		if g.check != nil {
			g.check(&c, &p)
		}
	}
	return p.err()
}

// check is what the value of a setting must satisfy.
type check struct {
	words string // for the reference page: what is allowed, as in "64KiB to 64MiB"; may be empty
	find  func(name string, v value, p *Problems)
}

// oneOf allows some texts.
func oneOf(allowed ...string) check {
	last := len(allowed) - 1
	return check{
		words: "`" + strings.Join(allowed[:last], "`, `") + "` or `" + allowed[last] + "`",
		find: func(name string, v value, p *Problems) {
			p.check(slices.Contains(allowed, v.String()), "%s is %q; it must be %s or %s",
				name, v, strings.Join(allowed[:last], ", "), allowed[last])
		},
	}
}

// between allows sizes from least to most.
func between(least, most Size) check {
	return check{
		words: fmt.Sprintf("`%s` to `%s`", least, most),
		find: func(name string, v value, p *Problems) {
			n := *v.(*Size)
			p.check(least <= n && n <= most, "%s is %s; it must lie between %s and %s", name, n, least, most)
		},
	}
}

// countBetween allows numbers from least to most.
func countBetween(least, most int) check {
	return check{
		words: fmt.Sprintf("`%d` to `%d`", least, most),
		find: func(name string, v value, p *Problems) {
			n := int(*v.(*number))
			p.check(least <= n && n <= most, "%s is %d; it must lie between %d and %d", name, n, least, most)
		},
	}
}

// positive allows sizes and durations that are not 0.
func positive() check {
	return check{
		words: "more than `0`",
		find: func(name string, v value, p *Problems) {
			switch v := v.(type) {
			case *Size:
				p.check(*v > 0, "%s must be larger than nothing", name)
			case *Duration:
				p.check(*v > 0, "%s must be longer than nothing", name)
			}
		},
	}
}

// notEmpty allows every text except the empty one, for which the sentence is the setting's name and complaint.
func notEmpty(complaint string) check {
	return check{find: func(name string, v value, p *Problems) { p.check(v.String() != "", "%s %s", name, complaint) }}
}

// each allows lists whose every item is ok; the sentence for others has the item in the place of %q.
func each(complaint string, ok func(item string) bool) check {
	return check{find: func(_ string, v value, p *Problems) {
		for _, item := range *v.(*texts) {
			p.check(ok(item), complaint, item)
		}
	}}
}
