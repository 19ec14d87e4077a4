package registry

// What pages show of packages that are not published here, but of which something of an upstream is kept: only what is
// kept is shown, and nobody is asked.

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"larder/internal/describe"
	"larder/internal/problem"
	"larder/store"
	"larder/upstream"
)

// maxKept is how many files of a copy are looked at.
const maxKept = 2000

// copyName is the name by which copies of name are kept; ErrNotFound when the client may not see it.
func (d *Describer[M]) copyName(ctx context.Context, name string) (string, error) {
	if d.CopyName == nil {
		return name, nil
	}
	of, err := d.CopyName(ctx, name)
	if err != nil || of == name {
		return of, err
	}
	sees, err := d.Sees(ctx, of)
	if err == nil && !sees {
		err = problem.Errorf(store.ErrNotFound, "nothing of %s is kept", name)
	}
	return of, err
}

// copied describes a copy and its releases, newest first, those with what rules withhold among them;
// problem.ErrNotFound when nothing is kept, store.ErrDenied for a package that is blocked.
func (d *Describer[M]) copied(
	ctx context.Context, name string,
) (p describe.Package, list []describe.Version, err error) {
	of, err := d.copyName(ctx, name)
	if err != nil {
		return p, nil, err
	}
	c, withheld, err := d.Up.Copied(ctx, of)
	if err != nil {
		return p, nil, err
	}
	if list, p.Tagged, err = d.keptVersions(ctx, of); err != nil {
		return p, nil, err
	}
	if d.Kept == nil {
		for i := range list {
			if err := d.Up.Allowed(ctx, of, list[i].ID); err != nil {
				withhold(&list[i], err)
			}
		}
		for _, err := range withheld {
			list = addWithheld(list, err, d.IsPre)
		}
	}
	slices.SortStableFunc(list, func(a, b describe.Version) int { return d.Compare(b.ID, a.ID) })
	p.Name, p.Display, p.Upstream, p.Bytes = name, cmp.Or(c.Display, name), c.Upstream, c.Bytes
	p.Created, p.Updated, p.Tags, p.Versions = c.Since, c.Changed, len(p.Tagged), len(list)
	for _, v := range list {
		switch {
		case v.Withheld == "":
			p.Kept++
		case len(p.Withheld) < describe.MaxWithheld:
			p.Withheld = append(p.Withheld, v)
		}
		if v.Published.After(p.Updated) {
			p.Updated = v.Published
		}
	}
	p.Latest = d.latestCopy(c, list, p.Tagged)
	return p, list, nil
}

// latestCopy is the version by which a copy is shown: the newest that is kept, or the one that a document names when
// none is. What the document says of the package stands in for what is in the files.
func (d *Describer[M]) latestCopy(
	c upstream.Copy, list []describe.Version, tags []describe.Tag,
) (v describe.Version) {
	best := -1
	for i, each := range list {
		if each.Withheld == "" && (best < 0 || list[best].Pre && !each.Pre) {
			best = i
		}
	}
	if len(tags) > 0 {
		newest := slices.MaxFunc(tags, func(a, b describe.Tag) int { return a.Updated.Compare(b.Updated) })
		if i := slices.IndexFunc(tags, func(t describe.Tag) bool { return t.Name == "latest" }); i >= 0 {
			newest = tags[i]
		}
		tagged := func(v describe.Version) bool { return v.ID == newest.Version && v.Withheld == "" }
		if i := slices.IndexFunc(list, tagged); i >= 0 {
			best = i
		}
	}
	switch {
	case best >= 0:
		v = list[best]
	case c.Latest != "":
		v.ID, v.Name, v.Pre = c.Latest, c.Latest, d.IsPre(c.Latest)
	}
	v.Summary, v.License = cmp.Or(v.Summary, c.Description), cmp.Or(v.License, c.License)
	v.Keywords = c.Keywords
	v.Link("Home page", c.Homepage)
	v.Link("Source", c.Repository)
	return v
}

// keptVersions are the releases of which files are kept, in no order, and the tags of those that are known.
func (d *Describer[M]) keptVersions(
	ctx context.Context, name string,
) (list []describe.Version, tags []describe.Tag, err error) {
	if d.Kept != nil {
		return d.Kept(ctx, name)
	}
	files, err := d.Up.KeptFiles(ctx, name, "", maxKept)
	of := map[string]int{}
	for _, f := range files {
		id := d.Of(name, f.Key)
		if id == "" {
			continue
		}
		i, known := of[id]
		if !known {
			i = len(list)
			of[id] = i
			list = append(list, describe.Version{ID: id, Name: id, Pre: d.IsPre(id), Published: f.Fetched})
		}
		addKept(&list[i], f)
	}
	return list, nil, err
}

// withhold notes what a client is told who asks for a version.
func withhold(v *describe.Version, err error) {
	var w *upstream.Withheld
	v.Withheld, v.Blocked = problem.Public(err), errors.As(err, &w) && w.Reason == upstream.MissBlocked
}

// addWithheld adds a version of which nothing is kept.
func addWithheld(list []describe.Version, err error, isPre func(id string) bool) []describe.Version {
	var w *upstream.Withheld
	if !errors.As(err, &w) || w.Version == "" {
		return list
	}
	if slices.ContainsFunc(list, func(v describe.Version) bool { return v.ID == w.Version || v.Name == w.Version }) {
		return list
	}
	v := describe.Version{ID: w.Version, Name: w.Version, Pre: isPre(w.Version)}
	withhold(&v, err)
	return append(list, v)
}

// addKept adds a file to its release, which came when its last file did.
func addKept(v *describe.Version, f upstream.KeptFile) {
	v.Size += f.Size
	if f.Fetched.After(v.Published) {
		v.Published = f.Fetched
	}
	v.Files = append(v.Files, describe.File{
		Name: f.Key, Size: f.Size, Type: f.Type,
		Sums: []describe.Sum{{Algorithm: string(f.Digest.Algorithm()), Value: f.Digest.Encoded()}},
	})
}

// copiedPackage is a copy with its latest version; with whole also what has to be read from files.
func (d *Describer[M]) copiedPackage(ctx context.Context, name string, whole bool) (describe.Package, error) {
	p, _, err := d.copied(ctx, name)
	if err != nil {
		return p, err
	}
	p.Tagged = p.Tagged[:min(len(p.Tagged), describe.MaxTagged)]
	if p.Latest.Published.IsZero() {
		return p, d.advise(ctx, name, &p.Latest)
	}
	return p, d.copiedWhole(ctx, name, &p.Latest, whole)
}

// copiedWhole adds what has to be read from files; without whole only what lists show.
func (d *Describer[M]) copiedWhole(ctx context.Context, name string, v *describe.Version, whole bool) error {
	if whole {
		if err := d.advise(ctx, name, v); err != nil {
			return err
		}
	}
	if d.WholeCopy != nil {
		of, err := d.copyName(ctx, name)
		if err != nil {
			return err
		}
		return d.WholeCopy(ctx, of, v, whole)
	}
	d.lookIn(v)
	return nil
}

// copiedVersion is one release of a copy.
func (d *Describer[M]) copiedVersion(ctx context.Context, name, id string) (describe.Version, error) {
	_, list, err := d.copied(ctx, name)
	if err != nil {
		return describe.Version{}, err
	}
	i := slices.IndexFunc(list, func(v describe.Version) bool { return v.ID == id })
	if i < 0 {
		return describe.Version{}, problem.Errorf(store.ErrNotFound, "nothing of %s %.200q is kept", name, id)
	}
	if list[i].Withheld != "" {
		return list[i], d.advise(ctx, name, &list[i])
	}
	return list[i], d.copiedWhole(ctx, name, &list[i], true)
}

// copiedVersions are those of a copy that a query selects.
func (d *Describer[M]) copiedVersions(
	ctx context.Context, name string, q describe.Query,
) (out describe.Versions, err error) {
	_, list, err := d.copied(ctx, name)
	if err != nil {
		return out, err
	}
	text := strings.ToLower(q.Text)
	list = slices.DeleteFunc(list, func(v describe.Version) bool {
		return !strings.Contains(strings.ToLower(v.ID), text) || q.NoPre && v.Pre
	})
	out.Total = len(list)
	from := min(max(q.From, 0), len(list))
	out.List = list[from:min(from+q.Limit, len(list))]
	if to := from + len(out.List); to < len(list) {
		out.Next = to
	}
	for i := range out.List {
		if err := d.copiedWhole(ctx, name, &out.List[i], false); err != nil {
			return out, err
		}
	}
	return out, nil
}

// copiedTags are those of a copy that a query selects.
func (d *Describer[M]) copiedTags(ctx context.Context, name string, q describe.Query) (out describe.Tags, err error) {
	p, list, err := d.copied(ctx, name)
	if err != nil {
		return out, err
	}
	tags := p.Tagged
	if q.ByName {
		slices.SortFunc(tags, func(a, b describe.Tag) int { return strings.Compare(a.Name, b.Name) })
	} else {
		slices.SortStableFunc(tags, latestFirst)
	}
	var page []describe.Tag
	page, out.Total, out.Next = part(tags, q)
	at := map[string]*describe.Version{}
	for i := range list {
		at[list[i].ID] = &list[i]
	}
	for _, t := range page {
		v := at[t.Version]
		if v == nil || v.Withheld != "" {
			continue
		}
		if err := d.copiedWhole(ctx, name, v, false); err != nil {
			return out, err
		}
		out.List = append(out.List, describe.Tagged{Tag: t, At: *v})
	}
	return out, nil
}

// kept is the name of a copy that a search text spells in full, "" without one.
func (d *Describer[M]) kept(ctx context.Context, text string) (string, error) {
	if d.Up == nil || d.about.Upstream.Spelling.Name == nil {
		return "", nil
	}
	name, err := d.about.Upstream.Spelling.Name(text)
	if err != nil {
		return "", nil // it can be no name
	}
	sees, err := d.Sees(ctx, name)
	if err != nil || !sees {
		return "", err
	}
	files, err := d.Up.KeptFiles(ctx, name, "", 1)
	if err != nil || len(files) == 0 {
		return "", err
	}
	return name, nil
}
