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

// Member is a file of an archive.
type Member struct {
	Name string
	Body []byte
}

// Tar packs files.
func Tar(members ...Member) ([]byte, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, m := range members {
		if err := w.WriteHeader(&tar.Header{Name: m.Name, Mode: 0o644, Size: int64(len(m.Body))}); err != nil {
			return nil, err
		}
		if _, err := w.Write(m.Body); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return b.Bytes(), err
}

// Gzip compresses p.
func Gzip(p []byte) ([]byte, error) {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(p); err != nil {
		return nil, err
	}
	err := w.Close()
	return b.Bytes(), err
}

// Tgz packs and compresses files.
func Tgz(members ...Member) ([]byte, error) {
	b, err := Tar(members...)
	if err != nil {
		return nil, err
	}
	return Gzip(b)
}

// Zip packs and compresses files.
func Zip(members ...Member) ([]byte, error) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, m := range members {
		f, err := w.Create(m.Name)
		if err != nil {
			return nil, err
		}
		if _, err := f.Write(m.Body); err != nil {
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

// Gem builds a gem: a tar of its specification, its files and their sums. dependencies is a list in YAML.
func Gem(name, version, dependencies string, files ...Member) ([]byte, error) {
	spec, err := Gzip(fmt.Appendf(nil, gemspecYAML, name, version, dependencies))
	if err != nil {
		return nil, err
	}
	data, err := Tgz(files...)
	if err != nil {
		return nil, err
	}
	list := fmt.Appendf(nil, "---\nSHA256:\n  metadata.gz: %s\n  data.tar.gz: %s\n", hexSHA256(spec), hexSHA256(data))
	sums, err := Gzip(list)
	if err != nil {
		return nil, err
	}
	return Tar(Member{"metadata.gz", spec}, Member{"data.tar.gz", data}, Member{"checksums.yaml.gz", sums})
}

const gemspecYAML = `--- !ruby/object:Gem::Specification
name: %s
version: !ruby/object:Gem::Version
  version: %s
platform: ruby
authors:
- x
date: 2024-01-01 00:00:00.000000000 Z
dependencies: %s
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
