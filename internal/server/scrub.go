package server

// This file has the job that reads what is due of the blobs, and fetches damaged copies again.

import (
	"context"
	"errors"
	"time"

	"larder/internal/wire"
	"larder/store"
)

// scrubEvery is how often a part of the blobs is read; what is due then is read at the configured rate.
const scrubEvery = 10 * time.Minute

// scrubJob is nil when the period is 0, which switches it off.
func (s *Server) scrubJob() []wire.Job {
	if s.cfg.ScrubPeriod <= 0 {
		return nil
	}
	return []wire.Job{{Name: "scrub", Every: scrubEvery, Run: s.scrub}}
}

func (s *Server) scrub(ctx context.Context) error {
	_, err := s.store.Scrub(ctx, store.ScrubOptions{Period: s.cfg.ScrubPeriod, Rate: s.cfg.ScrubRate})
	_, failed := s.remote.Mend(ctx)
	return errors.Join(err, failed)
}
