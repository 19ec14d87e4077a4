package main

// This file measures Maven: deploying into a folder of many builds, large files, cached metadata.

import (
	"context"
	"crypto/md5"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	mavenVersions = 1000 // of the artifact whose metadata is read
	mavenBuilds   = 1000 // of the snapshot that is deployed once more
)

// startMaven starts a larder and returns a client of its administrator.
func (e *env) startMaven(ctx context.Context) (*process, *registry, error) {
	data, err := e.folder("maven")
	if err != nil {
		return nil, nil, err
	}
	return e.startAs(ctx, data)
}

func (c *registry) mavenPut(ctx context.Context, path, body string) error {
	return c.send(ctx, "PUT", "/maven/"+path, strings.NewReader(body), int64(len(body)),
		"User-Agent", "Apache-Maven/3.8.7 (Java 17)")
}

// mavenFile uploads a file with the checksums that mvn sends.
func (c *registry) mavenFile(ctx context.Context, path, body string) error {
	s1, m := sha1.Sum([]byte(body)), md5.Sum([]byte(body))
	for _, part := range [][2]string{
		{path, body}, {path + ".sha1", hex.EncodeToString(s1[:])}, {path + ".md5", hex.EncodeToString(m[:])},
	} {
		if err := c.mavenPut(ctx, part[0], part[1]); err != nil {
			return err
		}
	}
	return nil
}

// mavenGet reads a document, "" if it does not exist.
func (c *registry) mavenGet(ctx context.Context, path string) (string, error) {
	resp, err := c.do(ctx, "GET", "/maven/"+path, nil, 0)
	if err != nil && strings.Contains(err.Error(), "404") {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return string(text), err
}

const mavenPOM = "<project><modelVersion>4.0.0</modelVersion>" +
	"<groupId>com.acme</groupId><artifactId>big</artifactId><version>1-SNAPSHOT</version></project>"

// mavenBuild deploys the nth build of a snapshot with the requests of mvn.
func (c *registry) mavenBuild(ctx context.Context, n int) error {
	const dir = "com/acme/big/"
	id := fmt.Sprintf("1-20260101.%06d-%d", n/60*100+n%60, n+1)
	stamp := strings.TrimPrefix(strings.TrimSuffix(id, fmt.Sprintf("-%d", n+1)), "1-")
	if _, err := c.mavenGet(ctx, dir+"1-SNAPSHOT/maven-metadata.xml"); err != nil {
		return err
	}
	for ext, body := range map[string]string{"jar": fmt.Sprint("the jar of build ", n), "pom": mavenPOM} {
		if err := c.mavenFile(ctx, dir+"1-SNAPSHOT/big-"+id+"."+ext, body); err != nil {
			return err
		}
	}
	if _, err := c.mavenGet(ctx, dir+"maven-metadata.xml"); err != nil {
		return err
	}
	snapshot := fmt.Sprintf("<metadata><version>1-SNAPSHOT</version><versioning><snapshot><timestamp>%s</timestamp>"+
		"<buildNumber>%d</buildNumber></snapshot></versioning></metadata>", stamp, n+1)
	if err := c.mavenFile(ctx, dir+"1-SNAPSHOT/maven-metadata.xml", snapshot); err != nil {
		return err
	}
	return c.mavenFile(ctx, dir+"maven-metadata.xml",
		`<metadata><versioning><versions><version>1-SNAPSHOT</version></versions></versioning></metadata>`)
}

// mavenGrowth measures deployments per second of a snapshot with 1,000 builds, beside one with 10.
func mavenGrowth(ctx context.Context, e *env) (ours, yardstick float64, err error) {
	rate := func(first int) (float64, error) {
		p, c, err := e.startMaven(ctx)
		if err != nil {
			return 0, err
		}
		defer p.kill()
		err = parallel(8, func(i int) error {
			for n := i; n < first; n += 8 {
				if err := c.mavenBuild(ctx, n); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return 0, err
		}
		const deploys = 50
		start := time.Now()
		for n := range deploys {
			if err := c.mavenBuild(ctx, first+n); err != nil {
				return 0, err
			}
		}
		return deploys / time.Since(start).Seconds(), nil
	}
	if ours, err = rate(mavenBuilds); err != nil {
		return 0, 0, err
	}
	yardstick, err = rate(10)
	return ours, yardstick, err
}

// mavenLarge measures one stream of a large artifact, beside nginx with sendfile.
func mavenLarge(ctx context.Context, e *env) (ours, yardstick float64, err error) {
	file, _, err := e.largeBlob(largeSize)
	if err != nil {
		return 0, 0, err
	}
	nginx, err := e.startNginx(ctx, filepath.Dir(file))
	if err != nil {
		return 0, 0, err
	}
	defer nginx.kill()
	p, c, err := e.startMaven(ctx)
	if err != nil {
		return 0, 0, err
	}
	defer p.kill()
	f, err := os.Open(file)
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	const path = "/maven/com/acme/large/1.0/large-1.0.zip"
	resp, err := c.do(ctx, "PUT", path, f, largeSize)
	if err != nil {
		return 0, 0, err
	}
	drain(resp)
	other := newRegistry(nginx.addr)
	buf := make([]byte, mib)
	for range 3 {
		a, err := timedPull(ctx, c, path, buf)
		if err != nil {
			return 0, 0, err
		}
		b, err := timedPull(ctx, other, "/blob", buf)
		if err != nil {
			return 0, 0, err
		}
		ours, yardstick = max(ours, a), max(yardstick, b)
	}
	return ours, yardstick, nil
}

// mavenCached measures metadata of 1,000 versions from memory, beside a bare handler with the same bytes.
func mavenCached(ctx context.Context, e *env) (ours, yardstick float64, err error) {
	p, c, err := e.startMaven(ctx)
	if err != nil {
		return 0, 0, err
	}
	defer p.kill()
	err = parallel(8, func(i int) error {
		for n := i; n < mavenVersions; n += 8 {
			version := fmt.Sprintf("%d.%d", n/50, n%50)
			path := "com/acme/many/" + version + "/many-" + version + ".pom"
			if err := c.mavenPut(ctx, path, strings.Replace(mavenPOM, "1-SNAPSHOT", version, 1)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, 0, err
	}
	resp, err := c.do(ctx, "POST", "/maven/com/acme/many/", nil, 0)
	if err != nil {
		return 0, 0, err
	}
	drain(resp)
	text, err := c.mavenGet(ctx, "com/acme/many/maven-metadata.xml")
	if err != nil || strings.Count(text, "<version>") != mavenVersions {
		return 0, 0, fmt.Errorf("metadata of %d bytes: %w", len(text), err)
	}
	file := filepath.Join(e.dir, "maven-metadata")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return 0, 0, err
	}
	bare, err := e.startBare(ctx, file)
	if err != nil {
		return 0, 0, err
	}
	defer bare.kill()
	if ours, err = load(p.addr, "/maven/com/acme/many/maven-metadata.xml", c.auth); err != nil {
		return 0, 0, err
	}
	yardstick, err = load(bare.addr, "/", c.auth)
	return ours, yardstick, err
}
