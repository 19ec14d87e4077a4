package oci

import (
	"os/exec"
	"strings"
	"testing"
)

func TestZZConf(t *testing.T) {
	g := newRig(t)
	cmd := exec.Command("/work/conformance/run.sh", strings.TrimPrefix(g.srv.URL, "http://"), "ada", "secret")
	cmd.Env = append(cmd.Environ(), "RESULTS=/tmp/confres", "VERBOSE=1")
	out, err := cmd.CombinedOutput()
	t.Logf("%s %v", out, err)
}
