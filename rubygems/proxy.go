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
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"

	"larder/auth"
	"larder/internal/gemspec"
	"larder/internal/ledger"
	"larder/internal/wire"
	"larder/store"
	"larder/upstream"
)

// Lifetimes of upstreams' documents.
const (
	freshVersions = time.Minute
	freshInfo     = 5 * time.Minute
)

// remote joins the server with the upstreams of its kind. A name that differs from one of ours in case is ours.
func (s *server) remote(r *upstream.Registry) {
	ours := store.NewMemo[string, bool](s.store, store.RubyGems)
	s.up = r.Set(store.RubyGems, upstream.Protocol{
		Fold: func(name string) string { return strings.ReplaceAll(strings.ToLower(name), "_", "-") },
		Local: func(ctx context.Context, name string) (bool, error) {
			return ours.Get("", name, func() (taken bool, err error) {
				err = s.store.View(ctx, func(tx *store.Tx) error {
					taken = s.tablesOf(tx)(namesTable).Get([]byte(strings.ToLower(name))) != nil
					return nil
				})
				return taken, err
			})
		},
		Probe: infoQuery,
	})
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
		Package: name, Key: "info", Ref: "info/" + name, Fresh: freshInfo, Versions: createdTimes,
		Check: func(body []byte, _ string) error {
			if !bytes.HasPrefix(body, []byte(infoHead)) {
				return errors.New("not a gem's part of the compact index")
			}
			return nil
		},
	}
}

// remoteLine is a line of an upstream's /info.
type remoteLine struct {
	id, sha256 string
	created    time.Time
	raw        []byte // with its newline
}

// harmless reports whether a line of an upstream may be passed on. What the compact index says becomes names of files and text
// on terminals; all of it is printable ASCII, and no part of it is a path.
func harmless(line []byte) bool {
	return !bytes.Contains(line, []byte("..")) && !bytes.ContainsFunc(bytes.TrimRight(line, "\r\n"), func(r rune) bool {
		return r < ' ' || r > '~' || r == '/' || r == '\\'
	})
}

// infoLines reads what may be passed on.
func infoLines(body []byte) (lines []remoteLine) {
	for raw := range bytes.Lines(bytes.TrimPrefix(body, []byte(infoHead))) {
		l := remoteLine{raw: raw}
		text := strings.TrimRight(string(raw), "\r\n")
		l.id, _, _ = strings.Cut(text, " ")
		_, facts, _ := strings.Cut(text, "|")
		for fact := range strings.SplitSeq(facts, ",") {
			key, value, _ := strings.Cut(fact, ":")
			switch key {
			case "checksum":
				l.sha256 = value
			case "created_at":
				l.created, _ = time.Parse(time.RFC3339, value) // zero when nobody can read it
			}
		}
		if l.id != "" && harmless(raw) {
			lines = append(lines, l)
		}
	}
	return lines
}

func createdTimes(body []byte) map[string]time.Time {
	out := map[string]time.Time{}
	for _, l := range infoLines(body) {
		out[l.id] = l.created
	}
	return out
}

// proxiedInfo answers with an upstream's /info, without the lines that are held back or, offline, whose gem is not here.
func (s *server) proxiedInfo(w http.ResponseWriter, r *http.Request, name string) error {
	d, err := s.up.Document(r.Context(), infoQuery(name))
	if err != nil {
		return err
	}
	wire.CacheHead(w, d, time.Now())
	offline := s.up.Offline()
	key := store.DocKey{Kind: store.RubyGems.Documents(), Package: name, Format: fmt.Sprintf("info %s %s %t", d.Digest, s.up.GateKey(), offline)}
	doc, err := s.store.Document(r.Context(), key, func(ctx context.Context) (store.Rendered, error) {
		body, err := d.Bytes(ctx)
		if err != nil {
			return store.Rendered{}, err
		}
		bad := 0
		for line := range bytes.Lines(body) {
			if !harmless(line) {
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
	out := []byte(infoHead)
	for _, l := range infoLines(body) {
		if offline {
			if here, err := s.up.Here(ctx, name, fullName(name, l.id)+".gem"); err != nil {
				return nil, err
			} else if !here {
				continue
			}
		}
		if err := s.up.Allowed(ctx, name, l.id); errors.Is(err, store.ErrDenied) {
			continue
		} else if err != nil {
			return nil, err
		}
		out = append(out, l.raw...)
	}
	return out, nil
}

// joins remembers what /versions was last for those who see the same of ours.
type joins struct {
	mu   sync.Mutex // guards the rest
	last map[string]*joined
}

// joined is a list: theirs, then ours, then whatever came to either since.
type joined struct{ theirs, ours, body []byte }

// maxJoins bounds the memory; each is as large as the upstream's list.
const maxJoins = 8

// continues reports whether both lists only grew since, by nothing that hides a name of theirs.
func (j *joined) continues(theirs, ours []byte) bool {
	if j == nil || !bytes.HasPrefix(theirs, j.theirs) || !bytes.HasPrefix(ours, j.ours) {
		return false
	}
	for line := range bytes.Lines(ours[len(j.ours):]) {
		name, _, _ := bytes.Cut(line, []byte(" "))
		if bytes.Contains(j.theirs, append(append([]byte{'\n'}, name...), ' ')) {
			return false
		}
	}
	return true
}

// versionsQuery asks for a list of which only the end changes.
func versionsQuery() upstream.Query {
	return upstream.Query{Key: "versions", Ref: "versions", Fresh: freshVersions, Stale: -1, Tail: true, Limit: 1 << 30, Check: func(body []byte, _ string) error {
		if !bytes.HasPrefix(body, []byte("created_at:")) {
			return errors.New("not a list of the compact index")
		}
		return nil
	}}
}

// joinedVersions is the first upstream's list without our names, and our own list behind it. As long as both only grow, so
// does what they make together; clients then fetch the end only.
func (s *server) joinedVersions(ctx context.Context, who string, own []byte) ([]byte, error) {
	var theirs []byte
	for _, u := range s.up.Upstreams() {
		d, err := s.up.DocumentFrom(ctx, u, versionsQuery())
		if err != nil {
			return nil, err
		}
		body, err := d.Bytes(ctx)
		if err != nil {
			return nil, err
		}
		if len(theirs) == 0 {
			theirs = body
		} else {
			theirs = append(bytes.Clone(theirs), listLines(body)...)
		}
	}
	own = listLines(own)
	s.joins.mu.Lock()
	defer s.joins.mu.Unlock()
	j, next := s.joins.last[who], &joined{theirs: theirs, ours: own}
	if j.continues(theirs, own) {
		more, err := s.withoutOurs(ctx, theirs[len(j.theirs):])
		if err != nil {
			return nil, err
		}
		next.body = slices.Concat(j.body, more, own[len(j.ours):])
	} else {
		body, err := s.withoutOurs(ctx, theirs)
		if err != nil {
			return nil, err
		}
		next.body = append(body, own...)
	}
	if s.joins.last == nil || len(s.joins.last) >= maxJoins {
		s.joins.last = map[string]*joined{}
	}
	s.joins.last[who] = next
	return next.body, nil
}

// listLines are a list's lines behind its head.
func listLines(list []byte) []byte {
	_, lines, _ := bytes.Cut(list, []byte("---\n"))
	return lines
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
		if theirs && harmless(line) {
			out = append(out, line...)
		}
	}
	return out, nil
}

// bothLists are theirs and ours, for all who see the same of ours.
func (s *server) bothLists(ctx context.Context, h *ledger.Head, v view) ([]byte, error) {
	all, err := s.list.Bytes(ctx, h, 0, h.Size)
	if err == nil && v.who != "" {
		all, err = filtered(all, v.visible)
	}
	if err != nil {
		return nil, err
	}
	return s.joinedVersions(ctx, v.who, all)
}

// proxiedVersions answers with both lists.
func (s *server) proxiedVersions(ctx context.Context, h *ledger.Head, v view) (ledger.Content, error) {
	body, err := s.bothLists(ctx, h, v)
	if err != nil {
		return ledger.Content{}, err
	}
	key := store.DocKey{Kind: store.RubyGems.Documents(), Package: "-", Format: "versions " + string(digest.FromBytes(body))}
	doc, err := s.store.Document(ctx, key, func(context.Context) (store.Rendered, error) { return plain(body), nil })
	if err != nil {
		return ledger.Content{}, err
	}
	return ledger.Document(doc), nil
}

// proxiedNames answers with the names of both lists.
func (s *server) proxiedNames(w http.ResponseWriter, r *http.Request, both []byte) error {
	key := store.DocKey{Kind: store.RubyGems.Documents(), Package: "-", Format: "names " + string(digest.FromBytes(both))}
	doc, err := s.store.Document(r.Context(), key, func(context.Context) (store.Rendered, error) {
		out, last := []byte(infoHead), ""
		tuplesOf(both, func(t gemspec.Tuple) {
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

// tuplesOf reads what a list says is there now; a version with a dash before it is not any more.
func tuplesOf(list []byte, yield func(gemspec.Tuple)) {
	type gem struct {
		ids  []string
		gone map[string]bool
	}
	gems, names := map[string]*gem{}, []string{}
	for line := range bytes.Lines(listLines(list)) {
		fields := strings.Fields(string(line))
		if len(fields) < 2 {
			continue
		}
		g := gems[fields[0]]
		if g == nil {
			g = &gem{gone: map[string]bool{}}
			gems[fields[0]], names = g, append(names, fields[0])
		}
		for id := range strings.SplitSeq(fields[1], ",") {
			if yanked, was := strings.CutPrefix(id, "-"); was {
				g.gone[yanked] = true
				continue
			}
			delete(g.gone, id)
			g.ids = append(g.ids, id)
		}
	}
	for _, name := range names {
		g := gems[name]
		g.ids = slices.DeleteFunc(g.ids, func(id string) bool { return g.gone[id] })
		slices.SortFunc(g.ids, newerFirst)
		for _, id := range slices.Compact(g.ids) {
			number, platform := splitID(id)
			yield(gemspec.Tuple{Name: name, Number: number, Platform: platform})
		}
	}
}

// candidates are the gems a full name can belong to, the longest first: foo-2-1.0-x86_64-linux is foo-2 or foo.
func candidates(full string) (names []string) {
	for i := len(full) - 2; i > 0; i-- {
		if full[i] == '-' && full[i+1] >= '0' && full[i+1] <= '9' {
			names = append(names, full[:i])
		}
	}
	return names
}

// proxiedFile answers with a gem of an upstream, or with its specification.
func (s *server) proxiedFile(w http.ResponseWriter, r *http.Request, q Request, miss error) error {
	ctx := upstream.WithBudget(r.Context())
	for _, name := range candidates(q.Full) {
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
		if l.sha256 != "" {
			place.Sums = map[string]string{"sha256": l.sha256}
		}
		if q.Op == opQuick {
			place.Ref, place.Sums, key = "quick/Marshal.4.8/"+q.Full+".gemspec.rz", nil, q.Full+".gemspec.rz"
		}
		f, err := s.up.File(ctx, upstream.FileQuery{
			Package: name, Version: l.id, Key: key, Head: r.Method == http.MethodHead,
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
func (s *server) lineOf(ctx context.Context, name, id string) (remoteLine, *upstream.Document, error) {
	query := infoQuery(name)
	for _, again := range []bool{false, true} {
		if again {
			query.Fresh, query.Stale = -1, -1
		}
		d, err := s.up.Document(ctx, query)
		if err != nil {
			return remoteLine{}, nil, err
		}
		body, err := d.Bytes(ctx)
		if err != nil {
			return remoteLine{}, nil, err
		}
		for _, l := range infoLines(body) {
			if l.id == id {
				return l, d, nil
			}
		}
		if k, err := s.up.Kept(ctx, name, fullName(name, id)+".gem"); err != nil || k != nil {
			return remoteLine{id: id}, d, err
		}
	}
	return remoteLine{}, nil, store.Refuse(store.ErrNotFound, "%s has no version %s", name, id)
}
