package wire

// Counting what was answered, once for each request, and what was pulled.

import (
	"context"
	"net/http"
	"strings"

	"larder/store"
	"larder/upstream"
)

// use is where the requests of a protocol are counted.
type use struct {
	kind   store.Kind
	store  *store.Store
	hosted *store.Meter // what is answered from no upstream
}

// tally is what is known of a request when it ends.
type tally struct {
	use           *use            // nil for what is no protocol's
	from          upstream.Answer // which upstream, if any
	name, version string          // of a pull
}

// Pulling says that the answer is a file of a version, published here or a copy: when it is sent, the version was
// pulled.
func Pulling(ctx context.Context, name, version string) {
	if x := exchangeFrom(ctx); x != nil {
		x.tally.name, x.tally.version = name, version
	}
}

// count counts the request. HEAD and 304 send nothing and pull nothing; of a file that is fetched in parts the part
// with its first byte is the pull.
func (t *tally) count(r *http.Request, h http.Header, status int, sent int64) {
	if t.use == nil || t.use.hosted == nil {
		return
	}
	if !t.from.Count(status, sent) {
		t.use.hosted.Requests.Add(1)
		if status < http.StatusBadRequest {
			t.use.hosted.Sent.Add(sent)
		}
	}
	if t.name == "" || r.Method != http.MethodGet {
		return
	}
	if status == http.StatusOK || status == http.StatusPartialContent && firstByte(r, h) {
		t.use.store.Pulled(t.use.kind, t.name, t.version)
	}
}

// firstByte reports whether a partial answer has the first byte of the whole.
func firstByte(r *http.Request, h http.Header) bool {
	if part := h.Get("Content-Range"); part != "" {
		return strings.HasPrefix(part, "bytes 0-")
	}
	for part := range strings.SplitSeq(strings.TrimPrefix(r.Header.Get("Range"), "bytes="), ",") {
		if strings.HasPrefix(strings.TrimSpace(part), "0-") {
			return true
		}
	}
	return false
}
