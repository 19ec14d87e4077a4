package upstream

// This file compares a name that is published here for the first time with what upstreams have.

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"larder/internal/problem"
	"larder/store"
)

const (
	// comparePatience is how long a first publish waits for all upstreams together.
	comparePatience = time.Second
	// compareAgain is how long it stands that nobody could say whether a name exists: a push has many requests.
	compareAgain = time.Minute
	// longCompare is the longest pause between two attempts of the later comparison.
	longCompare = time.Hour
	// maxUnsure bounds the names that are remembered; beyond them names are not compared later.
	maxUnsure = 4096
)

// unsure is a name that could not be compared. Those that are compared later are in unsure.go's table as well.
type unsure struct {
	until time.Time // it is not asked for again before
	who   string    // the upstreams that did not say, in words
	later bool      // the background job compares it
}

// MayPublish is nil when a name that is not here yet may be published: no upstream says that it has it, or the operator
// claims it. ErrExists otherwise: from then on the local package would hide one that people rely on. It asks all
// upstreams at once and waits for them for a second: local work does not depend on strangers. notice is "", or a
// sentence for the publisher which says that an upstream could not be asked; then the name is compared later, and the
// log has a warning if it exists. also are further documents that exist only where the name does.
func (s *Set) MayPublish(ctx context.Context, name string, also ...Query) (notice string, err error) {
	owner, who, err := s.Exists(ctx, name, also...)
	switch {
	case err != nil:
		return "", err
	case owner != nil:
		return "", problem.Errorf(
			store.ErrExists,
			"%s exists at the upstream registry %s. To publish it here, an administrator claims the name: larder claim %s %s",
			name, owner.Name(), s.kind, name,
		)
	case who == "":
		return "", nil
	}
	s.compareLater(name)
	return fmt.Sprintf("%s was not compared with %s, which did not say whether it exists there; it is compared later.",
		name, who), nil
}

// Exists asks all upstreams at once, for a second in all, whether they have a name that is not here. owner is the first
// that says so, nil when none does; who then names those that said nothing, "" when all said no. ErrDenied for a
// blocked name. also is as for MayPublish.
func (s *Set) Exists(ctx context.Context, name string, also ...Query) (owner *Upstream, who string, err error) {
	if s == nil || s.Claimed(name) || s.protocol.Probe == nil {
		return nil, "", nil
	}
	chain, err := s.chain(ctx, name)
	if errors.Is(err, store.ErrNotFound) {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", err
	}
	s.mu.Lock()
	known := s.unsure[name]
	s.mu.Unlock()
	if s.r.now().Before(known.until) {
		return nil, known.who, nil
	}
	owner, who = s.compare(ctx, chain, name, also...)
	if err := ctx.Err(); err != nil {
		return nil, "", err
	}
	return owner, who, nil
}

// compare asks each of chain, and remembers for a moment when one did not say.
func (s *Set) compare(
	ctx context.Context, chain []*Upstream, name string, also ...Query,
) (owner *Upstream, who string) {
	ctx, cancel := context.WithTimeout(ctx, comparePatience)
	defer cancel()
	type answer struct {
		d   *Document
		err error
	}
	asked := make([]chan answer, len(chain))
	for i, u := range chain {
		asked[i] = make(chan answer, 1)
		go func() {
			d, err := s.from(ctx, u, s.protocol.Probe(name))
			for _, q := range also {
				if errors.Is(err, store.ErrNotFound) {
					d, err = s.from(ctx, u, q)
				}
			}
			asked[i] <- answer{d, err}
		}()
	}
	var silent []string
	for i, u := range chain {
		a := <-asked[i]
		has := a.err == nil
		if has && s.protocol.Empty != nil {
			body, err := a.d.Bytes(ctx)
			has = err == nil && !s.protocol.Empty(body)
		}
		switch {
		case has:
			return u, ""
		case a.err != nil && !errors.Is(a.err, store.ErrNotFound) && !u.gone:
			silent = append(silent, u.Name())
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	later := s.unsure[name].later
	if len(silent) == 0 {
		s.compared(name)
		return nil, ""
	}
	who = "the upstream registry " + strings.Join(silent, " and ")
	if len(s.unsure) < maxUnsure || later {
		s.unsure[name] = unsure{until: s.r.now().Add(compareAgain), who: who, later: later}
	}
	return nil, who
}

// compareLater has the background job compare a name once it is published.
func (s *Set) compareLater(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if u, ok := s.unsure[name]; ok && !u.later {
		u.later = true
		s.unsure[name] = u
		s.unwritten = true
	}
	s.beginComparing()
}

// beginComparing starts the job that compares names later, unless it is under way or there is nothing to compare. The
// caller holds s.mu.
func (s *Set) beginComparing() {
	if s.comparing || len(s.unsure) == 0 {
		return
	}
	s.comparing = true
	ctx, done := s.r.detach(s.r.life)
	go func() {
		defer done()
		for pause := compareAgain; ; pause = min(2*pause, longCompare) {
			select {
			case <-time.After(pause):
			case <-ctx.Done():
				return
			}
			if !s.compareUnsure(ctx) {
				return
			}
		}
	}()
}

// compareUnsure compares what could not be compared before, and reports whether names are left. A name that the
// operator has claimed since is not asked for, nor one that was not published after all.
func (s *Set) compareUnsure(ctx context.Context) (more bool) {
	s.mu.Lock()
	var names []string
	for name, u := range s.unsure {
		if u.later {
			names = append(names, name)
		} else if s.r.now().After(u.until) {
			delete(s.unsure, name)
		}
	}
	s.mu.Unlock()
	for _, name := range names {
		ours, err := s.ours(ctx, name)
		if err != nil || ctx.Err() != nil {
			continue
		}
		owner, who := (*Upstream)(nil), ""
		if ours && !s.Claimed(name) {
			var also []Query
			if s.protocol.ProbeLater != nil {
				also = s.protocol.ProbeLater(name)
			}
			owner, who = s.compare(ctx, s.takers(name), name, also...)
		}
		if owner != nil {
			s.r.log.LogAttrs(ctx, slog.LevelWarn, "a package published here exists at an upstream, and hides it",
				slog.String("kind", string(s.kind)), slog.String("package", name), slog.String("upstream", owner.Name()))
		}
		if who == "" {
			s.mu.Lock()
			s.compared(name)
			s.mu.Unlock()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, u := range s.unsure {
		more = more || u.later
	}
	s.comparing = more
	return more
}
