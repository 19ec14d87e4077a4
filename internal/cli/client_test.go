package cli

// This file puts answers behind an admin socket that no server of ours gives, and looks at what is said of them.

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// answering is a folder at whose admin socket h answers.
func answering(t *testing.T, h http.HandlerFunc) (data string) {
	t.Helper()
	data, err := os.MkdirTemp("", "larder") // short: a socket's path has its limit
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(data); err != nil {
			t.Error(err)
		}
	})
	ln, err := net.Listen("unix", filepath.Join(data, socketName))
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: h}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ln) }()
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
		if err := <-done; err != http.ErrServerClosed {
			t.Error(err)
		}
	})
	return data
}

// TestAnswersOfAServerThatFails: one line on standard error that says what is known, exit 1, and nothing else.
func TestAnswersOfAServerThatFails(t *testing.T) {
	for what, c := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"its own sentence": {func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusConflict)
			_, _ = w.Write([]byte(`{"error":"the user is there already"}`)) // a client that left fails its own check
		}, "larder: the user is there already\n"},
		"a sentence of several lines": {func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write([]byte(`{"error":"one\ntwo\u001b[31m"}`)) // the same
		}, "larder: one two [31m\n"},
		"an error page": {func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusBadGateway)
			_, _ = w.Write([]byte("<html>")) // the same
		}, "larder: the server answered 502 Bad Gateway\n"},
		"no JSON": {func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write([]byte("<html>")) // the same
		}, "the server broke off; its log says why"},
		"half of its JSON": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte(`{"users":[`)) // the same
		}, "the server broke off; its log says why"},
		"nothing": {func(w http.ResponseWriter, r *http.Request) {
			panic(http.ErrAbortHandler)
		}, "the server broke off; its log says why"},
	} {
		data := answering(t, c.answer)
		r := run(t, "", "user", "list", "--data", data)
		if r.code != exitFailure || r.out != "" || strings.Count(r.err, "\n") != 1 || !strings.Contains(r.err, c.want) {
			t.Errorf("%s: %+v, want exit 1 with %q", what, r, c.want)
		}
	}
}

// TestLongWorkThatBreaksOff: its answer is lines of progress and a result, which may never come.
func TestLongWorkThatBreaksOff(t *testing.T) {
	for what, c := range map[string]struct{ answer, want string }{
		"no result":  {"{\"done\":1,\"total\":2}\n", "the server broke off"},
		"half a one": {"{\"result\":{", "the server broke off"},
		"an error":   {"{\"done\":1}\n{\"error\":\"the disk is full\"}\n", "larder: the disk is full"},
		"no JSON":    {"<html>\n", "the server's answer cannot be read"},
	} {
		data := answering(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write([]byte(c.answer)) // a client that left fails its own check
		})
		r := run(t, "", "check", "--data", data)
		if r.code != exitFailure || !strings.Contains(r.err, c.want) {
			t.Errorf("%s: %+v, want exit 1 with %q", what, r, c.want)
		}
	}
}

func TestRequestsSayWhoRunsTheCommand(t *testing.T) {
	var user, agent string
	data := answering(t, func(w http.ResponseWriter, r *http.Request) {
		user, _, _ = r.BasicAuth()
		agent = r.UserAgent()
		_, _ = w.Write([]byte(`{"users":[]}`)) // a client that left fails its own check
	})
	must(t, "", "user", "list", "--data", data)
	if user != actorName() || user == "" || strings.Contains(user, ":") {
		t.Errorf("the server is told that %q asks, want %q", user, actorName())
	}
	if !strings.HasPrefix(agent, "larder/") {
		t.Errorf("the program calls itself %q, want larder/ and its version", agent)
	}
}

func TestCompactRefusesAFolderThatIsServed(t *testing.T) {
	data := answering(t, http.NotFound)
	r := run(t, "", "compact", "--data", data)
	if r.code != exitFailure ||
		!strings.Contains(r.err, "a server runs on "+data+"; stop it, compact, and start it again") {
		t.Errorf("%+v, want that a server runs", r)
	}
}
