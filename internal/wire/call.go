package wire

// Calls from one part of the server to another's operations, for the client of a request that is being served.

import (
	"bytes"
	"context"
	"net/http"

	"larder/internal/problem"
)

// Handler is an Endpoint at work.
type Handler interface {
	http.Handler
	Caller
}

// Caller serves requests of the server itself.
type Caller interface {
	// Call serves r as if the client of the request that ctx belongs to had sent it: with its identity, address and
	// name, so that rights, journal and policies are those of the address in r. Credentials in r are not looked at. It
	// returns what the operation returns, instead of writing it.
	Call(ctx context.Context, r *http.Request) error
}

// maxAnswer bounds what is kept of an answer: the text of a refusal.
const maxAnswer = 4 << 10

// called is the response of a call: nobody reads it but for its status.
type called struct {
	header http.Header
	body   bytes.Buffer
}

func (a *called) Header() http.Header { return a.header }
func (a *called) WriteHeader(int)     {}

func (a *called) Write(p []byte) (int, error) {
	a.body.Write(p[:min(len(p), maxAnswer-a.body.Len())])
	return len(p), nil
}

// Call implements Caller.
func (h *dispatcher[R]) Call(ctx context.Context, r *http.Request) error {
	a := &called{header: http.Header{}}
	x, w, r := enter(a, r.WithContext(ctx), RequestID(ctx), AddrFrom(ctx), -1)
	if outer := exchangeFrom(ctx); outer != nil {
		x.outer, x.op, x.identity = outer, outer.op, outer.identity
		x.agent, x.addrText, x.stopping = outer.agent, outer.addrText, outer.stopping
	}
	query, err := parseQuery(r.URL.RawQuery)
	if err != nil {
		return err
	}
	f := Failure{}
	op, q, err := h.find(r.Method, x.escapedPath(r.URL), query, &f)
	if err != nil {
		return err
	}
	f.Type, f.Name = h.Target(q)
	err = h.operate(w, r, x, &f, op, q)
	if x.outer != nil {
		for _, notice := range x.notices {
			Notice(x.outer, notice)
		}
	}
	if err == nil && x.status >= http.StatusBadRequest {
		// A refusal that the operation has written itself.
		return problem.Errorf(problem.ErrInvalid, "%s", a.body.String())
	}
	return err
}
