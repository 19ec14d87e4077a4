package upstream

// This file says what to change when a document, redirect or realm leads to where we do not go.

import (
	"errors"
	"fmt"
	"net/url"
)

// elsewhere is ErrElsewhere with what its operator can change.
type elsewhere struct {
	err      error // for the log: it names addresses
	upstream string
	nameless bool
	said     string // what the upstream does
	change   string // "" when nothing helps
}

func (e *elsewhere) Error() string { return e.err.Error() }
func (e *elsewhere) Unwrap() error { return e.err }

// Public names the upstream and the setting, and no address.
func (e *elsewhere) Public() string {
	text := "The upstream registry"
	if !e.nameless {
		text += " " + e.upstream
	}
	text += " " + e.said
	if e.change != "" {
		text += ": " + e.change
	}
	return text + "."
}

const (
	nameHost  = "name the host in `hosts`, if it may be asked"
	nameRealm = "name that in `realms`, if it may have the password"
	nearHost  = "set `private: true`, or " + nameHost
)

// astray is the error for an address to which we do not go; text is for the log.
func (u *Upstream) astray(to *url.URL, text string) error {
	e := &elsewhere{
		err: fmt.Errorf("%s: %w", text, ErrElsewhere), upstream: u.conf.Name, nameless: u.nameless(),
		said: "refers to a host that is not configured for it", change: nameHost,
	}
	switch {
	case to == nil || to.Scheme != "http" && to.Scheme != "https" || to.Host == "" || to.User != nil:
		e.said, e.change = "refers to something that is no address of a file", ""
	case u.base.Scheme == "https" && to.Scheme != "https":
		e.said, e.change = "refers to an address without TLS, which is not followed from one with TLS", ""
	}
	return e
}

// explainAddress adds to an error of the dialer, which knows of no upstream, what can be changed.
func (u *Upstream) explainAddress(err error) error {
	var known *elsewhere
	if !errors.Is(err, errAddress) || errors.As(err, &known) {
		return err
	}
	e := &elsewhere{err, u.conf.Name, u.nameless(), "refers to a host whose address is not public", nearHost}
	var aside *asideError
	if errors.As(err, &aside) {
		e.said, e.change = "has its tokens from a host whose address is not public", nameRealm
	}
	return e
}
