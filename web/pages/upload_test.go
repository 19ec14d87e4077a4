package pages

// Uploads in the browser.

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"testing"

	"larder/auth"
	"larder/internal/miniclient"
	"larder/internal/wiretest"
)

// upload sends the form of the upload page.
func (v *visitor) upload(file string, body []byte, fields ...string) wiretest.Answer {
	v.T.Helper()
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	all := fields
	if len(fields) == 0 || fields[0] != fieldForm {
		all = append([]string{fieldForm, auth.FormToken(v.cookie.Value)}, fields...)
	}
	for i := 0; i < len(all); i += 2 {
		if err := form.WriteField(all[i], all[i+1]); err != nil {
			v.T.Fatal(err)
		}
	}
	part, err := form.CreateFormFile(fieldFile, file)
	if err == nil {
		_, err = part.Write(body)
	}
	if err == nil {
		err = form.Close()
	}
	if err != nil {
		v.T.Fatal(err)
	}
	return v.do("POST", "/-/upload", nil, func(r *http.Request) {
		other := httptest.NewRequest("POST", "/-/upload", &b)
		r.Body, r.ContentLength = other.Body, other.ContentLength
		r.Header.Set("Content-Type", form.FormDataContentType())
	})
}

// uploads are what files of each kind are called.
var uploads = map[string]string{
	"npm": "demo-1.0.0.tgz", "pypi": "demo-1.0.0-py3-none-any.whl", "cargo": "demo-1.0.0.crate", "maven": "demo-1.0.0.jar",
	"composer": "demo.zip", "rubygems": "demo-1.0.0.gem",
}

// TestUploadsAreWhatClientsPublish: the file's kind is recognised, and it is published as its client would have done.
func TestUploadsAreWhatClientsPublish(t *testing.T) {
	for _, p := range miniclient.All() {
		if p.Kind == "oci" {
			continue
		}
		t.Run(p.Kind, func(t *testing.T) {
			g := newRig(t)
			v := g.visit()
			file, err := p.Make("demo", "1.0.0", []byte("x"))
			if err != nil {
				t.Fatal(err)
			}
			fields := []string{"kind", "auto"}
			if p.Kind == "maven" {
				fields = []string{"kind", "maven", "group", "com.acme", "artifact", "demo", "version", "1.0.0"}
			}
			a := v.upload(uploads[p.Kind], file, fields...)
			name := recordName(p.Kind, "demo")
			if to := a.Header.Get("Location"); a.Status != 303 || to != "/ui/"+p.Kind+"/"+name {
				t.Fatalf("%v to %q, want 303 to the package", a, to)
			}
			g.has(g.page("", "/ui/"+p.Kind+"/"+name), "1.0.0", "ada")
			if got := g.ops(p.Kind, name); got[0] != "publish" {
				t.Errorf("the journal has %v", got)
			}
			// A second one is refused as the client's would be, or changes nothing where clients may repeat it.
			other, err := p.Make("demo", "1.0.0", []byte("other"))
			if err != nil {
				t.Fatal(err)
			}
			a = v.upload(uploads[p.Kind], other, fields...)
			if a.Status/100 != 4 {
				t.Errorf("%v, want a refusal", a)
			}
			g.has(a.Body, "Not published.", "1.0.0", `name="file"`)
		})
	}
}

func TestUploadsThatAreNothingAreRefused(t *testing.T) {
	g := newRig(t)
	v := g.visit()
	g.Want(v.upload("demo.bin", []byte("nothing")), 400, "The file is of no kind that is known here.")
	for kind := range uploads {
		a := v.upload("demo.bin", []byte("nothing"), "kind", kind)
		if g.has(a.Body, "Not published."); a.Status/100 != 4 {
			t.Errorf("%s: %v, want a refusal", kind, a)
		}
	}
	if got := g.ops("npm", "demo"); len(got) != 0 {
		t.Errorf("the journal has %v", got)
	}
}

// TestUploadsNeedTheRightOfTheKind: the right is that of the client's request.
func TestUploadsNeedTheRightOfTheKind(t *testing.T) {
	g := newRig(t)
	g.User("reader", []string{"npm:package:*:read"})
	file, err := miniclient.Tgz(miniclient.Member{
		Name: "package/package.json", Body: []byte(`{"name":"demo","version":"1.0.0"}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	v := &visitor{rig: g}
	v.do("POST", "/-/login", map[string][]string{"user": {"reader"}, "password": {"secret"}})
	g.Want(v.upload("demo.tgz", file), 403, "may not create npm demo")
	stranger := &visitor{rig: g, cookie: &http.Cookie{Name: cookiePlain, Value: "none"}}
	if a := stranger.upload("demo.tgz", file); a.Status != 401 {
		t.Errorf("%v, want the login", a)
	}
	if a := v.upload("demo.tgz", file, fieldForm, "another's"); a.Status != 403 {
		t.Errorf("%v: a form of another session is taken", a)
	}
}

func TestJarsBringTheirPOM(t *testing.T) {
	g := newRig(t)
	v := g.visit()
	jar := wiretest.Zip(wiretest.Files{
		"META-INF/maven/com.acme/demo/pom.properties": "groupId=com.acme\nartifactId=demo\nversion=1.0.0\n",
		"META-INF/maven/com.acme/demo/pom.xml": "<project><modelVersion>4.0.0</modelVersion><groupId>com.acme</groupId>" +
			"<artifactId>demo</artifactId><version>1.0.0</version><name>The demonstration</name></project>",
	})
	g.Want(v.upload("demo-1.0.0.jar", []byte(jar)), 303, "")
	g.has(g.page("", "/ui/maven/com.acme:demo"), "The demonstration")
}
