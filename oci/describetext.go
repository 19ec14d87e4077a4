package oci

// READMEs of repositories: a referrer that is one, what a chart has in its archive, or the manifest's annotation.

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"strings"

	"github.com/opencontainers/go-digest"

	"larder/internal/archive"
	"larder/internal/describe"
	"larder/internal/registry"
	"larder/oci/manifest"
	"larder/store"
)

const (
	maxText   = 512 << 10 // bytes of a text
	maxChart  = 8 << 20   // bytes of a chart's archive, packed
	typeChart = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
)

func (s *server) readmeText(ctx context.Context, name string, v *store.Version[Meta]) (describe.Text, error) {
	body, err := s.Store.ReadBlob(ctx, v.Files[0].Digest, v.Files[0].Size)
	if err != nil {
		return describe.Text{}, err
	}
	return readmeOf(ctx, hosted{s, name}, digest.Digest(v.ID), v.Meta.MediaType, body)
}

func (s *server) readmeOfCopy(ctx context.Context, name string, v *describe.Version) (describe.Text, error) {
	c, err := s.copied(ctx, name)
	if err != nil {
		return describe.Text{}, err
	}
	body, mediaType, err := c.manifest(ctx, digest.Digest(v.ID))
	if err != nil {
		return describe.Text{}, absentIsNone(err)
	}
	return readmeOf(ctx, c, digest.Digest(v.ID), mediaType, body)
}

// absentIsNone drops the error of what is not here, or too large: then there is no README.
func absentIsNone(err error) error {
	if registry.IsOneOf(err, store.ErrNotFound, store.ErrTooLarge) {
		return nil
	}
	return err
}

// readmeOf looks for the text of a manifest; the zero Text when there is none.
func readmeOf(
	ctx context.Context, from content, id digest.Digest, mediaType string, body []byte,
) (text describe.Text, err error) {
	if text, err = attachedReadme(ctx, from, id); err != nil || text.Body != "" {
		return text, err
	}
	m, err := manifest.ParseKept(mediaType, body)
	if err != nil {
		return text, nil // it is of a form that is passed on, and not read
	}
	for _, d := range m.Blobs {
		if d.MediaType == typeChart {
			return chartReadme(ctx, from, d.Digest)
		}
	}
	a := m.Annotations
	description := a[annotation+"description"]
	if m.Config != nil && description == "" && isImageConfig(m.Config.MediaType) {
		raw, err := from.read(ctx, m.Config.Digest, maxConfig)
		if err != nil {
			return text, absentIsNone(err)
		}
		if c, err := readConfig(raw); err == nil {
			a, description = c.Config.Labels, c.Config.Labels[annotation+"description"]
		}
	}
	// A line is the summary; the address of a documentation is a link.
	long := func(s string) string {
		if !strings.Contains(strings.TrimSpace(s), "\n") {
			return ""
		}
		return s
	}
	return describe.Text{Body: cmp.Or(long(a[annotation+"documentation"]), long(description)), Markdown: true}, nil
}

// attachedReadme is the text of a referrer that says it is Markdown or plain text.
func attachedReadme(ctx context.Context, from content, id digest.Digest) (text describe.Text, err error) {
	list, err := from.referrers(ctx, id, maxReferrers)
	if err != nil {
		return text, err
	}
	for _, raw := range list {
		var d manifest.Descriptor
		if json.Unmarshal(raw, &d) != nil || !isReadmeType(d.ArtifactType) {
			continue
		}
		body, mediaType, err := from.manifest(ctx, d.Digest)
		if err != nil {
			return text, absentIsNone(err)
		}
		m, err := manifest.ParseKept(mediaType, body)
		if err != nil || len(m.Blobs) == 0 {
			continue
		}
		content, err := from.read(ctx, m.Blobs[0].Digest, maxText)
		if err != nil {
			return text, absentIsNone(err)
		}
		return describe.Text{Body: string(content), Markdown: d.ArtifactType != "text/plain"}, nil
	}
	return text, nil
}

// chartReadme is the README in a chart's archive.
func chartReadme(ctx context.Context, from content, d digest.Digest) (text describe.Text, err error) {
	packed, err := from.read(ctx, d, maxChart)
	if err != nil {
		return text, absentIsNone(err)
	}
	found, err := archive.TarReadme(bytes.NewReader(packed), 1)
	if err != nil {
		return text, nil // no archive that can be read
	}
	return describe.ReadmeText(found.Text, found.Name), nil
}
