package server

// This file publishes files without a record again, through the handlers of their protocols, for a user of this
// registry.

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/opencontainers/go-digest"

	"larder/auth"
	"larder/internal/rebuild"
	"larder/store"
	"larder/web"
)

// rebuildTime is how long the token lives that the handlers are shown, should its end not be reached.
const rebuildTime = 24 * time.Hour

// rebuild publishes what q chooses of the files without a record. Those in orphans/ are looked at with a record too, so
// that who asks again reads that they are there. The user acts with a token that ends with the work.
func (s *Server) rebuild(
	ctx context.Context, q web.RebuildRequest, progress func(done, total int64),
) (list []web.Rebuilt, err error) {
	choices, err := rebuild.ParseChoices(q.Publish)
	if err != nil {
		return nil, err
	}
	unrecorded, err := s.store.Unrecorded(ctx)
	if err != nil {
		return nil, err
	}
	unknown := make(map[digest.Digest]bool, len(unrecorded))
	for _, d := range unrecorded {
		unknown[d] = true
	}
	found, err := rebuild.Identify(ctx, s.cfg.Data, func(f store.Found) bool { return f.Orphan || unknown[f.Digest] })
	if err != nil {
		return nil, err
	}
	id, token, err := s.auth.CreateToken(ctx, auth.TokenSpec{
		User: cmp.Or(q.As, auth.AdminName), Name: "check --rebuild --publish", Expires: time.Now().Add(rebuildTime),
	})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.auth.RevokeToken(context.WithoutCancel(ctx), id)) }()
	p := &rebuild.Publisher{
		Data: s.cfg.Data, Serve: s.inner, Token: token, Spellings: Spellings(),
		Held: s.store.Held,
	}
	list, err = p.Publish(ctx, found, choices, progress)
	return list, errors.Join(err, s.unrecord(context.WithoutCancel(ctx), list))
}

// unrecord leaves what was refused, or not reached, as it was found: as a file without a record.
func (s *Server) unrecord(ctx context.Context, list []web.Rebuilt) error {
	for _, r := range list {
		if r.Orphan || r.Outcome == web.RebuildPublished || r.Outcome == web.RebuildHere {
			continue // those in orphans/ lie there still
		}
		_, err := s.store.StatBlob(ctx, r.Digest)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err == nil {
			err = s.store.DropRecord(ctx, r.Digest)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
