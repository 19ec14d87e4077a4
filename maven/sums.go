package maven

// Checksums, both ways: what clients send is compared, what they ask for is computed; no checksum is a file.

import (
	"context"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/opencontainers/go-digest"

	"larder/internal/problem"
	"larder/internal/wire"
	"larder/maven/checksum"
	"larder/maven/names"
	"larder/maven/recent"
	"larder/store"
)

// getSum answers with a checksum of what the same request without suffix would get.
func (s *server) getSum(w http.ResponseWriter, r *http.Request, q Request) error {
	f, err := s.find(r.Context(), q.Name, q.key())
	ask, uerr := s.tryUpstream(r.Context(), q, err)
	if uerr != nil {
		return uerr
	}
	if ask {
		return s.proxiedSum(w, r, q)
	}
	if err != nil {
		return err
	}
	sum, err := s.sum(r.Context(), f.File, q.Sum)
	if err != nil {
		return err
	}
	return sendSum(w, r, sum, f.Modified, cacheControl(r, f.Final))
}

func sendSum(w http.ResponseWriter, r *http.Request, sum string, at time.Time, cache string) error {
	head := wire.BlobHead{Digest: digest.FromString(sum), Type: names.TypeText, Modified: at, CacheControl: cache}
	return wire.ServeBytes(w, r, []byte(sum), head)
}

// sum is a file's checksum. Sha512 is rarely asked for: it is computed then, and remembered.
func (s *server) sum(ctx context.Context, f store.File, alg string) (string, error) {
	if alg == "sha256" {
		return f.Digest.Encoded(), nil
	}
	if sum := f.Sums[alg]; sum != "" {
		return sum, nil
	}
	// Under a name that no artifact has: bytes have the same sum whatever happens to artifacts.
	return s.sums512.Get("sha512", f.Digest, func() (string, error) {
		file, _, err := s.Store.OpenBlob(ctx, f.Digest)
		if err != nil {
			return "", err
		}
		defer file.Close()
		h := sha512.New()
		if _, err := io.Copy(h, file); err != nil {
			return "", fmt.Errorf("sha512 of %s: %w", f.Digest, err)
		}
		return hex.EncodeToString(h.Sum(nil)), nil
	})
}

// putSum is PUT of a checksum: it is compared in memory with what came, and not kept.
func (s *server) putSum(w http.ResponseWriter, r *http.Request, q Request) error {
	text, err := wire.ReadBody(r, maxSum)
	if err != nil {
		return err
	}
	want := checksum.Parse(string(text), q.Sum)
	if want == "" {
		return problem.Errorf(store.ErrInvalid, "This is not a %s checksum.", q.Sum)
	}
	ctx := r.Context()
	who := recent.Key{Path: q.Path, User: store.ActorFrom(ctx).User}
	switch s.arrivals.Match(who, q.Sum, want) {
	case recent.MatchTaken:
		return created(w)
	case recent.MatchRefused:
		return problem.Errorf(store.ErrDigest, "This is the %s of a %s that was refused.", q.Sum, q.File)
	}
	f, err := s.find(ctx, q.Name, q.key())
	switch {
	case errors.Is(err, store.ErrNotFound):
		// Some clients send checksums first: the file will be compared with it.
		s.arrivals.Announce(who, q.Sum, want)
		return created(w)
	case err != nil:
		return err
	}
	got, err := s.sum(ctx, f.File, q.Sum)
	if err != nil {
		return err
	}
	if got == want || q.Sum == "sha512" && s.arrivals.Other(who, f.File.Digest) {
		return created(w)
	}
	if s.arrivals.Brought(who, f.File.Digest) {
		if err := s.quarantine(ctx, q, f, mismatch(q, q.Sum, got, want)); err != nil {
			return err
		}
	}
	return mismatch(q, q.Sum, got, want)
}

// quarantine takes a file out that its own client says is another: it is not served, and its version not announced,
// until it comes again. What is announced already stays: its checksums were right once.
func (s *server) quarantine(ctx context.Context, q Request, f found, reason error) error {
	name := q.Name
	return s.Repo.Update(ctx, name, func(p *store.PackageTx[Meta]) error {
		v, err := p.Version(f.Version)
		if err != nil || !v.Meta.Open {
			return ignoreMissing(err)
		}
		i := slices.IndexFunc(v.Files, func(x store.File) bool { return x.Name == f.File.Name && x.Digest == f.File.Digest })
		if i < 0 {
			return nil
		}
		if err := indexSHA1(p, v.Files[i], f.File.Name, false); err != nil {
			return err
		}
		v.Files = slices.Delete(slices.Clone(v.Files), i, i+1)
		v.Meta.Broken = with(v.Meta.Broken, q.File, problem.Public(reason))
		s.Log.LogAttrs(
			ctx, slog.LevelWarn, "a file does not match its checksum", slog.String("artifact", name),
			slog.String("version", v.ID), slog.String("file", q.File),
		)
		return p.Replace(v, opBreak)
	})
}

func ignoreMissing(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

func mismatch(q Request, alg, got, want string) error {
	return problem.Errorf(
		store.ErrDigest, "%s of %s does not match its checksum: its %s is %s, announced was %s.", q.File,
		names.Coordinates(q.Name, q.Version), alg, got, want,
	)
}
