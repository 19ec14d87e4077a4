package rubygems

// What a .gem file says of itself. Pure over io.Reader; the limits hold whatever its headers claim.

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
	"larder/internal/gemspec"
	"larder/internal/wire"
	"larder/store"
)

const (
	maxMember   = 10 << 20 // unpacked metadata, checksums, a signature
	maxEntries  = 200_000
	maxUnpacked = 4 << 30
)

// The members of a .gem; each may have a signature beside it.
const (
	memberMetadata  = "metadata.gz"
	memberData      = "data.tar.gz"
	memberChecksums = "checksums.yaml.gz"
	signature       = ".sig"
)

// gem is what publishing needs to know of an uploaded file.
type gem struct {
	spec      *gemspec.Specification
	sums      map[string]map[string]string // algorithm → member → hex, as the gem states them
	own       map[string]map[string]string // the same as computed
	signed    bool
	unchecked bool // it has no checksums: gems from before RubyGems 2.0
}

// readGem reads a .gem: an uncompressed tar of a specification, the files and checksums of both.
func readGem(r io.Reader) (*gem, error) {
	g := &gem{own: map[string]map[string]string{"SHA256": {}, "SHA512": {}}}
	seen := map[string]bool{}
	err := archive.Tar(r, archive.Limits{Entries: 16, Bytes: 64 << 30, Strict: true, Plain: true}, func(e *archive.Entry) error {
		base := strings.TrimSuffix(e.Name, signature)
		if !e.Regular || seen[e.Name] || !slices.Contains([]string{memberMetadata, memberData, memberChecksums}, base) {
			return wire.Errorf(store.ErrInvalid, "The gem has the member %.80q, which is twice or does not belong there.", e.Name)
		}
		seen[e.Name] = true
		return g.take(e)
	})
	if err != nil {
		return nil, unreadable(err, "gem")
	}
	if !seen[memberMetadata] || !seen[memberData] {
		return nil, wire.Errorf(store.ErrInvalid, "The gem lacks %s or %s.", memberMetadata, memberData)
	}
	g.unchecked = !seen[memberChecksums]
	if err := g.compare(); err != nil {
		return nil, err
	}
	if g.signed && g.spec.Certificates == 0 {
		return nil, wire.Errorf(store.ErrInvalid, "The gem has signatures, but no certificates.")
	}
	return g, nil
}

// unreadable gives an error of an archive the sentence for the client's user.
func unreadable(err error, what string) error {
	var explained interface{ Public() string }
	switch {
	case errors.As(err, &explained):
		return err // by a member of it
	case errors.Is(err, archive.ErrFormat):
		return wire.Explain(err, store.ErrInvalid, "The %s is damaged or no archive.", what)
	case errors.Is(err, archive.ErrLimit):
		return wire.Explain(err, store.ErrTooLarge, "The %s unpacks to too much.", what)
	case errors.Is(err, archive.ErrName), errors.Is(err, archive.ErrType):
		return wire.Explain(err, store.ErrInvalid, "The %s has a file whose name leads outside of it.", what)
	}
	return err
}

// take reads one member and hashes it.
func (g *gem) take(e *archive.Entry) error {
	s256, s512 := sha256.New(), sha512.New()
	in := io.TeeReader(e, io.MultiWriter(s256, s512))
	var err error
	switch e.Name {
	case memberData:
		err = checkData(in)
	default:
		err = g.small(e.Name, in)
	}
	if err != nil {
		return err
	}
	// The checksum is of every byte, also those a reader has no use for.
	if _, err := io.Copy(io.Discard, in); err != nil {
		return err
	}
	for name, h := range map[string]hash.Hash{"SHA256": s256, "SHA512": s512} {
		g.own[name][e.Name] = hex.EncodeToString(h.Sum(nil))
	}
	return nil
}

// small reads a member that fits into memory.
func (g *gem) small(name string, in io.Reader) error {
	raw, err := io.ReadAll(io.LimitReader(in, maxMember+1))
	switch {
	case err != nil:
		return err
	case len(raw) > maxMember:
		return wire.Errorf(store.ErrTooLarge, "The gem's %s has more than %d bytes.", name, maxMember)
	case strings.HasSuffix(name, signature):
		g.signed = true
		return nil
	}
	plain, err := archive.Gunzip(raw, maxMember)
	if err != nil {
		return unreadable(err, "gem's "+name)
	}
	if name == memberMetadata {
		g.spec, err = gemspec.Read(plain)
	} else {
		g.sums, err = gemspec.ReadChecksums(plain)
	}
	switch {
	case errors.Is(err, gemspec.ErrFormat):
		return wire.Errorf(store.ErrInvalid, "The gem's %s: %v.", name, err)
	case errors.Is(err, gemspec.ErrLimit):
		return wire.Errorf(store.ErrTooLarge, "The gem's %s: %v.", name, err)
	}
	return err
}

// checkData looks at the names in data.tar.gz without unpacking it anywhere: clients will extract them.
func checkData(r io.Reader) error {
	err := archive.Tar(r, archive.Limits{Entries: maxEntries, Bytes: maxUnpacked}, func(e *archive.Entry) error {
		if e.Link == "" {
			return nil
		}
		if strings.HasPrefix(e.Link, "/") || !inside(path.Join(path.Dir(e.Name), e.Link)) {
			return wire.Errorf(store.ErrInvalid, "The link %.200q in the gem leads outside of it.", e.Name)
		}
		return nil
	})
	if errors.Is(err, archive.ErrEmpty) {
		return nil // a gem without files is legal
	}
	return unreadable(err, memberData)
}

func inside(p string) bool { return p != ".." && !strings.HasPrefix(p, "../") }

// compare checks the sums the gem states; those of algorithms we do not compute are left alone.
func (g *gem) compare() error {
	if g.unchecked {
		return nil
	}
	for _, name := range []string{memberMetadata, memberData} {
		if g.sums["SHA256"][name] == "" && g.sums["SHA512"][name] == "" {
			return wire.Errorf(store.ErrInvalid, "The gem's checksums say nothing of %s.", name)
		}
	}
	for algorithm, own := range g.own {
		for name, want := range g.sums[algorithm] {
			if !strings.EqualFold(own[name], want) {
				return wire.Errorf(store.ErrDigest, "The gem's %s is not the one its checksums are of.", name)
			}
		}
	}
	return nil
}
