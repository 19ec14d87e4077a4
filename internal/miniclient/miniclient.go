// Package miniclient has minimal clients of the seven protocols: each publishes a release, reads it back, compares
// every byte, and withdraws it. It is for tests of the whole program and for measurements.
//
// A release is one file under a name and a version. Names are plain lower-case words, from which each protocol makes
// its own (acme/NAME, com.acme:NAME, team/NAME).
package miniclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Server is a server at Base ("http://127.0.0.1:1234"). Auth is sent as Authorization unless it is "".
type Server struct {
	Base string
	Auth string
	HTTP *http.Client
}

// Answer is a response that was read to its end.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Do sends one request and reads the response. path is below Base, or a whole URL; header are pairs of name and value.
// An error means that no response came: the request may have taken effect or not.
func (s *Server) Do(ctx context.Context, method, path string, body []byte, header ...string) (Answer, error) {
	if !strings.HasPrefix(path, "http") {
		path = s.Base + path
	}
	r, err := http.NewRequestWithContext(ctx, method, path, bytes.NewReader(body))
	if err != nil {
		return Answer{}, err
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	if s.Auth != "" {
		r.Header.Set("Authorization", s.Auth)
	}
	resp, err := s.HTTP.Do(r)
	if err != nil {
		return Answer{}, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return Answer{}, fmt.Errorf("%s %s: %d, broken off: %w", method, path, resp.StatusCode, err)
	}
	return Answer{resp.StatusCode, resp.Header, b}, nil
}

// Release is a file that is published.
type Release struct {
	Name, Version string
	File          []byte
}

// Request is a GET request: a path and pairs of header names and values.
type Request struct {
	Path   string
	Header []string
}

// Protocol is one kind of registry as its clients see it.
type Protocol struct {
	Kind string
	// Registry is the path of an upstream's URL.
	Registry string
	// Make builds the file of a release; pad makes it different from all others.
	Make func(name, version string, pad []byte) ([]byte, error)
	// Publish publishes a release and returns the last response: a 2xx, or that of the step that was refused.
	Publish func(ctx context.Context, s *Server, r Release) (Answer, error)
	// Document is what clients ask for first. In a container registry, prefix ("" or "NAME/") selects an upstream.
	Document func(prefix string, r Release) Request
	// Also, if set, is what clients fetch between the document and the file.
	Also func(r Release) string
	// Lists reports whether a document offers the release.
	Lists func(document []byte, r Release) bool
	// File is the path of the file that the document names.
	File func(prefix string, document []byte, r Release) (string, error)
	// Withdraw deletes, yanks or unpublishes the release; afterwards no document lists it.
	Withdraw func(ctx context.Context, s *Server, r Release) (Answer, error)
}

// All returns the seven protocols in the order of the documentation.
func All() []Protocol {
	return []Protocol{oci, npm, pypi, cargo, maven, composer, rubygems}
}

// The errors of Read, beside that of a response that did not come.
var (
	ErrNotListed  = errors.New("not listed")              // a document without the release, or no document
	ErrOtherBytes = errors.New("not the published bytes") // the file has other bytes
	ErrStatus     = errors.New("answered with a refusal") // any other status
)

// Read reads a release back. The document must list it, and the file must have its bytes.
func (p Protocol) Read(ctx context.Context, s *Server, prefix string, r Release) error {
	document, err := p.Listed(ctx, s, prefix, r)
	if err != nil {
		return err
	}
	if p.Also != nil {
		a, err := s.Do(ctx, http.MethodGet, p.Also(r), nil)
		if err != nil {
			return err
		}
		if a.Status != http.StatusOK {
			return p.wrong(r, ErrStatus, "it is listed, and "+p.Also(r), a)
		}
	}
	path, err := p.File(prefix, document, r)
	if err != nil {
		return fmt.Errorf("%s %s %s: %w", p.Kind, r.Name, r.Version, err)
	}
	a, err := s.Do(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	if a.Status != http.StatusOK {
		return p.wrong(r, ErrStatus, "it is listed, and "+path, a)
	}
	if !bytes.Equal(a.Body, r.File) {
		a.Body = fmt.Appendf(nil, "%d bytes, published were %d", len(a.Body), len(r.File))
		return p.wrong(r, ErrOtherBytes, path, a)
	}
	return nil
}

// wrong returns an error about a response.
func (p Protocol) wrong(r Release, err error, what string, a Answer) error {
	return fmt.Errorf("%s %s %s: %w: %s answers %d %.300s", p.Kind, r.Name, r.Version, err, what, a.Status, a.Body)
}

// Listed returns the document that lists the release; ErrNotListed.
func (p Protocol) Listed(ctx context.Context, s *Server, prefix string, r Release) ([]byte, error) {
	q := p.Document(prefix, r)
	a, err := s.Do(ctx, http.MethodGet, q.Path, nil, q.Header...)
	switch {
	case err != nil:
		return nil, err
	case a.Status == http.StatusNotFound || a.Status == http.StatusGone:
		return nil, p.wrong(r, ErrNotListed, q.Path, a)
	case a.Status != http.StatusOK:
		return nil, p.wrong(r, ErrStatus, q.Path, a)
	case !p.Lists(a.Body, r):
		return nil, p.wrong(r, ErrNotListed, q.Path, a)
	}
	return a.Body, nil
}
