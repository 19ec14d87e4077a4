package pypi

// This file answers the JSON API for projects of upstreams. Files are those of the project's page, so that what is held
// back there is not found here; what is said of a release is the upstream's own, or what METADATA says of it. What
// nobody says is left out. The document of one release is what audits read: there is none where the upstream has none.

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"larder/internal/pep440"
	"larder/internal/problem"
	"larder/internal/pydist"
	"larder/internal/rawjson"
	"larder/internal/registry"
	"larder/internal/wire"
	"larder/pypi/simple"
	"larder/store"
	"larder/upstream"
)

// proxiedJSON answers with the document of an upstream's project or release.
func (s *server) proxiedJSON(w http.ResponseWriter, r *http.Request, q Request) error {
	ctx, base := r.Context(), s.URL(r)
	d, err := s.Up.Document(ctx, s.pageQuery(q.Name))
	if err != nil {
		return err
	}
	said, err := s.remoteJSON(ctx, d.Upstream, q.Name, q.Version)
	if err != nil {
		return err
	}
	form, offline := "json "+q.Version, s.Up.Offline()
	if said == nil && q.Version != "" {
		if _, err := s.remoteProject(ctx, q, d, offline); err != nil {
			return err
		}
		return unsaid(q, d.Upstream, offline)
	}
	if said != nil {
		form += " " + said.Digest.String()
	}
	doc, err := s.Store.Document(ctx, d.Rendered(q.Name, base, form), func(ctx context.Context) (store.Rendered, error) {
		p, err := s.remoteProject(ctx, q, d, offline)
		if err != nil {
			return store.Rendered{}, err
		}
		body, err := s.renderRemote(ctx, p, said, base)
		return store.Rendered{Body: body, Type: "application/json"}, err
	})
	if err != nil {
		return err
	}
	wire.CacheHead(w, d, time.Now())
	return wire.ServeDocument(w, r, doc, registry.Revalidate(r))
}

// remoteJSON is the upstream's own document of a project, or of a release; nil when it has none. Trouble counts for a
// release only: audits ask for those, and must not take silence for good news.
func (s *server) remoteJSON(
	ctx context.Context, u *upstream.Upstream, name, version string,
) (*upstream.Document, error) {
	above, ok := rootOf(u)
	if !ok {
		return nil, nil
	}
	path := name
	if version != "" {
		path += "/" + version
	}
	d, err := s.Up.DocumentFrom(ctx, u, upstream.Query{
		Package: name, Key: "json " + version, Ref: above + "/" + path + "/json", Accept: "application/json",
		Fresh: freshPage, Absent: freshPage, Check: checkJSON, API: true,
	})
	if err == nil || version != "" && !registry.IsOneOf(err, store.ErrNotFound, upstream.ErrOffline) {
		return d, err
	}
	return nil, ctx.Err()
}

// rootOf is what the addresses of an upstream's JSON API begin with: it is beside the simple API.
func rootOf(u *upstream.Upstream) (at string, ok bool) {
	at, ok = strings.CutSuffix(u.URL(), "/simple")
	if !strings.HasSuffix(at, root) {
		at += root
	}
	return at, ok
}

// unsaid is the error for the document of a release that is here, and of which its upstream has no such document.
// pip-audit 2 asks for it, and takes one without "vulnerabilities" for good news.
func unsaid(q Request, u *upstream.Upstream, offline bool) error {
	why := fmt.Sprintf("answered that it has no %s/%s/%s/json", root, q.Name, q.Version)
	if _, ok := rootOf(u); !ok {
		why = "was not asked for it, since its URL does not end in /simple, beside which such documents are"
	}
	if offline {
		why = "was not asked for it, since this registry is offline, and it is not in the cache"
	}
	return &plainAbsent{problem.Errorf(store.ErrNotFound, "%s %s is here, but %s %s. Whether the release has "+
		"vulnerabilities is not known.", q.Name, q.Version, u.Called(), why)}
}

func checkJSON(body []byte, _ string) error {
	if !json.Valid(body) || len(memberOf(body, "info")) == 0 {
		return errors.New("not a document of the JSON API")
	}
	return nil
}

// memberOf is a member of JSON; nil without it.
func memberOf(body []byte, key string) (value []byte) {
	rawjson.Members(body, func(k, v []byte) {
		if string(k) == key {
			value = v
		}
	})
	return value
}

// remoteProject is what a document shows of an upstream's project.
type remoteProject struct {
	name, version string // of the release that the document is about
	versions      []string
	files         map[string][]simple.File
	whole         bool
}

// remoteProject reads a project's page. ErrNotFound when it lacks the release, or has none.
func (s *server) remoteProject(
	ctx context.Context, q Request, d *upstream.Document, offline bool,
) (p remoteProject, err error) {
	files, listing, err := s.shown(ctx, q.Name, d, offline)
	switch {
	case err != nil:
		return p, err
	case listing.Status.Quarantined():
		return p, problem.Errorf(store.ErrNotFound, "%s is quarantined", q.Name)
	}
	for i := range files {
		if err := s.offer(ctx, q.Name, d, listing, &files[i]); err != nil {
			return p, err
		}
	}
	p = remoteProject{name: q.Name, whole: q.Version == "", files: map[string][]simple.File{}}
	p.versions, _ = versionsShown(q.Name, files)
	for _, f := range files {
		release := f.Release(q.Name)
		p.files[release] = append(p.files[release], f)
	}
	for _, v := range p.versions {
		if q.Version == "" && p.better(v) || q.Version != "" && pep440.Equal(v, q.Version) {
			p.version = v
		}
	}
	if p.version == "" {
		return p, d.Lacks(problem.Errorf(store.ErrNotFound, "%s has no release %.80q", q.Name, q.Version))
	}
	return p, nil
}

// better reports whether v is rather the latest release than what was found so far: releases that are final and not
// yanked go before others.
func (p *remoteProject) better(v string) bool {
	if p.version == "" {
		return true
	}
	a, aerr := pep440.Parse(v)
	b, berr := pep440.Parse(p.version)
	if aerr != nil || berr != nil {
		return false // not reached
	}
	rank := func(v pep440.Version, files []simple.File) int {
		if _, yanked := files[0].Withdrawn(); yanked {
			return 0
		}
		if v.Prerelease() {
			return 1
		}
		return 2
	}
	ra, rb := rank(a, p.files[v]), rank(b, p.files[p.version])
	return ra > rb || ra == rb && pep440.Compare(a, b) > 0
}

// renderRemote makes the document. said is the upstream's own, nil without.
func (s *server) renderRemote(
	ctx context.Context, p remoteProject, said *upstream.Document, base string,
) (out []byte, err error) {
	var body []byte
	if said != nil {
		if body, err = said.Bytes(ctx); err != nil {
			return nil, err
		}
	}
	if !p.says(body) && p.whole && said != nil {
		// Its latest release is not the one that is shown here.
		if said, err = s.remoteJSON(ctx, said.Upstream, p.name, p.version); err != nil {
			return nil, err
		}
		if body = nil; said != nil {
			if body, err = said.Bytes(ctx); err != nil {
				return nil, err
			}
		}
	}
	if !p.says(body) {
		body = nil
	}
	info, err := s.infoOf(ctx, p, memberOf(body, "info"), base)
	if err != nil {
		return nil, err
	}
	out = append([]byte(`{"info":`), info...)
	if p.whole {
		out = append(out, `,"releases":{`...)
		for i, v := range p.versions {
			out = p.appendFiles(append(rawjson.AppendString(rawjson.AppendComma(out, i), v), ':'), v, base)
		}
		out = append(out, '}')
	}
	out = p.appendFiles(append(out, `,"urls":`...), p.version, base)
	if found := memberOf(body, "vulnerabilities"); len(found) > 0 && found[0] == '[' {
		out = append(append(out, `,"vulnerabilities":`...), found...)
	}
	return append(out, "}\n"...), nil
}

// says reports whether a document of the upstream is about the release.
func (p *remoteProject) says(body []byte) bool {
	return pep440.Equal(rawjson.TextOf(memberOf(memberOf(body, "info"), "version")), p.version)
}

// infoOf is what is said of the release: by the upstream, or by the METADATA of its first wheel.
func (s *server) infoOf(ctx context.Context, p remoteProject, said []byte, base string) ([]byte, error) {
	page, release := base+"/simple/"+p.name+"/", base+"/"+p.name+"/"+p.version+"/json"
	if o, err := rawjson.Split(said); len(said) > 0 && err == nil {
		o = o.Set("package_url", rawjson.Quote(page)).Set("project_url", rawjson.Quote(page))
		return o.Set("release_url", rawjson.Quote(release)).Encode(), nil
	}
	reason, yanked := p.files[p.version][0].Withdrawn()
	m, err := s.metadataOfRelease(ctx, p)
	if err != nil {
		return nil, err
	}
	if m == nil {
		info := map[string]any{
			"name": p.name, "version": p.version, "yanked": yanked,
			"package_url": page, "project_url": page, "release_url": release,
		}
		if requires := p.files[p.version][0].Requires; requires != "" {
			info["requires_python"] = requires
		}
		return json.Marshal(info)
	}
	i := simple.InfoOf(m, page)
	i.Version, i.Yanked, i.ReleaseURL = p.version, yanked, release
	if reason != "" {
		i.YankedReason = &reason
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err = enc.Encode(i)
	return bytes.TrimSpace(b.Bytes()), err
}

// metadataOfRelease is the METADATA of a release as far as it is offered; nil without.
func (s *server) metadataOfRelease(ctx context.Context, p remoteProject) (*pydist.Metadata, error) {
	for _, f := range p.files[p.version] {
		if _, offered := f.Offered(); !offered {
			continue
		}
		file, err := s.remoteMetadata(ctx, Request{Name: p.name, File: f.Name, SHA: f.SHA256})
		if registry.IsOneOf(err, store.ErrNotFound, upstream.ErrOffline) {
			continue
		}
		if err != nil {
			return nil, err
		}
		b, err := file.Wait(ctx)
		if err = errors.Join(err, file.Close()); err != nil {
			return nil, fmt.Errorf("metadata of %s: %w", f.Name, err)
		}
		raw, err := s.Store.ReadBlob(ctx, b.Digest, maxDocument)
		if err != nil {
			return nil, err
		}
		return pydist.ParseMetadata(raw), nil
	}
	return nil, nil
}

// appendFiles appends the files of a release as the JSON API has them, as far as the page says.
func (p *remoteProject) appendFiles(out []byte, version, base string) []byte {
	out = append(out, '[')
	for i, f := range p.files[version] {
		r := f.Row(p.name, simple.JSON)
		at := base + "/files" + r.Path
		if r.Listed {
			at = base + "/packages" + r.Path
		}
		out = rawjson.AppendString(append(rawjson.AppendComma(out, i), `{"filename":`...), f.Name)
		out = append(out, `,"digests":{`...)
		if alg, sum, ok := strings.Cut(r.Hash, "="); ok {
			out = append(out, `"`+alg+`":"`+sum+`"`...)
		}
		out = rawjson.AppendMember(append(out, '}'), "packagetype", pydist.PackageType(f.Name))
		if f.Size > 0 {
			out = strconv.AppendInt(append(out, `,"size":`...), f.Size, 10)
		}
		if !f.Uploaded.IsZero() {
			out = rawjson.AppendMember(out, "upload_time", f.Uploaded.UTC().Format(timeShort))
			out = rawjson.AppendMember(out, "upload_time_iso_8601", f.Uploaded.UTC().Format(simple.TimeForm))
		}
		out = textOrNull(out, "requires_python", f.Requires)
		reason, yanked := f.Withdrawn()
		out = append(append(out, `,"yanked":`...), strconv.FormatBool(yanked)...)
		out = textOrNull(out, "yanked_reason", reason)
		out = append(rawjson.AppendMember(out, "url", at), '}')
	}
	return append(out, ']')
}
