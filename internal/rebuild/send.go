package rebuild

// This file has the requests with which each protocol's client publishes a file; images are in images.go.

import (
	"bytes"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"strings"

	"larder/cargo"
	"larder/npm"
	"larder/store"
	"larder/web"
)

const octets = "application/octet-stream"

// send has the requests of each kind. An error may be a refusal.
var send = map[store.Kind]func(ctx context.Context, p *Publisher, f store.Found, file *os.File) error{
	store.NPM: sendNPM, store.PyPI: sendPyPI, store.Cargo: sendCargo, store.Maven: sendMaven,
	store.Composer: sendComposer, store.RubyGems: sendGem,
}

// recoveredTag is the tag of an npm version that shall not be the latest: a publish needs one. It
// is deleted afterwards.
const recoveredTag = "recovered"

func sendNPM(ctx context.Context, p *Publisher, f store.Found, file *os.File) error {
	sum := sha512.New()
	if _, err := io.Copy(sum, io.NewSectionReader(file, 0, f.Size)); err != nil {
		return err
	}
	manifest, err := npm.Resend(file, f.Size, "sha512-"+base64.StdEncoding.EncodeToString(sum.Sum(nil)))
	if err != nil {
		return refused("%v", err)
	}
	tags := "/npm/-/package/" + url.PathEscape(f.Name) + "/dist-tags"
	now, tag, err := p.npmTag(ctx, tags, f)
	if err != nil {
		return err
	}
	if now[f.Version] {
		return refused("version %s of %s is here with other content", f.Version, f.Name)
	}
	head := fmt.Appendf(nil, `{"_id":%[1]s,"name":%[1]s,"dist-tags":{%[2]s:%[3]s},"versions":{%[3]s:%[4]s},`+
		`"_attachments":{%[5]s:{"content_type":"application/octet-stream","length":%[6]d,"data":"`,
		quote(f.Name), quote(tag), quote(f.Version), manifest, quote(f.Name+"-"+f.Version+".tgz"), f.Size)
	data, stop := base64Of(io.NewSectionReader(file, 0, f.Size))
	defer stop()
	const tail = `"}}}`
	size := int64(len(head)+len(tail)) + int64(base64.StdEncoding.EncodedLen(int(f.Size)))
	body := io.MultiReader(bytes.NewReader(head), data, strings.NewReader(tail))
	err = p.do(
		ctx, store.NPM, http.MethodPut, "/npm/"+url.PathEscape(f.Name), body, size, "Content-Type", "application/json",
	)
	if err == nil && tag == recoveredTag {
		err = p.do(ctx, store.NPM, http.MethodDelete, tags+"/"+tag, nil, 0)
	}
	return err
}

// npmTag returns the tag for a version: latest if it is the first one or newer than the one that has that tag. here are
// the versions that have a tag.
func (p *Publisher) npmTag(
	ctx context.Context, path string, f store.Found,
) (here map[string]bool, tag string, err error) {
	a, err := p.ask(ctx, store.NPM, http.MethodGet, path, nil, 0)
	if err != nil {
		return nil, "", err
	}
	tags := map[string]string{}
	if a.status == http.StatusOK {
		if err := json.Unmarshal(a.body.Bytes(), &tags); err != nil {
			return nil, "", fmt.Errorf("dist-tags of %s: %w", f.Name, err)
		}
	}
	here = map[string]bool{}
	for _, v := range tags {
		here[v] = true
	}
	if latest := tags["latest"]; latest != "" && newer(f.Version, latest) < 0 {
		return here, recoveredTag, nil
	}
	return here, "latest", nil
}

func quote(s string) string {
	text, err := json.Marshal(s)
	if err != nil {
		return `""` // strings always have a text
	}
	return string(text)
}

// base64Of encodes r while it is read; stop ends that early.
func base64Of(r io.Reader) (data io.Reader, stop func()) {
	pr, pw := io.Pipe()
	go func() {
		enc := base64.NewEncoder(base64.StdEncoding, pw)
		_, err := io.Copy(enc, r)
		if err == nil {
			err = enc.Close()
		}
		pw.CloseWithError(err)
	}()
	return pr, func() { pr.CloseWithError(io.ErrClosedPipe) }
}

func sendPyPI(ctx context.Context, p *Publisher, f store.Found, file *os.File) error {
	kind := "sdist"
	if strings.HasSuffix(f.File, ".whl") {
		kind = "bdist_wheel"
	}
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	for _, field := range [][2]string{
		{":action", "file_upload"}, {"protocol_version", "1"}, {"name", f.Name}, {"version", f.Version}, {"filetype", kind},
		{"sha256_digest", f.Digest.Encoded()},
	} {
		if err := form.WriteField(field[0], field[1]); err != nil {
			return err
		}
	}
	if _, err := form.CreateFormFile("content", f.File); err != nil {
		return err
	}
	head := bytes.Clone(b.Bytes())
	b.Reset()
	if err := form.Close(); err != nil {
		return err
	}
	size := int64(len(head)+b.Len()) + f.Size
	body := io.MultiReader(bytes.NewReader(head), io.NewSectionReader(file, 0, f.Size), &b)
	return p.do(ctx, store.PyPI, http.MethodPost, "/pypi/legacy/", body, size, "Content-Type", form.FormDataContentType())
}

func sendCargo(ctx context.Context, p *Publisher, f store.Found, file *os.File) error {
	text, err := cargo.Resend(file, f.Size)
	if err != nil {
		return refused("%v", err)
	}
	head := append(binary.LittleEndian.AppendUint32(nil, uint32(len(text))), text...)
	head = binary.LittleEndian.AppendUint32(head, uint32(f.Size))
	body := io.MultiReader(bytes.NewReader(head), io.NewSectionReader(file, 0, f.Size))
	return p.do(ctx, store.Cargo, http.MethodPut, "/cargo/api/v1/crates/new", body, int64(len(head))+f.Size)
}

func sendMaven(ctx context.Context, p *Publisher, f store.Found, file *os.File) error {
	body := io.NewSectionReader(file, 0, f.Size)
	return p.do(ctx, store.Maven, http.MethodPut, mavenFolder(f)+url.PathEscape(f.File), body, f.Size)
}

// mavenFolder is the path of a version: the group's dots are slashes.
func mavenFolder(f store.Found) string {
	group, artifact, _ := strings.Cut(f.Name, ":")
	u := url.URL{Path: "/maven/" + strings.ReplaceAll(group, ".", "/") + "/" + artifact + "/" + f.Version + "/"}
	return u.EscapedPath()
}

// announce uploads the metadata that lists the Maven versions, as the end of a deployment does.
func (p *Publisher) announce(ctx context.Context, list []web.Rebuilt) error {
	said := map[string]error{}
	for i := range list {
		r := &list[i]
		if r.Kind != store.Maven || r.Outcome != web.RebuildPublished {
			continue
		}
		folder := mavenFolder(r.Found)
		err, done := said[folder]
		if !done {
			err = p.do(ctx, store.Maven, http.MethodPost, folder, nil, 0)
			said[folder] = err
		}
		if err := p.settle(ctx, r, err); err != nil {
			return err
		}
	}
	return nil
}

func sendComposer(ctx context.Context, p *Publisher, f store.Found, file *os.File) error {
	if f.Version == "" {
		return refused("its composer.json has no version, which was said at the upload: copy it out with --export and " +
			"publish it with ?version=")
	}
	body := io.NewSectionReader(file, 0, f.Size)
	return p.do(ctx, store.Composer, http.MethodPut, "/composer/", body, f.Size, "Content-Type", "application/zip")
}

func sendGem(ctx context.Context, p *Publisher, f store.Found, file *os.File) error {
	body := io.NewSectionReader(file, 0, f.Size)
	return p.do(ctx, store.RubyGems, http.MethodPost, "/rubygems/api/v1/gems", body, f.Size, "Content-Type", octets)
}
