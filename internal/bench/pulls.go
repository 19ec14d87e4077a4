package main

// This file measures what counting pulls costs: beside the same program that does not count them.

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"

	"larder/internal/miniclient"
)

// uncounted builds larder with a store whose Pulled returns at once. The toolchain is told to read a changed copy of
// that file instead; nothing in the tree is touched.
func (e *env) uncounted(ctx context.Context) (string, error) {
	const file, head = "store/pulls.go", "func (s *Store) Pulled(k Kind, name, version string) {\n"
	source, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("run it from the project's folder: %w", err)
	}
	changed := bytes.Replace(source, []byte(head), []byte(head+"\treturn\n"), 1)
	if len(changed) == len(source) {
		return "", fmt.Errorf("%s has no function Pulled", file)
	}
	path, err := filepath.Abs(file)
	if err != nil {
		return "", err
	}
	copied := filepath.Join(e.dir, "pulls.go")
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{path: copied}})
	if err != nil {
		return "", err
	}
	list, program := filepath.Join(e.dir, "overlay.json"), filepath.Join(e.dir, "larder-uncounted")
	for name, content := range map[string][]byte{copied: changed, list: overlay} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			return "", err
		}
	}
	build := exec.CommandContext(ctx, "go", "build", "-overlay", list, "-o", program, ".")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build -overlay: %w\n%s", err, out)
	}
	return program, nil
}

// countedPulls measures a small file that is fetched without a login, beside the program that does not count pulls.
func countedPulls(ctx context.Context, e *env) (ours, yardstick float64, err error) {
	program, err := e.uncounted(ctx)
	if err != nil {
		return 0, 0, err
	}
	var targets []*target
	for _, each := range []string{e.larder, program} {
		b, err := e.startBuild(ctx, each)
		if err != nil {
			return 0, 0, err
		}
		defer b.p.kill()
		npm := miniclient.All()[1]
		if err := b.publish(ctx, npm, "small", "1.0.0"); err != nil {
			return 0, 0, err
		}
		targets = append(targets, newTarget(b.p, "/npm/small/-/small-1.0.0.tgz", "", http.StatusOK, ""))
	}
	all, err := compare(ctx, targets...)
	if err != nil {
		return 0, 0, err
	}
	for i := range slicePasses {
		e.add(all[0][i].rate, all[1][i].rate)
	}
	e.note("processor time per request: %.2f µs, without counting %.2f; median of ratios %.3f",
		micros(all[0]), micros(all[1]), cost(all[0], all[1]))
	_, mid, _ := middle(e.pairs)
	return mid.ours, mid.yardstick, nil
}
