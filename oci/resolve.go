package oci

// Which repository a request is about. Each upstream is a name space of its own: hub/library/alpine is library/alpine
// of the upstream called hub, however a client spells it: by that prefix, by ?ns= of the upstream's name or host
// (containerd), or by neither (docker's registry-mirrors), when no repository here has the name and hub is the first
// upstream that takes it. That one name is what rights, private patterns, rules, copies and logs are about.

import (
	"context"
	"errors"
	"fmt"
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

// elsewhere is a repository of an upstream.
type elsewhere struct {
	up   *upstream.Upstream
	name string // by which it is known here: the upstream's name and the path
	path string // that the upstream knows it by
}

func elsewhereAt(u *upstream.Upstream, path string) elsewhere {
	path = names.At(u.Host(), path)
	return elsewhere{up: u, name: u.Name() + "/" + path, path: path}
}

// resolve puts the name of what is served into q, and where it comes from if that is an upstream. What is here wins.
func (s *server) resolve(ctx context.Context, op string, q Request) (Request, error) {
	if s.Up == nil || q.Name == "" {
		return q, nil
	}
	e, ok := s.routed(q)
	if !ok {
		var err error
		if e, ok, err = s.fallback(ctx, op, q); err != nil || !ok {
			return q, err
		}
	}
	if e.name != q.Name {
		q.Asked, q.Name = q.Name, e.name
	}
	// The name of an upstream can have what that of a repository cannot.
	if checkName(q.Name) != nil || !s.Up.Ours(ctx, q.Name) {
		q.from = e
	}
	return q, nil
}

// routed reports whether a request names an upstream by prefix or ?ns=.
func (s *server) routed(q Request) (e elsewhere, ok bool) {
	if q.Namespace != "" {
		if u := s.upstreamOf(q.Namespace); u != nil {
			return elsewhereAt(u, q.Name), true
		}
	}
	if first, rest, cut := strings.Cut(q.Name, "/"); cut {
		for _, u := range s.Up.Upstreams() {
			if u.Name() == first {
				return elsewhereAt(u, rest), true
			}
		}
	}
	return e, false
}

// elsewhere are the names of all upstreams' repositories that a client may mean by a name.
func (s *server) elsewhere(name string) (names []string) {
	for _, u := range s.Up.Upstreams() {
		names = append(names, elsewhereAt(u, name).name)
		if rest, ok := strings.CutPrefix(name, u.Name()+"/"); ok {
			names = append(names, elsewhereAt(u, rest).name)
		}
	}
	return names
}

// fallback is where reading a name goes that is not here. A private name that is not here goes nowhere for who may not
// read it: the upstream's answer, or its silence, would tell it from one that is.
func (s *server) fallback(ctx context.Context, op string, q Request) (e elsewhere, ok bool, err error) {
	switch op {
	case "oci.manifest.get", "oci.blob.get", "oci.tags", "oci.referrers":
	default:
		return e, false, nil
	}
	here, err := s.isHere(ctx, op, q)
	if err != nil || here || s.Up.Claimed(q.Name) {
		return e, false, err
	}
	read := auth.Access{Kind: store.OCI, Type: typeRepository, Name: q.Name, Action: auth.Read}
	err = s.Auth.Authorize(ctx, auth.Anonymous(), read)
	if errors.Is(err, auth.ErrHidden) && !s.mayPull(ctx, q.Name) {
		return e, false, nil
	}
	if err != nil && !registry.IsOneOf(err, auth.ErrHidden, auth.ErrNoCredentials) {
		return e, false, err
	}
	return s.first(ctx, q.Name)
}

// first is the repository of the first upstream that takes a name; while none can be asked, of the first that something
// is kept of, if any.
func (s *server) first(ctx context.Context, name string) (e elsewhere, ok bool, err error) {
	offline := s.Up.Offline()
	for _, u := range s.Up.Upstreams() {
		at := elsewhereAt(u, name)
		if !u.Takes(append(s.spellings(at.name), name)...) {
			continue
		}
		if !ok {
			e, ok = at, true
		}
		if !offline {
			break
		}
		if held, err := s.Up.Holds(ctx, u, at.name); held || err != nil {
			return at, err == nil, err
		}
	}
	return e, ok, nil
}

// isHere reports whether the name is ours, or the blob is that of a push whose manifest is still to come.
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

// mayAsk is ErrNotFound when the operator keeps the repository from its upstream.
func (s *server) mayAsk(e elsewhere) error {
	if !e.up.Takes(s.spellings(e.name)...) {
		return problem.Errorf(store.ErrNotFound, "the upstream %s is not for %s", e.up.Name(), e.path)
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

// upstreamOf looks a registry's host up in the closed table of upstreams; it is never dialled by what the client said.
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
