package pages

// The page of a manifest of a container registry: platforms, layers, configuration, and what refers to it.

import (
	"bytes"
	"encoding/json"
	"html/template"
	"net/http"
	"strings"

	"larder/internal/describe"
	"larder/internal/problem"
	"larder/store"
)

const (
	shownBody = 64 << 10 // bytes of a manifest that are shown
	shownBars = 100      // layers that are drawn
	barWidth  = 1000.0   // of the drawing of all layers
)

// imagePage is what the page of a manifest shows.
type imagePage struct {
	describe.Package
	M         describe.Manifest
	Kind      store.Kind
	Tabs      tabs
	Installs  []install
	Asked     bool
	Platforms []platformRow
	Layers    []layerRow
	Bars      []layerBar
	Files     bool // the layers are files, not those of a file system
	Labels    []label
	Short     bool // a label's name is cut
	Facts     []describe.Fact
	Body      string // the manifest, "" when it is too large
	Path      string // its address below the root
	Pulls     int64
	Last      template.HTML
	Attached  bool        // some referrer's time is known
	By        *historyRow // as on the page of a version
	Change    *offersOf
}

// platformRow is an image of an index in a table.
type platformRow struct {
	describe.Platform
	Pulls int64
}

// layerRow is a step in a table; Share is its part of the largest layer, in percent.
type layerRow struct {
	describe.Step
	Share string
}

// layerBar is a layer in the drawing.
type layerBar struct {
	X, Width string
	Class    int
	Layer    int
	Size     int64
}

// label is one of a configuration's labels; Link is its value when that is an address.
type label struct {
	describe.Fact
	Short bool // its name is one of the image specification's, without their prefix
	Link  bool
}

const labelPrefix = "org.opencontainers.image."

func (k *kindPages) manifest(w http.ResponseWriter, r *http.Request, q request) error {
	ctx := r.Context()
	images, ok := k.describe.(describe.Images)
	if !ok {
		return problem.Errorf(problem.ErrNotFound, absent)
	}
	p, t, err := k.head(ctx, q.name, "version", false)
	if err != nil {
		return err
	}
	m, err := images.Manifest(ctx, q.name, q.version, q.platform)
	if err != nil {
		return err
	}
	page := imagePage{Package: p, M: m, Kind: k.kind, Tabs: t, Path: k.manifestPath(q.name, &m)}
	page.Installs, page.Asked = k.manifestInstalls(r, p, m.Version, q.client)
	ids := []string{m.ID}
	for _, each := range m.Platforms {
		ids = append(ids, each.Digest)
	}
	pulls, err := k.d.Wire.Store.PullsOf(ctx, k.kind, q.name, ids...)
	if err != nil {
		return err
	}
	now := k.d.Now()
	page.Pulls, page.Last = pulls[0].Total, last(pulls[0].Last, now)
	for i, each := range m.Platforms {
		page.Platforms = append(page.Platforms, platformRow{each, pulls[i+1].Since(chartDays, now)})
	}
	page.draw()
	if page.Change, err = k.offers(r, q.name, &m.Version); err != nil {
		return err
	}
	if page.By, err = k.publishedBy(ctx, p, m.Version); err != nil {
		return err
	}
	f := k.frame(r, clipName(p.Display+" "+m.Name), page)
	f.Private = page.Change != nil || page.By != nil || k.loginNeeded(r, q.name)
	return k.send(w, r, "image", f)
}

// manifestPath is where clients fetch the manifest itself.
func (k *kindPages) manifestPath(name string, m *describe.Manifest) string {
	if path := k.describe.Path(name, m.Version, describe.File{Name: m.ID}); path != "" {
		return k.path + path
	}
	return ""
}

// manifestInstalls are the snippets for a manifest: an image by its digest, a chart by its version.
func (k *kindPages) manifestInstalls(
	r *http.Request, p describe.Package, v describe.Version, client string,
) ([]install, bool) {
	if v.Withheld != "" {
		return nil, false
	}
	if !v.Chart {
		v.Name = v.ID
	} else if v.Name == v.ID {
		return nil, false // helm pulls what has a version
	}
	p.Latest = v
	return k.installs(r, p, client)
}

// draw prepares what the template shows of the image.
func (page *imagePage) draw() {
	m := &page.M
	page.Facts = m.Facts
	for _, r := range m.Referrers {
		page.Attached = page.Attached || !r.Attached.IsZero()
	}
	if len(m.Body) > 0 && len(m.Body) <= shownBody {
		var out bytes.Buffer
		if json.Indent(&out, m.Body, "", "  ") == nil {
			page.Body = out.String()
		}
	}
	if m.Image == nil {
		return
	}
	if len(m.Image.Config) > 0 {
		page.Facts = m.Image.Config
	}
	var sum, most int64
	for _, s := range m.Image.Steps {
		sum, most = sum+s.Size, max(most, s.Size)
		page.Files = page.Files || s.Type != ""
	}
	x := 0.0
	for _, s := range m.Image.Steps {
		row := layerRow{Step: s}
		if s.Layer > 0 && most > 0 {
			row.Share = decimal(max(100*float64(s.Size)/float64(most), 1))
			wide := max(barWidth*float64(s.Size)/float64(max(sum, 1)), 3)
			if len(page.Bars) < shownBars {
				page.Bars = append(page.Bars, layerBar{decimal(x), decimal(wide), s.Layer%3 + 1, s.Layer, s.Size})
			}
			x += wide
		}
		page.Layers = append(page.Layers, row)
	}
	for _, f := range m.Image.Labels {
		one := label{Fact: f, Link: strings.HasPrefix(f.Value, "https://") || strings.HasPrefix(f.Value, "http://")}
		if rest, ok := strings.CutPrefix(f.Name, labelPrefix); ok {
			one.Name, one.Short, page.Short = rest, true, true
		}
		page.Labels = append(page.Labels, one)
	}
}
