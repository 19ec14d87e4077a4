package oci

// What clients get when something goes wrong.

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"larder/auth"
	"larder/internal/problem"
	"larder/internal/wire"
	"larder/internal/wiretest"
	"larder/store"
)

// TestErrorsOfEveryOperation has every sentinel, operation and method; errors.golden has what each client gets.
func TestErrorsOfEveryOperation(t *testing.T) {
	g := newRig(t)
	g.push("app", "v1", "layer")
	base, err := wire.NewBase("http://registry.example.com", nil)
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(wire.Deps{Store: g.Store, Auth: g.Auth, Base: base}, Options{})
	sentinels := []struct {
		name string
		err  error
	}{
		{"not found", store.ErrNotFound}, {"hidden", auth.ErrHidden}, {"no credentials", auth.ErrNoCredentials},
		{"credentials", auth.ErrCredentials}, {"denied", auth.ErrDenied}, {"scope", auth.ErrScope},
		{"throttled", &auth.Throttled{After: time.Minute}}, {"create only", store.ErrDenied},
		{"protected", store.ErrProtected}, {"immutable", store.ErrImmutable}, {"exists", store.ErrExists},
		{"too large", store.ErrTooLarge}, {"quota", store.ErrQuota}, {"busy", store.ErrBusy},
		{"referenced", store.ErrReferenced}, {"conflict", store.ErrConflict}, {"digest", store.ErrDigest},
		{"offset", store.ErrOffset}, {"invalid", store.ErrInvalid}, {"full", store.ErrFull}, {"read-only", store.ErrReadOnly},
		{"truncated", problem.ErrTruncated}, {"range", problem.ErrRange}, {"method", problem.ErrMethod},
		{"disabled", errDisabled}, {"too many tags", errTooManyTags}, {"bad path", problem.ErrBadPath},
		{"unknown", errors.New("a secret path /data")},
	}
	var got strings.Builder
	for _, c := range sentinels {
		for _, o := range []struct{ op, method string }{
			{"oci.manifest.get", "GET"}, {"oci.blob.get", "HEAD"}, {"oci.tags", "GET"}, {"oci.manifest.put", "PUT"},
			{"oci.upload.patch", "PATCH"}, {"oci.manifest.delete", "DELETE"},
		} {
			got.WriteString(renderFailure(t, s, c.name, o.op, o.method, c.err))
		}
	}
	wiretest.Golden(t, "errors.golden", got.String())
}

func renderFailure(t *testing.T, s *server, name, op, method string, err error) string {
	t.Helper()
	i := slices.IndexFunc(s.routes(), func(r wire.Route[Request]) bool { return r.Op == op })
	w := httptest.NewRecorder()
	r := httptest.NewRequest(method, "/v2/app/manifests/v1", nil)
	r.Header.Set("Authorization", "Bearer x")
	err = fmt.Errorf("wrapped: %w", err)
	s.fail(w, r, wire.Failure{
		Status: problem.Status(err), Err: err, Public: problem.Public(err),
		Op: op, Need: s.routes()[i].Need, Type: typeRepository, Name: "app", Absent: s.table.Absent(i),
	})
	body := strings.TrimSpace(w.Body.String())
	switch {
	case method == http.MethodHead && body != "":
		t.Errorf("%s: a HEAD with a body", name)
	case method != http.MethodHead && !json.Valid([]byte(body)):
		t.Errorf("%s: %q is not JSON", name, body)
	case strings.Contains(body, "wrapped") || strings.Contains(body, "/data"):
		t.Errorf("%s: the log's text reached the client: %s", name, body)
	case w.Code == 401 && w.Header().Get("WWW-Authenticate") == "":
		t.Errorf("%s: a 401 without challenge", name)
	}
	for header, want := range map[string]string{
		"Docker-Distribution-Api-Version": "registry/2.0", "Content-Type": "application/json",
		"X-Content-Type-Options": "nosniff",
	} {
		if got := w.Header().Get(header); got != want {
			t.Errorf("%s: header %s is %q, want %q", name, header, got, want)
		}
	}
	line := fmt.Sprintf("%-14s %-6s %-19s %d %s", name, method, op, w.Code, body)
	if c := w.Header().Get("WWW-Authenticate"); c != "" {
		line += " " + c
	}
	if c := w.Header().Get("Allow"); c != "" {
		line += " Allow: " + c
	}
	return strings.TrimSpace(line) + "\n"
}

// TestEveryStatusHasACode: the codes we send with a 4xx of the specification's own statuses are in its list or known
// from Docker.
func TestEveryStatusHasACode(t *testing.T) {
	for _, op := range (&server{}).routes() {
		for status := 400; status < 600; status++ {
			c := code(wire.Failure{Op: op.Op}, status)
			if c == "" || strings.Trim(c, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") != "" {
				t.Errorf("%s %d: %q", op.Op, status, c)
			}
		}
	}
}

// TestEveryAnswerHasTheVersionHeader: what every answer carries, whatever it is.
func TestEveryAnswerHasTheVersionHeader(t *testing.T) {
	g := newRig(t)
	m, _ := g.push("app", "v1", "layer")
	for _, a := range []answer{
		g.Do("GET", "/v2/", nil), g.Ada("GET", "/v2/", nil), g.Ada("GET", "/v2/app/manifests/v1", nil),
		g.Ada("GET", "/v2/app/manifests/none", nil), g.Ada("HEAD", "/v2/app/manifests/none", nil), g.Ada("GET", "/v2/A", nil),
		g.put("app", "v2", m), g.Ada("POST", "/v2/app/tags/list", nil), g.Do("GET", "/v2/token", nil),
		g.Do("GET", "/v1/_ping", nil), g.Ada("GET", "/v2/app/tags/list?x=%zz", nil),
	} {
		a.WantHeader(t, "Docker-Distribution-Api-Version", "registry/2.0").WantHeader(t, "X-Content-Type-Options", "nosniff")
	}
	g.want(g.Ada("POST", "/v2/app/tags/list", nil), 405, codeUnsupported).WantHeader(t, "Allow", "GET, HEAD")
}

// TestWarningsAreCleanAndLimited: texts are cleaned, and all of them together stay below the limit.
func TestWarningsAreCleanAndLimited(t *testing.T) {
	h := http.Header{}
	wire.Warn(h, "quota \"nearly\" used\r\nX-Evil: 1 é")
	if got := h.Get("Warning"); got != `299 - "quota nearly usedX-Evil: 1 "` {
		t.Errorf("%q", got)
	}
	for range 10 {
		wire.Warn(h, strings.Repeat("x", 1000))
	}
	if n := len(h.Values("Warning")); n != 5 {
		t.Errorf("%d warnings", n)
	}
}
