package rebuild

// This file has the requests with which each protocol's client publishes a file; images are in images.go.

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"larder/cargo"
	"larder/internal/registry"
	"larder/npm"
	"larder/pypi"
	"larder/store"
	"larder/web"
)

const octets = "application/octet-stream"

// send has the requests of each kind. An error may be a refusal.
var send = map[store.Kind]func(ctx context.Context, p *Publisher, f store.Found, file *os.File) error{
	store.NPM: sendNPM, store.PyPI: sendPyPI, store.Cargo: sendCargo, store.Maven: sendMaven,
	store.Composer: sendComposer, store.RubyGems: sendGem,
}

// recoveredTag is the tag of an npm version that shall not be the latest: a publish needs one. It
// is deleted afterwards.
const recoveredTag = "recovered"

func sendNPM(ctx context.Context, p *Publisher, f store.Found, file *os.File) error {
	tags := "/npm/-/package/" + url.PathEscape(f.Name) + "/dist-tags"
	now, tag, err := p.npmTag(ctx, tags, f)
	if err != nil {
		return err
	}
	if now[f.Version] {
		return refused("version %s of %s is here with other content", f.Version, f.Name)
	}
	_, _, c, err := npm.Publish(file, f.Size, tag)
	if err != nil {
		return refused("%v", err)
	}
	err = p.call(ctx, store.NPM, c)
	if err == nil && tag == recoveredTag {
		err = p.do(ctx, store.NPM, http.MethodDelete, tags+"/"+tag, nil, 0)
	}
	return err
}

// npmTag returns the tag for a version: latest if it is the first one or newer than the one that has that tag. here are
// the versions that have a tag.
func (p *Publisher) npmTag(
	ctx context.Context, path string, f store.Found,
) (here map[string]bool, tag string, err error) {
	a, err := p.ask(ctx, store.NPM, http.MethodGet, path, nil, 0)
	if err != nil {
		return nil, "", err
	}
	tags := map[string]string{}
	if a.status == http.StatusOK {
		if err := json.Unmarshal(a.body.Bytes(), &tags); err != nil {
			return nil, "", fmt.Errorf("dist-tags of %s: %w", f.Name, err)
		}
	}
	here = map[string]bool{}
	for _, v := range tags {
		here[v] = true
	}
	if latest := tags["latest"]; latest != "" && newer(f.Version, latest) < 0 {
		return here, recoveredTag, nil
	}
	return here, "latest", nil
}

// call sends a request that a protocol has made.
func (p *Publisher) call(ctx context.Context, k store.Kind, c registry.Call) error {
	return p.do(ctx, k, c.Method, c.Path, c.Body, c.Size, "Content-Type", c.Type)
}

func sendPyPI(ctx context.Context, p *Publisher, f store.Found, file *os.File) error {
	c, err := pypi.Publish(file, f, f.Digest.Encoded())
	if err != nil {
		return err
	}
	return p.call(ctx, store.PyPI, c)
}

func sendCargo(ctx context.Context, p *Publisher, f store.Found, file *os.File) error {
	_, c, err := cargo.Publish(file, f.Size)
	if err != nil {
		return refused("%v", err)
	}
	return p.call(ctx, store.Cargo, c)
}

func sendMaven(ctx context.Context, p *Publisher, f store.Found, file *os.File) error {
	body := io.NewSectionReader(file, 0, f.Size)
	return p.do(ctx, store.Maven, http.MethodPut, mavenFolder(f)+url.PathEscape(f.File), body, f.Size)
}

// mavenFolder is the path of a version: the group's dots are slashes.
func mavenFolder(f store.Found) string {
	group, artifact, _ := strings.Cut(f.Name, ":")
	u := url.URL{Path: "/maven/" + strings.ReplaceAll(group, ".", "/") + "/" + artifact + "/" + f.Version + "/"}
	return u.EscapedPath()
}

// announce uploads the metadata that lists the Maven versions, as the end of a deployment does.
func (p *Publisher) announce(ctx context.Context, list []web.Rebuilt) error {
	said := map[string]error{}
	for i := range list {
		r := &list[i]
		if r.Kind != store.Maven || r.Outcome != web.RebuildPublished {
			continue
		}
		folder := mavenFolder(r.Found)
		err, done := said[folder]
		if !done {
			err = p.do(ctx, store.Maven, http.MethodPost, folder, nil, 0)
			said[folder] = err
		}
		if err := p.settle(ctx, r, err); err != nil {
			return err
		}
	}
	return nil
}

func sendComposer(ctx context.Context, p *Publisher, f store.Found, file *os.File) error {
	if f.Version == "" {
		return refused("its composer.json has no version, which was said at the upload: copy it out with --export and " +
			"publish it with ?version=")
	}
	body := io.NewSectionReader(file, 0, f.Size)
	return p.do(ctx, store.Composer, http.MethodPut, "/composer/", body, f.Size, "Content-Type", "application/zip")
}

func sendGem(ctx context.Context, p *Publisher, f store.Found, file *os.File) error {
	body := io.NewSectionReader(file, 0, f.Size)
	return p.do(ctx, store.RubyGems, http.MethodPost, "/rubygems/api/v1/gems", body, f.Size, "Content-Type", octets)
}
