package oci

// Copies of remote registries (oci.md A7); resolve.go has which repository of which one a request is about.

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

	"larder/internal/wire"
	"larder/oci/manifest"
	"larder/store"
	"larder/upstream"
)

// Lifetimes of what upstreams' tags and lists say.
const (
	freshTag  = time.Minute
	freshList = time.Minute
)

// acceptManifests is every type we can keep; an upstream that is not told converts to the oldest.
var acceptManifests = strings.Join([]string{manifest.TypeIndex, manifest.TypeImage, manifest.TypeDockerList, manifest.TypeDockerImage, manifest.TypeArtifact, "*/*;q=0.1"}, ", ")

// probe is how upstreams are asked whether they have a repository.
func probe(name string) upstream.Query {
	return upstream.Query{
		Package: name, Key: "tags", Fresh: freshList,
		For: func(u *upstream.Upstream) (ref, scope string) {
			e := elsewhereAt(u, name)
			return e.tags(), e.scope()
		},
	}
}

func (e elsewhere) scope() string { return "repository:" + e.path + ":pull" }

func (e elsewhere) tags() string { return "v2/" + e.path + "/tags/list" }

func (e elsewhere) ref(kind, ref string) string { return "v2/" + e.path + "/" + kind + "/" + ref }

// proxiedManifest answers with a manifest of an upstream. What a tag pointed at stays here under its digest.
func (s *server) proxiedManifest(w http.ResponseWriter, r *http.Request, q Request, e elsewhere) error {
	if q.Namespace != "" {
		w.Header().Set("OCI-Namespace", q.Namespace)
	}
	if q.byDigest() {
		return s.proxiedFile(w, r, q, e, "manifests", acceptManifests)
	}
	ctx := r.Context()
	if err := s.Up.Blocked(e.name, q.Tag); err != nil {
		return err
	}
	d, err := s.taggedThere(ctx, e, q.Tag)
	if err != nil {
		return err
	}
	if err := s.mayOffer(ctx, e, d.Digest); err != nil {
		return err
	}
	if err := s.Up.KeepFile(ctx, e.name, d.Digest.String(), d); err != nil {
		s.Log.LogAttrs(ctx, slog.LevelWarn, "manifest not kept by its digest", slog.String("repository", e.name), slog.Any("error", err))
	}
	wire.CacheHead(w, d, time.Now())
	if d.Cache == "STALE" {
		w.Header().Set("Warning", `299 - "stale: the upstream registry cannot be reached"`)
	}
	w.Header().Set("Docker-Content-Digest", d.Digest.String())
	body, err := d.Bytes(ctx)
	if err != nil {
		return err
	}
	return wire.ServeBytes(w, r, body, wire.BlobHead{Digest: d.Digest, Size: d.Size, Type: manifestType(body, d.Type), CacheControl: cacheControl(r, false)})
}

// manifestType is what the manifest says it is, else what the upstream said.
func manifestType(body []byte, announced string) string {
	return cmp.Or(manifest.TypeOf(body), manifest.BareType(announced))
}

// checkManifest keeps what is no manifest out of the cache.
func checkManifest(body []byte, contentType string) error {
	_, err := manifest.Parse(manifest.BareType(contentType), body)
	return err
}

// proxiedFile answers with something that is called by its digest: it needs neither token nor upstream once it is here.
func (s *server) proxiedFile(w http.ResponseWriter, r *http.Request, q Request, e elsewhere, kind, accept string) error {
	if err := s.mayAsk(e); err != nil {
		return err
	}
	if err := s.mayOffer(r.Context(), e, q.Digest); err != nil {
		return err
	}
	place := upstream.Place{
		Upstream: e.up, Ref: e.ref(kind, q.Digest.String()), Accept: accept, Scope: e.scope(),
		Sums: map[string]string{q.Digest.Algorithm().String(): q.Digest.Encoded()},
	}
	if kind == "blobs" {
		place.Type = "application/octet-stream"
	}
	f, err := s.Up.File(r.Context(), upstream.FileQuery{
		Package: e.name, Key: q.Digest.String(), Head: r.Method == http.MethodHead && !s.hasTwoDigests(e, q.Digest),
		Find: func(context.Context) (upstream.Place, error) { return place, nil },
	})
	if err != nil {
		return err
	}
	if s.hasTwoDigests(e, q.Digest) {
		if err := s.mayOfferBytes(r.Context(), e, f); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	w.Header().Set("Docker-Content-Digest", q.Digest.String())
	return s.SendCopy(w, r, f, wire.BlobHead{Digest: q.Digest, CacheControl: cacheControl(r, true)})
}

// proxiedList passes on a page of a list; its links lead to our pages.
func (s *server) proxiedList(
	w http.ResponseWriter, r *http.Request, op string, q Request, key, ref, accept string,
) (body []byte, err error) {
	e := q.from
	if values := pageOf(q); len(values) > 0 {
		ref += "?" + values.Encode()
		key += " " + values.Encode()
	}
	d, err := s.Up.DocumentFrom(r.Context(), e.up, upstream.Query{Package: e.name, Key: key, Ref: ref, Accept: accept, Scope: e.scope(), Fresh: freshList})
	if err != nil {
		return nil, err
	}
	wire.CacheHead(w, d, time.Now())
	if next := nextPage(d.Next); next != nil {
		n, last := -1, next.Get("last")
		if i, err := strconv.Atoi(next.Get("n")); err == nil {
			n = i
		}
		s.setNext(w.Header(), op, q, n, last)
	}
	return d.Bytes(r.Context())
}

// pageOf are the parameters of a page that are passed on.
func pageOf(q Request) url.Values {
	v := url.Values{}
	if q.N >= 0 {
		v.Set("n", strconv.Itoa(q.N))
	}
	if q.Last != "" {
		v.Set("last", q.Last)
	}
	return v
}

// nextPage reads the parameters of a link to the next page; nil when there is none.
func nextPage(link string) url.Values {
	target, rel, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(link), "<"), ">")
	u, err := url.Parse(target)
	if err != nil || !strings.Contains(rel, "next") {
		return nil
	}
	return u.Query()
}

func (s *server) proxiedTags(w http.ResponseWriter, r *http.Request, q Request) error {
	e := q.from
	body, err := s.proxiedList(w, r, "oci.tags", q, "tags", e.tags(), "application/json")
	if err != nil {
		return err
	}
	var list tagList
	if err := json.Unmarshal(body, &list); err != nil {
		return err
	}
	list.Name = cmp.Or(q.Asked, q.Name)
	list.Tags = slices.DeleteFunc(list.Tags, func(tag string) bool { return s.Up.Blocked(e.name, tag) != nil })
	return writeList(w, list)
}

// proxiedReferrers asks the upstream's referrers, or its fallback tag where it has none.
func (s *server) proxiedReferrers(w http.ResponseWriter, r *http.Request, q Request) error {
	e := q.from
	body, err := s.proxiedList(w, r, "oci.referrers", q, "referrers "+q.Digest.String(), e.ref("referrers", q.Digest.String()), manifest.TypeIndex)
	if errors.Is(err, store.ErrNotFound) {
		body, err = s.fallbackIndex(r.Context(), e, q.Digest)
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
		if q.wants(typeOf(m)) && json.Unmarshal(m, &d) == nil && s.Up.Blocked(e.name, d.Digest) == nil {
			kept = append(kept, m)
		}
	}
	return writeIndex(w, q.Types, kept)
}

func (s *server) fallbackIndex(ctx context.Context, e elsewhere, d digest.Digest) ([]byte, error) {
	tag := manifest.FallbackTag(d)
	doc, err := s.Up.DocumentFrom(ctx, e.up, upstream.Query{
		Package: e.name, Key: "tag " + tag, Ref: e.ref("manifests", tag), Accept: manifest.TypeIndex, Scope: e.scope(), Fresh: freshList,
	})
	if errors.Is(err, store.ErrNotFound) {
		return []byte(`{}`), nil
	}
	if err != nil {
		return nil, err
	}
	return doc.Bytes(ctx)
}

// mayPush refuses to write where an upstream's copies are, and to begin a repository that would hide an upstream's.
func (s *server) mayPush(r *http.Request, q Request) error {
	if u := q.from.up; u != nil {
		return faultf(
			codeUnsupported, errDisabled, "%s holds copies of the upstream registry %s: it cannot be pushed to", q.Name,
			u.Name(),
		)
	}
	return s.MayClaim(r.Context(), q.Name)
}
