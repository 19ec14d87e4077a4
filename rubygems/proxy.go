package rubygems

// Copies of upstream registries. A gem's /info is passed on as it is. /versions is the upstream's list followed by our
// own, and only grows as long as the upstream's does. Every gem is checked against the checksum in its line, which gem
// install itself does not read.

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

// How long the documents of upstreams are fresh.
const (
	freshVersions = time.Minute
	freshInfo     = 5 * time.Minute
)

// formInfo is the key of an upstream's /info.
const formInfo = "info"

func (s *server) infoQuery(name string) upstream.Query {
	return upstream.Query{
		Package: name, Key: formInfo, Ref: "info/" + name, Fresh: freshInfo, Early: true,
		Versions: compactindex.CreatedTimes,
		Check: func(body []byte, _ string) error {
			if !bytes.HasPrefix(body, []byte(compactindex.InfoHead)) {
				return errors.New("not a gem's part of the compact index")
			}
			return nil
		},
		Instead: func(ctx context.Context, u *upstream.Upstream) ([]byte, error) { return s.infoInstead(ctx, u, name) },
	}
}

// proxiedInfo answers with an upstream's /info, without versions that a rule refuses and, offline, those that are not
// kept.
func (s *server) proxiedInfo(w http.ResponseWriter, r *http.Request, name string) error {
	d, err := s.Up.Document(r.Context(), s.infoQuery(name))
	if err != nil {
		return err
	}
	wire.CacheHead(w, d, time.Now())
	offline := s.Up.Offline()
	key := d.Rendered(name, "", "info")
	doc, err := s.Store.Document(r.Context(), key, func(ctx context.Context) (store.Rendered, error) {
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
			s.Log.LogAttrs(
				ctx, slog.LevelWarn, "an upstream's versions are left out", slog.String("gem", name),
				slog.String("upstream", d.Upstream.Name()), slog.Int("lines", bad),
			)
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

// offered returns an upstream's /info without the lines that may not be passed on.
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

// joins are the last /versions, by registry.View.Key of the clients that see the same of our own list.
type joins struct {
	mu   sync.Mutex // guards the rest
	last map[string]*joined
}

// joined is the lists of the upstreams and our own in one.
type joined struct {
	compactindex.Joined
	of     string // identifies the lists and claims that it was made from
	names  int64  // how many names had been claimed or released
	digest digest.Digest
}

// maxJoins is how many lists are remembered. Each is as large as the upstream's.
const maxJoins = 8

// versionsQuery asks for a list that only grows.
func (s *server) versionsQuery() upstream.Query {
	return upstream.Query{
		Key: "versions", Ref: "versions", Fresh: freshVersions, Tail: true, Limit: 1 << 30,
		Check: func(body []byte, _ string) error {
			if !bytes.HasPrefix(body, []byte("created_at:")) {
				return errors.New("not a list of the compact index")
			}
			return nil
		},
		Instead: s.versionsInstead,
	}
}

// bothLists is the lists of the upstreams without our names, followed by our own list as v sees it. As long as all of
// them only grow, so does the joined one, and clients fetch only its end.
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
		d, err := s.Up.DocumentFrom(ctx, u, s.versionsQuery())
		if errors.Is(err, upstream.ErrOffline) {
			missing = err // the list of another upstream may be kept
			continue
		}
		if !u.Configured() && errors.Is(err, store.ErrNotFound) {
			continue // of one that is not configured any more, the list need not be kept
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
		next.Theirs = next.Ours[:len(next.Ours)-len(lines)] // the head of our own
	}
	next.Ours = lines
	if last == nil || last.names != next.names {
		last = &joined{}
	}
	pass := func(list []byte) ([]byte, error) { return s.withoutOurs(ctx, list, v) }
	if err := next.Follow(&last.Joined, pass); err != nil {
		return nil, err
	}
	next.digest = digest.FromBytes(next.Body)
	if s.joins.last == nil || len(s.joins.last) >= maxJoins {
		s.joins.last = map[string]*joined{}
	}
	s.joins.last[v.Key] = next
	return next, nil
}

// listOf is the first list, followed by the lines of the others.
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

// withoutOurs removes the lines of gems that are ours or blocked or not in v, and those that may not be passed on.
func (s *server) withoutOurs(ctx context.Context, list []byte, v registry.View) (out []byte, err error) {
	known := map[string]bool{}
	out = make([]byte, 0, len(list))
	for line := range bytes.Lines(list) {
		first, _, isGem := bytes.Cut(line, []byte(" "))
		name := string(first)
		if !isGem || strings.HasPrefix(name, "created_at:") || strings.HasPrefix(name, "---") {
			out = append(out, line...)
			continue
		}
		theirs, seen := known[name]
		if !seen {
			if theirs = s.Up.Theirs(ctx, name); theirs && !v.All {
				if theirs, err = v.Sees(name); err != nil {
					return nil, err
				}
			}
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

// proxiedVersions is /versions of both lists.
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

// proxiedFile answers with a gem of an upstream, or with its specification. miss is the error if it is of no gem.
func (s *server) proxiedFile(w http.ResponseWriter, r *http.Request, full, suffix string, miss error) error {
	ctx := upstream.WithBudget(r.Context())
	name, l, u, err := s.remoteVersion(ctx, full, miss)
	if err != nil {
		return err
	}
	if suffix == suffixGem {
		wire.Pulling(ctx, name, l.ID)
	}
	f, err := s.Up.File(ctx, upstream.FileQuery{
		Package: name, Version: l.ID, Key: full + suffix, Head: r.Method == http.MethodHead,
		Find: func(context.Context) (upstream.Place, error) { return placeOf(full, suffix, l, u), nil },
	})
	if err != nil {
		return err
	}
	head := wire.BlobHead{Type: "application/octet-stream", CacheControl: registry.Immutable(r)}
	return s.SendCopy(w, r, f, head)
}

// remoteVersion finds the version of an upstream that a full name stands for. The name does not say which gem it is of,
// so the right is asked for every gem that it may be of. miss is the error if it is of none. A version that is kept, or
// that an /info has named once, is found without a line, too: lock files still name it.
func (s *server) remoteVersion(
	ctx context.Context, full string, miss error,
) (name string, l compactindex.Entry, u *upstream.Upstream, err error) {
	for _, name = range names.Candidates(full) {
		if err := s.May(ctx, auth.Read, name); err != nil {
			return name, l, nil, err
		}
		id := strings.TrimPrefix(full, name+"-")
		l, u, err = s.lineOf(ctx, name, id)
		if !errors.Is(err, store.ErrNotFound) {
			return name, l, u, err
		}
		p, err := s.Up.Shown(ctx, name, full+suffixGem)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return name, l, nil, err
		}
		if p != nil {
			return name, compactindex.Entry{ID: id, SHA256: p.Sums["sha256"]}, p.Upstream, nil
		}
	}
	return "", l, nil, miss
}

// placeOf is where an upstream has a file. A gem must have the checksum of its line.
func placeOf(full, suffix string, l compactindex.Entry, u *upstream.Upstream) upstream.Place {
	p := upstream.Place{Upstream: u, Ref: "gems/" + full + suffix, Type: "application/octet-stream"}
	switch {
	case suffix == suffixSpec:
		p.Ref, p.Remade = "quick/Marshal.4.8/"+full+suffix, true
	case l.SHA256 != "":
		p.Sums = map[string]string{"sha256": l.SHA256}
	}
	return p
}

// remoteFiles are the gems that an upstream's /info refers to, and their specifications.
func remoteFiles(name, key string, d *upstream.Document, body []byte) map[string]upstream.Place {
	if key != formInfo {
		return nil
	}
	files := map[string]upstream.Place{}
	for _, l := range compactindex.Entries(body) {
		full := names.FullName(name, l.ID)
		for _, suffix := range []string{suffixGem, suffixSpec} {
			files[full+suffix] = placeOf(full, suffix, l, d.Upstream)
		}
	}
	return files
}

// lineOf finds a version's line. If the kept /info has none, it asks the upstream for the present one. A gem that is
// kept is found without a line, too.
func (s *server) lineOf(ctx context.Context, name, id string) (l compactindex.Entry, u *upstream.Upstream, err error) {
	found, err := s.Up.Find(ctx, s.infoQuery(name), func(info *upstream.Document, body []byte, _ bool) (bool, error) {
		for _, e := range compactindex.Entries(body) {
			if e.ID == id {
				l, u = e, info.Upstream
				return true, nil
			}
		}
		k, err := s.Up.Kept(ctx, name, names.FullName(name, id)+".gem")
		if k != nil {
			l, u = compactindex.Entry{ID: id}, info.Upstream
		}
		return k != nil, err
	})
	if err == nil && !found {
		err = problem.Errorf(store.ErrNotFound, "%s has no version %s", name, id)
	}
	return l, u, err
}
