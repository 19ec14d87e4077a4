package wire

// Which media type is chosen for an Accept header.

import "testing"

func TestAccept(t *testing.T) {
	for _, c := range []struct {
		header string
		name   string
		weight int
		named  bool
	}{
		{"", "text/html", 0, false}, {"text/html", "text/html", 1000, true}, {"text/html", "text/plain", 0, false},
		{"TEXT/HTML ; Q=0.5", "text/html", 500, true}, {"text/*;q=0.3, */*;q=0.1", "text/html", 300, false},
		{"text/*;q=0.3, */*;q=0.1", "a/b", 100, false}, {"text/html;q=0, */*", "text/html", 0, true},
		{"text/html;charset=utf-8;q=0.25", "text/html", 250, true}, {"text/html;q=2", "text/html", 1000, true},
		{"text/html;q=x", "text/html", 1000, true}, {",,;q=1", "a/b", 0, false}, {"a/b;q=0.2,a/b;q=0.4", "a/b", 400, true},
		{"a/b; q=0.001", "a/b", 1, true},
	} {
		if w, named := ParseAccept([]string{c.header}).Weight(c.name); w != c.weight || named != c.named {
			t.Errorf("%q for %s: %d %v", c.header, c.name, w, named)
		}
	}
	two := ParseAccept([]string{"a/b;q=0.5", "c/d"})
	if w, named := two.Weight("x/y", "a/b", "c/d"); w != 1000 || !named {
		t.Errorf("%d %v", w, named)
	}
}
