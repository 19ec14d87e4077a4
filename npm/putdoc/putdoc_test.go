package putdoc

// Documents in any order and any pieces.

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"larder/internal/problem"
)

// published is a publish as npm sends it.
const published = `{"_id":"demo","name":"demo","description":"d","dist-tags":{"latest":"1.0.0"},` +
	`"versions":{"1.0.0":{"name":"demo","version":"1.0.0","readme":"# Demo",` +
	`"dist":{"integrity":"sha512-x","shasum":"y"}}},"access":null,"_attachments":{"demo-1.0.0.tgz":{` +
	`"content_type":"application/octet-stream","data":"YWJjZGVm","length":6}}}`

// read reads a document and what its tarball holds.
func read(body string) (*Document, string, error) {
	var content bytes.Buffer
	d, err := Read(strings.NewReader(body), func() (io.Writer, error) { return &content, nil })
	return d, content.String(), err
}

func TestRead(t *testing.T) {
	d, content, err := read(published)
	if err != nil || content != "abcdef" || d.Name != "demo" || d.ID != "demo" || d.Access != "" ||
		d.Tags["latest"] != "1.0.0" || !d.HasVersions || d.HasUsers || d.HasMaintainers {
		t.Fatalf("%+v %q %v", d, content, err)
	}
	if v := d.Versions[0]; len(d.Versions) != 1 || v.Key != "1.0.0" || v.Manifest.Text("readme") != "# Demo" ||
		v.Deprecated != nil {
		t.Errorf("%+v", v)
	}
	if a := d.Tarball; d.Attachments != 1 || a.Key != "demo-1.0.0.tgz" || a.Size != 6 || a.Length != 6 {
		t.Errorf("%+v", a)
	}
}

// TestReadOthers: documents without a tarball, and values of the wrong type, which clients send as null.
func TestReadOthers(t *testing.T) {
	d, _, err := read(`{"_id":null,` +
		`"versions":{"1.0.0":{"deprecated":"x","dist":{}},"1.0.1":{"deprecated":null,"a":[]},"1.0.2":{}},` +
		`"maintainers":["a <b>",{"name":"c"},7],"users":{"ada":true,"bob":false}}`)
	if err != nil || len(d.Versions) != 3 || *d.Versions[0].Deprecated != "x" || *d.Versions[1].Deprecated != "" ||
		d.Versions[2].Deprecated != nil {
		t.Fatalf("%+v %v", d, err)
	}
	if !slices.Equal(d.Maintainers, []string{"a", "c", ""}) || !d.Users["ada"] || d.Users["bob"] {
		t.Errorf("%+v", d)
	}
	d, _, err = read(`{"versions":null,"maintainers":"x","users":[],"_attachments":null,"name":7,"readme":{}}`)
	if err != nil || !d.HasVersions || len(d.Versions)+len(d.Maintainers)+len(d.Users)+d.Attachments != 0 ||
		d.Name+d.Readme != "" {
		t.Errorf("%+v %v", d, err)
	}
	d, _, err = read(`{"readme":"` + strings.Repeat("r", 100<<10) +
		`","_attachments":{"a.sigstore":{"content_type":"x","data":"{\"a\":1}"}}}`)
	if err != nil || len(d.Readme) != maxReadme || d.Bundle != `{"a":1}` || d.Tarball != nil || d.Attachments != 1 {
		t.Errorf("%v", err)
	}
}

func TestReadRefuses(t *testing.T) {
	for body, want := range map[string]error{
		`[]`: problem.ErrInvalid, `{"_attachments":{"a.tgz":{"length":3}}}`: problem.ErrInvalid,
		`{"_attachments":{"a.tgz":{"data":"YQ=="},"b.tgz":{"data":"YQ=="}}}`:      problem.ErrInvalid,
		`{"_attachments":{"a.sigstore":{},"b.sigstore":{},"c.sigstore":{}}}`:      problem.ErrInvalid,
		`{"_attachments":{"a.tgz":{"data":"YQ==YQ=="}}}`:                          problem.ErrInvalid,
		`{"_attachments":{"a.tgz":{"data":"YQ"}}}`:                                problem.ErrInvalid,
		`{"_attachments":{"a.tgz":{"data":"!!!!"}}}`:                              problem.ErrInvalid,
		`{"dist-tags":{"a":1}}`:                                                   problem.ErrInvalid,
		`{"versions":{"1.0.0":{"a":1,"a":2}}}`:                                    problem.ErrInvalid,
		`{"versions":{"1.0.0":[]}}`:                                               problem.ErrInvalid,
		`{"versions":{"1.0.0":{"a":"` + strings.Repeat("x", MaxManifest) + `"}}}`: problem.ErrTooLarge,
		`{"maintainers":[` + strings.Repeat("1,", maxListed) + `1]}`:              problem.ErrInvalid,
		`{"name":"` + strings.Repeat("x", 2000) + `"}`:                            problem.ErrInvalid,
		`{}x`: problem.ErrInvalid,
	} {
		if _, _, err := read(body); !errors.Is(err, want) {
			t.Errorf("%.60s: %v", body, err)
		}
	}
	if _, err := Read(strings.NewReader(published), nil); !errors.Is(err, problem.ErrInvalid) {
		t.Errorf("a tarball where none belongs: %v", err)
	}
	own := errors.New("the disk is full")
	if _, err := Read(strings.NewReader(published), func() (io.Writer, error) { return nil, own }); !errors.Is(err, own) {
		t.Errorf("%v", err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(published))
	f.Add([]byte(`{"_id":"a","users":{"ada":true},"_rev":"1-x"}`))
	f.Add([]byte(`{"versions":{"1.0.0":{"deprecated":"x"},"1.0.1":{"deprecated":null}},"maintainers":["a ` +
		`<b>",{"name":"c"}]}`))
	f.Add([]byte(`{"_attachments":{"a.tgz":{"data":"YWJj\/+","length":3},` +
		`"b.sigstore":{"data":"{\"a\":1}"}},"readme":"\ud83d\ude00"}`))
	f.Add([]byte(`{"a":[{},[],1e5,"\\\""],"versions":null}`))
	f.Fuzz(func(t *testing.T, p []byte) {
		var got bytes.Buffer
		b, err := Read(bytes.NewReader(p), func() (io.Writer, error) { return &got, nil })
		// The same bytes in pieces of any size are the same body.
		var slow bytes.Buffer
		again, err2 := Read(iotest.OneByteReader(bytes.NewReader(p)), func() (io.Writer, error) { return &slow, nil })
		if (err == nil) != (err2 == nil) || err == nil && got.String() != slow.String() {
			t.Fatalf("whole: %v, in pieces: %v", err, err2)
		}
		if err != nil {
			if s := problem.Status(err); s != 400 && s != 413 {
				t.Fatalf("%v is a %d", err, s)
			}
			return
		}
		if fmt.Sprintf("%+v", b.Versions) == "" || len(b.Versions) != len(again.Versions) {
			t.Fatal("other versions")
		}
		if b.Tarball != nil && b.Tarball.Size != int64(got.Len()) {
			t.Fatalf("%d bytes counted, %d written", b.Tarball.Size, got.Len())
		}
	})
}

// BenchmarkRead reads a publish of 64 MiB.
func BenchmarkRead(b *testing.B) {
	data := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("0123456789abcdef"), 4<<20))
	doc := `{"name":"x","_attachments":{"x-1.0.0.tgz":{"data":"` + data + `"}}}`
	b.SetBytes(int64(len(doc)))
	for b.Loop() {
		if _, err := Read(strings.NewReader(doc), func() (io.Writer, error) { return io.Discard, nil }); err != nil {
			b.Fatal(err)
		}
	}
}
