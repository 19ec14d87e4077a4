package maven

// All that is known of one version, for pages: read when a page asks, from the files that are here.

import (
	"context"
	"errors"

	"larder/auth"
	"larder/maven/browse"
	"larder/maven/names"
	"larder/maven/pom"
	"larder/store"
)

// maxParents bounds the walk up.
const maxParents = 10

func (s *server) versionInfo(ctx context.Context, q Request, v store.Version[Meta]) (*browse.Version, error) {
	info := &browse.Version{
		Group: q.Group, Artifact: q.Artifact, Version: q.Version, Published: v.Published, By: v.By,
		Open: v.Meta.Open, Broken: v.Meta.Broken,
		Warnings: v.Meta.Warnings, POM: v.Meta.POM, Jar: v.Meta.Jar, Module: v.Meta.Module, Signed: v.Meta.Signed,
		Snippets: pom.Snippets(q.Group, q.Artifact, q.Version, v.Meta.POM),
	}
	if v.ID != q.Version {
		info.Build = v.ID
	}
	p, err := s.pomOf(ctx, q.Name, q.Version, v.ID)
	if err != nil || p == nil {
		return info, err
	}
	info.Project = &pom.Info{ModelVersion: p.ModelVersion, Modules: p.Modules}
	if err := s.inherit(ctx, p, info.Project); err != nil {
		return info, err
	}
	info.Dependencies, info.Managed = p.Show(info.Project)
	return info, nil
}

// pomOf reads a version's POM; nil when there is none that can be read.
func (s *server) pomOf(ctx context.Context, name, version, id string) (*pom.Project, error) {
	_, artifact := names.SplitName(name)
	f, err := s.find(ctx, name, names.FileKey(version, names.File{Version: id, Ext: "pom"}.Join(artifact)))
	if err != nil {
		return nil, ignoreMissing(err)
	}
	text, err := s.Store.ReadBlob(ctx, f.File.Digest, maxPOM)
	if errors.Is(err, store.ErrTooLarge) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	p, err := pom.Read(text)
	if err != nil {
		return nil, nil // it was noted when it came
	}
	return p, nil
}

// inherit walks up and takes over what the POM itself does not say.
func (s *server) inherit(ctx context.Context, p *pom.Project, info *pom.Info) error {
	for up := p.Parent; up != nil && len(info.Parents) < maxParents; {
		name := names.PackageName(string(up.Group), string(up.Artifact))
		version := string(up.Version)
		var parent *pom.Project
		if s.May(ctx, auth.Read, name) == nil {
			var err error
			if parent, err = s.pomOf(ctx, name, version, version); err != nil {
				return err
			}
		}
		if parent == nil {
			info.Missing = up.String()
			return nil
		}
		info.Parents = append(info.Parents, up.String())
		p.TakeFrom(parent)
		up = parent.Parent
	}
	return nil
}
