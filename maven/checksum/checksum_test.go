package checksum

// Checksum files as tools write them.

import (
	"strings"
	"testing"
)

// TestChecksumFilesOfEveryTool: bare, before or after a name, or in pairs; nothing else is a checksum.
func TestChecksumFilesOfEveryTool(t *testing.T) {
	hex := strings.Repeat("a1b2", 8)
	for text, want := range map[string]string{
		hex: hex, strings.ToUpper(hex): hex, hex + "\n": hex, "\n\n " + hex + "  lib.jar\n": hex,
		"MD5 (lib.jar) = " + hex: hex, "lib.jar: " + strings.TrimSpace(strings.Repeat("A1 B2 ", 8)): hex,
		"lib.jar " + hex: hex, hex[:31]: "", hex + "0": "", "": "", "<html>": "", "x\n" + hex: "",
	} {
		if got := Parse(text, "md5"); got != want {
			t.Errorf("%q: %q", text, got)
		}
	}
}
