package npm

// This file makes of a tarball alone the request with which npm publishes it.

import (
	"bytes"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"

	"larder/internal/describe"
	"larder/internal/rawjson"
	"larder/internal/registry"
	"larder/npm/archive"
	"larder/npm/names"
)

// Publish returns the name and version of the package in a tarball, and the request that publishes it under a dist-tag:
// the document that npm publish sends, whose manifest is the package.json. store.ErrInvalid.
func Publish(r io.ReaderAt, size int64, tag string) (name, version string, c registry.Call, err error) {
	t, err := archive.Read(io.NewSectionReader(r, 0, size))
	if err != nil {
		return "", "", c, err
	}
	name, version = t.Package.Text("name"), t.Package.Text("version")
	if err := names.Check(name); err != nil {
		return "", "", c, err
	}
	sum := sha512.New()
	if _, err := io.Copy(sum, io.NewSectionReader(r, 0, size)); err != nil {
		return "", "", c, err
	}
	dist := rawjson.Object{}.Add("integrity", rawjson.Quote("sha512-"+base64.StdEncoding.EncodeToString(sum.Sum(nil))))
	head := fmt.Appendf(nil, `{"_id":%[1]s,"name":%[1]s,"dist-tags":{%[2]s:%[3]s},"versions":{%[3]s:%[4]s},`+
		`"_attachments":{%[5]s:{"content_type":"application/octet-stream","length":%[6]d,"data":"`,
		rawjson.Quote(name), rawjson.Quote(tag), rawjson.Quote(version), t.Package.Set("dist", dist.Encode()).Encode(),
		rawjson.Quote(name+"-"+version+".tgz"), size)
	const tail = `"}}}`
	return name, version, registry.Call{
		Method: http.MethodPut, Path: root + "/" + escapeName(name), Type: "application/json",
		Body: io.MultiReader(bytes.NewReader(head), &encoder{r: io.NewSectionReader(r, 0, size)}, strings.NewReader(tail)),
		Size: int64(len(head)+len(tail)) + int64(base64.StdEncoding.EncodedLen(int(size))),
	}, nil
}

// encoder reads what it reads as base64.
type encoder struct {
	r   io.Reader
	in  [3 << 10]byte
	out []byte // not given out yet
	buf []byte
}

func (e *encoder) Read(p []byte) (int, error) {
	if len(e.out) == 0 {
		n, err := io.ReadFull(e.r, e.in[:])
		if n == 0 {
			return 0, err
		}
		e.buf = base64.StdEncoding.AppendEncode(e.buf[:0], e.in[:n])
		e.out = e.buf
	}
	n := copy(p, e.out)
	e.out = e.out[n:]
	return n, nil
}

// sendUpload is an upload.
func sendUpload(u describe.Upload) (name string, calls []registry.Call, err error) {
	tag := u.Tag
	if tag == "" {
		tag = "latest"
	}
	name, _, c, err := Publish(u.File, u.Size, tag)
	return name, []registry.Call{c}, err
}
