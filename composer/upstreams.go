package composer

// This file finds a package's versions at an upstream, whichever generation of repositories that is of: Composer 2 has
// a document for each package, Composer 1 has packages in packages.json, in files that it includes, or in files whose
// names are the hashes that it lists.

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"larder/composer/minify"
	"larder/composer/version"
	"larder/internal/rawjson"
	"larder/store"
	"larder/upstream"
)

// Lifetimes of upstreams' documents.
const (
	freshRoot     = time.Hour
	freshMetadata = 5 * time.Minute
	freshSearch   = 5 * time.Minute
	freshHashed   = 10 * 365 * 24 * time.Hour // of a file that is called by its hash
)

// maxIncludes bounds how many files a repository may be spread over.
const maxIncludes = 500

// remoteRoot is an upstream's packages.json.
type remoteRoot struct {
	doc rawjson.Object
	at  *url.URL // where it is
}

// rootOf reads u's packages.json. It changes with every publish when it has the packages, or their hashes, itself.
func (s *server) rootOf(ctx context.Context, u *upstream.Upstream) (root remoteRoot, err error) {
	for _, fresh := range []time.Duration{freshRoot, freshMetadata} {
		d, err := s.Up.DocumentFrom(ctx, u, upstream.Query{
			Key: "packages.json", Ref: "packages.json", Fresh: fresh, Check: isObject,
		})
		if err != nil {
			return root, err
		}
		body, err := d.Bytes(ctx)
		if err != nil {
			return root, err
		}
		if root.doc, err = rawjson.Parse(body); err != nil {
			return root, err
		}
		if root.at, err = url.Parse(d.URL); err != nil {
			return root, err
		}
		if root.doc.Text("metadata-url") != "" && len(root.doc.Sub("packages")) == 0 {
			break
		}
	}
	return root, nil
}

func isObject(body []byte, _ string) error {
	_, err := rawjson.Parse(body)
	return err
}

// usualMetadata is where every repository of Composer 2 has its metadata, unless it says otherwise.
func usualMetadata(name, form string) string {
	if form == formBranches {
		name += "~dev"
	}
	return "p2/" + name + ".json"
}

// locate says where u has a package's metadata, or makes it. It fails when packages.json cannot be had: without it
// nobody knows whether u has the package.
func (s *server) locate(
	ctx context.Context, u *upstream.Upstream, name, form string,
) (at upstream.Location, err error) {
	root, err := s.rootOf(ctx, u)
	if errors.Is(err, store.ErrNotFound) {
		return upstream.Location{Ref: usualMetadata(name, form)}, nil
	}
	if err != nil {
		return at, err
	}
	inline, found, err := ownVersions(root.doc, name)
	template := root.doc.Text("metadata-url")
	switch {
	case err != nil:
		return at, err
	case template != "" && found:
		return madeOf(root.at.String(), inline, name, form), nil
	case template == "":
		return s.locateOld(ctx, u, root, name, form)
	case !root.announces(name):
		return at, fmt.Errorf("%s does not announce %s: %w", u.Name(), name, store.ErrNotFound)
	}
	full := strings.TrimSuffix(strings.TrimPrefix(usualMetadata(name, form), "p2/"), ".json")
	to, err := root.at.Parse(strings.ReplaceAll(template, "%package%", full))
	if err != nil {
		return upstream.Location{Ref: usualMetadata(name, form)}, nil
	}
	return upstream.Location{Ref: to.String()}, nil
}

// announces reports whether the repository says that it has a name, or does not say which it has.
func (root remoteRoot) announces(name string) bool {
	names, listed := root.texts("available-packages")
	patterns, matched := root.texts("available-package-patterns")
	if !listed && !matched {
		return true
	}
	return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) }) ||
		slices.ContainsFunc(patterns, func(p string) bool { return p != "" && glob(p)(name) })
}

// texts is a list of texts in packages.json; false when there is none.
func (root remoteRoot) texts(key string) (list []string, found bool) {
	raw := root.doc.Get(key)
	return list, raw != nil && json.Unmarshal(raw, &list) == nil && list != nil
}

// locateOld is locate for a repository of Composer 1.
func (s *server) locateOld(
	ctx context.Context, u *upstream.Upstream, root remoteRoot, name, form string,
) (at upstream.Location, err error) {
	if template := root.doc.Text("providers-url"); template != "" {
		hash, err := s.providerHash(ctx, u, root, name)
		if err != nil {
			return at, err
		}
		return s.locateProvider(ctx, u, root, strings.ReplaceAll(template, "%hash%", hash), hash, name, form)
	}
	if template := root.doc.Text("providers-lazy-url"); template != "" {
		return s.locateProvider(ctx, u, root, template, "", name, form)
	}
	return s.locateIncluded(ctx, u, root, name, form)
}

// providerHash finds the hash of a package's file in the lists of providers.
func (s *server) providerHash(
	ctx context.Context, u *upstream.Upstream, root remoteRoot, name string,
) (hash string, err error) {
	lists := []rawjson.Object{root.doc.Sub("providers")}
	for _, key := range []string{"provider-includes", "providers-includes"} {
		for _, include := range root.doc.Sub(key) {
			sum := textOf(include.Value, "sha256")
			path := strings.ReplaceAll(include.Key, "%hash%", sum)
			list, _, err := s.listFile(ctx, u, root, "list "+include.Key, path, sum)
			if err != nil {
				return "", err
			}
			lists = append(lists, list.Sub("providers"))
		}
	}
	for _, list := range lists {
		for _, provider := range list {
			if strings.EqualFold(provider.Key, name) {
				return textOf(provider.Value, "sha256"), nil
			}
		}
	}
	return "", fmt.Errorf("%s lists no %s: %w", u.Name(), name, store.ErrNotFound)
}

// textOf is a text of a value that is an object.
func textOf(raw json.RawMessage, key string) string {
	return rawjson.Object{{Key: "v", Value: raw}}.Sub("v").Text(key)
}

// locateProvider makes metadata of a package's file.
func (s *server) locateProvider(
	ctx context.Context, u *upstream.Upstream, root remoteRoot, template, hash, name, form string,
) (at upstream.Location, err error) {
	path := strings.ReplaceAll(template, "%package%", name)
	doc, from, err := s.listFile(ctx, u, root, "provider "+name, path, hash)
	if err != nil {
		return at, err
	}
	list, found, err := ownVersions(doc, name)
	if err == nil && !found {
		err = fmt.Errorf("%s has nothing of %s in its file: %w", u.Name(), name, store.ErrNotFound)
	}
	return madeOf(from, list, name, form), err
}

// locateIncluded makes metadata of what packages.json and the files it includes have of a package.
func (s *server) locateIncluded(
	ctx context.Context, u *upstream.Upstream, root remoteRoot, name, form string,
) (at upstream.Location, err error) {
	list, found, err := ownVersions(root.doc, name)
	if err != nil {
		return at, err
	}
	from, next := root.at.String(), root.doc.Sub("includes")
	for n := 0; len(next) > 0 && n < maxIncludes; n++ {
		path, sum := next[0].Key, textOf(next[0].Value, "sha1")
		next = next[1:]
		key := "include " + path
		if sum != "" {
			key = "include " + strings.ReplaceAll(path, sum, "%hash%")
		}
		doc, at, err := s.listFile(ctx, u, root, key, path, sum)
		if err != nil {
			return upstream.Location{}, err
		}
		more, here, err := ownVersions(doc, name)
		if err != nil {
			return upstream.Location{}, err
		}
		if here {
			list, found, from = append(list, more...), true, at
		}
		next = append(next, doc.Sub("includes")...)
	}
	if !found {
		return at, fmt.Errorf("%s includes no %s: %w", u.Name(), name, store.ErrNotFound)
	}
	return madeOf(from, list, name, form), nil
}

// listFile reads a file that packages.json refers to, and where it was. It is kept under a key without its hash; with
// one, what is kept is right as long as it has that hash.
func (s *server) listFile(
	ctx context.Context, u *upstream.Upstream, root remoteRoot, key, path, hash string,
) (doc rawjson.Object, from string, err error) {
	ref := path
	if strings.HasPrefix(path, "/") {
		to, err := root.at.Parse(path)
		if err != nil {
			return nil, "", fmt.Errorf("%s names %.200q: %w", u.Name(), path, upstream.ErrElsewhere)
		}
		ref = to.String()
	}
	q := upstream.Query{Key: key, Ref: ref, Fresh: freshMetadata, Check: isObject}
	if hash != "" {
		q.Fresh = freshHashed
	}
	for range 3 {
		d, err := s.Up.DocumentFrom(ctx, u, q)
		if err != nil {
			return nil, "", err
		}
		body, err := d.Bytes(ctx)
		if err != nil {
			return nil, "", err
		}
		if hash == "" || hasHash(body, hash) {
			doc, err = rawjson.Parse(body)
			return doc, d.URL, err
		}
		if q.Fresh < 0 {
			q.Key += " " + hash // the upstream took what is kept for what it has now
		}
		q.Fresh = -1
	}
	return nil, "", fmt.Errorf("%w: %s: %s has not the hash that packages.json has for it", upstream.ErrUnavailable,
		u.Name(), path)
}

// hasHash compares with a SHA-1 or SHA-256, whichever it is by its length.
func hasHash(body []byte, hash string) bool {
	if len(hash) == 2*sha1.Size {
		sum := sha1.Sum(body)
		return strings.EqualFold(hex.EncodeToString(sum[:]), hash)
	}
	sum := sha256.Sum256(body)
	return strings.EqualFold(hex.EncodeToString(sum[:]), hash)
}

// ownVersions are the versions that a document has of a package; false when it has none of that name.
func ownVersions(doc rawjson.Object, name string) (list []rawjson.Object, found bool, err error) {
	list, err = minify.Versions(doc, name)
	if errors.Is(err, minify.ErrAbsent) {
		return nil, false, nil
	}
	return list, err == nil, err
}

// madeOf is the document of a package in Composer 2's form, of releases or of branches.
func madeOf(from string, list []rawjson.Object, name, form string) upstream.Location {
	out := append(rawjson.AppendString([]byte(`{"packages":{`), name), ":["...)
	n := 0
	for _, v := range list {
		if version.IsDev(normalizedOf(v)) != (form == formBranches) {
			continue
		}
		out = append(rawjson.AppendComma(out, n), v.Encode()...)
		n++
	}
	return upstream.Location{Ref: from, Body: append(out, "]}}"...)}
}

// normalizedOf is a version's normal form, "" when it has none. It is made here where the document lacks it, or has the
// number by which Composer 1 knew every default branch.
func normalizedOf(v rawjson.Object) string {
	if n := v.Text("version_normalized"); n != "" && n != "9999999-dev" {
		return n
	}
	n, _ := version.Normalize(v.Text("version"))
	return n
}
