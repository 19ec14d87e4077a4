package oci

// What the page of a manifest shows: platforms, layers and the commands that made them, configuration, referrers.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"larder/internal/describe"
	"larder/oci/manifest"
	"larder/store"
)

// Limits of one page.
const (
	maxPlatforms    = 64
	maxSteps        = 500
	maxLabels       = 200
	maxEnv          = 200
	maxReferrers    = 50
	maxReferrersFor = 16 // images and attestations of an index that are looked at
	maxPredicates   = 8
)

// child is a manifest that an index names.
type child struct {
	manifest.Descriptor
	Platform struct {
		OS, Architecture, Variant string
		Version                   string `json:"os.version"`
	}
	platform string
}

// childrenOf are the images of an index, and what stands beside them: attestations, which are no platforms.
func childrenOf(body []byte) (platforms, beside []child) {
	var index struct{ Manifests []child }
	if json.Unmarshal(body, &index) != nil {
		return nil, nil
	}
	for _, c := range index.Manifests {
		c.platform = platformOf(c.Platform.OS, c.Platform.Architecture, c.Platform.Variant)
		if c.Platform.OS == "windows" && c.Platform.Version != "" {
			c.platform += " " + c.Platform.Version
		}
		if c.Annotations[referenceType] != "" || c.platform == "unknown/unknown" {
			beside = append(beside, c)
			continue
		}
		if c.platform == "" {
			c.platform = "any"
		}
		platforms = append(platforms, c)
	}
	return platforms, beside
}

// Annotations by which BuildKit says of what a manifest of an index is an attestation.
const (
	referenceType   = "vnd.docker.reference.type"
	referenceDigest = "vnd.docker.reference.digest"
	predicateType   = "in-toto.io/predicate-type"
)

// platformOf is a platform as clients write it, "" for none.
func platformOf(os, architecture, variant string) string {
	return strings.Trim(os+"/"+architecture+"/"+variant, "/")
}

// config is the part of an image's configuration that pages show.
type config struct {
	Created      string
	Architecture string
	OS           string
	Variant      string
	Config       struct {
		Entrypoint, Cmd, Env []string
		User                 string
		WorkingDir           string
		StopSignal           string
		ExposedPorts         map[string]any
		Volumes              map[string]any
		Labels               map[string]string
	}
	History []struct {
		Created    string
		CreatedBy  string `json:"created_by"`
		Comment    string
		EmptyLayer bool `json:"empty_layer"`
	}
}

func readConfig(raw []byte) (c config, err error) {
	err = json.Unmarshal(raw, &c)
	return c, err
}

// facts are what the configuration says of a container.
func (c *config) facts() []describe.Fact {
	var v describe.Version
	v.Fact("Entrypoint", words(c.Config.Entrypoint))
	v.Fact("Command", words(c.Config.Cmd))
	v.Fact("User", c.Config.User)
	v.Fact("Folder", c.Config.WorkingDir)
	v.Fact("Ports", strings.Join(slices.Sorted(maps.Keys(c.Config.ExposedPorts)), ", "))
	v.Fact("Volumes", strings.Join(slices.Sorted(maps.Keys(c.Config.Volumes)), ", "))
	v.Fact("Stop signal", c.Config.StopSignal)
	return v.Facts
}

// words is a command as its configuration has it.
func words(list []string) string {
	if len(list) == 0 {
		return ""
	}
	text, err := json.Marshal(list)
	if err != nil {
		return strings.Join(list, " ")
	}
	return string(text)
}

// contentOf is the content of a repository by its name on pages.
func (s *server) contentOf(ctx context.Context, name string) (content, error) {
	if s.Up == nil || s.known(ctx, name) {
		return hosted{s, name}, nil
	}
	of, err := s.copyName(ctx, name)
	if err != nil {
		return nil, err
	}
	return s.copied(ctx, of)
}

// Manifest implements describe.Images.
func (d described) Manifest(
	ctx context.Context, name, id, platform string,
) (out describe.Manifest, err error) {
	if out.Version, err = d.Version(ctx, name, id); err != nil || out.Withheld != "" {
		return out, err
	}
	from, err := d.s.contentOf(ctx, name)
	if err != nil {
		return out, err
	}
	var mediaType string
	if out.Body, mediaType, err = from.manifest(ctx, digest.Digest(id)); err != nil {
		return out, err
	}
	m, err := manifest.ParseKept(mediaType, out.Body)
	if err != nil {
		return out, nil // it is of a form that is passed on, and not read
	}
	of := []subject{{"", digest.Digest(id)}}
	if m.MediaType != manifest.TypeIndex && m.MediaType != manifest.TypeDockerList {
		out.Image, err = readImage(ctx, from, digest.Digest(id), "", int64(len(out.Body)), &m)
	} else if err = addPlatforms(ctx, from, platform, &out); err == nil {
		for _, p := range out.Platforms[:min(len(out.Platforms), maxReferrersFor)] {
			of = append(of, subject{p.Name, digest.Digest(p.Digest)})
		}
	}
	if err != nil {
		return out, err
	}
	return out, addReferrers(ctx, from, of, &out)
}

// addPlatforms reads the images of an index.
func addPlatforms(ctx context.Context, from content, shown string, out *describe.Manifest) error {
	platforms, beside := childrenOf(out.Body)
	sizes, at := map[digest.Digest]int64{}, -1
	var image manifest.Manifest
	var size int64
	for _, c := range platforms[:min(len(platforms), maxPlatforms)] {
		p := describe.Platform{Name: c.platform, Digest: c.Digest.String()}
		body, mediaType, err := from.manifest(ctx, c.Digest)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if err == nil {
			m, err := manifest.ParseKept(mediaType, body)
			if p.Here = err == nil; p.Here {
				p.Pull = pull(&m, c.Digest, int64(len(body)), sizes)
			}
			if p.Here && (at < 0 || p.Name == shown && out.Platforms[at].Name != shown) {
				at, image, size = len(out.Platforms), m, int64(len(body))
			}
		}
		out.Platforms = append(out.Platforms, p)
	}
	for _, n := range sizes {
		out.Pull += n
	}
	for _, c := range beside[:min(len(beside), maxReferrersFor)] {
		r, err := attestation(ctx, from, c, platforms)
		if err != nil {
			return err
		}
		out.Referrers = append(out.Referrers, r)
	}
	if at < 0 {
		return nil
	}
	p := &out.Platforms[at]
	p.Shown = true
	var err error
	out.Image, err = readImage(ctx, from, digest.Digest(p.Digest), p.Name, size, &image)
	return err
}

// pull is what a client fetches for an image, each blob once; all is given the same.
func pull(m *manifest.Manifest, id digest.Digest, size int64, all map[digest.Digest]int64) int64 {
	own := map[digest.Digest]int64{id: size}
	for _, d := range m.References() {
		if !d.Foreign() {
			own[d.Digest] = d.Size
		}
	}
	sum := int64(0)
	for d, n := range own {
		all[d] = n
		sum += n
	}
	return sum
}

// readImage reads an image's configuration. What is not here is left out.
func readImage(
	ctx context.Context, from content, id digest.Digest, platform string, size int64, m *manifest.Manifest,
) (*describe.Image, error) {
	image := &describe.Image{
		Digest: id.String(), Platform: platform, Pull: pull(m, id, size, map[digest.Digest]int64{}), Layers: len(m.Blobs),
	}
	var c config
	if m.Config != nil {
		raw, err := from.read(ctx, m.Config.Digest, maxConfig)
		if err != nil && !errors.Is(err, store.ErrNotFound) && !errors.Is(err, store.ErrTooLarge) {
			return nil, err
		}
		if isImageConfig(m.Config.MediaType) && err == nil {
			if c, err = readConfig(raw); err != nil {
				c = config{} // it is no configuration of an image
			}
		}
	}
	if image.Platform == "" {
		image.Platform = platformOf(c.OS, c.Architecture, c.Variant)
	}
	image.Created, _ = time.Parse(time.RFC3339Nano, c.Created) // the zero time for what is none
	image.Steps, image.Config = steps(&c, m.Blobs), c.facts()
	for _, e := range c.Config.Env[:min(len(c.Config.Env), maxEnv)] {
		image.Config = append(image.Config, describe.Fact{Name: "Env", Value: e})
	}
	for _, key := range slices.Sorted(maps.Keys(c.Config.Labels)) {
		if len(image.Labels) < maxLabels {
			image.Labels = append(image.Labels, describe.Fact{Name: key, Value: c.Config.Labels[key]})
		}
	}
	return image, nil
}

func isImageConfig(mediaType string) bool {
	return mediaType == "application/vnd.oci.image.config.v1+json" ||
		mediaType == "application/vnd.docker.container.image.v1+json"
}

// steps joins layers with the history that made them. A history that does not fit says nothing of layers.
func steps(c *config, layers []manifest.Descriptor) (list []describe.Step) {
	filled := 0
	for _, h := range c.History {
		if !h.EmptyLayer {
			filled++
		}
	}
	n := 0
	layer := func(command string) {
		d := layers[n]
		n++
		step := describe.Step{Layer: n, Digest: d.Digest.String(), Size: d.Size, Command: command}
		if !strings.Contains(d.MediaType, "image.layer") && !strings.Contains(d.MediaType, "image.rootfs") {
			step.Type = d.MediaType
		}
		if title := d.Annotations[annotation+"title"]; command == "" {
			step.Command = title
		}
		list = append(list, step)
	}
	if filled == len(layers) {
		for _, h := range c.History[:min(len(c.History), maxSteps)] {
			switch command := commandOf(h.CreatedBy, h.Comment); {
			case !h.EmptyLayer:
				layer(command)
			case command != "":
				list = append(list, describe.Step{Command: command})
			}
		}
	}
	for n < len(layers) && len(list) < maxSteps {
		layer("")
	}
	return list
}

// commandOf is an entry of a history as a line of a Dockerfile: builders write the shell in front of it.
func commandOf(by, comment string) string {
	const shell, none = "/bin/sh -c ", "#(nop) "
	by = strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(by), "# buildkit"))
	switch rest, run := strings.CutPrefix(by, "RUN "+shell); {
	case run:
		return "RUN " + strings.TrimSpace(rest)
	case strings.HasPrefix(by, shell+none):
		return strings.TrimSpace(by[len(shell+none):])
	case strings.HasPrefix(by, shell):
		return "RUN " + strings.TrimSpace(by[len(shell):])
	case by == "":
		return strings.TrimSpace(comment)
	}
	return by
}

// subject is a manifest that others may be about; platform is "" for the one that the page is about.
type subject struct {
	platform string
	digest   digest.Digest
}

// addReferrers lists what is about manifests: by the referrers of the specification, and by the tags that cosign makes.
func addReferrers(ctx context.Context, from content, of []subject, out *describe.Manifest) error {
	var tags []string
	endings := []string{".sig", ".att", ".sbom"}
	for _, s := range of {
		list, err := from.referrers(ctx, s.digest, maxReferrers+1)
		if err != nil {
			return err
		}
		for _, raw := range list {
			var d manifest.Descriptor
			if json.Unmarshal(raw, &d) == nil {
				out.Referrers = append(out.Referrers, referrer(d, s.platform))
			}
		}
		for _, ending := range endings {
			tags = append(tags, manifest.FallbackTag(s.digest)+ending)
		}
	}
	found, err := from.tagged(ctx, tags)
	if err != nil {
		return err
	}
	for i, d := range found {
		if d == "" {
			continue
		}
		out.Referrers = append(out.Referrers, describe.Referrer{
			What: []string{"Signature", "Attestation", "SBOM"}[i%len(endings)], Note: "by its tag " + tags[i],
			Of: of[i/len(endings)].platform, Digest: d.String(),
		})
	}
	if len(out.Referrers) > maxReferrers {
		out.Referrers, out.More = out.Referrers[:maxReferrers], true
	}
	return from.attached(ctx, out.Referrers)
}

// attestation is one that stands in an index beside the images.
func attestation(ctx context.Context, from content, c child, platforms []child) (describe.Referrer, error) {
	r := describe.Referrer{What: "Attestation", Note: "not a platform", Digest: c.Digest.String(), Size: c.Size}
	i := slices.IndexFunc(platforms, func(p child) bool { return p.Digest.String() == c.Annotations[referenceDigest] })
	if i >= 0 {
		r.Of = platforms[i].platform
	}
	body, mediaType, err := from.manifest(ctx, c.Digest)
	if errors.Is(err, store.ErrNotFound) {
		return r, nil
	}
	if err != nil {
		return r, err
	}
	m, err := manifest.ParseKept(mediaType, body)
	if err != nil {
		return r, nil // nothing more is known of it
	}
	var says []string
	for _, b := range m.Blobs[:min(len(m.Blobs), maxPredicates)] {
		if text := b.Annotations[predicateType]; text != "" {
			says = append(says, fmt.Sprintf("%.200s", text))
		}
	}
	r.Type = strings.Join(says, ", ")
	return r, nil
}

// referrer is one by its descriptor.
func referrer(d manifest.Descriptor, platform string) describe.Referrer {
	r := describe.Referrer{
		What: whatIs(d), Type: d.ArtifactType, Of: platform, Digest: d.Digest.String(), Size: d.Size,
	}
	for _, key := range []string{
		predicateType, "dev.sigstore.bundle.predicateType", annotation + "title",
	} {
		if text := d.Annotations[key]; text != "" {
			r.Note = fmt.Sprintf("%.200s", text)
			break
		}
	}
	return r
}

// whatIs says what a referrer is by its type: the types of cosign, Notation, ORAS, BuildKit and of the usual forms of
// lists of contents.
func whatIs(d manifest.Descriptor) string {
	t := strings.ToLower(d.ArtifactType)
	has := func(words ...string) bool {
		return slices.ContainsFunc(words, func(word string) bool { return strings.Contains(t, word) })
	}
	switch {
	case has("spdx", "cyclonedx", "syft", "sbom"):
		return "SBOM"
	case has("sigstore.bundle") && d.Annotations["dev.sigstore.bundle.content"] == "dsse-envelope",
		has("in-toto", "attestation", "dsse", "slsa", "provenance"):
		return "Attestation"
	case has("cosign", "notary.signature", "sigstore", "signature"):
		return "Signature"
	case isReadmeType(t):
		return "Readme"
	}
	return "Artifact"
}

func isReadmeType(t string) bool {
	return t == "text/markdown" || t == "text/x-markdown" || t == "text/plain"
}
