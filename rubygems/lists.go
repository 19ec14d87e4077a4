package rubygems

// The list of all gems, of upstreams and our own: /versions, from which /names and the Marshal indexes are made.

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/opencontainers/go-digest"

	"larder/internal/budget"
	"larder/internal/registry"
	"larder/rubygems/compactindex"
	"larder/store"
	"larder/upstream"
)

// joins are the last /versions, by registry.View.Key of the clients that see the same of our own list.
type joins struct {
	mu   sync.Mutex // guards the rest
	last map[string]*joined
	kept map[*upstream.Upstream]keptLines
}

// joined is the lists of the upstreams and our own in one.
type joined struct {
	compactindex.Joined
	of     string // identifies the lists and claims that it was made from
	names  int64  // how many names had been claimed or released
	digest digest.Digest
}

// keptLines are the lines of what is kept of an upstream.
type keptLines struct {
	of    string // identifies what they were made from
	lines []byte
}

// maxJoins is how many lists are remembered. Each is as large as the upstream's.
const maxJoins = 8

// part is an upstream's list, or the lines of what is kept of one.
type part struct {
	doc   *upstream.Document
	lines []byte
}

// versionsQuery asks for a list that only grows.
func (s *server) versionsQuery() upstream.Query {
	return upstream.Query{
		Key: "versions", Ref: "versions", Fresh: freshVersions, Tail: true, Limit: 1 << 30,
		Check: func(body []byte, _ string) error { return checkHead(body) }, Scan: scanVersions,
		Instead: s.versionsInstead,
	}
}

const listStart = "created_at:"

func checkHead(list []byte) error {
	if !bytes.HasPrefix(list, []byte(listStart)) {
		return errors.New("not a list of the compact index")
	}
	return nil
}

// scanVersions is the query's Check for a list that is not held in memory.
func scanVersions(r io.Reader) (said upstream.Scanned, err error) {
	start := make([]byte, len(listStart))
	if n, err := io.ReadFull(r, start); err != nil {
		return said, errors.Join(checkHead(start[:n]), err)
	}
	return said, checkHead(start)
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
	parts, of, err := s.theirLists(ctx)
	if err != nil {
		return nil, err
	}
	next.of += of
	s.joins.mu.Lock()
	defer s.joins.mu.Unlock()
	last := s.joins.last[v.Key]
	if v.All && last != nil && last.of == next.of {
		return last, nil
	}
	if next.Ours, err = s.list.Bytes(ctx, h, 0, h.Size); err == nil && !v.All {
		next.Ours, err = compactindex.Filtered(next.Ours, v.Sees)
	}
	if err != nil {
		return nil, err
	}
	lines := compactindex.ListLines(next.Ours)
	if len(parts) == 0 || parts[0].doc == nil {
		parts = slices.Insert(parts, 0, part{lines: next.Ours[:len(next.Ours)-len(lines)]}) // the head of our own
	}
	next.Ours = lines
	if last == nil || last.names != next.names {
		last = &joined{}
	}
	theirs := s.listOf(ctx, parts)
	if err := budget.Take(ctx, theirs.Size); err != nil {
		return nil, err
	}
	stranger, err := s.Up.Strangers(ctx)
	if err != nil {
		return nil, err
	}
	pass := func(line []byte) ([]byte, error) { return s.passed(line, stranger, v) }
	if err := next.Follow(&last.Joined, theirs, pass); err != nil {
		return nil, err
	}
	next.digest = digest.FromBytes(next.Body)
	if s.joins.last == nil || len(s.joins.last) >= maxJoins {
		s.joins.last = map[string]*joined{}
	}
	s.joins.last[v.Key] = next
	return next, nil
}

// theirLists are those of the upstreams, and what identifies them. While one cannot be asked for its list, the gems of
// which something is kept of it are behind what is kept of the list. The error is why there is none of either.
func (s *server) theirLists(ctx context.Context) (parts []part, of string, err error) {
	var kept []part
	var missing error
	for _, u := range s.Up.Upstreams() {
		d, err := s.Up.DocumentFrom(ctx, u, s.versionsQuery())
		unasked := registry.IsOneOf(err, upstream.ErrOffline, upstream.ErrUnavailable)
		switch {
		case err == nil:
			parts, of = append(parts, part{doc: d}), of+" "+d.Digest.String()
		case !u.Configured() && errors.Is(err, store.ErrNotFound):
			continue // of one that is not configured any more, the list need not be kept
		case !unasked:
			return nil, "", err
		}
		if !unasked && d.Lacks(nil) == nil {
			continue
		}
		k, kerr := s.keptOf(ctx, u)
		switch {
		case kerr != nil:
			return nil, "", kerr
		case len(k.lines) > 0:
			kept, of = append(kept, part{lines: k.lines}), of+" "+k.of
		case errors.Is(err, upstream.ErrUnavailable):
			return nil, "", err // a list without its gems would say that there are none
		case unasked:
			missing = err // that of another upstream may be kept
		}
	}
	if len(parts)+len(kept) == 0 && missing != nil {
		return nil, "", missing
	}
	return append(parts, kept...), of, nil
}

// keptOf are the lines of the gems of which an upstream's /info is kept, as that is answered now.
func (s *server) keptOf(ctx context.Context, u *upstream.Upstream) (keptLines, error) {
	offline := s.Up.Offline()
	of := fmt.Sprint("kept ", s.Up.CopiesState(), " ", offline, " ", s.Up.GateKey())
	s.joins.mu.Lock()
	k := s.joins.kept[u]
	s.joins.mu.Unlock()
	if k.of == of {
		return k, nil
	}
	k = keptLines{of: of}
	const atATime = 500
	for after := ""; ; {
		list, err := s.Up.Copies(ctx, "", after, atATime)
		if err != nil {
			return k, err
		}
		for _, c := range list {
			line, err := s.keptLine(ctx, u, c.Right, offline)
			if err != nil {
				return k, err
			}
			k.lines = append(k.lines, line...)
		}
		if len(list) < atATime {
			break
		}
		after = list[len(list)-1].Name
	}
	s.joins.mu.Lock()
	defer s.joins.mu.Unlock()
	if s.joins.kept == nil {
		s.joins.kept = map[*upstream.Upstream]keptLines{}
	}
	s.joins.kept[u] = k
	return k, nil
}

// keptLine is the line of a gem, nil when none of its versions is shown.
func (s *server) keptLine(ctx context.Context, u *upstream.Upstream, name string, offline bool) ([]byte, error) {
	d, err := s.Up.KeptDocument(ctx, u, s.infoQuery(name))
	if d == nil || err != nil {
		return nil, err
	}
	in, err := d.Open(ctx)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(in)
	if err = errors.Join(err, in.Close()); err != nil {
		return nil, err
	}
	if body, _, err = s.shown(ctx, name, body, offline); err != nil {
		return nil, err
	}
	var ids []string
	for _, e := range compactindex.Entries(body) {
		ids = append(ids, e.ID)
	}
	if len(ids) == 0 {
		return nil, nil
	}
	sum := md5.Sum(body)
	return compactindex.VersionsLine(name, strings.Join(ids, ","), hex.EncodeToString(sum[:])), nil
}

// listOf is the first part, followed by the lines of the others.
func (s *server) listOf(ctx context.Context, parts []part) (all compactindex.Theirs) {
	for _, p := range parts {
		all.Size += int64(len(p.lines))
		if p.doc != nil {
			all.Size += p.doc.Size
		}
	}
	all.Open = func() (io.ReadCloser, error) {
		list := &concatenated{}
		var readers []io.Reader
		for i, p := range parts {
			var r io.Reader = bytes.NewReader(p.lines)
			if p.doc != nil {
				in, err := p.doc.Open(ctx)
				if err != nil {
					return nil, errors.Join(err, list.Close())
				}
				list.open = append(list.open, in)
				if r = in; i > 0 {
					if r, err = compactindex.SkipHead(in); err != nil {
						return nil, errors.Join(err, list.Close())
					}
				}
			}
			readers = append(readers, r)
		}
		list.Reader = io.MultiReader(readers...)
		return list, nil
	}
	return all
}

// concatenated is several lists, one behind the other.
type concatenated struct {
	io.Reader
	open []io.Closer
}

func (c *concatenated) Close() (err error) {
	for _, each := range c.open {
		err = errors.Join(err, each.Close())
	}
	return err
}

// passed is a line of an upstream's list as it may be passed on: nil for a gem that is no stranger, or not in v.
func (s *server) passed(line []byte, stranger func(name string) bool, v registry.View) ([]byte, error) {
	first, _, isGem := bytes.Cut(line, []byte(" "))
	name := string(first)
	if !isGem || strings.HasPrefix(name, listStart) || strings.HasPrefix(name, "---") {
		return line, nil
	}
	if !compactindex.Harmless(line) || !stranger(name) {
		return nil, nil
	}
	if !v.All {
		if sees, err := v.Sees(name); err != nil || !sees {
			return nil, err
		}
	}
	if _, some := s.Up.BlockedVersions(name); some {
		line = compactindex.Without(line, func(id string) bool { return s.Up.Blocked(name, id) != nil })
	}
	return line, nil
}
