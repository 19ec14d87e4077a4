package rubygems

// Copies of remote registries. A gem's /info is passed on byte by byte; /versions is theirs with ours behind it, and only
// grows as long as theirs does. Every gem is checked against its line's checksum, which gem install itself never looks at.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"

	"larder/auth"
	"larder/internal/ledger"
	"larder/internal/problem"
	"larder/internal/registry"
	"larder/internal/wire"
	"larder/rubygems/compactindex"
	"larder/rubygems/gemspec"
	"larder/rubygems/names"
	"larder/store"
	"larder/upstream"
)

// Lifetimes of upstreams' documents.
const (
	freshVersions = time.Minute
	freshInfo     = 5 * time.Minute
)

func infoQuery(name string) upstream.Query {
	return upstream.Query{
		Package: name, Key: "info", Ref: "info/" + name, Fresh: freshInfo, Early: true, Versions: compactindex.CreatedTimes,
		Check: func(body []byte, _ string) error {
			if !bytes.HasPrefix(body, []byte(compactindex.InfoHead)) {
				return errors.New("not a gem's part of the compact index")
			}
			return nil
		},
	}
}

// proxiedInfo answers with an upstream's /info, without the lines that are held back or, offline, whose gem is not here.
func (s *server) proxiedInfo(w http.ResponseWriter, r *http.Request, name string) error {
	d, err := s.Up.Document(r.Context(), infoQuery(name))
	if err != nil {
		return err
	}
	wire.CacheHead(w, d, time.Now())
	offline := s.Up.Offline()
	doc, err := s.Store.Document(r.Context(), d.Rendered(name, "", "info"), func(ctx context.Context) (store.Rendered, error) {
		body, err := d.Bytes(ctx)
		if err != nil {
			return store.Rendered{}, err
		}
		bad := 0
		for line := range bytes.Lines(body) {
			if !compactindex.Harmless(line) {
				bad++
			}
		}
		if bad > 0 {
			s.Log.LogAttrs(ctx, slog.LevelWarn, "an upstream's versions are left out", slog.String("gem", name), slog.String("upstream", d.Upstream.Name()), slog.Int("lines", bad))
		}
		if bad > 0 || offline || s.Up.Gated() {
			body, err = s.offered(ctx, name, body, offline)
		}
		return plain(body), err
	})
	if err != nil {
		return err
	}
	return ledger.Document(doc).Serve(w, r, registry.Revalidate(r))
}

func (s *server) offered(ctx context.Context, name string, body []byte, offline bool) ([]byte, error) {
	out := []byte(compactindex.InfoHead)
	for _, l := range compactindex.Entries(body) {
		if offline {
			if here, err := s.Up.Here(ctx, name, names.FullName(name, l.ID)+".gem"); err != nil {
				return nil, err
			} else if !here {
				continue
			}
		}
		if err := s.Up.Allowed(ctx, name, l.ID); errors.Is(err, store.ErrDenied) {
			continue
		} else if err != nil {
			return nil, err
		}
		out = append(out, l.Raw...)
	}
	return out, nil
}

// joins remembers what /versions was last for those who see the same of ours.
type joins struct {
	mu   sync.Mutex // guards the rest
	last map[string]*joined
}

// joined is theirs and ours in one list.
type joined struct {
	compactindex.Joined
	of     string // what it was made from
	names  int64  // how many names had been claimed or released by then
	digest digest.Digest
}

// maxJoins bounds the memory; each is as large as the upstream's list.
const maxJoins = 8

// versionsQuery asks for a list of which only the end changes.
func versionsQuery() upstream.Query {
	return upstream.Query{Key: "versions", Ref: "versions", Fresh: freshVersions, Stale: -1, Tail: true, Limit: 1 << 30, Check: func(body []byte, _ string) error {
		if !bytes.HasPrefix(body, []byte("created_at:")) {
			return errors.New("not a list of the compact index")
		}
		return nil
	}}
}

// bothLists is the upstreams' lists without our names, and our own list behind them, as v sees it. As long as both only
// grow, so does what they make together; clients then fetch the end only.
func (s *server) bothLists(ctx context.Context, v registry.View) (*joined, error) {
	h, err := s.list.Head(ctx)
	if err != nil {
		return nil, err
	}
	next := &joined{names: s.Up.Renewals()}
	next.of = fmt.Sprint(h.Created.UnixNano(), " ", h.Size, " ", next.names)
	var lists []*upstream.Document
	var missing error
	for _, u := range s.Up.Upstreams() {
		d, err := s.Up.DocumentFrom(ctx, u, versionsQuery())
		if errors.Is(err, upstream.ErrOffline) {
			missing = err // another one's list may be here
			continue
		}
		if !u.Configured() && errors.Is(err, store.ErrNotFound) {
			continue // it need not have one
		}
		if err != nil {
			return nil, err
		}
		lists = append(lists, d)
		next.of += " " + d.Digest.String()
	}
	if len(lists) == 0 && missing != nil {
		return nil, missing
	}
	s.joins.mu.Lock()
	defer s.joins.mu.Unlock()
	last := s.joins.last[v.Key]
	if v.All && last != nil && last.of == next.of {
		return last, nil
	}
	if next.Theirs, err = listOf(ctx, lists); err != nil {
		return nil, err
	}
	if next.Ours, err = s.list.Bytes(ctx, h, 0, h.Size); err == nil && !v.All {
		next.Ours, err = compactindex.Filtered(next.Ours, v.Sees)
	}
	if err != nil {
		return nil, err
	}
	lines := compactindex.ListLines(next.Ours)
	if len(lists) == 0 {
		next.Theirs = next.Ours[:len(next.Ours)-len(lines)] // what a list begins with
	}
	next.Ours = lines
	if last == nil || last.names != next.names {
		last = &joined{}
	}
	if err := next.Follow(&last.Joined, func(list []byte) ([]byte, error) { return s.withoutOurs(ctx, list) }); err != nil {
		return nil, err
	}
	next.digest = digest.FromBytes(next.Body)
	if s.joins.last == nil || len(s.joins.last) >= maxJoins {
		s.joins.last = map[string]*joined{}
	}
	s.joins.last[v.Key] = next
	return next, nil
}

// listOf is the first list with the lines of the others behind it.
func listOf(ctx context.Context, lists []*upstream.Document) (all []byte, err error) {
	for _, d := range lists {
		body, err := d.Bytes(ctx)
		if err != nil {
			return nil, err
		}
		all = compactindex.AppendList(all, body)
	}
	return all, nil
}

// withoutOurs drops the lines of names that are not theirs to give, and those that must not be passed on.
func (s *server) withoutOurs(ctx context.Context, list []byte) (out []byte, err error) {
	known := map[string]bool{}
	for line := range bytes.Lines(list) {
		name, _, isGem := strings.Cut(string(line), " ")
		if !isGem || strings.HasPrefix(name, "created_at:") || strings.HasPrefix(name, "---") {
			out = append(out, line...)
			continue
		}
		theirs, seen := known[name]
		if !seen {
			theirs = s.Up.Theirs(ctx, name)
			known[name] = theirs
		}
		if !theirs || !compactindex.Harmless(line) {
			continue
		}
		if _, some := s.Up.BlockedVersions(name); some {
			line = compactindex.Without(line, func(id string) bool { return s.Up.Blocked(name, id) != nil })
		}
		out = append(out, line...)
	}
	return out, nil
}

// proxiedVersions answers with both lists.
func (s *server) proxiedVersions(ctx context.Context, v registry.View) (ledger.Content, error) {
	both, err := s.bothLists(ctx, v)
	if err != nil {
		return ledger.Content{}, err
	}
	key := store.DocKey{Kind: store.RubyGems.Documents(), Package: "-", Format: "versions " + both.digest.String()}
	doc, err := s.Store.Document(ctx, key, func(context.Context) (store.Rendered, error) { return plain(both.Body), nil })
	if err != nil {
		return ledger.Content{}, err
	}
	return ledger.Document(doc), nil
}

// proxiedNames answers with the names of both lists.
func (s *server) proxiedNames(w http.ResponseWriter, r *http.Request, both *joined) error {
	key := store.DocKey{Kind: store.RubyGems.Documents(), Package: "-", Format: "names " + both.digest.String()}
	doc, err := s.Store.Document(r.Context(), key, func(context.Context) (store.Rendered, error) {
		out, last := []byte(compactindex.InfoHead), ""
		compactindex.Tuples(both.Body, func(t gemspec.Tuple) {
			if t.Name != last {
				last = t.Name
				out = append(append(out, last...), '\n')
			}
		})
		return plain(out), nil
	})
	if err != nil {
		return err
	}
	return ledger.Document(doc).Serve(w, r, registry.Revalidate(r))
}

// proxiedFile answers with a gem of an upstream, or with its specification. Which gem it is cannot be seen in the name of
// a file, so the right is asked for each that it may be; miss is the error when it is none.
func (s *server) proxiedFile(w http.ResponseWriter, r *http.Request, full, suffix string, miss error) error {
	ctx := upstream.WithBudget(r.Context())
	for _, name := range names.Candidates(full) {
		if err := s.May(ctx, auth.Read, name); err != nil {
			return err
		}
		l, d, err := s.lineOf(ctx, name, strings.TrimPrefix(full, name+"-"))
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		f, err := s.Up.File(ctx, upstream.FileQuery{
			Package: name, Version: l.ID, Key: full + suffix, Head: r.Method == http.MethodHead,
			Find: func(context.Context) (upstream.Place, error) { return placeOf(full, suffix, l, d), nil },
		})
		if err != nil {
			return err
		}
		head := wire.BlobHead{Type: "application/octet-stream", CacheControl: registry.Immutable(r)}
		return s.SendCopy(w, r, f, head)
	}
	return miss
}

// placeOf is where an upstream has a file, and what it must be as far as the compact index says.
func placeOf(full, suffix string, l compactindex.Entry, d *upstream.Document) upstream.Place {
	p := upstream.Place{Upstream: d.Upstream, Ref: "gems/" + full + suffix, Type: "application/octet-stream"}
	switch {
	case suffix == suffixSpec:
		p.Ref = "quick/Marshal.4.8/" + full + suffix
	case l.SHA256 != "":
		p.Sums = map[string]string{"sha256": l.SHA256}
	}
	return p
}

// lineOf finds a version's line; one that is not there makes us ask for /info as it is now. A gem that is kept is found
// although its line has gone: lock files still name it.
func (s *server) lineOf(ctx context.Context, name, id string) (compactindex.Entry, *upstream.Document, error) {
	query := infoQuery(name)
	for _, again := range []bool{false, true} {
		if again {
			query.Fresh, query.Stale = -1, -1
		}
		d, err := s.Up.Document(ctx, query)
		if err != nil {
			return compactindex.Entry{}, nil, err
		}
		body, err := d.Bytes(ctx)
		if err != nil {
			return compactindex.Entry{}, nil, err
		}
		for _, l := range compactindex.Entries(body) {
			if l.ID == id {
				return l, d, nil
			}
		}
		if k, err := s.Up.Kept(ctx, name, names.FullName(name, id)+".gem"); err != nil || k != nil {
			return compactindex.Entry{ID: id}, d, err
		}
	}
	return compactindex.Entry{}, nil, problem.Errorf(store.ErrNotFound, "%s has no version %s", name, id)
}
