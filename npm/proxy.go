package npm

// Copies of remote registries: what a miss asks for, and how what comes is turned into documents of ours. Only names
// that are not ours get here; the rules about that are upstream's.

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"larder/internal/problem"
	"larder/internal/rawjson"
	"larder/internal/wire"
	"larder/store"
	"larder/upstream"
)

// Lifetimes of upstreams' documents.
const (
	freshPackument = 5 * time.Minute
	freshSearch    = time.Minute
	freshKeys      = time.Hour
)

// packumentQuery asks for one form of a packument. Private registries insist on the escaped slash.
func packumentQuery(name, form string) upstream.Query {
	q := upstream.Query{
		Package: name, Key: form, Ref: strings.Replace(url.PathEscape(name), "%40", "@", 1), Fresh: freshPackument,
		Early: true, Check: checkPackument, Versions: publishedTimes, Scan: scanPackument, Accept: "application/json",
	}
	if form == formShort {
		q.Accept = typeShort + "; q=1.0, application/json; q=0.8"
	}
	return q
}

// checkPackument keeps login pages and error objects with status 200 out of the cache. Afterwards
// the body is known to be JSON.
func checkPackument(body []byte, _ string) error {
	if !json.Valid(body) {
		return errors.New("not JSON")
	}
	doc, err := rawjson.Split(body)
	if err != nil {
		return err
	}
	if doc.Text("name") == "" || doc.Sub("versions") == nil && doc.Sub("time") == nil {
		return errors.New("not a packument")
	}
	return nil
}

// publishedTimes reads when versions were published, as far as the document says.
func publishedTimes(body []byte) map[string]time.Time {
	doc, err := rawjson.Split(body)
	if err != nil {
		return nil
	}
	out := map[string]time.Time{}
	for _, v := range doc.Sub("versions") {
		out[v.Key] = time.Time{}
	}
	for _, m := range doc.Sub("time") {
		if _, ok := out[m.Key]; ok {
			out[m.Key], _ = time.Parse(time.RFC3339, rawjson.TextOf(m.Value)) // zero when it does not say
		}
	}
	return out
}

// A packument that is read as a stream has no larger values and no deeper ones; of those that say something of the
// package, larger ones say nothing.
const (
	maxManifest = 16 << 20
	maxDepth    = 1000
	maxSaid     = 64 << 10
)

// saying are the members of a packument that say something of the package.
var saying = []string{"dist-tags", "description", "keywords", "license", "homepage", "repository"}

// scanPackument is checkPackument, publishedTimes and aboutCopy for a packument of which only a version is in memory.
func scanPackument(r io.Reader) (upstream.Scanned, error) {
	out, times := map[string]time.Time{}, map[string]string{}
	var said, newest rawjson.Object
	var ids []string
	latest := ""
	named, described := false, false
	s := rawjson.NewScanner(r).Deep(maxDepth)
	var raw json.RawMessage
	check := func() (err error) {
		raw, err = s.RawInto(raw[:0], maxManifest)
		return err
	}
	err := s.Object(func(key string) error {
		switch c, err := s.Peek(); {
		case err != nil:
			return err
		case key == "name" && c == '"':
			name, err := s.Str(rawjson.MaxKey)
			named = name != ""
			return err
		case key == "versions" && c == '{':
			described = true
			return s.Object(func(version string) error {
				out[version] = time.Time{}
				ids = append(ids, version)
				if err := check(); err != nil || latest != "" && version != latest {
					return err
				}
				if newest == nil {
					newest = rawjson.Object{{}}
				}
				newest[0].Key, newest[0].Value = version, append(newest[0].Value[:0], raw...)
				return nil
			})
		case key == "time" && c == '{':
			described = true
			return s.Object(func(version string) (err error) {
				times[version], err = s.Optional(rawjson.MaxKey)
				return err
			})
		}
		if err := check(); err != nil || len(raw) > maxSaid || !slices.Contains(saying, key) {
			return err
		}
		said = said.Set(key, bytes.Clone(raw))
		latest = said.Sub("dist-tags").Text("latest")
		return nil
	})
	if err == nil {
		err = s.End()
	}
	if err == nil && !(named && described) {
		err = errors.New("not a packument")
	}
	for version := range out {
		out[version], _ = time.Parse(time.RFC3339, times[version]) // zero when it does not say
	}
	about := aboutOf(said.Set("versions", newest.Encode()), ids)
	return upstream.Scanned{Versions: out, About: &about}, err
}

// fetched is a packument of an upstream. With the age gate on it is always the full one, which has the times.
func (s *server) fetched(ctx context.Context, name, form string) (*upstream.Document, error) {
	if s.Up.Gated() {
		form = formFull
	}
	return s.Up.Document(ctx, packumentQuery(name, form))
}

// proxied renders one form of an upstream's packument, or one version of it.
func (s *server) proxied(w http.ResponseWriter, r *http.Request, name, form string) (*store.Document, error) {
	source := formFull
	if form == formShort {
		source = formShort
	}
	d, err := s.fetched(r.Context(), name, source)
	if err != nil {
		return nil, err
	}
	wire.CacheHead(w, d, time.Now())
	base := s.URL(r)
	return s.Store.Document(r.Context(), d.Rendered(name, base, form), func(ctx context.Context) (store.Rendered, error) {
		body, err := s.rewritten(ctx, d, name, base, form == formShort)
		if err != nil {
			return store.Rendered{}, err
		}
		if version, ok := strings.CutPrefix(form, formVersion); ok {
			return renderRemoteVersion(d, body, name, version)
		}
		typ := "application/json"
		if form == formShort {
			typ = typeShort
		}
		return store.Rendered{Body: body, Type: typ}, nil
	})
}

// rewritten is an upstream's packument as this registry serves it.
func (s *server) rewritten(ctx context.Context, d *upstream.Document, name, base string, short bool) ([]byte, error) {
	if d.Size >= largePackument {
		if out, err := s.rewriteLarge(ctx, d, name, base, short); !errors.Is(err, errHeld) {
			return out, err
		}
	}
	body, err := d.Bytes(ctx)
	if err != nil {
		return nil, err
	}
	return s.rewrite(ctx, body, name, base, short)
}

func renderRemoteVersion(d *upstream.Document, packument []byte, name, version string) (store.Rendered, error) {
	doc, err := rawjson.Split(packument)
	if err != nil {
		return store.Rendered{}, err
	}
	if tag := doc.Sub("dist-tags").Text(version); tag != "" {
		version = tag
	}
	raw := doc.Sub("versions").Get(version)
	if raw == nil {
		return store.Rendered{}, d.Lacks(problem.Errorf(store.ErrNotFound, "%s has no version %s", name, version))
	}
	return store.Rendered{Body: append(slices.Clone(raw), '\n'), Type: "application/json"}, nil
}
