package registry

// What pages show of the packages of a kind: the part that is the same in every protocol.

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"larder/internal/describe"
	"larder/internal/problem"
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
	// At is describe.Kind's Path.
	At func(name string, v describe.Version, f describe.File) string
	// Of is the version that a file of an upstream belongs to, by the key of its copy; "" when it stands beside a file,
	// such as a checksum.
	Of func(name, key string) string
	// Matches finds packages where the kind has no listings.
	Matches func(ctx context.Context, words []string) ([]describe.Match, error)

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
		found = append([]describe.Match{{Name: name, Score: whole}}, found...)
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
		out[i] = describe.Match(f.Match)
	}
	return out, err
}

// List implements describe.Kind.
func (d *Describer[M]) List(
	ctx context.Context, after string, limit int,
) (list []describe.Package, more bool, err error) {
	const batch = 100
	view := d.View(ctx)
	for {
		rows, err := d.Repo.Packages(ctx, after, batch)
		if err != nil {
			return nil, false, err
		}
		own := make([]store.Match, len(rows))
		for i, row := range rows {
			own[i].Name = row.Name
		}
		found, err := d.WithCopies(ctx, own, "", after, batch)
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

// listed is a package of a list; false when it is not shown, as a copy of which no file is kept. rows are those of the
// packages published here, from which it takes its own.
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
	if err != nil || len(shown) == 0 || shown[0].Copy.Files == 0 {
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
		ID: v.ID, Name: v.ID, Published: v.Published, By: v.By, Yanked: v.Yanked, Reason: v.YankReason, Tags: tags,
		Pre: d.IsPre(v.ID),
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
	return out
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
		p.Latest = d.brief(&v, slices.Collect(tx.TagsOf(v.ID)))
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
		p, _, err = d.copied(ctx, name)
		return p, err
	}
	if err == nil && whole && shown && d.Whole != nil {
		err = d.Whole(ctx, name, &v, &p.Latest)
	}
	return p, err
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
		out = d.brief(&v, slices.Collect(tx.TagsOf(id)))
		return d.near(tx, &v, &out)
	})
	if d.TryUpstream(err) {
		return d.copiedVersion(ctx, name, id)
	}
	if err == nil && d.Whole != nil {
		err = d.Whole(ctx, name, &v, &out)
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
			if b := d.brief(&v, slices.Collect(tx.TagsOf(id))); !q.NoYanked || !b.Yanked {
				out.List = append(out.List, b)
			}
		}
		return nil
	})
	return out, err
}

// Readme implements describe.Kind.
func (d *Describer[M]) Readme(ctx context.Context, name, id string) (text describe.Text, err error) {
	if d.Text == nil {
		return text, nil
	}
	var v store.Version[M]
	err = d.Repo.View(ctx, name, func(tx *store.PackageTx[M]) error {
		v, err = tx.Version(id)
		return err
	})
	if err != nil {
		return text, err
	}
	return d.Text(ctx, name, &v)
}

func tagOf(t store.Tag) describe.Tag {
	return describe.Tag{Name: t.Name, Version: t.Version, Updated: t.Updated, By: t.By}
}

// allTags are a package's tags by name, or the one that was moved last first. Nobody changes them.
func (d *Describer[M]) allTags(ctx context.Context, name string, byName bool) ([]describe.Tag, error) {
	return d.tags.Get(name, byName, func() (list []describe.Tag, err error) {
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
		if !byName {
			slices.SortStableFunc(list, func(a, b describe.Tag) int { return b.Updated.Compare(a.Updated) })
		}
		return list, err
	})
}

// Tags implements describe.Kind.
func (d *Describer[M]) Tags(ctx context.Context, name string, q describe.Query) (out describe.Tags, err error) {
	list, err := d.allTags(ctx, name, q.ByName)
	if err != nil {
		return out, err
	}
	if q.Text != "" {
		text := strings.ToLower(q.Text)
		list = slices.DeleteFunc(slices.Clone(list), func(t describe.Tag) bool {
			return !strings.Contains(strings.ToLower(t.Name), text)
		})
	}
	from := min(max(q.From, 0), len(list))
	page := list[from:min(from+q.Limit, len(list))]
	if out.Total = len(list); from+len(page) < len(list) {
		out.Next = from + len(page)
	}
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
			out.List = append(out.List, describe.Tagged{Tag: t, At: d.brief(&v, slices.Collect(tx.TagsOf(v.ID)))})
		}
		return nil
	})
	return out, err
}
