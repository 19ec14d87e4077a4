package rebuild

// This file sends requests to handlers of this process.

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"larder/store"
)

// answerBytes bounds what is kept of a response: the sentence of a refusal, or the tags of a package.
const answerBytes = 1 << 20

// answer is a http.ResponseWriter that keeps the response.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	if a.status == 0 && status >= http.StatusOK {
		a.status = status
	}
}

func (a *answer) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	a.body.Write(b[:min(len(b), max(answerBytes-a.body.Len(), 0))])
	return len(b), nil
}

// ask sends a request with size bytes of body to the handler of a kind. header are pairs of names and values.
func (p *Publisher) ask(
	ctx context.Context, k store.Kind, method, path string, body io.Reader, size int64, header ...string,
) (*answer, error) {
	if body == nil {
		body = http.NoBody
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://larder"+path, body)
	if err != nil {
		return nil, err
	}
	r.ContentLength, r.RequestURI, r.RemoteAddr = size, path, "127.0.0.1:1"
	r.Header.Set("Authorization", "Bearer "+p.Token)
	r.Header.Set("User-Agent", "larder check --rebuild")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	a := &answer{header: http.Header{}}
	if err := p.serve(k, a, r); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	a.WriteHeader(http.StatusOK)
	return a, nil
}

// serve calls the handler. A response that the handler aborts is an error, as on a connection.
func (p *Publisher) serve(k store.Kind, a *answer, r *http.Request) (err error) {
	defer func() {
		switch v := recover(); v {
		case nil:
		case http.ErrAbortHandler:
			err = refused("%s %s was broken off; the log says why", r.Method, r.URL.Path)
		default:
			panic(v)
		}
	}()
	p.Serve[k].ServeHTTP(a, r)
	return nil
}

// do is ask for a request that must succeed: any other status is a refusal with the handler's sentence.
func (p *Publisher) do(
	ctx context.Context, k store.Kind, method, path string, body io.Reader, size int64, header ...string,
) error {
	a, err := p.ask(ctx, k, method, path, body, size, header...)
	if err != nil || a.status/100 == 2 {
		return err
	}
	return refused("%s", a.sentence())
}

// sentence returns the text for the client's user, in whatever form the protocol sends it.
func (a *answer) sentence() string {
	var v any
	text := ""
	if json.Unmarshal(a.body.Bytes(), &v) == nil {
		text = firstText(v)
	} else if !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") {
		text = a.body.String()
	}
	text = strings.Join(strings.Fields(text), " ")
	if text == "" {
		return fmt.Sprintf("the answer was %d %s", a.status, http.StatusText(a.status))
	}
	return text
}

// firstText finds the sentence in the error bodies of the protocols: {"error":…}, {"errors":[{"detail":…}]} and
// others.
func firstText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case []any:
		for _, e := range v {
			if text := firstText(e); text != "" {
				return text
			}
		}
	case map[string]any:
		for _, key := range []string{"message", "detail", "reason", "error", "errors"} {
			if text := firstText(v[key]); text != "" {
				return text
			}
		}
	}
	return ""
}
