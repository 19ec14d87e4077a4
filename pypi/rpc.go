package pypi

// XML-RPC: pip search, and the change feed that mirrors follow.

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"larder/auth"
	"larder/internal/budget"
	"larder/internal/problem"
	"larder/internal/registry"
	"larder/internal/wire"
	"larder/internal/xmlrpc"
	"larder/store"
)

const (
	maxChanges = 10_000 // rows of one answer of the change feed
	maxHits    = 1000   // of a search
	maxWords   = 5      // of a search; each costs a look
)

// post tells the two things that are sent to the index's own address apart.
func (s *server) post(w http.ResponseWriter, r *http.Request, q Request) error {
	if t := r.Header.Get("Content-Type"); !strings.HasPrefix(t, "text/xml") && !strings.HasPrefix(t, "application/xml") {
		return s.upload(w, r, q)
	}
	if ctx := r.Context(); wire.IdentityFrom(ctx).Anonymous {
		if err := s.May(ctx, auth.Read, ""); err != nil {
			return err
		}
	}
	return s.rpc(w, r, q)
}

// rpc answers a call. Whoever may read some projects sees those.
func (s *server) rpc(w http.ResponseWriter, r *http.Request, _ Request) error {
	ctx := r.Context()
	view := s.View(ctx)
	body, err := wire.ReadBody(r, maxSmallBody)
	if err != nil {
		return err
	}
	call, err := xmlrpc.Parse(body)
	if err != nil {
		return problem.Wrap(err, store.ErrInvalid, "The request is not an XML-RPC call.")
	}
	var v any
	switch call.Method {
	case "search":
		v, err = s.rpcSearch(ctx, call.Params)
	case "changelog_last_serial":
		last, lastErr := s.all.last(ctx)
		v, err = int64(last), lastErr
	case "changelog_since_serial":
		err = s.Store.Heavy(ctx, func() (err error) {
			v, err = s.rpcChanges(ctx, view, call.Params)
			return err
		})
	case "list_packages_with_serial":
		return s.rpcAll(ctx, view, w)
	default:
		err = badCall("This index does not know the method %.60q; it knows search, changelog_last_serial, "+
			"changelog_since_serial and list_packages_with_serial.", call.Method)
	}
	if err != nil {
		return err
	}
	return sendRPC(w, xmlrpc.Response(v))
}

// rpcAll answers with all projects: for those who see all of them, what was made of the index as it is now.
func (s *server) rpcAll(ctx context.Context, view registry.View, w http.ResponseWriter) error {
	render := func(ctx context.Context) (body []byte, err error) {
		err = s.Store.Heavy(ctx, func() error {
			v, err := s.rpcList(ctx, view, func(p project) (string, any) { return p.Display, int64(p.Serial) })
			if err == nil {
				body = xmlrpc.Response(v)
			}
			return err
		})
		return body, err
	}
	if !view.All {
		body, err := render(ctx)
		if err != nil {
			return err
		}
		return sendRPC(w, body)
	}
	key := store.DocKey{Kind: store.PyPI, Format: "list_packages_with_serial"}
	doc, err := s.Store.Document(ctx, key, func(ctx context.Context) (store.Rendered, error) {
		body, err := render(ctx)
		return store.Rendered{Body: body, Type: typeXML}, err
	})
	if err != nil {
		return err
	}
	body, err := doc.Encoded(store.Identity)
	if err != nil {
		return err
	}
	return sendRPC(w, body)
}

const typeXML = "text/xml; charset=utf-8"

func sendRPC(w http.ResponseWriter, answer []byte) error {
	h := w.Header()
	h.Set("Content-Type", typeXML)
	h.Set("Content-Length", strconv.Itoa(len(answer)))
	_, err := w.Write(answer)
	return err
}

// rpcList is one entry for each project that may be seen.
func (s *server) rpcList(
	ctx context.Context, view registry.View, entry func(project) (string, any),
) (any, error) {
	all, _, err := s.all.snapshot(ctx)
	if err == nil {
		err = budget.Take(ctx, int64(len(all))*listedSize)
	}
	if err == nil {
		all, err = registry.Visible(view, all, func(p project) string { return p.name })
	}
	if err != nil {
		return nil, err
	}
	out := make(map[string]any, len(all))
	for _, p := range all {
		key, value := entry(p)
		out[key] = value
	}
	return out, nil
}

// rpcChanges are rows [name, version, time, action, serial] after a serial.
func (s *server) rpcChanges(ctx context.Context, view registry.View, params []any) (any, error) {
	if len(params) != 1 {
		return nil, badCall("changelog_since_serial takes one number.")
	}
	since, ok := params[0].(int64)
	if !ok || since < 0 {
		return nil, badCall("changelog_since_serial takes a number.")
	}
	rows := []any{}
	err := s.Store.View(ctx, func(tx *store.Tx) error {
		for key, value := range s.Repo.KindIndex(tx, tableChanges).Scan(nil, key64(uint64(since))) {
			var c change
			if err := json.Unmarshal(value, &c); err != nil {
				return fmt.Errorf("change log: %w", err)
			}
			var version any
			if c.Version != "" {
				version = c.Version
			}
			if rows = append(rows, []any{c.Name, version, c.Time, c.Action, int64(number(key))}); len(rows) == maxChanges {
				break
			}
		}
		return nil
	})
	if err != nil || view.All {
		return rows, err
	}
	visible := map[string]bool{}
	for _, row := range rows {
		name, _ := row.([]any)[0].(string)
		if _, known := visible[name]; !known {
			if visible[name], err = view.Sees(name); err != nil {
				return nil, err
			}
		}
	}
	return slices.DeleteFunc(rows, func(row any) bool {
		name, _ := row.([]any)[0].(string)
		return !visible[name]
	}), nil
}

func badCall(format string, args ...any) error {
	return problem.Wrap(xmlrpc.ErrCall, store.ErrInvalid, format, args...)
}

// rpcSearch answers pip search: {name: words, summary: words}, "or".
func (s *server) rpcSearch(ctx context.Context, params []any) (any, error) {
	if len(params) == 0 {
		return nil, badCall("search takes a struct of words.")
	}
	fields, ok := params[0].(map[string]any)
	if !ok {
		return nil, badCall("search takes a struct of words.")
	}
	scores, byName := map[string]int{}, map[string]registry.Found{}
	for _, w := range searchWords(fields) {
		found, err := s.Find(ctx, store.Query{Words: []string{w}})
		if err != nil {
			return nil, err
		}
		for _, f := range found {
			scores[f.Name] += f.Score
			byName[f.Name] = f
		}
	}
	found := slices.SortedFunc(maps.Values(byName), func(a, b registry.Found) int {
		return cmp.Or(cmp.Compare(scores[b.Name], scores[a.Name]), cmp.Compare(a.Name, b.Name))
	})
	return s.hits(ctx, found[:min(len(found), maxHits)])
}

// searchWords are the words of name and summary, each once.
func searchWords(fields map[string]any) (out []string) {
	for _, key := range []string{"name", "summary"} {
		list, ok := fields[key].([]any)
		if !ok {
			list = []any{fields[key]}
		}
		for _, v := range list {
			text, _ := v.(string)
			for _, w := range words(text) {
				if !slices.Contains(out, w) && len(out) < maxWords {
					out = append(out, w)
				}
			}
		}
	}
	return out
}

// hits are the structs of a search's answer.
func (s *server) hits(ctx context.Context, found []registry.Found) (any, error) {
	list, err := s.Describe(ctx, found)
	if err != nil {
		return nil, err
	}
	out := []any{}
	for _, d := range list {
		var sum release
		if err := json.Unmarshal(d.Data, &sum); err != nil {
			return nil, fmt.Errorf("listing of %s: %w", d.Name, err)
		}
		out = append(
			out, map[string]any{"name": d.Name, "summary": sum.About.Summary, "version": sum.ID, "_pypi_ordering": false},
		)
	}
	return out, nil
}

// Weights of words by where they are found.
const (
	weightName    = 60
	weightPart    = 20
	weightKeyword = 10
	weightSummary = 2
)

// listingOf makes a project findable by its latest release.
func listingOf(name string, rel release) store.Listing {
	l := store.Listing{Words: map[string]int{}}
	add := func(weight int, list ...string) {
		for _, w := range list {
			l.Words[w] = max(l.Words[w], weight)
		}
	}
	add(weightSummary, words(rel.About.Summary)...)
	for _, k := range rel.About.Keywords {
		add(weightKeyword, words(k)...)
		l.Marks = append(l.Marks, "keyword:"+strings.ToLower(k))
	}
	add(weightPart, words(name)...)
	add(weightName, name)
	l.Depends(rel.About.Needs...)
	rel.About.Needs = nil // the marks have them
	data, err := json.Marshal(rel)
	if err != nil {
		data = []byte("{}") // not reached: a release is strings
	}
	l.Data = data
	return l
}

// words are the lower-case words of a text.
func words(s string) []string {
	return strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}
