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
	"larder/internal/gemspec"
	"larder/internal/ledger"
	"larder/internal/problem"
	"larder/internal/wire"
	"larder/rubygems/compactindex"
	"larder/rubygems/naming"
	"larder/store"
	"larder/upstream"
)

// Lifetimes of upstreams' documents.
const (
	freshVersions = time.Minute
	freshInfo     = 5 * time.Minute
)

// remote joins the server with the upstreams of its kind.
func (s *server) remote(r *upstream.Registry) {
	s.up = r.Set(store.RubyGems, upstream.Protocol{Spelling: Spelling(), Probe: infoQuery})
}

// elsewhere reports whether an upstream may have what is not here.
func (s *server) elsewhere(err error) bool { return s.up != nil && errors.Is(err, store.ErrNotFound) }

// mayTake refuses the first push of a name that an upstream has: it would hide a gem people rely on.
func (s *server) mayTake(ctx context.Context, name string) error {
	if s.up == nil {
		return nil
	}
	if _, err := s.packageRecord(ctx, name); !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return s.up.MayPublish(ctx, name)
}

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
	d, err := s.up.Document(r.Context(), infoQuery(name))
	if err != nil {
		return err
	}
	wire.CacheHead(w, d, time.Now())
	offline := s.up.Offline()
	doc, err := s.store.Document(r.Context(), d.Rendered(name, "", "info"), func(ctx context.Context) (store.Rendered, error) {
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
			s.log.LogAttrs(ctx, slog.LevelWarn, "an upstream's versions are left out", slog.String("gem", name), slog.String("upstream", d.Upstream.Name()), slog.Int("lines", bad))
		}
		if bad > 0 || offline || s.up.Gated() {
			body, err = s.offered(ctx, name, body, offline)
		}
		return plain(body), err
	})
	if err != nil {
		return err
	}
	return ledger.Document(doc).Serve(w, r, revalidate(r))
}

func (s *server) offered(ctx context.Context, name string, body []byte, offline bool) ([]byte, error) {
	out := []byte(compactindex.InfoHead)
	for _, l := range compactindex.Entries(body) {
		if offline {
			if here, err := s.up.Here(ctx, name, naming.FullName(name, l.ID)+".gem"); err != nil {
				return nil, err
			} else if !here {
				continue
			}
		}
		if err := s.up.Allowed(ctx, name, l.ID); errors.Is(err, store.ErrDenied) {
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
func (s *server) bothLists(ctx context.Context, v view) (*joined, error) {
	h, err := s.list.Head(ctx)
	if err != nil {
		return nil, err
	}
	next := &joined{names: s.up.Renewals()}
	next.of = fmt.Sprint(h.Created.UnixNano(), " ", h.Size, " ", next.names)
	var lists []*upstream.Document
	var missing error
	for _, u := range s.up.Upstreams() {
		d, err := s.up.DocumentFrom(ctx, u, versionsQuery())
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
	last := s.joins.last[v.who]
	if v.who == "" && last != nil && last.of == next.of {
		return last, nil
	}
	if next.Theirs, err = listOf(ctx, lists); err != nil {
		return nil, err
	}
	if next.Ours, err = s.list.Bytes(ctx, h, 0, h.Size); err == nil && v.who != "" {
		next.Ours, err = compactindex.Filtered(next.Ours, v.visible)
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
	s.joins.last[v.who] = next
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
			theirs = s.up.Theirs(ctx, name)
			known[name] = theirs
		}
		if !theirs || !compactindex.Harmless(line) {
			continue
		}
		if _, some := s.up.BlockedVersions(name); some {
			line = compactindex.Without(line, func(id string) bool { return s.up.Blocked(name, id) != nil })
		}
		out = append(out, line...)
	}
	return out, nil
}

// proxiedVersions answers with both lists.
func (s *server) proxiedVersions(ctx context.Context, v view) (ledger.Content, error) {
	both, err := s.bothLists(ctx, v)
	if err != nil {
		return ledger.Content{}, err
	}
	key := store.DocKey{Kind: store.RubyGems.Documents(), Package: "-", Format: "versions " + both.digest.String()}
	doc, err := s.store.Document(ctx, key, func(context.Context) (store.Rendered, error) { return plain(both.Body), nil })
	if err != nil {
		return ledger.Content{}, err
	}
	return ledger.Document(doc), nil
}

// proxiedNames answers with the names of both lists.
func (s *server) proxiedNames(w http.ResponseWriter, r *http.Request, both *joined) error {
	key := store.DocKey{Kind: store.RubyGems.Documents(), Package: "-", Format: "names " + both.digest.String()}
	doc, err := s.store.Document(r.Context(), key, func(context.Context) (store.Rendered, error) {
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
	return ledger.Document(doc).Serve(w, r, revalidate(r))
}

// proxiedFile answers with a gem of an upstream, or with its specification.
func (s *server) proxiedFile(w http.ResponseWriter, r *http.Request, q Request, miss error) error {
	ctx := upstream.WithBudget(r.Context())
	for _, name := range naming.Candidates(q.Full) {
		if err := s.may(ctx, auth.Read, name); err != nil {
			return err
		}
		l, d, err := s.lineOf(ctx, name, strings.TrimPrefix(q.Full, name+"-"))
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		place, key := upstream.Place{Upstream: d.Upstream, Ref: "gems/" + q.Full + ".gem", Type: "application/octet-stream"}, q.Full+".gem"
		if l.SHA256 != "" {
			place.Sums = map[string]string{"sha256": l.SHA256}
		}
		if q.Op == opQuick {
			place.Ref, place.Sums, key = "quick/Marshal.4.8/"+q.Full+".gemspec.rz", nil, q.Full+".gemspec.rz"
		}
		f, err := s.up.File(ctx, upstream.FileQuery{
			Package: name, Version: l.ID, Key: key, Head: r.Method == http.MethodHead,
			Find: func(context.Context) (upstream.Place, error) { return place, nil },
		})
		if err != nil {
			return err
		}
		return wire.ServeCached(w, r, s.store, f, wire.BlobHead{Type: "application/octet-stream", CacheControl: forever(r)})
	}
	return miss
}

// lineOf finds a version's line; one that is not there makes us ask for /info as it is now. A gem that is kept is found
// although its line has gone: lock files still name it.
func (s *server) lineOf(ctx context.Context, name, id string) (compactindex.Entry, *upstream.Document, error) {
	query := infoQuery(name)
	for _, again := range []bool{false, true} {
		if again {
			query.Fresh, query.Stale = -1, -1
		}
		d, err := s.up.Document(ctx, query)
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
		if k, err := s.up.Kept(ctx, name, naming.FullName(name, id)+".gem"); err != nil || k != nil {
			return compactindex.Entry{ID: id}, d, err
		}
	}
	return compactindex.Entry{}, nil, problem.Errorf(store.ErrNotFound, "%s has no version %s", name, id)
}
