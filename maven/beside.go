package maven

// This file compares a copy with what its upstream says of it: in the answer's header, else in the checksum that is
// beside the file.

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"larder/maven/checksum"
	"larder/store"
	"larder/upstream"
)

// strongest are the checksums that a file may have beside it. The first that is there decides.
var strongest = []string{"sha512", "sha256", "sha1", "md5"}

const (
	// rarely is how many files in a row had no checksum of a kind when an upstream is taken to have none: it is asked for
	// the others first, so that each file costs one request more, and not three.
	rarely = 4
	// doubtedFor is how long that is believed.
	doubtedFor = time.Hour
)

// habits are which checksums upstreams have beside their files. The zero value knows nothing of any.
type habits struct {
	mu sync.Mutex // guards of
	of map[habit]*seen
}

type habit struct {
	upstream *upstream.Upstream
	alg      string
}

// seen is what was found of one kind of checksum lately.
type seen struct {
	missing int // files in a row that had none
	since   time.Time
	there   bool // some file had one
}

// note remembers whether a file had a checksum.
func (h *habits) note(u *upstream.Upstream, alg string, there bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.of == nil {
		h.of = map[habit]*seen{}
	}
	s := h.of[habit{u, alg}]
	if s == nil {
		s = &seen{}
		h.of[habit{u, alg}] = s
	}
	s.missing++
	if there {
		s.missing = 0
	}
	s.since, s.there = time.Now(), s.there || there
}

// order is the order in which an upstream is asked for checksums: the strongest first, but last what it seems not to
// have.
func (h *habits) order(u *upstream.Upstream) (algs []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var doubted []string
	for _, alg := range strongest {
		if s := h.of[habit{u, alg}]; s != nil && s.missing >= rarely && time.Since(s.since) < doubtedFor {
			doubted = append(doubted, alg)
		} else {
			algs = append(algs, alg)
		}
	}
	return append(algs, doubted...)
}

// kept are the sums to compute while a file comes: those that clients ask for, and what it will be compared with.
func (h *habits) kept(u *upstream.Upstream) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if s := h.of[habit{u, "sha512"}]; s != nil && s.there {
		return []string{"sha1", "md5", "sha512"}
	}
	return []string{"sha1", "md5"}
}

// verify compares a file with the strongest checksum that the upstream has of it. Not every one has any.
func (s *server) verify(q Request) func(
	ctx context.Context, u *upstream.Upstream, head http.Header, sum func(string) string,
) error {
	return func(ctx context.Context, u *upstream.Upstream, head http.Header, sum func(string) string) error {
		for _, alg := range strongest {
			if want := head.Get("X-Checksum-" + alg); want != "" {
				return compare(alg, want, sum)
			}
		}
		for _, alg := range s.beside.order(u) {
			want, err := s.neighbour(ctx, u, q, alg)
			if absent := errors.Is(err, store.ErrNotFound) || errors.Is(err, upstream.ErrRefused); absent {
				s.beside.note(u, alg, false) // buckets refuse what they do not have
				continue
			}
			if err != nil {
				return err
			}
			s.beside.note(u, alg, true)
			return compare(alg, want, sum)
		}
		return nil
	}
}

// neighbour is the checksum that the upstream has beside a file. ErrNotFound.
func (s *server) neighbour(ctx context.Context, u *upstream.Upstream, q Request, alg string) (string, error) {
	key := "sum " + q.Path
	if alg != "sha1" {
		key += "." + alg
	}
	ask := upstream.Query{
		Package: q.Name, Key: key, Ref: remoteRef(q.Path) + "." + alg, Fresh: time.Hour, Limit: 4096,
	}
	if !q.final() {
		ask.Fresh = -1 // it has changed with the file
	}
	d, err := s.Up.DocumentFrom(ctx, u, ask)
	if err != nil {
		return "", err
	}
	body, err := d.Bytes(ctx)
	if err != nil {
		return "", err
	}
	want := checksum.Parse(string(body), alg)
	if want == "" {
		return "", fmt.Errorf("%w: its .%s holds no checksum", upstream.ErrBroken, alg)
	}
	return want, nil
}

func compare(alg, want string, sum func(string) string) error {
	if got := sum(alg); !strings.EqualFold(strings.TrimSpace(want), got) {
		return fmt.Errorf("%w: its %s is %s, announced was %.80s", upstream.ErrBroken, alg, got, want)
	}
	return nil
}
