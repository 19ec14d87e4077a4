package pages

// How names, sizes, numbers and times are written. What strangers wrote is escaped here or by the template, never both.

import (
	"fmt"
	"html/template"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"larder/internal/describe"
	"larder/store"
)

// functions are what templates call.
var functions = template.FuncMap{
	"name": nameHTML, "text": textHTML, "size": sizeHTML, "num": numberOf, "day": dayHTML, "moment": momentHTML,
	"second": secondHTML, "ticks": ticksHTML, "opWord": opWord, "stepClass": stepClass,
	"clip": clipName, "kindTitle": kindTitle, "escape": escapeName, "plural": pluralOf, "short": shortDigest,
	"actions":   func() []string { return actions },
	"themes":    func() []string { return []string{"system", "light", "dark"} },
	"list":      func(v ...any) []any { return v },
	"versionAt": versionAt, "dict": dict, "command": commandHTML, "facts": grouped,
	"bytes": func(b []byte) int64 { return int64(len(b)) },
	"long":  func(s string) bool { return len(s) >= longName },
}

// versionAt is what stands before a version in the address of its page: those of OCI are manifests.
func versionAt(k store.Kind) string {
	if k == store.OCI {
		return "m"
	}
	return "v"
}

// longName is from how many bytes on a heading is set smaller.
const longName = 60

// isControl reports whether a character is shown by its number: one that has no shape, or that turns what stands beside
// it around.
func isControl(r rune) bool {
	return unicode.IsControl(r) || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 ||
		r == 0x200e || r == 0x200f || r == 0x061c || r == 0xfeff
}

// visible is a stranger's text as HTML, with its controls shown; breaks adds places where a long name may be cut.
func visible(s string, breaks bool) string {
	var b strings.Builder
	for _, r := range strings.ToValidUTF8(s, "\ufffd") {
		if isControl(r) {
			fmt.Fprintf(&b, `<span class="ctl">U+%04X</span>`, r)
			continue
		}
		b.WriteString(template.HTMLEscapeString(string(r)))
		if breaks && strings.ContainsRune("/:@.", r) {
			b.WriteString("<wbr>")
		}
	}
	return b.String()
}

// nameHTML is a stranger's name: isolated, so that its direction turns nothing else around.
func nameHTML(s string) template.HTML { return template.HTML("<bdi>" + visible(s, true) + "</bdi>") }

// textHTML is a line of a stranger's text.
func textHTML(s string) template.HTML {
	const most = 1000
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return template.HTML("<bdi>" + visible(strings.Join(strings.Fields(s), " "), false) + "</bdi>")
}

// commandHTML is a line that a stranger typed, with places where it may be broken.
func commandHTML(s string) template.HTML {
	const most = 2000
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return template.HTML(`<bdi dir="ltr">` + visible(strings.Join(strings.Fields(s), " "), true) + "</bdi>")
}

// manyFacts are facts of one name.
type manyFacts struct {
	Name   string
	Values []string
}

// grouped puts facts of one name that follow each other together.
func grouped(list []describe.Fact) (out []manyFacts) {
	for _, f := range list {
		if n := len(out); n > 0 && out[n-1].Name == f.Name {
			out[n-1].Values = append(out[n-1].Values, f.Value)
			continue
		}
		out = append(out, manyFacts{f.Name, []string{f.Value}})
	}
	return out
}

// ticksHTML is a line of our own with a stranger's words in it, in which `words` between ticks are code.
func ticksHTML(s string) template.HTML {
	parts := strings.Split(s, "`")
	var b strings.Builder
	for i, part := range parts {
		if i%2 == 1 && i < len(parts)-1 {
			b.WriteString("<code>" + visible(part, false) + "</code>")
		} else {
			b.WriteString(visible(part, false))
		}
	}
	return template.HTML("<bdi>" + b.String() + "</bdi>")
}

// clipName is a name as a part of a title.
func clipName(s string) string {
	s = strings.Map(func(r rune) rune {
		if isControl(r) {
			return '\ufffd'
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
	if runes := []rune(s); len(runes) > longName {
		return string(runes[:longName-1]) + "…"
	}
	return s
}

// size is a number of bytes in decimal units, with three digits and a space that does not break.
func size(n int64) string {
	if n < 1000 {
		return strconv.FormatInt(n, 10) + "\u00a0B"
	}
	f, unit := float64(n), 0
	for ; f >= 999.5 && unit < len(units); unit++ {
		f /= 1000
	}
	digits := 2
	switch {
	case f >= 99.95:
		digits = 0
	case f >= 9.995:
		digits = 1
	}
	return strconv.FormatFloat(f, 'f', digits, 64) + "\u00a0" + units[unit-1]
}

var units = []string{"kB", "MB", "GB", "TB", "PB", "EB"}

func sizeHTML(n int64) template.HTML {
	return template.HTML(fmt.Sprintf(`<data value="%d">%s</data>`, n, size(n)))
}

// numberOf is number for what templates have.
func numberOf(n any) string {
	switch n := n.(type) {
	case int:
		return number(int64(n))
	case int64:
		return number(n)
	case uint64:
		return number(int64(n))
	}
	return fmt.Sprint(n)
}

// number has separators of thousands.
func number(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// pluralOf is a number and its word.
func pluralOf(n any, one, many string) string {
	if text := numberOf(n); text != "1" {
		return text + " " + many
	}
	return "1 " + one
}

const (
	dayForm    = "2006-01-02"
	minuteForm = "2006-01-02 15:04"
	secondForm = "2006-01-02 15:04:05 UTC"
)

func timeHTML(t time.Time, text string) template.HTML {
	t = t.UTC()
	return template.HTML(`<time datetime="` + t.Format(time.RFC3339) + `" title="` + t.Format(secondForm) + `">` +
		template.HTMLEscapeString(text) + `</time>`)
}

// dayHTML is a day, momentHTML a minute; nothing for no time.
func dayHTML(t time.Time) template.HTML {
	if t.IsZero() {
		return ""
	}
	return timeHTML(t, t.UTC().Format(dayForm))
}

func momentHTML(t time.Time) template.HTML {
	if t.IsZero() {
		return ""
	}
	return timeHTML(t, t.UTC().Format(minuteForm))
}

// secondHTML is a second, for journals.
func secondHTML(t time.Time) template.HTML { return timeHTML(t, t.UTC().Format(time.DateTime)) }

// ago says how long ago something was, within a day; else the day.
func ago(t, now time.Time) template.HTML {
	d := now.Sub(t)
	switch {
	case t.IsZero():
		return ""
	case d < 0 || d >= 24*time.Hour:
		return dayHTML(t)
	case d < time.Minute:
		return timeHTML(t, "just now")
	case d < time.Hour:
		return timeHTML(t, strconv.Itoa(int(d/time.Minute))+" min ago")
	}
	return timeHTML(t, strconv.Itoa(int(d/time.Hour))+" h ago")
}

// last is when something happened last, in a table: the minute of today, else the day.
func last(t, now time.Time) template.HTML {
	if t.IsZero() {
		return `<span class="dim">never</span>`
	}
	if t.UTC().Format(dayForm) == now.UTC().Format(dayForm) {
		return timeHTML(t, "today "+t.UTC().Format("15:04"))
	}
	return dayHTML(t)
}

// shortDigest is the beginning of a digest, by which people tell two apart.
func shortDigest(d string) string {
	_, hex, found := strings.Cut(d, ":")
	if !found {
		return d
	}
	return hex[:min(len(hex), 12)]
}

// kindTitle is what people call a kind.
func kindTitle(k store.Kind) string {
	switch k {
	case store.OCI:
		return "OCI images"
	case store.NPM:
		return "npm"
	case store.PyPI:
		return "PyPI"
	case store.Cargo:
		return "Cargo"
	case store.Maven:
		return "Maven"
	case store.Composer:
		return "Composer"
	case store.RubyGems:
		return "RubyGems"
	}
	return string(k)
}

// decimal is a number with one digit behind the point, for drawings.
func decimal(f float64) string { return strconv.FormatFloat(f, 'f', 1, 64) }

// dict is what a template hands to another: keys and values in turn.
func dict(pairs ...any) map[string]any {
	out := map[string]any{}
	for pair := range slices.Chunk(pairs, 2) {
		out[pair[0].(string)] = pair[1]
	}
	return out
}
