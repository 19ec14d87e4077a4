package oci

// What the conformance suite asks of pushing and pulling, and the rules for sessions and chunks that it leaves out.

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
	a.WantHeader(g.T, "Range", "0-0")
	if want := "/v2/" + repo + "/blobs/uploads/" + a.Header.Get("Docker-Upload-UUID"); loc != want {
		g.T.Fatalf("%s: the session is at %s, want %s", a.Request, loc, want)
	}
	return loc
}

// pullable checks that a blob comes back whole, by GET and by HEAD.
func (g *rig) pullable(repo string, d digest.Digest, content string) {
	g.T.Helper()
	path := "/v2/" + repo + "/blobs/" + d.String()
	a := g.want(g.Ada("GET", path, nil), 200, "")
	a.WantExactly(g.T, content)
	a.WantHeader(g.T, "Docker-Content-Digest", d.String())
	a.WantHeader(g.T, "ETag", `"`+d.String()+`"`)
	a.WantHeader(g.T, "Content-Type", "application/octet-stream")
	a.WantHeader(g.T, "Accept-Ranges", "bytes")
	a.WantHeader(g.T, "Content-Encoding", "")
	a = g.want(g.Ada("HEAD", path, nil), 200, "")
	a.WantExactly(g.T, "")
	a.WantHeader(g.T, "Content-Length", fmt.Sprint(len(content)))
	a.WantHeader(g.T, "Docker-Content-Digest", d.String())
}

// chunkOf says which bytes a chunk is, from first to last.
func chunkOf(first, last int) option {
	return wiretest.Header("Content-Range", fmt.Sprintf("%d-%d", first, last))
}

// algorithms are the digests of one content, under each algorithm the suite pushes with.
func algorithms(content string) []digest.Digest {
	return []digest.Digest{digest.SHA256.FromString(content), digest.SHA512.FromString(content)}
}

// TestEveryWayToPushABlob goes through every way a blob can come in, with both algorithms, sha512 revealed only at the
// end.
func TestEveryWayToPushABlob(t *testing.T) {
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
				a := g.want(g.Ada("PATCH", loc, content[at:end], chunkOf(at, end-1)), 202, "")
				a.WantHeader(t, "Range", fmt.Sprintf("0-%d", end-1))
				loc = a.Header.Get("Location")
			}
			return g.Ada("PUT", loc+"?digest="+d.String(), nil)
		},
		"end-6 last chunk in the PUT": func(content string, d digest.Digest) answer {
			loc, half := g.session("app"), len(content)/2
			g.want(g.Ada("PATCH", loc, content[:half]), 202, "")
			return g.Ada("PUT", loc+"?digest="+d.String(), content[half:], chunkOf(half, len(content)-1))
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
				if a.Status != 201 {
					t.Errorf("%s of %d bytes as %s: %v, want 201", name, len(c), d.Algorithm(), a)
					continue
				}
				a.WantHeader(t, "Location", "/v2/app/blobs/"+d.String())
				a.WantHeader(t, "Docker-Content-Digest", d.String())
				g.pullable("app", d, c)
			}
		}
	}
}

// TestEmptyBlobsCanBePushedAgain: {} and no bytes at all are pushed again and again.
func TestEmptyBlobsCanBePushedAgain(t *testing.T) {
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

// TestBlobThatIsNotItsDigestIsRefused: a blob that is not what it claims to be is refused, and its session is gone.
func TestBlobThatIsNotItsDigestIsRefused(t *testing.T) {
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

// TestChunkOutOfOrderSaysWhereToGoOn: a chunk that does not continue the upload is a 416 that tells where to go on, on
// PATCH and on PUT.
func TestChunkOutOfOrderSaysWhereToGoOn(t *testing.T) {
	g := newRig(t)
	loc, whole := g.session("app"), digest.FromString("0123456789")
	g.want(g.Ada("PATCH", loc, "56789", wiretest.Header("Content-Range", "5-9")), 416, codeUploadInvalid)
	g.want(g.Ada("PATCH", loc, "01234", wiretest.Header("Content-Range", "0-4")), 202, "")
	for _, method := range []string{"PATCH", "PUT"} {
		for _, at := range []string{"0-4", "6-10", "4-8"} {
			a := g.Ada(method, loc+"?digest="+whole.String(), "xxxxx", wiretest.Header("Content-Range", at))
			g.want(a, 416, codeUploadInvalid).WantHeader(t, "Location", loc).WantHeader(t, "Range", "0-4")
		}
	}
	g.want(g.Ada("GET", loc, nil), 204, "").WantHeader(t, "Location", loc).WantHeader(t, "Range", "0-4") // end-13
	g.want(g.Ada("PUT", loc+"?digest="+whole.String(), "56789", wiretest.Header("Content-Range", "5-9")), 201, "")
	g.pullable("app", whole, "0123456789")
}

// TestContentRangeMustBeTrue: what a chunk says of itself must be true, and may be left out.
func TestContentRangeMustBeTrue(t *testing.T) {
	g := newRig(t)
	loc := g.session("app")
	for _, v := range []string{"bytes 0-4/5", "0-", "-4", "x", "0-4-5", "00000000000000000000-4"} {
		g.want(g.Ada("PATCH", loc, "01234", wiretest.Header("Content-Range", v)), 400, codeUploadInvalid)
	}
	for _, v := range []string{"0-3", "0-5", "4-0"} {
		g.want(g.Ada("PATCH", loc, "01234", wiretest.Header("Content-Range", v)), 400, codeSizeInvalid)
	}
	g.want(g.Ada("PATCH", loc, strings.NewReader("01234"), wiretest.Header("Content-Range", "0-9")), 400, codeSizeInvalid)
	g.Ada("GET", loc, nil).WantHeader(t, "Range", "0-4") // a short chunk is kept
	g.want(g.Ada("PATCH", loc, "", wiretest.Header("Content-Length", "0")), 202, "")
}

// TestCancelledUploadIsGone is end-14.
func TestCancelledUploadIsGone(t *testing.T) {
	g := newRig(t)
	loc := g.session("app")
	g.want(g.Ada("PATCH", loc, "01234"), 202, "")
	g.want(g.Ada("DELETE", loc, nil), 204, "")
	for _, method := range []string{"GET", "PATCH", "DELETE", "PUT"} {
		g.want(g.Ada(method, loc+"?digest="+someDigest, nil), 404, codeUploadUnknown)
	}
}

// TestUploadContinuesAfterABrokenConnection: a PATCH whose client goes away keeps what arrived, and the upload is
// continued from there.
func TestUploadContinuesAfterABrokenConnection(t *testing.T) {
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
		rest := chunkOf(have+1, len(content)-1)
		if b := g.Ada("PATCH", loc, content[have+1:], rest); b.Status == 202 {
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

// TestUploadSurvivesARestart: a session survives the process, its bytes are hashed anew, and it stays bound to
// repository and user.
func TestUploadSurvivesARestart(t *testing.T) {
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
	g.want(g.Ada("GET", loc, nil), 204, "").WantHeader(t, "Range", "0-4")
	g.User("eve", nil)
	g.want(g.Do("GET", loc, nil, g.As("eve")), 404, codeUploadUnknown)
	g.want(g.Ada("GET", strings.Replace(loc, "/app/", "/other/", 1), nil), 404, codeUploadUnknown)
	d := digest.SHA512.FromString("0123456789")
	g.want(g.Ada("PUT", loc+"?digest="+d.String(), "56789"), 201, "")
	g.pullable("app", d, "0123456789")
}

// TestMountWithAndWithoutFrom: end-11 with and without from, and what is not mounted is an upload.
func TestMountWithAndWithoutFrom(t *testing.T) {
	g := newRig(t)
	content := "a layer"
	for _, d := range algorithms(content) {
		g.want(g.Ada("POST", "/v2/source/blobs/uploads/?digest="+d.String(), content), 201, "")
		query := "?from=source&origin=registry.example.com&mount=" + d.String()
		a := g.want(g.Ada("POST", "/v2/named/blobs/uploads/"+query, nil), 201, "")
		a.WantHeader(t, "Location", "/v2/named/blobs/"+d.String())
		a.WantHeader(t, "Docker-Content-Digest", d.String())
		g.want(g.Ada("POST", "/v2/anonymous/blobs/uploads/?mount="+d.String(), nil), 201, "")
		g.pullable("named", d, content)
		g.pullable("anonymous", d, content)
	}
	for _, query := range []string{
		"mount=" + someDigest, "mount=" + someDigest + "&from=source", "mount=rubbish", "mount=rubbish&from=source",
		"mount=" + digest.FromString(content).String() + "&from=elsewhere",
		"mount=" + digest.FromString(content).String() + "&from=NOT/A/NAME",
		"mount=" + digest.FromString(content).String() + "&from=",
	} {
		a := g.want(g.Ada("POST", "/v2/fresh/blobs/uploads/?"+query, nil), 202, "")
		d := digest.FromString(query)
		g.want(g.Ada("PUT", a.Header.Get("Location")+"?digest="+d.String(), query), 201, "")
	}
}

// TestRangesOfBlobs: single ranges, several at once as podman sends them, and what is outside.
func TestRangesOfBlobs(t *testing.T) {
	for name, size := range map[string]int{"from memory": 2048, "from disk": smallBlob + 2048} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t)
			content := strings.Repeat("abcdefgh", size/8)
			path := "/v2/app/blobs/" + g.blob("app", content).String()
			part := func(from, to int) string { return fmt.Sprintf("bytes %d-%d/%d", from, to, size) }
			for spec, want := range map[string]struct {
				status int
				rng    string
				body   string
			}{
				"bytes=500-1499":                        {206, part(500, 1499), content[500:1500]},
				fmt.Sprintf("bytes=%d-", size-5):        {206, part(size-5, size-1), content[size-5:]},
				"bytes=-7":                              {206, part(size-7, size-1), content[size-7:]},
				fmt.Sprintf("bytes=%d-9999999", size-3): {206, part(size-3, size-1), content[size-3:]},
				"bytes=500-0":                           {416, fmt.Sprintf("bytes */%d", size), ""},
				fmt.Sprintf("bytes=%d-", size):          {416, fmt.Sprintf("bytes */%d", size), ""},
			} {
				a := g.Ada("GET", path, nil, wiretest.Header("Range", spec))
				if a.Status != want.status {
					t.Errorf("%s: %v, want %d", spec, a, want.status)
				}
				a.WantHeader(t, "Content-Range", want.rng)
				if a.Status == 206 {
					a.WantExactly(t, want.body)
				}
				if a.Status == 416 {
					a.WantHeader(t, "Content-Type", "application/json")
				}
			}
			a := g.want(g.Ada("GET", path, nil, wiretest.Header("Range", "bytes=0-9,100-109")), 206, "")
			if typ := a.Header.Get("Content-Type"); !strings.HasPrefix(typ, "multipart/byteranges") {
				t.Errorf("several ranges: Content-Type %q, want multipart/byteranges", typ)
			}
			if n := strings.Count(a.Body, "Content-Range: bytes "); n != 2 {
				t.Errorf("several ranges: %d parts, want 2: %v", n, a)
			}
		})
	}
}

// TestEntityTagsAndLifetimes: entity tags with and without quotes, and how long what may be kept.
func TestEntityTagsAndLifetimes(t *testing.T) {
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
			tag := `"` + a.Header.Get("Docker-Content-Digest") + `"`
			a.WantHeader(t, "Cache-Control", cache).WantHeader(t, "ETag", tag)
			for _, v := range []string{tag, strings.Trim(tag, `"`), `"x", ` + tag} {
				g.want(g.Ada(method, path, nil, wiretest.Header("If-None-Match", v)), 304, "")
			}
			g.want(g.Ada(method, path, nil, wiretest.Header("If-None-Match", `"other"`)), 200, "")
		}
	}
	// What anonymous clients may read, shared caches may keep.
	g.Do("GET", "/v2/app/manifests/"+d.String(), nil).WantHeader(t, "Cache-Control", "max-age=31536000, immutable")
}

// TestManifestAboveTheLimitIsRefused: a manifest above the limit is a 413 of this protocol, however it is announced
// (CVE-2017-11468).
func TestManifestAboveTheLimitIsRefused(t *testing.T) {
	g := newRig(t)
	pad := func(n int) string {
		m := g.imageFields("app", "{}")
		m["annotations"] = fields{"pad": strings.Repeat("x", n)}
		return wiretest.JSON(m)
	}
	g.want(g.put("app", "large", pad(4<<20-1000)), 201, "")
	tooLarge := pad(4<<20 + 70<<10)
	g.want(g.put("app", "huge", tooLarge), 413, codeManifestInvalid)
	asImage := wiretest.Header("Content-Type", manifest.TypeImage)
	streamed := g.Ada("PUT", "/v2/app/manifests/huge", strings.NewReader(tooLarge), asImage)
	g.want(streamed, 413, codeManifestInvalid)
	g.want(g.Ada("GET", "/v2/app/manifests/huge", nil), 404, codeManifestUnknown)
}

// TestHostAndNameStayAddressable: clients can address 255 bytes of both together.
func TestHostAndNameStayAddressable(t *testing.T) {
	g := newRig(t)
	name := strings.Repeat("a", 250)
	g.want(g.Ada("POST", "/v2/"+name+"/blobs/uploads/", nil), 400, codeNameInvalid)
	asImage := wiretest.Header("Content-Type", manifest.TypeImage)
	g.want(g.Ada("PUT", "/v2/"+name+"/manifests/x", imageWith(""), asImage), 400, codeNameInvalid)
}

// TestAbandonedUploadsDoNotBlockPushes: however many uploads a user has abandoned, the next push begins.
func TestAbandonedUploadsDoNotBlockPushes(t *testing.T) {
	g := newRig(t)
	for range 600 {
		g.want(g.Ada("POST", "/v2/app/blobs/uploads/", nil), 202, "")
	}
	g.blob("app", "pushed all the same")
}

// TestQuotaIsExplainedInEveryWayOfPushing: the refusal has a reason the client's user reads, in every way of pushing.
func TestQuotaIsExplainedInEveryWayOfPushing(t *testing.T) {
	rules := store.NewRules(store.RulesConfig{Quotas: []store.Quota{{Package: "small/*", Bytes: 100}}})
	g := newRig(t, withPolicies(rules))
	content := strings.Repeat("x", 200)
	d := digest.FromString(content)
	g.want(g.Ada("POST", "/v2/small/app/blobs/uploads/?digest="+d.String(), content), 413, codeDenied).WantBody(t, "quota")
	g.want(g.Ada("POST", "/v2/small/app/blobs/uploads/?digest="+d.String(), strings.NewReader(content)), 413, codeDenied)
	g.want(g.Ada("PUT", g.session("small/app")+"?digest="+d.String(), content), 413, codeDenied)
	g.blob("large", content)
	g.want(g.Ada("POST", "/v2/small/app/blobs/uploads/?from=large&mount="+d.String(), nil), 413, codeDenied)
}
