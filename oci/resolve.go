package oci

// Which repository a request is about. Every upstream has a prefix of its own: hub/library/alpine is library/alpine of
// the upstream called hub. A client may ask for it by that prefix, by ?ns= with the upstream's name or host
// (containerd), or by neither (docker's registry-mirrors) if no repository here has the name and hub is the first
// upstream that takes it. Rights, private patterns, rules, copies and logs all use the one name.

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"larder/auth"
	"larder/internal/problem"
	"larder/internal/registry"
	"larder/oci/names"
	"larder/store"
	"larder/upstream"
)

// CheckUpstreams refuses an upstream whose name is the first component of repositories that are here: it would hide
// them from pushes, and what one of them is called would mean two things.
func CheckUpstreams(ctx context.Context, s *store.Store, r *upstream.Registry) error {
	repo := store.NewRepo[Meta](s, store.OCI)
	for _, u := range r.Find(store.OCI, "") {
		prefix := u.Name() + "/"
		page, err := repo.Packages(ctx, prefix, 1)
		if err != nil {
			return fmt.Errorf("look for repositories below %s: %w", prefix, err)
		}
		if len(page) > 0 && strings.HasPrefix(page[0].Name, prefix) {
			return fmt.Errorf(
				"the upstream %s has the name of repositories that are here, %s for one: give the upstream another name", u.Name(),
				page[0].Name,
			)
		}
	}
	return nil
}

// source is a repository of an upstream.
type source struct {
	up   *upstream.Upstream
	name string // by which it is known here: the upstream's name and the path
	path string // that the upstream knows it by
}

func sourceAt(u *upstream.Upstream, path string) source {
	path = names.At(u.Host(), path)
	return source{up: u, name: u.Name() + "/" + path, path: path}
}

// resolve puts the name of what is served into q, and its source if that is an upstream. A repository that is here goes
// before an upstream's of the same name.
func (s *server) resolve(ctx context.Context, op string, q Request) (Request, error) {
	if s.Up == nil || q.Name == "" {
		return q, nil
	}
	src, ok := s.routed(q)
	if !ok {
		var err error
		if src, ok, err = s.fallback(ctx, op, q); err != nil || !ok {
			return q, err
		}
		q.guessed = true
	}
	if src.name != q.Name {
		q.Asked, q.Name = q.Name, src.name
	}
	// The name of an upstream can have what that of a repository cannot.
	if checkName(q.Name) != nil || !s.Up.Ours(ctx, q.Name) {
		q.from = src
	}
	return q, nil
}

// routed reports whether a request names an upstream by prefix or ?ns=.
func (s *server) routed(q Request) (src source, ok bool) {
	if q.Namespace != "" {
		if u := s.upstreamOf(q.Namespace); u != nil {
			return sourceAt(u, q.Name), true
		}
	}
	if first, rest, cut := strings.Cut(q.Name, "/"); cut {
		for _, u := range s.Up.Upstreams() {
			if u.Name() == first {
				return sourceAt(u, rest), true
			}
		}
	}
	return src, false
}

// sourceNames are the names of all upstreams' repositories that a client may mean by a name.
func (s *server) sourceNames(name string) (names []string) {
	for _, u := range s.Up.Upstreams() {
		names = append(names, sourceAt(u, name).name)
		if rest, ok := strings.CutPrefix(name, u.Name()+"/"); ok {
			names = append(names, sourceAt(u, rest).name)
		}
	}
	return names
}

// fallback is the source of a name that is not here, for requests that read. There is none for a private name that the
// client may not read: the upstream's answer, or its silence, would tell an absent name from a hidden one.
func (s *server) fallback(ctx context.Context, op string, q Request) (src source, ok bool, err error) {
	switch op {
	case "oci.manifest.get", "oci.blob.get", "oci.tags", "oci.referrers":
	default:
		return src, false, nil
	}
	here, err := s.isHere(ctx, op, q)
	if err != nil || here || s.Up.Claimed(q.Name) {
		return src, false, err
	}
	read := auth.Access{Kind: store.OCI, Type: typeRepository, Name: q.Name, Action: auth.Read}
	err = s.Auth.Authorize(ctx, auth.Anonymous(), read)
	if errors.Is(err, auth.ErrHidden) && !s.mayPull(ctx, q.Name) {
		return src, false, nil
	}
	if err != nil && !registry.IsOneOf(err, auth.ErrHidden, auth.ErrNoCredentials) {
		return src, false, err
	}
	return s.first(ctx, q.Name)
}

// first is the repository of the first upstream that takes a name. While no upstream can be asked, it is that of the
// first of which a copy is kept, if there is one.
func (s *server) first(ctx context.Context, name string) (src source, ok bool, err error) {
	offline := s.Up.Offline()
	for _, u := range s.Up.Upstreams() {
		at := sourceAt(u, name)
		if !u.Takes(append(s.spellings(at.name), name)...) {
			continue
		}
		if !ok {
			src, ok = at, true
		}
		if !offline {
			break
		}
		if held, err := s.Up.Holds(ctx, u, at.name); held || err != nil {
			return at, err == nil, err
		}
	}
	return src, ok, nil
}

// isProbe reports whether a request asks if what is to be pushed is here already: a HEAD for a name that no upstream
// has or that none answers for, by somebody who may create it. An upstream in trouble must not keep a push from
// beginning.
func (s *server) isProbe(r *http.Request, q Request) (bool, error) {
	ctx := r.Context()
	if r.Method != http.MethodHead || !q.guessed || s.May(ctx, auth.Create, q.Asked) != nil {
		return false, nil
	}
	if held, err := s.Up.Holds(ctx, q.from.up, q.Name); held || err != nil {
		return false, err
	}
	owner, _, err := s.Up.Exists(ctx, q.Asked)
	return owner == nil, err
}

// isHere reports whether the repository is hosted here, or holds the blob for a push whose manifest has not come yet.
func (s *server) isHere(ctx context.Context, op string, q Request) (bool, error) {
	if ours := s.Up.Ours(ctx, q.Name); ours || op != "oci.blob.get" {
		return ours, nil
	}
	_, err := s.Store.HeldBlob(ctx, store.OCI, q.Name, q.Digest)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// mayAsk is store.ErrNotFound if the upstream is configured not to be asked for the repository.
func (s *server) mayAsk(src source) error {
	if !src.up.Takes(s.spellings(src.name)...) {
		return problem.Errorf(store.ErrNotFound, "the upstream %s is not for %s", src.up.Name(), src.path)
	}
	return nil
}

// spellings are the names by which an operator's rules may know an upstream's repository: with the upstream's name and
// without, and without "library/" where its own users leave that out.
func (s *server) spellings(name string) []string {
	first, path, _ := strings.Cut(name, "/")
	u := s.Up.Upstream(first)
	if u == nil {
		return []string{name}
	}
	if short, ok := strings.CutPrefix(path, "library/"); ok && names.IsHub(u.Host()) {
		return []string{name, path, short}
	}
	return []string{name, path}
}

// upstreamOf finds a registry's host among the configured upstreams: an address that a client sends is never dialled.
func (s *server) upstreamOf(ns string) *upstream.Upstream {
	ns = strings.ToLower(ns)
	for _, u := range s.Up.Upstreams() {
		host := strings.ToLower(u.Host())
		if ns == host || ns == strings.ToLower(u.Name()) || strings.TrimSuffix(ns, ":443") == host ||
			names.IsHub(ns) && names.IsHub(host) {
			return u
		}
	}
	return nil
}
