package main

// This file measures PyPI: project pages, the list of all projects, and uploading into long ones.

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"mime/multipart"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"
)

const (
	pypiFiles    = 20_000
	pypiProjects = 100_000
)

// pypiIndex is a larder with files of one project, or with many projects.
type pypiIndex struct {
	p *process
	c *registry
}

// pypiWheel returns a wheel with the required files only.
func pypiWheel(name, version string) ([]byte, error) {
	info := name + "-" + version + ".dist-info/"
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, f := range [][2]string{
		{
			info + "METADATA",
			"Metadata-Version: 2.1\nName: " + name + "\nVersion: " + version + "\n" +
				"Summary: a package of the benchmark\nRequires-Python: >=3.8\n",
		},
		{info + "WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n"},
		{info + "RECORD", info + "METADATA,,\n" + info + "WHEEL,,\n" + info + "RECORD,,\n"},
	} {
		h := &zip.FileHeader{
			Name: f[0], CRC32: crc32.ChecksumIEEE([]byte(f[1])), CompressedSize64: uint64(len(f[1])),
			UncompressedSize64: uint64(len(f[1])),
		}
		part, err := w.CreateRaw(h)
		if err == nil {
			_, err = io.WriteString(part, f[1])
		}
		if err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return b.Bytes(), err
}

// pypiUpload sends one wheel as twine does.
func (c *registry) pypiUpload(ctx context.Context, name, version string) error {
	wheel, err := pypiWheel(name, version)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, f := range [][2]string{
		{":action", "file_upload"}, {"protocol_version", "1"}, {"name", name}, {"version", version},
		{"filetype", "bdist_wheel"}, {"pyversion", "py3"},
	} {
		if err := w.WriteField(f[0], f[1]); err != nil {
			return err
		}
	}
	part, err := w.CreateFormFile("content", name+"-"+version+"-py3-none-any.whl")
	if err == nil {
		_, err = part.Write(wheel)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return err
	}
	return c.send(ctx, "POST", "/pypi/legacy/", &b, int64(b.Len()), "Content-Type", w.FormDataContentType())
}

// startPyPI starts a larder with n uploads; name returns project and version of the kth.
func (e *env) startPyPI(ctx context.Context, n int, name func(k int) (project, version string)) (*pypiIndex, error) {
	data, err := e.folder("pypi")
	if err != nil {
		return nil, err
	}
	p, c, err := e.startAs(ctx, data)
	if err != nil {
		return nil, err
	}
	var next atomic.Int64
	return &pypiIndex{p, c}, parallel(32, func(int) error {
		for k := int(next.Add(1)); k <= n; k = int(next.Add(1)) {
			project, version := name(k)
			if err := c.pypiUpload(ctx, project, version); err != nil {
				return err
			}
		}
		return nil
	})
}

func oneProject(k int) (string, string) { return "big", fmt.Sprintf("%d.%d", k/100, k%100) }

// filledPyPI returns the larder with 20,000 files of one project; the first call starts it.
func (e *env) filledPyPI(ctx context.Context) (*pypiIndex, error) {
	if e.pypi == nil {
		fmt.Printf("(uploading %d files of one project)\n", pypiFiles)
		var err error
		if e.pypi, err = e.startPyPI(ctx, pypiFiles, oneProject); err != nil {
			return nil, err
		}
	}
	return e.pypi, nil
}

// manyPyPI returns the larder with 100,000 projects; the first call starts it.
func (e *env) manyPyPI(ctx context.Context) (*pypiIndex, error) {
	if e.pypiMany == nil {
		fmt.Printf("(uploading %d projects: a few minutes)\n", pypiProjects)
		var err error
		if e.pypiMany, err = e.startPyPI(ctx, pypiProjects, func(k int) (string, string) {
			return fmt.Sprintf("project%06d", k), "1.0"
		}); err != nil {
			return nil, err
		}
	}
	return e.pypiMany, nil
}

const pypiJSON = "Accept: application/vnd.pypi.simple.v1+json\r\n"

// besideBare measures a document from memory beside a bare handler with the same bytes.
func (e *env) besideBare(ctx context.Context, x *pypiIndex, path string) (ours, yardstick float64, err error) {
	resp, err := x.c.do(ctx, "GET", path, nil, 0, "Accept", "application/vnd.pypi.simple.v1+json")
	if err != nil {
		return 0, 0, err
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		return 0, 0, err
	}
	file := filepath.Join(e.dir, "page")
	if err := os.WriteFile(file, body, 0o600); err != nil {
		return 0, 0, err
	}
	bare, err := e.startBare(ctx, file)
	if err != nil {
		return 0, 0, err
	}
	defer bare.kill()
	if ours, err = loadStatus(x.p.addr, path, x.c.auth, 200, pypiJSON); err != nil {
		return 0, 0, err
	}
	yardstick, err = load(bare.addr, "/", x.c.auth)
	return ours, yardstick, err
}

// pypiPage measures the page of 20,000 files from memory, beside a bare handler with the same bytes.
func pypiPage(ctx context.Context, e *env) (ours, yardstick float64, err error) {
	x, err := e.filledPyPI(ctx)
	if err != nil {
		return 0, 0, err
	}
	return e.besideBare(ctx, x, "/simple/big/")
}

// pypiRoot measures the list of 100,000 projects from memory, beside a bare handler with the same bytes.
func pypiRoot(ctx context.Context, e *env) (ours, yardstick float64, err error) {
	x, err := e.manyPyPI(ctx)
	if err != nil {
		return 0, 0, err
	}
	return e.besideBare(ctx, x, "/simple/")
}

// pypiRootChanged measures the list of 100,000 projects, the first time after an upload, beside 150 ms.
func pypiRootChanged(ctx context.Context, e *env) (ours, yardstick float64, err error) {
	x, err := e.manyPyPI(ctx)
	if err != nil {
		return 0, 0, err
	}
	if err := x.c.pypiUpload(ctx, "fresh", fmt.Sprint(time.Now().UnixNano())); err != nil {
		return 0, 0, err
	}
	start := time.Now()
	resp, err := x.c.do(ctx, "GET", "/simple/", nil, 0, "Accept", "application/vnd.pypi.simple.v1+json")
	if err != nil {
		return 0, 0, err
	}
	drain(resp)
	return 1 / time.Since(start).Seconds(), 1 / 0.150, nil
}

// pypiGrowth measures uploads per second to a project of 20,000 files, beside uploads to one of 10.
func pypiGrowth(ctx context.Context, e *env) (ours, yardstick float64, err error) {
	large, err := e.filledPyPI(ctx)
	if err != nil {
		return 0, 0, err
	}
	small, err := e.startPyPI(ctx, 10, oneProject)
	if err != nil {
		return 0, 0, err
	}
	defer small.p.kill()
	return growth(ctx, large.c, small.c, func(ctx context.Context, c *registry, version string) error {
		return c.pypiUpload(ctx, "big", version)
	})
}
