package miniclient

// This file has the requests of each protocol.

import (
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/sha512"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
)

// fields are a JSON object.
type fields = map[string]any

var npm = Protocol{
	Kind: "npm", Registry: "/npm",
	Make: func(name, version string, pad []byte) ([]byte, error) {
		manifest := fmt.Appendf(nil, `{"name":%q,"version":%q}`, name, version)
		return Tgz(Member{"package/package.json", manifest}, Member{"package/x.bin", pad})
	},
	Publish: func(ctx context.Context, s *Server, r Release) (Answer, error) {
		sum, sum512 := sha1.Sum(r.File), sha512.Sum512(r.File)
		file := r.Name + "-" + r.Version + ".tgz"
		dist := fields{
			"shasum": hex.EncodeToString(sum[:]), "integrity": "sha512-" + base64.StdEncoding.EncodeToString(sum512[:]),
			"tarball": s.Base + "/npm/" + r.Name + "/-/" + file,
		}
		manifest := fields{"name": r.Name, "version": r.Version, "_id": r.Name + "@" + r.Version, "dist": dist}
		body, err := json.Marshal(fields{
			"_id": r.Name, "name": r.Name, "dist-tags": fields{"latest": r.Version}, "versions": fields{r.Version: manifest},
			"_attachments": fields{file: fields{"content_type": octetBytes, "data": r.File, "length": len(r.File)}},
		})
		if err != nil {
			return Answer{}, err
		}
		return s.Do(ctx, http.MethodPut, "/npm/"+r.Name, body, "Content-Type", "application/json")
	},
	Document: func(_ string, r Release) Request { return Request{Path: "/npm/" + r.Name} },
	Lists: func(document []byte, r Release) bool {
		var d struct{ Versions map[string]json.RawMessage }
		return json.Unmarshal(document, &d) == nil && d.Versions[r.Version] != nil
	},
	File: func(_ string, _ []byte, r Release) (string, error) {
		return "/npm/" + r.Name + "/-/" + r.Name + "-" + r.Version + ".tgz", nil
	},
	Withdraw: withdrawNPM,
}

// withdrawNPM unpublishes as npm does: the package without the version, or the whole package if it is the last one.
func withdrawNPM(ctx context.Context, s *Server, r Release) (Answer, error) {
	a, err := s.Do(ctx, http.MethodGet, "/npm/"+r.Name+"?write=true", nil)
	if err != nil || a.Status != http.StatusOK {
		return a, err
	}
	var doc map[string]json.RawMessage
	if err := json.Unmarshal(a.Body, &doc); err != nil {
		return a, err
	}
	versions, tags, rev := map[string]json.RawMessage{}, map[string]string{}, ""
	for key, to := range map[string]any{"versions": &versions, "dist-tags": &tags, "_rev": &rev} {
		if err := json.Unmarshal(doc[key], to); err != nil {
			return a, fmt.Errorf("%s of a packument: %w", key, err)
		}
	}
	delete(versions, r.Version)
	if len(versions) == 0 {
		return s.Do(ctx, http.MethodDelete, "/npm/"+r.Name+"/-rev/"+rev, nil)
	}
	for tag, of := range tags {
		if of == r.Version {
			delete(tags, tag)
		}
	}
	for v := range versions {
		if tags["latest"] == "" {
			tags["latest"] = v
		}
	}
	if doc["versions"], err = json.Marshal(versions); err != nil {
		return a, err
	}
	if doc["dist-tags"], err = json.Marshal(tags); err != nil {
		return a, err
	}
	body, err := json.Marshal(doc)
	if err != nil {
		return a, err
	}
	return s.Do(ctx, http.MethodPut, "/npm/"+r.Name+"/-rev/"+rev, body, "Content-Type", "application/json")
}

const pypiJSON = "application/vnd.pypi.simple.v1+json"

var pypi = Protocol{
	Kind: "pypi", Registry: "/simple",
	Make: func(name, version string, pad []byte) ([]byte, error) {
		info := name + "-" + version + ".dist-info/"
		return Zip(Member{name + "/__init__.py", []byte("#")}, Member{name + "/x.bin", pad},
			Member{info + "METADATA", fmt.Appendf(nil, "Metadata-Version: 2.1\nName: %s\nVersion: %s\n", name, version)},
			Member{info + "WHEEL", []byte("Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n")},
			Member{info + "RECORD", nil})
	},
	Publish: func(ctx context.Context, s *Server, r Release) (Answer, error) {
		var b bytes.Buffer
		w := multipart.NewWriter(&b)
		for _, f := range [][2]string{
			{":action", "file_upload"}, {"protocol_version", "1"}, {"name", r.Name}, {"version", r.Version},
			{"filetype", "bdist_wheel"}, {"pyversion", "py3"}, {"metadata_version", "2.1"}, {"sha256_digest", hexSHA256(r.File)},
		} {
			if err := w.WriteField(f[0], f[1]); err != nil {
				return Answer{}, err
			}
		}
		file, err := w.CreateFormFile("content", wheel(r))
		if err == nil {
			_, err = file.Write(r.File)
		}
		if err = errors.Join(err, w.Close()); err != nil {
			return Answer{}, err
		}
		return s.Do(ctx, http.MethodPost, "/pypi/legacy/", b.Bytes(), "Content-Type", w.FormDataContentType())
	},
	Document: func(_ string, r Release) Request {
		return Request{"/simple/" + r.Name + "/", []string{"Accept", pypiJSON}}
	},
	Lists: func(document []byte, r Release) bool {
		var d struct{ Files []struct{ Filename string } }
		if json.Unmarshal(document, &d) != nil {
			return false
		}
		for _, f := range d.Files {
			if f.Filename == wheel(r) {
				return true
			}
		}
		return false
	},
	File: func(_ string, _ []byte, r Release) (string, error) {
		return "/pypi/files/" + hexSHA256(r.File) + "/" + wheel(r), nil
	},
	Withdraw: func(ctx context.Context, s *Server, r Release) (Answer, error) {
		return s.Do(ctx, http.MethodDelete, "/pypi/-/"+r.Name+"/"+r.Version, nil)
	},
}

func wheel(r Release) string { return r.Name + "-" + r.Version + "-py3-none-any.whl" }

var cargo = Protocol{
	Kind: "cargo", Registry: "/cargo/index",
	Make: func(name, version string, pad []byte) ([]byte, error) {
		dir := name + "-" + version + "/"
		manifest := fmt.Appendf(nil, cargoTOML, name, version)
		return Tgz(Member{dir + "Cargo.toml", manifest}, Member{dir + "src/lib.rs", []byte("//")},
			Member{dir + "x.bin", pad})
	},
	Publish: func(ctx context.Context, s *Server, r Release) (Answer, error) {
		head, err := json.Marshal(fields{
			"name": r.Name, "vers": r.Version, "deps": []any{}, "features": fields{}, "authors": []any{}, "description": "x",
			"keywords": []any{}, "categories": []any{}, "license": "MIT", "badges": fields{},
		})
		if err != nil {
			return Answer{}, err
		}
		body := append(binary.LittleEndian.AppendUint32(nil, uint32(len(head))), head...)
		body = append(binary.LittleEndian.AppendUint32(body, uint32(len(r.File))), r.File...)
		return s.Do(ctx, http.MethodPut, "/cargo/api/v1/crates/new", body)
	},
	Document: func(_ string, r Release) Request { return Request{Path: "/cargo/index/" + crateIndex(r.Name)} },
	Lists: func(document []byte, r Release) bool {
		for line := range bytes.Lines(document) {
			var l struct {
				Vers   string
				Yanked bool
			}
			if json.Unmarshal(line, &l) == nil && l.Vers == r.Version {
				return !l.Yanked
			}
		}
		return false
	},
	File: func(_ string, _ []byte, r Release) (string, error) {
		return "/cargo/api/v1/crates/" + r.Name + "/" + r.Version + "/download", nil
	},
	Withdraw: func(ctx context.Context, s *Server, r Release) (Answer, error) {
		return s.Do(ctx, http.MethodDelete, "/cargo/api/v1/crates/"+r.Name+"/"+r.Version+"/yank", nil)
	},
}

const cargoTOML = `[package]
name = %q
version = %q
edition = "2021"
description = "x"
license = "MIT"
`

// crateIndex is the path of a crate's file in the index (Cargo Book, Index Files).
func crateIndex(name string) string {
	switch len(name) {
	case 1, 2:
		return fmt.Sprintf("%d/%s", len(name), name)
	case 3:
		return "3/" + name[:1] + "/" + name
	}
	return name[:2] + "/" + name[2:4] + "/" + name
}

var maven = Protocol{
	Kind: "maven", Registry: "/maven",
	Make: func(_, _ string, pad []byte) ([]byte, error) {
		return Zip(Member{"META-INF/MANIFEST.MF", []byte("Manifest-Version: 1.0\n")}, Member{"x.bin", pad})
	},
	Publish: func(ctx context.Context, s *Server, r Release) (Answer, error) {
		at := mavenFile(r)
		coordinates := "<groupId>com.acme</groupId><artifactId>" + r.Name + "</artifactId>"
		version := "<version>" + r.Version + "</version>"
		pom := `<?xml version="1.0"?><project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>` +
			coordinates + version + "</project>"
		metadata := "<metadata>" + coordinates + "<versioning><release>" + r.Version + "</release><versions>" + version +
			"</versions></versioning></metadata>"
		for _, put := range []Member{{at + ".pom", []byte(pom)}, {at + ".jar", r.File}} {
			if a, err := s.Do(ctx, http.MethodPut, put.Name, put.Body); err != nil || a.Status/100 != 2 {
				return a, err
			}
		}
		return s.Do(ctx, http.MethodPut, "/maven/com/acme/"+r.Name+"/maven-metadata.xml", []byte(metadata))
	},
	Document: func(_ string, r Release) Request {
		return Request{Path: "/maven/com/acme/" + r.Name + "/maven-metadata.xml"}
	},
	Lists: func(document []byte, r Release) bool {
		return bytes.Contains(document, []byte("<version>"+r.Version+"</version>"))
	},
	Also: func(r Release) string { return mavenFile(r) + ".pom" },
	File: func(_ string, _ []byte, r Release) (string, error) {
		return mavenFile(r) + ".jar", nil
	},
	Withdraw: func(ctx context.Context, s *Server, r Release) (Answer, error) {
		return s.Do(ctx, http.MethodDelete, "/maven/com/acme/"+r.Name+"/"+r.Version+"/", nil)
	},
}

var composer = Protocol{
	Kind: "composer", Registry: "/composer",
	Make: func(name, version string, pad []byte) ([]byte, error) {
		manifest := fmt.Appendf(nil, `{"name":"acme/%s","version":%q}`, name, version)
		return Zip(Member{"composer.json", manifest}, Member{"x.bin", pad})
	},
	Publish: func(ctx context.Context, s *Server, r Release) (Answer, error) {
		return s.Do(ctx, http.MethodPut, "/composer/", r.File, "Content-Type", "application/zip")
	},
	Document: func(_ string, r Release) Request { return Request{Path: "/composer/p2/acme/" + r.Name + ".json"} },
	Lists:    func(document []byte, r Release) bool { _, err := composerDist(document, r); return err == nil },
	File:     func(_ string, document []byte, r Release) (string, error) { return composerDist(document, r) },
	Withdraw: func(ctx context.Context, s *Server, r Release) (Answer, error) {
		return s.Do(ctx, http.MethodDelete, "/composer/packages/acme/"+r.Name+"/versions/"+r.Version+"?purge=1", nil)
	},
}

// mavenFile is a file of a release without its extension.
func mavenFile(r Release) string {
	return "/maven/com/acme/" + r.Name + "/" + r.Version + "/" + r.Name + "-" + r.Version
}

// composerDist finds a release's archive. Documents are minified, but fields that differ are always there.
func composerDist(document []byte, r Release) (string, error) {
	var d struct {
		Packages map[string][]struct {
			Version string
			Dist    struct{ URL string }
		}
	}
	if err := json.Unmarshal(document, &d); err != nil {
		return "", err
	}
	for _, v := range d.Packages["acme/"+r.Name] {
		if v.Version == r.Version {
			at, err := url.Parse(v.Dist.URL)
			if err != nil {
				return "", err
			}
			return at.RequestURI(), nil
		}
	}
	return "", ErrNotListed
}

var rubygems = Protocol{
	Kind: "rubygems", Registry: "/rubygems",
	Make: func(name, version string, pad []byte) ([]byte, error) {
		return Gem(name, version, "[]", Member{"lib/x.rb", []byte("#")}, Member{"x.bin", pad})
	},
	Publish: func(ctx context.Context, s *Server, r Release) (Answer, error) {
		return s.Do(ctx, http.MethodPost, "/rubygems/api/v1/gems", r.File, "Content-Type", "application/octet-stream")
	},
	Document: func(_ string, r Release) Request { return Request{Path: "/rubygems/info/" + r.Name} },
	Lists: func(document []byte, r Release) bool {
		return bytes.Contains(document, []byte("\n"+r.Version+" "))
	},
	File: func(_ string, _ []byte, r Release) (string, error) {
		return "/rubygems/gems/" + r.Name + "-" + r.Version + ".gem", nil
	},
	Withdraw: func(ctx context.Context, s *Server, r Release) (Answer, error) {
		form := url.Values{"gem_name": {r.Name}, "version": {r.Version}}.Encode()
		return s.Do(ctx, http.MethodDelete, "/rubygems/api/v1/gems/yank", []byte(form),
			"Content-Type", "application/x-www-form-urlencoded")
	},
}

const (
	imageType  = "application/vnd.oci.image.manifest.v1+json"
	emptyBlob  = "{}"
	octetBytes = "application/octet-stream"
)

var oci = Protocol{
	Kind: "oci", Registry: "",
	Make: func(_, _ string, pad []byte) ([]byte, error) { return bytes.Clone(pad), nil },
	Publish: func(ctx context.Context, s *Server, r Release) (Answer, error) {
		for _, blob := range [][]byte{r.File, []byte(emptyBlob)} {
			if a, err := pushBlob(ctx, s, "team/"+r.Name, blob); err != nil || a.Status != http.StatusCreated {
				return a, err
			}
		}
		return s.Do(ctx, http.MethodPut, "/v2/team/"+r.Name+"/manifests/"+r.Version, Manifest(r), "Content-Type", imageType)
	},
	Document: func(prefix string, r Release) Request {
		return Request{"/v2/" + prefix + "team/" + r.Name + "/manifests/" + r.Version, []string{"Accept", imageType}}
	},
	Lists: func(document []byte, r Release) bool { return bytes.Equal(document, Manifest(r)) },
	File: func(prefix string, _ []byte, r Release) (string, error) {
		return "/v2/" + prefix + "team/" + r.Name + "/blobs/sha256:" + hexSHA256(r.File), nil
	},
	Withdraw: func(ctx context.Context, s *Server, r Release) (Answer, error) {
		return s.Do(ctx, http.MethodDelete, "/v2/team/"+r.Name+"/manifests/"+r.Version, nil)
	},
}

// Manifest is the image manifest of a release.
func Manifest(r Release) []byte {
	return fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":%q,`+
		`"config":{"mediaType":"application/vnd.oci.empty.v1+json","digest":"sha256:%s","size":%d},`+
		`"layers":[{"mediaType":%q,"digest":"sha256:%s","size":%d}]}`,
		imageType, hexSHA256([]byte(emptyBlob)), len(emptyBlob), octetBytes, hexSHA256(r.File), len(r.File))
}

func pushBlob(ctx context.Context, s *Server, repo string, p []byte) (Answer, error) {
	a, err := s.Do(ctx, http.MethodPost, "/v2/"+repo+"/blobs/uploads/", nil)
	if err != nil || a.Status != http.StatusAccepted {
		return a, err
	}
	at := a.Header.Get("Location")
	joint := "?"
	if strings.Contains(at, "?") {
		joint = "&"
	}
	return s.Do(ctx, http.MethodPut, at+joint+"digest=sha256:"+hexSHA256(p), p, "Content-Type", octetBytes)
}
