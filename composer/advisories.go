package composer

// composer audit, answered from advisories that an operator loads, which PUT /api/advisories replaces all, and for what
// is not ours from those of upstreams (audit.go). No name of a package of ours leaves the house.

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"larder/composer/manifest"
	"larder/composer/names"
	"larder/composer/version"
	"larder/internal/advisory"
	"larder/internal/problem"
	"larder/internal/rawjson"
	"larder/internal/registry"
	"larder/internal/wire"
	"larder/store"
)

// advised is one element of the array an operator loads, and of the answers, as the public registry has it.
type advised struct {
	ID         string          `json:"advisoryId"`
	Package    string          `json:"packageName"`
	RemoteID   string          `json:"remoteId,omitempty"`
	Title      string          `json:"title"`
	Link       *string         `json:"link"`
	CVE        *string         `json:"cve"`
	Affected   string          `json:"affectedVersions"`
	Source     string          `json:"source,omitempty"`
	Reported   string          `json:"reportedAt"`
	Repository string          `json:"composerRepository,omitempty"`
	Severity   *string         `json:"severity"`
	Sources    []advisedSource `json:"sources"`
	// Malware has Composer 2.10 and later refuse the versions, also when they are installed from a lock file.
	Malware bool `json:"malware,omitempty"`
}

type advisedSource struct {
	Name     string `json:"name"`
	RemoteID string `json:"remoteId"`
}

// UnmarshalJSON brings an advisory into one form: clients print its texts and parse its time.
func (a *advised) UnmarshalJSON(raw []byte) error {
	type plain advised
	if err := json.Unmarshal(raw, (*plain)(a)); err != nil {
		return err
	}
	for _, s := range []*string{
		&a.ID, &a.RemoteID, &a.Title, &a.Affected, &a.Source, &a.Reported, &a.Repository, a.Link, a.CVE, a.Severity,
	} {
		if s != nil {
			*s = manifest.Clean(*s)
		}
	}
	for i := range a.Sources {
		a.Sources[i] = advisedSource{manifest.Clean(a.Sources[i].Name), manifest.Clean(a.Sources[i].RemoteID)}
	}
	if a.Sources == nil {
		a.Sources = []advisedSource{}
	}
	if n, err := names.Parse(a.Package); err == nil {
		a.Package = n
	}
	if t := manifest.Time(a.Reported); t != "" {
		a.Reported = t
	}
	return nil
}

// About implements advisory.Advisory.
func (a advised) About() string { return a.Package }

// Fault implements advisory.Advisory.
func (a advised) Fault() string {
	switch _, err := names.Parse(a.Package); {
	case err != nil:
		return fmt.Sprintf("packageName %.80q is not a package name.", a.Package)
	case !version.IsConstraint(a.Affected):
		return fmt.Sprintf("affectedVersions %.80q is not a constraint like \">=1.0,<1.2.3|2.0.0\".", a.Affected)
	case a.ID == "" || a.Title == "":
		return "it needs an advisoryId and a title."
	case manifest.Time(a.Reported) == "":
		return fmt.Sprintf("reportedAt %.80q is not a date and time.", a.Reported)
	case a.Link != nil && *a.Link != "" && manifest.WebURL(*a.Link) == "":
		return fmt.Sprintf("link %.80q is not an http or https address.", *a.Link)
	}
	return ""
}

// restamp moves a package's document of releases on, if there is the package: its advisories stand there too.
func (s *server) restamp(tx *store.Tx, name string) error {
	return s.Repo.In(tx, name, func(tx *store.PackageTx[Meta]) error {
		if _, err := tx.Package(); err != nil {
			if registry.IsOneOf(err, store.ErrNotFound) {
				return nil
			}
			return err
		}
		// Written below the package, so that its generation moves as well.
		now := tx.Tx().Now().UTC().Format(time.RFC3339Nano)
		if err := tx.Index(indexState).Put([]byte(stateAdvisories), []byte(now)); err != nil {
			return err
		}
		tx.Tx().Log(store.Entry{Kind: store.Composer, Package: name, Op: advisory.OpLoad})
		return stamp(tx, false)
	})
}

// partial is what a package's document says of an advisory.
func (a advised) partial() json.RawMessage {
	out := rawjson.AppendPair([]byte{'{'}, "advisoryId", a.ID)
	return append(rawjson.AppendMember(out, "affectedVersions", a.Affected), '}')
}

// listMalware is the list of versions that must not be installed, as documents name it.
const listMalware = "malware"

// entry is what a package's document says of a version that must not be installed.
func (a advised) entry() json.RawMessage {
	out := rawjson.AppendMember(rawjson.AppendPair([]byte{'{'}, "constraint", a.Affected), "reason", a.Title)
	if a.Link != nil {
		out = rawjson.AppendMember(out, "url", *a.Link)
	}
	return append(rawjson.AppendMember(out, "id", a.ID), '}')
}

// getFilter answers filter-summary.json: for whom a look at its document is worth while, before an install from a lock
// file.
func (s *server) getFilter(w http.ResponseWriter, r *http.Request, _ Request) error {
	return s.serveWhole(w, r, "filter", func(ctx context.Context, view registry.View) ([]byte, error) {
		found, err := s.advisories(ctx, view, nil, 0)
		if err != nil {
			return nil, err
		}
		malware := map[string]string{}
		for name, list := range found {
			var affected []string
			for _, a := range list {
				if a.Malware {
					affected = append(affected, a.Affected)
				}
			}
			if affected != nil {
				malware[name] = strings.Join(affected, "||")
			}
		}
		return json.Marshal(map[string]any{"filter": map[string]any{listMalware: malware}})
	})
}

// audit answers composer audit: packages by name, or everything since a time. A name that is known and has no
// advisories has an empty list, one that is not known, or not for the client, is absent.
func (s *server) audit(w http.ResponseWriter, r *http.Request, q Request) error {
	ctx := r.Context()
	view := s.View(ctx)
	names := q.Packages
	if r.Method == http.MethodPost {
		raw, err := wire.ReadBody(r, maxForm)
		if err != nil {
			return err
		}
		form, err := url.ParseQuery(string(raw))
		if err != nil {
			return problem.Wrap(err, store.ErrInvalid, "The request's body is not a form.")
		}
		names = append(names, packagesOf(form)...)
	}
	switch {
	case len(names) > maxListParameter:
		return problem.Errorf(store.ErrTooLarge, "An audit has at most %d packages.", maxListParameter)
	case len(names) == 0 && q.Since < 0:
		return problem.Errorf(store.ErrInvalid, "The request names neither packages nor updatedSince.")
	}
	theirs, err := s.theirs(ctx, view, names)
	if err != nil {
		return err
	}
	var found map[string][]advised
	err = s.Store.Heavy(ctx, func() (err error) {
		found, err = s.advisories(ctx, view, names, q.Since)
		return err
	})
	if err != nil {
		return err
	}
	for name, list := range theirs {
		addAdvisories(found, name, list)
	}
	w.Header().Set("Cache-Control", registry.Revalidate(r))
	return wire.JSON(w, http.StatusOK, map[string]any{"advisories": found})
}

// advisories are those of packages, of all when there are no names, that were reported since a time.
func (s *server) advisories(
	ctx context.Context, view registry.View, names []string, since int64,
) (map[string][]advised, error) {
	found := map[string][]advised{}
	var list []advised
	var err error
	if len(names) > 0 {
		names = valid(names)
		list, err = s.advised.Of(ctx, names)
	} else {
		list, err = s.advised.All(ctx)
	}
	if err != nil {
		return nil, err
	}
	for _, a := range list {
		if t, err := time.Parse(time.RFC3339, a.Reported); err != nil || t.Unix() >= since {
			found[a.Package] = append(found[a.Package], a)
		}
	}
	known, err := s.known(ctx, names)
	if err != nil {
		return nil, err
	}
	for _, name := range known {
		if found[name] == nil {
			found[name] = []advised{}
		}
	}
	for name := range found {
		ok, err := view.Sees(name)
		if err != nil {
			return nil, err
		}
		if !ok {
			delete(found, name)
		}
	}
	return found, nil
}

// valid are the names of packages in list, in their one spelling.
func valid(list []string) (out []string) {
	for _, name := range list {
		if n, err := names.Parse(name); err == nil {
			out = append(out, n)
		}
	}
	return out
}

// known are the packages among names that are here.
func (s *server) known(ctx context.Context, names []string) (out []string, err error) {
	err = s.Store.View(ctx, func(tx *store.Tx) error {
		out = nil
		for _, name := range names {
			err := s.Repo.In(tx, name, func(tx *store.PackageTx[Meta]) error {
				_, err := tx.Package()
				return err
			})
			switch {
			case err == nil:
				out = append(out, name)
			case !registry.IsOneOf(err, store.ErrNotFound):
				return err
			}
		}
		return nil
	})
	return out, err
}
