package upstream

// This file reads Link headers (RFC 8288), which say where the next page of a list is.

import "strings"

// NextPage is the target of the first link with the relation "next" in a Link header, "" when there is none. Several
// headers of one answer are given as one, joined by commas.
func NextPage(header string) string {
	for rest := header; rest != ""; {
		var target string
		var next bool
		if target, next, rest = cutLink(rest); next {
			return target
		}
	}
	return ""
}

// cutLink reads the first link of a header. Of several rel parameters the first counts, and it may name several
// relations.
func cutLink(s string) (target string, next bool, rest string) {
	_, s, _ = strings.Cut(s, "<")
	target, s, _ = strings.Cut(s, ">")
	known := false
	for {
		s = strings.TrimLeft(s, " \t")
		switch {
		case s == "":
			return target, next, ""
		case s[0] == ',':
			return target, next, s[1:]
		case s[0] == ';':
			s = s[1:]
			continue
		}
		var name, value string
		name, value, s = cutParameter(s)
		if strings.EqualFold(name, "rel") && !known {
			known, next = true, hasRelation(value)
		}
	}
}

func hasRelation(value string) bool {
	for relation := range strings.FieldsSeq(value) {
		if strings.EqualFold(relation, "next") {
			return true
		}
	}
	return false
}

// cutParameter reads `name`, `name=value` or `name="quoted value"` up to the separator behind it.
func cutParameter(s string) (name, value, rest string) {
	end := strings.IndexAny(s, "=;,")
	if end < 0 {
		return strings.TrimSpace(s), "", ""
	}
	name, rest = strings.TrimSpace(s[:end]), s[end:]
	if rest[0] != '=' {
		return name, "", rest
	}
	rest = strings.TrimLeft(rest[1:], " \t")
	if strings.HasPrefix(rest, `"`) {
		value, rest = unquote(rest[1:])
		if end = strings.IndexAny(rest, ";,"); end < 0 {
			return name, value, ""
		}
		return name, value, rest[end:]
	}
	if end = strings.IndexAny(rest, ";,"); end < 0 {
		end = len(rest)
	}
	return name, strings.TrimSpace(rest[:end]), rest[end:]
}

// unquote reads a quoted string whose first quote is read already.
func unquote(s string) (value, rest string) {
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"':
			return out.String(), s[i+1:]
		case s[i] == '\\' && i+1 < len(s):
			i++
		}
		out.WriteByte(s[i])
	}
	return out.String(), ""
}
