package e2e

// This file has the clients whose snippets run, and the packages that they install.

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"larder/internal/miniclient"
)

// snippetClient is a client, and what a reader has before the pages come in.
type snippetClient struct {
	id, kind        string
	guideOnly       bool              // the package's page has nothing for it
	programs        map[string]string // what the pages call a program, and its name among the tests' clients
	env             []string
	project         map[string]string // files, by name
	public, private string            // names of packages
	before          string            // commands
	// commands that install, where the texts only write files, and look whether it is there
	installed string
	guide     map[string]guideUse
}

// guideUse is what a reader does with a section of a client's page.
type guideUse struct {
	needs         string // the section that comes first
	name          string // the package that the words name, "" for one that is not published yet
	before, after string
}

const (
	everythingTitle = "Everything through this box"
	scopeTitle      = "Only your own scope"
	buildTitle      = "A build machine"
	loginTitle      = "With a login"
)

// yarnOld has yarn 4 take versions for older than they are; how versions of today are taken has a section of its own.
const yarnOld = "export YARN_NPM_PREAPPROVED_PACKAGES='*pantry,@acme/*'"

// javaSeed is what builds read in place of a public repository.
const javaSeed = "mkdir -p ~/.m2/repository && { cp -al $CLIENTS/m2-seed/. ~/.m2/repository 2>/dev/null || " +
	"cp -r $CLIENTS/m2-seed/. ~/.m2/repository; }"

const copyDependencies = "mvn -q -B -ntp org.apache.maven.plugins:maven-dependency-plugin:3.11.0:copy-dependencies"

const appPOM = `<project xmlns="http://maven.apache.org/POM/4.0.0">
<modelVersion>4.0.0</modelVersion>
<groupId>com.acme</groupId><artifactId>app</artifactId><version>1.0.0</version><packaging>pom</packaging>
<repositories><repository><id>central</id><url>file://$CLIENTS/m2-seed</url></repository>
</repositories>
<pluginRepositories>
<pluginRepository><id>central</id><url>file://$CLIENTS/m2-seed</url></pluginRepository>
</pluginRepositories>
<dependencies>
</dependencies>
<build><pluginManagement><plugins>
<plugin><artifactId>maven-install-plugin</artifactId><version>3.2.0</version></plugin>
<plugin><artifactId>maven-deploy-plugin</artifactId><version>3.2.0</version></plugin>
</plugins></pluginManagement></build>
</project>
`

var snippetClients = []snippetClient{
	{
		id: "npm", kind: "npm", programs: map[string]string{"npm": "npm12"}, public: "pantry", private: "secretpantry",
		project:   map[string]string{"package.json": `{"name":"app","version":"0.0.0","private":true}`},
		installed: "test -f node_modules/$NAME/package.json",
		guide: map[string]guideUse{
			everythingTitle: {name: "secretpantry", after: "npm install $NAME@1.0.0"},
			scopeTitle:      {name: "@acme/secretpantry", after: "npm install $NAME@1.0.0"},
			buildTitle:      {name: "secretpantry", after: "npm install $NAME@1.0.0"},
			"Check":         {name: "pantry", needs: everythingTitle},
		},
	},
	{
		id: "pnpm", kind: "npm", programs: map[string]string{"pnpm": "pnpm12"}, public: "pantry", private: "secretpantry",
		project:   map[string]string{"package.json": `{"name":"app","version":"0.0.0","private":true}`},
		installed: "test -f node_modules/$NAME/package.json",
		guide: map[string]guideUse{
			everythingTitle: {name: "secretpantry", after: "pnpm add $NAME@1.0.0"},
			scopeTitle: {
				name: "@acme/pantry", after: "pnpm add $NAME@1.0.0",
			},
			buildTitle:          {name: "secretpantry", after: "pnpm add $NAME@1.0.0"},
			"Versions of today": {name: "@acme/secretpantry", needs: everythingTitle, after: "pnpm add $NAME@^1.0.0"},
		},
	},
	{
		id: "yarn", kind: "npm", programs: map[string]string{"yarn": "yarn4"}, public: "pantry", private: "secretpantry",
		project: map[string]string{
			"package.json": `{"name":"app","version":"0.0.0","private":true}`, "yarn.lock": "",
		},
		installed: `grep "$NAME@npm:1.0.0" yarn.lock`,
		guide: map[string]guideUse{
			everythingTitle:     {before: yarnOld, name: "secretpantry", after: "yarn add $NAME@1.0.0"},
			scopeTitle:          {before: yarnOld, name: "@acme/pantry", after: "yarn add $NAME@1.0.0"},
			buildTitle:          {before: yarnOld, name: "secretpantry", after: "yarn add $NAME@1.0.0"},
			"Versions of today": {name: "@acme/secretpantry", needs: everythingTitle, after: "yarn add $NAME@1.0.0"},
		},
	},
	{
		id: "yarn1", kind: "npm", programs: map[string]string{"yarn": "yarn1"}, public: "pantry", private: "secretpantry",
		installed: "test -f node_modules/$NAME/package.json",
		project:   map[string]string{"package.json": `{"name":"app","version":"0.0.0","private":true}`},
		guide: map[string]guideUse{
			everythingTitle: {name: "pantry", after: "yarn add $NAME@1.0.0"},
			scopeTitle:      {name: "@acme/pantry", after: "yarn add $NAME@1.0.0"},
			buildTitle:      {name: "secretpantry", after: "yarn add $NAME@1.0.0"},
		},
	},
	{
		id: "bun", kind: "npm", programs: map[string]string{"bun": "bun"}, public: "pantry", private: "secretpantry",
		project:   map[string]string{"package.json": `{"name":"app","version":"0.0.0","private":true}`},
		installed: "test -f node_modules/$NAME/package.json",
		guide: map[string]guideUse{
			everythingTitle: {name: "pantry", after: "bun add $NAME@1.0.0"},
			scopeTitle:      {name: "@acme/pantry", after: "bun add $NAME@1.0.0"},
			buildTitle:      {name: "secretpantry", after: "bun add $NAME@1.0.0"},
		},
	},
	{
		id: "pip", kind: "pypi", programs: map[string]string{"pip": "pip26"}, public: "pantry", private: "secretpantry",
		env:       []string{"VIRTUAL_ENV=$WORK/env", "PIP_DISABLE_PIP_VERSION_CHECK=1"},
		before:    "pyvenv $VIRTUAL_ENV",
		installed: "$VIRTUAL_ENV/bin/python -c \"import $NAME\"",
		guide: map[string]guideUse{
			everythingTitle: {name: "pantry", after: "pip install $NAME==1.0.0"},
			loginTitle:      {name: "secretpantry", after: "pip install $NAME==1.0.0"},
			"Check":         {name: "pantry"},
		},
	},
	{
		id: "uv", kind: "pypi", programs: map[string]string{"uv": "uv"}, public: "pantry", private: "secretpantry",
		env: []string{"UV_PYTHON_DOWNLOADS=never"},
		project: map[string]string{
			"pyproject.toml": "[project]\nname = \"app\"\nversion = \"0.0.0\"\nrequires-python = \">=3.9\"\ndependencies = []\n",
		},
		installed: ".venv/bin/python -c \"import $NAME\"",
		guide: map[string]guideUse{
			everythingTitle: {name: "pantry", after: "uv add $NAME==1.0.0"},
			loginTitle:      {name: "secretpantry", needs: everythingTitle, after: "uv add $NAME==1.0.0"},
			"Publish":       {},
		},
	},
	{
		id: "poetry", kind: "pypi", programs: map[string]string{"poetry": "poetry"}, public: "pantry",
		private: "secretpantry",
		env:     []string{"POETRY_VIRTUALENVS_IN_PROJECT=true", "PYTHON_KEYRING_BACKEND=keyring.backends.null.Keyring"},
		before: "cat >pyproject.toml <<END\n[project]\nname = \"${APP:-app}\"\nversion = \"1.0.0\"\n" +
			"requires-python = \">=3.11\"\ndependencies = []\n[tool.poetry]\npackage-mode = false\nEND",
		installed: ".venv/bin/python -c \"import $NAME\"",
		guide: map[string]guideUse{
			everythingTitle: {name: "pantry", after: "poetry add $NAME==1.0.0"},
			loginTitle:      {name: "secretpantry", needs: everythingTitle, after: "poetry add $NAME==1.0.0"},
			"Publish":       {before: "printf '[project]\\nname = \"%s\"\\nversion = \"1.0.0\"\\n' $NAME >pyproject.toml"},
		},
	},
	{
		id: "pdm", kind: "pypi", programs: map[string]string{"pdm": "pdm"}, public: "pantry", private: "secretpantry",
		installed: ".venv/bin/python -c \"import $NAME\"",
		env:       []string{"PDM_CHECK_UPDATE=0"},
		project: map[string]string{
			"pyproject.toml": "[project]\nname = \"app\"\nversion = \"0.0.0\"\n" +
				"requires-python = \">=3.11\"\ndependencies = []\n" +
				"[tool.pdm]\ndistribution = false\n",
		},
		guide: map[string]guideUse{
			everythingTitle: {name: "pantry", after: "pdm add $NAME==1.0.0"},
			loginTitle:      {name: "secretpantry", needs: everythingTitle, after: "pdm add $NAME==1.0.0"},
		},
	},
	{
		id: "twine", kind: "pypi", programs: map[string]string{"twine": "twine"}, guideOnly: true,
		guide: map[string]guideUse{
			"Publish": {}, "In a file": {after: "twine upload --disable-progress-bar -r larder dist/*"},
		},
	},
	{
		id: "cargo", kind: "cargo", programs: map[string]string{"cargo": "cargo"}, public: "pantry", private: "secretpantry",
		before: "mkdir -p src && touch src/lib.rs && printf '[package]\\nname = \"%s\"\\nversion = \"1.0.0\"\\n" +
			"edition = \"2021\"\\ndescription = \"x\"\\nlicense = \"MIT\"\\n' ${APP:-app} >Cargo.toml",
		installed: "cargo fetch && grep '^name = \"'$NAME'\"' Cargo.lock",
		guide: map[string]guideUse{
			"Name the registry and log in": {
				name: "secretpantry", after: "cargo add --registry larder $NAME@1.0.0 && cargo fetch",
			},
			"Publish and use": {
				name: "pantry", needs: "Name the registry and log in", before: "sed -i s/app/freight-$$/ Cargo.toml",
			},
			"Copies of the public registry": {name: "pantry", after: "cargo add $NAME@1.0.0 && cargo fetch"},
		},
	},
	{
		id: "mvn", kind: "maven", programs: map[string]string{"mvn": "mvn39"},
		public: "com.acme:pantry", private: "com.acme:secretpantry", before: javaSeed,
		project:   map[string]string{"pom.xml": appPOM},
		installed: copyDependencies + " && test -f target/dependency/${NAME#*:}-1.0.0.jar",
		guide: map[string]guideUse{
			"Deploy": {before: "sed -i s/app/${NAME#*:}/ pom.xml && mvn() { command mvn -q -B -ntp \"$@\"; }"},
			everythingTitle: {
				name: "com.acme:pantry",
				before: "sed -i 's,<dependencies>,&<dependency><groupId>com.acme</groupId><artifactId>pantry</artifactId>" +
					"<version>1.0.0</version></dependency>,' pom.xml",
				after: copyDependencies + " && test -f target/dependency/pantry-1.0.0.jar",
			},
		},
	},
	{
		id: "gradle", kind: "maven", programs: map[string]string{"gradle": "gradle44"},
		public: "com.acme:pantry", private: "com.acme:secretpantry",
		project: map[string]string{
			"build.gradle": "apply plugin: 'java'\n" +
				"task list { doLast { configurations.compileClasspath.each { println it.name } } }\n",
			"settings.gradle": "rootProject.name = 'app'\n",
		},
		installed: "gradle -q --no-daemon list | grep ${NAME#*:}-1.0.0.jar",
		guide: map[string]guideUse{
			"Resolve": {
				name:   "com.acme:secretpantry",
				before: "echo \"dependencies { implementation '$NAME:1.0.0' }\" >>build.gradle",
				after:  "gradle -q --no-daemon list | grep ${NAME#*:}-1.0.0.jar",
			},
		},
	},
	{
		id: "sbt", kind: "maven", programs: map[string]string{"sbt": "sbt"},
		public: "com.acme:pantry", private: "com.acme:secretpantry",
		project: map[string]string{
			"~/.sbt/repositories":      "[repositories]\n  seed: file://$CLIENTS/m2-seed\n",
			"project/build.properties": "sbt.version=1.13.0\n",
			"build.sbt": "organization := \"com.acme\"\nversion := \"1.0.0\"\n" +
				"autoScalaLibrary := false\ncrossPaths := false\noverrideBuildResolvers := false\n" +
				"externalResolvers := (\"seed\" at \"file://$CLIENTS/m2-seed\") +: resolvers.value\n",
		},
		installed: "sbt 'export Compile/dependencyClasspath' | tee said && grep ${NAME#*:}-1.0.0.jar said",
		guide: map[string]guideUse{
			"Resolve and publish": {before: "echo \"name := \\\"${NAME#*:}\\\"\" >>build.sbt", after: "sbt publish"},
		},
	},
	{
		id: "coursier", kind: "maven", programs: map[string]string{"cs": "cs"},
		public: "com.acme:pantry", private: "com.acme:secretpantry",
		guide: map[string]guideUse{"Fetch": {name: "com.acme:pantry"}},
	},
	{
		id: "composer", kind: "composer", programs: map[string]string{"composer": "composer28"},
		public: "acme/pantry", private: "acme/secretpantry",
		before:    "printf '{\"name\":\"acme/%s\",\"repositories\":{\"packagist.org\":false}}' ${APP:-app} >composer.json",
		installed: "test -d vendor/$NAME",
		guide: map[string]guideUse{
			"In a project":  {name: "acme/pantry", after: "composer require $NAME:1.0.0"},
			loginTitle:      {name: "acme/secretpantry", needs: "In a project", after: "composer require $NAME:1.0.0"},
			everythingTitle: {name: "acme/pantry", after: "composer require $NAME:1.0.0"},
			"Publish":       {before: "curl() { command curl --fail-with-body \"$@\"; }"},
		},
	},
	{
		id: "gem", kind: "rubygems", programs: map[string]string{"gem": "gem36"}, public: "pantry", private: "secretpantry",
		env: []string{"GEM_HOME=$HOME/gems"}, installed: "test -d ~/gems/gems/$NAME-1.0.0",
		guide: map[string]guideUse{
			"Use and push":  {},
			everythingTitle: {name: "pantry", after: "gem install $NAME -v 1.0.0 && test -d ~/gems/gems/$NAME-1.0.0"},
			loginTitle:      {name: "secretpantry", after: "gem install $NAME -v 1.0.0 && test -d ~/gems/gems/$NAME-1.0.0"},
		},
	},
	{
		id: "bundler", kind: "rubygems", programs: map[string]string{"bundle": "bundle26"},
		public: "pantry", private: "secretpantry",
		env:       []string{"GEM_HOME=$HOME/gems", "BUNDLE_PATH=$WORK/vendor", "BUNDLE_USER_HOME=$HOME/.bundle"},
		installed: "bundle install && grep \"^    $NAME (1.0.0)\" Gemfile.lock",
		guide: map[string]guideUse{
			everythingTitle: {name: "pantry", after: "echo \"gem '$NAME'\" >>Gemfile && bundle install"},
			loginTitle: {
				name: "secretpantry", needs: everythingTitle, after: "echo \"gem '$NAME'\" >>Gemfile && bundle install",
			},
		},
	},
	{
		id: "docker", kind: "oci", programs: map[string]string{"docker": "docker"},
		public: "team/pantry", private: "team/secretpantry",
		guide: map[string]guideUse{
			"Log in and push": {
				name: "team/pantry", before: "docker pull $AT/$NAME:1.0.0 && docker tag $AT/$NAME:1.0.0 $AT/team/app:1.0",
			},
			"Images of an upstream": {name: "team/pantry"},
		},
	},
	{
		id: "podman", kind: "oci", programs: map[string]string{"podman": "podman"},
		public: "team/pantry", private: "team/secretpantry",
		guide: map[string]guideUse{
			"Log in and push": {
				name:   "team/pantry",
				before: "podman pull --tls-verify=false $AT/$NAME:1.0.0 && podman tag $AT/$NAME:1.0.0 $AT/team/app:1.0",
			},
			"Images of an upstream": {name: "team/pantry"},
			"Without TLS":           {name: "team/pantry", after: "podman pull $AT/$NAME:1.0.0"},
		},
	},
	{
		id: "helm", kind: "oci", programs: map[string]string{"helm": "helm"},
		public: "charts/pantry", private: "charts/secretpantry", installed: "test -f ${NAME#*/}-1.0.0.tgz",
		guide: map[string]guideUse{
			"Log in and push": {name: "charts/pantry", before: makeChart("demo")},
			// There is no cluster: what it would be told is printed.
			"Install": {
				name:   "charts/pantry",
				before: `helm() { [ "$1" != install ] || { shift; set -- template "$@"; }; command helm "$@"; }`,
			},
		},
	},
}

// makeChart are commands that make the package of a chart.
func makeChart(name string) string {
	return "mkdir -p c/templates && printf 'apiVersion: v2\\nname: " + name + "\\nversion: 1.0.0\\n' >c/Chart.yaml && " +
		"helm package c"
}

// wordsOf are the words of the texts that name a package.
func wordsOf(name string) map[string]string {
	return map[string]string{"NAME": name, "GROUP:ARTIFACT:VERSION": name + ":1.0.0"}
}

// snippetRig is a server at two addresses, with a package of each kind that everybody may read and a private one.
type snippetRig struct {
	sites  []*snippetSite
	token  string
	engine string // the address of a Docker engine
	made   atomic.Int64
}

const snippetConfig = `private: ["*:*:*secret*"]
trusted-proxies: [127.0.0.1/32]
upstreams:
  - {kind: oci, name: hub, url: "http://%s"}
`

func newSnippetRig(t *testing.T) *snippetRig {
	t.Helper()
	for _, program := range []string{"nginx", "dockerd", "docker", "helm"} {
		if _, err := exec.LookPath(program); err != nil {
			without(t, program, err)
		}
	}
	hub := startCrashServer(t, filepath.Join(t.TempDir(), "hub"))
	pushPlainImage(t, hub, "library/alpine:latest")
	dir := t.TempDir()
	config := filepath.Join(dir, "larder.yaml")
	if err := os.WriteFile(config, fmt.Appendf(nil, snippetConfig, hub.addr), 0o600); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(dir, "data")
	s := startCrashServer(t, data, "--config", config)
	mini := s.mini(t, data)
	r := &snippetRig{token: strings.TrimPrefix(mini.Auth, "Bearer ")}
	for _, name := range []string{"pantry", "secretpantry"} {
		publishSnippets(t, mini, name)
		pushPlainImage(t, s, "team/"+name+":1.0.0")
		pushChart(t, s, name)
	}
	pushChart(t, s, "demo") // which the page of helm names
	authority, pool, err := ownAuthority(dir)
	if err != nil {
		t.Fatal(err)
	}
	proxy, stop, err := startNginx(dir, snippetNginx, s.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	r.sites = []*snippetSite{
		newSite(t, "root", "http://"+s.addr, "", nil),
		newSite(t, "prefix", "https://"+proxy+"/larder", authority, pool),
	}
	engine, stopEngine, err := startEngine(filepath.Join(dir, "engine.log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stopEngine)
	r.engine = engine
	return r
}

// publishSnippets publishes what the snippets of all kinds but images install.
func publishSnippets(t *testing.T, s *miniclient.Server, name string) {
	t.Helper()
	for _, p := range miniclient.All() {
		if p.Kind == "oci" {
			continue // its files are no image
		}
		for _, name := range append([]string{name}, map[string][]string{"npm": {"@acme/" + name}}[p.Kind]...) {
			file, err := p.Make(name, "1.0.0", []byte(name))
			if p.Kind == "pypi" {
				file, err = wholeWheel(name)
			}
			if err != nil {
				t.Fatal(err)
			}
			a, err := p.Publish(t.Context(), s, miniclient.Release{Name: name, Version: "1.0.0", File: file})
			if err != nil || a.Status >= 300 {
				t.Fatalf("publish %s %s: %d %s %v", p.Kind, name, a.Status, a.Body, err)
			}
		}
	}
}

// wholeWheel is a wheel whose RECORD has every file, as some installers want it.
func wholeWheel(name string) ([]byte, error) {
	info := name + "-1.0.0.dist-info/"
	members := []miniclient.Member{
		{Name: name + "/__init__.py", Body: []byte("#")},
		{Name: info + "METADATA", Body: fmt.Appendf(nil, "Metadata-Version: 2.1\nName: %s\nVersion: 1.0.0\n", name)},
		{Name: info + "WHEEL", Body: []byte("Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n")},
	}
	record := ""
	for _, m := range members {
		sum := sha256.Sum256(m.Body)
		record += fmt.Sprintf("%s,sha256=%s,%d\n", m.Name, base64.RawURLEncoding.EncodeToString(sum[:]), len(m.Body))
	}
	record += info + "RECORD,,\n"
	return miniclient.Zip(append(members, miniclient.Member{Name: info + "RECORD", Body: []byte(record)})...)
}

// pushPlainImage pushes an image that engines take.
func pushPlainImage(t *testing.T, s *crashServer, ref string) {
	t.Helper()
	image, err := random.Image(1<<10, 1)
	if err != nil {
		t.Fatal(err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config.OS, config.Architecture, config.Config = "linux", "amd64", v1.Config{Cmd: []string{"/bin/true"}}
	if image, err = mutate.ConfigFile(image, config); err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(s.ref(t, ref), image, s.options(context.Background())...); err != nil {
		t.Fatal(err)
	}
}

// pushChart pushes a chart with helm.
func pushChart(t *testing.T, s *crashServer, name string) {
	t.Helper()
	home := t.TempDir()
	cmd := exec.Command("sh", "-ec", makeChart(name)+" && helm registry login --plain-http "+s.addr+
		" -u admin -p "+crashPassword+" && helm push --plain-http "+name+"-1.0.0.tgz oci://"+s.addr+"/charts")
	cmd.Dir, cmd.Env = home, append(os.Environ(), "HOME="+home)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("push a chart: %v\n%s", err, out)
	}
}

// fresh gives a project a package that is not published yet, as its client builds it, and returns the name.
func (r *snippetRig) fresh(run *snippetRun, kind string) string {
	run.t.Helper()
	name := fmt.Sprintf("freight%d", r.made.Add(1))
	run.env.Setenv("APP", name)
	var file []byte
	var err error
	switch kind {
	case "pypi":
		file, err = wholeWheel(name)
		run.write("dist/"+name+"-1.0.0-py3-none-any.whl", string(file))
	case "rubygems":
		file, err = miniclient.Gem(name, "1.0.0", "[]", miniclient.Member{Name: "lib/x.rb", Body: []byte("#")})
		run.write(name+"-1.0.0.gem", string(file))
	case "maven":
		name = "com.acme:" + name
	}
	if err != nil {
		run.t.Fatal(err)
	}
	return name
}
