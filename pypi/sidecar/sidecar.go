// Package sidecar makes the METADATA beside an upstream's wheel where the upstream has none (PEP 658): without it
// installers ask for pieces of each wheel they consider, or for all of it.
package sidecar

import (
	"context"
	"errors"

	"larder/internal/problem"
	"larder/internal/pydist"
	"larder/store"
	"larder/upstream"
)

// Whole is the size in bytes up to which a wheel is fetched for its METADATA: that takes no longer than a piece of it,
// its hash is checked, and who asked will want it next.
const Whole = 1 << 20

// Read reads METADATA from the wheel called file. A large one that is not here is read in pieces: resolvers ask about
// many that nobody installs. Its hash is checked when somebody does. ErrNotFound for a wheel that has none.
func Read(
	ctx context.Context, s *store.Store, up *upstream.Set, project, file string, wheel upstream.Place,
) ([]byte, error) {
	here, err := up.Here(ctx, project, file)
	if err != nil {
		return nil, err
	}
	if !here && (wheel.Size == 0 || wheel.Size > Whole) {
		raw, err := fromParts(ctx, up, wheel)
		if !errors.Is(err, upstream.ErrNoParts) && !errors.Is(err, problem.ErrInvalid) {
			return raw, err
		}
	}
	find := func(context.Context) (upstream.Place, error) { return wheel, nil }
	f, err := up.File(ctx, upstream.FileQuery{Package: project, Key: file, Find: find})
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := f.Wait(ctx)
	if err != nil {
		return nil, err
	}
	content, b, err := s.OpenBlob(ctx, b.Digest)
	if err != nil {
		return nil, err
	}
	defer content.Close()
	raw, err := pydist.ReadMetadata(content, b.Size)
	if errors.Is(err, problem.ErrInvalid) {
		return nil, problem.Errorf(problem.ErrNotFound, "there is no metadata in %s", file)
	}
	return raw, err
}

func fromParts(ctx context.Context, up *upstream.Set, wheel upstream.Place) ([]byte, error) {
	parts, err := up.Parts(ctx, wheel)
	if err != nil {
		return nil, err
	}
	return pydist.ReadMetadata(parts, parts.Size())
}
