package upstream

// This file says what is kept of one package, for its page and for directories. Nobody is asked for it.

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"larder/internal/problem"
	"larder/store"
)

// KeptFile is a file of an upstream that is kept.
type KeptFile struct {
	// Key is as in FileQuery.
	Key      string
	Digest   digest.Digest
	Sums     map[string]string // beside the digest
	Size     int64
	Type     string    // media type, as the upstream says
	Upstream string    // what its registry is called
	Modified time.Time // at the upstream, or when it was fetched
	Fetched  time.Time
}

// MaxKeptFiles is how many files KeptFiles returns for lists of all.
const MaxKeptFiles = 10_000

// KeptFiles are up to limit files that are kept of a package, in the order of their keys, of those that begin with
// prefix; none when the name is ours, or may not be answered for.
func (s *Set) KeptFiles(ctx context.Context, name, prefix string, limit int) (list []KeptFile, err error) {
	if s == nil || !s.Theirs(ctx, name) {
		return nil, nil
	}
	err = s.files.View(ctx, s.homeOf(name), func(tx *store.PackageTx[entry]) error {
		list = nil
		for v, err := range tx.Versions(prefix) {
			if err != nil || !strings.HasPrefix(v.ID, prefix) || len(list) == limit {
				return err
			}
			if f, ok := s.keptOf(&v, v.ID); ok {
				list = append(list, f)
			}
		}
		return nil
	})
	if errors.Is(err, store.ErrInvalid) {
		return nil, nil
	}
	return list, err
}

// keptOf is what a record says of a file or document; false when nobody has sent it.
func (s *Set) keptOf(v *store.Version[entry], key string) (f KeptFile, ok bool) {
	u := s.source(v.Meta.Upstream)
	if u == nil || len(v.Files) == 0 {
		return f, false
	}
	file := v.Files[0]
	f = KeptFile{
		Key: key, Digest: file.Digest, Sums: file.Sums, Size: file.Size, Type: file.Type, Upstream: u.Name(),
		Fetched: v.Meta.Fetched, Modified: v.Meta.Fetched,
	}
	if at, err := http.ParseTime(v.Meta.Modified); err == nil {
		f.Modified = at
	}
	return f, true
}

// KeptFile is the file with a key that is kept of a package; ErrNotFound without one, and as KeptFiles has none. Unlike
// Kept it counts as no use.
func (s *Set) KeptFile(ctx context.Context, name, key string) (f KeptFile, err error) {
	f, ok := KeptFile{}, false
	if s != nil && s.Theirs(ctx, name) {
		err = s.files.View(ctx, s.homeOf(name), func(tx *store.PackageTx[entry]) error {
			v, err := tx.Version(key)
			if err == nil {
				f, ok = s.keptOf(&v, key)
			}
			return err
		})
	}
	if err == nil && !ok {
		err = problem.Errorf(store.ErrNotFound, "%s of %s is not kept", key, name)
	}
	return f, err
}

// KeptDocuments are up to limit documents that are kept of a package and whose keys begin with prefix, in no order of
// sense; none when the name is ours, or may not be answered for. What its upstream has no more is left out.
func (s *Set) KeptDocuments(ctx context.Context, name, prefix string, limit int) (list []KeptFile, err error) {
	if s == nil || !s.Theirs(ctx, name) {
		return nil, nil
	}
	err = s.docs.View(ctx, s.homeOf(name), func(tx *store.PackageTx[entry]) error {
		list = nil
		for v, err := range tx.Versions("") {
			if err != nil || len(list) == limit {
				return err
			}
			_, key, _ := strings.Cut(v.ID, " ")
			if f, ok := s.keptOf(&v, key); ok && strings.HasPrefix(key, prefix) && v.Meta.Gone.IsZero() {
				list = append(list, f)
			}
		}
		return nil
	})
	return list, err
}

// Copied says what is known of a package of which something is kept; ErrNotFound when nothing is, or the name is ours,
// ErrDenied when a rule blocks it. Versions are those that may be fetched; withheld says of each other, newest first,
// what a client is told who asks for it.
func (s *Set) Copied(ctx context.Context, name string) (c Copy, withheld []error, err error) {
	if _, err := s.chain(ctx, name); err != nil {
		return c, nil, err
	}
	found, err := s.r.store.CopiedPackages(ctx, s.kind, []string{s.homeOf(name)})
	if err != nil {
		return c, nil, err
	}
	if len(found) == 0 {
		return c, nil, problem.Errorf(store.ErrNotFound, "nothing of %s is kept", name)
	}
	data, err := readCopied(found[0].Data)
	if err != nil {
		return c, nil, fmt.Errorf("%s %s: %w", s.kind, name, err)
	}
	c = s.copyOf(found[0], data)
	c.Name, c.Versions, c.Latest = name, nil, ""
	for _, v := range data.Versions {
		if err := s.mayShow(ctx, name, v); err != nil {
			withheld = append(withheld, err)
			continue
		}
		c.Versions = append(c.Versions, v)
	}
	if len(c.Versions) > 0 {
		c.Latest = c.Versions[0]
	}
	return c, withheld, nil
}

// KeptName is the name by which a package of the records of files is asked for.
func (s *Set) KeptName(pkg string) string { return s.named(pkg) }
