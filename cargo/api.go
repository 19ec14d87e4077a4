package cargo

// This file shows crates and versions as JSON, in the shapes that tools know from the public registry.

import (
	"context"
	"hash/fnv"
	"net/http"
	"slices"

	"larder/cargo/names"
	"larder/internal/registry"
	"larder/internal/wire"
	"larder/store"
)

// idOf returns the number that documents want for things that have none here. Tools expect it to fit 32 bits.
func idOf(name string) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name)) // never fails
	return h.Sum32()
}

// userEntry is an owner, or whoever published a version. Cargo insists on id and login (Cargo Book, Registry Web API).
type userEntry struct {
	ID     uint32  `json:"id"`
	Login  string  `json:"login"`
	Kind   string  `json:"kind"`
	Name   *string `json:"name"`
	Email  *string `json:"email"`
	Avatar *string `json:"avatar"`
	URL    *string `json:"url"`
}

func userOf(login string) userEntry {
	return userEntry{ID: idOf("user " + login), Login: login, Kind: "user"}
}

// versionEntry is a version.
type versionEntry struct {
	ID            uint32              `json:"id"`
	Crate         string              `json:"crate"`
	Num           string              `json:"num"`
	DLPath        string              `json:"dl_path"`
	ReadmePath    string              `json:"readme_path"`
	Created       string              `json:"created_at"`
	Updated       string              `json:"updated_at"`
	Downloads     int64               `json:"downloads"`
	Features      map[string][]string `json:"features"`
	Yanked        bool                `json:"yanked"`
	YankMessage   *string             `json:"yank_message"`
	LibLinks      *string             `json:"lib_links"`
	License       *string             `json:"license"`
	Links         map[string]string   `json:"links"`
	CrateSize     int64               `json:"crate_size"`
	Unpacked      int64               `json:"unpacked_size"`
	Files         int                 `json:"file_count"`
	PublishedBy   *userEntry          `json:"published_by"`
	AuditActions  []string            `json:"audit_actions"`
	Checksum      string              `json:"checksum"`
	RustVersion   *string             `json:"rust_version"`
	HasLib        bool                `json:"has_lib"`
	ProcMacro     bool                `json:"proc_macro"`
	BuildScript   bool                `json:"build_script"`
	BinNames      []string            `json:"bin_names"`
	Edition       *string             `json:"edition"`
	Description   *string             `json:"description"`
	Homepage      *string             `json:"homepage"`
	Documentation *string             `json:"documentation"`
	Repository    *string             `json:"repository"`
	Authors       []string            `json:"authors"`
	VCSCommit     *string             `json:"vcs_commit"`
	VCSPath       *string             `json:"vcs_path"`
}

// versionOf shows a version by its record and line.
func (s *server) versionOf(v store.Version[Meta], line decoded) versionEntry {
	m := v.Meta
	at := s.Path() + "/api/v1/crates/" + line.Name + "/" + m.Version
	e := versionEntry{
		ID:            idOf(line.Name + " " + m.Version),
		Crate:         line.Name,
		Num:           m.Version,
		DLPath:        at + "/download",
		ReadmePath:    at + "/readme",
		Created:       stamp(v.Published),
		Updated:       stamp(v.Published),
		Features:      line.Features,
		Yanked:        v.Yanked,
		YankMessage:   orNull(v.YankReason),
		LibLinks:      orNull(m.Links),
		License:       orNull(m.License),
		Links:         map[string]string{"dependencies": at + "/dependencies", "version_downloads": at + "/downloads"},
		Unpacked:      m.Unpacked,
		Files:         m.Files,
		AuditActions:  []string{},
		Checksum:      line.Cksum,
		RustVersion:   orNull(m.RustVersion),
		HasLib:        m.Lib,
		ProcMacro:     m.ProcMacro,
		BuildScript:   m.Build,
		BinNames:      orEmpty(m.Bins),
		Edition:       orNull(m.Edition),
		Description:   orNull(m.Description),
		Homepage:      orNull(m.Homepage),
		Documentation: orNull(m.Documentation),
		Repository:    orNull(m.Repository),
		Authors:       orEmpty(m.Authors),
		VCSCommit:     orNull(m.Commit),
		VCSPath:       orNull(m.CommitDir),
	}
	if m.License == "" && m.LicenseFile != "" {
		e.License = orNull("non-standard")
	}
	if len(v.Files) > 0 {
		e.CrateSize = v.Files[0].Size
	}
	if !v.Updated.IsZero() {
		e.Updated = stamp(v.Updated)
	}
	if v.By != "" {
		by := userOf(v.By)
		e.PublishedBy = &by
	}
	return e
}

// getCrate answers with a crate and all its versions.
func (s *server) getCrate(w http.ResponseWriter, r *http.Request, q Request) error {
	return s.sendCrate(w, r, q.Name, formCrate)
}

// getVersions answers with the versions alone.
func (s *server) getVersions(w http.ResponseWriter, r *http.Request, q Request) error {
	return s.sendCrate(w, r, q.Name, formVersions)
}

func (s *server) sendCrate(w http.ResponseWriter, r *http.Request, name, form string) error {
	n, err := s.downloadsOf(r.Context(), name)
	if err != nil {
		return err
	}
	render := func(ctx context.Context, name, _ string) (store.Rendered, error) {
		return s.renderCrate(ctx, name, form, n)
	}
	doc, err := s.document(r.Context(), name, form+n.key(), render)
	if s.TryUpstream(err) {
		return s.proxiedAPI(w, r, Request{Name: name}, form)
	}
	if err != nil {
		return err
	}
	return wire.ServeDocument(w, r, doc, registry.Revalidate(r))
}

// renderCrate makes the document of a crate, or of its versions alone.
func (s *server) renderCrate(ctx context.Context, name, form string, n downloads) (store.Rendered, error) {
	var pkg store.Package
	var sum summary
	var rows []row
	versions := map[string]store.Version[Meta]{}
	err := s.Repo.View(ctx, name, func(tx *store.PackageTx[Meta]) error {
		l, err := tx.Listing()
		if err != nil {
			return err
		}
		if sum, err = summaryOf(l); err != nil {
			return err
		}
		if pkg, err = tx.Package(); err != nil {
			return err
		}
		for v, err := range tx.Versions("") {
			if err != nil {
				return err
			}
			versions[v.ID] = v
		}
		rows, err = readRows(tx)
		return err
	})
	if err == nil {
		err = s.fill(ctx, rows)
	}
	if err != nil {
		return store.Rendered{}, err
	}
	list := make([]versionEntry, 0, len(rows))
	for i := range slices.Backward(rows) {
		line, err := rows[i].decode()
		if err != nil {
			return store.Rendered{}, err
		}
		entry := s.versionOf(versions[rows[i].ID], line)
		entry.Downloads = n.of[rows[i].ID].Total
		list = append(list, entry)
	}
	if form == formVersions {
		return rendered(map[string]any{"versions": list, "meta": map[string]any{"total": len(list), "next_page": nil}})
	}
	h := s.hitOf(sum)
	h.Downloads, h.RecentDownloads = n.all.Total, n.recent
	h.NumVersions, h.Created, h.Updated = len(list), stamp(pkg.Created), stamp(pkg.Updated)
	for _, v := range list {
		h.Versions = append(h.Versions, v.ID)
	}
	return rendered(map[string]any{
		"crate": h, "versions": list,
		"keywords": labels(sum.Keywords, "keyword"), "categories": labels(sum.Categories, "category"),
	})
}

// labels are keywords or categories as objects.
func labels(list []string, key string) []map[string]any {
	out := []map[string]any{}
	for _, s := range list {
		out = append(out, map[string]any{"id": s, "slug": s, key: s, "crates_cnt": 0})
	}
	return out
}

func rendered(v any) (store.Rendered, error) {
	b, err := render(v)
	return store.Rendered{Body: append(b, '\n'), Type: "application/json"}, err
}

// getVersion answers with one version.
func (s *server) getVersion(w http.ResponseWriter, r *http.Request, q Request) error {
	n, err := s.downloadsOf(r.Context(), q.Name)
	if err != nil {
		return err
	}
	render := func(ctx context.Context, name, _ string) (store.Rendered, error) {
		return s.renderVersion(ctx, name, q.Version, n)
	}
	doc, err := s.document(r.Context(), q.Name, formVersion+q.Version+n.key(), render)
	if s.TryUpstream(err) {
		return s.proxiedAPI(w, r, q, formVersion)
	}
	if err != nil {
		return err
	}
	return wire.ServeDocument(w, r, doc, registry.Revalidate(r))
}

func (s *server) renderVersion(ctx context.Context, name, number string, n downloads) (store.Rendered, error) {
	v, line, err := s.version(ctx, name, number)
	if err != nil {
		return store.Rendered{}, err
	}
	entry := s.versionOf(v, line)
	entry.Downloads = n.of[v.ID].Total
	return rendered(map[string]any{"version": entry})
}

// dependencyEntry is one dependency of a version.
type dependencyEntry struct {
	ID              uint32   `json:"id"`
	VersionID       uint32   `json:"version_id"`
	Crate           string   `json:"crate_id"`
	Req             string   `json:"req"`
	Optional        bool     `json:"optional"`
	DefaultFeatures bool     `json:"default_features"`
	Features        []string `json:"features"`
	Target          *string  `json:"target"`
	Kind            string   `json:"kind"`
	Alias           *string  `json:"explicit_name_in_toml"`
	Registry        *string  `json:"registry"`
	Downloads       int      `json:"downloads"`
}

func dependenciesOf(line decoded) []dependencyEntry {
	out := make([]dependencyEntry, 0, len(line.Deps))
	version := line.Name + " " + line.Vers
	for _, d := range line.Deps {
		e := dependencyEntry{
			ID:              idOf(version + " " + d.Name + " " + d.Kind + " " + d.target()),
			VersionID:       idOf(version),
			Crate:           d.on(),
			Req:             d.Req,
			Optional:        d.Optional,
			DefaultFeatures: d.DefaultFeatures,
			Features:        orEmpty(d.Features),
			Target:          d.Target,
			Kind:            d.Kind,
			Registry:        orNull(d.Registry),
		}
		if d.Package != "" {
			e.Alias = orNull(d.Name)
		}
		out = append(out, e)
	}
	return out
}

// dependencies answers with what a version depends on.
func (s *server) dependencies(w http.ResponseWriter, r *http.Request, q Request) error {
	_, line, err := s.version(r.Context(), q.Name, q.Version)
	if s.TryUpstream(err) {
		return s.proxiedAPI(w, r, q, formDependencies)
	}
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", registry.Revalidate(r))
	return wire.JSON(w, http.StatusOK, map[string]any{"dependencies": dependenciesOf(line)})
}

// dependents answers with the crates whose default version depends on this one.
func (s *server) dependents(w http.ResponseWriter, r *http.Request, q Request) error {
	ctx := r.Context()
	if _, err := s.display(ctx, q.Name); err != nil {
		return err
	}
	found, err := s.Find(ctx, store.DependsOn(names.Key(q.Name)))
	if err != nil {
		return err
	}
	page, err := s.page(ctx, found, q)
	if err != nil {
		return err
	}
	deps, versions := []dependencyEntry{}, []versionEntry{}
	for _, sum := range page {
		v, line, err := s.version(ctx, sum.Name, sum.Default)
		if registry.IsOneOf(err, store.ErrNotFound) {
			continue // deleted meanwhile
		}
		if err != nil {
			return err
		}
		n, err := s.downloadsOf(ctx, sum.Name)
		if err != nil {
			return err
		}
		entry := s.versionOf(v, line)
		entry.Downloads = n.of[v.ID].Total
		versions = append(versions, entry)
		for _, d := range dependenciesOf(line) {
			if names.Key(d.Crate) == names.Key(q.Name) && d.Kind != "dev" {
				deps = append(deps, d)
			}
		}
	}
	w.Header().Set("Cache-Control", registry.Revalidate(r))
	return wire.JSON(w, http.StatusOK, map[string]any{
		"dependencies": deps, "versions": versions, "meta": map[string]any{"total": len(found)},
	})
}

// display is a crate's name as it was published; ErrNotFound.
func (s *server) display(ctx context.Context, name string) (display string, err error) {
	err = s.Repo.View(ctx, names.Key(name), func(tx *store.PackageTx[Meta]) error {
		pkg, err := tx.Package()
		display = pkg.Display
		return err
	})
	return display, err
}
