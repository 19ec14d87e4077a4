package cli

// This file starts servers by the command line, and administers them while they run.

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// served is a server started by the command line inside this process.
type served struct {
	url  string
	stop context.CancelFunc
	done chan result
}

// serve runs larder serve with args until the test ends, or until stop; it waits until the server answers.
func serve(t *testing.T, args ...string) *served {
	t.Helper()
	file := filepath.Join(t.TempDir(), "addr")
	ctx, cancel := context.WithCancel(context.Background())
	s := &served{stop: cancel, done: make(chan result, 1)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.done <- runContext(ctx, "", append([]string{"serve", "--listen", "127.0.0.1:0", "--addr-file", file}, args...)...)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if addr, err := os.ReadFile(file); err == nil {
			s.url = "http://" + strings.TrimSpace(string(addr))
			return s
		}
		select {
		case r := <-s.done:
			t.Fatalf("serve ended: %+v", r)
		default:
		}
	}
	t.Fatal("serve was not ready after 30 s")
	return nil
}

func get(t *testing.T, url, token string) (int, string) {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// TestServe starts on an empty folder, administers it while it runs, stops it and looks at what is left.
func TestServe(t *testing.T) {
	t.Setenv("LARDER_ADMIN_PASSWORD", "correct horse battery")
	data := filepath.Join(t.TempDir(), "data")
	s := serve(t, "--data", data, "--log", "json")
	token := strings.TrimSpace(must(t, "", "token", "create", "admin", "--data", data))
	for path, want := range map[string]string{"/": "docker login", "/healthz": `"status":"ok"`, "/readyz": `"ready":true`,
		"/metrics": "larder_", "/api/v1/users": `"admin"`} {
		if code, body := get(t, s.url+path, token); code != 200 || !strings.Contains(body, want) {
			t.Errorf("%s: %d %.300s", path, code, body)
		}
	}
	if code, _ := get(t, s.url+"/api/v1/users", ""); code != 401 {
		t.Errorf("the admin API is open: %d", code)
	}
	must(t, "", "token", "revoke", tokenID(t, data), "--data", data)
	if code, _ := get(t, s.url+"/api/v1/users", token); code != 401 {
		t.Errorf("a revoked token: %d", code)
	}
	s.stop()
	r := <-s.done
	if r.code != exitOK || r.out != "" || !strings.Contains(r.err, "stopped cleanly") {
		t.Errorf("%+v", r)
	}
	for line := range strings.Lines(r.err) {
		if !json.Valid([]byte(line)) {
			t.Errorf("the log has %q", line)
		}
	}
	if out := must(t, "", "audit", "--data", data); !strings.Contains(out, "token.revoke") {
		t.Errorf("audit: %q", out)
	}
	must(t, "", "check", "--deep", "--data", data)
}

// tokenID is the id of the folder's only token.
func tokenID(t *testing.T, data string) string {
	t.Helper()
	var list []struct{ ID string }
	if err := json.NewDecoder(bytes.NewReader([]byte(must(t, "", "token", "list", "--json", "--data",
		data)))).Decode(&list); err != nil || len(list) != 1 {
		t.Fatalf("%v, %v", list, err)
	}
	return list[0].ID
}

func TestServePrintsTheFirstPassword(t *testing.T) {
	t.Setenv("LARDER_ADMIN_PASSWORD", "")
	data := filepath.Join(t.TempDir(), "data")
	s := serve(t, "--data", data)
	s.stop()
	if r := <-s.done; r.code != exitOK || strings.Count(r.out, "\n") != 1 || !strings.Contains(r.out, "admin") {
		t.Errorf("%+v", r)
	}
	s = serve(t, "--data", data)
	s.stop()
	if r := <-s.done; r.code != exitOK || r.out != "" {
		t.Errorf("second start: %+v", r)
	}
}

func TestServeFails(t *testing.T) {
	data := newFolder(t)
	s := serve(t, "--data", data)
	for args, want := range map[string]string{
		"--listen nowhere":       "must be host:port",
		"--tls-cert x":           "tls-cert and tls-key must be set together",
		"extra":                  `does not take "extra"`,
		"--data " + data:         "another process",
		"--tls-cert x --tls-key": "flag needs an argument",
	} {
		r := run(t, "", append([]string{"serve", "--listen", "127.0.0.1:0"}, strings.Fields(args)...)...)
		if r.code == exitOK || !strings.Contains(r.err, want) {
			t.Errorf("serve %s: %+v", args, r)
		}
	}
	addr := strings.TrimPrefix(s.url, "http://")
	r := run(t, "", "serve", "--listen", addr, "--data", filepath.Join(t.TempDir(), "other"))
	if r.code != exitFailure || !strings.Contains(r.err, "larder: listen") {
		t.Errorf("a taken port: %+v", r)
	}
}
