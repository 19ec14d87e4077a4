package rubygems

// The JSON APIs that bots, dashboards and scripts read. Everything comes from a version's record and its specification.
// A gem and a version are rendered in one way, whichever endpoint shows them.

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"larder/internal/problem"
	"larder/internal/registry"
	"larder/internal/wire"
	"larder/rubygems/archive"
	"larder/rubygems/gemspec"
	"larder/rubygems/names"
	"larder/rubygems/version"
	"larder/store"
)

// timeForm is ISO 8601 with milliseconds.
const timeForm = "2006-01-02T15:04:05.000Z"

// gemJSON is a gem as its latest version shows it. What may be unknown of a copy is left out then.
type gemJSON struct {
	Name             string              `json:"name"`
	Downloads        int64               `json:"downloads"`
	Version          string              `json:"version"`
	VersionCreatedAt string              `json:"version_created_at,omitempty"`
	VersionDownloads int64               `json:"version_downloads"`
	Platform         string              `json:"platform"`
	Authors          string              `json:"authors"`
	Info             string              `json:"info"`
	Licenses         []string            `json:"licenses"`
	Metadata         map[string]string   `json:"metadata"`
	Yanked           bool                `json:"yanked"`
	SHA              string              `json:"sha,omitempty"`
	SpecSHA          string              `json:"spec_sha,omitempty"`
	ProjectURI       string              `json:"project_uri"`
	GemURI           string              `json:"gem_uri"`
	HomepageURI      *string             `json:"homepage_uri"`
	WikiURI          *string             `json:"wiki_uri"`
	DocumentationURI *string             `json:"documentation_uri"`
	MailingListURI   *string             `json:"mailing_list_uri"`
	SourceCodeURI    *string             `json:"source_code_uri"`
	BugTrackerURI    *string             `json:"bug_tracker_uri"`
	ChangelogURI     *string             `json:"changelog_uri"`
	FundingURI       *string             `json:"funding_uri"`
	Dependencies     map[string][]needed `json:"dependencies"`
}

// needed is a dependency in the APIs' form.
type needed struct {
	Name         string `json:"name"`
	Requirements string `json:"requirements"`
}

// versionJSON is a version in a list of them.
type versionJSON struct {
	Authors  string            `json:"authors"`
	Metadata map[string]string `json:"metadata"`
	Platform string            `json:"platform"`
	Licenses []string          `json:"licenses"`
	SHA      string            `json:"sha,omitempty"`
	SpecSHA  string            `json:"spec_sha,omitempty"`
	facts
}

// facts are the members that only versions have.
type facts struct {
	BuiltAt         string   `json:"built_at,omitempty"`
	CreatedAt       string   `json:"created_at,omitempty"`
	Description     string   `json:"description"`
	DownloadsCount  int64    `json:"downloads_count"`
	Number          string   `json:"number"`
	Summary         string   `json:"summary"`
	RubygemsVersion string   `json:"rubygems_version"`
	RubyVersion     string   `json:"ruby_version"`
	Prerelease      bool     `json:"prerelease"`
	Requirements    []string `json:"requirements"`
}

// releaseJSON is one version asked for by its number.
type releaseJSON struct {
	gemJSON
	facts
}

// shown is a version whose specification has been read.
type shown struct {
	name  string
	v     store.Version[Meta]
	spec  *gemspec.Specification
	pulls pulls
}

// pulls is how often a gem was fetched here, and each of its versions.
type pulls struct {
	all int64
	of  map[string]store.Pulls
}

// pullsOf counts the pulls of a gem. A pull changes no gem, so the count is part of what a document is kept under.
func (s *server) pullsOf(ctx context.Context, name string) (pulls, error) {
	all, of, err := s.Store.Pulls(ctx, store.RubyGems, name)
	return pulls{all.Total, of}, err
}

// stamp is a time as the APIs have it; "" for one that is not known.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(timeForm)
}

func (x shown) sha() string {
	if len(x.v.Files) == 0 {
		return ""
	}
	return x.v.Files[0].Digest.Encoded()
}

func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

func (x shown) metadata() map[string]string {
	out := map[string]string{}
	for _, m := range x.spec.Metadata {
		out[m[0]] = m[1]
	}
	return out
}

// uri returns a link of the metadata, nil if there is none.
func (x shown) uri(key string) *string {
	if v := x.spec.Meta(key); v != "" {
		return &v
	}
	return nil
}

func (x shown) gem(base string) gemJSON {
	s := x.spec
	deps := map[string][]needed{"development": {}, "runtime": {}}
	for _, d := range s.Dependencies {
		kind := "runtime"
		if d.Development {
			kind = "development"
		}
		deps[kind] = append(deps[kind], needed{d.Name, d.Requirement.Join(", ")})
	}
	homepage := x.uri("homepage_uri")
	if homepage == nil {
		homepage = s.Homepage
	}
	info := gemspec.Text(s.Description)
	if info == "" {
		info = gemspec.Text(s.Summary)
	}
	return gemJSON{
		Name: x.name, Version: s.Version, Platform: s.Platform, Yanked: x.v.Yanked,
		VersionCreatedAt: stamp(x.v.Published), SHA: x.sha(), SpecSHA: x.v.Meta.SpecSHA,
		Downloads: x.pulls.all, VersionDownloads: x.pulls.of[x.v.ID].Total,
		Authors: strings.Join(s.Authors, ", "), Info: info, Licenses: orEmpty(s.Licenses), Metadata: x.metadata(),
		ProjectURI:  base + "/api/v1/gems/" + x.name + ".json",
		GemURI:      base + "/gems/" + names.FullName(x.name, x.v.ID) + suffixGem,
		HomepageURI: homepage, WikiURI: x.uri("wiki_uri"), DocumentationURI: x.uri("documentation_uri"),
		MailingListURI: x.uri("mailing_list_uri"), SourceCodeURI: x.uri("source_code_uri"),
		BugTrackerURI: x.uri("bug_tracker_uri"), ChangelogURI: x.uri("changelog_uri"), FundingURI: x.uri("funding_uri"),
		Dependencies: deps,
	}
}

func (x shown) version() versionJSON {
	s := x.spec
	built := s.Date
	if built.IsZero() {
		built = x.v.Published
	}
	return versionJSON{
		Authors: strings.Join(s.Authors, ", "), Metadata: x.metadata(), Platform: s.Platform,
		Licenses: orEmpty(s.Licenses), SHA: x.sha(), SpecSHA: x.v.Meta.SpecSHA,
		facts: facts{
			BuiltAt: stamp(built), CreatedAt: stamp(x.v.Published), DownloadsCount: x.pulls.of[x.v.ID].Total,
			Number: s.Version, Prerelease: version.IsPrerelease(s.Version), Requirements: orEmpty(s.Requirements),
			Summary: gemspec.Text(s.Summary), Description: gemspec.Text(s.Description),
			RubygemsVersion: s.RubygemsVersion.Join(", "), RubyVersion: s.RubyVersion.Join(", "),
		},
	}
}

// open reads a version's specification.
func (s *server) open(ctx context.Context, name string, v store.Version[Meta]) (shown, error) {
	x := shown{name: name, v: v, spec: &gemspec.Specification{}}
	raw, err := s.ReadPart(ctx, v.Meta.Spec, archive.MaxMember)
	if err == nil {
		err = json.Unmarshal(raw, x.spec)
	}
	if err != nil {
		return x, fmt.Errorf("specification of %s: %w", names.FullName(name, v.ID), err)
	}
	archive.Disarm(x.spec)
	return x, nil
}

// latestOf returns the version that represents a gem. store.ErrNotFound when all are yanked.
func (s *server) latestOf(ctx context.Context, name string) (x shown, err error) {
	var v store.Version[Meta]
	err = s.Repo.View(ctx, name, func(tx *store.PackageTx[Meta]) error {
		st, err := readState(tx)
		if err != nil {
			return err
		}
		v, err = tx.Version(st.Latest)
		return err
	})
	if err != nil {
		return x, err
	}
	return s.open(ctx, name, v)
}

// document answers with JSON about one gem, which is rendered anew when the gem has changed.
func (s *server) document(
	w http.ResponseWriter, r *http.Request, name, base, form string, value func(ctx context.Context) (any, error),
) error {
	key := store.DocKey{Kind: store.RubyGems, Package: name, Base: base, Format: form}
	doc, err := s.Store.Document(r.Context(), key, func(ctx context.Context) (store.Rendered, error) {
		v, err := value(ctx)
		if err != nil {
			return store.Rendered{}, err
		}
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		err = e.Encode(v)
		return store.Rendered{Body: b.Bytes(), Type: "application/json; charset=utf-8"}, err
	})
	if err != nil {
		return err
	}
	return wire.ServeDocument(w, r, doc, registry.Revalidate(r))
}

// counted is document for what shows how often a gem was fetched, or else that of an upstream in the form.
func (s *server) counted(
	w http.ResponseWriter, r *http.Request, q Request, form string, value func(ctx context.Context, n pulls) (any, error),
) error {
	n, err := s.pullsOf(r.Context(), q.Name)
	if err != nil {
		return err
	}
	key := fmt.Sprintf("%s %s %s\x00%d", form, q.Version, q.Platform, n.all)
	err = s.document(w, r, q.Name, s.URL(r), key, func(ctx context.Context) (any, error) { return value(ctx, n) })
	if s.TryUpstream(err) {
		return s.proxiedAPI(w, r, q, form)
	}
	return err
}

// The forms of documents about a gem.
const (
	formGem      = "gem"
	formVersions = "versions"
	formVersion  = "version"
	formLatest   = "latest"
)

// show is a gem with its latest version.
func (s *server) show(w http.ResponseWriter, r *http.Request, q Request) error {
	base := s.URL(r)
	return s.counted(w, r, q, formGem, func(ctx context.Context, n pulls) (any, error) {
		x, err := s.latestOf(ctx, q.Name)
		x.pulls = n
		return x.gemOr(err, base)
	})
}

func (x shown) gemOr(err error, base string) (any, error) {
	if err != nil {
		return nil, err
	}
	return x.gem(base), nil
}

// releases is the list of a gem's versions, newest first.
func (s *server) releases(w http.ResponseWriter, r *http.Request, q Request) error {
	return s.counted(w, r, q, formVersions, func(ctx context.Context, n pulls) (any, error) {
		var all []store.Version[Meta]
		err := s.Repo.View(ctx, q.Name, func(tx *store.PackageTx[Meta]) error {
			all = all[:0]
			for v, err := range tx.Versions("") {
				if err != nil {
					return err
				}
				if !v.Yanked {
					all = append(all, v)
				}
			}
			return nil
		})
		if err == nil && len(all) == 0 {
			err = problem.Errorf(store.ErrNotFound, "%s has no versions", q.Name)
		}
		if err != nil {
			return nil, err
		}
		slices.SortFunc(all, func(a, b store.Version[Meta]) int { return version.NewerFirst(a.ID, b.ID) })
		out := make([]versionJSON, len(all))
		for i, v := range all {
			x, err := s.open(ctx, q.Name, v)
			if err != nil {
				return nil, err
			}
			x.pulls = n
			out[i] = x.version()
		}
		return out, nil
	})
}

// latest is the number of the version that represents a gem. An unknown gem has the number "unknown", as at the public
// registry.
func (s *server) latest(w http.ResponseWriter, r *http.Request, q Request) error {
	err := s.document(w, r, q.Name, "", formLatest, func(ctx context.Context) (any, error) {
		x, err := s.latestOf(ctx, q.Name)
		return map[string]string{"version": x.v.Meta.Number}, err
	})
	if s.TryUpstream(err) {
		err = s.proxiedAPI(w, r, q, formLatest)
	}
	if errors.Is(err, store.ErrNotFound) {
		w.Header().Set("Cache-Control", registry.Revalidate(r))
		return wire.JSON(w, http.StatusOK, map[string]string{"version": "unknown"})
	}
	return err
}

// release is one version. Without a platform in the request it is the one for all platforms, else the first there is.
func (s *server) release(w http.ResponseWriter, r *http.Request, q Request) error {
	base := s.URL(r)
	return s.counted(w, r, q, formVersion, func(ctx context.Context, n pulls) (any, error) {
		v, err := s.releaseOf(ctx, q)
		if err != nil {
			return nil, err
		}
		x, err := s.open(ctx, q.Name, v)
		if err != nil {
			return nil, err
		}
		x.pulls = n
		return releaseJSON{x.gem(base), x.version().facts}, nil
	})
}

func (s *server) releaseOf(ctx context.Context, q Request) (found store.Version[Meta], err error) {
	err = s.Repo.View(ctx, q.Name, func(tx *store.PackageTx[Meta]) error {
		if q.Platform != "" {
			found, err = tx.Version(version.ID(q.Version, q.Platform))
		} else if found, err = tx.Version(q.Version); registry.IsOneOf(err, store.ErrNotFound) {
			for v, e := range tx.Versions(q.Version + "-") {
				if e != nil {
					return e
				}
				if strings.HasPrefix(v.ID, q.Version+"-") && !v.Yanked {
					found, err = v, nil
				}
				break
			}
		}
		if err == nil && found.Yanked {
			err = problem.Errorf(store.ErrNotFound, "%s is yanked", found.ID)
		}
		return err
	})
	return found, err
}

// Limits of the lists of news.
const (
	maxNews  = 50
	newsRows = 1000 // read for one answer whose request has no window of time
)

// newGems lists the newest gems.
func (s *server) newGems(w http.ResponseWriter, r *http.Request, _ Request) error {
	return s.news(w, r, 'g', Request{})
}

// updated lists the newest versions.
func (s *server) updated(w http.ResponseWriter, r *http.Request, _ Request) error {
	return s.news(w, r, 'v', Request{})
}

// timeframe lists the versions that were published between two times, oldest first, in pages. Mirrors read it.
func (s *server) timeframe(w http.ResponseWriter, r *http.Request, q Request) error {
	return s.news(w, r, 'v', q)
}

// news lists versions ('v') or gems ('g'): a page of q's window of time, or without one the newest.
func (s *server) news(w http.ResponseWriter, r *http.Request, what byte, q Request) error {
	ctx := r.Context()
	var rows [][2]string
	err := s.Store.Heavy(ctx, func() (err error) {
		rows, err = s.newsOf(ctx, what, q)
		return err
	})
	if err != nil {
		return err
	}
	if q.Page > 0 {
		slices.Reverse(rows)
		rows = rows[min(len(rows), (q.Page-1)*pageSize):min(len(rows), q.Page*pageSize)]
	}
	return listed(s, w, r, rows, func(row [2]string) (shown, error) { return s.newsItem(ctx, row) })
}

// listed answers with a list of gems. What was yanked since the rows were read is left out.
func listed[R any](
	s *server, w http.ResponseWriter, r *http.Request, rows []R, open func(R) (shown, error),
) error {
	out, base := []gemJSON{}, s.URL(r)
	for _, row := range rows {
		x, err := open(row)
		if registry.IsOneOf(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if x.pulls, err = s.pullsOf(r.Context(), x.name); err != nil {
			return err
		}
		out = append(out, x.gem(base))
	}
	w.Header().Set("Cache-Control", registry.Revalidate(r))
	return wire.JSON(w, http.StatusOK, out)
}

func (s *server) newsItem(ctx context.Context, row [2]string) (shown, error) {
	if row[1] == "" {
		return s.latestOf(ctx, row[0])
	}
	v, err := s.version(ctx, row[0], row[1])
	if err != nil {
		return shown{}, err
	}
	return s.open(ctx, row[0], v)
}

// newsOf reads gems and versions, newest first.
func (s *server) newsOf(ctx context.Context, what byte, q Request) (rows [][2]string, err error) {
	view := s.View(ctx)
	var after []byte
	if q.Page > 0 {
		after = recentKey(what, q.To.Add(1), "")
	}
	err = s.Store.View(ctx, func(tx *store.Tx) error {
		seen := 0
		for key, row := range s.tablesOf(tx)(recentTable).Scan([]byte{what}, after) {
			t := timeOf(key)
			if seen++; q.Page > 0 && t.Before(q.From) || q.Page == 0 && (len(rows) == maxNews || seen > newsRows) {
				return nil
			}
			name, id, _ := strings.Cut(string(row), "\x00")
			ok, err := view.Sees(name)
			if err != nil {
				return err
			}
			if ok && !(q.Page > 0 && t.After(q.To)) {
				rows = append(rows, [2]string{name, id})
			}
		}
		return nil
	})
	return rows, err
}
