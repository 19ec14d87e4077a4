// Package browse is what directories show: pages with plain links for browsers and for clients that read them
// (coursier), and the same as data, with all that is known of an artifact or version. Pure.
package browse

import (
	"bytes"
	"fmt"
	"html/template"
	"time"

	"larder/maven/archive"
	"larder/maven/metadata"
	"larder/maven/pom"
)

// Entry is a line of a directory.
type Entry struct {
	Name     string            `json:"name"` // with a slash at the end if it is a directory
	Size     int64             `json:"size,omitempty"`
	Modified time.Time         `json:"modified,omitzero"`
	Sums     map[string]string `json:"sums,omitempty"`
	State    string            `json:"state,omitempty"` // "" or incomplete, broken
	Reason   string            `json:"reason,omitempty"`
}

// Directory is what there is at a path.
type Directory struct {
	Path     string          `json:"path"`
	Entries  []Entry         `json:"entries"`
	Artifact *Artifact       `json:"artifact,omitempty"`
	Version  *Version        `json:"version,omitempty"`
	named    map[string]bool // names of the entries
}

// Add appends an entry, unless there is one of its name.
func (d *Directory) Add(e Entry) {
	if d.named == nil {
		d.named = map[string]bool{}
	}
	if !d.named[e.Name] {
		d.named[e.Name] = true
		d.Entries = append(d.Entries, e)
	}
}

// Reset takes all entries out again.
func (d *Directory) Reset() { d.Entries, d.named = d.Entries[:0], nil }

// Page renders the directory for browsers.
func (d *Directory) Page() ([]byte, error) {
	var page bytes.Buffer
	if err := directoryPage().Execute(&page, d); err != nil {
		return nil, fmt.Errorf("render directory: %w", err)
	}
	return page.Bytes(), nil
}

// Artifact is what pages show of an artifact.
type Artifact struct {
	Group    string            `json:"group"`
	Artifact string            `json:"artifact"`
	Latest   string            `json:"latest,omitempty"`
	Release  string            `json:"release,omitempty"`
	Owners   []string          `json:"owners,omitempty"`
	Versions []string          `json:"versions"`       // in Maven's order
	Open     []Entry           `json:"open,omitempty"` // on their way in, or stuck
	Plugins  []metadata.Plugin `json:"plugins,omitempty"`
}

// Version is what pages show of a version.
type Version struct {
	Group        string                       `json:"group"`
	Artifact     string                       `json:"artifact"`
	Version      string                       `json:"version"`
	Build        string                       `json:"build,omitempty"` // of a snapshot: the newest
	Published    time.Time                    `json:"published"`
	By           string                       `json:"by,omitempty"`
	Open         bool                         `json:"open,omitempty"`
	Broken       map[string]string            `json:"broken,omitempty"`
	Warnings     map[string][]string          `json:"warnings,omitempty"`
	POM          *pom.Facts                   `json:"pom,omitempty"`
	Jar          *archive.Jar                 `json:"jar,omitempty"`
	Module       *archive.Module              `json:"module,omitempty"`
	Signed       map[string]archive.Signature `json:"signed,omitempty"`
	Project      *pom.Info                    `json:"project,omitempty"`
	Snippets     map[string]string            `json:"snippets"`
	Dependencies []pom.Dependency             `json:"dependencies,omitempty"`
	Managed      []pom.Dependency             `json:"managed,omitempty"`
}

// directoryPage is parsed per page: they are rare, and a template is no state to keep.
func directoryPage() *template.Template {
	return template.Must(template.New("directory").Parse(`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{{if .Path}}{{.Path}}{{else}}Maven repository{{end}}</title>
<style>body{font-family:system-ui,sans-serif;margin:2em}td{padding:.1em 1.5em .1em 0}` +
		`td.n{text-align:right;font-variant-numeric:tabular-nums}</style>
</head>
<body>
<h1>{{if .Path}}{{.Path}}{{else}}Maven repository{{end}}</h1>
<table>
{{if .Path}}<tr><td><a href="../">../</a></td></tr>
{{end}}{{range .Entries}}<tr><td><a href="{{.Name}}">{{.Name}}</a></td>` +
		`<td>{{if not .Modified.IsZero}}{{.Modified.UTC.Format "2006-01-02 15:04"}}{{end}}</td>` +
		`<td class="n">{{if .Size}}{{.Size}}{{end}}</td></tr>
{{end}}</table>
</body>
</html>
`))
}
