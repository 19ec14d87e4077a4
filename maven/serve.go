package maven

// The repository itself, and reading: files, checksums, metadata, and the lists clients look for at the root.

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"larder/auth"
	"larder/internal/problem"
	"larder/internal/registry"
	"larder/internal/wire"
	"larder/maven/checksum"
	"larder/maven/metadata"
	"larder/maven/names"
	"larder/maven/recent"
	"larder/maven/version"
	"larder/store"
)

// found is a file and what its answer's header needs.
type found struct {
	File     store.File
	Version  string // ID of the version that has it
	Modified time.Time
	Final    bool // it will never have other bytes
}

// find looks a file up; a snapshot's plain name stands for the newest build's file. ErrNotFound.
func (s *server) find(ctx context.Context, name, key string) (found, error) {
	return s.files.Find(name, key, func() (f found, err error) {
		err = s.Repo.View(ctx, name, func(p *store.PackageTx[Meta]) error {
			id, file, err := p.File(key)
			alias := ""
			if errors.Is(err, store.ErrNotFound) {
				if alias, err = aliased(p, key, err); err == nil {
					id, file, err = p.File(alias)
				}
			}
			if err != nil {
				return err
			}
			v, err := p.Version(id)
			if err != nil {
				return err
			}
			final := !v.Meta.Open && alias == "" && (id != v.Meta.Base || !names.IsSnapshot(id) && !s.opt.Redeploy)
			f = found{file, id, modified(v, file.Name), final}
			return nil
		})
		return f, err
	})
}

// aliased is the newest build's file behind a plain -SNAPSHOT name; otherwise the error is missing.
func aliased(p *store.PackageTx[Meta], key string, missing error) (string, error) {
	version, file := names.SplitKey(key)
	_, artifact := names.SplitName(p.Name())
	n := names.SplitFile(artifact, version, file)
	if !names.IsSnapshot(version) || n.Version != version {
		return "", missing
	}
	var row metadata.Newest
	there, err := getRow(p.Index(indexNewest), newestKey(version, n.Classifier, n.Extension()), &row)
	if err == nil && !there {
		err = missing
	}
	return row.File, err
}

// getFile sends the bytes that were put, never encoded.
func (s *server) getFile(w http.ResponseWriter, r *http.Request, q Request) error {
	ctx := r.Context()
	if !strings.HasSuffix(q.File, ".asc") {
		wire.Pulling(ctx, q.Name, q.Version)
	}
	f, err := s.find(ctx, q.Name, q.key())
	ask, uerr := s.tryUpstream(ctx, q, err)
	if uerr != nil {
		return uerr
	}
	if ask {
		err = s.proxiedFile(w, r, q)
		if err == nil {
			return nil
		}
	}
	if errors.Is(err, store.ErrNotFound) {
		return s.redirect(w, r, q, err)
	}
	if err != nil {
		return err
	}
	h := w.Header()
	checksum.Set{MD5: f.File.Sums["md5"], SHA1: f.File.Sums["sha1"], SHA256: f.File.Digest.Encoded()}.Header(h)
	disarm(h, f.File.Type)
	b := store.Blob{Digest: f.File.Digest, Size: f.File.Size}
	return s.SendBlob(w, r, b, wire.BlobHead{
		Type: f.File.Type, Modified: f.Modified, CacheControl: cacheControl(r, f.Final),
	})
}

// Header values that all answers share. They must not be changed.
var (
	sandbox    = []string{"sandbox; default-src 'none'"}
	attachment = []string{"attachment"}
)

// disarm keeps browsers from running what somebody has uploaded.
func disarm(h http.Header, mediaType string) {
	if names.Active(mediaType) {
		h["Content-Security-Policy"], h["Content-Disposition"] = sandbox, attachment
	}
}

// cacheControl is the Cache-Control of an answer; final says that its bytes never change.
func cacheControl(r *http.Request, final bool) string {
	if final {
		return registry.Immutable(r)
	}
	return registry.Revalidate(r)
}

// Formats of documents, beside those of groups.
const formatSnapshot = "snapshot "

// getSnapshot answers with the metadata of a snapshot, or a checksum of it.
func (s *server) getSnapshot(w http.ResponseWriter, r *http.Request, q Request) error {
	key := store.DocKey{Kind: store.Maven, Package: q.Name, Format: formatSnapshot + q.Version}
	doc, err := s.Store.Document(r.Context(), key, func(ctx context.Context) (store.Rendered, error) {
		return s.renderSnapshot(ctx, q)
	})
	ask, uerr := s.tryUpstream(r.Context(), q, err)
	if uerr != nil {
		return uerr
	}
	if ask {
		doc, err = s.joinedSnapshot(w, r, q)
	}
	return s.sendDocument(w, r, q, doc, err)
}

func (s *server) renderSnapshot(ctx context.Context, q Request) (store.Rendered, error) {
	m := &metadata.Snapshot{Group: q.Group, Artifact: q.Artifact, Version: q.Version}
	err := s.Repo.View(ctx, q.Name, func(p *store.PackageTx[Meta]) error {
		there, err := getRow(p.Index(indexBases), q.Version, &m.Base)
		if err == nil && !there {
			err = store.ErrNotFound
		}
		if err != nil {
			return fmt.Errorf("metadata of %s: %w", names.Coordinates(q.Name, q.Version), err)
		}
		m.Files = nil
		for key, row := range p.Index(indexNewest).Scan([]byte(q.Version+"\x00"), nil) {
			f := metadata.File{}
			parts := strings.Split(string(key), "\x00")
			if len(parts) != 3 || json.Unmarshal(row, &f.Newest) != nil {
				return fmt.Errorf("row %q: %w", key, store.ErrFormat)
			}
			f.Classifier, f.Ext = parts[1], parts[2]
			m.Files = append(m.Files, f)
		}
		return nil
	})
	if err != nil {
		return store.Rendered{}, err
	}
	return store.Rendered{Body: m.Render(), Type: names.TypeXML, Modified: time.Unix(m.Base.Updated, 0)}, nil
}

// getMetadata answers with the metadata of an artifact, of a group, or of both if the path means both. Each part is
// only shown to clients that may read what it is about.
func (s *server) getMetadata(w http.ResponseWriter, r *http.Request, q Request) error {
	ctx := r.Context()
	denied := error(nil)
	if q.Group != "" {
		denied = s.May(ctx, auth.Read, q.Name)
	} else {
		wire.Asked(ctx) // only a group can have this path, and each of its plugins is asked for by itself
	}
	plugins, err := s.plugins(ctx, q)
	if err != nil {
		return err
	}
	if s.joins(ctx, q) && (denied == nil || len(plugins) > 0) {
		doc, err := s.joined(w, r, q, denied == nil, plugins)
		return s.sendDocument(w, r, q, doc, err)
	}
	if len(plugins) == 0 && denied != nil {
		return denied
	}
	format := "metadata"
	if denied != nil {
		format = "plugins"
	}
	for _, p := range plugins {
		format += " " + p.Artifact
	}
	key := store.DocKey{Kind: store.Maven, Package: q.Name, Format: format}
	doc, err := s.Store.Document(ctx, key, func(ctx context.Context) (store.Rendered, error) {
		return s.renderMetadata(ctx, q, denied == nil, plugins)
	})
	return s.sendDocument(w, r, q, doc, err)
}

// plugins are those of the path's group that the request may know of.
func (s *server) plugins(ctx context.Context, q Request) ([]metadata.Plugin, error) {
	all, err := s.groups.Get(q.Name, "", func() (all []metadata.Plugin, err error) {
		err = s.Repo.View(ctx, q.Name, func(p *store.PackageTx[Meta]) error {
			all, err = pluginRows(p)
			return err
		})
		return all, err
	})
	if err != nil || len(all) == 0 {
		return nil, err
	}
	group := strings.TrimPrefix(q.Group+"."+q.Artifact, ".")
	return slices.DeleteFunc(slices.Clone(all), func(p metadata.Plugin) bool {
		return s.May(ctx, auth.Read, names.PackageName(group, p.Artifact)) != nil
	}), nil
}

func pluginRows(p *store.PackageTx[Meta]) (all []metadata.Plugin, err error) {
	for key, row := range p.Index(indexPlugins).Scan(nil, nil) {
		one := metadata.Plugin{Artifact: string(key)}
		if err := json.Unmarshal(row, &one); err != nil {
			return nil, fmt.Errorf("row %q: %w", key, store.ErrFormat)
		}
		all = append(all, one)
	}
	return all, nil
}

// renderMetadata reads everything from one snapshot; of plugins only those that may be shown.
func (s *server) renderMetadata(
	ctx context.Context, q Request, artifact bool, shown []metadata.Plugin,
) (store.Rendered, error) {
	m := &metadata.Artifact{Group: q.Group, Artifact: q.Artifact}
	if err := s.readMetadata(ctx, q, artifact, shown, m); err != nil {
		return store.Rendered{}, err
	}
	if len(m.Versions) == 0 && len(m.Plugins) == 0 {
		return store.Rendered{}, fmt.Errorf("metadata of %s: %w", q.Name, store.ErrNotFound)
	}
	version.Sort(m.Versions)
	out := store.Rendered{Body: m.Render(), Type: names.TypeXML}
	if len(m.Plugins) == 0 {
		out.Modified = time.Unix(m.State.Updated, 0)
	}
	return out, nil
}

// readMetadata reads into m what is here.
func (s *server) readMetadata(
	ctx context.Context, q Request, artifact bool, shown []metadata.Plugin, m *metadata.Artifact,
) error {
	return s.Repo.View(ctx, q.Name, func(p *store.PackageTx[Meta]) error {
		all, err := pluginRows(p)
		if err != nil {
			return err
		}
		m.Plugins = slices.DeleteFunc(all, func(p metadata.Plugin) bool {
			return !slices.ContainsFunc(shown, func(q metadata.Plugin) bool { return q.Artifact == p.Artifact })
		})
		m.Versions = nil
		if artifact {
			for v := range p.Index(indexVersions).Scan(nil, nil) {
				m.Versions = append(m.Versions, string(v))
			}
		}
		_, err = getRow(p.Index(indexState), "", &m.State)
		return err
	})
}

// sendDocument sends a metadata document, or the checksum of the one this client got a moment ago.
func (s *server) sendDocument(w http.ResponseWriter, r *http.Request, q Request, doc *store.Document, err error) error {
	conn, client := recipients(r)
	if q.Sum != "" {
		if sums, ok := s.sent.Find(q.Path, conn, client); ok {
			return sendSum(w, r, sums.Get(q.Sum), time.Time{}, cacheControl(r, false))
		}
	}
	if err != nil {
		return err
	}
	body, err := doc.Encoded(store.Identity)
	if err != nil {
		return err
	}
	sums, err := s.docSums.Get(q.Name, doc.ETag, func() (checksum.Set, error) { return checksum.Of(body), nil })
	if err != nil {
		return err
	}
	if q.Sum != "" {
		return sendSum(w, r, sums.Get(q.Sum), doc.Modified, cacheControl(r, false))
	}
	s.sent.Add(sums, q.Path, conn, client)
	sums.Header(w.Header())
	w.Header()["Content-Security-Policy"] = sandbox
	for _, name := range []string{"Range", "If-Unmodified-Since", "If-Match"} {
		if r.Header.Get(name) == "" {
			continue
		}
		// Rare, and only right for the bytes as they are; under the tag they have without a condition, too.
		head := wire.BlobHead{
			Digest: digest.Digest(strings.Trim(doc.ETag, `"`)), Type: doc.Type, Modified: doc.Modified,
			CacheControl: cacheControl(r, false),
		}
		return wire.ServeBytes(w, r, body, head)
	}
	return wire.ServeDocument(w, r, doc, cacheControl(r, false))
}

// recipients are the names under which a document is remembered: the connection it went to, and the client, for those
// who ask again on another connection or through a proxy.
func recipients(r *http.Request) (conn, client recent.Recipient) {
	a := store.ActorFrom(r.Context())
	return recent.Recipient{Conn: r.RemoteAddr}, recent.Recipient{User: a.User, Addr: a.Addr, Agent: a.Agent}
}

// prefixes lists the paths below which there is something. A list that is wrong makes the rest unreachable, so whoever
// may not read all of it gets none, and nobody gets one where upstreams have what cannot be listed.
func (s *server) prefixes(w http.ResponseWriter, r *http.Request, q Request) error {
	ctx := r.Context()
	none := problem.Errorf(store.ErrNotFound, "this repository has no list of prefixes")
	if s.Up != nil {
		return none
	}
	view := s.View(ctx)
	var lines, artifacts []string
	err := s.Store.View(ctx, func(tx *store.Tx) error {
		lines, artifacts = nil, nil
		for key := range s.Repo.KindIndex(tx, kindPrefixes).Scan(nil, nil) {
			line, name, _ := strings.Cut(string(key), "\x00")
			if artifacts = append(artifacts, name); len(lines) == 0 || lines[len(lines)-1] != line {
				lines = append(lines, line)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if len(lines) == 0 || len(lines) > maxPrefixes {
		return none
	}
	for _, name := range artifacts {
		if sees, err := view.Sees(name); err != nil || !sees {
			return cmp.Or(err, none)
		}
	}
	return sendList(w, r, q, metadata.Prefixes(lines), names.TypeText)
}

// maxPrefixes is the most lines clients read.
const maxPrefixes = 100_000

// send answers with a small document that is rendered for the request.
func send(w http.ResponseWriter, r *http.Request, body []byte, mediaType string) error {
	head := wire.BlobHead{Digest: digest.FromBytes(body), Type: mediaType, CacheControl: cacheControl(r, false)}
	return wire.ServeBytes(w, r, body, head)
}

// archetypes answers with the archetypes whoever asks may read.
func (s *server) archetypes(w http.ResponseWriter, r *http.Request, q Request) error {
	ctx := r.Context()
	view := s.View(ctx)
	var entries []metadata.Archetype
	err := s.Store.View(ctx, func(tx *store.Tx) error {
		entries = nil
		for key, text := range s.Repo.KindIndex(tx, kindArchetypes).Scan(nil, nil) {
			name, version, _ := strings.Cut(string(key), "\x00")
			group, artifact := names.SplitName(name)
			entries = append(entries, metadata.Archetype{
				Group: group, Artifact: artifact, Version: version, Description: string(text),
			})
		}
		return nil
	})
	if err != nil {
		return err
	}
	entries, err = registry.Visible(view, entries, func(e metadata.Archetype) string {
		return names.PackageName(e.Group, e.Artifact)
	})
	if err != nil {
		return err
	}
	return sendList(w, r, q, metadata.Archetypes(entries), names.TypeXML)
}

// sendList sends a list of the root, or a checksum of it.
func sendList(w http.ResponseWriter, r *http.Request, q Request, body []byte, mediaType string) error {
	sums := checksum.Of(body)
	if q.Sum != "" {
		return sendSum(w, r, sums.Get(q.Sum), time.Time{}, cacheControl(r, false))
	}
	sums.Header(w.Header())
	w.Header()["Content-Security-Policy"] = sandbox
	return send(w, r, body, mediaType)
}
