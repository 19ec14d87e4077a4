package e2e

// This file runs the scripts: it makes the test binary the program, and gives every script a home of its own.

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"larder/internal/cli"
)

// liveTests are those that take packages from the registries of the machine's own clients. They run on request:
// LARDER_LIVE=1, or the names of clients.
const liveTests = "^Test[A-Za-z]+Live$"

// TestMain makes this test binary answer to the name larder: the scripts run the program a user runs, with the race
// detector when the tests have it. Without a request the live tests are not among the tests.
func TestMain(m *testing.M) {
	if os.Getenv("LARDER_LIVE") == "" {
		if err := flag.Set("test.skip", liveTests); err != nil {
			panic(err)
		}
	}
	testscript.Main(m, map[string]func(){"larder": larder})
}

// larder does what main.go does; a test cannot import package main.
func larder() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(cli.Main(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// moduleRoot is the folder of go.mod.
func moduleRoot(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		t.Fatalf("go list -m: %v", err)
	}
	return strings.TrimSpace(string(out))
}

// TestScript runs every story of testdata/script in the root of the module: one folder a protocol (and one for the
// server itself), one file a client and story.
//
//	go test ./internal/e2e -run 'TestScript/oci/skopeo'
func TestScript(t *testing.T) {
	folders, err := filepath.Glob(filepath.Join(moduleRoot(t), "testdata/script/*"))
	if err != nil || len(folders) == 0 {
		t.Fatalf("no scripts below testdata/script: %v", err)
	}
	for _, folder := range folders {
		t.Run(filepath.Base(folder), func(t *testing.T) {
			testscript.Run(t, testscript.Params{
				Dir:                 folder,
				Setup:               setupScript,
				Condition:           scriptCondition,
				Cmds:                scriptCommands(),
				RequireExplicitExec: true,
				RequireUniqueNames:  true,
				UpdateScripts:       os.Getenv("LARDER_UPDATE") != "",
			})
		})
	}
}

// setupScript gives a script a home of its own: no client may read or write the configuration, credentials or caches of
// the person who runs the tests.
func setupScript(env *testscript.Env) error {
	if err := setupHome(env); err != nil {
		return err
	}
	s := &scriptState{env: env, servers: map[string]*scriptServer{}}
	env.Values[stateKey{}] = s
	env.Defer(s.stopAll)
	return nil
}

// setupHome makes the home, below the folder in which env works.
func setupHome(env *testscript.Env) error {
	home := filepath.Join(env.WorkDir, "home")
	cache, err := os.UserCacheDir()
	if err != nil {
		return err
	}
	rustup, err := rustupHome()
	if err != nil {
		return err
	}
	for key, value := range map[string]string{
		"HOME":                  home,
		"XDG_CONFIG_HOME":       filepath.Join(home, ".config"),
		"XDG_CACHE_HOME":        filepath.Join(home, ".cache"),
		"XDG_DATA_HOME":         filepath.Join(home, ".local/share"),
		"XDG_RUNTIME_DIR":       filepath.Join(home, "run"),
		"TMPDIR":                filepath.Join(env.WorkDir, "tmp"),
		"DOCKER_CONFIG":         filepath.Join(home, ".docker"),
		"LARDER_ADMIN_PASSWORD": "correct-horse",
		"NO_PROXY":              "127.0.0.1,localhost",
		// Packages that clients build with, instead of those of a public registry: m2-seed, wheelhouse.
		"CLIENTS":                  filepath.Join(cache, "larder-clients"),
		"RUSTUP_HOME":              rustup,
		"COMPOSER_ALLOW_SUPERUSER": "1",
	} {
		env.Setenv(key, value)
	}
	for _, dir := range []string{".config/containers", ".cache", ".local/share", "run", ".docker"} {
		if err := os.MkdirAll(filepath.Join(home, dir), 0o700); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(env.Getenv("TMPDIR"), 0o700); err != nil {
		return err
	}
	if err := containersConfig(env, filepath.Join(home, ".config/containers")); err != nil {
		return err
	}
	npmEnv(env)
	return nil
}

// rustupHome returns the folder of rustup's toolchains. Its cargo looks below HOME for them, which
// is empty in a script.
func rustupHome() (string, error) {
	if dir := os.Getenv("RUSTUP_HOME"); dir != "" {
		return dir, nil
	}
	home, err := os.UserHomeDir()
	return filepath.Join(home, ".rustup"), err
}

// containersConfig writes the configuration of skopeo, podman and buildah: images are kept in the script's folder, need
// no signature, and come from no registry but ours.
func containersConfig(env *testscript.Env, dir string) error {
	store := filepath.Join(env.WorkDir, "containers")
	files := map[string]string{
		"policy.json":     `{"default":[{"type":"insecureAcceptAnything"}]}`,
		"registries.conf": "unqualified-search-registries = []\n",
		"storage.conf": fmt.Sprintf("[storage]\ndriver = \"vfs\"\nrunroot = %q\ngraphroot = %q\n",
			filepath.Join(store, "run"), filepath.Join(store, "root")),
		"containers.conf": fmt.Sprintf("[containers]\nnetns = \"host\"\n[engine]\nruntime = \"runc\"\n"+
			"cgroup_manager = \"cgroupfs\"\n"+
			"events_logger = \"none\"\ntmp_dir = %q\nimage_copy_tmp_dir = %q\n[network]\nnetwork_config_dir = %q\n",
			filepath.Join(store, "libpod"), env.Getenv("TMPDIR"), filepath.Join(store, "net.d")),
		"auth.json": "{}", // buildah wants it to exist before the first login
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	env.Setenv("CONTAINERS_STORAGE_CONF", filepath.Join(dir, "storage.conf"))
	env.Setenv("CONTAINERS_REGISTRIES_CONF", filepath.Join(dir, "registries.conf"))
	env.Setenv("CONTAINERS_CONF", filepath.Join(dir, "containers.conf"))
	env.Setenv("REGISTRY_AUTH_FILE", filepath.Join(dir, "auth.json"))
	return nil
}

// scriptCondition reports for [client:NAME] whether that client is on the PATH. With LARDER_CLIENTS=all a missing
// client is a failure, not a skip.
func scriptCondition(cond string) (bool, error) {
	name, ok := strings.CutPrefix(cond, "client:")
	if !ok {
		return false, fmt.Errorf("unknown condition %q", cond)
	}
	_, err := exec.LookPath(name)
	if err != nil && os.Getenv("LARDER_CLIENTS") == "all" {
		return false, fmt.Errorf("LARDER_CLIENTS=all, but %s is not installed", name)
	}
	return err == nil, nil
}
