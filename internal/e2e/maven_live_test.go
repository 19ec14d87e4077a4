package e2e

// The live test of Maven: a real project is built from files that were deployed here again.

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

// mavenProject is a web application with a database and a test, packaged with its dependencies.
var mavenProject = map[string]string{
	"pom.xml": `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <parent>
    <groupId>org.springframework.boot</groupId>
    <artifactId>spring-boot-starter-parent</artifactId>
    <version>3.3.5</version>
  </parent>
  <groupId>com.acme</groupId><artifactId>shop</artifactId><version>1.0</version>
  <properties><java.version>17</java.version></properties>
  <dependencies>
    <dependency><groupId>org.springframework.boot</groupId><artifactId>spring-boot-starter-web</artifactId></dependency>
    <dependency>
      <groupId>org.springframework.boot</groupId>
      <artifactId>spring-boot-starter-data-jpa</artifactId>
    </dependency>
    <dependency>
      <groupId>com.google.guava</groupId>
      <artifactId>guava</artifactId>
      <version>33.3.1-jre</version>
    </dependency>
    <dependency><groupId>com.h2database</groupId><artifactId>h2</artifactId><scope>runtime</scope></dependency>
    <dependency>
      <groupId>org.springframework.boot</groupId>
      <artifactId>spring-boot-starter-test</artifactId>
      <scope>test</scope>
    </dependency>
  </dependencies>
  <build><plugins>
    <plugin><groupId>org.springframework.boot</groupId><artifactId>spring-boot-maven-plugin</artifactId></plugin>
    <plugin>
      <artifactId>maven-source-plugin</artifactId>
      <executions><execution><goals><goal>jar-no-fork</goal></goals></execution></executions>
    </plugin>
  </plugins></build>
</project>
`,
	"src/main/java/com/acme/Shop.java": `package com.acme;
import com.google.common.collect.ImmutableList;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
@SpringBootApplication
public class Shop {
    static ImmutableList<String> names() { return ImmutableList.of("a", "b"); }
    public static void main(String[] args) { SpringApplication.run(Shop.class, args); }
}
`,
	"src/test/java/com/acme/ShopTest.java": `package com.acme;
import static org.junit.jupiter.api.Assertions.assertEquals;
import org.junit.jupiter.api.Test;
class ShopTest {
    @Test void names() { assertEquals(2, Shop.names().size()); }
}
`,
}

// mavenClients are the versions of Maven that build it; each has other versions of plugins.
var mavenClients = []string{"mvn38", "mvn39", "mvn310", "mvn4"}

// TestMavenLive deploys all files of a real project to Larder, POMs and build plugins included, as the user's own Maven
// gets them. Then it builds the project from Larder alone with an empty local repository: everything that is fetched
// must have the bytes of the source.
//
//	LARDER_LIVE=1 go test ./internal/e2e -run TestMavenLive -v            every client
//	LARDER_LIVE=mvn38,mvn4 go test ./internal/e2e -run TestMavenLive -v   these
func TestMavenLive(t *testing.T) {
	clients := liveMavens(t)
	want := map[string]map[string]string{} // client → path → file
	closure := map[string]string{}
	for _, c := range clients {
		local := filepath.Join(t.TempDir(), "repository")
		took := buildWithMaven(t, c, local)
		want[c] = localFiles(t, local)
		maps.Copy(closure, want[c])
		t.Logf("%s: %d files from the source in %v", c, len(want[c]), took)
	}
	if len(closure) < 300 {
		t.Fatalf("only %d files in the closure", len(closure))
	}
	server := startCrashServer(t, filepath.Join(t.TempDir(), "data"))
	base := "http://" + server.addr + "/maven/"
	start := time.Now()
	size := deployFiles(t, base, closure)
	t.Logf("%d files, %d MB deployed in %v", len(closure), size>>20, time.Since(start).Round(time.Second))
	settings := filepath.Join(t.TempDir(), "settings.xml")
	text := "<settings><mirrors><mirror><id>larder</id><mirrorOf>*</mirrorOf><url>" + base +
		"</url></mirror></mirrors></settings>"
	if err := os.WriteFile(settings, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range clients {
		t.Run(c, func(t *testing.T) {
			local := filepath.Join(t.TempDir(), "repository")
			took := buildWithMaven(t, c, local, "-C", "-s", settings)
			have := localFiles(t, local)
			for path, file := range have {
				if original, ok := closure[path]; !ok || !sameBytes(t, original, file) {
					t.Errorf("%s is not what was deployed", path)
				}
			}
			for path := range want[c] {
				if have[path] == "" {
					t.Errorf("%s was not fetched", path)
				}
			}
			t.Logf("%d files from Larder in %v", len(have), took)
		})
	}
}

// liveMavens returns the clients that are chosen and installed, or the machine's own mvn if there is none.
func liveMavens(t *testing.T) []string {
	t.Helper()
	chosen := strings.Split(os.Getenv("LARDER_LIVE"), ",")
	var list []string
	for _, c := range mavenClients {
		if chosen[0] != "1" && !slices.Contains(chosen, c) {
			continue
		}
		if _, err := exec.LookPath(c); err == nil {
			list = append(list, c)
		} else if os.Getenv("LARDER_CLIENTS") == "all" {
			t.Fatal(err)
		}
	}
	if _, err := exec.LookPath("mvn"); len(list) == 0 && err == nil && chosen[0] == "1" {
		list = []string{"mvn"}
	}
	if len(list) == 0 {
		without(t, "mvn", exec.ErrNotFound)
	}
	return list
}

// buildWithMaven builds the project in a folder of its own with a local repository.
func buildWithMaven(t *testing.T, client, local string, args ...string) time.Duration {
	t.Helper()
	dir := t.TempDir()
	for name, text := range mavenProject {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, client,
		append([]string{"-B", "-ntp", "-Dmaven.repo.local=" + local, "package"}, args...)...)
	cmd.Dir = dir
	start := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s package: %v\n%s", client, err, out[max(0, len(out)-4000):])
	}
	if _, err := os.Stat(filepath.Join(dir, "target", "shop-1.0.jar")); err != nil {
		t.Fatal(err)
	}
	return time.Since(start).Round(100 * time.Millisecond)
}

// mavenNotes match the files that Maven writes into its local repository beside artifacts.
var mavenNotes = regexp.MustCompile(`(^|/)(_remote\.repositories|resolver-status\.properties|maven-metadata.*|` +
	`.*\.lastUpdated|.*\.(sha1|sha256|sha512|md5)|\..*)$`)

// localFiles maps the paths of the artifacts of a local repository to their files.
func localFiles(t *testing.T, local string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(local, func(file string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		path, err := filepath.Rel(local, file)
		if err == nil && !mavenNotes.MatchString(path) {
			files[filepath.ToSlash(path)] = file
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// deployFiles uploads every file with its checksum, and the metadata of each artifact.
func deployFiles(t *testing.T, base string, files map[string]string) int64 {
	t.Helper()
	var size atomic.Int64
	artifacts := map[string]bool{}
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(5)
	for path, file := range files {
		artifacts[filepath.Dir(filepath.Dir(path))+"/"] = true
		group.Go(func() error {
			body, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			size.Add(int64(len(body)))
			sum := sha1.Sum(body)
			if err := mavenRequest(ctx, "PUT", base+path, body); err != nil {
				return err
			}
			return mavenRequest(ctx, "PUT", base+path+".sha1", []byte(hex.EncodeToString(sum[:])))
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	for dir := range artifacts {
		if err := mavenRequest(t.Context(), "POST", base+dir, nil); err != nil {
			t.Fatal(err)
		}
	}
	return size.Load()
}

func mavenRequest(ctx context.Context, method, address string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.SetBasicAuth("admin", crashPassword)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusCreated {
		err = fmt.Errorf("%s %s: %s %s", method, address, resp.Status, text)
	}
	return err
}

func sameBytes(t *testing.T, a, b string) bool {
	t.Helper()
	one, err := os.ReadFile(a)
	if err != nil {
		t.Fatal(err)
	}
	other, err := os.ReadFile(b)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Equal(one, other)
}
