package wire

// Answers with a rendered document: encodings, conditions, ETag.

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"larder/store"
)

// ServeDocument answers GET or HEAD with a rendered document in the best encoding the client takes. Every encoding has
// its own strong ETag; a 304 carries the header the 200 would have had and touches nothing but memory.
func ServeDocument(w http.ResponseWriter, r *http.Request, doc *store.Document, cacheControl string) error {
	etag, fresh := notModified(r, doc)
	encoding, body := store.Identity, []byte(nil)
	if etag == "" {
		var err error
		if encoding, body, err = choose(r.Header["Accept-Encoding"], doc); err != nil {
			return err
		}
		etag = doc.ETagFor(encoding)
	}
	// Written into the map as it stands, in canonical spelling: this is the path of every 304.
	values := [...]string{etag, cacheControl}
	h := w.Header()
	h["Etag"] = values[0:1:1]
	if vary := h["Vary"]; len(vary) == 0 {
		h["Vary"] = varyEncoding
	} else {
		h["Vary"] = append(vary, varyEncoding...)
	}
	if cacheControl != "" {
		h["Cache-Control"] = values[1:2:2]
	}
	if !doc.Modified.IsZero() {
		h.Set("Last-Modified", doc.Modified.UTC().Format(http.TimeFormat))
	}
	if fresh {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	h.Set("Content-Type", doc.Type)
	if encoding != "" {
		h.Set("Content-Encoding", encoding)
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return nil
	}
	if _, err := w.Write(body); err != nil {
		return fmt.Errorf("write document: %w", err)
	}
	return nil
}

// varyEncoding is shared by all answers; nobody changes it.
var varyEncoding = []string{"Accept-Encoding"}

// notModified follows RFC 9110 13.2.2: If-Modified-Since counts only without If-None-Match. The tag of any
// encoding of the document matches, what the client holds is just as fresh; held is the tag that matched,
// "" where none was asked for.
func notModified(r *http.Request, doc *store.Document) (held string, fresh bool) {
	if lines := r.Header["If-None-Match"]; len(lines) > 0 {
		for _, tag := range [...]string{doc.ETagFor(""), doc.ETagFor("gzip"), doc.ETagFor("zstd")} {
			for _, line := range lines {
				if matches(line, tag) {
					return tag, true
				}
			}
		}
		return "", false
	}
	since := r.Header.Get("If-Modified-Since")
	if since == "" || doc.Modified.IsZero() {
		return "", false
	}
	t, err := http.ParseTime(since)
	return "", err == nil && !doc.Modified.Truncate(time.Second).After(t)
}

// choose picks the encoding with the highest weight, zstd before gzip before none among equals.
func choose(accept []string, doc *store.Document) (encoding string, body []byte, err error) {
	w := weights{}
	if len(accept) > 0 {
		w = weigh(accept)
	}
	first, second := store.Zstd, store.Gzip
	if w.gzip > w.zstd {
		first, second = second, first
	}
	for _, encoding := range [...]string{first, second} {
		if q := w.of(encoding); q > 0 && q >= w.identity {
			if body, err = doc.Encoded(encoding); body != nil || err != nil {
				return encoding, body, err
			}
		}
	}
	body, err = doc.Encoded(store.Identity)
	return store.Identity, body, err
}

// weights are q-values in thousandths, 0 for an encoding the client does not take.
type weights struct{ identity, gzip, zstd int }

func (w weights) of(encoding string) int {
	if encoding == store.Zstd {
		return w.zstd
	}
	return w.gzip
}

// weigh reads Accept-Encoding (RFC 9110 12.5.3). Without a word on it, identity is acceptable but never preferred; if
// everything is refused it is sent all the same, because an answer beats a 406 no client could act on.
func weigh(accept []string) weights {
	const unset = -1
	w, other := weights{unset, unset, unset}, unset
	for _, line := range accept {
		for part := range strings.SplitSeq(line, ",") {
			name, params, _ := strings.Cut(part, ";")
			q := quality(params)
			switch name = strings.TrimSpace(name); {
			case strings.EqualFold(name, "gzip"), strings.EqualFold(name, "x-gzip"):
				w.gzip = q
			case strings.EqualFold(name, "zstd"):
				w.zstd = q
			case strings.EqualFold(name, "identity"):
				w.identity = q
			case name == "*":
				other = q
			}
		}
	}
	for _, v := range []*int{&w.gzip, &w.zstd} {
		if *v == unset {
			*v = max(other, 0)
		}
	}
	w.identity = max(w.identity, 0)
	return w
}

// quality reads ";q=0.5" as 500; a missing or malformed one is 1000.
func quality(params string) int {
	for p := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(p, "=")
		if !strings.EqualFold(strings.TrimSpace(name), "q") {
			continue
		}
		f, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		if err != nil || !(f >= 0 && f <= 1) {
			return 1000
		}
		return int(f * 1000)
	}
	return 1000
}
