package audit

// Reading requests. They are strangers' and may be large: they are read from front to back, and of them only what an
// advisory is about is kept.

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"net/http"
	"strings"

	"larder/internal/problem"
	"larder/internal/rawjson"
	"larder/internal/semver"
	"larder/internal/wire"
	"larder/npm/version"
)

// Limits of one audit. The largest workspaces have some ten thousand packages.
const (
	maxBody     = 16 << 20 // bytes, unpacked
	minUnpacked = 1 << 20  // bytes that any request may unpack to
	maxRatio    = 20       // times its size that a larger one may; JSON of names and versions packs to a fifth
	maxPackages = 50_000
	maxVersions = 100_000 // of all packages; in a tree: dependencies
	maxTold     = 20_000  // different versions of packages with advisories
	maxDepth    = 1024    // of nested values in a tree; half as many dependencies
	maxOfOne    = 1000    // of them of one package
	maxPaths    = 100     // for one version
	maxPathText = 1 << 20 // bytes of all paths
	askEvery    = 1024    // versions after which it is asked whether the client is still there
)

// packed is the body of a request as it came: npm and bun send it gzipped.
type packed struct {
	raw  []byte
	gzip bool
}

// body reads a request.
func body(r *http.Request) (packed, error) {
	raw, err := wire.ReadBody(r, maxBody)
	return packed{raw, r.Header.Get("Content-Encoding") == "gzip"}, err
}

// open returns what the request says, from its beginning.
func (p packed) open() (io.Reader, error) {
	if !p.gzip {
		return bytes.NewReader(p.raw), nil
	}
	z, err := gzip.NewReader(bytes.NewReader(p.raw))
	if err != nil {
		return nil, notGzip(err)
	}
	return &unpacked{z: z, left: min(maxBody, minUnpacked+maxRatio*int64(len(p.raw)))}, nil
}

// errUnpack marks what is wrong with a stream that should be gzip.
var errUnpack = errors.New("unpack the audit request")

func notGzip(err error) error {
	return problem.Wrap(
		fmt.Errorf("%w: %w", errUnpack, err), problem.ErrInvalid, "The audit request is not gzip, as its header says.",
	)
}

// unpacked is a gzip stream that may not be much larger than what was sent.
type unpacked struct {
	z    *gzip.Reader
	left int64
}

func (u *unpacked) Read(p []byte) (int, error) {
	n, err := u.z.Read(p)
	if u.left -= int64(n); u.left < 0 {
		return 0, problem.Errorf(
			problem.ErrTooLarge, "The audit request unpacks to more than %d times its size, or more than %d bytes.", maxRatio,
			maxBody,
		)
	}
	if err != nil && err != io.EOF {
		err = notGzip(err)
	}
	return n, err
}

// installed is one of a package with advisories, and where it was found in the tree.
type installed struct {
	text  string
	v     semver.Version
	paths []string
}

// request is what an audit asks for: the versions of the packages in about, and how many there are of all.
type request struct {
	ctx   context.Context
	about map[string]bool
	told  map[string][]*installed  // by package; each version once
	seen  map[[2]string]*installed // by package and text

	each func(name, text string) error // called with every version instead of keeping it, if it is set

	packages, versions int // as they came
	pathText           int

	seed     maphash.Seed
	distinct map[uint64]struct{} // versions of packages, in trees
	path     []string
}

func newRequest(ctx context.Context, about map[string]bool) *request {
	return &request{
		ctx: ctx, about: about, told: map[string][]*installed{}, seen: map[[2]string]*installed{}, seed: maphash.MakeSeed(),
		distinct: map[uint64]struct{}{},
	}
}

// add counts a version, and keeps it when there are advisories about its package; nil when not.
func (q *request) add(name, text string) (*installed, error) {
	if q.versions++; q.versions > maxVersions {
		return nil, problem.Errorf(problem.ErrTooLarge, "An audit has at most %d versions of packages.", maxVersions)
	}
	if q.versions%askEvery == 0 && q.ctx.Err() != nil {
		return nil, q.ctx.Err()
	}
	if q.each != nil {
		return nil, q.each(name, text)
	}
	if !q.about[name] {
		return nil, nil
	}
	if known := q.seen[[2]string{name, text}]; known != nil {
		return known, nil
	}
	v, ok := version.Parse(text)
	if !ok {
		return nil, nil
	}
	if len(q.seen) == maxTold || len(q.told[name]) == maxOfOne {
		return nil, problem.Errorf(
			problem.ErrTooLarge, "An audit has at most %d versions of packages with advisories, and %d of one.", maxTold,
			maxOfOne,
		)
	}
	kept := &installed{text: text, v: v, paths: []string{}}
	q.seen[[2]string{name, text}] = kept
	q.told[name] = append(q.told[name], kept)
	return kept, nil
}

// bulk reads an object of lists of versions by package.
func (q *request) bulk(r io.Reader) error {
	s := rawjson.NewScanner(r)
	err := s.Members(func(name string) error {
		if q.packages++; q.packages > maxPackages {
			return problem.Errorf(problem.ErrTooLarge, "An audit has at most %d packages.", maxPackages)
		}
		if c, err := s.Peek(); err != nil || c == 'n' {
			return errors.Join(err, s.Skip())
		}
		return s.Array(func() error {
			text, err := s.Str(rawjson.MaxKey)
			if err == nil {
				_, err = q.add(name, text)
			}
			return err
		})
	})
	return finish(s, err, "An audit request is an object of lists of versions by package.")
}

// tree reads what the older audits send of a lockfile: dependencies within dependencies.
func (q *request) tree(r io.Reader) error {
	s := rawjson.NewScanner(r).Deep(maxDepth)
	_, err := q.node(s)
	return finish(s, err, "An audit request is an object with a tree of dependencies.")
}

// node reads a package in the tree and returns its version.
func (q *request) node(s *rawjson.Scanner) (text string, err error) {
	err = s.Members(func(key string) error {
		c, err := s.Peek()
		switch {
		case err != nil:
			return err
		case key == "version" && c != 'n':
			text, err = s.Str(rawjson.MaxKey)
			return err
		case key == "dependencies" && c != 'n':
			return s.Members(func(name string) error { return q.dependency(s, name) })
		}
		return s.Skip()
	})
	return text, err
}

// dependency reads the package called name below the present path.
func (q *request) dependency(s *rawjson.Scanner, name string) error {
	q.path = append(q.path, name)
	defer func() { q.path = q.path[:len(q.path)-1] }()
	text, err := q.node(s)
	if err != nil {
		return err
	}
	q.distinct[maphash.String(q.seed, name+"\x00"+text)] = struct{}{}
	v, err := q.add(name, text)
	if v == nil || len(v.paths) == maxPaths {
		return err
	}
	path := strings.Join(q.path, ">")
	if q.pathText += len(path); q.pathText <= maxPathText {
		v.paths = append(v.paths, path)
	}
	return nil
}

// finish is the error of a request that was read with s: JSON that is not what it should be is told in a sentence of
// its kind of audit.
func finish(s *rawjson.Scanner, err error, sentence string) error {
	if err == nil {
		err = s.End()
	}
	if errors.Is(err, problem.ErrInvalid) && !errors.Is(err, errUnpack) {
		return problem.Wrap(err, problem.ErrInvalid, "%s The request's JSON %s.", sentence, rawjson.Reason(err))
	}
	if err != nil {
		return fmt.Errorf("read audit request: %w", err)
	}
	return nil
}
