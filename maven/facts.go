package maven

// All that is known of one version, for pages: read when a page asks, from the files that are here.

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"larder/auth"
	"larder/maven/layout"
	"larder/maven/markup"
	"larder/store"
)

// versionInfo is what pages show of a version.
type versionInfo struct {
	Group        string               `json:"group"`
	Artifact     string               `json:"artifact"`
	Version      string               `json:"version"`
	Build        string               `json:"build,omitempty"` // of a snapshot: the newest
	Published    time.Time            `json:"published"`
	By           string               `json:"by,omitempty"`
	Open         bool                 `json:"open,omitempty"`
	Broken       map[string]string    `json:"broken,omitempty"`
	Warnings     map[string][]string  `json:"warnings,omitempty"`
	POM          *pomFacts            `json:"pom,omitempty"`
	Jar          *jarFacts            `json:"jar,omitempty"`
	Module       *moduleFacts         `json:"module,omitempty"`
	Signed       map[string]signature `json:"signed,omitempty"`
	Project      *projectInfo         `json:"project,omitempty"`
	Snippets     map[string]string    `json:"snippets"`
	Dependencies []dependency         `json:"dependencies,omitempty"`
	Managed      []dependency         `json:"managed,omitempty"`
}

// projectInfo is what the POM says, with what it has from its parents, as far as these are here.
type projectInfo struct {
	ModelVersion  markup.Text   `json:"model_version,omitempty"`
	Name          string        `json:"name,omitempty"`
	Description   string        `json:"description,omitempty"`
	URL           string        `json:"url,omitempty"`
	InceptionYear string        `json:"inception_year,omitempty"`
	Organization  string        `json:"organization,omitempty"`
	Licenses      []licence     `json:"licenses,omitempty"`
	Developers    []person      `json:"developers,omitempty"`
	Contributors  []person      `json:"contributors,omitempty"`
	SCM           scm           `json:"scm,omitzero"`
	Issues        string        `json:"issues,omitempty"`
	CI            string        `json:"ci,omitempty"`
	Maven         string        `json:"maven,omitempty"`
	Modules       []markup.Text `json:"modules,omitempty"`
	Parents       []string      `json:"parents,omitempty"` // nearest first
	Missing       string        `json:"missing,omitempty"` // the first parent that is not here
}

// maxParents bounds the walk up.
const maxParents = 10

func (s *server) versionInfo(ctx context.Context, q Request, v store.Version[Meta]) (*versionInfo, error) {
	info := &versionInfo{
		Group: q.Group, Artifact: q.Artifact, Version: q.Version, Published: v.Published, By: v.By, Open: v.Meta.Open, Broken: v.Meta.Broken,
		Warnings: v.Meta.Warnings, POM: v.Meta.POM, Jar: v.Meta.Jar, Module: v.Meta.Module, Signed: v.Meta.Signed,
		Snippets: snippets(q.Group, q.Artifact, q.Version, v.Meta.POM),
	}
	if v.ID != q.Version {
		info.Build = v.ID
	}
	p, err := s.pomOf(ctx, q.Name, q.Version, v.ID)
	if err != nil || p == nil {
		return info, err
	}
	info.Project = &projectInfo{ModelVersion: p.ModelVersion, Modules: p.Modules}
	if err := s.inherit(ctx, p, info.Project); err != nil {
		return info, err
	}
	info.Dependencies, info.Managed = p.show(info.Project)
	return info, nil
}

// pomOf reads a version's POM; nil when there is none that can be read.
func (s *server) pomOf(ctx context.Context, name, version, id string) (*pom, error) {
	_, artifact := layout.SplitName(name)
	f, err := s.find(ctx, name, layout.FileKey(version, layout.File{Version: id, Ext: "pom"}.Join(artifact)))
	if err != nil {
		return nil, ignoreMissing(err)
	}
	text, err := s.store.ReadBlob(ctx, f.File.Digest, maxPOM)
	if errors.Is(err, store.ErrTooLarge) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	p, err := readPOM(text)
	if err != nil {
		return nil, nil // it was noted when it came
	}
	return p, nil
}

// inherit walks up and takes over what the POM itself does not say.
func (s *server) inherit(ctx context.Context, p *pom, info *projectInfo) error {
	for up := p.Parent; up != nil && len(info.Parents) < maxParents; {
		name := layout.PackageName(string(up.Group), string(up.Artifact))
		version := string(up.Version)
		var parent *pom
		if s.may(ctx, auth.Read, name) == nil {
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
		p.takeFrom(parent)
		up = parent.Parent
	}
	return nil
}

// takeFrom fills what is empty with what the parent says.
func (p *pom) takeFrom(parent *pom) {
	for to, from := range map[*markup.Text]markup.Text{
		&p.Description: parent.Description, &p.URL: parent.URL, &p.InceptionYear: parent.InceptionYear, &p.Organization: parent.Organization,
		&p.Issues: parent.Issues, &p.CI: parent.CI, &p.Maven: parent.Maven, &p.SCM.URL: parent.SCM.URL, &p.SCM.Connection: parent.SCM.Connection,
	} {
		if *to == "" {
			*to = from
		}
	}
	if len(p.Licenses) == 0 {
		p.Licenses = parent.Licenses
	}
	if len(p.Developers) == 0 {
		p.Developers = parent.Developers
	}
	if len(p.Contributors) == 0 {
		p.Contributors = parent.Contributors
	}
	if p.Properties == nil {
		p.Properties = properties{}
	}
	for k, v := range parent.Properties {
		if _, own := p.Properties[k]; !own {
			p.Properties[k] = v
		}
	}
	p.Dependencies = append(p.Dependencies, parent.Dependencies...)
	p.Managed = append(p.Managed, parent.Managed...)
}

// maxShown is how many dependencies a page is given.
const maxShown = 2000

// show fills in what is written with ${…}, and versions that only dependencyManagement has.
func (p *pom) show(project *projectInfo) (dependencies, managed []dependency) {
	for to, from := range map[*string]markup.Text{
		&project.Name: p.Name, &project.Description: p.Description, &project.InceptionYear: p.InceptionYear, &project.Organization: p.Organization, &project.Maven: p.Maven,
	} {
		*to = p.fill(from)
	}
	for to, from := range map[*string]markup.Text{&project.URL: p.URL, &project.Issues: p.Issues, &project.CI: p.CI} {
		*to = webURL(p.fill(from))
	}
	project.SCM = scm{URL: markup.Text(webURL(p.fill(p.SCM.URL))), Connection: markup.Text(p.fill(p.SCM.Connection)), Tag: markup.Text(p.fill(p.SCM.Tag))}
	for _, l := range p.Licenses[:min(len(p.Licenses), maxShown)] {
		project.Licenses = append(project.Licenses, licence{Name: l.Name, URL: markup.Text(webURL(p.fill(l.URL))), Distribution: l.Distribution})
	}
	project.Developers, project.Contributors = p.Developers[:min(len(p.Developers), maxShown)], p.Contributors[:min(len(p.Contributors), maxShown)]
	managed = p.filled(p.Managed)
	versions := map[string]markup.Text{}
	for _, d := range managed {
		if key := string(d.Group + ":" + d.Artifact); versions[key] == "" {
			versions[key] = d.Version
		}
	}
	dependencies = p.filled(p.Dependencies)
	for i := range dependencies {
		if d := &dependencies[i]; d.Version == "" {
			d.Version = versions[string(d.Group+":"+d.Artifact)]
		}
	}
	return dependencies, managed
}

func (p *pom) filled(list []dependency) []dependency {
	var out []dependency
	for _, d := range list[:min(len(list), maxShown)] {
		for _, t := range []*markup.Text{&d.Group, &d.Artifact, &d.Version, &d.Scope, &d.Type, &d.Classifier} {
			*t = markup.Text(p.fill(*t))
		}
		out = append(out, d)
	}
	return out
}

// snippets are the lines people copy into their builds.
func snippets(group, artifact, version string, facts *pomFacts) map[string]string {
	gav := group + ":" + artifact + ":" + version
	scope, kotlin := "", strconv.Quote(gav)
	if facts != nil && facts.BOM {
		scope, kotlin = "\n  <type>pom</type>\n  <scope>import</scope>", "platform("+strconv.Quote(gav)+")"
	}
	return map[string]string{
		"maven":    fmt.Sprintf("<dependency>\n  <groupId>%s</groupId>\n  <artifactId>%s</artifactId>\n  <version>%s</version>%s\n</dependency>", group, artifact, version, scope),
		"gradle":   "implementation " + kotlin,
		"kotlin":   "implementation(" + kotlin + ")",
		"catalog":  fmt.Sprintf("%s = { module = %q, version = %q }", artifact, group+":"+artifact, version),
		"sbt":      fmt.Sprintf("libraryDependencies += %q %% %q %% %q", group, artifact, version),
		"ivy":      fmt.Sprintf("<dependency org=%q name=%q rev=%q/>", group, artifact, version),
		"lein":     fmt.Sprintf("[%s/%s %q]", group, artifact, version),
		"bazel":    fmt.Sprintf("maven.install(artifacts = [%q])", gav),
		"coursier": "cs fetch " + gav,
	}
}
