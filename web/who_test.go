package web

// What the server tells of itself, and to whom.

import (
	"encoding/base64"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"larder/auth"
	"larder/internal/wire"
)

// TestWhatTheServerTellsOfItself: every page that has no operation of its own, for each credential, where anonymous
// reads and where it does not.
func TestWhatTheServerTellsOfItself(t *testing.T) {
	const secret = "package acme/secret cannot be read"
	const figures = "larder_requests_total 1"
	for _, anonymous := range []string{"read", "none"} {
		b := newBoxFor(t, auth.Options{Cost: 4, Anonymous: anonymous}, func(d *Deps) {
			d.Jobs = func() []wire.JobStatus { return []wire.JobStatus{{Name: "sweep", Every: time.Hour, Error: secret}} }
			d.Metrics = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, figures) })
		})
		basic := func(user, password string) string {
			return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
		}
		for _, c := range []struct {
			who, header string
			known       bool
		}{
			{"nobody", "", false},
			{"a password", basic("bob", goodPassword), true},
			{"a wrong password", basic("bob", "wrong"), false},
			{"a user's token", "Bearer " + b.tokens["user"], true},
			{"a token of one kind", "Bearer " + b.tokens["admin of npm"], true},
			{"a token as Basic", basic("x", b.tokens["user"]), true},
			{"a wrong token", "Bearer larder_" + strings.Repeat("x", 40), false},
			{"nothing readable", "Basic ???", false},
		} {
			open := anonymous == "read"
			sees := open || c.known
			for _, page := range []struct {
				path   string
				status int
				always []string
				known  []string // for who is known
				open   []string // and for all where anonymous reads
			}{
				{"/healthz", 200, []string{`"status":"degraded"`}, []string{secret}, []string{"1.2.3", "sweep"}},
				{"/readyz", 200, []string{`"ready":true`}, nil, []string{`"read_only":false`, `"reasons":[]`}},
				{"/metrics", 200, nil, nil, []string{figures}},
			} {
				status := page.status
				if wrong := c.header != "" && !c.known; page.path == "/metrics" &&
					(!sees || wrong && strings.HasPrefix(c.who, "a wrong")) {
					status = 401
				}
				resp, text := b.do(b.tcp, "GET", page.path, "", c.header)
				if resp.StatusCode != status {
					t.Errorf("anonymous: %s, %s, %s: %s, want %d", anonymous, page.path, c.who, resp.Status, status)
				}
				if status == 401 {
					sees = false
				}
				check := func(parts []string, want bool) {
					for _, part := range parts {
						if strings.Contains(text, part) != want {
							t.Errorf("anonymous: %s, %s, %s: %q is there: %t, in\n%s", anonymous, page.path, c.who, part, !want, text)
						}
					}
				}
				check(page.always, true)
				check(page.known, c.known)
				check(page.open, sees)
			}
		}
	}
}
