package maven

// Search, in the form that IDEs, dependency-check and scripts know from the public repository's own service: Solr's.
// What an artifact is found by is a listing of the store, replaced when a version is announced.

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"larder/internal/registry"
	"larder/internal/wire"
	"larder/maven/metadata"
	"larder/maven/names"
	"larder/maven/search"
	"larder/maven/version"
	"larder/store"
	"larder/upstream"
)

// maxMatches is how many artifacts one search looks at for their versions, and how many versions for their classifiers.
const maxMatches = 1000

// setListing writes what an artifact is found by: its coordinates and what its latest version says.
func setListing(p *store.PackageTx[Meta]) error {
	var st metadata.State
	if there, err := getRow(p.Index(indexState), "", &st); err != nil || !there || st.Latest == "" {
		return cmp.Or(err, p.SetListing(nil))
	}
	v, err := record(p, st.Latest)
	if err != nil {
		return ignoreMissing(err)
	}
	found := subjectOf(p.Name(), v)
	sum := found.Summary()
	sum.Latest, sum.Count = st.Latest, st.Count
	data, err := json.Marshal(sum)
	if err != nil {
		return fmt.Errorf("listing of %s: %w", p.Name(), err)
	}
	l := found.Listing()
	l.Data = data
	return p.SetListing(&l)
}

func subjectOf(name string, v store.Version[Meta]) search.Subject {
	return search.Subject{Name: name, Version: v.Meta.Base, Published: v.Published, POM: v.Meta.POM, Files: v.Files}
}

// record reads a version by the name metadata has for it: of a snapshot, its newest build.
func record(p *store.PackageTx[Meta], version string) (store.Version[Meta], error) {
	var b metadata.Base
	if there, err := getRow(p.Index(indexBases), version, &b); err != nil {
		return store.Version[Meta]{}, err
	} else if there {
		version = b.Build
	}
	return p.Version(version)
}

// search answers GET /solrsearch/select.
func (s *server) search(w http.ResponseWriter, r *http.Request, q Request) error {
	ctx := r.Context()
	query, view := search.Parse(q.Query), s.View(ctx)
	var hits []search.Hit
	var total int
	var err error
	switch {
	case query.None:
	case query.SHA1 != "":
		hits, total, err = s.bySHA1(ctx, view, query.SHA1, q.From, q.Size)
	case query.Classifier != "" && (q.Core == "gav" || query.Version != ""):
		hits, total, err = s.classifiedHits(ctx, query, q.From, q.Size)
	case q.Core == "gav" || query.Version != "":
		hits, total, err = s.versionHits(ctx, query, q.From, q.Size)
	default:
		hits, total, err = s.artifactHits(ctx, query, q.From, q.Size)
	}
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", cacheControl(r, false))
	if q.Form == "xml" {
		return send(w, r, search.XML(hits, total, q.From), names.TypeXML)
	}
	if hits == nil {
		hits = []search.Hit{}
	}
	return wire.JSON(w, http.StatusOK, map[string]any{
		"responseHeader": map[string]any{"status": 0, "QTime": 0, "params": map[string]string{
			"q": q.Query, "core": q.Core, "wt": q.Form, "rows": strconv.Itoa(q.Size), "start": strconv.Itoa(q.From),
		}},
		"response": map[string]any{"numFound": total, "start": q.From, "docs": hits},
	})
}

// page cuts out what was asked for.
func page[T any](list []T, from, size int) []T {
	return list[min(from, len(list)):min(from+size, len(list))]
}

func (s *server) artifactHits(
	ctx context.Context, q search.Query, from, size int,
) ([]search.Hit, int, error) {
	found, err := s.Find(ctx, q.Query)
	if err != nil {
		return nil, 0, err
	}
	shown, err := s.Describe(ctx, page(found, from, size))
	if err != nil {
		return nil, 0, err
	}
	var hits []search.Hit
	for _, d := range shown {
		var sum search.Summary
		if err := json.Unmarshal(d.Data, &sum); err != nil {
			return nil, 0, fmt.Errorf("listing of %s: %w", d.Name, err)
		}
		hits = append(hits, search.HitOf(d.Name, sum))
	}
	return hits, len(found), nil
}

// versionHits lists the versions of the artifacts a query selects, newest first.
func (s *server) versionHits(
	ctx context.Context, q search.Query, from, size int,
) (hits []search.Hit, total int, err error) {
	found, err := s.Find(ctx, q.Query)
	if err != nil {
		return nil, 0, err
	}
	found = found[:min(len(found), maxMatches)]
	copies, err := s.copiesOf(ctx, found)
	if err != nil {
		return nil, 0, err
	}
	err = s.Store.Heavy(ctx, func() error {
		hits, total, err = s.versionsOf(ctx, q, found, copies, from, size)
		return err
	})
	return hits, total, err
}

// copiesOf are the copies among what was found, by their names.
func (s *server) copiesOf(ctx context.Context, found []registry.Found) (map[string]*upstream.Copy, error) {
	found = slices.DeleteFunc(slices.Clone(found), func(f registry.Found) bool { return !f.IsCopy() })
	list, err := s.Describe(ctx, found)
	copies := make(map[string]*upstream.Copy, len(list))
	for _, d := range list {
		copies[d.Name] = d.Copy
	}
	return copies, err
}

// versionsOf is a page of the versions of artifacts, and how many there are. Of a copy those that are known count.
func (s *server) versionsOf(
	ctx context.Context, q search.Query, found []registry.Found, copies map[string]*upstream.Copy, from, size int,
) (hits []search.Hit, total int, err error) {
	for _, f := range found {
		var versions []string
		add := func(v string) {
			if q.Version == "" || q.Version == v {
				versions = append(versions, v)
			}
		}
		part := func() []string { return page(versions, max(from-total, 0), size-len(hits)) }
		if f.IsCopy() {
			if c := copies[f.Name]; c != nil {
				for _, v := range c.Versions {
					add(v)
				}
				for _, v := range part() {
					hits = append(hits, search.Subject{Name: f.Name, Version: v, Published: c.Changed}.Hit())
				}
			}
			total += len(versions)
			continue
		}
		err := s.Repo.View(ctx, f.Name, func(p *store.PackageTx[Meta]) error {
			for v := range p.Index(indexVersions).Scan(nil, nil) {
				add(string(v))
			}
			version.Sort(versions)
			slices.Reverse(versions)
			for _, version := range part() {
				v, err := record(p, version)
				if err != nil {
					return err
				}
				hits = append(hits, subjectOf(f.Name, v).Hit())
			}
			return nil
		})
		if err != nil {
			return nil, 0, err
		}
		total += len(versions)
	}
	return hits, total, nil
}

// classifiedHits lists those versions that have a file with the classifier. Only their records say so: all are read, up
// to a limit, before the page is cut.
func (s *server) classifiedHits(
	ctx context.Context, q search.Query, from, size int,
) ([]search.Hit, int, error) {
	hits, _, err := s.versionHits(ctx, q, 0, maxMatches)
	if err != nil {
		return nil, 0, err
	}
	hits = slices.DeleteFunc(hits, func(h search.Hit) bool {
		return !slices.ContainsFunc(h.Endings, func(e string) bool { return strings.HasPrefix(e, "-"+q.Classifier+".") })
	})
	return page(hits, from, size), len(hits), nil
}

// bySHA1 finds the versions that have a file with the checksum.
func (s *server) bySHA1(
	ctx context.Context, view registry.View, sum string, from, size int,
) (hits []search.Hit, total int, err error) {
	var artifacts, keys []string
	err = s.Store.View(ctx, func(tx *store.Tx) error {
		artifacts, keys = nil, nil
		for key := range s.Repo.KindIndex(tx, kindSHA1).Scan([]byte(sum+"\x00"), nil) {
			parts := strings.Split(string(key), "\x00")
			if len(parts) == 3 && len(artifacts) < maxMatches {
				artifacts, keys = append(artifacts, parts[1]), append(keys, parts[2])
			}
		}
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	for i, name := range artifacts {
		sees, err := view.Sees(name)
		if err == nil && !sees {
			continue
		}
		if err != nil {
			return nil, 0, err
		}
		err = s.Repo.View(ctx, name, func(p *store.PackageTx[Meta]) error {
			id, _, err := p.File(keys[i])
			if err != nil {
				return ignoreMissing(err)
			}
			v, err := p.Version(id)
			if err == nil && !v.Meta.Open {
				hits = append(hits, subjectOf(name, v).Hit())
			}
			return err
		})
		if err != nil {
			return nil, 0, err
		}
	}
	return page(hits, from, size), len(hits), nil
}
