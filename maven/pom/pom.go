// Package pom reads POMs. Nothing is rewritten, and nothing a POM says can refuse it. Pure.
package pom

import (
	"encoding/xml"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"larder/maven/markup"
)

// GAV is what dependencies, parents and relocations have.
type GAV struct {
	Group    markup.Text `xml:"groupId" json:"group,omitempty"`
	Artifact markup.Text `xml:"artifactId" json:"artifact,omitempty"`
	Version  markup.Text `xml:"version" json:"version,omitempty"`
}

// Dependency is one dependency, managed or not.
type Dependency struct {
	GAV
	Scope      markup.Text `xml:"scope" json:"scope,omitempty"`
	Type       markup.Text `xml:"type" json:"type,omitempty"`
	Classifier markup.Text `xml:"classifier" json:"classifier,omitempty"`
	Optional   markup.Text `xml:"optional" json:"optional,omitempty"`
	Exclusions []GAV       `xml:"exclusions>exclusion" json:"exclusions,omitempty"`
}

// Person is a developer or contributor.
type Person struct {
	ID   markup.Text `xml:"id" json:"id,omitempty"`
	Name markup.Text `xml:"name" json:"name,omitempty"`
}

// Licence is a licence by name.
type Licence struct {
	Name         markup.Text `xml:"name" json:"name,omitempty"`
	URL          markup.Text `xml:"url" json:"url,omitempty"`
	Distribution markup.Text `xml:"distribution" json:"distribution,omitempty"`
}

// Project is what is read of a project descriptor.
type Project struct {
	GAV
	ModelVersion  markup.Text   `xml:"modelVersion"`
	Parent        *GAV          `xml:"parent"`
	Packaging     markup.Text   `xml:"packaging"`
	Name          markup.Text   `xml:"name"`
	Description   markup.Text   `xml:"description"`
	URL           markup.Text   `xml:"url"`
	InceptionYear markup.Text   `xml:"inceptionYear"`
	Organization  markup.Text   `xml:"organization>name"`
	Licenses      []Licence     `xml:"licenses>license"`
	Developers    []Person      `xml:"developers>developer"`
	Contributors  []Person      `xml:"contributors>contributor"`
	SCM           SCM           `xml:"scm"`
	Issues        markup.Text   `xml:"issueManagement>url"`
	CI            markup.Text   `xml:"ciManagement>url"`
	Maven         markup.Text   `xml:"prerequisites>maven"`
	Properties    properties    `xml:"properties"`
	Dependencies  []Dependency  `xml:"dependencies>dependency"`
	Managed       []Dependency  `xml:"dependencyManagement>dependencies>dependency"`
	Modules       []markup.Text `xml:"modules>module"`
	Relocation    *Relocation   `xml:"distributionManagement>relocation"`
	Repositories  []markup.Text `xml:"repositories>repository>url"`
}

// SCM is where the source is.
type SCM struct {
	URL        markup.Text `xml:"url" json:"url,omitempty"`
	Connection markup.Text `xml:"connection" json:"connection,omitempty"`
	Tag        markup.Text `xml:"tag" json:"tag,omitempty"`
}

// Relocation is where an artifact went; what it leaves out stays as it is.
type Relocation struct {
	GAV
	Message markup.Text `xml:"message" json:"message,omitempty"`
}

// properties are elements whose names are the keys.
type properties map[string]string

// UnmarshalXML implements xml.Unmarshaler.
func (p *properties) UnmarshalXML(d *xml.Decoder, start xml.StartElement) error {
	*p = properties{}
	for {
		t, err := d.Token()
		if err != nil {
			return err
		}
		switch t := t.(type) {
		case xml.StartElement:
			var v markup.Text
			if err := d.DecodeElement(&v, &t); err != nil {
				return err
			}
			(*p)[t.Name.Local] = string(v)
		case xml.EndElement:
			return nil
		}
	}
}

// Read reads a POM as it is written, without its parents.
func Read(text []byte) (*Project, error) {
	var p Project
	if err := markup.Decode(text, "project", markup.POMTokens, &p); err != nil {
		return nil, err
	}
	if p.Packaging == "" {
		p.Packaging = "jar"
	}
	return &p, nil
}

// Facts is what a record keeps of the POM. The rest is read when a page asks for it.
type Facts struct {
	Packaging   string   `json:"packaging"`
	Name        string   `json:"name,omitempty"`
	Description string   `json:"description,omitempty"`
	URL         string   `json:"url,omitempty"`
	Licenses    []string `json:"licenses,omitempty"`
	Parent      string   `json:"parent,omitempty"`
	BOM         bool     `json:"bom,omitempty"`
	Relocation  string   `json:"relocation,omitempty"` // where it went, "" if it did not
	Message     string   `json:"message,omitempty"`    // of the relocation
	// Needs are the artifacts that it depends on, as group:artifact, but for those of its tests; what its parents add is
	// not among them.
	Needs []string `json:"needs,omitempty"`
}

// maxNeeds is how many dependencies are kept as facts.
const maxNeeds = 100

// needs are the artifacts that the POM itself depends on.
func (p *Project) needs() (list []string) {
	for _, d := range p.Dependencies {
		group, artifact := p.fill(d.Group), p.fill(d.Artifact)
		if name := group + ":" + artifact; d.Scope != "test" && len(list) < maxNeeds && group != "" && artifact != "" &&
			!strings.Contains(name, "$") && !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	return list
}

// ReadFacts reads a POM and compares it with where it was put.
func ReadFacts(text []byte, group, artifact, version string) (f *Facts, warnings []string) {
	p, err := Read(text)
	if err != nil {
		return &Facts{Packaging: "jar"}, []string{"the POM cannot be read"}
	}
	for _, c := range []struct {
		what      string
		own, path string
	}{
		{"groupId", p.fill(p.effective().Group), group}, {"artifactId", p.fill(p.Artifact), artifact},
		{"version", p.fill(p.effective().Version), version},
	} {
		if c.own != c.path && !strings.Contains(c.own, "${") {
			warnings = append(warnings, fmt.Sprintf("the POM's %s is %.100q, not %.100q", c.what, c.own, c.path))
		}
	}
	if len(p.Repositories) > 0 {
		warnings = append(warnings, "the POM names repositories of its own")
	}
	f = &Facts{
		Packaging: markup.Clip(p.fill(p.Packaging), 100), Name: markup.Clip(p.fill(p.Name), 200),
		Description: markup.Clip(p.fill(p.Description), 500), URL: webURL(p.fill(p.URL)), BOM: p.isBOM(),
	}
	for _, l := range p.Licenses[:min(len(p.Licenses), 10)] {
		f.Licenses = append(f.Licenses, markup.Clip(string(l.Name), 100))
	}
	f.Needs = p.needs()
	if p.Parent != nil {
		f.Parent = markup.Clip(p.Parent.String(), 500)
	}
	if r := p.Relocation; r != nil {
		f.Relocation, f.Message = markup.Clip(p.relocated().String(), 500), markup.Clip(p.fill(r.Message), 500)
	}
	return f, warnings
}

// String is group:artifact:version.
func (g GAV) String() string {
	return string(g.Group) + ":" + string(g.Artifact) + ":" + string(g.Version)
}

// effective are the POM's coordinates, with what it has from its parent.
func (p *Project) effective() GAV {
	g := p.GAV
	if p.Parent != nil {
		if g.Group == "" {
			g.Group = p.Parent.Group
		}
		if g.Version == "" {
			g.Version = p.Parent.Version
		}
	}
	return g
}

// relocated is where a relocation leads: what it leaves out stays as it is.
func (p *Project) relocated() GAV {
	g := p.effective()
	for to, from := range map[*markup.Text]markup.Text{
		&g.Group: p.Relocation.Group, &g.Artifact: p.Relocation.Artifact, &g.Version: p.Relocation.Version,
	} {
		if from != "" {
			*to = from
		}
	}
	return g
}

// isBOM: a list of managed versions and nothing else.
func (p *Project) isBOM() bool {
	return p.Packaging == "pom" && len(p.Managed) > 0 && len(p.Modules) == 0
}

// maxFill bounds a text after interpolation.
const maxFill = 16 << 10

// fill replaces ${…} by what the POM itself says; what it does not say stays as it is.
func (p *Project) fill(t markup.Text) string {
	s := string(t)
	for range 10 { // values refer to values
		before, rest, found := strings.Cut(s, "${")
		if !found || len(s) > maxFill {
			return s
		}
		var out strings.Builder
		changed := false
		for found {
			out.WriteString(before)
			key, after, closed := strings.Cut(rest, "}")
			if v, ok := p.lookup(key); ok && closed && out.Len() <= maxFill {
				out.WriteString(v)
				rest, changed = after, true
			} else {
				out.WriteString("${")
			}
			before, rest, found = strings.Cut(rest, "${")
		}
		out.WriteString(before)
		if out.Len() > maxFill {
			return s
		}
		if s = out.String(); !changed {
			return s
		}
	}
	return s
}

func (p *Project) lookup(key string) (string, bool) {
	if v, ok := p.Properties[key]; ok {
		return v, true
	}
	own := p.effective()
	switch strings.TrimPrefix(strings.TrimPrefix(key, "project."), "pom.") {
	case "groupId":
		return string(own.Group), own.Group != ""
	case "artifactId":
		return string(own.Artifact), own.Artifact != ""
	case "version":
		return string(own.Version), own.Version != ""
	case "name":
		return string(p.Name), p.Name != "" && !strings.Contains(string(p.Name), "${")
	case "parent.version":
		return string(parentOf(p).Version), p.Parent != nil
	case "parent.groupId":
		return string(parentOf(p).Group), p.Parent != nil
	}
	return "", false
}

func parentOf(p *Project) GAV {
	if p.Parent == nil {
		return GAV{}
	}
	return *p.Parent
}

// webURL passes only what a browser may be sent to.
func webURL(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil {
		return ""
	}
	return markup.Clip(s, 500)
}
