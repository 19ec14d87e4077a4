package cargo

// This file reads the body of a publish: the length of a JSON text, the text, the length of the crate, the crate (Cargo
// Book, Registry Web API). Clients choose both lengths: nothing is allocated or accepted because of them alone.

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"larder/cargo/archive"
	"larder/cargo/names"
	"larder/cargo/version"
	"larder/internal/problem"
	"larder/internal/rawjson"
	"larder/store"
)

// upload is the JSON of a publish. Absent, null and empty mean the same in every field.
type upload struct {
	Name          string              `json:"name"`
	Vers          string              `json:"vers"`
	Deps          []uploadDep         `json:"deps"`
	Features      map[string][]string `json:"features"`
	Authors       []string            `json:"authors"`
	Description   string              `json:"description"`
	Documentation string              `json:"documentation"`
	Homepage      string              `json:"homepage"`
	Readme        string              `json:"readme"`
	ReadmeFile    string              `json:"readme_file"`
	Keywords      []string            `json:"keywords"`
	Categories    []string            `json:"categories"`
	License       string              `json:"license"`
	LicenseFile   string              `json:"license_file"`
	Repository    string              `json:"repository"`
	Links         string              `json:"links"`
	RustVersion   string              `json:"rust_version"`
}

// uploadDep is a dependency as it is uploaded. Name is the crate's own, Alias what Cargo.toml calls it if that differs.
type uploadDep struct {
	Optional        bool       `json:"optional"`
	DefaultFeatures bool       `json:"default_features"`
	Name            string     `json:"name"`
	Features        []string   `json:"features"`
	Req             string     `json:"version_req"`
	Target          string     `json:"target"`
	Kind            string     `json:"kind"`
	Registry        string     `json:"registry"`
	Alias           string     `json:"explicit_name_in_toml"`
	Public          *bool      `json:"public"`
	Artifact        stringList `json:"artifact"`
	BindepTarget    string     `json:"bindep_target"`
	Lib             bool       `json:"lib"`
}

// stringList is a list that may also be sent as a single string.
type stringList []string

func (l *stringList) UnmarshalJSON(raw []byte) error {
	if s := rawjson.TextOf(raw); s != "" {
		*l = stringList{s}
		return nil
	}
	return json.Unmarshal(raw, (*[]string)(l))
}

// frame reads the parts of a body whose whole length is total, -1 when the client does not say.
type frame struct {
	r    io.Reader
	left int64 // bytes that may still come, -1 when unknown
}

const badUpload = "The request is not a crate upload: %s."

func badFrame(format string, args ...any) error {
	return problem.Errorf(store.ErrInvalid, badUpload, fmt.Sprintf(format, args...))
}

// next reads the length of a part; what it claims must fit into the body, and be at most limit.
func (f *frame) next(what string, limit int64) (int64, error) {
	var b [4]byte
	if _, err := io.ReadFull(f.r, b[:]); err != nil {
		return 0, f.cut(what, err)
	}
	n := int64(binary.LittleEndian.Uint32(b[:]))
	if f.left >= 0 {
		if f.left -= int64(len(b)) + n; f.left < 0 {
			return 0, badFrame("the length of %s, %d, is more than the body has", what, n)
		}
	}
	if n > limit {
		return 0, problem.Errorf(store.ErrTooLarge, "The %s has %d bytes; at most %d are accepted.", what, n, limit)
	}
	return n, nil
}

// cut is the error of a read that met the end.
func (f *frame) cut(what string, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return badFrame("it ends within %s", what)
	}
	return fmt.Errorf("read %s: %w", what, err)
}

// metadata reads the first part.
func (f *frame) metadata() (*upload, error) {
	const what = "JSON"
	n, err := f.next(what, maxUpload)
	if err != nil {
		return nil, err
	}
	raw := make([]byte, n)
	if _, err := io.ReadFull(f.r, raw); err != nil {
		return nil, f.cut(what, err)
	}
	return parseUpload(raw)
}

// crate copies the second part, which must be the last.
func (f *frame) crate(limit int64, open func(size int64) (io.Writer, error)) error {
	const what = "crate"
	n, err := f.next(what, limit)
	if err != nil {
		return err
	}
	if f.left > 0 {
		return badFrame("%d bytes follow the crate", f.left)
	}
	w, err := open(n)
	if err != nil {
		return err
	}
	if _, err := io.CopyN(w, f.r, n); err != nil {
		return f.cut(what, err)
	}
	var one [1]byte
	switch m, err := io.ReadFull(f.r, one[:]); {
	case m > 0:
		return badFrame("bytes follow the crate")
	case err != io.EOF:
		return fmt.Errorf("read the end: %w", err)
	}
	return nil
}

// parseUpload reads the JSON. Duplicate keys are refused: two readers of one could see different crates.
func parseUpload(raw []byte) (*upload, error) {
	if !utf8.Valid(raw) {
		return nil, badFrame("its JSON is not UTF-8")
	}
	if _, err := rawjson.Parse(raw); err != nil {
		return nil, problem.Wrap(err, store.ErrInvalid, badUpload, "its JSON "+rawjson.Reason(err))
	}
	u := &upload{}
	if err := json.Unmarshal(raw, u); err != nil {
		field := ""
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) {
			field = ": " + wrong.Field + " is a " + wrong.Value
		}
		return nil, problem.Wrap(err, store.ErrInvalid, badUpload,
			fmt.Sprintf("its JSON has a value of the wrong type%.200s", field))
	}
	return u, nil
}

// check checks everything that the JSON alone says, and returns the dependencies as the index will have them.
func (u *upload) check(o Options, own func(registry string) bool) ([]dependency, error) {
	for _, err := range []error{
		names.Check(u.Name), version.Check(u.Vers), u.checkMetadata(o.RequireMetadata), version.CheckRust(u.RustVersion),
	} {
		if err != nil {
			return nil, err
		}
	}
	if len(u.Deps) > o.MaxDependencies {
		return nil, problem.Errorf(store.ErrInvalid,
			"The crate has %d dependencies; at most %d are accepted.", len(u.Deps), o.MaxDependencies)
	}
	deps := make([]dependency, 0, len(u.Deps))
	for _, d := range u.Deps {
		if err := d.check(); err != nil {
			return nil, err
		}
		if own(d.Registry) {
			d.Registry = ""
		}
		deps = append(deps, d.dependency())
	}
	// Old cargo depends on the order.
	slices.SortStableFunc(deps, compareDependencies)
	return deps, archive.CheckFeatures(u.Features, u.said(), o.MaxFeatures)
}

// said are the dependencies as the request has them.
func (u *upload) said() []archive.Dependency {
	out := make([]archive.Dependency, 0, len(u.Deps))
	for _, d := range u.Deps {
		out = append(out, d.said())
	}
	return out
}

// said is what the request says of the dependency, to be compared with Cargo.toml.
func (d *uploadDep) said() archive.Dependency {
	return archive.Dependency{
		Name:            d.Name,
		Alias:           d.Alias,
		Req:             d.Req,
		Kind:            d.Kind,
		Target:          d.Target,
		Optional:        d.Optional,
		DefaultFeatures: d.DefaultFeatures,
		Features:        d.Features,
		Registry:        d.Registry,
	}
}

func (d *uploadDep) check() error {
	said := d.said()
	if err := errors.Join(said.Check(), checkRegistry(d.Registry)); err != nil {
		return err
	}
	if d.BindepTarget != "" && d.BindepTarget != "target" {
		if err := names.CheckTarget(d.BindepTarget); err != nil {
			return err
		}
	}
	for _, a := range d.Artifact {
		if err := names.CheckFeature(strings.TrimPrefix(a, "bin:")); err != nil {
			return err
		}
	}
	return nil
}

func checkRegistry(s string) error {
	if s == "" {
		return nil
	}
	u, err := url.Parse(strings.TrimPrefix(s, "sparse+"))
	if err != nil || len(s) > maxURL || u.Scheme == "" || u.User != nil || u.Host == "" && u.Scheme != "file" ||
		strings.ContainsAny(s, " \t\r\n\"") {
		return problem.Errorf(store.ErrInvalid, "%.200q is not the address of a registry's index.", s)
	}
	return nil
}

// dependency is the mapping of Cargo Book, Index Format: the index calls a dependency what Cargo.toml calls it.
func (d *uploadDep) dependency() dependency {
	out := dependency{
		Name:            d.Name,
		Req:             d.Req,
		Features:        d.Features,
		Optional:        d.Optional,
		DefaultFeatures: d.DefaultFeatures,
		Kind:            d.Kind,
		Registry:        d.Registry,
		Public:          d.Public,
		Artifact:        d.Artifact,
		BindepTarget:    d.BindepTarget,
		Lib:             d.Lib,
	}
	if d.Alias != "" && d.Alias != d.Name {
		out.Name, out.Package = d.Alias, d.Name
	}
	if d.Target != "" {
		out.Target = &d.Target
	}
	if out.Kind == "" {
		out.Kind = "normal"
	}
	if out.Features == nil {
		out.Features = []string{}
	}
	return out
}
