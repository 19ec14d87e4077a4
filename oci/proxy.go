package oci

// Answers from upstream registries and the copies that are kept of them. resolve.go finds the repository.

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"larder/internal/problem"
	"larder/internal/rawjson"
	"larder/internal/registry"
	"larder/internal/wire"
	"larder/oci/manifest"
	"larder/store"
	"larder/upstream"
)

// How long an upstream's answer is used without asking again.
const (
	freshTag  = time.Minute
	freshList = time.Minute
)

// acceptManifests is every type that is kept: an upstream that is not told them converts to the oldest.
var acceptManifests = strings.Join(
	[]string{
		manifest.TypeIndex, manifest.TypeImage, manifest.TypeDockerList, manifest.TypeDockerImage, manifest.TypeArtifact,
		"*/*;q=0.1",
	},
	", ",
)

// probe is how upstreams are asked whether they have a repository.
func probe(name string) upstream.Query {
	return upstream.Query{
		Package: name, Key: "tags", Fresh: freshList, Check: checkList,
		For: func(u *upstream.Upstream) (ref, scope string) {
			src := sourceAt(u, name)
			return src.tags(), src.scope()
		},
	}
}

// tagsQuery asks for the first page of a repository's tags.
func tagsQuery(src source) upstream.Query {
	return upstream.Query{
		Package: src.name, Key: "tags", Ref: src.tags(), Accept: "application/json", Scope: src.scope(), Fresh: freshList,
		Check: checkList,
	}
}

// checkList refuses what is no list of tags or referrers.
func checkList(body []byte, _ string) error {
	if _, err := rawjson.Parse(body); err != nil {
		return errors.New("not a list of tags or referrers")
	}
	return nil
}

func (src source) scope() string { return "repository:" + src.path + ":pull" }

func (src source) tags() string { return "v2/" + src.path + "/tags/list" }

func (src source) ref(kind, ref string) string { return "v2/" + src.path + "/" + kind + "/" + ref }

// place is where the upstream has a blob or manifest.
func (src source) place(kind, accept string, d digest.Digest) upstream.Place {
	return upstream.Place{
		Upstream: src.up, Ref: src.ref(kind, d.String()), Accept: accept, Scope: src.scope(),
		Sums: map[string]string{d.Algorithm().String(): d.Encoded()},
	}
}

// proxiedManifest answers with a manifest of an upstream. One that was asked for by tag is kept by its digest as well.
func (s *server) proxiedManifest(w http.ResponseWriter, r *http.Request, q Request, src source) error {
	if q.Namespace != "" {
		w.Header().Set("OCI-Namespace", q.Namespace)
	}
	if q.byDigest() {
		wire.Pulling(r.Context(), src.name, string(q.Digest))
		return s.proxiedFile(w, r, q, src, "manifests", acceptManifests)
	}
	ctx := r.Context()
	if probe, err := s.isProbe(r, q); probe || err != nil {
		return cmp.Or(err, problem.Errorf(store.ErrNotFound, "manifest %s is not in %s", q.Tag, q.Asked))
	}
	if err := s.Up.Blocked(src.name, q.Tag); err != nil {
		return err
	}
	d, err := s.upstreamTag(ctx, src, q.Tag)
	if err != nil {
		return err
	}
	if err := s.mayServe(ctx, src, d.Digest); err != nil {
		return err
	}
	if err := s.Up.KeepFile(ctx, src.name, d.Digest.String(), d); err != nil {
		s.Log.LogAttrs(
			ctx, slog.LevelWarn, "manifest not kept by its digest", slog.String("repository", src.name), slog.Any("error", err),
		)
	}
	wire.Pulling(ctx, src.name, string(d.Digest))
	wire.CacheHead(w, d, time.Now())
	if d.Cache == "STALE" {
		w.Header().Set("Warning", `299 - "stale: the upstream registry does not answer"`)
	}
	w.Header().Set("Docker-Content-Digest", d.Digest.String())
	body, err := d.Bytes(ctx)
	if err != nil {
		return err
	}
	return wire.ServeBytes(
		w, r, body,
		wire.BlobHead{Digest: d.Digest, Size: d.Size, Type: manifestType(body, d.Type), CacheControl: cacheControl(r, false)},
	)
}

// manifestType is what the manifest says it is, else what the upstream said. One that is sent as any bytes is what it
// looks like.
func manifestType(body []byte, announced string) string {
	own, announced := manifest.TypeOf(body), manifest.BareType(announced)
	if own == "" && !strings.HasPrefix(announced, "application/vnd.") {
		if m, err := manifest.Parse("", body); err == nil {
			own = m.MediaType
		}
	}
	return cmp.Or(own, announced)
}

// checkManifest refuses to cache what is no manifest. The rules for pushes are not for upstreams, of which clients have
// pulled it all along: the body decides what it is, and an old form is passed on.
func checkManifest(body []byte, contentType string) error {
	_, err := manifest.Parse(manifestType(body, contentType), body)
	if err == nil {
		return nil
	}
	if doc, jerr := rawjson.Split(body); jerr == nil && doc.Get("schemaVersion") != nil {
		return nil
	}
	return err
}

// proxiedFile answers with a blob or manifest by its digest. Once it is kept, the upstream is not asked for it again.
func (s *server) proxiedFile(w http.ResponseWriter, r *http.Request, q Request, src source, kind, accept string) error {
	if err := s.mayAsk(src); err != nil {
		return err
	}
	if probe, err := s.isProbe(r, q); probe || err != nil {
		return cmp.Or(err, problem.Errorf(store.ErrNotFound, "%s is not in %s", q.Digest, q.Asked))
	}
	if err := s.mayServe(r.Context(), src, q.Digest); err != nil {
		return err
	}
	place := src.place(kind, accept, q.Digest)
	if kind == "blobs" {
		place.Type = "application/octet-stream"
	}
	f, err := s.Up.File(r.Context(), upstream.FileQuery{
		Package: src.name, Key: q.Digest.String(), Head: r.Method == http.MethodHead && !s.hasTwoDigests(src, q.Digest),
		Find: func(context.Context) (upstream.Place, error) { return place, nil },
	})
	if err != nil {
		return err
	}
	if s.hasTwoDigests(src, q.Digest) {
		if err := s.mayServeBytes(r.Context(), src, f); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	w.Header().Set("Docker-Content-Digest", q.Digest.String())
	return s.SendCopy(w, r, f, wire.BlobHead{Digest: q.Digest, CacheControl: cacheControl(r, true)})
}

// proxiedList returns a page of an upstream's list. The link to the next page leads here, not to the upstream.
func (s *server) proxiedList(
	w http.ResponseWriter, r *http.Request, op string, q Request, ask upstream.Query,
) (body []byte, err error) {
	if values := pageOf(q); len(values) > 0 {
		ask.Ref += "?" + values.Encode()
		ask.Key += " " + values.Encode()
	}
	d, err := s.Up.DocumentFrom(r.Context(), q.from.up, ask)
	if err != nil {
		return nil, err
	}
	wire.CacheHead(w, d, time.Now())
	if next := nextPage(d.Next); next != nil {
		n, last := -1, next.Get("last")
		if i, err := strconv.Atoi(next.Get("n")); err == nil {
			n = i
		}
		if last == "" {
			next.Del("n")
			last = pageMark + next.Encode()
		}
		if last != pageMark {
			s.setNext(w.Header(), op, q, n, last)
		}
	}
	return d.Bytes(r.Context())
}

// pageMark begins a last parameter that has the upstream's own parameters of the next page: not every registry names
// the last entry. No tag begins so.
const pageMark = "?"

// pageOf are the parameters of a page that are passed on.
func pageOf(q Request) url.Values {
	v := url.Values{}
	if own, ok := strings.CutPrefix(q.Last, pageMark); ok {
		if given, err := url.ParseQuery(own); err == nil {
			v = given
		}
	} else if q.Last != "" {
		v.Set("last", q.Last)
	}
	if q.N >= 0 {
		v.Set("n", strconv.Itoa(q.N))
	}
	return v
}

// nextPage reads the parameters of a header's link to the next page; nil when there is none.
func nextPage(link string) url.Values {
	u, err := url.Parse(upstream.NextPage(link))
	if err != nil || u.RawQuery == "" {
		return nil
	}
	return u.Query()
}

func (s *server) proxiedTags(w http.ResponseWriter, r *http.Request, q Request) error {
	src := q.from
	body, err := s.proxiedList(w, r, "oci.tags", q, tagsQuery(src))
	if err != nil {
		return err
	}
	var list tagList
	if err := json.Unmarshal(body, &list); err != nil {
		return err
	}
	list.Name = cmp.Or(q.Asked, q.Name)
	list.Tags = slices.DeleteFunc(list.Tags, func(tag string) bool { return s.Up.Blocked(src.name, tag) != nil })
	return writeList(w, list)
}

// referrersQuery asks for what refers to a manifest.
func referrersQuery(src source, d digest.Digest) upstream.Query {
	return upstream.Query{
		Package: src.name, Key: "referrers " + d.String(), Ref: src.ref("referrers", d.String()), API: true,
		Accept: manifest.TypeIndex, Scope: src.scope(), Fresh: freshList, Check: checkList,
	}
}

// fallbackQuery asks for the tag that lists it where the upstream has no API for that.
func fallbackQuery(src source, d digest.Digest) upstream.Query {
	tag := manifest.FallbackTag(d)
	return upstream.Query{
		Package: src.name, Key: tagKey + tag, Ref: src.ref("manifests", tag), Accept: manifest.TypeIndex,
		Scope: src.scope(), Fresh: freshList, Check: checkList,
	}
}

// proxiedReferrers asks the upstream's referrers, or its fallback tag where it has none. While it cannot be asked, the
// tag answers if it is kept: then that is how it was answered before.
func (s *server) proxiedReferrers(w http.ResponseWriter, r *http.Request, q Request) error {
	src := q.from
	r = r.WithContext(upstream.WithBudget(r.Context()))
	body, err := s.proxiedList(w, r, "oci.referrers", q, referrersQuery(src, q.Digest))
	tagged := fallbackQuery(src, q.Digest)
	unasked := registry.IsOneOf(err, upstream.ErrOffline, upstream.ErrUnavailable)
	if errors.Is(err, store.ErrNotFound) || unasked && s.Up.Knows(r.Context(), tagged) {
		body, err = s.fallbackIndex(r.Context(), src, tagged)
	}
	if err != nil {
		return err
	}
	var index struct {
		Manifests []json.RawMessage `json:"manifests"`
	}
	if err := json.Unmarshal(body, &index); err != nil {
		return err
	}
	kept := index.Manifests[:0]
	for _, m := range index.Manifests {
		var d struct{ Digest string }
		if q.wants(typeOf(m)) && json.Unmarshal(m, &d) == nil && s.Up.Blocked(src.name, d.Digest) == nil {
			kept = append(kept, m)
		}
	}
	return writeIndex(w, q.Types, kept)
}

// fallbackIndex is what the fallback tag lists, nothing when there is no such tag.
func (s *server) fallbackIndex(ctx context.Context, src source, tagged upstream.Query) ([]byte, error) {
	doc, err := s.Up.DocumentFrom(ctx, src.up, tagged)
	if errors.Is(err, store.ErrNotFound) {
		return []byte(`{}`), nil
	}
	if err != nil {
		return nil, err
	}
	return doc.Bytes(ctx)
}

// mayPush refuses to write to an upstream's repository, and to begin one that would hide an upstream's.
func (s *server) mayPush(r *http.Request, q Request) error {
	if u := q.from.up; u != nil {
		return faultf(
			codeUnsupported, errDisabled, "%s holds copies of the upstream registry %s: it cannot be pushed to", q.Name,
			u.Name(),
		)
	}
	return s.MayClaim(r.Context(), q.Name)
}
