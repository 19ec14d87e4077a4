package wire

// Answers with a file: byte ranges, conditions, ETag.

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"larder/internal/problem"

	"github.com/opencontainers/go-digest"
)

// BlobHead is what the header of a blob's answer says. Only Digest and Size are required.
type BlobHead struct {
	// Digest is the strong ETag: the one the client asked for, if it asked by digest.
	Digest digest.Digest
	// Size in bytes; ranges are checked against it.
	Size int64
	// Type is the Content-Type, application/octet-stream if empty. It is never guessed from the content.
	Type string
	// CacheControl, if empty, is left unset.
	CacheControl string
	// Modified, if set, is sent as Last-Modified (Maven compares it).
	Modified time.Time
	// Whole leaves the offer of byte ranges out, for what nobody fetches in parts. A range that is asked for is served.
	Whole bool
}

// ServeBlob answers GET or HEAD with content, usually an *os.File, which the kernel then sends by itself. It knows byte
// ranges, several of them as multipart/byteranges (podman's partial pulls), If-Range, and If-None-Match with and
// without quotes. A range outside the content is problem.ErrRange, with Content-Range set as RFC 9110 15.5.17 wants it.
// The content is never encoded. The caller closes it.
func ServeBlob(w http.ResponseWriter, r *http.Request, content io.ReadSeeker, head BlobHead) error {
	h := w.Header()
	etag := `"` + head.Digest.String() + `"`
	h.Set("ETag", etag)
	head.set(h)
	r = quoteBare(r, etag)
	if spec := r.Header.Get("Range"); spec != "" {
		result := rangeIgnored
		if r.Method == http.MethodGet {
			result = checkRange(spec, head.Size)
		}
		switch {
		case result == rangeIgnored:
			r = withHeader(r, "Range", "")
		case result == rangeOutside && rangeApplies(r, etag):
			return outOfRange(h, head.Size)
		}
	}
	// Content-Length is ServeContent's to set: set before, it would stand on a 206 or 304 as well.
	http.ServeContent(w, r, "", head.Modified, content)
	return nil
}

// ServeBytes is ServeBlob for content that is in memory already.
func ServeBytes(w http.ResponseWriter, r *http.Request, content []byte, head BlobHead) error {
	head.Size = int64(len(content))
	if r.Method != http.MethodGet || conditional(r.Header) {
		return ServeBlob(w, r, bytes.NewReader(content), head)
	}
	// Written into the map as it stands, in canonical spelling: this is the path of every small pull. Each field costs as
	// much as finding the manifest does, and one more than eight make Go's map ten times as large.
	values := [...]string{`"` + head.Digest.String() + `"`, ""}
	h := w.Header()
	h["Etag"] = values[0:1:1]
	if len(content) > counted {
		values[1] = strconv.Itoa(len(content))
		h["Content-Length"] = values[1:2:2]
	}
	if !head.Whole {
		h["Accept-Ranges"] = acceptRanges
	}
	head.set(h)
	if !head.Modified.IsZero() {
		h.Set("Last-Modified", head.Modified.UTC().Format(http.TimeFormat))
	}
	_, err := w.Write(content)
	return err
}

// counted is the size of net/http's buffer: up to it, it sets the Content-Length of an answer by itself.
const counted = 2048

// acceptRanges is shared by all answers; nobody changes it.
var acceptRanges = []string{"bytes"}

// conditional reports whether anything but the whole content may be the answer.
func conditional(h http.Header) bool {
	for _, name := range []string{
		"Range", "If-Range", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since",
	} {
		if _, ok := h[name]; ok {
			return true
		}
	}
	return false
}

// set writes the header fields that do not depend on the request.
func (head BlobHead) set(h http.Header) {
	if head.Type == "" {
		head.Type = "application/octet-stream"
	}
	values := [...]string{head.Type, head.CacheControl}
	h["Content-Type"] = values[0:1:1]
	if head.CacheControl != "" {
		h["Cache-Control"] = values[1:2:2]
	}
}

func outOfRange(h http.Header, size int64) error {
	for _, name := range []string{"ETag", "Content-Type", "Cache-Control"} {
		h.Del(name)
	}
	h.Set("Content-Range", fmt.Sprintf("bytes */%d", size))
	return problem.Errorf(problem.ErrRange, "the requested range lies outside the file's %d bytes", size)
}

// quoteBare puts the quotes around an If-None-Match that has none: several clients send the digest as it is.
func quoteBare(r *http.Request, etag string) *http.Request {
	if v := r.Header.Get("If-None-Match"); v != "" && strings.TrimSpace(v) == etag[1:len(etag)-1] {
		return withHeader(r, "If-None-Match", etag)
	}
	return r
}

// withHeader is r with one header changed, or removed if value is empty; r itself stays as it is.
func withHeader(r *http.Request, name, value string) *http.Request {
	changed := new(http.Request)
	*changed = *r
	changed.Header = r.Header.Clone()
	changed.Header.Del(name)
	if value != "" {
		changed.Header.Set(name, value)
	}
	return changed
}

// rangeApplies reports whether no precondition comes before the range: a match of If-None-Match is a 304, a mismatch of
// If-Match a 412, a mismatch of If-Range the whole content.
func rangeApplies(r *http.Request, etag string) bool {
	if matches(r.Header.Get("If-None-Match"), etag) {
		return false
	}
	if m := r.Header.Get("If-Match"); m != "" && !matches(m, etag) {
		return false
	}
	ifRange := r.Header.Get("If-Range")
	return ifRange == "" || ifRange == etag
}

// matches reports whether an If-None-Match or If-Match list names etag, quoted, weak or bare, or is "*".
func matches(list, etag string) bool {
	if list == "" {
		return false
	}
	bare := etag[1 : len(etag)-1]
	for e := range strings.SplitSeq(list, ",") {
		e = strings.TrimPrefix(strings.TrimSpace(e), "W/")
		if e == "*" || e == etag || e == bare {
			return true
		}
	}
	return false
}

type rangeResult int

const (
	rangeGood    rangeResult = iota
	rangeIgnored             // not GET, another unit, or not a range at all: the header counts as absent (RFC 9110 14.2)
	rangeOutside             // understood, but nothing of it exists
	rangeInvalid             // ends before it begins: the whole header is refused
)

// maxRanges is the most parts of a multi-range answer; podman merges its requests to fewer.
const maxRanges = 2048

func checkRange(spec string, size int64) rangeResult {
	list, ok := strings.CutPrefix(spec, "bytes=")
	if !ok || strings.Count(list, ",") >= maxRanges {
		return rangeIgnored
	}
	result := rangeIgnored
	for part := range strings.SplitSeq(list, ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		switch checkPart(part, size) {
		case rangeIgnored:
			return rangeIgnored
		case rangeGood:
			result = rangeGood
		case rangeInvalid:
			return rangeOutside
		case rangeOutside:
			if result != rangeGood {
				result = rangeOutside
			}
		}
	}
	if size == 0 && result == rangeOutside {
		// An empty file is sent whole: clients that always ask for ranges could not fetch it otherwise.
		return rangeIgnored
	}
	return result
}

func checkPart(part string, size int64) rangeResult {
	first, last, ok := strings.Cut(part, "-")
	if !ok || first == "" && last == "" {
		return rangeIgnored
	}
	from, ok1 := rangeNumber(first)
	to, ok2 := rangeNumber(last)
	switch {
	case !ok1 || !ok2:
		return rangeIgnored
	case first == "" && to == 0, last != "" && to < from && first != "":
		return rangeInvalid
	case from >= size:
		return rangeOutside
	}
	return rangeGood
}

// rangeNumber reads digits only; an empty one is 0, one beyond 64 bits none that could be meant.
func rangeNumber(s string) (int64, bool) {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
	}
	if s == "" {
		return 0, true
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}
