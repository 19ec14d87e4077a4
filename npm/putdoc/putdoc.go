// Package putdoc reads the body of PUT /:pkg as a stream. It has the tarball as base64 in the middle of
// a JSON document, before or after what describes it: the tarball goes straight into a writer,
// everything else is small or dropped.
package putdoc

import (
	"encoding/base64"
	"io"
	"strconv"
	"strings"

	"larder/internal/problem"
	"larder/internal/rawjson"
	"larder/npm/version"
)

// Document is what it said.
type Document struct {
	ID, Name string
	Access   string
	Tags     map[string]string

	HasVersions bool
	Versions    []Version

	HasMaintainers bool
	Maintainers    []string
	HasUsers       bool
	Users          map[string]bool

	Attachments int
	Tarball     *Attachment
	Bundle      string // provenance, plain JSON
	Readme      string
}

// Version is one element of versions. Only the first keeps its manifest: a publish has one, and deprecating needs none.
type Version struct {
	Key        string
	Manifest   rawjson.Object
	Deprecated *string
}

// Attachment is a tarball as it came.
type Attachment struct {
	Key    string
	Length int64 // as announced, -1 when it was not
	Size   int64 // bytes decoded
}

// MaxInline is how many bytes a small value may have, MaxManifest the manifest of a version.
const (
	MaxInline   = 16 << 10
	MaxManifest = 4 << 20
)

const (
	maxBundle      = 2 << 20  // one provenance bundle
	maxReadme      = 64 << 10 // what anybody keeps of one
	maxAttachments = 2
	maxListed      = 1000
)

// Read reads a document. open is called once, when the tarball begins.
func Read(r io.Reader, open func() (io.Writer, error)) (*Document, error) {
	b := &Document{Tags: map[string]string{}, Users: map[string]bool{}}
	s := rawjson.NewScanner(r)
	err := s.Object(func(key string) (err error) {
		switch key {
		case "_id":
			b.ID, err = s.Optional(rawjson.MaxKey)
		case "name":
			b.Name, err = s.Optional(rawjson.MaxKey)
		case "access":
			b.Access, err = s.Optional(rawjson.MaxKey)
		case "readme":
			b.Readme, err = s.Prefix(maxReadme)
		case "dist-tags":
			err = s.Object(func(tag string) error {
				if len(b.Tags) >= maxListed {
					return rawjson.Errorf("has more than %d dist-tags", maxListed)
				}
				b.Tags[tag], err = s.Str(version.MaxLen)
				return err
			})
		case "versions":
			b.HasVersions = true
			err = b.readVersions(s)
		case "maintainers":
			b.HasMaintainers = true
			err = b.readMaintainers(s)
		case "users":
			b.HasUsers = true
			err = b.readUsers(s)
		case "_attachments":
			err = b.readAttachments(s, open)
		default:
			err = s.Skip()
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return b, s.End()
}

func (b *Document) readVersions(s *rawjson.Scanner) error {
	return s.OptionalObject(func(key string) error {
		v := Version{Key: key}
		if len(b.Versions) > 0 {
			err := v.readDeprecated(s)
			b.Versions = append(b.Versions, v)
			return err
		}
		raw, err := s.Raw(MaxManifest)
		if err != nil {
			return err
		}
		if v.Manifest, err = rawjson.Parse(raw); err != nil {
			return err
		}
		for _, m := range v.Manifest {
			if m.Key == "deprecated" {
				text := rawjson.TextOf(m.Value)
				v.Deprecated = &text
			}
		}
		b.Versions = append(b.Versions, v)
		return nil
	})
}

// readDeprecated reads a manifest for its one field that npm deprecate may change.
func (v *Version) readDeprecated(s *rawjson.Scanner) error {
	return s.Object(func(key string) error {
		if key != "deprecated" {
			return s.Skip()
		}
		text, err := s.Optional(MaxInline)
		v.Deprecated = &text
		return err
	})
}

func (b *Document) readMaintainers(s *rawjson.Scanner) error {
	return s.OptionalArray(func() error {
		if len(b.Maintainers) >= maxListed {
			return rawjson.Errorf("has more than %d maintainers", maxListed)
		}
		raw, err := s.Raw(MaxInline)
		if err != nil {
			return err
		}
		name := rawjson.TextOf(raw)
		if o, err := rawjson.Parse(raw); name == "" && err == nil {
			name = o.Text("name")
		}
		name, _, _ = strings.Cut(name, " <")
		b.Maintainers = append(b.Maintainers, name)
		return nil
	})
}

func (b *Document) readUsers(s *rawjson.Scanner) error {
	return s.OptionalObject(func(user string) error {
		raw, err := s.Raw(MaxInline)
		b.Users[user] = string(raw) == "true"
		return err
	})
}

func (b *Document) readAttachments(s *rawjson.Scanner, open func() (io.Writer, error)) error {
	return s.OptionalObject(func(key string) error {
		if b.Attachments++; b.Attachments > maxAttachments {
			return rawjson.Errorf("has more than %d attachments", maxAttachments)
		}
		if strings.HasSuffix(key, ".sigstore") {
			return b.readBundle(s)
		}
		if b.Tarball != nil {
			return rawjson.Errorf("has two tarballs; publish one version at a time")
		}
		b.Tarball = &Attachment{Key: key, Length: -1}
		return b.Tarball.read(s, open)
	})
}

// readBundle reads provenance, whose data is JSON in a string rather than base64.
func (b *Document) readBundle(s *rawjson.Scanner) error {
	return s.Object(func(key string) (err error) {
		if key != "data" {
			return s.Skip()
		}
		b.Bundle, err = s.Str(maxBundle)
		return err
	})
}

func (a *Attachment) read(s *rawjson.Scanner, open func() (io.Writer, error)) error {
	found := false
	err := s.Object(func(key string) error {
		switch key {
		case "data":
			found = true
			if open == nil {
				return problem.Errorf(problem.ErrInvalid, "The request has an attachment where none belongs.")
			}
			w, err := open()
			if err != nil {
				return err
			}
			d := &decoder{w: w}
			if err := s.Text(d.write); err != nil {
				return err
			}
			a.Size = d.size
			return d.end()
		case "length":
			raw, err := s.Raw(rawjson.MaxKey)
			if n, bad := strconv.ParseInt(string(raw), 10, 64); bad == nil {
				a.Length = n
			}
			return err
		}
		return s.Skip()
	})
	if err == nil && !found {
		err = problem.Errorf(problem.ErrInvalid, "The attachment %.80q has no data.", a.Key)
	}
	return err
}

// decoder is base64 that comes in pieces of any size.
type decoder struct {
	w     io.Writer
	size  int64
	rest  []byte // fewer than four characters that wait for more
	ended bool   // padding was seen
	out   [24 << 10]byte
}

func (d *decoder) write(p []byte) error {
	if len(d.rest) > 0 {
		n := min(4-len(d.rest), len(p))
		d.rest = append(d.rest, p[:n]...)
		p = p[n:]
		if len(d.rest) < 4 {
			return nil
		}
		if err := d.decode(d.rest); err != nil {
			return err
		}
		d.rest = d.rest[:0]
	}
	whole := len(p) / 4 * 4
	for at := 0; at < whole; at += 32 << 10 {
		if err := d.decode(p[at:min(whole, at+32<<10)]); err != nil {
			return err
		}
	}
	d.rest = append(d.rest, p[whole:]...)
	return nil
}

// decode takes whole groups of four.
func (d *decoder) decode(p []byte) error {
	n, err := base64.StdEncoding.Strict().Decode(d.out[:], p)
	if err != nil || d.ended || n == 0 {
		return problem.Errorf(problem.ErrInvalid, "The attachment's data is not base64.")
	}
	d.ended = p[len(p)-1] == '='
	d.size += int64(n)
	_, err = d.w.Write(d.out[:n])
	return err
}

func (d *decoder) end() error {
	if len(d.rest) > 0 {
		return problem.Errorf(problem.ErrInvalid, "The attachment's data is not base64: it was cut off.")
	}
	return nil
}
