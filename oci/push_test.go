package oci

// What the conformance suite asks of pushing and pulling, natively, and the rules of A6b that it leaves out.

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"larder/store"
)

// session starts an upload and returns its location.
func (g *rig) session(repo string) string {
	g.t.Helper()
	a := g.want(g.ada("POST", "/v2/"+repo+"/blobs/uploads/", nil), 202, "")
	loc := a.header.Get("Location")
	if !strings.HasPrefix(loc, "/v2/"+repo+"/blobs/uploads/") || a.header.Get("Range") != "0-0" || !strings.HasSuffix(loc, a.header.Get("Docker-Upload-UUID")) {
		g.t.Fatalf("upload session: %v", a)
	}
	return loc
}

// pullable checks that a blob comes back whole, by GET and by HEAD.
func (g *rig) pullable(repo string, d digest.Digest, content string) {
	g.t.Helper()
	path := "/v2/" + repo + "/blobs/" + d.String()
	a := g.want(g.ada("GET", path, nil), 200, "")
	if a.body != content || a.header.Get("Docker-Content-Digest") != d.String() || a.header.Get("ETag") != `"`+d.String()+`"` ||
		a.header.Get("Content-Type") != "application/octet-stream" || a.header.Get("Accept-Ranges") != "bytes" || a.header.Get("Content-Encoding") != "" {
		g.t.Errorf("GET %s: %v", path, a)
	}
	a = g.want(g.ada("HEAD", path, nil), 200, "")
	if a.header.Get("Content-Length") != fmt.Sprint(len(content)) || a.header.Get("Docker-Content-Digest") != d.String() || a.body != "" {
		g.t.Errorf("HEAD %s: %v", path, a)
	}
}

// algorithms are the digests of one content, under each algorithm the suite pushes with.
func algorithms(content string) []digest.Digest {
	return []digest.Digest{digest.SHA256.FromString(content), digest.SHA512.FromString(content)}
}

// TestA3_PushBlob goes through every way a blob can come in, with both algorithms, sha512 revealed only at the end.
func TestA3_PushBlob(t *testing.T) {
	g := newRig(t)
	large := strings.Repeat("0123456789abcdef", 20<<10) // 320 KiB: beyond every small-body path
	ways := map[string]func(content string, d digest.Digest) answer{
		"end-4b one POST": func(content string, d digest.Digest) answer {
			return g.ada("POST", "/v2/app/blobs/uploads/?digest="+d.String(), content)
		},
		"end-4b one POST, streamed": func(content string, d digest.Digest) answer {
			return g.ada("POST", "/v2/app/blobs/uploads/?digest="+d.String(), strings.NewReader(content))
		},
		"end-6 POST and PUT": func(content string, d digest.Digest) answer {
			return g.ada("PUT", g.session("app")+"?digest="+d.String(), content)
		},
		"end-6 other parameters": func(content string, d digest.Digest) answer {
			return g.ada("PUT", g.session("app")+"?_state=x&digest="+d.String()+"&y=z", content)
		},
		"end-5 stream without any header": func(content string, d digest.Digest) answer {
			loc := g.session("app")
			g.want(g.ada("PATCH", loc, strings.NewReader(content)), 202, "")
			return g.ada("PUT", loc+"?digest="+d.String(), nil)
		},
		"end-5 chunks": func(content string, d digest.Digest) answer {
			loc := g.session("app")
			for at := 0; at < len(content); at += 100_000 {
				end := min(at+100_000, len(content))
				a := g.want(g.ada("PATCH", loc, content[at:end], header("Content-Range", fmt.Sprintf("%d-%d", at, end-1))), 202, "")
				if r := a.header.Get("Range"); r != fmt.Sprintf("0-%d", end-1) {
					t.Errorf("Range %q after %d bytes", r, end)
				}
				loc = a.header.Get("Location")
			}
			return g.ada("PUT", loc+"?digest="+d.String(), nil)
		},
		"end-6 last chunk in the PUT": func(content string, d digest.Digest) answer {
			loc, half := g.session("app"), len(content)/2
			g.want(g.ada("PATCH", loc, content[:half]), 202, "")
			return g.ada("PUT", loc+"?digest="+d.String(), content[half:], header("Content-Range", fmt.Sprintf("%d-%d", half, len(content)-1)))
		},
		"end-4c announced algorithm": func(content string, d digest.Digest) answer {
			a := g.want(g.ada("POST", "/v2/app/blobs/uploads/?digest-algorithm="+d.Algorithm().String(), nil), 202, "")
			return g.ada("PUT", a.header.Get("Location")+"?digest="+d.String(), content)
		},
	}
	for name, push := range ways {
		for i, content := range []string{name + " small", name + large} {
			for _, d := range algorithms(content + fmt.Sprint(i)) {
				c := content + fmt.Sprint(i)
				a := push(c, d)
				if a.status != 201 || a.header.Get("Location") != "/v2/app/blobs/"+d.String() || a.header.Get("Docker-Content-Digest") != d.String() {
					t.Errorf("%s of %d bytes as %s: %v", name, len(c), d.Algorithm(), a)
					continue
				}
				g.pullable("app", d, c)
			}
		}
	}
}

// TestA1_EmptyDescriptor: {} and no bytes at all are pushed again and again.
func TestA1_EmptyDescriptor(t *testing.T) {
	g := newRig(t)
	for _, content := range []string{"{}", ""} {
		for _, d := range algorithms(content) {
			for range 2 {
				g.want(g.ada("POST", "/v2/app/blobs/uploads/?digest="+d.String(), content), 201, "")
				g.want(g.ada("PUT", g.session("app")+"?digest="+d.String(), content), 201, "")
			}
			g.pullable("app", d, content)
		}
	}
}

// TestA3_BadDigest: a blob that is not what it claims to be is refused, and its session is gone.
func TestA3_BadDigest(t *testing.T) {
	g := newRig(t)
	for _, d := range algorithms("something else") {
		g.want(g.ada("POST", "/v2/app/blobs/uploads/?digest="+d.String(), "content"), 400, codeDigestInvalid)
		loc := g.session("app")
		g.want(g.ada("PUT", loc+"?digest="+d.String(), "content"), 400, codeDigestInvalid)
		g.want(g.ada("GET", loc, nil), 404, codeUploadUnknown)
		g.want(g.ada("GET", "/v2/app/blobs/"+d.String(), nil), 404, codeBlobUnknown)
	}
	loc := g.session("app")
	g.want(g.ada("PUT", loc, "content"), 400, codeDigestInvalid)
	g.want(g.ada("PUT", loc+"?digest=sha256:bad", "content"), 400, codeDigestInvalid)
	g.want(g.ada("GET", loc, nil), 204, "")
}

// TestA3_OutOfOrder: a chunk that does not continue the upload is a 416 that tells where to go on, on PATCH and on PUT.
func TestA3_OutOfOrder(t *testing.T) {
	g := newRig(t)
	loc := g.session("app")
	g.want(g.ada("PATCH", loc, "56789", header("Content-Range", "5-9")), 416, codeUploadInvalid)
	g.want(g.ada("PATCH", loc, "01234", header("Content-Range", "0-4")), 202, "")
	for _, method := range []string{"PATCH", "PUT"} {
		for _, at := range []string{"0-4", "6-10", "4-8"} {
			a := g.want(g.ada(method, loc+"?digest="+digest.FromString("0123456789").String(), "xxxxx", header("Content-Range", at)), 416, codeUploadInvalid)
			if a.header.Get("Location") != loc || a.header.Get("Range") != "0-4" {
				t.Errorf("%s %s: %v", method, at, a)
			}
		}
	}
	a := g.want(g.ada("GET", loc, nil), 204, "")
	if a.header.Get("Location") != loc || a.header.Get("Range") != "0-4" {
		t.Errorf("end-13: %v", a)
	}
	d := digest.FromString("0123456789")
	g.want(g.ada("PUT", loc+"?digest="+d.String(), "56789", header("Content-Range", "5-9")), 201, "")
	g.pullable("app", d, "0123456789")
}

// TestA6b_ContentRange: what a chunk says of itself must be true, and may be left out.
func TestA6b_ContentRange(t *testing.T) {
	g := newRig(t)
	loc := g.session("app")
	for _, v := range []string{"bytes 0-4/5", "0-", "-4", "x", "0-4-5", "00000000000000000000-4"} {
		g.want(g.ada("PATCH", loc, "01234", header("Content-Range", v)), 400, codeUploadInvalid)
	}
	for _, v := range []string{"0-3", "0-5", "4-0"} {
		g.want(g.ada("PATCH", loc, "01234", header("Content-Range", v)), 400, codeSizeInvalid)
	}
	g.want(g.ada("PATCH", loc, strings.NewReader("01234"), header("Content-Range", "0-9")), 400, codeSizeInvalid)
	if r := g.ada("GET", loc, nil).header.Get("Range"); r != "0-4" {
		t.Errorf("a short chunk kept %q", r)
	}
	g.want(g.ada("PATCH", loc, "", header("Content-Length", "0")), 202, "")
}

// TestA3_Cancel is end-14.
func TestA3_Cancel(t *testing.T) {
	g := newRig(t)
	loc := g.session("app")
	g.want(g.ada("PATCH", loc, "01234"), 202, "")
	g.want(g.ada("DELETE", loc, nil), 204, "")
	for _, method := range []string{"GET", "PATCH", "DELETE", "PUT"} {
		g.want(g.ada(method, loc+"?digest="+someDigest, nil), 404, codeUploadUnknown)
	}
}

// TestA6b_CutShort: a PATCH whose client goes away keeps what arrived, and the upload is continued from there.
func TestA6b_CutShort(t *testing.T) {
	g := newRig(t)
	loc := g.session("app")
	content := make([]byte, 300<<10)
	rand.Read(content)
	r, err := http.NewRequest("PATCH", g.srv.URL+loc, io.MultiReader(bytes.NewReader(content[:200<<10]), failing{}))
	if err != nil {
		t.Fatal(err)
	}
	g.as("ada")(r)
	if resp, err := g.srv.Client().Do(r); err == nil {
		resp.Body.Close()
		t.Fatalf("status %d for a body that was cut", resp.StatusCode)
	}
	var have int
	for range 200 { // the server notices a moment after the client
		a := g.ada("GET", loc, nil)
		if _, err := fmt.Sscanf(a.header.Get("Range"), "0-%d", &have); err != nil {
			t.Fatal(a, err)
		}
		if b := g.ada("PATCH", loc, content[have+1:], header("Content-Range", fmt.Sprintf("%d-%d", have+1, len(content)-1))); b.status == 202 {
			break
		}
	}
	if have == 0 {
		t.Error("nothing of the first part was kept")
	}
	d := digest.FromBytes(content)
	g.want(g.ada("PUT", loc+"?digest="+d.String(), nil), 201, "")
	g.pullable("app", d, string(content))
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("the client's disk broke") }

// TestA6b_Restart: a session survives the process, its bytes are hashed anew, and it stays bound to repository and user.
func TestA6b_Restart(t *testing.T) {
	dir := t.TempDir()
	g := newRig(t, func(o *rigOptions) { o.dir = dir })
	loc := g.session("app")
	g.want(g.ada("PATCH", loc, "01234"), 202, "")
	g.srv.Close()
	if err := g.store.Close(); err != nil {
		t.Fatal(err)
	}
	keys := g.keys
	g = newRig(t, func(o *rigOptions) { o.dir = dir })
	g.keys = keys
	if r := g.want(g.ada("GET", loc, nil), 204, "").header.Get("Range"); r != "0-4" {
		t.Errorf("Range %q after the restart", r)
	}
	g.user("eve", nil)
	g.want(g.do("GET", loc, nil, g.as("eve")), 404, codeUploadUnknown)
	g.want(g.ada("GET", strings.Replace(loc, "/app/", "/other/", 1), nil), 404, codeUploadUnknown)
	d := digest.SHA512.FromString("0123456789")
	g.want(g.ada("PUT", loc+"?digest="+d.String(), "56789"), 201, "")
	g.pullable("app", d, "0123456789")
}

// TestA3_Mount: end-11 with and without from, and what is not mounted is an upload.
func TestA3_Mount(t *testing.T) {
	g := newRig(t)
	content := "a layer"
	for _, d := range algorithms(content) {
		g.want(g.ada("POST", "/v2/source/blobs/uploads/?digest="+d.String(), content), 201, "")
		a := g.want(g.ada("POST", "/v2/named/blobs/uploads/?from=source&origin=registry.example.com&mount="+d.String(), nil), 201, "")
		if a.header.Get("Location") != "/v2/named/blobs/"+d.String() || a.header.Get("Docker-Content-Digest") != d.String() {
			t.Errorf("mount: %v", a)
		}
		g.want(g.ada("POST", "/v2/anonymous/blobs/uploads/?mount="+d.String(), nil), 201, "")
		g.pullable("named", d, content)
		g.pullable("anonymous", d, content)
	}
	for _, query := range []string{
		"mount=" + someDigest, "mount=" + someDigest + "&from=source", "mount=rubbish", "mount=rubbish&from=source",
		"mount=" + digest.FromString(content).String() + "&from=elsewhere", "mount=" + digest.FromString(content).String() + "&from=NOT/A/NAME",
		"mount=" + digest.FromString(content).String() + "&from=",
	} {
		a := g.want(g.ada("POST", "/v2/fresh/blobs/uploads/?"+query, nil), 202, "")
		d := digest.FromString(query)
		g.want(g.ada("PUT", a.header.Get("Location")+"?digest="+d.String(), query), 201, "")
	}
}

// TestA4_Range: single ranges, several at once as podman sends them, and what is outside.
func TestA4_Range(t *testing.T) {
	for name, size := range map[string]int{"from memory": 2048, "from disk": smallBlob + 2048} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t)
			content := strings.Repeat("abcdefgh", size/8)
			path := "/v2/app/blobs/" + g.blob("app", content).String()
			for spec, want := range map[string]struct {
				status int
				rng    string
				body   string
			}{
				"bytes=500-1499":                        {206, fmt.Sprintf("bytes 500-1499/%d", size), content[500:1500]},
				fmt.Sprintf("bytes=%d-", size-5):        {206, fmt.Sprintf("bytes %d-%d/%d", size-5, size-1, size), content[size-5:]},
				"bytes=-7":                              {206, fmt.Sprintf("bytes %d-%d/%d", size-7, size-1, size), content[size-7:]},
				fmt.Sprintf("bytes=%d-9999999", size-3): {206, fmt.Sprintf("bytes %d-%d/%d", size-3, size-1, size), content[size-3:]},
				"bytes=500-0":                           {416, fmt.Sprintf("bytes */%d", size), ""},
				fmt.Sprintf("bytes=%d-", size):          {416, fmt.Sprintf("bytes */%d", size), ""},
			} {
				a := g.ada("GET", path, nil, header("Range", spec))
				if a.status != want.status || a.header.Get("Content-Range") != want.rng || (a.status == 206 && a.body != want.body) {
					t.Errorf("%s: %v", spec, a)
				}
				if a.status == 416 && a.header.Get("Content-Type") != "application/json" {
					t.Errorf("%s: %v", spec, a)
				}
			}
			a := g.want(g.ada("GET", path, nil, header("Range", "bytes=0-9,100-109")), 206, "")
			if !strings.HasPrefix(a.header.Get("Content-Type"), "multipart/byteranges") || strings.Count(a.body, "Content-Range: bytes ") != 2 {
				t.Errorf("several ranges: %v", a)
			}
		})
	}
}

// TestA3_Conditional: entity tags with and without quotes, and how long what may be kept.
func TestA3_Conditional(t *testing.T) {
	g := newRig(t)
	_, d := g.push("app", "v1", "layer")
	for path, cache := range map[string]string{
		"/v2/app/manifests/v1":                                 "no-cache",
		"/v2/app/manifests/" + d.String():                      "private, max-age=31536000, immutable",
		"/v2/app/blobs/" + digest.FromString("layer").String(): "private, max-age=31536000, immutable",
		"/oci/app/manifests/v1":                                "no-cache",
	} {
		for _, method := range []string{"GET", "HEAD"} {
			a := g.want(g.ada(method, path, nil), 200, "")
			tag := a.header.Get("ETag")
			if a.header.Get("Cache-Control") != cache || tag != `"`+a.header.Get("Docker-Content-Digest")+`"` {
				t.Errorf("%s %s: %v", method, path, a)
			}
			for _, v := range []string{tag, strings.Trim(tag, `"`), `"x", ` + tag} {
				g.want(g.ada(method, path, nil, header("If-None-Match", v)), 304, "")
			}
			g.want(g.ada(method, path, nil, header("If-None-Match", `"other"`)), 200, "")
		}
	}
	if c := g.do("GET", "/v2/app/manifests/"+d.String(), nil).header.Get("Cache-Control"); c != "max-age=31536000, immutable" {
		t.Errorf("what anonymous may read is %q", c)
	}
}

// TestE_CVE_2017_11468_ManifestSize: a manifest above the limit is a 413 of this protocol, however it is announced.
func TestE_CVE_2017_11468_ManifestSize(t *testing.T) {
	g := newRig(t)
	pad := func(n int) string {
		m := g.imageFields("app", "{}")
		m["annotations"] = fields{"pad": strings.Repeat("x", n)}
		return object(m)
	}
	g.want(g.put("app", "large", pad(4<<20-1000)), 201, "")
	tooLarge := pad(4<<20 + 70<<10)
	g.want(g.put("app", "huge", tooLarge), 413, codeManifestInvalid)
	g.want(g.ada("PUT", "/v2/app/manifests/huge", strings.NewReader(tooLarge), header("Content-Type", typeImage)), 413, codeManifestInvalid)
	g.want(g.ada("GET", "/v2/app/manifests/huge", nil), 404, codeManifestUnknown)
}

// TestA1_LongName: host and name together stay addressable.
func TestA1_LongName(t *testing.T) {
	g := newRig(t)
	name := strings.Repeat("a", 250)
	g.want(g.ada("POST", "/v2/"+name+"/blobs/uploads/", nil), 400, codeNameInvalid)
	g.want(g.ada("PUT", "/v2/"+name+"/manifests/x", imageWith(""), header("Content-Type", typeImage)), 400, codeNameInvalid)
}

// TestE_TooManySessions: a user has only so many.
func TestE_TooManySessions(t *testing.T) {
	g := newRig(t)
	var last answer
	for range 600 {
		if last = g.ada("POST", "/v2/app/blobs/uploads/", nil); last.status != 202 {
			break
		}
	}
	g.want(last, 413, codeDenied)
}

// TestA6b_Quota: the refusal has a reason the client's user reads, in every way of pushing.
func TestA6b_Quota(t *testing.T) {
	rules := store.NewRules(store.RulesConfig{Quotas: []store.Quota{{Package: "small/*", Bytes: 100}}})
	g := newRig(t, withPolicies(rules))
	content := strings.Repeat("x", 200)
	d := digest.FromString(content)
	a := g.want(g.ada("POST", "/v2/small/app/blobs/uploads/?digest="+d.String(), content), 413, codeDenied)
	if !strings.Contains(a.body, "quota") {
		t.Errorf("the user reads %s", a.body)
	}
	g.want(g.ada("POST", "/v2/small/app/blobs/uploads/?digest="+d.String(), strings.NewReader(content)), 413, codeDenied)
	g.want(g.ada("PUT", g.session("small/app")+"?digest="+d.String(), content), 413, codeDenied)
	g.blob("large", content)
	g.want(g.ada("POST", "/v2/small/app/blobs/uploads/?from=large&mount="+d.String(), nil), 413, codeDenied)
}
