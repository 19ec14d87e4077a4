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

	"larder/internal/wiretest"
	"larder/oci/manifest"
	"larder/store"
)

// session starts an upload and returns its location.
func (g *rig) session(repo string) string {
	g.T.Helper()
	a := g.want(g.Ada("POST", "/v2/"+repo+"/blobs/uploads/", nil), 202, "")
	loc := a.Header.Get("Location")
	if !strings.HasPrefix(loc, "/v2/"+repo+"/blobs/uploads/") || a.Header.Get("Range") != "0-0" || !strings.HasSuffix(loc, a.Header.Get("Docker-Upload-UUID")) {
		g.T.Fatalf("upload session: %v", a)
	}
	return loc
}

// pullable checks that a blob comes back whole, by GET and by HEAD.
func (g *rig) pullable(repo string, d digest.Digest, content string) {
	g.T.Helper()
	path := "/v2/" + repo + "/blobs/" + d.String()
	a := g.want(g.Ada("GET", path, nil), 200, "")
	if a.Body != content || a.Header.Get("Docker-Content-Digest") != d.String() || a.Header.Get("ETag") != `"`+d.String()+`"` ||
		a.Header.Get("Content-Type") != "application/octet-stream" || a.Header.Get("Accept-Ranges") != "bytes" || a.Header.Get("Content-Encoding") != "" {
		g.T.Errorf("GET %s: %v", path, a)
	}
	a = g.want(g.Ada("HEAD", path, nil), 200, "")
	if a.Header.Get("Content-Length") != fmt.Sprint(len(content)) || a.Header.Get("Docker-Content-Digest") != d.String() || a.Body != "" {
		g.T.Errorf("HEAD %s: %v", path, a)
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
			return g.Ada("POST", "/v2/app/blobs/uploads/?digest="+d.String(), content)
		},
		"end-4b one POST, streamed": func(content string, d digest.Digest) answer {
			return g.Ada("POST", "/v2/app/blobs/uploads/?digest="+d.String(), strings.NewReader(content))
		},
		"end-6 POST and PUT": func(content string, d digest.Digest) answer {
			return g.Ada("PUT", g.session("app")+"?digest="+d.String(), content)
		},
		"end-6 other parameters": func(content string, d digest.Digest) answer {
			return g.Ada("PUT", g.session("app")+"?_state=x&digest="+d.String()+"&y=z", content)
		},
		"end-5 stream without any header": func(content string, d digest.Digest) answer {
			loc := g.session("app")
			g.want(g.Ada("PATCH", loc, strings.NewReader(content)), 202, "")
			return g.Ada("PUT", loc+"?digest="+d.String(), nil)
		},
		"end-5 chunks": func(content string, d digest.Digest) answer {
			loc := g.session("app")
			for at := 0; at < len(content); at += 100_000 {
				end := min(at+100_000, len(content))
				a := g.want(g.Ada("PATCH", loc, content[at:end], wiretest.Header("Content-Range", fmt.Sprintf("%d-%d", at, end-1))), 202, "")
				if r := a.Header.Get("Range"); r != fmt.Sprintf("0-%d", end-1) {
					t.Errorf("Range %q after %d bytes", r, end)
				}
				loc = a.Header.Get("Location")
			}
			return g.Ada("PUT", loc+"?digest="+d.String(), nil)
		},
		"end-6 last chunk in the PUT": func(content string, d digest.Digest) answer {
			loc, half := g.session("app"), len(content)/2
			g.want(g.Ada("PATCH", loc, content[:half]), 202, "")
			return g.Ada("PUT", loc+"?digest="+d.String(), content[half:], wiretest.Header("Content-Range", fmt.Sprintf("%d-%d", half, len(content)-1)))
		},
		"end-4c announced algorithm": func(content string, d digest.Digest) answer {
			a := g.want(g.Ada("POST", "/v2/app/blobs/uploads/?digest-algorithm="+d.Algorithm().String(), nil), 202, "")
			return g.Ada("PUT", a.Header.Get("Location")+"?digest="+d.String(), content)
		},
	}
	for name, push := range ways {
		for i, content := range []string{name + " small", name + large} {
			for _, d := range algorithms(content + fmt.Sprint(i)) {
				c := content + fmt.Sprint(i)
				a := push(c, d)
				if a.Status != 201 || a.Header.Get("Location") != "/v2/app/blobs/"+d.String() || a.Header.Get("Docker-Content-Digest") != d.String() {
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
				g.want(g.Ada("POST", "/v2/app/blobs/uploads/?digest="+d.String(), content), 201, "")
				g.want(g.Ada("PUT", g.session("app")+"?digest="+d.String(), content), 201, "")
			}
			g.pullable("app", d, content)
		}
	}
}

// TestA3_BadDigest: a blob that is not what it claims to be is refused, and its session is gone.
func TestA3_BadDigest(t *testing.T) {
	g := newRig(t)
	for _, d := range algorithms("something else") {
		g.want(g.Ada("POST", "/v2/app/blobs/uploads/?digest="+d.String(), "content"), 400, codeDigestInvalid)
		loc := g.session("app")
		g.want(g.Ada("PUT", loc+"?digest="+d.String(), "content"), 400, codeDigestInvalid)
		g.want(g.Ada("GET", loc, nil), 404, codeUploadUnknown)
		g.want(g.Ada("GET", "/v2/app/blobs/"+d.String(), nil), 404, codeBlobUnknown)
	}
	loc := g.session("app")
	g.want(g.Ada("PUT", loc, "content"), 400, codeDigestInvalid)
	g.want(g.Ada("PUT", loc+"?digest=sha256:bad", "content"), 400, codeDigestInvalid)
	g.want(g.Ada("GET", loc, nil), 204, "")
}

// TestA3_OutOfOrder: a chunk that does not continue the upload is a 416 that tells where to go on, on PATCH and on PUT.
func TestA3_OutOfOrder(t *testing.T) {
	g := newRig(t)
	loc := g.session("app")
	g.want(g.Ada("PATCH", loc, "56789", wiretest.Header("Content-Range", "5-9")), 416, codeUploadInvalid)
	g.want(g.Ada("PATCH", loc, "01234", wiretest.Header("Content-Range", "0-4")), 202, "")
	for _, method := range []string{"PATCH", "PUT"} {
		for _, at := range []string{"0-4", "6-10", "4-8"} {
			a := g.want(g.Ada(method, loc+"?digest="+digest.FromString("0123456789").String(), "xxxxx", wiretest.Header("Content-Range", at)), 416, codeUploadInvalid)
			if a.Header.Get("Location") != loc || a.Header.Get("Range") != "0-4" {
				t.Errorf("%s %s: %v", method, at, a)
			}
		}
	}
	a := g.want(g.Ada("GET", loc, nil), 204, "")
	if a.Header.Get("Location") != loc || a.Header.Get("Range") != "0-4" {
		t.Errorf("end-13: %v", a)
	}
	d := digest.FromString("0123456789")
	g.want(g.Ada("PUT", loc+"?digest="+d.String(), "56789", wiretest.Header("Content-Range", "5-9")), 201, "")
	g.pullable("app", d, "0123456789")
}

// TestA6b_ContentRange: what a chunk says of itself must be true, and may be left out.
func TestA6b_ContentRange(t *testing.T) {
	g := newRig(t)
	loc := g.session("app")
	for _, v := range []string{"bytes 0-4/5", "0-", "-4", "x", "0-4-5", "00000000000000000000-4"} {
		g.want(g.Ada("PATCH", loc, "01234", wiretest.Header("Content-Range", v)), 400, codeUploadInvalid)
	}
	for _, v := range []string{"0-3", "0-5", "4-0"} {
		g.want(g.Ada("PATCH", loc, "01234", wiretest.Header("Content-Range", v)), 400, codeSizeInvalid)
	}
	g.want(g.Ada("PATCH", loc, strings.NewReader("01234"), wiretest.Header("Content-Range", "0-9")), 400, codeSizeInvalid)
	if r := g.Ada("GET", loc, nil).Header.Get("Range"); r != "0-4" {
		t.Errorf("a short chunk kept %q", r)
	}
	g.want(g.Ada("PATCH", loc, "", wiretest.Header("Content-Length", "0")), 202, "")
}

// TestA3_Cancel is end-14.
func TestA3_Cancel(t *testing.T) {
	g := newRig(t)
	loc := g.session("app")
	g.want(g.Ada("PATCH", loc, "01234"), 202, "")
	g.want(g.Ada("DELETE", loc, nil), 204, "")
	for _, method := range []string{"GET", "PATCH", "DELETE", "PUT"} {
		g.want(g.Ada(method, loc+"?digest="+someDigest, nil), 404, codeUploadUnknown)
	}
}

// TestA6b_CutShort: a PATCH whose client goes away keeps what arrived, and the upload is continued from there.
func TestA6b_CutShort(t *testing.T) {
	g := newRig(t)
	loc := g.session("app")
	content := make([]byte, 300<<10)
	rand.Read(content)
	r, err := http.NewRequest("PATCH", g.Srv.URL+loc, io.MultiReader(bytes.NewReader(content[:200<<10]), failing{}))
	if err != nil {
		t.Fatal(err)
	}
	g.As("ada")(r)
	if resp, err := g.Srv.Client().Do(r); err == nil {
		resp.Body.Close()
		t.Fatalf("status %d for a body that was cut", resp.StatusCode)
	}
	var have int
	for range 200 { // the server notices a moment after the client
		a := g.Ada("GET", loc, nil)
		if _, err := fmt.Sscanf(a.Header.Get("Range"), "0-%d", &have); err != nil {
			t.Fatal(a, err)
		}
		if b := g.Ada("PATCH", loc, content[have+1:], wiretest.Header("Content-Range", fmt.Sprintf("%d-%d", have+1, len(content)-1))); b.Status == 202 {
			break
		}
	}
	if have == 0 {
		t.Error("nothing of the first part was kept")
	}
	d := digest.FromBytes(content)
	g.want(g.Ada("PUT", loc+"?digest="+d.String(), nil), 201, "")
	g.pullable("app", d, string(content))
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("the client's disk broke") }

// TestA6b_Restart: a session survives the process, its bytes are hashed anew, and it stays bound to repository and
// user.
func TestA6b_Restart(t *testing.T) {
	dir := t.TempDir()
	g := newRig(t, func(o *rigOptions) { o.Dir = dir })
	loc := g.session("app")
	g.want(g.Ada("PATCH", loc, "01234"), 202, "")
	g.Srv.Close()
	if err := g.Store.Close(); err != nil {
		t.Fatal(err)
	}
	keys := g.Keys
	g = newRig(t, func(o *rigOptions) { o.Dir = dir })
	g.Keys = keys
	if r := g.want(g.Ada("GET", loc, nil), 204, "").Header.Get("Range"); r != "0-4" {
		t.Errorf("Range %q after the restart", r)
	}
	g.User("eve", nil)
	g.want(g.Do("GET", loc, nil, g.As("eve")), 404, codeUploadUnknown)
	g.want(g.Ada("GET", strings.Replace(loc, "/app/", "/other/", 1), nil), 404, codeUploadUnknown)
	d := digest.SHA512.FromString("0123456789")
	g.want(g.Ada("PUT", loc+"?digest="+d.String(), "56789"), 201, "")
	g.pullable("app", d, "0123456789")
}

// TestA3_Mount: end-11 with and without from, and what is not mounted is an upload.
func TestA3_Mount(t *testing.T) {
	g := newRig(t)
	content := "a layer"
	for _, d := range algorithms(content) {
		g.want(g.Ada("POST", "/v2/source/blobs/uploads/?digest="+d.String(), content), 201, "")
		a := g.want(g.Ada("POST", "/v2/named/blobs/uploads/?from=source&origin=registry.example.com&mount="+d.String(), nil), 201, "")
		if a.Header.Get("Location") != "/v2/named/blobs/"+d.String() || a.Header.Get("Docker-Content-Digest") != d.String() {
			t.Errorf("mount: %v", a)
		}
		g.want(g.Ada("POST", "/v2/anonymous/blobs/uploads/?mount="+d.String(), nil), 201, "")
		g.pullable("named", d, content)
		g.pullable("anonymous", d, content)
	}
	for _, query := range []string{
		"mount=" + someDigest, "mount=" + someDigest + "&from=source", "mount=rubbish", "mount=rubbish&from=source",
		"mount=" + digest.FromString(content).String() + "&from=elsewhere", "mount=" + digest.FromString(content).String() + "&from=NOT/A/NAME",
		"mount=" + digest.FromString(content).String() + "&from=",
	} {
		a := g.want(g.Ada("POST", "/v2/fresh/blobs/uploads/?"+query, nil), 202, "")
		d := digest.FromString(query)
		g.want(g.Ada("PUT", a.Header.Get("Location")+"?digest="+d.String(), query), 201, "")
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
				a := g.Ada("GET", path, nil, wiretest.Header("Range", spec))
				if a.Status != want.status || a.Header.Get("Content-Range") != want.rng || (a.Status == 206 && a.Body != want.body) {
					t.Errorf("%s: %v", spec, a)
				}
				if a.Status == 416 && a.Header.Get("Content-Type") != "application/json" {
					t.Errorf("%s: %v", spec, a)
				}
			}
			a := g.want(g.Ada("GET", path, nil, wiretest.Header("Range", "bytes=0-9,100-109")), 206, "")
			if !strings.HasPrefix(a.Header.Get("Content-Type"), "multipart/byteranges") || strings.Count(a.Body, "Content-Range: bytes ") != 2 {
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
			a := g.want(g.Ada(method, path, nil), 200, "")
			tag := a.Header.Get("ETag")
			if a.Header.Get("Cache-Control") != cache || tag != `"`+a.Header.Get("Docker-Content-Digest")+`"` {
				t.Errorf("%s %s: %v", method, path, a)
			}
			for _, v := range []string{tag, strings.Trim(tag, `"`), `"x", ` + tag} {
				g.want(g.Ada(method, path, nil, wiretest.Header("If-None-Match", v)), 304, "")
			}
			g.want(g.Ada(method, path, nil, wiretest.Header("If-None-Match", `"other"`)), 200, "")
		}
	}
	if c := g.Do("GET", "/v2/app/manifests/"+d.String(), nil).Header.Get("Cache-Control"); c != "max-age=31536000, immutable" {
		t.Errorf("what anonymous may read is %q", c)
	}
}

// TestE_CVE_2017_11468_ManifestSize: a manifest above the limit is a 413 of this protocol, however it is announced.
func TestE_CVE_2017_11468_ManifestSize(t *testing.T) {
	g := newRig(t)
	pad := func(n int) string {
		m := g.imageFields("app", "{}")
		m["annotations"] = fields{"pad": strings.Repeat("x", n)}
		return wiretest.JSON(m)
	}
	g.want(g.put("app", "large", pad(4<<20-1000)), 201, "")
	tooLarge := pad(4<<20 + 70<<10)
	g.want(g.put("app", "huge", tooLarge), 413, codeManifestInvalid)
	g.want(g.Ada("PUT", "/v2/app/manifests/huge", strings.NewReader(tooLarge), wiretest.Header("Content-Type", manifest.TypeImage)), 413, codeManifestInvalid)
	g.want(g.Ada("GET", "/v2/app/manifests/huge", nil), 404, codeManifestUnknown)
}

// TestA1_LongName: host and name together stay addressable.
func TestA1_LongName(t *testing.T) {
	g := newRig(t)
	name := strings.Repeat("a", 250)
	g.want(g.Ada("POST", "/v2/"+name+"/blobs/uploads/", nil), 400, codeNameInvalid)
	g.want(g.Ada("PUT", "/v2/"+name+"/manifests/x", imageWith(""), wiretest.Header("Content-Type", manifest.TypeImage)), 400, codeNameInvalid)
}

// TestE_ManySessions: however many uploads a user has abandoned, the next push begins.
func TestE_ManySessions(t *testing.T) {
	g := newRig(t)
	for range 600 {
		g.want(g.Ada("POST", "/v2/app/blobs/uploads/", nil), 202, "")
	}
	g.blob("app", "pushed all the same")
}

// TestA6b_Quota: the refusal has a reason the client's user reads, in every way of pushing.
func TestA6b_Quota(t *testing.T) {
	rules := store.NewRules(store.RulesConfig{Quotas: []store.Quota{{Package: "small/*", Bytes: 100}}})
	g := newRig(t, withPolicies(rules))
	content := strings.Repeat("x", 200)
	d := digest.FromString(content)
	a := g.want(g.Ada("POST", "/v2/small/app/blobs/uploads/?digest="+d.String(), content), 413, codeDenied)
	if !strings.Contains(a.Body, "quota") {
		t.Errorf("the user reads %s", a.Body)
	}
	g.want(g.Ada("POST", "/v2/small/app/blobs/uploads/?digest="+d.String(), strings.NewReader(content)), 413, codeDenied)
	g.want(g.Ada("PUT", g.session("small/app")+"?digest="+d.String(), content), 413, codeDenied)
	g.blob("large", content)
	g.want(g.Ada("POST", "/v2/small/app/blobs/uploads/?from=large&mount="+d.String(), nil), 413, codeDenied)
}
