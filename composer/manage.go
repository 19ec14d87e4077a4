package composer

// Changing what is published: deletion of versions and packages, settings; and the feed of changes for mirrors.

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"larder/composer/names"
	"larder/composer/version"
	"larder/internal/problem"
	"larder/internal/rawjson"
	"larder/internal/registry"
	"larder/internal/wire"
	"larder/store"
)

// deleteVersion takes a version out of documents and lists. Its archive stays for the lock files that name it, unless
// the request says purge: then the bytes go, and the number of a release is never given again.
func (s *server) deleteVersion(w http.ResponseWriter, r *http.Request, q Request) error {
	normalized, ok := version.Parse(q.Version)
	if !ok {
		return problem.Errorf(store.ErrNotFound, "there is no such version")
	}
	err := s.Repo.Update(r.Context(), q.Name, func(tx *store.PackageTx[Meta]) error {
		if err := hide(tx, normalized); err != nil && !(q.Purge && errors.Is(err, store.ErrNotFound)) {
			return err
		}
		if q.Purge {
			if err := purge(tx, normalized); err != nil {
				return err
			}
		}
		return relist(tx)
	})
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// hide takes a version out of the documents; ErrNotFound when it is in none.
func hide(tx *store.PackageTx[Meta], normalized string) error {
	table := tx.Index(tableOf(normalized))
	if table.Get([]byte(normalized)) == nil {
		return problem.Errorf(store.ErrNotFound, "there is no such version")
	}
	if err := table.Delete([]byte(normalized)); err != nil {
		return err
	}
	dev := version.IsDev(normalized)
	if err := stamp(tx, dev); err != nil {
		return err
	}
	if dev {
		return tx.DeleteTag(normalized)
	}
	v, err := tx.Version(normalized)
	if err != nil {
		return err
	}
	v.Yanked = true
	return tx.Replace(v, store.OpYank)
}

// purge removes a version's records, of a branch those of all its states; ErrNotFound when there are none.
func purge(tx *store.PackageTx[Meta], normalized string) error {
	if !version.IsDev(normalized) {
		return tx.Delete(normalized, true)
	}
	var states []string
	for id, err := range tx.VersionIDs(normalized + "#") {
		if err != nil {
			return err
		}
		if !strings.HasPrefix(id, normalized+"#") {
			break
		}
		states = append(states, id)
	}
	if len(states) == 0 {
		return problem.Errorf(store.ErrNotFound, "there is no such version")
	}
	for _, id := range states {
		if err := tx.Delete(id, false); err != nil {
			return err
		}
	}
	return nil
}

// deletePackage hides every version, or with purge removes all there is of a package.
func (s *server) deletePackage(w http.ResponseWriter, r *http.Request, q Request) error {
	err := s.Repo.Update(r.Context(), q.Name, func(tx *store.PackageTx[Meta]) error {
		if _, err := tx.Package(); err != nil {
			return err
		}
		shown := versionsShown(tx)
		for _, id := range shown {
			if err := hide(tx, id); err != nil {
				return err
			}
		}
		switch {
		case q.Purge:
			return purgePackage(tx)
		case len(shown) == 0:
			return problem.Errorf(store.ErrNotFound, "there is no such package")
		}
		return tx.SetListing(nil)
	})
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// versionsShown are those that documents have.
func versionsShown(tx *store.PackageTx[Meta]) (out []string) {
	for _, table := range []string{indexReleases, indexBranches} {
		for k := range tx.Index(table).Scan(nil, nil) {
			out = append(out, string(k))
		}
	}
	return out
}

func purgePackage(tx *store.PackageTx[Meta]) error {
	var ids []string
	for id, err := range tx.VersionIDs("") {
		if err != nil {
			return err
		}
		ids = append(ids, id)
	}
	for _, id := range ids {
		if err := tx.Delete(id, !strings.Contains(id, "#")); err != nil {
			return err
		}
	}
	if err := tx.Tx().Table(downloadsTable).Delete([]byte(tx.Name())); err != nil {
		return err
	}
	return tx.DeletePackage()
}

// settings is what can be said of a package as a whole. A field that is absent stays as it is.
type settings struct {
	Private *bool    `json:"private,omitempty"`
	Owners  []string `json:"owners,omitempty"` // only answered
	// Abandoned is true or the name of what to use instead, false to take back what versions say of themselves.
	Abandoned json.RawMessage `json:"abandoned,omitempty"`
}

func (s *server) getSettings(w http.ResponseWriter, r *http.Request, q Request) error {
	var now settings
	err := s.Repo.View(r.Context(), q.Name, func(tx *store.PackageTx[Meta]) error {
		pkg, err := tx.Package()
		now = settings{Private: &pkg.Private, Owners: pkg.Owners, Abandoned: abandonedState(tx)}
		return err
	})
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", registry.Revalidate(r))
	return wire.JSON(w, http.StatusOK, now)
}

// opJournalSettings is this package's word in the journal.
const opJournalSettings store.Op = "settings"

func (s *server) setSettings(w http.ResponseWriter, r *http.Request, q Request) error {
	raw, err := wire.ReadBody(r, maxSmallBody)
	if err != nil {
		return err
	}
	var asked settings
	if json.Unmarshal(raw, &asked) != nil || asked.Owners != nil {
		return problem.Errorf(
			store.ErrInvalid,
			"Settings are an object with private (true or false) and abandoned (true, false or the name of a package).",
		)
	}
	if asked.Abandoned, err = abandonedSetting(asked.Abandoned); err != nil {
		return err
	}
	err = s.Repo.Update(r.Context(), q.Name, func(tx *store.PackageTx[Meta]) error { return asked.apply(tx) })
	if err != nil {
		return err
	}
	return s.getSettings(w, r, q)
}

// abandonedSetting is the one spelling of a setting, nil for one that is absent.
func abandonedSetting(raw json.RawMessage) (json.RawMessage, error) {
	switch string(raw) {
	case "", "true", "false":
		return raw, nil
	}
	name, err := names.Parse(rawjson.TextOf(raw))
	return rawjson.Quote(name), err
}

func (a settings) apply(tx *store.PackageTx[Meta]) error {
	pkg, err := tx.Package()
	if err != nil {
		return err
	}
	note := []string{}
	if a.Private != nil && *a.Private != pkg.Private {
		if err := tx.SetPackage(func(p *store.Package) { p.Private = *a.Private }); err != nil {
			return err
		}
		note = append(note, map[bool]string{true: "private", false: "public"}[*a.Private])
	}
	if a.Abandoned != nil && string(a.Abandoned) != string(abandonedState(tx)) {
		if err := tx.Index(indexState).Put([]byte(stateAbandoned), a.Abandoned); err != nil {
			return err
		}
		for _, branches := range []bool{false, true} {
			if err := stamp(tx, branches); err != nil {
				return err
			}
		}
		if err := relist(tx); err != nil {
			return err
		}
		note = append(note, "abandoned: "+string(a.Abandoned))
	}
	if len(note) > 0 {
		tx.Tx().Log(store.Entry{
			Kind: store.Composer, Package: tx.Name(), Op: opJournalSettings, Note: strings.Join(note, ", "),
		})
	}
	return nil
}

// The feed looks back so far, and over so many entries of the journal.
const (
	feedSpan    = 24 * time.Hour
	feedEntries = 20_000
)

// change is one line of the feed.
type change struct {
	Type    string `json:"type"`
	Package string `json:"package"`
	Time    int64  `json:"time"`
}

// getChanges tells mirrors which documents have changed. Its clock is the public registry's: a second has 10,000 ticks.
func (s *server) getChanges(w http.ResponseWriter, r *http.Request, q Request) error {
	ctx := r.Context()
	view := s.View(ctx)
	// Before the journal is read: what is written meanwhile is told next time.
	now := ticks(time.Now())
	w.Header().Set("Cache-Control", registry.Revalidate(r))
	if q.Since < 0 {
		return wire.JSON(
			w, http.StatusBadRequest,
			map[string]any{"error": "The parameter since is missing; begin with the time given here.", "timestamp": now},
		)
	}
	actions, complete, err := s.changes(ctx, view, q.Since)
	if err != nil {
		return err
	}
	if !complete {
		actions = []change{{"resync", "*", now / changesPerSecond}}
	}
	return wire.JSON(w, http.StatusOK, map[string]any{"actions": actions, "timestamp": now})
}

func ticks(t time.Time) int64 { return t.UnixMicro() / (1_000_000 / changesPerSecond) }

// changes reads the journal back to a time; false when it does not reach that far.
func (s *server) changes(
	ctx context.Context, view registry.View, since int64,
) (out []change, complete bool, err error) {
	out = []change{}
	if since < ticks(time.Now().Add(-feedSpan)) {
		return out, false, nil
	}
	tail, err := s.Store.JournalTail(ctx, feedEntries)
	if err != nil {
		return out, false, err
	}
	told := map[string]bool{}
	for _, e := range tail {
		if ticks(e.Time) < since {
			return out, true, nil
		}
		for _, c := range changesOf(e) {
			if told[c.Package] {
				continue
			}
			told[c.Package] = true
			ok, err := view.Sees(e.Package)
			if err != nil {
				return out, false, err
			}
			if ok {
				out = append(out, c)
			}
		}
	}
	return out, len(tail) < feedEntries, nil
}

// changesOf says which documents an entry of the journal has changed.
func changesOf(e store.Entry) []change {
	if e.Kind != store.Composer || e.Package == "" {
		return nil
	}
	release, branch := change{"update", e.Package, e.Time.Unix()}, change{"update", e.Package + "~dev", e.Time.Unix()}
	switch e.Op {
	case store.OpDeletePackage:
		release.Type, branch.Type = "delete", "delete"
		return []change{release, branch}
	case opJournalSettings:
		return []change{release, branch}
	case store.OpTag, store.OpUntag:
		return []change{branch}
	}
	if strings.Contains(e.Version, "#") {
		// The tag's own entry tells of it.
		return nil
	}
	return []change{release}
}
