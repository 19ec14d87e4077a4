package maven

// The rig of the package's tests: a whole repository in-process, whose rows are derived again after each test.

import (
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"larder/internal/wire"
	"larder/internal/wiretest"
	"larder/maven/metadata"
	"larder/maven/names"
	"larder/store"
	"larder/store/storetest"
)

type (
	answer = wiretest.Answer
	option = wiretest.Option
)

// rig is a whole Maven repository in-process.
type rig struct {
	*wiretest.Rig
	s     *server // another one on the same store, to look at rows
	clock *storetest.Clock
}

type rigOptions struct {
	wiretest.Options
	maven Options
}

// newRig opens a repository with the user ada (password "secret"), who may do everything, acting as "ada". Its clock
// stands still unless the test moves it.
func newRig(t testing.TB, opts ...func(*rigOptions)) *rig {
	t.Helper()
	clock := storetest.NewClock()
	o := rigOptions{Options: wiretest.Options{Under: root, Check: checkErrorBody}}
	o.WithClock(clock)
	for _, f := range opts {
		f(&o)
	}
	g := &rig{Rig: wiretest.New(t, o.Options, func(d wire.Deps) wire.Protocol { return New(d, o.maven) }), clock: clock}
	g.s = newServer(g.Deps, o.maven)
	t.Cleanup(g.checkRows)
	return g
}

// serve serves a store that is open.
func serve(t testing.TB, s *store.Store) *rig {
	t.Helper()
	o := wiretest.Options{Under: root, Check: checkErrorBody}
	g := &rig{Rig: wiretest.Serve(t, s, o, func(d wire.Deps) wire.Protocol { return New(d, Options{}) })}
	g.s = newServer(g.Deps, Options{})
	return g
}

// in is the same repository in a subtest.
func (g *rig) in(t testing.TB) *rig {
	c := *g
	c.Rig = g.In(t)
	return &c
}

// settle runs the background job.
func (g *rig) settle() {
	g.T.Helper()
	if err := g.s.settleDue(context.Background()); err != nil {
		g.T.Fatal(err)
	}
}

// checkErrorBody: whatever is refused has problem details that say what; what is absent must not have them.
func checkErrorBody(t testing.TB, r *http.Request, a answer) {
	if a.Status == 404 && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		if a.Header.Get("Content-Type") != names.TypeText || strings.HasPrefix(a.Body, "{") ||
			a.Body == "" && r.Method == http.MethodGet {
			t.Errorf("%s %s: %v is not a bare 404", r.Method, r.URL, a)
		}
		return
	}
	if a.Status < 400 || a.Status == 412 || r.Method == http.MethodHead {
		return
	}
	var p problemDetails
	err := json.Unmarshal([]byte(a.Body), &p)
	if err != nil || p.Status != a.Status || p.Detail == "" || p.Title != http.StatusText(a.Status) || p.Instance == "" ||
		a.Header.Get("Content-Type") != "application/problem+json" || a.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%s %s: %v is not a problem", r.Method, r.URL, a)
	}
	if a.Status == 401 && !strings.HasPrefix(a.Header.Get("WWW-Authenticate"), `Basic realm="`) {
		t.Errorf("%s %s: a 401 without a challenge", r.Method, r.URL)
	}
}

// rows are all rows that are derived from records, as they should be.
type rows struct {
	versions, open, bases, builds, newest, sha1 map[string]string
}

// checkRows derives every row from the records again and compares.
func (g *rig) checkRows() {
	ctx := context.Background()
	packages, err := g.s.Repo.Packages(ctx, "", 0)
	if err != nil {
		return // the store was closed by the test
	}
	sums, due := map[string]string{}, map[string]bool{}
	for _, pkg := range packages {
		err := g.s.Repo.View(ctx, pkg.Name, func(p *store.PackageTx[Meta]) error {
			want := rows{
				map[string]string{}, map[string]string{}, map[string]string{}, map[string]string{}, map[string]string{}, sums,
			}
			count := map[string]int{}
			for v, err := range p.Versions("") {
				if err != nil {
					return err
				}
				want.add(pkg.Name, v, count)
				if v.Meta.Open {
					due[pkg.Name+"\x00"+v.ID] = true
				}
			}
			g.compareRows(p, want, count)
			return nil
		})
		if err != nil {
			g.T.Error(err)
		}
	}
	g.compareKind(sums, due)
}

func (r rows) add(name string, v store.Version[Meta], count map[string]int) {
	_, artifact := names.SplitName(name)
	for _, f := range v.Files {
		r.sha1[f.Sums["sha1"]+"\x00"+name+"\x00"+f.Name] = ""
	}
	if v.Meta.Open {
		r.open[v.ID] = ""
		return
	}
	r.versions[v.Meta.Base] = ""
	timestamp, number, ok := names.SplitBuild(v.Meta.Base, v.ID)
	if !ok {
		return
	}
	count[v.Meta.Base]++
	r.builds[v.Meta.Base+"\x00"+names.BuildKey(timestamp, number)] = v.ID
	if names.Newer(v.Meta.Base, v.ID, r.bases[v.Meta.Base]) {
		r.bases[v.Meta.Base] = v.ID
	}
	for _, f := range v.Files {
		if n := names.SplitFile(artifact, v.Meta.Base, names.Base(f.Name)); n.Version == v.ID {
			key := newestKey(v.Meta.Base, n.Classifier, n.Extension())
			if names.Newer(v.Meta.Base, v.ID, strings.Split(r.newest[key]+" ", " ")[0]) {
				r.newest[key] = v.ID + " " + f.Name
			}
		}
	}
}

func (g *rig) compareRows(p *store.PackageTx[Meta], want rows, count map[string]int) {
	read := func(table string, show func(key string, row []byte) string) map[string]string {
		out := map[string]string{}
		for k, v := range p.Index(table).Scan(nil, nil) {
			out[string(k)] = show(string(k), v)
		}
		return out
	}
	none := func(string, []byte) string { return "" }
	have := rows{
		versions: read(indexVersions, none), open: read(indexOpen, none),
		builds: read(indexBuilds, func(_ string, v []byte) string { return string(v) }),
	}
	have.bases = read(indexBases, func(key string, v []byte) string {
		var b metadata.Base
		if err := json.Unmarshal(v, &b); err != nil || b.Count != count[key] {
			g.T.Errorf("%s: base %s: %s, %d builds, %v", p.Name(), key, v, count[key], err)
		}
		return b.Build
	})
	have.newest = read(indexNewest, func(_ string, v []byte) string {
		var n metadata.Newest
		if err := json.Unmarshal(v, &n); err != nil {
			g.T.Error(err)
		}
		return n.ID + " " + n.File
	})
	for what, pair := range map[string][2]map[string]string{
		"versions": {have.versions, want.versions}, "open": {have.open, want.open}, "bases": {have.bases, want.bases},
		"builds": {have.builds, want.builds}, "newest": {have.newest, want.newest},
	} {
		if !maps.Equal(pair[0], pair[1]) {
			g.T.Errorf("%s: %s are %q, should be %q", p.Name(), what, pair[0], pair[1])
		}
	}
	var st, right metadata.State
	if _, err := getRow(p.Index(indexState), "", &st); err != nil {
		g.T.Error(err)
	}
	for v := range want.versions {
		right.Take(v)
	}
	if st.Count != len(want.versions) || st.Latest != right.Latest || st.Release != right.Release {
		g.T.Errorf("%s: state %+v, should be %+v of %d", p.Name(), st, right, len(want.versions))
	}
}

func (g *rig) compareKind(sums map[string]string, due map[string]bool) {
	err := g.Store.View(context.Background(), func(tx *store.Tx) error {
		have := map[string]string{}
		for k := range g.s.Repo.KindIndex(tx, kindSHA1).Scan(nil, nil) {
			have[string(k)] = ""
		}
		if !maps.Equal(have, sums) {
			g.T.Errorf("sha1 rows %q, should be %q", have, sums)
		}
		for k := range g.s.Repo.KindIndex(tx, kindDue).Scan(nil, nil) {
			if what, id, _ := strings.Cut(string(k[9:]), "\x00"); what == dueSettle && !due[id] {
				g.T.Errorf("%q is due, but not open", id)
			} else if what == dueSettle {
				delete(due, id)
			}
		}
		if len(due) > 0 {
			g.T.Errorf("open, but never due: %v", due)
		}
		return nil
	})
	if err != nil {
		g.T.Error(err)
	}
}

// sumsText are the checksums of a file, as clients send them.
func sumsText(body string) map[string]string {
	m, s1, s2, s5 := md5.Sum([]byte(body)), sha1.Sum([]byte(body)), sha256.Sum256([]byte(body)), sha512.Sum512(
		[]byte(body),
	)
	return map[string]string{
		"md5": hex.EncodeToString(m[:]), "sha1": hex.EncodeToString(s1[:]), "sha256": hex.EncodeToString(s2[:]),
		"sha512": hex.EncodeToString(s5[:]),
	}
}

// User agents of clients: those that end with metadata, and one that does not.
var (
	agentMaven  = wiretest.Header("User-Agent", "Apache-Maven/3.8.7 (Java 17.0.15; Linux 6.1)")
	agentGradle = wiretest.Header("User-Agent", "Gradle/8.14 (Linux;6.1;amd64) (Debian;17.0.15)")
	agentIvy    = wiretest.Header("User-Agent", "Apache Ivy/2.5.2")
)

// put sends a file as ada's mvn, with two checksums.
func (g *rig) put(path, body string, opts ...option) {
	g.T.Helper()
	opts = append([]option{agentMaven}, opts...)
	g.Want(g.Ada("PUT", path, body, opts...), 201, "")
	for _, alg := range []string{"sha1", "md5"} {
		g.Want(g.Ada("PUT", path+"."+alg, sumsText(body)[alg], opts...), 201, "")
	}
}

// pomOf writes a POM.
func pomXML(group, artifact, version string, more ...string) string {
	return fmt.Sprintf(`<?xml version="1.0"?><project xmlns="http://maven.apache.org/POM/4.0.0">`+
		`<modelVersion>4.0.0</modelVersion><groupId>%s</groupId><artifactId>%s</artifactId><version>%s</version>%s</project>`,
		group, artifact, version, strings.Join(more, ""))
}

// jar makes an archive of files.
func jar(files wiretest.Files) string { return string(wiretest.Zip(files)) }

// pluginXML is what the plugin of a group says of itself.
const pluginXML = `<?xml version="1.0" encoding="UTF-8"?><plugin><name>Hello Plugin</name>` +
	`<groupId>com.acme</groupId><artifactId>hello-maven-plugin</artifactId><version>1.0</version>` +
	`<goalPrefix>hello</goalPrefix><mojos/></plugin>`

// split takes group:artifact:version apart and returns the directory of the version.
func split(gav string) (group, artifact, version, dir string) {
	parts := strings.Split(gav, ":")
	return parts[0], parts[1], parts[2], "/" + names.Dir(parts[0]+":"+parts[1], parts[2])
}

// files of a version by what follows its name: ".jar", "-sources.jar".
type contents map[string]string

// usual is a jar and a POM.
func usual(gav string) contents {
	group, artifact, version, _ := split(gav)
	return contents{".jar": "jar of " + gav, ".pom": pomXML(group, artifact, version)}
}

// upload sends the files of a release as mvn does, without metadata.
func (g *rig) upload(gav string, files contents, opts ...option) {
	g.T.Helper()
	_, artifact, version, dir := split(gav)
	for _, suffix := range slices.Sorted(maps.Keys(files)) {
		g.put(dir+artifact+"-"+version+suffix, files[suffix], opts...)
	}
}

// announce merges a version into the artifact's metadata as clients do: read, add, write.
func (g *rig) announce(gav string, opts ...option) answer {
	g.T.Helper()
	group, artifact, version, _ := split(gav)
	path := "/" + names.Dir(group+":"+artifact, "") + metadataFile
	opts = append([]option{agentMaven}, opts...)
	versions := []string{version}
	if a := g.Ada("GET", path, nil, opts...); a.Status == 200 {
		versions = append(g.metadata(a.Body).all(), version)
	}
	doc := fmt.Sprintf("<metadata><groupId>%s</groupId><artifactId>%s</artifactId><versioning><release>%s</release>"+
		"<versions><version>%s</version></versions><lastUpdated>20261121093001</lastUpdated></versioning></metadata>",
		group, artifact, version, strings.Join(versions, "</version><version>"))
	a := g.Ada("PUT", path, doc, opts...)
	for _, alg := range []string{"sha1", "md5"} {
		g.Want(g.Ada("PUT", path+"."+alg, sumsText(doc)[alg], opts...), 201, "")
	}
	return a
}

// deploy is a whole deploy of a release.
func (g *rig) deploy(gav string, files ...contents) {
	g.T.Helper()
	all := usual(gav)
	for _, f := range files {
		maps.Copy(all, f)
	}
	g.upload(gav, all)
	g.Want(g.announce(gav), 201, "")
}

// build deploys a timestamped build of a snapshot: gav names the base, stamp is 20261121.093001-2.
func (g *rig) build(gav, stamp string, files contents) {
	g.T.Helper()
	g.uploadBuild(gav, stamp, files)
	g.announceBuild(gav, stamp, files)
}

func (g *rig) uploadBuild(gav, stamp string, files contents) {
	g.T.Helper()
	_, artifact, version, dir := split(gav)
	for _, suffix := range slices.Sorted(maps.Keys(files)) {
		g.put(dir+artifact+"-"+strings.TrimSuffix(version, names.Snapshot)+stamp+suffix, files[suffix])
	}
}

func (g *rig) announceBuild(gav, stamp string, files contents) {
	g.T.Helper()
	group, artifact, version, dir := split(gav)
	id := strings.TrimSuffix(version, names.Snapshot) + stamp
	at := strings.ReplaceAll(stamp[:15], ".", "")
	doc := `<?xml version="1.0" encoding="UTF-8"?><metadata modelVersion="1.1.0"><groupId>` + group +
		`</groupId><artifactId>` + artifact + `</artifactId><versioning><lastUpdated>` + at +
		`</lastUpdated><snapshot><timestamp>` + stamp[:15] + `</timestamp><buildNumber>` + stamp[16:] +
		`</buildNumber></snapshot><snapshotVersions>`
	for range files {
		doc += `<snapshotVersion><extension>jar</extension><value>` + id + `</value><updated>` + at +
			`</updated></snapshotVersion>`
	}
	doc += `</snapshotVersions></versioning><version>` + version + `</version></metadata>`
	g.put(dir+metadataFile, doc)
	g.Want(g.announce(gav), 201, "")
}

// document is what is read of metadata in tests.
type document struct {
	Group    string   `xml:"groupId"`
	Artifact string   `xml:"artifactId"`
	Version  string   `xml:"version"`
	Latest   string   `xml:"versioning>latest"`
	Release  string   `xml:"versioning>release"`
	Versions []string `xml:"versioning>versions>version"`
	Updated  string   `xml:"versioning>lastUpdated"`
	Stamp    string   `xml:"versioning>snapshot>timestamp"`
	Number   string   `xml:"versioning>snapshot>buildNumber"`
	Files    []struct {
		Classifier string `xml:"classifier"`
		Extension  string `xml:"extension"`
		Value      string `xml:"value"`
	} `xml:"versioning>snapshotVersions>snapshotVersion"`
	Plugins []struct {
		Name     string `xml:"name"`
		Prefix   string `xml:"prefix"`
		Artifact string `xml:"artifactId"`
	} `xml:"plugins>plugin"`
}

func (d document) all() []string { return slices.Clone(d.Versions) }

// plugins are the artifacts of the document's plugins.
func (d document) plugins() (list []string) {
	for _, p := range d.Plugins {
		list = append(list, p.Artifact)
	}
	return list
}

func (g *rig) metadata(body string) (d document) {
	g.T.Helper()
	if err := xml.Unmarshal([]byte(body), &d); err != nil {
		g.T.Fatalf("%v: %s", err, body)
	}
	return d
}

// versions are what the metadata of group:artifact lists; none when there is no document.
func (g *rig) versions(name string, opts ...option) []string {
	g.T.Helper()
	a := g.Do("GET", "/"+names.Dir(name, "")+metadataFile, nil, opts...)
	if a.Status == 404 {
		return nil
	}
	return g.metadata(g.Want(a, 200, "").Body).Versions
}

// links are those of a directory's page, sorted.
func (g *rig) links(path string, opts ...option) (list []string) {
	g.T.Helper()
	body := g.Want(g.Do("GET", path, nil, opts...), 200, "").Body
	for part := range strings.SplitSeq(body, `<a href="`) {
		if name, _, ok := strings.Cut(part, `"`); ok && !strings.HasPrefix(name, "<!") && name != "../" {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return list
}

// wantVersions compares the list.
func (g *rig) wantVersions(name string, want ...string) {
	g.T.Helper()
	if got := g.versions(name); !slices.Equal(got, want) {
		g.T.Errorf("metadata of %s lists %q, want %q", name, got, want)
	}
}

func withPolicies(p ...store.Policy) func(*rigOptions) {
	return func(o *rigOptions) { o.Store = append(o.Store, storetest.WithPolicies(p...)) }
}

func withMaven(f func(*Options)) func(*rigOptions) { return func(o *rigOptions) { f(&o.maven) } }

const aDay = 24 * time.Hour
