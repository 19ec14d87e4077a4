package rubygems

// Copies of upstream registries. A gem's /info is passed on as it is. /versions is the upstream's list followed by our
// own, and only grows as long as the upstream's does. Every gem is checked against the checksum in its line, which gem
// install itself does not read.

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

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
		body, bad, err := s.shown(ctx, name, body, offline)
		if bad > 0 {
			s.Log.LogAttrs(
				ctx, slog.LevelWarn, "an upstream's versions are left out", slog.String("gem", name),
				slog.String("upstream", d.Upstream.Name()), slog.Int("lines", bad),
			)
		}
		return plain(body), err
	})
	if err != nil {
		return err
	}
	return ledger.Document(doc).Serve(w, r, registry.Revalidate(r))
}

// shown is what is answered of an upstream's /info, and how many of its lines cannot be passed on.
func (s *server) shown(ctx context.Context, name string, body []byte, offline bool) (out []byte, bad int, err error) {
	for line := range bytes.Lines(body) {
		if !compactindex.Harmless(line) {
			bad++
		}
	}
	if bad > 0 || offline || s.Up.Gated() {
		body, err = s.offered(ctx, name, body, offline)
	}
	return body, bad, err
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
		if e, ok := compactindex.Find(body, id); ok {
			l, u = e, info.Upstream
			return true, nil
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
