package maven

// Taking away: files, versions, artifacts; and announcing a version by hand.

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"larder/auth"
	"larder/internal/problem"
	"larder/internal/wire"
	"larder/maven/metadata"
	"larder/maven/names"
	"larder/store"
)

// gone answers a deletion.
func gone(w http.ResponseWriter) error {
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// deleteFile removes one file, and the version with its last file. Checksums are computed, so removing one changes
// nothing.
func (s *server) deleteFile(w http.ResponseWriter, r *http.Request, q Request) error {
	ctx := r.Context()
	if q.Sum != "" {
		if _, err := s.find(ctx, q.Name, q.key()); err != nil {
			return err
		}
		return gone(w)
	}
	err := s.Repo.Update(ctx, q.Name, func(p *store.PackageTx[Meta]) error {
		id, file, err := p.File(q.key())
		if err != nil {
			return err
		}
		v, err := p.Version(id)
		if err != nil {
			return err
		}
		if len(v.Files) == 1 {
			return s.remove(p, id)
		}
		v.Files = slices.DeleteFunc(slices.Clone(v.Files), func(f store.File) bool { return f.Name == file.Name })
		if err := indexSHA1(p, file, file.Name, false); err != nil {
			return err
		}
		if err := p.Replace(v, store.OpDelete); err != nil || v.Meta.Open || id == v.Meta.Base {
			return err
		}
		if err := relist(p, v.Meta.Base, id); err != nil {
			return err
		}
		return changeBase(p, v.Meta.Base, func(*metadata.Base) {})
	})
	if errors.Is(err, store.ErrNotFound) {
		q.Path += "/"
		return s.deleteDirectory(w, r, q)
	}
	if err != nil {
		return err
	}
	return gone(w)
}

// places are what a directory can mean: an artifact, or a version of one. What it cannot mean has no group. File is the
// folder of an Ivy layout within the version, or that of an artifact's versions.
func places(path string) (artifact, version Request) {
	segs := strings.Split(strings.TrimSuffix(path, "/"), "/")
	if artifact, version = ivyPlaces(segs); artifact.Ivy || version.Ivy {
		return artifact, version
	}
	n := len(segs)
	if n > 1 && artifact.setNames(segs[:n-1], segs[n-1]) != nil {
		artifact = Request{}
	}
	if n > 2 {
		version.Version = segs[n-1]
		if version.setNames(segs[:n-2], segs[n-2], segs[n-1]) != nil {
			version = Request{}
		}
	}
	return artifact, version
}

// ivyPlaces is places for what is only a directory of an Ivy layout.
func ivyPlaces(segs []string) (artifact, version Request) {
	read := func(segs []string) (q Request) {
		if p, ok := names.SplitIvy(segs); ok {
			q = Request{
				Ivy: true, Group: p.Group, Artifact: p.Artifact, Name: names.PackageName(p.Group, p.Artifact),
				Version: p.Version, File: p.Folder,
			}
		}
		return q
	}
	if version = read(segs); !version.Ivy && strings.Contains(segs[0], ".") {
		artifact = read(append(segs, "*"))
		artifact.Version = ""
	}
	return artifact, version
}

// inDirectory finds out what a directory is and whether the request may do so much to it: an error that says where
// nothing is does not say what may not be seen.
func (s *server) inDirectory(
	ctx context.Context, path string, a auth.Action, artifact, version func(q Request) error,
) error {
	if wire.IdentityFrom(ctx).Anonymous {
		return needLogin()
	}
	asArtifact, asVersion := places(path)
	var denied error
	for _, place := range []struct {
		q  Request
		do func(Request) error
	}{{asVersion, version}, {asArtifact, artifact}} {
		if place.q.Group == "" || place.q.File != "" {
			continue
		}
		if err := s.May(ctx, a, place.q.Name); err != nil {
			denied = cmp.Or(denied, err)
			continue
		}
		if err := place.do(place.q); !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	return cmp.Or(denied, problem.Errorf(store.ErrNotFound, "there is no artifact or version at this path"))
}

// deleteDirectory removes a version, or an artifact with all of them.
func (s *server) deleteDirectory(w http.ResponseWriter, r *http.Request, q Request) error {
	ctx := r.Context()
	err := s.inDirectory(ctx, q.Path, auth.Delete, func(q Request) error {
		return s.Repo.Update(ctx, q.Name, s.removeAll)
	}, func(q Request) error {
		return s.Repo.Update(ctx, q.Name, func(p *store.PackageTx[Meta]) error { return s.removeVersion(p, q.Version) })
	})
	if err != nil {
		return err
	}
	return gone(w)
}

// postDirectory announces the open versions of a directory, for clients that send no metadata and scripts that do not
// want to wait.
func (s *server) postDirectory(w http.ResponseWriter, r *http.Request, q Request) error {
	ctx := r.Context()
	list := func(q Request) error {
		open := map[string]bool{}
		err := s.Repo.View(ctx, q.Name, func(p *store.PackageTx[Meta]) error {
			there := q.Version != "" && p.Index(indexVersions).Get([]byte(q.Version)) != nil
			for id := range p.Index(indexOpen).Scan(nil, nil) {
				v, err := p.Version(string(id))
				if err != nil {
					return err
				}
				if q.Version == "" || v.Meta.Base == q.Version {
					open[v.ID], there = true, true
				}
			}
			if _, err := p.Package(); err != nil || there || q.Version == "" {
				return err
			}
			return store.ErrNotFound
		})
		if err != nil {
			return err
		}
		return s.announce(ctx, q.Name, open)
	}
	if err := s.inDirectory(ctx, q.Path, auth.Create, list, list); err != nil {
		return err
	}
	return created(w)
}

// removeAll removes an artifact.
func (s *server) removeAll(p *store.PackageTx[Meta]) error {
	if _, err := p.Package(); err != nil {
		return err
	}
	for id, err := range p.VersionIDs("") {
		if err != nil {
			return err
		}
		if err := s.remove(p, id); err != nil {
			return err
		}
	}
	return nil
}

// removeVersion removes a version as metadata lists it: of a snapshot, all builds. ErrNotFound.
func (s *server) removeVersion(p *store.PackageTx[Meta], version string) error {
	ids := []string{}
	if _, err := p.Version(version); err == nil {
		ids = append(ids, version)
	} else if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if names.IsSnapshot(version) {
		for id, err := range p.VersionIDs(strings.TrimSuffix(version, names.Snapshot)) {
			if err != nil {
				return err
			}
			if !strings.HasPrefix(id, strings.TrimSuffix(version, names.Snapshot)) {
				break
			}
			if _, _, ok := names.SplitBuild(version, id); ok {
				ids = append(ids, id)
			}
		}
	}
	if len(ids) == 0 {
		return problem.Errorf(store.ErrNotFound, "%s is not here", names.Coordinates(p.Name(), version))
	}
	for _, id := range ids {
		if err := s.remove(p, id); err != nil {
			return err
		}
	}
	return nil
}

// remove takes one version, or build, away, and the artifact with its last one.
func (s *server) remove(p *store.PackageTx[Meta], id string) error {
	v, err := p.Version(id)
	if err != nil {
		return err
	}
	if err := reschedule(p, id, noTime); err != nil {
		return err
	}
	for _, f := range v.Files {
		if err := indexSHA1(p, f, f.Name, false); err != nil {
			return err
		}
	}
	if err := p.Delete(id, false); err != nil {
		return err
	}
	if !v.Meta.Open {
		if err := s.unlist(p, v); err != nil {
			return err
		}
	}
	if pkg, err := p.Package(); err != nil || pkg.Versions > 0 {
		return err
	}
	return s.forget(p)
}

// unlist undoes list.
func (s *server) unlist(p *store.PackageTx[Meta], v store.Version[Meta]) error {
	if timestamp, number, ok := names.SplitBuild(v.Meta.Base, v.ID); ok {
		if err := p.Index(indexBuilds).Delete([]byte(v.Meta.Base + "\x00" + names.BuildKey(timestamp, number))); err != nil {
			return err
		}
		if err := relist(p, v.Meta.Base, v.ID); err != nil {
			return err
		}
		builds, err := buildsOf(p, v.Meta.Base)
		if err != nil {
			return err
		}
		err = changeBase(p, v.Meta.Base, func(b *metadata.Base) { b.Count, b.Build = len(builds), last(builds) })
		if err != nil {
			return err
		}
	}
	if err := p.KindIndex(kindArchetypes).Delete([]byte(p.Name() + "\x00" + v.ID)); err != nil {
		return err
	}
	if there, err := stillListed(p, v.Meta.Base); err != nil || there {
		return cmp.Or(err, setListing(p))
	}
	if err := p.Index(indexVersions).Delete([]byte(v.Meta.Base)); err != nil {
		return err
	}
	err := changeState(p, func(st *metadata.State) error {
		if st.Count--; st.Latest != v.Meta.Base && st.Release != v.Meta.Base {
			return nil
		}
		st.Latest, st.Release = "", ""
		for version := range p.Index(indexVersions).Scan(nil, nil) {
			st.Take(string(version))
		}
		return nil
	})
	if err != nil {
		return err
	}
	return setListing(p)
}

// stillListed reports whether another build, or the files with plain names, keep a version listed.
func stillListed(p *store.PackageTx[Meta], version string) (bool, error) {
	if p.Index(indexBases).Get([]byte(version)) != nil {
		return true, nil
	}
	v, err := p.Version(version)
	return err == nil && !v.Meta.Open, ignoreMissing(err)
}

func buildsOf(p *store.PackageTx[Meta], snapshot string) (ids []string, err error) {
	for _, id := range p.Index(indexBuilds).Scan([]byte(snapshot+"\x00"), nil) {
		ids = append(ids, string(id))
	}
	return ids, nil
}

func last(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[len(list)-1]
}

// relist finds the newest files of a snapshot again that were those of a build which lost some.
func relist(p *store.PackageTx[Meta], snapshot, lost string) error {
	var keys []string
	for key, row := range p.Index(indexNewest).Scan([]byte(snapshot+"\x00"), nil) {
		var n metadata.Newest
		if err := json.Unmarshal(row, &n); err != nil {
			return fmt.Errorf("row %q: %w", key, store.ErrFormat)
		}
		if n.ID == lost {
			keys = append(keys, string(key))
		}
	}
	for _, key := range keys {
		if err := p.Index(indexNewest).Delete([]byte(key)); err != nil {
			return err
		}
	}
	if len(keys) == 0 {
		return nil
	}
	builds, err := buildsOf(p, snapshot)
	if err != nil {
		return err
	}
	for _, id := range slices.Backward(builds) {
		v, err := p.Version(id)
		if err != nil {
			return err
		}
		for _, f := range v.Files {
			if err := listFile(p, v, f); err != nil {
				return err
			}
		}
		if !slices.ContainsFunc(keys, func(k string) bool { return p.Index(indexNewest).Get([]byte(k)) == nil }) {
			return nil
		}
	}
	return nil
}

// forget removes an artifact without versions. The plugins of the group with the same path are not its own.
func (s *server) forget(p *store.PackageTx[Meta]) error {
	group, artifact := names.SplitName(p.Name())
	if err := p.KindIndex(kindPrefixes).Delete(prefixKey(group, p.Name())); err != nil {
		return err
	}
	plugins := map[string][]byte{}
	for key, row := range p.Index(indexPlugins).Scan(nil, nil) {
		plugins[string(key)] = slices.Clone(row)
	}
	if err := p.DeletePackage(); err != nil {
		return err
	}
	for key, row := range plugins {
		if err := p.Index(indexPlugins).Put([]byte(key), row); err != nil {
			return err
		}
	}
	return s.Repo.In(p.Tx(), names.GroupOf(group), func(g *store.PackageTx[Meta]) error {
		return g.Index(indexPlugins).Delete([]byte(artifact))
	})
}
