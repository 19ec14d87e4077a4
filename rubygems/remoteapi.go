package rubygems

// This file answers the JSON API for gems of upstreams: with what the upstream says where it has such an API, else with
// what the compact index and the specification say. What neither says is left out. The versions are those of the
// compact index, so that what is held back there is not found here.

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"larder/internal/problem"
	"larder/internal/rawjson"
	"larder/internal/registry"
	"larder/internal/wire"
	"larder/rubygems/archive"
	"larder/rubygems/compactindex"
	"larder/rubygems/gemspec"
	"larder/rubygems/names"
	"larder/rubygems/version"
	"larder/store"
	"larder/upstream"
)

// remoteGem is what is known of an upstream's gem.
type remoteGem struct {
	name, base string
	info       *upstream.Document
	lines      []compactindex.Entry // that are shown, newest first
	at         compactindex.Entry   // the version that the document is about
	said       *upstream.Document   // by the upstream; nil when it does not say
	spec       store.Blob           // of at; zero when it is not needed, or cannot be had
	pulls      pulls
}

// proxiedAPI answers with one of the documents of an upstream's gem, or of one version.
func (s *server) proxiedAPI(w http.ResponseWriter, r *http.Request, q Request, form string) error {
	ctx := upstream.WithBudget(r.Context())
	g := remoteGem{name: q.Name, base: s.URL(r)}
	var err error
	if g.info, err = s.Up.Document(ctx, s.infoQuery(q.Name)); err != nil {
		return err
	}
	if err := s.choose(ctx, &g, q); err != nil {
		return err
	}
	if form == formLatest {
		number, _ := version.Split(g.at.ID)
		w.Header().Set("Cache-Control", registry.Revalidate(r))
		return wire.JSON(w, http.StatusOK, map[string]string{"version": number})
	}
	if g.pulls, err = s.pullsOf(ctx, q.Name); err != nil {
		return err
	}
	if err := s.ask(ctx, &g, form); err != nil {
		return err
	}
	key := fmt.Sprintf("api %s %s %s\x00%d", form, g.at.ID, g.saidDigest(), g.pulls.all)
	doc, err := s.Store.Document(ctx, g.info.Rendered(q.Name, g.base, key),
		func(ctx context.Context) (store.Rendered, error) {
			body, err := s.renderRemote(ctx, g, form)
			return store.Rendered{Body: body, Type: "application/json; charset=utf-8"}, err
		})
	if err != nil {
		return err
	}
	wire.CacheHead(w, g.info, time.Now())
	return wire.ServeDocument(w, r, doc, registry.Revalidate(r))
}

// saidDigest tells apart what a document can be made of.
func (g *remoteGem) saidDigest() digest.Digest {
	if g.said != nil {
		return g.said.Digest
	}
	return g.spec.Digest
}

// choose finds the versions that are shown, and the one that a document is about: the one asked for, or the one that
// represents the gem. ErrNotFound without.
func (s *server) choose(ctx context.Context, g *remoteGem, q Request) error {
	body, err := g.info.Bytes(ctx)
	if offline := s.Up.Offline(); err == nil && (offline || s.Up.Gated()) {
		body, err = s.offered(ctx, g.name, body, offline)
	}
	if err != nil {
		return err
	}
	g.lines = compactindex.Entries(body)
	slices.SortStableFunc(g.lines, func(a, b compactindex.Entry) int { return version.NewerFirst(a.ID, b.ID) })
	for _, l := range g.lines {
		number, platform := version.Split(l.ID)
		switch {
		case q.Version == "":
			if g.at.ID == "" || version.Prefers(l.ID, g.at.ID) {
				g.at = l
			}
		case number != q.Version, q.Platform != "" && version.ID(number, q.Platform) != l.ID:
		case g.at.ID == "", platform == version.Ruby:
			g.at = l
		}
	}
	if g.at.ID == "" {
		return g.info.Lacks(problem.Errorf(store.ErrNotFound, "%s has no version %s that can be shown", g.name, q.Version))
	}
	return nil
}

// ask asks the upstream what it says, and where it has no such API, or says it of another version, for the
// specification.
func (s *server) ask(ctx context.Context, g *remoteGem, form string) (err error) {
	number, platform := version.Split(g.at.ID)
	about := "api/v1/gems/" + g.name + ".json"
	one := "api/v2/rubygems/" + g.name + "/versions/" + number + ".json"
	if platform != version.Ruby {
		one += "?platform=" + url.QueryEscape(platform)
	}
	switch form {
	case formVersions:
		g.said, err = s.saidAt(ctx, g, "api/v1/versions/"+g.name+".json", isList)
		return err
	case formVersion:
		g.said, err = s.saidAt(ctx, g, one, g.isAbout)
	default:
		g.said, err = s.saidAt(ctx, g, about, func(body []byte) bool { return memberOf(body, "name") == g.name })
		if err == nil && g.said != nil {
			var body []byte
			if body, err = g.said.Bytes(ctx); err == nil && !g.isAbout(body) {
				g.said, err = s.saidAt(ctx, g, one, g.isAbout) // its latest version is not the one that is shown here
			}
		}
	}
	if err == nil && g.said == nil {
		g.spec, err = s.specOf(ctx, g)
	}
	return err
}

// isAbout reports whether a document of the upstream is about the version.
func (g *remoteGem) isAbout(body []byte) bool {
	return memberOf(body, "name") == g.name && version.ID(memberOf(body, "version"), memberOf(body, "platform")) == g.at.ID
}

// memberOf is a text in JSON; "" without it.
func memberOf(body []byte, key string) (text string) {
	rawjson.Members(body, func(k, v []byte) {
		if string(k) == key {
			text = rawjson.TextOf(v)
		}
	})
	return text
}

func isList(body []byte) bool { return rawjson.Elements(body, func([]byte) {}) }

// checkJSON accepts the documents about a gem for which is holds.
func checkJSON(name string, is func(body []byte) bool) func(body []byte, _ string) error {
	return func(body []byte, _ string) error {
		if !json.Valid(body) || !is(body) {
			return fmt.Errorf("not a document of the JSON API about %s", name)
		}
		return nil
	}
}

// saidAt is a document of the upstream's own API; nil when it has none, or cannot say now.
func (s *server) saidAt(
	ctx context.Context, g *remoteGem, ref string, is func(body []byte) bool,
) (*upstream.Document, error) {
	d, err := s.Up.DocumentFrom(ctx, g.info.Upstream, upstream.Query{
		Package: g.name, Key: ref, Ref: ref, Accept: "application/json", Fresh: freshInfo, Absent: freshInfo,
		Check: checkJSON(g.name, is), API: true,
	})
	if err != nil {
		return nil, ctx.Err()
	}
	return d, nil
}

// specOf is the file with a version's specification, as gem install asks for it; zero when it cannot be had now.
func (s *server) specOf(ctx context.Context, g *remoteGem) (b store.Blob, err error) {
	full := names.FullName(g.name, g.at.ID)
	f, err := s.Up.File(ctx, upstream.FileQuery{
		Package: g.name, Version: g.at.ID, Key: full + suffixSpec,
		Find: func(context.Context) (upstream.Place, error) {
			return placeOf(full, suffixSpec, g.at, g.info.Upstream), nil
		},
	})
	if err != nil {
		return b, ctx.Err()
	}
	b, err = f.Wait(ctx)
	if err = errors.Join(err, f.Close()); err != nil {
		return store.Blob{}, ctx.Err()
	}
	return b, nil
}

// allowedVersion finds the version of an upstream that a full name stands for, if no rule refuses it.
func (s *server) allowedVersion(
	ctx context.Context, full string,
) (name, id string, u *upstream.Upstream, err error) {
	name, l, u, err := s.remoteVersion(ctx, full, errAbsent(full))
	if err == nil && s.Up.Gated() {
		err = s.Up.Allowed(ctx, name, l.ID)
	}
	return name, l.ID, u, err
}

// proxiedAttestations passes on what an upstream says was attested of a version. ErrNotFound where it has no such
// document: that nothing was attested is not known.
func (s *server) proxiedAttestations(w http.ResponseWriter, r *http.Request, full string) error {
	ctx := upstream.WithBudget(r.Context())
	name, _, u, err := s.allowedVersion(ctx, full)
	if err != nil {
		return err
	}
	ref := "api/v1/attestations/" + full + ".json"
	d, err := s.Up.DocumentFrom(ctx, u, upstream.Query{
		Package: name, Key: ref, Ref: ref, Accept: "application/json", Fresh: freshInfo,
		Check: checkJSON(name, isList), API: true,
	})
	if err != nil {
		return err
	}
	body, err := d.Bytes(ctx)
	if err != nil {
		return err
	}
	wire.CacheHead(w, d, time.Now())
	return wire.ServeBytes(w, r, body, wire.BlobHead{
		Digest: d.Digest, Type: "application/json", CacheControl: registry.Revalidate(r),
	})
}

// renderRemote is a document in one of its forms.
func (s *server) renderRemote(ctx context.Context, g remoteGem, form string) (out []byte, err error) {
	var said []byte
	if g.said != nil {
		if said, err = g.said.Bytes(ctx); err != nil {
			return nil, err
		}
	}
	if form == formVersions {
		return g.versions(said)
	}
	x, known, err := s.remoteShown(ctx, g)
	switch {
	case err != nil:
		return nil, err
	case said != nil:
		out, err = g.theirs(said, g.at)
	case form == formVersion:
		out, err = known.encode(releaseJSON{x.gem(g.base), x.version().facts})
	default:
		out, err = known.encode(x.gem(g.base))
	}
	return append(out, '\n'), err
}

// versions is the list of versions: what the upstream says of each, or its line.
func (g *remoteGem) versions(said []byte) (out []byte, err error) {
	of := map[string][]byte{}
	rawjson.Elements(said, func(v []byte) {
		of[version.ID(memberOf(v, "number"), memberOf(v, "platform"))] = v
	})
	out = []byte{'['}
	for i, l := range g.lines {
		var each []byte
		if v := of[l.ID]; v != nil {
			each, err = g.theirs(v, l)
		} else {
			each, err = onlyLine.encode(g.shown(l, l.Spec(g.name)).version())
		}
		if err != nil {
			return nil, err
		}
		out = append(rawjson.AppendComma(out, i), each...)
	}
	return append(out, ']', '\n'), nil
}

// theirs is what the upstream says of a version, with our addresses, and the sum that its file must have here.
func (g *remoteGem) theirs(said []byte, l compactindex.Entry) ([]byte, error) {
	o, err := rawjson.Split(said)
	if err != nil {
		return nil, err
	}
	their := g.info.Upstream.URL() + "/"
	for _, m := range o {
		if rest, ok := strings.CutPrefix(rawjson.TextOf(m.Value), their); ok {
			o = o.Set(m.Key, rawjson.Quote(g.base+"/"+rest))
		}
	}
	mine := g.shown(l, l.Spec(g.name)).gem(g.base)
	for key, value := range map[string]string{"project_uri": mine.ProjectURI, "gem_uri": mine.GemURI, "sha": mine.SHA} {
		if o.Get(key) != nil && value != "" {
			o = o.Set(key, rawjson.Quote(value))
		}
	}
	return o.Encode(), nil
}

// shown is a version as its line and a specification say.
func (g *remoteGem) shown(l compactindex.Entry, spec *gemspec.Specification) shown {
	x := shown{name: g.name, spec: spec, pulls: g.pulls}
	x.v.ID, x.v.Published = l.ID, l.Created
	if l.SHA256 != "" {
		x.v.Files = []store.File{{Digest: digest.NewDigestFromEncoded(digest.SHA256, l.SHA256)}}
	}
	return x
}

// remoteShown is the version that a document is about, and what is known of it: its specification or its line.
func (s *server) remoteShown(ctx context.Context, g remoteGem) (x shown, known knowledge, err error) {
	if g.spec.Digest == "" {
		return g.shown(g.at, g.at.Spec(g.name)), onlyLine, nil
	}
	raw, err := s.Store.ReadBlob(ctx, g.spec.Digest, archive.MaxMember)
	if err != nil {
		return x, known, err
	}
	spec, err := gemspec.ReadQuick(raw)
	if err != nil || spec.Name != g.name {
		return g.shown(g.at, g.at.Spec(g.name)), onlyLine, nil // of a form that only clients read
	}
	archive.Disarm(spec)
	x = g.shown(g.at, spec)
	x.v.Meta.SpecSHA = g.spec.Digest.Encoded()
	return x, known, nil
}

// knowledge are the members of a document that are not known, and left out.
type knowledge []string

// onlyLine is what a line of the compact index does not say.
var onlyLine = knowledge{
	"authors", "info", "licenses", "metadata", "homepage_uri", "wiki_uri", "documentation_uri", "mailing_list_uri",
	"source_code_uri", "bug_tracker_uri", "changelog_uri", "funding_uri", "built_at", "description", "summary",
	"requirements",
}

func (k knowledge) encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil || k == nil {
		return bytes.TrimSpace(b.Bytes()), err
	}
	o, err := rawjson.Split(b.Bytes())
	if err != nil {
		return nil, err
	}
	for _, key := range k {
		o = o.Set(key, nil)
	}
	if deps := o.Sub("dependencies"); deps != nil {
		o = o.Set("dependencies", deps.Set("development", nil).Encode())
	}
	return o.Encode(), nil
}
