package maven

// Who may do what: every operation against every right, challenges, and what never counts as a credential.

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"larder/auth"
	"larder/internal/wire"
	"larder/internal/wiretest"
	"larder/maven/names"
)

// prepare deploys what the requests of the matrix are about.
func (g *rig) prepare(name string) {
	g.T.Helper()
	g.deploy(name + ":1.0")
	g.build(name+":2-SNAPSHOT", "20261121.093001-1", contents{".jar": "snapshot of " + name, ".pom": "pom of " + name})
	g.upload(name+":3.0", usual(name+":3.0"))
	for actor, n := range deleters {
		g.Want(g.Ada("PUT", fmt.Sprintf("/%s%d/x", names.Dir(name, ""), n), actor), 201, "")
	}
}

// deleters are who may delete, and a version for each.
var deleters = map[string]int{"ada": 10, "root": 11, "deleter": 12}

// layouts are the directories of artifacts, Maven's and those of an Ivy layout in which the same files are.
var layouts = map[string]func(name string) string{
	"Maven": func(name string) string { return "/" + names.Dir(name, "") },
	"Ivy":   func(name string) string { return "/" + strings.ReplaceAll(name, ":", "/") + "/" },
}

// cases has a request for each operation on an artifact of its own. Metadata is at Maven's paths only.
func (g *rig) cases(name, actor, dir string) map[string]wiretest.Case {
	_, artifact := names.SplitName(name)
	maven := layouts["Maven"](name)
	meta := "<metadata><versioning><versions><version>3.0</version></versions></versioning></metadata>"
	file := dir + "1.0/" + artifact + "-1.0"
	return map[string]wiretest.Case{
		"maven.file": {Method: "GET", Path: file + ".jar", Status: 200},
		"maven.sum":  {Method: "GET", Path: file + ".jar.sha1", Status: 200},
		"maven.put":  {Method: "PUT", Path: file + "-new.jar", Body: "new", Status: 201},
		"maven.sum.put": {
			Method: "PUT", Path: file + ".jar.sha1", Body: sumsText("jar of " + name + ":1.0")["sha1"], Status: 201,
		},
		"maven.delete":   {Method: "DELETE", Path: file + ".jar", Status: 204},
		"maven.snapshot": {Method: "GET", Path: maven + "2-SNAPSHOT/" + metadataFile, Status: 200},
		"maven.snapshot.put": {
			Method: "PUT", Path: maven + "2-SNAPSHOT/" + metadataFile, Body: "<metadata/>", Status: 201,
		},
		"maven.metadata":         {Method: "GET", Path: maven + metadataFile, Status: 200},
		"maven.metadata.put":     {Method: "PUT", Path: maven + metadataFile, Body: meta, Status: 201},
		"maven.directory":        {Method: "GET", Path: dir + "1.0/", Status: 200},
		"maven.commit":           {Method: "POST", Path: dir + "3.0/", Status: 201},
		"maven.directory.delete": {Method: "DELETE", Path: fmt.Sprintf("%s%d/", dir, deleters[actor]), Status: 204},
		"maven.prefixes":         {Method: "GET", Path: "/.meta/prefixes.txt", Status: 200, Whole: true},
		"maven.archetypes":       {Method: "GET", Path: "/archetype-catalog.xml", Status: 200, Whole: true},
		"maven.search":           {Method: "GET", Path: "/solrsearch/select?q=x", Status: 200, Whole: true},
	}
}

// needs are the rights of operations that decide by themselves: what they are about is known only from content or
// records.
var needs = map[string]string{
	"maven.metadata": "r", "maven.directory": "r", "maven.metadata.put": "c", "maven.commit": "c",
	"maven.directory.delete": "d",
}

// TestEveryRightOfEveryOperation (GHSA-vvc3): every operation of the table against every right, on artifacts everybody
// reads and private ones. Clients without credentials are asked for them, even for what is hidden: they send none
// before.
func TestEveryRightOfEveryOperation(t *testing.T) {
	for layout, dir := range layouts {
		t.Run(layout, func(t *testing.T) { everyRight(t, dir) })
	}
}

func everyRight(t *testing.T, dir func(name string) string) {
	g := newRig(t, func(o *rigOptions) { o.Record, o.Auth.Private = true, []string{"maven:artifact:com.secret:*"} })
	seenPrivate := false
	wiretest.Matrix[Request]{
		Routes: (&server{}).routes(), Scope: "maven:artifact",
		Name: func(private bool, n int) string {
			seenPrivate = seenPrivate || private
			return fmt.Sprintf(map[bool]string{false: "com.acme:pkg%d", true: "com.secret:pkg%d"}[private], n)
		},
		Prepare: func(w *wiretest.Rig, name string) { (&rig{w, g.s, g.clock}).prepare(name) },
		// A path may be an artifact's or that of a group, whose plugins are filtered one by one.
		Listings: []string{"maven.metadata"},
		Creating: []string{"maven.metadata.put", "maven.commit"},
		Spellings: func(name string) []string {
			group, artifact := names.SplitName(name)
			return []string{name, names.Dir(name, ""), dir(name), group + "." + artifact, artifact}
		},
		Cases: func(w *wiretest.Rig, name, actor string) map[string]wiretest.Case {
			return (&rig{w, g.s, g.clock}).cases(name, actor, dir(name))
		},
		Want: func(q wiretest.Question, status int) int {
			nobody, reads := q.Actor == "", !q.Private || q.Can != ""
			writing := q.Need.Kind() > wire.Read || slices.Contains(
				[]string{"maven.metadata.put", "maven.commit", "maven.directory.delete"}, q.Op,
			)
			switch letter := needs[q.Op]; {
			case q.Op == "maven.prefixes" && seenPrivate && q.Can == "":
				return 404
			case q.Op == "maven.directory" && !reads:
				return 404
			case letter != "" && (strings.Contains(q.Can, letter) || letter == "r" && reads):
				return status
			case letter == "" && q.May:
				return status
			case nobody:
				return 401
			case writing:
				return 403
			}
			return 404
		},
	}.Run(g.Rig)
}

// TestReadOnlyTokenChangesNothing: a read-only token changes nothing, whatever its user may.
func TestReadOnlyTokenChangesNothing(t *testing.T) {
	g := newRig(t)
	g.prepare("com.acme:lib")
	g.Key("reader", auth.TokenSpec{User: "ada", ReadOnly: true})
	before := g.Journal()
	for layout, dir := range layouts {
		for op, c := range g.cases("com.acme:lib", "ada", dir("com.acme:lib")) {
			if c.Method != "GET" {
				if a := g.Do(c.Method, c.Path, c.Body, g.As("reader")); a.Status != 403 {
					t.Errorf("%s, layout %s: %v", op, layout, a)
				}
			}
		}
	}
	for _, path := range []string{lib + metadataFile + ".sha1", "/com/acme/" + metadataFile + ".sha1"} {
		g.Want(g.Do("PUT", path, strings.Repeat("0", 40), g.As("reader")), 403, "")
	}
	if g.Journal() != before {
		t.Error("something has changed")
	}
}

// TestHeadersAreNoCredentials (CVE-2019-9733): nobody is somebody because a header says where from or for whom a
// request comes, and credentials in a cookie, which browsers send unasked, are none (CVE-2010-3449, CVE-2016-4469).
func TestHeadersAreNoCredentials(t *testing.T) {
	g := newRig(t, func(o *rigOptions) { o.Auth.Private = []string{"maven:artifact:com.secret:*"} })
	g.deploy("com.secret:lib:1.0")
	before := g.Journal()
	for name, value := range map[string]string{
		"X-Forwarded-For": "127.0.0.1", "X-Real-Ip": "127.0.0.1", "Forwarded": "for=127.0.0.1", "X-Forwarded-User": "ada",
		"Remote-User": "ada", "X-Remote-User": "ada",
		"Cookie":              strings.ReplaceAll("session=KEY; token=KEY; Authorization=Bearer KEY", "KEY", g.Keys["ada"]),
		"Proxy-Authorization": "Bearer " + g.Keys["ada"],
	} {
		o := wiretest.Header(name, value)
		g.Want(g.Do("GET", "/com/secret/lib/1.0/lib-1.0.jar", nil, o), 401, "")
		g.Want(g.Do("PUT", lib+"1.0/lib-1.0.jar", "x", o), 401, "")
		g.Want(g.Do("DELETE", "/com/secret/lib/1.0/", nil, o), 401, "")
	}
	if g.Journal() != before {
		t.Error("something has changed")
	}
}

// TestTokenThatOnlyWritesCanDeploy: a token that may only write deploys where everybody reads, and one that may
// also read where not everybody does: the metadata is asked for when all files have been sent, and a refusal then would
// end the deploy.
func TestTokenThatOnlyWritesCanDeploy(t *testing.T) {
	g := newRig(t, func(o *rigOptions) { o.Auth.Private = []string{"maven:artifact:com.secret:*"} })
	for actor, c := range map[string]struct{ name, scope string }{
		"writer": {"com.acme:lib", "maven:artifact:com.acme:*:write"},
		"both":   {"com.secret:lib", "maven:artifact:com.secret:*:read,write"},
	} {
		g.Scoped(actor, "ada", c.scope)
		for _, version := range []string{"1.0", "1.1"} {
			g.upload(c.name+":"+version, usual(c.name+":"+version), g.As(actor))
			g.Want(
				g.Do("GET", "/"+names.Dir(c.name, "")+metadataFile, nil, g.As(actor)),
				map[string]int{"1.0": 404, "1.1": 200}[version], "",
			)
			g.Want(g.announce(c.name+":"+version, g.As(actor)), 201, "")
		}
		if got := g.versions(c.name, g.As(actor)); len(got) != 2 {
			t.Errorf("%s: %q", actor, got)
		}
	}
}

// TestTokenOfOneGroupReachesNoOther: a deploy token of one group reaches no other, nor one that only begins alike.
func TestTokenOfOneGroupReachesNoOther(t *testing.T) {
	g := newRig(t)
	g.Scoped("ci", "ada", "maven:artifact:com.acme:*:read,write", "maven:artifact:com.acme.*:read,write")
	for _, path := range []string{
		"/com/evil/lib/1.0/lib-1.0.jar", "/com/acmeevil/lib/1.0/lib-1.0.jar", "/com/acme-x/lib/1.0/lib-1.0.jar",
		"/org/com/acme/lib/1.0/lib-1.0.jar", "/com/lib/1.0/lib-1.0.jar",
		"/com.evil/lib/1.0/jars/lib.jar", "/com.acmeevil/lib/1.0/lib-1.0.jar", "/com/acmeevil/lib/1.0/jars/lib.jar",
		"/com/acme/1.0/jars/lib.jar", "/com.evil/acme/com.acme/lib/1.0/jars/lib.jar",
	} {
		g.Want(g.Do("PUT", path, "x", g.As("ci")), 403, "")
	}
	g.Keys["ada"] = g.Keys["ci"]
	g.deploy("com.acme:lib:1.0")
	g.deploy("com.acme.tools:x:1.0")
	// The path of its group's plugins is that of an artifact it may not write; what is in the document decides.
	doc := func(artifact string) string {
		return "<metadata><plugins><plugin><prefix>x</prefix><artifactId>" + artifact +
			"</artifactId></plugin></plugins></metadata>"
	}
	g.Want(g.Ada("PUT", "/com/acme/"+metadataFile+".sha1", "00"), 403, "")
	g.put("/com/acme/"+metadataFile, doc("x-maven-plugin"))
	g.Want(g.Ada("PUT", "/com/evil/"+metadataFile, doc("x-maven-plugin")), 403, "")
	g.Want(
		g.Ada(
			"PUT", "/com/acme/"+metadataFile,
			"<metadata><versioning><versions><version>1</version></versions></versioning></metadata>",
		),
		403, "",
	)
	g.Want(g.Do("PUT", "/com/acme/"+metadataFile, doc("x")), 401, "")
}

// TestClientsWithoutCredentialsAreAskedForThem: whoever sends no credentials is asked for them wherever they might
// help, and never told that something is absent instead; the answer is the same whether it is there or not.
func TestClientsWithoutCredentialsAreAskedForThem(t *testing.T) {
	g := newRig(
		t, func(o *rigOptions) { o.Auth.Private = []string{"maven:artifact:com.secret:*"} },
		withMaven(func(o *Options) { o.Realm = "Sonatype Nexus Repository Manager" }),
	)
	g.deploy("com.secret:lib:1.0")
	g.build("com.secret:lib:2-SNAPSHOT", "20261121.093001-1", contents{".jar": "x"})
	for _, path := range []string{
		"1.0/lib-1.0.jar", "1.0/lib-1.0.jar.sha1", metadataFile, metadataFile + ".sha1", "2-SNAPSHOT/" + metadataFile,
		"1.0/absent.jar", "9.9/lib-9.9.pom",
	} {
		var first string
		for _, name := range []string{"/com/secret/lib/", "/com/secret/nothing/"} {
			a := g.Want(g.Do("GET", name+path, nil), 401, "needs a login or a token")
			a.WantHeader(t, "WWW-Authenticate", `Basic realm="Sonatype Nexus Repository Manager"`)
			if body := strings.ReplaceAll(a.Body, name, ""); first != "" && body != first {
				t.Errorf("%s tells what is there: %s", path, body)
			} else {
				first = body
			}
			if h := g.Do("HEAD", name+path, nil); h.Status != 401 || h.Header.Get("WWW-Authenticate") == "" {
				t.Errorf("HEAD %s: %v", path, h)
			}
		}
		g.Want(g.Do("GET", "/com/secret/lib/"+path, nil, wiretest.Basic("ada", "wrong")), 401, "password is wrong")
		if a := g.Do("GET", "/com/secret/lib/"+path, nil, wiretest.Basic("ada", "secret")); a.Status != 200 &&
			!strings.Contains(path, "absent") && !strings.Contains(path, "9.9") {
			t.Errorf("%s: %v", path, a)
		}
	}
	// The three ways a token is sent.
	for _, o := range []option{
		wiretest.Basic("anybody", g.Keys["ada"]), wiretest.Basic(g.Keys["ada"], ""), wiretest.Bearer(g.Keys["ada"]),
	} {
		g.Want(g.Do("GET", "/com/secret/lib/"+metadataFile, nil, o), 200, "")
	}
	// Of a group's plugins only those are shown that may be read.
	for _, name := range []string{"com.mixed:hello-maven-plugin", "com.mixed:open-maven-plugin"} {
		_, artifact := names.SplitName(name)
		xml := strings.NewReplacer("com.acme", "com.mixed", "hello-maven-plugin", artifact).Replace(pluginXML)
		g.deploy(name+":1", contents{".jar": jar(map[string]string{"META-INF/maven/plugin.xml": xml})})
	}
	h := newServer(g.Deps, Options{})
	h.Auth = hiding{g.Auth, "com.mixed:hello-maven-plugin"}
	d := g.Deps
	d.Auth = h.Auth
	srv := &http.Server{Handler: h.endpoint().Handler(d)}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = srv.Serve(l) }()
	defer srv.Close()
	got := g.metadata(g.Want(g.Do("GET", "http://"+l.Addr().String()+root+"/com/mixed/"+metadataFile, nil), 200, "").Body)
	wiretest.EqualList(t, "the plugins of com.mixed that may be read", got.plugins(), "open-maven-plugin")
}

// TestAnonymousNone: with reading closed everything asks for credentials.
func TestAnonymousNone(t *testing.T) {
	g := newRig(t, func(o *rigOptions) { o.Auth.Anonymous = "none" })
	archetype := contents{".jar": jar(map[string]string{"META-INF/maven/archetype.xml": "<x/>"})}
	for _, s := range []string{"1.0"} {
		g.upload("com.acme:lib:"+s, usual("com.acme:lib:"+s))
		g.put(lib+"1.0/lib-1.0-x.jar", archetype[".jar"])
		g.Want(g.announce("com.acme:lib:"+s), 201, "")
	}
	for _, path := range []string{
		"/", "/com/", lib, lib + "1.0/", lib + "1.0", lib + "1.0/lib-1.0.jar", lib + metadataFile, "/absent/lib/1/x.jar",
		"/absent/", "/.meta/prefixes.txt", "/archetype-catalog.xml", "/solrsearch/select?q=lib",
	} {
		g.Want(g.Do("GET", path, nil), 401, "")
		if a := g.Ada("GET", path, nil); a.Status != 200 && a.Status != 301 && !strings.Contains(path, "absent") {
			t.Errorf("%s for a user: %v", path, a)
		}
	}
}

// TestGoldenErrors: bodies and challenges of every sentinel, as a golden file.
func TestGoldenErrors(t *testing.T) {
	g := newRig(
		t, func(o *rigOptions) { o.Auth.Private = []string{"maven:artifact:com.secret:*"} },
		withMaven(func(o *Options) { o.Versions, o.MaxFile = ReleasesOnly, 100_000 }),
	)
	g.deploy("com.acme:lib:1.0")
	g.Scoped("reader", "ada", "maven:artifact:*:read")
	g.Scoped("other", "ada", "npm:package:*:read")
	ada := []option{g.As("ada")}
	var out strings.Builder
	for _, c := range []struct {
		what, method, path, body string
		opts                     []option
	}{
		{"no credentials", "PUT", lib + "2.0/lib-2.0.jar", "x", nil},
		{"bad token", "GET", lib + "1.0/lib-1.0.jar", "", []option{wiretest.Bearer("larder_bad")}},
		{"wrong password", "PUT", lib + "2.0/lib-2.0.jar", "x", []option{wiretest.Basic("ada", "wrong")}},
		{"reader deploys", "PUT", lib + "2.0/lib-2.0.jar", "x", []option{g.As("reader")}},
		{"hidden for nobody", "GET", "/com/secret/lib/1.0/lib-1.0.jar", "", nil},
		{"hidden for a user", "GET", "/com/secret/lib/1.0/lib-1.0.jar", "", []option{g.As("other")}},
		{"hidden deploy", "PUT", "/com/secret/lib/1.0/lib-1.0.jar", "x", []option{g.As("other")}},
		{"absent file", "GET", lib + "9.9/lib-9.9.jar", "", nil},
		{"absent checksum", "GET", lib + "9.9/lib-9.9.jar.sha1", "", nil},
		{"absent metadata", "GET", "/com/acme/other/" + metadataFile, "", nil},
		{"absent directory", "GET", "/org/", "", nil},
		{"unknown address", "GET", "/.index/x", "", nil},
		{"not the layout", "PUT", "/lib.jar", "x", ada},
		{"wrong method", "PATCH", lib + "1.0/lib-1.0.jar", "x", nil},
		{"bad path", "GET", "/a%5Cb", "", nil},
		{"over a release", "PUT", lib + "1.0/lib-1.0.jar", "other", ada},
		{"wrong checksum", "PUT", lib + "1.0/lib-1.0.jar.sha1", strings.Repeat("0", 40), ada},
		{"no checksum", "PUT", lib + "1.0/lib-1.0.jar.sha1", "x", ada},
		{"snapshot", "PUT", lib + "2-SNAPSHOT/lib-2-SNAPSHOT.jar", "x", ada},
		{"bad metadata", "PUT", lib + metadataFile, "x", ada},
		{"too large", "PUT", lib + "2.0/lib-2.0.jar", strings.Repeat("x", 100_001), ada},
		{"delete what is not there", "DELETE", lib + "9.9/lib-9.9.jar", "", ada},
	} {
		a := g.Do(c.method, c.path, c.body, c.opts...)
		fmt.Fprintf(
			&out, "%s: %d %s %q\n%s", c.what, a.Status, a.Header.Get("Allow"), a.Header.Get("WWW-Authenticate"), a.Body,
		)
		if a.Status == 404 && c.method == "PUT" || a.Status == 429 || a.Status >= 500 {
			t.Errorf("%s: a %d would mislead clients", c.what, a.Status)
		}
	}
	wiretest.Golden(t, "errors.txt", out.String())
}

// TestGuessingPasswordsIsSlowedDown: guessing is slowed down, without the status that makes mvn wait for minutes at
// every file.
func TestGuessingPasswordsIsSlowedDown(t *testing.T) {
	g := newRig(t)
	for i := range 200 {
		a := g.Do("GET", lib+"1.0/lib-1.0.jar", nil, wiretest.Basic("ada", fmt.Sprint("guess", i)))
		if a.Status == 403 {
			a.WantBody(t, "Too many failed logins")
			if a.Header.Get("Retry-After") == "" {
				t.Errorf("guess %d: %v says not when to try again", i, a)
			}
			return
		}
		g.Want(a, 401, "")
	}
	t.Error("200 guesses")
}

// TestRefusedPutLeavesTheConnectionUsable: clients that cannot send a password at once send the file, are refused,
// and send it again on the same connection; who waits to be told to go on is told at once, and sends nothing in vain.
func TestRefusedPutLeavesTheConnectionUsable(t *testing.T) {
	g := newRig(t)
	conn, err := net.Dial("tcp", strings.TrimPrefix(g.Srv.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	in := bufio.NewReader(conn)
	body := strings.Repeat("x", 5<<20)
	send := func(head, body string) *http.Response {
		t.Helper()
		go func() {
			// An error of writing shows in the answer.
			_, _ = fmt.Fprintf(
				conn, "PUT %s%s1.0/lib-1.0.jar HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n%s\r\n%s", root, lib, 5<<20, head, body,
			)
		}()
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := in.Discard(int(resp.ContentLength)); err != nil {
			t.Fatal(err)
		}
		return resp
	}
	resp := send("", body)
	wiretest.Equal(t, "the status without credentials", resp.StatusCode, 401)
	wiretest.Equal(t, "the connection ends", resp.Close, false)
	resp = send("Authorization: Bearer "+g.Keys["ada"]+"\r\n", body)
	wiretest.Equal(t, "the status with credentials", resp.StatusCode, 201)
	resp = send("Expect: 100-continue\r\n", "")
	wiretest.Equal(t, "the status of who waits to be told to go on", resp.StatusCode, 401)
	g.Want(g.Ada("POST", lib, nil), 201, "")
}

// hiding is a provider that hides one name from everybody.
type hiding struct {
	auth.Provider
	name string
}

func (h hiding) Authorize(ctx context.Context, id auth.Identity, a auth.Access) error {
	if a.Name == h.name {
		return auth.ErrHidden
	}
	return h.Provider.Authorize(ctx, id, a)
}
