package registry

// What pages show of packages that are not published here, but of which files of an upstream are kept: only what is
// kept is shown, and nobody is asked.

import (
	"context"
	"slices"
	"strings"

	"larder/internal/describe"
	"larder/internal/problem"
	"larder/store"
	"larder/upstream"
)

// maxKept is how many files of a copy are looked at.
const maxKept = 2000

// copied describes the releases of a copy, newest first; problem.ErrNotFound when nothing is kept. A release that a
// rule holds back or blocks is not shown.
func (d *Describer[M]) copied(
	ctx context.Context, name string,
) (p describe.Package, list []describe.Version, err error) {
	files, err := d.Up.KeptFiles(ctx, name, "", maxKept)
	if err != nil {
		return p, nil, err
	}
	of := map[string]int{}
	for _, f := range files {
		id := d.Of(name, f.Key)
		if id == "" || d.Up.Allowed(ctx, name, id) != nil {
			continue
		}
		i, known := of[id]
		if !known {
			i = len(list)
			of[id] = i
			list = append(list, describe.Version{ID: id, Name: id, Pre: d.IsPre(id), Published: f.Fetched})
		}
		addKept(&list[i], f)
		p.Upstream = f.Upstream
	}
	if len(list) == 0 {
		return p, nil, problem.Errorf(store.ErrNotFound, "nothing of %s is kept", name)
	}
	slices.SortStableFunc(list, func(a, b describe.Version) int { return d.Compare(b.ID, a.ID) })
	p.Name, p.Display, p.Versions, p.Latest = name, name, len(list), list[0]
	if i := slices.IndexFunc(list, func(v describe.Version) bool { return !v.Pre }); i >= 0 {
		p.Latest = list[i]
	}
	for _, v := range list {
		p.Bytes += v.Size
		if v.Published.After(p.Updated) {
			p.Updated = v.Published
		}
	}
	return p, list, nil
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
	return list[i], nil
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
