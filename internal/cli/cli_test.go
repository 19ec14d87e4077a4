package cli

// This file runs commands on closed folders and reads what they print.

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"larder/auth"
	"larder/internal/wire"
	"larder/store"
	"larder/store/storetest"
	"larder/web"
)

// result is what one run of the program left behind.
type result struct {
	code     int
	out, err string
}

// run runs the program; stdin is what it reads.
func run(t *testing.T, stdin string, args ...string) result {
	t.Helper()
	return runContext(t.Context(), stdin, args...)
}

func runContext(ctx context.Context, stdin string, args ...string) result {
	var out, errs bytes.Buffer
	code := Main(ctx, args, strings.NewReader(stdin), &out, &errs)
	return result{code, out.String(), errs.String()}
}

// must is run for commands that have to succeed silently on stderr.
func must(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	r := run(t, stdin, args...)
	if r.code != exitOK || r.err != "" {
		t.Fatalf("larder %s: exit %d, stderr %q", strings.Join(args, " "), r.code, r.err)
	}
	return r.out
}

// newFolder makes a data folder with the administrator ada.
func newFolder(t *testing.T) string {
	t.Helper()
	data := filepath.Join(t.TempDir(), "data")
	must(t, "correct horse battery\n", "user", "add", "ada", "--admin", "--password-stdin", "--data", data)
	return data
}

// startServer answers on the folder's admin socket as a running server does, until the test ends.
func startServer(t *testing.T, data string) *store.Store {
	t.Helper()
	s := storetest.Open(t, data)
	local, err := auth.NewLocal(t.Context(), s, auth.Options{Cost: 4})
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	handler := web.LocalAdmin(web.Deps{Wire: wire.Deps{Store: s, Auth: local, Log: log}, Auth: local, Log: log})
	t.Chdir(data) // the path of a socket must be short
	ln, err := net.Listen("unix", socketName)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: handler}
	served := make(chan error)
	go func() { served <- server.Serve(ln) }()
	t.Cleanup(func() {
		server.Close()
		<-served
	})
	return s
}

// TestBothWays runs every admin command against a closed folder and against a running server: same output, same code.
func TestBothWays(t *testing.T) {
	closed, open := newFolder(t), newFolder(t)
	serve(t, "--data", open)
	steps := []struct {
		stdin, args string
		code        int
	}{
		{"", "user list", 0},
		{"secret password\n", "user add bob --password-stdin --scope npm:*:*:write", 0},
		{"secret password\n", "user add bob --password-stdin", 1},
		{"secret password\n", "user add Bob!s --password-stdin", 1},
		{"\n", "user add eve --password-stdin", 1},
		{"other password\n", "user passwd bob --password-stdin", 0},
		{"other password\n", "user passwd nobody --password-stdin", 1},
		{"", "user list", 0},
		{"", "user list --json", 0},
		{"short\n", "user add eve --password-stdin", 1},
		{"password1234\n", "user passwd bob --password-stdin", 1},
		{"", "user set bob --scope npm:package:x:write --scope pypi:*:*:read", 0},
		{"", "user set bob --no-scopes --admin", 0},
		{"", "user list", 0},
		{"", "user set bob --disable --admin=false", 0},
		{"", "user list", 0},
		{"", "token create bob", 1},
		{"", "user set bob --enable", 0},
		{"", "user set bob", 2},
		{"", "user set bob --enable --disable", 2},
		{"", "user set bob --scope npm:*:*:read --no-scopes", 2},
		{"", "user set bob --scope nonsense", 1},
		{"", "user set nobody --enable", 1},
		{"", "user set ada --disable", 1},
		{"", "user set ada --admin=false", 1},
		{"", "user remove ada", 1},
		{"", "token create bob --expires 90d --name ci --scope npm:package:x:write --read-only --cidr 10.0.0.0/8,192.0.2.1",
			0},
		{"", "token create nobody", 1},
		{"", "token create bob --scope nonsense", 1},
		{"", "token list", 0},
		{"", "token list bob --json", 0},
		{"", "token list ada", 0},
		{"", "token list nobody", 1},
		{"third password\n", "user passwd bob --password-stdin --revoke-tokens", 0},
		{"", "token list bob", 0},
		{"", "token revoke 0123", 1},
		{"", "gc", 0},
		{"", "gc --dry-run --grace 0s --json", 0},
		{"", "check", 0},
		{"", "check --deep", 0},
		{"", "check --deep --json", 0},
		{"", "stats", 0},
		{"", "stats --json", 0},
		{"", "traffic", 0},
		{"", "traffic --by hour --since 2d --json", 0},
		{"", "traffic --by week", 1},
		{"", "traffic --since yesterday", 2},
		{"", "audit", 0},
		{"", "audit --json", 0},
		{"", "audit --after 1 --limit 1", 0},
		{"", "audit --user local:* --package x", 0},
		{"", "audit --operation user.add", 0},
		{"", "audit --archive --json", 0},
		{"", "audit --since 1d", 0},
		{"", "gc --orphans", 0},
		{"", "gc --orphans --json", 0},
		{"", "check --rebuild", 0},
		{"", "scrub", 0},
		{"", "scrub --json", 0},
		{"", "claim list", 0},
		{"", "claim npm left-pad", 0},
		{"", "claim npm left-pad", 0},
		{"", "claim pypi Acme.Lib", 0},
		{"", "claim maven com.acme", 1},
		{"", "claim npm acme-*", 1},
		{"", "claim nothing x", 2},
		{"", "claim npm", 2},
		{"", "claim list --json", 0},
		{"", "claim list npm --all", 0},
		{"", "claim npm left-pad --release", 0},
		{"", "claim npm left-pad --release", 1},
		{"", "claim list", 0},
		{"", "user remove bob", 0},
		{"", "user remove bob", 1},
		{"", "user list --json", 0},
	}
	for _, step := range steps {
		args := strings.Fields(step.args)
		a := run(t, step.stdin, append(args, "--data", closed)...)
		b := run(t, step.stdin, append(args, "--data", open)...)
		if a.code != step.code {
			t.Errorf("%s: exit %d, stderr %q", step.args, a.code, a.err)
		}
		if blur(a.out) != blur(b.out) || blur(a.err) != blur(b.err) || a.code != b.code {
			t.Errorf("%s differs\nclosed folder: %+v\nserver: %+v", step.args, a, b)
		}
		if a.code == 0 && (a.out == "" || a.err != "") {
			t.Errorf("%s: %+v", step.args, a)
		}
		if a.code != 0 && !regexp.MustCompile(`^larder: [^\n]+\n$`).MatchString(a.err) {
			t.Errorf("%s: stderr %q is not one line", step.args, a.err)
		}
		if strings.Contains(step.args, "--json") {
			checkJSON(t, step.args, a.out)
		}
	}
}

// blur removes what two runs never share: moments, tokens, free space and how far the database has grown.
func blur(s string) string {
	for pattern, with := range map[string]string{
		`\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z`: "TIME",
		`larder_\w+`:             "TOKEN",
		`\b[0-9a-f]{16}\b`:       "ID",
		`"(free|database)": \d+`: "SIZE",
		`[\d.]+ [KMGT]iB`:        "SIZE",
		` +`:                     " ",
	} {
		s = regexp.MustCompile(pattern).ReplaceAllString(s, with)
	}
	return s
}

// checkJSON wants one document, or for audit one object a line.
func checkJSON(t *testing.T, args, out string) {
	t.Helper()
	docs := []string{out}
	if strings.HasPrefix(args, "audit") {
		docs = strings.Split(strings.TrimSpace(out), "\n")
	}
	for _, doc := range docs {
		var v any
		if err := json.Unmarshal([]byte(doc), &v); err != nil || v == nil {
			t.Errorf("%s prints %q: %v", args, doc, err)
		}
	}
}

// TestJSONShapes pins the names scripts rely on.
func TestJSONShapes(t *testing.T) {
	data := newFolder(t)
	must(t, "", "token", "create", "ada", "--name", "ci", "--read-only", "--expires", "1h", "--data", data)
	for args, want := range map[string]string{
		"user list --json":    `[].name [].admin [].disabled [].created`,
		"token list --json":   `[].id [].user [].name [].read_only [].created [].expires`,
		"gc --json":           `.blobs .bytes .reviewed .held .postponed .paused`,
		"check --json":        `.problems .blobs .bytes .packages .versions`,
		"stats --json":        `.kinds .users .blobs .blob_bytes .uploads .journal .database .free`,
		"traffic --json":      `.traffic`,
		"audit --json":        `.seq .time .op .actor .note`,
		"config --json":       `.data .listen .public-url .kinds .policies .oci .reserve`,
		"version --json":      `.version .go .os .arch`,
		"backup x.tar --json": `.blobs .bytes .database`,
	} {
		t.Chdir(t.TempDir())
		list := strings.Fields(args)
		if !strings.HasPrefix(args, "version") {
			list = append(list, "--data", data)
		}
		out := must(t, "", list...)
		var doc any
		if err := json.NewDecoder(strings.NewReader(out)).Decode(&doc); err != nil {
			t.Errorf("%s: %v", args, err)
			continue
		}
		for field := range strings.FieldsSeq(want) {
			at := doc
			if rest, ok := strings.CutPrefix(field, "[]"); ok {
				at, field = doc.([]any)[0], rest
			}
			if _, ok := at.(map[string]any)[strings.TrimPrefix(field, ".")]; !ok {
				t.Errorf("%s lacks %s: %s", args, field, out)
			}
		}
	}
}

func TestTokenCreatePrintsOnlyTheToken(t *testing.T) {
	data := newFolder(t)
	out := must(t, "", "token", "create", "ada", "--data", data)
	if !strings.HasSuffix(out, "\n") || !auth.IsToken(strings.TrimSuffix(out, "\n")) {
		t.Errorf("printed %q", out)
	}
	id, _ := auth.TokenID(strings.TrimSpace(out))
	if list := must(t, "", "token", "list", "--data", data); !strings.Contains(list, id) ||
		strings.Contains(list, strings.TrimSpace(out)) {
		t.Errorf("listed as %q", list)
	}
	must(t, "", "token", "revoke", id, "--data", data)
	if list := must(t, "", "token", "list", "--data", data); strings.Contains(list, id) {
		t.Errorf("still listed: %q", list)
	}
}

// TestUsage holds the command lines that are not understood: exit code 2 and one line that says why.
func TestUsage(t *testing.T) {
	t.Chdir(t.TempDir())
	for args, want := range map[string]string{
		"":                                 "needs a command: ",
		"user":                             "larder user needs a command: add, list, passwd, remove",
		"frobnicate":                       `"frobnicate" is not a command of larder`,
		"user frob":                        `"frob" is not a command of larder user`,
		"user add":                         "needs the user's NAME",
		"user add a b":                     `does not take "b"`,
		"user list --frob":                 "unknown flag: --frob",
		"user add ada":                     "no terminal to ask for a password",
		"token create ada --expires soon":  "is not a duration",
		"token create ada --expires 0":     "must be longer than nothing",
		"token create":                     "needs the USER it is for",
		"token revoke":                     "needs the token's ID",
		"gc --grace x":                     "is not a duration",
		"audit --limit 0":                  "--limit must be at least 1",
		"audit --kind deb":                 "not a kind",
		"backup":                           "needs the FILE",
		"backup - --json":                  "without --json",
		"completion":                       "needs a shell",
		"completion powershell":            "choose bash, zsh or fish",
		"version now":                      `does not take "now"`,
		"config --reserve much":            "is not a size",
		"config --anonymous write":         `anonymous is "write"`,
		"config --upstream npm=ftp://r.io": "not an http or https URL",
		"config --config absent.yaml":      "cannot read the configuration",
	} {
		r := run(t, "", strings.Fields(args)...)
		if r.code != exitUsage || r.out != "" || !strings.Contains(r.err, want) || strings.Count(r.err, "\n") != 1 ||
			!strings.HasPrefix(r.err, "larder: ") {
			t.Errorf("larder %s: %+v, want %q", args, r, want)
		}
	}
}

func TestEveryProblemIsOneLine(t *testing.T) {
	r := run(t, "", "config", "--anonymous", "x", "--log", "y", "--listen", "z")
	if r.code != exitUsage || strings.Count(r.err, "larder: ") != 3 || strings.Count(r.err, "\n") != 3 {
		t.Errorf("%+v", r)
	}
}

func TestFoldersThatAreNone(t *testing.T) {
	dir := t.TempDir()
	for _, args := range []string{"user list", "token list", "token create ada", "gc", "check", "stats", "audit",
		"backup x.tar", "user remove ada"} {
		r := run(t, "", append(strings.Fields(args), "--data", filepath.Join(dir, "typo"))...)
		if r.code != exitFailure || !strings.Contains(r.err, "is not a data folder") {
			t.Errorf("%s: %+v", args, r)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "typo")); err == nil {
		t.Error("a folder was made")
	}
	if r := run(t, "password one\n", "user", "add", "bob", "--password-stdin", "--data",
		filepath.Join(dir, "typo")); r.code != exitFailure {
		t.Errorf("a folder began with a user who is no administrator: %+v", r)
	}
}

func TestLockedFolder(t *testing.T) {
	data := newFolder(t)
	storetest.Open(t, data)
	r := run(t, "", "stats", "--data", data)
	if r.code != exitFailure || !strings.Contains(r.err, "another process has the data folder") ||
		!strings.Contains(r.err, "stop that process") {
		t.Errorf("%+v", r)
	}
}

func TestStaleSocket(t *testing.T) {
	data := newFolder(t)
	t.Chdir(data)
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: socketName})
	if err != nil {
		t.Fatal(err)
	}
	ln.SetUnlinkOnClose(false)
	ln.Close()
	if _, err := os.Lstat(socketName); err != nil {
		t.Fatal(err)
	}
	must(t, "", "stats", "--data", data)
	if err := os.Remove(socketName); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(socketName, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	must(t, "", "stats", "--data", data)
}

func TestLongSocketPath(t *testing.T) {
	data := filepath.Join(t.TempDir(), strings.Repeat("long/", 30))
	must(t, "correct horse\n", "user", "add", "ada", "--admin", "--password-stdin", "--data", data)
	startServer(t, data)
	if out := must(t, "", "user", "list", "--data", data); !strings.Contains(out, "ada") {
		t.Errorf("printed %q", out)
	}
}

func TestCheckFindsDamage(t *testing.T) {
	data := newFolder(t)
	s, err := store.Open(data, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	blob := storetest.Put(t, s, "some bytes")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	hex := blob.Digest.Encoded()
	path := filepath.Join(data, "blobs", "sha256", hex[:2], hex)
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("Some bytes"), 0o600); err != nil {
		t.Fatal(err)
	}
	must(t, "", "check", "--data", data)
	for _, args := range [][]string{{"check", "--deep"}, {"check", "--deep", "--json"}} {
		r := run(t, "", append(args, "--data", data)...)
		if r.code != exitFailure || !strings.Contains(r.out, hex) || r.err != "larder: the check found 1 problem\n" {
			t.Errorf("%v: %+v", args, r)
		}
	}
}

func TestBackupAndRestore(t *testing.T) {
	data := newFolder(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "b.tar")
	must(t, "", "backup", file, "--data", data)
	first, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if r := run(t, "", "backup", file, "--data", data); r.code != exitFailure ||
		!strings.Contains(r.err, "exists; choose another name or use --force") {
		t.Errorf("%+v", r)
	}
	must(t, "", "backup", file, "--force", "--data", data)
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v: a backup holds password hashes", info.Mode(), err)
	}
	if out := must(t, "", "backup", "-", "--data", data); len(out) != len(first) {
		t.Errorf("%d bytes on standard output, %d in a file", len(out), len(first))
	}
	left, err := filepath.Glob(filepath.Join(dir, ".*"))
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	for name, args := range map[string][]string{"file": {"restore", file}, "stdin": {"restore", "-"}} {
		copied := filepath.Join(dir, "copy-"+name)
		must(t, string(first), append(args, "--data", copied)...)
		if out := must(t, "", "user", "list", "--data", copied); !strings.Contains(out, "ada") {
			t.Errorf("%s: %q", name, out)
		}
		must(t, "", "check", "--deep", "--data", copied)
		if r := run(t, string(first), append(args, "--data", copied)...); r.code != exitFailure ||
			!strings.Contains(r.err, "is not empty") {
			t.Errorf("%s again: %+v", name, r)
		}
	}
	if r := run(t, string(first[:len(first)/2]), "restore", "-", "--data",
		filepath.Join(dir, "half")); r.code != exitFailure || !strings.Contains(r.err, "cannot restore") {
		t.Errorf("half a backup: %+v", r)
	}
	if r := run(t, "", "restore", filepath.Join(dir, "none.tar"), "--data",
		filepath.Join(dir, "x")); r.code != exitFailure {
		t.Errorf("no backup: %+v", r)
	}
	if r := run(t, "", "backup", filepath.Join(dir, "no", "b.tar"), "--data", data); r.code != exitFailure ||
		!strings.Contains(r.err, "cannot write the backup") {
		t.Errorf("no folder for it: %+v", r)
	}
}

// TestBrokenBackup has a server that breaks off in the middle of the tar: nothing must be left under the name.
func TestBrokenBackup(t *testing.T) {
	data := t.TempDir()
	t.Chdir(data)
	ln, err := net.Listen("unix", socketName)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/stats") {
			fmt.Fprint(w, "{}")
			return
		}
		w.Write(make([]byte, 1<<16))
		panic(http.ErrAbortHandler)
	})}
	go server.Serve(ln)
	defer server.Close()
	r := run(t, "", "backup", "b.tar", "--data", data)
	if r.code != exitFailure || !strings.Contains(r.err, "broke") {
		t.Errorf("%+v", r)
	}
	if left, _ := filepath.Glob("*.tar*"); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	if left, _ := filepath.Glob(".b.tar*"); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestAuditFollow(t *testing.T) {
	data := newFolder(t)
	if r := run(t, "", "audit", "--follow", "--data", data); r.code != exitFailure ||
		!strings.Contains(r.err, "nothing to follow") {
		t.Errorf("closed folder: %+v", r)
	}
	startServer(t, data)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	lines, out := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- Main(ctx, []string{"audit", "--follow", "--json", "--data", data}, strings.NewReader(""), out, io.Discard)
		out.Close()
	}()
	follow := bufio.NewScanner(lines)
	for _, name := range []string{"ada", "bob", "eve"} {
		if name != "ada" { // ada is there already
			must(t, "password two\n", "user", "add", name, "--password-stdin", "--data", data)
		}
		if !follow.Scan() || !strings.Contains(follow.Text(), "user "+name) {
			t.Errorf("after %s was added: %q, %v", name, follow.Text(), follow.Err())
		}
	}
	stop()
	if follow.Scan() {
		t.Errorf("one line too many: %q", follow.Text())
	}
	if c := <-code; c != exitOK {
		t.Errorf("exit %d", c)
	}
}

func TestAuditPages(t *testing.T) {
	data := newFolder(t)
	s, err := store.Open(data, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	err = s.Update(t.Context(), func(tx *store.Tx) error {
		for i := range 2500 {
			tx.Log(store.Entry{Op: store.OpTag, Kind: store.NPM, Package: "p\x1b[31m", Tag: fmt.Sprint(i), Version: "1",
				Bytes: 2048, Note: "n"})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	out := must(t, "", "audit", "--after", "1", "--limit", "2200", "--json", "--data", data)
	if n := strings.Count(out, "\n"); n != 2200 {
		t.Errorf("%d entries", n)
	}
	out = must(t, "", "audit", "--limit", "2000", "--data", data)
	if n := strings.Count(out, "\n"); n != 2001 {
		t.Errorf("%d lines", n)
	}
	if strings.ContainsRune(out, 0x1b) || !strings.HasSuffix(out, "npm p [31m tag 2499 1 2.0 KiB n\n") {
		t.Errorf("printed %q", out[len(out)-200:])
	}
}

func TestInterrupted(t *testing.T) {
	data := newFolder(t)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if r := runContext(ctx, "", "check", "--data", data); r.code != exitFailure || r.err != "larder: interrupted\n" {
		t.Errorf("%+v", r)
	}
	must(t, "", "check", "--data", data)
}

func TestCompletion(t *testing.T) {
	for shell, want := range map[string]string{"bash": "__start_larder", "zsh": "#compdef larder",
		"fish": "complete -c larder"} {
		if out := must(t, "", "completion", shell); !strings.Contains(out, want) {
			t.Errorf("%s lacks %q", shell, want)
		}
	}
	if out := run(t, "", "__complete", "user", ""); !strings.Contains(out.out, "passwd") {
		t.Errorf("completing user: %+v", out)
	}
}

func TestConfigPrintsNoSecret(t *testing.T) {
	t.Setenv("LARDER_ADMIN_PASSWORD", "hunter2")
	t.Setenv("LARDER_RESERVE", "1GB")
	out := must(t, "", "config", "--grace", "2h")
	for _, want := range []string{"reserve: 1GB\n", "grace: 2h\n", "# LARDER_ADMIN_PASSWORD is set and not shown.\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("lacks %q:\n%s", want, out)
		}
	}
	if strings.Contains(out+must(t, "", "config", "--json"), "hunter2") {
		t.Error("the password is printed")
	}
}

func TestConfigDocsPrintsTheReference(t *testing.T) {
	out := must(t, "", "config", "docs")
	for _, want := range []string{"# Settings\n", "\n### `npm.access`\n", "variable `LARDER_NPM_ACCESS`",
		"default: `public`"} {
		if !strings.Contains(out, want) {
			t.Errorf("larder config docs lacks %q:\n%s", want, out)
		}
	}
}

// TestServeHelpShowsEveryFlagOnceBySubject reads the help as it fits a terminal of 80 columns.
func TestServeHelpShowsEveryFlagOnceBySubject(t *testing.T) {
	out := must(t, "", "serve", "--help")
	cmd, _, err := (&app{}).root().Find([]string{"serve"})
	if err != nil {
		t.Fatal(err)
	}
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if n := strings.Count(out, "\n  --"+f.Name+" ") + strings.Count(out, "\n  -h, --"+f.Name+" "); n != 1 {
			t.Errorf("--%s is shown %d times, wanted 1:\n%s", f.Name, n, out)
		}
	})
	for line := range strings.Lines(out) {
		if len([]rune(line)) > 81 {
			t.Errorf("%q is wider than 80 columns", line)
		}
	}
	for _, want := range []string{"\nData and addresses:\n  --data ", "\nUpstreams:\n", "(default 127.0.0.1:8080)\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("the help lacks %q:\n%s", want, out)
		}
	}
}

// TestTree wants a sentence for every command and flag, and nothing hidden.
func TestTree(t *testing.T) {
	a := &app{}
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		if cmd.Short == "" || cmd.Hidden {
			t.Errorf("%s: short %q, hidden %v", cmd.CommandPath(), cmd.Short, cmd.Hidden)
		}
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Usage == "" || f.Hidden {
				t.Errorf("%s --%s: usage %q, hidden %v", cmd.CommandPath(), f.Name, f.Usage, f.Hidden)
			}
		})
		for _, child := range cmd.Commands() {
			walk(child)
		}
	}
	walk(a.root())
	for _, path := range []string{
		"serve", "user add", "user passwd", "user remove", "user list", "token create", "token list", "token revoke",
		"gc", "check", "backup", "restore", "stats", "traffic", "audit", "claim", "claim list", "config", "config docs",
		"version", "completion",
	} {
		cmd, _, err := a.root().Find(strings.Fields(path))
		if err != nil || cmd.CommandPath() != "larder "+path {
			t.Errorf("%s: %v", path, err)
		}
	}
}
