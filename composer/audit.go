package composer

// This file asks upstreams for the advisories about packages that are not of this registry. Nothing is kept of what
// they answer, and no name of ours is sent. Where one that has advisories cannot be asked, an audit is refused: it is
// never clean because nobody was asked.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"time"

	"larder/composer/minify"
	"larder/internal/problem"
	"larder/internal/registry"
	"larder/store"
	"larder/upstream"
)

// maxAdvisories is the most bytes of an upstream's answer.
const maxAdvisories = 64 << 20

// theirs are what upstreams know of those packages among names that are not ours, and that the client may read. A name
// that an upstream knows and has nothing about has an empty list.
func (s *server) theirs(
	ctx context.Context, view registry.View, names []string,
) (found map[string][]advised, err error) {
	if s.Up == nil || len(names) == 0 {
		return nil, nil
	}
	ctx = upstream.WithBudget(ctx)
	names, err = registry.Visible(view, valid(names), func(name string) string { return name })
	if err != nil {
		return nil, err
	}
	asked, roots, err := s.advisers(ctx, names)
	if err != nil {
		return nil, err
	}
	loaded, err := s.advised.All(ctx)
	if err != nil {
		return nil, err
	}
	found = map[string][]advised{}
	for _, u := range s.Up.Upstreams() {
		if len(asked[u]) == 0 {
			continue
		}
		err := s.adviceOf(ctx, u, roots[u], asked[u], found)
		if errors.Is(err, upstream.ErrOffline) {
			if len(loaded) > 0 {
				continue // what is loaded here stands in for it
			}
			err = problem.Wrap(err, upstream.ErrOffline, "The upstream registry %s is not asked at present, and no "+
				"advisories are loaded here: whether its packages have any is not known.", u.Name())
		}
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// advisers are the upstreams to ask about each name: whose the name is, or, where that one publishes no advisories, the
// others that may be asked for it.
func (s *server) advisers(
	ctx context.Context, names []string,
) (asked map[*upstream.Upstream][]string, roots map[*upstream.Upstream]remoteRoot, err error) {
	asked, roots = map[*upstream.Upstream][]string{}, map[*upstream.Upstream]remoteRoot{}
	mute := func(u *upstream.Upstream) (bool, error) {
		root, known := roots[u]
		if !known {
			if root, err = s.rootOf(ctx, u); err != nil && !errors.Is(err, store.ErrNotFound) {
				return false, err
			}
			roots[u] = root
		}
		return root.doc.Sub("security-advisories") == nil, nil
	}
	for _, name := range names {
		list, err := s.Up.Whom(ctx, name)
		if err != nil {
			return nil, nil, err
		}
		if len(list) == 1 {
			if silent, err := mute(list[0]); err != nil {
				return nil, nil, err
			} else if silent {
				list = slices.DeleteFunc(slices.Clone(s.Up.Upstreams()), func(u *upstream.Upstream) bool {
					return !u.Takes(name)
				})
			}
		}
		for _, u := range list {
			silent, err := mute(u)
			if err != nil {
				return nil, nil, err
			}
			if !silent {
				asked[u] = append(asked[u], name)
			}
		}
	}
	return asked, roots, nil
}

// adviceOf adds what u knows of names: what its address for audits answers, or what its documents say.
func (s *server) adviceOf(
	ctx context.Context, u *upstream.Upstream, root remoteRoot, names []string, found map[string][]advised,
) error {
	if at, err := root.at.Parse(root.doc.Sub("security-advisories").Text("api-url")); err == nil &&
		root.doc.Sub("security-advisories").Text("api-url") != "" {
		form := url.Values{}
		for i, name := range names {
			form.Set("packages["+strconv.Itoa(i)+"]", name)
		}
		var got map[string][]advised
		_, err := s.Up.Ask(ctx, u, upstream.Question{
			Ref: at.String(), Type: "application/x-www-form-urlencoded", Body: []byte(form.Encode()), Limit: maxAdvisories,
			Check: func(body []byte, _ string) (err error) { got, err = readAdvisories(body); return err },
		})
		switch {
		case err == nil:
			for _, name := range names {
				if list, known := got[name]; known {
					addAdvisories(found, name, list)
				}
			}
			return nil
		case !errors.Is(err, store.ErrNotFound) && !errors.Is(err, upstream.ErrOffline):
			return err
		}
	}
	for _, name := range names {
		list, known, err := s.adviceIn(ctx, u, name)
		if err != nil {
			return err
		}
		if known {
			addAdvisories(found, name, list)
		}
	}
	return nil
}

// addAdvisories adds those of a package that are not there yet.
func addAdvisories(found map[string][]advised, name string, list []advised) {
	if found[name] == nil {
		found[name] = []advised{}
	}
	for _, a := range list {
		if !slices.ContainsFunc(found[name], func(b advised) bool { return a.ID == b.ID }) {
			found[name] = append(found[name], a)
		}
	}
}

// readAdvisories reads an answer by package; PHP writes an object without members as a list.
func readAdvisories(body []byte) (map[string][]advised, error) {
	var answer struct {
		Advisories json.RawMessage `json:"advisories"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, err
	}
	var none []json.RawMessage
	if json.Unmarshal(answer.Advisories, &none) == nil && answer.Advisories != nil && len(none) == 0 {
		return nil, nil
	}
	var byName map[string]json.RawMessage
	if err := json.Unmarshal(answer.Advisories, &byName); err != nil {
		return nil, fmt.Errorf("the answer has no advisories: %w", err)
	}
	out := map[string][]advised{}
	for name, raw := range byName {
		list := []advised{}
		var byKey map[string]advised
		if err := json.Unmarshal(raw, &list); err != nil {
			if json.Unmarshal(raw, &byKey) != nil {
				return nil, err
			}
			list = list[:0]
			for _, a := range byKey {
				list = append(list, a)
			}
		}
		for _, n := range valid([]string{name}) {
			out[n] = append(out[n], list...)
		}
	}
	return out, nil
}

// adviceIn is what u's document of a package says of advisories, which is which versions they are about; false when it
// says nothing.
func (s *server) adviceIn(
	ctx context.Context, u *upstream.Upstream, name string,
) (list []advised, known bool, err error) {
	d, err := s.Up.DocumentFrom(ctx, u, s.metadataQuery(name, formReleases))
	if errors.Is(err, store.ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	body, err := d.Bytes(ctx)
	if err != nil {
		return nil, false, err
	}
	doc, _, err := minify.Expand(body, name)
	raw := doc.Get("security-advisories")
	if err != nil || raw == nil {
		return nil, false, err
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, false, fmt.Errorf("%w: advisories of %s: %w", upstream.ErrUnavailable, name, err)
	}
	for i, a := range list {
		// Clients read only advisories that have these.
		a.Package = name
		if a.Title == "" {
			a.Title = a.ID + " (" + u.Name() + " says no more of it)"
		}
		if a.Reported == "" {
			a.Reported = d.Fetched.UTC().Format(time.RFC3339)
		}
		if len(a.Sources) == 0 {
			a.Sources = []advisedSource{{Name: u.Name(), RemoteID: a.ID}}
		}
		list[i] = a
	}
	return list, true, nil
}
