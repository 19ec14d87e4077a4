package main

// This file compares two builds of larder in what clients do most. Both have the same packages and are measured in
// turns: where a change made something slower, the ratio is below 1 or the processor time is higher.

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"larder/internal/miniclient"
)

const (
	readVersions = 50 // of the package that is read
	readOthers   = 10 // other packages of each kind
	publishers   = 4  // connections that publish at once
)

// build is one of the two programs, running, with its packages.
type build struct {
	p      *process
	client *miniclient.Server
	n      atomic.Int64 // releases published
}

// startBuild runs a program on a folder of its own.
func (e *env) startBuild(ctx context.Context, program string, environ ...string) (*build, error) {
	data, err := e.folder("build")
	if err != nil {
		return nil, err
	}
	return e.startBuildOn(ctx, program, data, environ...)
}

// startBuildOn runs a program on a folder.
func (e *env) startBuildOn(ctx context.Context, program, data string, environ ...string) (*build, error) {
	ours := e.larder
	e.larder = program
	p, err := e.startLarder(ctx, data, environ...)
	e.larder = ours
	if err != nil {
		return nil, fmt.Errorf("%s: %w", program, err)
	}
	token, err := exec.CommandContext(ctx, program, "token", "create", "admin", "--data", data).Output()
	if err != nil {
		return nil, fmt.Errorf("%s token create: %w", program, err)
	}
	return &build{p: p, client: &miniclient.Server{
		Base: "http://" + p.addr, Auth: "Bearer " + strings.TrimSpace(string(token)),
		HTTP: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16, DisableCompression: true}},
	}}, nil
}

// copying runs a program that keeps copies of another one.
func (e *env) copying(ctx context.Context, program string, of *build) (*build, error) {
	var list []string
	for _, p := range miniclient.All() {
		list = append(list, p.Kind+"="+of.client.Base+p.Registry)
	}
	return e.startBuild(ctx, program, "LARDER_UPSTREAM="+strings.Join(list, ","))
}

// fill publishes the same to every build.
func (b *build) fill(ctx context.Context) error {
	return parallel(len(miniclient.All()), func(i int) error {
		p := miniclient.All()[i]
		for n := range readVersions + readOthers {
			name, version := "read", fmt.Sprintf("1.%d.0", n)
			if n >= readVersions {
				name, version = fmt.Sprintf("other%d", n), "1.0.0"
			}
			if err := b.publish(ctx, p, name, version); err != nil {
				return err
			}
		}
		return nil
	})
}

func (b *build) publish(ctx context.Context, p miniclient.Protocol, name, version string) error {
	r, err := release(p, name, version)
	if err != nil {
		return err
	}
	a, err := p.Publish(ctx, b.client, r)
	if err == nil && a.Status/100 != 2 {
		err = fmt.Errorf("publish %s %s %s: %d %.200s", p.Kind, name, version, a.Status, a.Body)
	}
	return err
}

// release returns a release with 4 KiB of noise, always the same for one name and version.
func release(p miniclient.Protocol, name, version string) (miniclient.Release, error) {
	pad := make([]byte, 4<<10)
	seed := uint32(len(name))
	for _, c := range []byte(p.Kind + name + version) {
		seed = seed*31 + uint32(c)
	}
	for i := range pad {
		seed = seed*1664525 + 1013904223
		pad[i] = byte(seed >> 24)
	}
	file, err := p.Make(name, version, pad)
	return miniclient.Release{Name: name, Version: version, File: file}, err
}

// question is a request that both builds get.
type question struct {
	name, method, path string
	header             []string
	copy               bool // asked of those that keep copies
	status             int  // 304: with the validator of what the build answers now
	token              bool // else nobody asks
}

// questions returns the most common requests, with the paths that documents lead to.
func questions(ctx context.Context, b *build) (list []question, err error) {
	for _, p := range miniclient.All() {
		r, err := release(p, "read", fmt.Sprintf("1.%d.0", readVersions-1))
		if err != nil {
			return nil, err
		}
		doc := p.Document("", r)
		a, err := b.client.Do(ctx, http.MethodGet, doc.Path, nil, doc.Header...)
		if err != nil || a.Status != http.StatusOK {
			return nil, fmt.Errorf("%s: %d %w", doc.Path, a.Status, err)
		}
		file, err := p.File("", a.Body, r)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", doc.Path, err)
		}
		list = append(list,
			question{name: p.Kind + "-document", path: doc.Path, header: doc.Header},
			question{name: p.Kind + "-document-token", path: doc.Path, header: doc.Header, token: true},
			question{name: p.Kind + "-file", path: file},
			question{name: p.Kind + "-file-head", method: http.MethodHead, path: file},
			question{name: p.Kind + "-copy-document", path: doc.Path, header: doc.Header, copy: true},
			question{name: p.Kind + "-copy-file", path: file, copy: true})
		if len(validator(a)) > 0 {
			fresh := question{name: p.Kind + "-304", path: doc.Path, header: doc.Header, status: http.StatusNotModified}
			list = append(list, fresh)
		}
	}
	short := []string{"Accept", "application/vnd.npm.install-v1+json"}
	return append(list,
		question{name: "oci-tags", path: "/v2/team/read/tags/list"},
		question{name: "npm-abbreviated", path: "/npm/read", header: short},
		question{name: "pypi-html", path: "/simple/read/", header: []string{"Accept", "text/html"}},
		question{name: "cargo-config", path: "/cargo/index/config.json"},
		question{name: "maven-sha1", path: "/maven/com/acme/read/1.0.0/read-1.0.0.jar.sha1"},
		question{name: "composer-root", path: "/composer/packages.json"},
		question{name: "rubygems-versions", path: "/rubygems/versions"}), nil
}

// validator returns the header that makes a request for a conditional one.
func validator(a miniclient.Answer) []string {
	if tag := a.Header.Get("ETag"); tag != "" {
		return []string{"If-None-Match", tag}
	}
	if modified := a.Header.Get("Last-Modified"); modified != "" {
		return []string{"If-Modified-Since", modified}
	}
	return nil
}

// ask returns the target of a question at a build.
func (q question) ask(ctx context.Context, b *build) (*target, error) {
	header := q.header
	if q.status == http.StatusNotModified {
		a, err := b.client.Do(ctx, http.MethodGet, q.path, nil, q.header...)
		if err != nil {
			return nil, err
		}
		header = append(validator(a), q.header...)
	}
	var lines strings.Builder
	for i := 0; i+1 < len(header); i += 2 {
		lines.WriteString(header[i] + ": " + header[i+1] + "\r\n")
	}
	auth := ""
	if q.token {
		auth = b.client.Auth
	}
	t := newTarget(b.p, q.path, auth, cmp.Or(q.status, http.StatusOK), lines.String())
	if q.method == http.MethodHead {
		t.request, t.head = append([]byte("HEAD"), t.request[len("GET"):]...), true
	}
	return t, nil
}

// publishing publishes new versions of new names over several connections.
func (b *build) publishing(ctx context.Context, p miniclient.Protocol) slicer {
	return func(d time.Duration) (speed, error) {
		return b.p.measure(func(start time.Time, count *atomic.Int64) error {
			return parallel(publishers, func(int) error {
				for time.Since(start) < d {
					n := b.n.Add(1)
					if err := b.publish(ctx, p, fmt.Sprintf("new%d", n), "1.0.0"); err != nil {
						return err
					}
					count.Add(1)
				}
				return nil
			})
		})
	}
}

// compareBuilds prints a line for each measurement of both builds.
func compareBuilds(ctx context.Context, e *env, program string, match *regexp.Regexp, rounds int) error {
	ours, err := e.startBuild(ctx, e.larder)
	if err != nil {
		return err
	}
	theirs, err := e.startBuild(ctx, program)
	if err != nil {
		return err
	}
	if err := errors.Join(ours.fill(ctx), theirs.fill(ctx)); err != nil {
		return err
	}
	list, err := questions(ctx, ours)
	if err != nil {
		return err
	}
	ourCopy, err := e.copying(ctx, e.larder, ours)
	if err != nil {
		return err
	}
	theirCopy, err := e.copying(ctx, program, ours)
	if err != nil {
		return err
	}
	fmt.Printf("%-24s %11s %11s %6s  %-12s %10s %10s %6s\n",
		"per second, and µs of CPU", "this", "other", "ratio", "spread", "this µs", "other µs", "ratio")
	for _, q := range list {
		if match.MatchString(q.name) {
			err := beside(ctx, q.name, rounds, func() ([][]speed, error) {
				of := [2]*build{ours, theirs}
				if q.copy {
					of = [2]*build{ourCopy, theirCopy}
				}
				a, err := q.ask(ctx, of[0])
				if err != nil {
					return nil, err
				}
				b, err := q.ask(ctx, of[1])
				if err != nil {
					return nil, err
				}
				return compare(ctx, a, b)
			})
			if err != nil {
				return err
			}
		}
	}
	for _, p := range miniclient.All() {
		if name := p.Kind + "-publish"; match.MatchString(name) {
			err := beside(ctx, name, rounds, func() ([][]speed, error) {
				return interleave(ctx, ours.publishing(ctx, p), theirs.publishing(ctx, p))
			})
			if err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

// beside measures one thing and prints its line. An error is printed in it, and the other measurements go on.
func beside(ctx context.Context, name string, rounds int, measure func() ([][]speed, error)) error {
	var a, b []speed
	for range rounds {
		all, err := measure()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			fmt.Printf("%-24s %v\n", name, err)
			return nil
		}
		a, b = append(a, all[0]...), append(b, all[1]...)
	}
	low, mid, high := quartiles(ratios(a, b))
	fmt.Printf("%-24s %11.5g %11.5g %6.2f  %.2f–%-7.2f %10.1f %10.1f %6.2f\n",
		name, rate(a), rate(b), mid, low, high, micros(a), micros(b), cost(a, b))
	return nil
}

// cost returns the median ratio of processor times that were measured together.
func cost(a, b []speed) float64 {
	out := make([]float64, len(a))
	for i := range a {
		out[i] = float64(a[i].cpu) / float64(max(b[i].cpu, 1))
	}
	_, mid, _ := quartiles(out)
	return mid
}

// rate returns the median rate.
func rate(s []speed) float64 {
	out := make([]float64, len(s))
	for i := range s {
		out[i] = s[i].rate
	}
	_, mid, _ := quartiles(out)
	return mid
}
