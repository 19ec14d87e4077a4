package npm

// Packuments of upstreams as this registry serves them: our addresses, without versions that are held back.

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"

	"larder/internal/budget"
	"larder/internal/problem"
	"larder/internal/rawjson"
	"larder/npm/archive"
	"larder/npm/names"
	"larder/npm/version"
	"larder/store"
	"larder/upstream"
)

// rewrite makes an upstream's packument ours: every tarball has our address, and versions that are held back or broken
// are left out, with the tags that point at them. Signatures stay: they are about name, version and integrity. A
// packument may be large: it is written once, into one piece of memory.
func (s *server) rewrite(ctx context.Context, body []byte, name, base string, short bool) ([]byte, error) {
	doc, err := rawjson.Split(body)
	if err != nil {
		return nil, err
	}
	versions, held, err := s.offered(ctx, doc, name)
	if err != nil {
		return nil, err
	}
	if len(held) > 0 {
		doc = withoutHeld(doc, versions, held)
	}
	w := manifestWriter{name: name, base: base, short: short}
	// Some more than there was: our address may be longer.
	out := append(make([]byte, 0, len(body)+len(body)/8+1024), '{')
	for i, m := range doc {
		out = append(rawjson.AppendString(rawjson.AppendComma(out, i), m.Key), ':')
		if m.Key != "versions" {
			out = append(out, m.Value...)
			continue
		}
		out = append(out, '{')
		for i, v := range versions {
			out = append(rawjson.AppendString(rawjson.AppendComma(out, i), v.Key), ':')
			out = w.append(out, v)
		}
		out = append(out, '}')
	}
	return append(out, '}', '\n'), nil
}

// offered are the versions of an upstream's packument that this registry may offer, as the upstream has them, and the
// others.
func (s *server) offered(
	ctx context.Context, doc rawjson.Object, name string,
) (versions rawjson.Object, held map[string]bool, err error) {
	all := doc.Sub("versions")
	versions, held = all[:0:0], map[string]bool{}
	look, broken := s.offers(ctx, name), 0
	for _, v := range all {
		ok, whole, err := look(v)
		switch {
		case err != nil:
			return nil, nil, err
		case ok:
			versions = append(versions, v)
			continue
		case !whole:
			broken++
		}
		held[v.Key] = true
	}
	if broken > 0 {
		s.Log.LogAttrs(ctx, slog.LevelWarn, "an upstream's versions are left out: they name no tarball",
			slog.String("package", name), slog.Int("versions", broken))
	}
	if len(versions) == 0 {
		return nil, nil, problem.Errorf(store.ErrNotFound, "%s has no versions that this registry may offer", name)
	}
	return versions, held, nil
}

// offers returns a function that says whether a version of an upstream's packument may be offered, and whether it names
// a tarball.
func (s *server) offers(ctx context.Context, name string) func(v rawjson.Member) (ok, whole bool, err error) {
	offline := s.Up.Offline()
	var m, dist rawjson.Object
	return func(v rawjson.Member) (ok, whole bool, err error) {
		m, err = rawjson.SplitInto(m[:0], v.Value)
		if err == nil {
			dist, err = rawjson.SplitInto(dist[:0], m.Get("dist"))
		}
		if err != nil || dist.Text("tarball") == "" {
			return false, false, nil
		}
		if err := s.Up.Allowed(ctx, name, v.Key); errors.Is(err, store.ErrDenied) {
			return false, true, nil
		} else if err != nil {
			return false, true, err
		}
		if offline {
			// What is not here cannot be fetched: a resolver must not choose it.
			ok, err := s.Up.Here(ctx, name, names.Tarball(name, v.Key))
			return ok, true, err
		}
		return true, true, nil
	}
}

// largePackument is the size in bytes from which a packument is rewritten as it is read.
const largePackument = 4 << 20

// errHeld is a packument of which a version is left out, on which tags before it may depend.
var errHeld = errors.New("a version is left out")

// rewriteLarge is rewrite of a packument that is not in memory; errHeld when it cannot be done in one pass.
func (s *server) rewriteLarge(
	ctx context.Context, d *upstream.Document, name, base string, short bool,
) ([]byte, error) {
	in, err := d.Open(ctx)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	size := d.Size + d.Size/8
	if err := budget.Take(ctx, size); err != nil {
		return nil, err
	}
	defer budget.Give(ctx, size) // whoever keeps the document counts it
	r, w, look := rawjson.NewScanner(in).Deep(maxDepth), manifestWriter{name: name, base: base, short: short},
		s.offers(ctx, name)
	out := append(make([]byte, 0, size), '{')
	var v rawjson.Member
	members := func(value func() error) error {
		first := true
		return r.Object(func(key string) error {
			if !first {
				out = append(out, ',')
			}
			first = false
			out = append(rawjson.AppendString(out, key), ':')
			v.Key = key
			return value()
		})
	}
	read := func() (err error) {
		v.Value, err = r.RawInto(v.Value[:0], maxManifest)
		return err
	}
	manifest := func() error {
		if err := read(); err != nil {
			return err
		}
		if ok, _, err := look(v); err != nil || !ok {
			return cmp.Or(err, errHeld)
		}
		out = w.append(out, v)
		return nil
	}
	err = members(func() error {
		c, err := r.Peek()
		if err == nil && (v.Key != "versions" || c != '{') {
			err = read()
			out = append(out, v.Value...)
			return err
		}
		if err != nil {
			return err
		}
		out = append(out, '{')
		err = members(manifest)
		out = append(out, '}')
		return err
	})
	if err == nil {
		err = r.End()
	}
	return append(out, '}', '\n'), err
}

// manifestWriter writes the manifests of an upstream's packument as ours.
type manifestWriter struct {
	name, base string
	short      bool

	m, dist rawjson.Object // of the last manifest
}

// append appends the manifest of v, which offered has found whole.
func (w *manifestWriter) append(out []byte, v rawjson.Member) []byte {
	var err error
	if w.m, err = rawjson.SplitInto(w.m[:0], v.Value); err != nil {
		return append(out, v.Value...) // not reached: offered has split it
	}
	if w.dist, err = rawjson.SplitInto(w.dist[:0], w.m.Get("dist")); err != nil {
		return append(out, v.Value...) // not reached either
	}
	dist := w.dist.Set("tarball", rawjson.Quote(w.base+tarballPath(w.name, names.Tarball(w.name, v.Key))))
	if a := dist.Sub("attestations"); a != nil {
		dist = dist.Set("attestations",
			a.Set("url", rawjson.Quote(w.base+"/-/npm/v1/attestations/"+escapeName(w.name)+"@"+v.Key)).Encode())
	}
	m := w.m
	if w.short && m.Get("_id") != nil {
		// An upstream that does not know the abbreviated form sent everything.
		all := m
		m = archive.Short(all).Set("dist", all.Get("dist"))
		if deprecated := all.Get("deprecated"); deprecated != nil {
			m = m.Set("deprecated", deprecated)
		}
		if archive.RunsScripts(all) {
			m = m.Set("hasInstallScript", json.RawMessage("true"))
		}
	}
	out = append(out, '{')
	for i, member := range m {
		out = append(rawjson.AppendString(rawjson.AppendComma(out, i), member.Key), ':')
		if member.Key == "dist" {
			out = dist.Append(out)
		} else {
			out = append(out, member.Value...)
		}
	}
	return append(out, '}')
}

// withoutHeld moves the tags of held versions to the newest version that is left, and drops their times.
func withoutHeld(doc, versions rawjson.Object, held map[string]bool) rawjson.Object {
	tags := rawjson.Object{}
	for _, t := range doc.Sub("dist-tags") {
		switch {
		case !held[rawjson.TextOf(t.Value)]:
			tags = append(tags, t)
		case t.Key == "latest":
			tags = append(tags, rawjson.Member{
				Key: "latest",
				Value: rawjson.Quote(version.Newest(idsOf(versions), func(v string) bool {
					return versions.Sub(v).Get("deprecated") != nil
				})),
			})
		}
	}
	times := slices.DeleteFunc(doc.Sub("time"), func(m rawjson.Member) bool { return held[m.Key] })
	return doc.Set("dist-tags", tags.Encode()).Set("time", times.Encode())
}
