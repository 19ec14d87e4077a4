package upstream

// This file says what it means that an upstream refuses to answer for something.

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"

	"larder/internal/problem"
	"larder/store"
)

// ErrRefused: an upstream answered 401 or 403. Nobody knows whether what was asked for exists there, so that no other
// upstream is asked. See Refused.
var ErrRefused = problem.New(http.StatusForbidden, "refused by an upstream", "an upstream registry refuses this")

// Refused is ErrRefused with what its operator can change.
type Refused struct {
	Upstream string
	kind     store.Kind
	status   statusError
	sent     bool // with credentials
	kept     bool // there are credentials, which do not belong to the address
	away     bool // which is on another host than the registry
	nameless bool
}

func (e *Refused) Error() string {
	return fmt.Sprintf("%v: %s: %v (credentials sent: %t)", ErrRefused, e.Upstream, &e.status, e.sent)
}

func (e *Refused) Unwrap() []error { return []error{ErrRefused, &e.status} }

// Public says what the upstream answered to what, and what to set. It names no address.
func (e *Refused) Public() string {
	name := string(e.kind) + " upstream"
	if !e.nameless {
		name += " " + e.Upstream
	}
	if e.away {
		name = "The host of a file of " + name
	}
	text, change := e.said("")
	return name + " " + text + "; " + change + "."
}

// explain is Public with addresses, in two parts.
func (e *Refused) explain() (text, change string) {
	text, change = e.said(" " + e.status.host)
	if e.away {
		text = "its host " + text
	}
	return text, change
}

// said says what was answered, and what to set. host is "", or that of the address after a space.
func (e *Refused) said(host string) (text, change string) {
	with := "a request without credentials"
	if e.sent {
		with = "a request with its credentials"
	}
	text = fmt.Sprintf("answered %d to %s", e.status.code, with)
	const absent = "`forbidden: absent` if it answers so for what it does not have"
	switch {
	case e.sent:
		return text, "they do not give access to this: set others, or " + absent
	case e.kept && e.kind == store.OCI:
		return text, "it did not ask for those that are set for it, or its tokens come from a host that `realms` does not " +
			"name"
	case e.kept && e.away:
		return text, "those that are set for it are not sent there: name the host" + host + " in `hosts`, if it may have them"
	case e.kept:
		return text, "those that are set for it are not sent to this address: name it in `paths`"
	}
	return text, "set user and password, or token, for it, or " + absent
}

// refusal is the error of a refused request.
func (u *Upstream) refusal(r *http.Request, code int) *Refused {
	e := &Refused{
		Upstream: u.conf.Name, kind: u.conf.Kind, status: statusError{code, r.URL.Host}, sent: u.sent(r),
		away: hostPort(r.URL) != hostPort(u.base), nameless: u.nameless(),
	}
	if e.kept = !e.sent && u.hasLogin() && !isAnonymous(r.Context()); e.kept && u.conf.Kind != store.OCI {
		u.warnUnsent(r.URL, code)
	}
	return e
}

// warnUnsent logs once for each origin that it refuses requests to which configured credentials do not belong.
func (u *Upstream) warnUnsent(at *url.URL, code int) {
	if _, known := u.unsent.LoadOrStore(origin(at), true); !known {
		u.log.Warn("an upstream refuses what its credentials are not sent to; `hosts` and `paths` name where they go",
			"kind", string(u.conf.Kind), "upstream", u.conf.Name, "origin", origin(at), "status", code)
	}
}

// sent reports whether a request had the configured credentials, or a token that was got with them.
func (u *Upstream) sent(r *http.Request) bool {
	if h := u.conf.HeaderName; h != "" {
		return r.Header.Get(h) != ""
	}
	return r.Header.Get("Authorization") != "" && !isAnonymous(r.Context()) &&
		(u.conf.Kind != store.OCI || u.hasLogin() && u.unused.Load() == nil)
}

// hasLogin reports whether credentials are configured.
func (u *Upstream) hasLogin() bool {
	return u.conf.User != "" || u.conf.Token != "" || u.conf.HeaderName != ""
}

// refusesAbsent reports whether a refusal means that there is no such thing: because the operator says so, or because
// hubs of images answer so to strangers for repositories that do not exist.
func (u *Upstream) refusesAbsent() bool {
	return u.conf.Forbidden == ForbiddenAbsent || u.conf.Kind == store.OCI && !u.hasLogin()
}

// refusedText is the Status of an answer whose refusal is taken for absence.
const refusedText = "refused"

// takeAsAbsent makes a refusal an answer that says that there is no such thing.
func takeAsAbsent(resp *http.Response) {
	resp.StatusCode, resp.Status = http.StatusNotFound, refusedText
}

// tokenRefusal is a 4xx of who gives out tokens.
type tokenRefusal struct{ statusError }

func (e *tokenRefusal) Unwrap() error { return &e.statusError }

// tokenRefused turns a refused token into what a refusal by the registry itself would be.
func (u *Upstream) tokenRefused(q request, err error) (*http.Response, error) {
	var denied *tokenRefusal
	if !errors.As(err, &denied) {
		return nil, err
	}
	r, rerr := http.NewRequest(q.method, q.ref, nil)
	if rerr != nil {
		return nil, rerr
	}
	if u.refusesAbsent() {
		resp := &http.Response{Request: r, Header: http.Header{}, Body: http.NoBody}
		takeAsAbsent(resp)
		return resp, nil
	}
	e := u.refusal(r, denied.code)
	e.sent, e.away = u.conf.User != "" && u.unused.Load() == nil, false
	e.kept = !e.sent && u.hasLogin()
	return nil, e
}

// noteAbsent logs an answer that was taken for absence although it was a refusal, and puts it on the list of misses.
func (s *Set) noteAbsent(u *Upstream, name, key string, resp *http.Response) {
	if resp.Status == refusedText {
		s.r.noteMiss(s.kind, name, key, MissRefused, "refused by an upstream, taken as absent",
			slog.String("upstream", u.Name()))
	}
}

// noteRefused does it for what clients are told was refused.
func (s *Set) noteRefused(name, key string, err error) {
	var refused *Refused
	if errors.As(err, &refused) {
		s.r.noteMiss(s.kind, name, key, MissRefused, "refused by an upstream", slog.String("upstream", refused.Upstream),
			slog.Any("error", err))
	}
}

// errHead is a HEAD that the upstream does not answer, which says nothing of what was asked for.
var errHead = errors.New("HEAD refused")

// headRefused reports whether an answer to a HEAD only says that HEAD is not answered.
func headRefused(method string, code int) bool {
	return method == http.MethodHead &&
		(code == http.StatusMethodNotAllowed || code == http.StatusNotImplemented || code == http.StatusForbidden)
}

// lacksAPI reports whether err is an answer that says of an address that not every registry has that this one has not.
// Registries without the referrers API answer so, see the distribution specification, "unavailable referrers API".
func lacksAPI(err error) bool {
	var status *statusError
	return errors.As(err, &status) && slices.Contains(withoutAPI, status.code)
}

var withoutAPI = []int{
	http.StatusBadRequest, http.StatusMethodNotAllowed, http.StatusNotAcceptable, http.StatusNotImplemented,
}
