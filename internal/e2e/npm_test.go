package e2e

// Script commands of the npm stories: terminals that ask questions, login pages, JSON comparison, a reverse proxy.

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

// npmCommands adds the commands of the scripts of npm's clients:
//
//	expand SRC DST                copy a file, $VARS replaced by the script's
//	expect 'PROMPT=ANSWER'… -- COMMAND…
//	                              run a command in a terminal and type what it asks for
//	weblogin USER PASSWORD -- COMMAND…
//	                              run a command in a terminal and log in on the page whose address it prints
//	cmpjson FILE JSON             compare the JSON value of a file, whatever its formatting
//	nginx                         a reverse proxy in front of $HOST; sets $PROXY (host:port)
func npmCommands(
	into map[string]func(*testscript.TestScript, bool, []string),
) map[string]func(*testscript.TestScript, bool, []string) {
	into["expand"] = cmdExpand
	into["expect"] = cmdExpect
	into["weblogin"] = cmdWebLogin
	into["cmpjson"] = cmdCmpJSON
	into["nginx"] = cmdNginx
	return into
}

// npmEnv keeps the clients from the settings of the person who runs the tests, and from every
// network but this machine's own.
func npmEnv(env *testscript.Env) {
	for _, key := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"} {
		env.Setenv(key, "http://127.0.0.1:1") // nothing listens there
	}
	env.Setenv("YARN_HTTPS_PROXY", "http://127.0.0.1:1") // yarn 4 knows the others by this name alone
	env.Setenv("no_proxy", env.Getenv("NO_PROXY"))
	env.Setenv("npm_config_globalconfig", filepath.Join(env.WorkDir, "no-such-npmrc"))
	env.Setenv("npm_config_update_notifier", "false")
	env.Setenv("YARN_ENABLE_TELEMETRY", "0")
	env.Setenv("FAKEROOTKEY", "none") // or yarn 1, run by root, would keep its settings in /usr/local/share
	env.Setenv("CI", "")              // clients behave differently when they believe in one
}

func cmdExpand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: expand SRC DST")
	}
	text := os.Expand(ts.ReadFile(args[0]), ts.Getenv)
	path := ts.MkAbs(args[1])
	ts.Check(os.MkdirAll(filepath.Dir(path), 0o755))
	ts.Check(os.WriteFile(path, []byte(text), 0o600))
}

func cmdCmpJSON(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: cmpjson FILE JSON")
	}
	var have, want any
	ts.Check(json.Unmarshal([]byte(args[1]), &want))
	text := ts.ReadFile(args[0])
	if err := json.Unmarshal([]byte(text), &have); err != nil {
		ts.Fatalf("%s: %v\n%s", args[0], err, text)
	}
	if reflect.DeepEqual(have, want) == neg {
		ts.Fatalf("%s holds\n%s", args[0], text)
	}
}

// cutCommand splits the arguments of expect and weblogin at "--".
func cutCommand(ts *testscript.TestScript, args []string) (before, command []string) {
	for i, a := range args {
		if a == "--" && i+1 < len(args) {
			return args[:i], args[i+1:]
		}
	}
	ts.Fatalf("no command after --")
	return nil, nil
}

func cmdExpect(ts *testscript.TestScript, neg bool, args []string) {
	dialog, command := cutCommand(ts, args)
	c := startTerminal(ts, command)
	for _, line := range dialog {
		prompt, answer, _ := strings.Cut(line, "=")
		if c.await(regexp.MustCompile(prompt)) == nil {
			c.end()
			ts.Fatalf("%s never said %q:\n%s", command[0], prompt, c.text())
		}
		c.enter(answer + "\r")
	}
	c.finish(ts, neg)
}

// loginPage matches an address on this machine in the output of a client.
var loginPage = regexp.MustCompile(`https?://127\.0\.0\.1:[0-9]+/\S*[A-Za-z0-9_=-]`)

func cmdWebLogin(ts *testscript.TestScript, neg bool, args []string) {
	who, command := cutCommand(ts, args)
	c := startTerminal(ts, command)
	page := c.await(regexp.MustCompile(loginPage.String() + `\s`))
	if len(who) != 2 || page == nil {
		c.end()
		ts.Fatalf("%s printed no address of a login page:\n%s", command[0], c.text())
	}
	if err := logInOn(http.DefaultClient, strings.TrimSpace(page[0]), who[0], who[1]); err != nil {
		c.end()
		ts.Fatalf("login page: %v\n%s", err, c.text())
	}
	c.finish(ts, neg)
}

var (
	formTag  = regexp.MustCompile(`(?is)<form\b([^>]*)>(.*?)</form>`)
	inputTag = regexp.MustCompile(`(?is)<input\b([^>]*)>`)
	tagAttr  = regexp.MustCompile(`(?i)\b([a-z-]+)="([^"]*)"`)
)

func attrs(tag string) map[string]string {
	m := map[string]string{}
	for _, a := range tagAttr.FindAllStringSubmatch(tag, -1) {
		m[strings.ToLower(a[1])] = strings.ReplaceAll(a[2], "&amp;", "&")
	}
	return m
}

// logInOn does what a person does with a browser: it fetches the page, fills its form in and submits it, with the
// cookies and the Origin that a browser sends.
func logInOn(client *http.Client, page, user, password string) error {
	base, err := url.Parse(page)
	if err != nil {
		return err
	}
	resp, err := client.Get(page)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil || resp.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s, %v", page, resp.Status, err)
	}
	form := formTag.FindSubmatch(body)
	if form == nil {
		return fmt.Errorf("no form on %s:\n%s", page, body)
	}
	fields := url.Values{}
	for _, tag := range inputTag.FindAllSubmatch(form[2], -1) {
		in := attrs(string(tag[1]))
		switch {
		case in["type"] == "password":
			fields.Set(in["name"], password)
		case in["type"] == "hidden":
			fields.Set(in["name"], in["value"])
		case in["name"] != "" && in["type"] != "submit" && in["type"] != "checkbox":
			fields.Set(in["name"], user)
		}
	}
	target, err := base.Parse(attrs(string(form[1]))["action"])
	if err != nil {
		return err
	}
	return submit(client, target, base, fields, resp.Cookies())
}

func submit(client *http.Client, target, page *url.URL, fields url.Values, cookies []*http.Cookie) error {
	req, err := http.NewRequest("POST", target.String(), strings.NewReader(fields.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", page.Scheme+"://"+page.Host)
	for _, c := range cookies {
		req.AddCookie(c)
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 400 {
		text, _ := io.ReadAll(resp.Body)
		return fmt.Errorf("POST %s: %s\n%s", target, resp.Status, text)
	}
	return nil
}

// terminal is a command that runs in a pseudo-terminal.
type terminal struct {
	cmd    *exec.Cmd
	master *os.File
	exited chan error
	mu     sync.Mutex
	out    bytes.Buffer
	seen   int // await looks on from here
}

var escapes = regexp.MustCompile("\x1b(\\[[0-9;?]*[A-Za-z]|\\][^\x07\x1b]*(\x07|\x1b\\\\)|[=>78])")

func startTerminal(ts *testscript.TestScript, command []string) *terminal {
	path, err := exec.LookPath(command[0])
	ts.Check(err)
	cmd := exec.Command(path, command[1:]...)
	cmd.Dir, cmd.Env = ts.MkAbs("."), scriptEnviron(ts)
	c, err := inTerminal(cmd)
	ts.Check(err)
	return c
}

// inTerminal starts a command in a terminal.
func inTerminal(cmd *exec.Cmd) (*terminal, error) {
	master, slave, err := openTerminal()
	if err != nil {
		return nil, err
	}
	defer slave.Close()
	c := &terminal{cmd: cmd, master: master, exited: make(chan error, 1)}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(err, master.Close())
	}
	go c.read()
	go func() { c.exited <- cmd.Wait() }()
	return c, nil
}

// scriptEnviron returns the script's environment, for which it has to run a command.
func scriptEnviron(ts *testscript.TestScript) []string {
	ts.Check(ts.Exec("sh", "-c", "env -0 >"+ts.MkAbs("environ")))
	return append(strings.Split(strings.TrimRight(ts.ReadFile("environ"), "\x00"), "\x00"), "TERM=xterm")
}

// openTerminal does what posix_openpt, grantpt and unlockpt do.
func openTerminal() (master, slave *os.File, err error) {
	master, err = os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, err
	}
	if err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		return nil, nil, err
	}
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		return nil, nil, err
	}
	_ = unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 50, Col: 250})
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	return master, slave, err
}

func (c *terminal) read() {
	buf := make([]byte, 4096)
	for {
		n, err := c.master.Read(buf)
		c.mu.Lock()
		c.out.Write(buf[:n])
		c.mu.Unlock()
		if err != nil {
			return // the last holder of the other side is gone
		}
	}
}

// text returns the output so far without colours and cursor movements.
func (c *terminal) text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.ReplaceAll(escapes.ReplaceAllString(c.out.String(), ""), "\r", "")
}

// await waits for the next match of a pattern in the output. It returns nil after a minute without one.
func (c *terminal) await(pattern *regexp.Regexp) []string {
	for deadline := time.Now().Add(60 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		text := c.text()
		if at := pattern.FindStringIndex(text[min(c.seen, len(text)):]); at != nil {
			found := text[c.seen+at[0] : c.seen+at[1]]
			c.seen += at[1]
			return []string{found}
		}
	}
	return nil
}

func (c *terminal) enter(keys string) {
	time.Sleep(100 * time.Millisecond) // clients drop what arrives before they listen
	_, _ = io.WriteString(c.master, keys)
}

func (c *terminal) end() {
	_ = c.cmd.Process.Kill()
	<-c.exited
	_ = c.master.Close()
}

// finish waits for the end of the command and prints its output.
func (c *terminal) finish(ts *testscript.TestScript, neg bool) {
	select {
	case err := <-c.exited:
		time.Sleep(50 * time.Millisecond) // read has the rest
		_ = c.master.Close()
		fmt.Fprint(ts.Stdout(), c.text())
		if (err != nil) != neg {
			ts.Fatalf("%s: %v\n%s", c.cmd.Path, err, c.text())
		}
	case <-time.After(120 * time.Second):
		c.end()
		ts.Fatalf("%s does not end:\n%s", c.cmd.Path, c.text())
	}
}

// nginxConfig has the two common ways to strip a prefix: a short one that decodes escapes, and one that passes them on
// unchanged.
const nginxConfig = `daemon off;
master_process off;
pid $DIR/pid;
error_log $DIR/error.log;
events { worker_connections 64; }
http {
  access_log $DIR/access.log;
  client_body_temp_path $DIR/body;
  proxy_temp_path $DIR/proxy;
  fastcgi_temp_path $DIR/fastcgi;
  uwsgi_temp_path $DIR/uwsgi;
  scgi_temp_path $DIR/scgi;
  client_max_body_size 0;
  server {
    listen $LISTEN;
    proxy_http_version 1.1;
    proxy_request_buffering off;
    location /short/ {
      proxy_set_header Host $$host;
      proxy_set_header X-Forwarded-For $$proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $$scheme;
      proxy_set_header X-Forwarded-Host $$http_host;
      proxy_set_header X-Forwarded-Prefix /short;
      proxy_pass http://$HOST/;
    }
    location /exact/ {
      proxy_set_header Host $$host;
      proxy_set_header X-Forwarded-For $$proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $$scheme;
      proxy_set_header X-Forwarded-Host $$http_host;
      proxy_set_header X-Forwarded-Prefix /exact;
      rewrite ^ $$request_uri;
      rewrite ^/exact(/.*) $$1 break;
      return 400;
      proxy_pass http://$HOST$$uri;
    }
  }
}
`

func cmdNginx(ts *testscript.TestScript, neg bool, args []string) {
	listen, stop, err := startNginx(ts.MkAbs("nginx"), nginxConfig, ts.Getenv("HOST"))
	ts.Check(err)
	ts.Defer(stop)
	ts.Setenv("PROXY", listen)
}

// startNginx starts nginx with a configuration in which $DIR is the folder dir, $LISTEN its address, and $HOST that of
// the server behind it. Whoever starts it calls stop.
func startNginx(dir, config, host string) (listen string, stop func(), err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	listen = l.Addr().String()
	if err := l.Close(); err != nil {
		return "", nil, err
	}
	vars := map[string]string{"DIR": dir, "LISTEN": listen, "HOST": host, "$": "$"}
	path := filepath.Join(dir, "nginx.conf")
	text := os.Expand(config, func(k string) string { return vars[k] })
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return "", nil, err
	}
	said := &bytes.Buffer{}
	cmd := exec.Command("nginx", "-p", dir, "-c", path, "-e", filepath.Join(dir, "error.log"))
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	stop = func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if conn, err := net.Dial("tcp", listen); err == nil {
			return listen, stop, conn.Close()
		}
	}
	stop()
	return "", nil, fmt.Errorf("nginx did not start:\n%s", said)
}
