// Package route reads request lines by a table. A row is a method and a path; the same row reads addresses, makes links
// and the Allow header of a 405, so that they cannot disagree.
//
//	GET  /-/package/{pkg...}/dist-tags/{tag}
//
// A path is segments of literal text with at most one {field} each, which may have text around it. {field...} takes one
// segment or more; a path has at most one of those, so that what stands behind it is read from the right. Segments are
// cut before they are decoded and decoded once. The first row that fits counts: all literals are there and every field
// takes its value. HEAD is GET.
package route

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"larder/internal/problem"
)

// ErrOther is returned by a field's Set for a value that cannot be one of its sort: another row may fit.
var ErrOther = errors.New("not this route")

// Row is the address of an endpoint. Op names what is done there; rows of one Op are different addresses of it.
type Row struct{ Method, Path, Op string }

// Field is a part of a path that becomes a part of the request R, and back.
type Field[R any] struct {
	// Set takes the decoded value. ErrOther if another row may fit; any other error is the answer if no row fits.
	Set func(q *R, value string) error
	// SetMany is Set for a {field...} that has to know where its segments end: npm's @acme%2fdemo is one, @acme/demo two.
	SetMany func(q *R, segs []string) error
	// Get returns the value for a link, escaped; "" if the request has none, so that another row of the Op is tried.
	// Without it the field's rows only read.
	Get func(q *R) string
	// None: a {field...} with SetMany takes no segment as well, to say what is wrong with that.
	None bool
	// Absent is the text of a 404 of a row that has the field; a later field of the row goes before an earlier one.
	Absent string
}

// Query is the query string of an endpoint.
type Query[R any] struct {
	Parse  func(q *R, v url.Values) error
	Format func(q *R, v url.Values) // the inverse, for links
}

// Grammar is what the rows of a protocol have in common.
type Grammar[R any] struct {
	Root string // what every path begins with, such as "/npm"
	// Roots, if set, are what a path may begin with, as it stands there; rows have them in their paths, and Root is "".
	Roots   []string
	Fields  map[string]Field[R] // by the name in the rows
	Queries map[string]Query[R] // by Op; other parameters are ignored
	Start   R                   // the request before anything is read
	Split   Split
	// NoRoute is the error for an address that does not exist, Malformed that for a path that can be none, NotAllowed that
	// for an address that does not have the method. Without them they are problem.ErrNoRoute, ErrBadPath and ErrMethod.
	// path is as the client wrote it.
	NoRoute    func(method string) error
	Malformed  func() error
	NotAllowed func(method, path string, allow []string) error
}

// Table is a compiled grammar. It is for use by many goroutines.
type Table[R any] struct {
	Grammar[R]
	rows  []row[R]
	first map[string][]int // indexes of the rows a path with this first segment may fit
	other []int            // those of all other paths
}

type row[R any] struct {
	Row
	parts  []part[R]
	order  []int // indexes of the parts in the order in which they are compared
	many   int   // index of the part that takes several segments, -1 without
	none   bool  // that part takes no segment as well
	bare   bool  // a slash at the end of the path is not looked at
	query  Query[R]
	absent string
}

type part[R any] struct {
	before, name, after string // text around the field; name is "" without one
	field               Field[R]
}

// New compiles the rows. It panics when a path names an unknown field or has two that take several segments: the
// table is the program's own.
func New[R any](g Grammar[R], rows []Row) *Table[R] {
	t := &Table[R]{Grammar: g, rows: make([]row[R], len(rows)), first: map[string][]int{}}
	for i, r := range rows {
		t.rows[i] = t.compile(r)
		if p := t.rows[i].parts; len(p) > 0 && p[0].name == "" {
			t.first[p[0].before] = nil
		}
	}
	for i := range t.rows {
		p := t.rows[i].parts
		if len(p) == 0 || p[0].name != "" {
			t.other = append(t.other, i)
		}
		for literal := range t.first {
			if len(p) > 0 && (p[0].name != "" || p[0].before == literal) {
				t.first[literal] = append(t.first[literal], i)
			}
		}
	}
	return t
}

func (t *Table[R]) compile(r Row) row[R] {
	c := row[R]{Row: r, many: -1, query: t.Queries[r.Op]}
	for i, s := range t.Split.pattern(r.Path) {
		before, rest, found := strings.Cut(s, "{")
		if !found {
			c.parts = append(c.parts, part[R]{before: s})
			continue
		}
		name, after, _ := strings.Cut(rest, "}")
		name, many := strings.CutSuffix(name, "...")
		f, known := t.Fields[name]
		if !known || many && c.many >= 0 {
			panic("route: " + r.Path + ": field " + name + " is unknown, or the second that takes several segments")
		}
		if many {
			c.many, c.none = i, f.None
		}
		if f.Absent != "" {
			c.absent = f.Absent
		}
		c.parts = append(c.parts, part[R]{before, name, after, f})
	}
	c.order = c.compareOrder()
	c.bare = t.Split.Slash == SlashOptional && !strings.HasSuffix(r.Path, "/")
	return c
}

// compareOrder begins with the literals, the last of them first: it is there that most rows differ from a path. The
// part that takes several segments is left out: it may begin and end with text of its own, which take looks at.
func (r *row[R]) compareOrder() (order []int) {
	for _, field := range []bool{false, true} {
		for i, p := range slices.Backward(r.parts) {
			if (p.name != "") == field && i != r.many {
				order = append(order, i)
			}
		}
	}
	return order
}

// Parse reads a request line and says which row it fits.
func (t *Table[R]) Parse(method, escaped string, query url.Values) (index int, q R, err error) {
	var buf [16]string
	segs, err := t.split(escaped, buf[:0])
	if err != nil {
		return -1, t.Start, err
	}
	if method == http.MethodHead {
		method = http.MethodGet
	}
	if index = t.find(method, segs, &q); index < 0 {
		return -1, t.Start, t.misfit(method, escaped, segs)
	}
	if parse := t.rows[index].query.Parse; parse != nil {
		err = parse(&q, query)
	}
	return index, q, err
}

// ParseQuery is the part of Parse that reads the query string of a row. It returns q with what it says.
func (t *Table[R]) ParseQuery(index int, q R, query url.Values) (R, error) {
	parse := t.rows[index].query.Parse
	if parse == nil {
		return q, nil
	}
	with := q // q itself stays off the heap
	err := parse(&with, query)
	return with, err
}

// Methods are the methods of an address, in the order of the rows; HEAD is not among them.
func (t *Table[R]) Methods(escaped string) (methods []string) {
	var buf [16]string
	segs, err := t.split(escaped, buf[:0])
	if err != nil {
		return nil
	}
	for _, i := range t.candidates(segs) {
		r, q := &t.rows[i], t.Start
		segs := r.cut(segs)
		if r.fits(segs) && r.take(&q, segs) == nil && !slices.Contains(methods, r.Method) {
			methods = append(methods, r.Method)
		}
	}
	return methods
}

// candidates are the indexes of the rows that may fit.
func (t *Table[R]) candidates(segs []string) []int {
	if len(segs) > 0 {
		if list, ok := t.first[segs[0]]; ok {
			return list
		}
	}
	return t.other
}

// find reads the first row that fits, -1 without one.
func (t *Table[R]) find(method string, segs []string, q *R) (index int) {
	for _, i := range t.candidates(segs) {
		r := &t.rows[i]
		if r.Method != method {
			continue
		}
		segs := r.cut(segs)
		if !r.fits(segs) {
			continue
		}
		*q = t.Start
		if r.take(q, segs) == nil {
			return i
		}
	}
	return -1
}

// misfit is the error for a path that no row fits: other methods would, or a field has one, or
// there is no such address.
func (t *Table[R]) misfit(method, path string, segs []string) (err error) {
	var allow []string
	for _, i := range t.candidates(segs) {
		r, q := &t.rows[i], t.Start
		segs := r.cut(segs)
		if !r.fits(segs) {
			continue
		}
		switch e := r.take(&q, segs); {
		case e == ErrOther:
		case e != nil:
			err = first(err, e)
		default:
			allow = append(allow, r.Method)
		}
	}
	switch {
	case len(allow) > 0:
		return t.notAllowed(method, path, allow)
	case err == nil:
		return t.noRoute(method)
	}
	return err
}

// cut leaves out the slash at the end where the row does not look at it.
func (r *row[R]) cut(segs []string) []string {
	if n := len(segs); r.bare && n > 0 && segs[n-1] == "" {
		return segs[:n-1]
	}
	return segs
}

// first is the first of two errors that is one.
func first(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// fits compares the number of segments and the literal text.
func (r *row[R]) fits(segs []string) bool {
	extra := len(segs) - len(r.parts)
	if extra < 0 && !(extra == -1 && r.none) || extra > 0 && r.many < 0 {
		return false
	}
	for _, i := range r.order {
		p, at := &r.parts[i], i
		if r.many >= 0 && i > r.many {
			at += extra
		}
		s := segs[at]
		if p.name == "" {
			if s != p.before {
				return false
			}
		} else if !p.around(s) {
			return false
		}
	}
	return true
}

// around reports whether s has the text that stands around the field, and something in between.
func (p *part[R]) around(s string) bool {
	return len(s) > len(p.before)+len(p.after) && strings.HasPrefix(s, p.before) && strings.HasSuffix(s, p.after)
}

func (r *row[R]) take(q *R, segs []string) error {
	extra := len(segs) - len(r.parts)
	for i := range r.parts {
		p, at := &r.parts[i], i
		if p.name == "" {
			continue
		}
		if r.many >= 0 && i > r.many {
			at += extra
		}
		if err := p.take(q, segs[at:at+1+many(i == r.many, extra)]); err != nil {
			return err
		}
	}
	return nil
}

// many is the number of further segments that a part takes.
func many(takesMany bool, extra int) int {
	if takesMany {
		return extra
	}
	return 0
}

func (p *part[R]) take(q *R, segs []string) error {
	if p.field.SetMany != nil {
		return p.field.SetMany(q, segs)
	}
	v := segs[0]
	if len(segs) > 1 {
		v = strings.Join(segs, "/")
	}
	if !p.around(v) {
		return ErrOther
	}
	return p.field.Set(q, v[len(p.before):len(v)-len(p.after)])
}

func (t *Table[R]) noRoute(method string) error {
	if t.NoRoute != nil {
		return t.NoRoute(method)
	}
	return problem.Errorf(problem.ErrNoRoute, "this registry has no such address")
}

func (t *Table[R]) malformed() error {
	if t.Malformed != nil {
		return t.Malformed()
	}
	return problem.Errorf(problem.ErrBadPath, "the path is malformed")
}

func (t *Table[R]) tooLong() error {
	if t.Malformed != nil {
		return t.Malformed()
	}
	return problem.Errorf(problem.ErrBadPath, "the path is too long")
}

func (t *Table[R]) notAllowed(method, path string, allow []string) error {
	if slices.Contains(allow, http.MethodGet) {
		allow = append(allow, http.MethodHead)
	}
	slices.Sort(allow)
	allow = slices.Compact(allow)
	if t.NotAllowed != nil {
		return t.NotAllowed(method, path, allow)
	}
	return problem.NotAllowed(allow...)
}

// Row is a row by its index.
func (t *Table[R]) Row(index int) Row { return t.rows[index].Row }

// Absent is the text of a 404 of a row; "" when none of its fields has one.
func (t *Table[R]) Absent(index int) string { return t.rows[index].absent }

// Link is the inverse of Parse: the path, with its escapes and query, of the first row of op whose fields the
// request has. "" if there is none.
func (t *Table[R]) Link(op string, q R) string {
	var buf [192]byte
	for i := range t.rows {
		r := &t.rows[i]
		if r.Op != op {
			continue
		}
		path, ok := r.link(append(buf[:0], t.Root...), &q)
		if !ok {
			continue
		}
		if format := r.query.Format; format != nil {
			v := url.Values{}
			if format(&q, v); len(v) > 0 {
				path = append(append(path, '?'), v.Encode()...)
			}
		}
		return string(path)
	}
	return ""
}

// link appends the row's path to path.
func (r *row[R]) link(path []byte, q *R) ([]byte, bool) {
	for i := range r.parts {
		p := &r.parts[i]
		path = append(append(path, '/'), p.before...)
		if p.name == "" {
			continue
		}
		v := ""
		if p.field.Get != nil {
			v = p.field.Get(q)
		}
		if v == "" {
			return nil, false
		}
		path = append(append(path, v...), p.after...)
	}
	if len(r.parts) == 0 && r.Path == "/" {
		path = append(path, '/')
	}
	return path, true
}
