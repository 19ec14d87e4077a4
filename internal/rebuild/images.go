package rebuild

// This file pushes images: their blobs, the manifests that an index lists, and then the manifest itself. Tags are lost,
// except those that an annotation has.

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"larder/store"
	"larder/web"
)

// pushing is one run over all images.
type pushing struct {
	p    *Publisher
	list []web.Rebuilt
	at   map[digest.Digest]int // manifests in list
	done map[string]error      // REPOSITORY@DIGEST → nil, or why not
}

// images pushes the chosen manifests. An index is pushed with the manifests that it lists, and each after what it
// refers to.
func (p *Publisher) images(ctx context.Context, list []web.Rebuilt, progress func(done, total int64)) error {
	run := &pushing{p: p, list: list, at: map[digest.Digest]int{}, done: map[string]error{}}
	listed := map[digest.Digest]bool{}
	for i, r := range list {
		if r.Kind != store.OCI || r.Confidence == store.Part {
			continue
		}
		run.at[r.Digest] = i
		for _, d := range r.Parts {
			listed[d] = true
		}
	}
	for i := range list {
		progress(int64(i), int64(len(list)))
		if at, isManifest := run.at[list[i].Digest]; !isManifest || at != i {
			continue
		}
		if err := run.root(ctx, &list[i], listed[list[i].Digest]); err != nil {
			return err
		}
	}
	run.parts()
	return nil
}

// root pushes a manifest to its repositories. One that an index lists is only pushed if its digest is chosen.
func (run *pushing) root(ctx context.Context, r *web.Rebuilt, listed bool) error {
	own, all := repositories(run.p.choices, string(r.Digest))
	switch {
	case len(own) > 0:
		all = own
	case listed:
		return nil
	case len(all) == 0 && slices.ContainsFunc(run.p.choices, func(c *Choice) bool { return c.kind == "" }):
		return refuse(r, "an image does not say its repository: name one with --publish oci:REPOSITORY")
	case len(all) == 0:
		return nil
	case run.p.Serve[store.OCI] == nil:
		return refuse(r, "the protocol %s is switched off", store.OCI)
	}
	for _, repo := range all {
		if err := run.push(ctx, repo, r); err != nil {
			return err
		}
	}
	return nil
}

// push pushes a manifest with all that it refers to, once, and records the outcome.
func (run *pushing) push(ctx context.Context, repo string, r *web.Rebuilt) error {
	key := repo + "@" + string(r.Digest)
	if _, done := run.done[key]; done {
		return nil
	}
	run.done[key] = nil // an index that lists itself ends here
	here, err := run.here(ctx, repo, "manifests", r.Digest)
	if err == nil && here {
		r.Name, r.Outcome = repo, web.RebuildHere
		return nil
	}
	for _, d := range r.Parts {
		if err == nil {
			err = run.part(ctx, repo, d)
		}
	}
	if err == nil {
		err = run.manifest(ctx, repo, r)
	}
	r.Name = repo
	run.done[key] = err
	return run.p.settle(ctx, r, err)
}

// part pushes a blob or manifest that a manifest refers to. If it is not in this folder, the handler
// will say that it is missing.
func (run *pushing) part(ctx context.Context, repo string, d digest.Digest) error {
	if i, ok := run.at[d]; ok {
		if err := run.push(ctx, repo, &run.list[i]); err != nil {
			return err
		}
		return run.done[repo+"@"+string(d)]
	}
	path := run.p.paths[d]
	here, err := run.here(ctx, repo, "blobs", d)
	if err != nil || here || path == "" {
		return err
	}
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	st, err := file.Stat()
	if err != nil {
		return err
	}
	to := "/v2/" + escaped(repo) + "/blobs/uploads/?digest=" + url.QueryEscape(string(d))
	return run.p.do(ctx, store.OCI, http.MethodPost, to, file, st.Size(), "Content-Type", octets)
}

// here reports whether the repository has a blob or a manifest.
func (run *pushing) here(ctx context.Context, repo, what string, d digest.Digest) (bool, error) {
	a, err := run.p.ask(ctx, store.OCI, http.MethodHead, "/v2/"+escaped(repo)+"/"+what+"/"+string(d), nil, 0)
	return err == nil && a.status == http.StatusOK, err
}

// escaped returns a repository's name for a path.
func escaped(repo string) string { return (&url.URL{Path: repo}).EscapedPath() }

// document has the fields of a manifest that are needed to push it.
type document struct {
	MediaType   string            `json:"mediaType"`
	Manifests   []json.RawMessage `json:"manifests"`
	Annotations map[string]string `json:"annotations"`
}

func (run *pushing) manifest(ctx context.Context, repo string, r *web.Rebuilt) error {
	body, err := os.ReadFile(run.p.paths[r.Digest])
	if err != nil {
		return err
	}
	var m document
	if err := json.Unmarshal(body, &m); err != nil {
		return refused("it is no JSON: %v", err)
	}
	typ := m.MediaType
	switch {
	case typ != "":
	case m.Manifests != nil:
		typ = "application/vnd.oci.image.index.v1+json"
	default:
		typ = "application/vnd.oci.image.manifest.v1+json"
	}
	put := func(reference string) error {
		to := "/v2/" + escaped(repo) + "/manifests/" + reference
		return run.p.do(
			ctx, store.OCI, http.MethodPut, to, strings.NewReader(string(body)), int64(len(body)), "Content-Type", typ,
		)
	}
	if err := put(string(r.Digest)); err != nil {
		return err
	}
	tag := tagOf(m.Annotations)
	if tag == "" {
		return nil
	}
	a, err := run.p.ask(ctx, store.OCI, http.MethodHead, "/v2/"+escaped(repo)+"/manifests/"+tag, nil, 0)
	if err != nil || a.status == http.StatusOK {
		return err // a tag that is here stays where it is
	}
	if err := put(tag); err != nil {
		return fmt.Errorf("its tag: %w", err)
	}
	r.Tag = tag
	return nil
}

var validTag = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$`)

// tagOf finds the tag that an annotation has: alone (v1), or at the end of a whole name (host/team/app:v1).
func tagOf(annotations map[string]string) string {
	for _, key := range []string{"org.opencontainers.image.ref.name", "io.containerd.image.name"} {
		text := annotations[key]
		if i := strings.LastIndexByte(text, ':'); i >= 0 {
			text = text[i+1:]
		} else if key != "org.opencontainers.image.ref.name" {
			continue
		}
		if validTag.MatchString(text) {
			return text
		}
	}
	return ""
}

// parts records the outcome of files that were pushed as parts of manifests.
func (run *pushing) parts() {
	outcome := map[digest.Digest]string{}
	for _, i := range run.at {
		for _, d := range run.list[i].Parts {
			if o := run.list[i].Outcome; o != "" && outcome[d] != web.RebuildPublished {
				outcome[d] = o
			}
		}
	}
	for i := range run.list {
		if r := &run.list[i]; r.Kind == store.OCI && r.Confidence == store.Part {
			if r.Outcome = outcome[r.Digest]; r.Outcome == web.RebuildRefused {
				r.Reason = "the manifest that refers to it was refused"
			}
		}
	}
}
