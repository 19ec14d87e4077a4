package rubygems

// The rig of the tests: a registry in-process whose derived rows are compared with its records after every test, and
// gems built in Go.

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"larder/internal/ledger"
	"larder/internal/wire"
	"larder/internal/wiretest"
	"larder/rubygems/archive"
	"larder/rubygems/version"
	"larder/store"
	"larder/store/storetest"
)

var header = wiretest.Header

type (
	answer = wiretest.Answer
	option = wiretest.Option
	fields = wiretest.Fields
)

// rig is a whole registry of gems in-process.
type rig struct {
	*wiretest.Rig
	s *server
}

type rigOptions struct {
	wiretest.Options
	rubygems Options
}

// newRig opens a registry with the user ada (password "secret"), who may do everything, acting as "ada".
func newRig(t testing.TB, opts ...func(*rigOptions)) *rig {
	t.Helper()
	o := rigOptions{Options: wiretest.Options{Under: root, Check: checkAnswer}}
	for _, f := range opts {
		f(&o)
	}
	g := &rig{Rig: wiretest.New(t, o.Options, func(d wire.Deps) wire.Protocol { return New(d, o.rubygems) })}
	g.s = newServer(wire.Deps{Store: g.Store, Auth: g.Auth}, Options{})
	t.Cleanup(g.checkIndexes)
	return g
}

// serve serves a store that is open.
func serve(t testing.TB, s *store.Store) *rig {
	t.Helper()
	o := wiretest.Options{Under: root, Check: checkAnswer}
	g := &rig{Rig: wiretest.Serve(t, s, o, func(d wire.Deps) wire.Protocol { return New(d, Options{}) })}
	g.s = newServer(wire.Deps{Store: s, Auth: g.Auth}, Options{})
	return g
}

// in is the same registry in a subtest.
func (g *rig) in(t testing.TB) *rig { return &rig{g.In(t), g.s} }

// checkAnswer checks every answer: errors are text, nothing redirects, and no answer begins with one of the sentences
// that clients look for.
func checkAnswer(t testing.TB, r *http.Request, a answer) {
	t.Helper()
	switch {
	case a.Status >= 300 && a.Status < 400 && a.Status != http.StatusNotModified:
		t.Errorf("%s %s: %v", r.Method, r.URL, a)
	case a.Status < 400 || r.Method == http.MethodHead:
	case a.Header.Get("Content-Type") != "text/plain; charset=utf-8" || strings.TrimSpace(a.Body) == "":
		t.Errorf("%s %s: %v has no text", r.Method, r.URL, a)
	case strings.HasPrefix(a.Body, "You have enabled multifactor"),
		strings.HasPrefix(a.Body, "The API key doesn't have access"):
		t.Errorf("%s %s: %v begins as clients must not see", r.Method, r.URL, a)
	}
}

// want fails unless the answer has the status, and the text in its body.
func (g *rig) want(a answer, status int, text string) answer {
	g.T.Helper()
	return g.Want(a, status, text)
}

// wantAll fails unless GET of every path has the status, and the text in its body.
func (g *rig) wantAll(status int, text string, paths ...string) {
	g.T.Helper()
	for _, path := range paths {
		g.want(g.Do("GET", path, nil), status, text)
	}
}

// checkIndexes compares everything derived with the records it comes from.
func (g *rig) checkIndexes() {
	ctx := context.Background()
	packages, err := g.s.Repo.Packages(ctx, "", 0)
	if err != nil {
		return // the store was closed by the test
	}
	sums, specs := map[string]string{}, map[string]bool{}
	for _, pkg := range packages {
		err := g.s.Repo.View(ctx, pkg.Name, func(tx *store.PackageTx[Meta]) error {
			return g.checkGem(tx, sums, specs)
		})
		if err != nil {
			g.T.Error(err)
		}
	}
	err = g.Store.View(ctx, func(tx *store.Tx) error {
		t := g.s.tablesOf(tx)
		for key := range t(specsTable).Scan(nil, nil) {
			if !specs[string(key)] {
				g.T.Errorf("the Marshal indexes have %q", key)
			}
			delete(specs, string(key))
		}
		for key := range specs {
			g.T.Errorf("the Marshal indexes lack %q", key)
		}
		return g.checkList(t, sums)
	})
	if err != nil {
		g.T.Error(err)
	}
}

// checkGem compares the rows of one gem.
func (g *rig) checkGem(tx *store.PackageTx[Meta], sums map[string]string, specs map[string]bool) error {
	rows := map[string]string{}
	for k, v := range tx.Index(infoTable).Scan(nil, nil) {
		rows[string(k)] = string(v)
	}
	latest, live := "", 0
	for v, err := range tx.Versions("") {
		if err != nil {
			return err
		}
		for _, full := range fullNames(tx.Name(), v.Meta.Number, v.Meta.Platform) {
			p, err := decodePlace(tx.KindIndex(fullTable).Get(fullKey(full)))
			if want := (place{full, tx.Name(), v.ID, v.Yanked}); err != nil || p != want {
				g.T.Errorf("%s stands for %+v, %v; want %+v", full, p, err, want)
			}
		}
		if v.Yanked {
			continue
		}
		if live++; latest == "" || version.Prefers(v.ID, latest) {
			latest = v.ID
		}
		specs[string(pairKey(tx.Name(), v.ID))] = true
		key := string(infoKey(v))
		if rows[key] != v.Meta.Line || !strings.HasPrefix(v.Meta.Line, v.ID+" ") {
			g.T.Errorf("%s %s: the line is %q, the record's %q", tx.Name(), v.ID, rows[key], v.Meta.Line)
		}
		delete(rows, key)
	}
	if len(rows) > 0 {
		g.T.Errorf("%s: lines without a version: %q", tx.Name(), rows)
	}
	st, err := readState(tx)
	if err != nil || st.Live != live || st.Latest != latest {
		g.T.Errorf("%s: state %+v %v, want %d versions and %q", tx.Name(), st, err, live, latest)
	}
	sum := md5.Sum(infoBody(tx))
	sums[tx.Name()] = hex.EncodeToString(sum[:])
	return err
}

// checkList replays /versions: the last MD5 of each gem is that of its /info, what is not yanked exists, and the sums
// of the head are those of the bytes.
func (g *rig) checkList(t ledger.Tables, sums map[string]string) error {
	h, ok, err := versions.Head(t)
	if err != nil || !ok {
		return err
	}
	body, err := versions.Read(t, h.Epoch, 0, h.Size)
	if err != nil {
		return err
	}
	m, sha, err := h.Sums()
	if err != nil {
		return err
	}
	wiretest.Equal(g.T, "MD5 in the head of /versions", [16]byte(m.Sum(nil)), md5.Sum(body))
	wiretest.Equal(g.T, "SHA-256 in the head of /versions", [32]byte(sha.Sum(nil)), sha256.Sum256(body))
	wiretest.Equal(g.T, "lines in the head of /versions", h.Lines, int64(bytes.Count(body, []byte("\n"))))
	last, there := map[string]string{}, map[string]bool{}
	_, rest, _ := strings.Cut(string(body), "---\n")
	for line := range strings.Lines(rest) {
		f := strings.Fields(line)
		for v := range strings.SplitSeq(f[1], ",") {
			if yanked, ok := strings.CutPrefix(v, "-"); ok {
				delete(there, f[0]+"\x00"+yanked)
			} else {
				there[f[0]+"\x00"+v] = true
			}
		}
		last[f[0]] = f[2]
	}
	for name, sum := range last {
		if sums[name] != sum {
			g.T.Errorf("/versions ends with md5 %s for %s, whose /info has %s", sum, name, sums[name])
		}
	}
	for key := range t(specsTable).Scan(nil, nil) {
		if !there[string(key)] {
			g.T.Errorf("/versions lacks %q", key)
		}
		delete(there, string(key))
	}
	for key := range there {
		g.T.Errorf("/versions has %q", key)
	}
	return nil
}

// release is a gem to build; its fields can be changed before it is sent.
type release struct {
	name, version, platform string
	more                    string            // lines of the specification that replace the usual ones
	deps                    []string          // "rack >= 1, < 2", with "dev " before it for development
	yaml                    string            // the whole specification
	files                   map[string]string // of data.tar.gz; "->target" is a link
	checksums               func(string) string
	members                 func([]member) []member
}

// member is a file of an archive.
type member struct {
	name    string
	content []byte
	flag    byte
}

func newRelease(name, version string) *release {
	files := map[string]string{"lib/" + name + ".rb": "# " + name + " " + version + "\n"}
	return &release{name: name, version: version, platform: "ruby", files: files}
}

// specYAML is a specification as RubyGems writes it.
func (r *release) specYAML() string {
	if r.yaml != "" {
		return r.yaml
	}
	deps := "\n"
	if len(r.deps) == 0 {
		deps = " []\n"
	}
	for _, d := range r.deps {
		kind := ":runtime"
		if rest, ok := strings.CutPrefix(d, "dev "); ok {
			d, kind = rest, ":development"
		}
		name, req, _ := strings.Cut(d, " ")
		deps += "- !ruby/object:Gem::Dependency\n  name: " + name + "\n" +
			requirementOf("  ", "requirement", req) + "  type: " + kind + "\n  prerelease: false\n" +
			requirementOf("  ", "version_requirements", req)
	}
	more := r.more
	for _, usual := range [][2]string{
		{"authors", "authors:\n- Ada\n- Bo\n"},
		{"cert_chain", "cert_chain: []\n"},
		{"description", "description:\n"},
		{"email", "email: ada@example.com\n"},
		{"homepage", "homepage: https://example.com/" + r.name + "\n"},
		{"licenses", "licenses:\n- MIT\n"},
		{"metadata", "metadata: {}\n"},
		{"required_ruby_version", requirementOf("", "required_ruby_version", ">= 0")},
		{"required_rubygems_version", requirementOf("", "required_rubygems_version", ">= 0")},
		{"summary", "summary: About " + r.name + "\n"},
	} {
		if !strings.Contains("\n"+r.more, "\n"+usual[0]+":") {
			more += usual[1]
		}
	}
	return "--- !ruby/object:Gem::Specification\nname: " + r.name + "\n" +
		"version: !ruby/object:Gem::Version\n  version: '" + r.version + "'\nplatform: " + r.platform + "\n" +
		"date: 2026-11-20 00:00:00.000000000 Z\ndependencies:" + deps + more +
		"rubygems_version: 3.6.7\nspecification_version: 4\n"
}

// requirementOf is a field of a specification with the requirement "op version, op version".
func requirementOf(indent, field, req string) string {
	out := indent + field + ": !ruby/object:Gem::Requirement\n" + indent + "  requirements:\n"
	for r := range strings.SplitSeq(req, ", ") {
		op, number, _ := strings.Cut(r, " ")
		out += indent + "  - - \"" + op + "\"\n" +
			indent + "    - !ruby/object:Gem::Version\n" + indent + "      version: '" + number + "'\n"
	}
	return out
}

func zipped(p []byte) []byte { return wiretest.Gzip(string(p)) }

// tarred is an archive of members, in their order.
func tarred(list []member) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, m := range list {
		h := &tar.Header{Name: m.name, Mode: 0o644, Size: int64(len(m.content)), Typeflag: tar.TypeReg}
		if m.flag != 0 {
			h.Typeflag, h.Size, h.Linkname = m.flag, 0, string(m.content)
		}
		if err := w.WriteHeader(h); err != nil {
			panic(err)
		}
		if h.Size > 0 {
			if _, err := w.Write(m.content); err != nil {
				panic(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// build makes the .gem.
func (r *release) build() []byte {
	var files []member
	for n, content := range r.files {
		m := member{name: n, content: []byte(content)}
		if target, ok := strings.CutPrefix(content, "->"); ok {
			m.flag, m.content = tar.TypeSymlink, []byte(target)
		}
		files = append(files, m)
	}
	slices.SortFunc(files, func(a, b member) int { return strings.Compare(a.name, b.name) })
	metadata, data := zipped([]byte(r.specYAML())), zipped(tarred(files))
	sums := fmt.Sprintf(
		"---\nSHA256:\n  metadata.gz: %x\n  data.tar.gz: %x\nSHA512:\n  metadata.gz: %x\n  data.tar.gz: %x\n",
		sha256.Sum256(metadata), sha256.Sum256(data), sha512.Sum512(metadata), sha512.Sum512(data),
	)
	if r.checksums != nil {
		sums = r.checksums(sums)
	}
	list := []member{
		{archive.Metadata, metadata, 0}, {archive.Data, data, 0}, {archive.Checksums, zipped([]byte(sums)), 0},
	}
	if r.members != nil {
		list = r.members(list)
	}
	return tarred(list)
}

// push publishes as an actor.
func (g *rig) push(actor string, r *release) answer {
	g.T.Helper()
	return g.Do("POST", "/api/v1/gems", r.build(), g.As(actor), header("Content-Type", "application/octet-stream"))
}

// publish publishes versions of a gem as ada; "1.0-java" is one for a platform.
func (g *rig) publish(name string, ids ...string) {
	g.T.Helper()
	for _, id := range ids {
		r := newRelease(name, "")
		r.version, r.platform = version.Split(id)
		g.want(g.push("ada", r), 200, "Successfully registered gem: "+name+" ("+id+")")
	}
}

// body encodes a form.
func body(kv ...string) string {
	v := url.Values{}
	for i := 0; i < len(kv); i += 2 {
		v.Set(kv[i], kv[i+1])
	}
	return v.Encode()
}

// yank yanks as gem yank does.
func (g *rig) yank(actor, name, number, platform string) answer {
	g.T.Helper()
	f := body("gem_name", name, "version", number)
	if platform != "" {
		f = body("gem_name", name, "version", number, "platform", platform)
	}
	typ := header("Content-Type", "application/x-www-form-urlencoded")
	return g.Do("DELETE", "/api/v1/gems/yank", f, g.As(actor), typ)
}

// get reads a document of the compact index and checks its sums.
func (g *rig) get(path string, opts ...option) answer {
	g.T.Helper()
	a := g.want(g.Do("GET", path, nil, opts...), 200, "")
	sum := sha256.Sum256([]byte(a.Body))
	d := base64.StdEncoding.EncodeToString(sum[:])
	g.WantHeader(
		a, "ETag", ledger.Tag([]byte(a.Body)), "Repr-Digest", "sha-256=:"+d+":", "Digest", "sha-256="+d,
	)
	return a
}

// lines are the lines of a document of the compact index, without its head.
func lines(a answer) []string {
	_, rest, _ := strings.Cut(a.Body, "---\n")
	if rest == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(rest, "\n"), "\n")
}

func withPolicies(p ...store.Policy) func(*rigOptions) {
	return func(o *rigOptions) { o.Store = append(o.Store, storetest.WithPolicies(p...)) }
}

// signed appends a signature to the members of a gem.
func signed(l []member) []member {
	return append(l, member{name: "data.tar.gz.sig", content: []byte("x")})
}
