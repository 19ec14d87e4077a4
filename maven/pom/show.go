package pom

// What pages show of a POM, with what its parents say.

import (
	"fmt"
	"strconv"

	"larder/maven/markup"
)

// Info is what the POM says, with what it has from its parents, as far as these are here.
type Info struct {
	ModelVersion  markup.Text   `json:"model_version,omitempty"`
	Name          string        `json:"name,omitempty"`
	Description   string        `json:"description,omitempty"`
	URL           string        `json:"url,omitempty"`
	InceptionYear string        `json:"inception_year,omitempty"`
	Organization  string        `json:"organization,omitempty"`
	Licenses      []Licence     `json:"licenses,omitempty"`
	Developers    []Person      `json:"developers,omitempty"`
	Contributors  []Person      `json:"contributors,omitempty"`
	SCM           SCM           `json:"scm,omitzero"`
	Issues        string        `json:"issues,omitempty"`
	CI            string        `json:"ci,omitempty"`
	Maven         string        `json:"maven,omitempty"`
	Modules       []markup.Text `json:"modules,omitempty"`
	Parents       []string      `json:"parents,omitempty"` // nearest first
	Missing       string        `json:"missing,omitempty"` // the first parent that is not here
}

// TakeFrom fills what is empty with what the parent says.
func (p *Project) TakeFrom(parent *Project) {
	for to, from := range map[*markup.Text]markup.Text{
		&p.Description: parent.Description, &p.URL: parent.URL, &p.InceptionYear: parent.InceptionYear,
		&p.Organization: parent.Organization, &p.Issues: parent.Issues, &p.CI: parent.CI, &p.Maven: parent.Maven,
		&p.SCM.URL: parent.SCM.URL, &p.SCM.Connection: parent.SCM.Connection,
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

// Show fills in what is written with ${…}, and versions that only dependencyManagement has.
func (p *Project) Show(project *Info) (dependencies, managed []Dependency) {
	for to, from := range map[*string]markup.Text{
		&project.Name: p.Name, &project.Description: p.Description, &project.InceptionYear: p.InceptionYear,
		&project.Organization: p.Organization, &project.Maven: p.Maven,
	} {
		*to = p.fill(from)
	}
	for to, from := range map[*string]markup.Text{&project.URL: p.URL, &project.Issues: p.Issues, &project.CI: p.CI} {
		*to = webURL(p.fill(from))
	}
	project.SCM = SCM{
		URL: markup.Text(webURL(p.fill(p.SCM.URL))), Connection: markup.Text(p.fill(p.SCM.Connection)),
		Tag: markup.Text(p.fill(p.SCM.Tag)),
	}
	for _, l := range p.Licenses[:min(len(p.Licenses), maxShown)] {
		project.Licenses = append(project.Licenses, Licence{
			Name: l.Name, URL: markup.Text(webURL(p.fill(l.URL))), Distribution: l.Distribution,
		})
	}
	project.Developers = p.Developers[:min(len(p.Developers), maxShown)]
	project.Contributors = p.Contributors[:min(len(p.Contributors), maxShown)]
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

func (p *Project) filled(list []Dependency) []Dependency {
	var out []Dependency
	for _, d := range list[:min(len(list), maxShown)] {
		for _, t := range []*markup.Text{&d.Group, &d.Artifact, &d.Version, &d.Scope, &d.Type, &d.Classifier} {
			*t = markup.Text(p.fill(*t))
		}
		out = append(out, d)
	}
	return out
}

// Snippets are the lines people copy into their builds.
func Snippets(group, artifact, version string, facts *Facts) map[string]string {
	gav := group + ":" + artifact + ":" + version
	scope, kotlin := "", strconv.Quote(gav)
	if facts != nil && facts.BOM {
		scope, kotlin = "\n  <type>pom</type>\n  <scope>import</scope>", "platform("+strconv.Quote(gav)+")"
	}
	return map[string]string{
		"maven": fmt.Sprintf(
			"<dependency>\n  <groupId>%s</groupId>\n  <artifactId>%s</artifactId>\n  <version>%s</version>%s\n</dependency>",
			group, artifact, version, scope,
		),
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
