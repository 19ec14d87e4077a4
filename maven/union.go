package maven

// This file joins metadata: an artifact's versions and a group's plugins are those of all upstreams together, since
// repositories have their parts of a name side by side, and of what is here where both count.

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"larder/internal/wire"
	"larder/maven/metadata"
	"larder/maven/names"
	"larder/maven/version"
	"larder/store"
	"larder/upstream"
)

// anyOf is a name that a rule covers when it covers every artifact of a group.
func anyOf(group string) string { return names.PackageName(group, "*") }

// joins reports whether upstreams have a say in the metadata at q's path, beside what is here. What is ours is asked
// for nowhere.
func (s *server) joins(ctx context.Context, q Request) bool {
	return s.Up != nil && (s.Up.Shared(q.Name) || !s.Up.Ours(ctx, q.Name))
}

// union is metadata on its way to one client.
type union struct {
	s     *server
	q     Request
	docs  []*upstream.Document
	group string // the path read as a group's
	own   bool   // the client may read the artifact
	here  []metadata.Plugin
}

// joined is the metadata of all upstreams with what is here: the plugins of the group, and the versions of a name that
// is shared. own says that the client may read the artifact; of the plugins it gets those that it may read.
func (s *server) joined(
	w http.ResponseWriter, r *http.Request, q Request, own bool, here []metadata.Plugin,
) (*store.Document, error) {
	ctx := r.Context()
	u := &union{s: s, q: q, own: own, here: here, group: strings.TrimPrefix(q.Group+"."+q.Artifact, ".")}
	local := len(here) > 0 || s.Up.Shared(q.Name)
	var err error
	u.docs, err = s.Up.Documents(ctx, s.metadataQuery(q), anyOf(u.group))
	if err != nil && !(local && errors.Is(err, store.ErrNotFound)) {
		return nil, err
	}
	view := s.View(ctx)
	alone := len(u.docs) == 1 && !local && view.All && u.docs[0].Upstream.Takes(q.Name)
	key := store.DocKey{Kind: store.Maven, Package: q.Name}
	format := fmt.Sprintf("joined %t %s %q", own, view.Key, here)
	if len(u.docs) > 0 {
		wire.CacheHead(w, u.docs[len(u.docs)-1], time.Now())
		for _, d := range u.docs[1:] {
			format += " " + string(d.Digest)
		}
		if rendered := u.docs[0].Rendered(q.Name, "", format); local {
			key.Format = rendered.Format
		} else {
			key = rendered
		}
	} else {
		key.Format = format
	}
	return s.Store.Document(ctx, key, func(ctx context.Context) (store.Rendered, error) {
		if alone && !s.Up.Gated() && !s.Up.Offline() {
			// Nothing in it says where anything is.
			body, err := u.docs[0].Bytes(ctx)
			return store.Rendered{Body: body, Type: names.TypeXML, Modified: lastModified(u.docs[0])}, err
		}
		return u.render(ctx)
	})
}

// lastModified is what the upstream says, zero when it says nothing.
func lastModified(d *upstream.Document) time.Time {
	t, err := http.ParseTime(d.Modified)
	if err != nil {
		return time.Time{}
	}
	return t
}

func (u *union) render(ctx context.Context) (store.Rendered, error) {
	s, q := u.s, u.q
	m := &metadata.Artifact{Group: q.Group, Artifact: q.Artifact}
	if err := s.readMetadata(ctx, q, u.own, u.here, m); err != nil {
		return store.Rendered{}, err
	}
	listed := map[string]bool{}
	for _, v := range m.Versions {
		listed[v] = true
	}
	changed := time.Unix(m.State.Updated, 0)
	for _, d := range u.docs {
		body, err := d.Bytes(ctx)
		if err != nil {
			return store.Rendered{}, err
		}
		sent, err := metadata.Read(body)
		if err != nil {
			return store.Rendered{}, err
		}
		if err := u.add(ctx, m, d.Upstream, sent, listed); err != nil {
			return store.Rendered{}, err
		}
		if at := lastModified(d); at.After(changed) {
			changed = at
		}
	}
	if len(m.Versions) == 0 && len(m.Plugins) == 0 {
		return store.Rendered{}, fmt.Errorf("metadata of %s: nothing may be offered: %w", q.Name, store.ErrNotFound)
	}
	version.Sort(m.Versions)
	out := store.Rendered{Body: m.Render(), Type: names.TypeXML}
	if len(u.here) == 0 && changed.Unix() > 0 {
		out.Modified = changed
	}
	return out, nil
}

// add takes the versions and plugins of one upstream into m.
func (u *union) add(
	ctx context.Context, m *metadata.Artifact, from *upstream.Upstream, sent *metadata.Sent, listed map[string]bool,
) error {
	m.State.Updated = max(m.State.Updated, sent.Changed())
	for _, v := range sent.Listed() {
		if !u.own || listed[v] || !from.Takes(u.q.Name) {
			continue
		}
		listed[v] = true
		switch offers, err := u.s.offers(ctx, u.q, v); {
		case err != nil:
			return err
		case offers:
			m.AddVersion(v)
		}
	}
	for _, p := range sent.Plugins {
		name := names.PackageName(u.group, string(p.Artifact))
		if !from.Takes(name) || !u.s.Theirs(ctx, name) {
			continue
		}
		m.AddPlugin(metadata.Plugin{Artifact: string(p.Artifact), Name: string(p.Name), Prefix: string(p.Prefix)})
	}
	return nil
}

// offers reports whether an upstream's version may be chosen: no rule holds it back, and while no upstream may be asked
// it is here.
func (s *server) offers(ctx context.Context, q Request, version string) (bool, error) {
	if !s.Up.Gated() && !s.Up.Offline() {
		return true, nil
	}
	if s.Up.Offline() && !names.IsSnapshot(version) {
		if here, err := s.hasDescription(ctx, q, version); err != nil || !here {
			return false, err
		}
	}
	err := s.Up.Allowed(ctx, q.Name, version)
	if errors.Is(err, store.ErrDenied) {
		return false, nil
	}
	return err == nil, err
}

// hasDescription reports whether the file by which clients begin with a version is here: the POM, or the module's
// description where Ivy's layouts have it.
func (s *server) hasDescription(ctx context.Context, q Request, version string) (here bool, err error) {
	keys := []string{names.FileKey(version, q.Artifact+"-"+version+".pom")}
	if q.Ivy {
		keys = []string{q.Path + version + "/ivys/ivy.xml", q.Path + version + "/ivy-" + version + ".xml"}
	}
	for _, key := range keys {
		if here, err = s.Up.Here(ctx, q.Name, key); here || err != nil {
			break
		}
	}
	return here, err
}

// joinedSnapshot is the metadata of a snapshot at the upstream that has its newest build: builds of two registries must
// not be mixed.
func (s *server) joinedSnapshot(w http.ResponseWriter, r *http.Request, q Request) (*store.Document, error) {
	ctx := r.Context()
	if err := s.Up.Blocked(q.Name, q.Version); err != nil {
		return nil, err
	}
	docs, err := s.Up.Documents(ctx, s.metadataQuery(q))
	if err != nil {
		return nil, err
	}
	newest, d := (*metadata.Sent)(nil), docs[0]
	for _, other := range docs {
		if len(docs) == 1 {
			break
		}
		body, err := other.Bytes(ctx)
		if err != nil {
			return nil, err
		}
		sent, err := metadata.Read(body)
		if err != nil {
			return nil, err
		}
		if newest == nil || sent.Newer(newest) {
			newest, d = sent, other
		}
	}
	wire.CacheHead(w, d, time.Now())
	return s.Store.Document(ctx, d.Rendered(q.Name, "", q.Path), func(ctx context.Context) (store.Rendered, error) {
		body, err := d.Bytes(ctx)
		return store.Rendered{Body: body, Type: names.TypeXML, Modified: lastModified(d)}, err
	})
}

// hosts reports whether a version is here, announced or not: then all of its files are, and none is an upstream's.
func (s *server) hosts(ctx context.Context, q Request) (there bool, err error) {
	err = s.Repo.View(ctx, q.Name, func(p *store.PackageTx[Meta]) error {
		there = p.Index(indexVersions).Get([]byte(q.Version)) != nil
		_, err := p.Version(q.Version)
		there = there || err == nil
		for id := range p.Index(indexOpen).Scan(nil, nil) {
			_, _, build := names.SplitBuild(q.Version, string(id))
			there = there || build
		}
		return ignoreMissing(err)
	})
	return there, err
}

// tryUpstream reports whether what is not here may be at an upstream: nothing is of a version that is hosted.
func (s *server) tryUpstream(ctx context.Context, q Request, err error) (bool, error) {
	if !s.TryUpstream(err) || !s.Up.Shared(q.Name) {
		return s.TryUpstream(err), nil
	}
	there, err := s.hosts(ctx, q)
	return !there && err == nil, err
}
