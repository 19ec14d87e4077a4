package pypi

// What pages show of releases.

import (
	"slices"
	"strings"
	"testing"

	"larder/internal/describe"
	"larder/internal/wire"
	"larder/internal/wiretest"
)

// TestPageWarnsOfAFormThatDiffers from the file's own metadata, also after the upload's answer was read.
func TestPageWarnsOfAFormThatDiffers(t *testing.T) {
	var kind describe.Kind
	g := &rig{Rig: wiretest.New(t, wiretest.Options{}, func(d wire.Deps) wire.Protocol {
		p := New(d, Options{}, nil)
		kind = p.Describe
		return p
	})}
	g.Want(g.put("ada", newUpload(demoWheel, func(u *upload) { u.form["summary"] = "another" })), 200, "Warning: ")
	v, err := kind.Version(t.Context(), "demo-pkg", "1.0")
	says := func(text string) bool { return strings.Contains(text, "own Summary counts") }
	if err != nil || !slices.ContainsFunc(v.Warnings, says) {
		t.Errorf("warnings %q, %v: want one of the summary", v.Warnings, err)
	}
}
