package rebuild

// This file publishes files again, each with the requests that a client of its protocol sends, served in this process.

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"larder/internal/semver"
	"larder/store"
	"larder/upstream"
	"larder/web"
)

// Publisher publishes files of the folder Data. Serve has the handlers of the protocols; Token authorises the requests.
type Publisher struct {
	Data      string
	Serve     map[store.Kind]http.Handler
	Token     string
	Spellings upstream.Spellings
	// Held reports whether a package holds a blob now.
	Held func(context.Context, digest.Digest) (bool, error)

	paths   map[digest.Digest]string
	choices []*Choice
	twins   map[string]int // how many files claim to be the same one
}

// Publish publishes the chosen files of found and returns the outcome of each. A refusal of a handler is an outcome. An
// error is one of the folder or of ctx; files that were published before it stay published.
func (p *Publisher) Publish(
	ctx context.Context, found []store.Found, choices []*Choice, progress func(done, total int64),
) ([]web.Rebuilt, error) {
	if err := p.prepare(ctx, found, choices); err != nil {
		return nil, err
	}
	list := make([]web.Rebuilt, len(found))
	for i, f := range found {
		list[i].Found = f
	}
	slices.SortStableFunc(list, func(x, y web.Rebuilt) int { return inOrder(x.Found, y.Found) })
	for i := range list {
		progress(int64(i), int64(len(list)))
		if list[i].Kind == store.OCI {
			continue
		}
		if err := p.one(ctx, &list[i]); err != nil {
			return list, err
		}
	}
	if err := p.announce(ctx, list); err != nil {
		return list, err
	}
	return list, p.images(ctx, list, progress)
}

func (p *Publisher) prepare(ctx context.Context, found []store.Found, choices []*Choice) error {
	p.choices, p.paths, p.twins = choices, map[digest.Digest]string{}, map[string]int{}
	for _, f := range found {
		p.twins[p.identity(f)]++
	}
	return store.WalkBlobs(ctx, p.Data, func(f store.Found, path string) error {
		if p.paths[f.Digest] == "" {
			p.paths[f.Digest] = path
		}
		return nil
	})
}

// identity returns the package, version or file that f would be published as.
func (p *Publisher) identity(f store.Found) string {
	name, err := p.Spellings.Name(f.Kind, f.Name)
	if err != nil {
		name = f.Name
	}
	return string(f.Kind) + "\x00" + name + "\x00" + f.Version + "\x00" + f.File
}

// inOrder compares versions that take the tag latest from each other, so that the right one has it at last: prereleases
// come before releases, and old versions before new ones.
func inOrder(x, y store.Found) int {
	byName := cmp.Or(cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.Name, y.Name))
	if byName != 0 {
		return byName
	}
	return newer(x.Version, y.Version)
}

// newer compares versions for inOrder: negative if x comes first.
func newer(x, y string) int {
	a, isA := semver.Parse(x)
	b, isB := semver.Parse(y)
	if !isA || !isB {
		return cmp.Compare(x, y)
	}
	finished := func(s string) int {
		if s, _, _ = strings.Cut(s, "+"); strings.Contains(s, "-") {
			return 0
		}
		return 1
	}
	return cmp.Or(cmp.Compare(finished(x), finished(y)), a.Compare(b))
}

// one publishes a file that is no image, if it is chosen.
func (p *Publisher) one(ctx context.Context, r *web.Rebuilt) error {
	if r.Kind == "" {
		r.Reason = p.unknown(r.Digest)
		return nil
	}
	if !chosen(p.choices, p.Spellings, r.Found) {
		return nil
	}
	held, err := p.Held(ctx, r.Digest)
	if err != nil {
		return err
	}
	switch {
	case held:
		r.Outcome = web.RebuildHere
		return nil
	case p.twins[p.identity(r.Found)] > 1:
		return refuse(r, "%d files say that they are this one, and nothing says which was it: copy them out with --export "+
			"and publish the right one", p.twins[p.identity(r.Found)])
	case p.Serve[r.Kind] == nil:
		return refuse(r, "the protocol %s is switched off", r.Kind)
	}
	file, err := os.Open(p.paths[r.Digest])
	if err != nil {
		return err
	}
	defer file.Close()
	return p.settle(ctx, r, send[r.Kind](ctx, p, r.Found, file))
}

// settle records the outcome of a file's requests. It returns errors that are no refusals, which end the whole work.
func (p *Publisher) settle(ctx context.Context, r *web.Rebuilt, err error) error {
	var no *refusal
	switch {
	case err == nil:
		r.Outcome = web.RebuildPublished
		return nil
	case errors.As(err, &no):
		r.Outcome, r.Reason = web.RebuildRefused, no.text
		return nil
	}
	return cmp.Or(ctx.Err(), err)
}

// unknown says why a file cannot be published.
func (p *Publisher) unknown(d digest.Digest) string {
	const nothing = "it does not say what it is"
	file, err := os.Open(p.paths[d])
	if err != nil {
		return nothing
	}
	defer file.Close()
	var magic [4]byte
	if _, err := file.ReadAt(magic[:], 0); err == nil && string(magic[:]) == "PK\x03\x04" {
		return "a ZIP archive that has no name and version; a jar has them only in its pom.properties"
	}
	return nothing
}

// refusal is the sentence of a refused request, from a handler or from this package.
type refusal struct{ text string }

func (e *refusal) Error() string { return e.text }

func refused(format string, args ...any) error { return &refusal{fmt.Sprintf(format, args...)} }

func refuse(r *web.Rebuilt, format string, args ...any) error {
	r.Outcome, r.Reason = web.RebuildRefused, fmt.Sprintf(format, args...)
	return nil
}
