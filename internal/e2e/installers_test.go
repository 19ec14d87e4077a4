package e2e

// This file says how a real client of each protocol installs one release into a folder of its own.

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"larder/internal/miniclient"
)

// installer is how a real client installs the release NAME from the server at URL, in a folder DIR of its own.
type installer struct {
	client, kind string
	files        map[string]string // it finds in DIR
	env          []string
	command      []string
	installed    string // pattern of the file with the release's noise, or of the release's file itself
	shows        bool   // whether it prints what an answer says, and not only its status
}

var installers = []installer{
	{
		client: "npm11", kind: "npm",
		files: map[string]string{
			"package.json": `{"name":"app","version":"0.0.0","private":true,"dependencies":{"NAME":"1.0.0"}}`,
			".npmrc":       "registry=URL/npm/\nfetch-retries=0\naudit=false\nfund=false\n",
		},
		command: []string{"install"}, installed: "node_modules/NAME/x.bin", shows: true,
	},
	{
		client: "pip26", kind: "pypi", env: []string{"VIRTUAL_ENV=VENV", "PIP_CONFIG_FILE=" + os.DevNull},
		command: []string{
			"install", "--disable-pip-version-check", "--retries", "0", "--no-compile", "--target", "site",
			"--index-url", "URL/simple/", "NAME",
		},
		installed: "site/NAME/x.bin",
	},
	{
		client: "uv", kind: "pypi", env: []string{"UV_HTTP_RETRIES=0", "UV_CACHE_DIR=DIR/cache"},
		command: []string{
			"pip", "install", "--no-config", "--python", "VENV/bin/python", "--target", "site",
			"--default-index", "URL/simple/", "NAME",
		},
		installed: "site/NAME/x.bin",
	},
	{
		client: "cargo", kind: "cargo", env: []string{"CARGO_HOME=DIR/home", "CARGO_NET_RETRY=0"},
		files: map[string]string{
			"Cargo.toml": "[package]\nname = \"app\"\nversion = \"0.0.0\"\nedition = \"2021\"\n[dependencies]\nNAME = \"1\"\n",
			"src/lib.rs": "",
			"home/config.toml": "[source.crates-io]\nreplace-with = \"box\"\n" +
				"[source.box]\nregistry = \"sparse+URL/cargo/index/\"\n",
		},
		command: []string{"fetch"}, installed: "home/registry/src/*/NAME-1.0.0/x.bin", shows: true,
	},
	{
		client: "mvn39", kind: "maven",
		files: map[string]string{"pom.xml": mavenApp, "settings.xml": mavenMirror},
		command: []string{
			"-q", "-B", "-ntp", "-s", "settings.xml",
			"-Dmaven.repo.local=DIR/local", "-Dmaven.repo.local.tail=CLIENTS/m2-seed",
			"-Daether.connector.http.retryHandler.count=0",
			"org.apache.maven.plugins:maven-dependency-plugin:3.11.0:copy-dependencies", "-DoutputDirectory=DIR/got",
		},
		installed: "got/NAME-1.0.0.jar", shows: true,
	},
	{
		client: "composer25", kind: "composer", env: []string{"COMPOSER_HOME=DIR/home", "COMPOSER_ALLOW_SUPERUSER=1"},
		files: map[string]string{
			"composer.json": `{"name":"acme/app","require":{"acme/NAME":"^1.0"},"config":{"secure-http":false},` +
				`"repositories":[{"type":"composer","url":"URL/composer"},{"packagist.org":false}]}`,
		},
		command: []string{"update", "--no-audit"}, installed: "vendor/acme/NAME/x.bin", shows: true,
	},
	{
		client: "bundle-new", kind: "rubygems",
		env:     []string{"BUNDLE_USER_HOME=DIR/home", "BUNDLE_PATH=DIR/vendor", "BUNDLE_RETRY=0"},
		files:   map[string]string{"Gemfile": "source \"URL/rubygems\"\ngem \"NAME\"\n"},
		command: []string{"install"}, installed: "vendor/ruby/*/gems/NAME-1.0.0/x.bin",
	},
	{
		client: "crane", kind: "oci",
		command:   []string{"pull", "--insecure", "--format=oci", "HOST/team/NAME:1.0.0", "image"},
		installed: "image/blobs/sha256/*", shows: true,
	},
}

const mavenApp = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>com.example</groupId>
  <artifactId>app</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies><dependency>
    <groupId>com.acme</groupId><artifactId>NAME</artifactId><version>1.0.0</version>
  </dependency></dependencies>
</project>
`

const mavenMirror = `<settings><profiles><profile><id>here</id>
  <repositories><repository><id>central</id><url>URL/maven</url>
    <releases><checksumPolicy>fail</checksumPolicy></releases></repository></repositories>
  <pluginRepositories><pluginRepository><id>central</id><url>file://CLIENTS/m2-seed</url>
    <releases><checksumPolicy>ignore</checksumPolicy></releases></pluginRepository></pluginRepositories>
</profile></profiles><activeProfiles><activeProfile>here</activeProfile></activeProfiles></settings>
`

// clientVariables are the beginnings of variables that configure clients. Those of whoever runs the tests say nothing.
var clientVariables = []string{
	"PIP_", "UV_", "NPM_CONFIG_", "npm_config_", "CARGO_", "BUNDLE_", "GEM_", "COMPOSER_", "MAVEN_", "XDG_", "DOCKER_",
}

// install runs the client in dir, which it knows already or has never seen, and returns what it printed.
func (c *installer) install(t *testing.T, dir, venv, server, name string) (string, error) {
	t.Helper()
	seeds, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	rustup, err := rustupHome()
	if err != nil {
		t.Fatal(err)
	}
	fill := strings.NewReplacer("NAME", name, "URL", server, "HOST", strings.TrimPrefix(server, "http://"), "DIR", dir,
		"VENV", venv, "CLIENTS", filepath.Join(seeds, "larder-clients"))
	for path, text := range c.files {
		file := filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(fill.Replace(text)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	env := slices.DeleteFunc(os.Environ(), func(v string) bool {
		return slices.ContainsFunc(clientVariables, func(prefix string) bool { return strings.HasPrefix(v, prefix) })
	})
	env = append(shutOff(env), "HOME="+dir, "RUSTUP_HOME="+rustup)
	for _, v := range c.env {
		env = append(env, fill.Replace(v))
	}
	var args []string
	for _, a := range c.command {
		args = append(args, fill.Replace(a))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.client, args...)
	cmd.Dir, cmd.Env = dir, env
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// has reports whether the release is installed in dir: its file, or the noise that is in it.
func (c *installer) has(t *testing.T, dir string, r noisy) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, strings.ReplaceAll(c.installed, "NAME", r.Name)))
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(files, func(file string) bool {
		b, err := os.ReadFile(file)
		return err == nil && (bytes.Equal(b, r.noise) || bytes.Equal(b, r.File))
	})
}

// noisy is a release and the noise in its file.
type noisy struct {
	miniclient.Release
	noise []byte
}
