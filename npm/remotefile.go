package npm

// Tarballs of upstreams: where they are, and what they must be.

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"path"
	"strings"

	"larder/internal/problem"
	"larder/internal/rawjson"
	"larder/internal/registry"
	"larder/internal/wire"
	"larder/npm/names"
	"larder/store"
	"larder/upstream"
)

// proxiedTarball answers with a tarball of an upstream. Lockfiles name tarballs without anybody having asked for the
// packument, so where it is and what it must be is looked up there now. A file that has the name of no version as we
// write it has the one that the upstream gave it.
func (s *server) proxiedTarball(w http.ResponseWriter, r *http.Request, q Request) error {
	ctx := upstream.WithBudget(r.Context())
	named := versionOf(q.Name, q.File)
	f, err := s.copyOf(ctx, q.Name, named)
	if registry.IsOneOf(err, store.ErrNotFound, upstream.ErrOffline, upstream.ErrUnavailable, upstream.ErrRefused) {
		version, lerr := s.listedAs(ctx, q.Name, q.File)
		switch {
		case lerr == nil && version != "" && version != named:
			f, err = s.copyOf(ctx, q.Name, version)
		case lerr != nil && errors.Is(err, store.ErrNotFound):
			return lerr
		}
	}
	if err != nil {
		return err
	}
	return s.SendCopy(w, r, f, wire.BlobHead{Type: "application/octet-stream", CacheControl: registry.Immutable(r)})
}

// versionOf takes the version out of a tarball's conventional name; "" for any other name.
func versionOf(name, file string) string {
	_, base := names.Split(name)
	rest, ok := strings.CutPrefix(file, base+"-")
	v, tgz := strings.CutSuffix(rest, ".tgz")
	if !ok || !tgz {
		return ""
	}
	return v
}

// copyOf returns the tarball of a version.
func (s *server) copyOf(ctx context.Context, name, version string) (*upstream.File, error) {
	if version == "" {
		return nil, problem.Errorf(store.ErrNotFound, "%s has no such file", name)
	}
	return s.Up.File(ctx, upstream.FileQuery{
		Package: name, Version: version, Key: names.Tarball(name, version),
		Find: func(ctx context.Context) (upstream.Place, error) { return s.place(ctx, name, version) },
	})
}

// remoteFiles are the tarballs that an upstream's packument refers to.
func remoteFiles(name, key string, d *upstream.Document, body []byte) map[string]upstream.Place {
	if key != formFull && key != formShort {
		return nil
	}
	doc, err := rawjson.Split(body)
	if err != nil {
		return nil // not reached: checked before it was kept
	}
	files := map[string]upstream.Place{}
	for _, v := range doc.Sub("versions") {
		rawjson.Members(v.Value, func(key, value []byte) {
			if string(key) != "dist" {
				return
			}
			if dist, err := rawjson.Split(value); err == nil && dist.Text("tarball") != "" {
				files[names.Tarball(name, v.Key)] = placeOf(d.Upstream, dist)
			}
		})
	}
	return files
}

// listedAs returns the version whose tarball has the file name at the upstream, "" when none has.
func (s *server) listedAs(ctx context.Context, name, file string) (version string, err error) {
	_, err = s.Up.Find(ctx, s.knownQuery(ctx, name), func(_ *upstream.Document, body []byte, _ bool) (bool, error) {
		doc, err := rawjson.Split(body)
		if err != nil {
			return false, err
		}
		for _, v := range doc.Sub("versions") {
			m, err := rawjson.Split(v.Value)
			if err != nil {
				continue
			}
			at, err := url.Parse(m.Sub("dist").Text("tarball"))
			if err == nil && path.Base(at.Path) == file {
				version = v.Key
				return true, nil
			}
		}
		return false, nil
	})
	return version, err
}

// knownQuery asks for the packument in the form in which it is kept. Whichever form the client has asked for has what
// is to be known of tarballs: npm 11 resolves with the full one, others with the short one.
func (s *server) knownQuery(ctx context.Context, name string) upstream.Query {
	query := packumentQuery(name, formFull)
	if !s.Up.Gated() && !s.Up.Knows(ctx, query) {
		query = packumentQuery(name, formShort)
	}
	return query
}

// place finds a version's tarball in the packument; a version that is not in it makes us ask for the packument as it is
// now.
func (s *server) place(ctx context.Context, name, version string) (p upstream.Place, err error) {
	query := s.knownQuery(ctx, name)
	found, err := s.Up.Find(ctx, query, func(d *upstream.Document, body []byte, _ bool) (bool, error) {
		doc, err := rawjson.Split(body)
		if err != nil {
			return false, err
		}
		dist := doc.Sub("versions").Sub(version).Sub("dist")
		if dist.Text("tarball") == "" {
			return false, nil
		}
		p = placeOf(d.Upstream, dist)
		return true, nil
	})
	if err == nil && !found {
		err = problem.Errorf(store.ErrNotFound, "%s has no version %s", name, version)
	}
	return p, err
}

// placeOf reads dist: the address, and the strongest sum there is.
func placeOf(u *upstream.Upstream, dist rawjson.Object) upstream.Place {
	p := upstream.Place{
		Upstream: u, Ref: dist.Text("tarball"), Sums: map[string]string{}, Type: "application/octet-stream",
	}
	for word := range strings.FieldsSeq(dist.Text("integrity")) {
		alg, sum, _ := strings.Cut(word, "-")
		sum, _, _ = strings.Cut(sum, "?")
		if raw, err := base64.StdEncoding.DecodeString(sum); err == nil &&
			(alg == "sha512" || alg == "sha256" || alg == "sha1") {
			p.Sums[alg] = hex.EncodeToString(raw)
		}
	}
	if sum := dist.Text("shasum"); len(p.Sums) == 0 && sum != "" {
		p.Sums["sha1"] = sum
	}
	return p
}
