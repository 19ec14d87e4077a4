// Package archive reads what a .gem file says of itself, and has the rules for gems that are published. It needs only
// an io.Reader. The limits hold whatever the headers of the file claim.
package archive

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"path"
	"slices"
	"strings"

	"larder/internal/archive"
	"larder/internal/problem"
	"larder/rubygems/gemspec"
)

const (
	// MaxMember bounds each of metadata, checksums and a signature, unpacked.
	MaxMember   = 10 << 20
	maxEntries  = 200_000
	maxUnpacked = 4 << 30
)

// The members of a .gem; each may have a signature beside it.
const (
	Metadata  = "metadata.gz"
	Data      = "data.tar.gz"
	Checksums = "checksums.yaml.gz"
	signature = ".sig"
)

// Gem is what a publish needs to know of an uploaded file.
type Gem struct {
	Spec      *gemspec.Specification
	Sums      map[string]map[string]string // algorithm → member → hex, as the gem states them
	Own       map[string]map[string]string // the same, as computed from its bytes
	Signed    bool
	Unchecked bool // the gem states no checksums, as those of before RubyGems 2.0
}

// Read reads a .gem: an uncompressed tar of a specification, the files and checksums of both.
func Read(r io.Reader) (*Gem, error) {
	g := &Gem{Own: map[string]map[string]string{"SHA256": {}, "SHA512": {}}}
	seen := map[string]bool{}
	limits := archive.Limits{Entries: 16, Bytes: 64 << 30, Strict: true, Plain: true}
	err := archive.Tar(r, limits, func(e *archive.Entry) error {
		base := strings.TrimSuffix(e.Name, signature)
		if !e.Regular || seen[e.Name] || !slices.Contains([]string{Metadata, Data, Checksums}, base) {
			return problem.Errorf(
				problem.ErrInvalid, "The gem has the member %.80q, which is twice or does not belong there.", e.Name,
			)
		}
		seen[e.Name] = true
		return g.take(e)
	})
	if err != nil {
		return nil, unreadable(err, "gem")
	}
	if !seen[Metadata] || !seen[Data] {
		return nil, problem.Errorf(problem.ErrInvalid, "The gem lacks %s or %s.", Metadata, Data)
	}
	g.Unchecked = !seen[Checksums]
	if err := g.compare(); err != nil {
		return nil, err
	}
	if g.Signed && g.Spec.Certificates == 0 {
		return nil, problem.Errorf(problem.ErrInvalid, "The gem has signatures, but no certificates.")
	}
	return g, nil
}

// unreadable adds the sentence for the client's user to an error of an archive.
func unreadable(err error, what string) error {
	var explained interface{ Public() string }
	switch {
	case errors.As(err, &explained):
		return err // an error of one of its members, with a sentence already
	case errors.Is(err, archive.ErrFormat):
		return problem.Wrap(err, problem.ErrInvalid, "The %s is damaged or no archive.", what)
	case errors.Is(err, archive.ErrLimit):
		return problem.Wrap(err, problem.ErrTooLarge, "The %s unpacks to too much.", what)
	case errors.Is(err, archive.ErrName), errors.Is(err, archive.ErrType):
		return problem.Wrap(err, problem.ErrInvalid, "The %s has a file whose name leads outside of it.", what)
	}
	return err
}

// take reads one member and hashes it.
func (g *Gem) take(e *archive.Entry) error {
	s256, s512 := sha256.New(), sha512.New()
	in := io.TeeReader(e, io.MultiWriter(s256, s512))
	var err error
	switch e.Name {
	case Data:
		err = checkData(in)
	default:
		err = g.small(e.Name, in)
	}
	if err != nil {
		return err
	}
	// The checksum is of every byte, also of those that the reader above did not need.
	if _, err := io.Copy(io.Discard, in); err != nil {
		return err
	}
	for name, h := range map[string]hash.Hash{"SHA256": s256, "SHA512": s512} {
		g.Own[name][e.Name] = hex.EncodeToString(h.Sum(nil))
	}
	return nil
}

// small reads a member that fits into memory.
func (g *Gem) small(name string, in io.Reader) error {
	raw, err := io.ReadAll(io.LimitReader(in, MaxMember+1))
	switch {
	case err != nil:
		return err
	case len(raw) > MaxMember:
		return problem.Errorf(problem.ErrTooLarge, "The gem's %s has more than %d bytes.", name, MaxMember)
	case strings.HasSuffix(name, signature):
		g.Signed = true
		return nil
	}
	plain, err := archive.Gunzip(raw, MaxMember)
	if err != nil {
		return unreadable(err, "gem's "+name)
	}
	if name == Metadata {
		g.Spec, err = gemspec.Read(plain)
	} else {
		g.Sums, err = gemspec.ReadChecksums(plain)
	}
	switch {
	case errors.Is(err, gemspec.ErrFormat):
		return problem.Errorf(problem.ErrInvalid, "The gem's %s: %v.", name, err)
	case errors.Is(err, gemspec.ErrLimit):
		return problem.Errorf(problem.ErrTooLarge, "The gem's %s: %v.", name, err)
	}
	return err
}

// checkData checks the names in data.tar.gz, which clients will extract. It unpacks nothing to the disk.
func checkData(r io.Reader) error {
	err := archive.Tar(r, archive.Limits{Entries: maxEntries, Bytes: maxUnpacked}, func(e *archive.Entry) error {
		if e.Link == "" {
			return nil
		}
		if strings.HasPrefix(e.Link, "/") || !inside(path.Join(path.Dir(e.Name), e.Link)) {
			return problem.Errorf(problem.ErrInvalid, "The link %.200q in the gem leads outside of it.", e.Name)
		}
		return nil
	})
	if errors.Is(err, archive.ErrEmpty) {
		return nil // a gem without files is legal
	}
	return unreadable(err, Data)
}

func inside(p string) bool { return p != ".." && !strings.HasPrefix(p, "../") }

// compare checks the sums that the gem states. Those of algorithms that are not computed here are ignored.
func (g *Gem) compare() error {
	if g.Unchecked {
		return nil
	}
	for _, name := range []string{Metadata, Data} {
		if g.Sums["SHA256"][name] == "" && g.Sums["SHA512"][name] == "" {
			return problem.Errorf(problem.ErrInvalid, "The gem's checksums say nothing of %s.", name)
		}
	}
	for algorithm, own := range g.Own {
		for name, want := range g.Sums[algorithm] {
			if !strings.EqualFold(own[name], want) {
				return problem.Errorf(problem.ErrInvalid, "The gem's %s is not the one its checksums are of.", name)
			}
		}
	}
	return nil
}
