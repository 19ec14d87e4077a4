package registry

// What pages show of the packages of a kind: the part that is the same in every protocol.

import (
	"cmp"
	"context"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"

	"larder/auth"
	"larder/internal/describe"
	"larder/internal/problem"
	"larder/internal/wire"
	"larder/store"
)

// Describer is describe.Kind for a protocol, which says in its fields what only it knows. Name, Published, By, Size,
// Yanked, Reason and Tags of a version, and its named files, are filled in before Brief is asked.
type Describer[M any] struct {
	*Registry[M]
	// Compare orders versions by their IDs.
	Compare func(a, b string) int
	// IsPre reports whether a version is a pre-release.
	IsPre func(id string) bool
	// Latest is the name of the tag that points at the latest version; "" when the latest is the newest that is neither
	// yanked nor a pre-release.
	Latest string
	// Choose finds the latest version where there is no such tag, and no order; nil: see Latest.
	Choose func(tx *store.PackageTx[M]) (id string, err error)
	// Lists reports whether lists have a version; nil: all.
	Lists func(v *store.Version[M]) bool
	// Brief adds what the record says. It reads nothing.
	Brief func(v *store.Version[M], to *describe.Version)
	// Near adds what other rows of the package say, in the transaction that has read the record; nil: nothing. An error
	// is that of the package, which is hidden with a store.ErrNotFound.
	Near func(tx *store.PackageTx[M], v *store.Version[M], to *describe.Version) error
	// Whole adds what has to be read from files; nil: there is nothing.
	Whole func(ctx context.Context, name string, v *store.Version[M], to *describe.Version) error
	// Text reads a version's README; nil: there are none.
	Text func(ctx context.Context, name string, v *store.Version[M]) (describe.Text, error)
	// Sized corrects the size of a version that has more than its files, in the transaction that has read the record; nil:
	// none has.
	Sized func(tx *store.PackageTx[M], v *store.Version[M], to *describe.Version) error
	// At is describe.Kind's Path.
	At func(name string, v describe.Version, f describe.File) string
	// Of is the version that a file of an upstream belongs to, by the key of its copy; "" when it stands beside a file,
	// such as a checksum.
	Of func(name, key string) string
	// Kept finds the versions and tags of a copy where versions are not made of files; nil: see Of.
	Kept func(ctx context.Context, name string) ([]describe.Version, []describe.Tag, error)
	// WholeCopy is Whole for a version of a copy; without whole only what lists show, its size. nil: its files say only
	// what ReadmeIn finds in them.
	WholeCopy func(ctx context.Context, name string, to *describe.Version, whole bool) error
	// CopyName is the name by which copies of a package are kept; nil: the package's own.
	CopyName func(ctx context.Context, name string) (string, error)
	// CopyText reads the README of a version of a copy; nil: see ReadmeIn.
	CopyText func(ctx context.Context, name string, v *describe.Version) (describe.Text, error)
	// IsArchive reports whether a README is looked for in a file; nil: in any.
	IsArchive func(file string) bool
	// ReadmeIn reads the README in an archive called name, of a version whose record has none; nil: archives have none.
	// What cannot be read is an error of the package archive, or problem.ErrInvalid.
	ReadmeIn func(r io.ReaderAt, size int64, name string) (describe.Text, error)
	// Advised finds the advisories about a version that an operator has loaded; nil: the kind has none. Where ranges are
	// not compared here, they are those about the package.
	Advised func(ctx context.Context, name, version string) ([]describe.Advisory, error)
	// Matches finds packages where the kind has no listings.
	Matches func(ctx context.Context, words []string) ([]describe.Match, error)

	// Caller is the protocol's handler, and Changes the requests that change versions.
	Caller  wire.Caller
	Changes []Operation[M]
	// Identify recognises a file of the kind, and Send has the requests that publish one, and the package that it is of;
	// nil: files are not uploaded.
	Identify func(file io.ReaderAt, size int64) (store.Found, bool)
	Send     func(u describe.Upload) (name string, calls []Call, err error)
	// Owns is nil for who may change a package if it has the right to; nil: everybody who has it.
	Owns func(id auth.Identity, pkg store.Package) error

	order *store.Memo[struct{}, []string]
	tags  *store.Memo[bool, []describe.Tag]
}

// Described completes d. d must not be changed afterwards.
func Described[M any](d Describer[M]) *Describer[M] {
	d.order = store.NewMemo[struct{}, []string](d.Store, d.about.Kind)
	d.tags = store.NewMemo[bool, []describe.Tag](d.Store, d.about.Kind)
	return &d
}

// Type implements describe.Kind.
func (d *Describer[M]) Type() string { return d.about.Type }

// Sees implements describe.Kind.
func (d *Describer[M]) Sees(ctx context.Context, name string) (bool, error) {
	return d.View(ctx).Sees(name)
}

// Path implements describe.Kind.
func (d *Describer[M]) Path(name string, v describe.Version, f describe.File) string {
	return d.At(name, v, f)
}

// KeptName implements describe.Kind.
func (d *Describer[M]) KeptName(pkg string) string { return d.Up.KeptName(pkg) }

// Find implements describe.Kind by the listings of the store.
func (d *Describer[M]) Find(ctx context.Context, text string) ([]describe.Match, error) {
	words := strings.Fields(strings.ToLower(text))
	if len(words) == 0 {
		return nil, nil
	}
	found, err := d.find(ctx, words)
	if err != nil || len(words) != 1 {
		return found, err
	}
	const whole = 240 // as the store weighs a whole name
	name, err := d.kept(ctx, strings.TrimSpace(text))
	if name != "" && !slices.ContainsFunc(found, func(m describe.Match) bool { return m.Name == name }) {
		found = append([]describe.Match{{Name: name, Score: whole, Copy: true}}, found...)
	}
	return found, err
}

// find looks for packages that are published here, and copies.
func (d *Describer[M]) find(ctx context.Context, words []string) ([]describe.Match, error) {
	if d.Matches != nil {
		return d.Matches(ctx, words)
	}
	found, err := d.Registry.Find(ctx, store.Query{Words: words})
	out := make([]describe.Match, len(found))
	for i, f := range found {
		out[i] = describe.Match{Name: f.Name, Score: f.Score, Copy: f.IsCopy()}
	}
	return out, err
}

// List implements describe.Kind.
func (d *Describer[M]) List(
	ctx context.Context, from describe.Origin, after string, limit int,
) (list []describe.Package, more bool, err error) {
	const batch = 100
	view := d.View(ctx)
	for {
		rows, found, err := d.namesAfter(ctx, from, after, batch)
		if err != nil {
			return nil, false, err
		}
		for _, f := range found {
			after = f.Name
			p, sees, err := d.listed(ctx, view, f, &rows)
			switch {
			case err != nil:
				return nil, false, err
			case sees && len(list) == limit:
				return list, true, nil
			case sees:
				list = append(list, p)
			}
		}
		if len(found) < batch {
			return list, false, ctx.Err()
		}
		if err := ctx.Err(); err != nil {
			return nil, false, err
		}
	}
}

// namesAfter are the first n packages of an origin after after, and the rows of those that are published here.
func (d *Describer[M]) namesAfter(
	ctx context.Context, from describe.Origin, after string, n int,
) (rows []store.Package, found []Found, err error) {
	if from.Takes(false) {
		if rows, err = d.Repo.Packages(ctx, after, n); err != nil {
			return nil, nil, err
		}
	}
	own := make([]store.Match, len(rows))
	for i, row := range rows {
		own[i].Name = row.Name
	}
	if !from.Takes(true) {
		return rows, join(own, nil, nil), nil
	}
	found, err = d.WithCopies(ctx, own, "", after, n)
	return rows, found, err
}

// listed is a package of a list; false when it is not shown, as a copy whose versions are all withheld. rows are those
// of the packages published here, from which it takes its own.
func (d *Describer[M]) listed(
	ctx context.Context, view View, f Found, rows *[]store.Package,
) (p describe.Package, sees bool, err error) {
	if sees, err = view.Sees(f.Right()); err != nil {
		return p, false, err
	}
	if !f.IsCopy() {
		p, *rows = packageOf((*rows)[0]), (*rows)[1:]
		return p, sees, nil
	}
	if !sees {
		return p, false, nil
	}
	shown, err := d.Registry.Describe(ctx, []Found{f})
	if err != nil || len(shown) == 0 {
		return p, false, err
	}
	c := shown[0].Copy
	return describe.Package{
		Name: f.Name, Display: f.Name, Upstream: c.Upstream, Created: c.Since, Updated: c.Changed, Bytes: c.Bytes,
	}, true, nil
}

// packageOf is what the row of a package says.
func packageOf(row store.Package) describe.Package {
	return describe.Package{
		Name: row.Name, Display: cmp.Or(row.Display, row.Name), Private: row.Private, Owners: row.Owners,
		Created: row.Created, Updated: row.Updated, Versions: row.Versions, Tags: row.Tags, Bytes: row.Bytes,
	}
}

// ids are the IDs of a package's versions, newest first. Nobody changes them.
func (d *Describer[M]) ids(ctx context.Context, name string) ([]string, error) {
	return d.order.Get(name, struct{}{}, func() (ids []string, err error) {
		ids, err = d.Repo.VersionIDs(ctx, name)
		slices.SortStableFunc(ids, func(a, b string) int { return d.Compare(b, a) })
		return ids, err
	})
}

// maxLooks is how many versions are looked at for one that can be shown as the latest.
const maxLooks = 100

// latest is the version by which a package is shown; false when it has none.
func (d *Describer[M]) latest(
	ctx context.Context, tx *store.PackageTx[M], ids []string,
) (v store.Version[M], ok bool, err error) {
	if d.Latest != "" {
		t, err := tx.Tag(d.Latest)
		if err == nil {
			v, err = tx.Version(t.Version)
			return v, err == nil, err
		}
		if !errors.Is(err, store.ErrNotFound) {
			return v, false, err
		}
	}
	if d.Choose != nil {
		id, err := d.Choose(tx)
		if id == "" || err != nil {
			return v, false, err
		}
		v, err = tx.Version(id)
		return v, err == nil, err
	}
	best := 3
	for _, id := range ids[:min(len(ids), maxLooks)] {
		each, err := tx.Version(id)
		if errors.Is(err, store.ErrNotFound) {
			continue // gone since the list was made
		}
		if err != nil {
			return v, false, err
		}
		rank := 0
		switch {
		case d.Lists != nil && !d.Lists(&each):
			continue
		case d.yanked(&each):
			rank = 2
		case d.IsPre(id):
			rank = 1
		}
		if rank < best {
			v, ok, best = each, true, rank
		}
		if best == 0 {
			break
		}
	}
	return v, ok, nil
}

// yanked asks Brief, since protocols keep it in different places.
func (d *Describer[M]) yanked(v *store.Version[M]) bool { return d.brief(v, nil).Yanked }

// brief is what the record of a version says.
func (d *Describer[M]) brief(v *store.Version[M], tags []string) describe.Version {
	out := describe.Version{
		ID: v.ID, Name: v.ID, Published: v.Published, By: v.By, Entry: v.Entry, Yanked: v.Yanked, Reason: v.YankReason,
		Tags: tags, Pre: d.IsPre(v.ID),
	}
	for _, f := range v.Files {
		out.Size += f.Size
		if f.Name == "" {
			continue
		}
		file := describe.File{Name: f.Name, Size: f.Size, Type: f.Type}
		file.Sums = append(file.Sums, describe.Sum{Algorithm: string(f.Digest.Algorithm()), Value: f.Digest.Encoded()})
		for _, name := range slices.Sorted(maps.Keys(f.Sums)) {
			file.Sums = append(file.Sums, describe.Sum{Algorithm: name, Value: f.Sums[name]})
		}
		out.Files = append(out.Files, file)
	}
	if d.Brief != nil {
		d.Brief(v, &out)
	}
	if d.Text == nil {
		d.lookIn(&out)
	}
	return out
}

// sized is what the record says of a version, with its tags and its size.
func (d *Describer[M]) sized(tx *store.PackageTx[M], v *store.Version[M]) (describe.Version, error) {
	out := d.brief(v, slices.Collect(tx.TagsOf(v.ID)))
	if d.Sized == nil {
		return out, nil
	}
	return out, d.Sized(tx, v, &out)
}

func (d *Describer[M]) near(tx *store.PackageTx[M], v *store.Version[M], to *describe.Version) error {
	if d.Near == nil {
		return nil
	}
	return d.Near(tx, v, to)
}

// Package implements describe.Kind.
func (d *Describer[M]) Package(ctx context.Context, name string, whole bool) (p describe.Package, err error) {
	ids, err := d.ids(ctx, name)
	if err != nil {
		return p, err
	}
	var v store.Version[M]
	shown := false
	err = d.Repo.View(ctx, name, func(tx *store.PackageTx[M]) error {
		row, err := tx.Package()
		if err != nil {
			return err
		}
		p = packageOf(row)
		if v, shown, err = d.latest(ctx, tx, ids); err != nil || !shown {
			return err
		}
		if p.Latest, err = d.sized(tx, &v); err != nil {
			return err
		}
		if err := d.near(tx, &v, &p.Latest); err != nil {
			return err
		}
		if !whole {
			return nil
		}
		for t, err := range tx.Tags("") {
			if err != nil {
				return err
			}
			p.Tagged = append(p.Tagged, tagOf(t))
			if len(p.Tagged) == describe.MaxTagged {
				break
			}
		}
		return nil
	})
	if d.TryUpstream(err) {
		return d.copiedPackage(ctx, name, whole)
	}
	if err == nil && whole && shown {
		err = d.whole(ctx, name, &v, &p.Latest)
	}
	return p, err
}

// whole adds what has to be read from elsewhere than the record.
func (d *Describer[M]) whole(ctx context.Context, name string, v *store.Version[M], to *describe.Version) error {
	if d.Whole != nil {
		if err := d.Whole(ctx, name, v, to); err != nil {
			return err
		}
	}
	return d.advise(ctx, name, to)
}

// advise adds what advisories say.
func (d *Describer[M]) advise(ctx context.Context, name string, to *describe.Version) error {
	if d.Advised == nil {
		return nil
	}
	list, err := d.Advised(ctx, name, to.Name)
	to.Advisories = list[:min(len(list), describe.MaxAdvisories)]
	return err
}

// Version implements describe.Kind.
func (d *Describer[M]) Version(ctx context.Context, name, id string) (out describe.Version, err error) {
	var v store.Version[M]
	err = d.Repo.View(ctx, name, func(tx *store.PackageTx[M]) error {
		if v, err = tx.Version(id); err != nil {
			return err
		}
		if d.Lists != nil && !d.Lists(&v) {
			return problem.Errorf(store.ErrNotFound, "%s has no version %.200q", name, id)
		}
		if out, err = d.sized(tx, &v); err != nil {
			return err
		}
		return d.near(tx, &v, &out)
	})
	if d.TryUpstream(err) {
		return d.copiedVersion(ctx, name, id)
	}
	if err == nil {
		err = d.whole(ctx, name, &v, &out)
	}
	return out, err
}

// maxRead is how many records one page of versions reads.
const maxRead = 1000

// Versions implements describe.Kind.
func (d *Describer[M]) Versions(ctx context.Context, name string, q describe.Query) (out describe.Versions, err error) {
	ids, err := d.ids(ctx, name)
	if err != nil {
		return out, err
	}
	if len(ids) == 0 && d.Up != nil {
		return d.copiedVersions(ctx, name, q)
	}
	if q.Text != "" || q.NoPre {
		text := strings.ToLower(q.Text)
		ids = slices.DeleteFunc(slices.Clone(ids), func(id string) bool {
			return !strings.Contains(strings.ToLower(id), text) || q.NoPre && d.IsPre(id)
		})
	}
	out.Total = len(ids)
	err = d.Repo.View(ctx, name, func(tx *store.PackageTx[M]) error {
		out.List, out.Next = nil, 0
		from := min(max(q.From, 0), len(ids))
		for i, id := range ids[from:] {
			if len(out.List) == q.Limit || i == maxRead {
				out.Next = from + i
				break
			}
			v, err := tx.Version(id)
			if errors.Is(err, store.ErrNotFound) {
				continue
			}
			if err != nil {
				return err
			}
			if d.Lists != nil && !d.Lists(&v) {
				continue
			}
			b, err := d.sized(tx, &v)
			if err != nil {
				return err
			}
			if !q.NoYanked || !b.Yanked {
				out.List = append(out.List, b)
			}
		}
		return nil
	})
	return out, err
}

func tagOf(t store.Tag) describe.Tag {
	return describe.Tag{Name: t.Name, Version: t.Version, Updated: t.Updated, By: t.By}
}

func latestFirst(a, b describe.Tag) int { return b.Updated.Compare(a.Updated) }

// allTags are a package's tags by name, or the one that was moved last first. Nobody changes them.
func (d *Describer[M]) allTags(ctx context.Context, name string, byName bool) ([]describe.Tag, error) {
	return d.tags.Get(name, byName, func() (list []describe.Tag, err error) {
		if !byName {
			list, err = d.allTags(ctx, name, true)
			list = slices.Clone(list)
			slices.SortStableFunc(list, latestFirst)
			return list, err
		}
		err = d.Repo.View(ctx, name, func(tx *store.PackageTx[M]) error {
			list = nil
			for t, err := range tx.Tags("") {
				if err != nil {
					return err
				}
				list = append(list, tagOf(t))
			}
			return nil
		})
		return list, err
	})
}

// part is the part of a list of tags that a query selects, of how many, and where the next one begins.
func part(list []describe.Tag, q describe.Query) (page []describe.Tag, total, next int) {
	if q.Text != "" {
		text := strings.ToLower(q.Text)
		list = slices.DeleteFunc(slices.Clone(list), func(t describe.Tag) bool {
			return !strings.Contains(strings.ToLower(t.Name), text)
		})
	}
	from := min(max(q.From, 0), len(list))
	page = list[from:min(from+q.Limit, len(list))]
	if from+len(page) < len(list) {
		next = from + len(page)
	}
	return page, len(list), next
}

// Tags implements describe.Kind.
func (d *Describer[M]) Tags(ctx context.Context, name string, q describe.Query) (out describe.Tags, err error) {
	list, err := d.allTags(ctx, name, q.ByName)
	if err != nil {
		return out, err
	}
	if len(list) == 0 && d.Kept != nil && d.Up != nil && !d.Up.Ours(ctx, name) {
		return d.copiedTags(ctx, name, q)
	}
	var page []describe.Tag
	page, out.Total, out.Next = part(list, q)
	err = d.Repo.View(ctx, name, func(tx *store.PackageTx[M]) error {
		out.List = nil
		for _, t := range page {
			v, err := tx.Version(t.Version)
			if errors.Is(err, store.ErrNotFound) {
				continue // gone since the list was made
			}
			if err != nil {
				return err
			}
			at, err := d.sized(tx, &v)
			if err != nil {
				return err
			}
			out.List = append(out.List, describe.Tagged{Tag: t, At: at})
		}
		return nil
	})
	return out, err
}
