package oci

// Lists: tags, referrers, tag histories, repositories, searches and extensions.

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/go-digest"

	"larder/auth"
	"larder/internal/problem"
	"larder/internal/registry"
	"larder/internal/wire"
	"larder/oci/manifest"
	"larder/store"
)

// tags is end-8.
func (s *server) tags(w http.ResponseWriter, r *http.Request, q Request) error {
	if q.from.up != nil {
		return s.proxiedTags(w, r, q)
	}
	n := pageSize(q.N, maxPage)
	list := tagList{Name: cmp.Or(q.Asked, q.Name), Tags: []string{}}
	more := false
	err := s.Repo.View(r.Context(), q.Name, func(p *store.PackageTx[Meta]) error {
		if _, err := p.Package(); err != nil || n == 0 {
			return err
		}
		for t, err := range p.Tags(q.Last) {
			if err != nil {
				return err
			}
			if more = len(list.Tags) == n; more {
				break
			}
			list.Tags = append(list.Tags, t.Name)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if more {
		s.setNext(w.Header(), "oci.tags", q, n, list.Tags[n-1])
	}
	return writeList(w, list)
}

// pageSize is n, or def when the client gave none.
func pageSize(n, def int) int {
	if n < 0 {
		return def
	}
	return n
}

// writeList answers with a document that changes whenever somebody pushes.
func writeList(w http.ResponseWriter, v any) error {
	w.Header().Set("Cache-Control", "no-cache")
	return wire.JSON(w, http.StatusOK, v)
}

// referrersPage is one page of the referrers of a digest.
type referrersPage struct {
	descriptors []json.RawMessage
	more        bool
	last        string // digest of the last entry looked at
}

// referrers is end-12. It is never a 404: a digest that nothing refers to has an empty list.
func (s *server) referrers(w http.ResponseWriter, r *http.Request, q Request) error {
	if q.from.up != nil {
		return s.proxiedReferrers(w, r, q)
	}
	if err := s.requireKnown(r, q.Name); err != nil {
		return err
	}
	page, err := s.referrersOf(r.Context(), q)
	if err != nil {
		return err
	}
	if page.more {
		s.setNext(w.Header(), "oci.referrers", q, pageSize(q.N, maxPage), page.last)
	}
	return writeIndex(w, q.Types, page.descriptors)
}

// requireKnown makes an anonymous request for an unknown repository fail, as it does for a hidden one. The list would
// be empty otherwise.
func (s *server) requireKnown(r *http.Request, name string) error {
	if !hasCredentials(r) && !s.known(r.Context(), name) {
		return problem.Errorf(store.ErrNotFound, "repository %s is not known", name)
	}
	return nil
}

// known reports whether the repository exists.
func (s *server) known(ctx context.Context, name string) bool {
	return s.Repo.View(ctx, name, func(p *store.PackageTx[Meta]) error {
		_, err := p.Package()
		return err
	}) == nil
}

// writeIndex answers with an image index; types is the filter that was applied to it.
func writeIndex(w http.ResponseWriter, types []string, descriptors []json.RawMessage) error {
	if len(types) > 0 {
		w.Header().Set("OCI-Filters-Applied", "artifactType")
	}
	w.Header().Set("Content-Type", manifest.TypeIndex)
	return writeList(w, newIndex(descriptors))
}

// referrersOf reads one page. The last page also has what a fallback tag lists and no row knows.
func (s *server) referrersOf(ctx context.Context, q Request) (page referrersPage, err error) {
	n := pageSize(q.N, maxPage)
	var large []int // descriptors whose annotations are in their manifest only
	var rows []manifestRow
	var digests []digest.Digest
	var fallback manifestRow
	err = s.Repo.View(ctx, q.Name, func(p *store.PackageTx[Meta]) error {
		page, large, rows, digests = referrersPage{}, nil, nil, nil
		total := 0
		for k, v := range p.Index(indexReferrers).Scan(referrerKey(q.Digest, ""), lastReferrer(q)) {
			d := digest.Digest(k[len(q.Digest)+1:])
			kind, descriptor := v[0], v[1:]
			if !q.wants(typeOf(descriptor)) {
				continue
			}
			m, _ := decodeManifestRow(p.Index(indexManifests).Get([]byte(d)))
			cost := len(descriptor)
			if kind == referrerLarge {
				cost = int(m.size)
			}
			if n == len(page.descriptors) || (total > 0 && total+cost > maxPageBytes) {
				page.more = n > 0
				break
			}
			if kind == referrerLarge {
				large, rows, digests = append(large, len(page.descriptors)), append(rows, m), append(digests, d)
			}
			total += cost
			page.descriptors = append(page.descriptors, bytes.Clone(descriptor))
			page.last = d.String()
		}
		if t, err := p.Tag(manifest.FallbackTag(q.Digest)); err == nil {
			fallback, _ = decodeManifestRow(p.Index(indexManifests).Get([]byte(t.Version)))
		}
		return nil
	})
	if err != nil {
		return page, err
	}
	for i, at := range large {
		m, err := s.readManifest(ctx, rows[i])
		if err != nil {
			return page, err
		}
		if page.descriptors[at], err = encodeDescriptor(m.Descriptor(digests[i], rows[i].size)); err != nil {
			return page, err
		}
	}
	if page.more || n == 0 || (fallback.mediaType != manifest.TypeIndex && fallback.mediaType != manifest.TypeDockerList) {
		return page, nil
	}
	return page, s.addFallback(ctx, q, fallback, &page)
}

// The first byte of a referrers row: the whole descriptor, or one without its annotations, which are too large for a
// record.
const (
	referrerWhole = 'w'
	referrerLarge = 'l'

	maxReferrerRow = 16 << 10
)

func referrerKey(subject, d digest.Digest) []byte {
	return []byte(subject.String() + "\x00" + d.String())
}

func lastReferrer(q Request) []byte {
	if q.Last == "" {
		return nil
	}
	return referrerKey(q.Digest, digest.Digest(q.Last))
}

// encodeReferrer is the row of a manifest that has a subject.
func encodeReferrer(m *manifest.Manifest, d digest.Digest, size int64) ([]byte, error) {
	desc := m.Descriptor(d, size)
	b, err := encodeDescriptor(desc)
	if err != nil || len(b) <= maxReferrerRow {
		return append([]byte{referrerWhole}, b...), err
	}
	desc.Annotations = nil
	b, err = encodeDescriptor(desc)
	return append([]byte{referrerLarge}, b...), err
}

// typeOf is the artifactType of a descriptor, "" without one.
func typeOf(descriptor []byte) string {
	var d struct {
		ArtifactType string `json:"artifactType"`
	}
	if json.Unmarshal(descriptor, &d) != nil {
		return ""
	}
	return d.ArtifactType
}

// wants applies the artifactType filter; several values mean any of them.
func (q Request) wants(artifactType string) bool {
	for _, t := range q.Types {
		if t == artifactType {
			return true
		}
	}
	return len(q.Types) == 0
}

// readManifest reads and parses a stored manifest.
func (s *server) readManifest(ctx context.Context, row manifestRow) (manifest.Manifest, error) {
	body, err := s.Store.ReadBlob(ctx, row.blob, row.size)
	if err != nil {
		return manifest.Manifest{}, err
	}
	return manifest.ParseKept(row.mediaType, body)
}

// maxFallback bounds how many manifests of a fallback tag are read for one request.
const maxFallback = 1000

// addFallback adds what an index under the fallback tag lists: clients keep it for manifests whose subject was not
// acknowledged with OCI-Subject. Only the digests are taken from it, everything else from the manifests.
func (s *server) addFallback(ctx context.Context, q Request, tag manifestRow, page *referrersPage) error {
	index, err := s.readManifest(ctx, tag)
	if err != nil {
		return err
	}
	found := map[digest.Digest]manifestRow{}
	var order []digest.Digest
	err = s.Repo.View(ctx, q.Name, func(p *store.PackageTx[Meta]) error {
		order = order[:0]
		for _, c := range index.Children[:min(len(index.Children), maxFallback)] {
			if p.Index(indexReferrers).Get(referrerKey(q.Digest, c.Digest)) != nil {
				continue
			}
			if m, ok := decodeManifestRow(p.Index(indexManifests).Get([]byte(c.Digest))); ok {
				if _, twice := found[c.Digest]; !twice {
					order = append(order, c.Digest)
				}
				found[c.Digest] = m
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, d := range order {
		m, err := s.readManifest(ctx, found[d])
		if err != nil || m.Subject == nil || m.Subject.Digest != q.Digest || !q.wants(m.EffectiveType()) {
			continue // the tag claims what the manifest does not say
		}
		b, err := encodeDescriptor(m.Descriptor(d, found[d].size))
		if err != nil {
			return err
		}
		page.descriptors = append(page.descriptors, b)
	}
	return nil
}

// history is the tag history of distribution-spec #606, newest first. It survives the tag and its manifests.
func (s *server) history(w http.ResponseWriter, r *http.Request, q Request) error {
	if err := s.requireKnown(r, q.Name); err != nil {
		return err
	}
	events, more, err := s.events(r.Context(), q)
	if err != nil {
		return err
	}
	descriptors := make([]json.RawMessage, len(events))
	for i, e := range events {
		if descriptors[i], err = encodeDescriptor(historyOf(e).descriptor()); err != nil {
			return err
		}
	}
	if more {
		s.setNext(w.Header(), "oci.tag.history", q, len(events), strconv.FormatUint(events[len(events)-1].Seq, 10))
	}
	return writeIndex(w, nil, descriptors)
}

func historyOf(e store.TagEvent) historyEvent {
	return historyEvent{
		time: e.Time, event: e.Event, digest: digest.Digest(e.Version),
		row: manifestRow{size: e.Size, blob: e.Digest, mediaType: e.Type},
	}
}

// defaultHistory is how many entries a history shows when the client names no number.
const defaultHistory = 100

func (s *server) events(ctx context.Context, q Request) (events []store.TagEvent, more bool, err error) {
	before, err := parseTime(q.Before)
	if err != nil {
		return nil, false, err
	}
	since, err := parseTime(q.Since)
	if err != nil {
		return nil, false, err
	}
	last, err := strconv.ParseUint(q.Last, 10, 64)
	if q.Last != "" && err != nil {
		return nil, false, faultf(codePaginationInvalid, problem.ErrBadPath, "last is not an entry of this history")
	}
	n := pageSize(q.N, defaultHistory)
	err = s.Repo.View(ctx, q.Name, func(p *store.PackageTx[Meta]) error {
		for e, err := range p.TagHistory(q.Tag) {
			switch {
			case err != nil:
				return err
			case q.Last != "" && e.Seq >= last, !before.IsZero() && !e.Time.Before(before):
				continue
			case !since.IsZero() && e.Time.Before(since):
				return nil
			case q.Digest != "" && e.Version != q.Digest.String():
				continue
			}
			if len(events) == n {
				more = n > 0
				return nil
			}
			events = append(events, e)
		}
		return nil
	})
	return events, more, err
}

// visible collects up to n repositories after after that keep accepts and the client may pull.
func (s *server) visible(
	r *http.Request, after string, n int, keep func(name string) (ok, stop bool),
) (out []repository, more bool, err error) {
	view := s.ViewAs(r.Context(), wire.IdentityFrom(r.Context()).Credential())
	err = s.Store.Heavy(r.Context(), func() error {
		out, more, err = s.walk(r.Context(), view, after, n, keep)
		return err
	})
	return out, more, err
}

// walk reads the repositories in their order; it ends when the client leaves.
func (s *server) walk(
	ctx context.Context, view registry.View, after string, n int, keep func(name string) (ok, stop bool),
) (out []repository, more bool, err error) {
	const batch = 256
	for n > 0 && ctx.Err() == nil {
		page, last, err := s.repositoriesAfter(ctx, after, batch, keep)
		if err != nil {
			return nil, false, err
		}
		for _, p := range page {
			ok, err := view.Sees(p.right)
			switch {
			case err != nil:
				return nil, false, err
			case !ok:
				continue
			case len(out) == n:
				return out, true, nil
			}
			out = append(out, p)
		}
		if last == "" {
			break
		}
		after = last
	}
	return out, false, ctx.Err()
}

// repository is one in a list. right is the name that the right to read it is about.
type repository struct {
	store.Package
	right string
	copy  bool
}

// repositoriesAfter are some repositories that keep accepts in the order of their names, published here or copies. last
// is the name behind which there may be more, "" when there are none.
func (s *server) repositoriesAfter(
	ctx context.Context, after string, n int, keep func(name string) (ok, stop bool),
) (list []repository, last string, err error) {
	packages, err := s.Repo.PackagesNamed(ctx, after, n, keep)
	if err != nil {
		return nil, "", err
	}
	own, byName := make([]store.Match, len(packages)), map[string]store.Package{}
	for i, p := range packages {
		own[i].Name, byName[p.Name] = p.Name, p
	}
	found, err := s.WithCopies(ctx, own, "", after, n)
	if err != nil {
		return nil, "", err
	}
	if len(found) == n {
		last = found[n-1].Name
	}
	found = slices.DeleteFunc(found, func(f registry.Found) bool { ok, _ := keep(f.Name); return !ok })
	copies := slices.DeleteFunc(slices.Clone(found), func(f registry.Found) bool { return !f.IsCopy() })
	described, err := s.Describe(ctx, copies)
	for _, d := range described {
		byName[d.Name] = store.Package{Created: d.Copy.Since, Updated: d.Copy.Changed, Bytes: d.Copy.Bytes}
	}
	list = make([]repository, len(found))
	for i, f := range found {
		list[i] = repository{byName[f.Name], f.Right(), f.IsCopy()}
		list[i].Name = f.Name
	}
	return list, last, err
}

// mayPull reports whether the user may read a repository beside the one that the request is about. What counts is the
// user's right, and what limits the credential behind a JWT: clients buy one for the target alone.
func (s *server) mayPull(ctx context.Context, name string) bool {
	return s.MayAs(ctx, wire.IdentityFrom(ctx).Credential(), auth.Read, name) == nil
}

func everyName(string) (ok, stop bool) { return true, false }

// catalog is /v2/_catalog: not in the specification, but crane, oras, regctl, podman and every user interface ask for
// it.
func (s *server) catalog(w http.ResponseWriter, r *http.Request, q Request) error {
	n := pageSize(q.N, maxPage)
	found, more, err := s.visible(r, q.Last, n, everyName)
	if err != nil {
		return err
	}
	c := catalog{Repositories: make([]string, len(found))}
	for i, p := range found {
		c.Repositories[i] = p.Name
	}
	if more {
		s.setNext(w.Header(), "oci.catalog", q, n, c.Repositories[n-1])
	}
	return writeList(w, c)
}

// repositories is the repository listing of distribution-spec #611; a prefix consists of whole components.
func (s *server) repositories(w http.ResponseWriter, r *http.Request, q Request) error {
	n, below := pageSize(q.N, maxPage), ""
	if q.Prefix != "" {
		below = q.Prefix + "/"
	}
	found, more, err := s.visible(r, max(q.Last, below), n, func(name string) (ok, stop bool) {
		in := strings.HasPrefix(name, below)
		return in, !in
	})
	if err != nil {
		return err
	}
	entries := make([]repositoryEntry, len(found))
	for i, p := range found {
		entries[i] = repositoryEntryOf(p.Package)
	}
	if more {
		s.setNext(w.Header(), "oci.repositories", q, n, entries[n-1].Name)
	}
	return writeList(w, entries)
}

// The page sizes of /v1/search: docker's default and maximum.
const (
	defaultSearch = 25
	maxSearch     = 100
)

// search answers docker search and podman search, which send credentials only if they have them for this host.
func (s *server) search(w http.ResponseWriter, r *http.Request, q Request) error {
	n := min(pageSize(q.N, defaultSearch), maxSearch)
	words := strings.Fields(strings.ToLower(q.Query))
	if !hasCredentials(r) && s.May(r.Context(), auth.Read, "") != nil {
		n = 0 // whoever may read nothing finds nothing
	}
	found, _, err := s.visible(r, q.Last, n, withWords(words))
	if err != nil {
		return err
	}
	res := searchResult{NumResults: len(found), Query: q.Query, Results: make([]searchHit, len(found))}
	for i, p := range found {
		res.Results[i] = searchHit{Name: p.Name}
	}
	return writeList(w, res)
}

// withWords keeps repositories that have all words in their names.
func withWords(words []string) func(name string) (ok, stop bool) {
	return func(name string) (ok, stop bool) {
		lacks := func(word string) bool { return !strings.Contains(name, word) }
		return !slices.ContainsFunc(words, lacks), false
	}
}

// discover lists the registry's extensions.
func (s *server) discover(w http.ResponseWriter, _ *http.Request, q Request) error {
	return writeList(w, discovery(q.Root, ""))
}

// discoverRepository lists a repository's extensions, which depend on nothing but the right to read it, and its
// existence.
func (s *server) discoverRepository(w http.ResponseWriter, r *http.Request, q Request) error {
	if !s.known(r.Context(), q.Name) {
		return problem.Errorf(store.ErrNotFound, "repository %s is not known", q.Name)
	}
	return writeList(w, discovery(q.Root, q.Name))
}
