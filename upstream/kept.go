package upstream

// This file lists the files that are kept of one package, for its page. Nobody is asked for it.

import (
	"context"
	"errors"
	"time"

	"github.com/opencontainers/go-digest"

	"larder/store"
)

// KeptFile is a file of an upstream that is kept.
type KeptFile struct {
	// Key is as in FileQuery.
	Key      string
	Digest   digest.Digest
	Size     int64
	Type     string // media type, as the upstream says
	Upstream string // what its registry is called
	Fetched  time.Time
}

// KeptOf are up to limit files that are kept of a package, by their keys; none when the name is ours, or may not be
// answered for.
func (s *Set) KeptOf(ctx context.Context, name string, limit int) (list []KeptFile, err error) {
	if s == nil || !s.Theirs(ctx, name) {
		return nil, nil
	}
	err = s.files.View(ctx, s.homeOf(name), func(tx *store.PackageTx[entry]) error {
		list = nil
		for v, err := range tx.Versions("") {
			if err != nil {
				return err
			}
			u := s.source(v.Meta.Upstream)
			if u == nil || len(v.Files) == 0 {
				continue
			}
			f := v.Files[0]
			list = append(list, KeptFile{v.ID, f.Digest, f.Size, f.Type, u.Name(), v.Meta.Fetched})
			if len(list) == limit {
				break
			}
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
