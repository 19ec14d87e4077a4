package e2e

// This file runs what the pages tell their readers to type and to write into files: the texts are taken out of the
// pages as they are shown, and given to the real clients in an empty home.

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/net/html"
)

// snippetSite is the server as its clients reach it.
type snippetSite struct {
	name      string
	url       string // with the prefix, without a slash at its end
	authority string // the file with the certificate of the authority that signed the server's, "" without TLS
	anyone    *http.Client
	reader    *http.Client // with a session of the administrator
}

// shownText is a snippet of a page: commands, or a part of a file.
type shownText struct{ file, text string }

// page is a page's HTML.
func (s *snippetSite) page(t *testing.T, client *http.Client, path string) *html.Node {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/html")
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("GET %s%s: %s, %v\n%s", s.url, path, resp.Status, err, body)
	}
	root, err := html.Parse(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// attribute is a node's attribute, "" if it has none of that name.
func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// find are the elements below n, in their order, that fit.
func find(n *html.Node, fits func(*html.Node) bool) (list []*html.Node) {
	for c := range n.Descendants() {
		if c.Type == html.ElementNode && fits(c) {
			list = append(list, c)
		}
	}
	return list
}

// textOf is the text that a reader sees below n.
func textOf(n *html.Node) string {
	var b strings.Builder
	for c := range n.Descendants() {
		if c.Type == html.TextNode {
			b.WriteString(c.Data)
		}
	}
	return b.String()
}

// shownTexts are the snippets below a node.
func shownTexts(n *html.Node) (list []shownText) {
	for _, s := range find(n, func(c *html.Node) bool { return attribute(c, "class") == "snip" }) {
		one := shownText{}
		for _, c := range find(s, func(c *html.Node) bool { return c.Data == "figcaption" }) {
			one.file, _, _ = strings.Cut(textOf(c), ",") // a note follows the comma
		}
		for _, c := range find(s, func(c *html.Node) bool { return c.Data == "code" }) {
			one.text = textOf(c)
		}
		list = append(list, one)
	}
	return list
}

// install is what a package's page shows for one client.
func (s *snippetSite) install(t *testing.T, who *http.Client, kind, name, client string) []shownText {
	t.Helper()
	root := s.page(t, who, "/ui/"+kind+"/"+name)
	for _, n := range find(root, func(n *html.Node) bool { return attribute(n, "data-for") == kind }) {
		if attribute(n, "data-client") == client {
			return shownTexts(n)
		}
	}
	t.Fatalf("the page of %s %s has nothing for %s", kind, name, client)
	return nil
}

// guideSection is a part of a client's page.
type guideSection struct {
	title string
	texts []shownText
}

// guide is what the page of a client shows.
func (s *snippetSite) guide(t *testing.T, client string) (list []guideSection) {
	t.Helper()
	root := s.page(t, s.anyone, "/ui/setup/"+client)
	for _, n := range find(root, func(n *html.Node) bool { return n.Data == "section" }) {
		titles := find(n, func(c *html.Node) bool { return c.Data == "h2" })
		if len(titles) != 1 {
			t.Fatalf("a section of the page of %s has %d titles", client, len(titles))
		}
		list = append(list, guideSection{textOf(titles[0]), shownTexts(n)})
	}
	return list
}

// texts are those of one section, nil if there is none of that title.
func texts(list []guideSection, title string) []shownText {
	for _, s := range list {
		if s.title == title {
			return s.texts
		}
	}
	return nil
}

// snippetRun is one home in which texts are run.
type snippetRun struct {
	t       *testing.T
	site    *snippetSite
	env     *testscript.Env
	project string
	session *http.Client // that of the pages on which clients have their users log in
	token   string
	words   map[string]string // what the reader fills in
}

// ownSetting is what the person who runs the tests has set for clients and authorities.
var ownSetting = regexp.MustCompile(`^([A-Z_]*CERT|[A-Z_]*CA_|[A-Z]*SSL_|PIP_|UV_|CARGO_|BUNDLE_|GEM_|npm_config_)`)

// newRun makes a home and a project in it, with the files of the client's own.
func newRun(t *testing.T, r *snippetRig, site *snippetSite, c snippetClient) *snippetRun {
	t.Helper()
	// The folder's name is short: some clients make sockets below it.
	dir, err := os.MkdirTemp("", "s")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { removeTree(t, dir) })
	env := &testscript.Env{WorkDir: dir, Vars: slices.DeleteFunc(os.Environ(), ownSetting.MatchString)}
	if err := setupHome(env); err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(dir, "bin")
	env.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	env.Setenv("CONTAINERS_REGISTRIES_CONF", "") // the folders beside it are looked at only without
	env.Setenv("DOCKER_HOST", r.engine)
	env.Setenv("XDG_RUNTIME_DIR", dir)
	env.Setenv("YARN_HTTPS_PROXY", "") // yarn 4 would ask it for the site with TLS too
	env.Setenv("TERM", "dumb")
	u, err := url.Parse(site.url)
	if err != nil {
		t.Fatal(err)
	}
	env.Setenv("AT", u.Host)
	for _, v := range c.env {
		key, value, _ := strings.Cut(v, "=")
		env.Setenv(key, os.Expand(value, env.Getenv))
	}
	run := &snippetRun{t: t, site: site, env: env, project: filepath.Join(dir, "p"), token: r.token, session: site.anyone}
	if err := errors.Join(os.Mkdir(run.project, 0o755), os.Mkdir(bin, 0o755)); err != nil {
		t.Fatal(err)
	}
	for name, of := range c.programs {
		path, err := exec.LookPath(of)
		if err != nil {
			without(t, of, err)
		}
		if err := os.Symlink(path, filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	// Readers who are no superusers type it; the tests write into their home instead.
	run.write("../bin/sudo", "#!/bin/sh\nexec \"$@\"\n")
	for name, text := range c.project {
		run.write(name, os.Expand(text, env.Getenv))
	}
	return run
}

// removeTree removes a folder of which parts may be read-only.
func removeTree(t *testing.T, dir string) {
	if out, err := exec.Command("sh", "-c", `chmod -R u+w "$0"; rm -rf "$0"`, dir).CombinedOutput(); err != nil {
		t.Errorf("remove %s: %v %s", dir, err, out)
	}
}

// path is where a file belongs: below the home, or in the project.
func (r *snippetRun) path(name string) string {
	if rest, ok := strings.CutPrefix(name, "~/"); ok {
		return filepath.Join(r.env.Getenv("HOME"), rest)
	}
	return filepath.Join(r.project, name)
}

// write adds text to a file.
func (r *snippetRun) write(name, text string) {
	r.t.Helper()
	path := r.path(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		r.t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		r.t.Fatal(err)
	}
	_, err = f.WriteString(text)
	if err := errors.Join(err, f.Close()); err != nil {
		r.t.Fatal(err)
	}
}

// place writes a part of a file where a reader would put it: parts of a pom.xml into the element that takes them.
func (r *snippetRun) place(name, text string) {
	r.t.Helper()
	path := r.path(name)
	old, err := os.ReadFile(path)
	for element, into := range map[string]string{
		"<dependency>": "</dependencies>", "<repository>": "</repositories>",
	} {
		if err == nil && strings.HasPrefix(text, element) {
			all := strings.Replace(string(old), into, text+"\n"+into, 1)
			if err := os.WriteFile(path, []byte(all), 0o600); err != nil {
				r.t.Fatal(err)
			}
			return
		}
	}
	r.write(name, text+"\n")
}

var placeholder = regexp.MustCompile(`\b(USER|TOKEN|NAME|GROUP:ARTIFACT:VERSION)\b|/path/to/ca\.pem|/etc/docker`)

// fill is a text as the reader has filled it in.
func (r *snippetRun) fill(text string) string {
	return placeholder.ReplaceAllStringFunc(text, func(word string) string {
		switch word {
		case "USER":
			return "admin"
		case "TOKEN":
			return r.token
		case "/path/to/ca.pem":
			return r.site.authority
		case "/etc/docker":
			return r.path("~/docker") // the machine's own is not the tests' to write
		}
		return r.words[word]
	})
}

// do writes the files of the texts, and runs their commands in one shell, with those before and after.
func (r *snippetRun) do(before string, list []shownText, after string) {
	r.t.Helper()
	script := "set -e\ncd " + r.project + "\n" + before + "\n"
	for _, s := range list {
		if s.file != "" {
			r.place(r.fill(s.file), r.fill(s.text))
		} else {
			script += r.fill(s.text) + "\n"
		}
	}
	script += after + "\n"
	for word, value := range r.words {
		if !strings.Contains(word, ":") {
			r.env.Setenv(word, value)
		}
	}
	cmd := exec.Command("sh", "-c", script)
	cmd.Dir, cmd.Env = r.project, r.env.Vars
	c, err := inTerminal(cmd)
	if err != nil {
		r.t.Fatal(err)
	}
	err = r.converse(c)
	if err != nil {
		files := ""
		for _, s := range list {
			if s.file != "" {
				files += "--- " + s.file + "\n" + r.fill(s.text) + "\n"
			}
		}
		r.t.Errorf("%v\n%s%s\n--- output\n%s", err, files, script, c.text())
	}
}

// typed is what clients ask for, with what a reader types: "TOKEN" and "PASSWORD" stand for those.
var typed = []struct {
	prompt *regexp.Regexp
	answer string
}{
	{regexp.MustCompile(`(?i)please paste the token found on [^\n]*\n`), "TOKEN"},
	{regexp.MustCompile(`(?i)enter your (api token|password): ?$`), "TOKEN"},
	{regexp.MustCompile(`(?i)(user ?name|username/email)( \([^)]*\))?:[ ‣]*$`), "admin"},
	{regexp.MustCompile(`(?i)email( \([^)]*\))?: ?$`), "admin"},
	{regexp.MustCompile(`(?i)password( for [^\n]*)?( \([^)]*\))?:[ ‣]*$`), "PASSWORD"},
	{regexp.MustCompile(`\[y/?N\]:? *$|\[Yn\] *$|\[yn\] *$`), "y"},
	{regexp.MustCompile(`(?i)api key name \[[^\]]*\]: *$|name:? \[[^\]]*\]: *$`), ""},
}

// converse types what a client asks for until it ends.
func (r *snippetRun) converse(c *terminal) error {
	defer c.master.Close()
	said := ""
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		select {
		case err := <-c.exited:
			time.Sleep(50 * time.Millisecond) // read has the rest
			return err
		default:
		}
		text := c.text()
		if text == said || len(text) < c.seen {
			continue
		}
		said = text
		if err := r.answer(c, text[c.seen:]); err != nil {
			return err
		}
	}
	_ = c.cmd.Process.Kill()
	<-c.exited
	return errors.New("the commands do not end")
}

func (r *snippetRun) answer(c *terminal, unread string) error {
	if page := regexp.MustCompile(loginPage.String() + `\s`).FindString(unread); strings.Contains(page, "/-/v1/login/") {
		c.seen = len(c.text())
		return logInOn(r.session, strings.TrimSpace(page), "admin", crashPassword)
	}
	for _, a := range typed {
		if a.prompt.MatchString(unread) {
			c.seen = len(c.text())
			c.enter(strings.NewReplacer("TOKEN", r.token, "PASSWORD", crashPassword).Replace(a.answer) + "\r")
			return nil
		}
	}
	return nil
}

// snippetNginx hands a path on to the server, with TLS, and the path of container registries, which know no other.
const snippetNginx = `daemon off;
master_process off;
pid $DIR/pid;
error_log $DIR/error.log;
events { worker_connections 256; }
http {
  access_log $DIR/access.log;
  client_body_temp_path $DIR/body;
  proxy_temp_path $DIR/proxy;
  fastcgi_temp_path $DIR/fastcgi;
  uwsgi_temp_path $DIR/uwsgi;
  scgi_temp_path $DIR/scgi;
  client_max_body_size 0;
  proxy_http_version 1.1;
  proxy_request_buffering off;
  proxy_set_header Host $$host;
  proxy_set_header X-Forwarded-For $$proxy_add_x_forwarded_for;
  proxy_set_header X-Forwarded-Proto $$scheme;
  proxy_set_header X-Forwarded-Host $$http_host;
  server {
    listen $LISTEN ssl;
    ssl_certificate $DIR/server.pem;
    ssl_certificate_key $DIR/server.key;
    location /v2/ { proxy_pass http://$HOST; }
    location /larder/ {
      proxy_set_header Host $$host;
      proxy_set_header X-Forwarded-For $$proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $$scheme;
      proxy_set_header X-Forwarded-Host $$http_host;
      proxy_set_header X-Forwarded-Prefix /larder;
      rewrite ^ $$request_uri;
      rewrite ^/larder(/.*) $$1 break;
      return 400;
      proxy_pass http://$HOST$$uri;
    }
  }
}
`

// ownAuthority writes the certificate of an authority of our own (ca.pem) and one that it has signed for 127.0.0.1
// (server.pem, server.key) into a folder.
func ownAuthority(dir string) (authority string, pool *x509.CertPool, err error) {
	now := time.Now()
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Example authority"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(0, 1, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	server := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "registry.example.com"},
		NotBefore: ca.NotBefore, NotAfter: ca.NotAfter, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"},
	}
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", nil, err
	}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	if err != nil {
		return "", nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, server, ca, &key.PublicKey, caKey)
	if err != nil {
		return "", nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", nil, err
	}
	for _, f := range []struct {
		name, typ string
		der       []byte
	}{{"ca.pem", "CERTIFICATE", caDER}, {"server.pem", "CERTIFICATE", der}, {"server.key", "PRIVATE KEY", keyDER}} {
		text := pem.EncodeToMemory(&pem.Block{Type: f.typ, Bytes: f.der})
		if err := os.WriteFile(filepath.Join(dir, f.name), text, 0o600); err != nil {
			return "", nil, err
		}
	}
	pool = x509.NewCertPool()
	parsed, err := x509.ParseCertificate(caDER)
	if err != nil {
		return "", nil, err
	}
	pool.AddCert(parsed)
	return filepath.Join(dir, "ca.pem"), pool, nil
}

// newSite opens a site, and a session on it.
func newSite(t *testing.T, name, url, authority string, pool *x509.CertPool) *snippetSite {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	t.Cleanup(transport.CloseIdleConnections)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	s := &snippetSite{
		name: name, url: url, authority: authority,
		anyone: &http.Client{Transport: transport}, reader: &http.Client{Transport: transport, Jar: jar},
	}
	if err := logInOn(s.reader, url+"/-/login", "admin", crashPassword); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestSnippetsRun runs what a package's page shows for each client: at the root without TLS and below a path with TLS
// and an authority of our own, for a package that everybody may read and for a private one.
func TestSnippetsRun(t *testing.T) {
	r := newSnippetRig(t)
	for _, c := range snippetClients {
		if c.guideOnly {
			continue
		}
		for _, site := range r.sites {
			for _, private := range []bool{false, true} {
				name, who := c.public, site.anyone
				if private {
					name, who = c.private, site.reader
				}
				t.Run(fmt.Sprintf("%s/%s/private=%v", c.id, site.name, private), func(t *testing.T) {
					t.Parallel()
					run := newRun(t, r, site, c)
					run.words = wordsOf(name)
					list := site.install(t, who, c.kind, name, c.id)
					if site.authority != "" {
						list = append(slices.Clone(texts(site.guide(t, c.id), ownAuthorityTitle)), list...)
					}
					run.do(c.before, list, c.installed)
				})
			}
		}
	}
}

const ownAuthorityTitle = "A certificate of your own authority"

// TestSetupTextsRun runs every section of every client's page, at the root without TLS and below a path with TLS.
func TestSetupTextsRun(t *testing.T) {
	r := newSnippetRig(t)
	for _, c := range snippetClients {
		for _, site := range r.sites {
			sections := site.guide(t, c.id)
			for _, section := range sections {
				if section.title == ownAuthorityTitle {
					continue // without which none of the others would do below TLS
				}
				use, ok := c.guide[section.title]
				if !ok {
					t.Errorf("%s: nothing here uses the section %q of its page", c.id, section.title)
					continue
				}
				t.Run(c.id+"/"+site.name+"/"+section.title, func(t *testing.T) {
					t.Parallel()
					run := newRun(t, r, site, c)
					run.words = wordsOf(use.name)
					if use.name == "" {
						run.words = wordsOf(r.fresh(run, c.kind))
					}
					list := slices.Concat(texts(sections, ownAuthorityTitle), texts(sections, use.needs), section.texts)
					run.do(c.before+"\n"+use.before, list, use.after)
				})
			}
		}
	}
}
