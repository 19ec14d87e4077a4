package pypi

// METADATA of upstreams' wheels, which is made here where they have none beside a wheel.

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"larder/internal/wiretest"
	"larder/pypi/simple"
)

// wheels is an upstream without METADATA beside its files, which counts what it gives of one of them.
type wheels struct {
	*index
	file, at string
	content  []byte
	requests atomic.Int64
	bytes    atomic.Int64
}

func newWheels(t *testing.T, file string, content []byte, more ...string) *wheels {
	w := &wheels{index: newIndex(t), file: file, content: content, at: "/pypi/files/" + sumOf(content) + "/" + file}
	w.index.at("/simple/demo-pkg/", lists(file, "../../f/"+file, sumOf(content), more...))
	w.serves(func(rw http.ResponseWriter, r *http.Request) {
		http.ServeContent(rw, r, file, time.Time{}, bytes.NewReader(content))
	})
	return w
}

// serves says how the wheel is answered.
func (w *wheels) serves(h http.HandlerFunc) {
	w.index.at("/f/"+w.file, func(rw http.ResponseWriter, r *http.Request) {
		w.requests.Add(1)
		h(&counting{rw, &w.bytes}, r)
	})
}

type counting struct {
	http.ResponseWriter
	n *atomic.Int64
}

func (c *counting) Write(p []byte) (int, error) {
	n, err := c.ResponseWriter.Write(p)
	c.n.Add(int64(n))
	return n, err
}

const sideFile = "demo_pkg-1.0-py3-none-any.whl"

// TestMetadataOfLargeWheelIsReadInPieces: METADATA of a large wheel, wherever in it, costs a few pieces; the wheel
// itself comes, and is checked, when somebody wants it.
func TestMetadataOfLargeWheelIsReadInPieces(t *testing.T) {
	for _, where := range []string{"aaa/data.bin", "zzz/data.bin"} {
		u := newUpload(sideFile, func(u *upload) { u.files[where] = strings.Repeat("0123456789abcdef", 4<<16) })
		w := newWheels(t, sideFile, u.bytes())
		g := newCache(t, []string{w.URL})
		if e := entries(g.project("demo-pkg"))[sideFile]; e["core-metadata"] != true {
			t.Errorf("%s: the page says %v", where, e)
		}
		g.Want(g.Do("GET", "/simple/demo-pkg/", nil, wiretest.Header("Accept", simple.V1)), 200, `data-core-metadata="true"`)
		for range 3 {
			if a := g.Want(g.Do("GET", w.at+".metadata", nil), 200, ""); a.Body != u.metadata() {
				t.Errorf("%s: %q", where, a.Body)
			}
		}
		head := g.Want(g.Do("HEAD", w.at+".metadata", nil), 200, "")
		head.WantHeader(t, "Content-Length", fmt.Sprint(len(u.metadata())))
		wiretest.Equal(t, where+": body of HEAD", head.Body, "")
		if requests, sent := w.requests.Load(), w.bytes.Load(); requests > 3 || sent > 400<<10 {
			t.Errorf("%s: %d requests, %d bytes for %d of metadata", where, requests, sent, len(u.metadata()))
		}
		if a := g.Want(g.Do("GET", w.at, nil), 200, ""); a.Body != string(u.bytes()) {
			t.Errorf("%s: a wheel of %d bytes", where, len(a.Body))
		}
	}
}

// TestSmallWheelIsFetchedForItsMetadata: a small wheel is fetched for its METADATA and need not be fetched again; so is
// one whose upstream gives no pieces, or sends pieces that make no archive. Offline a wheel that is here has its
// METADATA.
func TestSmallWheelIsFetchedForItsMetadata(t *testing.T) {
	large := func(u *upload) { u.files["zzz/data.bin"] = strings.Repeat("0123456789abcdef", 4<<16) }
	whole := func(content []byte) http.HandlerFunc {
		return func(rw http.ResponseWriter, r *http.Request) {
			rw.Header().Set("Content-Type", "application/zip")
			_, _ = rw.Write(content)
		}
	}
	noise := func(content []byte) http.HandlerFunc {
		return func(rw http.ResponseWriter, r *http.Request) {
			body := content
			if r.Header.Get("Range") != "" {
				body = bytes.Repeat([]byte("x"), len(content))
			}
			http.ServeContent(rw, r, "", time.Time{}, bytes.NewReader(body))
		}
	}
	for name, c := range map[string]struct {
		change   func(*upload)
		serves   func([]byte) http.HandlerFunc
		requests int64
	}{
		"small":           {func(*upload) {}, whole, 1},
		"large, no parts": {large, whole, 2},
		"large, noise":    {large, noise, 2},
	} {
		u := newUpload(sideFile, c.change)
		w := newWheels(t, sideFile, u.bytes(), `,"size":`, wiretest.JSON(len(u.bytes())))
		w.serves(c.serves(u.bytes()))
		g := newCache(t, []string{w.URL})
		g.Want(g.Do("GET", w.at+".metadata", nil), 200, u.metadata())
		g.Want(g.Do("GET", w.at, nil), 200, "")
		if n := w.requests.Load(); n != c.requests {
			t.Errorf("%s: %d requests", name, n)
		}
	}
	u := newUpload(sideFile)
	w := newWheels(t, sideFile, u.bytes())
	g := newCache(t, []string{w.URL})
	g.Want(g.Do("GET", w.at, nil), 200, "")
	g.Deps.Upstreams.SetOffline(true)
	g.Want(g.Do("GET", w.at+".metadata", nil), 200, u.metadata())
	alone := newCache(t, []string{w.URL})
	alone.project("demo-pkg")
	alone.Deps.Upstreams.SetOffline(true)
	alone.Want(alone.Do("GET", w.at+".metadata", nil), 404, "")
	if n := w.requests.Load(); n != 2 {
		t.Errorf("%d requests; want 2: the wheel, and the page's question whether parts are given", n)
	}
}

// TestMetadataIsPromisedWhereItCostsLittle: of a wheel whose upstream has no METADATA beside it, it is promised when
// the wheel is small, its upstream gives parts of it, or it is here; not when all of a large wheel had to be fetched.
func TestMetadataIsPromisedWhereItCostsLittle(t *testing.T) {
	u := newUpload(sideFile, func(u *upload) { u.files["zzz/data.bin"] = strings.Repeat("0123456789abcdef", 4<<16) })
	large := wiretest.JSON(len(u.bytes()))
	w := newWheels(t, sideFile, u.bytes(), `,"size":`, large)
	w.serves(func(rw http.ResponseWriter, r *http.Request) { _, _ = rw.Write(u.bytes()) })
	promised := func(g *rig) any { return entries(g.project("demo-pkg"))[sideFile]["core-metadata"] }
	g := newCache(t, []string{w.URL})
	wiretest.Equal(t, "metadata of a large wheel without parts", promised(g), any(nil))
	here := newCache(t, []string{w.URL})
	here.Want(here.Do("GET", w.at, nil), 200, "")
	wiretest.Equal(t, "metadata of a large wheel that is here", promised(here), any(true))
	small := newUpload(sideFile)
	w = newWheels(t, sideFile, small.bytes(), `,"size":`, wiretest.JSON(len(small.bytes())))
	wiretest.Equal(t, "metadata of a small wheel", promised(newCache(t, []string{w.URL})), any(true))
	if n := w.requests.Load(); n != 0 {
		t.Errorf("the small wheel's host was asked %d times for the page", n)
	}
}

// TestWheelWithoutMetadataIsNotFound: a wheel that has none, or is damaged, is no reason for anything but a 404;
// trouble is a 503, and bytes of another hash say nothing at all.
func TestWheelWithoutMetadataIsNotFound(t *testing.T) {
	info := "demo_pkg-1.0.dist-info/METADATA"
	good := newUpload(sideFile)
	wheelWith := func(name, content string) []byte {
		return newUpload(sideFile, func(u *upload) { u.files[name] = content }).bytes()
	}
	promised := func(metadata string) string {
		return `,"core-metadata":{"sha256":"` + sumOf([]byte(metadata)) + `"}`
	}
	for name, c := range map[string]struct {
		content []byte
		more    string
		serves  http.HandlerFunc
		status  int
	}{
		"none":             {content: wheelWith(info, "-"), status: 404},
		"two":              {content: wheelWith("other.dist-info/METADATA", "x"), status: 404},
		"huge":             {content: wheelWith(info, strings.Repeat("x", 5<<20)), status: 404},
		"no archive":       {content: bytes.Repeat([]byte("x"), 3<<20), status: 404},
		"gone":             {content: good.bytes(), serves: http.NotFound, status: 404},
		"in trouble":       {content: good.bytes(), serves: fails(500), status: 503},
		"another":          {content: good.bytes(), more: `,"size":700`, serves: says("PK"), status: 503},
		"promised only":    {content: good.bytes(), more: promised(good.metadata()), status: 200},
		"promised another": {content: good.bytes(), more: promised("x"), status: 503},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWheels(t, sideFile, c.content, c.more)
			if c.serves != nil {
				w.serves(c.serves)
			}
			g := newCache(t, []string{w.URL})
			a := g.Do("GET", w.at+".metadata", nil).WantStatus(t, c.status)
			wiretest.Equal(t, "Retry-After is there", a.Header.Get("Retry-After") != "", c.status == 503)
			if c.status == 200 {
				wiretest.Equal(t, "the metadata", a.Body, good.metadata())
			}
		})
	}
}
