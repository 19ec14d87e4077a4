package rubygems

// Upstreams without a compact index, which have Ruby's own indexes only: static trees of gem generate_index, and older
// servers. Their /versions and /info are made here of specs.4.8.gz and of the specifications, so that Bundler and the
// rest of the registry know one form. They say no checksums, and none is made up: a gem's first copy counts.

import (
	"cmp"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"larder/internal/budget"
	"larder/rubygems/compactindex"
	"larder/rubygems/gemspec"
	"larder/rubygems/names"
	"larder/rubygems/version"
	"larder/store"
	"larder/upstream"
)

const (
	freshSpecs   = 5 * time.Minute
	freshQuick   = 30 * 24 * time.Hour // a version's specification does not change
	freshCompact = time.Hour           // how long it is believed that an upstream has a compact index, or none
	atOnce       = 8                   // specifications that are asked for at a time
	maxInfo      = 2000                // versions of one gem
	unpackedSize = 24                  // bytes of memory for a byte of a packed index, about
)

// compacts remembers which upstreams have a compact index.
type compacts struct {
	mu    sync.Mutex // guards known
	known map[*upstream.Upstream]compact
}

type compact struct {
	has   bool
	until time.Time
}

// isCompact reports whether an upstream has a compact index: what it does not have there does not exist.
func (s *server) isCompact(ctx context.Context, u *upstream.Upstream) (bool, error) {
	s.compacts.mu.Lock()
	c := s.compacts.known[u]
	s.compacts.mu.Unlock()
	if time.Now().Before(c.until) {
		return c.has, nil
	}
	has, err := s.Up.Has(ctx, u, "versions")
	if err != nil {
		return false, err
	}
	s.compacts.mu.Lock()
	defer s.compacts.mu.Unlock()
	if s.compacts.known == nil {
		s.compacts.known = map[*upstream.Upstream]compact{}
	}
	s.compacts.known[u] = compact{has, time.Now().Add(freshCompact)}
	return has, nil
}

// rubyIndex asks for an index of versions in Ruby's format.
func rubyIndex(file string) upstream.Query {
	return upstream.Query{
		Key: file, Ref: file, Fresh: freshSpecs,
		Check: func(body []byte, _ string) error { _, _, err := gemspec.ReadTuples(body); return err },
	}
}

// tuples returns the versions that an upstream without a compact index has, by gem, and when its index was changed.
// store.ErrNotFound when it has no index in Ruby's format either.
func (s *server) tuples(ctx context.Context, u *upstream.Upstream) (all []gemspec.Tuple, changed time.Time, err error) {
	for _, file := range []string{"specs.4.8.gz", "prerelease_specs.4.8.gz"} {
		d, err := s.Up.DocumentFrom(ctx, u, rubyIndex(file))
		if errors.Is(err, store.ErrNotFound) && len(all) > 0 {
			continue // not every server lists prereleases
		}
		if err != nil {
			return nil, changed, err
		}
		body, err := d.Bytes(ctx)
		if err != nil {
			return nil, changed, err
		}
		if err := budget.Take(ctx, unpackedSize*int64(len(body))); err != nil {
			return nil, changed, err
		}
		list, bad, err := gemspec.ReadTuples(body)
		if err != nil {
			return nil, changed, fmt.Errorf("%s of %s: %w", file, u.Name(), err)
		}
		n := len(list)
		list = slices.DeleteFunc(list, func(t gemspec.Tuple) bool { return names.Check(t.Name) != nil || !harmless(t) })
		if bad += n - len(list); bad > 0 {
			s.Log.LogAttrs(ctx, slog.LevelWarn, "an upstream's versions are left out", slog.String("upstream", u.Name()),
				slog.String("index", file), slog.Int("versions", bad))
		}
		if t, err := http.ParseTime(d.Modified); err == nil && t.After(changed) {
			changed = t
		}
		all = append(all, list...)
	}
	slices.SortStableFunc(all, func(a, b gemspec.Tuple) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), version.NewerFirst(idOf(b), idOf(a)))
	})
	return all, changed, nil
}

func idOf(t gemspec.Tuple) string { return version.ID(t.Number, t.Platform) }

func harmless(t gemspec.Tuple) bool {
	return compactindex.Harmless([]byte(t.Platform)) && !strings.ContainsAny(t.Platform, " ,|")
}

// versionsInstead makes /versions of an upstream without a compact index. The sums in it tell clients when to ask for a
// gem's /info again; each is of the gem's versions.
func (s *server) versionsInstead(ctx context.Context, u *upstream.Upstream) ([]byte, error) {
	all, changed, err := s.tuples(ctx, u)
	if err != nil {
		return nil, err
	}
	if changed.IsZero() {
		changed = time.Unix(0, 0)
	}
	out := []byte("created_at: " + changed.UTC().Format(time.RFC3339) + "\n" + compactindex.InfoHead)
	for len(all) > 0 {
		name, ids := all[0].Name, []string{}
		for len(all) > 0 && all[0].Name == name {
			ids, all = append(ids, idOf(all[0])), all[1:]
		}
		list := strings.Join(slices.Compact(ids), ",")
		sum := md5.Sum([]byte(list))
		out = append(out, compactindex.VersionsLine(name, list, hex.EncodeToString(sum[:]))...)
	}
	return out, nil
}

// infoInstead makes a gem's /info of an upstream without a compact index. A version whose specification cannot be read
// is left out: what it needs is not known.
func (s *server) infoInstead(ctx context.Context, u *upstream.Upstream, name string) ([]byte, error) {
	if has, err := s.isCompact(ctx, u); err != nil || has {
		return nil, cmp.Or(err, store.ErrNotFound)
	}
	all, _, err := s.tuples(ctx, u)
	if err != nil {
		return nil, err
	}
	all = slices.Compact(slices.DeleteFunc(all, func(t gemspec.Tuple) bool { return t.Name != name }))
	if len(all) == 0 {
		return nil, fmt.Errorf("%s has no gem %s: %w", u.Name(), name, store.ErrNotFound)
	}
	all = all[max(0, len(all)-maxInfo):]
	lines, errs := make([]string, len(all)), make([]error, len(all))
	var work sync.WaitGroup
	places := make(chan struct{}, atOnce)
	for i, t := range all {
		places <- struct{}{}
		work.Go(func() {
			defer func() { <-places }()
			lines[i], errs[i] = s.lineFrom(ctx, u, t)
		})
	}
	work.Wait()
	out, bad := []byte(compactindex.InfoHead), 0
	for i, line := range lines {
		switch err := errs[i]; {
		case err == nil:
			out = append(out, line...)
		case errors.Is(err, store.ErrNotFound), errors.Is(err, gemspec.ErrFormat), errors.Is(err, gemspec.ErrLimit):
			bad++
		default:
			return nil, err
		}
	}
	if bad > 0 {
		s.Log.LogAttrs(ctx, slog.LevelWarn, "an upstream's versions are left out: they have no specification to read",
			slog.String("gem", name), slog.String("upstream", u.Name()), slog.Int("versions", bad))
	}
	return out, nil
}

// lineFrom is a version's line of /info, made of its specification.
func (s *server) lineFrom(ctx context.Context, u *upstream.Upstream, t gemspec.Tuple) (string, error) {
	spec, err := s.quickFrom(ctx, u, t.Name, idOf(t))
	if err != nil {
		return "", err
	}
	spec.Version, spec.Platform = t.Number, t.Platform // as files are called
	line := compactindex.Line(spec, "", time.Time{})
	if !compactindex.Harmless([]byte(line)) {
		return "", fmt.Errorf("%w: its requirements have odd characters", gemspec.ErrFormat)
	}
	return line, nil
}

// quickFrom reads a version's specification at an upstream.
func (s *server) quickFrom(ctx context.Context, u *upstream.Upstream, name, id string) (*gemspec.Specification, error) {
	full := names.FullName(name, id)
	d, err := s.Up.DocumentFrom(ctx, u, upstream.Query{
		Package: name, Key: "quick " + id, Ref: "quick/Marshal.4.8/" + full + suffixSpec, Fresh: freshQuick, Limit: 8 << 20,
	})
	if err != nil {
		return nil, err
	}
	body, err := d.Bytes(ctx)
	if err != nil {
		return nil, err
	}
	spec, err := gemspec.ReadQuick(body)
	if err == nil && spec.Name != name {
		err = fmt.Errorf("%w: it is of the gem %.80q", gemspec.ErrFormat, spec.Name)
	}
	return spec, err
}
