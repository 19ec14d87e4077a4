package server

// This file lists the background work of the program and of its protocols.

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"larder/internal/wire"
	"larder/store"
	"larder/upstream"
)

// archiveJournal moves old entries of the journal into archives.
func (s *Server) archiveJournal(ctx context.Context) error {
	if s.cfg.JournalKeep == 0 {
		return nil
	}
	report, err := s.store.PruneJournal(ctx, s.cfg.JournalKeep)
	if report.Entries > 0 {
		s.log.LogAttrs(
			ctx, slog.LevelInfo, "old entries of the journal moved to archives", slog.Int64("entries", report.Entries),
		)
	}
	if err == nil && report.Behind > 0 {
		s.log.LogAttrs(ctx, slog.LevelWarn, "a reader of the journal keeps old entries from being archived",
			slog.String("reader", report.Held), slog.Int64("entries", report.Behind))
	}
	return err
}

// dependantsEvery is how often the index of dependants is looked at. With nothing to do that reads a row of each kind.
const dependantsEvery = time.Minute

// jobList is all background work of the program: its own, and that of its protocols.
func (s *Server) jobList(protocols []mounted) []wire.Job {
	list := []wire.Job{
		{Name: "sweep", Every: 5 * time.Minute, Run: func(ctx context.Context) error {
			report, err := s.store.Sweep(ctx, store.SweepOptions{})
			s.metrics.swept(report)
			return err
		}},
		{Name: "expire-uploads", Every: 5 * time.Minute, Run: s.store.ExpireUploads},
		{Name: "last-use", Every: time.Minute, Run: s.auth.Flush},
		{Name: "reconcile", Every: 24 * time.Hour, Run: s.store.Reconcile},
		{Name: "journal", Every: 24 * time.Hour, Run: s.archiveJournal},
		{Name: "use", Every: store.UseEvery, Run: s.store.FlushUse},
		{Name: "dependants", Every: dependantsEvery, Run: func(ctx context.Context) (err error) {
			for _, p := range protocols {
				err = errors.Join(err, p.Describe.IndexDependants(ctx))
			}
			return err
		}},
		{Name: "survey", Every: store.SurveyEvery, Run: func(ctx context.Context) error {
			return s.store.Survey(ctx, keptNames(protocols))
		}},
		{Name: "journal-index", Every: 10 * time.Second, Run: s.store.IndexJournal},
	}
	if s.remote != nil {
		list = append(list, wire.Job{Name: "cache-use", Every: upstream.FlushEvery, Run: s.remote.Flush},
			wire.Job{Name: "cache-evict", Every: upstream.EvictEvery, Run: s.remote.Evict},
			wire.Job{Name: "cache-list", Every: upstream.ListEvery, Run: s.remote.ListCopies})
	}
	list = append(list, s.scrubJob()...)
	for _, p := range protocols {
		list = append(list, p.Jobs...)
	}
	return list
}

// keptNames is how clients call packages whose copies have other names in records.
func keptNames(protocols []mounted) func(k store.Kind, pkg string) string {
	return func(k store.Kind, pkg string) string {
		for _, p := range protocols {
			if p.kind == k && p.Describe != nil {
				return p.Describe.KeptName(pkg)
			}
		}
		return pkg
	}
}
