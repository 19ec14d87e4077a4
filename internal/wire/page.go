package wire

// Pages with a form that takes a password.

import (
	"bytes"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
)

// formCSP allows a page its own style and its own form, and nothing else.
const formCSP = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'self'; " +
	"frame-ancestors 'none'"

// FormPage answers with a page that has a form for a password. page is an html/template, which escapes all of data. The
// page loads nothing and is kept nowhere.
func FormPage(w http.ResponseWriter, r *http.Request, status int, page string, data any) error {
	t, err := template.New("page").Parse(page)
	if err != nil {
		return fmt.Errorf("parse page: %w", err)
	}
	var out bytes.Buffer
	if err := t.Execute(&out, data); err != nil {
		return fmt.Errorf("render page: %w", err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", formCSP)
	// With no-referrer a browser would send the form with "Origin: null", which no page of this server has.
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(out.Len()))
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return nil
	}
	if _, err := w.Write(out.Bytes()); err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	return nil
}
