package maven

// Directories: pages with plain links for browsers and for clients that read them (coursier), and the same as JSON with
// all that is known of an artifact or version, for pages that show it.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"

	"larder/auth"
	"larder/internal/wire"
	"larder/maven/layout"
	"larder/maven/metadata"
	"larder/maven/order"
	"larder/store"
)

// entry is a line of a directory.
type entry struct {
	Name     string            `json:"name"` // with a slash at the end if it is a directory
	Size     int64             `json:"size,omitempty"`
	Modified time.Time         `json:"modified,omitzero"`
	Sums     map[string]string `json:"sums,omitempty"`
	State    string            `json:"state,omitempty"` // "" or incomplete, broken
	Reason   string            `json:"reason,omitempty"`
}

// directory is what there is at a path.
type directory struct {
	Path     string         `json:"path"`
	Entries  []entry        `json:"entries"`
	Artifact *artifactInfo  `json:"artifact,omitempty"`
	Version  *versionInfo   `json:"version,omitempty"`
	named    map[string]int // entries by name
}

func (d *directory) add(e entry) {
	if d.named == nil {
		d.named = map[string]int{}
	}
	if _, there := d.named[e.Name]; !there {
		d.named[e.Name] = len(d.Entries)
		d.Entries = append(d.Entries, e)
	}
}

// getDirectory answers with a page, or with JSON for who asks for it. Its links only work below a final slash.
func (s *server) getDirectory(w http.ResponseWriter, r *http.Request, q Request) error {
	if q.Path != "" && !strings.HasSuffix(q.Path, "/") {
		return s.redirect(w, r, q, store.Refuse(store.ErrNotFound, "directory not found"))
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
	var page bytes.Buffer
	if err := directoryPage().Execute(&page, d); err != nil {
		return fmt.Errorf("render directory: %w", err)
	}
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	return send(w, r, page.Bytes(), "text/html; charset=utf-8")
}

// redirect sends browsers that left the final slash out to the directory, if there is one; otherwise the error is missing.
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
	w.Header().Set("Location", layout.Escape(layout.Base(q.Path))+"/")
	w.WriteHeader(http.StatusMovedPermanently)
	return nil
}

// read collects what there is at a path; it can be a group, an artifact and a version at once. ErrNotFound.
func (s *server) read(ctx context.Context, path string, details bool) (*directory, error) {
	if err := s.mayList(ctx); err != nil {
		return nil, err
	}
	d := &directory{Path: path, Entries: []entry{}}
	group := strings.ReplaceAll(strings.TrimSuffix(path, "/"), "/", ".")
	artifact, version := places(path)
	if version.Group != "" && s.may(ctx, auth.Read, version.Name) == nil {
		if err := s.readVersion(ctx, d, version, details); err != nil {
			return nil, err
		}
	}
	if artifact.Group != "" && s.may(ctx, auth.Read, artifact.Name) == nil {
		if err := s.readArtifact(ctx, d, artifact, details); err != nil {
			return nil, err
		}
	}
	plain := strings.Count(path, "/") == strings.Count(group, ".")+min(len(path), 1)
	if plain {
		if err := s.readGroup(ctx, d, group); err != nil {
			return nil, err
		}
	}
	if len(d.Entries) == 0 && path != "" && d.Artifact == nil && d.Version == nil {
		return nil, store.Refuse(store.ErrNotFound, "there is nothing at %s", path)
	}
	return d, nil
}

// readGroup adds the groups and artifacts directly below a group. The index of artifacts is sorted by name, so each
// child is found by jumping over the one before, however much is below it.
func (s *server) readGroup(ctx context.Context, d *directory, group string) error {
	if group != "" {
		if err := s.children(ctx, d, group+":", ""); err != nil {
			return err
		}
		return s.children(ctx, d, group+".", ".:")
	}
	return s.children(ctx, d, "", ".:")
}

// beyond sorts after every character of a name.
const beyond = "\xff"

// children adds what follows the prefix up to one of the separators; without separators all of it.
func (s *server) children(ctx context.Context, d *directory, prefix, separators string) error {
	batch := 200
	if separators != "" {
		batch = 1
	}
	for after := prefix; ; {
		list, err := s.repo.Packages(ctx, after, batch)
		if err != nil || len(list) == 0 {
			return err
		}
		for _, pkg := range list {
			rest, ok := strings.CutPrefix(pkg.Name, prefix)
			if !ok {
				return nil
			}
			after = pkg.Name
			if s.may(ctx, auth.Read, pkg.Name) != nil {
				continue
			}
			if i := strings.IndexAny(rest, separators); i > 0 {
				rest = rest[:i]
				after = pkg.Name[:len(prefix)+i+1] + beyond
			}
			d.add(entry{Name: rest + "/", Modified: pkg.Updated})
		}
	}
}

// artifactInfo is what pages show of an artifact.
type artifactInfo struct {
	Group    string            `json:"group"`
	Artifact string            `json:"artifact"`
	Latest   string            `json:"latest,omitempty"`
	Release  string            `json:"release,omitempty"`
	Owners   []string          `json:"owners,omitempty"`
	Versions []string          `json:"versions"`       // in Maven's order
	Open     []entry           `json:"open,omitempty"` // on their way in, or stuck
	Plugins  []metadata.Plugin `json:"plugins,omitempty"`
}

// readArtifact adds the versions metadata lists, as clients read them off the page when there is no metadata.
func (s *server) readArtifact(ctx context.Context, d *directory, q Request, details bool) error {
	plugins, err := s.plugins(ctx, q)
	if err != nil {
		return err
	}
	info := &artifactInfo{Group: q.Group, Artifact: q.Artifact, Versions: []string{}, Plugins: plugins}
	times := map[string]time.Time{}
	err = s.repo.View(ctx, q.Name, func(p *store.PackageTx[Meta]) error {
		info.Versions, info.Open = []string{}, nil
		for v, at := range p.Index(indexVersions).Scan(nil, nil) {
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
	order.Sort(info.Versions)
	for _, v := range info.Versions {
		d.add(entry{Name: v + "/", Modified: times[v]})
	}
	if len(info.Versions) > 0 || len(plugins) > 0 {
		d.add(entry{Name: metadataFile})
	}
	if details && (len(info.Versions) > 0 || len(info.Open) > 0) {
		d.Artifact = info
	}
	return nil
}

// openEntry describes a version nothing lists.
func openEntry(artifact string, v store.Version[Meta]) entry {
	e := entry{Name: v.ID, Modified: v.Meta.Last, State: "open"}
	if ok, reason := complete(artifact, v); !ok {
		e.State, e.Reason = "incomplete", reason
	}
	for file, reason := range v.Meta.Broken {
		e.State, e.Reason = "broken", file+": "+reason
	}
	return e
}

// readVersion adds the files of a version; of a snapshot, those of all builds.
func (s *server) readVersion(ctx context.Context, d *directory, q Request, details bool) error {
	var latest store.Version[Meta]
	err := s.repo.View(ctx, q.Name, func(p *store.PackageTx[Meta]) error {
		d.Entries, d.named, latest = d.Entries[:0], nil, store.Version[Meta]{}
		if layout.IsSnapshot(q.Version) {
			if err := s.readBuilds(p, d, q.Version); err != nil {
				return err
			}
		}
		v, err := p.Version(q.Version)
		if err == nil {
			d.addFiles(v)
			latest = v
		}
		if b, err := record(p, q.Version); err == nil {
			latest = b
		}
		return ignoreMissing(err)
	})
	if err != nil || latest.ID == "" || !details {
		return err
	}
	d.Version, err = s.versionInfo(ctx, q, latest)
	return err
}

func (s *server) readBuilds(p *store.PackageTx[Meta], d *directory, snapshot string) error {
	builds, err := buildsOf(p, snapshot)
	if err != nil {
		return err
	}
	for _, id := range builds {
		v, err := p.Version(id)
		if err != nil {
			return err
		}
		d.addFiles(v)
	}
	if len(builds) > 0 {
		d.add(entry{Name: metadataFile})
	}
	return nil
}

func (d *directory) addFiles(v store.Version[Meta]) {
	for _, f := range v.Files {
		sums := with(f.Sums, "sha256", f.Digest.Encoded())
		d.add(entry{Name: layout.Base(f.Name), Size: f.Size, Modified: modified(v, f.Name), Sums: sums})
	}
}

// directoryPage is parsed per page: they are rare, and a template is no state to keep.
func directoryPage() *template.Template {
	return template.Must(template.New("directory").Parse(`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{{if .Path}}{{.Path}}{{else}}Maven repository{{end}}</title>
<style>body{font-family:system-ui,sans-serif;margin:2em}td{padding:.1em 1.5em .1em 0}td.n{text-align:right;font-variant-numeric:tabular-nums}</style>
</head>
<body>
<h1>{{if .Path}}{{.Path}}{{else}}Maven repository{{end}}</h1>
<table>
{{if .Path}}<tr><td><a href="../">../</a></td></tr>
{{end}}{{range .Entries}}<tr><td><a href="{{.Name}}">{{.Name}}</a></td><td>{{if not .Modified.IsZero}}{{.Modified.UTC.Format "2006-01-02 15:04"}}{{end}}</td><td class="n">{{if .Size}}{{.Size}}{{end}}</td></tr>
{{end}}</table>
</body>
</html>
`))
}
