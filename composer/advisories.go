package composer

// composer audit, answered from advisories that an operator loads: PUT /api/advisories replaces them all. Nothing is asked
// of anybody else, so no name of a private package leaves the house.

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"larder/composer/semver"
	"larder/internal/wire"
	"larder/store"
)

// advisory is one element of the array an operator loads, and of the answers, as the public registry has it.
type advisory struct {
	ID         string           `json:"advisoryId"`
	Package    string           `json:"packageName"`
	RemoteID   string           `json:"remoteId,omitempty"`
	Title      string           `json:"title"`
	Link       *string          `json:"link"`
	CVE        *string          `json:"cve"`
	Affected   string           `json:"affectedVersions"`
	Source     string           `json:"source,omitempty"`
	Reported   string           `json:"reportedAt"`
	Repository string           `json:"composerRepository,omitempty"`
	Severity   *string          `json:"severity"`
	Sources    []advisorySource `json:"sources"`
}

type advisorySource struct {
	Name     string `json:"name"`
	RemoteID string `json:"remoteId"`
}

const (
	advisoryTable = "advisories" // package 0x00 number → advisory
	maxAdvisories = 64 << 20     // bytes of the array
)

// check brings an advisory into one form, or says what is wrong with it.
func (a *advisory) check(i int) (err error) {
	wrong := func(format string, args ...any) error {
		return wire.Errorf(store.ErrInvalid, "Advisory %d: %s", i, fmt.Sprintf(format, args...))
	}
	for _, s := range []*string{&a.ID, &a.Title, &a.Affected, a.Link, a.CVE, a.Severity} {
		if s != nil {
			*s = clean(*s)
		}
	}
	if a.Package, err = parseName(a.Package); err != nil {
		return wrong("packageName is not a package name.")
	}
	switch reported, ok := timeForm(a.Reported); {
	case !semver.IsConstraint(a.Affected):
		return wrong("affectedVersions %.80q is not a constraint like \">=1.0,<1.2.3|2.0.0\".", a.Affected)
	case a.ID == "" || a.Title == "":
		return wrong("it needs an advisoryId and a title.")
	case !ok || reported == nil:
		return wrong("reportedAt %.80q is not a date and time.", a.Reported)
	case a.Link != nil && *a.Link != "" && webURL(*a.Link) == "":
		return wrong("link %.80q is not an http or https address.", *a.Link)
	default:
		a.Reported = reported.(string)
	}
	if a.Sources == nil {
		a.Sources = []advisorySource{}
	}
	return nil
}

// readAdvisories takes an array, or the answer of another registry: lists by package.
func readAdvisories(raw []byte) (list []advisory, err error) {
	var answer struct {
		Advisories map[string][]advisory `json:"advisories"`
	}
	if json.Unmarshal(raw, &list) != nil {
		list = nil
		if json.Unmarshal(raw, &answer) != nil || answer.Advisories == nil {
			return nil, wire.Errorf(store.ErrInvalid, "The advisories are neither a JSON array of objects nor an object with advisories by package.")
		}
		for _, name := range slices.Sorted(maps.Keys(answer.Advisories)) {
			list = append(list, answer.Advisories[name]...)
		}
	}
	for i := range list {
		if err := list[i].check(i); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// setAdvisories replaces all advisories.
func (s *server) setAdvisories(w http.ResponseWriter, r *http.Request, _ Request) error {
	raw, err := wire.ReadBody(r, maxAdvisories)
	if err != nil {
		return err
	}
	list, err := readAdvisories(raw)
	if err != nil {
		return err
	}
	rows := map[string][]byte{}
	for i, a := range list {
		b, err := json.Marshal(a)
		if err != nil {
			return err
		}
		rows[a.Package+"\x00"+fmt.Sprintf("%06d", i)] = b
	}
	if err := s.store.Update(r.Context(), func(tx *store.Tx) error { return s.replaceAdvisories(tx, rows) }); err != nil {
		return err
	}
	return wire.JSON(w, http.StatusOK, map[string]int{"advisories": len(list)})
}

// replaceAdvisories writes the rows, and moves on the documents of the packages whose advisories are others now.
func (s *server) replaceAdvisories(tx *store.Tx, rows map[string][]byte) error {
	table := s.repo.KindIndex(tx, advisoryTable)
	old, now := map[string][]string{}, map[string][]string{}
	for k, v := range table.Scan(nil, nil) {
		name, _, _ := strings.Cut(string(k), "\x00")
		old[name] = append(old[name], string(v))
		if err := table.Delete(bytes.Clone(k)); err != nil {
			return err
		}
	}
	for _, k := range slices.Sorted(maps.Keys(rows)) {
		name, _, _ := strings.Cut(k, "\x00")
		now[name] = append(now[name], string(rows[k]))
		if err := table.Put([]byte(k), rows[k]); err != nil {
			return err
		}
	}
	for name := range maps.Keys(old) {
		if _, ok := now[name]; !ok {
			now[name] = nil
		}
	}
	for name, list := range now {
		if !slices.Equal(old[name], list) {
			if err := s.repo.In(tx, name, restamp); err != nil {
				return err
			}
		}
	}
	tx.Log(store.Entry{Kind: store.Composer, Op: "advisories", Note: strconv.Itoa(len(rows)) + " advisories loaded"})
	return nil
}

// restamp moves a package's document of releases on, if there is the package.
func restamp(tx *store.PackageTx[Meta]) error {
	if _, err := tx.Package(); err != nil {
		if isOneOf(err, store.ErrNotFound) {
			return nil
		}
		return err
	}
	// Written below the package, so that its generation moves as well.
	if err := tx.Index(indexState).Put([]byte(stateAdvisories), []byte(tx.Tx().Now().UTC().Format(time.RFC3339Nano))); err != nil {
		return err
	}
	return stamp(tx, false)
}

// getAdvisories shows what is loaded, in the form it was loaded in.
func (s *server) getAdvisories(w http.ResponseWriter, r *http.Request, _ Request) error {
	list := []json.RawMessage{}
	err := s.store.View(r.Context(), func(tx *store.Tx) error {
		for _, v := range s.repo.KindIndex(tx, advisoryTable).Scan(nil, nil) {
			list = append(list, bytes.Clone(v))
		}
		return nil
	})
	if err != nil {
		return err
	}
	return wire.JSON(w, http.StatusOK, list)
}

// partialAdvisories are what a package's document says of its advisories.
func partialAdvisories(tx *store.PackageTx[Meta]) (out []json.RawMessage, err error) {
	for _, v := range tx.KindIndex(advisoryTable).Scan([]byte(tx.Name()+"\x00"), nil) {
		var a advisory
		if err := json.Unmarshal(v, &a); err != nil {
			return nil, fmt.Errorf("advisory of %s: %w", tx.Name(), err)
		}
		one := appendMember(append(appendMember([]byte{'{'}, "advisoryId", a.ID), ','), "affectedVersions", a.Affected)
		out = append(out, append(one, '}'))
	}
	return out, nil
}

// audit answers composer audit: packages by name, or everything since a time. A name that is known and has no advisories has
// an empty list, one that is not known, or not for whoever asks, is absent.
func (s *server) audit(w http.ResponseWriter, r *http.Request, q Request) error {
	ctx := r.Context()
	if err := s.mayList(ctx); err != nil {
		return err
	}
	names := q.Packages
	if r.Method == http.MethodPost {
		raw, err := wire.ReadBody(r, maxManifest)
		if err != nil {
			return err
		}
		form, err := url.ParseQuery(string(raw))
		if err != nil {
			return wire.Errorf(store.ErrInvalid, "The request's body is not a form.")
		}
		names = append(names, packagesOf(form)...)
	}
	switch {
	case len(names) > maxListParameter:
		return wire.Errorf(store.ErrTooLarge, "An audit has at most %d packages.", maxListParameter)
	case len(names) == 0 && q.Since < 0:
		return wire.Errorf(store.ErrInvalid, "The request names neither packages nor updatedSince.")
	}
	found, err := s.advisories(ctx, names, max(q.Since, 0))
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", revalidate(r))
	return wire.JSON(w, http.StatusOK, map[string]any{"advisories": found})
}

// advisories reads those of packages, of all when there are no names, that were reported since a time.
func (s *server) advisories(ctx context.Context, names []string, since int64) (map[string][]json.RawMessage, error) {
	found := map[string][]json.RawMessage{}
	err := s.store.View(ctx, func(tx *store.Tx) error {
		if len(names) == 0 {
			return s.scanAdvisories(tx, nil, since, found)
		}
		for _, name := range names {
			name, err := parseName(name)
			if err != nil {
				continue
			}
			err = s.repo.In(tx, name, func(tx *store.PackageTx[Meta]) error {
				_, err := tx.Package()
				return err
			})
			switch {
			case err == nil:
				found[name] = []json.RawMessage{}
			case !isOneOf(err, store.ErrNotFound):
				return err
			}
			if err := s.scanAdvisories(tx, []byte(name+"\x00"), since, found); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for name := range found {
		ok, err := s.readable(ctx, name)
		if err != nil {
			return nil, err
		}
		if !ok {
			delete(found, name)
		}
	}
	return found, nil
}

func (s *server) scanAdvisories(tx *store.Tx, prefix []byte, since int64, into map[string][]json.RawMessage) error {
	for k, v := range s.repo.KindIndex(tx, advisoryTable).Scan(prefix, nil) {
		name, _, _ := strings.Cut(string(k), "\x00")
		var a struct {
			Reported string `json:"reportedAt"`
		}
		if err := json.Unmarshal(v, &a); err != nil {
			return fmt.Errorf("advisory of %s: %w", name, err)
		}
		if t, err := time.Parse(time.RFC3339, a.Reported); err == nil && t.Unix() < since {
			continue
		}
		into[name] = append(into[name], bytes.Clone(v))
	}
	return nil
}
