package wiretest

// Packages that a client may not see answer like packages that are not there.

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"larder/internal/wire"
)

// hideaway is a package that is hidden, and how.
type hideaway struct {
	how, hidden, absent string
	// reads says whether an actor with these rights may read what is hidden.
	reads func(actor, can string) bool
}

// checkHidden asks every operation about a package that is hidden and about one that does not exist, and wants the same
// answer but for the name: to everybody who may not read the package and may not do what they ask for anyway.
func (m Matrix[R]) checkHidden(g *Rig, all map[string]string) {
	g.T.Helper()
	places := []hideaway{
		{"by a pattern", m.Name(true, 5000), m.Name(true, 5001), func(_, can string) bool { return can != "" }},
	}
	if m.Hide != nil {
		places = append(
			places,
			hideaway{"by its flag", m.Name(false, 5002), m.Name(false, 5003), func(actor, can string) bool {
				return actor != "outsider" && can != ""
			}},
		)
	}
	for i, p := range places {
		m.Prepare(g, p.hidden)
		if i > 0 {
			m.Hide(g, p.hidden)
		}
		cases := m.Cases(g, p.hidden, "root")
		for _, op := range m.operations() {
			c := cases[op.Op]
			for _, actor := range slices.Sorted(maps.Keys(all)) {
				q := Question{Op: op.Op, Need: op.Need, Actor: actor, Private: true, Can: all[actor]}
				if c.Whole || p.reads(actor, q.Can) || m.creates(op) && q.Can != "" {
					continue
				}
				m.compare(g, q, p, c)
			}
		}
	}
}

// creates reports whether the operation makes a package that is not there. Who may do that learns that a name is taken.
func (m Matrix[R]) creates(op wire.Route[R]) bool {
	return op.Need.Kind() == wire.Create || slices.Contains(m.Creating, op.Op)
}

func (m Matrix[R]) compare(g *Rig, q Question, p hideaway, c Case) {
	g.T.Helper()
	before := g.Journal()
	hidden := g.Do(c.Method, c.Path, c.Body, append([]Option{g.As(q.Actor)}, c.Opts...)...)
	absent := g.Do(c.Method, m.rename(c.Path, p), m.renameBody(c.Body, p), append([]Option{g.As(q.Actor)}, c.Opts...)...)
	if g.Journal() != before {
		g.T.Errorf("%s as %q, hidden %s: something has changed", q.Op, q.Actor, p.how)
	}
	if one, other := m.neutral(hidden, p), m.neutral(absent, p); one != other {
		g.T.Errorf("%s as %q: what is hidden %s is answered\n%s\nand what is absent\n%s", q.Op, q.Actor, p.how, one, other)
	}
}

// rename puts the absent name where the hidden one stands, in each of its spellings.
func (m Matrix[R]) rename(s string, p hideaway) string {
	for i, spelling := range m.spellings(p.hidden) {
		s = strings.ReplaceAll(s, spelling, m.spellings(p.absent)[i])
	}
	return s
}

func (m Matrix[R]) renameBody(body any, p hideaway) any {
	switch b := body.(type) {
	case nil:
		return nil
	case string:
		return m.rename(b, p)
	case []byte:
		return []byte(m.rename(string(b), p))
	}
	return m.rename(JSON(body), p)
}

func (m Matrix[R]) spellings(name string) []string {
	if m.Spellings == nil {
		return []string{name}
	}
	return m.Spellings(name)
}

// neutral is an answer without what differs by the name or the time.
func (m Matrix[R]) neutral(a Answer, p hideaway) string {
	var out bytes.Buffer
	head := a.Header.Clone()
	for _, k := range []string{"Date", "X-Request-Id"} {
		head.Del(k)
	}
	if err := head.Write(&out); err != nil {
		panic(err)
	}
	return fmt.Sprintf("%d %s%s", a.Status, m.rename(out.String(), p), m.rename(a.Body, p))
}

// checkBrowsers asks for every change as a browser does for a page of another site, with all rights: it is refused and
// changes nothing. What only reads is answered, changes nothing, and no other page may see it.
func (m Matrix[R]) checkBrowsers(g *Rig) {
	g.T.Helper()
	name := m.Name(false, 6000)
	m.Prepare(g, name)
	cases := m.Cases(g, name, "root")
	for _, op := range m.operations() {
		c := cases[op.Op]
		for site, head := range map[string][]string{
			"Sec-Fetch-Site": {"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"},
			"Origin":         {"Origin", "https://evil.example"}, "a sandbox": {"Origin", "null"},
		} {
			before := g.Journal()
			a := g.Do(c.Method, c.Path, c.Body, append(append([]Option{g.As("root")}, c.Opts...), Header(head...))...)
			reads := c.Method == http.MethodGet || c.Method == http.MethodHead
			if refused := strings.Contains(a.Body, "page of another site"); refused == reads ||
				!reads && a.Status != http.StatusForbidden {
				g.T.Errorf("%s asked for by another site (%s): %v", op.Op, site, a)
			}
			if g.Journal() != before {
				g.T.Errorf("%s asked for by another site (%s) has changed something", op.Op, site)
			}
			for k := range a.Header {
				if strings.HasPrefix(k, "Access-Control-") {
					g.T.Errorf("%s lets other sites read its answer: %s", op.Op, k)
				}
			}
		}
	}
}
