package simple

// This file tells an index without files from other web pages: a proxy's login page answers 200 as well.

import "strings"

// form is what a web page looks like.
type form struct {
	in      string // the element whose text comes
	title   strings.Builder
	words   bool // text that is neither title nor heading nor link
	body    bool // there is a body element
	marked  bool // it says itself that it is an index
	dynamic bool // it asks for input, or is a program
}

func (f *form) start(tag string, attr map[string]string) {
	f.in = tag
	switch tag {
	case "body", "pre", "ul", "table":
		f.body = true
	case "form", "input", "button", "iframe", "script", "noscript":
		f.dynamic = true
	case "meta":
		f.in = ""
		f.marked = f.marked || strings.HasSuffix(attr["name"], "repository-version") || attr["name"] == "api-version"
		f.dynamic = f.dynamic || strings.EqualFold(attr["http-equiv"], "refresh")
	}
}

func (f *form) end() { f.in = "" }

func (f *form) text(raw []byte) {
	switch text := strings.TrimSpace(string(raw)); {
	case text == "":
	case f.in == "title", f.in == "h1", f.in == "h2":
		f.title.WriteString(strings.ToLower(text) + "\n")
	case f.in != "a" && f.in != "style":
		f.words = true
	}
}

// titles are what programs that serve lists of files call them.
var titles = []string{"links for", "index of", "simple index", "package index", "directory listing", ": links"}

// isIndex reports whether the page is a list of files, though it has none: it says so, or is an empty body.
func (f *form) isIndex() bool {
	if f.dynamic {
		return false
	}
	title := f.title.String()
	for _, t := range titles {
		if strings.Contains(title, t) {
			return true
		}
	}
	return f.marked || f.body && title == "" && !f.words
}
