// Package version is the order of versions, as Maven's resolver has it for ranges, RELEASE and LATEST (its generic
// version scheme). Pure.
package version

import (
	"cmp"
	"slices"
	"strings"
)

// The kinds of items, in their order. Numbers stand above texts.
const (
	itemMin = iota
	itemQualifier
	itemText
	itemNumber
	itemMax
)

// item is one part of a version.
type item struct {
	kind  int
	value int    // of a qualifier: its rank, 0 for a release
	text  string // digits without leading zeros, or lower-case letters
}

var qualifiers = map[string]int{
	"alpha": -5, "beta": -4, "milestone": -3, "rc": -2, "cr": -2, "snapshot": -1, "": 0,
	"ga": 0, "final": 0, "release": 0, "sp": 1,
}

// shorthand stands only directly before a digit: 1.0a1.
var shorthand = map[string]int{"a": -5, "b": -4, "m": -3}

// parseVersion cuts a version at . - _ and between digits and letters.
func parseVersion(version string) []item {
	var items []item
	for rest := version; rest != ""; {
		var it item
		it, rest = nextItem(rest)
		items = append(items, it)
	}
	return trimmed(items)
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// nextItem takes the first item off; a separator that follows it goes along.
func nextItem(s string) (it item, rest string) {
	end := 0
	for end < len(s) && !strings.ContainsRune(".-_", rune(s[end])) && isDigit(s[end]) == isDigit(s[0]) {
		end++
	}
	token := s[:end]
	rest = s[end:]
	separated := rest != "" && !isDigit(rest[0]) && strings.ContainsRune(".-_", rune(rest[0]))
	if separated {
		rest = rest[1:]
	}
	if end == 0 || isDigit(token[0]) {
		// An empty token, as between two dots, is a zero.
		return item{kind: itemNumber, text: strings.TrimLeft(token, "0")}, rest
	}
	word := strings.ToLower(token)
	switch {
	case rest == "" && word == "min":
		return item{kind: itemMin}, rest
	case rest == "" && word == "max":
		return item{kind: itemMax}, rest
	}
	if rank, ok := shorthand[word]; ok && !separated && rest != "" {
		return item{kind: itemQualifier, value: rank}, rest
	}
	if rank, ok := qualifiers[word]; ok {
		return item{kind: itemQualifier, value: rank}, rest
	}
	return item{kind: itemText, text: word}, rest
}

func (a item) numeric() bool { return a.kind != itemText && a.kind != itemQualifier }

// sign compares an item with its absence.
func (a item) sign() int {
	switch a.kind {
	case itemMin:
		return -1
	case itemQualifier:
		return a.value
	case itemNumber:
		return min(len(a.text), 1)
	}
	return 1
}

func (a item) compare(b item) int {
	if c := cmp.Compare(a.kind, b.kind); c != 0 {
		return c
	}
	switch a.kind {
	case itemQualifier:
		return cmp.Compare(a.value, b.value)
	case itemNumber:
		return cmp.Or(cmp.Compare(len(a.text), len(b.text)), strings.Compare(a.text, b.text))
	}
	return strings.Compare(a.text, b.text)
}

// trimmed drops items that say nothing at the end of each run of numbers or texts: 1.0.0 is 1, 1.0-ga is 1.
func trimmed(items []item) []item {
	end, known, numeric := len(items)-1, false, false
	for i := len(items) - 1; i > 0; i-- {
		it := items[i]
		if !known || it.numeric() != numeric {
			end, known, numeric = i, true, it.numeric()
		}
		last := i == len(items)-1 || items[i-1].numeric() == it.numeric()
		if end == i && last && it.sign() == 0 {
			items = slices.Delete(items, i, i+1)
			end--
		}
	}
	return items
}

// compareItems orders two parsed versions.
func compareItems(a, b []item) int {
	numeric := true
	for i := 0; ; i++ {
		switch {
		case i >= len(a) && i >= len(b):
			return 0
		case i >= len(a):
			return -padding(b[i:], false, false)
		case i >= len(b):
			return padding(a[i:], false, false)
		case a[i].numeric() != b[i].numeric():
			if a[i].numeric() == numeric {
				return padding(a[i:], true, numeric)
			}
			return -padding(b[i:], true, numeric)
		}
		if c := a[i].compare(b[i]); c != 0 {
			return c
		}
		numeric = a[i].numeric()
	}
}

// padding compares what one version has more than the other, with only as far as items are numeric or not.
func padding(items []item, only, numeric bool) int {
	for _, it := range items {
		if only && it.numeric() != numeric {
			break
		}
		if s := it.sign(); s != 0 {
			return s
		}
	}
	return 0
}

// Compare orders two versions; equal ones (1.0 and 1.0.0) by their text, so that the order is total.
func Compare(a, b string) int {
	return cmp.Or(compareItems(parseVersion(a), parseVersion(b)), strings.Compare(a, b))
}

// Same reports whether Maven takes two versions for one another: 1.0, 1.0.0, 1.0-ga and 1.0.FINAL.
func Same(a, b string) bool { return compareItems(parseVersion(a), parseVersion(b)) == 0 }

// Sort sorts in place, parsing each version once.
func Sort(list []string) {
	type parsed struct {
		text  string
		items []item
	}
	all := make([]parsed, len(list))
	for i, v := range list {
		all[i] = parsed{v, parseVersion(v)}
	}
	slices.SortFunc(
		all, func(a, b parsed) int { return cmp.Or(compareItems(a.items, b.items), strings.Compare(a.text, b.text)) },
	)
	for i, p := range all {
		list[i] = p.text
	}
}
