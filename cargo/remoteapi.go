package cargo

// This file answers the JSON API for crates of upstreams: with what the upstream says where it has such an API, else
// with what the lines of the index say. What neither says is left out, but for downloads: those from here are counted.

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"

	"larder/cargo/names"
	"larder/cargo/version"
	"larder/internal/rawjson"
	"larder/internal/registry"
	"larder/internal/semver"
	"larder/internal/wire"
	"larder/store"
	"larder/upstream"
)

// facts are members of a JSON object.
type facts map[string]any

// proxiedAPI answers with one of the documents of an upstream's crate, or of one version.
func (s *server) proxiedAPI(w http.ResponseWriter, r *http.Request, q Request, form string) error {
	ctx, offline := r.Context(), s.Up.Offline()
	d, err := s.Up.Document(ctx, s.indexQuery(q.Name))
	if err != nil {
		return err
	}
	var said *upstream.Document
	key := "api " + form + " " + q.Version
	if form != formDependencies && form != formDownloads {
		if said, err = s.saidOf(ctx, d.Upstream, q.Name); err != nil {
			return err
		}
	}
	if said != nil {
		key += " " + said.Digest.String()
	}
	n, err := s.downloadsOf(ctx, q.Name)
	if err != nil {
		return err
	}
	doc, err := s.Store.Document(ctx, d.Rendered(names.Key(q.Name), "", key+n.key()),
		func(ctx context.Context) (store.Rendered, error) {
			c, err := s.remoteCrate(ctx, q, d, said, offline)
			if err != nil {
				return store.Rendered{}, err
			}
			c.pulls = n
			shown, err := s.renderRemote(d, c, q, form)
			if err != nil {
				return store.Rendered{}, err
			}
			return rendered(shown)
		})
	if err != nil {
		return err
	}
	return wire.ServeDocument(w, r, doc, registry.Revalidate(r))
}

// saidOf is the upstream's own document of a crate; nil when it has none or cannot say now.
func (s *server) saidOf(ctx context.Context, u *upstream.Upstream, name string) (*upstream.Document, error) {
	c, err := s.configOf(ctx, u)
	if err != nil || c.API == "" {
		return nil, ctx.Err()
	}
	d, err := s.Up.DocumentFrom(ctx, u, upstream.Query{
		Package: names.Key(name), Key: "api crate", Accept: "application/json", Fresh: freshSearch, Absent: freshConfig,
		Ref: strings.TrimRight(c.API, "/") + "/api/v1/crates/" + name, Check: checkCrate,
		API: true,
	})
	if err != nil {
		return nil, ctx.Err()
	}
	return d, nil
}

// saidCrate is an upstream's document of a crate.
type saidCrate struct {
	Crate      map[string]json.RawMessage   `json:"crate"`
	Versions   []map[string]json.RawMessage `json:"versions"`
	Keywords   json.RawMessage              `json:"keywords"`
	Categories json.RawMessage              `json:"categories"`
}

func checkCrate(body []byte, _ string) error {
	var c saidCrate
	if err := json.Unmarshal(body, &c); err != nil {
		return err
	}
	if len(c.Crate) == 0 {
		return errors.New("not the document of a crate")
	}
	return nil
}

// remoteCrate is what is known of an upstream's crate: lines, in the order of the index, and what the upstream said.
type remoteCrate struct {
	name  string
	lines []decoded
	said  saidCrate
	pulls downloads
}

func (s *server) remoteCrate(
	ctx context.Context, q Request, d, said *upstream.Document, offline bool,
) (c remoteCrate, err error) {
	body, err := d.Bytes(ctx)
	if err == nil {
		body, err = s.offered(ctx, names.Key(q.Name), body, offline)
	}
	if err != nil {
		return c, err
	}
	for raw := range linesOf(body) {
		var l struct {
			decoded
			More map[string][]string `json:"features2"`
		}
		if json.Unmarshal(raw, &l) != nil {
			continue // a form of line that is not known yet
		}
		if l.Features == nil {
			l.Features = map[string][]string{}
		}
		maps.Copy(l.Features, l.More)
		c.lines = append(c.lines, l.decoded)
	}
	if len(c.lines) == 0 {
		return c, notFound("%s has no version that can be shown", q.Name)
	}
	c.name = c.lines[0].Name
	if said == nil {
		return c, nil
	}
	raw, err := said.Bytes(ctx)
	if err == nil {
		err = json.Unmarshal(raw, &c.said)
	}
	return c, err
}

// renderRemote is a document in one of its forms. ErrNotFound for a version that there is not.
func (s *server) renderRemote(d *upstream.Document, c remoteCrate, q Request, form string) (facts, error) {
	if q.Version != "" {
		i := slices.IndexFunc(c.lines, func(l decoded) bool { return l.Vers == q.Version })
		switch {
		case i < 0:
			return nil, d.Lacks(notFound("%s has no version %s", q.Name, q.Version))
		case form == formDependencies:
			return facts{"dependencies": dependenciesOf(c.lines[i])}, nil
		case form == formVersion:
			return facts{"version": s.remoteVersion(c, c.lines[i])}, nil
		}
	}
	if form == formDownloads {
		numbers := map[string]string{}
		for _, l := range c.lines {
			numbers[version.ID(l.Vers)] = l.Vers
		}
		return c.pulls.byDay(c.name, q.Version, numbers), nil
	}
	list, ids := make([]facts, 0, len(c.lines)), make([]any, 0, len(c.lines))
	for _, l := range slices.Backward(c.lines) {
		v := s.remoteVersion(c, l)
		list, ids = append(list, v), append(ids, v["id"])
	}
	if form == formVersions {
		return facts{"versions": list, "meta": facts{"total": len(list), "next_page": nil}}, nil
	}
	out := facts{"crate": s.remoteHead(c, ids), "versions": list}
	for key, value := range map[string]json.RawMessage{"keywords": c.said.Keywords, "categories": c.said.Categories} {
		if len(value) > 0 {
			out[key] = value
		}
	}
	return out, nil
}

// remoteHead is what is said of the crate as a whole.
func (s *server) remoteHead(c remoteCrate, ids []any) facts {
	out := facts{}
	for key, value := range c.said.Crate {
		out[key] = value
	}
	at := s.Path() + "/api/v1/crates/" + c.name
	last := c.lines[len(c.lines)-1]
	highest, stable := latest(c.lines)
	maps.Copy(out, facts{
		"id": c.name, "name": c.name, "max_version": highest, "max_stable_version": orNull(stable),
		"newest_version": last.Vers, "num_versions": len(c.lines), "versions": ids,
		"links": map[string]string{"version_downloads": at + "/downloads", "versions": at + "/versions"},
	})
	if _, said := out["downloads"]; !said {
		out["downloads"], out["recent_downloads"] = c.pulls.all.Total, c.pulls.recent
	}
	if _, said := out["default_version"]; said {
		if out["default_version"] = highest; stable != "" {
			out["default_version"] = stable
		}
	}
	return out
}

// latest is the highest version, and the highest that is no pre-release; those that are yanked count only when there
// is no other.
func latest(lines []decoded) (highest, stable string) {
	var best, bestStable semver.Version
	for _, yanked := range []bool{false, true} {
		for _, l := range lines {
			v, ok := version.Parse(l.Vers)
			if !ok || l.Yanked != yanked {
				continue
			}
			if highest == "" || v.Compare(best) > 0 {
				highest, best = l.Vers, v
			}
			if len(v.Pre) == 0 && (stable == "" || v.Compare(bestStable) > 0) {
				stable, bestStable = l.Vers, v
			}
		}
		if highest != "" {
			return highest, stable
		}
	}
	return lines[len(lines)-1].Vers, stable
}

// remoteVersion is what is said of a version.
func (s *server) remoteVersion(c remoteCrate, l decoded) facts {
	out := facts{"id": idOf(l.Name + " " + l.Vers)}
	for _, said := range c.said.Versions {
		if rawjson.TextOf(said["num"]) == l.Vers {
			for key, value := range said {
				out[key] = value
			}
		}
	}
	at := s.Path() + "/api/v1/crates/" + l.Name + "/" + l.Vers
	maps.Copy(out, facts{
		"crate": l.Name, "num": l.Vers, "dl_path": at + "/download", "features": l.Features, "yanked": l.Yanked,
		"links": map[string]string{"dependencies": at + "/dependencies", "version_downloads": at + "/downloads"},
	})
	delete(out, "readme_path") // it is not copied
	if _, said := out["downloads"]; !said {
		out["downloads"] = c.pulls.of[version.ID(l.Vers)].Total
	}
	for key, value := range map[string]string{
		"checksum": l.Cksum, "lib_links": l.Links, "rust_version": l.RustVersion, "created_at": l.Pubtime,
	} {
		if _, said := out[key]; value != "" && (!said || key == "checksum") {
			out[key] = value
		}
	}
	return out
}
