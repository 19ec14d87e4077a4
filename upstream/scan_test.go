package upstream

// Documents that are checked on their way to the disk.

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// streamed asks for the document called name, which may be read as a stream that ends with "end".
func streamed(name string) Query {
	q := always(name)
	q.Check = func(body []byte, _ string) error {
		_, err := endsRight(strings.NewReader(string(body)))
		return err
	}
	q.Scan = endsRight
	return q
}

func endsRight(r io.Reader) (Scanned, error) {
	b, err := io.ReadAll(r)
	if err == nil && !strings.HasSuffix(string(b), "end") {
		err = errors.New("it has no end")
	}
	return Scanned{map[string]time.Time{"1.0.0": {}}, &About{Description: "it ends right"}}, err
}

func TestLargeDocumentIsKeptAsItComes(t *testing.T) {
	t.Parallel()
	for _, size := range []int{10, scannedFrom - 3, scannedFrom, 3 * scannedFrom} {
		for _, encoding := range []string{"", "gzip"} {
			g := newRig(t)
			body := strings.Repeat("x", size-3) + "end"
			g.origin.answer(func(w http.ResponseWriter, _ *http.Request) {
				sent := body
				if encoding != "" {
					w.Header().Set("Content-Encoding", encoding)
					sent = squeezed(body)
				}
				w.Header().Set("ETag", `"one"`)
				_, _ = io.WriteString(w, sent) // a client that left fails its own check
			})
			q := streamed("demo")
			g.want("the first time", q, body, "MISS")
			q.Fresh = time.Minute
			d := g.want("while it is fresh", q, body, "HIT")
			r, err := d.Open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(r); err != nil || string(got) != body || r.Close() != nil {
				t.Errorf("as a stream: %d bytes, %v, want %d", len(got), err, len(body))
			}
		}
	}
}

func TestLargeDocumentThatIsWrongIsTrouble(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct{ body, says string }{
		"another form": {strings.Repeat("x", 2*scannedFrom), "something that is not the document"},
		"a page":       {"<html>" + strings.Repeat("x", 2*scannedFrom), "a web page"},
	} {
		g := newRig(t)
		g.origin.answer(answers(c.body))
		_, _, err := g.answer(streamed("demo"))
		var told interface{ Public() string }
		if !errors.As(err, &told) || !strings.Contains(told.Public(), c.says) {
			t.Errorf("%s: %v, want %q", what, err, c.says)
		}
	}
	g := newRig(t)
	g.origin.answer(answers(strings.Repeat("x", 2*scannedFrom) + "end"))
	q := streamed("demo")
	q.Limit = scannedFrom + 1
	if _, _, err := g.answer(q); !errors.Is(err, errBody) {
		t.Errorf("above the limit: %v, want trouble with the body", err)
	}
}

func TestLargeDocumentIsAnsweredWhenItCannotBeKept(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	body := strings.Repeat("x", 2*scannedFrom) + "end"
	g.origin.answer(answers(body))
	g.store.SetReadOnly("a test")
	g.want("although nothing is kept", streamed("demo"), body, "MISS")
}
