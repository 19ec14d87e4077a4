package npm

// Changing what is published: deprecation, unpublishing, dist-tags, owners, access, stars.

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"larder/auth"
	"larder/internal/problem"
	"larder/internal/rawjson"
	"larder/internal/registry"
	"larder/internal/wire"
	"larder/npm/account"
	"larder/npm/names"
	"larder/npm/putdoc"
	"larder/npm/search"
	"larder/npm/version"
	"larder/store"
)

// done is the answer to a change.
func done(w http.ResponseWriter, status int) error {
	return wire.JSON(w, status, map[string]bool{"ok": true})
}

// deprecate takes the messages from a whole document and nothing else; an empty one removes the message.
func (s *server) deprecate(w http.ResponseWriter, r *http.Request, q Request, body *putdoc.Document) error {
	ctx := r.Context()
	if err := s.May(ctx, auth.Write, q.Name); err != nil {
		return err
	}
	err := s.Repo.Update(ctx, q.Name, func(tx *store.PackageTx[Meta]) error {
		if _, err := tx.Package(); err != nil {
			return err
		}
		for _, sent := range body.Versions {
			if sent.Deprecated == nil {
				continue
			}
			if err := setDeprecated(tx, sent.Key, names.Clip(*sent.Deprecated, putdoc.MaxInline)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return done(w, http.StatusOK)
}

// setDeprecated ignores versions that are not there: a document can be older than the package.
func setDeprecated(tx *store.PackageTx[Meta], version, message string) error {
	v, err := tx.Version(version)
	if errors.Is(err, store.ErrNotFound) || err == nil && v.Meta.Deprecated == message {
		return nil
	}
	if err != nil {
		return err
	}
	v.Meta.Deprecated = message
	if err := tx.Replace(v, store.OpDeprecate); err != nil {
		return err
	}
	return putFragment(tx, v)
}

// putRev is PUT /:pkg/-rev/:rev: the second step of npm unpublish, an owner change, or pnpm's star.
func (s *server) putRev(w http.ResponseWriter, r *http.Request, q Request) error {
	ctx := r.Context()
	body, err := putdoc.Read(&capped{r: r.Body, left: maxDocument}, nil)
	if err != nil {
		return err
	}
	if err := checkNames(body, q.Name); err != nil {
		return err
	}
	switch {
	case body.HasVersions:
		keep := make(map[string]bool, len(body.Versions))
		for _, v := range body.Versions {
			keep[v.Key] = true
		}
		var removed int
		if removed, err = s.removeVersions(ctx, q, keep); err == nil && removed == 0 && body.HasUsers {
			err = s.star(ctx, q.Name, body.Users[wire.IdentityFrom(ctx).User])
		}
	case body.HasMaintainers:
		err = s.setOwners(ctx, q.Name, q.Rev, func([]string) []string { return body.Maintainers })
	default:
		err = problem.Errorf(store.ErrInvalid, "The request changes neither versions nor maintainers.")
	}
	if err != nil {
		return err
	}
	return done(w, http.StatusCreated)
}

// checkRev compares the revision the client has read with the present one.
func checkRev(tx *store.PackageTx[Meta], rev string) (store.Package, error) {
	pkg, err := tx.Package()
	if err != nil {
		return pkg, err
	}
	if now := revOf(pkg); rev != now {
		return pkg, problem.Errorf(store.ErrConflict,
			"The package has changed since it was read (revision %.64q, now %s); try again.", rev, now)
	}
	return pkg, nil
}

// removal is what unpublishing takes away and what latest becomes.
type removal struct {
	versions []string
	latest   string         // where latest moves, "" when it stays
	manifest rawjson.Object // of that version
	record   store.Version[Meta]
}

// removeVersions unpublishes the versions that are not kept, for good: their numbers are never given again.
func (s *server) removeVersions(ctx context.Context, q Request, keep map[string]bool) (int, error) {
	plan, err := s.planRemoval(ctx, q, keep)
	if err != nil || len(plan.versions) == 0 {
		return 0, err
	}
	if err := s.May(ctx, auth.Delete, q.Name); err != nil {
		return 0, err
	}
	return len(plan.versions), s.Repo.Update(ctx, q.Name, func(tx *store.PackageTx[Meta]) error {
		// The revision is that of the plan, so the plan holds.
		if _, err := checkRev(tx, q.Rev); err != nil {
			return err
		}
		for _, id := range plan.versions {
			if err := registry.Drop(tx, indexFragments, id); err != nil {
				return err
			}
		}
		if plan.latest == "" {
			return nil
		}
		if err := tx.SetTag("latest", plan.latest, store.TagCond{}); err != nil {
			return err
		}
		return setListing(tx, plan.manifest, plan.record)
	})
}

// planRemoval reads what the transaction must not: manifests that are in blobs.
func (s *server) planRemoval(ctx context.Context, q Request, keep map[string]bool) (plan removal, err error) {
	var rest []string
	deprecated := map[string]bool{}
	latest := ""
	err = s.Repo.View(ctx, q.Name, func(tx *store.PackageTx[Meta]) error {
		if _, err := checkRev(tx, q.Rev); err != nil {
			return err
		}
		t, err := tx.Tag("latest")
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		latest = t.Version
		for k, row := range tx.Index(indexFragments).Scan(nil, nil) {
			f, err := decodeFragment(k, row)
			if err != nil {
				return err
			}
			if !keep[f.ID] {
				plan.versions = append(plan.versions, f.ID)
				continue
			}
			rest = append(rest, f.ID)
			deprecated[f.ID] = f.Deprecated != ""
		}
		return nil
	})
	if err != nil {
		return plan, err
	}
	if len(rest) == 0 {
		return plan, problem.Errorf(store.ErrInvalid,
			"This would remove every version; unpublish the whole package instead (npm unpublish %s --force).", q.Name)
	}
	if !slices.Contains(plan.versions, latest) {
		return plan, nil
	}
	plan.latest = version.Newest(rest, func(v string) bool { return deprecated[v] })
	plan.manifest, plan.record, err = s.manifestOf(ctx, q.Name, plan.latest)
	return plan, err
}

// manifestOf reads a version's record and manifest.
func (s *server) manifestOf(ctx context.Context, name, id string) (rawjson.Object, store.Version[Meta], error) {
	v, err := s.version(ctx, name, id)
	if err != nil {
		return nil, v, err
	}
	raw, err := s.ReadPart(ctx, v.Meta.Manifest, putdoc.MaxManifest*2)
	if err != nil {
		return nil, v, err
	}
	m, err := rawjson.Parse(raw)
	return m, v, err
}

// unpublish removes a whole package. Others may publish under its name here, its versions are not given again, and no
// upstream is asked for it (see store/names.go).
func (s *server) unpublish(w http.ResponseWriter, r *http.Request, q Request) error {
	err := s.Repo.Update(r.Context(), q.Name, func(tx *store.PackageTx[Meta]) error {
		if _, err := checkRev(tx, q.Rev); err != nil {
			return err
		}
		for id, err := range tx.VersionIDs("") {
			if err != nil {
				return err
			}
			if err := registry.Drop(tx, indexFragments, id); err != nil {
				return err
			}
		}
		for user := range tx.Index(indexStars).Scan(nil, nil) {
			if err := tx.KindIndex(starredTable).Delete(starredKey(string(user), q.Name)); err != nil {
				return err
			}
		}
		if err := freeName(tx); err != nil {
			return err
		}
		return tx.DeletePackage()
	})
	if err != nil {
		return err
	}
	return done(w, http.StatusOK)
}

// freeName gives up the package's place among the names that must not look alike.
func freeName(tx *store.PackageTx[Meta]) error {
	taken := tx.KindIndex(namesTable)
	for _, key := range names.Keys(tx.Name()) {
		if string(taken.Get(key)) == tx.Name() {
			if err := taken.Delete(key); err != nil {
				return err
			}
		}
	}
	return nil
}

// deleteTarball is the last step of unpublishing one version: the version went with the document before, so this only
// confirms it, as often as it is asked.
func (s *server) deleteTarball(w http.ResponseWriter, r *http.Request, q Request) error {
	err := s.Repo.View(r.Context(), q.Name, func(tx *store.PackageTx[Meta]) error {
		id, _, err := tx.File(q.File)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		return problem.Errorf(store.ErrConflict,
			"Version %s still has this tarball; remove the version from the package's document first.", id)
	})
	if err != nil {
		return err
	}
	return done(w, http.StatusOK)
}

// getTags lists the dist-tags.
func (s *server) getTags(w http.ResponseWriter, r *http.Request, q Request) error {
	tags := map[string]string{}
	err := s.Repo.View(r.Context(), q.Name, func(tx *store.PackageTx[Meta]) error {
		if _, err := tx.Package(); err != nil {
			return err
		}
		for t, err := range tx.Tags("") {
			if err != nil {
				return err
			}
			tags[t.Name] = t.Version
		}
		return nil
	})
	if s.TryUpstream(err) {
		tags, err = s.proxiedTags(w, r, q.Name)
	}
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", registry.Revalidate(r))
	return wire.JSON(w, http.StatusOK, tags)
}

// setTag points a dist-tag at a version; the body is the version as a JSON string.
func (s *server) setTag(w http.ResponseWriter, r *http.Request, q Request) error {
	ctx := r.Context()
	raw, err := wire.ReadBody(r, maxSmallBody)
	if err != nil {
		return err
	}
	id := rawjson.TextOf(raw)
	if err := version.Check(id); err != nil {
		return err
	}
	if err := names.CheckTag(q.Tag); err != nil {
		return err
	}
	m, v, err := s.manifestOf(ctx, q.Name, id)
	if err != nil {
		return err
	}
	err = s.Repo.Update(ctx, q.Name, func(tx *store.PackageTx[Meta]) error {
		if err := tx.SetTag(q.Tag, id, store.TagCond{}); err != nil || q.Tag != "latest" {
			return err
		}
		return setListing(tx, m, v)
	})
	if err != nil {
		return err
	}
	return done(w, http.StatusCreated)
}

// deleteTag removes a dist-tag; latest can only be moved.
func (s *server) deleteTag(w http.ResponseWriter, r *http.Request, q Request) error {
	if q.Tag == "latest" {
		return problem.Errorf(store.ErrDenied, "The dist-tag latest cannot be removed; point it at another version instead.")
	}
	err := s.Repo.Update(r.Context(), q.Name, func(tx *store.PackageTx[Meta]) error { return tx.DeleteTag(q.Tag) })
	if err != nil {
		return err
	}
	return done(w, http.StatusOK)
}

// setOwners changes the list; rev "" asks for no particular revision. Nobody can be left out by mistake: yarn 1 sends
// only the new owner, under the revision "undefined", and gets a conflict.
func (s *server) setOwners(ctx context.Context, name, rev string, change func([]string) []string) error {
	return s.Repo.Update(ctx, name, func(tx *store.PackageTx[Meta]) error {
		pkg, err := tx.Package()
		if err == nil && rev != "" {
			pkg, err = checkRev(tx, rev)
		}
		if err != nil {
			return err
		}
		owners := change(slices.Clone(pkg.Owners))
		if len(owners) == 0 {
			return problem.Errorf(store.ErrInvalid, "A package needs an owner; add another one first.")
		}
		for _, o := range owners {
			if err := auth.CheckUserName(o); err != nil {
				return err
			}
		}
		slices.Sort(owners)
		owners = slices.Compact(owners)
		if err := tx.SetPackage(func(p *store.Package) { p.Owners = owners }); err != nil {
			return err
		}
		tx.Tx().Log(store.Entry{Kind: store.NPM, Package: name, Op: opJournalOwners})
		return listOwners(tx, owners)
	})
}

// The words of this package in the journal.
const (
	opJournalOwners store.Op = "owners"
	opJournalAccess store.Op = "access"
)

// addOwner is pnpm's way; npm sends the whole list to /-rev.
func (s *server) addOwner(w http.ResponseWriter, r *http.Request, q Request) error {
	ctx := r.Context()
	o, err := wire.ReadObject(r, maxSmallBody)
	if err != nil {
		return err
	}
	user := o.Text("user")
	if user == "" {
		user = o.Sub("user").Text("name")
	}
	if err := s.account.Knows(ctx, user); err != nil {
		return err
	}
	if err := s.setOwners(ctx, q.Name, "", func(list []string) []string { return append(list, user) }); err != nil {
		return err
	}
	return done(w, http.StatusCreated)
}

func (s *server) removeOwner(w http.ResponseWriter, r *http.Request, q Request) error {
	err := s.setOwners(r.Context(), q.Name, "", func(list []string) []string {
		return slices.DeleteFunc(list, func(o string) bool { return o == q.User })
	})
	if err != nil {
		return err
	}
	return done(w, http.StatusOK)
}

// packageRecord reads a package's own record; ErrNotFound.
func (s *server) packageRecord(ctx context.Context, name string) (pkg store.Package, err error) {
	err = s.Repo.View(ctx, name, func(tx *store.PackageTx[Meta]) error {
		pkg, err = tx.Package()
		return err
	})
	return pkg, err
}

func (s *server) visibility(w http.ResponseWriter, r *http.Request, q Request) error {
	pkg, err := s.packageRecord(r.Context(), q.Name)
	if err != nil {
		return err
	}
	return wire.JSON(w, http.StatusOK, map[string]bool{"public": !pkg.Private})
}

func (s *server) getAccess(w http.ResponseWriter, r *http.Request, q Request) error {
	pkg, err := s.packageRecord(r.Context(), q.Name)
	if err != nil {
		return err
	}
	access := "public"
	if pkg.Private {
		access = "restricted"
	}
	return wire.JSON(w, http.StatusOK, map[string]any{"access": access, "public": !pkg.Private})
}

func (s *server) collaborators(w http.ResponseWriter, r *http.Request, q Request) error {
	pkg, err := s.packageRecord(r.Context(), q.Name)
	if err != nil {
		return err
	}
	list := map[string]string{}
	for _, o := range pkg.Owners {
		list[o] = "write"
	}
	return wire.JSON(w, http.StatusOK, list)
}

// setAccess closes or opens a package. Requests about two-factor publishing change nothing here and are refused.
func (s *server) setAccess(w http.ResponseWriter, r *http.Request, q Request) error {
	o, err := wire.ReadObject(r, maxSmallBody)
	if err != nil {
		return err
	}
	var private bool
	switch o.Text("access") {
	case "public":
	case "restricted", "private":
		private = true
	default:
		return problem.Errorf(store.ErrInvalid,
			"Access is public or restricted; this registry knows no second factor for publishing.")
	}
	err = s.Repo.Update(r.Context(), q.Name, func(tx *store.PackageTx[Meta]) error {
		pkg, err := tx.Package()
		if err != nil || pkg.Private == private {
			return err
		}
		tx.Tx().Log(store.Entry{Kind: store.NPM, Package: q.Name, Op: opJournalAccess, Note: o.Text("access")})
		return tx.SetPackage(func(p *store.Package) {
			p.Private = private
			if user := tx.Tx().Actor().User; len(p.Owners) == 0 && user != "" {
				p.Owners = []string{user}
			}
		})
	})
	if err != nil {
		return err
	}
	return done(w, http.StatusOK)
}

// userPackages lists what a user owns, for npm access list packages.
func (s *server) userPackages(w http.ResponseWriter, r *http.Request, q Request) error {
	ctx := r.Context()
	if err := auth.CheckUserName(q.User); err != nil {
		return problem.Errorf(store.ErrNotFound, "there is no such user")
	}
	found, err := s.Find(ctx, search.OwnedBy(q.User))
	if err != nil {
		return err
	}
	list := map[string]string{}
	for _, m := range found {
		list[m.Name] = "read-write"
	}
	return wire.JSON(w, http.StatusOK, list)
}

// starredTable lists by user what indexStars lists by package.
const starredTable = "starred"

func starredKey(user, name string) []byte { return []byte(user + "\x00" + name) }

// star sets or takes back the star of whoever asks.
func (s *server) star(ctx context.Context, name string, on bool) error {
	id, err := account.Writer(ctx)
	if err != nil {
		return err
	}
	return s.Repo.Update(ctx, name, func(tx *store.PackageTx[Meta]) error {
		if _, err := tx.Package(); err != nil {
			return err
		}
		stars, starred := tx.Index(indexStars), tx.KindIndex(starredTable)
		switch has := stars.Get([]byte(id.User)) != nil; {
		case has == on:
			return nil
		case on:
			return errors.Join(stars.Put([]byte(id.User), []byte{1}), starred.Put(starredKey(id.User, name), []byte{1}))
		}
		return errors.Join(stars.Delete([]byte(id.User)), starred.Delete(starredKey(id.User, name)))
	})
}

// starDocument is the star of npm up to 11: a document with users and nothing else.
func (s *server) starDocument(w http.ResponseWriter, r *http.Request, q Request, body *putdoc.Document) error {
	ctx := r.Context()
	if err := s.star(ctx, q.Name, body.Users[wire.IdentityFrom(ctx).User]); err != nil {
		return err
	}
	return done(w, http.StatusCreated)
}

func (s *server) putStar(w http.ResponseWriter, r *http.Request, q Request) error {
	if err := s.star(r.Context(), q.Name, r.Method == http.MethodPut); err != nil {
		return err
	}
	return done(w, http.StatusOK)
}

// starPing is what pnpm asks before it stars: whether somebody is logged in.
func (s *server) starPing(w http.ResponseWriter, r *http.Request, _ Request) error {
	if _, err := account.Who(r.Context()); err != nil {
		return err
	}
	return done(w, http.StatusOK)
}

// starred lists what a user has starred, in the form of the view CouchDB had.
func (s *server) starred(w http.ResponseWriter, r *http.Request, q Request) error {
	ctx := r.Context()
	var names []string
	err := s.Store.View(ctx, func(tx *store.Tx) error {
		from := starredKey(q.Query, "")
		for k := range s.Repo.KindIndex(tx, starredTable).Scan(from, nil) {
			names = append(names, string(k[len(from):]))
		}
		return nil
	})
	if err != nil {
		return err
	}
	if names, err = registry.Visible(s.View(ctx), names, func(name string) string { return name }); err != nil {
		return err
	}
	rows := []map[string]string{}
	for _, name := range names {
		rows = append(rows, map[string]string{"id": name, "key": q.Query, "value": name})
	}
	return wire.JSON(w, http.StatusOK, map[string]any{"rows": rows})
}
