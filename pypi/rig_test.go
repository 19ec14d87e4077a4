package pypi

// A whole index in-process, uploads as clients send them, and checks of every derived row.

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"hash/crc32"
	"io"
	"maps"
	"mime/multipart"
	"net/textproto"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/blake2b"

	"larder/internal/pydist"
	"larder/internal/wire"
	"larder/internal/wiretest"
	"larder/pypi/simple"
	"larder/store"
	"larder/store/storetest"
)

type (
	answer = wiretest.Answer
	option = wiretest.Option
	fields = wiretest.Fields
)

// rig is a whole index in-process.
type rig struct {
	*wiretest.Rig
	s *server
}

type rigOptions struct {
	wiretest.Options
	pypi Options
}

// newRig opens an index with the user ada (password "secret"), who may do everything, acting as "ada". Every row is
// compared with its record when the test ends.
func newRig(t testing.TB, opts ...func(*rigOptions)) *rig {
	t.Helper()
	var o rigOptions
	for _, f := range opts {
		f(&o)
	}
	g := &rig{}
	g.Rig = wiretest.New(t, o.Options, func(d wire.Deps) wire.Protocol { return New(d, o.pypi, nil) })
	g.s = newServer(g.Deps, o.pypi)
	t.Cleanup(g.checkRows)
	return g
}

// serve opens an index on a store that is open already.
func serve(t testing.TB, s *store.Store) *rig {
	t.Helper()
	g := &rig{}
	g.Rig = wiretest.Serve(t, s, wiretest.Options{}, func(d wire.Deps) wire.Protocol { return New(d, Options{}, nil) })
	g.s = newServer(g.Deps, Options{})
	return g
}

// checkRows compares every row of ours with what it is derived from.
func (g *rig) checkRows() {
	ctx := context.Background()
	packages, err := g.s.Repo.Packages(ctx, "", 0)
	if err != nil {
		return // the store was closed by the test
	}
	for _, pkg := range packages {
		err := g.s.Repo.View(ctx, pkg.Name, func(tx *store.PackageTx[Meta]) error { return g.checkProject(tx) })
		if err != nil {
			g.T.Errorf("%s: %v", pkg.Name, err)
		}
	}
}

func (g *rig) checkProject(tx *store.PackageTx[Meta]) error {
	rows, releases := map[string]string{}, map[string]release{}
	for k, v := range tx.Index(indexFiles).Scan(nil, nil) {
		rows[string(k)] = string(v)
	}
	for _, v := range tx.Index(indexReleases).Scan(nil, nil) {
		rel, err := decodeRelease(v)
		if err != nil {
			return err
		}
		releases[rel.ID] = rel
	}
	var best release
	for v, err := range tx.Versions("") {
		if err != nil {
			return err
		}
		for i := range v.Meta.Files {
			a := &v.Meta.Files[i]
			key, err := keyOf(a)
			if err != nil {
				return err
			}
			if r := rowOf(&v, a); rows[string(key)] != string(r.Encode()) {
				g.T.Errorf("%s: the row of %s is not that of the record", tx.Name(), a.Name)
			}
			delete(rows, string(key))
		}
		rel, ok := releases[v.ID]
		if !ok || rel.Yanked != yanked(&v) || len(v.Meta.Files) == 0 {
			g.T.Errorf("%s %s: row %+v, %d files", tx.Name(), v.ID, rel, len(v.Meta.Files))
		}
		if best.ID == "" || best.before(rel) {
			best = rel
		}
		delete(releases, v.ID)
	}
	if len(rows) > 0 || len(releases) > 0 {
		g.T.Errorf("%s: %d rows and %d releases too many", tx.Name(), len(rows), len(releases))
	}
	var latest release
	if _, err := getJSON(tx.Index(indexProject), []byte(keyLatest), &latest); err != nil || latest.ID != best.ID {
		g.T.Errorf("%s: the latest release is %s, noted is %s, %v", tx.Name(), best.ID, latest.ID, err)
	}
	var row listed
	found, err := getJSON(tx.KindIndex(tableProjects), []byte(tx.Name()), &row)
	if !found || row.Serial != number(tx.Index(indexProject).Get([]byte(keySerial))) {
		g.T.Errorf("%s: listed as %+v", tx.Name(), row)
	}
	return err
}

// zipped writes files as Python's zipfile does, with sizes before the data.
func zipped(files map[string]string) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		content := files[name]
		f, err := w.CreateRaw(&zip.FileHeader{
			Name: name, Method: zip.Store, CRC32: crc32.ChecksumIEEE([]byte(content)), CompressedSize64: uint64(len(content)),
			UncompressedSize64: uint64(len(content)),
		})
		if err == nil {
			_, err = io.WriteString(f, content)
		}
		if err != nil {
			panic(err)
		}
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func tarred(files map[string]string) []byte {
	var b bytes.Buffer
	// Without compression, whose bytes are no promise of the library: golden documents have sums of them.
	z, err := gzip.NewWriterLevel(&b, gzip.NoCompression)
	if err != nil {
		panic(err)
	}
	w := tar.NewWriter(z)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		h := &tar.Header{Name: name, Mode: 0o644, Size: int64(len(files[name])), Typeflag: tar.TypeReg}
		if err := w.WriteHeader(h); err != nil {
			panic(err)
		}
		if _, err := io.WriteString(w, files[name]); err != nil {
			panic(err)
		}
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	if err := z.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// upload is a distribution on its way; what a test changes is sent instead of what is right.
type upload struct {
	name, version string // of the metadata
	file          string
	headers       string            // more of the metadata
	body          string            // of the metadata
	files         map[string]string // more files; "-" removes one
	content       []byte            // nil: made of the rest
	form          map[string]string // "-" removes a field
	more          [][2]string       // fields that are repeated or come last
	last          bool              // the file comes last, else in the middle
}

// newUpload is the wheel of a release; file names ending in something else make a source archive.
func newUpload(file string, change ...func(*upload)) *upload {
	f, err := pydist.ParseFilename(file)
	if err != nil {
		panic(err)
	}
	u := &upload{
		file: file, name: f.Stem, version: f.Version.String(), files: map[string]string{}, form: map[string]string{},
	}
	for _, c := range change {
		c(u)
	}
	return u
}

func (u *upload) metadata() string {
	return "Metadata-Version: 2.1\nName: " + u.name + "\nVersion: " + u.version + "\n" + u.headers + "\n" + u.body
}

// bytes builds the archive.
func (u *upload) bytes() []byte {
	if u.content != nil {
		return u.content
	}
	stem, _, _ := strings.Cut(u.file, "-")
	all := map[string]string{}
	if strings.HasSuffix(u.file, ".whl") {
		info := stem + "-" + u.version + ".dist-info/"
		all[stem+"/__init__.py"] = "version = '" + u.version + "'\n"
		all[info+"METADATA"] = u.metadata()
		all[info+"WHEEL"] = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
		all[info+"RECORD"] = ""
		merge(all, u.files)
		if r, ok := all[info+"RECORD"]; ok && r == "" {
			for _, name := range slices.Sorted(maps.Keys(all)) {
				all[info+"RECORD"] += `"` + name + "\",,\n"
			}
		}
		u.content = zipped(all)
		return u.content
	}
	top := strings.TrimSuffix(strings.TrimSuffix(u.file, ".tar.gz"), ".zip") + "/"
	all[top+"PKG-INFO"], all[top+"setup.py"] = u.metadata(), "from setuptools import setup\nsetup()\n"
	merge(all, u.files)
	if u.content = tarred(all); strings.HasSuffix(u.file, ".zip") {
		u.content = zipped(all)
	}
	return u.content
}

// merge puts the entries of changed into all; "-" removes one.
func merge(all, changed map[string]string) {
	for name, v := range changed {
		if all[name] = v; v == "-" {
			delete(all, name)
		}
	}
}

func hexOf(sum []byte) string { return hex.EncodeToString(sum) }

// fields are the form's, as twine sends them.
func (u *upload) fields() map[string]string {
	content := u.bytes()
	sha, m5, b2 := sha256.Sum256(content), md5.Sum(content), blake2b.Sum256(content)
	all := map[string]string{
		":action": "file_upload", "protocol_version": "1", "metadata_version": "2.1", "name": u.name, "version": u.version,
		"filetype": "bdist_wheel", "pyversion": "py3", "sha256_digest": hexOf(sha[:]), "md5_digest": hexOf(m5[:]),
		"blake2_256_digest": hexOf(b2[:]),
	}
	if !strings.HasSuffix(u.file, ".whl") {
		all["filetype"], all["pyversion"] = "sdist", "source"
	}
	merge(all, u.form)
	return all
}

// encode renders the form in an order that depends on shuffle.
func (u *upload) encode(shuffle int) (contentType string, body []byte) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	all := u.fields()
	names := slices.Sorted(maps.Keys(all))
	n := shuffle % len(names)
	names = append(names[n:], names[:n]...)
	at := len(names) / 2
	if u.last {
		at = len(names)
	}
	for i, name := range append(names, "") {
		if i == at {
			part, err := w.CreatePart(textproto.MIMEHeader{
				"Content-Disposition": {`form-data; name="content"; filename="` + u.file + `"`},
			})
			if err == nil {
				_, err = part.Write(u.bytes())
			}
			if err != nil {
				panic(err)
			}
		}
		if name != "" {
			if err := w.WriteField(name, all[name]); err != nil {
				panic(err)
			}
		}
	}
	for _, kv := range u.more {
		if err := w.WriteField(kv[0], kv[1]); err != nil {
			panic(err)
		}
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return w.FormDataContentType(), b.Bytes()
}

// put uploads as an actor.
func (g *rig) put(actor string, u *upload, opts ...option) answer {
	g.T.Helper()
	return g.putTo("/pypi/legacy/", actor, u, 0, opts...)
}

func (g *rig) putTo(path, actor string, u *upload, shuffle int, opts ...option) answer {
	g.T.Helper()
	contentType, body := u.encode(shuffle)
	form := []option{g.As(actor), wiretest.Header("Content-Type", contentType)}
	return g.Do("POST", path, body, append(form, opts...)...)
}

// publish uploads files as ada.
func (g *rig) publish(files ...string) {
	g.T.Helper()
	for _, f := range files {
		g.Want(g.put("ada", newUpload(f)), 200, "")
	}
}

var asJSON = wiretest.Header("Accept", simple.JSON)

// project is a project's page as JSON.
func (g *rig) project(name string) fields {
	g.T.Helper()
	return g.Want(g.Do("GET", "/simple/"+name+"/", nil, g.As("ada"), asJSON), 200, "").Object(g.T)
}

// entries are the files of a page by name.
func entries(page fields) map[string]fields {
	out := map[string]fields{}
	list, _ := page["files"].([]any)
	for _, f := range list {
		e := f.(fields)
		out[e["filename"].(string)] = e
	}
	return out
}

// order are the names of a page's files as they come.
func order(page fields) (out []string) {
	list, _ := page["files"].([]any)
	for _, f := range list {
		out = append(out, f.(fields)["filename"].(string))
	}
	return out
}

// url is where the page says a file is, for a request.
func (g *rig) url(project, file string) string {
	g.T.Helper()
	e, ok := entries(g.project(project))[file]
	if !ok {
		g.T.Fatalf("%s is not in the page of %s", file, project)
	}
	text := e["url"].(string)
	if rest, ok := strings.CutPrefix(text, "../../"); ok {
		return g.Srv.URL + "/" + rest
	}
	return text
}

func withPolicies(p ...store.Policy) func(*rigOptions) {
	return func(o *rigOptions) { o.Store = append(o.Store, storetest.WithPolicies(p...)) }
}
