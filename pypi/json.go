package pypi

// The JSON API of the public index: what renovate, pip-audit and scripts read. Its files are rows, copied as in pages;
// what it says of a release is read from the metadata of its first wheel, or of its source archive.

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/go-digest"

	"larder/internal/pep440"
	"larder/internal/problem"
	"larder/internal/pydist"
	"larder/internal/rawjson"
	"larder/internal/registry"
	"larder/internal/wire"
	"larder/pypi/simple"
	"larder/store"
)

// aboutOf takes from metadata what a search shows.
func aboutOf(m *pydist.Metadata) about {
	a := about{Summary: clip(m.Get("Summary"), 500), Author: clip(m.Get("Author"), 200)}
	for _, k := range strings.FieldsFunc(clip(m.Get("Keywords"), 1000), func(r rune) bool { return r == ',' }) {
		if k = strings.TrimSpace(k); k != "" && len(a.Keywords) < 50 {
			a.Keywords = append(a.Keywords, k)
		}
	}
	a.Needs = needsOf(m.All("Requires-Dist"))
	return a
}

// needsOf are the projects that lines of Requires-Dist name.
func needsOf(lines []string) []string {
	list := []string{}
	for _, line := range lines[:min(len(lines), maxNeeds)] {
		if name := requirement(line).Package; name != "" && !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	return list
}

// maxNeeds is how many lines of Requires-Dist make a release findable.
const maxNeeds = 200

func clip(s string, n int) string { return strings.ToValidUTF8(s[:min(len(s), n)], "") }

// described is what a JSON document needs, read from one snapshot.
type described struct {
	head     head
	display  string
	owners   []string
	release  store.Version[Meta]
	versions []string
	rows     []simple.Row
	whole    bool // every release is shown
}

// describe reads a project with the release asked for, or with its latest one.
func (s *server) describe(ctx context.Context, name, version string) (d described, err error) {
	d.whole = version == ""
	err = s.Repo.View(ctx, name, func(tx *store.PackageTx[Meta]) error {
		if d.head, err = headOf(tx); err != nil {
			return err
		}
		if d.head.Status.Quarantined() {
			return problem.Errorf(store.ErrNotFound, "%s is quarantined", name)
		}
		pkg, err := tx.Package()
		if err != nil {
			return err
		}
		d.display, d.owners = pkg.Display, pkg.Owners
		rel, key, err := releaseOf(tx, version)
		if err != nil {
			return err
		}
		if d.release, err = tx.Version(rel.ID); err != nil {
			return err
		}
		if !d.whole {
			d.rows, err = rowsOf(tx, key)
			return err
		}
		d.versions, d.rows, err = contentOf(tx)
		return err
	})
	return d, err
}

// releaseOf finds a release by any spelling of its version, or with "" the latest. ErrNotFound.
func releaseOf(tx *store.PackageTx[Meta], version string) (rel release, key []byte, err error) {
	found := false
	if version == "" {
		if found, err = getJSON(tx.Index(indexProject), []byte(keyLatest), &rel); err == nil && found {
			version = rel.ID
		}
	}
	v, parseErr := pep440.Parse(version)
	if err == nil && parseErr == nil && !found {
		found, err = getJSON(tx.Index(indexReleases), v.Key(), &rel)
	}
	if err == nil && !found {
		err = problem.Errorf(store.ErrNotFound, "no release %.80q", version)
	}
	return rel, v.Key(), err
}

// getJSON answers with the document of a project or release.
func (s *server) getJSON(w http.ResponseWriter, r *http.Request, q Request) error {
	h, err := s.head(r.Context(), q.Name)
	if s.tryUpstream(err) {
		return s.proxiedJSON(w, r, q)
	}
	if err != nil {
		return err
	}
	base := s.URL(r)
	key := store.DocKey{Kind: store.PyPI, Package: q.Name, Base: base, Format: "json " + q.Version}
	doc, err := s.Store.Document(r.Context(), key, func(ctx context.Context) (store.Rendered, error) {
		d, err := s.describe(ctx, q.Name, q.Version)
		if err != nil {
			return store.Rendered{}, err
		}
		metadata, err := s.metadataOf(ctx, d.release.Meta.main())
		if err != nil {
			return store.Rendered{}, err
		}
		body, err := d.render(q.Name, base, metadata)
		return store.Rendered{Body: body, Type: "application/json"}, err
	})
	if err != nil {
		return err
	}
	w.Header().Set("X-PyPI-Last-Serial", strconv.FormatUint(h.Serial, 10))
	return wire.ServeDocument(w, r, doc, registry.Revalidate(r))
}

// metadataOf reads the metadata that came in a file.
func (s *server) metadataOf(ctx context.Context, a *artifact) (*pydist.Metadata, error) {
	var d digest.Digest
	if a != nil {
		d = a.Metadata
	}
	raw, err := s.Store.ReadBlob(ctx, d, maxDocument)
	if err != nil {
		return nil, err
	}
	return pydist.ParseMetadata(raw), nil
}

// render makes the document. base is the index's URL.
func (d *described) render(name, base string, m *pydist.Metadata) ([]byte, error) {
	i := simple.InfoOf(m, base+"/simple/"+name+"/")
	i.Version, i.Yanked = d.release.ID, yanked(&d.release)
	i.ReleaseURL = base + "/" + name + "/" + d.release.ID + "/json"
	if reason := d.release.YankReason; i.Yanked && reason != "" {
		i.YankedReason = &reason
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(i); err != nil {
		return nil, err
	}
	out := append([]byte(`{"info":`), bytes.TrimSpace(b.Bytes())...)
	out = append(
		strconv.AppendUint(append(out, `,"last_serial":`...), d.head.Serial, 10),
		`,"ownership":{"organization":null,"roles":[`...)
	for i, owner := range d.owners {
		out = append(rawjson.AppendString(append(rawjson.AppendComma(out, i), `{"role":"Owner","user":`...), owner), '}')
	}
	out = append(out, "]}"...)
	if d.whole {
		out = d.appendReleases(append(out, `,"releases":{`...), base)
		out = append(out, '}')
	}
	out = append(out, `,"urls":[`...)
	n := 0
	for k := range d.rows {
		if d.rows[k].Version == d.release.ID {
			out = appendFull(rawjson.AppendComma(out, n), &d.rows[k], base)
			n++
		}
	}
	return append(out, `],"vulnerabilities":[]}`+"\n"...), nil
}

// appendReleases groups the rows, which are in the order of versions, by release.
func (d *described) appendReleases(out []byte, base string) []byte {
	next := 0
	for i, version := range d.versions {
		out = append(rawjson.AppendString(rawjson.AppendComma(out, i), version), ':', '[')
		for first := next; next < len(d.rows) && d.rows[next].Version == version; next++ {
			out = appendFull(rawjson.AppendComma(out, next-first), &d.rows[next], base)
		}
		out = append(out, ']')
	}
	return out
}

func appendFull(out []byte, r *simple.Row, base string) []byte {
	out = append(append(out, '{'), r.Full...)
	return append(rawjson.AppendMember(out, "url", base+"/files"+r.Path), '}')
}
