package upstream

// This file lists the packages of which something is kept, so that searches and lists show them: what they are found by
// is written in the transaction that keeps a document or file, and goes with the last one.

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"larder/store"
)

// About is what a document says of its package. What it does not say is empty, and what was said before stays.
type About struct {
	Display     string   `json:"display,omitempty"` // the name as the upstream spells it, where names are normalised
	Description string   `json:"description,omitempty"`
	Versions    []string `json:"versions,omitempty"` // the one that lists show first; the first 20 count
	Keywords    []string `json:"keywords,omitempty"`
	Type        string   `json:"type,omitempty"` // of package, where the kind has types
	License     string   `json:"license,omitempty"`
	Homepage    string   `json:"homepage,omitempty"`
	Repository  string   `json:"repository,omitempty"`
	// Needs are the packages that the first of Versions depends on, as records name them; nil: the document does not say.
	Needs []string `json:"needs,omitempty"`
}

// Limits of what is noted of a package.
const (
	maxAboutVersions = 20
	maxAboutKeywords = 50
	maxAboutNeeds    = 100
	maxAboutText     = 500 // bytes
)

// bounded is a with nothing too long.
func (a About) bounded() About {
	a.Versions = a.Versions[:min(len(a.Versions), maxAboutVersions)]
	a.Keywords = a.Keywords[:min(len(a.Keywords), maxAboutKeywords)]
	a.Needs = a.Needs[:min(len(a.Needs), maxAboutNeeds)]
	for _, text := range []*string{&a.Display, &a.Description, &a.Type, &a.License, &a.Homepage, &a.Repository} {
		if len(*text) > maxAboutText {
			*text = strings.ToValidUTF8((*text)[:maxAboutText], "")
		}
	}
	return a
}

// over is a where it says something, elsewhere what was known before.
func (a About) over(b About) About {
	for _, text := range []struct{ to, from *string }{
		{&a.Display, &b.Display}, {&a.Description, &b.Description}, {&a.Type, &b.Type}, {&a.License, &b.License},
		{&a.Homepage, &b.Homepage}, {&a.Repository, &b.Repository},
	} {
		*text.to = cmp.Or(*text.to, *text.from)
	}
	if a.Versions == nil {
		a.Versions = b.Versions
	}
	if a.Keywords == nil {
		a.Keywords = b.Keywords
	}
	if a.Needs == nil {
		a.Needs = b.Needs
	}
	return a
}

// Copy is a package of which something is kept.
type Copy struct {
	Name     string `json:"name"`
	Upstream string `json:"upstream,omitempty"` // what its registry is called; "" when that is its address
	// Latest is the first of Versions that no rule holds back, "" when there is none or no document says.
	Latest string `json:"latest,omitempty"`
	About
	Since   time.Time `json:"since"`   // when something was kept first
	Changed time.Time `json:"changed"` // when what is known of it changed
	Files   int       `json:"files"`   // that are kept
	Bytes   int64     `json:"bytes"`   // of them
}

// copied is the data of a copy's listing.
type copied struct {
	Upstream string    `json:"upstream"` // the key of its source
	Changed  time.Time `json:"changed"`
	About
}

func readCopied(data []byte) (c copied, err error) {
	if err := json.Unmarshal(data, &c); err != nil {
		return c, fmt.Errorf("listing of a copy: %w: %w", store.ErrFormat, err)
	}
	return c, nil
}

// about is what a document of a package says, nil when nothing.
func (s *Set) about(pkg, key string, body []byte) *About {
	if s.protocol.About == nil || pkg == listings {
		return nil
	}
	a, ok := s.protocol.About(s.named(pkg), key, body)
	if !ok {
		return nil
	}
	a = a.bounded()
	return &a
}

// said is what a document that was fetched says of its package, and whether that is that there is nothing of it.
func (s *Set) said(pkg, key string, c content) (a *About, empty bool) {
	if c.body != nil {
		return s.about(pkg, key, c.body), s.empty(c.body)
	}
	if s.protocol.About == nil || pkg == listings || c.about == nil {
		return nil, false
	}
	bounded := c.about.bounded()
	return &bounded, false
}

// empty reports whether a document says that there is nothing of its package.
func (s *Set) empty(body []byte) bool { return s.protocol.Empty != nil && s.protocol.Empty(body) }

// noteCopy makes a package findable of which u has sent something, in the transaction that keeps it; a is nil for what
// says nothing of the package. Of several upstreams that have the name, the first one's word counts.
func (s *Set) noteCopy(tx *store.Tx, pkg string, u *Upstream, a *About) error {
	if pkg == listings {
		return nil
	}
	l, there, err := tx.Copied(s.kind, pkg)
	if err != nil || there && a == nil {
		return err
	}
	now := copied{Upstream: u.key, Changed: tx.Now()}
	if a != nil {
		now.About = *a
	}
	if there {
		was, err := readCopied(l.Data)
		if err != nil {
			return err
		}
		versions := s.gathered(now.Versions, was.Versions)
		if was.Upstream != u.key && s.before(was.Upstream, u) {
			now.Upstream, now.About = was.Upstream, was.About
		} else if was.Upstream == u.key {
			now.About = now.over(was.About)
		}
		if s.protocol.Newer != nil {
			now.Versions = versions
		}
		now.Changed = was.Changed
		same, err := json.Marshal(now)
		if err != nil || bytes.Equal(same, l.Data) {
			return err
		}
		now.Changed = tx.Now()
	}
	return s.enlist(tx, pkg, now)
}

// gathered are the versions of both lists.
func (s *Set) gathered(a, b []string) []string {
	if s.protocol.Newer == nil {
		return a
	}
	all := slices.Concat(a, b)
	slices.SortStableFunc(all, func(a, b string) int {
		switch {
		case s.protocol.Newer(a, b):
			return -1
		case s.protocol.Newer(b, a):
			return 1
		}
		return strings.Compare(a, b)
	})
	all = slices.Compact(all)
	return all[:min(len(all), maxAboutVersions)]
}

// aboutFile is what a file says of its package: that there is its version.
func (s *Set) aboutFile(version string) *About {
	if s.protocol.Newer == nil || version == "" {
		return nil
	}
	return &About{Versions: []string{version}}
}

// before reports whether the source called key is configured before u.
func (s *Set) before(key string, u *Upstream) bool {
	other := slices.IndexFunc(s.list, func(each *Upstream) bool { return each.key == key })
	return other >= 0 && other < slices.Index(s.list, u)
}

// enlist writes what a package is found by.
func (s *Set) enlist(tx *store.Tx, pkg string, c copied) error {
	l := store.Listing{}
	if s.protocol.Listing != nil {
		l = s.protocol.Listing(s.copyOf(store.CopiedPackage{Name: pkg}, c))
	}
	data, err := json.Marshal(c)
	if err != nil {
		return err
	}
	l.Data = data
	l.Depends(c.Needs...)
	return tx.SetCopied(s.kind, pkg, &l)
}

// copyOf is a copy as it is shown.
func (s *Set) copyOf(p store.CopiedPackage, c copied) Copy {
	out := Copy{
		Name: s.named(p.Name), About: c.About, Since: p.Since, Changed: c.Changed, Files: p.Files, Bytes: p.Bytes,
	}
	if u := s.sources[c.Upstream]; u != nil && !u.nameless() {
		out.Upstream = u.Name()
	}
	if len(c.Versions) > 0 {
		out.Latest = c.Versions[0]
	}
	return out
}

// unlist takes a package off the list when nothing is kept of it any more.
func (r *Registry) unlist(tx *store.Tx, k store.Kind, pkg string) error {
	kept, err := r.keeps(tx, k, pkg)
	if err != nil || kept {
		return err
	}
	return tx.SetCopied(k, pkg, nil)
}

// keeps reports whether there is a record of a package.
func (r *Registry) keeps(tx *store.Tx, k store.Kind, pkg string) (kept bool, err error) {
	for _, kind := range []store.Kind{k.Documents(), k.CachedFiles()} {
		err := store.NewRepo[entry](r.store, kind).In(tx, pkg, func(tx *store.PackageTx[entry]) error {
			p, err := tx.Package()
			kept = kept || err == nil && p.Versions > 0
			if errors.Is(err, store.ErrNotFound) {
				return nil
			}
			return err
		})
		if err != nil {
			return false, err
		}
	}
	return kept, nil
}

// CopyMatch is a copy that a search or list finds.
type CopyMatch struct {
	store.Match // Name is how lists call it
	// Right is the name that rights and rules are about. It differs from Name for repositories of a container registry
	// that is called by its address: no answer has that.
	Right string
	pkg   string // of its records
}

// match is how lists call a package of records; false when it may not be shown: its name is ours or blocked, or no
// upstream may answer for it.
func (s *Set) match(ctx context.Context, pkg string, score int) (m CopyMatch, ok bool) {
	m = CopyMatch{store.Match{Name: s.named(pkg), Score: score}, s.named(pkg), pkg}
	if s.kind == store.OCI {
		key, path, _ := strings.Cut(pkg, "/")
		u := s.sources[key]
		if u == nil || !slices.Contains(s.Upstreams(), u) {
			return m, false
		}
		if u.nameless() {
			// It is known by the path alone, as the first upstream's repositories are.
			takers := s.takers(m.Right, path)
			first := len(takers) > 0 && takers[0] == u
			if ours, err := s.ours(ctx, path); err != nil || ours || s.Claimed(path) || !first {
				return m, false
			}
			m.Name = path
		}
	}
	return m, s.Theirs(ctx, m.Right)
}

// FindCopies returns the copies that q selects and that may be shown, best first; see store.Search.
func (s *Set) FindCopies(ctx context.Context, q store.Query) (out []CopyMatch, err error) {
	if s == nil {
		return nil, nil
	}
	found, err := s.r.store.Search(ctx, s.kind.Copies(), q)
	for _, f := range found {
		if m, ok := s.match(ctx, f.Name, f.Score); ok {
			out = append(out, m)
		}
	}
	return out, err
}

// span is a run of names that are kept under other names: those below name are those below pkg.
type span struct{ name, pkg string }

// spans are all of them. Only the names of container registries begin with what their upstream is called.
func (s *Set) spans() []span {
	if s.kind != store.OCI {
		return []span{{}}
	}
	var list []span
	for _, u := range s.Upstreams() {
		sp := span{u.Name() + "/", u.key + "/"}
		if u.nameless() {
			sp.name = ""
		}
		list = append(list, sp)
	}
	return list
}

// Copies returns up to limit copies that may be shown and whose names begin with prefix, in the order of names after
// after.
func (s *Set) Copies(ctx context.Context, prefix, after string, limit int) (out []CopyMatch, err error) {
	if s == nil {
		return nil, nil
	}
	for _, sp := range s.spans() {
		part, err := s.copiesIn(ctx, sp, prefix, after, limit)
		if err != nil {
			return nil, err
		}
		out = append(out, part...)
	}
	slices.SortStableFunc(out, func(a, b CopyMatch) int { return strings.Compare(a.Name, b.Name) })
	out = slices.CompactFunc(out, func(a, b CopyMatch) bool { return a.Name == b.Name })
	return out[:min(len(out), limit)], ctx.Err()
}

// copiesIn is Copies for one span.
func (s *Set) copiesIn(ctx context.Context, sp span, prefix, after string, limit int) (out []CopyMatch, err error) {
	below, from := "", ""
	switch {
	case strings.HasPrefix(prefix, sp.name):
		below = prefix[len(sp.name):]
	case !strings.HasPrefix(sp.name, prefix):
		return nil, nil
	}
	if rest, ok := strings.CutPrefix(after, sp.name); ok {
		from = rest
	} else if after > sp.name {
		return nil, nil
	}
	for len(out) < limit && ctx.Err() == nil {
		if from != "" {
			from = sp.pkg + from
		}
		names, err := s.r.store.Listed(ctx, s.kind.Copies(), sp.pkg+below, from, limit-len(out))
		if err != nil || len(names) == 0 {
			return out, err
		}
		for _, pkg := range names {
			if m, ok := s.match(ctx, pkg, 0); ok {
				out = append(out, m)
			}
		}
		from = names[len(names)-1][len(sp.pkg):]
	}
	return out, nil
}

// DescribeCopies says what is known of copies. Those that are gone meanwhile, and those of which every version that is
// known is held back by a rule, are left out.
func (s *Set) DescribeCopies(ctx context.Context, list []CopyMatch) (out []Copy, err error) {
	if s == nil || len(list) == 0 {
		return nil, nil
	}
	names, called := make([]string, len(list)), make(map[string]string, len(list))
	for i, c := range list {
		names[i], called[c.pkg] = c.pkg, c.Name
	}
	found, err := s.r.store.CopiedPackages(ctx, s.kind, names)
	if err != nil {
		return nil, err
	}
	for _, p := range found {
		data, err := readCopied(p.Data)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", s.kind, p.Name, err)
		}
		c := s.copyOf(p, data)
		right := c.Name
		c.Name = called[p.Name]
		held := func(version string) bool { return s.mayShow(ctx, right, version) != nil }
		if s.Gated() && len(c.Versions) > 0 {
			if c.Versions = slices.DeleteFunc(c.Versions, held); len(c.Versions) == 0 {
				continue
			}
			c.Latest = c.Versions[0]
		}
		out = append(out, c)
	}
	return out, nil
}

// mayShow is Allowed for a version as About has it. Nobody says how old the tags of a container registry are.
func (s *Set) mayShow(ctx context.Context, name, version string) error {
	switch {
	case s.kind == store.OCI:
		return s.Blocked(name, version)
	case s.protocol.Release != nil:
		version = s.protocol.Release(version)
	}
	return s.Allowed(ctx, name, version)
}

// CopiesState changes whenever a copy is listed or taken off the list, or when names become ours or are released.
func (s *Set) CopiesState() (state [2]uint64) {
	if s == nil {
		return state
	}
	return [2]uint64{s.r.store.Generation(s.kind.Copies(), ""), uint64(s.Renewals())}
}

// tableListed has, by listedKey, the package after which ListCopies goes on; "\xff": all are listed.
const tableListed = "upstream.listed"

// listedKey is another one since lists know what copies depend on.
func listedKey(k store.Kind) []byte { return []byte(k + " needs") }

const allListed = "\xff"

// listedAtOnce is how many packages ListCopies looks at in one transaction.
const listedAtOnce = 50

// ListEvery is how often the job ListCopies should run. A run that finds nothing to do reads a row for each kind.
const ListEvery = 10 * time.Second

// ListCopies lists the packages that were kept before there was a list, or before it knew what they depend on. It is a
// job; what ended it in the middle makes the next run go on where it was.
func (r *Registry) ListCopies(ctx context.Context) error {
	for _, k := range store.Kinds() {
		s := r.sets[k]
		for s != nil {
			after, err := s.listedUpTo(ctx)
			if err != nil || after == allListed {
				if err != nil {
					return err
				}
				break
			}
			if err := s.listMore(ctx, after); err != nil {
				return fmt.Errorf("list copies of %s after %s: %w", k, after, err)
			}
		}
	}
	return nil
}

// listedUpTo is where the job is.
func (s *Set) listedUpTo(ctx context.Context) (after string, err error) {
	err = s.r.store.View(ctx, func(tx *store.Tx) error {
		after = string(tx.Table(tableListed).Get(listedKey(s.kind)))
		return nil
	})
	return after, err
}

// listMore lists some packages after after, and notes how far it came.
func (s *Set) listMore(ctx context.Context, after string) error {
	var names []string
	for _, repo := range []*store.Repo[entry]{s.docs, s.files} {
		list, err := repo.Packages(ctx, after, listedAtOnce)
		if err != nil {
			return err
		}
		for _, p := range list {
			names = append(names, p.Name)
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	names = names[:min(len(names), listedAtOnce)]
	next := allListed
	found := map[string]copied{}
	for _, pkg := range names {
		next = pkg
		c, err := s.learnAbout(ctx, pkg)
		if err != nil {
			return err
		}
		if c != nil {
			found[pkg] = *c
		}
	}
	return s.r.store.Update(ctx, func(tx *store.Tx) error {
		for pkg, c := range found {
			kept, err := s.r.keeps(tx, s.kind, pkg)
			if err != nil {
				return err
			}
			l, there, err := tx.Copied(s.kind, pkg)
			if err != nil {
				return err
			}
			if !kept || there && c.Needs == nil {
				continue
			}
			if there {
				was, err := readCopied(l.Data)
				if err != nil {
					return err
				}
				was.Needs, c = c.Needs, was
			} else {
				c.Changed = tx.Now()
			}
			if err := s.enlist(tx, pkg, c); err != nil {
				return err
			}
		}
		return tx.Table(tableListed).Put(listedKey(s.kind), []byte(next))
	})
}

// relist lists a package anew, of which records were dropped.
func (s *Set) relist(ctx context.Context, pkg string) error {
	c, err := s.learnAbout(ctx, pkg)
	if err != nil {
		return err
	}
	return s.r.store.Update(ctx, func(tx *store.Tx) error {
		kept, err := s.r.keeps(tx, s.kind, pkg)
		switch {
		case err != nil:
			return err
		case !kept || c == nil:
			return tx.SetCopied(s.kind, pkg, nil)
		}
		c.Changed = tx.Now()
		return s.enlist(tx, pkg, *c)
	})
}

// read is what a document that is kept says, as said is.
func (s *Set) read(ctx context.Context, pkg, key string, d *Document) (a *About, empty bool, err error) {
	if d.Size <= scannedFrom || s.protocol.Scan == nil && d.Size <= maxEarly {
		body, err := d.Bytes(ctx)
		if err != nil {
			return nil, false, err
		}
		a, empty = s.said(pkg, key, content{body: body})
		return a, empty, nil
	}
	if s.protocol.Scan == nil {
		return nil, false, nil
	}
	r, err := d.Open(ctx)
	if err != nil {
		return nil, false, err
	}
	defer r.Close()
	said, ok := s.protocol.Scan(s.named(pkg), key, r)
	if !ok {
		return nil, false, nil
	}
	said = said.bounded()
	return &said, false, nil
}

// learnAbout is what the records of a package say of it; nil when there are none. A document that cannot be read says
// nothing.
func (s *Set) learnAbout(ctx context.Context, pkg string) (*copied, error) {
	if pkg == listings {
		return nil, nil
	}
	var owner *Upstream
	var c copied
	own := func(u *Upstream) bool {
		if owner == nil || slices.Index(s.everyone, u) < slices.Index(s.everyone, owner) {
			owner, c = u, copied{Upstream: u.key, About: About{Versions: s.gathered(nil, c.Versions)}}
		}
		return owner == u
	}
	ids, err := s.docs.VersionIDs(ctx, pkg)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		k, err := load(ctx, s.known, s.docs, pkg, id)
		if err != nil {
			return nil, err
		}
		if s.sound(k) == nil || s.sources[k.Upstream] == nil {
			continue
		}
		u := s.sources[k.Upstream]
		_, key, _ := strings.Cut(id, " ")
		a, empty, err := s.read(ctx, pkg, key, s.document(u, k, k.Fetched, ""))
		if err != nil {
			s.r.log.LogAttrs(ctx, slog.LevelWarn, "a copy is listed without what its document says",
				slog.String("kind", string(s.kind)), slog.String("package", pkg), slog.Any("error", err))
			continue
		}
		if empty {
			continue
		}
		if own(u) && a != nil {
			versions := s.gathered(a.Versions, c.Versions)
			if c.About = a.over(c.About); s.protocol.Newer != nil {
				c.Versions = versions
			}
		}
	}
	err = s.r.store.View(ctx, func(tx *store.Tx) error {
		return eachOf(tx, s.files, pkg, func(v *store.Version[entry]) error {
			if u := s.sources[v.Meta.Upstream]; u != nil {
				own(u)
			}
			return nil
		})
	})
	if err != nil || owner == nil {
		return nil, err
	}
	return &c, nil
}
