package miniclient

// This file builds the archives of releases. They are small, and differ from each other by their padding.

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// member is a file of an archive.
type member struct {
	name string
	body []byte
}

func tarOf(members ...member) ([]byte, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, m := range members {
		if err := w.WriteHeader(&tar.Header{Name: m.name, Mode: 0o644, Size: int64(len(m.body))}); err != nil {
			return nil, err
		}
		if _, err := w.Write(m.body); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return b.Bytes(), err
}

func gzipped(p []byte) ([]byte, error) {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(p); err != nil {
		return nil, err
	}
	err := w.Close()
	return b.Bytes(), err
}

func tgzOf(members ...member) ([]byte, error) {
	b, err := tarOf(members...)
	if err != nil {
		return nil, err
	}
	return gzipped(b)
}

func zipOf(members ...member) ([]byte, error) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, m := range members {
		f, err := w.Create(m.name)
		if err != nil {
			return nil, err
		}
		if _, err := f.Write(m.body); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return b.Bytes(), err
}

func hexSHA256(p []byte) string {
	sum := sha256.Sum256(p)
	return hex.EncodeToString(sum[:])
}

// gemOf builds a gem: a tar of its specification, its files and their sums.
func gemOf(name, version string, pad []byte) ([]byte, error) {
	spec, err := gzipped(fmt.Appendf(nil, gemspecYAML, name, version))
	if err != nil {
		return nil, err
	}
	data, err := tgzOf(member{"lib/x.rb", []byte("#")}, member{"x.bin", pad})
	if err != nil {
		return nil, err
	}
	list := fmt.Appendf(nil, "---\nSHA256:\n  metadata.gz: %s\n  data.tar.gz: %s\n", hexSHA256(spec), hexSHA256(data))
	sums, err := gzipped(list)
	if err != nil {
		return nil, err
	}
	return tarOf(member{"metadata.gz", spec}, member{"data.tar.gz", data}, member{"checksums.yaml.gz", sums})
}

const gemspecYAML = `--- !ruby/object:Gem::Specification
name: %s
version: !ruby/object:Gem::Version
  version: %s
platform: ruby
authors:
- x
date: 2024-01-01 00:00:00.000000000 Z
dependencies: []
description: x
files: []
homepage: http://localhost
licenses: []
metadata: {}
require_paths:
- lib
required_ruby_version: !ruby/object:Gem::Requirement
  requirements:
  - - ">="
    - !ruby/object:Gem::Version
      version: '0'
required_rubygems_version: !ruby/object:Gem::Requirement
  requirements:
  - - ">="
    - !ruby/object:Gem::Version
      version: '0'
requirements: []
rubygems_version: 3.3.5
specification_version: 4
summary: x
test_files: []
`
