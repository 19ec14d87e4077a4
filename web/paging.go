package web

// Lists that come page by page: ?limit= is how many entries a page has, ?cursor= where it begins. The answer's next,
// and its header Link (RFC 8288), lead to what follows; without them there is no more.

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"larder/internal/openapi"
	"larder/internal/problem"
	"larder/store"
)

const (
	// adminPage is how many entries a page of an administrator's list has if nothing is said, and at most.
	adminPage = 1000
	// rowsPage is the same for lists of packages, versions and tags, rowsMost what they have at most.
	rowsPage, rowsMost = 50, 200
)

// paged are the parameters of every list that comes page by page.
func paged(more ...openapi.Parameter) []openapi.Parameter {
	return append(more,
		openapi.Parameter{Name: "limit", About: "how many entries a page has", Example: 0},
		openapi.Parameter{Name: "cursor", About: "the next of the page before", Example: ""})
}

// page is the part of a list that a request asks for.
type page struct {
	limit  int
	cursor string // "": the beginning
}

// pageOf reads limit and cursor.
func pageOf(r *http.Request, usual, most int) (p page, err error) {
	v := r.URL.Query()
	limit, err := number(v, "limit", uint64(usual), uint64(most))
	if err != nil {
		return p, err
	}
	raw, err := base64.RawURLEncoding.DecodeString(v.Get("cursor"))
	if err != nil {
		return p, badCursor()
	}
	return page{max(int(limit), 1), string(raw)}, nil
}

func badCursor() error {
	return problem.Errorf(store.ErrInvalid, "cursor must be the next of an answer of this list")
}

// from is the cursor of a list that is counted.
func (p page) from() (int, error) {
	if p.cursor == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(p.cursor, 10, 31)
	if err != nil {
		return 0, badCursor()
	}
	return int(n), nil
}

// counted is the cursor of a list that goes on at its nth entry; "" for 0.
func counted(n int) string {
	if n == 0 {
		return ""
	}
	return next(strconv.Itoa(n))
}

// next is a cursor as answers have it.
func next(cursor string) string { return base64.RawURLEncoding.EncodeToString([]byte(cursor)) }

// cut is the page of a list whose entries have different keys: it begins behind the one that the cursor names, or where
// that would stand in the order of keys.
func cut[T any](list []T, p page, key func(T) string) (part []T, following string) {
	from := 0
	if p.cursor != "" {
		from = slices.IndexFunc(list, func(v T) bool { return key(v) == p.cursor }) + 1
		if from == 0 {
			if from = slices.IndexFunc(list, func(v T) bool { return key(v) > p.cursor }); from < 0 {
				from = len(list)
			}
		}
	}
	to := min(from+p.limit, len(list))
	if to < len(list) {
		following = next(key(list[to-1]))
	}
	return list[from:to], following
}

// link announces a further page of the same request.
func link(w http.ResponseWriter, r *http.Request, following string) {
	if following == "" {
		return
	}
	q := url.Values{}
	for name, values := range r.URL.Query() {
		q[name] = values
	}
	q.Set("cursor", following)
	w.Header().Set("Link", "<?"+q.Encode()+`>; rel="next"`)
}
