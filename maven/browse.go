package maven

// Directories: pages with plain links for browsers and for clients that read them (coursier), and the same as JSON with
// all that is known of an artifact or version, for pages that show it.

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"larder/internal/problem"
	"larder/internal/registry"
	"larder/internal/wire"
	"larder/maven/browse"
	"larder/maven/metadata"
	"larder/maven/names"
	"larder/maven/version"
	"larder/store"
	"larder/upstream"
)

// getDirectory answers with a page, or with JSON if the client accepts it. The page's links only work below a final
// slash.
func (s *server) getDirectory(w http.ResponseWriter, r *http.Request, q Request) error {
	if q.Path != "" && !strings.HasSuffix(q.Path, "/") {
		return s.redirect(w, r, q, problem.Errorf(store.ErrNotFound, "directory not found"))
	}
	asJSON := strings.Contains(r.Header.Get("Accept"), "application/json")
	d, err := s.read(r.Context(), q.Path, asJSON)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Vary", "Accept")
	h.Set("Cache-Control", cacheControl(r, false))
	if asJSON {
		return wire.JSON(w, http.StatusOK, d)
	}
	page, err := d.Page()
	if err != nil {
		return err
	}
	h.Set(
		"Content-Security-Policy",
		"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
	)
	return send(w, r, page, "text/html; charset=utf-8")
}

// redirect sends browsers that left the final slash out to the directory, if there is one; otherwise the error is
// missing.
func (s *server) redirect(w http.ResponseWriter, r *http.Request, q Request, missing error) error {
	if r.Method != http.MethodGet || q.Path == "" || q.Sum != "" {
		return missing
	}
	if _, err := s.read(r.Context(), q.Path+"/", false); err != nil {
		if errors.Is(err, store.ErrNotFound) {
			return missing
		}
		return err
	}
	// Relative, so that it is right behind any proxy.
	w.Header().Set("Location", names.Escape(names.Base(q.Path))+"/")
	w.WriteHeader(http.StatusMovedPermanently)
	return nil
}

// read collects what there is at a path; it can be a group, an artifact and a version at once. ErrNotFound.
func (s *server) read(ctx context.Context, path string, details bool) (*browse.Directory, error) {
	view := s.View(ctx)
	d := &browse.Directory{Path: path, Entries: []browse.Entry{}}
	group := strings.ReplaceAll(strings.TrimSuffix(path, "/"), "/", ".")
	organisation := strings.TrimSuffix(path, "/") == group // also a group of one part
	artifact, version := places(path)
	for _, part := range []struct {
		q    Request
		read func(context.Context, *browse.Directory, Request, bool) error
	}{{version, s.readVersion}, {artifact, s.readArtifact}} {
		if part.q.Group == "" {
			continue
		}
		sees, err := view.Sees(part.q.Name)
		if err == nil && sees {
			err = part.read(ctx, d, part.q, details)
		}
		if err != nil {
			return nil, err
		}
	}
	plain := strings.Count(path, "/") == strings.Count(group, ".")+min(len(path), 1)
	if plain || organisation {
		if err := s.Store.Heavy(ctx, func() error { return s.readGroup(ctx, view, d, group, plain) }); err != nil {
			return nil, err
		}
	}
	if artifact.Ivy {
		if err := s.addRevisions(ctx, view, artifact, d); err != nil {
			return nil, err
		}
	}
	if len(d.Entries) == 0 && path != "" && d.Artifact == nil && d.Version == nil {
		return nil, problem.Errorf(store.ErrNotFound, "there is nothing at %s", path)
	}
	return d, nil
}

// readGroup adds the groups and artifacts directly below a group; groups only in Maven's layout, where they are plain
// directories. The index of artifacts is sorted by name, so each child is found by jumping over the one before, however
// much is below it.
func (s *server) readGroup(
	ctx context.Context, view registry.View, d *browse.Directory, group string, plain bool,
) error {
	if group != "" {
		if err := s.children(ctx, view, d, group+":", ""); err != nil || !plain {
			return err
		}
		return s.children(ctx, view, d, group+".", ".:")
	}
	return s.children(ctx, view, d, "", ".:")
}

// maxLooked is how many artifacts and groups a directory lists, the first by name.
const maxLooked = 10_000

// beyond sorts after every character of a name.
const beyond = "\xff"

// children adds what follows the prefix up to one of the separators; without separators all of it.
func (s *server) children(
	ctx context.Context, view registry.View, d *browse.Directory, prefix, separators string,
) error {
	batch := 200
	if separators != "" {
		batch = 1
	}
	looked := 0
	for after := prefix; ctx.Err() == nil; {
		list, err := s.packages(ctx, prefix, after, batch)
		if err != nil || len(list) == 0 {
			return err
		}
		for _, pkg := range list {
			rest, ok := strings.CutPrefix(pkg.Name, prefix)
			if !ok {
				return nil
			}
			after = pkg.Name
			if looked++; looked > maxLooked {
				return nil
			}
			switch sees, err := view.Sees(pkg.Name); {
			case err != nil:
				return err
			case !sees:
				continue
			}
			if i := strings.IndexAny(rest, separators); i > 0 {
				rest = rest[:i]
				after = pkg.Name[:len(prefix)+i+1] + beyond
			}
			d.Add(browse.Entry{Name: rest + "/", Modified: pkg.Updated})
		}
	}
	return ctx.Err()
}

// packages are some artifacts in the order of their names, published here or copies. Of copies no time is known
// without their records.
func (s *server) packages(ctx context.Context, prefix, after string, n int) ([]store.Package, error) {
	list, err := s.Repo.Packages(ctx, after, n)
	if err != nil || s.Up == nil {
		return list, err
	}
	own, byName := make([]store.Match, len(list)), map[string]store.Package{}
	for i, p := range list {
		own[i].Name, byName[p.Name] = p.Name, p
	}
	found, err := s.WithCopies(ctx, own, prefix, after, n)
	list = list[:0]
	for _, f := range found {
		p := byName[f.Name]
		p.Name = f.Name
		list = append(list, p)
	}
	return list, err
}

// readArtifact adds the versions metadata lists, as clients read them off the page when there is no metadata.
func (s *server) readArtifact(ctx context.Context, d *browse.Directory, q Request, details bool) error {
	plugins, err := s.plugins(ctx, q)
	if err != nil {
		return err
	}
	info := &browse.Artifact{Group: q.Group, Artifact: q.Artifact, Versions: []string{}, Plugins: plugins}
	times := map[string]time.Time{}
	err = s.Repo.View(ctx, q.Name, func(p *store.PackageTx[Meta]) error {
		info.Versions, info.Open = []string{}, nil
		for v, at := range p.Index(indexVersions).Scan(nil, nil) {
			if there, err := hasFolder(p, string(v), q.File); err != nil {
				return err
			} else if !there {
				continue
			}
			info.Versions = append(info.Versions, string(v))
			times[string(v)] = unixOf(at)
		}
		var st metadata.State
		if _, err := getRow(p.Index(indexState), "", &st); err != nil {
			return err
		}
		info.Latest, info.Release = st.Latest, st.Release
		if pkg, err := p.Package(); err == nil {
			info.Owners = pkg.Owners
		}
		for id := range p.Index(indexOpen).Scan(nil, nil) {
			v, err := p.Version(string(id))
			if err != nil {
				return err
			}
			info.Open = append(info.Open, openEntry(q.Artifact, v))
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := s.readCopies(ctx, d.Path, q, times); err != nil {
		return err
	}
	for v := range times {
		if !slices.Contains(info.Versions, v) {
			info.Versions = append(info.Versions, v)
		}
	}
	version.Sort(info.Versions)
	for _, v := range info.Versions {
		d.Add(browse.Entry{Name: v + "/", Modified: times[v]})
	}
	if !q.Ivy && (len(info.Versions) > 0 || len(plugins) > 0) {
		d.Add(browse.Entry{Name: metadataFile})
	}
	if details && q.File == "" && (len(info.Versions) > 0 || len(info.Open) > 0) {
		d.Artifact = info
	}
	return nil
}

// hasFolder reports whether a version has files in a folder of an Ivy layout; "" is that of all.
func hasFolder(p *store.PackageTx[Meta], version, folder string) (bool, error) {
	if folder == "" {
		return true, nil
	}
	v, err := p.Version(version)
	return slices.ContainsFunc(v.Files, func(f store.File) bool {
		return strings.HasPrefix(names.FileOf(f.Name), folder)
	}), ignoreMissing(err)
}

// readCopies adds the versions of which files are kept of an upstream below the directory of an artifact. The key of a
// file in a layout of Ivy is its whole path.
func (s *server) readCopies(ctx context.Context, dir string, q Request, times map[string]time.Time) error {
	files, err := s.Up.KeptFiles(ctx, q.Name, "", upstream.MaxKeptFiles)
	for _, f := range files {
		key, there := f.Key, !q.Ivy
		if names.IsIvy(f.Key) {
			key, there = strings.CutPrefix(f.Key, dir)
		}
		v, _, _ := strings.Cut(key, "/")
		if !there {
			continue
		}
		if times[v].Before(f.Modified) && s.Up.Allowed(ctx, q.Name, v) == nil {
			times[v] = f.Modified
		}
	}
	return err
}

// openEntry describes a version nothing lists.
func openEntry(artifact string, v store.Version[Meta]) browse.Entry {
	e := browse.Entry{Name: v.ID, Modified: v.Meta.Last, State: "open"}
	if ok, reason := complete(artifact, v); !ok {
		e.State, e.Reason = "incomplete", reason
	}
	for file, reason := range v.Meta.Broken {
		e.State, e.Reason = "broken", file+": "+reason
	}
	return e
}

// readVersion adds the files of a version; of a snapshot, those of all builds.
func (s *server) readVersion(ctx context.Context, d *browse.Directory, q Request, details bool) error {
	var latest store.Version[Meta]
	err := s.Repo.View(ctx, q.Name, func(p *store.PackageTx[Meta]) error {
		d.Reset()
		latest = store.Version[Meta]{}
		if names.IsSnapshot(q.Version) && q.File == "" {
			if err := s.readBuilds(p, d, q.Version); err != nil {
				return err
			}
		}
		v, err := p.Version(q.Version)
		if err == nil {
			addFiles(d, v, q.File)
			latest = v
		}
		if b, err := record(p, q.Version); err == nil {
			latest = b
		}
		return ignoreMissing(err)
	})
	if err == nil && s.Up.Allowed(ctx, q.Name, q.Version) == nil {
		err = s.addKept(ctx, d, q)
	}
	if err != nil || latest.ID == "" || !details || q.File != "" {
		return err
	}
	d.Version, err = s.versionInfo(ctx, q, latest)
	return err
}

// addKept adds the files that are kept of an upstream.
func (s *server) addKept(ctx context.Context, d *browse.Directory, q Request) error {
	prefix := q.Version + "/"
	if q.Ivy {
		prefix = d.Path // which is how the keys of such files begin
	}
	files, err := s.Up.KeptFiles(ctx, q.Name, prefix, upstream.MaxKeptFiles)
	for _, f := range files {
		name := strings.TrimPrefix(f.Key, prefix)
		if sub, _, below := strings.Cut(name, "/"); below {
			d.Add(browse.Entry{Name: sub + "/", Modified: f.Modified})
			continue
		}
		d.Add(browse.Entry{Name: name, Size: f.Size, Modified: f.Modified, Sums: f.Sums})
	}
	return err
}

func (s *server) readBuilds(p *store.PackageTx[Meta], d *browse.Directory, snapshot string) error {
	builds, err := buildsOf(p, snapshot)
	if err != nil {
		return err
	}
	for _, id := range builds {
		v, err := p.Version(id)
		if err != nil {
			return err
		}
		addFiles(d, v, "")
	}
	if len(builds) > 0 {
		d.Add(browse.Entry{Name: metadataFile})
	}
	return nil
}

// addFiles adds the files and folders that are in a folder of a version.
func addFiles(d *browse.Directory, v store.Version[Meta], folder string) {
	for _, f := range v.Files {
		name, there := strings.CutPrefix(names.FileOf(f.Name), folder)
		if !there {
			continue
		}
		if sub, _, below := strings.Cut(name, "/"); below {
			d.Add(browse.Entry{Name: sub + "/", Modified: modified(v, f.Name)})
			continue
		}
		sums := with(f.Sums, "sha256", f.Digest.Encoded())
		d.Add(browse.Entry{Name: name, Size: f.Size, Modified: modified(v, f.Name), Sums: sums})
	}
}
