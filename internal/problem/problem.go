// Package problem is what the registry's errors are made of: what went wrong, the HTTP status that says so, and two
// texts. The log has the whole chain of an error; the client's user reads the sentence that was written for them, and
// nothing of the chain. It imports nothing of the registry's, so that every package can use it.
package problem

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// kind is a sort of problem, a sentinel that errors.Is finds.
type kind struct {
	log    string
	status int
	text   string
	quiet  bool
}

// New declares a kind of problem: a sentinel for errors.Is. log is its text in logs; text is what the client's user
// reads where no sentence was written with Errorf, "" for the text of the log.
func New(status int, log, text string) error {
	if text == "" {
		text = log
	}
	return &kind{log: log, status: status, text: text}
}

// NewQuiet declares a kind of which the client's user never reads more than text, whatever Errorf was given.
func NewQuiet(status int, log, text string) error {
	return &kind{log: log, status: status, text: text, quiet: true}
}

// Error is the text for the log.
func (k *kind) Error() string { return k.log }

// Refusal is an error with a sentence for the client's user. Err says what kind it is of.
type Refusal struct {
	Err  error
	Text string
}

// Errorf returns a *Refusal of a kind, or of an error that wraps one. Clients print the text verbatim: it says which
// thing, what was seen and what to change, and names neither paths nor other internals.
func Errorf(kind error, format string, args ...any) error {
	return &Refusal{Err: kind, Text: fmt.Sprintf(format, args...)}
}

// Error is the text for the log.
func (r *Refusal) Error() string { return r.Text + ": " + r.Err.Error() }

// Unwrap returns the kind.
func (r *Refusal) Unwrap() error { return r.Err }

// Public is the text for the client's user.
func (r *Refusal) Public() string { return r.Text }

// wrapped is a refusal and its cause.
type wrapped struct{ cause, refusal error }

func (e *wrapped) Error() string   { return e.cause.Error() }
func (e *wrapped) Unwrap() []error { return []error{e.refusal, e.cause} }

// Wrap is Errorf for an error that has a cause: the client's user reads the text, the log has the cause, and errors.Is
// finds both. The kind alone decides the status.
func Wrap(cause, kind error, format string, args ...any) error {
	return &wrapped{cause, Errorf(kind, format, args...)}
}

// StatusClientGone is the status of a request whose client left before the answer: nobody but the log sees it.
const StatusClientGone = 499

// Internal is what the client's user reads of an error of no kind.
const Internal = "internal error"

var (
	internal   = &kind{status: 500, text: Internal}
	clientGone = &kind{status: StatusClientGone, text: "the client left"}
	tooSlow    = &kind{status: 503, text: "the server took too long"}
)

// kindOf is the outermost kind in err's chain. Errors of the context count only where there is none.
func kindOf(err error) *kind {
	var k *kind
	switch {
	case errors.As(err, &k):
		return k
	case errors.Is(err, context.Canceled):
		return clientGone
	case errors.Is(err, context.DeadlineExceeded):
		return tooSlow
	}
	return internal
}

// Status is the HTTP status of err: 200 for nil, 500 for an error of no kind.
func Status(err error) int {
	if err == nil {
		return 200
	}
	return kindOf(err).status
}

// Public is what the client's user reads of err: the text of the outermost error that has a method Public, else that of
// its kind.
func Public(err error) string {
	if err == nil {
		return ""
	}
	k := kindOf(err)
	var refusal interface{ Public() string }
	if k == internal || k.quiet || !errors.As(err, &refusal) {
		return k.text
	}
	return refusal.Public()
}

// RetryAfter is how long the client should wait before it tries again: what the outermost error with a method
// RetryAfter says, 0 without one.
func RetryAfter(err error) time.Duration {
	var e interface{ RetryAfter() time.Duration }
	if errors.As(err, &e) {
		return e.RetryAfter()
	}
	return 0
}

// notAllowed is ErrMethod with what is allowed.
type notAllowed struct{ allow string }

func (e *notAllowed) Error() string { return ErrMethod.Error() + ": use " + e.allow }
func (e *notAllowed) Unwrap() error { return ErrMethod }

// NotAllowed is ErrMethod for an address that has only the given methods.
func NotAllowed(methods ...string) error { return &notAllowed{strings.Join(methods, ", ")} }

// Allow is the Allow header of an answer to err; "" where it needs none.
func Allow(err error) string {
	var e *notAllowed
	if errors.As(err, &e) {
		return e.allow
	}
	return ""
}
