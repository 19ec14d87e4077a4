package pages

// Errors as pages. Who does not ask for HTML gets a line of text.

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"larder/internal/problem"
	"larder/internal/wire"
)

// failure is what a page about an error shows.
type failure struct {
	Status  int
	Heading string
	Texts   []string
	Time    time.Time
	Request string
	Retry   bool
}

// fail writes the error bodies of pages.
func (p *Pages) fail(w http.ResponseWriter, r *http.Request, f wire.Failure) {
	if f.Status == http.StatusUnauthorized && !wantsHTML(r) {
		w.Header().Set("WWW-Authenticate", `Basic realm="larder", charset="UTF-8"`)
	}
	p.failed(w, r, f.Status, f.Public)
}

// failed answers with a page about an error, or with text.
func (p *Pages) failed(w http.ResponseWriter, r *http.Request, status int, public string) {
	if !wantsHTML(r) {
		secure(w.Header())
		w.Header().Set("Cache-Control", "no-store")
		http.Error(w, public, status)
		return
	}
	e := failure{Status: status, Time: p.d.Now().UTC(), Request: wire.RequestID(r.Context())}
	switch status {
	case http.StatusNotFound:
		e.Heading = "Not in this larder"
		e.Texts = []string{"There is nothing at this address.",
			"If it is private: what you may not see looks like what is not there."}
	case http.StatusForbidden:
		e.Heading, e.Texts = "You may not open this", []string{public}
	case http.StatusServiceUnavailable, http.StatusBadGateway, http.StatusGatewayTimeout:
		e.Heading, e.Texts, e.Retry = "Not available now", []string{public}, true
	case http.StatusInternalServerError:
		e.Heading = "Something is wrong here"
		e.Texts = []string{"The server could not make this page; its log says why."}
	default:
		e.Heading, e.Texts = http.StatusText(status), []string{public}
	}
	var err error
	if status == http.StatusUnauthorized {
		err = p.sendLogin(w, r, status, loginPage{Next: p.here(r)})
	} else {
		err = p.sendStatus(w, status, "error", p.frame(r, e.Heading, e))
	}
	if err != nil {
		p.d.Log.Debug("error page was not sent", "err", err)
	}
}

// NotFound answers for addresses that nothing has: browsers get a page, all others what they always got.
func (p *Pages) NotFound(w http.ResponseWriter, r *http.Request) {
	if (r.Method == http.MethodGet || r.Method == http.MethodHead) && wantsHTML(r) {
		wire.SetOp(r.Context(), "ui.none")
		p.failed(w, r, http.StatusNotFound, problem.Public(problem.ErrNoRoute))
		return
	}
	http.NotFound(w, r)
}

// wantsHTML reports whether the client says by name that it takes HTML: a browser. Package clients send */* or nothing.
func wantsHTML(r *http.Request) bool {
	for _, header := range r.Header.Values("Accept") {
		for part := range strings.SplitSeq(header, ",") {
			typ, parameters, _ := strings.Cut(part, ";")
			if strings.EqualFold(strings.TrimSpace(typ), "text/html") {
				_, q, given := strings.Cut(parameters, "q=")
				weight, err := strconv.ParseFloat(strings.TrimSpace(q), 64)
				return !given || err != nil || weight > 0
			}
		}
	}
	return false
}
