package e2e

// The script commands for the server: it is started, stopped, killed and asked over HTTP.

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// scriptCommands returns the commands that scripts have beside those of testscript:
//
//	start [-n NAME] [FLAGS…]      larder serve in the background; sets $URL, $HOST, $DATA (NAME_URL… for a named one)
//	restart [-9] [-n NAME] [FLAGS…]  stop (or kill -9) it and start it again on the same address
//	halt [-n NAME]                send SIGTERM; it must exit with 0 (testscript's own stop ends the script)
//	token VAR USER [FLAGS…]       larder token create; sets $VAR to the token
//	req METHOD PATH [-u U:P] [-t TOKEN] [-H 'K: V']… [-d TEXT|@FILE] [-o FILE]
//	                              body on stdout, "HTTP status" and headers on stderr
//	random FILE SIZE [SEED]       write a file of reproducible noise
//	digest VAR FILE               set $VAR to sha256:… of a file
//	capture VAR                   set $VAR to the trimmed output of the last command
//	layer FILE PACKAGE…           write a tar of the files of installed Debian packages
//	await FILE REGEXP             wait until a line of the file matches, at most 30 s
//	engine                        start a Docker engine of the script's own
//	gate NAME|hold|shut|held|cut|open  a proxy for another server that can be stopped; sets $GATE
//
// $LOG is the server's log.
func scriptCommands() map[string]func(*testscript.TestScript, bool, []string) {
	return npmCommands(map[string]func(*testscript.TestScript, bool, []string){
		"start":   cmdStart,
		"restart": cmdRestart,
		"halt":    cmdHalt,
		"token":   cmdToken,
		"req":     cmdReq,
		"random":  cmdRandom,
		"digest":  cmdDigest,
		"capture": cmdCapture,
		"layer":   cmdLayer,
		"engine":  cmdEngine,
		"await":   cmdAwait,
		"gate":    cmdGate,
	})
}

type stateKey struct{}

// scriptState has the servers that a script has started.
type scriptState struct {
	env     *testscript.Env
	mu      sync.Mutex
	servers map[string]*scriptServer
	gate    *gate
}

type scriptServer struct {
	cmd    *exec.Cmd
	addr   string
	exited chan error
}

func state(ts *testscript.TestScript) *scriptState {
	return ts.Value(stateKey{}).(*scriptState)
}

func (s *scriptState) stopAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, server := range s.servers {
		_ = server.cmd.Process.Kill()
		<-server.exited
	}
}

// named removes a leading -n NAME from the arguments.
func named(args []string) (string, []string) {
	if len(args) >= 2 && args[0] == "-n" {
		return args[1], args[2:]
	}
	return "", args
}

func cmdStart(ts *testscript.TestScript, neg bool, args []string) {
	name, flags := named(args)
	startServer(ts, name, "127.0.0.1:0", flags)
}

func startServer(ts *testscript.TestScript, name, listen string, flags []string) {
	data := ts.MkAbs(name + "data")
	addrFile := ts.MkAbs(name + "addr")
	logFile := ts.MkAbs(name + "log")
	_ = os.Remove(addrFile)
	log, err := os.OpenFile(logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	ts.Check(err)
	defer log.Close()
	args := append([]string{"serve", "--data", data, "--listen", listen, "--addr-file", addrFile}, flags...)
	cmd := exec.Command("larder", args...)
	cmd.Path, err = exec.LookPath("larder")
	ts.Check(err)
	cmd.Env = append(os.Environ(), "HOME="+ts.Getenv("HOME"), "LARDER_ADMIN_PASSWORD="+ts.Getenv("LARDER_ADMIN_PASSWORD"))
	if limit := ts.Getenv("GOMEMLIMIT"); limit != "" {
		cmd.Env = append(cmd.Env, "GOMEMLIMIT="+limit)
	}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Dir = ts.MkAbs(".")
	ts.Check(cmd.Start())
	server := &scriptServer{cmd: cmd, exited: make(chan error, 1)}
	go func() { server.exited <- cmd.Wait() }()
	s := state(ts)
	s.mu.Lock()
	s.servers[name] = server
	s.mu.Unlock()
	server.addr = awaitAddr(ts, server, addrFile, logFile)
	prefix := ""
	if name != "" {
		prefix = name + "_"
	}
	ts.Setenv(prefix+"HOST", server.addr)
	ts.Setenv(prefix+"URL", "http://"+server.addr)
	ts.Setenv(prefix+"DATA", data)
	ts.Setenv(prefix+"LOG", logFile)
}

// awaitAddr waits until the server has written its address.
func awaitAddr(ts *testscript.TestScript, server *scriptServer, addrFile, logFile string) string {
	deadline := time.Now().Add(30 * time.Second)
	for time.Now().Before(deadline) {
		if addr, err := os.ReadFile(addrFile); err == nil && len(addr) > 0 {
			return strings.TrimSpace(string(addr))
		}
		select {
		case err := <-server.exited:
			server.exited <- err
			log, _ := os.ReadFile(logFile)
			ts.Fatalf("larder serve ended before it was ready: %v\n%s", err, log)
		case <-time.After(5 * time.Millisecond):
		}
	}
	ts.Fatalf("larder serve was not ready after 30 s")
	return ""
}

func cmdRestart(ts *testscript.TestScript, neg bool, args []string) {
	hard := len(args) > 0 && args[0] == "-9"
	if hard {
		args = args[1:]
	}
	name, flags := named(args)
	addr := endServer(ts, name, hard)
	startServer(ts, name, addr, flags)
}

func cmdHalt(ts *testscript.TestScript, neg bool, args []string) {
	name, _ := named(args)
	endServer(ts, name, false)
}

// endServer ends a server and returns its address.
func endServer(ts *testscript.TestScript, name string, hard bool) string {
	s := state(ts)
	s.mu.Lock()
	server := s.servers[name]
	delete(s.servers, name)
	s.mu.Unlock()
	if server == nil {
		ts.Fatalf("no server %q is running", name)
	}
	sig := syscall.SIGTERM
	if hard {
		sig = syscall.SIGKILL
	}
	ts.Check(server.cmd.Process.Signal(sig))
	if err := <-server.exited; err != nil && !hard {
		ts.Fatalf("larder serve did not stop cleanly: %v", err)
	}
	return server.addr
}

func cmdToken(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: token VAR USER [flags]")
	}
	var out, errs bytes.Buffer
	cmd := exec.Command("larder", append([]string{"token", "create", "--data", ts.Getenv("DATA")}, args[1:]...)...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		ts.Fatalf("token create: %v\n%s", err, errs.String())
	}
	ts.Setenv(args[0], strings.TrimSpace(out.String()))
}

// reqFlags are the options of the req command.
type reqFlags struct {
	user, token, data, out string
	headers                []string
}

func parseReq(ts *testscript.TestScript, args []string) (method, url string, f reqFlags) {
	if len(args) < 2 {
		ts.Fatalf("usage: req METHOD PATH [flags]")
	}
	set := flag.NewFlagSet("req", flag.ContinueOnError)
	set.StringVar(&f.user, "u", "", "user:password")
	set.StringVar(&f.token, "t", "", "bearer token")
	set.StringVar(&f.data, "d", "", "body, or @file")
	set.StringVar(&f.out, "o", "", "file for the body")
	set.Func("H", "header", func(v string) error { f.headers = append(f.headers, v); return nil })
	ts.Check(set.Parse(args[2:]))
	url = args[1]
	if !strings.HasPrefix(url, "http") {
		url = ts.Getenv("URL") + url
	}
	return args[0], url, f
}

func cmdReq(ts *testscript.TestScript, neg bool, args []string) {
	method, url, f := parseReq(ts, args)
	var body io.Reader
	if name, ok := strings.CutPrefix(f.data, "@"); ok {
		file, err := os.Open(ts.MkAbs(name))
		ts.Check(err)
		defer file.Close()
		body = file
	} else if f.data != "" {
		body = strings.NewReader(f.data)
	}
	req, err := http.NewRequest(method, url, body)
	ts.Check(err)
	for _, h := range f.headers {
		key, value, _ := strings.Cut(h, ":")
		req.Header.Set(key, strings.TrimSpace(value))
	}
	if user, pass, ok := strings.Cut(f.user, ":"); ok {
		req.SetBasicAuth(user, pass)
	}
	if f.token != "" {
		req.Header.Set("Authorization", "Bearer "+f.token)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	ts.Check(err)
	defer resp.Body.Close()
	writeResponse(ts, resp, f.out)
	if (resp.StatusCode >= 400) != neg {
		ts.Fatalf("%s %s answered %s", method, url, resp.Status)
	}
}

func writeResponse(ts *testscript.TestScript, resp *http.Response, out string) {
	errs := ts.Stderr()
	fmt.Fprintf(errs, "HTTP %d\n", resp.StatusCode)
	keys := make([]string, 0, len(resp.Header))
	for k := range resp.Header {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		for _, v := range resp.Header[k] {
			fmt.Fprintf(errs, "%s: %s\n", k, v)
		}
	}
	w := ts.Stdout()
	if out != "" {
		file, err := os.Create(ts.MkAbs(out))
		ts.Check(err)
		defer file.Close()
		w = file
	}
	_, err := io.Copy(w, resp.Body)
	ts.Check(err)
}

func cmdRandom(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: random FILE SIZE [SEED]")
	}
	size, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	var seed [32]byte
	copy(seed[:], strings.Join(args[2:], " "))
	path := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(filepath.Dir(path), 0o755))
	file, err := os.Create(path)
	ts.Check(err)
	_, err = io.CopyN(file, rand.NewChaCha8(seed), size)
	ts.Check(err)
	ts.Check(file.Close())
}

func cmdDigest(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: digest VAR FILE")
	}
	sum := sha256.Sum256([]byte(ts.ReadFile(args[1])))
	ts.Setenv(args[0], "sha256:"+hex.EncodeToString(sum[:]))
}

func cmdAwait(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: await FILE REGEXP")
	}
	pattern := regexp.MustCompile(args[1])
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if text, err := os.ReadFile(ts.MkAbs(args[0])); err == nil && pattern.Match(text) {
			return
		}
	}
	ts.Fatalf("%s has no line like %s after 30 s", args[0], args[1])
}

func cmdCapture(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: capture VAR")
	}
	ts.Setenv(args[0], strings.TrimSpace(ts.ReadFile("stdout")))
}
