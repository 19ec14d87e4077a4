package upstream

// This file lists the files that are kept of one package, for its page and for directories. Nobody is asked for it.

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

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
			u := s.source(v.Meta.Upstream)
			if u == nil || len(v.Files) == 0 {
				continue
			}
			file := v.Files[0]
			f := KeptFile{
				Key: v.ID, Digest: file.Digest, Sums: file.Sums, Size: file.Size, Type: file.Type, Upstream: u.Name(),
				Fetched: v.Meta.Fetched, Modified: v.Meta.Fetched,
			}
			if at, err := http.ParseTime(v.Meta.Modified); err == nil {
				f.Modified = at
			}
			list = append(list, f)
		}
		return nil
	})
	if errors.Is(err, store.ErrInvalid) {
		return nil, nil
	}
	return list, err
}

// KeptName is the name by which a package of the records of files is asked for.
func (s *Set) KeptName(pkg string) string { return s.named(pkg) }
