package main

// This file is the HTTP client of the measurements: logins, blobs, manifests.

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// registry is a client with as much of the distribution protocol as the measurements need, the same for every server.
type registry struct {
	base string
	auth string // Authorization header, may be empty
	http *http.Client
}

func newRegistry(addr string) *registry {
	return &registry{
		base: "http://" + addr,
		http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}},
	}
}

// login gets a bearer token for the repositories.
func (c *registry) login(ctx context.Context, scopes ...string) error {
	q := url.Values{"service": {"larder"}, "scope": scopes}
	req, err := http.NewRequestWithContext(ctx, "GET", c.base+"/v2/token?"+q.Encode(), nil)
	if err != nil {
		return err
	}
	req.SetBasicAuth("admin", adminPassword)
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var answer struct{ Token string }
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || answer.Token == "" {
		return fmt.Errorf("token request answered %s: %w", resp.Status, err)
	}
	c.auth = "Bearer " + answer.Token
	return nil
}

func (c *registry) do(
	ctx context.Context, method, path string, body io.Reader, size int64, header ...string,
) (*http.Response, error) {
	if !strings.HasPrefix(path, "http") {
		path = c.base + path
	}
	req, err := http.NewRequestWithContext(ctx, method, path, body)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.ContentLength = size
	}
	if c.auth != "" {
		req.Header.Set("Authorization", c.auth)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode >= 300 {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 500))
		resp.Body.Close()
		return nil, fmt.Errorf("%s %s: %s %s", method, path, resp.Status, text)
	}
	return resp, nil
}

// pushBlob uploads as docker does: POST, PATCH with the bytes, PUT.
func (c *registry) pushBlob(ctx context.Context, repo, digest string, body io.Reader, size int64) error {
	resp, err := c.do(ctx, "POST", "/v2/"+repo+"/blobs/uploads/", nil, 0)
	if err != nil {
		return err
	}
	drain(resp)
	where, err := resp.Location()
	if err != nil {
		return err
	}
	if resp, err = c.do(ctx, "PATCH", where.String(), body, size, "Content-Type", "application/octet-stream"); err != nil {
		return err
	}
	drain(resp)
	if where, err = resp.Location(); err != nil {
		return err
	}
	q := where.Query()
	q.Set("digest", digest)
	where.RawQuery = q.Encode()
	if resp, err = c.do(ctx, "PUT", where.String(), nil, 0); err == nil {
		drain(resp)
	}
	return err
}

func (c *registry) pushBytes(ctx context.Context, repo string, p []byte) (string, error) {
	d := digestOf(p)
	return d, c.pushBlob(ctx, repo, d, bytes.NewReader(p), int64(len(p)))
}

const manifestType = "application/vnd.oci.image.manifest.v1+json"

// pushImage uploads a config, layers and a manifest, and returns the manifest.
func (c *registry) pushImage(ctx context.Context, repo, tag string, layers ...[]byte) ([]byte, error) {
	config := []byte(fmt.Sprintf(`{"architecture":"amd64","os":"linux","created":%q,"repo":%q,"tag":%q}`,
		time.Now().UTC().Format(time.RFC3339Nano), repo, tag))
	type descriptor struct {
		MediaType string `json:"mediaType"`
		Digest    string `json:"digest"`
		Size      int    `json:"size"`
	}
	m := struct {
		SchemaVersion int          `json:"schemaVersion"`
		MediaType     string       `json:"mediaType"`
		Config        descriptor   `json:"config"`
		Layers        []descriptor `json:"layers"`
	}{2, manifestType, descriptor{"application/vnd.oci.image.config.v1+json", "", len(config)}, nil}
	var err error
	for _, layer := range layers {
		d := descriptor{"application/vnd.oci.image.layer.v1.tar+gzip", "", len(layer)}
		if d.Digest, err = c.pushBytes(ctx, repo, layer); err != nil {
			return nil, err
		}
		m.Layers = append(m.Layers, d)
	}
	if m.Config.Digest, err = c.pushBytes(ctx, repo, config); err != nil {
		return nil, err
	}
	raw, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	resp, err := c.do(ctx, "PUT", "/v2/"+repo+"/manifests/"+tag, bytes.NewReader(raw), int64(len(raw)),
		"Content-Type", manifestType)
	if err == nil {
		drain(resp)
	}
	return raw, err
}

// pull reads a path and returns the number of bytes.
func (c *registry) pull(ctx context.Context, path string, buf []byte) (int64, error) {
	resp, err := c.do(ctx, "GET", path, nil, 0)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	return io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{resp.Body}, buf)
}

// send makes a request whose answer does not matter, but that it is one of success.
func (c *registry) send(
	ctx context.Context, method, path string, body io.Reader, size int64, header ...string,
) error {
	resp, err := c.do(ctx, method, path, body, size, header...)
	if err == nil {
		drain(resp)
	}
	return err
}

func drain(resp *http.Response) {
	_, _ = io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
}

func digestOf(p []byte) string {
	return fmt.Sprintf("sha256:%x", sha256.Sum256(p))
}

// parallel runs fn on n goroutines and returns the first error.
func parallel(n int, fn func(i int) error) error {
	var wg sync.WaitGroup
	errs := make(chan error, n)
	for i := range n {
		wg.Go(func() {
			if err := fn(i); err != nil {
				errs <- err
			}
		})
	}
	wg.Wait()
	select {
	case err := <-errs:
		return err
	default:
		return nil
	}
}
