package pypi

// Changing what is there: yanking, deleting, status. No client has commands for these; they are for curl and user
// interfaces. A deleted file's name stays taken, because lockfiles and caches expect its old bytes.

import (
	"fmt"
	"net/http"
	"slices"

	"larder/auth"
	"larder/internal/problem"
	"larder/internal/rawjson"
	"larder/internal/wire"
	"larder/pypi/simple"
	"larder/store"
)

// opProjectStatus is the journal's operation for a change of a project's marker.
const opProjectStatus store.Op = "status"

// yank hides a release, or one file of it, from everybody who does not ask for that very version.
func (s *server) yank(w http.ResponseWriter, r *http.Request, q Request) error {
	reason, err := readReason(r, nil)
	if err != nil {
		return err
	}
	return s.setYanked(w, r, q, true, reason)
}

// unyank shows again what yank has hidden.
func (s *server) unyank(w http.ResponseWriter, r *http.Request, q Request) error {
	return s.setYanked(w, r, q, false, "")
}

func (s *server) setYanked(w http.ResponseWriter, r *http.Request, q Request, yanked bool, reason string) error {
	set := func(flag *bool, why *string) { *flag, *why = yanked, reason }
	action, op := "unyank", store.OpUnyank
	if yanked {
		action, op = "yank", store.OpYank
	}
	return s.change(w, r, q, func(tx *store.PackageTx[Meta], v *store.Version[Meta]) error {
		if q.File == "" {
			action += " release"
			set(&v.Yanked, &v.YankReason)
		} else {
			action += " file " + q.File
			a := v.Meta.find(q.File)
			set(&a.Yanked, &a.YankReason)
		}
		if err := tx.Replace(*v, op); err != nil {
			return err
		}
		if err := rewrite(tx, v); err != nil {
			return err
		}
		return note(tx, v.ID, action)
	})
}

// change runs fn on the release a request is about, or on that of its file.
func (s *server) change(
	w http.ResponseWriter, r *http.Request, q Request, fn func(*store.PackageTx[Meta], *store.Version[Meta]) error,
) error {
	isAdmin := s.May(r.Context(), auth.Admin, q.Name)
	err := s.Repo.Update(r.Context(), q.Name, func(tx *store.PackageTx[Meta]) error {
		if err := sealed(tx, isAdmin); err != nil {
			return err
		}
		v, err := releaseFor(tx, q)
		if err != nil {
			return err
		}
		return fn(tx, &v)
	})
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// sealed is isAdmin for a project in quarantine: who uploaded something bad must neither make it vanish nor begin anew.
func sealed(tx *store.PackageTx[Meta], isAdmin error) error {
	st, err := statusOf(tx)
	if err != nil || !st.Quarantined() {
		return err
	}
	return isAdmin
}

// releaseFor finds the release by version or file; ErrNotFound. A file that is found is in its Meta.
func releaseFor(tx *store.PackageTx[Meta], q Request) (store.Version[Meta], error) {
	id := ""
	if q.File != "" {
		version, _, err := tx.File(q.File)
		if err != nil {
			return store.Version[Meta]{}, err
		}
		id = version
	} else {
		rel, _, err := releaseOf(tx, q.Version)
		if err != nil {
			return store.Version[Meta]{}, err
		}
		id = rel.ID
	}
	v, err := tx.Version(id)
	if err == nil && q.File != "" && v.Meta.find(q.File) == nil {
		err = fmt.Errorf("release %s lost file %s: %w", id, q.File, store.ErrNotFound)
	}
	return v, err
}

// rewrite derives the rows of a release anew, and which release is the latest.
func rewrite(tx *store.PackageTx[Meta], v *store.Version[Meta]) error {
	for i := range v.Meta.Files {
		if err := putRow(tx, v, &v.Meta.Files[i]); err != nil {
			return err
		}
	}
	rel, key, err := releaseOf(tx, v.ID)
	if err != nil {
		return err
	}
	rel.Yanked = yanked(v)
	if err := putJSON(tx.Index(indexReleases), key, rel); err != nil {
		return err
	}
	return electLatest(tx)
}

// electLatest looks at all releases; only what takes something away needs it.
func electLatest(tx *store.PackageTx[Meta]) error {
	var best release
	found := false
	for _, value := range tx.Index(indexReleases).Scan(nil, nil) {
		rel, err := decodeRelease(value)
		if err != nil {
			return err
		}
		if !found || best.before(rel) {
			best, found = rel, true
		}
	}
	if found {
		return setLatest(tx, best)
	}
	if err := tx.Index(indexProject).Delete([]byte(keyLatest)); err != nil {
		return err
	}
	return tx.SetListing(nil)
}

// deleteFile removes a file for good; with its last file goes the release.
func (s *server) deleteFile(w http.ResponseWriter, r *http.Request, q Request) error {
	return s.change(w, r, q, func(tx *store.PackageTx[Meta], v *store.Version[Meta]) error {
		a := *v.Meta.find(q.File)
		if len(v.Meta.Files) == 1 {
			return removeRelease(tx, v, "remove file "+a.Name, "remove release")
		}
		if err := removeFile(tx, &a); err != nil {
			return err
		}
		v.Meta.Files = slices.DeleteFunc(
			slices.Clone(v.Meta.Files), func(other artifact) bool { return other.Name == a.Name },
		)
		v.Files = v.Meta.files()
		if err := tx.Replace(*v, store.OpDelete); err != nil {
			return err
		}
		if err := rewrite(tx, v); err != nil {
			return err
		}
		return note(tx, v.ID, "remove file "+a.Name)
	})
}

// removeFile takes a file's row away and leaves a tombstone.
func removeFile(tx *store.PackageTx[Meta], a *artifact) error {
	t := tombstone{Digest: a.Digest, Time: tx.Tx().Now(), By: tx.Tx().Actor().User}
	if err := putJSON(tx.KindIndex(tableGone), goneKey(tx.Name(), a.Name), t); err != nil {
		return err
	}
	key, err := keyOf(a)
	if err != nil {
		return err
	}
	return tx.Index(indexFiles).Delete(key)
}

// deleteVersion removes a release with all its files.
func (s *server) deleteVersion(w http.ResponseWriter, r *http.Request, q Request) error {
	return s.change(w, r, q, func(tx *store.PackageTx[Meta], v *store.Version[Meta]) error {
		return removeRelease(tx, v, "remove release")
	})
}

func removeRelease(tx *store.PackageTx[Meta], v *store.Version[Meta], actions ...string) error {
	for i := range v.Meta.Files {
		if err := removeFile(tx, &v.Meta.Files[i]); err != nil {
			return err
		}
	}
	_, key, err := releaseOf(tx, v.ID)
	if err != nil {
		return err
	}
	if err := tx.Delete(v.ID, false); err != nil {
		return err
	}
	if err := tx.Index(indexReleases).Delete(key); err != nil {
		return err
	}
	if err := electLatest(tx); err != nil {
		return err
	}
	return note(tx, v.ID, actions...)
}

// deleteProject removes a project; the names of its files stay taken.
func (s *server) deleteProject(w http.ResponseWriter, r *http.Request, q Request) error {
	isAdmin := s.May(r.Context(), auth.Admin, q.Name)
	err := s.Repo.Update(r.Context(), q.Name, func(tx *store.PackageTx[Meta]) error {
		if err := sealed(tx, isAdmin); err != nil {
			return err
		}
		for v, err := range tx.Versions("") {
			if err != nil {
				return err
			}
			for i := range v.Meta.Files {
				if err := removeFile(tx, &v.Meta.Files[i]); err != nil {
					return err
				}
			}
		}
		if err := tx.DeletePackage(); err != nil {
			return err
		}
		return note(tx, "", "remove project")
	})
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// setStatus sets a project's marker (PEP 792). Quarantine is an administrator's to impose and to lift.
func (s *server) setStatus(w http.ResponseWriter, r *http.Request, q Request) error {
	ctx := r.Context()
	var next simple.Status
	var err error
	if next.Reason, err = readReason(r, &next.Status); err != nil {
		return err
	}
	if !slices.Contains([]string{simple.Active, simple.Archived, simple.Quarantined, simple.Deprecated}, next.Status) {
		return problem.Errorf(
			store.ErrInvalid, "The status is %.40q, not active, archived, deprecated or quarantined.", next.Status,
		)
	}
	isAdmin := s.May(ctx, auth.Admin, q.Name)
	err = s.Repo.Update(ctx, q.Name, func(tx *store.PackageTx[Meta]) error {
		if _, err := tx.Package(); err != nil {
			return err
		}
		now, err := statusOf(tx)
		if err != nil {
			return err
		}
		if isAdmin != nil && (now.Quarantined() || next.Quarantined()) {
			return isAdmin
		}
		if err := putJSON(tx.Index(indexProject), []byte(keyStatus), next); err != nil {
			return err
		}
		tx.Tx().Log(store.Entry{Kind: store.PyPI, Package: q.Name, Op: opProjectStatus, Note: next.Status})
		return note(tx, "", "status "+next.Status)
	})
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// forget lets a deleted file's name be used again.
func (s *server) forget(w http.ResponseWriter, r *http.Request, q Request) error {
	err := s.Repo.Update(r.Context(), q.Name, func(tx *store.PackageTx[Meta]) error {
		gone, key := tx.KindIndex(tableGone), goneKey(q.Name, q.File)
		if gone.Get(key) == nil {
			return problem.Errorf(store.ErrNotFound, "no tombstone of %s", q.File)
		}
		tx.Tx().Log(store.Entry{Kind: store.PyPI, Package: q.Name, Op: "forget", Note: q.File})
		return gone.Delete(key)
	})
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// readReason reads a body {"reason": …, "status": …}; no body is no reason.
func readReason(r *http.Request, status *string) (string, error) {
	raw, err := wire.ReadBody(r, maxSmallBody)
	if err != nil || len(raw) == 0 && status == nil {
		return "", err
	}
	o, err := rawjson.Parse(raw)
	if err != nil {
		return "", err
	}
	if status != nil {
		*status = o.Text("status")
	}
	return o.Text("reason"), checkReason(o.Text("reason"))
}
